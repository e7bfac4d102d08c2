package gateway

import (
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/host"
	"nave/slowpath/rib"
)

// routeTable takes nave's routes for the kernel of a space: a host.Routes.
type routeTable interface {
	Set(netip.Prefix, *host.Way)
	Check()
	Settle()
	Close()
	End() error
}

// kernelTable is what the kernel of a VRF's namespace is to have of nave's routes. Routes that go the same way share it, so that a netdev which comes or goes
// is looked at once for each way. The control plane's goroutine has it.
type kernelTable struct {
	routes map[netip.Prefix]*kernelWay
	ways   map[string]*kernelWay // by what they are made of
	space  *space                // that they were put into; nil: there was none
	source netip.Addr            // of packets that leave by nave0
	key    []byte
}

// kernelWay is what some routes have in common.
type kernelWay struct {
	key    string
	hops   []rib.NextHop // none: Null0
	stays  bool          // the source is the configuration, or DHCP
	routes int
	way    *host.Way // nil: the kernel can't go there, for now
}

// inKernel tells whether the kernel is to have the routes of a source. What it knows by itself, what others gave it, and what only nave can use (shortcuts, hosts) are not for it.
func inKernel(s rib.Source) bool {
	return s == rib.Static || s == rib.DHCP || s == rib.BGP || s == rib.EIGRP
}

// Routes implements slowpath.Linux.
func (l *linux) Routes(changes []rib.Change) {
	for i := range changes {
		c := &changes[i]
		t := l.tables[c.VRF]
		if t == nil {
			t = &kernelTable{routes: make(map[netip.Prefix]*kernelWay), ways: make(map[string]*kernelWay)}
			l.tables[c.VRF] = t
			l.follow(c.VRF, t)
		}
		l.route(t, c)
	}
}

// route carries out a change of a table.
func (l *linux) route(t *kernelTable, c *rib.Change) {
	old := t.routes[c.Prefix]
	if c.Gone || !inKernel(c.Source) {
		if old == nil {
			return
		}
		delete(t.routes, c.Prefix)
		t.leave(old)
		if t.space != nil {
			t.space.routes.Set(c.Prefix, nil)
		}
		return
	}
	w := t.way(&c.Route)
	if w == old {
		return
	}
	if w.routes == 0 && t.space != nil {
		w.way = l.wayOf(t, w)
	}
	w.routes++
	t.routes[c.Prefix] = w
	if old != nil {
		t.leave(old)
	}
	if t.space != nil {
		t.space.routes.Set(c.Prefix, w.way)
	}
}

