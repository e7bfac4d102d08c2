package rib

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// place is what an adjacency leads to, as far as its record tells: the numbers of interfaces are those of the fast path.
type place struct {
	port   fib.PortID
	tunnel fib.TunnelID
	addr   netip.Addr   // the next hop; the zero Addr: whoever is there
	nbma   nbma.Address // of a tunnel's peer itself
	labels Labels
	leak   bool
	vrf    fib.VRF // of a leak
}

// inherited is what the fast path had installed when the RIB began, as far as nothing has taken its place. It forwards until then.
type inherited struct {
	ports      map[fib.PortID]fib.Port
	tunnels    map[fib.TunnelID]fib.Tunnel
	adjs       map[fib.AdjID]fib.Adjacency
	groups     map[fib.GroupID][]fib.AdjID
	routes     map[fib.RouteKey][]fib.AdjID
	labels     map[uint32]fib.Label
	listed     map[fib.AdjID]bool // members of groups
	byPlace    map[place][]fib.AdjID
	byPath     map[fib.AdjID][]fib.RouteKey // routes by the adjacencies that they use
	labelled   map[fib.AdjID][]uint32       // labels by the adjacencies that they use
	bySA       map[fib.SAID][]*hop          // next hops that still go by their old adjacency, by what seals it
	sealed     map[fib.SAID][]fib.AdjID     // adjacencies by what seals them
	insides    map[fib.SAID]netip.Addr      // the address behind NAT of the peer that an association leads to
	waiting    map[*entry]struct{}          // their new ways can't be used yet: the old ones stand
	lent       map[string]netip.Addr        // interfaces whose address is not known yet, with the one that they had
	pushes     bool                         // some adjacency pushes labels
	incomplete bool                         // not all that the configuration speaks of is known yet
}

// Inherit makes the RIB begin with what a fast path has installed that outlived its control plane. It comes before everything else. Numbers
// in use are not given again; what is said of interfaces, routes and next hops afterwards takes the old entries over where they are about the same
// thing, and changes what differs. A next hop that nothing is known of yet goes on by its old adjacency. Complete and Disinherit take away what is
// left. The associations of b are not the RIB's: RemoveSA takes them away, and the adjacencies that they seal with them.
func (r *RIB) Inherit(b fib.Batch) {
	h := &inherited{
		ports: make(map[fib.PortID]fib.Port), tunnels: make(map[fib.TunnelID]fib.Tunnel), adjs: make(map[fib.AdjID]fib.Adjacency),
		groups: make(map[fib.GroupID][]fib.AdjID), routes: make(map[fib.RouteKey][]fib.AdjID), labels: make(map[uint32]fib.Label), byPlace: make(map[place][]fib.AdjID),
		listed: make(map[fib.AdjID]bool), byPath: make(map[fib.AdjID][]fib.RouteKey), bySA: make(map[fib.SAID][]*hop), sealed: make(map[fib.SAID][]fib.AdjID), insides: make(map[fib.SAID]netip.Addr),
		labelled: make(map[fib.AdjID][]uint32), waiting: make(map[*entry]struct{}), lent: make(map[string]netip.Addr), incomplete: true,
	}
	for _, p := range b.Ports {
		h.ports[p.ID] = p
	}
	for _, t := range b.Tunnels {
		h.tunnels[t.ID] = t
	}
	adjs, groups := make(map[fib.AdjID]bool, len(b.Adjacencies)), make(map[fib.GroupID]bool, len(b.Groups))
	for i := range b.SAs {
		if sa := &b.SAs[i]; sa.Inside.IsValid() {
			h.insides[sa.ID] = sa.Inside
		}
	}
	for _, a := range b.Adjacencies {
		h.adjs[a.ID], adjs[a.ID] = a, true
		h.pushes = h.pushes || len(a.Labels) > 0
		for _, id := range sealsOf(&a) {
			h.sealed[id] = append(h.sealed[id], a.ID)
		}
		if p, ok := h.placeOf(&a); ok {
			h.byPlace[p] = append(h.byPlace[p], a.ID)
		}
	}
	for _, g := range b.Groups {
		h.groups[g.ID], groups[g.ID] = g.Members, true
		for _, id := range g.Members {
			h.listed[id] = true
		}
	}
	for _, e := range b.Routes {
		k := fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}
		h.routes[k] = e.Paths
		for _, id := range e.Paths {
			h.byPath[id] = append(h.byPath[id], k)
		}
	}
	for _, l := range b.Labels {
		if l.In == fib.ExplicitNull {
			r.pipe = l.Pipe // it is installed for nothing else
			continue
		}
		h.labels[l.In] = l
		for _, id := range l.Paths {
			h.labelled[id] = append(h.labelled[id], l.In)
		}
	}
	r.ids.reserve(adjs)
	r.groups.reserve(groups)
	r.inherited = h
}

