package eigrp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// chain is routers in a row, each with a subnet 10.N.0.0/24 of its own.
func chain(t testing.TB, n int) *world {
	w := newWorld(t, 1)
	for i := range n {
		r := w.node(fmt.Sprintf("r%d", i))
		r.attach(nil, "lo", fmt.Sprintf("10.%d.0.1/24", i), 10000, 10)
		if i > 0 {
			l := w.link()
			w.nodes[i-1].attach(l, "right", fmt.Sprintf("172.16.%d.1/24", i), 10000, 100)
			r.attach(l, "left", fmt.Sprintf("172.16.%d.2/24", i), 10000, 100)
		}
	}
	return w
}

func (w *world) start() *world {
	for _, n := range w.nodes {
		n.start()
	}
	return w
}

func (n *node) iface(name string) *Interface {
	for i := range n.cfg.Interfaces {
		if n.cfg.Interfaces[i].Name == name {
			return &n.cfg.Interfaces[i]
		}
	}
	return nil
}

func (n *node) has(p string) bool { _, ok := n.routes[pfx(p)]; return ok }

func (n *node) up() (out []netip.Addr) {
	for _, s := range n.m.Neighbors() {
		if s.Up {
			out = append(out, s.Addr)
		}
	}
	return out
}

func (n *node) logged(k LogKind, why Reason) bool {
	return slices.ContainsFunc(n.logs, func(l Log) bool { return l.Kind == k && l.Reason == why })
}

func TestClassicMetric(t *testing.T) {
	w := chain(t, 3).start()
	w.run(3 * time.Second)
	r := w.nodes[0].routes[pfx("10.2.0.0/24")]
	if want := uint32(256 * (1000 + 100 + 100 + 10)); r.Metric != want || r.Distance != 90 || len(r.Hops) != 1 || r.Hops[0].Addr != adr("172.16.1.2") || r.Hops[0].Share != 1 {
		t.Errorf("%+v, want metric %d", r, want)
	}
	for _, s := range w.nodes[0].m.Topology() {
		if s.Prefix == pfx("10.2.0.0/24") && (s.Paths[0].Metric.Hops != 2 || s.Paths[0].Reported != 256*1110 || s.FD != 256*1210) {
			t.Errorf("topology %+v", s)
		}
	}
	// What K values make of the vector.
	m := NewSeeded(1)
	v := vector{Delay: 256 * 110, Bandwidth: 256 * 1000, Reliability: 255, Load: 1, MTU: 1500}
	for _, c := range []struct {
		k    [6]uint8
		want uint64
	}{{[6]uint8{1, 0, 1}, 256 * 1110}, {[6]uint8{1, 1, 1}, 256*1110 + 256*1000/255}, {[6]uint8{2, 0, 3}, 256 * 2330}, {[6]uint8{1, 0, 1, 1, 2}, 256 * 1110 * 2 / 256}, {[6]uint8{0, 0, 0, 0, 1}, 1}} {
		m.cfg = Config{K: c.k}.withDefaults()
		if got := m.composite(&v); got != c.want {
			t.Errorf("K %v: %d, want %d", c.k, got, c.want)
		}
	}
}

func TestWideMetric(t *testing.T) {
	w := chain(t, 3)
	w.nodes[0].cfg.Wide, w.nodes[1].cfg.Wide = true, true
	wide, classic := 0, 0
	w.see = func(from, _ *node, s Send) {
		p, _ := eigrpmsg.Parse(s.Payload)
		for _, r := range p.Routes {
			if r.Wide {
				wide++
				if s.Iface == "right" && from == w.nodes[1] {
					t.Error("a wide metric for a classic neighbor")
				}
			} else {
				classic++
			}
		}
	}
	w.start()
	w.run(4 * time.Second)
	if wide == 0 || classic == 0 {
		t.Errorf("%d wide, %d classic", wide, classic)
	}
	// 10^7*65536/10^4 + 65536 a microsecond, divided by 128.
	if r := w.nodes[0].routes[pfx("10.1.0.0/24")]; r.Metric != (65536*1000+65536*1100)/128 {
		t.Errorf("wide %+v", r)
	}
	if r := w.nodes[0].routes[pfx("10.2.0.0/24")]; r.Metric != (65536*1000+65536*2100)/128 {
		t.Errorf("wide by way of classic %+v", r)
	}
	if r := w.nodes[2].routes[pfx("10.0.0.0/24")]; r.Metric != 256*(1000+210) {
		t.Errorf("classic by way of wide %+v", r)
	}
}

