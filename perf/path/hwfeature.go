package path

import (
	"fmt"
	"strings"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/hwprofiles"
	"nave/perf/report"
)

// feature is something that hardware does at a rate of its own: a row of the table of profiles.
type feature struct {
	work
	what string // a line of what packets go through
	// How it differs from a plain work.
	key       bool // tunnels have a key
	multicast bool // what comes out of the tunnel goes to a group
	overGRE   bool // labels are pushed in front of GRE's payload
	whole     bool // the label that comes off is that of a whole VRF
	above     bool // and above those that the hardware has registers for
	full      bool // the route finds no room in the hardware's table
	cut       bool // packets are larger than the way out takes
	expired   bool // their TTL runs out here
	limited   bool // and that is limited by a register
	sizes     []report.Size
}

var (
	smallSize = []report.Size{64}
	bothSizes = []report.Size{64, 1400}
	largeSize = []report.Size{1400}
)

// ttlLimit is the limiter of the row that has one: `mls rate-limit all ttl-failure 1000 10`.
var ttlLimit = fib.Meter{Rate: 1000, Burst: 10}

// features in the order of the table.
var features = []feature{
	{work: work{"ipv4", plain, plain, lan, wan}, what: "a route to a neighbour on a link", sizes: smallSize},
	{work: work{"ipv4-full", plain, plain, lan, wan}, what: "a route that the full FIB TCAM has no room for", full: true, sizes: smallSize},
	{work: work{"fragment", plain, plain, lan, wan}, what: "packets larger than the MTU of the way out", cut: true, sizes: largeSize},
	{work: work{"ttl", plain, plain, lan, wan}, what: "a flood of packets whose TTL runs out: those that are answered", expired: true, sizes: smallSize},
	{work: work{"ttl-limited", plain, plain, lan, wan}, what: "the same with `mls rate-limit all ttl-failure 1000 10`", expired: true, limited: true, sizes: smallSize},
	{work: work{"gre-encap", plain, tunnel, lan, wan}, what: "into a tunnel without a key", sizes: smallSize},
	{work: work{"gre-decap", tunnel, plain, wan, lan}, what: "out of it", sizes: smallSize},
	{work: work{"gre-hairpin", tunnel, tunnel, wan, wan}, what: "a hub, spoke to spoke", sizes: smallSize},
	{work: work{"key-encap", plain, tunnel, lan, wan}, what: "into a tunnel with a key", key: true, sizes: smallSize},
	{work: work{"key-decap", tunnel, plain, wan, lan}, what: "out of it", key: true, sizes: smallSize},
	{work: work{"key-hairpin", tunnel, tunnel, wan, wan}, what: "a hub, spoke to spoke", key: true, sizes: smallSize},
	{work: work{"esp-encap", plain, sealed, lan, wan}, what: "into a protected tunnel without a key", sizes: bothSizes},
	{work: work{"esp-decap", sealed, plain, wan, lan}, what: "out of it", sizes: bothSizes},
	{work: work{"esp-hairpin", sealed, sealed, wan, wan}, what: "a hub, spoke to spoke", sizes: bothSizes},
	{work: work{"multicast", tunnel, tunnel, wan, wan}, what: "multicast of a spoke for another one", multicast: true, sizes: smallSize},
	{work: work{"esp-multicast", sealed, sealed, wan, wan}, what: "the same by a protected tunnel", multicast: true, sizes: smallSize},
	{work: work{"mpls-push", plain, labelled, lan, wan}, what: "a label put on by a route", sizes: smallSize},
	{work: work{"mpls-swap", labelled, labelled, lan, wan}, what: "a label exchanged", sizes: smallSize},
	{work: work{"mpls-pop-vrf", labelled, plain, wan, lan}, what: "the label of a whole VRF taken off", whole: true, sizes: smallSize},
	{work: work{"mpls-pop-many", labelled, plain, wan, lan}, what: "the same, beyond those that have registers", whole: true, above: true, sizes: smallSize},
	{work: work{"mpls-gre", plain, tunnel, lan, wan}, what: "a label put on, and into a tunnel without a key", overGRE: true, sizes: smallSize},
}

