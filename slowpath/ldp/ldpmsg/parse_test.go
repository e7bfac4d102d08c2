package ldpmsg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var extra = []TLV{{Type: 0x3f01, U: true, F: true, Value: []byte{1, 2, 3}}, {Type: 0x3f02, U: true, Value: []byte{}}}

// samples are one message of each kind, with all that it can have.
func samples() []Message {
	fec := FEC{Prefixes: []netip.Prefix{pfx("10.9.9.1/32"), pfx("10.0.0.0/24"), pfx("0.0.0.0/0"), pfx("172.16.0.0/12"), pfx("2001:db8::/33"), pfx("::/0")}}
	return []Message{
		&Hello{HoldTime: 15, Requested: true, Targeted: true, GTSM: true, Transport: ip("10.9.9.1"), Sequence: 7, Sequenced: true, Extra: extra},
		&Hello{HoldTime: HoldForever},
		&Initialization{Version: 1, KeepAlive: 180, OnDemand: true, LoopDetection: true, PathVectorLimit: 32, MaxPDU: 4096, Receiver: ID{ip("10.9.9.11"), 2},
			FT: &FTSession{Flags: 1, Reconnect: 120 * time.Second, Recovery: 1500 * time.Millisecond}, Extra: extra},
		&KeepAlive{}, &KeepAlive{Extra: extra},
		&Address{Addrs: []netip.Addr{ip("10.9.9.1"), ip("10.0.0.1")}}, &Address{Withdraw: true, Addrs: []netip.Addr{ip("10.9.9.1")}, Extra: extra},
		&Label{Kind: TypeMapping, FEC: fec, Label: 17, Labelled: true, Request: 5, Requested: true, HopCount: 3, Counted: true, Path: []netip.Addr{ip("1.1.1.1"), ip("2.2.2.2")}, Extra: extra},
		&Address{Addrs: []netip.Addr{ip("2001:db8::1"), ip("::ffff:1.2.3.4")}},
		&Label{Kind: TypeRequest, FEC: fec, Counted: true},
		&Label{Kind: TypeWithdraw, FEC: FEC{Wildcard: true}, Label: MaxLabel, Labelled: true},
		&Label{Kind: TypeRelease, FEC: FEC{Wildcard: true}},
		&Label{Kind: TypeAbort, FEC: fec, Request: 9, Requested: true},
		&Notification{Code: BadTLVLength, Fatal: true, Forward: true, MsgID: 77, About: TypeMapping, Extra: []TLV{{Type: TLVExtendedStatus, Value: []byte{0, 0, 0, 1}}}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range samples() {
		b, err := Append([]byte("before"), 0xdeadbeef, m)
		if err != nil {
			t.Fatal(err)
		}
		raw, rest, err := Next(b[6:])
		if err != nil || len(rest) != 0 || raw.ID != 0xdeadbeef || raw.Type != m.Type() || raw.U {
			t.Fatalf("%s: %+v, %d left, %v", m.Type(), raw, len(rest), err)
		}
		got, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", m.Type(), err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\n%+v is not\n%+v", m.Type(), got, m)
		}
	}
}

// TestTruncated cuts every message at every byte, in two ways: with lengths that still say the whole, and with lengths that say what is
// there. The first is always a fault, the second never a panic, and a message that is read is one that can be written.
func TestTruncated(t *testing.T) {
	id := ID{ip("10.9.9.1"), 0}
	for _, m := range samples() {
		b, _ := Append(nil, 1, m)
		pdu := Pack(nil, id, DefaultMaxPDU, b)
		for n := range pdu {
			if got, err := Frame(pdu[:n], DefaultMaxPDU); err != nil || (got != 0 && got != len(pdu)) {
				t.Fatalf("%s cut at %d: frame %d, %v", m.Type(), n, got, err)
			}
			if _, _, err := ParsePDU(pdu[:n], DefaultMaxPDU); err == nil {
				t.Fatalf("%s cut at %d: PDU taken", m.Type(), n)
			}
		}
		for n := range b {
			if _, _, err := Next(b[:n]); err == nil {
				t.Fatalf("%s cut at %d: message taken", m.Type(), n)
			}
			if n < msgHeader {
				continue
			}
			cut := bytes.Clone(b[:n])
			binary.BigEndian.PutUint16(cut[2:], uint16(n-4))
			raw, _, err := Next(cut)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(raw)
			var e *Error
			switch {
			case err == nil:
				if _, err := Append(nil, 1, got); err != nil {
					t.Errorf("%s cut at %d: read, but %v", m.Type(), n, err)
				}
			case !errors.As(err, &e):
				t.Errorf("%s cut at %d: %v is no Error", m.Type(), n, err)
			case e.MsgID != 1 || e.Type != m.Type():
				t.Errorf("%s cut at %d: fault of %s %d", m.Type(), n, e.Type, e.MsgID)
			case e.Code != BadTLVLength && e.Code != MissingParameters:
				t.Errorf("%s cut at %d: %s", m.Type(), n, e.Code)
			}
		}
	}
}

