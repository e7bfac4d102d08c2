package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/ctl/config/grammar"
)

func (x *ctx) ifc() *Interface { return x.top().obj.(*Interface) }

// interfaceCommands are those of every interface.
func interfaceCommands() []*spec {
	return []*spec{
		cmd("description ~ <text:line>", "Free text", func(x *ctx) { x.ifc().Description = x.str("text") }),
		cmd("ip address ~ <address:ip> <mask:mask> [secondary]", "Address of the interface", setAddress),
		cmd("ip address dhcp ~ [{hostname <hostname>|client-id <clientid:interface>}...]", "Take the address from a DHCP server", setDHCP),
		cmd("ip unnumbered ~ <interface:interface>", "Borrow the address of another interface", func(x *ctx) {
			i := x.ifc()
			if i.Unnumbered = x.str("interface"); x.on() {
				i.clearAddresses()
				i.Unnumbered = x.str("interface")
			}
		}),
		cmd("ip vrf forwarding ~ <vrf>", "Put the interface, and a tunnel's data packets, into a VRF", func(x *ctx) {
			x.moveVRF(x.ifc(), x.str("vrf"))
		}),
		cmd("vrf forwarding ~ <vrf>", "Put the interface, and a tunnel's data packets, into a VRF", func(x *ctx) {
			x.moveVRF(x.ifc(), x.str("vrf"))
		}),
		cmd("mtu ~ <bytes:64-9216>", "Largest packet of the link, in bytes", func(x *ctx) { x.ifc().MTU = x.num("bytes") }).def("the link's own"),
		cmd("ip mtu ~ <bytes:68-9216>", "Largest IP packet sent, in bytes; longer ones are fragmented", func(x *ctx) {
			x.ifc().IPMTU = x.num("bytes")
		}).def("the port's MTU less the tunnel's overhead"),
		cmd("ip tcp adjust-mss ~ <bytes:500-1460>", "Lower the MSS of TCP connections passing through", func(x *ctx) {
			x.ifc().AdjustMSS = x.num("bytes")
		}).def("off"),
		cmd("bandwidth ~ <kbps:1-100000000>", "Bandwidth told to routing protocols, kbit/s; moves no packet faster", func(x *ctx) {
			x.ifc().Bandwidth = x.num("kbps")
		}).def("9 on a tunnel, 10000 on an Ethernet, and so on by the kind of interface"),
		cmd("delay ~ <tens:1-16777215>", "Delay told to routing protocols, tens of microseconds", func(x *ctx) {
			x.ifc().Delay = x.num("tens")
		}).def("50000 on a tunnel, 100 on an Ethernet, and so on by the kind of interface"),
		cmd("shutdown", "Take the interface down", func(x *ctx) { x.ifc().Shutdown = x.on() }).def("off"),
		cmd("encapsulation dot1Q ~ <vlan:1-4094> [native]", "VLAN of a subinterface", func(x *ctx) {
			if x.on() && !strings.Contains(x.ifc().Name, ".") {
				x.report(Error, "not-subinterface", "`encapsulation dot1Q` belongs on a subinterface",
					"write it under `interface "+x.ifc().Name+".1`")
				return
			}
			x.ifc().VLAN, x.ifc().VLANNative = x.num("vlan"), x.has("native")
		}),
		cmd("ip redirects", "Send ICMP redirects", func(x *ctx) { x.ifc().NoRedirects = x.off() }).def("on"),
		cmd("ip unreachables", "Send ICMP unreachable messages", func(x *ctx) { x.ifc().NoUnreachables = x.off() }).def("on"),
		cmd("mpls ip", "Switch labelled packets on the interface, and run LDP", func(x *ctx) { x.ifc().MPLS.IP = x.on() }).def("off"),
		cmd("mpls mtu ~ <bytes:64-9216>", "Largest labelled packet, in bytes", func(x *ctx) { x.ifc().MPLS.MTU = x.num("bytes") }),
		cmd("mpls label protocol ~ {ldp|tdp}", "Label distribution protocol", func(x *ctx) {
			if x.has("tdp") {
				x.report(Error, "refused", "TDP is not supported", "use `mpls label protocol ldp`")
				return
			}
			x.ifc().MPLS.LabelProtocol = ""
			if x.on() {
				x.ifc().MPLS.LabelProtocol = "ldp"
			}
		}).def("ldp"),
		cmd("mpls bgp forwarding", "Take labelled packets of BGP neighbours without LDP", func(x *ctx) {
			x.ifc().MPLS.BGPForwarding = x.on()
		}).def("off"),
		not("ip nat <text:line>", "Address translation", "nave does not translate addresses",
			"translate on another box; DMVPN peers behind it work by NAT traversal"),
		not("service-policy <text:line>", "Quality of service", "nave has no quality of service",
			"shape before or behind this router"),
		not("qos pre-classify", "Classify before encryption", "nave has no quality of service; the outer header copies the inner TOS",
			"remove the line"),
		not("crypto map <text:line>", "Crypto map", "what is encrypted is chosen by tunnel, not by access list",
			"use `tunnel protection ipsec profile NAME` on a tunnel"),
		not("ip access-group <text:line>", "Packet filter", "nave does not filter packets by access list", "filter on another box"),
		not("ip policy route-map <name>", "Policy routing", "nave routes by destination only", "use VRFs"),
		not("ip verify <text:line>", "Source address check", "nave does not check sources", "filter on another box"),
		not("ip pim <text:line>", "Multicast routing", "nave has no multicast routing",
			"tunnels replicate multicast by `ip nhrp map multicast`"),
		not("ip igmp <text:line>", "Multicast groups", "nave has no multicast routing", "remove the line"),
		not("ip ospf <text:line>", "OSPF", "nave has no OSPF of its own", "run FRR's ospfd over the interface of the same name"),
		not("ipv6 <text:line>", "IPv6", "nave forwards IPv4 only", "remove the line"),
	}
}

