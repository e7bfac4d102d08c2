package ikev2

import (
	"crypto/subtle"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// intermediateTask is one additional key exchange before IKE_AUTH (RFC 9370 section 2.2.2, RFC 9242), as initiator.
type intermediateTask struct{ kex suite.KeyExchange }

func (t *intermediateTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	g := s.choice.Additional[s.handshake.rounds]
	kex, err := suite.NewKeyExchange(g, s.e.env.Rand)
	if err != nil {
		s.failed(ike.WhyPolicy, 0, err.Error())
		return 0, nil, false
	}
	t.kex = kex
	return ikev2msg.ExchangeIntermediate, []ikev2msg.Out{
		{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(g), Data: kex.Public()}.Append(nil)},
	}, true
}

// abandon clears what the exchange has: no answer will come.
func (t *intermediateTask) abandon(*sa) { t.kex.Clear() }

func (t *intermediateTask) process(s *sa, list []ikemsg.Payload) {
	defer t.kex.Clear()
	h := s.handshake
	if n, bad := errorOf(list); bad {
		s.failed(whyOf(n.Type), n.Type, "additional key exchange")
		return
	}
	body, _ := ikev2msg.Find(list, ikev2msg.PayloadKE)
	ke, err := ikev2msg.ParseKE(body)
	if err != nil || ke.Group != uint16(s.choice.Additional[h.rounds]) {
		s.failed(ike.WhyMalformed, 0, "the answer has no additional key exchange")
		return
	}
	shared, err := t.kex.Shared(ke.Data)
	if err != nil {
		s.failed(ike.WhyMalformed, 0, err.Error())
		return
	}
	defer clear(shared)
	h.rounds++
	if err := s.derive(suite.V2NextSeed(s.choice.PRF, s.keys.D, shared, h.ni, h.nr), h.ni, h.nr); err != nil {
		s.failed(ike.WhyPolicy, 0, err.Error())
		return
	}
	s.enqueue(firstAfterInit(s))
}

// intermediate answers one additional key exchange. The new keys count once the answer is out.
func (s *sa) intermediate(list []ikemsg.Payload) []ikev2msg.Out {
	h := s.handshake
	ke, shared, code := s.childKE(list, s.choice.Additional[h.rounds])
	if code != 0 {
		return s.refuse(code, &failure{ike.WhyMalformed, 0, "additional key exchange"})
	}
	defer clear(shared[0])
	h.rounds++
	h.nextSeed = suite.V2NextSeed(s.choice.PRF, s.keys.D, shared[0], h.ni, h.nr)
	return []ikev2msg.Out{*ke}
}

// mix adds an IKE_INTERMEDIATE message to what is authenticated in the end (RFC 9242 section 3.3.2): the message as though it were one piece and in clear.
func (s *sa) mix(h ikemsg.Header, first uint8, plain []byte) {
	if h.Exchange != ikev2msg.ExchangeIntermediate || s.handshake == nil {
		return
	}
	key, acc := s.keys.Pi, &s.handshake.intI
	if h.Flags&ikev2msg.FlagInitiator == 0 {
		key, acc = s.keys.Pr, &s.handshake.intR
	}
	*acc = suite.PRF(s.choice.PRF, key, *acc, ikev2msg.Prefix(h, first, nil, len(plain)), plain)
}

// follow is a rekey of an IKE SA on its way through additional key exchanges (RFC 9370 section 2.2.4).
type follow struct {
	initiator  bool
	choice     ikeChoice
	spiI, spiR ikemsg.SPI
	ni, nr     []byte
	secrets    [][]byte
	link       []byte
	until      time.Time // the peer goes on before
}

func (f *follow) clear() {
	for _, x := range f.secrets {
		clear(x)
	}
}

// round is which additional exchange is next.
func (f *follow) round() int { return len(f.secrets) - 1 }

// followTask is one IKE_FOLLOWUP_KE exchange, as initiator.
type followTask struct{ kex suite.KeyExchange }

func (t *followTask) build(s *sa) (uint8, []ikev2msg.Out, bool) {
	f := s.follow
	if f == nil || !f.initiator {
		return 0, nil, false
	}
	g := f.choice.Additional[f.round()]
	kex, err := suite.NewKeyExchange(g, s.e.env.Rand)
	if err != nil {
		s.follow, s.rekeying = nil, false
		return 0, nil, false
	}
	t.kex = kex
	return ikev2msg.ExchangeFollowupKE, []ikev2msg.Out{
		{Type: ikev2msg.PayloadKE, Body: ikev2msg.KE{Group: uint16(g), Data: kex.Public()}.Append(nil)},
		notify(ikev2msg.AdditionalKeyExchange, f.link),
	}, true
}

// abandon clears what the exchange has: no answer will come.
func (t *followTask) abandon(*sa) { t.kex.Clear() }

func (t *followTask) process(s *sa, list []ikemsg.Payload) {
	defer t.kex.Clear()
	f := s.follow
	s.follow, s.rekeying = nil, false
	if f == nil {
		return
	}
	fail := func(why ike.Why, code uint16) {
		f.clear()
		s.log(ike.Log{Kind: ike.LogFailed, Why: why, Code: code, Text: "rekey of the IKE SA"})
	}
	if n, bad := errorOf(list); bad {
		fail(whyOf(n.Type), n.Type)
		return
	}
	body, _ := ikev2msg.Find(list, ikev2msg.PayloadKE)
	ke, err := ikev2msg.ParseKE(body)
	if err != nil || ke.Group != uint16(f.choice.Additional[f.round()]) {
		fail(ike.WhyMalformed, 0)
		return
	}
	shared, err := t.kex.Shared(ke.Data)
	if err != nil {
		fail(ike.WhyMalformed, 0)
		return
	}
	f.secrets = append(f.secrets, shared)
	if f.round() < len(f.choice.Additional) {
		link, ok := has(list, ikev2msg.AdditionalKeyExchange)
		if !ok {
			fail(ike.WhyMalformed, 0)
			return
		}
		f.link = slices.Clone(link.Data)
		s.follow, s.rekeying = f, true
		s.enqueue(&followTask{})
		return
	}
	least := slices.Clone(lower(f.ni, f.nr))
	if n := s.successor(f); n != nil {
		s.rekeyDone(n, least)
	}
}

// followup answers IKE_FOLLOWUP_KE.
func (s *sa) followup(list []ikemsg.Payload) []ikev2msg.Out {
	f := s.follow
	link, ok := has(list, ikev2msg.AdditionalKeyExchange)
	if f == nil || f.initiator || !ok || subtle.ConstantTimeCompare(link.Data, f.link) != 1 || f.until.Before(s.e.now) {
		return []ikev2msg.Out{notify(ikev2msg.StateNotFound, nil)}
	}
	ke, shared, code := s.childKE(list, f.choice.Additional[f.round()])
	if code != 0 {
		s.follow = nil
		f.clear()
		return []ikev2msg.Out{notify(code, nil)}
	}
	f.secrets = append(f.secrets, shared[0])
	if f.round() < len(f.choice.Additional) {
		f.until = s.e.now.Add(halfOpenLife)
		return []ikev2msg.Out{*ke, notify(ikev2msg.AdditionalKeyExchange, f.link)}
	}
	s.follow = nil
	if !s.replacedByPeer(f, slices.Clone(lower(f.ni, f.nr))) {
		return []ikev2msg.Out{notify(ikev2msg.NoProposalChosen, nil)}
	}
	return []ikev2msg.Out{*ke}
}
