package slowpath

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/rib"
)

// icmpOf checks that one packet was injected, an ICMP error, and returns it.
func icmpOf(t *testing.T, in []fastpath.Inject, typ, code uint8, from, to string) packet.ICMP {
	t.Helper()
	if len(in) != 1 || in[0].Kind != fastpath.InjectRoute {
		t.Fatalf("injected %+v, want one packet", in)
	}
	return icmpIn(t, in[0].Packet, typ, code, from, to)
}

func icmpIn(t *testing.T, b []byte, typ, code uint8, from, to string) packet.ICMP {
	t.Helper()
	p, fault := packet.ParseIPv4(b)
	if fault != packet.OK {
		t.Fatalf("no IPv4: %v", fault)
	}
	m, fault := packet.ParseICMP(p.Payload())
	if fault != packet.OK || m.Type() != typ || m.Code() != code {
		t.Fatalf("no ICMP %d/%d: %x", typ, code, b)
	}
	if src, dst := netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])); src != ip(from) || dst != ip(to) {
		t.Errorf("ICMP from %v to %v, want %s to %s", src, dst, from, to)
	}
	return m
}

func TestErrorsByReason(t *testing.T) {
	data := udp("10.1.0.7", "10.2.0.7", 1, 100)
	for _, c := range []struct {
		name      string
		punt      fastpath.Punt
		typ, code uint8
		from      string
		mtu       uint16
	}{
		{"TTL, by a port", fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: data}, 11, 0, "10.1.0.1", 0},
		{"TTL, out of a tunnel", fastpath.Punt{Reason: fastpath.TTLExpired, Port: wanPort, Tunnel: tunnelID, Packet: data}, 11, 0, "10.0.0.11", 0},
		{"too big", fastpath.Punt{Reason: fastpath.FragNeeded, Port: lanPort, MTU: 1400, Packet: data, Len: 1500}, 3, 4, "10.1.0.1", 1400},
		{"no route", fastpath.Punt{Reason: fastpath.Unroutable, Port: lanPort, Packet: data}, 3, 0, "10.1.0.1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.punt(c.punt)
			m := icmpOf(t, r.engine.take(), c.typ, c.code, c.from, "10.1.0.7")
			if !bytes.Equal(m.Body(), data) {
				t.Errorf("quoted %x, want %x", m.Body(), data)
			}
			if c.mtu != 0 && m.MTU() != c.mtu {
				t.Errorf("MTU %d, want %d", m.MTU(), c.mtu)
			}
			if s := r.Status().Packets; s.ICMPErrors != 1 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// TestErrorsLabelled: an error about a packet that a label took through here goes the way of the packet, whose source nobody here may know; one
// about a packet that was routed here goes by the routes of its VRF.
func TestErrorsLabelled(t *testing.T) {
	data := udp("10.1.0.7", "10.2.0.7", 1, 100)
	stack := []byte{0, 0x06, 0x40, 1, 0, 0x0c, 0x81, 9} // labels 100 and 200
	r := newRig(t, nil)
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: data, Stack: stack, Switched: true})
	in := r.engine.take()
	if len(in) != 1 || in[0].Kind != fastpath.InjectLabelled || !bytes.Equal(in[0].Packet[:8], []byte{0, 0x06, 0x4c, 255, 0, 0x0c, 0x8d, 255}) {
		t.Fatalf("injected %+v", in)
	}
	if m := icmpIn(t, in[0].Packet[8:], 11, 0, "10.1.0.1", "10.1.0.7"); !bytes.HasSuffix(m, stack) {
		t.Errorf("message %x", []byte(m))
	}
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, VRF: 3, Packet: data, Stack: stack})
	in = r.engine.take()
	if len(in) != 1 || in[0].Kind != fastpath.InjectRoute || in[0].VRF != 3 {
		t.Fatalf("injected %+v", in)
	}
	icmpOf(t, in, 11, 0, "10.1.0.1", "10.1.0.7")
}

