package rib

import (
	"net/netip"
	"slices"

	"nave/fastpath/fib"
)

// maxRecursion is how often a next hop is looked up on the way to an interface.
const maxRecursion = 8

// way is where a next hop leads in the end: to an address on an interface, or into the table that the route leaks from.
type way struct {
	iface string
	addr  netip.Addr // the zero Addr: the destination itself is on the link
	// labels are pushed, and then the label that the neighbour has bound to lsp, where that is set.
	labels Labels
	lsp    netip.Prefix
	// switched says that packets stay labelled up to the router that the way was looked up for, so that labels of its own may be pushed under these. It
	// is so on the subnet of an interface with `mpls ip`, and along a label switched path; a neighbour that pops (implicit null) is the end of one.
	switched bool
	leak     bool
	vrf      fib.VRF    // of a leak
	from     netip.Addr // the next hop as the source named it, where it was looked up
	share    float64    // of the traffic, in proportion to those of the other ways
}

// key is the next hop that packets of a way leave by.
func (w *way) key() hopKey {
	if w.leak {
		return hopKey{leak: true, vrf: w.vrf}
	}
	return hopKey{iface: w.iface, addr: w.addr, labels: w.labels, lsp: w.lsp, direct: w.labels.n > 0 || w.lsp.IsValid()}
}

// found is what a table says of an address.
type found struct {
	bits int // length of the route's prefix; -1: there is no route
	ways []way
}

// search is one look for the way to an address.
type search struct {
	on    []targetKey // being worked out: what leads through itself leads nowhere
	leaks []targetKey // also looked at, as a route leaks from there
	loops bool        // something leads through itself: what is found for an address depends on where the search began
}

// seek looks an address up. What it finds depends on what the tables, interfaces and bindings are like, and on nothing that was worked out before.
func (r *RIB) seek(k targetKey, s *search) found {
	f := found{bits: -1}
	if len(s.on) == maxRecursion || slices.Contains(s.on, k) {
		s.loops = true
		return f
	}
	s.on = append(s.on, k)
	e, c, ways := r.match(k.vrf, k.addr, s)
	if c != nil {
		f.bits = e.prefix.Bits()
		if !slices.ContainsFunc(ways, func(w way) bool { return w.leak }) {
			f.ways = ways
		} else {
			for _, w := range ways {
				if !w.leak {
					f.ways = append(f.ways, w)
					continue
				}
				there := targetKey{w.vrf, k.addr}
				s.leaks = append(s.leaks, there)
				f.ways = divide(f.ways, r.seek(there, s).ways, w.share)
			}
		}
	}
	s.on = s.on[:len(s.on)-1]
	return f
}

// match is the longest prefix with a real route to dst that leads on, and where it leads: nowhere if it is Null0 or our own address.
func (r *RIB) match(vrf fib.VRF, dst netip.Addr, s *search) (*entry, *candidate, []way) {
	t := r.tables[vrf]
	if t == nil || !dst.Is4() {
		return nil, nil, nil
	}
	for _, e := range t.lpm.Supernets(netip.PrefixFrom(dst, dst.BitLen())) {
		if c, ways := r.real(e, s); c != nil {
			return e, c, ways
		}
	}
	return nil, nil, nil
}

// real is the best candidate that is a route (not from NHRP, no mere adjacency) and leads on.
func (r *RIB) real(e *entry, s *search) (*candidate, []way) {
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.source == Adjacency || c.source == Shortcut {
			continue
		}
		if c.ends() {
			return c, nil
		}
		if ways := r.ways(e, c, c.hops, s); len(ways) > 0 {
			return c, ways
		}
	}
	return nil, nil
}

// ends tells whether a candidate is one without next hops: our own address, or Null0.
func (c *candidate) ends() bool { return c.source == Local || len(c.hops) == 0 }

// best is the candidate with the least rank that has a way on, and its ways. Candidates of that rank and source share the load.
func (r *RIB) best(e *entry, s *search) (*candidate, []way) {
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.ends() {
			return c, nil
		}
		ways := r.ways(e, c, c.hops, s)
		if len(ways) == 0 {
			continue
		}
		for k := range e.candidates[i+1:] {
			o := &e.candidates[i+1+k]
			if o.rank() == c.rank() && o.source == c.source && o.process == c.process && o.source != Connected && o.source != Adjacency {
				ways = append(ways, r.ways(e, o, o.hops, s)...)
			}
		}
		return c, ways
	}
	return nil, nil
}

// ways follows next hops of a candidate to interfaces that are up; those that lead nowhere are left out.
func (r *RIB) ways(e *entry, c *candidate, hops []NextHop, s *search) (out []way) {
	for i := range hops {
		out = r.follow(out, e.vrf, e.prefix, &hops[i], s)
	}
	switch {
	case e.vrf != fib.Global: // labels are switched in the global table only
	case c.source == Connected:
		for k := range out {
			i := r.ifaces[out[k].iface]
			out[k].switched = i != nil && i.switches()
		}
	case c.source.switches():
		r.bindWays(out, e.prefix)
	}
	return out
}

