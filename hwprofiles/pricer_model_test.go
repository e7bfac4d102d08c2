package hwprofiles

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

// engine is what the model knows: everything that is installed, with the last price that each was given. It decides by looking at all of it.
type engine struct {
	t       *testing.T
	p       *Pricer
	rng     *rand.Rand
	room    int // entries
	first   int // aggregate labels
	modules int // tunnels of the crypto module

	tunnels  map[fib.TunnelID]fib.Tunnel
	adjs     map[fib.AdjID]fib.Adjacency
	prices   map[string]fib.Price
	routes   map[int]fib.Place
	labels   map[int]fib.Place
	lookups  map[int]bool // labels of VRFs: true for those that need no second pass
	sas      map[fib.SAID]fib.SA
	refused  int
	repriced int
}

func newEngine(t *testing.T, seed uint64) *engine {
	e := &engine{t: t, rng: rand.New(rand.NewPCG(seed, 7)), room: 24, first: 3, modules: 4, tunnels: map[fib.TunnelID]fib.Tunnel{}, adjs: map[fib.AdjID]fib.Adjacency{},
		prices: map[string]fib.Price{}, routes: map[int]fib.Place{}, labels: map[int]fib.Place{}, lookups: map[int]bool{}, sas: map[fib.SAID]fib.SA{}}
	e.p = NewPricer(box(t, map[string]any{
		"fib.units72": 1024, "fib.split.ip_mpls": e.room, "mpls.aggregate_labels": e.first, "crypto.tunnels": e.modules, "gre.key_in_hw": false, "gre.options_in_hw": false,
		"gre.unique_source": true, "gre.recirc_passes": 1, "mpls.recirc_cost": 2, "mpls.over_gre": false, "mpls.push": 1, "mcast.encrypted_gre": false, "crypto.in_hw": seed%2 == 0,
		"crypto.prefragment": true,
	}), Options{})
	return e
}

// way is who forwards a tunnel's packets.
func (e *engine) way(t fib.Tunnel) (way fib.Way) {
	same, options := 0, false
	for _, o := range e.tunnels {
		if o.Local == t.Local && o.OuterVRF == t.OuterVRF {
			same++
		}
	}
	for _, a := range e.adjs {
		options = options || a.Tunnel == t.ID && a.Inner[0]&0x90 != 0
	}
	switch {
	case t.Protected && e.p.profile.Crypto.Hardware.No():
		return fib.ByProcess
	case t.HasKey, options, same > 1:
		return fib.ByCEF
	}
	return fib.ByHardware
}

func (e *engine) tunnelPrice(t fib.Tunnel) fib.Price {
	return fib.Price{Cost: 16, Way: e.way(t), Labelled: fib.ByCEF, Crypto: t.Protected && e.p.profile.Crypto.Hardware.IsYes()}
}

func (e *engine) adjPrice(a fib.Adjacency) fib.Price {
	price := fib.Price{Cost: 16, Fragment: fib.ByProcess}
	if len(a.Labels) > 1 {
		price.Cost += 16
	}
	if a.Kind == fib.AdjLink {
		return price
	}
	t := e.tunnels[a.Tunnel]
	t.ID = a.Tunnel // which may not be installed
	price.Cost += 16
	price.Way, price.Labelled = e.way(t), fib.ByCEF
	if a.Inner[0] != 0 {
		price.Way = max(price.Way, fib.ByCEF)
	}
	if t.Protected || a.SA != 0 {
		price.NoMulticast = true
		if e.p.profile.Crypto.Hardware.Yes {
			price.Crypto = true
		} else {
			price.Way = fib.ByProcess
		}
	}
	return price
}

func (e *engine) anyTunnel() fib.Tunnel {
	t := gre(fib.TunnelID(1+e.rng.IntN(6)), fmt.Sprintf("192.0.2.%d", 1+e.rng.IntN(5)))
	t.OuterVRF = fib.VRF(e.rng.IntN(2))
	t.HasKey, t.Protected = e.rng.IntN(4) == 0, e.rng.IntN(3) == 0
	return t
}

func (e *engine) anyAdj() fib.Adjacency {
	id, labels := fib.AdjID(16+e.rng.IntN(12)), []uint32{16, 17}[:e.rng.IntN(3)]
	if e.rng.IntN(4) == 0 {
		return link(id, labels...)
	}
	a := into(id, fib.TunnelID(1+e.rng.IntN(6)), []byte{0, 0, 0, 0, 0, 0x20, 0x80, 0x10}[e.rng.IntN(8)], labels...)
	if e.rng.IntN(4) == 0 {
		a.SA = 1
	}
	return a
}

