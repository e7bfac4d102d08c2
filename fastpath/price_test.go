package fastpath

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
)

// tariff is a Pricer of a test: fixed prices, and a table for so many routes and labels.
type tariff struct {
	tunnel, adj, label fib.Price
	room               int // for routes and labels; the rest is in software
	meters             fib.Meters
	full               bool // of associations
	stale              bool

	used  int
	sas   map[fib.SAID]bool
	begun int
}

func (p *tariff) Begin(*fib.Batch) { p.begun++ }

func (p *tariff) Tunnel(*fib.Tunnel) fib.Price { return p.tunnel }

func (p *tariff) Adjacency(a *fib.Adjacency) fib.Price {
	if a.Kind != fib.AdjTunnel && a.Kind != fib.AdjLink {
		return fib.Price{}
	}
	return p.adj
}

func (p *tariff) place(was fib.Place) fib.Place {
	if was != fib.PlaceNone {
		return was
	}
	if p.used >= p.room {
		return fib.PlaceSoftware
	}
	p.used++
	return fib.PlaceHardware
}

func (p *tariff) Route(r *fib.Route, was fib.Place) fib.Place {
	if r.Paths[0] < fib.FirstAdj {
		return fib.PlaceHardware
	}
	return p.place(was)
}

func (p *tariff) Label(_ *fib.Label, was fib.Place) (fib.Place, fib.Price) {
	return p.place(was), p.label
}

func (p *tariff) SA(s *fib.SA, installed bool) error {
	if p.full && !installed {
		return errors.New("the module is full")
	}
	if p.sas == nil {
		p.sas = map[fib.SAID]bool{}
	}
	p.sas[s.ID] = true
	return nil
}

func (p *tariff) RouteGone(_ fib.RouteKey, was fib.Place) { p.gone(was) }

func (p *tariff) LabelGone(_ uint32, _ fib.LabelAction, was fib.Place) { p.gone(was) }

func (p *tariff) gone(was fib.Place) {
	if was == fib.PlaceHardware {
		p.used--
	}
}

func (p *tariff) SAGone(id fib.SAID) { delete(p.sas, id) }

func (p *tariff) Stale() bool {
	was := p.stale
	p.stale = false
	return was
}

func (p *tariff) Meters() fib.Meters { return p.meters }

func (r *rig) price(p fib.Pricer) {
	r.t.Helper()
	if err := r.e.SetPricer(p); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) adjPrice(id fib.AdjID) table.Price { return r.e.tables.Adj(uint32(id)).Price }

// What is installed is priced when a pricer comes, what comes later when it is installed, and all of it costs nothing again when the pricer goes.
func TestPricesComeAndGo(t *testing.T) {
	r := labelRig(t)
	before := r.e.Inherited()
	want := fib.Price{Cost: 40, Way: fib.ByCEF, Labelled: fib.ByProcess, Fragment: fib.ByProcess, Crypto: true, NoMulticast: true}
	p := &tariff{tunnel: fib.Price{Cost: 16}, adj: want, label: fib.Price{Cost: 3, Way: fib.ByProcess}, room: 1000}
	r.price(p)
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{tunnelAdj(21, spoke1NBMA)}})
	for _, id := range []fib.AdjID{adjHost, adjSpoke1, adjLink2, 21} {
		got := r.adjPrice(id)
		if got.Cost() != 40 || got.Way(false) != fib.ByCEF || got.Way(true) != fib.ByProcess || got.Fragment() != fib.ByProcess || !got.Crypto() || !got.NoMulticast() {
			t.Errorf("adjacency %d costs %x", id, got)
		}
	}
	if got := r.adjPrice(adjGlean); got != 0 {
		t.Errorf("an adjacency that nothing leaves by costs %x", got)
	}
	if n := r.e.tables.Tunnel(uint32(tunnelID)); n.Price.Cost() != 16 || n.Flags&table.TunnelPriced == 0 {
		t.Errorf("tunnel %+v", n)
	}
	if l := r.e.tables.Label(inVRF); l.Price().Cost() != 3 || l.Price().Way(false) != fib.ByProcess || l.Place() != fib.PlaceHardware {
		t.Errorf("label %x", uint64(l))
	}
	r.apply(&fib.Batch{DelAdjacencies: []fib.AdjID{21}})
	if p.begun != 3 {
		t.Errorf("told %d times what comes", p.begun)
	}
	r.price(nil)
	if n := r.e.tables.Tunnel(uint32(tunnelID)); n.Price != 0 || n.Flags&table.TunnelPriced != 0 {
		t.Errorf("tunnel without a pricer %+v", n)
	}
	if a := r.e.tables.Adj(uint32(adjSpoke1)); a.Price != 0 || a.Flags&table.AdjPriced != 0 {
		t.Errorf("adjacency without a pricer %+v", a)
	}
	if l := r.e.tables.Label(inVRF); l.Priced() {
		t.Errorf("label without a pricer %x", uint64(l))
	}
	after := r.e.Inherited()
	same(t, before, after)
}