// options is what the row's configuration tells the hardware.
func (f *feature) options() hwprofiles.Options {
	if !f.limited {
		return hwprofiles.Options{}
	}
	return hwprofiles.Options{Limits: map[fib.Budget]fib.Meter{fib.LimitTTL: ttlLimit}}
}

// refused is why there is no such row with a profile and inner packets of size bytes; empty if there is one.
func (f *feature) refused(p *hwprofiles.Profile, size int) string {
	switch {
	case f.cut && size < leastCut:
		return fmt.Sprintf("no packet of less than %d bytes is cut here", leastCut)
	case f.tunnels() && p.DMVPN.Supported.No():
		return "refused: no hub and no spoke of a DMVPN (dmvpn.supported)"
	case f.limited && p.RateLimiters.L3.Known && p.RateLimiters.L3.Value < 1:
		return "refused: no rate limiters (ratelimit.l3_registers)"
	case f.full && routeRoom(p) == 0:
		return "not known how many routes find room (fib.split.ip_mpls)"
	case f.above && !p.MPLS.AggregateLabels.Known:
		return "not known how many labels have registers (mpls.aggregate_labels)"
	}
	return ""
}

// leastCut is the smallest packet that is larger than an MTU of three quarters of it, where that is 68 at least (RFC 791).
const leastCut = 92

// maxFilled is how many routes, or labels, a table is filled with at most.
const maxFilled = 2 << 20

// routeRoom is how many routes find room; 0 where that is not known, or too many to fill.
func routeRoom(p *hwprofiles.Profile) int {
	for _, r := range hwprofiles.NewPricer(p, hwprofiles.Options{}).Usage().Rooms {
		for _, kind := range r.Kinds {
			if kind == "ip" && r.Size < maxFilled {
				return r.Size
			}
		}
	}
	return 0
}

// fillers is how many other routes and labels there must be so that the row's own come too late with any of the profiles.
func (f *feature) fillers(profiles []*hwprofiles.Profile) (routes, labels int) {
	for _, p := range profiles {
		if f.full {
			routes = max(routes, routeRoom(p))
		}
		if f.above && p.MPLS.AggregateLabels.Known {
			labels = max(labels, min(p.MPLS.AggregateLabels.Int(), maxTunnels))
		}
	}
	return routes, labels
}

// Addresses beside those of every scene: packets go to the highest of all prefixes, for whose route there is no room when all others have theirs.
const (
	hwTarget addr = 0xdfff0005 // 223.255.0.5
	hwGroup  addr = 0xef010101 // 239.1.1.1
	hwFiller addr = 0x0b000000 // 11.0.0.0
)

// greHeader is the length of the row's GRE header.
func (f *feature) greHeader() int {
	if f.key {
		return greLen
	}
	return greLen - 4
}

// entries is what the gateway of the row forwards by, with so many routes and labels in front of its own.
func (f *feature) entries(tr *transform, size, routes, labels int) *fib.Batch {
	b := &fib.Batch{
		Ports:  ports(wanMAC, hub),
		Routes: make([]fib.Route, 0, routes+3),
		Labels: make([]fib.Label, 0, labels+1),
	}
	here := []fib.AdjID{fib.Receive}
	b.Routes = append(b.Routes, fib.Route{Prefix: host(hub), Paths: here}, fib.Route{Prefix: host(gateway), Paths: here})
	out := []fib.AdjID{adj(0)}
	for i := range routes {
		b.Routes = append(b.Routes, fib.Route{Prefix: net24(hwFiller + addr(i)<<8), Paths: out})
	}
	b.Routes = append(b.Routes, fib.Route{Prefix: net24(hwTarget), Paths: out})
	if f.in == labelled {
		l := fib.Label{Action: fib.LabelSwap, Paths: out}
		if f.whole {
			l = fib.Label{Action: fib.LabelLookup}
		}
		for i := range labels + 1 {
			l.In = inLabel(i)
			b.Labels = append(b.Labels, l)
		}
	}
	if f.tunnels() {
		b.Tunnels = []fib.Tunnel{f.tunnel()}
		if f.multicast {
			b.Tunnels[0].Group = 1
			b.Groups = []fib.Group{{ID: 1, Members: out}}
		}
	}
	if f.in == sealed {
		b.SAs = append(b.SAs, tr.association(1, true, spi(0), sealerKey, hub, peer(0)))
	}
	a := f.adjacency(size)
	if f.out == sealed {
		b.SAs = append(b.SAs, tr.association(2, false, spi(1), spi(1), hub, peer(1)))
		a.SA = 2
	}
	b.Adjacencies = []fib.Adjacency{a}
	return b
}

