package ldp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// triangle is a router with two others, either of which reaches a prefix.
func triangle(t *testing.T) (n *simnet, a, b, c *box) {
	n, a, b = pair(t)
	c = n.add("c", "10.9.9.3", [3]string{"Tunnel0", "core", "10.0.0.3"})
	startAll(n)
	for _, x := range []*box{b, c} {
		x.route(FromIGP, "192.168.5.0/24", "Ethernet0/0", "172.16.0.9")
	}
	n.run(3 * time.Second)
	return n, a, b, c
}

// TestNextHopMoves changes the next hop of a route: the label of the new one is there already.
func TestNextHopMoves(t *testing.T) {
	const p = "192.168.5.0/24"
	n, a, b, c := triangle(t)
	lb, lc := b.labels[pfx(p)], c.labels[pfx(p)]
	if lb == 0 || lc == 0 || lb == lc {
		t.Fatal("labels", lb, lc)
	}
	wire := 0
	n.wire = func(*box, *box, ldpmsg.Raw) { wire++ }
	hopB, hopC := NextHop{"Tunnel0", ip("10.0.0.2")}, NextHop{"Tunnel0", ip("10.0.0.3")}
	check := func(got []Effect, want ...Effect) {
		t.Helper()
		if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			t.Fatalf("%+v\nis not\n%+v", got, want)
		}
	}
	// With the route comes a label of a's own, and a mapping to both.
	got := a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	if len(got) != 4 || got[0] != (LocalLabel{pfx(p), a.labels[pfx(p)]}) || got[1] != (Bind{pfx(p), hopB, lb}) {
		t.Fatalf("%+v", got)
	}
	n.run(time.Second)
	wire = 0
	check(a.route(FromIGP, p, "Tunnel0", "10.0.0.3"), Unbind{pfx(p), hopB}, Bind{pfx(p), hopC, lc})
	check(a.route(FromIGP, p, "Tunnel0", "10.0.0.2", "Tunnel0", "10.0.0.3"), Bind{pfx(p), hopB, lb})
	check(a.route(FromIGP, p, "Tunnel0", "10.0.0.3", "Tunnel0", "10.0.0.2")) // the same in another order
	check(a.route(FromIGP, p, "Tunnel0", "10.0.0.2"), Unbind{pfx(p), hopC})
	check(a.route(FromIGP, p, "Ethernet0/0", "10.0.0.2"), Unbind{pfx(p), hopB}) // not heard there
	check(a.route(FromStatic, p, "Tunnel0", "10.0.0.3"), Bind{pfx(p), hopC, lc})
	n.run(time.Second)
	if wire != 0 {
		t.Errorf("%d messages about routes", wire)
	}
	// The router that is next hop goes, and comes back.
	c.handle(Shutdown{})
	n.run(10 * time.Millisecond)
	a.expect(t, p, "Tunnel0", "10.0.0.3", -1)
	c.configure(c.cfg)
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.3", int(c.labels[pfx(p)]))
	if c.labels[pfx(p)] != lc {
		t.Errorf("label %d, and %d before", c.labels[pfx(p)], lc)
	}
	st := a.m.Bindings()
	k := slices.IndexFunc(st, func(b BindingStatus) bool { return b.Prefix == pfx(p) })
	if k < 0 || len(st[k].Remote) != 2 || !st[k].HasLocal || st[k].Remote[0] != (RemoteBinding{ID{LSR: ip("10.9.9.2")}, lb, false}) || !st[k].Remote[1].InUse || len(st[k].Paths) != 1 {
		t.Errorf("%+v", st)
	}
}

