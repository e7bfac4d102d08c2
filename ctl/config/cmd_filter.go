package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// filterCommands are access lists, prefix lists and route maps.
func filterCommands() []*spec {
	numbered := func(typ string, extended bool) *spec {
		body := standardEntry
		if extended {
			body = extendedEntry
		}
		return cmd("access-list <number:"+typ+"> ~ {remark <remark:line>|"+body+"}", "Entry of a numbered access list", func(x *ctx) {
			if !x.on() {
				remove(&x.cfg.AccessLists, func(a *AccessList) bool { return a.Name == x.Text("number") })
				return
			}
			if a := x.accessList(x.Text("number"), extended); a != nil {
				x.setEntry(a)
			}
		})
	}
	enter := func(extended bool, m modeID) func(x *ctx) {
		return func(x *ctx) {
			if !x.on() {
				remove(&x.cfg.AccessLists, func(a *AccessList) bool { return a.Name == x.Text("acl") })
				return
			}
			if a := x.accessList(x.Text("acl"), extended); a != nil {
				x.push(m, a, nil)
			}
		}
	}
	return []*spec{
		numbered("1-99", false), numbered("1300-1999", false), numbered("100-199", true), numbered("2000-2699", true),
		cmd("ip access-list standard <acl>", "Access list of sources", enter(false, mStandardACL)),
		cmd("ip access-list extended <acl>", "Access list of protocols, sources and destinations", enter(true, mExtendedACL)),
		cmd("ip prefix-list <prefixlist> description ~ <text:line>", "Free text", func(x *ctx) {
			if l := x.prefixList(); l != nil {
				l.Description = x.str("text")
			}
		}),
		cmd("ip prefix-list <prefixlist> ~ [seq <seq:1-4294967294>] {permit|deny} <prefix:prefix> [ge <ge:1-32>] [le <le:1-32>]",
			"Entry of a prefix list", setPrefixEntry),
		cmd("route-map <routemap> ~ [{permit|deny}] [<seq:0-65535>]", "Clause of a route map", enterRouteMap),
	}
}

// accessList returns the list, made where it is missing; nil, reported, where it is of the other kind.
func (x *ctx) accessList(name string, extended bool) *AccessList {
	if n, err := strconv.Atoi(name); err == nil {
		std := n >= 1 && n <= 99 || n >= 1300 && n <= 1999
		ext := n >= 100 && n <= 199 || n >= 2000 && n <= 2699
		if extended && !ext || !extended && !std {
			x.bad("standard lists are 1-99 and 1300-1999, extended ones 100-199 and 2000-2699", "%d is no number of such an access list", n)
			return nil
		}
	}
	a := named(&x.cfg.AccessLists, name, func(a *AccessList) string { return a.Name },
		func() *AccessList { return &AccessList{Name: name, Extended: extended, Pos: x.pos} })
	if a.Extended != extended {
		x.report(Error, "acl-kind", "access list "+name+" is already of the other kind", "choose another name")
		return nil
	}
	return a
}

const (
	standardEntry = "{permit|deny} {any|host <src:ip>|<src:ip> [<srcwild:wildcard>]} [log]"
	portOps       = "[{eq <%[1]seq>|neq <%[1]sneq>|lt <%[1]slt>|gt <%[1]sgt>|range <%[1]sfrom> <%[1]sto>}]"
)

var (
	srcEntry      = "{any|host <src:ip>|<src:ip> <srcwild:wildcard>}"
	dstEntry      = "{any|host <dst:ip>|<dst:ip> <dstwild:wildcard>}"
	extendedEntry = "{permit|deny} {{ip|gre|esp|ahp|eigrp|ospf|igmp|ipinip|pim|<protocol:0-255>} " + srcEntry + " " + dstEntry +
		"|{tcp|udp} " + srcEntry + " " + fmt.Sprintf(portOps, "src") + " " + dstEntry + " " + fmt.Sprintf(portOps, "dst") + " [established]" +
		"|icmp " + srcEntry + " " + dstEntry + " [{echo|echo-reply|unreachable|time-exceeded|packet-too-big|redirect|<icmptype:0-255>}]} [fragments] [log]"
)

