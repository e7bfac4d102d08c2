package api

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/ctl/capture"
)

// capturer is a Capturer for tests.
type capturer struct {
	events []capture.Event
	hang   bool // after the events, until ctx ends
	ended  chan struct{}
	mu     sync.Mutex
	stop   context.CancelFunc // of the capture, set by it
	err    error
	asked  capture.Request
}

func (c *capturer) Capture(ctx context.Context, _ *Caller, r capture.Request, f func(capture.Event) error) error {
	c.asked = r
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	for _, e := range c.events {
		if err := f(e); err != nil {
			return err
		}
	}
	if c.hang {
		<-ctx.Done()
		close(c.ended)
		_ = f(capture.Event{Done: &capture.Summary{Packets: 99}}) // the client may have gone
	}
	return c.err
}

func (c *capturer) EndCapture(*Caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
}

// audited is what was logged of changes.
type audited struct {
	mu   sync.Mutex
	list []string
}

func (a *audited) note(_ *Caller, what string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		what += ": " + err.Error()
	}
	a.list = append(a.list, what)
}

func (a *audited) all() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.list, "\n")
}

func serveCapture(t *testing.T, c Capturer) (*Client, *audited) {
	t.Helper()
	socket, a := filepath.Join(t.TempDir(), "nave.sock"), &audited{}
	s, err := Serve(socket, Services{Box: &box{}, Capture: c, Audit: a.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return NewClient(socket), a
}

// All of a capture goes over the socket and is the same on the other side.
func TestCapture(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	r := capture.Request{Interface: "Tunnel0", What: capture.Drops, Reason: "no-route", Filter: "udp", Count: 1, Duration: 2, Bytes: 3, Snaplen: 40, File: true}
	p := capture.Packet{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Interface: "Tunnel0", VRF: "RED", Worker: 1, Point: capture.Dropped, Out: true, Reason: "r", Text: "t", Cause: "c", Lost: true, Opened: true,
		Peer: a, Length: 2, Captured: 3, VLAN: 4, Labels: []uint32{5}, Type: 6, Src: a, Dst: a, Protocol: 7, TTL: 8, Offset: 9, More: true, SrcPort: 10, DstPort: 11, ICMP: &capture.ICMP{Type: 12, Code: 13}, SPI: 14, Sequence: 15,
	}
	for v, i := reflect.ValueOf(p), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tried", v.Type().Field(i).Name)
		}
	}
	c := &capturer{events: []capture.Event{
		{Begin: &r}, {Packets: []capture.Packet{p, {}}}, {File: []byte{0, 255, 1}}, {Done: &capture.Summary{Packets: 1, Bytes: 2, Lost: 3, Took: 4, Why: "w"}},
	}}
	client, log := serveCapture(t, c)
	var got []capture.Event
	keep := func(e capture.Event) error { got = append(got, e); return nil }
	if err := client.Capture(t.Context(), r, keep); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c.events) || !reflect.DeepEqual(c.asked, r) {
		t.Errorf("%+v\n%+v", got, c.asked)
	}
	if log.all() != r.String() {
		t.Errorf("logged %q", log.all())
	}

	c.events, c.err = nil, errors.New("a capture is running already")
	if err := client.Capture(t.Context(), r, keep); err == nil || err.Error() != c.err.Error() {
		t.Error(err)
	}
	if !strings.HasSuffix(log.all(), r.String()+": "+c.err.Error()) {
		t.Errorf("logged %q", log.all())
	}
	c.events, c.err = []capture.Event{{Begin: &r}}, errors.New("then it broke")
	if err := client.Capture(t.Context(), r, keep); err == nil || err.Error() != "then it broke" {
		t.Error(err)
	}
	none, _ := serveCapture(t, nil)
	if err := none.Capture(t.Context(), r, keep); err == nil || !strings.Contains(err.Error(), "not to be had") {
		t.Error(err)
	}
}

// TestCaptureEnds: a client that goes, or that fails to take a piece, ends the capture.
func TestCaptureEnds(t *testing.T) {
	full := errors.New("the disk is full")
	for name, want := range map[string]error{"goes": nil, "fails": full} {
		t.Run(name, func(t *testing.T) {
			c := &capturer{hang: true, ended: make(chan struct{}), events: []capture.Event{{Begin: &capture.Request{}}}}
			client, _ := serveCapture(t, c)
			ctx, end := context.WithCancel(t.Context())
			var last capture.Event
			err := client.Capture(ctx, capture.Request{Interface: "any"}, func(e capture.Event) error {
				last = e
				if want == nil {
					end()
				}
				return want
			})
			end()
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if want == nil && (last.Done == nil || last.Done.Packets != 99) {
				t.Errorf("the summary is missing: %+v", last)
			}
			select {
			case <-c.ended:
			case <-time.After(20 * time.Second):
				t.Error("the capture goes on")
			}
		})
	}
}
