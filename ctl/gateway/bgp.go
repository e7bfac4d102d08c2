package gateway

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nave/ctl/show"
	"nave/slowpath/bgp"
)

// border runs BGP's speaker beside the control plane. What the control plane wants of it goes by a queue to a goroutine of its own, as an answer may take a while; what the speaker
// says comes in steps that keep the control plane from nothing else for long.
type border struct {
	g       *Gateway
	speaker atomic.Pointer[bgp.Speaker] // nil until BGP is configured for the first time
	on      atomic.Bool                 // it is configured
	// last is what the speaker was told, and failed the error that was logged of it; retry tells it again. The control plane's goroutine has them.
	last   *bgp.Config
	failed string
	retry  *time.Timer

	mu    sync.Mutex
	queue []func() // none is lost: what is announced is said once
	more  chan struct{}
}

func newBorder(g *Gateway) *border { return &border{g: g, more: make(chan struct{}, 1)} }

func (b *border) do(f func()) {
	b.mu.Lock()
	b.queue = append(b.queue, f)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default: // it has been told
	}
}

// run does what is asked until the Gateway stops.
func (b *border) run() {
	for {
		b.mu.Lock()
		todo := b.queue
		b.queue = nil
		b.mu.Unlock()
		for _, f := range todo {
			if b.g.ctx.Err() != nil {
				return
			}
			f()
		}
		select {
		case <-b.g.ctx.Done():
			return
		case <-b.more:
		}
	}
}

// close ends the sessions, if any. With leave the workers forward on.
func (b *border) close(leave bool) {
	if b == nil {
		return
	}
	switch s := b.speaker.Load(); {
	case s == nil:
	case leave:
		s.Leave()
	default:
		s.Close()
	}
}

// BGP is the speaker, nil where BGP is not configured. Its methods are not to be called in the control plane's goroutine.
func (g *Gateway) BGP() *bgp.Speaker {
	if g.border == nil || !g.border.on.Load() {
		return nil
	}
	return g.border.speaker.Load()
}

// setBGP makes the speaker go by the configuration. Each is passed on, in order: a VRF that was away for a moment has lost its routes, and the speaker has to say them again.
func (g *Gateway) setBGP() {
	b, c := g.border, g.core.current.BGP
	next := c.Speaker
	if !c.On {
		next = bgp.Config{}
	}
	if b.last == nil && !c.On || b.last != nil && reflect.DeepEqual(*b.last, next) {
		return
	}
	next.GracefulRestart.Restarting = g.workers.TookOver()
	told := next
	told.GracefulRestart.Restarting = c.Speaker.GracefulRestart.Restarting
	b.last = &told
	b.on.Store(c.On)
	b.do(func() { b.configure(next, &told) })
}

// configure is setBGP in the border's goroutine. told is what that was told by: a configuration that another has followed has nothing to say any more.
func (b *border) configure(c bgp.Config, told *bgp.Config) {
	err := b.open().Configure(c)
	b.g.loop.Do(func(time.Time) {
		if b.last == told {
			b.configured(c, told, err)
		}
	})
}

// configured takes over what came of a configuration. What fails is tried again, as it may be for others to mend: a port that another program has, a namespace that comes later.
func (b *border) configured(c bgp.Config, told *bgp.Config, err error) {
	if b.retry != nil {
		b.retry.Stop()
		b.retry = nil
	}
	if err == nil {
		if b.failed != "" {
			b.g.opt.Log.Info("bgp: all of the configuration runs")
		}
		b.g.core.refused, b.failed = nil, ""
		return
	}
	why := err.Error()
	if why != b.failed {
		b.g.opt.Log.Error("bgp", "error", err)
	}
	b.g.core.refused, b.failed = []show.Problem{{What: "router bgp", Why: why}}, why
	b.retry = time.AfterFunc(listenAgain, func() {
		b.g.loop.Do(func(time.Time) {
			if b.last == told { // else what follows it is in the queue, and must stay the last
				b.do(func() { b.configure(c, told) })
			}
		})
	})
}

// open makes the speaker, if there is none.
func (b *border) open() *bgp.Speaker {
	s := b.speaker.Load()
	if s == nil {
		s = bgp.New(bgp.Env{Deliver: b.deliver, Labels: b.g.core.Router().Labels(time.Now), Within: b.within, Log: b.g.opt.Log})
		b.speaker.Store(s)
	}
	return s
}

// within runs f in a VRF's network namespace.
func (b *border) within(vrf string, f func() error) error {
	s := b.g.registry.find(func(s *space) bool { return s.name == vrf })
	if s == nil {
		return fmt.Errorf("VRF %s has no network namespace", vrf)
	}
	return s.host.Within(f)
}

// originate tells the speaker what this router announces.
func (b *border) originate(announce []bgp.Local, retract []bgp.Key) {
	b.do(func() {
		s := b.open() // routes may come before the first configuration: they wait in the speaker
		if err := s.Retract(retract...); err != nil {
			b.g.opt.Log.Warn("bgp: routes taken back", "error", err)
		}
		if err := s.Announce(announce...); err != nil {
			b.g.opt.Log.Warn("bgp: routes announced", "error", err)
		}
	})
}

// maxEffects is how much of what the speaker says is carried out at once: some milliseconds' worth.
const maxEffects = 1000

// deliver carries out what the speaker says, in its order, and returns when that is done.
func (b *border) deliver(e bgp.Effects) {
	for part := range portions(e, maxEffects) {
		if !b.g.loop.Call(func(now time.Time) { b.g.core.Router().At(now).BGP(part) }) {
			return
		}
	}
}

// portions cuts effects into such of at most n things each: labels first, then routes, then sessions.
func portions(e bgp.Effects, n int) iter.Seq[bgp.Effects] {
	return func(yield func(bgp.Effects) bool) {
		for w := range slices.Chunk(e.Swaps, n) {
			if !yield(bgp.Effects{Swaps: w}) {
				return
			}
		}
		for r := range slices.Chunk(e.Routes, n) {
			if !yield(bgp.Effects{Routes: r}) {
				return
			}
		}
		if len(e.Sessions) > 0 {
			if !yield(bgp.Effects{Sessions: e.Sessions}) {
				return
			}
		}
		if e.Settled {
			yield(bgp.Effects{Settled: true})
		}
	}
}
