package gateway

import (
	"net/netip"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// Query looks up a table of the control plane. It knows all but what BGP's speaker does: see Gateway.Query.
func (c *Core) Query(now time.Time, q show.Query) (a show.Answer, err error) {
	r := c.router.At(now)
	if q.Table == show.TableEIGRP || q.Table == show.TableTopology {
		a.EIGRP, err = c.eigrp(r, q)
		return a, err
	}
	vrf, err := c.vrfNamed(q.VRF)
	if err != nil {
		return a, err
	}
	switch q.Table {
	case show.TableRoutes:
		if !q.Dest.IsValid() {
			a.Routes = r.Routes(vrf)
		} else if route, ok := r.Route(vrf, q.Dest, q.Exact); ok {
			a.Routes = []rib.Route{route}
			a.EIGRP = c.eigrpPaths(r, vrf, &route)
		}
	case show.TableCEF:
		a.CEF = c.cef(r, vrf, q)
	case show.TableLabels:
		for _, e := range r.LabelTable() {
			a.Labels = append(a.Labels, show.Label{LabelEntry: e})
		}
	case show.TableLDP, show.TableBindings:
		st := r.LDPStatus()
		if !st.On {
			return a, show.ErrNoLDP
		}
		if q.Table == show.TableLDP {
			st.Bindings = nil
		}
		a.LDP = &st
	default:
		return a, show.ErrNoTable(q.Table)
	}
	return a, nil
}

// ClearLDP ends the session with a neighbour, by its router ID, or all. It begins anew.
func (c *Core) ClearLDP(now time.Time, id netip.Addr) error {
	r := c.router.At(now)
	st := r.LDPStatus()
	switch {
	case !st.On:
		return show.ErrNoLDP
	case id.IsValid() && !slices.ContainsFunc(st.Neighbors, func(n ldp.NeighborStatus) bool { return n.Peer.LSR == id }):
		return show.ErrNoLDPNeighbor(id)
	}
	r.ClearLDP(id)
	return nil
}

// vrfNamed is the number of a VRF that is carried out.
func (c *Core) vrfNamed(name string) (fib.VRF, error) {
	if name == "" {
		return fib.Global, nil
	}
	for _, v := range c.current.VRFs {
		if v.Name == name {
			return v.ID, nil
		}
	}
	return 0, show.UnknownVRF(&show.Status{VRFs: c.vrfStatus()}, name)
}

// vrfStatus is the VRFs as they are configured, with their numbers.
func (c *Core) vrfStatus() (out []show.VRF) {
	for _, v := range c.tree.VRFs {
		s := show.VRF{Name: v.Name, Description: v.Description, Import: targetTexts(v.Import), Export: targetTexts(v.Export), ImportMap: v.ImportMap, ExportMap: v.ExportMap}
		if v.RD != (config.RD{}) {
			s.RD = v.RD.String()
		}
		for _, r := range c.current.VRFs {
			if r.Name == v.Name {
				s.ID, s.PerVRF, s.Prefixes = r.ID, r.PerVRF, c.router.Prefixes(r.ID)
			}
		}
		out = append(out, s)
	}
	return out
}

func targetTexts(list []config.RD) (out []string) {
	for _, rd := range list {
		out = append(out, rd.String())
	}
	return out
}

// mplsStatus is what the configuration says of labels.
func (c *Core) mplsStatus() show.MPLS {
	m := &c.current.MPLS
	s := show.MPLS{
		Off: c.tree.MPLS.Off, LDP: m.LDP.RouterID.IsValid() && len(m.LDP.Interfaces) > 0, First: m.First, Last: m.Last, Pipe: m.Pipe,
		HelloInterval: m.LDP.HelloInterval, HelloHold: m.LDP.HelloHold, SessionHold: m.LDP.SessionHold, BackoffFirst: m.LDP.BackoffFirst, BackoffMax: m.LDP.BackoffMax,
	}
	s.LDPFirst, s.LDPLast = m.LDPRange()
	for _, p := range m.LDP.Passwords {
		s.PasswordsForID = append(s.PasswordsForID, p.Neighbor)
	}
	return s
}

// cef is what packets to a destination take; nil: there is no route, or none of that very prefix.
func (c *Core) cef(r *slowpath.Router, vrf fib.VRF, q show.Query) *show.CEF {
	p, paths, ok := r.Resolved(vrf, q.Dest.Addr())
	if !ok || q.Exact && p != q.Dest {
		return nil
	}
	out := &show.CEF{Prefix: p, Dependencies: r.Dependents(vrf, p)}
	for _, e := range r.LabelTable() {
		if e.VRF == vrf && e.Prefix == p && (vrf != fib.Global) == (e.Lookup || e.Forward) {
			out.Local, out.HasLocal = e.In, true
		}
	}
	var via []rib.NextHop
	if route, ok := r.Route(vrf, p, true); ok {
		via = route.Via
	}
	var leaks []string
	for _, h := range via {
		if h.Elsewhere && !h.Addr.IsValid() {
			leaks = append(leaks, c.vrfNameOf(h.Table))
		}
	}
	for _, path := range paths {
		way := show.CEFPath{Path: path}
		switch k := slices.IndexFunc(via, func(h rib.NextHop) bool { return h.Addr == path.NextHop }); {
		case path.Iface == "" && path.Adjacency >= fib.FirstAdj && len(leaks) > 0:
			way.Leak, leaks = leaks[0], leaks[1:]
		case k >= 0 && path.NextHop.IsValid() && via[k].Iface == "":
			table := vrf
			if via[k].Elsewhere {
				table = via[k].Table
			}
			if through, ok := r.Route(table, netip.PrefixFrom(path.NextHop, path.NextHop.BitLen()), false); ok {
				way.Through = through.Prefix
			}
		}
		out.Paths = append(out.Paths, way)
	}
	return out
}

func (c *Core) vrfNameOf(id fib.VRF) string {
	for _, v := range c.current.VRFs {
		if v.ID == id {
			return v.Name
		}
	}
	return "global"
}
