package bgp

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/api"
	"google.golang.org/protobuf/proto"

	"nave/slowpath/bgp/bgpmsg"
)

// outbound is what a link's rules are made of, but for the connection's own address.
type outbound struct {
	families map[Family]outboundFamily
	hops     map[netip.Addr]bgpmsg.Hop // of route-maps' next hops
	// self is what stands for this router where the connection is IPv6: routes of these families have IPv4 next hops.
	self netip.Addr
}

type outboundFamily struct {
	self                  bool       // next-hop-self
	hop                   netip.Addr // of a route-map that sets the next hop of all routes; the zero Addr: none
	communities, extended bool
}

// simple is the next hop of a route-map that permits all and does nothing but set it, as the usual one at a hub does. It costs
// nothing in GoBGP, which looks at each route for each neighbour.
func (m RouteMap) simple() (netip.Addr, bool) {
	if len(m) == 0 {
		return netip.Addr{}, false
	}
	c := m[0]
	only := !c.Deny && len(c.PrefixLists) == 0 && !c.Match && c.NextHop.IsValid() && c.LocalPref == nil && c.Metric == nil &&
		len(c.Communities) == 0 && len(c.Targets) == 0 && c.Prepend.Times == 0 && !c.SetOrigin
	return c.NextHop, only
}

// outboundOf works out what a neighbour's configuration says of routes on their way out.
func (s *Speaker) outboundOf(cfg *linkConfig) *outbound {
	o := &outbound{families: make(map[Family]outboundFamily), hops: s.setHops, self: s.cfg.RouterID}
	for _, a := range cfg.Families {
		f := outboundFamily{self: a.NextHopSelf, communities: a.SendCommunity, extended: a.SendExtended || a.Family != IPv4Unicast}
		if hop, ok := s.cfg.RouteMaps[a.Out].simple(); ok {
			f.hop = hop
		}
		o.families[a.Family] = f
	}
	return o
}

// swapsFor tells whether VPN routes leave by the neighbour with next hops of ours: the labels have to be ours then, too.
func (s *Speaker) swapsFor(cfg *linkConfig) bool {
	for _, a := range cfg.Families {
		if a.Family == IPv4Unicast {
			continue
		}
		if a.NextHopSelf || cfg.external || slices.ContainsFunc(s.cfg.RouteMaps[a.Out], func(c Clause) bool { return c.NextHop.IsValid() }) {
			return true
		}
	}
	return false
}

// rebuildRules makes the rules anew, after a change of configuration or with a new connection.
func (l *link) rebuildRules() {
	// Under the lock until they are stored, so that the last to change anything is not undone.
	l.mu.Lock()
	defer l.mu.Unlock()
	o, self := l.out.Load(), l.local
	if !self.Is4() {
		self = o.self
	}
	r := &bgpmsg.Rules{Hops: make(map[netip.Addr]bgpmsg.Hop), Families: make(map[bgpmsg.Family]bgpmsg.FamilyRules), Labels: l.s.swaps}
	maps.Copy(r.Hops, o.hops)
	r.Hops[ownHop] = bgpmsg.Hop{Address: self}
	r.Hops[innerAddr] = bgpmsg.Hop{Address: self, Swap: true}
	for f, x := range o.families {
		rule := bgpmsg.FamilyRules{Communities: x.communities, Extended: x.extended}
		switch {
		case x.hop.IsValid():
			rule.Default = bgpmsg.Hop{Address: x.hop, Swap: true}
			rule.Own = bgpmsg.Hop{Address: x.hop}
		case x.self:
			rule.Default = bgpmsg.Hop{Address: self, Swap: true}
		}
		rule.OwnHop = ownHop
		r.Families[f.wire()] = rule
	}
	l.rules.Store(r)
}

// hopNames gives each next hop that route-maps set with conditions two class E addresses, which stand for it in GoBGP: with a
// label of ours to be put on, and for routes of our own, which have one.
func hopNames(c *Config) (swap, own map[netip.Addr]netip.Addr, hops map[netip.Addr]bgpmsg.Hop) {
	swap, own = make(map[netip.Addr]netip.Addr), make(map[netip.Addr]netip.Addr)
	hops = make(map[netip.Addr]bgpmsg.Hop)
	for _, name := range slices.Sorted(maps.Keys(c.RouteMaps)) {
		for _, clause := range c.RouteMaps[name] {
			if h := clause.NextHop; h.IsValid() && !swap[h].IsValid() {
				b := h.As4()
				n := len(swap) + 1
				swap[h] = netip.AddrFrom4([4]byte{241, byte(n >> 16), byte(n >> 8), byte(n)})
				own[h] = netip.AddrFrom4([4]byte{242, byte(n >> 16), byte(n >> 8), byte(n)})
				hops[swap[h]] = bgpmsg.Hop{Address: netip.AddrFrom4(b), Swap: true}
				hops[own[h]] = bgpmsg.Hop{Address: netip.AddrFrom4(b)}
			}
		}
	}
	return swap, own, hops
}

