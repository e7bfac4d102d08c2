package logs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"log/slog"

	"nave/ctl/logs/message"
)

// listen takes datagrams.
func listen(t *testing.T, network, address string) (c net.PacketConn, read func() string) {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, func() string {
		t.Helper()
		b := make([]byte, 1<<16)
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func server(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// Servers get messages in the form that is asked for, from the address that is, up to the level of `logging trap`.
func TestServers(t *testing.T) {
	old, readOld := listen(t, "udp", "127.0.0.1:0")
	l, log, _ := newLog(t, func(s *Settings) {
		s.Hosts, s.Hostname, s.Source = []netip.AddrPort{server(old)}, "hub 1", netip.MustParseAddr("127.0.0.1")
		s.Log.Numbering = true
	})
	attrs := []slog.Attr{slog.String("identity", `r1 "x" ]`), slog.String("interface", "Tunnel0")}
	say(log, message.Debugging, "NHRP: too mild")
	say(log, message.Error, "%DMVPN-3-NHRP_ERROR: x", attrs...)
	if got := readOld(); !regexp.MustCompile(`^<187>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d hub1 000002: %DMVPN-3-NHRP_ERROR: x$`).MatchString(got) {
		t.Errorf("RFC 3164: %q", got)
	}
	s := DefaultSettings()
	s.Hosts, s.Hostname, s.RFC5424, s.Facility = []netip.AddrPort{server(old)}, "hub", true, 16
	l.Configure(s)
	say(log, message.Notice, "%DMVPN-5-NHRP_CACHE: y", attrs...)
	want := `^<133>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z hub naved \d+ DMVPN-NHRP_CACHE \[meta sequenceId="3"\]\[nave@32473 identity="r1 \\"x\\" \\\]" interface="Tunnel0"\] %DMVPN-5-NHRP_CACHE: y$`
	if got := readOld(); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("RFC 5424: %q", got)
	}
}

// What is too long for a message is left out: first the fields, then the end of the text.
func TestLongMessages(t *testing.T) {
	o := origin{facility: message.Local7, hostname: "hub", pid: 1, rfc5424: true}
	r := newRecord(time.Unix(0, 0), message.Error, "%A-3-B: "+strings.Repeat("x", 1500), []message.Field{{Name: "f", Value: strings.Repeat("y", 1000)}}, false)
	r.number = 1
	if got := o.remote(r, 0); strings.Contains(got, "yyy") || !strings.Contains(got, strings.Repeat("x", 1500)) || len(got) > maxRFC5424 {
		t.Errorf("%d bytes", len(got))
	}
	o.rfc5424 = false
	if got := o.remote(r, 0); len(got) != maxRFC3164 || !strings.HasSuffix(got, "x...") {
		t.Errorf("%d bytes", len(got))
	}
}

// A server that is not there is told of once, and the others have what is said.
func TestServerGone(t *testing.T) {
	gone, _ := listen(t, "udp", "127.0.0.1:0")
	nobody := server(gone)
	here, read := listen(t, "udp", "127.0.0.1:0") // before the other's port is free again
	gone.Close()
	l, log, _ := newLog(t, func(s *Settings) { s.Hosts = []netip.AddrPort{nobody, server(here)} })
	soon(t, "the failure is known", func() bool {
		log.Warn("%A-4-B: x")
		for _, d := range l.Status().Destinations {
			if d.Name == nobody.String() && d.Trouble != "" && d.Failed > 0 {
				return true
			}
		}
		return false
	})
	soon(t, "the failure is told", func() bool { return strings.Contains(read(), "LOG_FAILED: host "+nobody.String()) })
	for range 20 {
		log.Warn("%A-4-B: x")
	}
	count := 0
	for _, line := range l.Status().Lines {
		if strings.Contains(line.Text, "LOG_FAILED") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("told %d times", count)
	}
}

// The machine's syslog daemon may come later, and may come back.
func TestLocal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := New(Options{Console: &screen{}, Local: path})
	defer l.Close(10 * time.Second)
	s := DefaultSettings()
	s.Local, s.Facility = UpTo(message.Notice), message.Daemon
	l.Configure(s)
	log := slog.New(l.Handler())
	for range 2 {
		c, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			b := make([]byte, 4096)
			n, _, err := c.ReadFrom(b)
			if err == nil {
				got <- string(b[:n])
			}
		}()
		var line string
		soon(t, "a message arrives", func() bool {
			log.Info("too mild")
			say(log, message.Notice, "%A-5-B: x")
			select {
			case line = <-got:
				return true
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
		if !regexp.MustCompile(`^<29>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d naved\[\d+\]: %A-5-B: x$`).MatchString(line) {
			t.Errorf("%q", line)
		}
		c.Close()
		os.Remove(path)
	}
}

// fieldsOf reads a message as journald does.
func fieldsOf(t *testing.T, b []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			t.Fatalf("%q does not end", b)
		}
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			out[string(name)], b = string(value), rest
			continue
		}
		n := binary.LittleEndian.Uint64(rest)
		out[string(line)], b = string(rest[8:8+n]), rest[8+n+1:]
	}
	return out
}

