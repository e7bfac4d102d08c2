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
		memory, keys, packets := guarded(t, 2*page), guarded(t, page), guarded(t, page)
		for _, size := range []int{16, 24, 32} {
			key := make([]byte, size)
			fill(r, key)
			first, last := (*Key)(unsafe.Pointer(&keys[0])), (*Key)(unsafe.Pointer(&keys[len(keys)-Size]))
			for _, k := range []*Key{first, last} {
				if err := fault(func() { _ = k.Expand(key) }); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 2049 {
				for _, icv := range []int{8, 12, 16} {
					if n > 300 && icv != 8+4*(n%3) {
						continue
					}
					front := newRig(t, r, key, first, memory[:n+icv:n+icv], 8, icv)
					back := newRig(t, r, key, last, memory[len(memory)-n-icv:], 12, icv)
					both := [][]Packet{
						unsafe.Slice((*Packet)(unsafe.Pointer(&packets[0])), 2),
						unsafe.Slice((*Packet)(unsafe.Pointer(&packets[len(packets)-128])), 2),
					}
					for _, ps := range both {
						copy(front.buf, front.plain)
						copy(back.buf, back.plain)
						ps[0], ps[1] = front.p, back.p
						if err := fault(func() { Seal(ps) }); err != nil {
							t.Fatalf("sealing %d bytes, ICV %d: %v", n, icv, err)
						}
						front.sealed(t)
						back.sealed(t)
						if err := fault(func() { Open(ps) }); err != nil {
							t.Fatalf("opening %d bytes, ICV %d: %v", n, icv, err)
						}
						front.p.OK, back.p.OK = ps[0].OK, ps[1].OK
						front.opened(t)
						back.opened(t)
						front.p.OK, back.p.OK = false, false
						ps[0], ps[1] = Packet{}, Packet{}
					}
				}
			}
		}
	})
}
