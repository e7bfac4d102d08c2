package slowpath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// eigrpNet is routers that are joined by segments, in virtual time.
type eigrpNet struct {
	t     *testing.T
	now   time.Time
	boxes []*eigrpBox
	queue []eigrpPacket
}

// segment carries packets between interfaces after a millisecond. Where it has a hub, as a tunnel has, multicast of others goes to that alone, and that of the hub to all.
type segment struct {
	ends  []segmentEnd
	hub   *eigrpBox
	cut   map[*eigrpBox]bool // nothing comes from there, or gets there
	count int
}

type segmentEnd struct {
	box   *eigrpBox
	iface string
}

type eigrpPacket struct {
	at time.Time
	to segmentEnd
	p  eigrp.PacketReceived
}

// eigrpBox is a router.
type eigrpBox struct {
	*Router
	net    *eigrpNet
	name   string
	engine *vpnEngine
	starts int
	config Config
	joined map[string]*segment
	said   map[bgp.Key]bgp.Local
	logs   []EIGRPLog
}

// eigrpLinux is its Linux.
type eigrpLinux struct {
	*host
	box *eigrpBox
}

func newEIGRPNet(t *testing.T) *eigrpNet { return &eigrpNet{t: t, now: start} }

func (n *eigrpNet) box(name string) *eigrpBox {
	b := &eigrpBox{net: n, name: name, engine: newVPNEngine(), joined: make(map[string]*segment), said: make(map[bgp.Key]bgp.Local)}
	b.start(b.engine)
	b.config.Statics = make(map[fib.VRF][]rib.StaticRoute)
	b.config.Kernel = make(map[fib.VRF]KernelImport)
	n.boxes = append(n.boxes, b)
	return b
}

// start makes a Router for the box that knows nothing.
func (b *eigrpBox) start(on Engine) {
	b.starts++
	b.Router = NewSeeded(on, eigrpLinux{&host{}, b}, uint64(100*b.starts+len(b.net.boxes)+1))
}

// EIGRP implements Linux.
func (h eigrpLinux) EIGRP(vrf fib.VRF, s eigrp.Send) {
	b := h.box
	if l := b.link(s.Iface); l == nil || l.VRF != vrf {
		return // it has gone, or somewhere else: the gateway sends nothing then
	}
	g := b.joined[s.Iface]
	if g == nil || g.cut[b] {
		return
	}
	g.count++
	for _, e := range g.ends {
		i := e.box.link(e.iface)
		switch {
		case e.box == b && e.iface == s.Iface, g.cut[e.box], i == nil, !i.Up, s.To == eigrp.Group && g.hub != nil && g.hub != b && g.hub != e.box,
			s.To != eigrp.Group && !slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == s.To }):
			continue
		}
		b.net.queue = append(b.net.queue, eigrpPacket{b.net.now.Add(time.Millisecond), e, eigrp.PacketReceived{
			Iface: e.iface, From: s.From, Multicast: s.To == eigrp.Group, Payload: slices.Clone(s.Payload),
		}})
	}
}

// Log implements Linux.
func (h eigrpLinux) Log(e Event) {
	if l, ok := e.(EIGRPLog); ok {
		h.box.logs = append(h.box.logs, l)
	}
}

// Originate implements Linux.
func (h eigrpLinux) Originate(announce []bgp.Local, retract []bgp.Key) {
	for _, k := range retract {
		delete(h.box.said, k)
	}
	for _, l := range announce {
		h.box.said[bgp.Key{VRF: l.VRF, Prefix: l.Prefix}] = l
	}
}

func (b *eigrpBox) link(name string) *Interface {
	for k := range b.config.Interfaces {
		if b.config.Interfaces[k].Name == name {
			return &b.config.Interfaces[k]
		}
	}
	return nil
}

// ethernet gives a box a link of 10 Mbit/s and 1 ms; g may be nil.
func (b *eigrpBox) ethernet(name string, vrf fib.VRF, addr string, g *segment) *Interface {
	n := byte(len(b.config.Interfaces) + 1)
	return b.attach(Interface{Interface: rib.Interface{
		Name: name, VRF: vrf, Addrs: []netip.Prefix{pfx(addr)}, Up: true, Port: fib.PortID(n), MAC: [6]byte{2, 0, 0, 0, 9, n}, MTU: 1500,
	}, Bandwidth: 10_000, Delay: 100}, g)
}

func (b *eigrpBox) loopback(name string, vrf fib.VRF, addr string) *Interface {
	return b.attach(Interface{Interface: rib.Interface{Name: name, VRF: vrf, Addrs: []netip.Prefix{pfx(addr)}, Up: true, MTU: 1514}, Bandwidth: 8_000_000, Delay: 500}, nil)
}

