package ike

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Trustpoint is a certificate authority that peers are checked by, and a certificate of ours that it issued.
type Trustpoint struct {
	Name  string
	Roots []*x509.Certificate // of the authority, and intermediate ones: each is trusted
	// Chain is our certificate, then what is between it and the roots; empty where only peers are checked.
	Chain []*x509.Certificate
	Key   crypto.Signer // of Chain[0]
	CRLs  []*x509.RevocationList
	// CheckCRL refuses what the authority revoked, and everything of an authority whose list is missing or out of date.
	CheckCRL bool
	Loaded   time.Time
}

// Leaf is our certificate; nil where only peers are checked. t may be nil.
func (t *Trustpoint) Leaf() *x509.Certificate {
	if t == nil || len(t.Chain) == 0 {
		return nil
	}
	return t.Chain[0]
}

// LoadTrustpoint makes a trustpoint of what its files hold, all PEM: the authority's certificates; our certificate with those that are between it and
// the authority, and its private key (both may be empty); and revocation lists (may be empty). What is only out of date is no error: Trouble tells.
// Errors name the part that is wrong and what to do about it, and hold nothing of the key.
func LoadTrustpoint(name string, ca, certificate, key, crl []byte, checkCRL bool, now time.Time) (Trustpoint, error) {
	t := Trustpoint{Name: name, CheckCRL: checkCRL, Loaded: now}
	fail := func(part string, err error) (Trustpoint, error) {
		return Trustpoint{}, fmt.Errorf("trustpoint %s: %s: %w", name, part, err)
	}
	var err error
	if t.Roots, err = parseCertificates(ca); err != nil {
		return fail("CA certificate", err)
	}
	for _, c := range t.Roots {
		if c.Version == 3 && !c.BasicConstraintsValid || c.BasicConstraintsValid && !c.IsCA {
			return fail("CA certificate", fmt.Errorf("%s is no certificate authority: give the certificate of who issued it", subject(c)))
		}
	}
	if t.CRLs, err = t.parseCRLs(crl); err != nil {
		return fail("CRL", err)
	}
	if len(certificate) == 0 && len(key) == 0 {
		return t, nil
	}
	if len(certificate) == 0 {
		return fail("certificate", errors.New("there is a key but no certificate: give both, or neither to check peers only"))
	}
	if t.Chain, err = parseCertificates(certificate); err != nil {
		return fail("certificate", err)
	}
	if err = t.checkIssued(now); err != nil {
		return fail("certificate", err)
	}
	if t.Key, err = parseKey(key); err != nil {
		return fail("key", err)
	}
	if p, ok := t.Key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !p.Equal(t.Chain[0].PublicKey) {
		return fail("key", fmt.Errorf("does not belong to the certificate of %s: give the key that it was requested with", subject(t.Chain[0])))
	}
	return t, nil
}

// Trouble is what the operator should know of: certificates and lists that are out of date.
func (t *Trustpoint) Trouble(now time.Time) []string {
	var out []string
	for _, c := range append(append([]*x509.Certificate{}, t.Chain...), t.Roots...) {
		if text := outOfDate(c, now); text != "" {
			out = append(out, subject(c)+": "+text)
		}
	}
	if t.CheckCRL && len(t.CRLs) == 0 {
		out = append(out, "no CRL: all peers are refused until there is one")
	}
	for _, l := range t.CRLs {
		if t.CheckCRL && !current(l, now) {
			out = append(out, "the CRL of "+dnString(string(l.RawIssuer))+" is out of date: peers that it issued are refused until there is a new one")
		}
	}
	return out
}

// subject is a certificate's name, for messages.
func subject(c *x509.Certificate) string {
	if s := dnString(string(c.RawSubject)); s != "" {
		return s
	}
	return "serial " + c.SerialNumber.String()
}

