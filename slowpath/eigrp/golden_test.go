package eigrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
	"nave/testbed/golden"
)

// TestGolden stands in for one of the two IOS routers of the captures, with its sequence numbers, and hears what the other said.
func TestGolden(t *testing.T) {
	m := NewSeeded(1)
	m.sequence = 22 // the first packet of the router in its place was 23
	now := epoch
	own, peer := adr("10.0.0.1"), adr("10.0.0.2")
	routes := map[netip.Prefix]Route{}
	var sent []*eigrpmsg.Packet
	take := func(out []Effect) {
		for _, e := range out {
			switch e := e.(type) {
			case Send:
				p, err := eigrpmsg.Parse(e.Payload)
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, p)
			case Route:
				routes[e.Prefix] = e
			case RouteGone:
				delete(routes, e.Prefix)
			}
		}
	}
	last := func(op eigrpmsg.Opcode) *eigrpmsg.Packet {
		for i := len(sent) - 1; i >= 0; i-- {
			if sent[i].Opcode == op && (op != eigrpmsg.Hello || sent[i].Ack != 0) {
				return sent[i]
			}
		}
		t.Fatalf("no %s was sent", op)
		return nil
	}
	hear := func(file string, frames ...int) {
		for _, g := range golden.EIGRP(t, file) {
			for _, f := range frames {
				if g.Frame == f && g.From == peer {
					take(m.Handle(now, PacketReceived{Iface: "e0", From: peer, Multicast: g.To == Group, Payload: g.Payload}))
					now = now.Add(10 * time.Millisecond)
					take(m.Handle(now, Tick{}))
				}
			}
		}
	}
	take(m.Configure(now, Config{AS: 100, RouterID: own, Interfaces: []Interface{{Name: "e0"}}}))
	take(m.Handle(now, InterfaceState{Name: "e0", Up: true, Addrs: []netip.Prefix{pfx("10.0.0.1/30")}, Bandwidth: 100000, Delay: 10}))
	hear("EIGRP_adjacency.pcap", 9)
	if p := last(eigrpmsg.Update); p.Flags != eigrpmsg.FlagInit || p.Sequence != 23 {
		t.Errorf("first update %+v", p)
	}
	hear("EIGRP_adjacency.pcap", 11, 14)
	if p := last(eigrpmsg.Update); p.Flags != eigrpmsg.FlagEOT || p.Sequence != 24 || p.Ack != 23 {
		t.Errorf("table %+v", p)
	}
	hear("EIGRP_adjacency.pcap", 16)
	if p := last(eigrpmsg.Hello); p.Ack != 24 {
		t.Errorf("acknowledgement %+v", p)
	}
	for p, metric := range map[string]uint32{"192.168.2.0/24": 256 * (100 + 10 + 10), "192.168.4.0/24": 0, "10.0.0.8/30": 0, "10.0.0.12/30": 0} {
		if r, ok := routes[pfx(p)]; !ok || metric != 0 && r.Metric != metric || r.Hops[0].Addr != peer {
			t.Errorf("%s: %+v", p, r)
		}
	}
	// A list with our address, and then a multicast that is not for us; the same by unicast is.
	acks := len(sent)
	hear("EIGRP_adjacency.pcap", 18, 19)
	if len(sent) != acks {
		t.Errorf("a multicast that is for others is acknowledged: %+v", sent[acks:])
	}
	hear("EIGRP_adjacency.pcap", 20)
	if p := last(eigrpmsg.Hello); p.Ack != 25 {
		t.Errorf("acknowledgement %+v", p)
	}
	// The peer asks about a subnet that went down, and has our reply at once as there is nobody else.
	hear("EIGRP_subnet_down.pcap", 10)
	if _, ok := routes[pfx("192.168.4.0/24")]; ok {
		t.Error("the route stays")
	}
	if p := last(eigrpmsg.Reply); len(p.Routes) != 1 || p.Routes[0].Reachable() || p.Routes[0].Prefixes[0] != pfx("192.168.4.0/24") || p.Ack != 46 {
		t.Errorf("reply %+v", p)
	}
	hear("EIGRP_goodbye.pcap", 9)
	if len(m.Neighbors()) != 0 || len(routes) != 0 {
		t.Errorf("after the goodbye: %+v, %v", m.Neighbors(), routes)
	}
}
