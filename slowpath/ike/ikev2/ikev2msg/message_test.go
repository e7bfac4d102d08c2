package ikev2msg

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"nave/slowpath/ike/ikemsg"
)

var proposals = []Proposal{
	{Number: 1, Protocol: ProtoIKE, Transforms: []Transform{
		{Type: TransformEncr, ID: EncrAESGCM16, Bits: 256}, {Type: TransformPRF, ID: PRFSHA256}, {Type: TransformKE, ID: 31}, {Type: TransformADD1, ID: KEMLKEM768},
	}},
	{Number: 2, Protocol: ProtoESP, SPI: []byte{1, 2, 3, 4}, Transforms: []Transform{
		{Type: TransformEncr, ID: Encr3DES}, {Type: TransformInt, ID: IntSHA1x96}, {Type: TransformESN, ID: ESNNone},
	}},
}

var selectors = []Selector{
	Host(netip.MustParseAddr("192.0.2.1"), 47),
	{Protocol: 0, StartPort: 5, EndPort: 9, Start: netip.MustParseAddr("10.0.0.0"), End: netip.MustParseAddr("10.0.0.255")},
}

// sample is a message with a payload of every kind.
func sample() []byte {
	return Clear(ikemsg.Header{Initiator: ikemsg.SPI{1}, Responder: ikemsg.SPI{2}, Exchange: ExchangeInit, Flags: FlagInitiator, MessageID: 7}, []Out{
		{PayloadSA, AppendSA(nil, proposals)},
		{PayloadKE, KE{31, bytes.Repeat([]byte{9}, 32)}.Append(nil)},
		{PayloadNonce, bytes.Repeat([]byte{7}, 32)},
		{PayloadIDi, ID{IDFQDN, []byte("spoke.example")}.Append(nil)},
		{PayloadCert, Cert{CertX509, []byte{0x30, 0}}.Append(nil)},
		{PayloadAuth, Auth{AuthPSK, []byte{1, 2, 3}}.Append(nil)},
		{PayloadNotify, Notify{Protocol: ProtoESP, SPI: []byte{0, 0, 1, 1}, Type: RekeySA, Data: []byte{5}}.Append(nil)},
		{PayloadDelete, Delete{ProtoESP, []uint32{0x1000, 0x2000}}.Append(nil)},
		{PayloadTSi, AppendTS(nil, selectors)},
		{PayloadTSr, AppendTS(nil, selectors[:1])},
	})
}

