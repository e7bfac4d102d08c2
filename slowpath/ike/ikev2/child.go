package ikev2

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// childState is where a child stands.
type childState uint8

const (
	childInstalled childState = iota // its inbound SA is in place
	childUp                          // its outbound SA is used
	childDying                       // replaced; its inbound SA still takes what is on its way
	childGone
)

// child is a pair of IPsec SAs.
type child struct {
	ike.Child
	sa         *sa
	state      childState
	replacedBy ike.ChildID
	rekeyAt    time.Time
	activateAt time.Time // at the latest
	removeAt   time.Time
	rekeying   bool
	known      bool   // the peer was heard by it
	deleted    bool   // the peer has been told
	rivalMin   []byte // the lower nonce of the peer's own attempt to rekey it
	rival      *child
}

const (
	graceTime     = 30 * time.Second // for packets on their way by an old inbound SA
	activateAfter = 30 * time.Second // a rekeyed child is used then, though the peer has not been heard on it
	activateSoon  = 2 * time.Second  // the same of one beside another, which the peer may have no more
	activateTwin  = 500 * time.Millisecond
	activateFirst = 100 * time.Millisecond // the same of the only one: so long the answer is given that has the peer put it in place
	protoGRE      = 47
)

// spi is the inbound SPI of the child's protocol, and out the peer's.
func (c *child) spi() (protocol uint8, in, out uint32) {
	if c.ESP.InSPI != 0 {
		return ikev2msg.ProtoESP, c.ESP.InSPI, c.ESP.OutSPI
	}
	return ikev2msg.ProtoAH, c.AH.InSPI, c.AH.OutSPI
}

// childOffer is a child that we asked for.
type childOffer struct {
	p        *ike.Protection
	old      *child
	esp, ah  uint32
	offered  []ikev2msg.Proposal
	tsi, tsr ikev2msg.Selector
	tunnel   bool
	nat      bool
}

// offer reserves SPIs and makes proposals. old is what it is to replace; ke is groups of a key exchange of its own.
func (s *sa) offer(p *ike.Protection, old *child, ke []suite.Group) (o childOffer, ok bool) {
	o = childOffer{p: p, old: old, nat: s.translated(), esp: s.e.env.TakeSPI(), ah: s.e.env.TakeSPI()}
	if o.offered = offerChild(p, o.esp, o.ah, ke, s.translated()); len(o.offered) == 0 {
		o.giveUp(s)
		return o, false
	}
	o.tunnel = p.Transforms[0].Tunnel
	o.tsi = ikev2msg.Host(s.path.Local.Addr(), protoGRE)
	o.tsr = ikev2msg.Host(s.path.Remote.Addr(), protoGRE)
	return o, true
}

func (o *childOffer) giveUp(s *sa) {
	s.e.env.GiveSPI(o.esp)
	s.e.env.GiveSPI(o.ah)
}

// payloads are those of the child itself: not nonce and key exchange.
func (o *childOffer) payloads() []ikev2msg.Out {
	var list []ikev2msg.Out
	if !o.tunnel {
		list = append(list, notify(ikev2msg.UseTransportMode, nil))
	}
	return append(list,
		notify(ikev2msg.ESPTFCPaddingNotSupported, nil),
		ikev2msg.Out{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, o.offered)},
		ikev2msg.Out{Type: ikev2msg.PayloadTSi, Body: ikev2msg.AppendTS(nil, []ikev2msg.Selector{o.tsi})},
		ikev2msg.Out{Type: ikev2msg.PayloadTSr, Body: ikev2msg.AppendTS(nil, []ikev2msg.Selector{o.tsr})},
	)
}

