package slowpath

import (
	"encoding/binary"
	"net/netip"
	"time"

	"nave/fastpath/fib"
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
	seen := make(map[nextHop]bool)
	next := make(map[fib.AdjID]bool)
	for _, u := range r.rib.TunnelAdjacencies() {
		n := r.engine.AdjacencyCount(u.Adjacency).Packets
		next[u.Adjacency] = true
		if last, ok := r.used[u.Adjacency]; ok && n != last || !ok && n > 0 {
			seen[nextHop{u.Iface, u.NBMA}] = true
		}
		r.used[u.Adjacency] = n
	}
	for id := range r.used {
		if !next[id] {
			delete(r.used, id)
		}
	}
	for n := range seen {
		r.carryOut(r.nhrp.Handle(r.now, nhrp.Used{Iface: n.iface, NBMA: n.addr}))
	}
	for k, learned := range r.pathMTU {
		if r.now.Sub(learned.at) >= pathMTUAge {
			r.rib.PathMTU(k.iface, k.nbma, 0)
			delete(r.pathMTU, k)
		}
	}
}

// pathKey is a path whose MTU was learned.
type pathKey struct {
	iface string
	nbma  netip.Addr
}

// pathMTU is the MTU of a path, and when it was last heard of.
type pathMTU struct {
	mtu uint16
	at  time.Time
}

// TooBig takes a router's word that a GRE packet from local to remote did not fit through a link of this MTU. quoted
// is the start of the packet's GRE header: it must be one that the tunnel sends, and remote somebody it sends to. Only
// age makes a path MTU larger (RFC 1191 section 6).
func (r *Router) TooBig(local, remote netip.Addr, mtu uint16, quoted []byte) {
	if mtu < minPathMTU || r.now.Sub(r.lastTooBig) < tooBigEvery {
		return
	}
	r.lastTooBig = r.now
	_ = r.step(func() {
		for _, name := range r.tunnels {
			i, ok := r.tunnel(name)
			if !ok || !i.Tunnel.PathMTU || i.Tunnel.Local != local || !isOwnGRE(quoted, i.Tunnel.HasKey, i.Tunnel.Key) {
				continue
			}
			k := pathKey{name, remote}
			if known, ok := r.pathMTU[k]; ok && known.mtu < mtu || !r.rib.PathMTU(name, remote, mtu) && known.mtu != mtu {
				continue
			}
			r.pathMTU[k] = pathMTU{mtu, r.now}
		}
	})
}

func isOwnGRE(b []byte, hasKey bool, key uint32) bool {
	if !hasKey {
		return len(b) >= 4 && b[0] == 0
	}
	return len(b) >= 8 && b[0] == 0x20 && binary.BigEndian.Uint32(b[4:]) == key
}
