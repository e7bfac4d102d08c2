package rib

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"nave/fastpath/fib"
)

// hopKey names a next hop. A tunnel's peer is named by NBMA where it stands for itself (multicast, NHRP packets),
// and by Addr where a route goes through it.
type hopKey struct {
	iface string
	addr  netip.Addr // the zero Addr: hosts of the connected subnet that are not known yet
	nbma  netip.Addr
}

// hop is a next hop and its adjacency.
type hop struct {
	key       hopKey
	id        fib.AdjID
	refs      int
	installed bool
	last      fib.Adjacency
	neigh     NextHop // the neighbour it is built from
	peer      NextHop // of a tunnel: the NBMA address that it leads to
	outlives  bool    // it goes by the adjacency that the fast path had before this RIB began
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
	}
	h.refs++
	r.dirtyHops[h] = struct{}{}
	return h
}

func (r *RIB) unref(h *hop) {
	h.refs--
	r.dirtyHops[h] = struct{}{}
}

// touchInterface rebuilds all adjacencies of an interface.
func (r *RIB) touchInterface(name string) {
	for k, h := range r.hops {
		if k.iface == name || h.neigh.Iface == name {
			r.dirtyHops[h] = struct{}{}
		}
	}
}

// touchBound rebuilds the adjacencies whose next hop a binding covers.
func (r *RIB) touchBound(name string, p netip.Prefix) {
	if p.IsSingleIP() {
		if h := r.hops[hopKey{iface: name, addr: p.Addr()}]; h != nil {
			r.dirtyHops[h] = struct{}{}
		}
		return
	}
	for k, h := range r.hops {
		if k.iface == name && k.addr.IsValid() && p.Contains(k.addr) {
			r.dirtyHops[h] = struct{}{}
		}
	}
}

// touchUnderlay rebuilds the adjacencies of all tunnels: the way to their peers may have changed.
func (r *RIB) touchUnderlay() {
	for k, h := range r.hops {
		if i := r.ifaces[k.iface]; i != nil && i.Tunnel != nil {
			r.dirtyHops[h] = struct{}{}
		}
	}
}

// outerDestination is the NBMA address that a tunnel's next hop is reached at; the zero Addr where it is not known.
func (r *RIB) outerDestination(i *iface, k hopKey) netip.Addr {
	switch {
	case i.Tunnel.Remote.IsValid():
		return i.Tunnel.Remote
	case k.nbma.IsValid():
		return k.nbma
	case k.addr.IsValid():
		b, _ := i.nextHops.Lookup(k.addr)
		return b.NBMA
	}
	return netip.Addr{}
}

// build works out the adjacency of a next hop as things stand, and the neighbour that it depends on (none: the zero
// NextHop).
func (r *RIB) build(h *hop) (a fib.Adjacency, on NextHop) {
	a.ID, a.NextHop = h.id, h.key.addr
	i := r.ifaces[h.key.iface]
	if i == nil || !i.Up {
		r.lead(h, NextHop{})
		return a, on
	}
	a.VRF, a.MTU, a.LinkMTU, a.MSS = i.VRF, i.MTU, i.MTU, i.MSS
	if i.Tunnel != nil {
		on = r.buildTunnel(h, i, &a)
		return a, on
	}
	a.Port = i.Port
	if !h.key.addr.IsValid() {
		a.Kind = fib.AdjGlean
		return a, on
	}
	on = NextHop{Iface: h.key.iface, Addr: h.key.addr}
	mac, ok := i.neighbours[h.key.addr]
	if !ok {
		a.Kind = fib.AdjGlean
		return a, on
	}
	a.Kind, a.Outer = fib.AdjLink, ethernet(mac, i.MAC)
	return a, on
}

