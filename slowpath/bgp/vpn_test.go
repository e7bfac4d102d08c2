package bgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/testbed/ports"
)

// vpn is a configuration with VPNv4 neighbours and VRFs red (1:1) and blue (2:2), as the guide's.
func (b *box) vpn(port uint16, peers ...*box) Config {
	c := b.base(port, 65000)
	for _, p := range peers {
		c.Neighbours = append(c.Neighbours, b.to(p, 65000, VPNv4))
	}
	return c
}

func twoVRFs() []VRF {
	one := func(name, n string) VRF {
		return VRF{Name: name, RD: mustRD(n), Import: []RouteTarget{mustRT(n)}, Export: []RouteTarget{mustRT(n)}}
	}
	return []VRF{one("red", "1:1"), one("blue", "2:2")}
}

func has(b *box, vrf, prefix string) func() bool {
	return func() bool { _, ok := b.route(vrf, prefix); return ok }
}

func TestVPNOverlapping(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca, cb := a.vpn(port, b), b.vpn(port, a)
	ca.VRFs, cb.VRFs = twoVRFs(), twoVRFs()
	a.announce(
		Local{VRF: "red", Prefix: pfx("192.168.11.0/24"), Label: 101, Origin: OriginIncomplete},
		Local{VRF: "blue", Prefix: pfx("192.168.11.0/24"), Label: 102, Metric: 9},
	)
	a.configure(ca)
	b.configure(cb)
	established(t, a, b)
	wait(t, "red", has(b, "red", "192.168.11.0/24"))
	wait(t, "blue", has(b, "blue", "192.168.11.0/24"))
	red, _ := b.route("red", "192.168.11.0/24")
	blue, _ := b.route("blue", "192.168.11.0/24")
	if red.NextHop != a.addr || !slices.Equal(red.Labels, []uint32{101}) || red.RD != mustRD("1:1") || red.Origin != OriginIncomplete || red.Distance != 200 {
		t.Errorf("red %+v", red)
	}
	if blue.NextHop != a.addr || !slices.Equal(blue.Labels, []uint32{102}) || blue.Metric != 9 || !slices.Equal(blue.Targets, []RouteTarget{mustRT("2:2")}) {
		t.Errorf("blue %+v", blue)
	}
	if _, ok := a.route("red", "192.168.11.0/24"); ok {
		t.Error("a has its own route back")
	}
	if err := a.s.Retract(Key{"red", pfx("192.168.11.0/24")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "red to go", func() bool { return !has(b, "red", "192.168.11.0/24")() })
	if !has(b, "blue", "192.168.11.0/24")() {
		t.Error("blue went with red")
	}
	// Other import targets, in the running configuration.
	cb.VRFs = twoVRFs()
	cb.VRFs[0].Import = []RouteTarget{mustRT("2:2")}
	b.configure(cb)
	wait(t, "blue's route in red", has(b, "red", "192.168.11.0/24"))
	cb.VRFs = cb.VRFs[:1]
	b.configure(cb)
	wait(t, "blue to be gone", func() bool { return !has(b, "blue", "192.168.11.0/24")() })
	if up, down := b.ups(a.addr); up != 1 || down != 0 {
		t.Errorf("%d ups, %d downs over changes of VRFs", up, down)
	}
}

func TestLeaking(t *testing.T) {
	t.Parallel()
	a := newBox(t, 1)
	c := a.vpn(ports.TCP(t))
	c.VRFs = twoVRFs()
	c.VRFs[1].Import = append(c.VRFs[1].Import, mustRT("1:1"))
	a.configure(c)
	a.announce(Local{VRF: "red", Prefix: pfx("10.1.0.0/16"), Label: 101})
	wait(t, "the leak", has(a, "blue", "10.1.0.0/16"))
	if r, _ := a.route("blue", "10.1.0.0/16"); r.From != "red" || r.NextHop.IsValid() || len(r.Labels) != 0 {
		t.Errorf("leaked %+v", r)
	}
	c.VRFs = twoVRFs()
	a.configure(c)
	wait(t, "the leak to end", func() bool { return !has(a, "blue", "10.1.0.0/16")() })
}

// star is a hub and two spokes as in the guide's figure: spoke a advertises, hub h reflects, spoke b learns.
func star(t testing.TB, hub func(*Config)) (h, a, b *box) {
	port := ports.TCP(t)
	h, a, b = newBox(t, 1), newBox(t, 2), newBox(t, 3)
	ch, ca, cb := h.vpn(port, a, b), a.vpn(port, h), b.vpn(port, h)
	for i := range ch.Neighbours {
		ch.Neighbours[i].Client = true
	}
	hub(&ch)
	ca.VRFs, cb.VRFs = twoVRFs(), twoVRFs()
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.11.0/24"), Label: 77})
	h.configure(ch)
	a.configure(ca)
	b.configure(cb)
	established(t, h, a, b)
	wait(t, "the reflected route", has(b, "red", "192.168.11.0/24"))
	return h, a, b
}

func TestReflectorUnchanged(t *testing.T) {
	t.Parallel()
	h, a, b := star(t, func(*Config) {})
	r, _ := b.route("red", "192.168.11.0/24")
	if r.NextHop != a.addr || !slices.Equal(r.Labels, []uint32{77}) {
		t.Errorf("reflected %+v", r)
	}
	if len(h.labels.given) != 0 || len(h.swaps) != 0 {
		t.Errorf("labels %v, swaps %v at a plain reflector", h.labels.given, h.swaps)
	}
	ps, err := b.s.Paths("", VPNv4)
	if err != nil || len(ps) != 1 || ps[0].Originator != netip.MustParseAddr("10.0.0.2") {
		t.Errorf("paths %+v, %v", ps, err)
	}
}

// swapped checks that b is told of the hub's own label, and that the hub swaps it for a's.
func swapped(t *testing.T, h, a, b *box) uint32 {
	t.Helper()
	r, _ := b.route("red", "192.168.11.0/24")
	if r.NextHop != h.addr || len(r.Labels) != 1 {
		t.Fatalf("reflected %+v, want next hop %s", r, h.addr)
	}
	w, ok := h.swapOf(r.Labels[0])
	if !ok || w.NextHop != a.addr || !slices.Equal(w.Labels, []uint32{77}) || w.RD != mustRD("1:1") || w.Prefix != pfx("192.168.11.0/24") {
		t.Fatalf("label %d at the hub: %+v", r.Labels[0], w)
	}
	if r.Labels[0] == 77 {
		t.Fatal("the spoke's label went through the hub")
	}
	return r.Labels[0]
}

func TestReflectorNextHopSelf(t *testing.T) {
	t.Parallel()
	h, a, b := star(t, func(c *Config) {
		for i := range c.Neighbours {
			c.Neighbours[i].Families[0].NextHopSelf = true
		}
		c.KeepLabel = 500 * time.Millisecond
	})
	label := swapped(t, h, a, b)
	ps, err := b.s.Paths("", VPNv4)
	if err != nil || len(ps) != 1 || ps[0].Originator != netip.MustParseAddr("10.0.0.2") {
		t.Errorf("paths %+v, %v", ps, err)
	}
	ps, err = h.s.AdvertisedTo("", b.addr, VPNv4)
	if err != nil || len(ps) != 1 || ps[0].NextHop != h.addr || !slices.Equal(ps[0].Labels, []uint32{label}) {
		t.Errorf("advertised %+v, %v", ps, err)
	}
	// Another label at the spoke: ours stays, what it is swapped for changes.
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.11.0/24"), Label: 78})
	wait(t, "the swap to change", func() bool { w, ok := h.swapOf(label); return ok && w.Labels[0] == 78 })
	if r, _ := b.route("red", "192.168.11.0/24"); r.Labels[0] != label {
		t.Errorf("label %d, was %d", r.Labels[0], label)
	}
	if err := a.s.Retract(Key{"red", pfx("192.168.11.0/24")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the route to go", func() bool { return !has(b, "red", "192.168.11.0/24")() })
	wait(t, "the swap to go", func() bool { _, ok := h.swapOf(label); return !ok })
	wait(t, "the label to be released", func() bool {
		h.labels.mu.Lock()
		defer h.labels.mu.Unlock()
		return slices.Equal(h.labels.released, []uint32{label})
	})
}

func TestReflectorRouteMap(t *testing.T) {
	t.Parallel()
	h, a, b := star(t, func(c *Config) {
		c.RouteMaps = map[string]RouteMap{"NEXTHOP": {{NextHop: netip.MustParseAddr("127.0.1.1")}}}
		for i := range c.Neighbours {
			c.Neighbours[i].Families[0].Out = "NEXTHOP"
		}
	})
	swapped(t, h, a, b)
}

// With a condition the route-map is GoBGP's; the hub's own routes keep their label, and what is not matched is refused.
func TestReflectorRouteMapWithPrefixList(t *testing.T) {
	t.Parallel()
	h, a, b := star(t, func(c *Config) {
		c.PrefixLists = map[string]PrefixList{"RED": {{Deny: true, Prefix: pfx("192.168.12.0/24")}, {Prefix: pfx("192.168.0.0/16"), LE: 24}}}
		c.RouteMaps = map[string]RouteMap{"NEXTHOP": {{PrefixLists: []string{"RED"}, Match: true, NextHop: netip.MustParseAddr("127.0.1.1")}}}
		for i := range c.Neighbours {
			c.Neighbours[i].Families[0].Out = "NEXTHOP"
		}
		c.VRFs = twoVRFs()
	})
	swapped(t, h, a, b)
	h.announce(Local{VRF: "red", Prefix: pfx("192.168.99.0/24"), Label: 55})
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.12.0/24"), Label: 79}, Local{VRF: "red", Prefix: pfx("192.168.13.0/25"), Label: 80},
		Local{VRF: "red", Prefix: pfx("192.168.14.0/24"), Label: 81})
	wait(t, "the hub's route", has(b, "red", "192.168.99.0/24"))
	wait(t, "the last", has(b, "red", "192.168.14.0/24"))
	if r, _ := b.route("red", "192.168.99.0/24"); r.NextHop != h.addr || !slices.Equal(r.Labels, []uint32{55}) {
		t.Errorf("the hub's own %+v", r)
	}
	for _, p := range []string{"192.168.12.0/24", "192.168.13.0/25"} {
		if has(b, "red", p)() {
			t.Errorf("%s got through the prefix-list", p)
		}
		if !has(h, "red", p)() {
			t.Errorf("the hub has no %s", p)
		}
	}
}

// Each neighbour gets what its own configuration says: b the hub's label, c the spoke's.
func TestMixedReflector(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	h, a, b, c := newBox(t, 1), newBox(t, 2), newBox(t, 3), newBox(t, 4)
	ch := h.vpn(port, a, b, c)
	for i := range ch.Neighbours {
		ch.Neighbours[i].Client = true
	}
	ch.Neighbours[1].Families[0].NextHopSelf = true
	h.configure(ch)
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.11.0/24"), Label: 77})
	for _, x := range []*box{a, b, c} {
		cx := x.vpn(port, h)
		cx.VRFs = twoVRFs()
		x.configure(cx)
	}
	wait(t, "b", has(b, "red", "192.168.11.0/24"))
	wait(t, "c", has(c, "red", "192.168.11.0/24"))
	swapped(t, h, a, b)
	if r, _ := c.route("red", "192.168.11.0/24"); r.NextHop != a.addr || r.Labels[0] != 77 {
		t.Errorf("c has %+v", r)
	}
	// The same for b, in the running session.
	ch.Neighbours = slices.Clone(ch.Neighbours)
	ch.Neighbours[1] = h.to(b, 65000, VPNv4)
	ch.Neighbours[1].Client = true
	h.configure(ch)
	wait(t, "b to have a's next hop", func() bool {
		r, _ := b.route("red", "192.168.11.0/24")
		return r.NextHop == a.addr && r.Labels[0] == 77
	})
	if up, down := b.ups(h.addr); up != 1 || down != 0 {
		t.Errorf("%d ups, %d downs", up, down)
	}
}

// A route that there is no label for is not advertised, and is once there is one.
func TestNoLabelToBeHad(t *testing.T) {
	t.Parallel()
	h, a, b := star(t, func(c *Config) {
		for i := range c.Neighbours {
			c.Neighbours[i].Families[0].NextHopSelf = true
		}
	})
	h.labels.mu.Lock()
	h.labels.refuse = true
	h.labels.mu.Unlock()
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.20.0/24"), Label: 90})
	never(t, "a route without a label", 3*time.Second, has(b, "red", "192.168.20.0/24"))
	h.labels.mu.Lock()
	h.labels.refuse = false
	h.labels.mu.Unlock()
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.20.0/24"), Label: 91})
	wait(t, "the route", has(b, "red", "192.168.20.0/24"))
	swapped(t, h, a, b)
}

func TestVRFNeighbour(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	pe, ce, far := newBox(t, 1), newBox(t, 2), newBox(t, 3)
	cp := pe.vpn(port, far)
	cp.VRFs = twoVRFs()
	cp.VRFs[0].Neighbours = []Neighbour{pe.to(ce, 65001, IPv4Unicast)}
	// In a test every VRF is in the same namespace: its door would be the global table's.
	cp.VRFs[0].Listen = []netip.Addr{netip.MustParseAddr("127.0.1.2")}
	cp.VRFs[0].Neighbours[0].ConnectRetry = time.Second
	pe.configure(cp)
	cc := ce.base(port, 65001)
	cc.Neighbours = []Neighbour{ce.to(pe, 65000, IPv4Unicast)}
	cc.Neighbours[0].Passive = true
	ce.announce(Local{Prefix: pfx("10.50.0.0/16"), Metric: 3})
	ce.configure(cc)
	cf := far.vpn(port, pe)
	cf.VRFs = twoVRFs()
	far.announce(Local{VRF: "red", Prefix: pfx("10.60.0.0/16"), Label: 66}, Local{VRF: "blue", Prefix: pfx("10.61.0.0/16"), Label: 67})
	far.configure(cf)
	pe.announce(Local{VRF: "red", Prefix: pfx("10.70.0.0/16"), Label: 71})

	wait(t, "the CE's route at the PE", has(pe, "red", "10.50.0.0/16"))
	r, _ := pe.route("red", "10.50.0.0/16")
	if r.NextHop != ce.addr || !r.External || r.Distance != 20 || len(r.Labels) != 0 {
		t.Errorf("at the PE %+v", r)
	}
	wait(t, "the CE's route at the far PE", has(far, "red", "10.50.0.0/16"))
	r, _ = far.route("red", "10.50.0.0/16")
	if r.NextHop != pe.addr || !slices.Equal(r.ASPath, []uint32{65001}) || len(r.Labels) != 1 || r.Metric != 3 {
		t.Fatalf("at the far PE %+v", r)
	}
	if w, ok := pe.swapOf(r.Labels[0]); !ok || w.VRF != "red" || w.NextHop != ce.addr || len(w.Labels) != 0 {
		t.Errorf("label %d at the PE: %+v", r.Labels[0], w)
	}
	for _, p := range []string{"10.60.0.0/16", "10.70.0.0/16"} {
		wait(t, p+" at the CE", has(ce, "", p))
		if r, _ := ce.route("", p); r.NextHop != pe.addr || !slices.Equal(r.ASPath, []uint32{65000}) {
			t.Errorf("at the CE %+v", r)
		}
	}
	if has(ce, "", "10.61.0.0/16")() {
		t.Error("blue's route is at red's CE")
	}
	if err := ce.s.Retract(Key{"", pfx("10.50.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the route to go everywhere", func() bool {
		return !has(pe, "red", "10.50.0.0/16")() && !has(far, "red", "10.50.0.0/16")()
	})
}

func TestVRFNeighbourNeedsNamespaces(t *testing.T) {
	t.Parallel()
	a := newBox(t, 1)
	a.s.env.Within = nil
	c := a.vpn(ports.TCP(t))
	c.VRFs = twoVRFs()
	c.VRFs[0].Neighbours = []Neighbour{{Address: netip.MustParseAddr("127.0.9.1"), RemoteAS: 65001, Families: []Activation{{Family: IPv4Unicast}}}}
	if err := a.s.Configure(c); err == nil {
		t.Error("no error")
	}
	a.announce(Local{VRF: "red", Prefix: pfx("10.1.0.0/16"), Label: 4})
	wait(t, "the rest to work", func() bool { ps, err := a.s.Paths("", VPNv4); return err == nil && len(ps) == 1 })
}
