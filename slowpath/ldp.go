package slowpath

import (
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// labelling is what the Router knows of labels, beside the RIB.
type labelling struct {
	ldp        *ldp.Machine
	interfaces map[string]ldp.InterfaceState // as LDP was told
	hosts      map[netip.Prefix]bool         // addresses with a mask of 32 bits: loopbacks
	outbox     []ldp.Effect                  // for LDP's sockets, once the labels are installed
	inherited  bool                          // what the fast path had was told
}

// LDP takes what happened to LDP's sockets: HelloReceived, Connected, Accepted, Data, Closed; and Clear, and Shutdown.
func (r *Router) LDP(ev ldp.Event) {
	_ = r.step(func() { r.carryOutLDP(r.labels.ldp.Handle(r.now, ev)) })
}

// configureLDP has LDP run by c.
func (r *Router) configureLDP(c *Config) {
	l := &r.labels
	run := c.MPLS.LDP
	run.FirstLabel, run.LastLabel, _, _ = c.MPLS.ranges()
	r.carryOutLDP(l.ldp.Configure(r.now, run))
	r.inheritLabels()
	r.tellInterfaces(c.Interfaces)
}

// inheritLabels keeps the labels that the fast path had from being given to anybody. LDP can't know what they were for.
func (r *Router) inheritLabels() {
	l := &r.labels
	if l.inherited || r.takeover == nil {
		return
	}
	l.inherited = true
	var old ldp.Inherited
	in := r.rib.InheritedLabels()
	for _, in := range in {
		old.Labels = append(old.Labels, ldp.LocalLabel{In: in})
	}
	r.carryOutLDP(l.ldp.Handle(r.now, old))
	r.pool.Avoid(in, r.now.Add(ldp.DefaultLabelGrace))
}

// tellInterfaces says which addresses of the global table are ours.
func (r *Router) tellInterfaces(all []Interface) {
	l := &r.labels
	next := make(map[string]ldp.InterfaceState)
	hosts := make(map[netip.Prefix]bool)
	for _, i := range all {
		if i.VRF != fib.Global {
			continue
		}
		st := ldp.InterfaceState{Name: i.Name, Up: i.Up}
		for _, a := range i.Addrs {
			if a.Addr().Is4() {
				st.Addrs = append(st.Addrs, a.Addr())
			}
			if i.Up && a.Addr().Is4() && a.IsSingleIP() {
				hosts[a] = true
			}
		}
		next[i.Name] = st
	}
	for _, name := range sortedNames(l.interfaces) {
		if _, ok := next[name]; !ok {
			r.carryOutLDP(l.ldp.Handle(r.now, ldp.InterfaceState{Name: name}))
		}
	}
	for _, name := range sortedNames(next) {
		st := next[name]
		if old, ok := l.interfaces[name]; !ok || old.Up != st.Up || !slices.Equal(old.Addrs, st.Addrs) {
			r.carryOutLDP(l.ldp.Handle(r.now, st))
		}
	}
	var routes ldp.Routes
	for p := range hosts {
		if !l.hosts[p] {
			routes.Changed = append(routes.Changed, ldp.Route{Prefix: p, Source: ldp.FromConnected})
		}
	}
	for p := range l.hosts {
		if !hosts[p] {
			routes.Gone = append(routes.Gone, p)
		}
	}
	l.interfaces, l.hosts = next, hosts
	r.tellRoutes(routes)
}

// ldpRoutes tells LDP which routes of the global table are not as they were.
func (r *Router) ldpRoutes(changes []rib.Change) {
	l := &r.labels
	var routes ldp.Routes
	for _, c := range changes {
		switch {
		case c.VRF != fib.Global || l.hosts[c.Prefix]:
		case c.Gone || c.Source == rib.Local: // addresses of interfaces are in their subnets
			routes.Gone = append(routes.Gone, c.Prefix)
		default:
			routes.Changed = append(routes.Changed, ldpRoute(&c.Route))
		}
	}
	r.tellRoutes(routes)
}

// tellRoutes gives LDP routes, in an order that does not depend on chance.
func (r *Router) tellRoutes(routes ldp.Routes) {
	if len(routes.Changed)+len(routes.Gone) == 0 {
		return
	}
	slices.SortStableFunc(routes.Changed, func(a, b ldp.Route) int { return a.Prefix.Compare(b.Prefix) })
	slices.SortFunc(routes.Gone, netip.Prefix.Compare)
	r.carryOutLDP(r.labels.ldp.Handle(r.now, routes))
}

// ldpRoute is a route as LDP sees it. What ends here, in Null0 or in another table gets implicit null: the address decides where it goes then.
func ldpRoute(c *rib.Route) ldp.Route {
	out := ldp.Route{Prefix: c.Prefix, Source: ldp.FromIGP}
	for _, h := range c.Hops {
		if h.Iface != "" && !h.Elsewhere {
			out.NextHops = append(out.NextHops, ldp.NextHop{Iface: h.Iface, Addr: h.Addr})
		}
	}
	switch {
	case c.Source == rib.BGP:
		out.Source = ldp.FromBGP
	case c.Source == rib.Connected || len(out.NextHops) == 0:
		out.Source, out.NextHops = ldp.FromConnected, nil
	case c.Source == rib.Static || c.Source == rib.DHCP:
		out.Source = ldp.FromStatic
	}
	return out
}

// carryOutLDP does what LDP wants done. What is for its sockets waits until the fast path knows the labels in it.
func (r *Router) carryOutLDP(effects []ldp.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case ldp.LocalLabel:
			r.rib.SetLabel(e.In, rib.LabelUse{Swap: true, VRF: fib.Global, Prefix: e.Prefix})
		case ldp.LocalLabelGone:
			r.rib.DelLabel(e.In)
		case ldp.Bind:
			r.rib.BindLabel(e.Prefix, e.NextHop.Iface, e.NextHop.Addr, e.Out)
		case ldp.Unbind:
			r.rib.UnbindLabel(e.Prefix, e.NextHop.Iface, e.NextHop.Addr)
		case ldp.Log:
			r.linux.Log(e)
		default:
			r.labels.outbox = append(r.labels.outbox, e)
		}
	}
}

// sendLDP carries out what waits for the labels to be installed.
func (r *Router) sendLDP() {
	out := r.labels.outbox
	r.labels.outbox = nil
	for _, e := range out {
		r.linux.LDP(e)
	}
}
