package fastpath

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

func TestECMP(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Routes = append(b.Routes, route("10.9.0.0/16", adjSpoke1, adjSpoke2)) })
	byFlow := map[uint16]uint32{}
	byAdj := map[uint32]int{}
	for round := range 2 {
		for port := range uint16(200) {
			r.wan.out = nil
			body := binary.BigEndian.AppendUint16(nil, port)
			r.fromLAN(toLAN(ipv4(hostIP, ip4("10.9.1.1"), append(body, 0, 80, 0, 0, 0, 0))))
			outer, _, _ := r.ungre(r.oneOut(r.wan))
			if round == 1 && byFlow[port] != outer.Dst() {
				t.Fatalf("flow %d moved from %08x to %08x", port, byFlow[port], outer.Dst())
			}
			byFlow[port] = outer.Dst()
			byAdj[outer.Dst()]++
		}
	}
	if len(byAdj) != 2 || byAdj[0xc000020b] < 120 || byAdj[0xc000020c] < 120 {
		t.Errorf("400 packets of 200 flows go %v", byAdj)
	}
}

// TestPathShares: an adjacency has as many of the flows as it has paths of the route.
func TestPathShares(t *testing.T) {
	const flows = 10_000
	a, b, c, d := fib.AdjID(30), fib.AdjID(31), fib.AdjID(32), fib.AdjID(33)
	ids := []fib.AdjID{a, b, c, d}
	for _, paths := range [][]fib.AdjID{
		{a, b}, {a, b, c}, {a, b, c, d}, {a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b},
		{a, a, b}, {a, a, a, b, b}, {a, b, a, c, a, b, a, c, a, b, d, a},
		{a, a, a, a, a, a, a, a, a, a, a, a, b, b, c, d},
	} {
		r := newRig(t, func(_ *Config, batch *fib.Batch) {
			for _, id := range ids {
				batch.Adjacencies = append(batch.Adjacencies, tunnelAdj(id, [4]byte{192, 0, 2, byte(id)}))
			}
			batch.Routes = append(batch.Routes, route("10.9.0.0/16", paths...))
		})
		for i := range flows {
			body := binary.BigEndian.AppendUint16(nil, uint16(20000+i))
			r.fromLAN(toLAN(ipv4(hostIP, [4]byte{10, 9, byte(i % 7), byte(i % 50)}, append(body, 0, 80, 0, 0, 0, 0))))
			r.wan.out = r.wan.out[:0]
		}
		for _, id := range ids {
			n := 0
			for _, p := range paths {
				if p == id {
					n++
				}
			}
			want := float64(flows) * float64(n) / float64(len(paths))
			slack := max(want/20, 3*math.Sqrt(want)) // chance alone makes that much of small shares
			if got := float64(r.e.AdjacencyCount(id).Packets); got < want-slack || got > want+slack {
				t.Errorf("paths %v: adjacency %d has %.0f of %d flows, want %.0f", paths, id, got, flows, want)
			}
		}
	}
}

// TestFragmentsStayTogether: all fragments of a packet take the path of its first.
func TestFragmentsStayTogether(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Routes = append(b.Routes, route("10.9.0.0/16", adjSpoke1, adjSpoke2)) })
	for i := range byte(50) {
		dst := [4]byte{10, 9, 1, i}
		r.wan.out = nil
		r.fromLAN(toLAN(ipv4(hostIP, dst, pattern(64), flags(packet.FlagMF))), toLAN(ipv4(hostIP, dst, []byte{i, 2, 3, 4, 5}, flags(8))))
		a, _, _ := r.ungre(r.wan.out[0])
		b, _, _ := r.ungre(r.wan.out[1])
		if a.Dst() != b.Dst() {
			t.Errorf("fragments to %v part", dst)
		}
	}
}

