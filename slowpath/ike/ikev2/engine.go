package ikev2

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// Engine is IKEv2 as an ike.Engine.
type Engine struct {
	env       *ike.Env
	cfg       ike.Config
	now       time.Time
	out       []ike.Effect
	sas       map[ikemsg.SPI]*sa // by the SPI that we gave them
	half      map[halfKey]*sa    // SAs that peers started, until the peer has authenticated
	children  map[ike.ChildID]*child
	peers     map[peerKey][]*sa // by where the peer is
	wants     map[want]*sa      // what Initiate asked for and is not there yet
	timers    timers
	touched   []*sa // whose timers are to be set
	cookies   cookies
	stats     ike.Stats
	lastWords []lastWords // a ring
	nextWords int
	told      map[netip.Addr]time.Time // when a peer was last told of an unknown SPI
	rejected  time.Time                // when a rejected message was last logged
	sending   []ike.TracePayload       // of the message that is about to be sent, while that is told
}

// halfKey finds the SA that a repeated first message belongs to.
type halfKey struct {
	spi    ikemsg.SPI
	remote netip.AddrPort
}

// New makes an engine without configuration.
func New(env *ike.Env) *Engine {
	e := &Engine{
		env: env, sas: make(map[ikemsg.SPI]*sa), half: make(map[halfKey]*sa), children: make(map[ike.ChildID]*child),
		peers: make(map[peerKey][]*sa), wants: make(map[want]*sa), told: make(map[netip.Addr]time.Time),
	}
	e.cookies.init(env)
	return e
}

func (e *Engine) emit(f ike.Effect) { e.out = append(e.out, f) }

// take hands out what has been emitted.
func (e *Engine) take() []ike.Effect {
	e.settle()
	out := e.out
	e.out = nil
	return out
}

// Configure implements ike.Engine.
func (e *Engine) Configure(now time.Time, c *ike.Config) []ike.Effect {
	e.now, e.cfg = now, *c
	for _, s := range e.all() {
		e.touch(s)
		if s.state == stateGone || s.profile == nil {
			continue
		}
		p := e.profile(s.profile.Name)
		if p == nil {
			s.close(ike.WhyCleared)
			continue
		}
		s.profile = p
		for _, w := range s.waiting() {
			if e.cfg.Protection(w.protection) == nil {
				s.missed(w.protection, ike.WhyCleared)
			}
		}
		dropped := false
		for _, c := range s.list() {
			if e.cfg.Protection(c.Protection) == nil && c.state != childGone {
				s.dropChild(c, ike.WhyCleared)
				dropped = true
			}
		}
		if dropped {
			s.leaveIfEmpty(ike.WhyCleared)
		}
	}
	return e.take()
}

// Handle implements ike.Engine.
func (e *Engine) Handle(now time.Time, ev ike.Event) []ike.Effect {
	e.now = now
	switch ev := ev.(type) {
	case ike.Received:
		e.receive(ev.Path, ev.Packet)
	case ike.Initiate:
		e.initiate(ev)
	case ike.Release:
		e.release(ev)
	case ike.Drop:
		if c := e.children[ev.Child]; c != nil {
			c.sa.dropChild(c, ike.WhyReleased)
			c.sa.leaveIfEmpty(ike.WhyReleased)
		}
	case ike.Volume:
		e.volume(ev)
	case ike.Heard:
		if c := e.children[ev.Child]; c != nil {
			c.heard()
		}
	case ike.Moved:
		if c := e.children[ev.Child]; c != nil && c.Encap && c.sa.state == stateUp {
			c.sa.move(ike.Path{VRF: c.Path.VRF, Local: c.Path.Local, Remote: ev.Remote})
		}
	case ike.UnknownSPI:
		e.unknownSPI(ev)
	case ike.Clear:
		e.clear(ev)
	case ike.Tick:
		e.tick()
	}
	return e.take()
}

// initiate asks for a child with a peer.
func (e *Engine) initiate(ev ike.Initiate) {
	ev.Remote = netip.AddrPortFrom(ev.Remote.Addr().Unmap(), ev.Remote.Port())
	p := e.cfg.Protection(ev.Protection)
	fail := func(why ike.Why, text string) {
		e.stats.FailedBy[why]++
		e.emit(ike.Log{Kind: ike.LogFailed, Version: 2, Path: ike.Path{Remote: ev.Remote}, Protection: ev.Protection, Why: why, Text: text})
		e.emit(ike.Failed{Protection: ev.Protection, Remote: ev.Remote, Why: why})
	}
	switch {
	case p == nil || p.Version != 2:
		fail(ike.WhyPolicy, "no such protection of IKEv2")
		return
	case p.ResponderOnly:
		fail(ike.WhyPolicy, "the profile only responds")
		return
	case e.profile(p.IKEv2Profile) == nil:
		fail(ike.WhyPolicy, "the IPsec profile names no IKEv2 profile that there is: set ikev2-profile")
		return
	case !ev.Remote.Addr().Is4() || !p.Local.Is4() || p.Remote.IsValid() && p.Remote != ev.Remote.Addr():
		fail(ike.WhyPolicy, "not a peer of the tunnel")
		return
	}
	w := want{ev.Protection, ev.Remote}
	if _, waits := e.wants[w]; waits {
		return
	}
	var up *sa
	for _, s := range e.with(p.VRF, w.remote.Addr()) {
		if ev.Within > 0 && !s.initiator && s.state == stateAuth && s.path.Local.Addr() == p.Local {
			e.await(w, s) // from whichever port: its NAT box may choose one for each that it speaks to
			return
		}
		if !leads(s.path.Remote, w.remote) {
			continue // another peer at the same address
		}
		if s.hasChild(ev.Protection) || s.starting(ev.Protection) {
			return
		}
		if up == nil && s.state == stateUp && s.rekeyed == nil && s.profile.Name == p.IKEv2Profile && s.path.Local.Addr() == p.Local {
			up = s
		}
	}
	if up != nil {
		e.await(w, up)
		up.enqueue(newChildTask(up, p, nil))
		return
	}
	if !e.env.Admission.Admit(false) {
		e.emit(ike.Log{Kind: ike.LogLimit, Version: 2, Protection: p.ID, Path: e.pathTo(p, ev.Remote), Why: ike.WhyLimit})
		e.emit(ike.Failed{Protection: ev.Protection, Remote: ev.Remote, Why: ike.WhyLimit})
		return
	}
	s := e.newSA(e.pathTo(p, ev.Remote), true)
	s.profile, s.protection, s.within = e.profile(p.IKEv2Profile), p.ID, ev.Within
	e.await(w, s)
	s.enqueue(newInit(s))
}

