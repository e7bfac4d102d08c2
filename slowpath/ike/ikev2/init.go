package ikev2

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// handshake is what an SA needs until it is up.
type handshake struct {
	first      netip.AddrPort // where the peer's first message came from
	kex        suite.KeyExchange
	group      suite.Group
	offered    []ikev2msg.Proposal
	ni, nr     []byte
	msgI, msgR []byte // the first messages, which are signed
	cookie     []byte
	restarts   int

	intI, intR []byte // IntAuth of the IKE_INTERMEDIATE exchanges (RFC 9242)
	rounds     int    // additional key exchanges that are done
	nextSeed   []byte // installed once the answer is out

	idI     []byte // bodies of the identities, as they were sent
	peerCAs [][]byte
	failure *failure
}

// failure ends an SA once its answer is out.
type failure struct {
	why  ike.Why
	code uint16
	text string
}

func (h *handshake) clear() {
	if h == nil {
		return
	}
	if h.kex != nil {
		h.kex.Clear()
	}
	clear(h.nextSeed)
}

// sentFirst keeps the first message, as it went out last.
func (h *handshake) sentFirst(packet []byte, initiator bool) {
	if initiator {
		h.msgI = packet
	} else {
		h.msgR = packet
	}
}

const (
	nonceLen = 32
	maxFirst = 8192 // bytes of a first message, which is kept until the peer has authenticated
)

// initTask is IKE_SA_INIT, as initiator.
type initTask struct{}

func newInit(s *sa) task {
	h := &handshake{ni: make([]byte, nonceLen)}
	s.e.env.Random(h.ni)
	h.offered = offerIKE(s.e.proposals(s.path), nil)
	if groups := ofType(h.offered[0].Transforms, ikev2msg.TransformKE); len(groups) > 0 {
		h.group = suite.Group(groups[0].ID)
	}
	s.handshake = h
	return &initTask{}
}

func (t *initTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	h := s.handshake
	if h.kex == nil {
		kex, err := suite.NewKeyExchange(h.group, s.e.env.Rand)
		if err != nil {
			s.failed(ike.WhyPolicy, 0, err.Error())
			return 0, nil, false
		}
		h.kex = kex
	}
	var list []ikev2msg.Out
	if h.cookie != nil {
		list = append(list, notify(ikev2msg.Cookie, h.cookie))
	}
	list = append(list,
		ikev2msg.Out{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, h.offered)},
		ikev2msg.Out{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(h.group), Data: h.kex.Public()}.Append(nil)},
		ikev2msg.Out{Type: ikev2msg.PayloadNonce, Body: h.ni},
	)
	additional := slices.ContainsFunc(h.offered, func(p ikev2msg.Proposal) bool {
		return slices.ContainsFunc(p.Transforms, func(t ikev2msg.Transform) bool { return t.Type >= ikev2msg.TransformADD1 })
	})
	return ikev2msg.ExchangeInit, append(list, s.e.abilities(s, additional)...), true
}

// abilities are the notifications of a first message.
func (e *Engine) abilities(s *sa, intermediate bool) []ikev2msg.Out {
	var list []ikev2msg.Out
	if !e.cfg.NoNATT {
		list = natPayloads(s.spiI, s.spiR, s.path)
	}
	if e.cfg.V2.Fragmentation {
		list = append(list, notify(ikev2msg.FragmentationSupported, nil))
	}
	var hashes []byte
	for _, h := range []uint16{ikev2msg.HashSHA256, ikev2msg.HashSHA384, ikev2msg.HashSHA512} {
		hashes = binary.BigEndian.AppendUint16(hashes, h)
	}
	list = append(list, notify(ikev2msg.SignatureHashAlgorithms, hashes))
	if intermediate {
		list = append(list, notify(ikev2msg.IntermediateSupported, nil))
	}
	return list
}

