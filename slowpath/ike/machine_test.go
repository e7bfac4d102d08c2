package ike

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike/ikemsg"
)

// recorder is an engine that writes down what it is told.
type recorder struct {
	version  int
	got      []string
	deadline time.Time
}

func (r *recorder) note(s string) []Effect {
	r.got = append(r.got, s)
	return []Effect{Log{Version: r.version}}
}

func (r *recorder) Configure(_ time.Time, c *Config) []Effect {
	return r.note("configure " + c.Hostname)
}
func (r *recorder) Handle(_ time.Time, ev Event) []Effect { return r.note(fmt.Sprintf("%T", ev)) }
func (r *recorder) Deadline() time.Time                   { return r.deadline }

func (r *recorder) AppendStatus(_ time.Time, s *Status) {
	s.SAs = append(s.SAs, SAStatus{Version: r.version})
}

func newRecorders() (*Machine, *recorder, *recorder) {
	a, b := &recorder{version: 1}, &recorder{version: 2}
	return New(NewEnv(bytes.NewReader(nil), 1), a, b), a, b
}

func message(version byte) Received {
	b := make([]byte, ikemsg.HeaderLen)
	b[17] = version
	return Received{Packet: b}
}

func TestDispatch(t *testing.T) {
	const both = 3
	config := Config{Hostname: "hub", Protections: []Protection{{ID: 1, Version: 1}, {ID: 2, Version: 2}, {ID: 3}}}
	for _, c := range []struct {
		what string
		ev   Event
		to   int // 1, 2, both, 0: nobody
	}{
		{"version 1", message(0x10), 1},
		{"version 1.1", message(0x11), 1},
		{"version 2", message(0x20), 2},
		{"version 3, which version 2 answers", message(0x30), 2},
		{"version 0", message(0x00), 2},
		{"a short message", Received{Packet: make([]byte, ikemsg.HeaderLen-1)}, 0},
		{"no message", Received{}, 0},
		{"initiate by version 1", Initiate{Protection: 1}, 1},
		{"initiate by version 2", Initiate{Protection: 2}, 2},
		{"initiate by the default", Initiate{Protection: 3}, 1},
		{"release", Release{}, both}, {"drop", Drop{}, both}, {"volume", Volume{}, both}, {"heard", Heard{}, both}, {"moved", Moved{}, both},
		{"unknown SPI", UnknownSPI{}, both}, {"tick", Tick{}, both},
		{"clear all", Clear{}, both}, {"clear version 1", Clear{Version: 1}, 1}, {"clear version 2", Clear{Version: 2}, 2},
		{"load", Load{Percent: 50}, 0},
	} {
		m, one, two := newRecorders()
		m.Configure(noon, config)
		effects := m.Handle(noon, c.ev)
		n := 0
		for i, r := range []*recorder{one, two} {
			want := []string{"configure hub"}
			if c.to&(1<<i) != 0 {
				want = append(want, fmt.Sprintf("%T", c.ev))
				n++
			}
			if !slices.Equal(r.got, want) {
				t.Errorf("%s: version %d got %q, not %q", c.what, i+1, r.got, want)
			}
		}
		if len(effects) != n {
			t.Errorf("%s: %d effects, not %d", c.what, len(effects), n)
		}
	}
}

func TestInitiateUnknown(t *testing.T) {
	m, one, two := newRecorders()
	remote := netip.MustParseAddrPort("192.0.2.1:0")
	got := m.Handle(noon, Initiate{Protection: 9, Remote: remote})
	if len(got) != 1 || got[0] != (Failed{Protection: 9, Remote: remote, Why: WhyPolicy}) || len(one.got)+len(two.got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestMachineDeadline(t *testing.T) {
	m, one, two := newRecorders()
	soon, later := noon.Add(time.Second), noon.Add(time.Minute)
	for _, c := range []struct{ a, b, want time.Time }{
		{time.Time{}, time.Time{}, time.Time{}}, {soon, time.Time{}, soon}, {time.Time{}, soon, soon}, {soon, later, soon}, {later, soon, soon}, {soon, soon, soon},
	} {
		one.deadline, two.deadline = c.a, c.b
		if got := m.Deadline(); !got.Equal(c.want) {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
}

func TestConfigureAndStatus(t *testing.T) {
	m, _, _ := newRecorders()
	effects := m.Configure(noon, Config{Admission: Limits{SAs: 7}})
	if len(effects) != 2 || effects[0].(Log).Version != 1 || effects[1].(Log).Version != 2 {
		t.Errorf("%v", effects)
	}
	m.Handle(noon, Load{Percent: 42})
	s := m.Status(noon)
	if len(s.SAs) != 2 || s.Admission.Limits.SAs != 7 || s.Admission.LoadNow != 42 {
		t.Errorf("%+v", s)
	}
}

func TestReasonNames(t *testing.T) {
	seen := make(map[string]bool)
	for w := WhyNone; w <= WhyNATHub; w++ {
		if s := w.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("reason %d is %q", w, s)
		} else {
			seen[s] = true
		}
	}
	for k := LogSAUp; k <= LogWarning; k++ {
		if s := k.String(); s == "" || s == "unknown" {
			t.Errorf("kind %d is %q", k, s)
		}
	}
	if Why(200).String() != "unknown" || LogKind(200).String() != "unknown" || len(whyNames) != int(WhyNATHub)+1 {
		t.Error("names beyond the end")
	}
	if got := (Log{Kind: LogFailed, Why: WhyTimeout, Text: "peer text"}).About(); got != "ike failed timeout" {
		t.Errorf("%q", got)
	}
}