func message(typ Type, tlvs ...[]byte) Raw {
	return Raw{Type: typ &^ 0x8000, U: typ&0x8000 != 0, ID: 42, TLVs: bytes.Join(tlvs, nil)}
}

func rawTLV(typ uint16, v ...byte) []byte {
	return append([]byte{byte(typ >> 8), byte(typ), byte(len(v) >> 8), byte(len(v))}, v...)
}

// TestFaults are the faults of section 3.5.1.2 and the codes that they are answered with.
func TestFaults(t *testing.T) {
	fec := rawTLV(0x0100, 2, 0, 1, 24, 10, 0, 0)
	label := rawTLV(0x0200, 0, 0, 0, 17)
	session := rawTLV(0x0500, 0, 1, 0, 180, 0, 0, 0, 0, 10, 0, 0, 1, 0, 0)
	for _, c := range []struct {
		what  string
		raw   Raw
		code  Status
		fatal bool
	}{
		{"unknown message", message(0x0777), UnknownMessage, false},
		{"unknown TLV", message(TypeMapping, fec, label, rawTLV(0x0777)), UnknownTLV, false},
		{"unknown TLV with F alone", message(TypeMapping, fec, label, rawTLV(0x4777)), UnknownTLV, false},
		{"ATM label", message(TypeMapping, fec, rawTLV(0x0201, 0, 0, 0, 17)), UnknownTLV, false},
		{"no FEC", message(TypeMapping, label), MissingParameters, false},
		{"no label", message(TypeMapping, fec), MissingParameters, false},
		{"no request", message(TypeAbort, fec), MissingParameters, false},
		{"no session parameters", message(TypeInitialization), MissingParameters, false},
		{"no hello parameters", message(TypeHello), MissingParameters, false},
		{"no addresses", message(TypeAddress), MissingParameters, false},
		{"no status", message(TypeNotification), MissingParameters, false},
		{"TLV past the end", message(TypeMapping, fec, []byte{2, 0, 0, 9, 0}), BadTLVLength, true},
		{"half a TLV header", message(TypeMapping, fec, label, []byte{2, 0}), BadTLVLength, true},
		{"short label", message(TypeMapping, fec, rawTLV(0x0200, 0, 0, 17)), BadTLVLength, true},
		{"long session", message(TypeInitialization, append(session[:3:3], append([]byte{15}, append(session[4:], 0)...)...)), BadTLVLength, true},
		{"label of 21 bits", message(TypeMapping, fec, rawTLV(0x0200, 0, 16, 0, 0)), MalformedTLV, true},
		{"empty FEC", message(TypeMapping, rawTLV(0x0100), label), MalformedTLV, true},
		{"prefix of 33", message(TypeMapping, rawTLV(0x0100, 2, 0, 1, 33, 10, 0, 0, 0, 0), label), MalformedTLV, true},
		{"prefix cut off", message(TypeMapping, rawTLV(0x0100, 2, 0, 1, 24, 10, 0), label), MalformedTLV, true},
		{"wildcard mapped", message(TypeMapping, rawTLV(0x0100, 1), label), UnknownFEC, false},
		{"wildcard and more", message(TypeWithdraw, rawTLV(0x0100, 1, 1)), MalformedTLV, true},
		{"more and wildcard", message(TypeWithdraw, rawTLV(0x0100, 2, 0, 1, 0, 1)), MalformedTLV, true},
		{"pseudowire", message(TypeMapping, rawTLV(0x0100, 128, 0, 4, 0), label), UnknownFEC, false},
		{"family 3", message(TypeMapping, rawTLV(0x0100, 2, 0, 3, 0), label), UnsupportedFamily, false},
		{"IPv6 prefix of 129", message(TypeMapping, rawTLV(0x0100, 2, 0, 2, 129), label), MalformedTLV, true},
		{"addresses of family 3", message(TypeAddress, rawTLV(0x0101, 0, 3)), UnsupportedFamily, false},
		{"half an address", message(TypeAddress, rawTLV(0x0101, 0, 1, 10, 0)), MalformedTLV, true},
		{"half a family", message(TypeAddress, rawTLV(0x0101, 0)), BadTLVLength, true},
		{"half a path", message(TypeMapping, fec, label, rawTLV(0x0104, 1, 1)), BadTLVLength, true},
	} {
		_, err := Parse(c.raw)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || e.Code.Fatal() != c.fatal || e.MsgID != 42 || e.Type != c.raw.Type {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	// What is to be ignored is.
	if m, err := Parse(message(0x8777, []byte{1})); m != nil || err != nil {
		t.Errorf("unknown message with U: %v, %v", m, err)
	}
	m, err := Parse(message(TypeMapping, fec, rawTLV(0xc777, 1), label, rawTLV(0x8778)))
	if err != nil || len(m.(*Label).Extra) != 2 || !m.(*Label).Extra[0].F || m.(*Label).Extra[1].F {
		t.Errorf("unknown TLVs with U: %+v, %v", m, err)
	}
}

func TestFrame(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		code Status
	}{
		{[]byte{0, 2}, BadVersion}, {[]byte{0, 1, 0, 13}, BadPDULength}, {[]byte{0, 1, 0x10, 1}, BadPDULength},
	} {
		var e *Error
		if _, err := Frame(c.b, DefaultMaxPDU); !errors.As(err, &e) || e.Code != c.code || !e.Code.Fatal() {
			t.Errorf("%x: %v", c.b, err)
		}
	}
	for _, b := range [][]byte{{0, 1, 0, 8, 0, 0, 0, 0}, {4, 0, 0, 3, 0, 0, 0, 0}, {4, 0, 0, 5, 0, 0, 0, 0}} {
		var e *Error
		if _, _, err := Next(b); b[0] != 0 && (!errors.As(err, &e) || e.Code != BadMessageLength) {
			t.Errorf("%x: %v", b, err)
		}
	}
	var e *Error
	if _, _, err := Next([]byte{1, 0, 0, 4}); !errors.As(err, &e) || e.Code != BadPDULength {
		t.Errorf("bytes after the last message: %v", err)
	}
}

// TestPack fills PDUs as far as they go.
func TestPack(t *testing.T) {
	var all []byte
	var err error
	for i := range 100 {
		if all, err = Append(all, uint32(i), &Label{Kind: TypeMapping, FEC: FEC{Prefixes: []netip.Prefix{pfx("10.9.9.1/32")}}, Label: 16, Labelled: true}); err != nil {
			t.Fatal(err)
		}
	}
	id := ID{ip("10.9.9.1"), 0}
	b := Pack(nil, id, 256, all)
	pdus, next := 0, uint32(0)
	for ; len(b) > 0; pdus++ {
		n, err := Frame(b, 256)
		if err != nil || n > 256 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		from, body, err := ParsePDU(b, 256)
		if err != nil || from != id {
			t.Fatal(from, err)
		}
		for len(body) > 0 {
			var m Raw
			if m, body, err = Next(body); err != nil || m.ID != next {
				t.Fatal(m, err)
			}
			next++
		}
		b = b[n:]
	}
	if next != 100 || pdus != 13 { // 28 bytes each: 8 in a PDU
		t.Errorf("%d messages in %d PDUs", next, pdus)
	}
}

func TestAppendRefuses(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::1")
	long := make([]TLV, 2)
	for i := range long {
		long[i] = TLV{Type: 0x3f00, U: true, Value: make([]byte, 40000)}
	}
	for _, m := range []Message{
		&Hello{Transport: six}, &Address{Addrs: []netip.Addr{ip("10.0.0.1"), six}}, &Address{Addrs: []netip.Addr{{}}},
		&Label{Kind: TypeMapping, FEC: FEC{Wildcard: true}, Label: MaxLabel + 1, Labelled: true}, &Label{Kind: TypeMapping, FEC: FEC{Wildcard: true}, Path: []netip.Addr{six}},
		&KeepAlive{Extra: long}, &Notification{Extra: []TLV{{Value: make([]byte, 70000)}}}, &Label{FEC: FEC{Prefixes: []netip.Prefix{{}}}},
	} {
		if b, err := Append([]byte{1}, 1, m); err == nil || len(b) != 1 {
			t.Errorf("%s: %d bytes, %v", m.Type(), len(b), err)
		}
	}
}

func TestNames(t *testing.T) {
	if s := BadPDULength.String() + Status(0x99).String() + TypeAbort.String() + Type(0x777).String() + (ID{ip("1.2.3.4"), 5}).String(); s !=
		"Bad PDU Lengthstatus 0x99Label Abort Requestmessage type 0x07771.2.3.4:5" {
		t.Error(s)
	}
	if Status(0x3fffffff).Fatal() || !InternalError.Fatal() || LabelsAvailable.Fatal() {
		t.Error("fatal")
	}
}

func FuzzParse(f *testing.F) {
	id := ID{ip("10.9.9.1"), 0}
	for _, m := range samples() {
		b, _ := Append(nil, 1, m)
		f.Add(Pack(nil, id, DefaultMaxPDU, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Frame(b, DefaultMaxPDU)
		if err != nil || n == 0 || n > len(b) {
			return
		}
		from, body, err := ParsePDU(b, DefaultMaxPDU)
		if err != nil {
			t.Fatal(err)
		}
		for len(body) > 0 {
			var raw Raw
			if raw, body, err = Next(body); err != nil {
				return
			}
			m, err := Parse(raw)
			if err != nil || m == nil {
				continue
			}
			// What was read can be written, and is read as the same.
			out, err := Append(nil, raw.ID, m)
			if err != nil {
				t.Fatalf("%+v: %v", m, err)
			}
			again, _, err := Next(out)
			if err != nil {
				t.Fatal(err)
			}
			m2, err := Parse(again)
			if err != nil {
				t.Fatalf("%+v written, then %v", m, err)
			}
			out2, _ := Append(nil, raw.ID, m2)
			if !bytes.Equal(out, out2) || from.LSR.Is6() {
				t.Fatalf("%x is not %x", out2, out)
			}
		}
	})
}
