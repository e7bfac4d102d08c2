package show

import (
	"net/netip"
	"time"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/rib"
)

// classicMetric is a metric in the classic form, of kbit/s and microseconds.
func classicMetric(kbit, micro uint64, hops uint8) eigrpmsg.Metric {
	return eigrpmsg.Metric{Bandwidth: 2_560_000_000 / kbit, Delay: micro / 10 * 256, MTU: 1400, Hops: hops, Reliability: 255, Load: 1}
}

// composite is the classic metric of K1 = K3 = 1.
func composite(m eigrpmsg.Metric) uint64 { return m.Bandwidth + m.Delay }

func neighborPath(hop, from string, kbit, micro uint64, hops uint8, reported uint64) eigrp.PathStatus {
	m := classicMetric(kbit, micro, hops)
	return eigrp.PathStatus{Kind: "neighbor", Iface: "Tunnel0", Hop: addr(hop), From: addr(from), Distance: composite(m), Reported: reported, Metric: m}
}

// eigrpTopology has a prefix of every kind.
func eigrpTopologySample() []eigrp.TopologyStatus {
	connected := eigrp.PathStatus{Kind: "connected", Iface: "Tunnel0", Distance: 2818560, Metric: classicMetric(1000, 10100, 0), Successor: true, Feasible: true}
	best, second, third := neighborPath("10.0.0.2", "10.0.0.2", 1000, 10200, 1, 28160), neighborPath("10.0.0.3", "10.0.0.1", 1000, 10300, 1, 30720), neighborPath("10.0.0.4", "10.0.0.4", 1000, 10400, 5, 1<<31)
	best.Successor, best.Feasible, second.Feasible = true, true, true
	external := neighborPath("10.0.0.2", "10.0.0.2", 1000, 10500, 2, 28672)
	external.External = &eigrpmsg.External{Router: addr("10.9.9.2"), AS: 65000, Tag: 77, Metric: 3, Protocol: eigrpmsg.FromBGP}
	external.Successor, external.Feasible = true, true
	static := eigrp.PathStatus{Kind: "redistributed", Distance: 28160, Metric: classicMetric(100000, 100, 0), Successor: true, Feasible: true,
		External: &eigrpmsg.External{Router: addr("10.9.9.1"), Protocol: eigrpmsg.FromStatic}}
	ours := static
	ours.External = &eigrpmsg.External{Router: addr("10.9.9.1"), Protocol: eigrpmsg.FromConnected}
	kernel := static
	kernel.External = &eigrpmsg.External{Router: addr("10.9.9.1"), Protocol: 0}
	vpn := eigrp.PathStatus{Kind: "redistributed", Distance: 409600, Metric: classicMetric(10000, 6000, 1), Successor: true, Feasible: true}
	summary := eigrp.PathStatus{Kind: "summary", Distance: 28160, Metric: classicMetric(100000, 100, 0), Successor: true, Feasible: true}
	gone := eigrp.PathStatus{Kind: "neighbor", Iface: "Tunnel0", Hop: addr("10.0.0.3"), From: addr("10.0.0.3"), Distance: unreachable, Reported: unreachable, Metric: eigrpmsg.Metric{Delay: eigrpmsg.ClassicInfinity}}
	entry := func(p string, fd uint64, paths ...eigrp.PathStatus) eigrp.TopologyStatus {
		t := eigrp.TopologyStatus{Prefix: pfx(p), FD: fd, Since: ago(time.Minute), Origin: 1, Paths: paths}
		for _, x := range paths {
			if x.Successor {
				t.Successors++
			}
		}
		return t
	}
	pending := entry("192.168.2.0/24", best.Distance, third, second, best)
	pending.Pending = true
	active := entry("192.168.9.0/24", unreachable, gone)
	active.Active, active.Origin, active.Waiting, active.Since = true, 3, []netip.Addr{addr("10.0.0.3"), addr("10.0.0.4")}, ago(12*time.Second)
	return []eigrp.TopologyStatus{
		entry("0.0.0.0/0", static.Distance, static), entry("10.0.0.0/24", connected.Distance, connected), entry("172.16.0.0/16", external.Distance, external),
		entry("172.31.0.0/16", kernel.Distance, kernel), entry("192.0.2.0/24", ours.Distance, ours), entry("192.168.0.0/16", summary.Distance, summary), pending,
		entry("192.168.3.0/24", vpn.Distance, vpn), entry("192.168.8.0/24", unreachable, third), active,
	}
}

