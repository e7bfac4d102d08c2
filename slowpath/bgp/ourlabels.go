package bgp

import "net/netip"

// OurLabels are the labels of ours that are in use for prefixes of others, and what each is for.
func (s *Speaker) OurLabels() map[uint32]LabelFor {
	s.swaps.mu.Lock()
	defer s.swaps.mu.Unlock()
	out := make(map[uint32]LabelFor, len(s.swaps.m))
	for f, e := range s.swaps.m {
		if e.gone == nil {
			out[e.label] = f
		}
	}
	return out
}

// Chosen are the route distinguishers whose paths a VRF has taken, of those that its import targets let in: the best for each prefix.
func (s *Speaker) Chosen(vrf string) map[netip.Prefix]RD {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.vrfs[vrf]
	if v == nil {
		return nil
	}
	out := make(map[netip.Prefix]RD, len(v.imports))
	for p, list := range v.imports {
		if v.learned[p] == nil && len(list) > 0 {
			out[p] = list[0].rd
		}
	}
	return out
}
