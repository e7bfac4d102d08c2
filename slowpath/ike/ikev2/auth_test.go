package ikev2

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
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

// proof is how a side of TestAuthentication proves who it is.
type proof struct {
	name   string
	method ike.AuthMethod
	key    func(testing.TB, int) crypto.Signer
}

var proofs = []proof{
	{"psk", ike.AuthPSK, nil},
	{"rsa", ike.AuthRSA, func(_ testing.TB, side int) crypto.Signer { return rsaKeys[side]() }},
	{"ecdsa256", ike.AuthECDSA, func(t testing.TB, _ int) crypto.Signer { return ecKey(t, elliptic.P256()) }},
	{"ecdsa384", ike.AuthECDSA, func(t testing.TB, _ int) crypto.Signer { return ecKey(t, elliptic.P384()) }},
	{"ecdsa521", ike.AuthECDSA, func(t testing.TB, _ int) crypto.Signer { return ecKey(t, elliptic.P521()) }},
}

// certified makes a host of an authority prove itself so.
func (p proof) certified(t testing.TB, c *ike.Config, root *issuer, side int) {
	c.V2.Profiles[0].AuthLocal = p.method
	c.Trustpoints = []ike.Trustpoint{trust(root, nil)}
	if p.key != nil {
		host := root.issue(t, p.key(t, side), fmt.Sprint("host", side), c.Protections[0].Local, nil)
		c.Trustpoints = []ike.Trustpoint{trust(root, host)}
	}
}

// Every kind of proof against every other.
func TestAuthentication(t *testing.T) {
	root := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "root", netip.Addr{}, nil)
	for _, pa := range proofs {
		for _, pb := range proofs {
			t.Run(pa.name+"-"+pb.name, func(t *testing.T) {
				w := join(t, 10, func(a, b *ike.Config) {
					pa.certified(t, a, root, 0)
					pb.certified(t, b, root, 1)
					a.V2.Profiles[0].AuthRemote, b.V2.Profiles[0].AuthRemote = []ike.AuthMethod{pb.method}, []ike.AuthMethod{pa.method}
				})
				w.A.Initiate()
				w.Run(time.Second)
				w.WantUp()
				for _, n := range []*node{w.A, w.B} {
					if len(n.Engine.sas) == 0 {
						continue
					}
					want := [2]ike.AuthMethod{pa.method, pb.method}
					if n == w.B {
						want[0], want[1] = want[1], want[0]
					}
					if st := n.Engine.all()[0].status(); st.Auth != want[0] || st.PeerAuth != want[1] {
						t.Errorf("%s: %+v", n.Name, st)
					}
				}
			})
		}
	}
}

// certificates has both sides sign, with certificates that change may change.
func bothSign(t *testing.T, w func(a, b *ike.Config, root *issuer)) func(a, b *ike.Config) {
	root := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "root", netip.Addr{}, nil)
	return func(a, b *ike.Config) {
		for i, c := range []*ike.Config{a, b} {
			proofs[2].certified(t, c, root, i)
			c.V2.Profiles[0].AuthRemote = []ike.AuthMethod{ike.AuthECDSA}
		}
		w(a, b, root)
	}
}

