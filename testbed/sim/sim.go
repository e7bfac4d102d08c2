package sim

import (
	"container/heap"
	"hash/crc64"
	"math/rand/v2"
	"testing"
	"time"

	"nave/fastpath/port"
)

// epoch is when every simulation begins.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

var crcTable = crc64.MakeTable(crc64.ECMA)

// timer is the port of an event that is no frame.
const timer = -1

// element is something that links end at.
type element interface {
	// step does what is due; frames have arrived at a port, or a timer has run out.
	step(port int)
	// answers is the MAC address that an ARP request for addr at a port is answered with; vlan is the tag of its frame, 0 for none.
	answers(port int, vlan uint16, addr [4]byte) (mac [6]byte, ok bool)
	// linkChanged tells that a link went down or came up.
	linkChanged(port int)
	called() string
}

// event is something that happens at a time.
type event struct {
	at   int64
	seq  uint64
	el   element
	port int
	do   func()
}

type events []event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}

// Net is a network in virtual time. It belongs to one goroutine.
type Net struct {
	t        testing.TB
	rng      *rand.Rand
	now      int64 // nanoseconds since epoch
	events   events
	seq      uint64
	elements map[string]element
	order    []element
	links    []*Link
	pool     *port.Pool // of hosts and the internet
	macs     uint32
	taps     []func(Crossing)
	digest   uint64
	probes   map[uint16]*probe
	lastSeq  uint16
}

// Crossing is a frame that goes over a link.
type Crossing struct {
	At       time.Time
	Link     *Link
	From, To string
	Frame    []byte // is valid until the tap returns
	Lost     bool
}

// New makes an empty network. Whatever happens by chance in it is decided by seed.
func New(t testing.TB, seed uint64) *Net {
	t.Helper()
	n := &Net{
		t: t, rng: rand.New(rand.NewPCG(seed, 0x6e617665)), elements: make(map[string]element), probes: make(map[uint16]*probe),
		pool: port.NewPool(make([]byte, 4096*chunk), chunk),
	}
	t.Cleanup(func() {
		for _, e := range n.order {
			if r, ok := e.(*Router); ok {
				r.Stop()
			}
		}
	})
	return n
}

const chunk = 2048 // bytes of a frame's memory

// Now is the time in the simulation.
func (n *Net) Now() time.Time { return epoch.Add(time.Duration(n.now)) }

// Digest stands for all that has crossed links so far, and when: two runs of equal digest were the same.
func (n *Net) Digest() uint64 { return n.digest }

// Tap has f see each frame that a link takes.
func (n *Net) Tap(f func(Crossing)) { n.taps = append(n.taps, f) }

func (n *Net) add(e element) {
	if _, dup := n.elements[e.called()]; dup {
		n.t.Fatalf("sim: two nodes are called %s", e.called())
	}
	n.elements[e.called()] = e
	n.order = append(n.order, e)
}

// at schedules an event; what is past happens now.
func (n *Net) at(when int64, e event) {
	n.seq++
	e.at, e.seq = max(when, n.now), n.seq
	heap.Push(&n.events, e)
}

// After runs f when d has passed.
func (n *Net) After(d time.Duration, f func()) { n.at(n.now+int64(d), event{do: f}) }

// Run lets time pass.
func (n *Net) Run(d time.Duration) { n.run(n.now+int64(d), nil) }

// run handles events up to a time, or until stop says so.
func (n *Net) run(end int64, stop func() bool) {
	n.startRouters()
	for len(n.events) > 0 && n.events[0].at <= end {
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		if e.do != nil {
			e.do()
		} else {
			e.el.step(e.port)
		}
		if stop != nil && stop() {
			return
		}
	}
	n.now = end
}

// Until lets time pass until a condition holds, which is looked at ten times a second, and ends the test when limit has
// passed without.
func (n *Net) Until(limit time.Duration, what string, holds func() bool) {
	n.t.Helper()
	n.startRouters()
	for end := n.now + int64(limit); !holds(); n.run(min(end, n.now+int64(100*time.Millisecond)), nil) {
		if n.now >= end {
			n.t.Fatalf("after %v: not yet: %s", limit, what)
		}
	}
}

// crossed notes a frame for the digest, for probes and for taps.
func (n *Net) crossed(c Crossing) {
	h := crc64.Update(n.digest, crcTable, []byte(c.From+c.To+c.At.Format(time.RFC3339Nano)))
	n.digest = crc64.Update(h, crcTable, c.Frame)
	if !c.Lost && len(n.probes) > 0 {
		n.follow(c)
	}
	for _, f := range n.taps {
		f(c)
	}
}

func (n *Net) newMAC() [6]byte {
	n.macs++
	return [6]byte{2, 0, 0, byte(n.macs >> 16), byte(n.macs >> 8), byte(n.macs)}
}
