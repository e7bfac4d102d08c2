package slowpath

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// inheritFor is how long entries of the fast path stay that nothing has taken over: for leases, and for protocols that find each other again.
const inheritFor = 2 * time.Minute

// takeover is what a fast path had when the Router began, until all of it has found its place or is gone. What it forwards by goes on: neighbours,
// mappings and sessions are made of its entries, so that the protocols can work with them, and the protocols' own replace them one by one.
type takeover struct {
	until      time.Time
	ports      map[fib.PortID]fib.Port
	tunnels    map[fib.TunnelID]fib.Tunnel
	groups     map[fib.TunnelID]map[nbma.Address]bool // peers that multicast of a tunnel goes to
	links      map[fib.PortID][]fib.Adjacency         // by what they leave by, or lead into
	peers      map[fib.TunnelID][]fib.Adjacency
	networks   map[fib.TunnelID][]network
	insides    map[fib.SAID]netip.Addr // the address behind NAT of the peer that an association leads to
	provided   map[fib.TunnelID]bool   // neighbours were made of its adjacencies
	provisions map[nextHop]bool        // neighbours that nobody has confirmed yet
	vrfs       map[fib.VRF]bool        // that something was in, until it is known which of them there are
}

// network is a route by one next hop of a tunnel.
type network struct {
	vrf    fib.VRF
	prefix netip.Prefix
	by     fib.Adjacency
}

// Inherit has the Router begin with what is installed in the fast path: b is all of it, its associations without keys. It comes before the first
// Configure, at the time that At has set. The configuration's interfaces must have the numbers that the fast path knows them by.
//
// Everything goes on forwarding. What the configuration says takes its entries over; sealed traffic goes on under the old associations while IKE makes
// others; mappings serve until NHRP has learned others. What has no place any more is removed: of interfaces that are not configured at once
// (see Config.Incomplete), of others after two minutes, associations with their lifetime, mappings with a holding time.
func (r *Router) Inherit(b fib.Batch) {
	t := &takeover{
		until: r.now.Add(inheritFor), ports: make(map[fib.PortID]fib.Port), tunnels: make(map[fib.TunnelID]fib.Tunnel),
		groups: make(map[fib.TunnelID]map[nbma.Address]bool), insides: make(map[fib.SAID]netip.Addr), links: make(map[fib.PortID][]fib.Adjacency),
		peers: make(map[fib.TunnelID][]fib.Adjacency), networks: make(map[fib.TunnelID][]network), provisions: make(map[nextHop]bool),
		provided: make(map[fib.TunnelID]bool), vrfs: make(map[fib.VRF]bool),
	}
	r.takeover, r.outlived = t, make(map[fib.SAID]uint32)
	r.rib.Inherit(b)
	for _, p := range b.Ports {
		t.ports[p.ID] = p
	}
	for i := range b.SAs {
		if sa := &b.SAs[i]; sa.Inside.IsValid() {
			t.insides[sa.ID] = sa.Inside
		}
	}
	byID := make(map[fib.AdjID]fib.Adjacency, len(b.Adjacencies))
	sending := make(map[fib.SAID]fib.SAID)
	for _, a := range b.Adjacencies {
		byID[a.ID] = a
		switch a.Kind {
		case fib.AdjLink:
			t.links[a.Port] = append(t.links[a.Port], a)
		case fib.AdjTunnel:
			t.peers[a.Tunnel] = append(t.peers[a.Tunnel], a)
			if id := cmp.Or(a.SA, a.AH); id != 0 {
				sending[id] = a.AH
			}
		}
	}
	members := make(map[fib.GroupID][]fib.AdjID, len(b.Groups))
	for _, g := range b.Groups {
		members[g.ID] = g.Members
	}
	for _, i := range b.Tunnels {
		t.tunnels[i.ID], t.groups[i.ID] = i, make(map[nbma.Address]bool)
		for _, id := range members[i.Group] {
			if a := byID[id]; a.Kind == fib.AdjTunnel {
				t.groups[i.ID][t.peer(&a)] = true
			}
		}
	}
	for _, l := range b.Labels {
		t.vrfs[l.VRF] = true
	}
	for _, e := range b.Routes {
		t.vrfs[e.VRF] = true
		if a := byID[e.Paths[0]]; len(e.Paths) == 1 && a.Kind == fib.AdjTunnel && a.NextHop.IsValid() {
			t.networks[a.Tunnel] = append(t.networks[a.Tunnel], network{e.VRF, e.Prefix, a})
		}
	}
	for i := range b.SAs {
		if sa := &b.SAs[i]; sa.Inbound {
			r.env.ReserveSPI(sa.SPI)
			r.outlived[sa.ID] = sa.SPI
		}
	}
	r.sessions.Inherit(dmvpn.Inherited{SAs: b.SAs, Sending: sending})
}

// peer is whom an adjacency of a tunnel leads to.
func (t *takeover) peer(a *fib.Adjacency) nbma.Address {
	return nbma.Behind(a.OuterTo(), t.insides[cmp.Or(a.SA, a.AH)])
}

// forgetSPI gives the SPI of an inherited association back.
func (r *Router) forgetSPI(id fib.SAID) {
	if spi, ok := r.outlived[id]; ok {
		delete(r.outlived, id)
		r.env.GiveSPI(spi)
	}
}

