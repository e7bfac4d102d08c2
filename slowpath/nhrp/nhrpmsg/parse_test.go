package nhrpmsg

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
)

func sample() Message {
	return Message{
		Family: FamilyIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: ResolutionReply, Flags: 0xf802, RequestID: 7,
		SrcNBMA: addr("192.0.2.1"), SrcProto: addr("10.0.0.1"), DstProto: addr("10.2.0.9"),
		CIEs: []CIE{{PrefixLen: 24, MTU: 1400, HoldTime: 300, NBMA: addr("192.0.2.2"), Proto: addr("10.0.0.2"), Preference: 3}},
		Exts: []Extension{Empty(ExtResponder), {Type: ExtVendor, Value: []byte{0, 0, 12, 1, 2}}, {Type: 99, Value: []byte{1}}, End()},
	}
}

func encode(t testing.TB, m Message) []byte {
	t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	six := sample()
	six.Family, six.Protocol = FamilyIPv6, ProtocolIPv6
	six.SrcNBMA, six.SrcProto, six.DstProto = addr("2001:db8::1"), addr("fd00::1"), addr("fd00::2")
	six.CIEs = []CIE{{NBMA: addr("2001:db8::2"), Proto: addr("fd00::2")}, {}}
	mixed := six // IPv6 over an IPv4 network
	mixed.Family, mixed.SrcNBMA, mixed.CIEs = FamilyIPv4, addr("192.0.2.1"), nil
	bare := sample()
	bare.Exts, bare.CIEs = nil, nil
	fault := Message{
		Family: FamilyIPv4, Protocol: ProtocolIPv4, HopCount: 9, Type: ErrorIndication, Code: uint16(LoopDetected), Offset: 52,
		SrcNBMA: addr("192.0.2.1"), SrcProto: addr("10.0.0.1"), DstProto: addr("10.0.0.2"), Packet: encode(t, sample()),
	}
	redirect := fault
	redirect.Type, redirect.Code, redirect.Exts = TrafficIndication, TrafficRedirect, []Extension{Auth("x"), End()}
	for name, m := range map[string]Message{"IPv4": sample(), "IPv6": six, "mixed": mixed, "bare": bare, "error": fault, "redirect": redirect} {
		got, err := Parse(append(encode(t, m), 0, 0, 0)) // padding of lower layers
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, m)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name  string
		fault func(b []byte) []byte
		code  ErrorCode
	}{
		{"version of MARS", func(b []byte) []byte { b[16] = 0; return b }, 0},
		{"family", func(b []byte) []byte { b[1] = 8; return b }, 0},
		{"protocol", func(b []byte) []byte { b[2] = 0x80; return b }, 0},
		{"SNAP", func(b []byte) []byte { b[6] = 1; return b }, 0},
		{"E.164 flag", func(b []byte) []byte { b[18] |= 0x40; return b }, 0},
		{"NBMA length", func(b []byte) []byte { b[18] = 20; return b }, 0},
		{"subaddress", func(b []byte) []byte { b[19] = 4; return b }, 0},
		{"protocol length", func(b []byte) []byte { b[20] = 3; return b }, 0},
		{"destination longer than the packet", func(b []byte) []byte { b[21] = 255; return b }, 0},
		{"extensions before the entries", func(b []byte) []byte { b[15] = 30; return b }, ProtocolError},
		{"extensions behind the packet", func(b []byte) []byte { b[14] = 0xff; return b }, ProtocolError},
		{"extensions inside an entry", func(b []byte) []byte { b[15] = 45; return b }, ProtocolError},
		{"no extensions, so they are read as entries", func(b []byte) []byte { b[15] = 0; return b }, ProtocolError},
		{"entry NBMA length", func(b []byte) []byte { b[48] = 200; return b }, ProtocolError},
		{"entry NBMA subaddress", func(b []byte) []byte { b[49] = 1; return b }, ProtocolError},
		{"entry protocol length", func(b []byte) []byte { b[50] = 16; return b }, ProtocolError},
		{"extension length", func(b []byte) []byte { b[62] = 0xff; return b }, InvalidExtension},
		{"bytes after the end", func(b []byte) []byte { return append(b, 0) }, InvalidExtension},
		{"no end", func(b []byte) []byte { return b[:len(b)-4] }, InvalidExtension},
	}
	for _, tt := range tests {
		_, err := Parse(mend(tt.fault(encode(t, sample()))))
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Code != tt.code || pe.Checksum {
			t.Errorf("%s: got %v (%+v), want code %d", tt.name, err, pe, tt.code)
		}
	}
	b := encode(t, sample())
	b[40] ^= 1
	var pe *ParseError
	if _, err := Parse(b); !errors.As(err, &pe) || !pe.Checksum {
		t.Errorf("a flipped bit: %v", err)
	}
	b = encode(t, sample())
	b[11]++
	if _, err := Parse(b); err == nil {
		t.Error("a packet that claims one byte more was taken")
	}
}

