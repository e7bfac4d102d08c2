package ikev2

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// childTask is CREATE_CHILD_SA for a child, new or in the place of another.
type childTask struct {
	p       *ike.Protection
	old     *child
	nonce   []byte
	kex     suite.KeyExchange
	offer   childOffer
	unasked bool // whoever wanted the child does not any more
}

func newChildTask(s *sa, p *ike.Protection, old *child) *childTask {
	t := &childTask{p: p, old: old, nonce: make([]byte, nonceLen)}
	s.e.env.Random(t.nonce)
	return t
}

// rekeyChild starts to replace a child, if nobody does yet.
func (s *sa) rekeyChild(c *child) {
	p := s.e.cfg.Protection(c.Protection)
	if c.state != childUp || c.rekeying || c.rival != nil || p == nil || p.ResponderOnly || s.state != stateUp || s.rekeyed != nil {
		return
	}
	c.rekeying = true
	s.enqueue(newChildTask(s, p, c))
}

// abandon gives back what the exchange has reserved: no answer will come.
func (t *childTask) abandon(s *sa) {
	t.offer.giveUp(s)
	if t.kex != nil {
		t.kex.Clear()
	}
}

// unaskChild has a child that is asked for, but not there yet, taken away as soon as it is.
func (s *sa) unaskChild(protection uint32) {
	is := func(t task) bool {
		c, ok := t.(*childTask)
		return ok && c.old == nil && c.p.ID == protection
	}
	s.queue = slices.DeleteFunc(s.queue, is)
	if s.pending != nil && is(s.pending.task) {
		s.pending.task.(*childTask).unasked = true
	}
}

func (t *childTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	if t.old != nil && (t.old.state != childUp || t.old.rival != nil) {
		t.old.rekeying = false
		return 0, nil, false
	}
	if t.old == nil && !s.wanted(t.p.ID) { // it has come by another way
		return 0, nil, false
	}
	groups := pfsGroups(t.p, false)
	var list []ikev2msg.Out
	if t.old != nil {
		protocol, in, _ := t.old.spi()
		n := ikev2msg.Notify{Protocol: protocol, SPI: binary.BigEndian.AppendUint32(nil, in), Type: ikev2msg.RekeySA}
		list = append(list, ikev2msg.Out{Type: ikev2msg.PayloadNotify, Body: n.Append(nil)})
	}
	var ok bool
	if t.offer, ok = s.offer(t.p, t.old, groups); !ok {
		t.fail(s, ike.WhyPolicy)
		return 0, nil, false
	}
	list = append(list, t.offer.payloads()...)
	list = append(list, ikev2msg.Out{Type: ikev2msg.PayloadNonce, Body: t.nonce})
	if len(groups) > 0 {
		kex, err := suite.NewKeyExchange(groups[0], s.e.env.Rand)
		if err != nil {
			t.offer.giveUp(s)
			t.fail(s, ike.WhyPolicy)
			return 0, nil, false
		}
		t.kex = kex
		list = append(list, ikev2msg.Out{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(groups[0]), Data: kex.Public()}.Append(nil)})
	}
	return ikev2msg.ExchangeCreateChild, list, true
}

// fail tells who waits for the child.
func (t *childTask) fail(s *sa, why ike.Why) {
	if t.old != nil {
		t.old.rekeying = false
	}
	s.heir().missed(t.p.ID, why)
}

func (t *childTask) process(s *sa, list []ikemsg.Payload) {
	if t.kex != nil {
		defer t.kex.Clear()
	}
	old := t.old
	if old != nil {
		old.rekeying = false
	}
	if s.state != stateUp { // it ends, and all that was made on it
		t.offer.giveUp(s)
		return
	}
	n, bad := errorOf(list)
	if bad && old != nil {
		t.offer.giveUp(s)
		t.refused(s, n)
		return
	}
	nonce, _ := ikev2msg.Find(list, ikev2msg.PayloadNonce)
	shared, ok := t.shared(list)
	if _, err := ikev2msg.ParseNonce(nonce); (err != nil || !ok) && !bad {
		t.offer.giveUp(s)
		t.fail(s, ike.WhyMalformed)
		return
	}
	for _, x := range shared {
		defer clear(x)
	}
	if t.superfluous(s, list, nonce) {
		return
	}
	c := t.offer.accept(s, list, t.nonce, slices.Clone(nonce), shared)
	if c == nil {
		return
	}
	if old != nil && old.rival != nil {
		old.rival.replacedBy = c.ID // the peer takes it away
		old.rival.activateAt, old.rival.removeAt = time.Time{}, s.e.now.Add(graceTime)
	}
	if old != nil && old.state == childGone {
		c.Replaces = 0
	}
	c.activate()
	if old != nil && old.state != childGone {
		protocol, in, out := old.spi()
		old.deleted = true
		old.sa.enqueue(&deleteTask{protocol: protocol, spi: in, out: out})
	}
}

