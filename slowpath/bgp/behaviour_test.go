package bgp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nave/testbed/ports"
)

// A session that is lost leaves the routes where they are for the restart time, and nobody is told of anything.
func TestGracefulRestart(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca, cb := a.base(port, 65000, b), b.base(port, 65000, a)
	ca.GracefulRestart = GracefulRestart{Enabled: true, RestartTime: 60 * time.Second}
	cb.GracefulRestart = ca.GracefulRestart
	a.announce(Local{Prefix: pfx("10.1.0.0/16")}, Local{Prefix: pfx("10.2.0.0/16")})
	a.configure(ca)
	b.configure(cb)
	established(t, a, b)
	wait(t, "routes", func() bool { return has(b, "", "10.1.0.0/16")() && has(b, "", "10.2.0.0/16")() })
	time.Sleep(500 * time.Millisecond) // End of RIB
	b.mu.Lock()
	moves := b.moves
	b.mu.Unlock()
	// The connection breaks as when a router dies.
	a.s.mu.Lock()
	l := a.s.instances[""].links[b.addr]
	a.s.mu.Unlock()
	l.mu.Lock()
	l.outer.SetLinger(0)
	l.outer.Close()
	l.mu.Unlock()
	wait(t, "the session to end", func() bool { _, down := b.ups(a.addr); return down == 1 })
	ps, err := b.s.Paths("", IPv4Unicast)
	if up, _ := b.ups(a.addr); err != nil || len(ps) != 2 || !ps[0].Stale && up == 1 { // the next session may be there already
		t.Errorf("paths while it restarts %+v, %v", ps, err)
	}
	if err := a.s.Retract(Key{"", pfx("10.2.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	established(t, a, b)
	wait(t, "what did not come again to go", func() bool { return !has(b, "", "10.2.0.0/16")() })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.moves != moves+1 {
		t.Errorf("%d changes of routes over a graceful restart, want one withdrawal", b.moves-moves)
	}
}

func TestRouteMapIn(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	cb := b.base(port, 65000, a)
	pref, med := uint32(300), uint32(42)
	cb.PrefixLists = map[string]PrefixList{"TEN": {{Prefix: pfx("10.0.0.0/8"), LE: 16}}, "NONE": {{Prefix: pfx("99.0.0.0/8")}}}
	cb.RouteMaps = map[string]RouteMap{"IN": {
		{Deny: true, PrefixLists: []string{"NONE"}, Match: true},
		{PrefixLists: []string{"TEN"}, Match: true, LocalPref: &pref, Metric: &med, Communities: []uint32{65000<<16 | 7}, Additive: true},
	}}
	cb.Neighbours[0].Families[0].In = "IN"
	a.announce(Local{Prefix: pfx("10.1.0.0/16"), Communities: []uint32{65000<<16 | 5}}, Local{Prefix: pfx("20.1.0.0/16")})
	a.configure(a.base(port, 65000, b))
	b.configure(cb)
	established(t, a, b)
	wait(t, "route", has(b, "", "10.1.0.0/16"))
	r, _ := b.route("", "10.1.0.0/16")
	if r.LocalPref != 300 || r.Metric != 42 || len(r.Communities) != 2 {
		t.Errorf("%+v", r)
	}
	never(t, "what no clause permits", time.Second, has(b, "", "20.1.0.0/16"))
	// The route-map goes: what was refused comes, without a new session.
	b.configure(b.base(port, 65000, a))
	wait(t, "the other route", has(b, "", "20.1.0.0/16"))
	wait(t, "the attributes to be a's", func() bool { r, _ := b.route("", "10.1.0.0/16"); return r.LocalPref == 100 && r.Metric == 0 })
	if up, down := b.ups(a.addr); up != 1 || down != 0 {
		t.Errorf("%d ups, %d downs", up, down)
	}
}

func TestSendCommunity(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	a.announce(Local{Prefix: pfx("10.1.0.0/16"), Communities: []uint32{65000<<16 | 5}})
	ca := a.base(port, 65000, b)
	ca.Neighbours[0].Families[0].SendCommunity = false
	a.configure(ca)
	b.configure(b.base(port, 65000, a))
	wait(t, "route", has(b, "", "10.1.0.0/16"))
	if r, _ := b.route("", "10.1.0.0/16"); len(r.Communities) != 0 {
		t.Errorf("communities %v without send-community", r.Communities)
	}
	ca.Neighbours = []Neighbour{a.to(b, 65000, IPv4Unicast)}
	a.configure(ca)
	wait(t, "communities", func() bool { r, _ := b.route("", "10.1.0.0/16"); return len(r.Communities) == 1 })
}

func TestMaximumPrefix(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	a.announce(Local{Prefix: pfx("10.1.0.0/16")}, Local{Prefix: pfx("10.2.0.0/16")})
	cb := b.base(port, 65000, a)
	cb.Neighbours[0].Families[0].MaxPrefixes = 3
	a.configure(a.base(port, 65000, b))
	b.configure(cb)
	established(t, a, b)
	wait(t, "routes", has(b, "", "10.2.0.0/16"))
	a.announce(Local{Prefix: pfx("10.3.0.0/16")}, Local{Prefix: pfx("10.4.0.0/16")}, Local{Prefix: pfx("10.5.0.0/16")})
	over := func() bool {
		st, err := b.s.Status()
		return err == nil && st.Neighbours[0].OverLimit && st.Neighbours[0].State != Established
	}
	wait(t, "the limit to end the session", over)
	never(t, "the session again", 3*time.Second, func() bool { return !over() })
	if err := a.s.Retract(Key{"", pfx("10.4.0.0/16")}, Key{"", pfx("10.5.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	if err := b.s.Clear(Clear{}); err != nil {
		t.Fatal(err)
	}
	established(t, a, b)
	wait(t, "routes again", has(b, "", "10.3.0.0/16"))
}

func TestListenRange(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	h, a, b := newBox(t, 1), newBox(t, 2), newBox(t, 3)
	ch := h.base(port, 65000)
	ch.ListenMax = 1
	tmpl := h.to(h, 65000, IPv4Unicast)
	tmpl.Client = true
	tmpl.Password = "range"
	ch.Ranges = []Range{{Prefix: pfx("127.0.0.0/16"), Template: tmpl}}
	h.announce(Local{Prefix: pfx("10.9.0.0/16")})
	h.configure(ch)
	dialer := func(x *box) {
		c := x.base(port, 65000, h)
		c.Neighbours[0].Password = "range"
		x.configure(c)
	}
	dialer(a)
	wait(t, "a", has(a, "", "10.9.0.0/16"))
	dialer(b)
	never(t, "b over the limit", 2*time.Second, has(b, "", "10.9.0.0/16"))
	st, err := h.s.Status()
	if err != nil || len(st.Neighbours) != 1 || !st.Neighbours[0].Dynamic || st.Neighbours[0].Address != a.addr {
		t.Fatalf("%+v, %v", st.Neighbours, err)
	}
	ch.ListenMax = 2
	h.configure(ch)
	wait(t, "b", has(b, "", "10.9.0.0/16"))
	if up, down := h.ups(a.addr); up != 1 || down != 0 {
		t.Errorf("a: %d ups, %d downs", up, down)
	}
	ch.Ranges = nil
	h.configure(ch)
	wait(t, "the range to go", func() bool { return h.state(a.addr) == 0 && h.state(b.addr) == 0 && a.state(h.addr) != Established })
}

// Both ends dial at the same time, again and again: one connection is left, the same at both.
func TestCollision(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca, cb := a.base(port, 65000, b), b.base(port, 65000, a)
	done := make(chan error, 2)
	go func() { done <- a.s.Configure(ca) }()
	go func() { done <- b.s.Configure(cb) }()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	established(t, a, b)
	never(t, "the session to end", time.Second, func() bool { _, down := a.ups(b.addr); return down > 0 })
	na, err := a.s.Neighbour("", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	nb, err := b.s.Neighbour("", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	if na.Local != nb.Remote || na.Remote != nb.Local {
		t.Errorf("a's connection is %s to %s, b's %s to %s", na.Local, na.Remote, nb.Local, nb.Remote)
	}
	if na.RouterID != cb.RouterID || na.Hold != 180*time.Second || na.Sent.Opens == 0 || len(na.Capabilities) == 0 {
		t.Errorf("status %+v", na)
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n        Neighbour
		external bool
		ttl, min int
	}{
		{Neighbour{}, true, 1, 0}, {Neighbour{}, false, 255, 0}, {Neighbour{MultihopTTL: 4}, true, 4, 0}, {Neighbour{SecurityHops: 1}, true, 255, 255}, {Neighbour{SecurityHops: 2}, false, 255, 254},
	} {
		if ttl, min := ttls(&c.n, c.external); ttl != c.ttl || min != c.min {
			t.Errorf("%+v: %d, %d", c.n, ttl, min)
		}
	}
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca, cb := a.base(port, 65001), b.base(port, 65002)
	ca.Neighbours, cb.Neighbours = []Neighbour{a.to(b, 65002, IPv4Unicast)}, []Neighbour{b.to(a, 65001, IPv4Unicast)}
	ca.Neighbours[0].SecurityHops = 1
	a.configure(ca)
	b.configure(cb) // sends with TTL 1: a takes nothing of it
	never(t, "a session without TTL 255", 3*time.Second, func() bool { return a.state(b.addr) == Established })
	cb.Neighbours = slices.Clone(cb.Neighbours)
	cb.Neighbours[0].SecurityHops = 1
	b.configure(cb)
	established(t, a, b)
}

// The regions of a prefix-list are those that going through its rules permits.
func TestPrefixListRegions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := func(label string, least int) netip.Prefix {
			bits := rapid.IntRange(least, 6).Draw(t, label+" bits")
			v := byte(rapid.IntRange(0, 63).Draw(t, label)) << 2
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{v}), bits).Masked()
		}
		var l PrefixList
		for range rapid.IntRange(1, 6).Draw(t, "rules") {
			r := PrefixRule{Deny: rapid.Bool().Draw(t, "deny"), Prefix: prefix("rule", 0)}
			if rapid.Bool().Draw(t, "ge?") {
				r.GE = rapid.IntRange(max(1, r.Prefix.Bits()), 8).Draw(t, "ge")
			}
			if rapid.Bool().Draw(t, "le?") {
				r.LE = rapid.IntRange(max(1, r.GE, r.Prefix.Bits()), 8).Draw(t, "le")
			}
			l = append(l, r)
		}
		regions := l.regions()
		for bits := range 9 {
			for v := range 1 << bits {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(v << (8 - bits))}), bits)
				want := false
				for _, r := range l {
					if lo, hi := r.lengths(); r.Prefix.Contains(p.Addr()) && lo <= bits && bits <= hi {
						want = !r.Deny
						break
					}
				}
				got := slices.ContainsFunc(regions, func(r region) bool { return r.p.Contains(p.Addr()) && r.lo <= bits && bits <= r.hi })
				if got != want {
					t.Fatalf("%v: %s is in: %t, want %t; regions %v", l, p, got, want, regions)
				}
			}
		}
	})
}

