package ikev2

import (
	"encoding/binary"
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// ikeChoice is the algorithms of an IKE SA.
type ikeChoice struct {
	suite.V2Suite
	Group      suite.Group
	Additional []suite.Group // RFC 9370, in order of rounds
	transforms []ikev2msg.Transform
}

// defaultProposal is offered and taken where none is configured.
var defaultProposal = ike.V2Proposal{
	Name: "default",
	Ciphers: []ike.V2Cipher{
		{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}, {Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16},
		{Cipher: suite.CipherAESCBC, KeyBits: 256}, {Cipher: suite.CipherAESCBC, KeyBits: 128},
	},
	Integrity: []suite.Hash{suite.HashSHA256, suite.HashSHA384, suite.HashSHA512},
	PRFs:      []suite.Hash{suite.HashSHA256, suite.HashSHA384, suite.HashSHA512},
	Groups:    []suite.Group{suite.GroupX25519, suite.GroupECP256, suite.GroupECP384, suite.GroupMODP2048},
}

// proposals are those that count for an address of ours: of the policies that name it, or of those that name none.
func (e *Engine) proposals(path ike.Path) []ike.V2Proposal {
	var exact, general []string
	for _, p := range e.cfg.V2.Policies {
		if p.VRF != ike.AnyVRF && p.VRF != path.VRF {
			continue
		}
		if len(p.Local) == 0 {
			general = append(general, p.Proposals...)
		} else if slices.Contains(p.Local, path.Local.Addr()) {
			exact = append(exact, p.Proposals...)
		}
	}
	if len(exact) == 0 {
		exact = general
	}
	var list []ike.V2Proposal
	for _, name := range exact {
		if k := slices.IndexFunc(e.cfg.V2.Proposals, func(p ike.V2Proposal) bool { return p.Name == name && complete(&p) }); k >= 0 {
			list = append(list, e.cfg.V2.Proposals[k])
		}
	}
	if len(list) == 0 {
		return []ike.V2Proposal{defaultProposal}
	}
	return list
}

// complete tells whether an SA can be made by a proposal; one that lacks something is passed over.
func complete(p *ike.V2Proposal) bool {
	integrity := len(p.Integrity) > 0 || !slices.ContainsFunc(p.Ciphers, func(c ike.V2Cipher) bool { return !c.Cipher.Combined() })
	return len(p.Ciphers) > 0 && len(p.Groups) > 0 && integrity
}

var encrNumbers = map[suite.Cipher]uint16{
	suite.CipherNull: ikev2msg.EncrNull, suite.CipherDES: ikev2msg.EncrDES, suite.Cipher3DES: ikev2msg.Encr3DES, suite.CipherAESCBC: ikev2msg.EncrAESCBC,
	suite.CipherAESCTR: ikev2msg.EncrAESCTR, suite.CipherAESGMAC: ikev2msg.EncrAESGMAC, suite.CipherChaCha20Poly1305: ikev2msg.EncrChaCha20,
}

var intNumbers = map[suite.Hash]uint16{
	suite.HashNone: ikev2msg.IntNone, suite.HashMD5: ikev2msg.IntMD5x96, suite.HashSHA1: ikev2msg.IntSHA1x96, suite.HashSHA256: ikev2msg.IntSHA256,
	suite.HashSHA384: ikev2msg.IntSHA384, suite.HashSHA512: ikev2msg.IntSHA512,
}

var prfNumbers = map[suite.Hash]uint16{
	suite.HashMD5: ikev2msg.PRFMD5, suite.HashSHA1: ikev2msg.PRFSHA1, suite.HashSHA256: ikev2msg.PRFSHA256, suite.HashSHA384: ikev2msg.PRFSHA384,
	suite.HashSHA512: ikev2msg.PRFSHA512,
}

// encr is a cipher as a transform.
func encr(c suite.Cipher, bits, icv int) ikev2msg.Transform {
	t := ikev2msg.Transform{Type: ikev2msg.TransformEncr, ID: encrNumbers[c]}
	switch c {
	case suite.CipherAESGCM:
		t.ID = ikev2msg.EncrAESGCM16
		switch icv {
		case 8:
			t.ID = ikev2msg.EncrAESGCM8
		case 12:
			t.ID = ikev2msg.EncrAESGCM12
		}
		t.Bits = uint16(bits)
	case suite.CipherAESCBC, suite.CipherAESCTR, suite.CipherAESGMAC:
		t.Bits = uint16(bits)
	}
	return t
}

// cipherOf is the reverse of encr.
func cipherOf(t ikev2msg.Transform) (c suite.Cipher, bits, icv int) {
	switch t.ID {
	case ikev2msg.EncrAESGCM8:
		return suite.CipherAESGCM, int(t.Bits), 8
	case ikev2msg.EncrAESGCM12:
		return suite.CipherAESGCM, int(t.Bits), 12
	case ikev2msg.EncrAESGCM16:
		return suite.CipherAESGCM, int(t.Bits), 16
	}
	return reverse(encrNumbers, t.ID), int(t.Bits), 0
}

func reverse[T comparable](m map[T]uint16, id uint16) (zero T) {
	for k, v := range m {
		if v == id {
			return k
		}
	}
	return zero
}

// offerIKE is proposals as they stand in a message. Combined ciphers and others are never in one proposal (RFC 7296 section 3.3).
func offerIKE(list []ike.V2Proposal, spi []byte) []ikev2msg.Proposal {
	var out []ikev2msg.Proposal
	for i := range list {
		for _, combined := range []bool{true, false} {
			if t := transformsOf(&list[i], combined); t != nil {
				out = append(out, ikev2msg.Proposal{Number: uint8(len(out) + 1), Protocol: ikev2msg.ProtoIKE, SPI: spi, Transforms: t})
			}
		}
	}
	return out
}

// transformsOf is the transforms of a proposal with its combined ciphers, or with the others; nil without any.
func transformsOf(p *ike.V2Proposal, combined bool) []ikev2msg.Transform {
	var out []ikev2msg.Transform
	for _, c := range p.Ciphers {
		if c.Cipher.Combined() == combined {
			out = append(out, encr(c.Cipher, c.KeyBits, c.ICV))
		}
	}
	if len(out) == 0 {
		return nil
	}
	if !combined {
		for _, h := range p.Integrity {
			out = append(out, ikev2msg.Transform{Type: ikev2msg.TransformInt, ID: intNumbers[h]})
		}
	}
	prfs := p.PRFs
	if len(prfs) == 0 {
		prfs = p.Integrity
	}
	if len(prfs) == 0 {
		prfs = []suite.Hash{suite.HashSHA256}
	}
	for _, h := range prfs {
		out = append(out, ikev2msg.Transform{Type: ikev2msg.TransformPRF, ID: prfNumbers[h]})
	}
	for _, g := range p.Groups {
		out = append(out, ikev2msg.Transform{Type: ikev2msg.TransformKE, ID: uint16(g)})
	}
	for round := 1; round <= 7; round++ {
		for _, g := range p.Additional[round] {
			out = append(out, ikev2msg.Transform{Type: uint8(ikev2msg.TransformADD1 + round - 1), ID: uint16(g)})
		}
	}
	return out
}

// match takes the first of our transforms of each type that the peer has too. A type that one side leaves out must be one that the other side can do
// without ("none", number 0).
func match(ours, theirs []ikev2msg.Transform) (chosen []ikev2msg.Transform, ok bool) {
	for t := uint8(ikev2msg.TransformEncr); t <= ikev2msg.TransformADD7; t++ {
		mine, other := ofType(ours, t), ofType(theirs, t)
		switch {
		case len(mine) == 0 && len(other) == 0:
		case len(other) == 0:
			if !slices.ContainsFunc(mine, isNone) {
				return nil, false
			}
		case len(mine) == 0:
			if !slices.ContainsFunc(other, isNone) {
				return nil, false
			}
			chosen = append(chosen, ikev2msg.Transform{Type: t})
		default:
			k := slices.IndexFunc(mine, func(m ikev2msg.Transform) bool { return slices.Contains(other, m) })
			if k < 0 {
				return nil, false
			}
			chosen = append(chosen, mine[k])
		}
	}
	for _, t := range theirs { // of a type that nobody knows yet
		if t.Type == 0 || t.Type > ikev2msg.TransformADD7 {
			return nil, false
		}
	}
	return chosen, true
}

func isNone(t ikev2msg.Transform) bool { return t.ID == 0 }

func ofType(list []ikev2msg.Transform, t uint8) []ikev2msg.Transform {
	var out []ikev2msg.Transform
	for _, x := range list {
		if x.Type == t && !x.Odd {
			out = append(out, x)
		}
	}
	return out
}

// chooseIKE takes the first of our proposals that one of the peer's fits.
func chooseIKE(ours []ike.V2Proposal, theirs []ikev2msg.Proposal) (c ikeChoice, number uint8, ok bool) {
	for _, o := range offerIKE(ours, nil) {
		for _, t := range theirs {
			if t.Protocol != ikev2msg.ProtoIKE {
				continue
			}
			if chosen, fits := match(o.Transforms, t.Transforms); fits {
				return choiceOf(chosen), t.Number, true
			}
		}
	}
	return c, 0, false
}

// choiceOf reads the transforms of a choice.
func choiceOf(list []ikev2msg.Transform) (c ikeChoice) {
	c.transforms = list
	for _, t := range list {
		switch t.Type {
		case ikev2msg.TransformEncr:
			c.Cipher, c.KeyBits, c.ICV = cipherOf(t)
		case ikev2msg.TransformPRF:
			c.PRF = reverse(prfNumbers, t.ID)
		case ikev2msg.TransformInt:
			c.Integrity = reverse(intNumbers, t.ID)
		case ikev2msg.TransformKE:
			c.Group = suite.Group(t.ID)
		case ikev2msg.TransformESN:
		default:
			if t.ID != 0 {
				c.Additional = append(c.Additional, suite.Group(t.ID))
			}
		}
	}
	return c
}

// agreed reads a peer's choice out of what we offered: one proposal, one transform a type, all of ours.
func agreed(offered, answer []ikev2msg.Proposal) (*ikev2msg.Proposal, []ikev2msg.Transform, bool) {
	if len(answer) != 1 {
		return nil, nil, false
	}
	a := &answer[0]
	for i := range offered {
		o := &offered[i]
		if o.Protocol != a.Protocol || o.Number != a.Number {
			continue
		}
		for t := range uint8(ikev2msg.TransformADD7 + 1) {
			if len(ofType(a.Transforms, t)) > 1 {
				return nil, nil, false
			}
		}
		for _, t := range a.Transforms {
			if !slices.Contains(o.Transforms, t) && !isNone(t) {
				return nil, nil, false
			}
		}
		chosen, ok := match(o.Transforms, a.Transforms)
		return o, chosen, ok
	}
	return nil, nil, false
}

// offerChild is the transform sets of a protection as they stand in a message: those of the mode that the first one has, that IKEv2 can make.
func offerChild(p *ike.Protection, esp, ah uint32, ke []suite.Group, nat bool) []ikev2msg.Proposal {
	var out []ikev2msg.Proposal
	for i := range p.Transforms {
		t := &p.Transforms[i]
		if t.Tunnel != p.Transforms[0].Tunnel || !possible(t, nat) {
			continue
		}
		o := childProposal(t, ke)
		o.Number = uint8(len(out) + 1)
		spi := esp
		if o.Protocol == ikev2msg.ProtoAH {
			spi = ah
		}
		o.SPI = binary.BigEndian.AppendUint32(nil, spi)
		out = append(out, o)
	}
	return out
}

// possible tells whether a child can be made of a set: not of AH over ESP, which would be two (RFC 7296 section 3.3), and not of AH where an address is
// translated, which AH authenticates.
func possible(t *ike.Transform, nat bool) bool {
	return t.AH == suite.HashNone || t.Cipher == suite.CipherNone && !nat
}

// childProposal is one transform set. ke is the groups of a key exchange of its own; GroupNone among them: it can do without.
func childProposal(t *ike.Transform, ke []suite.Group) ikev2msg.Proposal {
	o := ikev2msg.Proposal{Protocol: ikev2msg.ProtoESP}
	integrity := t.Auth
	if t.Cipher == suite.CipherNone {
		o.Protocol, integrity = ikev2msg.ProtoAH, t.AH
	} else {
		o.Transforms = append(o.Transforms, encr(t.Cipher, t.KeyBits, t.ICV))
	}
	if integrity != suite.HashNone {
		o.Transforms = append(o.Transforms, ikev2msg.Transform{Type: ikev2msg.TransformInt, ID: intNumbers[integrity]})
	}
	for _, g := range ke {
		o.Transforms = append(o.Transforms, ikev2msg.Transform{Type: ikev2msg.TransformKE, ID: uint16(g)})
	}
	if t.ESN {
		o.Transforms = append(o.Transforms, ikev2msg.Transform{Type: ikev2msg.TransformESN, ID: ikev2msg.ESNExtended})
	}
	o.Transforms = append(o.Transforms, ikev2msg.Transform{Type: ikev2msg.TransformESN, ID: ikev2msg.ESNNone})
	return o
}

// childChoice is what a child is made of.
type childChoice struct {
	ike.Transform
	protection *ike.Protection
	group      suite.Group
	number     uint8
	transforms []ikev2msg.Transform
	spi        uint32 // the peer's inbound one
	protocol   uint8
}

// read fills in the choice from its transforms.
func (c *childChoice) read(set *ike.Transform, list []ikev2msg.Transform) {
	c.Transform, c.transforms = *set, list
	c.ESN = false
	for _, t := range list {
		switch {
		case t.Type == ikev2msg.TransformKE:
			c.group = suite.Group(t.ID)
		case t.Type == ikev2msg.TransformESN:
			c.ESN = t.ID == ikev2msg.ESNExtended
		}
	}
}

// chooseChild takes the first set of the first protection that one of the peer's proposals fits. ke is what a key exchange may be by protection.
func chooseChild(list []*ike.Protection, theirs []ikev2msg.Proposal, ke func(*ike.Protection) []suite.Group, transport, nat bool) (c childChoice, ok bool) {
	for _, p := range list {
		for i := range p.Transforms {
			set := &p.Transforms[i]
			if !possible(set, nat) || set.Require && !transport {
				continue
			}
			o := childProposal(set, ke(p))
			for _, t := range theirs {
				if t.Protocol != o.Protocol || len(t.SPI) != ikev2msg.SPILenChild {
					continue
				}
				spi := binary.BigEndian.Uint32(t.SPI)
				if chosen, fits := match(o.Transforms, t.Transforms); fits && spi >= 256 {
					c = childChoice{protection: p, number: t.Number, spi: spi, protocol: t.Protocol}
					c.read(set, chosen)
					return c, true
				}
			}
		}
	}
	return c, false
}

// pfsGroups is which groups a protection takes in a child's own key exchange: as responder any, where it has none of its own.
func pfsGroups(p *ike.Protection, responder bool) []suite.Group {
	switch {
	case p.PFS != suite.GroupNone:
		return []suite.Group{p.PFS}
	case !responder:
		return nil
	}
	return []suite.Group{
		suite.GroupX25519, suite.GroupECP256, suite.GroupECP384, suite.GroupECP521, suite.GroupMODP2048, suite.GroupMODP3072, suite.GroupMODP4096,
		suite.GroupMODP1536, suite.GroupMODP1024, suite.GroupMODP768, suite.GroupNone,
	}
}
