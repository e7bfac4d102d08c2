package ldp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// TestSession is two routers from nothing to labels.
func TestSession(t *testing.T) {
	n, a, b := pair(t)
	startAll(n)
	a.route(FromIGP, "10.9.9.2/32", "Tunnel0", "10.0.0.2")
	a.route(FromConnected, "192.168.1.0/24")
	b.route(FromStatic, "10.9.9.1/32", "Tunnel0", "10.0.0.1")
	b.route(FromIGP, "192.168.1.0/24", "Tunnel0", "10.0.0.1")
	b.route(FromIGP, "192.168.7.0/24", "Tunnel0", "10.0.0.77")
	b.route(FromBGP, "192.168.2.0/24", "Tunnel0", "10.0.0.1")
	b.route(FromIGP, "0.0.0.0/0", "Tunnel0", "10.0.0.1")
	a.route(FromIGP, "192.168.7.0/24", "Tunnel0", "10.0.0.2")
	n.run(2 * time.Second)
	for _, c := range []struct {
		box    *box
		peer   string
		active bool
	}{{a, "10.9.9.2", false}, {b, "10.9.9.1", true}} {
		st, ok := c.box.neighbor(c.peer)
		if !ok || st.State != StateOperational || st.Active != c.active || st.KeepAlive != 180*time.Second || len(st.Sources) != 1 || len(st.Addresses) != 2 {
			t.Fatalf("%s: %+v", c.box.name, st)
		}
	}
	if b.m.Neighbors()[0].PeerAddr.Port() != ldpmsg.Port {
		t.Error("TCP is not to port 646")
	}
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	b.expect(t, "10.9.9.1/32", "Tunnel0", "10.0.0.1", 3)
	b.expect(t, "192.168.1.0/24", "Tunnel0", "10.0.0.1", 3)
	a.expect(t, "192.168.7.0/24", "Tunnel0", "10.0.0.2", int(b.labels[pfx("192.168.7.0/24")]))
	b.expect(t, "192.168.7.0/24", "Tunnel0", "10.0.0.77", -1) // nobody's address
	b.expect(t, "192.168.2.0/24", "Tunnel0", "10.0.0.1", -1)
	if len(b.labels) != 3 { // not of connected prefixes, of BGP, of the default route
		t.Errorf("labels %v", b.labels)
	}
	// Hours later nothing has changed, and nobody has said more than Hellos and KeepAlives.
	counts := map[ldpmsg.Type]int{}
	n.wire = func(_, _ *box, raw ldpmsg.Raw) { counts[raw.Type]++ }
	n.run(2 * time.Hour)
	if len(counts) != 1 || counts[ldpmsg.TypeKeepAlive] < 239 || counts[ldpmsg.TypeKeepAlive] > 241 || len(a.logs)+len(b.logs) != 2 {
		t.Errorf("%v, %v %v", counts, a.logs, b.logs)
	}
	if a.hellos < 1440 || a.hellos > 1445 {
		t.Errorf("%d Hellos", a.hellos)
	}
}

// TestSharedSession has two links between two routers: one session, which lives as long as one of the adjacencies.
func TestSharedSession(t *testing.T) {
	n := newNet(t)
	a := n.add("a", "10.9.9.1", [3]string{"Tunnel0", "one", "10.0.0.1"}, [3]string{"Ethernet0/0", "two", "10.1.0.1"})
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "one", "10.0.0.2"}, [3]string{"Ethernet0/0", "two", "10.1.0.2"})
	startAll(n)
	a.route(FromIGP, "10.9.9.2/32", "Tunnel0", "10.0.0.2", "Ethernet0/0", "10.1.0.2")
	n.run(10 * time.Second)
	if len(a.m.Neighbors()) != 1 || len(a.pipes) != 1 || len(a.m.Neighbors()[0].Sources) != 2 {
		t.Fatalf("%+v", a.m.Neighbors())
	}
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	a.expect(t, "10.9.9.2/32", "Ethernet0/0", "10.1.0.2", 3)
	n.mute["one"] = true
	n.run(16 * time.Second)
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", -1)
	a.expect(t, "10.9.9.2/32", "Ethernet0/0", "10.1.0.2", 3)
	if a.state("10.9.9.2") != StateOperational || len(a.pipes) != 1 {
		t.Fatal("the session did not outlive the adjacency")
	}
	n.mute["one"] = false
	n.run(6 * time.Second)
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	n.mute["one"], n.mute["two"] = true, true
	n.run(16 * time.Second)
	if len(a.m.Neighbors())+len(b.m.Neighbors())+len(a.binds) != 0 {
		t.Fatalf("%+v", a.m.Neighbors())
	}
	if got := a.logged(LogNeighborDown, ldpmsg.HoldTimerExpired, false) + a.logged(LogNeighborDown, ldpmsg.HoldTimerExpired, true); got != 1 {
		t.Errorf("%v", a.logs)
	}
}

