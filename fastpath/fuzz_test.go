package fastpath

import (
	"encoding/binary"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

const (
	adjSealed = fib.AdjID(50)
	inSealed  = 1900 // swaps for two labels, sealed
)

// fuzzRig has something of everything: small MTUs, clamps, copies, resolving, path MTU discovery, associations.
func fuzzRig(t testing.TB, change ...func(*Config, *fib.Batch)) *rig {
	return leakRig(t, append(change, withOuterLabels, func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].MSS, b.Ports[1].MSS = 1300, 1200
		b.Adjacencies[1].Resolve, b.Adjacencies[1].CopyDF = true, true
		b.Adjacencies[2].MTU, b.Adjacencies[2].LinkMTU = 500, 300
		b.Routes = append(b.Routes, route("0.0.0.0/0", adjSpoke1, adjSpoke2, adjHost), route("10.3.0.0/16", adjSealed))
		// What leaves for 10.3/16 is sealed, by a slow cipher and AH over it.
		sealed := tunnelAdj(adjSealed, spoke2NBMA)
		sealed.SA, sealed.AH, sealed.LinkMTU = saOut, ahOut, 700
		b.Adjacencies = append(b.Adjacencies, sealed)
		b.Groups[0].Members = append(b.Groups[0].Members, adjSealed)
		push := sealed
		push.Outer, push.Inner = slices.Clone(sealed.Outer), slices.Clone(sealed.Inner)
		push.ID, push.Labels, push.CopyDF = adjSealed+1, []uint32{100, 200}, true
		b.Adjacencies = append(b.Adjacencies, push)
		b.Routes = append(b.Routes, route("10.4.0.0/16", push.ID))
		// Sealed, with labels on all sides.
		out := push
		out.Outer, out.Inner = slices.Clone(sealed.Outer), slices.Clone(sealed.Inner)
		out.ID, out.Port = adjSealed+2, subWAN
		outside(&out, 30, 100, 200, 300)
		b.Adjacencies = append(b.Adjacencies, out)
		b.Routes = append(b.Routes, route("10.5.0.0/16", out.ID))
		b.Labels = append(b.Labels, fib.Label{In: inSealed, Action: fib.LabelSwap, Paths: []fib.AdjID{push.ID}})
		s := suite{cipher: fib.Cipher3DES, key: 24, ah: fib.AuthHMACSHA1, ahKey: 20, tunnel: true}
		b.SAs = s.associations(hubNBMA, spoke2NBMA, spiToSpoke, spiToHub)
	})...)
}

