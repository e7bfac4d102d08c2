package ldp

import (
	"net/netip"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// pool gives labels of a range to prefixes. It goes round the range, so that a label is given again as late as can be. A prefix that comes back
// while its label rests gets the same one: nobody who still sends by it is led astray.
type pool struct {
	first, last, next uint32
	grace             time.Duration
	labels            map[uint32]*slot
	prefixes          map[netip.Prefix]uint32 // of the slots
	resting           []rest                  // in order of time; some are not valid any more
	full              bool                    // as the last look at the whole range showed
}

// slot is a label that cannot be given to any prefix but its own.
type slot struct {
	prefix  netip.Prefix // the zero Prefix: nobody's
	owned   bool         // by the prefix, which has it now
	holders int          // times that peers were told of it and have not released it
	until   time.Time    // the end of its rest, once it is neither owned nor held
}

type rest struct {
	label uint32
	until time.Time
}

// span sets the range; start is where in it to begin.
func (p *pool) span(first, last uint32, grace time.Duration, start uint32) {
	p.grace, p.full = grace, false
	if p.labels != nil && p.first == first && p.last == last {
		return
	}
	if p.labels == nil {
		p.labels, p.prefixes = map[uint32]*slot{}, map[netip.Prefix]uint32{}
	}
	p.first, p.last, p.next = first, last, first
	if first <= last {
		p.next += start % (last - first + 1)
	}
}

func (p *pool) size() int {
	if p.first > p.last {
		return 0
	}
	return int(p.last-p.first) + 1
}

// take gives a label to a prefix that has none.
func (p *pool) take(prefix netip.Prefix, now time.Time) (uint32, bool) {
	p.wake(now)
	if l, ok := p.prefixes[prefix]; ok {
		p.labels[l].owned = true
		return l, true
	}
	if p.full {
		return 0, false
	}
	for range p.size() {
		l := p.next
		if p.next++; p.next > p.last {
			p.next = p.first
		}
		if p.labels[l] == nil {
			p.labels[l] = &slot{prefix: prefix, owned: true}
			p.prefixes[prefix] = l
			return l, true
		}
	}
	p.full = true
	return 0, false
}

// keep reserves a label that had been given before this process. A label outside of the range is kept as well, as the range may come to hold it, but for nobody.
func (p *pool) keep(prefix netip.Prefix, label uint32, now time.Time) {
	if label < DefaultFirstLabel || label > ldpmsg.MaxLabel || p.labels[label] != nil {
		return
	}
	s := &slot{}
	if _, ok := p.prefixes[prefix]; !ok && prefix.IsValid() && label >= p.first && label <= p.last {
		s.prefix = prefix
		p.prefixes[prefix] = label
	}
	p.labels[label] = s
	p.settle(label, s, now)
}

// release takes a label from its prefix.
func (p *pool) release(label uint32, now time.Time) {
	s := p.labels[label]
	s.owned = false
	p.settle(label, s, now)
}

// hold says that a peer was told of a label, drop that this is over. Labels that are not the pool's are of no concern.
func (p *pool) hold(label uint32) {
	if s := p.labels[label]; s != nil {
		s.holders++
	}
}

func (p *pool) drop(label uint32, now time.Time) {
	if s := p.labels[label]; s != nil {
		s.holders--
		p.settle(label, s, now)
	}
}

// settle lets a label rest once nobody has it.
func (p *pool) settle(label uint32, s *slot, now time.Time) {
	if s.owned || s.holders > 0 {
		return
	}
	s.until = now.Add(p.grace)
	p.resting = append(p.resting, rest{label, s.until})
}

// rests tells whether an entry of the queue still says what its label does.
func (p *pool) rests(r rest) bool {
	s := p.labels[r.label]
	return s != nil && !s.owned && s.holders == 0 && s.until.Equal(r.until)
}

// wake frees what has rested.
func (p *pool) wake(now time.Time) {
	for len(p.resting) > 0 {
		r := p.resting[0]
		if p.rests(r) {
			if r.until.After(now) {
				return
			}
			s := p.labels[r.label]
			delete(p.labels, r.label)
			if p.prefixes[s.prefix] == r.label {
				delete(p.prefixes, s.prefix)
			}
			p.full = false
		}
		p.resting = p.resting[1:]
	}
	p.resting = nil
}

// free is when the next label is free, the zero Time if none rests.
func (p *pool) free() time.Time {
	for len(p.resting) > 0 && !p.rests(p.resting[0]) {
		p.resting = p.resting[1:]
	}
	if len(p.resting) == 0 {
		return time.Time{}
	}
	return p.resting[0].until
}
