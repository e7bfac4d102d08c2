package eigrp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Only 70 of 100 packets arrive, Hellos among them: neighbors come and go, and everything converges in between.
func TestLoss(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := random(t, 100+seed, 7, 3)
			for _, l := range w.links {
				l.loss = 0.3
			}
			w.start()
			settleWorld(w, 5*time.Minute)
			for range 4 {
				n := w.nodes[w.rng.IntN(len(w.nodes))]
				n.setPort("lo", func(s *InterfaceState) { s.Up = !s.Up })
				disturb(w)
				settleWorld(w, 10*time.Minute)
			}
		})
	}
}

// A subnet that goes up and down many times a second costs a packet per interval, not one per change.
func TestFlapping(t *testing.T) {
	w := chain(t, 3).start()
	w.run(4 * time.Second)
	w.packets = 0
	for range 1000 {
		w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Up = !s.Up })
		w.run(10 * time.Millisecond)
	}
	if w.packets > 2000 {
		t.Errorf("%d packets for 10 s of flapping", w.packets)
	}
	w.run(2 * time.Second)
	if err := w.check(10000); err != nil {
		t.Error(err)
	}
}

func TestUnicastNeighbors(t *testing.T) {
	w := hubAnd(t, 3, func(w *world) {
		w.nodes[0].iface("Tunnel0").Neighbors = []netip.Addr{adr("10.0.0.2"), adr("10.0.0.3")}
		w.nodes[1].iface("Tunnel0").Neighbors = []netip.Addr{adr("10.0.0.1")}
		w.nodes[2].iface("Tunnel0").Neighbors = []netip.Addr{adr("10.0.0.1")}
		w.see = func(from, _ *node, s Send) {
			if from != w.nodes[3] && s.To == Group {
				t.Errorf("%s sends to the group", from.name)
			}
		}
	})
	if up := w.nodes[0].up(); len(up) != 2 || len(w.nodes[3].up()) != 0 {
		t.Errorf("neighbors %v, %v", up, w.nodes[3].up())
	}
	if !w.nodes[1].has("172.16.1.0/24") || w.nodes[1].has("172.16.2.0/24") {
		t.Errorf("%v", w.nodes[1].routes)
	}
}

// diamond has four ways from r0 to the subnet of r5, by r1 to r4.
func diamond(t testing.TB, delays ...uint64) *world {
	w := newWorld(t, 1)
	for i := range len(delays) + 2 {
		w.node(fmt.Sprintf("r%d", i))
	}
	a, z := w.nodes[0], w.nodes[len(delays)+1]
	z.attach(nil, "lo", "10.0.0.1/24", 10000, 10)
	for i, d := range delays {
		l, r := w.link(), w.link()
		a.attach(l, fmt.Sprintf("e%d", i), fmt.Sprintf("172.16.%d.1/24", i), 10000, d)
		w.nodes[i+1].attach(l, "left", fmt.Sprintf("172.16.%d.2/24", i), 10000, d)
		w.nodes[i+1].attach(r, "right", fmt.Sprintf("172.17.%d.2/24", i), 10000, 10)
		z.attach(r, fmt.Sprintf("e%d", i), fmt.Sprintf("172.17.%d.1/24", i), 10000, 10)
	}
	return w
}

func TestVariance(t *testing.T) {
	w := diamond(t, 100, 100, 1500, 9000)
	for i, c := range []struct{ variance, paths, hops int }{{1, 4, 2}, {3, 4, 3}, {128, 4, 4}, {128, 3, 3}, {1, 1, 1}} {
		w.nodes[0].cfg.Variance, w.nodes[0].cfg.MaximumPaths = c.variance, c.paths
		if i == 0 {
			w.start()
		} else {
			w.nodes[0].configure()
		}
		w.run(5 * time.Second)
		r := w.nodes[0].routes[pfx("10.0.0.0/24")]
		for _, h := range r.Hops {
			if uint64(h.Metric) > uint64(r.Metric)*uint64(c.variance) || h.Share < 1 || h.Share > maxShare {
				t.Errorf("variance %d: %+v", c.variance, h)
			}
		}
		if len(r.Hops) != c.hops {
			t.Errorf("variance %d, %d paths: %+v", c.variance, c.paths, r.Hops)
			continue
		}
		// Shares are in the proportion of the metrics, to within what small numbers allow.
		for _, h := range r.Hops {
			last := r.Hops[len(r.Hops)-1]
			is, should := float64(h.Share)/float64(last.Share), float64(last.Metric)/float64(h.Metric)
			if is < should*0.85 || is > should*1.15 {
				t.Errorf("variance %d: %+v to %+v", c.variance, h, last)
			}
		}
	}
}