// batch installs and removes tunnels and adjacencies, as an engine does: the batch is told, what is in it is priced, and all is priced anew if the Pricer says so.
func (e *engine) batch() {
	b := fib.Batch{}
	for range e.rng.IntN(3) {
		if t := e.anyTunnel(); !slices.ContainsFunc(b.Tunnels, func(o fib.Tunnel) bool { return o.ID == t.ID }) {
			b.Tunnels = append(b.Tunnels, t)
		}
	}
	for range e.rng.IntN(4) {
		if a := e.anyAdj(); !slices.ContainsFunc(b.Adjacencies, func(o fib.Adjacency) bool { return o.ID == a.ID }) {
			b.Adjacencies = append(b.Adjacencies, a)
		}
	}
	if e.rng.IntN(3) == 0 {
		b.DelTunnels = append(b.DelTunnels, fib.TunnelID(1+e.rng.IntN(6)))
	}
	if e.rng.IntN(3) == 0 {
		b.DelAdjacencies = append(b.DelAdjacencies, fib.AdjID(16+e.rng.IntN(12)))
	}
	e.p.Begin(&b)
	for _, t := range b.Tunnels {
		e.tunnels[t.ID] = t
		e.prices[fmt.Sprint("tunnel ", t.ID)] = e.p.Tunnel(&t)
	}
	for _, a := range b.Adjacencies {
		e.adjs[a.ID] = a
		e.prices[fmt.Sprint("adjacency ", a.ID)] = e.p.Adjacency(&a)
	}
	for _, id := range b.DelAdjacencies {
		delete(e.adjs, id)
	}
	for _, id := range b.DelTunnels {
		delete(e.tunnels, id)
	}
	if e.p.Stale() {
		e.repriced++
		e.reprice()
	}
}

func (e *engine) reprice() {
	for _, t := range e.tunnels {
		e.prices[fmt.Sprint("tunnel ", t.ID)] = e.p.Tunnel(&t)
	}
	for _, a := range e.adjs {
		e.prices[fmt.Sprint("adjacency ", a.ID)] = e.p.Adjacency(&a)
	}
}

// taken is how many entries have room.
func (e *engine) taken() (hardware, all int) {
	for _, m := range []map[int]fib.Place{e.routes, e.labels} {
		for _, place := range m {
			all++
			if place == fib.PlaceHardware {
				hardware++
			}
		}
	}
	return hardware, all
}

func (e *engine) entry(list map[int]fib.Place, n int, leads bool, got fib.Place) {
	want := list[n]
	hardware, _ := e.taken()
	switch {
	case !leads:
		want = fib.PlaceHardware
	case want == fib.PlaceNone && hardware < e.room:
		want = fib.PlaceHardware
	case want == fib.PlaceNone:
		want = fib.PlaceSoftware
	}
	if got != want {
		e.t.Errorf("entry %d: %v, want %v", n, got, want)
	}
	list[n] = got
}

func (e *engine) step() {
	n := e.rng.IntN(24)
	switch e.rng.IntN(8) {
	case 0:
		e.batch()
	case 1:
		e.entry(e.routes, n, true, e.p.route(n, e.routes[n]))
	case 2:
		e.entry(e.routes, n, false, e.p.receive(n, e.routes[n]))
	case 3:
		e.p.RouteGone(fib.RouteKey{}, e.routes[n])
		delete(e.routes, n)
	case 4:
		e.label(100 + n)
	case 5:
		if e.labels[100+n] != fib.PlaceNone {
			e.p.LabelGone(uint32(100+n), fib.LabelLookup, e.labels[100+n])
		}
		delete(e.labels, 100+n)
		delete(e.lookups, 100+n)
	case 6:
		e.sa(n)
	case 7:
		e.p.SAGone(fib.SAID(n))
		delete(e.sas, fib.SAID(n))
	}
}

func (e *engine) label(in int) {
	action := []fib.LabelAction{fib.LabelLookup, fib.LabelSwap}[e.rng.IntN(2)]
	place, price := e.p.label(in, action, e.labels[in])
	e.entry(e.labels, in, true, place)
	want := uint16(0)
	if action == fib.LabelLookup {
		if _, ok := e.lookups[in]; !ok {
			n := 0
			for _, first := range e.lookups {
				if first {
					n++
				}
			}
			e.lookups[in] = n < e.first
		}
		if !e.lookups[in] {
			want = 16
		}
	} else {
		delete(e.lookups, in)
	}
	if price.Cost != want {
		e.t.Errorf("label %d costs %d, want %d", in, price.Cost, want)
	}
}

