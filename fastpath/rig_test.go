package fastpath

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// The rig is a hub with a port to the NBMA network, a port to its LAN, and a multipoint tunnel with two spokes. It is driven
// frame by frame.
const (
	wan, lan  = fib.PortID(1), fib.PortID(2)
	tunnelID  = fib.TunnelID(1)
	tunnelKey = 1000
	networkID = 7
	adjHost   = fib.AdjID(16) // a host on the LAN
	adjSpoke1 = fib.AdjID(17)
	adjSpoke2 = fib.AdjID(18)
	adjGlean  = fib.AdjID(19)
	group     = fib.GroupID(1)
	tunnelMTU = 1400
	linkMTU   = 1500
)

var (
	wanMAC  = [6]byte{2, 0, 0, 0, 0, 1}
	lanMAC  = [6]byte{2, 0, 0, 0, 0, 2}
	hostMAC = [6]byte{2, 0, 0, 0, 0, 3}
	gwMAC   = [6]byte{2, 0, 0, 0, 0, 4}

	hubNBMA, spoke1NBMA, spoke2NBMA = ip4("192.0.2.1"), ip4("192.0.2.11"), ip4("192.0.2.12")
	hubLAN, hostIP                  = ip4("10.0.0.1"), ip4("10.0.0.9")
	hubTunnel                       = ip4("10.255.0.1")
	behind1, behind2                = ip4("10.1.0.5"), ip4("10.2.0.5")
)

func ip4(s string) [4]byte { return netip.MustParseAddr(s).As4() }

func addr(a [4]byte) netip.Addr { return netip.AddrFrom4(a) }

// wire is a port that a test holds in its hands.
type wire struct {
	pool  *port.Pool
	in    [][]byte
	out   [][]byte
	limit int // frames that Send takes at once; 0 takes all
	stuck bool
}

func (p *wire) Recv(fs []port.Frame) int {
	n := 0
	for n < len(fs) && len(p.in) > 0 {
		c, ok := p.pool.Get()
		if !ok {
			break
		}
		fs[n] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(p.in[0]))}
		copy(p.pool.Bytes(fs[n]), p.in[0])
		p.in = p.in[1:]
		n++
	}
	return n
}

func (p *wire) Send(fs []port.Frame) int {
	if p.stuck {
		return 0
	}
	if p.limit > 0 && len(fs) > p.limit {
		fs = fs[:p.limit]
	}
	for _, f := range fs {
		p.out = append(p.out, append([]byte(nil), p.pool.Bytes(f)...))
		p.pool.Put(f.Chunk)
	}
	return len(fs)
}

func (p *wire) Flush()       {}
func (p *wire) FD() int      { return -1 }
func (p *wire) Close() error { return nil }

type rig struct {
	t      testing.TB
	e      *Engine
	w      *Worker
	wan    *wire
	lan    *wire
	punts  []Punt
	frames int
	now    int64
}

