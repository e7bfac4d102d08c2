package slowpath

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// dmvpnNet is a hub and two spokes, each with a subnet behind it: 10.N.0.0/24. The next hops of spokes stay as they are (phase 2).
func dmvpnNet(t *testing.T) (n *eigrpNet, tunnel *segment, hub *eigrpBox, spokes []*eigrpBox) {
	n = newEIGRPNet(t)
	tunnel = &segment{cut: make(map[*eigrpBox]bool)}
	for k := 1; k <= 3; k++ {
		b := n.box([]string{"hub", "spoke1", "spoke2"}[k-1])
		b.ethernet("Ethernet0", 0, fmt.Sprintf("192.0.2.%d/24", k), nil)
		b.ethernet("Ethernet1", 0, fmt.Sprintf("10.%d.0.1/24", k), nil)
		b.tunnelTo("Tunnel0", fmt.Sprintf("10.0.0.%d/24", k), fmt.Sprintf("192.0.2.%d", k), tunnel)
		e := b.process(0, 100, "Ethernet1", "Tunnel0")
		if k == 1 {
			hub, tunnel.hub = b, b
			e.Run.Interfaces[1].NoSplitHorizon, e.Run.Interfaces[1].NoNextHopSelf = true, true
		} else {
			spokes = append(spokes, b)
		}
	}
	n.configure()
	n.run(10 * time.Second)
	return n, tunnel, hub, spokes
}

// A spoke has the other spoke's subnet by the other spoke itself, loses it when that is not heard any more, and has it again when it is.
func TestEIGRPHubAndSpokes(t *testing.T) {
	n, tunnel, hub, spokes := dmvpnNet(t)
	hub.want(0, map[string]string{"10.2.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.2", "10.3.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.3", "10.1.0.0/24": "connected 0 Ethernet1", "192.0.2.0/24": "connected 0 Ethernet0"})
	spokes[0].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1", "10.3.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.3"})
	spokes[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1", "10.2.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.2"})
	if ids := spokes[0].engine.routes[pfx("10.3.0.0/24")]; len(ids) != 1 || spokes[0].engine.adjacencies[ids[0]].NextHop != ip("10.0.0.3") {
		t.Errorf("the fast path of spoke1: %v", ids)
	}
	if l := hub.logs; len(l) != 2 || l[0].AS != 100 || l[0].VRF != "" || l[0].Kind != eigrp.LogNeighborUp {
		t.Errorf("log of the hub: %+v", l)
	}
	tunnel.cut[spokes[1]] = true
	n.run(12 * time.Second)
	spokes[0].want(0, map[string]string{"10.3.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.3"})
	n.run(5 * time.Second)
	hub.want(0, map[string]string{"10.2.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.2", "10.3.0.0/24": "none"})
	spokes[0].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1", "10.3.0.0/24": "none"})
	spokes[1].want(0, map[string]string{"10.1.0.0/24": "none", "10.2.0.0/24": "none", "10.3.0.0/24": "connected 0 Ethernet1"})
	if _, there := spokes[0].engine.routes[pfx("10.3.0.0/24")]; there {
		t.Error("the fast path of spoke1 has the route still")
	}
	clear(tunnel.cut)
	n.run(10 * time.Second)
	spokes[0].want(0, map[string]string{"10.3.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.3"})
}

// Interfaces that go down, are taken out of the configuration or move to another table take with them what was learned by them; a process that is configured no more says goodbye.
func TestEIGRPGoes(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(s *eigrpBox)
		stay bool // its tunnel
	}{
		{"shut", func(s *eigrpBox) { s.link("Tunnel0").Up = false }, false},
		{"removed", func(s *eigrpBox) { s.config.Interfaces = s.config.Interfaces[:2] }, false},
		{"moved", func(s *eigrpBox) {
			s.config.VRFs = []VRF{{ID: red, Name: "red"}}
			s.link("Tunnel0").VRF = red
			s.process(red, 100, "Tunnel0")
		}, false},
		{"process", func(s *eigrpBox) { s.config.EIGRP = nil }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, _, hub, spokes := dmvpnNet(t)
			s := spokes[1]
			c.f(s)
			s.configure()
			s.want(0, map[string]string{"10.1.0.0/24": "none", "10.2.0.0/24": "none"})
			if !c.stay {
				n.run(20 * time.Second)
			} else {
				n.run(time.Second) // it said so
			}
			spokes[0].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1"})
			if c.name == "moved" { // the packets are the same, and the hub does not know that they are out of another table
				s.want(red, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1", "10.2.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.2"})
				if s.config.VRFs = nil; len(s.EIGRPStatus(false)) != 2 {
					t.Errorf("%+v", s.EIGRPStatus(false))
				}
				s.config.EIGRP = s.config.EIGRP[:1]
				s.config.Interfaces = s.config.Interfaces[:2]
				s.configure()
				if r := s.Routes(red); len(r) != 0 {
					t.Errorf("of a VRF that is no more: %+v", r)
				}
				return
			}
			spokes[0].want(0, map[string]string{"10.3.0.0/24": "none"})
			hub.want(0, map[string]string{"10.3.0.0/24": "none"})
		})
	}
}

