package arena

import (
	"errors"
	"math/rand/v2"
	"testing"

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
	blocks := func(block func(Ref, int)) {
		for r, n := range inUse {
			block(r, n)
		}
	}
	lost, err := b.Recover(blocks)
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
	if again, err := b.Recover(blocks); err != nil || again != 0 {
		t.Errorf("a second look finds %d bytes, %v", again, err)
	}
	// All that is free can be had again, and brk stays where it is.
	brk := b.h.brk
	for b.Used() < int(brk)-100*Line {
		n := 900
		var r Ref
		for r == 0 && n > 0 {
			if b.h.free[class(n)] == 0 {
				n = n * 2 / 3
				continue
			}
			if r, err = b.Alloc(n); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			break
		}
		for _, c := range b.Bytes(r, n) {
			if c != 0 {
				t.Fatalf("a recovered block shows %x", c)
			}
		}
	}
	if b.h.brk != brk {
		t.Error("the region grew")
	}
}

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
			epoch := a.Epoch()
			if _, err := a.Recover(func(block func(Ref, int)) { block(r, 64) }); !errors.Is(err, ErrDamaged) {
				t.Errorf("error %v", err)
			}
			if a.Epoch() != epoch || len(a.retired) != 0 {
				t.Error("it was written to")
			}
		})
	}
}
