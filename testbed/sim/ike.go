package sim

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/ike"
)

// Ports of IKE, and what tells its messages from ESP on the second (RFC 3948).
const (
	portIKE  = 500
	portNATT = 4500
)

var nonESP = []byte{0, 0, 0, 0}

// SendIKE implements slowpath.Linux: the kernel makes a UDP packet of the message, and routes it.
func (l *linux) SendIKE(p ike.Path, b []byte) {
	if p.Local.Port() == portNATT {
		b = append(slices.Clone(nonESP), b...)
	}
	l.sendUDP(p, b)
}

// SendNATKeepalive implements slowpath.Linux.
func (l *linux) SendNATKeepalive(p ike.Path) { l.sendUDP(p, []byte{0xff}) }

func (l *linux) sendUDP(p ike.Path, b []byte) {
	if s := l.of(fib.VRF(p.VRF)); s != nil {
		s.stack.id++
		s.send(IP(p.Local.Addr(), p.Remote.Addr(), protoUDP, defaultTTL, false, s.stack.id, UDP(p.Local.Port(), p.Remote.Port(), b)))
	}
}

// UDP puts a UDP header without checksum in front of a payload.
func UDP(src, dst uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// udp takes a UDP packet for the box: IKE, and what steering gave to the kernel because it came in fragments.
func (s *space) udp(via string, ip packet.IPv4) {
	u, r := ip.Payload(), s.l.r
	vrf, ok := s.id()
	if s.hello(via, ip) {
		return
	}
	if !ok || len(u) < packet.UDPLen || !r.running || r.orphan || !s.isSource(addr4(ip.Dst())) {
		return
	}
	src, dst, data := binary.BigEndian.Uint16(u), binary.BigEndian.Uint16(u[2:]), u[packet.UDPLen:]
	if dst != portIKE && dst != portNATT || len(data) < 4 {
		return // keepalives too
	}
	if dst == portNATT {
		if !slices.Equal(data[:4], nonESP) {
			s.l.espInUDP(via, ip)
			return
		}
		data = data[4:]
	}
	p := ike.Path{VRF: uint16(vrf), Local: netip.AddrPortFrom(addr4(ip.Dst()), dst), Remote: netip.AddrPortFrom(addr4(ip.Src()), src)}
	life := r.life
	r.net.After(0, func() {
		if r.running && r.life == life {
			r.core.Router().At(r.net.Now()).IKE(p, data)
			r.step(timer)
		}
	})
}

// espInUDP gives reassembled ESP back to the fast path, as the daemon does with what turns up on its socket.
func (l *linux) espInUDP(via string, ip packet.IPv4) {
	if i, ok := l.r.iface(via); ok && i.Port != 0 {
		l.inject(fastpath.Inject{Kind: fastpath.InjectInput, VRF: i.VRF, Port: i.Port, Packet: ip})
	}
}

// isIPsec is the rule of the XDP program for packets to a tunnel source: GRE, ESP and AH, and ESP in UDP that is no fragment.
func isIPsec(ip packet.IPv4) bool {
	switch ip.Proto() {
	case protoGRE, protoESP, protoAH:
		return true
	case protoUDP:
		u := ip.Payload()
		return !ip.IsFragment() && len(u) >= packet.UDPLen+4 && binary.BigEndian.Uint16(u[2:]) == portNATT && !slices.Equal(u[8:12], nonESP)
	}
	return false
}
