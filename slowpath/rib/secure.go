package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

// Seal says how packets to a peer of a protected tunnel leave.
type Seal struct {
	SA, AH                fib.SAID   // outbound; 0: without
	To                    netip.Addr // where they go: the peer's address as it is now, whatever NHRP names it by
	Encap                 bool       // ESP in UDP
	LocalPort, RemotePort uint16     // of Encap
	// What it adds behind the outer IPv4 header, in bytes: a packet of n bytes (GRE and all) becomes Fixed, and n and Trailer rounded up to Block.
	Fixed, Trailer, Block int
}

// fit is the longest packet (GRE and all) that fits sealed into an outer packet of mtu bytes.
func (s *Seal) fit(mtu int) int {
	room := mtu - ipv4HeaderLen - s.Fixed
	if s.Block > 0 {
		room -= room % s.Block
	}
	return max(0, room-s.Trailer)
}

// header is the outer header of a sealed packet: the fast path fills lengths, identification and checksums in.
func (s *Seal) header(t *Tunnel) []byte {
	b := ipv4Header(t, s.To)
	switch {
	case s.AH != 0:
		b[9] = 51
	case s.Encap:
		b[9] = 17
		b = binary.BigEndian.AppendUint16(b, s.LocalPort)
		b = binary.BigEndian.AppendUint16(b, s.RemotePort)
		b = append(b, 0, 0, 0, 0)
	default:
		b[9] = 50
	}
	return b
}

// InstallSA puts an association into the fast path with the next Flush, or changes the address of its peer. The RIB clears the keys then.
func (r *RIB) InstallSA(sa fib.SA) {
	if k := slices.IndexFunc(r.batch.SAs, func(o fib.SA) bool { return o.ID == sa.ID }); k >= 0 {
		clearKeys(&r.batch.SAs[k])
		r.batch.SAs[k] = sa
		return
	}
	r.batch.SAs = append(r.batch.SAs, sa)
}

// RemoveSA takes an association away with the next Flush, after everything else.
func (r *RIB) RemoveSA(id fib.SAID) {
	r.batch.SAs = slices.DeleteFunc(r.batch.SAs, func(sa fib.SA) bool {
		if sa.ID == id {
			clearKeys(&sa)
		}
		return sa.ID == id
	})
	r.batch.DelSAs = append(r.batch.DelSAs, id)
	r.unsealed(id)
}

func clearKeys(sa *fib.SA) {
	clear(sa.CipherKey)
	clear(sa.AuthKey)
}

// Secure has packets to a peer of a protected tunnel leave sealed. The peer has an adjacency of its own as long as it is secured.
func (r *RIB) Secure(name string, at nbma.Address, s Seal) {
	i := r.ifaces[name]
	if i == nil || i.Tunnel == nil {
		return
	}
	old, had := i.secured[at]
	if had && old == s {
		return
	}
	i.secured[at] = s
	if !had {
		r.hop(hopKey{iface: name, nbma: at})
	}
	r.touchPeer(peer{name, at})
}

// Unsecure has nothing leave to a peer of a protected tunnel any more.
func (r *RIB) Unsecure(name string, at nbma.Address) {
	i := r.ifaces[name]
	if i == nil {
		return
	}
	if _, had := i.secured[at]; !had {
		return
	}
	delete(i.secured, at)
	r.touchPeer(peer{name, at})
	if h := r.hops[hopKey{iface: name, nbma: at}]; h != nil {
		r.unref(h)
	}
}

// PeerAdjacency is the adjacency that leads to a peer of a protected tunnel itself; ok is false while nothing can be sent by it.
func (r *RIB) PeerAdjacency(name string, at nbma.Address) (id fib.AdjID, ok bool) {
	h := r.hops[hopKey{iface: name, nbma: at}]
	if h == nil || !h.installed || h.last.Kind != fib.AdjTunnel || h.last.SA == 0 && h.last.AH == 0 {
		return 0, false
	}
	return h.id, true
}

// RefusedSAs lists the associations that the fast path did not install since this was last called.
func (r *RIB) RefusedSAs() []fib.SAID {
	out := r.refusedSAs
	r.refusedSAs = nil
	return out
}

// lead notes which peer a tunnel's next hop leads to: the zero peer for none.
func (r *RIB) lead(h *hop, p peer) {
	if h.peer == p {
		return
	}
	if h.peer.iface != "" {
		delete(r.byPeer[h.peer], h)
		if len(r.byPeer[h.peer]) == 0 {
			delete(r.byPeer, h.peer)
		}
	}
	h.peer = p
	if p.iface == "" {
		return
	}
	if r.byPeer[p] == nil {
		r.byPeer[p] = make(map[*hop]struct{})
	}
	r.byPeer[p][h] = struct{}{}
}

// touchPeer rebuilds the adjacencies that lead to a peer.
func (r *RIB) touchPeer(p peer) {
	for h := range r.byPeer[p] {
		r.dirtyHops[h] = struct{}{}
	}
}