// `no ip unreachables` silences a side, but for what path MTU discovery and traceroute live on.
func TestNoUnreachables(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Interfaces[1].NoUnreachables = true })
	data := udp("10.1.0.7", "10.2.0.7", 9, 10)
	r.punt(fastpath.Punt{Reason: fastpath.Unroutable, Port: lanPort, Packet: data})
	if in := r.engine.take(); len(in) != 0 {
		t.Errorf("unreachable sent: %+v", in)
	}
	r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, Port: lanPort, MTU: 1400, Packet: data})
	icmpOf(t, r.engine.take(), 3, 4, "10.1.0.1", "10.1.0.7")
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: data})
	icmpOf(t, r.engine.take(), 11, 0, "10.1.0.1", "10.1.0.7")
	r.punt(fastpath.Punt{Reason: fastpath.Unroutable, Tunnel: tunnelID, Packet: data})
	icmpOf(t, r.engine.take(), 3, 0, "10.0.0.11", "10.1.0.7")
}

// No error about what must not have one.
func TestNoErrorAbout(t *testing.T) {
	r := newRig(t, nil)
	icmpError := udp("10.1.0.7", "10.2.0.7", 1, 20)
	icmpError[9], icmpError[packet.IPv4Len] = 1, 3
	packet.IPv4(icmpError).SetSum()
	for name, b := range map[string][]byte{
		"an ICMP error": icmpError, "to a group": udp("10.1.0.7", "239.1.1.1", 1, 8), "from nobody": udp("0.0.0.0", "10.2.0.7", 1, 8),
		"truncated": udp("10.1.0.7", "10.2.0.7", 1, 8)[:19], "nothing": nil,
	} {
		r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: b})
		r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, MTU: 1400, Packet: b})
		if in := r.engine.take(); len(in) != 0 || len(r.host.delivered) != 0 {
			t.Errorf("%s: injected %+v, delivered %+v", name, in, r.host.delivered)
		}
	}
}

// An error about a packet of the box itself goes to its host stack, by the twin of the tunnel that the packet took.
func TestErrorToOwnHostStack(t *testing.T) {
	r := newRig(t, nil)
	own := udp("10.0.0.11", "10.0.0.1", 64, 1400)
	var adj fib.AdjID
	for _, u := range r.Adjacencies() {
		if u.NextHop == ip("10.0.0.1") {
			adj = u.Adjacency
		}
	}
	if adj == 0 {
		t.Fatal("no adjacency to the NHS")
	}
	r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, MTU: 1400, Adj: adj, Packet: own[:576], Len: len(own)})
	if in := r.engine.take(); len(in) != 0 {
		t.Errorf("sent: %+v", in)
	}
	if len(r.host.delivered) != 1 || r.host.delivered[0].tunnel != "Tunnel0" {
		t.Fatalf("delivered: %+v", r.host.delivered)
	}
	// Linux would drop it as coming from itself if it came from one of its addresses.
	if m := icmpIn(t, r.host.delivered[0].packet, 3, 4, "10.0.0.1", "10.0.0.11"); m.MTU() != 1400 {
		t.Errorf("MTU %d", m.MTU())
	}
}

