package aesgcm

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"

	"nave/fastpath/internal/aeskey"
)

// Wherever the text stands in a cache line.
func TestAlignments(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(2)
		for _, size := range []int{16, 24, 32} {
			key, k := newKey(t, r, size)
			for _, n := range []int{0, 1, 4, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 72, 96, 127, 128, 129, 240, 241, 255, 256, 257, 520, 1408} {
				whole := make([]byte, n+16+192)
				start := int(-uintptr(unsafe.Pointer(&whole[0])) & 63)
				for at := start; at < start+64; at++ {
					g := newRig(t, r, key, k, whole[at:at+n+16:at+n+16], 8+4*(at&1), 16)
					g.seal()
					g.sealed(t)
					g.open()
					g.opened(t)
				}
			}
		}
	})
}

// Long ones carry the counter over its bytes.
func TestLong(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(3)
		key, k := newKey(t, r, 16)
		buf := make([]byte, MaxLen+16)
		for _, n := range []int{3800, 4063, 4064, 4065, 4080, 4081, 4096, 4097, 9000, 32767, 65280, 65519, 65534, MaxLen} {
			g := newRig(t, r, key, k, buf[:n+16:n+16], 8, 16)
			g.seal()
			g.sealed(t)
			g.open()
			g.opened(t)
		}
	})
}

// length draws the length of a payload as they are: mostly short, some of a full link.
func length(r *rand.Rand) int {
	switch r.IntN(4) {
	case 0:
		return r.IntN(40)
	case 1:
		return r.IntN(300)
	case 2:
		return r.IntN(1500)
	}
	return []int{72, 96, 240, 256, 520, 1408, 2048}[r.IntN(7)]
}

// Bursts of everything: keys of all sizes, good and bad ICVs, one next to the other in memory.
func TestBursts(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(4)
		var keys [12][]byte
		var ks [12]*Key
		for i := range ks {
			keys[i], ks[i] = newKey(t, r, 16+8*(i%3))
		}
		for range 400 {
			n := 1 + r.IntN(64)
			memory := make([]byte, 64*2200)
			fill(r, memory)
			around := bytes.Clone(memory)
			gs, ps, at := make([]*rig, n), make([]Packet, n), 0
			same := r.IntN(3) > 0 // most bursts are of few keys
			for i := range gs {
				at += r.IntN(80)
				icv := 8 + 4*r.IntN(3)
				end := at + length(r) + icv
				k := r.IntN(len(ks))
				if same && i > 0 && r.IntN(8) > 0 {
					k = i / 20
				}
				gs[i] = newRig(t, r, keys[k], ks[k], memory[at:end:end], 8+4*r.IntN(2), icv)
				ps[i] = gs[i].p
				copy(around[at:end], gs[i].want)
				at = end
			}
			Seal(ps)
			if !bytes.Equal(memory, around) {
				for _, g := range gs {
					g.sealed(t)
				}
				t.Fatal("bytes between packets changed")
			}
			for i, g := range gs {
				if ps[i].OK = r.IntN(2) == 0; r.IntN(5) == 0 {
					g.buf[r.IntN(len(g.buf))] ^= 1 << r.IntN(8)
				}
			}
			Open(ps)
			for i, g := range gs {
				bad := !bytes.Equal(g.buf[g.p.Len:], g.want[g.p.Len:]) || !bytes.Equal(g.buf[:g.p.Len], g.plain)
				if ps[i].OK == bad {
					t.Fatalf("packet %d of %d: OK is %v, damaged is %v", i, n, ps[i].OK, bad)
				}
				if !bad {
					g.p.OK = true
					g.opened(t)
				}
			}
		}
	})
}

// Short packets are done by fours: every length in every place of the four, beside others of any length.
func TestFours(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(9)
		for _, size := range []int{16, 24, 32} {
			var keys [4][]byte
			var ks [4]*Key
			for i := range ks {
				keys[i], ks[i] = newKey(t, r, size)
			}
			for n := range 101 {
				for place := range 4 {
					gs, ps := make([]*rig, 4+r.IntN(6)), []Packet{}
					memory := make([]byte, len(gs)*256)
					fill(r, memory)
					around := bytes.Clone(memory)
					for i := range gs {
						at, icv, long := i*256+64, 8+4*r.IntN(3), r.IntN(97)
						if i == place {
							long = n
						}
						k := r.IntN(4)
						gs[i] = newRig(t, r, keys[k], ks[k], memory[at:at+long+icv:at+long+icv], 8+4*r.IntN(2), icv)
						copy(around[at:], gs[i].want)
						ps = append(ps, gs[i].p)
					}
					Seal(ps)
					for _, g := range gs {
						g.sealed(t)
					}
					if !bytes.Equal(memory, around) {
						t.Fatal("bytes between packets changed")
					}
					bad := r.IntN(len(gs))
					gs[bad].buf[r.IntN(len(gs[bad].buf))] ^= 0x10
					Open(ps)
					for i, g := range gs {
						if g.p.OK = ps[i].OK; i == bad {
							g.p.OK = !ps[i].OK
							copy(g.buf, g.plain)
							copy(g.buf[len(g.plain):], g.want[len(g.plain):])
						}
						g.opened(t)
					}
				}
			}
		}
	})
}

