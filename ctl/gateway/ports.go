package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"nave/bpf"
	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath/host"
)

// queuesPerPort is how many sockets a port has room for in the steering map.
const queuesPerPort = 64

// Frames of each worker: for the rings of its ports and what is under way.
const (
	framesPerPort = 6144
	framesOwn     = 4096
)

// port is a netdev as a port. The control plane's goroutine has it, but for what is said to be fixed.
type port struct {
	name     string     // interface; fixed
	netdev   string     // fixed
	id       fib.PortID // fixed
	number   uint32     // in the steering, from 1; fixed
	queues   int        // queue q is worker q%workers's; fixed
	space    *space     // that it is in
	link     host.Link
	attached *bpf.Attachment
	isOpen   bool      // its queues are open, or tried again by the crew
	shutdown bool      // `shutdown`: the netdev was taken down
	failed   time.Time // when it last could not be put where it belongs

	sharingMu sync.Mutex
	sharing   sharing
}

// slots are the places of ports in the steering's map of sockets, by the numbers that the fast path has for them.
type slots struct {
	mu sync.Mutex
	m  map[fib.PortID]uint32 // the port's number in the steering
}

func (s *slots) set(id fib.PortID, number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[fib.PortID]uint32)
	}
	s.m[id] = number
}

// of is the place of a queue's socket.
func (s *slots) of(id fib.PortID, queue int) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slot(s.m[id], queue)
}

// plan is how many workers there are, and how large a frame must be.
type plan struct {
	workers int
	chunk   int
	links   map[string]host.Link
	copies  bool // AF_XDP without zero-copy
}

// plan looks at the netdevs, each in the space where it belongs. Each RX queue has a worker, for what arrives on a queue without one is dropped; a worker may have several queues
// of a port, or none.
func (g *Gateway) plan(tree *config.Config) (plan, error) {
	p := plan{workers: max(1, tree.Fastpath.Count, len(tree.Fastpath.CPUs)), chunk: 2048, links: make(map[string]host.Link)}
	if len(g.opt.Ports) >= bpf.MaxSockets/queuesPerPort {
		return p, fmt.Errorf("gateway: %d ports: at most %d", len(g.opt.Ports), bpf.MaxSockets/queuesPerPort-1)
	}
	for _, name := range slices.Sorted(maps.Keys(g.opt.Ports)) {
		dev := g.opt.Ports[name]
		s := g.spaces[vrfOf(tree, name)]
		if err := g.fetch(dev, s); err != nil {
			return p, fmt.Errorf("gateway: port %s: %w", name, err)
		}
		l, err := s.host.Link(dev)
		if err != nil {
			return p, fmt.Errorf("gateway: port %s: %w", name, err)
		}
		l.MTU = cmp.Or(configuredMTU(tree, name), l.MTU)
		if tree.Fastpath.Count == 0 && len(tree.Fastpath.CPUs) == 0 {
			p.workers = max(p.workers, l.Queues)
		}
		if l.MTU > largestMTU {
			return p, fmt.Errorf("gateway: port %s: %s has MTU %d, and a frame of AF_XDP holds %d: lower the MTU", name, dev, l.MTU, largestMTU)
		}
		if l.MTU+ethernetBytes > 2048-afxdpHeadroom {
			p.chunk = 4096
		}
		p.links[name] = l
	}
	for name, l := range p.links {
		if l.Queues > queuesPerPort {
			return p, fmt.Errorf("gateway: port %s: %s has %d RX queues: at most %d (`ethtool -L %s combined %d`)", name, l.Name, l.Queues, queuesPerPort, l.Name, queuesPerPort)
		}
	}
	p.copies = g.opt.Copy
	lacking := lacksZeroCopy(p.links, func(name string, f func() error) error { return g.spaces[vrfOf(tree, name)].host.Within(f) })
	if lacking != "" && !p.copies {
		p.copies = true
		g.opt.Log.Info("packets are copied between the ports and nave: all ports of a worker must have zero-copy, and a driver has none", "port", lacking, "netdev", p.links[lacking].Name)
	}
	g.sockets = socketsOf(tree, p.copies)
	return p, nil
}

