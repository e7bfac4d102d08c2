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
)

// linux carries out what the control plane asks of Linux. It implements slowpath.Linux. Netlink may be slow, so
// requests go through a queue of their own.
type linux struct {
	g    *Gateway
	lost atomic.Uint64 // punts and packets of the host that found their queue full
	// wanted and known are the neighbours that are to be kept, and those that the control plane was told of, by interface. The control plane's goroutine has them.
	wanted, known neighbourSet
	// tables is what Routes was told, by VRF. The same has it, and the two that follow.
	tables   map[fib.VRF]*kernelTable
	settled  bool // routes of a naved before that nobody wants may go
	settling bool // it is looked at again
	// last gives a space its nave0.
	last func(*space) error

	mu    sync.Mutex
	queue []func() // none is lost: what is wanted of neighbours is said once
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
	return &linux{g: g, more: make(chan struct{}, 1), wanted: make(neighbourSet), known: make(neighbourSet), tables: make(map[fib.VRF]*kernelTable), last: g.openLast}
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
			s.routes.Check()
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
			s.routes.Check()
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