// TestRelease withdraws a label: it is free for others once it was released and has rested, and not before.
func TestRelease(t *testing.T) {
	const p, q = "192.168.5.0/24", "192.168.6.0/24"
	n, a, b, _ := triangle(t)
	cfg := b.cfg
	cfg.FirstLabel, cfg.LastLabel, cfg.LabelGrace = 100, 100, time.Minute
	b.configure(cfg)
	b.gone(p)
	b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
	a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	b.route(FromIGP, q, "Ethernet0/0", "172.16.0.9")
	n.run(time.Second)
	old := b.labels[pfx(p)] // of the range before
	if old == 100 || b.labels[pfx(q)] != 100 || b.logged(LogNoLabels, 0, false) != 0 {
		t.Fatal(b.labels)
	}
	var seen []string
	n.wire = func(from, _ *box, raw ldpmsg.Raw) { seen = append(seen, from.name+" "+raw.Type.String()) }
	b.gone(q)
	n.run(time.Second)
	if !slices.Equal(sorted(seen), []string{"a Label Release", "b Label Withdraw", "b Label Withdraw", "c Label Release"}) {
		t.Fatal(seen)
	}
	n.run(30 * time.Second)
	const r = "192.168.8.0/24"
	b.route(FromIGP, r, "Ethernet0/0", "172.16.0.9")
	if len(b.labels) != 1 || b.logged(LogNoLabels, 0, false) != 1 {
		t.Fatal("a label was given too early", b.labels)
	}
	// The prefix that had it may have it back at once.
	b.route(FromIGP, q, "Ethernet0/0", "172.16.0.9")
	if b.labels[pfx(q)] != 100 {
		t.Fatal(b.labels)
	}
	n.run(time.Second)
	b.gone(q)
	n.run(58 * time.Second)
	if b.labels[pfx(r)] != 0 {
		t.Fatal("given within the grace time")
	}
	n.run(3 * time.Second)
	if b.labels[pfx(r)] != 100 {
		t.Fatal("not given after the grace time", b.labels)
	}
	a.route(FromIGP, r, "Tunnel0", "10.0.0.2")
	n.run(time.Second)
	a.expect(t, r, "Tunnel0", "10.0.0.2", 100)
}

// TestHeldLabel has a peer that never releases: its label is not free before the session ends.
func TestHeldLabel(t *testing.T) {
	n, b, peer := stranger(t)
	cfg := b.cfg
	cfg.FirstLabel, cfg.LastLabel, cfg.LabelGrace = 100, 101, time.Second
	b.configure(cfg)
	b.route(FromIGP, "192.168.1.0/24", "Ethernet0/0", "172.16.0.9")
	b.route(FromIGP, "192.168.2.0/24", "Ethernet0/0", "172.16.0.9")
	b.gone("192.168.1.0/24")
	b.route(FromIGP, "192.168.3.0/24", "Ethernet0/0", "172.16.0.9")
	n.run(10 * time.Second)
	if len(b.labels) != 1 {
		t.Fatal("given while a peer may send by it", b.labels)
	}
	// A Release that is about something else changes nothing.
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: fecOf(pfx("192.168.1.0/24")), Label: 99, Labelled: true})
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: fecOf(pfx("192.168.77.0/24")), Label: 100, Labelled: true})
	n.run(5 * time.Second)
	if len(b.labels) != 1 {
		t.Fatal(b.labels)
	}
	// A request that cannot be served is, later.
	peer.heard = nil
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeRequest, FEC: fecOf(pfx("192.168.3.0/24"))})
	peer.expect(t, "Notification No Label Resources")
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: ldpmsg.FEC{Wildcard: true}})
	n.run(2 * time.Second)
	if len(b.labels) != 2 {
		t.Fatal("not given though it was released", b.labels)
	}
	peer.expect(t, "Label Mapping 192.168.3.0/24", "Notification Label Resources / Available")
	b.gone("192.168.2.0/24")
	n.run(5 * time.Second)
	b.route(FromIGP, "192.168.4.0/24", "Ethernet0/0", "172.16.0.9")
	if len(b.labels) != 2 { // released before it was withdrawn
		t.Fatal(b.labels)
	}
	b.gone("192.168.4.0/24")
	n.run(2 * time.Second)
	b.route(FromIGP, "192.168.5.0/24", "Ethernet0/0", "172.16.0.9")
	if len(b.labels) != 1 {
		t.Fatal(b.labels)
	}
	b.handle(Closed{peer.conn})
	n.run(2 * time.Second)
	if len(b.labels) != 2 || len(b.m.starved) != 0 {
		t.Fatal("not given though the session ended", b.labels)
	}
}

