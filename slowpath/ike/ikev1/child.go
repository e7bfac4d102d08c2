package ikev1

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

type childState uint8

const (
	childInstalled childState = iota // it takes packets
	childActive                      // it is sent by
)

// child is a child as the engine keeps it: without its keys, which go with Install.
type child struct {
	ike.Child
	e         *Engine
	peer      *peer
	sa        *sa      // nil: the IKE SA is over
	made      ike.SAID // the IKE SA that it was made on, whichever it belongs to now
	state     childState
	old       bool // another one took its place, but what is under way still comes by it
	lostTie   bool // it is old because of what collide.go decides
	behindNAT bool // we are
	exchange  *exchange
	tie       []byte    // the lower of its two nonces
	born      time.Time // when its exchange began
	activated time.Time
	oldSince  time.Time
	heard     time.Time
	start     timer
	age       timer
	burial    timer
	dpd       timer
	keepalive timer
}

// Times of children.
const (
	quiet        = 10 * time.Second // without a packet, an old child is not used any more
	buryAgain    = 5 * time.Second
	rekeyAgain   = 15 * time.Second
	softShare    = 10 // the last tenth of a lifetime is for rekeying
	softLeast    = 30 * time.Second
	softMost     = 270 * time.Second
	bytesPerKB   = 1024 // RFC 2407 section 4.5
	softByteTen  = 9    // tenths of the bytes after which a child is rekeyed
	hardestBytes = 1 << 62
)

// softTime is when to rekey what lives so long. The initiator does so earlier than the responder, to keep out of its way.
func (e *Engine) softTime(life time.Duration, initiator bool) (soft, hard time.Duration) {
	w := min(max(life/softShare, softLeast), softMost, life/4)
	if initiator {
		return e.less(life-w, max(1, int64(2*(life-w)/max(w, 1)))), life
	}
	return e.less(life-w/2, max(1, int64(4*(life-w/2)/max(w, 1)))), life
}

// install makes a child known: its inbound SAs are put in place. c's keys go along, and are the receiver's.
func (e *Engine) install(s *sa, c *child, made ike.Child) {
	c.e, c.sa, c.made = e, s, s.id
	c.Child = made
	c.ESP.In, c.ESP.Out, c.AH.In, c.AH.Out = ike.Keys{}, ike.Keys{}, ike.Keys{}, ike.Keys{}
	c.behindNAT = s.nat.Self
	e.children[c.ID] = c
	s.peer.addChild(c)
	e.emit(ike.Install{Child: made})
	e.after(&c.age, c.Lifetime, c.aged)
}

func (p *peer) addChild(c *child) {
	c.peer = p
	p.children = append(p.children, c)
	p.e.peers[p.key] = p
}

// activate has a child used for sending from now on.
func (c *child) activate() {
	if c.state == childActive {
		return
	}
	e := c.e
	e.timers.stop(&c.start)
	c.state, c.activated = childActive, e.now
	e.emit(ike.Activate{Child: c.ID})
	e.stats.ChildrenMade++
	if c.Replaces != 0 {
		e.stats.ChildrenRekeyed++
	}
	e.logged(c.log(ike.LogChildUp, ike.WhyNone))
	if c.ESP.InSPI != 0 && c.AH.InSPI == 0 && c.Transform.Auth == suite.HashNone && !c.Transform.Cipher.Combined() {
		e.logged(c.log(ike.LogUnprotected, ike.WhyNone))
	}
	if c.Lifetime > 0 {
		soft, _ := e.softTime(c.Lifetime, c.Initiator)
		e.timers.set(&c.age, c.Created.Add(soft), c.aged)
	}
	c.settle()
}

func (c *child) log(kind ike.LogKind, why ike.Why) ike.Log {
	l := ike.Log{
		Kind: kind, Path: c.Path, SA: c.SA, Child: c.ID, Protection: c.Protection, Peer: c.Peer, Why: why,
		InSPI: c.ESP.InSPI, OutSPI: c.ESP.OutSPI,
	}
	if l.InSPI == 0 {
		l.InSPI, l.OutSPI = c.AH.InSPI, c.AH.OutSPI
	}
	return l
}

