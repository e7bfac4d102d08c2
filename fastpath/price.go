package fastpath

import (
	"errors"
	"fmt"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
)

// SetPricer says who prices what is installed, from now on and all that is installed already; nil: nobody, and nothing costs anything. What it has no room for stays
// without: no entry is taken away. Routes are asked about table by table, in the order of their prefixes.
//
// The error is of prices that found no room in the arena: those entries keep the price that they had.
func (e *Engine) SetPricer(p fib.Pricer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.late.joined {
		return errors.New("fastpath: set prices: the engine is closed, or another process writes the tables")
	}
	e.pricer = p
	e.tables.SetPricer(p)
	if p != nil {
		installed := fib.Batch{}
		for f := range e.tables.PortEntries() {
			installed.Ports = append(installed.Ports, f)
		}
		for f := range e.tables.TunnelEntries() {
			installed.Tunnels = append(installed.Tunnels, f)
		}
		p.Begin(&installed)
		for f := range e.tables.SAEntries() {
			_ = p.SA(&f, true) // it is not refused
		}
	}
	err := errors.Join(e.priceRoutes(), e.priceLabels(), e.reprice())
	if p != nil && p.Stale() { // by what it learned only in this round
		err = errors.Join(err, e.reprice())
	}
	e.setMeters()
	e.tables.Commit()
	if err != nil {
		return fmt.Errorf("fastpath: set prices: %w", err)
	}
	return nil
}

// reprice prices tunnels and adjacencies anew.
func (e *Engine) reprice() error {
	var list []fib.Tunnel
	for f := range e.tables.TunnelEntries() {
		list = append(list, f)
	}
	return errors.Join(errors.Join(e.tables.SetTunnels(list, nil)...), e.tables.PriceAdjs())
}

// priceRoutes finds room for all routes anew.
func (e *Engine) priceRoutes() error {
	var list []fib.Route
	for f := range e.tables.RouteEntries() {
		list = append(list, f)
	}
	for i := range list {
		if err := e.insertRoute(&list[i], fib.PlaceNone); err != nil {
			return err
		}
	}
	return nil
}

// priceLabels finds room for all labels anew.
func (e *Engine) priceLabels() error {
	var list []fib.Label
	for f := range e.tables.LabelEntries() {
		list = append(list, f)
	}
	for i := range list {
		if err := e.tables.SetLabelAnew(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// insertRoute installs a route that is at the place was.
func (e *Engine) insertRoute(r *fib.Route, was fib.Place) error {
	addr, plen := prefixWord(r.Prefix)
	mark := uint32(0)
	if e.pricer != nil && e.pricer.Route(r, was) == fib.PlaceSoftware {
		mark = table.Software
	}
	var paths [fib.MaxPaths]uint32
	for i, id := range r.Paths {
		if paths[i] = uint32(id); id >= fib.FirstAdj {
			paths[i] |= mark
		}
	}
	err := e.tables.Insert(uint16(r.VRF), addr, plen, paths[:len(r.Paths)])
	if err != nil && e.pricer != nil && was == fib.PlaceNone {
		place := fib.PlaceHardware
		if mark != 0 {
			place = fib.PlaceSoftware
		}
		e.pricer.RouteGone(fib.RouteKey{VRF: r.VRF, Prefix: r.Prefix}, place)
	}
	return err
}

// routeGone takes a route's room back, before the route goes.
func (e *Engine) routeGone(k fib.RouteKey) {
	if e.pricer == nil {
		return
	}
	addr, plen := prefixWord(k.Prefix)
	if was := e.tables.RoutePlace(uint16(k.VRF), addr, plen); was != fib.PlaceNone {
		e.pricer.RouteGone(k, was)
	}
}

// labelGone takes a label's room back, before the label goes.
func (e *Engine) labelGone(in uint32) {
	if e.pricer == nil {
		return
	}
	if l := e.tables.Label(in); l != 0 {
		e.pricer.LabelGone(in, l.Action(), l.Place())
	}
}

// Remeter asks the pricer for its budgets again: what they are has changed, and no price. All begin full.
func (e *Engine) Remeter() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && !e.late.joined && e.pricer != nil {
		e.setMeters()
	}
}

// Reprice asks the pricer again about tunnels and adjacencies, if it says that what it has said of them is Stale.
//
// The error is of prices that found no room in the arena: those entries keep the price that they had.
func (e *Engine) Reprice() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.late.joined || e.pricer == nil || !e.pricer.Stale() {
		return nil
	}
	err := e.reprice()
	e.tables.Commit()
	if err != nil {
		return fmt.Errorf("fastpath: set prices: %w", err)
	}
	return nil
}

// setMeters makes the budgets those of the pricer, each full.
func (e *Engine) setMeters() {
	atomic.StoreUint64(&e.credit[creditOn], 0)
	if e.pricer == nil {
		return
	}
	for b, m := range e.pricer.Meters() {
		words := budgetWords(e.credit, fib.Budget(b))
		atomic.StoreUint64(&words[creditRate], m.Rate)
		atomic.StoreUint64(&words[creditBurst], m.Burst)
		atomic.StoreUint64(&words[creditLevel], m.Burst)
		atomic.StoreUint64(&words[creditLast], 0)
	}
	atomic.StoreUint64(&e.credit[creditOn], 1)
}
