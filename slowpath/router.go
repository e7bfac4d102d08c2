package slowpath

import (
	crand "crypto/rand"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/label"
	"nave/slowpath/ldp"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/punt"
	"nave/slowpath/reassembly"
	"nave/slowpath/rib"
)

// Engine is the fast path: what a Router needs of fastpath.Engine.
type Engine interface {
	Apply(*fib.Batch) ([]fib.Refusal, error)
	Inject(fastpath.Inject) error
	AdjacencyCount(fib.AdjID) fastpath.Count
	SACount(fib.SAID) (fastpath.SACount, bool)
}

// Linux is the box that a Router runs on. Calls return at once; what they lead to comes back by Neighbour.
type Linux interface {
	rib.Neighbours
	// Resolve has a neighbour looked for.
	Resolve(iface string, addr netip.Addr)
	// Deliver gives the host stack of a VRF an IPv4 packet that came by a tunnel, or, where that is "", by a label. The callee keeps no part of it.
	Deliver(vrf fib.VRF, tunnel string, packet []byte)
	// DeliverFrame gives the host stack an Ethernet frame, without its tag, that came by a subinterface. The callee keeps no part of it.
	DeliverFrame(subinterface string, frame []byte)
	// LDP carries out what LDP wants of sockets: Hello, Listen, Key, Connect, Send, Close. What comes of it is told by Router.LDP.
	LDP(ldp.Effect)
	// Originate tells BGP what this router announces, and no more. What BGP says comes by Router.BGP.
	Originate(announce []bgp.Local, retract []bgp.Key)
	// EIGRP sends a packet of EIGRP (IP protocol 88) from an interface of the VRF.
	EIGRP(vrf fib.VRF, s eigrp.Send)
	// Routes tells which routes are not as they were. Those that nave has learned or is configured with, the box's own programs get as well. The callee keeps no slice in it.
	Routes(changes []rib.Change)
	// SendIKE sends an IKE message from p.Local to p.Remote by UDP; from port 4500 with four zero bytes in front. The callee owns b.
	SendIKE(p ike.Path, b []byte)
	// SendNATKeepalive sends the one byte 0xFF (RFC 3948 section 2.3).
	SendNATKeepalive(p ike.Path)
	// Log takes what an operator may want to know.
	Log(Event)
}

// Event is what an operator may want to know: an nhrp.Log, ike.Log, dmvpn.Log, ldp.Log, bgp.Session, NoLabel or EIGRPLog. It never holds a secret.
type Event interface {
	// About names the kind of event.
	About() string
}

// Router is the control plane of one box.
type Router struct {
	engine     Engine
	linux      Linux
	rib        *rib.RIB
	nhrp       *nhrp.Machine
	ike        *ike.Machine
	sessions   *dmvpn.Machine
	todo       []any // events for the protocols
	outbox     outbox
	police     *punt.Police
	fragments  *reassembly.Buffer
	held       held
	ports      map[fib.PortID]string
	tunnels    map[fib.TunnelID]string
	vrfs       map[fib.VRF]string // all but the global table
	quiet      map[string]bool    // interfaces with `no ip unreachables`
	now        time.Time
	moves      uint64 // of the RIB, when NHRP was last told
	nextSweep  time.Time
	lastGroups time.Time
	lastTooBig time.Time
	used       map[fib.AdjID]uint64 // packets, at the last sweep
	counted    counted
	pathMTU    map[tunnelPeer]pathMTU
	ident      uint16
	stats      Stats
	stepFailed error
	takeover   *takeover // nil: nothing was inherited, or all of it has found its place
	env        *ike.Env
	outlived   map[fib.SAID]uint32 // inbound SPIs of inherited associations
	labels     labelling
	pool       *label.Pool // BGP's labels
	border     border
	eigrp      eigrpTables
	kernel     shared
	behind     bool // the protocols have not followed all that they changed themselves
	debug      debugging
}