// What is wrong with a certificate is in the log, and AUTHENTICATION_FAILED on the wire.
func TestBadCertificates(t *testing.T) {
	host := func(root *issuer, c *ike.Config, change func(*x509.Certificate)) {
		c.Trustpoints[0] = trust(root, root.issue(t, ecKey(t, elliptic.P256()), "bad", c.Protections[0].Local, change))
	}
	for _, c := range []struct {
		name, text string
		change     func(a, b *ike.Config, root *issuer)
	}{
		{"expired", "expired 2025-12-31", func(a, b *ike.Config, root *issuer) {
			host(root, a, func(x *x509.Certificate) { x.NotAfter = iketest.Start.Add(-time.Hour) })
		}},
		{"not yet valid", "valid", func(a, b *ike.Config, root *issuer) {
			host(root, a, func(x *x509.Certificate) { x.NotBefore = iketest.Start.Add(time.Hour) })
		}},
		{"of somebody else", "192.0.2.1", func(a, b *ike.Config, root *issuer) {
			host(root, a, func(x *x509.Certificate) { x.IPAddresses, x.DNSNames = nil, []string{"other.example.com"} })
		}},
		{"unknown authority", "", func(a, b *ike.Config, root *issuer) {
			other := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "other", netip.Addr{}, nil)
			a.Trustpoints[0] = trust(root, other.issue(t, ecKey(t, elliptic.P256()), "stranger", a.Protections[0].Local, nil))
		}},
		{"revoked", "revoked", func(a, b *ike.Config, root *issuer) {
			b.Trustpoints[0].CheckCRL = true
			b.Trustpoints[0].CRLs = []*x509.RevocationList{root.revoke(t, iketest.Start.AddDate(0, 0, 1), &issuer{cert: a.Trustpoints[0].Leaf()})}
		}},
		{"no revocation list", "CRL", func(a, b *ike.Config, root *issuer) { b.Trustpoints[0].CheckCRL = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := join(t, 11, bothSign(t, c.change))
			w.A.Initiate()
			w.Run(time.Second)
			if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyAuthentication || len(w.A.Children)+len(w.B.Children) != 0 {
				t.Errorf("a failed %+v", w.A.Failed)
			}
			k := slices.IndexFunc(w.B.Logs, func(l ike.Log) bool { return l.Kind == ike.LogFailed && l.Why == ike.WhyCertificate })
			if k < 0 || !strings.Contains(w.B.Logs[k].Text, c.text) {
				t.Errorf("b logs %+v, want %q", w.B.Logs, c.text)
			}
		})
	}
	t.Run("of the responder", func(t *testing.T) {
		w := join(t, 12, bothSign(t, func(a, b *ike.Config, root *issuer) {
			host(root, b, func(x *x509.Certificate) { x.NotAfter = iketest.Start.Add(-time.Hour) })
		}))
		w.A.Initiate()
		w.Run(time.Second)
		if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyCertificate {
			t.Errorf("a failed %+v", w.A.Failed)
		}
		if len(w.B.Engine.sas) != 0 || len(w.B.Children) != 0 || !w.B.Logged(ike.LogFailed, ike.WhyAuthentication) {
			t.Errorf("the responder keeps what the initiator has refused: %+v", w.B.Logs)
		}
	})
}

// A chain with something in between, and certificates so large that IKE_AUTH goes in fragments; some of them are lost.
func TestChainInFragments(t *testing.T) {
	set := bothSign(t, func(a, b *ike.Config, root *issuer) {
		for i, c := range []*ike.Config{a, b} {
			mid := root.issue(t, rsaKeys[i](), "mid", netip.Addr{}, nil)
			h := mid.issue(t, ecKey(t, elliptic.P256()), fmt.Sprint("host", i), c.Protections[0].Local, func(x *x509.Certificate) {
				for k := range 40 {
					x.DNSNames = append(x.DNSNames, fmt.Sprintf("a-long-name-that-takes-room-%d.example.com", k))
				}
			})
			c.Trustpoints[0] = trust(root, h, mid)
		}
	})
	w := join(t, 13, set)
	longest := 0
	w.Tap = func(_ *node, _ ike.Path, p []byte) bool { longest = max(longest, len(p)); return true }
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	if n := strings.Count(strings.Join(w.Ladder, ","), "a AUTH req 1"); n < 4 || longest > 576-ipUDP {
		t.Errorf("IKE_AUTH went in %d pieces, the longest message had %d bytes", n, longest)
	}
	for seed := range uint64(20) {
		w := join(t, 14+seed, set)
		w.Loss, w.Dup, w.Jitter = 0.1, 0.2, 100*time.Millisecond
		w.A.Initiate()
		w.Run(70 * time.Second)
		if len(w.A.Failed) == 0 {
			w.WantUp()
		}
	}
	// Without fragmentation they go whole.
	w = join(t, 15, func(a, b *ike.Config) { set(a, b); b.V2.Fragmentation = false })
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	w.WantLadder("a INIT req 0", "b INIT rsp 0", "a AUTH req 1", "b AUTH rsp 1")
}

