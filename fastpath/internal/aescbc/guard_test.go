//go:build linux

package aescbc

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

// Packets at both ends of memory, with Keys and Packets there, too: nothing outside is read or written.
func TestNothingOutside(t *testing.T) {
	m := guarded(t, page)
	for _, at := range []int{-1, len(m)} {
		if p := (*byte)(unsafe.Add(unsafe.Pointer(&m[0]), at)); fault(func() { *p++ }) == nil {
			t.Fatalf("byte %d is there", at)
		}
	}
	each(t, func(t *testing.T) {
		r := source(4)
		keys, packets := guarded(t, page), guarded(t, page)
		memory := [2][]byte{guarded(t, page), guarded(t, page)}
		ks := []*Key{(*Key)(unsafe.Pointer(&keys[0])), (*Key)(unsafe.Pointer(&keys[page-Size]))}
		for _, size := range []int{16, 24, 32} {
			key := make([]byte, size)
			fill(r, key)
			for _, k := range ks {
				if err := fault(func() { _ = k.Expand(key) }); err != nil {
					t.Fatal(err)
				}
			}
			for i := range modes {
				for n := range 1025 {
					m := &modes[i]
					var gs []*rig
					for j, b := range memory {
						gs = append(gs, m.rig(t, r, key, ks[j], b[:n:n]), m.rig(t, r, key, ks[1-j], b[page-n:]))
					}
					for _, ps := range [][]Packet{unsafe.Slice((*Packet)(unsafe.Pointer(&packets[0])), 1), unsafe.Slice((*Packet)(unsafe.Pointer(&packets[page-3*64])), 3)} {
						part := gs[:len(ps)]
						gs = gs[len(ps):]
						for j, g := range part {
							ps[j] = g.p
						}
						if err := fault(func() { m.f(ps) }); err != nil {
							t.Fatalf("%s, %d bytes: %v", m.name, n, err)
						}
						for _, g := range part {
							g.check(t, m)
						}
						clear(ps)
					}
				}
			}
		}
	})
}
