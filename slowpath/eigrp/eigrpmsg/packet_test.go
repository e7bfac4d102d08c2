package eigrpmsg

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
)

func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func samples() []*Packet {
	stub := StubConnected | StubSummary
	ext := &External{Router: ip("10.0.0.9"), AS: 65000, Tag: 77, Metric: 20, Protocol: FromBGP, Flags: 1}
	m := Metric{Delay: 256 * 2000, Bandwidth: 256 * 10000, MTU: 1400, Hops: 3, Reliability: 255, Load: 1, Tag: 5, Flags: Active}
	wide := Metric{Delay: 50_000_000_000, Bandwidth: 1000, MTU: 1400, Hops: 1, Reliability: 255, Load: 1, Flags: CandidateDefault}
	return []*Packet{
		{Opcode: Hello, AS: 1, Parameters: &Parameters{K: [6]uint8{1, 0, 1, 0, 0, 7}, Hold: 15}, Sequenced: []netip.Addr{ip("10.0.0.1"), ip("10.0.0.2")},
			Software: &Software{15, 2, 2, 0}, NextMulticast: 99, HasNext: true, Stub: &stub, Termination: []netip.Addr{ip("10.0.0.7")},
			Extra: []TLV{{0x0008, []byte{0, 0, 0, 1, 0, 0}}, {0x00f5, nil}}},
		{Opcode: Hello, AS: 65535, Ack: 0xfffffffe},
		{Opcode: Update, AS: 1, Flags: FlagInit, Sequence: 1, VirtualRouter: 0x8000},
		{Opcode: Query, AS: 1, Sequence: 2, Auth: &Auth{Type: AuthMD5, Key: 1, Sequence: 5, Pad: [8]byte{1}, Digest: bytes.Repeat([]byte{7}, 16)}, Routes: []Route{
			{NextHop: ip("10.0.0.3"), Metric: m, Prefixes: []netip.Prefix{pfx("10.1.2.0/24"), pfx("0.0.0.0/0"), pfx("10.1.2.3/32"), pfx("172.16.0.0/12")}},
			{NextHop: ip("0.0.0.0"), Metric: m, External: ext, Prefixes: []netip.Prefix{pfx("192.168.0.0/16")}},
		}},
		{Opcode: Reply, AS: 1, Sequence: 3, Ack: 2, Auth: &Auth{Type: AuthSHA256, Digest: bytes.Repeat([]byte{9}, 32)}, Routes: []Route{
			{Wide: true, NextHop: ip("0.0.0.0"), Router: ip("10.0.0.9"), Metric: wide, Prefixes: []netip.Prefix{pfx("10.1.2.0/25")}},
			{Wide: true, NextHop: ip("10.0.0.4"), Router: ip("10.0.0.9"), Topology: 2, Priority: 1, Metric: Metric{Delay: WideInfinity}, External: ext,
				Attributes: []byte{4, 2, 0, 9}, Prefixes: []netip.Prefix{pfx("10.1.2.0/25"), pfx("10.2.0.0/16")}},
		}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, p := range samples() {
		b, err := p.Append([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b[6:])
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%v:\n%+v is not\n%+v", err, got, p)
		}
		for i := range p.Routes {
			if n := len(p.Routes[i].Append(nil)); n != p.Routes[i].Len() {
				t.Errorf("route of %d bytes says %d", n, p.Routes[i].Len())
			}
		}
	}
}

// TestTruncated cuts every packet at every byte, with the checksum of what is left and with that of the whole.
func TestTruncated(t *testing.T) {
	for _, p := range samples() {
		b, _ := p.Append(nil)
		ends := map[int]bool{}
		for at := HeaderLen; at < len(b); at += int(b[at+2])<<8 | int(b[at+3]) {
			ends[at] = true
		}
		for n := range b {
			if got, err := Parse(b[:n]); err == nil {
				t.Fatalf("cut at %d: taken as %+v", n, got)
			}
			if n < HeaderLen {
				continue
			}
			cut := bytes.Clone(b[:n])
			setChecksum(cut)
			if got, err := Parse(cut); (err == nil) != ends[n] {
				t.Fatalf("cut at %d: %v, %+v", n, err, got)
			}
		}
	}
}

// Every TLV is cut at every byte of its value, with lengths that say so.
func TestShortTLVs(t *testing.T) {
	for _, p := range samples() {
		b, _ := p.Append(nil)
		for at := HeaderLen; at < len(b); {
			n := int(b[at+2])<<8 | int(b[at+3])
			for cut := range n {
				short := append(bytes.Clone(b[:at]), b[at:at+cut]...)
				if cut >= 4 {
					short[at+2], short[at+3] = byte(cut>>8), byte(cut)
				}
				setChecksum(short)
				if got, err := Parse(short); err == nil {
					again, err := got.Append(nil)
					if err != nil {
						t.Fatal(err)
					}
					if back, err := Parse(again); err != nil || !reflect.DeepEqual(got, back) {
						t.Errorf("TLV at %d cut at %d: %x is written as %x, %v", at, cut, short, again, err)
					}
				}
			}
			at += n
		}
	}
}

func TestChecksum(t *testing.T) {
	b, _ := samples()[0].Append(nil)
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x40
		if _, err := Parse(bad); err == nil {
			t.Errorf("a wrong byte at %d is taken", i)
		}
	}
}

func TestAuthentication(t *testing.T) {
	from := ip("10.0.0.1")
	for _, typ := range []AuthType{AuthMD5, AuthSHA256} {
		p := samples()[3]
		p.Auth = NewAuth(typ, 7)
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		secret := []byte("cisco")
		Sign(b, secret, from)
		if got, key, ok := KeyOf(b); !ok || got != typ || key != 7 {
			t.Errorf("key %d of type %d, %v", key, got, ok)
		}
		if _, err := Parse(b); err != nil {
			t.Error(err)
		}
		if !Verify(b, secret, from) || Verify(b, []byte("cisc0"), from) || Verify(b, nil, from) {
			t.Error("the digest does not depend on the key alone")
		}
		if typ == AuthSHA256 && Verify(b, secret, ip("10.0.0.2")) {
			t.Error("the digest does not depend on the sender")
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 1
			if i != 2 && i != 3 && Verify(bad, secret, from) { // the checksum is not covered
				t.Errorf("type %d: byte %d may change", typ, i)
			}
		}
		for n := range b {
			if Verify(b[:n], secret, from) {
				t.Errorf("type %d: genuine when cut at %d", typ, n)
			}
		}
	}
}

// Digests that IOS made, as published with a program that guesses passwords.
func TestPublishedDigests(t *testing.T) {
	const (
		md5Head = "020500000000000000000000000000000000002a000200280002001000000001000000000000000000000000"
		shaHead = "020500000000000000000000000000000000000a000200380003002000000000000000000000000000000000"
		hello   = "0001000c010001000000000f"
	)
	for _, c := range []struct{ head, digest, rest, password, from string }{
		{md5Head, "1a42aaf8ebe2f766100ea1fa05a5fa55", "", "password12345", "10.0.0.2"},
		{md5Head, "f29e7d44351d37e6fc71e2aacca63d28", hello, "1234567812345", "10.0.0.2"},
		{md5Head, "61f237e29d28538a372f01121f2cd12f", hello, "123456789012345678901234567890", "10.0.0.2"},
		{md5Head, "560c87396267310978883da92c0cff90", hello + "000400080500030000f5000c0000000400000000", "password12345", "10.0.0.2"},
		{shaHead, "cff66484cea20c6f58f175f8c004fc6d73be72090e53429c2616309aca38d5f3", hello + "000400080f00020000f5000a000000020000", "password12345", "10.0.0.2"},
	} {
		b, err := hex.DecodeString(c.head + c.digest + c.rest)
		if err != nil {
			t.Fatal(err)
		}
		if !Verify(b, []byte(c.password), ip(c.from)) {
			t.Errorf("%s of %q is not taken", c.digest, c.password)
		}
		if Verify(b, []byte(c.password[1:]), ip(c.from)) {
			t.Errorf("%s is taken for another password", c.digest)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range samples() {
		b, _ := p.Append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		Verify(b, []byte("key"), ip("10.0.0.1"))
		fixed := bytes.Clone(b)
		if len(fixed) >= HeaderLen {
			fixed[0] = version
			setChecksum(fixed)
		}
		p, err := Parse(fixed)
		if err != nil {
			return
		}
		again, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Parse(again)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%v:\n%+v is not\n%+v", err, q, p)
		}
	})
}

// What is reserved is sent as zero, and nobody's packets are dropped for it.
func TestReserved(t *testing.T) {
	p := Packet{Opcode: Update, Routes: []Route{{Wide: true, Router: ip("10.0.0.1"), NextHop: ip("0.0.0.0"), Metric: Metric{Delay: 1, Bandwidth: 2}, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}}}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	const at = HeaderLen + 4 + 28
	if b[at] != 0 || b[at+1] != 0 {
		t.Fatalf("%x", b)
	}
	b[at+1] = 1
	setChecksum(b)
	q, err := Parse(b)
	if err != nil || !reflect.DeepEqual(q.Routes, p.Routes) {
		t.Errorf("%v: %+v", err, q)
	}
}
