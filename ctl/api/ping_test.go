package api

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/ctl/probe"
)

// pinger is a Pinger for tests.
type pinger struct {
	events []probe.Event
	hang   bool // after the events, until ctx ends
	ended  chan struct{}
	err    error
	asked  probe.Request
	by     *Caller
}

func (p *pinger) Probe(ctx context.Context, who *Caller, r probe.Request, f func(probe.Event)) error {
	p.asked, p.by = r, who
	for _, e := range p.events {
		f(e)
	}
	if p.hang {
		<-ctx.Done()
		close(p.ended)
	}
	return p.err
}

func servePing(t *testing.T, p *pinger) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Ping: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return NewClient(socket)
}

// All of a ping goes over the socket and is the same on the other side.
func TestPing(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.2")
	r := probe.Request{Trace: true, VRF: "red", Target: a, Source: a, Interface: "Tunnel0", Timeout: time.Second, Repeat: 2, Size: 3, DF: true, FirstTTL: 4, LastTTL: 5, Port: 6}
	answer := probe.Answer{Seq: 1, TTL: 2, Kind: probe.Exceeded, Code: 3, From: a, RTT: 4, MTU: 5, Labels: []probe.Label{{Value: 6, Exp: 7, TTL: 8}}, Why: "w"}
	p := &pinger{events: []probe.Event{{Begin: &r}, {Answer: &answer}}}
	var got []probe.Event
	if err := servePing(t, p).Probe(t.Context(), r, func(e probe.Event) { got = append(got, e) }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, p.events) || !reflect.DeepEqual(p.asked, r) || p.by.PID != int32(os.Getpid()) {
		t.Errorf("%+v\n%+v by %+v", got, p.asked, p.by)
	}
}

func TestPingErrors(t *testing.T) {
	c := servePing(t, &pinger{err: errors.New("there is no VRF red")})
	if err := c.Probe(t.Context(), probe.Request{}, func(probe.Event) { t.Error("an event") }); err == nil || err.Error() != "there is no VRF red" {
		t.Error(err)
	}
	n := 0
	c = servePing(t, &pinger{err: errors.New("the network is gone"), events: []probe.Event{{Answer: &probe.Answer{Seq: 1}}}})
	if err := c.Probe(t.Context(), probe.Request{}, func(probe.Event) { n++ }); err == nil || err.Error() != "the network is gone" || n != 1 {
		t.Error(err, n)
	}
	socket, _ := serve(t, &box{})
	if err := NewClient(socket).Probe(t.Context(), probe.Request{}, func(probe.Event) {}); err == nil || !strings.Contains(err.Error(), "ping is not to be had") {
		t.Error(err)
	}
}

// Who asked may go at any time; the box then sends no more.
func TestPingIsCancelled(t *testing.T) {
	p := &pinger{events: []probe.Event{{Answer: &probe.Answer{Seq: 1}}}, hang: true, ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	if err := servePing(t, p).Probe(ctx, probe.Request{}, func(probe.Event) { cancel() }); err != nil {
		t.Error(err)
	}
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		t.Error("the box goes on")
	}
}
