package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/ctl/show"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// errStopped is the answer once the control plane has stopped.
var errStopped = errors.New("gateway: the control plane has stopped")

// manyNeighbours is how many neighbours `show ip bgp neighbors` counts all of: what is sent to one takes a walk through the table.
const manyNeighbours = 32

// Query looks up a table. BGP's are asked of the speaker, outside of the control plane's goroutine, which goes on meanwhile.
func (g *Gateway) Query(q show.Query) (a show.Answer, err error) {
	switch q.Table {
	case show.TableBGP, show.TableNeighbours, show.TablePaths:
		s := g.BGP()
		if s == nil {
			return a, show.ErrNoBGP
		}
		return g.queryBGP(s, q)
	case show.TableARP:
		a.ARP, err = g.arp(q)
		return a, err
	}
	if !g.Do(func(now time.Time, c *Core) { a, err = c.Query(now, q) }) {
		return a, errStopped
	}
	if q.Table == show.TableLabels && err == nil {
		g.countLabels(&a)
	}
	return a, err
}

// countLabels adds what the fast path counts of each label, and whose VPN prefix it is.
func (g *Gateway) countLabels(a *show.Answer) {
	var told map[uint32]bgp.LabelFor
	if s := g.BGP(); s != nil {
		told = s.OurLabels()
	}
	for i := range a.Labels {
		l := &a.Labels[i]
		l.Count = g.engine.LabelCount(l.In)
		if f, ok := told[l.In]; ok && l.Swap {
			l.RD, l.Prefix = f.RD, f.Prefix
		}
	}
}

func (g *Gateway) queryBGP(s *bgp.Speaker, q show.Query) (a show.Answer, err error) {
	st, err := s.Status()
	if err != nil {
		return a, fmt.Errorf("gateway: %w", err)
	}
	a.BGP = &st
	switch q.Table {
	case show.TableNeighbours:
		a.Neighbours, err = neighbours(s, &st, q)
	case show.TablePaths:
		if a.Paths, err = paths(s, &st, q); err == nil {
			a.Hops = g.unreachable(a.Paths)
		}
	}
	return a, err
}

// neighbours are those that a query is about, with what only a single one's status tells.
func neighbours(s *bgp.Speaker, st *bgp.Status, q show.Query) (out []bgp.NeighbourStatus, err error) {
	for _, n := range st.Neighbours {
		if q.VRF != "" && n.VRF != q.VRF || q.Neighbour.IsValid() && n.Address != q.Neighbour {
			continue
		}
		out = append(out, n)
	}
	if len(out) == 0 && q.Neighbour.IsValid() {
		return nil, show.ErrNoNeighbour(q.VRF, q.Neighbour)
	}
	if len(out) > manyNeighbours {
		return out, nil
	}
	for i := range out {
		if full, err := s.Neighbour(out[i].VRF, out[i].Address); err == nil { // else it went away meanwhile
			out[i] = full
		}
	}
	return out, nil
}