// A link on which nothing is reliable, and K5, are no division by zero.
func TestUnreliable(t *testing.T) {
	m := NewSeeded(1)
	m.cfg = Config{K: [6]uint8{1, 0, 1, 0, 1}}.withDefaults()
	v := vector{Delay: 256, Bandwidth: 256}
	if got := m.composite(&v); got != 512 {
		t.Error(got)
	}
}

// A stub tells of its own only, and is not asked.
func TestStub(t *testing.T) {
	w := chain(t, 4)
	w.nodes[2].cfg.Stub = Stub{Enabled: true, Connected: true}
	queries := 0
	w.see = func(_, to *node, s Send) {
		if p, _ := eigrpmsg.Parse(s.Payload); p.Opcode == eigrpmsg.Query && to == w.nodes[2] && p.Sequence != 0 && s.Iface == "right" {
			queries++
		}
	}
	w.start()
	w.run(4 * time.Second)
	if w.nodes[1].has("10.3.0.0/24") || w.nodes[3].has("10.0.0.0/24") || !w.nodes[1].has("10.2.0.0/24") || !w.nodes[2].has("10.0.0.0/24") {
		t.Errorf("%v, %v", w.nodes[1].routes, w.nodes[3].routes)
	}
	w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(2 * time.Second)
	if queries != 0 {
		t.Errorf("the stub was asked %d times", queries)
	}
	if w.nodes[2].has("10.0.0.0/24") || w.nodes[1].has("10.0.0.0/24") {
		t.Error("the route stays")
	}
	for _, s := range w.nodes[1].m.Neighbors() {
		if s.Stub != (s.Iface == "right") {
			t.Errorf("%+v", s)
		}
	}
	w.nodes[2].cfg.Stub = Stub{Enabled: true, ReceiveOnly: true}
	w.nodes[2].configure()
	w.run(4 * time.Second)
	if w.nodes[1].has("10.2.0.0/24") || !w.nodes[2].has("10.1.0.0/24") {
		t.Error("receive-only is not")
	}
}

func TestSummary(t *testing.T) {
	w := chain(t, 3)
	w.nodes[1].iface("left").Summaries = []Summary{{Prefix: pfx("10.0.0.0/14"), Leak: func(p netip.Prefix) bool { return p == pfx("10.1.0.0/24") }}}
	w.start()
	w.run(4 * time.Second)
	r := w.nodes[0]
	if !r.has("10.0.0.0/14") || r.has("10.2.0.0/24") || !r.has("10.1.0.0/24") || !r.has("172.16.2.0/24") {
		t.Errorf("%v", r.routes)
	}
	// The metric is that of the nearest within it: r1's own subnet.
	if got := r.routes[pfx("10.0.0.0/14")].Metric; got != 256*(1000+110) {
		t.Errorf("metric %d", got)
	}
	if d, ok := w.nodes[1].routes[pfx("10.0.0.0/14")]; !ok || d.Kind != Discard || d.Distance != 5 || len(d.Hops) != 0 {
		t.Errorf("discard route %+v", d)
	}
	if w.nodes[2].has("10.0.0.0/14") {
		t.Error("the summary is told where it is not configured")
	}
	// Without r0's and r1's own, it is r2's; without all, none.
	w.nodes[1].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(2 * time.Second)
	if got := r.routes[pfx("10.0.0.0/14")].Metric; got != 256*(1000+210) {
		t.Errorf("metric %d", got)
	}
	w.nodes[2].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(2 * time.Second)
	if r.has("10.0.0.0/14") || w.nodes[1].has("10.0.0.0/14") {
		t.Error("the summary stays without anything in it")
	}
	w.nodes[2].setPort("lo", func(s *InterfaceState) { s.Up = true })
	w.run(2 * time.Second)
	if !r.has("10.0.0.0/14") {
		t.Error("the summary does not come again")
	}
	w.nodes[1].iface("left").Summaries = nil
	w.nodes[1].configure()
	w.run(2 * time.Second)
	if r.has("10.0.0.0/14") || !r.has("10.2.0.0/24") {
		t.Errorf("after the summary was taken out: %v", r.routes)
	}
}

func TestAutoSummary(t *testing.T) {
	w := chain(t, 2)
	w.nodes[1].cfg.AutoSummary = true
	w.start()
	w.run(4 * time.Second)
	if !w.nodes[0].has("10.0.0.0/8") || w.nodes[0].has("10.1.0.0/24") {
		t.Errorf("%v", w.nodes[0].routes)
	}
}

