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

// port is a netdev as a port.
type port struct {
	name     string // interface
	netdev   string
	id       fib.PortID
	link     host.Link
	queues   int // queue q is worker q%workers's
	attached *bpf.Attachment
	shutdown bool // `shutdown`: the netdev was taken down

	sharingMu sync.Mutex
	sharing   sharing
}

// plan is how many workers there are, and how large a frame must be.
type plan struct {
	workers int
	chunk   int
	links   map[string]host.Link
	copies  bool // AF_XDP without zero-copy
}

// plan looks at the netdevs. Each RX queue has a worker, for what arrives on a queue without one is dropped; a worker may have several queues of a port, or none.
func (g *Gateway) plan(tree *config.Config) (plan, error) {
	p := plan{workers: max(1, tree.Fastpath.Count, len(tree.Fastpath.CPUs)), chunk: 2048, links: make(map[string]host.Link)}
	if len(g.opt.Ports) >= bpf.MaxSockets/queuesPerPort {
		return p, fmt.Errorf("gateway: %d ports: at most %d", len(g.opt.Ports), bpf.MaxSockets/queuesPerPort-1)
	}
	for _, name := range slices.Sorted(maps.Keys(g.opt.Ports)) {
		dev := g.opt.Ports[name]
		l, err := g.host.Link(dev)
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
	if lacking := lacksZeroCopy(p.links); lacking != "" && !p.copies {
		p.copies = true
		g.opt.Log.Info("packets are copied between the ports and nave: all ports of a worker must have zero-copy, and a driver has none", "port", lacking, "netdev", p.links[lacking].Name)
	}
	return p, nil
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
	for _, name := range slices.Sorted(maps.Keys(p.links)) { // the first port of a worker decides about zero-copy
		if err := g.openPort(name, p.links[name], tree, p.copies); err != nil {
			return err
		}
	}
	g.tellMemory()
	if g.crew != nil {
		return g.crew.Prune()
	}
	return nil
}

func (g *Gateway) openPort(name string, l host.Link, tree *config.Config, copies bool) error {
	if err := g.host.SetUp(l.Name, true, configuredMTU(tree, name)); err != nil {
		return err
	}
	if err := g.host.Prepare(l.Name); err != nil {
		return err
	}
	l, err := g.host.Link(l.Name)
	if err != nil {
		return err
	}
	pt := &port{name: name, netdev: l.Name, id: g.core.numbers.port(name, l.MAC), link: l}
	g.ports[name], g.byLink[l.Index] = pt, pt.id
	if err := g.openQueues(pt, tree, copies); err != nil {
		return fmt.Errorf("gateway: port %s (%s): %w", name, l.Name, err)
	}
	if err := g.describe(pt); err != nil {
		return err
	}
	if err := g.cards.add(pt, pt.queues, tree.Fastpath.Spread); err != nil {
		return err
	}
	pt.sharing = decide(tree.Fastpath.HandOver, pt.queues, g.engine.Workers(), g.cards.spreads(name))
	if err := g.share(pt, &pt.sharing); err != nil {
		g.opt.Log.Warn("handing packets over", "error", err)
	}
	return g.core.SetLink(g.started, name, Link{MAC: l.MAC, MTU: l.MTU, Up: l.Up})
}

// describe tells the XDP program what the port is.
func (g *Gateway) describe(p *port) error {
	return g.steering.SetPort(uint32(p.id), bpf.Port{MAC: p.link.MAC, Base: slot(p.id, 0)})
}

// attachPorts puts the steering on the ports, once all that it leads to is there.
func (g *Gateway) attachPorts() error {
	for _, p := range g.ports {
		a, err := g.steering.Attach(uint32(p.id), p.link.Index, filepath.Join(g.pins, bpf.PinName(p.netdev)))
		if err != nil {
			return fmt.Errorf("gateway: port %s (%s): %w", p.name, p.netdev, err)
		}
		p.attached = a
		if !a.Native {
			g.opt.Log.Warn("the driver has no XDP of its own: packets take the slower generic way", "port", p.name, "netdev", p.netdev)
		}
	}
	return nil
}

// closePorts ends the sockets. The steering stays unless it is to be released.
func (g *Gateway) closePorts(release bool) {
	for _, p := range g.ports {
		for q := range p.queues {
			if err := g.steering.ClearSocket(slot(p.id, q)); err != nil {
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

// setLinks gives netdevs and the loopback the addresses that are configured, and takes down what is shut down.
func (g *Gateway) setLinks() error {
	var failed error
	var loopback []netip.Prefix
	addresses := make(map[string][]netip.Prefix)
	for _, i := range g.core.current.Interfaces {
		switch {
		case i.Port != 0:
			addresses[i.Name] = i.Addrs
		case i.Tunnel == nil && i.Up:
			for _, a := range i.Addrs {
				loopback = append(loopback, netip.PrefixFrom(a.Addr(), 32))
			}
		}
	}
	for name, p := range g.ports {
		if down := g.isShutDown(name); down != p.shutdown {
			p.shutdown = down
			failed = errors.Join(failed, g.host.SetUp(p.netdev, !down, 0))
		}
		failed = errors.Join(failed, g.host.SetAddresses(p.netdev, addresses[name]))
	}
	return errors.Join(failed, g.host.SetAddresses("lo", loopback))
}

func (g *Gateway) isShutDown(name string) bool {
	for _, i := range g.core.tree.Interfaces {
		if i.Name == name {
			return i.Shutdown
		}
	}
	return false
}

// setLocals tells the steering which addresses are the box's own, and which of them are tunnel sources.
func (g *Gateway) setLocals() error {
	all, err := g.host.AllAddresses()
	if err != nil {
		return err
	}
	var locals []bpf.Local
	for _, a := range all {
		locals = append(locals, bpf.Local{Addr: a, Flags: bpf.LocalHost})
	}
	for _, i := range g.core.current.Interfaces {
		if i.Tunnel != nil && i.Tunnel.Local.IsValid() {
			flags := bpf.LocalHost | bpf.LocalTunnel
			if i.Tunnel.Protected {
				flags |= bpf.LocalNATT
			}
			locals = append(locals, bpf.Local{Addr: i.Tunnel.Local, Flags: flags})
		}
	}
	return g.steering.SetLocals(locals)
}