// Stats counts what the Router did with packets.
type Stats struct {
	Delivered    uint64 // to the host stack
	NotLocal     uint64 // for us by a port, though steering gives those to the kernel: dropped
	ICMPErrors   uint64 // sent
	Held         uint64 // packets that waited for a next hop
	HeldLost     uint64 // of those, dropped
	NHRPSent     uint64
	NHRPLost     uint64 // could not be handed to the fast path
	InjectFailed uint64

	EIGRPMalformed uint64 // packets of EIGRP without a whole header
	EIGRPForNobody uint64 // packets of EIGRP for an AS that no process here has, or by an interface of another table
}

// groupsEvery is the least time between two writings of replication lists: a list is written as a whole, and thousands
// of peers may register at once.
const groupsEvery = 50 * time.Millisecond

// maxRefusals is how often a step looks at what the fast path refused: what takes the place of one session may be refused too.
const maxRefusals = 4

// New makes a Router without interfaces.
func New(e Engine, l Linux) *Router { return newRouter(e, l, crand.Reader, rand.Uint64()) }

// NewSeeded is New with jitter, nonces and keys that a test can repeat: never for use outside of one.
func NewSeeded(e Engine, l Linux, seed uint64) *Router {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return newRouter(e, l, rand.NewChaCha8(key), seed)
}

func newRouter(e Engine, l Linux, random io.Reader, seed uint64) *Router {
	r := &Router{
		engine: e, linux: l, police: punt.NewPolice(), fragments: reassembly.New(), held: newHeld(),
		ports: make(map[fib.PortID]string), tunnels: make(map[fib.TunnelID]string), quiet: make(map[string]bool),
		used: make(map[fib.AdjID]uint64), pathMTU: make(map[tunnelPeer]pathMTU), counted: make(counted),
	}
	r.env = ike.NewEnv(random, seed)
	r.ike = newIKE(r.env)
	r.sessions = dmvpn.New(seed)
	r.env.Outlives = r.sessions.Outlives
	r.rib = rib.New(e.Apply, l)
	r.nhrp = nhrp.NewSeeded(routes{r}, seed)
	r.labels, r.pool = newLabelling(seed), label.NewSeeded(seed)
	r.border = newBorder(r.pool)
	r.eigrp, r.kernel = newEIGRP(seed), newShared()
	return r
}

// At sets the time of the steps that follow: call it before each.
func (r *Router) At(now time.Time) *Router {
	r.now = now
	return r
}

// step runs f, then brings the protocols, the fast path and Linux up to date with what f changed.
func (r *Router) step(f func()) error {
	f()
	r.work()
	if r.rib.GroupsWait() && r.now.Sub(r.lastGroups) >= groupsEvery {
		r.lastGroups = r.now
		r.rib.FlushGroups()
	}
	err := r.rib.Flush()
	if e := r.followRoutes(); err == nil {
		err = e
	}
	if m := r.rib.Moves(); m != r.moves {
		r.moves = m
		r.tell(nhrp.RoutesChanged{})
		r.work()
		if e := r.rib.Flush(); err == nil {
			err = e
		}
	}
	for again := 0; again < maxRefusals && r.refuse(); again++ {
		if e := r.rib.Flush(); err == nil {
			err = e
		}
	}
	r.sendOutbox()
	r.sendLDP()
	r.sendEIGRP()
	r.sendBGP()
	r.releaseHeld()
	if err != nil {
		r.stepFailed = err
	}
	return err
}

// Tick does what is due.
func (r *Router) Tick(now time.Time) {
	r.now = now
	_ = r.step(func() {
		if d := r.nhrp.Deadline(); !d.IsZero() && !d.After(now) {
			r.carryOut(r.nhrp.Handle(now, nhrp.Tick{}))
		}
		if d := r.sessions.Deadline(); !d.IsZero() && !d.After(now) {
			r.tell(dmvpn.Tick{})
		}
		if d := r.ike.Deadline(); !d.IsZero() && !d.After(now) {
			r.tell(ike.Tick{})
		}
		r.tickMPLS(now)
		r.tickEIGRP()
		r.fragments.Tick(now)
		r.expireHeld()
		r.endTakeover()
		if !r.nextSweep.After(now) {
			r.sweep()
			r.nextSweep = now.Add(sweepEvery)
		}
	}) // an error stands in Status
}

