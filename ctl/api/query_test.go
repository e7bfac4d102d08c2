package api

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/ldp"
	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/rib"
)

// fullAnswer has a value that is not zero in every field of every kind that an Answer has.
func fullAnswer(t *testing.T) show.Answer {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	a, p := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix("10.0.0.0/24")
	labels, ok := rib.LabelsOf(17, 18)
	if !ok {
		t.Fatal("labels")
	}
	hop := rib.NextHop{Iface: "Tunnel0", Addr: a, Labels: labels, Elsewhere: true, Table: 1, Share: 3}
	path := rib.LabelPath{Out: []uint32{17}, Iface: "Tunnel0", Addr: a}
	id := ldp.ID{LSR: a, Space: 1}
	port := netip.AddrPortFrom(a, 646)
	heard := ldp.AdjacencyStatus{Iface: "Tunnel0", Peer: id, Address: a, Transport: a, Hold: 1, Proposed: 2, Expires: at, Since: at}
	ans := show.Answer{
		Routes: []rib.Route{{Prefix: p, Source: rib.BGP, Distance: 200, Metric: 1, Tag: 2, Hops: []rib.NextHop{hop}, Via: []rib.NextHop{hop}, Since: at, Process: 1, External: true}},
		CEF:    &show.CEF{Prefix: p, Local: 16, HasLocal: true, Dependencies: 3, Paths: []show.CEFPath{{Path: rib.Path{LabelPath: path, Adjacency: 17, NextHop: a, Slots: 5}, Through: p, Leak: "red"}}},
		Labels: []show.Label{{LabelEntry: rib.LabelEntry{In: 16, LabelUse: rib.LabelUse{Lookup: true, Forward: true, Swap: true, VRF: 1, Prefix: p, Hop: hop}, Paths: []rib.LabelPath{path}, Leaves: true},
			Count: fastpath.Count{Packets: 1, Bytes: 2}, RD: 1<<32 | 1}},
		LDP: &slowpath.LDPStatus{
			ID: id, On: true, Drops: [ldp.NumDrops]uint64{1, 2},
			Neighbors: []ldp.NeighborStatus{{Local: id, Peer: id, LocalAddr: port, PeerAddr: port, Active: true, Signed: true, State: ldp.StateOperational, Sent: 1, Received: 2, Since: at,
				KeepAlive: 3, MaxPDU: 4, Retry: at, Refused: 5, FT: &ldpmsg.FTSession{Flags: 1, Reconnect: 2, Recovery: 3}, Sources: []ldp.AdjacencyStatus{heard}, Addresses: []netip.Addr{a}, Bindings: 6}},
			Discovery: []ldp.DiscoveryStatus{{Iface: "Tunnel0", Running: true, Transport: a, Interval: 1, Hold: 2, Sent: 3, Received: 4, Adjacencies: []ldp.AdjacencyStatus{heard}}},
			Bindings: []ldp.BindingStatus{{Prefix: p, Revision: 1, Local: 2, HasLocal: true, Route: true, Remote: []ldp.RemoteBinding{{Peer: id, Label: 3, InUse: true}},
				Paths: []ldp.PathStatus{{NextHop: ldp.NextHop{Iface: "Tunnel0", Addr: a}, Out: 4}}}},
		},
		Neighbours: []bgp.NeighbourStatus{fullNeighbour(a, at)},
		Paths: []bgp.PathStatus{{RD: 1<<63 | 1, Prefix: p, VRF: "red", Best: true, Stale: true, Own: true, Imported: true, NextHop: a, Labels: []uint32{18}, OurLabel: 19, Metric: 1, LocalPref: 2,
			ASPath: []uint32{4200000000}, Origin: bgp.OriginIncomplete, Communities: []uint32{1}, Extended: []bgp.RouteTarget{1<<63 | 2}, Originator: a, Neighbour: a, External: true, Since: at}},
		Hops: []show.Hop{{Addr: a, Why: rib.ReachNoLabel}}, EIGRP: []slowpath.EIGRPStatus{fullEIGRP(a, p, at)},
		ARP: []show.Neighbour{{VRF: "red", Iface: "Ethernet0", Addr: a, MAC: [6]byte{1}, OK: true, Own: true, Kept: true, Age: 1}},
	}
	ans.BGP = &bgp.Status{AS: 1, RouterID: a, ClusterID: a, Neighbours: ans.Neighbours, Labels: 2, Strangers: 3, Unlabelled: 4, Version: 5,
		VRFs: []bgp.VRFStatus{{Name: "red", RD: 1, Import: []bgp.RouteTarget{1}, Export: []bgp.RouteTarget{2}, Imported: 1, Learned: 2, Local: 3}}}
	return ans
}

func fullNeighbour(a netip.Addr, at time.Time) bgp.NeighbourStatus {
	m := bgp.Messages{Opens: 1, Updates: 2, Notifications: 3, Keepalives: 4, Refreshes: 5, Total: 15}
	return bgp.NeighbourStatus{
		VRF: "red", Address: a, Description: "d", RemoteAS: 1, LocalAS: 2, External: true, Dynamic: true, Client: true, Passive: true, RouterID: a, State: bgp.Established,
		Shutdown: true, OverLimit: true, Since: at, Local: netip.AddrPortFrom(a, 179), Remote: netip.AddrPortFrom(a, 1), UpdateSource: a, Hold: 1, Keepalive: 2, Sent: m, Received: m,
		QueuedOut: 3, Flaps: 4, LastReset: "r", LastDial: "d", LastDialAt: at, Signed: true,
		Capabilities: []bgp.Capability{{Name: "multiprotocol", Family: bgp.VPNv4, Advertised: true, Received: true}},
		Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.VPNv4, NextHopSelf: true, SendCommunity: true, SendExtended: true, In: "i", Out: "o", MaxPrefixes: 1, WarnPercent: 2},
			Received: 3, Accepted: 4, Advertised: 5}},
		TCP: &bgp.TCP{LastRead: 1, LastWrite: 2, SRTT: 3, RTTVar: 4, MinRTT: 5, RTO: 6, MSS: 7, PathMTU: 8, SendWindow: 9, ReceiveSpace: 10, Unacked: 11, Unsent: 12, Retransmitted: 13,
			SegmentsIn: 14, SegmentsOut: 15, DataSegmentsIn: 16, DataSegmentsOut: 17, BytesReceived: 18, BytesAcked: 19, ECN: true},
	}
}

