package bgp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/slowpath/bgp/bgpmsg"
	"nave/testbed/ports"
)

// stranger is a neighbour made by hand: it says what it is told to.
type stranger struct {
	t    *testing.T
	c    net.Conn
	got  chan []byte // messages, but KEEPALIVE
	end  chan struct{}
	addr netip.Addr
}

func hexBytes(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func wire(typ uint8, body []byte) []byte {
	b := append(hexBytes(strings.Repeat("ff", 16)), 0, 0, typ)
	b = append(b, body...)
	binary.BigEndian.PutUint16(b[16:], uint16(len(b)))
	return b
}

// call connects to a box from an address, as AS 65000, with IPv4 and VPNv4.
func call(t *testing.T, b *box, port uint16, from string) *stranger {
	t.Helper()
	s := &stranger{t: t, addr: netip.MustParseAddr(from), got: make(chan []byte, 100), end: make(chan struct{})}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.addr, 0)), Timeout: patienceOfTests}
	var err error
	if s.c, err = d.Dial("tcp4", netip.AddrPortFrom(b.addr, port).String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.c.Close() })
	go func() {
		defer close(s.end)
		r := bgpmsg.NewReader(bufio.NewReader(s.c))
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			if bgpmsg.Type(m) != bgpmsg.Keepalive {
				s.got <- append([]byte(nil), m...)
			}
		}
	}()
	// Version 4, AS 65000, hold time 90 s, identifier, capabilities: IPv4, VPNv4, four-byte AS.
	id := s.addr.As4()
	caps := "0104 0001 0001 0104 0001 0080 4104 0000fde8"
	open := hexBytes("04 fde8 005a" + hex.EncodeToString(id[:]) + "14 02 12" + caps)
	s.say(wire(bgpmsg.Open, open))
	s.say(wire(bgpmsg.Keepalive, nil))
	wait(t, "the stranger's session", func() bool { return b.state(s.addr) == Established })
	return s
}

func (s *stranger) say(b []byte) {
	s.t.Helper()
	if _, err := s.c.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

// update says an UPDATE of hexadecimal fields.
func (s *stranger) update(withdrawn, attrs, nlri string) {
	s.t.Helper()
	w, a := hexBytes(withdrawn), hexBytes(attrs)
	b := binary.BigEndian.AppendUint16(nil, uint16(len(w)))
	b = append(b, w...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a)))
	s.say(wire(bgpmsg.Update, append(append(b, a...), hexBytes(nlri)...)))
}

// Attributes of a good UPDATE.
const (
	goodOrigin = "40 01 01 00"
	goodPath   = "40 02 00"
	goodHop    = "40 03 04 0a636301"
	goodPref   = "40 05 04 00000064"
	good       = goodOrigin + goodPath + goodHop + goodPref
)

