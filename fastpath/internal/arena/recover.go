package arena

import (
	"errors"
	"fmt"
	"unsafe"
)

// ErrDamaged means that what the region says of itself cannot be: it must not be written to any more.
var ErrDamaged = errors.New("the region contradicts itself")

// keptNote tells of one block that stays as long as the region.
type keptNote struct {
	next, ref Ref
	class     uint8
}

// AllocKept is Alloc for what is never freed: directories, rings, counters. Recover knows such blocks by itself; every other block that is in use
// it must be told.
func (a *Arena) AllocKept(n int) (Ref, error) {
	note, err := a.Alloc(int(unsafe.Sizeof(keptNote{})))
	if err != nil {
		return 0, err
	}
	r, err := a.Alloc(n)
	if err != nil {
		a.Free(note, int(unsafe.Sizeof(keptNote{})))
		return 0, err
	}
	k := (*keptNote)(a.Ptr(note))
	k.next, k.ref, k.class = a.h.kept, r, class(n)
	a.h.kept = note
	return r, nil
}

// lines is a set of lines of the region.
type lines []uint64

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

// Recover is for a writer that takes over a region. each calls its argument with every block in use that AllocKept did not give, and its size in bytes. What is neither
// in use nor free was being written, or waited for its readers, when the writer before ended: it is retired, and may have been secret. Recover returns how
// many bytes that was. On ErrDamaged nothing was changed.
func (a *Arena) Recover(each func(block func(r Ref, n int))) (lost int, err error) {
	end := a.h.brk / Line
	if a.h.brk%Line != 0 || a.h.brk > a.h.size || a.h.brk < uint64(unsafe.Sizeof(header{})) {
		return 0, fmt.Errorf("arena: %w: %d of %d bytes are allocated", ErrDamaged, a.h.brk, a.h.size)
	}
	used := make(lines, end/64+1)
	bad := Ref(0)
	mark := func(r Ref, c uint8) bool {
		if uint(c) < numClasses && used.add(uint64(r), classSize(c)/Line, end) {
			return true
		}
		if bad == 0 {
			bad = r + 1
		}
		return false
	}
	headerLines := (uint64(unsafe.Sizeof(header{})) + Line - 1) / Line
	used.add(0, headerLines, end)
	for r := a.h.kept; r != 0 && mark(r, class(int(unsafe.Sizeof(keptNote{})))); {
		k := (*keptNote)(a.Ptr(r))
		if !mark(k.ref, k.class) {
			break
		}
		r = k.next
	}
	each(func(r Ref, n int) { mark(r, class(n)) })
	free := uint64(0)
	for c, r := range a.h.free {
		for r != 0 && mark(r, uint8(c)) {
			free += classSize(uint8(c))
			r = Ref(*(*uint32)(a.Ptr(r)))
		}
	}
	if bad != 0 {
		return 0, fmt.Errorf("arena: %w: the block at line %d is another's, too, or out of bounds", ErrDamaged, bad-1)
	}
	a.used = a.h.brk - free
	for i := headerLines; i < end; {
		if used.has(i) {
			i++
			continue
		}
		n := uint64(1)
		for i+n < end && !used.has(i+n) {
			n++
		}
		a.retireGap(Ref(i), n)
		lost += int(n) * Line
		i += n
	}
	a.Advance()
	return lost, nil
}

// retireGap retires n lines as the largest blocks that they make.
func (a *Arena) retireGap(r Ref, n uint64) {
	for n > 0 {
		c := uint8(0)
		for int(c)+1 < numClasses && classSize(c+1)/Line <= n {
			c++
		}
		if c == 1 { // a class of one line and a half does not exist
			c = 0
		}
		a.retired = append(a.retired, retired{r, c, true, a.h.epoch.Load()})
		r += Ref(classSize(c) / Line)
		n -= classSize(c) / Line
	}
}
