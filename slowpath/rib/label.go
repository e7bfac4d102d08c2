package rib

import (
	"maps"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
)

// label is a label of ours.
type label struct {
	in        uint32
	use       LabelUse
	hops      []*hop
	target    *target // of a next hop that has to be looked up
	want      fib.Label
	leads     bool // want is to be installed: there is a way on
	installed bool
	last      fib.Label
}

// SetLabel says what a label of ours is for, anew or otherwise than before. Labels that are no router's to give are ignored.
func (r *RIB) SetLabel(in uint32, u LabelUse) {
	if in < fib.FirstLabel || in > fib.LastLabel {
		return
	}
	u.Prefix = u.Prefix.Masked()
	l := r.labels[in]
	if l == nil {
		l = &label{in: in}
		r.labels[in] = l
	} else if l.use == u {
		return
	} else {
		r.unuse(l)
	}
	l.use = u
	if k, ok := l.route(); ok {
		if r.byRoute[k] == nil {
			r.byRoute[k] = make(map[*label]struct{})
		}
		r.byRoute[k][l] = struct{}{}
	}
	r.dirtyLabels[l] = struct{}{}
}

// route is the route that a label goes by; ok is false for one that goes by none.
func (l *label) route() (k fib.RouteKey, ok bool) {
	switch u := &l.use; {
	case u.Lookup:
		return k, false
	case u.Forward:
		return fib.RouteKey{VRF: u.VRF, Prefix: u.Prefix}, true
	}
	return fib.RouteKey{Prefix: l.use.Prefix}, l.use.Swap && !l.use.swapsTo() && l.use.Prefix.IsValid()
}

// swapsTo tells whether a label's packets go to a next hop of its own.
func (u *LabelUse) swapsTo() bool { return u.Swap && (u.Hop.Addr.IsValid() || u.Hop.Iface != "") }

// unuse takes a label off the lists of what it goes by.
func (r *RIB) unuse(l *label) {
	if k, ok := l.route(); ok {
		if delete(r.byRoute[k], l); len(r.byRoute[k]) == 0 {
			delete(r.byRoute, k)
		}
	}
	r.aimLabel(l, targetKey{}, false)
}

func (r *RIB) aimLabel(l *label, k targetKey, want bool) {
	old := l.target
	if old != nil && want && old.key == k {
		return
	}
	if l.target = nil; want {
		t := r.aim(k)
		if t.labels == nil {
			t.labels = make(map[*label]struct{})
		}
		t.labels[l], l.target = struct{}{}, t
	}
	if old != nil {
		delete(old.labels, l)
		r.forsake(old)
	}
}

// DelLabel takes a label back.
func (r *RIB) DelLabel(in uint32) {
	if r.inherited != nil {
		r.dropLabel(in)
	}
	l := r.labels[in]
	if l == nil {
		return
	}
	r.unuse(l)
	for _, h := range l.hops {
		r.unref(h)
	}
	delete(r.labels, in)
	delete(r.dirtyLabels, l)
	delete(r.newLabels, l)
	if l.installed || r.wasRefused(refusedKey{label: in}) {
		r.delLabels[in] = struct{}{}
	}
}

// settleLabel works out where a label leads. It returns the next hops that it does not use any more.
func (r *RIB) settleLabel(l *label) (released []*hop) {
	u := &l.use
	f := fib.Label{In: l.in, Pipe: r.pipe, CopyEXP: !r.pipe}
	var hops []*hop
	switch {
	case u.Lookup:
		f.Action, f.VRF = fib.LabelLookup, u.VRF
	case u.Forward:
		f.Action, f.VRF, hops = r.forwards(u)
	case u.Swap:
		f.Action, hops = fib.LabelSwap, r.resolve(r.switched(l), true, r.labelLaid(l))
		if len(hops) == 0 && !u.swapsTo() {
			f.Action, hops = r.leaves(u)
		}
	}
	l.leads = f.Action == fib.LabelLookup || len(hops) > 0
	if l.leads && f.Action != fib.LabelLookup {
		f.Paths = paths(hops, fib.Drop)
	}
	released, l.hops, l.want = l.hops, hops, f
	r.newLabels[l] = struct{}{}
	return released
}

// labelLaid is what the fast path has for a label by slots; nothing where that does not matter.
func (r *RIB) labelLaid(l *label) []fib.AdjID {
	if r.inherited != nil {
		if old := r.inherited.labels[l.in].Paths; len(old) > 1 {
			return old
		}
	}
	if len(l.hops) < 2 {
		return nil
	}
	return paths(l.hops, fib.Drop)
}

// forwards is what a label does whose packets go by one route of a VRF: that of a prefix that is attached here, is ours, or leaks from elsewhere has its packets looked up.
func (r *RIB) forwards(u *LabelUse) (fib.LabelAction, fib.VRF, []*hop) {
	e := r.entry(fib.RouteKey{VRF: u.VRF, Prefix: u.Prefix})
	if e == nil || !e.chosen {
		return fib.LabelForward, 0, nil
	}
	if len(e.installed) == 0 || e.by == Connected || e.by == Adjacency || slices.ContainsFunc(e.installed, func(h *hop) bool { return h.key.leak }) {
		return fib.LabelLookup, u.VRF, nil
	}
	hops := make([]*hop, len(e.installed))
	for i, h := range e.installed {
		hops[i] = r.hop(h.key)
	}
	return fib.LabelForward, 0, hops
}

