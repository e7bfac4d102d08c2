package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// Facts are what translation needs of the box beside the configuration.
type Facts struct {
	Links  map[string]Link  // ports that there are, by interface name
	Leases map[string]Lease // what DHCP gave, by interface name
	Trust  map[string]Trust // what the files of trustpoints hold, by name
}

// Trust is a trustpoint as its files are, or were when they could be read last.
type Trust struct {
	Point   ike.Trustpoint
	Problem string // why it is not what its files hold now, with the file's name; "" where it is
}

// Link is a port as it is found.
type Link struct {
	MAC [6]byte
	MTU int
	Up  bool
}

// Lease is an address and a gateway from a DHCP server.
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr
}

// translation makes a Router's configuration of a configuration tree.
type translation struct {
	tree     *config.Config
	facts    Facts
	numbers  *numbers
	out      slowpath.Config
	problems []show.Problem

	protections map[string]*protection
}

// translate is pure but for the numbers, which it may extend.
func translate(tree *config.Config, facts Facts, n *numbers) (slowpath.Config, []show.Problem) {
	t := &translation{tree: tree, facts: facts, numbers: n, protections: make(map[string]*protection)}
	t.out.Statics = make(map[fib.VRF][]rib.StaticRoute)
	for _, i := range tree.Interfaces {
		if why := notCarriedOut(i); why != "" {
			t.problem("interface "+i.Name, why)
			continue
		}
		switch {
		case i.IsTunnel():
			t.tunnel(i)
		case i.IsLoopback():
			t.out.Interfaces = append(t.out.Interfaces, slowpath.Interface{Interface: rib.Interface{
				Name: i.Name, Addrs: t.addresses(i), Up: !i.Shutdown, MTU: 1500,
			}})
		case i.IsPort():
			t.port(i)
		}
	}
	for k := range tree.StaticRoutes {
		t.static(&tree.StaticRoutes[k])
	}
	t.dhcpRoutes()
	t.protected()
	t.ike()
	t.later()
	return t.out, t.problems
}

// later names what is configured and not carried out by this version, beside single interfaces.
func (t *translation) later() {
	const why = "read, and not carried out by this version"
	if t.tree.BGP != nil {
		t.problem("router bgp", why)
	}
	for _, e := range t.tree.EIGRP {
		t.problem(fmt.Sprintf("router eigrp %d%s", e.AS, e.Name), why)
	}
	if len(t.tree.Logging.Hosts) > 0 {
		t.problem("logging host", why+": the log goes to the journal")
	}
	if len(t.tree.KernelImport) > 0 {
		t.problem("ip route import kernel", why)
	}
	if t.tree.Platform.HardwareProfile != "" {
		t.problem("platform hardware profile", why)
	}
}

func (t *translation) problem(what, why string) {
	t.problems = append(t.problems, show.Problem{What: what, Why: why})
}

// notCarriedOut says why an interface stays down whatever else is right, "" if nothing does.
func notCarriedOut(i *config.Interface) string {
	switch {
	case i.VRF != "":
		return "`ip vrf forwarding` is read and not carried out by this version: the interface stays down, so that nothing of the VRF leaks into the global table"
	case i.Tunnel.VRF != "":
		return "`tunnel vrf` is read and not carried out by this version: the interface stays down"
	case i.VLAN != 0 || i.Parent() != "":
		return "subinterfaces are read and not carried out by this version: the interface stays down"
	}
	return ""
}

// addresses are the interface's, primary first: configured, leased, or borrowed.
func (t *translation) addresses(i *config.Interface) []netip.Prefix {
	var out []netip.Prefix
	switch {
	case i.DHCP:
		if l, ok := t.facts.Leases[i.Name]; ok && l.Address.IsValid() {
			out = append(out, l.Address)
		}
	case i.Unnumbered != "":
		if o := t.find(i.Unnumbered); o != nil && o != i && o.Unnumbered == "" {
			if a := t.addresses(o); len(a) > 0 {
				return []netip.Prefix{netip.PrefixFrom(a[0].Addr(), 32)}
			}
		}
	case i.Address.IsValid():
		out = append(out, i.Address)
	}
	return append(out, i.Secondary...)
}

func (t *translation) find(name string) *config.Interface {
	k := slices.IndexFunc(t.tree.Interfaces, func(i *config.Interface) bool { return i.Name == name })
	if k < 0 {
		return nil
	}
	return t.tree.Interfaces[k]
}

