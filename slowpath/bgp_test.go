package slowpath

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// vpnEngine is a fast path that knows labels and VRFs.
type vpnEngine struct {
	*engine
	labels map[uint32]fib.Label
	tables map[fib.RouteKey][]fib.AdjID
}

func newVPNEngine() *vpnEngine {
	return &vpnEngine{newEngine(), make(map[uint32]fib.Label), make(map[fib.RouteKey][]fib.AdjID)}
}

func (e *vpnEngine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	for _, l := range b.Labels {
		e.labels[l.In] = l
	}
	for _, in := range b.DelLabels {
		delete(e.labels, in)
	}
	for _, r := range b.Routes {
		e.tables[fib.RouteKey{VRF: r.VRF, Prefix: r.Prefix}] = r.Paths
	}
	for _, k := range b.DelRoutes {
		delete(e.tables, k)
	}
	return e.engine.Apply(b)
}

const red, blue = fib.VRF(2), fib.VRF(3)

// border rig: Ethernet1 is in VRF red, Loopback1 in blue; the tunnel takes labels.
type bgpRig struct {
	*Router
	t      *testing.T
	engine *vpnEngine
	now    time.Time
	config Config
	said   map[bgp.Key]bgp.Local
	moves  int
	logs   []Event
}

// borderHost is the rig's Linux.
type borderHost struct {
	host
	bgpRig *bgpRig
}

// Log implements Linux.
func (h *borderHost) Log(e Event) { h.bgpRig.logs = append(h.bgpRig.logs, e) }

// Originate implements Linux. What is announced has to be installed by then.
func (h *borderHost) Originate(announce []bgp.Local, retract []bgp.Key) {
	h.bgpRig.originated(announce, retract)
}

func (r *bgpRig) originated(announce []bgp.Local, retract []bgp.Key) {
	for _, k := range retract {
		if _, ok := r.said[k]; !ok {
			r.t.Errorf("%v is taken back and was not announced", k)
		}
		delete(r.said, k)
		r.moves++
	}
	for _, l := range announce {
		if l.VRF != "" && r.engine.labels[l.Label].In == 0 {
			r.t.Errorf("%+v: the label is not installed yet", l)
		}
		r.said[bgp.Key{VRF: l.VRF, Prefix: l.Prefix}] = l
		r.moves++
	}
}

func newBGPRig(t *testing.T, change func(*Config)) *bgpRig {
	t.Helper()
	r := &bgpRig{t: t, engine: newVPNEngine(), now: start, config: baseConfig(), said: make(map[bgp.Key]bgp.Local)}
	c := &r.config
	c.VRFs = []VRF{{ID: red, Name: "red"}, {ID: blue, Name: "blue"}}
	c.Interfaces[1].VRF = red
	c.Interfaces[2].MPLS = true
	c.Interfaces = append(c.Interfaces, Interface{Interface: rib.Interface{Name: "Loopback1", VRF: blue, Addrs: []netip.Prefix{pfx("10.8.0.1/32")}, Up: true, MTU: 1500}})
	c.Statics[red] = []rib.StaticRoute{{Prefix: pfx("10.7.0.0/16"), Hops: []rib.NextHop{{Addr: ip("10.1.0.9")}}}, {Prefix: pfx("0.0.0.0/0")}}
	c.MPLS = MPLS{First: 100, Last: 219}
	noDefault := func(p netip.Prefix, _ *rib.Route) (Attributes, bool) { return Attributes{LocalPref: 150}, p.Bits() > 0 }
	c.BGP = BGP{On: true, Redistribute: []Redistribute{
		{VRF: red, Source: rib.Connected}, {VRF: red, Source: rib.Static, Permit: noDefault}, {VRF: blue, Source: rib.Connected},
	}}
	if change != nil {
		change(c)
	}
	r.Router = NewSeeded(r.engine, &borderHost{bgpRig: r}, 1)
	r.configure()
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.254"), [6]byte{2, 9, 9, 9, 9, 254}, true)
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.9"), [6]byte{2, 9, 9, 9, 9, 9}, true)
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.9"), [6]byte{2, 9, 9, 9, 1, 9}, true)
	r.Tick(r.now)
	return r
}

func (r *bgpRig) configure() {
	r.t.Helper()
	if err := r.At(r.now).Configure(r.config); err != nil {
		r.t.Fatal(err)
	}
}

func (r *bgpRig) wait(d time.Duration) {
	r.now = r.now.Add(d)
	r.Tick(r.now)
}

// announced is what was announced of a prefix.
func (r *bgpRig) announced(vrf, prefix string) bgp.Local {
	r.t.Helper()
	l, ok := r.said[bgp.Key{VRF: vrf, Prefix: pfx(prefix)}]
	if !ok {
		r.t.Fatalf("%s of %q is not announced: %+v", prefix, vrf, r.said)
	}
	return l
}

