package fastpath

import (
	"bytes"
	"errors"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

func (r *rig) inject(in Inject) {
	r.t.Helper()
	if err := r.e.Inject(in); err != nil {
		r.t.Fatal(err)
	}
	r.poll()
}

func TestInjectRoute(t *testing.T) {
	r := newRig(t)
	in := ipv4(hubTunnel, behind1, pattern(40), ttl(1))
	r.inject(Inject{Kind: InjectRoute, Packet: in})
	if _, _, inner := r.ungre(r.oneOut(r.wan)); !bytes.Equal(inner, in) {
		t.Errorf("sent %x, want it unchanged, TTL too", inner)
	}
	r.inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(hubTunnel, hostIP, nil)})
	if got := r.oneOut(r.lan); !bytes.Equal(got[14:], ipv4(hubTunnel, hostIP, nil)) {
		t.Errorf("sent %x", got)
	}
	if len(r.punts) != 0 {
		t.Errorf("punts %+v", r.punts)
	}
}

// TestInjectRouteTooBig: what this box sends is fragmented or refused like anybody's.
func TestInjectRouteTooBig(t *testing.T) {
	r := newRig(t)
	r.inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, pattern(1400), df)})
	if u := r.onePunt(FragNeeded); u.MTU != tunnelMTU || u.Port != 0 {
		t.Errorf("punt %+v", u)
	}
	r.inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, pattern(1400))})
	if len(r.wan.out) != 2 {
		t.Errorf("%d fragments", len(r.wan.out))
	}
}

func TestInjectAdjacent(t *testing.T) {
	r := newRig(t)
	msg := pattern(90)
	r.inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke2, Proto: packet.TypeNHRP, TOS: 0xc0, Packet: msg})
	outer, g, inner := r.ungre(r.oneOut(r.wan))
	if outer.TOS() != 0xc0 || outer.Dst() != 0xc000020c || g.Proto != packet.TypeNHRP || !bytes.Equal(inner, msg) {
		t.Errorf("outer %x, GRE %+v, inner %x", []byte(outer[:20]), g, inner)
	}
	// The next packet by the same adjacency is IPv4 again.
	r.wan.out = nil
	r.fromLAN(toLAN(ipv4(hostIP, behind2, nil)))
	if _, g, _ := r.ungre(r.oneOut(r.wan)); g.Proto != packet.TypeIPv4 {
		t.Errorf("GRE %+v", g)
	}
	r.wan.out = nil
	in := ipv4(hubTunnel, ip4("10.255.0.12"), pattern(20), tos(8))
	r.inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke2, Packet: in})
	if outer, _, inner := r.ungre(r.oneOut(r.wan)); outer.TOS() != 8 || !bytes.Equal(inner, in) {
		t.Errorf("TOS %x, inner %x", outer.TOS(), inner)
	}
	r.inject(Inject{Kind: InjectAdjacent, Adj: adjHost, Packet: in})
	if got := r.oneOut(r.lan)[14:]; !bytes.Equal(got, in) {
		t.Errorf("sent %x", got)
	}
}

func TestInjectAdjacentOuterFragments(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].LinkMTU = 576 })
	msg := pattern(1200)
	r.inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke1, Proto: packet.TypeNHRP, Packet: msg})
	var frags [][]byte
	for _, f := range r.wan.out {
		frags = append(frags, f[14:])
	}
	if whole := r.assemble(frags, 576); !bytes.Equal(whole[8:], msg) {
		t.Error("the message differs")
	}
}

func TestInjectGroup(t *testing.T) {
	r := newRig(t)
	msg := pattern(90)
	r.inject(Inject{Kind: InjectGroup, Group: group, Proto: packet.TypeNHRP, TOS: 0xc0, Packet: msg})
	for i, f := range r.wan.out {
		if outer, g, inner := r.ungre(f); outer.TOS() != 0xc0 || g.Proto != packet.TypeNHRP || !bytes.Equal(inner, msg) {
			t.Errorf("copy %d: outer %x, GRE %+v", i, []byte(outer[:20]), g)
		}
	}
	in := ipv4(hubTunnel, ip4("224.0.0.2"), pattern(20), ttl(1))
	r.inject(Inject{Kind: InjectGroup, Group: group, Proto: packet.TypeIPv4, Packet: in})
	if len(r.wan.out) != 4 {
		t.Fatalf("%d frames", len(r.wan.out))
	}
	if _, g, inner := r.ungre(r.wan.out[3]); g.Proto != packet.TypeIPv4 || !bytes.Equal(inner, in) {
		t.Errorf("GRE %+v, %x", g, inner)
	}
}

