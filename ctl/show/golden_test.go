package show

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (-update writes it anew):\n%s\nwant:\n%s", file, got, want)
	}
}

// sampleRoutes are the routes of the box that has everything; the other has none.
func sampleRoutes(s *Status) []rib.Route {
	if len(s.Router.Interfaces) == 0 {
		return nil
	}
	return routes()
}

// texts is every show function, of a box that has everything and of one that has nothing.
func texts(s *Status, form Form) map[string]string {
	all, _ := Interfaces(s, Select{Form: form})
	return map[string]string{
		"dmvpn": DMVPN(s, Select{Form: form}), "ip_nhrp": NHRP(s, Select{Form: form}), "ip_nhrp_traffic": NHRPTraffic(s, Select{Form: form}), "ip_nhrp_nhs": NHS(s, Select{Form: form}),
		"ip_nhrp_detail": NHRP(s, Select{Detail: true, Form: form}), "ip_nhrp_brief": NHRPBrief(s, Select{Form: form}),
		"ip_interface": IPInterface(s, Select{Form: form}), "ip_interface_brief": IPInterfaceBrief(s, Select{Form: form}), "processes_cpu": ProcessesCPU(s, ByPID), "processes_cpu_sorted": ProcessesCPU(s, ByFiveSeconds),
		"processes_memory": ProcessesMemory(s, Select{Form: form}), "processes_memory_sorted": ProcessesMemory(s, Select{Sorted: true, Form: form}), "clock": Clock(s, Select{Form: form}), "clock_detail": Clock(s, Select{Detail: true, Form: form}),
		"interfaces": all, "ip_route": Routes(s, "", sampleRoutes(s)), "fastpath": Fastpath(s), "ports": Ports(s, ""), "processes": Processes(s), "version": Version(s, Select{Form: form}), "running_config": RunningConfig(s),
	}
}

func TestGolden(t *testing.T) {
	legacy := texts(sample(), Legacy)
	for name, text := range legacy {
		golden(t, name, text)
	}
	for name, text := range texts(sample(), Modern) {
		if text != legacy[name] {
			golden(t, "modern_"+name, text)
		}
	}
	for name, text := range texts(&Status{Time: now, Started: ago(5 * time.Second), Version: "nave 0.1"}, Legacy) {
		golden(t, "empty_"+name, text)
	}
}

// With an interface named, the others are left out.
func TestOneInterface(t *testing.T) {
	s := sample()
	for name, f := range map[string]func(*Status, Select) string{"dmvpn": DMVPN, "nhrp": NHRP, "traffic": NHRPTraffic, "nhs": NHS} {
		text := f(s, Select{Iface: "Tunnel1"})
		if strings.Contains(text, "Tunnel0") || strings.Contains(text, "10.0.0.9") {
			t.Errorf("%s of Tunnel1:\n%s", name, text)
		}
		if name != "nhs" && !strings.Contains(text, "Tunnel1") {
			t.Errorf("%s of Tunnel1 does not have it:\n%s", name, text)
		}
	}
	if text, ok := Interfaces(s, Select{Iface: "Tunnel1"}); !ok || strings.Contains(text, "Tunnel0") || !strings.HasPrefix(text, "Tunnel1 is up, line protocol is up\n") {
		t.Errorf("interfaces of Tunnel1: %v\n%s", ok, text)
	}
	if text, ok := Interfaces(s, Select{Iface: "Tunnel5"}); !ok || !strings.Contains(text, "not carried out") {
		t.Errorf("an interface that is not carried out: %v\n%s", ok, text)
	}
	if _, ok := Interfaces(s, Select{Iface: "Tunnel77"}); ok {
		t.Error("there is no Tunnel77")
	}
}

func TestLogs(t *testing.T) {
	var b strings.Builder
	for k := nhrp.LogKind(0); k.String() != "unknown"; k++ {
		e := nhrp.Log{
			Kind: k, Iface: "Tunnel101", Protocol: addr("10.0.0.9"), NBMA: addr("203.0.113.9"), Other: addr("198.51.100.4"),
			Code: 0, Count: 100, Interval: 10 * time.Second,
		}
		text, severity := Log(e)
		if text == "" {
			t.Errorf("%v has no text", k)
		}
		if severity < 0 || severity > 7 || !strings.Contains(text, "-"+string('0'+rune(severity))+"-") {
			t.Errorf("%v: severity %d does not stand in %q", k, severity, text)
		}
		b.WriteString(k.String() + ": " + text + "\n")
	}
	for code := uint16(1); code <= 16; code++ {
		text, _ := Log(nhrp.Log{Kind: nhrp.LogRegistrationFailed, Iface: "Tunnel0", Protocol: addr("10.0.0.1"), Code: code})
		b.WriteString(text + "\n")
	}
	golden(t, "logs", b.String())
	if text, _ := Log(nhrp.Log{Kind: 200}); text != "" {
		t.Errorf("an unknown kind: %q", text)
	}
}

func TestElapsed(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "00:00:00"}, {0, "00:00:00"}, {999 * time.Millisecond, "00:00:00"}, {94 * time.Second, "00:01:34"},
		{2*time.Hour + 40*time.Minute + 51*time.Second, "02:40:51"}, {day - time.Second, "23:59:59"},
		{day, "1d00h"}, {26 * time.Hour, "1d02h"}, {7*day - time.Second, "6d23h"}, {7 * day, "1w0d"}, {21 * day, "3w0d"}, {27 * day, "3w6d"},
		{365*day - time.Second, "52w0d"}, {365 * day, "1y0w"}, {400 * day, "1y5w"},
	} {
		if got := elapsed(c.d); got != c.want || len(got) > 8 {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
	if got := since(now, time.Time{}); got != "never" {
		t.Errorf("the zero time: %q", got)
	}
}

func TestUptime(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 seconds"}, {59 * time.Second, "59 seconds"}, {time.Minute, "1 minute"}, {61 * time.Minute, "1 hour, 1 minute"},
		{25*time.Hour + 2*time.Minute, "1 day, 1 hour, 2 minutes"}, {15 * 24 * time.Hour, "2 weeks, 1 day"},
	} {
		if got := uptime(c.d); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
}

func TestMAC(t *testing.T) {
	if got := mac([6]byte{0xaa, 0xbb, 0xcc, 0, 1, 2}); got != "aabb.cc00.0102" {
		t.Error(got)
	}
	if got := address(netip.Addr{}); got != "UNKNOWN" {
		t.Error(got)
	}
}
