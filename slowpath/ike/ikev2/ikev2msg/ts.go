package ikev2msg

import (
	"fmt"
	"net/netip"

	"nave/slowpath/ike/ikemsg"
)

// Kinds of traffic selectors.
const (
	tsIPv4 = 7
	tsIPv6 = 8
)

// Selector is a traffic selector: addresses and ports from Start to End (RFC 7296 section 3.13.1).
type Selector struct {
	Protocol           uint8 // 0: any
	StartPort, EndPort uint16
	Start, End         netip.Addr
}

// Host is a selector of one IPv4 address and protocol, all ports.
func Host(a netip.Addr, protocol uint8) Selector {
	return Selector{Protocol: protocol, EndPort: 0xffff, Start: a, End: a}
}

// AppendTS writes the body of a TSi or TSr payload, of IPv4 selectors.
func AppendTS(b []byte, list []Selector) []byte {
	b = append(b, byte(len(list)), 0, 0, 0)
	for _, s := range list {
		start, end := s.Start.As4(), s.End.As4()
		b = append(b, tsIPv4, s.Protocol, 0, 16, byte(s.StartPort>>8), byte(s.StartPort), byte(s.EndPort>>8), byte(s.EndPort))
		b = append(append(b, start[:]...), end[:]...)
	}
	return b
}

// ParseTS reads the body of a TSi or TSr payload. Selectors that are not of IPv4 are left out.
func ParseTS(b []byte) ([]Selector, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("ikev2msg: traffic selectors of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	var list []Selector
	count := int(b[0])
	b = b[4:]
	for i := range count {
		if len(b) < 8 {
			return nil, fmt.Errorf("ikev2msg: traffic selector %d: %w", i+1, ikemsg.ErrShort)
		}
		n := int(be16(b[2:]))
		if n < 8 || n > len(b) || b[0] == tsIPv4 && n != 16 || b[0] == tsIPv6 && n != 40 {
			return nil, fmt.Errorf("ikev2msg: traffic selector %d of kind %d and %d bytes, %d are left: %w", i+1, b[0], n, len(b), ErrSyntax)
		}
		if b[0] == tsIPv4 {
			list = append(list, Selector{
				Protocol: b[1], StartPort: be16(b[4:]), EndPort: be16(b[6:]),
				Start: netip.AddrFrom4([4]byte(b[8:12])), End: netip.AddrFrom4([4]byte(b[12:16])),
			})
		}
		b = b[n:]
	}
	if count == 0 || len(b) != 0 {
		return nil, fmt.Errorf("ikev2msg: %d traffic selectors, and %d bytes behind them: %w", count, len(b), ErrSyntax)
	}
	return list, nil
}

// Covers tells whether the selector lets a protocol between any ports of an address through.
func (s Selector) Covers(a netip.Addr, protocol uint8) bool {
	return (s.Protocol == 0 || s.Protocol == protocol) && s.StartPort == 0 && s.EndPort == 0xffff && s.Start.Compare(a) <= 0 && a.Compare(s.End) <= 0
}
