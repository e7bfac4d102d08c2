package gateway

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"nave/ctl/config"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// subject is a route as a filter sees it.
type subject struct {
	prefix netip.Prefix
	iface  string     // that it is learned or told by; "" where that is not the question
	route  *rib.Route // nil where only the prefix is known
}

// test is one condition on a route.
type test func(s *subject) bool

// filterUse is what a route-map is used for: what is known of a route there, and what can be set.
type filterUse struct {
	what  string // what refuses where the map can't be carried out
	route bool   // the route is known, not only its prefix
	iface bool   // so is the interface that it is learned or told by
	// sets tells which of a clause's commands can't be carried out here.
	sets func(c *config.RouteMapClause) []string
}

// policyClause is a clause of a route-map.
type policyClause struct {
	deny  bool
	tests []test
	set   *config.RouteMapClause // of one that permits
}

// policy is a route-map for routes in general. The empty one refuses all.
type policy []policyClause

// permit finds the clause that is about a route; nil where the map refuses it.
func (p policy) permit(s *subject) *config.RouteMapClause {
	for i := range p {
		c := &p[i]
		if !slices.ContainsFunc(c.tests, func(t test) bool { return !t(s) }) {
			if c.deny {
				return nil
			}
			return c.set
		}
	}
	return nil
}

// policy makes a route-map. One that is not defined refuses all; a clause that says more than can be carried out refuses what its other conditions match, and all where one of
// its conditions is what can't be.
func (t *translation) policy(name string, use filterUse) policy {
	m := t.mapNamed(name)
	if m == nil {
		t.problem(use.what+": route-map "+name, "the route-map is not defined, and refuses all routes")
		return nil
	}
	var out policy
	for _, c := range m.Clauses {
		to := policyClause{deny: !c.Permit, set: c}
		var cant []string
		to.tests, cant = t.conditions(c, use)
		if len(cant) > 0 {
			to.tests = nil // which routes it would be about is not known: all
		}
		if c.Permit {
			cant = append(cant, use.sets(c)...)
		}
		if c.Continue != 0 {
			cant = append(cant, "continue")
		}
		if len(cant) > 0 {
			t.problem(clauseName(m, c), "`"+strings.Join(cant, "`, `")+"` can't be carried out for "+use.what+": the clause refuses what its other conditions match")
			to.deny = true
		}
		out = append(out, to)
	}
	return out
}

// conditions are what a clause matches. Several values of one kind are alternatives; all kinds have to match.
func (t *translation) conditions(c *config.RouteMapClause, use filterUse) (tests []test, cant []string) {
	if len(c.MatchACL)+len(c.MatchPrefix) > 0 {
		tests = append(tests, t.either(c.MatchACL, c.MatchPrefix, func(l prefixTest) test {
			return func(s *subject) bool { return l(s.prefix) }
		}))
	}
	for _, u := range []struct {
		is, can bool
		line    string
		test    test
	}{
		{len(c.MatchInterface) > 0, use.route || use.iface, "match interface", func(s *subject) bool {
			return slices.ContainsFunc(c.MatchInterface, s.by)
		}},
		{len(c.MatchTag) > 0, use.route, "match tag", func(s *subject) bool { return slices.Contains(c.MatchTag, s.route.Tag) }},
		{len(c.MatchMetric) > 0, use.route, "match metric", func(s *subject) bool { return slices.Contains(c.MatchMetric, s.route.Metric) }},
		{len(c.MatchNextHop)+len(c.MatchNextHopPL) > 0, use.route, "match ip next-hop", t.either(c.MatchNextHop, c.MatchNextHopPL, func(l prefixTest) test {
			return func(s *subject) bool {
				return slices.ContainsFunc(s.nextHops(), func(h rib.NextHop) bool { return h.Addr.Is4() && l(netip.PrefixFrom(h.Addr, 32)) })
			}
		})},
	} {
		switch {
		case u.is && u.can:
			tests = append(tests, u.test)
		case u.is:
			cant = append(cant, u.line)
		}
	}
	return tests, cant
}

// nextHops are those that the route's source named, which may be reached by way of others.
func (s *subject) nextHops() []rib.NextHop {
	if len(s.route.Via) > 0 {
		return s.route.Via
	}
	return s.route.Hops
}

