package sim

import (
	"net/netip"
	"slices"
	"time"
)

// Dependence is what a NAT box looks at of the far end (RFC 4787): when it chooses a port (section 4.1), or when it decides whom to let in (section 5).
type Dependence uint8

// The three of them.
const (
	EndpointIndependent Dependence = iota
	AddressDependent
	AddressAndPortDependent
)

var dependenceNames = [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}

// String names it as RFC 4787 does.
func (d Dependence) String() string { return dependenceNames[d] }

// NATConfig says how a NAT box behaves. The zero NATConfig gives each inside address and port one outside port, counted up, lets everybody in to it for ever, and
// passes nothing but UDP.
type NATConfig struct {
	Mapping, Filtering Dependence
	// Preserve keeps the inside port as long as no other inside address has it. With AddressAndPortDependent mapping that is what Linux' masquerade does.
	Preserve bool
	// Taken has what comes uninvited take the port, for the far end that it came from: what is sent there from inside has another one for the next half minute. So does Linux where the box
	// itself takes such packets. It needs AddressAndPortDependent mapping with Preserve.
	Taken bool
	// Static are inside addresses with an outside address of their own: every protocol passes, from everybody, ports and fragments as they are.
	Static map[string]string
	// Hairpin lets inside addresses reach each other by their outside addresses.
	Hairpin bool
	// Timeout forgets a mapping, and whom it lets in, so long after the last packet from inside; 0: never.
	Timeout time.Duration
	// OneRaw passes ESP and GRE without translating anything in them: of each far end the answers go to the inside address that spoke to it first, and
	// nobody else can speak to it until Timeout. Without, they are dropped.
	OneRaw bool
}

// nat is the state of a NAT box.
type nat struct {
	node    *Node
	cfg     NATConfig
	outside netip.Addr
	out, in map[netip.Addr]netip.Addr // Static, inside to outside and back
	flows   map[flowKey]*mapping
	ports   map[uint16][]*mapping
	raw     map[rawKey]*mapping
	taken   map[takenKey]int64 // until when, in the time of the Net
	next    uint16
	blocked []uint16
}

// flowKey is what a mapping belongs to; far is as much of the far end as the mapping depends on.
type flowKey struct{ inside, far netip.AddrPort }

// rawKey is what a NAT knows a protocol without ports by.
type rawKey struct {
	proto uint8
	far   netip.Addr
}

// takenKey is a port that is taken for a far end.
type takenKey struct {
	port uint16
	far  netip.AddrPort
}

const takenFor = 30 * time.Second

// mapping is an outside port that an inside address and port has.
type mapping struct {
	key     flowKey
	outside uint16
	spoke   map[netip.AddrPort]int64 // whom it sent to, and when last, in the time of the Net
	last    int64
}

const firstNATPort = 20001

// AddNAT makes a node that hides what is behind it; without a NATConfig by the zero one. The outside link is the one whose subnet has the address outside; others are inside.
func (n *Net) AddNAT(name, outside, gateway string, cfg ...NATConfig) *Node {
	n.t.Helper()
	nd := n.addNode(name)
	nd.forward, nd.gateway = true, n.addr(gateway)
	t := &nat{node: nd, outside: n.addr(outside), next: firstNATPort, out: make(map[netip.Addr]netip.Addr), in: make(map[netip.Addr]netip.Addr)}
	if len(cfg) > 0 {
		t.cfg = cfg[0]
	}
	for inside, outside := range t.cfg.Static {
		t.out[n.addr(inside)], t.in[n.addr(outside)] = n.addr(outside), n.addr(inside)
	}
	nd.nat = t
	nd.Rebind()
	return nd
}