func (t *translation) port(i *config.Interface) {
	link, ok := t.facts.Links[i.Name]
	if !ok {
		t.problem("interface "+i.Name, "no port was given for it: start naved with --port "+i.Name+"=NETDEV")
		return
	}
	mtu := link.MTU
	if i.IPMTU != 0 {
		mtu = min(mtu, i.IPMTU)
	}
	t.out.Interfaces = append(t.out.Interfaces, slowpath.Interface{
		NoUnreachables: i.NoUnreachables,
		Interface: rib.Interface{
			Name: i.Name, Addrs: t.addresses(i), Up: link.Up && !i.Shutdown, MSS: uint16(i.AdjustMSS),
			Port: t.numbers.port(i.Name, link.MAC), MAC: link.MAC, MTU: uint16(min(mtu, 65535)),
		},
	})
}

// source is the tunnel source: its address, and the link's MTU.
func (t *translation) source(i *config.Interface) (addr netip.Addr, mtu int, up bool) {
	if i.Tunnel.SourceAddr.IsValid() {
		for _, o := range t.tree.Interfaces {
			for _, a := range t.addresses(o) {
				if a.Addr() == i.Tunnel.SourceAddr && !o.IsTunnel() {
					return a.Addr(), t.linkMTU(o), t.isUp(o)
				}
			}
		}
		return netip.Addr{}, 0, false
	}
	o := t.find(i.Tunnel.SourceInterface)
	if o == nil || o.IsTunnel() {
		return netip.Addr{}, 0, false
	}
	a := t.addresses(o)
	if len(a) == 0 {
		return netip.Addr{}, t.linkMTU(o), false
	}
	return a[0].Addr(), t.linkMTU(o), t.isUp(o)
}

func (t *translation) linkMTU(o *config.Interface) int {
	if l, ok := t.facts.Links[o.Name]; ok && l.MTU > 0 {
		return l.MTU
	}
	return 1500
}

func (t *translation) isUp(o *config.Interface) bool {
	if o.IsLoopback() {
		return !o.Shutdown
	}
	return !o.Shutdown && t.facts.Links[o.Name].Up
}

// Bytes that GRE puts in front of a packet (RFC 2784, RFC 2890): an IPv4 header, the GRE header, the key.
const (
	greOverhead    = 24
	greKeyOverhead = 4
)

func (t *translation) tunnel(i *config.Interface) {
	local, linkMTU, up := t.source(i)
	tun := &i.Tunnel
	dest := t.destination(i)
	if tun.Mode == config.GREPointToPoint && !dest.IsValid() {
		up = false
	}
	mtu := cmp.Or(i.IPMTU, t.tunnelMTU(tun, cmp.Or(linkMTU, 1500)))
	protected := tun.Protection.Profile != ""
	remote := netip.Addr{}
	if tun.Mode == config.GREPointToPoint {
		remote = dest
	}
	id := t.numbers.tunnel(i.Name, fib.Tunnel{Local: local, Remote: remote, Key: tun.Key, HasKey: tun.HasKey})
	in := slowpath.Interface{NoUnreachables: i.NoUnreachables, Interface: rib.Interface{
		Name: i.Name, Addrs: t.addresses(i), Up: up && !i.Shutdown, MSS: uint16(i.AdjustMSS), MTU: uint16(mtu),
		Tunnel: &rib.Tunnel{
			ID: id, Local: local, Remote: remote, Key: tun.Key, HasKey: tun.HasKey,
			TOS: uint8(tun.TOS), TTL: uint8(tun.TTLOrDefault()), PathMTU: tun.PathMTU,
			Network: i.NHRP.NetworkID, Redirect: i.NHRP.Redirect, Protected: protected,
		},
	}}
	if protected {
		in.Tunnel.Protection = t.ipsec(i, &in.Interface, i.Shutdown)
	}
	if tun.TOS != 0 {
		t.problem("interface "+i.Name, "`tunnel tos` is read and not carried out by this version: the outer header has the TOS of the packet inside")
	}
	if tun.Checksum || tun.Sequence {
		t.problem("interface "+i.Name, "`tunnel checksum` and `tunnel sequence-datagrams` are taken from peers and not sent")
	}
	if tun.PathMTUAge != 0 || tun.PathMTUInfinite || tun.PathMTUMin != 0 {
		t.problem("interface "+i.Name, "`tunnel path-mtu-discovery` runs without its options: a learned MTU of at least 576 bytes is believed for 10 minutes")
	}
	if i.MPLS.IP {
		t.problem("interface "+i.Name, "`mpls ip` is read and not carried out by this version")
	}
	t.out.Interfaces = append(t.out.Interfaces, in)
	if i.NHRP.Enabled() && len(in.Addrs) > 0 {
		t.nhrp(i, &in.Interface)
	}
}

// tunnelMTU is the largest packet that a tunnel takes where `ip mtu` says nothing.
func (t *translation) tunnelMTU(tun *config.Tunnel, link int) int {
	mtu := link - greOverhead
	if tun.HasKey {
		mtu -= greKeyOverhead
	}
	if sealed := t.sealedMTU(tun, link); sealed != 0 {
		mtu = sealed
	}
	return max(68, mtu) // RFC 791: every link takes 68
}

