package config

import (
	"fmt"
	"net/netip"
	"time"
)

func (c *Config) printInterface(p *printer, i *Interface) {
	p.in("interface "+i.Name, func() {
		set(p, "description", i.Description)
		p.when(i.VLAN != 0, "encapsulation dot1Q", i.VLAN, word(i.VLANNative, "native"))
		set(p, "mtu", i.MTU)
		if i.VRF != "" {
			form := "ip vrf forwarding"
			if v := c.VRF(i.VRF); v != nil && v.Definition {
				form = "vrf forwarding"
			}
			p.line(form, i.VRF)
		}
		set(p, "bandwidth", i.Bandwidth)
		printAddresses(p, i)
		p.when(i.NoRedirects, "no ip redirects")
		p.when(i.NoUnreachables, "no ip unreachables")
		set(p, "ip mtu", i.IPMTU)
		printNHRP(p, &i.NHRP)
		for _, e := range i.EIGRP {
			printInterfaceEIGRP(p, e)
		}
		set(p, "ip tcp adjust-mss", i.AdjustMSS)
		set(p, "delay", i.Delay)
		set(p, "mpls label protocol", i.MPLS.LabelProtocol)
		p.when(i.MPLS.IP, "mpls ip")
		set(p, "mpls mtu", i.MPLS.MTU)
		p.when(i.MPLS.BGPForwarding, "mpls bgp forwarding")
		printTunnel(p, &i.Tunnel)
		for _, s := range i.Ignored {
			p.line(p.hide(s))
		}
		p.when(i.Shutdown, "shutdown")
	})
	p.bang()
}

func printAddresses(p *printer, i *Interface) {
	set(p, "ip address", i.Address)
	p.when(i.DHCP, "ip address dhcp", opt(p, "hostname", i.DHCPHost))
	set(p, "ip unnumbered", i.Unnumbered)
	for _, a := range i.Secondary {
		p.line("ip address", a, "secondary")
	}
}

func printNHRP(p *printer, n *NHRP) {
	set(p, "ip nhrp authentication", n.Authentication)
	p.when(n.MulticastDynamic, "ip nhrp map multicast dynamic")
	for _, m := range n.Maps {
		protocol := m.Protocol.Addr().String()
		if m.Protocol.Bits() != 32 {
			protocol = p.format(m.Protocol)
		}
		p.line("ip nhrp map", protocol, m.NBMA)
	}
	for _, m := range n.Multicast {
		p.line("ip nhrp map multicast", m)
	}
	p.when(n.NetworkID != 0, "ip nhrp network-id", n.NetworkID)
	set(p, "ip nhrp holdtime", n.HoldTime)
	for _, s := range n.NHS {
		printNHS(p, s)
	}
	for _, c := range n.NHSClusters {
		p.line("ip nhrp nhs cluster", c.Cluster, "max-connections", c.MaxConnections)
	}
	set(p, "ip nhrp nhs fallback", n.NHSFallback)
	p.when(n.NoUnique, "ip nhrp registration no-unique")
	set(p, "ip nhrp registration timeout", n.RegistrationTimeout)
	p.when(n.ServerOnly, "ip nhrp server-only", word(n.ServerOnlyNonCaching, "non-caching"))
	p.when(n.MaxSend != 0, "ip nhrp max-send", n.MaxSend, "every", n.MaxSendInterval)
	set(p, "ip nhrp group", n.Group)
	set(p, "ip nhrp max-entries", n.MaxEntries)
	set(p, "ip nhrp idle-timeout", n.IdleTimeout)
	p.when(n.SimultaneousOpen, "ip nhrp nat simultaneous-open")
	p.when(n.Shortcut, "ip nhrp shortcut")
	p.when(n.Redirect, "ip nhrp redirect", opt(p, "timeout", n.RedirectTimeout))
}

func printNHS(p *printer, s NHS) {
	nbma := opt(p, "nbma", s.NBMA)
	if s.NBMAHost != "" {
		nbma = "nbma " + s.NBMAHost
	}
	p.line("ip nhrp nhs", s.Addr, word(s.Dynamic, "dynamic"), s.Net, nbma, word(s.Multicast, "multicast"),
		opt(p, "priority", s.Priority), opt(p, "cluster", s.Cluster))
}