func (b *eigrpBox) tunnelTo(name string, addr, local string, g *segment) *Interface {
	return b.attach(Interface{Interface: rib.Interface{
		Name: name, Addrs: []netip.Prefix{pfx(addr)}, Up: true, MTU: 1400, Tunnel: &rib.Tunnel{ID: 1, Local: ip(local), Key: key, HasKey: true, TTL: 255, Network: 1},
	}, Bandwidth: 1000, Delay: 1000}, g)
}

func (b *eigrpBox) attach(i Interface, g *segment) *Interface {
	b.config.Interfaces = append(b.config.Interfaces, i)
	if g != nil {
		b.joined[i.Name] = g
		g.ends = append(g.ends, segmentEnd{b, i.Name})
	}
	return &b.config.Interfaces[len(b.config.Interfaces)-1]
}

// process has a box run EIGRP on interfaces.
func (b *eigrpBox) process(vrf fib.VRF, as uint16, ifaces ...string) *EIGRP {
	n := slices.Index(b.net.boxes, b)
	e := EIGRP{Key: EIGRPKey{vrf, as}, Run: eigrp.Config{AS: as, RouterID: netip.AddrFrom4([4]byte{10, 255, byte(vrf), byte(n + 1)})}}
	for _, name := range ifaces {
		e.Run.Interfaces = append(e.Run.Interfaces, eigrp.Interface{Name: name, Passive: b.joined[name] == nil})
	}
	b.config.EIGRP = append(b.config.EIGRP, e)
	return &b.config.EIGRP[len(b.config.EIGRP)-1]
}

func (b *eigrpBox) configure() {
	b.net.t.Helper()
	c := b.config // slices of the configuration are values, as in one that was read anew
	c.Interfaces = slices.Clone(c.Interfaces)
	c.EIGRP = slices.Clone(c.EIGRP)
	for k := range c.EIGRP {
		c.EIGRP[k].Run.Interfaces = slices.Clone(c.EIGRP[k].Run.Interfaces)
		c.EIGRP[k].Redistribute = slices.Clone(c.EIGRP[k].Redistribute)
	}
	c.Kernel = map[fib.VRF]KernelImport{}
	for vrf, k := range b.config.Kernel {
		c.Kernel[vrf] = k
	}
	if err := b.At(b.net.now).Configure(c); err != nil {
		b.net.t.Fatal(err)
	}
}

// route is what a box has for a prefix, as text: what the source is, the distance, and the next hops.
func (b *eigrpBox) route(vrf fib.VRF, prefix string) string {
	for _, r := range b.Routes(vrf) {
		if r.Prefix != pfx(prefix) {
			continue
		}
		s := fmt.Sprintf("%s %d", r.Source, r.Distance)
		if r.Process != 0 {
			s = fmt.Sprintf("%s/%d %d", r.Source, r.Process, r.Distance)
		}
		if len(r.Hops) == 0 {
			s += " null"
		}
		for _, h := range r.Hops {
			if s += " " + h.Iface; h.Addr.IsValid() {
				s += " " + h.Addr.String()
			}
		}
		return s
	}
	return "none"
}

// want checks routes of a VRF.
func (b *eigrpBox) want(vrf fib.VRF, routes map[string]string) {
	b.net.t.Helper()
	for p, w := range routes {
		if got := b.route(vrf, p); got != w {
			b.net.t.Errorf("%s, VRF %d, %s: %s, want %s", b.name, vrf, p, got, w)
		}
	}
}

// neighbors counts those of a process that are up.
func (b *eigrpBox) neighbors(k EIGRPKey) (up int) {
	for _, s := range b.EIGRPStatus(false) {
		for _, n := range s.Neighbors {
			if s.Key == k && n.Up {
				up++
			}
		}
	}
	return up
}

// run lets time pass.
func (n *eigrpNet) run(d time.Duration) {
	n.t.Helper()
	end := n.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			n.t.Fatal("it never ends")
		}
		var next time.Time
		var due *eigrpBox
		for _, b := range n.boxes {
			if d := b.Deadline(); !d.IsZero() && (next.IsZero() || d.Before(next)) {
				next, due = d, b
			}
		}
		if len(n.queue) > 0 && (due == nil || !n.queue[0].at.After(next)) {
			next, due = n.queue[0].at, nil
		}
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(n.now) {
			n.now = next
		}
		if due != nil {
			due.Tick(n.now)
			continue
		}
		q := n.queue[0]
		n.queue = n.queue[1:]
		if i := q.to.box.link(q.to.iface); i != nil && i.Up {
			q.to.box.At(n.now).EIGRP(i.VRF, q.p)
		}
	}
	n.now = end
	for _, b := range n.boxes {
		if e := b.Status().Error; e != "" {
			n.t.Errorf("%s: %s", b.name, e)
		}
	}
}

func (n *eigrpNet) configure() {
	n.t.Helper()
	for _, b := range n.boxes {
		b.configure()
	}
}
