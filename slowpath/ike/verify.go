package ike

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// VerifyError is why a certificate is not taken, in words for a log: "certificate expired 2020-01-01 00:00 UTC", "revoked", ... It
// names certificates, never a secret. Values, not pointers, are returned as errors.
type VerifyError struct {
	Text string
	rank int // how much it tells, for where several trustpoints say different things
}

func (e VerifyError) Error() string { return e.Text }

// Ranks of errors.
const (
	rankUntrusted = iota
	rankDates
	rankCRL
	rankRevoked
)

// What a peer can have us compute before it is known: how many of its certificates are looked at on the way to the authority, and how large its RSA
// keys may be, in bits.
const (
	maxBetween = 8
	maxRSA     = 8192
)

// tooLarge tells whether checking a signature by the certificate's key would take too long.
func tooLarge(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxRSA
}

// VerifyPeer checks a peer's certificate: that one of the trustpoints leads to it by those in between, all within their dates, that it is not revoked,
// that it may sign, and that it is for who the peer says it is. The error is a VerifyError.
func VerifyPeer(points []*Trustpoint, leaf *x509.Certificate, between []*x509.Certificate, id Identity, now time.Time) error {
	switch {
	case leaf == nil:
		return VerifyError{Text: "the peer sent no certificate"}
	case len(points) == 0:
		return VerifyError{Text: "no trustpoint to check certificates by: configure one for the profile"}
	case leaf.KeyUsage != 0 && leaf.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return VerifyError{Text: "certificate not for signatures (key usage, RFC 4945 section 5.1.3.2)"}
	case tooLarge(leaf):
		return VerifyError{Text: fmt.Sprintf("certificate with an RSA key of more than %d bits", maxRSA)}
	}
	between = slices.DeleteFunc(slices.Clone(between[:min(len(between), maxBetween)]), tooLarge)
	best := VerifyError{rank: -1}
	for _, t := range points {
		err := t.verify(leaf, between, now)
		if err == nil {
			return certifies(leaf, id)
		}
		if err.rank > best.rank {
			best = *err
		}
	}
	return best
}

// verify checks a peer's certificate by one trustpoint.
func (t *Trustpoint) verify(leaf *x509.Certificate, between []*x509.Certificate, now time.Time) *VerifyError {
	chains, err := t.chains(leaf, between, now)
	if err != nil {
		e := explain(leaf, err, now)
		return &e
	}
	if !t.CheckCRL {
		return nil
	}
	var best *VerifyError
	for _, c := range chains {
		err := t.revoked(c, now)
		if err == nil {
			return nil
		}
		if best == nil || err.rank > best.rank {
			best = err
		}
	}
	return best
}

// chains finds the ways from the authority to a certificate.
func (t *Trustpoint) chains(leaf *x509.Certificate, between []*x509.Certificate, now time.Time) ([][]*x509.Certificate, error) {
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range t.Roots {
		roots.AddCert(c)
	}
	for _, c := range between {
		others.AddCert(c)
	}
	return leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: others, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // IKE has none that everybody agrees on
	})
}

// explain says what is wrong with a certificate that crypto/x509 does not take.
func explain(leaf *x509.Certificate, err error, now time.Time) VerifyError {
	if a := leaf.SignatureAlgorithm; a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1 || a == x509.MD5WithRSA || a == x509.MD2WithRSA {
		return VerifyError{Text: "certificate signed with " + a.String() + ", which can be forged: have it issued anew with SHA-256", rank: rankDates}
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		if invalid.Reason == x509.Expired && invalid.Cert != nil {
			text := outOfDate(invalid.Cert, now)
			if invalid.Cert != leaf {
				text = "issuer " + subject(invalid.Cert) + ": " + text
			}
			return VerifyError{Text: text, rank: rankDates}
		}
		return VerifyError{Text: strings.TrimPrefix(invalid.Error(), "x509: "), rank: rankUntrusted}
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return VerifyError{Text: "issuer not trusted: " + dnString(string(leaf.RawIssuer)), rank: rankUntrusted}
	}
	return VerifyError{Text: strings.TrimPrefix(err.Error(), "x509: "), rank: rankUntrusted}
}

