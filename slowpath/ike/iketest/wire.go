package iketest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
)

// Flight is a packet on its way.
type Flight[E ike.Engine] struct {
	at     time.Time
	to     *Node[E]
	path   ike.Path
	packet []byte // nil: one of the traffic that is protected, by spi
	spi    uint32
	seq    int
}

// Wire joins two nodes in virtual time.
type Wire[E ike.Engine] struct {
	T       *testing.T
	Now     time.Time
	A, B    *Node[E]
	Flights []Flight[E]
	Delay   time.Duration
	Jitter  time.Duration // as much later, at the most
	Loss    float64       // of messages of IKE, not of the traffic
	Dup     float64
	Rand    *rand.Rand
	Ladder  []string                                            // who has said what
	Tap     func(from *Node[E], p ike.Path, packet []byte) bool // sees what is said; false: it is lost
	NAT     netip.AddrPort                                      // what B sees of A, to whose ports this one's is added; zero: A itself
	Carried int                                                 // packets of the traffic
	Lost    int

	version *Version[E]
	traffic bool
	changed bool // something about the children has, since the traffic was last sent
	seq     int
}

func (w *Wire[E]) nodes() [2]*Node[E] { return [2]*Node[E]{w.A, w.B} }

// Other is the other node.
func (w *Wire[E]) Other(n *Node[E]) *Node[E] {
	if n == w.A {
		return w.B
	}
	return w.A
}

// Deliver has a packet arrive at a node as if it were sent now, whatever the wire does to others.
func (w *Wire[E]) Deliver(to *Node[E], path ike.Path, packet []byte) {
	w.fly(Flight[E]{at: w.Now.Add(w.Delay), to: to, path: path, packet: packet})
}

// fly puts a packet on its way, behind those that arrive at the same moment.
func (w *Wire[E]) fly(f Flight[E]) {
	w.seq++
	f.seq = w.seq
	w.Flights = append(w.Flights, f)
}

// seen is the path of what a node sends, as the other one sees it.
func (w *Wire[E]) seen(from *Node[E], p ike.Path) ike.Path {
	out := ike.Path{VRF: p.VRF, Local: p.Remote, Remote: p.Local}
	if w.NAT.IsValid() {
		if from == w.A {
			out.Remote = netip.AddrPortFrom(w.NAT.Addr(), w.NAT.Port()+p.Local.Port())
		} else {
			out.Local = netip.AddrPortFrom(w.A.Addr, p.Remote.Port()-w.NAT.Port())
		}
	}
	return out
}

func (w *Wire[E]) send(from *Node[E], f ike.Send) {
	h, err := ikemsg.ParseHeader(f.Packet)
	if err != nil {
		w.T.Fatalf("%s sends nonsense: %v", from.Name, err)
	}
	w.Ladder = append(w.Ladder, from.Name+" "+w.version.Name(h))
	if w.Tap != nil && !w.Tap(from, f.Path, f.Packet) || w.Rand.Float64() < w.Loss {
		return
	}
	path := w.seen(from, f.Path)
	copies := 1
	if w.Rand.Float64() < w.Dup {
		copies = 2
	}
	for range copies {
		at := w.Now.Add(w.Delay)
		if w.Jitter > 0 {
			at = at.Add(time.Duration(w.Rand.Int64N(int64(w.Jitter))))
		}
		w.fly(Flight[E]{at: at, to: w.Other(from), path: path, packet: f.Packet})
	}
}

// Step goes on to what happens next, until limit; false when that is nothing.
func (w *Wire[E]) Step(limit time.Time) bool {
	next, k := limit, -1
	for i, f := range w.Flights {
		if f.at.Before(next) || k >= 0 && f.at.Equal(next) && f.seq < w.Flights[k].seq {
			next, k = f.at, i
		}
	}
	var tick *Node[E]
	for _, n := range w.nodes() {
		if d := n.Engine.Deadline(); !n.Stopped && !d.IsZero() && d.Before(next) {
			next, tick, k = d, n, -1
		}
	}
	if next.After(w.Now) {
		w.Now = next
	}
	switch {
	case tick != nil:
		tick.Event(ike.Tick{})
	case k >= 0:
		f := w.Flights[k]
		w.Flights = slices.Delete(w.Flights, k, k+1)
		if f.packet == nil {
			w.arrived(f)
		} else if !f.to.Stopped {
			f.to.Event(ike.Received{Path: f.path, Packet: f.packet})
		}
	default:
		return false
	}
	w.carry()
	return true
}