// chosen reads the peer's choice.
func (o *childOffer) chosen(list []ikemsg.Payload) (c childChoice, ok bool) {
	body, ok := ikev2msg.Find(list, ikev2msg.PayloadSA)
	if !ok {
		return c, false
	}
	answer, err := ikev2msg.ParseSA(body)
	if err != nil {
		return c, false
	}
	offer, transforms, ok := agreed(o.offered, answer)
	if !ok || len(answer[0].SPI) != ikev2msg.SPILenChild {
		return c, false
	}
	// offerChild leaves some sets out, and numbers the others.
	n := 0
	for i := range o.p.Transforms {
		set := &o.p.Transforms[i]
		if set.Tunnel != o.tunnel || !possible(set, o.nat) {
			continue
		}
		if n++; n != int(offer.Number) {
			continue
		}
		c = childChoice{protection: o.p, number: offer.Number, protocol: offer.Protocol, spi: be32(answer[0].SPI)}
		c.read(set, transforms)
		_, transport := has(list, ikev2msg.UseTransportMode)
		c.Tunnel = !transport
		return c, c.spi >= 256 && (transport || !set.Require) && !(transport && o.tunnel)
	}
	return c, false
}

// accept makes the child of an answer: the end of IKE_AUTH and CREATE_CHILD_SA as initiator.
func (o *childOffer) accept(s *sa, list []ikemsg.Payload, ni, nr []byte, shared [][]byte) *child {
	home := s.heir()
	fail := func(why ike.Why, code uint16, text string) *child {
		o.giveUp(s)
		home.log(ike.Log{Kind: ike.LogFailed, Protection: o.p.ID, Why: why, Code: code, Text: text})
		s.e.stats.FailedBy[why]++
		home.missed(o.p.ID, why)
		if o.old == nil {
			home.leaveIfEmpty(why)
		}
		return nil
	}
	if n, bad := errorOf(list); bad {
		return fail(whyOf(n.Type), n.Type, "")
	}
	choice, ok := o.chosen(list)
	if !ok {
		return fail(ike.WhyNoProposal, 0, "the peer chose what was not offered")
	}
	tsi, tsr := selectorsOf(list)
	_, ok1 := granted(tsi, o.tsi, s.nat.Self)
	claimed, ok2 := granted(tsr, o.tsr, s.nat.Peer)
	if !ok1 || !ok2 {
		home.enqueue(o.deletion(&choice))
		return fail(ike.WhySelectors, 0, "the peer chose other addresses or protocols")
	}
	c := s.makeChild(&choice, o, ni, nr, shared, true, claimed)
	c.sa, c.SA = home, home.id
	home.install(c)
	return c
}

// deletion tells the peer that the child it has made is not wanted.
func (o *childOffer) deletion(choice *childChoice) *deleteTask {
	t := &deleteTask{protocol: choice.protocol, spi: o.esp, out: choice.spi}
	if choice.protocol == ikev2msg.ProtoAH {
		t.spi = o.ah
	}
	return t
}

// granted tells whether the peer's selectors are the one that we asked for, and of which address. Behind NAT the peer puts an address there that it
// knows that side by (RFC 7296 section 2.23.1).
func granted(list []ikev2msg.Selector, want ikev2msg.Selector, translated bool) (netip.Addr, bool) {
	if len(list) != 1 {
		return netip.Addr{}, false
	}
	got := list[0]
	return got.Start, got == want || translated && got == ikev2msg.Host(got.Start, want.Protocol)
}

func selectorsOf(list []ikemsg.Payload) (tsi, tsr []ikev2msg.Selector) {
	if body, ok := ikev2msg.Find(list, ikev2msg.PayloadTSi); ok {
		tsi, _ = ikev2msg.ParseTS(body) // what can't be read is nothing
	}
	if body, ok := ikev2msg.Find(list, ikev2msg.PayloadTSr); ok {
		tsr, _ = ikev2msg.ParseTS(body)
	}
	return tsi, tsr
}

// fill gives the child the SPIs of its protocol, and gives the other's back.
func (c *child) fill(s *sa, choice *childChoice, o *childOffer) {
	if choice.protocol == ikev2msg.ProtoESP {
		c.ESP.InSPI, c.ESP.OutSPI = o.esp, choice.spi
		s.e.env.GiveSPI(o.ah)
		o.ah = 0
	} else {
		c.AH.InSPI, c.AH.OutSPI = o.ah, choice.spi
		s.e.env.GiveSPI(o.esp)
		o.esp = 0
	}
}

func (c *child) inbound() uint32 { _, in, _ := c.spi(); return in }