// revoked checks all of a chain but the trusted end of it.
func (t *Trustpoint) revoked(chain []*x509.Certificate, now time.Time) *VerifyError {
	for i, c := range chain[:len(chain)-1] {
		list, err := t.list(chain[i+1], now)
		if err != nil {
			return err
		}
		for k := range list.RevokedCertificateEntries {
			if e := &list.RevokedCertificateEntries[k]; e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				text := "certificate revoked " + day(e.RevocationTime)
				if i > 0 {
					text = "issuer " + subject(c) + ": " + text
				}
				return &VerifyError{Text: text, rank: rankRevoked}
			}
		}
	}
	return nil
}

// list is the newest list by an issuer that counts now.
func (t *Trustpoint) list(issuer *x509.Certificate, now time.Time) (*x509.RevocationList, *VerifyError) {
	var best, old *x509.RevocationList
	for _, l := range t.CRLs {
		if !bytes.Equal(l.RawIssuer, issuer.RawSubject) || !complete(l) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if !current(l, now) {
			old = l
		} else if best == nil || l.ThisUpdate.After(best.ThisUpdate) {
			best = l
		}
	}
	switch {
	case best != nil:
		return best, nil
	case old != nil:
		return nil, &VerifyError{Text: "the CRL of " + subject(issuer) + " is out of date (next update " + day(old.NextUpdate) + "): get a new one", rank: rankCRL}
	}
	return nil, &VerifyError{Text: "no CRL of " + subject(issuer) + ": get one, or turn revocation-check off", rank: rankCRL}
}

// current tells whether a list is within its dates. One that does not say when the next is due is not.
func current(l *x509.RevocationList, now time.Time) bool {
	return !now.Before(l.ThisUpdate) && !now.After(l.NextUpdate)
}

// complete tells whether a list is all of what its issuer revoked: no delta, and not of only a part (RFC 5280 section 5.2). Critical extensions
// are those two.
func complete(l *x509.RevocationList) bool {
	for i := range l.Extensions {
		if l.Extensions[i].Critical {
			return false
		}
	}
	return true
}

// certifies checks that a certificate is for an identity (RFC 4945 section 3.1).
func certifies(c *x509.Certificate, id Identity) error {
	ok := false
	switch id.Kind {
	case IDDN:
		if ok = dnEqual(id.Value, string(c.RawSubject)); ok && len(c.RawSubject) <= 2 {
			ok = false // an empty name is nobody's
		}
	case IDIPv4:
		a, err := netip.ParseAddr(id.Value)
		if err != nil {
			break
		}
		for _, b := range c.IPAddresses {
			x, _ := netip.AddrFromSlice(b)
			ok = ok || x.Unmap() == a
		}
		ok = ok || len(c.IPAddresses) == 0 && inSubject(c, oidUnstructuredAddress, a.String())
	case IDFQDN:
		ok = id.Value != "" && slices.ContainsFunc(c.DNSNames, func(n string) bool { return sameHost(n, id.Value) })
		ok = ok || len(c.DNSNames) == 0 && inSubject(c, oidUnstructuredName, id.Value)
	case IDEmail:
		ok = id.Value != "" && slices.ContainsFunc(c.EmailAddresses, func(n string) bool { return strings.EqualFold(n, id.Value) })
		ok = ok || len(c.EmailAddresses) == 0 && inSubject(c, oidEmail, id.Value)
	case IDNone:
		return VerifyError{Text: "the peer did not say who it is"}
	default:
		return VerifyError{Text: "identity " + id.String() + " is of a kind that no certificate has: have the peer use its name, address or DN"}
	}
	if !ok {
		return VerifyError{Text: "certificate of " + subject(c) + " is not for identity " + id.String()}
	}
	return nil
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// inSubject looks for an attribute of the subject. Certificates that IOS asks for have host name and address there, and no alternative names.
func inSubject(c *x509.Certificate, oid asn1.ObjectIdentifier, value string) bool {
	return value != "" && slices.ContainsFunc(dnTexts(c.RawSubject, oid), func(n string) bool { return sameHost(fold(n), value) })
}
