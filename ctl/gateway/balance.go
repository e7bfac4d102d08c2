package gateway

import (
	"sync"

	"nave/fastpath"
)

// balancer gives each worker its share of the flows where packets are handed over: less to the one that hands over, nothing to one whose process has died.
type balancer struct {
	g *Gateway

	mu     sync.Mutex
	engine *fastpath.Engine // nil before there is one
	dead   []bool
	busy   []uint64 // how long each worker had been at work, when it was looked at last
}

// start begins with the workers of an engine, each of which lives and owns as much as the others.
func (b *balancer) start(e *fastpath.Engine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.engine, b.dead = e, make([]bool, e.Workers())
	b.share(fair(b.dead))
}

// set notes that the process of a worker has died, or is back, and moves its flows at once.
func (b *balancer) set(worker int, dead bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.engine == nil || b.dead[worker] == dead {
		return
	}
	b.dead[worker] = dead
	b.share(fair(b.dead))
}

func (b *balancer) share(shares []int) {
	if shares == nil {
		return
	}
	if err := b.engine.Share(shares); err != nil {
		b.g.opt.Log.Warn("sharing flows between workers", "error", err)
	}
}

// look moves flows from the busiest worker to the least busy one. Once in a while.
func (b *balancer) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	on := false
	for _, p := range b.g.ports {
		on = on || b.engine.HandsOver(p.id)
	}
	last := b.busy
	b.busy = b.engine.Busy()
	if !on || len(last) != len(b.busy) {
		return
	}
	work := make([]uint64, len(last))
	for i := range work {
		work[i] = b.busy[i] - last[i]
	}
	if shares := b.engine.Shares(); rebalance(shares, work, b.dead) {
		b.share(shares)
	}
}

// fair gives each living worker as much as the others; nil when there is none.
func fair(dead []bool) []int {
	living := 0
	for _, d := range dead {
		if !d {
			living++
		}
	}
	if living == 0 {
		return nil
	}
	out, k := make([]int, len(dead)), 0
	for i, d := range dead {
		if d {
			continue
		}
		out[i] = fastpath.Buckets / living
		if k < fastpath.Buckets%living {
			out[i]++
		}
		k++
	}
	return out
}

const (
	// muchWork is how many ticks of a look are worth it: a tenth of a slow CPU's second.
	muchWork = 200e6
	// moveMost is how many buckets move at a time: those flows may be out of order for a moment.
	moveMost = 12
)

// rebalance moves buckets from the busiest worker to the least busy one, where they are a sixth apart. It tells whether anything moved.
func rebalance(shares []int, work []uint64, dead []bool) bool {
	most, least := -1, -1
	for i := range work {
		if dead[i] {
			continue
		}
		if most < 0 || work[i] > work[most] {
			most = i
		}
		if least < 0 || work[i] < work[least] {
			least = i
		}
	}
	if most == least || work[most] < muchWork || work[most]-work[least] < work[most]/6 {
		return false
	}
	apart := float64(work[most]-work[least]) / float64(work[most])
	n := min(moveMost, max(1, int(float64(shares[most])*apart/4)), shares[most])
	shares[most] -= n
	shares[least] += n
	return n > 0
}
