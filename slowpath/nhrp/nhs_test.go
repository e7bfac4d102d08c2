package nhrp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// dual is two hubs, 10.0.0.1 and 10.0.0.2, and two spokes registered with both.
func dual(t testing.TB, edit ...func(*Interface)) (n *simnet, hubs, sp []*box) {
	n = newNet(t)
	for h := 1; h <= 2; h++ {
		i := tunnel(h)
		i.Redirect, i.MulticastDynamic = true, true
		hubs = append(hubs, n.add(fmt.Sprintf("hub%d", h), Config{Interfaces: []Interface{i}}, map[string]Route{
			"10.11.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.11")}, "10.12.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.12")},
		}))
	}
	for s := 11; s <= 12; s++ {
		cfg := spokeConfig(s, func(i *Interface) {
			i.NHS = append(i.NHS, NHS{Protocol: ip("10.0.0.2"), NBMA: ip("192.0.2.2"), Multicast: true, Priority: 1})
			for _, f := range edit {
				f(i)
			}
		})
		sp = append(sp, n.add(fmt.Sprintf("sp%d", s-10), cfg, map[string]Route{
			fmt.Sprintf("10.%d.0.0/24", s): {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.0.0.1")},
		}))
	}
	n.run(time.Second)
	n.ladder()
	return n, hubs, sp
}

func (b *box) nhsStates() string {
	s := ""
	for _, n := range b.m.Status(b.net.now).Interfaces[0].NHS {
		s += n.State.String()
	}
	return s
}

func (b *box) wantNHS(want string) {
	b.net.t.Helper()
	if got := b.nhsStates(); got != want {
		b.net.t.Errorf("%s: servers are %s, want %s", b.name, got, want)
	}
}

// A hub dies. Within three renewals it counts as down, what went through it meanwhile goes through the other, and
// resolution goes on by the other.
func TestDualHubFailover(t *testing.T) {
	n, hubs, sp := dual(t)
	sp[0].wantNHS("RR")
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.99")})
	n.run(time.Second)
	sp[0].wantAt("10.0.0.99/32", "192.0.2.1")
	hubs[0].down = true
	died := n.now
	for len(sp[0].logged(LogNHSDown)) == 0 && n.now.Sub(died) < time.Hour {
		n.run(time.Second)
	}
	if d := n.now.Sub(died); d > 300*time.Second {
		t.Errorf("down after %v, which is more than three renewals", d)
	}
	sp[0].wantNHS("ER")
	if len(sp[0].nhs) != 3 || sp[0].nhs[2] != (NHSChanged{"Tunnel0", ip("10.0.0.1"), ip("192.0.2.1"), false}) {
		t.Errorf("changes %+v", sp[0].nhs)
	}
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.98")})
	sp[0].wantAt("10.0.0.98/32", "192.0.2.2")
	n.run(time.Minute)
	n.ladder()
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	sp[0].wantAt("10.0.0.12/32", "192.0.2.2")
	n.run(10 * time.Second)
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	hubs[0].down = false
	n.run(70 * time.Second)
	sp[0].wantNHS("RR")
}

// However short renewals are, a dead hub is known before three of them have passed.
func TestFailoverOfShortRenewals(t *testing.T) {
	for _, every := range []time.Duration{2 * time.Second, 3 * time.Second, 10 * time.Second} {
		n, hubs, sp := dual(t, func(i *Interface) { i.RegistrationTimeout = every })
		n.quiet = true
		n.run(5 * every)
		hubs[0].down = true
		died := n.now
		for len(sp[0].logged(LogNHSDown)) == 0 && n.now.Sub(died) < time.Hour {
			n.run(100 * time.Millisecond)
		}
		if d := n.now.Sub(died); d > 3*every {
			t.Errorf("renewals every %v: down after %v", every, d)
		}
	}
}

