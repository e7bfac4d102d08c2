package config

import (
	"net/netip"
	"time"

	"nave/ctl/config/grammar"
)

func enterEIGRP(x *ctx) {
	as, name := uint16(x.Uint("as")), x.Text("name")
	same := func(e *EIGRP) bool { return e.AS == as && e.Name == name }
	if !x.on() {
		remove(&x.cfg.EIGRP, same)
		return
	}
	var e *EIGRP
	for _, have := range x.cfg.EIGRP {
		if same(have) {
			e = have
		}
	}
	if e == nil {
		e = &EIGRP{AS: as, Name: name, Pos: x.pos}
		if name == "" {
			e.Families = []*EIGRPFamily{{AS: as, Pos: x.pos}}
		}
		x.cfg.EIGRP = append(x.cfg.EIGRP, e)
	}
	if name == "" {
		x.push(mEIGRP, e, &e.Families[0].Lines)
		return
	}
	x.push(mEIGRPNamed, e, &e.Lines)
}

// efam returns the EIGRP family that the command is about; of a classic process the one of the global table.
func (x *ctx) efam() *EIGRPFamily {
	if f, ok := x.top().obj.(*EIGRPFamily); ok {
		return f
	}
	return x.top().obj.(*EIGRP).Families[0]
}

func (x *ctx) enterEIGRPFamily(m modeID, as uint16) {
	e, vrf := x.top().obj.(*EIGRP), x.Text("vrf")
	same := func(f *EIGRPFamily) bool { return f.VRF == vrf && (e.Name == "" || f.AS == as) }
	if !x.on() {
		remove(&e.Families, same)
		return
	}
	for _, f := range e.Families {
		if same(f) {
			if as != 0 {
				f.AS = as
			}
			x.push(m, f, &f.Lines)
			return
		}
	}
	f := &EIGRPFamily{VRF: vrf, AS: as, Pos: x.pos}
	e.Families = append(e.Families, f)
	x.push(m, f, &f.Lines)
}

func eigrpClassicCommands() []*spec {
	return []*spec{
		cmd("address-family ipv4 [unicast] vrf <vrf> [autonomous-system <as:1-65535>]", "EIGRP in a VRF", func(x *ctx) {
			x.enterEIGRPFamily(mEIGRPVRF, uint16(x.Uint("as")))
		}),
		cmd("passive-interface default", "No hellos but where `no passive-interface` says so", setPassiveDefault).def("off"),
		cmd("passive-interface <interface:interface>", "No hellos on the interface", setPassive),
	}
}

func eigrpVRFCommands() []*spec {
	return []*spec{
		cmd("autonomous-system ~ <as:1-65535>", "AS of the family", func(x *ctx) { x.efam().AS = uint16(x.num("as")) }),
		cmd("passive-interface default", "No hellos but where `no passive-interface` says so", setPassiveDefault).def("off"),
		cmd("passive-interface <interface:interface>", "No hellos on the interface", setPassive),
	}
}

func setPassiveDefault(x *ctx) {
	f := x.efam()
	f.PassiveDefault, f.Passive, f.NotPassive = x.on(), nil, nil
}

func setPassive(x *ctx) {
	f, name := x.efam(), x.Text("interface")
	remove(&f.Passive, equals(name))
	remove(&f.NotPassive, equals(name))
	switch {
	case x.on() && !f.PassiveDefault:
		f.Passive = append(f.Passive, name)
	case x.off() && f.PassiveDefault:
		f.NotPassive = append(f.NotPassive, name)
	}
}

func eigrpNamedCommands() []*spec {
	return []*spec{
		cmd("address-family ipv4 [unicast] [vrf <vrf>] autonomous-system <as:1-65535>", "EIGRP in one table", func(x *ctx) {
			x.enterEIGRPFamily(mEIGRPNamedFamily, uint16(x.Uint("as")))
		}),
		cmd("shutdown", "Stop the process", func(x *ctx) { x.top().obj.(*EIGRP).Shutdown = x.on() }).def("off"),
		not("address-family ipv6 [<text:line>]", "EIGRP for IPv6", "nave forwards IPv4 only", "leave the address family out").enters(swallow),
	}
}