// leaves is what a label does whose packets leave the labelled network here: its prefix's route goes to a next hop that has told no label for it. What is IPv4 under the
// label goes there, and nothing else. Packets of a prefix that is attached here come without a label.
func (r *RIB) leaves(u *LabelUse) (fib.LabelAction, []*hop) {
	if e := r.entry(fib.RouteKey{Prefix: u.Prefix}); e == nil || !e.chosen || !e.by.switches() {
		return fib.LabelForward, nil
	}
	action, _, hops := r.forwards(&LabelUse{Prefix: u.Prefix})
	if action != fib.LabelForward {
		return fib.LabelForward, nil // it leaks into a VRF, or into nothing
	}
	return action, hops
}

// switched are the ways on for the packets of a label that is swapped. What else is under the label must stay a label for whoever gets it, so that only label
// switched paths will do.
func (r *RIB) switched(l *label) (ways []way) {
	u := &l.use
	if u.swapsTo() {
		k, ok := u.Hop.target(fib.Global)
		r.aimLabel(l, k, ok)
		if u.Hop.Labels.n == 0 {
			return nil
		}
		return r.follow(nil, fib.Global, netip.Prefix{}, &u.Hop, &search{})
	}
	e := r.entry(fib.RouteKey{Prefix: u.Prefix})
	if e == nil {
		return nil
	}
	c, all := r.real(e, &search{})
	if c == nil || c.source == Connected {
		return nil
	}
	for _, w := range all {
		if w.switched {
			ways = append(ways, w)
		}
	}
	return ways
}

// batchLabels notes what is news of labels for the batch.
func (r *RIB) batchLabels() {
	if r.nullLabel {
		r.nullLabel = false
		if r.pipe {
			r.batch.Labels = append(r.batch.Labels, fib.Label{In: fib.ExplicitNull, Action: fib.LabelLookup, Pipe: true})
		} else {
			r.batch.DelLabels = append(r.batch.DelLabels, fib.ExplicitNull)
		}
	}
	for l := range r.newLabels {
		gone := false
		if _, gone = r.delLabels[l.in]; gone { // and is here again
			delete(r.delLabels, l.in)
		}
		switch {
		case l.leads && (gone || !l.installed || !sameLabel(&l.want, &l.last)):
			if r.inherited != nil {
				delete(r.inherited.labels, l.in) // it takes the place of the old one
			}
			l.installed, l.last = true, l.want
			r.batch.Labels = append(r.batch.Labels, l.want)
		case !l.leads && (gone || l.installed || r.wasRefused(refusedKey{label: l.in})):
			l.installed = false
			r.batch.DelLabels = append(r.batch.DelLabels, l.in)
		}
	}
	r.newLabels = emptied(r.newLabels)
	for in := range r.delLabels {
		r.batch.DelLabels = append(r.batch.DelLabels, in)
	}
	r.delLabels = emptied(r.delLabels)
}

func sameLabel(a, b *fib.Label) bool {
	return a.In == b.In && a.Action == b.Action && a.VRF == b.VRF && a.Pipe == b.Pipe && a.CopyEXP == b.CopyEXP && slices.Equal(a.Paths, b.Paths)
}

// LabelTable lists the labels of ours by number.
func (r *RIB) LabelTable() []LabelEntry {
	out := make([]LabelEntry, 0, len(r.labels))
	for _, in := range slices.Sorted(maps.Keys(r.labels)) {
		l := r.labels[in]
		e := LabelEntry{In: in, LabelUse: l.use, Leaves: l.use.Swap && l.leads && l.want.Action == fib.LabelForward}
		if l.leads && l.want.Action == fib.LabelLookup { // whatever it is for: a prefix that is attached here is looked up for its hosts
			e.Lookup, e.Forward = true, false
		}
		for _, h := range each(l.hops) {
			e.Paths = append(e.Paths, r.labelPath(h))
		}
		out = append(out, e)
	}
	return out
}

func (r *RIB) labelPath(h *hop) LabelPath {
	s, _ := r.stack(h.key.iface, h.key.addr, h.key.lsp, h.key.labels)
	return LabelPath{Out: s.Values(), Iface: h.key.iface, Addr: h.key.addr}
}

// LabelVRF is the VRF whose packets come with a label of ours; ok is false for one that is not set.
func (r *RIB) LabelVRF(in uint32) (vrf fib.VRF, ok bool) {
	l := r.labels[in]
	if l == nil {
		return 0, false
	}
	return l.use.VRF, true
}

// InheritedLabels are the labels that the fast path had when Inherit was called and that nobody has set since: they must not be given to anything else before they are
// gone.
func (r *RIB) InheritedLabels() []uint32 {
	if r.inherited == nil {
		return nil
	}
	var out []uint32
	for in := range r.inherited.labels {
		if r.labels[in] == nil {
			out = append(out, in)
		}
	}
	slices.Sort(out)
	return out
}
