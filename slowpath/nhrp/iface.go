package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// iface is a tunnel interface at work.
type iface struct {
	cfg      Interface
	net      network
	self     netip.Addr
	public   netip.Addr // our NBMA address as an NHS sees it; the zero Addr where it does not differ
	cache    map[netip.Prefix]*entry
	peers    map[nbma.Address]*peer
	nhs      []*nhs
	pending  map[netip.Addr]*pending // by destination
	answered map[answerKey]*answer
	purges   map[uint32]*purge // by request id
	pairs    map[pair]time.Time
	static   []*peer // held for `ip nhrp map multicast`
	election timer
	quota    bucket
	errors   bucket
	openings bucket
	unopened map[nbma.Address]unopened
	traffic  Traffic
	quotaLog time.Time  // no more than one line before it
	fullLog  time.Time  // the same, for a full cache
	done     [16]uint32 // ids of the last resolution requests, to know a late reply by
	doneAt   int
}

func newIface(cfg Interface) *iface {
	return &iface{
		cfg: cfg, net: network{cfg.VRF, cfg.NetworkID}, self: cfg.Address.Addr(),
		cache: map[netip.Prefix]*entry{}, peers: map[nbma.Address]*peer{}, pending: map[netip.Addr]*pending{},
		answered: map[answerKey]*answer{}, purges: map[uint32]*purge{}, pairs: map[pair]time.Time{},
	}
}

// p2p tells point-to-point GRE: one peer, nothing to shortcut.
func (ifc *iface) p2p() bool { return ifc.cfg.Destination.IsValid() }

// drop counts a packet that was not taken, answered or sent.
func (m *Machine) drop(ifc *iface, r DropReason) {
	ifc.traffic.Drops[r]++
	if m.tracing&(trace.NHRPError|trace.NHRPRate) != 0 {
		m.traceDrop(ifc, r)
	}
}

// expire elects anew: a better NHS has answered long enough.
func (ifc *iface) expire(m *Machine) { m.elect(ifc) }

// peer is who is at an NBMA address of an interface and what is there to reach it.
type peer struct {
	ifc      *iface
	at       nbma.Address
	refs     int // entries, servers and lists that use it
	entries  []*entry
	ready    bool
	ipsec    bool      // not ready, but IKE is done
	identity string    // of whom the session was up with last; "": not known
	since    time.Time // of ready; the zero Time: never was
	lastUsed time.Time
	mcast    int // reasons to replicate to it
	queue    []nhrpmsg.Message
	sent     uint64
	received uint64
}

// hold finds or makes the peer, for one more user.
func (m *Machine) hold(ifc *iface, at nbma.Address) *peer {
	p := ifc.peers[at]
	if p == nil {
		p = &peer{ifc: ifc, at: at}
		ifc.peers[at] = p
		if ifc.cfg.Protected {
			m.emit(PeerWanted{ifc.cfg.Name, at})
		} else {
			p.ready, p.since = true, m.now
		}
	}
	p.refs++
	return p
}

// release is for hold.
func (m *Machine) release(p *peer) {
	p.refs--
	if p.refs > 0 {
		return
	}
	delete(p.ifc.peers, p.at)
	if p.ifc.cfg.Protected {
		m.emit(PeerReleased{p.ifc.cfg.Name, p.at})
	}
}

// replicate adds a reason to send multicast to the peer, or takes one away.
func (m *Machine) replicate(p *peer, delta int) {
	before := p.mcast
	p.mcast += delta
	if p.ready && (before > 0) != (p.mcast > 0) {
		m.emit(Multicast{p.ifc.cfg.Name, p.at, p.mcast > 0})
	}
}

// peerState takes in that a session came up or went down.
func (m *Machine) peerState(ev PeerState) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil || !ifc.cfg.Protected {
		return
	}
	p := ifc.peers[ev.NBMA]
	if p == nil {
		return
	}
	p.ipsec = ev.IPsec
	if ev.Up && ev.Identity != "" {
		p.identity = ev.Identity
		m.forgetOthers(p)
		if ifc.peers[ev.NBMA] != p {
			return // nobody else uses it
		}
	}
	if p.ready != ev.Up {
		m.setReady(p, ev.Up)
	}
}