// eigrpProcesses are a classic process of the global table and one of named mode in a VRF.
func eigrpProcesses() []slowpath.EIGRPStatus {
	wide := eigrpmsg.Metric{Bandwidth: 100000, Delay: 100_000_000, MTU: 1500, Hops: 1, Reliability: 255, Load: 1}
	up := eigrpmsg.Software{Major: 23, TLVMajor: 2}
	return []slowpath.EIGRPStatus{
		{
			Key: slowpath.EIGRPKey{AS: 1}, Running: true, RouterID: addr("10.9.9.1"), K: [6]uint8{1, 0, 1}, Variance: 2, MaximumPaths: 4, MaximumHops: 100, Internal: 90, External: 170,
			ActiveTime: 3 * time.Minute, Sources: []slowpath.EIGRPSourceStatus{{Source: rib.Static, Routes: 1}, {Source: rib.BGP, Routes: 3}},
			Neighbors: []eigrp.NeighborStatus{
				{Iface: "Tunnel0", Addr: addr("10.0.0.2"), Up: true, Since: ago(2*time.Hour + 3*time.Second), Hold: 15 * time.Second, Expires: now.Add(13500 * time.Millisecond), SRTT: 21 * time.Millisecond, RTO: 1302 * time.Millisecond,
					Sequence: 27, Prefixes: 3, Retransmits: 2, Software: up},
				{Iface: "Tunnel0", Addr: addr("10.0.0.3"), Up: true, Since: ago(26 * time.Hour), Hold: 15 * time.Second, Expires: now.Add(11 * time.Second), SRTT: 1, RTO: 200 * time.Millisecond, Queue: 1, Sequence: 4294967295,
					Retries: 1, Software: eigrpmsg.Software{Major: 12, Minor: 4, TLVMajor: 1, TLVMinor: 2}, Stub: true, StubFlags: eigrpmsg.StubConnected | eigrpmsg.StubSummary},
				{Iface: "Ethernet0/1", Addr: addr("192.168.2.9"), Since: ago(4 * time.Second), Hold: 15 * time.Second, Expires: now.Add(14 * time.Second), RTO: 5 * time.Second, Queue: 1, Software: up, Stub: true, StubFlags: eigrpmsg.StubReceiveOnly},
			},
			Interfaces: []eigrp.InterfaceStatus{
				{Name: "Ethernet0/1", Running: true, Neighbors: 1, Hello: 5 * time.Second, Hold: 15 * time.Second, SplitHorizon: true, NextHopSelf: true, HelloSent: 4, HelloRecv: 3, Pacing: 2400 * time.Microsecond},
				{Name: "Ethernet0/2", Running: true, Passive: true, Hello: 5 * time.Second, Hold: 15 * time.Second, SplitHorizon: true, NextHopSelf: true},
				{Name: "Loopback0", Running: true, Passive: true, Hello: 5 * time.Second, Hold: 15 * time.Second, SplitHorizon: true, NextHopSelf: true},
				{Name: "Tunnel0", Running: true, Neighbors: 2, Queue: 1, Pending: 3, SRTT: 11 * time.Millisecond, Hello: 500 * time.Millisecond, Hold: 15 * time.Second, Auth: eigrp.AuthMD5, HelloSent: 2034, HelloRecv: 4039,
					Multicasts: 12, Unicasts: 40, Acks: 15, Pacing: 24 * time.Millisecond},
				{Name: "Tunnel9", Hello: 5 * time.Second, Hold: 15 * time.Second},
			},
			Topology: eigrpTopologySample(),
			Traffic: eigrp.Traffic{Sent: eigrp.Packets{Hellos: 2034, Updates: 15, Queries: 1, Replies: 2, Acks: 11, SIAQueries: 3, SIAReplies: 4}, Received: eigrp.Packets{Hellos: 4039, Updates: 13, Replies: 1, Acks: 12},
				Retransmitted: 5, Duplicates: 6, AuthFailures: 7, Malformed: 8},
		},
		{
			Key: slowpath.EIGRPKey{VRF: 2, AS: 40}, Name: "OVERLAY", Running: true, RouterID: addr("10.255.0.11"), Wide: true, K: [6]uint8{1, 0, 1}, Variance: 1, MaximumPaths: 4, MaximumHops: 100, Internal: 80, External: 180,
			ActiveDisabled: true, AutoSummary: true, Stub: true, Connected: true, Summary: true,
			Interfaces: []eigrp.InterfaceStatus{{Name: "Ethernet1/0", Running: true, Hello: 5 * time.Second, Hold: 15 * time.Second, SplitHorizon: true, NextHopSelf: true, Auth: eigrp.AuthSHA256}},
			Topology: []eigrp.TopologyStatus{{Prefix: pfx("192.168.11.0/24"), FD: 13107200, Since: ago(time.Hour), Origin: 1, Successors: 1, Paths: []eigrp.PathStatus{
				{Kind: "neighbor", Iface: "Ethernet1/0", Hop: addr("192.168.11.9"), From: addr("192.168.11.9"), Distance: 13107200, Reported: 6553600, Metric: wide, Wide: true, Successor: true, Feasible: true},
			}}},
		},
	}
}