// A request that the first server does not answer goes to the second, before the first counts as down.
func TestResolutionTriesTheNextServer(t *testing.T) {
	n, hubs, sp := dual(t)
	hubs[0].down = true
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	sp[0].wantAt("10.0.0.12/32", "192.0.2.1")
	n.run(2 * time.Second)
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	n.wantLadder("sp1>hub1 Resolution Request", "sp1>hub2 Resolution Request", "hub2>sp2 Resolution Request", "sp2>sp1 Resolution Reply")
}

// What goes through a hub moves when it dies, not minutes later.
func TestTemporaryEntryFollowsServer(t *testing.T) {
	n, hubs, sp := dual(t)
	n.lose = func(_, _ netip.Addr, m *nhrpmsg.Message) bool { return m.Type == nhrpmsg.ResolutionRequest }
	n.run(200 * time.Second)
	hubs[0].down = true
	for len(sp[0].logged(LogNHSDown)) == 0 {
		sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
		n.run(500 * time.Millisecond)
	}
	sp[0].wantAt("10.0.0.12/32", "192.0.2.2")
}

func TestClusterAndPriority(t *testing.T) {
	n, hubs, sp := dual(t, func(i *Interface) {
		i.Clusters = []Cluster{{ID: 0, MaxConnections: 1}}
		i.Fallback = 30 * time.Second
	})
	sp[0].wantNHS("RW")
	hubs[1].wantAt("10.0.0.11/32", "")
	if sp[0].mcast[peerAt("192.0.2.2")] {
		t.Error("multicast goes to a server that waits")
	}
	hubs[0].down = true
	n.run(3 * time.Minute)
	sp[0].wantNHS("ER")
	hubs[1].wantAt("10.0.0.11/32", "192.0.2.11")
	sp[0].wantAt("10.0.0.2/32", "192.0.2.2")
	// Back for good only after thirty seconds.
	hubs[0].down = false
	for sp[0].nhsStates() == "ER" {
		n.run(time.Second)
	}
	sp[0].wantNHS("RR")
	n.run(25 * time.Second)
	sp[0].wantNHS("RR")
	n.run(10 * time.Second)
	sp[0].wantNHS("RW")
	sp[0].wantAt("10.0.0.2/32", "")
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
}

// The server's tunnel address is not configured: it is learned from the first reply.
func TestDynamicNHS(t *testing.T) {
	n := newNet(t)
	hub := n.add("hub", hubConfig(), nil)
	var dst, nat netip.Addr
	n.lose = func(_, _ netip.Addr, m *nhrpmsg.Message) bool {
		if m.Type == nhrpmsg.RegistrationRequest {
			entries, _ := m.Entries(m.Ext(nhrpmsg.ExtNAT))
			dst, nat = m.DstProto, entries[0].Proto
		}
		return false
	}
	sp := n.add("sp1", spokeConfig(11, func(i *Interface) { i.NHS = []NHS{{NBMA: ip("192.0.2.1")}} }), nil)
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	sp.wantAt("10.0.0.1/32", "192.0.2.1")
	if dst != ip("10.0.0.11") || nat != ip("0.0.0.0") {
		t.Errorf("asked %v, NAT extension %v", dst, nat)
	}
	st := sp.m.Status(n.now).Interfaces[0].NHS[0]
	if !st.Dynamic || st.Protocol != ip("10.0.0.1") || st.State != NHSResponding {
		t.Errorf("%+v", st)
	}
}

