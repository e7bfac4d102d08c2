package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority issues the certificates of a test.
type authority struct {
	cert    *x509.Certificate
	key     crypto.Signer
	dir     string
	serials int64
	revoked []x509.RevocationListEntry
}

// newAuthority makes an authority and writes ca.pem into dir.
func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"nave lab"}, CommonName: "ca"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &authority{key: key, dir: dir, serials: 1}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, writePEM(filepath.Join(dir, "ca.pem"), "CERTIFICATE", der)
}

// issue writes NAME.pem and NAME.key: a certificate for a common name and address that is good from -24 hours until later.
func (a *authority) issue(name, common, address string, key crypto.Signer, later time.Duration) error {
	a.serials++
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serials), Subject: pkix.Name{Organization: []string{"nave lab"}, CommonName: common},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(later), KeyUsage: x509.KeyUsageDigitalSignature,
		DNSNames: []string{common}, IPAddresses: []net.IP{net.ParseIP(address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(a.dir, name+".pem"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, name+".key"), "PRIVATE KEY", private)
}

// revoke puts the certificate issued last on the list that list writes.
func (a *authority) revoke() {
	a.revoked = append(a.revoked, x509.RevocationListEntry{SerialNumber: big.NewInt(a.serials), RevocationTime: time.Now().Add(-time.Hour)})
}

// list writes ca.crl.
func (a *authority) list() error {
	now := time.Now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour), RevokedCertificateEntries: a.revoked,
	}, a.cert, a.key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, "ca.crl"), "X509 CRL", der)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

// certificates writes all that tests of certificates need into dir: for nave and for guests good ones of each kind, for guests an expired and
// a revoked one, and ca.pem and ca.crl.
func certificates(dir string) error {
	a, err := newAuthority(dir)
	if err != nil {
		return err
	}
	keys := make(map[string]crypto.Signer) // the guests'
	for kind, curve := range map[string]elliptic.Curve{"rsa": nil, "ecdsa": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		for _, owner := range []string{"nave", "guest"} {
			var key crypto.Signer
			if curve == nil {
				key, err = rsa.GenerateKey(rand.Reader, 2048)
			} else {
				key, err = ecdsa.GenerateKey(curve, rand.Reader)
			}
			if err != nil {
				return err
			}
			if err := a.issue(owner+"-"+kind, owner+".lab", "192.0.2.250", key, 24*time.Hour); err != nil {
				return err
			}
			keys[kind] = key
		}
	}
	if err := a.issue("guest-expired", "guest.lab", "192.0.2.250", keys["ecdsa"], -time.Hour); err != nil {
		return err
	}
	if err := a.issue("guest-expired-rsa", "guest.lab", "192.0.2.250", keys["rsa"], -time.Hour); err != nil {
		return err
	}
	if err := a.issue("guest-revoked", "guest.lab", "192.0.2.250", keys["ecdsa"], time.Hour); err != nil {
		return err
	}
	a.revoke()
	return a.list()
}
