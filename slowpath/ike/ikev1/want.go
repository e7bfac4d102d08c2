package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
)

// want is a child that is to be made: asked for by Initiate, or in the place of one that grows old.
type want struct {
	e          *Engine
	peer       *peer
	protection uint32
	remote     netip.AddrPort // port 0: any
	within     time.Duration  // ike.Initiate
	since      time.Time
	local      netip.Addr
	id         ike.Identity // who it has to be; IDNone: anybody
	replaces   *child       // nil: none
	sa         *sa          // that it waits for, or runs on
	quick      *exchange
	tries      int
	pause      timer
}

// Times of wants.
const (
	wantPause = 3 * time.Second // a peer's own negotiation of the same is waited for
	wantTries = 3               // SAs that may end under one
	calling   = time.Second     // a peer that has just come up is about to make the child itself, where both began at once
)

// initiate takes an Initiate in.
func (e *Engine) initiate(ev ike.Initiate) {
	remote := netip.AddrPortFrom(ev.Remote.Addr().Unmap(), ev.Remote.Port())
	fail := func(why ike.Why, text string) {
		e.failed(ike.Log{Protection: ev.Protection, Path: ike.Path{Remote: remote}, Why: why, Text: text})
		e.emit(ike.Failed{Protection: ev.Protection, Remote: ev.Remote, Why: why})
	}
	p := e.cfg.Protection(ev.Protection)
	switch {
	case p == nil || e.cfg.V1.Disabled:
		fail(ike.WhyPolicy, "no such protection")
		return
	case p.ResponderOnly:
		fail(ike.WhyPolicy, "the profile only responds")
		return
	case !remote.Addr().Is4() || !p.Local.Is4() || p.Remote.IsValid() && p.Remote != remote.Addr():
		fail(ike.WhyPolicy, "not a peer of the protection")
		return
	}
	host := e.peer(ike.Path{VRF: p.VRF, Remote: remote})
	if host.child(p.ID, remote) != nil || host.want(p.ID, remote, nil) != nil {
		host.leave()
		return
	}
	w := &want{e: e, peer: host, protection: p.ID, remote: remote, local: p.Local, within: ev.Within, since: e.now}
	host.wants = append(host.wants, w)
	w.pursue()
}

// child is one of a protection with a peer that is in use, or about to be, and not on its way out; nil: there is none.
func (p *peer) child(protection uint32, remote netip.AddrPort) *child {
	for _, c := range p.children {
		if c.Protection == protection && sameRemote(c.Path.Remote, remote) && (c.state == childActive || c.Initiator) && !c.old {
			return c
		}
	}
	return nil
}

func (p *peer) want(protection uint32, remote netip.AddrPort, replaces *child) *want {
	for _, w := range p.wants {
		if w.protection == protection && w.remote == remote && w.replaces == replaces {
			return w
		}
	}
	return nil
}

// path is where to begin phase 1.
func (w *want) path(p *ike.Protection) ike.Path {
	local, remote := uint16(port), w.remote.Port()
	if w.replaces != nil {
		return w.replaces.Path
	}
	switch remote {
	case 0:
		remote = port
	case port:
	default:
		local = natPort // the peer is behind NAT, and this is the mapping that it has
	}
	return ike.Path{VRF: p.VRF, Local: netip.AddrPortFrom(p.Local, local), Remote: netip.AddrPortFrom(w.remote.Addr(), remote)}
}

// suits tells whether an SA leads to whom the child is wanted with.
func (w *want) suits(s *sa) bool {
	p := w.e.cfg.Protection(w.protection)
	return p != nil && s.path.Local.Addr() == w.local && s.remoteIs(w.remote) && (w.id.Kind == ike.IDNone || w.id == s.other) &&
		(p.ISAKMPProfile == "" || p.ISAKMPProfile == s.profile)
}

// pursue gets ahead: quick mode if there is an SA, otherwise an SA.
func (w *want) pursue() {
	e := w.e
	p := e.cfg.Protection(w.protection)
	switch {
	case w.quick != nil:
		return
	case p == nil:
		w.fail(ike.WhyPolicy, 0, "the protection is gone")
		return
	case w.replaces == nil && (w.peer.child(w.protection, w.remote) != nil || w.within > 0 && w.called()):
		w.drop()
		return
	case w.replaces != nil && (w.replaces.state != childActive || w.replaces.old):
		w.drop()
		return
	}
	if w.replaces == nil {
		w.local = p.Local
	}
	if w.peer.answering(w.protection, w.remote) {
		e.after(&w.pause, wantPause, w.pursue)
		return
	}
	if w.within > 0 && w.peer.calls() {
		e.after(&w.pause, calling, w.pursue)
		return
	}
	if s := w.peer.best(w.local, w.remote, w.id, p.ISAKMPProfile); s != nil {
		w.sa = s
		s.startQuick(w, p)
		return
	}
	switch {
	case w.sa == nil:
	case w.sa.state < established:
		return // it will come
	case w.sa.state == established:
		w.fail(ike.WhyIdentity, 0, "the IKE SA that came up does not fit")
		return
	}
	w.sa = nil
	for _, s := range w.peer.sas {
		if s.initiator && s.state != established && w.suitsPath(s, p) {
			w.sa = s
			return
		}
	}
	s, f := e.start(w.path(p), p.ISAKMPProfile, 0, w.within)
	if f != nil {
		w.fail(f.why, 0, f.text)
		return
	}
	w.sa = s
}