func TestNHSByMap(t *testing.T) {
	n := newNet(t)
	hub := n.add("hub", hubConfig(), nil)
	sp := n.add("sp1", spokeConfig(11, func(i *Interface) {
		i.NHS = []NHS{{Protocol: ip("10.0.0.1")}}
		i.Maps = []Map{{pfx("10.0.0.1/32"), ip("192.0.2.1")}}
		i.MulticastStatic = []netip.Addr{ip("192.0.2.1")}
	}), nil)
	lost := n.add("sp2", spokeConfig(12, func(i *Interface) { i.NHS = []NHS{{Protocol: ip("10.0.0.1")}} }), nil)
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	e, _ := sp.entry("10.0.0.1/32")
	if b := sp.binds[key{"Tunnel0", pfx("10.0.0.1/32")}]; b.Kind != BindStatic || e.Type != TypeStatic || e.Flags&FlagNHS == 0 {
		t.Errorf("%+v, %+v", b, e)
	}
	if !sp.mcast[peerAt("192.0.2.1")] {
		t.Error("no multicast to the hub")
	}
	lost.wantNHS("W")
	if len(lost.logged(LogNoMapping)) != 1 {
		t.Errorf("%+v", lost.logs)
	}
}

// The tunnel source has no address yet, then gets one, then another.
func TestAddressChange(t *testing.T) {
	n := newNet(t)
	hub := n.add("hub", hubConfig(), nil)
	cfg := spokeConfig(11, func(i *Interface) {
		i.NBMA = netip.Addr{}
		i.NoUnique = true
	})
	sp := n.add("sp1", cfg, nil)
	n.run(time.Minute)
	if sp.sent != 0 {
		t.Errorf("%d packets without an address", sp.sent)
	}
	cfg.Interfaces[0].NBMA = ip("192.0.2.11")
	sp.configure(cfg)
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	cfg.Interfaces[0].NBMA = ip("192.0.2.111")
	sp.configure(cfg)
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.111")
	if len(sp.logged(LogNHSUp)) != 1 {
		t.Errorf("the NHS went down: %+v", sp.logs)
	}
	cfg.Interfaces[0].NBMA = netip.Addr{}
	sp.configure(cfg)
	n.run(time.Second)
	if sp.wantNHS("E"); len(sp.logged(LogNHSDown)) != 1 {
		t.Errorf("no address, and the server responds: %+v", sp.logs)
	}
	// With the unique flag the old registration stands in the way until it ends.
	unique := spokeConfig(12)
	two := n.add("sp2", unique, nil)
	n.run(time.Second)
	unique.Interfaces[0].NBMA = ip("192.0.2.112")
	two.configure(unique)
	n.run(time.Second)
	hub.wantAt("10.0.0.12/32", "192.0.2.12")
	if got := two.logged(LogRegistrationFailed); len(got) != 1 || got[0].Code != uint16(nhrpmsg.AlreadyRegistered) {
		t.Errorf("%+v", got)
	}
	n.run(6 * time.Minute)
	hub.wantAt("10.0.0.12/32", "192.0.2.112")
}

// Behind NAT: the hub tells the spoke its public address, and others where to find it.
func TestNAT(t *testing.T) {
	n := newNet(t)
	n.nat[ip("192.0.2.11")] = ip("203.0.113.11")
	hub := n.add("hub", hubConfig(), nil)
	sp := []*box{n.add("sp1", spokeConfig(11), nil), n.add("sp2", spokeConfig(12), nil)}
	n.at[ip("203.0.113.11")], n.iface[ip("203.0.113.11")] = sp[0], "Tunnel0"
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "203.0.113.11")
	if got := sp[0].m.Status(n.now).Interfaces[0].Public; got != ip("203.0.113.11") {
		t.Errorf("public address %v", got)
	}
	if got := sp[1].m.Status(n.now).Interfaces[0].Public; got.IsValid() {
		t.Errorf("the other spoke believes to be %v", got)
	}
	sp[1].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.11")})
	n.run(time.Second)
	sp[1].wantAt("10.0.0.11/32", "203.0.113.11")
	e, _ := sp[1].entry("10.0.0.11/32")
	if e.Claimed != ip("192.0.2.11") || e.Flags&FlagNATed == 0 {
		t.Errorf("%+v", e)
	}
	// The other way the hub, or the spoke itself, tells the public address with the request.
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	n.run(time.Second)
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
}