// placeOf is what an adjacency leads to; ok is false for one that does not tell.
func (h *inherited) placeOf(a *fib.Adjacency) (p place, ok bool) {
	if a.Kind == fib.AdjLookup {
		return place{leak: true, vrf: a.VRF}, true
	}
	p = place{tunnel: a.Tunnel, addr: a.NextHop}
	if p.labels, ok = LabelsOf(a.Labels...); !ok {
		return p, false
	}
	if a.Tunnel == 0 {
		p.port = a.Port
	}
	if a.Kind == fib.AdjTunnel && !a.NextHop.IsValid() {
		p.nbma = h.peer(a)
		return p, p.nbma.IsValid()
	}
	return p, (p.port != 0 || p.tunnel != 0) && (a.Kind != fib.AdjDrop || a.NextHop.IsValid())
}

// peer is whom an adjacency of a tunnel leads to.
func (h *inherited) peer(a *fib.Adjacency) nbma.Address {
	return nbma.Behind(a.OuterTo(), h.insides[cmp.Or(a.SA, a.AH)])
}

// place is what a next hop is to the fast path; ok is false while that is not known.
func (r *RIB) place(k *hopKey) (p place, i *iface, ok bool) {
	if k.leak {
		return place{leak: true, vrf: k.vrf}, nil, true
	}
	if i = r.ifaces[k.iface]; i == nil {
		return p, nil, false
	}
	p = place{port: i.Port, addr: k.addr, nbma: k.nbma}
	if t := i.Tunnel; t != nil {
		p.port, p.tunnel = 0, t.ID
		if !k.addr.IsValid() && t.Remote.IsValid() {
			p.nbma = nbma.Of(t.Remote)
		}
	}
	p.labels, ok = r.stack(k.iface, k.addr, k.lsp, k.labels)
	return p, i, ok && (p.port != 0 || p.tunnel != 0)
}

// adopt gives a new next hop the adjacency that leads to the same place, if there is one. It returns false where there is none.
func (r *RIB) adopt(h *hop) bool {
	if r.inherited == nil {
		return false
	}
	p, i, ok := r.place(&h.key)
	if !ok {
		return false
	}
	ids := r.inherited.byPlace[p]
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		a, ok := r.inherited.adjs[id]
		if !ok {
			continue
		}
		r.inherited.byPlace[p] = ids
		delete(r.inherited.adjs, id)
		h.id, h.last, h.installed = id, a, true
		if leadsOn(&a) && i != nil && i.agrees(&a) && !(h.key.direct && a.Resolve) {
			h.outlives = true
			for _, sa := range sealsOf(&a) {
				r.inherited.bySA[sa] = append(r.inherited.bySA[sa], h)
			}
		}
		return true
	}
	return false
}

// leadsOn tells whether packets go on by an adjacency without anybody's help.
func leadsOn(a *fib.Adjacency) bool {
	return a.Kind == fib.AdjLink || a.Kind == fib.AdjTunnel || a.Kind == fib.AdjLookup
}

func sealsOf(a *fib.Adjacency) (out []fib.SAID) {
	for _, id := range []fib.SAID{a.SA, a.AH} {
		if id != 0 {
			out = append(out, id)
		}
	}
	return out
}

// agrees tells whether an old adjacency is what the interface, as it is configured now, would permit: the same ends, and sealed if and only
// if the tunnel is protected.
func (i *iface) agrees(a *fib.Adjacency) bool {
	if a.VRF != i.VRF || len(a.Labels) > 0 && !i.switches() {
		return false
	}
	t := i.Tunnel
	if t == nil {
		like := ethernet([6]byte{}, i, typeIPv4)
		return a.Port == i.Port && len(a.Outer) == len(like) && bytes.Equal(a.Outer[6:], like[6:])
	}
	from := a.OuterFrom()
	return from.IsValid() && a.Tunnel == t.ID && (from == t.Local || !t.Local.IsValid()) && t.Protected == (a.SA|a.AH != 0) && bytes.Equal(a.Inner, greHeader(t))
}

// outlives tells whether a next hop goes on by its old adjacency. That ends for good once there is a new one to go by, when the next hop is known to be
// elsewhere by now, and when the interface does not permit it any more.
func (r *RIB) outlives(h *hop, built *fib.Adjacency) bool {
	if !h.outlives {
		return false
	}
	i := r.ifaces[h.key.iface]
	if leadsOn(built) || r.inherited == nil || i == nil || !i.Up && !r.inherited.incomplete || !i.agrees(&h.last) || i.elsewhere(h, r.inherited.insides[cmp.Or(h.last.SA, h.last.AH)]) {
		h.outlives = false
		return false
	}
	return true
}

// elsewhere tells whether a next hop of a tunnel is at another address than the one that its old adjacency leads to. What is said of a whole network, or only
// until an answer comes (Via), is no better than the direct path that was known before. inside is the old peer's address behind NAT.
func (i *iface) elsewhere(h *hop, inside netip.Addr) bool {
	t := i.Tunnel
	if t == nil || t.Remote.IsValid() || !h.key.addr.IsValid() {
		return false
	}
	b, ok := i.nextHops.Lookup(h.key.addr)
	if !ok || b.Via || !b.Prefix.IsSingleIP() {
		return false
	}
	to := b.NBMA.Addr
	if s, ok := i.secured[b.NBMA]; ok && t.Protected && s.To.IsValid() {
		to = s.To // a session whose peer has moved behind its NAT
	}
	old := h.last.OuterTo()
	return old.IsValid() && (old != to || inside.IsValid() && b.NBMA.Inside.IsValid() && inside != b.NBMA.Inside)
}