func TestParsePrefix(t *testing.T) {
	m := sample()
	b := encode(t, m)
	got, ok := ParsePrefix(b[:40])
	if !ok || got.Type != m.Type || got.RequestID != 7 || got.DstProto != m.DstProto {
		t.Errorf("got %+v, %v", got, ok)
	}
	for n := range 40 {
		if _, ok := ParsePrefix(b[:n]); ok {
			t.Errorf("%d bytes were enough", n)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	tests := map[string]func(m *Message){
		"family":            func(m *Message) { m.Family = 3 },
		"protocol":          func(m *Message) { m.Protocol = 0 },
		"IPv6 NBMA":         func(m *Message) { m.SrcNBMA = addr("::1") },
		"IPv6 entry":        func(m *Message) { m.CIEs[0].Proto = addr("::1") },
		"too long":          func(m *Message) { m.Exts[2].Value = make([]byte, MaxSize) },
		"too many entries":  func(m *Message) { m.CIEs = make([]CIE, 6000) },
		"too long a packet": func(m *Message) { m.Type, m.Packet, m.Exts = ErrorIndication, make([]byte, MaxSize), nil },
	}
	for name, f := range tests {
		m := sample()
		f(&m)
		if b, err := m.Append([]byte("keep")); err == nil || string(b) != "keep" {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		}
	}
}

func TestBits(t *testing.T) {
	v4, v6 := addr("10.0.0.1"), addr("fd00::1")
	for _, tt := range []struct {
		len  uint8
		of   netip.Addr
		want int
	}{{0, v4, 32}, {255, v4, 32}, {32, v4, 32}, {24, v4, 24}, {33, v4, 32}, {0, v6, 128}, {255, v6, 128}, {64, v6, 64}} {
		if got := (&CIE{PrefixLen: tt.len}).Bits(tt.of); got != tt.want {
			t.Errorf("%d of %v: %d, want %d", tt.len, tt.of, got, tt.want)
		}
	}
}

func TestExtensions(t *testing.T) {
	m := sample()
	e := m.Ext(ExtResponder)
	e.AddEntry(m.CIEs[0])
	e.AddEntry(CIE{Code: NoBinding})
	got, err := m.Entries(e)
	if err != nil || len(got) != 2 || got[0] != m.CIEs[0] || got[1].Code != NoBinding {
		t.Errorf("got %+v, %v", got, err)
	}
	e.Value = e.Value[:15]
	var pe *ParseError
	if _, err := m.Entries(e); !errors.As(err, &pe) || pe.Code != InvalidExtension {
		t.Errorf("cut off: %v", err)
	}
	if oui, data, ok := m.Ext(ExtVendor).Vendor(); !ok || oui != 0x0c || !bytes.Equal(data, []byte{1, 2}) {
		t.Errorf("vendor %06x %x %v", oui, data, ok)
	}
	if _, _, ok := (&Extension{Value: []byte{1, 2}}).Vendor(); ok {
		t.Error("two bytes make no organisation")
	}
	if m.Ext(ExtNAT) != nil || ExtType(99).Known() || !ExtNAT.Known() {
		t.Error("extensions are mixed up")
	}
	// A value that is part of a packet must not be written behind.
	packet := []byte{1, 2, 3, 4}
	e = &Extension{Value: packet[:2]}
	e.AddEntry(CIE{})
	if !bytes.Equal(packet, []byte{1, 2, 3, 4}) {
		t.Error("AddEntry wrote into the packet")
	}
}

func TestDataPacket(t *testing.T) {
	v4 := append([]byte{0x45, 0, 0, 100, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, make([]byte, 80)...)
	if got := DataStart(v4); len(got) != 28 {
		t.Errorf("%d bytes of IPv4", len(got))
	}
	short := bytes.Clone(v4)
	short[3] = 24
	if got := DataStart(short); len(got) != 24 {
		t.Errorf("%d bytes of a padded packet", len(got))
	}
	v6 := make([]byte, 60)
	v6[0], v6[23], v6[39] = 0x60, 1, 2
	if src, dst, ok := DataAddrs(v6); !ok || src != addr("::1") || dst != addr("::2") || len(DataStart(v6)) != 48 {
		t.Errorf("IPv6: %v %v %v", src, dst, ok)
	}
	for _, b := range [][]byte{nil, v4[:19], v6[:39], {0x44, 19: 0}, {0x50, 60: 0}} {
		if _, _, ok := DataAddrs(b); ok {
			t.Errorf("%x was taken", b)
		}
		if got := DataStart(b); len(got) > len(b) {
			t.Error("longer than what there is")
		}
	}
}

// Odd packets are padded for the checksum, with a zero behind.
func TestChecksum(t *testing.T) {
	for _, tt := range []struct {
		b    []byte
		want uint16
	}{{nil, 0xffff}, {[]byte{1}, 0xfeff}, {[]byte{1, 2, 3}, ^uint16(0x0402)}, {[]byte{0xff, 0xff, 0xff, 0xff, 1, 0}, 0xfeff}} {
		if got := Checksum(tt.b); got != tt.want {
			t.Errorf("%x: %04x, want %04x", tt.b, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	if s := RegistrationReply.String(); s != "Registration Reply" {
		t.Error(s)
	}
	if s := Type(77).String(); s != "type 77" {
		t.Error(s)
	}
	if s := HopCountExceeded.String(); s != "hop count exceeded" {
		t.Error(s)
	}
	if !PurgeRequest.IsRequest() || PurgeReply.IsRequest() {
		t.Error("requests are mixed up")
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range everyGolden(f) {
		f.Add(p.Payload)
	}
	f.Add(encode(f, sample()))
	f.Fuzz(func(t *testing.T, b []byte) {
		Parse(b)
		ParsePrefix(b)
		DataAddrs(b)
		DataStart(b)
		if len(b) < fixedLen || len(b) > MaxSize {
			return
		}
		mend(b)
		m, err := Parse(b)
		if err != nil {
			return
		}
		got, err := m.Append(nil)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("got %x, %v\nwant %x", got, err, b)
		}
		again, err := Parse(got)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, m)
		}
		for i := range m.Exts {
			m.Entries(&m.Exts[i])
			m.Exts[i].Vendor()
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := encode(b, sample())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := sample()
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = m.Append(buf[:0])
	}
}