// Before an interface goes by the configuration, neighbors there are told; and if it does not go after all, they are neighbors again.
func TestEIGRPQuits(t *testing.T) {
	for _, goes := range []bool{true, false} {
		n, _, hub, spokes := dmvpnNet(t)
		s := spokes[1]
		next := s.config
		if s.At(n.now).QuitEIGRP(&next) {
			t.Error("somebody was told of what stays")
		}
		next.Interfaces = slices.Clone(next.Interfaces)
		for k := range next.Interfaces {
			if next.Interfaces[k].Name == "Tunnel0" {
				next.Interfaces[k].Up = false
			}
		}
		if !s.At(n.now).QuitEIGRP(&next) {
			t.Error("nobody was told")
		}
		n.run(100 * time.Millisecond)
		hub.want(0, map[string]string{"10.3.0.0/24": "none"})
		if goes {
			s.config = next
		}
		s.configure()
		n.run(10 * time.Second)
		route := "none"
		if !goes {
			route = "eigrp/100 90 Tunnel0 10.0.0.3"
		}
		hub.want(0, map[string]string{"10.3.0.0/24": route})
	}
}

// What changes in the configuration and is not a neighbor's business leaves neighbors as they are.
func TestEIGRPNeighborsStay(t *testing.T) {
	n, _, hub, spokes := dmvpnNet(t)
	s := spokes[0]
	before := s.EIGRPStatus(false)[0].Neighbors
	sent := hub.EIGRPStatus(false)[0].Traffic.Received.Updates
	for range 3 { // nothing
		s.configure()
		n.run(time.Second)
	}
	if got := hub.EIGRPStatus(false)[0].Traffic.Received.Updates; got != sent {
		t.Errorf("%d updates for nothing", got-sent)
	}
	s.loopback("Loopback0", 0, "10.20.0.1/32")
	p := &s.config.EIGRP[0]
	p.Run.Interfaces = append(p.Run.Interfaces, eigrp.Interface{Name: "Loopback0", Passive: true})
	s.configure()
	n.run(time.Second)
	s.config.Statics[0] = []rib.StaticRoute{{Prefix: pfx("10.21.0.0/16")}}
	p.Redistribute = []EIGRPSource{{Source: rib.Static}}
	s.configure()
	n.run(time.Second)
	p.Run.Out = func(_ string, q netip.Prefix) bool { return q != pfx("10.2.0.0/24") }
	p.Policy = "one"
	s.configure()
	n.run(time.Second)
	hub.want(0, map[string]string{"10.20.0.1/32": "eigrp/100 90 Tunnel0 10.0.0.2", "10.21.0.0/16": "eigrp/100 170 Tunnel0 10.0.0.2", "10.2.0.0/24": "none"})
	p.Run.Out = func(string, netip.Prefix) bool { return true } // a function that is not looked at, as the policy is said to be the same
	s.configure()
	n.run(time.Second)
	hub.want(0, map[string]string{"10.2.0.0/24": "none"})
	p.Policy = "two"
	s.configure()
	n.run(time.Second)
	hub.want(0, map[string]string{"10.2.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.2"})
	after := s.EIGRPStatus(false)[0].Neighbors
	if len(before) != 1 || len(after) != 1 || before[0].Since != after[0].Since || before[0].Addr != after[0].Addr {
		t.Errorf("neighbors before %+v, and after %+v", before, after)
	}
	if st := s.EIGRPStatus(true)[0]; len(st.Sources) != 1 || st.Sources[0].Routes != 1 || len(st.Topology) < 6 {
		t.Errorf("%+v", st)
	}
	s.At(n.now).ClearEIGRP(EIGRPKey{0, 100}, eigrp.Clear{})
	n.run(10 * time.Second)
	if a := s.EIGRPStatus(false)[0].Neighbors; len(a) != 1 || a[0].Since == after[0].Since {
		t.Errorf("cleared: %+v", a)
	}
}

