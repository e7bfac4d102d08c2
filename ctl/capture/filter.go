package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nave/fastpath"
)

// The filter language:
//
//	filter := term { or term }
//	term   := factor { [and] factor }
//	factor := [not] ( "(" filter ")" | test )
//	test   := [src|dst] host A.B.C.D | [src|dst] net A.B.C.D/LENGTH | [src|dst] port N[-N] (or portrange, as tcpdump has it)
//	        | proto NAME|N | icmp|igmp|tcp|udp|gre|esp|ah|eigrp|ospf|pim | ip | A.B.C.D
//
// `and` may be left out. A test is about the IPv4 header that comes first in the packet, behind Ethernet, tags and labels: on a port that of a tunnel's packet is the outer one. It
// fails where there is none.

// protocols by name.
var protocols = map[string]uint32{"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "eigrp": 88, "ospf": 89, "pim": 103}

// node is a part of a filter: a test where it has no parts.
type node struct {
	op    string // and, or, not
	parts []*node
	test  fastpath.CaptureStep
}

// maxNesting bounds how deep brackets and negations may go.
const maxNesting = 16

// maxFilter is the longest filter, in bytes.
const maxFilter = 1000

// Compile makes of a filter the tests that a worker makes; none for an empty filter. The error says which word is wrong.
func Compile(text string) ([]fastpath.CaptureStep, error) {
	if len(text) > maxFilter {
		return nil, fmt.Errorf("filter: longer than %d bytes", maxFilter)
	}
	p := &parser{words: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", "!", " not ", "&&", " and ", "||", " or ").Replace(text))}
	if len(p.words) == 0 {
		return nil, nil
	}
	n, err := p.either(0)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if p.at < len(p.words) {
		return nil, fmt.Errorf("filter: unexpected %q", p.words[p.at])
	}
	if n.count() > fastpath.MaxCaptureSteps {
		return nil, fmt.Errorf("filter: %d tests: at most %d", n.count(), fastpath.MaxCaptureSteps)
	}
	return n.compile(nil, 0, fastpath.CaptureAccept, fastpath.CaptureReject), nil
}

// parser reads a filter word by word.
type parser struct {
	words []string
	at    int
}

// next is the next word, in lower case; empty at the end.
func (p *parser) next() string {
	if p.at == len(p.words) {
		return ""
	}
	return strings.ToLower(p.words[p.at])
}

// take is the next word, passed.
func (p *parser) take() string {
	w := p.next()
	if w != "" {
		p.at++
	}
	return w
}

func (p *parser) either(depth int) (*node, error) {
	n, err := p.all(depth)
	if err != nil || p.next() != "or" {
		return n, err
	}
	out := &node{op: "or", parts: []*node{n}}
	for p.next() == "or" {
		p.at++
		if n, err = p.all(depth); err != nil {
			return nil, err
		}
		out.parts = append(out.parts, n)
	}
	return out, nil
}

func (p *parser) all(depth int) (*node, error) {
	n, err := p.factor(depth)
	if err != nil {
		return nil, err
	}
	out := &node{op: "and", parts: []*node{n}}
	for p.next() != "" && p.next() != "or" && p.next() != ")" {
		if p.next() == "and" {
			p.at++
		}
		if n, err = p.factor(depth); err != nil {
			return nil, err
		}
		out.parts = append(out.parts, n)
	}
	if len(out.parts) == 1 {
		return n, nil
	}
	return out, nil
}

func (p *parser) factor(depth int) (*node, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("more than %d brackets or negations in each other", maxNesting)
	}
	switch p.next() {
	case "not":
		p.at++
		n, err := p.factor(depth + 1)
		return &node{op: "not", parts: []*node{n}}, err
	case "(":
		p.at++
		n, err := p.either(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.take() != ")" {
			return nil, fmt.Errorf("a bracket is not closed")
		}
		return n, nil
	}
	return p.test()
}

// test reads one test.
func (p *parser) test() (*node, error) {
	word := p.take()
	side := ""
	if word == "src" || word == "dst" {
		side, word = word, p.take()
	}
	switch word {
	case "":
		return nil, fmt.Errorf("it ends too early")
	case "ip":
		if side == "" {
			return test(fastpath.CaptureIsIPv4, 0, 0), nil
		}
	case "host", "net":
		return prefix(side, word, p.take())
	case "port", "portrange":
		return ports(side, p.take())
	case "proto":
		if side == "" {
			return protocol(p.take())
		}
	default:
		if n, ok := protocols[word]; ok && side == "" {
			return test(fastpath.CaptureProto, n, 0), nil
		}
		if a, err := netip.ParseAddr(word); err == nil && a.Is4() {
			return prefix(side, "host", word)
		}
	}
	return nil, fmt.Errorf("%q is no test: want host A.B.C.D, net A.B.C.D/LENGTH, port N, each with src or dst in front or without; proto N, icmp, tcp, udp, gre, esp, ah, ip; and, or, not, ( )", word)
}

func test(f fastpath.CaptureField, value, mask uint32) *node {
	return &node{test: fastpath.CaptureStep{Field: f, Value: value, Mask: mask}}
}

// sides makes a test of a source or destination, or of either.
func sides(side string, src, dst fastpath.CaptureField, value, mask uint32) *node {
	switch side {
	case "src":
		return test(src, value, mask)
	case "dst":
		return test(dst, value, mask)
	}
	return &node{op: "or", parts: []*node{test(src, value, mask), test(dst, value, mask)}}
}

func prefix(side, kind, text string) (*node, error) {
	n, err := netip.ParsePrefix(text)
	if kind == "host" {
		var a netip.Addr
		a, err = netip.ParseAddr(text)
		n = netip.PrefixFrom(a, 32)
	}
	if err != nil || !n.Addr().Is4() {
		return nil, fmt.Errorf("%s %q: want an IPv4 %s", kind, text, map[string]string{"host": "address", "net": "prefix such as 192.0.2.0/24"}[kind])
	}
	a := n.Masked().Addr().As4()
	mask := uint32(0)
	if n.Bits() > 0 {
		mask = ^uint32(0) << (32 - n.Bits())
	}
	return sides(side, fastpath.CaptureSrc, fastpath.CaptureDst, binary.BigEndian.Uint32(a[:]), mask), nil
}

func ports(side, text string) (*node, error) {
	lo, hi, ranged := strings.Cut(text, "-")
	if !ranged {
		hi = lo
	}
	a, err1 := strconv.ParseUint(lo, 10, 16)
	b, err2 := strconv.ParseUint(hi, 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return nil, fmt.Errorf("port %q: want a number from 0 to 65535, or two with a hyphen between", text)
	}
	return sides(side, fastpath.CaptureSrcPort, fastpath.CaptureDstPort, uint32(a), uint32(b)), nil
}

func protocol(text string) (*node, error) {
	if n, ok := protocols[text]; ok {
		return test(fastpath.CaptureProto, n, 0), nil
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("proto %q: want a number from 0 to 255, or a name such as udp, gre, esp", text)
	}
	return test(fastpath.CaptureProto, uint32(n), 0), nil
}

func (n *node) count() int {
	if n.op == "" {
		return 1
	}
	sum := 0
	for _, p := range n.parts {
		sum += p.count()
	}
	return sum
}

// compile appends the tests of n, the first of which has the number at, and leads from the last ones to yes or no.
func (n *node) compile(steps []fastpath.CaptureStep, at int, yes, no uint8) []fastpath.CaptureStep {
	switch n.op {
	case "":
		s := n.test
		s.Yes, s.No = yes, no
		return append(steps, s)
	case "not":
		return n.parts[0].compile(steps, at, no, yes)
	}
	for i, p := range n.parts {
		y, o := yes, no
		if next := at + p.count(); i < len(n.parts)-1 && n.op == "and" {
			y = uint8(next)
		} else if i < len(n.parts)-1 {
			o = uint8(next)
		}
		steps = p.compile(steps, at, y, o)
		at += p.count()
	}
	return steps
}
