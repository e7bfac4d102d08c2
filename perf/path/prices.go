package path

import (
	"fmt"
	"slices"
	"strings"

	"nave/fastpath/fib"
)

// Prices that a row can be measured with: what emulated hardware costs the path itself, whatever the hardware is.
const (
	noPrices   = "none" // nobody prices anything
	zeroPrices = "zero" // somebody does, and nothing costs anything
	paidPrices = "paid" // every packet pays for each pass, and there is always enough
)

var priceNames = []string{noPrices, zeroPrices, paidPrices}

// plenty is a rate, and a level, that no worker gets to the end of.
const plenty = 1 << 40

// flat is a pricer that has room for everything, and the same prices whatever it is.
type flat struct{ adjacency, tunnel fib.Price }

// pricer is the pricer of a name; nil for none.
func pricer(name string) fib.Pricer {
	switch name {
	case zeroPrices:
		return &flat{}
	case paidPrices:
		return &flat{adjacency: fib.Price{Cost: fib.PassCost}, tunnel: fib.Price{Cost: fib.PassCost}}
	}
	return nil
}

// Begin is fib.Pricer's.
func (f *flat) Begin(*fib.Batch) {}

// Tunnel is fib.Pricer's.
func (f *flat) Tunnel(*fib.Tunnel) fib.Price { return f.tunnel }

// Adjacency is fib.Pricer's. What is sealed passes a crypto module, if anything costs anything.
func (f *flat) Adjacency(a *fib.Adjacency) fib.Price {
	p := f.adjacency
	p.Crypto = p.Cost != 0 && a.SA != 0
	return p
}

// Route is fib.Pricer's.
func (f *flat) Route(*fib.Route, fib.Place) fib.Place { return fib.PlaceHardware }

// Label is fib.Pricer's.
func (f *flat) Label(*fib.Label, fib.Place) (fib.Place, fib.Price) {
	return fib.PlaceHardware, fib.Price{}
}

// SA is fib.Pricer's.
func (f *flat) SA(*fib.SA, bool) error { return nil }

// RouteGone is fib.Pricer's.
func (f *flat) RouteGone(fib.RouteKey, fib.Place) {}

// LabelGone is fib.Pricer's.
func (f *flat) LabelGone(uint32, fib.LabelAction, fib.Place) {}

// SAGone is fib.Pricer's.
func (f *flat) SAGone(fib.SAID) {}

// Stale is fib.Pricer's.
func (f *flat) Stale() bool { return false }

// Meters is fib.Pricer's: every budget is kept, so that each packet's share is taken and each poll fills up.
func (f *flat) Meters() (m fib.Meters) {
	if f.adjacency.Cost == 0 {
		return m
	}
	for b := range m {
		m[b] = fib.Meter{Rate: plenty, Burst: plenty}
	}
	return m
}

// checkPrices finds names of prices that there are none of.
func checkPrices(names []string) error {
	for _, n := range names {
		if !slices.Contains(priceNames, n) {
			return fmt.Errorf("--prices %q: there are %s", n, strings.Join(priceNames, ", "))
		}
	}
	return nil
}

// name is what the rows of a group are called.
func (g *group) name() string {
	if g.prices == "" || g.prices == noPrices {
		return g.work.name
	}
	return g.work.name + "+" + g.prices
}
