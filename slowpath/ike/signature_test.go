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
	"encoding/hex"
	"errors"
	"math/big"
	"testing"

	"nave/slowpath/ike/suite"
)

func pointOf(a *authority) *Trustpoint {
	return &Trustpoint{Name: "T", Chain: []*x509.Certificate{a.cert}, Key: a.key}
}

func TestSignV1(t *testing.T) {
	ca := newCA(t, "CA")
	hub := issue(t, ca, rsaKey(), "hub", nil)
	ec := issue(t, ca, ecKey(t, elliptic.P256()), "hub", nil)
	for _, n := range []int{16, 20, 32, 64} {
		hash := bytes.Repeat([]byte{7}, n)
		sig, err := SignV1(pointOf(hub), hash)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyV1(hub.cert, hash, sig); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		hash[0]++
		if err := VerifyV1(hub.cert, hash, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("another hash: %v", err)
		}
		hash[0]--
		sig[5] ^= 1
		if err := VerifyV1(hub.cert, hash, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("another signature: %v", err)
		}
	}
	// One that says which hash it is is another signature (RFC 2409 section 5.1).
	hash := make([]byte, 20)
	sig, err := rsaKey().Sign(rand.Reader, hash, crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, sig, sig[1:]} {
		if err := VerifyV1(hub.cert, hash, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := SignV1(pointOf(ec), hash); err == nil {
		t.Error("signed by ECDSA")
	}
	if err := VerifyV1(ec.cert, hash, sig); err == nil || errors.Is(err, ErrSignature) {
		t.Errorf("ECDSA: %v", err)
	}
	for _, none := range []*Trustpoint{nil, {Name: "T"}} {
		if _, err := SignV1(none, hash); err == nil {
			t.Error("signed by nothing")
		}
		if _, _, err := SignV2(none, AuthRSA, false, nil, hash); err == nil {
			t.Error("signed by nothing")
		}
	}
}

func TestSignV2(t *testing.T) {
	ca := newCA(t, "CA")
	all := []suite.Hash{suite.HashSHA1, suite.HashSHA256, suite.HashSHA384, suite.HashSHA512}
	rsa1 := issue(t, ca, rsaKey(), "hub", nil)
	p256 := issue(t, ca, ecKey(t, elliptic.P256()), "hub", nil)
	p384 := issue(t, ca, ecKey(t, elliptic.P384()), "hub", nil)
	p521 := issue(t, ca, ecKey(t, elliptic.P521()), "hub", nil)
	data := []byte("the octets")
	for _, c := range []struct {
		what    string
		by      *authority
		auth    AuthMethod
		digital bool
		hashes  []suite.Hash
		method  uint8
		size    int // of the AUTH data; 0: any
	}{
		{"RSA", rsa1, AuthRSA, false, nil, 1, 256},
		{"RSA, peer does not know RFC 7427", rsa1, AuthRSA, false, all, 1, 256},
		{"RSA, RFC 7427", rsa1, AuthRSA, true, all, 14, 1 + 15 + 256},
		{"RSA, RFC 7427, only SHA-512", rsa1, AuthRSA, true, all[3:], 14, 1 + 15 + 256},
		{"RSA, RFC 7427, only SHA-1", rsa1, AuthRSA, true, all[:1], 1, 256},
		{"RSA, RFC 7427, no hash", rsa1, AuthRSA, true, nil, 1, 256},
		{"P-256", p256, AuthECDSA, false, nil, 9, 64},
		{"P-384", p384, AuthECDSA, false, nil, 10, 96},
		{"P-521", p521, AuthECDSA, false, nil, 11, 132},
		{"P-256, RFC 7427", p256, AuthECDSA, true, all, 14, 0},
		{"P-521, RFC 7427", p521, AuthECDSA, true, all, 14, 0},
		{"P-521, RFC 7427, only SHA-256", p521, AuthECDSA, true, all[1:2], 14, 0},
	} {
		m, sig, err := SignV2(pointOf(c.by), c.auth, c.digital, c.hashes, data)
		if err != nil || m != c.method || c.size != 0 && len(sig) != c.size {
			t.Errorf("%s: method %d, %d bytes, %v", c.what, m, len(sig), err)
			continue
		}
		if auth, err := VerifyV2(c.by.cert, m, data, sig); err != nil || auth != c.auth {
			t.Errorf("%s: %d, %v", c.what, auth, err)
		}
		if _, err := VerifyV2(c.by.cert, m, []byte("the octetS"), sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: other data: %v", c.what, err)
		}
		for i := range sig {
			if _, err := VerifyV2(c.by.cert, m, data, sig[:i]); err == nil {
				t.Errorf("%s: cut to %d bytes", c.what, i)
			}
			bad := bytes.Clone(sig)
			bad[i] ^= 1
			if _, err := VerifyV2(c.by.cert, m, data, bad); err == nil {
				t.Errorf("%s: byte %d changed", c.what, i)
			}
		}
		for _, other := range []*authority{rsa1, p256, p384, p521} {
			if _, err := VerifyV2(other.cert, m, data, sig); other != c.by && err == nil {
				t.Errorf("%s: by another's certificate", c.what)
			}
		}
		for _, other := range []uint8{0, 1, 2, 3, 9, 10, 11, 13, 14, 255} {
			if _, err := VerifyV2(c.by.cert, other, data, sig); other != m && err == nil {
				t.Errorf("%s: as method %d", c.what, other)
			}
		}
	}
	if _, _, err := SignV2(pointOf(rsa1), AuthECDSA, true, all, data); err == nil {
		t.Error("ECDSA by an RSA key")
	}
	if _, _, err := SignV2(pointOf(p256), AuthRSA, true, all, data); err == nil {
		t.Error("RSA by an ECDSA key")
	}
	p224 := issue(t, ca, ecKey(t, elliptic.P224()), "hub", nil)
	if _, _, err := SignV2(pointOf(p224), AuthECDSA, false, nil, data); err == nil {
		t.Error("a curve that IKE does not have")
	}
}

// RSA of method 1 may be over any hash, which the signature itself says.
func TestVerifyV2RSAHashes(t *testing.T) {
	hub := issue(t, newCA(t, "CA"), rsaKey(), "hub", nil)
	for _, h := range []suite.Hash{suite.HashSHA1, suite.HashSHA256, suite.HashSHA384, suite.HashSHA512} {
		sig, err := rsaKey().Sign(rand.Reader, digest(h, []byte("octets")), stdHash(h))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyV2(hub.cert, MethodRSA, []byte("octets"), sig); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
}

// RFC 4754 section 8.1: the signature of "abc" by P-256 on the wire.
func TestECDSAVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cert := &x509.Certificate{PublicKey: &ecdsa.PublicKey{Curve: elliptic.P256(),
		X: new(big.Int).SetBytes(unhex("2442A5CC0ECD015FA3CA31DC8E2BBC70BF42D60CBCA20085E0822CB04235E970")),
		Y: new(big.Int).SetBytes(unhex("6FC98BD7E50211A4A27102FA3549DF79EBCB4BF246B80945CDDFE7D509BBFD7D"))}}
	sig := unhex("CB28E0999B9C7715FD0A80D8E47A77079716CBBF917DD72E97566EA1C066957C86FA3BB4E26CAD5BF90B7F81899256CE7594BB1EA0C89212748BFF3B3D5B0315")
	if auth, err := VerifyV2(cert, MethodECDSA256, []byte("abc"), sig); err != nil || auth != AuthECDSA {
		t.Errorf("%d, %v", auth, err)
	}
}

// digital is the AUTH data of RFC 7427 with an algorithm.
func digital(t testing.TB, oid asn1.ObjectIdentifier, parameters any, sig []byte) []byte {
	t.Helper()
	id := pkix.AlgorithmIdentifier{Algorithm: oid}
	if parameters != nil {
		der, err := asn1.Marshal(parameters)
		if err != nil {
			t.Fatal(err)
		}
		id.Parameters = asn1.RawValue{FullBytes: der}
	}
	der, err := asn1.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{byte(len(der))}, der...), sig...)
}

