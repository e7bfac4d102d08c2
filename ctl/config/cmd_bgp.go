package config

import (
	"net/netip"
	"strings"

	"nave/ctl/config/grammar"
)

// routerCommands enter the routing protocols.
func routerCommands() []*spec {
	return []*spec{
		cmd("router bgp <as:asn>", "BGP", enterBGP),
		cmd("router eigrp {<as:1-65535>|<name:name>}", "EIGRP", enterEIGRP),
		cmd("key chain <name>", "Keys of routing protocols", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.KeyChains, func(k *KeyChain) bool { return k.Name == name })
				return
			}
			k := named(&x.cfg.KeyChains, name, func(k *KeyChain) string { return k.Name }, func() *KeyChain { return &KeyChain{Name: name, Pos: x.pos} })
			x.push(mKeyChain, k, nil)
		}),
		not("router {ospf|rip|isis|odr} [<text:line>]", "Routing protocols that nave leaves to others", "nave has BGP and EIGRP of its own",
			"run FRR beside nave, over the interfaces of the same names, and take its routes with `ip route import kernel`").enters(swallow),
	}
}

func enterBGP(x *ctx) {
	as, _ := grammar.ASN(x.Text("as"))
	b := x.cfg.BGP
	switch {
	case !x.on():
		if b != nil && b.AS == as {
			x.cfg.BGP = nil
		}
		return
	case b == nil:
		b = &BGP{AS: as, Pos: x.pos}
		x.cfg.BGP = b
	case b.AS != as:
		x.report(Error, "bgp-as", "BGP already runs in another AS", "there is one BGP process; remove it first with `no router bgp`")
		return
	}
	x.push(mBGP, b, &b.Lines)
}

// bgpPart is what commands under `address-family` of BGP change.
type bgpPart struct {
	bgp    *BGP
	family *BGPFamily
}

func (x *ctx) bgp() *BGP {
	if b, ok := x.top().obj.(*BGP); ok {
		return b
	}
	return x.top().obj.(bgpPart).bgp
}

// family returns the address family that the command is about; at the top that is IPv4 unicast.
func (x *ctx) family() *BGPFamily {
	if part, ok := x.top().obj.(bgpPart); ok {
		return part.family
	}
	return x.bgp().family("ipv4", "", x.pos)
}

func (b *BGP) family(family, vrf string, pos Pos) *BGPFamily {
	if f := b.Family(family, vrf); f != nil {
		return f
	}
	f := &BGPFamily{Family: family, VRF: vrf, Pos: pos}
	b.Families = append(b.Families, f)
	return f
}

// Family returns an address family, nil if nothing is said about it.
func (b *BGP) Family(family, vrf string) *BGPFamily {
	for _, f := range b.Families {
		if f.Family == family && f.VRF == vrf {
			return f
		}
	}
	return nil
}

