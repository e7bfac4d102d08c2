package arena

import "math/bits"

// Blocks come in sizes of 2 and 3 times a power of two, from a line on.
const numClasses = 56

// class is the smallest size class that holds n bytes.
func class(n int) uint8 {
	lines := uint(n+Line-1) / Line
	if lines <= 1 {
		return 0
	}
	l := uint(bits.Len(lines - 1)) // 2^(l-1) < lines <= 2^l
	if l >= 2 && lines <= 3<<(l-2) {
		return uint8(2*l - 1)
	}
	return uint8(2 * l)
}

// classSize is the size of the blocks of class c, in bytes.
func classSize(c uint8) uint64 {
	if c&1 != 0 {
		return Line * 3 << ((c+1)/2 - 2)
	}
	return Line << (c / 2)
}

// Alloc gives a zeroed block of at least n bytes. Where all of the region was given out once, a larger free block is cut, and what lies side by side is put together.
func (a *Arena) Alloc(n int) (Ref, error) {
	if n <= 0 || uint64(n) > a.h.size {
		return 0, ErrFull
	}
	c := class(n)
	size := classSize(c)
	r := a.pop(c)
	switch {
	case r != 0:
	case a.h.brk+size <= a.h.size:
		r = Ref(a.h.brk / Line)
		a.h.brk += size
		a.used += size
		return r, nil
	default:
		if r = a.cut(c); r == 0 && a.freed >= a.h.size/mergeShare {
			a.merge()
			if r = a.pop(c); r == 0 {
				r = a.cut(c)
			}
		}
		if r == 0 {
			return 0, ErrFull
		}
	}
	clear(a.Bytes(r, int(size)))
	a.used += size
	return r, nil
}

// Free gives back a block of n bytes that no reader ever saw.
func (a *Arena) Free(r Ref, n int) { a.free(r, class(n)) }

func (a *Arena) free(r Ref, c uint8) {
	a.push(r, c)
	a.used -= classSize(c)
	a.freed += classSize(c)
}

// push and pop are the list of free blocks of a class. A writer that dies between two steps of anything here leaves a block in no list, which Recover finds.
func (a *Arena) push(r Ref, c uint8) {
	*(*uint32)(a.Ptr(r)) = uint32(a.h.free[c])
	a.h.free[c] = r
}

func (a *Arena) pop(c uint8) Ref {
	r := a.h.free[c]
	if r != 0 {
		a.h.free[c] = Ref(*(*uint32)(a.Ptr(r)))
	}
	return r
}

// cut takes a block of class c from the front of the smallest one that is larger; 0 when there is none.
func (a *Arena) cut(c uint8) Ref {
	for d := c + 1; d < numClasses; d++ {
		if r := a.pop(d); r != 0 {
			n := classSize(c) / Line
			pieces(r+Ref(n), classSize(d)/Line-n, a.push)
			return r
		}
	}
	return 0
}

// pieces calls f for the largest blocks that n lines from r on make.
func pieces(r Ref, n uint64, f func(r Ref, c uint8)) {
	for n > 0 {
		c := uint8(0)
		for int(c)+1 < numClasses && classSize(c+1)/Line <= n {
			c++
		}
		if c == 1 { // a class of one line and a half does not exist
			c = 0
		}
		f(r, c)
		r += Ref(classSize(c) / Line)
		n -= classSize(c) / Line
	}
}

// mergeShare is how much has to have been freed, as a share of the region, until it is worth the while to look again for what lies side by side.
const mergeShare = 256

// merge puts free blocks together that lie side by side.
func (a *Arena) merge() {
	end := a.h.brk / Line
	free := newLines(end)
	for c := range uint8(numClasses) {
		for r := a.pop(c); r != 0; r = a.pop(c) {
			free.add(uint64(r), classSize(c)/Line, end)
		}
	}
	free.runs(end, func(first, n uint64) { pieces(Ref(first), n, a.push) })
	a.freed = 0
}

// lines is a set of lines of the region.
type lines []uint64

func newLines(end uint64) lines { return make(lines, end/64+1) }

func (l lines) has(i uint64) bool { return l[i/64]>>(i%64)&1 != 0 }

// add enters n lines from first on; false when one of them is in already, or is beyond end.
func (l lines) add(first, n, end uint64) bool {
	if first+n > end {
		return false
	}
	for i := first; i < first+n; i++ {
		if l.has(i) {
			return false
		}
		l[i/64] |= 1 << (i % 64)
	}
	return true
}

// runs calls f for the lines before end that are in the set and follow one another.
func (l lines) runs(end uint64, f func(first, n uint64)) {
	for i := uint64(0); i < end; {
		if l[i/64]>>(i%64) == 0 {
			i = i&^63 + 64
			continue
		}
		i += uint64(bits.TrailingZeros64(l[i/64] >> (i % 64)))
		n := uint64(0)
		for i+n < end && l.has(i+n) {
			n++
		}
		if n > 0 {
			f(i, n)
		}
		i += n
	}
}
