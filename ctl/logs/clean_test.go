package logs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"nave/ctl/logs/message"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "two\nlines": `two\nlines`, "\x1b[2Jgone": `\x1b[2Jgone`, "a\rb\tc\x00": `a\rb\tc\x00`, "bell\a": `bell\a`, "\xff\xfe": `\xff\xfe`,
		"übung": "übung", "\u202eevil": `\u202eevil`, "line\u2028sep": `line\u2028sep`, "c1\u009bx": `c1\u009bx`, "�": "�", "\xef": `\xef`,
	} {
		if got := clean(in, 100); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := clean(strings.Repeat("ü", 100), 20); got != strings.Repeat("ü", 8)+"..." {
		t.Errorf("cut: %q", got)
	}
}

// FuzzLines feeds what a peer may call itself, and looks that no form of a message has more than its one line, or anything that a terminal would obey.
func FuzzLines(f *testing.F) {
	f.Add("hub.example", "x")
	f.Add("a\n<0>1 - evil - - - %SYS-0-PANIC: down", "\x1b]0;title\a")
	f.Add(`"] [x y="z`, "\xf0\x9f")
	f.Fuzz(func(t *testing.T, text, value string) {
		fields := flatten(nil, "", slog.String("identity", value))
		fields = flatten(fields, "", slog.String(text, value))
		r := newRecord(time.Unix(0, 0), message.Warning, "%IKEV2-4-X: peer "+text, fields, false)
		r.number, r.stamped = 1, message.DefaultStamp.Put(r.text, 1, r.at, r.at)
		o := origin{facility: message.Local7, hostname: "hub", pid: 1, rfc5424: true}
		var console bytes.Buffer
		if err := newLines(&console).write(r, 1); err != nil {
			t.Fatal(err)
		}
		o3164 := o
		o3164.rfc5424 = false
		for form, line := range map[string]string{
			"text": r.text, "stamped": r.stamped, "console": strings.TrimSuffix(console.String(), "\n"), "rfc5424": o.remote(r, 1), "rfc3164": o3164.remote(r, 1), "local": o.local(r, 1),
		} {
			if !printable(line) || !utf8.ValidString(line) {
				t.Errorf("%s: %q", form, line)
			}
		}
		if n := len(o.remote(r, 1)); n > maxRFC5424 {
			t.Errorf("%d bytes by RFC 5424", n)
		}
		if n := len(o3164.remote(r, 1)); n > maxRFC3164 {
			t.Errorf("%d bytes by RFC 3164", n)
		}
		for line := range bytes.SplitSeq(bytes.TrimSuffix(journalEntry(r, 1), []byte("\n")), []byte("\n")) {
			name, _, ok := bytes.Cut(line, []byte("="))
			if !ok || len(name) == 0 || len(name) > 64 || len(bytes.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")) > 0 {
				t.Errorf("journal: %q", line)
			}
		}
	})
}
