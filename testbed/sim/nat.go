package sim

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath/packet"
)

// nat is address and port translation of UDP, as home routers have it: a port of the outside address for each inside address and port, whoever it
// speaks to (RFC 4787 section 4.1). Nothing else passes: no GRE, no ESP, no fragments.
type nat struct {
	outside netip.Addr
	ports   map[netip.AddrPort]uint16
	inside  map[uint16]netip.AddrPort
	next    uint16
}

const firstNATPort = 20001

// AddNAT makes a node that hides what is behind it. The outside link is the one whose subnet has the address outside.
func (n *Net) AddNAT(name, outside, gateway string) *Node {
	nd := n.addNode(name)
	nd.forward, nd.gateway = true, n.addr(gateway)
	nd.nat = &nat{outside: n.addr(outside), next: firstNATPort}
	nd.Rebind()
	return nd
}

// Rebind has a NAT forget its mappings: what comes from inside has other ports from then on, and what comes to the old ones is lost.
func (nd *Node) Rebind() {
	nd.nat.ports, nd.nat.inside = make(map[netip.AddrPort]uint16), make(map[uint16]netip.AddrPort)
}

// SetOutside gives a NAT another address, which must be on the outside link's subnet.
func (nd *Node) SetOutside(addr string) {
	for _, s := range nd.segments {
		if s.addr.Addr() == nd.nat.outside {
			delete(nd.own, nd.nat.outside)
			nd.nat.outside = nd.net.addr(addr)
			s.addr = netip.PrefixFrom(nd.nat.outside, s.addr.Bits())
			nd.own[nd.nat.outside] = true
			nd.Rebind()
			return
		}
	}
	nd.net.t.Fatalf("sim: %s has no link with %s", nd.name, nd.nat.outside)
}

// translate rewrites a packet that came by a segment. ok is false for what does not pass.
func (t *nat) translate(from *segment, ip packet.IPv4) (ok bool) {
	u := ip.Payload()
	if ip.Proto() != protoUDP || ip.IsFragment() || len(u) < packet.UDPLen {
		return false
	}
	if from.addr.Addr() == t.outside {
		to, known := t.inside[binary.BigEndian.Uint16(u[2:])]
		if !known || addr4(ip.Dst()) != t.outside {
			return false
		}
		binary.BigEndian.PutUint16(u[2:], to.Port())
		a := to.Addr().As4()
		copy(ip[16:20], a[:])
		ip.SetSum()
		return true
	}
	who := netip.AddrPortFrom(addr4(ip.Src()), binary.BigEndian.Uint16(u))
	port, known := t.ports[who]
	if !known {
		port = t.next
		t.next++
		t.ports[who], t.inside[port] = port, who
	}
	binary.BigEndian.PutUint16(u, port)
	a := t.outside.As4()
	copy(ip[12:16], a[:])
	ip.SetSum()
	return true
}
