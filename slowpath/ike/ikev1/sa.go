package ikev1

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// state is how far an SA is. Its names are those of IOS.
type state uint8

const (
	noState      state = iota // MM_NO_STATE: the first message was sent
	saSetup                   // MM_SA_SETUP: the policy is agreed
	keyExchanged              // MM_KEY_EXCH: there are keys
	agNoState                 // AG_NO_STATE
	agInit                    // AG_INIT_EXCH: the first message was sent or answered
	agAuth                    // AG_AUTH
	established               // QM_IDLE
	ended
)

var stateNames = [...]string{"MM_NO_STATE", "MM_SA_SETUP", "MM_KEY_EXCH", "AG_NO_STATE", "AG_INIT_EXCH", "AG_AUTH", "QM_IDLE", "MM_NO_STATE"}

func (s state) String() string { return stateNames[s] }

// sa is an IKE SA (RFC 2408: ISAKMP SA).
type sa struct {
	e          *Engine
	id         ike.SAID
	peer       *peer
	path       ike.Path
	initiator  bool
	aggressive bool
	within     time.Duration // so soon an initiator's first message is to be answered; 0: as usual
	state      state
	ci, cr     ikemsg.SPI
	created    time.Time
	since      time.Time // when it was established
	policy     ike.V1Policy
	lifetime   time.Duration
	keys       keys
	self       ike.Identity
	other      ike.Identity
	profile    string // "": none

	nat           ike.NAT
	natMethod     natMethod
	peerDPD       bool
	peerFragments bool

	p1        *phase1 // nil once it is established
	first     *exchange
	exchanges map[uint32]*exchange // of phase 2
	ids       map[uint32]struct{}  // of phase 2, that were used
	fragments *fragments
	firstKey  firstKey

	replaces ike.SAID // the SA that it was started to take the place of
	retired  bool     // another one took its place
	collided bool     // the peer started another one at the same time (see twins.go)
	// transient: it goes when nothing is left on it, as nobody wants it for itself.
	transient bool
	farewell  []ikev1msg.Delete
	dpd       dpd
	life      timer
	gone      timer // of a retired one
	keepalive,
	flush timer
	toldSPI time.Time // when the peer was last told of an SPI that is not ours
}

// newSA makes an SA that is in negotiation. Admission has let it in.
func (e *Engine) newSA(path ike.Path, initiator bool) *sa {
	s := &sa{
		e: e, id: e.env.NextSA(), path: path, initiator: initiator, created: e.now,
		p1: &phase1{}, exchanges: make(map[uint32]*exchange), ids: make(map[uint32]struct{}),
	}
	s.first = &exchange{e: e, sa: s}
	e.sas[s.id] = s
	e.peer(path).add(s)
	return s
}

// named notes the responder's cookie: from now on both name the SA.
func (s *sa) named(r ikemsg.SPI) {
	s.cr = r
	s.e.byCookies[cookies{s.ci, s.cr}] = s
}

// start begins phase 1 as initiator; within is that of ike.Initiate. nil: it failed at once, and the fault says why.
func (e *Engine) start(path ike.Path, profile string, replaces ike.SAID, within time.Duration) (*sa, *fault) {
	aggressive := false
	if p := e.profile(profile); p != nil {
		aggressive = p.Aggressive
	}
	if !e.env.Admission.Admit(false) {
		e.logged(ike.Log{Kind: ike.LogLimit, Path: path, Why: ike.WhyLimit})
		return nil, faultf(ike.WhyLimit, 0, "call admission")
	}
	s := e.newSA(path, true)
	s.profile, s.aggressive, s.replaces, s.within = profile, aggressive, replaces, within
	s.ci = e.cookie()
	e.ours[s.ci] = s
	s.arm(ike.Identity{})
	s.p1.offered = e.policies(len(s.p1.psk) > 0, s.p1.point != nil)
	if len(s.p1.offered) == 0 {
		f := faultf(ike.WhyNoKey, 0, "no pre-shared key for %s and no certificate of ours that a policy could use", path.Remote.Addr())
		s.end(f.why, false)
		return nil, f
	}
	if aggressive {
		t := &aggressiveInitiator{s}
		s.first.kind, s.first.task = ikev1msg.AggressiveMode, t
		if f := t.start(s.first); f != nil {
			s.end(f.why, false)
			return nil, f
		}
		return s, nil
	}
	t := &mainInitiator{s}
	s.first.kind, s.first.task = ikev1msg.MainMode, t
	t.start(s.first)
	return s, nil
}

