package fastpath

import (
	"bytes"
	"crypto/des"
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestESPFaults: whatever is wrong with a packet for an association is counted by its reason, once, and nothing comes out.
func TestESPFaults(t *testing.T) {
	cbc := suite{cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20, window: 64}
	bare := suite{cipher: fib.CipherDES, key: 8, window: 64}
	tun := cbc
	tun.tunnel = true
	nat := cbc
	nat.encap = true
	both := cbc
	both.ah, both.ahKey = fib.AuthHMACSHA1, 20
	inner := gre(packet.TypeIPv4, ipv4(behind1, hostIP, pattern(40)))
	for _, c := range []struct {
		name   string
		s      suite
		reason Reason
		frame  func(f *forger) []byte
	}{
		{"short", cbc, ESPShort, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, 47))[:7]) }},
		{"no body", cbc, ESPShort, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, 47))[:8+16+12+1]) }},
		{"not on a block", cbc, ESPLength, func(f *forger) []byte { return f.frame(append(f.esp(1, f.body(inner, 47)), 0, 0, 0)) }},
		{"ICV", cbc, SAAuth, func(f *forger) []byte { b := f.esp(1, f.body(inner, 47)); b[len(b)-1]++; return f.frame(b) }},
		{"payload", cbc, SAAuth, func(f *forger) []byte { b := f.esp(1, f.body(inner, 47)); b[30]++; return f.frame(b) }},
		{"another number", cbc, SAAuth, func(f *forger) []byte { b := f.esp(1, f.body(inner, 47)); b[7]++; return f.frame(b) }},
		{"number zero", cbc, SATooOld, func(f *forger) []byte { return f.frame(f.esp(0, f.body(inner, 47))) }},
		{"SPI", cbc, SAUnknownSPI, func(f *forger) []byte { b := f.esp(1, f.body(inner, 47)); b[3] ^= 0x40; return f.frame(b) }},
		{"outbound SPI", cbc, SAUnknownSPI, func(f *forger) []byte { b := f.esp(1, f.body(inner, 47)); b[3] ^= 3; return f.frame(b) }},
		{"peer", cbc, SAWrongPeer, func(f *forger) []byte {
			return toWAN(ipv4(spoke2NBMA, hubNBMA, f.esp(1, f.body(inner, 47)), proto(packet.ProtoESP)))
		}},
		{"UDP without", cbc, SAWrongEncap, func(f *forger) []byte { return udp4500(spoke1NBMA, natPort, f.esp(1, f.body(inner, 47))) }},
		{"no UDP", nat, SAWrongEncap, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, 47))) }},
		{"UDP length", nat, ESPShort, func(f *forger) []byte {
			b := udp4500(spoke1NBMA, natPort, f.esp(1, f.body(inner, 47)))
			b[packet.EthernetLen+packet.IPv4Len+4] = 0x40
			return b
		}},
		{"padding", cbc, ESPPadding, func(f *forger) []byte {
			b := f.body(inner, 47)
			b[len(b)-3]++
			return f.frame(f.esp(1, b))
		}},
		{"pad length", cbc, ESPPadding, func(f *forger) []byte {
			b := f.body(inner, 47)
			b[len(b)-2] = byte(len(b) - 1)
			return f.frame(f.esp(1, b))
		}},
		{"changed, nothing authenticates", bare, ESPPadding, func(f *forger) []byte {
			b := f.esp(1, f.body(append([]byte(nil), inner[:63]...), 47))
			b[len(b)-2-des.BlockSize] ^= 0x5a // by CBC, the pad length of the block after it
			return f.frame(b)
		}},
		{"next header", cbc, ESPNextHeader, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, packet.ProtoUDP))) }},
		{"IP in transport mode", cbc, ESPNextHeader, func(f *forger) []byte {
			return f.frame(f.esp(1, f.body(grePacket(spoke1NBMA, packet.TypeIPv4, nil), packet.ProtoIPIP)))
		}},
		{"dummy", cbc, ESPDummy, func(f *forger) []byte { return f.frame(f.esp(1, f.body(pattern(60), packet.ProtoNone))) }},
		{"GRE in tunnel mode", tun, ESPNextHeader, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, 47))) }},
		{"not IP inside", tun, ESPInner, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, packet.ProtoIPIP))) }},
		{"not GRE inside", tun, ESPInner, func(f *forger) []byte {
			return f.frame(f.esp(1, f.body(ipv4(spoke1NBMA, hubNBMA, pattern(9)), packet.ProtoIPIP)))
		}},
		{"other addresses inside", tun, ESPInner, func(f *forger) []byte {
			return f.frame(f.esp(1, f.body(grePacket(spoke2NBMA, packet.TypeIPv4, nil), packet.ProtoIPIP)))
		}},
		{"ESP without AH", both, SANotUnder, func(f *forger) []byte { return f.frame(f.esp(1, f.body(inner, 47))) }},
		{"GRE", cbc, GREVersion, func(f *forger) []byte { return f.frame(f.esp(1, f.body([]byte{0, 1, 8, 0}, 47))) }},
		{"IP in GRE", cbc, IPVersion, func(f *forger) []byte { return f.frame(f.esp(1, f.body(gre(packet.TypeIPv4, pattern(30)), 47))) }},
		{"clear", cbc, ClearOnProtected, func(*forger) []byte { return fromSpoke1(ipv4(behind1, hostIP, nil)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, c.s)
			if out := p.deliver(c.frame(p.forger(c.s, saOut))); len(out) != 0 {
				t.Fatalf("%x came out", out)
			}
			p.hub.only(c.reason, 1)
			if n, _ := p.hub.e.SACount(saIn); n.AuthFailed != 0 && n.LastSeq != 0 {
				t.Errorf("an unauthentic packet moved the window: %+v", n)
			}
			// What is right still comes through, with the same sequence number if the other was not authentic.
			if n, _ := p.hub.e.SACount(saIn); n.LastSeq == 0 {
				if out := p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(40)))...); len(out) != 1 {
					t.Errorf("%d packets afterwards: %v", len(out), p.hub.nonZero())
				}
			}
		})
	}
}

