package nhrp

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/testbed/golden"
)

// received gives the box a captured packet.
func (b *box) received(p golden.NHRPPacket) []nhrpmsg.Message {
	return b.giveEvent(Received{Iface: "Tunnel0", From: nbma.Of(p.From), Payload: p.Payload})
}

func parsed(t *testing.T, p golden.NHRPPacket) nhrpmsg.Message {
	t.Helper()
	m, err := nhrpmsg.Parse(p.Payload)
	if err != nil {
		t.Fatalf("%s frame %d: %v", p.File, p.Frame, err)
	}
	return m
}

// What IOS answers to a registration, nave answers too: byte by byte.
func TestGoldenRegistration(t *testing.T) {
	tests := []struct {
		file, address, nbma string
		same                bool
	}{
		{"NHRP_registration.pcap", "155.1.0.5/24", "169.254.100.5", true},
		// Here IOS names another of its addresses as the responder.
		{"NHRP-responder-address.pcap", "155.1.0.6/24", "6.6.6.6", false},
	}
	for _, tt := range tests {
		hub := solo(t, Config{Interfaces: []Interface{{
			Name: "Tunnel0", Address: pfx(tt.address), NBMA: ip(tt.nbma), NetworkID: 1, Authentication: "NHRPAUTH", MTU: 17912,
		}}}, nil)
		pkts := golden.NHRP(t, tt.file)
		for i := 0; i+1 < len(pkts); i += 2 {
			out := hub.received(pkts[i])
			if len(out) != 1 {
				t.Fatalf("%s: %d answers", tt.file, len(out))
			}
			got, _ := out[0].Append(nil)
			if same := bytes.Equal(got, pkts[i+1].Payload); same != tt.same {
				t.Errorf("%s frame %d:\nnave %x\nIOS  %x", tt.file, pkts[i].Frame, got, pkts[i+1].Payload)
			}
			want := parsed(t, pkts[i+1])
			want.Exts[0], out[0].Exts[0] = nhrpmsg.Extension{}, nhrpmsg.Extension{}
			if !reflect.DeepEqual(out[0], want) {
				t.Errorf("%s frame %d:\nnave %+v\nIOS  %+v", tt.file, pkts[i].Frame, out[0], want)
			}
		}
		req := parsed(t, pkts[0])
		if got := hub.at(host(req.SrcProto).String()); got != pkts[0].From {
			t.Errorf("%s: bound to %v", tt.file, got)
		}
	}
}

// FRR's registrations, static and to an unknown server.
func TestGoldenFRRRegistration(t *testing.T) {
	for _, file := range []string{"frr8.4-nhrp-plain.pcap", "frr8.4-reg-static-nhs-nounique.pcap"} {
		hub := solo(t, Config{Interfaces: []Interface{{
			Name: "Tunnel0", Address: pfx("10.255.0.1/32"), NBMA: ip("192.0.2.1"), NetworkID: 1, HoldTime: 300 * time.Second,
		}}}, nil)
		n := 0
		for _, p := range golden.NHRP(t, file) {
			m := parsed(t, p)
			if m.Type != nhrpmsg.RegistrationRequest {
				continue
			}
			n++
			out := hub.received(p)
			if len(out) != 1 || out[0].Type != nhrpmsg.RegistrationReply || out[0].CIEs[0].Code != nhrpmsg.Success || out[0].DstProto != ip("10.255.0.1") {
				t.Errorf("%s frame %d: %+v", file, p.Frame, out)
			}
			if got := hub.at(host(m.SrcProto).String()); got != p.From {
				t.Errorf("%s: %v is bound to %v", file, m.SrcProto, got)
			}
			if len(out) == 1 && len(out[0].Exts) != len(m.Exts) {
				t.Errorf("%s: extensions %+v became %+v", file, m.Exts, out[0].Exts)
			}
		}
		if n == 0 {
			t.Errorf("%s: no registration", file)
		}
	}
}

