package hwprofiles

import (
	"nave/fastpath/fib"
)

// Kinds of entries in the FIB TCAM, as `mls cef maximum-routes` names them.
const (
	kindIP        = "ip"
	kindMPLS      = "mpls"
	kindIPv6      = "ipv6"
	kindMulticast = "ip-multicast"
)

// held is how many entries of one kind are where.
type held struct {
	Routes
	width int // units of 72 bits
}

// room is a part of the FIB TCAM.
type room struct {
	kinds      []string
	width      int // of its widest kind
	size       int // entries of that width
	known      bool
	configured bool
	units      int     // taken
	entries    int     // that took them
	holds      []*held // of the kinds that nave has
}

// tcam is the FIB TCAM: one pool of units, split into rooms. An entry that finds no room stays without, however much becomes free, until it goes and comes again.
type tcam struct {
	rooms      []*room
	ip, labels *room // of IPv4 and of labels, which may be the same; labels is nil where labels are not switched in hardware
	ipv4, mpls *held
	// The last label that was new, and where it was put: of one that the engine then fails to install it can't say that.
	last  uint32
	place fib.Place
}

func newTCAM(p *Profile, routes map[string]int) tcam {
	s := newSplit(p, routes)
	t := tcam{rooms: s.rooms(), ipv4: &held{width: s.width(kindIP)}, mpls: &held{width: s.width(kindMPLS)}}
	for _, r := range t.rooms {
		for _, k := range r.kinds {
			switch k {
			case kindIP:
				t.ip = r
				r.holds = append(r.holds, t.ipv4)
			case kindMPLS:
				t.labels = r
				r.holds = append(r.holds, t.mpls)
			}
		}
	}
	return t
}

// fits tells whether there is room for an entry of some units.
func (r *room) fits(units int) bool { return !r.known || r.units+units <= r.size*r.width }

// take gives an entry its place. One that need not fit always has room.
func (r *room) take(h *held, must bool) fib.Place {
	if must && !r.fits(h.width) {
		h.Software++
		h.Exception = true
		return fib.PlaceSoftware
	}
	h.Hardware++
	r.units += h.width
	r.entries++
	if r.known && r.units*100 >= r.size*r.width*95 {
		for _, o := range r.holds {
			o.Threshold = o.Threshold || o.Hardware > 0
		}
	}
	return fib.PlaceHardware
}

// leave gives the place back.
func (r *room) leave(h *held, was fib.Place) {
	switch {
	case was == fib.PlaceHardware && h.Hardware > 0:
		h.Hardware--
		r.units -= h.width
		r.entries--
	case was == fib.PlaceSoftware && h.Software > 0:
		h.Software--
	}
}

// route places a route. One that leads nowhere by an adjacency, to this box itself or to Null0, always finds room: the engine has no other place for it.
func (t *tcam) route(leads bool, was fib.Place) fib.Place {
	switch {
	case was == fib.PlaceNone:
	case was == fib.PlaceSoftware && !leads:
		t.ip.leave(t.ipv4, was)
	default:
		return was
	}
	return t.ip.take(t.ipv4, leads)
}

func (t *tcam) routeGone(was fib.Place) { t.ip.leave(t.ipv4, was) }

// label places a label. Where none is switched in hardware, all are the route processor's, but not for want of room: the exception's rate is not theirs.
func (t *tcam) label(in uint32, was fib.Place) fib.Place {
	if was != fib.PlaceNone {
		return was
	}
	t.last = in
	if t.labels == nil {
		t.mpls.Software++
		t.place = fib.PlaceHardware
	} else {
		t.place = t.labels.take(t.mpls, true)
	}
	return t.place
}

func (t *tcam) labelGone(in uint32, was fib.Place) {
	if was == fib.PlaceNone && in == t.last {
		was = t.place
	}
	switch {
	case was == fib.PlaceNone:
	case t.labels != nil:
		t.labels.leave(t.mpls, was)
	case t.mpls.Software > 0:
		t.mpls.Software--
	}
	if in == t.last {
		t.place = fib.PlaceNone
	}
}

// units is how many of the pool are taken.
func (t *tcam) units() int {
	n := 0
	for _, r := range t.rooms {
		n += r.units
	}
	return n
}

func (t *tcam) usage() []Room {
	out := make([]Room, 0, len(t.rooms))
	for _, r := range t.rooms {
		out = append(out, Room{Kinds: r.kinds, Width: r.width, Configured: r.configured, Level: Level{Used: r.entries, Size: r.size}})
	}
	return out
}

