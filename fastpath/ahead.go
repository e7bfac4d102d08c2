package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// ahead is the packets of a vector whose routes are looked up before their turn, all at once.
type ahead struct {
	n     int
	pkts  [vector]expected
	looks [vector]table.Look
	fetch table.Fetch

	// What the last tunnel's packets were sent to (as Worker.lastHere), and where those inside are routed: what comes there next is most likely of a tunnel, too.
	here   uint64
	inside uint16
}

// expected is a packet that will be routed.
type expected struct {
	p  *pkt
	ip packet.IPv4 // from its header on, and maybe something behind it
}

// lookAhead goes over the frames of a vector before they are forwarded, looks their routes up and loads what they will need of the tables (table/warm.go). It
// decides nothing: what it finds is a hint, and a packet that it misjudges takes a little longer.
func (w *Worker) lookAhead(in *table.Port, frames []port.Frame) {
	if w.lastTunnel != nil {
		w.ahead.here, w.ahead.inside = w.lastHere, w.lastTunnel.VRF
	}
	for i, f := range frames {
		p := &w.pkts[i]
		p.hintFor, p.flow = 0, 0
		b := w.pool.Bytes(f)
		if len(b) < packet.EthernetLen+packet.IPv4Len+8 || b[12] != 8 || b[13] != 0 || b[14] != 0x45 {
			continue
		}
		ip := b[packet.EthernetLen:]
		dst := binary.BigEndian.Uint32(ip[16:])
		switch ip[9] {
		case packet.ProtoESP:
			continue // for us, as a rule: fetchSAs
		case packet.ProtoUDP:
			if binary.BigEndian.Uint16(ip[packet.IPv4Len+2:]) == natPort {
				continue
			}
		case packet.ProtoGRE:
			if w.ahead.here == routeKey(in.VRF, dst) {
				if w.wide {
					w.expectInside(p, w.ahead.inside, ip[packet.IPv4Len:])
				}
				continue
			}
		}
		w.expect(p, in.VRF, ip)
	}
	w.seen ^= w.hintAll()
	if w.tapped {
		w.tapClean(in, len(frames))
	}
}

// fetchSAs asks for the associations of the ESP packets among frames, which are the next ones to be handled.
func (w *Worker) fetchSAs(in *table.Port, frames []port.Frame) {
	f := &w.ahead.fetch
	for _, fr := range frames {
		b := w.pool.Bytes(fr)
		if len(b) < packet.EthernetLen+packet.IPv4Len+packet.UDPLen+4 || b[12] != 8 || b[13] != 0 || b[14] != 0x45 {
			continue
		}
		ip := b[packet.EthernetLen:]
		spi := ip[packet.IPv4Len:]
		switch {
		case ip[9] == packet.ProtoESP:
		case ip[9] == packet.ProtoUDP && binary.BigEndian.Uint16(spi[2:]) == natPort:
			spi = spi[packet.UDPLen:]
		default:
			continue
		}
		w.t.FetchSPI(f, in.VRF, binary.BigEndian.Uint32(ip[16:]), binary.BigEndian.Uint32(spi))
	}
	f.Go()
}

// expectInside expects the IPv4 packet in a GRE packet.
func (w *Worker) expectInside(p *pkt, vrf uint16, gre []byte) {
	g, fault := packet.ParseGRE(gre)
	if fault != packet.OK || g.Proto != packet.TypeIPv4 || len(gre) < int(g.Len)+packet.IPv4Len || gre[g.Len] != 0x45 {
		return
	}
	w.expect(p, vrf, gre[g.Len:])
}

// expect notes that a packet will be routed by the IPv4 header, without options, at the start of ip.
func (w *Worker) expect(p *pkt, vrf uint16, ip packet.IPv4) {
	a := &w.ahead
	dst := ip.Dst()
	p.hintFor = routeKey(vrf, dst)
	a.pkts[a.n] = expected{p, ip}
	l := &a.looks[a.n]
	l.VRF, l.Dst = vrf, dst
	if !w.wide {
		l.Hop = w.t.Lookup(vrf, dst) // the caches have it
	}
	a.n++
}

// hintAll gives all that is expected its hint, and loads what it leads to. What it returns is only to be kept.
func (w *Worker) hintAll() (x uint64) {
	a := &w.ahead
	if w.flows != nil {
		x = w.meetFlows()
	}
	looks := a.looks[:a.n]
	if w.wide {
		w.t.LookupAll(looks)
	}
	for i := range looks {
		l, e := &looks[i], &a.pkts[i]
		if l.Hop.Multi() {
			l.Hop = table.Hop(w.t.Path(l.Hop, flowHash(e.ip)))
		}
		e.p.hint = l.Hop
	}
	for i := range looks {
		x ^= w.t.FetchAdj(&a.fetch, looks[i].Hop)
	}
	a.fetch.Go()
	a.n = 0
	return x
}

// look decides, at the start of a poll, whether it looks ahead.
func (w *Worker) look() {
	far := w.t.Far()
	w.wide = w.t.Wide()
	if w.flows != nil {
		far, w.wide = w.lookFlows() || far, true
	}
	if w.far && !far {
		for i := range w.pkts {
			w.pkts[i].hintFor = 0 // else it would be of a poll long ago
		}
	}
	w.far = far
}

// lookInside is lookAhead for packets that have just been opened, and are mostly of the tunnel of those before.
func (w *Worker) lookInside() {
	t := w.lastTunnel
	o := &w.opening
	for i := range o.todo[:o.n] {
		j := &o.todo[i]
		j.p.hintFor, j.p.flow = 0, 0
		if t != nil {
			w.expectInside(j.p, t.VRF, j.p.chunk[j.at:])
		}
	}
	w.seen ^= w.hintAll()
}

// routeKey is what a route was looked up by; never 0.
func routeKey(vrf uint16, dst uint32) uint64 { return 1<<48 | uint64(vrf)<<32 | uint64(dst) }
