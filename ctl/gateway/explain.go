package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath"
)

// Forwarder tells what would become of a packet. A fastpath.Engine is one.
type Forwarder interface {
	WayBack(fib.VRF, netip.Addr) fastpath.Back
	Explain(now int64, q fastpath.Question) (fastpath.Explanation, error)
}

// Explain tells what would become of a packet.
func (g *Gateway) Explain(a show.Ask) (x show.Explanation, err error) {
	ok := g.loop.Call(func(now time.Time) { x, err = g.core.Explain(now, g.engine, g.engine.Now(), a) })
	if !ok {
		return x, errors.New("gateway: the control plane has stopped")
	}
	return x, err
}

// Explain asks f what would become of a packet at the time ticks of its clock, and adds what the control plane knows of what it meets.
func (c *Core) Explain(now time.Time, f Forwarder, ticks int64, a show.Ask) (x show.Explanation, err error) {
	// A question takes a packet through all that forwards, here and not in a worker: a fault that one finds is this answer's, and not the control plane's end.
	defer func() {
		if p := recover(); p != nil {
			x, err = show.Explanation{}, show.ErrExplainFault(p, calls())
		}
	}()
	x = show.Explanation{Time: now, Asked: a, VRFs: make(map[fib.VRF]string), Ports: make(map[fib.PortID]string), Tunnels: make(map[fib.TunnelID]string)}
	if err := a.Check(); err != nil {
		return x, err
	}
	vrf, err := c.vrfNamed(a.VRF)
	if err != nil {
		return x, err
	}
	for _, v := range c.current.VRFs {
		x.VRFs[v.ID] = v.Name
	}
	for i := range c.current.Interfaces {
		ifc := &c.current.Interfaces[i]
		if ifc.Tunnel != nil {
			x.Tunnels[ifc.Tunnel.ID] = ifc.Name
		} else if ifc.Port != 0 {
			x.Ports[ifc.Port] = ifc.Name
		}
	}
	if c.tree.BGP != nil {
		x.BGPAS = c.tree.BGP.AS
	}
	if p := c.Hardware(); p != nil {
		x.Profile = p.Name
	}
	q, err := c.question(&x, f, vrf)
	if err != nil {
		return x, err
	}
	x.Packet, err = f.Explain(ticks, q)
	if a.In != "" && (errors.Is(err, fastpath.ErrNoPort) || errors.Is(err, fastpath.ErrNoTunnel)) {
		err = show.ErrExplainInterface(a.In)
	}
	if err != nil {
		return x, err
	}
	c.beside(&x, now)
	return x, nil
}

// calls names the functions that a panic has come through, innermost first: names and lines, not what they were called with, which may be keys.
func calls() (list []string) {
	pcs := make([]uintptr, 24)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		list = append(list, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		if !more {
			return list
		}
	}
}

// question fills in what was left out of what was asked, and makes the packet.
func (c *Core) question(x *show.Explanation, f Forwarder, vrf fib.VRF) (q fastpath.Question, err error) {
	a := &x.Asked
	if a.Size == 0 {
		a.Size = max(show.DefaultAskSize, fastpath.MinProbe(a.Proto))
	}
	if a.TTL == 0 {
		a.TTL = 64
	}
	p := fastpath.Probe{Src: a.Src, Dst: a.Dst, Proto: a.Proto, SrcPort: a.SrcPort, DstPort: a.DstPort, Size: a.Size, TTL: a.TTL, TOS: a.TOS, DF: a.DF}
	if q.Packet, err = p.Packet(); err != nil {
		return q, err
	}
	back := f.WayBack(vrf, a.Src)
	if err := c.origin(x, &q, back, vrf); err != nil {
		return q, err
	}
	q.Labels = a.Labels
	if back.Labelled && a.In == "" && len(a.Labels) == 0 && vrf != fib.Global {
		if l, ok := c.labelOf(vrf, a.Dst); ok {
			q.Labels, a.Labels, x.Chosen = []uint32{l}, []uint32{l}, true
		}
	}
	return q, nil
}