// TestAHFaults is the same of AH.
func TestAHFaults(t *testing.T) {
	s := suite{ahOnly: true, ah: fib.AuthHMACSHA256, ahKey: 32, window: 64}
	at := packet.EthernetLen + packet.IPv4Len
	fix := func(b []byte) []byte { packet.IPv4(b[packet.EthernetLen:]).SetSum(); return b }
	for _, c := range []struct {
		name   string
		reason Reason
		change func(b []byte) []byte
	}{
		{"ICV", SAAuth, func(b []byte) []byte { b[at+12]++; return b }},
		{"payload", SAAuth, func(b []byte) []byte { b[len(b)-1]++; return b }},
		{"identification", SAAuth, func(b []byte) []byte { b[packet.EthernetLen+4]++; return fix(b) }},
		{"source", SAWrongPeer, func(b []byte) []byte { b[packet.EthernetLen+15]++; return fix(b) }},
		{"reserved", SAAuth, func(b []byte) []byte { b[at+3]++; return b }},
		{"next header", SAAuth, func(b []byte) []byte { b[at]++; return b }},
		{"length", AHLength, func(b []byte) []byte { b[at+1]--; return b }},
		{"SPI", SAUnknownSPI, func(b []byte) []byte { b[at+7] ^= 0x80; return b }},
		{"short", AHShort, func(b []byte) []byte {
			b = b[:at+11]
			binary.BigEndian.PutUint16(b[packet.EthernetLen+2:], 31)
			return fix(b)
		}},
		{"cut", AHShort, func(b []byte) []byte {
			b = b[:at+27]
			binary.BigEndian.PutUint16(b[packet.EthernetLen+2:], 47)
			return fix(b)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, s)
			good := p.one(p.sealed(ipv4(behind1, hostIP, pattern(40))))
			if out := p.deliver(c.change(append([]byte(nil), good...))); len(out) != 0 {
				t.Fatalf("%x came out", out)
			}
			p.hub.only(c.reason, 1)
			// What routers change on the way does no harm.
			packet.IPv4(good[packet.EthernetLen:]).DecTTL()
			good[packet.EthernetLen+1] ^= 0x40
			if out := p.deliver(fix(good)); len(out) != 1 {
				t.Errorf("%d packets afterwards: %v", len(out), p.hub.nonZero())
			}
		})
	}
}

