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
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// linux carries out what the control plane asks of Linux. It implements slowpath.Linux. Netlink may be slow, so
// requests go through a queue of their own.
type linux struct {
	g    *Gateway
	lost atomic.Uint64 // punts and packets of the host that found their queue full
	// routes counts what Routes was told, so that an older wish is not tried again.
	routes atomic.Uint64

	mu    sync.Mutex
	queue []func() // none is lost: what is wanted of neighbours and routes is said once
	more  chan struct{}
}

func newLinux(g *Gateway) *linux { return &linux{g: g, more: make(chan struct{}, 1)} }

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

// neighbour asks something about a neighbour of a port; of other interfaces there is nothing to ask.
func (l *linux) neighbour(iface string, addr netip.Addr, ask func(netdev string, addr netip.Addr) error) {
	p := l.g.ports[iface]
	if p == nil {
		return
	}
	l.do(func() {
		if err := ask(p.netdev, addr); err != nil {
			l.g.opt.Log.Debug("neighbour", "interface", iface, "address", addr, "error", err)
		}
	})
}

func (l *linux) Want(iface string, addr netip.Addr)    { l.neighbour(iface, addr, l.g.host.Keep) }
func (l *linux) Unwant(iface string, addr netip.Addr)  { l.neighbour(iface, addr, l.g.host.Unkeep) }
func (l *linux) Resolve(iface string, addr netip.Addr) { l.neighbour(iface, addr, l.g.host.Resolve) }

// Deliver writes a packet to the tunnel's twin. The kernel takes it at once or drops it.
func (l *linux) Deliver(_ fib.VRF, tunnel string, packet []byte) {
	if t := l.g.twins[tunnel]; t != nil {
		if err := t.Write(packet); err != nil {
			l.g.opt.Log.Debug("twin", "interface", tunnel, "error", err)
		}
	}
}

// DeliverFrame implements slowpath.Linux.
func (l *linux) DeliverFrame(string, []byte) {}

// LDP implements slowpath.Linux.
func (l *linux) LDP(ldp.Effect) {}

// Originate implements slowpath.Linux.
func (l *linux) Originate([]bgp.Local, []bgp.Key) {}

// Routes puts static routes and those of DHCP into the kernel's table.
func (l *linux) Routes(_ fib.VRF, routes []rib.Route) {
	var want []host.Route
	for _, r := range routes {
		if (r.Source != rib.Static && r.Source != rib.DHCP) || len(r.Hops) == 0 {
			continue
		}
		h := r.Hops[0]
		k := host.Route{Prefix: r.Prefix, Link: h.Iface, Gateway: h.Addr}
		if p := l.g.ports[h.Iface]; p != nil {
			k.Link = p.netdev
		} else {
			k.Gateway = netip.Addr{} // a twin has no neighbours: the tunnel finds its own way
		}
		want = append(want, k)
	}
	n := l.routes.Add(1)
	l.do(func() { l.setRoutes(n, want, routeTries) })
}

// A gateway may be on a link that the kernel has no address of yet: what it refuses is tried again, so many times.
const (
	routeTries = 10
	routeRetry = time.Second
)

// setRoutes writes the routes of the n-th change, unless another followed.
func (l *linux) setRoutes(n uint64, want []host.Route, tries int) {
	if l.routes.Load() != n {
		return
	}
	err := l.g.host.SetRoutes(want)
	switch {
	case err == nil:
	case tries > 1:
		l.g.opt.Log.Debug("routes for the box's own programs, tried again", "error", err)
		time.AfterFunc(routeRetry, func() { l.do(func() { l.setRoutes(n, want, tries-1) }) })
	default:
		l.g.opt.Log.Warn("routes for the box's own programs", "error", err)
	}
}

// Log passes on what the protocols report.
func (l *linux) Log(e slowpath.Event) {
	if l.g.opt.Event != nil {
		l.g.opt.Event(e)
	}
}

// watcher takes what changes in the namespace to the control plane.
func (g *Gateway) watcher() host.Watcher {
	byIndex := make(map[int]string)
	for name, p := range g.ports {
		byIndex[p.link.Index] = name
	}
	return host.Watcher{
		Link: func(l host.Link, there bool) {
			name, ok := byIndex[l.Index]
			if !ok {
				return
			}
			g.loop.Do(func(now time.Time) { g.linkChanged(now, g.ports[name], l, there) })
		},
		Neighbour: func(n host.Neighbour) {
			if name, ok := byIndex[n.Link]; ok {
				g.loop.Do(func(now time.Time) { g.core.Router().At(now).Neighbour(name, n.Addr, n.MAC, n.OK) })
			}
		},
		Addresses: func() {
			g.loop.Do(func(time.Time) {
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
	if err := g.core.SetLink(now, p.name, Link{MAC: l.MAC, MTU: l.MTU, Up: l.Up}); err != nil {
		g.opt.Log.Error("link change", "port", p.name, "error", err)
	}
	if err := g.follow(); err != nil {
		g.opt.Log.Error("link change", "port", p.name, "error", err)
	}
}

// PortNames lists the ports by interface name, sorted.
func (g *Gateway) PortNames() []string { return slices.Sorted(maps.Keys(g.ports)) }