// TestFlap lets a route go and come, over and over, faster than the peer answers.
func TestFlap(t *testing.T) {
	const p = "192.168.5.0/24"
	n, a, b, c := triangle(t)
	a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	l := b.labels[pfx(p)]
	for range 50 {
		b.gone(p)
		b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
		if b.labels[pfx(p)] != l {
			t.Fatal("another label for the same prefix")
		}
	}
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(l))
	// From connected to learned and back: implicit null, the label of before, implicit null.
	b.route(FromConnected, p)
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", 3)
	b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
	b.route(FromConnected, p)
	b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(l))
	b.gone(p)
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", -1)
	for _, x := range []*box{a, b, c} {
		for _, nb := range x.m.order {
			for prefix, told := range nb.session.told {
				if len(told.withdrawn) != 0 || !told.standing {
					t.Errorf("%s: %s %+v", x.name, prefix, told)
				}
			}
		}
	}
	if s := b.m.pool.labels[l]; s == nil || s.holders != 0 || s.owned {
		t.Errorf("%+v", s)
	}
}

// TestThousand brings up a session with 1 000 prefixes each way, and takes half of them away.
func TestThousand(t *testing.T) {
	n, a, b := pair(t)
	startAll(n)
	const count = 1000
	prefix := func(i int) string { return fmt.Sprintf("172.%d.%d.0/24", 16+i/256, i%256) }
	routes := Routes{}
	for i := range count {
		b.route(FromIGP, prefix(i), "Ethernet0/0", "172.31.0.9")
		routes.Changed = append(routes.Changed, Route{pfx(prefix(i)), FromIGP, []NextHop{{"Tunnel0", ip("10.0.0.2")}}})
	}
	a.handle(routes)
	messages := map[ldpmsg.Type]int{}
	n.wire = func(from, _ *box, raw ldpmsg.Raw) { messages[raw.Type]++ }
	n.run(3 * time.Second)
	if len(a.binds) != count || len(a.labels) != count || messages[ldpmsg.TypeMapping] != 2*count+2 || messages[ldpmsg.TypeRelease] != 0 {
		t.Fatalf("%d binds, %v", len(a.binds), messages)
	}
	for i := range count {
		a.expect(t, prefix(i), "Tunnel0", "10.0.0.2", int(b.labels[pfx(prefix(i))]))
	}
	clear(messages)
	var gone Routes
	for i := range count / 2 {
		gone.Gone = append(gone.Gone, pfx(prefix(2*i)))
	}
	effects := b.handle(gone)
	sends := 0
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			sends++
			if len(s.Bytes) > 20000 {
				t.Errorf("%d bytes for 500 withdrawals", len(s.Bytes))
			}
		}
	}
	n.run(time.Second)
	if sends != 1 || len(a.binds) != count/2 || messages[ldpmsg.TypeWithdraw] != count/2 || messages[ldpmsg.TypeRelease] != count/2 {
		t.Fatalf("%d sends, %d binds, %v", sends, len(a.binds), messages)
	}
	n.reset(a, b)
	if len(a.binds) != 0 || a.m.learned != 0 {
		t.Fatal("binds without a session")
	}
	n.run(2 * time.Second)
	if len(a.binds) != count/2 {
		t.Fatalf("%d binds", len(a.binds))
	}
}

