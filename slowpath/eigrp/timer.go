package eigrp

import (
	"container/heap"
	"time"
)

// timer does something once. A zero timer is off.
type timer struct {
	at    time.Time
	index int // in the heap, from 1; 0: not there
	fire  func()
}

// timers is a heap of the timers that are on, the earliest first.
type timers []*timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push is heap's.
func (h *timers) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}

// Pop is heap's.
func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	return t
}

// set turns a timer on, or moves it.
func (h *timers) set(t *timer, at time.Time) {
	t.at = at
	if t.index != 0 {
		heap.Fix(h, t.index-1)
		return
	}
	heap.Push(h, t)
}

// stop turns a timer off.
func (h *timers) stop(t *timer) {
	if t.index != 0 {
		heap.Remove(h, t.index-1)
	}
}

// due takes the earliest timer if its time has come.
func (h *timers) due(now time.Time) *timer {
	if len(*h) == 0 || (*h)[0].at.After(now) {
		return nil
	}
	return heap.Pop(h).(*timer)
}
