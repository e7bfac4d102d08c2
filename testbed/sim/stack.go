package sim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/packet"
	"nave/slowpath"
)

// Received is a packet that a host stack got.
type Received struct {
	At     time.Time
	Via    string // the interface: of a router its tunnel or port
	Packet packet.IPv4
}

// stack is a host stack: it answers pings and remembers what it got.
type stack struct {
	net      *Net
	owns     func(netip.Addr) bool
	send     func(ip []byte)
	tooBig   func(slowpath.TooBig) // of packets of tunnels; nil for none
	udp      func(via string, ip packet.IPv4)
	tcp      func(ip packet.IPv4)
	eigrp    func(via string, ip packet.IPv4)
	received []Received
	pieces   map[pieceKey][]Received
	id       uint16
}

type pieceKey struct {
	src, dst uint32
	id       uint16
}

// keepReceived is how many packets a stack remembers.
const keepReceived = 8192

// receive takes a packet for this box, or for a group or broadcast.
func (s *stack) receive(via string, b []byte) {
	ip, fault := packet.ParseIPv4(slices.Clone(b))
	if fault != packet.OK {
		return
	}
	got := Received{s.net.Now(), via, ip}
	if ip.IsFragment() {
		if got.Packet = s.reassemble(got); got.Packet == nil {
			return
		}
		ip = got.Packet
	}
	if ip.Proto() == protoEIGRP && s.eigrp != nil {
		s.eigrp(via, ip)
		return // there are too many to remember
	}
	if len(s.received) < keepReceived {
		s.received = append(s.received, got)
	}
	if ip.Proto() == protoUDP && s.udp != nil {
		s.udp(via, ip)
	}
	if ip.Proto() == protoTCP && s.tcp != nil {
		s.tcp(ip)
	}
	if ip.Proto() != protoICMP {
		return
	}
	m, fault := packet.ParseICMP(ip.Payload())
	if fault != packet.OK {
		return
	}
	switch m.Type() {
	case packet.ICMPEchoRequest:
		if s.owns(addr4(ip.Dst())) {
			s.reply(ip, m)
		}
	case packet.ICMPEchoReply:
		s.net.answered(s, ip, binary.BigEndian.Uint16(m[6:]), nil)
	case packet.ICMPUnreachable, packet.ICMPTimeExceeded:
		s.error(ip, m)
	}
}

func (s *stack) reply(ip packet.IPv4, m packet.ICMP) {
	r := slices.Clone(m)
	r[0], r[2], r[3] = packet.ICMPEchoReply, 0, 0
	binary.BigEndian.PutUint16(r[2:], packet.Checksum(r))
	s.id++
	s.send(IP(addr4(ip.Dst()), addr4(ip.Src()), protoICMP, defaultTTL, false, s.id, r))
}

// error takes an ICMP error: about a probe, or about a tunnel's packet.
func (s *stack) error(ip packet.IPv4, m packet.ICMP) {
	q := m.Body()
	if len(q) < packet.IPv4Len+packet.ICMPLen || q[0]>>4 != 4 {
		return
	}
	quoted := packet.IPv4(q)
	hl := quoted.HeaderLen()
	if len(q) < hl+packet.ICMPLen {
		return
	}
	switch {
	case quoted.Proto() == protoICMP && q[hl] == packet.ICMPEchoRequest:
		s.net.answered(s, ip, binary.BigEndian.Uint16(q[hl+6:]), m)
	case s.tooBig != nil && m.Type() == packet.ICMPUnreachable && m.Code() == packet.CodeFragNeeded:
		switch quoted.Proto() {
		case protoGRE, protoESP, protoAH, protoUDP:
			s.tooBig(slowpath.TooBig{Local: addr4(quoted.Src()), Remote: addr4(quoted.Dst()), Protocol: quoted.Proto(), MTU: m.MTU(), Quoted: q[hl:]})
		}
	}
}

// reassemble returns the whole packet once all its pieces are there.
func (s *stack) reassemble(got Received) packet.IPv4 {
	ip := got.Packet
	k := pieceKey{ip.Src(), ip.Dst(), ip.ID()}
	if s.pieces == nil {
		s.pieces = make(map[pieceKey][]Received)
	}
	ps := append(s.pieces[k], got)
	s.pieces[k] = ps
	slices.SortStableFunc(ps, func(a, b Received) int {
		return int(a.Packet.FlagsOffset()&packet.OffsetMask) - int(b.Packet.FlagsOffset()&packet.OffsetMask)
	})
	var whole []byte
	for _, p := range ps {
		if int(p.Packet.FlagsOffset()&packet.OffsetMask)*8 != len(whole) {
			return nil
		}
		whole = append(whole, p.Packet.Payload()...)
	}
	if ps[len(ps)-1].Packet.FlagsOffset()&packet.FlagMF != 0 {
		return nil
	}
	delete(s.pieces, k)
	first := ps[0].Packet
	out := packet.IPv4(append(bytes.Clone(first[:first.HeaderLen()]), whole...))
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	out[6], out[7] = 0, 0
	out.SetSum()
	return out
}

// Received lists what a router's or node's host stack got since the last call; of a router, in the global table.
func (n *Net) Received(name string) []Received { return n.ReceivedIn(name, "") }

// ReceivedIn is Received in a VRF of a router.
func (n *Net) ReceivedIn(name, vrf string) []Received {
	n.t.Helper()
	var s *stack
	switch e := n.elements[name].(type) {
	case *Router:
		s = &e.linux.space(vrf).stack
	case *Node:
		s = &e.stack
	default:
		n.t.Fatalf("sim: there is no node %s", name)
	}
	out := s.received
	s.received = nil
	return out
}
