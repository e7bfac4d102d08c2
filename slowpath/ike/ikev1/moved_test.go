package ikev1

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// status is an authentic notification that means nothing.
func (s *sa) status40000() {
	n := ikev1msg.Notify{DOI: 1, Protocol: 1, Type: 40000}
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}})
}

// grab is what a node would send, which does not arrive.
func grab(w *wire, from *node, f func(s *sa)) (p []byte) {
	old := w.Tap
	w.Tap = func(_ *node, _ ike.Path, b []byte) bool { p = slices.Clone(b); return false }
	say(from, f)
	w.Tap = old
	return p
}

// elsewhere brings a message from an address where nobody is.
func elsewhere(n *node, port uint16, p []byte) {
	n.Event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.Addr, port), Remote: netip.AddrPortFrom(addr("203.0.113.9"), port)}, Packet: p})
}

// wantNothingWaits asserts that nobody waits for what will not come.
func wantNothingWaits(n *node) {
	n.Wire.T.Helper()
	for _, p := range n.Engine.peers {
		if len(p.wants) > 0 {
			n.Wire.T.Errorf("%s: %d wait for %v", n.Name, len(p.wants), p.key.addr)
		}
	}
}

// The SA ends during quick mode after messages from elsewhere: whoever waits is told.
func TestSAEndsUnderQuickMode(t *testing.T) {
	w := join(t, 6000, nil)
	w.Tap = func(from *node, _ ike.Path, p []byte) bool { return from != w.B || p[18] != ikev1msg.QuickMode }
	w.A.Initiate()
	w.Run(time.Second)
	elsewhere(w.A, port, grab(w, w.B, (*sa).status40000))
	elsewhere(w.A, port, grab(w, w.B, func(s *sa) { s.end(ike.WhyCleared, true) }))
	w.Run(10 * time.Minute)
	if len(w.A.Failed) != 1 || len(w.A.Engine.sas) != 0 {
		t.Errorf("failed %v, %d SAs", w.A.Failed, len(w.A.Engine.sas))
	}
	wantNothingWaits(w.A)
}

// An old message moves nothing, however many came after it, and keeps no dead peer alive.
func TestOldMessages(t *testing.T) {
	w := join(t, 6100, func(a, b *ike.Config) { b.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	var old [][]byte
	w.Tap = func(from *node, _ ike.Path, b []byte) bool {
		if from == w.A {
			old = append(old, slices.Clone(b))
		}
		return true
	}
	for range 300 {
		say(w.A, (*sa).status40000)
		w.Run(time.Second)
	}
	w.Tap = nil
	path := w.B.Children[w.B.Active].Path
	elsewhere(w.B, natPort, old[0])
	if got := w.B.Children[w.B.Active].Path; got != path {
		t.Errorf("an old message moved the peer from %v to %v", path, got)
	}
	w.A.Stopped = true
	for _, p := range old {
		w.B.Event(ike.Received{Path: path, Packet: p})
		w.Run(time.Second)
	}
	if len(w.B.Children) != 0 {
		t.Error("old messages keep a dead peer alive")
	}
}

// An SA without NAT is where it is: a message from elsewhere, though authentic, takes it nowhere.
func TestNoMoveWithoutNAT(t *testing.T) {
	w := join(t, 6200, nil)
	w.A.Initiate()
	w.Run(time.Second)
	path := w.A.Engine.saList()[0].path
	elsewhere(w.A, port, grab(w, w.B, (*sa).status40000))
	if got := w.A.Engine.saList()[0].path; got != path {
		t.Errorf("moved to %v", got)
	}
	w.WantUp()
}

// The NAT box gets another address; the next quick mode shows it.
func TestQuickModeFromElsewhere(t *testing.T) {
	w := join(t, 6300, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	w.NAT = netip.MustParseAddrPort("198.51.100.8:20000")
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(time.Second)
	w.WantUp()
	for id, c := range w.B.Children {
		if c.Path.Remote != netip.MustParseAddrPort("198.51.100.8:24500") {
			t.Errorf("child %d: %v", id, c.Path)
		}
	}
	if len(w.B.Engine.peers) != 1 {
		t.Errorf("%d peers", len(w.B.Engine.peers))
	}
}

func TestAggressiveModeBehindNAT(t *testing.T) {
	w := join(t, 6400, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile = "ag"
	})
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Minute)
	w.WantUp()
	if a, b := w.A.Engine.saList()[0].nat, w.B.Engine.saList()[0].nat; a != (ike.NAT{Self: true}) || b != (ike.NAT{Peer: true}) {
		t.Errorf("a sees %+v, b sees %+v", a, b)
	}
	if a, b := w.A.Children[w.A.Active].NAT, w.B.Children[w.B.Active].NAT; a != (ike.NAT{Self: true}) || b != (ike.NAT{Peer: true}) {
		t.Errorf("by the children a sees %+v, b sees %+v", a, b)
	}
}

// With 4500 taken for 500, a peer that was asked for by the standard port is found behind NAT.
func TestInitiateByPort(t *testing.T) {
	w := join(t, 6500, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(w.B.Addr, port)})
	w.Run(10 * time.Second)
	w.WantUp()
	wantNothingWaits(w.A)
}