// Run lets time pass.
func (w *Wire[E]) Run(d time.Duration) {
	limit := w.Now.Add(d)
	for range 2_000_000 {
		if !w.Step(limit) {
			return
		}
	}
	w.T.Fatal("they never stop talking")
}

// Carry begins traffic by the children, or ends it: now, and whenever something about the children has changed, a quick and a slow packet go in each
// direction. Every one of them has to find an SA at the other end.
func (w *Wire[E]) Carry(on bool) { w.traffic, w.changed = on, true }

func (w *Wire[E]) carry() {
	if !w.changed || !w.traffic {
		return
	}
	w.changed = false
	for _, n := range w.nodes() {
		c := n.Children[n.Active]
		if c == nil {
			w.T.Errorf("%s has nothing to send by after %v", n.Name, w.Now.Sub(Start))
			w.Lost++
			continue
		}
		for _, d := range []time.Duration{w.Delay, w.version.Late} {
			w.Carried++
			w.fly(Flight[E]{at: w.Now.Add(d), to: w.Other(n), spi: c.ESP.OutSPI})
		}
	}
}

// arrived is a packet of the traffic at the other end. The first one of a child is heard at once.
func (w *Wire[E]) arrived(f Flight[E]) {
	for id, c := range f.to.Children {
		if c.ESP.InSPI == f.spi {
			if !f.to.heard[id] {
				f.to.heard[id] = true
				f.to.Event(ike.Heard{Child: id})
			}
			return
		}
	}
	w.Lost++
	w.T.Errorf("a packet by SPI %08x finds no SA at %s after %v\n%v", f.spi, f.to.Name, w.Now.Sub(Start), w.Ladder[max(0, len(w.Ladder)-20):])
}

// Paired tells whether what a node sends by arrives at the other with the same keys.
func (w *Wire[E]) Paired(from *Node[E]) error {
	c := from.Children[from.Active]
	if c == nil {
		return fmt.Errorf("%s has nothing to send by", from.Name)
	}
	for _, o := range w.Other(from).Children {
		if o.ESP.InSPI == c.ESP.OutSPI && o.AH.InSPI == c.AH.OutSPI {
			if string(o.ESP.In.Cipher) != string(c.ESP.Out.Cipher) || string(o.ESP.In.Auth) != string(c.ESP.Out.Auth) || string(o.AH.In.Auth) != string(c.AH.Out.Auth) {
				return fmt.Errorf("%s sends by keys that the other does not have", from.Name)
			}
			return nil
		}
	}
	return fmt.Errorf("%s sends by SPI %08x, which the other does not know", from.Name, c.ESP.OutSPI)
}

// WantUp wants both nodes to send by what the other has.
func (w *Wire[E]) WantUp() {
	w.T.Helper()
	for _, n := range w.nodes() {
		if err := w.Paired(n); err != nil {
			w.T.Errorf("%v\n%s\nlogs: %+v\n%+v", err, strings.Join(w.Ladder, "\n"), w.A.Logs, w.B.Logs)
		}
	}
}

// WantLadder wants that this has been said since it was last asked, and nothing else.
func (w *Wire[E]) WantLadder(want ...string) {
	w.T.Helper()
	if got := strings.Join(w.Ladder, ", "); got != strings.Join(want, ", ") {
		w.T.Errorf("ladder: %s\nwant:   %s", got, strings.Join(want, ", "))
	}
	w.Ladder = nil
}

// wantNothing wants no IKE SA and no child on either side.
func (w *Wire[E]) wantNothing(after string) {
	w.T.Helper()
	for _, n := range w.nodes() {
		if n.SAs() != 0 || len(n.Children) != 0 {
			w.T.Errorf("%s: %d SAs and %d children stay after %s: %v", n.Name, n.SAs(), len(n.Children), after, w.Ladder)
		}
	}
}

// wantCounted wants call admission to count the IKE SAs that there are, and none of them in negotiation.
func (w *Wire[E]) wantCounted() {
	w.T.Helper()
	for _, n := range w.nodes() {
		if a := n.Env.Admission; a.InNegotiation != 0 || a.SAs != n.SAs() {
			w.T.Errorf("%s: admission counts %d and %d, and there are %d SAs", n.Name, a.SAs, a.InNegotiation, n.SAs())
		}
	}
}
