package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// eigrp are the processes that a query is about, with what it asks of them.
func (c *Core) eigrp(r *slowpath.Router, q show.Query) (out []slowpath.EIGRPStatus, err error) {
	vrf, all := fib.Global, q.VRF == show.AllVRFs
	if !all {
		if vrf, err = c.vrfNamed(q.VRF); err != nil {
			return nil, err
		}
	}
	for _, p := range r.EIGRPStatus(q.Table == show.TableTopology) {
		if !all && p.Key.VRF != vrf || q.AS != 0 && p.Key.AS != q.AS {
			continue
		}
		if q.Dest.IsValid() {
			p.Topology = onTopic(p.Topology, q)
		}
		out = append(out, p)
	}
	return out, nil
}

// onTopic is what a topology table has of the prefix, or the host, that is asked for.
func onTopic(all []eigrp.TopologyStatus, q show.Query) []eigrp.TopologyStatus {
	best := -1
	for i := range all {
		if about(q, all[i].Prefix) && (best < 0 || all[i].Prefix.Bits() > all[best].Prefix.Bits()) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return all[best : best+1]
}

// eigrpPaths is what EIGRP knows of a route that is its own.
func (c *Core) eigrpPaths(r *slowpath.Router, vrf fib.VRF, route *rib.Route) []slowpath.EIGRPStatus {
	if route.Source != rib.EIGRP {
		return nil
	}
	for _, p := range r.EIGRPStatus(true) {
		if p.Key == (slowpath.EIGRPKey{VRF: vrf, AS: uint16(route.Process)}) {
			p.Topology = onTopic(p.Topology, show.Query{Dest: route.Prefix, Exact: true})
			return []slowpath.EIGRPStatus{p}
		}
	}
	return nil
}

// ClearEIGRP is `clear ip eigrp neighbors`. What is left out selects all; an empty VRF is the global table, and show.AllVRFs all.
type ClearEIGRP struct {
	VRF      string
	AS       uint16
	Neighbor netip.Addr
	Iface    string
}

// ClearEIGRP ends neighbors, which begin anew.
func (c *Core) ClearEIGRP(now time.Time, what ClearEIGRP) error {
	r := c.router.At(now)
	list, err := c.eigrp(r, show.Query{Table: show.TableEIGRP, VRF: what.VRF, AS: what.AS})
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return show.ErrNoEIGRP(what.VRF, what.AS)
	}
	n := 0
	for i := range list {
		fits := func(x eigrp.NeighborStatus) bool {
			return (!what.Neighbor.IsValid() || x.Addr == what.Neighbor) && (what.Iface == "" || x.Iface == what.Iface)
		}
		if slices.ContainsFunc(list[i].Neighbors, fits) {
			n++
			r.ClearEIGRP(list[i].Key, eigrp.Clear{Neighbor: what.Neighbor, Iface: what.Iface})
		}
	}
	switch {
	case n > 0 || !what.Neighbor.IsValid() && what.Iface == "":
		return nil
	case what.Neighbor.IsValid():
		return show.ErrNoEIGRPNeighbor(what.VRF, what.Neighbor.String())
	}
	return show.ErrNoEIGRPNeighbor(what.VRF, "on "+what.Iface)
}

// eigrpConfigured is what the configuration says of the processes of EIGRP.
func (c *Core) eigrpConfigured() (out []show.EIGRPConfigured) {
	for _, e := range c.tree.EIGRP {
		for _, f := range e.Families {
			if f.AS == 0 {
				continue
			}
			s := show.EIGRPConfigured{VRF: f.VRF, AS: f.AS, Redistribute: sources(f.Redistribute), KeyChains: make(map[string]string)}
			for _, n := range f.Networks {
				s.Networks = append(s.Networks, show.ProtocolNetwork{Prefix: n.Prefix, Classful: n.Classful})
			}
			for _, d := range f.Distribute {
				s.Filters = append(s.Filters, filterStatus(d))
			}
			for _, i := range c.tree.Interfaces {
				if i.VRF != f.VRF {
					continue
				}
				set := e.Settings(f, i)
				if set.Passive.Or(false) {
					s.Passive = append(s.Passive, i.Name)
				}
				if set.KeyChain != "" {
					s.KeyChains[i.Name] = set.KeyChain
				}
				for _, m := range set.Summaries {
					s.Summaries = append(s.Summaries, show.ProtocolSummary{Prefix: m.Prefix, Iface: i.Name})
				}
			}
			out = append(out, s)
		}
	}
	return out
}

func filterStatus(d config.DistributeList) show.ProtocolFilter {
	f := show.ProtocolFilter{List: d.AccessList, Out: d.Out, Iface: d.Interface, From: sourceName(d.Protocol, d.ID)}
	switch {
	case d.PrefixList != "":
		f.List = "(prefix-list) " + d.PrefixList
	case d.RouteMap != "":
		f.List = "(route-map) " + d.RouteMap
	}
	return f
}

// sources are the sources that are redistributed, by name and number.
func sources(list []config.Redistribute) (out []string) {
	for _, r := range list {
		out = append(out, sourceName(r.Protocol, r.ID))
	}
	return out
}

func sourceName(protocol string, id uint32) string {
	if id == 0 {
		return protocol
	}
	return fmt.Sprintf("%s %d", protocol, id)
}

// bgpConfigured is what the configuration says of BGP in each table.
func (c *Core) bgpConfigured() (out []show.BGPConfigured) {
	if c.tree.BGP == nil {
		return nil
	}
	global := false
	for _, f := range c.tree.BGP.Families {
		if f.Family != "ipv4" {
			continue
		}
		s := show.BGPConfigured{
			VRF: f.VRF, Redistribute: sources(f.Redistribute), MaximumPaths: max(f.MaximumPaths, f.MaximumPathsIBGP), DistanceExternal: f.DistanceExternal,
			DistanceInternal: f.DistanceInternal, DistanceLocal: f.DistanceLocal, Synchronization: f.Synchronization.Or(false), AutoSummary: f.AutoSummary.Or(false),
		}
		for _, n := range f.Networks {
			s.Networks = append(s.Networks, show.ProtocolNetwork{Prefix: n.Prefix})
		}
		global = global || f.VRF == ""
		out = append(out, s)
	}
	if !global {
		out = append(out, show.BGPConfigured{})
	}
	return out
}

// keyChains are the key chains, without their secrets.
func (c *Core) keyChains() (out []show.KeyChain) {
	for _, k := range c.tree.KeyChains {
		s := show.KeyChain{Name: k.Name}
		for _, key := range k.Keys {
			s.Keys = append(s.Keys, show.Key{ID: key.ID, HasText: key.String != "", Accept: lifetime(key.Accept), Send: lifetime(key.Send)})
		}
		out = append(out, s)
	}
	return out
}

// lifetime reads a lifetime of the configuration. What can't be read is a problem that is told elsewhere: the key does not count.
func lifetime(text string) show.Lifetime {
	l, err := config.ParseKeyLifetime(text)
	if err != nil {
		never := time.Unix(1, 0).UTC()
		return show.Lifetime{From: never, Until: never}
	}
	from, until := l.In(time.Local)
	return show.Lifetime{From: from, Until: until}
}
