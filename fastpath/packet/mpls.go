package packet

import "encoding/binary"

// LabelLen is the length of a label stack entry, in bytes.
const LabelLen = 4

// LSE is a label stack entry (RFC 3032 section 2.1): a label of 20 bits, 3 bits of EXP (traffic class, RFC 5462), the bottom of stack bit,
// and the time to live.
type LSE uint32

// Fields of an entry.
const (
	LSEBottom LSE = 1 << 8 // of the last entry of a stack
	LSEExp    LSE = 7 << 9
)

// MakeLSE puts an entry together.
func MakeLSE(label uint32, exp uint8, bottom bool, ttl uint8) LSE {
	e := LSE(label)<<12 | LSE(exp&7)<<9 | LSE(ttl)
	if bottom {
		e |= LSEBottom
	}
	return e
}

// GetLSE reads the entry that b begins with, which has LabelLen bytes at least.
func GetLSE(b []byte) LSE { return LSE(binary.BigEndian.Uint32(b)) }

// Put writes the entry into b, which has room for LabelLen bytes.
func (e LSE) Put(b []byte) { binary.BigEndian.PutUint32(b, uint32(e)) }

// Label is the label.
func (e LSE) Label() uint32 { return uint32(e >> 12) }

// EXP is the traffic class, 0 to 7.
func (e LSE) EXP() uint8 { return uint8(e>>9) & 7 }

// Bottom tells whether the entry is the last of its stack.
func (e LSE) Bottom() bool { return e&LSEBottom != 0 }

// TTL is the time to live.
func (e LSE) TTL() uint8 { return uint8(e) }

// StackLen is how many bytes the label stack takes that b begins with. Short: b ends before it, or it has more than most entries.
func StackLen(b []byte, most int) (int, Fault) {
	for i := 0; i < most && len(b) >= (i+1)*LabelLen; i++ {
		if GetLSE(b[i*LabelLen:]).Bottom() {
			return (i + 1) * LabelLen, OK
		}
	}
	return 0, Short
}