// bgpCommands are those of the whole process.
func bgpCommands() []*spec {
	return []*spec{
		cmd("bgp router-id ~ <address:ip>", "Our identifier", func(x *ctx) { x.bgp().RouterID = x.addr("address") }).def("the highest loopback address"),
		cmd("bgp cluster-id ~ <address:ip>", "Identifier of the route reflector's cluster", func(x *ctx) { x.bgp().ClusterID = x.addr("address") }).def("the router ID"),
		cmd("bgp log-neighbor-changes", "Log sessions going up and down", func(x *ctx) { x.bgp().LogChanges = x.toggle() }).def("on"),
		cmd("bgp default ipv4-unicast", "Activate neighbours for IPv4 unicast", func(x *ctx) { x.bgp().DefaultIPv4 = x.toggle() }).def("on"),
		cmd("bgp default local-preference ~ <preference:0-4294967295>", "Local preference of our routes", func(x *ctx) {
			x.bgp().LocalPreference = uint32(x.num("preference"))
		}).def("100"),
		cmd("bgp always-compare-med", "Compare MEDs of different neighbour ASes", func(x *ctx) { x.bgp().AlwaysCompareMED = x.on() }).def("off"),
		cmd("bgp redistribute-internal", "Redistribute routes of iBGP into EIGRP, too", func(x *ctx) { x.bgp().Internal = x.on() }).def("off"),
		cmd("bgp graceful-restart", "Keep forwarding while a neighbour restarts", func(x *ctx) { x.bgp().GracefulRestart = x.on() }).def("off"),
		cmd("bgp graceful-restart restart-time ~ <seconds:1-3600>", "Time we ask others to wait", func(x *ctx) {
			x.bgp().RestartTime = x.dur("seconds")
		}).def("120"),
		cmd("bgp graceful-restart stalepath-time ~ <seconds:1-3600>", "Time stale routes are kept", func(x *ctx) {
			x.bgp().StalePathTime = x.dur("seconds")
		}).def("360"),
		cmd("timers bgp ~ <keepalive:0-65535> <hold:0-65535>", "Keepalive and hold time of all neighbours", func(x *ctx) {
			x.bgp().Timers = x.bgpTimers()
		}).def("60 180"),
		cmd("address-family {ipv4|vpnv4|vpnv6} [unicast]", "Parameters for one kind of route", func(x *ctx) {
			enterBGPFamily(x, x.OneOf("ipv4", "vpnv4", "vpnv6"), "", mBGPFamily)
		}),
		cmd("address-family ipv4 [unicast] vrf <vrf>", "Routes and neighbours of a VRF", func(x *ctx) {
			enterBGPFamily(x, "ipv4", x.Text("vrf"), mBGPVRF)
		}),
		not("address-family ipv6 [<text:line>]", "IPv6 routes", "nave forwards IPv4 only", "leave the address family out").enters(swallow),
		nop("bgp bestpath ~ <text:line>", "Choice of the best path"),
		nop("bgp dampening ~ [<text:line>]", "Route dampening"),
	}
}

func enterBGPFamily(x *ctx, family, vrf string, m modeID) {
	b := x.bgp()
	if !x.on() {
		remove(&b.Families, func(f *BGPFamily) bool { return f.Family == family && f.VRF == vrf })
		return
	}
	f := b.family(family, vrf, x.pos)
	x.push(m, bgpPart{b, f}, &f.Lines)
}

func (x *ctx) bgpTimers() BGPTimers {
	if !x.on() {
		return BGPTimers{}
	}
	hold := x.num("hold")
	if hold == 1 || hold == 2 {
		x.bad("take 0 or at least 3", "a hold time of %d s is not allowed", hold)
		return BGPTimers{}
	}
	return BGPTimers{Keepalive: x.dur("keepalive"), Hold: x.dur("hold"), Set: true}
}

// sessions returns the list of neighbours that the command is about: those of the VRF, or of the process.
func (x *ctx) sessions() *[]*BGPNeighbor {
	if part, ok := x.top().obj.(bgpPart); ok && part.family.VRF != "" {
		return &part.family.Neighbors
	}
	return &x.bgp().Neighbors
}

// peer is the address or the group name after `neighbor`, in canonical form.
func (x *ctx) peer() string {
	if a := x.IP("neighbor"); a.IsValid() {
		return a.String()
	}
	return x.Text("neighborgroup")
}

const neighborSyntax = "neighbor {<neighbor:ip>|<neighborgroup:name>} "

func findPeer(list []*BGPNeighbor, id string) *BGPNeighbor {
	for _, n := range list {
		if n.ID() == id {
			return n
		}
	}
	return nil
}

// makePeer returns the neighbour of the command, adding it where it is new.
func (x *ctx) makePeer() *BGPNeighbor {
	list := x.sessions()
	n := findPeer(*list, x.peer())
	if n == nil {
		n = &BGPNeighbor{Addr: x.IP("neighbor"), Group: x.Text("neighborgroup"), Pos: x.pos}
		*list = append(*list, n)
	}
	return n
}

