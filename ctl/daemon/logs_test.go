package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/logs"
	"nave/ctl/logs/message"
	"nave/ctl/show"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nhrp"
)

func tree(t *testing.T, text string) *config.Config {
	t.Helper()
	c, diags := config.Parse("x.cfg", []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return c
}

// What a configuration says of the log is what the log is told.
func TestLogSettings(t *testing.T) {
	if got, want := logSettings(tree(t, "")), logs.DefaultSettings(); !reflect.DeepEqual(got, want) {
		t.Errorf("nothing configured: %+v", got)
	}
	a := netip.MustParseAddr
	for _, c := range []struct {
		text   string
		change func(*logs.Settings)
	}{
		{"no logging on", func(s *logs.Settings) { s.Off = true }},
		{"no logging console\nlogging monitor warnings\nlogging buffered 8192 3\nlogging trap 7\nlogging syslog", func(s *logs.Settings) {
			s.Console, s.Monitor, s.Buffer, s.BufferBytes = logs.Off, logs.UpTo(message.Warning), logs.UpTo(message.Error), 8192
			s.Trap, s.Local = logs.UpTo(message.Debugging), logs.UpTo(message.Debugging)
		}},
		{"no logging buffered\nno logging trap\nno logging monitor", func(s *logs.Settings) { s.Buffer, s.Trap, s.Monitor = logs.Off, logs.Off, logs.Off }},
		{"logging trap", func(*logs.Settings) {}},
		{"logging file /var/log/nave/x.log errors json", func(s *logs.Settings) { s.Path, s.File, s.JSON = "/var/log/nave/x.log", logs.UpTo(message.Error), true }},
		{"hostname hub\nlogging facility local3\nlogging trap syslog-format rfc5424\nlogging host 192.0.2.9\nlogging 192.0.2.8\nlogging host 192.0.2.7 transport udp port 1514", func(s *logs.Settings) {
			s.Hostname, s.Facility, s.RFC5424 = "hub", 19, true
			s.Hosts = []netip.AddrPort{netip.AddrPortFrom(a("192.0.2.9"), 514), netip.AddrPortFrom(a("192.0.2.8"), 514), netip.AddrPortFrom(a("192.0.2.7"), 1514)}
		}},
		{"interface Loopback0\n ip address 192.0.2.1 255.255.255.255\nlogging source-interface Loopback0", func(s *logs.Settings) { s.Source = a("192.0.2.1") }},
		{"interface Ethernet0\n ip address dhcp\nlogging source-interface Ethernet0", func(*logs.Settings) {}},
		{"logging rate-limit console all 50 except 4", func(s *logs.Settings) {
			s.Rate = logs.Rate{PerSecond: 50, Console: true, All: true, Except: logs.UpTo(message.Warning)}
		}},
		{"service sequence-numbers\nservice timestamps log datetime localtime show-timezone year\nservice timestamps debug uptime", func(s *logs.Settings) {
			s.Log = message.Stamp{Local: true, Zone: true, Year: true, Numbering: true}
			s.Debug = message.Stamp{Form: message.Uptime, Numbering: true}
		}},
		{"no service timestamps log", func(s *logs.Settings) { s.Log = message.Stamp{Form: message.NoStamp} }},
	} {
		want := logs.DefaultSettings()
		c.change(&want)
		if got := logSettings(tree(t, c.text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", c.text, got, want)
		}
	}
}

// printed is a console for tests.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// logged is a daemon with a log and nothing else.
func logged(t *testing.T) (*Daemon, *printed) {
	t.Helper()
	out := &printed{}
	l := logs.New(logs.Options{Console: out, Debug: true, Trouble: show.LogTrouble})
	t.Cleanup(func() { l.Close(10 * time.Second) })
	return &Daemon{log: slog.New(l.Handler()), logs: l, limit: logs.NewEvents()}, out
}

// A server that messages go to from now on is told of, and one that gets no more.
func TestLogBy(t *testing.T) {
	d, _ := logged(t)
	d.logBy(tree(t, "logging host 127.0.0.1 transport udp port 9\nlogging dmvpn rate-limit 20"))
	d.logBy(tree(t, "logging host 127.0.0.1 transport udp port 9\nno logging dmvpn"))
	if s := d.LogStatus(); s.DMVPN || s.DMVPNSeconds != 0 {
		t.Errorf("%+v", s)
	}
	d.logBy(tree(t, "logging dmvpn rate-limit 30"))
	s := d.LogStatus()
	if !s.DMVPN || s.DMVPNSeconds != 30 {
		t.Errorf("%+v", s)
	}
	var texts []string
	for _, l := range s.Lines {
		if !strings.Contains(l.Text, "LOG_FAILED") { // nobody may be at that port
			texts = append(texts, l.Text)
		}
	}
	want := []string{"%SYS-6-LOGGINGHOST_STARTSTOP: Logging to host 127.0.0.1 port 9 started", "%SYS-6-LOGGINGHOST_STARTSTOP: Logging to host 127.0.0.1 port 9 stopped"}
	if !reflect.DeepEqual(texts, want) {
		t.Errorf("%q", texts)
	}
	for range 10 {
		d.event(nhrp.Log{Kind: nhrp.LogNHSUp, Iface: "Tunnel0", Protocol: netip.MustParseAddr("10.0.0.1")})
	}
	if s = d.LogStatus(); s.Suppressed != 9 {
		t.Errorf("%d suppressed, want 9", s.Suppressed)
	}
	if err := d.ClearLog(); err != nil || len(d.LogStatus().Lines) != 0 {
		t.Error("not cleared")
	}
}

const secret = "topS3cretKey"

// everyEvent is all that protocols may report, of each kind, as it comes with what peers send.
func everyEvent() (list []slowpath.Event) {
	a, p := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddrPort("192.0.2.7:500")
	id := ike.Identity{Kind: ike.IDFQDN, Value: "r1\n%SYS-0-PANIC: forged"}
	for k := range 40 {
		list = append(list,
			nhrp.Log{Kind: nhrp.LogKind(k), Iface: "Tunnel0", Protocol: a, NBMA: a, Other: a, Code: 4, Count: 3, Interval: time.Second},
			ike.Log{Kind: ike.LogKind(k), Version: 1 + k%2, Path: ike.Path{Local: p, Remote: p}, Peer: id, Why: ike.Why(k), Code: 24, Text: "\x1b[2J"},
			dmvpn.Log{Kind: dmvpn.LogKind(k), Ifaces: []string{"Tunnel0"}, Profile: "vpn", Peer: p, Was: p, Identity: id, Why: ike.Why(k)},
			ldp.Log{Kind: ldp.LogKind(k), Iface: "Ethernet0", Address: a, Count: 7},
			slowpath.EIGRPLog{AS: 1, VRF: "red", Log: eigrp.Log{Kind: eigrp.LogKind(k), Iface: "Tunnel0", Neighbor: a, Reason: eigrp.Reason(k)}},
			show.HardwareLog{Kind: show.HardwareKind(k % 5), Table: "MPLS", Count: 1, Most: 2})
	}
	return append(list, bgp.Session{Neighbour: a, VRF: "red", Up: true}, bgp.Session{Neighbour: a, Reason: "notification-received\r\n<0>forged"},
		slowpath.NoLabel{VRF: "red", Err: errors.New("no label is left")}, show.WorkerLog{Worker: 1, Up: true}, show.WorkerLog{Worker: 1})
}

// Nothing that is logged has a key in it, on any way: not the findings of a configuration that is full of them, not a change of it, not any event. And no event begins a line of
// its own, or has what a terminal obeys.
func TestNoSecretIsLogged(t *testing.T) {
	d, out := logged(t)
	path := filepath.Join(t.TempDir(), "nave.log")
	s := logs.DefaultSettings()
	s.Path, s.JSON = path, true
	d.logs.Configure(s)
	text := "hostname hub\nenable password " + secret + "\ncrypto isakmp key " + secret + " address 0.0.0.0\ncrypto isakmp policy 1\n encryption des\n hash md5\n authentication pre-share\n" +
		"crypto ikev2 keyring K\n peer P\n  address 0.0.0.0 0.0.0.0\n  pre-shared-key " + secret + "\nkey chain C\n key 1\n  key-string " + secret + "\n" +
		"interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\ninterface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n ip nhrp authentication " + secret[:8] +
		"\n tunnel source Ethernet0\n tunnel mode gre multipoint\nrouter bgp 1\n neighbor 192.0.2.9 remote-as 2\n neighbor 192.0.2.9 password " + secret + "\n" +
		"mpls ldp neighbor 192.0.2.9 password " + secret + "\nsnmp-server community " + secret + " RO\nusername admin password 0 " + secret + "\n"
	c, diags := config.Parse("x.cfg", []byte(text))
	d.warn(c, nil, append(diags, config.Check(c)...))
	d.log.Info("a tree and its secrets", "password", c.Enable, "all", c.BGP, "key", config.Secret(secret))
	d.audit(&api.Caller{Name: "admin"}, "clear dmvpn session", nil)
	for _, e := range everyEvent() {
		d.event(e)
	}
	lines := d.LogStatus().Lines
	d.logs.Close(10 * time.Second)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 80 || out.text.Len() == 0 || len(file) == 0 {
		t.Fatalf("%d lines, %d bytes on the console, %d in the file: not much of a test", len(lines), out.text.Len(), len(file))
	}
	all := out.text.String() + string(file)
	for _, l := range lines {
		all += "\n" + l.Stamped
		for _, f := range l.Fields {
			all += "\n" + f.Value
			if strings.ContainsAny(f.Value, "\n\r\x1b") {
				t.Errorf("%s of %q has what does not print: %q", f.Name, l.Text, f.Value)
			}
		}
		if strings.ContainsAny(l.Stamped, "\n\r\x1b") || !strings.HasPrefix(l.Text, "%") {
			t.Errorf("%q", l.Stamped)
		}
	}
	if i := strings.Index(all, secret[:8]); i >= 0 {
		t.Errorf("a secret was logged: %s", all[max(0, i-200):min(len(all), i+100)])
	}
	for line := range strings.SplitSeq(strings.TrimSpace(out.text.String()), "\n") {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}