// pair is two routers on a link, with EIGRP 100 on it.
func pair(t *testing.T) (n *eigrpNet, a, b *eigrpBox) {
	n = newEIGRPNet(t)
	wire := &segment{}
	a, b = n.box("a"), n.box("b")
	a.ethernet("Ethernet0", 0, "10.0.0.1/24", wire)
	b.ethernet("Ethernet0", 0, "10.0.0.2/24", wire)
	a.process(0, 100, "Ethernet0")
	b.process(0, 100, "Ethernet0")
	return n, a, b
}

var someMetric = EIGRPAttributes{Bandwidth: 1000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500, HasMetric: true}

// Routes of other protocols go into EIGRP and out of it while they are the best of their prefix, and never back to where they came from.
func TestEIGRPRedistribution(t *testing.T) {
	n, a, b := pair(t)
	a.config.Statics[0] = []rib.StaticRoute{
		{Prefix: pfx("10.7.0.0/16"), Hops: []rib.NextHop{{Addr: ip("10.5.0.9")}}, Tag: 7}, {Prefix: pfx("0.0.0.0/0")},
		{Prefix: pfx("192.0.2.0/24"), Hops: []rib.NextHop{{Addr: ip("10.5.0.1")}}, Source: rib.DHCP},
	}
	a.ethernet("Ethernet1", 0, "10.5.0.2/24", nil)
	a.loopback("Loopback0", 0, "10.6.0.1/32")
	a.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Static}, {Source: rib.Connected}}
	b.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.BGP, Set: someMetric}}
	b.config.BGP = BGP{On: true, Redistribute: []Redistribute{{Source: rib.EIGRP, Process: 100}, {Source: rib.EIGRP, Process: 99, Set: Attributes{LocalPref: 1}}}}
	b.config.BGP.Speaker.AS = 65000
	n.configure()
	n.run(10 * time.Second)
	from := "eigrp/100 170 Ethernet0 10.0.0.1"
	if s := a.EIGRPStatus(false)[0].Sources; s[0].Routes != 3 || s[1].Routes != 2 { // not the subnet that EIGRP runs on
		t.Errorf("redistributed: %+v", s)
	}
	b.want(0, map[string]string{"10.7.0.0/16": from, "0.0.0.0/0": from, "192.0.2.0/24": from, "10.5.0.0/24": from, "10.6.0.1/32": from, "10.5.0.2/32": "none"})
	if r := find(b.Routes(0), "10.7.0.0/16"); r.Tag != 7 || !r.External {
		t.Errorf("%+v", r)
	}
	said := func(prefix string, metric uint32) {
		t.Helper()
		l, ok := b.said[bgp.Key{Prefix: pfx(prefix)}]
		if !ok || l.Metric != metric || l.LocalPref != 0 || len(l.Extended) != 0 {
			t.Errorf("BGP announces %s: %v, %+v", prefix, ok, l)
		}
	}
	said("10.7.0.0/16", find(b.Routes(0), "10.7.0.0/16").Metric)
	said("10.0.0.0/24", 0) // connected, and EIGRP runs on it
	if len(b.said) != 6 {
		t.Errorf("BGP announces %+v", b.said)
	}
	// The other way, without coming back.
	b.At(n.now).BGP(bgp.Effects{Routes: []bgp.Route{
		{Key: bgp.Key{Prefix: pfx("172.16.0.0/16")}, NextHop: ip("10.0.0.1"), Distance: 20, Metric: 5, External: true},
		{Key: bgp.Key{Prefix: pfx("10.7.0.0/16")}, NextHop: ip("10.0.0.1"), Distance: 200},
	}})
	n.run(time.Second)
	a.want(0, map[string]string{"172.16.0.0/16": "eigrp/100 170 Ethernet0 10.0.0.2", "10.7.0.0/16": "static 1 Ethernet1 10.5.0.9"})
	b.want(0, map[string]string{"10.7.0.0/16": from, "172.16.0.0/16": "bgp 20 Ethernet0 10.0.0.1"})
	if _, ok := b.said[bgp.Key{Prefix: pfx("172.16.0.0/16")}]; ok {
		t.Error("BGP's own goes back to BGP")
	}
	if x := external(a, "172.16.0.0/16"); x != "bgp 65000 5" {
		t.Errorf("external: %s", x)
	}
	// A better route of another kind takes the prefix over, and BGP hears nothing more of it from here.
	b.config.Statics[0] = []rib.StaticRoute{{Prefix: pfx("10.7.0.0/16")}, {Prefix: pfx("172.16.0.0/16")}}
	b.configure()
	n.run(time.Second)
	a.want(0, map[string]string{"172.16.0.0/16": "none"})
	if _, ok := b.said[bgp.Key{Prefix: pfx("10.7.0.0/16")}]; ok {
		t.Error("a static route is announced as EIGRP's")
	}
	b.config.Statics[0] = nil
	b.configure()
	n.run(time.Second)
	a.config.Statics[0] = nil
	a.configure()
	n.run(time.Second)
	a.want(0, map[string]string{"172.16.0.0/16": "eigrp/100 170 Ethernet0 10.0.0.2", "10.7.0.0/16": "none"}) // that is BGP's by now, and iBGP's
	b.config.BGP.Internal = true
	b.configure()
	n.run(time.Second)
	a.want(0, map[string]string{"172.16.0.0/16": "eigrp/100 170 Ethernet0 10.0.0.2", "10.7.0.0/16": "eigrp/100 170 Ethernet0 10.0.0.2"})
	b.want(0, map[string]string{"10.7.0.0/16": "bgp 200 Ethernet0 10.0.0.1"})
	// And all is gone when the redistribution is.
	b.config.EIGRP[0].Redistribute = nil
	b.configure()
	a.link("Ethernet1").Up = false
	a.configure()
	n.run(time.Second)
	a.want(0, map[string]string{"172.16.0.0/16": "none", "10.7.0.0/16": "none"})
	b.want(0, map[string]string{"10.5.0.0/24": "none", "10.6.0.1/32": from})
}

