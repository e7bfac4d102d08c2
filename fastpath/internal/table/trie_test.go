package table

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"nave/fastpath/internal/arena"
)

// testTables are tables in Go memory, so that the race detector watches them.
func testTables(t testing.TB, bytes int, change ...func(*Sizes)) *Tables {
	t.Helper()
	a, err := arena.NewHeap(bytes)
	if err != nil {
		t.Fatal(err)
	}
	size := Sizes{VRFs: 4, Ports: 8, Tunnels: 16, Adjacencies: 64, Groups: 8, Routes: 1 << 16, SAs: 64, Labels: 1000}
	for _, f := range change {
		f(&size)
	}
	tab, err := New(a, size)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// model is a routing table that cannot be wrong: a list of prefixes.
type model map[modelKey][]uint32

type modelKey struct {
	vrf  uint16
	addr uint32
	plen int
}

func mask(plen int) uint32 { return uint32(uint64(0xffffffff) << (32 - plen)) }

func (m model) lookup(vrf uint16, dst uint32) []uint32 {
	for plen := 32; plen >= 0; plen-- {
		if p, ok := m[modelKey{vrf, dst & mask(plen), plen}]; ok {
			return p
		}
	}
	return nil
}

// paths is what a lookup in the tables leads to.
func (t *Tables) pathsOf(h Hop) []uint32 {
	switch {
	case h == 0:
		return nil
	case !h.Multi():
		return []uint32{h.ID()}
	}
	return (*pathSet)(t.at(uint32(h) & idMask)).paths()
}

// drawKey draws prefixes that lie over and beside each other.
func drawKey(t *rapid.T) modelKey {
	plen := rapid.OneOf(rapid.IntRange(0, 32), rapid.SampledFrom([]int{0, 8, 15, 16, 17, 23, 24, 25, 31, 32})).Draw(t, "plen")
	addr := rapid.SampledFrom([]uint32{0x0a010000, 0x0a010100, 0x0a0101fe, 0x0a018000, 0x0a020000, 0xc0a80101, 0}).Draw(t, "addr")
	addr ^= rapid.SampledFrom([]uint32{0, 1, 2, 0x80, 0x100, 0x8000, 0x10000, 0x80000000}).Draw(t, "flip")
	return modelKey{uint16(rapid.IntRange(0, 1).Draw(t, "vrf")), addr & mask(plen), plen}
}

// countNodes counts the nodes below the roots.
func (t *Tables) countNodes() (n int) {
	for _, r := range t.vrfs {
		if r == 0 {
			continue
		}
		root := t.rootOf(r)
		for _, e := range root.fringe {
			if e>>32 == 0 {
				continue
			}
			n++
			child := t.childOf(uint32(e >> 32))
			for _, e := range child.fringe {
				if e>>32 != 0 {
					n++
				}
			}
		}
	}
	return n
}

func TestTrieAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tab := testTables(t, 16<<20)
		empty := tab.a.Used()
		m := model{}
		check := func(k modelKey) {
			dsts := []uint32{k.addr, k.addr | ^mask(k.plen), k.addr + 1, k.addr - 1, k.addr ^ 0x100, k.addr ^ 0x10000, rapid.Uint32().Draw(rt, "dst")}
			looks := []Look{{VRF: 3, Hop: 1}, {VRF: 99, Hop: 1}} // no routes, no VRF
			for _, dst := range dsts {
				looks = append(looks, Look{VRF: k.vrf, Dst: dst}, Look{VRF: 1 - k.vrf, Dst: dst, Hop: 7, node: 9})
			}
			tab.LookupAll(looks)
			for _, l := range looks {
				if want := tab.Lookup(l.VRF, l.Dst); l.Hop != want {
					rt.Fatalf("lookup of %08x in VRF %d: %x together, %x alone", l.Dst, l.VRF, l.Hop, want)
				}
			}
			for _, dst := range dsts {
				if got, want := tab.pathsOf(tab.Lookup(k.vrf, dst)), m.lookup(k.vrf, dst); !slices.Equal(got, want) {
					rt.Fatalf("lookup of %08x in VRF %d: %v, want %v", dst, k.vrf, got, want)
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := drawKey(rt)
			if rapid.IntRange(0, 3).Draw(rt, "op") == 0 {
				_, have := m[k]
				if got := tab.Delete(k.vrf, k.addr, k.plen); got != have {
					rt.Fatalf("delete %+v: %v, want %v", k, got, have)
				}
				delete(m, k)
			} else {
				paths := rapid.SliceOfN(rapid.Uint32Range(0, 60), 1, MaxPaths).Draw(rt, "paths")
				if err := tab.Insert(k.vrf, k.addr, k.plen, paths); err != nil {
					rt.Fatalf("insert %+v: %v", k, err)
				}
				m[k] = paths
			}
			tab.Commit()
			check(k)
			if n := tab.countNodes(); n != tab.nodes || uint32(n) != tab.root.nodes.Load() {
				rt.Fatalf("%d nodes, counted %d, told %d", n, tab.nodes, tab.root.nodes.Load())
			}
			if tab.Routes() != len(m) {
				rt.Fatalf("%d routes, want %d", tab.Routes(), len(m))
			}
		}
		for k, p := range m {
			if got, ok := tab.Route(k.vrf, k.addr, k.plen); !ok || !slices.Equal(got, p) {
				rt.Fatalf("route %+v: %v %v, want %v", k, got, ok, p)
			}
			check(k)
		}
		for k := range m {
			tab.Delete(k.vrf, k.addr, k.plen)
		}
		tab.Commit()
		roots := 0
		for _, r := range tab.vrfs {
			if r != 0 {
				roots++
			}
		}
		if left := tab.a.Used() - empty; left != roots*rootSize {
			rt.Fatalf("%d bytes are left of an empty table with %d roots of %d", left, roots, rootSize)
		}
	})
}

