package ring

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"
)

func pair(t testing.TB, slots, size int) (w, r *Ring) {
	t.Helper()
	mem := make([]byte, Bytes(slots, size))
	w, err := New(mem, slots, size)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = Open(mem); err != nil {
		t.Fatal(err)
	}
	return w, r
}

func TestOrderAndBounds(t *testing.T) {
	w, r := pair(t, 4, 64)
	for round := range 10 {
		if r.Peek() != nil || r.Len() != 0 {
			t.Fatal("an empty ring has something")
		}
		for i := range 4 {
			s := w.Reserve()
			if len(s) != 64 {
				t.Fatalf("slot of %d bytes", len(s))
			}
			s[0] = byte(round*4 + i)
			w.Commit()
		}
		if w.Reserve() != nil || r.Len() != 4 {
			t.Fatal("a full ring takes more")
		}
		for i := range 4 {
			if s := r.Peek(); s == nil || s[0] != byte(round*4+i) {
				t.Fatalf("slot %d: %v", i, s)
			}
			r.Release()
			if i == 0 && w.Reserve() == nil {
				t.Fatal("no room after one was given back")
			}
		}
	}
}

func TestConcurrent(t *testing.T) {
	w, r := pair(t, 8, 64)
	const total = 20000
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := 0; i < total; {
			if s := w.Reserve(); s != nil {
				binary.LittleEndian.PutUint64(s, uint64(i))
				w.Commit()
				i++
			}
		}
	}()
	for i := 0; i < total; {
		s := r.Peek()
		if s == nil {
			continue
		}
		if got := binary.LittleEndian.Uint64(s); got != uint64(i) {
			t.Errorf("slot %d holds %d", i, got)
			break
		}
		r.Release()
		i++
	}
	wg.Wait()
}

// TestBursts: what is staged is not seen before it is published, and what is skipped makes no room before it is given back.
func TestBursts(t *testing.T) {
	w, r := pair(t, 4, 64)
	for round := range 5 {
		for i := range 4 {
			w.Reserve()[0] = byte(4*round + i)
			w.Advance()
		}
		if r.Peek() != nil || w.Reserve() != nil {
			t.Fatal("slots are seen before they are published, or a full ring takes more")
		}
		w.Publish()
		for i := range 4 {
			if s := r.Peek(); s == nil || s[0] != byte(4*round+i) {
				t.Fatalf("slot %d: %v", i, s)
			}
			r.Pass()
			if w.Reserve() != nil {
				t.Fatal("room before the slots were given back")
			}
		}
		if r.Peek() != nil {
			t.Fatal("an empty ring has something")
		}
		r.Return()
	}
}

func TestWake(t *testing.T) {
	w, r := pair(t, 4, 64)
	put := func() { w.Reserve(); w.Commit() }
	put()
	if w.TakeWake() {
		t.Error("a wake-up for a reader that is awake")
	}
	if r.Arm() {
		t.Error("a reader may sleep though something waits")
	}
	if w.TakeWake() {
		t.Error("a wake-up for a reader that was told to stay")
	}
	r.Peek()
	r.Release()
	if !r.Arm() {
		t.Error("a reader with nothing to do may not sleep")
	}
	put()
	if !w.TakeWake() || w.TakeWake() {
		t.Error("want exactly one wake-up")
	}
	r.Disarm()
}

// TestReopen: whoever maps the memory next goes on where the last one stopped.
func TestReopen(t *testing.T) {
	mem := make([]byte, Bytes(4, 64))
	w, err := New(mem, 4, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		w.Reserve()[0] = byte(i)
		w.Commit()
	}
	r, _ := Open(mem)
	r.Peek()
	r.Release()
	w, _ = Open(mem)
	r, _ = Open(mem)
	w.Reserve()[0] = 3
	w.Commit()
	for i := 1; i < 4; i++ {
		if s := r.Peek(); s == nil || s[0] != byte(i) {
			t.Fatalf("slot %d: %v", i, s)
		}
		r.Release()
	}
}

func TestBadLayouts(t *testing.T) {
	for _, c := range []struct{ mem, slots, size int }{{1 << 20, 3, 64}, {1 << 20, 1, 64}, {1 << 20, 4, 65}, {1 << 20, 4, 0}, {100, 4, 64}} {
		if _, err := New(make([]byte, c.mem), c.slots, c.size); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	good := make([]byte, Bytes(4, 64))
	if _, err := New(good, 4, 64); err != nil {
		t.Fatal(err)
	}
	for name, mem := range map[string][]byte{"empty": nil, "zero": make([]byte, 1024), "cut": good[:len(good)-1]} {
		if _, err := Open(mem); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
