package ikev1

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

func TestBadWire(t *testing.T) { iketest.BadWire(t, version, busy, 6*time.Minute) }

// Both sides rekey the child at the same moment: one new child is left, and at no time is there none.
func TestRekeyAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 200+seed, nil)
		w.A.Initiate()
		w.Run(time.Second)
		w.A.Event(ike.Volume{Child: w.A.Active})
		w.B.Event(ike.Volume{Child: w.B.Active})
		traffic(w, 5*time.Minute)
		w.WantUp()
		if len(w.A.Children) != 1 || len(w.B.Children) != 1 {
			t.Fatalf("seed %d: %d and %d children stay: %v", seed, len(w.A.Children), len(w.B.Children), w.Ladder)
		}
	}
}

// Both sides start at the same moment: both have a way to send that the other takes.
func TestStartAtOnce(t *testing.T) {
	w := join(t, 500, nil)
	w.A.Initiate()
	w.B.Initiate()
	w.Run(10 * time.Second)
	w.WantUp()
	traffic(w, 30*time.Hour)
	w.WantUp()
	if len(w.A.Engine.sas) > 2 || len(w.A.Engine.children) > 2 {
		t.Errorf("%d SAs and %d children stay", len(w.A.Engine.sas), len(w.A.Engine.children))
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
	w.A.Initiate()
	w.Run(time.Second)
	n := 0
	for w.A.Engine.stats.ChildrenRekeyed < 10_000 {
		n += traffic(w, 24*time.Hour)
	}
	t.Logf("%d child rekeys and %d of the IKE SA in %v of virtual time; %d checks, no packet lost",
		w.A.Engine.stats.ChildrenRekeyed, w.A.Engine.stats.Rekeyed, w.Now.Sub(iketest.Start).Round(time.Hour), n)
	if w.A.Engine.stats.Rekeyed+w.B.Engine.stats.Rekeyed < 100 {
		t.Errorf("the IKE SA was rekeyed %d times", w.A.Engine.stats.Rekeyed)
	}
}

func TestNAT(t *testing.T) { iketest.NAT(t, version) }

// Every cipher, hash and group of phase 1, and every kind of child, both modes, with and without PFS.
func TestAlgorithms(t *testing.T) {
	seed := uint64(2000)
	up := func(name string, change func(c *ike.Config)) {
		seed++
		t.Run(name, func(t *testing.T) {
			w := join(t, seed, func(a, b *ike.Config) { change(a); change(b) })
			w.A.Initiate()
			w.Run(5 * time.Second)
			w.WantUp()
			w.B.Event(ike.Volume{Child: w.B.Active})
			w.Run(5 * time.Second)
			w.WantUp()
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

func TestInitialContact(t *testing.T) { iketest.InitialContact(t, version) }

func TestRefusals(t *testing.T) {
	iketest.Refusals(t, version, []iketest.Refusal{
		{Name: "other policy", Change: func(a, b *ike.Config) {
			b.V1.Policies = []ike.V1Policy{{Cipher: suite.Cipher3DES, Group: 2}}
		}, Why: ike.WhyNoProposal},
		{Name: "other cipher for the child", Change: func(a, b *ike.Config) {
			b.Protections[0].Transforms = []ike.Transform{{Cipher: suite.Cipher3DES, Auth: suite.HashMD5}}
		}, Why: ike.WhyNoProposal},
		{Name: "PFS wanted and not offered", Change: func(a, b *ike.Config) { b.Protections[0].PFS = 2 }, Why: ike.WhyNoProposal},
		{Name: "not for this peer", Change: func(a, b *ike.Config) {
			b.Protections[0].Peers = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, Why: ike.WhyNoProposal},
		{Name: "no key", Change: func(a, b *ike.Config) { a.Keyrings[0].Keys = nil }, Why: ike.WhyNoKey},
		{Name: "required mode", Change: func(a, b *ike.Config) {
			a.Protections[0].Transforms[0].Tunnel, b.Protections[0].Transforms[0].Require = true, true
		}, Why: ike.WhyNoProposal},
	})
}

// Under a flood of first messages those who are there still come up, and what is half-open goes.
func TestFlood(t *testing.T) {
	w := join(t, 1000, func(a, b *ike.Config) { b.Admission.InNegotiation = 50 })
	w.B.Engine.env.Admission.InNegotiation, w.B.Engine.env.Admission.Limits = 0, w.B.Config.Admission
	w.Flood(500)
	if n := len(w.B.Engine.sas); n > 50 {
		t.Errorf("%d half-open SAs", n)
	}
	w.Run(90 * time.Second)
	w.WantUp()
	if len(w.B.Engine.sas) != 1 || w.B.Engine.env.Admission.InNegotiation != 0 {
		t.Errorf("%d SAs stay", len(w.B.Engine.sas))
	}
}

func TestMutilated(t *testing.T) { iketest.Mutilated(t, version) }

// An error that nobody vouches for ends nothing.
func TestForgedError(t *testing.T) {
	w := join(t, 1200, nil)
	forge := func(n *node, p ike.Path, i, r ikemsg.SPI, typ uint8, body []byte) {
		h := ikemsg.Header{Initiator: i, Responder: r, Version: ikemsg.Version1, Exchange: ikev1msg.Informational, MessageID: 77}
		n.Event(ike.Received{Path: p, Packet: assemble(h, []ikemsg.Payload{{Type: typ, Body: body}})})
	}
	no := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: 1, Type: ikev1msg.NotifyNoProposalChosen}
	w.Tap = func(from *node, p ike.Path, b []byte) bool {
		if h, _ := ikemsg.ParseHeader(b); from == w.A {
			forge(w.A, p, h.Initiator, h.Responder, ikev1msg.PayloadNotify, no.Append(nil))
		}
		return true
	}
	w.A.Initiate()
	w.Run(5 * time.Second)
	w.WantUp()
	w.Tap = nil
	s := w.A.Engine.saList()[0]
	d := ikev1msg.Delete{DOI: ikev1msg.DOIIPsec, Protocol: 1, Size: 16, SPIs: slices.Concat(s.ci[:], s.cr[:])}
	forge(w.A, s.path, s.ci, s.cr, ikev1msg.PayloadDelete, d.Append(nil))
	w.Run(time.Second)
	if s.state != established {
		t.Error("a delete in clear ended an SA")
	}
	w.WantUp()
}

// The IKE SA ends and the children stay; what has to be said then is said on a new one.
func TestChildrenOutliveTheSA(t *testing.T) {
	w := join(t, 1250, nil)
	w.A.Initiate()
	w.Run(time.Second)
	child := w.A.Active
	s := w.A.Engine.saList()[0]
	w.A.Engine.begin(w.Now)
	s.end(ike.WhyExpired, true)
	w.A.Do(w.A.Engine.end())
	w.Run(time.Second)
	if len(w.A.Engine.sas)+len(w.B.Engine.sas) != 0 || w.A.Active != child {
		t.Errorf("%d and %d SAs, child %d", len(w.A.Engine.sas), len(w.B.Engine.sas), w.A.Active)
	}
	w.WantUp()
	w.B.Event(ike.Volume{Child: w.B.Active})
	w.Run(5 * time.Second)
	w.WantUp()
	if w.A.Active == child {
		t.Error("the child was not rekeyed on a new SA")
	}
}

func TestReleaseAndReconfigure(t *testing.T) { iketest.Release(t, version) }
