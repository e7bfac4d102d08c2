package bgp

import (
	"errors"
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
		if got := l.adopt(c.ours, true); got != c.want || l.outer != c.want {
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
	if got := l.adopt(taken, false); got != second {
		t.Error("the first is kept")
	}
}