func TestAdjacencyGone(t *testing.T) {
	r := newRig(t)
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{{ID: adjSpoke1, Kind: fib.AdjDrop}}, DelAdjacencies: []fib.AdjID{adjSpoke2}})
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)))
	r.only(AdjacencyDrops, 1)
	r.fromLAN(toLAN(ipv4(hostIP, behind2, nil)))
	if r.count(NoAdjacency) != 1 {
		t.Errorf("reasons %v", r.nonZero())
	}
	r.w.Detach(lan)
	r.fromWAN(toWAN(ipv4(behind1, hostIP, nil)))
	if r.count(PortDown) != 1 {
		t.Errorf("reasons %v", r.nonZero())
	}
}

// syn is a TCP SYN with this MSS.
func syn(src, dst [4]byte, mss uint16, opts ...ipOpt) []byte {
	b := make([]byte, 24)
	b[12], b[13] = 6<<4, packet.TCPSyn
	b[20], b[21] = 2, 4
	binary.BigEndian.PutUint16(b[22:], mss)
	binary.BigEndian.PutUint16(b[16:], ^packet.Fold(packet.Sum(b, packet.PseudoSum(src, dst, packet.ProtoTCP, len(b)))))
	return ipv4(src, dst, b, append([]ipOpt{proto(packet.ProtoTCP)}, opts...)...)
}

func TestMSS(t *testing.T) {
	for _, c := range []struct {
		name                   string
		portMSS, tunMSS, ajMSS uint16
		in                     fib.PortID
		want                   uint16
	}{
		{"none", 0, 0, 0, lan, 1460},
		{"in by the port", 1300, 0, 0, lan, 1300},
		{"out by the adjacency", 0, 0, 1360, lan, 1360},
		{"smaller of both, in", 1200, 0, 1360, lan, 1200},
		{"smaller of both, out", 1400, 0, 1360, lan, 1360},
		{"in by the tunnel, not the port under it", 1000, 1340, 0, wan, 1340},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(_ *Config, b *fib.Batch) {
				b.Ports[0].MSS, b.Ports[1].MSS, b.Tunnels[0].MSS = c.portMSS, c.portMSS, c.tunMSS
				for i := range b.Adjacencies {
					b.Adjacencies[i].MSS = c.ajMSS
				}
			})
			r.t = t
			var got packet.IPv4
			if c.in == lan {
				r.fromLAN(toLAN(syn(hostIP, behind1, 1460)))
				_, _, inner := r.ungre(r.oneOut(r.wan))
				got = r.mustIP(inner)
			} else {
				r.fromWAN(fromSpoke1(syn(behind1, hostIP, 1460)))
				got = r.mustIP(r.oneOut(r.lan)[packet.EthernetLen:])
			}
			tcp, f := packet.ParseTCP(got.Payload())
			mss, _ := tcp.MSS()
			if f != packet.OK || mss != c.want {
				t.Errorf("MSS %d, want %d", mss, c.want)
			}
			src, dst := [4]byte(got[12:16]), [4]byte(got[16:20])
			if packet.Fold(packet.Sum(tcp, packet.PseudoSum(src, dst, packet.ProtoTCP, len(tcp)))) != 0xffff {
				t.Error("the TCP checksum is wrong")
			}
		})
	}
	// What only looks like a SYN is left alone.
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Ports[1].MSS = 500 })
	late := syn(hostIP, behind1, 1460, flags(100))
	short := ipv4(hostIP, behind1, []byte{1, 2, 3}, proto(packet.ProtoTCP))
	r.fromLAN(toLAN(late), toLAN(short))
	for i, want := range [][]byte{late, short} {
		if _, _, inner := r.ungre(r.wan.out[i]); !bytes.Equal(inner[20:], want[20:]) {
			t.Errorf("packet %d: payload changed to %x", i, inner[20:])
		}
	}
}

