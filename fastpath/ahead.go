package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// lookAhead goes over the frames of a vector before they are forwarded, looks their routes up and loads what they will need of the tables (table/warm.go). It
// decides nothing: what it finds is a hint, and a packet that it misjudges takes a little longer.
func (w *Worker) lookAhead(in *table.Port, frames []port.Frame) {
	x := w.seen
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
			x ^= w.t.WarmSPI(in.VRF, dst, binary.BigEndian.Uint32(ip[packet.IPv4Len:]))
			continue // for us, as a rule
		case packet.ProtoUDP:
			if len(ip) >= packet.IPv4Len+packet.UDPLen+4 && binary.BigEndian.Uint16(ip[packet.IPv4Len+2:]) == natPort {
				x ^= w.t.WarmSPI(in.VRF, dst, binary.BigEndian.Uint32(ip[packet.IPv4Len+packet.UDPLen:]))
				continue
			}
		}
		p.hintFor = routeKey(in.VRF, dst)
		if w.flows != nil && ip[9] != packet.ProtoGRE {
			w.flows.aim(p, in.VRF, ip)
			continue
		}
		p.hint = w.t.Lookup(in.VRF, dst)
	}
	if w.flows != nil {
		x ^= w.meetFlows()
	}
	for i := range frames {
		if w.pkts[i].hintFor != 0 {
			x ^= w.t.WarmAdj(w.pkts[i].hint)
		}
	}
	w.seen = x
}

// look decides, at the start of a poll, whether it looks ahead.
func (w *Worker) look() {
	far := w.t.Far()
	if w.flows != nil {
		far = w.lookFlows() || far
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
	x := w.seen
	o := &w.opening
	for i := range o.todo[:o.n] {
		j := &o.todo[i]
		j.p.hintFor, j.p.flow = 0, 0
		gre := j.p.chunk[j.at:]
		if t == nil || len(gre) < 8+packet.IPv4Len {
			continue
		}
		ip := gre[4:]
		if gre[0]&(packet.GREKey>>8) != 0 {
			ip = gre[8:]
		}
		dst := binary.BigEndian.Uint32(ip[16:])
		j.p.hintFor = routeKey(t.VRF, dst)
		if w.flows != nil && ip[0] == 0x45 {
			w.flows.aim(j.p, t.VRF, ip)
			continue
		}
		j.p.hint = w.t.Lookup(t.VRF, dst)
	}
	if w.flows != nil {
		x ^= w.meetFlows()
	}
	for i := range o.todo[:o.n] {
		if p := o.todo[i].p; p.hintFor != 0 {
			x ^= w.t.WarmAdj(p.hint)
		}
	}
	w.seen = x
}

// routeKey is what a route was looked up by; never 0.
func routeKey(vrf uint16, dst uint32) uint64 { return 1<<48 | uint64(vrf)<<32 | uint64(dst) }
