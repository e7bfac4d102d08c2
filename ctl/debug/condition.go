package debug

import (
	"fmt"
	"net/netip"
	"slices"

	"nave/slowpath/trace"
)

// MostConditions is how many a family may have: each is compared with everything that happens.
const MostConditions = 64

// Condition selects by whom something is about. One of its fields is set.
type Condition struct {
	NBMA   netip.Prefix `json:"nbma,omitzero"`   // `peer nbma`
	Tunnel netip.Prefix `json:"tunnel,omitzero"` // `peer tunnel`
	Iface  string       `json:"interface,omitempty"`
	VRF    string       `json:"vrf,omitempty"`
}

// Condition is c as the protocols are told of it.
func (c Condition) Condition() trace.Condition {
	return trace.Condition{NBMA: c.NBMA, Tunnel: c.Tunnel, Iface: c.Iface, VRF: c.VRF}
}

// check says what is wrong with a condition.
func (c Condition) check() error {
	n := 0
	for _, set := range []bool{c.NBMA.IsValid(), c.Tunnel.IsValid(), c.Iface != "", c.VRF != ""} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("debug: a condition of %d parts; say one of peer nbma, peer tunnel, interface and vrf", n)
	}
	return nil
}

// Conditions select together: what fits one of them is told. Where there are none, everything is.
type Conditions struct {
	List []Condition `json:"list,omitempty"` // in the order that they were set
	// Unmatched has told, too, what can't be compared with any of them, as it is not known yet whom it is about.
	Unmatched bool `json:"unmatched,omitempty"`
}

// Any tells whether there are conditions.
func (c *Conditions) Any() bool { return len(c.List) > 0 }

func (c Conditions) clone() Conditions {
	c.List = slices.Clone(c.List)
	return c
}

// apply sets or removes what a change names.
func (c *Conditions) apply(ch Change) error {
	switch {
	case ch.Unmatched:
		c.Unmatched = !ch.Off
		return nil
	case ch.Condition == nil && ch.Off:
		*c = Conditions{}
		return nil
	case ch.Condition == nil:
		return fmt.Errorf("debug: no condition is said; say peer nbma, peer tunnel, interface, vrf or unmatched")
	}
	one := *ch.Condition
	one.NBMA, one.Tunnel = one.NBMA.Masked(), one.Tunnel.Masked()
	if err := one.check(); err != nil {
		return err
	}
	at := slices.Index(c.List, one)
	switch {
	case ch.Off && at < 0:
		return fmt.Errorf("debug: this condition is not set; `show debug condition` lists those that are")
	case ch.Off:
		c.List = slices.Delete(c.List, at, at+1)
	case at >= 0:
	case len(c.List) >= MostConditions:
		return fmt.Errorf("debug: there are %d conditions already; remove one, or select by interface or network", MostConditions)
	default:
		c.List = append(c.List, one)
	}
	return nil
}

// String is the condition as it is typed.
func (c Condition) String() string {
	switch {
	case c.NBMA.IsValid():
		return "peer nbma " + typed(c.NBMA)
	case c.Tunnel.IsValid():
		return "peer tunnel " + typed(c.Tunnel)
	case c.Iface != "":
		return "interface " + c.Iface
	}
	return "vrf " + c.VRF
}

// typed is an address, or address and mask.
func typed(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	if !p.Addr().Is4() {
		return p.String()
	}
	var mask [4]byte
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return p.Addr().String() + " " + netip.AddrFrom4(mask).String()
}
