package eigrp

import (
	"slices"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// changes counts those of the routes of all nodes but one.
func (w *world) changes(but *node) (sum int) {
	for _, n := range w.nodes {
		if n != but {
			sum += n.changes
		}
	}
	return sum
}

// A router that comes back with its forwarding as it was changes no route of anybody's, whichever it is, and has the routes that it had.
func TestGracefulRestart(t *testing.T) {
	for _, wide := range []bool{false, true} {
		w := random(t, 5, 9, 5)
		for _, n := range w.nodes {
			n.cfg.Wide = wide
		}
		w.start()
		settleWorld(w, time.Minute)
		w.run(5 * time.Second)
		for _, n := range w.nodes {
			before := w.changes(nil)
			n.softRestart()
			took := w.runUntil(20*time.Second, "restarted", func() bool { return !n.m.Restarting() })
			w.run(2 * time.Second)
			if after := w.changes(nil); after != before || took > 7*time.Second {
				t.Errorf("%s: %d changes, after %s", n.name, after-before, took)
			}
			if err := w.check(10000); err != nil {
				t.Errorf("%s: %v", n.name, err)
			}
			for _, x := range w.nodes {
				for _, s := range x.m.Neighbors() {
					if s.Resyncing || !s.Up {
						t.Errorf("%s: %s of %s: %+v", n.name, s.Addr, x.name, s)
					}
				}
			}
			w.run(10 * time.Second)
		}
		for _, n := range w.nodes {
			if n.logged(LogNeighborDown, PeerRestarted) || n.logged(LogNeighborDown, HoldExpired) || n.logged(LogNeighborDown, RetryLimit) || !n.logged(LogNeighborResync, 0) {
				t.Errorf("%s: %+v", n.name, n.logs)
			}
		}
	}
}

// The hub of a star, and then a spoke.
func TestGracefulRestartOfStar(t *testing.T) {
	w := hubAnd(t, 20, func(w *world) { w.nodes[0].iface("Tunnel0").NoNextHopSelf = true })
	for _, who := range [][]*node{w.nodes[:1], w.nodes[3:4]} {
		w.run(20 * time.Second)
		if !w.complete(false, 0) {
			t.Fatal("not all have all")
		}
		before := w.changes(nil)
		for _, n := range who {
			n.softRestart()
		}
		w.runUntil(20*time.Second, "restarted", func() bool { return !w.restarting() })
		w.run(3 * time.Second)
		if after := w.changes(nil); after != before {
			t.Errorf("%d of them: %d changes", len(who), after-before)
		}
	}
	// Both at once: neither can wait for the other for ever, and so something may go for a moment.
	w.nodes[0].softRestart()
	w.nodes[1].softRestart()
	w.run(15 * time.Second)
	if !w.complete(false, 0) || w.nodes[0].m.Restarting() || w.nodes[1].m.Restarting() {
		t.Error("two restarts at once do not end")
	}
}

// What has changed while a router was away is right when it is through, and what it has no more is gone.
func TestGracefulRestartWithLess(t *testing.T) {
	w := chain(t, 5).start()
	w.run(10 * time.Second)
	w.nodes[2].ports["lo"].st.Up = false
	w.nodes[2].softRestart()
	w.nodes[4].setPort("lo", func(s *InterfaceState) { s.Delay = 77 })
	w.run(time.Second)
	if !w.nodes[0].has("10.2.0.0/24") || !w.nodes[0].has("10.4.0.0/24") {
		t.Error("a route goes before the router is through")
	}
	w.run(8 * time.Second)
	if err := w.check(10000); err != nil {
		t.Error(err)
	}
	if w.nodes[0].has("10.2.0.0/24") || w.nodes[4].has("10.2.0.0/24") {
		t.Error("a route outlives the restart")
	}
}

// Who does not come back, or does not get on with it, is not waited for longer than its hold time.
func TestGracefulRestartFails(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"never back", func(w *world) { w.nodes[1].mute = func(PacketReceived) {}; w.nodes[1].m.Handle(w.now, Shutdown{}) }},
		{"one Hello", func(w *world) {
			w.nodes[1].softRestart()
			w.links[0].cut = true
		}},
		{"Hellos, but no more", func(w *world) {
			w.nodes[1].mute = func(PacketReceived) {}
			w.nodes[1].softRestart()
			for range 40 { // of one that thinks that it is through
				w.nodes[0].handle(PacketReceived{Iface: "right", From: adr("172.16.1.2"), Multicast: true, Payload: helloOf(t, nil)})
				w.run(500 * time.Millisecond)
			}
		}},
		{"a table without an end", func(w *world) {
			w.see = func(from, _ *node, s Send) {
				if from == w.nodes[1] && s.Payload[7]&byte(eigrpmsg.FlagEOT) != 0 { // it never says that it is through
					s.Payload[7] &^= byte(eigrpmsg.FlagEOT)
					s.Payload[2], s.Payload[3] = 0, 0
					p, _ := eigrpmsg.Parse(fixed(s.Payload))
					b, _ := p.Append(nil)
					copy(s.Payload, b)
				}
			}
			w.nodes[1].ports["lo"].st.Up = false
			w.nodes[1].softRestart()
			w.run(6 * time.Second)
		}},
	} {
		w := chain(t, 2).start()
		w.run(10 * time.Second)
		if !w.nodes[0].has("10.1.0.0/24") {
			t.Fatal("no route")
		}
		c.do(w)
		w.run(16 * time.Second)
		if w.nodes[0].has("10.1.0.0/24") {
			t.Errorf("%s: the route is kept for ever: %+v", c.name, w.nodes[0].m.Neighbors())
		}
	}
}

