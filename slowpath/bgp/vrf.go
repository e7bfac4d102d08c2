package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// vrf is a VRF with what is imported into it and exported from it.
type vrf struct {
	VRF
	imports map[netip.Prefix][]*path // what its import targets let in, the best first
	learned map[netip.Prefix]*path   // of its neighbours, where that is GoBGP's best
	said    map[netip.Prefix]Route   // what the caller has
}

func newVRF(c VRF) *vrf {
	return &vrf{VRF: c, imports: make(map[netip.Prefix][]*path), learned: make(map[netip.Prefix]*path), said: make(map[netip.Prefix]Route)}
}

// wants tells whether a path is imported.
func (v *vrf) wants(p *path) bool {
	if p.own() && p.vrf == v.Name {
		return false
	}
	return slices.ContainsFunc(p.targets, func(t RouteTarget) bool { return t.isTarget() && slices.Contains(v.Import, t) })
}

// take adds, replaces or removes (p nil) the path of a key among those of a prefix; true if the best one is another now.
func (v *vrf) take(k vpnKey, p *path) bool {
	list := v.imports[k.Prefix]
	var before *path
	if len(list) > 0 {
		before = list[0]
	}
	list = slices.DeleteFunc(slices.Clone(list), func(q *path) bool { return q.rd == k.RD })
	if p != nil {
		at := slices.IndexFunc(list, func(q *path) bool { return better(p, q) })
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, p)
	}
	if len(list) == 0 {
		delete(v.imports, k.Prefix)
		return before != nil
	}
	v.imports[k.Prefix] = list
	return list[0] != before
}

// vpnChanged takes over GoBGP's best path of a VPN prefix; p is nil when there is none any more. The caller holds the lock.
func (s *Speaker) vpnChanged(k vpnKey, p *path) {
	if p == nil {
		delete(s.vpn, k)
	} else {
		s.vpn[k] = p
	}
	s.swapVPN(k, p)
	for _, v := range s.vrfs {
		in := p
		if in != nil && !v.wants(in) {
			in = nil
		}
		if v.take(k, in) {
			s.imported(v, k.Prefix)
		}
	}
}

// swapVPN has a label of ours for a path of others, if anybody is told of it with our next hop.
func (s *Speaker) swapVPN(k vpnKey, p *path) {
	f := LabelFor{RD: k.RD, Prefix: k.Prefix}
	var w Swap
	var changed bool
	if p != nil && !p.own() && s.swapping {
		w, changed = s.swapTo(f, Swap{NextHop: p.nextHop, Labels: p.labels})
	} else {
		w, changed = s.unswap(f)
	}
	if changed {
		s.say(Effects{Swaps: []Swap{w}})
	}
}

// imported tells the VRF's own neighbours and the caller of the best path for a prefix.
func (s *Speaker) imported(v *vrf, prefix netip.Prefix) {
	if in := s.instances[v.Name]; in != nil {
		var err error
		if list := v.imports[prefix]; len(list) > 0 {
			p := *list[0]
			p.rd, p.labels, p.nextHop = 0, nil, ownHop
			err = s.originate(in, &p, importHop)
		} else {
			err = s.retract(in, vpnKey{0, prefix}, importHop)
		}
		if err != nil {
			s.log.Warn("bgp: import", "vrf", v.Name, "prefix", prefix, "error", err)
		}
	}
	s.route(v, prefix)
}

// route tells the caller of the best route of a VRF for a prefix: what the VRF's GoBGP prefers of its neighbours, else what is imported.
func (s *Speaker) route(v *vrf, prefix netip.Prefix) {
	r := Route{Key: Key{v.Name, prefix}, Withdrawn: true}
	if p := v.learned[prefix]; p != nil {
		r = s.routeOf(v.Name, p)
	} else if list := v.imports[prefix]; len(list) > 0 {
		r = s.routeOf(v.Name, list[0])
	}
	before, had := v.said[prefix]
	switch {
	case r.Withdrawn && !had:
		return
	case r.Withdrawn:
		delete(v.said, prefix)
	case had && sameRoute(before, r):
		return
	default:
		v.said[prefix] = r
	}
	s.say(Effects{Routes: []Route{r}})
}

func sameRoute(a, b Route) bool {
	return a.Key == b.Key && a.NextHop == b.NextHop && a.From == b.From && a.Distance == b.Distance && a.Metric == b.Metric &&
		a.LocalPref == b.LocalPref && a.Origin == b.Origin && a.RD == b.RD && a.Neighbour == b.Neighbour && a.External == b.External &&
		slices.Equal(a.Labels, b.Labels) && slices.Equal(a.ASPath, b.ASPath) && slices.Equal(a.Targets, b.Targets) && slices.Equal(a.Communities, b.Communities) &&
		slices.Equal(a.Extended, b.Extended)
}

