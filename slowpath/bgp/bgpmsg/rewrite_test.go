package bgpmsg

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"nave/testbed/golden"
)

type labelMap map[Key]uint32

func (m labelMap) Label(k Key) (uint32, bool) {
	l, ok := m[k]
	return l, ok
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// message puts an UPDATE together; fields are hexadecimal, spaces allowed.
func message(withdrawn, attrs, nlri string) []byte {
	w, a, n := unhex(withdrawn), unhex(attrs), unhex(nlri)
	b := start(nil, Update)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(w))), w...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(a))), a...)
	b = append(b, n...)
	if end(b, 0) != nil {
		panic("too long")
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// rd11 is route distinguisher 1:1.
const rd11 = "0000 0001 00000001"

var rules = &Rules{
	Hops: map[netip.Addr]Hop{
		addr("240.0.0.1"):  {Address: addr("10.0.0.1")},
		addr("127.64.0.1"): {Address: addr("10.0.0.1"), Swap: true},
	},
	Families: map[Family]FamilyRules{
		IPv4:  {Communities: false, Extended: false},
		VPNv4: {Default: Hop{Address: addr("10.0.0.1"), Swap: true}, Extended: true},
		VPNv6: {Default: Hop{Address: addr("10.0.0.1"), Swap: true}, Extended: true},
	},
	Labels: labelMap{
		{0x0000000100000001, netip.MustParsePrefix("192.168.11.0/24")}: 0x12345,
		{0x0000000100000001, netip.MustParsePrefix("2001:db8::/32")}:   18,
	},
}

func TestRewrite(t *testing.T) {
	const origin, ext, comm = "40 01 01 00", "c0 10 08 0002 0001 00000001", "c0 08 04 fde80005"
	for _, c := range []struct{ name, in, out string }{
		{"next hop of our own, no communities",
			hex.EncodeToString(message("", origin+"40 03 04 f0000001"+comm+ext, "10 0a01")),
			hex.EncodeToString(message("", origin+"40 03 04 0a000001", "10 0a01"))},
		{"next hop of others stays",
			hex.EncodeToString(message("", origin+"40 03 04 c0000201", "10 0a01")),
			hex.EncodeToString(message("", origin+"40 03 04 c0000201", "10 0a01"))},
		{"VPN of others: hop and label are ours",
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80b"+ext, "")),
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 123451"+rd11+"c0a80b"+ext, ""))},
		{"VPN of our own: the label stays",
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 f0000001 00 70 0004d1"+rd11+"c0a80b", "")),
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 0004d1"+rd11+"c0a80b", ""))},
		{"a stack of two labels becomes one",
			hex.EncodeToString(message("", origin+"80 0e 23 0001 80 0c 0000000000000000 c0000202 00 88 0004d0 0004e1"+rd11+"c0a80b", "")),
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 123451"+rd11+"c0a80b", ""))},
		{"no label to be had: withdrawn, the other goes",
			hex.EncodeToString(message("", origin+"80 0e 2f 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80b 70 0004d1"+rd11+"c0a80c", "")),
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 123451"+rd11+"c0a80b", "")) +
				hex.EncodeToString(message("", "90 0f 0012 0001 80 70 800000"+rd11+"c0a80c", ""))},
		{"no label for the only one",
			hex.EncodeToString(message("", origin+"80 0e 20 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80c", "")),
			hex.EncodeToString(message("", "90 0f 0012 0001 80 70 800000"+rd11+"c0a80c", ""))},
		{"VPNv6 by an IPv4 hop (RFC 4659)",
			hex.EncodeToString(message("", origin+"80 0e 2d 0002 80 18 0000000000000000 00000000000000000000ffffc0000202 00 78 0004d1"+rd11+"20010db8", "")),
			hex.EncodeToString(message("", origin+"80 0e 2d 0002 80 18 0000000000000000 00000000000000000000ffff0a000001 00 78 000121"+rd11+"20010db8", ""))},
		{"end of RIB", hex.EncodeToString(message("", "", "")), hex.EncodeToString(message("", "", ""))},
		{"withdrawal", hex.EncodeToString(message("10 0a01", "", "")), hex.EncodeToString(message("10 0a01", "", ""))},
		{"VPN withdrawal", hex.EncodeToString(message("", "80 0f 12 0001 80 70 800000"+rd11+"c0a80b", "")), hex.EncodeToString(message("", "80 0f 12 0001 80 70 800000"+rd11+"c0a80b", ""))},
		{"another family", hex.EncodeToString(message("", origin+comm+"80 0e 0e 0001 04 04 f0000001 00 20 0004d1 0a", "")), hex.EncodeToString(message("", origin+comm+"80 0e 0e 0001 04 04 f0000001 00 20 0004d1 0a", ""))},
	} {
		out, err := rules.Rewrite([]byte("x"), unhex(c.in))
		if err != nil || hex.EncodeToString(out) != "78"+c.out {
			t.Errorf("%s:\n got %x, %v\nwant 78%s", c.name, out, err, c.out)
		}
	}
}

func TestRewriteTruncated(t *testing.T) {
	whole := message("10 0a01", "40 01 01 00 80 0e 2f 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80b 70 0004d1"+rd11+"c0a80c"+"c0 10 08 0002 0001 00000001", "10 0a02")
	if _, err := rules.Rewrite(nil, whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		cut := bytes.Clone(whole[:n])
		if _, err := rules.Rewrite(nil, cut); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if n < HeaderLen {
			continue
		}
		binary.BigEndian.PutUint16(cut[16:], uint16(n)) // a length that is right: the fields end early
		rules.Rewrite(nil, cut)
	}
	// Every attribute and NLRI cut within an UPDATE whose lengths agree.
	attrs := whole[HeaderLen+2+3+2 : len(whole)-3]
	for n := range attrs {
		b := message("", hex.EncodeToString(attrs[:n]), "")
		rules.Rewrite(nil, b)
	}
}

func TestReader(t *testing.T) {
	stream := append(message("", "", ""), message("10 0a01", "", "")...)
	long := start(nil, Update)
	long = append(long, make([]byte, 9000)...)
	if err := end(long, 0); err != nil {
		t.Fatal(err)
	}
	stream = append(stream, long...)
	r := NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	var again []byte
	for {
		m, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, m...)
	}
	if !bytes.Equal(again, stream) {
		t.Error("the stream came out differently")
	}
	for n := 1; n < len(message("10 0a01", "", "")); n++ {
		if _, err := NewReader(bytes.NewReader(message("10 0a01", "", "")[:n])).Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	bad := message("", "", "")
	bad[16], bad[17] = 0, 18
	if _, err := NewReader(bytes.NewReader(bad)).Next(); !errors.Is(err, ErrMalformed) {
		t.Errorf("length 18: %v", err)
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add(message("10 0a01", "40 01 01 00 40 03 04 f0000001", "10 0a02"))
	f.Add(message("", "80 0e 2f 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80b 70 0004d1"+rd11+"c0a80c", ""))
	f.Add(message("", "80 0e 2d 0002 80 18 0000000000000000 00000000000000000000ffffc0000202 00 78 0004d1"+rd11+"20010db8", ""))
	for _, file := range golden.BGPFiles {
		for _, m := range golden.BGP(f, file) {
			f.Add(m)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := rules.Rewrite(nil, b)
		if err != nil {
			if len(out) > 0 {
				t.Fatal("output with an error")
			}
			return
		}
		r := NewReader(bytes.NewReader(out))
		for {
			m, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatalf("what comes out is no message: %v", err)
			}
			if Type(m) == Update {
				if _, err := split(m[HeaderLen:]); err != nil {
					t.Fatalf("what comes out is no UPDATE: %v", err)
				}
			}
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	m := message("", "40 01 01 00 40 02 00 80 04 04 00000000 40 05 04 00000064 c0 10 08 0002 0001 00000001 80 0e 20 0001 80 0c 0000000000000000 c0000202 00 70 0004d1"+rd11+"c0a80b", "")
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, err = rules.Rewrite(out[:0], m); err != nil {
			b.Fatal(err)
		}
	}
}
