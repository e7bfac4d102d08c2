package ike

import (
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// check verifies and wants an error that says want; "": none.
func check(t *testing.T, what string, points []*Trustpoint, leaf *authority, between []*authority, id Identity, want string) {
	t.Helper()
	var chain []*x509.Certificate
	for _, b := range between {
		chain = append(chain, b.cert)
	}
	err := VerifyPeer(points, leaf.cert, chain, id, noon)
	var v VerifyError
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (!errors.As(err, &v) || !strings.Contains(v.Text, want)):
		t.Errorf("%s: %v, not %q", what, err, want)
	}
}

func TestVerifyPeer(t *testing.T) {
	ca, other := newCA(t, "CA"), newCA(t, "CA") // the same name, another key
	key := ecKey(t, elliptic.P256())
	points := []*Trustpoint{{Name: "T", Roots: []*x509.Certificate{ca.cert}}}
	id := fqdn("spoke1.example.com")
	good := issue(t, ca, key, "spoke1", named)

	check(t, "good", points, good, nil, id, "")
	check(t, "one of two trustpoints", []*Trustpoint{{Roots: []*x509.Certificate{other.cert}}, points[0]}, good, nil, id, "")
	check(t, "no trustpoint", nil, good, nil, id, "no trustpoint")
	check(t, "another authority", points, issue(t, other, key, "spoke1", named), nil, id, "issuer not trusted: cn=CA,ou=spokes,o=Example")
	check(t, "itself", points, issue(t, nil, key, "spoke1", named), nil, id, "issuer not trusted")
	check(t, "expired", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) { named(c); c.NotAfter = noon.AddDate(0, 0, -1) }), nil, id,
		"certificate expired 2026-02-28 12:00 UTC")
	check(t, "not yet valid", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) { named(c); c.NotBefore = noon.AddDate(0, 0, 1) }), nil, id,
		"certificate not valid before 2026-03-02 12:00 UTC")
	check(t, "of encryption", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) { named(c); c.KeyUsage = x509.KeyUsageKeyEncipherment }), nil, id, "not for signatures")
	check(t, "non-repudiation", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) { named(c); c.KeyUsage = x509.KeyUsageContentCommitment }), nil, id, "")
	check(t, "no key usage", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) { named(c); c.KeyUsage = 0 }), nil, id, "")
	check(t, "of web servers", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) {
		named(c)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}), nil, id, "")
	check(t, "critical extension", points, issue(t, ca, key, "spoke1", func(c *x509.Certificate) {
		named(c)
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}), nil, id, "unhandled critical extension")
	huge := *good.cert
	huge.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), maxRSA), E: 3}
	check(t, "a huge key", points, &authority{cert: &huge}, nil, id, "RSA key of more than 8192 bits")
	if err := VerifyPeer(points, nil, nil, id, noon); err == nil {
		t.Error("no certificate is taken")
	}

	old := issue(t, nil, ca.key, "Old", func(c *x509.Certificate) { isCA(c); c.NotAfter = noon.AddDate(0, 0, -1) })
	check(t, "expired authority", []*Trustpoint{{Roots: []*x509.Certificate{old.cert}}}, issue(t, old, key, "spoke1", named), nil, id, "issuer cn=Old")

	rsaCA := issue(t, nil, rsaKey(), "RSA CA", isCA)
	sha1 := issue(t, rsaCA, key, "spoke1", func(c *x509.Certificate) { named(c); c.SignatureAlgorithm = x509.SHA1WithRSA })
	check(t, "SHA-1", []*Trustpoint{{Roots: []*x509.Certificate{rsaCA.cert}}}, sha1, nil, id, "SHA1-RSA")
}

