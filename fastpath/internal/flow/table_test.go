package flow

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

const ms = 1000000

// newTable is an empty table for its worker, at time 0.
func newTable(t testing.TB, flows int) *Table {
	t.Helper()
	tab, err := Open(format(flows))
	if err != nil {
		t.Fatal(err)
	}
	tab.Resume()
	tab.Tick(0, true)
	return tab
}

func format(flows int) []uint64 {
	mem := make([]uint64, Words(flows))
	Format(mem, flows, 0x123456789abcdef)
	return mem
}

// all is what readers see, by key.
func (t *Table) all(tb testing.TB) map[Key]Record {
	tb.Helper()
	out := make(map[Key]Record)
	var set [Ways]Record
	for i := range t.Sets() {
		for k := range t.Read(i, &set) {
			if _, twice := out[set[k].Key]; twice {
				tb.Errorf("flow %+v is there twice", set[k].Key)
			}
			out[set[k].Key] = set[k]
		}
	}
	return out
}

func key(i int) Key {
	return MakeKey(uint16(i>>20), 0x0a000000+uint32(i), 0xc0000201, 17, uint32(i)*0x10001)
}

func TestKey(t *testing.T) {
	k := MakeKey(0xfffe, 0x0a000001, 0xc0a80002, 6, 0x12345678)
	if k.VRF() != 0xfffe || k.Src() != 0x0a000001 || k.Dst() != 0xc0a80002 || k.Proto() != 6 || k.Ports() != 0x12345678 {
		t.Errorf("key %+v", k)
	}
	// Each part makes another flow.
	for _, other := range []Key{
		MakeKey(0xffff, 0x0a000001, 0xc0a80002, 6, 0x12345678), MakeKey(0xfffe, 0x0a000002, 0xc0a80002, 6, 0x12345678), MakeKey(0xfffe, 0x0a000001, 0xc0a80003, 6, 0x12345678),
		MakeKey(0xfffe, 0x0a000001, 0xc0a80002, 17, 0x12345678), MakeKey(0xfffe, 0x0a000001, 0xc0a80002, 6, 0x12345679), MakeKey(0xfffe, 0xc0a80002, 0x0a000001, 6, 0x12345678),
	} {
		if other == k {
			t.Errorf("%+v is the same flow", other)
		}
	}
	if (Key{}) == MakeKey(0, 0, 0, 0, 0) {
		t.Error("the flow of nothing is none")
	}
}

// model is a flow table without sets.
type model struct {
	id, generation       map[Key]uint64
	packets, bytes, last map[Key]uint64
}

// TestModel does what a worker does with random flows, generations and times, and compares with a map. The table may forget a flow, if its set was full or it
// was idle, and says so; it never says anything wrong of one.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			flows := 1 + rnd.IntN(300)
			tab := newTable(t, 1+rnd.IntN(300))
			m := model{map[Key]uint64{}, map[Key]uint64{}, map[Key]uint64{}, map[Key]uint64{}, map[Key]uint64{}}
			now, generation := int64(0), uint64(1)
			forgot := uint64(0)
			for range 20000 / slow {
				if rnd.IntN(50) == 0 {
					now += rnd.Int64N(3000 * ms)
					tab.Tick(now, rnd.IntN(2) == 0)
				}
				if rnd.IntN(500) == 0 {
					generation++
				}
				k := key(rnd.IntN(flows))
				h := tab.Hash(k)
				at := tab.Find(k, h)
				_, known := m.id[k]
				switch {
				case at == 0:
					if known {
						forgot++
					}
					m.id[k], m.generation[k], m.packets[k], m.bytes[k] = rnd.Uint64N(1<<32), generation, 0, 0
					at = tab.Add(k, h, generation, uint32(m.id[k]), uint64(len(m.id)))
				case !known:
					t.Fatalf("flow %+v is found, and was never added", k)
				default:
					id, ok := tab.Adj(at, generation)
					if ok != (m.generation[k] == generation) || uint64(id) != m.id[k] {
						t.Fatalf("flow %+v: adjacency %d, %v: want %d of generation %d, at %d", k, id, ok, m.id[k], m.generation[k], generation)
					}
					if !ok {
						m.id[k], m.generation[k] = rnd.Uint64N(1<<32), generation
						tab.Renew(at, generation, uint32(m.id[k]))
					}
				}
				if !tab.Is(at, k) || tab.Find(k, h) != at {
					t.Fatalf("flow %+v is not where it was put", k)
				}
				n := rnd.IntN(9000)
				tab.Count(at, n)
				m.packets[k]++
				m.bytes[k] += uint64(n)
				m.last[k] = tab.now
			}
			compare(t, tab, &m)
			if s := tab.Stats(); s.Live > s.Added || s.Live > s.Capacity || forgot > s.Added || int(s.Live) < len(tab.all(t)) {
				t.Errorf("forgot %d; %+v", forgot, s)
			}
		})
	}
}

