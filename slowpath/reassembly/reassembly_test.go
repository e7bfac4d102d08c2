package reassembly

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"nave/fastpath/packet"
)

var now = time.Unix(1000, 0)

// whole makes a packet of n bytes of payload.
func whole(id uint16, n int) []byte {
	b := make([]byte, packet.IPv4Len+n)
	b[0], b[8], b[9] = 0x45, 64, 47
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], id)
	copy(b[12:], []byte{192, 0, 2, 1, 198, 51, 100, 1})
	for i := range n {
		b[packet.IPv4Len+i] = byte(i * 7)
	}
	packet.IPv4(b).SetSum()
	return b
}

// piece cuts payload bytes from..to out of a packet.
func piece(p []byte, from, to int, more bool) []byte {
	b := append(append([]byte{}, p[:packet.IPv4Len]...), p[packet.IPv4Len+from:packet.IPv4Len+to]...)
	word := uint16(from / 8)
	if more {
		word |= packet.FlagMF
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[6:], word)
	packet.IPv4(b).SetSum()
	return b
}

func pieces(p []byte, size int) (out [][]byte) {
	n := len(p) - packet.IPv4Len
	for from := 0; from < n; from += size {
		out = append(out, piece(p, from, min(n, from+size), from+size < n))
	}
	return out
}

func TestAnyOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		b := New()
		want := [][]byte{whole(1, 4000), whole(2, 1481), whole(3, 64)}
		var all [][]byte
		for _, p := range want {
			all = append(all, pieces(p, 8*(1+rng.IntN(180)))...)
		}
		if n := len(all); n > 0 && rng.IntN(2) == 0 {
			all = append(all, all[rng.IntN(n)]) // one comes twice
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := map[uint16][]byte{}
		for _, f := range all {
			if p, port, ok := b.Add(now, 0, 3, f); ok {
				if port != 3 {
					t.Fatalf("port %d", port)
				}
				got[packet.IPv4(p).ID()] = p
			}
		}
		for i, p := range want {
			if len(pieces(p, 64)) > MaxFragments {
				continue
			}
			if g := got[uint16(i+1)]; g != nil && !bytes.Equal(g, p) {
				t.Fatalf("seed %d: packet %d came out changed", seed, i+1)
			}
		}
	}
	b := New()
	var out []byte
	for _, f := range pieces(whole(9, 3000), 1400) {
		out, _, _ = b.Add(now, 0, 1, f)
	}
	if !bytes.Equal(out, whole(9, 3000)) {
		t.Error("three fragments in order do not make the packet")
	}
	if p, n := b.Held(); p != 0 || n != 0 {
		t.Errorf("%d packets, %d bytes held after all", p, n)
	}
}

func TestOverlapEndsThePacket(t *testing.T) {
	b := New()
	p := whole(1, 2000)
	b.Add(now, 0, 1, piece(p, 0, 1000, true))
	b.Add(now, 0, 1, piece(p, 992, 1992, true))
	if b.Stats.Overlap != 1 {
		t.Errorf("stats %+v", b.Stats)
	}
	if n, _ := b.Held(); n != 0 {
		t.Error("the packet is still held")
	}
	// Beyond the end.
	b.Add(now, 0, 1, piece(p, 8, 800, false))
	b.Add(now, 0, 1, piece(p, 800, 1600, true))
	if b.Stats.Overlap != 2 {
		t.Errorf("stats %+v", b.Stats)
	}
}

func TestBounds(t *testing.T) {
	b := New()
	for id := range 2 * MaxPackets {
		b.Add(now, 0, 1, piece(whole(uint16(id), 2000), 0, 1000, true))
	}
	if n, _ := b.Held(); n != MaxPackets || b.Stats.Full != MaxPackets {
		t.Errorf("%d packets held, stats %+v", n, b.Stats)
	}
	if d := b.Deadline(); d != now.Add(Timeout) {
		t.Errorf("deadline %v", d)
	}
	b.Tick(now.Add(Timeout))
	if n, bytes := b.Held(); n != 0 || bytes != 0 || b.Stats.TimedOut != MaxPackets {
		t.Errorf("%d packets, %d bytes after the timeout; %+v", n, bytes, b.Stats)
	}
	if !b.Deadline().IsZero() {
		t.Error("a deadline with nothing held")
	}
	p := whole(7, 8*(MaxFragments+2))
	for _, f := range pieces(p, 8) {
		if _, _, ok := b.Add(now, 0, 1, f); ok {
			t.Error("a packet of too many fragments was put together")
		}
	}
}

func TestContextsStayApart(t *testing.T) {
	b := New()
	f := pieces(whole(1, 2000), 1000)
	b.Add(now, 1, 1, f[0])
	if _, _, ok := b.Add(now, 2, 1, f[1]); ok {
		t.Error("fragments of two VRFs made one packet")
	}
}

func TestBroken(t *testing.T) {
	b := New()
	f := piece(whole(1, 2000), 0, 1000, true)
	for n := range f[:40] {
		b.Add(now, 0, 1, f[:n])
	}
	b.Add(now, 0, 1, whole(1, 100))                       // no fragment
	b.Add(now, 0, 1, piece(whole(1, 2000), 0, 999, true)) // length not a multiple of 8
	far := piece(whole(1, 2000), 0, 1000, true)
	binary.BigEndian.PutUint16(far[6:], 0x1fff|packet.FlagMF) // beyond the largest packet
	packet.IPv4(far).SetSum()
	b.Add(now, 0, 1, far)
	if n, _ := b.Held(); n != 0 || b.Stats.Broken != 43 {
		t.Errorf("%d held, stats %+v", n, b.Stats)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(piece(whole(1, 2000), 0, 1000, true), piece(whole(1, 2000), 1000, 2000, false))
	f.Add([]byte{0x45}, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		buf := New()
		for _, x := range [][]byte{a, b, a} {
			if p, _, ok := buf.Add(now, 0, 1, x); ok {
				if _, fault := packet.ParseIPv4(p); fault != packet.OK {
					t.Fatalf("made a packet that is none: % x", p)
				}
			}
		}
	})
}
