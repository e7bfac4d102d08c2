package show

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	logmsg "nave/ctl/logs/message"
	"nave/slowpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/nhrp"
)

// sampleLog is a log that goes everywhere.
func sampleLog() *logmsg.Status {
	at := time.Date(2026, 3, 7, 4, 5, 6, 78_000_000, time.UTC)
	line := func(n uint64, text string) logmsg.Line {
		return logmsg.Line{Time: at, Severity: 5, Text: text, Number: n, Stamped: logmsg.Stamp{Msec: true, Numbering: true}.Put(text, n, at, at)}
	}
	return &logmsg.Status{
		On: true, Messages: 45, RateLimited: 2, Suppressed: 3, Dropped: 7, Rate: 10, DMVPN: true, DMVPNSeconds: 20, Numbered: true, Facility: "local7", Format: "rfc3164", Source: "192.0.2.1", Watchers: 1,
		Destinations: []logmsg.Destination{
			{Kind: logmsg.Journal, Name: "/run/systemd/journal/socket", On: true, Severity: 7, Written: 45},
			{Kind: logmsg.Monitor, On: true, Severity: 6, Written: 12, Dropped: 4},
			{Kind: logmsg.Buffer, On: true, Severity: 7, Written: 45},
			{Kind: logmsg.File, Name: "/var/log/nave/nave.log", On: true, Severity: 5, Written: 20, Failed: 1, Trouble: "no space left on device"},
			{Kind: logmsg.Local, Name: "/dev/log", On: true, Severity: 4, Written: 9},
			{Kind: logmsg.Host, Name: "198.51.100.9:514", On: true, Severity: 6, Written: 40},
			{Kind: logmsg.Host, Name: "198.51.100.10:1514", On: true, Severity: 6, Written: 37, Dropped: 3, Failed: 2, Trouble: "connection refused"},
		},
		BufferBytes: 262144, Forgotten: 5,
		Counts: []logmsg.Count{
			{Facility: "DMVPN", Mnemonic: "NHRP_CACHE", Severity: 5, Times: 30, Last: at, Stamp: "Mar  7 04:05:06.078"},
			{Facility: "DMVPN", Mnemonic: "NHRP_NHS", Severity: 5, Times: 2, Last: at, Stamp: "Mar  7 04:05:06.078"},
			{Facility: "NHRP", Mnemonic: "QUOTA", Severity: 4, Times: 13, Last: at, Stamp: "Mar  7 04:05:06.078"},
		},
		Lines: []logmsg.Line{line(44, "%DMVPN-5-NHRP_NHS: Tunnel101 192.0.2.251 is UP"), line(45, "%DMVPN-5-NHRP_CACHE: Client 192.0.2.2 on Tunnel1 Registered.")},
	}
}

func TestLogging(t *testing.T) {
	golden(t, "logging", Logging(sampleLog()))
	golden(t, "logging_count", LoggingCount(sampleLog()))
	off := &logmsg.Status{Destinations: []logmsg.Destination{{Kind: logmsg.Console}, {Kind: logmsg.Monitor}, {Kind: logmsg.Buffer}, {Kind: logmsg.Host}}, BufferBytes: 4096}
	golden(t, "empty_logging", Logging(off))
	golden(t, "empty_logging_count", LoggingCount(off))
}

// For programs there is all of it, under the names that are documented.
func TestLoggingJSON(t *testing.T) {
	b, err := LoggingJSON(sampleLog())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "logging_json", string(b))
	var back logmsg.Status
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	want := sampleLog()
	want.Counts = nil
	if !reflect.DeepEqual(&back, want) {
		t.Errorf("%+v\nwant %+v", back, want)
	}
	if b, err = LoggingCountJSON(sampleLog()); err != nil || !strings.Contains(string(b), `"mnemonic": "QUOTA"`) {
		t.Errorf("%v\n%s", err, b)
	}
	if b, err = LoggingJSON(&logmsg.Status{}); err != nil || !strings.Contains(string(b), `"lines": []`) {
		t.Errorf("%v\n%s", err, b)
	}
}

