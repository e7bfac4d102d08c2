package nhrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// The owner's network goes: those who were told are told, and traffic takes the hub again.
func TestPurgeOnRouteChange(t *testing.T) {
	n, hub, sp := star(t, 3)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	redirect(hub, "192.0.2.13", "10.13.0.5", "10.12.0.5")
	n.run(time.Second)
	sp[2].wantAt("10.12.0.0/24", "192.0.2.12")
	n.ladder()
	sp[1].event(RoutesChanged{})
	n.run(time.Second)
	n.wantLadder() // nothing changed for them
	delete(sp[1].rib, pfx("10.12.0.0/24"))
	sp[1].event(RoutesChanged{})
	n.run(time.Second)
	n.wantLadder("sp2>sp1 Purge Request", "sp2>sp3 Purge Request", "sp1>sp2 Purge Reply", "sp3>sp2 Purge Reply")
	for _, s := range []*box{sp[0], sp[2]} {
		s.wantAt("10.12.0.0/24", "")
		s.wantAt("10.0.0.12/32", "192.0.2.12")
	}
	n.run(time.Minute)
	for _, l := range n.ladder() {
		if l == "sp2>sp1 Purge Request" {
			t.Error("asked again after the reply")
		}
	}
}

// Purges are repeated until they are answered, three times at most.
func TestPurgeIsRepeated(t *testing.T) {
	n, hub, sp := star(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	purges := 0
	n.lose = func(_, _ netip.Addr, m *nhrpmsg.Message) bool {
		if m.Type == nhrpmsg.PurgeRequest {
			purges++
		}
		return m.Type == nhrpmsg.PurgeRequest
	}
	sp[1].event(Clear{})
	n.run(30 * time.Second)
	if purges != purgeTries {
		t.Errorf("%d purge requests", purges)
	}
	if st := sp[1].m.Status(n.now); len(st.Entries) != 1 { // the NHS
		t.Errorf("after clear: %+v", st.Entries)
	}
}

// Who may purge what.
func TestPurgeRequest(t *testing.T) {
	purgeOf := func(from, proto string, bits uint8, flags uint16, what string) nhrpmsg.Message {
		m := registration(proto, from)
		m.Type, m.Flags, m.DstProto = nhrpmsg.PurgeRequest, flags, ip("10.0.0.11")
		m.CIEs = []nhrpmsg.CIE{{PrefixLen: bits, Proto: ip(what)}}
		return m
	}
	tests := []struct {
		name        string
		from, proto string
		bits        uint8
		flags       uint16
		what        string
		gone        bool
		replies     int
	}{
		{"owner", "192.0.2.12", "10.0.0.12", 24, 0, "10.12.0.0", true, 1},
		{"owner, all of a supernet", "192.0.2.12", "10.0.0.12", 8, 0, "10.0.0.0", true, 1},
		{"owner, no reply wanted", "192.0.2.12", "10.0.0.12", 24, nhrpmsg.PurgeNoReply, "10.12.0.0", true, 0},
		{"by the hub", "192.0.2.1", "10.0.0.1", 24, 0, "10.12.0.0", true, 1},
		{"another spoke", "192.0.2.13", "10.0.0.13", 24, 0, "10.12.0.0", false, 1},
		{"another spoke in the owner's name", "192.0.2.13", "10.0.0.12", 24, 0, "10.12.0.0", false, 1},
		{"something else", "192.0.2.12", "10.0.0.12", 24, 0, "10.77.0.0", false, 1},
		{"in our own name", "192.0.2.12", "10.0.0.11", 24, 0, "10.12.0.0", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, hub, sp := star(t, 3)
			redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
			redirect(hub, "192.0.2.11", "10.11.0.5", "10.13.0.5")
			n.run(time.Second)
			n.quiet = true
			out := sp[0].give(tt.from, purgeOf(tt.from, tt.proto, tt.bits, tt.flags, tt.what))
			if len(out) != tt.replies || tt.replies == 1 && (out[0].Type != nhrpmsg.PurgeReply || out[0].RequestID != 7) {
				t.Errorf("answers %+v", out)
			}
			want := "192.0.2.12"
			if tt.gone {
				want = ""
			}
			sp[0].wantAt("10.12.0.0/24", want)
			sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
		})
	}
}

// A client takes its own registration back; nobody else does.
func TestPurgeOfRegistration(t *testing.T) {
	hub := solo(t, hubConfig(), nil)
	hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))
	m := registration("10.0.0.11", "192.0.2.11")
	m.Type, m.Flags = nhrpmsg.PurgeRequest, 0
	m.CIEs = []nhrpmsg.CIE{{PrefixLen: 32, Proto: ip("10.0.0.11")}}
	hub.give("192.0.2.99", m)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	hub.give("192.0.2.11", m)
	hub.wantAt("10.0.0.11/32", "")
}

// A route learned into the same network, more specific or elsewhere, ends a shortcut.
func TestShortcutFollowsItsRoute(t *testing.T) {
	for name, change := range map[string]func(b *box){
		"elsewhere":     func(b *box) { b.rib[pfx("10.12.0.0/24")] = Route{Iface: "Ethernet9"} },
		"none":          func(b *box) { delete(b.rib, pfx("10.0.0.0/8")) },
		"local":         func(b *box) { b.rib[pfx("10.12.0.0/32")] = Route{Iface: "Loopback0", Local: true} },
		"more specific": func(b *box) { b.rib[pfx("10.12.0.0/25")] = Route{Iface: "Tunnel0", NextHop: ip("10.0.0.1")} },
	} {
		n, hub, sp := star(t, 2)
		redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
		n.run(time.Second)
		sp[0].event(RoutesChanged{})
		sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
		change(sp[0])
		sp[0].event(RoutesChanged{})
		if sp[0].at("10.12.0.0/24").IsValid() {
			t.Errorf("%s: the shortcut stays", name)
		}
	}
}