func (i *Interface) clearAddresses() {
	i.Address, i.Secondary, i.DHCP, i.DHCPHost, i.Unnumbered = netip.Prefix{}, nil, false, "", ""
}

func (i *Interface) hasAddress() bool {
	return i.Address.IsValid() || len(i.Secondary) > 0 || i.DHCP || i.Unnumbered != ""
}

// IsTunnel tells whether the interface is a tunnel.
func (i *Interface) IsTunnel() bool { return strings.HasPrefix(i.Name, "Tunnel") }

// IsLoopback tells whether the interface is a loopback.
func (i *Interface) IsLoopback() bool { return strings.HasPrefix(i.Name, "Loopback") }

// IsPort tells whether the interface is a port or a subinterface of one.
func (i *Interface) IsPort() bool {
	return !i.IsTunnel() && !i.IsLoopback() && !strings.HasPrefix(i.Name, "Null")
}

// Parent returns the port of a subinterface, empty for any other interface.
func (i *Interface) Parent() string {
	port, _, sub := strings.Cut(i.Name, ".")
	if !sub {
		return ""
	}
	return port
}

// moveVRF changes the interface's table; its addresses belonged to the old one and go.
func (x *ctx) moveVRF(i *Interface, vrf string) {
	if i.VRF == vrf {
		return
	}
	i.VRF = vrf
	if i.hasAddress() {
		i.clearAddresses()
		x.report(Warning, "address-removed", fmt.Sprintf("the IP addresses of %s are removed, as its VRF changes", i.Name),
			"configure the address again, after the VRF")
	}
}

func setAddress(x *ctx) {
	i := x.ifc()
	if !x.Given("address") { // no ip address
		i.clearAddresses()
		return
	}
	bits, _ := grammar.MaskBits(x.Text("mask"))
	p := netip.PrefixFrom(x.IP("address"), bits)
	if !x.on() {
		x.removeAddress(i, p)
		return
	}
	if !hostAddress(p) {
		x.bad("give the interface a host's address", "%s with mask %s is not the address of a host", p.Addr(), x.Text("mask"))
		return
	}
	i.Unnumbered = ""
	if x.Has("secondary") {
		if i.Address == p {
			x.report(Error, "address-duplicate", fmt.Sprintf("%s is the primary address of %s already", p.Addr(), i.Name), "remove one")
			return
		}
		if !i.Address.IsValid() && !i.DHCP {
			x.report(Error, "no-primary", "a secondary address needs a primary one", "configure `ip address` without `secondary` first")
			return
		}
		put(&i.Secondary, p, func(o netip.Prefix) bool { return o.Addr() == p.Addr() })
		return
	}
	remove(&i.Secondary, func(o netip.Prefix) bool { return o.Addr() == p.Addr() })
	i.Address, i.DHCP, i.DHCPHost = p, false, ""
}

