package packet

import "encoding/binary"

// Bits of the TCP flags byte.
const (
	TCPFin = 1
	TCPSyn = 2
)

const (
	tcpLen = 20
	optMSS = 2 // RFC 9293 section 3.2, kind 2, length 4
)

// TCP is a TCP segment with a whole header.
type TCP []byte

// ParseTCP checks that the header and its options are there.
func ParseTCP(b []byte) (TCP, Fault) {
	if len(b) < tcpLen {
		return nil, Short
	}
	hl := int(b[12]>>4) * 4
	if hl < tcpLen {
		return nil, BadHeader
	}
	if hl > len(b) {
		return nil, Short
	}
	return b, OK
}

// Syn tells whether the segment opens a connection or accepts one.
func (t TCP) Syn() bool { return t[13]&TCPSyn != 0 }

// Sum is the checksum field.
func (t TCP) Sum() uint16 { return binary.BigEndian.Uint16(t[16:18]) }

// mssAt is where the value of the MSS option stands; 0 without one, or where the options are malformed before it.
func (t TCP) mssAt() int {
	hl := int(t[12]>>4) * 4
	for i := tcpLen; i < hl; {
		switch t[i] {
		case 0:
			return 0
		case 1:
			i++
			continue
		}
		if i+1 >= hl || t[i+1] < 2 || i+int(t[i+1]) > hl {
			return 0
		}
		if t[i] == optMSS && t[i+1] == 4 {
			return i + 2
		}
		i += int(t[i+1])
	}
	return 0
}

// MSS is the maximum segment size option; false without one.
func (t TCP) MSS() (uint16, bool) {
	i := t.mssAt()
	if i == 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(t[i:]), true
}

// ClampMSS lowers the maximum segment size of a SYN to mss, mends the checksum and tells whether it changed anything.
// A SYN without the option is left alone: its sender means 536 (RFC 9293 section 3.7.1).
func (t TCP) ClampMSS(mss uint16) bool {
	if !t.Syn() {
		return false
	}
	i := t.mssAt()
	if i == 0 {
		return false
	}
	old := binary.BigEndian.Uint16(t[i:])
	if old <= mss {
		return false
	}
	binary.BigEndian.PutUint16(t[i:], mss)
	oldWord, newWord := old, mss
	if i&1 != 0 { // the value straddles two words of the sum: swapped, it counts the same
		oldWord, newWord = old<<8|old>>8, mss<<8|mss>>8
	}
	binary.BigEndian.PutUint16(t[16:18], Update(t.Sum(), oldWord, newWord))
	return true
}