// The lines that people know are those, letter for letter.
func TestKnownLines(t *testing.T) {
	a := netip.MustParseAddr
	for _, c := range []struct {
		e        slowpath.Event
		want     string
		severity int
	}{
		{dmvpn.Log{Kind: dmvpn.LogSocketOpen, Ifaces: []string{"Tunnel101"}, Peer: netip.AddrPortFrom(a("192.0.2.1"), 500)}, "%DMVPN-7-CRYPTO_SS: Tunnel101-192.0.2.1 socket is UP", 7},
		{nhrp.Log{Kind: nhrp.LogNHSUp, Iface: "Tunnel101", Protocol: a("192.0.2.251")}, "%DMVPN-5-NHRP_NHS: Tunnel101 192.0.2.251 is UP", 5},
		{nhrp.Log{Kind: nhrp.LogClientRegistered, Iface: "Tunnel1", Protocol: a("192.0.2.2")}, "%DMVPN-5-NHRP_CACHE: Client 192.0.2.2 on Tunnel1 Registered.", 5},
		{nhrp.Log{Kind: nhrp.LogPeerUp, Iface: "Tunnel101", Protocol: a("192.0.2.2")}, "%DMVPN-5-NHRP_CACHE: Client 192.0.2.2 on Tunnel101 came UP.", 5},
		{nhrp.Log{Kind: nhrp.LogRegistrationFailed, Iface: "Tunnel101", Protocol: a("192.0.2.251")}, "%DMVPN-3-NHRP_ERROR: Registration Request failed for 192.0.2.251 on Tunnel101", 3},
		{nhrp.Log{Kind: nhrp.LogQuota, Iface: "Tunnel0", Count: 100, Interval: 10 * time.Second}, "%NHRP-4-QUOTA: Max-send quota of 100pkts/10Sec. exceeded on Tunnel0", 4},
	} {
		if text, severity := Log(c.e); text != c.want || severity != c.severity {
			t.Errorf("%q, severity %d; want %q, %d", text, severity, c.want, c.severity)
		}
	}
}

func TestLogTrouble(t *testing.T) {
	text, severity := LogTrouble(logmsg.Trouble{Kind: logmsg.File, Name: "/var/log/x", Err: errors.New("no space left on device")})
	if severity != logmsg.Error || !strings.HasPrefix(text, "%NAVE-3-LOG_FAILED: messages can't be written to file /var/log/x: no space left on device; ") {
		t.Errorf("%d %s", severity, text)
	}
	for _, k := range []logmsg.Kind{logmsg.Console, logmsg.Journal, logmsg.File, logmsg.Local, logmsg.Host} {
		if text, severity := LogTrouble(logmsg.Trouble{Kind: k, Name: "N"}); severity != logmsg.Notice || !strings.HasPrefix(text, "%NAVE-5-LOG_RESTORED: messages can be written to ") || strings.Contains(text, "to  again") {
			t.Errorf("%d %s", severity, text)
		}
	}
	if text, _ := LogHost(netip.MustParseAddrPort("192.0.2.9:514"), true); text != "%SYS-6-LOGGINGHOST_STARTSTOP: Logging to host 192.0.2.9 port 514 started" {
		t.Error(text)
	}
	if text, severity := LogAudit("admin", "clear logging", nil); severity != 5 || text != "%PARSER-5-CFGLOG_LOGGEDCMD: User:admin  logged command:clear logging" {
		t.Error(text)
	}
	if text, severity := LogAudit("admin", "clear logging", errors.New("no")); severity != 4 || text != "%NAVE-4-REFUSED: User:admin  command:clear logging: no" {
		t.Error(text)
	}
	if text, _ := LogStarted(true); text != "%SYS-5-RESTART: System restarted -- naved runs" {
		t.Error(text)
	}
	if text, _ := LogStarted(false); text != "%SYS-5-STOP: naved stops" {
		t.Error(text)
	}
	if got := Watched(logmsg.Line{Text: "x", Stamped: "now: x", LeftOut: 3}); got != "(3 messages before this one were not shown: this terminal was too slow for them)\nnow: x" {
		t.Error(got)
	}
	if got := Watched(logmsg.Line{Text: "x"}); got != "x" {
		t.Error(got)
	}
}
