package bgp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"nave/testbed/ports"
)

// What is said here happens rarely, and at its worst moment.

// linkOf is a box's link to another.
func (b *box) linkOf(p *box) *link {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.s.instances[""].links[p.addr]
}

// TestNobodyConnectsMeanwhile: while GoBGP does not know a neighbour it would take its link's connection for one of its own choice.
func TestNobodyConnectsMeanwhile(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 41), newBox(t, 42)
	c := a.base(port, 65000, b)
	a.configure(c)
	l := a.linkOf(b)
	for name, change := range map[string]func(*Config){
		"another neighbour": func(c *Config) { c.Neighbours[0].AllowOwn++ },
		"none":              func(c *Config) { c.Neighbours = nil },
	} {
		c.Neighbours = []Neighbour{a.to(b, 65000, IPv4Unicast)}
		a.configure(c)
		l = a.linkOf(b)
		change(&c)
		l.gate.Lock() // the link is connecting
		done := make(chan struct{})
		var err error
		go func() { err = a.s.Configure(c); close(done) }()
		select {
		case <-done:
			t.Errorf("%s: GoBGP was told while the link connected", name)
		case <-time.After(200 * time.Millisecond):
		}
		l.gate.Unlock()
		if <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := l.tryAttach(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a link that is taken away connects: %v", err)
	}
}

// stopsAt is a log that holds up whoever says something for the first time.
type stopsAt struct {
	message string
	once    *sync.Once
	reached chan struct{}
	goOn    chan struct{}
}

func (stopsAt) Enabled(context.Context, slog.Level) bool { return true }
func (h stopsAt) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h stopsAt) WithGroup(string) slog.Handler          { return h }
func (h stopsAt) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.once.Do(func() { close(h.reached); <-h.goOn })
	}
	return nil
}

// TestShutAndNotShut: GoBGP drops the second of two changes that come before it has got round to the first; it counts nevertheless, as soon as the neighbour is there.
func TestShutAndNotShut(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 43), newBox(t, 44)
	h := stopsAt{"starting outgoing connection manager", new(sync.Once), make(chan struct{}), make(chan struct{})}
	a.s.inner = slog.New(h)
	up, down := a.base(port, 65000, b), a.base(port, 65000, b)
	down.Neighbours[0].Shutdown = true
	a.configure(up)
	<-h.reached
	a.configure(down)
	a.configure(up)
	close(h.goOn)
	b.configure(b.base(port, 65000, a))
	established(t, a, b)
}

// TestPolicyChangesBeforeTheSessionIsKnown: GoBGP has a session up that the speaker has not heard of yet. What the neighbour was sent follows the change nevertheless.
func TestPolicyChangesBeforeTheSessionIsKnown(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 45), newBox(t, 46)
	a.announce(Local{Prefix: pfx("10.1.0.0/16")})
	c := a.base(port, 65000, b)
	c.RouteMaps = map[string]RouteMap{"OUT": {{}}}
	c.Neighbours[0].Families[0].Out = "OUT"
	a.configure(c)
	b.configure(b.base(port, 65000, a))
	established(t, a, b)
	wait(t, "the route", has(b, "", "10.1.0.0/16"))
	l := a.linkOf(b)
	wait(t, "the session", func() bool {
		a.s.mu.Lock()
		defer a.s.mu.Unlock()
		return l.peer.up && len(l.in.fresh) == 0
	})
	a.s.mu.Lock()
	l.peer.up = false
	a.s.mu.Unlock()
	c.RouteMaps = map[string]RouteMap{"OUT": {{Deny: true}}}
	a.configure(c)
	wait(t, "the route to go", func() bool { return !has(b, "", "10.1.0.0/16")() })
}

