package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath/fib"
)

// Apply installs and removes the entries of b. A malformed batch is an error and changes nothing. An entry
// that does not fit is refused by itself and the rest stands; what was there before under its number or prefix stays.
// Workers see every entry whole or not at all, from their next burst at the latest. Applying what is installed changes nothing.
func (e *Engine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.New("fastpath: apply: the engine is closed")
	}
	if err := e.checkBatch(b); err != nil {
		return nil, fmt.Errorf("fastpath: apply: %w; nothing was changed", err)
	}
	refused := e.install(b)
	e.remove(b)
	e.tables.Commit()
	return refused, nil
}

func (e *Engine) install(b *fib.Batch) (refused []fib.Refusal) {
	t := e.tables
	for i := range b.Ports {
		if err := t.SetPort(&b.Ports[i]); err != nil {
			refused = refuse(refused, err, "port %d", b.Ports[i].ID)
		}
	}
	for i := range b.Tunnels {
		id := b.Tunnels[i].ID
		if t.Tunnel(uint32(id)) == nil {
			e.base.newTunnel(e, id)
		}
		if err := t.SetTunnel(&b.Tunnels[i]); err != nil {
			refused = refuse(refused, err, "tunnel %d", id)
		}
	}
	for i := range b.Adjacencies {
		a := &b.Adjacencies[i]
		err := e.installAdj(a)
		if err != nil {
			refused = refuse(refused, err, "adjacency %d", a.ID)
		}
	}
	for i := range b.Groups {
		if err := t.SetGroup(&b.Groups[i]); err != nil {
			refused = refuse(refused, err, "group %d", b.Groups[i].ID)
		}
	}
	for i := range b.Routes {
		r := &b.Routes[i]
		if err := e.installRoute(r); err != nil {
			refused = refuse(refused, err, "route %d %s", r.VRF, r.Prefix)
		}
	}
	return refused
}

func (e *Engine) installAdj(a *fib.Adjacency) error {
	if a.SA != 0 {
		return ErrNoEncryption
	}
	if e.tables.Adj(uint32(a.ID)) == nil {
		e.base.newAdj(e, a.ID)
	}
	return e.tables.SetAdj(a)
}

func (e *Engine) installRoute(r *fib.Route) error {
	var paths [fib.MaxPaths]uint32
	for i, id := range r.Paths {
		if id >= fib.FirstAdj && e.tables.Adj(uint32(id)) == nil {
			return fmt.Errorf("its adjacency %d was refused: %w", id, ErrFull)
		}
		paths[i] = uint32(id)
	}
	addr, plen := prefixWord(r.Prefix)
	return e.tables.Insert(uint16(r.VRF), addr, plen, paths[:len(r.Paths)])
}

func (e *Engine) remove(b *fib.Batch) {
	t := e.tables
	for _, k := range b.DelRoutes {
		addr, plen := prefixWord(k.Prefix)
		t.Delete(uint16(k.VRF), addr, plen)
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
}

func prefixWord(p netip.Prefix) (addr uint32, plen int) {
	b := p.Addr().As4()
	return binary.BigEndian.Uint32(b[:]), p.Bits()
}