// makeChild derives the keys of a child (RFC 7296 section 2.17). initiator tells whether we asked for it.
func (s *sa) makeChild(choice *childChoice, o *childOffer, ni, nr []byte, shared [][]byte, initiator bool, claimed netip.Addr) *child {
	p := choice.protection
	life := p.Lifetime
	if life == 0 {
		life = ike.DefaultChildLifetime
	}
	c := &child{sa: s, Child: ike.Child{
		ID: s.e.env.NextChild(), SA: s.id, Version: 2, Initiator: initiator, Protection: p.ID, Path: s.path, Encap: s.translated(), NAT: s.nat,
		Transform: choice.Transform, Window: p.Window, PFS: choice.group, Lifetime: life, Created: s.e.now,
		Peer: s.peer, Self: s.self, Claimed: claimed,
	}}
	if p.Kilobytes > 0 {
		c.HardBytes = p.Kilobytes * 1024
		c.SoftBytes = uint64(float64(c.HardBytes) * float64(s.e.soft(1000, initiator)) / 1000)
	}
	c.fill(s, choice, o)
	if o.old != nil {
		c.Replaces = o.old.ID
	}
	integrity, pair := choice.Auth, &c.ESP
	enc := 0
	if choice.protocol == ikev2msg.ProtoAH {
		integrity, pair = choice.AH, &c.AH
	} else if choice.Cipher != suite.CipherNull {
		enc, _ = suite.KeyLen(choice.Cipher, choice.KeyBits) // what was offered is possible
	}
	auth := 0
	if integrity != suite.HashNone {
		auth = integrity.KeyLen()
	}
	mat := suite.V2Keymat(s.choice.PRF, s.keys.D, shared, ni, nr, 2*(enc+auth))
	cut := func(n int) ike.Secret {
		k := slices.Clone(mat[:n])
		clear(mat[:n])
		mat = mat[n:]
		return k
	}
	first, second := &pair.Out, &pair.In // keys of what the exchange's initiator sends come first
	if !initiator {
		first, second = second, first
	}
	first.Cipher, first.Auth = cut(enc), cut(auth)
	second.Cipher, second.Auth = cut(enc), cut(auth)
	return c
}

// install puts the child's inbound SA in place.
func (s *sa) install(c *child) {
	s.children[c.ID], s.e.children[c.ID] = c, c
	s.e.touch(s)
	c.rekeyAt = s.e.now.Add(s.e.soft(c.Lifetime, c.Initiator))
	s.e.emit(ike.Install{Child: c.copied()})
	if c.Replaces == 0 {
		s.e.stats.ChildrenMade++
	} else {
		s.e.stats.ChildrenRekeyed++
	}
	if c.Transform.AH == suite.HashNone && c.Transform.Auth == suite.HashNone && !c.Transform.Cipher.Combined() {
		s.log(ike.Log{Kind: ike.LogUnprotected, Protection: c.Protection, Child: c.ID})
	}
}

// copied is the child with keys of its own, for whoever takes the effect.
func (c *child) copied() ike.Child {
	out := c.Child
	for _, p := range []*ike.Pair{&out.ESP, &out.AH} {
		for _, k := range []*ike.Keys{&p.In, &p.Out} {
			k.Cipher, k.Auth = slices.Clone(k.Cipher), slices.Clone(k.Auth)
		}
	}
	return out
}

// beginUse has a child that the peer has asked for used once the answer is out. Where there is another one to send by, that is used until the peer is heard on the
// new one, or has surely got the answer: packets may overtake it, and the peer takes none by a child that it does not know of yet. What waits for a first child
// is the packet that it was made for, so that is worth a moment, too.
func (s *sa) beginUse(c *child) {
	wait := activateFirst
	if !s.e.env.Afresh(s.path) {
		wait = activateSoon
	}
	for _, o := range s.e.with(s.path.VRF, s.path.Remote.Addr()) {
		if o.hasChild(c.Protection) && o.peer == s.peer && o.path.Remote == s.path.Remote {
			wait = activateSoon
		}
	}
	switch o := s.twin(); {
	case wait == activateSoon && s.fresh: // what the peer had is gone
		s.toActivate = c
		return
	case o != nil:
		wait = activateTwin
	}
	c.activateAt = s.e.now.Add(wait)
}