func eigrpNamedFamilyCommands() []*spec {
	return []*spec{
		cmd("topology base", "Routes of the family", func(x *ctx) {
			if x.on() {
				x.push(mEIGRPTopology, x.efam(), &x.efam().Lines)
			}
		}),
		cmd("af-interface {default|<interface:interface>}", "Settings of an interface, or of all", func(x *ctx) {
			f, name := x.efam(), or(x.Text("interface"), "default")
			if !x.on() {
				remove(&f.Interfaces, func(i *EIGRPNamedInterface) bool { return i.Name == name })
				return
			}
			i := named(&f.Interfaces, name, func(i *EIGRPNamedInterface) string { return i.Name },
				func() *EIGRPNamedInterface { return &EIGRPNamedInterface{Name: name, Pos: x.pos} })
			x.push(mEIGRPInterface, i, &i.Lines)
		}),
		cmd("shutdown", "Stop the family", func(x *ctx) { x.efam().Shutdown = x.on() }).def("off"),
	}
}

// eigrpFamilyCommands are those of a table in both forms.
func eigrpFamilyCommands() []*spec {
	return []*spec{
		cmd("network <address:ip> ~ [<wildcard:wildcard>]", "Interfaces that EIGRP runs on, by address", setEIGRPNetwork),
		cmd("neighbor <address:ip> <interface:interface>", "Neighbour by unicast", func(x *ctx) {
			n := EIGRPNeighbor{x.IP("address"), x.Text("interface")}
			update(x, &x.efam().Neighbors, n, equals(n))
		}),
		cmd("eigrp router-id ~ <address:ip>", "Our identifier", func(x *ctx) { x.efam().RouterID = x.addr("address") }).def("the highest loopback address"),
		cmd("eigrp stub ~ [{connected|static|summary|redistributed|receive-only|leak-map <routemap>}...]", "Carry no transit traffic", setStub).def("off; connected and summary"),
		cmd("eigrp log-neighbor-changes", "Log neighbours going up and down", func(x *ctx) { x.efam().LogChanges = x.toggle() }).def("on"),
		cmd("eigrp log-neighbor-warnings ~ [<seconds:1-65535>]", "Log warnings about neighbours", func(x *ctx) { x.efam().LogWarnings = x.toggle() }).def("on"),
		cmd("metric weights ~ <tos:0-8> <k1:0-255> <k2:0-255> <k3:0-255> <k4:0-255> <k5:0-255> [<k6:0-255>]", "Constants of the metric; the same on all routers",
			func(x *ctx) {
				x.efam().Weights = nil
				for _, k := range []string{"tos", "k1", "k2", "k3", "k4", "k5", "k6"} {
					if x.on() && x.Given(k) {
						x.efam().Weights = append(x.efam().Weights, x.num(k))
					}
				}
			}).def("0 1 0 1 0 0"),
	}
}

