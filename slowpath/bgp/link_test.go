package bgp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// pair makes a TCP connection: the end that dialled, and the one that was called.
func pair(t *testing.T, from, to string) (dialled, called *net.TCPConn) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(to)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err = net.DialTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(from)}, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close() })
	if called, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { called.Close() })
	return dialled, called
}

// closed tells whether a connection's other end is.
func closed(c *net.TCPConn) bool {
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	e, ok := err.(net.Error)
	return !ok || !e.Timeout()
}

// TestBothDialledAtATime: both ends have two connections before either has one in use, and must keep the same one: that of the higher address. The other is closed at both.
func TestBothDialledAtATime(t *testing.T) {
	const low, high = "127.0.50.1", "127.0.51.1"
	byLow, atHigh := pair(t, low, high)
	byHigh, atLow := pair(t, high, low)
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	in := &instance{s: s}
	for _, c := range []struct {
		neighbour   string
		ours, queue *net.TCPConn
		want        *net.TCPConn
	}{
		{high, byLow, atLow, atLow},
		{low, byHigh, atHigh, byHigh},
	} {
		l := newLink(in, netip.MustParseAddr(c.neighbour), netip.Addr{}, &linkConfig{})
		if !l.offer(c.queue) {
			t.Fatal("the neighbour's connection was refused though there is none")
		}
		if got := l.adopt(found{conn: c.ours, ours: true}); got != c.want || l.outer != c.want {
			t.Errorf("neighbour %s: kept %s > %s", c.neighbour, got.LocalAddr(), got.RemoteAddr())
		}
		if len(l.inbound) != 0 {
			t.Error("a connection is left to be taken, whose other end waits for an OPEN")
		}
	}
	if closed(byHigh) || closed(atLow) {
		t.Error("the one that was to stay is closed")
	}
	for _, c := range []*net.TCPConn{byLow, atHigh} {
		if _, err := c.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s > %s is open: %v", c.LocalAddr(), c.RemoteAddr(), err)
		}
	}
}

// TestNewerOfTheNeighbour: of two that the neighbour made, the later one counts, as it has given the other up.
func TestNewerOfTheNeighbour(t *testing.T) {
	_, first := pair(t, "127.0.50.1", "127.0.51.1")
	_, second := pair(t, "127.0.50.1", "127.0.51.1")
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	l := newLink(&instance{s: s}, netip.MustParseAddr("127.0.50.1"), netip.Addr{}, &linkConfig{})
	if !l.offer(first) || l.offer(second) {
		t.Fatal("one is queued, and one alone")
	}
	taken := <-l.inbound
	if !l.offer(second) {
		t.Fatal("the second was refused while nothing is in use")
	}
	if got := l.adopt(found{conn: taken}); got != second {
		t.Error("the first is kept")
	}
}

// heldDial is the link of the higher address to a neighbour that listens, by a speaker whose dials wait until they are let go. What the neighbour accepts comes by a channel.
func heldDial(t *testing.T) (l *link, letGo func(), accepted <-chan *net.TCPConn) {
	const low, high = "127.0.50.1", "127.0.51.1"
	gate := make(chan struct{})
	letGo = func() { close(gate) }
	s := New(Env{Deliver: func(Effects) {}, Within: func(_ string, f func() error) error { <-gate; return f() }})
	t.Cleanup(s.Close)
	door, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(low)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { door.Close() })
	calls := make(chan *net.TCPConn, 4)
	go func() {
		for {
			c, err := door.AcceptTCP()
			if err != nil {
				return
			}
			calls <- c
		}
	}()
	cfg := &linkConfig{Neighbour: Neighbour{UpdateSource: netip.MustParseAddr(high), ConnectRetry: time.Minute}, port: uint16(door.Addr().(*net.TCPAddr).Port)}
	return newLink(&instance{s: s, vrf: "red"}, netip.MustParseAddr(low), netip.Addr{}, cfg), letGo, calls
}

// TestOursIsKeptBeside: the neighbour's connection comes while ours is under way, which the neighbour prefers as its other end has the higher address. It may have it before it hears
// anything of the choice made here; so we go on by ours when it has ended the other, at once.
func TestOursIsKeptBeside(t *testing.T) {
	t.Parallel()
	l, letGo, accepted := heldDial(t)
	byLow, atHigh := pair(t, "127.0.50.1", "127.0.51.1")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	took := make(chan found)
	go func() { f, _ := l.connect(ctx, 0); took <- f }()
	wait(t, "the dial to begin", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.dial == dialling })
	if !l.offer(atHigh) {
		t.Fatal("refused")
	}
	f := <-took
	if got := l.adopt(f); got != atHigh {
		t.Fatalf("took %v", got)
	}
	letGo()
	ours := <-accepted
	defer ours.Close()
	byLow.Close()
	l.outer = nil // the session by it is over
	g, _ := l.connect(ctx, time.Hour)
	if g.conn == nil || !g.ours || g.conn.LocalAddr().String() != ours.RemoteAddr().String() {
		t.Fatalf("took %+v instead of the connection that the neighbour has kept", g)
	}
	if got := l.adopt(g); got != g.conn || l.spare != nil {
		t.Errorf("adopted %v, spare %v", got, l.spare)
	}
	g.conn.Close()
}