func TestVerifyChain(t *testing.T) {
	ca := newCA(t, "CA")
	sub := issue(t, ca, ecKey(t, elliptic.P256()), "Sub", isCA)
	key := ecKey(t, elliptic.P384())
	leaf := issue(t, sub, key, "spoke1", named)
	id := fqdn("spoke1.example.com")
	points := []*Trustpoint{{Roots: []*x509.Certificate{ca.cert}}}

	check(t, "with the intermediate one", points, leaf, []*authority{sub}, id, "")
	check(t, "without", points, leaf, nil, id, "issuer not trusted: cn=Sub")
	check(t, "intermediate one configured", []*Trustpoint{{Roots: []*x509.Certificate{sub.cert}}}, leaf, nil, id, "")
	check(t, "issued by who is no authority", points, issue(t, leaf, key, "spoke2", named), []*authority{leaf, sub}, id, "issuer not trusted")
	huge := *sub.cert
	huge.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), maxRSA), E: 3}
	check(t, "with a huge key beside it", points, leaf, []*authority{{cert: &huge}, sub}, id, "")
	check(t, "with a huge key on the way", points, leaf, []*authority{{cert: &huge}}, id, "issuer not trusted")
	many := make([]*authority, maxBetween+1)
	for i := range many {
		many[i] = newCA(t, "noise")
	}
	check(t, "in a crowd", points, leaf, append(many, sub), id, "issuer not trusted")

	// Of the intermediate one, too, it counts whether it is revoked.
	points[0].CheckCRL = true
	points[0].CRLs = []*x509.RevocationList{ca.crl(t, nil)}
	check(t, "a list missing on the way", points, leaf, []*authority{sub}, id, "no CRL of cn=Sub")
	points[0].CRLs = []*x509.RevocationList{ca.crl(t, nil), sub.crl(t, nil)}
	check(t, "both lists", points, leaf, []*authority{sub}, id, "")
	points[0].CRLs = []*x509.RevocationList{ca.crl(t, nil, sub), sub.crl(t, nil)}
	check(t, "intermediate one revoked", points, leaf, []*authority{sub}, id, "issuer cn=Sub,ou=spokes,o=Example: certificate revoked 2026-02-27")
}

func TestVerifyCRL(t *testing.T) {
	ca, other := newCA(t, "CA"), newCA(t, "CA")
	leaf := issue(t, ca, ecKey(t, elliptic.P256()), "spoke1", named)
	id := fqdn("spoke1.example.com")
	delta := func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	}
	past := func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = noon.AddDate(0, 0, -3), noon.AddDate(0, 0, -2)
	}
	future := func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = noon.AddDate(0, 0, 2), noon.AddDate(0, 0, 3)
	}
	older := func(l *x509.RevocationList) { l.ThisUpdate = noon.AddDate(0, 0, -3) }
	for _, c := range []struct {
		what  string
		lists []*x509.RevocationList
		want  string
	}{
		{"not revoked", []*x509.RevocationList{ca.crl(t, nil, other)}, ""},
		{"revoked", []*x509.RevocationList{ca.crl(t, nil, leaf)}, "certificate revoked 2026-02-27"},
		{"no list", nil, "no CRL of cn=CA"},
		{"out of date", []*x509.RevocationList{ca.crl(t, past)}, "the CRL of cn=CA,ou=spokes,o=Example is out of date (next update 2026-02-27 12:00 UTC)"},
		{"of the future", []*x509.RevocationList{ca.crl(t, future)}, "out of date"},
		{"of another with that name", []*x509.RevocationList{other.crl(t, nil)}, "no CRL of cn=CA"},
		{"only what changed", []*x509.RevocationList{ca.crl(t, delta)}, "no CRL of cn=CA"},
		{"the newest counts", []*x509.RevocationList{ca.crl(t, older), ca.crl(t, nil, leaf)}, "revoked"},
		{"the newest counts, in any order", []*x509.RevocationList{ca.crl(t, nil, leaf), ca.crl(t, older)}, "revoked"},
		{"one in date beside one out of date", []*x509.RevocationList{ca.crl(t, nil), ca.crl(t, past, leaf)}, ""},
	} {
		check(t, c.what, []*Trustpoint{{Roots: []*x509.Certificate{ca.cert}, CRLs: c.lists, CheckCRL: true}}, leaf, nil, id, c.want)
	}
	check(t, "not looked at", []*Trustpoint{{Roots: []*x509.Certificate{ca.cert}, CRLs: []*x509.RevocationList{ca.crl(t, nil, leaf)}}}, leaf, nil, id, "")
	// What tells more is told, whatever the order.
	revoking := &Trustpoint{Roots: []*x509.Certificate{ca.cert}, CRLs: []*x509.RevocationList{ca.crl(t, nil, leaf)}, CheckCRL: true}
	strange := &Trustpoint{Roots: []*x509.Certificate{other.cert}}
	check(t, "first", []*Trustpoint{revoking, strange}, leaf, nil, id, "revoked")
	check(t, "last", []*Trustpoint{strange, revoking}, leaf, nil, id, "revoked")
}

