package dmvpn

import (
	"container/heap"
	"time"

	"nave/slowpath/ike"
)

// timer is a session's place in the heap.
type timer struct {
	owner *session
	at    time.Time
	index int // from 1; 0: not in the heap
}

// timers is a heap by time.
type timers []*timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push implements heap.Interface.
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*h) + 1
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	return t
}

func (h *timers) stop(t *timer) {
	if t.index != 0 {
		heap.Remove(h, t.index-1)
	}
}

// schedule sets when the session looks at itself next.
func (m *Machine) schedule(s *session) {
	at := s.retryAt
	if s.opening != nil {
		at = time.Time{} // that comes first
	}
	for _, t := range []time.Time{s.releaseAt, s.idleAt(), s.endsAt(), s.opening.wakeAt(), s.calmAt()} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	switch {
	case at.IsZero():
		m.timers.stop(&s.timer)
	case s.timer.index == 0:
		s.timer.at = at
		heap.Push(&m.timers, &s.timer)
	case !s.timer.at.Equal(at):
		s.timer.at = at
		heap.Fix(&m.timers, s.timer.index-1)
	}
}

// idleAt is when a session that is up has carried nothing for too long; the zero Time: never.
func (s *session) idleAt() time.Time {
	if s.active == nil || s.protection.IdleTime <= 0 {
		return time.Time{}
	}
	return s.lastUsed.Add(s.protection.IdleTime)
}

// Deadline is when Tick is wanted; the zero Time: not at all.
func (m *Machine) Deadline() time.Time {
	if len(m.timers) == 0 {
		return time.Time{}
	}
	return m.timers[0].at
}

// tick does what is due, each session once at most.
func (m *Machine) tick() {
	for n := len(m.timers); n > 0 && len(m.timers) > 0 && !m.timers[0].at.After(m.now); n-- {
		s := m.timers[0].owner
		m.expire(s)
	}
}

// expire is a session's look at itself.
func (m *Machine) expire(s *session) {
	if !m.endInherited(s, ike.WhyNone) {
		return
	}
	if idle := s.idleAt(); !idle.IsZero() && !idle.After(m.now) {
		m.release(s)
		m.forget(s, ike.WhyReleased)
		if len(s.wanted) == 0 {
			m.drop(s)
			return
		}
	}
	if !s.releaseAt.IsZero() && !s.releaseAt.After(m.now) {
		if len(s.wanted) > 0 {
			s.releaseAt = time.Time{}
		} else if quiet := s.lastHeard().Add(quietAfter); s.active != nil && quiet.After(m.now) {
			s.releaseAt = quiet // the peer uses it: it has an entry for us, though we have none for it
		} else {
			m.close(s, ike.WhyReleased)
			return
		}
	}
	m.settle(s)
}

// lastHeard is when something came from the peer last.
func (s *session) lastHeard() (last time.Time) {
	for _, c := range s.children {
		if c.heard.After(last) {
			last = c.heard
		}
	}
	return last
}