// TestAddresses moves an address from one router to another.
func TestAddresses(t *testing.T) {
	const p = "192.168.5.0/24"
	n, a, b, c := triangle(t)
	a.route(FromIGP, p, "Tunnel0", "10.0.0.50")
	a.expect(t, p, "Tunnel0", "10.0.0.50", -1)
	b.handle(InterfaceState{Name: "Loopback1", Up: true, Addrs: []netip.Addr{ip("10.0.0.50"), ip("2001:db8::1"), ip("10.0.0.51")}})
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.50", int(b.labels[pfx(p)]))
	// Both have it: the first one keeps it; when it goes, the other one has it.
	c.handle(InterfaceState{Name: "Loopback1", Up: true, Addrs: []netip.Addr{ip("10.0.0.50")}})
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.50", int(b.labels[pfx(p)]))
	b.handle(InterfaceState{Name: "Loopback1", Up: false, Addrs: []netip.Addr{ip("10.0.0.50"), ip("10.0.0.51")}})
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.50", int(c.labels[pfx(p)]))
	n.reset(a, c)
	a.expect(t, p, "Tunnel0", "10.0.0.50", -1)
	n.run(2 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.50", int(c.labels[pfx(p)]))
	c.handle(InterfaceState{Name: "Loopback1"})
	n.run(time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.50", -1)
	if st, _ := a.neighbor("10.9.9.2"); len(st.Addresses) != 2 {
		t.Errorf("%v", st.Addresses)
	}
	// More addresses than a PDU holds.
	var many []netip.Addr
	for i := range 3000 {
		many = append(many, netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}))
	}
	b.handle(InterfaceState{Name: "Loopback2", Up: true, Addrs: many})
	n.run(time.Second)
	if st, _ := a.neighbor("10.9.9.2"); len(st.Addresses) != 3002 {
		t.Errorf("%d addresses", len(st.Addresses))
	}
}

// TestInterfaceDown takes the link away from under a session, by its state and by the configuration.
func TestInterfaceDown(t *testing.T) {
	const p = "192.168.5.0/24"
	n, a, b, _ := triangle(t)
	a.route(FromIGP, p, "Tunnel0", "10.0.0.2")
	a.handle(InterfaceState{Name: "Tunnel0", Addrs: []netip.Addr{ip("10.0.0.1")}})
	if len(a.binds) != 0 || len(a.m.Neighbors()) != 0 {
		t.Fatal(a.binds)
	}
	n.run(time.Second)
	if b.logged(LogNeighborDown, ldpmsg.Shutdown, true) != 1 {
		t.Error(b.logs)
	}
	if st := a.m.Discovery(); len(st) != 1 || st[0].Running || st[0].Adjacencies != nil {
		t.Errorf("%+v", st)
	}
	a.handle(InterfaceState{Name: "Tunnel0", Up: true, Addrs: []netip.Addr{ip("10.0.0.1")}})
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	if st := a.m.Discovery(); len(st) != 1 || !st[0].Running || len(st[0].Adjacencies) != 2 || st[0].Adjacencies[0].Address != ip("10.0.0.2") || st[0].Adjacencies[0].Hold != 15*time.Second {
		t.Errorf("%+v", st)
	}
	cfg := a.cfg
	cfg.Interfaces = nil
	a.configure(cfg)
	if len(a.binds) != 0 || len(a.listening) == 0 || a.listening[ip("10.9.9.1")] {
		t.Fatal(a.binds, a.listening)
	}
	cfg.Interfaces = []Interface{{Name: "Tunnel0", Transport: ip("10.0.0.1")}}
	a.configure(cfg)
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	if st, _ := b.neighbor("10.9.9.1"); st.PeerAddr.Addr() != ip("10.0.0.1") || !a.listening[ip("10.0.0.1")] {
		t.Errorf("%+v", st)
	}
	// Another transport address moves the session.
	cfg.Interfaces = []Interface{{Name: "Tunnel0"}}
	a.configure(cfg)
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	if st, _ := a.neighbor("10.9.9.2"); st.Active {
		t.Errorf("%+v", st)
	}
	// With a greater one than the peer's, it is ours to open.
	cfg.Interfaces = []Interface{{Name: "Tunnel0", Transport: ip("10.99.0.1")}}
	a.configure(cfg)
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	if st, _ := a.neighbor("10.9.9.2"); !st.Active || st.LocalAddr.Addr() != ip("10.99.0.1") {
		t.Errorf("%+v", st)
	}
	cfg.Interfaces = []Interface{{Name: "Tunnel0"}}
	// So does another router ID, everywhere.
	cfg.RouterID = ip("10.9.9.99")
	a.configure(cfg)
	if len(a.binds) != 0 {
		t.Fatal("binds over a change of the router ID")
	}
	n.run(10 * time.Second)
	a.expect(t, p, "Tunnel0", "10.0.0.2", int(b.labels[pfx(p)]))
	n.run(6 * time.Second)
	if _, ok := b.neighbor("10.9.9.1"); ok || b.state("10.9.9.99") != StateOperational {
		t.Error("the old one is still known")
	}
}

