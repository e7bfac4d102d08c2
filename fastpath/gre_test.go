package fastpath

import (
	"bytes"
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

func TestDecap(t *testing.T) {
	in := ipv4(behind1, hostIP, pattern(60), tos(0x28))
	sum := func(flags uint16, fields ...byte) []byte {
		b := append([]byte{byte(flags >> 8), 0, 8, 0}, fields...)
		b = append(b, in...)
		if flags&packet.GREChecksum != 0 {
			binary.BigEndian.PutUint16(b[4:], packet.Checksum(b))
		}
		return toWAN(ipv4(spoke1NBMA, hubNBMA, b, greProto))
	}
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"key", fromSpoke1(in)},
		{"key and sequence", sum(0x3000, 0, 0, 3, 0xe8, 0, 0, 0, 9)},
		{"key and checksum", sum(0xa000, 0, 0, 0, 0, 0, 0, 3, 0xe8)},
		{"all", sum(0xb000, 0, 0, 0, 0, 0, 0, 3, 0xe8, 0, 0, 0, 1)},
		{"outer DF and TTL 1", toWAN(grePacket(spoke1NBMA, packet.TypeIPv4, in, df, ttl(1)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			r.fromWAN(c.frame)
			out := r.oneOut(r.lan)
			want := ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(60), tos(0x28), ttl(63)))
			if !bytes.Equal(out, want) {
				t.Errorf("forwarded\n%x, want\n%x", out, want)
			}
			s := r.e.Counters()
			if n := s.Tunnels[tunnelID].Rx; n != (Count{1, uint64(len(in))}) {
				t.Errorf("tunnel received %+v", n)
			}
			if n := s.Ports[wan].Rx; n != (Count{1, uint64(len(c.frame))}) {
				t.Errorf("port received %+v", n)
			}
		})
	}
}

// TestECN: marks outside and inside, all 16 of them (RFC 6040 section 4.2).
func TestECN(t *testing.T) {
	const gone = 0xff
	want := [4][4]uint8{ // by inner, then outer: Not-ECT, ECT(1), ECT(0), CE
		{0, 0, 0, gone},
		{1, 1, 1, 3},
		{2, 2, 2, 3},
		{3, 3, 3, 3},
	}
	for inner := range uint8(4) {
		for outer := range uint8(4) {
			for id := range uint16(50) { // checksums of all kinds
				r := newRig(t)
				dscp := uint8(id) << 2
				in := ipv4(behind1, hostIP, pattern(30), tos(dscp|inner), ident(id*1311))
				r.fromWAN(toWAN(grePacket(spoke1NBMA, packet.TypeIPv4, in, tos(0x28|outer))))
				if want[inner][outer] == gone {
					r.only(ECN, 1)
					continue
				}
				out := r.oneOut(r.lan)
				if w := ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(30), tos(dscp|want[inner][outer]), ident(id*1311), ttl(63))); !bytes.Equal(out, w) {
					t.Fatalf("inner %d, outer %d: %x, want %x", inner, outer, out, w)
				}
			}
		}
	}
	r := newRig(t)
	r.fromWAN(toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40), tos(3))))
	r.only(NHRP, 1)
}

func TestEncap(t *testing.T) {
	r := newRig(t)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(60), tos(0xb8), ident(7), df)))
	frame := r.oneOut(r.wan)
	outer, g, inner := r.ungre(frame)
	eth, _ := packet.ParseEthernet(frame)
	if eth.Dst() != gwMAC || eth.Src() != wanMAC || eth.Type() != packet.TypeIPv4 {
		t.Errorf("Ethernet header %x", frame[:14])
	}
	if outer.TOS() != 0xb8 || outer.DF() || outer.Src() != 0xc0000201 || outer.Dst() != 0xc000020b || g.Proto != packet.TypeIPv4 {
		t.Errorf("outer header %x", []byte(outer[:20]))
	}
	if want := ipv4(hostIP, behind1, pattern(60), tos(0xb8), ident(7), df, ttl(63)); !bytes.Equal(inner, want) {
		t.Errorf("inner\n%x, want\n%x", inner, want)
	}
	s := r.e.Counters()
	if n := s.Adjacencies[adjSpoke1]; n != (Count{1, 80}) || r.e.AdjacencyCount(adjSpoke1) != n {
		t.Errorf("adjacency counts %+v", n)
	}
	if n := s.Tunnels[tunnelID].Tx; n != (Count{1, 80}) {
		t.Errorf("tunnel sent %+v", n)
	}
	if n := s.Ports[wan].Tx; n != (Count{1, uint64(len(frame))}) {
		t.Errorf("port sent %+v", n)
	}
}

