package hardware

import "nave/ctl/config"

// Rule is one thing that hardware restricts.
type Rule struct {
	Code  string // of its findings
	Title string // what is restricted
	Keys  string // the values of the profile that it follows from
	// Effects are those that its findings have.
	Effects string
	router  func(*check, *router)
	network func(*check)
	// last tells that no other rule matters to a router of which this one has something to say.
	last func(*router) bool
}

// Rules lists all rules, in the order in which they are tried.
func Rules() []*Rule { return rules }

var rules []*Rule

func init() { // the rules' functions add findings, which name the rule
	rules = []*Rule{
		{Code: "hw-supervisor", Title: "The supervisor engine can't be hub or spoke of a DMVPN",
			Keys: "dmvpn.supported", Effects: refused, router: (*check).supervisor, last: unsupported},
		{Code: "hw-tunnel-key", Title: "Tunnels with `tunnel key` are the route processor's",
			Keys: "gre.key_in_hw, rp.sw_cef_kpps", Effects: software, router: (*check).tunnelKey},
		{Code: "hw-unique-source", Title: "Each tunnel needs a source of its own, multipoint or not",
			Keys: "gre.unique_source, crypto.gre", Effects: software, router: (*check).uniqueSource},
		{Code: "hw-gre-options", Title: "`tunnel checksum` and `tunnel sequence-datagrams`",
			Keys: "gre.options_in_hw", Effects: software, router: (*check).greOptions},
		{Code: "hw-multicast", Title: "Multicast of others is not forwarded by protected tunnels; the router's own hellos pass by the route processor",
			Keys: "mcast.encrypted_gre", Effects: noEffect, router: (*check).multicast},
		{Code: "hw-qos", Title: "QoS does not apply to packets of tunnels", Keys: "qos.dmvpn", Effects: noEffect, router: (*check).qos},
		{Code: "hw-adjust-mss", Title: "`ip tcp adjust-mss` on a multipoint tunnel", Keys: "mgre.adjust_mss", Effects: noEffect, router: (*check).adjustMSS},
		{Code: "hw-pre-classify", Title: "`qos pre-classify` on a multipoint tunnel",
			Keys: "mgre.qos_pre_classify", Effects: noEffect, router: (*check).preClassify},
		{Code: "hw-tunnel-vrf", Title: "`tunnel vrf` on a multipoint tunnel", Keys: "mgre.tunnel_vrf", Effects: refused, router: (*check).tunnelVRF},
		{Code: "hw-path-mtu", Title: "`tunnel path-mtu-discovery` on a multipoint tunnel",
			Keys: "mgre.path_mtu_discovery", Effects: noEffect, router: (*check).pathMTU},
		{Code: "hw-mtu", Title: "An `ip mtu` with which the route processor fragments", Keys: "tunnel.ip_mtu", Effects: software, router: (*check).mtu},
		{Code: "hw-blade-switchover", Title: "No crypto module takes the tunnels of another over",
			Keys: "ha.blade_switchover", Effects: noEffect, router: (*check).bladeSwitchover},
		{Code: "hw-tunnel-recursive", Title: "A PE hub without `mls mpls tunnel-recursive`, whose spokes meet across MPLS",
			Keys: "mpls.tunnel_recursive", Effects: refused, router: (*check).tunnelRecursive},
		{Code: "hw-eigrp-vrf", Title: "EIGRP in a VRF over tunnels", Keys: "eigrp.vrf_aware", Effects: advised, router: (*check).eigrpVRF},
		{Code: "hw-phase3", Title: "`ip nhrp shortcut` and `ip nhrp redirect`", Keys: "phase3", Effects: refused, router: (*check).phase3},
		{Code: "hw-ipv6", Title: "IPv6 on a tunnel", Keys: "ipv6_dmvpn", Effects: refused, router: (*check).ipv6},
		{Code: "hw-mpls", Title: "Labels are not switched in hardware", Keys: "mpls.hw", Effects: software, router: (*check).mpls},
		{Code: "hw-mpls-gre", Title: "Labels in GRE are not, without a service card", Keys: "mpls.over_gre", Effects: software, router: (*check).mplsGRE},
		{Code: "hw-crypto-module", Title: "Protected tunnels without a crypto module", Keys: "crypto.in_hw", Effects: software, router: (*check).cryptoModule},
		{Code: "hw-crypto-cipher", Title: "A cipher that the crypto module does not have",
			Keys: "crypto.ciphers", Effects: refused, router: (*check).cryptoCipher},
		{Code: "hw-crypto-tunnels", Title: "More peers than the crypto module takes", Keys: "crypto.tunnels", Effects: scale, router: (*check).cryptoTunnels},
		{Code: "hw-tunnel-vlans", Title: "More tunnels than there are internal VLANs", Keys: "gre.vlans", Effects: scale, router: (*check).tunnelVLANs},
		{Code: "hw-vrfs", Title: "More VRFs than the chassis takes", Keys: "mpls.vrfs", Effects: scale, router: (*check).vrfs},
		{Code: "hw-aggregate-labels", Title: "More VRFs than there are aggregate labels: those above pass twice",
			Keys: "mpls.aggregate_labels, mpls.recirc_cost", Effects: scale, router: (*check).aggregateLabels},
		{Code: "hw-maximum-routes", Title: "A split by `mls cef maximum-routes` that is larger than the TCAM, or for what the engine does not do",
			Keys: "fib.units72, fib.width.*, mpls.hw", Effects: refused + ", " + noEffect, router: (*check).maximumRoutes},
		{Code: "hw-fib", Title: "More static and connected routes than the TCAM takes",
			Keys: "fib.split.*, fib.width.*, fib.exception_pps", Effects: scale, router: (*check).fib},
		{Code: "hw-rate-limiters", Title: "More `mls rate-limit` than there are registers",
			Keys: "ratelimit.l3_registers, ratelimit.l2_registers", Effects: refused, router: (*check).rateLimiters},
		{Code: "hw-nat-hub", Title: "A hub behind NAT", Keys: "nat.hub", Effects: refused, network: (*check).natHub},
		{Code: "hw-nat-spoke", Title: "A spoke of which the hub is behind NAT", Keys: "nat.hub", Effects: refused, network: (*check).natSpoke},
		{Code: "hw-nat-peer", Title: "A spoke behind NAT, and a peer that is neither the same platform nor recent enough",
			Keys: "nat.peer_release", Effects: refused, network: (*check).natPeer},
		{Code: "hw-nat-unknown", Title: "Whether there is NAT before the router can't be told from its configuration; said once",
			Keys: "nat.hub", Effects: refused, network: (*check).natUnknown},
		{Code: "hw-mixed-keys", Title: "A network in which some have a `tunnel key` and some have none",
			Keys: "gre.key_in_hw", Effects: refused, network: (*check).mixedKeys},
	}
}