// TestShutdown stops all: peers are told, and everything is taken back.
func TestShutdown(t *testing.T) {
	n, a, b, _ := triangle(t)
	a.route(FromIGP, "192.168.5.0/24", "Tunnel0", "10.0.0.2")
	n.run(time.Second)
	a.handle(Shutdown{})
	if len(a.binds)+len(a.labels)+len(a.m.sessions)+len(a.m.neighbors) != 0 || !a.m.Deadline().IsZero() || a.listening[ip("10.9.9.1")] {
		t.Errorf("%v %v %v", a.binds, a.labels, a.m.Deadline())
	}
	n.run(time.Second)
	if b.logged(LogNeighborDown, ldpmsg.Shutdown, true) != 1 || len(b.m.fecs[pfx("192.168.5.0/24")].remote) != 1 {
		t.Error(b.logs)
	}
	a.handle(Accepted{Conn: Inbound | 99, Local: netip.MustParseAddrPort("10.9.9.1:646"), Remote: netip.MustParseAddrPort("10.9.9.2:646")})
	if len(a.effects) != 1 || a.effects[0] != (Close{Inbound | 99}) {
		t.Errorf("%v", a.effects)
	}
	a.configure(a.cfg)
	n.run(10 * time.Second)
	if a.state("10.9.9.2") != StateOperational || len(a.labels) != 1 {
		t.Error("not started again")
	}
}

// TestInherited starts a router again with what its fast path still has.
func TestInherited(t *testing.T) {
	n, a, b := pair(t)
	startAll(n)
	prefixes := []string{"192.168.1.0/24", "192.168.2.0/24", "192.168.3.0/24"}
	for _, p := range prefixes {
		b.route(FromIGP, p, "Ethernet0/0", "172.16.0.9")
	}
	n.run(3 * time.Second)
	before := b.labels
	b.kill()
	b.start()
	var kept []LocalLabel
	for p, l := range before {
		kept = append(kept, LocalLabel{p, l})
	}
	kept = append(kept, LocalLabel{pfx("192.168.2.0/24"), 4000}, LocalLabel{pfx("10.0.0.0/8"), 7}, LocalLabel{pfx("10.0.0.0/8"), 1 << 21}, kept[0])
	b.handle(Inherited{kept})
	b.route(FromIGP, prefixes[1], "Ethernet0/0", "172.16.0.9")
	if b.labels[pfx(prefixes[1])] != before[pfx(prefixes[1])] {
		t.Errorf("%v, before %v", b.labels, before)
	}
	cfg := b.cfg
	cfg.FirstLabel, cfg.LastLabel = before[pfx(prefixes[1])]-1, before[pfx(prefixes[1])]+1 // no others than these: two of them were given before
	b.configure(cfg)
	b.route(FromIGP, "192.168.9.0/24", "Ethernet0/0", "172.16.0.9")
	if len(b.labels) != 1 {
		t.Errorf("%v, before %v", b.labels, before)
	}
	n.run(DefaultLabelGrace + time.Second)
	if len(b.labels) != 2 || a.state("10.9.9.2") != StateOperational {
		t.Errorf("%v, before %v", b.labels, before)
	}
}