func printTunnel(p *printer, t *Tunnel) {
	set(p, "tunnel source", t.SourceAddr)
	set(p, "tunnel source", t.SourceInterface)
	set(p, "tunnel destination", t.Destination)
	set(p, "tunnel destination", t.DestinationHost)
	if t.ModeSet {
		p.line("tunnel mode gre", map[TunnelMode]string{GREPointToPoint: "ip", GREMultipoint: "multipoint"}[t.Mode])
	}
	p.when(t.HasKey, "tunnel key", t.Key)
	p.when(t.HasTOS, "tunnel tos", t.TOS)
	set(p, "tunnel ttl", t.TTL)
	p.when(t.Checksum, "tunnel checksum")
	p.when(t.Sequence, "tunnel sequence-datagrams")
	set(p, "tunnel vrf", t.VRF)
	set(p, "tunnel bandwidth transmit", t.BandwidthTx)
	set(p, "tunnel bandwidth receive", t.BandwidthRx)
	if t.PathMTU {
		age := ""
		if t.PathMTUAge != 0 {
			age = fmt.Sprintf("age-timer %d", int(t.PathMTUAge/time.Minute))
		}
		p.line("tunnel path-mtu-discovery", age, word(t.PathMTUInfinite, "age-timer infinite"), opt(p, "min-mtu", t.PathMTUMin))
	}
	if t.Protection.Profile != "" {
		p.line("tunnel protection ipsec profile", t.Protection.Profile, word(t.Protection.Shared, "shared"),
			opt(p, "isakmp-profile", t.Protection.ISAKMPProfile), opt(p, "ikev2-profile", t.Protection.IKEv2Profile))
	}
}

func printInterfaceEIGRP(p *printer, i *InterfaceEIGRP) {
	as, e := fmt.Sprint(i.AS), &i.EIGRPInterface
	p.when(e.Hello != 0, "ip hello-interval eigrp", as, e.Hello)
	p.when(e.Hold != 0, "ip hold-time eigrp", as, e.Hold)
	p.when(e.NextHopSelf == Off, "no ip next-hop-self eigrp", as)
	p.when(e.SplitHorizon == Off, "no ip split-horizon eigrp", as)
	p.when(e.BandwidthPercent != 0, "ip bandwidth-percent eigrp", as, e.BandwidthPercent)
	p.when(e.AuthMode != "", "ip authentication mode eigrp", as, e.AuthMode)
	p.when(e.KeyChain != "", "ip authentication key-chain eigrp", as, e.KeyChain)
	for _, s := range e.Summaries {
		printSummary(p, "ip summary-address eigrp "+as, s)
	}
}

func printSummary(p *printer, head string, s EIGRPSummary) {
	distance := ""
	if s.Distance != 0 {
		distance = fmt.Sprint(s.Distance)
	}
	p.line(head, s.Prefix, distance, opt(p, "leak-map", s.LeakMap))
}

// printEIGRP prints a process in its form, classic or named.
func printEIGRP(p *printer, e *EIGRP) {
	if e.Name != "" {
		p.in("router eigrp "+e.Name, func() {
			p.when(e.Shutdown, "shutdown")
			for _, f := range e.Families {
				p.bang()
				printNamedFamily(p, f)
			}
		})
		p.bang()
		return
	}
	p.in(fmt.Sprintf("router eigrp %d", e.AS), func() {
		for _, f := range e.Families {
			if f.VRF == "" {
				printEIGRPFamily(p, f)
				printEIGRPTopology(p, f)
				printPassive(p, f)
				continue
			}
			p.bang()
			p.in("address-family ipv4 vrf "+f.VRF, func() {
				printEIGRPFamily(p, f)
				printEIGRPTopology(p, f)
				printPassive(p, f)
				set(p, "autonomous-system", f.AS)
			})
			p.line("exit-address-family")
		}
	})
	p.bang()
}

func printNamedFamily(p *printer, f *EIGRPFamily) {
	p.in("address-family ipv4 unicast"+word(f.VRF != "", " vrf "+f.VRF)+fmt.Sprintf(" autonomous-system %d", f.AS), func() {
		p.when(f.Shutdown, "shutdown")
		for _, i := range f.Interfaces {
			p.in("af-interface "+i.Name, func() { printNamedInterface(p, &i.EIGRPInterface) })
			p.line("exit-af-interface")
		}
		p.in("topology base", func() { printEIGRPTopology(p, f) })
		p.line("exit-af-topology")
		printEIGRPFamily(p, f)
	})
	p.line("exit-address-family")
}