// The Phase 3 trace of IOS, with nave in each of the three places in turn.
func TestGoldenPhase3(t *testing.T) {
	trace := golden.NHRP(t, "nhrp-trace.pcap")
	at := func(address, nbma string, edit func(*Interface)) *box {
		i := Interface{
			Name: "Tunnel0", Address: pfx(address), NBMA: ip(nbma), NetworkID: 1, Authentication: "secret", MTU: 1514,
			Shortcut: true, Redirect: true,
			Maps: []Map{{pfx("10.255.255.1/32"), ip("192.168.200.1")}},
		}
		edit(&i)
		return solo(t, Config{Interfaces: []Interface{i}}, nil)
	}
	spokes := []Map{{pfx("10.255.255.2/32"), ip("192.168.200.2")}, {pfx("10.255.255.3/32"), ip("192.168.200.3")}}

	hub := at("10.255.255.1/24", "192.168.200.1", func(i *Interface) { i.Maps = spokes })
	want := parsed(t, trace[0])
	out := hub.giveEvent(RedirectWanted{Iface: "Tunnel0", From: peerAt("192.168.200.3"), Packet: append(bytes.Clone(want.Packet), make([]byte, 72)...)})
	if got, _ := out[0].Append(nil); !bytes.Equal(got, trace[0].Payload) {
		t.Errorf("redirect:\nnave %x\nIOS  %x", got, trace[0].Payload)
	}
	out = hub.received(trace[1])
	if len(out) != 1 {
		t.Fatalf("passed on %+v", out)
	}
	// Alike but for the hold time that IOS 12.4 gives in transit entries.
	fwd := parsed(t, trace[2])
	if got, err := out[0].Entries(out[0].Ext(nhrpmsg.ExtForwardTransit)); err != nil || got[0].NBMA != ip("192.168.200.1") || got[0].MTU != 1514 || got[0].PrefixLen != 0 {
		t.Errorf("transit %+v, %v", got, err)
	}
	fwd.Ext(nhrpmsg.ExtForwardTransit).Value, out[0].Ext(nhrpmsg.ExtForwardTransit).Value = nil, nil
	if !reflect.DeepEqual(out[0], fwd) {
		t.Errorf("passed on:\nnave %+v\nIOS  %+v", out[0], fwd)
	}

	owner := at("10.255.255.2/24", "192.168.200.2", func(*Interface) {})
	effects := owner.m.Handle(owner.net.now, Received{Iface: "Tunnel0", From: nbma.Of(trace[2].From), Payload: trace[2].Payload})
	var reply Send
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			reply = s
		}
	}
	owner.do(effects)
	if reply.To != peerAt("192.168.200.3") {
		t.Errorf("the reply goes to %v", reply.To)
	}
	got, ios := parsed(t, golden.NHRPPacket{Payload: reply.Payload}), parsed(t, trace[3])
	if got.Flags != ios.Flags || got.RequestID != ios.RequestID || got.DstProto != ios.DstProto || got.HopCount != ios.HopCount ||
		got.CIEs[0].NBMA != ios.CIEs[0].NBMA || got.CIEs[0].Proto != ios.CIEs[0].Proto || got.CIEs[0].PrefixLen != ios.CIEs[0].PrefixLen {
		t.Errorf("reply:\nnave %+v\nIOS  %+v", got, ios)
	}
	if len(got.Exts) != len(ios.Exts) {
		t.Errorf("reply: extensions %+v, IOS %+v", got.Exts, ios.Exts)
	}
	for i := range got.Exts {
		if got.Exts[i].Type != ios.Exts[i].Type || len(got.Exts[i].Value) != len(ios.Exts[i].Value) {
			t.Errorf("reply: extension %d is %+v, IOS %+v", i, got.Exts[i], ios.Exts[i])
		}
	}
	owner.wantAt("10.255.255.3/32", "192.168.200.3")

	asker := at("10.255.255.3/24", "192.168.200.3", func(i *Interface) {
		i.NHS = []NHS{{Protocol: ip("10.255.255.1")}}
	})
	asker.m.nextID = 3 // so that the request gets the id of the trace, after the registration
	asker.net.run(time.Millisecond)
	for _, n := range asker.m.order[0].nhs {
		n.state = NHSResponding // the capture has no registration
	}
	out = asker.received(trace[0])
	if len(out) != 1 || out[0].RequestID != 5 || out[0].Flags != parsed(t, trace[1]).Flags || out[0].DstProto != ip("10.255.255.2") {
		t.Fatalf("asked %+v", out)
	}
	asker.received(trace[3])
	asker.wantAt("10.255.255.2/32", "192.168.200.2")
}