// first answers a peer's first message.
func (e *Engine) first(m *message) {
	if e.ours[m.head.Initiator] != nil {
		e.rejected(m.path, nil, faultf(ike.WhyMalformed, 0, "a message of ours came back"))
		return
	}
	if f := e.firstFault(m); f != nil {
		e.rejected(m.path, nil, f)
		return
	}
	if e.env.Admission.Late(e.now) {
		e.stats.Ignored++
		e.traceIgnored(m, "call admission: too many begin at once")
		return // silence: the peer tries again
	}
	p := e.peer(m.path)
	if p.negotiating() >= perPeer || !e.env.Admission.Admit(true) {
		p.leave()
		e.stats.Ignored++
		if e.logs.take(e.now) {
			e.logged(ike.Log{Kind: ike.LogLimit, Path: m.path, Why: ike.WhyLimit})
		}
		return
	}
	s := e.newSA(m.path, false)
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceOpened(s, m)
	}
	s.ci, s.first.kind = m.head.Initiator, m.head.Exchange
	s.aggressive = m.head.Exchange == ikev1msg.AggressiveMode
	if f := s.answerFirst(m); f != nil {
		if f.why == ike.WhyMalformed {
			e.rejected(m.path, s, f)
		} else {
			e.failed(ike.Log{Path: m.path, SA: s.id, Peer: s.other, Why: f.why, Text: f.text})
		}
		e.notice(m.path, s.ci, s.cr, ikev1msg.ProtoISAKMP, f.notify)
		s.end(f.why, false)
	}
}

// firstFault checks what can be without an SA.
func (e *Engine) firstFault(m *message) *fault {
	if m.head.Flags&ikev1msg.FlagEncrypted != 0 || m.head.MessageID != 0 || m.head.NextPayload != ikev1msg.PayloadSA {
		return malformed("not a first message of exchange %d", m.head.Exchange)
	}
	if m.head.Exchange == ikev1msg.AggressiveMode && e.cfg.V1.NoAggressive {
		return faultf(ike.WhyPolicy, 0, "aggressive mode is disabled")
	}
	return m.parse(m.raw[ikemsg.HeaderLen:])
}

// answerFirst chooses a policy and answers.
func (s *sa) answerFirst(m *message) *fault {
	body, f := m.payload(ikev1msg.PayloadSA)
	if f != nil {
		return f
	}
	offer, err := ikev1msg.ParseSA(body)
	if err != nil {
		return malformed("%v", err)
	}
	if offer.DOI != ikev1msg.DOIIPsec || offer.Situation != ikev1msg.SituationIdentity {
		return malformed("domain of interpretation %d, situation %d", offer.DOI, offer.Situation)
	}
	for s.cr == (ikemsg.SPI{}) || s.e.byCookies[cookies{s.ci, s.cr}] != nil {
		s.e.env.Random(s.cr[:])
	}
	var id ike.Identity
	if s.aggressive {
		if id, f = s.identify(m); f != nil {
			return f
		}
		s.other = id
	}
	s.arm(id)
	policy, answer, f := s.choose(m, offer)
	if f != nil {
		return f
	}
	s.policy, s.lifetime = policy, policy.Lifetime
	s.p1.saBody = bytes.Clone(body)
	if s.aggressive {
		t := &aggressiveResponder{s}
		s.first.task = t
		if f := t.start(s.first, m, answer); f != nil {
			return f
		}
	} else {
		t := &mainResponder{s}
		s.first.task = t
		t.start(s.first, m, answer)
	}
	s.named(s.cr)
	s.firstKey = firstKey{m.path.Remote, m.path.VRF, s.ci}
	s.e.firsts[s.firstKey] = s
	return nil
}

