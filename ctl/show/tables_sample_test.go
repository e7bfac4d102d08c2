package show

import (
	"net/netip"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

func mustRD(s string) bgp.RD {
	rd, err := bgp.ParseRD(s)
	if err != nil {
		panic(err)
	}
	return rd
}

func mustRT(s string) bgp.RouteTarget {
	rt, err := bgp.ParseRouteTarget(s)
	if err != nil {
		panic(err)
	}
	return rt
}

func mustLabels(v ...uint32) rib.Labels {
	l, ok := rib.LabelsOf(v...)
	if !ok {
		panic(v)
	}
	return l
}

// vpnSample is a PE spoke: two VRFs with the same addresses, LDP and BGP over a tunnel.
func vpnSample() *Status {
	s := &Status{
		Time: now, BGPAS: 65000,
		Interfaces: map[string]Configured{
			"Tunnel1": {MPLS: true, Source: "Ethernet0/0", Multipoint: true}, "Ethernet1/0": {}, "Ethernet2/0": {}, "Ethernet3/0.20": {}, "Loopback0": {},
			"Ethernet0/0": {MPLS: true, MPLSMTU: 1508, BGPLabels: true}, "Tunnel5": {Source: "Ethernet4/0", Multipoint: true},
		},
		VRFs: []VRF{
			{Name: "blue", ID: 1, RD: "65000:2", Import: []string{"65000:2"}, Export: []string{"65000:2"}, Prefixes: 3},
			{Name: "red", ID: 2, RD: "65000:1", Description: "the red customer", Import: []string{"65000:1", "65000:3", "65000:4", "192.0.2.1:5"}, Export: []string{"65000:1"}, ImportMap: "ONLY-LANS", PerVRF: true, Prefixes: 6},
			{Name: "spare"},
		},
		MPLS: MPLS{LDP: true, First: 16, Last: 1048575, LDPFirst: 16, LDPLast: 524295, SessionHold: 90 * time.Second, PasswordsForID: []netip.Addr{addr("10.255.0.9")}},
	}
	s.Router.Interfaces = []rib.Interface{
		{Name: "Ethernet0/0", Port: 1, Up: true, MTU: 1500, MPLS: true, Addrs: []netip.Prefix{pfx("192.0.2.7/24")}},
		{Name: "Ethernet1/0", Port: 2, VRF: 2, Up: true, MTU: 1500, Addrs: []netip.Prefix{pfx("192.168.11.1/24")}},
		{Name: "Ethernet2/0", Port: 3, VRF: 1, Up: true, MTU: 1500, Addrs: []netip.Prefix{pfx("192.168.11.1/24")}},
		{Name: "Ethernet3/0.20", Port: 4, Parent: 5, VLAN: 20, VRF: 2, MTU: 1500},
		{Name: "Loopback0", Up: true, Addrs: []netip.Prefix{pfx("10.255.0.11/32")}},
		{Name: "Tunnel1", Up: true, MTU: 1400, MPLS: true, Addrs: []netip.Prefix{pfx("10.0.0.11/24")}, Tunnel: &rib.Tunnel{ID: 1, Local: addr("192.0.2.7")}},
		{Name: "Tunnel5", VRF: 2, Up: true, MTU: 1400, Addrs: []netip.Prefix{pfx("10.5.0.11/24")}, Tunnel: &rib.Tunnel{ID: 2, OuterVRF: 1, Local: addr("192.168.11.1")}},
	}
	s.Fastpath = fastpath.Snapshot{Generation: 42, Adjacencies: map[fib.AdjID]fastpath.Count{
		20: {Packets: 12, Bytes: 1488}, 21: {Packets: 5, Bytes: 420}, 22: {Packets: 1, Bytes: 84},
	}}
	return s
}

func vpnRoutes() []rib.Route {
	bgpVia := []rib.NextHop{{Addr: addr("10.255.0.12"), Labels: mustLabels(18), Elsewhere: true}}
	return []rib.Route{
		{Prefix: pfx("0.0.0.0/0"), Source: rib.BGP, Distance: 20, Metric: 5, Since: ago(26 * time.Hour), Via: []rib.NextHop{{Addr: addr("192.168.11.2")}}, Hops: []rib.NextHop{{Iface: "Ethernet1/0", Addr: addr("192.168.11.2")}}},
		{Prefix: pfx("10.77.0.0/16"), Source: rib.BGP, Distance: 200, Since: ago(time.Minute), Via: []rib.NextHop{{Elsewhere: true, Table: 1}}, Hops: []rib.NextHop{{Elsewhere: true, Table: 1}}},
		{Prefix: pfx("192.168.11.0/24"), Source: rib.Connected, Hops: []rib.NextHop{{Iface: "Ethernet1/0"}}},
		{Prefix: pfx("192.168.11.1/32"), Source: rib.Local, Hops: []rib.NextHop{{Iface: "Ethernet1/0"}}},
		{Prefix: pfx("192.168.12.0/24"), Source: rib.BGP, Distance: 200, Tag: 9, Since: ago(2 * time.Second), Via: bgpVia, Hops: []rib.NextHop{{Iface: "Tunnel1", Addr: addr("10.0.0.1"), Labels: mustLabels(17, 18)}}},
		{Prefix: pfx("192.168.13.0/24"), Source: rib.Static, Distance: 1, Via: []rib.NextHop{{Addr: addr("192.168.11.9")}}, Hops: []rib.NextHop{{Iface: "Ethernet1/0", Addr: addr("192.168.11.9")}}},
	}
}

func labelPath(iface, a string, out ...uint32) rib.LabelPath {
	p := rib.LabelPath{Iface: iface, Out: out}
	if a != "" {
		p.Addr = addr(a)
	}
	return p
}

// labelEntries has one of every kind.
func labelEntries() []Label {
	one := func(in uint32, bytes uint64, u rib.LabelUse, paths ...rib.LabelPath) Label {
		return Label{LabelEntry: rib.LabelEntry{In: in, LabelUse: u, Paths: paths}, Count: fastpath.Count{Packets: bytes / 100, Bytes: bytes}}
	}
	foreign := one(524301, 123456789, rib.LabelUse{Swap: true, Prefix: pfx("192.168.12.0/24"), Hop: rib.NextHop{Addr: addr("10.255.0.12"), Labels: mustLabels(18)}}, labelPath("Tunnel1", "10.0.0.1", 17, 18))
	foreign.RD = mustRD("65000:1")
	leaves := one(18, 50, rib.LabelUse{Swap: true, Prefix: pfx("10.98.0.0/16")}, labelPath("Tunnel1", "10.0.0.2"))
	leaves.Leaves = true
	return []Label{
		one(16, 0, rib.LabelUse{Swap: true, Prefix: pfx("10.255.0.1/32")}, labelPath("Tunnel1", "10.0.0.1")),
		one(17, 8400, rib.LabelUse{Swap: true, Prefix: pfx("10.255.0.12/32")}, labelPath("Tunnel1", "10.0.0.1", 17), labelPath("Ethernet0/0", "192.0.2.9", 33)),
		leaves, one(19, 0, rib.LabelUse{Swap: true, Prefix: pfx("10.99.0.0/16")}),
		one(524296, 700, rib.LabelUse{Lookup: true, VRF: 2, Prefix: pfx("192.168.11.0/24")}),
		one(524297, 0, rib.LabelUse{Lookup: true, VRF: 1}),
		one(524300, 90, rib.LabelUse{Forward: true, VRF: 2, Prefix: pfx("192.168.13.0/24")}, labelPath("Ethernet1/0", "192.168.11.9")),
		foreign,
	}
}

func ldpStatus() *slowpath.LDPStatus {
	hub, core, lost := ldp.ID{LSR: addr("10.255.0.1")}, ldp.ID{LSR: addr("10.255.0.9")}, ldp.ID{LSR: addr("10.255.0.66")}
	self := ldp.ID{LSR: addr("10.255.0.11")}
	heard := func(iface string, id ldp.ID, from string, hold time.Duration) ldp.AdjacencyStatus {
		return ldp.AdjacencyStatus{Iface: iface, Peer: id, Address: addr(from), Transport: id.LSR, Hold: hold, Proposed: 15 * time.Second, Since: ago(time.Hour), Expires: now.Add(12 * time.Second)}
	}
	port := func(a string, p uint16) netip.AddrPort { return netip.AddrPortFrom(addr(a), p) }
	onTunnel, onPort, quiet := heard("Tunnel1", hub, "10.0.0.1", 15*time.Second), heard("Ethernet0/0", core, "192.0.2.9", 0), heard("Ethernet0/0", lost, "192.0.2.66", 15*time.Second)
	return &slowpath.LDPStatus{
		ID: self, On: true, Drops: [ldp.NumDrops]uint64{ldp.DropMalformed: 3, ldp.DropTargeted: 1},
		Neighbors: []ldp.NeighborStatus{
			{Local: self, Peer: hub, LocalAddr: port("10.255.0.11", 11000), PeerAddr: port("10.255.0.1", 646), Active: true, State: ldp.StateOperational, Sent: 91, Received: 87, Since: ago(69 * time.Minute),
				KeepAlive: 90 * time.Second, MaxPDU: 4096, Sources: []ldp.AdjacencyStatus{onTunnel}, Addresses: []netip.Addr{addr("10.0.0.1"), addr("10.255.0.1"), addr("172.16.0.1"), addr("192.0.2.1"), addr("198.51.100.1")}, Bindings: 5},
			{Local: self, Peer: core, LocalAddr: port("10.255.0.11", 646), PeerAddr: port("10.255.0.9", 40001), Signed: true, State: ldp.StateOperational, Sent: 5, Received: 6, Since: ago(94 * time.Second),
				KeepAlive: 60 * time.Second, MaxPDU: 1500, Sources: []ldp.AdjacencyStatus{onPort}, Addresses: []netip.Addr{addr("192.0.2.9")}},
			{Local: self, Peer: lost, LocalAddr: port("10.255.0.11", 0), PeerAddr: port("10.255.0.66", 0), State: ldp.StateNone, Retry: now.Add(17 * time.Second), Refused: 3, Sources: []ldp.AdjacencyStatus{quiet}},
		},
		Discovery: []ldp.DiscoveryStatus{
			{Iface: "Ethernet0/0", Running: true, Transport: addr("10.255.0.11"), Interval: 5 * time.Second, Hold: 15 * time.Second, Sent: 720, Received: 800, Adjacencies: []ldp.AdjacencyStatus{onPort, quiet}},
			{Iface: "Ethernet7/0", Interval: 5 * time.Second, Hold: 15 * time.Second},
			{Iface: "Tunnel1", Running: true, Transport: addr("10.255.0.11"), Interval: 5 * time.Second, Hold: 15 * time.Second, Sent: 700, Received: 699, Adjacencies: []ldp.AdjacencyStatus{onTunnel}},
		},
		Bindings: []ldp.BindingStatus{
			{Prefix: pfx("10.0.0.0/24"), Revision: 6, Local: ldp.ImplicitNull, HasLocal: true, Route: true, Remote: []ldp.RemoteBinding{{Peer: hub, Label: ldp.ImplicitNull}}},
			{Prefix: pfx("10.255.0.1/32"), Revision: 8, Local: 16, HasLocal: true, Route: true, Remote: []ldp.RemoteBinding{{Peer: hub, Label: ldp.ImplicitNull, InUse: true}}},
			{Prefix: pfx("10.255.0.12/32"), Revision: 10, Local: 17, HasLocal: true, Route: true, Remote: []ldp.RemoteBinding{{Peer: hub, Label: 17, InUse: true}, {Peer: core, Label: 33, InUse: true}}},
			{Prefix: pfx("172.31.0.0/16"), Remote: []ldp.RemoteBinding{{Peer: core, Label: ldp.ExplicitNull}}},
		},
	}
}

func bgpNeighbours() []bgp.NeighbourStatus {
	port := func(a string, p uint16) netip.AddrPort { return netip.AddrPortFrom(addr(a), p) }
	caps := []bgp.Capability{
		{Name: "route-refresh", Advertised: true, Received: true}, {Name: "cisco-route-refresh", Received: true}, {Name: "4-octet-as", Advertised: true, Received: true},
		{Name: "graceful-restart", Advertised: true}, {Name: "multiprotocol", Family: bgp.IPv4Unicast, Advertised: true, Received: true}, {Name: "multiprotocol", Family: bgp.VPNv4, Advertised: true, Received: true},
		{Name: "multiprotocol ipv6-unicast", Received: true},
	}
	return []bgp.NeighbourStatus{
		{Address: addr("10.255.0.1"), Description: "the hub", RemoteAS: 65000, LocalAS: 65000, RouterID: addr("10.255.0.1"), State: bgp.Established, Since: ago(129 * time.Second),
			Local: port("10.255.0.11", 179), Remote: port("10.255.0.1", 12365), Hold: 180 * time.Second, Keepalive: 60 * time.Second, Signed: true, QueuedOut: 2,
			Sent: bgp.Messages{Opens: 1, Updates: 4, Keepalives: 4, Total: 9}, Received: bgp.Messages{Opens: 1, Updates: 5, Keepalives: 4, Refreshes: 1, Total: 11}, Capabilities: caps,
			Families: []bgp.FamilyStatus{
				{Activation: bgp.Activation{Family: bgp.IPv4Unicast}},
				{Activation: bgp.Activation{Family: bgp.VPNv4, SendCommunity: true, SendExtended: true, NextHopSelf: true, Out: "NEXTHOP", In: "FILTER", MaxPrefixes: 500}, Received: 7, Accepted: 5, Advertised: 2},
			},
			TCP: &bgp.TCP{LastRead: 8 * time.Second, LastWrite: 9 * time.Second, SRTT: 1650 * time.Microsecond, RTTVar: 300 * time.Microsecond, RTO: 201 * time.Millisecond, MinRTT: 40 * time.Microsecond, MSS: 1348,
				PathMTU: 1400, SendWindow: 64256, ReceiveSpace: 14480, Unacked: 1, Unsent: 19, Retransmitted: 3, SegmentsIn: 20, SegmentsOut: 18, DataSegmentsIn: 11, DataSegmentsOut: 9, BytesReceived: 545, BytesAcked: 489, ECN: true}},
		{Address: addr("10.255.0.30"), RemoteAS: 65000, LocalAS: 65000, Client: true, Dynamic: true, RouterID: addr("10.255.0.30"), State: bgp.Active, Since: ago(3 * time.Hour), Flaps: 4, LastReset: "hold timer expired",
			LastDial: "connect: no route to host", LastDialAt: ago(12 * time.Second), Hold: 180 * time.Second, Keepalive: 60 * time.Second, Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.VPNv4, SendExtended: true}}}},
		{Address: addr("10.255.0.31"), RemoteAS: 4200000000, LocalAS: 65000, External: true, State: bgp.Idle, Shutdown: true, Hold: 30 * time.Second, Keepalive: 10 * time.Second,
			Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.IPv4Unicast, SendCommunity: true}}}},
		{VRF: "red", Address: addr("192.168.11.2"), RemoteAS: 65011, LocalAS: 65000, External: true, RouterID: addr("192.168.11.2"), State: bgp.Established, Since: ago(26 * time.Hour), Hold: 180 * time.Second, Keepalive: 60 * time.Second,
			Local: port("192.168.11.1", 41000), Remote: port("192.168.11.2", 179), Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.IPv4Unicast}, Received: 1, Accepted: 1, Advertised: 2}}},
		{VRF: "red", Address: addr("192.168.11.3"), RemoteAS: 65012, LocalAS: 65000, External: true, State: bgp.Idle, OverLimit: true, Flaps: 1, Since: ago(time.Hour), Hold: 180 * time.Second, Keepalive: 60 * time.Second,
			Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.IPv4Unicast}}}},
	}
}

