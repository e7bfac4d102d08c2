package slowpath

import (
	"net/netip"
	"slices"
	"time"

	"nave/fastpath"
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
	if p.Len != len(p.Packet) {
		return // cut short on its way up: it can't be sent any more
	}
	old, again := r.held.byHop[n]
	if !again && len(r.held.byHop) >= maxHeld {
		r.stats.HeldLost++
		return
	}
	w := waiting{punt: *p, expires: r.now.Add(holdTimeout)}
	w.punt.Packet = slices.Clone(p.Packet)
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
		if !ok {
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
		r.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: w.punt.VRF, Packet: ip})
	}
	r.held.freed = r.held.freed[:0]
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
			r.icmpError(icmp.HostUnreachable, &w.punt)
		}
	}
}
