package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// bgpTranslation makes BGP's configuration of `router bgp`. What can't be carried out and would let routes go where they may not go is carried out in the way that lets none go.
type bgpTranslation struct {
	*translation
	b   *config.BGP
	out *bgp.Config
}

// notYet ends what is said of commands that are understood and have no effect.
const notYet = "read, and not carried out by this version"

// bgp follows the interfaces, whose addresses it uses.
func (t *translation) bgp() {
	if t.tree.BGP == nil {
		t.numbers.bgp = netip.Addr{}
		return
	}
	x := &bgpTranslation{translation: t, b: t.tree.BGP, out: &t.out.BGP.Speaker}
	id := x.b.RouterID
	if !id.IsValid() {
		t.numbers.bgp = t.routerID(fib.Global, t.numbers.bgp)
		id = t.numbers.bgp
	}
	if !id.Is4() || id.IsUnspecified() {
		x.wrong("", "BGP has no router ID and stays down: say `bgp router-id A.B.C.D`, or give an interface of the global table an address; a loopback with one is best")
		return
	}
	t.out.BGP.On, t.out.BGP.Quiet, t.out.BGP.Internal = true, !x.b.LogChanges.Or(true), x.b.Internal
	x.out.AS, x.out.RouterID, x.out.ClusterID = x.b.AS, id, x.b.ClusterID
	x.out.RouteMaps, x.out.PrefixLists = make(map[string]bgp.RouteMap), make(map[string]bgp.PrefixList)
	for _, l := range t.tree.PrefixLists {
		x.out.PrefixLists[l.Name] = prefixList(l)
	}
	x.process()
	for _, n := range x.b.Neighbors {
		families := [...]*config.BGPFamily{x.family("ipv4"), x.family("vpnv4"), x.family("vpnv6")}
		if to, ok := x.neighbour("", x.b.Neighbors, families[:], n); ok {
			x.out.Neighbours = append(x.out.Neighbours, to)
		}
	}
	x.tables()
	for _, f := range x.b.Families {
		x.routes(f)
	}
	x.distances()
}

// wrong reports a problem with a line below `router bgp`.
func (x *bgpTranslation) wrong(line, why string) {
	what := fmt.Sprintf("router bgp %d", x.b.AS)
	if line != "" {
		what += ": " + line
	}
	x.problem(what, why)
}

// family is a family of the global table; one that nothing is said of is empty.
func (x *bgpTranslation) family(name string) *config.BGPFamily {
	if f := x.b.Family(name, ""); f != nil {
		return f
	}
	return &config.BGPFamily{Family: name}
}

// process is what is said of BGP as a whole.
func (x *bgpTranslation) process() {
	b := x.b
	x.out.GracefulRestart = bgp.GracefulRestart{Enabled: b.GracefulRestart, RestartTime: b.RestartTime}
	if b.StalePathTime != 0 {
		x.wrong("bgp graceful-restart stalepath-time", notYet+": stale routes are kept for as long as the neighbour asks for")
	}
	if b.AlwaysCompareMED {
		x.wrong("bgp always-compare-med", notYet+": MEDs are compared among paths by the same neighbouring AS")
	}
}

// tables are the VRFs that take part: all that have a route distinguisher.
func (x *bgpTranslation) tables() {
	seen := make(map[bgp.RD]string)
	for _, v := range x.tree.VRFs {
		f := x.b.Family("ipv4", v.Name)
		if _, ok := x.vrfNumber(v.Name); !ok {
			continue // it is a problem already
		}
		if v.RD == (config.RD{}) {
			if f != nil {
				x.wrong("address-family ipv4 vrf "+v.Name, "the VRF has no route distinguisher and takes no part: say `rd AS:NUMBER` in it")
			}
			continue
		}
		to := bgp.VRF{Name: v.Name, Import: targets(v.Import), Export: targets(v.Export)}
		var err error
		if to.RD, err = bgp.ParseRD(v.RD.String()); err != nil {
			x.problem("ip vrf "+v.Name, err.Error()+": the VRF takes no part in BGP")
			continue
		}
		if other, twice := seen[to.RD]; twice {
			x.problem("ip vrf "+v.Name, "its route distinguisher is that of VRF "+other+": it takes no part in BGP; give it its own")
			continue
		}
		seen[to.RD] = v.Name
		if v.ImportMap != "" {
			x.problem("ip vrf "+v.Name, "`import map "+v.ImportMap+"` is not carried out by this version: the VRF imports nothing, as the map might refuse it")
			to.Import = nil
		}
		if v.ExportMap != "" {
			x.problem("ip vrf "+v.Name, "`export map "+v.ExportMap+"` is not carried out by this version: the VRF's routes leave without route targets, so that nobody imports them")
			to.Export = nil
		}
		if f != nil {
			for _, n := range f.Neighbors {
				if one, ok := x.neighbour(v.Name, f.Neighbors, []*config.BGPFamily{f}, n); ok {
					to.Neighbours = append(to.Neighbours, one)
				}
			}
		}
		x.out.VRFs = append(x.out.VRFs, to)
	}
}

