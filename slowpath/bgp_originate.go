package slowpath

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/label"
	"nave/slowpath/rib"
)

// border is what the Router knows of BGP, beside the RIB.
type border struct {
	on, quiet bool
	keep      time.Duration  // for how long a label stays for a prefix that is announced no more
	vrfs      map[string]VRF // by name
	names     map[fib.VRF]string
	networks  map[fib.RouteKey]Attributes
	sources   map[fib.VRF][]Redistribute
	tables    map[fib.VRF]bool // that something is announced of

	hosts  map[fib.RouteKey]bool      // addresses with a mask of 32 bits
	said   map[fib.RouteKey]bgp.Local // as the speaker was told
	own    map[fib.RouteKey]ownLabel  // labels of prefixes that have one each
	labels *label.Tables
	// resting are labels of prefixes that were announced no more, in the order of time. Some are again.
	resting []restingLabel
	anew    bool // what is announced is to be worked out for all routes

	announce []bgp.Local
	retract  []bgp.Key
	short    bool // there was no label, and the log was told
}

// ownLabel is the label of one prefix.
type ownLabel struct {
	label uint32
	until time.Time // the zero Time: in use; else when it is given back
}

type restingLabel struct {
	key   fib.RouteKey
	until time.Time
}

// NoLabel is an event: a route could not be announced, or not with a next hop of ours, as there was no label for it.
type NoLabel struct {
	VRF    string
	Prefix netip.Prefix
	Err    error
}

// About names the kind of event.
func (NoLabel) About() string { return "no label" }

// keepLabel is for how long a label stays where the configuration says nothing.
const keepLabel = time.Minute

func newBorder(pool *label.Pool) border {
	return border{
		vrfs: make(map[string]VRF), names: make(map[fib.VRF]string), said: make(map[fib.RouteKey]bgp.Local),
		own: make(map[fib.RouteKey]ownLabel), hosts: make(map[fib.RouteKey]bool), labels: label.NewTables(pool),
	}
}

// configureBGP takes over what is to be announced. It is worked out when the routes are settled.
func (r *Router) configureBGP(c *Config) {
	b := &r.border
	was := b.vrfs
	b.on, b.quiet, b.keep = c.BGP.On, c.BGP.Quiet, cmp.Or(c.BGP.Speaker.KeepLabel, keepLabel)
	b.vrfs, b.names = make(map[string]VRF), map[fib.VRF]string{fib.Global: ""}
	for _, v := range c.VRFs {
		b.vrfs[v.Name], b.names[v.ID] = v, v.Name
	}
	b.networks, b.sources, b.tables = make(map[fib.RouteKey]Attributes), make(map[fib.VRF][]Redistribute), make(map[fib.VRF]bool)
	if b.on {
		for _, n := range c.BGP.Networks {
			b.networks[fib.RouteKey{VRF: n.VRF, Prefix: n.Prefix.Masked()}] = n.Set
			b.tables[n.VRF] = true
		}
		for _, s := range c.BGP.Redistribute {
			b.sources[s.VRF] = append(b.sources[s.VRF], s)
			b.tables[s.VRF] = true
		}
	}
	b.hosts = hostAddresses(c.Interfaces)
	for name, v := range was {
		if b.vrfs[name].ID != v.ID {
			r.forgetVRF(name, v.ID)
		}
	}
	if !b.on {
		for name := range b.vrfs {
			r.dropShared(name)
		}
	}
	b.labels.Configure(perVRF(b.vrfs))
	b.anew = true
}

// hostAddresses are the addresses with a mask of 32 bits, as loopbacks have: they are connected routes, though the RIB knows them as addresses of ours. An address that is
// borrowed (`ip unnumbered`) is in the subnet of the lender.
func hostAddresses(all []Interface) map[fib.RouteKey]bool {
	hosts := make(map[fib.RouteKey]bool)
	for _, i := range all {
		for _, a := range i.Addrs {
			if i.Up && !i.Unnumbered && a.IsSingleIP() && a.Addr().Is4() {
				hosts[fib.RouteKey{VRF: i.VRF, Prefix: a}] = true
			}
		}
	}
	for _, i := range all {
		for _, a := range i.Addrs {
			if !a.IsSingleIP() {
				delete(hosts, fib.RouteKey{VRF: i.VRF, Prefix: netip.PrefixFrom(a.Addr(), a.Addr().BitLen())})
			}
		}
	}
	return hosts
}

// forgetVRF drops what is known of a VRF that is no more. The RIB has dropped its labels; the speaker drops what it announced.
func (r *Router) forgetVRF(name string, id fib.VRF) {
	b := &r.border
	for k, l := range b.said {
		if k.VRF == id {
			b.retract = append(b.retract, bgp.Key{VRF: l.VRF, Prefix: l.Prefix})
			delete(b.said, k)
		}
	}
	for k, l := range b.own {
		if k.VRF == id {
			delete(b.own, k)
			r.dropLabel(l.label)
		}
	}
	r.dropShared(name)
}

// dropShared takes the label of a VRF as a whole out of use.
func (r *Router) dropShared(vrf string) {
	if l, ok := r.border.labels.Forget(vrf, r.now); ok {
		r.rib.DelLabel(l)
	}
}

