package grammar

import (
	"net/netip"
	"sort"
	"strconv"
	"strings"
)

// Match is a command line understood.
type Match struct {
	Command *Command
	// Canonical is the line with keywords in full and arguments in their canonical form.
	Canonical string
	// Exact is false where a keyword was abbreviated.
	Exact bool
	words []captured // keywords and arguments in order
}

// captured is one token of a match.
type captured struct {
	name  string // argument name; empty for a keyword
	value string // canonical
	raw   bool   // free text or a key
	key   bool   // a key or a password
}

// Mask stands for a key where a line is shown.
const Mask = "******"

// ErrorKind says why a line does not match.
type ErrorKind uint8

// The kinds of error.
const (
	NotText      ErrorKind = iota // binary, or too long
	Unknown                       // a word that is no keyword here
	Ambiguous                     // an abbreviation of several keywords
	BadValue                      // an argument of the wrong type or out of range
	Incomplete                    // the line ends too early
	TrailingText                  // words after a complete command
)

// Error says why and where a line does not match.
type Error struct {
	Kind     ErrorKind
	Column   int      // from 1, in bytes
	Token    string   // the offending word; empty where the line ends too early
	Depth    int      // words understood before it
	Exact    bool     // none of those was abbreviated
	Reason   string   // for NotText
	Before   string   // the words understood, canonical
	Keywords []string // keywords that could stand here; for Ambiguous the candidates
	Expect   []string // what arguments could stand here, in words
}

// Error describes the problem without the remedy.
func (e *Error) Error() string {
	switch e.Kind {
	case NotText:
		return e.Reason
	case Unknown:
		return "unknown word " + quote(e.Token)
	case Ambiguous:
		return quote(e.Token) + " is ambiguous: " + strings.Join(e.Keywords, ", ")
	case BadValue:
		return quote(e.Token) + " is not " + strings.Join(e.Expect, " or ")
	case Incomplete:
		return "incomplete command"
	}
	return "unexpected " + quote(e.Token) + " after a complete command"
}

func quote(s string) string {
	if len(s) > 60 {
		s = s[:60]
	}
	return strconv.Quote(strings.ToValidUTF8(s, "?"))
}

// thread is one way to read the line so far.
type thread struct {
	at    *state
	caps  *link
	exact bool
}

// link is a list of captured tokens, newest first, shared between threads.
type link struct {
	captured
	prev *link
}

// has tells whether the keyword was taken before.
func (l *link) has(keyword string) bool {
	for ; l != nil; l = l.prev {
		if l.name == "" && l.value == keyword {
			return true
		}
	}
	return false
}

// Match finds the command that line is an instance of. With no set, the `no` form of each command is tried; the
// line then comes without its `no`.
func (s *Set) Match(line string, no bool) (*Match, *Error) {
	if reason, at := checkText(line); reason != "" {
		return nil, &Error{Kind: NotText, Column: at + 1, Reason: reason}
	}
	tokens := tokenize(line)
	threads := make([]thread, 0, len(s.first))
	for _, st := range s.first {
		threads = append(threads, thread{at: st, exact: true})
	}
	for i, t := range tokens {
		next, rest, err := step(threads, t, line)
		if err != nil {
			err.Depth, err.Column = i, t.at+1
			err.take(best(threads))
			return nil, err
		}
		if next == nil { // a comment
			break
		}
		threads = next
		if rest {
			break
		}
	}
	for _, th := range threads {
		cmd := th.at.accept
		if no {
			cmd = th.at.noAccept
		}
		if cmd != nil {
			return &Match{Command: cmd, Canonical: canonical(th.caps), Exact: th.exact, words: unlink(th.caps)}, nil
		}
	}
	err := &Error{Kind: Incomplete, Column: len(strings.TrimRight(line, " \t")) + 1, Depth: len(tokens)}
	err.take(best(threads))
	err.Keywords, err.Expect = expected(threads)
	return nil, err
}

