package ikev2

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// On a wire that loses, doubles and reorders packets they come up, rekey, and end in agreement.
func TestBadWire(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 100+seed, func(a, b *ike.Config) { // without it a side that gives up would not be noticed
			a.V2.DPD, b.V2.DPD = ike.Keepalive{Interval: 20 * time.Second}, ike.Keepalive{Interval: 20 * time.Second}
		})
		w.loss, w.dup, w.jitter = 0.25, 0.2, 300*time.Millisecond
		w.a.initiate()
		w.run(90 * time.Second)
		if w.a.active == 0 { // a lost handshake ends in time, and another can be made
			w.a.initiate()
			w.run(90 * time.Second)
		}
		for range 3 {
			if w.a.active != 0 {
				w.a.event(ike.Volume{Child: w.a.active})
			}
			if w.b.active != 0 {
				w.b.event(ike.Volume{Child: w.b.active})
			}
			w.run(90 * time.Second)
		}
		w.loss, w.dup, w.jitter = 0, 0, 0
		w.run(4 * time.Minute)
		if w.a.active == 0 {
			w.a.initiate()
			w.run(time.Second)
		}
		w.wantUp()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A peer that starts afresh has its old SAs forgotten, and nobody else's.
func TestInitialContact(t *testing.T) {
	w := join(t, 800, nil)
	w.a.initiate()
	w.run(time.Second)
	old := w.b.active
	w.a.e = New(ike.NewEnv(newChaos(801), 801))
	w.a.children, w.a.active = map[ike.ChildID]*ike.Child{}, 0
	w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	if w.b.removed[old] != ike.WhyInitialContact || len(w.b.e.sas) != 1 {
		t.Errorf("removed %v, %d SAs", w.b.removed, len(w.b.e.sas))
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a, b *ike.Config)
		why    ike.Why
	}{
		{"other cipher for IKE", func(a, b *ike.Config) {
			b.V2.Proposals = []ike.V2Proposal{{Name: "x", Ciphers: []ike.V2Cipher{{Cipher: suite.Cipher3DES}}, Integrity: []suite.Hash{suite.HashSHA1}, Groups: []suite.Group{suite.GroupMODP1024}}}
			b.V2.Policies = []ike.V2Policy{{Proposals: []string{"x"}, VRF: ike.AnyVRF}}
		}, ike.WhyNoProposal},
		{"other cipher for the child", func(a, b *ike.Config) {
			b.Protections[0].Transforms = []ike.Transform{{Cipher: suite.CipherDES, Auth: suite.HashMD5}}
		}, ike.WhyNoProposal},
		{"wrong identity", func(a, b *ike.Config) {
			b.V2.Profiles[0].Match = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, ike.WhyAuthentication},
		{"wrong identity of the responder", func(a, b *ike.Config) {
			a.V2.Profiles[0].Match = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, ike.WhyIdentity},
		{"no protection", func(a, b *ike.Config) { b.Protections = nil }, ike.WhyNoProposal},
		{"not for this peer", func(a, b *ike.Config) {
			b.Protections[0].Peers = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, ike.WhyNoProposal},
		{"no key", func(a, b *ike.Config) { a.Keyrings[0].Keys = nil }, ike.WhyNoKey},
		{"bundle", func(a, b *ike.Config) {
			a.Protections[0].Transforms = []ike.Transform{{AH: suite.HashSHA1, Cipher: suite.Cipher3DES}}
		}, ike.WhyPolicy},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := join(t, 900, c.change)
			w.a.initiate()
			w.run(2 * time.Minute)
			if len(w.a.failed) != 1 || w.a.failed[0].Why != c.why {
				t.Errorf("failed: %+v, want %v", w.a.failed, c.why)
			}
			if len(w.a.children)+len(w.b.children) != 0 {
				t.Error("a child came up")
			}
			w.run(2 * time.Minute)
			if a := w.a.e.env.Admission; a.InNegotiation != 0 || a.SAs != len(w.a.e.sas) {
				t.Errorf("admission counts %d and %d, and there are %d SAs", a.SAs, a.InNegotiation, len(w.a.e.sas))
			}
		})
	}
}

// Under a flood of first messages initiators have to show where they are, and those who do come up.
func TestCookies(t *testing.T) {
	w := join(t, 1000, func(a, b *ike.Config) { b.V2.Cookies = 5 })
	var first []byte
	w.tap = func(from *node, _ ike.Path, p []byte) bool {
		if first == nil {
			first = slices.Clone(p)
		}
		return true
	}
	w.a.initiate()
	for i := range 200 {
		p := slices.Clone(first)
		p[0], p[1] = byte(i), 0xee
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 500)
		w.b.e.Handle(w.now, ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, 500), Remote: from}, Packet: p})
	}
	if n := len(w.b.e.half); n != 5 {
		t.Errorf("%d half-open SAs", n)
	}
	w.run(time.Second)
	w.wantUp()
	if w.ladder[0] != "a INIT req 0" || w.ladder[2] != "a INIT req 0" {
		t.Errorf("no cookie was asked for: %v", w.ladder)
	}
	w.run(time.Minute)
	if len(w.b.e.half) != 0 || w.b.e.env.Admission.InNegotiation != 0 {
		t.Errorf("%d half-open SAs stay", len(w.b.e.half))
	}
}

