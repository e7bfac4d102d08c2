package fastpath

import (
	"bytes"
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// assemble puts fragments, in order, together again and checks how they are cut.
func (r *rig) assemble(frags [][]byte, mtu int) []byte {
	r.t.Helper()
	var whole []byte
	for i, b := range frags {
		ip := r.mustIP(b)
		if len(ip) > mtu {
			r.t.Errorf("fragment %d of %d bytes, MTU %d", i, len(ip), mtu)
		}
		if ip.FlagsOffset()&packet.FlagDF != 0 {
			r.t.Errorf("fragment %d has DF", i)
		}
		if off := int(ip.FlagsOffset()&packet.OffsetMask) * 8; off != len(whole) {
			r.t.Fatalf("fragment %d starts at %d, want %d", i, off, len(whole))
		}
		if more := ip.FlagsOffset()&packet.FlagMF != 0; more != (i < len(frags)-1) {
			r.t.Errorf("fragment %d of %d: more %v", i+1, len(frags), more)
		}
		whole = append(whole, ip.Payload()...)
	}
	return whole
}

func TestFragmentInner(t *testing.T) {
	for _, size := range []int{1381, 1388, 1480, 2780, 3500} {
		r := newRig(t)
		body := pattern(size)
		r.fromLAN(toLAN(ipv4(hostIP, behind1, body, ident(77), tos(0x20))))
		var frags [][]byte
		ids := map[uint16]bool{}
		for _, f := range r.wan.out {
			outer, _, inner := r.ungre(f)
			if outer.IsFragment() || outer.TOS() != 0x20 {
				t.Errorf("outer header %x", []byte(outer[:20]))
			}
			ids[outer.ID()] = true
			ip := r.mustIP(inner)
			if ip.TTL() != 63 || ip.ID() != 77 {
				t.Errorf("inner header %x", []byte(ip[:20]))
			}
			frags = append(frags, inner)
		}
		if got := r.assemble(frags, tunnelMTU); !bytes.Equal(got, body) {
			t.Errorf("%d bytes: payload differs after assembly", size)
		}
		if want := (size + 1375) / 1376; len(frags) != want || len(ids) != want {
			t.Errorf("%d bytes: %d fragments with %d identifications, want %d", size, len(frags), len(ids), want)
		}
		r.only(Unknown, 0)
		if n := r.e.Counters().Workers[0].Forwarded; n != 1 {
			t.Errorf("%d packets forwarded, want 1", n)
		}
	}
}

func TestFits(t *testing.T) {
	r := newRig(t)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(tunnelMTU-20), df)))
	if _, _, inner := r.ungre(r.oneOut(r.wan)); len(inner) != tunnelMTU {
		t.Errorf("inner packet of %d bytes", len(inner))
	}
}

func TestFragNeeded(t *testing.T) {
	for _, c := range []struct {
		name         string
		mtu, linkMTU uint16
		copyDF       bool
		size         int
		want         uint16 // 0: it leaves
		frames       int
	}{
		{"over ip mtu", 1400, 1500, false, 1401, 1400, 0},
		{"over ip mtu, path MTU discovery", 1400, 1500, true, 1401, 1400, 0},
		{"outer too large, path MTU discovery", 1500, 1500, true, 1473, 1472, 0},
		{"over both, path MTU discovery", 1480, 1500, true, 1500, 1472, 0},
		{"just fits, path MTU discovery", 1500, 1500, true, 1472, 0, 1},
		{"outer too large, DF stays inside", 1500, 1500, false, 1473, 0, 2},
		{"over ip mtu above the link", 1480, 1500, false, 1481, 1480, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(_ *Config, b *fib.Batch) {
				a := &b.Adjacencies[1]
				a.MTU, a.LinkMTU, a.CopyDF = c.mtu, c.linkMTU, c.copyDF
			})
			r.t = t
			in := ipv4(hostIP, behind1, pattern(c.size-20), df)
			r.fromLAN(toLAN(in))
			if len(r.wan.out) != c.frames {
				t.Fatalf("%d frames, want %d; %v", len(r.wan.out), c.frames, r.nonZero())
			}
			if c.want == 0 {
				return
			}
			u := r.onePunt(FragNeeded)
			if u.MTU != c.want || u.Port != lan || u.Adj != adjSpoke1 || u.Len != len(in) || !bytes.Equal(u.Packet, in[:quoteLen]) {
				t.Errorf("punt %+v, want MTU %d and the packet as it came", u, c.want)
			}
		})
	}
}

