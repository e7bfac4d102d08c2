package host

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Routes are nave's routes in the kernel's main table of a namespace, by which the box's own programs reach what nave reaches. Others' routes stay, and win where they are for
// the same prefix.
//
// What is wanted is said route by route and at once; one goroutine writes it, so that the kernel makes nobody wait. What changes again before it was written is written once.
// Linux forgets routes without a word when a netdev goes down or an address goes: Check has all compared.
type Routes struct {
	h       *Host
	nl      *rtnetlink
	trouble func(refused int, err error)
	// patience is how often what is refused is tried again before trouble is told.
	patience int
	cancel   context.CancelFunc
	done     chan struct{}
	wake     chan struct{}

	mu      sync.Mutex
	entries map[routeKey]routeEntry
	queue   []routeKey // to be written
	settled bool       // what nobody wants goes
	check   bool       // all is to be compared

	// The rest is the goroutine's.
	links   map[string]int // indices of netdevs, as long as nothing says otherwise
	listed  bool           // what the kernel has is known: nothing is written before
	checked time.Time      // when that was tried last
	took    time.Duration  // how long that was
	again   []routeKey     // refused, to be tried again
	failure error          // of one of those
	tries   int            // since something was refused, or all was compared
	told    bool           // of trouble
	out     []byte
}

// routeEntry is a prefix for which there is a route of nave's, or is to be one.
type routeEntry struct {
	way   *Way // nil: none is wanted
	state routeState
}

type routeState uint8

const (
	routeIn     routeState = 1 << iota // the kernel has it, as far as is known
	routeQueued                        // it is to be written
	routeLeft                          // of a naved before: it stays until Settle
	routeSeen                          // by the check that goes on
)

const (
	routesPerWrite = 256 // the answers to so many fit into the socket's buffer, if all are refused
	routesHold     = 1 << 20
	// A gateway may be on a link that the kernel has no address of yet: what it refuses is tried again, so many times.
	routeTries = 10
	routeRetry = time.Second
	// routeLate is how often it is tried after those: what it lacks comes with a netdev or an address, which is told by Check, or with memory.
	routeLate = time.Minute
	// checkAfter is how long Check waits for more of what made it necessary; a check takes at most a twentieth of the time.
	checkAfter = 300 * time.Millisecond
	checkShare = 20
)

// OpenRoutes begins to keep nave's routes in the namespace. Those that a naved before has left stay until Settle. trouble is told, by a goroutine, how many routes the kernel refuses after
// it was asked several times, with the error of one; and 0 when there are none any more.
func (h *Host) OpenRoutes(trouble func(refused int, err error)) (*Routes, error) {
	return h.openRoutes(trouble, routeTries)
}

func (h *Host) openRoutes(trouble func(refused int, err error), patience int) (*Routes, error) {
	nl, err := h.openNetlink(routesHold)
	if err != nil {
		return nil, err
	}
	r := &Routes{
		h: h, nl: nl, trouble: trouble, patience: patience, done: make(chan struct{}), wake: make(chan struct{}, 1),
		entries: make(map[routeKey]routeEntry), links: make(map[string]int), check: true,
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.run(ctx)
	r.tell()
	return r, nil
}

// Set wants the route of an IPv4 prefix to go a way; nil: there is to be none of nave's.
func (r *Routes) Set(p netip.Prefix, w *Way) {
	if !p.Addr().Is4() {
		return
	}
	k := keyOf(p.Masked())
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[k]
	was := e.way
	e.way = w
	e.state &^= routeLeft
	if was != nil && was.Equal(w) {
		r.entries[k] = e
		return
	}
	r.enqueue(k, e)
	r.tell()
}

// Want is what Set said last of a prefix.
func (r *Routes) Want(p netip.Prefix) *Way {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[keyOf(p.Masked())].way
}

// Waiting counts routes that are to be written.
func (r *Routes) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue)
}

// Check has all routes compared with what the kernel has, soon: a netdev or an address came or went.
func (r *Routes) Check() {
	r.mu.Lock()
	r.check = true
	r.mu.Unlock()
	r.tell()
}

// Settle says that all routes were wanted by now that will be, of those that a naved before has left: the others go.
func (r *Routes) Settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled {
		return
	}
	r.settled = true
	for k, e := range r.entries {
		if e.state&routeLeft != 0 {
			e.state &^= routeLeft
			r.enqueue(k, e)
		}
	}
	r.tell()
}

// tell wakes the goroutine.
func (r *Routes) tell() {
	select {
	case r.wake <- struct{}{}:
	default: // it was told
	}
}

// Close ends the goroutine. The routes stay.
func (r *Routes) Close() {
	r.cancel()
	<-r.done
	r.nl.close()
}

// End takes nave's routes away, but for those by ways that stay, and closes.
func (r *Routes) End() error {
	r.cancel()
	<-r.done
	defer r.nl.close()
	var gone []routeKey
	var m routeMessage
	err := r.nl.dumpRoutes(protocol, func() { gone = gone[:0] }, func(b []byte) {
		if !m.parse(b) || !m.ours() {
			return
		}
		if w := r.entries[m.key].way; w == nil || !w.Stays {
			gone = append(gone, m.key)
		}
	})
	if err != nil {
		return err
	}
	clear(r.entries)
	for len(gone) > 0 {
		n := min(len(gone), routesPerWrite)
		if _, err := r.write(gone[:n]); err != nil {
			return fmt.Errorf("host: remove routes: %w", err)
		}
		gone = gone[n:]
	}
	return nil
}

// run writes what is wanted, until ctx ends.
func (r *Routes) run(ctx context.Context) {
	defer close(r.done)
	retry, check := stopped(), stopped()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-retry.C:
			r.tries++
			r.requeue()
		case <-check.C:
		}
		if wait, due := r.dueCheck(); due {
			r.compare()
		} else if wait > 0 {
			check.Reset(wait)
		}
		for ctx.Err() == nil && r.listed {
			keys := r.take()
			if len(keys) == 0 {
				break
			}
			r.carryOut(keys)
		}
		if wait := r.review(); wait > 0 {
			retry.Reset(wait)
		}
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// dueCheck tells whether all is to be compared now, or how long that has to wait; 0: it is not wanted.
func (r *Routes) dueCheck() (wait time.Duration, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.check {
		return 0, false
	}
	if !r.checked.IsZero() {
		if wait = max(checkAfter, r.took*checkShare) - time.Since(r.checked); wait > 0 {
			return wait, false
		}
	}
	r.check = false
	return 0, true
}
