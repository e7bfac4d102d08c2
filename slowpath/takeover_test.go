package slowpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// dice makes choices out of bytes, 0 when they are used up.
type dice []byte

func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	v := int((*d)[0])
	*d = (*d)[1:]
	return v % n
}

func (d *dice) addr() netip.Addr {
	return ip([]string{"192.0.2.1", "192.0.2.9", "192.0.2.254", "198.51.100.7", "10.0.0.1", "10.0.0.12", "10.0.0.11", "10.1.0.7", "224.0.0.5", "0.0.0.0"}[d.roll(10)])
}

func (d *dice) maybe() netip.Addr {
	if d.roll(3) == 0 {
		return netip.Addr{}
	}
	return d.addr()
}

func (d *dice) adjacency() fib.Adjacency {
	a := fib.Adjacency{
		ID: fib.FirstAdj + fib.AdjID(d.roll(12)), Kind: fib.AdjKind(d.roll(4)), Port: fib.PortID(d.roll(4)), Tunnel: fib.TunnelID(d.roll(3)), MTU: 1400, LinkMTU: 1500,
		NextHop: d.maybe(), Resolve: d.roll(4) == 0, Network: uint32(d.roll(2)),
		Expires: []int64{0, start.Add(time.Minute).Unix(), start.Add(time.Hour).Unix(), start.Add(-time.Hour).Unix()}[d.roll(4)], Unique: d.roll(2) == 0,
	}
	a.Outer = []byte{2, 9, 9, 9, 9, byte(d.roll(3)), 2, 0, 0, 0, 0, byte(d.roll(3)), 8, 0}
	if a.Kind == fib.AdjTunnel {
		a.SA, a.AH = fib.SAID(d.roll(8)), fib.SAID(d.roll(2)*d.roll(8))
		a.Inner = []byte{0x20, 0, 8, 0, 0, 0, 2, 0xbc}
		proto := byte(47)
		if a.AH != 0 {
			proto = 51
		} else if a.SA != 0 {
			proto = 50
		}
		from, to := d.addr().As4(), d.addr().As4()
		h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 255, proto, 0, 0}
		a.Outer = append(append(append(a.Outer, h...), from[:]...), to[:]...)
	}
	return a
}

func (d *dice) association() fib.SA {
	sa := fib.SA{
		ID: fib.SAID(1 + d.roll(8)), Inbound: d.roll(2) == 0, SPI: 0x1000 + uint32(d.roll(200)), Local: d.addr(), Remote: d.addr(), Cipher: fib.CipherAESGCM,
		CipherKey: slices.Repeat(fib.Key{7}, 20), ICV: 16, Protection: fib.ProtectionID(d.roll(3)), TunnelMode: d.roll(2) == 0,
		Expires: []int64{0, start.Add(time.Minute).Unix(), start.Add(time.Hour).Unix(), start.Add(-time.Hour).Unix()}[d.roll(4)],
	}
	if d.roll(3) == 0 {
		sa.Encap, sa.LocalPort, sa.RemotePort = true, 4500, uint16(4500+d.roll(3))
	}
	if sa.Inbound {
		sa.Window = 64
	}
	if d.roll(4) == 0 && !sa.Encap {
		sa.AH, sa.Cipher, sa.CipherKey, sa.ICV, sa.Auth, sa.AuthKey = true, fib.CipherNull, nil, 0, fib.AuthHMACSHA256, slices.Repeat(fib.Key{8}, 32)
	}
	return sa
}

// fill installs whatever in an engine: each entry by itself, so that a malformed one spoils no other.
func (d *dice) fill(e *fastpath.Engine) {
	apply := func(b fib.Batch) { _, _ = e.Apply(&b) }
	for range 1 + d.roll(6) {
		apply(fib.Batch{SAs: []fib.SA{d.association()}})
	}
	for range d.roll(4) {
		apply(fib.Batch{Ports: []fib.Port{{ID: fib.PortID(1 + d.roll(3)), MAC: [6]byte{2, 0, 0, 0, 0, byte(d.roll(3))}, Addr: d.maybe(), MTU: 1500}}})
	}
	for range d.roll(3) {
		apply(fib.Batch{Tunnels: []fib.Tunnel{{
			ID: fib.TunnelID(1 + d.roll(2)), Local: d.addr(), Remote: d.maybe(), Key: key, HasKey: true, MTU: 1400, Network: uint32(d.roll(2)), Group: fib.GroupID(d.roll(3)),
			Protected: d.roll(2) == 0, Protection: fib.ProtectionID(d.roll(3)),
		}}})
	}
	for range d.roll(12) {
		apply(fib.Batch{Adjacencies: []fib.Adjacency{d.adjacency()}})
	}
	ids := func() (out []fib.AdjID) {
		for range 1 + d.roll(3) {
			out = append(out, fib.FirstAdj+fib.AdjID(d.roll(12)))
		}
		return out
	}
	for range d.roll(3) {
		apply(fib.Batch{Groups: []fib.Group{{ID: fib.GroupID(1 + d.roll(2)), Members: ids()}}})
	}
	for range d.roll(12) {
		paths := ids()
		if d.roll(3) == 0 {
			paths = []fib.AdjID{fib.AdjID(d.roll(3))}
		}
		p, _ := d.addr().Prefix([]int{32, 24, 8, 0, 31}[d.roll(5)])
		apply(fib.Batch{Routes: []fib.Route{{Prefix: p, Paths: paths}}})
	}
	apply(fib.Batch{Labels: []fib.Label{{In: 16 + uint32(d.roll(3)), Action: fib.LabelSwap, Paths: ids()}}})
}

