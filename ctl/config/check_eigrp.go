package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// eigrp checks all processes, and what interfaces say of processes that there are not.
func (k *checker) eigrp() {
	type table struct {
		vrf string
		as  uint16
	}
	seen := make(map[table]*EIGRP)
	for _, e := range k.c.EIGRP {
		for _, f := range e.Families {
			if o := seen[table{f.VRF, f.AS}]; o != nil && f.AS != 0 {
				k.add(f.Pos, Error, "eigrp-twice", "give one of them another AS number, or remove it", "EIGRP with AS %d is configured twice in %s", f.AS, tableName(f.VRF))
			}
			seen[table{f.VRF, f.AS}] = e
			k.eigrpFamily(e, f)
		}
	}
	for _, i := range k.c.Interfaces {
		for _, s := range i.EIGRP {
			pos := i.eigrpLine(s)
			switch e := seen[table{i.VRF, s.AS}]; {
			case e == nil:
				k.add(pos, Warning, "eigrp-interface", "correct the AS number, or add `router eigrp`", "%s has settings of EIGRP with AS %d, which does not run in %s", i.Name, s.AS, tableName(i.VRF))
			case e.Name != "":
				k.add(pos, Warning, "eigrp-interface", "write it under `af-interface "+i.Name+"` of `router eigrp "+e.Name+"`",
					"%s has settings of EIGRP with AS %d, which is configured in named mode: they have no effect", i.Name, s.AS)
			}
		}
	}
	for _, c := range k.c.KeyChains {
		k.keyChain(c)
	}
}

// eigrpLine is where an interface says something of an AS.
func (i *Interface) eigrpLine(s *InterfaceEIGRP) Pos {
	as := fmt.Sprintf(" eigrp %d", s.AS)
	return i.at("ip split-horizon"+as, "ip next-hop-self"+as, fmt.Sprintf("ip hello-interval%s %d", as, s.Hello/time.Second), fmt.Sprintf("ip hold-time%s %d", as, s.Hold/time.Second),
		"ip authentication mode"+as+" md5", "ip authentication key-chain"+as+" "+s.KeyChain, fmt.Sprintf("ip bandwidth-percent%s %d", as, s.BandwidthPercent), "ip summary-address eigrp")
}

// keyChain finds chains that no packet can be signed with.
func (k *checker) keyChain(c *KeyChain) {
	usable, good, last := false, false, time.Time{}
	for _, key := range c.Keys {
		if key.String == "" {
			continue
		}
		usable = true
		l, err := ParseKeyLifetime(key.Send)
		if err != nil {
			continue // it was reported when it was read
		}
		_, until := l.In(time.Local)
		if until.IsZero() || until.After(k.now) {
			good = true
		} else if until.After(last) {
			last = until
		}
	}
	switch {
	case !usable:
		k.add(c.Pos, Warning, "key-chain-empty", "add `key NUMBER` with a `key-string`", "key chain %s has no key: nothing is sent where it is used", c.Name)
	case !good:
		k.add(c.Pos, Warning, "key-chain-expired", "add a key whose `send-lifetime` goes on", "the last key of key chain %s was good until %s: nothing is sent where it is used",
			c.Name, last.Format("2006-01-02 15:04:05 MST"))
	}
}