// TestLostTCP lets TCP be silent, and then break.
func TestLostTCP(t *testing.T) {
	n, a, b := pair(t)
	startAll(n)
	a.route(FromIGP, "10.9.9.2/32", "Tunnel0", "10.0.0.2")
	n.run(5 * time.Minute)
	n.cut = true
	n.run(119 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal("given up too early")
	}
	n.run(62 * time.Second)
	if a.state("10.9.9.2") == StateOperational || len(a.binds) != 0 {
		t.Fatal("not given up")
	}
	if a.logged(LogNeighborDown, ldpmsg.KeepAliveExpired, false) != 1 || b.logged(LogNeighborDown, ldpmsg.KeepAliveExpired, false) != 1 {
		t.Errorf("%v %v", a.logs, b.logs)
	}
	n.cut = false
	n.run(30 * time.Second)
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	n.run(2 * time.Minute)
	// A connection that breaks after long is followed by another at once, one that breaks again and again is not.
	tries := len(b.connects)
	n.reset(a, b)
	if len(a.binds) != 0 {
		t.Fatal("binds without a session")
	}
	n.run(1100 * time.Millisecond)
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	for range 400 {
		n.reset(a, b)
		n.run(time.Second)
	}
	if got := len(b.connects) - tries; got < 8 || got > 14 {
		t.Errorf("%d attempts in 400 s of breaking", got)
	}
}

// TestPeerKilled starts a router again whose peer still believes in the old session.
func TestPeerKilled(t *testing.T) {
	n, a, b := pair(t) // b opens the session
	startAll(n)
	a.route(FromIGP, "10.9.9.2/32", "Tunnel0", "10.0.0.2")
	n.run(10 * time.Second)
	b.kill()
	n.run(time.Second)
	b.start()
	n.run(3 * time.Second)
	a.expect(t, "10.9.9.2/32", "Tunnel0", "10.0.0.2", 3)
	if a.state("10.9.9.2") != StateOperational || b.state("10.9.9.1") != StateOperational || len(a.m.sessions) != 1 {
		t.Fatalf("%v %v", a.logs, b.logs)
	}
}

// TestSimultaneousStart lets many routers on one link start in one instant, and all speak at once.
func TestSimultaneousStart(t *testing.T) {
	n := newNet(t)
	for i := range 8 {
		n.add(fmt.Sprintf("r%d", i), fmt.Sprintf("10.9.9.%d", i+1), [3]string{"Tunnel0", "core", fmt.Sprintf("10.0.0.%d", i+1)})
	}
	startAll(n)
	n.run(3 * time.Second)
	for _, b := range n.boxes {
		up := 0
		for _, st := range b.m.Neighbors() {
			if st.State == StateOperational {
				up++
			}
		}
		if up != 7 || len(b.m.sessions) != 7 || b.logged(LogSessionRefused, ldpmsg.RejectedNoHello, true) != 0 {
			t.Errorf("%s: %d sessions up of %d; %v", b.name, up, len(b.m.sessions), b.logs)
		}
	}
}

// TestHub has many spokes on the hub's one interface: its Hellos do not multiply.
func TestHub(t *testing.T) {
	n := newNet(t)
	const spokes = 150
	n.hub = n.add("hub", "10.9.9.1", [3]string{"Tunnel0", "mgre", "10.0.0.1"})
	for i := range spokes {
		n.add(fmt.Sprintf("s%d", i), fmt.Sprintf("10.9.10.%d", i+1), [3]string{"Tunnel0", "mgre", fmt.Sprintf("10.0.1.%d", i+1)})
	}
	startAll(n)
	n.run(20 * time.Second)
	up := 0
	for _, st := range n.hub.m.Neighbors() {
		if st.State == StateOperational {
			up++
		}
	}
	if up != spokes || n.hub.hellos > 8 || len(n.boxes[1].m.Neighbors()) != 1 {
		t.Errorf("%d sessions, %d Hellos", up, n.hub.hellos)
	}
}

