package packet

import (
	"bytes"
	"testing"
)

func FuzzIPv4(f *testing.F) {
	f.Add(header())
	f.Add(withOptions(148, 4, 0, 0))
	f.Add(withOptions(131, 7, 4, 1, 2, 3, 4))
	f.Add(withOptions(7, 40, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, fault := ParseIPv4(b)
		if fault != OK {
			if ip != nil {
				t.Fatal("a fault and a packet")
			}
			return
		}
		if len(ip) != ip.TotalLen() || ip.HeaderLen() > len(ip) || Checksum(ip[:ip.HeaderLen()]) != 0 {
			t.Fatalf("accepted %x", b)
		}
		ip.Ports()
		var h [60]byte
		if n := ip.FragmentHeader(h[:]); n < IPv4Len || n > ip.HeaderLen() {
			t.Fatalf("fragment header of %d bytes", n)
		}
		if tcp, f := ParseTCP(ip.Payload()); f == OK {
			tcp.ClampMSS(1000)
		}
		if ip.TTL() > 0 {
			ip.DecTTL()
			if _, f := ParseIPv4(ip); f != OK {
				t.Fatalf("after DecTTL: fault %d", f)
			}
		}
	})
}

func FuzzGRE(f *testing.F) {
	f.Add([]byte{0, 0, 8, 0})
	f.Add([]byte{0x20, 0, 0x20, 1, 0, 0, 3, 0xe8, 1, 2, 3})
	f.Add([]byte{0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 9})
	f.Add([]byte{0x40, 1, 8, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, fault := ParseGRE(b)
		if fault != OK {
			return
		}
		if int(g.Len) > len(b) || g.Len < 4 || g.Len%4 != 0 || g.Key != 0 && !g.HasKey {
			t.Fatalf("accepted %x as %+v", b, g)
		}
		if b[0] == 0 || b[0] == 0x20 && b[1] == 0 {
			var out [8]byte
			n := PutGRE(out[:], g.Proto, g.Key, g.HasKey)
			if b[1] == 0 && !bytes.Equal(out[:n], b[:n]) {
				t.Fatalf("%x is written as %x", b[:n], out[:n])
			}
		}
	})
}

func FuzzTCP(f *testing.F) {
	f.Add(segment(TCPSyn, 2, 4, 0x05, 0xb4), uint16(1360))
	f.Add(segment(TCPSyn, 1, 2, 4, 0x05, 0xb4), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, mss uint16) {
		s, fault := ParseTCP(b)
		if fault != OK {
			return
		}
		before := tcpSum(b)
		s.ClampMSS(mss)
		if got, ok := s.MSS(); ok && s.Syn() && got > mss {
			t.Fatalf("MSS %d after clamping to %d", got, mss)
		}
		// 0 and 0xffff are the same number in ones' complement.
		if after := tcpSum(b); after != before && after+before != 0xffff {
			t.Fatalf("the checksum was off by %04x and is by %04x", before, after)
		}
	})
}
