package shell

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"nave/ctl/show"
)

// errQuit ends a command whose output nobody wants to see more of.
var errQuit = errors.New("shell: no more output is wanted")

// pager stops output after each page. A space shows the next page, return the next line, q and everything else ends it.
type pager struct {
	s    *Shell
	out  io.Writer
	left int // lines until it stops
	over bool
}

// pager stops what goes to out after each page, where somebody reads it.
func (s *Shell) pager(out io.Writer) io.Writer {
	page := s.lines()
	if page == 0 {
		return out
	}
	return &pager{s: s, out: out, left: max(1, page-1)}
}

// Write implements io.Writer.
func (p *pager) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if p.over {
			return n, errQuit
		}
		if p.left == 0 {
			if err := p.ask(); err != nil {
				return n, err
			}
			continue
		}
		end := 0 // as many lines as the page has left
		for ; p.left > 0; p.left-- {
			i := bytes.IndexByte(b[end:], '\n')
			if i < 0 {
				end = len(b)
				break
			}
			end += i + 1
		}
		w, err := p.out.Write(b[:end])
		n += w
		if err != nil {
			return n, err
		}
		b = b[end:]
	}
	return n, nil
}

// ask waits for a key.
func (p *pager) ask() error {
	if _, err := io.WriteString(p.out, show.ShellMore); err != nil {
		return err
	}
	key, err := p.s.console.key()
	if _, e := io.WriteString(p.out, "\r"+strings.Repeat(" ", len(show.ShellMore))+"\r"); err == nil {
		err = e
	}
	switch {
	case err != nil:
		p.over = true
		return errQuit
	case key == ' ':
		p.left = max(1, p.s.lines()-1)
	case key == '\r' || key == '\n':
		p.left = 1
	default:
		p.over = true
		return errQuit
	}
	return nil
}