// way finds or makes the way of a route.
func (t *kernelTable) way(r *rib.Route) *kernelWay {
	stays := r.Source == rib.Static || r.Source == rib.DHCP
	b := t.key[:0]
	b = append(b, flag(stays))
	for i := range r.Hops {
		h := &r.Hops[i]
		b = append(b, h.Iface...)
		b = append(b, 0, flag(len(h.Labels.Values()) > 0), flag(h.Elsewhere), h.Share)
		b = append(b, h.Addr.AsSlice()...)
		b = append(b, 0)
	}
	t.key = b
	if w := t.ways[string(b)]; w != nil {
		return w
	}
	w := &kernelWay{key: string(b), hops: slices.Clone(r.Hops), stays: stays}
	t.ways[w.key] = w
	return w
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (t *kernelTable) leave(w *kernelWay) {
	if w.routes--; w.routes == 0 {
		delete(t.ways, w.key)
	}
}

// followRoutes puts the routes again that lead elsewhere than they were put: by netdevs or in namespaces that were not there when the control plane spoke of them.
func (l *linux) followRoutes() {
	for vrf, t := range l.tables {
		l.follow(vrf, t)
		if t.space == nil && len(t.routes) == 0 {
			delete(l.tables, vrf)
		}
	}
	l.settleRoutes()
}

func (l *linux) follow(vrf fib.VRF, t *kernelTable) {
	s := l.g.spaceOf(vrf)
	moved := s != t.space
	t.space = s
	if s == nil {
		return // gone, and what was put with it; or not made yet, and then all is put when it is
	}
	t.source = l.sourceIn(vrf)
	changed := make(map[*kernelWay]bool)
	for _, w := range t.ways {
		if way := l.wayOf(t, w); moved || !sameWay(way, w.way) {
			w.way, changed[w] = way, true
		}
	}
	if len(changed) == 0 {
		return
	}
	for p, w := range t.routes {
		if changed[w] {
			s.routes.Set(p, w.way)
		}
	}
}

func sameWay(a, b *host.Way) bool { return a == b || a != nil && b != nil && a.Equal(b) }

// sourceIn is the address that programs of a VRF's namespace send from by nave0, which has none itself: the lowest of an interface that is up. The zero Addr: there is none.
func (l *linux) sourceIn(vrf fib.VRF) (lowest netip.Addr) {
	for k := range l.g.core.current.Interfaces {
		i := &l.g.core.current.Interfaces[k]
		if i.VRF != vrf || !i.Up {
			continue
		}
		for _, a := range i.Addrs {
			if !lowest.IsValid() || a.Addr().Less(lowest) {
				lowest = a.Addr()
			}
		}
	}
	return lowest
}

// wayOf is how the kernel of a table's space gets to where a way leads; nil: it can't, as the netdevs are not there.
func (l *linux) wayOf(t *kernelTable, w *kernelWay) *host.Way {
	out := &host.Way{Stays: w.stays && t.space == l.g.home}
	byNave := false
	for i := range w.hops {
		h, nave := l.hopOf(t.space, &w.hops[i])
		byNave = byNave || nave
		if h.Netdev == "" {
			continue
		}
		if at := len(out.Hops); at > 0 && out.Hops[at-1].Netdev == h.Netdev && !h.Gateway.IsValid() && !out.Hops[at-1].Gateway.IsValid() {
			sum := int(max(1, out.Hops[at-1].Weight)) + int(max(1, h.Weight)) // several peers of a tunnel: nave chooses
			out.Hops[at-1].Weight = uint8(min(sum, 255))
			continue
		}
		out.Hops = append(out.Hops, h)
	}
	if len(w.hops) > 0 && len(out.Hops) == 0 && !byNave {
		return nil
	}
	if byNave { // it is all or nothing: nave knows the shares, and nave0 leads to all of the ways
		if t.space.last == nil && !l.openLast(t.space) {
			return nil
		}
		out.Hops, out.Source = []host.Hop{{Netdev: host.LastResort}}, t.source
	}
	if len(out.Hops) == 1 {
		out.Hops[0].Weight = 0
	}
	out.Stays = out.Stays && len(out.Hops) > 0 && !slices.ContainsFunc(out.Hops, func(h host.Hop) bool { return !h.Gateway.IsValid() }) // a twin ends with nave
	return out
}

// hopOf is the kernel's next hop for one of nave's, in a space; nave: nave alone can go there.
func (l *linux) hopOf(s *space, n *rib.NextHop) (h host.Hop, nave bool) {
	if n.Elsewhere || s != l.g.home && len(n.Labels.Values()) > 0 {
		return h, true
	}
	at, netdev := l.g.deviceOf(n.Iface)
	if t := l.g.twins[n.Iface]; at == nil && t != nil {
		if t.space != s {
			return h, true
		}
		return host.Hop{Netdev: n.Iface, Weight: n.Share}, false // it has no neighbours: the tunnel finds its own way
	}
	switch {
	case at == nil:
		return h, false // not there yet
	case at != s:
		return h, true
	}
	return host.Hop{Netdev: netdev, Gateway: n.Addr, OnLink: n.Addr.IsValid() && !l.onLink(n.Iface, n.Addr), Weight: n.Share}, false
}

// onLink tells whether an address is in a subnet of an interface.
func (l *linux) onLink(iface string, addr netip.Addr) bool {
	for k := range l.g.core.current.Interfaces {
		i := &l.g.core.current.Interfaces[k]
		if i.Name != iface {
			continue
		}
		for _, a := range i.Addrs {
			if a.Contains(addr) {
				return true
			}
		}
	}
	return false
}

// openLast gives a space the device that leads into nave's own table, where it needs one beside those that have it anyway.
func (l *linux) openLast(s *space) bool {
	err := l.last(s)
	if told := "nave0"; err != nil && !s.told[told] {
		s.told[told] = true
		l.g.opt.Log.Warn("routes that only nave can use are not for the box's own programs, until the configuration is read again", "table", s.label(), "error", err)
	}
	return err == nil
}

// openRoutes begins to keep nave's routes in the kernel's table of a space.
func (g *Gateway) openRoutes(s *space) error {
	r, err := s.host.OpenRoutes(func(refused int, err error) {
		if refused == 0 {
			g.opt.Log.Info("the kernel has all routes for the box's own programs", "table", s.label())
			return
		}
		g.opt.Log.Warn("the kernel refuses routes, and the box's own programs do not reach what they lead to; nave forwards by them all the same (docs/routes.md)",
			"table", s.label(), "routes", refused, "error", err)
	})
	if err != nil {
		return err
	}
	s.routes = r
	if g.linux != nil && g.linux.settled {
		r.Settle()
	}
	return nil
}

// endRoutes takes nave's routes away when the Gateway ends, but for those that the box is reached by without nave: configured ones and DHCP's by ports, whose addresses stay as well.
// Nothing runs any more.
func (g *Gateway) endRoutes() {
	for _, s := range g.spaces {
		if s.routes == nil {
			continue // the start failed
		}
		if err := s.routes.End(); err != nil {
			g.opt.Log.Warn("routes for the box's own programs stay", "table", s.label(), "error", err)
		}
	}
}

// settleAgain is how often it is looked whether routes of before are not wanted any more.
const settleAgain = 5 * time.Second

// settleRoutes has routes go that a naved before has left and nobody wants, once everything that may want them has had the time to: when the configuration is complete, and
// after a takeover, when that has ended.
func (l *linux) settleRoutes() {
	if l.settled || !l.g.core.configured {
		return
	}
	if _, _, until := l.g.core.Router().Takeover(); !until.IsZero() || !l.g.core.isComplete() && time.Since(l.g.started) < presumeFor {
		if !l.settling {
			l.settling = true
			time.AfterFunc(settleAgain, func() {
				l.g.loop.Do(func(time.Time) {
					l.settling = false
					l.settleRoutes()
				})
			})
		}
		return
	}
	l.settled = true
	for _, s := range l.g.spaces {
		s.routes.Settle()
	}
}
