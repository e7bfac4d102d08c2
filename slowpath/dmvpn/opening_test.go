package dmvpn

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

var (
	behind = nbma.Behind(ip("198.51.100.9"), ip("10.0.0.9"))
	seenAt = port("198.51.100.9", 20001)
)

// step is something that the machine does while it opens a path: "opener", "IKE" or "unopened", after so many milliseconds.
type step struct {
	ms   int
	what string
}

// opens has a path opened, and lists what the machine does about it.
func (r *rig) opens(calls bool, limit time.Duration) (steps []step) {
	r.t.Helper()
	begun := r.now
	handle := func(ev Event) {
		for _, e := range r.m.Handle(r.now, ev) {
			ms := int(r.now.Sub(begun).Milliseconds())
			switch e := e.(type) {
			case Opener:
				if e.Path != (ike.Path{Local: port("192.0.2.1", 4500), Remote: seenAt}) {
					r.t.Errorf("an opener goes by %+v", e.Path)
				}
				steps = append(steps, step{ms, "opener"})
			case ToIKE:
				if i, ok := e.Event.(ike.Initiate); ok && ms > 5000 {
					steps = append(steps, step{ms, "IKE as ever"}) // NHRP has not given it up
				} else if ok {
					if i.Remote != seenAt || i.Within != time.Duration(1000-ms)*time.Millisecond {
						r.t.Errorf("IKE is asked for %+v after %d ms", i, ms)
					}
					steps = append(steps, step{ms, "IKE"})
				} else {
					r.toIKE = append(r.toIKE, e.Event)
				}
			case Unopened:
				if e.Iface != "Tunnel0" || e.NBMA != behind {
					r.t.Errorf("%+v", e)
				}
				steps = append(steps, step{ms, "unopened"})
			default:
				r.do([]Effect{e})
			}
		}
	}
	handle(Open{Iface: "Tunnel0", NBMA: behind, Endpoint: seenAt, Calls: calls})
	handle(Wanted{"Tunnel0", behind})
	for end := begun.Add(limit); ; {
		at := r.m.Deadline()
		if at.IsZero() || at.After(end) {
			r.now = end
			return steps
		}
		r.now = at
		handle(Tick{})
	}
}

func wantSteps(t *testing.T, got []step, want ...step) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
		return
	}
	for k := range got {
		if got[k] != want[k] {
			t.Errorf("step %d: got %v, want %v", k, got[k], want[k])
		}
	}
}

// Who has asked calls at once; who was asked sends openers first. IKE is not asked for the standard port.
func TestOpening(t *testing.T) {
	r := newRig(t)
	wantSteps(t, r.opens(true, 900*time.Millisecond), step{0, "IKE"})
	r = newRig(t)
	wantSteps(t, r.opens(false, 900*time.Millisecond), step{0, "opener"}, step{80, "opener"}, step{120, "IKE"}, step{160, "opener"}, step{240, "opener"}, step{320, "opener"})
	// The child comes to the session that asked, by whatever name the peer has there.
	id := r.child("198.51.100.9", func(c *ike.Child) {
		c.Initiator, c.Encap, c.Path.Local, c.Path.Remote, c.Claimed = true, true, port("192.0.2.1", 4500), seenAt, seenAt.Addr()
	})
	r.event(FromIKE{ike.Install{Child: id}}, FromIKE{ike.Activate{Child: id.ID}})
	if !r.up[want{"Tunnel0", behind}].Up || len(r.m.sessions) != 1 {
		t.Errorf("up %v", r.up)
	}
	s := r.m.Status(r.now).Sessions[0]
	if !s.Opened || s.Opening || s.Endpoint != seenAt || s.Inside != behind.Inside {
		t.Errorf("status %+v", s)
	}
	r.wait(time.Minute)
	if r.logged(LogUnopened) != 0 || r.logged(LogSessionDown) != 0 {
		t.Errorf("logs %+v", r.logs)
	}
	r.remove(id.ID, ike.WhyDeadPeer)
	r.event(Released{"Tunnel0", behind})
	r.wait(time.Minute)
	if len(r.m.sessions)+len(r.m.endpoints)+len(r.sas) != 0 || !r.m.Deadline().IsZero() {
		t.Errorf("left over: %v, %v", r.m.sessions, r.m.endpoints)
	}
}

// IKE says that nobody answers, or says nothing at all: NHRP hears of it, once.
func TestOpeningFails(t *testing.T) {
	r := newRig(t)
	r.opens(true, time.Second)
	var told []Effect
	for _, e := range r.m.Handle(r.now, FromIKE{ike.Failed{Protection: 7, Remote: seenAt, Why: ike.WhyTimeout}}) {
		if _, ok := e.(Unopened); ok {
			told = append(told, e)
		}
		if ev, ok := e.(ToIKE); ok {
			t.Errorf("IKE is told %+v", ev.Event)
		}
	}
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
	r = newRig(t)
	got := r.opens(true, 20*time.Second)
	if len(got) < 2 || got[0] != (step{0, "IKE"}) || got[1] != (step{5000, "unopened"}) {
		t.Errorf("got %v", got)
	}
	released := false
	for _, e := range r.take() {
		if ev, ok := e.(ike.Release); ok && ev.Remote == seenAt {
			released = true
		}
	}
	if !released {
		t.Error("IKE goes on")
	}
}

// What is asked for again too soon is not begun again, nor what can't be.
func TestOpeningIsRare(t *testing.T) {
	r := newRig(t)
	r.opens(false, time.Second)
	r.event(FromIKE{ike.Failed{Protection: 7, Remote: seenAt, Why: ike.WhyTimeout}}, Released{"Tunnel0", behind})
	r.now = r.now.Add(time.Second)
	if got := r.opens(false, time.Second); len(got) != 0 {
		t.Errorf("again after two seconds: %v", got)
	}
	for _, ev := range []Open{
		{Iface: "Tunnel5", NBMA: behind, Endpoint: seenAt},
		{Iface: "Tunnel0", NBMA: behind, Endpoint: port("203.0.113.200", 20001)}, // a third party
		{Iface: "Tunnel0", NBMA: behind, Endpoint: netip.AddrPortFrom(behind.Addr, 0)},
	} {
		r := newRig(t)
		if r.event(ev); len(r.m.sessions) != 0 {
			t.Errorf("%+v begins something", ev)
		}
	}
}
