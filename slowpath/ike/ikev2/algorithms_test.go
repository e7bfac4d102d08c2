package ikev2

import (
	"fmt"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// only has both sides make IKE SAs by one proposal.
func only(p ike.V2Proposal) func(a, b *ike.Config) {
	p.Name = "only"
	return func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.V2.Proposals, c.V2.Policies = []ike.V2Proposal{p}, []ike.V2Policy{{Name: "p", Proposals: []string{"only"}, VRF: ike.AnyVRF}}
		}
	}
}

// upAndAround brings a child up, and rekeys it and the IKE SA from both sides.
func upAndAround(w *wire) {
	w.T.Helper()
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	for _, n := range []*node{w.A, w.B} {
		if n.Active == 0 {
			w.T.Fatalf("nothing is up: %v, failed %+v, b %+v", w.Ladder, w.A.Failed, w.B.Logs)
		}
		before := n.Active
		n.Event(ike.Volume{Child: n.Active})
		w.Run(time.Second)
		w.WantUp()
		if n.Active == before {
			w.T.Errorf("%s: the child was not rekeyed: %v %+v", n.Name, w.Ladder, n.Logs)
		}
		s := n.Engine.all()[0]
		s.rekey()
		n.Do(n.Engine.take())
		w.Run(time.Second)
		w.WantUp()
		if len(w.A.Engine.sas) != 1 || len(w.B.Engine.sas) != 1 || n.Engine.all()[0] == s {
			w.T.Errorf("%s: the IKE SA was not rekeyed: %v %+v", n.Name, w.Ladder, n.Logs)
		}
	}
}

var ikeCiphers = []ike.V2Cipher{
	{Cipher: suite.CipherDES}, {Cipher: suite.Cipher3DES},
	{Cipher: suite.CipherAESCBC, KeyBits: 128}, {Cipher: suite.CipherAESCBC, KeyBits: 192}, {Cipher: suite.CipherAESCBC, KeyBits: 256},
	{Cipher: suite.CipherAESCTR, KeyBits: 128}, {Cipher: suite.CipherAESCTR, KeyBits: 256},
	{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 8}, {Cipher: suite.CipherAESGCM, KeyBits: 192, ICV: 12}, {Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16},
	{Cipher: suite.CipherChaCha20Poly1305},
}

var hashes = []suite.Hash{suite.HashMD5, suite.HashSHA1, suite.HashSHA256, suite.HashSHA384, suite.HashSHA512}

// Every cipher, integrity algorithm and PRF of an IKE SA.
func TestIKEAlgorithms(t *testing.T) {
	for _, c := range ikeCiphers {
		for _, prf := range hashes {
			for _, integrity := range hashes {
				p := ike.V2Proposal{Ciphers: []ike.V2Cipher{c}, PRFs: []suite.Hash{prf}, Integrity: []suite.Hash{integrity}, Groups: []suite.Group{suite.GroupX25519}}
				if c.Cipher.Combined() {
					if integrity != suite.HashMD5 {
						continue
					}
					p.Integrity = nil
				}
				t.Run(fmt.Sprintf("%v%d-%v-%v", c.Cipher, c.KeyBits, integrity, prf), func(t *testing.T) {
					w := join(t, 1, only(p))
					upAndAround(w)
					st := w.B.Engine.all()[0].status()
					if st.Cipher != c.Cipher || st.KeyBits != c.KeyBits || st.PRF != prf || !c.Cipher.Combined() && st.Hash != integrity {
						t.Errorf("%+v", st)
					}
				})
			}
		}
	}
}

var groups = []suite.Group{
	suite.GroupMODP768, suite.GroupMODP1024, suite.GroupMODP1536, suite.GroupMODP2048, suite.GroupMODP3072, suite.GroupMODP4096,
	suite.GroupECP256, suite.GroupECP384, suite.GroupECP521, suite.GroupX25519,
}

