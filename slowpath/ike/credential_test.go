package ike

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestLoadTrustpoint(t *testing.T) {
	ca := newCA(t, "CA")
	sub := issue(t, ca, ecKey(t, elliptic.P256()), "Sub", isCA)
	leaf := issue(t, sub, rsaKey(), "hub", named)
	chain := append(leaf.pem(), sub.pem()...)
	tp, err := LoadTrustpoint("T", ca.pem(), chain, leaf.keyPEM(t), pemOf("X509 CRL", ca.crl(t, nil).Raw), true, noon)
	if err != nil {
		t.Fatal(err)
	}
	if tp.Name != "T" || len(tp.Roots) != 1 || len(tp.Chain) != 2 || len(tp.CRLs) != 1 || !tp.CheckCRL || !tp.Loaded.Equal(noon) || !tp.Leaf().Equal(leaf.cert) {
		t.Errorf("%+v", tp)
	}
	if trouble := tp.Trouble(noon); len(trouble) != 0 {
		t.Errorf("trouble: %q", trouble)
	}
	// Keys in all the forms that openssl writes, also behind the certificate in one file.
	pkcs1 := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))
	for _, key := range [][]byte{pkcs1, append(leaf.pem(), pkcs1...)} {
		if _, err := LoadTrustpoint("T", ca.pem(), chain, key, nil, false, noon); err != nil {
			t.Error(err)
		}
	}
	ec := issue(t, ca, ecKey(t, elliptic.P384()), "hub", named)
	der, err := x509.MarshalECPrivateKey(ec.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadTrustpoint("T", ca.pem(), ec.pem(), pemOf("EC PRIVATE KEY", der), nil, false, noon); err != nil {
		t.Error(err)
	}
	// Only to check peers by.
	if tp, err = LoadTrustpoint("T", append(ca.pem(), sub.pem()...), nil, nil, nil, false, noon); err != nil || tp.Leaf() != nil || len(tp.Roots) != 2 {
		t.Errorf("%+v, %v", tp, err)
	}
	if (*Trustpoint)(nil).Leaf() != nil {
		t.Error("a certificate of no trustpoint")
	}
}

func TestLoadTrustpointErrors(t *testing.T) {
	ca, other := newCA(t, "CA"), newCA(t, "CA")
	leaf := issue(t, ca, ecKey(t, elliptic.P256()), "hub", named)
	stranger := issue(t, other, ecKey(t, elliptic.P256()), "hub", named)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := issue(t, ca, edKey, "hub", named)
	rsaCA := issue(t, nil, rsaKey(), "RSA CA", isCA)
	old := issue(t, rsaCA, leaf.key, "hub", func(c *x509.Certificate) { named(c); c.SignatureAlgorithm = x509.SHA1WithRSA })
	key := leaf.keyPEM(t)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "x"}, Bytes: []byte("abc")})
	crl := pemOf("X509 CRL", ca.crl(t, nil).Raw)
	for _, c := range []struct {
		what                  string
		ca, cert, key, crl    []byte
		part, says, otherwise string
	}{
		{"no CA", nil, nil, nil, nil, "CA certificate", "empty", ""},
		{"DER", ca.cert.Raw, nil, nil, nil, "CA certificate", "not PEM", ""},
		{"key for CA", key, nil, nil, nil, "CA certificate", "no certificate in it", ""},
		{"CRL for CA", crl, nil, nil, nil, "CA certificate", "X509 CRL", ""},
		{"broken CA", pemOf("CERTIFICATE", ca.cert.Raw[:40]), nil, nil, nil, "CA certificate", "block 1", ""},
		{"leaf for CA", leaf.pem(), nil, nil, nil, "CA certificate", "cn=hub,ou=spokes,o=Example is no certificate authority", ""},
		{"key only", ca.pem(), nil, key, nil, "certificate", "a key but no certificate", ""},
		{"certificate only", ca.pem(), leaf.pem(), nil, nil, "key", "empty", ""},
		{"of another CA", ca.pem(), stranger.pem(), stranger.keyPEM(t), nil, "certificate", "issuer not trusted", ""},
		{"SHA-1", rsaCA.pem(), old.pem(), key, nil, "certificate", "SHA1-RSA", ""},
		{"another key", ca.pem(), leaf.pem(), stranger.keyPEM(t), nil, "key", "does not belong to the certificate of cn=hub", ""},
		{"encrypted", ca.pem(), leaf.pem(), encrypted, nil, "key", "passphrase", ""},
		{"encrypted, PKCS #8", ca.pem(), leaf.pem(), pemOf("ENCRYPTED PRIVATE KEY", []byte("abc")), nil, "key", "passphrase", ""},
		{"broken key", ca.pem(), leaf.pem(), pemOf("PRIVATE KEY", []byte("a secret that is no key")), nil, "key", "can't be read", ""},
		{"certificate for key", ca.pem(), leaf.pem(), leaf.pem(), nil, "key", "no private key in it", ""},
		{"ed25519 certificate", ca.pem(), ed.pem(), ed.keyPEM(t), nil, "certificate", "Ed25519", ""},
		{"ed25519 key", ca.pem(), leaf.pem(), ed.keyPEM(t), nil, "key", "neither RSA nor ECDSA", ""},
		{"CRL of another", ca.pem(), nil, nil, pemOf("X509 CRL", other.crl(t, nil).Raw), "CRL", "not signed by", ""},
		{"no CRL", ca.pem(), nil, nil, ca.pem(), "CRL", "CERTIFICATE", ""},
		{"broken CRL", ca.pem(), nil, nil, pemOf("X509 CRL", []byte("x")), "CRL", "block 1", ""},
	} {
		_, err := LoadTrustpoint("T", c.ca, c.cert, c.key, c.crl, false, noon)
		if err == nil || !strings.HasPrefix(err.Error(), "trustpoint T: "+c.part+": ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.what, err)
		}
		if err != nil && strings.Contains(err.Error(), "a secret") {
			t.Errorf("%s: the error shows the key: %v", c.what, err)
		}
	}
}

