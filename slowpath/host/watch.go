package host

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Watcher is told what changes in the namespace. Its functions are called from one goroutine each; what was lost
// in an overrun of netlink comes again, because the lists are read anew.
type Watcher struct {
	Link      func(Link, bool) // changed, or (false) gone
	Neighbour func(Neighbour)
	Addresses func() // some address came or went: ask AllAddresses
}

// Watch tells w what there is and what changes, until ctx ends. It returns once it listens.
func (h *Host) Watch(ctx context.Context, w Watcher) error {
	for _, listen := range []func(context.Context, Watcher) error{h.watchLinks, h.watchNeighbours, h.watchAddresses} {
		if err := listen(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// again subscribes anew after an overrun, until that works.
func (h *Host) again(ctx context.Context, w Watcher, listen func(context.Context, Watcher) error) {
	for ctx.Err() == nil && listen(ctx, w) != nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (h *Host) watchLinks(ctx context.Context, w Watcher) error {
	ch := make(chan netlink.LinkUpdate, 256)
	err := h.Within(func() error {
		return netlink.LinkSubscribeWithOptions(ch, ctx.Done(), netlink.LinkSubscribeOptions{ListExisting: true})
	})
	if err != nil {
		return fmt.Errorf("host: watch links: %w", err)
	}
	go func() {
		for u := range ch {
			w.Link(describe(u.Link), u.Header.Type != unix.RTM_DELLINK)
		}
		h.again(ctx, w, h.watchLinks)
	}()
	return nil
}

func (h *Host) watchNeighbours(ctx context.Context, w Watcher) error {
	ch := make(chan netlink.NeighUpdate, 1024)
	err := h.Within(func() error {
		return netlink.NeighSubscribeWithOptions(ch, ctx.Done(), netlink.NeighSubscribeOptions{ListExisting: true, ReceiveBufferSize: 1 << 20})
	})
	if err != nil {
		return fmt.Errorf("host: watch neighbours: %w", err)
	}
	go func() {
		for u := range ch {
			if n, ok := describeNeighbour(&u.Neigh, u.Type == unix.RTM_DELNEIGH); ok {
				w.Neighbour(n)
			}
		}
		h.again(ctx, w, h.watchNeighbours)
	}()
	return nil
}

func (h *Host) watchAddresses(ctx context.Context, w Watcher) error {
	ch := make(chan netlink.AddrUpdate, 256)
	err := h.Within(func() error {
		return netlink.AddrSubscribeWithOptions(ch, ctx.Done(), netlink.AddrSubscribeOptions{ListExisting: true})
	})
	if err != nil {
		return fmt.Errorf("host: watch addresses: %w", err)
	}
	go func() {
		for range ch {
			w.Addresses()
		}
		h.again(ctx, w, h.watchAddresses)
	}()
	return nil
}