// hubAnd is a hub with spokes that do not hear each other.
func hubAnd(t testing.TB, spokes int, change func(*world)) *world {
	w := star(t, starOf{spokes: spokes, prefixes: 1, bandwidth: 100_000})
	w.noLoopCheck = false
	for _, n := range w.nodes[1:] {
		n.cfg.Stub = Stub{}
	}
	if change != nil {
		change(w)
	}
	w.start()
	w.run(10 * time.Second)
	return w
}

func TestNextHop(t *testing.T) {
	for _, self := range []bool{true, false} {
		w := hubAnd(t, 3, func(w *world) { w.nodes[0].iface("Tunnel0").NoNextHopSelf = !self })
		want := adr("10.0.0.3")
		if self {
			want = adr("10.0.0.1")
		}
		if r := w.nodes[1].routes[pfx("172.16.1.0/24")]; len(r.Hops) != 1 || r.Hops[0].Addr != want {
			t.Errorf("next-hop-self %v: %+v", self, r)
		}
		if r := w.nodes[1].routes[pfx("192.168.0.0/24")]; len(r.Hops) != 1 || r.Hops[0].Addr != adr("10.0.0.1") {
			t.Errorf("the hub's own: %+v", r)
		}
	}
}

func TestSplitHorizon(t *testing.T) {
	w := hubAnd(t, 3, func(w *world) { w.nodes[0].iface("Tunnel0").NoSplitHorizon = false })
	if w.nodes[1].has("172.16.1.0/24") || !w.nodes[1].has("192.168.0.0/24") || !w.nodes[0].has("172.16.1.0/24") {
		t.Errorf("%v", w.nodes[1].routes)
	}
	w.nodes[0].iface("Tunnel0").NoSplitHorizon = true
	w.nodes[0].configure()
	w.run(time.Second)
	if !w.nodes[1].has("172.16.1.0/24") {
		t.Error("nothing changes without split horizon")
	}
	w.nodes[0].iface("Tunnel0").NoSplitHorizon = false
	w.nodes[0].configure()
	w.run(time.Second)
	if w.nodes[1].has("172.16.1.0/24") {
		t.Error("nothing is taken back")
	}
}

// Whoever acknowledges a Query and never replies is asked whether it is stuck, and then ended.
func TestStuckInActive(t *testing.T) {
	w := chain(t, 4).start()
	w.run(4 * time.Second)
	stuck := w.nodes[3]
	stuck.mute = func(p PacketReceived) {
		if x, err := eigrpmsg.Parse(p.Payload); err == nil && x.Sequence != 0 && x.Flags&eigrpmsg.FlagInit == 0 {
			b, _ := (&eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: 100, Ack: x.Sequence}).Append(nil)
			w.carry(stuck, Send{Iface: "left", From: stuck.ports["left"].st.Addrs[0].Addr(), To: p.From, Payload: b})
		}
	}
	w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(80 * time.Second)
	for i := range 3 {
		if w.nodes[i].m.active != 1 {
			t.Errorf("r%d: %d active", i, w.nodes[i].m.active)
		}
	}
	w.run(120 * time.Second)
	if !w.nodes[2].logged(LogStuckInActive, 0) || !w.nodes[2].logged(LogNeighborDown, StuckInActive) {
		t.Errorf("the stuck neighbor stays: %+v", w.nodes[2].logs)
	}
	for i := range 3 {
		n := w.nodes[i]
		if n.m.active != 0 || i > 0 && n.has("10.0.0.0/24") {
			t.Errorf("r%d: %d active, %v", i, n.m.active, n.routes)
		}
		if i < 2 && (n.logged(LogStuckInActive, 0) || n.m.Traffic().Received.SIAReplies == 0) {
			t.Errorf("r%d, which was told that its neighbor is still at it, ended it: %+v", i, n.logs)
		}
	}
}

