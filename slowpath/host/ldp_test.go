package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/netns"
)

// ear is a StreamHandler that writes down what it hears.
type ear struct {
	mu    sync.Mutex
	lines []string
	names []uint64
	data  map[uint64][]byte
	block chan struct{} // where it is set, Data waits for it
}

func (e *ear) note(name uint64, format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
	e.names = append(e.names, name)
}

func (e *ear) Connected(name uint64, local, remote netip.AddrPort, signed bool) {
	e.note(name, "connected %s to %s signed %v", local.Addr(), remote, signed)
}

func (e *ear) Accepted(name uint64, local, remote netip.AddrPort, signed bool) {
	e.note(name, "accepted %s from %s signed %v", local, remote.Addr(), signed)
}

func (e *ear) Data(name uint64, b []byte) {
	if e.block != nil {
		<-e.block
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data == nil {
		e.data = make(map[uint64][]byte)
	}
	e.data[name] = append(e.data[name], b...)
}

func (e *ear) Closed(name uint64) { e.note(name, "closed") }

// next waits for the n-th line, from 0, and returns it with the connection's name.
func (e *ear) next(t *testing.T, n int) (line string, name uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("line %d", n), func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.lines) <= n {
			return false
		}
		line, name = e.lines[n], e.names[n]
		return true
	})
	return line, name
}

func (e *ear) got(name uint64) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.data[name])
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.lines)
}

var addrA, addrB = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.7")

// ldpPair is two routers on a link, with LDP's sockets.
func ldpPair(t *testing.T) (a, b *Host, earA, earB *ear, streamsA, streamsB *Streams) {
	t.Helper()
	router, far := lab(t)
	if _, err := router.Run("ip", "addr", "add", "10.1.0.1/24", "dev", "eth0"); err != nil {
		t.Fatal(err)
	}
	a, b = open(t, router, t.TempDir()), open(t, far, t.TempDir())
	earA, earB = &ear{}, &ear{}
	streamsA, streamsB = a.OpenStreams(PortLDP, earA), b.OpenStreams(PortLDP, earB)
	t.Cleanup(streamsA.Close)
	t.Cleanup(streamsB.Close)
	return a, b, earA, earB, streamsA, streamsB
}

// needMD5 skips a test where the kernel has no TCP MD5.
func needMD5(t *testing.T, h *Host) {
	t.Helper()
	s := h.OpenStreams(PortLDP+1, &ear{})
	defer s.Close()
	must(t, s.Listen(addrB, true))
	need.That(t, s.SetKey(addrB, addrA, []byte("x")) == nil, "a kernel with TCP MD5")
}