// A feasible successor takes over within the step; only where there is none are others asked.
func TestFeasibleSuccessor(t *testing.T) {
	w := diamond(t, 100, 500).start()
	w.run(5 * time.Second)
	w.nodes[0].handle(Clear{Iface: "e0"})
	r := w.nodes[0].routes[pfx("10.0.0.0/24")]
	if len(r.Hops) != 1 || r.Hops[0].Iface != "e1" {
		t.Errorf("%+v", r)
	}
	for _, s := range w.nodes[0].m.Topology() {
		if s.Prefix == pfx("10.0.0.0/24") && s.Active {
			t.Error("it had to ask")
		}
	}
}

func TestDistributeLists(t *testing.T) {
	w := chain(t, 4)
	w.nodes[1].cfg.In = func(iface string, p netip.Prefix) bool { return !(iface == "right" && p == pfx("10.3.0.0/24")) }
	w.nodes[2].cfg.Out = func(iface string, p netip.Prefix) bool { return !(iface == "left" && p == pfx("10.2.0.0/24")) }
	w.start()
	w.run(4 * time.Second)
	for n, want := range map[int][2]bool{0: {false, false}, 1: {false, false}, 3: {true, false}} {
		if got := [2]bool{w.nodes[n].has("10.2.0.0/24"), w.nodes[n].has("10.3.0.0/24")}; got != want {
			t.Errorf("r%d has %v, want %v", n, got, want)
		}
	}
	w.nodes[1].cfg.In, w.nodes[2].cfg.Out = nil, nil
	w.nodes[2].configure()
	w.nodes[1].configure()
	w.run(3 * time.Second)
	if err := w.check(10000); err != nil {
		t.Error(err)
	}
}

func TestRedistribution(t *testing.T) {
	for _, wide := range []bool{false, true} {
		w := chain(t, 3)
		for _, n := range w.nodes {
			n.cfg.Wide = wide
		}
		x := ExternalRoute{
			Prefix: pfx("192.168.7.0/24"), Bandwidth: 1000, Delay: 20, Reliability: 255, Load: 1, MTU: 1500, Protocol: eigrpmsg.FromBGP, AS: 65000, Metric: 7, Tag: 99,
		}
		w.nodes[2].handle(Redistributed{Changed: []ExternalRoute{x}})
		w.start()
		w.run(5 * time.Second)
		r := w.nodes[0].routes[x.Prefix]
		want := uint32(256 * (10000 + 220))
		if wide {
			want = (65536*10000 + 65536*2200) / 128
		}
		if r.Kind != External || r.Distance != 170 || r.Tag != 99 || r.Metric != want {
			t.Errorf("wide %v: %+v, want metric %d", wide, r, want)
		}
		for _, s := range w.nodes[0].m.Topology() {
			if s.Prefix == x.Prefix && *s.Paths[0].External != (eigrpmsg.External{Router: w.nodes[2].cfg.RouterID, AS: 65000, Tag: 99, Metric: 7, Protocol: eigrpmsg.FromBGP}) {
				t.Errorf("%+v", s.Paths[0].External)
			}
		}
		x.Tag = 100
		w.nodes[2].handle(Redistributed{Changed: []ExternalRoute{x}})
		w.run(time.Second)
		if r := w.nodes[0].routes[x.Prefix]; r.Tag != 100 {
			t.Errorf("the tag stays: %+v", r)
		}
		// A router with the same identifier takes none of ours.
		w.nodes[0].cfg.RouterID = w.nodes[2].cfg.RouterID
		w.nodes[0].configure()
		w.run(10 * time.Second)
		if w.nodes[0].has("192.168.7.0/24") || !w.nodes[0].has("10.2.0.0/24") || !w.nodes[0].logged(LogDuplicateRouter, 0) {
			t.Errorf("%v", w.nodes[0].routes)
		}
		w.nodes[2].handle(Redistributed{Gone: []netip.Prefix{x.Prefix}})
		w.run(time.Second)
		if w.nodes[1].has("192.168.7.0/24") {
			t.Error("the route stays")
		}
	}
}

