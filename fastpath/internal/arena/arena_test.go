package arena

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestClasses(t *testing.T) {
	for n := 1; n < 1<<20; n += 1 + n/37 {
		c := class(n)
		size := classSize(c)
		if size < uint64(n) || size%Line != 0 {
			t.Fatalf("%d bytes: class %d of %d", n, c, size)
		}
		if c > 0 && classSize(c-1) >= uint64(n) {
			t.Fatalf("%d bytes: class %d of %d, though class %d of %d would do", n, c, size, c-1, classSize(c-1))
		}
	}
	if c := class(MaxSize); int(c) >= numClasses {
		t.Fatalf("class %d of the largest block", c)
	}
}

func arenas(t *testing.T, f func(t *testing.T, a *Arena)) {
	for name, mk := range map[string]func(int) (*Arena, error){"memfd": New, "private": NewPrivate, "heap": NewHeap} {
		t.Run(name, func(t *testing.T) {
			a, err := mk(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			f(t, a)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAlloc(t *testing.T) {
	arenas(t, func(t *testing.T, a *Arena) {
		seen := map[Ref]bool{}
		start := a.Used()
		var blocks []Ref
		for {
			r, err := a.Alloc(3000)
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil || r == 0 || seen[r] {
				t.Fatalf("block %d: %v", r, err)
			}
			b := a.Bytes(r, 3000)
			for i := range b {
				if b[i] != 0 {
					t.Fatalf("block %d is not zero at %d", r, i)
				}
				b[i] = 0xff
			}
			seen[r] = true
			blocks = append(blocks, r)
		}
		if len(blocks) < 300 {
			t.Errorf("%d blocks of 3000 bytes in 1 MiB", len(blocks))
		}
		for _, r := range blocks {
			a.Free(r, 3000)
		}
		if a.Used() != start {
			t.Errorf("%d bytes used, want %d", a.Used(), start)
		}
		r, err := a.Alloc(2600)
		if err != nil || !seen[r] {
			t.Fatalf("a freed block is not used again: %d, %v", r, err)
		}
		for _, c := range a.Bytes(r, 2600) {
			if c != 0 {
				t.Fatal("a block that is used again is not zero")
			}
		}
		for _, n := range []int{0, -1, 2 << 20} {
			if _, err := a.Alloc(n); !errors.Is(err, ErrFull) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

func TestEpochs(t *testing.T) {
	a, err := NewHeap(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	var rs [3]*Reader
	for i := range rs {
		if rs[i], err = a.Reader(i); err != nil {
			t.Fatal(err)
		}
	}
	retire := func() {
		r, err := a.Alloc(64)
		if err != nil {
			t.Fatal(err)
		}
		a.Retire(r, 64)
		a.Advance()
	}
	waits := func(what string, want int) {
		t.Helper()
		if got := a.Reclaim(); got != want {
			t.Errorf("%s: %d blocks wait, want %d", what, got, want)
		}
	}
	retire()
	waits("nobody is online", 0)
	rs[0].Enter()
	retire()
	retire()
	waits("a reader from before", 2)
	rs[1].Enter()
	retire()
	waits("a second reader", 3)
	rs[0].Enter()
	waits("the first looks again, the second still holds what came after it", 1)
	rs[1].Exit()
	waits("the second goes offline, the first saw none of it", 0)
	rs[0].Exit()
	waits("all offline", 0)
	rs[2].Enter()
	retire()
	waits("a reader that dies", 1)
	a.ClearReader(2)
	waits("it is cleared", 0)
	if rs[2].Online() {
		t.Error("a cleared reader is online")
	}
	if _, err := a.Reader(MaxReaders); err == nil {
		t.Error("more readers than slots")
	}
}

func TestSizes(t *testing.T) {
	for _, n := range []int{0, 4096, 1<<20 + 1, MaxSize + os.Getpagesize()} {
		if a, err := New(n); err == nil {
			t.Errorf("a region of %d bytes: no error", n)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestMapping: another mapping of the memfd shows the same bytes, and the region stays out of dumps.
func TestMapping(t *testing.T) {
	a, err := New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	copy(a.Bytes(r, 64), "seen by others")
	a.SetRoot(r)
	other, err := unix.Mmap(a.Fd(), 0, a.Size(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(other[int(a.Root())*Line:][:14]); got != "seen by others" {
		t.Errorf("the other mapping shows %q", got)
	}
	if err := unix.Munmap(other); err != nil {
		t.Error(err)
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, of, ok := strings.Cut(string(maps), "nave-arena")
	if !ok {
		t.Fatal("the region is not among the mappings")
	}
	_, flags, _ := strings.Cut(of, "VmFlags:")
	line, _, _ := strings.Cut(flags, "\n")
	if !strings.Contains(line, " dd") {
		t.Errorf("flags of the mapping are%s, without dd", line)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error("closing again:", err)
	}
}