// TestFragmentOuter: `ip mtu` larger than the link allows. The outer packet is cut; whoever assembles it finds the inner one.
func TestFragmentOuter(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU, b.Adjacencies[1].LinkMTU = 3000, 600 })
	in := ipv4(hostIP, behind1, pattern(2000), tos(8))
	r.fromLAN(toLAN(in))
	var frags [][]byte
	for _, f := range r.wan.out {
		if !bytes.Equal(f[:6], gwMAC[:]) || !bytes.Equal(f[6:12], wanMAC[:]) {
			t.Errorf("Ethernet header %x", f[:14])
		}
		frags = append(frags, f[packet.EthernetLen:])
	}
	whole := r.assemble(frags, 600)
	g, f := packet.ParseGRE(whole)
	if f != packet.OK || g.Key != tunnelKey || !bytes.Equal(whole[g.Len:], ipv4(hostIP, behind1, pattern(2000), tos(8), ttl(63))) {
		t.Errorf("GRE %+v: the inner packet differs", g)
	}
	if len(frags) != 4 {
		t.Errorf("%d fragments", len(frags))
	}
}

// TestFragmentTwice: inner fragments whose outer packets are cut again.
func TestFragmentTwice(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU, b.Adjacencies[1].LinkMTU = 1000, 500 })
	body := pattern(3000)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, body)))
	byID := map[uint16][][]byte{}
	var order []uint16
	for _, f := range r.wan.out {
		ip := r.mustIP(f[packet.EthernetLen:])
		if byID[ip.ID()] == nil {
			order = append(order, ip.ID())
		}
		byID[ip.ID()] = append(byID[ip.ID()], ip)
	}
	var inner [][]byte
	for _, id := range order {
		whole := r.assemble(byID[id], 500)
		inner = append(inner, whole[8:])
	}
	if got := r.assemble(inner, 1000); !bytes.Equal(got, body) {
		t.Error("the payload differs after assembling twice")
	}
}

// TestFragmentOfFragment keeps offsets, and options that only the first fragment carries.
func TestFragmentOfFragment(t *testing.T) {
	r := newRig(t)
	body := pattern(2000)
	whole := make([]byte, 20+12+len(body))
	copy(whole, ipv4(hostIP, behind1, nil))
	copy(whole[20:], []byte{7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0})
	copy(whole[32:], body)
	whole[0] = 0x48
	binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
	binary.BigEndian.PutUint16(whole[6:], packet.FlagMF|50)
	packet.IPv4(whole).SetSum()
	r.fromLAN(toLAN(whole))
	if len(r.wan.out) != 2 {
		t.Fatalf("%d fragments; %v", len(r.wan.out), r.nonZero())
	}
	_, _, b0 := r.ungre(r.wan.out[0])
	_, _, b1 := r.ungre(r.wan.out[1])
	first, second := r.mustIP(b0), r.mustIP(b1)
	if first.HeaderLen() != 32 || second.HeaderLen() != 24 || !bytes.Equal(second[20:24], []byte{148, 4, 0, 0}) {
		t.Errorf("headers of %d and %d bytes", first.HeaderLen(), second.HeaderLen())
	}
	if first.FlagsOffset() != packet.FlagMF|50 || second.FlagsOffset() != packet.FlagMF|uint16(50+len(first.Payload())/8) {
		t.Errorf("offsets %04x and %04x", first.FlagsOffset(), second.FlagsOffset())
	}
	if !bytes.Equal(append(append([]byte{}, first.Payload()...), second.Payload()...), body) {
		t.Error("the payload differs")
	}
}

// TestFragmentBeyondEnd: a fragment that would end beyond 65535 bytes is not cut into some that wrap.
func TestFragmentBeyondEnd(t *testing.T) {
	r := newRig(t)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(1480), flags(packet.OffsetMask))))
	r.only(IPLength, 1)
}

// TestFragmentNoFrames: without frames the packet is dropped whole.
func TestFragmentNoFrames(t *testing.T) {
	r := newRig(t)
	r.lan.in = append(r.lan.in, toLAN(ipv4(hostIP, behind1, pattern(3000))))
	var held []uint32
	for r.w.pool.Free() > 2 {
		c, _ := r.w.pool.Get()
		held = append(held, c)
	}
	r.poll()
	r.only(NoFrame, 1)
	if len(r.wan.out) != 0 {
		t.Errorf("%d fragments left", len(r.wan.out))
	}
	for _, c := range held {
		r.w.pool.Put(c)
	}
}

// TestFragmentPortDown: fragments for a port that is gone count once.
func TestFragmentPortDown(t *testing.T) {
	r := newRig(t)
	r.w.Detach(wan)
	r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(3000))))
	r.only(PortDown, 1)
}
