package slowpath

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/label"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// ranges are the labels of LDP and of BGP: the first half of what `mpls label range` gives, and the second.
func (m *MPLS) ranges() (ldpFirst, ldpLast, bgpFirst, bgpLast uint32) {
	first, last := cmp.Or(m.First, label.First), cmp.Or(m.Last, label.Last)
	middle := first + (last-first)/2
	return first, middle, middle + 1, last
}

// LDPRange is LDP's part of the labels.
func (m *MPLS) LDPRange() (first, last uint32) {
	first, last, _, _ = m.ranges()
	return first, last
}

// LDPStatus is what LDP knows, for show output.
type LDPStatus struct {
	ID        ldp.ID // of this router
	On        bool
	Neighbors []ldp.NeighborStatus
	Discovery []ldp.DiscoveryStatus
	Bindings  []ldp.BindingStatus
	Drops     [ldp.NumDrops]uint64 // Hellos that were not taken, by ldp.DropReason
}

// LDPStatus copies LDP's state.
func (r *Router) LDPStatus() LDPStatus {
	m := r.labels.ldp
	s := LDPStatus{Neighbors: m.Neighbors(), Discovery: m.Discovery(), Bindings: m.Bindings(), Drops: m.Drops()}
	s.ID, s.On = m.ID()
	return s
}

func newLabelling(seed uint64) labelling {
	return labelling{ldp: ldp.NewSeeded(seed)}
}

// configureMPLS has LDP and the pool of BGP's labels run by c.
func (r *Router) configureMPLS(c *Config) {
	_, _, first, last := c.MPLS.ranges()
	r.pool.Span(first, last)
	r.rib.SetPipe(c.MPLS.Pipe)
	r.configureLDP(c)
	r.configureBGP(c)
}

// maxFollow is how often a step lets the protocols follow what they have changed themselves: as often as a route goes from one to the next. What is left after that
// waits for followAgain, so that others have their turn.
const (
	maxFollow   = 8
	followAgain = 10 * time.Millisecond
)

// followRoutes tells the protocols which routes are not as they were, and installs what they say to it.
func (r *Router) followRoutes() (err error) {
	r.behind = false
	for range maxFollow {
		changes := r.rib.Changes()
		if len(changes) == 0 && !r.border.anew && !r.eigrp.anew && len(r.eigrp.stale) == 0 {
			return err
		}
		r.changed(changes)
		if e := r.rib.Flush(); err == nil {
			err = e
		}
	}
	r.behind = true
	return err
}

// changed tells routing protocols which routes are not as they were.
func (r *Router) changed(changes []rib.Change) {
	if len(changes) > 0 {
		r.linux.Routes(changes)
	}
	r.ldpRoutes(changes)
	r.redistribute(changes)
	r.originateRoutes(changes)
}

// tickMPLS does what is due.
func (r *Router) tickMPLS(now time.Time) {
	if d := r.labels.ldp.Deadline(); !d.IsZero() && !d.After(now) {
		r.carryOutLDP(r.labels.ldp.Handle(now, ldp.Tick{}))
	}
	r.tickBGP()
}

func sortedKeys[V any](m map[fib.RouteKey]V) []fib.RouteKey {
	return slices.SortedFunc(maps.Keys(m), func(x, y fib.RouteKey) int {
		return cmp.Or(cmp.Compare(x.VRF, y.VRF), x.Prefix.Compare(y.Prefix))
	})
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
