package ikev1

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// On a wire that loses, doubles and reorders packets they come up, rekey, and end in agreement.
func TestBadWire(t *testing.T) {
	for seed := range uint64(40) {
		w := join(t, 100+seed, func(a, b *ike.Config) {
			a.V1.Keepalive, b.V1.Keepalive = ike.Keepalive{Interval: 20 * time.Second}, ike.Keepalive{Interval: 20 * time.Second}
		})
		w.loss, w.dup, w.jitter = 0.25, 0.2, 300*time.Millisecond
		w.a.initiate()
		w.busy(90 * time.Second)
		if w.a.active == 0 {
			w.a.initiate()
			w.busy(90 * time.Second)
		}
		for range 3 {
			for _, n := range []*node{w.a, w.b} {
				if n.active != 0 {
					n.event(ike.Volume{Child: n.active})
				}
			}
			w.busy(90 * time.Second)
		}
		w.loss, w.dup, w.jitter = 0, 0, 0
		w.busy(6 * time.Minute)
		if w.a.active == 0 {
			w.a.initiate()
			w.busy(time.Second)
		}
		w.wantUp()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// busy runs with traffic in both directions, which shows each side what the other uses.
func (w *wire) busy(d time.Duration) {
	for limit := w.now.Add(d); w.step(limit); {
		w.use()
	}
}

// Both sides rekey the child at the same moment: one new child is left, and at no time is there none.
func TestRekeyAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 200+seed, nil)
		w.a.initiate()
		w.run(time.Second)
		w.a.event(ike.Volume{Child: w.a.active})
		w.b.event(ike.Volume{Child: w.b.active})
		w.traffic(5 * time.Minute)
		w.wantUp()
		if len(w.a.children) != 1 || len(w.b.children) != 1 {
			t.Fatalf("seed %d: %d and %d children stay: %v", seed, len(w.a.children), len(w.b.children), w.ladder)
		}
	}
}

// Both sides start at the same moment: both have a way to send that the other takes.
func TestStartAtOnce(t *testing.T) {
	w := join(t, 500, nil)
	w.a.initiate()
	w.b.initiate()
	w.run(10 * time.Second)
	w.wantUp()
	w.traffic(30 * time.Hour)
	w.wantUp()
	if len(w.a.e.sas) > 2 || len(w.a.e.children) > 2 {
		t.Errorf("%d SAs and %d children stay", len(w.a.e.sas), len(w.a.e.children))
	}
}

// traffic asserts, whenever anything happens, that what either side sends by arrives at an SA that the other has.
func (w *wire) traffic(d time.Duration) (checks int) {
	limit := w.now.Add(d)
	for w.step(limit) {
		for _, n := range []*node{w.a, w.b} {
			if err := w.paired(n); err != nil {
				w.t.Fatalf("after %v: %v\n%v", w.now.Sub(start), err, w.ladder[max(0, len(w.ladder)-20):])
			}
			checks++
		}
		if len(w.ladder) > 100 {
			w.ladder = w.ladder[50:]
		}
		w.use()
	}
	return checks
}

// use is a packet in each direction: it is heard on the child that it came by.
func (w *wire) use() {
	for _, n := range []*node{w.a, w.b} {
		c := n.children[n.active]
		if c == nil {
			continue
		}
		for id, o := range w.other(n).children {
			if o.ESP.InSPI == c.ESP.OutSPI {
				w.other(n).event(ike.Heard{Child: id})
			}
		}
	}
}

// Ten thousand rekeys lose no packet.
func TestTenThousandRekeys(t *testing.T) {
	w := join(t, 600, func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.Protections[0].Lifetime = 5 * time.Minute
			c.V1.Policies[0].Lifetime = time.Hour
		}
	})
	w.a.initiate()
	w.run(time.Second)
	n := 0
	for w.a.e.stats.ChildrenRekeyed < 10_000 {
		n += w.traffic(24 * time.Hour)
	}
	t.Logf("%d child rekeys and %d of the IKE SA in %v of virtual time; %d checks, no packet lost",
		w.a.e.stats.ChildrenRekeyed, w.a.e.stats.Rekeyed, w.now.Sub(start).Round(time.Hour), n)
	if w.a.e.stats.Rekeyed+w.b.e.stats.Rekeyed < 100 {
		t.Errorf("the IKE SA was rekeyed %d times", w.a.e.stats.Rekeyed)
	}
}

