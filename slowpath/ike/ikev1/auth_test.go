package ikev1

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/suite"
)

// newKey makes keys once: they are slow to make.
var rsaKeys = [4]func() *rsa.PrivateKey{sync.OnceValue(newKey), sync.OnceValue(newKey), sync.OnceValue(newKey), sync.OnceValue(newKey)}

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// certify makes a certificate of a host, or without an address that of an authority, by an authority or by itself.
func certify(t *testing.T, key *rsa.PrivateKey, name string, host netip.Addr, by *x509.Certificate, byKey *rsa.PrivateKey, until time.Time) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + until.Unix()), Subject: pkix.Name{CommonName: name}, NotBefore: iketest.Start.AddDate(0, 0, -5), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if host.IsValid() {
		c.IPAddresses = []net.IP{host.AsSlice()}
	} else {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	if by == nil {
		by, byKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, key.Public(), byKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

// withCertificates has both sides sign.
func withCertificates(t *testing.T, change func(a, b *ike.Config)) func(a, b *ike.Config) {
	t.Helper()
	later := iketest.Start.AddDate(0, 0, 5)
	caKey := rsaKeys[0]()
	ca := certify(t, caKey, "authority", netip.Addr{}, nil, nil, later)
	return func(a, b *ike.Config) {
		for i, c := range []*ike.Config{a, b} {
			c.Keyrings = nil
			c.V1.Policies = []ike.V1Policy{{Cipher: suite.CipherAESCBC, KeyBits: 128, Hash: suite.HashSHA256, RSA: true, Group: suite.GroupMODP2048}}
			key := rsaKeys[1+i]()
			leaf := certify(t, key, "host"+string(rune('a'+i)), c.Protections[0].Local, ca, caKey, later)
			c.Trustpoints = []ike.Trustpoint{{Name: "tp", Roots: []*x509.Certificate{ca}, Chain: []*x509.Certificate{leaf}, Key: key, Loaded: iketest.Start}}
		}
		if change != nil {
			change(a, b)
		}
	}
}

func TestSignatures(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		w := join(t, 3000, withCertificates(t, func(a, b *ike.Config) {
			if aggressive {
				a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
				a.Protections[0].ISAKMPProfile = "ag"
			}
		}))
		w.A.Initiate()
		w.Run(2 * time.Second)
		w.WantUp()
		if st := w.B.Engine.saList(); len(st) != 1 || st[0].status().Auth != ike.AuthRSA || st[0].aggressive != aggressive {
			t.Errorf("aggressive %v: %+v", aggressive, st)
		}
	}
}

// revoke has a trustpoint look at a list of its authority on which a certificate is.
func revoke(t *testing.T, tp *ike.Trustpoint, c *x509.Certificate) {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: iketest.Start.AddDate(0, 0, -1), NextUpdate: iketest.Start.AddDate(0, 0, 1),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: c.SerialNumber, RevocationTime: iketest.Start.AddDate(0, 0, -1)}},
	}, tp.Roots[0], rsaKeys[0]())
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	tp.CRLs, tp.CheckCRL = []*x509.RevocationList{l}, true
}