func (x *ctx) removeAddress(i *Interface, p netip.Prefix) {
	if x.Has("secondary") {
		remove(&i.Secondary, equals(p))
		return
	}
	if i.Address != p {
		return
	}
	if len(i.Secondary) > 0 {
		x.report(Error, "no-primary", "the primary address can't go before the secondary ones", "remove those first")
		return
	}
	i.Address = netip.Prefix{}
}

// hostAddress tells whether p can be given to an interface: no network or broadcast address, but RFC 3021 for /31.
func hostAddress(p netip.Prefix) bool {
	if p.Bits() == 0 || !usable(p.Addr()) {
		return false
	}
	if p.Bits() >= 31 {
		return true
	}
	return p.Addr() != p.Masked().Addr() && p.Addr() != lastAddr(p)
}

// lastAddr returns the highest address of the prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

func setDHCP(x *ctx) {
	i := x.ifc()
	if !x.on() {
		if i.DHCP {
			i.clearAddresses()
		}
		return
	}
	i.Address, i.Unnumbered = netip.Prefix{}, ""
	i.DHCP, i.DHCPHost = true, x.str("hostname")
	if x.Given("clientid") {
		x.report(Info, "no-effect", "`client-id` has no effect: the client identifies itself by its port's MAC address", "")
	}
}

// interfaceEIGRPCommands are those of classic EIGRP that stand on the interface.
func interfaceEIGRPCommands() []*spec {
	per := func(syntax, help string, do func(x *ctx, e *EIGRPInterface)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.ifc().eigrp(uint16(x.Uint("as")))) })
	}
	return []*spec{
		per("ip split-horizon eigrp <as:1-65535>", "Do not advertise routes where they came from", func(x *ctx, e *EIGRPInterface) {
			e.SplitHorizon = x.offOnly()
		}).def("on"),
		per("ip next-hop-self eigrp <as:1-65535>", "Advertise routes with this router as next hop", func(x *ctx, e *EIGRPInterface) {
			e.NextHopSelf = x.offOnly()
		}).def("on"),
		per("ip hello-interval eigrp <as:1-65535> ~ <seconds:1-65535>", "Time between hellos", func(x *ctx, e *EIGRPInterface) {
			e.Hello = x.dur("seconds")
		}).def("5"),
		per("ip hold-time eigrp <as:1-65535> ~ <seconds:1-65535>", "Time without hellos after which a neighbour is lost",
			func(x *ctx, e *EIGRPInterface) { e.Hold = x.dur("seconds") }).def("15"),
		per("ip bandwidth-percent eigrp <as:1-65535> ~ <percent:1-999999>", "Share of the bandwidth that EIGRP may take",
			func(x *ctx, e *EIGRPInterface) { e.BandwidthPercent = x.num("percent") }).def("50"),
		per("ip authentication mode eigrp <as:1-65535> ~ md5", "Authentication of packets", func(x *ctx, e *EIGRPInterface) {
			e.AuthMode = ""
			if x.on() {
				e.AuthMode = "md5"
			}
		}).def("none"),
		per("ip authentication key-chain eigrp <as:1-65535> ~ <keychain>", "Keys of the authentication", func(x *ctx, e *EIGRPInterface) {
			e.KeyChain = x.str("keychain")
		}),
		per("ip summary-address eigrp <as:1-65535> <prefix:ip> <mask:mask> ~ [<distance:1-255>] [leak-map <routemap>]",
			"Advertise one route for all within it", setSummary),
	}
}

func setSummary(x *ctx, e *EIGRPInterface) {
	p, ok := x.network("prefix", "mask")
	if !ok {
		return
	}
	update(x, &e.Summaries, EIGRPSummary{p, uint8(x.num("distance")), x.str("routemap")},
		func(o EIGRPSummary) bool { return o.Prefix == p })
}

// eigrp returns the interface's settings for a process, making them where they are missing.
func (i *Interface) eigrp(as uint16) *EIGRPInterface {
	at, ok := slices.BinarySearchFunc(i.EIGRP, as, func(e *InterfaceEIGRP, as uint16) int { return int(e.AS) - int(as) })
	if !ok {
		i.EIGRP = slices.Insert(i.EIGRP, at, &InterfaceEIGRP{AS: as})
	}
	return &i.EIGRP[at].EIGRPInterface
}
