package slowpath

import (
	"maps"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/rib"
)

// taken is a route that is redistributed into a process of EIGRP, and by which of its sources.
type taken struct {
	route  eigrp.ExternalRoute
	source int
}

// What a route into Null0 costs: nothing that another does.
const nullBandwidth = 10_000_000

// redistribute tells the processes of EIGRP which routes of others are not as they were. Changes are in the order of VRF and prefix.
func (r *Router) redistribute(changes []rib.Change) {
	g := &r.eigrp
	if len(g.processes) == 0 {
		clear(g.stale)
		g.anew = false
		return
	}
	for len(changes) > 0 {
		vrf, n := changes[0].VRF, 1
		for n < len(changes) && changes[n].VRF == vrf {
			n++
		}
		for _, p := range g.of(vrf) {
			if len(p.cfg.Redistribute) == 0 || p.anew {
				continue
			}
			var ev eigrp.Redistributed
			for i := range changes[:n] {
				c := &changes[i]
				r.reconsider(p, c.Prefix, &c.Route, !c.Gone, &ev)
			}
			r.tellRedistributed(p, ev)
		}
		changes = changes[n:]
	}
	r.redistributeStale()
	if !g.anew {
		return
	}
	g.anew = false
	for _, p := range g.processes {
		if p.anew {
			p.anew = false
			r.redistributeAll(p)
		}
	}
}

// redistributeStale is redistribute of routes whose communities alone are not as they were.
func (r *Router) redistributeStale() {
	g := &r.eigrp
	if len(g.stale) == 0 {
		return
	}
	keys := sortedKeys(g.stale)
	clear(g.stale)
	for _, p := range g.processes {
		if len(p.cfg.Redistribute) == 0 || p.anew {
			continue
		}
		var ev eigrp.Redistributed
		for _, k := range keys {
			if k.VRF == p.cfg.Key.VRF {
				route, ok := r.rib.Told(k)
				r.reconsider(p, k.Prefix, &route, ok, &ev)
			}
		}
		r.tellRedistributed(p, ev)
	}
}

// redistributeAll is redistribute of all routes, for a process that is configured anew.
func (r *Router) redistributeAll(p *process) {
	vrf := p.cfg.Key.VRF
	var ev eigrp.Redistributed
	p.count = make([]int, len(p.cfg.Redistribute))
	before := p.taken
	p.taken = make(map[netip.Prefix]taken, len(before))
	if len(p.cfg.Redistribute) > 0 {
		for _, prefix := range r.rib.AllTold(vrf) {
			route, _ := r.rib.Told(fib.RouteKey{VRF: vrf, Prefix: prefix})
			x, ok := r.wantedBy(p, prefix, &route)
			if !ok {
				continue
			}
			p.taken[prefix] = x
			p.count[x.source]++
			if old, had := before[prefix]; !had || old.route != x.route {
				ev.Changed = append(ev.Changed, x.route)
			}
		}
	}
	for prefix := range before {
		if _, is := p.taken[prefix]; !is {
			ev.Gone = append(ev.Gone, prefix)
		}
	}
	slices.SortFunc(ev.Gone, netip.Prefix.Compare)
	r.tellRedistributed(p, ev)
}

func (r *Router) tellRedistributed(p *process, ev eigrp.Redistributed) {
	if len(ev.Changed)+len(ev.Gone) > 0 {
		r.tellEIGRP(p, ev)
	}
}

// reconsider puts what a process is to hear of a route into ev.
func (r *Router) reconsider(p *process, prefix netip.Prefix, route *rib.Route, there bool, ev *eigrp.Redistributed) {
	old, had := p.taken[prefix]
	var x taken
	if there {
		x, there = r.wantedBy(p, prefix, route)
	}
	switch {
	case !there && had:
		delete(p.taken, prefix)
		p.count[old.source]--
		ev.Gone = append(ev.Gone, prefix)
	case there && (!had || old != x):
		if had {
			p.count[old.source]--
		}
		p.count[x.source]++
		p.taken[prefix] = x
		ev.Changed = append(ev.Changed, x.route)
	}
}

