package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"
	"unique"

	"golang.org/x/sys/unix"
)

// OtherRoute is a route that others than nave have put into the kernel's main table: the best of its prefix there, of those that packets are routed by.
type OtherRoute struct {
	Prefix   netip.Prefix
	Protocol uint8  // rtm_protocol: who put it there
	Metric   uint32 // the kernel's priority
	Hops     []OtherHop
	Discard  bool // blackhole, unreachable or prohibit: there are no Hops
	Gone     bool // there is none any more; only Prefix is set
}

// OtherHop is a next hop of others' by the index of its netdev.
type OtherHop struct {
	Link    int
	Gateway netip.Addr // the zero Addr: the destination is on the link
	Weight  int        // its share of the load, 1 to 256
}

// RouteWatch tells of others' routes in the kernel's main table: unicast and those that drop, but for the kernel's own (subnets of addresses), redirects, and nave's.
//
// Linux says nothing of routes that it forgets as a netdev goes down, an address goes, or a nexthop object (`ip nexthop`) is removed. So the table is listed again after such an
// event, and when the kernel had more to say than there was room for.
type RouteWatch struct {
	h      *Host
	events *rtnetlink
	lists  *rtnetlink
	tell   func([]OtherRoute)
	retell atomic.Bool

	prefixes map[routeKey]*otherPrefix
	touched  map[routeKey]struct{} // what may have changed since tell was called
	relist   bool
	listed   time.Time
	took     time.Duration // the last list
	m        routeMessage
}

// otherPrefix is the routes of a prefix, the best first, and what was told.
type otherPrefix struct {
	routes []otherRoute
	told   otherRoute
}

// otherRoute is a route in little room. Its zero value is none.
type otherRoute struct {
	metric   uint32
	protocol uint8
	kind     uint8                 // RTN_*
	silent   bool                  // none that is told, and in the kernel's order all the same
	hops     unique.Handle[string] // as packHops makes them: most routes of a table share a few
}

const (
	watchHold = 8 << 20
	// tellAfter is how long the kernel has to be silent, or tellMost how many routes there have to be, before what changed is told.
	tellAfter = 20 * time.Millisecond
	tellMost  = 1024
	// listAfter is how long a list waits for more of what made it necessary; lists take at most a tenth of the time.
	listAfter = 200 * time.Millisecond
	listShare = 10
)

// WatchRoutes tells of all routes that there are, and of what changes, until ctx ends. It returns once it listens. tell is called by one goroutine; the slice is tell's.
func (h *Host) WatchRoutes(ctx context.Context, tell func([]OtherRoute)) (*RouteWatch, error) {
	lists, err := h.openNetlink(routesHold)
	if err != nil {
		return nil, err
	}
	events, err := h.openNetlink(watchHold, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR)
	if err != nil {
		lists.close()
		return nil, fmt.Errorf("%w: watch routes", err)
	}
	_ = events.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.RTNLGRP_NEXTHOP) // before Linux 5.3 there are no such objects
		_ = ignoreOurs(int(fd))                                                                              // they are ignored below, too: it only costs more
	})
	w := &RouteWatch{h: h, events: events, lists: lists, tell: tell, prefixes: make(map[routeKey]*otherPrefix), touched: make(map[routeKey]struct{}), relist: true}
	stop := context.AfterFunc(ctx, w.events.close) // which ends the read
	go func() {
		defer stop()
		defer func() { w.lists.close() }() // the one that there is then
		w.run(ctx)
	}()
	return w, nil
}

// Again has all routes told once more: netdevs are known by other names than they were.
func (w *RouteWatch) Again() {
	w.retell.Store(true)
	_ = w.events.file.SetReadDeadline(time.Unix(1, 0)) // ends a read that goes on
}

// ignoreOurs has the kernel keep what it says of nave's own routes: a hundred thousand at once would fill the socket.
func ignoreOurs(fd int) error {
	kind := func(k uint16) uint32 { // as a filter loads it, which takes all for big-endian
		var b [2]byte
		native.PutUint16(b[:], k)
		return uint32(binary.BigEndian.Uint16(b[:]))
	}
	const at = unix.NLMSG_HDRLEN + 5 // rtm_protocol
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, filterOf(
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4}, // nlmsg_type
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: kind(unix.RTM_NEWROUTE), Jt: 1},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: kind(unix.RTM_DELROUTE), Jf: 3},
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: at},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocol, Jf: 1},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	))
}

