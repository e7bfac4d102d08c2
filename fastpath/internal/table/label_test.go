package table

import (
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

func swapTo(in uint32, paths ...fib.AdjID) *fib.Label {
	return &fib.Label{In: in, Action: fib.LabelSwap, Paths: paths}
}

func (t *Tables) labelList() (list []fib.Label) {
	for f := range t.LabelEntries() {
		list = append(list, f)
	}
	return list
}

// TestLabels installs, replaces and removes labels at random, and compares with a map.
func TestLabels(t *testing.T) {
	tab := testTables(t, 4<<20)
	used := tab.a.Used()
	want := map[uint32]fib.Label{}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func() uint32 {
		switch rnd.IntN(3) {
		case 0:
			return 16 + rnd.Uint32N(300)
		case 1:
			return fib.LastLabel - rnd.Uint32N(3)
		}
		return 1000 * rnd.Uint32N(40) // chunks of one label
	}
	for step := range 20000 {
		in := pick()
		if rnd.IntN(3) == 0 {
			tab.DelLabel(in)
			delete(want, in)
		} else {
			f := fib.Label{In: in, Action: fib.LabelAction(1 + rnd.IntN(3)), Pipe: rnd.IntN(2) == 0, CopyEXP: rnd.IntN(2) == 0}
			if f.Action == fib.LabelLookup {
				f.VRF = fib.VRF(rnd.IntN(1 << 16))
			} else {
				for range 1 + rnd.IntN(MaxPaths) {
					f.Paths = append(f.Paths, fib.AdjID(16+rnd.IntN(Software-16)))
				}
			}
			if err := tab.SetLabel(&f); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			want[in] = f
		}
		if step%50 == 0 {
			tab.Commit()
		}
		if tab.Labels() != len(want) {
			t.Fatalf("step %d: %d labels, want %d", step, tab.Labels(), len(want))
		}
	}
	got := tab.labelList()
	keys := slices.Sorted(maps.Keys(want))
	if len(got) != len(keys) {
		t.Fatalf("%d labels, want %d", len(got), len(keys))
	}
	for i, in := range keys {
		g, w := got[i], want[in]
		if g.In != in || g.Action != w.Action || g.VRF != w.VRF || g.Pipe != w.Pipe || g.CopyEXP != w.CopyEXP || !slices.Equal(g.Paths, w.Paths) {
			t.Fatalf("label %d: %+v, want %+v", in, g, w)
		}
		l := tab.Label(in)
		if l.Action() != w.Action || l.Pipe() != w.Pipe || l.CopyEXP() != w.CopyEXP || fib.VRF(l.VRF()) != w.VRF {
			t.Fatalf("label %d: entry %x, want %+v", in, l, w)
		}
		for h := uint32(0); h < 8 && len(w.Paths) > 0; h++ {
			if id := tab.Path(l.Hop(), h<<29); !slices.Contains(w.Paths, fib.AdjID(id)) {
				t.Fatalf("label %d: path to %d, want one of %v", in, id, w.Paths)
			}
		}
	}
	for _, in := range keys {
		tab.DelLabel(in)
	}
	tab.Commit()
	tab.Commit()
	if tab.Labels() != 0 || tab.labelList() != nil || tab.a.Used() != used {
		t.Errorf("%d labels are left, %d bytes in use, %d before", tab.Labels(), tab.a.Used(), used)
	}
}

// TestLabelsFull: what does not fit is refused and changes nothing, whether the table is full or the arena.
func TestLabelsFull(t *testing.T) {
	tab := testTables(t, 1<<20, func(s *Sizes) { s.Labels = 10 })
	for i := range uint32(10) {
		if err := tab.SetLabel(swapTo(100+i, 17)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.SetLabel(swapTo(200, 17)); !errors.Is(err, ErrFull) || tab.Label(200) != 0 {
		t.Errorf("label 11 of 10: %v", err)
	}
	if err := tab.SetLabel(swapTo(105, 18, 19)); err != nil {
		t.Errorf("changing one of them: %v", err)
	}
	tab = testTables(t, 1<<20, func(s *Sizes) { s.Labels = 1 << 20 })
	n := uint32(0)
	for ; n < 4096; n++ { // a chunk each
		if err := tab.SetLabel(swapTo(16+256*n, 17, 18)); errors.Is(err, ErrFull) {
			break
		}
	}
	if n < 10 || n == 4096 || tab.Labels() != int(n) {
		t.Fatalf("%d labels fit, %d are counted", n, tab.Labels())
	}
	used := tab.a.Used()
	for range 100 {
		if err := tab.SetLabel(swapTo(16+256*n, 17, 18)); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if tab.a.Used() != used {
		t.Errorf("refused labels take %d bytes", tab.a.Used()-used)
	}
}

// TestLabelReaders: a reader sees a label's old entry or its new one, with the paths that belong to it.
func TestLabelReaders(t *testing.T) {
	tab := testTables(t, 1<<22)
	const in = 5000
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 2 {
		r, err := tab.a.Reader(i)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for h := uint32(0); !stop.Load(); h += 1 << 28 {
				r.Enter()
				if l := tab.Label(in); l != 0 {
					id := tab.Path(l.Hop(), h)
					pipe := id >= 500
					if id < 100 || l.Pipe() != pipe {
						t.Errorf("adjacency %d, pipe %v", id, l.Pipe())
						stop.Store(true)
					}
				}
				r.Exit()
			}
		}()
	}
	for i := range 20000 {
		var err error
		switch i % 4 {
		case 0:
			err = tab.SetLabel(swapTo(in, 100, 101, 102))
		case 1:
			err = tab.SetLabel(&fib.Label{In: in, Action: fib.LabelForward, Paths: []fib.AdjID{500, 501}, Pipe: true})
		case 2:
			err = tab.SetLabel(swapTo(in, 103))
		case 3:
			tab.DelLabel(in)
		}
		if errors.Is(err, ErrFull) { // a reader has not run for a while
			runtime.Gosched()
		} else if err != nil {
			t.Error(err)
			break
		}
		tab.Commit()
	}
	stop.Store(true)
	wg.Wait()
}

// TestAdjLabels: what the record of a labelled adjacency says.
func TestAdjLabels(t *testing.T) {
	tab := testTables(t, 1<<20)
	f := testAdj(17, 0, 99)
	f.Labels, f.Pipe, f.MTU = []uint32{0x12345, 16}, true, 1400
	if err := tab.SetAdj(f); err != nil {
		t.Fatal(err)
	}
	a := tab.Adj(17)
	if a.Labels != 2 || a.MTU != 1392 || a.Limit != 1392 || a.Flags&AdjPipe == 0 || a.InnerLen != 16 || a.Overhead() != 36 {
		t.Errorf("record %+v", a)
	}
	if want := []byte{0x20, 0, 0x88, 0x47, 0, 0, 0, 99, 0x12, 0x34, 0x50, 0, 0, 1, 0, 0}; !slices.Equal(a.Inner[16:], want) {
		t.Errorf("inner header %x, want %x", a.Inner[16:], want)
	}
	if a.Pushes() != [3]uint32{0x12345, 16, 1 << 20} {
		t.Errorf("pushes %v", a.Pushes())
	}
	link := &fib.Adjacency{ID: 18, Kind: fib.AdjLink, Port: 1, Outer: make([]byte, 14), MTU: 1500, Labels: []uint32{0}}
	if err := tab.SetAdj(link); err != nil {
		t.Fatal(err)
	}
	a = tab.Adj(18)
	if a.Limit != 1496 || !slices.Equal(a.Inner[fib.MaxInner-6:], []byte{0x88, 0x47, 0, 0, 0, 0}) || a.InnerLen != 18 || a.Pushes() == (&Adj{}).Pushes() {
		t.Errorf("record %+v", a)
	}
	if unsafe.Sizeof(*a) != 128 || unsafe.Offsetof(a.Outer) != arena.Line {
		t.Errorf("%d bytes, outer header at %d", unsafe.Sizeof(*a), unsafe.Offsetof(a.Outer))
	}
}
