package rib

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// hopKey names a next hop. A tunnel's peer is named by NBMA where it stands for itself (multicast, NHRP packets),
// and by Addr where a route goes through it.
type hopKey struct {
	iface string
	addr  netip.Addr // the zero Addr: hosts of the connected subnet that are not known yet
	nbma  nbma.Address
	// labels are pushed, and then what the next hop has bound to lsp, which is not part of the key: it may change.
	labels Labels
	lsp    netip.Prefix
	// direct keeps packets from anybody but the next hop itself, while a tunnel does not know it: what is under their IP or label means something else to others.
	direct bool
	leak   bool // looked up again in vrf
	vrf    fib.VRF
}

// hop is a next hop and its adjacency.
type hop struct {
	key       hopKey
	id        fib.AdjID
	refs      int
	installed bool
	stood     bool // the fast path has had it by its number at some time
	last      fib.Adjacency
	neigh     spot // the neighbour it is built from
	peer      peer // of a tunnel: whom it leads to
	targets   []*target
	under     netip.Prefix // of a tunnel: whose label the way to the peer begins with
	outlives  bool         // it goes by the adjacency that the fast path had before this RIB began
}

// hop finds or makes a next hop and counts the reference.
func (r *RIB) hop(k hopKey) *hop {
	h := r.hops[k]
	if h == nil {
		h = &hop{key: k}
		if !r.adopt(h) {
			h.id = r.ids.take()
		}
		r.hops[k], r.byID[h.id] = h, h
		if k.addr.IsValid() {
			index(r.byNext, spot{k.iface, k.addr}, h)
		}
		if k.lsp.IsValid() {
			index(r.byLSP, k.lsp, h)
		}
	}
	h.refs++
	if h.refs == 1 {
		r.dirtyHops[h] = struct{}{}
	}
	return h
}

// forget takes a next hop that nothing uses any more off all lists.
func (r *RIB) forget(h *hop) {
	r.watch(h, spot{})
	r.lead(h, peer{})
	r.aimHop(h)
	r.carry(h, netip.Prefix{})
	delete(r.hops, h.key)
	delete(r.byID, h.id)
	if h.key.addr.IsValid() {
		unindex(r.byNext, spot{h.key.iface, h.key.addr}, h)
	}
	if h.key.lsp.IsValid() {
		unindex(r.byLSP, h.key.lsp, h)
	}
}

// carry notes the prefix whose label the packets of a tunnel's next hop get outside.
func (r *RIB) carry(h *hop, lsp netip.Prefix) {
	if h.under == lsp {
		return
	}
	if h.under.IsValid() && h.under != h.key.lsp {
		unindex(r.byLSP, h.under, h)
	}
	if h.under = lsp; lsp.IsValid() {
		index(r.byLSP, lsp, h)
	}
}

func index[K comparable](m map[K]map[*hop]struct{}, k K, h *hop) (first bool) {
	s := m[k]
	if s == nil {
		s, first = make(map[*hop]struct{}), true
		m[k] = s
	}
	s[h] = struct{}{}
	return first
}

func unindex[K comparable](m map[K]map[*hop]struct{}, k K, h *hop) (last bool) {
	delete(m[k], h)
	if len(m[k]) > 0 {
		return false
	}
	delete(m, k)
	return true
}

func (r *RIB) unref(h *hop) {
	h.refs--
	r.dirtyHops[h] = struct{}{}
}

// touchInterface rebuilds all adjacencies of an interface.
func (r *RIB) touchInterface(name string) {
	for k, h := range r.hops {
		if k.iface == name || h.neigh.iface == name {
			r.dirtyHops[h] = struct{}{}
		}
	}
}

// touchBound rebuilds the adjacencies whose next hop a binding covers.
func (r *RIB) touchBound(name string, p netip.Prefix) {
	if p.IsSingleIP() {
		for h := range r.byNext[spot{name, p.Addr()}] {
			r.dirtyHops[h] = struct{}{}
		}
		return
	}
	for n, hops := range r.byNext {
		if n.iface == name && p.Contains(n.addr) {
			for h := range hops {
				r.dirtyHops[h] = struct{}{}
			}
		}
	}
}

// outerDestination is where a tunnel's next hop is reached; the zero Address where that is not known.
func (r *RIB) outerDestination(i *iface, k hopKey) nbma.Address {
	switch {
	case i.Tunnel.Remote.IsValid():
		return nbma.Of(i.Tunnel.Remote)
	case k.nbma.IsValid():
		return k.nbma
	case k.addr.IsValid():
		b, _ := i.nextHops.Lookup(k.addr)
		if k.direct && !b.names(k.addr) {
			return nbma.Address{}
		}
		return b.NBMA
	}
	return nbma.Address{}
}