func (k *checker) eigrpFamily(e *EIGRP, f *EIGRPFamily) {
	if f.VRF != "" && k.c.VRF(f.VRF) == nil {
		k.undefined(f.Pos, "VRF", f.VRF, "ip vrf")
	}
	if f.AS == 0 {
		k.add(f.Pos, Error, "eigrp-no-as", "add `autonomous-system NUMBER`", "EIGRP in VRF %s has no AS number", f.VRF)
	}
	k.eigrpNeighbors(f)
	k.needRouteMap(f.Lines.at(f.Pos, "eigrp stub"), f.Stub.LeakMap)
	k.redistribution(f.Lines, f.Pos, f.VRF, f.Redistribute)
	for _, r := range f.Redistribute {
		if r.Protocol == "eigrp" && r.ID == uint32(f.AS) {
			k.add(f.Lines.beginning(f.Pos, r.head()), Warning, "redistribute-none", "remove it, or name another AS", "`%s` takes no route: that is the process itself", r.head())
		}
		if !r.HasMetric && r.RouteMap == "" && len(f.DefaultMetric) == 0 && (r.Protocol == "kernel" || r.Protocol == "bgp" && f.VRF == "") {
			k.add(f.Lines.beginning(f.Pos, r.head()), Warning, "eigrp-no-metric", "add `default-metric 1000 100 255 1 1500`, or `metric` to the line",
				"routes of `redistribute %s` have no metric of EIGRP, and are not taken", r.Protocol)
		}
	}
	for _, d := range f.Distribute {
		pos := f.Lines.beginning(f.Pos, "distribute-list "+word(d.PrefixList != "", "prefix ")+word(d.RouteMap != "", "route-map ")+d.PrefixList+d.RouteMap+d.AccessList)
		k.needACL(pos, d.AccessList)
		k.needPrefixList(pos, d.PrefixList)
		k.needRouteMap(pos, d.RouteMap)
		k.needInterface(pos, d.Interface)
		if slices.ContainsFunc(k.c.AccessLists, func(a *AccessList) bool { return a.Name == d.AccessList && a.Extended }) {
			k.add(pos, Info, "distribute-extended", "use a prefix list", "access list %s is an extended one: its source is compared with a route's address, its destination with the mask", d.AccessList)
		}
	}
	for _, i := range f.Interfaces {
		k.needKeyChain(i.Lines.at(i.Pos, "authentication key-chain"), i.KeyChain)
		for _, s := range i.Summaries {
			k.needRouteMap(i.Lines.at(i.Pos, "summary-address"), s.LeakMap)
		}
		if i.Name != "default" {
			k.needInterface(i.Pos, i.Name)
		}
	}
	if e.Shutdown || f.Shutdown {
		return
	}
	k.eigrpNetworks(f)
	for _, i := range k.c.Interfaces {
		if i.VRF != f.VRF || !slices.ContainsFunc(i.prefixes(), func(p netip.Prefix) bool { return f.Covers(p.Addr()) }) {
			continue
		}
		s := e.Settings(f, i)
		if s.Shutdown.Or(false) || s.Passive.Or(false) {
			continue
		}
		k.eigrpInterface(e, f, i, &s)
		if i.IsTunnel() {
			k.eigrpTunnel(e, f, i, &s)
		}
	}
}

// Covers tells whether a `network` command takes the address of an interface in.
func (f *EIGRPFamily) Covers(a netip.Addr) bool {
	return slices.ContainsFunc(f.Networks, func(n EIGRPNetwork) bool { return a.IsValid() && n.Prefix.Contains(a) })
}

func (f *EIGRPFamily) passive(name string) bool {
	if f.PassiveDefault {
		return !contains(f.NotPassive, name)
	}
	return contains(f.Passive, name)
}

// eigrpNeighbors finds neighbors that can't be there, and passive interfaces that are not.
func (k *checker) eigrpNeighbors(f *EIGRPFamily) {
	for _, n := range f.Neighbors {
		pos := f.Lines.beginning(f.Pos, "neighbor "+n.Addr.String())
		k.needInterface(pos, n.Interface)
		i := k.c.Interface(n.Interface)
		if i == nil || i.DHCP || i.Unnumbered != "" || slices.ContainsFunc(i.prefixes(), func(p netip.Prefix) bool { return p.Contains(n.Addr) }) {
			continue
		}
		k.add(pos, Warning, "eigrp-neighbor", "correct the address, or name the interface that it is reached by", "EIGRP's neighbor %s is in no subnet of %s: it is not taken", n.Addr, i.Name)
	}
	for _, name := range append(slices.Clone(f.Passive), f.NotPassive...) {
		if k.c.Interface(name) == nil {
			k.add(f.Lines.at(f.Pos, "passive-interface "+name), Warning, "eigrp-passive", "correct the name, or remove the line", "`passive-interface` names %s, which is not there", name)
		}
	}
}

