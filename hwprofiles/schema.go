package hwprofiles

// Kind is what a value is.
type Kind uint8

// The kinds of value.
const (
	KindNumber Kind = iota
	KindFlag        // yes or no
	KindWords       // a list of names
)

// String names the kind as the documentation does.
func (k Kind) String() string { return [...]string{"number", "yes or no", "list"}[k] }

// Key is one thing that a profile may say.
type Key struct {
	Name    string
	Kind    Kind
	Unit    string  // of a number
	Min     float64 // least number
	Max     float64 // greatest number
	Whole   bool    // the number counts something
	Help    string
	number  func(*Profile) *Number
	flag    func(*Profile) *Flag
	words   func(*Profile) *Words
	allowed []string // words that are taken; nil: any
}

func count(name, unit string, least, most float64, help string, at func(*Profile) *Number) *Key {
	return &Key{Name: name, Unit: unit, Min: least, Max: most, Whole: true, Help: help, number: at}
}

func rate(name, unit string, most float64, help string, at func(*Profile) *Number) *Key {
	return &Key{Name: name, Unit: unit, Min: 0.001, Max: most, Help: help, number: at}
}

func flag(name, help string, at func(*Profile) *Flag) *Key {
	return &Key{Name: name, Kind: KindFlag, Help: help, flag: at}
}

func words(name, help string, allowed []string, at func(*Profile) *Words) *Key {
	return &Key{Name: name, Kind: KindWords, Help: help, words: at, allowed: allowed}
}

// ciphers are the names of ciphers in transform sets, without "esp-".
var ciphers = []string{"null", "des", "3des", "aes", "ctr", "gcm", "gmac", "chacha20-poly1305"}

const million = 1 << 20