func (r *RIB) buildTunnel(h *hop, i *iface, a *fib.Adjacency) (on NextHop) {
	t := i.Tunnel
	a.Tunnel, a.Network = t.ID, t.Network
	nbma := r.outerDestination(i, h.key)
	if !nbma.IsValid() {
		r.lead(h, NextHop{})
		a.Kind = fib.AdjGlean
		return on
	}
	r.lead(h, NextHop{Iface: i.Name, Addr: nbma})
	if b, ok := i.nextHops.Lookup(h.key.addr); h.key.addr.IsValid() && ok {
		a.Resolve, a.Unique = b.Via, b.Unique
		if !b.Expires.IsZero() {
			a.Expires = b.Expires.Unix()
		}
	}
	seal, secured := i.secured[nbma]
	to := nbma
	if t.Protected {
		if !secured || seal.SA == 0 && seal.AH == 0 {
			return on // no association: nothing leaves in clear
		}
		to = seal.To
	}
	if !t.Local.Is4() || !to.Is4() {
		return on // nothing to put into an IPv4 header
	}
	out, gateway, ok := r.underlay(t.OuterVRF, to)
	if !ok {
		return on // no route to the peer: dropped until there is one
	}
	on = NextHop{Iface: out.Name, Addr: gateway}
	mac, ok := out.neighbours[gateway]
	if !ok {
		return on
	}
	a.Kind, a.Port, a.LinkMTU, a.CopyDF = fib.AdjTunnel, out.Port, out.MTU, t.PathMTU
	a.Inner = greHeader(t)
	learned := i.pathMTU[nbma]
	if t.Protected {
		a.SA, a.AH = seal.SA, seal.AH
		a.Outer = append(ethernet(mac, out.MAC), seal.header(t)...)
		if learned != 0 && t.PathMTU {
			a.MTU = min(a.MTU, uint16(max(minTunnelMTU, seal.fit(int(learned))-len(a.Inner))))
		}
		return on
	}
	a.Outer = append(ethernet(mac, out.MAC), ipv4Header(t, to)...)
	if learned != 0 && t.PathMTU {
		a.MTU = min(a.MTU, learned-min(learned, uint16(ipv4HeaderLen+len(a.Inner))))
	}
	return on
}

// Underlay is the link and the neighbour on it that lead to an NBMA address.
func (r *RIB) Underlay(vrf fib.VRF, nbma netip.Addr) (iface string, gateway netip.Addr, ok bool) {
	out, gateway, ok := r.underlay(vrf, nbma)
	if !ok {
		return "", gateway, false
	}
	return out.Name, gateway, true
}

// underlay is the link and the neighbour on it that lead to an NBMA address. Routes of NHRP do not count: a tunnel
// must not lead through itself.
func (r *RIB) underlay(vrf fib.VRF, nbma netip.Addr) (out *iface, gateway netip.Addr, ok bool) {
	e, c := r.find(vrf, nbma, 0)
	if c == nil {
		return nil, nbma, false
	}
	for _, w := range r.ways(e, c, 0) {
		if i := r.ifaces[w.Iface]; i != nil && i.Tunnel == nil && i.Port != 0 && i.Up {
			if !w.Addr.IsValid() {
				w.Addr = nbma
			}
			return i, w.Addr, true
		}
	}
	return nil, nbma, false
}

// watch makes n the neighbour that h is built from, and has it kept resolved.
func (r *RIB) watch(h *hop, n NextHop) {
	if h.neigh == n {
		return
	}
	if old := h.neigh; old.Iface != "" {
		delete(r.byNeigh[old], h)
		if len(r.byNeigh[old]) == 0 {
			delete(r.byNeigh, old)
			r.neighbours.Unwant(old.Iface, old.Addr)
		}
	}
	h.neigh = n
	if n.Iface == "" {
		return
	}
	if r.byNeigh[n] == nil {
		r.byNeigh[n] = make(map[*hop]struct{})
		r.neighbours.Want(n.Iface, n.Addr)
	}
	r.byNeigh[n][h] = struct{}{}
}

const (
	ethernetLen   = 14
	ipv4HeaderLen = 20
	maxRecursion  = 8
	minTunnelMTU  = 68 // RFC 791: every link takes so much
)

func ethernet(dst, src [6]byte) []byte {
	b := make([]byte, 0, ethernetLen+ipv4HeaderLen)
	b = append(append(b, dst[:]...), src[:]...)
	return append(b, 0x08, 0x00)
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
		a.Resolve == b.Resolve && a.NextHop == b.NextHop && a.Expires == b.Expires && a.Unique == b.Unique
}
