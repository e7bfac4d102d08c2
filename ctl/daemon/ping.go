package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/probe"
	"nave/ctl/show"
)

// Those who may only look may not flood: one packet in lookGap, and so many pings at once. For all there is an end, too: each has sockets.
const (
	lookGap   = 100 * time.Millisecond
	lookPings = 4
	allPings  = 64
	lookers   = allPings / 2 // of all who may only look: there is room for others
)

// pings counts those that run, by user. Any goroutine may call it.
type pings struct {
	mu    sync.Mutex
	all   int
	look  int // of those, by who may only look
	users map[uint32]int
}

var errTooManyPings = errors.New("too many pings run at once; wait for one to end")

// begin lets a user begin another one. end must be called when it has ended.
func (p *pings) begin(who *api.Caller) (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil {
		p.users = make(map[uint32]int)
	}
	if p.all >= allPings || !who.Change && (p.look >= lookers || p.users[who.UID] >= lookPings) {
		return nil, errTooManyPings
	}
	p.all++
	if !who.Change {
		p.look++
	}
	p.users[who.UID]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if !who.Change {
			p.look--
		}
		if p.users[who.UID]--; p.users[who.UID] == 0 {
			delete(p.users, who.UID)
		}
	}, nil
}

// known tells whether the VRF and the interface that a ping names are there. It asks for no more: whoever may only look pings often.
func (d *Daemon) known(r *probe.Request) (err error) {
	if r.VRF == "" && r.Interface == "" {
		return nil
	}
	if !d.gw.Do(func(_ time.Time, c *gateway.Core) {
		var st show.Status // of which an unknown VRF is told the others
		for _, v := range c.Tree().VRFs {
			st.VRFs = append(st.VRFs, show.VRF{Name: v.Name})
		}
		is := func(i *config.Interface) bool { return i.Name == r.Interface }
		switch {
		case r.VRF != "" && !st.HasVRF(r.VRF):
			err = show.UnknownVRF(&st, r.VRF)
		case r.Interface != "" && !slices.ContainsFunc(c.Tree().Interfaces, is):
			err = show.UnknownInterface(r.Interface)
		}
	}) {
		return errStopping
	}
	return err
}

// Probe implements api.Pinger.
func (d *Daemon) Probe(ctx context.Context, who *api.Caller, r probe.Request, f func(probe.Event)) error {
	if err := r.Complete(); err != nil {
		return err
	}
	end, err := d.pings.begin(who)
	if err != nil {
		return err
	}
	defer end()
	if err := d.known(&r); err != nil {
		return err
	}
	if r.Interface != "" {
		if r.Source, err = d.gw.Source(r.VRF, r.Interface); err != nil {
			return err
		}
	}
	var s *probe.Sockets
	if err := d.gw.Within(r.VRF, func() (err error) { s, err = probe.Open(&r, r.Source); return err }); err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, s.Interrupt)()
	gap := time.Millisecond
	if !who.Change {
		gap = lookGap
	}
	f(probe.Event{Begin: &r})
	if err := probe.Run(ctx, s, &r, gap, func(a probe.Answer) { f(probe.Event{Answer: &a}) }); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}
