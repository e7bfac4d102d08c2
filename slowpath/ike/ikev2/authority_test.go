package ikev2

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
)

// issuer is a certificate with its key.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var rsaKeys = [2]func() *rsa.PrivateKey{sync.OnceValue(newRSA), sync.OnceValue(newRSA)}

func newRSA() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func ecKey(t testing.TB, c elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var serial int64

// issue makes a certificate of a host, or of an authority, valid for ten days around the start of the virtual time.
func (by *issuer) issue(t testing.TB, key crypto.Signer, name string, host netip.Addr, change func(*x509.Certificate)) *issuer {
	t.Helper()
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		NotBefore: iketest.Start.AddDate(0, 0, -5), NotAfter: iketest.Start.AddDate(0, 0, 5), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if host.IsValid() {
		c.IPAddresses, c.DNSNames = []net.IP{host.AsSlice()}, []string{name + ".example.com"}
	} else {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	if change != nil {
		change(c)
	}
	parent := &issuer{c, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &issuer{c, key}
}

// trust is a trustpoint of an authority, and of a host that it issued a certificate to by those in between.
func trust(root *issuer, host *issuer, between ...*issuer) ike.Trustpoint {
	t := ike.Trustpoint{Name: "tp", Roots: []*x509.Certificate{root.cert}, Loaded: iketest.Start}
	if host != nil {
		t.Key, t.Chain = host.key, []*x509.Certificate{host.cert}
		for _, b := range between {
			t.Chain = append(t.Chain, b.cert)
		}
	}
	return t
}

func (by *issuer) revoke(t testing.TB, next time.Time, revoked ...*issuer) *x509.RevocationList {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: iketest.Start.AddDate(0, 0, -1), NextUpdate: next}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: iketest.Start.AddDate(0, 0, -1)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = x509.ParseRevocationList(der); err != nil {
		t.Fatal(err)
	}
	return l
}
