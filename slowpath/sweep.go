package slowpath

import (
	"encoding/binary"
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

const (
	sweepEvery = 10 * time.Second
	// pathMTUAge is how long a learned path MTU is believed (RFC 1191 section 6.3).
	pathMTUAge = 10 * time.Minute
	// minPathMTU is the least that is believed: less is no router's honest answer (RFC 791: every link takes 68; every
	// host takes 576), and would make small packets of all traffic.
	minPathMTU = 576
	// tooBigEvery is the least time between two messages that are looked at: each may touch adjacencies, and anybody
	// can send them.
	tooBigEvery = 10 * time.Millisecond
)

// sweep tells NHRP which peers carried traffic, and forgets path MTUs that are too old.
func (r *Router) sweep() {
	seen := make(map[tunnelPeer]bool)
	next := make(map[fib.AdjID]bool)
	for _, u := range r.rib.TunnelAdjacencies() {
		n := r.engine.AdjacencyCount(u.Adjacency).Packets
		next[u.Adjacency] = true
		own := !u.NextHop.IsValid() && r.isProtected(u.Iface) // that is NHRP's own packets, and multicast
		if last, ok := r.used[u.Adjacency]; !own && (ok && n != last || !ok && n > 0) {
			seen[tunnelPeer{u.Iface, u.NBMA}] = true
		}
		r.used[u.Adjacency] = n
	}
	for id := range r.used {
		if !next[id] {
			delete(r.used, id)
		}
	}
	for n := range seen {
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Used{Iface: n.iface, NBMA: n.at}))
	}
	r.countSAs()
	for k, learned := range r.pathMTU {
		if r.now.Sub(learned.at) >= pathMTUAge {
			r.rib.PathMTU(k.iface, k.at, 0)
			delete(r.pathMTU, k)
		}
	}
}

func (r *Router) isProtected(iface string) bool {
	i, ok := r.tunnel(iface)
	return ok && i.Tunnel.Protected
}

// tunnelPeer is a peer of a tunnel.
type tunnelPeer struct {
	iface string
	at    nbma.Address
}

// pathMTU is the MTU of a path, and when it was last heard of.
type pathMTU struct {
	mtu uint16
	at  time.Time
}

// TooBig is a router's word that a packet of a tunnel of ours did not fit through a link.
type TooBig struct {
	Local, Remote netip.Addr // of the packet
	Protocol      uint8      // GRE, ESP, AH, or UDP for ESP in UDP
	MTU           uint16     // of the link
	Quoted        []byte     // what followed the packet's IP header: 8 bytes at least
}

// TooBig learns the MTU of a path from what came to the host stack of a VRF, which is that of the outer packets. What is quoted must be of a packet that the tunnel sends, and its receiver somebody it sends to. Only
// age makes a path MTU larger (RFC 1191 section 6).
func (r *Router) TooBig(vrf fib.VRF, t TooBig) {
	if t.MTU < minPathMTU || r.now.Sub(r.lastTooBig) < tooBigEvery {
		return
	}
	r.lastTooBig = r.now
	_ = r.step(func() {
		if t.Protocol != protoGRE {
			r.tooBigSealed(vrf, t)
			return
		}
		for _, name := range r.tunnels {
			i, ok := r.tunnel(name)
			if ok && i.Tunnel.PathMTU && !i.Tunnel.Protected && i.Tunnel.OuterVRF == vrf && i.Tunnel.Local == t.Local && isOwnGRE(t.Quoted, i.Tunnel.HasKey, i.Tunnel.Key) {
				r.learnPathMTU(tunnelPeer{name, nbma.Of(t.Remote)}, t.MTU)
			}
		}
	})
}

func (r *Router) learnPathMTU(k tunnelPeer, mtu uint16) {
	if known, ok := r.pathMTU[k]; ok && known.mtu < mtu || !r.rib.PathMTU(k.iface, k.at, mtu) && known.mtu != mtu {
		return
	}
	r.pathMTU[k] = pathMTU{mtu, r.now}
}

func isOwnGRE(b []byte, hasKey bool, key uint32) bool {
	if !hasKey {
		return len(b) >= 4 && b[0] == 0
	}
	return len(b) >= 8 && b[0] == 0x20 && binary.BigEndian.Uint32(b[4:]) == key
}
