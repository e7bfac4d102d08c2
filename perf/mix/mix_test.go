package mix

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/fastpath/packet"
)

var link = Link{Src: [6]byte{2, 0, 0, 0, 0, 9}, Dst: [6]byte{2, 0, 0, 0, 0, 1}}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of a test's own making
	}
	return v
}

// Every mix that is built in has a line about it and makes packets that are right in every header.
func TestEmbedded(t *testing.T) {
	names := Names()
	if len(names) < 15 {
		t.Fatalf("only %d mixes: %v", len(names), names)
	}
	for _, name := range names {
		m, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Name != name || m.About == "" {
			t.Errorf("%s.mix calls itself %q, about %q", name, m.Name, m.About)
		}
		tr := must(m.Train(link))
		for i := range min(len(tr.Slots), 500) {
			checkFrame(t, tr, i)
		}
	}
}

// checkFrame writes a packet and reads all its layers.
func checkFrame(t *testing.T, tr *Train, i int) {
	t.Helper()
	m := tr.Mix
	b := make([]byte, tr.Slots[i].Len, 2048)
	want := Stamp{Seq: uint64(i) + 5, Time: 1<<40 + int64(i)}
	tr.Write(b, i, want)
	if !bytes.Equal(b[:6], link.Dst[:]) || !bytes.Equal(b[6:12], link.Src[:]) {
		t.Fatalf("%s: Ethernet addresses % x", m.Name, b[:12])
	}
	ip, fault := packet.ParseIPv4(Strip(b))
	if fault != packet.OK {
		t.Fatalf("%s %d: fault %v in % x", m.Name, i, fault, b[:60])
	}
	if m.GRE == nil && m.ESP == nil {
		if ip.Proto() != packet.ProtoUDP || int(binary.BigEndian.Uint16(ip.Payload()[4:])) != len(ip)-20 {
			t.Fatalf("%s: no datagram: % x", m.Name, ip)
		}
	}
	if tr.Sealed() {
		ip = opened(t, m, ip)
	}
	if m.GRE != nil && (m.ESP == nil || m.sealed()) {
		g := ip.Payload()
		if ip.Proto() != packet.ProtoGRE || g[2] != 8 || (g[0] == 0x20) != m.GRE.HasKey || m.GRE.HasKey && binary.BigEndian.Uint32(g[4:]) != m.GRE.Key {
			t.Fatalf("%s: GRE % x", m.Name, g[:8])
		}
		if ip, fault = packet.ParseIPv4(g[m.greLen():]); fault != packet.OK {
			t.Fatalf("%s: fault %v inside GRE", m.Name, fault)
		}
	}
	whole := append(b[:14:14], ip...)
	binary.BigEndian.PutUint16(whole[12:], 0x0800)
	if got, ok := ReadStamp(whole); !ok && tr.Slots[i].Stamp != 0 || ok && got != want {
		t.Fatalf("%s: stamp %+v, want %+v", m.Name, got, want)
	}
}

// opened decrypts ESP as a peer would and returns the packet with GRE in place of it.
func opened(t *testing.T, m *Mix, ip packet.IPv4) packet.IPv4 {
	t.Helper()
	p := ip.Payload()
	k := m.ESP.Key
	block := must(aes.NewCipher(k[:len(k)-4]))
	aead := must(cipher.NewGCM(block))
	nonce := append(bytes.Clone(k[len(k)-4:]), p[8:16]...)
	text, err := aead.Open(nil, nonce, p[16:], p[:8])
	if err != nil || ip.Proto() != packet.ProtoESP || binary.BigEndian.Uint32(p) != m.ESP.SPI {
		t.Fatalf("%s: does not open: %v", m.Name, err)
	}
	pad := int(text[len(text)-2])
	if text[len(text)-1] != packet.ProtoGRE || pad > 3 || len(text)%4 != 0 {
		t.Fatalf("%s: trailer % x", m.Name, text[len(text)-4:])
	}
	for k := range pad {
		if text[len(text)-2-pad+k] != byte(k+1) {
			t.Fatalf("%s: padding % x", m.Name, text[len(text)-2-pad:])
		}
	}
	out := append(bytes.Clone(ip[:20]), text[:len(text)-2-pad]...)
	out[9] = packet.ProtoGRE
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	packet.IPv4(out[:20]).SetSum()
	return out
}

// Sequence numbers of ESP rise with every packet, over the end of the train.
func TestSealedSequence(t *testing.T) {
	m := must(Load("esp"))
	tr := must(m.Train(link))
	for n := range 2 * len(tr.Slots) {
		i := n % len(tr.Slots)
		b := make([]byte, tr.Slots[i].Len)
		tr.Write(b, i, Stamp{})
		if got := binary.BigEndian.Uint32(b[tr.Slots[i].seal+4:]); got != uint32(n+1) {
			t.Fatalf("packet %d has sequence number %d", n, got)
		}
	}
}