func bgpStatus() *bgp.Status {
	return &bgp.Status{
		AS: 65000, RouterID: addr("10.255.0.11"), ClusterID: addr("10.255.0.11"), Version: 9, Labels: 1, Unlabelled: 2, Neighbours: bgpNeighbours(),
		VRFs: []bgp.VRFStatus{{Name: "blue", RD: mustRD("65000:2"), Imported: 1, Local: 1}, {Name: "red", RD: mustRD("65000:1"), Imported: 1, Learned: 1, Local: 2}},
	}
}

// vpnPaths are VPN paths of two VRFs with the same prefixes, and of one that is elsewhere.
func vpnPaths() []bgp.PathStatus {
	red, blue, far := mustRD("65000:1"), mustRD("65000:2"), mustRD("192.0.2.1:7")
	own := func(rd bgp.RD, vrf string, label uint32, origin bgp.Origin) bgp.PathStatus {
		return bgp.PathStatus{RD: rd, Prefix: pfx("192.168.11.0/24"), VRF: vrf, Best: true, Own: true, NextHop: addr("0.0.0.0"), Labels: []uint32{label}, LocalPref: 100, Origin: origin, Extended: []bgp.RouteTarget{bgp.RouteTarget(mustRT("65000:1"))}}
	}
	learned := func(rd bgp.RD, p, hop string, label uint32) bgp.PathStatus {
		return bgp.PathStatus{RD: rd, Prefix: pfx(p), Best: true, NextHop: addr(hop), Labels: []uint32{label}, LocalPref: 100, Origin: bgp.OriginIncomplete, Neighbour: addr("10.255.0.1"),
			Extended: []bgp.RouteTarget{mustRT("65000:1"), mustRT("65000:1") | 1<<48, 0x4300_0000_0000_0001, 0x8801_000a_0000_6400}, Originator: addr("10.255.0.12"), Communities: []uint32{65000<<16 | 5, 0xffffff01}, Since: ago(2 * time.Second)}
	}
	second := learned(red, "192.168.12.0/24", "10.255.0.30", 40)
	second.Best, second.Neighbour, second.Stale, second.Originator = false, addr("10.255.0.30"), true, addr("10.255.0.30")
	swapped := learned(far, "10.104.192.208/29", "10.255.0.66", 99)
	swapped.OurLabel, swapped.ASPath, swapped.Metric = 524301, []uint32{65011, 65012}, 7
	external := bgp.PathStatus{RD: red, Prefix: pfx("0.0.0.0/0"), VRF: "", Best: true, NextHop: addr("192.168.11.2"), LocalPref: 100, Neighbour: addr("192.168.11.2"), External: true, ASPath: []uint32{65011}, Metric: 5}
	return []bgp.PathStatus{
		external, own(red, "red", 524296, bgp.OriginIncomplete), learned(red, "192.168.12.0/24", "10.255.0.12", 18), second,
		own(blue, "blue", 524297, bgp.OriginIGP), learned(blue, "192.168.12.0/24", "10.255.0.12", 19), swapped,
	}
}