func TestVerifyPSS(t *testing.T) {
	hub := issue(t, newCA(t, "CA"), rsaKey(), "hub", nil)
	data := []byte("octets")
	parameters := func(hash, mask asn1.ObjectIdentifier, salt, trailer int) pssParameters {
		der, err := asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: mask})
		if err != nil {
			t.Fatal(err)
		}
		return pssParameters{Hash: pkix.AlgorithmIdentifier{Algorithm: hash},
			MGF: pkix.AlgorithmIdentifier{Algorithm: oidMGF1, Parameters: asn1.RawValue{FullBytes: der}}, Salt: salt, Trailer: trailer}
	}
	for _, o := range hashOIDs {
		n := o.hash.Size()
		sig, err := rsa.SignPSS(rand.Reader, rsaKey(), stdHash(o.hash), digest(o.hash, data), &rsa.PSSOptions{SaltLength: n})
		if err != nil {
			t.Fatal(err)
		}
		auth, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, oidPSS, parameters(o.oid, o.oid, n, 1), sig))
		if err != nil || auth != AuthRSA {
			t.Errorf("%s: %d, %v", o.hash, auth, err)
		}
		sha1 := asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
		for what, p := range map[string]any{
			"no parameters": nil, "NULL": asn1.NullRawValue, "SHA-1": parameters(sha1, sha1, 20, 1), "SHA-1 mask": parameters(o.oid, sha1, n, 1),
			"short salt": parameters(o.oid, o.oid, n-1, 1), "no salt": parameters(o.oid, o.oid, 0, 1), "trailer": parameters(o.oid, o.oid, n, 2),
		} {
			if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, oidPSS, p, sig)); err == nil || errors.Is(err, ErrSignature) {
				t.Errorf("%s: %s: %v", o.hash, what, err)
			}
		}
		sig[9] ^= 1
		if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, oidPSS, parameters(o.oid, o.oid, n, 1), sig)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: changed: %v", o.hash, err)
		}
	}
	ec := issue(t, newCA(t, "CA"), ecKey(t, elliptic.P256()), "hub", nil)
	if _, err := VerifyV2(ec.cert, MethodDigital, data, digital(t, oidPSS, parameters(hashOIDs[0].oid, hashOIDs[0].oid, 32, 1), nil)); err == nil {
		t.Error("PSS by an ECDSA key")
	}
}