// Each flow has each size as often as its weight says, and destinations are as many as asked for.
func TestTrain(t *testing.T) {
	for _, flows := range []int{1, 2, 3, 12, 100} {
		m := &Mix{Name: "t", Sizes: []Size{{64, 7}, {576, 4}, {1400, 1}}, From: defaultFrom, To: defaultTo, Flows: flows, Over: max(1, flows/2), Burst: 1}
		tr := must(m.Train(link))
		pairs, dests := map[string]int{}, map[string]int{}
		for _, s := range tr.Slots {
			pairs[fmt.Sprint(binary.BigEndian.Uint16(s.Header[34:])-1024, " ", s.Len)]++
			dests[string(s.Header[30:34])]++
		}
		for f := range flows {
			for _, s := range m.Sizes {
				if n := pairs[fmt.Sprint(f, " ", s.Bytes+14)]; n != s.Weight {
					t.Errorf("%d flows: flow %d has %d packets of %d bytes, want %d", flows, f, n, s.Bytes, s.Weight)
				}
			}
		}
		if len(dests) != m.Over {
			t.Errorf("%d destinations, want %d", len(dests), m.Over)
		}
	}
	if got := fmt.Sprint(order([]Size{{0, 3}, {0, 1}})); got != "[0 0 1 0]" {
		t.Errorf("weights 3 and 1 come as %s", got)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "no line `mix NAME`",
		"size 64":                        `f:1: "size" before the line`,
		"mix a":                          "no size",
		"mix a\n\nsize 20":               "f:3: 20: want 28",
		"mix a\nsize 64 weight 0":        "f:2: 0: want 1 to 1000",
		"mix a\nsize 64 wait 1":          "f:2: \"wait 1\": want `weight N`",
		"mix a\nsize 64 weight":          "f:2: \"weight\": want `weight N`",
		"mix a\nsize":                    `f:2: "size" wants 1 words`,
		"mix a\nsize x":                  `f:2: "x" is no number`,
		"mix a\nframe 40":                "f:2: 40: want 46",
		"mix a\nsize 64\nfoo":            `f:3: unknown word "foo"`,
		"mix a\nmix b":                   `f:2: a second line "mix"`,
		"mix a b":                        `too many words: "b"`,
		"mix a\nfrom 1.2.3":              `f:2: "1.2.3" is no IPv4 address`,
		"mix a\nto ::1":                  `f:2: "::1" is no IPv4 address`,
		"mix a\nflows 4 over 5":          "f:2: 5: want 1 to 4",
		"mix a\ntos 256":                 "f:2: 256: want 0 to 255",
		"mix a\nmpls 1048576":            "f:2: 1048576: want 0 to 1048575",
		"mix a\ngre 1.1.1.1":             `f:2: "gre" wants 2 words`,
		"mix a\ngre 1.1.1.1 2.2.2.2 key": "want `key N`",
		"mix a\nesp 1 raw 64":            "f:2: 1: want 256",
		"mix a\nesp 256 des 00":          "f:2: \"des\": esp is",
		"mix a\nesp 256 aes-gcm 00":      "f:2: the key of aes-gcm",
		"mix a\nsize 64\nesp 256 raw 8x": `f:3: "8x" is no number`,
		"mix a\nsize 64\nburst 0":        "f:3: 0: want 1",
		"mix a\nsize 64\nflows 1048576\nsize 65 weight 999":           "headers: at most",
		"mix a\nsize 64\nesp 256 aes-gcm " + strings.Repeat("00", 20): "esp seals a GRE packet",
	} {
		_, err := Parse("f", text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	m := must(Parse("f", "mix a\nsize 1500\ngre 1.1.1.1 2.2.2.2"))
	if _, err := m.Train(link); err == nil || !strings.Contains(err.Error(), "longer than a link takes") {
		t.Errorf("a packet of 1500 bytes in GRE: %v", err)
	}
}

func TestLoadFile(t *testing.T) {
	f := filepath.Join(t.TempDir(), "my.mix")
	if err := os.WriteFile(f, []byte("mix mine # a comment\nframe 64\ntos 0x10\ndf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Load(f)
	if err != nil || m.TOS != 16 || !m.DF || m.Sizes[0].Bytes != 46 || m.Mean() != 46 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := Load("nothing"); err == nil || !strings.Contains(err.Error(), "imix") {
		t.Errorf("a mix that is not there: %v", err)
	}
}

// A stamp is found at no cut of a frame but the whole one, and never beyond it.
func TestStampTruncated(t *testing.T) {
	for _, name := range []string{"ip-64", "gre", "mpls"} {
		tr := must(must(Load(name)).Train(link))
		b := make([]byte, tr.Slots[0].Len)
		tr.Write(b, 0, Stamp{Seq: 7, Time: 9})
		for n := range b {
			if s, ok := ReadStamp(b[:n]); ok && n < int(tr.Slots[0].Stamp)+StampLen {
				t.Errorf("%s: stamp %+v in %d of %d bytes", name, s, n, len(b))
			}
		}
		if s, ok := ReadStamp(b); !ok || s.Seq != 7 || s.Time != 9 {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, n := range Names() {
		text, err := embedded.ReadFile("mixes/" + n + ".mix")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse("f", text)
		if err != nil || len(order(m.Sizes))*m.Flows > 4096 {
			return
		}
		tr, err := m.Train(link)
		if err != nil {
			return
		}
		for i := range min(len(tr.Slots), 64) {
			checkFrame(t, tr, i)
		}
	})
}

func FuzzReadStamp(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\x47\x00\x06\x41\x40\x45"))
	f.Fuzz(func(_ *testing.T, b []byte) { ReadStamp(b) })
}