// craft sends b an IKE_AUTH that change has changed, and returns b's answer as a reads it.
func craftAuth(t *testing.T, change func(list []ikev2msg.Out) []ikev2msg.Out) (w *wire, answer []ikemsg.Payload) {
	w = join(t, 16, nil)
	w.A.Initiate()
	var s *sa
	w.Tap = func(from *node, p ike.Path, b []byte) bool {
		h, _ := ikemsg.ParseHeader(b)
		if h.Exchange != ikev2msg.ExchangeAuth {
			return true
		}
		if from == w.A && s == nil {
			s = w.A.Engine.all()[0]
			m, _ := ikev2msg.Parse(b)
			plain, err := s.sealOut.Open(nil, m.AAD, m.Encrypted) // the same key in both directions of a sealer
			if err != nil {
				t.Fatal(err)
			}
			inner, err := ikev2msg.ParseInner(m.First, plain)
			if err != nil {
				t.Fatal(err)
			}
			var list []ikev2msg.Out
			for _, x := range inner {
				list = append(list, ikev2msg.Out{Type: x.Type, Body: x.Body})
			}
			packet := s.protect(h, change(list))[0]
			w.B.Event(ike.Received{Path: ike.Path{Local: p.Remote, Remote: p.Local}, Packet: packet})
			return false
		}
		if from == w.B && answer == nil {
			m, _ := ikev2msg.Parse(b)
			plain, err := s.sealIn.Open(nil, m.AAD, m.Encrypted)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ = ikev2msg.ParseInner(m.First, plain)
		}
		return true
	}
	w.Run(time.Second)
	return w, answer
}

func without(t uint8) func(list []ikev2msg.Out) []ikev2msg.Out {
	return func(list []ikev2msg.Out) []ikev2msg.Out {
		return slices.DeleteFunc(list, func(o ikev2msg.Out) bool { return o.Type == t })
	}
}

