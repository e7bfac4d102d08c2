package show

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"nave/ctl/debug"
	"nave/slowpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
	captures "nave/testbed/golden"
)

// Packets of other makers and their text, which is compared by eye once and kept.
func TestTraceNHRPGolden(t *testing.T) {
	var out strings.Builder
	for _, file := range []string{"NHRP_registration.pcap", "NHRP-responder-address.pcap", "nhrp-trace.pcap"} {
		for i, p := range captured(t, file) {
			if i == 12 {
				break
			}
			fmt.Fprintf(&out, "! %s, frame %d, from %s\n", file, p.Frame, p.From)
			for _, l := range Trace(received(p, trace.NHRP)) {
				out.WriteString(l + "\n")
			}
		}
	}
	golden(t, "debug_nhrp_packets", out.String())
}

func captured(t testing.TB, file string) []captures.NHRPPacket { return captures.NHRP(t, file) }

func received(p captures.NHRPPacket, topics trace.Topics) *slowpath.Traced {
	return &slowpath.Traced{Topics: topics, Ifaces: []string{"Tunnel0"}, Event: nhrp.Received{Iface: "Tunnel0", From: nbma.Of(p.From), Payload: p.Payload}}
}

// Of each packet that was captured, the lines say what the bytes do, and what is authentication is not said.
func TestTraceAgreesWithCaptures(t *testing.T) {
	packets := 0
	for _, file := range captures.NHRPFiles {
		for _, p := range captured(t, file) {
			m, err := nhrpmsg.Parse(p.Payload)
			if err != nil {
				continue
			}
			packets++
			text := strings.Join(Trace(received(p, trace.NHRP)), "\n") + "\n"
			want := []string{
				fmt.Sprintf("NHRP: Receive %s via Tunnel0 vrf 0, packet size: %d\n", m.Type, int(p.Payload[10])<<8|int(p.Payload[11])),
				fmt.Sprintf("     pktsz: %d extoff: %d\n", int(p.Payload[10])<<8|int(p.Payload[11]), int(p.Payload[14])<<8|int(p.Payload[15])),
				fmt.Sprintf("     src NBMA: %s\n     src protocol: %s, dst protocol: %s\n", m.SrcNBMA, m.SrcProto, m.DstProto),
			}
			for i, c := range m.CIEs {
				want = append(want, fmt.Sprintf(" (C-%d) code: ", i+1), fmt.Sprintf("       prefix: %d, mtu: %d, hd_time: %d\n", c.PrefixLen, c.MTU, c.HoldTime))
				if c.NBMA.IsValid() {
					want = append(want, fmt.Sprintf("       client NBMA: %s\n", c.NBMA))
				}
			}
			for i := range m.Exts {
				switch e := &m.Exts[i]; e.Type {
				case nhrpmsg.ExtEnd:
				case nhrpmsg.ExtAuthentication:
					if len(e.Value) > 6 && strings.Contains(text, string(e.Value[4:])) {
						t.Errorf("%s frame %d: the authentication is in it", file, p.Frame)
					}
					want = append(want, " Authentication Extension(7):\n   type:Cleartext(1), data:********\n")
				default:
					want = append(want, fmt.Sprintf("(%d):\n", e.Type))
				}
			}
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%s frame %d: no %q in\n%s", file, p.Frame, w, text)
				}
			}
		}
	}
	if packets < 20 {
		t.Errorf("only %d packets", packets)
	}
}

// Only what is wanted of a packet is written.
func TestTraceParts(t *testing.T) {
	p := captured(t, "NHRP_registration.pcap")[0]
	for topics, want := range map[trace.Topics][2]bool{
		trace.NHRPDetail: {false, false}, trace.NHRPPacket: {true, false}, trace.NHRPExtension: {false, true}, trace.NHRPPacket | trace.NHRPExtension: {true, true},
	} {
		text := strings.Join(Trace(received(p, topics)), "\n")
		got := [2]bool{strings.Contains(text, " (M) flags"), strings.Contains(text, "Extension(3):")}
		if got != want || !strings.HasPrefix(text, "NHRP: Receive ") {
			t.Errorf("%b: fields and extensions %v, want %v:\n%s", topics, got, want, text)
		}
	}
}

