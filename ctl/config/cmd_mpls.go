package config

// mplsCommands are the global `mpls ...` commands.
func mplsCommands() []*spec {
	m := func(x *ctx) *MPLS { return &x.cfg.MPLS }
	return []*spec{
		cmd("mpls ip", "Forward labelled packets", func(x *ctx) { m(x).Off = x.off() }).def("on"),
		cmd("mpls ip propagate-ttl", "Copy the TTL into labels", func(x *ctx) { m(x).NoPropagateTTL = x.off() }).def("on"),
		cmd("mpls label protocol ~ {ldp|tdp}", "Label distribution protocol", func(x *ctx) {
			if x.has("tdp") {
				x.report(Error, "refused", "TDP is not supported", "use `mpls label protocol ldp`")
				return
			}
			m(x).LabelProtocol = x.choice("ldp")
		}).def("ldp"),
		cmd("mpls label range ~ <min:16-1048575> <max:16-1048575>", "Labels to allocate from", func(x *ctx) {
			lo, hi := x.num("min"), x.num("max")
			if lo >= hi && x.on() {
				x.bad("write the smaller number first", "%d to %d is no range", lo, hi)
				return
			}
			m(x).RangeMin, m(x).RangeMax = lo, hi
		}).def("16 1048575"),
		cmd("mpls label mode {vrf <vrf>|all-vrfs} protocol {bgp-vpnv4|all-afs} ~ {per-prefix|per-vrf}", "A label for each prefix, or for each VRF", func(x *ctx) {
			l := LabelMode{x.Text("vrf"), x.OneOf("per-prefix", "per-vrf")}
			update(x, &m(x).LabelModes, l, func(o LabelMode) bool { return o.VRF == l.VRF })
		}).def("per-prefix"),
		cmd("mpls ldp router-id ~ <interface:interface> [force]", "Interface whose address identifies us", func(x *ctx) {
			m(x).LDPRouterID, m(x).LDPForce = x.str("interface"), x.has("force")
		}).def("the highest loopback"),
		cmd("mpls ldp holdtime ~ <seconds:15-65535>", "Hold time of a session", func(x *ctx) { m(x).LDPHoldTime = x.dur("seconds") }).def("180"),
		cmd("mpls ldp discovery hello holdtime ~ <seconds:1-65535>", "Hold time of a hello", func(x *ctx) { m(x).HelloHold = x.dur("seconds") }).def("15"),
		cmd("mpls ldp discovery hello interval ~ <seconds:1-65535>", "Time between hellos", func(x *ctx) { m(x).HelloInterval = x.dur("seconds") }).def("5"),
		cmd("mpls ldp neighbor [vrf <vrf>] <neighbor:ip> password ~ [{0|7}] <key:secret>", "TCP MD5 key of a session", func(x *ctx) {
			if x.encrypted() {
				return
			}
			p := LDPPassword{x.IP("neighbor"), x.Text("vrf"), x.secret("key")}
			update(x, &m(x).LDPPasswords, p, func(o LDPPassword) bool { return o.Neighbor == p.Neighbor && o.VRF == p.VRF })
		}),
		cmd("mpls ldp graceful-restart", "Keep labels while a neighbour restarts", func(x *ctx) { m(x).GracefulRestart = x.on() }).def("off"),
	}
}
