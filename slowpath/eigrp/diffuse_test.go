package eigrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// queries notes who is asked for a prefix by whom.
func (w *world) queries(prefix netip.Prefix) map[[2]string]int {
	asked := map[[2]string]int{}
	w.see = func(from, to *node, s Send) {
		p, err := eigrpmsg.Parse(s.Payload)
		if err != nil || p.Opcode != eigrpmsg.Query {
			return
		}
		for _, r := range p.Routes {
			if slices.Contains(r.Prefixes, prefix) {
				asked[[2]string{from.name, to.name}]++
			}
		}
	}
	return asked
}

// A successor that asks is told when all others have replied, and is not asked itself: its reply would be taken for one to the next computation.
func TestSuccessorIsNotAsked(t *testing.T) {
	w := newWorld(t, 1)
	l := w.link()
	for i, name := range []string{"a", "b", "c"} {
		n := w.node(name)
		n.attach(l, "e0", []string{"10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"}[i], 10000, 10)
	}
	a, b := w.nodes[0], w.nodes[1]
	a.attach(nil, "lo", "10.9.0.1/24", 10000, 10)
	w.start()
	w.run(5 * time.Second)
	asked := w.queries(pfx("10.9.0.0/24"))
	a.setPort("lo", func(s *InterfaceState) { s.Up = false })
	w.run(3 * time.Second)
	if asked[[2]string{"a", "b"}] != 1 || asked[[2]string{"a", "c"}] != 1 || asked[[2]string{"b", "c"}] != 1 || asked[[2]string{"b", "a"}]+asked[[2]string{"c", "a"}] != 0 {
		t.Errorf("asked: %v", asked)
	}
	if b.m.active+a.m.active != 0 || b.has("10.9.0.0/24") {
		t.Errorf("%s", b.m.about(pfx("10.9.0.0/24")))
	}
}

// A successor that has lost the prefix and finds another way, which may be by us, is not gone by until all have replied.
func TestLostSuccessorStaysLost(t *testing.T) {
	w := chain(t, 4).start()
	w.run(10 * time.Second)
	n, p := w.nodes[1], pfx("10.3.0.0/24")
	w.links[0].cut = true // the first does not reply
	far := w.nodes[2]
	far.setPort("right", func(s *InterfaceState) { s.Up = false })
	w.run(time.Second)
	if e := n.m.entries[p]; e == nil || !e.active || n.has(p.String()) {
		t.Fatalf("not active: %s", n.m.about(p))
	}
	// It has a way again; what it says of it is kept for the end.
	far.effects(func() []Effect {
		m := far.m
		m.begin(w.now)
		x := m.ifaces["left"].nbrs[0]
		v, r := far.m.ifaces["left"].link, eigrpmsg.Route{Router: m.cfg.RouterID, Prefixes: []netip.Prefix{p}}
		r.Metric = m.outward(v, false)
		m.enqueue(x, &message{op: eigrpmsg.Update, seq: m.nextSequence(), body: r.Append(nil)})
		return m.end()
	})
	w.run(time.Second)
	if e := n.m.entries[p]; !e.active || n.has(p.String()) {
		t.Errorf("gone by while active: %s, %v", n.m.about(p), n.routes[p])
	}
	w.run(20 * time.Second) // who does not reply is lost by its hold time
	if e := n.m.entries[p]; e == nil || e.active || !n.has(p.String()) {
		t.Errorf("at the end: %s", n.m.about(p))
	}
}

// Two routers whose INITs cross, as both have begun anew at the same moment, become neighbors by them.
func TestINITsThatCross(t *testing.T) {
	w := chain(t, 2).start()
	w.run(10 * time.Second)
	inits := 0
	w.see = func(_, _ *node, s Send) {
		if p, _ := eigrpmsg.Parse(s.Payload); p.Opcode == eigrpmsg.Update && p.Flags&eigrpmsg.FlagInit != 0 {
			inits++
		}
	}
	for _, n := range w.nodes {
		n.effects(func() []Effect {
			n.m.begin(w.now)
			for _, ifc := range n.m.order {
				for _, x := range ifc.nbrs {
					n.m.down(x, PeerRestarted)
					y := n.m.neighborOf(ifc, x.addr)
					y.hold, y.software = x.hold, x.software
					y.gotInit, y.initSeq, y.lastSeq, y.heard = true, x.lastSeq, x.lastSeq, true
					n.m.heardFrom(y)
					n.m.sendInit(y, 0)
				}
			}
			return n.m.end()
		})
	}
	w.run(5 * time.Second)
	if inits > 6 || !w.nodes[0].has("10.1.0.0/24") || !w.nodes[1].has("10.0.0.0/24") {
		t.Errorf("%d INITs, routes %v and %v", inits, w.nodes[0].routes, w.nodes[1].routes)
	}
}