// learn reads the peer's notifications of a first message.
func (s *sa) learn(list []ikemsg.Payload) {
	if n, offered := natSeen(s.spiI, s.initSPIr(), s.path, list); offered && !s.e.cfg.NoNATT {
		s.nat, s.natt = n, true
	}
	_, s.frag = has(list, ikev2msg.FragmentationSupported)
	s.frag = s.frag && s.e.cfg.V2.Fragmentation
	if n, ok := has(list, ikev2msg.SignatureHashAlgorithms); ok {
		s.digital = true
		for b := n.Data; len(b) >= 2; b = b[2:] {
			switch binary.BigEndian.Uint16(b) {
			case ikev2msg.HashSHA1:
				s.peerHashes = append(s.peerHashes, suite.HashSHA1)
			case ikev2msg.HashSHA256:
				s.peerHashes = append(s.peerHashes, suite.HashSHA256)
			case ikev2msg.HashSHA384:
				s.peerHashes = append(s.peerHashes, suite.HashSHA384)
			case ikev2msg.HashSHA512:
				s.peerHashes = append(s.peerHashes, suite.HashSHA512)
			}
		}
	}
}

// initSPIr is the responder's SPI as it stood in the peer's first message: an initiator's has none.
func (s *sa) initSPIr() ikemsg.SPI {
	if s.initiator {
		return s.spiR
	}
	return ikemsg.SPI{}
}

// answered takes an answer to the first message. Nobody vouches for it: what does not fit is not believed, and waited on.
func (t *initTask) answered(s *sa, path ike.Path, m *ikev2msg.Message, raw []byte) {
	h := s.handshake
	if path.Remote.Addr() != s.path.Remote.Addr() || path.Local.Addr() != s.path.Local.Addr() {
		s.e.stats.Ignored++
		return
	}
	if n, ok := has(m.Payloads, ikev2msg.Cookie); ok && len(n.Data) > 0 && len(n.Data) <= 64 {
		h.cookie = slices.Clone(n.Data)
		t.restart(s)
		return
	}
	if n, ok := has(m.Payloads, ikev2msg.InvalidKEPayload); ok && len(n.Data) == 2 {
		g := suite.Group(binary.BigEndian.Uint16(n.Data))
		wanted := ikev2msg.Transform{Type: ikev2msg.TransformKE, ID: uint16(g)}
		if g != h.group && slices.ContainsFunc(h.offered, func(p ikev2msg.Proposal) bool { return slices.Contains(p.Transforms, wanted) }) {
			h.kex.Clear()
			h.kex, h.group = nil, g
			t.restart(s)
			return
		}
	}
	if n, ok := errorOf(m.Payloads); ok {
		s.pending.why, s.pending.code = whyOf(n.Type), n.Type
		return
	}
	if m.Responder == (ikemsg.SPI{}) || !t.accept(s, m, raw) {
		s.e.malformed(path, ikev2msg.ErrSyntax)
		return
	}
	s.pending = nil
	s.nextSend = 1
	s.lastHeard = s.e.now
	s.setState(stateAuth)
	if s.natt { // RFC 4555 section 3.3: with MOBIKE on offer, without NAT too
		s.float()
	}
	s.enqueue(firstAfterInit(s))
}

// firstAfterInit is the next exchange: additional key exchanges come before authentication.
func firstAfterInit(s *sa) task {
	if s.handshake.rounds < len(s.choice.Additional) {
		return &intermediateTask{}
	}
	return &authTask{}
}

// restart sends the first message again with what the peer asked for, a few times at most.
func (t *initTask) restart(s *sa) {
	if s.handshake.restarts >= 4 {
		return
	}
	s.handshake.restarts++
	s.pending = nil
	s.enqueue(t)
}

