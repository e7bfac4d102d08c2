package ldpmsg

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// TLV is a parameter that is kept as it came. U asks those who do not know it to ignore it silently, F to send it on with a message that is
// sent on (section 3.3).
type TLV struct {
	Type  TLVType
	U, F  bool
	Value []byte
}

func (t TLV) append(b []byte) []byte {
	typ := uint16(t.Type)
	if t.U {
		typ |= 0x8000
	}
	if t.F {
		typ |= 0x4000
	}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.Value)))
	return append(b, t.Value...)
}

func appendExtra(b []byte, extra []TLV) ([]byte, error) {
	for _, t := range extra {
		if len(t.Value) > 0xffff {
			return b, errors.New("a TLV of more than 65535 bytes")
		}
		b = t.append(b)
	}
	return b, nil
}

// open starts a TLV whose length is filled in by close.
func open(b []byte, t TLVType) ([]byte, int) {
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	return append(b, 0, 0), len(b) + 2
}

func closeTLV(b []byte, at int) ([]byte, error) {
	if len(b)-at > 0xffff {
		return b, errors.New("a TLV of more than 65535 bytes")
	}
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
	return b, nil
}

// append32 appends a TLV of four bytes.
func append32(b []byte, t TLVType, v uint32) []byte {
	b, _ = open(b, t)
	b[len(b)-1] = 4
	return binary.BigEndian.AppendUint32(b, v)
}

// scan reads the TLVs of a message. take is given each known one, and says whether the message has use for it; the others are kept. It stops at the
// first fault.
type scan struct {
	m     Raw
	at    int // where the TLV that is looked at begins
	extra []TLV
}

func (s *scan) bad(code Status, what string) error {
	return &Error{Code: code, MsgID: s.m.ID, Type: s.m.Type, Offset: s.at, What: what}
}

func (s *scan) each(take func(TLV) (bool, error)) error {
	for b := s.m.TLVs; s.at < len(b); {
		if len(b)-s.at < tlvHeader {
			return s.bad(BadTLVLength, "bytes after the last TLV")
		}
		typ := binary.BigEndian.Uint16(b[s.at:])
		n := int(binary.BigEndian.Uint16(b[s.at+2:]))
		if n > len(b)-s.at-tlvHeader {
			return s.bad(BadTLVLength, "TLV does not fit its message")
		}
		t := TLV{Type: TLVType(typ & 0x3fff), U: typ&0x8000 != 0, F: typ&0x4000 != 0, Value: b[s.at+tlvHeader:][:n:n]}
		used := false
		if t.Type.known() {
			var err error
			if used, err = take(t); err != nil {
				return err
			}
		} else if !t.U {
			return s.bad(UnknownTLV, "unknown TLV that is not to be ignored")
		}
		if !used {
			s.extra = append(s.extra, t)
		}
		s.at += tlvHeader + n
	}
	return nil
}

// size checks the length of a TLV that has only one.
func (s *scan) size(t TLV, n int) error {
	if len(t.Value) != n {
		return s.bad(BadTLVLength, "TLV of a wrong length")
	}
	return nil
}

// number reads a TLV of four bytes into a field that is not set yet; another one of its type is no use.
func (s *scan) number(t TLV, has *bool, v *uint32) (bool, error) {
	if *has {
		return false, nil
	}
	if err := s.size(t, 4); err != nil {
		return false, err
	}
	*has, *v = true, binary.BigEndian.Uint32(t.Value)
	return true, nil
}

// addr reads an address into a field that is not set yet.
func (s *scan) addr(t TLV, n int, a *netip.Addr) (bool, error) {
	if a.IsValid() {
		return false, nil
	}
	if err := s.size(t, n); err != nil {
		return false, err
	}
	*a, _ = netip.AddrFromSlice(t.Value)
	return true, nil
}

// missing is the fault of a message without a mandatory parameter.
func (s *scan) missing(what string) error { return s.bad(MissingParameters, what) }
