package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Check finds what is wrong, or advised against, in one or several routers' configurations. Several are taken as
// routers of the same networks, and are compared with each other.
func Check(files ...*Config) Diagnostics { return CheckAt(time.Now(), files...) }

// CheckAt is Check at a point in time, by which keys may have expired.
func CheckAt(now time.Time, files ...*Config) Diagnostics {
	var out Diagnostics
	for _, c := range files {
		k := &checker{c: c, now: now}
		k.names()
		k.addresses()
		k.vrfs()
		k.routes()
		k.tunnels()
		k.nhrp()
		k.crypto()
		k.routing()
		k.logging()
		out = append(out, k.diags...)
	}
	if len(files) > 1 {
		out = append(out, checkNetworks(files)...)
	}
	return out
}

// checker looks at one configuration.
type checker struct {
	c     *Config
	now   time.Time
	diags Diagnostics
}

// add reports a finding. The text of the message comes with its arguments; the action is plain.
func (k *checker) add(pos Pos, s Severity, code, action, format string, args ...any) {
	k.diags = append(k.diags, Diagnostic{File: pos.File, Line: pos.Line, Column: pos.Column, Severity: s, Code: code,
		Message: fmt.Sprintf(format, args...), Action: action})
}

// at returns where one of the commands stands, the first that is there; else the place of the mode.
func (l Lines) at(mode Pos, commands ...string) Pos {
	for _, c := range commands {
		if p, ok := l[c]; ok {
			return p
		}
	}
	return mode
}

// beginning returns where the first command stands that begins with these words; else the place of the mode.
func (l Lines) beginning(mode Pos, words string) Pos {
	found := mode
	for text, p := range l {
		if (text == words || strings.HasPrefix(text, words+" ")) && (found == mode || p.Line < found.Line) {
			found = p
		}
	}
	return found
}

// at returns where one of the interface's commands stands.
func (i *Interface) at(commands ...string) Pos { return i.Lines.at(i.Pos, commands...) }

// undefined reports a name that is used and not defined. kind reads like "VRF".
func (k *checker) undefined(pos Pos, kind, name, define string) {
	k.add(pos, Error, "undefined", "define it with `"+define+" "+name+"` or correct the name", "%s %s is used and not defined", kind, name)
}

// needVRF checks the name of a VRF; empty is the global table.
func (k *checker) needVRF(pos Pos, name string) {
	if name != "" && k.c.VRF(name) == nil {
		k.undefined(pos, "VRF", name, "ip vrf")
	}
}

func (k *checker) needInterface(pos Pos, name string) {
	if name != "" && name != "Null0" && k.c.Interface(name) == nil {
		k.undefined(pos, "interface", name, "interface")
	}
}

func (k *checker) needRouteMap(pos Pos, name string) {
	if name != "" && !slices.ContainsFunc(k.c.RouteMaps, func(m *RouteMap) bool { return m.Name == name }) {
		k.undefined(pos, "route map", name, "route-map")
	}
}

func (k *checker) needPrefixList(pos Pos, name string) {
	if name != "" && !slices.ContainsFunc(k.c.PrefixLists, func(l *PrefixList) bool { return l.Name == name }) {
		k.undefined(pos, "prefix list", name, "ip prefix-list")
	}
}

func (k *checker) needACL(pos Pos, name string) {
	if name != "" && !slices.ContainsFunc(k.c.AccessLists, func(a *AccessList) bool { return a.Name == name }) {
		k.undefined(pos, "access list", name, "ip access-list standard")
	}
}

func (k *checker) needKeyChain(pos Pos, name string) {
	if name != "" && !slices.ContainsFunc(k.c.KeyChains, func(a *KeyChain) bool { return a.Name == name }) {
		k.undefined(pos, "key chain", name, "key chain")
	}
}

func (k *checker) needTrustpoint(pos Pos, name string) {
	if name != "" && !slices.ContainsFunc(k.c.PKI.Trustpoints, func(t *Trustpoint) bool { return t.Name == name }) {
		k.undefined(pos, "trustpoint", name, "crypto pki trustpoint")
	}
}