// take notes what was understood, without keys and free text.
func (e *Error) take(th thread) {
	e.Exact = th.exact
	var words []string
	hidden, behind := false, false
	for _, c := range unlink(th.caps) {
		if behind = c.raw && len(c.value) <= 2; c.raw {
			c.value, hidden = Mask, true
		}
		words = append(words, c.value)
	}
	e.Before = strings.Join(words, " ")
	// What follows is perhaps a key with a space in it, or the key itself, and what was taken for it is a number that says of what kind it is (`key 7 ...`).
	if hidden && e.Kind == TrailingText || behind && e.Kind == Unknown {
		e.Token = Mask
	}
}

// best returns the thread that errors speak of.
func best(threads []thread) thread {
	if len(threads) == 0 {
		return thread{exact: true}
	}
	return threads[0]
}

// step advances all threads by one token. rest tells that the token was the rest of the line. A nil result without an
// error means that the token starts a comment.
func step(threads []thread, t token, line string) (next []thread, rest bool, err *Error) {
	word, _, comment := strings.Cut(t.text, "!")
	lower := strings.ToLower(word)
	keywords, exact := candidates(threads, lower)
	add := func(th thread, to *state, c captured, exact bool) {
		for _, st := range closure(nil, to) {
			dup := false
			for _, have := range next {
				dup = dup || have.at == st
			}
			if !dup {
				next = append(next, thread{at: st, caps: &link{c, th.caps}, exact: exact})
			}
		}
	}
	if len(keywords) == 1 || exact {
		for _, th := range threads {
			for _, e := range th.at.edges {
				if e.arg == nil && e.keyword == keywords[0] && !(e.once && th.caps.has(e.keyword)) {
					add(th, e.to, captured{value: e.keyword}, th.exact && exact)
				}
			}
		}
	}
	raw := false // the ! belongs to a value
	for _, loose := range []bool{false, true} {
		for _, th := range threads {
			for _, e := range th.at.edges {
				if e.arg == nil || e.arg.loose() != loose {
					continue
				}
				text := word
				if e.arg.raw() {
					text = t.text
				}
				if e.arg.kind == kindLine {
					text = strings.TrimRight(line[t.at:], " \t")
				}
				before := ""
				if th.caps != nil {
					before = th.caps.value
				}
				if v, ok := e.arg.accept(text, before); ok {
					c := captured{name: e.arg.name, value: v, raw: e.arg.raw(), key: e.arg.key()}
					if e.arg.kind == kindInterfaceNumber {
						th.caps = th.caps.prev
					}
					add(th, e.to, c, th.exact)
					rest = rest || e.arg.kind == kindLine
					raw = raw || e.arg.raw()
				}
			}
		}
	}
	if len(next) == 0 && word == "" && comment {
		return nil, false, nil
	}
	if len(next) == 0 {
		return nil, false, mismatch(threads, word, keywords)
	}
	return next, comment && !raw || rest && onlyLine(next), nil
}

// onlyLine tells whether no thread can take another token, as after a line argument.
func onlyLine(threads []thread) bool {
	for _, th := range threads {
		if len(th.at.edges) > 0 {
			return false
		}
	}
	return true
}

// candidates returns the keywords that word is or abbreviates, sorted; exact tells that it is the first of them.
func candidates(threads []thread, word string) (out []string, exact bool) {
	if word == "" {
		return nil, false
	}
	seen := map[string]bool{}
	for _, th := range threads {
		for _, e := range th.at.edges {
			if e.arg != nil || seen[e.keyword] || !strings.HasPrefix(strings.ToLower(e.keyword), word) {
				continue
			}
			seen[e.keyword] = true
			if strings.EqualFold(e.keyword, word) {
				return []string{e.keyword}, true
			}
			out = append(out, e.keyword)
		}
	}
	sort.Strings(out)
	return out, false
}