func TestLocalGoesToTheTwin(t *testing.T) {
	r := newRig(t, nil)
	b := udp("10.0.0.12", "10.0.0.11", 9, 3)
	r.punt(fastpath.Punt{Reason: fastpath.Local, Port: wanPort, Tunnel: tunnelID, Packet: b})
	r.punt(fastpath.Punt{Reason: fastpath.Local, Port: wanPort, Packet: b})
	if len(r.host.delivered) != 1 || r.host.delivered[0].tunnel != "Tunnel0" || !bytes.Equal(r.host.delivered[0].packet, b) {
		t.Errorf("delivered: %+v", r.host.delivered)
	}
	if s := r.Status().Packets; s.Delivered != 1 || s.NotLocal != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestFragmentsAreReassembled(t *testing.T) {
	r := newRig(t, nil)
	whole := udp("203.0.113.5", "192.0.2.1", 60, 1300)
	whole[9] = protoGRE
	packet.IPv4(whole).SetSum()
	piece := func(from, to int, more bool) []byte {
		h := packet.Header{TTL: 60, Proto: protoGRE, ID: 77, Src: ip("203.0.113.5").As4(), Dst: ip("192.0.2.1").As4(), Flags: uint16(from / 8)}
		if more {
			h.Flags |= packet.FlagMF
		}
		b := make([]byte, packet.IPv4Len+to-from)
		h.Put(b, to-from)
		copy(b[packet.IPv4Len:], whole[packet.IPv4Len+from:packet.IPv4Len+to])
		return b
	}
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, Packet: piece(800, 1308, false)})
	if in := r.engine.take(); len(in) != 0 {
		t.Fatalf("injected a piece: %+v", in)
	}
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, Packet: piece(0, 800, true)})
	in := r.engine.take()
	if len(in) != 1 || in[0].Kind != fastpath.InjectInput || in[0].Port != wanPort || !bytes.Equal(in[0].Packet, whole) {
		t.Errorf("injected %+v", in)
	}
	// What no tunnel ends is the kernel's to put together.
	other := piece(0, 800, true)
	other[9] = 17
	packet.IPv4(other).SetSum()
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, Packet: other})
	if s := r.Status().Reassembly; s.Fragments != 2 {
		t.Errorf("reassembly took a fragment of UDP: %+v", s)
	}
	// One that stays incomplete is dropped in time.
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, Packet: piece(0, 800, true)})
	r.wait(time.Minute)
	if s := r.Status().Reassembly; s.TimedOut != 1 || s.Reassembled != 1 {
		t.Errorf("reassembly: %+v", s)
	}
}

func TestResolveAndRedirectReachNHRP(t *testing.T) {
	r := newRig(t, nil)
	data := udp("10.1.0.7", "10.2.0.7", 9, 100)
	adj := r.engine.to("10.2.0.7")
	if adj.Kind != fib.AdjGlean || adj.NextHop != ip("10.0.0.12") {
		t.Fatalf("the adjacency of an unknown next hop: %+v", adj)
	}
	r.punt(fastpath.Punt{Reason: fastpath.Resolve, Port: lanPort, Adj: adj.ID, NextHop: adj.NextHop, Packet: data})
	if m := r.nhrpSent(r.engine.take()); len(m) != 1 || m[0].Type != nhrpmsg.ResolutionRequest || m[0].DstProto != ip("10.0.0.12") {
		t.Errorf("sent: %+v", m)
	}
	r.punt(fastpath.Punt{Reason: fastpath.Redirect, Port: wanPort, Tunnel: tunnelID, OuterSrc: ip("203.0.113.5"), Packet: udp("10.5.0.7", "10.2.0.7", 9, 100)})
	in := r.engine.take()
	if m := r.nhrpSent(in); len(m) != 1 || m[0].Type != nhrpmsg.TrafficIndication {
		t.Fatalf("sent: %+v", m)
	}
	if p := packet.IPv4(in[0].Packet); netip.AddrFrom4([4]byte(p[16:20])) != ip("203.0.113.5") {
		t.Errorf("the indication goes to %v", p[16:20])
	}
	// What the router knows nothing about is ignored.
	r.punt(fastpath.Punt{Reason: fastpath.Resolve, Adj: 9999, Packet: data})
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Adj: 9999, Packet: data})
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Adj: adj.ID, Packet: data[:10]})
	r.punt(fastpath.Punt{Reason: fastpath.NHRP, Tunnel: 9, OuterSrc: ip("203.0.113.5"), Packet: data})
	r.punt(fastpath.Punt{Reason: fastpath.NHRP, Tunnel: tunnelID, OuterSrc: ip("203.0.113.5")})
	r.punt(fastpath.Punt{Reason: fastpath.NoRoute, Packet: data})
	if in := r.engine.take(); len(in) != 0 || r.Status().Packets.Held != 0 {
		t.Errorf("injected %+v; %+v", in, r.Status().Packets)
	}
}

