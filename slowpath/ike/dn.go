package ike

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// DNIdentity is the identity of a certificate's subject.
func DNIdentity(c *x509.Certificate) Identity {
	return Identity{Kind: IDDN, Value: string(c.RawSubject)}
}

// attribute and rdnSET are the parts of a distinguished name (RFC 5280 section 4.1.2.4); encoding/asn1 knows a set by its type's name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type rdnSET []attribute

// Attributes of names that have a short form, as IOS writes it.
var (
	oidEmail               = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidUnstructuredName    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 2} // where IOS puts its host name
	oidUnstructuredAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 8}
)

var attributeNames = []struct {
	oid  asn1.ObjectIdentifier
	name string
}{
	{asn1.ObjectIdentifier{2, 5, 4, 3}, "cn"},
	{asn1.ObjectIdentifier{2, 5, 4, 4}, "sn"},
	{asn1.ObjectIdentifier{2, 5, 4, 5}, "serialNumber"},
	{asn1.ObjectIdentifier{2, 5, 4, 6}, "c"},
	{asn1.ObjectIdentifier{2, 5, 4, 7}, "l"},
	{asn1.ObjectIdentifier{2, 5, 4, 8}, "st"},
	{asn1.ObjectIdentifier{2, 5, 4, 9}, "street"},
	{asn1.ObjectIdentifier{2, 5, 4, 10}, "o"},
	{asn1.ObjectIdentifier{2, 5, 4, 11}, "ou"},
	{asn1.ObjectIdentifier{2, 5, 4, 12}, "t"},
	{asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, "dc"},
	{asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, "uid"},
	{oidEmail, "e"},
	{oidUnstructuredName, "hostname"},
	{oidUnstructuredAddress, "ipaddress"},
}

// parseDN reads the DER of a name.
func parseDN(der string) ([]rdnSET, bool) {
	var n []rdnSET
	rest, err := asn1.Unmarshal([]byte(der), &n)
	return n, err == nil && len(rest) == 0
}

// name is the short form of the attribute's type, or its numbers.
func (a *attribute) name() string {
	for _, n := range attributeNames {
		if n.oid.Equal(a.Type) {
			return n.name
		}
	}
	return a.Type.String()
}

// text is the value, if it is one of the kinds of string that names have.
func (a *attribute) text() (string, bool) {
	if a.Value.Class != asn1.ClassUniversal || a.Value.IsCompound {
		return "", false
	}
	b := a.Value.Bytes
	switch a.Value.Tag {
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, asn1.TagUTF8String:
		return string(b), utf8.Valid(b)
	case asn1.TagT61String: // taken as Latin-1, as everybody does
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), true
	case asn1.TagBMPString:
		if len(b)%2 != 0 {
			return "", false
		}
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(u)), true
	}
	return "", false
}

// fold is a string without what does not count when names are compared: white space at the ends and doubled (RFC 5280 section 7.1, RFC 4518 section 2.6).
func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

func (a *attribute) equal(b *attribute) bool {
	if !a.Type.Equal(b.Type) {
		return false
	}
	x, ok := a.text()
	y, also := b.text()
	if ok && also {
		return strings.EqualFold(fold(x), fold(y))
	}
	return bytes.Equal(a.Value.FullBytes, b.Value.FullBytes)
}

// dnEqual compares two names in DER: the same attributes in the same order; strings without regard to case and kind (RFC 5280 section 7.1).
func dnEqual(a, b string) bool {
	x, ok := parseDN(a)
	y, also := parseDN(b)
	return ok && also && slices.EqualFunc(x, y, func(x, y rdnSET) bool { return len(x) == len(y) && x.within(y) && y.within(x) })
}

// within tells whether a set has nothing that another has not.
func (s rdnSET) within(other rdnSET) bool {
	for i := range s {
		if !slices.ContainsFunc(other, func(a attribute) bool { return s[i].equal(&a) }) {
			return false
		}
	}
	return true
}

// dnHas tells whether a name in DER has all parts, such as "OU=spokes".
func dnHas(der string, parts []string) bool {
	n, ok := parseDN(der)
	if !ok {
		return false
	}
	for _, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !hasAttribute(n, strings.TrimSpace(name), fold(value)) {
			return false
		}
	}
	return true
}

func hasAttribute(n []rdnSET, name, value string) bool {
	for _, set := range n {
		for i := range set {
			text, ok := set[i].text()
			if ok && strings.EqualFold(set[i].name(), name) && strings.EqualFold(fold(text), value) {
				return true
			}
		}
	}
	return false
}

// dnTexts is the values of one attribute of a name in DER.
func dnTexts(der []byte, oid asn1.ObjectIdentifier) []string {
	n, _ := parseDN(string(der))
	var out []string
	for _, set := range n {
		for i := range set {
			if text, ok := set[i].text(); ok && set[i].Type.Equal(oid) {
				out = append(out, text)
			}
		}
	}
	return out
}

// dnString is a name in DER as text: the last part first (RFC 4514 section 2.1), attributes as IOS names them. What is no name is in hexadecimal.
func dnString(der string) string {
	n, ok := parseDN(der)
	if !ok {
		return hex.EncodeToString([]byte(der))
	}
	var out strings.Builder
	for _, set := range slices.Backward(n) {
		if out.Len() > 0 {
			out.WriteByte(',')
		}
		for i := range set {
			if i > 0 {
				out.WriteByte('+')
			}
			out.WriteString(set[i].name())
			out.WriteByte('=')
			if text, ok := set[i].text(); ok {
				escape(&out, text)
			} else {
				out.WriteByte('#')
				out.WriteString(hex.EncodeToString(set[i].Value.FullBytes))
			}
		}
	}
	return out.String()
}

// escape writes a value so that it can't be taken for more than one (RFC 4514 section 2.4), and no terminal is upset by it.
func escape(out *strings.Builder, s string) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;=`, r):
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			out.WriteByte('\\')
			out.WriteString(hex.EncodeToString([]byte(string(r))))
		default:
			out.WriteRune(r)
		}
	}
}
