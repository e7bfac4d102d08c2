package ikev1

import (
	"encoding/binary"
	"math"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// Transform numbers of ESP and AH (RFC 2407 section 4.4.4, RFC 4106, RFC 3686, RFC 4543, RFC 4868).
const (
	espDES    = 2
	esp3DES   = 3
	espNULL   = 11
	espAES    = 12
	espAESCTR = 13
	espGCM8   = 18
	espGCM12  = 19
	espGCM16  = 20
	espGMAC   = 23
)

// authNumbers are integrity algorithms as attributes of both, ahNumbers as transforms of AH.
var (
	authNumbers = map[suite.Hash]uint64{suite.HashMD5: 1, suite.HashSHA1: 2, suite.HashSHA256: 5, suite.HashSHA384: 6, suite.HashSHA512: 7}
	ahNumbers   = map[suite.Hash]uint8{suite.HashMD5: 2, suite.HashSHA1: 3, suite.HashSHA256: 5, suite.HashSHA384: 6, suite.HashSHA512: 7}
)

// Encapsulation modes (RFC 2407 section 4.5, RFC 3947 section 5.1, and the drafts before it).
const (
	modeTunnel            = 1
	modeTransport         = 2
	modeUDPTunnel         = 3
	modeUDPTransport      = 4
	modeUDPTunnelDraft    = 61443
	modeUDPTransportDraft = 61444
)

// encapMode is the number of an encapsulation mode on an SA.
func (s *sa) encapMode(tunnel bool) uint16 {
	switch {
	case !s.natted() && tunnel:
		return modeTunnel
	case !s.natted():
		return modeTransport
	case s.natMethod == natDraft && tunnel:
		return modeUDPTunnelDraft
	case s.natMethod == natDraft:
		return modeUDPTransportDraft
	case tunnel:
		return modeUDPTunnel
	}
	return modeUDPTransport
}

// espNumber is the transform of a cipher; 0: version 1 has none.
func espNumber(t ike.Transform) uint8 {
	switch t.Cipher {
	case suite.CipherDES:
		return espDES
	case suite.Cipher3DES:
		return esp3DES
	case suite.CipherNull:
		return espNULL
	case suite.CipherAESCBC:
		return espAES
	case suite.CipherAESCTR:
		return espAESCTR
	case suite.CipherAESGMAC:
		return espGMAC
	case suite.CipherAESGCM:
		switch t.ICV {
		case 8:
			return espGCM8
		case 12:
			return espGCM12
		}
		return espGCM16
	}
	return 0
}

// keyed tells whether a cipher comes in several key lengths.
func keyed(c suite.Cipher) bool {
	switch c {
	case suite.CipherAESCBC, suite.CipherAESCTR, suite.CipherAESGCM, suite.CipherAESGMAC:
		return true
	}
	return false
}

// possible tells whether version 1 can negotiate a transform set.
func possible(t ike.Transform) bool {
	if t.AH == suite.HashNone && t.Cipher == suite.CipherNone || t.ESN {
		return false
	}
	return t.Cipher == suite.CipherNone || espNumber(t) != 0
}

// possible leaves out AH where there is NAT, too: it covers the addresses that NAT changes.
func (s *sa) possible(t ike.Transform) bool {
	return possible(t) && (t.AH == suite.HashNone || !s.natted())
}

// terms are what goes for all transforms of a quick mode.
type terms struct {
	life      time.Duration
	kilobytes uint64
	group     suite.Group
}

func termsOf(p *ike.Protection) terms {
	t := terms{p.Lifetime, p.Kilobytes, p.PFS}
	if t.life == 0 {
		t.life = ike.DefaultChildLifetime
	}
	return t
}

// shorten takes a peer's lifetimes over where they are shorter.
func (t *terms) shorten(seconds, kilobytes uint64) {
	t.life = shorter(t.life, seconds)
	if kilobytes != 0 && (t.kilobytes == 0 || kilobytes < t.kilobytes) {
		t.kilobytes = max(kilobytes, fewestKilobytes)
	}
}

// fewestKilobytes is what a peer can talk us down to: less would be rekeyed without end.
const fewestKilobytes = 1000

// attrs are the attributes of a transform.
func (s *sa) attrs(t ike.Transform, m terms, esp bool) []ikev1msg.Attr {
	var a []ikev1msg.Attr
	if m.group != suite.GroupNone {
		a = append(a, ikev1msg.Short(ikev1msg.Attr2Group, uint16(m.group)))
	}
	a = append(a,
		ikev1msg.Short(ikev1msg.Attr2Encap, s.encapMode(t.Tunnel)),
		ikev1msg.Short(ikev1msg.Attr2LifeType, ikev1msg.LifeSeconds),
		ikev1msg.Long(ikev1msg.Attr2LifeDuration, uint32(min(m.life/time.Second, math.MaxUint32))))
	if m.kilobytes != 0 {
		a = append(a,
			ikev1msg.Short(ikev1msg.Attr2LifeType, ikev1msg.LifeKilobytes),
			ikev1msg.Long(ikev1msg.Attr2LifeDuration, uint32(min(m.kilobytes, math.MaxUint32))))
	}
	auth := t.AH
	if esp {
		auth = t.Auth
	}
	if auth != suite.HashNone {
		a = append(a, ikev1msg.Short(ikev1msg.Attr2Auth, uint16(authNumbers[auth])))
	}
	if esp && keyed(t.Cipher) {
		a = append(a, ikev1msg.Short(ikev1msg.Attr2KeyLength, uint16(t.KeyBits)))
	}
	return a
}

// offer makes the proposals of quick mode of transform sets, one each; AH and ESP of a set have the same number.
func (s *sa) offer(list []ike.Transform, m terms, ah, esp uint32) ikev1msg.SA {
	o := ikev1msg.SA{DOI: ikev1msg.DOIIPsec, Situation: ikev1msg.SituationIdentity}
	number := uint8(0)
	for _, t := range list {
		number++
		if t.AH != suite.HashNone {
			o.Proposals = append(o.Proposals, ikev1msg.Proposal{Number: number, Protocol: ikev1msg.ProtoAH, SPI: spiBytes(ah), Transforms: []ikev1msg.Transform{
				{Number: 1, ID: ahNumbers[t.AH], Attrs: s.attrs(t, m, false)},
			}})
		}
		if t.Cipher != suite.CipherNone {
			o.Proposals = append(o.Proposals, ikev1msg.Proposal{Number: number, Protocol: ikev1msg.ProtoESP, SPI: spiBytes(esp), Transforms: []ikev1msg.Transform{
				{Number: 1, ID: espNumber(t), Attrs: s.attrs(t, m, true)},
			}})
		}
	}
	return o
}

// suggestion is a combination of one transform of each protocol that a peer offers, or has chosen.
type suggestion struct {
	transform ike.Transform // without Require
	terms     terms         // the peer's: zero where it says nothing
	ah, esp   uint32        // its SPIs
	answer    []ikev1msg.Proposal
}

// read understands one transform of a proposal. False: it is nothing that we know.
func (g *suggestion) read(p ikev1msg.Proposal, t ikev1msg.Transform) bool {
	var auth, bits, mode uint64
	group := suite.GroupNone
	for _, a := range t.Attrs {
		switch a.Type {
		case ikev1msg.Attr2Group:
			group = suite.Group(min(a.Number(), math.MaxUint16))
		case ikev1msg.Attr2Encap:
			mode = a.Number()
		case ikev1msg.Attr2Auth:
			auth = a.Number()
		case ikev1msg.Attr2KeyLength:
			bits = a.Number()
		case ikev1msg.Attr2LifeType, ikev1msg.Attr2LifeDuration:
		default:
			return false
		}
	}
	seconds, kilobytes := ikev1msg.Lifetimes(t.Attrs, ikev1msg.Attr2LifeType, ikev1msg.Attr2LifeDuration)
	if len(g.answer) > 0 && g.terms.group != group {
		return false
	}
	g.terms.group = group
	if d := time.Duration(min(seconds, math.MaxUint32)) * time.Second; d != 0 && (g.terms.life == 0 || d < g.terms.life) {
		g.terms.life = d
	}
	if kilobytes != 0 && (g.terms.kilobytes == 0 || kilobytes < g.terms.kilobytes) {
		g.terms.kilobytes = kilobytes
	}
	tunnel, ok := tunnelMode(mode)
	if !ok || len(g.answer) > 0 && tunnel != g.transform.Tunnel || len(p.SPI) != 4 || bits > 256 {
		return false
	}
	g.transform.Tunnel = tunnel
	spi := binary.BigEndian.Uint32(p.SPI)
	if spi < 256 {
		return false
	}
	p.Transforms = []ikev1msg.Transform{t}
	g.answer = append(g.answer, p)
	switch p.Protocol {
	case ikev1msg.ProtoAH:
		g.ah = spi
		return g.transform.AH == suite.HashNone && readAH(&g.transform, t.ID, auth)
	case ikev1msg.ProtoESP:
		g.esp = spi
		return g.transform.Cipher == suite.CipherNone && readESP(&g.transform, t.ID, auth, int(bits))
	}
	return false
}

func tunnelMode(mode uint64) (tunnel, ok bool) {
	switch mode {
	case modeTunnel, modeUDPTunnel, modeUDPTunnelDraft:
		return true, true
	case modeTransport, modeUDPTransport, modeUDPTransportDraft:
		return false, true
	}
	return false, false
}

func readAH(t *ike.Transform, id uint8, auth uint64) bool {
	for h, n := range ahNumbers {
		if n == id && authNumbers[h] == auth {
			t.AH = h
			return true
		}
	}
	return false
}

func readESP(t *ike.Transform, id uint8, auth uint64, bits int) bool {
	switch id {
	case espDES:
		t.Cipher = suite.CipherDES
	case esp3DES:
		t.Cipher = suite.Cipher3DES
	case espNULL:
		t.Cipher = suite.CipherNull
	case espAES:
		t.Cipher = suite.CipherAESCBC
	case espAESCTR:
		t.Cipher = suite.CipherAESCTR
	case espGMAC:
		t.Cipher, t.ICV = suite.CipherAESGMAC, 16
	case espGCM8:
		t.Cipher, t.ICV = suite.CipherAESGCM, 8
	case espGCM12:
		t.Cipher, t.ICV = suite.CipherAESGCM, 12
	case espGCM16:
		t.Cipher, t.ICV = suite.CipherAESGCM, 16
	default:
		return false
	}
	if keyed(t.Cipher) {
		t.KeyBits = bits
	} else if bits != 0 {
		return false
	}
	if auth == 0 {
		return true
	}
	for h, n := range authNumbers {
		if n == auth {
			t.Auth = h
			return !t.Cipher.Combined()
		}
	}
	return false
}

// is tells whether a suggestion is what a transform set says, but for the mode.
func (g *suggestion) is(t ike.Transform) bool {
	o := g.transform
	if t.Cipher == suite.CipherAESGCM && t.ICV == 0 {
		t.ICV = 16
	}
	if keyed(t.Cipher) && t.KeyBits == 0 {
		t.KeyBits = 128
	}
	if !keyed(t.Cipher) {
		t.KeyBits = 0
	}
	sameICV := t.Cipher != suite.CipherAESGCM || t.ICV == o.ICV
	return t.AH == o.AH && t.Cipher == o.Cipher && t.Auth == o.Auth && t.KeyBits == o.KeyBits && sameICV
}

// maxSuggestions bounds the combinations that are looked at.
const maxSuggestions = 256

// suggestions are all that a peer offers, in its order. Proposals of the same number go together, one transform of each.
func suggestions(o ikev1msg.SA) []suggestion {
	var list []suggestion
	for i := 0; i < len(o.Proposals); {
		k := i + 1
		for k < len(o.Proposals) && o.Proposals[k].Number == o.Proposals[i].Number {
			k++
		}
		if k-i <= 2 { // no more than AH and ESP: compression is not done
			list = combine(list, suggestion{}, o.Proposals[i:k])
		}
		i = k
	}
	return list
}

func combine(list []suggestion, g suggestion, rest []ikev1msg.Proposal) []suggestion {
	if len(rest) == 0 {
		return append(list, g)
	}
	for _, t := range rest[0].Transforms {
		if len(list) >= maxSuggestions {
			break
		}
		next := g
		next.answer = append([]ikev1msg.Proposal(nil), g.answer...)
		if next.read(rest[0], t) {
			list = combine(list, next, rest[1:])
		}
	}
	return list
}

func spiBytes(spi uint32) []byte { return binary.BigEndian.AppendUint32(nil, spi) }
