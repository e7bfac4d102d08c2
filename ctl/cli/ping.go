package cli

import (
	"context"
	"errors"
	"io"
	"time"

	"nave/ctl/config/grammar"
	"nave/ctl/probe"
	"nave/ctl/show"
)

// Pinger sends echo requests and probes from the box. api.Client is one.
type Pinger interface {
	Probe(ctx context.Context, r probe.Request, f func(probe.Event)) error
}

// ErrUnanswered is for a ping that nobody answered: its text has said so, the exit status is left.
var ErrUnanswered = errors.New("nobody answered")

var errNoPinger = errors.New("there is no daemon to ping from")

// source is the part of a syntax that names where packets come from.
const source = "source {<source:ip>|<iface:interface>}"

// pingCommands send echo requests and probes.
var pingCommands = []*grammar.Command{
	{Syntax: "ping [vrf <vrf>] [ip] <target:ip> [{" + source + "|size <size:36-18024>|repeat <repeat:1-2147483647>|timeout <timeout:0-3600>|df-bit}...]",
		Help: "send echo requests from the box", Data: run(ping)},
	{Syntax: "traceroute [vrf <vrf>] [ip] <target:ip> [{" + source + "|timeout <timeout:1-3600>|probe <repeat:1-16>|ttl <first:1-255> <last:1-255>|port <port:1-65535>|numeric}...]",
		Help: "find the way to an address, hop by hop", Data: run(ping)},
}

// ping runs both commands.
func ping(s *Session, m *grammar.Match) error {
	if s.Pinger == nil {
		return errNoPinger
	}
	r := probe.Request{Trace: m.Has("traceroute"), VRF: m.Text("vrf"), Target: m.IP("target"), Interface: m.Text("iface"), DF: m.Has("df-bit")}
	if m.Given("source") {
		r.Source = m.IP("source")
	}
	for name, v := range map[string]*int{"size": &r.Size, "repeat": &r.Repeat, "first": &r.FirstTTL, "last": &r.LastTTL, "port": &r.Port} {
		if m.Given(name) {
			*v = int(m.Uint(name))
		}
	}
	if m.Given("timeout") {
		r.Timeout = max(time.Duration(m.Uint("timeout"))*time.Second, time.Millisecond) // 0 is as good as not to wait
	}
	var p show.Probing
	var failed error
	say := func(text string) {
		if !s.JSON && failed == nil {
			_, failed = io.WriteString(s.Out, text)
		}
	}
	ctx, end := context.WithCancel(s.Ctx())
	defer end()
	err := s.Pinger.Probe(ctx, r, func(e probe.Event) {
		switch {
		case e.Begin != nil:
			say(p.Begin(*e.Begin))
		case e.Answer != nil:
			say(p.Answer(*e.Answer))
		}
		if failed != nil {
			end()
		}
	})
	if err != nil {
		return err
	}
	if !s.JSON {
		say(p.End())
	} else if b, err := p.JSON(); err != nil {
		return err
	} else {
		_, failed = s.Out.Write(b)
	}
	if failed == nil && !r.Trace && p.Received() == 0 && s.Ctx().Err() == nil {
		return ErrUnanswered
	}
	return failed
}