// same checks that what is installed is what was.
func same(t *testing.T, before, after fib.Batch) {
	t.Helper()
	if !slices.EqualFunc(before.Routes, after.Routes, func(a, b fib.Route) bool {
		return a.Prefix == b.Prefix && a.VRF == b.VRF && slices.Equal(a.Paths, b.Paths)
	}) {
		t.Errorf("routes %v, were %v", after.Routes, before.Routes)
	}
	if !slices.EqualFunc(before.Labels, after.Labels, func(a, b fib.Label) bool { return a.In == b.In && a.VRF == b.VRF && slices.Equal(a.Paths, b.Paths) }) {
		t.Errorf("labels %v, were %v", after.Labels, before.Labels)
	}
	if len(before.Adjacencies) != len(after.Adjacencies) || len(before.Tunnels) != len(after.Tunnels) {
		t.Errorf("%d adjacencies and %d tunnels, were %d and %d", len(after.Adjacencies), len(after.Tunnels), len(before.Adjacencies), len(before.Tunnels))
	}
}

// A price that others changed is asked for again after the batch.
func TestStalePrices(t *testing.T) {
	r := newRig(t)
	p := &tariff{room: 1000}
	r.price(p)
	p.adj, p.tunnel = fib.Price{Way: fib.ByCEF}, fib.Price{Way: fib.ByCEF}
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.9.0.0/24", adjHost)}})
	if got := r.adjPrice(adjHost).Way(false); got != fib.ByHardware {
		t.Fatalf("priced anew without being asked: %d", got)
	}
	p.stale = true
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.8.0.0/24", adjHost)}})
	if got := r.adjPrice(adjHost).Way(false); got != fib.ByCEF {
		t.Errorf("adjacency stays at %d", got)
	}
	if got := r.e.tables.Tunnel(uint32(tunnelID)).Price.Way(false); got != fib.ByCEF {
		t.Errorf("tunnel stays at %d", got)
	}
	p.adj, p.tunnel = fib.Price{}, fib.Price{}
	for stale, want := range []fib.Way{fib.ByCEF, fib.ByHardware} { // 0: it is not
		p.stale = stale == 1
		if err := r.e.Reprice(); err != nil {
			t.Fatal(err)
		}
		if got, out := r.adjPrice(adjHost).Way(false), r.e.tables.Tunnel(uint32(tunnelID)).Price.Way(false); got != want || out != want {
			t.Errorf("adjacency and tunnel, asked about by themselves: %d and %d, want %d", got, out, want)
		}
	}
}

// Routes and labels that find no room are in software until the table is made anew; what the engine says is installed does not show it.
func TestPlaces(t *testing.T) {
	r := labelRig(t)
	before := r.e.Inherited()
	p := &tariff{room: 4}
	r.price(p)
	same(t, before, r.e.Inherited())
	places := func() map[fib.Place]int {
		m := map[fib.Place]int{}
		for f := range r.e.tables.RouteEntries() {
			addr, plen := prefixWord(f.Prefix)
			if f.Paths[0] >= fib.FirstAdj {
				m[r.e.tables.RoutePlace(uint16(f.VRF), addr, plen)]++
			}
		}
		for f := range r.e.tables.LabelEntries() {
			m[r.e.tables.Label(f.In).Place()]++
		}
		return m
	}
	first := places()
	if first[fib.PlaceHardware] != 4 || first[fib.PlaceSoftware] < 10 || first[fib.PlaceNone] != 0 {
		t.Fatalf("places %v", first)
	}
	r.apply(&before) // again: nothing moves
	if got := places(); !maps.Equal(got, first) {
		t.Errorf("places %v after the same once more, were %v", got, first)
	}
	// Room that comes free is for what comes next, not for what is in software already.
	r.apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: route("10.0.0.9/32").Prefix}}})
	if p.used != 3 {
		t.Fatalf("%d places taken after one went", p.used)
	}
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.77.0.0/24", adjHost, adjSpoke1), route("10.78.0.0/24", adjHost, adjSpoke1)}})
	addr, plen := prefixWord(route("10.77.0.0/24").Prefix)
	if got := r.e.tables.RoutePlace(0, addr, plen); got != fib.PlaceHardware {
		t.Errorf("the next route is at %d", got)
	}
	addr, plen = prefixWord(route("10.78.0.0/24").Prefix)
	if got := r.e.tables.RoutePlace(0, addr, plen); got != fib.PlaceSoftware {
		t.Errorf("the one after it is at %d", got)
	}
	r.price(&tariff{room: 1000})
	if got := places(); got[fib.PlaceSoftware] != 0 {
		t.Errorf("places %v in a large table", got)
	}
}