// What GoBGP does with what is malformed (RFC 7606): the route goes and the session stays, wherever the NLRI can be read.
func TestMalformedUpdates(t *testing.T) {
	t.Parallel()
	const vpn = "0001 80 0c 0000000000000000 0a636301 00"
	for name, c := range map[string]struct {
		attrs string
		nlri  string
		code  string // of the NOTIFICATION that ends the session; "": it stays
		stays bool   // and the route of before, too
	}{
		"origin of no kind":                   {attrs: "40 01 01 07" + goodPath + goodHop + goodPref},
		"origin of two bytes":                 {attrs: "40 01 02 0000" + goodPath + goodHop + goodPref},
		"AS_PATH with a segment cut":          {attrs: goodOrigin + "40 02 03 02 02 00" + goodHop + goodPref},
		"AS_PATH with a segment of no kind":   {attrs: goodOrigin + "40 02 06 09 01 0000fde9" + goodHop + goodPref},
		"next hop of class D":                 {attrs: goodOrigin + goodPath + "40 03 04 e0000001" + goodPref},
		"next hop of five bytes":              {attrs: goodOrigin + goodPath + "40 03 05 0a63630100" + goodPref},
		"LOCAL_PREF of two bytes":             {attrs: goodOrigin + goodPath + goodHop + "40 05 02 0064"},
		"no origin":                           {attrs: goodPath + goodHop + goodPref},
		"no next hop":                         {attrs: goodOrigin + goodPath + goodPref},
		"communities of three bytes":          {attrs: good + "c0 08 03 fde800"},
		"extended communities of seven bytes": {attrs: good + "c0 10 07 00020001000000"},
		"originator of three bytes":           {attrs: good + "80 09 03 0a0000"},
		"cluster list of five bytes":          {attrs: good + "80 0a 05 0a00000100"},
		// Here GoBGP does not look for the NLRI: what the neighbour said before stays, which RFC 7606 section 4 does not allow.
		"attribute longer than the attributes": {attrs: good + "c0 08 f0 fde80001", stays: true},
		"NLRI of 33 bits":                      {attrs: good, nlri: "21 0a01020380", code: "030a"},
		"NLRI cut":                             {attrs: good, nlri: "18 0a01", code: "030a"},
		"unknown well-known attribute":         {attrs: good + "40 63 01 00", code: "0302"},
		"VPN prefix of 33 bits":                {attrs: goodOrigin + goodPath + goodPref + "80 0e 1f" + vpn + "79 0004d1 0000000100000001 0a0b0c0d80", nlri: " ", code: "030a"},
		"VPN label without an end":             {attrs: goodOrigin + goodPath + goodPref + "80 0e 1c" + vpn + "60 0004d0 0000000100000000 0a", nlri: " ", code: "030a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := ports.TCP(t)
			b := newBox(t, 1)
			cfg := b.base(port, 65000)
			cfg.Neighbours = []Neighbour{{Address: netip.MustParseAddr("127.0.99.1"), RemoteAS: 65000, Passive: true, Families: []Activation{{Family: IPv4Unicast}, {Family: VPNv4}}}}
			b.configure(cfg)
			s := call(t, b, port, "127.0.99.1")
			s.update("", good, "10 0a07 10 0a08")
			wait(t, "good routes", func() bool { return has(b, "", "10.7.0.0/16")() && has(b, "", "10.8.0.0/16")() })
			nlri := c.nlri
			if nlri == "" {
				nlri = "10 0a07" // once more: what is malformed withdraws it
			}
			s.update("", c.attrs, strings.TrimSpace(nlri))
			if c.stays {
				never(t, "a withdrawal", time.Second, func() bool { return !has(b, "", "10.7.0.0/16")() || b.state(s.addr) != Established })
				return
			}
			if c.code == "" {
				wait(t, "treat as withdraw", func() bool { return !has(b, "", "10.7.0.0/16")() })
				if b.state(s.addr) != Established || !has(b, "", "10.8.0.0/16")() {
					t.Error("the session did not outlive it")
				}
				return
			}
			for {
				select {
				case m := <-s.got:
					if bgpmsg.Type(m) == bgpmsg.Notification {
						if code := hex.EncodeToString(m[19:21]); code != c.code {
							t.Errorf("NOTIFICATION %s, want %s", code, c.code)
						}
						wait(t, "the session to end", func() bool { return b.state(s.addr) != Established && !has(b, "", "10.8.0.0/16")() })
						return
					}
				case <-time.After(patienceOfTests):
					t.Fatalf("no NOTIFICATION; state %s, route there: %t", b.state(s.addr), has(b, "", "10.7.0.0/16")())
				}
			}
		})
	}
}

// A next hop that stands for something inside must not come from outside.
func TestNextHopOfClassE(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	b := newBox(t, 1)
	cfg := b.base(port, 65000)
	cfg.Neighbours = []Neighbour{{Address: netip.MustParseAddr("127.0.99.1"), RemoteAS: 65000, Passive: true, Families: []Activation{{Family: IPv4Unicast}, {Family: VPNv4}}}}
	cfg.VRFs = twoVRFs()
	b.configure(cfg)
	s := call(t, b, port, "127.0.99.1")
	const rt = "c0 10 08 0002 0001 00000001"
	s.update("", goodOrigin+goodPath+goodPref+rt+"80 0e 20 0001 80 0c 0000000000000000 f0000001 00 70 0004d1 0000000100000005 c0a80b", "")
	s.update("", goodOrigin+goodPath+goodPref+rt+"80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 0004d1 0000000100000006 c0a80c", "")
	wait(t, "the good one", has(b, "red", "192.168.12.0/24"))
	if has(b, "red", "192.168.11.0/24")() {
		t.Error("a next hop of class E was taken")
	}
}

