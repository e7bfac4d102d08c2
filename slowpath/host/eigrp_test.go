package host

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"nave/testbed/netns"
)

// What goes to the group is heard on links that were joined, what goes to an address wherever it comes in; both leave by the link and from the address that they are to, with the
// TTL and type of service that IOS has, and never come back to the sender.
func TestEIGRP(t *testing.T) {
	router, far := lab(t)
	must(t, netns.Veth(netns.End{NS: router, Name: "eth1", Addrs: []string{"10.1.0.1/24"}}, netns.End{NS: far, Name: "eth1", Addrs: []string{"10.1.0.8/24"}}, 1500))
	a, b := open(t, router, t.TempDir()), open(t, far, t.TempDir())
	sa, err := a.OpenEIGRP()
	must(t, err)
	defer sa.Close()
	sb, err := b.OpenEIGRP()
	must(t, err)
	defer sb.Close()
	link := func(h *Host, name string) int {
		l, err := h.Link(name)
		must(t, err)
		return l.Index
	}
	type heard struct {
		Packet
		text string
	}
	listen := func(s *EIGRP) chan heard {
		got := make(chan heard, 16)
		go func() {
			defer close(got)
			buf := make([]byte, 2048)
			for {
				p, err := s.Read(buf)
				if err != nil {
					return
				}
				got <- heard{p, string(p.Payload)}
			}
		}()
		return got
	}
	atA, atB := listen(sa), listen(sb)
	must(t, sa.Join([]int{link(a, "eth0"), link(a, "eth1")}))
	eth0, eth1 := link(b, "eth0"), link(b, "eth1")
	must(t, sb.Join([]int{eth1}))
	from1, to1 := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.8")
	eventually(t, "a packet to the group", func() bool {
		must(t, sa.Send(link(a, "eth0"), addrA, allEIGRP, []byte("not joined")))
		must(t, sa.Send(link(a, "eth1"), from1, allEIGRP, []byte("joined")))
		select {
		case h := <-atB:
			if h.Link != eth1 || h.From != from1 || !h.Multicast || h.text != "joined" {
				t.Errorf("got %+v", h)
			}
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	next := func(text string) heard {
		t.Helper()
		for {
			select {
			case h := <-atB:
				if h.text == text {
					return h
				}
			case <-time.After(patience):
				t.Fatalf("%q did not come", text)
			}
		}
	}
	must(t, sa.Send(link(a, "eth0"), addrA, addrB, []byte("to one")))
	if h := next("to one"); h.Multicast || h.Link != eth0 || h.From != addrA {
		t.Errorf("got %+v", h)
	}
	must(t, sb.Join([]int{eth0}))
	must(t, sa.Send(link(a, "eth1"), from1, allEIGRP, []byte("left")))
	must(t, sa.Send(link(a, "eth1"), from1, to1, []byte("last")))
	for h := range atB {
		if h.text == "left" {
			t.Error("heard on a link that was left")
		}
		if h.text == "last" {
			break
		}
	}
	if sb.Join([]int{9999}) == nil {
		t.Error("joined on a netdev that is not there")
	}
	if sa.Send(link(a, "eth0"), netip.IPv6Loopback(), addrB, nil) == nil || sa.Send(link(a, "eth0"), addrB, addrA, nil) == nil {
		t.Error("sent from addresses that are not ours")
	}
	if len(atA) > 0 {
		t.Errorf("heard itself: %+v", <-atA)
	}
	checkEIGRPHeader(t, sa, b, link(a, "eth0"))
}

// checkEIGRPHeader looks at the IPv4 header of what the socket sends.
func checkEIGRPHeader(t *testing.T, s *EIGRP, far *Host, link int) {
	t.Helper()
	var raw net.PacketConn
	must(t, far.Within(func() (err error) { raw, err = net.ListenPacket("ip4:88", "0.0.0.0"); return err }))
	defer raw.Close()
	must(t, s.Send(link, addrA, addrB, []byte("header")))
	must(t, raw.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 2048)
	n, _, _, _, err := raw.(*net.IPConn).ReadMsgIP(buf, nil)
	must(t, err)
	header, ok := headerOf(buf[:n])
	if !ok || header[1] != precedence || header[8] != eigrpTTL || header[6]&0x40 != 0 || header[9] != protocolEIGRP || string(buf[len(header):n]) != "header" {
		t.Errorf("packet %x", buf[:n])
	}
}

func TestHeaderOf(t *testing.T) {
	for _, c := range []struct {
		b  []byte
		ok bool
	}{
		{nil, false}, {make([]byte, 20), false}, {append([]byte{0x45}, make([]byte, 18)...), false}, {append([]byte{0x45}, make([]byte, 19)...), true},
		{append([]byte{0x46}, make([]byte, 19)...), false}, {append([]byte{0x46}, make([]byte, 30)...), true},
	} {
		if h, ok := headerOf(c.b); ok != c.ok || ok && len(h) != int(c.b[0]&15)*4 {
			t.Errorf("%x: %v, %v", c.b, h, ok)
		}
	}
}