// fixed is a packet whose checksum field is zero, with its checksum.
func fixed(b []byte) []byte {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	b[2], b[3] = byte(^sum>>8), byte(^sum)
	return b
}

// A third of all packets is lost: it takes longer, and in the end all is right.
func TestGracefulRestartWithLoss(t *testing.T) {
	kept := 0
	for seed := range uint64(6) {
		w := random(t, 200+seed, 6, 2)
		w.start()
		settleWorld(w, time.Minute)
		w.run(5 * time.Second)
		for _, l := range w.links {
			l.loss = 0.3
		}
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		before := w.changes(nil)
		n.softRestart()
		w.runUntil(2*time.Minute, "restarted", func() bool { return !n.m.Restarting() })
		for _, l := range w.links {
			l.loss = 0
		}
		if w.changes(nil) == before {
			kept++
		}
		settleWorld(w, 2*time.Minute)
	}
	if kept < 3 {
		t.Errorf("%d of 6 restarts changed no route", kept)
	}
}

// One that acknowledges the INIT of a restart, and gives none itself, gets another one after a while.
func TestRestartUnknown(t *testing.T) {
	for _, software := range []eigrpmsg.Software{{Major: 12, Minor: 4, TLVMajor: 1, TLVMinor: 2}, {Major: 8, Minor: 4, TLVMajor: 1, TLVMinor: 2}} {
		w := chain(t, 2)
		n, peer := w.nodes[0], w.nodes[1]
		n.cfg.Restarting = true
		var flags []uint32
		peer.mute = func(ev PacketReceived) {
			p, _ := eigrpmsg.Parse(ev.Payload)
			if p.Opcode == eigrpmsg.Update && p.Flags&eigrpmsg.FlagInit != 0 {
				flags = append(flags, p.Flags)
				b, _ := (&eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: 100, Ack: p.Sequence}).Append(nil)
				w.push(happening{at: w.now, node: n, ev: PacketReceived{Iface: "right", From: adr("172.16.1.2"), Payload: b}})
			}
		}
		n.start()
		for range 20 {
			n.handle(PacketReceived{Iface: "right", From: adr("172.16.1.2"), Multicast: true, Payload: helloOf(t, func(p *eigrpmsg.Packet) { p.Software = &software })})
			w.run(500 * time.Millisecond)
		}
		want := []uint32{eigrpmsg.FlagInit | eigrpmsg.FlagRestart, eigrpmsg.FlagInit}
		if software.Major < 12 {
			want = want[1:]
		}
		if !slices.Equal(flags, want) {
			t.Errorf("INITs %v, want %v", flags, want)
		}
	}
}

