package dmvpn

import (
	"time"

	"nave/slowpath/ike"
)

// retryFar is the longest wait between two attempts to reach a peer that is behind NAT and no next hop server: it may be that nobody can call it.
const retryFar = 10 * time.Minute

// maxLately is how many failures are remembered of peers that nobody wants just now.
const maxLately = 4096

// lately is what is remembered of a session that did not come up, when NHRP gives it up and, as often, soon wants it again.
type lately struct {
	tries   int
	retryAt time.Time // not before
	why     ike.Why
	at      time.Time

	barred, barredSelf bool
}

// isFar tells whether the session's peer is behind NAT and may not be there for anybody who calls.
func (s *session) isFar() bool { return s.names[0].Inside.IsValid() }

// remember notes that a session that ends has not come up.
func (m *Machine) remember(s *session) {
	if !s.isFar() && !s.barred || s.tries == 0 || s.lastEnd.IsZero() || s.active != nil || m.now.Sub(s.lastEnd) > retryFar {
		return
	}
	if len(m.lately) >= maxLately {
		for k, l := range m.lately {
			if m.now.Sub(l.at) > retryFar {
				delete(m.lately, k)
			}
		}
		if len(m.lately) >= maxLately {
			return
		}
	}
	again := s.retryAt
	if again.IsZero() {
		again = m.now.Add(m.backoff(s, s.tries))
	}
	m.lately[key{s.protection.ID, s.names[0]}] = lately{s.tries, again, s.lastWhy, s.lastEnd, s.barred, s.barredSelf}
}

// recall gives a new session what is remembered of the one before.
func (m *Machine) recall(s *session) {
	k := key{s.protection.ID, s.names[0]}
	l, ok := m.lately[k]
	if !ok {
		return
	}
	delete(m.lately, k)
	if m.now.Sub(l.at) > 2*retryFar {
		return
	}
	s.barred, s.barredSelf = l.barred, l.barredSelf
	s.tries, s.retryAt, s.lastWhy, s.lastEnd = l.tries, l.retryAt, l.why, l.at
}