func filterOf(f ...unix.SockFilter) *unix.SockFprog {
	return &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
}

func (w *RouteWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		deadline := time.Time{}
		if len(w.touched) > 0 {
			deadline = time.Now().Add(tellAfter)
		}
		if w.relist {
			due := time.Now()
			if !w.listed.IsZero() {
				due = w.listed.Add(max(listAfter, w.took*listShare))
			}
			if !due.After(time.Now()) {
				w.list()
				continue
			}
			if deadline.IsZero() || due.Before(deadline) {
				deadline = due
			}
		}
		_ = w.events.file.SetReadDeadline(deadline)
		if w.retell.Swap(false) { // after the deadline was set, as Again sets it after this
			w.forget()
			w.flush(ctx)
			continue
		}
		in, err := w.events.receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.flush(ctx)
		case errors.Is(err, unix.ENOBUFS):
			w.relist = true
		case err != nil:
			if ctx.Err() == nil {
				time.Sleep(tellAfter) // no busy loop, whatever it is
				w.relist = true
			}
		default:
			eachMessage(in, func(kind, flags uint16, _ uint32, body []byte) { w.event(kind, flags, body) })
			if len(w.touched) >= tellMost {
				w.flush(ctx)
			}
		}
	}
}

// event takes what the kernel says.
func (w *RouteWatch) event(kind, flags uint16, body []byte) {
	switch kind {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if !w.m.parse(body) {
			return
		}
		r, ok := w.route()
		switch {
		case !ok:
		case kind == unix.RTM_DELROUTE:
			w.remove(r)
		default:
			w.add(r, flags)
		}
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		w.relist = true
	}
}

// Protocols of the kernel's (linux/rtnetlink.h) whose routes are nobody's wish.
const (
	byRedirect      = 1
	byKernel        = 2
	byAdvertisement = 9
)

// route is the route of the last message; ok is false if it is nave's, or in another table or class of traffic.
func (w *RouteWatch) route() (r otherRoute, ok bool) {
	m := &w.m
	if m.protocol == protocol || m.table != unix.RT_TABLE_MAIN || m.cached || m.tos != 0 {
		return r, false
	}
	silent := m.protocol == byRedirect || m.protocol == byKernel || m.protocol == byAdvertisement
	switch m.kind {
	case unix.RTN_UNICAST, unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT:
	default:
		silent = true
	}
	return otherRoute{metric: m.metric, protocol: m.protocol, kind: m.kind, silent: silent, hops: unique.Make(packHops(m))}, true
}

// add puts the route of the last message where the kernel has put it: in order of the metric, and before those of the same, unless it was appended.
func (w *RouteWatch) add(r otherRoute, flags uint16) {
	p := w.prefixes[w.m.key]
	if p == nil {
		p = new(otherPrefix)
		w.prefixes[w.m.key] = p
	}
	w.touched[w.m.key] = struct{}{}
	if flags&unix.NLM_F_REPLACE != 0 {
		if i := slices.IndexFunc(p.routes, func(o otherRoute) bool { return o.metric == r.metric }); i >= 0 {
			p.routes[i] = r
			return
		}
	}
	if slices.Contains(p.routes, r) { // a list has had it already
		return
	}
	at := slices.IndexFunc(p.routes, func(o otherRoute) bool {
		return o.metric > r.metric || o.metric == r.metric && flags&unix.NLM_F_APPEND == 0
	})
	if at < 0 {
		at = len(p.routes)
	}
	p.routes = slices.Insert(p.routes, at, r)
}

// remove takes a route away: that very one, or else, as a netdev of it may have changed its state meanwhile, the first that is like it.
func (w *RouteWatch) remove(r otherRoute) {
	p := w.prefixes[w.m.key]
	if p == nil {
		return
	}
	at := slices.Index(p.routes, r)
	if at < 0 {
		at = slices.IndexFunc(p.routes, func(o otherRoute) bool { return o.metric == r.metric && o.protocol == r.protocol && o.kind == r.kind })
	}
	if at < 0 {
		return
	}
	p.routes = slices.Delete(p.routes, at, at+1)
	w.touched[w.m.key] = struct{}{}
}