func compare(t *testing.T, tab *Table, m *model) {
	t.Helper()
	seen := tab.all(t)
	for k, r := range seen {
		if uint64(r.Adj) != m.id[k] || r.Packets != m.packets[k] || r.Bytes != m.bytes[k] || r.Idle != tab.now-m.last[k] || r.Idle >= Inactive || r.Age < r.Idle {
			t.Errorf("flow %+v: %+v, want adjacency %d, %d packets, %d bytes, idle %d", k, r, m.id[k], m.packets[k], m.bytes[k], tab.now-m.last[k])
		}
	}
	used := 0
	for i := range tab.n {
		used += countTags(tab.set(i)[setTags])
	}
	if uint64(used) != tab.Live() {
		t.Errorf("%d flows live, %d counted", used, tab.Live())
	}
}

func countTags(tags uint64) (n int) {
	for ; tags != 0; tags >>= 8 {
		if tags&0xff != 0 {
			n++
		}
	}
	return n
}

// A flow without packets goes after the time, and not before; one with packets stays, also in a table that is never short of room.
func TestAgeing(t *testing.T) {
	tab := newTable(t, 1000)
	busy, idle := key(1), key(2)
	at := tab.Add(busy, tab.Hash(busy), 1, 20, 0)
	tab.Add(idle, tab.Hash(idle), 1, 21, 0)
	for now := int64(0); now < 40000; now += 10 {
		tab.Tick(now*ms, false)
		tab.Count(at, 100)
		seen := tab.all(t)
		if _, ok := seen[busy]; !ok || !tab.Is(at, busy) {
			t.Fatalf("a flow with packets is gone after %d ms", now)
		}
		if _, ok := seen[idle]; ok != (now < Inactive) {
			t.Fatalf("a flow that is idle is shown: %v, after %d ms", ok, now)
		}
	}
	if tab.Live() != 1 || tab.Find(idle, tab.Hash(idle)) != 0 {
		t.Errorf("%d flows live; the idle one is at %d", tab.Live(), tab.Find(idle, tab.Hash(idle)))
	}
	if r := tab.all(t)[busy]; r.Age != 39990 || r.Idle != 0 || r.Packets != 4000 {
		t.Errorf("%+v", r)
	}
}

// The sweep takes a whole table of idle flows out soon, and at no Tick more than a few sets.
func TestSweep(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		tab := newTable(t, 100000)
		for i := range 100000 {
			tab.Add(key(i), tab.Hash(key(i)), 1, 20, 0)
		}
		before := tab.Live()
		now := int64(Inactive + coarse)
		tab.Tick(now*ms, quiet)
		most := uint64(sweepBusy * Ways)
		if quiet {
			most = sweepIdle * Ways
		}
		if took := before - tab.Live(); took == 0 || took > most {
			t.Errorf("a first Tick took %d flows out", took)
		}
		for now++; tab.Live() > 0 && now < 30000; now++ {
			live := tab.Live()
			tab.Tick(now*ms, quiet)
			if live-tab.Live() > most {
				t.Fatalf("a Tick took %d flows out", live-tab.Live())
			}
		}
		if tab.Live() != 0 || now > Inactive+coarse+sweepPeriod+100 {
			t.Errorf("quiet %v: %d flows are left after %d ms", quiet, tab.Live(), now)
		}
		if len(tab.all(t)) != 0 {
			t.Error("readers still see flows")
		}
	}
}

