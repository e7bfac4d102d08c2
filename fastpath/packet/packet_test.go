package packet

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// slowSum is RFC 1071 word for word.
func slowSum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 != 0 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestChecksum(t *testing.T) {
	// RFC 1071 section 3.
	if got := ^Checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0xddf2 {
		t.Errorf("the sum of RFC 1071 is %04x, want ddf2", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		for _, b := range [][]byte{random(r, n), bytes.Repeat([]byte{0xff}, n), make([]byte, n)} {
			if got, want := Checksum(b), slowSum(b); got != want {
				t.Errorf("checksum of %x: %04x, want %04x", b, got, want)
			}
		}
	}
	if got, want := Checksum(bytes.Repeat([]byte{0xff, 0xfe}, 5000)), slowSum(bytes.Repeat([]byte{0xff, 0xfe}, 5000)); got != want {
		t.Errorf("checksum of a long packet: %04x, want %04x", got, want)
	}
}

func TestUpdate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		b := random(r, 20)
		b[10], b[11] = 0, 0
		sum := Checksum(b)
		old := binary.BigEndian.Uint16(b[4:])
		now := uint16(r.Uint32())
		if r.IntN(8) == 0 {
			now = []uint16{0, 0xffff, old}[r.IntN(3)]
		}
		binary.BigEndian.PutUint16(b[4:], now)
		if got, want := Update(sum, old, now), Checksum(b); got != want {
			t.Fatalf("update of %04x from %04x to %04x: %04x, want %04x", sum, old, now, got, want)
		}
	}
}

func header(opts ...func(*Header)) []byte {
	h := Header{TTL: 64, Proto: ProtoUDP, Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{10, 0, 0, 2}}
	for _, o := range opts {
		o(&h)
	}
	b := make([]byte, 48)
	h.Put(b, 28)
	return b
}

// withOptions is a packet with these options, padded.
func withOptions(o ...byte) []byte {
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	b := header()
	b = append(b[:20:20], append(o, b[20:]...)...)
	b[0] = 0x45 + byte(len(o)/4)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	IPv4(b).SetSum()
	return b
}

func TestParseIPv4(t *testing.T) {
	change := func(b []byte, f func([]byte)) []byte {
		f(b)
		IPv4(b).SetSum()
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want Fault
	}{
		{"good", header(), OK},
		{"padded", append(header(), 0, 0, 0), OK},
		{"empty", nil, Short},
		{"19 bytes", header()[:19], Short},
		{"version 6", change(header(), func(b []byte) { b[0] = 0x65 }), BadVersion},
		{"header of 16", func() []byte { b := header(); b[0] = 0x44; return b }(), BadHeader},
		{"longer than it is", change(header(), func(b []byte) { b[3]++ }), BadLength},
		{"shorter than its header", change(header(), func(b []byte) { b[3] = 19 }), BadLength},
		{"checksum", func() []byte { b := header(); b[11] ^= 1; return b }(), BadChecksum},
		{"options beyond the packet", func() []byte { b := header()[:24]; b[0], b[3] = 0x4f, 24; return b }(), BadLength},
		{"router alert", withOptions(148, 4, 0, 0), OK},
		{"no operation", withOptions(1, 1, 1, 1), OK},
		{"loose source route", withOptions(131, 7, 4, 1, 2, 3, 4), SourceRouted},
		{"strict source route", withOptions(1, 137, 7, 4, 1, 2, 3, 4), SourceRouted},
		{"behind the end", withOptions(0, 131, 7, 4), OK},
		{"option of length 1", withOptions(7, 1, 0, 0), BadOptions},
		{"option of length 0", withOptions(7, 0, 0, 0), BadOptions},
		{"option too long", withOptions(7, 9, 0, 0), BadOptions},
		{"option cut after its type", withOptions(1, 1, 1, 7), BadOptions},
		{"options with a wrong checksum", func() []byte { b := withOptions(1, 1, 1, 1); b[10]++; return b }(), BadChecksum},
	} {
		ip, f := ParseIPv4(c.b)
		if f != c.want {
			t.Errorf("%s: fault %d, want %d", c.name, f, c.want)
		}
		if f == OK && len(ip) != ip.TotalLen() {
			t.Errorf("%s: %d bytes, total length %d", c.name, len(ip), ip.TotalLen())
		}
	}
}

func TestIPv4Fields(t *testing.T) {
	b := header(func(h *Header) { h.TOS, h.ID, h.Flags = 0xb8, 0x1234, FlagDF|FlagMF|100 })
	ip, f := ParseIPv4(b)
	if f != OK {
		t.Fatal(f)
	}
	if ip.TOS() != 0xb8 || ip.ID() != 0x1234 || !ip.DF() || !ip.IsFragment() || ip.FlagsOffset() != 0x6064 || ip.TTL() != 64 ||
		ip.Proto() != ProtoUDP || ip.Src() != 0x0a000001 || ip.Dst() != 0x0a000002 || len(ip.Payload()) != 28 || ip.HeaderLen() != 20 {
		t.Errorf("fields of %x", b)
	}
	for ttl := 255; ttl > 1; ttl-- {
		b := header(func(h *Header) { h.TTL = uint8(ttl); h.ID = uint16(ttl * 259) })
		IPv4(b).DecTTL()
		if _, f := ParseIPv4(b); f != OK || IPv4(b).TTL() != uint8(ttl-1) {
			t.Fatalf("TTL %d: now %d, fault %d", ttl, b[8], f)
		}
	}
}

