package ike

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"nave/slowpath/ike/suite"
)

// Authentication methods of IKEv2 on the wire (RFC 7296 section 3.8, RFC 4754, RFC 7427).
const (
	MethodRSA      = 1
	MethodPSK      = 2
	MethodECDSA256 = 9
	MethodECDSA384 = 10
	MethodECDSA521 = 11
	MethodDigital  = 14
)

// ErrSignature is that a signature is not by the certificate's key over the data.
var ErrSignature = errors.New("ike: the signature is wrong")

// SignV1 signs HASH_I or HASH_R: RSA by PKCS #1 v1.5 of the hash as it is, without what says which hash it is (RFC 2409 section 5.1). The error says
// that there is no RSA key.
func SignV1(t *Trustpoint, hash []byte) ([]byte, error) {
	if t.Leaf() == nil || t.Key == nil {
		return nil, errNoKey(t)
	}
	if _, ok := t.Key.Public().(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("ike: trustpoint %s has no RSA key, which signatures of IKEv1 need", t.Name)
	}
	return t.Key.Sign(rand.Reader, hash, crypto.Hash(0))
}

// VerifyV1 checks what SignV1 makes. The error is ErrSignature, or says that the certificate has no RSA key.
func VerifyV1(cert *x509.Certificate, hash, sig []byte) error {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("ike: the peer's certificate has no RSA key, which signatures of IKEv1 need")
	}
	if len(hash) == 0 || rsa.VerifyPKCS1v15(key, 0, hash, sig) != nil {
		return ErrSignature
	}
	return nil
}

func errNoKey(t *Trustpoint) error {
	if t == nil {
		return errors.New("ike: no trustpoint with a certificate of ours to sign by")
	}
	return fmt.Errorf("ike: trustpoint %s has no certificate of ours to sign by", t.Name)
}

// algorithm is a signature algorithm of RFC 7427 (appendix A).
type algorithm struct {
	oid  asn1.ObjectIdentifier
	hash suite.Hash
	kind AuthMethod
}

var algorithms = []algorithm{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, suite.HashSHA256, AuthRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, suite.HashSHA384, AuthRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, suite.HashSHA512, AuthRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, suite.HashSHA256, AuthECDSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, suite.HashSHA384, AuthECDSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, suite.HashSHA512, AuthECDSA},
}

var (
	oidPSS  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
)

// stdHash is the hash as the standard library's signatures name it.
func stdHash(h suite.Hash) crypto.Hash {
	switch h {
	case suite.HashSHA1:
		return crypto.SHA1
	case suite.HashSHA256:
		return crypto.SHA256
	case suite.HashSHA384:
		return crypto.SHA384
	case suite.HashSHA512:
		return crypto.SHA512
	}
	return 0
}

func digest(h suite.Hash, data []byte) []byte {
	s := h.New()
	s.Write(data)
	return s.Sum(nil)
}

// curveMethod is the method and hash that go with a curve (RFC 4754 section 3).
func curveMethod(c elliptic.Curve) (method uint8, h suite.Hash) {
	switch c {
	case elliptic.P256():
		return MethodECDSA256, suite.HashSHA256
	case elliptic.P384():
		return MethodECDSA384, suite.HashSHA384
	case elliptic.P521():
		return MethodECDSA521, suite.HashSHA512
	}
	return 0, suite.HashNone
}

