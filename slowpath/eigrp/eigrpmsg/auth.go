package eigrpmsg

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
)

// AuthType says how a packet is authenticated.
type AuthType uint16

// The types (RFC 7868 section 6.7.2).
const (
	AuthMD5    AuthType = 2
	AuthSHA256 AuthType = 3
)

// DigestLen is the length of the digest in bytes; 0 for a type that is not known.
func (t AuthType) DigestLen() int {
	switch t {
	case AuthMD5:
		return md5.Size
	case AuthSHA256:
		return sha256.Size
	}
	return 0
}

// Auth is the authentication TLV.
type Auth struct {
	Type     AuthType
	Key      uint32 // its number
	Sequence uint32
	Pad      [8]byte
	Digest   []byte
}

const authFixed = 20 // of the TLV's value, before the digest

func parseAuth(v []byte) (*Auth, error) {
	be := binary.BigEndian
	if len(v) < authFixed {
		return nil, ErrTLV
	}
	a := &Auth{Type: AuthType(be.Uint16(v)), Key: be.Uint32(v[4:]), Sequence: be.Uint32(v[8:]), Pad: [8]byte(v[12:])}
	if n := int(be.Uint16(v[2:])); n != len(v)-authFixed || n != a.Type.DigestLen() || n == 0 {
		return nil, ErrTLV
	}
	a.Digest = append([]byte(nil), v[authFixed:]...)
	return a, nil
}

func (a *Auth) append(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, typeAuth)
	b = be.AppendUint16(b, uint16(4+authFixed+len(a.Digest)))
	b = be.AppendUint16(b, uint16(a.Type))
	b = be.AppendUint16(b, uint16(len(a.Digest)))
	b = be.AppendUint32(b, a.Key)
	b = be.AppendUint32(b, a.Sequence)
	b = append(b, a.Pad[:]...)
	return append(b, a.Digest...)
}

// NewAuth is the TLV that Sign fills in.
func NewAuth(t AuthType, key uint32) *Auth {
	return &Auth{Type: t, Key: key, Digest: make([]byte, t.DigestLen())}
}

// Sign fills the digest of a packet that Append wrote with an Auth in, and makes the checksum again. From is the address that it is sent from.
func Sign(b []byte, secret []byte, from netip.Addr) {
	if len(b) < HeaderLen+4+authFixed {
		return
	}
	t := AuthType(binary.BigEndian.Uint16(b[HeaderLen+4:]))
	at := HeaderLen + 4 + authFixed
	if t.DigestLen() == 0 || len(b) < at+t.DigestLen() {
		return
	}
	copy(b[at:], digest(t, b, secret, from))
	setChecksum(b)
}

// KeyOf is the type and the key number of the authentication TLV that the packet begins with.
func KeyOf(b []byte) (t AuthType, key uint32, ok bool) {
	be := binary.BigEndian
	if len(b) < HeaderLen+4+authFixed || be.Uint16(b[HeaderLen:]) != typeAuth {
		return 0, 0, false
	}
	v := b[HeaderLen+4:]
	t = AuthType(be.Uint16(v))
	n := t.DigestLen()
	if n == 0 || len(v) < authFixed+n || int(be.Uint16(v[2:])) != n || int(be.Uint16(b[HeaderLen+2:])) != 4+authFixed+n {
		return 0, 0, false
	}
	return t, be.Uint32(v[4:]), true
}

// Verify says whether the digest of the packet is the one that the secret makes; KeyOf has said yes to it. It takes the same time whatever is wrong with
// the digest.
func Verify(b []byte, secret []byte, from netip.Addr) bool {
	t, _, ok := KeyOf(b)
	if !ok {
		return false
	}
	at := HeaderLen + 4 + authFixed
	got, rest := b[at:at+t.DigestLen()], b[at+t.DigestLen():]
	if t == AuthSHA256 {
		return subtle.ConstantTimeCompare(got, digest(t, b, secret, from)) == 1
	}
	if Opcode(b[1]) != Hello {
		return subtle.ConstantTimeCompare(got, digestMD5(b, secret, rest)) == 1
	}
	// Routers differ in what of a Hello they sign: nothing of the rest, all of it, or all but as many bytes as the key is short of 16.
	cut := max(len(rest)-max(md5.Size-len(secret), 0), 0)
	same := 0
	for _, covered := range [][]byte{nil, rest, rest[:cut]} {
		same |= subtle.ConstantTimeCompare(got, digestMD5(b, secret, covered))
	}
	return same == 1
}

// digest works over the packet with a checksum of zero. HMAC-SHA-256: the digest is zero, and the sender's address in text is part of the key, after a
// line feed and the password. MD5: of Hellos nothing after the authentication TLV counts, as all routers take that.
func digest(t AuthType, b []byte, secret []byte, from netip.Addr) []byte {
	at := HeaderLen + 4 + authFixed
	rest := b[at+t.DigestLen():]
	if t == AuthMD5 {
		if Opcode(b[1]) == Hello {
			rest = nil
		}
		return digestMD5(b, secret, rest)
	}
	key := append([]byte{'\n'}, secret...)
	key = append(key, from.String()...)
	h := hmac.New(sha256.New, key)
	h.Write(unsummed(b[:at]))
	h.Write(make([]byte, sha256.Size))
	h.Write(rest)
	return h.Sum(nil)
}

// digestMD5 has the key, padded to 16 bytes, in place of the digest.
func digestMD5(b []byte, secret, rest []byte) []byte {
	h := md5.New()
	h.Write(unsummed(b[:HeaderLen+4+authFixed]))
	h.Write(secret)
	if len(secret) < md5.Size {
		h.Write(make([]byte, md5.Size-len(secret)))
	}
	h.Write(rest)
	return h.Sum(nil)
}

// unsummed is the start of a packet with a checksum of zero.
func unsummed(head []byte) []byte {
	head = append([]byte(nil), head...)
	head[2], head[3] = 0, 0
	return head
}