// destination is `tunnel destination`, through `ip host` where it is a name.
func (t *translation) destination(i *config.Interface) netip.Addr {
	if i.Tunnel.DestinationHost == "" {
		return i.Tunnel.Destination
	}
	return t.host("interface "+i.Name, i.Tunnel.DestinationHost)
}

func (t *translation) host(what, name string) netip.Addr {
	for _, h := range t.tree.Hosts {
		if h.Name == name {
			return h.Addr
		}
	}
	t.problem(what, "the name "+name+" is not known: say `ip host "+name+" ADDRESS` (nave asks no DNS)")
	return netip.Addr{}
}

func (t *translation) nhrp(i *config.Interface, in *rib.Interface) {
	n := &i.NHRP
	packets, every := n.SendLimit()
	out := nhrp.Interface{
		Name: i.Name, ID: uint16(in.Tunnel.ID), VRF: i.VRF, Address: in.Addrs[0], Secondary: append([]netip.Prefix(nil), in.Addrs[1:]...), Destination: in.Tunnel.Remote,
		Protected: in.Tunnel.Protected, NetworkID: n.NetworkID, Authentication: nhrp.Secret(n.Authentication.Reveal()),
		HoldTime: n.Hold(), RegistrationTimeout: n.RegistrationTimeout, NoUnique: n.NoUnique,
		MulticastStatic: slices.Clone(n.Multicast), MulticastDynamic: n.MulticastDynamic, Fallback: n.NHSFallback,
		ServerOnly: n.ServerOnly, Redirect: n.Redirect, RedirectTimeout: n.RedirectInterval(), Shortcut: n.Shortcut,
		MaxSend: nhrp.MaxSend{Packets: packets, Interval: every}, MTU: in.MTU, IdleTimeout: n.IdleTimeout,
	}
	if in.Up {
		out.NBMA = in.Tunnel.Local
	}
	for _, m := range n.Maps {
		out.Maps = append(out.Maps, nhrp.Map{Protocol: m.Protocol, NBMA: m.NBMA})
	}
	for _, s := range n.NHS {
		h := nhrp.NHS{Protocol: s.Addr, NBMA: s.NBMA, Multicast: s.Multicast, Priority: s.Priority, Cluster: s.Cluster}
		if s.NBMAHost != "" {
			h.NBMA = t.host(fmt.Sprintf("interface %s: ip nhrp nhs %s", i.Name, s.Addr), s.NBMAHost)
		}
		out.NHS = append(out.NHS, h)
	}
	for _, c := range n.NHSClusters {
		out.Clusters = append(out.Clusters, nhrp.Cluster{ID: c.Cluster, MaxConnections: c.MaxConnections})
	}
	if n.MaxEntries > 0 && (t.out.NHRP.MaxEntries == 0 || n.MaxEntries < t.out.NHRP.MaxEntries) {
		t.out.NHRP.MaxEntries = n.MaxEntries
	}
	t.out.NHRP.Interfaces = append(t.out.NHRP.Interfaces, out)
}

func (t *translation) static(s *config.StaticRoute) {
	what := "ip route " + s.Prefix.String()
	if s.VRF != "" || s.Global {
		t.problem(what, "routes of VRFs are read and not carried out by this version")
		return
	}
	r := rib.StaticRoute{Prefix: s.Prefix, Distance: int(s.Distance), Tag: s.Tag, Source: rib.Static}
	switch {
	case s.Interface == "Null0":
	case s.DHCP:
		for _, name := range t.leased() {
			if g := t.facts.Leases[name].Gateway; g.IsValid() {
				r.Hops = append(r.Hops, rib.NextHop{Iface: name, Addr: g})
			}
		}
		if len(r.Hops) == 0 {
			return // no lease yet
		}
	default:
		r.Hops = []rib.NextHop{{Iface: s.Interface, Addr: s.NextHop}}
	}
	t.out.Statics[fib.Global] = append(t.out.Statics[fib.Global], r)
}

// dhcpRoutes are default routes by the gateways that DHCP gave, with the distance that IOS gives them.
func (t *translation) dhcpRoutes() {
	for _, name := range t.leased() {
		if g := t.facts.Leases[name].Gateway; g.IsValid() {
			t.out.Statics[fib.Global] = append(t.out.Statics[fib.Global], rib.StaticRoute{
				Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Hops: []rib.NextHop{{Iface: name, Addr: g}}, Source: rib.DHCP,
			})
		}
	}
}

// leased lists the interfaces that have a lease and want one, in order.
func (t *translation) leased() []string {
	var out []string
	for _, i := range t.tree.Interfaces {
		if _, ok := t.facts.Leases[i.Name]; ok && i.DHCP {
			out = append(out, i.Name)
		}
	}
	return out
}
