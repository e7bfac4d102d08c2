package config

import (
	"slices"

	"nave/ctl/config/grammar"
)

func routeMapCommands() []*spec { return join(matchCommands(), setCommands()) }

func clauseCommand(syntax, help string, do func(x *ctx, c *RouteMapClause)) *spec {
	return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*RouteMapClause)) })
}

// addAll adds the values of a repeated argument, or takes them away; none given takes all away.
func addAll(x *ctx, list *[]string, name string) {
	values := x.All(name)
	if !x.on() && len(values) == 0 {
		*list = nil
	}
	for _, v := range values {
		update(x, list, v, equals(v))
	}
}

func addNumbers(x *ctx, list *[]uint32, name string) {
	values := x.Uints(name)
	if !x.on() && len(values) == 0 {
		*list = nil
	}
	for _, v := range values {
		update(x, list, uint32(v), equals(uint32(v)))
	}
	slices.Sort(*list)
}

func matchCommands() []*spec {
	return []*spec{
		clauseCommand("description ~ <text:line>", "Free text", func(x *ctx, c *RouteMapClause) { c.Description = x.str("text") }),
		clauseCommand("match ip address ~ <acl>...", "Prefix, by access list", func(x *ctx, c *RouteMapClause) { addAll(x, &c.MatchACL, "acl") }),
		clauseCommand("match ip address prefix-list ~ <prefixlist>...", "Prefix, by prefix list", func(x *ctx, c *RouteMapClause) {
			addAll(x, &c.MatchPrefix, "prefixlist")
		}),
		clauseCommand("match ip next-hop ~ <acl>...", "Next hop, by access list", func(x *ctx, c *RouteMapClause) { addAll(x, &c.MatchNextHop, "acl") }),
		clauseCommand("match ip next-hop prefix-list ~ <prefixlist>...", "Next hop, by prefix list", func(x *ctx, c *RouteMapClause) {
			addAll(x, &c.MatchNextHopPL, "prefixlist")
		}),
		clauseCommand("match interface ~ <interface:interface>...", "Interface of the next hop", func(x *ctx, c *RouteMapClause) {
			addAll(x, &c.MatchInterface, "interface")
		}),
		clauseCommand("match tag ~ <tag:0-4294967295>...", "Tag", func(x *ctx, c *RouteMapClause) { addNumbers(x, &c.MatchTag, "tag") }),
		clauseCommand("match metric ~ <metric:0-4294967295>...", "Metric", func(x *ctx, c *RouteMapClause) { addNumbers(x, &c.MatchMetric, "metric") }),
		clauseCommand("continue ~ [<seq:1-65535>]", "Go on with a later clause", func(x *ctx, c *RouteMapClause) {
			if c.Continue = x.num("seq"); x.on() && c.Continue == 0 {
				c.Continue = -1
			}
		}),
	}
}

func setCommands() []*spec {
	number := func(syntax, help string, to func(c *RouteMapClause) **uint32) *spec {
		return clauseCommand("set "+syntax+" ~ <value:0-4294967295>", help, func(x *ctx, c *RouteMapClause) {
			*to(c) = nil
			if x.on() {
				v := uint32(x.num("value"))
				*to(c) = &v
			}
		})
	}
	return []*spec{
		clauseCommand("set ip next-hop ~ {<address:ip>|peer-address|self}", "Next hop", func(x *ctx, c *RouteMapClause) {
			c.SetNextHop, c.SetNextHopPeer, c.SetNextHopSelf = x.addr("address"), x.has("peer-address"), x.has("self")
		}),
		number("local-preference", "Local preference", func(c *RouteMapClause) **uint32 { return &c.SetLocalPref }),
		clauseCommand("set metric ~ <value:0-4294967295> [<delay:0-4294967295> <reliability:0-255> <load:1-255> <bytes:1-65535>]",
			"Metric; of EIGRP bandwidth in kbit/s, delay in tens of microseconds, reliability, load and MTU", setClauseMetric),
		number("tag", "Tag", func(c *RouteMapClause) **uint32 { return &c.SetTag }),
		clauseCommand("set weight ~ <value:0-65535>", "Weight", func(x *ctx, c *RouteMapClause) {
			c.SetWeight = nil
			if x.on() {
				v := uint32(x.num("value"))
				c.SetWeight = &v
			}
		}),
		clauseCommand("set community ~ {none|{<community:rd>|no-export|no-advertise|internet|local-AS}... [additive]}", "Communities",
			func(x *ctx, c *RouteMapClause) {
				c.SetCommunity, c.SetCommunityAdd = nil, x.has("additive")
				if x.on() {
					c.SetCommunity = unique(x.communities())
				}
			}),
		clauseCommand("set extcommunity rt ~ <rt:rd>... [additive]", "Route targets", func(x *ctx, c *RouteMapClause) {
			c.SetExtRT, c.SetExtRTAdd = nil, x.has("additive")
			for _, s := range x.All("rt") {
				if rd, ok := parseRD(s); ok && x.on() {
					put(&c.SetExtRT, rd, equals(rd))
				}
			}
		}),
		clauseCommand("set as-path prepend ~ <asn:asn>...", "AS numbers to put before the path", func(x *ctx, c *RouteMapClause) {
			c.SetPrepend = nil
			for _, s := range x.All("asn") {
				if as, ok := grammar.ASN(s); ok && x.on() {
					c.SetPrepend = append(c.SetPrepend, as)
				}
			}
		}),
		clauseCommand("set origin ~ {igp|incomplete}", "Origin", func(x *ctx, c *RouteMapClause) { c.SetOrigin = x.choice("igp", "incomplete") }),
	}
}

func setClauseMetric(x *ctx, c *RouteMapClause) {
	c.SetMetric, c.SetMetricEIGRP = nil, nil
	switch v := uint32(x.Uint("value")); {
	case !x.on():
	case x.Given("delay"):
		c.SetMetricEIGRP = []uint32{v, uint32(x.Uint("delay")), uint32(x.Uint("reliability")), uint32(x.Uint("load")), uint32(x.Uint("bytes"))}
	default:
		c.SetMetric = &v
	}
}

// communities lists the numbers and the well-known names of a `set community`.
func (x *ctx) communities() []string {
	out := x.All("community")
	return append(out, x.keywords("none", "no-export", "no-advertise", "internet", "local-AS")...)
}
