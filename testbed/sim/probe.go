package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/fastpath/packet"
)

// PingOptions say how to ping. What is zero takes the default.
type PingOptions struct {
	VRF     string        // of a router: where it pings from; default: the global table
	Source  netip.Addr    // default: the address of the interface it leaves by
	Size    int           // of the IP packet, bytes; default 84
	TTL     uint8         // default 64
	DF      bool          // do not fragment
	Timeout time.Duration // default 2 s
}

// Reply is what became of a ping.
type Reply struct {
	OK   bool
	TTL  uint8 // of the answer, as it arrived
	RTT  time.Duration
	Out  []string // routers that the question came to, in order
	Back []string // routers that the answer came to

	// Error is set where an ICMP error came instead.
	Error *ICMPError
}

// ICMPError is an ICMP error message.
type ICMPError struct {
	From       netip.Addr
	Type, Code uint8
	MTU        uint16 // of "fragmentation needed"
}

// String tells the outcome in a line.
func (r Reply) String() string {
	if e := r.Error; e != nil {
		return fmt.Sprintf("ICMP %d/%d (MTU %d) from %s; out %s", e.Type, e.Code, e.MTU, e.From, strings.Join(r.Out, " "))
	}
	if !r.OK {
		return "no answer; out " + strings.Join(r.Out, " ") + "; back " + strings.Join(r.Back, " ")
	}
	return fmt.Sprintf("TTL %d, %v; out %s; back %s", r.TTL, r.RTT, strings.Join(r.Out, " "), strings.Join(r.Back, " "))
}

// probe is a ping that is under way.
type probe struct {
	from *stack
	sent int64
	done bool
	Reply
}

// probeID is the ICMP identifier of pings.
const probeID = 0x6e61

// Ping sends one ICMP echo request and waits for what becomes of it.
func (n *Net) Ping(from, to string, opt ...PingOptions) Reply {
	n.t.Helper()
	var o PingOptions
	if len(opt) > 0 {
		o = opt[0]
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	p, seq := n.send(from, n.addr(to), o)
	n.run(n.now+int64(o.Timeout), func() bool { return p.done })
	delete(n.probes, seq)
	return p.Reply
}

// PingAll sends a ping from each of a list of routers to the address at the same place of to, all at once, and tells how
// many were answered within the timeout.
func (n *Net) PingAll(from []string, source, to []netip.Addr, timeout time.Duration) int {
	n.t.Helper()
	answered, seqs := 0, make([]uint16, 0, len(from))
	ps := make([]*probe, 0, len(from))
	for k, f := range from {
		p, seq := n.send(f, to[k], PingOptions{Source: source[k]})
		ps, seqs = append(ps, p), append(seqs, seq)
	}
	n.run(n.now+int64(timeout), nil)
	for k, p := range ps {
		if p.OK {
			answered++
		}
		delete(n.probes, seqs[k])
	}
	return answered
}

func (n *Net) send(from string, to netip.Addr, o PingOptions) (*probe, uint16) {
	n.t.Helper()
	n.startRouters()
	if o.Size == 0 {
		o.Size = 84
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	n.lastSeq++
	p, seq := &probe{sent: n.now}, n.lastSeq
	n.probes[seq] = p
	m := echo(packet.ICMPEchoRequest, probeID, seq, o.Size-packet.IPv4Len)
	switch e := n.elements[from].(type) {
	case *Node:
		p.from = &e.stack
		if !o.Source.IsValid() {
			o.Source = e.segments[0].addr.Addr()
		}
		e.send(IP(o.Source, to, protoICMP, o.TTL, o.DF, seq, m))
	case *Router:
		s := e.linux.space(o.VRF)
		p.from = &s.stack
		if !o.Source.IsValid() {
			o.Source = s.sourceFor(to)
		}
		s.send(IP(o.Source, to, protoICMP, o.TTL, o.DF, seq, m))
		e.step(timer)
	default:
		n.t.Fatalf("sim: there is no node %s", from)
	}
	return p, seq
}

// sourceFor is the address that the kernel chooses for a packet to dst.
func (s *space) sourceFor(dst netip.Addr) netip.Addr {
	s.l.r.net.t.Helper()
	iface, _, _ := s.route(dst)
	var other netip.Addr
	for _, i := range s.interfaces() {
		if len(i.Addrs) > 0 && i.Name == iface {
			return i.Addrs[0].Addr()
		}
		if len(i.Addrs) > 0 && !other.IsValid() {
			other = i.Addrs[0].Addr()
		}
	}
	if s.vrf == "" || !other.IsValid() {
		s.l.r.net.t.Fatalf("sim: %s has no route to %s", s.l.r.name, dst)
	}
	return other // by the last resort, which has no address of its own
}

// answered notes the answer to a probe, or the error about it.
func (n *Net) answered(s *stack, ip packet.IPv4, seq uint16, e packet.ICMP) {
	p := n.probes[seq]
	if p == nil || p.done || p.from != s {
		return
	}
	p.done, p.RTT = true, time.Duration(n.now-p.sent)
	if e != nil {
		p.Error = &ICMPError{From: addr4(ip.Src()), Type: e.Type(), Code: e.Code(), MTU: e.MTU()}
		return
	}
	p.OK, p.TTL = true, ip.TTL()
}

// follow notes which routers a probe's packets come to.
func (n *Net) follow(c Crossing) {
	if r, router := n.elements[c.To].(*Router); !router || !r.isFor(c) {
		return
	}
	ip, _ := Inner(c.Frame)
	if ip == nil || ip.Proto() != protoICMP || ip.FlagsOffset()&packet.OffsetMask != 0 || len(ip) < ip.HeaderLen()+packet.ICMPLen {
		return
	}
	m := ip[ip.HeaderLen():]
	p := n.probes[binary.BigEndian.Uint16(m[6:])]
	if p == nil || binary.BigEndian.Uint16(m[4:]) != probeID {
		return
	}
	switch m[0] {
	case packet.ICMPEchoRequest:
		p.Out = append(p.Out, c.To)
	case packet.ICMPEchoReply:
		p.Back = append(p.Back, c.To)
	}
}

// isFor tells whether a frame is for this router, and not only passed to it by a switch.
func (r *Router) isFor(c Crossing) bool {
	eth, fault := packet.ParseEthernet(c.Frame)
	return fault == packet.OK && slices.ContainsFunc(r.ports, func(p *routerPort) bool { return p.link == c.Link && (eth.IsGroup() || eth.Dst() == p.mac) })
}

// Trace pings with growing TTL and lists who answered, the destination last; "*" for nobody.
func (n *Net) Trace(from, to string, most int, opt ...PingOptions) []string {
	n.t.Helper()
	var o PingOptions
	if len(opt) > 0 {
		o = opt[0]
	}
	var hops []string
	for ttl := 1; ttl <= most; ttl++ {
		o.TTL = uint8(ttl)
		switch r := n.Ping(from, to, o); {
		case r.OK:
			return append(hops, to)
		case r.Error != nil:
			hops = append(hops, r.Error.From.String())
		default:
			hops = append(hops, "*")
		}
	}
	return hops
}

// Same tells whether two ways are the same.
func Same(way []string, want ...string) bool { return slices.Equal(way, want) }