// Certificates that must not pass: the log says why, and nothing comes up.
func TestBadCertificates(t *testing.T) {
	for _, c := range []struct {
		name, text string
		why        ike.Why
		change     func(t *testing.T, a, b *ike.Config)
	}{
		{"expired", "expired", ike.WhyCertificate, func(t *testing.T, a, _ *ike.Config) {
			tp := &a.Trustpoints[0]
			tp.Chain = []*x509.Certificate{certify(t, rsaKeys[1](), "hosta", a.Protections[0].Local, tp.Roots[0], rsaKeys[0](), iketest.Start.AddDate(0, 0, -1))}
		}},
		{"another authority", "trust", ike.WhyCertificate, func(t *testing.T, a, _ *ike.Config) {
			other := certify(t, rsaKeys[3](), "other", netip.Addr{}, nil, nil, iketest.Start.AddDate(0, 0, 5))
			a.Trustpoints[0].Chain = []*x509.Certificate{certify(t, rsaKeys[1](), "hosta", a.Protections[0].Local, other, rsaKeys[3](), iketest.Start.AddDate(0, 0, 5))}
		}},
		{"another address", "192.0.2.1", ike.WhyCertificate, func(t *testing.T, a, _ *ike.Config) {
			tp := &a.Trustpoints[0]
			tp.Chain = []*x509.Certificate{certify(t, rsaKeys[1](), "hosta", addr("192.0.2.77"), tp.Roots[0], rsaKeys[0](), iketest.Start.AddDate(0, 0, 5))}
		}},
		{"revoked", "revoked", ike.WhyCertificate, func(t *testing.T, a, b *ike.Config) { revoke(t, &b.Trustpoints[0], a.Trustpoints[0].Chain[0]) }},
		{"no revocation list", "CRL", ike.WhyCertificate, func(_ *testing.T, _, b *ike.Config) { b.Trustpoints[0].CheckCRL = true }},
		{"another key", "", ike.WhyAuthentication, func(_ *testing.T, a, _ *ike.Config) { a.Trustpoints[0].Key = rsaKeys[3]() }},
	} {
		for _, aggressive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, aggressive %v", c.name, aggressive), func(t *testing.T) {
				w := join(t, 3100, withCertificates(t, func(a, b *ike.Config) {
					c.change(t, a, b)
					if aggressive {
						a.V1.Profiles = []ike.V1Profile{{Name: "ag", Aggressive: true, Match: []ike.Match{{VRF: ike.AnyVRF}}}}
						a.Protections[0].ISAKMPProfile = "ag"
					}
				}))
				w.A.Initiate()
				w.Run(3 * time.Minute)
				if len(w.A.Children)+len(w.B.Children) != 0 {
					t.Error("a child came up")
				}
				found := false
				for _, l := range w.B.Logs {
					found = found || l.Kind == ike.LogFailed && l.Why == c.why && strings.Contains(l.Text, c.text)
				}
				if !found {
					t.Errorf("b does not say why: %+v", w.B.Logs)
				}
			})
		}
	}
}

// The longest match of an address has the key; a keyring of another VRF does not count; a profile chooses its own.
func TestKeys(t *testing.T) {
	exact := ike.KeyEntry{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Local: ike.Secret("exact"), Remote: ike.Secret("exact")}
	for name, change := range map[string]func(a, b *ike.Config){
		"longest match": func(a, b *ike.Config) {
			b.Keyrings[0].Keys = append(b.Keyrings[0].Keys, exact)
			a.Keyrings[0].Keys[0].Local, a.Keyrings[0].Keys[0].Remote = exact.Local, exact.Remote
		},
		"another VRF": func(a, b *ike.Config) {
			b.Keyrings = append(b.Keyrings, ike.Keyring{Name: "red", VRF: 7, Keys: []ike.KeyEntry{exact}})
		},
		"profile": func(a, b *ike.Config) {
			for _, c := range []*ike.Config{a, b} {
				c.Keyrings = append(c.Keyrings, ike.Keyring{Name: "own", Keys: []ike.KeyEntry{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("own"), Remote: ike.Secret("own")}}})
				c.Keyrings[0].Keys = nil
				c.V1.Profiles = []ike.V1Profile{{Name: "p", Keyrings: []string{"own"}, Match: []ike.Match{{Kind: ike.IDIPv4, Prefix: netip.MustParsePrefix("192.0.2.0/24"), VRF: ike.AnyVRF}}}}
				c.Protections[0].ISAKMPProfile = "p"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := join(t, 3200, change)
			w.A.Initiate()
			w.Run(2 * time.Second)
			w.WantUp()
		})
	}
}

func TestIdentities(t *testing.T) {
	w := join(t, 3300, func(a, b *ike.Config) {
		a.V1.Identity, a.Hostname = ike.IDFQDN, "spoke.example"
		b.V1.Profiles = []ike.V1Profile{{Name: "p", Self: ike.Identity{Kind: ike.IDEmail, Value: "hub@example"}, Match: []ike.Match{{Kind: ike.IDFQDN, Value: "SPOKE.example", VRF: ike.AnyVRF}}}}
		b.Protections[0].Peers = []ike.Match{{Kind: ike.IDFQDN, Domain: true, Value: "example", VRF: ike.AnyVRF}}
	})
	w.A.Initiate()
	w.Run(2 * time.Second)
	w.WantUp()
	if p := w.B.Children[w.B.Active].Peer; p != (ike.Identity{Kind: ike.IDFQDN, Value: "spoke.example"}) {
		t.Errorf("b's peer is %v", p)
	}
}