// starting tells whether a child of a protection, that the peer has asked for, is about to be used.
func (s *sa) starting(protection uint32) bool {
	for _, c := range s.children {
		if c.Protection == protection && c.state == childInstalled && c.replacedBy == 0 && !c.activateAt.IsZero() {
			return true
		}
	}
	return false
}

// activate has the child used for sending, and its predecessor no more.
func (c *child) activate() {
	if c.state != childInstalled {
		return
	}
	e := c.sa.e
	e.touch(c.sa)
	c.state, c.activateAt = childUp, time.Time{}
	_, in, out := c.spi()
	e.emit(ike.Activate{Child: c.ID})
	c.sa.log(ike.Log{Kind: ike.LogChildUp, Protection: c.Protection, Child: c.ID, InSPI: in, OutSPI: out})
	c.Clear() // whoever needs the keys has them
	c.brought()
	if old := e.children[c.Replaces]; old != nil {
		old.replaced(c)
	}
}

// replaced lets the child take what is still on its way, and no more.
func (c *child) replaced(by *child) {
	c.sa.e.touch(c.sa)
	c.replacedBy, c.rekeyAt = by.ID, time.Time{}
	if c.state != childGone {
		c.state, c.removeAt = childDying, c.sa.e.now.Add(graceTime)
	}
}

// remove forgets the child at once, without a word to the peer.
func (c *child) remove(why ike.Why) {
	if c.state == childGone {
		return
	}
	e := c.sa.e
	e.touch(c.sa)
	c.state = childGone
	_, in, out := c.spi()
	if old := e.children[c.Replaces]; old != nil && old.rival == c {
		old.rival, old.rivalMin = nil, nil // it can be replaced again
	}
	e.emit(ike.Remove{Child: c.ID, Why: why})
	if c.replacedBy == 0 {
		c.sa.log(ike.Log{Kind: ike.LogChildDown, Protection: c.Protection, Child: c.ID, InSPI: in, OutSPI: out, Why: why})
	}
	e.env.GiveSPI(in)
	delete(e.children, c.ID)
	delete(c.sa.children, c.ID)
	c.Clear()
}

// dropChild removes a child and tells the peer.
func (s *sa) dropChild(c *child, why ike.Why) {
	protocol, in, out := c.spi()
	told := c.deleted
	c.remove(why)
	if !told && s.state == stateUp && s.rekeyed == nil {
		s.enqueue(&deleteTask{protocol: protocol, spi: in, out: out})
	}
}

// heard is a sign of life from the peer on the child: it uses it.
func (c *child) heard() {
	c.sa.lastHeard = c.sa.e.now
	c.sa.e.touch(c.sa)
	c.activate()
	if !c.known {
		c.known = true
		c.follow()
	}
}

func (c *child) deadline() time.Time {
	if c.state == childGone {
		return time.Time{}
	}
	d := c.removeAt
	if c.state == childInstalled {
		d = earlier(d, c.activateAt)
	}
	if c.state == childUp {
		d = earlier(earlier(d, c.rekeyAt), c.Created.Add(c.Lifetime))
	}
	return d
}

func (c *child) tick() {
	now := c.sa.e.now
	switch {
	case c.state == childGone:
	case due(c.removeAt, now):
		c.sa.dropChild(c, ike.WhyReplaced)
	case c.state == childInstalled && due(c.activateAt, now):
		c.activate()
	case c.state == childUp && !c.Created.Add(c.Lifetime).After(now):
		s, p, remote := c.sa, c.sa.e.cfg.Protection(c.Protection), c.Path.Remote
		s.dropChild(c, ike.WhyExpired)
		if p != nil && !p.ResponderOnly {
			s.e.initiate(ike.Initiate{Protection: p.ID, Remote: remote})
		}
	case c.state == childUp && due(c.rekeyAt, now):
		c.rekeyAt = now.Add(retryRekey)
		c.sa.rekeyChild(c)
	}
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