// switches tells whether LDP's labels count for routes of a source: connected routes have none, and BGP's are found by their next hops.
func (s Source) switches() bool {
	switch s {
	case Local, Connected, Shortcut, Adjacency, BGP:
		return false
	}
	return true
}

// switches tells whether labelled packets leave by an interface.
func (i *iface) switches() bool { return i.MPLS && i.VRF == fib.Global }

// bindWays has ways to a prefix take the labels that their neighbours have bound to it. Such a label takes the place of what led to the next hop.
func (r *RIB) bindWays(ways []way, p netip.Prefix) {
	bound := r.bound[p]
	if len(bound) == 0 {
		return
	}
	for k := range ways {
		w := &ways[k]
		label, ok := boundAt(bound, w.iface, w.addr)
		if i := r.ifaces[w.iface]; !ok || i == nil || !i.switches() {
			continue
		}
		w.labels, w.lsp, w.switched = Labels{}, p, true
		if label == fib.ImplicitNull {
			w.lsp = netip.Prefix{}
		}
	}
}

// follow adds the ways of one next hop of a route of a VRF. p is the route's prefix; the zero Prefix where it is no route's.
func (r *RIB) follow(out []way, vrf fib.VRF, p netip.Prefix, n *NextHop, s *search) []way {
	table := vrf
	if n.Elsewhere {
		table = n.Table
	}
	switch {
	case n.Iface != "":
		i := r.ifaces[n.Iface]
		if i == nil || !i.Up || i.VRF != table || n.Labels.n > 0 && !i.switches() {
			return out
		}
		return append(out, way{iface: n.Iface, addr: n.Addr, labels: n.Labels, switched: n.Labels.n > 0, share: n.share()})
	case !n.Addr.IsValid():
		if n.Elsewhere && table != vrf && n.Labels.n == 0 {
			out = divide(out, r.leak(nil, fib.RouteKey{VRF: table, Prefix: p}, s), n.share())
		}
		return out
	}
	f := r.look(targetKey{table, n.Addr}, s)
	if table == vrf && p.IsValid() && p.Contains(n.Addr) && f.bits <= p.Bits() {
		return out // by itself, or by what is there in its stead while it leads nowhere
	}
	first := len(out)
	for _, w := range f.ways {
		if !w.addr.IsValid() {
			w.addr = n.Addr // on the link itself
		}
		w.from = n.Addr
		if n.Labels.n == 0 {
			w.switched = false // IPv4 comes out where the next hop is
			out = append(out, w)
			continue
		}
		if labels, ok := w.labels.over(n.Labels); ok && w.switched && labels.n+w.top() <= fib.MaxLabels {
			w.labels = labels
			out = append(out, w)
		}
	}
	scale(out[first:], n.share())
	return out
}

// share is what a next hop has of the traffic.
func (n *NextHop) share() float64 { return float64(max(n.Share, 1)) }

// divide adds ways that have the share of one together.
func divide(out, ways []way, share float64) []way {
	first := len(out)
	out = append(out, ways...)
	scale(out[first:], share)
	return out
}

// scale makes the shares of ways a share together.
func scale(ways []way, share float64) {
	if len(ways) == 1 {
		ways[0].share = share
		return
	}
	sum := 0.0
	for i := range ways {
		sum += ways[i].share
	}
	for i := range ways {
		ways[i].share *= share / sum
	}
}

// top is how many labels come over those of the way itself.
func (w *way) top() int {
	if w.lsp.IsValid() {
		return 1
	}
	return 0
}

// over puts labels under s; ok is false for too many.
func (s Labels) over(under Labels) (Labels, bool) {
	if s.n+under.n > fib.MaxLabels {
		return Labels{}, false
	}
	copy(s.l[s.n:], under.l[:under.n])
	s.n += under.n
	return s, true
}

// nextHops are ways as others are told of them, with all labels that are pushed.
func (r *RIB) nextHops(ways []way) []NextHop {
	if len(ways) == 0 {
		return nil
	}
	out := make([]NextHop, len(ways))
	for k := range ways {
		w := &ways[k]
		if w.leak {
			out[k] = NextHop{Elsewhere: true, Table: w.vrf}
			continue
		}
		out[k] = NextHop{Iface: w.iface, Addr: w.addr}
		out[k].Labels, _ = r.stack(w.iface, w.addr, w.lsp, w.labels)
	}
	wholeShares(out, ways)
	return out
}

// stack is all labels that are pushed on the way to a neighbour; ok is false where the neighbour's own is missing, or there are too many.
func (r *RIB) stack(iface string, addr netip.Addr, lsp netip.Prefix, labels Labels) (s Labels, ok bool) {
	if !lsp.IsValid() {
		return labels, true
	}
	label, ok := boundAt(r.bound[lsp], iface, addr)
	if !ok {
		return labels, false
	}
	if label == fib.ImplicitNull {
		return labels, true
	}
	s.n, s.l[0] = 1, label
	return s.over(labels)
}

// boundAt is the label that a neighbour has bound; where only the interface is known, whoever is there.
func boundAt(bound map[spot]uint32, iface string, addr netip.Addr) (uint32, bool) {
	if label, ok := bound[spot{iface, addr}]; ok {
		return label, true
	}
	label, ok := bound[spot{iface: iface}]
	return label, ok
}
