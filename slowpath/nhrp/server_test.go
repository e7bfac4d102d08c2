package nhrp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// solo is a machine alone, whose answers are looked at packet by packet.
func solo(t testing.TB, cfg Config, routes map[string]Route) *box {
	n := newNet(t)
	n.quiet = true
	return n.add("solo", cfg, routes)
}

// give hands the box a packet and returns what it sends in answer.
func (b *box) give(from string, m nhrpmsg.Message) []nhrpmsg.Message {
	b.net.t.Helper()
	p, err := m.Append(nil)
	if err != nil {
		b.net.t.Fatal(err)
	}
	return b.giveBytes(from, p)
}

func (b *box) giveBytes(from string, p []byte) []nhrpmsg.Message {
	return b.giveEvent(Received{Iface: "Tunnel0", From: peerAt(from), Payload: p})
}

func (b *box) giveEvent(ev Event) (out []nhrpmsg.Message) {
	b.net.t.Helper()
	effects := b.m.Handle(b.net.now, ev)
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			m, err := nhrpmsg.Parse(s.Payload)
			if err != nil {
				b.net.t.Errorf("sent a bad packet: %v", err)
			}
			out = append(out, m)
		}
	}
	b.do(effects)
	return out
}

// registration is what a client sends.
func registration(proto, nbma string, edit ...func(*nhrpmsg.Message)) nhrpmsg.Message {
	m := nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.RegistrationRequest,
		Flags: nhrpmsg.RegUnique | nhrpmsg.FlagNAT, RequestID: 7, SrcNBMA: ip(nbma), SrcProto: ip(proto), DstProto: ip("10.0.0.1"),
		CIEs: []nhrpmsg.CIE{{PrefixLen: 255, HoldTime: 300}},
		Exts: requestExts(nhrpmsg.Extension{Type: nhrpmsg.ExtNAT}),
	}
	for _, f := range edit {
		f(&m)
	}
	return m
}

func code(t testing.TB, out []nhrpmsg.Message) nhrpmsg.Code {
	t.Helper()
	if len(out) != 1 || out[0].Type != nhrpmsg.RegistrationReply && out[0].Type != nhrpmsg.ResolutionReply || len(out[0].CIEs) == 0 {
		t.Fatalf("answers: %+v", out)
	}
	c := out[0].CIEs[0]
	if c.Code != nhrpmsg.Success && c.HoldTime != 0 {
		t.Errorf("a refusal with a hold time of %d", c.HoldTime)
	}
	return c.Code
}

func noUnique(m *nhrpmsg.Message) { m.Flags &^= nhrpmsg.RegUnique }

