package sim

import (
	"net/netip"
	"slices"

	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
	"nave/slowpath/icmp"
)

// Node is a host, or a router of the internet: IPv4, static routes, a host stack.
type Node struct {
	net      *Net
	name     string
	forward  bool
	gateway  netip.Addr
	segments []*segment
	ports    []nodePort
	own      map[netip.Addr]bool
	onLink   map[netip.Addr][]int // ports whose segment has the address
	stack    stack
	nat      *nat // of one that hides what is behind it
}

// segment is what a node has an address on: a link, or several links with a switch between.
type segment struct {
	name string
	addr netip.Prefix // the zero Prefix: only a switch
	also []netip.Addr
	mac  [6]byte
}

type nodePort struct {
	seg  *segment
	end  *mem.End
	link *Link
}

// AddHost makes a host with a default route.
func (n *Net) AddHost(name, gateway string) *Node {
	h := n.addNode(name)
	if gateway != "" {
		h.gateway = n.addr(gateway)
	}
	return h
}

// AddInternet makes a node that forwards between the subnets of its links, and has no other routes.
func (n *Net) AddInternet(name string) *Node {
	c := n.addNode(name)
	c.forward = true
	return c
}

func (n *Net) addNode(name string) *Node {
	n.t.Helper()
	nd := &Node{net: n, name: name, own: make(map[netip.Addr]bool), onLink: make(map[netip.Addr][]int)}
	nd.stack = stack{net: n, owns: nd.owns, send: nd.send}
	n.add(nd)
	return nd
}

func (n *Net) addr(s string) netip.Addr {
	n.t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		n.t.Fatalf("sim: %v", err)
	}
	return a
}

// Segment gives a node a switch with an address of its own, or with "" without one; links whose end is "node:name" are plugged into it.
func (nd *Node) Segment(name, prefix string) {
	nd.net.t.Helper()
	s := &segment{name: name, mac: nd.net.newMAC()}
	nd.segments = append(nd.segments, s)
	if prefix == "" {
		return
	}
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		nd.net.t.Fatalf("sim: %s: %v", nd.name, err)
	}
	s.addr = p
	nd.own[p.Addr()] = true
}

// Alias gives a node another address on its first segment.
func (nd *Node) Alias(addr string) {
	nd.net.t.Helper()
	a := nd.net.addr(addr)
	nd.segments[0].also = append(nd.segments[0].also, a)
	nd.own[a] = true
}

func (nd *Node) plug(what string, l *Link) (attachment, func(*mem.End)) {
	nd.net.t.Helper()
	if _, err := netip.ParsePrefix(what); err == nil {
		nd.Segment(what, what)
	}
	for _, s := range nd.segments {
		if s.name == what {
			nd.ports = append(nd.ports, nodePort{seg: s, link: l})
			clear(nd.onLink)
			k := len(nd.ports) - 1
			return attachment{nd, k}, func(e *mem.End) { nd.ports[k].end = e }
		}
	}
	nd.net.t.Fatalf("sim: %s has no segment %q", nd.name, what)
	return attachment{}, nil
}

func (nd *Node) called() string  { return nd.name }
func (nd *Node) linkChanged(int) {}

func (nd *Node) owns(a netip.Addr) bool { return nd.own[a] }

// near lists the ports whose segment has an address.
func (nd *Node) near(a netip.Addr) []int {
	ks, ok := nd.onLink[a]
	if !ok {
		for k := range nd.ports {
			if nd.ports[k].seg.addr.Contains(a) {
				ks = append(ks, k)
			}
		}
		nd.onLink[a] = ks
	}
	return ks
}

// answers speaks for the segment, and for what is behind its other ports: it passes tagged frames on, and has no address in a VLAN itself.
func (nd *Node) answers(at int, vlan uint16, addr [4]byte) ([6]byte, bool) {
	seg := nd.ports[at].seg
	if a := netip.AddrFrom4(addr); vlan == 0 && (seg.addr.Addr() == a || slices.Contains(seg.also, a) || nd.nat != nil && nd.nat.speaksFor(seg, a)) {
		return seg.mac, true
	}
	for k := range nd.ports {
		if k == at || nd.ports[k].seg != seg {
			continue
		}
		if mac, ok := nd.ports[k].link.resolve(nd, vlan, addr); ok {
			return mac, true
		}
	}
	return [6]byte{}, false
}