func TestNAT(t *testing.T) {
	w := join(t, 700, nil)
	w.natA = netip.MustParseAddrPort("198.51.100.7:10000")
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
	cb := w.b.children[w.b.active]
	if !cb.Encap || cb.Path.Remote != netip.MustParseAddrPort("198.51.100.7:14500") || cb.Claimed != w.a.addr {
		t.Errorf("b's child %+v claimed %v", cb.Path, cb.Claimed)
	}
	if ca := w.a.children[w.a.active]; !ca.Encap || ca.Path.Local.Port() != natPort {
		t.Errorf("a's child %+v", ca.Path)
	}
	w.run(70 * time.Second)
	if w.a.keepaliv < 3 || w.b.keepaliv != 0 {
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
}

// Every cipher, hash and group of phase 1, and every kind of child, both modes, with and without PFS.
func TestAlgorithms(t *testing.T) {
	seed := uint64(2000)
	up := func(name string, change func(c *ike.Config)) {
		seed++
		t.Run(name, func(t *testing.T) {
			w := join(t, seed, func(a, b *ike.Config) { change(a); change(b) })
			w.a.initiate()
			w.run(5 * time.Second)
			w.wantUp()
			w.b.event(ike.Volume{Child: w.b.active})
			w.run(5 * time.Second)
			w.wantUp()
		})
	}
	for _, c := range []struct {
		cipher suite.Cipher
		bits   int
	}{{suite.CipherDES, 0}, {suite.Cipher3DES, 0}, {suite.CipherAESCBC, 128}, {suite.CipherAESCBC, 192}, {suite.CipherAESCBC, 256}} {
		for _, h := range []suite.Hash{suite.HashMD5, suite.HashSHA1, suite.HashSHA256, suite.HashSHA384, suite.HashSHA512} {
			up(fmt.Sprint(c.cipher, c.bits, h), func(k *ike.Config) {
				k.V1.Policies = []ike.V1Policy{{Cipher: c.cipher, KeyBits: c.bits, Hash: h, Group: suite.GroupX25519}}
			})
		}
	}
	for _, g := range []suite.Group{1, 2, 5, 14, 15, 16, 19, 20, 21, 31} {
		up("group "+g.String(), func(k *ike.Config) {
			k.V1.Policies = []ike.V1Policy{{Group: g}}
			k.Protections[0].PFS = g
		})
	}
	for _, tr := range []ike.Transform{
		{Cipher: suite.CipherNull, Auth: suite.HashSHA1}, {Cipher: suite.CipherDES}, {Cipher: suite.CipherDES, Auth: suite.HashMD5}, {Cipher: suite.Cipher3DES, Auth: suite.HashSHA1},
		{Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA256}, {Cipher: suite.CipherAESCBC, KeyBits: 256, Auth: suite.HashSHA512},
		{Cipher: suite.CipherAESCTR, KeyBits: 192, Auth: suite.HashSHA384}, {Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 8}, {Cipher: suite.CipherAESGCM, KeyBits: 192, ICV: 12},
		{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}, {Cipher: suite.CipherAESGMAC, KeyBits: 128}, {AH: suite.HashMD5}, {AH: suite.HashSHA1},
		{AH: suite.HashSHA256, Cipher: suite.CipherAESCBC, KeyBits: 128}, {Tunnel: true, Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1},
	} {
		up(fmt.Sprintf("%+v", tr), func(k *ike.Config) { k.Protections[0].Transforms = []ike.Transform{tr} })
	}
}

// A peer that starts afresh has its old SAs forgotten.
func TestInitialContact(t *testing.T) {
	w := join(t, 800, nil)
	w.a.initiate()
	w.run(time.Second)
	old := w.b.active
	w.a.e = New(ike.NewEnv(newChaos(801), 801))
	w.a.children, w.a.active = map[ike.ChildID]*ike.Child{}, 0
	w.a.do(w.a.e.Configure(w.now, &w.a.cfg))
	w.run(time.Second)
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
		{"other policy", func(a, b *ike.Config) {
			b.V1.Policies = []ike.V1Policy{{Cipher: suite.Cipher3DES, Group: 2}}
		}, ike.WhyNoProposal},
		{"other cipher for the child", func(a, b *ike.Config) {
			b.Protections[0].Transforms = []ike.Transform{{Cipher: suite.Cipher3DES, Auth: suite.HashMD5}}
		}, ike.WhyNoProposal},
		{"PFS wanted and not offered", func(a, b *ike.Config) { b.Protections[0].PFS = 2 }, ike.WhyNoProposal},
		{"not for this peer", func(a, b *ike.Config) {
			b.Protections[0].Peers = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, ike.WhyNoProposal},
		{"no key", func(a, b *ike.Config) { a.Keyrings[0].Keys = nil }, ike.WhyNoKey},
		{"required mode", func(a, b *ike.Config) {
			a.Protections[0].Transforms[0].Tunnel, b.Protections[0].Transforms[0].Require = true, true
		}, ike.WhyNoProposal},
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
			for _, n := range []*node{w.a, w.b} {
				if a := n.e.env.Admission; a.InNegotiation != 0 || a.SAs != len(n.e.sas) {
					t.Errorf("%s: admission counts %d and %d, and there are %d SAs", n.name, a.SAs, a.InNegotiation, len(n.e.sas))
				}
			}
		})
	}
}

