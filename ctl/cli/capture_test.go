package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/ctl/capture"
)

// capturer is a Capturer for tests: it completes what it is asked, and has one packet or piece of a file.
type capturer struct {
	asked capture.Request
	err   error
}

func (c *capturer) Capture(_ context.Context, r capture.Request, f func(capture.Event) error) error {
	c.asked = r
	if c.err != nil {
		return c.err
	}
	if err := r.Complete(); err != nil {
		return err
	}
	for _, e := range []capture.Event{
		{Begin: &r}, {Packets: []capture.Packet{{Interface: "Tunnel0", Point: capture.Received, Length: 5}}}, {File: []byte("pcapng")}, {Done: &capture.Summary{Packets: 7, Lost: 2, Why: capture.WhyCount}},
	} {
		if r.File == (e.Packets != nil) && e.Begin == nil && e.Done == nil {
			continue
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func TestCapture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.pcapng")
	for line, want := range map[string]capture.Request{
		"capture interface tunnel 0":                             {Interface: "Tunnel0"},
		"cap int any drops":                                      {Interface: capture.Any, What: capture.Drops},
		"capture interface any drops no-route":                   {Interface: capture.Any, What: capture.Drops, Reason: "no-route"},
		"capture interface any drops host host 10.0.0.1":         {Interface: capture.Any, What: capture.Drops, Reason: "host", Filter: "host 10.0.0.1"},
		"capture interface any drops host 10.0.0.1":              {Interface: capture.Any, What: capture.Drops, Filter: "host 10.0.0.1"},
		"capture interface any punts nhrp src net 10.0.0.0/8":    {Interface: capture.Any, What: capture.Punts, Reason: "nhrp", Filter: "src net 10.0.0.0/8"},
		"capture interface e0 in host 10.0.0.1 and port 53":      {Interface: "Ethernet0", What: capture.In, Filter: "host 10.0.0.1 and port 53"},
		"capture interface e0 host 10.0.0.1 out":                 {Interface: "Ethernet0", What: capture.Out, Filter: "host 10.0.0.1"},
		"capture interface e0 count 5 dur 2 snap 96 udp":         {Interface: "Ethernet0", Count: 5, Duration: 2 * time.Second, Snaplen: 96, Filter: "udp"},
		"capture interface e0 udp count 5 duration 2 snaplen 96": {Interface: "Ethernet0", Count: 5, Duration: 2 * time.Second, Snaplen: 96, Filter: "udp"},
		"capture interface e0 both -w " + file:                   {Interface: "Ethernet0", What: capture.Both, File: true},
		"capture interface e0 file " + file + " udp":             {Interface: "Ethernet0", Filter: "udp", File: true},
		"capture interface e0 udp or not (tcp) -w " + file:       {Interface: "Ethernet0", Filter: "udp or not (tcp)", File: true},
		"capture interface e0 proto ospf -w -":                   {Interface: "Ethernet0", Filter: "proto ospf", File: true},
	} {
		c := &capturer{}
		var out strings.Builder
		if err := (&Session{Capturer: c, Out: &out}).Run(line); err != nil || !reflect.DeepEqual(c.asked, want) {
			t.Errorf("%s: %v\n%+v\nwant\n%+v", line, err, c.asked, want)
		}
		if strings.HasSuffix(line, "-w -") {
			if out.String() != "pcapng" {
				t.Errorf("%s: %q", line, &out)
			}
		} else if !strings.Contains(out.String(), "^C ends it") || !strings.Contains(out.String(), "7 packets captured") || !strings.Contains(out.String(), "2 copies were lost") {
			t.Errorf("%s:\n%s", line, &out)
		}
		if want.File != !strings.Contains(out.String(), "Tunnel0 in") {
			t.Errorf("%s:\n%s", line, &out)
		}
	}
	b, err := os.ReadFile(file)
	i, err2 := os.Stat(file)
	if string(b) != "pcapng" || errors.Join(err, err2) != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", b, i, errors.Join(err, err2))
	}
}

// TestCaptureFile: a file that others could read is theirs no longer; what is refused, or cannot be written, leaves nothing.
func TestCaptureFile(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	if err := os.WriteFile(old, []byte("something longer than the capture"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := &capturer{}
	s := &Session{Capturer: c, Out: &out, JSON: true}
	if err := s.Run("capture interface any file " + old); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(old); string(b) != "pcapng" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if i, err := os.Stat(old); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	if !strings.Contains(out.String(), `{"done":{"packets":7,`) {
		t.Errorf("%s", &out)
	}
	c.err = errors.New("a capture is running already")
	if err := s.Run("capture interface any file " + fresh); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Error(err)
	}
	c.err = nil
	for line, want := range map[string]string{
		"capture interface any foo file " + fresh:  `"foo" is no test`,
		"capture interface any udp file":           "needs the name of a file",
		"capture interface any udp count":          "needs a number",
		"capture interface any udp count 0":        `count "0"`,
		"capture interface any udp snaplen 5":      `snaplen "5"`,
		"capture interface any file " + dir:        "is a directory",
		"capture interface any in no-route":        `"no-route" is no test`,
		"capture interface any udp duration 99999": `duration "99999"`,
	} {
		if err := s.Run(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a capture that was refused has made a file: %v", err)
	}
	if err := (&Session{Out: &out}).Run("capture interface any"); !errors.Is(err, errNoCapturer) {
		t.Error(err)
	}
}
