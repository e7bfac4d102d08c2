package eigrp

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/timers"
)

// Fixed times and bounds of the protocol's running.
const (
	firstRTO     = 2 * time.Second // to a neighbor whose round trip is not known
	leastRTO     = 200 * time.Millisecond
	mostRTO      = 5 * time.Second
	maxRetries   = 16
	flushGap     = 100 * time.Millisecond // between packets of changes by an interface, so that one holds many
	maxQueue     = 1 << 13                // packets for a neighbor that does not acknowledge
	maxAsked     = 1 << 16                // prefixes that a neighbor asks for before it is answered
	maxExcluded  = 200                    // addresses in the list of who is not to take a multicast
	fewNeighbors = 16                     // of an interface: changes do not wait until all can take them at the same time
	fifoLimit    = 30 * time.Second       // that they wait at most for packets that are not sent yet, and for tables
	busyLimit    = 5 * time.Second        // that changes wait at most where there are more
	leastReady   = 2                      // neighbors that a multicast with such a list is worth it for
	maxSIA       = 3                      // SIA-Queries in a row that an SIA-Reply is good for
	longestRoute = 4 + 32 + 20 + 4 + 5    // bytes of a TLV of ours
	leastPacket  = 128                    // bytes, whatever the MTU says
	largestFrame = 1500
	helloGap     = time.Second // between Hellos that new neighbors call for
)

// Machine is the EIGRP of one routing table and AS.
type Machine struct {
	cfg  Config
	rng  *rand.Rand
	hash maphash.Seed
	on   bool

	ifaces  map[string]*iface
	order   []*iface // sorted
	entries map[netip.Prefix]*entry
	active  int // entries that are
	paths   int // of neighbors
	nbrs    int

	summaries map[netip.Prefix]*summary
	externals map[netip.Prefix]ExternalRoute

	begun        bool // has been configured to be on
	restarting   bool
	awaiting     bool // what other protocols have
	regaining    bool // our restart is over, but not all know our table
	restartBegan time.Time
	restartTimer timers.Timer

	timers   timers.Heap
	sequence uint32
	slots    int // of interfaces, given so far
	traffic  Traffic
	logged   map[Log]time.Time

	now       time.Time
	out       []Effect
	toFlush   []*iface
	toAck     []*neighbor
	toReply   []*neighbor
	dirty     map[*summary]bool
	dirtyList []*summary
}

// New makes a machine without a configuration. Sequence numbers start at a random place.
func New() *Machine { return NewSeeded(rand.Uint64()) }

// NewSeeded is New with what is random fixed.
func NewSeeded(seed uint64) *Machine {
	rng := rand.New(rand.NewPCG(seed, 0))
	return &Machine{
		rng: rng, hash: maphash.MakeSeed(), sequence: rng.Uint32()>>8 + 1, ifaces: map[string]*iface{}, entries: map[netip.Prefix]*entry{},
		summaries: map[netip.Prefix]*summary{}, externals: map[netip.Prefix]ExternalRoute{}, dirty: map[*summary]bool{}, logged: map[Log]time.Time{},
	}
}

// Configure sets what the machine runs by. Neighbors stay where what they depend on is as it was.
func (m *Machine) Configure(now time.Time, c Config) []Effect {
	m.begin(now)
	c = c.withDefaults()
	old := m.cfg
	if m.on && (c.AS != old.AS || c.K != old.K || c.Wide != old.Wide || c.RouterID != old.RouterID || c.AS == 0 || stubOf(c) != stubOf(old)) {
		why := Reconfigured
		if c.AS == 0 {
			why = ShutDown
		}
		m.turnOff(why)
	}
	m.cfg = c
	m.on = c.AS != 0
	if m.on && !m.begun {
		m.begun = true
		if c.Restarting {
			m.beginRestart()
		}
	}
	seen := map[string]bool{}
	for _, f := range c.Interfaces {
		ifc := m.ifaceOf(f.Name)
		seen[f.Name] = true
		m.configureIface(ifc, f)
	}
	for _, ifc := range m.order {
		if !seen[ifc.name] && ifc.enabled {
			ifc.enabled = false
			m.stopIface(ifc, Reconfigured)
			m.refresh(ifc)
		}
	}
	if m.on {
		for _, p := range sortedPrefixes(m.externals) {
			m.takeExternal(m.externals[p])
		}
	}
	m.configureSummaries()
	m.reevaluate(!sameTelling(&old, &c))
	return m.end()
}

