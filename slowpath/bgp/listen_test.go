package bgp

import (
	"context"
	"net"
	"net/netip"
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
	d, err := b.s.listen(place{"", b.addr}, port, key)
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
