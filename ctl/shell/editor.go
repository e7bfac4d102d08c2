package shell

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/term"
)

// terminal is what the editor does to the terminal beside reading and writing.
type terminal interface {
	// editing has each key come as it is; running has ^C come as a signal. Neither echoes.
	editing()
	running(f func(ctx context.Context))
	size() (columns, lines int)
	// pastes tells whether it marks what is pasted.
	pastes() bool
}

// editor is a console with a line editor.
type editor struct {
	tty     terminal
	keys    *keys
	t       *term.Terminal
	help    func(line string) string             // what ? prints
	tab     func(line string) (now, text string) // what the tabulator makes of the line before the cursor
	prompt  string
	how     ending
	quoted  bool // the next key is a character
	literal bool // all are
	width   atomic.Int32
}

// stream is the two directions of a terminal.
type stream struct {
	io.Reader
	io.Writer
}

func newEditor(tty terminal, in io.Reader, out io.Writer) *editor {
	e := &editor{tty: tty, keys: &keys{in: in}}
	e.t = term.NewTerminal(stream{e.keys, out}, "")
	e.t.AutoCompleteCallback = e.key1
	if tty.pastes() {
		e.t.SetBracketedPasteMode(true)
	}
	e.resize()
	return e
}

// close leaves the terminal as it was.
func (e *editor) close() {
	if e.tty.pastes() {
		e.t.SetBracketedPasteMode(false)
	}
}

// resize has the editor know how wide the terminal is.
func (e *editor) resize() {
	columns, lines := e.tty.size()
	if w := int(e.width.Load()); w > 0 {
		columns = w
	}
	_ = e.t.SetSize(columns, lines) // the terminal may have gone
}

// Write implements io.Writer. What is being typed is moved out of the way.
func (e *editor) Write(b []byte) (int, error) {
	return e.t.Write(b)
}

// line implements console.
func (e *editor) line(prompt string, literal bool) (string, ending, error) {
	e.tty.editing()
	e.prompt, e.how, e.quoted, e.literal = prompt, byReturn, false, literal
	e.t.SetPrompt(prompt)
	text, err := e.t.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	if err != nil {
		_, _ = io.WriteString(e.t, "\n") // the terminal may have gone
		return "", byReturn, err
	}
	if e.how == byEnd {
		text = strings.TrimSuffix(text, "^Z")
	}
	return text, e.how, nil
}

// password implements console.
func (e *editor) password(prompt string) (string, error) {
	e.tty.editing()
	text, err := e.t.ReadPassword(prompt)
	if strings.IndexByte(text, marked) >= 0 || strings.IndexByte(text, keyEndOfAll) >= 0 {
		return "", io.ErrUnexpectedEOF
	}
	return text, err
}

// key implements console.
func (e *editor) key() (byte, error) {
	e.tty.editing()
	return e.keys.key()
}

func (e *editor) running(f func(ctx context.Context)) { e.tty.running(f) }

func (e *editor) size() (columns, lines int) { return e.tty.size() }

func (e *editor) setWidth(columns int) {
	e.width.Store(int32(columns))
	e.resize()
}

// key1 is asked about each key that the editor has no use for.
func (e *editor) key1(line string, pos int, key rune) (string, int, bool) {
	switch {
	case key == marked:
		e.how = byInterrupt
		return line + "^C", len(line) + 2, true
	case key == keyEndOfAll:
		e.how = byEnd
		return line + "^Z", len(line) + 2, true
	case e.literal:
		return "", 0, false
	case e.quoted:
		e.quoted = false
		return "", 0, false
	case key == keyQuote:
		e.quoted = true
		return line, pos, true
	case key == keyRedraw:
		_, _ = io.WriteString(e.t, e.prompt+line+"\n") // the terminal may have gone
		return line, pos, true
	case key == '?' && e.help != nil:
		_, _ = io.WriteString(e.t, e.prompt+line+"?\n"+e.help(line[:pos])) // as above
		return line, pos, true
	case key == '\t' && e.tab != nil:
		now, text := e.tab(line[:pos])
		if text != "" {
			_, _ = io.WriteString(e.t, e.prompt+line+"\n"+text) // as above
		}
		return now + line[pos:], len(now), true
	}
	return "", 0, false
}
