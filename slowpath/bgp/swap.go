package bgp

import (
	"slices"
	"sync"
	"time"

	"nave/slowpath/bgp/bgpmsg"
)

// swaps are the labels of ours for VPN prefixes of others. Links ask for them while they rewrite.
type swaps struct {
	mu      sync.Mutex
	told    sync.Cond // a label has been handed out with what to swap it for
	m       map[LabelFor]*swap
	refused bool // a link went without a label that it wanted
}

type swap struct {
	label uint32
	ready bool   // whoever forwards knows it
	swap  Swap   // what was said last
	said  uint64 // grows whenever it comes into use: what was said before the last time makes it known to nobody
	gone  *timer // until it is released; nil while it is in use
}

// timer is a time.AfterFunc that knows whether it still counts.
type timer struct{ *time.Timer }

func newSwaps() *swaps {
	s := &swaps{m: make(map[LabelFor]*swap)}
	s.told.L = &s.mu
	return s
}

// labelPatience is for how long an UPDATE waits for its labels: it can be on its way out before the speaker has heard of the path.
const labelPatience = 2 * time.Second

// Label implements bgpmsg.Labels.
func (s *swaps) Label(k bgpmsg.Key) (uint32, bool) {
	key := LabelFor{RD: RD(k.RD), Prefix: k.Prefix}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.m[key]; e != nil && e.ready {
		return e.label, true
	}
	late := false
	t := time.AfterFunc(labelPatience, func() {
		s.mu.Lock()
		late = true
		s.mu.Unlock()
		s.told.Broadcast()
	})
	defer t.Stop()
	for !late {
		s.told.Wait()
		if e := s.m[key]; e != nil && e.ready {
			return e.label, true
		}
	}
	s.refused = true
	return 0, false
}

// publish makes labels known to the links, which is done when they are known to whoever forwards.
func (s *swaps) publish(of []Swap) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range of {
		if e := s.m[LabelFor{w.of, w.RD, w.Prefix}]; e != nil && !w.Removed && e.label == w.Label && e.gone == nil && e.said == w.said {
			e.ready = true
		}
	}
	s.told.Broadcast()
	again, s.refused = s.refused, false
	return again
}

// swapTo has a label of ours stand for a path; the caller holds the speaker's lock, and delivers what is returned.
func (s *Speaker) swapTo(key LabelFor, w Swap) (Swap, bool) {
	s.swaps.mu.Lock()
	defer s.swaps.mu.Unlock()
	e := s.swaps.m[key]
	if e == nil {
		label, err := s.env.Labels.Allocate(key)
		if err != nil {
			s.unlabelled++
			s.log.Warn("bgp: no label", "vrf", key.VRF, "prefix", vpnKey{key.RD, key.Prefix}.String(), "error", err)
			return Swap{}, false
		}
		e = &swap{label: label}
		s.swaps.m[key] = e
	}
	if e.gone != nil {
		e.gone.Stop()
		e.gone = nil
		e.said++
	} else if e.swap.Label != 0 && e.swap.NextHop == w.NextHop && e.swap.VRF == w.VRF && slices.Equal(e.swap.Labels, w.Labels) {
		return e.swap, false
	}
	w.Label, w.RD, w.Prefix, w.of, w.said = e.label, key.RD, key.Prefix, key.VRF, e.said
	e.swap = w
	return w, true
}

// unswap takes a label out of use and releases it after a while: packets with it may be under way, and who comes back soon gets the
// same one.
func (s *Speaker) unswap(key LabelFor) (Swap, bool) {
	s.swaps.mu.Lock()
	defer s.swaps.mu.Unlock()
	e := s.swaps.m[key]
	if e == nil || e.gone != nil {
		return Swap{}, false
	}
	t := &timer{}
	t.Timer = time.AfterFunc(orDefault(s.cfg.KeepLabel, defaultKeepLabel), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.swaps.mu.Lock()
		defer s.swaps.mu.Unlock()
		if s.swaps.m[key] == e && e.gone == t && !s.closed {
			delete(s.swaps.m, key)
			s.env.Labels.Release(key, e.label)
		}
	})
	e.gone = t
	e.ready = false
	return Swap{Label: e.label, RD: key.RD, Prefix: key.Prefix, Removed: true, of: key.VRF}, true
}