// outOfDate says in what way a certificate is; "": it is not.
func outOfDate(c *x509.Certificate, now time.Time) string {
	switch {
	case now.Before(c.NotBefore):
		return "certificate not valid before " + day(c.NotBefore)
	case now.After(c.NotAfter):
		return "certificate expired " + day(c.NotAfter)
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// blocks calls f with each PEM block of a file.
func blocks(text []byte, f func(*pem.Block) error) error {
	n := 0
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		n++
		if err := f(b); err != nil {
			return err
		}
	}
	switch {
	case n == 0 && len(bytes.TrimSpace(text)) == 0:
		return errors.New("empty: give a PEM file")
	case n == 0:
		return errors.New("not PEM: if it is DER, convert it with openssl")
	}
	return nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	err := blocks(text, func(b *pem.Block) error {
		if b.Type != "CERTIFICATE" {
			if strings.HasSuffix(b.Type, "PRIVATE KEY") {
				return nil // some keep both in one file
			}
			return fmt.Errorf("a PEM block %q where a CERTIFICATE is wanted", printable(b.Type))
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return fmt.Errorf("block %d: %w", len(out)+1, err)
		}
		out = append(out, c)
		return nil
	})
	if err == nil && len(out) == 0 {
		err = errors.New("no certificate in it")
	}
	return out, err
}

func (t *Trustpoint) parseCRLs(text []byte) ([]*x509.RevocationList, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var out []*x509.RevocationList
	err := blocks(text, func(b *pem.Block) error {
		if b.Type != "X509 CRL" {
			return fmt.Errorf("a PEM block %q where an X509 CRL is wanted", printable(b.Type))
		}
		l, err := x509.ParseRevocationList(b.Bytes)
		if err != nil {
			return fmt.Errorf("block %d: %w", len(out)+1, err)
		}
		for _, c := range t.Roots {
			if bytes.Equal(c.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(c) == nil {
				out = append(out, l)
				return nil
			}
		}
		return fmt.Errorf("that of %s is not signed by the trustpoint's authority: give the list that this CA published", dnString(string(l.RawIssuer)))
	})
	return out, err
}

// checkIssued sees whether our certificate is by the trustpoint's authority, whatever the date.
func (t *Trustpoint) checkIssued(now time.Time) error {
	leaf := t.Chain[0]
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 1024 || n > maxRSA {
			return fmt.Errorf("%s has an RSA key of %d bits: take 2048 or 3072", subject(leaf), n)
		}
	case *ecdsa.PublicKey:
	default:
		return fmt.Errorf("%s has a %s key: IKE here signs by RSA or ECDSA", subject(leaf), leaf.PublicKeyAlgorithm)
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		now = leaf.NotAfter
	}
	_, err := t.chains(leaf, t.Chain[1:], now)
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return nil // Trouble tells
	}
	if err != nil {
		return fmt.Errorf("%s: %s: give one that this authority issued, with the intermediate ones behind it", subject(leaf), explain(leaf, err, now).Text)
	}
	return nil
}

// parseKey reads the first private key of a file.
func parseKey(text []byte) (crypto.Signer, error) {
	var signer crypto.Signer
	err := blocks(text, func(b *pem.Block) error {
		defer clear(b.Bytes)
		if signer != nil || !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			return nil
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return errors.New("it is encrypted: take the passphrase off with openssl pkey, and keep the file readable to nave only")
		}
		var key any
		var err error
		switch b.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		}
		if err != nil { // says nothing of err, which may hold parts of the key
			return fmt.Errorf("the block %q can't be read: give an unencrypted RSA or EC key as openssl writes it", printable(b.Type))
		}
		switch k := key.(type) {
		case *rsa.PrivateKey:
			signer = k
		case *ecdsa.PrivateKey:
			signer = k
		default:
			return errors.New("neither RSA nor ECDSA: IKE here signs by these")
		}
		return nil
	})
	if err == nil && signer == nil {
		err = errors.New("no private key in it")
	}
	return signer, err
}
