package slowpath

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/rib"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func peerAt(a netip.Addr) nbma.Address { return nbma.Of(a) }
func pfx(s string) netip.Prefix        { return netip.MustParsePrefix(s) }

// engine is a fast path that remembers what it is told.
type engine struct {
	adjacencies map[fib.AdjID]fib.Adjacency
	routes      map[netip.Prefix][]fib.AdjID
	tunnels     map[fib.TunnelID]fib.Tunnel
	injected    []fastpath.Inject
	sas         map[fib.SAID]fib.SA
	saCounts    map[fib.SAID]fastpath.SACount
	counts      map[fib.AdjID]uint64
	full        bool
	refuseSAs   bool
	applies     int
}

func newEngine() *engine {
	return &engine{
		adjacencies: make(map[fib.AdjID]fib.Adjacency), routes: make(map[netip.Prefix][]fib.AdjID),
		sas: make(map[fib.SAID]fib.SA), saCounts: make(map[fib.SAID]fastpath.SACount),
		tunnels: make(map[fib.TunnelID]fib.Tunnel), counts: make(map[fib.AdjID]uint64),
	}
}

func (e *engine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	e.applies++
	var refused []fib.Refusal
	for _, sa := range b.SAs {
		if e.refuseSAs {
			refused = append(refused, fib.Refusal{What: "association", Err: errBroken, SA: sa.ID})
			continue
		}
		sa.CipherKey, sa.AuthKey = slices.Clone(sa.CipherKey), slices.Clone(sa.AuthKey)
		e.sas[sa.ID] = sa
	}
	for _, a := range b.Adjacencies {
		e.adjacencies[a.ID] = a
	}
	for _, t := range b.Tunnels {
		e.tunnels[t.ID] = t
	}
	for _, r := range b.Routes {
		e.routes[r.Prefix] = r.Paths
	}
	for _, k := range b.DelRoutes {
		delete(e.routes, k.Prefix)
	}
	for _, id := range b.DelAdjacencies {
		delete(e.adjacencies, id)
	}
	for _, id := range b.DelTunnels {
		delete(e.tunnels, id)
	}
	for _, id := range b.DelSAs {
		delete(e.sas, id)
	}
	return refused, nil
}

func (e *engine) Inject(in fastpath.Inject) error {
	if e.full {
		return fastpath.ErrRingFull
	}
	in.Packet = slices.Clone(in.Packet)
	e.injected = append(e.injected, in)
	return nil
}

func (e *engine) AdjacencyCount(id fib.AdjID) fastpath.Count {
	return fastpath.Count{Packets: e.counts[id]}
}

func (e *engine) SACount(id fib.SAID) (fastpath.SACount, bool) {
	c, ok := e.saCounts[id]
	return c, ok
}

// take returns what was injected since the last call.
func (e *engine) take() []fastpath.Inject {
	out := e.injected
	e.injected = nil
	return out
}

// to finds the adjacency that a destination has by its longest prefix.
func (e *engine) to(dst string) fib.Adjacency {
	best, id := -1, fib.AdjID(0)
	for p, ids := range e.routes {
		if p.Contains(ip(dst)) && p.Bits() > best {
			best, id = p.Bits(), ids[0]
		}
	}
	return e.adjacencies[id]
}

type delivery struct {
	tunnel string
	packet []byte
	vrf    fib.VRF
}

// host is a Linux that remembers what it is asked.
type host struct {
	wanted, resolved []nextHop
	delivered        []delivery
	frames           []delivery // by the subinterface
	logs             []Event
	routes           []rib.Route
	told             int // how often Routes was called
	eigrp            []eigrp.Send
	sent             []sentIKE
}

type sentIKE struct {
	path   ike.Path
	packet []byte
}

func (h *host) Want(iface string, a netip.Addr) { h.wanted = append(h.wanted, nextHop{iface, a}) }
func (h *host) Unwant(string, netip.Addr)       {}
func (h *host) Resolve(iface string, a netip.Addr) {
	h.resolved = append(h.resolved, nextHop{iface, a})
}
func (h *host) DeliverFrame(subinterface string, frame []byte) {
	h.frames = append(h.frames, delivery{tunnel: subinterface, packet: slices.Clone(frame)})
}

func (h *host) LDP(ldp.Effect) {}

func (h *host) Originate([]bgp.Local, []bgp.Key) {}

func (h *host) Deliver(vrf fib.VRF, tunnel string, packet []byte) {
	h.delivered = append(h.delivered, delivery{tunnel, slices.Clone(packet), vrf})
}
func (h *host) EIGRP(_ fib.VRF, s eigrp.Send) { h.eigrp = append(h.eigrp, s) }

func (h *host) Routes(changes []rib.Change) {
	for _, c := range changes {
		h.routes = slices.DeleteFunc(h.routes, func(o rib.Route) bool { return o.Prefix == c.Prefix })
		if !c.Gone {
			h.routes = append(h.routes, c.Route)
		}
	}
	h.told++
}