func TestInjectInput(t *testing.T) {
	r := newRig(t)
	inner := ipv4(behind1, hostIP, pattern(1300))
	r.inject(Inject{Kind: InjectInput, Port: wan, Packet: grePacket(spoke1NBMA, packet.TypeIPv4, inner)})
	if got := r.oneOut(r.lan)[14:]; !bytes.Equal(got, ipv4(behind1, hostIP, pattern(1300), ttl(63))) {
		t.Errorf("forwarded %x", got)
	}
	r.inject(Inject{Kind: InjectInput, Port: wan, Packet: grePacket(spoke1NBMA, packet.TypeNHRP, pattern(30))})
	if u := r.onePunt(NHRP); u.Port != wan || u.Tunnel != tunnelID {
		t.Errorf("punt %+v", u)
	}
}

func TestInjectFrame(t *testing.T) {
	r := newRig(t)
	arp := append(ethernet(hostMAC, lanMAC, nil)[:12], 8, 6, 1, 2, 3)
	r.inject(Inject{Kind: InjectFrame, Port: lan, Packet: arp})
	if got := r.oneOut(r.lan); !bytes.Equal(got, arp) {
		t.Errorf("sent %x", got)
	}
}

func TestInjectBad(t *testing.T) {
	ip := ipv4(hubTunnel, behind1, nil)
	for _, c := range []struct {
		name string
		in   Inject
		want Reason
	}{
		{"no packet", Inject{Kind: InjectRoute}, IPShort},
		{"no tunnel", Inject{Kind: InjectRoute, Tunnel: 9, Packet: ip}, InjectBad},
		{"no port", Inject{Kind: InjectRoute, Port: 9, Packet: ip}, InjectBad},
		{"to ourselves", Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, hubLAN, nil)}, InjectToSelf},
		{"no route", Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, ip4("203.0.113.1"), nil)}, NoRoute},
		{"multicast without a group", Inject{Kind: InjectRoute, Port: lan, Packet: ipv4(hubLAN, mcast, nil)}, NoGroup},
		{"no adjacency", Inject{Kind: InjectAdjacent, Adj: 99, Packet: ip}, InjectBad},
		{"glean adjacency", Inject{Kind: InjectAdjacent, Adj: adjGlean, Packet: ip}, InjectBad},
		{"adjacent and no IP", Inject{Kind: InjectAdjacent, Adj: adjSpoke1, Packet: []byte{1}}, IPShort},
		{"NHRP by a link", Inject{Kind: InjectAdjacent, Adj: adjHost, Proto: packet.TypeNHRP, Packet: ip}, InjectBad},
		{"no group", Inject{Kind: InjectGroup, Group: 9, Packet: ip}, NoGroup},
		{"group and no IP", Inject{Kind: InjectGroup, Group: group, Packet: []byte{0x45}}, IPShort},
		{"input at no port", Inject{Kind: InjectInput, Port: 9, Packet: ip}, InjectBad},
		{"frame out of no port", Inject{Kind: InjectFrame, Port: 9, Packet: pattern(60)}, PortDown},
		{"short frame", Inject{Kind: InjectFrame, Port: lan, Packet: pattern(13)}, EthernetShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			r.inject(c.in)
			r.only(c.want, 1)
			if len(r.wan.out)+len(r.lan.out) != 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestInjectErrors(t *testing.T) {
	r := newRig(t)
	for _, in := range []Inject{{}, {Kind: InjectLabelled + 1}, {Kind: InjectRoute, Worker: 1}, {Kind: InjectRoute, Worker: -1}} {
		if err := r.e.Inject(in); err == nil {
			t.Errorf("%+v: no error", in)
		}
	}
	if err := r.e.Inject(Inject{Kind: InjectRoute, Packet: make([]byte, 3841)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("3841 bytes: %v", err)
	}
	n := 0
	var err error
	for ; err == nil; n++ {
		err = r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, nil)})
	}
	if !errors.Is(err, ErrRingFull) || n != 65 {
		t.Errorf("inject %d: %v", n, err)
	}
	r.poll()
	if err := r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, nil)}); err != nil {
		t.Errorf("after the worker took them: %v", err)
	}
	r.poll()
	if c := r.e.Counters().Workers[0]; c.Injected != 65 || len(r.wan.out) != 65 {
		t.Errorf("%d injected, %d sent", c.Injected, len(r.wan.out))
	}
}

func TestInjectNoFrame(t *testing.T) {
	r := newRig(t)
	var held []uint32
	for r.w.pool.Free() > 0 {
		c, _ := r.w.pool.Get()
		held = append(held, c)
	}
	r.inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, behind1, nil)})
	r.only(NoFrame, 1)
	for _, c := range held {
		r.w.pool.Put(c)
	}
}