// calls tells whether an SA is on its way that the peer started, or was a moment ago. Its NAT box may choose a port for each that it speaks to, so it counts from whichever port it
// comes.
func (p *peer) calls() bool {
	return slices.ContainsFunc(p.sas, func(s *sa) bool {
		return !s.initiator && (s.state < established || s.state == established && p.e.now.Sub(s.since) < calling)
	})
}

// called tells whether the peer has made the child meanwhile.
func (w *want) called() bool {
	return slices.ContainsFunc(w.peer.children, func(c *child) bool {
		return c.Protection == w.protection && !c.Initiator && !c.old && c.state == childActive && !c.born.Before(w.since)
	})
}

// suitsPath tells whether an SA that is in negotiation will be what is needed.
func (w *want) suitsPath(s *sa, p *ike.Protection) bool {
	return s.path.Local.Addr() == w.local && s.remoteIs(w.remote) && s.profile == p.ISAKMPProfile
}

// answering tells whether the peer is about to make a child of the same kind itself.
func (p *peer) answering(protection uint32, remote netip.AddrPort) bool {
	return slices.ContainsFunc(p.children, func(c *child) bool {
		return c.Protection == protection && sameRemote(c.Path.Remote, remote) && c.state == childInstalled && !c.Initiator
	})
}

// lost says that the SA ended that the child was to be made on.
func (w *want) lost(why ike.Why) {
	wasQuick := w.quick != nil
	w.sa, w.quick = nil, nil
	if w.tries++; w.tries >= wantTries || !wasQuick && w.other() == nil {
		w.fail(why, 0, "")
		return
	}
	w.pursue()
}

// other is an established SA that would do.
func (w *want) other() *sa {
	p := w.e.cfg.Protection(w.protection)
	if p == nil {
		return nil
	}
	return w.peer.best(w.local, w.remote, w.id, p.ISAKMPProfile)
}

// drop takes the want away, for whatever reason.
func (w *want) drop() {
	w.e.timers.stop(&w.pause)
	w.peer.wants = without(w.peer.wants, w)
	if w.quick != nil {
		x := w.quick
		w.quick = nil
		x.task.abort(x, ike.WhyReleased)
		x.forget()
	}
	w.peer.leave()
}

// done says that the child was made.
func (w *want) done() {
	w.quick = nil
	w.drop()
}

// fail says that it was not. code is the peer's notification, if one said so.
func (w *want) fail(why ike.Why, code uint16, text string) {
	w.quick = nil
	w.drop()
	l := ike.Log{Protection: w.protection, Path: ike.Path{Remote: w.remote}, Why: why, Code: code, Text: text, Peer: w.id}
	if w.sa != nil {
		l.Path, l.SA, l.Peer = w.sa.path, w.sa.id, w.sa.other
	}
	if w.replaces != nil {
		w.e.failed(l)
		w.replaces.rekeyFailed()
		return
	}
	if w.sa != nil || text != "" {
		w.e.failed(l) // otherwise the SA has said so
	}
	w.e.emit(ike.Failed{Protection: w.protection, Remote: w.remote, Why: why})
}

// release takes a Release in.
func (e *Engine) release(ev ike.Release) {
	remote := netip.AddrPortFrom(ev.Remote.Addr().Unmap(), ev.Remote.Port())
	prot := e.cfg.Protection(ev.Protection)
	if prot == nil {
		return // what it had went with it
	}
	if p := e.peers[peerKey{prot.VRF, remote.Addr()}]; p != nil {
		for _, w := range slices.Clone(p.wants) {
			if w.protection == ev.Protection && (remote.Port() == 0 || w.remote == remote) {
				s := w.sa
				w.drop()
				if s != nil && s.state != established && s.initiator && !p.waited(s) {
					s.end(ike.WhyReleased, false)
				}
			}
		}
		for _, c := range slices.Clone(p.children) {
			if c.Protection == ev.Protection && sameRemote(c.Path.Remote, remote) {
				e.letGo(c, ike.WhyReleased)
			}
		}
	}
}

// waited tells whether anything waits for an SA.
func (p *peer) waited(s *sa) bool {
	return len(s.farewell) > 0 || s.replaces != 0 || slices.ContainsFunc(p.wants, func(w *want) bool { return w.sa == s })
}