func (r *bgpRig) hear(e bgp.Effects) { r.At(r.now).BGP(e) }

func vpnRoute(vrf, prefix, hop string, labels ...uint32) bgp.Route {
	return bgp.Route{Key: bgp.Key{VRF: vrf, Prefix: pfx(prefix)}, NextHop: ip(hop), Labels: labels, Distance: 200, RD: 7}
}

// pushes tells whether an adjacency puts just this label on.
func pushes(a fib.Adjacency, label uint32) bool { return slices.Equal(a.Labels, []uint32{label}) }

// way is the adjacency of a route of a VRF.
func (r *bgpRig) way(vrf fib.VRF, prefix string) (fib.Adjacency, bool) {
	ids := r.engine.tables[fib.RouteKey{VRF: vrf, Prefix: pfx(prefix)}]
	if len(ids) == 0 {
		return fib.Adjacency{}, false
	}
	a, ok := r.engine.adjacencies[ids[0]]
	return a, ok
}

func TestAnnounced(t *testing.T) {
	r := newBGPRig(t, func(c *Config) {
		c.BGP.Networks = []Network{{VRF: fib.Global, Prefix: pfx("10.0.0.0/24"), Set: Attributes{Metric: 5, HasMetric: true}}, {VRF: fib.Global, Prefix: pfx("10.99.0.0/16")}}
	})
	net, static, loop := r.announced("red", "10.1.0.0/24"), r.announced("red", "10.7.0.0/16"), r.announced("blue", "10.8.0.1/32")
	if e := r.engine.labels[net.Label]; e.Action != fib.LabelLookup || e.VRF != red || net.Origin != bgp.OriginIncomplete {
		t.Errorf("connected: %+v: %+v", net, e)
	}
	if e := r.engine.labels[static.Label]; e.Action != fib.LabelForward || len(e.Paths) == 0 || static.LocalPref != 150 {
		t.Errorf("static: %+v: %+v", static, e)
	}
	if e := r.engine.labels[loop.Label]; e.Action != fib.LabelLookup || e.VRF != blue {
		t.Errorf("loopback: %+v: %+v", loop, e)
	}
	if l := r.announced("", "10.0.0.0/24"); l.Label != 0 || l.Origin != bgp.OriginIGP || l.Metric != 5 {
		t.Errorf("network: %+v", l)
	}
	if len(r.said) != 4 || net.Label == loop.Label || net.Label == static.Label {
		t.Errorf("announced: %+v", r.said)
	}
	for _, l := range []uint32{net.Label, static.Label, loop.Label} {
		if l < 160 || l > 219 {
			t.Errorf("label %d is not out of BGP's half", l)
		}
	}
	moves := r.moves
	r.configure()
	if r.wait(time.Minute); r.moves != moves {
		t.Errorf("the same configuration again: %d changes", r.moves-moves)
	}
	r.config.BGP.On = false
	r.configure()
	if len(r.said) != 0 {
		t.Errorf("BGP off: %+v", r.said)
	}
	if r.wait(keepLabel); r.engine.labels[net.Label].In != 0 {
		t.Errorf("BGP has been off for a while, and label %d is there", net.Label)
	}
}

// A label stays its prefix's for a while after the prefix is gone, and leads nowhere meanwhile.
func TestLabelsRest(t *testing.T) {
	r := newBGPRig(t, nil)
	before := r.announced("red", "10.7.0.0/16").Label
	statics := r.config.Statics[red]
	drop := func() {
		r.config.Statics[red] = nil
		r.configure()
		if _, ok := r.said[bgp.Key{VRF: "red", Prefix: pfx("10.7.0.0/16")}]; ok || r.engine.labels[before].In != 0 {
			t.Errorf("the route is gone: %+v, label %+v", r.said, r.engine.labels[before])
		}
	}
	drop()
	r.wait(keepLabel / 2)
	r.config.Statics[red] = statics
	r.configure()
	if l := r.announced("red", "10.7.0.0/16"); l.Label != before {
		t.Errorf("label %d, before %d", l.Label, before)
	}
	r.wait(2 * keepLabel) // the rest that was begun does not count any more
	if r.engine.labels[before].In == 0 {
		t.Error("the label went though its route is there")
	}
	drop()
	r.wait(keepLabel)
	if taken, _ := r.pool.Used(); taken != len(r.said) {
		t.Errorf("%d labels are taken for %d routes", taken, len(r.said))
	}
	r.config.Statics[red] = statics
	r.configure()
	if l := r.announced("red", "10.7.0.0/16"); l.Label == before {
		t.Error("the label is in use again already")
	}
	if d := r.border.deadline(); !d.IsZero() {
		t.Errorf("a deadline of %v for nothing", d)
	}
}