// globalPaths are paths without route distinguishers.
func globalPaths() []bgp.PathStatus {
	return []bgp.PathStatus{
		{Prefix: pfx("10.1.0.0/16"), Best: true, Own: true, NextHop: addr("0.0.0.0"), LocalPref: 100, Origin: bgp.OriginIGP},
		{Prefix: pfx("10.2.0.0/16"), Best: true, NextHop: addr("10.255.0.12"), LocalPref: 150, Origin: bgp.OriginEGP, Neighbour: addr("10.255.0.1"), Originator: addr("10.255.0.12"), Since: ago(26 * time.Hour)},
		{Prefix: pfx("10.2.0.0/16"), NextHop: addr("10.255.0.31"), LocalPref: 100, External: true, ASPath: []uint32{4200000000, 65012}, Origin: bgp.OriginIGP, Neighbour: addr("10.255.0.31")},
	}
}

func vpnAnswer() *Answer {
	return &Answer{
		Routes: vpnRoutes(), Labels: labelEntries(), LDP: ldpStatus(), BGP: bgpStatus(), Neighbours: bgpNeighbours(), Paths: vpnPaths(),
		Hops: []Hop{{addr("10.255.0.66"), rib.ReachNoLabel}},
		CEF:  &CEF{Prefix: pfx("192.168.12.0/24"), Paths: []CEFPath{{Path: rib.Path{LabelPath: labelPath("Tunnel1", "10.0.0.1", 17, 18), Adjacency: 20, NextHop: addr("10.255.0.12")}, Through: pfx("10.255.0.12/32")}}},
	}
}