// names tells whether a binding says where a next hop itself is, and not somebody who passes traffic on to it.
func (b *Binding) names(addr netip.Addr) bool {
	return b.Prefix.IsSingleIP() && !b.Via && (!b.NextHop.IsValid() || b.NextHop == addr)
}

// build works out the adjacency of a next hop as things stand, and the neighbour that it depends on (none: the zero
// spot).
func (r *RIB) build(h *hop) (a fib.Adjacency, on spot) {
	k := &h.key
	a.ID, a.NextHop = h.id, k.addr
	if k.leak {
		a.Kind, a.VRF = fib.AdjLookup, k.vrf
		return a, on
	}
	i := r.ifaces[k.iface]
	labels, labelled := r.stack(k.iface, k.addr, k.lsp, k.labels)
	if i == nil || !i.Up || !labelled || labels.n > 0 && !i.switches() {
		r.lead(h, peer{})
		r.aimHop(h)
		r.carry(h, netip.Prefix{})
		return a, on
	}
	a.VRF, a.MTU, a.LinkMTU, a.MSS = i.VRF, i.MTU, i.MTU, i.MSS
	if labels.n > 0 {
		a.Labels, a.Pipe = labels.Values(), r.pipe
	}
	if i.Tunnel != nil {
		on = r.buildTunnel(h, i, &a)
		return a, on
	}
	a.Port = i.Port
	if !k.addr.IsValid() {
		a.Kind = fib.AdjGlean
		return a, on
	}
	on = spot{k.iface, k.addr}
	mac, ok := i.neighbours[k.addr]
	switch {
	case !ok:
		a.Kind = fib.AdjGlean
	case fits(&a):
		a.Kind, a.Outer = fib.AdjLink, ethernet(mac, i, typeIPv4)
	}
	return a, on
}

// fits tells whether the smallest packets that must get through do so with the adjacency's labels.
func fits(a *fib.Adjacency) bool { return int(a.MTU) >= minTunnelMTU+labelLen*len(a.Labels) }

func (r *RIB) buildTunnel(h *hop, i *iface, a *fib.Adjacency) (on spot) {
	t := i.Tunnel
	a.Tunnel, a.Network = t.ID, t.Network
	at := r.outerDestination(i, h.key)
	if !at.IsValid() {
		r.lead(h, peer{})
		r.aimHop(h)
		r.carry(h, netip.Prefix{})
		a.Kind = fib.AdjGlean
		return on
	}
	r.lead(h, peer{i.Name, at})
	if b, ok := i.nextHops.Lookup(h.key.addr); h.key.addr.IsValid() && ok {
		a.Resolve, a.Unique = b.Via, b.Unique
		if !b.Expires.IsZero() {
			a.Expires = b.Expires.Unix()
		}
	}
	seal, secured := i.secured[at]
	to := at.Addr
	if t.Protected && secured && seal.SA|seal.AH != 0 {
		to = seal.To
	}
	way, out, ok := r.outside(h, t, to)
	if t.Protected && (!secured || seal.SA == 0 && seal.AH == 0) {
		return on // no association: nothing leaves in clear
	}
	if !ok {
		return on // no route to the peer: dropped until there is one
	}
	on = spot{out.Name, way.addr}
	mac, ok := out.neighbours[way.addr]
	stack, labelled := r.stack(way.iface, way.addr, way.lsp, way.labels)
	if !ok || !labelled || !fits(a) || int(out.MTU) < minTunnelMTU+labelLen*stack.n {
		return on
	}
	outer := appendStack(ethernet(mac, out, outerType(stack)), stack)
	if t.Protected {
		outer = append(outer, seal.header(t)...)
	} else {
		outer = append(outer, ipv4Header(t, to)...)
	}
	if len(outer) > fib.MaxOuter {
		return on
	}
	a.Kind, a.Port, a.LinkMTU, a.CopyDF = fib.AdjTunnel, out.Port, out.MTU, t.PathMTU
	a.Inner, a.Outer = greHeader(t), outer
	learned := i.pathMTU[at]
	if t.Protected {
		a.SA, a.AH = seal.SA, seal.AH
		if learned != 0 && t.PathMTU {
			a.MTU = min(a.MTU, uint16(max(minTunnelMTU+labelLen*len(a.Labels), seal.fit(int(learned))-len(a.Inner))))
		}
		return on
	}
	if learned != 0 && t.PathMTU {
		a.MTU = min(a.MTU, uint16(max(minTunnelMTU+labelLen*len(a.Labels), int(learned)-ipv4HeaderLen-len(a.Inner))))
	}
	return on
}

