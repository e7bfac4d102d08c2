package rib

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// Route is one installed route, for show output and for protocols that ask.
type Route struct {
	Prefix   netip.Prefix
	Source   Source
	Distance int
	Metric   uint32
	Tag      uint32
	Hops     []NextHop // resolved: each with an interface; none for Null0 and for our own addresses
	Via      []NextHop // as the source named them, before they were resolved; not to be changed
	Since    time.Time // when the source learned it, where it says so (Learned.Since)
	Process  uint32    // Learned.Process
	External bool      // Learned.External
}

// Lookup finds the route to dst in a VRF among what routing says: neither adjacencies nor shortcuts count.
func (r *RIB) Lookup(vrf fib.VRF, dst netip.Addr) (Route, bool) {
	e, c, ways := r.match(vrf, dst, &search{})
	if c == nil {
		return Route{}, false
	}
	return r.route(e, c, ways), true
}

// route describes a candidate and its ways.
func (r *RIB) route(e *entry, c *candidate, ways []way) Route {
	out := Route{Prefix: e.prefix, Source: c.source, Distance: c.distance, Metric: c.metric, Tag: c.tag, Since: c.since, Process: c.process, External: c.external}
	if c.source != Local {
		out.Hops, out.Via = r.nextHops(ways), c.hops
	} else {
		out.Hops = []NextHop{{Iface: c.iface}}
	}
	return out
}

// Routes lists the routes of a VRF in order of prefix: the best of each, shortcuts included, adjacencies not.
func (r *RIB) Routes(vrf fib.VRF) []Route {
	t := r.tables[vrf]
	if t == nil {
		return nil
	}
	var out []Route
	for _, e := range t.entries {
		out = r.said(out, e)
	}
	sortRoutes(out)
	return out
}

// said adds what is said of a prefix: our own address and a shortcut, and the best of what routing says.
func (r *RIB) said(out []Route, e *entry) []Route {
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.source == Adjacency {
			continue
		}
		var ways []way
		if !c.ends() {
			if ways = r.ways(e, c, c.hops, &search{}); len(ways) == 0 {
				continue
			}
		}
		out = append(out, r.route(e, c, ways))
		if c.source != Local && c.source != Shortcut {
			break
		}
	}
	return out
}

func sortRoutes(out []Route) {
	slices.SortFunc(out, func(a, b Route) int {
		if d := a.Prefix.Compare(b.Prefix); d != 0 {
			return d
		}
		return int(a.Source) - int(b.Source)
	})
}

// Resolved finds what packets to a destination of a VRF take: the prefix, and its ways.
func (r *RIB) Resolved(vrf fib.VRF, dst netip.Addr) (netip.Prefix, []Path, bool) {
	t := r.tables[vrf]
	if t == nil || !dst.Is4() {
		return netip.Prefix{}, nil, false
	}
	for p, e := range t.lpm.Supernets(netip.PrefixFrom(dst, dst.BitLen())) {
		if !e.in {
			continue
		}
		if len(e.installed) == 0 {
			return p, []Path{{Adjacency: e.special}}, true
		}
		from := make(map[hopKey]netip.Addr)
		_, ways := r.best(e, &search{})
		for i := range ways {
			from[ways[i].key()] = ways[i].from
		}
		hops := each(e.installed)
		out := make([]Path, len(hops))
		for i, h := range hops {
			out[i] = Path{LabelPath: r.labelPath(h), Adjacency: h.id, NextHop: from[h.key]}
			if len(hops) > 1 {
				out[i].Slots = slotsOf(e.installed, h)
			}
		}
		return p, out, true
	}
	return netip.Prefix{}, nil, false
}

// Use is an adjacency of a tunnel: which peer it leads to.
type Use struct {
	Adjacency fib.AdjID
	Iface     string
	NBMA      nbma.Address
	NextHop   netip.Addr // the zero Addr for the peer itself
}

// TunnelAdjacencies lists the adjacencies that lead to peers of tunnels, for their counters.
func (r *RIB) TunnelAdjacencies() []Use {
	var out []Use
	for k, h := range r.hops {
		i := r.ifaces[k.iface]
		if i == nil || i.Tunnel == nil || !h.installed || h.last.Kind != fib.AdjTunnel {
			continue
		}
		out = append(out, Use{Adjacency: h.id, Iface: k.iface, NBMA: r.outerDestination(i, k), NextHop: k.addr})
	}
	return out
}

// Hop tells which interface and which next hop on it an adjacency is for; the zero Addr stands for whoever is on the
// link.
func (r *RIB) Hop(id fib.AdjID) (iface string, addr netip.Addr, ok bool) {
	h := r.byID[id]
	if h == nil {
		return "", netip.Addr{}, false
	}
	return h.key.iface, h.key.addr, true
}

// HopLabels are the labels that an adjacency pushes, outermost first. What waits for the next hop of one that has some must leave by that very adjacency
// (fastpath.InjectAdjacent): by its destination alone it could go elsewhere.
func (r *RIB) HopLabels(id fib.AdjID) (Labels, bool) {
	h := r.byID[id]
	if h == nil {
		return Labels{}, false
	}
	return r.stack(h.key.iface, h.key.addr, h.key.lsp, h.key.labels)
}

// Ready tells whether packets go on by an adjacency by now. It follows Flush. The next hop of a labelled adjacency may be Known and that not be enough: labels mean
// something to the next hop itself, and nothing to a server that would pass the packet on.
func (r *RIB) Ready(id fib.AdjID) bool {
	h := r.byID[id]
	return h != nil && ready(h)
}

// Known tells whether a next hop of an interface has a MAC address, or of a tunnel an NBMA address, by now.
func (r *RIB) Known(name string, addr netip.Addr) bool {
	i := r.ifaces[name]
	switch {
	case i == nil:
		return false
	case i.Tunnel != nil:
		return r.outerDestination(i, hopKey{iface: name, addr: addr}).IsValid()
	}
	_, ok := i.neighbours[addr]
	return ok
}

// Moves counts changes of what routing says (NHRP and neighbours not among them): whoever depends on routes looks
// again when it has grown.
func (r *RIB) Moves() uint64 { return r.moves }

// Interface is what was last said of an interface.
func (r *RIB) Interface(name string) (Interface, bool) {
	if i := r.ifaces[name]; i != nil {
		return i.Interface, true
	}
	return Interface{}, false
}

// VRFs lists the tables that have routes.
func (r *RIB) VRFs() []fib.VRF { return slices.Sorted(maps.Keys(r.tables)) }