// superfluous takes the child of an answer away again where it is not to be: nobody wants it any more, or the peer replaced the old child too and whoever
// made the new one with the lowest nonce takes that away (RFC 7296 section 2.8.1).
func (t *childTask) superfluous(s *sa, list []ikemsg.Payload, nonce []byte) bool {
	lost := t.old != nil && t.old.rival != nil && bytes.Compare(lower(t.nonce, nonce), t.old.rivalMin) < 0
	if !lost && !t.unasked {
		return false
	}
	if lost && t.old.rival.state == childInstalled {
		t.old.rival.activateAt = s.e.now.Add(activateAfter)
		s.e.touch(t.old.rival.sa)
	}
	if choice, ok := t.offer.chosen(list); ok {
		s.heir().enqueue(t.offer.deletion(&choice))
	}
	t.offer.giveUp(s)
	s.heir().leaveIfEmpty(ike.WhyReleased)
	return true
}

// shared is the secret of the child's own key exchange, if there is to be one.
func (t *childTask) shared(list []ikemsg.Payload) (out [][]byte, ok bool) {
	if t.kex == nil {
		return nil, true
	}
	body, found := ikev2msg.Find(list, ikev2msg.PayloadKE)
	if !found {
		return nil, false
	}
	ke, err := ikev2msg.ParseKE(body)
	if err != nil || suite.Group(ke.Group) != t.p.PFS {
		return nil, false
	}
	x, err := t.kex.Shared(ke.Data)
	return [][]byte{x}, err == nil
}

// refused is for a rekey that the peer does not do.
func (t *childTask) refused(s *sa, n ikev2msg.Notify) {
	old := t.old
	s.e.touch(old.sa)
	switch n.Type {
	case ikev2msg.TemporaryFailure:
		old.rekeyAt = s.e.now.Add(time.Duration(2+3*s.e.env.Jitter.Float64()) * time.Second)
	case ikev2msg.ChildSANotFound:
		if old.state == childUp && old.rival == nil {
			remote := old.Path.Remote
			old.remove(ike.WhyPeerDeleted)
			s.e.initiate(ike.Initiate{Protection: t.p.ID, Remote: remote})
		}
	default:
		old.rekeyAt = s.e.now.Add(retryRekey)
		s.log(ike.Log{Kind: ike.LogFailed, Protection: t.p.ID, Child: old.ID, Why: whyOf(n.Type), Code: n.Type, Text: "rekey"})
	}
}

// lower is the lower of two nonces.
func lower(a, b []byte) []byte {
	if bytes.Compare(a, b) <= 0 {
		return a
	}
	return b
}

// maxChildren bounds what a peer can have on one SA, children that are on their way out included.
const maxChildren = 64

// createChild is CREATE_CHILD_SA, as responder.
func (s *sa) createChild(list []ikemsg.Payload) []ikev2msg.Out {
	if s.rekeyed != nil || s.state != stateUp {
		return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)}
	}
	body, ok := ikev2msg.Find(list, ikev2msg.PayloadSA)
	nonce, ok2 := ikev2msg.Find(list, ikev2msg.PayloadNonce)
	if _, err := ikev2msg.ParseNonce(nonce); !ok || !ok2 || err != nil {
		return []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
	}
	proposals, err := ikev2msg.ParseSA(body)
	if err != nil {
		return []ikev2msg.Out{notify(ikev2msg.InvalidSyntax, nil)}
	}
	if proposals[0].Protocol == ikev2msg.ProtoIKE {
		return s.respondRekey(list, proposals, slices.Clone(nonce))
	}
	if s.rekeying {
		return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)}
	}
	if len(s.children) >= maxChildren {
		return []ikev2msg.Out{notify(ikev2msg.NoAdditionalSAs, nil)}
	}
	var old *child
	if n, rekeys := has(list, ikev2msg.RekeySA); rekeys {
		old = s.byOutSPI(n.Protocol, n.SPI)
		if old == nil || old.state == childDying && old.deleted {
			if s.deleting(n.Protocol, n.SPI) {
				return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)}
			}
			missing := ikev2msg.Notify{Protocol: n.Protocol, SPI: n.SPI, Type: ikev2msg.ChildSANotFound}
			return []ikev2msg.Out{{Type: ikev2msg.PayloadNotify, Body: missing.Append(nil)}}
		}
		if old.state != childUp || old.rival != nil {
			return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)}
		}
	}
	nr := make([]byte, nonceLen)
	s.e.env.Random(nr)
	out, c := s.respondChild(list, slices.Clone(nonce), nr, old, false)
	if c != nil && old != nil {
		old.rival, old.rivalMin = c, lower(nonce, nr)
		c.activateAt = s.e.now.Add(activateAfter)
	}
	return out
}

