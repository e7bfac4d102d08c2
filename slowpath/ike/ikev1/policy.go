package ikev1

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// Numbers of phase 1's algorithms (RFC 2409 appendix A, and IANA's registry).
var (
	cipherNumbers = map[suite.Cipher]uint64{suite.CipherDES: 1, suite.Cipher3DES: 5, suite.CipherAESCBC: 7}
	hashNumbers   = map[suite.Hash]uint64{suite.HashMD5: 1, suite.HashSHA1: 2, suite.HashSHA256: 4, suite.HashSHA384: 5, suite.HashSHA512: 6}
)

// Numbers of authentication methods.
const (
	authPSK = 1
	authRSA = 3
)

// shortestLife is what a peer can talk us down to, of both phases.
const shortestLife = 60 * time.Second

// withDefaults fills in what a bare policy of IOS has: DES, SHA-1, group 1, a day.
func withDefaults(p ike.V1Policy) ike.V1Policy {
	if p.Cipher == suite.CipherNone {
		p.Cipher = suite.CipherDES
	}
	if p.Cipher == suite.CipherAESCBC && p.KeyBits == 0 {
		p.KeyBits = 128
	}
	if p.Hash == suite.HashNone {
		p.Hash = suite.HashSHA1
	}
	if p.Group == suite.GroupNone {
		p.Group = suite.GroupMODP768
	}
	if p.Lifetime == 0 {
		p.Lifetime = ike.DefaultSALifetime
	}
	return p
}

// policies are those by which phase 1 is possible with a peer, by priority. Without any configured there is the default one of IOS.
func (e *Engine) policies(psk, rsa bool) []ike.V1Policy {
	list := e.cfg.V1.Policies
	if len(list) == 0 {
		list = []ike.V1Policy{{Priority: 65535, RSA: true}}
	}
	var out []ike.V1Policy
	for _, p := range list {
		p = withDefaults(p)
		if cipherNumbers[p.Cipher] == 0 || hashNumbers[p.Hash] == 0 || !p.Group.Supported() || p.Group.IsKEM() {
			continue
		}
		if p.RSA && rsa || !p.RSA && psk {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b ike.V1Policy) int { return a.Priority - b.Priority })
	return out
}

// policySA offers policies, one a transform.
func policySA(list []ike.V1Policy) ikev1msg.SA {
	p := ikev1msg.Proposal{Number: 1, Protocol: ikev1msg.ProtoISAKMP}
	for i, pol := range list[:min(len(list), 255)] {
		p.Transforms = append(p.Transforms, ikev1msg.Transform{Number: uint8(i + 1), ID: ikev1msg.TransformKeyIKE, Attrs: policyAttrs(pol)})
	}
	return ikev1msg.SA{DOI: ikev1msg.DOIIPsec, Situation: ikev1msg.SituationIdentity, Proposals: []ikev1msg.Proposal{p}}
}

func policyAttrs(p ike.V1Policy) []ikev1msg.Attr {
	auth := uint16(authPSK)
	if p.RSA {
		auth = authRSA
	}
	a := []ikev1msg.Attr{
		ikev1msg.Short(ikev1msg.AttrCipher, uint16(cipherNumbers[p.Cipher])),
		ikev1msg.Short(ikev1msg.AttrHash, uint16(hashNumbers[p.Hash])),
		ikev1msg.Short(ikev1msg.AttrGroup, uint16(p.Group)),
		ikev1msg.Short(ikev1msg.AttrAuth, auth),
		ikev1msg.Short(ikev1msg.AttrLifeType, ikev1msg.LifeSeconds),
		ikev1msg.Long(ikev1msg.AttrLifeDuration, uint32(p.Lifetime/time.Second)),
	}
	if p.Cipher == suite.CipherAESCBC {
		a = append(a, ikev1msg.Short(ikev1msg.AttrKeyLength, uint16(p.KeyBits)))
	}
	return a
}

