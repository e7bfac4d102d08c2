// Package rib is the routing information base: of what interfaces, static routes, NHRP and routing protocols say of
// a prefix it chooses the best, works out the adjacency that leads there, and tells the fast path.
//
// # What costs what
//
// It is the only caller of Apply. All work follows the size of a change: a route names next hops, a next hop has one
// adjacency, and a change of a binding, a neighbour or an underlay route rebuilds only the adjacencies that depend
// on it. Setters note what changed; Flush works it out and applies it in one batch. A next hop that has to be looked up is a target: it is looked up once for
// all routes that name it, and only when it leads elsewhere are those worked out again.
//
// # Labels
//
// A route of a VPN has a next hop in the global table and labels for it. The labels are pushed only where packets stay labelled up to that next hop: it is on
// the subnet of an interface with `mpls ip`, or a label switched path leads to it, which is what neighbours have bound to the route of the next hop
// (BindLabel). Otherwise the route is not installed: fail closed, as somebody in between would take the VPN's label for one of its own. For the same
// reason a labelled packet for a next hop of a tunnel leaves to that next hop itself, and waits while NHRP does not know it; a server that would pass IPv4 on does not do.
// The label of a neighbour is not part of what a next hop is known by, so that a change of it rewrites adjacencies and no routes.
//
// The labels of this router (SetLabel) look packets up in a VRF, forward them as one route of a VRF does, or swap. A label without a way on is not installed.
//
// # Who wins, and who shares
//
// Of a prefix the source with the lowest distance wins; of sources with one distance always the same one does, and of several processes of a protocol the one with the lower
// metric (then the older). Only the next hops of the winner share the load, in proportion to their shares. In the fast path a route with several ways has up to
// fib.MaxPaths slots, each for as many flows as any other (share.go). When one of two, three or four equal ways goes, its flows are spread over the others and no other flow
// moves; of five and more, and of unequal ways, some of the others' flows move as well.
//
// # Restarts
//
// See Inherit: what a fast path has installed that outlived its control plane goes on until its place is taken, labels with the meaning that they had.
//
// A RIB belongs to one goroutine. It has no clock and no socket.
package rib

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// Interface is a port, a loopback or a tunnel as routing sees it.
type Interface struct {
	Name  string
	VRF   fib.VRF
	Addrs []netip.Prefix // address with its mask; the first is the primary one
	Up    bool
	MSS   uint16

	// Port is set for links, Parent and VLAN of those that are subinterfaces.
	Port   fib.PortID
	Parent fib.PortID
	VLAN   uint16
	MAC    [6]byte
	MPLS   bool   // `mpls ip`: labelled packets leave by it and are taken
	MTU    uint16 // largest IP packet: the link's, or the tunnel's `ip mtu`

	// Tunnel is set for tunnels.
	Tunnel *Tunnel
}

// Tunnel is the part of an interface that only tunnels have.
type Tunnel struct {
	ID        fib.TunnelID
	OuterVRF  fib.VRF
	Local     netip.Addr
	Remote    netip.Addr // of a point-to-point tunnel
	Key       uint32
	HasKey    bool
	TOS       uint8 // `tunnel tos`, ored into the outer header; the inner TOS is copied where it is 0
	TTL       uint8
	PathMTU   bool // `tunnel path-mtu-discovery`
	Network   uint32
	Redirect  bool
	Protected bool
	// Protection is what packets have to come out of an association of, where Protected.
	Protection fib.ProtectionID
}

func (i *Interface) equal(j *Interface) bool {
	if i.Name != j.Name || i.VRF != j.VRF || !slices.Equal(i.Addrs, j.Addrs) || i.Up != j.Up || i.MSS != j.MSS ||
		i.Port != j.Port || i.MAC != j.MAC || i.MTU != j.MTU || i.MPLS != j.MPLS || i.Parent != j.Parent || i.VLAN != j.VLAN {
		return false
	}
	if i.Tunnel == nil || j.Tunnel == nil {
		return i.Tunnel == j.Tunnel
	}
	return *i.Tunnel == *j.Tunnel
}

func (i *Interface) primary() netip.Addr {
	if len(i.Addrs) == 0 {
		return netip.Addr{}
	}
	return i.Addrs[0].Addr()
}

