package rib

// idPool hands out dense numbers; those given back come again last, so that a late word about an old one finds nothing.
type idPool[T ~uint32] struct {
	next  T
	free  []T
	spare []T // nothing was ever installed by these: the fast path has refused them, and may have no room for numbers so large
}

// rest is how many numbers wait before the first of them is used again: whoever looked at a route just before that changed follows the number.
const rest = 512

func (p *idPool[T]) take() T {
	if p.rested() {
		v := p.free[0]
		p.free = p.free[1:]
		return v
	}
	if n := len(p.spare); n > 0 {
		v := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return v
	}
	p.next++
	return p.next - 1
}

// rested tells whether there is a number that was in use and has rested.
func (p *idPool[T]) rested() bool { return len(p.free) > rest }

func (p *idPool[T]) give(v T) { p.free = append(p.free, v) }

// reserve leaves out numbers that are in use, before the first is taken.
func (p *idPool[T]) reserve(used map[T]bool) {
	first := p.next
	for v := range used {
		p.next = max(p.next, v+1)
	}
	for v := first; v < p.next; v++ {
		if !used[v] {
			p.free = append(p.free, v)
		}
	}
}
