package rib

import (
	"cmp"
	"math"
	"slices"

	"nave/fastpath/fib"
)

// A route that has several ways has up to fib.MaxPaths slots in the fast path, each for as many flows as any other, and a way has slots in proportion to its share.

// equalSlots is how many slots n ways of equal shares have together. Two, three and four have such numbers that flows of the others stay where they are
// when a way comes or goes: each gets, or gives, the same number of whole slots.
var equalSlots = [...]int{1: 1, 2: 2, 3: 6, 4: 12}

// slots is how many slots each of the ways gets, one at least. There are fib.MaxPaths shares at most, all greater than 0. was is how many slots there have been until now: if as
// many do as well as any other number, that is it, so that the slots stay what they are.
func slots(shares []float64, was int) []int {
	n := len(shares)
	counts := make([]int, n)
	if equalShares(shares) {
		all := fib.MaxPaths / n * n
		switch {
		case was >= n && was%n == 0:
			all = was
		case n < len(equalSlots):
			all = equalSlots[n]
		}
		for i := range counts {
			counts[i] = all / n
		}
		return counts
	}
	best := math.Inf(1)
	try := make([]int, n)
	offer := func(all int) {
		if off := apportion(try, shares, all); off < best-1e-9 {
			best = off
			copy(counts, try)
		}
	}
	if was >= n {
		offer(was)
	}
	for all := fib.MaxPaths; all >= n; all-- {
		offer(all)
	}
	return counts
}

func equalShares(shares []float64) bool {
	for _, s := range shares[1:] {
		if math.Abs(s-shares[0]) > 1e-9*shares[0] {
			return false
		}
	}
	return true
}

// apportion gives out a number of slots by the largest remainders, and tells by how much of all traffic the worst is off.
func apportion(counts []int, shares []float64, all int) (off float64) {
	sum := 0.0
	for _, s := range shares {
		sum += s
	}
	left := all
	for i, s := range shares {
		counts[i] = max(1, int(s/sum*float64(all)))
		left -= counts[i]
	}
	short := func(i int) float64 { return shares[i]/sum*float64(all) - float64(counts[i]) }
	for ; left != 0; left -= cmp.Compare(left, 0) {
		at := -1
		for i := range counts {
			switch {
			case left > 0 && (at < 0 || short(i) > short(at)):
				at = i
			case left < 0 && counts[i] > 1 && (at < 0 || short(i) < short(at)):
				at = i
			}
		}
		counts[at] += cmp.Compare(left, 0)
	}
	for i := range counts {
		off = max(off, math.Abs(short(i))/float64(all))
	}
	return off
}

// arrange lays the next hops out over slots, each as often as counts says. What lies over slots that the next hop has had before (was) stays with it, as far as it may have so many:
// when one of several ways goes, few flows of the others move.
func arrange(hops []*hop, counts []int, was []fib.AdjID) []*hop {
	all := 0
	for _, n := range counts {
		all += n
	}
	out := make([]*hop, all)
	for _, o := range overlaps(hops, all, was) {
		if out[o.slot] == nil && counts[o.hop] > 0 {
			out[o.slot] = hops[o.hop]
			counts[o.hop]--
		}
	}
	next := 0
	for i := range out {
		if out[i] != nil {
			continue
		}
		for counts[next] == 0 {
			next++
		}
		out[i] = hops[next]
		counts[next]--
	}
	return out
}

// overlap is how much of a slot was a next hop's before.
type overlap struct{ slot, hop, flows int }

// overlaps lists what is worth to be kept, the most first.
func overlaps(hops []*hop, all int, was []fib.AdjID) (out []overlap) {
	if len(was) < 2 {
		return nil
	}
	for slot := range all {
		mine := make([]int, len(hops))
		for k, id := range was {
			from, to := max(slot*len(was), k*all), min((slot+1)*len(was), (k+1)*all)
			if h := slices.IndexFunc(hops, func(h *hop) bool { return h.id == id }); h >= 0 && from < to {
				mine[h] += to - from
			}
		}
		for h, flows := range mine {
			if flows > 0 {
				out = append(out, overlap{slot, h, flows})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b overlap) int { return cmp.Compare(b.flows, a.flows) })
	return out
}

// mergeWays is the ways that packets leave by, each once, with all its shares; of more than the fast path takes, those with the largest.
func mergeWays(ways []way) []way {
	out := make([]way, 0, len(ways))
	for i := range ways {
		w := &ways[i]
		if k := slices.IndexFunc(out, func(o way) bool { return o.key() == w.key() }); k >= 0 {
			out[k].share += w.share
			continue
		}
		out = append(out, *w)
	}
	if len(out) > fib.MaxPaths {
		slices.SortStableFunc(out, func(a, b way) int { return cmp.Compare(b.share, a.share) })
		out = out[:fib.MaxPaths]
	}
	return out
}

// each is a list of next hops by slots without what comes again.
func each(hops []*hop) []*hop {
	if len(hops) < 2 {
		return hops
	}
	var out []*hop
	for _, h := range hops {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// slotsOf is how many of the slots are a next hop's.
func slotsOf(hops []*hop, h *hop) (n int) {
	for _, o := range hops {
		if o == h {
			n++
		}
	}
	return n
}

// samePaths tells whether the fast path has the same shares of the same adjacencies, in whatever order.
func samePaths(a, b []fib.AdjID) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) < 2 || slices.Equal(a, b) {
		return slices.Equal(a, b)
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// wholeShares has the shares of next hops as whole numbers, as they are told to others: 0 for all where they are equal.
func wholeShares(out []NextHop, ways []way) {
	if len(ways) < 2 {
		return
	}
	most, equal, whole := 0.0, true, true
	for i := range ways {
		s := ways[i].share
		most = max(most, s)
		equal = equal && math.Abs(s-ways[0].share) <= 1e-9*s
		whole = whole && s == math.Trunc(s)
	}
	if equal {
		return
	}
	scale := 1.0
	if !whole || most > math.MaxUint8 {
		scale = wholeScale / most
	}
	for i := range ways {
		out[i].Share = uint8(max(1, math.Round(ways[i].share*scale)))
	}
}

// wholeScale is what the largest of shares becomes that are no whole numbers: a multiple of many.
const wholeScale = 240
