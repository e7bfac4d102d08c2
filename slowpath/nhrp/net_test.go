package nhrp

import (
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// The network of these tests: boxes with a machine each, joined by NBMA addresses, in virtual time.

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

type key struct {
	iface  string
	prefix netip.Prefix
}

// box is a gateway: a machine and what its effects have made of it.
type box struct {
	name   string
	net    *simnet
	m      *Machine
	cfg    Config
	rib    map[netip.Prefix]Route
	binds  map[key]Bind
	mcast  map[nbma.Address]bool
	wanted map[nbma.Address]bool
	nbma   map[string]netip.Addr // last known, by interface
	logs   []Log
	nhs    []NHSChanged
	sent   int
	down   bool // neither sends nor receives
	hold   bool // sessions of protected peers stay down
}

func (b *box) Lookup(_ string, dst netip.Addr) (Route, bool) {
	for bits := dst.BitLen(); bits >= 0; bits-- {
		p, _ := dst.Prefix(bits)
		if r, ok := b.rib[p]; ok {
			r.Prefix = p
			return r, true
		}
	}
	return Route{}, false
}

type wirePacket struct {
	at       time.Time
	seq      int
	from, to netip.Addr
	payload  []byte
}

type wire []wirePacket

func (w wire) Len() int { return len(w) }
func (w wire) Less(i, j int) bool {
	return w[i].at.Before(w[j].at) || w[i].at.Equal(w[j].at) && w[i].seq < w[j].seq
}
func (w wire) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *wire) Push(x any)   { *w = append(*w, x.(wirePacket)) }
func (w *wire) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

type simnet struct {
	t     testing.TB
	now   time.Time
	boxes []*box
	at    map[netip.Addr]*box // by NBMA address
	iface map[netip.Addr]string
	nat   map[netip.Addr]netip.Addr // inside to outside
	wire  wire
	seq   int
	lose  func(from, to netip.Addr, m *nhrpmsg.Message) bool
	see   []string // ladder: "hub>sp1 Registration Reply"
	quiet bool
}

func newNet(t testing.TB) *simnet {
	return &simnet{t: t, now: epoch, at: map[netip.Addr]*box{}, iface: map[netip.Addr]string{}, nat: map[netip.Addr]netip.Addr{}}
}

func ip(s string) netip.Addr       { return netip.MustParseAddr(s) }
func peerAt(s string) nbma.Address { return nbma.Of(ip(s)) }
func pfx(s string) netip.Prefix    { return netip.MustParsePrefix(s) }

// add puts a box on the network and configures it.
func (n *simnet) add(name string, cfg Config, routes map[string]Route) *box {
	b := &box{name: name, net: n, cfg: cfg, rib: map[netip.Prefix]Route{}, binds: map[key]Bind{}, mcast: map[nbma.Address]bool{}, wanted: map[nbma.Address]bool{}, nbma: map[string]netip.Addr{}}
	for p, r := range routes {
		b.rib[pfx(p)] = r
	}
	for _, i := range cfg.Interfaces {
		b.rib[i.Address.Masked()] = Route{Iface: i.Name}
		b.rib[host(i.Address.Addr())] = Route{Iface: i.Name, Local: true}
	}
	b.m = NewSeeded(b, uint64(len(n.boxes)+1))
	n.boxes = append(n.boxes, b)
	b.configure(cfg)
	return b
}

func (b *box) configure(cfg Config) {
	b.cfg = cfg
	for _, i := range cfg.Interfaces {
		if i.NBMA.IsValid() {
			b.net.at[i.NBMA], b.net.iface[i.NBMA] = b, i.Name
			b.nbma[i.Name] = i.NBMA
		}
	}
	b.do(b.m.Configure(b.net.now, cfg))
}

func (b *box) event(ev Event) { b.do(b.m.Handle(b.net.now, ev)) }

// do carries effects out and checks what holds for all of them.
func (b *box) do(effects []Effect) {
	n := b.net
	for _, e := range effects {
		switch e := e.(type) {
		case Send:
			b.sent++
			n.send(b, e)
		case Bind:
			if !e.NBMA.IsValid() || !e.Prefix.IsValid() || !e.NextHop.IsValid() {
				n.t.Errorf("%s: unfit binding %+v", b.name, e)
			}
			if e.Kind == BindShortcut {
				if hop := b.binds[key{e.Iface, host(e.NextHop)}]; hop.NBMA != e.NBMA {
					n.t.Errorf("%s: shortcut %v by %v, which is at %v", b.name, e.Prefix, e.NBMA, hop.NBMA)
				}
			}
			b.binds[key{e.Iface, e.Prefix}] = e
		case Unbind:
			k := key{e.Iface, e.Prefix}
			if _, ok := b.binds[k]; !ok {
				n.t.Errorf("%s: unbind of %v, which is not bound", b.name, e.Prefix)
			}
			delete(b.binds, k)
		case Multicast:
			if b.mcast[e.NBMA] == e.Add {
				n.t.Errorf("%s: multicast to %v is %v already", b.name, e.NBMA, e.Add)
			}
			if b.mcast[e.NBMA] = e.Add; !e.Add {
				delete(b.mcast, e.NBMA)
			}
		case PeerWanted:
			b.wanted[e.NBMA] = true
			if !b.hold {
				b.event(PeerState{Iface: e.Iface, NBMA: e.NBMA, Up: true})
			}
		case PeerReleased:
			delete(b.wanted, e.NBMA)
		case NHSChanged:
			b.nhs = append(b.nhs, e)
		case Log:
			b.logs = append(b.logs, e)
		case Trace: // for who debugs
		default:
			n.t.Errorf("unknown effect %T", e)
		}
	}
}

