package shell

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// paper is a terminal of no size to speak of.
type paper struct{ marks bool }

func (paper) editing()                            {}
func (paper) running(f func(ctx context.Context)) { f(context.Background()) }
func (paper) size() (columns, lines int)          { return 40, 10 }
func (p paper) pastes() bool                      { return p.marks }

// What comes in pieces of any size is what comes at once.
func TestKeys(t *testing.T) {
	for in, want := range map[string]string{
		"show\r":                            "show\r",
		"a\r\nb\nc\r":                       "a\rb\rc\r",
		"x\x03y\x1a":                        "x\x1c\ry\x1a\r",
		"\x1b[200~a\x03?\r\nb\x1b[201~\x03": "\x1b[200~a\x03?\rb\x1b[201~\x1c\r",
		"\x1bb\x1bf\x1b[A":                  "\x1b[1;3D\x1b[1;3C\x1b[A",
		"a\x18\x00b":                        "a\x15b",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			k := &keys{in: r}
			got, err := io.ReadAll(k)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%q becomes %q, want %q", in, got, want)
			}
		}
	}
	// No more than a line is handed on at once: the rest waits for whoever reads next.
	k := &keys{in: strings.NewReader("one\rtwo\r")}
	b := make([]byte, 100)
	if n, err := k.Read(b); err != nil || string(b[:n]) != "one\r" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if c, err := k.key(); err != nil || c != 't' {
		t.Errorf("%q, %v", c, err)
	}
}

// FuzzTyping presses any keys. Each line ends, and the session with them.
func FuzzTyping(f *testing.F) {
	f.Add([]byte("sh?\tow ver\x17\r\x10\x1b[A\x1b[B\x16?\x03"), false)
	f.Add([]byte("enable\rconf t\rint tu\t0\rip ?\x1aterminal length 2\rshow running\r q"), true)
	f.Add([]byte("\x1b[200~hostname x\r\n?\t\x1b[201~\x12\x0c\x14\x04"), true)
	f.Fuzz(func(t *testing.T, pressed []byte, marks bool) {
		if bytes.ContainsAny(pressed, "|") {
			return // filters write files
		}
		b := newBox()
		e := newEditor(paper{marks}, bytes.NewReader(pressed), io.Discard)
		s := newShell(b.options(io.Discard), e)
		e.help, e.tab, e.t.History = s.help, s.tab, s.history
		s.run()
		e.close()
	})
}