// TestAHWithoutESP: where AH goes over ESP, what AH alone protects is refused, though authentic.
func TestAHWithoutESP(t *testing.T) {
	s := suite{cipher: fib.Cipher3DES, key: 24, ah: fib.AuthHMACMD5, ahKey: 16}
	p := newPair(t, s)
	f := p.forger(s, ahOut)
	inner := gre(packet.TypeIPv4, ipv4(behind1, hostIP, pattern(20)))
	ah := make([]byte, 24, 24+len(inner))
	f.tr.PutAH(ah, packet.ProtoGRE, 1)
	ah = append(ah, inner...)
	ip := ipv4(spoke1NBMA, hubNBMA, nil, proto(packet.ProtoAH))
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(ah)))
	f.tr.SealAH(f.x, ip, ah, 1)
	packet.IPv4(ip).SetSum()
	if out := p.deliver(toWAN(append(ip, ah...))); len(out) != 0 {
		t.Fatalf("%x came out", out)
	}
	p.hub.only(AHNextHeader, 1)
}

// TestAHOptions: AH covers the options of the outer header that nobody changes, and no others.
func TestAHOptions(t *testing.T) {
	s := suite{ahOnly: true, ah: fib.AuthHMACMD5, ahKey: 16}
	build := func(f *forger, opts, covered []byte) []byte {
		inner := gre(packet.TypeIPv4, ipv4(behind1, hostIP, pattern(20)))
		ah := make([]byte, 24, 24+len(inner))
		f.tr.PutAH(ah, 47, 1)
		ah = append(ah, inner...)
		ip := append(ipv4(spoke1NBMA, hubNBMA, nil, proto(packet.ProtoAH)), opts...)
		ip[0] = 0x45 + byte(len(opts)/4)
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(ah)))
		f.tr.SealAH(f.x, append(append([]byte(nil), ip[:20]...), covered...), ah, 1)
		packet.IPv4(ip).SetSum()
		return toWAN(append(ip, ah...))
	}
	for _, c := range []struct {
		name    string
		opts    []byte
		covered []byte
		ok      bool
	}{
		{"router alert", []byte{148, 4, 0, 0}, []byte{148, 4, 0, 0}, true},
		{"router alert changed", []byte{148, 4, 0, 0}, []byte{148, 4, 0, 1}, false},
		{"record route", []byte{7, 4, 4, 0}, []byte{0, 0, 0, 0}, true},
	} {
		p := newPair(t, s)
		out := p.deliver(build(p.forger(s, ahOut), c.opts, c.covered))
		if (len(out) == 1) != c.ok {
			t.Errorf("%s: %d came out: %v", c.name, len(out), p.hub.nonZero())
		}
	}
}

// TestESPTruncated: no cut packet does more than be dropped.
func TestESPTruncated(t *testing.T) {
	for _, s := range suites() {
		s.window = 64
		p := newPair(t, s)
		good := p.one(p.sealed(ipv4(behind1, hostIP, pattern(60))))
		for n := packet.EthernetLen + packet.IPv4Len; n < len(good); n++ {
			cut := append([]byte(nil), good[:n]...)
			binary.BigEndian.PutUint16(cut[packet.EthernetLen+2:], uint16(n-packet.EthernetLen))
			packet.IPv4(cut[packet.EthernetLen:]).SetSum()
			for _, c := range [][]byte{good[:n], cut} {
				if out := p.deliver(c); len(out) != 0 {
					t.Fatalf("%s: %d of %d bytes: %x came out", s.name, n, len(good), out)
				}
			}
		}
		if out := p.deliver(good); len(out) != 1 && s.auth != 0 {
			t.Errorf("%s: the whole packet does not come out any more: %v", s.name, p.hub.nonZero())
		}
	}
}

func TestReplay(t *testing.T) {
	p := newPair(t, gcm128)
	var list [][]byte
	for range 200 {
		list = append(list, p.sealed(ipv4(behind1, hostIP, pattern(40)))...)
	}
	if out := p.deliver(list[100], list[99], list[37], list[36], list[100], list[99]); len(out) != 3 {
		t.Errorf("%d came out", len(out))
	}
	if a, b := p.hub.count(SAReplay), p.hub.count(SATooOld); a != 2 || b != 1 {
		t.Errorf("replayed %d, too old %d", a, b)
	}
	c, _ := p.hub.e.SACount(saIn)
	if c.Replayed != 3 || c.Packets != 3 || c.LastSeq != 101 {
		t.Errorf("counts %+v", c)
	}
	// Without authentication a stranger could move the window: there is none.
	s := suite{cipher: fib.CipherDES, key: 8, window: 64}
	q := newPair(t, s)
	frame := q.one(q.sealed(ipv4(behind1, hostIP, pattern(40))))
	if out := q.deliver(frame, frame); len(out) != 2 {
		t.Errorf("%d came out of esp-des alone: %v", len(out), q.hub.nonZero())
	}
}