// dropPeer removes the neighbour and what the families say about it.
func (x *ctx) dropPeer() {
	id := x.peer()
	remove(x.sessions(), func(n *BGPNeighbor) bool { return n.ID() == id })
	families := x.bgp().Families
	if part, ok := x.top().obj.(bgpPart); ok && part.family.VRF != "" {
		families = []*BGPFamily{part.family}
	}
	for _, f := range families {
		if f.VRF == x.family().VRF {
			remove(&f.Policies, func(p *BGPPolicy) bool { return p.Neighbor == id })
		}
	}
}

// bgpSessionCommands are those about a neighbour's session.
func bgpSessionCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, n *BGPNeighbor)) *spec {
		return cmd(neighborSyntax+syntax, help, func(x *ctx) {
			n := findPeer(*x.sessions(), x.peer())
			if n == nil {
				if x.on() {
					x.report(Error, "neighbor-undefined", "neighbor "+x.peer()+" is not defined", "begin with `neighbor "+x.peer()+" remote-as NUMBER`")
				}
				return
			}
			do(x, n)
		})
	}
	return []*spec{
		cmd("neighbor {<neighbor:ip>|<neighborgroup:name>} ~ remote-as <remoteas:asn>", "AS of the neighbour", func(x *ctx) {
			if !x.on() {
				x.dropPeer()
				return
			}
			as, _ := grammar.ASN(x.Text("remoteas"))
			x.makePeer().RemoteAS = as
		}),
		cmd("neighbor <neighborgroup:name> peer-group", "A group of neighbours", func(x *ctx) {
			if !x.on() {
				x.dropPeer()
				return
			}
			x.makePeer()
		}),
		cmd("neighbor <neighbor:ip> peer-group <group:name>", "Group that the neighbour belongs to", func(x *ctx) {
			if x.on() {
				x.makePeer().PeerGroup = x.Text("group")
			} else if n := findPeer(*x.sessions(), x.peer()); n != nil {
				if n.PeerGroup = ""; n.RemoteAS == 0 {
					x.dropPeer()
				}
			}
		}),
		on("description ~ <text:line>", "Free text", func(x *ctx, n *BGPNeighbor) { n.Description = x.str("text") }),
		on("update-source ~ <interface:interface>", "Interface whose address the session starts from", func(x *ctx, n *BGPNeighbor) {
			n.UpdateSource = x.str("interface")
		}),
		on("password ~ [{0|7}] <key:secret>", "TCP MD5 key (RFC 2385)", func(x *ctx, n *BGPNeighbor) {
			if !x.encrypted() {
				n.Password = x.secret("key")
			}
		}),
		on("timers ~ <keepalive:0-65535> <hold:0-65535>", "Keepalive and hold time", func(x *ctx, n *BGPNeighbor) { n.Timers = x.bgpTimers() }),
		on("ebgp-multihop ~ [<hops:1-255>]", "Let the neighbour be further than one hop", func(x *ctx, n *BGPNeighbor) {
			if n.MultiHop = x.num("hops"); x.on() && n.MultiHop == 0 {
				n.MultiHop = 255
			}
		}).def("off; 255 where no number is given"),
		on("shutdown", "Keep the session down", func(x *ctx, n *BGPNeighbor) { n.Shutdown = x.on() }).def("off"),
		on("local-as ~ <localas:asn>", "AS to show to the neighbour", func(x *ctx, n *BGPNeighbor) {
			n.LocalAS = 0
			if x.on() {
				n.LocalAS, _ = grammar.ASN(x.Text("localas"))
			}
		}),
		on("fall-over bfd", "Watch the neighbour by BFD", func(x *ctx, n *BGPNeighbor) { n.BFD = x.on() }).def("off"),
	}
}

// policy returns what the family says about the neighbour of the command.
func (x *ctx) policy() *BGPPolicy {
	f, id := x.family(), x.peer()
	return named(&f.Policies, id, func(p *BGPPolicy) string { return p.Neighbor }, func() *BGPPolicy { return &BGPPolicy{Neighbor: id, Pos: x.pos} })
}