// Connections of nobody known are closed, and counted.
func TestStrangers(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	b := newBox(t, 1)
	cfg := b.base(port, 65000)
	cfg.Neighbours = []Neighbour{{Address: netip.MustParseAddr("127.0.99.1"), RemoteAS: 65000, Passive: true}}
	b.configure(cfg)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 98, 1)}}
	c, err := d.Dial("tcp4", netip.AddrPortFrom(b.addr, port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patienceOfTests))
	if n, err := c.Read(make([]byte, 100)); n > 0 || err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
	if st, err := b.s.Status(); err != nil || st.Strangers != 1 {
		t.Errorf("%d strangers, %v", st.Strangers, err)
	}
	// And none gets to GoBGP behind the links, not even from a neighbour's inner address.
	b.s.mu.Lock()
	l := b.s.instances[""].links[netip.MustParseAddr("127.0.99.1")]
	inner := b.s.instances[""].port
	b.s.mu.Unlock()
	if !b.s.signed {
		return
	}
	d = net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.alias, 0)), Timeout: time.Second}
	if c, err := d.Dial("tcp4", netip.AddrPortFrom(innerAddr, inner).String()); err == nil {
		c.Close()
		t.Error("GoBGP takes connections that are not signed")
	}
}

// Neighbours that say anything at all: those who behave notice nothing of it.
func TestHostileNeighbours(t *testing.T) {
	t.Parallel()
	const many = 40
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca := a.vpn(port, b)
	ca.VRFs = twoVRFs()
	for i := range many {
		ca.Neighbours = append(ca.Neighbours, Neighbour{
			Address: netip.AddrFrom4([4]byte{127, 0, 99, byte(i + 1)}), RemoteAS: 65000, Passive: true, Client: true,
			Families: []Activation{{Family: IPv4Unicast, SendCommunity: true}, {Family: VPNv4, NextHopSelf: true}},
		})
	}
	cb := b.vpn(port, a)
	cb.VRFs = twoVRFs()
	a.configure(ca)
	b.configure(cb)
	b.announce(Local{VRF: "red", Prefix: pfx("172.16.0.0/16"), Label: 20})
	wait(t, "the good neighbour", has(a, "red", "172.16.0.0/16"))
	const rt = "c0 10 08 0002 0001 00000001"
	seeds := [][]byte{
		hexBytes("0000 0015" + good + "10 0a07"),
		hexBytes("0000 003f" + goodOrigin + goodPath + goodPref + rt + "80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 0004d1 0000000100000006 c0a80c" + "c0 08 00"),
		hexBytes("0000 0015 80 0f 12 0001 80 70 800000 0000000100000006 c0a80c"),
	}
	var done sync.WaitGroup
	for i := range many {
		s := call(t, a, port, netip.AddrFrom4([4]byte{127, 0, 99, byte(i + 1)}).String())
		r := rand.New(rand.NewPCG(uint64(i), 7))
		done.Go(func() {
			for range 400 {
				body := bytes.Clone(seeds[r.IntN(len(seeds))])
				for range r.IntN(3) {
					body[r.IntN(len(body))] = byte(r.Uint32())
				}
				if r.IntN(8) == 0 {
					body = body[:r.IntN(len(body))]
				}
				if _, err := s.c.Write(wire(bgpmsg.Update, body)); err != nil {
					return
				}
			}
		})
	}
	done.Wait()
	a.announce(Local{VRF: "red", Prefix: pfx("172.17.0.0/16"), Label: 21})
	wait(t, "news for the good neighbour", has(b, "red", "172.17.0.0/16"))
	if up, down := b.ups(a.addr); up != 1 || down != 0 {
		t.Errorf("%d ups, %d downs", up, down)
	}
}