// TestSweptIsNotFound: a flow that was taken out is not found, whatever stands below it in its set; one of tag 1 below is what the shorter test for a byte
// of 0 would be taken in by.
func TestSweptIsNotFound(t *testing.T) {
	tab := newTable(t, perSet) // one set
	var ks []Key
	for i := 0; len(ks) < 2; i++ {
		if _, tag := tab.place(tab.Hash(key(i))); tag == 1 {
			ks = append(ks, key(i))
		}
	}
	tab.Tick(1e6, false)
	stays, goes := ks[0], ks[1]
	tab.Add(stays, tab.Hash(stays), 1, 20, 0)
	tab.Add(goes, tab.Hash(goes), 1, 21, 0)
	for ms := int64(1); ms < 3*Inactive; ms += 100 {
		tab.Tick(ms*1e6, false)
		tab.Count(tab.Find(stays, tab.Hash(stays)), 1)
	}
	if tab.Live() != 1 {
		t.Fatalf("%d flows are left", tab.Live())
	}
	var b Batch
	b.Add(goes)
	b.Find(tab)
	if one, many := tab.Find(goes, tab.Hash(goes)), b.At(0); one != 0 || many != 0 {
		t.Errorf("a flow that was taken out is found at %d alone, at %d in a batch", one, many)
	}
	for x := range uint64(1 << 16) { // each byte by itself, whatever its neighbour is
		word, want := x*0x0001000100010001, uint64(0)
		for i := 0; i < 64; i += 8 {
			if word>>i&0xff == 0 {
				want |= 0x80 << i
			}
		}
		if got := zeros(word); got != want {
			t.Fatalf("zeros of %#x: %#x, want %#x", word, got, want)
		}
	}
}

// A full set loses the flow that has been idle longest.
func TestVictim(t *testing.T) {
	tab := newTable(t, perSet) // one set
	for i := range Ways {
		tab.Tick(int64(i)*2000*ms, true)
		tab.Add(key(i), tab.Hash(key(i)), 1, uint32(i), 0)
	}
	tab.Tick(15500*ms, true) // the first is 15.5 s old, and was not swept yet
	tab.Count(tab.Find(key(0), tab.Hash(key(0))), 1)
	for i := range 3 { // 1, 2 and 3 have been idle longest
		tab.Add(key(100+i), tab.Hash(key(100+i)), 1, 0, 0)
	}
	for i := range Ways {
		if there := tab.Find(key(i), tab.Hash(key(i))) != 0; there != (i == 0 || i > 3) {
			t.Errorf("flow %d is there: %v", i, there)
		}
	}
	if s := tab.Stats(); s.Live != Ways || s.Evicted != 3 || s.Added != Ways+3 {
		t.Errorf("%+v", s)
	}
}

// With as many flows as a table was made for, few find their set full; with twice as many it is full and works.
func TestLoad(t *testing.T) {
	const flows = 100000 / slow
	for _, n := range []int{flows, 2 * flows} {
		tab := newTable(t, flows)
		for i := range n {
			if tab.Find(key(i), tab.Hash(key(i))) != 0 {
				t.Fatalf("flow %d is there before it came", i)
			}
			tab.Add(key(i), tab.Hash(key(i)), 1, uint32(i), uint64(i))
		}
		s := tab.Stats()
		if n == flows && s.Evicted > flows*35/1000 || s.Live+s.Evicted != uint64(n) || s.Capacity != uint64(sets(flows)*Ways) {
			t.Errorf("%d flows: %+v", n, s)
		}
		for k, r := range tab.all(t) {
			if int(r.Adj) != int(r.Origin) || key(int(r.Adj)) != k {
				t.Fatalf("flow %+v has what is another's: %+v", k, r)
			}
		}
	}
}

