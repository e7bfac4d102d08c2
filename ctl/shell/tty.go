package shell

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
)

// tty is the terminal that nave was started on.
type tty struct {
	in, out *os.File
	saved   unix.Termios
	raw     bool
	breaks  chan os.Signal
}

// openTTY takes the terminal over, if there is one.
func openTTY(in, out *os.File) (*tty, error) {
	was, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	t := &tty{in: in, out: out, saved: *was, breaks: make(chan os.Signal, 1)}
	signal.Notify(t.breaks, os.Interrupt)
	t.editing()
	return t, nil
}

// isTerminal tells whether somebody types there.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// close gives the terminal back as it was.
func (t *tty) close() {
	signal.Stop(t.breaks)
	_ = unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &t.saved) // it may have gone
}

// set changes the mode without losing what was typed ahead.
func (t *tty) set(signals bool) {
	m := t.saved
	m.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	m.Oflag &^= unix.OPOST
	m.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	if signals {
		// ^C alone is a signal: the session does not stop and is not quit.
		m.Lflag |= unix.ISIG
		m.Cc[unix.VQUIT], m.Cc[unix.VSUSP] = 0, 0
	}
	m.Cflag = m.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	m.Cc[unix.VMIN], m.Cc[unix.VTIME] = 1, 0
	_ = unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &m) // it may have gone
}

// editing implements terminal.
func (t *tty) editing() {
	if !t.raw {
		t.set(false)
		t.raw = true
	}
}

// running implements terminal.
func (t *tty) running(f func(ctx context.Context)) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	select { // of before
	case <-t.breaks:
	default:
	}
	t.set(true)
	t.raw = false
	go func() {
		select {
		case <-t.breaks:
			end()
		case <-ctx.Done():
		}
	}()
	f(ctx)
}

// size implements terminal. A terminal that does not say how large it is has 24 lines of 80 columns.
func (t *tty) size() (columns, lines int) {
	w, err := unix.IoctlGetWinsize(int(t.out.Fd()), unix.TIOCGWINSZ)
	if err != nil || w.Col == 0 || w.Row == 0 {
		return defaultWidth, defaultLength
	}
	return int(w.Col), int(w.Row)
}

// pastes implements terminal: those that are known for more than the codes of a VT100.
func (t *tty) pastes() bool {
	for _, name := range []string{"xterm", "screen", "tmux", "rxvt", "alacritty", "kitty", "foot", "konsole", "gnome", "linux", "iterm", "wezterm"} {
		if strings.HasPrefix(os.Getenv("TERM"), name) {
			return true
		}
	}
	return false
}