// unsealed ends the life of old adjacencies whose association is taken away.
func (r *RIB) unsealed(id fib.SAID) {
	if r.inherited == nil {
		return
	}
	for _, h := range r.inherited.bySA[id] {
		h.outlives = false
		if r.byID[h.id] == h {
			r.dirtyHops[h] = struct{}{}
		}
	}
	delete(r.inherited.bySA, id)
	listed := false
	for _, a := range r.inherited.sealed[id] {
		if _, ok := r.inherited.adjs[a]; ok {
			r.dropAdj(a)
			listed = listed || r.inherited.listed[a]
		}
	}
	delete(r.inherited.sealed, id)
	if listed {
		r.rewriteGroups()
	}
}

// takeRoute tells what of a route that is worked out is news to the fast path, where it has an old one of the prefix. wait is true while the
// old one leads on and the new ways do not: it stays then.
func (r *RIB) takeRoute(k fib.RouteKey, e *entry, chosen *candidate, hops []*hop, special fib.AdjID, installed bool) (same, wait bool) {
	delete(r.inherited.waiting, e)
	old, ok := r.inherited.routes[k]
	if !ok || !installed {
		return false, false
	}
	if len(hops) > 0 && chosen.source != Connected && chosen.source != Adjacency && r.pathsLead(old) && !slices.ContainsFunc(hops, ready) {
		r.inherited.waiting[e] = struct{}{}
		return false, true
	}
	delete(r.inherited.routes, k)
	return samePaths(old, paths(hops, special)), false
}

func ready(h *hop) bool { return h.installed && leadsOn(&h.last) }

// pathsLead tells whether all paths of an old route lead on.
func (r *RIB) pathsLead(ids []fib.AdjID) bool {
	for _, id := range ids {
		a, ok := r.inherited.adjs[id]
		if h := r.byID[id]; !ok && (h == nil || !ready(h)) || ok && !leadsOn(&a) {
			return false
		}
	}
	return len(ids) > 0
}

// takeTunnel tells whether a tunnel is what the fast path has already. Another one of old that the fast path could not tell from it goes.
func (r *RIB) takeTunnel(t *fib.Tunnel) (same bool) {
	if r.inherited == nil {
		return false
	}
	old, ok := r.inherited.tunnels[t.ID]
	delete(r.inherited.tunnels, t.ID)
	if ok && !sameWay(&old, t) {
		r.dropAdjs(func(a *fib.Adjacency) bool { return a.Tunnel == t.ID })
	}
	for id, o := range r.inherited.tunnels {
		if sameEnds(&o, t) {
			r.dropTunnel(id)
		}
	}
	return ok && old == *t
}

// sameEnds tells whether the fast path takes the same packets for two tunnels.
func sameEnds(a, b *fib.Tunnel) bool {
	return a.OuterVRF == b.OuterVRF && a.Local == b.Local && a.Remote == b.Remote && a.HasKey == b.HasKey && a.Key == b.Key
}

// sameWay tells whether what led out by one tunnel may lead out by the other.
func sameWay(a, b *fib.Tunnel) bool {
	return sameEnds(a, b) && a.VRF == b.VRF && a.Protected == b.Protected && a.Protection == b.Protection
}

// isOld tells whether an interface that is down is one that the fast path still has from before.
func (r *RIB) isOld(i *iface) bool {
	if r.inherited == nil || i.Up && (i.Tunnel == nil || i.Tunnel.Local.IsValid()) {
		return false
	}
	_, tunnel := r.inherited.tunnels[tunnelID(i)]
	_, port := r.inherited.ports[i.Port]
	return tunnel || port && i.Port != 0
}

func tunnelID(i *iface) fib.TunnelID {
	if i.Tunnel == nil {
		return 0
	}
	return i.Tunnel.ID
}

func (r *RIB) takePort(p *fib.Port) (same bool) {
	if r.inherited == nil {
		return false
	}
	old, ok := r.inherited.ports[p.ID]
	delete(r.inherited.ports, p.ID)
	if ok && (old.MAC != p.MAC || old.VRF != p.VRF || old.Parent != p.Parent || old.VLAN != p.VLAN) { // another link
		r.dropAdjs(func(a *fib.Adjacency) bool { return a.Port == p.ID })
	}
	return ok && old == *p
}

// oldMembers are those of a list's old members that nothing has taken over: they go on getting multicast.
func (r *RIB) oldMembers(g fib.GroupID) (out []fib.AdjID) {
	if r.inherited == nil {
		return nil
	}
	for _, id := range r.inherited.groups[g] {
		if a, ok := r.inherited.adjs[id]; ok && leadsOn(&a) {
			out = append(out, id)
		}
	}
	return out
}

// adoptGroup is the list that a tunnel has had; 0 for none.
func (r *RIB) adoptGroup(id fib.TunnelID) fib.GroupID {
	if r.inherited == nil {
		return 0
	}
	return r.inherited.tunnels[id].Group
}
