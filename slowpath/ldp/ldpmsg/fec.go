package ldpmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// FEC element types (section 3.4.1).
const (
	elementWildcard = 1
	elementPrefix   = 2
)

// Address families.
const (
	familyIPv4 = 1
	familyIPv6 = 2
)

// family is that of an address, with its length in bytes; 0, 0 for one that has none.
func family(a netip.Addr) (byte, int) {
	switch {
	case a.Is4():
		return familyIPv4, 4
	case a.Is6() && a.Zone() == "":
		return familyIPv6, 16
	}
	return 0, 0
}

// addrLen is the length of a family's addresses in bytes, 0 if it is not known.
func addrLen(family uint16) int {
	switch family {
	case familyIPv4:
		return 4
	case familyIPv6:
		return 16
	}
	return 0
}

// FEC is what labels are for: prefixes, or everything (the wildcard), which only Label Withdraw and Release may have.
type FEC struct {
	Wildcard bool
	Prefixes []netip.Prefix
}

func (f FEC) append(b []byte) ([]byte, error) {
	b, at := open(b, TLVFEC)
	if f.Wildcard {
		return closeTLV(append(b, elementWildcard), at)
	}
	for _, p := range f.Prefixes {
		f, _ := family(p.Addr())
		if !p.IsValid() || f == 0 {
			return b, fmt.Errorf("prefix %s is of no family", p)
		}
		b = append(b, elementPrefix, 0, f, byte(p.Bits()))
		b = append(b, p.Masked().Addr().AsSlice()[:(p.Bits()+7)/8]...)
	}
	return closeTLV(b, at)
}

// parseFEC reads the elements. What is not known, by type or by family, makes all of the message unusable, and no more.
func (s *scan) parseFEC(v []byte, wildcard bool) (FEC, error) {
	var f FEC
	if len(v) == 0 {
		return f, s.bad(MalformedTLV, "FEC without elements")
	}
	if v[0] == elementWildcard {
		if !wildcard {
			return f, s.bad(UnknownFEC, "wildcard in a message that has to name its FEC")
		}
		if len(v) != 1 {
			return f, s.bad(MalformedTLV, "wildcard beside other elements")
		}
		return FEC{Wildcard: true}, nil
	}
	for len(v) > 0 {
		size := 0
		if len(v) >= 4 {
			size = addrLen(binary.BigEndian.Uint16(v[1:]))
		}
		switch {
		case v[0] == elementWildcard:
			return f, s.bad(MalformedTLV, "wildcard beside other elements")
		case v[0] != elementPrefix:
			return f, s.bad(UnknownFEC, "FEC element of an unknown type")
		case len(v) < 4:
			return f, s.bad(MalformedTLV, "prefix cut off")
		case size == 0:
			return f, s.bad(UnsupportedFamily, "prefix of an unknown family")
		case int(v[3]) > size*8:
			return f, s.bad(MalformedTLV, "prefix longer than an address")
		}
		bits := int(v[3])
		n := (bits + 7) / 8
		if len(v) < 4+n {
			return f, s.bad(MalformedTLV, "prefix cut off")
		}
		var b [16]byte
		copy(b[:], v[4:4+n])
		a, _ := netip.AddrFromSlice(b[:size])
		f.Prefixes = append(f.Prefixes, netip.PrefixFrom(a, bits).Masked())
		v = v[4+n:]
	}
	return f, nil
}

// appendAddresses appends an Address List: one family only.
func appendAddresses(b []byte, addrs []netip.Addr) ([]byte, error) {
	b, at := open(b, TLVAddressList)
	f := byte(familyIPv4)
	if len(addrs) > 0 {
		f, _ = family(addrs[0])
	}
	b = append(b, 0, f)
	for _, a := range addrs {
		if g, _ := family(a); g != f || g == 0 {
			return b, fmt.Errorf("address %s is of no family, or not of that of the others", a)
		}
		b = append(b, a.AsSlice()...)
	}
	return closeTLV(b, at)
}

func (s *scan) parseAddresses(v []byte) ([]netip.Addr, error) {
	if len(v) < 2 {
		return nil, s.bad(BadTLVLength, "address list without a family")
	}
	n := addrLen(binary.BigEndian.Uint16(v))
	switch v = v[2:]; {
	case n == 0:
		return nil, s.bad(UnsupportedFamily, "addresses of an unknown family")
	case len(v)%n != 0:
		return nil, s.bad(MalformedTLV, "address cut off")
	}
	out := make([]netip.Addr, 0, len(v)/n)
	for ; len(v) > 0; v = v[n:] {
		a, _ := netip.AddrFromSlice(v[:n])
		out = append(out, a)
	}
	return out, nil
}