// names finds names that are used and not defined outside cryptography.
func (k *checker) names() {
	c := k.c
	for _, v := range c.VRFs {
		k.needRouteMap(v.Lines.at(v.Pos, "import map"), v.ImportMap)
		k.needRouteMap(v.Lines.at(v.Pos, "export map"), v.ExportMap)
	}
	for _, i := range c.Interfaces {
		k.needVRF(i.at("ip vrf forwarding", "vrf forwarding"), i.VRF)
		k.needVRF(i.at("tunnel vrf"), i.Tunnel.VRF)
		k.needInterface(i.at("ip unnumbered"), i.Unnumbered)
		for _, e := range i.EIGRP {
			k.needKeyChain(i.at("ip authentication key-chain eigrp"), e.KeyChain)
			for _, s := range e.Summaries {
				k.needRouteMap(i.at("ip summary-address eigrp"), s.LeakMap)
			}
		}
	}
	for _, r := range c.StaticRoutes {
		k.needVRF(r.Pos, r.VRF)
		k.needInterface(r.Pos, r.Interface)
	}
	for _, r := range c.KernelImport {
		k.needVRF(c.Lines.at(Pos{}, "ip route import kernel"), r.VRF)
	}
	k.needInterface(c.Lines.at(Pos{}, "mpls ldp router-id"), c.MPLS.LDPRouterID)
	for _, l := range c.MPLS.LabelModes {
		k.needVRF(c.Lines.at(Pos{}, "mpls label mode"), l.VRF)
	}
	for _, p := range c.MPLS.LDPPasswords {
		k.needVRF(c.Lines.at(Pos{}, "mpls ldp neighbor"), p.VRF)
	}
	for _, m := range c.RouteMaps {
		for _, cl := range m.Clauses {
			k.clauseNames(cl)
		}
	}
}

func (k *checker) clauseNames(cl *RouteMapClause) {
	for _, n := range cl.MatchACL {
		k.needACL(cl.Lines.at(cl.Pos, "match ip address"), n)
	}
	for _, n := range cl.MatchNextHop {
		k.needACL(cl.Lines.at(cl.Pos, "match ip next-hop"), n)
	}
	for _, n := range cl.MatchPrefix {
		k.needPrefixList(cl.Lines.at(cl.Pos, "match ip address prefix-list"), n)
	}
	for _, n := range cl.MatchNextHopPL {
		k.needPrefixList(cl.Lines.at(cl.Pos, "match ip next-hop prefix-list"), n)
	}
	for _, n := range cl.MatchInterface {
		k.needInterface(cl.Lines.at(cl.Pos, "match interface"), n)
	}
}

// addresses finds addresses and networks that are there twice in one table.
func (k *checker) addresses() {
	type place struct {
		ifc    *Interface
		prefix netip.Prefix
	}
	var all []place
	for _, i := range k.c.Interfaces {
		for _, p := range i.prefixes() {
			for _, o := range all {
				if o.ifc == i || o.ifc.VRF != i.VRF || !o.prefix.Overlaps(p) {
					continue
				}
				table := tableName(i.VRF)
				switch {
				case o.prefix.Addr() == p.Addr():
					k.add(i.at("ip address"), Error, "address-duplicate", "give each interface its own address",
						"%s has address %s, as has %s, in %s", i.Name, p.Addr(), o.ifc.Name, table)
				case o.prefix.Masked() == p.Masked():
					k.add(i.at("ip address"), Error, "address-overlap", "use another network, or another VRF",
						"%s and %s are in one network, %s, in %s", o.ifc.Name, i.Name, p.Masked(), table)
				default:
					k.add(i.at("ip address"), Warning, "address-overlap", "use networks that do not overlap",
						"the networks %s of %s and %s of %s overlap in %s", o.prefix.Masked(), o.ifc.Name, p.Masked(), i.Name, table)
				}
			}
			all = append(all, place{i, p})
		}
		if i.VLAN == 0 && i.Parent() != "" {
			k.add(i.Pos, Error, "no-vlan", "add `encapsulation dot1Q VLAN`", "subinterface %s has no VLAN", i.Name)
		}
	}
}

// prefixes lists the interface's addresses, the primary one first.
func (i *Interface) prefixes() []netip.Prefix {
	var out []netip.Prefix
	if i.Address.IsValid() {
		out = append(out, i.Address)
	}
	return append(out, i.Secondary...)
}

func tableName(vrf string) string {
	if vrf == "" {
		return "the global table"
	}
	return "VRF " + vrf
}

// routes finds static routes that can't work.
func (k *checker) routes() {
	for _, r := range k.c.StaticRoutes {
		if !r.NextHop.IsValid() || r.Interface != "" {
			continue
		}
		table := r.VRF
		if r.Global {
			table = ""
		}
		if k.reachable(table, r.NextHop, r.Prefix) {
			continue
		}
		k.add(r.Pos, Warning, "next-hop-unreachable", "name a router in a connected network",
			"no interface or route of %s leads to next hop %s", tableName(table), r.NextHop)
	}
}

// reachable tells whether something may lead to the address: a connected network, another static route, or what is
// known only at run time (DHCP, routing protocols).
func (k *checker) reachable(vrf string, a netip.Addr, but netip.Prefix) bool {
	if k.c.BGP != nil || len(k.c.EIGRP) > 0 || len(k.c.KernelImport) > 0 {
		return true
	}
	for _, i := range k.c.Interfaces {
		if i.VRF != vrf {
			continue
		}
		if i.DHCP || i.Unnumbered != "" {
			return true
		}
		for _, p := range i.prefixes() {
			if p.Contains(a) {
				return true
			}
		}
	}
	for _, r := range k.c.StaticRoutes {
		if r.VRF == vrf && r.Prefix != but && r.Prefix.Contains(a) {
			return true
		}
	}
	return false
}