// contents are an engine's entries without the numbers of adjacencies and groups, members and paths spelled out.
func contents(b fib.Batch) (out []string) {
	names := map[fib.AdjID]string{}
	for _, a := range b.Adjacencies {
		id := a.ID
		a.ID = 0
		names[id] = fmt.Sprintf("%+v", a)
	}
	list := func(ids []fib.AdjID) (out []string) {
		for _, id := range ids {
			if n, ok := names[id]; ok {
				out = append(out, n)
			} else {
				out = append(out, fmt.Sprint(id))
			}
		}
		slices.Sort(out)
		return out
	}
	groups := map[fib.GroupID][]string{}
	for _, g := range b.Groups {
		if groups[g.ID] = list(g.Members); len(g.Members) == 0 {
			delete(groups, g.ID) // a tunnel keeps its list when the last member goes
		}
	}
	for _, t := range b.Tunnels {
		m := groups[t.Group]
		t.Group = 0
		out = append(out, fmt.Sprintf("tunnel %+v %v", t, m))
	}
	for _, p := range b.Ports {
		out = append(out, fmt.Sprintf("port %+v", p))
	}
	for _, e := range b.Routes {
		out = append(out, fmt.Sprintf("route %v %v", e.Prefix, list(e.Paths)))
	}
	out = append(out, fmt.Sprintf("%d adjacencies, %d groups, %d labels, %d associations", len(b.Adjacencies), len(groups), len(b.Labels), len(b.SAs)))
	slices.Sort(out)
	return out
}

var smallEngine = fastpath.Config{
	Private: true, ArenaBytes: 8 << 20, MaxVRFs: 2, MaxPorts: 8, MaxTunnels: 8, MaxAdjacencies: 256, MaxGroups: 16, MaxRoutes: 1024, PuntSlots: 64, InjectSlots: 64, Flows: 64,
	SlotSize: 2048 + 64, MaxSAs: 64,
}

// takeOver runs a router on an engine that holds whatever, long enough for all of that to be gone, and compares with a router on an empty one.
func takeOver(t *testing.T, data []byte) {
	d := dice(data)
	protected := d.roll(2) == 0
	config := baseConfig()
	if protected {
		config.Interfaces[2].Tunnel.Protected, config.Interfaces[2].Tunnel.Protection, config.NHRP.Interfaces[0].Protected = true, 1, true
		config.Sessions = dmvpn.Config{Protections: []dmvpn.Protection{{ID: 1, Profile: "vpn", Ifaces: []string{"Tunnel0"}, Local: ip("192.0.2.1")}}}
	}
	if d.roll(2) == 0 {
		config.NHRP.Interfaces[0].NHS, config.NHRP.Interfaces[0].MulticastDynamic = nil, true
	}
	incomplete := d.roll(3) == 0
	run := func(fill bool) []string {
		e, err := fastpath.New(smallEngine)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		r := NewSeeded(e, &host{}, 1)
		now := start
		if fill {
			d.fill(e)
			r.At(now).Inherit(e.Inherited())
		}
		c := config
		c.Incomplete = incomplete
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		check(r.At(now).Configure(c))
		for end := now.Add(75 * time.Minute); now.Before(end); {
			at := r.Deadline()
			if at.IsZero() || at.Before(now) || at.After(now.Add(10*time.Minute)) {
				at = now.Add(10 * time.Minute)
			}
			now = at
			r.Tick(now)
			if s := r.Status().Error; s != "" {
				t.Fatal(s)
			}
			if fill && now.Sub(start) < 5*time.Minute {
				r.IKE(ike.Path{Local: netip.AddrPortFrom(ip("192.0.2.1"), 500), Remote: netip.AddrPortFrom(ip("192.0.2.9"), 500)}, []byte{1})
				r.At(now).Punt(&fastpath.Punt{Reason: fastpath.SAHeard, SA: fib.SAID(d.roll(8))})
				r.At(now).Punt(&fastpath.Punt{Reason: fastpath.SASoft, SA: fib.SAID(d.roll(8))})
			}
		}
		c.Incomplete = false
		check(r.At(now).Configure(c))
		for _, a := range []string{"192.0.2.254", "192.0.2.9"} {
			r.At(now).Neighbour("Ethernet0", ip(a), [6]byte{2, 9, 9, 9, 9, 254}, true)
		}
		r.At(now).Neighbour("Ethernet1", ip("10.1.0.7"), [6]byte{}, false)
		r.At(now).Clear(nhrp.Clear{})
		return contents(e.Inherited())
	}
	got, want := run(true), run(false)
	if !slices.Equal(got, want) {
		t.Errorf("after the takeover:\n%s\nafter a fresh start:\n%s", lines(got), lines(want))
	}
}

