package iketest

import (
	"crypto/rand"
	"net/netip"
	"time"

	"nave/slowpath/ike"
)

// Pair is two engines that hand each other messages at once, and how long each of them took: the initiator, and the responder.
type Pair[E ike.Engine] struct {
	Engines   [2]E
	Now       time.Time
	Spent     [2]time.Duration
	Installed [2]int
	Activated [2]int
	Seen      netip.Addr // where the initiator is, seen from the responder
}

// Addresses of a Pair's engines.
var (
	initiator = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	responder = netip.AddrFrom4([4]byte{192, 0, 2, 2})
)

// NewPair makes two engines whose configuration change changes, which admit any number of negotiations.
func NewPair[E ike.Engine](v *Version[E], change func(c *ike.Config)) *Pair[E] {
	x := &Pair[E]{Now: Start, Seen: initiator}
	for i, a := range []netip.Addr{initiator, responder} {
		c := v.Config(a)
		c.Admission.InNegotiation = 1 << 30
		change(&c)
		env := ike.NewEnv(rand.Reader, uint64(i))
		env.Admission.Limits = c.Admission
		x.Engines[i] = v.New(env)
		x.Engines[i].Configure(x.Now, &c)
	}
	return x
}

// Initiate has the initiator want a child, and both say all that comes of it.
func (x *Pair[E]) Initiate() {
	x.Handle(0, ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(responder, 0)})
}

// Handle gives an engine an event, and the other one what comes of it, until nobody says anything.
func (x *Pair[E]) Handle(i int, ev ike.Event) {
	before := time.Now()
	effects := x.Engines[i].Handle(x.Now, ev)
	x.Spent[i] += time.Since(before)
	for _, f := range effects {
		switch f := f.(type) {
		case ike.Send:
			to := ike.Path{Local: f.Path.Remote, Remote: f.Path.Local}
			if i == 0 {
				to.Remote = netip.AddrPortFrom(x.Seen, f.Path.Local.Port())
			} else {
				to.Local = netip.AddrPortFrom(initiator, f.Path.Remote.Port())
			}
			x.Handle(1-i, ike.Received{Path: to, Packet: f.Packet})
		case ike.Install:
			x.Installed[i]++
		case ike.Activate:
			x.Activated[i]++
		}
	}
}
