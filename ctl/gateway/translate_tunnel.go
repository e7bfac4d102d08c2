package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// source is the tunnel source: its address, and the link's MTU. Packets of the tunnel are routed in `tunnel vrf`, so it has to be an interface of that; why says what
// is wrong where it is not.
func (t *translation) source(i *config.Interface) (addr netip.Addr, mtu int, up bool, why string) {
	tun := &i.Tunnel
	if i.Held != "" {
		return netip.Addr{}, 0, false, "it stays down, so that the other goes on: " + string(i.Held)
	}
	if tun.SourceAddr.IsValid() {
		if o := t.owner(tun.VRF, tun.SourceAddr); o != nil {
			return tun.SourceAddr, t.linkMTU(o), t.isUp(o), ""
		}
		for _, o := range t.tree.Interfaces {
			if o.VRF != tun.VRF && t.owner(o.VRF, tun.SourceAddr) != nil {
				return netip.Addr{}, 0, false, t.strange(i, tun.SourceAddr.String(), o.VRF)
			}
		}
		return netip.Addr{}, 0, false, ""
	}
	o := t.find(tun.SourceInterface)
	if o == nil || o.IsTunnel() || misplaced(t.tree, o) != "" {
		return netip.Addr{}, 0, false, ""
	}
	if o.VRF != tun.VRF {
		return netip.Addr{}, t.linkMTU(o), false, t.strange(i, o.Name, o.VRF)
	}
	a := t.addresses(o)
	if len(a) == 0 {
		return netip.Addr{}, t.linkMTU(o), false, ""
	}
	return a[0].Addr(), t.linkMTU(o), t.isUp(o), ""
}

// strange says that a tunnel source is in another VRF than the tunnel's packets.
func (t *translation) strange(i *config.Interface, source, vrf string) string {
	remedy := "say `tunnel vrf " + vrf + "`"
	if vrf == "" {
		remedy = "remove `tunnel vrf`"
	}
	return fmt.Sprintf("its packets are routed in %s, and its source %s is in %s: the tunnel stays down; %s, or name another source",
		table(i.Tunnel.VRF), source, table(vrf), remedy)
}

// Bytes that GRE puts in front of a packet (RFC 2784, RFC 2890): an IPv4 header, the GRE header, the key.
const (
	greOverhead    = 24
	greKeyOverhead = 4
)

func (t *translation) tunnel(i *config.Interface) {
	local, linkMTU, up, why := t.source(i)
	if why != "" {
		t.problem("interface "+i.Name, why)
	}
	vrf, _ := t.vrfNumber(i.VRF)
	outer, _ := t.vrfNumber(i.Tunnel.VRF)
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
	id := t.numbers.tunnel(i.Name, fib.Tunnel{OuterVRF: outer, Local: local, Remote: remote, Key: tun.Key, HasKey: tun.HasKey})
	in := slowpath.Interface{Unnumbered: i.Unnumbered != "", NoUnreachables: i.NoUnreachables, Interface: rib.Interface{
		Name: i.Name, VRF: vrf, Addrs: t.addresses(i), Up: up && !i.Shutdown, MSS: uint16(i.AdjustMSS), MTU: uint16(mtu), MPLS: t.labelled(i),
		Tunnel: &rib.Tunnel{
			ID: id, OuterVRF: outer, Local: local, Remote: remote, Key: tun.Key, HasKey: tun.HasKey,
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
		ServerOnly: n.ServerOnly, Redirect: n.Redirect, RedirectTimeout: n.RedirectInterval(), Shortcut: n.Shortcut, SimultaneousOpen: n.SimultaneousOpen && !t.tree.IPsec.NoNATT,
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