// routeOf is a path as the caller sees it in a table.
func (s *Speaker) routeOf(table string, p *path) Route {
	d := s.cfg.Distance
	r := Route{
		Key: Key{table, p.prefix}, NextHop: p.nextHop, Labels: p.labels, Metric: p.med, LocalPref: p.localPref, ASPath: p.asPath, Origin: p.origin,
		RD: p.rd, Targets: routeTargets(p.targets), Neighbour: p.neighbour, External: p.external, Communities: p.communities,
		Extended: eigrpCommunities(p.targets), Distance: orDefault(d.Internal, defaultInternal),
	}
	switch {
	case p.own():
		r.Distance, r.From, r.NextHop, r.Labels = orDefault(d.Local, defaultLocal), p.vrf, netip.Addr{}, nil
	case p.external:
		r.Distance = orDefault(d.External, defaultExternal)
	}
	return r
}

// learnedInVRF takes over what a VRF's GoBGP prefers: p is nil if that is not one of its neighbours' paths.
func (s *Speaker) learnedInVRF(v *vrf, prefix netip.Prefix, p *path) {
	if p == nil {
		if v.learned[prefix] == nil {
			return
		}
		delete(v.learned, prefix)
	} else {
		v.learned[prefix] = p
	}
	s.exportLearned(v, prefix)
	s.route(v, prefix)
}

// exportLearned advertises a VRF's route to other routers of the VPN, or takes it back.
func (s *Speaker) exportLearned(v *vrf, prefix netip.Prefix) {
	k, f := vpnKey{v.RD, prefix}, LabelFor{v.Name, v.RD, prefix}
	p := v.learned[prefix]
	if _, local := s.locals[Key{v.Name, prefix}]; p == nil || local {
		if w, changed := s.unswap(f); changed {
			s.say(Effects{Swaps: []Swap{w}})
			if err := s.retractOwn(k); err != nil && !local {
				s.log.Warn("bgp: export", "vrf", v.Name, "prefix", prefix, "error", err)
			}
		}
		return
	}
	w, changed := s.swapTo(f, Swap{VRF: v.Name, NextHop: p.nextHop})
	if w.Label == 0 {
		return
	}
	if changed {
		s.say(Effects{Swaps: []Swap{w}})
	}
	q := *p
	q.rd, q.labels, q.nextHop = v.RD, []uint32{w.Label}, ownHop
	q.targets = append(slices.DeleteFunc(slices.Clone(p.targets), RouteTarget.isTarget), v.Export...)
	if err := s.originateOwn(&q, v.Name); err != nil {
		s.log.Warn("bgp: export", "vrf", v.Name, "prefix", prefix, "error", err)
	}
}

// originateOwn advertises a VPN route of a VRF of ours.
func (s *Speaker) originateOwn(p *path, vrf string) error {
	s.owners[p.key()] = vrf
	return s.originate(s.instances[""], p, netip.Addr{})
}

func (s *Speaker) retractOwn(k vpnKey) error {
	if _, ok := s.owners[k]; !ok {
		return nil
	}
	delete(s.owners, k)
	return s.retract(s.instances[""], k, netip.Addr{})
}

// originate gives GoBGP a path. One from an address is not our own to GoBGP, which would prefer it to all others.
func (s *Speaker) originate(in *instance, p *path, from netip.Addr) error {
	g, err := goPath(p)
	if err != nil {
		return err
	}
	in.origin(g, from)
	if _, err = in.srv.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{g}}); err != nil {
		return fmt.Errorf("bgp: originate %s: %w", p.key(), err)
	}
	return nil
}

// retract takes it away again.
func (s *Speaker) retract(in *instance, k vpnKey, from netip.Addr) error {
	f, nlri, err := goNLRI(k.RD, k.Prefix, 0)
	if err != nil {
		return err
	}
	attr, err := bgp.NewPathAttributeMpReachNLRI(f, []bgp.PathNLRI{{NLRI: nlri}}, ownHop)
	if err != nil {
		return err
	}
	g := &apiutil.Path{Family: f, Nlri: nlri, Attrs: []bgp.PathAttributeInterface{attr}, Withdrawal: true}
	in.origin(g, from)
	if err := in.srv.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{g}}); err != nil {
		return fmt.Errorf("bgp: retract %s: %w", k, err)
	}
	return nil
}

func (in *instance) origin(g *apiutil.Path, from netip.Addr) {
	if from.IsValid() {
		g.PeerASN, g.PeerID, g.PeerAddress = in.s.cfg.AS, in.s.cfg.RouterID, from
	}
}
