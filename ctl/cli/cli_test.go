package cli

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// daemon is a Daemon for tests.
type daemon struct {
	cleared []api.Clear
	reloads int
	err     error
}

func (d *daemon) Status() (*show.Status, error) {
	if d.err != nil {
		return nil, d.err
	}
	s := &show.Status{
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Hostname: "box", Version: "nave 0.1", Running: "hostname box\nend\n",
		Interfaces: map[string]show.Configured{"Tunnel0": {}, "Tunnel1": {}, "Ethernet0": {}},
		Router: slowpath.Status{
			Interfaces: []rib.Interface{{Name: "Ethernet0", Up: true, Port: 1}, {Name: "Tunnel0", Up: true, Tunnel: &rib.Tunnel{ID: 1}}, {Name: "Tunnel1", Tunnel: &rib.Tunnel{ID: 2}}},
			Routes:     map[fib.VRF][]rib.Route{0: {{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Source: rib.Connected, Hops: []rib.NextHop{{Iface: "Tunnel0"}}}}},
		},
	}
	s.Router.NHRP = nhrp.Status{
		Interfaces: []nhrp.InterfaceStatus{{Name: "Tunnel0", MaxSend: nhrp.DefaultMaxSend, NHS: []nhrp.NHSStatus{{Protocol: netip.MustParseAddr("10.0.0.1")}}}, {Name: "Tunnel1", MaxSend: nhrp.DefaultMaxSend}},
		Entries:    []nhrp.EntryStatus{{Iface: "Tunnel0", Prefix: netip.MustParsePrefix("10.0.0.9/32")}, {Iface: "Tunnel1", Prefix: netip.MustParsePrefix("10.1.0.9/32")}},
	}
	return s, nil
}
func (d *daemon) Clear(c api.Clear) error { d.cleared = append(d.cleared, c); return d.err }
func (d *daemon) Reload() error           { d.reloads++; return d.err }

func runLine(line string, asJSON bool) (string, *daemon, error) {
	d := &daemon{}
	var out strings.Builder
	err := (&Session{Daemon: d, Out: &out, JSON: asJSON}).Run(line)
	return out.String(), d, err
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
		not   string
	}{
		{[]string{"show dmvpn", "sh dm", "SHOW DMVPN", "  show   dmvpn  "}, "Tunnel1, Type: Hub", "%"},
		{[]string{"show dmvpn interface Tunnel0", "sh dm int tu0", "sh dmvpn i tunnel 0"}, "Tunnel0, Type: Hub", "Tunnel1"},
		{[]string{"show ip nhrp", "sh ip nh"}, "10.1.0.9/32 via", "%"},
		{[]string{"show ip nhrp Tunnel1", "sh ip nh tu1", "sh ip nh tunnel1"}, "10.1.0.9/32 via", "10.0.0.9"},
		{[]string{"show ip nhrp traffic", "sh ip nh tr"}, "Tunnel1: Max-send limit:100Pkts/10Sec", "%%"},
		{[]string{"show ip nhrp traffic interface Tunnel0", "sh ip nh tr int tu 0"}, "Tunnel0: Max-send", "Tunnel1"},
		{[]string{"show ip nhrp nhs", "sh ip nh nh", "sh ip nhrp nhs tu0"}, "10.0.0.1  W", "Tunnel1"},
		{[]string{"show interfaces", "sh int"}, "Ethernet0 is up, line protocol is up", "%"},
		{[]string{"show interfaces Tunnel1", "sh int tu1", "sh int Tunnel 1"}, "Tunnel1 is up, line protocol is down", "Ethernet0"},
		{[]string{"show ip route", "sh ip ro"}, "C    10.0.0.0/24 is directly connected, Tunnel0", "%"},
		{[]string{"show running-config", "sh run"}, "hostname box\nend\n", "%"},
		{[]string{"show fastpath", "sh fa"}, "Steering:", "% "},
		{[]string{"show version", "sh ver"}, "box uptime is", "%"},
	} {
		for _, l := range c.lines {
			out, _, err := runLine(l, false)
			if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, c.not) {
				t.Errorf("%s: %v\n%s\nwant %q and not %q", l, err, out, c.want, c.not)
			}
		}
	}
}

func TestShowJSON(t *testing.T) {
	for _, l := range []string{
		"sh dm", "sh dm int tu0", "sh ip nh", "sh ip nh tr", "sh ip nh nhs", "sh int", "sh int tu0", "sh ip ro", "sh run", "sh fa", "sh ver",
	} {
		out, _, err := runLine(l, true)
		if err != nil || !json.Valid([]byte(out)) {
			t.Errorf("%s --json: %v\n%s", l, err, out)
		}
	}
	if out, _, _ := runLine("sh dm int tu0", true); strings.Contains(out, "Tunnel1") {
		t.Errorf("one interface:\n%s", out)
	}
}

