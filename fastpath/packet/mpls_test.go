package packet

import "testing"

func TestLSE(t *testing.T) {
	e := MakeLSE(0xabcde, 5, true, 64)
	var b [4]byte
	e.Put(b[:])
	if b != [4]byte{0xab, 0xcd, 0xeb, 0x40} || GetLSE(b[:]) != e {
		t.Errorf("%x", b)
	}
	if e.Label() != 0xabcde || e.EXP() != 5 || !e.Bottom() || e.TTL() != 64 {
		t.Errorf("label %x, EXP %d, bottom %v, TTL %d", e.Label(), e.EXP(), e.Bottom(), e.TTL())
	}
	if e := MakeLSE(16, 255, false, 0); e.EXP() != 7 || e.Bottom() || e.Label() != 16 {
		t.Errorf("%08x", uint32(e))
	}
}

func TestStackLen(t *testing.T) {
	stack := []byte{0, 1, 0, 9, 0, 2, 0, 9, 0, 3, 1, 9, 0x45}
	for n := range len(stack) + 1 {
		got, fault := StackLen(stack[:n], 3)
		if n < 12 && fault != Short || n >= 12 && (got != 12 || fault != OK) {
			t.Errorf("%d bytes: %d, fault %d", n, got, fault)
		}
	}
	if _, fault := StackLen(stack, 2); fault != Short {
		t.Errorf("at most 2: fault %d", fault)
	}
}

// TestSetHeader: TTL and precedence change, and the checksum stays right, for all values.
func TestSetHeader(t *testing.T) {
	for id := range 2000 {
		h := Header{TOS: byte(id * 7), ID: uint16(id * 1311), TTL: byte(id), Proto: byte(id * 3), Src: [4]byte{10, 1, byte(id), 2}, Dst: [4]byte{10, 2, 3, byte(id >> 3)}}
		b := make([]byte, IPv4Len)
		h.Put(b, 0)
		ip := IPv4(b)
		ip.SetTTL(byte(id * 31))
		ip.SetPrecedence(byte(id) & 7)
		if Checksum(b) != 0 || ip.TTL() != byte(id*31) || ip.TOS() != byte(id*7)&0x1f|byte(id&7)<<5 {
			t.Fatalf("%x", b)
		}
	}
}
