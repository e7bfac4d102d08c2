package label

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func take(t *testing.T, p *Pool, now time.Time) uint32 {
	t.Helper()
	l, err := p.Take(now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A label is given to one user at a time, and rests after it.
func TestRest(t *testing.T) {
	p := NewSeeded(1)
	if _, err := p.Take(start); !errors.Is(err, ErrExhausted) {
		t.Fatalf("a pool without a range gives labels: %v", err)
	}
	p.Span(100, 103)
	seen := make(map[uint32]bool)
	for range 4 {
		l := take(t, p, start)
		if seen[l] || l < 100 || l > 103 {
			t.Fatalf("label %d after %v", l, seen)
		}
		seen[l] = true
	}
	if _, err := p.Take(start); !errors.Is(err, ErrExhausted) {
		t.Fatalf("a fifth label of four: %v", err)
	}
	p.Release(102, start)
	p.Release(102, start.Add(time.Minute)) // twice is once
	p.Release(7, start)                    // nobody's
	if taken, resting := p.Used(); taken != 3 || resting != 1 {
		t.Errorf("%d taken, %d resting", taken, resting)
	}
	if l, err := p.Take(start.Add(Rest - 1)); err == nil {
		t.Fatalf("%d is given before it has rested", l)
	}
	if l := take(t, p, start.Add(Rest)); l != 102 {
		t.Errorf("label %d, not the one that was free", l)
	}
}

// Labels of a process before are not given, in the range or where it comes to lie later; and the longest wish counts.
func TestAvoid(t *testing.T) {
	p := NewSeeded(1)
	p.Span(100, 101)
	mine := take(t, p, start)
	other := 201 - mine
	p.Avoid([]uint32{100, 101, 102}, start.Add(time.Hour))
	p.Avoid([]uint32{other}, start.Add(time.Minute))
	if l, err := p.Take(start.Add(time.Hour - 1)); err == nil {
		t.Fatalf("%d is given", l)
	}
	p.Span(102, 103)
	if l := take(t, p, start.Add(time.Minute)); l != 103 {
		t.Errorf("%d is given", l)
	}
	p.Span(100, 101)
	p.Release(mine, start.Add(time.Hour))
	p.Avoid([]uint32{mine}, start) // does not make its rest shorter
	if l := take(t, p, start.Add(time.Hour)); l != other {
		t.Errorf("%d, not %d", l, other)
	}
	if _, err := p.Take(start.Add(time.Hour)); err == nil {
		t.Error("the label that rests is given")
	}
}

// Processes begin anywhere.
func TestRandomStart(t *testing.T) {
	seen := make(map[uint32]bool)
	for range 20 {
		p := New()
		p.Span(First, Last)
		seen[take(t, p, start)] = true
	}
	if len(seen) < 19 {
		t.Errorf("%d different starts of 20", len(seen))
	}
}

func TestSpanIsCut(t *testing.T) {
	p := NewSeeded(3)
	p.Span(0, 17)
	if a, b := take(t, p, start), take(t, p, start); a+b != 16+17 {
		t.Errorf("%d and %d", a, b)
	}
	p.Span(Last, 1<<30)
	if l := take(t, p, start); l != Last {
		t.Errorf("label %d", l)
	}
}

// Against a plain model, in any order of calls.
func TestModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	p := NewSeeded(7)
	p.Span(50, 80)
	now := start
	taken, until := make(map[uint32]bool), make(map[uint32]time.Time)
	for range 20000 {
		now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
		switch l := uint32(48 + rng.IntN(36)); rng.IntN(6) {
		case 0:
			u := now.Add(time.Duration(rng.IntN(600)) * time.Second)
			p.Avoid([]uint32{l}, u)
			if !taken[l] && until[l].Before(u) {
				until[l] = u
			}
		case 1, 2:
			p.Release(l, now)
			if taken[l] {
				delete(taken, l)
				until[l] = now.Add(Rest)
			}
		default:
			got, err := p.Take(now)
			if err != nil {
				for l := uint32(50); l <= 80; l++ {
					if !taken[l] && !until[l].After(now) {
						t.Fatalf("%d is free, and not given", l)
					}
				}
				continue
			}
			if taken[got] || until[got].After(now) || got < 50 || got > 80 {
				t.Fatalf("%d is given, taken %v, resting until %v at %v", got, taken[got], until[got], now)
			}
			taken[got] = true
		}
	}
}

func TestConcurrent(t *testing.T) {
	p := New()
	p.Span(1000, 5000)
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := make(map[uint32]int)
	for range 8 {
		wg.Go(func() {
			for range 500 {
				l, err := p.Take(start)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[l]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 4000 {
		t.Errorf("%d different labels of 4000", len(seen))
	}
}