func TestClear(t *testing.T) {
	a := netip.MustParseAddr("1.2.3.4")
	for line, want := range map[string]api.Clear{
		"clear dmvpn session":                        {What: api.ClearSessions},
		"cle dm se":                                  {What: api.ClearSessions},
		"cle dm se pe nb 1.2.3.4":                    {What: api.ClearSessions, NBMA: a},
		"clear dmvpn session peer tunnel 1.2.3.4":    {What: api.ClearSessions, Tunnel: a},
		"cle dm se int tu 100 st":                    {What: api.ClearSessions, Iface: "Tunnel100", Static: true},
		"cle dm se pe nb 1.2.3.4 int tu0 static":     {What: api.ClearSessions, NBMA: a, Iface: "Tunnel0", Static: true},
		"clear dmvpn statistics":                     {What: api.ClearStatistics},
		"clear dmvpn statistics peer tunnel 1.2.3.4": {What: api.ClearStatistics, Tunnel: a},
		"cle dm st pe nb 1.2.3.4 interface Tunnel0":  {What: api.ClearStatistics, NBMA: a, Iface: "Tunnel0"},
		"clear ip nhrp":                              {What: api.ClearNHRP},
		"cle ip nh 1.2.3.4":                          {What: api.ClearNHRP, Tunnel: a},
	} {
		out, d, err := runLine(line, false)
		if err != nil || len(d.cleared) != 1 || d.cleared[0] != want || out != "" {
			t.Errorf("%s: %v, cleared %+v, printed %q; want %+v", line, err, d.cleared, out, want)
		}
	}
	if _, d, err := runLine("rel", false); err != nil || d.reloads != 1 {
		t.Errorf("reload: %v, %d times", err, d.reloads)
	}
}

// Each error marks where the line goes wrong and names the commands that there are.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ line, want, command string }{
		{"", "", "show dmvpn"},
		{"frobnicate", "unknown word", "clear ip nhrp"},
		{"show", "", "show ip route"},
		{"sh", "", "show ip route"},
		{"show i", "interfaces", "show interfaces"},
		{"show ip", "", "show ip nhrp"},
		{"show ip r s", "", "show ip route"},
		{"show clock", "unknown word", "show version"},
		{"show dmvpn detail please", "", "show dmvpn"},
		{"show dmvpn interface", "", "show dmvpn [interface"},
		{"show dmvpn interface Tunnel77", "there is no interface Tunnel77", ""},
		{"show interfaces tu77", "there is no interface Tunnel77", ""},
		{"show ip route vrf RED", "there is no VRF RED", ""},
		{"clear dmvpn", "", "clear dmvpn session"},
		{"clear dmvpn session peer nbma 1.2.3", "1.2.3", "clear dmvpn session"},
		{"clear dmvpn session peer nbma 1.2.3.400", "1.2.3.400", "clear dmvpn session"},
		{"clear ip nhrp everything", "everything", "clear ip nhrp"},
		{"reload now", "now", "reload"},
		{"show dmvpn\x00", "", ""},
		{strings.Repeat("show ", 4000), "", ""},
	} {
		out, d, err := runLine(c.line, false)
		if err == nil {
			t.Errorf("%.40q is no error; it printed %q", c.line, out)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.want) || c.command != "" && !strings.Contains(text, "  "+c.command) {
			t.Errorf("%.40q: %s\nwant %q and the command %q", c.line, text, c.want, c.command)
		}
		if len(d.cleared)+d.reloads != 0 || out != "" {
			t.Errorf("%.40q did something: %+v, %q", c.line, d, out)
		}
	}
}

// Only the commands that begin with what was typed are named.
func TestErrorsNameFewCommands(t *testing.T) {
	_, _, err := runLine("clear everything", false)
	if err == nil || strings.Contains(err.Error(), "show") || !strings.Contains(err.Error(), "clear dmvpn statistics") {
		t.Errorf("clear everything: %v", err)
	}
	_, _, err = runLine("show dmvpn intreface tu0", false)
	if err == nil || !strings.Contains(err.Error(), "\n  show dmvpn intreface tu0\n             ^\n") {
		t.Errorf("the mark stands wrong:\n%v", err)
	}
}

func TestDaemonErrors(t *testing.T) {
	d := &daemon{err: errors.New("no naved answers")}
	s := &Session{Daemon: d, Out: &strings.Builder{}}
	for _, l := range []string{"show dmvpn", "show interfaces", "show ip route", "clear ip nhrp", "reload"} {
		if err := s.Run(l); !errors.Is(err, d.err) {
			t.Errorf("%s: %v", l, err)
		}
	}
}

// Every command of the table has a help text, and runs when typed in full.
func TestTable(t *testing.T) {
	for _, c := range table.Commands {
		if c.Help == "" {
			t.Errorf("%s has no help", c.Syntax)
		}
		line := c.Syntax
		if at := strings.Index(line, "["); at >= 0 {
			line = line[:at]
		}
		if _, _, err := runLine(line, false); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
