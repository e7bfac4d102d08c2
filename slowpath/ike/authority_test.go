package ike

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// authority is a certificate with its key, as tests make them.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial int64 = 100

func ecKey(t testing.TB, c elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// issue makes a certificate, valid for a month around noon, that change may change before it is signed. by nil: by itself.
func issue(t testing.TB, by *authority, key crypto.Signer, name string, change func(*x509.Certificate)) *authority {
	t.Helper()
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{"spokes"}, Organization: []string{"Example"}},
		NotBefore: noon.AddDate(0, 0, -15), NotAfter: noon.AddDate(0, 0, 15), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(c)
	}
	if by == nil {
		by = &authority{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &authority{c, key}
}

func isCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func newCA(t testing.TB, name string) *authority {
	return issue(t, nil, ecKey(t, elliptic.P256()), name, isCA)
}

// named gives a certificate all kinds of names.
func named(c *x509.Certificate) {
	c.DNSNames = []string{"spoke1.example.com"}
	c.EmailAddresses = []string{"admin@example.com"}
	c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 11)}
}

func (a *authority) crl(t testing.TB, change func(*x509.RevocationList), revoked ...*authority) *x509.RevocationList {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon.AddDate(0, 0, -1), NextUpdate: noon.AddDate(0, 0, 1)}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: noon.AddDate(0, 0, -2)})
	}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = x509.ParseRevocationList(der); err != nil {
		t.Fatal(err)
	}
	return l
}

func pemOf(kind string, ders ...[]byte) []byte {
	var out []byte
	for _, d := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: d})...)
	}
	return out
}

func (a *authority) pem() []byte { return pemOf("CERTIFICATE", a.cert.Raw) }

func (a *authority) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func fqdn(s string) Identity { return Identity{IDFQDN, s} }

// dn is the DER of a name, of pairs of types and values.
func dn(t testing.TB, parts ...any) string {
	t.Helper()
	var n []rdnSET
	for i := 0; i < len(parts); i += 2 {
		raw, ok := parts[i+1].(asn1.RawValue)
		if !ok {
			raw = asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: []byte(parts[i+1].(string))}
		}
		n = append(n, rdnSET{{Type: parts[i].(asn1.ObjectIdentifier), Value: raw}})
	}
	der, err := asn1.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

var addr = netip.MustParseAddr
