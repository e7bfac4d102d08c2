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
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

func TestNAT(t *testing.T) {
	w := iketest.NAT(t, version)
	// And once more, seen only in IKE.
	w.NAT = netip.MustParseAddrPort("198.51.100.7:30000")
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(time.Second)
	w.WantUp()
	if got := w.B.Children[w.B.Active].Path.Remote.Port(); got != 34500 {
		t.Errorf("b sends to port %d after an authentic message from another", got)
	}
}

// The responder is behind the NAT box: the initiator knows it by the box's address, and each says what it knows.
func TestResponderBehindNAT(t *testing.T) {
	w := join(t, 40, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:0") // ports as they are
	w.B.Event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(w.NAT.Addr(), 0)})
	w.Run(time.Second)
	w.WantUp()
	ca, cb := w.A.Children[w.A.Active], w.B.Children[w.B.Active]
	if ca == nil || cb == nil || !ca.Encap || !cb.Encap || cb.Path.Remote != netip.MustParseAddrPort("198.51.100.7:4500") || ca.Claimed != w.B.Addr {
		t.Fatalf("children %+v %+v", ca, cb)
	}
	if ca.NAT != (ike.NAT{Self: true}) || cb.NAT != (ike.NAT{Peer: true}) {
		t.Errorf("a sees %+v, b sees %+v", ca.NAT, cb.NAT)
	}
	w.Run(70 * time.Second)
	if w.A.Keepalives == 0 || w.B.Keepalives != 0 {
		t.Errorf("keepalives %d %d", w.A.Keepalives, w.B.Keepalives)
	}
	for _, n := range []*node{w.A, w.B} {
		n.Event(ike.Volume{Child: n.Active})
		w.Run(time.Second)
		w.WantUp()
		if a, b := w.A.Children[w.A.Active].NAT, w.B.Children[w.B.Active].NAT; a != ca.NAT || b != cb.NAT {
			t.Errorf("after a rekey a sees %+v, b sees %+v", a, b)
		}
	}
}

// Without NAT traversal all stays on port 500, in clear of UDP.
func TestNoNATT(t *testing.T) {
	for _, side := range []int{0, 1, 2} {
		w := join(t, 41, func(a, b *ike.Config) { a.NoNATT, b.NoNATT = side != 1, side != 0 })
		w.A.Initiate()
		w.Run(time.Second)
		w.WantUp()
		if c := w.A.Children[w.A.Active]; c.Encap || c.Path.Local.Port() != portIKE || c.Path.Remote.Port() != portIKE {
			t.Errorf("side %d: %+v", side, c.Path)
		}
	}
}

// relocate has a send UPDATE_SA_ADDRESSES from another address.
func relocate(w *wire, to netip.Addr, more ...ikev2msg.Out) {
	w.A.Addr = to
	s := w.A.Engine.all()[0]
	w.A.Engine.place(s, ike.Path{VRF: s.path.VRF, Local: netip.AddrPortFrom(to, portNATT), Remote: s.path.Remote})
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: append([]ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil)}, more...)})
	w.A.Do(w.A.Engine.take())
	w.Run(time.Second)
}

// A peer that says it has moved is followed; a child that is bound to the old address is given up.
func TestUpdateAddresses(t *testing.T) {
	w := join(t, 42, nil)
	w.A.Initiate()
	w.Run(time.Second)
	relocate(w, addr("192.0.2.99"))
	s := w.B.Engine.all()[0]
	if s.path.Remote != netip.MustParseAddrPort("192.0.2.99:4500") || len(w.B.Children) != 0 || len(w.B.Engine.peers) != 1 || len(w.A.Children) != 0 {
		t.Errorf("path %+v, children %d and %d", s.path, len(w.A.Children), len(w.B.Children))
	}
	// Behind NAT the child is in UDP, and follows.
	w = join(t, 43, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	w.NAT = netip.MustParseAddrPort("198.51.100.8:20000")
	s = w.A.Engine.all()[0]
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: []ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil)}})
	w.A.Do(w.A.Engine.take())
	w.Run(time.Second)
	if c := w.B.Children[w.B.Active]; c == nil || c.Path.Remote != netip.MustParseAddrPort("198.51.100.8:24500") {
		t.Errorf("the child leads to %+v", c)
	}
	w.WantUp()
	// NO_NATS_ALLOWED from behind one is refused.
	data := append(w.A.Addr.AsSlice(), w.B.Addr.AsSlice()...)
	data = binary.BigEndian.AppendUint32(data, portNATT<<16|portNATT)
	w.NAT = netip.MustParseAddrPort("198.51.100.9:30000")
	var answer []byte
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.B {
			answer = p
		}
		return true
	}
	s.enqueue(&rawTask{exchange: ikev2msg.ExchangeInformational, list: []ikev2msg.Out{notify(ikev2msg.UpdateSAAddresses, nil), notify(ikev2msg.NoNATsAllowed, data)}})
	w.A.Do(w.A.Engine.take())
	w.Run(time.Second)
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
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	var last []byte
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.A {
			last = p
		}
		return true
	}
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(time.Second)
	elsewhere := ike.Path{Local: netip.AddrPortFrom(w.B.Addr, portNATT), Remote: netip.MustParseAddrPort("203.0.113.66:4500")}
	before := w.B.Engine.all()[0].path
	w.B.Event(ike.Received{Path: elsewhere, Packet: last}) // replayed
	p := append([]byte(nil), last...)
	binary.BigEndian.PutUint32(p[20:], binary.BigEndian.Uint32(p[20:])+1)
	w.B.Event(ike.Received{Path: elsewhere, Packet: p}) // the next one, forged
	if got := w.B.Engine.all()[0].path; got != before {
		t.Errorf("moved to %+v", got)
	}
}

// What NAT on the way keeps from coming up is said in words that tell where to look.
func TestNATFailuresSaid(t *testing.T) {
	says := func(n *node, want string) {
		t.Helper()
		if !slices.ContainsFunc(n.Logs, func(l ike.Log) bool { return l.Kind == ike.LogFailed && strings.Contains(l.Text, want) }) {
			t.Errorf("%s logs %+v, want %q", n.Name, n.Logs, want)
		}
	}
	w := join(t, 44, func(a, _ *ike.Config) { a.NoNATT = true })
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	says(w.B, "the peer calls itself "+w.A.Addr.String()+" and comes from 198.51.100.7: there is NAT on the way")
	if len(w.B.Children) != 0 {
		t.Errorf("%d children", len(w.B.Children))
	}
	w = join(t, 45, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.Tap = func(_ *node, _ ike.Path, p []byte) bool { return p[18] == byte(ikev2msg.ExchangeInit) } // nothing on port 4500
	w.A.Initiate()
	w.Run(3 * time.Minute)
	says(w.A, "does anything on the way drop port 4500?")
	says(w.B, "does anything on the way drop port 4500?")
}
