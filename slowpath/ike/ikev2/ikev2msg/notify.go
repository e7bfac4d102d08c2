package ikev2msg

import (
	"encoding/binary"
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// Notify is a notification (RFC 7296 section 3.10).
type Notify struct {
	Protocol uint8 // of SPI; ProtoNone without one
	SPI      []byte
	Type     uint16
	Data     []byte
}

// Append writes the body.
func (n Notify) Append(b []byte) []byte {
	b = append(b, n.Protocol, byte(len(n.SPI)), byte(n.Type>>8), byte(n.Type))
	return append(append(b, n.SPI...), n.Data...)
}

// ParseNotify reads the body of a Notify payload.
func ParseNotify(b []byte) (n Notify, err error) {
	if len(b) < 4 || len(b) < 4+int(b[1]) {
		return n, fmt.Errorf("ikev2msg: notification of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	spi := 4 + int(b[1])
	return Notify{Protocol: b[0], SPI: b[4:spi:spi], Type: be16(b[2:]), Data: b[spi:]}, nil
}

// Notifies reads all notifications of a list.
func Notifies(list []ikemsg.Payload) ([]Notify, error) {
	var out []Notify
	for _, p := range list {
		if p.Type != PayloadNotify {
			continue
		}
		n, err := ParseNotify(p.Body)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// Delete names SAs that the sender has taken away, by its inbound SPIs (section 3.11). Of ProtoIKE it is the SA that the message belongs to, and
// SPIs is empty.
type Delete struct {
	Protocol uint8
	SPIs     []uint32
}

// Append writes the body.
func (d Delete) Append(b []byte) []byte {
	size := byte(SPILenChild)
	if d.Protocol == ProtoIKE {
		size = 0
	}
	b = append(b, d.Protocol, size, byte(len(d.SPIs)>>8), byte(len(d.SPIs)))
	for _, s := range d.SPIs {
		b = binary.BigEndian.AppendUint32(b, s)
	}
	return b
}

// ParseDelete reads the body of a Delete payload.
func ParseDelete(b []byte) (d Delete, err error) {
	if len(b) < 4 {
		return d, fmt.Errorf("ikev2msg: delete of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	d.Protocol = b[0]
	size, count := int(b[1]), int(be16(b[2:]))
	want := SPILenChild
	if d.Protocol == ProtoIKE {
		want, count = 0, 0
	}
	if size != want || len(b) != 4+count*size {
		return d, fmt.Errorf("ikev2msg: delete of %d SPIs of %d bytes in %d: %w", count, size, len(b), ErrSyntax)
	}
	for i := range count {
		d.SPIs = append(d.SPIs, binary.BigEndian.Uint32(b[4+4*i:]))
	}
	return d, nil
}