func TestPerVRF(t *testing.T) {
	r := newBGPRig(t, func(c *Config) { c.VRFs[0].PerVRF = true })
	all := r.announced("red", "10.1.0.0/24").Label
	if l := r.announced("red", "10.7.0.0/16").Label; l != all {
		t.Errorf("labels %d and %d", l, all)
	}
	now := func() time.Time { return r.now }
	labels := r.Labels(now)
	ce := bgp.LabelFor{VRF: "red", RD: 7, Prefix: pfx("10.6.0.0/16")}
	if l, err := labels.Allocate(ce); err != nil || l != all {
		t.Errorf("the speaker got %d, %v", l, err)
	}
	r.hear(bgp.Effects{Swaps: []bgp.Swap{{Label: all, VRF: "red", RD: 7, Prefix: ce.Prefix}}})
	r.hear(bgp.Effects{Swaps: []bgp.Swap{{Label: all, VRF: "red", RD: 7, Prefix: ce.Prefix, Removed: true}}})
	if e := r.engine.labels[all]; e.Action != fib.LabelLookup || e.VRF != red {
		t.Errorf("the VRF's label went with one of its prefixes: %+v", e)
	}
	r.config.VRFs[0].PerVRF = false
	r.configure()
	if l, n := r.announced("red", "10.7.0.0/16").Label, r.announced("red", "10.1.0.0/24").Label; l == all || n == all || l == n {
		t.Errorf("per prefix: labels %d and %d, the VRF's is %d", l, n, all)
	}
	r.config.VRFs, r.config.Statics = r.config.VRFs[1:], map[fib.VRF][]rib.StaticRoute{}
	r.config.Interfaces[1].VRF = fib.Global
	r.configure()
	if r.engine.labels[all].In != 0 {
		t.Error("the label of a VRF that is no more")
	}
	if taken, _ := r.pool.Used(); taken != 2 {
		t.Errorf("%d labels are taken: blue's, and red's, which the speaker still has", taken)
	}
	labels.Release(ce, all)
	if taken, _ := r.pool.Used(); taken != 1 {
		t.Errorf("%d labels are taken", taken)
	}
}

func TestLearned(t *testing.T) {
	r := newBGPRig(t, nil)
	r.hear(bgp.Effects{Routes: []bgp.Route{
		vpnRoute("red", "10.2.0.0/16", "10.0.0.1", 500),
		vpnRoute("blue", "10.2.0.0/16", "10.0.0.1", 501),
		{Key: bgp.Key{VRF: "blue", Prefix: pfx("10.1.0.0/24")}, From: "red", Distance: 200},
		{Key: bgp.Key{VRF: "red", Prefix: pfx("10.6.0.0/16")}, NextHop: ip("10.1.0.9"), Distance: 20, External: true},
		{Key: bgp.Key{Prefix: pfx("10.5.0.0/16")}, NextHop: ip("10.0.0.1"), Distance: 200},
		vpnRoute("nowhere", "10.2.0.0/16", "10.0.0.1", 500),
	}})
	for vrf, label := range map[fib.VRF]uint32{red: 500, blue: 501} {
		if a, ok := r.way(vrf, "10.2.0.0/16"); !ok || !pushes(a, label) {
			t.Errorf("VPN route of VRF %d: %+v", vrf, a)
		}
	}
	if a, ok := r.way(blue, "10.1.0.0/24"); !ok || a.Kind != fib.AdjLookup || a.VRF != red {
		t.Errorf("a route that leaks: %+v", a)
	}
	if a, ok := r.way(red, "10.6.0.0/16"); !ok || len(a.Inner) != 0 || a.Port != lanPort {
		t.Errorf("of a neighbour inside the VRF: %+v", a)
	}
	if a, ok := r.way(fib.Global, "10.5.0.0/16"); !ok || len(a.Labels) != 0 {
		t.Errorf("of the global table: %+v", a)
	}
	if found, _ := r.rib.Lookup(red, ip("10.6.1.1")); found.Distance != 20 || found.Source != rib.BGP || found.Since != r.now {
		t.Errorf("%+v", found)
	}
	for _, unsafe := range []bgp.Route{
		vpnRoute("red", "10.2.0.0/16", "10.0.0.1"), vpnRoute("red", "10.2.0.0/16", "10.0.0.1", 3), vpnRoute("red", "10.2.0.0/16", "10.0.0.1", 0),
		vpnRoute("red", "10.2.0.0/16", "0.0.0.0", 500), vpnRoute("red", "10.2.0.0/16", "2001:db8::1", 500), vpnRoute("red", "10.2.0.0/16", "192.0.2.254", 500),
		vpnRoute("red", "10.2.0.0/16", "10.0.0.1", 1<<20), {Key: bgp.Key{VRF: "red", Prefix: pfx("10.2.0.0/16")}, From: "nowhere"},
		{Key: bgp.Key{VRF: "red", Prefix: pfx("10.2.0.0/16")}, Withdrawn: true},
	} {
		r.hear(bgp.Effects{Routes: []bgp.Route{vpnRoute("red", "10.2.0.0/16", "10.0.0.1", 500)}})
		if _, ok := r.way(red, "10.2.0.0/16"); !ok {
			t.Fatal("the route is not there")
		}
		r.hear(bgp.Effects{Routes: []bgp.Route{unsafe}})
		if a, ok := r.way(red, "10.2.0.0/16"); ok {
			t.Errorf("%+v is installed: %+v", unsafe, a)
		}
	}
	if len(r.said) != 3 {
		t.Errorf("what was learned is announced: %+v", r.said)
	}
}

