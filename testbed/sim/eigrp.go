package sim

import (
	"slices"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/eigrp"
)

// eigrpTOS is Internetwork Control.
const (
	eigrpTOS = 0xc0
	eigrpTTL = 2
)

var eigrpMAC = [6]byte{1, 0, 0x5e, 0, 0, 10}

// EIGRP implements slowpath.Linux: a raw socket of the VRF sends, to the group from the netdev that is said, to a neighbor as the kernel finds it there.
func (l *linux) EIGRP(vrf fib.VRF, e eigrp.Send) {
	s := l.of(vrf)
	if s == nil || !s.hasInterface(e.Iface) {
		return
	}
	s.stack.id++
	h := packet.Header{TOS: eigrpTOS, ID: s.stack.id, TTL: eigrpTTL, Proto: protoEIGRP, Src: e.From.As4(), Dst: e.To.As4()}
	b := make([]byte, packet.IPv4Len+len(e.Payload))
	h.Put(b, len(e.Payload))
	copy(b[packet.IPv4Len:], e.Payload)
	if e.To == eigrp.Group {
		l.toGroup(e.Iface, e.To, eigrpMAC, b)
	} else {
		l.out(e.Iface, e.To, b)
	}
}

// eigrp takes a packet of EIGRP: the socket is there while EIGRP has an interface in the VRF, and has joined the group on those.
func (s *space) eigrp(via string, ip packet.IPv4) {
	l := s.l
	id, ok := s.id()
	if !ok || l != l.r.linux || !l.r.running || l.r.orphan {
		return
	}
	open, joined := false, false
	for _, p := range l.r.core.Current().EIGRP {
		if p.Key.VRF == id {
			open = open || len(p.Run.Interfaces) > 0
			joined = joined || slices.ContainsFunc(p.Run.Interfaces, func(i eigrp.Interface) bool { return i.Name == via })
		}
	}
	group := addr4(ip.Dst()) == eigrp.Group
	if !open || group && !joined || !group && !s.owns(addr4(ip.Dst())) {
		return
	}
	p := eigrp.PacketReceived{Iface: via, From: addr4(ip.Src()), Multicast: group, Payload: ip.Payload()}
	life := l.r.life
	l.r.net.After(0, func() { // once the control plane is not in the middle of something
		if l.r.running && !l.r.orphan && l.r.life == life {
			l.r.core.Router().At(l.r.net.Now()).EIGRP(id, p)
			l.r.step(timer)
		}
	})
}