func seeds(f *testing.F) {
	for _, frame := range [][]byte{
		toWAN(ipv4(behind1, hostIP, pattern(40))), toLAN(ipv4(hostIP, behind1, pattern(1470))), toLAN(ipv4(hostIP, behind2, pattern(1470))),
		fromSpoke1(ipv4(behind1, ip4("10.3.0.1"), pattern(700))), toLAN(ipv4(hostIP, ip4("10.3.0.1"), pattern(1400))),
		fromSpoke1(ipv4(behind1, behind2, pattern(700))), fromSpoke1(ipv4(behind1, mcast, pattern(700), df)),
		fromSpoke1(syn(behind1, hostIP, 1460)), toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40))),
		fromSpoke1(grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, nil))),
		toWAN(optioned(148, 4, 0, 0, 7, 4, 4, 0)), toWAN(ipv4(behind1, hostIP, nil, ttl(1))), toWAN(nil),
		toWAN(ipv4(behind1, ip4("198.51.100.7"), pattern(1000), flags(packet.OffsetMask|packet.FlagMF))),
		toLAN(ipv4(hostIP, toLabel(2), pattern(1490))), toLAN(ipv4(hostIP, ip4("10.4.0.1"), pattern(690))),
		labelled(ipv4(vpnSource, inVPNHost, pattern(40)), lab(inVRF, 1, 9)), fromTunnel(ipv4(vpnSource, inVPNTunnel, pattern(1400)), lab(inSelf, 1, 9), lab(inVRF, 1, 9)),
		labelled(ipv4(vpnSource, inVPNHost, pattern(1490)), lab(inTunnel2, 1, 9), lab(7, 1, 9)), labelled(pattern(30), lab(fib.RouterAlert, 0, 1)),
		labelled(ipv4(vpnSource, inVPNHost, pattern(700)), lab(inSealed, 1, 9)), labelled(ipv4(vpnSource, inVPNHost, pattern(30)), lab(inPaths, 1, 9), lab(0, 1, 9)),
		labelled(ipv4(vpnSource, inVPNHost, pattern(700)), lab(inLink0, 1, 9), lab(inLink1, 1, 1)), labelled(ipv4(vpnSource, inVPNHost, pattern(30)), lab(inPipe, 1, 1)),
		tagFrame(toLAN(ipv4(subHost, ip4("10.20.0.1"), pattern(40))), 10), tagFrame(toLAN(ipv4(subHost, ip4("10.21.0.1"), pattern(1490))), 10), tagFrame(toLAN(ipv4(subHost, subIP, pattern(40))), 20),
		tagFrame(mplsFrame(lanMAC, hostMAC, under(ipv4(subHost, subHost, pattern(7)), lab(7000, 0, 9))), 10), tagFrame(fromSpoke1(ipv4(behind1, ip4("10.44.0.1"), pattern(1300))), 30),
		toWAN(ipv4(behind1, ip4("10.30.0.1"), pattern(40))), toWAN(ipv4(behind1, ip4("10.31.0.1"), pattern(40))), labelled(ipv4(behind1, ip4("10.20.0.1"), pattern(40)), lab(inLeakSwap, 0, 9)),
		toLAN(ipv4(hostIP, ip4("10.44.0.1"), pattern(1350))), toLAN(ipv4(hostIP, ip4("10.5.0.1"), pattern(690))), fromTunnel(ipv4(vpnSource, inVPNSelf, pattern(40)), lab(inVRF, 0, 9)),
		fromTunnel(grePacket(spoke2NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, pattern(40))), lab(inSelf, 0, 9)),
	} {
		f.Add(frame, true)
		f.Add(frame, false)
	}
}

// FuzzInput sends any frame through a worker with tables: no crash, one counter, no frame lost, and what leaves is well formed. With mend, checksums
// and MAC address are put right first, so that the fuzzer gets past them.
func FuzzInput(f *testing.F) {
	seeds(f)
	r := fuzzRig(f)
	r.w.Detach(lan)
	two := &wire{pool: r.w.pool}
	if err := r.w.Attach(lan, two); err != nil {
		f.Fatal(err)
	}
	r.lan = two
	f.Fuzz(func(t *testing.T, frame []byte, mend bool) {
		if len(frame) > 3000 {
			return
		}
		r.t = t
		frame = append([]byte(nil), frame...)
		in := r.wan
		if mend {
			in = mendFrame(frame, r)
		}
		in.in = append(in.in, frame)
		r.now += 1e9
		r.punts, r.wan.out, r.lan.out = nil, nil, nil
		r.settle()
		r.conserved()
		for _, out := range append(r.wan.out, r.lan.out...) {
			if len(out) < packet.EthernetLen {
				t.Fatalf("sent %x", out)
			}
			r.mustLeave(out)
		}
	})
}

// mendFrame puts right what a fuzzer hardly guesses, and says which port the frame is for.
func mendFrame(b []byte, r *rig) *wire {
	in, mac := r.wan, wanMAC
	if len(b) > 0 && b[0]&8 != 0 {
		in, mac = r.lan, lanMAC
	}
	if len(b) < packet.EthernetLen {
		return in
	}
	if packet.Ethernet(b).Type() == packet.TypeVLAN && len(b) >= packet.EthernetLen+packet.VLANLen {
		binary.BigEndian.PutUint16(b[packet.EthernetLen:], 10*(1+uint16(b[15])%3))
		bare := slices.Delete(slices.Clone(b), 12, 16)
		in = mendFrame(bare, r)
		copy(b, bare[:12])
		copy(b[16:], bare[12:])
		return in
	}
	if packet.Ethernet(b).Type() == packet.TypeMPLS {
		packet.PutEthernet(b, mac, hostMAC, packet.TypeMPLS)
		mendLabelled(b[packet.EthernetLen:])
		return in
	}
	packet.PutEthernet(b, mac, hostMAC, packet.TypeIPv4)
	ip := mendIP(b[packet.EthernetLen:])
	if ip == nil || ip[9] != packet.ProtoGRE {
		return in
	}
	if g, fault := packet.ParseGRE(ip.Payload()); fault == packet.OK && g.Proto == packet.TypeIPv4 {
		mendIP(ip.Payload()[g.Len:])
	} else if fault == packet.OK && g.Proto == packet.TypeMPLS {
		mendLabelled(ip.Payload()[g.Len:])
		ip.SetSum()
	}
	return in
}

