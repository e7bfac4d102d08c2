package gateway

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/host"
	"nave/slowpath/rib"
)

// linux carries out what the control plane asks of Linux. It implements slowpath.Linux. Netlink may be slow, so
// requests go through a queue of their own.
type linux struct {
	g    *Gateway
	lost atomic.Uint64 // punts and packets of the host that found their queue full
	// wanted and known are the neighbours that are to be kept, and those that the control plane was told of, by interface. The control plane's goroutine has them.
	wanted, known neighbourSet
	// routes is what Routes was told, by VRF. The same has it.
	routes map[fib.VRF][]rib.Route

	mu    sync.Mutex
	queue []func() // none is lost: what is wanted of neighbours and routes is said once
	more  chan struct{}
}

// neighbourSet is addresses by interface.
type neighbourSet map[string]map[netip.Addr]bool

func (n neighbourSet) set(iface string, addr netip.Addr, there bool) {
	switch {
	case !there:
		delete(n[iface], addr)
	case n[iface] == nil:
		n[iface] = map[netip.Addr]bool{addr: true}
	default:
		n[iface][addr] = true
	}
}

func newLinux(g *Gateway) *linux {
	return &linux{g: g, more: make(chan struct{}, 1), wanted: make(neighbourSet), known: make(neighbourSet), routes: make(map[fib.VRF][]rib.Route)}
}

func (l *linux) run() {
	for {
		l.mu.Lock()
		todo := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, f := range todo {
			if l.g.ctx.Err() != nil {
				return
			}
			f()
		}
		select {
		case <-l.g.ctx.Done():
			return
		case <-l.more:
		}
	}
}

func (l *linux) do(f func()) {
	l.mu.Lock()
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default: // it has been told
	}
}

// in is do with the host of a space, unless that is gone by then: its handle may not be used any more.
func (l *linux) in(s *space, f func(h *host.Host)) {
	l.do(func() {
		if s.ctx.Err() == nil {
			f(s.host)
		}
	})
}

// drain waits until all is done that was asked so far.
func (l *linux) drain() {
	if !l.g.isRunning {
		return // nobody does anything yet
	}
	done := make(chan struct{})
	l.do(func() { close(done) })
	select {
	case <-done:
	case <-l.g.ctx.Done():
	}
}

// neighbour asks something about a neighbour of a port or subinterface; of other interfaces there is nothing to ask.
func (l *linux) neighbour(iface string, addr netip.Addr, ask func(h *host.Host, netdev string, addr netip.Addr) error) {
	s, netdev := l.g.deviceOf(iface)
	if s == nil {
		return
	}
	l.in(s, func(h *host.Host) {
		if err := ask(h, netdev, addr); err != nil {
			l.g.opt.Log.Debug("neighbour", "interface", iface, "address", addr, "error", err)
		}
	})
}

// Want implements slowpath.Linux.
func (l *linux) Want(iface string, addr netip.Addr) {
	l.wanted.set(iface, addr, true)
	l.neighbour(iface, addr, (*host.Host).Keep)
}

// Unwant implements slowpath.Linux.
func (l *linux) Unwant(iface string, addr netip.Addr) {
	l.wanted.set(iface, addr, false)
	l.neighbour(iface, addr, (*host.Host).Unkeep)
}

// Resolve implements slowpath.Linux.
func (l *linux) Resolve(iface string, addr netip.Addr) {
	l.neighbour(iface, addr, (*host.Host).Resolve)
}

// rewant begins anew with the neighbours of an interface whose netdev is another, or in another namespace: what was known of them is not any more.
func (l *linux) rewant(iface string) {
	now := time.Now()
	for addr := range l.known[iface] {
		l.g.core.Router().At(now).Neighbour(iface, addr, [6]byte{}, false)
	}
	delete(l.known, iface)
	for addr := range l.wanted[iface] {
		l.neighbour(iface, addr, (*host.Host).Keep)
	}
}

// Deliver writes a packet to the tunnel's twin, or to the host of the VRF. The kernel takes it at once or drops it.
func (l *linux) Deliver(vrf fib.VRF, tunnel string, packet []byte) {
	t := l.g.twins[tunnel]
	if s := l.g.spaceOf(vrf); tunnel == "" && s != nil {
		t = s.last
	}
	l.give(t, packet)
}

// DeliverFrame writes a frame to the subinterface's twin.
func (l *linux) DeliverFrame(subinterface string, frame []byte) {
	if t := l.g.twins[subinterface]; t != nil && t.kind == twinFrames {
		l.give(t, frame)
	}
}

func (l *linux) give(t *twin, b []byte) {
	if t == nil {
		l.lost.Add(1)
		return
	}
	if err := t.Write(b); err != nil {
		l.g.opt.Log.Debug("twin", "netdev", t.Name(), "error", err)
	}
}

// Originate implements slowpath.Linux.
func (l *linux) Originate(announce []bgp.Local, retract []bgp.Key) {
	l.g.border.originate(announce, retract)
}