// A prefix that the RIB has by another protocol is no route of EIGRP's, however near a neighbor has it; and is again when that protocol loses it.
func TestRedistributedIsOurs(t *testing.T) {
	w := chain(t, 3).start()
	w.run(4 * time.Second)
	p := pfx("10.2.0.0/24")
	near := w.nodes[0].routes[p]
	w.nodes[1].handle(Redistributed{Changed: []ExternalRoute{{Prefix: p, Bandwidth: 100, Delay: 5000, Reliability: 255, Load: 1, MTU: 1500, Protocol: eigrpmsg.FromStatic}}})
	w.run(2 * time.Second)
	if w.nodes[1].has("10.2.0.0/24") || w.nodes[0].routes[p].Kind != External {
		t.Errorf("%+v, %+v", w.nodes[1].routes[p], w.nodes[0].routes[p])
	}
	w.nodes[1].handle(Redistributed{Gone: []netip.Prefix{p}})
	w.run(2 * time.Second)
	if got := w.nodes[0].routes[p]; !w.nodes[1].has("10.2.0.0/24") || got.Metric != near.Metric || got.Kind != Internal {
		t.Errorf("%+v, was %+v", got, near)
	}
}

// What was on the wire once comes again, in any order, from a minute ago: nothing that is so now changes but that a neighbor may start anew.
func TestReplay(t *testing.T) {
	w := chain(t, 3)
	type seen struct {
		to *node
		ev PacketReceived
	}
	var all []seen
	w.see = func(from, to *node, s Send) {
		iface := map[*node]string{w.nodes[0]: "right", w.nodes[2]: "left"}[to]
		if iface == "" {
			iface = map[*node]string{w.nodes[0]: "left", w.nodes[2]: "right"}[from]
		}
		p, _ := eigrpmsg.Parse(s.Payload)
		if p.Flags&eigrpmsg.FlagInit == 0 && p.Parameters == nil {
			all = append(all, seen{to, PacketReceived{Iface: iface, From: s.From, Multicast: s.To == Group, Payload: s.Payload}})
		}
	}
	w.start()
	w.run(4 * time.Second)
	w.nodes[2].setPort("lo", func(s *InterfaceState) { s.Delay = 50 })
	w.run(4 * time.Second)
	w.nodes[2].setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(time.Minute)
	w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Delay = 20 })
	w.run(4 * time.Second)
	w.see = nil
	before := w.nodes[0].changes + w.nodes[1].changes + w.nodes[2].changes
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, s := range all {
		s.to.handle(s.ev)
	}
	w.run(2 * time.Second)
	if after := w.nodes[0].changes + w.nodes[1].changes + w.nodes[2].changes; after != before || len(all) < 10 {
		t.Errorf("%d routes changed by %d old packets", after-before, len(all))
	}
	if err := w.check(10000); err != nil {
		t.Error(err)
	}
}

