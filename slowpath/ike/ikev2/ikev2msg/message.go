package ikev2msg

import (
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// Message is a message as it stands on the wire: of a protected one, Encrypted or Fragment has what is inside.
type Message struct {
	ikemsg.Header
	Payloads []ikemsg.Payload // in clear
	// Encrypted is the body of the Encrypted payload (IV, ciphertext, ICV), nil without one; First is the type of the first payload in it. AAD
	// is the message up to it (RFC 7296 section 3.14, RFC 5282 section 5.1).
	Encrypted []byte
	First     uint8
	AAD       []byte
	Fragment  *Fragment // the Encrypted payload is a fragment
}

// Fragment is which of how many an encrypted fragment is (RFC 7383 section 2.5). Numbers start at 1.
type Fragment struct{ Number, Total uint16 }

// UnsupportedError is an unknown payload that was marked critical: UNSUPPORTED_CRITICAL_PAYLOAD.
type UnsupportedError struct{ Type uint8 }

// Error says which.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("payload of the unknown type %d is critical", e.Type)
}

// Parse takes a message apart as far as it is in clear. Unknown payloads are left out unless they are critical. The header is
// returned with every error but that of the header itself.
func Parse(b []byte) (m Message, err error) {
	if m.Header, err = ikemsg.ParseHeader(b); err != nil {
		return m, err
	}
	b = b[:m.Length]
	list, next, rest, err := ikemsg.ParseChain(m.NextPayload, b[ikemsg.HeaderLen:])
	if err != nil {
		return m, err
	}
	if len(rest) != 0 {
		return m, fmt.Errorf("ikev2msg: %d bytes behind the last payload: %w", len(rest), ErrSyntax)
	}
	if m.Payloads, err = understood(list); err != nil {
		return m, err
	}
	if len(m.Payloads) == 0 {
		return m, nil
	}
	last := m.Payloads[len(m.Payloads)-1]
	switch last.Type {
	case PayloadEncrypted:
		m.Encrypted, m.First = last.Body, next
	case PayloadFragment:
		if len(last.Body) < 4 {
			return m, fmt.Errorf("ikev2msg: fragment: %w", ikemsg.ErrShort)
		}
		f := Fragment{Number: be16(last.Body), Total: be16(last.Body[2:])}
		if f.Number == 0 || f.Number > f.Total || f.Number > 1 && next != 0 {
			return m, fmt.Errorf("ikev2msg: fragment %d of %d: %w", f.Number, f.Total, ErrSyntax)
		}
		m.Fragment, m.Encrypted, m.First = &f, last.Body[4:], next
	default:
		return m, nil
	}
	m.Payloads = m.Payloads[:len(m.Payloads)-1]
	m.AAD = b[:len(b)-len(m.Encrypted)]
	return m, nil
}

// ParseInner takes the payloads apart that were inside an Encrypted payload.
func ParseInner(first uint8, plaintext []byte) ([]ikemsg.Payload, error) {
	list, next, rest, err := ikemsg.ParseChain(first, plaintext)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 || next != 0 {
		return nil, fmt.Errorf("ikev2msg: %d bytes behind the last payload: %w", len(rest), ErrSyntax)
	}
	if list, err = understood(list); err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Type == PayloadEncrypted || p.Type == PayloadFragment {
			return nil, fmt.Errorf("ikev2msg: an Encrypted payload inside another: %w", ErrSyntax)
		}
	}
	return list, nil
}

// understood leaves out unknown payloads (RFC 7296 section 2.5).
func understood(list []ikemsg.Payload) ([]ikemsg.Payload, error) {
	out := list[:0]
	for _, p := range list {
		if known(p.Type) {
			out = append(out, p)
		} else if p.Critical {
			return nil, &UnsupportedError{p.Type}
		}
	}
	return out, nil
}

// Out is a payload to be written.
type Out struct {
	Type uint8
	Body []byte
}

// AppendChain writes payloads behind b, the last one followed by none.
func AppendChain(b []byte, list []Out) []byte {
	for i, p := range list {
		var next uint8
		if i+1 < len(list) {
			next = list[i+1].Type
		}
		b = ikemsg.AppendPayload(b, next, false, p.Body)
	}
	return b
}

// First is the type of the first payload of a list, 0 of an empty one.
func First(list []Out) uint8 {
	if len(list) == 0 {
		return 0
	}
	return list[0].Type
}

// Clear is a whole message in clear.
func Clear(h ikemsg.Header, list []Out) []byte {
	h.NextPayload = First(list)
	n := ikemsg.HeaderLen
	for _, p := range list {
		n += ikemsg.Generic + len(p.Body)
	}
	h.Version, h.Length = ikemsg.Version2, uint32(n)
	return AppendChain(h.Append(make([]byte, 0, n)), list)
}

// Prefix is the start of a protected message: header, and the generic header of the Encrypted payload, for sealed bytes (IV, ciphertext, ICV) that
// follow. It is the additional data of the seal, too. first is the type of the first payload inside; with f the payload is a fragment.
func Prefix(h ikemsg.Header, first uint8, f *Fragment, sealed int) []byte {
	n := ikemsg.Generic + sealed
	h.NextPayload = PayloadEncrypted
	if f != nil {
		h.NextPayload = PayloadFragment
		n += 4
		if f.Number > 1 {
			first = 0
		}
	}
	h.Version, h.Length = ikemsg.Version2, uint32(ikemsg.HeaderLen+n)
	b := h.Append(make([]byte, 0, int(h.Length)))
	b = append(b, first, 0, byte(n>>8), byte(n))
	if f != nil {
		b = append(b, byte(f.Number>>8), byte(f.Number), byte(f.Total>>8), byte(f.Total))
	}
	return b
}

// Find is the first payload of a type.
func Find(list []ikemsg.Payload, t uint8) (body []byte, ok bool) {
	for _, p := range list {
		if p.Type == t {
			return p.Body, true
		}
	}
	return nil, false
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
