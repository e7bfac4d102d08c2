package fastpath

import (
	"encoding/binary"
	"fmt"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// InjectKind says what to do with an injected packet.
type InjectKind uint8

// Kinds.
const (
	// InjectRoute routes an IPv4 packet of this box in the VRF of Tunnel if that is set, or else of Port if that is, or else in VRF. Its TTL
	// stays. For a multicast or broadcast address it goes to the group of Tunnel, or else of Port; link-local groups too. A Tunnel has to be in VRF still: what
	// the host of one VRF has sent does not go on in another.
	InjectRoute InjectKind = iota + 1
	// InjectAdjacent pushes Packet through adjacency Adj as GRE protocol Proto, with TOS outside.
	InjectAdjacent
	// InjectGroup does the same for each member of Group.
	InjectGroup
	// InjectInput treats an IPv4 packet as though it had arrived at Port, which has to be in VRF still, or with Port 0 as though a label had led it into VRF: one that was
	// reassembled.
	InjectInput
	// InjectFrame sends an Ethernet frame out of Port as it is, or with the tag of a subinterface, which has to be in VRF still.
	InjectFrame
	// InjectLabelled does with Packet, which begins with a label stack, what its first label says. Its TTL is counted down.
	InjectLabelled
)

// Inject is a packet on its way from the slow path to a worker.
type Inject struct {
	Kind   InjectKind
	Worker int // which worker sends it, from 0
	VRF    fib.VRF
	Port   fib.PortID
	Tunnel fib.TunnelID
	Adj    fib.AdjID
	Group  fib.GroupID
	Proto  uint16 // GRE protocol: 0x2001 for NHRP. 0 is IPv4
	TOS    uint8  // of the outer header, for a Proto that is not IPv4
	Packet []byte // is copied
}

const injectHeader = 32

// Inject gives a packet to a worker, which handles it in its next poll. ErrRingFull and ErrTooLong are of the packet; other errors
// are faults of the caller.
func (e *Engine) Inject(in Inject) error {
	w := e.Worker(in.Worker)
	if w == nil {
		return fmt.Errorf("fastpath: inject: there is no worker %d", in.Worker)
	}
	if in.Kind < InjectRoute || in.Kind > InjectLabelled {
		return fmt.Errorf("fastpath: inject: kind %d does not exist", in.Kind)
	}
	if len(in.Packet) > min(e.cfg.SlotSize-injectHeader, w.room) {
		return fmt.Errorf("fastpath: inject %d bytes: %w (at most %d)", len(in.Packet), ErrTooLong, min(e.cfg.SlotSize-injectHeader, w.room))
	}
	w.injectMu.Lock()
	defer w.injectMu.Unlock()
	if w.injects == nil {
		return fmt.Errorf("fastpath: inject: the engine is closed")
	}
	s := w.injects.Reserve()
	if s == nil {
		return ErrRingFull
	}
	in.encode(s)
	w.injects.Commit()
	if w.injects.TakeWake() {
		w.wake.kick()
	}
	return nil
}

func (in *Inject) encode(s []byte) {
	le := binary.LittleEndian
	s[0], s[1] = byte(in.Kind), in.TOS
	le.PutUint16(s[2:], uint16(len(in.Packet)))
	le.PutUint16(s[4:], uint16(in.VRF))
	le.PutUint16(s[6:], uint16(in.Port))
	le.PutUint16(s[8:], uint16(in.Tunnel))
	le.PutUint16(s[10:], in.Proto)
	le.PutUint32(s[12:], uint32(in.Adj))
	le.PutUint32(s[16:], uint32(in.Group))
	copy(s[injectHeader:], in.Packet)
}

// drainInjects handles one burst of the inject ring.
func (w *Worker) drainInjects() int {
	n := 0
	for ; n < w.burst; n++ {
		s := w.down.Peek()
		if s == nil {
			break
		}
		w.injectOne(s)
		w.down.Release()
	}
	w.c.words[cntInjected] += uint64(n)
	return n
}

func (w *Worker) injectOne(s []byte) {
	le := binary.LittleEndian
	p := &w.pkt
	n := min(int(le.Uint16(s[2:])), len(s)-injectHeader)
	f, ok := w.newFrame(n)
	if !ok {
		w.c.words[cntReasons+int(NoFrame)]++
		if w.tapped {
			*p = pkt{own: true, vrf: le.Uint16(s[4:]), ip: s[injectHeader : injectHeader+n]}
			w.tapEnd(CaptureDrop, p, NoFrame, Unknown, false)
		}
		return
	}
	*p = pkt{frame: f, chunk: w.pool.Chunk(f), start: int(f.Start), own: true, vrf: le.Uint16(s[4:])}
	p.ip = p.chunk[p.start : p.start+n]
	copy(p.ip, s[injectHeader:])
	var v verdict
	switch portID := uint32(le.Uint16(s[6:])); InjectKind(s[0]) {
	case InjectRoute:
		v = w.injectRoute(p, portID, uint32(le.Uint16(s[8:])))
	case InjectAdjacent:
		v = w.injectAdjacent(p, le.Uint32(s[12:]), le.Uint16(s[10:]), s[1])
	case InjectGroup:
		p.gre, p.tos = le.Uint16(s[10:]), s[1]
		v = w.injectGroup(p, le.Uint32(s[16:]))
	case InjectInput:
		v = w.injectInput(p, portID)
	case InjectFrame:
		v = w.injectFrame(p, portID)
	case InjectLabelled:
		v = w.mplsSwitch(p, p.start, p.start+n)
	default:
		v = p.drop(InjectBad)
	}
	w.finish(p, v)
	if w.tapped {
		w.tapHeld(p)
	}
}

// injectRoute routes a packet that this box made.
func (w *Worker) injectRoute(p *pkt, portID, tunnelID uint32) verdict {
	ip, fault := packet.ParseIPv4(p.ip)
	if fault != packet.OK {
		return p.drop(ipFault[fault])
	}
	p.ip = ip
	var group uint32
	if tunnelID != 0 {
		t := w.t.Tunnel(tunnelID)
		if t == nil || t.VRF != p.vrf {
			return p.drop(InjectBad)
		}
		p.mss, group = t.MSS, t.Group
	} else if in := w.t.Port(portID); in != nil {
		p.vrf, p.mss, group = in.VRF, in.MSS, in.Group
	} else if portID != 0 {
		return p.drop(InjectBad)
	}
	dst := ip.Dst()
	if dst>>28 == 14 || dst == allOnes {
		return w.replicate(p, group, 0, 0)
	}
	id := w.path(p, dst)
	if id == uint32(fib.Receive) {
		return p.drop(InjectToSelf)
	}
	return w.forward(p, id)
}

// injectAdjacent sends a payload by one adjacency.
func (w *Worker) injectAdjacent(p *pkt, id uint32, proto uint16, tos uint8) verdict {
	a := w.t.Adj(id)
	if a == nil || a.Kind != fib.AdjTunnel && a.Kind != fib.AdjLink {
		return p.drop(InjectBad)
	}
	if a.Flags&table.AdjMustSeal != 0 {
		return p.drop(NoSA)
	}
	if proto == 0 || proto == packet.TypeIPv4 {
		ip, fault := packet.ParseIPv4(p.ip)
		if fault != packet.OK {
			return p.drop(ipFault[fault])
		}
		p.ip = ip
		return w.output(p, a, id)
	}
	if a.Kind == fib.AdjLink || a.Labels != 0 {
		return p.drop(InjectBad)
	}
	p.gre = proto
	return w.encapsulate(p, a, id, len(p.ip), tos, false)
}

// injectGroup sends a payload by each member of a group.
func (w *Worker) injectGroup(p *pkt, group uint32) verdict {
	if p.gre == packet.TypeIPv4 {
		p.gre = 0
	}
	if p.gre == 0 {
		ip, fault := packet.ParseIPv4(p.ip)
		if fault != packet.OK {
			return p.drop(ipFault[fault])
		}
		p.ip = ip
	}
	return w.replicate(p, group, 0, 0)
}

// injectInput starts a packet over as though a port had received it.
func (w *Worker) injectInput(p *pkt, portID uint32) verdict {
	var nowhere table.Port
	in := w.t.Port(portID)
	if portID == 0 {
		in = &nowhere
		in.VRF = p.vrf
	}
	if in == nil || in.VRF != p.vrf {
		return p.drop(InjectBad)
	}
	return w.inputIP(p, in, p.start)
}

// injectFrame sends a frame as it is.
func (w *Worker) injectFrame(p *pkt, portID uint32) verdict {
	q := w.wayOut(uint16(portID))
	if q == nil {
		return p.drop(PortDown)
	}
	if len(p.ip) < packet.EthernetLen {
		return p.drop(EthernetShort)
	}
	if uint32(q.id) != portID {
		sub := w.t.Port(portID) // which may have changed since wayOut looked
		if sub == nil || sub.Parent != uint16(q.id) || sub.VRF != p.vrf {
			return p.drop(InjectBad)
		}
		return w.sendTagged(p, q, sub)
	}
	w.enqueue(q, p.frame)
	return sent
}
