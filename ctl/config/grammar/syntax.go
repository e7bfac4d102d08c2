// Package grammar matches command lines against a table of syntax strings, with the abbreviations, the `no`
// forms and the help of a router's command line.
//
// A syntax string reads like a manual page:
//
//	ip nhrp map <protocol:ip> [<mask:mask>] <nbma:ip>
//	ip nhrp holdtime ~ <seconds:1-65535>
//	tunnel mode gre {ip|multipoint}
//	set transform-set ~ <name>...
//
// Bare words are keywords, <name:type> is an argument, [x] may be left out, {x|y} is a choice, x... may be
// repeated. In a `no` form everything after ~ may be left out. Types: a range of numbers, or a name from types.go;
// none means a word.
//
// The package knows nothing of what the commands do. It imports nothing of nave's.
package grammar

import (
	"fmt"
	"strings"
)

// Command is one line of the table.
type Command struct {
	Syntax  string
	Help    string // a short sentence about the whole command
	Default string // what holds without the command; empty: nothing
	Note    string // why it is refused or has no effect; nave's own commands say so here
	Data    any    // the table owner's

	start *state
}

// Set is the table of one mode, ready for matching.
type Set struct {
	Commands []*Command
	// Words explains keywords that several commands share, and arguments by "<name>".
	Words map[string]string
	first []*state // closure of all starts
}

// state is a place in the automaton of one command.
type state struct {
	cmd      *Command
	edges    []edge
	eps      []*state
	accept   *Command // the command may end here
	noAccept *Command // its `no` form may end here
}

// edge consumes one token (the rest of the line for a line argument).
type edge struct {
	keyword string // empty for an argument
	once    bool   // a keyword of a repeated group: each may come once
	arg     *argument
	to      *state
}

// New compiles the table. It panics on a malformed syntax string: tables are written by programmers, and a test
// compiles each.
func New(commands []*Command, words map[string]string) *Set {
	s := &Set{Commands: commands, Words: words}
	for _, c := range commands {
		p := &compiler{text: c.Syntax, cmd: c}
		c.start = p.compile()
		s.first = closure(s.first, c.start)
	}
	return s
}

// compiler turns one syntax string into states.
type compiler struct {
	text  string
	at    int
	cmd   *Command
	inNo  bool // past the ~
	depth int
}

func (p *compiler) newState() *state {
	s := &state{cmd: p.cmd}
	if p.inNo {
		s.noAccept = p.cmd
	}
	return s
}

func (p *compiler) fail(why string) {
	panic(fmt.Sprintf("grammar: %q: %s at %d", p.text, why, p.at))
}

func (p *compiler) compile() *state {
	start := p.newState()
	end := p.sequence(start)
	if p.at != len(p.text) {
		p.fail("unexpected character")
	}
	end.accept, end.noAccept = p.cmd, p.cmd
	return start
}

// sequence compiles elements up to the end of the text, a closing bracket or a bar.
func (p *compiler) sequence(from *state) *state {
	for {
		for p.at < len(p.text) && p.text[p.at] == ' ' {
			p.at++
		}
		if p.at == len(p.text) || strings.IndexByte("]}|", p.text[p.at]) >= 0 {
			return from
		}
		from = p.element(from)
	}
}

func (p *compiler) element(from *state) *state {
	var to *state
	switch p.text[p.at] {
	case '~':
		if p.depth > 0 {
			p.fail("~ inside a bracket")
		}
		p.at++
		p.inNo = true
		next := p.newState()
		from.eps = append(from.eps, next)
		from.noAccept = p.cmd
		return next
	case '[':
		inner := p.newState()
		from.eps = append(from.eps, inner)
		to = p.group(inner, ']')
		if p.repeat() {
			markOnce(inner)
			to.eps = append(to.eps, inner)
		}
		from.eps = append(from.eps, to)
		return to
	case '{':
		inner := p.newState()
		from.eps = append(from.eps, inner)
		to = p.group(inner, '}')
		if p.repeat() {
			markOnce(inner)
			to.eps = append(to.eps, inner)
		}
		return to
	case '<':
		return p.argument(from)
	}
	return p.keyword(from)
}

// group compiles alternatives up to the closing bracket.
func (p *compiler) group(from *state, closing byte) *state {
	p.at++
	p.depth++
	end := p.newState()
	for {
		alt := p.newState()
		from.eps = append(from.eps, alt)
		last := p.sequence(alt)
		last.eps = append(last.eps, end)
		if p.at == len(p.text) {
			p.fail("unclosed bracket")
		}
		c := p.text[p.at]
		p.at++
		if c == closing {
			break
		}
		if c != '|' {
			p.fail("unexpected character")
		}
	}
	p.depth--
	return end
}

// markOnce marks the keywords that can be reached from s, all of one group.
func markOnce(s *state) {
	reached := closure(nil, s)
	for at := 0; at < len(reached); at++ {
		edges := reached[at].edges
		for i := range edges {
			edges[i].once = edges[i].arg == nil
			reached = closure(reached, edges[i].to)
		}
	}
}

func (p *compiler) repeat() bool {
	if strings.HasPrefix(p.text[p.at:], "...") {
		p.at += 3
		return true
	}
	return false
}

func (p *compiler) argument(from *state) *state {
	end := strings.IndexByte(p.text[p.at:], '>')
	if end < 0 {
		p.fail("unclosed argument")
	}
	name, typ, _ := strings.Cut(p.text[p.at+1:p.at+end], ":")
	p.at += end + 1
	arg, err := newArgument(name, typ)
	if err != nil {
		p.fail(err.Error())
	}
	inner, to := p.newState(), p.newState()
	from.eps = append(from.eps, inner)
	inner.edges = append(inner.edges, edge{arg: arg, to: to})
	if arg.kind == kindInterface {
		// A name may be written in two words: `Ethernet 0/0`.
		number := &state{cmd: p.cmd}
		inner.edges = append(inner.edges, edge{arg: &argument{name: name, kind: kindInterfaceType}, to: number})
		number.edges = append(number.edges, edge{arg: &argument{name: name, kind: kindInterfaceNumber}, to: to})
	}
	if p.repeat() {
		to.eps = append(to.eps, inner)
	}
	return to
}

func (p *compiler) keyword(from *state) *state {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte(" []{}|<>~", p.text[p.at]) < 0 {
		p.at++
	}
	if p.at == start {
		p.fail("unexpected character")
	}
	to := p.newState()
	from.edges = append(from.edges, edge{keyword: p.text[start:p.at], to: to})
	return to
}

// closure adds s and what it reaches without a token to set, each state once.
func closure(set []*state, s *state) []*state {
	for _, have := range set {
		if have == s {
			return set
		}
	}
	set = append(set, s)
	for _, e := range s.eps {
		set = closure(set, e)
	}
	return set
}

// Path returns the leading keywords of a syntax string, up to the first argument, bracket or choice.
func Path(syntax string) string {
	var out []string
	for _, w := range strings.Fields(syntax) {
		if w == "~" {
			continue
		}
		if strings.ContainsAny(w, "<[{|") {
			break
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}
