package nhrp

import (
	"bytes"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// mend makes size and checksum of a packet right.
func mend(b []byte) []byte {
	b[10], b[11], b[12], b[13] = byte(len(b)>>8), byte(len(b)), 0, 0
	c := nhrpmsg.Checksum(b)
	b[12], b[13] = byte(c>>8), byte(c)
	return b
}

// Every error code that a node sends, with what makes it; the packet at fault comes back, at most one packet goes out.
func TestErrorCodes(t *testing.T) {
	valid := func(m nhrpmsg.Message) []byte {
		b, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	unknown := nhrpmsg.Extension{Compulsory: true, Type: 77}
	withUnknown := func(m nhrpmsg.Message) nhrpmsg.Message {
		m.Exts = append([]nhrpmsg.Extension{unknown}, m.Exts...)
		return m
	}
	toSpoke2 := resolution("10.0.0.11", "192.0.2.11", "10.0.0.12")
	visited := resolution("10.0.0.11", "192.0.2.11", "10.0.0.12")
	visited.Exts = requestExts(nhrpmsg.Extension{Type: nhrpmsg.ExtNAT})
	visited.Exts[1].AddEntry(nhrpmsg.CIE{NBMA: ip("203.0.113.1"), Proto: ip("10.0.0.1")})
	spent := toSpoke2
	spent.HopCount = 1
	big := toSpoke2
	big.Exts = append([]nhrpmsg.Extension{{Type: 99, Value: make([]byte, 1500)}}, big.Exts...)
	lost := toSpoke2
	lost.Type, lost.SrcProto, lost.SrcNBMA = nhrpmsg.ResolutionReply, ip("10.99.0.1"), ip("192.0.2.99")
	lost.CIEs = []nhrpmsg.CIE{{NBMA: ip("192.0.2.11"), Proto: ip("10.0.0.11")}}
	elsewhere := registration("10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.DstProto = ip("10.0.0.3") })
	empty := registration("10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.CIEs = nil })
	double := registration("10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.CIEs = append(m.CIEs, m.CIEs[0]) })
	notAsked := nhrpmsg.Message{
		Family: 1, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.ResolutionReply, RequestID: 4711,
		SrcNBMA: ip("192.0.2.1"), SrcProto: ip("10.0.0.1"), DstProto: ip("10.0.0.12"),
		CIEs: []nhrpmsg.CIE{{NBMA: ip("192.0.2.12"), Proto: ip("10.0.0.12"), HoldTime: 300}},
	}
	cutEntry := valid(toSpoke2)
	cutEntry[15] -= 3
	cutExt := valid(toSpoke2)
	cutExt = cutExt[:len(cutExt)-2]
	tests := []struct {
		name string
		p    []byte
		want nhrpmsg.ErrorCode
		drop DropReason
	}{
		{"registration with an unknown compulsory extension", valid(withUnknown(registration("10.0.0.11", "192.0.2.11"))), nhrpmsg.UnrecognizedExtension, DropExtension},
		{"request for us with an unknown compulsory extension", valid(withUnknown(resolution("10.0.0.11", "192.0.2.11", "10.0.0.1"))), nhrpmsg.UnrecognizedExtension, DropExtension},
		{"loop", valid(visited), nhrpmsg.LoopDetected, DropLoop},
		{"reply to nowhere", valid(lost), nhrpmsg.ProtocolUnreachable, DropNoRoute},
		{"registration with another", valid(elsewhere), nhrpmsg.ProtocolUnreachable, DropNoRoute},
		{"registration without an entry", valid(empty), nhrpmsg.ProtocolError, DropMalformed},
		{"unique registration of two", valid(double), nhrpmsg.ProtocolError, DropMalformed},
		{"entry cut off", mend(cutEntry), nhrpmsg.ProtocolError, DropMalformed},
		{"too large", valid(big), nhrpmsg.SizeExceeded, DropMalformed},
		{"extension cut off", mend(cutExt), nhrpmsg.InvalidExtension, DropMalformed},
		{"reply never asked for", valid(notAsked), nhrpmsg.InvalidResolutionReply, DropUnsolicited},
		{"hop count", valid(spent), nhrpmsg.HopCountExceeded, DropHopCount},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hub := solo(t, hubConfig(), nil)
			hub.give("192.0.2.12", registration("10.0.0.12", "192.0.2.12"))
			binds := len(hub.binds)
			out := hub.giveBytes("192.0.2.11", tt.p)
			if len(out) != 1 || out[0].Type != nhrpmsg.ErrorIndication || nhrpmsg.ErrorCode(out[0].Code) != tt.want {
				t.Fatalf("answers %+v", out)
			}
			e := out[0]
			if len(e.Exts) != 0 || e.SrcProto != ip("10.0.0.1") || e.SrcNBMA != ip("192.0.2.1") {
				t.Errorf("error %+v", e)
			}
			if !bytes.HasPrefix(tt.p, e.Packet) || len(e.Packet) < 40 {
				t.Errorf("carries %x", e.Packet)
			}
			if hub.drops(tt.drop) != 1 || len(hub.binds) != binds {
				t.Errorf("dropped %d; %d bindings", hub.drops(tt.drop), len(hub.binds))
			}
		})
	}
}

// What must not be answered at all.
func TestSilence(t *testing.T) {
	hub := solo(t, hubConfig(), nil)
	m := registration("10.0.0.11", "192.0.2.11")
	reg, _ := m.Append(nil)
	flipped := bytes.Clone(reg)
	flipped[30] ^= 1
	mars := bytes.Clone(reg)
	mars[16] = 0
	other := registration("10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.Type = 99 })
	otherBytes, _ := other.Append(nil)
	six := nhrpmsg.Message{
		Family: 1, Protocol: nhrpmsg.ProtocolIPv6, HopCount: 9, Type: nhrpmsg.RegistrationRequest,
		SrcNBMA: ip("192.0.2.11"), SrcProto: ip("fd00::1"), DstProto: ip("fd00::2"), CIEs: []nhrpmsg.CIE{{}},
	}
	sixBytes, _ := six.Append(nil)
	fault := nhrpmsg.Message{
		Family: 1, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.ErrorIndication, Code: 3,
		SrcNBMA: ip("192.0.2.11"), SrcProto: ip("10.0.0.11"), DstProto: ip("10.0.0.1"), Packet: reg,
	}
	faultBytes, _ := fault.Append(nil)
	fault.DstProto = ip("10.55.0.1") // for nobody
	lostFault, _ := fault.Append(nil)
	fault.SrcProto = ip("10.0.0.1") // from ourselves, they say
	ownFault, _ := fault.Append(nil)
	for name, p := range map[string][]byte{
		"nothing": nil, "short": reg[:27], "flipped": flipped, "MARS": mars, "type": otherBytes, "IPv6": sixBytes,
		"error": faultBytes, "error for nobody": lostFault, "our own error": ownFault,
	} {
		if out := hub.giveBytes("192.0.2.11", p); len(out) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	tr := hub.m.Status(hub.net.now).Interfaces[0].Traffic
	if tr.Drops[DropChecksum] != 1 || tr.Drops[DropType] != 1 || tr.Drops[DropMalformed] != 4 || tr.Received[7] != 3 {
		t.Errorf("%+v", tr)
	}
	hub.giveEvent(Received{Iface: "Tunnel9", From: peerAt("192.0.2.11"), Payload: reg})
	if got := hub.m.Status(hub.net.now).Unknown; got != 1 {
		t.Errorf("%d for unknown interfaces", got)
	}
}

// A peer that answers errors with errors starts no storm: one packet out for one in, and none for an error.
func TestErrorStorm(t *testing.T) {
	hub := solo(t, hubConfig(), nil)
	bad := registration("10.0.0.11", "192.0.2.11", func(m *nhrpmsg.Message) { m.CIEs = nil })
	sent := 0
	for range 1000 {
		for _, e := range hub.give("192.0.2.11", bad) {
			sent++
			back := e
			back.SrcNBMA, back.SrcProto, back.DstProto = ip("192.0.2.11"), ip("10.0.0.11"), e.SrcProto
			back.Packet = bad.Packet
			if out := hub.give("192.0.2.11", back); len(out) != 0 {
				t.Fatalf("an error was answered with %+v", out)
			}
		}
	}
	if sent != errorBurst || hub.drops(DropErrorLimit) != 1000-errorBurst {
		t.Errorf("%d errors sent, %d held back", sent, hub.drops(DropErrorLimit))
	}
	hub.net.run(time.Second)
	if out := hub.give("192.0.2.11", bad); len(out) != 1 {
		t.Error("the limit does not let go")
	}
}

// Errors about our requests: the resolution counts as failed, a registration is tried again later.
func TestErrorsReceived(t *testing.T) {
	n, hub, sp := star(t, 1)
	n.quiet = true
	out := sp[0].giveEvent(Unresolved{Iface: "Tunnel0", Dst: ip("10.0.0.50")})
	req, _ := out[0].Append(nil)
	fault := hub.m.order[0].message(nhrpmsg.ErrorIndication, ip("10.0.0.11"))
	fault.Code, fault.Packet = uint16(nhrpmsg.LoopDetected), req[:40]
	forged := fault
	forged.Packet = bytes.Clone(req[:40])
	forged.Packet[27]++ // another request id
	sp[0].give("192.0.2.1", forged)
	if e, _ := sp[0].entry("10.0.0.50/32"); e.Type != TypeIncomplete {
		t.Errorf("a stranger's error counted: %+v", e)
	}
	unauthentic := fault
	unauthentic.Code = uint16(nhrpmsg.AuthenticationFailure)
	sp[0].give("192.0.2.1", unauthentic)
	if e, _ := sp[0].entry("10.0.0.50/32"); e.Type != TypeIncomplete {
		t.Errorf("an error that anybody can send counted: %+v", e)
	}
	sp[0].give("192.0.2.1", fault)
	if e, _ := sp[0].entry("10.0.0.50/32"); e.Type != TypeNegative {
		t.Errorf("%+v", e)
	}
	got := sp[0].logged(LogErrorReceived)
	if len(got) != 3 || got[0].Code != uint16(nhrpmsg.LoopDetected) || got[0].Protocol != ip("10.0.0.1") {
		t.Errorf("%+v", got)
	}
}

// A transit node passes what it does not understand, and does not enter itself; it ends on its hop count.
func TestTransit(t *testing.T) {
	hub := solo(t, hubConfig(), nil)
	hub.give("192.0.2.12", registration("10.0.0.12", "172.16.0.5"))
	req := resolution("10.0.0.11", "192.0.2.11", "10.0.0.12")
	req.Exts = append([]nhrpmsg.Extension{{Type: 99, Value: []byte{1}}}, req.Exts...)
	out := hub.give("192.0.2.11", req)
	if len(out) != 1 || out[0].HopCount != 254 || out[0].Exts[0].Type != 99 {
		t.Fatalf("passed on %+v", out)
	}
	list, err := out[0].Entries(out[0].Ext(nhrpmsg.ExtForwardTransit))
	if err != nil || len(list) != 1 || list[0].Proto != ip("10.0.0.1") || list[0].NBMA != ip("192.0.2.1") {
		t.Errorf("transit list %+v, %v", list, err)
	}
	reply := out[0]
	reply.Type, reply.HopCount = nhrpmsg.ResolutionReply, 255
	reply.CIEs = []nhrpmsg.CIE{{NBMA: ip("172.16.0.5"), Proto: ip("10.0.0.12"), HoldTime: 100}}
	hub.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))
	back := hub.give("192.0.2.12", reply)
	if len(back) != 1 || back[0].Type != nhrpmsg.ResolutionReply {
		t.Fatalf("passed back %+v", back)
	}
	list, _ = back[0].Entries(back[0].Ext(nhrpmsg.ExtReverseTransit))
	nat, _ := back[0].Entries(back[0].Ext(nhrpmsg.ExtNAT))
	if len(list) != 1 || len(nat) != 1 || nat[0].NBMA != ip("192.0.2.12") || nat[0].Proto != ip("10.0.0.12") {
		t.Errorf("reverse list %+v, NAT %+v", list, nat)
	}
	req.Exts = append([]nhrpmsg.Extension{{Compulsory: true, Type: 77}}, req.Exts...)
	out = hub.give("192.0.2.11", req)
	if len(out) != 1 || len(out[0].Ext(nhrpmsg.ExtForwardTransit).Value) != 0 || out[0].HopCount != 254 {
		t.Errorf("with a compulsory extension that is unknown: %+v", out)
	}
	same := resolution("10.0.0.12", "172.16.0.5", "10.0.0.12")
	if got := code(t, hub.give("192.0.2.12", same)); got != nhrpmsg.NoBinding {
		t.Errorf("a request for the asker itself: code %d", got)
	}
}

// Two hubs that each have the other as next hop: the request ends at the first that sees it twice.
func TestLoop(t *testing.T) {
	n := newNet(t)
	one := hubConfig(func(i *Interface) { i.Maps = []Map{{pfx("10.0.0.2/32"), ip("192.0.2.2")}} })
	two := Config{Interfaces: []Interface{tunnel(2)}}
	two.Interfaces[0].Maps = []Map{{pfx("10.0.0.1/32"), ip("192.0.2.1")}, {pfx("10.0.0.3/32"), ip("192.0.2.3")}}
	three := Config{Interfaces: []Interface{tunnel(3)}}
	three.Interfaces[0].Maps = []Map{{pfx("10.0.0.1/32"), ip("192.0.2.1")}}
	far := func(hop string) map[string]Route {
		return map[string]Route{"10.66.0.0/16": {Iface: "Tunnel0", NextHop: ip(hop)}}
	}
	h1 := n.add("hub1", one, far("10.0.0.2"))
	n.add("hub2", two, far("10.0.0.3"))
	n.add("hub3", three, far("10.0.0.1"))
	n.quiet = true
	h1.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))
	n.quiet = false
	h1.give("192.0.2.11", resolution("10.0.0.11", "192.0.2.11", "10.66.0.1"))
	n.run(time.Second)
	n.wantLadder("hub1>hub2 Resolution Request", "hub2>hub3 Resolution Request", "hub3>hub1 Resolution Request",
		"hub1>192.0.2.11 Error Indication")
	if len(h1.logged(LogLoop)) != 1 {
		t.Errorf("%+v", h1.logs)
	}
}