// The journal gets the message, its severity, and its fields by names of its own; without a journal lines are written.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var instead bytes.Buffer
	j := &toJournal{socket: path, instead: newLines(&instead)}
	defer j.Close()
	r := newRecord(time.Unix(0, 0), message.Notice, "%DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP", []message.Field{{Name: "event", Value: "nhs up"}, {Name: "of.ike_sa", Value: "7"}}, false)
	r.number = 9
	if err := j.write(r, 0); err == nil || !strings.Contains(instead.String(), "NHRP_NHS") {
		t.Errorf("without a journal: %v, %q", err, instead.String())
	}
	for range 2 { // it may be started afresh
		c, read := listen(t, "unixgram", path)
		if err := j.write(r, 3); err != nil {
			t.Fatal(err)
		}
		got := fieldsOf(t, []byte(read()))
		for name, want := range map[string]string{
			"MESSAGE": r.text, "PRIORITY": "5", "SYSLOG_IDENTIFIER": "naved", "SYSLOG_FACILITY": "3", "NAVE_FACILITY": "DMVPN", "NAVE_MNEMONIC": "NHRP_NHS", "NAVE_NUMBER": "9",
			"NAVE_EVENT": "nhs up", "NAVE_OF_IKE_SA": "7", "NAVE_LEFT_OUT": "3",
		} {
			if got[name] != want {
				t.Errorf("%s=%q, want %q", name, got[name], want)
			}
		}
		c.Close()
		os.Remove(path)
	}
	var b bytes.Buffer
	journalField(&b, "X", "a\nb")
	journalField(&b, "Y", "c")
	if got := fieldsOf(t, b.Bytes()); got["X"] != "a\nb" || got["Y"] != "c" {
		t.Errorf("%q", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// A file is made where it is missing, with its folder, and made anew where it was renamed: by itself, and at once when told.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nave", "nave.log")
	l, log, _ := newLog(t, func(s *Settings) { s.Path, s.File, s.Log.Form = path, UpTo(message.Notice), message.NoStamp })
	say(log, message.Notice, "%A-5-B: one", slog.String("x", "y"))
	log.Info("too mild")
	soon(t, "the first line", func() bool { return read(t, path) == "%A-5-B: one\n" })
	if i, err := os.Stat(path); err != nil || i.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v, %v", i, err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	say(log, message.Notice, "%A-5-B: two")
	soon(t, "the second line, in a new file", func() bool { return read(t, path) == "%A-5-B: two\n" })
	if got := read(t, path+".1"); got != "%A-5-B: one\n" {
		t.Errorf("the old file has %q", got)
	}
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	soon(t, "a new file without being told", func() bool {
		say(log, message.Notice, "%A-5-B: three")
		return strings.HasPrefix(read(t, path), "%A-5-B: three\n")
	})
}

func TestFileJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nave.log")
	l, log, _ := newLog(t, func(s *Settings) { s.Path, s.JSON = path, true })
	say(log, message.Notice, "%A-5-B: one", slog.String("peer", "192.0.2.1"))
	l.Close(10 * time.Second)
	var got struct {
		Level, Msg, Peer string
		Severity, Number int
		Time             time.Time
	}
	if err := json.Unmarshal([]byte(read(t, path)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Level != "NOTICE" || got.Msg != "%A-5-B: one" || got.Peer != "192.0.2.1" || got.Severity != 5 || got.Number != 1 || got.Time.IsZero() {
		t.Errorf("%+v", got)
	}
}

// Only ordinary files are written to.
func TestFileOfAnotherKind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, dir, "/dev/null", filepath.Join(dir, "a", "b", "c")} {
		f := newFile(path, false)
		r := newRecord(time.Now(), message.Notice, "%A-5-B: x", nil, false)
		if err := f.write(r, 0); err == nil {
			t.Errorf("%s was written to", path)
		}
		if err := f.write(r, 0); err == nil { // it is not tried again so soon
			t.Errorf("%s was written to", path)
		}
		f.Close()
	}
	if got := read(t, target); got != "" {
		t.Errorf("behind the link: %q", got)
	}
	l, log, _ := newLog(t, func(s *Settings) { s.Path = dir })
	log.Warn("x")
	soon(t, "the failure is told", func() bool {
		for _, line := range l.Status().Lines {
			if strings.HasPrefix(line.Text, "%NAVE-3-LOG_FAILED: file "+dir) {
				return true
			}
		}
		return false
	})
}

// What stays as it is keeps its counts when something else is changed; what is taken away still writes what it has.
func TestConfigure(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	l, log, _ := newLog(t, func(s *Settings) { s.Path = a })
	files := func() (list []message.Destination) {
		for _, d := range l.Status().Destinations {
			if d.Kind == message.File {
				list = append(list, d)
			}
		}
		return list
	}
	log.Info("%A-6-B: one")
	soon(t, "written", func() bool { return strings.Contains(read(t, a), "one") && files()[0].Written == 1 })
	s := DefaultSettings()
	s.Path, s.File, s.Hosts = a, UpTo(message.Error), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}
	l.Configure(s)
	if d := files(); len(d) != 1 || d[0].Written != 1 || d[0].Severity != 3 {
		t.Errorf("%+v", d)
	}
	log.Error("%A-3-B: two")
	s.Path = b
	l.Configure(s)
	log.Error("%A-3-B: three")
	l.Close(10 * time.Second)
	soon(t, "both files have theirs", func() bool { return strings.Contains(read(t, a), "two") && strings.Contains(read(t, b), "three") })
	if strings.Contains(read(t, a), "three") || strings.Contains(read(t, b), "two") {
		t.Errorf("%q, %q", read(t, a), read(t, b))
	}
}