// One bit of the text, the ICV, the AAD or the nonce, and it is refused; what is not authenticated may be anything.
func TestEachBit(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(5)
		for _, size := range []int{16, 24, 32} {
			key, k := newKey(t, r, size)
			for _, n := range []int{0, 3, 40, 72, 300} {
				for _, icv := range []int{8, 12, 16} {
					g := newRig(t, r, key, k, make([]byte, n+icv), 8+4*(n&1), icv)
					var beside [3]*rig
					for i := range beside {
						beside[i] = newRig(t, r, key, k, make([]byte, 50+i+16), 8, 16)
					}
					// try flips a bit and opens the packet, alone and in a burst.
					try := func(what string, b []byte, at int, want bool) {
						t.Helper()
						for bit := range 8 {
							for _, open := range []func(){g.open, func() { g.openAmong(beside[:], bit&3) }} {
								copy(g.buf, g.want)
								b[at] ^= 1 << bit
								g.p.OK = !want
								open()
								b[at] ^= 1 << bit
								if g.p.OK != want {
									t.Fatalf("key %d, text %d, ICV %d, bit %d of byte %d of %s: OK is %v", size, n, icv, bit, at, what, g.p.OK)
								}
							}
						}
					}
					for i := range g.buf {
						try("text and ICV", g.buf, i, false)
					}
					for i := range g.p.AAD {
						try("AAD", g.p.AAD[:], i, i >= int(g.p.AADLen))
					}
					for i := range g.p.Nonce {
						try("nonce", g.p.Nonce[:], i, i >= 12)
					}
				}
			}
		}
	})
}

// openAmong opens the packet in a burst, at the place, with others that are right and must be found so.
func (g *rig) openAmong(others []*rig, place int) {
	ps := make([]Packet, 0, len(others)+1)
	for i := range len(others) + 1 {
		switch {
		case i == place:
			ps = append(ps, g.p)
		case i < place:
			ps = append(ps, others[i].p)
		default:
			ps = append(ps, others[i-1].p)
		}
	}
	for _, o := range others {
		copy(o.buf, o.want)
	}
	Open(ps)
	g.p.OK = ps[place].OK
	for i := range ps {
		if i != place && !ps[i].OK {
			panic("a packet beside it is refused")
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	for n := range 40 {
		var k Key
		if err := k.Expand(make([]byte, n)); (err == nil) != (n == 16 || n == 24 || n == 32) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}

// A key that was never expanded, or forgotten, opens nothing and lets nothing out in clear, whatever is beside it in the burst.
func TestNoKey(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(6)
		key, k := newKey(t, r, 16)
		_, gone := newKey(t, r, 32)
		*gone = Key{}
		good := newRig(t, r, key, k, make([]byte, 100), 8, 16)
		bad := newRig(t, r, key, gone, make([]byte, 100), 8, 16)
		after := newRig(t, r, key, k, make([]byte, 100), 8, 16)
		ps := []Packet{good.p, bad.p, after.p}
		Seal(ps)
		good.sealed(t)
		after.sealed(t)
		if !bytes.Equal(bad.buf, make([]byte, 100)) {
			t.Errorf("sealed without a key: %x", bad.buf)
		}
		ps[1].OK = true
		Open(ps)
		if !ps[0].OK || ps[1].OK || !ps[2].OK {
			t.Errorf("opened %v, %v, %v; want true, false, true", ps[0].OK, ps[1].OK, ps[2].OK)
		}
	})
}

// The fast path allocates nothing.
func TestAllocations(t *testing.T) {
	if kernel == aeskey.None {
		return // the standard library does
	}
	was := kernel
	defer func() { kernel = was }()
	for k := aeskey.AVX2; k <= was; k++ {
		kernel = k
		r := source(7)
		key, k := newKey(t, r, 16)
		ps := make([]Packet, 16)
		for i := range ps {
			ps[i] = newRig(t, r, key, k, make([]byte, 100+i), 8, 16).p
		}
		if n := testing.AllocsPerRun(100, func() { Seal(ps); Open(ps) }); n != 0 {
			t.Errorf("kernel %s: %v allocations a burst", kernel, n)
		}
	}
}

func FuzzAgainstStandard(f *testing.F) {
	f.Add(uint64(1), uint16(72), uint8(0), uint8(2), uint16(0))
	f.Add(uint64(2), uint16(1408), uint8(1), uint8(1), uint16(9))
	f.Add(uint64(3), uint16(241), uint8(2), uint8(0), uint16(65535))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, shape, kinds uint8, flip uint16) {
		was := kernel
		defer func() { kernel = was }()
		for kernel = aeskey.None; kernel <= was; kernel++ {
			r := source(seed)
			key, k := newKey(t, r, 16+8*int(shape%3))
			icv := 8 + 4*int(kinds%3)
			at := int(shape / 3 % 64)
			whole := make([]byte, at+int(n)+icv)
			g := newRig(t, r, key, k, whole[at:], int(kinds/3%17), icv)
			g.seal()
			g.sealed(t)
			g.open()
			g.opened(t)
			copy(g.buf, g.want)
			g.buf[int(flip)%len(g.buf)] ^= 1 + byte(seed)&0x7f
			if g.open(); g.p.OK {
				t.Fatal("a damaged packet was let through")
			}
		}
	})
}