// outside is the link and the way on it that lead to a tunnel's peer, and has the next hop built again when that changes.
func (r *RIB) outside(h *hop, t *Tunnel, to netip.Addr) (w way, out *iface, ok bool) {
	if !t.Local.Is4() || !to.Is4() {
		r.aimHop(h)
		r.carry(h, netip.Prefix{})
		return w, nil, false // nothing to put into an IPv4 header
	}
	k := targetKey{t.OuterVRF, to}
	r.aimHop(h, k)
	w, out, ok = r.link(r.targets[k].found, to)
	r.carry(h, w.lsp)
	return w, out, ok
}

// Underlay is the link and the neighbour on it that lead to an NBMA address.
func (r *RIB) Underlay(vrf fib.VRF, addr netip.Addr) (iface string, gateway netip.Addr, ok bool) {
	w, _, ok := r.link(r.look(targetKey{vrf, addr}, &search{}), addr)
	return w.iface, w.addr, ok
}

// link is the first way by a link. Routes of NHRP do not count: a tunnel must not lead through itself, and none through another.
func (r *RIB) link(f found, to netip.Addr) (way, *iface, bool) {
	for _, w := range f.ways {
		if i := r.ifaces[w.iface]; i != nil && i.Tunnel == nil && i.Port != 0 && i.Up {
			if !w.addr.IsValid() {
				w.addr = to
			}
			return w, i, true
		}
	}
	return way{addr: to}, nil, false
}

// watch makes n the neighbour that h is built from, and has it kept resolved.
func (r *RIB) watch(h *hop, n spot) {
	if h.neigh == n {
		return
	}
	if old := h.neigh; old.iface != "" && unindex(r.byNeigh, old, h) {
		r.neighbours.Unwant(old.iface, old.addr)
	}
	h.neigh = n
	if n.iface != "" && index(r.byNeigh, n, h) {
		r.neighbours.Want(n.iface, n.addr)
	}
}

const (
	ethernetLen   = 14
	vlanLen       = 4
	ipv4HeaderLen = 20
	labelLen      = 4
	minTunnelMTU  = 68 // RFC 791: every link takes so much
	typeIPv4      = 0x0800
	typeVLAN      = 0x8100
	typeMPLS      = 0x8847
	outerTTL      = 255 // of labels that are new: the packet under them is a tunnel's own
)

// ethernet is the header of frames to a neighbour on a link, with the tag of a subinterface.
func ethernet(dst [6]byte, i *iface, typ uint16) []byte {
	b := make([]byte, 0, ethernetLen+vlanLen+fib.MaxLabels*labelLen+ipv4HeaderLen+8)
	b = append(append(b, dst[:]...), i.MAC[:]...)
	if i.VLAN != 0 {
		b = binary.BigEndian.AppendUint16(b, typeVLAN)
		b = binary.BigEndian.AppendUint16(b, i.VLAN)
	}
	return binary.BigEndian.AppendUint16(b, typ)
}

func outerType(s Labels) uint16 {
	if s.n > 0 {
		return typeMPLS
	}
	return typeIPv4
}

// appendStack writes label stack entries (RFC 3032 section 2.1). Their EXP is the fast path's.
func appendStack(b []byte, s Labels) []byte {
	for k, l := range s.l[:s.n] {
		e := l<<12 | outerTTL
		if k == s.n-1 {
			e |= 1 << 8
		}
		b = binary.BigEndian.AppendUint32(b, e)
	}
	return b
}

// greHeader is RFC 2784, with the key of RFC 2890 where the tunnel has one.
func greHeader(t *Tunnel) []byte {
	if !t.HasKey {
		return []byte{0x00, 0x00, 0x08, 0x00}
	}
	return binary.BigEndian.AppendUint32([]byte{0x20, 0x00, 0x08, 0x00}, t.Key)
}

// ipv4Header is the outer header; lengths, identification and checksum are the fast path's.
func ipv4Header(t *Tunnel, to netip.Addr) []byte {
	b := make([]byte, ipv4HeaderLen, ipv4HeaderLen+8) // room for UDP's
	b[0], b[1], b[8], b[9] = 0x45, t.TOS, t.TTL, 47
	src, dst := t.Local.As4(), to.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	return b
}

func sameAdjacency(a, b *fib.Adjacency) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Port == b.Port && a.Tunnel == b.Tunnel && a.VRF == b.VRF &&
		bytes.Equal(a.Inner, b.Inner) && a.SA == b.SA && a.AH == b.AH && bytes.Equal(a.Outer, b.Outer) && a.MTU == b.MTU &&
		a.LinkMTU == b.LinkMTU && a.MSS == b.MSS && a.CopyDF == b.CopyDF && a.Network == b.Network &&
		a.Resolve == b.Resolve && a.NextHop == b.NextHop && a.Expires == b.Expires && a.Unique == b.Unique &&
		a.Pipe == b.Pipe && slices.Equal(a.Labels, b.Labels)
}