// TestWrongTunnel: what comes out of an association is let into the tunnels of its protection, and into no other; a tunnel without protection
// takes nothing from associations.
func TestWrongTunnel(t *testing.T) {
	for name, change := range map[string]func(*fib.Tunnel){
		"another protection": func(f *fib.Tunnel) { f.Protection++ },
		"no protection":      func(f *fib.Tunnel) { f.Protected = false },
	} {
		p := newPair(t, gcm128)
		f := rigBatch().Tunnels[0]
		f.Protected, f.Protection = true, protection
		change(&f)
		p.hub.apply(&fib.Batch{Tunnels: []fib.Tunnel{f}})
		if out := p.deliver(p.sealed(ipv4(behind1, hostIP, nil))...); len(out) != 0 {
			t.Errorf("%s: %x came out", name, out)
		}
		p.hub.only(SAWrongTunnel, 1)
	}
}

// TestNoClear: an adjacency whose association is gone, or never was, sends nothing, in clear or otherwise, whatever is sent by it.
func TestNoClear(t *testing.T) {
	for _, s := range []suite{gcm128, {ahOnly: true, ah: fib.AuthHMACSHA1, ahKey: 20}, {cipher: fib.CipherDES, key: 8}} {
		p := newPair(t, s)
		p.hub.apply(&fib.Batch{DelSAs: []fib.SAID{saOut, ahOut}})
		p.hub.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(40))))
		for _, in := range []Inject{
			{Kind: InjectAdjacent, Adj: adjSpoke1, Proto: packet.TypeNHRP, Packet: pattern(40)},
			{Kind: InjectAdjacent, Adj: adjSpoke1, Packet: ipv4(hubTunnel, behind1, nil)},
			{Kind: InjectGroup, Group: group, Packet: ipv4(hubTunnel, mcast, nil)},
			{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(hubTunnel, behind1, nil)},
			{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(hubTunnel, mcast, nil)},
		} {
			if err := p.hub.e.Inject(in); err != nil {
				t.Fatal(err)
			}
		}
		p.hub.settle()
		if out := p.hub.wan.take(); len(out) != 0 {
			t.Errorf("%x left", out)
		}
		if n := p.hub.count(NoSA); n != 6 {
			t.Errorf("%d without an association: %v", n, p.hub.nonZero())
		}
		// An inbound one does not send.
		a := tunnelAdj(adjSpoke1, spoke1NBMA)
		a.SA = saIn
		if !s.ahOnly {
			p.hub.apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}})
			p.hub.fromLAN(toLAN(ipv4(hostIP, behind1, nil)))
			if out := p.hub.wan.take(); len(out) != 0 {
				t.Errorf("%x left by an inbound association", out)
			}
		}
	}
}

// TestSealedInjects: what protocols send goes the same way, and arrives.
func TestSealedInjects(t *testing.T) {
	for _, s := range []suite{gcm128, {cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20}, {ahOnly: true, ah: fib.AuthHMACSHA1, ahKey: 20}} {
		p := newPair(t, s)
		if err := p.spoke.e.Inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke1, Proto: packet.TypeNHRP, TOS: 0xc0, Packet: pattern(40)}); err != nil {
			t.Fatal(err)
		}
		if err := p.spoke.e.Inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(behind1, mcast, pattern(20))}); err != nil {
			t.Fatal(err)
		}
		p.spoke.settle()
		frames := toHub(p.spoke.wan.take())
		p.deliver(frames...)
		var nhrp []Punt
		for _, u := range p.hub.punts {
			if u.Reason == NHRP {
				nhrp = append(nhrp, u)
			}
		}
		wantSA := saIn
		if s.ahOnly {
			wantSA = ahIn
		}
		if len(frames) != 2 || len(nhrp) != 1 || !bytes.Equal(nhrp[0].Packet, pattern(40)) || nhrp[0].SA != wantSA || nhrp[0].SPI != spiToHub ||
			nhrp[0].OuterSrc != addr(spoke1NBMA) || nhrp[0].Tunnel != tunnelID {
			t.Errorf("%d frames, NHRP %+v", len(frames), nhrp)
		}
		if tos := frames[0][packet.EthernetLen+1]; tos != 0xc0 {
			t.Errorf("TOS %#x", tos)
		}
		// The multicast packet came out too: the only other spoke has no association.
		if p.hub.count(NoSA) != 1 || p.hub.count(CopyLost) != 1 {
			t.Errorf("multicast: %v", p.hub.nonZero())
		}
	}
}
