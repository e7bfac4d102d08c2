package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// emulating is a daemon that emulates hardware.
type emulating struct {
	daemon
	t *testing.T
}

func (d *emulating) Status() (*show.Status, error) {
	d.t.Helper()
	st, err := d.daemon.Status()
	if err != nil {
		return nil, err
	}
	set, err := hwprofiles.Load("")
	if err != nil {
		d.t.Fatal(err)
	}
	p, err := set.Profile("sup720-3bxl")
	if err != nil {
		d.t.Fatal(err)
	}
	st.Hardware = &show.Hardware{
		Profile: p, Since: st.Time,
		Usage:    hwprofiles.Usage{IPv4: hwprofiles.Routes{Hardware: 7}, Rooms: []hwprofiles.Room{{Kinds: []string{"ip", "mpls"}, Width: 1, Level: hwprofiles.Level{Size: 512 << 10}}}},
		Limited:  []show.Limiter{{Case: "all ttl-failure", Rate: 10, Burst: 1, Place: "all ttl-failure", Register: true, Budget: fib.LimitTTL, Known: true}},
		Switched: []show.SwitchedTunnel{{Interface: "Tunnel0", Way: fib.ByCEF, Key: "gre.key_in_hw"}},
	}
	return st, nil
}

func runHardware(t *testing.T, line string, asJSON bool) (string, error) {
	t.Helper()
	var out strings.Builder
	s := &Session{Daemon: &emulating{t: t}, Out: &out, JSON: asJSON}
	err := s.Run(line)
	return out.String(), err
}

func TestShowHardware(t *testing.T) {
	for _, c := range []struct {
		lines      []string
		text, json string
	}{
		{[]string{"show platform hardware capacity", "sh plat hard cap", "sh pl h c"}, "Netflow Resources\n", `"rate_limit": {`},
		{[]string{"show platform hardware capacity forwarding", "sh plat hard cap for"}, "L3 Forwarding Resources\n", `"forwarding": {`},
		{[]string{"show platform hardware capacity cpu"}, "CPU Resources\n", `"cpu": {`},
		{[]string{"show platform hardware capacity crypto"}, "Crypto Module Resources: none\n", `"crypto": {`},
		{[]string{"show platform hardware capacity netflow"}, "Netflow Resources\n", `"netflow": {`},
		{[]string{"show platform hardware capacity rate-limit", "sh plat hard cap rate"}, "CPU Rate Limiters Resources\n", `"rate_limit": {`},
		{[]string{"show platform hardware capacity vlan"}, "VLAN Resources\n", `"vlan": {`},
		{[]string{"show platform hardware profile", "sh plat hard pro"}, "Hardware profile sup720-3bxl\n", `"profile": "sup720-3bxl"`},
		{[]string{"show platform software-switched", "sh plat soft"}, "Tunnel0    all      CEF  it has a tunnel key (gre.key_in_hw is no)\n", `"key": "gre.key_in_hw"`},
		{[]string{"show mls cef summary", "sh mls ce su"}, "    IPv4 unicast routes:          7\n", `"ipv4": 7`},
		{[]string{"show mls cef exception status", "sh mls cef ex st"}, "Current IPv4 FIB exception state = FALSE\n", `"exception": false`},
		{[]string{"show mls cef maximum-routes", "sh mls cef max"}, " IPv4 + MPLS         - 512k (default)\n", `"size": 524288`},
		{[]string{"show mls rate-limit", "sh mls rate"}, "TTL FAILURE   On                  10       1  Not sharing\n", `"limiter": "all ttl-failure"`},
		{[]string{"show mls rate-limit usage", "sh mls ra us"}, " Layer3 Rate Limiters:\n", `"limiter": "all ttl-failure"`},
		{[]string{"show mls netflow table-contention summary", "sh mls netf tab su"}, "TCAM Utilization ", `"effective": 230000`},
	} {
		for _, l := range c.lines {
			if out, err := runHardware(t, l, false); err != nil || !strings.Contains(out, c.text) {
				t.Errorf("%s: %v\n%s\nwant %q", l, err, out, c.text)
			}
			if out, err := runHardware(t, l, true); err != nil || !json.Valid([]byte(out)) || !strings.Contains(out, c.json) {
				t.Errorf("%s --json: %v\n%s\nwant %q", l, err, out, c.json)
			}
			if out, _, err := runLine(l, false); err != nil || !strings.HasPrefix(out, "No hardware is emulated") {
				t.Errorf("%s without hardware: %v\n%s", l, err, out)
			}
			if out, _, err := runLine(l, true); err != nil || !strings.Contains(out, `"profile": null`) {
				t.Errorf("%s --json without hardware: %v\n%s", l, err, out)
			}
		}
	}
	if out, err := runHardware(t, "show platform hardware capacity cpu", false); err != nil || strings.Contains(out, "Netflow") {
		t.Errorf("one section: %v\n%s", err, out)
	}
	for _, bad := range []string{"show platform", "show platform hardware", "show platform hardware capacity fabric", "show mls cef", "show mls netflow table-contention", "show mls rate-limit 7"} {
		if out, err := runHardware(t, bad, false); err == nil || out != "" {
			t.Errorf("%s: %v\n%s", bad, err, out)
		}
	}
	var out strings.Builder
	s := &Session{Daemon: &emulating{daemon: daemon{err: errors.New("no daemon")}, t: t}, Out: &out}
	if err := s.Run("show mls cef summary"); err == nil || err.Error() != "no daemon" {
		t.Errorf("without a daemon: %v", err)
	}
}