// TestMillion fills a table for a million flows and finds nearly all of them again, one by one and in batches.
func TestMillion(t *testing.T) {
	flows := 1000000 / slow
	tab := newTable(t, flows)
	for i := range flows {
		tab.Add(key(i), tab.Hash(key(i)), 1, uint32(i), 0)
	}
	found := 0
	var b Batch
	for i := 0; i < flows; i += BatchSize {
		for k := range BatchSize {
			b.Add(key(i + k))
		}
		b.Find(tab)
		for k := range BatchSize {
			at := tab.Find(key(i+k), tab.Hash(key(i+k)))
			if b.At(k) != at || *b.Key(k) != key(i+k) {
				t.Fatalf("flow %d: at %d in a batch, %d alone", i+k, b.At(k), at)
			}
			if at != 0 {
				found++
				if id, ok := tab.Adj(at, 1); !ok || id != uint32(i+k) {
					t.Fatalf("flow %d leads to %d", i+k, id)
				}
			}
		}
		b.Clear()
	}
	if found < flows*97/100 || uint64(found) != tab.Live() {
		t.Errorf("%d of %d flows found, %d live", found, flows, tab.Live())
	}
}

// Flows that share set and tag are told apart, also in a batch.
func TestCollision(t *testing.T) {
	tab := newTable(t, 1)
	_, tag := tab.place(tab.Hash(key(0)))
	same := []Key{key(0)}
	for i := 1; len(same) < Ways; i++ {
		if _, other := tab.place(tab.Hash(key(i))); other == tag {
			same = append(same, key(i))
		}
	}
	var b Batch
	for i, k := range same {
		if at := tab.Find(k, tab.Hash(k)); at != 0 {
			t.Fatalf("flow %d is found at %d", i, at)
		}
		tab.Add(k, tab.Hash(k), 1, uint32(i), 0)
	}
	for _, k := range same {
		b.Add(k)
	}
	b.Find(tab)
	for i, k := range same {
		if id, _ := tab.Adj(tab.Find(k, tab.Hash(k)), 1); int(id) != i {
			t.Errorf("flow %d leads to %d", i, id)
		}
		if id, _ := tab.Adj(b.At(i), 1); int(id) != i {
			t.Errorf("flow %d of a batch leads to %d", i, id)
		}
	}
}

// The worker that takes a table over goes on with its time and its counts, and believes no adjacency; it repairs a set that the worker before it was changing.
func TestResume(t *testing.T) {
	mem := format(100)
	old, err := Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	old.Resume()
	old.Tick(777*ms, true)
	old.Tick(5777*ms, true)
	k := key(1)
	old.Count(old.Add(k, old.Hash(k), 3, 44, 9), 50)
	old.head[headLive] = 77 // it was counted before it was entered
	set, _ := old.place(old.Hash(k))
	begin(old.set(set))
	if n := len(old.all(t)); n != 0 {
		t.Errorf("%d flows of a set that changes", n)
	}

	tab, err := Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	tab.Resume()
	tab.Tick(1e15, true) // another clock
	at := tab.Find(k, tab.Hash(k))
	if _, ok := tab.Adj(at, 3); ok || at == 0 || tab.Live() != 1 {
		t.Errorf("flow at %d, adjacency known: %v, %d live", at, ok, tab.Live())
	}
	tab.Tick(1e15+2000*ms, true)
	if r := tab.all(t)[k]; r.Packets != 1 || r.Bytes != 50 || r.Idle != 2000 || r.Age != 2000 || r.Origin != 9 {
		t.Errorf("%+v", r)
	}
	tab.Renew(at, 3, 45)
	if id, ok := tab.Adj(at, 3); !ok || id != 45 {
		t.Errorf("adjacency %d, %v", id, ok)
	}
}

// Times of 32 bits come round after 49 days.
func TestLongTime(t *testing.T) {
	tab := newTable(t, 10)
	k := key(1)
	at := uint32(0)
	for day := range int64(120) {
		now := day * 86400 * 1000 * ms
		for s := int64(0); s < 30; s++ {
			tab.Tick(now+s*1000*ms, true)
			if at = tab.Find(k, tab.Hash(k)); (at == 0) != (s == 0) {
				t.Fatalf("day %d, second %d: flow at %d", day, s, at)
			}
			if at == 0 {
				at = tab.Add(k, tab.Hash(k), 1, 1, 0)
			}
			tab.Count(at, 1)
		}
		for s := int64(30); s < 60; s++ {
			tab.Tick(now+s*1000*ms, true)
		}
	}
}