// keys is the schema, in the order in which values are shown.
var keys = []*Key{
	flag("dmvpn.supported", "the platform can be hub or spoke of a DMVPN", func(p *Profile) *Flag { return &p.DMVPN.Supported }),
	flag("phase3", "`ip nhrp shortcut` and `ip nhrp redirect` are there", func(p *Profile) *Flag { return &p.DMVPN.Phase3 }),
	flag("ipv6_dmvpn", "IPv6 runs over the tunnels", func(p *Profile) *Flag { return &p.DMVPN.IPv6 }),
	flag("nat.hub", "a hub may be behind NAT", func(p *Profile) *Flag { return &p.DMVPN.HubBehindNAT }),
	words("nat.peer_release", "release that a peer of another platform needs, where a spoke is behind NAT", nil, func(p *Profile) *Words { return &p.DMVPN.PeerRelease }),
	flag("qos.dmvpn", "QoS applies to packets of the tunnels", func(p *Profile) *Flag { return &p.DMVPN.QoS }),
	flag("ha.blade_switchover", "another crypto module takes tunnels over", func(p *Profile) *Flag { return &p.DMVPN.BladeSwitchover }),
	flag("eigrp.vrf_aware", "EIGRP in VRFs over tunnels is advised", func(p *Profile) *Flag { return &p.DMVPN.VRFAwareEIGRP }),
	count("tunnel.ip_mtu", "bytes", 68, 65535, "`ip mtu` of a multipoint tunnel with which the route processor fragments nothing", func(p *Profile) *Number { return &p.DMVPN.IPMTU }),

	rate("hw.bus_mpps", "Mpps", 1e5, "rate of the central engine, with fabric modules only", func(p *Profile) *Number { return &p.Forwarding.Bus }),
	rate("hw.bus_classic_mpps", "Mpps", 1e5, "the same with a classic module in the chassis", func(p *Profile) *Number { return &p.Forwarding.ClassicBus }),
	rate("hw.fabric_mpps", "Mpps", 1e5, "rate of the whole chassis, with an engine on each card", func(p *Profile) *Number { return &p.Forwarding.Fabric }),
	rate("hw.dfc_mpps", "Mpps", 1e5, "rate of one card's own engine", func(p *Profile) *Number { return &p.Forwarding.DFC }),
	rate("rp.sw_cef_kpps", "kpps", 1e6, "rate of the route processor, by its express forwarding", func(p *Profile) *Number { return &p.RouteProcessor.CEF }),
	rate("rp.process_kpps", "kpps", 1e6, "rate of the route processor, in a process", func(p *Profile) *Number { return &p.RouteProcessor.Process }),
	count("rp.cef_queue", "packets", 1, million, "packets that wait for its express forwarding; more are dropped", func(p *Profile) *Number { return &p.RouteProcessor.CEFQueue }),
	count("rp.process_queue", "packets", 1, million, "packets that wait for its processes; more are dropped", func(p *Profile) *Number { return &p.RouteProcessor.ProcessQueue }),

	count("fib.units72", "units", 1024, 64*million, "size of the FIB TCAM, in units of 72 bits", func(p *Profile) *Number { return &p.FIB.Units }),
	count("fib.split.ip_mpls", "entries", 0, 64*million, "entries for IPv4 and labels, unless `mls cef maximum-routes` splits otherwise", func(p *Profile) *Number { return &p.FIB.IPMPLS }),
	count("fib.split.ipv6_mcast", "entries", 0, 64*million, "entries for IPv6 and multicast, unless it splits otherwise", func(p *Profile) *Number { return &p.FIB.IPv6Multicast }),
	count("fib.split.mpls", "entries", 0, 64*million, "entries for labels where the split is configured and does not name them", func(p *Profile) *Number { return &p.FIB.MPLS }),
	count("fib.width.ipv4", "units", 1, 16, "units of 72 bits that an IPv4 route takes", func(p *Profile) *Number { return &p.FIB.IPv4Width }),
	count("fib.width.mpls", "units", 1, 16, "units that a label takes", func(p *Profile) *Number { return &p.FIB.MPLSWidth }),
	count("fib.width.ipv6", "units", 1, 16, "units that an IPv6 route takes", func(p *Profile) *Number { return &p.FIB.IPv6Width }),
	count("fib.width.mcast", "units", 1, 16, "units that a multicast route takes", func(p *Profile) *Number { return &p.FIB.MulticastWidth }),
	count("fib.exception_pps", "pps", 1, 1e9, "packets that go to the route processor once the TCAM is full", func(p *Profile) *Number { return &p.FIB.Exception }),
	count("adj.entries", "entries", 1, 64*million, "adjacencies", func(p *Profile) *Number { return &p.Adjacencies }),
	count("netflow.entries", "entries", 1, 64*million, "size of the NetFlow table", func(p *Profile) *Number { return &p.NetFlow.Entries }),
	count("netflow.effective", "entries", 1, 64*million, "flows that the NetFlow table holds in practice", func(p *Profile) *Number { return &p.NetFlow.Effective }),

	flag("mpls.hw", "labels are switched in hardware", func(p *Profile) *Flag { return &p.MPLS.Hardware }),
	flag("mpls.over_gre", "labels in GRE are, without a service card", func(p *Profile) *Flag { return &p.MPLS.OverGRE }),
	flag("mpls.tunnel_recursive", "a PE hub needs `mls mpls tunnel-recursive`", func(p *Profile) *Flag { return &p.MPLS.TunnelRecursive }),
	count("mpls.aggregate_labels", "labels", 1, million, "labels of whole VRFs that need no second pass", func(p *Profile) *Number { return &p.MPLS.AggregateLabels }),
	count("mpls.vrfs", "VRFs", 1, million, "VRFs of a chassis", func(p *Profile) *Number { return &p.MPLS.VRFs }),
	count("mpls.paths", "paths", 1, 1024, "paths that labelled packets are shared by", func(p *Profile) *Number { return &p.MPLS.Paths }),
	count("mpls.push", "labels", 1, 16, "labels put on in one pass", func(p *Profile) *Number { return &p.MPLS.Push }),
	count("mpls.pop", "labels", 1, 16, "labels taken off in one pass", func(p *Profile) *Number { return &p.MPLS.Pop }),
	rate("mpls.recirc_cost", "factor", 100, "what each further pass divides the rate by", func(p *Profile) *Number { return &p.MPLS.RecircCost }),
	count("mcast.routes", "entries", 0, 64*million, "multicast routes", func(p *Profile) *Number { return &p.Multicast.Routes }),
	flag("mcast.encrypted_gre", "multicast of others goes through protected tunnels", func(p *Profile) *Flag { return &p.Multicast.EncryptedGRE }),

	flag("gre.unique_source", "each tunnel needs a source of its own", func(p *Profile) *Flag { return &p.GRE.UniqueSource }),
	flag("gre.key_in_hw", "tunnels with a key are switched in hardware", func(p *Profile) *Flag { return &p.GRE.Key }),
	flag("gre.options_in_hw", "tunnels with checksum or sequence numbers are", func(p *Profile) *Flag { return &p.GRE.Options }),
	count("gre.recirc_passes", "passes", 0, 16, "further passes of a packet into or out of a tunnel", func(p *Profile) *Number { return &p.GRE.Passes }),
	count("gre.vlans", "VLANs", 1, 4096, "internal VLANs, of which each tunnel takes one", func(p *Profile) *Number { return &p.GRE.VLANs }),
	flag("mgre.adjust_mss", "`ip tcp adjust-mss` is supported on multipoint tunnels", func(p *Profile) *Flag { return &p.MGRE.AdjustMSS }),
	flag("mgre.qos_pre_classify", "`qos pre-classify` is", func(p *Profile) *Flag { return &p.MGRE.PreClassify }),
	flag("mgre.tunnel_vrf", "`tunnel vrf` is", func(p *Profile) *Flag { return &p.MGRE.TunnelVRF }),
	flag("mgre.path_mtu_discovery", "`tunnel path-mtu-discovery` is", func(p *Profile) *Flag { return &p.MGRE.PathMTU }),

	flag("crypto.in_hw", "there is a module that encrypts", func(p *Profile) *Flag { return &p.Crypto.Hardware }),
	rate("crypto.gbps", "Gbps", 1e5, "rate of the module, large packets", func(p *Profile) *Number { return &p.Crypto.Rate }),
	count("crypto.tunnels", "tunnels", 1, 64*million, "tunnels of the module", func(p *Profile) *Number { return &p.Crypto.Tunnels }),
	rate("crypto.setup_per_s", "per second", 1e6, "tunnels that it sets up in a second", func(p *Profile) *Number { return &p.Crypto.SetUp }),
	words("crypto.ciphers", "ciphers that the module has", ciphers, func(p *Profile) *Words { return &p.Crypto.Ciphers }),
	flag("crypto.gre", "the module can do GRE, and then tunnels may share a source", func(p *Profile) *Flag { return &p.Crypto.GRE }),
	flag("crypto.prefragment", "packets are cut before they are encrypted", func(p *Profile) *Flag { return &p.Crypto.Prefragmented }),
	count("crypto.modules", "modules", 1, 64, "modules of a chassis", func(p *Profile) *Number { return &p.Crypto.Modules }),

	count("ratelimit.l3_registers", "registers", 0, 64, "rate limiters of layer 3, first come first served", func(p *Profile) *Number { return &p.RateLimiters.L3 }),
	count("ratelimit.l2_registers", "registers", 0, 64, "rate limiters of layer 2", func(p *Profile) *Number { return &p.RateLimiters.L2 }),
}

// Keys lists all that a profile may say, in the order of the documentation.
func Keys() []*Key { return keys }

func keyNamed(name string) *Key {
	for _, k := range keys {
		if k.Name == name {
			return k
		}
	}
	return nil
}
