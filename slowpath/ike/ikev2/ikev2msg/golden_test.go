package ikev2msg

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/slowpath/ike/ikemsg"
)

// goldenCounts is how many messages each file of testdata holds.
var goldenCounts = map[string]int{
	"ikev2four.txt": 21, "ikev2pI2.txt": 2, "strongswan-aes128-sha256-modp2048.txt": 6, "strongswan-chacha20poly1305-prfsha256-x25519.txt": 4,
	"strongswan-aes256gcm16-ecp256.txt": 12, "strongswan-nat.txt": 12,
}

// golden reads the messages of a file.
func golden(t testing.TB, file string) (list [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "#" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, b)
	}
	return list
}

func everyGolden(t testing.TB) (list [][]byte) {
	for f := range goldenCounts {
		list = append(list, golden(t, f)...)
	}
	return list
}

// again encodes what was decoded of a payload.
func again(t testing.TB, p ikemsg.Payload) []byte {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Errorf("payload %d: %v", p.Type, err)
		}
	}
	switch p.Type {
	case PayloadSA:
		x, err := ParseSA(p.Body)
		check(err)
		return AppendSA(nil, x)
	case PayloadKE:
		x, err := ParseKE(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadIDi, PayloadIDr:
		x, err := ParseID(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadCert, PayloadCertReq:
		x, err := ParseCert(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadAuth:
		x, err := ParseAuth(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadNonce:
		x, err := ParseNonce(p.Body)
		check(err)
		return x
	case PayloadNotify:
		x, err := ParseNotify(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadDelete:
		x, err := ParseDelete(p.Body)
		check(err)
		return x.Append(nil)
	case PayloadTSi, PayloadTSr:
		x, err := ParseTS(p.Body)
		check(err)
		return AppendTS(nil, x)
	}
	return p.Body
}

// encode writes a message as it was read.
func encode(t testing.TB, m *Message) []byte {
	var list []Out
	for _, p := range m.Payloads {
		list = append(list, Out{p.Type, again(t, p)})
	}
	if m.AAD == nil {
		return Clear(m.Header, list)
	}
	return append(Prefix(m.Header, m.First, m.Fragment, len(m.Encrypted)), m.Encrypted...)
}

// uncritical clears the critical bits, which mean nothing on payloads that everybody knows, and which nave does not set.
func uncritical(b []byte) []byte {
	b = bytes.Clone(b)
	for next, p := b[16], b[ikemsg.HeaderLen:]; next != 0 && len(p) > ikemsg.Generic; {
		p[1] &^= 0x80
		if next == PayloadEncrypted || next == PayloadFragment {
			break
		}
		next, p = p[0], p[be16(p[2:]):]
	}
	return b
}

// What real peers said is read, and written again byte by byte.
func TestGoldenRoundTrip(t *testing.T) {
	for file, want := range goldenCounts {
		list := golden(t, file)
		if len(list) != want {
			t.Errorf("%s: %d messages, want %d", file, len(list), want)
		}
		for i, b := range list {
			m, err := Parse(b)
			if err != nil {
				t.Errorf("%s message %d: %v", file, i+1, err)
				continue
			}
			if got, want := encode(t, &m), uncritical(b); !bytes.Equal(got, want) {
				t.Errorf("%s message %d:\n got %x\nwant %x", file, i+1, got, want)
			}
		}
	}
}

// No message that is cut short is taken for a whole one.
func TestGoldenTruncated(t *testing.T) {
	for _, b := range everyGolden(t) {
		for n := range b {
			if _, err := Parse(b[:n]); err == nil {
				t.Fatalf("%d of %d bytes are a message: %x", n, len(b), b[:n])
			}
		}
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Payloads {
			for n := range p.Body {
				truncated(p.Type, p.Body[:n]) // must not panic; some are whole by chance
			}
		}
	}
}

func truncated(t uint8, b []byte) {
	_, _ = ParseSA(b)
	_, _ = ParseKE(b)
	_, _ = ParseID(b)
	_, _ = ParseCert(b)
	_, _ = ParseAuth(b)
	_, _ = ParseNonce(b)
	_, _ = ParseNotify(b)
	_, _ = ParseDelete(b)
	_, _ = ParseTS(b)
	_, _ = ParseInner(t, b)
}
