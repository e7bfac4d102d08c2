package afxdp

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

// fakeKernel is the other side of a port's rings, in ordinary memory.
type fakeKernel struct {
	p                        *Port
	fill, rx, tx, completion ring // the kernel's ends
	words                    []uint32
}

// newFakeKernel makes a port without a socket. Its TX ring asks for no wake-up.
func newFakeKernel(t testing.TB, chunks, size int) *fakeKernel {
	t.Helper()
	u, err := NewUMEM(chunks, 2048)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	k := &fakeKernel{words: make([]uint32, 3*4*16)}
	k.p = &Port{umem: u, fd: -1, number: 1, shift: 11, offset: 2047, fillBatch: uint32(max(1, min(fillBatch, size/4)))}
	u.next = 1
	for i, r := range []struct {
		ours, theirs *ring
		entry        uintptr
	}{{&k.p.fill, &k.fill, 8}, {&k.p.completion, &k.completion, 8}, {&k.p.rx, &k.rx, 16}, {&k.p.tx, &k.tx, 16}} {
		w := k.words[48*i:]
		mem := make([]unix.XDPDesc, uintptr(size)*r.entry/16)
		*r.ours = ring{
			producer: &w[0], consumer: &w[16], flags: &w[32], entries: unsafe.Pointer(&mem[0]), mask: uint32(size - 1), size: uint32(size),
		}
		*r.theirs = *r.ours
	}
	k.p.refill()
	return k
}

// receive puts up to n packets of size bytes into chunks from the fill ring.
func (k *fakeKernel) receive(n, size uint32) uint32 {
	n = min(k.fill.filled(n), k.rx.room(n))
	for i := range n {
		*k.rx.descriptor(k.rx.prod + i) = unix.XDPDesc{Addr: *k.fill.address(k.fill.cons + i) + 256, Len: size}
	}
	k.fill.consume(n)
	k.rx.produce(n)
	return n
}

// send takes all packets off the TX ring and completes them.
func (k *fakeKernel) send() uint32 {
	n := min(k.tx.filled(k.tx.size), k.completion.room(k.completion.size))
	for i := range n {
		*k.completion.address(k.completion.prod + i) = k.tx.descriptor(k.tx.cons + i).Addr
	}
	k.tx.consume(n)
	k.completion.produce(n)
	return n
}

// TestRingsAgainstFakeKernel: bursts of all sizes go round the rings, and no chunk is lost or doubled.
func TestRingsAgainstFakeKernel(t *testing.T) {
	k := newFakeKernel(t, 1024, 256)
	fs := make([]port.Frame, 300)
	for round := range 3000 {
		n := uint32(round*37%300 + 1)
		got := k.receive(n, 64)
		have := 0
		for have < int(got) {
			m := k.p.Recv(fs[have:])
			if m == 0 {
				t.Fatalf("round %d: %d of %d packets", round, have, got)
			}
			have += m
		}
		seen := map[uint32]bool{}
		for i := range fs[:have] {
			f := &fs[i]
			if seen[f.Chunk] || f.Start != 256 || f.Len != 64 {
				t.Fatalf("round %d: frame %+v", round, *f)
			}
			seen[f.Chunk] = true
			f.Start, f.Len = 200, 120
		}
		sent := k.p.Send(fs[:have])
		for _, f := range fs[sent:have] {
			k.p.umem.pool.Put(f.Chunk)
		}
		if round%3 != 0 {
			k.send()
		}
		k.p.complete()
	}
	k.send()
	k.p.complete()
	if k.p.outstanding != 0 || k.p.bad.Load() != 0 {
		t.Errorf("%d packets not completed, %d descriptors refused", k.p.outstanding, k.p.bad.Load())
	}
	k.p.umem.reclaim(1)
	if free := k.p.umem.pool.Free(); free != 1024 {
		t.Errorf("%d of 1024 chunks are back", free)
	}
}

