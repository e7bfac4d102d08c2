package grammar

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// kind is the type of an argument.
type kind uint8

const (
	kindWord            kind = iota // anything without a space
	kindName                        // a word that is not a number with dots: a name beside addresses
	kindSecret                      // a word in which ! is not a comment
	kindLine                        // the rest of the line, ! included
	kindInt                         // a decimal number in a range
	kindIP                          // A.B.C.D
	kindMask                        // A.B.C.D, contiguous ones
	kindWildcard                    // A.B.C.D, any
	kindPrefix                      // A.B.C.D/LENGTH
	kindRD                          // ASN:NUMBER or A.B.C.D:NUMBER
	kindASN                         // 1 to 4294967295 or HIGH.LOW
	kindInterface                   // Ethernet0/0
	kindInterfaceType               // Ethernet, of a name in two words
	kindInterfaceNumber             // 0/0, of a name in two words
)

var kindNames = map[string]kind{
	"": kindWord, "word": kindWord, "name": kindName, "secret": kindSecret, "line": kindLine, "ip": kindIP,
	"mask": kindMask, "wildcard": kindWildcard, "prefix": kindPrefix, "rd": kindRD, "asn": kindASN,
	"interface": kindInterface,
}

// argument is one typed place in a syntax string.
type argument struct {
	name     string
	kind     kind
	min, max uint64
}

func newArgument(name, typ string) (*argument, error) {
	if name == "" {
		return nil, fmt.Errorf("argument without a name")
	}
	if k, ok := kindNames[typ]; ok {
		return &argument{name: name, kind: k}, nil
	}
	lo, hi, ok := strings.Cut(typ, "-")
	lower, err1 := strconv.ParseUint(lo, 10, 64)
	upper, err2 := strconv.ParseUint(hi, 10, 64)
	if !ok || err1 != nil || err2 != nil || lower > upper {
		return nil, fmt.Errorf("unknown type %q", typ)
	}
	return &argument{name: name, kind: kindInt, min: lower, max: upper}, nil
}

// typeName is the type as a syntax string has it; number for a range.
func (a *argument) typeName() string {
	if a.kind == kindInt {
		return "number"
	}
	for name, k := range kindNames {
		if k == a.kind && name != "" {
			return name
		}
	}
	return "interface"
}

// label is how the argument shows in help and completion.
func (a *argument) label() string {
	switch a.kind {
	case kindInt:
		return fmt.Sprintf("<%d-%d>", a.min, a.max)
	case kindIP, kindMask, kindWildcard:
		return "A.B.C.D"
	case kindPrefix:
		return "A.B.C.D/nn"
	case kindRD:
		return "ASN:nn or A.B.C.D:nn"
	case kindASN:
		return "<1-4294967295>"
	case kindInterface, kindInterfaceType:
		return "INTERFACE"
	case kindInterfaceNumber:
		return "NUMBER"
	case kindLine:
		return "LINE"
	}
	return "WORD"
}

// describe says in words what the argument takes, for errors.
func (a *argument) describe() string {
	switch a.kind {
	case kindInt:
		return fmt.Sprintf("a number from %d to %d", a.min, a.max)
	case kindIP:
		return "an IPv4 address"
	case kindMask:
		return "a network mask"
	case kindWildcard:
		return "a wildcard mask"
	case kindPrefix:
		return "a prefix such as 192.0.2.0/24"
	case kindRD:
		return "AS:number or address:number"
	case kindASN:
		return "an AS number from 1 to 4294967295"
	case kindInterface, kindInterfaceType:
		return "an interface"
	case kindInterfaceNumber:
		return "an interface number"
	case kindName:
		return "a name"
	}
	return "a word"
}

// loose tells whether the argument takes nearly any word, so that a keyword wins over it.
func (a *argument) loose() bool {
	return a.kind == kindWord || a.kind == kindName || a.kind == kindSecret || a.kind == kindLine
}

// raw tells whether a ! belongs to the value.
func (a *argument) raw() bool { return a.kind == kindSecret || a.kind == kindLine }

// key tells whether the argument is a key or a password.
func (a *argument) key() bool { return a.kind == kindSecret || a.kind == kindLine && a.name == "key" }

// accept returns the canonical text of the token, or false if the argument doesn't take it. before is the value
// matched last, of use to the number of an interface name in two words.
func (a *argument) accept(token, before string) (string, bool) {
	switch a.kind {
	case kindWord, kindSecret, kindLine:
		return token, token != ""
	case kindName:
		return token, strings.Trim(token, "0123456789.") != ""
	case kindInt:
		n, ok := number(token)
		return strconv.FormatUint(n, 10), ok && n >= a.min && n <= a.max
	case kindIP, kindWildcard:
		ip, err := netip.ParseAddr(token)
		return token, err == nil && ip.Is4()
	case kindMask:
		_, ok := MaskBits(token)
		return token, ok
	case kindPrefix:
		p, err := netip.ParsePrefix(token)
		return token, err == nil && p.Addr().Is4()
	case kindRD:
		return acceptRD(token)
	case kindASN:
		n, ok := ASN(token)
		return strconv.FormatUint(uint64(n), 10), ok && n != 0
	case kindInterface:
		return InterfaceName(token)
	case kindInterfaceType:
		name, ok := interfaceType(token)
		return name, ok
	case kindInterfaceNumber:
		return InterfaceName(before + token)
	}
	return "", false
}

// number reads plain decimal digits.
func number(token string) (uint64, bool) {
	if token == "" || strings.Trim(token, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(token, 10, 64)
	return n, err == nil
}

// MaskBits returns the length of a contiguous network mask.
func MaskBits(token string) (int, bool) {
	ip, err := netip.ParseAddr(token)
	if err != nil || !ip.Is4() {
		return 0, false
	}
	bits, zero := 0, false
	for _, b := range ip.As4() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && zero {
				return 0, false
			}
			if one {
				bits++
			}
			zero = zero || !one
		}
	}
	return bits, true
}

// ASN reads an AS number, plain or as HIGH.LOW (RFC 5396).
func ASN(token string) (uint32, bool) {
	hi, lo, dotted := strings.Cut(token, ".")
	if !dotted {
		n, ok := number(token)
		return uint32(n), ok && n <= 1<<32-1
	}
	h, ok1 := number(hi)
	l, ok2 := number(lo)
	return uint32(h<<16 | l), ok1 && ok2 && h <= 65535 && l <= 65535
}

// acceptRD takes ASN:number or address:number; the numbers' widths are those of RFC 4364 section 4.2.
func acceptRD(token string) (string, bool) {
	admin, num, ok := strings.Cut(token, ":")
	n, isNum := number(num)
	if !ok || !isNum {
		return "", false
	}
	if ip, err := netip.ParseAddr(admin); err == nil && ip.Is4() {
		return fmt.Sprintf("%s:%d", ip, n), n <= 65535
	}
	as, ok := ASN(admin)
	if !ok || (as > 65535 && n > 65535) || n > 1<<32-1 {
		return "", false
	}
	return fmt.Sprintf("%d:%d", as, n), true
}
