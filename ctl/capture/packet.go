package capture

import (
	"encoding/binary"
	"net/netip"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
)

// Where on its way a packet was copied.
const (
	Received     = "received"     // by a port
	Sent         = "sent"         // by a port
	Decapsulated = "decapsulated" // it came out of a tunnel
	Encapsulated = "encapsulated" // it is about to go into a tunnel
	Dropped      = "dropped"
	Punted       = "punted" // to the control plane
)

// Packet is a copy as a value: where it was made, and what its headers say.
type Packet struct {
	Time      time.Time `json:"time"`
	Interface string    `json:"interface"`
	VRF       string    `json:"vrf,omitempty"` // empty: the global table
	Worker    int       `json:"worker"`
	Point     string    `json:"point"`
	Out       bool      `json:"out,omitempty"` // it leaves; otherwise it came in
	// Reason is the short name of why it was dropped or punted, and Text the same in words; Cause is why a copy or a fragment was lost. Lost is a punt that did not get through.
	Reason string     `json:"reason,omitempty"`
	Text   string     `json:"text,omitempty"`
	Cause  string     `json:"cause,omitempty"`
	Lost   bool       `json:"lost,omitempty"`
	Opened bool       `json:"opened,omitempty"` // what follows its ESP header is decrypted already
	Peer   netip.Addr `json:"peer,omitzero"`    // at the other end of the tunnel: its outer address

	Length   int      `json:"length"`   // bytes, of the frame on a port, of the packet in a tunnel
	Captured int      `json:"captured"` // bytes of it that were copied
	VLAN     uint16   `json:"vlan,omitempty"`
	Labels   []uint32 `json:"labels,omitempty"`
	Type     uint16   `json:"type,omitempty"` // Ethernet type, or GRE protocol, of what is no IPv4
	// Of the IPv4 header that comes first.
	Src      netip.Addr `json:"source,omitzero"`
	Dst      netip.Addr `json:"destination,omitzero"`
	Protocol uint8      `json:"protocol,omitempty"`
	TTL      uint8      `json:"ttl,omitempty"`
	Offset   int        `json:"offset,omitempty"`      // bytes, of a fragment that is not the first
	More     bool       `json:"more,omitempty"`        // fragments follow
	SrcPort  uint16     `json:"source_port,omitempty"` // of TCP and UDP
	DstPort  uint16     `json:"destination_port,omitempty"`
	ICMP     *ICMP      `json:"icmp,omitempty"`
	SPI      uint32     `json:"spi,omitempty"` // of ESP, in UDP or not, and of AH
	Sequence uint32     `json:"sequence,omitempty"`
}

// ICMP is type and code of a message.
type ICMP struct {
	Type uint8 `json:"type"`
	Code uint8 `json:"code"`
}

var pointNames = map[fastpath.CapturePoint]string{
	fastpath.CaptureRx: Received, fastpath.CaptureTx: Sent, fastpath.CaptureTunnelIn: Decapsulated, fastpath.CaptureTunnelOut: Encapsulated,
	fastpath.CaptureDrop: Dropped, fastpath.CapturePunt: Punted,
}

// leaves tells whether a copy is of what goes out.
func leaves(c *fastpath.Captured) bool {
	return c.Point&(fastpath.CaptureTx|fastpath.CaptureTunnelOut) != 0 || c.Point == fastpath.CaptureDrop && c.Reason.Class() == fastpath.ClassLink && c.Reason != fastpath.CopyLost
}

// Describe makes a value of a copy, but for its time and names.
func Describe(c *fastpath.Captured) Packet {
	p := Packet{Worker: c.Worker, Point: pointNames[c.Point], Out: leaves(c), Lost: c.Lost, Opened: c.Opened, Peer: c.Peer, Length: c.Len, Captured: len(c.Data)}
	if c.Point&(fastpath.CaptureDrop|fastpath.CapturePunt) != 0 {
		p.Reason, p.Text = c.Reason.String(), c.Reason.Text()
		if c.Cause != fastpath.Unknown {
			p.Cause = c.Cause.String()
		}
	}
	b, proto := c.Data, c.Proto
	if proto == 0 || proto == bridged {
		if len(b) < packet.EthernetLen {
			return p
		}
		proto, b = binary.BigEndian.Uint16(b[packet.EthernetLen-2:]), b[packet.EthernetLen:]
		for proto == packet.TypeVLAN && len(b) >= packet.VLANLen {
			p.VLAN = binary.BigEndian.Uint16(b) & packet.VLANID
			proto, b = binary.BigEndian.Uint16(b[2:]), b[packet.VLANLen:]
		}
	}
	for bottom := false; proto == packet.TypeMPLS && !bottom && len(b) >= packet.LabelLen; b = b[packet.LabelLen:] {
		e := packet.GetLSE(b)
		p.Labels = append(p.Labels, e.Label())
		if bottom = e.Bottom(); bottom {
			proto = packet.TypeIPv4 // as a rule: its version says
		}
	}
	if proto != packet.TypeIPv4 || len(b) < packet.IPv4Len || b[0]>>4 != 4 {
		p.Type = proto
		return p
	}
	p.ipv4(packet.IPv4(b))
	return p
}

// bridged is the GRE protocol of Ethernet frames.
const bridged = 0x6558

// natPort is UDP's for ESP (RFC 3948).
const natPort = 4500

// ipv4 reads an IPv4 packet, which may have been cut anywhere behind its fixed header.
func (p *Packet) ipv4(ip packet.IPv4) {
	src, dst := ip.Src(), ip.Dst()
	p.Src, p.Dst, p.Protocol, p.TTL = word(src), word(dst), ip.Proto(), ip.TTL()
	p.Offset, p.More = int(ip.FlagsOffset()&packet.OffsetMask)*8, ip.FlagsOffset()&packet.FlagMF != 0
	hl := int(ip[0]&15) * 4
	if hl < packet.IPv4Len || len(ip) < hl || p.Offset != 0 {
		return
	}
	b := ip[hl:]
	be := binary.BigEndian
	switch {
	case (p.Protocol == packet.ProtoTCP || p.Protocol == packet.ProtoUDP) && len(b) >= 4:
		p.SrcPort, p.DstPort = be.Uint16(b), be.Uint16(b[2:])
		if p.Protocol == packet.ProtoUDP && (p.SrcPort == natPort || p.DstPort == natPort) && len(b) >= packet.UDPLen+8 && be.Uint32(b[packet.UDPLen:]) != 0 {
			p.SPI, p.Sequence = be.Uint32(b[packet.UDPLen:]), be.Uint32(b[packet.UDPLen+4:])
		}
	case p.Protocol == packet.ProtoESP && len(b) >= 8:
		p.SPI, p.Sequence = be.Uint32(b), be.Uint32(b[4:])
	case p.Protocol == packet.ProtoAH && len(b) >= 12:
		p.SPI, p.Sequence = be.Uint32(b[4:]), be.Uint32(b[8:])
	case p.Protocol == packet.ProtoICMP && len(b) >= 2:
		p.ICMP = &ICMP{b[0], b[1]}
	}
}

func word(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}