// traced is one of each thing that there is to tell.
func traced() []slowpath.Traced {
	at, server := nbma.Behind(netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.9.0.2")), nbma.Of(netip.MustParseAddr("192.0.2.1"))
	spoke, hub, far := netip.MustParseAddr("10.255.0.11"), netip.MustParseAddr("10.255.0.1"), netip.MustParseAddr("10.2.0.7")
	path := ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort("203.0.113.7:500")}
	h := ikemsg.Header{Initiator: ikemsg.SPI{1, 2, 3, 4, 5, 6, 7, 8}, Version: ikemsg.Version1, Exchange: 2, Length: 168}
	h2 := ikemsg.Header{Initiator: h.Initiator, Responder: ikemsg.SPI{9, 10, 11, 12, 13, 14, 15, 16}, Version: ikemsg.Version2, Exchange: 35, Flags: 0x20, MessageID: 1}
	child := ike.ChildStatus{
		ID: 5, Version: 2, Path: path, Encap: true, Lifetime: time.Hour, ESP: ike.SPIs{In: 0x1000, Out: 0x2000}, AH: ike.SPIs{In: 0x3000, Out: 0x4000},
		Transform: ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16},
	}
	events := []any{
		nhrp.Received{Iface: "Tunnel0", From: at, Payload: []byte{0, 1, 8, 0, 0}},
		nhrp.Trace{Kind: nhrp.TraceDropped, Iface: "Tunnel0", NBMA: at, Protocol: spoke, NextHop: hub, Type: nhrpmsg.RegistrationRequest, Reason: nhrp.DropAuth},
		nhrp.Trace{Kind: nhrp.TraceDropped, Iface: "Tunnel0", NBMA: at, Protocol: hub, NextHop: spoke, Type: nhrpmsg.ResolutionReply, Reason: nhrp.DropQuota, Sent: true},
		nhrp.Trace{Kind: nhrp.TraceDropped, Iface: "Tunnel0", Reason: nhrp.DropFull},
		nhrp.Trace{Kind: nhrp.TraceRefuse, Iface: "Tunnel0", NBMA: at, Protocol: spoke, NextHop: far, Type: nhrpmsg.ResolutionRequest, Code: uint16(nhrpmsg.NoBinding)},
		nhrp.Trace{Kind: nhrp.TraceCacheAdd, Iface: "Tunnel0", VRF: "blue", NBMA: at, Prefix: netip.PrefixFrom(spoke, 32), NextHop: spoke, Entry: nhrp.EntryRegistered},
		nhrp.Trace{Kind: nhrp.TraceCacheUpdate, Iface: "Tunnel0", NBMA: at, Prefix: netip.MustParsePrefix("10.2.0.0/24"), NextHop: spoke, Entry: nhrp.EntryShortcut},
		nhrp.Trace{Kind: nhrp.TraceCacheDelete, Iface: "Tunnel0", Prefix: netip.PrefixFrom(far, 32), NextHop: far, Entry: nhrp.EntryIncomplete},
		nhrp.Trace{Kind: nhrp.TraceServer, Iface: "Tunnel0", NBMA: server, Protocol: hub, Was: nhrp.NHSExpecting, State: nhrp.NHSResponding},
		nhrp.Trace{Kind: nhrp.TraceServer, Iface: "Tunnel0", Protocol: hub, Was: nhrp.NHSWaiting, State: nhrp.NHSExpecting},
		nhrp.Trace{Kind: nhrp.TraceRegister, Iface: "Tunnel0", NBMA: server, Protocol: hub, ID: 65537, Count: 2},
		nhrp.Trace{Kind: nhrp.TraceSession, Iface: "Tunnel0", NBMA: at, Protocol: spoke, Up: true},
		nhrp.Trace{Kind: nhrp.TraceSession, Iface: "Tunnel0", NBMA: at},
		nhrp.Trace{Kind: nhrp.TraceAsk, Iface: "Tunnel0", NBMA: server, Protocol: far, ID: 9, Count: 1},
		nhrp.Trace{Kind: nhrp.TraceResolved, Iface: "Tunnel0", NBMA: at, Protocol: far, NextHop: spoke, ID: 9},
		nhrp.Trace{Kind: nhrp.TraceAnswer, Iface: "Tunnel0", NBMA: at, Protocol: spoke, NextHop: far, Prefix: netip.MustParsePrefix("10.2.0.0/24"), ID: 10},
		nhrp.Trace{Kind: nhrp.TracePassOn, Iface: "Tunnel0", NBMA: at, Protocol: far, NextHop: spoke, Type: nhrpmsg.ResolutionRequest},
		nhrp.Trace{Kind: nhrp.TraceRedirect, Iface: "Tunnel0", NBMA: at, Protocol: spoke, NextHop: far},
		nhrp.Trace{Kind: nhrp.TracePurge, Iface: "Tunnel0", NBMA: at, Protocol: spoke, Prefix: netip.MustParsePrefix("10.2.0.0/24"), ID: 11},
		nhrp.Log{Kind: nhrp.LogRegistrationFailed, Iface: "Tunnel0", Protocol: hub, NBMA: server.Addr, Code: uint16(nhrpmsg.AlreadyRegistered)},
		ike.Trace{Kind: ike.TraceReceived, Version: 1, Path: path, Header: h, Size: 168},
		ike.Trace{Kind: ike.TraceOpened, Version: 1, Path: path, Header: h, SA: 1, Payloads: []ike.TracePayload{{Type: 1, Len: 60, Offers: offersOf(1)}, {Type: 13, Len: 20}, {Type: 11, Len: 28, Notify: 24578, Protocol: 1}, {Type: 200, Len: 4}}},
		ike.Trace{Kind: ike.TraceSent, Version: 1, Path: path, Header: h, Size: 108, SA: 1, Initiator: true, State: "MM_NO_STATE", Payloads: []ike.TracePayload{{Type: 1, Len: 60}}},
		ike.Trace{Kind: ike.TraceState, Version: 1, Path: path, SA: 1, Was: "MM_NO_STATE", State: "MM_SA_SETUP"},
		ike.Trace{Kind: ike.TraceIgnored, Version: 1, Path: path, Header: h, Text: "no SA has these cookies"},
		ike.Trace{Kind: ike.TraceReceived, Version: 2, Path: path, Header: h2, Size: 225, SA: 2, Payloads: []ike.TracePayload{{Type: 46, Len: 197}}},
		ike.Trace{Kind: ike.TraceOpened, Version: 2, Path: path, Header: h2, SA: 2, Payloads: []ike.TracePayload{{Type: 35, Len: 12}, {Type: 39, Len: 40}, {Type: 33, Len: 40, Offers: offersOf(2)}, {Type: 41, Len: 8, Notify: 16391}, {Type: 41, Len: 8, Notify: 14}, {Type: 41, Len: 8, Notify: 40999}}},
		ike.Trace{Kind: ike.TraceSent, Version: 2, Path: path, Header: h2, Size: 76, SA: 2},
		ike.Trace{Kind: ike.TraceState, Version: 2, Path: path, SA: 2, Was: "AUTH", State: "READY"},
		ike.Trace{Kind: ike.TraceIgnored, Version: 2, Path: path, Header: h2, Text: "nothing waits for this answer"},
		ike.Log{Kind: ike.LogFailed, Version: 2, Path: path, SA: 2, Why: ike.WhyNoProposal},
		ike.Log{Kind: ike.LogRejected, Version: 1, Path: path, Why: ike.WhyMalformed, Text: "payload 1\nis odd"},
		slowpath.ChildTrace{Kind: slowpath.ChildInstalled, Child: child},
		slowpath.ChildTrace{Kind: slowpath.ChildActive, Child: child},
		slowpath.ChildTrace{Kind: slowpath.ChildMoved, Child: child},
		slowpath.ChildTrace{Kind: slowpath.ChildRemoved, Child: child, Why: ike.WhyReplaced},
		slowpath.ChildTrace{Kind: slowpath.ChildFailed, Child: ike.ChildStatus{Path: ike.Path{Remote: path.Remote}}, Why: ike.WhyTimeout},
		dmvpn.Secure{Iface: "Tunnel0", NBMA: at, Way: dmvpn.Way{SA: 2, AH: 4, To: at.Addr, Encap: true, LocalPort: 4500, RemotePort: 4500}},
		dmvpn.Secure{Iface: "Tunnel0", NBMA: server, Way: dmvpn.Way{AH: 4, To: server.Addr}},
		dmvpn.Unsecure{Iface: "Tunnel0", NBMA: at},
		dmvpn.ToIKE{Event: ike.Initiate{Remote: path.Remote}},
		dmvpn.ToIKE{Event: ike.Release{Remote: path.Remote}},
		dmvpn.Log{Kind: dmvpn.LogSocketOpen, Ifaces: []string{"Tunnel0"}, Local: path.Local.Addr(), Peer: path.Remote},
		dmvpn.Log{Kind: dmvpn.LogSocketClosed, Ifaces: []string{"Tunnel0"}, Local: path.Local.Addr(), Peer: path.Remote, Why: ike.WhyDeadPeer},
		dmvpn.Log{Kind: dmvpn.LogSessionDown, Ifaces: []string{"Tunnel0"}, Local: path.Local.Addr(), Peer: path.Remote, Why: ike.WhyDeadPeer},
	}
	out := make([]slowpath.Traced, len(events))
	for i, e := range events {
		out[i] = slowpath.Traced{Topics: trace.All, Ifaces: []string{"Tunnel0"}, Event: e}
	}
	return out
}