// originateRoutes works out what of the routes that changed is announced.
func (r *Router) originateRoutes(changes []rib.Change) {
	b := &r.border
	if !b.on && len(b.said) == 0 {
		b.anew = false
		return
	}
	changed := make(map[fib.RouteKey]struct{})
	for i := range changes {
		k := fib.RouteKey{VRF: changes[i].VRF, Prefix: changes[i].Prefix}
		if _, said := b.said[k]; said || b.tables[k.VRF] && !changes[i].Gone && changes[i].Source != rib.BGP {
			changed[k] = struct{}{}
		}
	}
	if b.anew {
		b.anew = false
		for vrf := range b.tables {
			for _, p := range r.rib.AllTold(vrf) {
				changed[fib.RouteKey{VRF: vrf, Prefix: p}] = struct{}{}
			}
		}
		for k := range b.said {
			changed[k] = struct{}{}
		}
	}
	for _, k := range sortedKeys(changed) {
		r.originate(k)
	}
}

// originate announces a route, or takes it back.
func (r *Router) originate(k fib.RouteKey) {
	b := &r.border
	l, ok := r.wanted(k)
	if ok && k.VRF != fib.Global {
		l.Label, ok = r.labelOf(k)
	}
	before, had := b.said[k]
	switch {
	case !ok && had:
		delete(b.said, k)
		b.retract = append(b.retract, bgp.Key{VRF: before.VRF, Prefix: before.Prefix})
		r.restLabel(k)
	case ok && (!had || !sameLocal(&before, &l)):
		b.said[k] = l
		b.announce = append(b.announce, l)
	}
}

func sameLocal(a, b *bgp.Local) bool {
	return a.VRF == b.VRF && a.Prefix == b.Prefix && a.Label == b.Label && a.Origin == b.Origin && a.Metric == b.Metric && a.LocalPref == b.LocalPref &&
		slices.Equal(a.Communities, b.Communities) && slices.Equal(a.Extended, b.Extended)
}

// wanted is how a route is announced; ok is false if it isn't. `network` goes before `redistribute`.
func (r *Router) wanted(k fib.RouteKey) (l bgp.Local, ok bool) {
	b := &r.border
	route, ok := r.rib.Told(k)
	name, known := b.names[k.VRF]
	if !ok || route.Source == rib.BGP || !b.on || !known || !k.Prefix.Addr().Is4() {
		return l, false
	}
	source := route.Source
	if source == rib.Local {
		if !b.hosts[k] {
			return l, false // its subnet is announced
		}
		source = rib.Connected
	}
	l = bgp.Local{VRF: name, Prefix: k.Prefix, Metric: route.Metric}
	set, ok := b.networks[k]
	if ok {
		l.Origin = bgp.OriginIGP
	} else {
		l.Origin = bgp.OriginIncomplete
		set, ok = r.redistributed(k, source, &route, &l)
	}
	if set.HasMetric {
		l.Metric = set.Metric
	}
	l.LocalPref, l.Communities = set.LocalPref, set.Communities
	return l, ok
}

// redistributed finds what a route is redistributed with. One of EIGRP's in a VRF gets EIGRP's communities, so that a process of the same AS at another site has it as it was.
func (r *Router) redistributed(k fib.RouteKey, source rib.Source, route *rib.Route, l *bgp.Local) (Attributes, bool) {
	for _, s := range r.border.sources[k.VRF] {
		var from *process
		if s.Source == rib.EIGRP {
			var ok bool
			if from, ok = r.eigrp.originates(k, route, s.Process); !ok {
				continue
			}
		} else if s.Source != source {
			continue
		}
		set := s.Set
		if s.Permit != nil {
			var ok bool
			if set, ok = s.Permit(k.Prefix, route); !ok {
				continue
			}
		}
		if from != nil && k.VRF != fib.Global {
			l.Extended, _ = from.machine.Communities(k.Prefix)
		}
		return set, true
	}
	return Attributes{}, false
}

// labelOf finds the label of a route of a VRF and has it installed: the VRF's, whose packets are looked up there, where the configuration says so; else one of its own, whose
// packets go the way of the route.
func (r *Router) labelOf(k fib.RouteKey) (uint32, bool) {
	b := &r.border
	v := b.vrfs[b.names[k.VRF]]
	if v.PerVRF {
		l, err := b.labels.Of(v.Name, r.now)
		if err != nil {
			return 0, r.noLabel(v.Name, k.Prefix, err)
		}
		r.rib.SetLabel(l, rib.LabelUse{Lookup: true, VRF: v.ID})
		r.restLabel(k)
		return l, true
	}
	own, has := b.own[k]
	if !has {
		l, err := r.pool.Take(r.now)
		if err != nil {
			return 0, r.noLabel(v.Name, k.Prefix, err)
		}
		own.label = l
	}
	b.own[k], b.short = ownLabel{label: own.label}, false
	r.rib.SetLabel(own.label, rib.LabelUse{Forward: true, VRF: v.ID, Prefix: k.Prefix})
	return own.label, true
}

// noLabel reports that there is no label, once until there is one again. It is false, for whoever asked.
func (r *Router) noLabel(vrf string, p netip.Prefix, err error) bool {
	if b := &r.border; !b.short {
		b.short = true
		r.linux.Log(NoLabel{VRF: vrf, Prefix: p, Err: err})
	}
	return false
}

// restLabel begins the time after which a prefix's own label is given back. Until then others may still send by it.
func (r *Router) restLabel(k fib.RouteKey) {
	b := &r.border
	l, ok := b.own[k]
	if !ok || !l.until.IsZero() {
		return
	}
	l.until = r.now.Add(b.keep)
	b.own[k] = l
	b.resting = append(b.resting, restingLabel{k, l.until})
}

// dropLabel gives a label back.
func (r *Router) dropLabel(l uint32) {
	r.rib.DelLabel(l)
	r.pool.Release(l, r.now)
}