// aged rekeys a child, or ends it when its lifetime is over.
func (c *child) aged() {
	e := c.e
	left := c.Created.Add(c.Lifetime).Sub(e.now)
	if left <= 0 {
		e.letGo(c, ike.WhyExpired)
		return
	}
	e.after(&c.age, left, c.aged)
	c.rekey()
}

// rekey wants another child in the place of this one.
func (c *child) rekey() {
	p := c.e.cfg.Protection(c.Protection)
	if c.state != childActive || c.old || p == nil || p.ResponderOnly || c.peer.want(c.Protection, c.Path.Remote, c) != nil {
		return
	}
	w := &want{
		e: c.e, peer: c.peer, protection: c.Protection, remote: c.Path.Remote, local: c.Path.Local.Addr(), id: c.Peer, replaces: c,
	}
	c.peer.wants = append(c.peer.wants, w)
	w.pursue()
}

// rekeyFailed tries again while there is time.
func (c *child) rekeyFailed() {
	left := c.Created.Add(c.Lifetime).Sub(c.e.now)
	if c.e.children[c.ID] == c && left > rekeyAgain {
		c.e.after(&c.age, rekeyAgain, c.aged)
	}
}

// belong puts a child under an IKE SA.
func (c *child) belong(s *sa) {
	c.sa, c.SA = s, s.id
	c.e.timers.stop(&c.dpd)
	c.e.timers.stop(&c.keepalive)
}

// orphaned says that the child's IKE SA is over. It stays; another established SA with the peer takes it, if there is one.
func (c *child) orphaned() {
	c.sa = nil
	if s := c.peer.best(c.Path.Local.Addr(), c.sought(), c.Peer, ""); s != nil {
		c.belong(s)
		return
	}
	c.keepNAT()
	c.watchOrphan()
}

// sought is how the child's peer is looked for: with its port where there is NAT.
func (c *child) sought() netip.AddrPort {
	if c.Encap {
		return c.Path.Remote
	}
	return netip.AddrPortFrom(c.Path.Remote.Addr(), 0)
}

// end takes a child away.
func (c *child) end(why ike.Why) {
	e := c.e
	if e.children[c.ID] != c {
		return
	}
	delete(e.children, c.ID)
	for _, t := range []*timer{&c.start, &c.age, &c.burial, &c.dpd, &c.keepalive} {
		e.timers.stop(t)
	}
	e.emit(ike.Remove{Child: c.ID, Why: why})
	for _, spi := range []uint32{c.ESP.InSPI, c.AH.InSPI} {
		if spi != 0 {
			e.env.GiveSPI(spi)
		}
	}
	if c.state == childActive && !c.old || why == ike.WhyTimeout {
		e.logged(c.log(ike.LogChildDown, why))
	}
	c.peer.children = without(c.peer.children, c)
	if w := c.peer.want(c.Protection, c.Path.Remote, c); w != nil {
		w.drop()
	}
	if x := c.exchange; x != nil && x.task != nil {
		x.finish()
	}
	c.peer.leave()
}

// letGo takes a child away and tells the peer.
func (e *Engine) letGo(c *child, why ike.Why) {
	if e.children[c.ID] != c {
		return
	}
	s := c.sa
	if s == nil {
		s = c.peer.best(c.Path.Local.Addr(), c.sought(), c.Peer, "")
	}
	switch {
	case s != nil && s.state == established:
		for _, o := range c.tellers(s) {
			for _, d := range c.deletes() {
				o.sendDelete(d)
			}
		}
	case why == ike.WhyReleased, why == ike.WhyCleared, why == ike.WhyReplaced:
		e.sayLater(c)
	}
	c.end(why)
	if s != nil {
		s.transient = s.transient || why == ike.WhyReleased
		s.idle(why)
	}
}

// inUse tells whether packets are sent by the child.
func (c *child) inUse() bool { return c.state == childActive && !c.old }

// tellers are the SAs that the end of a child is said on: the one that it belongs to, and of two that came up at once both. Not every peer looks for a child
// beyond the SA that it has it on, and which one that is, only the peer knows.
func (c *child) tellers(s *sa) []*sa {
	list := []*sa{s}
	for _, o := range c.peer.sas {
		if o != s && o.state == established && o.collided && o.other == c.Peer && o.path.Local.Addr() == c.Path.Local.Addr() && o.remoteIs(c.sought()) {
			list = append(list, o)
		}
	}
	return list
}

