package ikev2

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// rekeyTask is CREATE_CHILD_SA for the IKE SA itself (RFC 7296 section 2.18).
type rekeyTask struct {
	spi     ikemsg.SPI
	nonce   []byte
	group   suite.Group
	kex     suite.KeyExchange
	offered []ikev2msg.Proposal
}

// rekey starts to replace the SA, if nobody does yet.
func (s *sa) rekey() {
	s.forgetStale()
	if s.rekeying || s.state != stateUp || s.rekeyed != nil || s.follow != nil {
		return
	}
	s.rekeying = true
	t := &rekeyTask{spi: s.e.freeSPI(), nonce: make([]byte, nonceLen), group: s.choice.Group}
	s.e.env.Random(t.nonce)
	s.enqueue(t)
}

// abandon clears what the exchange has: no answer will come.
func (t *rekeyTask) abandon(*sa) {
	if t.kex != nil {
		t.kex.Clear()
	}
}

func (t *rekeyTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	if s.rekeyed != nil || s.follow != nil {
		s.rekeying = false
		return 0, nil, false
	}
	if s.rival != nil { // the peer was first, and knows nothing of this attempt
		s.rekeying = false
		s.rivalWins()
		return 0, nil, false
	}
	t.offered = offerIKE(s.e.proposals(s.path), t.spi[:])
	wanted := ikev2msg.Transform{Type: ikev2msg.TransformKE, ID: uint16(t.group)}
	if !slices.ContainsFunc(t.offered, func(p ikev2msg.Proposal) bool { return slices.Contains(p.Transforms, wanted) }) {
		t.group = suite.Group(ofType(t.offered[0].Transforms, ikev2msg.TransformKE)[0].ID) // the configuration has changed
	}
	kex, err := suite.NewKeyExchange(t.group, s.e.env.Rand)
	if err != nil {
		s.rekeying = false
		return 0, nil, false
	}
	t.kex = kex
	return ikev2msg.ExchangeCreateChild, []ikev2msg.Out{
		{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, t.offered)},
		{Type: ikev2msg.PayloadNonce, Body: t.nonce},
		{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(t.group), Data: kex.Public()}.Append(nil)},
	}, true
}

func (t *rekeyTask) process(s *sa, list []ikemsg.Payload) {
	s.rekeying = false
	defer t.kex.Clear()
	if s.state != stateUp {
		return
	}
	if n, bad := errorOf(list); bad {
		t.refused(s, n)
		return
	}
	n, follow, err := t.accept(s, list)
	if err != ike.WhyNone {
		s.log(ike.Log{Kind: ike.LogFailed, Why: err, Text: "rekey of the IKE SA"})
		if s.rival != nil {
			s.rivalWins()
		}
		return
	}
	if follow != nil {
		s.follow = follow
		s.rekeying = true
		s.enqueue(&followTask{})
		return
	}
	s.rekeyDone(n, lower(t.nonce, n.rekeyNonce))
}

func (t *rekeyTask) refused(s *sa, n ikev2msg.Notify) {
	if s.rival != nil {
		s.rivalWins()
		return
	}
	if n.Type == ikev2msg.TemporaryFailure {
		s.rekeyAt = s.e.now.Add(time.Duration(2+3*s.e.env.Jitter.Float64()) * time.Second)
		return
	}
	if n.Type == ikev2msg.InvalidKEPayload && len(n.Data) == 2 {
		g := suite.Group(binary.BigEndian.Uint16(n.Data))
		if g != t.group && g.Supported() && !g.IsKEM() {
			t.group = g
			s.rekeying = true
			s.enqueue(t)
			return
		}
	}
	s.log(ike.Log{Kind: ike.LogFailed, Why: whyOf(n.Type), Code: n.Type, Text: "rekey of the IKE SA"})
}

// accept makes the new SA of an answer, or what is needed to go on with additional key exchanges.
func (t *rekeyTask) accept(s *sa, list []ikemsg.Payload) (n *sa, f *follow, why ike.Why) {
	first, ok := readFirst(&ikev2msg.Message{Payloads: list})
	if !ok {
		return nil, nil, ike.WhyMalformed
	}
	_, chosen, ok := agreed(t.offered, first.proposals)
	if !ok || len(first.proposals[0].SPI) != ikev2msg.SPILenIKE {
		return nil, nil, ike.WhyNoProposal
	}
	choice := choiceOf(chosen)
	if choice.Group != t.group || first.ke.Group != uint16(t.group) {
		return nil, nil, ike.WhyNoProposal
	}
	shared, err := t.kex.Shared(first.ke.Data)
	if err != nil {
		return nil, nil, ike.WhyMalformed
	}
	f = &follow{
		initiator: true, choice: choice, spiI: t.spi, spiR: ikemsg.SPI(first.proposals[0].SPI), ni: t.nonce, nr: slices.Clone(first.nonce),
		secrets: [][]byte{shared},
	}
	if len(choice.Additional) > 0 {
		link, ok := has(list, ikev2msg.AdditionalKeyExchange)
		if !ok {
			return nil, nil, ike.WhyMalformed
		}
		f.link = slices.Clone(link.Data)
		return nil, f, ike.WhyNone
	}
	if n = s.successor(f); n == nil {
		return nil, nil, ike.WhyPolicy
	}
	return n, nil, ike.WhyNone
}