// eigrpTopologyCommands are those that named mode has under `topology base`.
func eigrpTopologyCommands() []*spec {
	const five = "<kbps:1-4294967295> <delay:0-4294967295> <reliability:0-255> <load:1-255> <bytes:1-65535>"
	return []*spec{
		cmd("auto-summary", "Summarise at class boundaries", func(x *ctx) { x.efam().AutoSummary = x.toggle() }).def("off"),
		cmd("metric maximum-hops ~ <hops:1-255>", "Routes that are farther away are unreachable", func(x *ctx) { x.efam().MaximumHops = x.num("hops") }).def("100"),
		cmd("variance ~ <factor:1-128>", "How much worse a route may be and still carry traffic", func(x *ctx) { x.efam().Variance = x.num("factor") }).def("1"),
		cmd("maximum-paths ~ <paths:1-32>", "Paths in use at a time", func(x *ctx) { x.efam().MaximumPaths = x.num("paths") }).def("4"),
		cmd("redistribute {connected|static|kernel|rip} ~ [{route-map <routemap>|metric "+five+"}...]", "Take in routes of another source",
			func(x *ctx) { x.redistribute(&x.efam().Redistribute) }),
		cmd("redistribute {eigrp|ospf} <id:1-65535> ~ [{route-map <routemap>|metric "+five+"}...]", "Take in routes of another protocol",
			func(x *ctx) { x.redistribute(&x.efam().Redistribute) }),
		cmd("redistribute bgp <asn:asn> ~ [{route-map <routemap>|metric "+five+"}...]", "Take in BGP's routes",
			func(x *ctx) { x.redistribute(&x.efam().Redistribute) }),
		cmd("default-metric ~ "+five, "Metric of routes that are taken in", func(x *ctx) {
			x.efam().DefaultMetric = nil
			for _, k := range []string{"kbps", "delay", "reliability", "load", "bytes"} {
				if x.on() {
					x.efam().DefaultMetric = append(x.efam().DefaultMetric, uint32(x.Uint(k)))
				}
			}
		}),
		cmd("distribute-list {prefix <prefixlist>|route-map <routemap>|<acl>} in [<interface:interface>]", "Filter routes that neighbours tell of", setDistribute),
		cmd("distribute-list {prefix <prefixlist>|route-map <routemap>|<acl>} out [{connected|static|kernel|bgp <asn:asn>|eigrp <id:1-65535>|<interface:interface>}]",
			"Filter routes that neighbours are told of, or that another protocol gives", setDistribute),
		cmd("distance eigrp ~ <internal:1-255> <external:1-255>", "Administrative distances", func(x *ctx) {
			x.efam().DistanceInternal, x.efam().DistanceExternal = uint8(x.num("internal")), uint8(x.num("external"))
		}).def("90 170"),
		cmd("timers active-time ~ {<minutes:1-65535>|disabled}", "Time to wait for replies", func(x *ctx) {
			x.efam().ActiveTime, x.efam().ActiveDisabled = time.Duration(x.num("minutes"))*time.Minute, x.has("disabled")
		}).def("3"),
	}
}

// eigrpOtherCommands are those that nave has no use for, or does not have.
func eigrpOtherCommands() []*spec {
	return []*spec{
		nop("nsf", "Graceful restart; a naved that takes over asks its neighbours in any case"),
		nops("timers nsf <text:line>", "Times of graceful restart"),
		nop("traffic-share balanced", "Shares of unequal paths; they are what the metrics say in any case"),
		nop("eigrp event-logging", "Log of DUAL"),
		nop("eigrp event-log-size ~ <lines:0-500000>", "Size of that log"),
		not("offset-list <text:line>", "Metrics of single routes", "nave does not change metrics of single routes", "use `delay` on the interface"),
		not("bfd <text:line>", "Detection of lost neighbours", "nave has no BFD", "use shorter hello and hold times"),
		not("distance <distance:1-255> [<text:line>]", "Distance of single routes", "there is one pair of distances for each process", "use `distance eigrp`"),
		not("default-information <text:line>", "Default routes from neighbours", "default routes are routes like others", "use a distribute-list"),
		not("traffic-share min across-interfaces", "One path of several", "all paths within the variance carry traffic", "use `maximum-paths`"),
	}
}