// deleting tells whether the peer is about to hear, and may not have heard yet, of the end of the child that it sends by this SPI.
func (s *sa) deleting(protocol uint8, spi []byte) bool {
	is := func(t task) bool {
		d, ok := t.(*deleteTask)
		return ok && d.protocol == protocol && len(spi) == ikev2msg.SPILenChild && d.out == be32(spi)
	}
	return s.pending != nil && is(s.pending.task) || slices.ContainsFunc(s.queue, is)
}

// hasChild tells whether a child of a protection is in use.
func (s *sa) hasChild(protection uint32) bool {
	for _, c := range s.children {
		if c.Protection == protection && c.state == childUp && c.replacedBy == 0 {
			return true
		}
	}
	return false
}

func (s *sa) byOutSPI(protocol uint8, spi []byte) *child {
	if len(spi) != ikev2msg.SPILenChild {
		return nil
	}
	for _, c := range s.children {
		if p, _, out := c.spi(); p == protocol && out == be32(spi) {
			return c
		}
	}
	return nil
}

// respondChild makes a child that the peer asks for. Without one, what it returns is the error.
func (s *sa) respondChild(list []ikemsg.Payload, ni, nr []byte, old *child, inAuth bool) ([]ikev2msg.Out, *child) {
	refuse := func(code uint16, data []byte, why ike.Why, text string) ([]ikev2msg.Out, *child) {
		s.log(ike.Log{Kind: ike.LogFailed, Why: why, Text: text})
		s.e.stats.FailedBy[why]++
		return []ikev2msg.Out{notify(code, data)}, nil
	}
	body, ok := ikev2msg.Find(list, ikev2msg.PayloadSA)
	if !ok {
		return nil, nil // IKE_AUTH without a child (RFC 6023)
	}
	proposals, err := ikev2msg.ParseSA(body)
	if err != nil {
		return refuse(ikev2msg.InvalidSyntax, nil, ike.WhyMalformed, err.Error())
	}
	_, transport := has(list, ikev2msg.UseTransportMode)
	tsi, tsr, claimed, ok := s.selectors(list, transport)
	if !ok {
		return refuse(ikev2msg.TSUnacceptable, nil, ike.WhySelectors, s.strange(list))
	}
	allowed := permitted(s.e.protections(s.path, s.profile.Name), s.peer, s.path)
	if old != nil {
		allowed = slices.DeleteFunc(allowed, func(p *ike.Protection) bool { return p.ID != old.Protection })
	}
	choice, ok := s.choose(allowed, proposals, transport, inAuth)
	if !ok {
		return refuse(ikev2msg.NoProposalChosen, nil, ike.WhyNoProposal, "no transform set fits what the peer offers for the child")
	}
	choice.Tunnel = !transport || choice.Tunnel
	var shared [][]byte
	var ke *ikev2msg.Out
	if choice.group != suite.GroupNone {
		var code uint16
		if ke, shared, code = s.childKE(list, choice.group); code != 0 {
			return refuse(code, binary.BigEndian.AppendUint16(nil, uint16(choice.group)), ike.WhyNoProposal, "the child's key exchange is of another group")
		}
		defer clear(shared[0])
	}
	o := childOffer{esp: s.e.env.TakeSPI(), ah: s.e.env.TakeSPI(), old: old}
	c := s.makeChild(&choice, &o, ni, nr, shared, false, claimed)
	s.install(c)
	if old == nil {
		s.beginUse(c)
	}
	return s.childAnswer(c, &choice, nr, ke, tsi, tsr, transport, inAuth), c
}

