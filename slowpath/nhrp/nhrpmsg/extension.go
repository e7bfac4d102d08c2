package nhrpmsg

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ExtType is the type of an extension, 14 bits.
type ExtType uint16

// Extension types (RFC 2332 section 5.3). In DMVPN 9 is Cisco's NAT address, not RFC 2735's device capabilities.
const (
	ExtEnd            ExtType = 0
	ExtResponder      ExtType = 3
	ExtForwardTransit ExtType = 4
	ExtReverseTransit ExtType = 5
	ExtAuthentication ExtType = 7
	ExtVendor         ExtType = 8
	ExtNAT            ExtType = 9
)

const (
	extLen        = 4
	extCompulsory = 0x8000
	extReserved   = 0x4000
	extTypeMask   = 0x3fff
)

// Extension is one extension. Value is what stands on the wire; Entries reads it as a list of client entries.
type Extension struct {
	Compulsory bool // who does not know it must not ignore it
	Reserved   bool // the bit that the RFC leaves unused, kept
	Type       ExtType
	Value      []byte
}

// Known tells the extensions that this package has a name for.
func (t ExtType) Known() bool {
	switch t {
	case ExtEnd, ExtResponder, ExtForwardTransit, ExtReverseTransit, ExtAuthentication, ExtVendor, ExtNAT:
		return true
	}
	return false
}

// End is the extension that ends the list.
func End() Extension { return Extension{Compulsory: true, Type: ExtEnd} }

// Empty is a compulsory extension without a value, to be filled by those whom it passes.
func Empty(t ExtType) Extension { return Extension{Compulsory: true, Type: t} }

func (e *Extension) append(b []byte) []byte {
	h := uint16(e.Type) & extTypeMask
	if e.Compulsory {
		h |= extCompulsory
	}
	if e.Reserved {
		h |= extReserved
	}
	b = binary.BigEndian.AppendUint16(b, h)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Value)))
	return append(b, e.Value...)
}

// parseExtensions reads the extensions part at offset n, which ends the packet.
func parseExtensions(b []byte, n int) ([]Extension, error) {
	out := make([]Extension, 0, 7)
	for {
		if len(b)-n < extLen {
			return out, bad(n, InvalidExtension, "extensions without an end")
		}
		h := binary.BigEndian.Uint16(b[n:])
		size := int(binary.BigEndian.Uint16(b[n+2:]))
		if size > len(b)-n-extLen {
			return out, bad(n+2, InvalidExtension, "extension longer than the packet")
		}
		e := Extension{Compulsory: h&extCompulsory != 0, Reserved: h&extReserved != 0, Type: ExtType(h & extTypeMask)}
		if size > 0 {
			e.Value = b[n+extLen : n+extLen+size : n+extLen+size]
		}
		out = append(out, e)
		n += extLen + size
		if e.Type == ExtEnd {
			if size != 0 || n != len(b) {
				return out, bad(n, InvalidExtension, "bytes after the end of extensions")
			}
			return out, nil
		}
	}
}

// Ext finds the first extension of a type; nil if there is none.
func (m *Message) Ext(t ExtType) *Extension {
	for i := range m.Exts {
		if m.Exts[i].Type == t {
			return &m.Exts[i]
		}
	}
	return nil
}

// Entries reads the value of an extension of m as client information entries. The error's offset counts from the value.
func (m *Message) Entries(e *Extension) ([]CIE, error) {
	l, ok := lensOf(m.Family, m.Protocol)
	if !ok {
		return nil, bad(0, InvalidExtension, "unsupported address family or protocol type")
	}
	out, err := parseCIEs(e.Value, 0, l)
	if err != nil {
		var at *ParseError
		if errors.As(err, &at) {
			at.Code = InvalidExtension
		}
	}
	return out, err
}

// AddEntry appends an entry to the value of an extension; the old value's bytes are not written to.
func (e *Extension) AddEntry(c CIE) {
	e.Value = c.append(slices.Clip(e.Value))
}

// Auth is Cisco's plain-text authentication extension: SPI 1, then the password.
func Auth(password string) Extension {
	return Extension{Compulsory: true, Type: ExtAuthentication, Value: append([]byte{0, 0, 0, 1}, password...)}
}

// Vendor splits the value of a vendor private extension into organisation (24 bits) and data. ok is false if it is too short.
func (e *Extension) Vendor() (oui uint32, data []byte, ok bool) {
	if len(e.Value) < 3 {
		return 0, nil, false
	}
	return uint32(e.Value[0])<<16 | uint32(e.Value[1])<<8 | uint32(e.Value[2]), e.Value[3:], true
}