// use is a route-map in one direction and family, with those that it is for.
type use struct {
	name   string
	out    bool
	family Family
}

// policyBuilder makes GoBGP's policies. GoBGP has one list of them for all neighbours, in each direction.
type policyBuilder struct {
	cfg       *Config
	swap, own map[netip.Addr]netip.Addr
	req       *api.SetPoliciesRequest
	in, out   *api.Policy
	sets      map[string]bool
}

// buildPolicies makes all the policies that an instance needs.
func (in *instance) buildPolicies() *api.SetPoliciesRequest {
	b := &policyBuilder{
		cfg: &in.s.cfg, req: &api.SetPoliciesRequest{}, in: &api.Policy{Name: "in"}, out: &api.Policy{Name: "out"}, sets: make(map[string]bool),
	}
	b.swap, b.own, _ = hopNames(b.cfg)
	b.in.Statements = []*api.Statement{{
		Name:       "reserved",
		Conditions: &api.Conditions{NextHopInList: b.reserved(), NeighborSet: b.neighbours("all", aliases)},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT},
	}}
	uses := make(map[use][]netip.Addr)
	for _, l := range in.links {
		for _, a := range l.config().Families {
			if a.In != "" {
				u := use{a.In, false, a.Family}
				uses[u] = append(uses[u], l.alias)
			}
			if _, simple := b.cfg.RouteMaps[a.Out].simple(); a.Out != "" && !simple {
				u := use{a.Out, true, a.Family}
				uses[u] = append(uses[u], l.alias)
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(uses), func(x, y use) int { return strings.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
	for _, u := range order {
		slices.SortFunc(uses[u], netip.Addr.Compare)
		b.use(u, uses[u])
	}
	b.req.Policies = []*api.Policy{b.in, b.out}
	return b.req
}

// reserved are the next hops that stand for something here: a neighbour that sends one is up to no good. GoBGP takes no prefixes.
func (b *policyBuilder) reserved() []string {
	list := []string{ownHop.String(), importHop.String(), innerAddr.String()}
	for _, names := range []map[netip.Addr]netip.Addr{b.swap, b.own} {
		for _, a := range slices.SortedFunc(maps.Values(names), netip.Addr.Compare) {
			list = append(list, a.String())
		}
	}
	return list
}

func (b *policyBuilder) neighbours(name string, ps ...netip.Prefix) *api.MatchSet {
	if !b.sets["n:"+name] {
		b.sets["n:"+name] = true
		set := &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR, Name: "n:" + name}
		for _, p := range ps {
			set.List = append(set.List, p.String())
		}
		b.req.DefinedSets = append(b.req.DefinedSets, set)
	}
	return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: "n:" + name}
}

// use adds the statements of a route-map for neighbours.
func (b *policyBuilder) use(u use, who []netip.Addr) {
	p, dir := b.in, "in"
	if u.out {
		p, dir = b.out, "out"
	}
	name := fmt.Sprintf("%s %s %d", u.name, dir, u.family)
	var ps []netip.Prefix
	for _, a := range who {
		ps = append(ps, netip.PrefixFrom(a, 32))
	}
	base := func() *api.Conditions {
		return &api.Conditions{NeighborSet: b.neighbours(name, ps...), AfiSafiIn: []*api.Family{apiFamily(u.family)}}
	}
	for i, c := range b.cfg.RouteMaps[u.name] {
		conds := base()
		set, all, none := b.prefixes(c)
		if none {
			continue
		}
		if !all {
			conds.PrefixSet = set
		}
		b.clause(p, fmt.Sprintf("%s %d", name, i), u, c, conds)
	}
	p.Statements = append(p.Statements, &api.Statement{
		Name: name + " end", Conditions: base(), Actions: &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT},
	})
}