// offersOf are proposals of a version, with what is known and what is not.
func offersOf(version int) []ike.TraceOffer {
	if version == 1 {
		return []ike.TraceOffer{
			{Number: 1, Protocol: 1, ID: 1, Transforms: []ike.TraceTransform{{Type: 1, Value: 7}, {Type: 14, Value: 256}, {Type: 2, Value: 4}, {Type: 3, Value: 1}, {Type: 4, Value: 19}, {Type: 11, Value: 1}, {Type: 12, Value: 86400}}},
			{Number: 1, Protocol: 3, ID: 12, Transforms: []ike.TraceTransform{{Type: 1, Value: 1}, {Type: 2, Value: 3600}, {Type: 1, Value: 2}, {Type: 2, Value: 4608000}, {Type: 4, Value: 2}, {Type: 5, Value: 2}, {Type: 6, Value: 256}, {Type: 3, Value: 14}}},
			{Number: 2, Protocol: 2, ID: 3, Transforms: []ike.TraceTransform{{Type: 5, Value: 99}, {Type: 77, Value: 1}, {Type: 2, Value: 9}}},
			{Number: 3, Protocol: 9, ID: 99},
		}
	}
	return []ike.TraceOffer{
		{Number: 1, Protocol: 1, Transforms: []ike.TraceTransform{{Type: 1, Value: 20, KeyBits: 256}, {Type: 2, Value: 5}, {Type: 4, Value: 31}, {Type: 6, Value: 36}, {Type: 12, Value: 900}}},
		{Number: 2, Protocol: 3, Transforms: []ike.TraceTransform{{Type: 1, Value: 12, KeyBits: 128}, {Type: 3, Value: 12}, {Type: 5, Value: 0}, {Type: 99, Value: 7}, {Type: 1, Value: 999}}},
	}
}

