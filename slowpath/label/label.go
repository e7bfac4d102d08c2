// Package label gives out MPLS labels of a range that several users share: BGP's speaker, which has goroutines of its own, and the Router.
//
// A label that is given back rests before it is given again, as packets with it may be under way, and a peer whose session is dead may go on sending by it
// until it notices. Allocation goes round the range from a random start, so that even a process that knows nothing of the one before does not begin with its
// labels; those that the fast path still has of it are avoided (Pool.Avoid) for as long.
package label

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Bounds of what may be given (RFC 3032 section 2.1; RFC 7274 reserves the first ones).
const (
	First = 16
	Last  = 1<<20 - 1
)

// Rest is how long a label rests: longer than a hold time of BGP's or LDP's.
const Rest = 5 * time.Minute

// ErrExhausted is in the error of Take where the range has no label left.
var ErrExhausted = errors.New("no label is left")

// Pool is labels of a range. Its methods may be called from any goroutine.
type Pool struct {
	mu                sync.Mutex
	first, last, next uint32
	random            *rand.Rand
	slots             map[uint32]slot
	resting           []rest // in order of time; some do not count any more
	full              bool   // as the last look at the whole range showed
	inUse             int
}

// slot is a label that can't be given.
type slot struct {
	taken bool
	until time.Time // where it is not taken: the end of its rest
}

type rest struct {
	label uint32
	until time.Time
}

// New makes a pool that has no labels before Span.
func New() *Pool { return NewSeeded(rand.Uint64()) }

// NewSeeded is New with a start that a test can repeat.
func NewSeeded(seed uint64) *Pool {
	return &Pool{first: 1, random: rand.New(rand.NewPCG(seed, 0x6c6162656c)), slots: make(map[uint32]slot)}
}

// Span sets the range, cut to First and Last. Labels that were given before stay as they are, in the range or not.
func (p *Pool) Span(first, last uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, last = max(first, First), min(last, Last)
	if p.first == first && p.last == last {
		return
	}
	p.first, p.last, p.next, p.full = first, last, first, false
	if first <= last {
		p.next += p.random.Uint32N(last - first + 1)
	}
}

// Range is what Span set.
func (p *Pool) Range() (first, last uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first, p.last
}

// Take gives a label that nobody has.
func (p *Pool) Take(now time.Time) (uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake(now)
	if !p.full && p.first <= p.last {
		for range p.last - p.first + 1 {
			l := p.next
			if p.next++; p.next > p.last {
				p.next = p.first
			}
			if _, ok := p.slots[l]; !ok {
				p.slots[l] = slot{taken: true}
				p.inUse++
				return l, nil
			}
		}
		p.full = true
	}
	return 0, fmt.Errorf("labels %d to %d: %w: %d are in use, and the others were until lately or are a former process's; make `mpls label range` larger, or say `mpls label mode all-vrfs protocol bgp-vpnv4 per-vrf`",
		p.first, p.last, ErrExhausted, p.inUse)
}

// Release gives a label back. One that is not taken is no concern of the pool's.
func (p *Pool) Release(l uint32, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.slots[l]; s.taken {
		p.inUse--
		p.rest(l, now.Add(Rest))
	}
}

// Avoid keeps labels from being given before a time: those that the fast path has from a process before this one. What is taken stays taken.
func (p *Pool) Avoid(labels []uint32, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range labels {
		if s, ok := p.slots[l]; !ok || !s.taken && s.until.Before(until) {
			p.rest(l, until)
		}
	}
}

// Used counts the labels that are taken, and those that rest.
func (p *Pool) Used() (taken, resting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inUse, len(p.slots) - p.inUse
}

func (p *Pool) rest(l uint32, until time.Time) {
	p.slots[l] = slot{until: until}
	at := len(p.resting)
	if at > 0 && until.Before(p.resting[at-1].until) {
		at, _ = slices.BinarySearchFunc(p.resting, until, func(r rest, t time.Time) int { return cmp.Or(r.until.Compare(t), -1) })
	}
	p.resting = slices.Insert(p.resting, at, rest{l, until})
}

// wake frees what has rested.
func (p *Pool) wake(now time.Time) {
	n := 0
	for ; n < len(p.resting) && !p.resting[n].until.After(now); n++ {
		r := p.resting[n]
		if s, ok := p.slots[r.label]; ok && !s.taken && s.until.Equal(r.until) {
			delete(p.slots, r.label)
			p.full = false
		}
	}
	if p.resting = p.resting[n:]; len(p.resting) == 0 {
		p.resting = nil
	}
}