// Hellos go out by the link that they are for, from the address that they are to have, and are heard on links that were joined, by their index.
func TestHellos(t *testing.T) {
	router, far := lab(t)
	must(t, netns.Veth(netns.End{NS: router, Name: "eth1", Addrs: []string{"10.1.0.1/24"}}, netns.End{NS: far, Name: "eth1", Addrs: []string{"10.1.0.8/24"}}, 1500))
	if _, err := router.Run("ip", "addr", "add", "10.1.0.1/24", "dev", "eth0"); err != nil {
		t.Fatal(err)
	}
	a, b := open(t, router, t.TempDir()), open(t, far, t.TempDir())
	sa, err := a.OpenHellos()
	must(t, err)
	defer sa.Close()
	sb, err := b.OpenHellos()
	must(t, err)
	defer sb.Close()
	if _, err := a.OpenHellos(); err == nil {
		t.Error("the port is open twice")
	}
	link := func(h *Host, name string) int {
		l, err := h.Link(name)
		must(t, err)
		return l.Index
	}
	type heard struct {
		link int
		text string
		ttl  netip.AddrPort
	}
	got := make(chan heard, 16)
	go func() {
		buf := make([]byte, 2048)
		for {
			d, err := sb.Read(buf)
			if err != nil {
				close(got)
				return
			}
			got <- heard{d.Link, string(d.Payload), d.Remote}
		}
	}()
	send := func(text string) {
		must(t, sa.Send(link(a, "eth0"), addrA, []byte(text+" eth0")))
		must(t, sa.Send(link(a, "eth1"), addrA, []byte(text+" eth1")))
	}
	eth0, eth1 := link(b, "eth0"), link(b, "eth1")
	must(t, sb.Join([]int{eth0}))
	eventually(t, "a Hello", func() bool {
		send("one")
		select {
		case h := <-got:
			if h.link != eth0 || h.text != "one eth0" || h.ttl != netip.AddrPortFrom(addrA, PortLDP) {
				t.Errorf("got %+v", h)
			}
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	must(t, sb.Join([]int{eth0, eth1}))
	must(t, sb.Join([]int{eth1}))
	send("two")
	h := <-got
	for strings.HasPrefix(h.text, "one") { // it was sent as often as it took
		h = <-got
	}
	if h.link != eth1 || h.text != "two eth1" {
		t.Errorf("got %+v", h)
	}
	if err := sb.Join([]int{eth1, 9999}); err == nil {
		t.Error("joined on a netdev that is not there")
	}
	if sa.Send(link(a, "eth0"), netip.IPv6Loopback(), nil) == nil || sa.Send(link(a, "eth0"), addrB, nil) == nil {
		t.Error("Hellos from addresses that are not ours")
	}
	sb.Close()
	for range got {
	}
}

// A connection carries bytes both ways, says who is at its ends, and ends after what was sent is delivered.
func TestStreams(t *testing.T) {
	_, _, earA, earB, a, b := ldpPair(t)
	must(t, b.Listen(addrB, true))
	must(t, b.Listen(addrB, true)) // twice is once
	must(t, a.Connect(5, addrA, netip.AddrPortFrom(addrB, PortLDP), nil))
	if line, name := earA.next(t, 0); line != "connected 10.1.0.1 to 10.1.0.7:646 signed false" || name != 5 {
		t.Fatal(line, name)
	}
	line, in := earB.next(t, 0)
	if line != "accepted 10.1.0.7:646 from 10.1.0.1 signed false" || in&Inbound == 0 {
		t.Fatal(line, in)
	}
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	a.Send(5, slices.Clone(long))
	b.Send(in, []byte("hello"))
	eventually(t, "bytes both ways", func() bool { return len(earB.got(in)) == len(long) && string(earA.got(5)) == "hello" })
	if !bytes.Equal(earB.got(in), long) {
		t.Error("not what was sent")
	}
	a.Send(5, slices.Clone(long))
	a.Send(5, []byte("the end"))
	a.End(5)
	a.Send(5, []byte("after the end"))
	if line, _ := earB.next(t, 1); line != "closed" {
		t.Error(line)
	}
	if got := earB.got(in); len(got) != 2*len(long)+7 || !bytes.HasSuffix(got, []byte("the end")) {
		t.Errorf("%d bytes, not %d", len(got), 2*len(long)+7)
	}
	earA.next(t, 1)
	// Nobody listens there; an address that is not ours; a connection that is ended while it is made; names of no connection.
	must(t, a.Connect(6, addrA, netip.AddrPortFrom(addrB, 647), nil))
	if line, name := earA.next(t, 2); line != "closed" || name != 6 {
		t.Error(line, name)
	}
	if a.Connect(7, addrB, netip.AddrPortFrom(addrB, 646), nil) == nil {
		t.Error("connected from an address of somebody else")
	}
	if line, name := earA.next(t, 3); line != "closed" || name != 7 {
		t.Error(line, name)
	}
	must(t, a.Connect(8, addrA, netip.MustParseAddrPort("10.1.0.99:646"), nil))
	a.End(8)
	if line, name := earA.next(t, 4); line != "closed" || name != 8 {
		t.Error(line, name)
	}
	a.End(99)
	a.Send(99, nil)
	must(t, b.Listen(addrB, false))
	must(t, a.Connect(9, addrA, netip.AddrPortFrom(addrB, PortLDP), nil))
	if line, name := earA.next(t, 5); line != "closed" || name != 9 {
		t.Error("still listening:", line, name)
	}
	if n := earB.count(); n != 2 {
		t.Errorf("%d lines: %q", n, earB.lines)
	}
}

// A peer that does not read gets so much and no more; the connection is then given up, and no other waits for it.
func TestStreamUnread(t *testing.T) {
	_, _, earA, earB, a, b := ldpPair(t)
	earB.block = make(chan struct{})
	must(t, b.Listen(addrB, true))
	must(t, a.Connect(1, addrA, netip.AddrPortFrom(addrB, PortLDP), nil))
	earA.next(t, 0)
	began := time.Now()
	for range 40 {
		a.Send(1, make([]byte, 1<<20))
	}
	if d := time.Since(began); d > patience {
		t.Errorf("Send waited for %v", d)
	}
	if line, name := earA.next(t, 1); line != "closed" || name != 1 {
		t.Error(line, name)
	}
	close(earB.block)
	earB.next(t, 1)
}

// With the key of its peer a connection is made and known to be signed; with another or none, or with one that nothing calls for, there is none.
func TestStreamKeys(t *testing.T) {
	_, hb, earA, earB, a, b := ldpPair(t)
	needMD5(t, hb)
	remote := netip.AddrPortFrom(addrB, PortLDP)
	must(t, b.SetKey(addrB, addrA, []byte("secret"))) // before there is a listener
	must(t, b.Listen(addrB, true))
	must(t, a.Connect(1, addrA, remote, []byte("wrong")))
	must(t, a.Connect(2, addrA, remote, nil))
	time.Sleep(300 * time.Millisecond)
	if n := earA.count() + earB.count(); n != 0 {
		t.Fatalf("%q %q", earA.lines, earB.lines)
	}
	a.End(1)
	a.End(2)
	earA.next(t, 1)
	must(t, a.Connect(3, addrA, remote, []byte("secret")))
	if line, name := earA.next(t, 2); line != "connected 10.1.0.1 to 10.1.0.7:646 signed true" || name != 3 {
		t.Fatal(line, name)
	}
	line, in := earB.next(t, 0)
	if line != "accepted 10.1.0.7:646 from 10.1.0.1 signed true" {
		t.Fatal(line)
	}
	// The key changes: what stands goes on until the machine ends it, and other connections need the other key.
	must(t, b.SetKey(addrB, addrA, []byte("other")))
	b.Send(in, []byte("still"))
	eventually(t, "bytes of the old connection", func() bool { return string(earA.got(3)) == "still" })
	must(t, a.Connect(4, addrA, remote, []byte("secret")))
	must(t, a.Connect(5, addrA, remote, []byte("other")))
	if line, name := earA.next(t, 3); line != "connected 10.1.0.1 to 10.1.0.7:646 signed true" || name != 5 {
		t.Fatal(line, name)
	}
	// A listener that is opened anew has the key, too; without one unsigned connections are taken, and are told to be.
	must(t, b.Listen(addrB, false))
	must(t, b.Listen(addrB, true))
	must(t, a.Connect(6, addrA, remote, []byte("other")))
	if line, name := earA.next(t, 4); name != 6 {
		t.Fatal(line, name)
	}
	must(t, b.SetKey(addrB, addrA, nil))
	must(t, a.Connect(7, addrA, remote, nil))
	if line, name := earA.next(t, 5); line != "connected 10.1.0.1 to 10.1.0.7:646 signed false" || name != 7 {
		t.Fatal(line, name)
	}
	eventually(t, "the unsigned connection", func() bool {
		earB.mu.Lock()
		defer earB.mu.Unlock()
		return slices.Contains(earB.lines, "accepted 10.1.0.7:646 from 10.1.0.1 signed false")
	})
	if b.SetKey(addrB, addrA, make([]byte, 81)) == nil {
		t.Error("a key of 81 bytes is taken")
	}
}

// Close ends what is open, and gives what was to end a moment.
func TestStreamsClose(t *testing.T) {
	_, _, earA, earB, a, b := ldpPair(t)
	must(t, b.Listen(addrB, true))
	for name := uint64(1); name <= 2; name++ {
		must(t, a.Connect(name, addrA, netip.AddrPortFrom(addrB, PortLDP), nil))
	}
	earB.next(t, 1)
	earA.next(t, 1)
	a.Send(1, []byte("goodbye"))
	a.End(1)
	a.Close()
	earB.next(t, 3)
	var all []byte
	for _, name := range earB.names[:2] {
		all = append(all, earB.got(name)...)
	}
	if string(all) != "goodbye" {
		t.Errorf("got %q", all)
	}
	if n := earA.count(); n != 4 {
		t.Errorf("%q", earA.lines)
	}
	must(t, a.Listen(addrA, true)) // nothing happens any more
	must(t, a.Connect(3, addrA, netip.AddrPortFrom(addrB, PortLDP), nil))
	if len(a.doors)+len(a.streams) != 0 {
		t.Error("open after Close")
	}
}
