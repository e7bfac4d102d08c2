package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"nave/bpf"
)

// placeAgain is how long a port that could not be put where it belongs is left alone, unless the configuration is read: trying may take a while, and the netdev goes up and
// down by it, which is a change of a link like any other.
const placeAgain = 10 * time.Second

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
		if to == p.space && p.isOpen || time.Since(p.failed) < placeAgain {
			continue
		}
		p.failed = time.Time{}
		if err := g.place(p, to); err != nil {
			p.failed = time.Now()
			failed = errors.Join(failed, fmt.Errorf("gateway: port %s: %w", p.name, err), g.keepDown(p))
		}
	}
	return failed
}

// place takes a port to another namespace: its sockets, which die with the move, are closed before, its addresses, which it loses, are given afterwards, and the sockets opened
// last. Its steering stays on all the time, so nothing of one table gets into the other; the rest of its workers goes on.
func (g *Gateway) place(p *port, to *space) error {
	if to != p.space {
		g.opt.Log.Info("port moves", "port", p.name, "netdev", p.netdev, "from", p.space.label(), "to", to.label())
		g.endLease(p.name)
		err := g.closeQueues(p)
		g.steerNowhere(p)
		if err != nil {
			return err
		}
		g.cards.drop(p.name)
		p.space.links.remove(p.name)
		switch moved, err := g.namespaces.Move(p.netdev, p.space.host, to.host); {
		case !moved:
			return err
		case err != nil:
			g.opt.Log.Warn("a port that moved", "port", p.name, "error", err) // it is there, but not all that came with it
		}
		p.space.routes.Check() // those by it went with the move
		p.space = to
	}
	if err := g.bringUp(p, g.core.tree); err != nil {
		return err
	}
	if err := errors.Join(g.describe(p), g.openQueues(p)); err != nil {
		return err
	}
	if err := g.cards.add(p, p.queues, g.core.tree.Fastpath.Spread); err != nil {
		g.opt.Log.Warn("network card", "port", p.name, "error", err)
	}
	g.cards.steerAgain()
	g.linux.rewant(p.name)
	return g.core.SetLink(time.Now(), p.name, p.fact())
}

// keepDown has a port down that could not be put where it belongs. It is tried again when the configuration is read, or a link changes later on.
func (g *Gateway) keepDown(p *port) error {
	p.isOpen = false
	g.steerNowhere(p)
	p.link.Up = false
	return errors.Join(p.space.host.SetUp(p.netdev, false, 0), g.core.SetLink(time.Now(), p.name, p.fact()))
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
		moved, err := g.namespaces.Move(p.netdev, p.space.host, g.home.host)
		warn("bringing a port home", err)
		if !moved {
			continue // and what comes in by it is dropped
		}
		p.space = g.home
		if l, err := g.home.host.Link(p.netdev); err == nil {
			p.link = l
		}
	}
	for _, netdev := range g.fetched { // of a start that failed before they were ports
		if !slices.ContainsFunc(slices.Collect(maps.Values(g.ports)), func(p *port) bool { return p.netdev == netdev }) {
			warn("bringing a port home", g.fetch(netdev, g.home))
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