// Memory that holds no table, or less of it than it says, is refused.
func TestOpen(t *testing.T) {
	for name, change := range map[string]func(mem []uint64) []uint64{
		"nothing":   func([]uint64) []uint64 { return nil },
		"zeros":     func(m []uint64) []uint64 { clear(m); return m },
		"kind":      func(m []uint64) []uint64 { m[headKind]++; return m },
		"no sets":   func(m []uint64) []uint64 { m[headSets] = 0; return m },
		"many sets": func(m []uint64) []uint64 { m[headSets] = 1 << 60; return m },
		"one more":  func(m []uint64) []uint64 { m[headSets]++; return m },
		"cut":       func(m []uint64) []uint64 { return m[:len(m)-1] },
	} {
		if _, err := Open(change(format(1000))); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Readers see whole flows while the worker adds, counts, looks up again and sweeps. Each flow says in all its parts which one it is.
func TestReaders(t *testing.T) {
	mem := format(64)
	tab, err := Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	tab.Resume()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		reader, err := Open(mem)
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			var set [Ways]Record
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				for k := range reader.Read(i%reader.Sets(), &set) {
					r := set[k]
					if r.Key != key(int(r.Origin)) || r.Bytes > r.Packets*(r.Origin+1) || r.Bytes+r.Origin+1 < r.Packets*(r.Origin+1) || r.Adj != uint32(r.Origin) && r.Adj != ^uint32(r.Origin) {
						t.Errorf("parts of different flows: %+v", r)
						return
					}
				}
				_ = reader.Stats()
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 300000 / slow {
		if i%16 == 0 {
			tab.Tick(int64(i)*4*ms, false)
		}
		generation := uint64(1 + i/1000)
		n := rnd.IntN(200)
		k := key(n)
		at := tab.Find(k, tab.Hash(k))
		if at == 0 {
			at = tab.Add(k, tab.Hash(k), generation, uint32(n), uint64(n))
		} else if _, ok := tab.Adj(at, generation); !ok {
			tab.Renew(at, generation, ^uint32(n))
		}
		tab.Count(at, n+1)
	}
	close(stop)
	readers.Wait()
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 200, 4, 1, 1, 255, 0, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		tab := newTable(t, 6) // two sets
		now, generation := int64(0), uint64(1)
		last := make(map[Key]uint32)
		for i, op := range ops {
			switch {
			case op >= 250:
				now += int64(op-249) * 4000 * ms
				tab.Tick(now, op%2 == 0)
			case op >= 240:
				generation++
			default:
				k := key(int(op) % 32)
				at := tab.Find(k, tab.Hash(k))
				if at == 0 {
					last[k] = uint32(i)
					at = tab.Add(k, tab.Hash(k), generation, uint32(i), 0)
				} else if id, ok := tab.Adj(at, generation); id != last[k] {
					t.Fatalf("step %d: adjacency %d, want %d", i, id, last[k])
				} else if !ok {
					last[k] = uint32(i)
					tab.Renew(at, generation, uint32(i))
				}
				tab.Count(at, int(op))
			}
			live := 0
			for s := range tab.n {
				live += countTags(tab.set(s)[setTags])
			}
			if uint64(live) != tab.Live() {
				t.Fatalf("step %d: %d flows, counted %d", i, live, tab.Live())
			}
		}
		for k, r := range tab.all(t) {
			if r.Adj != last[k] {
				t.Errorf("flow %+v: %+v, want %d", k, r, last[k])
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for _, flows := range []int{1, 10000, 1000000} {
		tab := newTable(b, flows)
		for i := range flows {
			tab.Add(key(i), tab.Hash(key(i)), 1, 1, 0)
		}
		order := rand.New(rand.NewPCG(1, 1)).Perm(flows)
		b.Run(fmt.Sprintf("alone/%d", flows), func(b *testing.B) {
			for i := range b.N {
				k := key(order[i%flows])
				tab.Find(k, tab.Hash(k))
			}
		})
		b.Run(fmt.Sprintf("batch/%d", flows), func(b *testing.B) {
			var batch Batch
			for i := range b.N {
				batch.Add(key(order[i%flows]))
				if batch.Len() == BatchSize {
					batch.Find(tab)
					batch.Clear()
				}
			}
		})
	}
}
