// Package timers is the timers of a step function: a heap of them, the earliest first. It has no clock; whoever turns the machine asks what is due.
package timers

import (
	"container/heap"
	"time"
)

// Timer does something once. A zero timer is off.
type Timer struct {
	at    time.Time
	index int // in the heap, from 1; 0: not there
	Fire  func()
}

// Heap is a heap of the timers that are on, the earliest first.
type Heap []*Timer

func (h Heap) Len() int           { return len(h) }
func (h Heap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h Heap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push is heap's.
func (h *Heap) Push(x any) {
	t := x.(*Timer)
	*h = append(*h, t)
	t.index = len(*h)
}

// Pop is heap's.
func (h *Heap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	return t
}

// Set turns a timer on, or moves it.
func (h *Heap) Set(t *Timer, at time.Time) {
	t.at = at
	if t.index != 0 {
		heap.Fix(h, t.index-1)
		return
	}
	heap.Push(h, t)
}

// Stop turns a timer off.
func (h *Heap) Stop(t *Timer) {
	if t.index != 0 {
		heap.Remove(h, t.index-1)
	}
}

// Due takes the earliest timer if its time has come.
func (h *Heap) Due(now time.Time) *Timer {
	if len(*h) == 0 || (*h)[0].at.After(now) {
		return nil
	}
	return heap.Pop(h).(*Timer)
}

// Next is when the earliest timer is due; the zero Time where none is on.
func (h Heap) Next() time.Time {
	if len(h) == 0 {
		return time.Time{}
	}
	return h[0].at
}

// On tells whether the timer is on.
func (t *Timer) On() bool { return t.index != 0 }

// At is when it is due, or was last.
func (t *Timer) At() time.Time { return t.at }