// bgpFamilyCommands are those of an address family; at the top they are about IPv4 unicast.
func bgpFamilyCommands() []*spec {
	return join(bgpPolicyCommands(), []*spec{
		cmd("network <prefix:ip> [mask <mask:mask>] ~ [route-map <routemap>]", "Originate a route", setBGPNetwork),
		cmd("aggregate-address <prefix:ip> <mask:mask> ~ [{summary-only|as-set}...]", "Originate one route for all within it", func(x *ctx) {
			if p, ok := x.network("prefix", "mask"); ok {
				update(x, &x.family().Aggregates, BGPAggregate{p, x.Has("summary-only"), x.Has("as-set")},
					func(a BGPAggregate) bool { return a.Prefix == p })
			}
		}),
		cmd("redistribute {connected|static|kernel|rip} ~ [{route-map <routemap>|metric <metric:0-4294967295>}...]", "Originate routes of another source",
			func(x *ctx) { x.redistribute(&x.family().Redistribute) }),
		cmd("redistribute {eigrp|ospf} <id:1-65535> ~ [{route-map <routemap>|metric <metric:0-4294967295>}...]", "Originate routes of another protocol",
			func(x *ctx) { x.redistribute(&x.family().Redistribute) }),
		cmd("synchronization", "Wait for the IGP before advertising; obsolete", func(x *ctx) { x.family().Synchronization = x.toggle() }).def("off"),
		cmd("auto-summary", "Summarise at class boundaries", func(x *ctx) { x.family().AutoSummary = x.toggle() }).def("off"),
		cmd("default-information originate", "Allow the default route", func(x *ctx) { x.family().DefaultOriginate = x.on() }).def("off"),
		cmd("maximum-paths ~ <paths:1-32>", "Equal paths in use", func(x *ctx) { x.family().MaximumPaths = x.num("paths") }).def("1"),
		cmd("maximum-paths ibgp ~ <paths:1-32>", "Equal paths of internal neighbours in use", func(x *ctx) {
			x.family().MaximumPathsIBGP = x.num("paths")
		}).def("1"),
		cmd("distance bgp ~ <external:1-255> <internal:1-255> <local:1-255>", "Administrative distances", func(x *ctx) {
			f := x.family()
			f.DistanceExternal, f.DistanceInternal, f.DistanceLocal = uint8(x.num("external")), uint8(x.num("internal")), uint8(x.num("local"))
		}).def("20 200 200"),
	})
}

