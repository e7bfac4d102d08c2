package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"nave/ctl/capture"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// Capturer copies packets out of the fast path. api.Client is one.
type Capturer interface {
	Capture(ctx context.Context, r capture.Request, f func(capture.Event) error) error
}

var errNoCapturer = errors.New("there is no daemon to capture packets")

// captureCommands capture packets.
var captureCommands = []*grammar.Command{
	{Syntax: "capture interface {any|<iface:interface>} [{in|out|both|drops|punts|all}] " +
		"[{count <count:1-10000000>|duration <duration:1-86400>|snaplen <snaplen:14-65536>|{file|-w} <file:word>}...] [<filter:line>]",
		Help: "copy packets of ports (where XDP takes them before others see them) and tunnels (before GRE and sealing, and after), or what is dropped", Data: run(captures)},
}

// captures runs a capture.
func captures(s *Session, m *grammar.Match) error {
	if s.Capturer == nil {
		return errNoCapturer
	}
	r := capture.Request{Interface: m.Text("iface"), Filter: m.Text("filter")}
	if m.Has("any") {
		r.Interface = capture.Any
	}
	for _, what := range []string{capture.In, capture.Out, capture.Both, capture.Drops, capture.Punts, capture.All} {
		if m.Has(what) {
			r.What = what
		}
	}
	file := m.Text("file")
	for name, set := range map[string]func(int){
		"count": func(n int) { r.Count = n }, "snaplen": func(n int) { r.Snaplen = n }, "duration": func(n int) { r.Duration = time.Duration(n) * time.Second },
	} {
		if m.Given(name) {
			set(int(m.Uint(name)))
		}
	}
	if err := captureWords(&r, &file); err != nil {
		return err
	}
	r.File = file != ""
	if err := (&capture.Request{Interface: r.Interface, What: r.What, Reason: r.Reason, Filter: r.Filter, Count: r.Count, Duration: r.Duration, Snaplen: r.Snaplen}).Complete(); err != nil {
		return err // before a file is made
	}
	return s.capture(r, file)
}

// captureWords takes what may stand behind a filter, too, and the reason in front of it, out of the words of the filter.
func captureWords(r *capture.Request, file *string) error {
	words := strings.Fields(r.Filter)
	var rest []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		number := func(low, high int) (int, error) {
			i++
			if i == len(words) {
				return 0, fmt.Errorf("capture: %s needs a number", w)
			}
			n, err := strconv.Atoi(words[i])
			if err != nil || n < low || n > high {
				return 0, fmt.Errorf("capture: %s %q: want a number from %d to %d", w, words[i], low, high)
			}
			return n, nil
		}
		var err error
		switch w {
		case "count":
			r.Count, err = number(1, capture.MaxCount)
		case "snaplen":
			r.Snaplen, err = number(capture.MinSnaplen, capture.MaxSnaplen)
		case "duration":
			var n int
			n, err = number(1, int(capture.MaxDuration/time.Second))
			r.Duration = time.Duration(n) * time.Second
		case "file", "-w":
			if i++; i == len(words) {
				return fmt.Errorf("capture: %s needs the name of a file", w)
			}
			*file = words[i]
		case capture.In, capture.Out, capture.Both, capture.Drops, capture.Punts, capture.All:
			r.What = w
		default:
			if _, ok := capture.ReasonNamed(w); ok && r.Reason == "" && mayBeReason(r, words, i) {
				r.Reason = w
				continue
			}
			rest = append(rest, w)
		}
		if err != nil {
			return err
		}
	}
	r.Filter = strings.Join(rest, " ")
	return nil
}

// mayBeReason tells whether the i-th word stands where a reason may: behind drops, punts or all. One of the reasons is `host`, which is a word of filters, too.
func mayBeReason(r *capture.Request, words []string, i int) bool {
	if words[i] == "host" && i+1 < len(words) {
		if _, err := netip.ParseAddr(words[i+1]); err == nil {
			return false
		}
	}
	before := r.What
	if i > 0 {
		before = words[i-1]
	}
	return before == capture.Drops || before == capture.Punts || before == capture.All
}

// capture has packets copied, to the terminal or into a file, which gets the rights of the user's own files that nobody else reads: packets are other people's.
func (s *Session) capture(r capture.Request, name string) error {
	var out io.Writer
	var file *os.File
	quiet := name == "-" // the file goes where text would
	err := s.Capturer.Capture(s.Ctx(), r, func(e capture.Event) (err error) {
		switch {
		case e.Begin != nil && quiet:
			out = s.Out
		case e.Begin != nil:
			if name != "" {
				if file, err = captureFile(name); err != nil {
					return err
				}
				out = file
			}
			if !s.JSON {
				_, err = io.WriteString(s.Out, show.CaptureBegin(e.Begin, name))
			}
		case e.Done != nil && quiet:
		case e.Done != nil && s.JSON:
			err = s.captureJSON(struct {
				Done *capture.Summary `json:"done"`
			}{e.Done})
		case e.Done != nil:
			_, err = io.WriteString(s.Out, show.CaptureEnd(e.Done))
		case len(e.File) > 0 && out != nil:
			_, err = out.Write(e.File)
		default:
			err = s.captured(e.Packets)
		}
		return err
	})
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	if err != nil && name != "" {
		return fmt.Errorf("capture into %s: %w", name, err)
	}
	return err
}

// captureFile makes a file for packets anew.
func captureFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if i, err := f.Stat(); err == nil && i.Mode().IsRegular() { // it may have been there, for others to read
		if err := f.Chmod(0o600); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// captured prints packets.
func (s *Session) captured(list []capture.Packet) error {
	for i := range list {
		if s.JSON {
			if err := s.captureJSON(&list[i]); err != nil {
				return err
			}
		} else if _, err := io.WriteString(s.Out, show.CapturedPacket(&list[i])); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) captureJSON(v any) error {
	b, err := show.CaptureJSON(v)
	if err == nil {
		_, err = s.Out.Write(b)
	}
	return err
}