// Whatever is done to messages on their way, an SA that is up stays up, and nothing panics.
func TestMutilated(t *testing.T) {
	w := join(t, 1100, nil)
	var seen [][]byte
	w.tap = func(_ *node, _ ike.Path, p []byte) bool {
		seen = append(seen, slices.Clone(p))
		return true
	}
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	before := fmt.Sprint(w.a.active, w.b.active, len(w.a.children), len(w.b.children))
	w.tap = nil
	throw := func(p []byte) {
		for _, n := range []*node{w.a, w.b} {
			for _, port := range []uint16{portIKE, portNATT} {
				n.do(n.e.Handle(w.now, ike.Received{
					Path: ike.Path{Local: netip.AddrPortFrom(n.addr, port), Remote: netip.AddrPortFrom(w.other(n).addr, port)}, Packet: p,
				}))
			}
		}
	}
	for _, p := range seen {
		throw(p) // replayed, and reflected
		for n := range p {
			throw(p[:n])
		}
		for range 300 {
			q := slices.Clone(p)
			for range 1 + w.rand.IntN(3) {
				q[w.rand.IntN(len(q))] ^= byte(1 << w.rand.IntN(8))
			}
			throw(q)
		}
	}
	w.flights = nil
	if got := fmt.Sprint(w.a.active, w.b.active, len(w.a.children), len(w.b.children)); got != before {
		t.Errorf("state %s, before %s", got, before)
	}
	w.a.event(ike.Volume{Child: w.a.active})
	w.run(time.Second)
	w.wantUp()
}

// An error that nobody vouches for ends nothing.
func TestForgedError(t *testing.T) {
	w := join(t, 1200, nil)
	forged := false
	w.tap = func(from *node, p ike.Path, b []byte) bool {
		if from == w.a && !forged {
			forged = true
			h, _ := ikemsg.ParseHeader(b)
			h.Flags = ikev2msg.FlagResponse
			no := ikev2msg.Clear(h, []ikev2msg.Out{notify(ikev2msg.NoProposalChosen, nil)})
			w.a.event(ike.Received{Path: p, Packet: no})
		}
		return true
	}
	w.a.initiate()
	w.run(5 * time.Second)
	w.wantUp()
	// The same to a delete in clear of an SA that is up.
	s := w.a.e.all()[0]
	h := s.header(ikev2msg.ExchangeInformational, s.nextRecv, false)
	h.Flags = 0
	del := ikev2msg.Clear(h, []ikev2msg.Out{{Type: ikev2msg.PayloadDelete, Body: ikev2msg.Delete{Protocol: ikev2msg.ProtoIKE}.Append(nil)}})
	w.a.event(ike.Received{Path: s.path, Packet: del})
	w.run(time.Second)
	w.wantUp()
}

func TestClearChildrenAndReconfigure(t *testing.T) {
	w := join(t, 1300, nil)
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Clear{Children: true})
	w.run(time.Second)
	if len(w.a.children)+len(w.b.children) != 0 || len(w.a.e.sas) != 1 {
		t.Errorf("%d and %d children, %d SAs", len(w.a.children), len(w.b.children), len(w.a.e.sas))
	}
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	// A change of something else leaves all as it is; the end of the protection ends the SA, on both sides.
	active := w.a.active
	w.a.cfg.NATKeepalive = time.Minute
	w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
	if w.a.active != active {
		t.Error("an unrelated change took the child away")
	}
	w.a.cfg.Protections = nil
	w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
	w.run(time.Second)
	if len(w.a.children)+len(w.b.children)+len(w.a.e.sas)+len(w.b.e.sas) != 0 {
		t.Error("something stays without a protection")
	}
}

// Release takes down what leads to the peer, a negotiation under way too.
func TestRelease(t *testing.T) {
	w := join(t, 1400, nil)
	w.b.stopped = true
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(w.b.addr, 0)})
	if len(w.a.e.sas) != 0 || w.a.e.env.Admission.InNegotiation != 0 {
		t.Error("the negotiation goes on")
	}
	w.b.stopped = false
	w.a.initiate()
	w.run(time.Second)
	w.a.event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(w.b.addr, 0)})
	w.run(time.Second)
	if len(w.a.e.sas)+len(w.b.e.sas)+len(w.a.children)+len(w.b.children) != 0 {
		t.Error("something stays")
	}
}