func TestSwaps(t *testing.T) {
	r := newBGPRig(t, nil)
	r.hear(bgp.Effects{Swaps: []bgp.Swap{
		{Label: 200, RD: 7, Prefix: pfx("10.2.0.0/16"), NextHop: ip("10.0.0.1"), Labels: []uint32{500}},
		{Label: 201, RD: 7, Prefix: pfx("10.3.0.0/16"), NextHop: ip("10.0.0.1"), Labels: []uint32{3}},
		{Label: 202, RD: 7, Prefix: pfx("10.7.0.0/16"), VRF: "red"},
		{Label: 203, RD: 7, Prefix: pfx("10.7.0.0/16"), VRF: "nowhere"},
		{Label: 204, RD: 7, Prefix: pfx("10.4.0.0/16"), NextHop: ip("10.0.0.1"), Labels: []uint32{502}},
	}})
	e := r.engine.labels
	if l := e[200]; l.Action != fib.LabelSwap || len(l.Paths) != 1 || !pushes(r.engine.adjacencies[l.Paths[0]], 500) {
		t.Errorf("swap: %+v", l)
	}
	if l := e[202]; l.Action != fib.LabelForward || len(l.Paths) != 1 {
		t.Errorf("of a neighbour inside the VRF: %+v", l)
	}
	if e[201].In != 0 || e[203].In != 0 {
		t.Errorf("these lead nowhere: %+v %+v", e[201], e[203])
	}
	r.hear(bgp.Effects{Swaps: []bgp.Swap{
		{Label: 200, RD: 7, Prefix: pfx("10.2.0.0/16"), NextHop: ip("10.0.0.1"), Labels: []uint32{600}},
		{Label: 202, RD: 7, Prefix: pfx("10.7.0.0/16"), VRF: "red", Removed: true},
		{Label: 204, RD: 7, Prefix: pfx("10.4.0.0/16"), Removed: true},
	}})
	if l := e[200]; len(l.Paths) != 1 || !pushes(r.engine.adjacencies[l.Paths[0]], 600) {
		t.Errorf("swapped for another: %+v", l)
	}
	if e[202].In != 0 || e[204].In != 0 {
		t.Errorf("removed: %+v %+v", e[202], e[204])
	}
}

// Labels that the fast path has from a process before this one are not given to anybody.
func TestInheritedLabelsAreAvoided(t *testing.T) {
	r := newBGPRig(t, nil)
	c := r.config
	c.MPLS = MPLS{First: 100, Last: 105}
	c.BGP.Redistribute = c.BGP.Redistribute[:1]
	next := &bgpRig{t: t, engine: newVPNEngine(), now: start, config: c, said: make(map[bgp.Key]bgp.Local)}
	next.Router = NewSeeded(next.engine, &borderHost{bgpRig: next}, 1)
	next.At(next.now).Inherit(fib.Batch{Labels: []fib.Label{{In: 103, Action: fib.LabelLookup, VRF: blue}, {In: 105, Action: fib.LabelLookup, VRF: blue}}})
	next.configure()
	if l := next.announced("red", "10.1.0.0/24"); l.Label != 104 {
		t.Errorf("label %d, though only 104 of 103 to 105 is free", l.Label)
	}
}

func TestBorderLog(t *testing.T) {
	r := newBGPRig(t, func(c *Config) { c.MPLS = MPLS{First: 100, Last: 101} })
	if !slices.ContainsFunc(r.logs, func(e Event) bool { return e.About() == "no label" }) {
		t.Errorf("no word of labels: %+v", r.logs)
	}
	if n := len(r.said); n != 1 {
		t.Errorf("%d routes are announced with one label: %+v", n, r.said)
	}
	r.logs = nil
	up := bgp.Session{Neighbour: ip("10.0.0.1"), Up: true}
	r.hear(bgp.Effects{Sessions: []bgp.Session{up}})
	r.config.BGP.Quiet = true
	r.configure()
	r.hear(bgp.Effects{Sessions: []bgp.Session{up}})
	n := 0
	for _, e := range r.logs {
		if e == Event(up) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d messages of two sessions, one quiet", n)
	}
}