// Deadline is when Tick is wanted.
func (r *Router) Deadline() time.Time {
	d := r.nextSweep
	if g := r.lastGroups.Add(groupsEvery); r.rib.GroupsWait() && (d.IsZero() || g.Before(d)) {
		d = g
	}
	if g := r.now.Add(followAgain); r.behind && (d.IsZero() || g.Before(d)) {
		d = g
	}
	for _, t := range []time.Time{
		r.takeover.deadline(), r.nhrp.Deadline(), r.ike.Deadline(), r.sessions.Deadline(), r.fragments.Deadline(), r.held.deadline(), r.labels.ldp.Deadline(),
		r.border.deadline(), r.eigrp.deadline(),
	} {
		if !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	return d
}

// Neighbour says that a host on a link has this MAC address, or (ok false) that it is not known any more.
func (r *Router) Neighbour(iface string, addr netip.Addr, mac [6]byte, ok bool) {
	_ = r.step(func() {
		r.rib.Neighbour(iface, addr, mac, ok)
		r.takeover.confirm(nextHop{iface, addr})
		if ok {
			r.held.ready(nextHop{iface, addr})
		}
	})
}

// Clear takes down NHRP entries and the sessions that stand on them. With Static it takes down the sessions of static entries too, which then
// begin again.
func (r *Router) Clear(c nhrp.Clear) {
	_ = r.step(func() {
		var at []nbma.Address
		if c.Sessions && c.Tunnel.IsValid() {
			at = r.nhrp.Places(c.Which) // they are known by their entries
		}
		r.tell(c)
		r.work() // what is not wanted any more is known to the sessions
		ifaces := []string{c.Iface}
		if c.InVRF {
			ifaces = r.nhrp.Selected(c.Which)
		}
		for _, name := range ifaces {
			r.reset(c, name, at)
		}
	})
}

// reset takes the sessions of a tunnel down whose entries were cleared. The peer has to hear of it: it would go on with a session by which nothing comes back to
// it, and register again only when its registration is due.
func (r *Router) reset(c nhrp.Clear, iface string, at []nbma.Address) {
	if c.Sessions && !c.Tunnel.IsValid() {
		r.tell(dmvpn.Reset{Iface: iface, NBMA: c.NBMA, Inside: c.Inside, Unwanted: true})
	}
	for _, a := range at {
		r.tell(dmvpn.Reset{Iface: iface, NBMA: a.Addr, Inside: a.Inside, Unwanted: true})
	}
	if c.Static && !c.Protocol.IsValid() && !c.Tunnel.IsValid() { // sessions of who is named by a tunnel address begin again by NHRP's word
		r.tell(dmvpn.Reset{Iface: iface, NBMA: c.NBMA, Inside: c.Inside})
	}
}

// ClearStatistics zeroes NHRP counters.
func (r *Router) ClearStatistics(c nhrp.ClearStatistics) {
	_ = r.step(func() { r.carryOut(r.nhrp.Handle(r.now, c)) })
}

// routes is the RIB as NHRP sees it.
type routes struct{ r *Router }

// Lookup implements nhrp.Routes.
func (s routes) Lookup(iface string, dst netip.Addr) (nhrp.Route, bool) {
	i, ok := s.r.rib.Interface(iface)
	if !ok {
		return nhrp.Route{}, false
	}
	found, ok := s.r.rib.Lookup(i.VRF, dst)
	if !ok {
		return nhrp.Route{}, false
	}
	out := nhrp.Route{Prefix: found.Prefix, Local: found.Source == rib.Local}
	if len(found.Hops) > 0 {
		out.Iface, out.NextHop = found.Hops[0].Iface, found.Hops[0].Addr
	}
	return out, true
}
