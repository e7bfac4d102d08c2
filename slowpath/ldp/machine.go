package ldp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/timers"
)

// Fixed times and bounds of the protocol's running.
const (
	connectWait  = 20 * time.Second      // for TCP
	initWait     = 15 * time.Second      // for the messages that a session begins with
	helloWait    = 5 * time.Second       // an Initialization waits so long for its sender's first Hello
	helloGap     = time.Second           // between Hellos that new neighbors call for
	reconnect    = 5 * time.Second       // after TCP failed
	again        = 50 * time.Millisecond // after the session with a neighbor that has restarted
	steady       = time.Minute           // a session that lasted so long is followed by another at once
	flapMax      = time.Minute           // longest wait after one that did not
	maxStrangers = 64                    // connections whose neighbor is not known yet
	maxAddresses = 4096                  // of a neighbor
	defaultHold  = 15 * time.Second      // of a Hello that leaves it open
	ownMaxPDU    = ldpmsg.DefaultMaxPDU
	leastPeerPDU = 256     // a limit of less means the default
	noLabel      = 1 << 31 // of a prefix that has none
	lastReserved = 15      // of the labels that nobody may give (RFC 7274)
)

// Machine is the LDP of one routing table.
type Machine struct {
	cfg Config
	rng *rand.Rand
	on  bool
	id  ID

	ifaces    map[string]*iface
	neighbors map[ID]*neighbor
	order     []*neighbor // sorted
	sessions  map[Conn]*session
	strangers []*session // accepted, neighbor not known yet, oldest first
	listening map[netip.Addr]bool

	fecs   map[netip.Prefix]*fec
	hops   map[netip.Addr]map[*fec]bool   // whose routes go there
	owners map[netip.Addr][]*neighbor     // who has told that it has the address
	own    map[netip.Addr]map[*iface]bool // addresses of ours that are up

	pool      pool
	starved   map[netip.Prefix]*fec // that there was no label for
	starvedAt timers.Timer
	learned   int // bindings of peers

	timers   timers.Heap
	nextConn Conn
	nextMsg  uint32
	sequence uint32 // of the configuration
	revision uint32 // of local bindings
	drops    [NumDrops]uint64
	// recovered is when what the process before forwarded by serves no more.
	recovered time.Time
	// settled is when labels are told that lead nowhere.
	settled   time.Time
	settledAt timers.Timer

	now   time.Time
	out   []Effect
	dirty []*session // with messages to send
}

// New makes a machine without a configuration.
func New() *Machine { return NewSeeded(rand.Uint64()) }

// NewSeeded is New with a start of the labels that a test can repeat.
func NewSeeded(seed uint64) *Machine {
	m := &Machine{
		rng:       rand.New(rand.NewPCG(seed, 0)),
		ifaces:    map[string]*iface{},
		neighbors: map[ID]*neighbor{}, sessions: map[Conn]*session{}, listening: map[netip.Addr]bool{},
		fecs: map[netip.Prefix]*fec{}, hops: map[netip.Addr]map[*fec]bool{}, owners: map[netip.Addr][]*neighbor{},
		own: map[netip.Addr]map[*iface]bool{}, starved: map[netip.Prefix]*fec{},
	}
	m.starvedAt.Fire = m.feed
	m.settledAt.Fire = m.settle
	m.sequence = m.rng.Uint32() // another than before a restart, so that neighbors know at once that something has changed
	return m
}

func (m *Machine) begin(now time.Time) { m.now, m.out = now, nil }

// end finishes a step: what was written in it leaves in as few PDUs as it fits.
func (m *Machine) end() []Effect {
	for _, s := range m.dirty {
		m.flush(s)
	}
	m.dirty = m.dirty[:0]
	m.hunger()
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// Handle takes an event in and returns what to do, in order.
func (m *Machine) Handle(now time.Time, ev Event) []Effect {
	m.begin(now)
	switch ev := ev.(type) {
	case HelloReceived:
		m.helloReceived(ev)
	case Connected:
		m.connected(ev)
	case Accepted:
		m.accepted(ev)
	case Data:
		if s := m.sessions[ev.Conn]; s != nil && s.state != StateConnecting {
			m.data(s, ev.Bytes)
		}
	case Closed:
		if s := m.sessions[ev.Conn]; s != nil {
			m.finish(s, ended{lost: true})
		}
	case InterfaceState:
		m.interfaceState(ev)
	case Routes:
		m.routes(ev)
	case Inherited:
		m.recovered, m.settled = m.now.Add(keepTime), m.now.Add(settleTime) // interfaces, and what goes with them, may be configured later
		m.timers.Set(&m.settledAt, m.settled)
		for _, l := range ev.Labels {
			m.pool.keep(l.Prefix.Masked(), l.In, m.now)
		}
	case Clear:
		m.clear(ev.Neighbor)
	case Shutdown:
		m.turnOff()
	case Tick:
		m.tick()
	}
	return m.end()
}

// tick does what is due; as many timers at most as there are, so that no step goes on for ever.
func (m *Machine) tick() {
	for n := len(m.timers); n > 0; n-- {
		t := m.timers.Due(m.now)
		if t == nil {
			return
		}
		t.Fire()
	}
}

// Deadline is when to give the next Tick; the zero Time means that nothing is due.
func (m *Machine) Deadline() time.Time {
	return m.timers.Next()
}

func (m *Machine) clear(router netip.Addr) {
	for _, nb := range slices.Clone(m.order) {
		if router.IsValid() && nb.id.LSR != router {
			continue
		}
		if nb.session != nil {
			m.fail(nb.session, ldpmsg.Shutdown)
		}
		nb.refused, nb.flaps = 0, 0
		m.retry(nb, 0)
	}
}
