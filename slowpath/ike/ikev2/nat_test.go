package ikev2

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

func TestNAT(t *testing.T) {
	w := join(t, 700, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	cb := w.b.children[w.b.active]
	if !cb.Encap || cb.Path.Remote != netip.MustParseAddrPort("198.51.100.7:14500") || cb.Claimed != w.a.addr {
		t.Errorf("b's child %+v", cb.Path)
	}
	if ca := w.a.children[w.a.active]; !ca.Encap || ca.Path.Local.Port() != portNATT {
		t.Errorf("a's child %+v", ca.Path)
	}
	w.run(70 * time.Second)
	if w.a.keepaliv != 3 || w.b.keepaliv != 0 {
		t.Errorf("%d keepalives of the side behind NAT, %d of the other", w.a.keepaliv, w.b.keepaliv)
	}
	// The NAT box starts over: a packet that the fast path vouches for comes from another port.
	w.natA = netip.MustParseAddrPort("198.51.100.7:20000")
	w.b.event(ike.Moved{Child: w.b.active, Remote: netip.MustParseAddrPort("198.51.100.7:24500")})
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	w.wantUp()
	if got := w.b.children[w.b.active].Path.Remote.Port(); got != 24500 {
		t.Errorf("b sends to port %d", got)
	}
	// And once more, seen only in IKE.
	w.natA = netip.MustParseAddrPort("198.51.100.7:30000")
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	w.wantUp()
	if got := w.b.children[w.b.active].Path.Remote.Port(); got != 34500 {
		t.Errorf("b sends to port %d after an authentic message from another", got)
	}
}

// The responder is behind the NAT box: the initiator knows it by the box's address, and each says what it knows.
func TestResponderBehindNAT(t *testing.T) {
	w := join(t, 40, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:0") // ports as they are
	w.b.event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(w.natA.Addr(), 0)})
	w.run(time.Second)
	w.wantUp()
	ca, cb := w.a.children[w.a.active], w.b.children[w.b.active]
	if ca == nil || cb == nil || !ca.Encap || !cb.Encap || cb.Path.Remote != netip.MustParseAddrPort("198.51.100.7:4500") || ca.Claimed != w.b.addr {
		t.Fatalf("children %+v %+v", ca, cb)
	}
	if ca.NAT != (ike.NAT{Self: true}) || cb.NAT != (ike.NAT{Peer: true}) {
		t.Errorf("a sees %+v, b sees %+v", ca.NAT, cb.NAT)
	}
	w.run(70 * time.Second)
	if w.a.keepaliv == 0 || w.b.keepaliv != 0 {
		t.Errorf("keepalives %d %d", w.a.keepaliv, w.b.keepaliv)
	}
	for _, n := range []*node{w.a, w.b} {
		n.event(ike.Volume{Child: n.active})
		w.run(time.Second)
		w.wantUp()
		if a, b := w.a.children[w.a.active].NAT, w.b.children[w.b.active].NAT; a != ca.NAT || b != cb.NAT {
			t.Errorf("after a rekey a sees %+v, b sees %+v", a, b)
		}
	}
}

// Without NAT traversal all stays on port 500, in clear of UDP.
func TestNoNATT(t *testing.T) {
	for _, side := range []int{0, 1, 2} {
		w := join(t, 41, func(a, b *ike.Config) { a.NoNATT, b.NoNATT = side != 1, side != 0 })
		w.a.initiate()
		w.run(time.Second)
		w.wantUp()
		if c := w.a.children[w.a.active]; c.Encap || c.Path.Local.Port() != portIKE || c.Path.Remote.Port() != portIKE {
			t.Errorf("side %d: %+v", side, c.Path)
		}
	}
}

// relocate has a send UPDATE_SA_ADDRESSES from another address.
func (w *wire) relocate(to netip.Addr, more ...ikev2msg.Out) {
	w.a.addr = to
	s := w.a.e.all()[0]
	w.a.e.place(s, ike.Path{VRF: s.path.VRF, Local: netip.AddrPortFrom(to, portNATT), Remote: s.path.Remote})
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: append([]ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil)}, more...)})
	w.a.do(w.a.e.take())
	w.run(time.Second)
}