// takes tells whether a transform is the policy, and how long the SA may then live: the shorter of the two.
func takes(p ike.V1Policy, t ikev1msg.Transform) (time.Duration, bool) {
	var cipher, hash, auth, group, bits uint64
	for _, a := range t.Attrs {
		switch a.Type {
		case ikev1msg.AttrCipher:
			cipher = a.Number()
		case ikev1msg.AttrHash:
			hash = a.Number()
		case ikev1msg.AttrAuth:
			auth = a.Number()
		case ikev1msg.AttrGroup:
			group = a.Number()
		case ikev1msg.AttrKeyLength:
			bits = a.Number()
		case ikev1msg.AttrLifeType, ikev1msg.AttrLifeDuration:
		default:
			return 0, false // something we would not do, such as another PRF
		}
	}
	want := uint64(authPSK)
	if p.RSA {
		want = authRSA
	}
	if p.Cipher == suite.CipherAESCBC && bits != uint64(p.KeyBits) || p.Cipher != suite.CipherAESCBC && bits != 0 {
		return 0, false
	}
	if t.ID != ikev1msg.TransformKeyIKE || cipher != cipherNumbers[p.Cipher] || hash != hashNumbers[p.Hash] || auth != want || group != uint64(p.Group) {
		return 0, false
	}
	seconds, _ := ikev1msg.Lifetimes(t.Attrs, ikev1msg.AttrLifeType, ikev1msg.AttrLifeDuration)
	return shorter(p.Lifetime, seconds), true
}

// shorter is a lifetime of ours, or what the peer says in seconds if that is shorter; 0 is nothing said.
func shorter(own time.Duration, seconds uint64) time.Duration {
	if seconds == 0 || seconds >= uint64(own/time.Second) {
		return own
	}
	return max(time.Duration(seconds)*time.Second, min(own, shortestLife))
}

// choosePolicy finds the first of our policies that is among what a peer offers. The answer holds just that transform, as it came.
func choosePolicy(list []ike.V1Policy, offer ikev1msg.SA) (p ike.V1Policy, answer ikev1msg.SA, ok bool) {
	for _, own := range list {
		for _, prop := range offer.Proposals {
			if prop.Protocol != ikev1msg.ProtoISAKMP {
				continue
			}
			for _, t := range prop.Transforms {
				life, ok := takes(own, t)
				if !ok {
					continue
				}
				own.Lifetime = life
				prop.Transforms = []ikev1msg.Transform{t}
				return own, ikev1msg.SA{DOI: offer.DOI, Situation: offer.Situation, Proposals: []ikev1msg.Proposal{prop}}, true
			}
		}
	}
	return ike.V1Policy{}, ikev1msg.SA{}, false
}

// chosenPolicy finds which of what we offered a peer chose.
func chosenPolicy(list []ike.V1Policy, body []byte) (ike.V1Policy, *fault) {
	answer, err := ikev1msg.ParseSA(body)
	if err != nil {
		return ike.V1Policy{}, malformed("%v", err)
	}
	if len(answer.Proposals) != 1 || len(answer.Proposals[0].Transforms) != 1 {
		return ike.V1Policy{}, malformed("an answer of %d proposals where one has to be chosen", len(answer.Proposals))
	}
	p, _, ok := choosePolicy(list, answer)
	if !ok {
		return ike.V1Policy{}, faultf(ike.WhyNoProposal, 0, "the peer chose what it was not offered")
	}
	return p, nil
}

// describe says what a peer offers, in numbers of the registry, for a log.
func describe(offer ikev1msg.SA) string {
	var b strings.Builder
	n := 0
	for _, p := range offer.Proposals {
		for _, t := range p.Transforms {
			if n++; n > 4 {
				b.WriteString(" ...")
				return b.String()
			}
			if n > 1 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "protocol %d transform %d", p.Protocol, t.ID)
			for _, a := range t.Attrs {
				fmt.Fprintf(&b, " %d=%d", a.Type, a.Number())
			}
		}
	}
	return b.String()
}