// choose looks for a set of the mode asked for first.
func (s *sa) choose(allowed []*ike.Protection, proposals []ikev2msg.Proposal, transport, inAuth bool) (childChoice, bool) {
	groups := func(p *ike.Protection) []suite.Group { return pfsGroups(p, true) }
	if inAuth { // a first child has no key exchange of its own, whatever is offered
		groups = func(*ike.Protection) []suite.Group { return nil }
		proposals = slices.Clone(proposals)
		for i := range proposals {
			proposals[i].Transforms = slices.DeleteFunc(slices.Clone(proposals[i].Transforms), func(t ikev2msg.Transform) bool {
				return t.Type == ikev2msg.TransformKE || t.Type >= ikev2msg.TransformADD1
			})
		}
	}
	var same []*ike.Protection
	for _, p := range allowed {
		q := *p
		q.Transforms = slices.DeleteFunc(slices.Clone(p.Transforms), func(t ike.Transform) bool { return t.Tunnel == transport })
		same = append(same, &q)
	}
	c, ok := chooseChild(same, proposals, groups, transport, s.translated())
	if !ok {
		c, ok = chooseChild(allowed, proposals, groups, transport, s.translated())
	}
	return c, ok
}

// childKE answers the key exchange of a child.
func (s *sa) childKE(list []ikemsg.Payload, g suite.Group) (out *ikev2msg.Out, shared [][]byte, code uint16) {
	body, ok := ikev2msg.Find(list, ikev2msg.PayloadKE)
	if !ok {
		return nil, nil, ikev2msg.InvalidKEPayload
	}
	ke, err := ikev2msg.ParseKE(body)
	if err != nil || ke.Group != uint16(g) {
		return nil, nil, ikev2msg.InvalidKEPayload
	}
	public, x, err := suite.Respond(g, s.e.env.Rand, ke.Data)
	if err != nil {
		return nil, nil, ikev2msg.InvalidSyntax
	}
	return &ikev2msg.Out{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(g), Data: public}.Append(nil)}, [][]byte{x}, 0
}

// childAnswer is the payloads that answer for a child.
func (s *sa) childAnswer(c *child, choice *childChoice, nr []byte, ke *ikev2msg.Out, tsi, tsr ikev2msg.Selector, transport, inAuth bool) []ikev2msg.Out {
	var out []ikev2msg.Out
	if transport && !choice.Tunnel {
		out = append(out, notify(ikev2msg.UseTransportMode, nil))
	}
	chosen := ikev2msg.Proposal{
		Number: choice.number, Protocol: choice.protocol, SPI: binary.BigEndian.AppendUint32(nil, c.inbound()), Transforms: choice.transforms,
	}
	out = append(out, notify(ikev2msg.ESPTFCPaddingNotSupported, nil),
		ikev2msg.Out{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, []ikev2msg.Proposal{chosen})})
	if !inAuth {
		out = append(out, ikev2msg.Out{Type: ikev2msg.PayloadNonce, Body: nr})
	}
	if ke != nil {
		out = append(out, *ke)
	}
	return append(out,
		ikev2msg.Out{Type: ikev2msg.PayloadTSi, Body: ikev2msg.AppendTS(nil, []ikev2msg.Selector{tsi})},
		ikev2msg.Out{Type: ikev2msg.PayloadTSr, Body: ikev2msg.AppendTS(nil, []ikev2msg.Selector{tsr})})
}

// selectors narrows what a peer asks for to GRE between the two of us. Behind NAT a side knows its own address and not the one that the other
// sees: in transport mode what is answered has the addresses as they are seen here (RFC 7296 section 2.23.1).
func (s *sa) selectors(list []ikemsg.Payload, transport bool) (tsi, tsr ikev2msg.Selector, claimed netip.Addr, ok bool) {
	offeredI, offeredR := selectorsOf(list)
	tsi, ok1 := narrow(offeredI, s.path.Remote.Addr(), s.nat.Peer)
	tsr, ok2 := narrow(offeredR, s.path.Local.Addr(), s.nat.Self)
	claimed = tsi.Start
	if transport && ok1 && ok2 {
		tsi, tsr = ikev2msg.Host(s.path.Remote.Addr(), protoGRE), ikev2msg.Host(s.path.Local.Addr(), protoGRE)
	}
	return tsi, tsr, claimed, ok1 && ok2
}

// narrow finds GRE of an address of ours or the peer's in what is offered.
func narrow(list []ikev2msg.Selector, want netip.Addr, translated bool) (ikev2msg.Selector, bool) {
	if translated { // the side's own idea of its address comes first: it is what Claimed is for
		for _, x := range list {
			if x.Start == x.End && x.Covers(x.Start, protoGRE) {
				return ikev2msg.Host(x.Start, protoGRE), true
			}
		}
	}
	for _, x := range list {
		if x.Covers(want, protoGRE) {
			return ikev2msg.Host(want, protoGRE), true
		}
	}
	return ikev2msg.Selector{}, false
}