// TestInheritedUnknown keeps labels whose prefixes are not known from everyone, whichever range they are in by now.
func TestInheritedUnknown(t *testing.T) {
	m := New()
	m.Configure(epoch, Config{RouterID: ip("10.9.9.1"), FirstLabel: 100, LastLabel: 102})
	m.Handle(epoch, Inherited{[]LocalLabel{{In: 100}, {In: 102}, {In: 103}, {In: 7}, {In: 1 << 20}}})
	give := func(now time.Time, p string) uint32 {
		for _, e := range m.Handle(now, Routes{Changed: []Route{{Prefix: pfx(p), Source: FromStatic}}}) {
			if l, ok := e.(LocalLabel); ok {
				return l.In
			}
		}
		return 0
	}
	if l := give(epoch, "10.1.0.0/16"); l != 101 {
		t.Errorf("label %d", l)
	}
	m.Configure(epoch, Config{RouterID: ip("10.9.9.1"), FirstLabel: 102, LastLabel: 104})
	if l := give(epoch, "10.2.0.0/16"); l != 104 {
		t.Errorf("label %d", l)
	}
	if l := give(epoch.Add(DefaultLabelGrace-1), "10.3.0.0/16"); l != 0 {
		t.Errorf("label %d within the grace time", l)
	}
	if l := give(epoch.Add(DefaultLabelGrace), "10.4.0.0/16"); l != 102 && l != 103 {
		t.Errorf("label %d after the grace time", l)
	}
}

// TestRandomStart gives other labels to a machine that knows nothing of the one before.
func TestRandomStart(t *testing.T) {
	seen := map[uint32]bool{}
	for range 20 {
		m := New()
		m.Configure(epoch, Config{RouterID: ip("10.9.9.1")})
		l, ok := m.pool.take(pfx("10.0.0.0/8"), epoch)
		if !ok || seen[l] {
			t.Fatalf("label %d, before %v", l, seen)
		}
		seen[l] = true
	}
}

// TestMaxBindings bounds what peers may have remembered.
func TestMaxBindings(t *testing.T) {
	n, b, peer := stranger(t)
	cfg := b.cfg
	cfg.MaxBindings = 2
	b.configure(cfg)
	for i := range 4 {
		peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: fecOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i), 0}), 24)), Label: uint32(100 + i), Labelled: true})
	}
	n.run(time.Second)
	if b.m.learned != 2 || b.logged(LogTooManyBindings, 0, false) != 2 || len(b.m.fecs) != 3 {
		t.Errorf("%d learned, %v", b.m.learned, b.logs)
	}
	peer.expect(t, "Label Release 172.16.2.0/24 102", "Label Release 172.16.3.0/24 103")
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: ldpmsg.FEC{Wildcard: true}, Label: 101, Labelled: true})
	if b.m.learned != 1 {
		t.Errorf("%d learned", b.m.learned)
	}
	peer.say(&ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: ldpmsg.FEC{Wildcard: true}})
	if b.m.learned != 0 || len(b.m.fecs) != 1 {
		t.Errorf("%d learned", b.m.learned)
	}
	peer.expect(t, "Label Release * 101", "Label Release *")
}

// BenchmarkLabels brings a session up and tells 10 000 labels by it, both ways.
func BenchmarkLabels(b *testing.B) {
	for range b.N {
		n := newNet(b)
		x := n.add("x", "10.9.9.1", [3]string{"Tunnel0", "core", "10.0.0.1"})
		y := n.add("y", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
		startAll(n)
		var toX, toY Routes
		for i := range 10_000 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)}), 32)
			toX.Changed = append(toX.Changed, Route{p, FromIGP, []NextHop{{"Tunnel0", ip("10.0.0.1")}}})
			toY.Changed = append(toY.Changed, Route{p, FromIGP, []NextHop{{"Ethernet0/0", ip("172.31.0.9")}}})
		}
		// The checks of these tests are quadratic: the effects of the routes are left to the machines.
		x.m.Handle(n.now, toY)
		y.m.Handle(n.now, toX)
		n.run(3 * time.Second)
		if len(y.binds) != 10_000 {
			b.Fatal(len(y.binds))
		}
	}
}
