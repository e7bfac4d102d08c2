package slowpath

import (
	"net/netip"
	"slices"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/icmp"
)

// Bounds of what waits for a next hop.
const (
	maxHeld     = 1024 // next hops, each with one packet: the latest (RFC 1122 section 2.3.2.2)
	holdTimeout = 3 * time.Second
)

// nextHop is what a packet waits for.
type nextHop struct {
	iface string
	addr  netip.Addr
}

// waiting is one packet. Its Packet is a copy.
type waiting struct {
	punt    fastpath.Punt
	expires time.Time
	// direct says that it is sent by its adjacency when that is ready: what led it there is a label, or a route of another VRF than the adjacency's, and routes by
	// which it would be found again need not lead there.
	direct bool
	of     fib.VRF // what the next hop's interface was in
}

// held is the packets that wait, and the next hops that have become ready in this step.
type held struct {
	byHop map[nextHop]waiting
	freed []nextHop
}

func newHeld() held { return held{byHop: make(map[nextHop]waiting)} }

func (h *held) ready(n nextHop) {
	if _, ok := h.byHop[n]; ok {
		h.freed = append(h.freed, n)
	}
}

func (h *held) deadline() (d time.Time) {
	for _, w := range h.byHop {
		if d.IsZero() || w.expires.Before(d) {
			d = w.expires
		}
	}
	return d
}

// hold keeps a packet until its next hop is known. It takes the place of an earlier one for the same next hop.
func (r *Router) hold(n nextHop, p *fastpath.Punt) {
	if p.Len != len(p.Packet) || len(p.Packet) < packet.IPv4Len {
		return // cut short on its way up, or it stayed where it was: it can't be sent any more
	}
	old, again := r.held.byHop[n]
	if !again && len(r.held.byHop) >= maxHeld {
		r.stats.HeldLost++
		return
	}
	i, _ := r.rib.Interface(n.iface)
	labels, _ := r.rib.HopLabels(p.Adj)
	w := waiting{punt: *p, expires: r.now.Add(holdTimeout), of: i.VRF, direct: i.VRF != p.VRF || len(labels.Values()) > 0 || p.Switched}
	w.punt.Packet, w.punt.Stack = slices.Clone(p.Packet), slices.Clone(p.Stack)
	if again {
		r.stats.HeldLost++
		w.expires = old.expires
	}
	r.stats.Held++
	r.held.byHop[n] = w
}

// releaseHeld sends the packets whose next hops have become ready. The fast path knows them by now.
func (r *Router) releaseHeld() {
	for _, n := range r.held.freed {
		w, ok := r.held.byHop[n]
		if !ok || w.direct && !r.isReady(n, &w) {
			continue
		}
		delete(r.held.byHop, n)
		ip := packet.IPv4(w.punt.Packet)
		if r.cameBy(&w.punt) != "" { // transit: it was punted as it came
			if ip.TTL() <= 1 {
				continue
			}
			ip.DecTTL()
		}
		if w.direct {
			r.inject(fastpath.Inject{Kind: fastpath.InjectAdjacent, Adj: w.punt.Adj, Packet: ip})
		} else {
			r.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: w.punt.VRF, Packet: ip})
		}
	}
	r.held.freed = r.held.freed[:0]
}

// isReady tells whether the adjacency that a packet waits for still is what it was, and leads on by now. A labelled one does not while its next hop is known by way
// of another only.
func (r *Router) isReady(n nextHop, w *waiting) bool {
	iface, addr, ok := r.rib.Hop(w.punt.Adj)
	i, _ := r.rib.Interface(iface)
	return ok && nextHop{iface, addr} == n && i.VRF == w.of && r.rib.Ready(w.punt.Adj)
}

// expireHeld gives up next hops that did not answer, and tells the senders.
func (r *Router) expireHeld() {
	for n, w := range r.held.byHop {
		if w.expires.After(r.now) {
			continue
		}
		delete(r.held.byHop, n)
		r.stats.HeldLost++
		if r.cameBy(&w.punt) != "" {
			r.unreachable(w.punt)
		}
	}
}

// unreachable tells the source of a packet that its next hop did not answer. What a label was to take there has its source in the VRF that the label is of: it can't
// be told by the same label, which leads to the next hop, nor in the VRF that the packet came in by. Where that VRF is not known, it is not told.
func (r *Router) unreachable(p fastpath.Punt) {
	if n := len(p.Stack); p.Switched && n >= packet.LabelLen {
		vrf, ok := r.rib.LabelVRF(packet.GetLSE(p.Stack[n-packet.LabelLen:]).Label())
		if !ok {
			return
		}
		p.VRF, p.Switched = vrf, false
	}
	r.icmpError(icmp.HostUnreachable, &p)
}
