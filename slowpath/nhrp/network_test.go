package nhrp

import (
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// pairOfTunnels is a hub with two tunnels of one network-id, each with a spoke: requests pass from one to the other.
func pairOfTunnels(t *testing.T, secondID uint32) (n *simnet, hub *box, sp []*box) {
	n = newNet(t)
	one, two := hubConfig().Interfaces[0], hubConfig().Interfaces[0]
	two.Name, two.Address, two.NBMA, two.NetworkID = "Tunnel1", pfx("10.1.0.1/24"), ip("198.51.100.1"), secondID
	hub = n.add("hub", Config{Interfaces: []Interface{one, two}}, map[string]Route{
		"10.11.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.11")}, "10.12.0.0/24": {Iface: "Tunnel1", NextHop: ip("10.1.0.12")},
	})
	sp = append(sp, n.add("sp1", spokeConfig(11), map[string]Route{
		"10.11.0.0/24": {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.0.0.1")},
	}))
	second := spokeConfig(12, func(i *Interface) {
		i.Address, i.NBMA = pfx("10.1.0.12/24"), ip("198.51.100.12")
		i.NHS = []NHS{{Protocol: ip("10.1.0.1"), NBMA: ip("198.51.100.1")}}
	})
	sp = append(sp, n.add("sp2", second, map[string]Route{
		"10.12.0.0/24": {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.1.0.1")},
	}))
	n.run(time.Second)
	n.ladder()
	return n, hub, sp
}

func TestOneNetworkOfTwoTunnels(t *testing.T) {
	n, hub, sp := pairOfTunnels(t, 1)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp2 Resolution Request", "sp2>sp1 Resolution Reply")
	sp[0].wantAt("10.12.0.0/24", "198.51.100.12")
	// A client that moves to the other tunnel takes its entry along, if nobody else holds the address.
	n.quiet = true
	m := registration("10.0.0.50", "192.0.2.50")
	hub.give("192.0.2.50", m)
	m.DstProto = ip("10.1.0.1")
	b, _ := m.Append(nil)
	hub.giveEvent(Received{Iface: "Tunnel1", From: peerAt("192.0.2.50"), Payload: b})
	if _, ok := hub.binds[key{"Tunnel0", pfx("10.0.0.50/32")}]; ok {
		t.Error("the client is still on the first tunnel")
	}
	if _, ok := hub.binds[key{"Tunnel1", pfx("10.0.0.50/32")}]; !ok {
		t.Error("the client is not on the second tunnel")
	}
	other := registration("10.0.0.50", "192.0.2.51")
	b, _ = other.Append(nil)
	if got := code(t, hub.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.51"), Payload: b})); got != nhrpmsg.AlreadyRegistered {
		t.Errorf("a duplicate on the other tunnel: code %d", got)
	}
}

// With another network-id the hub is where traffic leaves the network: it answers itself.
func TestTwoNetworks(t *testing.T) {
	n, hub, sp := pairOfTunnels(t, 2)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.wantLadder("hub>sp1 Traffic Indication", "sp1>hub Resolution Request", "hub>sp1 Resolution Reply")
	sp[0].wantAt("10.12.0.0/24", "192.0.2.1")
}

// A server that echoes our own address as the destination is known by its responder extension.
func TestServerByResponder(t *testing.T) {
	n := newNet(t)
	n.quiet = true
	sp := n.add("sp1", spokeConfig(11, func(i *Interface) { i.NHS = []NHS{{NBMA: ip("192.0.2.1")}} }), nil)
	reply := sp.giveEvent(Tick{})[0]
	reply.Type = nhrpmsg.RegistrationReply
	reply.Exts = reply.Exts[:0:0]
	reply.Exts = append(reply.Exts, nhrpmsg.Empty(nhrpmsg.ExtResponder), nhrpmsg.End())
	reply.Exts[0].AddEntry(nhrpmsg.CIE{NBMA: ip("192.0.2.1"), Proto: ip("10.0.0.7")})
	sp.give("192.0.2.1", reply)
	sp.wantAt("10.0.0.7/32", "192.0.2.1")
	sp.wantNHS("R")
	again := sp.drops(DropUnsolicited)
	sp.give("192.0.2.1", reply) // a second copy changes nothing
	if sp.drops(DropUnsolicited) != again+1 {
		t.Error("a reply was taken twice")
	}
	// The server's other address, at its next reply, takes the place of the first.
	n.run(100 * time.Second)
	reply.RequestID = sp.m.order[0].nhs[0].id
	reply.Exts[0].Value = nil
	reply.Exts[0].AddEntry(nhrpmsg.CIE{NBMA: ip("192.0.2.1"), Proto: ip("10.0.0.8")})
	sp.give("192.0.2.1", reply)
	sp.wantAt("10.0.0.7/32", "")
	sp.wantAt("10.0.0.8/32", "192.0.2.1")
}

// Point-to-point GRE: everything goes to the other end, there is nothing to shorten.
func TestPointToPoint(t *testing.T) {
	n := newNet(t)
	hub := n.add("hub", hubConfig(), nil)
	sp := n.add("sp1", spokeConfig(11, func(i *Interface) {
		i.Destination, i.NHS = ip("192.0.2.1"), []NHS{{Protocol: ip("10.0.0.1")}}
	}), nil)
	n.run(time.Second)
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
	sp.wantAt("10.0.0.1/32", "192.0.2.1")
	n.ladder()
	sp.event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	sp.event(Received{Iface: "Tunnel0", From: peerAt("192.0.2.1"), Payload: indication("10.11.0.5", "10.12.0.5")})
	n.run(time.Second)
	n.wantLadder()
}

// The rows of `show dmvpn` and `show ip nhrp`, in the stages of a resolution.
func TestStatusRows(t *testing.T) {
	n, hub, sp := star(t, 2)
	hub.down = true
	sp[0].event(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.12")})
	st := sp[0].m.Status(n.now)
	rows := st.Interfaces[0].Peers
	if len(rows) != 2 || !rows[0].Incomplete || rows[0].Tunnel != ip("10.0.0.12") || rows[0].NBMA.IsValid() || rows[0].Stage != StageNHRP {
		t.Errorf("%+v", rows)
	}
	if nhs := rows[1]; !nhs.Static || nhs.Dynamic || nhs.Stage != StageUp || nhs.Entries != 1 || nhs.Since.IsZero() || nhs.Sent == 0 || nhs.Received == 0 {
		t.Errorf("%+v", rows[1])
	}
	hub.down = false
	n.run(2 * time.Second)
	rows = sp[1].m.Status(n.now).Interfaces[0].Peers
	if len(rows) != 3 || !rows[1].Dynamic || rows[1].NBMA != ip("192.0.2.11") || !rows[2].Local || rows[2].NBMA != ip("192.0.2.12") || rows[2].Entries != 1 {
		t.Errorf("%+v", rows)
	}
	// Never up: the hub does not answer a third spoke.
	hub.down = true
	late := n.add("late", spokeConfig(13), nil)
	n.run(time.Second)
	if row := late.m.Status(n.now).Interfaces[0].Peers[0]; row.Stage != StageNHRP || !row.Since.IsZero() {
		t.Errorf("%+v", row)
	}
	sp[0].event(ClearStatistics{Which{Tunnel: ip("10.0.0.1")}})
	for _, p := range sp[0].m.Status(n.now).Interfaces[0].Peers {
		if p.Tunnel == ip("10.0.0.1") && (p.Sent != 0 || p.Received != 0) {
			t.Errorf("after clear: %+v", p)
		}
	}
	for got, want := range map[string]string{
		StageIKE.String(): "IKE", NHSWaiting.String(): "W", TypeNegative.String(): "negative", DropQuota.String(): "max-send",
		BindShortcut.String(): "shortcut", LogNoMapping.String(): "no-mapping", LogKind(200).String(): "unknown",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// An interface that is taken away tells its server and those whom it answered.
func TestStopTellsHolders(t *testing.T) {
	n, hub, sp := star(t, 2, protected)
	redirect(hub, "192.0.2.11", "10.11.0.5", "10.12.0.5")
	n.run(time.Second)
	n.ladder()
	sp[1].configure(Config{})
	n.run(time.Second)
	n.wantLadder("sp2>sp1 Purge Request", "sp2>hub Purge Request")
	sp[0].wantAt("10.12.0.0/24", "")
	hub.wantAt("10.0.0.12/32", "")
	if len(sp[1].wanted) != 0 {
		t.Errorf("sessions still wanted: %v", sp[1].wanted)
	}
	// Clearing static sessions has them built anew.
	sp[0].event(Clear{Static: true})
	if !sp[0].wanted[peerAt("192.0.2.1")] || len(sp[0].wanted) != 1 {
		t.Errorf("wanted %v", sp[0].wanted)
	}
	n.run(time.Second)
	sp[0].wantAt("10.0.0.1/32", "192.0.2.1")
	sp[0].wantNHS("R")
}