func standardACLCommands() []*spec { return aclCommands(standardEntry) }
func extendedACLCommands() []*spec { return aclCommands(extendedEntry) }

func aclCommands(entry string) []*spec {
	acl := func(x *ctx) *AccessList { return x.top().obj.(*AccessList) }
	return []*spec{
		cmd("<seq:1-2147483647> ~ {remark <remark:line>|"+entry+"}", "Entry with its number", func(x *ctx) {
			if !x.on() {
				remove(&acl(x).Entries, func(e AccessEntry) bool { return e.Seq == int(x.Uint("seq")) })
				return
			}
			x.setEntry(acl(x))
		}),
		cmd(entry, "Entry at the end", func(x *ctx) { x.setEntry(acl(x)) }),
		cmd("remark <remark:line>", "Free text", func(x *ctx) { x.setEntry(acl(x)) }),
	}
}

// portNumbers are the names that ports have in access lists.
var portNumbers = map[string]uint16{"bgp": 179, "bootpc": 68, "bootps": 67, "domain": 53, "ftp": 21, "isakmp": 500,
	"ldp": 646, "non500-isakmp": 4500, "ntp": 123, "snmp": 161, "ssh": 22, "syslog": 514, "telnet": 23, "tftp": 69, "www": 80}

// setEntry adds an entry to the list, or takes an equal one away.
func (x *ctx) setEntry(a *AccessList) {
	e := AccessEntry{Remark: x.Text("remark"), Permit: x.Has("permit"), Established: x.Has("established"),
		Fragments: x.Has("fragments"), Log: x.Has("log")}
	if e.Remark == "" {
		e.Source = x.match("src", !a.Extended)
		if a.Extended {
			e.Protocol = or(x.OneOf("ip", "tcp", "udp", "icmp", "gre", "esp", "ahp", "eigrp", "ospf", "igmp", "ipinip", "pim"), x.Text("protocol"))
			e.Dest = x.match("dst", false)
			e.ICMPType = or(x.OneOf("echo", "echo-reply", "unreachable", "time-exceeded", "packet-too-big", "redirect"), x.Text("icmptype"))
			var ok1, ok2 bool
			e.SrcPort, ok1 = x.ports("src")
			e.DstPort, ok2 = x.ports("dst")
			if !ok1 || !ok2 {
				return
			}
		}
	}
	if !x.on() {
		remove(&a.Entries, func(o AccessEntry) bool { o.Seq = 0; return o == e })
		return
	}
	if e.Seq = int(x.Uint("seq")); e.Seq == 0 {
		e.Seq = 10
		if n := len(a.Entries); n > 0 {
			e.Seq = a.Entries[n-1].Seq + 10
		}
		if e.Seq > 1<<31-1 {
			x.bad("give the entry a free number", "no number is left after %d", e.Seq-10)
			return
		}
	}
	put(&a.Entries, e, func(o AccessEntry) bool { return o.Seq == e.Seq })
	slices.SortFunc(a.Entries, func(p, q AccessEntry) int { return p.Seq - q.Seq })
}

// match reads an address match; plain tells that an address alone is a host.
func (x *ctx) match(name string, plain bool) AddressMatch {
	if !x.Given(name) {
		return AddressMatch{}
	}
	m := AddressMatch{Addr: x.IP(name), Wildcard: netip.AddrFrom4([4]byte{})}
	if w := x.IP(name + "wild"); w.IsValid() {
		m.Wildcard = w
	}
	if m.Wildcard == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return AddressMatch{}
	}
	a, w := m.Addr.As4(), m.Wildcard.As4()
	for i := range a {
		a[i] &^= w[i]
	}
	m.Addr = netip.AddrFrom4(a)
	return m
}

// ports reads the port match whose arguments begin with the prefix.
func (x *ctx) ports(prefix string) (m PortMatch, ok bool) {
	for _, op := range []string{"eq", "neq", "lt", "gt"} {
		if x.Given(prefix + op) {
			m.Op = op
			m.From, ok = x.port(prefix + op)
			return m, ok
		}
	}
	if !x.Given(prefix + "from") {
		return m, true
	}
	m.Op = "range"
	var ok2 bool
	m.From, ok = x.port(prefix + "from")
	m.To, ok2 = x.port(prefix + "to")
	if m.From > m.To {
		m.From, m.To = m.To, m.From
	}
	return m, ok && ok2
}