// eigrpRoutes are what EIGRP, BGP and the kernel put into the table, with unequal shares.
func eigrpRoutes() []rib.Route {
	hop := func(a string, share uint8) rib.NextHop {
		return rib.NextHop{Iface: "Tunnel0", Addr: addr(a), Share: share}
	}
	return []rib.Route{
		{Prefix: pfx("0.0.0.0/0"), Source: rib.EIGRP, Process: 1, External: true, Distance: 170, Metric: 3072256, Tag: 77, Hops: []rib.NextHop{hop("10.0.0.2", 0)}, Since: ago(5 * time.Second)},
		{Prefix: pfx("10.0.0.0/24"), Source: rib.Connected, Hops: []rib.NextHop{{Iface: "Tunnel0"}}},
		{Prefix: pfx("10.8.0.0/16"), Source: rib.Kernel, Distance: 110, Metric: 20, Hops: []rib.NextHop{{Iface: "Ethernet0/1", Addr: addr("192.168.2.9")}}, Since: ago(time.Hour)},
		{Prefix: pfx("10.66.0.0/16"), Source: rib.Kernel, Distance: 1},
		{Prefix: pfx("172.16.0.0/16"), Source: rib.EIGRP, Process: 1, External: true, Distance: 170, Metric: 2828800, Tag: 77, Hops: []rib.NextHop{hop("10.0.0.2", 0)}, Since: ago(5 * time.Second)},
		{Prefix: pfx("172.17.0.0/16"), Source: rib.BGP, Distance: 20, Hops: []rib.NextHop{{Iface: "Ethernet0/1", Addr: addr("192.0.2.9")}}, Since: ago(time.Minute)},
		{Prefix: pfx("172.18.1.0/24"), Source: rib.Static, Distance: 1, Hops: []rib.NextHop{{Iface: "Ethernet0/1", Addr: addr("192.168.2.9")}}},
		{Prefix: pfx("192.168.0.0/16"), Source: rib.EIGRP, Process: 1, Distance: 5, Metric: 28160, Since: ago(62 * time.Second)},
		{Prefix: pfx("192.168.2.0/24"), Source: rib.EIGRP, Process: 1, Distance: 90, Metric: 2821120, Hops: []rib.NextHop{hop("10.0.0.2", 3), hop("10.0.0.3", 2)}, Since: ago(2 * time.Minute)},
		{Prefix: pfx("192.168.7.0/24"), Source: rib.EIGRP, Process: 7, Distance: 90, Metric: 28160, Hops: []rib.NextHop{{Iface: "Ethernet0/1", Addr: addr("192.168.2.9")}}, Since: ago(time.Second)},
	}
}

// eigrpSample is the box that the processes are of.
func eigrpSample() *Status {
	s := vpnSample()
	s.Router.Interfaces = append(s.Router.Interfaces, rib.Interface{Name: "Tunnel0", Up: true, Addrs: []netip.Prefix{pfx("10.0.0.1/24")}})
	s.Router.Packets = slowpath.Stats{EIGRPForNobody: 9, EIGRPMalformed: 1}
	s.Protocols = Protocols{
		EIGRP: []EIGRPConfigured{
			{AS: 1, Passive: []string{"Ethernet0/2", "Serial0"}, Networks: []ProtocolNetwork{{Prefix: pfx("10.0.0.0/24")}, {Prefix: pfx("192.168.2.0/24"), Classful: true}, {Prefix: pfx("0.0.0.0/0")}}, Redistribute: []string{"static", "bgp 65000"},
				KeyChains: map[string]string{"Tunnel0": "EIGRP-KEYS"}, Summaries: []ProtocolSummary{{pfx("192.168.0.0/16"), "Tunnel0"}, {pfx("10.4.0.0/14"), "Tunnel0"}, {pfx("192.168.0.0/16"), "Ethernet0/1"}},
				Filters: []ProtocolFilter{{List: "10", Out: true}, {List: "(prefix-list) LANS", Out: true, Iface: "Tunnel0"}, {List: "(route-map) ONLY", Out: true, From: "static"}, {List: "11", Iface: "Ethernet0/1"}}},
			{VRF: "red", AS: 40, Networks: []ProtocolNetwork{{Prefix: pfx("192.168.11.0/24"), Classful: true}}},
		},
		BGP: []BGPConfigured{{Redistribute: []string{"eigrp 1", "connected"}, Networks: []ProtocolNetwork{{Prefix: pfx("10.1.0.0/16")}}, MaximumPaths: 2, DistanceExternal: 21}, {VRF: "red"}},
	}
	from, until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	s.KeyChains = []KeyChain{{Name: "EIGRP-KEYS", Keys: []Key{{ID: 1, HasText: true, Accept: Lifetime{From: from, Until: until}, Send: Lifetime{From: from}}, {ID: 2, HasText: true}}}, {Name: "NONE", Keys: []Key{{ID: 0}}}}
	return s
}

func eigrpAnswer() *Answer {
	return &Answer{EIGRP: eigrpProcesses(), Routes: eigrpRoutes(), BGP: bgpStatus()}
}
