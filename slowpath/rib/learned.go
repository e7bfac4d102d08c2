package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
)

// Labels are label values to push, outermost first.
type Labels struct {
	n int
	l [fib.MaxLabels]uint32
}

// LabelsOf makes Labels of values, fib.MaxLabels at most; ok is false for more, and for values that no router may put into a packet for another.
func LabelsOf(values ...uint32) (s Labels, ok bool) {
	for _, v := range values {
		if s.n == fib.MaxLabels || !pushable(v) {
			return Labels{}, false
		}
		s.l[s.n] = v
		s.n++
	}
	return s, true
}

// pushable tells whether a label may be pushed (RFC 3032 section 2.1).
func pushable(v uint32) bool {
	return v == fib.ExplicitNull || v >= fib.FirstLabel && v <= fib.LastLabel
}

// Values are the labels, outermost first.
func (s Labels) Values() []uint32 { return append([]uint32(nil), s.l[:s.n]...) }

// unusable is the administrative distance of what is not to be gone by.
const unusable = 255

// Learned is what a routing protocol says of a prefix.
type Learned struct {
	Source   Source // BGP, EIGRP or Kernel
	Process  uint32 // tells apart what several processes of the source say of a prefix: the AS of EIGRP; else 0
	Distance int    // 0: the source's; 255: no packet goes by it, as if it were not there
	Metric   uint32
	Tag      uint32
	Hops     []NextHop // several share the load; none takes the route back, unless it is to Discard
	Discard  bool      // packets are dropped (Null0): there are no Hops
	External bool      // EIGRP: the route came from another protocol; BGP: from another AS
	Since    time.Time // when it was learned, for show output; the zero Time: not known
}

// SetRoute makes this what its source says of an IPv4 prefix of a VRF.
func (r *RIB) SetRoute(vrf fib.VRF, p netip.Prefix, l Learned) {
	if !p.IsValid() || !p.Addr().Is4() {
		return
	}
	p = p.Masked()
	if l.Discard {
		l.Hops = nil
	}
	if len(l.Hops) == 0 && !l.Discard || l.Distance == unusable {
		r.DelRoute(vrf, p, l.Source, l.Process)
		return
	}
	c := candidate{source: l.Source, distance: cmp.Or(l.Distance, l.Source.Distance()), metric: l.Metric, tag: l.Tag, since: l.Since, process: l.Process, external: l.External}
	if e := r.entry(fib.RouteKey{VRF: vrf, Prefix: p}); e != nil {
		for i := range e.candidates {
			if o := &e.candidates[i]; o.source == c.source && o.process == c.process && o.iface == "" && o.distance == c.distance && o.metric == c.metric &&
				o.tag == c.tag && o.external == c.external && slices.Equal(o.hops, l.Hops) {
				o.since = l.Since
				return
			}
		}
	}
	if !slices.Equal(l.Hops, r.lastVia) { // thousands of routes in a row have the same
		r.lastVia = slices.Clone(l.Hops)
	}
	if len(l.Hops) > 0 {
		c.hops = r.lastVia
	}
	r.add(vrf, p, c)
}

// DelRoute takes back what a source says of a prefix, or one of its processes.
func (r *RIB) DelRoute(vrf fib.VRF, p netip.Prefix, s Source, process uint32) {
	if p.IsValid() {
		r.removeOf(vrf, p.Masked(), s, "", 0, process)
	}
}

// RemoveVRF takes away all that is said of a VRF: routes, labels that lead into it, and routes of others that leak from it. Interfaces are to be elsewhere before.
func (r *RIB) RemoveVRF(vrf fib.VRF) {
	if vrf == fib.Global {
		return // it is always there
	}
	for in, l := range r.labels {
		if l.use.VRF == vrf && (l.use.Lookup || l.use.Forward) {
			r.DelLabel(in)
		}
	}
	delete(r.statics, vrf)
	for _, t := range r.tables {
		for _, e := range t.entries {
			for i := len(e.candidates) - 1; i >= 0; i-- {
				c := &e.candidates[i]
				if c.iface != "" {
					continue // of an interface, which answers for it
				}
				hops := slices.DeleteFunc(slices.Clone(c.hops), func(n NextHop) bool { return n.Elsewhere && n.Table == vrf })
				if e.vrf != vrf && len(hops) == len(c.hops) {
					continue
				}
				source := c.source
				r.name(e, c.hops, -1)
				if e.vrf == vrf || len(hops) == 0 {
					e.candidates = slices.Delete(e.candidates, i, i+1)
				} else {
					c.hops = hops
					r.name(e, hops, 1)
				}
				r.moved(e, source)
			}
		}
	}
	r.dropVRF(vrf)
}

// BindLabel says that a next hop on an interface wants a label on packets of a prefix of the global table; fib.ImplicitNull: none, and it takes them unlabelled as the
// end of a label switched path. Without a binding there is no label switched path by that next hop, unless it stands itself on an `mpls ip` interface's subnet.
// A label that may not be pushed is none.
func (r *RIB) BindLabel(p netip.Prefix, iface string, addr netip.Addr, out uint32) {
	if out != fib.ImplicitNull && !pushable(out) {
		r.UnbindLabel(p, iface, addr)
		return
	}
	if !p.IsValid() || !p.Addr().Is4() {
		return
	}
	p = p.Masked()
	at := spot{iface, addr}
	old, had := r.bound[p][at]
	if had && old == out {
		return
	}
	if r.bound[p] == nil {
		r.bound[p] = make(map[spot]uint32)
	}
	r.bound[p][at] = out
	for h := range r.byLSP[p] {
		r.dirtyHops[h] = struct{}{}
	}
	if !had || old == fib.ImplicitNull || out == fib.ImplicitNull {
		r.rebound(p)
	}
}

// UnbindLabel takes it back.
func (r *RIB) UnbindLabel(p netip.Prefix, iface string, addr netip.Addr) {
	p = p.Masked()
	at := spot{iface, addr}
	if _, had := r.bound[p][at]; !had {
		return
	}
	if delete(r.bound[p], at); len(r.bound[p]) == 0 {
		delete(r.bound, p)
	}
	for h := range r.byLSP[p] {
		r.dirtyHops[h] = struct{}{}
	}
	r.rebound(p)
}

// rebound has a prefix of the global table worked out anew, and what goes by it: it has got a label switched path, or has none any more. A change of labels alone
// is less: the adjacencies that push them change, and no route.
func (r *RIB) rebound(p netip.Prefix) {
	if e := r.entry(fib.RouteKey{Prefix: p}); e != nil {
		r.dirty[e] = struct{}{}
		r.stale = r.stale || r.affects(e)
	}
}

// SetPipe says whether labels that are new to a packet get a TTL of 255, and what is under a label of ours keeps its own TTL and EXP
// (`no mpls ip propagate-ttl`, the pipe model of RFC 3443 section 3.2), instead of one TTL for all (the uniform model, which is the default).
func (r *RIB) SetPipe(on bool) {
	if r.pipe == on {
		return
	}
	r.pipe, r.nullLabel = on, true
	for _, h := range r.hops {
		if h.key.labels.n > 0 || h.key.lsp.IsValid() {
			r.dirtyHops[h] = struct{}{}
		}
	}
	for _, l := range r.labels {
		r.dirtyLabels[l] = struct{}{}
	}
}
