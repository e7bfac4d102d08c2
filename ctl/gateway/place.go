package gateway

import (
	"errors"
	"fmt"
	"time"

	"nave/bpf"
)

// setPorts puts each port into the namespace of its VRF, and opens what could not be opened before.
func (g *Gateway) setPorts() error {
	var failed error
	for _, p := range g.ports {
		to := g.spaces[vrfOf(g.core.tree, p.name)]
		if to != nil {
			if _, ok := to.id(); !ok {
				to = nil
			}
		}
		if to == nil {
			to = g.home // the VRF is none, or could not be made: the port is in no table, without addresses
		}
		if to == p.space && p.isOpen {
			continue
		}
		if err := g.place(p, to); err != nil {
			failed = errors.Join(failed, fmt.Errorf("gateway: port %s: %w", p.name, err))
		}
	}
	return failed
}

// place takes a port to another namespace: its sockets, which die with the move, are closed before, its addresses, which it loses, are given afterwards, and the sockets opened
// last. Its steering stays on all the time, so nothing of one table gets into the other; the rest of its workers goes on. What fails leaves the port down.
func (g *Gateway) place(p *port, to *space) error {
	if to != p.space {
		g.opt.Log.Info("port moves", "port", p.name, "netdev", p.netdev, "from", p.space.label(), "to", to.label())
		g.endLease(p.name)
		if err := g.closeQueues(p); err != nil {
			return err
		}
		g.steerNowhere(p)
		g.cards.drop(p.name)
		p.space.links.remove(p.name)
		if err := g.namespaces.Move(p.netdev, p.space.host, to.host); err != nil {
			if at := g.namespaces.Find(p.netdev, to.host); at == nil {
				return errors.Join(err, p.space.host.SetUp(p.netdev, false, 0))
			}
			g.opt.Log.Warn("a port that moved", "port", p.name, "error", err) // it is there, but not all that came with it
		}
		p.space, p.shutdown = to, false
	}
	if err := g.bringUp(p, g.core.tree); err != nil {
		return err
	}
	if err := errors.Join(g.describe(p), g.openQueues(p)); err != nil {
		return errors.Join(err, p.space.host.SetUp(p.netdev, false, 0))
	}
	if err := g.cards.add(p, p.queues, g.core.tree.Fastpath.Spread); err != nil {
		g.opt.Log.Warn("network card", "port", p.name, "error", err)
	}
	g.cards.steerAgain()
	g.linux.rewant(p.name)
	return g.core.SetLink(time.Now(), p.name, p.fact())
}

// steerNowhere has the steering take every packet of a port for transit while it is between two tables, and drop it: its sockets are closed.
func (g *Gateway) steerNowhere(p *port) {
	d := bpf.Port{MAC: p.link.MAC, VRF: noVRF, Base: slot(p.number, 0)}
	if err := g.steering.SetPort(p.number, d); err != nil {
		g.opt.Log.Warn("steering", "port", p.name, "error", err)
	}
}

// label names a space in the log.
func (s *space) label() string {
	if s.name == "" {
		return "the global table"
	}
	return "VRF " + s.name
}

// endSpaces brings the ports home and takes the namespaces away, when the Gateway ends: nothing runs any more. The steering of a port that stays on takes the addresses of home for
// the box's own from then on, and drops everything else.
func (g *Gateway) endSpaces() {
	if g.namespaces == nil {
		return
	}
	warn := func(what string, err error) {
		if err != nil {
			g.opt.Log.Warn(what, "error", err)
		}
	}
	for _, p := range g.ports {
		if p.space == g.home || p.space == nil {
			continue
		}
		g.steerNowhere(p)
		warn("bringing a port home", g.namespaces.Move(p.netdev, p.space.host, g.home.host))
		p.space = g.home
		if l, err := g.home.host.Link(p.netdev); err == nil {
			p.link = l
		}
	}
	for name, s := range g.spaces {
		if name == "" {
			continue
		}
		s.vrf.Store(noVRF)
		s.cancel()
		delete(g.spaces, name)
		g.registry.remove(name)
		warn("ending a VRF", g.namespaces.Remove(name, s.host))
	}
	if g.steering == nil || g.core == nil {
		return
	}
	warn("steering", g.setLocals())
	for _, p := range g.ports {
		warn("steering", g.describe(p))
	}
}