// accept takes the peer's half.
func (t *initTask) accept(s *sa, m *ikev2msg.Message, raw []byte) bool {
	h := s.handshake
	saBody, ok1 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadSA)
	keBody, ok2 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadKE)
	nonce, ok3 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadNonce)
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	list, err := ikev2msg.ParseSA(saBody)
	if err != nil {
		return false
	}
	_, chosen, ok := agreed(h.offered, list)
	ke, err := ikev2msg.ParseKE(keBody)
	if _, bad := ikev2msg.ParseNonce(nonce); !ok || err != nil || bad != nil {
		return false
	}
	choice := choiceOf(chosen)
	if choice.Group != h.group || ke.Group != uint16(h.group) {
		return false
	}
	shared, err := h.kex.Shared(ke.Data)
	if err != nil {
		return false
	}
	defer clear(shared)
	s.choice, s.spiR = choice, m.Responder
	h.nr, h.msgR = slices.Clone(nonce), slices.Clone(raw)
	if err := s.derive(suite.V2Skeyseed(choice.PRF, h.ni, h.nr, shared), h.ni, h.nr); err != nil {
		return false
	}
	h.peerCAs = authorities(m.Payloads)
	s.learn(m.Payloads)
	return true
}

// derive makes the keys of the SA and puts them to use.
func (s *sa) derive(seed, ni, nr []byte) error {
	defer clear(seed)
	keys, err := suite.V2Derive(s.choice.V2Suite, seed, ni, nr, s.spiI[:], s.spiR[:])
	if err != nil {
		return err
	}
	i, err := suite.NewSealer(s.choice.V2Suite, keys.Ei, keys.Ai)
	if err != nil {
		return err
	}
	r, err := suite.NewSealer(s.choice.V2Suite, keys.Er, keys.Ar)
	if err != nil {
		return err
	}
	s.keys.Clear()
	s.keys = keys
	s.sealOut, s.sealIn = i, r
	if !s.initiator {
		s.sealOut, s.sealIn = r, i
	}
	return nil
}

// respondInit answers a peer's first message.
func (e *Engine) respondInit(path ike.Path, m *ikev2msg.Message, raw []byte, unsupported *ikev2msg.UnsupportedError) {
	if s := e.half[halfKey{m.Initiator, path.Remote}]; s != nil {
		e.touch(s)
		s.again(path, m, raw)
		return
	}
	refuse := func(why ike.Why, out ikev2msg.Out) {
		h := ikemsg.Header{Initiator: m.Initiator, Exchange: ikev2msg.ExchangeInit, Flags: ikev2msg.FlagResponse}
		e.stats.Sent++
		e.note([]ikev2msg.Out{out})
		e.put(nil, path, ikev2msg.Clear(h, []ikev2msg.Out{out}))
		if why != ike.WhyNone {
			e.stats.FailedBy[why]++
			e.reject(path, why, "first message of a peer")
		}
	}
	if len(raw) > maxFirst {
		e.malformed(path, errors.New("a first message that is too long"))
		return
	}
	if unsupported != nil {
		refuse(ike.WhyMalformed, notify(ikev2msg.UnsupportedCriticalPayload, []byte{unsupported.Type}))
		return
	}
	if !e.serves(path) {
		refuse(ike.WhyPolicy, notify(ikev2msg.NoProposalChosen, nil))
		return
	}
	first, ok := readFirst(m)
	if !ok {
		e.stats.Malformed++
		refuse(ike.WhyMalformed, notify(ikev2msg.InvalidSyntax, nil))
		return
	}
	if len(e.half) >= e.cookiesFrom() {
		e.cookies.turn(e.env, e.now)
		n, given := has(m.Payloads, ikev2msg.Cookie)
		if !given || !e.cookies.good(n.Data, path, m.Initiator, first.nonce) {
			e.stats.CookiesSent++
			refuse(ike.WhyNone, notify(ikev2msg.Cookie, cookie(e.cookies.secret[:], path, m.Initiator, first.nonce)))
			return
		}
	}
	choice, number, ok := chooseIKE(e.proposals(path), first.proposals)
	if !ok {
		refuse(ike.WhyNoProposal, notify(ikev2msg.NoProposalChosen, nil))
		return
	}
	if first.ke.Group != uint16(choice.Group) {
		refuse(ike.WhyNone, notify(ikev2msg.InvalidKEPayload, binary.BigEndian.AppendUint16(nil, uint16(choice.Group))))
		return
	}
	if e.env.Admission.Late(e.now) {
		e.stats.Ignored++
		return // as below
	}
	if !e.env.Admission.Admit(true) {
		e.emit(ike.Log{Kind: ike.LogLimit, Version: 2, Path: path, Why: ike.WhyLimit})
		return // silence: the peer tries again
	}
	e.acceptInit(path, m, raw, &first, choice, number)
}