// TestEncapChecksums: the checksum from the template is right for every length, identification, TOS and DF.
func TestEncapChecksums(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].CopyDF = true })
	for i := range 3000 {
		o := []ipOpt{tos(byte(i * 7))}
		if i%3 == 0 {
			o = append(o, df)
		}
		r.wan.out = nil
		r.w.ipID = uint16(i * 23)
		r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(i%1300), o...)))
		outer, _, _ := r.ungre(r.oneOut(r.wan))
		if outer.DF() != (i%3 == 0) || outer.ID() != uint16(i*23)+1 {
			t.Fatalf("packet %d: DF %v, identification %d", i, outer.DF(), outer.ID())
		}
	}
}

// TestHairpin: spoke to spoke through the hub, and the tables are asked in the tunnel's VRF.
func TestHairpin(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].VRF = 3
		for i := range b.Routes {
			if i >= 4 {
				b.Routes[i].VRF = 3
			}
		}
	})
	r.fromWAN(fromSpoke1(ipv4(behind1, behind2, pattern(100))))
	outer, _, inner := r.ungre(r.oneOut(r.wan))
	if outer.Dst() != 0xc000020c || !bytes.Equal(inner, ipv4(behind1, behind2, pattern(100), ttl(63))) {
		t.Errorf("to %08x: %x", outer.Dst(), inner)
	}
}

func TestNHRP(t *testing.T) {
	r := newRig(t)
	msg := pattern(120)
	r.fromWAN(toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, msg)))
	r.only(NHRP, 1)
	u := r.onePunt(NHRP)
	if u.Tunnel != tunnelID || u.OuterSrc != addr(spoke1NBMA) || u.OuterDst != addr(hubNBMA) || u.Port != wan || !bytes.Equal(u.Packet, msg) {
		t.Errorf("punt %+v", u)
	}
}

func TestLocalOfTunnel(t *testing.T) {
	for _, c := range []struct {
		name string
		ip   []byte
	}{
		{"ping", ipv4(behind1, hubTunnel, pattern(60), proto(packet.ProtoICMP))},
		{"a fragment, for the host stack", ipv4(behind1, hubTunnel, pattern(64), flags(packet.FlagMF))},
		{"EIGRP hello", ipv4(behind1, ip4("224.0.0.10"), pattern(20), proto(88), ttl(1))},
		{"broadcast", ipv4(behind1, ip4("255.255.255.255"), pattern(20))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			r.fromWAN(fromSpoke1(c.ip))
			r.only(Local, 1)
			u := r.onePunt(Local)
			if u.Tunnel != tunnelID || u.OuterSrc != addr(spoke1NBMA) || !bytes.Equal(u.Packet, c.ip) || len(r.wan.out) != 0 {
				t.Errorf("punt %+v, %d frames", u, len(r.wan.out))
			}
		})
	}
}