// Binding says that a next hop of a tunnel is reached at an NBMA address (from NHRP).
type Binding struct {
	Iface   string
	Prefix  netip.Prefix // the next hop, /32 as a rule; of a shortcut, the network behind NextHop
	NBMA    nbma.Address
	NextHop netip.Addr
	// Via is set while traffic takes the NHS and a direct path is looked for.
	Via bool
	// Expires is when it ends unless it is learned again, the zero Time: not by itself; Unique, that nobody else may have NextHop until then. They are kept with the
	// adjacency, for the control plane after this one.
	Expires time.Time
	Unique  bool
	// Shortcut makes Prefix a route by NextHop that wins over what routing says of the same prefix.
	Shortcut bool
}

// iface is an interface and what hangs on it.
type iface struct {
	Interface
	neighbours map[netip.Addr][6]byte     // of a link
	bindings   map[netip.Prefix]Binding   // of a tunnel
	nextHops   bart.Table[Binding]        // bindings that are no shortcuts, by prefix
	leaving    []*hop                     // were on the list, and still are on the one that the fast path has
	multicast  map[nbma.Address]struct{}  // peers that multicast goes to
	group      fib.GroupID                // of a tunnel, once it has members
	pathMTU    map[nbma.Address]uint16    // learned
	secured    map[nbma.Address]Seal      // of a protected tunnel
	announced  map[netip.Prefix]candidate // candidates that stand in the table for the interface's addresses
}

// SetInterface makes an interface known, or changes it. What was learned on it (neighbours, bindings) stays.
func (r *RIB) SetInterface(in Interface) {
	in.Addrs = slices.Clone(in.Addrs)
	if in.Tunnel != nil {
		t := *in.Tunnel
		in.Tunnel = &t
	}
	i := r.ifaces[in.Name]
	if i == nil {
		i = &iface{
			neighbours: make(map[netip.Addr][6]byte), bindings: make(map[netip.Prefix]Binding),
			multicast: make(map[nbma.Address]struct{}), pathMTU: make(map[nbma.Address]uint16),
			announced: make(map[netip.Prefix]candidate), secured: make(map[nbma.Address]Seal),
		}
		r.ifaces[in.Name] = i
	} else if i.equal(&in) {
		return
	} else if i.VRF != in.VRF {
		r.withdraw(i)
		r.leaveTable(i)
	}
	old := i.Interface
	i.Interface = in
	r.announce(i)
	r.describe(i)
	r.dropLabelled(i)
	fresh := old.Name == ""
	if !fresh && (old.MAC != in.MAC || old.MTU != in.MTU || old.Up != in.Up || old.MSS != in.MSS || old.MPLS != in.MPLS || old.VLAN != in.VLAN ||
		old.VRF != in.VRF || old.Port != in.Port || in.Tunnel != nil || old.Tunnel != nil) {
		r.touchInterface(in.Name)
	}
	if fresh || old.Up != in.Up || old.VRF != in.VRF || old.MPLS != in.MPLS || (old.Tunnel == nil) != (in.Tunnel == nil) || (old.Port == 0) != (in.Port == 0) {
		r.touchRoutes(in.Name)
		r.stale = true
	}
	if old.VRF != in.VRF || old.MPLS != in.MPLS {
		for p := range r.bound { // by neighbours there, perhaps
			r.rebound(p)
		}
	}
	for a := range i.neighbours {
		r.host(i, a)
	}
	for _, b := range i.bindings { // their hosts may be on the tunnel's subnet now, or no more
		switch {
		case !b.Shortcut && b.Prefix.IsSingleIP():
			r.peer(i, b)
		case b.Shortcut && old.VRF != in.VRF:
			r.shortcut(i, b)
		}
	}
}

// leaveTable takes what was learned on an interface out of the table that it was in.
func (r *RIB) leaveTable(i *iface) {
	for a := range i.neighbours {
		r.remove(i.VRF, netip.PrefixFrom(a, 32), Adjacency, i.Name, 0)
	}
	for p, b := range i.bindings {
		if b.Shortcut {
			r.remove(i.VRF, p, Shortcut, i.Name, 0)
		} else {
			r.remove(i.VRF, p, Adjacency, i.Name, 0)
		}
	}
}

// touchRoutes works out again every route that names the interface: it came up, went down, or is in another table.
func (r *RIB) touchRoutes(name string) {
	for e := range r.byIface[name] {
		r.dirty[e] = struct{}{}
	}
	r.moves++
}