// eigrpInterfaceCommands are those of `af-interface`.
func eigrpInterfaceCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, i *EIGRPInterface)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, &x.top().obj.(*EIGRPNamedInterface).EIGRPInterface) })
	}
	return []*spec{
		on("split-horizon", "Do not advertise routes where they came from", func(x *ctx, i *EIGRPInterface) { i.SplitHorizon = x.toggle() }).def("on"),
		on("next-hop-self", "Advertise routes with this router as next hop", func(x *ctx, i *EIGRPInterface) { i.NextHopSelf = x.toggle() }).def("on"),
		on("hello-interval ~ <seconds:1-65535>", "Time between hellos", func(x *ctx, i *EIGRPInterface) { i.Hello = x.dur("seconds") }).def("5"),
		on("hold-time ~ <seconds:1-65535>", "Time without hellos after which a neighbour is lost", func(x *ctx, i *EIGRPInterface) { i.Hold = x.dur("seconds") }).def("15"),
		on("bandwidth-percent ~ <percent:1-999999>", "Share of the bandwidth that EIGRP may take", func(x *ctx, i *EIGRPInterface) { i.BandwidthPercent = x.num("percent") }).def("50"),
		on("passive-interface", "No hellos", func(x *ctx, i *EIGRPInterface) { i.Passive = x.toggle() }).def("off"),
		on("authentication mode ~ {md5|hmac-sha-256 [{0|7}] <key:secret>}", "Authentication of packets", func(x *ctx, i *EIGRPInterface) {
			if !x.encrypted() {
				i.AuthMode, i.AuthPassword = x.choice("md5", "hmac-sha-256"), x.secret("key")
			}
		}).def("none"),
		on("authentication key-chain ~ <keychain>", "Keys of the authentication", func(x *ctx, i *EIGRPInterface) { i.KeyChain = x.str("keychain") }),
		on("summary-address <prefix:ip> <mask:mask> ~ [<distance:1-255>] [leak-map <routemap>]", "Advertise one route for all within it", setSummary),
		on("shutdown", "Stop EIGRP on the interface", func(x *ctx, i *EIGRPInterface) { i.Shutdown = x.toggle() }).def("off"),
		cmd("exit-af-interface", "Leave the interface", func(x *ctx) { x.leave() }),
	}
}

func setDistribute(x *ctx) {
	d := DistributeList{AccessList: x.Text("acl"), PrefixList: x.Text("prefixlist"), RouteMap: x.Text("routemap"),
		Out: x.Has("out"), Interface: x.Text("interface"), Protocol: x.OneOf("connected", "static", "kernel", "bgp", "eigrp"), ID: uint32(x.Uint("id"))}
	if as, ok := grammar.ASN(x.Text("asn")); ok {
		d.ID = as
	}
	update(x, &x.efam().Distribute, d, func(o DistributeList) bool {
		return o.Out == d.Out && o.Interface == d.Interface && o.Protocol == d.Protocol && o.ID == d.ID
	})
}

func setEIGRPNetwork(x *ctx) {
	a := x.IP("address")
	n := EIGRPNetwork{Prefix: classful(a).Masked(), Classful: true}
	if x.Given("wildcard") {
		bits, ok := wildcardBits(x.IP("wildcard"))
		if !ok {
			x.bad("write it as 0.0.0.255", "%s is no contiguous wildcard mask", x.Text("wildcard"))
			return
		}
		n = EIGRPNetwork{Prefix: netip.PrefixFrom(a, bits).Masked()}
	}
	same := func(o EIGRPNetwork) bool { return o.Prefix == n.Prefix }
	update(x, &x.efam().Networks, n, same)
}

// wildcardBits returns the prefix length that a wildcard mask stands for; a network mask in its place is taken as one,
// as IOS does.
func wildcardBits(w netip.Addr) (int, bool) {
	b := w.As4()
	inverse := netip.AddrFrom4([4]byte{^b[0], ^b[1], ^b[2], ^b[3]})
	if bits, ok := grammar.MaskBits(inverse.String()); ok {
		return bits, true
	}
	return grammar.MaskBits(w.String())
}

func setStub(x *ctx) {
	s := EIGRPStub{}
	if x.on() {
		s = EIGRPStub{Enabled: true, Connected: x.Has("connected"), Static: x.Has("static"), Summary: x.Has("summary"),
			Redistributed: x.Has("redistributed"), ReceiveOnly: x.Has("receive-only"), LeakMap: x.Text("routemap")}
		if s.ReceiveOnly && (s.Connected || s.Static || s.Summary || s.Redistributed) {
			x.bad("write one or the other", "receive-only excludes the other keywords")
			return
		}
		if !s.Connected && !s.Static && !s.Summary && !s.Redistributed && !s.ReceiveOnly {
			s.Connected, s.Summary = true, true
		}
	}
	x.efam().Stub = s
}