// The configuration changes while a child is being made.
func TestReconfigureMeanwhile(t *testing.T) {
	for name, change := range map[string]func(n *node){
		"another source": func(n *node) { n.Addr = addr("192.0.2.3"); n.Config.Protections[0].Local = n.Addr },
		"another profile": func(n *node) {
			n.Config.V1.Profiles = []ike.V1Profile{{Name: "x", Match: []ike.Match{{Kind: ike.IDFQDN, Value: "nobody"}}}}
			n.Config.Protections[0].ISAKMPProfile = "x"
		},
		"another destination": func(n *node) { n.Config.Protections[0].Remote = addr("192.0.2.99") },
	} {
		t.Run(name, func(t *testing.T) {
			w := join(t, 6600, nil)
			w.A.Initiate()
			w.Run(time.Millisecond)
			w.A.Config.Protections = slices.Clone(w.A.Config.Protections)
			change(w.A)
			w.A.Configure()
			w.Run(10 * time.Minute)
			wantNothingWaits(w.A)
		})
	}
	w := join(t, 6700, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Config.Protections = slices.Clone(w.A.Config.Protections)
	w.A.Config.Protections[0].Remote = addr("192.0.2.99")
	w.A.Configure()
	w.Run(time.Second)
	if len(w.A.Children)+len(w.B.Children) != 0 {
		t.Error("a child with another than `tunnel destination` stays")
	}
}

// A profile with a trustpoint is for those whom that vouches for.
func TestTrustpointOfProfile(t *testing.T) {
	for _, strict := range []bool{false, true} {
		w := join(t, 6800, withCertificates(t, func(_, b *ike.Config) {
			other := certify(t, rsaKeys[3](), "strict", netip.Addr{}, nil, nil, iketest.Start.AddDate(0, 0, 5))
			b.Trustpoints = append(b.Trustpoints, ike.Trustpoint{Name: "strict", Roots: []*x509.Certificate{other}, Loaded: iketest.Start})
			p := ike.V1Profile{Name: "p", Trustpoint: "tp", Match: []ike.Match{{VRF: ike.AnyVRF}}}
			if strict {
				p.Trustpoint = "strict"
			}
			b.V1.Profiles, b.Protections[0].ISAKMPProfile = []ike.V1Profile{p}, "p"
		}))
		w.A.Initiate()
		w.Run(5 * time.Second)
		if up := len(w.B.Children) > 0; up == strict {
			t.Errorf("trustpoint strict: %v, up: %v", strict, up)
		}
	}
}

// The newest authentic packet of a child comes from elsewhere: the child, those beside it, and the IKE SA follow; without NAT nothing does.
func TestMoved(t *testing.T) {
	to := netip.MustParseAddrPort("198.51.100.9:31000")
	w := join(t, 6900, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(time.Second)
	if len(w.B.Children) != 2 {
		t.Fatalf("%d children", len(w.B.Children))
	}
	w.NAT = netip.MustParseAddrPort("198.51.100.9:26500")
	w.B.Event(ike.Moved{Child: w.B.Active, Remote: to})
	for id, c := range w.B.Children {
		if c.Path.Remote != to {
			t.Errorf("child %d stays at %v", id, c.Path.Remote)
		}
	}
	if got := w.B.Engine.saList()[0].path.Remote; got != to || len(w.B.Engine.peers) != 1 {
		t.Errorf("the SA leads to %v, %d peers", got, len(w.B.Engine.peers))
	}
	w.B.Event(ike.Volume{Child: w.B.Active}) // which only arrives by the new mapping
	w.Run(time.Second)
	w.WantUp()

	w = join(t, 6950, nil)
	w.A.Initiate()
	w.Run(time.Second)
	path := w.B.Children[w.B.Active].Path
	w.B.Event(ike.Moved{Child: w.B.Active, Remote: to})
	if got := w.B.Children[w.B.Active].Path; got != path {
		t.Errorf("a child without NAT moved to %v", got)
	}
	w.WantUp()
}