// mismatch says why no thread takes the word.
func mismatch(threads []thread, word string, keywords []string) *Error {
	if len(keywords) > 1 {
		return &Error{Kind: Ambiguous, Token: word, Keywords: keywords}
	}
	kw, expect := expected(threads)
	e := &Error{Kind: Unknown, Token: word, Keywords: kw, Expect: expect}
	switch {
	case len(expect) > 0:
		e.Kind = BadValue
		if len(kw) > 0 && len(kw) <= 6 {
			e.Expect = append(append([]string{}, expect...), kw...)
		}
	case len(kw) == 0:
		e.Kind = TrailingText
	}
	return e
}

// expected lists the keywords and the arguments that could come next.
func expected(threads []thread) (keywords, arguments []string) {
	seen := map[string]bool{}
	for _, th := range threads {
		for _, e := range th.at.edges {
			text := e.keyword
			if e.arg != nil {
				text = e.arg.describe()
			}
			if seen[text] {
				continue
			}
			seen[text] = true
			if e.arg != nil {
				arguments = append(arguments, text)
			} else {
				keywords = append(keywords, text)
			}
		}
	}
	sort.Strings(keywords)
	return keywords, arguments
}

func unlink(l *link) []captured {
	n := 0
	for x := l; x != nil; x = x.prev {
		n++
	}
	out := make([]captured, n)
	for x := l; x != nil; x = x.prev {
		n--
		out[n] = x.captured
	}
	return out
}

func canonical(l *link) string {
	var b strings.Builder
	for i, c := range unlink(l) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.value)
	}
	return b.String()
}

// Has tells whether the keyword is in the line.
func (m *Match) Has(keyword string) bool {
	for _, c := range m.words {
		if c.name == "" && c.value == keyword {
			return true
		}
	}
	return false
}

// Raw tells whether free text or a key is in the line.
func (m *Match) Raw() bool {
	for _, c := range m.words {
		if c.raw {
			return true
		}
	}
	return false
}

// Masked is Canonical with keys and passwords masked.
func (m *Match) Masked() string {
	words := make([]string, 0, len(m.words))
	for _, c := range m.words {
		if c.key {
			c.value = Mask
		}
		words = append(words, c.value)
	}
	return strings.Join(words, " ")
}

// HasMask tells whether a key is the mask that stands for one where it is shown.
func (m *Match) HasMask() bool {
	for _, c := range m.words {
		if c.key && strings.Trim(c.value, " ") == Mask {
			return true
		}
	}
	return false
}

// Given tells whether the argument is in the line.
func (m *Match) Given(name string) bool {
	for _, c := range m.words {
		if c.name == name {
			return true
		}
	}
	return false
}

// Text returns the argument's canonical text, empty where it was left out; of a repeated one the first.
func (m *Match) Text(name string) string {
	for _, c := range m.words {
		if c.name == name {
			return c.value
		}
	}
	return ""
}

// All returns the values of a repeated argument.
func (m *Match) All(name string) []string {
	var out []string
	for _, c := range m.words {
		if c.name == name {
			out = append(out, c.value)
		}
	}
	return out
}

// Uint returns a number argument, 0 where it was left out.
func (m *Match) Uint(name string) uint64 {
	n, _ := number(m.Text(name))
	return n
}

// IP returns an address argument, the zero Addr where it was left out.
func (m *Match) IP(name string) netip.Addr {
	ip, _ := netip.ParseAddr(m.Text(name))
	return ip
}

// OneOf returns the first of the keywords that is in the line, empty if none is.
func (m *Match) OneOf(keywords ...string) string {
	for _, c := range m.words {
		if c.name != "" {
			continue
		}
		for _, k := range keywords {
			if c.value == k {
				return k
			}
		}
	}
	return ""
}

// Keywords lists the keywords of the line in order.
func (m *Match) Keywords() []string {
	var out []string
	for _, c := range m.words {
		if c.name == "" {
			out = append(out, c.value)
		}
	}
	return out
}

// Uints returns the values of a repeated number argument.
func (m *Match) Uints(name string) []uint64 {
	var out []uint64
	for _, s := range m.All(name) {
		n, _ := number(s)
		out = append(out, n)
	}
	return out
}
