package show

import (
	"cmp"
	"fmt"
	"strings"

	"nave/slowpath/ike"
)

// mostOffers is how many proposals of a message are written: nobody needs more, and a peer may send hundreds.
const mostOffers = 32

// offers writes what an SA payload proposes, a line each.
func (b *traceLines) offers(version int, list []ike.TracePayload) {
	left := mostOffers
	for i := range list {
		for k := range list[i].Offers {
			if left--; left < 0 {
				b.add("  and more proposals")
				return
			}
			o := &list[i].Offers[k]
			if version == 1 {
				b.add("  proposal %d: %s", o.Number, isakmpOffer(o))
			} else {
				b.add("  proposal %d: %s", o.Number, ikev2Offer(o))
			}
		}
	}
}

// numberText is a number with the name that it has in a table, if any.
func numberText[K comparable](names map[K]string, n K) string {
	return cmp.Or(names[n], fmt.Sprint(n))
}

// protocolNames are those of proposals (RFC 2407 section 4.4.1, RFC 7296 section 3.3.1).
var protocolNames = [2]map[uint8]string{{1: "ISAKMP", 2: "AH", 3: "ESP"}, {1: "IKE", 2: "AH", 3: "ESP"}}

// Algorithms of version 1 (RFC 2409 appendix A, RFC 2407 sections 4.4 and 4.5, and IANA's registries).
var (
	isakmpCiphers = map[uint64]string{1: "DES-CBC", 5: "3DES-CBC", 7: "AES-CBC"}
	isakmpHashes  = map[uint64]string{1: "MD5", 2: "SHA", 4: "SHA256", 5: "SHA384", 6: "SHA512"}
	isakmpAuths   = map[uint64]string{1: "pre-share", 2: "DSS-sig", 3: "RSA-sig", 4: "RSA-encr", 65001: "XAUTH pre-share"}
	ipsecCiphers  = map[uint8]string{
		2: "ESP_DES", 3: "ESP_3DES", 11: "ESP_NULL", 12: "ESP_AES", 13: "ESP_AES_CTR", 18: "ESP_AES_GCM_8", 19: "ESP_AES_GCM_12", 20: "ESP_AES_GCM_16", 23: "ESP_AES_GMAC",
	}
	ipsecDigests = map[uint8]string{2: "AH_MD5", 3: "AH_SHA", 5: "AH_SHA256", 6: "AH_SHA384", 7: "AH_SHA512"}
	ipsecAuths   = map[uint64]string{1: "HMAC-MD5", 2: "HMAC-SHA", 5: "HMAC-SHA256", 6: "HMAC-SHA384", 7: "HMAC-SHA512"}
	ipsecEncaps  = map[uint64]string{1: "tunnel", 2: "transport", 3: "tunnel UDP", 4: "transport UDP", 61443: "tunnel UDP draft", 61444: "transport UDP draft"}
)

// isakmpOffer is a transform of version 1 with its attributes.
func isakmpOffer(o *ike.TraceOffer) string {
	words := []string{numberText(protocolNames[0], o.Protocol)}
	switch o.Protocol {
	case 1:
	case 2:
		words = append(words, numberText(ipsecDigests, o.ID))
	default:
		words = append(words, numberText(ipsecCiphers, o.ID))
	}
	life := ""
	for _, t := range o.Transforms {
		attr, lifeType, lifeDuration := ipsecAttr(t), uint16(1), uint16(2)
		if o.Protocol == 1 {
			attr, lifeType, lifeDuration = isakmpAttr(t), 11, 12
		}
		switch t.Type {
		case lifeType:
			life = map[uint64]string{1: "seconds", 2: "kilobytes"}[t.Value]
		case lifeDuration:
			words = append(words, fmt.Sprintf("life %d %s", t.Value, cmp.Or(life, "(of an unknown kind)")))
		default:
			words = append(words, attr)
		}
	}
	return strings.Join(words, ", ")
}

func isakmpAttr(t ike.TraceTransform) string {
	switch t.Type {
	case 1:
		return "encryption " + numberText(isakmpCiphers, t.Value)
	case 2:
		return "hash " + numberText(isakmpHashes, t.Value)
	case 3:
		return "auth " + numberText(isakmpAuths, t.Value)
	case 4:
		return fmt.Sprintf("group %d", t.Value)
	case 14:
		return fmt.Sprintf("keylength %d", t.Value)
	}
	return fmt.Sprintf("attribute %d = %d", t.Type, t.Value)
}

func ipsecAttr(t ike.TraceTransform) string {
	switch t.Type {
	case 3:
		return fmt.Sprintf("PFS group %d", t.Value)
	case 4:
		return "encaps " + numberText(ipsecEncaps, t.Value)
	case 5:
		return "authenticator " + numberText(ipsecAuths, t.Value)
	case 6:
		return fmt.Sprintf("key length %d", t.Value)
	}
	return fmt.Sprintf("attribute %d = %d", t.Type, t.Value)
}

// Algorithms of version 2 (RFC 7296 section 3.3.2 and IANA's registries), by transform type.
var ikev2Algorithms = map[uint16]map[uint64]string{
	1: {
		2: "DES", 3: "3DES", 11: "NULL", 12: "AES-CBC", 13: "AES-CTR", 18: "AES-GCM-8", 19: "AES-GCM-12", 20: "AES-GCM-16", 21: "NULL-AES-GMAC", 28: "CHACHA20-POLY1305",
	},
	2: {1: "MD5", 2: "SHA1", 5: "SHA256", 6: "SHA384", 7: "SHA512"},
	3: {0: "NONE", 1: "MD5-96", 2: "SHA1-96", 12: "SHA256-128", 13: "SHA384-192", 14: "SHA512-256"},
	4: {0: "NONE", 35: "ML-KEM-512", 36: "ML-KEM-768", 37: "ML-KEM-1024"},
	5: {0: "No-ESN", 1: "ESN"},
}

var ikev2Types = map[uint16]string{1: "ENCR", 2: "PRF", 3: "INTEG", 4: "DH", 5: "ESN"}

// ikev2Offer is a proposal of version 2, its algorithms in the order that they are proposed in.
func ikev2Offer(o *ike.TraceOffer) string {
	words := []string{numberText(protocolNames[1], o.Protocol)}
	for _, t := range o.Transforms {
		kind, names := t.Type, ikev2Algorithms[t.Type]
		if kind >= 6 && kind <= 12 { // additional key exchanges (RFC 9370)
			names = ikev2Algorithms[4]
		}
		what := names[t.Value]
		switch {
		case what == "" && (kind == 4 || kind >= 6 && kind <= 12):
			what = fmt.Sprintf("group %d", t.Value)
		case what == "":
			what = fmt.Sprint(t.Value)
		}
		if t.KeyBits != 0 {
			what += fmt.Sprintf(" %d", t.KeyBits)
		}
		name := ikev2Types[kind]
		if kind >= 6 && kind <= 12 {
			name = fmt.Sprintf("ADDKE%d", kind-5)
		}
		words = append(words, cmp.Or(name, fmt.Sprintf("type %d", kind))+" "+what)
	}
	return strings.Join(words, ", ")
}