// Rebind has a NAT forget its mappings, as when the box restarts: what comes from inside has other ports from then on (the same ones with Preserve), and what comes to the old ones
// is lost until then.
func (nd *Node) Rebind() {
	t := nd.nat
	t.flows, t.ports, t.raw = make(map[flowKey]*mapping), make(map[uint16][]*mapping), make(map[rawKey]*mapping)
	t.taken = make(map[takenKey]int64)
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

// Block has a NAT drop UDP from and to some ports, whatever its mappings say; without ports it drops nothing any more.
func (nd *Node) Block(ports ...uint16) { nd.nat.blocked = slices.Clone(ports) }

// Mapped lists the outside ends that an inside address and port ("10.0.0.1:4500") has now, in the order of their ports.
func (nd *Node) Mapped(inside string) (out []netip.AddrPort) {
	nd.net.t.Helper()
	who, err := netip.ParseAddrPort(inside)
	if err != nil {
		nd.net.t.Fatalf("sim: %v", err)
	}
	for key, m := range nd.nat.flows {
		if key.inside == who && nd.nat.fresh(m.last) {
			out = append(out, netip.AddrPortFrom(nd.nat.outside, m.outside))
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// fresh tells whether what was last used at a time is still remembered.
func (t *nat) fresh(last int64) bool {
	return t.cfg.Timeout == 0 || t.node.net.now-last < int64(t.cfg.Timeout)
}

// far is as much of a far end as d depends on.
func (d Dependence) far(a netip.AddrPort) netip.AddrPort {
	switch d {
	case EndpointIndependent:
		return netip.AddrPort{}
	case AddressDependent:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

// outbound finds or makes the mapping for what an inside end sends to a far one.
func (t *nat) outbound(inside, far netip.AddrPort) *mapping {
	key := flowKey{inside, t.cfg.Mapping.far(far)}
	m := t.flows[key]
	if m != nil && !t.fresh(m.last) {
		t.forget(m)
		m = nil
	}
	if m == nil {
		m = &mapping{key: key, outside: t.choose(inside, far), spoke: make(map[netip.AddrPort]int64)}
		t.flows[key] = m
		t.ports[m.outside] = append(t.ports[m.outside], m)
	}
	m.last, m.spoke[far] = t.node.net.now, t.node.net.now
	return m
}

// forget drops a mapping whose time is over.
func (t *nat) forget(m *mapping) {
	delete(t.flows, m.key)
	t.ports[m.outside] = slices.DeleteFunc(t.ports[m.outside], func(o *mapping) bool { return o == m })
}

// choose is an outside port for an inside end that speaks to a far one.
func (t *nat) choose(inside, far netip.AddrPort) uint16 {
	others := func(m *mapping) bool { return t.fresh(m.last) && m.key.inside != inside }
	if t.cfg.Preserve && t.taken[takenKey{inside.Port(), far}] <= t.node.net.now && !slices.ContainsFunc(t.ports[inside.Port()], others) {
		return inside.Port()
	}
	for tries := 0; ; tries++ {
		port := t.next
		if t.next++; t.next == 0 {
			t.next = firstNATPort
		}
		if !slices.ContainsFunc(t.ports[port], func(m *mapping) bool { return t.fresh(m.last) }) || tries > 1<<16 {
			return port
		}
	}
}

// inbound finds whom a packet from a far end to one of our ports is for.
func (t *nat) inbound(port uint16, far netip.AddrPort) (inside netip.AddrPort, ok bool) {
	for _, m := range t.ports[port] {
		if !t.fresh(m.last) {
			continue
		}
		for to, when := range m.spoke {
			if t.fresh(when) && t.cfg.Filtering.far(to) == t.cfg.Filtering.far(far) {
				return m.key.inside, true
			}
		}
	}
	if t.cfg.Taken {
		t.taken[takenKey{port, far}] = t.node.net.now + int64(takenFor)
	}
	return inside, false
}

// speaksFor tells whether the box answers for an address on a segment beside its own one there: for the outside addresses of Static.
func (t *nat) speaksFor(s *segment, a netip.Addr) bool {
	return s.addr.Addr() == t.outside && t.in[a].IsValid()
}
