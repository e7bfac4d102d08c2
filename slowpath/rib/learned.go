package rib

import (
	"net/netip"
	"time"

	"nave/fastpath/fib"
)

// Labels are label values to push, outermost first.
type Labels struct {
	n int
	l [fib.MaxLabels]uint32
}

// LabelsOf makes Labels of values, fib.MaxLabels at most; ok is false for more, and for values that no packet can carry.
func LabelsOf(values ...uint32) (s Labels, ok bool) {
	for _, v := range values {
		if s.n == fib.MaxLabels || v > fib.LastLabel || v == fib.ImplicitNull {
			return Labels{}, false
		}
		s.l[s.n] = v
		s.n++
	}
	return s, true
}

// Values are the labels, outermost first.
func (s Labels) Values() []uint32 { return append([]uint32(nil), s.l[:s.n]...) }

// Learned is what a routing protocol says of a prefix.
type Learned struct {
	Source   Source // BGP
	Distance int    // 0: the source's
	Metric   uint32
	Tag      uint32
	Hops     []NextHop
	Since    time.Time // when it was learned, for show output; the zero Time: not known
}

// SetRoute makes this what its source says of a prefix of a VRF.
func (r *RIB) SetRoute(vrf fib.VRF, p netip.Prefix, l Learned) {}

// DelRoute takes back what a source says of a prefix.
func (r *RIB) DelRoute(vrf fib.VRF, p netip.Prefix, s Source) {}

// BindLabel says that a next hop on an interface wants a label on packets of a prefix of the global table; fib.ImplicitNull: none, and it takes them unlabelled as the
// end of a label switched path. Without a binding there is no label switched path by that next hop, unless it stands itself on an `mpls ip` interface's subnet.
func (r *RIB) BindLabel(p netip.Prefix, iface string, addr netip.Addr, out uint32) {}

// UnbindLabel takes it back.
func (r *RIB) UnbindLabel(p netip.Prefix, iface string, addr netip.Addr) {}

// LabelUse says what packets that come with a label of ours are for. One of the three is set.
type LabelUse struct {
	// Lookup: the label is a VRF's, whose routes decide (per-VRF labels, and connected prefixes).
	Lookup bool
	// Forward: by the route that the VRF has for Prefix, without a look at others (per-prefix labels).
	Forward bool
	// Swap: as the route of Prefix in the global table goes (LDP), or, with Hop.Addr, to that next hop with its labels (BGP).
	Swap bool

	VRF    fib.VRF
	Prefix netip.Prefix
	Hop    NextHop
}

// SetLabel says what a label of ours is for, anew or otherwise than before.
func (r *RIB) SetLabel(in uint32, u LabelUse) {}

// DelLabel takes a label back.
func (r *RIB) DelLabel(in uint32) {}

// Change is a route that is new, is not as it was, or (Gone) is none any more. Adjacencies and shortcuts are none.
type Change struct {
	VRF fib.VRF
	Route
	Gone bool // only VRF and Prefix are set
}

// Changes are the routes that changed since the last call, once somebody has asked: the first call gives all. It follows Flush.
func (r *RIB) Changes() []Change { return nil }

// LabelEntry is a label of ours as it stands, for show output.
type LabelEntry struct {
	In uint32
	LabelUse
	// Paths are where it leads now; none: nowhere, its packets are dropped.
	Paths []LabelPath
}

// LabelPath is one way on: the labels that packets leave with (none: popped) by Iface to Addr.
type LabelPath struct {
	Out   []uint32
	Iface string
	Addr  netip.Addr
}

// LabelTable lists the labels of ours by number.
func (r *RIB) LabelTable() []LabelEntry { return nil }

// InheritedLabels are the labels that the fast path had when Inherit was called and that nobody has set since: they must not be given to anything else before they are
// gone.
func (r *RIB) InheritedLabels() []uint32 { return nil }

// Path is a route as the fast path has it, for `show ip cef`.
type Path struct {
	LabelPath
	Adjacency fib.AdjID
	NextHop   netip.Addr // before it was resolved
}

// Resolved finds what packets to a destination of a VRF take: the prefix, and its ways.
func (r *RIB) Resolved(vrf fib.VRF, dst netip.Addr) (netip.Prefix, []Path, bool) {
	return netip.Prefix{}, nil, false
}

// SetPipe says whether labels that are new to a packet get a TTL of 255 (`no mpls ip propagate-ttl`, RFC 3443 section 3.2) instead of the packet's: fib.Adjacency.Pipe of all
// adjacencies that push labels.
func (r *RIB) SetPipe(on bool) {}