// takeNeighbours tells the RIB the MAC addresses that the fast path knows, once for each link and tunnel: Linux confirms them later, or does not.
func (r *Router) takeNeighbours() {
	t := r.takeover
	if t == nil {
		return
	}
	for id, adjs := range t.links {
		i, ok := r.rib.Interface(r.ports[id])
		if !ok || !i.Up {
			continue
		}
		delete(t.links, id)
		if old := t.ports[id]; i.MAC != old.MAC || i.VRF != old.VRF || i.VLAN != old.VLAN {
			continue // another link
		}
		for _, a := range adjs {
			r.provide(i.Name, a.NextHop, &a)
		}
	}
	for id, adjs := range t.peers {
		i, ok := r.rib.Interface(r.tunnels[id])
		if !ok || !i.Up || !i.Tunnel.Local.IsValid() || t.provided[id] {
			continue
		}
		t.provided[id] = true
		for _, a := range adjs {
			if link, gateway, ok := r.rib.Underlay(i.Tunnel.OuterVRF, a.OuterTo()); ok && r.ports[a.Port] == link {
				r.provide(link, gateway, &a)
			}
		}
	}
}

// provide makes a neighbour known by the MAC address that an adjacency leads to.
func (r *Router) provide(link string, addr netip.Addr, a *fib.Adjacency) {
	if !addr.IsValid() || len(a.Outer) < 14 || r.rib.Known(link, addr) {
		return
	}
	r.rib.Neighbour(link, addr, [6]byte(a.Outer), true)
	r.takeover.provisions[nextHop{link, addr}] = true
}

// confirm notes that Linux has said something of a neighbour.
func (t *takeover) confirm(n nextHop) {
	if t != nil {
		delete(t.provisions, n)
	}
}

// takeMappings gives NHRP the mappings that the fast path knows, once for each tunnel that is up.
func (r *Router) takeMappings(c Config) {
	t := r.takeover
	if t == nil {
		return
	}
	for k := range c.NHRP.Interfaces {
		n := &c.NHRP.Interfaces[k]
		i, ok := r.tunnel(n.Name)
		if !ok || !i.Up || !i.Tunnel.Local.IsValid() {
			continue
		}
		id := i.Tunnel.ID
		old, ok := t.tunnels[id]
		delete(t.tunnels, id)
		if !ok || !samePeers(&old, &i) {
			continue
		}
		r.takePeers(n, &i, t.peers[id], t.groups[id])
		r.takeNetworks(n, &i, t.networks[id])
		delete(t.peers, id)
		delete(t.networks, id)
	}
}

// samePeers tells whether peers of an old tunnel are peers of one that is configured.
func samePeers(old *fib.Tunnel, i *rib.Interface) bool {
	t := i.Tunnel
	return old.VRF == i.VRF && old.OuterVRF == t.OuterVRF && old.Local == t.Local && old.Remote == t.Remote && old.Key == t.Key &&
		old.HasKey == t.HasKey && old.Network == t.Network && old.Protected == t.Protected
}

// takePeers tells NHRP which next hops of a tunnel are reached where.
func (r *Router) takePeers(n *nhrp.Interface, i *rib.Interface, adjs []fib.Adjacency, multicast map[nbma.Address]bool) {
	slices.SortFunc(adjs, func(a, b fib.Adjacency) int { return cmp.Compare(a.ID, b.ID) })
	for _, a := range adjs {
		if !a.NextHop.IsValid() || a.Resolve || i.Tunnel.Protected != (a.SA|a.AH != 0) {
			continue // a peer itself; one that is reached through another
		}
		to := r.takeover.peer(&a)
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Inherited{
			Iface: n.Name, Prefix: netip.PrefixFrom(a.NextHop, 32), NextHop: a.NextHop, NBMA: to,
			Registered: len(n.NHS) == 0 || n.MulticastDynamic && multicast[to], Expires: expiry(&a), Unique: a.Unique,
		}))
	}
}

// expiry is when the mapping ends that an adjacency was made of; the zero Time where it is not known.
func expiry(a *fib.Adjacency) time.Time {
	if a.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(a.Expires, 0)
}

// takeNetworks tells NHRP which networks of a tunnel are reached by a direct path, against what routing says.
func (r *Router) takeNetworks(n *nhrp.Interface, i *rib.Interface, networks []network) {
	slices.SortFunc(networks, func(a, b network) int { return a.prefix.Compare(b.prefix) })
	for _, w := range networks {
		if w.vrf != i.VRF || w.by.Resolve || w.prefix == netip.PrefixFrom(w.by.NextHop, 32) || i.Tunnel.Protected != (w.by.SA|w.by.AH != 0) {
			continue
		}
		found, ok := r.rib.Lookup(w.vrf, w.prefix.Addr())
		if ok && found.Prefix == w.prefix && slices.ContainsFunc(found.Hops, func(h rib.NextHop) bool { return h.Iface == i.Name && h.Addr == w.by.NextHop }) {
			continue // that is what routing says
		}
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Inherited{Iface: n.Name, Prefix: w.prefix, NextHop: w.by.NextHop, NBMA: r.takeover.peer(&w.by), Expires: expiry(&w.by)}))
	}
}

// endTakeover takes away what has found no place in time.
func (r *Router) endTakeover() {
	t := r.takeover
	if t == nil || t.until.After(r.now) {
		return
	}
	r.takeover = nil
	for n := range t.provisions {
		r.rib.Neighbour(n.iface, n.addr, [6]byte{}, false)
	}
	r.carryOutSessions(r.sessions.Disinherit(r.now))
	r.rib.Disinherit()
}

func (t *takeover) deadline() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.until
}

// Takeover tells what is left of what was inherited: adjacencies and routes that nothing has taken over yet, until when they stay; until is the
// zero Time when that is over.
func (r *Router) Takeover() (adjacencies, routes int, until time.Time) {
	adjacencies, routes = r.rib.Inherits()
	return adjacencies, routes, r.takeover.deadline()
}
