package nhrp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

func TestRegistration(t *testing.T) {
	n, hub, sp := star(t, 2)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	hub.wantAt("10.0.0.12/32", "192.0.2.12")
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
	if !hub.mcast[peerAt("192.0.2.11")] || !hub.mcast[peerAt("192.0.2.12")] || !sp[0].mcast[peerAt("192.0.2.1")] {
		t.Errorf("multicast: hub %v, spoke %v", hub.mcast, sp[0].mcast)
	}
	if got := len(hub.logged(LogClientRegistered)); got != 2 {
		t.Errorf("%d clients logged", got)
	}
	if got := sp[0].logged(LogNHSUp); len(got) != 1 || got[0].Protocol != ip("10.0.0.1") {
		t.Errorf("NHS up: %+v", got)
	}
	// Renewal at a third of the hold time, give or take the jitter; nothing else changes.
	bound := sp[0].m.Status(n.now).Interfaces[0].NHS[0]
	if d := bound.Next.Sub(n.now); d < 70*time.Second || d > 100*time.Second {
		t.Errorf("next registration in %v", d)
	}
	n.run(20 * time.Minute)
	if got := len(hub.logged(LogClientRegistered)); got != 2 {
		t.Errorf("renewals are logged as new: %d", got)
	}
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	e, ok := hub.entry("10.0.0.11/32")
	if !ok || e.Type != TypeDynamic || e.Flags != FlagAuthoritative|FlagUnique|FlagRegistered|FlagRouter|FlagNAT || e.Created.After(epoch.Add(time.Second)) {
		t.Errorf("hub has %+v, %v", e, ok)
	}
	// A spoke that falls silent goes at the end of its hold time.
	sp[1].down = true
	n.run(6 * time.Minute)
	hub.wantAt("10.0.0.12/32", "")
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	if hub.mcast[peerAt("192.0.2.12")] || len(hub.logged(LogPeerDown)) != 1 {
		t.Errorf("the silent spoke stays: %v, %v", hub.mcast, hub.logged(LogPeerDown))
	}
}