func TestAdmission(t *testing.T) {
	prefixLen := func(n uint8) func(*nhrpmsg.Message) {
		return func(m *nhrpmsg.Message) { m.CIEs[0].PrefixLen = n }
	}
	tests := []struct {
		name  string
		first func(*nhrpmsg.Message) // registers 10.0.0.11 from 192.0.2.11; nil: nobody does
		proto string
		from  string
		edit  func(*nhrpmsg.Message)
		want  nhrpmsg.Code
		at    string // where the address is bound afterwards
	}{
		{"new", nil, "10.0.0.11", "192.0.2.11", nil, nhrpmsg.Success, "192.0.2.11"},
		{"prefix 0 is a host", nil, "10.0.0.11", "192.0.2.11", prefixLen(0), nhrpmsg.Success, "192.0.2.11"},
		{"prefix 32 is a host", nil, "10.0.0.11", "192.0.2.11", prefixLen(32), nhrpmsg.Success, "192.0.2.11"},
		{"a network is refused", nil, "10.0.0.11", "192.0.2.11", prefixLen(24), nhrpmsg.Prohibited, ""},
		{"again", prefixLen(255), "10.0.0.11", "192.0.2.11", nil, nhrpmsg.Success, "192.0.2.11"},
		{"duplicate of a unique one", prefixLen(255), "10.0.0.11", "192.0.2.99", nil, nhrpmsg.AlreadyRegistered, "192.0.2.11"},
		{"the same, not unique", prefixLen(255), "10.0.0.11", "192.0.2.99", noUnique, nhrpmsg.AlreadyRegistered, "192.0.2.11"},
		{"moves if it was not unique", noUnique, "10.0.0.11", "192.0.2.99", noUnique, nhrpmsg.Success, "192.0.2.99"},
		{"a static map stays", nil, "10.0.0.50", "192.0.2.99", nil, nhrpmsg.AlreadyRegistered, ""},
		{"the static peer itself", nil, "10.0.0.50", "192.0.2.50", nil, nhrpmsg.Success, ""},
		{"third party's NBMA", nil, "10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.CIEs[0].NBMA = ip("192.0.2.98") }, nhrpmsg.Prohibited, ""},
		{"our own address in an entry", nil, "10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.CIEs[0].Proto = ip("10.0.0.1") }, nhrpmsg.Prohibited, ""},
		{"an address outside the tunnel's subnet", nil, "8.8.8.8", "192.0.2.11", nil, nhrpmsg.Prohibited, ""},
		{"the broadcast address", nil, "10.0.0.255", "192.0.2.11", nil, nhrpmsg.Prohibited, ""},
		{"own address for an unknown server", nil, "10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.DstProto = m.SrcProto }, nhrpmsg.Success, "192.0.2.11"},
		{"broadcast for an unknown server", nil, "10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.DstProto = ip("10.0.0.255") }, nhrpmsg.Success, "192.0.2.11"},
		{"two clients, not unique", nil, "10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) {
			noUnique(m)
			m.CIEs = append(m.CIEs, nhrpmsg.CIE{Proto: ip("10.0.0.211"), HoldTime: 60})
		}, nhrpmsg.Success, "192.0.2.11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hub := solo(t, hubConfig(func(i *Interface) { i.Maps = []Map{{pfx("10.0.0.50/32"), ip("192.0.2.50")}} }), nil)
			if tt.first != nil {
				hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11", tt.first))
			}
			edit := tt.edit
			if edit == nil {
				edit = func(*nhrpmsg.Message) {}
			}
			out := hub.give(tt.from, registration(tt.proto, tt.from, edit))
			if got := code(t, out); got != tt.want {
				t.Errorf("code %d, want %d", got, tt.want)
			}
			if out[0].DstProto != ip("10.0.0.1") || out[0].RequestID != 7 {
				t.Errorf("reply %+v", out[0])
			}
			hub.wantAt("10.0.0.11/32", tt.at)
			hub.wantAt("10.0.0.50/32", "192.0.2.50")
			if refused := len(hub.logged(LogUniqueRefused)) == 1; refused != (tt.want == nhrpmsg.AlreadyRegistered) {
				t.Errorf("log %+v", hub.logs)
			}
		})
	}
}

// The same client from another outer address (its NAT box changed), or with the same identity, keeps its name.
func TestAdmissionOfTheSameClient(t *testing.T) {
	hub := solo(t, hubConfig(), nil)
	m := registration("10.0.0.11", "172.16.0.5")
	out := hub.give("192.0.2.60", m)
	hub.wantAt("10.0.0.11/32", "192.0.2.60")
	nat, err := out[0].Entries(out[0].Ext(nhrpmsg.ExtNAT))
	if err != nil || len(nat) != 1 || nat[0].NBMA != ip("192.0.2.60") || nat[0].Proto != ip("10.0.0.11") {
		t.Errorf("NAT extension %+v, %v", nat, err)
	}
	if got := code(t, hub.give("192.0.2.61", m)); got != nhrpmsg.Success {
		t.Errorf("same claimed address: code %d", got)
	}
	hub.wantAt("10.0.0.11/32", "192.0.2.61")
	if hub.mcast[peerAt("192.0.2.60")] || !hub.mcast[peerAt("192.0.2.61")] {
		t.Errorf("multicast %v", hub.mcast)
	}
	if e, _ := hub.entry("10.0.0.11/32"); e.Claimed != ip("172.16.0.5") || e.Flags&FlagNATed == 0 {
		t.Errorf("entry %+v", e)
	}
	b, _ := (&m).Append(nil)
	hub.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.61"), Identity: "sp1.example", Payload: b})
	moved := registration("10.0.0.11", "172.16.9.9")
	b, _ = moved.Append(nil)
	if got := code(t, hub.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.70"), Identity: "sp2.example", Payload: b})); got != nhrpmsg.AlreadyRegistered {
		t.Errorf("another identity: code %d", got)
	}
	if got := code(t, hub.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.70"), Identity: "sp1.example", Payload: b})); got != nhrpmsg.Success {
		t.Errorf("same identity: code %d", got)
	}
	hub.wantAt("10.0.0.11/32", "192.0.2.70")
}

// With protection, who has proved to be somebody else does not get a client's address by claiming what the client claims: its address behind NAT, from the same public address or another one.
func TestClaimIsNoProof(t *testing.T) {
	m := registration("10.0.0.11", "172.16.0.5")
	b, _ := (&m).Append(nil)
	victim := nbma.Behind(ip("192.0.2.60"), ip("172.16.0.5"))
	for _, from := range []nbma.Address{nbma.Behind(ip("192.0.2.61"), ip("172.16.0.5")), nbma.Behind(ip("192.0.2.60"), ip("172.16.0.9")), peerAt("192.0.2.60")} {
		hub := solo(t, hubConfig(protected), nil)
		register := func(at nbma.Address, id string) nhrpmsg.Code {
			hub.event(Received{Iface: "Tunnel0", From: at, Identity: id, Payload: b})
			hub.event(PeerState{Iface: "Tunnel0", NBMA: at, Up: true, Identity: id})
			return code(t, hub.giveEvent(Received{Iface: "Tunnel0", From: at, Identity: id, Payload: b}))
		}
		if got := register(victim, "victim"); got != nhrpmsg.Success {
			t.Fatalf("the victim: code %d", got)
		}
		if got := register(from, "rival"); got != nhrpmsg.AlreadyRegistered || hub.binds[key{"Tunnel0", pfx("10.0.0.11/32")}].NBMA != victim {
			t.Errorf("the rival at %v: code %d, traffic goes to %v", from, got, hub.binds[key{"Tunnel0", pfx("10.0.0.11/32")}].NBMA)
		}
		if got := register(from, "victim"); got != nhrpmsg.Success {
			t.Errorf("the victim at %v: code %d", from, got)
		}
	}
}

// The session of a client ends, and one with somebody else is there by the same name: it does not get the client's traffic.
func TestSomebodyElseIsThere(t *testing.T) {
	m := registration("10.0.0.11", "172.16.0.5")
	b, _ := (&m).Append(nil)
	at := nbma.Behind(ip("192.0.2.60"), ip("172.16.0.5"))
	for id, want := range map[string]bool{"victim": true, "": true, "rival": false} {
		hub := solo(t, hubConfig(protected), nil)
		hub.event(Received{Iface: "Tunnel0", From: at, Identity: "victim", Payload: b})
		hub.event(PeerState{Iface: "Tunnel0", NBMA: at, Up: true, Identity: "victim"})
		bound := func() bool { return hub.binds[key{"Tunnel0", pfx("10.0.0.11/32")}].NBMA == at }
		if !bound() {
			t.Fatal("the victim's traffic does not go to it")
		}
		hub.event(PeerState{Iface: "Tunnel0", NBMA: at})
		hub.event(PeerState{Iface: "Tunnel0", NBMA: at, Up: true, Identity: id})
		if bound() != want || hub.wanted[at] != want {
			t.Errorf("%q is there: bound %v, wanted %v", id, bound(), hub.wanted[at])
		}
	}
}

// From sources like these nothing is learned, and nobody is answered.
func TestAbsurdSources(t *testing.T) {
	tests := []struct{ name, from, proto, nbma string }{
		{"our own tunnel address", "192.0.2.11", "10.0.0.1", "192.0.2.11"},
		{"our own NBMA address claimed", "192.0.2.11", "10.0.0.11", "192.0.2.1"},
		{"from our own NBMA address", "192.0.2.1", "10.0.0.11", "192.0.2.11"},
		{"multicast protocol", "192.0.2.11", "224.0.0.5", "192.0.2.11"},
		{"unspecified protocol", "192.0.2.11", "0.0.0.0", "192.0.2.11"},
		{"broadcast protocol", "192.0.2.11", "255.255.255.255", "192.0.2.11"},
		{"loopback protocol", "192.0.2.11", "127.0.0.1", "192.0.2.11"},
		{"multicast NBMA", "192.0.2.11", "10.0.0.11", "239.1.1.1"},
		{"unspecified NBMA", "192.0.2.11", "10.0.0.11", "0.0.0.0"},
		{"multicast outer source", "224.0.0.1", "10.0.0.11", "192.0.2.11"},
	}
	for _, tt := range tests {
		hub := solo(t, hubConfig(), nil)
		if out := hub.give(tt.from, registration(tt.proto, tt.nbma)); len(out) != 0 {
			t.Errorf("%s: answered %+v", tt.name, out)
		}
		if len(hub.binds) != 0 || hub.drops(DropSource) != 1 {
			t.Errorf("%s: learned %v, %d dropped", tt.name, hub.binds, hub.drops(DropSource))
		}
		req := registration(tt.proto, tt.nbma)
		req.Type, req.Flags, req.DstProto = nhrpmsg.ResolutionRequest, nhrpmsg.ResSourceStable, ip("10.0.0.1")
		hub.give(tt.from, req)
		if len(hub.binds) != 0 {
			t.Errorf("%s: learned %v from a request", tt.name, hub.binds)
		}
	}
}

func TestCacheFull(t *testing.T) {
	cfg := hubConfig()
	cfg.MaxEntries = 2
	hub := solo(t, cfg, nil)
	for i, want := range []nhrpmsg.Code{nhrpmsg.Success, nhrpmsg.Success, nhrpmsg.InsufficientResources} {
		nbma := netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}).String()
		if got := code(t, hub.give(nbma, registration(netip.AddrFrom4([4]byte{10, 0, 0, byte(11 + i)}).String(), nbma))); got != want {
			t.Errorf("client %d: code %d, want %d", i, got, want)
		}
	}
	if len(hub.logged(LogCacheFull)) != 1 || hub.drops(DropFull) != 1 {
		t.Errorf("%d logged, %d dropped", len(hub.logged(LogCacheFull)), hub.drops(DropFull))
	}
	// Those inside are refreshed, and room made is used.
	if got := code(t, hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))); got != nhrpmsg.Success {
		t.Errorf("refresh: code %d", got)
	}
	hub.event(Clear{Which: Which{NBMA: ip("192.0.2.12")}})
	if got := code(t, hub.give("192.0.2.13", registration("10.0.0.13", "192.0.2.13"))); got != nhrpmsg.Success {
		t.Errorf("after clear: code %d", got)
	}
	hub.event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.77")})
	if _, ok := hub.entry("10.0.0.77/32"); ok {
		t.Error("an incomplete entry was made beyond the limit")
	}
	// What was answered has a limit of its own.
	for i, want := range []nhrpmsg.Code{nhrpmsg.Success, nhrpmsg.Success, nhrpmsg.InsufficientResources} {
		req := resolution("10.0.0.11", "192.0.2.11", "10.0.0.1")
		req.SrcProto = netip.AddrFrom4([4]byte{10, 0, 0, byte(80 + i)})
		if got := code(t, hub.give("192.0.2.11", req)); got != want {
			t.Errorf("answer %d: code %d, want %d", i, got, want)
		}
	}
}