// Every group, of the IKE SA and of the child's own key exchange.
func TestGroups(t *testing.T) {
	for _, g := range groups {
		t.Run(g.String(), func(t *testing.T) {
			set := only(ike.V2Proposal{Ciphers: []ike.V2Cipher{{Cipher: suite.CipherDES}}, Integrity: []suite.Hash{suite.HashMD5}, Groups: []suite.Group{g}})
			w := join(t, 2, func(a, b *ike.Config) {
				set(a, b)
				a.Protections[0].PFS, b.Protections[0].PFS = g, g
			})
			upAndAround(w)
			if got := w.A.Children[w.A.Active].PFS; got != g {
				t.Errorf("the child's key exchange is of %v", got)
			}
		})
	}
}

// Every transform set, in both modes, with and without long sequence numbers.
func TestChildAlgorithms(t *testing.T) {
	var sets []ike.Transform
	for _, h := range hashes {
		sets = append(sets, ike.Transform{AH: h})
		for _, c := range []ike.Transform{
			{Cipher: suite.CipherNull}, {Cipher: suite.CipherDES}, {Cipher: suite.Cipher3DES}, {Cipher: suite.CipherAESCBC, KeyBits: 128},
			{Cipher: suite.CipherAESCBC, KeyBits: 192}, {Cipher: suite.CipherAESCBC, KeyBits: 256}, {Cipher: suite.CipherAESCTR, KeyBits: 128}, {Cipher: suite.CipherAESCTR, KeyBits: 256},
		} {
			c.Auth = h
			sets = append(sets, c)
		}
	}
	for _, bits := range []int{128, 192, 256} {
		for _, icv := range []int{8, 12, 16} {
			sets = append(sets, ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: bits, ICV: icv})
		}
		sets = append(sets, ike.Transform{Cipher: suite.CipherAESGMAC, KeyBits: bits})
	}
	sets = append(sets, ike.Transform{Cipher: suite.CipherChaCha20Poly1305}, ike.Transform{Cipher: suite.CipherDES})
	for _, set := range sets {
		for _, tunnel := range []bool{false, true} {
			for _, esn := range []bool{false, true} {
				set.Tunnel, set.ESN = tunnel, esn
				t.Run(fmt.Sprintf("%v %v%d-%v icv %d tunnel %v esn %v", set.AH, set.Cipher, set.KeyBits, set.Auth, set.ICV, tunnel, esn), func(t *testing.T) {
					w := join(t, 3, func(a, b *ike.Config) {
						a.Protections[0].Transforms, b.Protections[0].Transforms = []ike.Transform{set}, []ike.Transform{set}
					})
					upAndAround(w)
					for _, n := range []*node{w.A, w.B} {
						c := n.Children[n.Active]
						if c.Transform != set {
							t.Errorf("%s: negotiated %+v", n.Name, c.Transform)
						}
						p := c.ESP
						if set.AH != suite.HashNone {
							p = c.AH
						}
						enc := 0
						if set.Cipher != suite.CipherNone && set.Cipher != suite.CipherNull {
							enc, _ = suite.KeyLen(set.Cipher, set.KeyBits)
						}
						auth := set.Auth
						if set.AH != suite.HashNone {
							auth = set.AH
						}
						if len(p.In.Cipher) != enc || len(p.In.Auth) != auth.KeyLen() || len(p.Out.Cipher) != enc || p.InSPI == 0 || p.OutSPI == 0 {
							t.Errorf("%s: keys of %d and %d bytes, SPIs %x %x", n.Name, len(p.In.Cipher), len(p.In.Auth), p.InSPI, p.OutSPI)
						}
						if bare := set.Cipher == suite.CipherDES && set.Auth == suite.HashNone; n.Logged(ike.LogUnprotected, ike.WhyNone) != bare {
							t.Errorf("%s: the warning of a child without authentication: want %v", n.Name, bare)
						}
					}
				})
			}
		}
	}
}