func (h *host) Log(e Event)                  { h.logs = append(h.logs, e) }
func (h *host) SendIKE(p ike.Path, b []byte) { h.sent = append(h.sent, sentIKE{p, b}) }
func (h *host) SendNATKeepalive(ike.Path)    {}

// Numbers of the rig's interfaces.
const (
	wanPort, lanPort = 1, 2
	tunnelID         = 1
	key              = 700
)

// rig is a router: Ethernet0 to the internet, Ethernet1 with hosts, Tunnel0 with an NHS at 10.0.0.1 (192.0.2.9).
type rig struct {
	t *testing.T
	*Router
	engine *engine
	host   *host
	now    time.Time
	config Config
}

func baseConfig() Config {
	return Config{
		Interfaces: []Interface{
			{Interface: rib.Interface{Name: "Ethernet0", Addrs: []netip.Prefix{pfx("192.0.2.1/24")}, Up: true, Port: wanPort, MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500}},
			{Interface: rib.Interface{Name: "Ethernet1", Addrs: []netip.Prefix{pfx("10.1.0.1/24")}, Up: true, Port: lanPort, MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 1500}},
			{Interface: rib.Interface{Name: "Tunnel0", Addrs: []netip.Prefix{pfx("10.0.0.11/24")}, Up: true, MTU: 1400,
				Tunnel: &rib.Tunnel{ID: tunnelID, Local: ip("192.0.2.1"), Key: key, HasKey: true, TTL: 255, Network: 1, Redirect: true}}},
		},
		Statics: map[fib.VRF][]rib.StaticRoute{fib.Global: {
			{Prefix: pfx("0.0.0.0/0"), Hops: []rib.NextHop{{Addr: ip("192.0.2.254")}}},
			{Prefix: pfx("10.2.0.0/24"), Hops: []rib.NextHop{{Iface: "Tunnel0", Addr: ip("10.0.0.12")}}},
		}},
		NHRP: nhrp.Config{Interfaces: []nhrp.Interface{{
			Name: "Tunnel0", ID: tunnelID, Address: pfx("10.0.0.11/24"), NBMA: ip("192.0.2.1"), NetworkID: 1, HoldTime: 300 * time.Second, Redirect: true, Shortcut: true,
			Maps: []nhrp.Map{{Protocol: pfx("10.0.0.1/32"), NBMA: ip("192.0.2.9")}}, NHS: []nhrp.NHS{{Protocol: ip("10.0.0.1")}}, MTU: 1400,
		}}},
	}
}

// newRig makes a configured router that knows its neighbours and is registered with its NHS.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, engine: newEngine(), host: &host{}, now: start, config: baseConfig()}
	if change != nil {
		change(&r.config)
	}
	r.Router = NewSeeded(r.engine, r.host, 1)
	if err := r.At(r.now).Configure(r.config); err != nil {
		t.Fatal(err)
	}
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.254"), [6]byte{2, 9, 9, 9, 9, 254}, true)
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.9"), [6]byte{2, 9, 9, 9, 9, 9}, true)
	r.Tick(r.now)
	for _, m := range r.nhrpSent(r.engine.take()) {
		if m.Type == nhrpmsg.RegistrationRequest {
			m.Type = nhrpmsg.RegistrationReply
			r.nhrpFrom("192.0.2.9", m)
		}
	}
	r.engine.take()
	return r
}

// nhrpSent are the NHRP messages among what was injected.
func (r *rig) nhrpSent(in []fastpath.Inject) (out []nhrpmsg.Message) {
	r.t.Helper()
	for _, i := range in {
		p, fault := packet.ParseIPv4(i.Packet)
		if fault != packet.OK || p.Proto() != protoGRE {
			continue
		}
		g, fault := packet.ParseGRE(p.Payload())
		if fault != packet.OK || g.Proto != greProtoNHRP {
			continue
		}
		m, err := nhrpmsg.Parse(p.Payload()[g.Len:])
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// nhrpFrom gives the router an NHRP message that came by the tunnel.
func (r *rig) nhrpFrom(nbma string, m nhrpmsg.Message) {
	r.t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.punt(fastpath.Punt{Reason: fastpath.NHRP, Port: wanPort, Tunnel: tunnelID, OuterSrc: ip(nbma), OuterDst: ip("192.0.2.1"), Packet: b})
}

func (r *rig) punt(p fastpath.Punt) {
	if p.Len == 0 {
		p.Len = len(p.Packet)
	}
	r.At(r.now).Punt(&p)
}

func (r *rig) wait(d time.Duration) {
	r.now = r.now.Add(d)
	r.Tick(r.now)
}

// udp is a UDP packet of n payload bytes.
func udp(src, dst string, ttl uint8, n int) []byte {
	h := packet.Header{TTL: ttl, Proto: 17, ID: 77, Src: ip(src).As4(), Dst: ip(dst).As4()}
	b := make([]byte, packet.IPv4Len+packet.UDPLen+n)
	h.Put(b, packet.UDPLen+n)
	binary.BigEndian.PutUint16(b[packet.IPv4Len+4:], uint16(packet.UDPLen+n))
	return b
}

var errBroken = errors.New("broken")
