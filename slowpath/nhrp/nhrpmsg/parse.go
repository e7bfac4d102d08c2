package nhrpmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ParseError says what is wrong with a packet. Code is the error to report to the sender, where the packet got far
// enough to know one; zero otherwise: nobody is to be answered.
type ParseError struct {
	What     string
	Offset   int // byte that is at fault
	Code     ErrorCode
	Checksum bool // the checksum is wrong
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("nhrpmsg: %s at byte %d", e.What, e.Offset)
}

func bad(offset int, code ErrorCode, what string) error {
	return &ParseError{What: what, Offset: offset, Code: code}
}

// Parse decodes the packet at the start of b; bytes after the length that it states are padding of lower layers and
// ignored. An error is a *ParseError; where it has a Code, the Message holds what was read before the fault,
// its addresses at least.
func Parse(b []byte) (Message, error) {
	var m Message
	if len(b) < fixedLen+mandatoryLen {
		return m, bad(len(b), 0, "packet too short")
	}
	size := int(binary.BigEndian.Uint16(b[10:]))
	if size > len(b) || size < fixedLen+mandatoryLen {
		return m, bad(10, 0, "packet size does not match")
	}
	b = b[:size]
	if b[16] != version {
		return m, bad(16, 0, "not version 1")
	}
	if !ChecksumOK(b) {
		return m, &ParseError{What: "wrong checksum", Offset: 12, Checksum: true}
	}
	return parse(b)
}

// ParsePrefix decodes a packet in error, which may be cut off: header and addresses as far as they are there.
// Sizes and checksum are not looked at. ok is false if not even the addresses are complete.
func ParsePrefix(b []byte) (m Message, ok bool) {
	if len(b) < fixedLen+mandatoryLen || b[16] != version {
		return m, false
	}
	_, _, err := m.parseHeader(b)
	return m, err == nil
}

// parseHeader reads fixed part and mandatory part up to where entries or a packet begin, at offset n.
func (m *Message) parseHeader(b []byte) (n int, l lens, err error) {
	m.Family = binary.BigEndian.Uint16(b)
	m.Protocol = binary.BigEndian.Uint16(b[2:])
	l, ok := lensOf(m.Family, m.Protocol)
	if !ok {
		return 0, l, bad(0, 0, "unsupported address family or protocol type")
	}
	if b[4]|b[5]|b[6]|b[7]|b[8] != 0 {
		return 0, l, bad(4, 0, "SNAP identifier where there should be none")
	}
	m.HopCount = b[9]
	m.Type = Type(b[17])
	if b[19] != 0 {
		return 0, l, bad(19, 0, "NBMA subaddress")
	}
	m.Flags = binary.BigEndian.Uint16(b[22:])
	if m.Type.carriesPacket() {
		m.Code = binary.BigEndian.Uint16(b[24:])
		m.Offset = binary.BigEndian.Uint16(b[26:])
	} else {
		m.RequestID = binary.BigEndian.Uint32(b[24:])
	}
	n = fixedLen + mandatoryLen
	for _, f := range [...]struct {
		at, want int
		addr     *netip.Addr
	}{{18, l.nbma, &m.SrcNBMA}, {20, l.proto, &m.SrcProto}, {21, l.proto, &m.DstProto}} {
		if *f.addr, n, ok = takeAddr(b, n, int(b[f.at]), f.want); !ok {
			return n, l, bad(f.at, 0, "address length does not match")
		}
	}
	return n, l, nil
}

// parse reads a packet whose size and checksum are right.
func parse(b []byte) (Message, error) {
	var m Message
	n, l, err := m.parseHeader(b)
	if err != nil {
		return m, err
	}
	end := len(b)
	if off := int(binary.BigEndian.Uint16(b[14:])); off != 0 {
		if off < n || off >= len(b) {
			return m, bad(14, ProtocolError, "extensions offset outside the packet")
		}
		end = off
	}
	if m.Type.carriesPacket() {
		m.Packet = b[n:end]
	} else if m.CIEs, err = parseCIEs(b[:end], n, l); err != nil {
		return m, err
	}
	if end < len(b) {
		m.Exts, err = parseExtensions(b, end)
	}
	return m, err
}

// takeAddr reads an address of size bytes at offset n, which must be want or nothing.
func takeAddr(b []byte, n, size, want int) (netip.Addr, int, bool) {
	if size == 0 {
		return netip.Addr{}, n, true
	}
	if size != want || len(b)-n < size {
		return netip.Addr{}, n, false
	}
	a, ok := netip.AddrFromSlice(b[n : n+size])
	return a, n + size, ok
}