// TestBackoff has a peer that refuses: attempts get rare, until its configuration changes.
func TestBackoff(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.start()
	peer := ID{LSR: ip("10.9.9.1")}
	seq := uint32(1)
	var tries []time.Duration
	begin := n.now
	hello := func() {
		msg, _ := ldpmsg.Append(nil, 1, &ldpmsg.Hello{HoldTime: ldpmsg.HoldForever, Transport: peer.LSR, Sequence: seq, Sequenced: true})
		b.m.cfg.HelloHold = ldpmsg.HoldForever * time.Second // the peer needs to be heard once only
		b.do(b.m.Handle(n.now, HelloReceived{"Tunnel0", ip("10.0.0.1"), ldpmsg.Pack(nil, peer, ownMaxPDU, msg)}))
	}
	hello()
	answer := func() {
		for len(b.connects) > len(tries) {
			tries = append(tries, b.connects[len(tries)].Sub(begin).Round(time.Second))
			conn := b.m.nextConn
			b.handle(Connected{conn, netip.MustParseAddrPort("10.9.9.2:11000"), netip.MustParseAddrPort("10.9.9.1:646"), false})
			msg, _ := ldpmsg.Append(nil, 1, &ldpmsg.Notification{Code: ldpmsg.RejectedNoHello, Fatal: true})
			b.handle(Data{conn, ldpmsg.Pack(nil, peer, ownMaxPDU, msg)})
		}
	}
	for range 500 {
		n.queue = nil // the simulated TCP has nobody to connect to
		answer()
		n.now = n.now.Add(time.Second)
		if d := b.m.Deadline(); !d.IsZero() && !d.After(n.now) {
			b.handle(Tick{})
		}
	}
	want := []time.Duration{0, 15, 45, 105, 225, 345, 465}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(tries, want) {
		t.Errorf("attempts at %v, not %v", tries, want)
	}
	if b.logged(LogSessionRefused, ldpmsg.RejectedNoHello, true) != len(want) {
		t.Errorf("%v", b.logs)
	}
	if st := b.m.Neighbors()[0]; st.Refused != len(want) || st.Retry.IsZero() {
		t.Errorf("%+v", st)
	}
	seq++
	hello()
	if len(b.connects) != len(want)+1 {
		t.Error("no attempt after the peer's configuration changed")
	}
}

// TestRefusedTCP has a peer without a listener at first.
func TestRefusedTCP(t *testing.T) {
	n, a, b := pair(t)
	a.refuse = true
	startAll(n)
	n.run(21 * time.Second)
	if got := len(b.connects); got < 4 || got > 6 {
		t.Errorf("%d attempts", got)
	}
	a.refuse = false
	n.run(6 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Error("no session")
	}
	// And one that does not answer at all.
	n.cut = true
	a.handle(Clear{})
	n.run(200 * time.Second)
	n.cut = false
	n.run(40 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Error("no session after a silent network")
	}
}

func TestPassword(t *testing.T) {
	n, a, b := pair(t)
	key := Secret("s3cr3t-word")
	a.cfg.Passwords = []Password{{ip("10.9.9.2"), key}}
	startAll(n)
	n.run(30 * time.Second)
	if a.state("10.9.9.2") == StateOperational {
		t.Fatal("a session with a signature on one side only")
	}
	cfg := b.cfg
	cfg.Passwords = []Password{{ip("10.9.9.1"), Secret("s3cr3t-word")}, {ip("10.9.9.77"), Secret("another")}}
	b.configure(cfg)
	n.run(40 * time.Second)
	if a.state("10.9.9.2") != StateOperational || !a.m.Neighbors()[0].Signed {
		t.Fatal("no signed session")
	}
	// The same again touches nothing.
	a.configure(a.cfg)
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal("ended for nothing")
	}
	// Another key ends the session, on either side, and the next one needs it.
	cfg = a.cfg
	cfg.Passwords = []Password{{ip("10.9.9.2"), Secret("changed")}}
	a.configure(cfg)
	if a.state("10.9.9.2") == StateOperational {
		t.Fatal("goes on with an old key")
	}
	n.run(60 * time.Second)
	if a.state("10.9.9.2") == StateOperational {
		t.Fatal("a session with two keys")
	}
	cfg = b.cfg
	cfg.Passwords = []Password{{ip("10.9.9.1"), Secret("changed")}}
	b.configure(cfg)
	n.run(40 * time.Second)
	if a.state("10.9.9.2") != StateOperational {
		t.Fatal("no session with the new key")
	}
	cfg.Passwords = nil
	b.configure(cfg)
	cfg = a.cfg
	cfg.Passwords = nil
	a.configure(cfg)
	n.run(40 * time.Second)
	if a.state("10.9.9.2") != StateOperational || a.keys[[2]netip.Addr{ip("10.9.9.1"), ip("10.9.9.2")}] != nil {
		t.Fatal("no unsigned session")
	}
	text := fmt.Sprintf("%v %s %x %q %d %+v %#v", key, key, key, key, key, Connect{Key: key}, Config{Passwords: []Password{{Key: key}}})
	if b, _ := key.MarshalText(); strings.Contains(text+string(b), "s3cr") || strings.Contains(text, "73336372") || strings.Contains(text, "115 51") {
		t.Errorf("printed: %s", text)
	}
	if fmt.Sprint(Secret(nil)) != "none" {
		t.Error("no key")
	}
}