// TestNonsense: descriptors that cannot be are counted, and neither crash the worker nor lose its chunks.
func TestNonsense(t *testing.T) {
	k := newFakeKernel(t, 1024, 64)
	p := k.p
	fs := make([]port.Frame, 64)
	for i, d := range []unix.XDPDesc{{Addr: 1 << 40, Len: 64}, {Addr: 2047, Len: 2}, {Addr: 256, Len: 1 << 31}, {Addr: 1024 << 11, Len: 1}} {
		*k.rx.descriptor(k.rx.prod + uint32(i)) = d
	}
	k.rx.produce(4)
	if n := p.Recv(fs); n != 0 || p.bad.Load() != 4 {
		t.Errorf("%d packets of nonsense, %d counted", n, p.bad.Load())
	}
	c, _ := p.umem.pool.Get()
	free := p.umem.pool.Free()
	bad := []port.Frame{{Chunk: c, Start: 2000, Len: 49}, {Chunk: 1 << 20, Start: 256, Len: 64}}
	if n := p.Send(bad); n != 2 || p.outstanding != 0 || p.bad.Load() != 6 {
		t.Errorf("took %d, %d on the ring, %d counted", n, p.outstanding, p.bad.Load())
	}
	if p.umem.pool.Free() != free+1 {
		t.Error("the chunk of a frame that was refused is lost")
	}
	*k.completion.address(k.completion.prod) = 1 << 50
	k.completion.produce(1)
	p.complete()
	if p.bad.Load() != 7 {
		t.Error("a completion that cannot be was not counted")
	}
	// Indices that ran away give no more than a ring.
	*k.p.rx.producer += 1 << 20
	if n := p.rx.filled(1 << 30); n > p.rx.size {
		t.Errorf("%d entries of a ring of %d", n, p.rx.size)
	}
	*k.p.tx.consumer -= 1 << 20
	if n := p.tx.room(1 << 30); n > p.tx.size {
		t.Errorf("room for %d in a ring of %d", n, p.tx.size)
	}
}

// TestRefillInBatches: single chunks do not wake the kernel's core, a batch does, and the worker's reserve stays.
func TestRefillInBatches(t *testing.T) {
	k := newFakeKernel(t, 1024, 256)
	fs := make([]port.Frame, 64)
	k.receive(1, 64)
	before := *k.p.fill.producer
	if n := k.p.Recv(fs); n != 1 || *k.p.fill.producer != before {
		t.Errorf("%d packets; the fill ring moved by %d", n, *k.p.fill.producer-before)
	}
	k.receive(fillBatch, 64)
	k.p.Recv(fs)
	if *k.p.fill.producer == before {
		t.Error("the fill ring was not topped up")
	}
	for range 1000 {
		k.receive(64, 64)
		k.p.Recv(fs)
	}
	if free := k.p.umem.pool.Free(); free < reserve || free >= reserve+fillBatch {
		t.Errorf("%d chunks are left when nothing comes back, want the reserve of %d", free, reserve)
	}
}

// BenchmarkRings is what a packet costs on its way in and out, the kernel's part left out: it is played once a burst, outside of the clock's
// difference between the two.
func BenchmarkRings(b *testing.B) {
	for _, c := range []struct {
		name string
		ours bool
	}{{"both-sides", true}, {"kernel-only", false}} {
		b.Run(c.name, func(b *testing.B) {
			k := newFakeKernel(b, 4096, 2048)
			p := k.p
			fs := make([]port.Frame, 256)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += 256 {
				k.receive(256, 64)
				if c.ours {
					m := p.Recv(fs)
					p.Send(fs[:m])
				} else { // the same movement of indices, nothing looked at
					p.rx.consume(p.rx.filled(256))
					p.fill.produce(p.fill.room(256))
					p.tx.produce(p.tx.room(256))
				}
				k.send()
				if c.ours {
					p.complete()
				} else {
					p.completion.consume(p.completion.filled(256))
				}
			}
		})
	}
}
