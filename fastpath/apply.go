package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath/fib"
)

// Apply installs and removes the entries of b. A malformed batch is an error and changes nothing. An entry
// that does not fit, or leads to an adjacency that is not installed, is refused by itself and the rest stands; what was there before under its number or prefix stays.
// Workers see every entry whole or not at all, from their next burst at the latest. Applying what is installed changes nothing.
func (e *Engine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.late.joined {
		return nil, errors.New("fastpath: apply: the engine is closed, or another process writes the tables")
	}
	if err := e.checkBatch(b); err != nil {
		return nil, fmt.Errorf("fastpath: apply: %w; nothing was changed", err)
	}
	if e.pricer != nil {
		e.pricer.Begin(b)
	}
	refused := e.install(b)
	e.remove(b)
	if e.pricer != nil && e.pricer.Stale() {
		_ = e.reprice() // what finds no room keeps the price that it had
	}
	e.tables.Commit()
	e.forget()
	return refused, nil
}

func (e *Engine) install(b *fib.Batch) (refused []fib.Refusal) {
	t := e.tables
	for i := range b.SAs {
		if err := e.installSA(&b.SAs[i]); err != nil {
			id := b.SAs[i].ID
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("security association %d", id), Err: err, SA: id})
		}
	}
	for i := range b.Ports {
		if err := t.SetPort(&b.Ports[i]); err != nil {
			id := b.Ports[i].ID
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("port %d", id), Err: err, Port: id})
		}
	}
	for i := range b.Tunnels {
		if id := b.Tunnels[i].ID; t.Tunnel(uint32(id)) == nil {
			e.base.newTunnel(e, id)
		}
	}
	for i, err := range t.SetTunnels(b.Tunnels, b.DelTunnels) {
		if err != nil {
			id := b.Tunnels[i].ID
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("tunnel %d", id), Err: err, Tunnel: id})
		}
	}
	for i := range b.Adjacencies {
		a := &b.Adjacencies[i]
		if err := e.installAdj(a); err != nil {
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("adjacency %d", a.ID), Err: err, Adj: a.ID})
		}
	}
	for i := range b.Groups {
		g := &b.Groups[i]
		if err := e.installGroup(g); err != nil {
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("group %d", g.ID), Err: err, Group: g.ID})
		}
	}
	for i := range b.Labels {
		l := &b.Labels[i]
		if err := e.installLabel(l); err != nil {
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("label %d", l.In), Err: err, Label: l.In})
		}
	}
	for i := range b.Routes {
		r := &b.Routes[i]
		if err := e.installRoute(r); err != nil {
			key := fib.RouteKey{VRF: r.VRF, Prefix: r.Prefix}
			refused = append(refused, fib.Refusal{What: fmt.Sprintf("route %d %s", r.VRF, r.Prefix), Err: err, Route: key})
		}
	}
	return refused
}

func (e *Engine) installAdj(a *fib.Adjacency) error {
	if s := e.tables.SA(uint32(a.SA)); s != nil && a.SA != 0 && a.AH == 0 && s.Cipher == fib.CipherNull && s.ICV == 0 {
		return fmt.Errorf("security association %d neither encrypts nor authenticates, and there is no AH over it", a.SA)
	}
	if e.tables.Adj(uint32(a.ID)) == nil {
		e.base.newAdj(e, a.ID)
	}
	return e.tables.SetAdj(a)
}

func (e *Engine) installGroup(g *fib.Group) error {
	if err := e.installed(g.Members); err != nil {
		return err
	}
	return e.tables.SetGroup(g)
}

func (e *Engine) installLabel(l *fib.Label) error {
	if err := e.installed(l.Paths); err != nil {
		return err
	}
	isNew := e.tables.Label(l.In) == 0
	err := e.tables.SetLabel(l)
	if err != nil && isNew && e.pricer != nil {
		e.pricer.LabelGone(l.In, l.Action, fib.PlaceNone)
	}
	return err
}

func (e *Engine) installRoute(r *fib.Route) error {
	if err := e.installed(r.Paths); err != nil {
		return err
	}
	was := fib.PlaceNone
	if e.pricer != nil {
		addr, plen := prefixWord(r.Prefix)
		was = e.tables.RoutePlace(uint16(r.VRF), addr, plen)
	}
	return e.insertRoute(r, was)
}

// installed looks for adjacencies that are not there: not sent yet, or refused in this batch or an earlier one.
func (e *Engine) installed(ids []fib.AdjID) error {
	for _, id := range ids {
		if id >= fib.FirstAdj && e.tables.Adj(uint32(id)) == nil {
			return fmt.Errorf("adjacency %d: %w", id, ErrNoAdjacency)
		}
	}
	return nil
}

func (e *Engine) remove(b *fib.Batch) {
	t := e.tables
	for _, k := range b.DelRoutes {
		e.routeGone(k)
		addr, plen := prefixWord(k.Prefix)
		t.Delete(uint16(k.VRF), addr, plen)
	}
	t.MoveRoutes() // before adjacencies go that they have led to
	for _, in := range b.DelLabels {
		e.labelGone(in)
		t.DelLabel(in)
	}
	for _, id := range b.DelGroups {
		t.DelGroup(uint32(id))
	}
	for _, id := range b.DelAdjacencies {
		t.DelAdj(uint32(id))
	}
	for _, id := range b.DelTunnels {
		t.DelTunnel(uint32(id))
	}
	for _, id := range b.DelPorts {
		t.DelPort(uint32(id))
	}
	for _, id := range b.DelSAs {
		e.removeSA(id)
	}
}

func prefixWord(p netip.Prefix) (addr uint32, plen int) {
	b := p.Addr().As4()
	return binary.BigEndian.Uint32(b[:]), p.Bits()
}