func TestDigitalAlgorithms(t *testing.T) {
	hub := issue(t, newCA(t, "CA"), rsaKey(), "hub", nil)
	data := []byte("octets")
	sig, err := rsaKey().Sign(rand.Reader, digest(suite.HashSHA1, data), crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	sha1WithRSA := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, sha1WithRSA, asn1.NullRawValue, sig)); err == nil || errors.Is(err, ErrSignature) {
		t.Errorf("SHA-1: %v", err)
	}
	if sig, err = rsaKey().Sign(rand.Reader, digest(suite.HashSHA256, data), crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, algorithms[0].oid, nil, sig)); err != nil {
		t.Errorf("without NULL: %v", err)
	}
	if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, algorithms[0].oid, 7, sig)); err == nil {
		t.Error("with strange parameters")
	}
	if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, algorithms[1].oid, asn1.NullRawValue, sig)); !errors.Is(err, ErrSignature) {
		t.Errorf("another hash: %v", err)
	}
	if _, err := VerifyV2(hub.cert, MethodDigital, data, digital(t, algorithms[3].oid, nil, sig)); err == nil {
		t.Error("ECDSA by an RSA key")
	}
}

func FuzzVerifyV2(f *testing.F) {
	ca := newCA(f, "CA")
	certs := []*authority{issue(f, ca, rsaKey(), "hub", nil), issue(f, ca, ecKey(f, elliptic.P256()), "hub", nil)}
	all := []suite.Hash{suite.HashSHA256, suite.HashSHA512}
	for i, auth := range []AuthMethod{AuthRSA, AuthECDSA} {
		for _, digital := range []bool{false, true} {
			m, sig, err := SignV2(pointOf(certs[i]), auth, digital, all, []byte("octets"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i, m, sig)
		}
	}
	f.Add(0, uint8(MethodDigital), digital(f, oidPSS, nil, nil))
	f.Fuzz(func(t *testing.T, i int, method uint8, sig []byte) {
		if _, err := VerifyV2(certs[i&1].cert, method, []byte("other octets"), sig); err == nil {
			t.Fatal("a forged signature")
		}
	})
}