func lines(s []string) (out string) {
	for _, l := range s {
		out += l + "\n"
	}
	return out
}

// Whatever an engine holds, in the end it has what a fresh start would have put there.
func TestTakeOverAnything(t *testing.T) {
	for seed := range uint64(150) {
		data := make([]byte, 400)
		rng := rand.New(rand.NewPCG(seed, 9))
		for k := 0; k < len(data); k += 8 {
			binary.BigEndian.PutUint64(data[k:], rng.Uint64())
		}
		if takeOver(t, data); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzTakeOver(f *testing.F) {
	f.Add([]byte{})
	f.Add(slices.Repeat([]byte{1, 3, 2, 5, 7, 11, 13, 4}, 30))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) <= 600 {
			takeOver(t, data)
		}
	})
}

// hubWith is the configuration of a protected hub, and the tables of one that has peers.
func hubWith(peers int) (c Config, b fib.Batch) {
	c = baseConfig()
	c.Interfaces[2].Addrs = []netip.Prefix{pfx("10.0.0.11/16")}
	c.Interfaces[2].Tunnel.Protected, c.Interfaces[2].Tunnel.Protection = true, 1
	n := &c.NHRP.Interfaces[0]
	n.Address, n.Protected, n.NHS, n.Maps, n.MulticastDynamic = pfx("10.0.0.11/16"), true, nil, nil, true
	c.Sessions = dmvpn.Config{Protections: []dmvpn.Protection{{ID: 1, Profile: "vpn", Ifaces: []string{"Tunnel0"}, Local: ip("192.0.2.1")}}}
	b.Ports = []fib.Port{{ID: wanPort, MAC: c.Interfaces[0].MAC, Addr: ip("192.0.2.1"), MTU: 1500}, {ID: lanPort, MAC: c.Interfaces[1].MAC, Addr: ip("10.1.0.1"), MTU: 1500}}
	b.Tunnels = []fib.Tunnel{{
		ID: tunnelID, Local: ip("192.0.2.1"), Key: key, HasKey: true, Addr: ip("10.0.0.11"), MTU: 1400, Network: 1, Redirect: true, Group: 1, Protected: true, Protection: 1,
	}}
	group := fib.Group{ID: 1}
	for k := range peers {
		nbma, tun := netip.AddrFrom4([4]byte{198, 18, byte(k >> 8), byte(k)}), netip.AddrFrom4([4]byte{10, 0, byte(1 + k>>8), byte(k)})
		out := fib.SAID(2*k + 1)
		for i, sa := range []fib.SAID{out, out + 1} {
			b.SAs = append(b.SAs, fib.SA{
				ID: sa, Inbound: i == 1, SPI: 0x1000 + uint32(sa), Local: ip("192.0.2.1"), Remote: nbma, Cipher: fib.CipherAESGCM, ICV: 16, Window: uint16(i) * 64,
				Protection: 1, Expires: start.Add(time.Hour).Unix(),
			})
		}
		from, to := ip("192.0.2.1").As4(), nbma.As4()
		outer := []byte{2, 9, 9, 9, 9, 254, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 255, 50, 0, 0}
		a := fib.Adjacency{
			ID: fib.FirstAdj + fib.AdjID(2*k), Kind: fib.AdjTunnel, Port: wanPort, Tunnel: tunnelID, Inner: []byte{0x20, 0, 8, 0, 0, 0, 2, 0xbc}, SA: out,
			Outer: append(append(outer, from[:]...), to[:]...), MTU: 1400, LinkMTU: 1500, Network: 1, NextHop: tun,
		}
		peer := a
		peer.ID, peer.NextHop = a.ID+1, netip.Addr{}
		b.Adjacencies = append(b.Adjacencies, a, peer)
		group.Members = append(group.Members, peer.ID)
		b.Routes = append(b.Routes, fib.Route{Prefix: netip.PrefixFrom(tun, 32), Paths: []fib.AdjID{a.ID}})
	}
	b.Groups = []fib.Group{group}
	return c, b
}

// Ten thousand peers are taken over as they are, in a time that nobody notices.
func BenchmarkTakeOver10000(b *testing.B) {
	for b.Loop() {
		c, batch := hubWith(10000)
		r := NewSeeded(newEngine(), &host{}, 1)
		r.At(start).Inherit(batch)
		if err := r.At(start).Configure(c); err != nil {
			b.Fatal(err)
		}
		if s := r.Status(); len(s.NHRP.Entries) != 10000 || s.Sessions.SAs != 20000 || s.Inherited.Adjacencies != 0 || s.Inherited.Routes != 0 {
			b.Fatalf("%d entries, %d associations; left %+v", len(s.NHRP.Entries), s.Sessions.SAs, s.Inherited)
		}
	}
}