// wantedBy is how a route goes into a process; ok is false if it doesn't.
func (r *Router) wantedBy(p *process, prefix netip.Prefix, route *rib.Route) (x taken, ok bool) {
	o, ok := r.offered(p, prefix, route)
	if !ok {
		return x, false
	}
	for i := range p.cfg.Redistribute {
		s := &p.cfg.Redistribute[i]
		from := o.process
		switch {
		case s.Source == o.source || s.Source == rib.Static && o.source == rib.DHCP:
		case s.Source == rib.EIGRP && o.source == rib.Connected && r.eigrp.covers(p.cfg.Key.VRF, s.Process, o.iface, prefix):
			from = s.Process
		default:
			continue
		}
		if s.Source == rib.EIGRP && s.Process != from {
			continue
		}
		set, permit := s.Set, true
		if s.Permit != nil {
			set, permit = s.Permit(prefix, o.route)
		}
		if !permit {
			continue
		}
		x.source = i
		if x.route, ok = r.external(p, prefix, o.route, s, &set); ok {
			x.route.Distance = uint8(min(o.route.Distance, 255))
			return x, true
		}
	}
	return x, false
}

// offer is a route as `redistribute` sees it.
type offer struct {
	route   *rib.Route
	source  rib.Source // an address with a mask of 32 bits is connected
	process uint32     // of EIGRP
	iface   string     // of what is connected
}

// offered is a route that may go into a process. What the process said itself does not, nor what it tells of anyway: the subnets that it runs on. For the former there may be
// BGP's of the same prefix (overVPN).
func (r *Router) offered(p *process, prefix netip.Prefix, route *rib.Route) (o offer, ok bool) {
	o = offer{route: route, source: route.Source}
	switch o.source {
	case rib.Shortcut, rib.Adjacency:
		return o, false
	case rib.Local:
		if !r.border.hosts[fib.RouteKey{VRF: p.cfg.Key.VRF, Prefix: prefix}] {
			return o, false // its subnet is told
		}
		o.source = rib.Connected
	case rib.BGP:
		if p.cfg.Key.VRF == fib.Global && !route.External && !r.eigrp.ibgp {
			return o, false // iBGP has brought it to all who are to have it
		}
	case rib.EIGRP:
		if route.Process == uint32(p.cfg.Key.AS) {
			over, ok := r.overVPN(p, prefix)
			return offer{route: &over, source: rib.BGP}, ok
		}
		o.process = route.Process
	}
	if o.source == rib.Connected && len(route.Hops) > 0 {
		o.iface = route.Hops[0].Iface
		return o, !p.tells(o.iface, prefix)
	}
	return o, true
}

// overVPN is BGP's route of a prefix where the process has a route itself, and BGP's is one of the same process at another site: the process has to choose between them by its
// metric. By distance alone it would go by its own, which may be no other than that of BGP, come in by another edge of the same site: a loop.
func (r *Router) overVPN(p *process, prefix netip.Prefix) (route rib.Route, ok bool) {
	k := fib.RouteKey{VRF: p.cfg.Key.VRF, Prefix: prefix}
	if k.VRF == fib.Global {
		return route, false
	}
	if _, ok = eigrp.FromCommunities(prefix, p.cfg.Key.AS, r.eigrp.vpn[k]); !ok {
		return route, false
	}
	return r.rib.From(k, rib.BGP)
}

// tells says whether a process runs on an interface and tells of the subnet: `network` may have only some of an interface's.
func (p *process) tells(iface string, subnet netip.Prefix) bool {
	of, runs := p.runs[iface]
	return runs && (of == nil || slices.Contains(of, subnet))
}

// covers tells whether a process of EIGRP tells of a subnet of an interface.
func (g *eigrpTables) covers(vrf fib.VRF, as uint32, iface string, subnet netip.Prefix) bool {
	if as == 0 || as > 0xffff {
		return false
	}
	_, p := g.find(EIGRPKey{vrf, uint16(as)})
	return p != nil && p.tells(iface, subnet)
}