// Routes puts static routes and those of DHCP into the kernel's table of a VRF. What else is there, its namespace reaches by the way of last resort.
func (l *linux) Routes(changes []rib.Change) {
	touched := make(map[fib.VRF]bool)
	for _, c := range changes {
		touched[c.VRF] = true
		l.routes[c.VRF] = slices.DeleteFunc(l.routes[c.VRF], func(r rib.Route) bool { return r.Prefix == c.Prefix })
		if !c.Gone && (c.Source == rib.Static || c.Source == rib.DHCP) {
			l.routes[c.VRF] = append(l.routes[c.VRF], c.Route)
		}
	}
	for vrf := range touched {
		if s := l.g.spaceOf(vrf); s != nil {
			l.putRoutes(s, l.kernelRoutes(s, l.routes[vrf]))
		}
	}
}


// followRoutes puts the routes again that lead elsewhere than they were put: by netdevs or in namespaces that were not there when the control plane spoke of them.
func (l *linux) followRoutes() {
	for vrf, routes := range l.routes {
		s := l.g.spaceOf(vrf)
		if s == nil { // gone, and then none are wanted; or not made yet, and then these are put when it is
			if len(routes) == 0 {
				delete(l.routes, vrf)
			}
			continue
		}
		if want := l.kernelRoutes(s, routes); !slices.Equal(want, s.put) {
			l.putRoutes(s, want)
		}
	}
}

// kernelRoutes is what the kernel of a space is to have of routes.
func (l *linux) kernelRoutes(s *space, routes []rib.Route) []host.Route {
	var want []host.Route
	for _, r := range routes {
		if (r.Source != rib.Static && r.Source != rib.DHCP) || len(r.Hops) == 0 {
			continue
		}
		h := r.Hops[0]
		k := host.Route{Prefix: r.Prefix, Link: h.Iface, Gateway: h.Addr}
		at, netdev := l.g.deviceOf(h.Iface)
		switch {
		case at == s:
			k.Link = netdev
		case at != nil || l.g.twins[h.Iface] == nil || l.g.twins[h.Iface].space != s:
			continue // by another VRF's interface, or one that is not there yet
		default:
			k.Gateway = netip.Addr{} // a twin has no neighbours: the tunnel finds its own way
		}
		want = append(want, k)
	}
	return want
}

func (l *linux) putRoutes(s *space, want []host.Route) {
	s.put = want
	l.setRoutes(s, s.routes.Add(1), want, routeTries)
}

// A gateway may be on a link that the kernel has no address of yet: what it refuses is tried again, so many times.
const (
	routeTries = 10
	routeRetry = time.Second
)

// setRoutes writes the routes of the n-th change of a space, unless another followed.
func (l *linux) setRoutes(s *space, n uint64, want []host.Route, tries int) {
	l.in(s, func(h *host.Host) {
		if s.routes.Load() != n {
			return
		}
		err := h.SetRoutes(want)
		switch {
		case err == nil:
		case tries > 1:
			l.g.opt.Log.Debug("routes for the box's own programs, tried again", "table", s.label(), "error", err)
			time.AfterFunc(routeRetry, func() { l.setRoutes(s, n, want, tries-1) })
		default:
			l.g.opt.Log.Warn("routes for the box's own programs", "table", s.label(), "error", err)
		}
	})
}

// Log passes on what the protocols report.
func (l *linux) Log(e slowpath.Event) {
	if l.g.opt.Event != nil {
		l.g.opt.Event(e)
	}
}

// watcher takes what changes in a space to the control plane.
func (g *Gateway) watcher(s *space) host.Watcher {
	return host.Watcher{
		Link: func(l host.Link, there bool) {
			if _, ok := s.links.find(l.Index); !ok {
				return
			}
			g.loop.Do(func(now time.Time) {
				d, ok := s.links.find(l.Index) // by now: what has moved on is not gone
				if p := g.ports[d.name]; ok && p != nil {
					g.linkChanged(now, p, l, there)
				}
			})
		},
		Neighbour: func(n host.Neighbour) {
			if _, ok := s.links.find(n.Link); !ok {
				return
			}
			g.loop.Do(func(now time.Time) {
				if d, ok := s.links.find(n.Link); ok {
					g.linux.known.set(d.name, n.Addr, n.OK)
					g.core.Router().At(now).Neighbour(d.name, n.Addr, n.MAC, n.OK)
				}
			})
		},
		Addresses: func() {
			g.loop.Do(func(time.Time) {
				if s.ctx.Err() != nil {
					return
				}
				if err := g.setLocals(); err != nil {
					g.opt.Log.Error("steering does not know the box's addresses", "error", err)
				}
			})
		},
	}
}

func (g *Gateway) linkChanged(now time.Time, p *port, l host.Link, there bool) {
	if !there {
		l.Up = false
		g.opt.Log.Error("the netdev of a port is gone; restart naved when it is back", "port", p.name, "netdev", p.netdev)
	}
	l.Queues = p.link.Queues
	if p.link.Up != l.Up {
		g.opt.Log.Info("link", "port", p.name, "netdev", p.netdev, "up", l.Up)
	}
	mac := p.link.MAC != l.MAC
	p.link = l
	if mac {
		if err := g.describe(p); err != nil {
			g.opt.Log.Error("steering", "port", p.name, "error", err)
		}
	}
	if err := g.core.SetLink(now, p.name, p.fact()); err != nil {
		g.opt.Log.Error("link change", "port", p.name, "error", err)
	}
	if err := g.follow(); err != nil {
		g.opt.Log.Error("link change", "port", p.name, "error", err)
	}
}

// PortNames lists the ports by interface name, sorted.
func (g *Gateway) PortNames() []string { return slices.Sorted(maps.Keys(g.ports)) }
