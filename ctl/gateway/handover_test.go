package gateway

import (
	"log/slog"
	"maps"
	"slices"
	"testing"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/host"
	"nave/slowpath/host/nic"
	"nave/slowpath/host/nic/nictest"
)

// TestDecide: packets are handed over where the configuration says so, or workers would have nothing to do.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		way             string
		queues, workers int
		spreads         bool
		on, watched     bool
	}{
		{"", 1, 1, false, false, false},
		{"on", 1, 1, false, false, false},
		{"", 1, 2, false, true, false},
		{"off", 1, 2, false, false, false},
		{"on", 2, 2, true, true, false},
		{"auto", 2, 4, true, true, false},
		{"auto", 4, 4, true, false, false},
		{"auto", 4, 4, false, false, true},
		{"", 8, 4, false, false, true},
	} {
		if s := decide(c.way, c.queues, c.workers, c.spreads); s.on != c.on || s.watched != c.watched || s.why == "" {
			t.Errorf("%+v: %+v", c, s)
		}
	}
}

// TestLook: what comes on one queue for three looks is handed over, until it has come evenly for half a minute.
func TestLook(t *testing.T) {
	s := decide("auto", 4, 4, false)
	total := []uint64{0, 0, 0, 0}
	look := func(add ...uint64) bool {
		for i, n := range add {
			total[i] += n
		}
		return s.look(slices.Clone(total))
	}
	look(0, 0, 0, 0)
	for range 10 {
		if look(10000, 0, 0, 0) {
			t.Fatal("a few packets a second are handed over")
		}
	}
	look(900000, 1, 0, 0)
	look(900000, 1, 0, 0)
	look(250000, 250000, 250000, 250000) // an even look between: it begins anew
	look(900000, 1, 0, 0)
	if look(900000, 1, 0, 0); s.on {
		t.Error("two looks were enough")
	}
	if !look(500000, 500000, 0, 0) || !s.on {
		t.Error("three looks with half of the workers idle were not")
	}
	for k := range evenLooks {
		if s.on != true {
			t.Fatalf("it ended after %d even looks", k)
		}
		look(260000, 250000, 250000, 240000)
	}
	if s.on {
		t.Error("it did not end")
	}
	fixed := decide("on", 1, 2, false)
	for range 10 {
		if fixed.look([]uint64{total[0], 0}) {
			t.Error("what is configured was changed")
		}
		total[0] += 1 << 20
	}
}

// TestRebalance: shares move to who has less to do, and settle where all have as much. Worker 0 has to hand over every packet beside what is its own.
func TestRebalance(t *testing.T) {
	shares := []int{86, 85, 85}
	work := func() []uint64 {
		const packets, spread, each = 4e6, 60, 250
		out := make([]uint64, len(shares))
		for i, n := range shares {
			out[i] = uint64(packets * each * float64(n) / fastpath.Buckets)
		}
		out[0] += packets * spread
		return out
	}
	last := slices.Clone(shares)
	for k := 0; rebalance(shares, work(), make([]bool, 3)); k++ {
		moved, sum := 0, 0
		for i := range shares {
			moved, sum = moved+max(0, shares[i]-last[i]), sum+shares[i]
		}
		if moved > moveMost || sum != fastpath.Buckets || k > 50 {
			t.Fatalf("step %d: shares %v, %d moved", k, shares, moved)
		}
		last = slices.Clone(shares)
	}
	w := work()
	if slices.Max(w)-slices.Min(w) > slices.Max(w)/6 || shares[0] >= shares[1] {
		t.Errorf("it settled at shares %v, work %v", shares, w)
	}
	idle := []int{256, 0}
	if rebalance(idle, []uint64{1000, 0}, make([]bool, 2)) || idle[0] != 256 {
		t.Error("flows of idle workers were moved")
	}
	if none := []int{0, 256}; rebalance(none, []uint64{9e9, 1e9}, make([]bool, 2)) || none[0] != 0 {
		t.Errorf("shares %v: taken from who has none", none)
	}
}

