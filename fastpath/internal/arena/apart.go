package arena

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageBytes is what Apart copies at once, and leaves out where it is zero.
const pageBytes = 4096

// Apart maps the region once more, for somebody who tries out what would become of it: what is written there is nobody else's, and is gone with Close. Pages that nobody
// writes to are the region's own, of this moment or later; where no other process can map the region, they are copied. The caller is the writer, or holds it up; and
// where the region is of this process alone, also all others that write into it.
func (a *Arena) Apart() (*Arena, error) {
	fd, flags := a.fd, unix.MAP_PRIVATE|unix.MAP_NORESERVE
	if fd < 0 {
		flags |= unix.MAP_ANON
	}
	mem, err := unix.Mmap(fd, 0, len(a.mem), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("arena: map %d bytes apart: %w", len(a.mem), err)
	}
	for _, advice := range []int{unix.MADV_DONTDUMP, unix.MADV_DONTFORK} {
		if err := unix.Madvise(mem, advice); err != nil {
			return nil, errors.Join(fmt.Errorf("arena: keep what is apart to this process: %w", err), unix.Munmap(mem))
		}
	}
	if fd < 0 {
		copyUsed(mem, a.mem[:min(a.h.brk, uint64(len(a.mem)))])
	}
	return &Arena{mem: mem, fd: -1, h: (*header)(unsafe.Pointer(&mem[0])), used: a.used}, nil
}

// copyUsed copies what is not zero: the region is sparse, and so is the copy.
func copyUsed(to, from []byte) {
	var zero [pageBytes]byte
	for at := 0; at < len(from); at += pageBytes {
		page := from[at:min(at+pageBytes, len(from))]
		if string(page) != string(zero[:len(page)]) {
			copy(to[at:], page)
		}
	}
}
