package gateway

import (
	"encoding/binary"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/host/nic"
)

// rules are the filter rules that what is installed asks for. The control plane's goroutine has them.
type rules struct {
	sas   map[fib.SAID]nic.Rule
	adjs  map[fib.AdjID]nic.Rule
	users map[nic.Rule]int // how many of these ask for it: next hops behind one peer ask for the same
}

func newRules() rules {
	return rules{sas: make(map[fib.SAID]nic.Rule), adjs: make(map[fib.AdjID]nic.Rule), users: make(map[nic.Rule]int)}
}

// follow brings the rules up to a batch. It returns those that nobody had asked for, and those that nobody asks for any more.
func (r *rules) follow(b *fib.Batch) (add, remove []nic.Rule) {
	was := make(map[nic.Rule]int)
	var met []nic.Rule
	count := func(rule nic.Rule, by int) {
		n := r.users[rule]
		if _, ok := was[rule]; !ok {
			was[rule] = n
			met = append(met, rule)
		}
		if r.users[rule] = n + by; n+by == 0 {
			delete(r.users, rule)
		}
	}
	replace(r.sas, b.DelSAs, count, func(yield func(fib.SAID, nic.Rule, bool)) {
		for i := range b.SAs {
			rule, ok := ruleOfSA(&b.SAs[i])
			yield(b.SAs[i].ID, rule, ok)
		}
	})
	replace(r.adjs, b.DelAdjacencies, count, func(yield func(fib.AdjID, nic.Rule, bool)) {
		for i := range b.Adjacencies {
			rule, ok := ruleOfAdjacency(&b.Adjacencies[i])
			yield(b.Adjacencies[i].ID, rule, ok)
		}
	})
	for _, rule := range met {
		switch before, now := was[rule], r.users[rule]; {
		case before == 0 && now > 0:
			add = append(add, rule)
		case before > 0 && now == 0:
			remove = append(remove, rule)
		}
	}
	return add, remove
}

// replace brings the rules of one kind of entries up to a batch, and counts who asks for each.
func replace[K comparable](have map[K]nic.Rule, gone []K, count func(r nic.Rule, by int), entries func(yield func(K, nic.Rule, bool))) {
	drop := func(id K) {
		if old, ok := have[id]; ok {
			count(old, -1)
			delete(have, id)
		}
	}
	for _, id := range gone {
		drop(id)
	}
	entries(func(id K, r nic.Rule, ok bool) {
		drop(id)
		if ok {
			have[id] = r
			count(r, 1)
		}
	})
}

// ruleOfSA leads an inbound association to one queue: not where it comes in UDP, whose SPI the cards don't see, nor inside AH.
func ruleOfSA(s *fib.SA) (nic.Rule, bool) {
	if !s.Inbound || s.AH || s.Encap || s.Under != 0 || !s.Local.Is4() {
		return nic.Rule{}, false
	}
	return nic.Rule{Destination: s.Local, SPI: s.SPI}, true
}

// ruleOfAdjacency leads GRE in clear from a peer to one queue.
func ruleOfAdjacency(a *fib.Adjacency) (nic.Rule, bool) {
	if a.Kind != fib.AdjTunnel || a.SA != 0 || a.AH != 0 || len(a.Outer) != packet.EthernetLen+packet.IPv4Len {
		return nic.Rule{}, false
	}
	// What leaves for the peer has its addresses the other way round.
	return nic.Rule{Source: a.OuterTo(), Destination: a.OuterFrom()}, true
}

// queueOf gives a rule one of n queues, always the same.
func queueOf(r nic.Rule, n int) int {
	h := uint64(r.SPI)
	if r.SPI == 0 {
		a := r.Source.As4()
		h = uint64(binary.BigEndian.Uint32(a[:]))
	}
	h = (h ^ h>>16) * 0x9e3779b97f4a7c15
	return int(h>>32) % max(1, n)
}