// However many proposals a peer sends, a message takes a bounded number of lines.
func TestTraceOffersAreBounded(t *testing.T) {
	e := ike.Trace{Kind: ike.TraceOpened, Version: 2, Payloads: []ike.TracePayload{{Type: 33, Offers: make([]ike.TraceOffer, 500)}}}
	if lines := Trace(&slowpath.Traced{Event: e}); len(lines) != mostOffers+2 || lines[len(lines)-1] != "  and more proposals" {
		t.Errorf("%d lines", len(lines))
	}
}

func TestTraceGolden(t *testing.T) {
	var out strings.Builder
	for _, x := range traced() {
		lines := Trace(&x)
		if len(lines) == 0 {
			t.Errorf("nothing is said of %+v", x)
		}
		fmt.Fprintf(&out, "%s\n", strings.Join(lines, "\n"))
	}
	golden(t, "debug_lines", out.String())
	if got := Trace(&slowpath.Traced{Event: "nothing that is known"}); got != nil {
		t.Errorf("%q", got)
	}
}

// Each kind has a text: what is added to the protocols is missed here.
func TestTraceKindsHaveText(t *testing.T) {
	for k := nhrp.TraceDropped; k <= nhrp.TracePurge; k++ {
		if len(Trace(&slowpath.Traced{Event: nhrp.Trace{Kind: k}})) == 0 {
			t.Errorf("NHRP's kind %d has none", k)
		}
	}
	for r := range nhrp.NumDrops {
		if nhrpDrops[nhrp.DropReason(r)] == "" {
			t.Errorf("the drop %s has none", nhrp.DropReason(r))
		}
	}
	for k := slowpath.ChildInstalled; k <= slowpath.ChildFailed; k++ {
		if len(Trace(&slowpath.Traced{Event: slowpath.ChildTrace{Kind: k}})) == 0 {
			t.Errorf("the child's kind %d has none", k)
		}
	}
}