func fullEIGRP(a netip.Addr, p netip.Prefix, at time.Time) slowpath.EIGRPStatus {
	n := eigrp.Packets{Hellos: 1, Updates: 2, Queries: 3, Replies: 4, Acks: 5, SIAQueries: 6, SIAReplies: 7}
	return slowpath.EIGRPStatus{
		Key: slowpath.EIGRPKey{VRF: 1, AS: 2}, Name: "n", Running: true, RouterID: a, Wide: true, K: [6]uint8{1, 2, 3, 4, 5, 6}, Variance: 1, MaximumPaths: 2, MaximumHops: 3, Internal: 4, External: 5, ActiveTime: 6,
		ActiveDisabled: true, AutoSummary: true, Stub: true, Connected: true, Static: true, Summary: true, Redistributed: true, ReceiveOnly: true,
		Sources: []slowpath.EIGRPSourceStatus{{Source: rib.EIGRP, Process: 1, Routes: 2}},
		Neighbors: []eigrp.NeighborStatus{{Iface: "Tunnel0", Addr: a, Up: true, Resyncing: true, Since: at, Hold: 1, Expires: at, SRTT: 2, RTO: 3, Queue: 4, Sequence: 5, Retransmits: 6, Retries: 7, Prefixes: 8,
			Software: eigrpmsg.Software{Major: 1, Minor: 2, TLVMajor: 3, TLVMinor: 4}, Stub: true, StubFlags: eigrpmsg.StubSummary}},
		Interfaces: []eigrp.InterfaceStatus{{Name: "Tunnel0", Running: true, Passive: true, Neighbors: 1, Queue: 2, Pending: 3, SRTT: 4, Hello: 5, Hold: 6, SplitHorizon: true, NextHopSelf: true, Auth: eigrp.AuthMD5,
			HelloSent: 7, HelloRecv: 8, Multicasts: 9, Unicasts: 10, Acks: 11, Pacing: 12}},
		Topology: []eigrp.TopologyStatus{{Prefix: p, Active: true, Pending: true, Origin: 1, Since: at, FD: 1<<64 - 1, Successors: 2, Waiting: []netip.Addr{a}, Paths: []eigrp.PathStatus{{
			Kind: "neighbor", Iface: "Tunnel0", Hop: a, From: a, Distance: 1<<64 - 1, Reported: 1<<63 + 1, Metric: eigrpmsg.Metric{Delay: 1, Bandwidth: 2, MTU: 3, Hops: 4, Reliability: 5, Load: 6, Tag: 7, Flags: 8}, Wide: true,
			External: &eigrpmsg.External{Router: a, AS: 1, Tag: 2, Metric: 3, Reserved: 4, Protocol: eigrpmsg.FromBGP, Flags: 5}, Successor: true, Feasible: true}}}},
		Traffic: eigrp.Traffic{Sent: n, Received: n, Retransmitted: 1, Duplicates: 2, AuthFailures: 3, Malformed: 4},
	}
}

func TestAnswerSurvives(t *testing.T) {
	b := &box{answer: fullAnswer(t)}
	if z := zeros(reflect.ValueOf(b.answer), "Answer"); len(z) > 0 {
		t.Errorf("the sample leaves out %v", z)
	}
	socket, _ := serve(t, b)
	c := NewClient(socket)
	want := show.Query{
		Table: show.TablePaths, VRF: "red", Dest: netip.MustParsePrefix("10.0.0.0/24"), Exact: true, Neighbour: netip.MustParseAddr("192.0.2.1"), From: show.Advertised,
		Family: bgp.VPNv4, RD: 1<<63 | 1, AS: 65535,
	}
	got, err := c.Query(want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, b.answer) {
		t.Errorf("an answer came as\n%+v\nand was\n%+v", *got, b.answer)
	}
	b.answer = show.Answer{}
	if got, err = c.Query(show.Query{Table: show.TableCEF}); err != nil || !reflect.DeepEqual(*got, b.answer) {
		t.Errorf("the zero answer came as %+v, %v", got, err)
	}
	if len(b.asked) != 2 || b.asked[0] != want || b.asked[1] != (show.Query{Table: show.TableCEF}) {
		t.Errorf("asked %+v", b.asked)
	}
	b.err = show.ErrNoBGP
	if _, err := c.Query(want); err == nil || err.Error() != show.ErrNoBGP.Error() {
		t.Errorf("an error came as %v", err)
	}
}

func TestBadQueries(t *testing.T) {
	b := &box{err: errors.New("asked")}
	socket, _ := serve(t, b)
	for _, body := range []string{"", "{", "[]", `{"table":"routes","colour":"red"}`, `{"dest":"10.0.0.0/33"}`, `{"neighbor":"x"}`} {
		if status, text := raw(t, socket, "POST", "/v1/query", body); status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", body, status, text)
		}
	}
	if len(b.asked) != 0 {
		t.Errorf("bad queries were asked: %+v", b.asked)
	}
}
