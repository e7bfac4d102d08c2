package dmvpn

import (
	"net/netip"
	"slices"

	"nave/slowpath/ike"
)

// TunnelsOf are the tunnels of a protection, sorted; where that is 0, of all protections whose end is local in a VRF. The caller must not write to the slice.
func (m *Machine) TunnelsOf(protection uint32, vrf uint16, local netip.Addr) []string {
	if p := m.protections[protection]; p != nil {
		return p.Ifaces
	}
	var out []string
	for _, p := range m.protections {
		if p.VRF == vrf && p.Local == local {
			out = append(out, p.Ifaces...)
		}
	}
	slices.Sort(out)
	return out
}

// ChildOf is what stands of a child in the fast path, without its keys. ok is false where there is none.
func (m *Machine) ChildOf(id ike.ChildID) (s ike.ChildStatus, ok bool) {
	c := m.children[id]
	if c == nil {
		return s, false
	}
	return Describe(&c.spec), true
}

// Describe is a child without its keys.
func Describe(c *ike.Child) ike.ChildStatus {
	return ike.ChildStatus{
		ID: c.ID, SA: c.SA, Version: c.Version, Protection: c.Protection, Path: c.Path, Encap: c.Encap, Transform: c.Transform, Window: c.Window,
		ESP: ike.SPIs{In: c.ESP.InSPI, Out: c.ESP.OutSPI}, AH: ike.SPIs{In: c.AH.InSPI, Out: c.AH.OutSPI}, PFS: c.PFS, Created: c.Created,
		Lifetime: c.Lifetime, Kilobytes: c.HardBytes / 1024, Peer: c.Peer, Claimed: c.Claimed, Initiator: c.Initiator,
	}
}
