package bgp

import (
	"context"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// How often the speaker looks whether it has settled, and how long neighbours get then to take up what they were told last.
const (
	settleEvery = time.Second
	settleGrace = 5 * time.Second
)

// watchSettled says, once, that the speaker has settled after its start.
func (s *Speaker) watchSettled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.running && s.settled():
		time.AfterFunc(settleGrace, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.closed {
				s.say(Effects{Settled: true})
			}
		})
	default:
		time.AfterFunc(settleEvery, s.watchSettled)
	}
}

// settled tells whether all neighbours have told all (End-of-RIB, RFC 4724) and have been told all since the start, or have had time enough: those of ranges are
// not known before they come. The caller holds the speaker's lock.
func (s *Speaker) settled() bool {
	if time.Since(s.start) >= s.deferral() {
		return true
	}
	if len(s.cfg.Ranges) > 0 {
		return false
	}
	for _, in := range s.instances {
		for _, l := range in.links {
			if !l.peer.up && !l.config().Shutdown {
				return false
			}
		}
	}
	for _, in := range s.instances {
		if in.anySyncing() {
			return false
		}
	}
	return true
}

// anySyncing tells whether GoBGP still keeps something from some neighbour (syncing).
func (in *instance) anySyncing() (yes bool) {
	_ = in.srv.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) { // an error: there is none
		yes = yes || p.GetGracefulRestart().GetLocalRestarting()
	})
	return yes
}
