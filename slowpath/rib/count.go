package rib

import "nave/fastpath/fib"

// Prefixes counts the prefixes of a VRF that something is known of, hosts on links among them.
func (r *RIB) Prefixes(vrf fib.VRF) int {
	if t := r.tables[vrf]; t != nil {
		return len(t.entries)
	}
	return 0
}