func targets(list []config.RD) (out []bgp.RouteTarget) {
	for _, rd := range list {
		if t, err := bgp.ParseRouteTarget(rd.String()); err == nil && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// routes is what a family says of routes: which are announced from its table.
func (x *bgpTranslation) routes(f *config.BGPFamily) {
	where := "address-family " + f.Family
	if f.VRF != "" {
		where += " vrf " + f.VRF
	}
	x.leftOut(where, f)
	if f.Family != "ipv4" {
		if len(f.Networks)+len(f.Redistribute) > 0 {
			x.wrong(where, "`network` and `redistribute` have no effect here: say them under `address-family ipv4 vrf NAME`")
		}
		return
	}
	vrf := fib.Global
	if f.VRF != "" {
		k := slices.IndexFunc(x.out.VRFs, func(v bgp.VRF) bool { return v.Name == f.VRF })
		if k < 0 {
			if x.tree.VRF(f.VRF) == nil {
				x.wrong(where, "VRF "+f.VRF+" is not defined: say `ip vrf "+f.VRF+"`")
			}
			return
		}
		vrf, _ = x.vrfNumber(f.VRF)
	}
	out := &x.translation.out.BGP
	for _, n := range f.Networks {
		set := slowpath.Attributes{LocalPref: x.b.LocalPreference}
		if n.RouteMap != "" {
			var ok bool
			if set, ok = x.announced(n.RouteMap, set, "`network` of BGP", false)(n.Prefix, nil); !ok {
				continue
			}
		}
		out.Networks = append(out.Networks, slowpath.Network{VRF: vrf, Prefix: n.Prefix, Set: set})
	}
	for _, r := range f.Redistribute {
		x.redistribute(where, f, vrf, r)
	}
}

// redistribute is one source of routes. A default route is announced only if the family says so.
func (x *bgpTranslation) redistribute(where string, f *config.BGPFamily, vrf fib.VRF, r config.Redistribute) {
	line := "redistribute " + r.Protocol
	if r.ID != 0 {
		line += fmt.Sprintf(" %d", r.ID)
	}
	to := slowpath.Redistribute{VRF: vrf, Set: slowpath.Attributes{LocalPref: x.b.LocalPreference}}
	var why string
	if to.Source, to.Process, why = x.routesOf(f.VRF, &r); why != "" {
		x.wrong(where+": "+line, why)
		return
	}
	if r.HasMetric && len(r.Metric) > 0 {
		to.Set.Metric, to.Set.HasMetric = r.Metric[0], true
	}
	permit := func(netip.Prefix, *rib.Route) (slowpath.Attributes, bool) { return to.Set, true }
	if r.RouteMap != "" {
		permit = x.announced(r.RouteMap, to.Set, fmt.Sprintf("router bgp %d: %s: %s", x.b.AS, where, line), true)
	}
	to.Permit = permit
	if !f.DefaultOriginate {
		to.Permit = func(p netip.Prefix, route *rib.Route) (slowpath.Attributes, bool) {
			if p.Bits() == 0 {
				return slowpath.Attributes{}, false
			}
			return permit(p, route)
		}
	}
	x.translation.out.BGP.Redistribute = append(x.translation.out.BGP.Redistribute, to)
}

// leftOut names what a family asks for and does not get.
func (x *bgpTranslation) leftOut(where string, f *config.BGPFamily) {
	for _, a := range f.Aggregates {
		x.wrong(where+": aggregate-address "+a.Prefix.String(), notYet+": say `ip route` to Null0 for it, and `network`; more specific routes are announced all the same")
	}
	if f.MaximumPaths > 1 || f.MaximumPathsIBGP > 1 {
		x.wrong(where+": maximum-paths", notYet+": one path is in use for each prefix")
	}
	if f.Synchronization.Or(false) {
		x.wrong(where+": synchronization", notYet+": routes are advertised at once")
	}
	if f.AutoSummary.Or(false) {
		x.wrong(where+": auto-summary", notYet+": routes are advertised as they are")
	}
}

// distances are administrative distances. There is one set for all tables.
func (x *bgpTranslation) distances() {
	var first *config.BGPFamily
	for _, f := range x.b.Families {
		switch {
		case f.Family != "ipv4" || f.DistanceExternal|f.DistanceInternal|f.DistanceLocal == 0:
		case first == nil:
			first = f
			x.out.Distance = bgp.Distance{External: f.DistanceExternal, Internal: f.DistanceInternal, Local: f.DistanceLocal}
		case f.DistanceExternal != first.DistanceExternal || f.DistanceInternal != first.DistanceInternal || f.DistanceLocal != first.DistanceLocal:
			x.wrong("address-family ipv4 vrf "+f.VRF+": distance bgp", "there is one set of distances for all tables: that of "+table(first.VRF)+" counts")
		}
	}
}

// timers are a neighbour's: its own, its group's, those of the process.
func (x *bgpTranslation) timers(who string, own, group config.BGPTimers) (keepalive, hold time.Duration) {
	t := x.b.Timers
	if group.Set {
		t = group
	}
	if own.Set {
		t = own
	}
	if !t.Set {
		return 0, 0
	}
	if t.Hold == 0 {
		x.wrong(who+" timers", "a hold time of 0 is not carried out by this version: it is 180 seconds")
		return 0, 0
	}
	return cmp.Or(t.Keepalive, t.Hold/3), t.Hold
}