func (b *policyBuilder) clause(p *api.Policy, name string, u use, c Clause, conds *api.Conditions) {
	act := &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT}
	if c.Deny {
		act.RouteAction = api.RouteAction_ROUTE_ACTION_REJECT
		p.Statements = append(p.Statements, &api.Statement{Name: name, Conditions: conds, Actions: act})
		return
	}
	if c.LocalPref != nil {
		act.LocalPref = &api.LocalPrefAction{Value: *c.LocalPref}
	}
	if c.Metric != nil {
		act.Med = &api.MedAction{Type: api.MedAction_TYPE_REPLACE, Value: int64(*c.Metric)}
	}
	if len(c.Communities) > 0 {
		act.Community = &api.CommunityAction{Type: addOrReplace(c.Additive)}
		for _, v := range c.Communities {
			act.Community.Communities = append(act.Community.Communities, fmt.Sprintf("%d:%d", v>>16, v&0xffff))
		}
	}
	if len(c.Targets) > 0 {
		act.ExtCommunity = &api.CommunityAction{Type: addOrReplace(c.TargetsAdded)}
		for _, t := range c.Targets {
			act.ExtCommunity.Communities = append(act.ExtCommunity.Communities, "rt:"+t.String())
		}
	}
	if c.Prepend.Times > 0 {
		act.AsPrepend = &api.AsPrependAction{Asn: c.Prepend.AS, Repeat: uint32(c.Prepend.Times)}
	}
	if c.SetOrigin {
		act.OriginAction = &api.OriginAction{Origin: apiOrigin(c.Origin)}
	}
	if !c.NextHop.IsValid() {
		p.Statements = append(p.Statements, &api.Statement{Name: name, Conditions: conds, Actions: act})
		return
	}
	if !u.out || u.family == IPv4Unicast {
		act.Nexthop = &api.NexthopAction{Address: c.NextHop.String()}
		p.Statements = append(p.Statements, &api.Statement{Name: name, Conditions: conds, Actions: act})
		return
	}
	// Routes of our own first: they have a label already.
	own, ownConds := cloneActions(act), cloneConditions(conds)
	own.Nexthop = &api.NexthopAction{Address: b.own[c.NextHop].String()}
	ownConds.RouteType = api.Conditions_ROUTE_TYPE_LOCAL
	act.Nexthop = &api.NexthopAction{Address: b.swap[c.NextHop].String()}
	p.Statements = append(p.Statements,
		&api.Statement{Name: name + " own", Conditions: ownConds, Actions: own},
		&api.Statement{Name: name, Conditions: conds, Actions: act})
}

func apiOrigin(o Origin) api.OriginType {
	switch o {
	case OriginIGP:
		return api.OriginType_ORIGIN_TYPE_IGP
	case OriginEGP:
		return api.OriginType_ORIGIN_TYPE_EGP
	}
	return api.OriginType_ORIGIN_TYPE_INCOMPLETE
}

func addOrReplace(additive bool) api.CommunityAction_Type {
	if additive {
		return api.CommunityAction_TYPE_ADD
	}
	return api.CommunityAction_TYPE_REPLACE
}

func cloneActions(a *api.Actions) *api.Actions {
	return &api.Actions{
		RouteAction: a.RouteAction, Community: a.Community, Med: a.Med, ExtCommunity: a.ExtCommunity, LocalPref: a.LocalPref,
		AsPrepend: a.AsPrepend, OriginAction: a.OriginAction,
	}
}

func cloneConditions(c *api.Conditions) *api.Conditions {
	return &api.Conditions{NeighborSet: c.NeighborSet, PrefixSet: c.PrefixSet, AfiSafiIn: c.AfiSafiIn}
}

// prefixes is the set that a clause matches: all there are, or none.
func (b *policyBuilder) prefixes(c Clause) (set *api.MatchSet, all, none bool) {
	if len(c.PrefixLists) == 0 {
		return nil, !c.Match, c.Match
	}
	var regions []region
	for _, name := range c.PrefixLists {
		l, ok := b.cfg.PrefixLists[name]
		if !ok {
			return nil, true, false // one that is not there matches all, as in IOS
		}
		regions = append(regions, l.regions()...)
	}
	if len(regions) == 0 {
		return nil, false, true
	}
	name := "p:" + strings.Join(c.PrefixLists, "+")
	if !b.sets[name] {
		b.sets[name] = true
		d := &api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_PREFIX, Name: name}
		for _, r := range regions {
			d.Prefixes = append(d.Prefixes, &api.Prefix{IpPrefix: r.p.String(), MaskLengthMin: uint32(r.lo), MaskLengthMax: uint32(r.hi)})
		}
		b.req.DefinedSets = append(b.req.DefinedSets, d)
	}
	return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: name}, false, false
}

// applyPolicies tells GoBGP what changed, and has it look again at the routes of those that it is for.
func (in *instance) applyPolicies(ctx context.Context) error {
	req := in.buildPolicies()
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return fmt.Errorf("bgp%s: route-maps: %w", inVRF(in.vrf), err)
	}
	if string(text) == in.policies {
		return nil
	}
	if err := in.srv.SetPolicies(ctx, req); err != nil {
		return fmt.Errorf("bgp%s: route-maps: %w", inVRF(in.vrf), err)
	}
	if !in.assigned {
		for _, a := range []*api.PolicyAssignment{
			{Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_IMPORT, Policies: []*api.Policy{{Name: "in"}}, DefaultAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
			{Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_EXPORT, Policies: []*api.Policy{{Name: "out"}}, DefaultAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
		} {
			if err := in.srv.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: a}); err != nil {
				return fmt.Errorf("bgp%s: route-maps: %w", inVRF(in.vrf), err)
			}
		}
		in.assigned = true
	}
	in.policies = string(text)
	return nil
}
