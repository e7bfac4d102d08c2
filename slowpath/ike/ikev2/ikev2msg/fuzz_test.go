package ikev2msg

import (
	"bytes"
	"testing"
)

// FuzzParse feeds the parsers. What one of them takes is written again and read the same.
func FuzzParse(f *testing.F) {
	f.Add(sample())
	for _, b := range everyGolden(f) {
		f.Add(b)
		if m, err := Parse(b); err == nil {
			for _, p := range m.Payloads {
				f.Add(p.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Parse(b); err == nil && m.Version == 0x20 {
			var list []Out
			for _, p := range m.Payloads {
				list = append(list, Out{p.Type, p.Body})
			}
			first := Clear(m.Header, list)
			if m.AAD != nil {
				first = append(Prefix(m.Header, m.First, m.Fragment, len(m.Encrypted)), m.Encrypted...)
			}
			n, err := Parse(first)
			if err != nil || len(n.Payloads) != len(m.Payloads) && m.AAD == nil || !bytes.Equal(n.Encrypted, m.Encrypted) {
				t.Fatalf("written again it is read as %+v, %v", n, err)
			}
		}
		for _, first := range []uint8{PayloadSA, PayloadKE, PayloadNotify, PayloadDelete, 200} {
			_, _ = ParseInner(first, bytes.Clone(b))
		}
		if x, err := ParseSA(b); err == nil {
			y, err := ParseSA(AppendSA(nil, x))
			if err != nil || len(x) != len(y) {
				t.Fatalf("SA %+v is read again as %+v, %v", x, y, err)
			}
		}
		if x, err := ParseNotify(b); err == nil && !bytes.Equal(x.Append(nil), b) {
			t.Fatalf("notification %+v", x)
		}
		if x, err := ParseDelete(b); err == nil && x.Protocol != ProtoIKE && !bytes.Equal(x.Append(nil), b) {
			t.Fatalf("delete %+v", x)
		}
		if x, err := ParseTS(b); err == nil && len(x) > 0 {
			if y, err := ParseTS(AppendTS(nil, x)); err != nil || len(x) != len(y) {
				t.Fatalf("selectors %+v, %v", y, err)
			}
		}
		truncated(b2t(b), b)
	})
}

func b2t(b []byte) uint8 {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}