// TestDeadWorker: a worker whose process has died owns no flows, and gets none while it is dead; back, it has its share again.
func TestDeadWorker(t *testing.T) {
	e, err := fastpath.New(fastpath.Config{Workers: 3, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	g := &Gateway{opt: Options{Log: slog.New(slog.DiscardHandler)}}
	b := &balancer{g: g}
	b.set(1, true) // before there is an engine
	b.start(e)
	for _, c := range []struct {
		worker int
		dead   bool
		want   []int
	}{
		{1, false, []int{86, 85, 85}}, {1, true, []int{128, 0, 128}}, {1, true, []int{128, 0, 128}}, {0, true, []int{0, 0, 256}},
		{2, true, []int{0, 0, 256}}, {1, false, []int{0, 256, 0}}, {0, false, []int{128, 128, 0}}, {2, false, []int{86, 85, 85}},
	} {
		b.set(c.worker, c.dead)
		if s := e.Shares(); !slices.Equal(s, c.want) {
			t.Errorf("worker %d dead: %v: shares %v, want %v", c.worker, c.dead, s, c.want)
		}
	}
	shares := []int{128, 0, 128}
	if rebalance(shares, []uint64{1e9, 0, 1e9}, []bool{false, true, false}) || shares[1] != 0 {
		t.Errorf("a dead worker got flows: %v", shares)
	}
	b.look()
}

// TestCards: a card is programmed, led by what is installed, remembered for the next naved, and given back.
func TestCards(t *testing.T) {
	local := addr("192.0.2.1")
	batch := &fib.Batch{SAs: []fib.SA{{ID: 1, Inbound: true, SPI: 0x1001, Local: local}, {ID: 2, SPI: 0x2002, Local: local}, {ID: 3, Inbound: true, SPI: 0x3003, Local: local}}}
	for _, c := range []struct {
		way          string
		rss          bool
		table, rules bool // what is programmed
	}{{"", true, true, false}, {"auto", false, false, true}, {"rss", false, false, false}, {"ntuple", true, true, true}, {"off", true, false, false}} {
		card := nictest.New()
		if !c.rss {
			card.Table = nil
		}
		g := &Gateway{opt: Options{Log: slog.New(slog.DiscardHandler), RunDir: t.TempDir()}}
		g.linux = newLinux(g)
		all := newCards(g)
		p := &port{name: "Ethernet0", netdev: "card0"}
		all.program(p, card.Netdev(), 4, c.way)
		if got := all.spreads("Ethernet0"); got != c.table || all.steers.Load() != c.rules {
			t.Errorf("%q, RSS %v: spreads %v, rules %v", c.way, c.rss, got, all.steers.Load())
		}
		e := steered{&fakeEngine{}, all}
		if _, err := e.Apply(batch); err != nil {
			t.Fatal(err)
		}
		for _, f := range g.linux.queue {
			f()
		}
		g.linux.queue = nil
		want := 0
		if c.rules {
			want = 2
		}
		if s := all.status("Ethernet0"); s.Rules != want || len(card.Rules) != want {
			t.Errorf("%q: %d rules, the card has %d, want %d", c.way, s.Rules, len(card.Rules), want)
		}
		if c.rules {
			_, _ = e.Apply(&fib.Batch{DelSAs: []fib.SAID{1}})
			for _, f := range g.linux.queue {
				f()
			}
			if len(card.Rules) != 1 {
				t.Errorf("%q: %d rules after an association went", c.way, len(card.Rules))
			}
		}
		all.close(false) // killed: all stays
		if len(card.Rules) != max(0, want-1) {
			t.Errorf("%q: %d rules with nave gone", c.way, len(card.Rules))
		}
		next := newCards(g)
		next.program(p, card.Netdev(), 4, c.way)
		if len(card.Rules) != 0 {
			t.Errorf("%q: rules of the naved before are left", c.way)
		}
		next.close(true)
		if c.table && (card.Table[1] != 0 || card.Fields[10] != 0x30) || card.NTuple {
			t.Errorf("%q: not given back: table %v, fields %v, filters %v", c.way, card.Table[:4], card.Fields, card.NTuple)
		}
		if n := next.status("Ethernet0"); n != nil {
			t.Errorf("%q: a card that was given back: %+v", c.way, n)
		}
	}
}

func TestQueues(t *testing.T) {
	if got := relays(2, 5); !maps.Equal(got, map[int]int{2: 0, 3: 1, 4: 0}) {
		t.Errorf("relays %v", got)
	}
	if got := relays(4, 2); len(got) != 0 {
		t.Errorf("relays %v", got)
	}
	links := map[string]host.Link{"a": {Queues: 1}, "b": {Queues: 5}}
	for workers, want := range map[int]int{1: 5, 2: 3, 4: 2, 5: 1, 8: 1} {
		if got := queuesOf(links, workers); got != want {
			t.Errorf("%d workers: %d queues, want %d", workers, got, want)
		}
	}
}

// fakeEngine takes batches.
type fakeEngine struct {
	applied int
	refused []fib.Refusal
}

func (e *fakeEngine) Apply(*fib.Batch) ([]fib.Refusal, error)   { e.applied++; return e.refused, nil }
func (e *fakeEngine) Inject(fastpath.Inject) error              { return nil }
func (e *fakeEngine) AdjacencyCount(fib.AdjID) fastpath.Count   { return fastpath.Count{} }
func (e *fakeEngine) SACount(fib.SAID) (fastpath.SACount, bool) { return fastpath.SACount{}, false }

// TestRules: what is installed asks for rules, and they go with it.
func TestRules(t *testing.T) {
	local, peer := addr("192.0.2.1"), addr("192.0.2.11")
	in := fib.SA{ID: 1, Inbound: true, SPI: 0x1001, Local: local, Remote: peer}
	clear := fib.Adjacency{ID: 20, Kind: fib.AdjTunnel, Outer: make([]byte, packet.EthernetLen+packet.IPv4Len)}
	copy(clear.Outer[packet.EthernetLen+12:], local.AsSlice())
	copy(clear.Outer[packet.EthernetLen+16:], peer.AsSlice())
	if r, ok := ruleOfSA(&in); !ok || r != (nic.Rule{Destination: local, SPI: 0x1001}) {
		t.Errorf("rule of an association: %v, %v", r, ok)
	}
	if r, ok := ruleOfAdjacency(&clear); !ok || r != (nic.Rule{Source: peer, Destination: local}) {
		t.Errorf("rule of a tunnel in clear: %v, %v", r, ok)
	}
	for name, change := range map[string]func(s *fib.SA){
		"outbound": func(s *fib.SA) { s.Inbound = false }, "AH": func(s *fib.SA) { s.AH = true },
		"in UDP": func(s *fib.SA) { s.Encap = true }, "under AH": func(s *fib.SA) { s.Under = 9 },
	} {
		s := in
		change(&s)
		if r, ok := ruleOfSA(&s); ok {
			t.Errorf("%s: rule %v", name, r)
		}
	}
	sealed, link := clear, clear
	sealed.SA, link.Kind = 1, fib.AdjLink
	for _, a := range []fib.Adjacency{sealed, link, {Kind: fib.AdjTunnel, Outer: clear.Outer[:20]}} {
		if r, ok := ruleOfAdjacency(&a); ok {
			t.Errorf("%+v: rule %v", a, r)
		}
	}
	rules := newRules()
	step := func(gone []fib.SAID, list ...fib.SA) (add, remove []nic.Rule) {
		return rules.follow(&fib.Batch{DelSAs: gone, SAs: list})
	}
	if add, remove := step(nil, in); len(add) != 1 || len(remove) != 0 {
		t.Errorf("first: %v, %v", add, remove)
	}
	if add, remove := step(nil, in); len(add)+len(remove) != 0 {
		t.Errorf("the same again: %v, %v", add, remove)
	}
	next := in
	next.SPI = 0x2002
	if add, remove := step([]fib.SAID{1}, next); len(add) != 1 || add[0].SPI != 0x2002 || len(remove) != 1 || remove[0].SPI != 0x1001 {
		t.Errorf("its number given again: %v, %v", add, remove)
	}
	if add, remove := step([]fib.SAID{1, 2}); len(add) != 0 || len(remove) != 1 || len(rules.sas)+len(rules.users) != 0 {
		t.Errorf("gone: %v, %v", add, remove)
	}
	seen := make(map[int]int)
	for spi := range uint32(4096) {
		q := queueOf(nic.Rule{SPI: spi + 256}, 4)
		seen[q]++
	}
	for q := range 4 {
		if seen[q] < 700 || len(seen) != 4 {
			t.Errorf("queues by SPI: %v", seen)
		}
	}
	// Without a card that leads by rules, nothing is kept.
	c := newCards(&Gateway{})
	e := &fakeEngine{refused: []fib.Refusal{{What: "x"}}}
	refused, err := steered{e, c}.Apply(&fib.Batch{SAs: []fib.SA{in}})
	if err != nil || len(refused) != 1 || e.applied != 1 || len(c.rules.sas) != 0 {
		t.Errorf("refused %v, error %v; %d applied, %d rules kept", refused, err, e.applied, len(c.rules.sas))
	}
}

// TestRuleOfMany: a rule that several entries ask for stays until the last of them is gone: a peer's own adjacency and that of the next hop behind it lead to one address.
func TestRuleOfMany(t *testing.T) {
	tunnel := func(id fib.AdjID, to string) fib.Adjacency {
		a := fib.Adjacency{ID: id, Kind: fib.AdjTunnel, Outer: make([]byte, packet.EthernetLen+packet.IPv4Len)}
		copy(a.Outer[packet.EthernetLen+12:], addr("192.0.2.1").AsSlice())
		copy(a.Outer[packet.EthernetLen+16:], addr(to).AsSlice())
		return a
	}
	rules, card := newRules(), make(map[nic.Rule]bool)
	for i, c := range []struct {
		gone []fib.AdjID
		list []fib.Adjacency
		want int
	}{
		{list: []fib.Adjacency{tunnel(10, "192.0.2.11"), tunnel(11, "192.0.2.11")}, want: 1},
		{gone: []fib.AdjID{10}, want: 1},
		{gone: []fib.AdjID{11}, list: []fib.Adjacency{tunnel(12, "192.0.2.11")}, want: 1},
		{list: []fib.Adjacency{tunnel(12, "192.0.2.12"), tunnel(13, "192.0.2.11")}, want: 2},
		{gone: []fib.AdjID{12, 13, 14}, want: 0},
	} {
		add, remove := rules.follow(&fib.Batch{DelAdjacencies: c.gone, Adjacencies: c.list})
		for _, r := range remove {
			if !card[r] {
				t.Errorf("step %d: rule %v is taken away and was not there", i, r)
			}
			delete(card, r)
		}
		for _, r := range add {
			if card[r] {
				t.Errorf("step %d: rule %v comes twice", i, r)
			}
			card[r] = true
		}
		if len(card) != c.want {
			t.Errorf("step %d: rules %v, want %d", i, card, c.want)
		}
		if i == 2 && len(add)+len(remove) != 0 {
			t.Errorf("step %d: the card is told %v, %v, and nothing has changed for it", i, add, remove)
		}
	}
}