// fetch brings a netdev into a space, from whichever it is in: a naved before has left it there, perhaps, or it was configured otherwise then.
func (g *Gateway) fetch(netdev string, to *space) error {
	among := []*host.Host{to.host, g.home.host}
	for _, s := range g.spaces {
		among = append(among, s.host)
	}
	at := g.namespaces.Find(netdev, among...)
	if at == nil || at == to.host {
		return nil // where it is not found, whoever wants it says so
	}
	moved, err := g.namespaces.Move(netdev, at, to.host)
	if moved {
		g.fetched = append(g.fetched, netdev)
	}
	if moved && err != nil {
		g.opt.Log.Warn("a port that moved", "netdev", netdev, "error", err) // it is there, but not all that came with it
		return nil
	}
	return err
}

const (
	afxdpHeadroom = 256
	ethernetBytes = 18                                         // with a VLAN tag
	largestMTU    = 4096 - afxdpHeadroom - ethernetBytes - 320 // native XDP on veth keeps 320 bytes for itself
)

// configuredMTU is `mtu` of an interface, 0 where it says nothing.
func configuredMTU(tree *config.Config, name string) int {
	for _, i := range tree.Interfaces {
		if i.Name == name {
			return i.MTU
		}
	}
	return 0
}

// openPorts opens a socket for each queue.
func (g *Gateway) openPorts(tree *config.Config, p plan) error {
	for k, name := range slices.Sorted(maps.Keys(p.links)) { // the first port of a worker decides about zero-copy
		l := p.links[name]
		pt := &port{name: name, netdev: l.Name, id: g.core.numbers.port(name, l.MAC), number: uint32(k + 1), queues: l.Queues, space: g.spaces[vrfOf(tree, name)]}
		g.slots.set(pt.id, pt.number)
		if err := g.openPort(pt, tree); err != nil {
			return err
		}
	}
	g.tellMemory()
	if g.crew != nil {
		return g.crew.Prune()
	}
	return nil
}

func (g *Gateway) openPort(pt *port, tree *config.Config) error {
	if err := g.bringUp(pt, tree); err != nil {
		return err
	}
	g.ports[pt.name] = pt
	if err := g.openQueues(pt); err != nil {
		return fmt.Errorf("gateway: port %s (%s): %w", pt.name, pt.netdev, err)
	}
	if err := g.describe(pt); err != nil {
		return err
	}
	if err := g.cards.add(pt, pt.queues, tree.Fastpath.Spread); err != nil {
		return err
	}
	pt.sharing = decide(tree.Fastpath.HandOver, pt.queues, g.engine.Workers(), g.cards.spreads(pt.name))
	if err := g.share(pt, &pt.sharing); err != nil {
		g.opt.Log.Warn("handing packets over", "error", err)
	}
	return g.core.SetLink(g.started, pt.name, pt.fact())
}

// bringUp readies the netdev of a port, in the space that it is in.
func (g *Gateway) bringUp(p *port, tree *config.Config) error {
	h := p.space.host
	if err := h.SetUp(p.netdev, true, configuredMTU(tree, p.name)); err != nil {
		return err
	}
	if err := h.Prepare(p.netdev); err != nil {
		return err
	}
	l, err := h.Link(p.netdev)
	if err != nil {
		return err
	}
	p.link, p.shutdown = l, false // setLinks takes it down again if it is to be
	p.space.links.set(l.Index, device{p.name, p.id})
	return nil
}

// fact is what the control plane is told of the port.
func (p *port) fact() Link { return Link{MAC: p.link.MAC, MTU: p.link.MTU, Up: p.link.Up} }

// describe tells the XDP program what the port is. The addresses of a space that is no VRF's are nobody's: all of its packets are nave's, and dropped.
func (g *Gateway) describe(p *port) error {
	d := bpf.Port{MAC: p.link.MAC, VRF: p.space.vrf.Load(), Base: slot(p.number, 0)}
	for _, i := range g.core.current.Interfaces {
		if i.Name == p.name && i.MPLS {
			d.Flags |= bpf.PortMPLS
		}
	}
	return g.steering.SetPort(p.number, d)
}

// attachPorts puts the steering on the ports, once all that it leads to is there.
func (g *Gateway) attachPorts() error {
	for _, p := range g.ports {
		err := p.space.host.Within(func() (err error) {
			p.attached, err = g.steering.Attach(p.number, p.link.Index, filepath.Join(g.pins, bpf.PinName(p.netdev)))
			return err
		})
		if err != nil {
			return fmt.Errorf("gateway: port %s (%s): %w", p.name, p.netdev, err)
		}
		if !p.attached.Native {
			g.opt.Log.Warn("the driver has no XDP of its own: packets take the slower generic way", "port", p.name, "netdev", p.netdev)
		}
	}
	return nil
}

