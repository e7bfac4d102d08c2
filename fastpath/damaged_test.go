package fastpath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/ring"
)

// damagedArena is an arena with something of everything in it, and how it was before anybody harmed it.
type damagedArena struct {
	writer *Engine
	mem    []byte
	before []byte
	used   []int // where there is something: words of four bytes
}

func damagedConfig() Config {
	c := sharedConfig(2)
	c.ArenaBytes, c.PuntSlots, c.InjectSlots, c.SlotSize, c.FlowCache = 3<<20, 16, 16, 256, 100
	return c
}

func newDamagedArena(t testing.TB) *damagedArena {
	writer, err := New(damagedConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	for range 2 {
		if _, err := writer.NewRemote(4096); err != nil {
			t.Fatal(err)
		}
	}
	b := rigBatch()
	gcm128.hub(nil, b)
	b.Routes = append(b.Routes, route("10.77.0.0/22", adjSpoke1, adjSpoke2), route("10.77.1.1/32", adjSpoke1, adjSpoke2))
	withSubs(nil, b)
	outside(&b.Adjacencies[2], 0, 100, 200)
	b.Adjacencies = append(b.Adjacencies, fib.Adjacency{ID: adjToBlue, Kind: fib.AdjLookup, VRF: blue})
	b.Labels = append(b.Labels, fib.Label{In: 100, Action: fib.LabelSwap, Paths: []fib.AdjID{adjSpoke1, adjSpoke2}})
	if refused, err := writer.Apply(b); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	if err := writer.RelayRing(0, 1); err != nil {
		t.Fatal(err)
	}
	capture, err := ring.NewRecords(writer.captureMem(1))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		copy(capture.Put(captureHeader+n), pattern(captureHeader+n))
	}
	capture.Publish()
	d := &damagedArena{writer: writer, mem: writer.arena.Bytes(0, writer.arena.Size())}
	d.before = bytes.Clone(d.mem)
	for i := 0; i < len(d.mem); i += 4 {
		if binary.NativeEndian.Uint32(d.mem[i:]) != 0 {
			d.used = append(d.used, i)
		}
	}
	return d
}

// adopt takes an arena over in which the word at at is another. Whatever that is, it is taken over, or refused and left as it was.
func (d *damagedArena) adopt(t *testing.T, at int, value uint32) (refused bool) {
	t.Helper()
	copy(d.mem, d.before)
	binary.NativeEndian.PutUint32(d.mem[at:], value)
	harmed := bytes.Clone(d.mem)
	e, err := Adopt(dup(t, d.writer.ArenaFD()), damagedConfig())
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrLayout) {
			t.Fatalf("%#x at %#x: %v", value, at, err)
		}
		if errors.Is(err, ErrDamaged) && !bytes.Equal(d.mem, harmed) {
			t.Fatalf("%#x at %#x: refused, and yet it was changed: %v", value, at, err)
		}
		return true
	}
	defer e.Close()
	b := e.Inherited()
	_ = e.Counters()
	if c, err := e.Capture(CaptureRequest{Points: captureAll}); err == nil {
		c.Drain(func(*Captured) bool { return true })
		_ = c.Lost()
		c.Close()
	} else if !errors.Is(err, ring.ErrLayout) {
		t.Fatalf("%#x at %#x: %v", value, at, err)
	}
	for _, l := range b.Labels {
		e.LabelCount(l.In)
	}
	e.Flows(func(*Flow) bool { return true })
	for _, r := range b.Routes {
		e.tables.Path(e.tables.Lookup(uint16(r.VRF), binary.BigEndian.Uint32(r.Prefix.Addr().AsSlice())), 1)
	}
	if _, err := e.Apply(removal(&b)); err != nil {
		t.Logf("%#x at %#x: %v", value, at, err)
	}
	return false
}

// TestAdoptDamaged harms an arena in thousands of ways: none makes a process that takes it over fail, which would do so at each start again.
func TestAdoptDamaged(t *testing.T) {
	d := newDamagedArena(t)
	rnd := rand.New(rand.NewPCG(3, 14))
	refused, rounds := 0, 600
	if testing.Short() {
		rounds = 300
	}
	for range rounds {
		at := d.used[rnd.IntN(len(d.used))]
		old := binary.NativeEndian.Uint32(d.before[at:])
		value := [...]uint32{rnd.Uint32(), old + 1, old - 1, old ^ 1<<rnd.IntN(32), rnd.Uint32() % uint32(len(d.mem)/64), 0xffffffff, 0}[rnd.IntN(7)]
		if d.adopt(t, at, value) {
			refused++
		}
	}
	if refused < rounds/100 {
		t.Errorf("%d of %d were refused", refused, rounds)
	}
}

func FuzzAdopt(f *testing.F) {
	d := newDamagedArena(f)
	f.Add(uint32(0), uint32(0))
	f.Add(uint32(1000), uint32(1<<30))
	f.Fuzz(func(t *testing.T, at, value uint32) {
		d.adopt(t, d.used[int(at)%len(d.used)], value)
	})
}
