package fastpath

import (
	"bytes"
	"encoding/binary"

	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestSealedMTU: an inner packet of up to the adjacency's limit leaves whole and fits the link, one byte more does not fit: the limit counts
// headers, padding and ICV of every transform to the byte.
func TestSealedMTU(t *testing.T) {
	for _, s := range suites() {
		for variant := range 4 {
			s := s
			s.tunnel, s.encap = variant&1 != 0, variant&2 != 0
			if s.encap && s.ah != 0 {
				continue
			}
			var b *fib.Batch
			p := &pair{t: t, spoke: newRig(t, s.spoke, func(_ *Config, all *fib.Batch) { b = all })}
			for _, link := range []uint16{576, 999, 1000, 1001} {
				a := b.Adjacencies[1]
				a.MTU, a.LinkMTU = 1500, link
				p.spoke.apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}})
				limit := int(p.spoke.e.tables.Adj(uint32(adjSpoke1)).Limit)
				for _, n := range []int{limit, limit + 1} {
					frames := p.sealed(ipv4(behind1, hostIP, pattern(n-packet.IPv4Len)))
					if whole := len(frames) == 1; whole != (n == limit) {
						t.Errorf("%s, tunnel mode %v, UDP %v, link MTU %d: %d bytes (limit %d) leave in %d frames", s.name, s.tunnel, s.encap, link, n, limit, len(frames))
					}
					for _, f := range frames {
						if len(f) > int(link)+packet.EthernetLen {
							t.Errorf("%s: %d bytes for a link of %d", s.name, len(f), link)
						}
					}
				}
			}
		}
	}
}

// TestSealedFragments: a packet larger than `ip mtu` is cut before it is sealed, and each piece opens by itself. An outer packet larger than the link is
// cut after it was sealed: its receiver punts the fragments, and what the slow path makes of them comes in again.
func TestSealedFragments(t *testing.T) {
	for _, s := range []suite{gcm128, {cipher: fib.CipherAESGCM, key: 20, encap: true, window: 64}, {cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20},
		{ahOnly: true, ah: fib.AuthHMACSHA256, ahKey: 32}} {
		p := newPair(t, s, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU = 700 })
		if out := p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(1400)))...); len(out) != 3 {
			t.Errorf("%d pieces came out: %v", len(out), p.hub.nonZero())
		}
		p = newPair(t, s, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU, b.Adjacencies[1].LinkMTU = 1500, 700 })
		frames := p.sealed(ipv4(behind1, hostIP, pattern(1400)))
		p.deliver(frames...)
		var whole []byte
		for _, u := range p.hub.of(Fragment) {
			ip := packet.IPv4(u.Packet)
			if whole == nil {
				whole = append(whole, ip[:packet.IPv4Len]...)
			}
			whole = append(whole, ip.Payload()...)
		}
		if len(frames) < 3 || len(whole) == 0 {
			t.Fatalf("%d frames: %v", len(frames), p.hub.nonZero())
		}
		binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
		clear(whole[6:8])
		packet.IPv4(whole).SetSum()
		if err := p.hub.e.Inject(Inject{Kind: InjectInput, Port: wan, Packet: whole}); err != nil {
			t.Fatal(err)
		}
		out := p.deliver()
		if len(out) != 1 || !bytes.Equal(packet.IPv4(out[0][packet.EthernetLen:]).Payload(), pattern(1400)) {
			t.Errorf("%d came out: %v", len(out), p.hub.nonZero())
		}
	}
}

// TestRoom: where a frame has no room for headers or trailer, the packet is dropped, as it came, and no sequence number is used.
func TestRoom(t *testing.T) {
	p := newPair(t, gcm128)
	w := p.spoke.w
	a := w.t.Adj(uint32(adjSpoke1))
	for _, c := range []struct {
		start, n int
		reason   Reason
	}{{copyReach + sealReach - 1, 100, NoHeadroom}, {4096 - 100, 100, NoTailroom}, {4096 - 119, 100, NoTailroom}, {4096 - 120, 100, Unknown}, {copyReach + sealReach, 100, Unknown}} {
		chunk := make([]byte, 4096)
		copy(chunk[c.start:], pattern(c.n))
		q := &pkt{chunk: chunk, start: c.start}
		before := w.t.SA(uint32(saOut)).Seq.Load()
		v := w.encapsulate(q, a, uint32(adjSpoke1), c.n, 0, false)
		w.sealAll()
		taken := w.t.SA(uint32(saOut)).Seq.Load() != before
		if (v == sent) != (c.reason == Unknown) || v == drop && q.reason != c.reason || taken != (v == sent) {
			t.Errorf("%d bytes at %d: verdict %d, %s, number taken %v", c.n, c.start, v, q.reason, taken)
		}
		if v == drop && !bytes.Equal(chunk[c.start:c.start+c.n], pattern(c.n)) {
			t.Errorf("%d bytes at %d: changed", c.n, c.start)
		}
		for _, u := range w.queues {
			u.n, u.bytes = 0, 0
		}
	}
}

