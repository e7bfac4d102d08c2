package sim

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"nave/fastpath/packet"
)

// translate rewrites a packet that came by a segment. ok is false for what does not pass.
func (t *nat) translate(from *segment, ip packet.IPv4) (ok bool) {
	if t.isBlocked(ip) {
		return false
	}
	if from.addr.Addr() == t.outside {
		return t.enter(ip)
	}
	to := addr4(ip.Dst())
	own := to == t.outside || t.in[to].IsValid()
	if own && !t.cfg.Hairpin || !t.leave(ip) {
		return false
	}
	return !own || t.enter(ip)
}

func (t *nat) isBlocked(ip packet.IPv4) bool {
	u := ip.Payload()
	if len(t.blocked) == 0 || ip.Proto() != protoUDP || ip.FlagsOffset()&packet.OffsetMask != 0 || len(u) < packet.UDPLen {
		return false
	}
	return slices.Contains(t.blocked, binary.BigEndian.Uint16(u)) || slices.Contains(t.blocked, binary.BigEndian.Uint16(u[2:]))
}

// leave rewrites the source of a packet from inside.
func (t *nat) leave(ip packet.IPv4) bool {
	src, dst := addr4(ip.Src()), addr4(ip.Dst())
	if a := t.out[src]; a.IsValid() {
		setSource(ip, a)
		return true
	}
	u := ip.Payload()
	switch {
	case t.isRaw(ip):
		k := rawKey{ip.Proto(), dst}
		if m := t.raw[k]; m == nil || !t.fresh(m.last) {
			t.raw[k] = &mapping{key: flowKey{inside: netip.AddrPortFrom(src, 0)}}
		}
		if t.raw[k].key.inside.Addr() != src {
			return false
		}
		t.raw[k].last = t.node.net.now
	case ip.Proto() == protoUDP && !ip.IsFragment() && len(u) >= packet.UDPLen:
		m := t.outbound(netip.AddrPortFrom(src, binary.BigEndian.Uint16(u)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(u[2:])))
		setPort(ip, 0, m.outside)
	default:
		return false
	}
	setSource(ip, t.outside)
	return true
}

// enter rewrites the destination of a packet from outside.
func (t *nat) enter(ip packet.IPv4) bool {
	src, dst := addr4(ip.Src()), addr4(ip.Dst())
	if a := t.in[dst]; a.IsValid() {
		setDestination(ip, a)
		return true
	}
	u := ip.Payload()
	switch {
	case dst != t.outside:
		return false
	case t.isRaw(ip):
		m := t.raw[rawKey{ip.Proto(), src}]
		if m == nil || !t.fresh(m.last) {
			return false
		}
		setDestination(ip, m.key.inside.Addr())
		return true
	case ip.Proto() == protoICMP:
		return t.enterError(ip)
	case ip.Proto() != protoUDP || ip.IsFragment() || len(u) < packet.UDPLen:
		return false
	}
	to, ok := t.inbound(binary.BigEndian.Uint16(u[2:]), netip.AddrPortFrom(src, binary.BigEndian.Uint16(u)))
	if ok {
		setPort(ip, 2, to.Port())
		setDestination(ip, to.Addr())
	}
	return ok
}

// enterError rewrites an ICMP error about UDP that left by the box, with the packet that it quotes (RFC 5508 section 4.2).
func (t *nat) enterError(ip packet.IPv4) bool {
	m, fault := packet.ParseICMP(ip.Payload())
	if fault != packet.OK || m.Type() != packet.ICMPUnreachable && m.Type() != packet.ICMPTimeExceeded {
		return false
	}
	q := m.Body()
	if len(q) < packet.IPv4Len || len(q) < packet.IPv4(q).HeaderLen()+packet.UDPLen {
		return false
	}
	quoted := packet.IPv4(q)
	u := q[quoted.HeaderLen():]
	if quoted.Proto() != protoUDP || addr4(quoted.Src()) != t.outside {
		return false
	}
	to, ok := t.inbound(binary.BigEndian.Uint16(u), netip.AddrPortFrom(addr4(quoted.Dst()), binary.BigEndian.Uint16(u[2:])))
	if !ok {
		return false
	}
	binary.BigEndian.PutUint16(u, to.Port())
	a := to.Addr().As4()
	copy(q[12:16], a[:])
	quoted.SetSum()
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], packet.Checksum(m))
	setDestination(ip, to.Addr())
	return true
}

func (t *nat) isRaw(ip packet.IPv4) bool {
	return t.cfg.OneRaw && (ip.Proto() == protoESP || ip.Proto() == protoGRE)
}

func setSource(ip packet.IPv4, a netip.Addr)      { setAddr(ip, 12, a) }
func setDestination(ip packet.IPv4, a netip.Addr) { setAddr(ip, 16, a) }

// setAddr writes an address into the header; the checksum of UDP covers it, too.
func setAddr(ip packet.IPv4, at int, a netip.Addr) {
	b := a.As4()
	for k := 0; k < 4; k += 2 {
		amend(ip, binary.BigEndian.Uint16(ip[at+k:]), binary.BigEndian.Uint16(b[k:]))
	}
	copy(ip[at:at+4], b[:])
	ip.SetSum()
}

// setPort writes a port of UDP, at byte at of its header.
func setPort(ip packet.IPv4, at int, port uint16) {
	u := ip.Payload()
	amend(ip, binary.BigEndian.Uint16(u[at:]), port)
	binary.BigEndian.PutUint16(u[at:], port)
}

// amend mends the checksum of UDP, where there is one, for 16 bits that change (RFC 1624).
func amend(ip packet.IPv4, was, is uint16) {
	u := ip.Payload()
	if ip.Proto() != protoUDP || ip.FlagsOffset()&packet.OffsetMask != 0 || len(u) < packet.UDPLen || u[6]|u[7] == 0 {
		return
	}
	sum := uint32(^binary.BigEndian.Uint16(u[6:])) + uint32(^was) + uint32(is)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	c := ^uint16(sum)
	if c == 0 {
		c = 0xffff // zero would say that there is none
	}
	binary.BigEndian.PutUint16(u[6:], c)
}