// A neighbor tells all again, as IOS does by `clear ip eigrp neighbors soft`: it is to acknowledge that and to be told all, and nothing goes but what is not told again.
func TestSoftClear(t *testing.T) {
	w := chain(t, 3).start()
	w.run(5 * time.Second)
	peer, n := w.nodes[1], w.nodes[0]
	x := peer.m.ifaces["left"].nbrs[0]
	r, _ := peer.m.routeFor(peer.m.ifaces["left"], pfx("10.1.0.0/24"), false)
	before := n.changes
	told := 0
	w.see = func(from, to *node, s Send) {
		if p, _ := eigrpmsg.Parse(s.Payload); from == n && to == peer && p.Opcode == eigrpmsg.Update && p.Flags&eigrpmsg.FlagEOT != 0 {
			told++
		}
	}
	say := func(flags uint32, body []byte) {
		peer.effects(func() []Effect {
			peer.m.begin(w.now)
			peer.m.enqueue(x, &message{op: eigrpmsg.Update, flags: flags, seq: peer.m.nextSequence(), body: body})
			return peer.m.end()
		})
		w.run(300 * time.Millisecond)
	}
	say(eigrpmsg.FlagInit|eigrpmsg.FlagRestart, r.Append(nil))
	if n.changes != before || !n.m.Neighbors()[0].Resyncing || told != 1 {
		t.Errorf("%d changes, told %d times, %+v", n.changes-before, told, n.m.Neighbors())
	}
	say(eigrpmsg.FlagRestart|eigrpmsg.FlagEOT, nil)
	// What was not told again is asked for; the peer has it after all.
	if n.m.Traffic().Sent.Queries == 0 || n.m.Neighbors()[0].Resyncing || len(n.routes) != 3 || n.logged(LogNeighborDown, PeerRestarted) {
		t.Errorf("%v %+v", n.routes, n.logs)
	}
}

// restarting says whether any router is.
func (w *world) restarting() bool {
	return slices.ContainsFunc(w.nodes, func(n *node) bool { return n.m.Restarting() })
}

// Somebody who says Hello, and never goes on to be a neighbor, does not keep a router from its routes.
func TestGracefulRestartBesideOneThatIsStuck(t *testing.T) {
	w := chain(t, 3).start()
	w.run(10 * time.Second)
	n := w.nodes[1]
	n.softRestart()
	began := w.now
	for n.m.Restarting() && w.now.Sub(began) < restartLimit {
		n.handle(PacketReceived{Iface: "left", From: adr("172.16.1.9"), Multicast: true, Payload: helloOf(t, nil)})
		w.run(time.Second)
	}
	if took := w.now.Sub(began); took < restartLeast || took > restartStuck+2*time.Second {
		t.Errorf("it took %s", took)
	}
	w.run(5 * time.Second)
	if !n.has("10.2.0.0/24") || !w.nodes[0].has("10.2.0.0/24") {
		t.Errorf("routes %v and %v", n.routes, w.nodes[0].routes)
	}
}

// One that begins to restart again and again, with a hold time as long as there is, and never tells its table, does not keep its routes for longer than the hold of routes.
func TestGracefulRestartForEver(t *testing.T) {
	for _, inits := range []bool{false, true} {
		w := chain(t, 2).start()
		w.run(10 * time.Second)
		n, peer := w.nodes[0], w.nodes[1]
		say := func(p *eigrpmsg.Packet) {
			p.AS = 100
			b, err := p.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			w.push(happening{at: w.now, node: n, ev: PacketReceived{Iface: "right", From: adr("172.16.1.2"), Payload: b}})
		}
		peer.mute = func(ev PacketReceived) {
			if p, _ := eigrpmsg.Parse(ev.Payload); p.Sequence != 0 {
				say(&eigrpmsg.Packet{Opcode: eigrpmsg.Hello, Ack: p.Sequence})
			}
		}
		last := time.Duration(0)
		for began, seq := w.now, uint32(1<<30); w.now.Sub(began) < 20*time.Minute; seq += 2 {
			n.handle(PacketReceived{Iface: "right", From: adr("172.16.1.2"), Multicast: true, Payload: helloOf(t, func(p *eigrpmsg.Packet) {
				p.Flags, p.Parameters.Hold = eigrpmsg.FlagRestart, 65535
				if seq%8 == 0 {
					p.Flags = 0
				}
			})})
			if inits {
				say(&eigrpmsg.Packet{Opcode: eigrpmsg.Update, Flags: eigrpmsg.FlagInit | eigrpmsg.FlagRestart, Sequence: seq})
			}
			w.run(3 * time.Second)
			if n.has("10.1.0.0/24") {
				last = w.now.Sub(began)
			}
		}
		if last < time.Minute || last > routeHold {
			t.Errorf("INITs %v: the routes are kept for %s", inits, last)
		}
	}
}