// TestTrieReaders changes routes under readers: what they find is always one of the two states there ever were.
func TestTrieReaders(t *testing.T) {
	tab := testTables(t, 32<<20)
	const net = 0x0a000000
	if err := tab.Insert(0, net, 8, []uint32{20}); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 3 {
		r, err := tab.a.Reader(i)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for !stop.Load() {
				r.Enter()
				for range 64 {
					dst := net | rnd.Uint32()&0x3ffff
					id := tab.Path(tab.Lookup(0, dst), rnd.Uint32())
					if id != 20 && (id < 30 || id >= 30+MaxPaths) {
						t.Errorf("lookup of %08x found adjacency %d, which no route ever had", dst, id)
						r.Exit()
						return
					}
				}
				r.Exit()
			}
		}()
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	for n := range 4000 {
		plen := 14 + rnd.IntN(19)
		addr := (net | rnd.Uint32()&0x3ffff) & mask(plen)
		if rnd.IntN(2) == 0 {
			tab.Delete(0, addr, plen)
		} else {
			var paths []uint32
			for range 1 + rnd.IntN(MaxPaths) {
				paths = append(paths, 30+uint32(rnd.IntN(8)))
			}
			if err := tab.Insert(0, addr, plen, paths); err != nil {
				t.Error(n, err)
				break
			}
		}
		tab.Commit()
	}
	stop.Store(true)
	wg.Wait()
}

