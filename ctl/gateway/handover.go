package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/crew"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath/host"
)

// Ways of handing packets over (`fastpath hand-over`).
const (
	handOn  = "on"
	handOff = "off"
)

// sharing is whether what a port receives is handed over to the worker that each flow belongs to, and why.
type sharing struct {
	on  bool
	why string
	// watched: nobody knows how evenly the link spreads packets, so it is looked at.
	watched bool
	last    []uint64 // packets by worker, when it was looked at last
	uneven  int      // looks in a row that found too much on one worker
	even    int      // looks in a row that found it spread well
}

// decide says how a port begins: with queues of its own for some workers or all, over which its card spreads or not.
func decide(way string, queues, workers int, spreads bool) sharing {
	switch {
	case workers < 2:
		return sharing{why: "there is one worker"}
	case way == handOff:
		return sharing{why: "configured so"}
	case way == handOn:
		return sharing{on: true, why: "configured so"}
	case queues < workers:
		return sharing{on: true, why: fmt.Sprintf("%d of %d workers have a queue", queues, workers)}
	case spreads:
		return sharing{why: "the card spreads packets over its queues"}
	}
	return sharing{watched: true, why: "the link spreads packets in a way of its own: begins if too many come on one queue"}
}

const (
	watchShares = time.Second
	// unevenLooks is how long it must be uneven before packets are handed over, and evenLooks how long it must be even before that ends.
	unevenLooks, evenLooks = 3, 30
	// busyPackets is how many packets a look are worth it: below, one worker does them easily.
	busyPackets = 50000
)

// look takes the packets that each worker has received so far, and tells whether anything changed.
func (s *sharing) look(now []uint64) bool {
	last := s.last
	s.last = now
	if !s.watched || len(last) != len(now) {
		return false
	}
	var sum, most uint64
	for i := range now {
		n := now[i] - last[i]
		sum, most = sum+n, max(most, n)
	}
	share := float64(most) * float64(len(now)) / max(1, float64(sum)) // 1: all have the same
	switch {
	case sum < busyPackets:
		return false // and what was counted stays
	case share >= 1.8:
		s.uneven, s.even = s.uneven+1, 0
	case share < 1.3:
		s.uneven, s.even = 0, s.even+1
	default:
		s.uneven, s.even = 0, 0
	}
	switch {
	case !s.on && s.uneven >= unevenLooks:
		s.on, s.uneven, s.why = true, 0, "one worker received almost all packets"
	case s.on && s.even >= evenLooks:
		s.on, s.even, s.why = false, 0, "the link spreads packets evenly"
	default:
		return false
	}
	return true
}

// share has a port hand over, or not, as s says. Workers with a queue are the first.
func (g *Gateway) share(p *port, s *sharing) error {
	var from []int
	if s.on {
		for w := range min(p.queues, g.engine.Workers()) {
			from = append(from, w)
		}
	}
	if err := g.engine.HandOver(p.id, from...); err != nil {
		s.on, s.watched, s.why = false, false, err.Error()
		return fmt.Errorf("gateway: port %s: %w", p.name, err)
	}
	return nil
}

// watchSharing looks how evenly packets come, until the Gateway ends.
func (g *Gateway) watchSharing() {
	t := time.NewTicker(watchShares)
	defer t.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-t.C:
		}
		for _, name := range g.PortNames() {
			p := g.ports[name]
			now := g.engine.ReceivedBy(p.id)
			p.sharingMu.Lock()
			changed := p.sharing.look(now)
			if changed {
				if err := g.share(p, &p.sharing); err != nil {
					g.opt.Log.Warn("handing packets over", "error", err)
				}
				g.opt.Log.Info("hand-over between workers", "port", p.name, "on", p.sharing.on, "why", p.sharing.why)
			}
			p.sharingMu.Unlock()
		}
		g.balancer.look()
	}
}

// openQueues opens the queues of a port in the workers in turn. A worker without one sends through one that has it.
func (g *Gateway) openQueues(p *port) error {
	workers, queues := g.engine.Workers(), p.queues
	for w := range min(queues, workers) {
		a := crew.Attach{Port: p.id, Ifindex: p.link.Index, Space: p.space.number(), Queue: w, Sockets: g.sockets}
		if a.More = (queues - 1 - w) / workers; a.More > 0 {
			a.Step = workers
		}
		if err := g.workers.Attach(w, a); err != nil {
			return err
		}
	}
	p.isOpen = true
	for w, via := range relays(queues, workers) {
		if err := g.workers.Relay(w, p.id, via); err != nil {
			return err
		}
	}
	return nil
}

// socketsOf is how the workers' sockets are to be.
func socketsOf(tree *config.Config, copies bool) crew.Sockets {
	f := &tree.Fastpath
	return crew.Sockets{Ring: f.QueueDepth, Copy: copies, BusyPoll: f.BusyPoll, Budget: f.BusyBudget}
}

// relays lists the workers that have no queue of a port, with the one that each sends through.
func relays(queues, workers int) map[int]int {
	out := make(map[int]int)
	for w := queues; w < workers; w++ {
		out[w] = w % queues
	}
	return out
}

// queuesOf is how many queues of a port a worker has at most.
func queuesOf(links map[string]host.Link, workers int) int {
	most := 1
	for _, l := range links {
		most = max(most, (l.Queues+workers-1)/workers)
	}
	return most
}

// tellMemory says once how the sockets and their memory are, where that is less than it could be.
func (g *Gateway) tellMemory() {
	names := make(map[fib.PortID]string)
	for name, p := range g.ports {
		names[p.id] = name
	}
	pages, why := 0, ""
	modes := make(map[string]bool)
	for w := range g.engine.Workers() {
		h, err := g.workers.Host(w)
		if err != nil {
			continue
		}
		if !h.Huge {
			pages, why = pages+h.HugePages, h.HugeWhy
		}
		for _, q := range h.Ports {
			if q.CopyWhy != "" && q.CopyWhy != afxdp.ErrCopyWanted.Error() {
				modes[fmt.Sprintf("no zero-copy on %s: %s", names[q.Port], q.CopyWhy)] = true
			}
			if q.BusyWhy != "" {
				modes[fmt.Sprintf("no busy polling on %s: %s", names[q.Port], q.BusyWhy)] = true
			}
		}
	}
	for _, m := range slices.Sorted(maps.Keys(modes)) {
		g.opt.Log.Info(m)
	}
	if pages > 0 {
		g.opt.Log.Info("packets lie in ordinary pages; for huge ones set vm.nr_hugepages and restart naved", "more_pages", pages, "why", why)
	}
}