func printNamedInterface(p *printer, e *EIGRPInterface) {
	set(p, "hello-interval", e.Hello)
	set(p, "hold-time", e.Hold)
	p.toggle("next-hop-self", e.NextHopSelf)
	p.toggle("split-horizon", e.SplitHorizon)
	set(p, "bandwidth-percent", e.BandwidthPercent)
	p.toggle("passive-interface", e.Passive)
	switch e.AuthMode {
	case "md5":
		p.line("authentication mode md5")
	case "hmac-sha-256":
		p.line("authentication mode hmac-sha-256", plain(e.AuthPassword), e.AuthPassword)
	}
	set(p, "authentication key-chain", e.KeyChain)
	for _, s := range e.Summaries {
		printSummary(p, "summary-address", s)
	}
	p.toggle("shutdown", e.Shutdown)
}

func printPassive(p *printer, f *EIGRPFamily) {
	p.when(f.PassiveDefault, "passive-interface default")
	for _, i := range f.Passive {
		p.line("passive-interface", i)
	}
	for _, i := range f.NotPassive {
		p.line("no passive-interface", i)
	}
}

func printEIGRPFamily(p *printer, f *EIGRPFamily) {
	for _, n := range f.Networks {
		w := wildcard(n.Prefix.Bits())
		if n.Classful {
			w = ""
		}
		p.line("network", n.Prefix.Addr(), w)
	}
	for _, n := range f.Neighbors {
		p.line("neighbor", n.Addr, n.Interface)
	}
	set(p, "eigrp router-id", f.RouterID)
	if s := f.Stub; s.Enabled {
		p.line("eigrp stub", word(s.Connected, "connected"), word(s.Static, "static"), word(s.Summary, "summary"),
			word(s.Redistributed, "redistributed"), word(s.ReceiveOnly, "receive-only"), opt(p, "leak-map", s.LeakMap))
	}
	p.toggle("eigrp log-neighbor-changes", f.LogChanges)
	p.toggle("eigrp log-neighbor-warnings", f.LogWarnings)
	if len(f.Weights) > 0 {
		p.line("metric weights", joinInts(f.Weights))
	}
}

func printEIGRPTopology(p *printer, f *EIGRPFamily) {
	p.toggle("auto-summary", f.AutoSummary)
	set(p, "metric maximum-hops", f.MaximumHops)
	set(p, "variance", f.Variance)
	set(p, "maximum-paths", f.MaximumPaths)
	printRedistribute(p, f.Redistribute)
	if len(f.DefaultMetric) > 0 {
		p.line("default-metric", joinInts(f.DefaultMetric))
	}
	for _, d := range f.Distribute {
		p.line("distribute-list", opt(p, "prefix", d.PrefixList), opt(p, "route-map", d.RouteMap), d.AccessList,
			word(d.Out, "out"), word(!d.Out, "in"), d.Interface, d.Protocol, opt(p, "", d.ID))
	}
	p.when(f.DistanceInternal != 0, "distance eigrp", f.DistanceInternal, f.DistanceExternal)
	p.when(f.ActiveTime != 0, "timers active-time", int(f.ActiveTime/time.Minute))
	p.when(f.ActiveDisabled, "timers active-time disabled")
}

func printRedistribute(p *printer, list []Redistribute) {
	for _, r := range list {
		metric := ""
		if r.HasMetric {
			metric = "metric " + joinInts(r.Metric)
		}
		p.line("redistribute", r.Protocol, word(r.ID != 0, fmt.Sprint(r.ID)), opt(p, "route-map", r.RouteMap), metric)
	}
}

func joinInts[T int | uint32](list []T) string {
	out := ""
	for i, n := range list {
		out += word(i > 0, " ") + fmt.Sprint(n)
	}
	return out
}

// hostText prints an address, with its mask where it is a range; the range of all addresses is 0.0.0.0 alone.
func hostText(q netip.Prefix) string {
	switch q.Bits() {
	case 0, 32:
		return q.Addr().String()
	}
	return q.Addr().String() + " " + mask(q.Bits())
}
