package fastpath

import (
	"testing"

	"nave/fastpath/fib"
)

// Budgets are asked for again without a price being asked for, and the tally says what Counters says.
func TestRemeter(t *testing.T) {
	frame := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(100)))
	r := newRig(t)
	p := &tariff{room: 1000, adj: fib.Price{Way: fib.ByCEF}, meters: fib.Meters{fib.CEF: {Rate: 1000, Burst: 10}}}
	r.price(p)
	r.offer(r.lan, frame, 50, 1, 1)
	p.meters[fib.CEF] = fib.Meter{Rate: 20_000, Burst: 200}
	r.offer(r.lan, frame, 50, 1, 1) // nobody has told yet
	if n := r.e.Tally().Spent[fib.CEF]; n != 10 {
		t.Fatalf("%d forwarded before", n)
	}
	r.e.Remeter()
	about(t, "after", r.offer(r.lan, frame, 50, 1000, 1_000_000), 20_000+200)
	tally, all := r.e.Tally(), r.e.Counters()
	if tally.Spent != all.Spent || tally.Reasons != all.Reasons || tally.Reasons[CEFOver] == 0 {
		t.Errorf("%+v, and counters %v %v", tally, all.Spent, all.Reasons)
	}
	r.price(nil)
	r.e.Remeter() // there is nobody to ask
	if got := r.offer(r.lan, frame, 50, 10, 1); got != 500 {
		t.Errorf("without a pricer %d forwarded", got)
	}
}