// forgetOthers removes the clients that were at a peer where somebody else is now: who comes after them must not have their traffic.
func (m *Machine) forgetOthers(p *peer) {
	for _, e := range slices.Clone(p.entries) {
		if e.kind == kRegistered && e.identity != "" && e.identity != p.identity {
			m.remove(e)
		}
	}
}

func (m *Machine) setReady(p *peer, up bool) {
	p.ready, p.since = up, m.now
	if m.tracing&trace.NHRPDetail != 0 {
		m.tell(p.ifc, Trace{Kind: TraceSession, NBMA: p.at, Protocol: p.tunnel(), Up: up})
	}
	if p.mcast > 0 {
		m.emit(Multicast{p.ifc.cfg.Name, p.at, up})
	}
	if !up {
		p.queue = nil
		// Spoke-to-spoke entries go with their session and are resolved again when wanted; the rest waits for it.
		for _, e := range slices.Clone(p.entries) {
			if e.kind.direct() {
				m.remove(e)
			}
		}
	}
	for _, e := range sortedHostsFirst(p.entries, up) {
		m.sync(e)
	}
	for _, n := range p.ifc.nhs {
		if n.peer == p {
			m.nhsSession(n, up)
		}
	}
	for _, q := range p.queue {
		m.send(p.ifc, p.at, q)
	}
	p.queue = nil
}

// peerMoved takes what is known of a peer along to another address. Who was told the old one must ask again.
func (m *Machine) peerMoved(ev PeerMoved) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil || !ifc.cfg.Protected || !unicast(ev.To.Addr) || m.isOwnNBMA(ev.To.Addr) || ev.From == ev.To {
		return
	}
	from := ifc.peers[ev.From]
	if from == nil {
		return
	}
	for _, e := range sortedHostsFirst(from.entries, true) {
		if ifc.cache[e.prefix] != e || e.peer != from || e.kind.configured() {
			continue
		}
		to := m.hold(ifc, ev.To)
		if !to.ready && from.ready {
			to.since, to.lastUsed = from.since, from.lastUsed
			m.setReady(to, true)
			to.since = from.since
		}
		m.attach(e, ev.To)
		m.release(to)
		m.sync(e)
		if e.kind == kRegistered {
			m.purgeClient(e)
		}
	}
}

// sortedHostsFirst puts next hops before the routes by them (behind, when they go).
func sortedHostsFirst(es []*entry, first bool) []*entry {
	out := slices.Clone(es)
	slices.SortStableFunc(out, func(a, b *entry) int {
		if d := b.prefix.Bits() - a.prefix.Bits(); first {
			return d
		} else {
			return -d
		}
	})
	return out
}

// used notes that traffic goes to a peer.
func (m *Machine) used(ev Used) {
	ifc := m.ifaces[ev.Iface]
	if ifc == nil {
		return
	}
	p := ifc.peers[ev.NBMA]
	if p == nil {
		return
	}
	p.lastUsed = m.now
	for _, e := range slices.Clone(p.entries) {
		if e.kind.direct() && !e.refreshAt.IsZero() && !m.now.Before(e.refreshAt) {
			m.schedule(e)
		}
	}
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	last   time.Time
}

// take takes a token from a bucket of size tokens that fills in the interval given.
func (b *bucket) take(now time.Time, size int, fill time.Duration) bool {
	b.refill(now, size, fill)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (b *bucket) refill(now time.Time, size int, fill time.Duration) {
	if b.last.IsZero() {
		b.tokens = float64(size)
	} else if d := now.Sub(b.last); d > 0 {
		b.tokens = min(float64(size), b.tokens+float64(size)*float64(d)/float64(fill))
	}
	b.tokens = min(b.tokens, float64(size))
	b.last = now
}
