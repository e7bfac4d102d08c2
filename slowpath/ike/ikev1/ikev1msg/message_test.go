package ikev1msg

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"nave/slowpath/ike/ikemsg"
)

// offer is proposals of both kinds: AH and ESP together, and ESP alone with two transforms.
var offer = SA{DOI: DOIIPsec, Situation: SituationIdentity, Proposals: []Proposal{
	{Number: 1, Protocol: ProtoAH, SPI: []byte{0, 0, 1, 1}, Transforms: []Transform{{Number: 1, ID: 3, Attrs: []Attr{Short(Attr2Encap, 2), Short(Attr2Auth, 2)}}}},
	{Number: 1, Protocol: ProtoESP, SPI: []byte{0, 0, 1, 2}, Transforms: []Transform{{Number: 1, ID: 2, Attrs: []Attr{
		Short(Attr2LifeType, LifeSeconds), Long(Attr2LifeDuration, 3600), Short(Attr2LifeType, LifeKilobytes), Long(Attr2LifeDuration, 4608000),
	}}}},
	{Number: 2, Protocol: ProtoESP, SPI: []byte{0, 0, 1, 2}, Transforms: []Transform{{Number: 1, ID: 12, Attrs: []Attr{Short(Attr2KeyLength, 256)}}, {Number: 2, ID: 3}}},
}}

// bodies are a body of every kind of payload, and how it is read and written again.
var bodies = []struct {
	name  string
	body  []byte
	again func([]byte) ([]byte, error)
	cut   int // bytes behind which any length will do
}{
	{"SA", offer.Append(nil), func(b []byte) ([]byte, error) { v, err := ParseSA(b); return v.Append(nil), err }, 0},
	{"ID", id().Append(nil), func(b []byte) ([]byte, error) { v, err := ParseID(b); return v.Append(nil), err }, 4},
	{"certificate", (&Cert{CertX509Signature, []byte{0x30, 1, 0}}).Append(nil), func(b []byte) ([]byte, error) { v, err := ParseCert(b); return v.Append(nil), err }, 1},
	{"notification", (&Notify{DOI: 1, Protocol: 3, SPI: []byte{1, 2, 3, 4}, Type: NotifyResponderLifetime, Data: AppendLifetime(nil, LifeSeconds, 120)}).Append(nil),
		func(b []byte) ([]byte, error) { v, err := ParseNotify(b); return v.Append(nil), err }, 12},
	{"delete", (&Delete{DOI: 1, Protocol: 3, Size: 4, SPIs: []byte{0, 0, 1, 1, 0, 0, 1, 2}}).Append(nil), func(b []byte) ([]byte, error) { v, err := ParseDelete(b); return v.Append(nil), err }, 0},
	{"attributes", (&Config{Kind: ConfigRequest, Identifier: 7, Attrs: []Attr{Short(1, 2), {Type: 3, Value: []byte{1, 2, 3}}}}).Append(nil),
		func(b []byte) ([]byte, error) { v, err := ParseConfig(b); return v.Append(nil), err }, 0},
	{"fragment", (&Fragment{ID: 9, Number: 2, Last: true, Data: []byte{1, 2, 3}}).Append(nil), func(b []byte) ([]byte, error) { v, err := ParseFragment(b); return v.Append(nil), err }, 5},
}

func id() *ID {
	d := HostID(netip.MustParseAddr("192.0.2.1"), 47, 0)
	return &d
}

// What was read is written as it was, and what is cut short is an error wherever the length matters.
func TestBodies(t *testing.T) {
	for _, c := range bodies {
		again, err := c.again(c.body)
		if err != nil || !bytes.Equal(again, c.body) {
			t.Errorf("%s: %x, again %x (%v)", c.name, c.body, again, err)
		}
		for n := range c.body {
			again, err := c.again(c.body[:n])
			switch {
			case err == nil && c.cut > 0 && n >= c.cut:
				if !bytes.Equal(again, c.body[:n]) {
					t.Errorf("%s of %d bytes: %x, again %x", c.name, n, c.body[:n], again)
				}
			case err == nil && c.name == "attributes" && (n == 4 || n == 8): // between two attributes
			case err == nil:
				t.Errorf("%s: %d bytes of %d pass", c.name, n, len(c.body))
			}
		}
	}
}

