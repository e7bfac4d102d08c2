// Package ikemsg is what the messages of IKEv1 (RFC 2408) and IKEv2 (RFC 7296) have in common: the header, and payloads
// in a chain. What the payloads of a version mean is in ikev1msg and ikev2msg.
package ikemsg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderLen is how long the header is, in bytes.
const HeaderLen = 28

// Versions, as they stand in the header.
const (
	Version1 = 0x10
	Version2 = 0x20
)

// SPI is the name that one side gives an IKE SA (RFC 7296); RFC 2408 calls it a cookie.
type SPI [8]byte

// Header is what every message starts with (RFC 2408 section 3.1, RFC 7296 section 3.1).
type Header struct {
	Initiator, Responder SPI
	NextPayload          uint8
	Version              uint8
	Exchange             uint8
	Flags                uint8
	MessageID            uint32
	Length               uint32 // of the whole message, header included
}

// ErrShort means that a message ends before what it says it holds.
var ErrShort = errors.New("message is cut short")

// ParseHeader reads the header of b. A Length that is not that of b is an error.
func ParseHeader(b []byte) (h Header, err error) {
	if len(b) < HeaderLen {
		return h, fmt.Errorf("ikemsg: header of %d bytes: %w", len(b), ErrShort)
	}
	copy(h.Initiator[:], b)
	copy(h.Responder[:], b[8:])
	h.NextPayload, h.Version, h.Exchange, h.Flags = b[16], b[17], b[18], b[19]
	h.MessageID, h.Length = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint32(b[24:])
	if h.Length < HeaderLen || uint64(h.Length) > uint64(len(b)) {
		return h, fmt.Errorf("ikemsg: length of %d in a message of %d bytes: %w", h.Length, len(b), ErrShort)
	}
	return h, nil
}

// Append writes the header behind b.
func (h *Header) Append(b []byte) []byte {
	b = append(b, h.Initiator[:]...)
	b = append(b, h.Responder[:]...)
	b = append(b, h.NextPayload, h.Version, h.Exchange, h.Flags)
	b = binary.BigEndian.AppendUint32(b, h.MessageID)
	return binary.BigEndian.AppendUint32(b, h.Length)
}

// Payload is one payload of a chain, its body without the generic header.
type Payload struct {
	Type     uint8
	Critical bool   // IKEv2 only; bit 7 of the second byte
	Body     []byte // of the message's own bytes
}

// ErrTooMany means that a message has more payloads than anybody needs.
var ErrTooMany = errors.New("too many payloads")

// Generic is how long the generic payload header is, in bytes.
const Generic = 4

// maxPayloads bounds the work that one message can make.
const maxPayloads = 64

// ParseChain takes a chain of payloads apart. first is the type of the first one. What stands behind the last payload (padding, in
// IKEv1) is returned as rest. An IKEv2 Encrypted payload (46, 53) is the last one whatever follows it: next is then the type of the first payload
// inside, and 0 otherwise.
func ParseChain(first uint8, b []byte) (list []Payload, next uint8, rest []byte, err error) {
	for t := first; t != 0; {
		if len(list) == maxPayloads {
			return nil, 0, nil, fmt.Errorf("ikemsg: more than %d: %w", maxPayloads, ErrTooMany)
		}
		if len(b) < Generic {
			return nil, 0, nil, fmt.Errorf("ikemsg: payload %d (type %d): %w", len(list)+1, t, ErrShort)
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < Generic || n > len(b) {
			return nil, 0, nil, fmt.Errorf("ikemsg: payload %d (type %d) of %d bytes where %d are left: %w", len(list)+1, t, n, len(b), ErrShort)
		}
		list = append(list, Payload{Type: t, Critical: b[1]&0x80 != 0, Body: b[Generic:n:n]})
		following := b[0]
		b = b[n:]
		if t == 46 || t == 53 {
			return list, following, b, nil
		}
		t = following
	}
	return list, 0, b, nil
}

// AppendPayload writes a payload behind b; next is the type of the one that follows it.
func AppendPayload(b []byte, next uint8, critical bool, body []byte) []byte {
	var flags byte
	if critical {
		flags = 0x80
	}
	b = append(b, next, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(Generic+len(body)))
	return append(b, body...)
}
