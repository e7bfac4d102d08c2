package shell

import (
	"slices"
	"strings"

	"nave/ctl/cli"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// possible is what could stand at the end of a line.
type possible struct {
	list   []grammar.Completion
	end    bool // the line may end there
	filter bool // a bar may follow then
	err    *grammar.Error
	at     int    // where in the line the command begins that err is about
	header string // over the list of all commands
}

// possible asks the grammar that the line belongs to.
func (s *Shell) possible(line string) (p possible) {
	if s.config != nil {
		return s.possibleConfig(line)
	}
	return s.possibleExec(line)
}

// possibleExec is possible for a command of exec, and for its filters.
func (s *Shell) possibleExec(line string) (p possible) {
	if _, from, filtered := cutFilter(line); filtered {
		for {
			end := nextBar(line, from)
			if end == len(line) {
				break
			}
			from = end + 1
		}
		if i := strings.LastIndex(line[from:], " | "); i >= 0 && filterBegins(line[from+i+3:]) {
			from += i + 2
		}
		p.list, p.end, p.err = filterWords.Complete(line[from:], false)
		p.at = from
		return p
	}
	p.list, p.end, p.err = cli.Complete(line, s.privileged || s.config != nil)
	if p.end {
		m, bad := cli.Understand(line, true)
		p.filter = bad == nil && strings.HasPrefix(m.Command.Syntax, "show ")
	}
	if strings.TrimSpace(line) == "" {
		p.header = show.ShellExec
	}
	return p
}

// filterBegins tells whether the word of a filter begins there, and nothing stands behind it yet.
func filterBegins(text string) bool {
	list, _, err := filterWords.Complete(text, false)
	return err == nil && len(list) > 0 && !list[0].Argument && !strings.Contains(text, " ")
}

// possibleConfig is possible for a line in configuration mode.
func (s *Shell) possibleConfig(line string) (p possible) {
	text := strings.TrimLeft(line, " \t")
	if first, rest, more := strings.Cut(text, " "); more && strings.EqualFold(first, "do") {
		p = s.possibleExec(rest)
		p.at += len(line) - len(rest)
		p.header = show.ShellExec
		return p
	}
	p.list, p.end = s.config.session().Complete(line)
	if text == "" {
		p.header = show.ShellConfigMode
	}
	if !strings.Contains(text, " ") {
		own, _, _ := configWords.Complete(text, false)
		p.list = append(p.list, own...)
		for _, w := range []grammar.Completion{{Text: "no", Help: "Undo a command"}, {Text: "default", Help: "Set a command to what holds without it"}} {
			if strings.HasPrefix(w.Text, strings.ToLower(text)) {
				p.list = append(p.list, w)
			}
		}
	}
	if s.config.candidate && (len(p.list) == 0 || !strings.Contains(text, " ")) {
		q := s.possibleExec(line)
		if strings.Contains(text, " ") {
			if _, end, err := candidateSet.Complete(text, false); err == nil {
				return possible{end: end}
			}
			if ofCandidate(line) {
				return q
			}
		} else {
			for _, c := range q.list {
				if slices.Contains(candidateWords, c.Text) {
					p.list = append(p.list, c)
				}
			}
			short, _, _ := candidateSet.Complete(text, false)
			p.list = append(p.list, short...)
		}
	}
	slices.SortFunc(p.list, func(a, b grammar.Completion) int { return strings.Compare(a.Text, b.Text) })
	p.list = slices.CompactFunc(p.list, func(a, b grammar.Completion) bool { return a.Text == b.Text })
	if len(p.list) == 0 && !p.end {
		_, p.at, p.err = s.config.session().Understand(line)
	}
	return p
}

// help is what a question mark says at the end of a line.
func (s *Shell) help(line string) string {
	p := s.possible(line)
	if p.err != nil {
		if p.err.Kind == grammar.Ambiguous {
			return show.ShellAmbiguous(strings.TrimSpace(line), show.ShellExpected(nil, p.err.Keywords))
		}
		if p.err.Kind != grammar.Incomplete {
			return show.ShellInvalid(len([]rune(s.prompt()))+p.at+p.err.Column-1, show.ShellExpected(grammar.Nearest(p.err.Token, p.err.Keywords, 3), slices.Concat(p.err.Expect, p.err.Keywords)))
		}
	}
	words := make([]show.ShellWord, 0, len(p.list))
	if line != "" && !strings.HasSuffix(line, " ") {
		partial := line[strings.LastIndexAny(line, " \t")+1:]
		for _, c := range p.list {
			names := s.named(c, partial)
			if len(names) == 0 {
				names = []string{c.Text}
			}
			for _, n := range names {
				words = append(words, show.ShellWord{Text: n})
			}
		}
		return show.ShellWords(words, s.columns())
	}
	for _, c := range p.list {
		words = append(words, show.ShellWord{Text: c.Text, Help: c.Help})
	}
	return p.header + show.ShellList(words, p.end, p.filter)
}

// named are the names that an argument could be, of those that begin so.
func (s *Shell) named(c grammar.Completion, partial string) (out []string) {
	if !c.Argument || s.o.Names == nil {
		return nil
	}
	for _, name := range s.o.Names(c) {
		if len(name) >= len(partial) && strings.EqualFold(name[:len(partial)], partial) {
			out = append(out, name)
		}
	}
	return out
}

// candidates are the words that the last one of a line could become, in full, where they are keywords or names that are known.
func (s *Shell) candidates(line string) (partial string, words []string) {
	partial = line[strings.LastIndexAny(line, " \t")+1:]
	for _, c := range s.possible(line).list {
		if !c.Argument {
			words = append(words, c.Text)
			continue
		}
		words = append(words, s.named(c, partial)...)
	}
	slices.Sort(words)
	return partial, slices.Compact(words)
}

// tab is what the tabulator makes of a line before the cursor: what is added, or, where that is nothing, what to print.
func (s *Shell) tab(line string) (now, text string) {
	partial, words := s.candidates(line)
	start := line[:len(line)-len(partial)]
	switch {
	case len(words) == 0:
		return line, ""
	case len(words) == 1:
		return start + words[0] + " ", ""
	case partial == "":
		return line, ""
	}
	common := words[0]
	for _, w := range words[1:] {
		n := 0
		for n < len(common) && n < len(w) && lower(common[n]) == lower(w[n]) {
			n++
		}
		common = common[:n]
	}
	if len(common) > len(partial) {
		return start + common, ""
	}
	list := make([]show.ShellWord, 0, len(words))
	for _, w := range words {
		if strings.EqualFold(w, partial) { // one word of several that is whole
			return line + " ", ""
		}
		list = append(list, show.ShellWord{Text: w})
	}
	return line, show.ShellWords(list, s.columns())
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
