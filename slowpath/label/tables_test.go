package label

import (
	"testing"
	"time"
)

func TestTables(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pool := NewSeeded(1)
	pool.Span(100, 103)
	s := NewTables(pool)
	s.Configure(map[string]bool{"red": true, "blue": false})
	take := func(name string) uint32 {
		t.Helper()
		l, err := s.Take(name, now)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	red, err := s.Of("red", now)
	if again, _ := s.Of("red", now); err != nil || again != red {
		t.Fatalf("%d, then %d: %v", red, again, err)
	}
	if a, b := take("red"), take("red"); a != red || b != red {
		t.Errorf("prefixes of red have %d and %d, red has %d", a, b, red)
	}
	blue, none := take("blue"), take("")
	if blue == red || none == red || blue == none {
		t.Errorf("labels %d %d %d", red, blue, none)
	}
	if shared, of := s.Use(red, "red"); !shared || !of {
		t.Error("red's label is not red's")
	}
	if shared, of := s.Use(red, "blue"); !shared || of {
		t.Error("red's label is blue's")
	}
	if shared, _ := s.Use(blue, "blue"); shared {
		t.Error("a prefix's label is a table's")
	}
	s.Release(red, now)
	if l, ok := s.Forget("red", now); !ok || l != red {
		t.Errorf("forgot %d, %v", l, ok)
	}
	if _, ok := s.Forget("red", now); ok {
		t.Error("forgotten twice")
	}
	if shared, of := s.Use(red, "red"); !shared || of {
		t.Error("a prefix has red's label still, and red has it no more")
	}
	if taken, _ := pool.Used(); taken != 3 {
		t.Errorf("%d labels are taken, before the last prefix of red gave its back", taken)
	}
	next, err := s.Of("red", now)
	if err != nil || next == red {
		t.Errorf("red is back with label %d: %v", next, err)
	}
	s.Release(red, now)
	s.Release(blue, now)
	s.Release(none, now)
	if taken, resting := pool.Used(); taken != 1 || resting != 3 {
		t.Errorf("%d labels are taken, %d rest", taken, resting)
	}
	if _, err := s.Take("red", now); err != nil {
		t.Error(err)
	}
	if _, err := s.Of("green", now); err == nil {
		t.Error("a label out of nothing")
	}
	if _, err := s.Take("green", now); err == nil {
		t.Error("another one")
	}
}