// What is out of date is loaded, and told.
func TestTrouble(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, ecKey(t, elliptic.P256()), "hub", func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 1) })
	crl := pemOf("X509 CRL", ca.crl(t, nil).Raw)
	later := noon.AddDate(0, 0, 2)
	tp, err := LoadTrustpoint("T", ca.pem(), leaf.pem(), leaf.keyPEM(t), crl, true, later)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tp.Trouble(later), "\n"); !strings.Contains(got, "cn=hub,ou=spokes,o=Example: certificate expired 2026-03-02") || !strings.Contains(got, "out of date") {
		t.Errorf("%q", got)
	}
	if got := strings.Join(tp.Trouble(noon.AddDate(0, 0, -30)), "\n"); strings.Count(got, "not valid before") != 2 {
		t.Errorf("%q", got)
	}
	tp.CRLs = nil
	if got := strings.Join(tp.Trouble(noon), "\n"); !strings.Contains(got, "no CRL") {
		t.Errorf("%q", got)
	}
}

// The caller's files are left as they are, and a key file cut anywhere gives an error or the key.
func TestLoadTrustpointCut(t *testing.T) {
	ca := newCA(t, "CA")
	leaf := issue(t, ca, ecKey(t, elliptic.P256()), "hub", nil)
	key := leaf.keyPEM(t)
	before := bytes.Clone(key)
	for i := range key {
		tp, err := LoadTrustpoint("T", ca.pem(), leaf.pem(), key[:i], nil, false, noon)
		if err == nil && !tp.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(leaf.cert.PublicKey) {
			t.Fatalf("cut to %d: another key", i)
		}
	}
	if !bytes.Equal(key, before) {
		t.Error("the file was written to")
	}
}

func FuzzLoadTrustpoint(f *testing.F) {
	ca := newCA(f, "CA")
	leaf := issue(f, ca, ecKey(f, elliptic.P256()), "hub", nil)
	f.Add(ca.pem(), leaf.pem(), leaf.keyPEM(f), pemOf("X509 CRL", ca.crl(f, nil).Raw))
	f.Add(ca.pem(), []byte{}, []byte{}, []byte{})
	f.Add(ca.pem(), leaf.pem(), leaf.keyPEM(f)[:60], []byte{})
	f.Fuzz(func(t *testing.T, ca, cert, key, crl []byte) {
		tp, err := LoadTrustpoint("T", ca, cert, key, crl, true, noon)
		if err == nil {
			tp.Trouble(noon)
		}
	})
}
