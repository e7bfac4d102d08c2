package ikev2msg

import (
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// KE is a public value of a key exchange (RFC 7296 section 3.4).
type KE struct {
	Group uint16
	Data  []byte
}

// Append writes the body.
func (k KE) Append(b []byte) []byte {
	return append(append(b, byte(k.Group>>8), byte(k.Group), 0, 0), k.Data...)
}

// ParseKE reads the body of a Key Exchange payload.
func ParseKE(b []byte) (k KE, err error) {
	if len(b) < 5 {
		return k, fmt.Errorf("ikev2msg: key exchange of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	return KE{Group: be16(b), Data: b[4:]}, nil
}

// ID is an identity (section 3.5).
type ID struct {
	Kind uint8
	Data []byte
}

// Append writes the body.
func (i ID) Append(b []byte) []byte { return append(append(b, i.Kind, 0, 0, 0), i.Data...) }

// ParseID reads the body of an Identification payload.
func ParseID(b []byte) (i ID, err error) {
	if len(b) < 4 {
		return i, fmt.Errorf("ikev2msg: identity of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	i = ID{Kind: b[0], Data: b[4:]}
	if i.Kind == IDIPv4 && len(i.Data) != 4 || i.Kind == IDIPv6 && len(i.Data) != 16 || len(i.Data) == 0 {
		return i, fmt.Errorf("ikev2msg: identity of kind %d with %d bytes: %w", i.Kind, len(i.Data), ErrSyntax)
	}
	return i, nil
}

// Cert is a certificate, or a request for one: the hashes of authorities' keys, 20 bytes each (sections 3.6 and 3.7).
type Cert struct {
	Encoding uint8
	Data     []byte
}

// Append writes the body.
func (c Cert) Append(b []byte) []byte { return append(append(b, c.Encoding), c.Data...) }

// ParseCert reads the body of a Certificate or Certificate Request payload.
func ParseCert(b []byte) (c Cert, err error) {
	if len(b) < 1 {
		return c, fmt.Errorf("ikev2msg: certificate: %w", ikemsg.ErrShort)
	}
	return Cert{Encoding: b[0], Data: b[1:]}, nil
}

// Auth proves who a side is (section 3.8).
type Auth struct {
	Method uint8
	Data   []byte
}

// Append writes the body.
func (a Auth) Append(b []byte) []byte { return append(append(b, a.Method, 0, 0, 0), a.Data...) }

// ParseAuth reads the body of an Authentication payload.
func ParseAuth(b []byte) (a Auth, err error) {
	if len(b) < 5 {
		return a, fmt.Errorf("ikev2msg: authentication of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	return Auth{Method: b[0], Data: b[4:]}, nil
}

// ParseNonce checks the length of a nonce (section 3.9).
func ParseNonce(b []byte) ([]byte, error) {
	if len(b) < MinNonce || len(b) > MaxNonce {
		return nil, fmt.Errorf("ikev2msg: nonce of %d bytes: %w", len(b), ErrSyntax)
	}
	return b, nil
}