// What is wrong in IKE_AUTH is answered by the notification that the RFC has for it.
func TestCraftedAuth(t *testing.T) {
	replace := func(t uint8, body []byte) func([]ikev2msg.Out) []ikev2msg.Out {
		return func(list []ikev2msg.Out) []ikev2msg.Out {
			k := slices.IndexFunc(list, func(o ikev2msg.Out) bool { return o.Type == t })
			list[k].Body = body
			return list
		}
	}
	ts := func(proto uint8, from, to string) []byte {
		return ikev2msg.AppendTS(nil, []ikev2msg.Selector{{Protocol: proto, EndPort: 0xffff, Start: addr(from), End: addr(to)}})
	}
	for _, c := range []struct {
		name   string
		change func([]ikev2msg.Out) []ikev2msg.Out
		code   uint16 // 0: it comes up
	}{
		{"as it is", func(l []ikev2msg.Out) []ikev2msg.Out { return l }, 0},
		{"EAP: no AUTH", without(ikev2msg.PayloadAuth), ikev2msg.AuthenticationFailed},
		{"no identity", without(ikev2msg.PayloadIDi), ikev2msg.InvalidSyntax},
		{"no selectors", without(ikev2msg.PayloadTSi), ikev2msg.TSUnacceptable},
		{"identity of no bytes", replace(ikev2msg.PayloadIDi, []byte{1, 0, 0, 0}), ikev2msg.InvalidSyntax},
		{"another identity than was signed", replace(ikev2msg.PayloadIDi, ikev2msg.ID{Kind: ikev2msg.IDFQDN, Data: []byte("x")}.Append(nil)), ikev2msg.AuthenticationFailed},
		{"unknown method", replace(ikev2msg.PayloadAuth, []byte{77, 0, 0, 0, 1, 2, 3}), ikev2msg.AuthenticationFailed},
		{"SA that makes no sense", replace(ikev2msg.PayloadSA, []byte{0, 0, 0, 99}), ikev2msg.InvalidSyntax},
		{"SA of another protocol", replace(ikev2msg.PayloadSA, ikev2msg.AppendSA(nil, []ikev2msg.Proposal{{Number: 1, Protocol: ikev2msg.ProtoAH, SPI: []byte{1, 2, 3, 4},
			Transforms: []ikev2msg.Transform{{Type: ikev2msg.TransformInt, ID: ikev2msg.IntSHA1x96}, {Type: ikev2msg.TransformESN}}}})), ikev2msg.NoProposalChosen},
		{"selectors of another peer", replace(ikev2msg.PayloadTSi, ts(47, "192.0.2.77", "192.0.2.77")), ikev2msg.TSUnacceptable},
		{"selectors of TCP", replace(ikev2msg.PayloadTSi, ts(6, "192.0.2.1", "192.0.2.1")), ikev2msg.TSUnacceptable},
		{"selectors of a subnet", replace(ikev2msg.PayloadTSr, ts(0, "192.0.2.0", "192.0.2.255")), 0},
		{"selectors of everything", replace(ikev2msg.PayloadTSr, ts(0, "0.0.0.0", "255.255.255.255")), 0},
		{"payload of an unknown type", func(l []ikev2msg.Out) []ikev2msg.Out { return append(l, ikev2msg.Out{Type: 200, Body: []byte("x")}) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, answer := craftAuth(t, c.change)
			n, bad := errorOf(answer)
			if c.code == 0 {
				if bad {
					t.Fatalf("refused with %d", n.Type)
				}
				w.WantUp()
				tsi, tsr := selectorsOf(answer)
				if len(tsi) != 1 || len(tsr) != 1 || tsi[0] != ikev2msg.Host(w.A.Addr, 47) || tsr[0] != ikev2msg.Host(w.B.Addr, 47) {
					t.Errorf("narrowed to %v %v", tsi, tsr)
				}
				return
			}
			if !bad || n.Type != c.code {
				t.Errorf("answered by %d, want %d", n.Type, c.code)
			}
			if len(w.B.Children) != 0 {
				t.Error("a child came up")
			}
		})
	}
}

// A payload of an unknown type that is marked critical is named in the answer, and ends the handshake.
func TestCriticalPayload(t *testing.T) {
	w := join(t, 17, nil)
	var first []byte
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if first == nil {
			first = slices.Clone(p)
		}
		return true
	}
	w.A.Initiate()
	w.Flights = nil
	m, err := ikev2msg.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	b := ikemsg.AppendPayload(nil, m.NextPayload, true, []byte("?"))
	packet := append(slices.Clone(first[:ikemsg.HeaderLen]), b...)
	packet = append(packet, first[ikemsg.HeaderLen:]...)
	packet[16], packet[26], packet[27] = 199, byte(len(packet)>>8), byte(len(packet))
	for _, f := range w.B.Engine.Handle(w.Now, ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 500), Remote: netip.AddrPortFrom(w.A.Addr, 500)}, Packet: packet}) {
		if s, ok := f.(ike.Send); ok {
			r, _ := ikev2msg.Parse(s.Packet)
			if n, bad := errorOf(r.Payloads); !bad || n.Type != ikev2msg.UnsupportedCriticalPayload || string(n.Data) != "\xc7" {
				t.Errorf("answered by %+v", n)
			}
			return
		}
	}
	t.Error("not answered")
}

// A certificate by hash and URL is refused, and said to be.
func TestHashAndURL(t *testing.T) {
	list := []ikemsg.Payload{{Type: ikev2msg.PayloadCert, Body: ikev2msg.Cert{Encoding: ikev2msg.CertHash, Data: []byte("http://example.com/")}.Append(nil)}}
	if leaf, _, text := certificates(list); leaf != nil || !strings.Contains(text, "hash and URL") {
		t.Errorf("%v %q", leaf, text)
	}
}
