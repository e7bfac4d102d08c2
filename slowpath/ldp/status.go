package ldp

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// DropReason says why a Hello was not taken.
type DropReason uint8

// The reasons.
const (
	DropOff       DropReason = iota // by an interface without LDP, or one that is down
	DropMalformed                   // cannot be read, or is no Hello
	DropSource                      // absurd addresses, or another router's identifier
	DropOwn                         // from an address of ours
	DropDuplicate                   // with our identifier
	DropTargeted
	DropTransport // another transport address than on other links
	DropFull      // too many neighbors

	NumDrops = int(DropFull) + 1
)

var dropNames = [NumDrops]string{"off", "malformed", "bad-source", "own-address", "duplicate-identifier", "targeted", "transport-changed", "full"}

// String names the reason.
func (r DropReason) String() string { return name(dropNames[:], int(r)) }

// NeighborStatus is a neighbor, for `show mpls ldp neighbor`.
type NeighborStatus struct {
	Local, Peer    ID
	LocalAddr      netip.AddrPort // of TCP; ports are 0 while there is no connection
	PeerAddr       netip.AddrPort
	Active         bool // the session is ours to open
	Signed         bool // by TCP MD5
	State          State
	Sent, Received uint64    // messages of the session
	Since          time.Time // operational; the zero Time: it is not
	KeepAlive      time.Duration
	MaxPDU         int // bytes
	Retry          time.Time
	Refused        int // sessions in a row that came to nothing
	FT             *ldpmsg.FTSession
	Sources        []AdjacencyStatus
	Addresses      []netip.Addr // bound to the peer
	Bindings       int          // learned from it
}

// AdjacencyStatus is a neighbor as it is heard on an interface.
type AdjacencyStatus struct {
	Iface     string
	Peer      ID
	Address   netip.Addr // source of its Hellos
	Transport netip.Addr
	Hold      time.Duration // agreed; 0: for ever
	Proposed  time.Duration // by the peer
	Expires   time.Time     // the zero Time: never
	Since     time.Time
}

// DiscoveryStatus is an interface with `mpls ip`, for `show mpls ldp discovery`.
type DiscoveryStatus struct {
	Iface          string
	Running        bool // sends Hellos
	Transport      netip.Addr
	Interval, Hold time.Duration // ours
	Sent, Received uint64        // Hellos
	Adjacencies    []AdjacencyStatus
}

// BindingStatus is what is known of a prefix, for `show mpls ldp bindings`.
type BindingStatus struct {
	Prefix   netip.Prefix
	Revision uint32 // of the local binding
	Local    uint32 // with HasLocal; ImplicitNull is a label as others
	HasLocal bool
	Route    bool // there is one
	Remote   []RemoteBinding
	Paths    []PathStatus
}

// RemoteBinding is a label of a peer.
type RemoteBinding struct {
	Peer  ID
	Label uint32
	InUse bool // it is the label of a path
}

// PathStatus is a path with a label.
type PathStatus struct {
	NextHop NextHop
	Out     uint32
}

// ID is our LDP identifier; ok is false while LDP is off.
func (m *Machine) ID() (id ID, ok bool) { return m.id, m.on }

// Drops counts the Hellos that were not taken, by reason.
func (m *Machine) Drops() [NumDrops]uint64 { return m.drops }

// Neighbors are those that are heard, in order of identifiers.
func (m *Machine) Neighbors() []NeighborStatus {
	out := make([]NeighborStatus, 0, len(m.order))
	for _, nb := range m.order {
		st := NeighborStatus{
			Local: m.id, Peer: nb.id, Active: nb.active, Signed: len(nb.key) > 0, Refused: nb.refused,
			LocalAddr: netip.AddrPortFrom(nb.local, 0), PeerAddr: netip.AddrPortFrom(nb.transport, 0),
			Addresses: sortedAddrs(maps.Keys(nb.addrs)), Bindings: len(nb.bindings), MaxPDU: ownMaxPDU,
		}
		if nb.wait.On() {
			st.Retry = nb.wait.At()
		}
		if s := nb.session; s != nil {
			st.State, st.Sent, st.Received, st.Since = s.state, s.sent, s.received, s.since
			st.KeepAlive, st.MaxPDU, st.FT = s.keepAlive, s.maxPDU, s.ft
			if s.state > StateConnecting {
				st.LocalAddr, st.PeerAddr = s.local, s.remote
			}
		}
		for _, adj := range nb.adjs {
			st.Sources = append(st.Sources, adj.status())
		}
		slices.SortFunc(st.Sources, func(a, b AdjacencyStatus) int { return strings.Compare(a.Iface, b.Iface) })
		out = append(out, st)
	}
	return out
}

func (adj *adjacency) status() AdjacencyStatus {
	st := AdjacencyStatus{
		Iface: adj.ifc.name, Peer: adj.nb.id, Address: adj.from, Transport: adj.nb.transport, Hold: adj.hold,
		Proposed: time.Duration(adj.proposed) * time.Second, Since: adj.since,
	}
	if adj.expires.On() {
		st.Expires = adj.expires.At()
	}
	return st
}

// Discovery are the interfaces with `mpls ip`, in order of names.
func (m *Machine) Discovery() []DiscoveryStatus {
	var out []DiscoveryStatus
	for _, ifc := range m.sortedIfaces() {
		if !ifc.mpls {
			continue
		}
		st := DiscoveryStatus{
			Iface: ifc.name, Running: ifc.running, Interval: min(m.cfg.HelloInterval, m.cfg.HelloHold/3), Hold: m.cfg.HelloHold,
			Sent: ifc.sent, Received: ifc.received,
		}
		if m.on {
			st.Transport = m.transport(ifc)
		}
		for _, adj := range ifc.adjs {
			st.Adjacencies = append(st.Adjacencies, adj.status())
		}
		slices.SortFunc(st.Adjacencies, func(a, b AdjacencyStatus) int { return a.Peer.Compare(b.Peer) })
		out = append(out, st)
	}
	return out
}

// Bindings are all prefixes with a label, in order.
func (m *Machine) Bindings() []BindingStatus {
	var out []BindingStatus
	for _, p := range sortedPrefixes(m.fecs) {
		f := m.fecs[p]
		st := BindingStatus{Prefix: p, Revision: f.revision, Route: f.route != nil}
		if f.local != noLabel {
			st.Local, st.HasLocal = f.local, true
		}
		used := map[*neighbor]bool{}
		for _, b := range f.bound {
			used[m.owner(b.hop)] = true
			st.Paths = append(st.Paths, PathStatus{b.hop, b.out})
		}
		for nb, l := range f.remote {
			st.Remote = append(st.Remote, RemoteBinding{nb.id, l, used[nb]})
		}
		slices.SortFunc(st.Remote, func(a, b RemoteBinding) int { return a.Peer.Compare(b.Peer) })
		if st.HasLocal || len(st.Remote) > 0 {
			out = append(out, st)
		}
	}
	return out
}
