package fastpath

import (
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// fuzzPair is a hub with an association of every kind from spoke 1, each with an SPI of its own, so that a fuzzer reaches all of them.
func fuzzPair(f *testing.F) (*rig, []suite) {
	list := suites()
	r := newRig(f, func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].Protected, b.Tunnels[0].Protection = true, protection
		id := fib.SAID(1)
		for i, s := range list {
			s.window, s.tunnel, s.esn, s.encap = 64, i%2 == 1, i%3 == 1, i%5 == 1 && s.ah == 0
			for _, sa := range s.associations(hubNBMA, spoke1NBMA, spiToSpoke, 0x10000+uint32(i)*2) {
				if !sa.Inbound {
					continue
				}
				sa.ID = id
				if sa.AH {
					sa.SPI++
				}
				if sa.Under != 0 {
					sa.Under = id + 1
				}
				b.SAs = append(b.SAs, sa)
				id++
			}
		}
	})
	return r, list
}

// FuzzESP gives the hub any bytes as the ESP, AH or ESP in UDP of any association: no crash, no frame lost, one counter, and nothing that does not
// authenticate comes out.
func FuzzESP(f *testing.F) {
	r, list := fuzzPair(f)
	for i, s := range list {
		p := newPair(f, s)
		frame := p.one(p.sealed(ipv4(behind1, hostIP, pattern(40))))
		f.Add(uint16(i), uint8(0), frame[packet.EthernetLen+packet.IPv4Len:])
		f.Add(uint16(i), uint8(1), frame[packet.EthernetLen+packet.IPv4Len:])
	}
	authentic := make([]bool, len(list))
	for i, s := range list {
		authentic[i] = s.auth != 0 || s.ah != 0 || s.cipher == fib.CipherAESGCM || s.cipher == fib.CipherAESGMAC || s.cipher == fib.CipherChaCha20Poly1305
	}
	f.Fuzz(func(t *testing.T, which uint16, kind uint8, b []byte) {
		if len(b) > 2000 {
			return
		}
		r.t = t
		i := int(which) % len(list)
		b = append([]byte(nil), b...)
		spi := 0x10000 + uint32(i)*2
		var frame []byte
		switch kind % 3 {
		case 0:
			if len(b) >= 4 {
				binary.BigEndian.PutUint32(b, spi)
			}
			frame = toWAN(ipv4(spoke1NBMA, hubNBMA, b, proto(packet.ProtoESP)))
		case 1:
			if len(b) >= 8 {
				binary.BigEndian.PutUint32(b[4:], spi+1)
			}
			frame = toWAN(ipv4(spoke1NBMA, hubNBMA, b, proto(packet.ProtoAH)))
		default:
			if len(b) >= 4 {
				binary.BigEndian.PutUint32(b, spi)
			}
			frame = udp4500(spoke1NBMA, natPort, b)
		}
		r.wan.in = append(r.wan.in, frame)
		r.now += 1e9
		r.punts, r.lan.out, r.wan.out = nil, nil, nil
		r.settle()
		r.conserved()
		if out := len(r.lan.out) + len(r.wan.out); out != 0 && authentic[i] {
			t.Fatalf("%s: %d frames came out of %x", list[i].name, out, b)
		}
	})
}