func TestFragmentHeader(t *testing.T) {
	for _, c := range []struct{ options, want []byte }{
		{nil, nil},
		{[]byte{148, 4, 0, 0}, []byte{148, 4, 0, 0}},
		{[]byte{7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0}, []byte{148, 4, 0, 0}},
		{[]byte{130, 3, 9, 1, 7, 4, 0, 0}, []byte{130, 3, 9, 0}},
		{[]byte{0, 148, 4, 0}, nil},
		{[]byte{148, 9, 0, 0}, nil}, // malformed: what cannot be read is not copied
	} {
		var h [60]byte
		n := IPv4(withOptions(c.options...)).FragmentHeader(h[:])
		if n != 20+len(c.want) || !bytes.Equal(h[20:n], c.want) || int(h[0]&15)*4 != n {
			t.Errorf("options %v: header of %d bytes, %v; want %v", c.options, n, h[20:n], c.want)
		}
	}
}

func TestGRE(t *testing.T) {
	sum := func(b []byte) []byte {
		binary.BigEndian.PutUint16(b[4:], Checksum(b))
		return b
	}
	for _, c := range []struct {
		name  string
		b     []byte
		fault Fault
		want  GRE
	}{
		{"plain", []byte{0, 0, 8, 0}, OK, GRE{Proto: 0x800, Len: 4}},
		{"key", []byte{0x20, 0, 0x20, 1, 0, 0, 3, 0xe8}, OK, GRE{Proto: 0x2001, HasKey: true, Key: 1000, Len: 8}},
		{"sequence", []byte{0x10, 0, 8, 0, 0, 0, 0, 9}, OK, GRE{Proto: 0x800, Seq: 9, Len: 8}},
		{"key and sequence", []byte{0x30, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 2}, OK, GRE{Proto: 0x800, HasKey: true, Key: 1, Seq: 2, Len: 12}},
		{"checksum", sum([]byte{0x80, 0, 8, 0, 0, 0, 0, 0, 1, 2, 3}), OK, GRE{Proto: 0x800, Len: 8}},
		{"everything", sum([]byte{0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 9}), OK, GRE{Proto: 0x800, HasKey: true, Key: 1, Seq: 2, Len: 16}},
		{"reserved bits to be ignored", []byte{0x23, 0xf8, 8, 0, 0, 0, 0, 1}, OK, GRE{Proto: 0x800, HasKey: true, Key: 1, Len: 8}},
		{"wrong checksum", []byte{0x80, 0, 8, 0, 1, 2, 0, 0, 1, 2, 3}, BadChecksum, GRE{}},
		{"version 1", []byte{0x20, 1, 8, 0, 0, 0, 0, 1}, BadVersion, GRE{}},
		{"routing", []byte{0x40, 0, 8, 0, 0, 0, 0, 1}, NotSupported, GRE{}},
		{"reserved bits that must be zero", []byte{0x08, 0, 8, 0}, BadHeader, GRE{}},
	} {
		g, f := ParseGRE(c.b)
		if f != c.fault || f == OK && g != c.want {
			t.Errorf("%s: %+v, fault %d; want %+v, fault %d", c.name, g, f, c.want, c.fault)
		}
		for n := range int(c.want.Len) {
			if _, f := ParseGRE(c.b[:n]); f == OK {
				t.Errorf("%s cut to %d bytes: no fault", c.name, n)
			}
		}
	}
	var b [8]byte
	if n := PutGRE(b[:], TypeNHRP, 7, true); n != 8 || !bytes.Equal(b[:], []byte{0x20, 0, 0x20, 1, 0, 0, 0, 7}) {
		t.Errorf("header %x", b[:n])
	}
	if n := PutGRE(b[:], TypeIPv4, 0, false); n != 4 || !bytes.Equal(b[:4], []byte{0, 0, 8, 0}) {
		t.Errorf("header %x", b[:n])
	}
}

// segment is a TCP segment with these flags and options, padded, and its right checksum over a fixed pseudo header.
func segment(flags byte, options ...byte) []byte {
	for len(options)%4 != 0 {
		options = append(options, 0)
	}
	b := append(make([]byte, 20, 64), options...)
	b[12], b[13] = byte(len(b)/4)<<4, flags
	b = append(b, 1, 2, 3)
	binary.BigEndian.PutUint16(b[16:], tcpSum(b))
	return b
}