// external is a route as a process hears of it; ok is false where it has no metric.
func (r *Router) external(p *process, prefix netip.Prefix, route *rib.Route, s *EIGRPSource, set *EIGRPAttributes) (x eigrp.ExternalRoute, ok bool) {
	key := fib.RouteKey{VRF: p.cfg.Key.VRF, Prefix: prefix}
	if route.Source == rib.BGP {
		if x, ok = eigrp.FromCommunities(prefix, p.cfg.Key.AS, r.eigrp.vpn[key]); ok { // the same process at another site, in a way: `metric` is for what has none
			if set.HasTag {
				x.Tag = set.Tag
			}
			return x, true
		}
	}
	if set.HasMetric {
		x.Bandwidth, x.Delay, x.Reliability, x.Load, x.MTU, ok = set.Bandwidth, set.Delay, set.Reliability, set.Load, set.MTU, true
	} else if x, ok = r.ownMetric(key, route, s); !ok {
		return x, false
	}
	x.Prefix, x.Metric, x.Tag = prefix, route.Metric, route.Tag
	if set.HasTag {
		x.Tag = set.Tag
	}
	x.Protocol, x.AS = r.protocolOf(key, route, s)
	return x, true
}

// ownMetric is the metric of a route for which none is configured.
func (r *Router) ownMetric(key fib.RouteKey, route *rib.Route, s *EIGRPSource) (x eigrp.ExternalRoute, ok bool) {
	switch route.Source {
	case rib.Connected, rib.Local, rib.Static, rib.DHCP:
		if len(route.Hops) == 0 {
			return eigrp.ExternalRoute{Bandwidth: nullBandwidth, Reliability: 255, Load: 1, MTU: 1500}, true
		}
		l, ok := r.eigrp.links[route.Hops[0].Iface]
		return eigrp.ExternalRoute{Bandwidth: l.state.Bandwidth, Delay: l.state.Delay, Reliability: 255, Load: 1, MTU: uint32(l.state.MTU)}, ok
	case rib.EIGRP:
		as := uint16(s.Process)
		_, from := r.eigrp.find(EIGRPKey{key.VRF, as})
		if from == nil {
			return x, false
		}
		if cs, ok := from.machine.Communities(key.Prefix); ok {
			if y, ok := eigrp.FromCommunities(key.Prefix, as, cs); ok {
				return eigrp.ExternalRoute{Vector: y.Vector, HasVector: y.HasVector}, true
			}
		}
	}
	return x, false
}

// protocolOf is what an external route says it is from, and the AS there.
func (r *Router) protocolOf(key fib.RouteKey, route *rib.Route, s *EIGRPSource) (eigrpmsg.Protocol, uint32) {
	if s.Source == rib.EIGRP {
		return eigrpmsg.FromEIGRP, s.Process
	}
	switch route.Source {
	case rib.Connected, rib.Local:
		return eigrpmsg.FromConnected, 0
	case rib.BGP:
		return eigrpmsg.FromBGP, r.eigrp.bgpAS
	case rib.Kernel:
		return kernelProtocol(r.kernel.routes[key].Protocol), 0
	}
	return eigrpmsg.FromStatic, 0
}

// noteCommunities keeps EIGRP's communities of a route of BGP; none: there is no route, or it has none.
func (g *eigrpTables) noteCommunities(k fib.RouteKey, communities []uint64) {
	if slices.Equal(g.vpn[k], communities) {
		return
	}
	if len(communities) == 0 {
		delete(g.vpn, k)
	} else {
		g.vpn[k] = slices.Clone(communities)
	}
	g.stale[k] = struct{}{}
}

// forget drops what is known of a table that is no more. Its processes go by themselves.
func (g *eigrpTables) forget(vrf fib.VRF) {
	maps.DeleteFunc(g.vpn, func(k fib.RouteKey, _ []uint64) bool { return k.VRF == vrf })
}

// originates tells how a process of EIGRP has a route of a table: routes that it has learned, and the subnets that it runs on. Other routes of the table are none of its.
func (g *eigrpTables) originates(k fib.RouteKey, route *rib.Route, as uint32) (p *process, ok bool) {
	if as == 0 || as > 0xffff {
		return nil, false
	}
	switch _, p = g.find(EIGRPKey{k.VRF, uint16(as)}); {
	case p == nil:
		return nil, false
	case route.Source == rib.EIGRP:
		return p, route.Process == as
	case route.Source == rib.Connected || route.Source == rib.Local:
		return p, len(route.Hops) > 0 && p.tells(route.Hops[0].Iface, k.Prefix)
	}
	return nil, false
}