// The hub is silent: the same request again, at intervals that grow to a minute; then it answers.
func TestRegistrationBackoff(t *testing.T) {
	n := newNet(t)
	var ids []uint32
	var times []time.Duration
	n.lose = func(_, _ netip.Addr, m *nhrpmsg.Message) bool {
		if m.Type == nhrpmsg.RegistrationRequest {
			ids, times = append(ids, m.RequestID), append(times, n.now.Sub(epoch))
		}
		return n.now.Sub(epoch) < 4*time.Minute
	}
	hub := n.add("hub", hubConfig(), nil)
	sp := n.add("sp1", spokeConfig(11), nil)
	n.run(239 * time.Second)
	if len(times) < 8 || len(times) > 11 {
		t.Fatalf("%d requests at %v", len(times), times)
	}
	want := time.Second
	for i := 1; i < len(times); i++ {
		if ids[i] != ids[0] {
			t.Errorf("request %d has id %d, the first %d", i, ids[i], ids[0])
		}
		if d := times[i] - times[i-1]; d > want || d < want*3/4 {
			t.Errorf("wait %d: %v, want about %v", i, d, want)
		}
		want = min(2*want, 64*time.Second)
	}
	if got := sp.logged(LogRegistrationFailed); len(got) != 1 || got[0].Code != 0 {
		t.Errorf("failures: %+v", got)
	}
	n.run(70 * time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	if len(sp.logged(LogNHSUp)) != 1 {
		t.Error("the NHS is not up")
	}
}

// Phase 2: the route has the other spoke as next hop. Traffic goes by the hub until the owner answers.
func TestPhase2(t *testing.T) {
	n, hub, sp := star(t, 2)
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.5"), NextHop: ip("10.0.0.12")})
	sp[0].wantAt("10.0.0.12/32", "192.0.2.1")
	if b := sp[0].binds[key{"Tunnel0", pfx("10.0.0.12/32")}]; !b.Via || b.Kind != BindVia {
		t.Errorf("while it is resolved: %+v", b)
	}
	for range 5 { // more traffic asks no more
		sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.5"), NextHop: ip("10.0.0.12")})
	}
	n.run(time.Second)
	n.wantLadder("sp1>hub Resolution Request", "hub>sp2 Resolution Request", "sp2>sp1 Resolution Reply")
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	sp[1].wantAt("10.0.0.11/32", "192.0.2.11")
	if e, _ := sp[1].entry("10.0.0.11/32"); e.Flags&FlagImplicit == 0 {
		t.Errorf("reverse binding %+v", e)
	}
	if e, _ := sp[0].entry("10.0.0.12/32"); e.Flags&(FlagAuthoritative|FlagUnique|FlagRouter) != FlagAuthoritative|FlagUnique|FlagRouter {
		t.Errorf("resolved %+v", e)
	}
	if hub.drops(DropRefused) != 0 {
		t.Error("the hub refused something")
	}
	// Without traffic it ends with the hold time.
	n.run(301 * time.Second)
	sp[0].wantAt("10.0.0.12/32", "")
	sp[1].wantAt("10.0.0.11/32", "")
}

func TestAnswerFromCache(t *testing.T) {
	n, hub, sp := star(t, 2, func(i *Interface) { i.AnswerFromCache = true })
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	n.run(time.Second)
	n.wantLadder("sp1>hub Resolution Request", "hub>sp1 Resolution Reply")
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	// The client leaves: whoever was told is told again.
	cfg := sp[1].cfg
	sp[1].configure(Config{})
	n.run(time.Second)
	n.wantLadder("sp2>hub Purge Request", "hub>sp1 Purge Request", "sp1>hub Purge Reply")
	sp[0].wantAt("10.0.0.12/32", "")
	hub.wantAt("10.0.0.12/32", "")
	if len(sp[1].binds) != 0 || len(sp[1].mcast) != 0 {
		t.Errorf("left behind: %v %v", sp[1].binds, sp[1].mcast)
	}
	sp[1].configure(cfg)
	n.run(time.Second)
	hub.wantAt("10.0.0.12/32", "192.0.2.12")
}

// redirect is the hub's fast path seeing traffic from spoke 1 to spoke 2's network, and back.
func redirect(hub *box, from, src, dst string) {
	hub.event(RedirectWanted{Iface: "Tunnel0", From: peerAt(from), Packet: data(src, dst)})
}

func TestPhase3(t *testing.T) {
	n, hub, sp := star(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp2 Resolution Request", "sp2>sp1 Resolution Reply")
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	sp[0].wantAt("10.12.0.5/32", "")
	sp[1].wantAt("10.0.0.11/32", "192.0.2.11")
	b := sp[0].binds[key{"Tunnel0", pfx("10.12.0.0/24")}]
	if b.Kind != BindShortcut || b.NextHop != ip("10.0.0.12") {
		t.Errorf("shortcut %+v", b)
	}
	// Once per pair in eight seconds; other pairs are their own; a shortcut in place asks nothing.
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.6")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication")
	n.run(8 * time.Second)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication")
	st := sp[1].m.Status(n.now)
	local := st.Entries[len(st.Entries)-1]
	if local.Flags&FlagLocal == 0 || local.Prefix != pfx("10.12.0.0/24") || len(local.Holders) != 1 || local.Holders[0] != ip("10.0.0.11") {
		t.Errorf("local entry %+v", local)
	}
}

// What is used is resolved again before it expires, and does not go through the hub in between.
func TestShortcutRefresh(t *testing.T) {
	n, hub, sp := star(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	for range 100 {
		sp[0].event(Used{"Tunnel0", peerAt("192.0.2.12")})
		n.run(10 * time.Second)
		sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	}
	n.run(9 * time.Minute) // one refresh more for the last traffic, then the hold time
	sp[0].wantAt("10.12.0.0/24", "")
	sp[0].wantAt("10.0.0.12/32", "")
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
}

func TestIdleTimeout(t *testing.T) {
	n, hub, sp := star(t, 2, func(i *Interface) { i.IdleTimeout = 30 * time.Second })
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(20 * time.Second)
	sp[0].event(Used{"Tunnel0", peerAt("192.0.2.12")})
	n.run(25 * time.Second)
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	sp[1].wantAt("10.0.0.11/32", "") // nothing came back this way
	n.run(10 * time.Second)
	sp[0].wantAt("10.12.0.0/24", "")
	sp[0].wantAt("10.0.0.12/32", "")
	hub.wantAt("10.0.0.12/32", "192.0.2.12") // registrations do not idle out
}

// The hub's own network, and what it has no route to.
func TestHubAnswers(t *testing.T) {
	n, hub, sp := star(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.100.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp1 Resolution Reply")
	sp[0].wantAt("10.100.0.0/24", "192.0.2.1")
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.77.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp1 Resolution Reply")
	e, ok := sp[0].entry("10.77.0.5/32")
	if !ok || e.Type != TypeNegative {
		t.Errorf("negative entry %+v, %v", e, ok)
	}
	if got := sp[0].logged(LogResolutionFailed); len(got) != 1 || got[0].Code != uint16(nhrpmsg.NoBinding) {
		t.Errorf("failures %+v", got)
	}
	// It is not asked for again while that is remembered, and then it is.
	n.run(10 * time.Second)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.77.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication")
	n.run(time.Minute)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.77.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp1 Resolution Reply")
}

// Phase 2 towards a spoke that is not registered: by the hub, for as long as it takes.
func TestNegativePhase2(t *testing.T) {
	n, _, sp := star(t, 1)
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.99")})
	n.run(time.Second)
	sp[0].wantAt("10.0.0.99/32", "192.0.2.1")
	if e, _ := sp[0].entry("10.0.0.99/32"); e.Type != TypeNegative || e.Flags&FlagVia == 0 {
		t.Errorf("%+v", e)
	}
	n.run(time.Minute)
	sp[0].wantAt("10.0.0.99/32", "")
}

func TestLossIsRepaired(t *testing.T) {
	n, hub, sp := star(t, 2)
	rng := rand.New(rand.NewPCG(1, 2))
	n.lose = func(_, _ netip.Addr, m *nhrpmsg.Message) bool {
		return m.Type != nhrpmsg.TrafficIndication && rng.IntN(3) == 0
	}
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	redirect(hub, "192.0.2.11", "10.11.0.6", "10.12.0.6")
	n.run(70 * time.Second)
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	for _, l := range sp[0].logs {
		if l.Kind == LogResolutionFailed {
			t.Errorf("%+v", l)
		}
	}
}
