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
	if n, _ := b.Held(); n != MaxPackets || b.Stats.Evicted != MaxPackets || b.Stats.Full != 0 {
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
	if b.Stats.Full != 1 {
		t.Errorf("stats %+v", b.Stats)
	}
}

// TestEviction: when all is full the oldest packet goes, and the newest is put together.
func TestEviction(t *testing.T) {
	b := New()
	for id := range MaxPackets {
		b.Add(now.Add(time.Duration(id)), 0, 1, piece(whole(uint16(id), 2000), 0, 1000, true))
	}
	f := pieces(whole(MaxPackets, 2000), 1000)
	b.Add(now.Add(time.Second), 0, 1, f[0])
	if n, _ := b.Held(); n != MaxPackets || b.Stats.Evicted != 1 || b.Deadline() != now.Add(1+Timeout) {
		t.Errorf("%d held, deadline %v, stats %+v", n, b.Deadline(), b.Stats)
	}
	if _, _, ok := b.Add(now.Add(time.Second), 0, 1, f[1]); !ok {
		t.Error("a packet that came to a full buffer was not put together")
	}
	if _, _, ok := b.Add(now.Add(time.Second), 0, 1, piece(whole(0, 2000), 1000, 2000, false)); ok {
		t.Error("the oldest packet is still there")
	}
}

// TestEvictionOfBytes: large packets stay within the bound of bytes, and the one that grows is never the one that goes.
func TestEvictionOfBytes(t *testing.T) {
	b := New()
	const n = 60000
	first := pieces(whole(0, n), 1000)
	for _, f := range first[:2] {
		b.Add(now, 0, 1, f)
	}
	for id := 1; b.Stats.Evicted == 0; id++ {
		if id > 2*MaxBytes/n {
			t.Fatal("nothing was evicted")
		}
		for i, f := range pieces(whole(uint16(id), n), 1000)[:59] {
			b.Add(now, 0, 1, f)
			if _, bytes := b.Held(); bytes > MaxBytes {
				t.Fatalf("packet %d, fragment %d: %d bytes held", id, i, bytes)
			}
			if b.Stats.Evicted == 0 && MaxBytes-b.bytes < 1000 {
				b.Add(now, 0, 1, first[2]) // the oldest itself needs the room
			}
		}
	}
	if p := b.oldest(); p == nil || p.key.ID != 0 || len(p.fragments) != 3 {
		t.Errorf("the packet that grew is gone; stats %+v", b.Stats)
	}
}

// TestKeyUsedAgain: a packet that has the key of one that is done holds up nobody's timeout.
func TestKeyUsedAgain(t *testing.T) {
	b := New()
	f := pieces(whole(1, 2000), 1000)
	b.Add(now, 0, 1, f[0])
	b.Add(now.Add(time.Second), 0, 1, piece(whole(2, 2000), 0, 1000, true))
	b.Add(now.Add(2*time.Second), 0, 1, f[1])
	b.Add(now.Add(10*time.Second), 0, 1, f[0]) // the same key anew
	if d := b.Deadline(); d != now.Add(time.Second+Timeout) {
		t.Errorf("deadline %v", d.Sub(now))
	}
	b.Tick(now.Add(time.Second + Timeout))
	if n, _ := b.Held(); n != 1 || b.Stats.TimedOut != 1 || b.order.Len() != 1 {
		t.Errorf("%d held, %d in order, stats %+v", n, b.order.Len(), b.Stats)
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
