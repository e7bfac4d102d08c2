package ikev1

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// status is an authentic notification that means nothing.
func (s *sa) status40000() {
	n := ikev1msg.Notify{DOI: 1, Protocol: 1, Type: 40000}
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}})
}

// grab is what a node would send, which does not arrive.
func (w *wire) grab(from *node, f func(s *sa)) (p []byte) {
	old := w.tap
	w.tap = func(_ *node, _ ike.Path, b []byte) bool { p = slices.Clone(b); return false }
	from.say(f)
	w.tap = old
	return p
}

// elsewhere brings a message from an address where nobody is.
func (n *node) elsewhere(port uint16, p []byte) {
	n.event(ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(n.addr, port), Remote: netip.AddrPortFrom(addr("203.0.113.9"), port)}, Packet: p})
}

// wantNothingWaits asserts that nobody waits for what will not come.
func (n *node) wantNothingWaits(t *testing.T) {
	t.Helper()
	for _, p := range n.e.peers {
		if len(p.wants) > 0 {
			t.Errorf("%s: %d wait for %v", n.name, len(p.wants), p.key.addr)
		}
	}
}

// The SA ends during quick mode after messages from elsewhere: whoever waits is told.
func TestSAEndsUnderQuickMode(t *testing.T) {
	w := join(t, 6000, nil)
	w.tap = func(from *node, _ ike.Path, p []byte) bool { return from != w.b || p[18] != ikev1msg.QuickMode }
	w.a.initiate()
	w.run(time.Second)
	w.a.elsewhere(port, w.grab(w.b, (*sa).status40000))
	w.a.elsewhere(port, w.grab(w.b, func(s *sa) { s.end(ike.WhyCleared, true) }))
	w.run(10 * time.Minute)
	if len(w.a.failed) != 1 || len(w.a.e.sas) != 0 {
		t.Errorf("failed %v, %d SAs", w.a.failed, len(w.a.e.sas))
	}
	w.a.wantNothingWaits(t)
}

