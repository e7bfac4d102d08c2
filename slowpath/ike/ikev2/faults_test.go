package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

func TestBadWire(t *testing.T) { iketest.BadWire(t, version, (*wire).Run, 4*time.Minute) }

func TestInitialContact(t *testing.T) { iketest.InitialContact(t, version) }

func TestRefusals(t *testing.T) {
	iketest.Refusals(t, version, []iketest.Refusal{
		{Name: "other cipher for IKE", Change: func(a, b *ike.Config) {
			b.V2.Proposals = []ike.V2Proposal{{Name: "x", Ciphers: []ike.V2Cipher{{Cipher: suite.Cipher3DES}}, Integrity: []suite.Hash{suite.HashSHA1}, Groups: []suite.Group{suite.GroupMODP1024}}}
			b.V2.Policies = []ike.V2Policy{{Proposals: []string{"x"}, VRF: ike.AnyVRF}}
		}, Why: ike.WhyNoProposal},
		{Name: "other cipher for the child", Change: func(a, b *ike.Config) {
			b.Protections[0].Transforms = []ike.Transform{{Cipher: suite.CipherDES, Auth: suite.HashMD5}}
		}, Why: ike.WhyNoProposal},
		{Name: "wrong identity", Change: func(a, b *ike.Config) {
			b.V2.Profiles[0].Match = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, Why: ike.WhyAuthentication},
		{Name: "wrong identity of the responder", Change: func(a, b *ike.Config) {
			a.V2.Profiles[0].Match = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, Why: ike.WhyIdentity},
		{Name: "no protection", Change: func(a, b *ike.Config) { b.Protections = nil }, Why: ike.WhyNoProposal},
		{Name: "not for this peer", Change: func(a, b *ike.Config) {
			b.Protections[0].Peers = []ike.Match{{Kind: ike.IDFQDN, Value: "nobody", VRF: ike.AnyVRF}}
		}, Why: ike.WhyNoProposal},
		{Name: "no key", Change: func(a, b *ike.Config) { a.Keyrings[0].Keys = nil }, Why: ike.WhyNoKey},
		{Name: "bundle", Change: func(a, b *ike.Config) {
			a.Protections[0].Transforms = []ike.Transform{{AH: suite.HashSHA1, Cipher: suite.Cipher3DES}}
		}, Why: ike.WhyPolicy},
	})
}

// Under a flood of first messages initiators have to show where they are, and those who do come up.
func TestCookies(t *testing.T) {
	w := join(t, 1000, func(a, b *ike.Config) { b.V2.Cookies = 5 })
	w.Flood(200)
	if n := len(w.B.Engine.half); n != 5 {
		t.Errorf("%d half-open SAs", n)
	}
	w.Run(time.Second)
	w.WantUp()
	if w.Ladder[0] != "a INIT req 0" || w.Ladder[2] != "a INIT req 0" {
		t.Errorf("no cookie was asked for: %v", w.Ladder)
	}
	w.Run(time.Minute)
	if len(w.B.Engine.half) != 0 || w.B.Engine.env.Admission.InNegotiation != 0 {
		t.Errorf("%d half-open SAs stay", len(w.B.Engine.half))
	}
}

func TestMutilated(t *testing.T) { iketest.Mutilated(t, version) }

// An error that nobody vouches for ends nothing.
func TestForgedError(t *testing.T) {
	w := join(t, 1200, nil)
	forged := false
	w.Tap = func(from *node, p ike.Path, b []byte) bool {
		if from == w.A && !forged {
			forged = true
			h, _ := ikemsg.ParseHeader(b)
			h.Flags = ikev2msg.FlagResponse
			no := ikev2msg.Clear(h, []ikev2msg.Out{notify(ikev2msg.NoProposalChosen, nil)})
			w.A.Event(ike.Received{Path: p, Packet: no})
		}
		return true
	}
	w.A.Initiate()
	w.Run(5 * time.Second)
	w.WantUp()
	// The same to a delete in clear of an SA that is up.
	s := w.A.Engine.all()[0]
	h := s.header(ikev2msg.ExchangeInformational, s.nextRecv, false)
	h.Flags = 0
	del := ikev2msg.Clear(h, []ikev2msg.Out{{Type: ikev2msg.PayloadDelete, Body: ikev2msg.Delete{Protocol: ikev2msg.ProtoIKE}.Append(nil)}})
	w.A.Event(ike.Received{Path: s.path, Packet: del})
	w.Run(time.Second)
	w.WantUp()
}

func TestClearChildren(t *testing.T) {
	w := join(t, 1300, nil)
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Event(ike.Clear{Children: true})
	w.Run(time.Second)
	if len(w.A.Children)+len(w.B.Children) != 0 || len(w.A.Engine.sas) != 1 {
		t.Errorf("%d and %d children, %d SAs", len(w.A.Children), len(w.B.Children), len(w.A.Engine.sas))
	}
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
}

func TestReleaseAndReconfigure(t *testing.T) { iketest.Release(t, version) }