// resolution is a request as a client sends it.
func resolution(proto, nbma, dst string) nhrpmsg.Message {
	m := registration(proto, nbma)
	m.Type, m.DstProto = nhrpmsg.ResolutionRequest, ip(dst)
	m.Flags = nhrpmsg.ResRouter | nhrpmsg.ResAuthoritative | nhrpmsg.ResSourceStable | nhrpmsg.FlagNAT
	return m
}

func TestNotUnique(t *testing.T) {
	hub := solo(t, hubConfig(func(i *Interface) { i.AnswerFromCache = true }), nil)
	hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11", noUnique))
	hub.give("192.0.2.12", registration("10.0.0.12", "192.0.2.12"))
	req := resolution("10.0.0.12", "192.0.2.12", "10.0.0.11")
	if got := code(t, hub.give("192.0.2.12", req)); got != nhrpmsg.Success {
		t.Errorf("code %d", got)
	}
	req.Flags |= nhrpmsg.ResUnique
	if got := code(t, hub.give("192.0.2.12", req)); got != nhrpmsg.NotUnique {
		t.Errorf("code %d", got)
	}
	req.DstProto = ip("10.0.0.12") // the asker itself
	if got := code(t, hub.give("192.0.2.12", req)); got != nhrpmsg.Success {
		t.Errorf("code %d", got)
	}
}