// An old message moves nothing, however many came after it, and keeps no dead peer alive.
func TestOldMessages(t *testing.T) {
	w := join(t, 6100, func(a, b *ike.Config) { b.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	var old [][]byte
	w.tap = func(from *node, _ ike.Path, b []byte) bool {
		if from == w.a {
			old = append(old, slices.Clone(b))
		}
		return true
	}
	for range 300 {
		w.a.say((*sa).status40000)
		w.run(time.Second)
	}
	w.tap = nil
	path := w.b.children[w.b.active].Path
	w.b.elsewhere(natPort, old[0])
	if got := w.b.children[w.b.active].Path; got != path {
		t.Errorf("an old message moved the peer from %v to %v", path, got)
	}
	w.a.stopped = true
	for _, p := range old {
		w.b.event(ike.Received{Path: path, Packet: p})
		w.run(time.Second)
	}
	if len(w.b.children) != 0 {
		t.Error("old messages keep a dead peer alive")
	}
}

// An SA without NAT is where it is: a message from elsewhere, though authentic, takes it nowhere.
func TestNoMoveWithoutNAT(t *testing.T) {
	w := join(t, 6200, nil)
	w.a.initiate()
	w.run(time.Second)
	path := w.a.e.saList()[0].path
	w.a.elsewhere(port, w.grab(w.b, (*sa).status40000))
	if got := w.a.e.saList()[0].path; got != path {
		t.Errorf("moved to %v", got)
	}
	w.wantUp()
}

// The NAT box gets another address; the next quick mode shows it.
func TestQuickModeFromElsewhere(t *testing.T) {
	w := join(t, 6300, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	w.natA = netip.MustParseAddrPort("198.51.100.8:20000")
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	w.wantUp()
	for id, c := range w.b.children {
		if c.Path.Remote != netip.MustParseAddrPort("198.51.100.8:24500") {
			t.Errorf("child %d: %v", id, c.Path)
		}
	}
	if len(w.b.e.peers) != 1 {
		t.Errorf("%d peers", len(w.b.e.peers))
	}
}

func TestAggressiveModeBehindNAT(t *testing.T) {
	w := join(t, 6400, func(a, b *ike.Config) {
		a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
		a.Protections[0].ISAKMPProfile = "ag"
	})
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Minute)
	w.wantUp()
	if a, b := w.a.e.saList()[0].nat, w.b.e.saList()[0].nat; a != (ike.NAT{Self: true}) || b != (ike.NAT{Peer: true}) {
		t.Errorf("a sees %+v, b sees %+v", a, b)
	}
	if a, b := w.a.children[w.a.active].NAT, w.b.children[w.b.active].NAT; a != (ike.NAT{Self: true}) || b != (ike.NAT{Peer: true}) {
		t.Errorf("by the children a sees %+v, b sees %+v", a, b)
	}
}

// With 4500 taken for 500, a peer that was asked for by the standard port is found behind NAT.
func TestInitiateByPort(t *testing.T) {
	w := join(t, 6500, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(w.b.addr, port)})
	w.run(10 * time.Second)
	w.wantUp()
	w.a.wantNothingWaits(t)
}

// The configuration changes while a child is being made.
func TestReconfigureMeanwhile(t *testing.T) {
	for name, change := range map[string]func(n *node){
		"another source": func(n *node) { n.addr = addr("192.0.2.3"); n.cfg.Protections[0].Local = n.addr },
		"another profile": func(n *node) {
			n.cfg.V1.Profiles = []ike.V1Profile{{Name: "x", Match: []ike.Match{{Kind: ike.IDFQDN, Value: "nobody"}}}}
			n.cfg.Protections[0].ISAKMPProfile = "x"
		},
		"another destination": func(n *node) { n.cfg.Protections[0].Remote = addr("192.0.2.99") },
	} {
		t.Run(name, func(t *testing.T) {
			w := join(t, 6600, nil)
			w.a.initiate()
			w.run(time.Millisecond)
			w.a.cfg.Protections = slices.Clone(w.a.cfg.Protections)
			change(w.a)
			w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
			w.run(10 * time.Minute)
			w.a.wantNothingWaits(t)
		})
	}
	w := join(t, 6700, nil)
	w.a.initiate()
	w.run(time.Second)
	w.a.cfg.Protections = slices.Clone(w.a.cfg.Protections)
	w.a.cfg.Protections[0].Remote = addr("192.0.2.99")
	w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
	w.run(time.Second)
	if len(w.a.children)+len(w.b.children) != 0 {
		t.Error("a child with another than `tunnel destination` stays")
	}
}

// A profile with a trustpoint is for those whom that vouches for.
func TestTrustpointOfProfile(t *testing.T) {
	for _, strict := range []bool{false, true} {
		w := join(t, 6800, withCertificates(t, func(_, b *ike.Config) {
			other := certify(t, rsaKeys[3](), "strict", netip.Addr{}, nil, nil, start.AddDate(0, 0, 5))
			b.Trustpoints = append(b.Trustpoints, ike.Trustpoint{Name: "strict", Roots: []*x509.Certificate{other}, Loaded: start})
			p := ike.V1Profile{Name: "p", Trustpoint: "tp", Match: []ike.Match{{VRF: ike.AnyVRF}}}
			if strict {
				p.Trustpoint = "strict"
			}
			b.V1.Profiles, b.Protections[0].ISAKMPProfile = []ike.V1Profile{p}, "p"
		}))
		w.a.initiate()
		w.run(5 * time.Second)
		if up := len(w.b.children) > 0; up == strict {
			t.Errorf("trustpoint strict: %v, up: %v", strict, up)
		}
	}
}

// The newest authentic packet of a child comes from elsewhere: the child, those beside it, and the IKE SA follow; without NAT nothing does.
func TestMoved(t *testing.T) {
	to := netip.MustParseAddrPort("198.51.100.9:31000")
	w := join(t, 6900, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	if len(w.b.children) != 2 {
		t.Fatalf("%d children", len(w.b.children))
	}
	w.natA = netip.MustParseAddrPort("198.51.100.9:26500")
	w.b.event(ike.Moved{Child: w.b.active, Remote: to})
	for id, c := range w.b.children {
		if c.Path.Remote != to {
			t.Errorf("child %d stays at %v", id, c.Path.Remote)
		}
	}
	if got := w.b.e.saList()[0].path.Remote; got != to || len(w.b.e.peers) != 1 {
		t.Errorf("the SA leads to %v, %d peers", got, len(w.b.e.peers))
	}
	w.b.event(ike.Volume{Child: w.b.active}) // which only arrives by the new mapping
	w.run(time.Second)
	w.wantUp()

	w = join(t, 6950, nil)
	w.a.initiate()
	w.run(time.Second)
	path := w.b.children[w.b.active].Path
	w.b.event(ike.Moved{Child: w.b.active, Remote: to})
	if got := w.b.children[w.b.active].Path; got != path {
		t.Errorf("a child without NAT moved to %v", got)
	}
	w.wantUp()
}
