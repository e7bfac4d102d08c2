package arena

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reopen maps the region a second time, as the next writer does.
func reopen(t *testing.T, a *Arena) *Arena {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(a.Fd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// TestRecover: whatever the writer before held, retired or had in hand, the next one has all of the region that is not in use, once readers have gone, and nothing
// of it shows what it held.
func TestRecover(t *testing.T) {
	a, err := New(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	inUse := map[Ref]int{}
	for range 20 {
		r, err := a.AllocKept(1 + rnd.IntN(5000))
		if err != nil {
			t.Fatal(err)
		}
		a.Bytes(r, 1)[0] = 1
	}
	for range 2000 {
		n := 1 + rnd.IntN(900)
		r, err := a.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Bytes(r, n) {
			a.Bytes(r, n)[i] = 0xa5
		}
		switch rnd.IntN(4) {
		case 0:
			inUse[r] = n
		case 1:
			a.Free(r, n)
		case 2:
			a.Retire(r, n)
		default: // in hand when the writer died
		}
	}
	reader, err := a.Reader(0)
	if err != nil {
		t.Fatal(err)
	}
	reader.Enter()
	b := reopen(t, a)
	check := func(block func(Ref, int) bool) bool {
		for r, n := range inUse {
			if !block(r, n) {
				t.Errorf("a block of %d bytes at line %d can't be", n, r)
			}
		}
		return true
	}
	mend := func(block func(Ref, int)) {
		for r, n := range inUse {
			block(r, n)
		}
	}
	lost, err := b.Recover(check, mend)
	if err != nil || lost < 1000*Line {
		t.Fatalf("%d bytes were lost, %v", lost, err)
	}
	if n := b.Reclaim(); n == 0 {
		t.Error("what a reader may hold was freed")
	}
	reader.Exit()
	if n := b.Reclaim(); n != 0 {
		t.Errorf("%d blocks still wait", n)
	}
	want := 0
	for r, n := range inUse {
		want += int(classSize(class(n)))
		for _, c := range b.Bytes(r, n) {
			if c != 0xa5 {
				t.Fatal("a block in use was touched")
			}
		}
	}
	if again, err := b.Recover(check, mend); err != nil || again != 0 {
		t.Errorf("a second look finds %d bytes, %v", again, err)
	}
	// All that is free can be had again, in blocks of any size.
	b.h.size = b.h.brk
	left := b.Used()
	for n := 900; n > 0; {
		r, err := b.Alloc(n)
		if err != nil {
			n = n * 2 / 3
			continue
		}
		left += int(classSize(class(n)))
		for _, c := range b.Bytes(r, n) {
			if c != 0 {
				t.Fatalf("a recovered block shows %x", c)
			}
		}
	}
	if left != int(b.h.brk) || b.Used() != left {
		t.Errorf("%d bytes are left over, and %d are used of %d", int(b.h.brk)-left, b.Used(), b.h.brk)
	}
}

// TestRecoverOften: a writer that follows another has all of the region that nobody uses, however often that happens, and whatever sizes of blocks there were in hand.
func TestRecoverOften(t *testing.T) {
	a, err := New(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for round := range 600 {
		size := 320
		if round%50 == 49 {
			size = 64 << 10 // the small ones have to have come together again
		}
		for range 2 << 20 / 64 / size {
			r, err := a.Alloc(size)
			if err != nil {
				t.Fatalf("round %d: %v with %d of %d bytes used", round, err, a.Used(), a.Size())
			}
			a.Retire(r, size)
		}
		b := reopen(t, a)
		if _, err := b.Recover(noBlocks, func(func(Ref, int)) {}); err != nil {
			t.Fatal(err)
		}
		b.Reclaim()
		if b.Used() != int(unsafe.Sizeof(header{})+Line-1)&^(Line-1) {
			t.Fatalf("round %d: %d bytes are used by nobody", round, b.Used())
		}
		a = b
	}
}

func noBlocks(func(Ref, int) bool) bool { return true }

// TestRecoverDamaged: a region whose notes contradict each other is not written to.
func TestRecoverDamaged(t *testing.T) {
	for name, harm := range map[string]func(a *Arena, r Ref){
		"a block twice":         func(a *Arena, r Ref) { a.Free(r, 64) },
		"a free list in a ring": func(a *Arena, r Ref) { q, _ := a.Alloc(64); a.Free(q, 64); a.U32(q, 1)[0] = uint32(q) },
		"a free block outside":  func(a *Arena, r Ref) { a.h.free[0] = 1 << 30 },
		"the end outside":       func(a *Arena, r Ref) { a.h.brk = a.h.size + Line },
		"the end in a line":     func(a *Arena, r Ref) { a.h.brk++ },
		"a kept block twice":    func(a *Arena, r Ref) { k, _ := a.AllocKept(64); a.Free(k, 64) },
		"a kept class":          func(a *Arena, r Ref) { _, _ = a.AllocKept(64); (*keptNote)(a.Ptr(a.h.kept)).class = 200 },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			r, err := a.Alloc(64)
			if err != nil {
				t.Fatal(err)
			}
			harm(a, r)
			before := bytes.Clone(a.mem)
			check := func(block func(Ref, int) bool) bool { return block(r, 64) }
			if _, err := a.Recover(check, func(func(Ref, int)) { t.Error("it is mended") }); !errors.Is(err, ErrDamaged) {
				t.Errorf("error %v", err)
			}
			if !bytes.Equal(a.mem, before) || len(a.retired) != 0 {
				t.Error("it was written to")
			}
		})
	}
}

// TestRecoverDamagedBlocks: what check names and can't be is told, before anybody looks into it.
func TestRecoverDamagedBlocks(t *testing.T) {
	a, err := New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r, err := a.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	end := Ref(a.h.brk / Line)
	for _, c := range []struct {
		r Ref
		n int
	}{{0, 64}, {1, 64}, {end, 64}, {end - 1, 128}, {1<<32 - 1, 64}, {r, 0}, {r, -1}, {r, 1 << 40}} {
		_, err := a.Recover(func(block func(Ref, int) bool) bool {
			if block(c.r, c.n) {
				t.Errorf("a block of %d bytes at line %d", c.n, c.r)
			}
			return true
		}, nil)
		if !errors.Is(err, ErrDamaged) || a.Holds(c.r, c.n) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := a.Recover(func(func(Ref, int) bool) bool { return false }, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("what lies in it can't be: %v", err)
	}
	if !a.Holds(r, 64) || !a.Holds(r, 1) || a.Holds(r, 65) {
		t.Error("what the region holds")
	}
	k, err := a.AllocKept(1000)
	if err != nil || !a.Kept(k, 1000) || a.Kept(k, 2000) || a.Kept(k, 0) || a.Kept(r, 64) || a.Kept(0, 64) {
		t.Errorf("which blocks are kept, %v", err)
	}
}