// mendLabelled makes the labels such as the rig knows, and what is under them IPv4.
func mendLabelled(b []byte) {
	n, fault := packet.StackLen(b, 64)
	if fault != packet.OK {
		return
	}
	for i := 0; i < n; i += packet.LabelLen {
		if e := packet.GetLSE(b[i:]); e.Label()%4 != 0 { // and some labels stay whatever they are
			(e&0xfff | packet.LSE(inLink0+e.Label()%20)<<12).Put(b[i:])
		}
	}
	mendIP(b[n:])
}

// mustLeave checks a frame that leaves: IPv4, or labels that end.
func (r *rig) mustLeave(f []byte) {
	r.t.Helper()
	if packet.Ethernet(f).Type() == packet.TypeVLAN && len(f) >= packet.EthernetLen+packet.VLANLen {
		f = slices.Delete(slices.Clone(f), 12, 16)
	}
	b := f[packet.EthernetLen:]
	switch packet.Ethernet(f).Type() {
	case packet.TypeIPv4:
		r.mustIP(b)
	case packet.TypeMPLS:
		if len(b) < packet.LabelLen {
			r.t.Fatalf("sent %x", f)
		}
	default:
		r.t.Fatalf("sent %x", f)
	}
}

func mendIP(b []byte) packet.IPv4 {
	ip := packet.IPv4(b)
	if len(b) < packet.IPv4Len || ip.HeaderLen() < packet.IPv4Len || ip.HeaderLen() > len(b) {
		return nil
	}
	ip.SetSum()
	return ip
}

// FuzzInject gives any packet of any kind to a worker.
func FuzzInject(f *testing.F) {
	f.Add(uint8(InjectRoute), uint16(tunnelID), uint32(17), uint16(0), ipv4(hubTunnel, behind1, pattern(40)))
	f.Add(uint8(InjectAdjacent), uint16(0), uint32(18), uint16(packet.TypeNHRP), pattern(900))
	f.Add(uint8(InjectGroup), uint16(0), uint32(1), uint16(0), ipv4(hubTunnel, mcast, pattern(900)))
	f.Add(uint8(InjectInput), uint16(1), uint32(0), uint16(0), grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, nil)))
	f.Add(uint8(InjectFrame), uint16(2), uint32(0), uint16(0), pattern(60))
	f.Add(uint8(InjectLabelled-1), uint16(2), uint32(0), uint16(0), under(pattern(60), lab(inTunnel2, 0, 9)))
	f.Add(uint8(InjectFrame-1), uint16(subRed), uint32(red), uint16(0), pattern(60))
	f.Add(uint8(InjectRoute-1), uint16(0), uint32(0), uint16(0), ipv4(hubTunnel, ip4("10.30.0.1"), pattern(40)))
	f.Add(uint8(InjectAdjacent-1), uint16(0), uint32(adjOutside), uint16(0), ipv4(hubTunnel, ip4("10.30.0.1"), pattern(40)))
	r := fuzzRig(f)
	f.Fuzz(func(t *testing.T, kind uint8, id uint16, entry uint32, proto uint16, b []byte) {
		r.t = t
		in := Inject{
			Kind: InjectKind(kind%6) + 1, VRF: fib.VRF(entry % 8), Port: fib.PortID(id), Tunnel: fib.TunnelID(id), Adj: fib.AdjID(entry), Group: fib.GroupID(entry), Proto: proto, Packet: b,
		}
		if r.e.Inject(in) != nil {
			return
		}
		r.now += 1e9
		r.punts, r.wan.out, r.lan.out = nil, nil, nil
		if r.poll() < 1 {
			t.Fatal("the worker did not take it")
		}
		r.settle()
		r.conserved()
	})
}
