package labs

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nave/testbed/topo"
)

// keyLines are the commands of a configuration that have a key.
var keyLines = regexp.MustCompile(`(?m)^.*\b(?:pre-shared-key|isakmp key|nhrp authentication|key-string|password|secret) (?:[0-9] )?(\S+)`)

// shown: all that is shown of a box to find faults by, in both forms and as JSON, has no key in it; and what is measured is there.
func shown(t *testing.T, l *topo.Lab) {
	for _, router := range []string{"hub", "spoke1"} {
		keys := keyLines.FindAllStringSubmatch(configuration(t, l, router), -1)
		if len(keys) < 2 {
			t.Fatalf("%s has the keys %q: this test looks for none", router, keys)
		}
		for _, words := range []string{"show tech-support", "--show-format modern show tech-support", "--json show tech-support", "show tech-support dmvpn"} {
			out, err := l.Nave(router, strings.Fields(words)...)
			if err != nil || !strings.Contains(out, "10.255.0.1") || !strings.Contains(out, "show crypto ipsec sa detail") {
				t.Errorf("%s on %s: %v:\n%s", words, router, err, out)
			}
			for _, k := range keys {
				if where := regexp.MustCompile(`.*(?:key|authentication|secret)\W+(?:[0-9] )?` + regexp.QuoteMeta(k[1]) + `.*`).FindString(out); where != "" {
					t.Errorf("%s on %s tells a key: %q", words, router, where)
				}
			}
		}
	}
	lines(t, l, "spoke1", strings.Fields("show arp"), []string{"198.51.100.254", "ARPA   Ethernet0", "          -  "})
	lines(t, l, "spoke1", strings.Fields("show ip interface brief"), []string{"Tunnel0                    10.255.0.11     YES NVRAM  up                    up"})
	lines(t, l, "spoke1", strings.Fields("show version"), []string{"NAVE (Linux) Gateway Software (NAVE-", "ROM: Linux-", "spoke1 uptime is ", " ports, 1 tunnel"})
	lines(t, l, "spoke1", strings.Fields("show processes cpu"), []string{" naved\n", " nave-worker-0\n"})
	comes(t, func() error { return busy(l, "spoke1") })
	cleared(t, l)
}

// busy tells whether it was measured what the processes of a box take.
func busy(l *topo.Lab, router string) error {
	out, err := l.Nave(router, "--json", "show", "processes", "memory")
	if err != nil {
		return err
	}
	var m struct {
		Total, Used uint64
		Processes   []struct {
			Name    string
			Holding uint64
		}
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return err
	}
	for _, p := range m.Processes {
		if p.Holding == 0 {
			return fmt.Errorf("%s holds no memory: %s", p.Name, out)
		}
	}
	if m.Total == 0 || m.Used == 0 || len(m.Processes) < 2 {
		return fmt.Errorf("the memory is %s", out)
	}
	return nil
}

// cleared: counters of an interface begin anew, and those of others don't; sessions that are dynamic go and come back, the one with the hub stays.
func cleared(t *testing.T, l *topo.Lab) {
	if out, err := l.Nave("spoke1", "clear", "counters", "Ethernet1"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	since := func(iface string) (cleared any, err error) {
		out, err := l.Nave("spoke1", "--json", "show", "interfaces", iface)
		if err != nil {
			return nil, err
		}
		var list []struct{ Cleared any }
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 {
			return nil, errors.Join(err, fmt.Errorf("%d interfaces in %s", len(list), out))
		}
		return list[0].Cleared, nil
	}
	for iface, want := range map[string]bool{"Ethernet1": true, "Ethernet0": false} {
		if at, err := since(iface); err != nil || (at != nil) != want {
			t.Errorf("%s is counted since %v, %v", iface, at, err)
		}
	}
	recovered(t, l) // and there is a direct path
	up := func() string {
		out, err := l.Nave("spoke1", "--json", "show", "dmvpn", "static")
		if err != nil {
			return err.Error()
		}
		since := regexp.MustCompile(`"since": "[^"]*"`).FindAllString(out, -1)
		slices.Sort(since)
		return fmt.Sprint(since)
	}
	before := up()
	if out, err := l.Nave("spoke1", "clear", "dmvpn", "session"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tries(l)
	recovered(t, l)
	if after := up(); after != before || !strings.Contains(before, "since") {
		t.Errorf("the session with the hub began again: up since %s, was since %s", after, before)
	}
}