func TestRedirect(t *testing.T) {
	r := newRig(t)
	in := ipv4(behind1, behind2, pattern(900))
	send := func() { r.fromWAN(fromSpoke1(in)) }
	send()
	u := r.onePunt(Redirect)
	if u.Tunnel != tunnelID || u.OuterSrc != addr(spoke1NBMA) || u.OuterDst != addr(hubNBMA) || u.Adj != adjSpoke2 || u.NextHop != addr(behind2) ||
		u.Len != len(in) || !bytes.Equal(u.Packet, in[:quoteLen]) {
		t.Errorf("punt %+v", u)
	}
	send()
	r.now += int64(8*time.Second) - 1
	send()
	if len(r.punts) != 1 {
		t.Errorf("%d redirects in 8 s", len(r.punts))
	}
	r.now++
	send()
	if len(r.punts) != 2 || len(r.wan.out) != 4 {
		t.Errorf("%d redirects, %d packets", len(r.punts), len(r.wan.out))
	}
	r.fromWAN(fromSpoke1(ipv4(behind1, ip4("10.2.0.6"), nil)))
	if len(r.punts) != 3 {
		t.Error("another destination is another flow")
	}
}

func TestNoRedirect(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fib.Batch)
		frame  []byte
	}{
		{"off", func(b *fib.Batch) { b.Tunnels[0].Redirect = false }, fromSpoke1(ipv4(behind1, behind2, nil))},
		{"another network", func(b *fib.Batch) { b.Adjacencies[2].Network = 8 }, fromSpoke1(ipv4(behind1, behind2, nil))},
		{"no network", func(b *fib.Batch) { b.Tunnels[0].Network, b.Adjacencies[2].Network = 0, 0 }, fromSpoke1(ipv4(behind1, behind2, nil))},
		{"to the LAN", func(*fib.Batch) {}, fromSpoke1(ipv4(behind1, hostIP, nil))},
		{"multicast", func(*fib.Batch) {}, fromSpoke1(ipv4(behind1, ip4("239.1.1.1"), nil))},
		{"back to its sender", func(*fib.Batch) {}, fromSpoke1(ipv4(behind2, behind1, nil))},
		{"not out of a tunnel", func(*fib.Batch) {}, toWAN(ipv4(ip4("10.3.0.1"), behind2, nil))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(_ *Config, b *fib.Batch) { c.change(b) })
			r.t = t
			r.fromWAN(c.frame)
			if len(r.punts) != 0 || len(r.wan.out)+len(r.lan.out) != 1 {
				t.Errorf("punts %v, %d and %d frames", r.punts, len(r.wan.out), len(r.lan.out))
			}
		})
	}
}

func TestResolve(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		b.Adjacencies[1].Resolve = true
		b.Adjacencies[2].Resolve, b.Adjacencies[2].NextHop = true, addr(ip4("10.255.0.12"))
	})
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)), toLAN(ipv4(hostIP, behind1, nil)), toLAN(ipv4(hostIP, ip4("10.1.0.6"), nil)))
	r.fromLAN(toLAN(ipv4(hostIP, behind2, nil)), toLAN(ipv4(hostIP, ip4("10.2.0.6"), nil)))
	want := [][4]byte{behind1, ip4("10.1.0.6"), ip4("10.255.0.12")}
	if len(r.punts) != len(want) || len(r.wan.out) != 5 {
		t.Fatalf("%d punts, %d packets", len(r.punts), len(r.wan.out))
	}
	for i, u := range r.punts {
		if u.Reason != Resolve || u.NextHop != addr(want[i]) || u.Port != lan {
			t.Errorf("punt %d: %+v, want next hop %v", i, u, want[i])
		}
	}
	r.now += int64(time.Second)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, nil)))
	if len(r.punts) != 4 {
		t.Error("no Resolve after the interval")
	}
}

func TestGlean(t *testing.T) {
	r := newRig(t)
	first := ipv4(behind1, ip4("10.0.0.77"), pattern(1000))
	r.fromWAN(toWAN(first), toWAN(first), toWAN(first))
	u := r.onePunt(Glean)
	if u.NextHop != addr(ip4("10.0.0.77")) || u.Adj != adjGlean || !bytes.Equal(u.Packet, first) {
		t.Errorf("punt %+v", u)
	}
	if r.count(GleanWaits) != 2 {
		t.Errorf("reasons %v", r.nonZero())
	}
	r.now += int64(time.Second)
	r.fromWAN(toWAN(first))
	r.fromWAN(toWAN(ipv4(behind1, ip4("10.0.0.78"), nil)))
	if r.count(Glean) != 3 {
		t.Errorf("reasons %v", r.nonZero())
	}
}
