package host

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// openUDP finds a free port.
func openUDP(t *testing.T) *UDP {
	t.Helper()
	for port := uint16(30500); port < 30600; port++ {
		u, err := here(t).OpenUDP(port)
		if err == nil {
			t.Cleanup(func() { u.Close() })
			return u
		}
		if !errors.Is(err, ErrPortTaken) {
			t.Fatal(err)
		}
	}
	t.Fatal("no free port")
	return nil
}

// here is a Host of the test's own namespace.
func here(t *testing.T) *Host {
	t.Helper()
	h, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// A datagram says which of our addresses it came to, and an answer comes from there.
func TestUDPAddresses(t *testing.T) {
	a, b := openUDP(t), openUDP(t)
	here, there := netip.MustParseAddr("127.0.0.7"), netip.MustParseAddr("127.0.0.9")
	long := bytes.Repeat([]byte{7}, 20000)
	for _, payload := range [][]byte{[]byte("hello"), long} {
		if err := a.Write(payload, here, netip.AddrPortFrom(there, b.port)); err != nil {
			t.Fatal(err)
		}
		d, err := b.Read(make([]byte, 65536))
		if err != nil {
			t.Fatal(err)
		}
		if d.Local != netip.AddrPortFrom(there, b.port) || d.Remote != netip.AddrPortFrom(here, a.port) || d.Link != 1 || !bytes.Equal(d.Payload, payload) {
			t.Errorf("got %v from %v by %d, %d bytes", d.Local, d.Remote, d.Link, len(d.Payload))
		}
		if err := b.Write([]byte("answer"), d.Local.Addr(), d.Remote); err != nil {
			t.Fatal(err)
		}
		if d, err = a.Read(make([]byte, 100)); err != nil || d.Remote != netip.AddrPortFrom(there, b.port) || d.Local.Addr() != here {
			t.Errorf("the answer came from %v to %v: %v", d.Remote, d.Local, err)
		}
	}
	// What does not fit is no message.
	if err := a.Write(long, here, netip.AddrPortFrom(there, b.port)); err != nil {
		t.Fatal(err)
	}
	if err := a.Write([]byte("next"), here, netip.AddrPortFrom(there, b.port)); err != nil {
		t.Fatal(err)
	}
	if d, err := b.Read(make([]byte, 100)); err != nil || string(d.Payload) != "next" {
		t.Errorf("got %q, %v", d.Payload, err)
	}
	b.Close()
	if _, err := b.Read(make([]byte, 100)); err == nil {
		t.Error("a closed socket reads")
	}
	if a.Write(nil, netip.IPv6Loopback(), netip.AddrPortFrom(there, 1)) == nil {
		t.Error("an IPv6 address is taken")
	}
}

func TestUDPPortTaken(t *testing.T) {
	u := openUDP(t)
	_, err := here(t).OpenUDP(u.port)
	if !errors.Is(err, ErrPortTaken) {
		t.Fatalf("a port taken twice: %v", err)
	}
}

func TestDestination(t *testing.T) {
	whole := unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: 3, Addr: [4]byte{192, 0, 2, 1}})
	if a, link, ok := destination(whole); !ok || link != 3 || a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%v %d %v", a, link, ok)
	}
	for n := range unix.CmsgLen(unix.SizeofInet4Pktinfo) {
		if _, _, ok := destination(whole[:n]); ok {
			t.Errorf("%d bytes are taken for all", n)
		}
	}
}
