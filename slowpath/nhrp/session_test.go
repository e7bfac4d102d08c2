package nhrp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

func protected(i *Interface) { i.Protected = true }

// With protection a binding waits for the session; until then traffic takes the hub.
func TestSessionFirst(t *testing.T) {
	n, hub, sp := star(t, 2, protected)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	sp[0].hold, sp[1].hold = true, true
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	n.run(2 * time.Second)
	n.wantLadder("sp1>hub Resolution Request", "hub>sp2 Resolution Request",
		"sp1>hub Resolution Request", "hub>sp2 Resolution Request") // once more, as no answer came
	if !sp[1].wanted[peerAt("192.0.2.11")] {
		t.Error("the owner does not want a session with the asker")
	}
	sp[0].wantAt("10.0.0.12/32", "192.0.2.1")
	// The owner's session comes up: its answer goes out, by the direct path.
	sp[1].event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.11"), Up: true})
	n.run(100 * time.Millisecond)
	n.wantLadder("sp2>sp1 Resolution Reply")
	sp[1].wantAt("10.0.0.11/32", "192.0.2.11")
	sp[0].wantAt("10.0.0.12/32", "192.0.2.1")
	if !sp[0].wanted[peerAt("192.0.2.12")] {
		t.Error("the asker does not want a session with the owner")
	}
	st := sp[0].m.Status(n.now)
	if p := st.Interfaces[0].Peers[1]; p.NBMA != ip("192.0.2.12") || p.Stage != StageIKE || !p.NoSocket || !p.Since.IsZero() {
		t.Errorf("peer %+v", p)
	}
	sp[0].event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.12"), Up: true})
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	if b := sp[0].binds[key{"Tunnel0", pfx("10.0.0.12/32")}]; b.Via || b.Kind != BindDynamic {
		t.Errorf("%+v", b)
	}
	// The session goes: so do the direct path and the wish for it.
	sp[0].event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.12"), Up: false})
	sp[0].wantAt("10.0.0.12/32", "")
	if sp[0].wanted[peerAt("192.0.2.12")] {
		t.Error("the session is still wanted")
	}
}

func TestServerSession(t *testing.T) {
	n, hub, sp := star(t, 1, protected)
	// The spoke loses its session with the hub: nothing is lost but the path, and it registers again when it is back.
	sp[0].event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.1"), Up: false})
	sp[0].wantAt("10.0.0.1/32", "")
	sp[0].wantNHS("E")
	if sp[0].mcast[peerAt("192.0.2.1")] {
		t.Error("multicast goes to a peer without session")
	}
	n.run(5 * time.Minute)
	n.wantLadder()
	sp[0].event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.1"), Up: true})
	n.run(time.Second)
	n.wantLadder("sp1>hub Registration Request", "hub>sp1 Registration Reply")
	sp[0].wantNHS("R")
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
	// The hub loses the client's: its entry stays for when it is back, and stands in nobody's way.
	hub.event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.11"), Up: false})
	hub.wantAt("10.0.0.11/32", "")
	if e, ok := hub.entry("10.0.0.11/32"); !ok || e.Flags&FlagNoSock == 0 {
		t.Errorf("%+v %v", e, ok)
	}
	hub.event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.11"), Up: true})
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	hub.event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.11"), Up: false})
	if got := code(t, hub.give("192.0.2.111", registration("10.0.0.11", "192.0.2.111"))); got != nhrpmsg.Success {
		t.Errorf("the client with a new address: code %d", got)
	}
	hub.wantAt("10.0.0.11/32", "192.0.2.111")
	if hub.wanted[peerAt("192.0.2.11")] {
		t.Error("the old session is still wanted")
	}
}

func TestQueueIsBounded(t *testing.T) {
	n, _, sp := star(t, 2, protected)
	sp[1].hold = true
	n.quiet = true
	for i := range 20 {
		m := resolution("10.0.0.11", "192.0.2.11", "10.0.0.12")
		m.RequestID = uint32(i)
		if out := sp[1].give("192.0.2.1", m); len(out) != 0 {
			t.Fatalf("sent without a session: %+v", out)
		}
	}
	if got := sp[1].drops(DropFull); got != 20-queuePerPeer {
		t.Errorf("%d dropped", got)
	}
	out := sp[1].giveEvent(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.11"), Up: true})
	if len(out) != queuePerPeer {
		t.Errorf("%d sent", len(out))
	}
}

func TestQuota(t *testing.T) {
	hub := solo(t, hubConfig(func(i *Interface) { i.MaxSend = MaxSend{} }), nil)
	sent := 0
	for range 300 {
		sent += len(hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11")))
	}
	got := hub.logged(LogQuota)
	if sent != 100 || len(got) != 1 || got[0].Count != 100 || got[0].Interval != 10*time.Second {
		t.Errorf("%d sent, log %+v", sent, got)
	}
	st := hub.m.Status(hub.net.now).Interfaces[0]
	if st.Usage != 100 || st.Traffic.Drops[DropQuota] != 200 || st.Traffic.Sent[4] != 100 || st.Traffic.Received[3] != 300 {
		t.Errorf("usage %d%%, %+v", st.Usage, st.Traffic)
	}
	hub.net.run(5 * time.Second)
	if got := hub.m.Status(hub.net.now).Interfaces[0].Usage; got != 50 {
		t.Errorf("usage %d%% after half the interval", got)
	}
	hub.net.run(5 * time.Second)
	for range 150 {
		hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))
	}
	if got := hub.logged(LogQuota); len(got) != 2 {
		t.Errorf("one line an interval: %d", len(got))
	}
	hub.event(ClearStatistics{})
	if got := hub.m.Status(hub.net.now).Interfaces[0].Traffic; got != (Traffic{}) {
		t.Errorf("after clear: %+v", got)
	}
}

