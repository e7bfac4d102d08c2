package bgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"nave/testbed/ports"
)

// TestDoorIsSignedFromTheFirst: nobody gets in without a signature before the passwords are set.
func TestDoorIsSignedFromTheFirst(t *testing.T) {
	t.Parallel()
	b := newBox(t, 40)
	peer, port := netip.MustParseAddr("127.0.40.9"), ports.TCP(t)
	key := map[netip.Prefix]Secret{netip.PrefixFrom(peer, 32): "right"}
	d, err := b.s.listen(place{"", b.addr}, port, key, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.l.Close()
	if !d.signs(peer, "right") || d.signs(peer, "wrong") || d.signs(b.addr, "right") {
		t.Errorf("keys %v", d.keys)
	}
	for name, key := range map[string]Secret{"unsigned": "", "wrong": "wrong", "right": "right"} {
		timeout := 300 * time.Millisecond // the kernel drops what is not signed
		if name == "right" {
			timeout = patienceOfTests
		}
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: peer.AsSlice()}, Timeout: timeout, Control: func(_, _ string, c syscall.RawConn) error {
			if key == "" {
				return nil
			}
			return signWith(c, netip.PrefixFrom(b.addr, 32), key)
		}}
		dialer.SetMultipathTCP(false)
		c, err := dialer.DialContext(context.Background(), "tcp4", netip.AddrPortFrom(b.addr, port).String())
		if err == nil {
			c.Close()
		}
		if (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDoorTakesNobodyFromAfar: where all neighbours have TTL security, who is farther away does not even connect, so that nothing of it is heard before the link has its rule.
func TestDoorTakesNobodyFromAfar(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b, c := newBox(t, 51), newBox(t, 52), newBox(t, 53)
	conf := a.base(port, 65001)
	conf.Neighbours = []Neighbour{a.to(b, 65002, IPv4Unicast)}
	conf.Neighbours[0].SecurityHops, conf.Neighbours[0].Passive = 1, true
	try := func(ttl int, patience time.Duration) error {
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(b.addr, 0)), Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
			return setsockopt(c, func(fd int) error { return setTTL(fd, true, ttl, 0) })
		}}
		conn, err := dialer.Dial("tcp4", netip.AddrPortFrom(a.addr, port).String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	a.configure(conf)
	if err := try(1, 300*time.Millisecond); err == nil {
		t.Error("connected with TTL 1")
	}
	if err := try(255, patienceOfTests); err != nil {
		t.Errorf("with TTL 255: %v", err)
	}
	conf.Neighbours = append(slices.Clone(conf.Neighbours), a.to(c, 65001, IPv4Unicast)) // it is a way off, perhaps
	a.configure(conf)
	if err := try(1, patienceOfTests); err != nil {
		t.Errorf("with TTL 1, which another neighbour may have: %v", err)
	}
}

// TestWhoWaitsHasToComeAgain: connections that came in before the neighbour had a password, or TTL security, and that nobody had time for, do not pass for such as have shown it.
func TestWhoWaitsHasToComeAgain(t *testing.T) {
	t.Parallel()
	for n, change := range map[int]func(*Neighbour){
		54: func(n *Neighbour) { n.Password = "secret" },
		55: func(n *Neighbour) { n.SecurityHops = 1 },
	} {
		a, peer := newBox(t, n), netip.AddrFrom4([4]byte{127, 0, byte(n), 9})
		conf := a.base(ports.TCP(t), 65001)
		conf.Neighbours = []Neighbour{{Address: peer, RemoteAS: 65002, Passive: true, Families: []Activation{{Family: IPv4Unicast}}}}
		a.configure(conf)
		for k, c := range waitAndTighten(t, a, peer, change) {
			c.SetReadDeadline(time.Now().Add(patienceOfTests))
			if got, err := c.Read(make([]byte, 64)); got > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("connection %d of box %d is taken: %d bytes, %v", k, n, got, err)
			}
		}
	}
}

// waitAndTighten has two connections of a neighbour wait while a box is busy, one that is accepted and one that the kernel has, and then asks more of the neighbour.
func waitAndTighten(t *testing.T, a *box, peer netip.Addr, change func(*Neighbour)) (waiting []net.Conn) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	for range 2 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: peer.AsSlice()}, Timeout: patienceOfTests}
		c, err := d.Dial("tcp4", netip.AddrPortFrom(a.addr, a.s.cfg.port()).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		waiting = append(waiting, c)
	}
	l := a.s.instances[""].links[peer]
	cfg := *l.config()
	change(&cfg.Neighbour)
	l.cfg.Store(&cfg)
	if err := a.s.openDoors(); err != nil {
		t.Fatal(err)
	}
	door := a.s.doors[place{"", a.addr}]
	if err := a.s.openDoors(); err != nil || door == nil || a.s.doors[door.place] != door {
		t.Errorf("opened again though nothing changed: %v", err)
	}
	return waiting
}