// FRR's Phase 3 as seen by its spoke 192.0.2.12: nave in its place asks the same and takes the same answer.
func TestGoldenFRRPhase3(t *testing.T) {
	sp := solo(t, Config{Interfaces: []Interface{{
		Name: "Tunnel0", Address: pfx("10.255.0.12/32"), NBMA: ip("192.0.2.12"), NetworkID: 1, HoldTime: 300 * time.Second, Shortcut: true,
		NHS: []NHS{{Protocol: ip("10.255.0.1"), NBMA: ip("192.0.2.1")}},
	}}}, map[string]Route{
		"10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.255.0.1")}, "10.2.0.0/24": {Iface: "Ethernet1"},
	})
	sp.m.order[0].nhs[0].state = NHSResponding
	var asked nhrpmsg.Message
	for _, p := range golden.NHRP(t, "frr8.4-nhrp-plain.pcap") {
		m := parsed(t, p)
		if p.To != ip("192.0.2.12") && p.From != ip("192.0.2.12") {
			continue
		}
		switch {
		case m.Type == nhrpmsg.TrafficIndication && p.To == ip("192.0.2.12"):
			for _, o := range sp.received(p) {
				asked = o
			}
		case m.Type == nhrpmsg.ResolutionRequest && p.From == ip("192.0.2.12"):
			if asked.DstProto != m.DstProto || asked.Flags != m.Flags || asked.SrcProto != m.SrcProto {
				t.Errorf("asked %+v, FRR %+v", asked, m)
			}
		case m.Type == nhrpmsg.ResolutionRequest: // the hub passes on the other spoke's
			out := sp.received(p)
			if len(out) != 1 || out[0].CIEs[0].PrefixLen != 24 || out[0].CIEs[0].Proto != ip("10.255.0.12") {
				t.Errorf("answered %+v", out)
			}
			sp.wantAt("10.255.0.11/32", "192.0.2.11")
		case m.Type == nhrpmsg.ResolutionReply && p.To == ip("192.0.2.12"):
			m.RequestID = asked.RequestID
			b, _ := m.Append(nil)
			sp.giveBytes("192.0.2.1", b)
		}
	}
	sp.wantAt("10.1.0.0/24", "192.0.2.11")
	sp.wantAt("10.255.0.11/32", "192.0.2.11")
}

// No captured packet, cut anywhere, in any direction, teaches anything it should not or stops the machine.
func TestGoldenTruncated(t *testing.T) {
	for _, file := range append([]string{golden.NHRPMalformed}, golden.NHRPFiles...) {
		for _, p := range golden.NHRP(t, file) {
			hub := solo(t, hubConfig(), nil)
			for n := range p.Payload {
				if out := hub.giveBytes("192.0.2.11", p.Payload[:n]); len(out) != 0 {
					t.Fatalf("%s frame %d cut to %d: %+v", file, p.Frame, n, out)
				}
			}
			if len(hub.binds) != 0 || hub.drops(DropMalformed) != uint64(len(p.Payload)) {
				t.Errorf("%s frame %d: learned %v, %d of %d counted", file, p.Frame, hub.binds, hub.drops(DropMalformed), len(p.Payload))
			}
		}
	}
}
