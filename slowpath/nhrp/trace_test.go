package nhrp

import (
	"slices"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// traces are those among effects.
func traces(effects []Effect) (out []Trace) {
	for _, e := range effects {
		if t, ok := e.(Trace); ok {
			out = append(out, t)
		}
	}
	return out
}

func kindsOf(list []Trace) (out []TraceKind) {
	for _, t := range list {
		out = append(out, t.Kind)
	}
	return out
}

func packetOf(t testing.TB, m nhrpmsg.Message) []byte {
	t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEntryKindsAreThose(t *testing.T) {
	for k, want := range map[entryKind]EntryKind{
		kNegative: EntryNegative, kIncomplete: EntryIncomplete, kShortcut: EntryShortcut, kImplicit: EntryImplicit, kResolved: EntryResolved, kRegistered: EntryRegistered, kNHS: EntryNHS, kStatic: EntryStatic,
	} {
		if EntryKind(k) != want {
			t.Errorf("%d is %v, want %v", k, EntryKind(k), want)
		}
	}
	if EntryKind(99).String() != "unknown" || EntryStatic.String() != "static" {
		t.Error("names are mixed up")
	}
}

// What is told of a registration, topic by topic; and nothing of it changes what else is done.
func TestTraceOfRegistration(t *testing.T) {
	give := func(topics trace.Topics) (list []Trace, others int) {
		b := solo(t, hubConfig(), nil)
		b.m.Trace(topics)
		effects := b.m.Handle(b.net.now, Received{Iface: "Tunnel0", From: peerAt("192.0.2.9"), Payload: packetOf(t, registration("10.0.0.9", "192.0.2.9"))})
		list = traces(effects)
		return list, len(effects) - len(list)
	}
	none, others := give(0)
	if len(none) != 0 {
		t.Fatalf("told without being asked: %+v", none)
	}
	for _, c := range []struct {
		topics trace.Topics
		want   []TraceKind
	}{
		{trace.NHRPCache, []TraceKind{TraceCacheAdd}}, {trace.NHRPError | trace.NHRPRate, nil}, {trace.NHRPPacket | trace.NHRPExtension | trace.IKEv1, nil},
	} {
		list, n := give(c.topics)
		if !slices.Equal(kindsOf(list), c.want) || n != others {
			t.Errorf("%b: %+v and %d other effects, want %v and %d", c.topics, list, n, c.want, others)
		}
	}
	list, _ := give(trace.NHRPCache)
	e := list[0]
	if e.Iface != "Tunnel0" || e.Prefix != host(ip("10.0.0.9")) || e.NextHop != ip("10.0.0.9") || e.NBMA != peerAt("192.0.2.9") || e.Entry != EntryRegistered || e.Topic != trace.NHRPCache {
		t.Errorf("%+v", e)
	}
}

// Each drop is told with the packet that it is about, once, and by its topic.
func TestTraceOfDrops(t *testing.T) {
	bad := packetOf(t, registration("10.0.0.9", "192.0.2.9"))
	bad[len(bad)-1] ^= 1
	for _, c := range []struct {
		name    string
		payload []byte
		want    DropReason
		typ     nhrpmsg.Type
	}{
		{"a flipped bit", bad, DropChecksum, 0},
		{"three bytes", []byte{1, 2, 3}, DropMalformed, 0},
		{"a purge reply that nobody waits for", packetOf(t, nhrpmsg.Message{
			Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 9, Type: nhrpmsg.PurgeReply, RequestID: 4, SrcNBMA: ip("192.0.2.9"), SrcProto: ip("10.0.0.1"), DstProto: ip("10.0.0.9"),
		}), DropUnsolicited, nhrpmsg.PurgeReply},
		{"an unknown type", packetOf(t, nhrpmsg.Message{
			Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 9, Type: 77, SrcNBMA: ip("192.0.2.9"), SrcProto: ip("10.0.0.9"), DstProto: ip("10.0.0.1"),
		}), DropType, 77},
	} {
		b := solo(t, hubConfig(), nil)
		b.m.Trace(trace.NHRP)
		before := b.m.ifaces["Tunnel0"].traffic.Drops[c.want]
		list := traces(b.m.Handle(b.net.now, Received{Iface: "Tunnel0", From: peerAt("192.0.2.9"), Payload: c.payload}))
		if len(list) != 1 || list[0].Kind != TraceDropped || list[0].Reason != c.want || list[0].Type != c.typ || list[0].NBMA != peerAt("192.0.2.9") || list[0].Topic != trace.NHRPError {
			t.Errorf("%s: %+v", c.name, list)
		}
		if n := b.m.ifaces["Tunnel0"].traffic.Drops[c.want] - before; n != 1 {
			t.Errorf("%s: counted %d times", c.name, n)
		}
		if n := b.m.ifaces["Tunnel0"].traffic.Drops[DropMalformed]; c.want == DropChecksum && n != 0 {
			t.Errorf("%s: counted as malformed, too", c.name)
		}
	}
}

// A refusal is told once, with what was asked and the code of the answer.
func TestTraceOfRefusal(t *testing.T) {
	b := solo(t, hubConfig(), nil)
	b.m.Trace(trace.NHRPError)
	for _, c := range []struct {
		m    nhrpmsg.Message
		code nhrpmsg.Code
	}{
		{registration("10.9.0.9", "192.0.2.9"), nhrpmsg.Prohibited}, // not of the tunnel's subnet
		{nhrpmsg.Message{
			Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 9, Type: nhrpmsg.ResolutionRequest, RequestID: 4, SrcNBMA: ip("192.0.2.9"), SrcProto: ip("10.0.0.9"), DstProto: ip("10.77.0.1"),
		}, nhrpmsg.NoBinding},
	} {
		list := traces(b.m.Handle(b.net.now, Received{Iface: "Tunnel0", From: peerAt("192.0.2.9"), Payload: packetOf(t, c.m)}))
		if len(list) != 1 || list[0].Kind != TraceRefuse || list[0].Code != uint16(c.code) || list[0].Type != c.m.Type || list[0].Protocol != c.m.SrcProto || list[0].NextHop != c.m.DstProto {
			t.Errorf("%s: %+v", c.m.Type, list)
		}
	}
}

// What max-send holds back is told by its own topic, with whom it was for.
func TestTraceOfQuota(t *testing.T) {
	b := solo(t, hubConfig(func(i *Interface) { i.MaxSend = MaxSend{Packets: 1, Interval: time.Minute} }), nil)
	b.m.Trace(trace.NHRPRate)
	var list []Trace
	for range 3 {
		list = append(list, traces(b.m.Handle(b.net.now, Received{Iface: "Tunnel0", From: peerAt("192.0.2.9"), Payload: packetOf(t, registration("10.0.0.9", "192.0.2.9"))}))...)
	}
	if len(list) != 2 || list[0].Reason != DropQuota || !list[0].Sent || list[0].Type != nhrpmsg.RegistrationReply || list[0].NBMA != peerAt("192.0.2.9") || list[0].Topic != trace.NHRPRate {
		t.Fatalf("%+v", list)
	}
}

func TestWhere(t *testing.T) {
	b := solo(t, hubConfig(), nil)
	b.give("192.0.2.9", registration("10.0.0.9", "192.0.2.9"))
	if at, ok := b.m.Where("Tunnel0", ip("10.0.0.9")); !ok || at != peerAt("192.0.2.9") {
		t.Errorf("%v, %v", at, ok)
	}
	if at, ok := b.m.Where("Tunnel0", ip("10.0.0.8")); ok {
		t.Errorf("%v", at)
	}
	if _, ok := b.m.Where("Tunnel9", ip("10.0.0.9")); ok {
		t.Error("on a tunnel that is not there")
	}
	if a := b.m.TunnelAt("Tunnel0", peerAt("192.0.2.9")); a != ip("10.0.0.9") {
		t.Errorf("%v", a)
	}
	if a := b.m.TunnelAt("Tunnel0", peerAt("192.0.2.8")); a.IsValid() {
		t.Errorf("%v", a)
	}
}

// BenchmarkTraced is a client's renewal, with and without somebody who wants to see it.
func BenchmarkTraced(b *testing.B) {
	for _, c := range []struct {
		name   string
		topics trace.Topics
	}{{"off", 0}, {"on", trace.NHRP}} {
		b.Run(c.name, func(b *testing.B) {
			x := solo(b, hubConfig(func(i *Interface) { i.MaxSend = MaxSend{Packets: 1 << 30, Interval: time.Second} }), nil)
			x.m.Trace(c.topics)
			ev := Received{Iface: "Tunnel0", From: peerAt("192.0.2.9"), Payload: packetOf(b, registration("10.0.0.9", "192.0.2.9"))}
			now := x.net.now
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Millisecond)
				x.m.Handle(now, ev)
			}
		})
	}
}