// by tells whether a route is learned or told by an interface, or leaves by it.
func (s *subject) by(name string) bool {
	if s.iface != "" || s.route == nil {
		return s.iface == name
	}
	return slices.ContainsFunc(s.route.Hops, func(h rib.NextHop) bool { return h.Iface == name })
}

// prefixTest is an access list or a prefix-list.
type prefixTest func(p netip.Prefix) bool

// either makes a test that is true where that of any of the lists is. A list that is not defined lets all pass, as in IOS.
func (t *translation) either(acls, prefixLists []string, on func(prefixTest) test) test {
	var any []test
	for _, name := range acls {
		any = append(any, on(t.aclTest(name)))
	}
	for _, name := range prefixLists {
		any = append(any, on(t.prefixListTest(name)))
	}
	return func(s *subject) bool { return slices.ContainsFunc(any, func(t test) bool { return t(s) }) }
}

func all(netip.Prefix) bool { return true }

func (t *translation) prefixListTest(name string) prefixTest {
	k := slices.IndexFunc(t.tree.PrefixLists, func(l *config.PrefixList) bool { return l.Name == name })
	if k < 0 {
		return all
	}
	return prefixList(t.tree.PrefixLists[k]).Permits
}

func prefixList(l *config.PrefixList) bgp.PrefixList {
	out := bgp.PrefixList{}
	for _, e := range l.Entries {
		out = append(out, bgp.PrefixRule{Deny: !e.Permit, Prefix: e.Prefix.Masked(), GE: e.GE, LE: e.LE})
	}
	return out
}

func (t *translation) accessListNamed(name string) *config.AccessList {
	k := slices.IndexFunc(t.tree.AccessLists, func(a *config.AccessList) bool { return a.Name == name })
	if k < 0 {
		return nil
	}
	return t.tree.AccessLists[k]
}

// aclTest is an access list for routes, as IOS takes it: a standard one is about the address of a route, whatever its mask; an extended one about its address, by the source, and
// its mask, by the destination.
func (t *translation) aclTest(name string) prefixTest {
	a := t.accessListNamed(name)
	if a == nil {
		return all
	}
	entries, extended := slices.Clone(a.Entries), a.Extended
	return func(p netip.Prefix) bool {
		addr := p.Masked().Addr()
		mask := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(uint64(0xffffffff)<<(32-p.Bits())))))
		for i := range entries {
			e := &entries[i]
			if e.Remark == "" && covered(e.Source, addr) && (!extended || covered(e.Dest, mask)) {
				return e.Permit
			}
		}
		return false
	}
}

// covered tells whether an address is one of those that an address with a wildcard stands for.
func covered(m config.AddressMatch, a netip.Addr) bool {
	if !m.Addr.IsValid() {
		return true
	}
	if !m.Addr.Is4() || !a.Is4() {
		return false
	}
	x, y, w := m.Addr.As4(), a.As4(), [4]byte{}
	if m.Wildcard.Is4() {
		w = m.Wildcard.As4()
	}
	for i := range x {
		if (x[i]^y[i])&^w[i] != 0 {
			return false
		}
	}
	return true
}

func (t *translation) mapNamed(name string) *config.RouteMap {
	k := slices.IndexFunc(t.tree.RouteMaps, func(m *config.RouteMap) bool { return m.Name == name })
	if k < 0 {
		return nil
	}
	return t.tree.RouteMaps[k]
}

// bgpOnly are the commands of a clause that only BGP can carry out.
func bgpOnly(c *config.RouteMapClause) []string {
	return commands([]command{
		{c.SetNextHop.IsValid() || c.SetNextHopSelf || c.SetNextHopPeer, "set ip next-hop"},
		{c.SetWeight != nil, "set weight"},
		{len(c.SetExtRT) > 0, "set extcommunity rt"},
		{len(c.SetPrepend) > 0, "set as-path prepend"},
		{c.SetOrigin != "", "set origin"},
		{c.SetCommunityAdd, "set community additive"},
	})
}

// command is one that may be there.
type command struct {
	is   bool
	line string
}

// commands lists those that are.
func commands(list []command) (out []string) {
	for _, c := range list {
		if c.is {
			out = append(out, c.line)
		}
	}
	return out
}
