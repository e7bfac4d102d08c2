package ike

import "time"

// How fast IKE SAs may begin (Limits.SetUp): a bucket that a second fills, of one SA each. Peers who find it empty hear nothing and try again, as they would had their
// message been lost; what this side begins waits its turn. SAs that take the place of older ones are in the count, and are not held back where this side begins them.

// pace is the bucket.
type pace struct {
	left float64 // SAs that may begin now; less than none where some could not wait
	at   time.Time
}

// room is how many SAs may begin at once.
func (l *Limits) room() float64 { return max(1, l.SetUp) }

// Ready tells whether an IKE SA may begin as far as the rate goes.
func (a *Admission) Ready(now time.Time) bool {
	if a.SetUp <= 0 {
		return true
	}
	if a.pace.at.IsZero() {
		a.pace = pace{a.room(), now}
	}
	if d := now.Sub(a.pace.at); d > 0 {
		a.pace = pace{min(a.room(), a.pace.left+d.Seconds()*a.SetUp), now}
	}
	return a.pace.left >= 1
}

// Late tells whether a peer's first message comes faster than SAs may begin, and counts it if so: there is to be no answer then. It is asked before Admit.
func (a *Admission) Late(now time.Time) bool {
	if a.Ready(now) {
		return false
	}
	a.Stats.In++
	a.Stats.InRejected++
	a.Stats.RejectedSetUp++
	return true
}

// readyAt is when Ready is true next. It comes after Ready.
func (a *Admission) readyAt() time.Time {
	if a.SetUp <= 0 || a.pace.left >= 1 {
		return a.pace.at
	}
	return a.pace.at.Add(time.Duration((1-a.pace.left)/a.SetUp*float64(time.Second)) + time.Microsecond)
}

// hold keeps what is to be begun for later; what is asked twice is begun once.
func (m *Machine) hold(ev Initiate) {
	for n := range m.held {
		if h := &m.held[n]; h.Protection == ev.Protection && h.Remote == ev.Remote {
			*h = ev
			return
		}
	}
	m.held = append(m.held, ev)
}

// unhold forgets what is not wanted any more.
func (m *Machine) unhold(ev Release) {
	kept := m.held[:0]
	for _, h := range m.held {
		if h.Protection != ev.Protection || h.Remote.Addr() != ev.Remote.Addr() || ev.Remote.Port() != 0 && h.Remote.Port() != ev.Remote.Port() {
			kept = append(kept, h)
		}
	}
	m.held = kept
}

// begin begins what was held, as far as the rate goes. What needs no SA of its own takes nothing from it.
func (m *Machine) begin(now time.Time) (out []Effect) {
	for len(m.held) > 0 && m.env.Admission.Ready(now) {
		ev := m.held[0]
		m.held = m.held[1:]
		out = append(out, m.initiate(now, ev)...)
	}
	if len(m.held) == 0 {
		m.held = nil
	}
	return out
}