// eigrpNetworks finds networks that no interface is in. Where addresses are not known before naved runs that can't be told.
func (k *checker) eigrpNetworks(f *EIGRPFamily) {
	if slices.ContainsFunc(k.c.Interfaces, func(i *Interface) bool { return i.VRF == f.VRF && (i.DHCP || i.Unnumbered != "") }) {
		return
	}
	for _, n := range f.Networks {
		if slices.ContainsFunc(k.c.Interfaces, func(i *Interface) bool {
			return i.VRF == f.VRF && slices.ContainsFunc(i.prefixes(), func(p netip.Prefix) bool { return n.Prefix.Contains(p.Addr()) })
		}) {
			continue
		}
		head := "network " + n.Prefix.Addr().String()
		k.add(f.Lines.at(f.Pos, head, head+" "+wildcard(n.Prefix.Bits()), "network"), Warning, "eigrp-network", "correct it: the second number is a wildcard, such as 0.0.0.255",
			"no interface of %s has an address in network %s: EIGRP does not run on one by it", tableName(f.VRF), n.Prefix)
	}
}

// eigrpAt is where a setting of an interface stands: on the interface, or under `af-interface`.
func eigrpAt(e *EIGRP, f *EIGRPFamily, i *Interface, classic, named string) Pos {
	if e.Name == "" {
		return i.at(fmt.Sprintf("%s eigrp %d", classic, f.AS), classic+" eigrp")
	}
	for _, name := range []string{i.Name, "default"} {
		for _, n := range f.Interfaces {
			if p, ok := n.Lines[named]; ok && n.Name == name {
				return p
			}
		}
	}
	return f.Pos
}

// eigrpInterface checks timers and authentication of an interface that EIGRP talks by.
func (k *checker) eigrpInterface(e *EIGRP, f *EIGRPFamily, i *Interface, s *EIGRPInterface) {
	hello, hold := or(s.Hello, 5*time.Second), or(s.Hold, 15*time.Second)
	if hold <= hello {
		k.add(eigrpAt(e, f, i, "ip hello-interval", "hello-interval"), Warning, "eigrp-timers", "set the hold time to three times the hello interval; it does not follow by itself",
			"EIGRP says hello on %s every %d seconds, and neighbours hold this router for %d: they lose it again and again", i.Name, hello/time.Second, hold/time.Second)
	}
	switch {
	case s.AuthMode != "" && s.KeyChain == "" && s.AuthPassword == "":
		k.add(eigrpAt(e, f, i, "ip authentication mode", "authentication mode"), Warning, "eigrp-auth", "name a key chain", "EIGRP is authenticated on %s, and no key chain is named: nothing is sent", i.Name)
	case s.AuthMode == "" && s.KeyChain != "":
		k.add(eigrpAt(e, f, i, "ip authentication key-chain", "authentication key-chain"), Warning, "eigrp-auth", "add `authentication mode`",
			"%s names a key chain for EIGRP and no authentication mode: packets are not authenticated", i.Name)
	}
}

// isHub tells whether spokes register on a tunnel.
func (i *Interface) isHub() bool {
	return i.Tunnel.Mode == GREMultipoint && i.NHRP.Enabled() && len(i.NHRP.NHS) == 0
}

