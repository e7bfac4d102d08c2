package nic

import (
	"fmt"
	"slices"
)

// Steering keeps a card's filter rules as they are wanted, as far as they fit. It is used by one goroutine.
type Steering struct {
	d      *Netdev
	before *Before
	table  RuleTable
	at     map[Rule]uint32 // by what is matched: the place of nave's rule
	queue  map[Rule]int
	taken  map[uint32]bool // places of all rules, others' too, where nave picks them
	// Refused counts rules that the card did not take, Last says why for the latest.
	Refused int
	Last    error
}

// Steer switches a card's filter rules on, if there are any, and takes away those that an earlier run left (before.Rules).
func Steer(d *Netdev, before *Before) (*Steering, error) {
	table, err := d.RuleTable()
	if err != nil {
		return nil, err
	}
	on, err := d.isOn(flagNTuple)
	if err == nil && !on {
		if err = d.set(flagNTuple, true); err == nil {
			before.NTuple = true
		}
	}
	if err != nil && !IsUnsupported(err) {
		return nil, err
	}
	s := &Steering{d: d, before: before, at: make(map[Rule]uint32), queue: make(map[Rule]int), taken: make(map[uint32]bool)}
	for _, l := range before.Rules {
		if _, ours, err := d.Rule(l); err == nil && ours {
			_ = d.remove(l) // and if it stays, it leads to a queue that is there
		}
	}
	before.Rules = nil
	if s.table, err = d.RuleTable(); err != nil {
		return nil, err
	}
	if !s.table.Picks {
		if s.table.Size == 0 {
			return nil, fmt.Errorf("filter rules: the driver neither picks places nor says how many there are: %v", table)
		}
		locs, err := d.Locations()
		if err != nil {
			return nil, err
		}
		for _, l := range locs {
			s.taken[l] = true
		}
	}
	return s, nil
}

// Add leads packets to a queue, and to another one if they were led before.
func (s *Steering) Add(r Rule) error {
	k := r.match()
	if q, ok := s.queue[k]; ok {
		if q == r.Queue {
			return nil
		}
		s.Remove(r)
	}
	place, err := s.place()
	if err == nil {
		place, err = s.d.insert(r, place)
	}
	if err != nil {
		s.Refused++
		s.Last = err
		return err
	}
	s.at[k], s.queue[k], s.taken[place] = place, r.Queue, true
	s.before.Rules = append(s.before.Rules, place)
	return nil
}

// Remove ends what Add did for the same packets; the queue does not matter.
func (s *Steering) Remove(r Rule) {
	k := r.match()
	place, ok := s.at[k]
	if !ok {
		return
	}
	if err := s.d.remove(place); err != nil {
		s.Last = err
	}
	delete(s.at, k)
	delete(s.queue, k)
	delete(s.taken, place)
	s.before.Rules = slices.DeleteFunc(s.before.Rules, func(l uint32) bool { return l == place })
}

// Rules is how many rules there are.
func (s *Steering) Rules() int { return len(s.at) }

// place is where the next rule goes: the last free place, so that rules of others stand before.
func (s *Steering) place() (uint32, error) {
	if s.table.Picks {
		return locationAny, nil
	}
	for l := s.table.Size - 1; l >= 0; l-- {
		if !s.taken[uint32(l)] {
			return uint32(l), nil
		}
	}
	return 0, fmt.Errorf("the card's table of %d filter rules is full", s.table.Size)
}
