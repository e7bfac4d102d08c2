package cli

import (
	"errors"
	"strings"
	"testing"

	"nave/ctl/logs/message"
)

// logStub is a Logs for tests.
type logStub struct {
	cleared int
	err     error
}

func (l *logStub) LogStatus() (*message.Status, error) {
	return &message.Status{On: true, Counts: []message.Count{{Facility: "A", Mnemonic: "B", Times: 3}}, Lines: []message.Line{{Text: "%A-6-B: x", Stamped: "now: %A-6-B: x"}}}, l.err
}
func (l *logStub) ClearLog() error { l.cleared++; return l.err }

func TestLogCommands(t *testing.T) {
	l := &logStub{}
	line := func(line string, asJSON bool) (string, error) {
		var out strings.Builder
		err := (&Session{Daemon: &daemon{}, Logs: l, Out: &out, JSON: asJSON}).Run(line)
		return out.String(), err
	}
	for _, c := range []struct {
		line string
		json bool
		want string
	}{
		{"show logging", false, "Syslog logging: enabled"}, {"sh log", false, "\nnow: %A-6-B: x\n"}, {"show logging count", false, "A TOTAL"},
		{"show logging", true, `"stamped": "now: %A-6-B: x"`}, {"show logging count", true, `"times": 3`},
	} {
		if out, err := line(c.line, c.json); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", c.line, err, out)
		}
	}
	if _, err := line("clear logging", false); err != nil || l.cleared != 1 {
		t.Errorf("%v, cleared %d times", err, l.cleared)
	}
	l.err = errors.New("gone")
	for _, c := range []string{"show logging", "show logging count", "clear logging"} {
		if _, err := line(c, false); !errors.Is(err, l.err) {
			t.Errorf("%s: %v", c, err)
		}
		if err := (&Session{Daemon: &daemon{}}).Run(c); !errors.Is(err, errNoLog) {
			t.Errorf("%s without a log: %v", c, err)
		}
	}
}
