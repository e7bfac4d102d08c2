package host

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Watcher is told what changes in the namespace. Its functions are called from one goroutine each; what was lost in an overrun of netlink comes again, because the lists are read anew: what
// there is, and what vanished meanwhile.
type Watcher struct {
	Link      func(Link, bool) // changed, or (false) gone
	Neighbour func(Neighbour)
	Addresses func() // some address came or went: ask AllAddresses
}

// watch is a Watcher with what it has been told. Each kind belongs to the goroutine that tells it.
type watch struct {
	h          *Host
	w          Watcher
	links      map[int]Link // by index
	neighbours map[nextDoor]bool
}

// nextDoor is a neighbour's address on a link.
type nextDoor struct {
	link int
	addr netip.Addr
}

// Watch tells w what there is and what changes, until ctx ends. It returns once it listens.
func (h *Host) Watch(ctx context.Context, w Watcher) error { return newWatch(h, w).listen(ctx) }

func newWatch(h *Host, w Watcher) *watch {
	return &watch{h: h, w: w, links: make(map[int]Link), neighbours: make(map[nextDoor]bool)}
}

func (s *watch) listen(ctx context.Context) error {
	for _, listen := range []func(context.Context) error{s.watchLinks, s.watchNeighbours, s.watchAddresses} {
		if err := listen(ctx); err != nil {
			return err
		}
	}
	return nil
}

// again subscribes anew after an overrun, until that works.
func again(ctx context.Context, listen func(context.Context) error) {
	for ctx.Err() == nil && listen(ctx) != nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// leave takes what a subscription that has ended has to say still: netlink's goroutine waits until somebody does.
func leave[T any](ch <-chan T) {
	for range ch {
	}
}

func (s *watch) watchLinks(ctx context.Context) error {
	ch := make(chan netlink.LinkUpdate, 256)
	sub, end := context.WithCancel(ctx)
	err := s.h.Within(func() error {
		return netlink.LinkSubscribeWithOptions(ch, sub.Done(), netlink.LinkSubscribeOptions{ListExisting: true})
	})
	if err == nil {
		if err = s.linksGone(); err != nil {
			go leave(ch)
		}
	}
	if err != nil {
		end()
		return fmt.Errorf("host: watch links: %w", err)
	}
	go func() {
		for u := range ch {
			l, there := describe(u.Link), u.Header.Type != unix.RTM_DELLINK
			if s.links[l.Index] = l; !there {
				delete(s.links, l.Index)
			}
			s.w.Link(l, there)
		}
		end()
		again(ctx, s.watchLinks)
	}()
	return nil
}

// linksGone tells which of the links that are known are no more. What has happened since the subscription comes by that, afterwards.
func (s *watch) linksGone() error {
	if len(s.links) == 0 {
		return nil
	}
	all, err := s.h.nl.LinkList()
	if err != nil {
		return err
	}
	there := make(map[int]bool)
	for _, l := range all {
		there[l.Attrs().Index] = true
	}
	for index, l := range s.links {
		if !there[index] {
			delete(s.links, index)
			s.w.Link(l, false)
		}
	}
	return nil
}

func (s *watch) watchNeighbours(ctx context.Context) error {
	ch := make(chan netlink.NeighUpdate, 1024)
	sub, end := context.WithCancel(ctx)
	err := s.h.Within(func() error {
		return netlink.NeighSubscribeWithOptions(ch, sub.Done(), netlink.NeighSubscribeOptions{ListExisting: true, ReceiveBufferSize: 1 << 20})
	})
	if err == nil {
		if err = s.neighboursGone(); err != nil {
			go leave(ch)
		}
	}
	if err != nil {
		end()
		return fmt.Errorf("host: watch neighbours: %w", err)
	}
	go func() {
		for u := range ch {
			n, ok := describeNeighbour(&u.Neigh, u.Type == unix.RTM_DELNEIGH)
			if !ok {
				continue
			}
			if k := (nextDoor{n.Link, n.Addr}); n.OK {
				s.neighbours[k] = true
			} else {
				delete(s.neighbours, k)
			}
			s.w.Neighbour(n)
		}
		end()
		again(ctx, s.watchNeighbours)
	}()
	return nil
}

// neighboursGone is linksGone for neighbours.
func (s *watch) neighboursGone() error {
	if len(s.neighbours) == 0 {
		return nil
	}
	all, err := s.h.nl.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	there := make(map[nextDoor]bool)
	for i := range all {
		if n, ok := describeNeighbour(&all[i], false); ok {
			there[nextDoor{n.Link, n.Addr}] = n.OK
		}
	}
	for k := range s.neighbours {
		if !there[k] {
			delete(s.neighbours, k)
			s.w.Neighbour(Neighbour{Link: k.link, Addr: k.addr})
		}
	}
	return nil
}

func (s *watch) watchAddresses(ctx context.Context) error {
	ch := make(chan netlink.AddrUpdate, 256)
	sub, end := context.WithCancel(ctx)
	err := s.h.Within(func() error {
		return netlink.AddrSubscribeWithOptions(ch, sub.Done(), netlink.AddrSubscribeOptions{})
	})
	if err != nil {
		end()
		return fmt.Errorf("host: watch addresses: %w", err)
	}
	go func() {
		s.w.Addresses() // whatever there is now, if anything
		for range ch {
			s.w.Addresses()
		}
		end()
		again(ctx, s.watchAddresses)
	}()
	return nil
}
