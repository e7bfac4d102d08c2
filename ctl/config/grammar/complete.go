package grammar

import (
	"sort"
	"strings"
)

// Completion is one thing that could stand at the end of a line.
type Completion struct {
	Text     string // the keyword in full, or how an argument shows: <1-100>, A.B.C.D, WORD
	Help     string
	Argument bool
	Name     string // of an argument, as the syntax has it
	Type     string // of an argument: interface, ip, word; number for a range
}

// Complete lists what the last word of line could become; after a space, what could come next. end tells that the
// line without the last, unfinished word is complete, so that return may be pressed after the space. With no set the
// line is read as a `no` form.
func (s *Set) Complete(line string, no bool) (list []Completion, end bool, err *Error) {
	tokens := tokenize(line)
	partial := ""
	if n := len(tokens); n > 0 && !strings.HasSuffix(line, " ") && !strings.HasSuffix(line, "\t") {
		partial = tokens[n-1].text
		tokens = tokens[:n-1]
	}
	threads := make([]thread, 0, len(s.first))
	for _, st := range s.first {
		threads = append(threads, thread{at: st, exact: true})
	}
	for i, t := range tokens {
		next, rest, err := step(threads, t, line)
		if err != nil {
			err.Depth, err.Column = i, t.at+1
			err.take(best(threads))
			return nil, false, err
		}
		if next == nil || rest {
			return nil, true, nil
		}
		threads = next
	}
	for _, th := range threads {
		if cmd := th.at.accept; cmd != nil || no && th.at.noAccept != nil {
			end = true
		}
	}
	return s.completions(threads, partial), end && partial == "", nil
}

// completions lists the edges that partial can start.
func (s *Set) completions(threads []thread, partial string) []Completion {
	byText := map[string]*Completion{}
	commands := map[string]map[*Command]bool{}
	for _, th := range threads {
		for _, e := range th.at.edges {
			text, arg := e.keyword, false
			if e.arg != nil {
				if e.arg.kind == kindInterfaceType {
					continue
				}
				if _, ok := e.arg.accept(partial, ""); partial != "" && !ok && !prefixOK(e.arg, partial) {
					continue
				}
				text, arg = e.arg.label(), true
			} else if !strings.HasPrefix(strings.ToLower(text), strings.ToLower(partial)) {
				continue
			}
			if byText[text] == nil {
				byText[text] = &Completion{Text: text, Argument: arg}
				if arg {
					byText[text].Name, byText[text].Type = e.arg.name, e.arg.typeName()
				}
				commands[text] = map[*Command]bool{}
			}
			commands[text][th.at.cmd] = true
			c := byText[text]
			c.Help = s.help(e, th.at.cmd, len(commands[text]) == 1)
		}
	}
	out := make([]Completion, 0, len(byText))
	for _, c := range byText {
		out = append(out, *c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Text < out[j].Text })
	return out
}

// prefixOK tells whether a beginning of an argument may still become one.
func prefixOK(a *argument, partial string) bool {
	switch a.kind {
	case kindInt:
		_, ok := number(partial)
		return ok
	case kindIP, kindMask, kindWildcard, kindPrefix:
		return strings.Trim(partial, "0123456789./") == ""
	case kindInterface, kindInterfaceNumber, kindRD, kindASN:
		return true
	}
	return a.loose()
}

// help explains an edge. A keyword that leads to one command alone, or that no word explains, is explained by the
// command.
func (s *Set) help(e edge, cmd *Command, alone bool) string {
	if e.arg != nil {
		return s.Words["<"+e.arg.name+">"]
	}
	word := s.Words[e.keyword]
	if word == "" || alone && strings.HasSuffix(Path(cmd.Syntax), e.keyword) {
		return cmd.Help
	}
	return word
}