// paths are those that a query is about.
func paths(s *bgp.Speaker, st *bgp.Status, q show.Query) (out []bgp.PathStatus, err error) {
	if q.Neighbour.IsValid() && !slices.ContainsFunc(st.Neighbours, func(n bgp.NeighbourStatus) bool { return n.Address == q.Neighbour && n.VRF == q.VRF }) {
		return nil, show.ErrNoNeighbour(q.VRF, q.Neighbour)
	}
	switch q.From {
	case show.Received:
		out, err = s.ReceivedFrom(q.VRF, q.Neighbour, q.Family)
	case show.Advertised:
		out, err = s.AdvertisedTo(q.VRF, q.Neighbour, q.Family)
	case show.Accepted:
		if out, err = s.Paths(q.VRF, q.Family); err == nil {
			out = slices.DeleteFunc(out, func(p bgp.PathStatus) bool { return p.Neighbour != q.Neighbour })
		}
	default:
		out, err = s.Paths("", q.Family)
		if q.VRF != "" && err == nil {
			out, err = inVRF(st, out, q.VRF, s.Chosen(q.VRF))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	out = slices.DeleteFunc(out, func(p bgp.PathStatus) bool { return q.RD != 0 && p.RD != q.RD || !about(q, p.Prefix) })
	if q.Dest.IsValid() && !q.Exact {
		longest := make(map[bgp.RD]int)
		for i := range out {
			longest[out[i].RD] = max(longest[out[i].RD], out[i].Prefix.Bits())
		}
		out = slices.DeleteFunc(out, func(p bgp.PathStatus) bool { return p.Prefix.Bits() < longest[p.RD] })
	}
	return out, nil
}

// about tells whether a prefix is one that is asked for; for a host's address, whether it fits.
func about(q show.Query, p netip.Prefix) bool {
	switch {
	case !q.Dest.IsValid():
		return true
	case q.Exact:
		return p == q.Dest
	}
	return p.Contains(q.Dest.Addr())
}

// inVRF are the VPN paths that are in a VRF: its own, and those that its import targets let in. Of the best of several route distinguishers that have one prefix,
// the VRF's own is its best, else the one of chosen.
func inVRF(st *bgp.Status, all []bgp.PathStatus, name string, chosen map[netip.Prefix]bgp.RD) ([]bgp.PathStatus, error) {
	k := slices.IndexFunc(st.VRFs, func(v bgp.VRFStatus) bool { return v.Name == name })
	if k < 0 {
		return nil, show.ErrNoBGPInVRF(name)
	}
	v := &st.VRFs[k]
	all = slices.DeleteFunc(all, func(p bgp.PathStatus) bool {
		return p.RD != v.RD && !slices.ContainsFunc(p.Extended, func(t bgp.RouteTarget) bool { return slices.Contains(v.Import, t) })
	})
	own := make(map[netip.Prefix]bool)
	for i := range all {
		if p := &all[i]; p.RD == v.RD && p.Best && p.Own {
			own[p.Prefix] = true
		}
	}
	for i := range all {
		p := &all[i]
		switch rd, ok := chosen[p.Prefix]; {
		case own[p.Prefix]:
			p.Best = p.Best && p.Own && p.RD == v.RD
		case ok:
			p.Best = p.Best && p.RD == rd
		default:
			p.Best = p.Best && p.RD == v.RD
		}
	}
	return all, nil
}

// unreachable are the next hops of VPN paths that labelled packets don't come to.
func (g *Gateway) unreachable(paths []bgp.PathStatus) (out []show.Hop) {
	hops := make(map[netip.Addr]bool)
	for i := range paths {
		if p := &paths[i]; p.RD != 0 && !p.Own && p.NextHop.IsValid() {
			hops[p.NextHop] = true
		}
	}
	g.Do(func(now time.Time, c *Core) {
		for a := range hops {
			if why := c.router.At(now).Reach(a); why != rib.ReachLabelled {
				out = append(out, show.Hop{Addr: a, Why: why})
			}
		}
	})
	slices.SortFunc(out, func(a, b show.Hop) int { return a.Addr.Compare(b.Addr) })
	return out
}

// ClearBGP is `clear ip bgp`. What is left out selects all.
type ClearBGP struct {
	VRF       string // neighbours inside it only
	Neighbour netip.Addr
	AS        uint32
	Soft      bool // sessions stay, and routes are sent and looked at again
	In, Out   bool // of Soft; neither: both
}

// ClearBGP ends sessions with neighbours, which begin anew, or has routes exchanged again.
func (g *Gateway) ClearBGP(c ClearBGP) error {
	s := g.BGP()
	if s == nil {
		return show.ErrNoBGP
	}
	st, err := s.Status()
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	var errs []error
	n := 0
	for _, b := range st.Neighbours {
		if c.VRF != "" && b.VRF != c.VRF || c.Neighbour.IsValid() && (b.Address != c.Neighbour || b.VRF != c.VRF) || c.AS != 0 && b.RemoteAS != c.AS {
			continue
		}
		n++
		errs = append(errs, s.Clear(bgp.Clear{VRF: b.VRF, Neighbour: b.Address, Soft: c.Soft, In: c.In, Out: c.Out}))
	}
	if n == 0 && c.Neighbour.IsValid() {
		return show.ErrNoNeighbour(c.VRF, c.Neighbour)
	}
	return errors.Join(errs...)
}
