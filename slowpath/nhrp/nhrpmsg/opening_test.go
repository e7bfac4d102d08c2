package nhrpmsg

import (
	"bytes"
	"net/netip"
	"testing"
)

var openings = []Opening{
	{Kind: OpeningOffer}, {Kind: OpeningAccepted},
	{Kind: OpeningEndpoint, Endpoint: netip.MustParseAddrPort("192.0.2.50:1024")},
	{Kind: OpeningEndpoint, Endpoint: netip.MustParseAddrPort("[2001:db8::50]:65535")},
}

// request is a resolution request with extensions of others around.
func request(exts ...Extension) Message {
	m := Message{
		Family: FamilyIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: ResolutionRequest, RequestID: 7,
		SrcNBMA: addr("198.51.100.1"), SrcProto: addr("10.0.0.1"), DstProto: addr("10.0.0.2"),
	}
	other := Extension{Type: ExtVendor, Value: []byte{0, 0, 9, 1, 2, 3, 4, 5, 6, 7}}
	m.Exts = append([]Extension{Empty(ExtResponder), other}, exts...)
	m.Exts = append(m.Exts, End())
	return m
}

func TestOpeningRoundTrip(t *testing.T) {
	for _, want := range openings {
		m := request()
		before := m.Exts
		m.SetOpening(&want)
		if len(before) != 3 || len(m.Exts) != 4 || m.Exts[3].Type != ExtEnd || m.Exts[2].Compulsory {
			t.Fatalf("extensions %+v", m.Exts)
		}
		b, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := back.Opening(); !ok || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, ok)
		}
		if back.Ext(ExtVendor) == nil || !bytes.Equal(back.Ext(ExtVendor).Value, m.Exts[1].Value) {
			t.Error("the extension of another vendor is gone")
		}
		// Another one takes its place, and none.
		back.SetOpening(&openings[0])
		if got, ok := back.Opening(); !ok || got != openings[0] || len(back.Exts) != 4 {
			t.Errorf("replaced: %+v", back.Exts)
		}
		back.SetOpening(nil)
		if _, ok := back.Opening(); ok || len(back.Exts) != 3 {
			t.Errorf("taken away: %+v", back.Exts)
		}
	}
	var bare Message
	if bare.SetOpening(&openings[0]); len(bare.Exts) != 0 {
		t.Error("a message without extensions part got one")
	}
}

// Cut short or long, with another vendor, magic or kind, or port 0, it says nothing.
func TestOpeningMalformed(t *testing.T) {
	for _, o := range openings {
		v := o.Extension().Value
		for n := range v {
			m := request(Extension{Type: ExtVendor, Value: v[:n]})
			if got, ok := m.Opening(); ok && (o.Kind != OpeningEndpoint || got.Kind == OpeningEndpoint && n != 8+6) {
				t.Errorf("%+v cut to %d bytes: %+v", o, n, got)
			}
		}
		for k := range 8 {
			w := bytes.Clone(v)
			w[k] ^= 0x40
			m := request(Extension{Type: ExtVendor, Value: w})
			if _, ok := m.Opening(); ok {
				t.Errorf("%+v with byte %d changed was taken", o, k)
			}
		}
		m := request(Extension{Type: ExtVendor, Value: append(bytes.Clone(v), 0)})
		if _, ok := m.Opening(); ok {
			t.Errorf("%+v with a byte more was taken", o)
		}
	}
	m := request(Opening{Kind: OpeningEndpoint, Endpoint: netip.AddrPortFrom(addr("192.0.2.1"), 0)}.Extension())
	if _, ok := m.Opening(); ok {
		t.Error("port 0 was taken")
	}
}

func FuzzOpening(f *testing.F) {
	for _, o := range openings {
		f.Add(o.Extension().Value)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := request(Extension{Type: ExtVendor, Value: b})
		o, ok := m.Opening()
		if !ok {
			return
		}
		if o.Kind == OpeningEndpoint && (!o.Endpoint.IsValid() || o.Endpoint.Port() == 0) {
			t.Fatalf("%+v", o)
		}
		if !bytes.Equal(o.Extension().Value, b) {
			t.Fatalf("%x is read as %+v, which is %x", b, o, o.Extension().Value)
		}
	})
}
