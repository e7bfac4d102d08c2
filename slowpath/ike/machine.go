package ike

import (
	"time"

	"nave/slowpath/ike/ikemsg"
)

// Engine is one version of IKE.
type Engine interface {
	// Configure makes the engine run by c: what is not permitted any more goes, the rest stays as it is.
	Configure(now time.Time, c *Config) []Effect
	Handle(now time.Time, ev Event) []Effect
	// Deadline is when Tick is wanted; the zero Time: not at all.
	Deadline() time.Time
	// AppendStatus adds what the engine knows to s.
	AppendStatus(now time.Time, s *Status)
}

// Machine is both versions behind one door.
type Machine struct {
	env    *Env
	v1, v2 Engine
	cfg    Config
	held   []Initiate // waits for its turn, oldest first
}

// New puts two engines together that were made with env.
func New(env *Env, v1, v2 Engine) *Machine { return &Machine{env: env, v1: v1, v2: v2} }

// Configure makes IKE run by c.
func (m *Machine) Configure(now time.Time, c Config) []Effect {
	m.cfg = c
	m.env.Admission.Limits = c.Admission
	return append(append(m.v1.Configure(now, &m.cfg), m.v2.Configure(now, &m.cfg)...), m.begin(now)...)
}

// Handle takes one event to the version that it is for.
func (m *Machine) Handle(now time.Time, ev Event) []Effect {
	switch ev := ev.(type) {
	case Received:
		if len(ev.Packet) < ikemsg.HeaderLen {
			return nil
		}
		if ev.Packet[17]>>4 == ikemsg.Version1>>4 {
			return m.v1.Handle(now, ev)
		}
		return m.v2.Handle(now, ev) // a higher version is answered there (RFC 7296 section 2.5)
	case Initiate:
		if !m.env.Admission.Ready(now) {
			m.hold(ev)
			return nil
		}
		return m.initiate(now, ev)
	case Release:
		m.unhold(ev)
	case Tick:
		return append(append(m.v1.Handle(now, ev), m.v2.Handle(now, ev)...), m.begin(now)...)
	case Load:
		m.env.Admission.LoadNow = ev.Percent
		return nil
	case Clear:
		switch ev.Version {
		case 1:
			return m.v1.Handle(now, ev)
		case 2:
			return m.v2.Handle(now, ev)
		}
	}
	return append(m.v1.Handle(now, ev), m.v2.Handle(now, ev)...)
}

// initiate takes it to the version that its protection is of.
func (m *Machine) initiate(now time.Time, ev Initiate) []Effect {
	for i := range m.cfg.Protections {
		if p := &m.cfg.Protections[i]; p.ID == ev.Protection {
			if p.Version == 2 {
				return m.v2.Handle(now, ev)
			}
			return m.v1.Handle(now, ev)
		}
	}
	return []Effect{Failed{Protection: ev.Protection, Remote: ev.Remote, Why: WhyPolicy}}
}

// Deadline is when Tick is wanted.
func (m *Machine) Deadline() time.Time {
	d := earlier(m.v1.Deadline(), m.v2.Deadline())
	if len(m.held) > 0 {
		d = earlier(d, m.env.Admission.readyAt())
	}
	return d
}

// earlier is the earlier of two times; the zero Time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Status copies the state.
func (m *Machine) Status(now time.Time) Status {
	s := Status{Admission: m.env.Admission}
	m.v1.AppendStatus(now, &s)
	m.v2.AppendStatus(now, &s)
	return s
}