func find(routes []rib.Route, prefix string) rib.Route {
	if i := slices.IndexFunc(routes, func(r rib.Route) bool { return r.Prefix == pfx(prefix) }); i >= 0 {
		return routes[i]
	}
	return rib.Route{}
}

// external is what a router's first process knows of where a route came from: the protocol, its AS and metric.
func external(b *eigrpBox, prefix string) string {
	for _, t := range b.EIGRPStatus(true)[0].Topology {
		if t.Prefix == pfx(prefix) && len(t.Paths) > 0 && t.Paths[0].External != nil {
			x := t.Paths[0].External
			return fmt.Sprintf("%s %d %d", map[uint8]string{2: "eigrp", 3: "static", 6: "ospf", 9: "bgp", 11: "connected"}[uint8(x.Protocol)], x.AS, x.Metric)
		}
	}
	return "none"
}

// Two processes of a table tell each other's routes to their neighbors: with the metric that they have, as external routes, and those of subnets that only one runs on.
func TestEIGRPTwoProcesses(t *testing.T) {
	n := newEIGRPNet(t)
	left, right := &segment{}, &segment{}
	a, b, c := n.box("a"), n.box("b"), n.box("c")
	a.ethernet("Ethernet0", 0, "10.0.1.1/24", left)
	a.ethernet("Ethernet1", 0, "10.1.0.1/24", nil)
	a.process(0, 1, "Ethernet0", "Ethernet1")
	b.ethernet("Ethernet0", 0, "10.0.1.2/24", left)
	b.ethernet("Ethernet1", 0, "10.0.2.2/24", right)
	b.process(0, 1, "Ethernet0")
	b.process(0, 2, "Ethernet1")
	b.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.EIGRP, Process: 2}}
	b.config.EIGRP[1].Redistribute = []EIGRPSource{{Source: rib.EIGRP, Process: 1, Permit: func(p netip.Prefix, r *rib.Route) (EIGRPAttributes, bool) {
		return EIGRPAttributes{Tag: 77, HasTag: true}, p != pfx("10.9.0.0/24")
	}}}
	c.ethernet("Ethernet0", 0, "10.0.2.3/24", right)
	c.ethernet("Ethernet1", 0, "10.3.0.1/24", nil)
	c.process(0, 2, "Ethernet0", "Ethernet1")
	a.ethernet("Ethernet2", 0, "10.9.0.1/24", nil)
	a.config.EIGRP[0].Run.Interfaces = append(a.config.EIGRP[0].Run.Interfaces, eigrp.Interface{Name: "Ethernet2", Passive: true})
	n.configure()
	n.run(10 * time.Second)
	a.want(0, map[string]string{"10.3.0.0/24": "eigrp/1 170 Ethernet0 10.0.1.2", "10.0.2.0/24": "eigrp/1 170 Ethernet0 10.0.1.2"})
	c.want(0, map[string]string{"10.1.0.0/24": "eigrp/2 170 Ethernet0 10.0.2.2", "10.0.1.0/24": "eigrp/2 170 Ethernet0 10.0.2.2", "10.9.0.0/24": "none"})
	b.want(0, map[string]string{"10.1.0.0/24": "eigrp/1 90 Ethernet0 10.0.1.1", "10.3.0.0/24": "eigrp/2 90 Ethernet1 10.0.2.3"})
	if r := find(c.Routes(0), "10.1.0.0/24"); r.Tag != 77 || r.Metric != 256*(1000+300) { // 10 Mbit/s, and three links of 1 ms
		t.Errorf("%+v", r)
	}
	if x := external(a, "10.3.0.0/24"); x != fmt.Sprintf("eigrp 2 %d", 256*(1000+200)) {
		t.Error(x)
	}
	a.link("Ethernet1").Up = false
	a.configure()
	n.run(time.Second)
	b.want(0, map[string]string{"10.1.0.0/24": "none"})
	c.want(0, map[string]string{"10.1.0.0/24": "none", "10.0.1.0/24": "eigrp/2 170 Ethernet0 10.0.2.2"})
	b.config.EIGRP = b.config.EIGRP[1:] // AS 1 goes, and what came of it
	b.configure()
	n.run(time.Second)
	c.want(0, map[string]string{"10.0.1.0/24": "none"})
	a.want(0, map[string]string{"10.3.0.0/24": "none"})
}