func TestAuthenticationModes(t *testing.T) {
	key := func(id uint32, s string) Key { return Key{ID: id, Secret: Secret(s)} }
	for _, c := range []struct {
		name string
		a, b Auth
		up   bool
	}{
		{"md5", Auth{AuthMD5, []Key{key(1, "a")}}, Auth{AuthMD5, []Key{key(1, "a"), key(2, "b")}}, true},
		{"sha256", Auth{AuthSHA256, []Key{key(0, "a")}}, Auth{AuthSHA256, []Key{key(0, "a")}}, true},
		{"other secret", Auth{AuthMD5, []Key{key(1, "a")}}, Auth{AuthMD5, []Key{key(1, "b")}}, false},
		{"other key", Auth{AuthMD5, []Key{key(1, "a")}}, Auth{AuthMD5, []Key{key(2, "a")}}, false},
		{"other mode", Auth{AuthMD5, []Key{key(1, "a")}}, Auth{AuthSHA256, []Key{key(1, "a")}}, false},
		{"one side", Auth{AuthMD5, []Key{key(1, "a")}}, Auth{}, false},
		{"no key", Auth{Mode: AuthMD5}, Auth{Mode: AuthMD5}, false},
	} {
		w := chain(t, 2)
		w.nodes[0].iface("right").Auth, w.nodes[1].iface("left").Auth = c.a, c.b
		w.start()
		w.run(10 * time.Second)
		if up := len(w.nodes[0].up())+len(w.nodes[1].up()) == 2; up != c.up || w.nodes[0].has("10.1.0.0/24") != c.up {
			t.Errorf("%s: up %v", c.name, up)
		}
		for i, n := range w.nodes { // what is refused is said, by the side that has no authentication as well
			if refuses := n.logged(LogAuthFailure, 0); refuses == (c.up || c.name == "no key") || !c.up && len(n.m.Neighbors()) > 0 {
				t.Errorf("%s: side %d says so: %v; neighbors %+v", c.name, i, refuses, n.m.Neighbors())
			}
		}
	}
}

// Keys that follow each other: nobody goes down.
func TestKeyLifetimes(t *testing.T) {
	w := chain(t, 2)
	change := epoch.Add(30 * time.Second)
	auth := Auth{AuthMD5, []Key{
		{ID: 1, Secret: Secret("old"), SendUntil: change, AcceptUntil: change.Add(10 * time.Second)},
		{ID: 2, Secret: Secret("new"), SendFrom: change, AcceptFrom: change.Add(-10 * time.Second)},
	}}
	w.nodes[0].iface("right").Auth, w.nodes[1].iface("left").Auth = auth, auth
	w.start()
	w.run(2 * time.Minute)
	if len(w.nodes[0].up()) != 1 || w.nodes[0].logged(LogNeighborDown, HoldExpired) || w.nodes[0].m.Traffic().AuthFailures != 0 {
		t.Errorf("%+v", w.nodes[0].logs)
	}
	if s := fmt.Sprintf("%v %+v %q %x", auth, auth, auth.Keys[0].Secret, auth.Keys[0].Secret); slices.ContainsFunc([]string{"old", "new", "6f6c64"}, func(x string) bool { return containsFold(s, x) }) {
		t.Errorf("a secret is printed: %s", s)
	}
}

func containsFold(s, x string) bool {
	for i := 0; i+len(x) <= len(s); i++ {
		if s[i:i+len(x)] == x {
			return true
		}
	}
	return false
}

// Whoever is configured anew says that of its neighbors, and not that their interface went down.
func TestConfiguredAnew(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(n *node)
		why  Reason
	}{
		{"passive", func(n *node) { n.iface("left").Passive = true }, MadePassive},
		{"stub", func(n *node) { n.cfg.Stub = Stub{Enabled: true, Connected: true} }, Reconfigured},
		{"router ID", func(n *node) { n.cfg.RouterID = netip.MustParseAddr("192.0.2.99") }, Reconfigured},
		{"neighbors", func(n *node) { n.iface("left").Neighbors = []netip.Addr{netip.MustParseAddr("192.0.2.7")} }, Reconfigured},
		{"no interface", func(n *node) { n.cfg.Interfaces = nil }, Reconfigured},
		{"nothing", func(n *node) { n.cfg = Config{} }, ShutDown},
	} {
		w := chain(t, 2).start()
		w.run(4 * time.Second)
		n := w.nodes[1]
		if len(n.up()) != 1 {
			t.Fatalf("%s: no neighbor", c.name)
		}
		c.do(n)
		n.configure()
		if !n.logged(LogNeighborDown, c.why) {
			t.Errorf("%s: %+v", c.name, n.logs)
		}
	}
}