func TestVerifyIdentity(t *testing.T) {
	ca := newCA(t, "CA")
	key := ecKey(t, elliptic.P256())
	points := []*Trustpoint{{Roots: []*x509.Certificate{ca.cert}}}
	full := issue(t, ca, key, "spoke1", named)
	bare := issue(t, ca, key, "spoke1.example.com", nil)
	empty := issue(t, ca, key, "", func(c *x509.Certificate) { c.Subject = pkix.Name{}; named(c) })
	wild := issue(t, ca, key, "spoke1", func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} })
	ios := issue(t, ca, key, "R1", func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidUnstructuredName, Value: "R1.example.com"}, {Type: oidUnstructuredAddress, Value: "192.0.2.1"},
			{Type: oidEmail, Value: "r1@example.com"}}
	})
	const no = "is not for identity "
	for _, c := range []struct {
		what string
		leaf *authority
		id   Identity
		want string
	}{
		{"name", full, fqdn("spoke1.example.com"), ""},
		{"name, other case, dot", full, fqdn("Spoke1.Example.COM."), ""},
		{"other name", full, fqdn("spoke2.example.com"), no + "spoke2.example.com"},
		{"name below", full, fqdn("x.spoke1.example.com"), no},
		{"no name", full, fqdn(""), no},
		{"wildcard is no wildcard", wild, fqdn("spoke1.example.com"), no},
		{"common name does not count", bare, fqdn("spoke1.example.com"), no},
		{"address", full, Identity{IDIPv4, "192.0.2.11"}, ""},
		{"other address", full, Identity{IDIPv4, "192.0.2.12"}, no + "192.0.2.12"},
		{"no address", full, Identity{IDIPv4, "nonsense"}, no},
		{"email", full, Identity{IDEmail, "Admin@example.com"}, ""},
		{"other email", full, Identity{IDEmail, "root@example.com"}, no},
		{"subject", full, DNIdentity(full.cert), ""},
		{"other subject", full, DNIdentity(bare.cert), no + "cn=spoke1.example.com,ou=spokes,o=Example"},
		{"empty subject", empty, DNIdentity(empty.cert), no},
		{"no DER", full, Identity{IDDN, "cn=spoke1"}, no},
		{"as IOS names its certificates", ios, fqdn("r1.example.com"), ""},
		{"address as IOS", ios, Identity{IDIPv4, "192.0.2.1"}, ""},
		{"email in the subject", ios, Identity{IDEmail, "r1@example.com"}, ""},
		{"other name as IOS", ios, fqdn("r2.example.com"), no},
		{"key", full, Identity{IDKey, "spoke1"}, "of a kind that no certificate has"},
		{"other", full, Identity{IDOther, "\x63abc"}, "of a kind that no certificate has"},
		{"none", full, Identity{}, "did not say who it is"},
	} {
		check(t, c.what, points, c.leaf, nil, c.id, c.want)
	}
	// With alternative names, those of the subject do not count.
	both := issue(t, ca, key, "R1", func(c *x509.Certificate) {
		named(c)
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidUnstructuredName, Value: "R1.example.com"}}
	})
	check(t, "both", points, both, nil, fqdn("R1.example.com"), no)
}
