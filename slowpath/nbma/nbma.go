// Package nbma says where peers are on the transport network.
//
// One address is not enough to name a peer: behind NAT, any number of peers share a public address. The UDP port that a peer's packets come from would tell
// them apart, but it changes whenever a NAT box forgets its mappings, is another one for each destination with many boxes, and is not known to those who hear
// of a peer from others. The address that the peer has behind NAT is: NHRP carries it beside the public one (the source NBMA address and the NAT extension),
// and IKE does (the addresses in selectors, or NAT-OA).
package nbma

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Address is where a peer is on the transport network. It is comparable. The zero Address is nowhere.
type Address struct {
	Addr netip.Addr // as we see it: where packets go
	// Inside is the address that the peer has behind NAT, and the zero Addr where it has none other than Addr, or none that anybody knows. On interfaces without
	// protection it is always the zero Addr: nothing but Addr reaches a peer there.
	Inside netip.Addr
}

// Of is the address of a peer that is not behind NAT, or whose address behind it does not matter.
func Of(addr netip.Addr) Address { return Address{Addr: addr} }

// Behind is the address of a peer that is seen at addr and calls itself inside. The zero Addr for inside says that this is not known.
func Behind(addr, inside netip.Addr) Address {
	if inside = inside.Unmap(); inside == addr || inside.IsUnspecified() {
		inside = netip.Addr{}
	}
	return Address{addr, inside}
}

// IsValid tells whether there is an address at all.
func (a Address) IsValid() bool { return a.Addr.IsValid() }

// At is the same peer at another address.
func (a Address) At(addr netip.Addr) Address { return Behind(addr, a.Inside) }

// Compare orders by Addr, then by Inside.
func (a Address) Compare(b Address) int {
	return cmp.Or(a.Addr.Compare(b.Addr), a.Inside.Compare(b.Inside))
}

// String is the address, with the one behind NAT in parentheses: "192.0.2.50 (10.0.0.2)".
func (a Address) String() string {
	if !a.Inside.IsValid() {
		return a.Addr.String()
	}
	return a.Addr.String() + " (" + a.Inside.String() + ")"
}

// MarshalText is String; of the zero Address, nothing.
func (a Address) MarshalText() ([]byte, error) {
	if !a.IsValid() {
		return nil, nil
	}
	return []byte(a.String()), nil
}

// UnmarshalText is the reverse of MarshalText.
func (a *Address) UnmarshalText(b []byte) error {
	outside, inside, behind := strings.Cut(string(b), " (")
	var out Address
	if len(b) > 0 {
		addr, err := netip.ParseAddr(outside)
		if err != nil {
			return fmt.Errorf("nbma: %q: write an address, or an address and in parentheses the one behind NAT: %w", b, err)
		}
		out.Addr = addr
	}
	if behind {
		inside, closed := strings.CutSuffix(inside, ")")
		addr, err := netip.ParseAddr(inside)
		if err != nil || !closed {
			return fmt.Errorf("nbma: %q: what is behind NAT is no address in parentheses", b)
		}
		out.Inside = addr
	}
	*a = out
	return nil
}