// Two VRFs with the same AS, addresses and prefixes have nothing to do with each other.
func TestEIGRPVRFs(t *testing.T) {
	n := newEIGRPNet(t)
	a, b := n.box("a"), n.box("b")
	for _, x := range []*eigrpBox{a, b} {
		x.config.VRFs = []VRF{{ID: red, Name: "red"}, {ID: blue, Name: "blue"}}
	}
	for k, vrf := range []fib.VRF{red, blue} {
		wire := &segment{}
		name := fmt.Sprintf("Ethernet%d", k)
		a.ethernet(name, vrf, "10.0.0.1/24", wire)
		b.ethernet(name, vrf, "10.0.0.2/24", wire)
		a.process(vrf, 100, name)
		b.process(vrf, 100, name)
	}
	a.loopback("Loopback0", red, "10.1.0.1/24")
	a.config.EIGRP[0].Run.Interfaces = append(a.config.EIGRP[0].Run.Interfaces, eigrp.Interface{Name: "Loopback0", Passive: true})
	n.configure()
	n.run(10 * time.Second)
	b.want(red, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1"})
	b.want(blue, map[string]string{"10.1.0.0/24": "none", "10.0.0.0/24": "connected 0 Ethernet1"})
	b.want(0, map[string]string{"10.1.0.0/24": "none"})
	if b.neighbors(EIGRPKey{red, 100}) != 1 || b.neighbors(EIGRPKey{blue, 100}) != 1 {
		t.Error("neighbors")
	}
	if len(b.logs) != 2 || b.logs[0].VRF == b.logs[1].VRF || b.logs[0].VRF == "" {
		t.Errorf("%+v", b.logs)
	}
	// The socket of one table has a packet of an interface that is in another by now; one for an AS that nobody is; one that is cut short.
	hello := make([]byte, 20)
	hello[19] = 100
	nobody, malformed := b.Status().Packets.EIGRPForNobody, b.Status().Packets.EIGRPMalformed
	b.At(n.now).EIGRP(red, eigrp.PacketReceived{Iface: "Ethernet1", From: ip("10.0.0.1"), Payload: hello})
	b.At(n.now).EIGRP(0, eigrp.PacketReceived{Iface: "Ethernet0", From: ip("10.0.0.1"), Payload: hello})
	hello[19] = 101
	b.At(n.now).EIGRP(red, eigrp.PacketReceived{Iface: "Ethernet0", From: ip("10.0.0.1"), Payload: hello})
	b.At(n.now).EIGRP(red, eigrp.PacketReceived{Iface: "Ethernet0", From: ip("10.0.0.1"), Payload: hello[:19]})
	if s := b.Status().Packets; s.EIGRPForNobody != nobody+3 || s.EIGRPMalformed != malformed+1 {
		t.Errorf("%+v", s)
	}
	// VRF red goes as a whole, at both ends of b's, and the log knows what it was called.
	b.logs = nil
	b.config.VRFs = b.config.VRFs[1:]
	b.config.Interfaces = b.config.Interfaces[1:]
	b.config.EIGRP = b.config.EIGRP[1:]
	b.configure()
	if len(b.logs) != 1 || b.logs[0].VRF != "red" || b.logs[0].Kind != eigrp.LogNeighborDown {
		t.Errorf("%+v", b.logs)
	}
	n.run(20 * time.Second)
	if a.neighbors(EIGRPKey{red, 100}) != 0 || a.neighbors(EIGRPKey{blue, 100}) != 1 || b.neighbors(EIGRPKey{blue, 100}) != 1 || len(b.Routes(red)) != 0 {
		t.Errorf("neighbors of a: %+v; routes of b in red: %+v", a.EIGRPStatus(false), b.Routes(red))
	}
	// All say goodbye: the other end knows at once.
	b.At(n.now).ShutDownEIGRP()
	n.run(time.Second)
	if a.neighbors(EIGRPKey{blue, 100}) != 0 || len(b.EIGRPStatus(false)) != 0 {
		t.Errorf("%+v", a.EIGRPStatus(false))
	}
}

// `no eigrp log-neighbor-changes` and `no eigrp log-neighbor-warnings` silence what they are about.
func TestEIGRPLog(t *testing.T) {
	for _, c := range []struct {
		quiet, noWarnings bool
		want              []eigrp.LogKind
	}{
		{false, false, []eigrp.LogKind{eigrp.LogNeighborUp, eigrp.LogNotOnSubnet, eigrp.LogNeighborDown}}, {true, false, []eigrp.LogKind{eigrp.LogNotOnSubnet}},
		{false, true, []eigrp.LogKind{eigrp.LogNeighborUp, eigrp.LogNeighborDown}}, {true, true, nil},
	} {
		n, a, b := pair(t)
		b.config.EIGRP[0].Quiet, b.config.EIGRP[0].NoWarnings, b.config.EIGRP[0].Name = c.quiet, c.noWarnings, "NAMED"
		wire := a.joined["Ethernet0"]
		stranger := n.box("stranger")
		stranger.ethernet("Ethernet0", 0, "10.77.0.1/24", wire)
		stranger.process(0, 100, "Ethernet0")
		n.configure()
		n.run(10 * time.Second)
		a.config.EIGRP = nil
		a.configure()
		n.run(time.Second)
		var got []eigrp.LogKind
		for _, l := range b.logs {
			if got = append(got, l.Kind); l.Name != "NAMED" || l.About() != "eigrp "+l.Kind.String() {
				t.Errorf("%+v", l)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("quiet %v, no warnings %v: %v, want %v", c.quiet, c.noWarnings, got, c.want)
		}
	}
}
