package afxdp

// refill tops the fill ring up with free chunks of the pool, and leaves a reserve for packets that the worker makes
// itself.
func (p *Port) refill() {
	free := uint32(max(0, p.umem.pool.Free()-reserve))
	n := p.fill.room(min(p.fill.size, free))
	if n == 0 {
		return
	}
	i := p.fill.prod
	for range n {
		c, _ := p.umem.pool.Get() // n is no more than what is free
		*p.fill.address(i) = uint64(c) << p.shift
		p.umem.take(c, p.number)
		i++
	}
	p.fill.produce(n)
}