// hello is what a stranger says.
func helloOf(t *testing.T, edit func(*eigrpmsg.Packet)) []byte {
	p := &eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: 100, Parameters: &eigrpmsg.Parameters{K: [6]uint8{1, 0, 1}, Hold: 15}, Software: &eigrpmsg.Software{Major: 12, TLVMajor: 1}}
	if edit != nil {
		edit(p)
	}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBounds(t *testing.T) {
	w := chain(t, 2)
	w.nodes[0].cfg.MaxNeighbors, w.nodes[0].cfg.MaxPaths = 3, 2
	w.start()
	w.run(4 * time.Second)
	n := w.nodes[0]
	w.nodes[1].handle(rush(10))
	w.run(time.Second)
	if n.m.paths != 2 || len(n.routes) != 2 || !n.logged(LogTooManyPaths, 0) {
		t.Errorf("%d paths, %d routes", n.m.paths, len(n.routes))
	}
	for i := range 20 {
		n.handle(PacketReceived{Iface: "right", From: netip.AddrFrom4([4]byte{172, 16, 1, byte(10 + i)}), Multicast: true, Payload: helloOf(t, nil)})
	}
	if got := len(n.m.Neighbors()); got != 3 || !n.logged(LogTooManyNeighbors, 0) {
		t.Errorf("%d neighbors", got)
	}
	// What is not of the subnet, or ours, or of another AS or another virtual router is nobody.
	for _, c := range []struct {
		from string
		edit func(*eigrpmsg.Packet)
	}{
		{"172.16.9.1", nil}, {"172.16.1.1", nil}, {"172.16.1.9", func(p *eigrpmsg.Packet) { p.AS = 5 }},
		{"172.16.1.9", func(p *eigrpmsg.Packet) { p.VirtualRouter = 1 }}, {"172.16.1.9", func(p *eigrpmsg.Packet) { p.Parameters.K[1] = 9 }},
		{"172.16.1.9", func(p *eigrpmsg.Packet) { p.Parameters = nil }},
	} {
		w := chain(t, 2).start()
		w.nodes[0].handle(PacketReceived{Iface: "right", From: adr(c.from), Multicast: true, Payload: helloOf(t, c.edit)})
		if got := w.nodes[0].m.Neighbors(); len(got) != 0 {
			t.Errorf("%s is a neighbor: %+v", c.from, got)
		}
	}
	// A neighbor that never acknowledges goes, and its queue does not grow for ever.
	w = chain(t, 2).start()
	w.run(4 * time.Second)
	w.nodes[1].mute = func(PacketReceived) {}
	queue := 0
	for range 2000 {
		w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Up = !s.Up })
		w.run(50 * time.Millisecond)
		for _, s := range w.nodes[0].m.Neighbors() {
			queue = max(queue, s.Queue)
		}
	}
	if !w.nodes[0].logged(LogNeighborDown, RetryLimit) || queue > 100 {
		t.Errorf("queue of %d, %+v", queue, w.nodes[0].logs)
	}
}

// The list of who is not to take a multicast is heeded on both sides.
func TestConditionalReceive(t *testing.T) {
	w := hubAnd(t, 8, nil)
	slow := w.nodes[8]
	slow.mute = func(p PacketReceived) {
		if x, _ := eigrpmsg.Parse(p.Payload); x.Opcode == eigrpmsg.Hello {
			slow.handle(p)
		}
	}
	conditional := map[*node]int{}
	w.see = func(from, to *node, s Send) {
		if p, _ := eigrpmsg.Parse(s.Payload); from == w.nodes[0] && p.Flags&eigrpmsg.FlagCR != 0 {
			conditional[to]++
		}
	}
	for range 5 {
		w.nodes[0].setPort("lan", func(s *InterfaceState) { s.Delay++ })
		w.run(300 * time.Millisecond)
	}
	if conditional[w.nodes[1]] == 0 {
		t.Error("no conditional multicast")
	}
	want := w.nodes[1].routes[pfx("192.168.0.0/24")].Metric
	if w.nodes[8].routes[pfx("192.168.0.0/24")].Metric == want {
		t.Error("who hears nothing knows the new metric")
	}
	slow.mute = nil
	w.run(20 * time.Second)
	if got := slow.routes[pfx("192.168.0.0/24")].Metric; got != want {
		t.Errorf("%d at last, want %d", got, want)
	}
	if slices.ContainsFunc(w.nodes[0].logs, func(l Log) bool { return l.Kind == LogNeighborDown }) {
		t.Errorf("a neighbor went down: %+v", w.nodes[0].logs)
	}
}

// EIGRP keeps to its share of a slow interface.
func TestPacing(t *testing.T) {
	w := chain(t, 2)
	w.nodes[0].ports["right"].st.Bandwidth = 64 // kbit/s, of which half
	var xs []ExternalRoute
	for i := range 200 {
		xs = append(xs, ExternalRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(i), 0}), 24), Bandwidth: 1000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500, Protocol: eigrpmsg.FromStatic})
	}
	w.nodes[0].handle(Redistributed{Changed: xs})
	bits := 0
	w.see = func(from, _ *node, s Send) {
		if p, _ := eigrpmsg.Parse(s.Payload); from == w.nodes[0] && p.Opcode == eigrpmsg.Update {
			bits += (len(s.Payload) + 20) * 8
		}
	}
	w.start()
	took := w.runUntil(time.Minute, "complete", func() bool { return len(w.nodes[1].routes) > 200 })
	if took < 2*time.Second || float64(bits)/took.Seconds() > 40000 {
		t.Errorf("%d bits in %s", bits, took)
	}
}