// closeQueues ends the sockets of a port. The worker has them no more, and nothing is steered to them.
func (g *Gateway) closeQueues(p *port) error {
	p.isOpen = false
	var failed error
	for q := range p.queues {
		failed = errors.Join(failed, g.steering.ClearSocket(slot(p.number, q)))
	}
	for w := range min(p.queues, g.engine.Workers()) {
		failed = errors.Join(failed, g.workers.Detach(w, p.id))
	}
	return failed
}

// closePorts ends the sockets. The steering stays unless it is to be released.
func (g *Gateway) closePorts(release bool) {
	for _, p := range g.ports {
		for q := range p.queues {
			if err := g.steering.ClearSocket(slot(p.number, q)); err != nil {
				g.opt.Log.Warn("closing a port", "port", p.name, "error", err)
			}
		}
		if g.threads != nil {
			for w := range g.engine.Workers() {
				if err := g.threads.Detach(w, p.id); err != nil {
					g.opt.Log.Warn("closing a port", "port", p.name, "error", err)
				}
			}
		}
		if p.attached == nil {
			continue
		}
		err := p.attached.Leave
		if release {
			err = p.attached.Detach
		}
		if e := err(); e != nil {
			g.opt.Log.Warn("closing a port", "port", p.name, "error", e)
		}
	}
}

// setLinks gives netdevs and the loopbacks the addresses that are configured, and takes down what is shut down.
func (g *Gateway) setLinks() error {
	var failed error
	loopback := make(map[fib.VRF][]netip.Prefix)
	addresses := make(map[string][]netip.Prefix)
	for _, i := range g.core.current.Interfaces {
		switch {
		case i.Port != 0:
			addresses[i.Name] = i.Addrs
		case i.Tunnel == nil && i.Up:
			for _, a := range i.Addrs {
				loopback[i.VRF] = append(loopback[i.VRF], netip.PrefixFrom(a.Addr(), 32))
			}
		}
	}
	for name, p := range g.ports {
		if !p.isOpen {
			continue // it could not be put where it belongs, and is down
		}
		if down := g.isShutDown(name); down != p.shutdown {
			p.shutdown = down
			failed = errors.Join(failed, p.space.host.SetUp(p.netdev, !down, 0))
		}
		failed = errors.Join(failed, p.space.host.SetAddresses(p.netdev, addresses[name]), g.describe(p))
	}
	for _, s := range g.spaces {
		if vrf, ok := s.id(); ok {
			failed = errors.Join(failed, s.host.SetAddresses("lo", loopback[vrf]))
		}
	}
	return failed
}

func (g *Gateway) isShutDown(name string) bool {
	for _, i := range g.core.tree.Interfaces {
		if i.Name == name {
			return i.Shutdown
		}
	}
	return false
}

// setVLANs tells the steering which tags are subinterfaces, and has cards leave tags in frames where there are any.
func (g *Gateway) setVLANs() error {
	var failed error
	for _, p := range g.ports {
		var want []uint16
		for _, i := range g.core.current.Interfaces {
			if i.Parent == p.id {
				want = append(want, i.VLAN)
			}
		}
		failed = errors.Join(failed, g.steering.SetVLANs(p.number, want))
		g.cards.keepTags(p, len(want) > 0)
	}
	return failed
}

// setLocals tells the steering which addresses are the box's own, and which of them are tunnel sources: in each table.
func (g *Gateway) setLocals() error {
	var failed error
	var locals []bpf.Local
	for _, s := range g.spaces {
		vrf, ok := s.id()
		if !ok {
			continue
		}
		all, err := s.host.AllAddresses()
		failed = errors.Join(failed, err)
		for _, a := range all {
			locals = append(locals, bpf.Local{VRF: uint32(vrf), Addr: a, Flags: bpf.LocalHost})
		}
	}
	if failed != nil {
		return failed // rather what it was than half of it
	}
	for _, i := range g.core.current.Interfaces {
		if i.Tunnel != nil && i.Tunnel.Local.IsValid() {
			flags := bpf.LocalHost | bpf.LocalTunnel
			if i.Tunnel.Protected {
				flags |= bpf.LocalNATT
			}
			locals = append(locals, bpf.Local{VRF: uint32(i.Tunnel.OuterVRF), Addr: i.Tunnel.Local, Flags: flags})
		}
	}
	return g.steering.SetLocals(locals)
}