// RemoveInterface forgets an interface and everything learned on it.
func (r *RIB) RemoveInterface(name string) {
	i := r.ifaces[name]
	if i == nil {
		return
	}
	for p := range i.bindings {
		r.Unbind(name, p)
	}
	for a := range i.multicast {
		r.Multicast(name, a, false)
	}
	r.dropGroup(i)
	for a := range i.secured {
		r.Unsecure(name, a)
	}
	for a := range i.neighbours {
		r.Neighbour(name, a, [6]byte{}, false)
	}
	r.withdraw(i)
	r.touchInterface(name)
	if i.Tunnel != nil {
		r.batch.DelTunnels = append(r.batch.DelTunnels, i.Tunnel.ID)
	} else if i.Port != 0 {
		r.batch.DelPorts = append(r.batch.DelPorts, i.Port)
	}
	r.touchRoutes(name)
	r.stale = true
	delete(r.ifaces, name)
}

// announce puts the interface's addresses into its table: the subnet as connected, the address itself as ours.
func (r *RIB) announce(i *iface) {
	want := make(map[netip.Prefix]candidate)
	for _, a := range i.Addrs {
		if !a.Addr().Is4() {
			continue
		}
		host := netip.PrefixFrom(a.Addr(), 32)
		want[host] = candidate{source: Local, iface: i.Name}
		if i.Up && a.Bits() < 32 {
			if _, dup := want[a.Masked()]; !dup {
				want[a.Masked()] = candidate{source: Connected, hops: []NextHop{{Iface: i.Name}}, iface: i.Name}
			}
		}
	}
	for p, c := range i.announced {
		if w, ok := want[p]; !ok || w.source != c.source {
			r.remove(i.VRF, p, c.source, i.Name, 0)
			delete(i.announced, p)
		}
	}
	for p, c := range want {
		if _, ok := i.announced[p]; !ok {
			r.add(i.VRF, p, c)
			i.announced[p] = c
		}
	}
}

func (r *RIB) withdraw(i *iface) {
	for p, c := range i.announced {
		r.remove(i.VRF, p, c.source, i.Name, 0)
		delete(i.announced, p)
	}
}

// describe tells the fast path about the port or tunnel itself.
func (r *RIB) describe(i *iface) {
	switch t := i.Tunnel; {
	case r.isOld(i): // it has not been up yet: Complete decides
	case t != nil && (!i.Up || !t.Local.IsValid()):
		r.batch.DelTunnels = append(r.batch.DelTunnels, t.ID)
		r.batch.Tunnels = slices.DeleteFunc(r.batch.Tunnels, func(o fib.Tunnel) bool { return o.ID == t.ID })
	case t != nil:
		r.batch.DelTunnels = slices.DeleteFunc(r.batch.DelTunnels, func(id fib.TunnelID) bool { return id == t.ID })
		if i.group == 0 {
			i.group = r.adoptGroup(t.ID)
		}
		f := fib.Tunnel{
			ID: t.ID, VRF: i.VRF, OuterVRF: t.OuterVRF, Local: t.Local, Remote: t.Remote, Key: t.Key, HasKey: t.HasKey,
			Addr: r.addressOf(i), MTU: i.MTU, MSS: i.MSS, Network: t.Network, Redirect: t.Redirect, Group: i.group,
			Protected: t.Protected, Protection: t.Protection, MPLS: i.MPLS,
		}
		if !r.takeTunnel(&f) {
			r.batch.Tunnels = replace(r.batch.Tunnels, f, func(a, b fib.Tunnel) bool { return a.ID == b.ID })
		}
	case i.Port != 0 && !i.Up:
		r.batch.DelPorts = append(r.batch.DelPorts, i.Port)
		r.batch.Ports = slices.DeleteFunc(r.batch.Ports, func(p fib.Port) bool { return p.ID == i.Port })
	case i.Port != 0:
		r.batch.DelPorts = slices.DeleteFunc(r.batch.DelPorts, func(id fib.PortID) bool { return id == i.Port })
		f := fib.Port{ID: i.Port, VRF: i.VRF, MAC: i.MAC, Addr: r.addressOf(i), MTU: i.MTU, MSS: i.MSS, MPLS: i.MPLS, Parent: i.Parent, VLAN: i.VLAN}
		if !r.takePort(&f) {
			r.batch.Ports = replace(r.batch.Ports, f, func(a, b fib.Port) bool { return a.ID == b.ID })
		}
	}
}

// replace puts v in the place of the entry that is the same, or at the end.
func replace[T any](s []T, v T, same func(a, b T) bool) []T {
	if k := slices.IndexFunc(s, func(o T) bool { return same(o, v) }); k >= 0 {
		s[k] = v
		return s
	}
	return append(s, v)
}