// successor makes the SA that takes the place of s.
func (s *sa) successor(f *follow) *sa {
	e := s.e
	defer f.clear()
	n := &sa{
		e: e, id: e.env.NextSA(), initiator: f.initiator, path: s.path, state: stateUp, spiI: f.spiI, spiR: f.spiR, choice: f.choice,
		profile: s.profile, protection: s.protection, self: s.self, peer: s.peer, auth: s.auth, nat: s.nat, natt: s.natt, frag: s.frag,
		peerHashes: s.peerHashes, digital: s.digital, lastSent: s.lastSent, lastHeard: e.now, children: make(map[ike.ChildID]*child),
		rekeyNonce: f.nr,
	}
	seed := suite.V2RekeySeed(s.choice.PRF, s.keys.D, f.secrets[0], f.ni, f.nr, f.secrets[1:]...)
	if err := n.derive(seed, f.ni, f.nr); err != nil {
		return nil
	}
	n.startLife()
	e.env.Admission.SAs++ // it is nobody new
	e.add(n)
	return n
}

// rekeyDone is the end of our own attempt. Where the peer made one too, whoever made the SA with the lowest nonce takes that away.
func (s *sa) rekeyDone(n *sa, least []byte) {
	if s.rival != nil && bytes.Compare(least, s.rivalMin) < 0 {
		n.close(ike.WhyReplaced)
		s.rivalWins()
		return
	}
	if r := s.rival; r != nil {
		r.closeWhy, r.deleteAfter = ike.WhyReplaced, s.e.now.Add(graceTime)
		s.e.touch(r)
		s.rival = nil
	}
	s.takenOver(n)
	s.enqueue(&closeTask{})
}

func (s *sa) rivalWins() {
	r := s.rival
	s.rival = nil
	s.takenOver(r)
}

// takenOver hands everything over to the SA that takes the place of s.
func (s *sa) takenOver(n *sa) {
	s.rekeyed = n
	s.deleteAfter = s.e.now.Add(2 * graceTime)
	for id, c := range s.children {
		c.sa, c.SA = n, n.id
		n.children[id] = c
		delete(s.children, id)
	}
	for _, w := range s.waiting() {
		s.e.satisfied(w)
		s.e.await(w, n)
	}
	queue := s.queue
	s.queue = nil
	s.e.touch(s)
	s.e.touch(n)
	s.e.stats.Rekeyed++
	n.log(ike.Log{Kind: ike.LogRekeyed})
	for _, t := range queue {
		switch t.(type) {
		case *rekeyTask, *followTask, *dpdTask: // of the old SA only
		default:
			n.enqueue(t)
		}
	}
}

// heir is the SA that has what was the SA's: itself, until it is rekeyed.
func (s *sa) heir() *sa {
	for s.rekeyed != nil {
		s = s.rekeyed
	}
	return s
}

// forgetStale gives up on a rekey that the peer began and does not go on with.
func (s *sa) forgetStale() {
	if f := s.follow; f != nil && !f.initiator && f.until.Before(s.e.now) {
		f.clear()
		s.follow = nil
	}
}

// respondRekey answers a peer that replaces the SA.
func (s *sa) respondRekey(list []ikemsg.Payload, proposals []ikev2msg.Proposal, ni []byte) []ikev2msg.Out {
	s.forgetStale()
	if s.rival != nil || s.follow != nil || s.busyWithChild() {
		return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)}
	}
	choice, number, ok := chooseIKE(s.e.proposals(s.path), proposals)
	if !ok {
		return []ikev2msg.Out{notify(ikev2msg.NoProposalChosen, nil)}
	}
	if len(choice.Additional) > 0 && s.rekeying {
		return []ikev2msg.Out{notify(ikev2msg.TemporaryFailure, nil)} // one of the two rekeys at a time; both sides try again
	}
	k := slices.IndexFunc(proposals, func(p ikev2msg.Proposal) bool { return p.Number == number })
	ke, shared, code := s.childKE(list, choice.Group)
	if code != 0 || len(proposals[k].SPI) != ikev2msg.SPILenIKE {
		if code == 0 {
			code = ikev2msg.InvalidSyntax
		}
		return []ikev2msg.Out{notify(code, binary.BigEndian.AppendUint16(nil, uint16(choice.Group)))}
	}
	f := &follow{choice: choice, spiI: ikemsg.SPI(proposals[k].SPI), spiR: s.e.freeSPI(), ni: ni, nr: make([]byte, nonceLen), secrets: shared}
	s.e.env.Random(f.nr)
	chosen := ikev2msg.Proposal{Number: number, Protocol: ikev2msg.ProtoIKE, SPI: f.spiR[:], Transforms: choice.transforms}
	out := []ikev2msg.Out{
		{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, []ikev2msg.Proposal{chosen})},
		{Type: ikev2msg.PayloadNonce, Body: f.nr},
		*ke,
	}
	if len(choice.Additional) > 0 {
		f.link = make([]byte, 16)
		s.e.env.Random(f.link)
		f.until = s.e.now.Add(halfOpenLife)
		s.follow = f
		return append(out, notify(ikev2msg.AdditionalKeyExchange, f.link))
	}
	nr := f.nr
	if !s.replacedByPeer(f, lower(ni, nr)) {
		return []ikev2msg.Out{notify(ikev2msg.NoProposalChosen, nil)}
	}
	return out
}

// busyWithChild tells whether a child is being made or taken away by us: the SA is not to be replaced meanwhile (RFC 7296 section 2.25.2).
func (s *sa) busyWithChild() bool {
	if s.pending == nil {
		return false
	}
	switch s.pending.task.(type) {
	case *childTask, *deleteTask:
		return true
	}
	return false
}

// replacedByPeer makes the peer's new SA, and lets it take over unless ours is under way too.
func (s *sa) replacedByPeer(f *follow, least []byte) bool {
	n := s.successor(f)
	if n == nil {
		return false
	}
	if s.rekeying {
		s.rival, s.rivalMin = n, slices.Clone(least)
		return true
	}
	s.takenOver(n)
	return true
}
