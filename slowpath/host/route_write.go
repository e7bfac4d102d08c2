package host

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// take is what is to be written next.
func (r *Routes) take() []routeKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), routesPerWrite)
	keys := r.queue[:n:n]
	if r.queue = r.queue[n:]; len(r.queue) == 0 {
		r.queue = nil
	}
	return keys
}

// carryOut writes some routes, and notes which were refused.
func (r *Routes) carryOut(keys []routeKey) {
	refused, err := r.write(keys)
	if err == nil {
		r.again = append(r.again, refused...)
		return
	}
	r.note(err) // what of this was done is not known
	r.again = append(r.again, keys...)
	r.reopen()
	r.Check()
}

// reopen gets another socket for one whose answers may be out of step.
func (r *Routes) reopen() {
	nl, err := r.h.openNetlink(routesHold)
	if err != nil {
		return // the old one is tried again
	}
	r.nl.close()
	r.nl = nl
}

// requeue has what was refused tried again.
func (r *Routes) requeue() {
	clear(r.links)
	r.failure = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.again {
		if e, ok := r.entries[k]; ok {
			r.enqueue(k, e)
		}
	}
	r.again = r.again[:0]
}

// enqueue has a route written.
func (r *Routes) enqueue(k routeKey, e routeEntry) {
	if e.state&routeQueued == 0 {
		e.state |= routeQueued
		r.queue = append(r.queue, k)
	}
	r.entries[k] = e
}

// review tells when what was refused is to be tried again, and reports what was refused too often; 0: there is nothing.
func (r *Routes) review() time.Duration {
	switch {
	case len(r.again) == 0:
		if r.tries = 0; r.told {
			r.told = false
			r.trouble(0, nil)
		}
		return 0
	case r.tries < r.patience:
		return routeRetry
	case !r.told:
		r.told = true
		r.trouble(len(r.again), r.failure)
	}
	return routeLate
}

// note keeps the error of one of the routes that were refused.
func (r *Routes) note(err error) {
	if r.failure == nil {
		r.failure = err
	}
}

var errNoNetdev = errors.New("there is no such netdev (`ip link` lists those that there are)")

// index finds a netdev.
func (r *Routes) index(name string) (int, error) {
	if n, ok := r.links[name]; ok {
		if n < 0 {
			return 0, errNoNetdev
		}
		return n, nil
	}
	l, err := r.h.nl.LinkByName(name)
	if err != nil {
		r.links[name] = -1
		return 0, errNoNetdev
	}
	r.links[name] = l.Attrs().Index
	return l.Attrs().Index, nil
}

// writing is a route on its way to the kernel.
type writing struct {
	key routeKey
	way *Way
	in  bool
	err error
}