func TestAuthentication(t *testing.T) {
	secret := func(i *Interface) { i.Authentication = "secret" }
	n, hub, sp := star(t, 2, secret)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	sp[0].wantAt("10.12.0.0/24", "192.0.2.12")
	n.quiet = true
	for name, password := range map[string]string{"none": "", "wrong": "Secret", "shorter": "secre", "longer": "secrets"} {
		m := registration("10.0.0.99", "192.0.2.99", func(m *nhrpmsg.Message) { m.Exts = authenticate(m.Exts, Secret(password)) })
		out := hub.give("192.0.2.99", m)
		if len(out) != 1 || out[0].Type != nhrpmsg.ErrorIndication || nhrpmsg.ErrorCode(out[0].Code) != nhrpmsg.AuthenticationFailure || len(out[0].Exts) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
		hub.wantAt("10.0.0.99/32", "")
		if len(out) == 1 && bytes.Contains(out[0].Packet, []byte("secret")) && password != "secrets" {
			t.Errorf("%s: the error tells the password", name)
		}
	}
	twice := registration("10.0.0.99", "192.0.2.99", func(m *nhrpmsg.Message) {
		m.Exts = append([]nhrpmsg.Extension{nhrpmsg.Auth("wrong")}, authenticate(m.Exts, "secret")...)
	})
	hub.give("192.0.2.99", twice)
	hub.wantAt("10.0.0.99/32", "")
	if got := len(hub.logged(LogAuthMismatch)); got != 5 || hub.drops(DropAuth) != 5 {
		t.Errorf("%d logged, %d dropped", got, hub.drops(DropAuth))
	}
	for _, p := range []nhrpmsg.Type{nhrpmsg.ResolutionRequest, nhrpmsg.ResolutionReply, nhrpmsg.RegistrationReply, nhrpmsg.PurgeRequest, nhrpmsg.PurgeReply, nhrpmsg.TrafficIndication} {
		before := hub.drops(DropAuth)
		hub.give("192.0.2.99", registration("10.0.0.99", "192.0.2.99", func(m *nhrpmsg.Message) { m.Type = p }))
		if hub.drops(DropAuth) != before+1 {
			t.Errorf("%s was taken without authentication", p)
		}
	}
}

// The spoke has the wrong password: error 11 comes back without one, and is taken.
func TestAuthenticationMismatch(t *testing.T) {
	n := newNet(t)
	n.add("hub", hubConfig(func(i *Interface) { i.Authentication = "secret" }), nil)
	sp := n.add("sp1", spokeConfig(11, func(i *Interface) { i.Authentication = "other" }), nil)
	n.run(30 * time.Second)
	got := sp.logged(LogRegistrationFailed)
	if len(got) == 0 || got[0].Code != uint16(nhrpmsg.AuthenticationFailure) || len(sp.logged(LogNHSUp)) != 0 {
		t.Errorf("%+v", sp.logs)
	}
	// A running interface takes the new password without losing anything.
	cfg := sp.cfg
	cfg.Interfaces[0].Authentication = "secret"
	sp.configure(cfg)
	n.run(time.Minute)
	if len(sp.logged(LogNHSUp)) != 1 {
		t.Error("the NHS is not up with the right password")
	}
}