// SignV2 signs the octets of IKEv2 (RFC 7296 section 2.15). method is how (AuthRSA, AuthECDSA). digital tells that both sides know RFC 7427, and peerHashes
// which hashes the peer then takes: without one that we have, the older methods are used. It returns the method for the wire, and the
// data of the AUTH payload. The error says what key is missing.
func SignV2(t *Trustpoint, method AuthMethod, digital bool, peerHashes []suite.Hash, data []byte) (authMethod uint8, sig []byte, err error) {
	if t.Leaf() == nil || t.Key == nil {
		return 0, nil, errNoKey(t)
	}
	switch key := t.Key.Public().(type) {
	case *rsa.PublicKey:
		if method != AuthRSA {
			break
		}
		if h := pick(digital, peerHashes, suite.HashSHA256); h != suite.HashNone {
			return t.signDigital(AuthRSA, h, data)
		}
		// SHA-1 is what every peer takes that does not know RFC 7427 (RFC 7296 section 3.8).
		sig, err = t.Key.Sign(rand.Reader, digest(suite.HashSHA1, data), crypto.SHA1)
		return MethodRSA, sig, err
	case *ecdsa.PublicKey:
		if method != AuthECDSA {
			break
		}
		m, h := curveMethod(key.Curve)
		if m == 0 {
			return 0, nil, fmt.Errorf("ike: trustpoint %s has an ECDSA key on a curve that IKE does not have: take P-256, P-384 or P-521", t.Name)
		}
		if h := pick(digital, peerHashes, h); h != suite.HashNone {
			return t.signDigital(AuthECDSA, h, data)
		}
		der, err := t.Key.Sign(rand.Reader, digest(h, data), stdHash(h))
		if err != nil {
			return 0, nil, err
		}
		sig, err = rawECDSA(der, (key.Curve.Params().BitSize+7)/8)
		return m, sig, err
	}
	return 0, nil, fmt.Errorf("ike: trustpoint %s has no key for the profile's authentication local: it is of the other kind", t.Name)
}

// pick chooses a hash for RFC 7427: want if the peer takes it, else the best that it does; HashNone: there is none.
func pick(digital bool, peer []suite.Hash, want suite.Hash) suite.Hash {
	if !digital {
		return suite.HashNone
	}
	for _, h := range []suite.Hash{want, suite.HashSHA512, suite.HashSHA384, suite.HashSHA256} {
		if slices.Contains(peer, h) {
			return h
		}
	}
	return suite.HashNone
}

// signDigital signs with the algorithm said in front (RFC 7427 section 3). RSA is by PKCS #1 v1.5: nothing tells whether a peer knows PSS.
func (t *Trustpoint) signDigital(kind AuthMethod, h suite.Hash, data []byte) (uint8, []byte, error) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.kind == kind && a.hash == h })
	id := pkix.AlgorithmIdentifier{Algorithm: algorithms[i].oid}
	if kind == AuthRSA {
		id.Parameters = asn1.NullRawValue
	}
	der, err := asn1.Marshal(id)
	if err != nil {
		return 0, nil, fmt.Errorf("ike: trustpoint %s: %w", t.Name, err)
	}
	sig, err := t.Key.Sign(rand.Reader, digest(h, data), stdHash(h))
	if err != nil {
		return 0, nil, fmt.Errorf("ike: trustpoint %s: %w", t.Name, err)
	}
	return MethodDigital, slices.Concat([]byte{byte(len(der))}, der, sig), nil
}

// VerifyV2 checks the data of an AUTH payload that has authMethod, and says which kind of signature it is. The error is ErrSignature, or
// says that the method does not go with the certificate's key or is not known.
func VerifyV2(cert *x509.Certificate, authMethod uint8, data, sig []byte) (AuthMethod, error) {
	switch authMethod {
	case MethodRSA:
		for _, h := range []suite.Hash{suite.HashSHA1, suite.HashSHA256, suite.HashSHA384, suite.HashSHA512} { // the signature itself says which
			if err := verifyRSA(cert, h, data, sig); err == nil || !errors.Is(err, ErrSignature) {
				return AuthRSA, err
			}
		}
		return AuthRSA, ErrSignature
	case MethodECDSA256, MethodECDSA384, MethodECDSA521:
		key, ok := cert.PublicKey.(*ecdsa.PublicKey)
		if !ok {
			return AuthECDSA, errKind(cert, "ECDSA")
		}
		m, h := curveMethod(key.Curve)
		n := (key.Curve.Params().BitSize + 7) / 8
		if m != authMethod {
			return AuthECDSA, fmt.Errorf("ike: authentication method %d does not go with the curve of the peer's certificate", authMethod)
		}
		if len(sig) != 2*n || !ecdsa.Verify(key, digest(h, data), new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])) {
			return AuthECDSA, ErrSignature
		}
		return AuthECDSA, nil
	case MethodDigital:
		return verifyDigital(cert, data, sig)
	}
	return 0, fmt.Errorf("ike: authentication method %d is not known", authMethod)
}

func errKind(cert *x509.Certificate, want string) error {
	return fmt.Errorf("ike: the peer signs by %s, but its certificate has a %s key", want, cert.PublicKeyAlgorithm)
}