// origin says where the packet comes in.
func (c *Core) origin(x *show.Explanation, q *fastpath.Question, back fastpath.Back, vrf fib.VRF) error {
	a := &x.Asked
	switch {
	case a.Box || a.In == "" && back.Own && back.Leads:
		q.From = fastpath.Origin{Own: true, VRF: vrf}
		a.Box = true
		return nil
	case a.In == "":
		if !back.Leads {
			table := "global table"
			if a.VRF != "" {
				table = "table of VRF " + a.VRF
			}
			return show.ErrExplainOrigin(a.Src, table, back.Prefix)
		}
		q.From, x.Back, x.BackVRF = back.Origin, back.Prefix, back.VRF
		return nil
	}
	k := slices.IndexFunc(c.current.Interfaces, func(i slowpath.Interface) bool { return i.Name == a.In })
	if k < 0 {
		return show.UnknownInterface(a.In)
	}
	ifc := &c.current.Interfaces[k]
	switch {
	case ifc.Tunnel != nil:
		q.From = fastpath.Origin{Tunnel: ifc.Tunnel.ID}
		if back.Tunnel == ifc.Tunnel.ID {
			q.From.Port, q.From.Peer, q.From.PeerPort = back.Port, back.Peer, back.PeerPort
		}
	case ifc.Port != 0:
		q.From = fastpath.Origin{Port: ifc.Port}
	default:
		return show.ErrExplainInterface(a.In)
	}
	return nil
}

// labelOf is a label of ours that leads to an address of a VRF: the one of its prefix, or else the VRF's.
func (c *Core) labelOf(vrf fib.VRF, dst netip.Addr) (label uint32, ok bool) {
	bits := -1
	for _, e := range c.router.LabelTable() {
		switch {
		case e.VRF != vrf:
		case e.Forward && e.Prefix.Contains(dst) && e.Prefix.Bits() > bits:
			label, bits, ok = e.In, e.Prefix.Bits(), true
		case e.Lookup && bits < 0 && (!e.Prefix.IsValid() || e.Prefix.Contains(dst)):
			label, ok = e.In, true
		}
	}
	return label, ok
}

// beside adds what the control plane knows.
func (c *Core) beside(x *show.Explanation, now time.Time) {
	r := c.router.At(now)
	for i := range x.Packet.Looks {
		x.Routes = append(x.Routes, explainedRoute(r, &x.Packet.Looks[i], x.Packet.Dst))
	}
	if len(x.Packet.Labels) > 0 {
		for _, e := range r.LabelTable() {
			if slices.ContainsFunc(x.Packet.Labels, func(l fastpath.LabelUse) bool { return l.Label == e.In }) {
				x.Labels = append(x.Labels, e)
			}
		}
	}
	if len(x.Packet.Ways) == 0 || !slices.ContainsFunc(x.Packet.Ways, func(w fastpath.Way) bool { return w.Tunnel != 0 }) {
		return
	}
	st := r.Status()
	addrs := []netip.Addr{x.Packet.Dst}
	for i := range x.Routes {
		addrs = append(addrs, x.Routes[i].Hop)
	}
	var peers []netip.Addr
	for i := range x.Packet.Ways {
		addrs, peers = append(addrs, x.Packet.Ways[i].NextHop), append(peers, x.Packet.Ways[i].Peer)
	}
	for _, e := range st.NHRP.Entries {
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.IsValid() && e.Prefix.Contains(a) }) {
			x.NHRP, peers = append(x.NHRP, e), append(peers, e.NBMA) // whose session it may wait for
		}
	}
	isPeer := func(a netip.Addr) bool { return a.IsValid() && slices.Contains(peers, a) }
	for _, s := range st.Sessions.Sessions {
		if isPeer(s.Peer) {
			x.Sessions = append(x.Sessions, s)
		}
	}
	for _, s := range st.IKE.SAs {
		if isPeer(s.Path.Remote.Addr()) {
			x.IKE = append(x.IKE, s)
		}
	}
}

// explainedRoute is what the RIB knows of a look at the routes.
func explainedRoute(r *slowpath.Router, l *fastpath.RouteUse, dst netip.Addr) (e show.ExplainedRoute) {
	if !l.Found {
		return e
	}
	if e.Route, e.Known = r.Route(l.VRF, l.Prefix, true); !e.Known {
		e.Route, e.Known = r.Route(l.VRF, netip.PrefixFrom(dst, dst.BitLen()), false)
	}
	if _, paths, ok := r.Resolved(l.VRF, dst); ok {
		for _, p := range paths {
			if p.Adjacency == l.Chosen && l.Chosen >= fib.FirstAdj {
				e.Hop, e.Iface = p.Addr, p.Iface
			}
		}
	}
	return e
}
