package bgp

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
