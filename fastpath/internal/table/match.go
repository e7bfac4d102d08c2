package table

import (
	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// What follows is for who explains what the others found: it takes longer than they do, and the writer is held up meanwhile.

// Longest is how long the prefix is that Lookup finds for dst; false where it finds none.
func (t *Tables) Longest(vrf uint16, dst uint32) (plen int, ok bool) {
	if int(vrf) >= len(t.vrfs) {
		return 0, false
	}
	for plen = 32; plen >= 0; plen-- {
		if _, ok := t.Route(vrf, dst&netmask(plen), plen); ok {
			return plen, true
		}
	}
	return 0, false
}

// netmask is the mask of a prefix.
func netmask(plen int) uint32 { return uint32(uint64(1<<32-1) << (32 - plen)) }

// InboundSA is the association by which packets of a protection come from a peer: ESP's where there are ESP and AH, and of several the latest. remote 0 is
// any peer. nil: there is none.
func (t *Tables) InboundSA(vrf uint16, local, remote, protection uint32) (found *SA) {
	for id := range t.sas {
		s := t.SA(uint32(id))
		if s == nil || !s.Is(SAInbound) || s.VRF != vrf || s.Local != local || s.Protection.Load() != protection {
			continue
		}
		if addr, _ := s.Remote(); remote != 0 && addr != remote {
			continue
		}
		if found == nil || found.Is(SAAH) && !s.Is(SAAH) || found.Is(SAAH) == s.Is(SAAH) && found.Generation < s.Generation {
			found = s
		}
	}
	return found
}

// Members tells whether a hop leads by several ways, and which those are; the mark Software is left off.
func (t *Tables) Members(h Hop) (list []uint32) {
	for _, id := range t.hopPaths(uint32(h)) {
		list = append(list, id&^Software)
	}
	return list
}

// OuterLabels are the labels by which the peer of a tunnel's adjacency is reached, outermost first.
func (a *Adj) OuterLabels() (list []uint32) {
	n := a.outerStack()
	if n <= 0 {
		return nil
	}
	var outer [fib.MaxOuter]byte
	b := append(append(outer[:0], a.Front()...), a.Outer[OuterRoom-int(a.OuterLen)+len(a.Front()):]...)
	for at := a.EthernetLen(); at < int(a.LinkLen); at += packet.LabelLen {
		list = append(list, packet.GetLSE(b[at:]).Label())
	}
	return list
}