// Sequence numbers go round.
func TestSequenceWraps(t *testing.T) {
	w := chain(t, 3)
	for _, n := range w.nodes {
		n.m.sequence = 1<<32 - 4
	}
	w.start()
	w.run(4 * time.Second)
	for i := range 20 {
		w.nodes[0].setPort("lo", func(s *InterfaceState) { s.Delay = uint64(10 + i) })
		w.run(time.Second)
	}
	if err := w.check(10000); err != nil {
		t.Error(err)
	}
	for _, n := range w.nodes[:2] {
		if n.m.sequence > 1<<31 || n.logged(LogNeighborDown, PeerRestarted) {
			t.Errorf("%s is at %d, %+v", n.name, n.m.sequence, n.logs)
		}
	}
}

// Spokes of a hub that lets them be each other's next hop come and go, the hub restarts: in the end all have all, and on the way there is no loop.
func TestStarChurn(t *testing.T) {
	for seed := range uint64(5) {
		w := hubAnd(t, 12, func(w *world) { w.nodes[0].iface("Tunnel0").NoNextHopSelf = true })
		w.rng = rand.New(rand.NewPCG(seed, 7))
		for range 30 {
			n := w.nodes[w.rng.IntN(len(w.nodes))]
			switch w.rng.IntN(4) {
			case 0:
				n.setPort("lan", func(s *InterfaceState) { s.Up = !s.Up })
			case 1:
				n.setPort("Tunnel0", func(s *InterfaceState) { s.Delay = 500 + uint64(w.rng.IntN(1000)) })
			case 2:
				n.restart()
			default:
				n.setPort("Tunnel0", func(s *InterfaceState) { s.Up = !s.Up })
			}
			w.run(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
		}
		for _, n := range w.nodes {
			for _, name := range n.order {
				n.setPort(name, func(s *InterfaceState) { s.Up = true })
			}
		}
		w.run(time.Minute)
		if !w.complete(false, 0) {
			t.Errorf("seed %d: not all have all", seed)
		}
		for i, n := range w.nodes[1:] {
			for p, r := range n.routes {
				if p.Addr().As4()[0] == 172 && (len(r.Hops) != 1 || r.Hops[0].Addr != adr(fmt.Sprintf("10.0.0.%d", p.Addr().As4()[2]+2))) {
					t.Errorf("spoke %d: %+v", i, r)
				}
			}
		}
	}
}

// A stub with a leak map tells of what it leaks; what a stub may tell depends on where it is from.
func TestStubKinds(t *testing.T) {
	x := func(p string, from eigrpmsg.Protocol) ExternalRoute {
		return ExternalRoute{Prefix: pfx(p), Bandwidth: 1000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500, Protocol: from}
	}
	for _, c := range []struct {
		stub Stub
		want []string
	}{
		{Stub{Enabled: true}, nil},
		{Stub{Enabled: true, Connected: true}, []string{"10.1.0.0/24", "172.16.2.0/24"}},
		{Stub{Enabled: true, Static: true}, []string{"192.168.1.0/24"}},
		{Stub{Enabled: true, Redistributed: true}, []string{"192.168.1.0/24", "192.168.2.0/24"}},
		{Stub{Enabled: true, Summary: true}, []string{"192.0.0.0/8"}},
		{Stub{Enabled: true, Leak: func(p netip.Prefix, iface string) bool { return p == pfx("10.2.0.0/24") && iface == "left" }}, []string{"10.2.0.0/24"}},
		{Stub{Enabled: true, Connected: true, ReceiveOnly: true}, nil},
	} {
		w := chain(t, 3)
		n := w.nodes[1]
		if n.cfg.Stub = c.stub; c.stub.Summary {
			n.iface("left").Summaries = []Summary{{Prefix: pfx("192.0.0.0/8")}}
		}
		w.start()
		n.handle(Redistributed{Changed: []ExternalRoute{x("192.168.1.0/24", eigrpmsg.FromStatic), x("192.168.2.0/24", eigrpmsg.FromBGP)}})
		w.run(5 * time.Second)
		var got []string
		for _, p := range sortedPrefixes(w.nodes[0].routes) {
			got = append(got, p.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.stub.flags(), got, c.want)
		}
	}
}
