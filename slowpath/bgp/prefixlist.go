package bgp

import "net/netip"

// Permits tells whether a prefix is in the list.
func (l PrefixList) Permits(p netip.Prefix) bool {
	for _, r := range l {
		lo, hi := r.lengths()
		if p.Bits() >= lo && p.Bits() <= hi && p.Bits() >= r.Prefix.Bits() && r.Prefix.Contains(p.Addr()) {
			return !r.Deny
		}
	}
	return false
}

// Matches tells whether a clause is about a prefix. A list that is not among lists matches all, as in IOS.
func (c *Clause) Matches(p netip.Prefix, lists map[string]PrefixList) bool {
	for _, name := range c.PrefixLists {
		if l, ok := lists[name]; !ok || l.Permits(p) {
			return true
		}
	}
	return len(c.PrefixLists) == 0 && !c.Match
}

// region is a set of prefixes: those within p whose length is lo to hi.
type region struct {
	p      netip.Prefix
	lo, hi int
}

// regions are the prefixes that a list permits, as a union: GoBGP's sets know no "deny".
func (l PrefixList) regions() []region {
	var out, denied []region
	for _, rule := range l {
		lo, hi := rule.lengths()
		r := region{rule.Prefix.Masked(), lo, hi}
		if rule.Deny {
			denied = append(denied, r)
			continue
		}
		left := []region{r}
		for _, d := range denied {
			var next []region
			for _, x := range left {
				next = append(next, x.without(d)...)
			}
			left = next
		}
		out = append(out, left...)
	}
	return out
}

// without is what of a region is not in another.
func (r region) without(d region) []region {
	if !r.p.Overlaps(d.p) || r.hi < d.lo || d.hi < r.lo {
		return []region{r}
	}
	var out []region
	keep := func(p netip.Prefix, lo, hi int) {
		if lo = max(lo, p.Bits()); lo <= hi {
			out = append(out, region{p, lo, hi})
		}
	}
	if d.p.Bits() <= r.p.Bits() { // all of r's addresses are d's
		keep(r.p, r.lo, min(r.hi, d.lo-1))
		keep(r.p, max(r.lo, d.hi+1), r.hi)
		return out
	}
	// Prefixes shorter than d's, then those beside it, then those within it.
	keep(r.p, r.lo, min(r.hi, d.p.Bits()-1))
	for n := r.p.Bits() + 1; n <= d.p.Bits(); n++ {
		keep(sibling(d.p.Addr(), n), max(r.lo, d.p.Bits()), r.hi)
	}
	keep(d.p, r.lo, min(r.hi, d.lo-1))
	keep(d.p, max(r.lo, d.hi+1), r.hi)
	return out
}

// sibling is the prefix of n bits that differs from a's in the last one.
func sibling(a netip.Addr, n int) netip.Prefix {
	b := a.AsSlice()
	b[(n-1)/8] ^= 0x80 >> ((n - 1) % 8)
	flipped, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(flipped, n).Masked()
}
