package slowpath

import (
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// Config is all that a Router is told. It is a value; the Router compares it with the last one and touches only what
// differs.
type Config struct {
	VRFs       []VRF // all but the global table
	Interfaces []Interface
	Statics    map[fib.VRF][]rib.StaticRoute
	MPLS       MPLS
	BGP        BGP
	EIGRP      []EIGRP
	Kernel     map[fib.VRF]KernelImport // tables that have the kernel's routes
	NHRP       nhrp.Config
	Sessions   dmvpn.Config // tunnel protection
	// Incomplete says that links or leased addresses that the configuration speaks of are not known yet: what was inherited and has no place in it
	// may have one later.
	Incomplete bool
	IKE        ike.Config
}

// VRF is a routing table beside the global one.
type VRF struct {
	ID     fib.VRF
	Name   string
	PerVRF bool // `mpls label mode per-vrf`: one label for all its routes, instead of one for each prefix
}

// MPLS is what is said of labels.
type MPLS struct {
	LDP ldp.Config // its label range is the first half of First to Last
	// First and Last are `mpls label range`. BGP's labels are out of the second half.
	First, Last uint32
	Pipe        bool // `no mpls ip propagate-ttl`
}

// BGP is what is said of BGP: what this router announces, which is the Router's business, and the rest.
type BGP struct {
	On           bool
	Quiet        bool       // `no bgp log-neighbor-changes`
	Internal     bool       // `bgp redistribute-internal`: routes of iBGP of the global table are redistributed into EIGRP, too, as those of VRFs are
	Speaker      bgp.Config // what whoever runs the speaker tells it
	Networks     []Network
	Redistribute []Redistribute
}

// Network is `network` of BGP: the prefix is announced while the routing table has it.
type Network struct {
	VRF    fib.VRF
	Prefix netip.Prefix
	Set    Attributes
}

// Redistribute is `redistribute` of BGP.
type Redistribute struct {
	VRF     fib.VRF
	Source  rib.Source
	Process uint32 // of Source EIGRP: its AS; else 0
	// Permit tells which routes, and with what, for `route-map`; nil: all.
	Permit func(p netip.Prefix, r *rib.Route) (Attributes, bool)
	Set    Attributes
}

// Attributes are what a route is announced with.
type Attributes struct {
	Metric      uint32
	HasMetric   bool   // else the route's own metric is announced
	LocalPref   uint32 // 0: 100
	Communities []uint32
}

// Interface is a port, loopback or tunnel.
type Interface struct {
	rib.Interface
	Unnumbered     bool   // the addresses are borrowed (`ip unnumbered`): their subnet is the lender's
	NoUnreachables bool   // `no ip unreachables`: no ICMP errors but for TTL and size towards this side
	Bandwidth      uint64 // kbit/s: `bandwidth`, or what IOS takes for the kind of interface
	Delay          uint64 // tens of microseconds: `delay`, or the same
}

// Configure makes the Router run with c.
func (r *Router) Configure(c Config) error {
	return r.step(func() {
		r.ports, r.tunnels = make(map[fib.PortID]string), make(map[fib.TunnelID]string)
		r.quiet = make(map[string]bool)
		if r.nextSweep.IsZero() {
			r.nextSweep = r.now.Add(sweepEvery)
		}
		for _, i := range c.Interfaces {
			r.quiet[i.Name] = i.NoUnreachables
			if i.Tunnel != nil {
				r.tunnels[i.Tunnel.ID] = i.Name
			} else if i.Port != 0 {
				r.ports[i.Port] = i.Name
			}
		}
		for _, name := range r.rib.Interfaces() {
			if !slices.ContainsFunc(c.Interfaces, func(i Interface) bool { return i.Name == name }) {
				r.rib.RemoveInterface(name)
			}
		}
		for _, i := range c.Interfaces {
			r.rib.SetInterface(i.Interface)
		}
		r.dropVRFs(&c)
		for _, vrf := range r.rib.VRFs() {
			if _, ok := c.Statics[vrf]; !ok {
				r.rib.SetStatics(vrf, nil)
			}
		}
		for vrf, s := range c.Statics {
			r.rib.SetStatics(vrf, s)
		}
		r.dropClear(c)
		r.takeNeighbours()
		r.carryOutSessions(r.sessions.Configure(r.now, c.Sessions))
		r.carryOutIKE(r.ike.Configure(r.now, c.IKE))
		r.carryOut(r.nhrp.Configure(r.now, c.NHRP))
		r.takeMappings(c)
		r.configureMPLS(&c)
		r.configureEIGRP(&c)
		r.configureKernel(&c)
		r.rib.Complete(!c.Incomplete)
		if !c.Incomplete && r.takeover != nil {
			r.carryOutSessions(r.sessions.Disinherit(r.now))
		}
	})
}

// dropVRFs takes away what stands in VRFs that are no more: of the configuration before, and of the process before once it is known which of its VRFs there are.
func (r *Router) dropVRFs(c *Config) {
	was := r.vrfs
	r.vrfs = make(map[fib.VRF]string)
	for _, v := range c.VRFs {
		r.vrfs[v.ID] = v.Name
	}
	for id := range was {
		if _, is := r.vrfs[id]; !is {
			r.rib.RemoveVRF(id)
			r.eigrp.forget(id)
			r.kernel.forget(id)
		}
	}
	if r.takeover == nil || c.Incomplete {
		return
	}
	for id := range r.takeover.vrfs {
		if _, is := r.vrfs[id]; !is && id != fib.Global {
			r.rib.RemoveVRF(id)
		}
	}
	r.takeover.vrfs = nil
}

// dropClear forgets the packets of tunnels that are protected now, which wait in clear for a neighbour of the underlay.
func (r *Router) dropClear(c Config) {
	for n, w := range r.held.byHop {
		ip := packet.IPv4(w.punt.Packet)
		src := netip.AddrFrom4([4]byte(ip[12:16]))
		if ip.Proto() == protoGRE && r.cameBy(&w.punt) == "" && slices.ContainsFunc(c.Interfaces, func(i Interface) bool {
			return i.Tunnel != nil && i.Tunnel.Protected && i.Tunnel.OuterVRF == w.punt.VRF && i.Tunnel.Local == src
		}) {
			delete(r.held.byHop, n)
			r.stats.HeldLost++
		}
	}
}

// tunnel finds a tunnel interface by name.
func (r *Router) tunnel(name string) (rib.Interface, bool) {
	i, ok := r.rib.Interface(name)
	return i, ok && i.Tunnel != nil
}

// addressOf is the primary address of an interface; the zero Addr where it has none.
func (r *Router) addressOf(name string) netip.Addr {
	if i, ok := r.rib.Interface(name); ok && len(i.Addrs) > 0 {
		return i.Addrs[0].Addr()
	}
	return netip.Addr{}
}
