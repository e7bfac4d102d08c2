package ldpmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Sizes, bytes.
const (
	version   = 1
	prefixLen = 4  // version and PDU length: what the length does not count
	HeaderLen = 10 // of a PDU
	msgHeader = 8
	tlvHeader = 4

	// DefaultMaxPDU is the longest PDU before, and without, an agreement (section 3.5.3).
	DefaultMaxPDU = 4096
	// minPDU is the least that a length may say: the identifier and the smallest message.
	minPDU = HeaderLen - prefixLen + msgHeader
)

// ID is an LDP identifier: a router and one of its label spaces (section 2.2.2). Space 0 is that of the whole platform.
type ID struct {
	LSR   netip.Addr // IPv4
	Space uint16
}

// String is the identifier as it is written, `10.9.9.1:0`.
func (id ID) String() string { return fmt.Sprintf("%s:%d", id.LSR, id.Space) }

// Compare orders identifiers.
func (id ID) Compare(o ID) int {
	if c := id.LSR.Compare(o.LSR); c != 0 {
		return c
	}
	return int(id.Space) - int(o.Space)
}

func getID(b []byte) ID {
	return ID{netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[4:])}
}

func (id ID) append(b []byte) []byte {
	var v [4]byte
	if id.LSR.Is4() {
		v = id.LSR.As4()
	}
	return binary.BigEndian.AppendUint16(append(b, v[:]...), id.Space)
}

// Frame says how many bytes the PDU at the start of b has, 0 if too little of it is there to tell. maxPDU is what was agreed on for the
// session. Nothing of the stream can be used after an error.
func Frame(b []byte, maxPDU int) (int, error) {
	if len(b) >= 2 && binary.BigEndian.Uint16(b) != version {
		return 0, &Error{Code: BadVersion, What: "not version 1"}
	}
	if len(b) < prefixLen {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < minPDU || n > maxPDU {
		return 0, &Error{Code: BadPDULength, Offset: 2, What: "shorter than any message or longer than agreed"}
	}
	return prefixLen + n, nil
}

// ParsePDU splits the PDU at the start of b, which is there as a whole, into the identifier of its sender and its messages. Bytes after it
// are not looked at.
func ParsePDU(b []byte, maxPDU int) (ID, []byte, error) {
	n, err := Frame(b, maxPDU)
	if err != nil {
		return ID{}, nil, err
	}
	if n == 0 || n > len(b) {
		return ID{}, nil, &Error{Code: BadPDULength, Offset: len(b), What: "cut off"}
	}
	return getID(b[prefixLen:]), b[HeaderLen:n], nil
}

// Raw is a message that was not looked into.
type Raw struct {
	Type Type
	U    bool // if the type is not known, ignore it silently
	ID   uint32
	TLVs []byte
}

// Next takes the message at the start of b, the rest of a PDU.
func Next(b []byte) (m Raw, rest []byte, err error) {
	if len(b) < msgHeader {
		return m, nil, &Error{Code: BadPDULength, What: "bytes after the last message"}
	}
	t := binary.BigEndian.Uint16(b)
	m = Raw{Type: Type(t &^ 0x8000), U: t&0x8000 != 0, ID: binary.BigEndian.Uint32(b[4:])}
	n := int(binary.BigEndian.Uint16(b[2:])) // counts the message ID
	if n < 4 || n+4 > len(b) {
		return m, nil, &Error{Code: BadMessageLength, MsgID: m.ID, Type: m.Type, What: "message does not fit its PDU"}
	}
	m.TLVs = b[msgHeader : n+4]
	return m, b[n+4:], nil
}

// Append appends m with its header. It fails, and gives dst back as it was, if the message gets too long for the length field or has an address
// of a wrong family.
func Append(dst []byte, id uint32, m Message) ([]byte, error) {
	at := len(dst)
	b := binary.BigEndian.AppendUint16(dst, uint16(m.Type()))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, id)
	b, err := m.append(b)
	if err != nil {
		return dst, fmt.Errorf("ldpmsg: %s cannot be encoded: %w", m.Type(), err)
	}
	n := len(b) - at - 4
	if n > 0xffff-HeaderLen {
		return dst, fmt.Errorf("ldpmsg: %s of %d bytes is too long for a PDU", m.Type(), n)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	return b, nil
}

// Pack appends PDUs that hold the messages (as of Append, one after the other), as many in each as maxPDU lets. A message that is too long alone gets
// a PDU of its own.
func Pack(dst []byte, from ID, maxPDU int, messages []byte) []byte {
	for len(messages) > 0 {
		n := 0
		for n < len(messages) {
			l := 4 + int(binary.BigEndian.Uint16(messages[n+2:]))
			if n > 0 && HeaderLen+n+l > maxPDU {
				break
			}
			n += l
		}
		dst = binary.BigEndian.AppendUint16(dst, version)
		dst = binary.BigEndian.AppendUint16(dst, uint16(HeaderLen-prefixLen+n))
		dst = append(from.append(dst), messages[:n]...)
		messages = messages[n:]
	}
	return dst
}
