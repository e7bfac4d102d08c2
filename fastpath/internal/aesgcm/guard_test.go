//go:build linux

package aesgcm

import (
	"fmt"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const page = 4096

// guarded is memory that begins and ends where there is none.
func guarded(t *testing.T, size int) []byte {
	t.Helper()
	size = (size + page - 1) &^ (page - 1)
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(all) })
	for _, edge := range [][]byte{all[:page], all[page+size:]} {
		if err := unix.Mprotect(edge, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : page+size : page+size]
}

// fault runs f and returns what it touched that is not there.
func fault(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}

// The guard itself works: a byte outside is a fault.
func TestGuard(t *testing.T) {
	m := guarded(t, page)
	for _, at := range []int{-1, len(m)} {
		p := (*byte)(unsafe.Add(unsafe.Pointer(&m[0]), at))
		if fault(func() { *p++ }) == nil {
			t.Fatalf("byte %d is there", at)
		}
	}
}

// Packets at both ends of memory, with all of a Key and of Packets there, too: nothing outside is read or written.
func TestNothingOutside(t *testing.T) {
	each(t, func(t *testing.T) {
		r := source(8)
		keys, packets := guarded(t, page), guarded(t, page)
		memory := [2][]byte{guarded(t, 2*page), guarded(t, 2*page)}
		for _, size := range []int{16, 24, 32} {
			key := make([]byte, size)
			fill(r, key)
			ks := []*Key{(*Key)(unsafe.Pointer(&keys[0])), (*Key)(unsafe.Pointer(&keys[len(keys)-Size]))}
			for _, k := range ks {
				if err := fault(func() { _ = k.Expand(key) }); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 2049 {
				for _, icv := range []int{8, 12, 16} {
					if n > 300 && icv != 8+4*(n%3) {
						continue
					}
					var gs []*rig
					for i, m := range memory {
						gs = append(gs, newRig(t, r, key, ks[i], m[:n+icv:n+icv], 8, icv), newRig(t, r, key, ks[1-i], m[len(m)-n-icv:], 12, icv))
					}
					// One packet, and four, which short ones are done by.
					inside(t, gs[n&3:n&3+1], packets[:64])
					inside(t, gs, packets[len(packets)-4*64:])
				}
			}
		}
	})
}

// inside seals and opens packets whose descriptions stand in room.
func inside(t *testing.T, gs []*rig, room []byte) {
	t.Helper()
	ps := unsafe.Slice((*Packet)(unsafe.Pointer(&room[0])), len(gs))
	for i, g := range gs {
		copy(g.buf, g.plain)
		ps[i] = g.p
	}
	if err := fault(func() { Seal(ps) }); err != nil {
		t.Fatalf("sealing %d of %d bytes, ICV %d: %v", len(gs), gs[0].p.Len, gs[0].p.ICV, err)
	}
	for _, g := range gs {
		g.sealed(t)
	}
	if err := fault(func() { Open(ps) }); err != nil {
		t.Fatalf("opening %d of %d bytes, ICV %d: %v", len(gs), gs[0].p.Len, gs[0].p.ICV, err)
	}
	for i, g := range gs {
		g.p.OK = ps[i].OK
		g.opened(t)
		g.p.OK = false
	}
	clear(ps)
}
