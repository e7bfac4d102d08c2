package ikev2

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// timer wakes an SA: the heap holds one for each SA that waits for something, its children's included.
type timer struct {
	at    time.Time
	index int // in the heap, from 1; 0: not there
}

// timers is a heap of SAs by when they want tick, the earliest first; of two at the same time the one with the lower number.
type timers []*sa

func (h timers) Len() int { return len(h) }
func (h timers) Less(i, j int) bool {
	if c := h[i].timer.at.Compare(h[j].timer.at); c != 0 {
		return c < 0
	}
	return h[i].id < h[j].id
}

func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timer.index, h[j].timer.index = i+1, j+1
}

// Push is heap's.
func (h *timers) Push(x any) {
	s := x.(*sa)
	*h = append(*h, s)
	s.timer.index = len(*h)
}

// Pop is heap's.
func (h *timers) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.timer.index = 0
	return s
}

// set has an SA woken at a time; the zero Time: not at all.
func (h *timers) set(s *sa, at time.Time) {
	t := &s.timer
	switch {
	case at.IsZero() && t.index != 0:
		heap.Remove(h, t.index-1)
	case at.IsZero() || t.index != 0 && t.at.Equal(at):
	case t.index == 0:
		t.at = at
		heap.Push(h, s)
	default:
		t.at = at
		heap.Fix(h, t.index-1)
	}
}

// touch notes that an SA, or a child of it, may want to be woken at another time than before.
func (e *Engine) touch(s *sa) {
	if !s.touched {
		s.touched = true
		e.touched = append(e.touched, s)
	}
}

// settle sets the timers of what was touched.
func (e *Engine) settle() {
	for i, s := range e.touched {
		s.touched = false
		e.timers.set(s, s.wake())
		e.touched[i] = nil
	}
	e.touched = e.touched[:0]
}

// wake is when the SA or one of its children wants tick.
func (s *sa) wake() time.Time {
	if s.state == stateGone {
		return time.Time{}
	}
	d := s.deadline()
	for _, c := range s.children {
		d = earlier(d, c.deadline())
	}
	return d
}

// Deadline implements ike.Engine.
func (e *Engine) Deadline() time.Time {
	if len(e.timers) == 0 {
		return time.Time{}
	}
	return e.timers[0].timer.at
}

// tick does what is due.
func (e *Engine) tick() {
	var list []*sa
	for len(e.timers) > 0 && !e.timers[0].timer.at.After(e.now) {
		s := heap.Pop(&e.timers).(*sa)
		e.touch(s)
		list = append(list, s)
	}
	for _, s := range list {
		for _, c := range s.list() {
			c.tick()
		}
		s.tick()
	}
}

// earlier is the earlier of two times, of which the zero Time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// byNumber sorts SAs, so that what is done to many is done in an order that can be repeated.
func byNumber(list []*sa) []*sa {
	slices.SortFunc(list, func(a, b *sa) int { return cmp.Compare(a.id, b.id) })
	return list
}