// choose picks a policy out of a peer's first message.
func (s *sa) choose(m *message, offer ikev1msg.SA) (ike.V1Policy, ikev1msg.SA, *fault) {
	list := s.e.policies(len(s.p1.psk) > 0, s.p1.point != nil)
	if s.aggressive {
		ke, f := m.payload(ikev1msg.PayloadKE)
		if f != nil {
			return ike.V1Policy{}, ikev1msg.SA{}, f
		}
		list = slices.DeleteFunc(list, func(p ike.V1Policy) bool { return p.Group.PublicLen() != len(ke) })
	}
	if p, answer, ok := choosePolicy(list, offer); ok {
		return p, answer, nil
	}
	if _, _, ok := choosePolicy(s.e.policies(true, true), offer); ok && !s.aggressive {
		return ike.V1Policy{}, ikev1msg.SA{}, faultf(ike.WhyNoKey, ikev1msg.NotifyNoProposalChosen, "no pre-shared key for %s, or no certificate of ours", s.path.Remote.Addr())
	}
	return ike.V1Policy{}, ikev1msg.SA{}, faultf(ike.WhyNoProposal, ikev1msg.NotifyNoProposalChosen, "none of the peer's proposals is a policy of ours: %s", describe(offer))
}

// crowded tells whether there are so many half-open SAs that those who have shown nothing yet get less time.
func (e *Engine) crowded() bool {
	most := e.cfg.Admission.InNegotiation
	if most == 0 {
		most = ike.DefaultInNegotiation
	}
	return e.env.Admission.InNegotiation > most/2
}

// follow takes a path from a message that is authentic and new.
func (s *sa) follow(path ike.Path) {
	if s.path == path {
		return
	}
	s.path = path
	s.keepNAT()
	if p := s.e.peer(path); p != s.peer {
		s.peer.remove(s)
		p.add(s)
	}
}

// establish ends phase 1: both sides are who they say.
func (s *sa) establish(x *exchange) {
	e, contact := s.e, s.p1.contact
	x.task = nil
	e.after(&x.timer, remember, func() {
		x.sent, x.got = nil, nil
		delete(e.firsts, s.firstKey)
	})
	s.p1.clear()
	s.p1 = nil
	s.keys.skeyid.Clear() // what phase 2 needs was made of them
	s.keys.e.Clear()
	s.enter(established)
	s.since = e.now
	e.env.Admission.Established()
	if s.initiator {
		e.stats.Initiated++
	} else {
		e.stats.Responded++
	}
	old := e.sas[s.replaces]
	if old != nil && old.state == established {
		e.stats.Rekeyed++
		e.logged(ike.Log{Kind: ike.LogRekeyed, Path: s.path, SA: s.id, Peer: s.other})
	} else {
		e.logged(ike.Log{Kind: ike.LogSAUp, Path: s.path, SA: s.id, Peer: s.other})
	}
	if contact {
		s.initialContact()
	}
	s.startLife()
	s.keepNAT()
	s.startDPD()
	s.settle()
	s.adopt()
	s.sayFarewell()
	s.peer.ready(s)
}

// initialContact ends what there is of the peer's life before: SAs of the same identity from the same address and port, and their children. What
// was established after this negotiation began belongs to the same life.
func (s *sa) initialContact() {
	for _, o := range slices.Clone(s.peer.sas) {
		if o != s && o.state == established && o.other == s.other && o.path.Remote == s.path.Remote && o.since.Before(s.created) {
			o.end(ike.WhyInitialContact, false)
		}
	}
	for _, c := range slices.Clone(s.peer.children) {
		if c.Peer == s.other && c.Path.Remote == s.path.Remote && c.Created.Before(s.created) {
			c.end(ike.WhyInitialContact)
		}
	}
}

// settle finds SAs with the same peer that this one takes the place of, or that takes its place. Of two that were started by both sides at once, the one with
// the higher cookie of its initiator stays, so that both sides choose the same.
func (s *sa) settle() {
	for _, o := range slices.Clone(s.peer.sas) {
		if o == s || o.state != established || o.retired || o.other != s.other || o.profile != s.profile || o.path.Remote != s.path.Remote || o.path.Local.Addr() != s.path.Local.Addr() {
			continue
		}
		if o.initiator != s.initiator && o.since.Add(crossing).After(s.created) {
			s.collided, o.collided = true, true
			if !o.since.Before(s.created) && bytes.Compare(o.ci[:], s.ci[:]) > 0 {
				s.retire()
				return
			}
		}
		o.retire()
	}
}

// retire ends an SA whose place another one has taken, when nothing is under way on it any more. Who started it tells the peer.
func (s *sa) retire() {
	if s.retired {
		return
	}
	s.retired = true
	s.dpd.stop(s)
	wait := grace
	if !s.initiator {
		wait = graceMost
	}
	s.e.after(&s.gone, wait, s.depart)
}

