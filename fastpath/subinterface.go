package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// A subinterface is a port whose frames come and go by another one, its parent, with the tag of a VLAN. nave takes all of them, so here is decided what
// of them is the kernel's, too, which bpf/xdp.c does for other ports.

// dhcpClient is the UDP port of DHCP clients: an offer comes to an address that is not ours yet.
const dhcpClient = 68

// inputTagged takes a frame with a tag: off it goes, and the frame is the subinterface's.
func (w *Worker) inputTagged(p *pkt, parent *table.Port) verdict {
	f := &p.frame
	start := int(f.Start)
	if f.Len < packet.EthernetLen+packet.VLANLen {
		return p.drop(EthernetShort)
	}
	in := w.t.Subinterface(parent.ID, binary.BigEndian.Uint16(p.chunk[start+packet.EthernetLen:])&packet.VLANID)
	if in == nil {
		return p.drop(VLANUnknown)
	}
	words := w.c.ports[linkWords*int(in.ID):]
	words[rxPackets]++
	words[rxBytes] += uint64(f.Len)
	copy(p.chunk[start+packet.VLANLen:], p.chunk[start:start+packet.EthernetLen-2])
	f.Start += packet.VLANLen
	f.Len -= packet.VLANLen
	start += packet.VLANLen
	eth := packet.Ethernet(p.chunk[start : start+int(f.Len)])
	p.arrived(in)
	p.framed = true
	if eth.IsGroup() {
		return w.puntFrame(p)
	}
	if eth.DstWord() != in.MAC {
		return p.drop(EthernetOther)
	}
	switch eth.Type() {
	case packet.TypeIPv4:
		return w.inputSub(p, in, start+packet.EthernetLen)
	case packet.TypeMPLS:
		return w.mplsPort(p, in, eth, start+packet.EthernetLen)
	}
	return w.puntFrame(p)
}

// inputSub takes an IPv4 packet from its header on.
func (w *Worker) inputSub(p *pkt, in *table.Port, start int) verdict {
	ip, fault := packet.ParseIPv4(p.chunk[start : int(p.frame.Start)+int(p.frame.Len)])
	if fault != packet.OK {
		return p.drop(ipFault[fault])
	}
	p.ip, p.start = ip, start
	if ip.Proto() == packet.ProtoUDP && uint16(ip.Ports()) == dhcpClient {
		return w.puntFrame(p)
	}
	if in.Addr == 0 {
		return w.unaddressed(p)
	}
	return w.route(p)
}

// hosted tells whether the host takes the packet itself, as its interface would have: it came in by a subinterface, in clear, and is for an address there.
func (p *pkt) hosted() bool { return p.framed && p.tunnel == nil && p.top == 0 && !p.leaks }

// puntFrame hands the slow path the whole frame, without its tag.
func (w *Worker) puntFrame(p *pkt) verdict {
	start := int(p.frame.Start)
	return w.punt(p, Host, p.chunk[start:start+int(p.frame.Len)])
}

// wayOut is the queue of a port, or of its parent; nil where this worker has none.
//
//go:noinline
func (w *Worker) wayOut(id uint16) *queue {
	if int(id) >= len(w.ports) {
		return nil
	}
	if q := w.ports[id]; q != nil {
		return q
	}
	if sub := w.t.Port(uint32(id)); sub != nil && int(sub.Parent) < len(w.ports) {
		return w.ports[sub.Parent]
	}
	return nil
}

// countTagged counts a frame of n bytes that leaves by a subinterface.
func (w *Worker) countTagged(id uint16, n int) {
	words := w.c.ports[linkWords*int(id):]
	words[txPackets]++
	words[txBytes] += uint64(n)
}

// sendTagged puts the tag of a subinterface into a frame that the host made, and queues it.
func (w *Worker) sendTagged(p *pkt, q *queue, sub *table.Port) verdict {
	start := int(p.frame.Start) - packet.VLANLen
	copy(p.chunk[start:], p.chunk[start+packet.VLANLen:start+packet.VLANLen+packet.EthernetLen-2])
	tag := p.chunk[start+packet.EthernetLen-2:]
	binary.BigEndian.PutUint16(tag, packet.TypeVLAN)
	binary.BigEndian.PutUint16(tag[2:], sub.VLAN)
	f := port.Frame{Chunk: p.frame.Chunk, Start: uint16(start), Len: p.frame.Len + packet.VLANLen}
	w.countTagged(sub.ID, int(f.Len))
	w.enqueue(q, f)
	return sent
}