// deletes tell the peer that the child's inbound SAs are gone.
func (c *child) deletes() []ikev1msg.Delete {
	var list []ikev1msg.Delete
	add := func(protocol uint8, spi uint32) {
		if spi != 0 {
			list = append(list, ikev1msg.Delete{DOI: ikev1msg.DOIIPsec, Protocol: protocol, Size: 4, SPIs: spiBytes(spi)})
		}
	}
	add(ikev1msg.ProtoAH, c.AH.InSPI)
	add(ikev1msg.ProtoESP, c.ESP.InSPI)
	return list
}

// sayLater has a deletion said on an SA that is only being made for it.
func (e *Engine) sayLater(c *child) {
	profile := ""
	if p := e.cfg.Protection(c.Protection); p != nil {
		profile = p.ISAKMPProfile
	}
	var s *sa
	for _, o := range c.peer.sas {
		if o.initiator && o.state != established && o.path.Local.Addr() == c.Path.Local.Addr() && o.remoteIs(c.sought()) {
			s = o
			break
		}
	}
	if s == nil {
		var f *fault
		if s, f = e.start(c.Path, profile, 0, 0); f != nil {
			return
		}
		s.transient = true
	}
	s.farewell = append(s.farewell, c.deletes()...)
}

// volume takes a Volume in.
func (e *Engine) volume(ev ike.Volume) {
	c := e.children[ev.Child]
	if c == nil {
		return
	}
	if !ev.Hard {
		c.rekey()
		return
	}
	wanted := c.state == childActive && !c.old
	p := e.cfg.Protection(c.Protection)
	remote, key := c.Path.Remote, c.Protection
	e.letGo(c, ike.WhyExpired)
	if wanted && p != nil && !p.ResponderOnly {
		if !c.Encap {
			remote = netip.AddrPortFrom(remote.Addr(), 0)
		}
		e.initiate(ike.Initiate{Protection: key, Remote: remote})
	}
}

// heard takes in that something authentic came by a child.
func (e *Engine) heard(c *child) {
	before := c.heard
	c.heard = e.now
	if c.sa != nil {
		c.sa.alive()
	}
	if c.state == childInstalled {
		// The peer has the keys, so it has our answer, whether its own has come or not.
		x := c.exchange
		c.activate()
		if x != nil && x.task != nil {
			x.finish()
		}
	}
	c.followPeer(before)
}

// moved takes in that a child's peer is elsewhere: its IKE SA and the other children of that follow.
func (e *Engine) moved(ev ike.Moved) {
	c := e.children[ev.Child]
	if c == nil || !c.Encap || !ev.Remote.IsValid() || c.Path.Remote == ev.Remote {
		return
	}
	path := c.Path
	path.Remote = netip.AddrPortFrom(ev.Remote.Addr().Unmap(), ev.Remote.Port())
	if c.sa != nil {
		c.sa.moveTo(path)
	}
	c.rehome(path)
}

// moveTo follows the peer of an established SA, with its children.
func (s *sa) moveTo(path ike.Path) {
	if s.path == path {
		return
	}
	kin := s.offspring()
	s.follow(path)
	for _, c := range kin {
		if c.Encap {
			c.rehome(path)
		}
	}
}

func (c *child) rehome(path ike.Path) {
	if c.Path == path {
		return
	}
	for _, w := range slices.Clone(c.peer.wants) {
		if w.replaces == c {
			w.remote = path.Remote
		}
	}
	c.Path = path
	c.e.emit(ike.Rehomed{Child: c.ID, Path: path})
	if p := c.e.peer(path); p != c.peer {
		from := c.peer
		from.children = without(from.children, c)
		p.addChild(c)
		for _, w := range slices.Clone(from.wants) {
			if w.replaces == c {
				from.wants = without(from.wants, w)
				w.peer = p
				p.wants = append(p.wants, w)
			}
		}
		from.leave()
	}
}