func (x *ctx) port(name string) (uint16, bool) {
	text := x.Text(name)
	if n, ok := portNumbers[strings.ToLower(text)]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		x.bad("write a number from 0 to 65535 or a name such as isakmp", "%q is no port", text)
	}
	return uint16(n), err == nil
}

// prefixList returns the list of the command, made where it is missing and wanted.
func (x *ctx) prefixList() *PrefixList {
	name := x.Text("prefixlist")
	for _, l := range x.cfg.PrefixLists {
		if l.Name == name {
			return l
		}
	}
	if !x.on() {
		return nil
	}
	l := &PrefixList{Name: name, Pos: x.pos}
	x.cfg.PrefixLists = append(x.cfg.PrefixLists, l)
	return l
}

func setPrefixEntry(x *ctx) {
	p, _ := netip.ParsePrefix(x.Text("prefix"))
	e := PrefixEntry{Seq: int(x.Uint("seq")), Permit: x.Has("permit"), Prefix: p.Masked(), GE: int(x.Uint("ge")), LE: int(x.Uint("le"))}
	if !x.on() {
		l := x.prefixList()
		switch {
		case l == nil:
		case !x.Given("seq") && !x.Given("prefix"):
			remove(&x.cfg.PrefixLists, func(o *PrefixList) bool { return o.Name == l.Name })
		default:
			remove(&l.Entries, func(o PrefixEntry) bool {
				if e.Seq == 0 {
					o.Seq = 0
				}
				return o.Seq == e.Seq && (!x.Given("prefix") || o == e)
			})
		}
		return
	}
	if e.GE != 0 && e.GE <= p.Bits() || e.LE != 0 && e.LE <= p.Bits() || e.GE != 0 && e.LE != 0 && e.GE > e.LE {
		x.bad("prefix length < ge <= le", "the lengths of %s do not fit each other", x.Text("prefix"))
		return
	}
	l := x.prefixList()
	if e.Seq == 0 {
		e.Seq = 5
		if n := len(l.Entries); n > 0 {
			e.Seq = l.Entries[n-1].Seq + 5
		}
		if e.Seq > 1<<32-2 {
			x.bad("give the entry a free number", "no number is left after %d", e.Seq-5)
			return
		}
	}
	put(&l.Entries, e, func(o PrefixEntry) bool { return o.Seq == e.Seq })
	slices.SortFunc(l.Entries, func(a, b PrefixEntry) int { return a.Seq - b.Seq })
}

func enterRouteMap(x *ctx) {
	name, seq := x.Text("routemap"), int(x.Uint("seq"))
	if !x.on() {
		x.removeRouteMap(name, seq)
		return
	}
	if !x.Given("seq") {
		seq = 10
	}
	m := named(&x.cfg.RouteMaps, name, func(m *RouteMap) string { return m.Name }, func() *RouteMap { return &RouteMap{Name: name, Pos: x.pos} })
	at, ok := slices.BinarySearchFunc(m.Clauses, seq, func(c *RouteMapClause, s int) int { return c.Seq - s })
	if !ok {
		m.Clauses = slices.Insert(m.Clauses, at, &RouteMapClause{Seq: seq, Permit: true, Pos: x.pos})
	}
	c := m.Clauses[at]
	if !ok || x.OneOf("permit", "deny") != "" {
		c.Permit = !x.Has("deny")
	}
	x.push(mRouteMap, c, &c.Lines)
}

func (x *ctx) removeRouteMap(name string, seq int) {
	remove(&x.cfg.RouteMaps, func(m *RouteMap) bool {
		if m.Name != name {
			return false
		}
		if x.Given("seq") {
			remove(&m.Clauses, func(c *RouteMapClause) bool { return c.Seq == seq })
			return len(m.Clauses) == 0
		}
		return true
	})
}