func tcpSum(b []byte) uint16 {
	return ^Fold(Sum(b, PseudoSum([4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, ProtoTCP, len(b))))
}

func TestClampMSS(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		mss  uint16
		want uint16
		did  bool
	}{
		{"lowered", segment(TCPSyn, 2, 4, 0x05, 0xb4), 1360, 1360, true},
		{"small already", segment(TCPSyn, 2, 4, 0x02, 0x18), 1360, 536, false},
		{"equal", segment(TCPSyn, 2, 4, 0x05, 0x50), 1360, 1360, false},
		{"odd place", segment(TCPSyn, 1, 2, 4, 0x05, 0xb4), 1360, 1360, true},
		{"behind others", segment(TCPSyn|16, 3, 3, 7, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0xff, 0xff), 1000, 1000, true},
		{"no SYN", segment(16, 2, 4, 0x05, 0xb4), 1360, 1460, false},
		{"no option", segment(TCPSyn), 1360, 0, false},
		{"behind the end", segment(TCPSyn, 0, 2, 4, 5), 1360, 0, false},
		{"length 0", segment(TCPSyn, 3, 0, 2, 4, 5, 5), 1360, 0, false},
		{"wrong length", segment(TCPSyn, 2, 3, 5, 1), 1360, 0, false},
		{"too long", segment(TCPSyn, 1, 1, 2, 8), 1360, 0, false},
		{"cut after its type", segment(TCPSyn, 1, 1, 1, 2), 1360, 0, false},
	} {
		s, f := ParseTCP(c.b)
		if f != OK {
			t.Errorf("%s: fault %d", c.name, f)
			continue
		}
		if did := s.ClampMSS(c.mss); did != c.did {
			t.Errorf("%s: changed %v, want %v", c.name, did, c.did)
		}
		if got, _ := s.MSS(); got != c.want {
			t.Errorf("%s: MSS %d, want %d", c.name, got, c.want)
		}
		if sum := tcpSum(c.b); sum != 0 {
			t.Errorf("%s: checksum is off by %04x", c.name, sum)
		}
	}
	for n := range 20 {
		if _, f := ParseTCP(segment(TCPSyn)[:n]); f != Short {
			t.Errorf("%d bytes of TCP: fault %d", n, f)
		}
	}
	for _, off := range []byte{0x40, 0xf0} {
		b := segment(TCPSyn)
		b[12] = off
		if _, f := ParseTCP(b); f == OK {
			t.Errorf("data offset %x: no fault", off)
		}
	}
}

func TestTransport(t *testing.T) {
	u := []byte{0x01, 0xf4, 0x11, 0x94, 0, 10, 0, 0, 1, 2, 3}
	d, f := ParseUDP(u)
	if f != OK || d.SrcPort() != 500 || d.DstPort() != 4500 || len(d.Payload()) != 2 {
		t.Errorf("UDP %x, fault %d", []byte(d), f)
	}
	for n := range 10 {
		if _, f := ParseUDP(u[:n]); f == OK {
			t.Errorf("%d bytes of UDP: no fault", n)
		}
	}
	m := []byte{3, 4, 0, 0, 0, 0, 5, 120, 1, 2, 3}
	binary.BigEndian.PutUint16(m[2:], Checksum(m))
	i, f := ParseICMP(m)
	if f != OK || i.Type() != ICMPUnreachable || i.Code() != CodeFragNeeded || i.MTU() != 1400 || len(i.Body()) != 3 {
		t.Errorf("ICMP %x, fault %d", []byte(i), f)
	}
	m[9]++
	if _, f := ParseICMP(m); f != BadChecksum {
		t.Errorf("a broken ICMP message: fault %d", f)
	}
	if _, f := ParseICMP(m[:7]); f != Short {
		t.Errorf("a short ICMP message: fault %d", f)
	}
	if _, f := ParseEthernet(make([]byte, 13)); f != Short {
		t.Errorf("a short frame: fault %d", f)
	}
	b := make([]byte, 14)
	PutEthernet(b, [6]byte{1, 2, 3, 4, 5, 6}, [6]byte{7, 8, 9, 10, 11, 12}, TypeARP)
	e, _ := ParseEthernet(b)
	if e.Dst() != [6]byte{1, 2, 3, 4, 5, 6} || e.Src() != [6]byte{7, 8, 9, 10, 11, 12} || e.Type() != TypeARP || !e.IsGroup() || e.DstWord() != MACWord(e.Dst()) {
		t.Errorf("frame %x", b)
	}
}

func TestPorts(t *testing.T) {
	tcp := func(h *Header) { h.Proto = ProtoTCP }
	for _, c := range []struct {
		name string
		opts []func(*Header)
		want uint32
	}{
		{"UDP", nil, 0x01020304}, {"TCP", []func(*Header){tcp}, 0x01020304}, {"GRE", []func(*Header){func(h *Header) { h.Proto = ProtoGRE }}, 0},
		{"first fragment", []func(*Header){func(h *Header) { h.Flags = FlagMF }}, 0}, {"later fragment", []func(*Header){func(h *Header) { h.Flags = 9 }}, 0},
	} {
		b := header(c.opts...)
		copy(b[20:], []byte{1, 2, 3, 4})
		ip, _ := ParseIPv4(b)
		if got := ip.Ports(); got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, got, c.want)
		}
	}
	short := header()[:22]
	short[3] = 22
	IPv4(short).SetSum()
	if ip, f := ParseIPv4(short); f != OK || ip.Ports() != 0 {
		t.Errorf("a packet without ports: fault %d", f)
	}
}