// decode reads every payload of a message and returns what it read, for comparison and for fuzzing.
func decode(list []ikemsg.Payload) (values []any, err error) {
	for _, p := range list {
		var v any
		switch p.Type {
		case PayloadSA:
			v, err = ParseSA(p.Body)
		case PayloadKE:
			v, err = ParseKE(p.Body)
		case PayloadNonce:
			v, err = ParseNonce(p.Body)
		case PayloadIDi, PayloadIDr:
			v, err = ParseID(p.Body)
		case PayloadCert, PayloadCertReq:
			v, err = ParseCert(p.Body)
		case PayloadAuth:
			v, err = ParseAuth(p.Body)
		case PayloadNotify:
			v, err = ParseNotify(p.Body)
		case PayloadDelete:
			v, err = ParseDelete(p.Body)
		case PayloadTSi, PayloadTSr:
			v, err = ParseTS(p.Body)
		}
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
	return values, nil
}

func TestRoundTrip(t *testing.T) {
	m, err := Parse(sample())
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(m.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	proposals := []Proposal{proposals[0], proposals[1]}
	proposals[0].SPI = []byte{}
	want := []any{
		proposals, KE{31, bytes.Repeat([]byte{9}, 32)}, bytes.Repeat([]byte{7}, 32), ID{IDFQDN, []byte("spoke.example")}, Cert{CertX509, []byte{0x30, 0}},
		Auth{AuthPSK, []byte{1, 2, 3}}, Notify{ProtoESP, []byte{0, 0, 1, 1}, RekeySA, []byte{5}}, Delete{ProtoESP, []uint32{0x1000, 0x2000}}, selectors, selectors[:1],
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if m.MessageID != 7 || m.Exchange != ExchangeInit || m.Version != ikemsg.Version2 || m.Encrypted != nil {
		t.Errorf("header %+v", m.Header)
	}
}

// A message that is cut anywhere is an error, and no payload of one is read from what is missing.
func TestTruncation(t *testing.T) {
	whole := sample()
	for n := range whole {
		if _, err := Parse(whole[:n]); !errors.Is(err, ikemsg.ErrShort) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	m, err := Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Payloads {
		for n := range p.Body {
			_, err := decode([]ikemsg.Payload{{Type: p.Type, Body: p.Body[:n]}})
			if err == nil && p.Type != PayloadKE && p.Type != PayloadIDi && p.Type != PayloadNonce && p.Type != PayloadCert && p.Type != PayloadAuth && p.Type != PayloadNotify {
				t.Errorf("payload %d: %d bytes of %d pass", p.Type, n, len(p.Body))
			}
		}
	}
}

func TestProtected(t *testing.T) {
	h := ikemsg.Header{Exchange: ExchangeAuth, Flags: FlagResponse, MessageID: 1}
	sealed := bytes.Repeat([]byte{0xee}, 40)
	for _, c := range []struct {
		f     *Fragment
		first uint8
	}{{nil, PayloadIDi}, {&Fragment{1, 3}, PayloadIDi}, {&Fragment{2, 3}, 0}} {
		prefix := Prefix(h, PayloadIDi, c.f, len(sealed))
		m, err := Parse(append(bytes.Clone(prefix), sealed...))
		if err != nil {
			t.Fatalf("%+v: %v", c.f, err)
		}
		if !bytes.Equal(m.Encrypted, sealed) || !bytes.Equal(m.AAD, prefix) || m.First != c.first || !reflect.DeepEqual(m.Fragment, c.f) || len(m.Payloads) != 0 {
			t.Errorf("%+v: %+v", c.f, m)
		}
	}
}

func TestWrong(t *testing.T) {
	msg := func(list ...Out) []byte { return Clear(ikemsg.Header{}, list) }
	critical := msg(Out{200, []byte{1}})
	critical[ikemsg.HeaderLen+1] = 0x80
	var unsupported *UnsupportedError
	if _, err := Parse(critical); !errors.As(err, &unsupported) || unsupported.Type != 200 {
		t.Errorf("a critical payload: %v", err)
	}
	if m, err := Parse(msg(Out{200, []byte{1}}, Out{PayloadNonce, make([]byte, 16)})); err != nil || len(m.Payloads) != 1 {
		t.Errorf("an unknown payload: %v, %d payloads", err, len(m.Payloads))
	}
	tail := msg(Out{PayloadNonce, make([]byte, 16)})
	tail = append(tail, 0)
	tail[27]++
	if _, err := Parse(tail); !errors.Is(err, ErrSyntax) {
		t.Errorf("a byte behind the payloads: %v", err)
	}
	if _, err := ParseInner(PayloadEncrypted, []byte{0, 0, 0, 4}); !errors.Is(err, ErrSyntax) {
		t.Errorf("encrypted in encrypted: %v", err)
	}
	for name, err := range map[string]error{
		"nonce of 15":           func() error { _, err := ParseNonce(make([]byte, 15)); return err }(),
		"nonce of 257":          func() error { _, err := ParseNonce(make([]byte, 257)); return err }(),
		"IPv4 identity of 5":    func() error { _, err := ParseID([]byte{IDIPv4, 0, 0, 0, 1, 2, 3, 4, 5}); return err }(),
		"delete with short SPI": func() error { _, err := ParseDelete([]byte{ProtoESP, 2, 0, 1, 1, 1}); return err }(),
		"no selector":           func() error { _, err := ParseTS([]byte{0, 0, 0, 0}); return err }(),
		"selector of 15": func() error {
			_, err := ParseTS(append([]byte{1, 0, 0, 0, tsIPv4, 0, 0, 15}, make([]byte, 7)...))
			return err
		}(),
	} {
		if !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A transform with an attribute that is not known is read, and marked.
func TestOddAttribute(t *testing.T) {
	b := AppendSA(nil, []Proposal{{Number: 1, Protocol: ProtoESP, Transforms: []Transform{{Type: TransformEncr, ID: EncrAESCBC, Bits: 128}}}})
	b[len(b)-3] = 77
	list, err := ParseSA(b)
	if err != nil || !list[0].Transforms[0].Odd || list[0].Transforms[0].Bits != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestCovers(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		s    Selector
		want bool
	}{
		{Host(a, 47), true}, {Host(a, 0), true}, {Host(a, 17), false}, {Host(netip.MustParseAddr("192.0.2.2"), 47), false},
		{Selector{EndPort: 0xffff, Start: netip.MustParseAddr("0.0.0.0"), End: netip.MustParseAddr("255.255.255.255")}, true},
		{Selector{EndPort: 80, Start: a, End: a}, false},
	} {
		if got := c.s.Covers(a, 47); got != c.want {
			t.Errorf("%+v: %v", c.s, got)
		}
	}
}
