package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// filterWords are what may stand behind a bar. Several may follow each other, a bar in front of each.
var filterWords = grammar.New([]*grammar.Command{
	{Syntax: "include <regexp:line>", Help: "lines that match"},
	{Syntax: "exclude <regexp:line>", Help: "lines that do not match"},
	{Syntax: "begin <regexp:line>", Help: "from the first line that matches"},
	{Syntax: "section <regexp:line>", Help: "lines that match, with the indented ones below them"},
	{Syntax: "count <regexp:line>", Help: "how many lines match"},
	{Syntax: "redirect <filename:line>", Help: "into a file"},
	{Syntax: "append <filename:line>", Help: "to the end of a file"},
	{Syntax: "tee <filename:line>", Help: "to the terminal and into a file"},
	{Syntax: "json", Help: "as JSON"},
}, map[string]string{"<regexp>": "Regular expression (RE2)", "<filename>": "File of this machine"})

// FilterCommands are what may stand behind a bar, for the reference.
func FilterCommands() []*grammar.Command { return filterWords.Commands }

// stage is one filter.
type stage struct {
	what string // its first word
	re   *regexp.Regexp
	file string
}

// bar is where the filters of a line begin, at a bar behind a space; -1: there are none.
func bar(line string) int {
	if i := strings.Index(line, " |"); i >= 0 {
		return i + 1
	}
	return -1
}

// cutFilter splits a line at its bar. rest is where in the line the filters begin.
func cutFilter(line string) (command string, rest int, filtered bool) {
	i := bar(line)
	if i < 0 {
		return line, 0, false
	}
	return line[:i], i + 1, true
}

// filters reads what stands behind the bar of a line.
func (s *Shell) filters(line string, from, at int) (out []stage, err error) {
	for {
		end := nextBar(line, from)
		m, bad := filterWords.Match(line[from:end], false)
		if bad != nil {
			bad.Column += from
			return nil, s.misread(line, at, bad)
		}
		st := stage{what: m.Keywords()[0], file: strings.TrimSpace(m.Text("filename"))}
		if m.Given("regexp") {
			if st.re, err = regexp.Compile(m.Text("regexp")); err != nil {
				return nil, &misunderstood{s.marked(line, at, strings.Index(line[from:], m.Text("regexp"))+from, err.Error())}
			}
		}
		out = append(out, st)
		if end == len(line) {
			return out, nil
		}
		from = end + 1
	}
}

// nextBar is where the filter that begins at from ends: a bar between spaces and before another filter's word. A bar elsewhere is the regular expression's.
func nextBar(line string, from int) int {
	for at := from; ; {
		i := strings.Index(line[at:], " | ")
		if i < 0 {
			return len(line)
		}
		at += i + 1
		word, _, _ := strings.Cut(strings.TrimLeft(line[at+1:], " "), " ")
		if list, _, err := filterWords.Complete(word, false); err == nil && len(list) == 1 && !list[0].Argument {
			return at
		}
	}
}

// open puts a filter in front of out. end is called when all is written.
func (st stage) open(out io.Writer) (w io.Writer, end func() error, err error) {
	switch st.what {
	case "redirect", "append", "tee":
		flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
		if st.what == "append" {
			flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
		}
		f, err := os.OpenFile(st.file, flags, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("the output goes nowhere: %w", err)
		}
		w = f
		if st.what == "tee" {
			w = io.MultiWriter(out, f)
		}
		return w, f.Close, nil
	}
	l := &lines{out: out, take: st.taker(out)}
	return l, l.end, nil
}

// taker tells of each line whether it is let through, and at the end has the rest said.
func (st stage) taker(out io.Writer) func(line []byte, end bool) (bool, error) {
	n, on, depth := 0, false, 0
	return func(line []byte, end bool) (bool, error) {
		if end {
			if st.what == "count" {
				_, err := io.WriteString(out, show.ShellCount(n))
				return false, err
			}
			return false, nil
		}
		hit := st.re.Match(bytes.TrimRight(line, "\r\n"))
		switch st.what {
		case "include":
			return hit, nil
		case "exclude":
			return !hit, nil
		case "begin":
			on = on || hit
			return on, nil
		case "count":
			if hit {
				n++
			}
			return false, nil
		}
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if on && indent > depth {
			return true, nil
		}
		on, depth = hit, indent
		return on, nil
	}
}

// lines hands whole lines to a filter.
type lines struct {
	out  io.Writer
	take func(line []byte, end bool) (bool, error)
	part []byte
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.part = append(l.part, b...)
			return n, nil
		}
		if err := l.line(append(l.part, b[:i+1]...)); err != nil {
			return 0, err
		}
		l.part, b = l.part[:0], b[i+1:]
	}
}

func (l *lines) line(line []byte) error {
	ok, err := l.take(line, false)
	if err != nil || !ok {
		return err
	}
	_, err = l.out.Write(line)
	return err
}

// end has the last line filtered, whole or not.
func (l *lines) end() error {
	var err error
	if len(l.part) > 0 {
		err = l.line(l.part)
	}
	_, e := l.take(nil, true)
	return errors.Join(err, e)
}
