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

// Kept tells whether r is a block that AllocKept gave, of n bytes at least: for who finds it named in a region that another process wrote.
func (a *Arena) Kept(r Ref, n int) bool {
	const size = int(unsafe.Sizeof(keptNote{}))
	for at, seen := a.h.kept, 0; at != 0 && a.Holds(at, size) && seen < 1<<16; seen++ {
		k := (*keptNote)(a.Ptr(at))
		if k.ref == r {
			return a.Holds(r, n) && k.class < numClasses && classSize(k.class) >= uint64(n)
		}
		at = k.next
	}
	return false
}

// survey is what blocks there are, as far as they were found.
type survey struct {
	end  uint64 // lines that were ever given out
	used lines
	bad  uint64 // the first block that can't be, plus 1
}

// block enters a block of class c; false when it can't be.
func (s *survey) block(r Ref, c uint8) bool {
	if c != 1 && c < numClasses && s.used.add(uint64(r), classSize(c)/Line, s.end) {
		return true
	}
	if s.bad == 0 {
		s.bad = uint64(r) + 1
	}
	return false
}

// survey finds the blocks that the region itself knows of: its header, what is kept, what is free, of which it returns the bytes.
func (a *Arena) survey() (s *survey, free uint64) {
	s = &survey{end: a.h.brk / Line, used: newLines(a.h.brk / Line)}
	s.used.add(0, (uint64(unsafe.Sizeof(header{}))+Line-1)/Line, s.end)
	for r := a.h.kept; r != 0 && s.block(r, class(int(unsafe.Sizeof(keptNote{})))); {
		k := (*keptNote)(a.Ptr(r))
		if !s.block(k.ref, k.class) {
			break
		}
		r = k.next
	}
	for c, r := range a.h.free {
		for r != 0 && s.block(r, uint8(c)) {
			free += classSize(uint8(c))
			r = Ref(*(*uint32)(a.Ptr(r)))
		}
	}
	return s, free
}

// Holds tells whether n bytes, 1 at least, from r on lie in what was ever given out, without the header.
func (a *Arena) Holds(r Ref, n int) bool {
	at := uint64(r) * Line
	return n > 0 && at >= uint64(unsafe.Sizeof(header{})) && at+uint64(n) <= min(a.h.brk, a.h.size)
}

// Recover is for a writer that takes over a region. check names every block that AllocKept did not give and that is in use, or may be, with its size in bytes, and changes nothing;
// block tells it whether that can be, and so whether it may look into it; false means that what it has found there can't be. mend then makes whole what is in use, and names that. What is neither in use nor
// free was being written, or waited for its readers, when the writer before ended: it is retired, and may have been secret. Recover returns how
// many bytes that was. On ErrDamaged nothing was changed, as long as mend names nothing that check has not named.
func (a *Arena) Recover(check func(block func(r Ref, n int) bool) bool, mend func(block func(r Ref, n int))) (lost int, err error) {
	if a.h.brk%Line != 0 || a.h.brk > a.h.size || a.h.brk < uint64(unsafe.Sizeof(header{})) {
		return 0, fmt.Errorf("arena: %w: %d of %d bytes are allocated", ErrDamaged, a.h.brk, a.h.size)
	}
	s, free := a.survey()
	if s.bad == 0 {
		whole := check(func(r Ref, n int) bool {
			if n <= 0 || uint64(n) > a.h.size {
				n = a.Size() + 1 // no block
			}
			return s.block(r, class(n))
		})
		if !whole && s.bad == 0 {
			return 0, fmt.Errorf("arena: %w: in what lies in it", ErrDamaged)
		}
	}
	if s.bad == 0 {
		s, free = a.survey()
		mend(func(r Ref, n int) { s.block(r, class(n)) })
	}
	if s.bad != 0 {
		return 0, fmt.Errorf("arena: %w: the block at line %d is another's, too, or out of bounds", ErrDamaged, s.bad-1)
	}
	a.used = a.h.brk - free
	for i := range s.used {
		s.used[i] = ^s.used[i]
	}
	s.used.runs(s.end, func(first, n uint64) {
		pieces(Ref(first), n, func(r Ref, c uint8) { a.retired = append(a.retired, retired{r, c, true, a.h.epoch.Load()}) })
		lost += int(n) * Line
	})
	a.merge()
	a.Advance()
	return lost, nil
}