// bgpPolicyCommands say what happens to the routes of a neighbour.
func bgpPolicyCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *BGPPolicy)) *spec {
		return cmd(neighborSyntax+syntax, help, func(x *ctx) { do(x, x.policy()) })
	}
	inOut := func(syntax, help string, in, out func(p *BGPPolicy) *string) *spec {
		return on(syntax+" {in|out}", help, func(x *ctx, p *BGPPolicy) {
			to := in
			if x.Has("out") {
				to = out
			}
			*to(p) = x.str("list")
		})
	}
	return []*spec{
		on("activate", "Exchange routes of this family", func(x *ctx, p *BGPPolicy) { p.Activate = x.toggle() }).def("on for IPv4 unicast, off for the others"),
		on("send-community ~ [{standard|extended|both}]", "Send communities", func(x *ctx, p *BGPPolicy) {
			if x.OneOf("extended") == "" {
				p.SendStandard = x.on()
			}
			if x.OneOf("extended", "both") != "" {
				p.SendExtended = x.on()
			}
			if !x.on() && x.OneOf("standard", "extended", "both") == "" {
				p.SendStandard, p.SendExtended = false, false
			}
		}).def("none"),
		on("route-reflector-client", "Reflect routes to this neighbour", func(x *ctx, p *BGPPolicy) { p.ReflectorClient = x.on() }).def("off"),
		on("next-hop-self ~ [all]", "Advertise routes with us as next hop", func(x *ctx, p *BGPPolicy) {
			p.NextHopSelf, p.NextHopSelfAll = x.on(), x.has("all")
		}).def("off"),
		on("next-hop-unchanged", "Keep the next hop towards an external neighbour", func(x *ctx, p *BGPPolicy) { p.NextHopUnchanged = x.on() }).def("off"),
		inOut("route-map <list>", "Change or drop routes", func(p *BGPPolicy) *string { return &p.RouteMapIn }, func(p *BGPPolicy) *string { return &p.RouteMapOut }),
		inOut("prefix-list <list>", "Filter routes", func(p *BGPPolicy) *string { return &p.PrefixListIn }, func(p *BGPPolicy) *string { return &p.PrefixListOut }),
		inOut("distribute-list <list>", "Filter routes", func(p *BGPPolicy) *string { return &p.DistributeIn }, func(p *BGPPolicy) *string { return &p.DistributeOut }),
		on("soft-reconfiguration inbound", "Keep received routes to apply changes", func(x *ctx, p *BGPPolicy) { p.SoftReconfiguration = x.on() }).def("off"),
		on("default-originate ~ [route-map <routemap>]", "Advertise a default route", func(x *ctx, p *BGPPolicy) {
			p.DefaultOriginate, p.DefaultOriginateMap = x.on(), x.str("routemap")
		}).def("off"),
		on("maximum-prefix ~ <prefixes:1-2147483647> [warning-only]", "Most routes to take", func(x *ctx, p *BGPPolicy) {
			p.MaximumPrefix, p.MaximumPrefixWarningOnly = x.num("prefixes"), x.has("warning-only")
		}).def("no limit"),
		on("allowas-in ~ [<times:1-10>]", "Take routes with our AS in the path", func(x *ctx, p *BGPPolicy) {
			if p.AllowASIn = x.num("times"); x.on() && p.AllowASIn == 0 {
				p.AllowASIn = 3
			}
		}).def("off; 3 where no number is given"),
		on("as-override", "Put our AS in the place of the neighbour's", func(x *ctx, p *BGPPolicy) { p.AsOverride = x.on() }).def("off"),
		on("soo ~ <soo:rd>", "Site of origin", func(x *ctx, p *BGPPolicy) {
			p.SiteOfOrigin = RD{}
			if x.on() {
				p.SiteOfOrigin = x.rd("soo")
			}
		}),
		on("remove-private-as", "Take private AS numbers out of the path", func(x *ctx, p *BGPPolicy) { p.RemovePrivateAS = x.on() }).def("off"),
		on("weight ~ <weight:0-65535>", "Preference of the neighbour's routes, local to this router", func(x *ctx, p *BGPPolicy) { p.Weight = x.num("weight") }).def("0"),
	}
}

func setBGPNetwork(x *ctx) {
	var p netip.Prefix
	if x.Given("mask") {
		var ok bool
		if p, ok = x.network("prefix", "mask"); !ok {
			return
		}
	} else if p = classful(x.IP("prefix")); p.Addr() != p.Masked().Addr() {
		x.bad("add `mask MASK`", "%s is no network of its class", p.Addr())
		return
	}
	update(x, &x.family().Networks, BGPNetwork{p, x.Text("routemap")}, func(n BGPNetwork) bool { return n.Prefix == p })
}

// classful returns the address with the mask of its class.
func classful(a netip.Addr) netip.Prefix {
	bits := 24
	switch b := a.As4()[0]; {
	case a.IsUnspecified():
		bits = 0
	case b < 128:
		bits = 8
	case b < 192:
		bits = 16
	}
	return netip.PrefixFrom(a, bits)
}

// redistribute adds or removes one source of routes.
func (x *ctx) redistribute(list *[]Redistribute) {
	r := Redistribute{Protocol: x.OneOf("connected", "static", "kernel", "rip", "eigrp", "ospf", "bgp"), ID: uint32(x.Uint("id")),
		RouteMap: x.Text("routemap"), HasMetric: x.Has("metric")}
	if as, ok := grammar.ASN(x.Text("asn")); ok {
		r.ID = as
	}
	for _, name := range strings.Fields("metric kbps delay reliability load bytes") {
		if x.Given(name) {
			r.Metric = append(r.Metric, uint32(x.Uint(name)))
		}
	}
	update(x, list, r, func(o Redistribute) bool { return o.Protocol == r.Protocol && o.ID == r.ID })
}