func (e *engine) peers() map[netip.Addr]bool {
	m := map[netip.Addr]bool{}
	for _, s := range e.sas {
		m[s.Remote] = true
	}
	return m
}

func (e *engine) sa(n int) {
	s := fib.SA{ID: fib.SAID(n), Remote: netip.AddrFrom4([4]byte{198, 51, 100, byte(e.rng.IntN(7))})}
	_, installed := e.sas[s.ID]
	peers := e.peers()
	full := !installed && !peers[s.Remote] && len(peers) >= e.modules
	if err := e.p.SA(&s, installed); (err != nil) != full {
		e.t.Errorf("association with %s, of peers %v: %v", s.Remote, peers, err)
	}
	if full {
		e.refused++
		return
	}
	e.sas[s.ID] = s
}

// check compares all that is given away.
func (e *engine) check() {
	u := e.p.Usage()
	hardware, all := e.taken()
	if u.Units.Used != hardware || u.IPv4.Hardware+u.MPLS.Hardware != hardware || u.IPv4.Software+u.MPLS.Software != all-hardware || u.IPv4.Hardware+u.IPv4.Software != len(e.routes) {
		e.t.Errorf("%+v, and %d of %d entries have room", u, hardware, all)
	}
	if u.AggregateLabels.Used != len(e.lookups) || u.CryptoTunnels.Used != len(e.peers()) || u.CryptoRefused != e.refused || u.TunnelVLANs.Used != len(e.tunnels) ||
		u.Adjacencies.Used != len(e.adjs) {
		e.t.Errorf("%+v, and there are %d aggregates, %d peers, %d refused, %d tunnels, %d adjacencies", u, len(e.lookups), len(e.peers()), e.refused, len(e.tunnels), len(e.adjs))
	}
	var switched []fib.TunnelID
	for id, t := range e.tunnels {
		if got := e.prices[fmt.Sprint("tunnel ", id)]; got != e.tunnelPrice(t) {
			e.t.Errorf("tunnel %+v: %+v, want %+v", t, got, e.tunnelPrice(t))
		}
		if e.way(t) != fib.ByHardware {
			switched = append(switched, id)
		}
	}
	for id, a := range e.adjs {
		if got := e.prices[fmt.Sprint("adjacency ", id)]; got != e.adjPrice(a) {
			e.t.Errorf("adjacency %+v: %+v, want %+v", a, got, e.adjPrice(a))
		}
	}
	slices.Sort(switched)
	if !slices.EqualFunc(switched, u.Switched, func(id fib.TunnelID, s Switched) bool {
		return s.Tunnel == id && s.Key != "" && s.Way == e.way(e.tunnels[id])
	}) {
		e.t.Errorf("%+v, want %v", u.Switched, switched)
	}
}

// again asks about all that is installed, which changes nothing.
func (e *engine) again() {
	before := fmt.Sprintf("%+v", e.p.Usage())
	e.reprice()
	for n, place := range e.routes {
		if place == fib.PlaceSoftware {
			e.entry(e.routes, n, true, e.p.route(n, place))
		} else {
			e.entry(e.routes, n, false, e.p.receive(n, place))
		}
	}
	for in, place := range e.labels {
		action := fib.LabelSwap
		if _, ok := e.lookups[in]; ok {
			action = fib.LabelLookup
		}
		got, _ := e.p.label(in, action, place)
		e.entry(e.labels, in, true, got)
	}
	for _, s := range e.sas {
		if err := e.p.SA(&s, true); err != nil {
			e.t.Error(err)
		}
	}
	if after := fmt.Sprintf("%+v", e.p.Usage()); after != before || e.p.Stale() {
		e.t.Errorf("asked again, it is\n%s, and was\n%s", after, before)
	}
}

// Whatever comes and goes, in whatever order, places, prices and counts are those of a model that looks at all of it anew, and prices that have changed are told.
func TestModel(t *testing.T) {
	repriced := 0
	for seed := range uint64(24) {
		e := newEngine(t, seed)
		for n := range 600 {
			e.step()
			if e.check(); n%50 == 0 {
				e.again()
			}
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, n)
			}
		}
		repriced += e.repriced
	}
	if repriced < 24 || repriced > 24*75 {
		t.Errorf("%d times all was priced anew", repriced)
	}
}
