package packet

import "encoding/binary"

// EthernetLen is the length of an untagged Ethernet header, in bytes.
const EthernetLen = 14

// VLANLen is how many bytes an 802.1Q tag adds: a type (TypeVLAN) between the addresses and the type of the frame, and the tag control information, whose low 12 bits
// are the VLAN.
const VLANLen = 4

// VLANID is the VLAN in a tag control information (IEEE 802.1Q section 9.6).
const VLANID = 0x0fff

// Ethernet is an untagged Ethernet frame from its destination address on.
type Ethernet []byte

// ParseEthernet checks that the header is there.
func ParseEthernet(b []byte) (Ethernet, Fault) {
	if len(b) < EthernetLen {
		return nil, Short
	}
	return b, OK
}

// Dst is the destination address.
func (e Ethernet) Dst() [6]byte { return [6]byte(e[0:6]) }

// Src is the source address.
func (e Ethernet) Src() [6]byte { return [6]byte(e[6:12]) }

// Type is the EtherType.
func (e Ethernet) Type() uint16 { return binary.BigEndian.Uint16(e[12:14]) }

// IsGroup tells whether the destination is a multicast or the broadcast address.
func (e Ethernet) IsGroup() bool { return e[0]&1 != 0 }

// DstWord is the destination address as a number, to compare in one step.
func (e Ethernet) DstWord() uint64 { return binary.BigEndian.Uint64(e[0:8]) >> 16 }

// MACWord is the number that DstWord gives for the address m.
func MACWord(m [6]byte) uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// WordMAC is the address that MACWord made w of.
func WordMAC(w uint64) [6]byte {
	return [6]byte{byte(w >> 40), byte(w >> 32), byte(w >> 24), byte(w >> 16), byte(w >> 8), byte(w)}
}

// PutEthernet writes a header into b, which has room for EthernetLen bytes.
func PutEthernet(b []byte, dst, src [6]byte, typ uint16) {
	_ = b[EthernetLen-1]
	copy(b[0:6], dst[:])
	copy(b[6:12], src[:])
	binary.BigEndian.PutUint16(b[12:14], typ)
}