// eigrpTunnel checks a tunnel that EIGRP runs over.
func (k *checker) eigrpTunnel(e *EIGRP, f *EIGRPFamily, i *Interface, s *EIGRPInterface) {
	if i.Bandwidth < 1000 {
		k.add(i.at("bandwidth"), Warning, "eigrp-bandwidth", "set `bandwidth 1000` or more", "EIGRP runs over %s, whose bandwidth is %d kbit/s: updates to many spokes would be throttled",
			i.Name, or(i.Bandwidth, 9))
	}
	if f.VRF != "" {
		k.add(f.Pos, Info, "eigrp-vrf", "consider BGP towards the spokes", "EIGRP runs over %s in VRF %s: with VRFs the hardware of old avoided EIGRP", i.Name, f.VRF)
	}
	if f.AutoSummary.Or(false) {
		k.add(f.Lines.at(f.Pos, "auto-summary"), Warning, "eigrp-auto-summary", "say `no auto-summary`",
			"EIGRP summarises at class boundaries, and runs over %s: several routers would tell of the same large networks", i.Name)
	}
	if i.Tunnel.Mode != GREMultipoint || !i.NHRP.Enabled() {
		return
	}
	if !i.NHRP.MulticastDynamic && len(i.NHRP.Multicast) == 0 && !nhsMulticast(i) && !slices.ContainsFunc(f.Neighbors, func(n EIGRPNeighbor) bool { return n.Interface == i.Name }) {
		k.add(i.at("ip nhrp network-id"), Warning, "nhrp-no-multicast", "add `ip nhrp map multicast dynamic` on the hub, `ip nhrp map multicast NBMA` on a spoke",
			"EIGRP runs over %s, and NHRP maps no multicast: no neighbour will be found", i.Name)
	}
	if i.isHub() {
		k.eigrpHub(e, f, i, s)
	}
}

// eigrpHub checks what decides about routes and direct paths between the spokes of a hub.
func (k *checker) eigrpHub(e *EIGRP, f *EIGRPFamily, i *Interface, s *EIGRPInterface) {
	split, self, summary := s.SplitHorizon.Or(true), s.NextHopSelf.Or(true), len(s.Summaries) > 0
	noSplit, noSelf := fmt.Sprintf("`no ip split-horizon eigrp %d`", f.AS), fmt.Sprintf("`no ip next-hop-self eigrp %d`", f.AS)
	if e.Name != "" {
		noSplit, noSelf = "`no split-horizon` under `af-interface "+i.Name+"`", "`no next-hop-self` under `af-interface "+i.Name+"`"
	}
	selfAt := eigrpAt(e, f, i, "ip next-hop-self", "next-hop-self")
	switch {
	case f.Stub.Enabled:
		k.add(f.Lines.at(f.Pos, "eigrp stub"), Warning, "eigrp-stub-hub", "remove `eigrp stub` here, and say it on the spokes",
			"%s is a hub's tunnel, and this router is a stub: it tells spokes nothing of each other", i.Name)
	case split && !summary:
		k.add(i.at("ip nhrp map multicast dynamic"), Warning, "eigrp-split-horizon", "add "+noSplit+", or a summary address",
			"%s is a hub's tunnel: with split horizon its spokes do not learn each other's routes", i.Name)
	case summary && !i.NHRP.Redirect && !self:
		k.add(selfAt, Warning, "eigrp-summary", "add `ip nhrp redirect` here and `ip nhrp shortcut` on the spokes",
			"%s tells spokes a summary, which hides that a far spoke is the next hop: without `ip nhrp redirect` there are no direct paths", i.Name)
	case i.NHRP.Redirect && !self:
		k.add(selfAt, Info, "eigrp-next-hop", "remove it: with `ip nhrp redirect` direct paths come about by shortcuts", "%s does not need %s", i.Name, noSelf)
	case !split && self && !i.NHRP.Redirect && !i.MPLS.IP: // labels go from hub to spoke only
		k.add(i.Pos, Info, "eigrp-next-hop", "for direct paths add "+noSelf+" (phase 2), or `ip nhrp redirect` (phase 3)", "spokes of %s reach each other by way of the hub only", i.Name)
	}
}

func nhsMulticast(i *Interface) bool {
	return slices.ContainsFunc(i.NHRP.NHS, func(s NHS) bool { return s.Multicast })
}