// A batch that the engine refuses, or a route that does not fit, takes no room.
func TestNoRoomForRefused(t *testing.T) {
	r := newRig(t, func(c *Config, b *fib.Batch) { c.MaxRoutes = len(b.Routes) + 1 })
	p := &tariff{room: 1000}
	r.price(p)
	used := p.used
	refused, err := r.e.Apply(&fib.Batch{Routes: []fib.Route{route("10.9.0.0/24", adjHost), route("10.10.0.0/24", adjHost)}})
	if err != nil || len(refused) != 1 || !errors.Is(refused[0].Err, ErrFull) {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	if p.used != used+1 {
		t.Errorf("%d places for one route", p.used-used)
	}
	if refused, err := r.e.Apply(&fib.Batch{Routes: []fib.Route{route("10.11.0.0/24", 999)}}); err != nil || len(refused) != 1 || !errors.Is(refused[0].Err, ErrNoAdjacency) {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	if p.used != used+1 {
		t.Errorf("%d places after a route to nowhere", p.used-used)
	}
}

// An association for which the module has no room is refused by itself; one that is there stays, under a pricer that would refuse it, too.
func TestRefusedSA(t *testing.T) {
	r := newRig(t)
	list := gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)
	in, out := list[1], list[0]
	p := &tariff{room: 1000}
	r.price(p)
	r.apply(&fib.Batch{SAs: []fib.SA{in}})
	p.full = true
	refused, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{in, out}})
	if err != nil || len(refused) != 1 || refused[0].SA != out.ID {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	if !maps.Equal(p.sas, map[fib.SAID]bool{in.ID: true}) {
		t.Errorf("associations %v", p.sas)
	}
	next := &tariff{room: 1000, full: true}
	r.price(next)
	if !maps.Equal(next.sas, map[fib.SAID]bool{in.ID: true}) {
		t.Errorf("the next pricer knows of %v", next.sas)
	}
	r.apply(&fib.Batch{DelSAs: []fib.SAID{in.ID}})
	if len(next.sas) != 0 {
		t.Errorf("associations %v after all went", next.sas)
	}
}

// Prices and budgets are in the arena: a worker of another process pays, its clock is the writer's, and the next writer finds prices and takes them away.
func TestPricesAreShared(t *testing.T) {
	writer := newWriter(t, 1, gcm128)
	meters := fib.Meters{fib.CEF: {Rate: 1000, Burst: 5}}
	if err := writer.SetPricer(&tariff{room: 1000, adj: fib.Price{Way: fib.ByCEF}, meters: meters}); err != nil {
		t.Fatal(err)
	}
	worker := joinAs(t, writer, 0)
	if d := worker.e.Now() - writer.Now(); d > 1e6 || d < -1e9 {
		t.Errorf("the clocks differ by %d ns", d)
	}
	send := func() int {
		for range 8 {
			worker.lan.in = append(worker.lan.in, toLAN(ipv4(hostIP, behind1, pattern(64))))
		}
		worker.settle()
		return len(worker.wan.take())
	}
	if n := send(); n != 5 {
		t.Errorf("%d of 8 packets left with 5 to spend", n)
	}
	if s := writer.Counters(); s.Spent[fib.CEF] != 5 || s.Reasons[CEFOver] != 3 {
		t.Errorf("the writer reads %d spent and %d dropped", s.Spent[fib.CEF], s.Reasons[CEFOver])
	}
	next, err := Adopt(dup(t, writer.ArenaFD()), sharedConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if n := send(); n != 0 {
		t.Errorf("%d packets left while the next writer knows of no prices yet", n)
	}
	if err := next.SetPricer(nil); err != nil {
		t.Fatal(err)
	}
	if n := send(); n != 8 {
		t.Errorf("%d of 8 packets left without prices", n)
	}
	if worker.e.SetPricer(nil) == nil {
		t.Error("a process that only reads sets prices")
	}
}