func (n *simnet) send(b *box, e Send) {
	from := b.nbma[e.Iface]
	m, err := nhrpmsg.Parse(e.Payload)
	if err != nil {
		n.t.Errorf("%s sent a bad packet: %v", b.name, err)
	}
	if !n.quiet {
		to := e.To.String()
		if d := n.at[e.To.Addr]; d != nil {
			to = d.name
		}
		n.see = append(n.see, fmt.Sprintf("%s>%s %s", b.name, to, m.Type))
	}
	if b.down || n.lose != nil && n.lose(from, e.To.Addr, &m) {
		return
	}
	if out, ok := n.nat[from]; ok {
		from = out
	}
	n.seq++
	heap.Push(&n.wire, wirePacket{n.now.Add(10 * time.Millisecond), n.seq, from, e.To.Addr, e.Payload})
}

// run lets the network go on for d.
func (n *simnet) run(d time.Duration) {
	end := n.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 500_000 {
			n.t.Fatal("the network does not come to rest")
		}
		next := end
		var who *box
		for _, b := range n.boxes {
			if at := b.m.Deadline(); !at.IsZero() && !at.After(next) && (who == nil || at.Before(next)) {
				next, who = at, b
			}
		}
		if len(n.wire) > 0 && !n.wire[0].at.After(next) {
			p := heap.Pop(&n.wire).(wirePacket)
			n.advance(p.at)
			if to := n.at[p.to]; to != nil && !to.down {
				to.event(Received{Iface: n.iface[p.to], From: nbma.Of(p.from), Payload: p.payload})
			}
			continue
		}
		n.advance(next)
		if who == nil {
			return
		}
		who.event(Tick{})
	}
}

func (n *simnet) advance(t time.Time) {
	if t.After(n.now) {
		n.now = t
	}
}

// ladder takes what was sent since it was last called.
func (n *simnet) ladder() []string {
	out := n.see
	n.see = nil
	return out
}

func (n *simnet) wantLadder(want ...string) {
	n.t.Helper()
	if got := n.ladder(); !slices.Equal(got, want) {
		n.t.Errorf("packets:\n got %q\nwant %q", got, want)
	}
}

// at is where the box sends packets for a prefix; the zero Addr if nowhere.
func (b *box) at(prefix string) netip.Addr {
	for _, i := range b.cfg.Interfaces {
		if x, ok := b.binds[key{i.Name, pfx(prefix)}]; ok {
			return x.NBMA.Addr
		}
	}
	return netip.Addr{}
}

func (b *box) wantAt(prefix, nbma string) {
	b.net.t.Helper()
	want := netip.Addr{}
	if nbma != "" {
		want = ip(nbma)
	}
	if got := b.at(prefix); got != want {
		b.net.t.Errorf("%s: %s is bound to %v, want %q", b.name, prefix, got, nbma)
	}
}

func (b *box) logged(k LogKind) (out []Log) {
	for _, l := range b.logs {
		if l.Kind == k {
			out = append(out, l)
		}
	}
	return out
}

func (b *box) entry(prefix string) (EntryStatus, bool) {
	for _, e := range b.m.Status(b.net.now).Entries {
		if e.Prefix == pfx(prefix) && e.Flags&FlagLocal == 0 {
			return e, true
		}
	}
	return EntryStatus{}, false
}

func (b *box) drops(r DropReason) uint64 {
	return b.m.Status(b.net.now).Interfaces[0].Traffic.Drops[r]
}

// tunnel is the interface of the usual network: 10.0.0.0/24 over 192.0.2.0/24.
func tunnel(last int) Interface {
	return Interface{
		Name: "Tunnel0", ID: 1, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(last)}), 24),
		NBMA: netip.AddrFrom4([4]byte{192, 0, 2, byte(last)}), NetworkID: 1, HoldTime: 300 * time.Second, MTU: 1400,
		MaxSend: MaxSend{10000, 10 * time.Second},
	}
}

func hubConfig(edit ...func(*Interface)) Config {
	i := tunnel(1)
	i.MulticastDynamic, i.Redirect = true, true
	for _, f := range edit {
		f(&i)
	}
	return Config{Interfaces: []Interface{i}}
}

func spokeConfig(last int, edit ...func(*Interface)) Config {
	i := tunnel(last)
	i.NHS = []NHS{{Protocol: ip("10.0.0.1"), NBMA: ip("192.0.2.1"), Multicast: true}}
	i.Shortcut = true
	for _, f := range edit {
		f(&i)
	}
	return Config{Interfaces: []Interface{i}}
}

// star is a hub and spokes 11, 12, ... with a network 10.N.0.0/24 each; all know all networks by the hub.
func star(t testing.TB, spokes int, edit ...func(*Interface)) (n *simnet, hub *box, sp []*box) {
	n = newNet(t)
	hub = n.add("hub", hubConfig(edit...), map[string]Route{"10.100.0.0/24": {Iface: "Ethernet1"}})
	for i := range spokes {
		nr := 11 + i
		lan := fmt.Sprintf("10.%d.0.0/24", nr)
		hub.rib[pfx(lan)] = Route{Iface: "Tunnel0", NextHop: ip(fmt.Sprintf("10.0.0.%d", nr))}
		sp = append(sp, n.add(fmt.Sprintf("sp%d", i+1), spokeConfig(nr, edit...), map[string]Route{
			lan: {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.0.0.1")},
		}))
	}
	n.run(time.Second)
	n.ladder()
	return n, hub, sp
}

// data is an IPv4 packet.
func data(src, dst string) []byte {
	b := make([]byte, 60)
	b[0], b[3], b[8], b[9] = 0x45, 60, 64, 17
	s, d := ip(src).As4(), ip(dst).As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	return b
}