// The two sides want different things, and meet where they can.
func TestNegotiation(t *testing.T) {
	gcm := ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16}
	des := ike.Transform{Cipher: suite.CipherDES, Auth: suite.HashMD5}
	with := func(t ike.Transform, f func(*ike.Transform)) ike.Transform { f(&t); return t }
	esn := func(t *ike.Transform) { t.ESN = true }
	tunnel := func(t *ike.Transform) { t.Tunnel = true }
	require := func(t *ike.Transform) { t.Require = true }
	for _, c := range []struct {
		name string
		a, b []ike.Transform
		want *ike.Transform
	}{
		{"the responder's first", []ike.Transform{gcm, des}, []ike.Transform{des, gcm}, &des},
		{"what both have", []ike.Transform{gcm, des}, []ike.Transform{des}, &des},
		{"ESN of one side only", []ike.Transform{with(gcm, esn)}, []ike.Transform{gcm}, &gcm},
		{"ESN of the other side only", []ike.Transform{gcm}, []ike.Transform{with(gcm, esn)}, &gcm},
		{"transport asked, tunnel configured", []ike.Transform{gcm}, []ike.Transform{with(gcm, tunnel)}, ptr(with(gcm, tunnel))},
		{"tunnel asked, transport configured", []ike.Transform{with(gcm, tunnel)}, []ike.Transform{gcm}, ptr(with(gcm, tunnel))},
		{"tunnel asked, transport required", []ike.Transform{with(gcm, tunnel)}, []ike.Transform{with(gcm, require)}, nil},
		{"transport required, tunnel configured", []ike.Transform{with(gcm, require)}, []ike.Transform{with(gcm, tunnel)}, nil},
		{"nothing in common", []ike.Transform{gcm}, []ike.Transform{des}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := join(t, 4, func(a, b *ike.Config) { a.Protections[0].Transforms, b.Protections[0].Transforms = c.a, c.b })
			w.A.Initiate()
			w.Run(time.Second)
			if c.want == nil {
				if len(w.A.Children)+len(w.B.Children) != 0 || len(w.A.Failed) != 1 {
					t.Errorf("children %d and %d, failed %+v", len(w.A.Children), len(w.B.Children), w.A.Failed)
				}
				return
			}
			w.WantUp()
			for _, n := range []*node{w.A, w.B} {
				got := n.Children[n.Active].Transform
				got.Require = false
				if got != *c.want {
					t.Errorf("%s: %+v, want %+v", n.Name, got, *c.want)
				}
			}
		})
	}
}

func ptr[T any](x T) *T { return &x }

// The initiator guesses a group that the responder does not take, and is told.
func TestInvalidKE(t *testing.T) {
	w := join(t, 5, func(a, b *ike.Config) {
		p := ike.V2Proposal{Name: "x", Ciphers: ikeCiphers[9:10], Groups: []suite.Group{suite.GroupMODP2048, suite.GroupECP256}}
		q := p
		q.Groups = []suite.Group{suite.GroupECP256}
		for c, p := range map[*ike.Config]ike.V2Proposal{a: p, b: q} {
			c.V2.Proposals, c.V2.Policies = []ike.V2Proposal{p}, []ike.V2Policy{{Proposals: []string{"x"}, VRF: ike.AnyVRF}}
		}
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.WantLadder("a INIT req 0", "b INIT rsp 0", "a INIT req 0", "b INIT rsp 0", "a AUTH req 1", "b AUTH rsp 1")
	w.WantUp()
	if g := w.A.Engine.all()[0].choice.Group; g != suite.GroupECP256 {
		t.Errorf("group %v", g)
	}
}

// PFS of one side only: a responder without it goes along, one with it insists.
func TestPFSOfOneSide(t *testing.T) {
	for _, side := range []string{"initiator", "responder"} {
		w := join(t, 6, func(a, b *ike.Config) {
			if side == "initiator" {
				a.Protections[0].PFS = suite.GroupECP256
			} else {
				b.Protections[0].PFS = suite.GroupECP256
			}
		})
		w.A.Initiate()
		w.Run(time.Second)
		old := w.A.Active
		w.A.Event(ike.Volume{Child: old})
		w.Run(time.Second)
		w.WantUp()
		if went := w.A.Active != old; went != (side == "initiator") {
			t.Errorf("PFS of the %s: rekeyed %v", side, went)
		}
	}
}