func verifyRSA(cert *x509.Certificate, h suite.Hash, data, sig []byte) error {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errKind(cert, "RSA")
	}
	if rsa.VerifyPKCS1v15(key, stdHash(h), digest(h, data), sig) != nil {
		return ErrSignature
	}
	return nil
}

func verifyDigital(cert *x509.Certificate, data, sig []byte) (AuthMethod, error) {
	if len(sig) < 1 || len(sig) < 1+int(sig[0]) {
		return 0, fmt.Errorf("ike: digital signature of %d bytes ends before its algorithm does", len(sig))
	}
	der, sig := sig[1:1+sig[0]], sig[1+int(sig[0]):]
	var id pkix.AlgorithmIdentifier
	if rest, err := asn1.Unmarshal(der, &id); err != nil || len(rest) != 0 {
		return 0, errors.New("ike: digital signature with an algorithm that can't be read")
	}
	if id.Algorithm.Equal(oidPSS) {
		return AuthRSA, verifyPSS(cert, id.Parameters, data, sig)
	}
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.oid.Equal(id.Algorithm) })
	if i < 0 {
		return 0, fmt.Errorf("ike: digital signature with algorithm %s: take RSA or ECDSA with SHA-2", id.Algorithm)
	}
	if p := id.Parameters.FullBytes; len(p) != 0 && !bytes.Equal(p, asn1.NullBytes) {
		return 0, fmt.Errorf("ike: digital signature with algorithm %s and parameters that it does not have", id.Algorithm)
	}
	a := algorithms[i]
	if a.kind == AuthRSA {
		return AuthRSA, verifyRSA(cert, a.hash, data, sig)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return AuthECDSA, errKind(cert, "ECDSA")
	}
	if !ecdsa.VerifyASN1(key, digest(a.hash, data), sig) {
		return AuthECDSA, ErrSignature
	}
	return AuthECDSA, nil
}

// pssParameters is RSASSA-PSS-params (RFC 4055 section 3.1). What is left away is SHA-1, which is refused.
type pssParameters struct {
	Hash    pkix.AlgorithmIdentifier `asn1:"explicit,tag:0,optional"`
	MGF     pkix.AlgorithmIdentifier `asn1:"explicit,tag:1,optional"`
	Salt    int                      `asn1:"explicit,tag:2,optional,default:20"`
	Trailer int                      `asn1:"explicit,tag:3,optional,default:1"`
}

var hashOIDs = []struct {
	oid  asn1.ObjectIdentifier
	hash suite.Hash
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, suite.HashSHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, suite.HashSHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, suite.HashSHA512},
}

func verifyPSS(cert *x509.Certificate, parameters asn1.RawValue, data, sig []byte) error {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errKind(cert, "RSA")
	}
	bad := errors.New("ike: RSA-PSS with parameters that are not taken: use SHA-2 for hash and mask, and a salt as long as the hash")
	var p pssParameters
	if rest, err := asn1.Unmarshal(parameters.FullBytes, &p); err != nil || len(rest) != 0 || p.Trailer != 1 {
		return bad
	}
	var mask pkix.AlgorithmIdentifier
	if rest, err := asn1.Unmarshal(p.MGF.Parameters.FullBytes, &mask); err != nil || len(rest) != 0 || !p.MGF.Algorithm.Equal(oidMGF1) || !mask.Algorithm.Equal(p.Hash.Algorithm) {
		return bad
	}
	for _, o := range hashOIDs {
		if !o.oid.Equal(p.Hash.Algorithm) {
			continue
		}
		if p.Salt != o.hash.Size() {
			return bad
		}
		if rsa.VerifyPSS(key, stdHash(o.hash), digest(o.hash, data), sig, &rsa.PSSOptions{SaltLength: p.Salt}) != nil {
			return ErrSignature
		}
		return nil
	}
	return bad
}

// rawECDSA is r | s, each of n bytes (RFC 4754 section 7), of the DER that crypto/ecdsa makes.
func rawECDSA(der []byte, n int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, fmt.Errorf("ike: ECDSA signature: %w", err)
	}
	out := make([]byte, 2*n)
	v.R.FillBytes(out[:n])
	v.S.FillBytes(out[n:])
	return out, nil
}