// A registration, from the punted bytes to the packet that answers it.
func TestRegistrationIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	r.nhrpFrom("203.0.113.5", nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 1, Type: nhrpmsg.RegistrationRequest, RequestID: 7,
		SrcNBMA: ip("203.0.113.5"), SrcProto: ip("10.0.0.15"), DstProto: ip("10.0.0.11"),
		CIEs: []nhrpmsg.CIE{{PrefixLen: 32, MTU: 1400, HoldTime: 300}}, Exts: []nhrpmsg.Extension{{Type: nhrpmsg.ExtEnd, Compulsory: true}},
	})
	m := r.nhrpSent(r.engine.take())
	if len(m) != 1 || m[0].Type != nhrpmsg.RegistrationReply || m[0].RequestID != 7 || m[0].CIEs[0].Code != nhrpmsg.Success {
		t.Fatalf("answer: %+v", m)
	}
	if a := r.engine.to("10.0.0.15"); a.Kind != fib.AdjTunnel || !bytes.HasSuffix(a.Outer, []byte{192, 0, 2, 1, 203, 0, 113, 5}) {
		t.Errorf("the adjacency of the client: %+v", a)
	}
}

func TestPolice(t *testing.T) {
	r := newRig(t, nil)
	data := udp("10.1.0.7", "10.2.0.7", 1, 10)
	for range 500 {
		r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: data})
	}
	if n := len(r.engine.take()); n != 100 {
		t.Errorf("%d errors sent at once, want 100", n)
	}
	if s := r.Status(); s.Policed[fastpath.TTLExpired] != 400 {
		t.Errorf("%d refused", s.Policed[fastpath.TTLExpired])
	}
	r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, Port: lanPort, MTU: 1400, Packet: data})
	if n := len(r.engine.take()); n != 1 {
		t.Error("a flood of one reason keeps out another")
	}
	r.now = r.now.Add(100 * time.Millisecond)
	for range 500 {
		r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Packet: data})
	}
	if n := len(r.engine.take()); n != 20 {
		t.Errorf("%d errors after 100 ms, want 20", n)
	}
}

// The packets that carry NHRP, byte by byte.
func TestNHRPPacketBytes(t *testing.T) {
	payload := []byte{0xaa, 0xbb, 0xcc}
	for _, c := range []struct {
		tunnel rib.Tunnel
		want   string
	}{
		{rib.Tunnel{Local: ip("192.0.2.1"), Key: 700, HasKey: true}, "45c0001f" + "0007" + "0000" + "ff2f" + "bce1" + "c0000201" + "cb007105" + "20002001" + "000002bc" + "aabbcc"},
		{rib.Tunnel{Local: ip("192.0.2.1"), TTL: 5, TOS: 9}, "45c0001b" + "0007" + "0000" + "ff2f" + "bce5" + "c0000201" + "cb007105" + "00002001" + "aabbcc"},
	} {
		got := hex.EncodeToString(nhrpPacket(&c.tunnel, ip("203.0.113.5"), 7, payload))
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		b, _ := hex.DecodeString(got)
		if _, fault := packet.ParseIPv4(b); fault != packet.OK {
			t.Errorf("%s: %v", got, fault)
		}
	}
}

// NBMA addresses of IPv6, which a message may have, lead nowhere over IPv4: no entry, no packet, no panic.
func TestIPv6NBMA(t *testing.T) {
	r := newRig(t, nil)
	before := len(r.Status().NHRP.Entries)
	r.nhrpFrom("203.0.113.5", nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv6, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 1, Type: nhrpmsg.RegistrationRequest, RequestID: 7,
		SrcNBMA: ip("2001:db8::5"), SrcProto: ip("10.0.0.15"), DstProto: ip("10.0.0.11"),
		CIEs: []nhrpmsg.CIE{{PrefixLen: 32, MTU: 1400, HoldTime: 300}}, Exts: []nhrpmsg.Extension{{Type: nhrpmsg.ExtEnd, Compulsory: true}},
	})
	if after := len(r.Status().NHRP.Entries); after != before {
		t.Errorf("%d entries, then %d", before, after)
	}
	for _, i := range r.engine.take() {
		if _, fault := packet.ParseIPv4(i.Packet); fault != packet.OK {
			t.Errorf("injected %x", i.Packet)
		}
	}
}