func TestDebugTexts(t *testing.T) {
	peer := netip.MustParsePrefix("192.0.2.11/32")
	s := debug.State{Set: debug.Set{Flags: debug.Flags()}, Told: 12, LeftOut: 3}
	s.NHRP = debug.Conditions{List: []debug.Condition{{NBMA: peer}, {Tunnel: netip.MustParsePrefix("10.255.0.0/24")}}, Unmatched: true}
	s.DMVPN = debug.Conditions{List: []debug.Condition{{Iface: "Tunnel0"}, {VRF: "blue"}}}
	golden(t, "debugging", Debugging(&s))
	golden(t, "debug_conditions", DebugConditions(&s))
	none := debug.State{}
	some := debug.State{Set: debug.Set{Flags: []debug.Flag{"nhrp packet"}}}
	var out strings.Builder
	for _, c := range []struct {
		change debug.Change
		after  *debug.State
	}{
		{debug.Change{Flags: []debug.Flag{"nhrp", "nhrp packet"}}, &s}, {debug.Change{Off: true, Flags: []debug.Flag{"dmvpn error crypto"}}, &s},
		{debug.Change{Off: true, All: true}, &none}, {debug.Change{Off: true, All: true}, &s},
		{debug.Change{Family: debug.NHRP, Condition: &debug.Condition{NBMA: peer}}, &s}, {debug.Change{Family: debug.DMVPN, Unmatched: true}, &s},
		{debug.Change{Family: debug.DMVPN, Unmatched: true}, &none}, {debug.Change{Off: true, Family: debug.DMVPN, Unmatched: true}, &s},
		{debug.Change{Off: true, Family: debug.NHRP, Condition: &debug.Condition{NBMA: peer}}, &some}, {debug.Change{Off: true, Family: debug.NHRP}, &none},
	} {
		out.WriteString(Debugged(c.change, c.after))
	}
	out.WriteString(Debugging(&none) + DebugConditions(&none))
	golden(t, "debug_answers", out.String())
}

// sound fails for lines that a terminal or a log would take for something else.
func sound(t *testing.T, lines []string) {
	t.Helper()
	for _, l := range lines {
		if len(l) > 3*maxReason || l == "" {
			t.Fatalf("a line of %d bytes", len(l))
		}
		for _, r := range l {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("%q has a control character", l)
			}
		}
	}
}

func FuzzTraceNHRP(f *testing.F) {
	for _, file := range captures.NHRPFiles {
		for _, p := range captured(f, file) {
			f.Add(p.Payload, uint32(trace.NHRP))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, topics uint32) {
		p := captures.NHRPPacket{From: netip.MustParseAddr("192.0.2.1"), Payload: b}
		lines := Trace(received(p, trace.Topics(topics)))
		if len(lines) < 2 {
			t.Fatalf("%q", lines)
		}
		sound(t, lines)
		m, err := nhrpmsg.Parse(b)
		if err != nil {
			return
		}
		for i := range m.Exts { // long enough that it is there by no chance
			if e := &m.Exts[i]; e.Type == nhrpmsg.ExtAuthentication && len(e.Value) > 20 && strings.Contains(strings.Join(lines, ""), string(e.Value[4:])) {
				t.Fatal("the authentication is in it")
			}
		}
	})
}

func FuzzTraceIKE(f *testing.F) {
	f.Add(uint8(0), 1, uint8(2), uint8(1), uint32(0), uint8(1), uint16(0), "text")
	f.Add(uint8(3), 2, uint8(35), uint8(0x28), uint32(1), uint8(41), uint16(16388), "a\nb\x1b[2J")
	f.Fuzz(func(t *testing.T, kind uint8, version int, exchange, flags uint8, id uint32, typ uint8, notify uint16, text string) {
		h := ikemsg.Header{Exchange: exchange, Flags: flags, MessageID: id}
		offer := ike.TraceOffer{Number: typ, Protocol: exchange % 5, ID: flags, Transforms: []ike.TraceTransform{{Type: uint16(typ % 16), Value: uint64(id), KeyBits: notify}, {Type: notify, Value: uint64(id)}}}
		list := []ike.TracePayload{{Type: typ, Notify: notify, Offers: []ike.TraceOffer{offer}}, {Type: 41, Notify: notify}}
		for _, e := range []any{
			ike.Trace{Kind: ike.TraceKind(kind), Version: version, Header: h, Payloads: list, Text: text, State: text, Was: text},
			ike.Log{Kind: ike.LogKind(kind), Version: version, Why: ike.Why(typ), Code: notify, Text: text, Peer: ike.Identity{Kind: ike.IDKind(flags), Value: text}},
		} {
			sound(t, Trace(&slowpath.Traced{Outer: "blue", Event: e}))
		}
	})
}