// split is how the pool is divided.
type split struct {
	f      *FIB
	labels bool           // are switched in hardware
	routes map[string]int // that are configured
}

// newSplit takes the configured split where it fits into the pool. A larger one is refused by the box, which then keeps its own.
func newSplit(p *Profile, routes map[string]int) split {
	s := split{f: &p.FIB, labels: !p.MPLS.Hardware.No(), routes: map[string]int{}}
	units := 0
	for _, k := range []string{kindIP, kindMPLS, kindIPv6, kindMulticast} {
		if n := routes[k]; n > 0 && (k != kindMPLS || s.labels) {
			s.routes[k] = n
			units += n * s.width(k)
		}
	}
	if s.f.Units.Over(units) {
		s.routes = nil
	}
	return s
}

// width is how many units an entry takes.
func (s *split) width(kind string) int {
	n := s.f.IPv4Width
	switch kind {
	case kindMPLS:
		n = s.f.MPLSWidth
	case kindIPv6:
		n = s.f.IPv6Width
	case kindMulticast:
		n = s.f.MulticastWidth
	}
	return max(1, int(width(n)))
}

// rooms are the parts. What is configured has a room of its own; IPv4 and labels, and IPv6 and multicast, share one each otherwise. Who says how much IPv4 gets and
// nothing of labels leaves those what the profile says (fib.split.mpls), and whatever is left of the pool is for IPv6 and multicast.
func (s *split) rooms() []*room {
	var out []*room
	left := s.f.Units // of which there is no end where it is not known
	for _, k := range []string{kindIP, kindMPLS, kindIPv6, kindMulticast} {
		left.Value -= float64(s.routes[k] * s.width(k))
	}
	add := func(n Number, kinds ...string) {
		r := &room{kinds: kinds, configured: s.routes[kinds[0]] > 0, known: n.Known, size: n.Int()}
		for _, k := range kinds {
			r.width = max(r.width, s.width(k))
		}
		if len(s.routes) > 0 && !r.configured { // it takes what it would have had, if so much is left
			if left.Known {
				r.known, r.size = true, min(r.size, int(left.Value)/r.width)
				if !n.Known {
					r.size = int(left.Value) / r.width
				}
			}
			left.Value -= float64(r.size * r.width)
		}
		out = append(out, r)
	}
	own := func(k string) Number { return Number{Fact: Fact{Known: true}, Value: float64(s.routes[k])} }
	ip, mpls := s.routes[kindIP] > 0, s.routes[kindMPLS] > 0
	switch {
	case ip && s.labels:
		add(own(kindIP), kindIP)
		if mpls {
			add(own(kindMPLS), kindMPLS)
		} else {
			add(s.f.MPLS, kindMPLS)
		}
	case ip:
		add(own(kindIP), kindIP)
	case mpls:
		rest := s.f.IPMPLS
		rest.Value = max(0, rest.Value-float64(s.routes[kindMPLS]))
		add(rest, kindIP)
		add(own(kindMPLS), kindMPLS)
	case s.labels:
		add(s.f.IPMPLS, kindIP, kindMPLS)
	default:
		add(s.f.IPMPLS, kindIP)
	}
	six, many := s.routes[kindIPv6] > 0, s.routes[kindMulticast] > 0
	rest := s.f.IPv6Multicast
	if len(s.routes) > 0 {
		rest = Number{} // all that is left
	}
	if !six && !many {
		add(rest, kindIPv6, kindMulticast)
		return out
	}
	for _, k := range []string{kindIPv6, kindMulticast} {
		if s.routes[k] > 0 {
			add(own(k), k)
		} else {
			add(rest, k)
		}
	}
	return out
}

// aggregates are the labels of whole VRFs, by label: true for those of which the routes are looked up in the pass that takes the label off. For those that came
// when there were too many of these, it is one pass more.
type aggregates struct {
	size  Number
	first int // that need no second pass
	of    map[uint32]bool
}

func newAggregates(p *Profile) aggregates {
	return aggregates{size: p.MPLS.AggregateLabels, of: map[uint32]bool{}}
}

// above tells whether the label's packets pass once more.
func (a *aggregates) above(l *fib.Label) bool {
	if l.Action != fib.LabelLookup || l.In < fib.FirstLabel {
		a.gone(l.In)
		return false
	}
	first, ok := a.of[l.In]
	if !ok {
		if first = !a.size.Over(a.first + 1); first {
			a.first++
		}
		a.of[l.In] = first
	}
	return !first
}

func (a *aggregates) gone(in uint32) {
	if a.of[in] {
		a.first--
	}
	delete(a.of, in)
}