// A peer that says it has moved is followed; a child that is bound to the old address is given up.
func TestUpdateAddresses(t *testing.T) {
	w := join(t, 42, nil)
	w.a.initiate()
	w.run(time.Second)
	w.relocate(addr("192.0.2.99"))
	s := w.b.e.all()[0]
	if s.path.Remote != netip.MustParseAddrPort("192.0.2.99:4500") || len(w.b.children) != 0 || len(w.b.e.peers) != 1 || len(w.a.children) != 0 {
		t.Errorf("path %+v, children %d and %d", s.path, len(w.a.children), len(w.b.children))
	}
	// Behind NAT the child is in UDP, and follows.
	w = join(t, 43, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	w.natA = netip.MustParseAddrPort("198.51.100.8:20000")
	s = w.a.e.all()[0]
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: []ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil)}})
	w.a.do(w.a.e.take())
	w.run(time.Second)
	if c := w.b.children[w.b.active]; c == nil || c.Path.Remote != netip.MustParseAddrPort("198.51.100.8:24500") {
		t.Errorf("the child leads to %+v", c)
	}
	w.wantUp()
	// NO_NATS_ALLOWED from behind one is refused.
	data := append(w.a.addr.AsSlice(), w.b.addr.AsSlice()...)
	data = binary.BigEndian.AppendUint32(data, portNATT<<16|portNATT)
	w.natA = netip.MustParseAddrPort("198.51.100.9:30000")
	var answer []byte
	w.tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.b {
			answer = p
		}
		return true
	}
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: []ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil), notify(ikev2msg.NoNATsAllowed, data)}})
	w.a.do(w.a.e.take())
	w.run(time.Second)
	m, err := ikev2msg.Parse(answer)
	if err != nil {
		t.Fatal(err)
	}
	list := s.read(t, &m)
	if n, bad := errorOf(list); !bad || n.Type != ikev2msg.UnexpectedNATDetected {
		t.Errorf("answered by %+v", list)
	}
}

// read opens a message to the SA without taking it.
func (s *sa) read(t *testing.T, m *ikev2msg.Message) []ikemsg.Payload {
	t.Helper()
	plain, err := s.sealIn.Open(nil, m.AAD, m.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ikev2msg.ParseInner(m.First, plain)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A message that is not authentic moves nobody, wherever it comes from; nor does one that was seen before.
func TestForgedMove(t *testing.T) {
	w := join(t, 44, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	var last []byte
	w.tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.a {
			last = p
		}
		return true
	}
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	elsewhere := ike.Path{Local: netip.AddrPortFrom(w.b.addr, portNATT), Remote: netip.MustParseAddrPort("203.0.113.66:4500")}
	before := w.b.e.all()[0].path
	w.b.event(ike.Received{Path: elsewhere, Packet: last}) // replayed
	p := append([]byte(nil), last...)
	binary.BigEndian.PutUint32(p[20:], binary.BigEndian.Uint32(p[20:])+1)
	w.b.event(ike.Received{Path: elsewhere, Packet: p}) // the next one, forged
	if got := w.b.e.all()[0].path; got != before {
		t.Errorf("moved to %+v", got)
	}
}

// What NAT on the way keeps from coming up is said in words that tell where to look.
func TestNATFailuresSaid(t *testing.T) {
	says := func(n *node, want string) {
		t.Helper()
		if !slices.ContainsFunc(n.logs, func(l ike.Log) bool { return l.Kind == ike.LogFailed && strings.Contains(l.Text, want) }) {
			t.Errorf("%s logs %+v, want %q", n.name, n.logs, want)
		}
	}
	w := join(t, 44, func(a, _ *ike.Config) { a.NoNATT = true })
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	says(w.b, "the peer calls itself "+w.a.addr.String()+" and comes from 198.51.100.7: there is NAT on the way")
	if len(w.b.children) != 0 {
		t.Errorf("%d children", len(w.b.children))
	}
	w = join(t, 45, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.tap = func(_ *node, _ ike.Path, p []byte) bool { return p[18] == byte(ikev2msg.ExchangeInit) } // nothing on port 4500
	w.a.initiate()
	w.run(3 * time.Minute)
	says(w.a, "does anything on the way drop port 4500?")
	says(w.b, "does anything on the way drop port 4500?")
}
