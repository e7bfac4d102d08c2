package sim

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/slowpath"
)

// Recv implements port.Port with the steering of the XDP program: to nave what it forwards or terminates; the rest
// is the kernel's.
func (p *routerPort) Recv(fs []port.Frame) int {
	n := p.end.Recv(fs)
	kept := 0
	for _, f := range fs[:n] {
		b := p.r.pool.Bytes(f)
		if p.r.linux.forNave(p, b) {
			p.r.linux.verdicts.Nave++
			fs[kept] = f
			kept++
			continue
		}
		p.r.linux.verdicts.Kernel++
		if s := p.space(); s != nil {
			s.frame(p.name, p.mac, b)
		}
		p.r.pool.Put(f.Chunk)
	}
	return kept
}

// space is the host stack that has the port, as a netdev.
func (p *routerPort) space() *space {
	if i, ok := p.r.iface(p.name); ok {
		return p.r.linux.of(i.VRF)
	}
	return p.r.linux.of(fib.Global)
}

// forNave is the rule of the XDP program.
func (l *linux) forNave(p *routerPort, b []byte) bool {
	eth, fault := packet.ParseEthernet(b)
	if fault != packet.OK {
		return false
	}
	i, known := l.r.iface(p.name)
	switch eth.Type() {
	case packet.TypeVLAN: // all frames of a subinterface: its twin is nave's
		vlan, ok := vlanOf(b)
		if ok {
			_, ok = l.r.tagged(p, vlan)
		}
		return ok && vlan != 0
	case packet.TypeMPLS:
		return known && i.MPLS && eth.Dst() == p.mac
	case packet.TypeIPv4:
	default:
		return false
	}
	if eth.Dst() != p.mac || len(b) < packet.EthernetLen+packet.IPv4Len {
		return false
	}
	ip := packet.IPv4(b[packet.EthernetLen:])
	s, dst := p.space(), addr4(ip.Dst())
	switch {
	case dst.IsMulticast() || ip.Dst() == 0xffffffff:
		return false
	case s != nil && s.owns(dst):
		return isIPsec(ip) && s.isSource(dst)
	}
	return true
}

// vlanOf is the VLAN of a tagged frame.
func vlanOf(frame []byte) (uint16, bool) {
	if len(frame) < packet.EthernetLen+packet.VLANLen {
		return 0, false
	}
	return binary.BigEndian.Uint16(frame[packet.EthernetLen:]) & packet.VLANID, true
}

// isSource tells whether an address is a tunnel source, of packets that are routed in this VRF.
func (s *space) isSource(a netip.Addr) bool {
	for _, i := range s.l.r.core.Current().Interfaces {
		if i.Tunnel != nil && i.Tunnel.Local == a && s.has(i.Tunnel.OuterVRF) {
			return true
		}
	}
	return false
}

func (s *space) tooBig(t slowpath.TooBig) {
	if vrf, ok := s.id(); ok && !s.l.r.orphan {
		s.l.r.core.Router().At(s.l.r.net.Now()).TooBig(vrf, t)
	}
}

// handOver tells whether frames wait that have arrived by now.
func (p *routerPort) handOver() int {
	if p.id != 0 {
		return 0
	}
	return p.discard()
}

// discard takes what arrives while no worker has the port: the kernel gets its own, and the rest is dropped.
func (p *routerPort) discard() int {
	var fs [16]port.Frame
	if p.end == nil || p.r.linux == nil {
		return 0
	}
	n := p.Recv(fs[:])
	for _, f := range fs[:n] {
		p.r.linux.verdicts.Nave--
		p.r.linux.verdicts.NoSocket++
		p.r.pool.Put(f.Chunk)
	}
	return n
}

// Send implements port.Port.
func (p *routerPort) Send(fs []port.Frame) int { return p.end.Send(fs) }

// Flush implements port.Port.
func (p *routerPort) Flush() {}

// FD implements port.Port.
func (p *routerPort) FD() int { return -1 }

// Close implements port.Port.
func (p *routerPort) Close() error { return nil }