func TestChain(t *testing.T) {
	list := []ikemsg.Payload{{Type: PayloadSA, Body: bodies[0].body}, {Type: PayloadNonce, Body: []byte{1, 2}}, {Type: PayloadID, Body: bodies[1].body}}
	b := AppendChain(nil, list)
	got, _, rest, err := ikemsg.ParseChain(PayloadSA, append(bytes.Clone(b), 0, 0, 0))
	if err != nil || !bytes.Equal(rest, []byte{0, 0, 0}) || !reflect.DeepEqual(got, list) {
		t.Errorf("%v, rest %x, %v", got, rest, err)
	}
	for n := range b {
		if _, _, _, err := ikemsg.ParseChain(PayloadSA, b[:n]); !errors.Is(err, ikemsg.ErrShort) {
			t.Errorf("%d bytes of %d: %v", n, len(b), err)
		}
	}
}

func TestLifetimes(t *testing.T) {
	if s, k := Lifetimes(offer.Proposals[1].Transforms[0].Attrs, Attr2LifeType, Attr2LifeDuration); s != 3600 || k != 4608000 {
		t.Errorf("%d s, %d kB", s, k)
	}
	// A short duration, a duration of eight bytes, one without a kind before it.
	for _, c := range []struct {
		attrs []Attr
		s, k  uint64
	}{
		{[]Attr{Short(Attr2LifeType, LifeSeconds), Short(Attr2LifeDuration, 60)}, 60, 0},
		{[]Attr{{Type: Attr2LifeDuration, Value: []byte{0, 0, 0, 0, 0, 1, 0x51, 0x80}}}, 86400, 0},
		{[]Attr{Short(Attr2LifeType, LifeKilobytes), Short(Attr2Encap, 1), Short(Attr2LifeDuration, 9)}, 0, 9},
		{[]Attr{{Type: Attr2LifeDuration, Value: bytes.Repeat([]byte{0xff}, 12)}}, 1<<64 - 1, 0},
	} {
		if s, k := Lifetimes(c.attrs, Attr2LifeType, Attr2LifeDuration); s != c.s || k != c.k {
			t.Errorf("%v: %d s, %d kB", c.attrs, s, k)
		}
	}
	if s, k, err := ParseLifetimes(AppendLifetime(AppendLifetime(nil, LifeSeconds, 5), LifeKilobytes, 6)); s != 5 || k != 6 || err != nil {
		t.Errorf("%d s, %d kB, %v", s, k, err)
	}
}

func TestHost(t *testing.T) {
	for _, c := range []struct {
		d  ID
		ok bool
	}{
		{*id(), true}, {ID{Type: IDIPv4Subnet, Data: []byte{192, 0, 2, 1, 255, 255, 255, 255}}, true}, {ID{Type: IDIPv4Subnet, Data: []byte{192, 0, 2, 0, 255, 255, 255, 0}}, false},
		{ID{Type: IDIPv4, Data: []byte{192, 0, 2}}, false}, {ID{Type: IDFQDN, Data: []byte("host")}, false},
	} {
		if a, ok := c.d.Host(); ok != c.ok || ok && a != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%+v: %v %v", c.d, a, ok)
		}
	}
}

// What contradicts itself is an error.
func TestWrong(t *testing.T) {
	many := SA{DOI: 1, Situation: 1}
	for range 3 {
		p := Proposal{Number: 1, Protocol: 1}
		for range 255 {
			p.Transforms = append(p.Transforms, Transform{Number: 1, ID: 1})
		}
		many.Proposals = append(many.Proposals, p)
	}
	count := bytes.Clone(bodies[0].body)
	count[8+7]++ // the proposal says one transform more than it has
	next := bytes.Clone(bodies[0].body)
	next[8] = 77
	for name, b := range map[string][]byte{"too many transforms": many.Append(nil), "a count that is wrong": count, "an odd payload next": next, "a byte behind": append(offer.Append(nil), 0)} {
		if _, err := ParseSA(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, b := range map[string][]byte{
		"three bytes of SPIs": {0, 0, 0, 1, 3, 4, 0, 1, 1, 2, 3}, "SPIs of no bytes": {0, 0, 0, 1, 3, 0, 0, 1}, "fewer than it says": {0, 0, 0, 1, 3, 4, 0, 2, 0, 0, 1, 1},
	} {
		if _, err := ParseDelete(b); err == nil {
			t.Errorf("delete with %s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for i, c := range bodies {
		f.Add(uint8(i), c.body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		c := bodies[int(kind)%len(bodies)]
		again, err := c.again(b)
		if err != nil {
			return
		}
		// Reserved bytes are not kept: what was written reads as the same.
		if third, err := c.again(again); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%s: %x, again %x, and again %x (%v)", c.name, b, again, third, err)
		}
	})
}
