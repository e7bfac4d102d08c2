package ikev1msg

import (
	"encoding/binary"
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// Attr is a data attribute (RFC 2408 section 3.3).
type Attr struct {
	Type  uint16
	Short bool // two bytes of value in the place of a length
	Value []byte
}

// Short makes an attribute of two bytes.
func Short(typ, value uint16) Attr {
	return Attr{Type: typ, Short: true, Value: binary.BigEndian.AppendUint16(nil, value)}
}

// Long makes an attribute of four bytes, as IOS writes lifetimes.
func Long(typ uint16, value uint32) Attr {
	return Attr{Type: typ, Value: binary.BigEndian.AppendUint32(nil, value)}
}

// Number is the value as a number. What needs more than 64 bits is the highest number.
func (a Attr) Number() uint64 {
	var n uint64
	for _, b := range a.Value {
		if n>>56 != 0 {
			return ^uint64(0)
		}
		n = n<<8 | uint64(b)
	}
	return n
}

const shortForm = 0x8000

// parseAttrs takes all of b as attributes.
func parseAttrs(b []byte) ([]Attr, error) {
	var list []Attr
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fmt.Errorf("ikev1msg: attribute %d: %w", len(list)+1, ikemsg.ErrShort)
		}
		typ, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if typ&shortForm != 0 {
			list = append(list, Attr{Type: typ &^ shortForm, Short: true, Value: b[2:4:4]})
			b = b[4:]
			continue
		}
		if n > len(b)-4 {
			return nil, fmt.Errorf("ikev1msg: attribute %d (type %d) of %d bytes where %d are left: %w", len(list)+1, typ, n, len(b)-4, ikemsg.ErrShort)
		}
		list = append(list, Attr{Type: typ, Value: b[4 : 4+n : 4+n]})
		b = b[4+n:]
	}
	return list, nil
}

func appendAttrs(b []byte, list []Attr) []byte {
	for _, a := range list {
		if a.Short {
			b = binary.BigEndian.AppendUint16(b, a.Type|shortForm)
			b = append(b, a.Value...)
			continue
		}
		b = binary.BigEndian.AppendUint16(b, a.Type)
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.Value)))
		b = append(b, a.Value...)
	}
	return b
}

// Lifetimes are the lifetimes among attributes; zero where there is none. Types and durations are told by the attribute numbers of the
// phase, and belong together in the order in which they stand, whatever is between them.
func Lifetimes(list []Attr, typeAttr, durationAttr uint16) (seconds, kilobytes uint64) {
	var types, durations []uint64
	for _, a := range list {
		switch a.Type {
		case typeAttr:
			types = append(types, a.Number())
		case durationAttr:
			durations = append(durations, a.Number())
		}
	}
	for i, d := range durations {
		kind := uint64(LifeSeconds)
		if i < len(types) {
			kind = types[i]
		}
		switch kind {
		case LifeSeconds:
			seconds = d
		case LifeKilobytes:
			kilobytes = d
		}
	}
	return seconds, kilobytes
}

// AppendLifetime writes a lifetime as attributes of phase 2: its kind and its duration.
func AppendLifetime(b []byte, kind uint16, duration uint32) []byte {
	return appendAttrs(b, []Attr{Short(Attr2LifeType, kind), Long(Attr2LifeDuration, duration)})
}

// ParseLifetimes reads the lifetimes of a RESPONDER-LIFETIME notification of phase 2; zero where there is none.
func ParseLifetimes(b []byte) (seconds, kilobytes uint64, err error) {
	list, err := parseAttrs(b)
	if err != nil {
		return 0, 0, err
	}
	seconds, kilobytes = Lifetimes(list, Attr2LifeType, Attr2LifeDuration)
	return seconds, kilobytes, nil
}