// A reconfiguration that has nothing to do with it disturbs nothing.
func TestReconfigure(t *testing.T) {
	n, hub, sp := star(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.ladder()
	for _, edit := range []func(*Interface){
		func(i *Interface) {},
		func(i *Interface) { i.MTU = 1300 },
		func(i *Interface) { i.Redirect = !i.Redirect },
		func(i *Interface) { i.MaxSend = MaxSend{500, time.Second} },
		func(i *Interface) { i.MulticastStatic = []netip.Addr{ip("192.0.2.200")} },
		func(i *Interface) { i.Maps = []Map{{pfx("10.0.0.201/32"), ip("192.0.2.201")}} },
		func(i *Interface) { i.IdleTimeout = time.Hour },
	} {
		for _, b := range []*box{hub, sp[0], sp[1]} {
			cfg := Config{Interfaces: []Interface{b.cfg.Interfaces[0]}}
			edit(&cfg.Interfaces[0])
			effects := b.m.Configure(n.now, cfg)
			for _, e := range effects {
				switch e := e.(type) {
				case Bind:
					if e.Prefix != pfx("10.0.0.201/32") {
						t.Errorf("%s: %+v", b.name, e)
					}
				case Unbind:
					if e.Prefix != pfx("10.0.0.201/32") {
						t.Errorf("%s: %+v", b.name, e)
					}
				case Multicast:
					if e.NBMA != peerAt("192.0.2.200") {
						t.Errorf("%s: %+v", b.name, e)
					}
				default:
					t.Errorf("%s: %+v", b.name, e)
				}
			}
			b.cfg = cfg
			b.do(effects)
		}
	}
	n.run(time.Second)
	n.wantLadder()
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	sp[0].wantAt("10.0.0.201/32", "192.0.2.201")
	if !sp[0].mcast[peerAt("192.0.2.1")] || !sp[0].mcast[peerAt("192.0.2.200")] {
		t.Errorf("multicast %v", sp[0].mcast)
	}
	// What is taken out goes, and only that.
	cfg := sp[0].cfg
	cfg.Interfaces[0].Maps, cfg.Interfaces[0].MulticastStatic = nil, nil
	sp[0].configure(cfg)
	sp[0].wantAt("10.0.0.201/32", "")
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	if sp[0].mcast[peerAt("192.0.2.200")] {
		t.Error("multicast stays")
	}
	hubCfg := hub.cfg
	hubCfg.Interfaces[0].MulticastDynamic = false
	hub.configure(hubCfg)
	if len(hub.mcast) != 1 { // the static one
		t.Errorf("hub multicast %v", hub.mcast)
	}
	// Shorter hold times are told at once; without NHS the bindings by it go.
	cfg.Interfaces[0].HoldTime = 60 * time.Second
	sp[0].configure(cfg)
	n.run(time.Second)
	n.wantLadder("sp1>hub Registration Request", "hub>sp1 Registration Reply")
	if e, _ := hub.entry("10.0.0.11/32"); e.Expires.Sub(n.now) > time.Minute {
		t.Errorf("expires in %v", e.Expires.Sub(n.now))
	}
	cfg.Interfaces[0].NHS = nil
	sp[0].configure(cfg)
	n.run(time.Second)
	n.wantLadder("sp1>hub Purge Request")
	sp[0].wantAt("10.0.0.1/32", "")
	hub.wantAt("10.0.0.11/32", "")
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
}

func TestBadConfiguration(t *testing.T) {
	good := tunnel(1)
	for name, edit := range map[string]func(*Interface){
		"no name":        func(i *Interface) { i.Name = "" },
		"no address":     func(i *Interface) { i.Address = netip.Prefix{} },
		"hold time":      func(i *Interface) { i.HoldTime = 20 * time.Hour },
		"max-send":       func(i *Interface) { i.MaxSend.Packets = -1 },
		"map":            func(i *Interface) { i.Maps = []Map{{pfx("10.0.0.1/32"), netip.Addr{}}} },
		"authentication": func(i *Interface) { i.Authentication = Secret(make([]byte, 65)) },
	} {
		i := good
		edit(&i)
		c := Config{Interfaces: []Interface{i}}
		if c.Check() == nil {
			t.Errorf("%s: no objection", name)
		}
		m := NewSeeded(&box{}, 1)
		if m.Configure(epoch, c); len(m.Status(epoch).Interfaces) != 0 {
			t.Errorf("%s: runs", name)
		}
	}
	if err := (Config{Interfaces: []Interface{good}}).Check(); err != nil {
		t.Error(err)
	}
	if (Config{Interfaces: []Interface{good, good}}).Check() == nil {
		t.Error("twice the same interface")
	}
}

func TestSecretIsNotShown(t *testing.T) {
	i := tunnel(1)
	i.Authentication = "hunter2"
	for _, s := range []string{i.Authentication.String(), i.Authentication.GoString(), fmt.Sprintf("%v", i), fmt.Sprintf("%+v", i), fmt.Sprintf("%#v", i)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("shown in %s", s)
		}
	}
	if b, err := i.Authentication.MarshalText(); err != nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("%s %v", b, err)
	}
}
