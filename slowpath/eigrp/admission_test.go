package eigrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// says has node 1 of a chain send a packet to node 0 with what edit makes of it, as if it came next.
func (w *world) says(edit func(*eigrpmsg.Packet)) {
	w.t.Helper()
	p := &eigrpmsg.Packet{Opcode: eigrpmsg.Update, AS: 100, Sequence: w.nodes[1].m.nextSequence()}
	edit(p)
	b, err := p.Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[0].handle(PacketReceived{Iface: "right", From: adr("172.16.1.2"), Payload: b})
}

func routeTo(prefixes ...netip.Prefix) eigrpmsg.Route {
	return eigrpmsg.Route{Metric: eigrpmsg.Metric{Delay: 2560, Bandwidth: 25600, MTU: 1500, Reliability: 255, Load: 1}, Prefixes: prefixes}
}

// What packets can't be sent to is no route; what holds it beside other addresses is one.
func TestMartians(t *testing.T) {
	w := chain(t, 2).start()
	w.run(4 * time.Second)
	for p, want := range map[string]bool{
		"0.0.0.0/0": true, "0.0.0.0/1": true, "128.0.0.0/1": true, "192.0.0.0/2": true, "126.0.0.0/7": true, "1.0.0.0/8": true, "223.255.255.0/24": true,
		"0.0.0.0/8": false, "0.0.0.0/32": false, "0.1.2.0/24": false, "127.0.0.0/8": false, "127.0.0.1/32": false, "224.0.0.0/3": false, "224.0.0.0/4": false,
		"224.0.0.10/32": false, "240.0.0.0/4": false, "255.255.255.255/32": false,
	} {
		w.says(func(m *eigrpmsg.Packet) { m.Routes = []eigrpmsg.Route{routeTo(pfx(p))} })
		if got := w.nodes[0].has(p); got != want {
			t.Errorf("%s is a route: %v, want %v", p, got, want)
		}
	}
	if len(w.nodes[0].up()) != 1 {
		t.Error("the neighbor is gone for what it said")
	}
	// Nor is it told, wherever it is from: a kernel may have such routes.
	w.nodes[0].handle(Redistributed{Changed: []ExternalRoute{{Prefix: pfx("224.0.0.0/4"), Bandwidth: 1000, Delay: 1}, {Prefix: pfx("10.9.0.0/16"), Bandwidth: 1000, Delay: 1}}})
	w.run(time.Second)
	if w.nodes[1].has("224.0.0.0/4") || !w.nodes[1].has("10.9.0.0/16") {
		t.Errorf("told: %v", w.nodes[1].routes)
	}
}

// By distance 255 no packet is sent, and so nobody is told that there is a way.
func TestDistanceUnusable(t *testing.T) {
	w := chain(t, 3).start()
	w.run(4 * time.Second)
	if !w.nodes[0].has("10.2.0.0/24") {
		t.Fatal("no route")
	}
	w.nodes[1].cfg.Internal = 255
	w.nodes[1].configure()
	w.run(4 * time.Second)
	if w.nodes[1].has("10.2.0.0/24") || w.nodes[0].has("10.2.0.0/24") || !w.nodes[0].has("10.1.0.0/24") {
		t.Errorf("routes %v and %v", w.nodes[1].routes, w.nodes[0].routes)
	}
	w.nodes[1].cfg.Internal = 0
	w.nodes[1].configure()
	w.run(4 * time.Second)
	if !w.nodes[0].has("10.2.0.0/24") {
		t.Error("no route afterwards")
	}
}

// A hub without split horizon tells its spokes what they have told it. That is no other router with the same number.
func TestEcho(t *testing.T) {
	w := chain(t, 2)
	w.nodes[0].iface("right").NoSplitHorizon = true
	w.start()
	w.run(4 * time.Second)
	echoed := 0
	w.see = func(from, _ *node, s Send) {
		p, _ := eigrpmsg.Parse(s.Payload)
		for _, r := range p.Routes {
			if from == w.nodes[0] && r.External != nil && r.Reachable() {
				echoed++
			}
		}
	}
	w.nodes[1].handle(rush(1))
	w.run(4 * time.Second)
	if echoed == 0 || !w.nodes[0].has("10.200.0.0/24") {
		t.Fatalf("%d echoes", echoed)
	}
	if n := w.nodes[1]; n.logged(LogDuplicateRouter, 0) || n.has("10.200.0.0/24") {
		t.Errorf("%+v", n.logs)
	}
}

// While a router restarts it does not answer; what it is asked meanwhile does not fill its memory.
func TestQueriesWhileRestarting(t *testing.T) {
	w := chain(t, 2).start()
	w.run(4 * time.Second)
	w.nodes[0].cfg.Awaiting = true
	w.nodes[0].softRestart()
	w.runUntil(5*time.Second, "up again", func() bool { return len(w.nodes[0].up()) == 1 && w.nodes[0].m.order[1].nbrs[0].up })
	n := w.nodes[0].m.order[1].nbrs[0]
	var all []netip.Prefix
	for i := range 3000 {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100, byte(i >> 8), byte(i)}), 32))
	}
	ask := func(m *eigrpmsg.Packet) { m.Opcode, m.Routes = eigrpmsg.Query, []eigrpmsg.Route{routeTo(all...)} }
	for range 2 * maxAsked / len(all) {
		w.says(ask)
	}
	if !w.nodes[0].m.Restarting() {
		t.Fatal("the restart is over")
	}
	if !n.gone || len(n.asks) > maxAsked+len(all) || !w.nodes[0].logged(LogNeighborDown, QueueOverflow) {
		t.Errorf("%d prefixes are asked for", len(n.asks))
	}
}

// What is not sent any more takes nothing of the interface's share of the bandwidth.
func TestPacingOfTheSentOnly(t *testing.T) {
	w := chain(t, 2).start()
	w.run(4 * time.Second)
	m := w.nodes[0].m
	ifc := m.ifaces["right"]
	gone := &neighbor{ifc: ifc, gone: true}
	m.begin(w.now)
	before := ifc.freeAt
	m.emit(ifc, &transmission{to: gone, msg: &message{op: eigrpmsg.Update, body: make([]byte, 1400)}})
	if ifc.freeAt != before || len(m.out) != 0 {
		t.Errorf("free at %s, was %s; sent %d", ifc.freeAt, before, len(m.out))
	}
}