// startLife rekeys or ends the SA when its time comes. Who started it does so first.
func (s *sa) startLife() {
	soft, _ := s.e.softTime(s.lifetime, s.initiator)
	s.e.after(&s.life, soft, s.aged)
}

// aged starts another SA in the place of this one, if it is still needed.
func (s *sa) aged() {
	e := s.e
	left := s.since.Add(s.lifetime).Sub(e.now)
	if left <= 0 {
		s.expire()
		return
	}
	e.after(&s.life, left, s.expire)
	if s.retired {
		s.renewCarried()
	}
	if !s.retired && len(s.offspring()) > 0 && !e.cfg.V1.Disabled {
		if _, f := e.start(s.path, s.profile, s.id, 0); f != nil {
			e.failed(ike.Log{Path: s.path, SA: s.id, Peer: s.other, Why: f.why, Text: f.text})
		}
	}
}

// expire ends an SA whose lifetime is over. The peer knows that without a word, which might have it take away what is in use.
func (s *sa) expire() { s.end(ike.WhyExpired, len(s.carried()) == 0) }

// offspring are the children that live on the SA.
func (s *sa) offspring() []*child {
	var list []*child
	for _, c := range s.peer.children {
		if c.sa == s {
			list = append(list, c)
		}
	}
	return list
}

// adopt takes the children of the peer that have no SA, or one that is retired, or that it was started for.
func (s *sa) adopt() {
	if s.retired {
		return
	}
	for _, c := range s.peer.children {
		if c.Peer != s.other || c.Path.Remote.Addr() != s.path.Remote.Addr() || c.Encap && c.Path.Remote != s.path.Remote {
			continue
		}
		if c.sa == nil || c.sa.retired || c.sa.state != established {
			c.belong(s)
		}
	}
}

// end ends the SA. Its children stay. tell sends the peer a DELETE.
func (s *sa) end(why ike.Why, tell bool) {
	if s.state == ended {
		return
	}
	e, was := s.e, s.state
	if tell && was == established {
		s.sendDelete(ikev1msg.Delete{DOI: ikev1msg.DOIIPsec, Protocol: ikev1msg.ProtoISAKMP, Size: 16, SPIs: slices.Concat(s.ci[:], s.cr[:])})
	}
	s.enter(ended)
	e.env.Admission.Ended(was != established)
	for _, t := range []*timer{&s.life, &s.gone, &s.keepalive, &s.flush, &s.dpd.timer, &s.first.timer} {
		e.timers.stop(t)
	}
	delete(e.sas, s.id)
	if e.byCookies[cookies{s.ci, s.cr}] == s {
		delete(e.byCookies, cookies{s.ci, s.cr})
	}
	if e.ours[s.ci] == s {
		delete(e.ours, s.ci)
	}
	if e.firsts[s.firstKey] == s {
		delete(e.firsts, s.firstKey)
	}
	s.peer.remove(s)
	if was == established {
		e.logged(ike.Log{Kind: ike.LogSADown, Path: s.path, SA: s.id, Peer: s.other, Why: why})
	}
	for _, x := range s.exchanges {
		e.timers.stop(&x.timer)
	}
	running := make([]*exchange, 0, len(s.exchanges))
	for _, x := range s.exchanges {
		if x.task != nil {
			running = append(running, x)
		}
	}
	slices.SortFunc(running, func(a, b *exchange) int { return cmp.Compare(a.id, b.id) })
	for _, x := range running {
		t := x.task
		x.task = nil
		t.abort(x, why)
	}
	s.unretire()
	for _, c := range slices.Clone(s.peer.children) {
		if c.sa == s {
			c.orphaned()
		}
	}
	s.peer.lost(s, why)
	s.keys.clear()
	if s.p1 != nil {
		s.p1.clear()
	}
	s.peer.leave()
}

// alive notes that the peer was heard of.
func (s *sa) alive() { s.dpd.heard = s.e.now }

// remoteIs tells whether the SA leads to a peer; port 0 is any.
func (s *sa) remoteIs(remote netip.AddrPort) bool { return sameRemote(s.path.Remote, remote) }

// sameRemote tells whether path leads to a peer as it is asked for: port 0 stands for any, and 500 for 4500 too, where NAT takes it.
func sameRemote(path, asked netip.AddrPort) bool {
	floated := asked.Port() == port && path.Port() == natPort
	return path.Addr() == asked.Addr() && (asked.Port() == 0 || asked.Port() == path.Port() || floated)
}