// stubOf is what neighbors are told of being a stub.
func stubOf(c Config) int {
	if !c.Stub.Enabled {
		return -1
	}
	return int(c.Stub.flags())
}

// Handle does one step.
func (m *Machine) Handle(now time.Time, ev Event) []Effect {
	m.begin(now)
	switch ev := ev.(type) {
	case PacketReceived:
		m.receive(ev)
	case InterfaceState:
		m.interfaceState(ev)
	case Redistributed:
		m.redistribute(ev)
	case Complete:
		m.awaiting = false
	case Clear:
		for _, ifc := range m.order {
			for _, n := range slices.Clone(ifc.nbrs) {
				if (ev.Iface == "" || ev.Iface == ifc.name) && (!ev.Neighbor.IsValid() || ev.Neighbor == n.addr) {
					m.terminate(n)
					m.down(n, Cleared)
				}
			}
		}
	case Leave:
		if ifc := m.ifaces[ev.Iface]; ifc != nil {
			m.hush(ifc, InterfaceDown)
		}
	case Shutdown:
		m.turnOff(ShutDown)
		m.on = false
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

func (m *Machine) begin(now time.Time) { m.now, m.out = now, nil }

// end does what is done once for all that a step brought.
func (m *Machine) end() []Effect {
	m.settleSummaries()
	if !m.restarting {
		for _, n := range m.toReply {
			m.sendReplies(n)
		}
		m.toReply = m.toReply[:0]
	}
	for i := 0; i < len(m.toFlush); i++ {
		m.toFlush[i].wantsFlush = false
		m.flush(m.toFlush[i])
	}
	m.toFlush = m.toFlush[:0]
	for _, n := range m.toAck {
		if n.needAck && !n.gone {
			m.sendAck(n)
		}
		n.ackListed = false
	}
	m.toAck = m.toAck[:0]
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

// log says something, but the same of a peer's misbehaviour not more than once in a minute.
func (m *Machine) log(l Log) {
	if l.Kind > LogStuckInActive && l.Kind != LogNeighborResync {
		if at, ok := m.logged[l]; ok && m.now.Sub(at) < time.Minute {
			return
		}
		if len(m.logged) > 1<<10 {
			clear(m.logged)
		}
		m.logged[l] = m.now
	}
	m.do(l)
}

// turnOff ends all, and forgets all that was learned.
func (m *Machine) turnOff(why Reason) {
	m.stopRestart()
	for _, ifc := range m.order {
		ifc.enabled = false
		m.stopIface(ifc, why)
	}
	for _, p := range sortedPrefixes(m.entries) {
		e := m.entries[p]
		m.timers.Stop(&e.sia)
		if e.installed != nil {
			m.do(RouteGone{p})
		}
	}
	clear(m.entries)
	clear(m.summaries)
	clear(m.dirty)
	m.dirtyList = nil
	m.active = 0
}

func (m *Machine) ifaceOf(name string) *iface {
	ifc := m.ifaces[name]
	if ifc == nil {
		ifc = &iface{name: name, slot: m.slots, byAddr: map[netip.Addr]*neighbor{}, have: map[netip.Prefix]*path{}, pending: map[netip.Prefix]int{}}
		ifc.helloTimer.Fire = func() { m.helloDue(ifc) }
		ifc.flushTimer.Fire = func() { m.wantFlush(ifc) }
		ifc.paceTimer.Fire = func() { m.drain(ifc) }
		ifc.joinTimer.Fire = func() { m.join(ifc) }
		m.slots++
		m.ifaces[name] = ifc
		at, _ := slices.BinarySearchFunc(m.order, name, func(i *iface, name string) int { return cmp.Compare(i.name, name) })
		m.order = slices.Insert(slices.Clone(m.order), at, ifc)
	}
	return ifc
}

func sortedPrefixes[V any](of map[netip.Prefix]V) []netip.Prefix {
	return slices.SortedFunc(maps.Keys(of), netip.Prefix.Compare)
}

// reevaluate looks at all routes again, as what they are judged by may have changed; and tells of all again, if what is told may have.
func (m *Machine) reevaluate(tell bool) {
	if !m.on {
		return
	}
	for _, p := range sortedPrefixes(m.entries) {
		if e := m.entries[p]; e != nil {
			for _, path := range e.paths {
				m.measure(e, path)
			}
			m.evaluate(e, nil)
			if tell {
				m.pendAll(e)
			}
		}
	}
}