// Under a flood of first messages those who are there still come up, and what is half-open goes.
func TestFlood(t *testing.T) {
	w := join(t, 1000, func(a, b *ike.Config) { b.Admission.InNegotiation = 50 })
	w.b.e.env.Admission.InNegotiation, w.b.e.env.Admission.Limits = 0, w.b.cfg.Admission
	var first []byte
	w.tap = func(_ *node, _ ike.Path, p []byte) bool {
		if first == nil {
			first = slices.Clone(p)
		}
		return true
	}
	w.a.initiate()
	for i := range 500 {
		p := slices.Clone(first)
		p[0], p[1] = byte(i), byte(i>>8)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 500)
		w.b.e.Handle(w.now, ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.b.addr, 500), Remote: from}, Packet: p})
	}
	if n := len(w.b.e.sas); n > 50 {
		t.Errorf("%d half-open SAs", n)
	}
	w.run(90 * time.Second)
	w.wantUp()
	if len(w.b.e.sas) != 1 || w.b.e.env.Admission.InNegotiation != 0 {
		t.Errorf("%d SAs stay", len(w.b.e.sas))
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
	w.run(2 * time.Second)
	before := fmt.Sprint(w.a.active, w.b.active, len(w.a.children), len(w.b.children))
	w.tap = nil
	throw := func(p []byte) {
		for _, n := range []*node{w.a, w.b} {
			for _, pt := range []uint16{port, natPort} {
				n.do(n.e.Handle(w.now, ike.Received{
					Path: ike.Path{Local: netip.AddrPortFrom(n.addr, pt), Remote: netip.AddrPortFrom(w.other(n).addr, pt)}, Packet: p,
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
	w.run(10 * time.Second)
	w.wantUp()
}

// An error that nobody vouches for ends nothing.
func TestForgedError(t *testing.T) {
	w := join(t, 1200, nil)
	forge := func(n *node, p ike.Path, i, r ikemsg.SPI, typ uint8, body []byte) {
		h := ikemsg.Header{Initiator: i, Responder: r, Version: ikemsg.Version1, Exchange: ikev1msg.Informational, MessageID: 77}
		n.event(ike.Received{Path: p, Packet: assemble(h, []ikemsg.Payload{{Type: typ, Body: body}})})
	}
	no := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: 1, Type: ikev1msg.NotifyNoProposalChosen}
	w.tap = func(from *node, p ike.Path, b []byte) bool {
		if h, _ := ikemsg.ParseHeader(b); from == w.a {
			forge(w.a, p, h.Initiator, h.Responder, ikev1msg.PayloadNotify, no.Append(nil))
		}
		return true
	}
	w.a.initiate()
	w.run(5 * time.Second)
	w.wantUp()
	w.tap = nil
	s := w.a.e.saList()[0]
	d := ikev1msg.Delete{DOI: ikev1msg.DOIIPsec, Protocol: 1, Size: 16, SPIs: slices.Concat(s.ci[:], s.cr[:])}
	forge(w.a, s.path, s.ci, s.cr, ikev1msg.PayloadDelete, d.Append(nil))
	w.run(time.Second)
	if s.state != established {
		t.Error("a delete in clear ended an SA")
	}
	w.wantUp()
}

// The IKE SA ends and the children stay; what has to be said then is said on a new one.
func TestChildrenOutliveTheSA(t *testing.T) {
	w := join(t, 1250, nil)
	w.a.initiate()
	w.run(time.Second)
	child := w.a.active
	s := w.a.e.saList()[0]
	w.a.e.begin(w.now)
	s.end(ike.WhyExpired, true)
	w.a.do(w.a.e.end())
	w.run(time.Second)
	if len(w.a.e.sas)+len(w.b.e.sas) != 0 || w.a.active != child {
		t.Errorf("%d and %d SAs, child %d", len(w.a.e.sas), len(w.b.e.sas), w.a.active)
	}
	w.wantUp()
	w.b.event(ike.Volume{Child: w.b.active})
	w.run(5 * time.Second)
	w.wantUp()
	if w.a.active == child {
		t.Error("the child was not rekeyed on a new SA")
	}
}

func TestReleaseAndReconfigure(t *testing.T) {
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
	w.run(5 * time.Second)
	if len(w.a.e.sas)+len(w.b.e.sas)+len(w.a.children)+len(w.b.children) != 0 {
		t.Errorf("something stays: SAs %d %d, children %d %d", len(w.a.e.sas), len(w.b.e.sas), len(w.a.children), len(w.b.children))
	}
	w.a.initiate()
	w.run(time.Second)
	w.wantUp()
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