// isDMVPN tells whether an interface is a tunnel of a DMVPN.
func isDMVPN(i *config.Interface) bool {
	return i.IsTunnel() && (i.NHRP.Enabled() || isMGRE(i) || len(i.NHRP.NHS) > 0)
}

func isMGRE(i *config.Interface) bool { return i.IsTunnel() && i.Tunnel.Mode == config.GREMultipoint }

// isHub tells whether spokes register with the tunnel.
func isHub(i *config.Interface) bool {
	return isDMVPN(i) && len(i.NHRP.NHS) == 0 && !i.Tunnel.HasDestination()
}

// dmvpn lists the tunnels of DMVPNs.
func (r *router) dmvpn() []*config.Interface { return r.tunnels(isDMVPN) }

func (r *router) tunnels(that func(*config.Interface) bool) []*config.Interface {
	var out []*config.Interface
	for _, i := range r.c.Tunnels() {
		if that(i) {
			out = append(out, i)
		}
	}
	return out
}

// at returns where one of the interface's commands stands.
func at(i *config.Interface, commands ...string) config.Pos { return i.Lines.At(i.Pos, commands...) }

// asides lists lines of an interface that changed nothing.
func (r *router) asides(i *config.Interface, words string) []config.Aside {
	return r.c.AsidesOf("interface "+i.Name, words)
}