func TestTrieFull(t *testing.T) {
	tab := testTables(t, 2<<20, func(s *Sizes) { s.Routes = 100000 })
	var err error
	n := 0
	for ; n < 100000 && err == nil; n++ {
		err = tab.Insert(0, uint32(n)<<8|0x0a000001, 32, []uint32{20, 21})
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d routes: %v, want ErrFull", n, err)
	}
	n--
	if tab.Routes() != n {
		t.Errorf("%d routes, want %d", tab.Routes(), n)
	}
	used := tab.a.Used()
	if err := tab.Insert(0, 0x7f000001, 32, []uint32{20, 21}); !errors.Is(err, ErrFull) {
		t.Errorf("another route: %v, want ErrFull", err)
	}
	if tab.a.Used() != used {
		t.Errorf("a refused route keeps %d bytes", tab.a.Used()-used)
	}
	for i := range n {
		if got := tab.pathsOf(tab.Lookup(0, uint32(i)<<8|0x0a000001)); !slices.Equal(got, []uint32{20, 21}) {
			t.Fatalf("route %d: %v", i, got)
		}
	}
	for i := range n {
		tab.Delete(0, uint32(i)<<8|0x0a000001, 32)
	}
	tab.Commit()
	if err := tab.Insert(0, 0x7f000001, 32, []uint32{20}); err != nil {
		t.Errorf("after all were deleted: %v", err)
	}
}

func TestRouteLimit(t *testing.T) {
	tab := testTables(t, 4<<20, func(s *Sizes) { s.Routes = 2 })
	for i, want := range []error{nil, nil, ErrFull} {
		if err := tab.Insert(0, uint32(i)<<24, 8, []uint32{20}); !errors.Is(err, want) {
			t.Errorf("route %d: %v, want %v", i, err, want)
		}
	}
	if err := tab.Insert(0, 0, 8, []uint32{21}); err != nil {
		t.Errorf("replacing a route of a full table: %v", err)
	}
}

// TestDefaultRoute: the default route must not touch 65536 entries.
func TestDefaultRoute(t *testing.T) {
	tab := testTables(t, 4<<20)
	if err := tab.Insert(0, 0, 0, []uint32{20}); err != nil {
		t.Fatal(err)
	}
	n := tab.rootOf(tab.vrfs[0])
	for i, e := range n.fringe {
		if e != 0 {
			t.Fatalf("fringe entry %d is %x", i, e)
		}
	}
	if got := tab.Lookup(0, 0xffffffff).ID(); got != 20 {
		t.Errorf("default route leads to %d", got)
	}
	if !tab.Delete(0, 0, 0) || tab.Lookup(0, 1) != 0 {
		t.Error("the default route is still there")
	}
	if tab.Lookup(9, 1) != 0 {
		t.Error("a VRF that does not exist has a route")
	}
}

func TestPathSpread(t *testing.T) {
	tab := testTables(t, 4<<20)
	for n := 1; n <= MaxPaths; n++ {
		var paths []uint32
		for i := range n {
			paths = append(paths, 20+uint32(i))
		}
		if err := tab.Insert(0, 0x0a000000, 8, paths); err != nil {
			t.Fatal(err)
		}
		hop := tab.Lookup(0, 0x0a000001)
		seen := map[uint32]int{}
		for i := range 8000 {
			seen[tab.Path(hop, uint32(i)*0x9e3779b9)]++
		}
		for _, p := range paths {
			if c := seen[p]; c < 8000/n*8/10 || c > 8000/n*12/10 {
				t.Errorf("%d paths: path %d has %d of 8000", n, p, c)
			}
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	tab := testTables(b, 256<<20, func(s *Sizes) { s.Routes = 1 << 18 })
	rnd := rand.New(rand.NewPCG(1, 2))
	var dsts [1 << 16]uint32
	for i := range dsts {
		dsts[i] = rnd.Uint32()&0x3fffff00 | 5
		if err := tab.Insert(0, dsts[i]&mask(24), 24, []uint32{20}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var sum uint32
	for i := range b.N {
		sum += uint32(tab.Lookup(0, dsts[i&(len(dsts)-1)]))
	}
	_ = sum
}

func BenchmarkInsertDelete(b *testing.B) {
	tab := testTables(b, 64<<20)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		addr := uint32(i) & 0xffff << 8
		if i>>16&1 == 0 {
			if err := tab.Insert(0, addr, 24, []uint32{20}); err != nil {
				b.Fatal(err)
			}
		} else {
			tab.Delete(0, addr, 24)
		}
		tab.Commit()
	}
}
