package ike

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Peers begin as many SAs a second as there may be, over any time, and the rest is counted.
func TestSetUpRate(t *testing.T) {
	a := Admission{Limits: Limits{SetUp: 60}}
	accepted, asked := 0, 0
	for ms := range 10000 {
		now := noon.Add(time.Duration(ms) * time.Millisecond)
		asked++
		if a.Late(now) {
			continue
		}
		if !a.Admit(true) {
			t.Fatal("refused for something else")
		}
		a.Established()
		accepted++
	}
	if accepted < 60+590 || accepted > 60+600 { // a second's worth lay there
		t.Errorf("%d of %d in ten seconds", accepted, asked)
	}
	if s := a.Stats; s.In != uint64(asked) || s.InAccepted != uint64(accepted) || s.InRejected != uint64(asked-accepted) || s.RejectedSetUp != s.InRejected {
		t.Errorf("%+v of %d, %d accepted", s, asked, accepted)
	}
}

func TestSetUpRateOff(t *testing.T) {
	var a Admission
	for range 1000 {
		if a.Late(noon) || !a.Ready(noon) {
			t.Fatal("there is no rate")
		}
	}
	a.SetUp = 0.5 // from now on: less than one a second still lets one begin at once
	if !a.Ready(noon) || !a.Admit(true) || a.Ready(noon.Add(time.Second)) || !a.Ready(noon.Add(2*time.Second)) {
		t.Error("one in two seconds")
	}
	a.SetUp = 0
	for range 2 {
		if !a.Admit(true) || a.Late(noon) {
			t.Error("the rate was taken away")
		}
	}
}

// admitting is an engine that begins an SA for each Initiate, without asking how fast.
type admitting struct {
	recorder
	env   *Env
	began []Initiate
}

func (e *admitting) Handle(_ time.Time, ev Event) []Effect {
	if i, ok := ev.(Initiate); ok {
		e.env.Admission.Admit(false)
		e.env.Admission.Established()
		e.began = append(e.began, i)
	}
	return nil
}

func pacing(setUp float64) (*Machine, *admitting) {
	env := NewEnv(nil, 1)
	e := &admitting{env: env}
	m := New(env, e, &recorder{version: 2})
	m.Configure(noon, Config{Protections: []Protection{{ID: 1, Version: 1}}, Admission: Limits{SetUp: setUp}})
	return m, e
}

func toward(n int) Initiate {
	return Initiate{Protection: 1, Remote: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:0", n))}
}

// What this side begins waits, in its order, and no longer than it has to.
func TestSetUpWaits(t *testing.T) {
	m, e := pacing(10)
	for n := range 30 {
		m.Handle(noon, toward(n))
		m.Handle(noon, toward(n)) // twice the same, while it waits
	}
	if len(e.began) != 10 {
		t.Fatalf("%d at once", len(e.began))
	}
	now := noon
	for len(m.held) > 0 {
		d := m.Deadline()
		if !d.After(now) || d.Sub(noon) > 3*time.Second {
			t.Fatalf("woken at %v after %v with %d waiting", d.Sub(noon), now.Sub(noon), len(m.held))
		}
		now = d
		m.Handle(now, Tick{})
	}
	if took := now.Sub(noon); took < 2400*time.Millisecond || took > 2700*time.Millisecond {
		t.Errorf("the last began after %v", took) // 5 of the first ten were the same asked twice
	}
	for n := range e.began {
		if n > 10 && e.began[n].Remote.Addr().Less(e.began[n-1].Remote.Addr()) {
			t.Errorf("out of order: %v", e.began)
		}
	}
	if !m.Deadline().IsZero() {
		t.Error("nothing waits any more")
	}
}

// What is not wanted any more does not begin, and without a rate nothing waits.
func TestSetUpReleased(t *testing.T) {
	m, e := pacing(1)
	for n := range 4 {
		m.Handle(noon, toward(n))
	}
	m.Handle(noon, Release{Protection: 1, Remote: toward(2).Remote})
	if len(e.began) != 1 || len(m.held) != 2 {
		t.Fatalf("%d began, %d wait", len(e.began), len(m.held))
	}
	m.Configure(noon, Config{Protections: []Protection{{ID: 1, Version: 1}}})
	if len(e.began) != 3 || e.began[1] != toward(1) || e.began[2] != toward(3) || len(m.held) != 0 {
		t.Errorf("%v began, %v waits", e.began, m.held)
	}
}