// Answers that say too much are cut down: to the route they shorten, to the host where they are absurd.
func TestClamp(t *testing.T) {
	for _, tt := range []struct {
		answer uint8
		route  string // the asker's own, by the hub
		want   string
	}{
		{24, "10.0.0.0/8", "10.12.0.0/24"}, {16, "10.0.0.0/8", "10.12.0.0/16"}, {8, "10.12.0.0/20", "10.12.0.0/20"},
		{7, "0.0.0.0/0", "10.12.0.5/32"}, {0, "0.0.0.0/0", "10.12.0.5/32"}, {255, "0.0.0.0/0", "10.12.0.5/32"}, {1, "10.12.0.0/24", "10.12.0.5/32"},
	} {
		n, hub, sp := star(t, 1)
		n.quiet = true
		delete(sp[0].rib, pfx("10.0.0.0/8"))
		sp[0].rib[pfx(tt.route)] = Route{Iface: "Tunnel0", NextHop: ip("10.0.0.1")}
		hub.down = true
		redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
		ind, _ := nhrpmsg.Parse(indication("10.11.0.5", "10.12.0.5"))
		req := sp[0].give("192.0.2.1", ind)
		if len(req) != 1 {
			t.Fatalf("asked %+v", req)
		}
		reply := req[0]
		reply.Type, reply.CIEs = nhrpmsg.ResolutionReply, []nhrpmsg.CIE{{PrefixLen: tt.answer, HoldTime: 100, NBMA: ip("192.0.2.12"), Proto: ip("10.0.0.12")}}
		sp[0].give("192.0.2.12", reply)
		if got := sp[0].at(tt.want); got != ip("192.0.2.12") {
			t.Errorf("/%d for %s: %v", tt.answer, tt.route, sp[0].binds)
		}
	}
}

// indication is a redirect from the hub.
func indication(src, dst string) []byte {
	m := nhrpmsg.Message{
		Family: 1, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.TrafficIndication,
		SrcNBMA: ip("192.0.2.1"), SrcProto: ip("10.0.0.1"), DstProto: ip(src), Packet: nhrpmsg.DataStart(data(src, dst)),
	}
	b, _ := m.Append(nil)
	return b
}

// Redirects that must be without effect.
func TestIndicationsIgnored(t *testing.T) {
	n, _, sp := star(t, 1)
	n.quiet = true
	for name, give := range map[string]func() []nhrpmsg.Message{
		"from a stranger":      func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.77", indication("10.11.0.5", "10.12.0.5")) },
		"to our own network":   func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", indication("10.0.0.9", "10.11.0.5")) },
		"to ourselves":         func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", indication("10.0.0.9", "10.0.0.11")) },
		"to nowhere":           func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", indication("10.0.0.9", "172.16.0.1")) },
		"to multicast":         func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", indication("10.0.0.9", "224.0.0.5")) },
		"without a packet":     func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", cutIndication()) },
		"to the hub, directly": func() []nhrpmsg.Message { return sp[0].giveBytes("192.0.2.1", indication("10.0.0.9", "10.0.0.1")) },
	} {
		if out := give(); len(out) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if st := sp[0].m.Status(n.now); len(st.Entries) != 1 {
		t.Errorf("entries %+v", st.Entries)
	}
	cfg := sp[0].cfg
	cfg.Interfaces[0].Shortcut = false
	sp[0].configure(cfg)
	if out := sp[0].giveBytes("192.0.2.1", indication("10.11.0.5", "10.12.0.5")); len(out) != 0 {
		t.Errorf("without shortcut: %+v", out)
	}
}

func cutIndication() []byte {
	m, _ := nhrpmsg.Parse(indication("10.11.0.5", "10.12.0.5"))
	m.Packet = m.Packet[:19]
	b, _ := m.Append(nil)
	return b
}

func TestClear(t *testing.T) {
	n, hub, sp := star(t, 3)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.13.0.5")
	n.run(time.Second)
	n.ladder()
	sp[0].event(Clear{Protocol: pfx("10.12.0.0/16")})
	sp[0].wantAt("10.12.0.0/24", "")
	sp[0].wantAt("10.13.0.0/24", "192.0.2.13")
	sp[0].event(Clear{Which: Which{NBMA: ip("192.0.2.13")}})
	sp[0].wantAt("10.13.0.0/24", "")
	sp[0].wantAt("10.0.0.13/32", "")
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	sp[0].event(Clear{Which: Which{Iface: "Tunnel1"}})
	sp[0].wantAt("10.0.0.12/32", "192.0.2.12")
	sp[0].event(Clear{Which: Which{Iface: "Tunnel0"}})
	sp[0].wantAt("10.0.0.12/32", "")
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
	n.run(time.Second)
	n.wantLadder()
	sp[0].event(Clear{Static: true})
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
	n.run(time.Second)
	n.wantLadder("sp1>hub Registration Request", "hub>sp1 Registration Reply")
	sp[0].wantNHS("R")
}