// TestProtectedTunnel: neither in nor out in clear.
func TestProtectedTunnel(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Tunnels[0].Protected = true })
	r.fromWAN(fromSpoke1(ipv4(behind1, hostIP, nil)), toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40))))
	r.only(ClearOnProtected, 2)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)))
	if r.count(NoSA) != 1 {
		t.Errorf("reasons %v", r.nonZero())
	}
	for _, in := range []Inject{
		{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(hubTunnel, behind1, nil)},
		{Kind: InjectAdjacent, Adj: adjSpoke1, Proto: packet.TypeNHRP, Packet: pattern(40)},
		{Kind: InjectAdjacent, Adj: adjSpoke1, Packet: ipv4(hubTunnel, behind1, nil)},
		{Kind: InjectGroup, Group: group, Proto: packet.TypeNHRP, Packet: pattern(40)},
	} {
		if err := r.e.Inject(in); err != nil {
			t.Fatal(err)
		}
	}
	r.poll()
	if n := r.count(NoSA); n != 5 || len(r.wan.out) != 0 {
		t.Errorf("%d packets without an SA, %d frames left: %v", n, len(r.wan.out), r.nonZero())
	}
	r.apply(&fib.Batch{Tunnels: rigBatch().Tunnels})
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)))
	r.oneOut(r.wan)
}

// TestPointToPoint: a tunnel with a destination wins over a multipoint one.
func TestPointToPoint(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		p2p := b.Tunnels[0]
		p2p.ID, p2p.Remote, p2p.VRF = 2, addr(spoke2NBMA), 9
		b.Tunnels = append(b.Tunnels, p2p)
		b.Routes = append(b.Routes, fib.Route{VRF: 9, Prefix: b.Routes[2].Prefix, Paths: []fib.AdjID{fib.Receive}})
	})
	for i, c := range []struct {
		nbma   [4]byte
		tunnel fib.TunnelID
		vrf    fib.VRF
	}{{spoke1NBMA, 1, 0}, {spoke2NBMA, 2, 9}} {
		r.fromWAN(toWAN(grePacket(c.nbma, packet.TypeIPv4, ipv4(behind2, hubTunnel, nil))))
		if u := r.punts[i]; u.Tunnel != c.tunnel || u.VRF != c.vrf || u.Reason != Local {
			t.Errorf("from %v: %+v", c.nbma, u)
		}
	}
}

// TestTunnelsInTurn: packets of several tunnels in one burst each find their own.
func TestTunnelsInTurn(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		p2p, other := b.Tunnels[0], b.Tunnels[0]
		p2p.ID, p2p.Remote = 2, addr(spoke2NBMA)
		other.ID, other.Key, other.HasKey = 3, 0, false
		b.Tunnels = append(b.Tunnels, p2p, other)
	})
	in := ipv4(behind1, hubTunnel, nil)
	one, two := toWAN(grePacket(spoke1NBMA, packet.TypeIPv4, in)), toWAN(grePacket(spoke2NBMA, packet.TypeIPv4, in))
	three := toWAN(ipv4(spoke2NBMA, hubNBMA, append([]byte{0, 0, 8, 0}, in...), greProto))
	r.fromWAN(one, two, one, three, two, three, one, two, two)
	for i, want := range []fib.TunnelID{1, 2, 1, 3, 2, 3, 1, 2, 2} {
		if got := r.punts[i].Tunnel; got != want {
			t.Errorf("packet %d: tunnel %d, want %d", i, got, want)
		}
	}
	r.apply(&fib.Batch{DelTunnels: []fib.TunnelID{2}})
	r.fromWAN(two, one)
	if r.punts[9].Tunnel != 1 || r.punts[10].Tunnel != 1 {
		t.Errorf("without the point-to-point tunnel: %d and %d", r.punts[9].Tunnel, r.punts[10].Tunnel)
	}
}

// TestHeadroom: a frame without room in front is dropped, not written over.
func TestHeadroom(t *testing.T) {
	r := newRig(t)
	c, _ := r.w.pool.Get()
	p := &pkt{chunk: r.w.pool.Mem()[:4096], start: copyReach - 1, ip: ipv4(hostIP, behind1, nil)}
	p.frame.Chunk = c
	r.w.reader.Enter()
	if v := r.w.encapsulate(p, r.e.tables.Adj(uint32(adjSpoke1)), uint32(adjSpoke1), 20, 0, false); v != drop || p.reason != NoHeadroom {
		t.Errorf("verdict %d, reason %s", v, p.reason)
	}
	r.w.reader.Exit()
	r.w.release(p.frame)
}