// The subnet of an interface is told all the time, whatever becomes of the neighbors on it: nobody looks for another way.
func TestSubnetStays(t *testing.T) {
	for name, do := range map[string]func(i *Interface){
		"passive":        func(i *Interface) { i.Passive = true },
		"neighbors":      func(i *Interface) { i.Neighbors = []netip.Addr{netip.MustParseAddr("10.1.0.9")} },
		"authentication": func(i *Interface) { i.Auth = Auth{Mode: AuthMD5, Keys: []Key{{ID: 1, Secret: Secret("s")}}} },
	} {
		w := chain(t, 2).start()
		w.run(4 * time.Second)
		do(w.nodes[1].iface("lo"))
		w.nodes[1].configure()
		w.run(time.Second)
		if n := w.nodes[0]; !n.has("10.1.0.0/24") || n.m.traffic.Received.Queries != 0 {
			t.Errorf("%s: route %v, %d queries", name, n.has("10.1.0.0/24"), n.m.traffic.Received.Queries)
		}
	}
}

// A goodbye is signed as the neighbor knows it.
func TestGoodbyeOfOldMode(t *testing.T) {
	w := chain(t, 2)
	for i, name := range []string{"right", "left"} {
		w.nodes[i].iface(name).Auth = Auth{Mode: AuthMD5, Keys: []Key{{ID: 1, Secret: Secret("s")}}}
	}
	w.start()
	w.run(4 * time.Second)
	w.nodes[1].iface("left").Auth = Auth{}
	w.nodes[1].configure()
	w.run(10 * time.Millisecond)
	if !w.nodes[0].logged(LogNeighborDown, Goodbye) {
		t.Errorf("no goodbye: %+v", w.nodes[0].logs)
	}
}

func TestNeighborsGo(t *testing.T) {
	for _, c := range []struct {
		name  string
		do    func(w *world)
		why   Reason
		limit time.Duration
		back  bool
	}{
		{"silence", func(w *world) { w.links[0].cut = true }, HoldExpired, 16 * time.Second, false},
		{"shutdown", func(w *world) { w.nodes[1].handle(Shutdown{}) }, Goodbye, 10 * time.Millisecond, false},
		{"passive", func(w *world) { w.nodes[1].iface("left").Passive = true; w.nodes[1].configure() }, Goodbye, 10 * time.Millisecond, false},
		{"clear", func(w *world) { w.nodes[1].handle(Clear{}) }, PeerTerminated, 10 * time.Millisecond, true},
		{"restart", func(w *world) { w.nodes[1].restart() }, PeerRestarted, 6 * time.Second, true},
		{"K values", func(w *world) { w.nodes[1].cfg.K = [6]uint8{1, 1, 1}; w.nodes[1].configure() }, Goodbye, 10 * time.Millisecond, false},
		{"address", func(w *world) {
			w.nodes[0].setPort("right", func(s *InterfaceState) { s.Addrs = []netip.Prefix{pfx("172.17.1.1/24")} })
		}, InterfaceDown, time.Millisecond, false},
	} {
		w := chain(t, 2).start()
		w.run(4 * time.Second)
		if len(w.nodes[0].up()) != 1 {
			t.Fatalf("%s: no neighbor", c.name)
		}
		c.do(w)
		w.run(c.limit)
		if !w.nodes[0].logged(LogNeighborDown, c.why) {
			t.Errorf("%s: %+v", c.name, w.nodes[0].logs)
		}
		w.run(20 * time.Second)
		if w.nodes[0].has("10.1.0.0/24") != c.back {
			t.Errorf("%s: route %v, want %v", c.name, !c.back, c.back)
		}
	}
}

// What is configured again after a shutdown is as it was.
func TestOffAndOn(t *testing.T) {
	w := chain(t, 3)
	w.nodes[1].handle(Redistributed{Changed: []ExternalRoute{{Prefix: pfx("192.168.7.0/24"), Bandwidth: 1000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500}}})
	w.start()
	for range 3 {
		w.run(12 * time.Second)
		if err := w.check(10000); err != nil || !w.nodes[0].has("192.168.7.0/24") {
			t.Fatalf("%v, %v", err, w.nodes[0].routes)
		}
		w.nodes[1].handle(Shutdown{})
		if n := w.nodes[1]; len(n.routes) != 0 || len(n.m.Topology()) != 0 || len(n.m.Neighbors()) != 0 || !n.m.Deadline().IsZero() {
			t.Fatalf("something is left: %v, %v, %v, %s", n.routes, n.m.Topology(), n.m.Neighbors(), n.m.Deadline())
		}
		w.run(time.Second)
		if w.nodes[0].has("10.1.0.0/24") || w.nodes[2].has("10.0.0.0/24") {
			t.Fatal("routes outlive the goodbye")
		}
		w.nodes[1].configure()
	}
}
