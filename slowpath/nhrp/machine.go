package nhrp

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// Fixed times and bounds of the protocol's running.
const (
	retryFirst   = time.Second // doubled each time
	retryMax     = 64 * time.Second
	nhsMisses    = 3 // unanswered registrations after which an NHS counts as down
	resolveTries = 5
	purgeTries   = 3
	negativeHold = 60 * time.Second  // a destination that could not be resolved is not asked for again so long
	refreshLead  = 120 * time.Second // entries in use are resolved again so long before they expire, or a quarter of their life
	queuePerPeer = 4                 // packets waiting for a session
	maxPairs     = 4096              // of addresses under redirect's rate limit, an interface
	maxPacket    = 1476              // bytes of an NHRP packet that we send: GRE does not fragment it
	errorBurst   = 20                // error indications at once, an interface
	errorEvery   = 500 * time.Millisecond
	replyHops    = 255
	fullLogEvery = 10 * time.Second
)

// Machine is the NHRP of one box, with all of its interfaces.
type Machine struct {
	env        Routes
	rng        *rand.Rand
	maxEntries int
	ifaces     map[string]*iface
	order      []*iface
	timers     timers
	nextID     uint32
	dynamic    int // entries that count against maxEntries
	answers    int // answered records, counted the same
	unknown    uint64
	now        time.Time // of the step that is under way
	out        []Effect
	tracing    trace.Topics // what is told by Trace
	about      about        // the packet that is under way in the step
}

// network is what `ip nhrp network-id` ties together.
type network struct {
	vrf string
	id  uint32
}

// New makes a machine without interfaces.
func New(env Routes) *Machine { return NewSeeded(env, rand.Uint64()) }

// NewSeeded is New with jitter that a test can repeat.
func NewSeeded(env Routes, seed uint64) *Machine {
	return &Machine{env: env, rng: rand.New(rand.NewPCG(seed, 0)), ifaces: map[string]*iface{}, maxEntries: DefaultMaxEntries}
}

// begin starts a step.
func (m *Machine) begin(now time.Time) {
	if m.nextID == 0 {
		// Ids go on across a restart, as fewer than one a second are used on average.
		m.nextID = uint32(now.Unix())
	}
	m.now = now
	m.out = nil
	m.about = about{}
}

// end finishes a step.
func (m *Machine) end() []Effect {
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// Handle takes an event in and returns what to do, in order.
func (m *Machine) Handle(now time.Time, ev Event) []Effect {
	m.begin(now)
	switch ev := ev.(type) {
	case Received:
		m.receive(ev)
	case Unresolved:
		m.unresolved(ev)
	case RedirectWanted:
		m.redirectWanted(ev)
	case Used:
		m.used(ev)
	case PeerState:
		m.peerState(ev)
	case Unopened:
		m.unopenedPath(ev)
	case PeerMoved:
		m.peerMoved(ev)
	case RoutesChanged:
		m.routesChanged()
	case Inherited:
		m.inherit(ev)
	case Clear:
		m.clear(ev)
	case ClearStatistics:
		m.clearStatistics(ev)
	case Tick:
		m.tick()
	}
	return m.end()
}

// tick does what is due; each timer once at most, so that no step goes on for ever.
func (m *Machine) tick() {
	for n := len(m.timers); n > 0; n-- {
		t := m.timers.due(m.now)
		if t == nil {
			return
		}
		t.owner.expire(m)
	}
}

// Deadline is when to give the next Tick; the zero Time means that nothing is due.
func (m *Machine) Deadline() time.Time {
	if len(m.timers) == 0 {
		return time.Time{}
	}
	return m.timers[0].at
}

func (m *Machine) newID() uint32 {
	m.nextID++
	if m.nextID == 0 {
		m.nextID = 1
	}
	return m.nextID
}

// backoff is the wait after the n-th try, from 0: 1, 2, 4 ... 64 s, less up to a quarter by chance.
func (m *Machine) backoff(n int) time.Duration {
	d := retryMax
	if n < 6 {
		d = retryFirst << n
	}
	return m.jitter(d)
}

func (m *Machine) jitter(d time.Duration) time.Duration {
	return d - time.Duration(m.rng.Int64N(int64(d)/4+1))
}

// sameNetwork are the interfaces of a network, f.i. the two tunnels of a spoke with two hubs.
func (m *Machine) sameNetwork(n network, yield func(*iface) bool) {
	for _, ifc := range m.order {
		if ifc.net == n && !yield(ifc) {
			return
		}
	}
}

// isSelf tells whether a is a tunnel address of ours on the interface's network.
func (m *Machine) isSelf(ifc *iface, a netip.Addr) (self bool) {
	m.sameNetwork(ifc.net, func(i *iface) bool {
		self = self || i.self == a
		return !self
	})
	return self
}

// belongs tells whether an address is in a subnet of the interface's network.
func (m *Machine) belongs(ifc *iface, a netip.Addr) (ok bool) {
	m.sameNetwork(ifc.net, func(i *iface) bool {
		ok = ok || i.cfg.onTunnel(a)
		return !ok
	})
	return ok
}

// isOwnNBMA tells whether a is one of our tunnel sources.
func (m *Machine) isOwnNBMA(a netip.Addr) bool {
	for _, i := range m.order {
		if i.cfg.NBMA == a {
			return true
		}
	}
	return false
}

// findHost finds the entry of a host on any interface of the network, the given one first. A static map may cover more.
func (m *Machine) findHost(ifc *iface, a netip.Addr) *entry {
	found := ifc.find(a)
	m.sameNetwork(ifc.net, func(i *iface) bool {
		if found == nil {
			found = i.find(a)
		}
		return found == nil
	})
	return found
}

func (ifc *iface) find(a netip.Addr) *entry {
	if e := ifc.cache[host(a)]; e != nil && e.peer != nil {
		return e
	}
	for _, mp := range ifc.cfg.Maps {
		if mp.Protocol.Contains(a) && !mp.Protocol.IsSingleIP() {
			return ifc.cache[mp.Protocol.Masked()]
		}
	}
	return nil
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// unicast tells addresses that a node can have.
func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !(a.Is4() && a.As4()[0] == 0)
}

// seconds is a holding time as it goes on the wire.
func seconds(d time.Duration) uint16 {
	return uint16(min(max(d, 0), MaxHoldTime) / time.Second)
}

// message starts a packet of ours.
func (ifc *iface) message(t nhrpmsg.Type, dst netip.Addr) nhrpmsg.Message {
	return nhrpmsg.Message{
		Family: nhrpmsg.FamilyOf(ifc.cfg.NBMA), Protocol: nhrpmsg.ProtocolOf(ifc.self), HopCount: replyHops, Type: t,
		SrcNBMA: ifc.cfg.NBMA, SrcProto: ifc.self, DstProto: dst,
	}
}
