package afxdp

// refill tops the fill ring up with free chunks of the pool, and leaves a reserve for packets that the worker makes
// itself. It waits until there are some to give: each time that it gives any, the line of the index goes to the kernel's core and back.
func (p *Port) refill() {
	n := min(p.fill.room(p.fill.size), uint32(max(0, p.umem.pool.Free()-reserve)))
	if n < p.fillBatch {
		return
	}
	i, shift, number, owner := p.fill.prod, p.shift, p.number, p.umem.owner
	for _, c := range p.umem.pool.Take(int(n)) {
		*p.fill.address(i) = uint64(c) << shift
		owner[c] = number
		i++
	}
	p.fill.produce(n)
}
