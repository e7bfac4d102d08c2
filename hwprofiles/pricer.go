package hwprofiles

import "nave/fastpath/fib"

// Pricer prices what is installed as the hardware of a profile would. It may be asked by several goroutines.
type Pricer struct {
	profile *Profile
	options Options
}

// NewPricer is a Pricer that knows of nothing installed yet.
func NewPricer(p *Profile, o Options) *Pricer { return &Pricer{profile: p, options: o} }

// Begin is fib.Pricer's.
func (p *Pricer) Begin(*fib.Batch) {}

// Tunnel is fib.Pricer's.
func (p *Pricer) Tunnel(*fib.Tunnel) fib.Price { return fib.Price{} }

// Adjacency is fib.Pricer's.
func (p *Pricer) Adjacency(*fib.Adjacency) fib.Price { return fib.Price{} }

// Route is fib.Pricer's.
func (p *Pricer) Route(*fib.Route, fib.Place) fib.Place { return fib.PlaceHardware }

// Label is fib.Pricer's.
func (p *Pricer) Label(*fib.Label, fib.Place) (fib.Place, fib.Price) {
	return fib.PlaceHardware, fib.Price{}
}

// SA is fib.Pricer's.
func (p *Pricer) SA(*fib.SA, bool) error { return nil }

// RouteGone is fib.Pricer's.
func (p *Pricer) RouteGone(fib.RouteKey, fib.Place) {}

// LabelGone is fib.Pricer's.
func (p *Pricer) LabelGone(uint32, fib.LabelAction, fib.Place) {}

// SAGone is fib.Pricer's.
func (p *Pricer) SAGone(fib.SAID) {}

// Stale is fib.Pricer's.
func (p *Pricer) Stale() bool { return false }

// Meters is fib.Pricer's.
func (p *Pricer) Meters() fib.Meters { return fib.Meters{} }

// Usage is what is given away now.
func (p *Pricer) Usage() Usage { return Usage{} }

var _ fib.Pricer = (*Pricer)(nil)