// step takes the frames that have arrived at a port.
func (nd *Node) step(at int) {
	if at == timer {
		return
	}
	var fs [16]port.Frame
	for {
		k := nd.ports[at].end.Recv(fs[:])
		if k == 0 {
			return
		}
		for _, f := range fs[:k] {
			b := append([]byte(nil), nd.net.pool.Bytes(f)...)
			nd.net.pool.Put(f.Chunk)
			nd.frame(at, b)
		}
	}
}

func (nd *Node) frame(at int, b []byte) {
	eth, fault := packet.ParseEthernet(b)
	if fault != packet.OK {
		return
	}
	seg := nd.ports[at].seg
	if eth.Dst() != seg.mac {
		nd.switchFrame(at, b)
		if !eth.IsGroup() {
			return
		}
	}
	if eth.Type() == packet.TypeIPv4 {
		nd.input(seg, b[packet.EthernetLen:])
	}
}

// switchFrame sends a frame out of the other ports of a segment: flooding, as a switch that has learned nothing does.
func (nd *Node) switchFrame(at int, b []byte) {
	for k := range nd.ports {
		if k != at && nd.ports[k].seg == nd.ports[at].seg {
			nd.transmit(k, b)
		}
	}
}

func (nd *Node) input(seg *segment, b []byte) {
	ip, fault := packet.ParseIPv4(b)
	if fault != packet.OK {
		return
	}
	if nd.nat != nil {
		if nd.nat.translate(seg, ip) && ip.TTL() > 1 {
			nd.route(seg, ip)
		}
		return
	}
	dst := addr4(ip.Dst())
	switch {
	case nd.owns(dst) || dst.IsMulticast() || ip.Dst() == 0xffffffff:
		nd.stack.receive(seg.name, ip)
	case !nd.forward:
	case ip.TTL() <= 1:
		nd.fail(icmp.TTLExceeded, 0, seg, ip)
	default:
		nd.route(seg, ip)
	}
}

// fail sends an ICMP error to the sender of a packet that came by seg.
func (nd *Node) fail(k icmp.Kind, mtu int, seg *segment, ip packet.IPv4) {
	if msg, ok := icmp.Error(k, uint16(mtu), seg.addr.Addr(), ip); ok {
		nd.send(msg)
	}
}

// route forwards a packet; what came by seg loses a hop.
func (nd *Node) route(from *segment, ip packet.IPv4) {
	at, mac, ok := nd.towards(addr4(ip.Dst()))
	if !ok {
		if from != nil {
			nd.fail(icmp.HostUnreachable, 0, from, ip)
		}
		return
	}
	mtu := nd.ports[at].link.cfg.MTU
	if len(ip) > mtu && ip.DF() {
		if from != nil {
			nd.fail(icmp.FragmentationNeeded, mtu, from, ip)
		}
		return
	}
	if from != nil {
		ip.DecTTL()
	}
	for _, f := range fragments(ip, mtu) {
		nd.transmit(at, Frame(mac, nd.ports[at].seg.mac, f))
	}
}

// towards finds the port and the MAC address that lead to an address.
func (nd *Node) towards(dst netip.Addr) (at int, mac [6]byte, ok bool) {
	for _, hop := range []netip.Addr{dst, nd.gateway} {
		if !hop.IsValid() {
			continue
		}
		for _, k := range nd.near(hop) {
			if p := nd.ports[k]; !p.link.down {
				// Hosts and routers of the internet keep asking: a lost question costs no packet here.
				far := p.link.far(nd)
				if mac, ok = far.el.answers(far.port, 0, hop.As4()); ok {
					return k, mac, true
				}
			}
		}
	}
	return 0, mac, false
}

// send sends a packet of the node's own.
func (nd *Node) send(b []byte) { nd.route(nil, b) }

func (nd *Node) transmit(at int, b []byte) { nd.net.transmit(nd.net.pool, nd.ports[at].end, b) }

// transmit sends a frame by a cable.
func (n *Net) transmit(pool *port.Pool, end *mem.End, b []byte) {
	c, ok := pool.Get()
	if !ok || len(b) > chunk-port.Headroom {
		n.t.Fatalf("sim: no frame for %d bytes", len(b))
	}
	f := port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(b))}
	copy(pool.Bytes(f), b)
	if end.Send([]port.Frame{f}) == 0 {
		pool.Put(c) // the cable is full: lost, as on any link
	}
}