func newRig(t testing.TB, change ...func(*Config, *fib.Batch)) *rig {
	t.Helper()
	cfg := Config{ArenaBytes: 16 << 20, MaxAdjacencies: 1024, MaxTunnels: 64, MaxRoutes: 4096, PuntSlots: 64, InjectSlots: 64, SlotSize: 4096, Private: true}
	b := rigBatch()
	for _, f := range change {
		f(&cfg, b)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pool := port.NewPool(make([]byte, 512*4096), 4096)
	w, err := e.NewWorker(pool)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, e: e, w: w, wan: &wire{pool: pool}, lan: &wire{pool: pool}, frames: pool.Free(), now: 1}
	if err := w.Attach(wan, r.wan); err != nil {
		t.Fatal(err)
	}
	if err := w.Attach(lan, r.lan); err != nil {
		t.Fatal(err)
	}
	r.apply(b)
	t.Cleanup(func() {
		r.conserved()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func rigBatch() *fib.Batch {
	return &fib.Batch{
		Ports: []fib.Port{
			{ID: wan, MAC: wanMAC, Addr: addr(hubNBMA), MTU: linkMTU},
			{ID: lan, MAC: lanMAC, Addr: addr(hubLAN), MTU: linkMTU},
		},
		Tunnels: []fib.Tunnel{{
			ID: tunnelID, Local: addr(hubNBMA), Key: tunnelKey, HasKey: true, Addr: addr(hubTunnel),
			MTU: tunnelMTU, Network: networkID, Redirect: true, Group: group,
		}},
		Adjacencies: []fib.Adjacency{
			linkAdj(adjHost, lan, lanMAC, hostMAC),
			tunnelAdj(adjSpoke1, spoke1NBMA),
			tunnelAdj(adjSpoke2, spoke2NBMA),
			{ID: adjGlean, Kind: fib.AdjGlean, Port: lan},
		},
		Groups: []fib.Group{{ID: group, Members: []fib.AdjID{adjSpoke1, adjSpoke2}}},
		Routes: []fib.Route{
			route("192.0.2.1/32", fib.Receive), route("10.0.0.1/32", fib.Receive), route("10.255.0.1/32", fib.Receive),
			route("10.0.0.9/32", adjHost), route("10.0.0.0/24", adjGlean),
			route("10.1.0.0/24", adjSpoke1), route("10.2.0.0/24", adjSpoke2), route("10.66.0.0/16", fib.Null),
		},
	}
}

func route(prefix string, paths ...fib.AdjID) fib.Route {
	return fib.Route{Prefix: netip.MustParsePrefix(prefix), Paths: paths}
}

func linkAdj(id fib.AdjID, p fib.PortID, src, dst [6]byte) fib.Adjacency {
	eth := make([]byte, packet.EthernetLen)
	packet.PutEthernet(eth, dst, src, packet.TypeIPv4)
	return fib.Adjacency{ID: id, Kind: fib.AdjLink, Port: p, Outer: eth, MTU: linkMTU, LinkMTU: linkMTU}
}

func tunnelAdj(id fib.AdjID, nbma [4]byte) fib.Adjacency {
	inner := make([]byte, 8)
	packet.PutGRE(inner, packet.TypeIPv4, tunnelKey, true)
	outer := make([]byte, packet.EthernetLen+packet.IPv4Len)
	packet.PutEthernet(outer, gwMAC, wanMAC, packet.TypeIPv4)
	h := packet.Header{TTL: 255, Proto: packet.ProtoGRE, Src: hubNBMA, Dst: nbma}
	h.Put(outer[packet.EthernetLen:], 0)
	binary.BigEndian.PutUint16(outer[packet.EthernetLen+2:], 0)
	binary.BigEndian.PutUint16(outer[packet.EthernetLen+10:], 0)
	return fib.Adjacency{
		ID: id, Kind: fib.AdjTunnel, Port: wan, Tunnel: tunnelID, Inner: inner, Outer: outer,
		MTU: tunnelMTU, LinkMTU: linkMTU, Network: networkID,
	}
}

func (r *rig) apply(b *fib.Batch) {
	r.t.Helper()
	refused, err := r.e.Apply(b)
	if err != nil || len(refused) != 0 {
		r.t.Fatalf("apply: refused %v, error %v", refused, err)
	}
}

// poll turns the worker once and takes the punts.
func (r *rig) poll() int {
	n := r.w.Poll(r.now)
	r.e.Drain(0, func(u *Punt) {
		c := *u
		c.Packet, c.Stack = append([]byte(nil), u.Packet...), append([]byte(nil), u.Stack...)
		r.punts = append(r.punts, c)
	})
	return n
}

func (r *rig) fromWAN(frames ...[]byte) { r.wan.in = append(r.wan.in, frames...); r.poll() }
func (r *rig) fromLAN(frames ...[]byte) { r.lan.in = append(r.lan.in, frames...); r.poll() }

// count is how many packets reason counts so far.
func (r *rig) count(reason Reason) uint64 { return r.e.Counters().Reasons[reason] }

// only checks that reason counts n and no other reason counts anything, copies aside.
func (r *rig) only(reason Reason, n uint64) {
	r.t.Helper()
	for i, got := range r.e.Counters().Reasons {
		want := uint64(0)
		if Reason(i) == reason {
			want = n
		}
		if got != want && Reason(i).Class() != ClassCopy {
			r.t.Errorf("%s counts %d, want %d", Reason(i), got, want)
		}
	}
}

// onePunt is the only punt so far.
func (r *rig) onePunt(reason Reason) Punt {
	r.t.Helper()
	if len(r.punts) != 1 || r.punts[0].Reason != reason {
		r.t.Fatalf("punts %+v, want one of %s", r.punts, reason)
	}
	return r.punts[0]
}

// oneOut is the only frame that left by p.
func (r *rig) oneOut(p *wire) []byte {
	r.t.Helper()
	if len(p.out) != 1 {
		r.t.Fatalf("%d frames left, want one; reasons %v", len(p.out), r.nonZero())
	}
	return p.out[0]
}

func (r *rig) nonZero() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range r.e.Counters().Reasons {
		if n > 0 {
			m[Reason(i).String()] = n
		}
	}
	return m
}

// conserved checks that every packet is accounted for once, and that every frame is back in the pool.
func (r *rig) conserved() {
	r.t.Helper()
	if free := r.w.pool.Free(); free != r.frames {
		r.t.Errorf("%d frames in the pool, want %d", free, r.frames)
	}
	c := r.e.Counters().Workers[0]
	ended := c.Forwarded + c.HandedOver
	for i := range c.Reasons {
		if cl := Reason(i).Class(); cl == ClassDrop || cl == ClassPunt {
			ended += c.Reasons[i]
		}
		if Reason(i).Class() == ClassPunt {
			ended += c.Lost[i]
		}
	}
	if ended != c.Packets {
		r.t.Errorf("%d packets came in, %d are accounted for: %v", c.Packets, ended, r.nonZero())
	}
	if n := c.Reasons[Unknown]; n != 0 {
		r.t.Errorf("%d packets dropped without a reason", n)
	}
}

// Packets.

type ipOpt func(*packet.Header)

func ttl(n uint8) ipOpt    { return func(h *packet.Header) { h.TTL = n } }
func df(h *packet.Header)  { h.Flags |= packet.FlagDF }
func tos(n uint8) ipOpt    { return func(h *packet.Header) { h.TOS = n } }
func flags(n uint16) ipOpt { return func(h *packet.Header) { h.Flags = n } }
func proto(n uint8) ipOpt  { return func(h *packet.Header) { h.Proto = n } }
func ident(n uint16) ipOpt { return func(h *packet.Header) { h.ID = n } }
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// ipv4 is a packet of UDP, unless an option says otherwise.
func ipv4(src, dst [4]byte, payload []byte, opts ...ipOpt) []byte {
	h := packet.Header{TTL: 64, Proto: packet.ProtoUDP, Src: src, Dst: dst}
	for _, o := range opts {
		o(&h)
	}
	b := make([]byte, packet.IPv4Len+len(payload))
	copy(b[packet.IPv4Len:], payload)
	h.Put(b, len(payload))
	return b
}

func ethernet(dst, src [6]byte, ip []byte) []byte {
	b := make([]byte, packet.EthernetLen, packet.EthernetLen+len(ip))
	packet.PutEthernet(b, dst, src, packet.TypeIPv4)
	return append(b, ip...)
}

func toLAN(ip []byte) []byte { return ethernet(lanMAC, hostMAC, ip) }
func toWAN(ip []byte) []byte { return ethernet(wanMAC, gwMAC, ip) }

// grePacket wraps a payload as a spoke does.
func grePacket(nbma [4]byte, typ uint16, payload []byte, opts ...ipOpt) []byte {
	b := make([]byte, 8, 8+len(payload))
	packet.PutGRE(b, typ, tunnelKey, true)
	return ipv4(nbma, hubNBMA, append(b, payload...), append([]ipOpt{proto(packet.ProtoGRE)}, opts...)...)
}

// fromSpoke1 is a frame with an inner IP packet from spoke 1.
func fromSpoke1(ip []byte) []byte { return toWAN(grePacket(spoke1NBMA, packet.TypeIPv4, ip)) }

// ungre checks a frame that left by the tunnel and takes its headers off.
func (r *rig) ungre(frame []byte) (outer packet.IPv4, g packet.GRE, inner []byte) {
	r.t.Helper()
	outer, f := packet.ParseIPv4(frame[packet.EthernetLen:])
	if f != packet.OK {
		r.t.Fatalf("outer header: fault %d in %x", f, frame)
	}
	if outer.Proto() != packet.ProtoGRE || outer.TTL() != 255 {
		r.t.Fatalf("outer protocol %d, TTL %d", outer.Proto(), outer.TTL())
	}
	g, f = packet.ParseGRE(outer.Payload())
	if f != packet.OK || !g.HasKey || g.Key != tunnelKey {
		r.t.Fatalf("GRE header %+v, fault %d", g, f)
	}
	return outer, g, outer.Payload()[g.Len:]
}

// mustIP checks a packet and its checksum.
func (r *rig) mustIP(b []byte) packet.IPv4 {
	r.t.Helper()
	ip, f := packet.ParseIPv4(b)
	if f != packet.OK {
		r.t.Fatalf("IPv4: fault %d in %x", f, b)
	}
	return ip
}