// pathTo is where a peer is first looked for.
func (e *Engine) pathTo(p *ike.Protection, remote netip.AddrPort) ike.Path {
	local, port := uint16(portIKE), remote.Port()
	switch port {
	case 0:
		port = portIKE
	case portIKE:
	default:
		local = portNATT // a peer that is known behind NAT listens there only
	}
	return ike.Path{VRF: p.VRF, Local: netip.AddrPortFrom(p.Local, local), Remote: netip.AddrPortFrom(remote.Addr(), port)}
}

// IKE's ports (RFC 7296 section 2.23).
const (
	portIKE  = 500
	portNATT = 4500
)

// release takes down what leads to a peer.
func (e *Engine) release(ev ike.Release) {
	for _, w := range e.wanting(ev.Protection, ev.Remote) {
		s := e.wants[w]
		e.satisfied(w)
		if s.state == stateInit || s.state == stateAuth {
			s.end(ike.WhyReleased)
		} else {
			s.unaskChild(ev.Protection)
			s.leaveIfEmpty(ike.WhyReleased)
		}
	}
	p := e.cfg.Protection(ev.Protection)
	if p == nil {
		return // its children went with it
	}
	for _, s := range e.with(p.VRF, ev.Remote.Addr()) {
		had := false
		for _, c := range s.list() {
			if c.Protection == ev.Protection && (ev.Remote.Port() == 0 || c.Path.Remote.Port() == ev.Remote.Port()) {
				s.dropChild(c, ike.WhyReleased)
				had = true
			}
		}
		if had {
			s.leaveIfEmpty(ike.WhyReleased)
		}
	}
}

func (e *Engine) childList() []*child {
	list := make([]*child, 0, len(e.children))
	for _, c := range e.children {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *child) int { return int(a.ID) - int(b.ID) })
	return list
}

func (e *Engine) volume(ev ike.Volume) {
	c := e.children[ev.Child]
	if c == nil || c.state != childUp && c.state != childInstalled {
		return
	}
	if !ev.Hard {
		c.rekeyAt = e.now // once it is in use
		e.touch(c.sa)
		c.tick()
		return
	}
	s, p, remote := c.sa, e.cfg.Protection(c.Protection), c.Path.Remote
	s.dropChild(c, ike.WhyExpired)
	if p != nil && !p.ResponderOnly && c.replacedBy == 0 {
		e.initiate(ike.Initiate{Protection: p.ID, Remote: remote})
	}
}

// clear takes down what an operator names.
func (e *Engine) clear(ev ike.Clear) {
	for _, s := range e.all() {
		if ev.SA != 0 && s.id != ev.SA || ev.Remote.IsValid() && s.path.Remote.Addr() != ev.Remote {
			continue
		}
		if ev.Children {
			for _, c := range s.list() {
				s.dropChild(c, ike.WhyCleared)
			}
			continue
		}
		s.close(ike.WhyCleared)
	}
}

// unknownSPI tells a peer, through the SA that we have with it, that it sends to an SPI which is not ours (RFC 7296 section 1.5).
func (e *Engine) unknownSPI(ev ike.UnknownSPI) {
	remote := ev.Path.Remote.Addr()
	if !e.cfg.InvalidSPIRecovery || e.now.Sub(e.told[remote]) < tellEvery {
		return
	}
	for _, s := range e.with(ev.Path.VRF, remote) {
		if s.state == stateUp && s.rekeyed == nil {
			if len(e.told) >= maxTold {
				clear(e.told)
			}
			e.told[remote] = e.now
			spi := []byte{byte(ev.SPI >> 24), byte(ev.SPI >> 16), byte(ev.SPI >> 8), byte(ev.SPI)}
			s.enqueue(&informTask{payloads: []ikev2msg.Out{{Type: ikev2msg.PayloadNotify, Body: ikev2msg.Notify{Type: ikev2msg.InvalidSPI, Data: spi}.Append(nil)}}})
			return
		}
	}
}

const (
	tellEvery = 10 * time.Second
	maxTold   = 4096
)