// TestWhatIsHeardLate: best paths changed as a session came up, or what is sent to it did, and the speaker hears of one long after the other.
func TestWhatIsHeardLate(t *testing.T) {
	t.Parallel()
	a, b := newBox(t, 47), newBox(t, 48)
	c := a.base(ports.TCP(t), 65000, b)
	c.Neighbours[0].Shutdown = true // GoBGP has nothing to say of it
	a.configure(c)
	l := a.linkOf(b)
	in := l.in
	then := time.Now().Add(-time.Hour)
	event := func(state bgp.FSMState, at time.Time) {
		a.s.peerEvent(in, &apiutil.WatchEventMessage_PeerEvent{Type: apiutil.PEER_EVENT_STATE, Peer: apiutil.Peer{
			State: apiutil.PeerState{NeighborAddress: l.alias, SessionState: state, DisconnectReason: api.PeerState_DISCONNECT_REASON_UNSPECIFIED},
		}}, at)
	}
	fresh := func() (missed, looking bool) {
		a.s.mu.Lock()
		defer a.s.mu.Unlock()
		missed, looking = in.fresh[l]
		return missed, looking
	}
	event(bgp.BGP_FSM_ESTABLISHED, then)
	if missed, looking := fresh(); missed || !looking {
		t.Errorf("nothing changed then: missed %v, looking %v", missed, looking)
	}
	wait(t, "the moment to pass", func() bool { _, looking := fresh(); return !looking })
	a.s.bestPaths(in, nil, then.Add(2*around))
	if _, looking := fresh(); looking {
		t.Error("what changed later was sent as it changed")
	}
	a.s.bestPaths(in, nil, then.Add(around/2))
	if missed, _ := fresh(); !missed {
		t.Error("what changed then is not sent again")
	}
	event(bgp.BGP_FSM_IDLE, then.Add(time.Minute))
	if _, looking := fresh(); looking {
		t.Error("the session is over")
	}
	a.s.mu.Lock()
	l.peer.rules = then.Add(3 * time.Minute)
	a.s.mu.Unlock()
	event(bgp.BGP_FSM_ESTABLISHED, then.Add(2*time.Minute))
	if missed, _ := fresh(); !missed {
		t.Error("the rules changed after the session came up, before that was known")
	}
}

// TestLabelIsKnownOnce: a label goes out of use and comes back before it was first said to be known. It is told to others when whoever forwards knows what it stands for now.
func TestLabelIsKnownOnce(t *testing.T) {
	t.Parallel()
	s := New(Env{Deliver: func(Effects) {}, Labels: &labelPool{given: make(map[uint32]LabelFor)}})
	defer s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := LabelFor{RD: mustRD("1:1"), Prefix: pfx("10.1.0.0/16")}
	known := func() bool {
		s.swaps.mu.Lock()
		defer s.swaps.mu.Unlock()
		return s.swaps.m[key].ready
	}
	first, _ := s.swapTo(key, Swap{NextHop: netip.MustParseAddr("10.0.0.1"), Labels: []uint32{16}})
	gone, _ := s.unswap(key)
	s.swaps.publish([]Swap{first})
	if known() {
		t.Error("known though it is out of use")
	}
	second, _ := s.swapTo(key, Swap{NextHop: netip.MustParseAddr("10.0.0.2"), Labels: []uint32{17}})
	if second.Label != first.Label {
		t.Fatalf("label %d, then %d", first.Label, second.Label)
	}
	s.swaps.publish([]Swap{first})
	s.swaps.publish([]Swap{gone})
	if known() {
		t.Error("known by what was said before it went out of use")
	}
	s.swaps.publish([]Swap{second})
	if !known() {
		t.Error("not known")
	}
}

// TestNothingBeforeOurOpen: what a neighbour says is heard once our OPEN is out, as a probe may follow from then on.
func TestNothingBeforeOurOpen(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 49), newBox(t, 50)
	c := a.base(port, 65000, b)
	c.Neighbours[0].Passive = true
	a.configure(c)
	l := a.linkOf(b)
	l.writing.Lock()
	goOn := sync.OnceFunc(l.writing.Unlock)
	t.Cleanup(goOn)
	b.configure(b.base(port, 65000, a))
	connected := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.outer != nil
	}
	wait(t, "the connection", connected)
	never(t, "b is heard before it has our OPEN", 300*time.Millisecond, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.opened.IsZero()
	})
	goOn()
	established(t, a, b)
}