func TestNames(t *testing.T) {
	for _, s := range []string{"1:1", "65000:4000000000", "192.0.2.1:5", "4200000000:65535"} {
		if d, err := ParseRD(s); err != nil || d.String() != s {
			t.Errorf("RD %s: %s, %v", s, d, err)
		}
		if d, err := ParseRouteTarget(s); err != nil || d.String() != s || !d.isTarget() {
			t.Errorf("route target %s: %s, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "1", ":", "1:", ":1", "a:1", "1:4294967296", "192.0.2.1:65536", "70000:65536", "4294967296:1", "::1:1"} {
		if d, err := ParseRD(s); err == nil {
			t.Errorf("%q is RD %s", s, d)
		}
	}
	if s := Secret("hidden"); s.String() != "*" || s.GoString() != "*" {
		t.Error("a secret prints itself")
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	good := Config{AS: 1, RouterID: netip.MustParseAddr("10.0.0.1"), Port: ports.TCP(t), Listen: []netip.Addr{netip.MustParseAddr("127.0.8.1")}}
	n := func(f func(*Neighbour)) func(*Config) {
		return func(c *Config) {
			x := Neighbour{Address: netip.MustParseAddr("127.0.8.2"), RemoteAS: 1, Passive: true}
			f(&x)
			c.Neighbours = append(c.Neighbours, x)
		}
	}
	a := newBox(t, 8)
	for name, f := range map[string]func(*Config){
		"no AS with neighbours": func(c *Config) { n(func(*Neighbour) {})(c); c.AS = 0 },
		"no router-id":          func(c *Config) { c.RouterID = netip.Addr{} },
		"no remote-as":          n(func(x *Neighbour) { x.RemoteAS = 0 }),
		"twice":                 func(c *Config) { n(func(*Neighbour) {})(c); n(func(*Neighbour) {})(c) },
		"external client":       n(func(x *Neighbour) { x.RemoteAS, x.Client = 2, true }),
		"hold":                  n(func(x *Neighbour) { x.Hold = time.Second }),
		"multihop and security": n(func(x *Neighbour) { x.MultihopTTL, x.SecurityHops = 2, 2 }),
		"password":              n(func(x *Neighbour) { x.Password = Secret(make([]byte, 81)) }),
		"source":                n(func(x *Neighbour) { x.UpdateSource = netip.MustParseAddr("::1") }),
		"family":                n(func(x *Neighbour) { x.Families = []Activation{{Family: 9}} }),
		"VRF without RD":        func(c *Config) { c.VRFs = []VRF{{Name: "red"}} },
		"VRFs of one RD":        func(c *Config) { c.VRFs = []VRF{{Name: "red", RD: 1}, {Name: "blue", RD: 1}} },
		"VPN in a VRF": func(c *Config) {
			c.VRFs = []VRF{{Name: "red", RD: 1, Neighbours: []Neighbour{{Address: a.addr, RemoteAS: 2, Families: []Activation{{Family: VPNv4}}}}}}
		},
		"prefix-list": func(c *Config) {
			c.RouteMaps = map[string]RouteMap{"M": {{PrefixLists: []string{"L"}, Match: true}}}
			c.PrefixLists = map[string]PrefixList{"L": {{Prefix: pfx("10.0.0.0/8"), LE: 4}}}
			n(func(x *Neighbour) { x.Families = []Activation{{Family: IPv4Unicast, In: "M"}} })(c)
		},
	} {
		c := good
		f(&c)
		if err := a.s.Configure(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := a.s.Configure(good); err != nil {
		t.Error(err)
	}
	if err := a.s.Configure(Config{}); err != nil {
		t.Error(err)
	}
}

// Configurations at random, one after the other, on a running speaker: nothing hangs or panics, and the last one works.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	r := rand.New(rand.NewPCG(1, 2))
	final := a.vpn(port, b)
	final.VRFs = twoVRFs()
	cb := b.vpn(port, a)
	cb.VRFs = twoVRFs()
	b.configure(cb)
	for i := range 40 {
		c := a.vpn(port, b)
		if r.IntN(2) == 0 {
			c.VRFs = twoVRFs()[:1+r.IntN(2)]
		}
		if r.IntN(8) == 0 {
			c.AS = 65000 + uint32(r.IntN(2))
			c.Neighbours[0].RemoteAS = c.AS
		}
		if r.IntN(3) == 0 {
			c.Neighbours[0].Families[0].NextHopSelf = true
		}
		if r.IntN(6) == 0 {
			c.Neighbours = nil
		}
		a.configure(c)
		k := Key{[]string{"red", "blue"}[r.IntN(2)], netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(4))}), 16)}
		if r.IntN(2) == 0 {
			a.announce(Local{VRF: k.VRF, Prefix: k.Prefix, Label: uint32(100 + i)})
		} else if err := a.s.Retract(k); err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	a.announce(Local{VRF: "red", Prefix: pfx("172.16.0.0/16"), Label: 999})
	a.configure(final)
	established(t, a, b)
	wait(t, "the last route", has(b, "red", "172.16.0.0/16"))
	want := make(map[Key]uint32)
	a.s.mu.Lock()
	for k, l := range a.s.locals {
		want[k] = l.Label
	}
	a.s.mu.Unlock()
	wait(t, "exactly a's routes", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.routes) != len(want) {
			return false
		}
		for k, label := range want {
			if r, ok := b.routes[k]; !ok || r.Labels[0] != label {
				return false
			}
		}
		return true
	})
}
