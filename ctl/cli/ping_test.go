package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/ctl/probe"
)

// pinger is a Pinger for tests: it completes what it is asked, and answers once.
type pinger struct {
	asked probe.Request
	err   error
}

func (p *pinger) Probe(_ context.Context, r probe.Request, f func(probe.Event)) error {
	p.asked = r
	if p.err != nil {
		return p.err
	}
	if err := r.Complete(); err != nil {
		return err
	}
	f(probe.Event{Begin: &r})
	f(probe.Event{Answer: &probe.Answer{Seq: 1, TTL: r.FirstTTL, Kind: probe.Reply, From: r.Target, RTT: 3 * time.Millisecond}})
	return nil
}

// silent is a Pinger that nobody answers.
type silent struct{}

func (silent) Probe(_ context.Context, r probe.Request, f func(probe.Event)) error {
	f(probe.Event{Begin: &r})
	f(probe.Event{Answer: &probe.Answer{Seq: 1, Kind: probe.Timeout}})
	return nil
}

func TestPing(t *testing.T) {
	to, from := netip.MustParseAddr("10.2.0.7"), netip.MustParseAddr("10.1.0.1")
	for line, want := range map[string]probe.Request{
		"ping 10.2.0.7":         {Target: to},
		"pi ip 10.2.0.7":        {Target: to},
		"ping vrf red 10.2.0.7": {Target: to, VRF: "red"},
		"ping vrf red ip 10.2.0.7 rep 7 so 10.1.0.1 df si 1400 ti 1": {Target: to, VRF: "red", Repeat: 7, Source: from, DF: true, Size: 1400, Timeout: time.Second},
		"ping 10.2.0.7 source tunnel 0":                              {Target: to, Interface: "Tunnel0"},
		"ping 10.2.0.7 timeout 0":                                    {Target: to, Timeout: time.Millisecond},
		"traceroute 10.2.0.7":                                        {Target: to, Trace: true},
		"tr vrf red 10.2.0.7 so lo0 ti 1 pr 1 ttl 2 9 po 33500 nu":   {Target: to, Trace: true, VRF: "red", Interface: "Loopback0", Timeout: time.Second, Repeat: 1, FirstTTL: 2, LastTTL: 9, Port: 33500},
	} {
		p := &pinger{}
		var out strings.Builder
		if err := (&Session{Pinger: p, Out: &out}).Run(line); err != nil || !reflect.DeepEqual(p.asked, want) {
			t.Errorf("%s: %v\n%+v\nwant\n%+v", line, err, p.asked, want)
		}
		if !strings.Contains(out.String(), "3/3/3 ms") && !strings.Contains(out.String(), "10.2.0.7 3 msec\n") {
			t.Errorf("%s:\n%s", line, &out)
		}
		out.Reset()
		if err := (&Session{Pinger: p, Out: &out, JSON: true}).Run(line); err != nil || !json.Valid([]byte(out.String())) {
			t.Errorf("%s --json: %v\n%s", line, err, &out)
		}
	}
	for _, line := range []string{"ping", "ping 10.2.0.7 size 35", "ping 10.2.0.7 size 18025", "ping 10.2.0.7 repeat 0", "ping 10.2.0.7 size 100 size 200", "ping nobody", "traceroute 10.2.0.7 ttl 1", "traceroute 10.2.0.7 ttl 9 8"} {
		if err := (&Session{Pinger: &pinger{}, Out: &strings.Builder{}}).Run(line); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
	for _, asJSON := range []bool{false, true} {
		var out strings.Builder
		if err := (&Session{Pinger: silent{}, Out: &out, JSON: asJSON}).Run("ping 10.2.0.7"); !errors.Is(err, ErrUnanswered) || out.Len() == 0 {
			t.Errorf("nobody answers: %v\n%s", err, &out)
		}
		if err := (&Session{Pinger: silent{}, Out: &out, JSON: asJSON}).Run("traceroute 10.2.0.7"); err != nil {
			t.Errorf("a trace: %v", err)
		}
	}
	gone := errors.New("gone")
	if err := (&Session{Pinger: &pinger{err: gone}, Out: &strings.Builder{}}).Run("ping 10.2.0.7"); !errors.Is(err, gone) {
		t.Error(err)
	}
	if err := (&Session{Out: &strings.Builder{}}).Run("ping 10.2.0.7"); err == nil {
		t.Error("without a daemon")
	}
}