// list looks at the whole table. What was said before is of no use then: if some of that is lost, the rest leads astray.
func (w *RouteWatch) list() {
	started := time.Now()
	w.events.drain()
	var fresh map[routeKey][]otherRoute
	err := w.lists.dumpRoutes(0, func() { fresh = make(map[routeKey][]otherRoute, len(w.prefixes)) }, func(body []byte) {
		if !w.m.parse(body) {
			return
		}
		if r, ok := w.route(); ok {
			fresh[w.m.key] = append(fresh[w.m.key], r)
		}
	})
	w.listed = time.Now()
	w.took = w.listed.Sub(started)
	if err != nil { // it is tried again, by a socket that has nothing left to say of this
		if fresh, err := w.h.openNetlink(routesHold); err == nil {
			w.lists.close()
			w.lists = fresh
		}
		return
	}
	w.relist = false
	for k, p := range w.prefixes {
		routes := fresh[k]
		delete(fresh, k)
		p.routes = routes
		w.touched[k] = struct{}{}
	}
	for k, routes := range fresh {
		w.prefixes[k] = &otherPrefix{routes: routes}
		w.touched[k] = struct{}{}
	}
}

// forget has all told again.
func (w *RouteWatch) forget() {
	for k, p := range w.prefixes {
		w.touched[k] = struct{}{}
		if p.best() != (otherRoute{}) {
			p.told = otherRoute{}
		}
	}
}

// best is the route that is told of a prefix.
func (p *otherPrefix) best() otherRoute {
	for _, r := range p.routes {
		if !r.silent {
			return r
		}
	}
	return otherRoute{}
}

// flush tells what changed.
func (w *RouteWatch) flush(ctx context.Context) {
	var out []OtherRoute
	for k := range w.touched {
		p := w.prefixes[k]
		best := p.best()
		was := p.told
		p.told = best
		if len(p.routes) == 0 {
			delete(w.prefixes, k)
		}
		if best == was {
			continue
		}
		out = append(out, best.describe(k))
		if len(out) == tellMost && ctx.Err() == nil {
			w.tell(out)
			out = nil
		}
	}
	clear(w.touched)
	if len(out) > 0 && ctx.Err() == nil {
		w.tell(out)
	}
}

// describe is a route as it is told.
func (r otherRoute) describe(k routeKey) OtherRoute {
	if r == (otherRoute{}) {
		return OtherRoute{Prefix: k.prefix(), Gone: true}
	}
	out := OtherRoute{Prefix: k.prefix(), Protocol: r.protocol, Metric: r.metric, Discard: r.kind != unix.RTN_UNICAST}
	if !out.Discard {
		out.Hops = unpackHops(r.hops.Value())
	}
	return out
}

// packedHop is the length of a next hop in a string: netdev, share, and gateway or zeros.
const packedHop = 4 + 2 + 4

// packedHead is the length of what is before the hops: scope and source address, which tell routes apart that are else the same.
const packedHead = 1 + 4

// packHops makes a string of the next hops that packets can take.
func packHops(m *routeMessage) string {
	b := make([]byte, packedHead, packedHead+packedHop*8)
	if b[0] = m.scope; m.source.IsValid() {
		source := m.source.As4()
		copy(b[1:], source[:])
	}
	for i := range m.hops {
		h := &m.hops[i]
		if h.dead || h.strange || h.link == 0 {
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(h.link))
		b = binary.BigEndian.AppendUint16(b, uint16(h.weight))
		gateway := [4]byte{}
		if h.gateway.IsValid() {
			gateway = h.gateway.As4()
		}
		b = append(b, gateway[:]...)
	}
	return string(b)
}

func unpackHops(s string) []OtherHop {
	out := make([]OtherHop, 0, len(s)/packedHop)
	for b := []byte(s)[packedHead:]; len(b) >= packedHop; b = b[packedHop:] {
		h := OtherHop{Link: int(binary.BigEndian.Uint32(b)), Weight: int(binary.BigEndian.Uint16(b[4:]))}
		if a := netip.AddrFrom4([4]byte(b[6:])); !a.IsUnspecified() {
			h.Gateway = a
		}
		out = append(out, h)
	}
	return out
}
