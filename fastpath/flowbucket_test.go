package fastpath

import (
	"bytes"
	"encoding/binary"
	"testing"

	"nave/fastpath/packet"
)

// TestFlowBucket: what belongs together goes together, and what does not is told apart.
func TestFlowBucket(t *testing.T) {
	esp := func(src [4]byte, spi, seq uint32) []byte {
		b := make([]byte, 40)
		binary.BigEndian.PutUint32(b, spi)
		binary.BigEndian.PutUint32(b[4:], seq)
		return toWAN(ipv4(src, hubNBMA, b, proto(packet.ProtoESP)))
	}
	ah := func(spi uint32) []byte {
		b := make([]byte, 40)
		binary.BigEndian.PutUint32(b[4:], spi)
		return toWAN(ipv4(spoke1NBMA, hubNBMA, b, proto(packet.ProtoAH)))
	}
	natted := func(src [4]byte, port uint16, spi uint32) []byte { return udp4500(src, port, esp(src, spi, 1)[34:]) }
	mpls := func(labels []uint32, ip []byte) []byte {
		b := make([]byte, packet.EthernetLen)
		packet.PutEthernet(b, wanMAC, gwMAC, packet.TypeMPLS)
		for i, l := range labels {
			bottom := uint32(0)
			if i == len(labels)-1 {
				bottom = 0x100
			}
			b = binary.BigEndian.AppendUint32(b, l<<12|bottom|64)
		}
		return append(b, ip...)
	}
	udp := flowFrame(1, 0, 16)[packet.EthernetLen:]
	same := map[string][2][]byte{
		"one association":            {esp(spoke1NBMA, 7, 1), esp(spoke1NBMA, 7, 2)},
		"its peer moved":             {esp(spoke1NBMA, 7, 1), esp(spoke2NBMA, 7, 2)},
		"behind a NAT, and it moved": {natted(spoke1NBMA, 4500, 7), natted(spoke2NBMA, 61000, 7)},
		"in UDP and without":         {natted(spoke1NBMA, 4500, 7), esp(spoke1NBMA, 7, 9)},
		"AH":                         {ah(7), ah(7)},
		"GRE":                        {fromSpoke1(ipv4(behind1, hostIP, nil)), fromSpoke1(ipv4(behind1, behind2, pattern(90)))},
		"fragments":                  {toWAN(ipv4(behind1, hostIP, pattern(64), flags(packet.FlagMF))), toWAN(ipv4(behind1, hostIP, pattern(32), flags(8)))},
		"under labels":               {mpls([]uint32{16}, udp), mpls([]uint32{16}, ipv4(behind1, hostIP, nil))},
		"MPLS without IP":            {mpls([]uint32{16, 17}, nil), mpls([]uint32{16, 17}, []byte{0, 1, 2})},
	}
	for name, p := range same {
		if a, b := flowBucket(p[0]), flowBucket(p[1]); a != b {
			t.Errorf("%s: buckets %d and %d", name, a, b)
		}
	}
	key := func(n uint32) []byte {
		b := make([]byte, 8)
		packet.PutGRE(b, packet.TypeIPv4, n, true)
		return toWAN(ipv4(spoke1NBMA, hubNBMA, append(b, pattern(20)...), proto(packet.ProtoGRE)))
	}
	for name, make := range map[string]func(n uint32) []byte{
		"ESP by SPI":  func(n uint32) []byte { return esp(spoke1NBMA, n+1, 1) },
		"AH by SPI":   func(n uint32) []byte { return ah(n + 1) },
		"NAT by SPI":  func(n uint32) []byte { return natted(spoke1NBMA, 4500, n+1) },
		"IKE in 4500": func(n uint32) []byte { return natted(spoke1NBMA, uint16(n+1), 0) },
		"GRE by key":  key,
		"UDP by port": func(n uint32) []byte { return flowFrame(int(n), 0, 16) },
		"by source": func(n uint32) []byte {
			return toWAN(ipv4([4]byte{10, 1, byte(n >> 8), byte(n)}, hostIP, nil, proto(89)))
		},
		"MPLS": func(n uint32) []byte { return mpls([]uint32{n + 16}, nil) },
	} {
		var hits [handBuckets]int
		const n = 16 * handBuckets
		for i := range uint32(n) {
			hits[flowBucket(make(i))]++
		}
		var halves [2]int
		for b, h := range hits {
			if h > 64 {
				t.Errorf("%s: bucket %d holds %d of %d", name, b, h, n)
			}
			halves[b%2] += h
		}
		if halves[0] < n/3 || halves[1] < n/3 {
			t.Errorf("%s: two workers get %v", name, halves)
		}
	}
}

// FuzzFlowBucket: any bytes have a bucket, whatever they are cut to.
func FuzzFlowBucket(f *testing.F) {
	f.Add(flowFrame(1, 2, 30))
	f.Add(fromSpoke1(ipv4(behind1, hostIP, nil)))
	f.Add(udp4500(spoke1NBMA, 4500, pattern(30)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range min(len(b), 80) {
			flowBucket(b[:n])
		}
		if flowBucket(b) != flowBucket(bytes.Clone(b)) {
			t.Error("the same bytes in two buckets")
		}
	})
}
