package interop

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SwanSA is an IKE SA as strongSwan has it, with its children.
type SwanSA struct {
	swanNode
	Children []SwanChild
}

// SwanChild is a child SA of strongSwan's.
type SwanChild struct{ swanNode }

// swanNode is a section of what strongSwan's control interface says: its words by name. Fields that a section has not got are empty.
type swanNode struct {
	name   string
	fields map[string]string
	nodes  []swanNode
}

func (n *swanNode) field(name string) string { return n.fields[name] }

// Initiator tells whether strongSwan started.
func (s *SwanSA) Initiator() bool { return s.field("initiator") == "yes" }

// algorithms says how a section's packets are protected, "AES_CBC-128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024"; what is not there is left out.
func (n *swanNode) algorithms() string {
	var out []string
	for _, f := range []string{"encr-alg", "integ-alg", "prf-alg", "dh-group"} {
		v := n.field(f)
		if f == "encr-alg" && n.field("encr-keysize") != "" {
			v += "-" + n.field("encr-keysize")
		}
		if v != "" {
			out = append(out, v)
		}
	}
	return strings.Join(out, "/")
}

// Algorithms are those of the child, with its protocol and mode: "TRANSPORT ESP AES_CBC-128/HMAC_SHA1_96 esn".
func (c *SwanChild) Algorithms() string {
	out := c.field("mode") + " " + c.field("protocol") + " " + c.algorithms()
	if c.field("esn") == "1" {
		out += " esn"
	}
	return out
}

// String is one line about the SA.
func (s *SwanSA) String() string {
	out := fmt.Sprintf("IKEv%s %s %s %s-%s %s", s.field("version"), s.field("state"), s.algorithms(), s.field("local-host"), s.field("remote-host"),
		map[bool]string{true: "initiator", false: "responder"}[s.Initiator()])
	for i := range s.Children {
		c := &s.Children[i]
		out += fmt.Sprintf("; %s %s in %s out %s", c.field("state"), c.Algorithms(), c.field("spi-in"), c.field("spi-out"))
	}
	return out
}

// SwanSAs lists the IKE SAs of a guest's strongSwan.
func (g *Guest) SwanSAs() ([]SwanSA, error) {
	out, err := g.Run(swan + "swanctl --list-sas --raw")
	if err != nil {
		return nil, err
	}
	var sas []SwanSA
	for line := range strings.Lines(out) {
		body, ok := strings.CutPrefix(line, "list-sa event ")
		if !ok {
			continue
		}
		top, err := parseSwan(body)
		if err != nil {
			return nil, fmt.Errorf("interop: %s: %w: %s", g.Name, err, line)
		}
		for _, n := range top.nodes {
			sa := SwanSA{swanNode: n}
			for _, list := range n.nodes {
				for _, c := range list.nodes {
					sa.Children = append(sa.Children, SwanChild{c})
				}
			}
			sas = append(sas, sa)
		}
	}
	return sas, nil
}

// swan is what a shell needs to talk to strongSwan.
const swan = ". /run/peer/swan.sh\n"

// Swan runs a shell function of swan.sh, or swanctl, with settings (lines of NAME=VALUE) in the environment.
func (g *Guest) Swan(settings, command string) (string, error) {
	return g.Run("set -a\n" + settings + "\nset +a\n" + swan + command)
}

var errSwan = errors.New("cannot be read")

// parseSwan reads "{ name {field=value list=[a b] ...} ...}". Words of lists come joined by blanks.
func parseSwan(text string) (swanNode, error) {
	p := swanParser{rest: strings.TrimSpace(text)}
	n, err := p.section("")
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = errSwan
	}
	return n, err
}

type swanParser struct{ rest string }

func (p *swanParser) take(prefix string) bool {
	p.rest = strings.TrimLeft(p.rest, " \n")
	after, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = after
	return ok
}

// section reads what is in braces.
func (p *swanParser) section(name string) (swanNode, error) {
	n := swanNode{name: name, fields: make(map[string]string)}
	if !p.take("{") {
		return n, errSwan
	}
	for !p.take("}") {
		k := strings.IndexAny(p.rest, "={")
		if k <= 0 {
			return n, errSwan
		}
		word := strings.TrimSpace(p.rest[:k])
		if p.rest[k] == '{' {
			p.rest = p.rest[k:]
			child, err := p.section(word)
			if err != nil {
				return n, err
			}
			n.nodes = append(n.nodes, child)
			continue
		}
		p.rest = p.rest[k+1:]
		value, err := p.value()
		if err != nil {
			return n, err
		}
		n.fields[word] = value
	}
	return n, nil
}

// value reads a word, or a list in brackets. A word may have blanks (a distinguished name has): it ends where the next field, section or end begins.
func (p *swanParser) value() (string, error) {
	if strings.HasPrefix(p.rest, "[") {
		list, rest, ok := strings.Cut(p.rest[1:], "]")
		if !ok {
			return "", errSwan
		}
		// a selector has brackets of its own: 192.0.2.1/32[gre]
		for strings.Count(list, "[") > strings.Count(list, "]") {
			more, after, ok := strings.Cut(rest, "]")
			if !ok {
				return "", errSwan
			}
			list, rest = list+"]"+more, after
		}
		p.rest = rest
		return list, nil
	}
	end := strings.IndexAny(p.rest, "{}")
	if end < 0 {
		return "", errSwan
	}
	for k := 0; k < end; k++ {
		if p.rest[k] != ' ' {
			continue
		}
		next := p.rest[k+1:]
		if m := strings.IndexAny(next, " ={}"); m > 0 && (next[m] == '=' || next[m] == ' ' && strings.HasPrefix(next[m+1:], "{") || next[m] == '{') && isSwanName(next[:m]) {
			end = k
			break
		}
	}
	v := p.rest[:end]
	p.rest = p.rest[end:]
	return strings.TrimSpace(v), nil
}

// isSwanName tells a field's name from part of a value: distinguished names have capitals before their equals signs.
func isSwanName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// dump lists the fields of a section, for a message.
func (n *swanNode) dump() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(n.fields)) {
		fmt.Fprintf(&b, "%s=%s ", k, n.fields[k])
	}
	return b.String()
}