// TestBesideIsGivenUp: once a session stands, or the configuration changes, what was kept beside is closed.
func TestBesideIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*link){"a session": (*link).chosen, "another configuration": (*link).reset} {
		l, letGo, accepted := heldDial(t)
		ctx, cancel := context.WithCancel(context.Background())
		letGo()
		a := l.try(ctx, l.config())
		theirs := <-accepted
		_, atHigh := pair(t, "127.0.50.1", "127.0.51.1")
		l.setAside(a, found{conn: atHigh})
		if l.spare == nil || closed(theirs) {
			t.Errorf("%s: not kept", name)
		}
		end(l)
		theirs.SetReadDeadline(time.Now().Add(patienceOfTests))
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
		theirs.Close()
		cancel()
	}
}

// TestLowerKeepsNothingBeside: its own connection is the one that the neighbour gives up.
func TestLowerKeepsNothingBeside(t *testing.T) {
	t.Parallel()
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	l := newLink(&instance{s: s}, netip.MustParseAddr("127.0.51.1"), netip.Addr{}, &linkConfig{})
	_, atLow := pair(t, "127.0.51.1", "127.0.50.1")
	ours, theirs := pair(t, "127.0.50.1", "127.0.51.1")
	a := &attempt{result: make(chan *net.TCPConn, 1), cancel: func() {}}
	a.result <- ours
	l.setAside(a, found{conn: atLow})
	theirs.SetReadDeadline(time.Now().Add(patienceOfTests))
	if _, err := theirs.Read(make([]byte, 1)); l.spare != nil || !errors.Is(err, io.EOF) {
		t.Errorf("kept: %v, %v", l.spare, err)
	}
}

// TestSilentConnectionIsReplaced: who has said nothing for long and dials again is not the other side of a collision.
func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	l := newLink(&instance{s: s}, netip.MustParseAddr("127.0.50.1"), netip.Addr{}, &linkConfig{})
	ours, _ := pair(t, "127.0.51.1", "127.0.50.1")
	_, again := pair(t, "127.0.50.1", "127.0.51.1")
	l.adopt(found{conn: ours, ours: true})
	if l.offer(again) {
		t.Fatal("both dialled at a time, and the lower address's is taken")
	}
	l.adopted = time.Now().Add(-collisionTime)
	if !l.offer(again) || len(l.inbound) != 1 {
		t.Error("refused though the neighbour has nothing else")
	}
	if _, err := ours.Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("what was silent is open: %v", err)
	}
}

// TestConnectionOfAnotherConfiguration: what was made or had come before the configuration changed is not taken, though the link had not got round to it by then.
func TestConnectionOfAnotherConfiguration(t *testing.T) {
	t.Parallel()
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	for name, change := range map[string]func(*link){"at once": (*link).reset, "soon": (*link).kickSoon} {
		l := newLink(&instance{s: s}, netip.MustParseAddr("127.0.50.1"), netip.Addr{}, &linkConfig{Neighbour: Neighbour{Passive: true}})
		_, first := pair(t, "127.0.50.1", "127.0.51.1")
		_, second := pair(t, "127.0.50.1", "127.0.51.1")
		if !l.offer(first) {
			t.Fatal("refused")
		}
		f, _ := l.connect(context.Background(), 0)
		if f.conn != first || !l.offer(second) {
			t.Fatal("not taken")
		}
		change(l)
		if got := l.adopt(f); got != nil || l.outer != nil || len(l.inbound) != 0 {
			t.Errorf("%s: took %v", name, got)
		}
		if _, changed := l.connect(context.Background(), time.Hour); !changed {
			t.Errorf("%s: the link does not begin anew", name)
		}
	}
}

// TestKickSpares: a connection that is made while GoBGP still says why the last one ends stays.
func TestKickSpares(t *testing.T) {
	t.Parallel()
	s := New(Env{Deliver: func(Effects) {}})
	defer s.Close()
	l := newLink(&instance{s: s}, netip.MustParseAddr("127.0.50.1"), netip.Addr{}, &linkConfig{})
	first, _ := pair(t, "127.0.51.1", "127.0.50.1")
	second, _ := pair(t, "127.0.51.1", "127.0.50.1")
	l.adopt(found{conn: first, ours: true})
	l.kickSoon()
	l.outer = nil
	l.adopt(found{conn: second, ours: true, era: l.era})
	wait(t, "the first to be closed", func() bool { _, err := first.Write([]byte{0}); return errors.Is(err, net.ErrClosed) })
	if _, err := second.Write([]byte{0}); err != nil {
		t.Errorf("the second: %v", err)
	}
}