// serves tells whether any tunnel of this address takes IKEv2.
func (e *Engine) serves(path ike.Path) bool {
	return len(e.protections(path, "")) > 0
}

// firstMessage is the payloads of IKE_SA_INIT.
type firstMessage struct {
	proposals []ikev2msg.Proposal
	ke        ikev2msg.KE
	nonce     []byte
}

func readFirst(m *ikev2msg.Message) (f firstMessage, ok bool) {
	saBody, ok1 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadSA)
	keBody, ok2 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadKE)
	nonce, ok3 := ikev2msg.Find(m.Payloads, ikev2msg.PayloadNonce)
	if !ok1 || !ok2 || !ok3 {
		return f, false
	}
	var err1, err2, err3 error
	f.proposals, err1 = ikev2msg.ParseSA(saBody)
	f.ke, err2 = ikev2msg.ParseKE(keBody)
	f.nonce, err3 = ikev2msg.ParseNonce(nonce)
	return f, err1 == nil && err2 == nil && err3 == nil
}

// acceptInit makes the SA and answers.
func (e *Engine) acceptInit(path ike.Path, m *ikev2msg.Message, raw []byte, first *firstMessage, choice ikeChoice, number uint8) {
	public, shared, err := suite.Respond(choice.Group, e.env.Rand, first.ke.Data)
	s := e.newSA(path, false)
	s.spiI, s.choice = m.Initiator, choice
	if err != nil {
		s.e.malformed(path, err)
		s.end(ike.WhyMalformed)
		return
	}
	defer clear(shared)
	h := &handshake{first: path.Remote, ni: slices.Clone(first.nonce), nr: make([]byte, nonceLen), msgI: slices.Clone(raw), group: choice.Group}
	e.env.Random(h.nr)
	s.handshake = h
	if err := s.derive(suite.V2Skeyseed(choice.PRF, h.ni, h.nr, shared), h.ni, h.nr); err != nil {
		s.failed(ike.WhyPolicy, 0, err.Error())
		return
	}
	s.learn(m.Payloads)
	h.peerCAs = authorities(m.Payloads)
	chosen := ikev2msg.Proposal{Number: number, Protocol: ikev2msg.ProtoIKE, Transforms: choice.transforms}
	list := []ikev2msg.Out{
		{Type: ikev2msg.PayloadSA, Body: ikev2msg.AppendSA(nil, []ikev2msg.Proposal{chosen})},
		{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(choice.Group), Data: public}.Append(nil)},
		{Type: ikev2msg.PayloadNonce, Body: h.nr},
	}
	if req := e.certRequest(path); req != nil {
		list = append(list, *req)
	}
	list = append(list, e.abilities(s, len(choice.Additional) > 0)...)
	packet := ikev2msg.Clear(s.header(ikev2msg.ExchangeInit, 0, true), list)
	h.sentFirst(packet, false)
	s.nextRecv = 1
	s.answered = answer{request: sum(raw), packets: [][]byte{packet}, valid: true, resent: e.now.Add(-time.Hour)}
	e.half[halfKey{m.Initiator, path.Remote}] = s
	e.note(list)
	s.transmit(path, s.answered.packets)
}

// process is not used: the answer to a first message is in clear, and answered takes it.
func (t *initTask) process(*sa, []ikemsg.Payload) {}