// write gives the kernel some routes as they are wanted by now. An error is the socket's; refused are those that the kernel did not take, nor has any more.
func (r *Routes) write(keys []routeKey) (refused []routeKey, err error) {
	all := make([]writing, 0, len(keys))
	r.mu.Lock()
	for _, k := range keys {
		e := r.entries[k]
		e.state &^= routeQueued
		r.entries[k] = e
		all = append(all, writing{key: k, way: e.way, in: e.state&routeIn != 0})
	}
	r.mu.Unlock()
	if err := r.exchange(all, (*Routes).change); err != nil {
		return nil, err
	}
	var clash []writing // to be taken away, and put again: those of nave's that it did not know of; and those that can't go their new way do not go the old one
	for i := range all {
		if w := &all[i]; w.way != nil && w.err != nil && (w.in || errors.Is(w.err, unix.EEXIST)) {
			clash = append(clash, writing{key: w.key, way: w.way})
		}
	}
	if err := r.exchange(clash, (*Routes).takeAway); err != nil {
		return nil, err
	}
	if err := r.exchange(clash, (*Routes).change); err != nil {
		return nil, err
	}
	second := make(map[routeKey]error, len(clash))
	for i := range clash {
		second[clash[i].key] = clash[i].err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range all {
		w := &all[i]
		if err, ok := second[w.key]; ok {
			w.err = err
		}
		if w.err != nil {
			r.note(w.describe())
			refused = append(refused, w.key)
		}
		e := r.entries[w.key]
		if e.state &^= routeIn; w.way != nil && w.err == nil {
			e.state |= routeIn
		}
		if r.entries[w.key] = e; e.way == nil && e.state == 0 && w.err == nil {
			delete(r.entries, w.key)
		}
	}
	return refused, nil
}

// describe is the error of a route with what it is about.
func (w *writing) describe() error {
	where := "to nowhere"
	switch {
	case w.way == nil:
		where = "removed"
	case len(w.way.Hops) > 0:
		if where = "by " + w.way.Hops[0].Netdev; w.way.Hops[0].Gateway.IsValid() {
			where += " and " + w.way.Hops[0].Gateway.String()
		}
	}
	if errors.Is(w.err, unix.EEXIST) {
		return fmt.Errorf("host: route %s %s: somebody else's route has metric %d, which is nave's: give it another", w.key.prefix(), where, metric)
	}
	return fmt.Errorf("host: route %s %s: %w", w.key.prefix(), where, w.err)
}

// exchange sends what encode makes of each route, in one go, and notes what the kernel says to each.
func (r *Routes) exchange(all []writing, encode func(*Routes, *writing, uint32) error) error {
	b, last := r.out[:0], -1
	first := r.nl.seq + 1
	sent := make([]*writing, 0, len(all))
	for i := range all {
		w := &all[i]
		at := len(b)
		r.out = b
		if w.err = encode(r, w, r.nl.seq+1); w.err != nil {
			b = b[:at]
			continue
		}
		b, last = r.out, at
		r.nl.seq++
		sent = append(sent, w)
	}
	r.out = b
	if last < 0 {
		return nil
	}
	native.PutUint16(b[last+6:], native.Uint16(b[last+6:])|unix.NLM_F_ACK)
	return r.nl.exchange(b, r.nl.seq, func(seq uint32, err error) {
		if n := int(seq - first); n >= 0 && n < len(sent) && (sent[n].way != nil || !errors.Is(err, unix.ESRCH)) {
			sent[n].err = err
		}
	})
}

// change encodes what makes the kernel's route as it is wanted.
func (r *Routes) change(w *writing, seq uint32) (err error) {
	flags := uint16(unix.NLM_F_CREATE | unix.NLM_F_EXCL)
	switch {
	case w.way == nil:
		return r.takeAway(w, seq)
	case w.in:
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	}
	r.out, err = w.way.put(r.out, w.key, flags, seq, r.index)
	return err
}

// takeAway encodes what takes a route of nave's away.
func (r *Routes) takeAway(w *writing, seq uint32) error {
	r.out = remove(r.out, w.key, seq)
	return nil
}

// compare looks at what the kernel has, and queues what differs. It is the first thing that is done.
func (r *Routes) compare() {
	started := time.Now()
	clear(r.links)
	var m routeMessage
	again := false
	err := r.nl.dumpRoutes(protocol, func() {
		if again {
			r.unsee()
		}
		again = true
	}, func(b []byte) {
		if m.parse(b) && m.ours() {
			r.see(&m)
		}
	})
	r.checked = time.Now()
	r.took = r.checked.Sub(started)
	if err != nil {
		r.note(err)
		r.reopen()
		r.Check()
		return
	}
	r.listed, r.tries = true, 0
	r.miss()
	r.requeue()
}

// see compares a route of the kernel's with what is wanted.
func (r *Routes) see(m *routeMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[m.key]
	e.state |= routeIn | routeSeen
	switch {
	case e.state&routeQueued != 0:
	case e.way == nil && !r.settled:
		e.state |= routeLeft
	case e.way == nil || !e.way.matches(m, r.index):
		r.enqueue(m.key, e)
		return
	}
	r.entries[m.key] = e
}

// miss queues what the kernel was thought to have and has not.
func (r *Routes) miss() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.entries {
		seen := e.state&routeSeen != 0
		e.state &^= routeSeen
		switch {
		case seen || e.state&routeIn == 0:
			r.entries[k] = e
		case e.way != nil:
			e.state &^= routeIn
			r.enqueue(k, e)
		default: // left, and gone by itself; or about to be removed
			e.state &^= routeIn | routeLeft
			if r.entries[k] = e; e.state == 0 {
				delete(r.entries, k)
			}
		}
	}
}

// unsee forgets what was seen, as it is looked at again.
func (r *Routes) unsee() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.entries {
		e.state &^= routeSeen
		r.entries[k] = e
	}
}