func (f *feature) tunnel() fib.Tunnel {
	t := fib.Tunnel{ID: tunnelID, Local: hub.ip(), HasKey: f.key, Addr: addr(0x0aff0001).ip(), MTU: tunnelMTU, Network: 1, MPLS: true}
	if f.key {
		t.Key = tunnelKey
	}
	if f.sealed() {
		t.Protected, t.Protection = true, protection
	}
	return t
}

// adjacency is the one that the row's packets leave by.
func (f *feature) adjacency(size int) fib.Adjacency {
	if f.out == plain || f.out == labelled {
		a := linkAdj(adj(0), f.to, neighbour(f.to), own(f.to))
		if f.out == labelled {
			a.Labels = []uint32{outLabel(0)}
		}
		if f.cut {
			a.MTU = uint16(size * 3 / 4)
			a.LinkMTU = a.MTU
		}
		return a
	}
	a := tunnelAdj(adj(0), hub, peer(1), ethernet(nextMAC, wanMAC, packet.TypeIPv4, nil), 0)
	a.Inner = a.Inner[:f.greHeader()]
	packet.PutGRE(a.Inner, packet.TypeIPv4, tunnelKey, f.key)
	if f.overGRE {
		a.Labels = []uint32{outLabel(0)}
		a.MTU += packet.LabelLen
	}
	return a
}

// frame is what comes in at the gateway, before it is sealed. labels is as for entries: its own is the last one.
func (f *feature) frame(size, labels int) []byte {
	ip := inner(0, size, innerTTL)
	h := packet.Header{TTL: innerTTL, Proto: packet.ProtoUDP, Src: source(0).bytes(), Dst: hwTarget.bytes()}
	if f.multicast {
		h.Dst = hwGroup.bytes()
	}
	if f.expired {
		h.TTL = 1
	}
	h.Put(ip, size-packet.IPv4Len)
	switch f.in {
	case labelled:
		return ethernet(own(f.from), neighbour(f.from), packet.TypeMPLS, under(inLabel(labels), ip))
	case tunnel, sealed:
		head := make([]byte, f.greHeader())
		packet.PutGRE(head, packet.TypeIPv4, tunnelKey, f.key)
		ip = append(head, ip...)
	}
	switch f.in {
	case tunnel:
		outer := make([]byte, packet.IPv4Len)
		h := packet.Header{TTL: 255, Proto: packet.ProtoGRE, Src: peer(0).bytes(), Dst: hub.bytes()}
		h.Put(outer, len(ip))
		return ethernet(wanMAC, nextMAC, packet.TypeIPv4, append(outer, ip...))
	case sealed:
		frame := sealedFrame(peer(0), spi(0), ip[greLen:])
		copy(frame[sealedTop:], ip)
		return frame
	}
	return ethernet(own(f.from), neighbour(f.from), packet.TypeIPv4, ip)
}

// passed is how many packets the row has to show for itself, of an engine's numbers.
func (f *feature) passed(s *fastpath.Snapshot) uint64 {
	if f.expired {
		return s.Reasons[fastpath.TTLExpired]
	}
	n := uint64(0)
	for i := range s.Workers {
		n += s.Workers[i].Forwarded
	}
	return n
}

func featureNames() string {
	var names []string
	for i := range features {
		names = append(names, features[i].name)
	}
	return strings.Join(names, ", ")
}