// TestSameNAT: two spokes behind one address are told apart by their ports: multicast from one goes to the other.
func TestSameNAT(t *testing.T) {
	s := suite{cipher: fib.CipherAESGCM, key: 20, encap: true, window: 64}
	p := newPair(t, s, func(_ *Config, b *fib.Batch) {
		if len(b.Adjacencies) < 3 {
			return
		}
		// At the hub: spoke 2 has spoke 1's address, and another port.
		a := tunnelAdj(adjSpoke2, spoke1NBMA)
		udp := make([]byte, packet.UDPLen)
		binary.BigEndian.PutUint16(udp, natPort)
		binary.BigEndian.PutUint16(udp[2:], 1234)
		a.SA, a.Outer = 9, append(a.Outer, udp...)
		b.Adjacencies[2] = a
		b.SAs = append(b.SAs, fib.SA{
			ID: 9, SPI: 0x7001, Local: addr(hubNBMA), Remote: addr(spoke1NBMA), Encap: true, LocalPort: natPort, RemotePort: 1234,
			Cipher: fib.CipherAESGCM, CipherKey: testKey(20, 3),
		})
	})
	if err := p.spoke.e.Inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(behind1, mcast, pattern(20))}); err != nil {
		t.Fatal(err)
	}
	p.spoke.settle()
	p.deliver(toHub(p.spoke.wan.take())...)
	out := p.hub.wan.take()
	if len(out) != 1 || binary.BigEndian.Uint16(out[0][packet.EthernetLen+packet.IPv4Len+2:]) != 1234 {
		t.Errorf("%d left: %v", len(out), p.hub.nonZero())
	}
}

// TestECNSealed: a mark on the outer header of what was sealed comes inside, in both modes.
func TestECNSealed(t *testing.T) {
	for _, tunnel := range []bool{false, true} {
		s := gcm128
		s.tunnel = tunnel
		p := newPair(t, s)
		f := p.one(p.sealed(ipv4(behind1, hostIP, nil, tos(2))))
		f[packet.EthernetLen+1] |= ecnCE
		packet.IPv4(f[packet.EthernetLen:]).SetSum()
		out := p.one(p.deliver(f))
		if got := p.hub.mustIP(out[packet.EthernetLen:]).TOS(); got != ecnCE {
			t.Errorf("tunnel mode %v: TOS %d inside", tunnel, got)
		}
	}
}

// TestRekey: the new associations are there first, then the adjacency changes over, then the old ones go: nothing is lost, whatever is on its way.
func TestRekey(t *testing.T) {
	p := newPair(t, gcm128)
	var late [][]byte
	lost := 0
	for i := range 20 {
		gen := func(local, remote [4]byte, out, in uint32) []fib.SA {
			list := gcm128.associations(local, remote, out+uint32(i)*16, in+uint32(i)*16)
			for j := range list {
				list[j].ID += fib.SAID(10 * i)
			}
			return list
		}
		p.hub.apply(&fib.Batch{SAs: gen(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)})
		spoke := gen(spoke1NBMA, hubNBMA, spiToHub, spiToSpoke)
		late = append(late, p.sealed(ipv4(behind1, hostIP, pattern(i)))...)
		a := rigBatch()
		gcm128.spoke(nil, a)
		a.Adjacencies[1].SA = spoke[0].ID
		p.spoke.apply(&fib.Batch{SAs: spoke, Adjacencies: a.Adjacencies[1:2]})
		frames := p.sealed(ipv4(behind1, hostIP, pattern(i)))
		if got := binary.BigEndian.Uint32(frames[0][packet.EthernetLen+packet.IPv4Len:]); got != spoke[0].SPI {
			t.Fatalf("rekey %d: SPI %#x", i, got)
		}
		lost += 2 - len(p.deliver(append(late, frames...)...))
		late = nil
		if i > 0 {
			p.hub.apply(&fib.Batch{DelSAs: []fib.SAID{fib.SAID(10*i) - 10 + saIn, fib.SAID(10*i) - 10 + saOut}})
			p.spoke.apply(&fib.Batch{DelSAs: []fib.SAID{fib.SAID(10*i) - 10 + saIn, fib.SAID(10*i) - 10 + saOut}})
		}
	}
	if lost != 0 {
		t.Errorf("%d packets lost: %v", lost, p.hub.nonZero())
	}
	if n := len(p.hub.e.Counters().SAs); n != 2 {
		t.Errorf("%d associations are left", n)
	}
}

// TestNewKeyOldNumber: an association whose number was given to another one meanwhile is not sealed with the other's key.
func TestNewKeyOldNumber(t *testing.T) {
	p := newPair(t, gcm128)
	w := p.spoke.w
	old := w.t.SA(uint32(saOut))
	w.reader.Enter()
	next := gcm128.associations(spoke1NBMA, hubNBMA, 0x4444, 0x5555)[0]
	p.spoke.apply(&fib.Batch{DelSAs: []fib.SAID{saOut}})
	p.spoke.apply(&fib.Batch{SAs: []fib.SA{next}})
	if w.transform(old) != nil {
		t.Error("the old association finds the new key")
	}
	if s := w.t.SA(uint32(saOut)); s == old || w.transform(s) == nil {
		t.Error("the new one does not find its own")
	}
	w.reader.Exit()
}
