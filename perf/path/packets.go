package path

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// addr is an IPv4 address as a number.
type addr uint32

func (a addr) bytes() (b [4]byte) {
	binary.BigEndian.PutUint32(b[:], uint32(a))
	return b
}

func (a addr) ip() netip.Addr { return netip.AddrFrom4(a.bytes()) }

// Addresses of the scene. Peers have theirs in 198.18.0.0/15, which is for benchmarks (RFC 2544); behind peer i lies 10.i/24 in 10.0.0.0/8.
const (
	hub       addr = 0xc0000201 // 192.0.2.1, the gateway's tunnel source
	gateway   addr = 0xac1f0001 // 172.31.0.1, its address on the LAN
	firstPeer addr = 0xc6120001 // 198.18.0.1
	firstHost addr = 0xac100001 // 172.16.0.1, who sends to peer 0
	firstNet  addr = 0x0a000005 // 10.0.0.5, to whom
)

// target is the address that flow i goes to, and source where it comes from.
func target(i int) addr { return firstNet + addr(i)<<8 }
func source(i int) addr { return firstHost + addr(i) }
func peer(i int) addr   { return firstPeer + addr(i) }

// targetFlow is the flow that goes to an address.
func targetFlow(a uint32) int { return int(a-uint32(firstNet)) >> 8 }

// spi is the SPI of association i, from 0: numbers all over the range, as peers choose them.
func spi(i int) uint32 { return uint32(i+1) * 0x9e3779b1 }

// Link addresses: the gateway's on both ports, the host's on its LAN, and the next router's on its WAN.
var (
	wanMAC  = [6]byte{2, 0, 0, 0, 0, 1}
	lanMAC  = [6]byte{2, 0, 0, 0, 0, 2}
	hostMAC = [6]byte{2, 0, 0, 0, 0, 3}
	nextMAC = [6]byte{2, 0, 0, 0, 0, 4}
)

// own is the gateway's link address on a port, and neighbour that of whoever is there.
func own(p fib.PortID) [6]byte {
	if p == wan {
		return wanMAC
	}
	return lanMAC
}

func neighbour(p fib.PortID) [6]byte {
	if p == wan {
		return nextMAC
	}
	return hostMAC
}

const (
	tunnelKey = 1000
	greLen    = 8 // with a key
	udpLen    = 8
	linkMTU   = 1500
	tunnelMTU = 1400
	innerTTL  = 64
)

// inner is the packet of a flow, size bytes of UDP over IPv4, with that TTL.
func inner(flow, size int, ttl uint8) []byte {
	b := make([]byte, size)
	h := packet.Header{TTL: ttl, Proto: packet.ProtoUDP, Src: source(flow).bytes(), Dst: target(flow).bytes(), ID: uint16(flow)}
	h.Put(b, size-packet.IPv4Len)
	udp := b[packet.IPv4Len:]
	binary.BigEndian.PutUint16(udp, 4000+uint16(flow%1000))
	binary.BigEndian.PutUint16(udp[2:], 5000)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	for i := udpLen; i < len(udp); i++ {
		udp[i] = byte(i*7 + i>>8)
	}
	return b
}

// ethernet is a frame with a payload.
func ethernet(dst, src [6]byte, typ uint16, payload []byte) []byte {
	b := make([]byte, packet.EthernetLen, packet.EthernetLen+len(payload))
	packet.PutEthernet(b, dst, src, typ)
	return append(b, payload...)
}

// gre is a packet of a tunnel from src to dst in clear.
func gre(src, dst addr, payload []byte) []byte {
	b := make([]byte, packet.IPv4Len+greLen, packet.IPv4Len+greLen+len(payload))
	h := packet.Header{TTL: 255, Proto: packet.ProtoGRE, Src: src.bytes(), Dst: dst.bytes()}
	h.Put(b, greLen+len(payload))
	packet.PutGRE(b[packet.IPv4Len:], packet.TypeIPv4, tunnelKey, true)
	return append(b, payload...)
}

// under is a packet under a label.
func under(label uint32, ip []byte) []byte {
	b := make([]byte, packet.LabelLen, packet.LabelLen+len(ip))
	packet.MakeLSE(label, 0, true, innerTTL).Put(b)
	return append(b, ip...)
}

// linkAdj leads out of a port to a neighbour.
func linkAdj(id fib.AdjID, p fib.PortID, dst, src [6]byte) fib.Adjacency {
	return fib.Adjacency{
		ID: id, Kind: fib.AdjLink, Port: p, Outer: ethernet(dst, src, packet.TypeIPv4, nil), MTU: linkMTU, LinkMTU: linkMTU,
	}
}

// tunnelAdj leads by GRE from src to dst, whose frames have the link addresses, sealed by an association unless it is 0.
func tunnelAdj(id fib.AdjID, src, dst addr, eth []byte, sa fib.SAID) fib.Adjacency {
	a := fib.Adjacency{
		ID: id, Kind: fib.AdjTunnel, Port: wan, Tunnel: tunnelID, Inner: make([]byte, greLen), SA: sa, MTU: tunnelMTU, LinkMTU: linkMTU,
	}
	packet.PutGRE(a.Inner, packet.TypeIPv4, tunnelKey, true)
	ip := make([]byte, packet.IPv4Len)
	h := packet.Header{TTL: 255, Proto: packet.ProtoGRE, Src: src.bytes(), Dst: dst.bytes()}
	h.Put(ip, 0)
	ip[2], ip[3], ip[10], ip[11] = 0, 0, 0, 0
	a.Outer = append(append(a.Outer, eth...), ip...)
	return a
}
