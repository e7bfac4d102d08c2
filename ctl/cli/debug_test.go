package cli

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"nave/ctl/debug"
)

// debugDaemon keeps what is on.
type debugDaemon struct {
	set  debug.Set
	last debug.Change
}

func (d *debugDaemon) Debugging() (debug.State, error) { return debug.State{Set: d.set, Told: 7}, nil }
func (d *debugDaemon) Debug(c debug.Change) (debug.State, error) {
	after, err := d.set.Apply(c)
	d.last = c
	d.set = after
	return debug.State{Set: after}, err
}

func TestDebugCommands(t *testing.T) {
	prefix := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	cond := func(family debug.Family, c debug.Condition) debug.Change {
		return debug.Change{Family: family, Condition: &c}
	}
	off := func(c debug.Change) debug.Change { c.Off = true; return c }
	for _, c := range []struct {
		line string
		want debug.Change
		out  string
	}{
		{"debug nhrp", debug.Change{Flags: []debug.Flag{"nhrp"}}, "NHRP protocol debugging is on\n"},
		{"deb nhrp pack", debug.Change{Flags: []debug.Flag{"nhrp packet"}}, "NHRP activity debugging is on\n"},
		{"debug nhrp extension", debug.Change{Flags: []debug.Flag{"nhrp extension"}}, "NHRP extension processing debugging is on\n"},
		{"no debug nhrp packet", off(debug.Change{Flags: []debug.Flag{"nhrp packet"}}), "NHRP activity debugging is off\n"},
		{"undebug nhrp extension", off(debug.Change{Flags: []debug.Flag{"nhrp extension"}}), "NHRP extension processing debugging is off\n"},
		{"debug dmvpn error all", debug.Change{Flags: []debug.Flag{"dmvpn error nhrp", "dmvpn error crypto", "dmvpn error tunnel", "dmvpn error socket"}}, "DMVPN NHRP error level debugging is on\n"},
		{"debug dmvpn all crypto", debug.Change{Flags: []debug.Flag{"dmvpn error crypto", "dmvpn detail crypto", "dmvpn packet crypto"}}, "DMVPN crypto packet level debugging is on\n"},
		{"debug dmvpn detail tunnel", debug.Change{Flags: []debug.Flag{"dmvpn detail tunnel"}}, "DMVPN tunnel detail level debugging is on\n"},
		{"debug crypto isakmp", debug.Change{Flags: []debug.Flag{"crypto isakmp"}}, "Crypto ISAKMP debugging is on\n"},
		{"debug crypto ikev2 error", debug.Change{Flags: []debug.Flag{"crypto ikev2 error"}}, "IKEv2 error debugging is on\n"},
		{"debug crypto ipsec", debug.Change{Flags: []debug.Flag{"crypto ipsec"}}, "Crypto IPSEC debugging is on\n"},
		{"debug crypto socket", debug.Change{Flags: []debug.Flag{"crypto socket"}}, "Crypto secure socket events debugging is on\n"},
		{"debug eigrp packets", debug.Change{Flags: []debug.Flag{"eigrp packets"}}, "HELLO, ACK"},
		{"debug eigrp packets terse", debug.Change{Flags: []debug.Flag{"eigrp packets terse"}}, "EIGRP Packet debugging (UPDATE"},
		{"debug tunnel protection", debug.Change{Flags: []debug.Flag{"tunnel protection"}}, "Tunnel Protection Debugs debugging is on\n"},
		{"debug dmvpn condition peer nbma 192.0.2.1", cond(debug.DMVPN, debug.Condition{NBMA: prefix("192.0.2.1/32")}), "DMVPN condition 1 set\n"},
		{"debug dmvpn condition peer tunnel 10.0.0.9 255.255.255.0", cond(debug.DMVPN, debug.Condition{Tunnel: prefix("10.0.0.0/24")}), "DMVPN condition 2 set\n"},
		{"debug dmvpn condition interface tunnel 0", cond(debug.DMVPN, debug.Condition{Iface: "Tunnel0"}), "DMVPN condition 3 set\n"},
		{"debug dmvpn condition vrf blue", cond(debug.DMVPN, debug.Condition{VRF: "blue"}), "DMVPN condition 4 set\n"},
		{"debug dmvpn condition unmatched", debug.Change{Family: debug.DMVPN, Unmatched: true}, "shown, too\n"},
		{"debug nhrp condition interface Tunnel1", cond(debug.NHRP, debug.Condition{Iface: "Tunnel1"}), "NHRP condition 1 set\n"},
		{"undebug nhrp condition interface Tunnel1", off(cond(debug.NHRP, debug.Condition{Iface: "Tunnel1"})), "Condition has been removed\n"},
		{"no debug dmvpn condition vrf blue", off(cond(debug.DMVPN, debug.Condition{VRF: "blue"})), "Condition has been removed\n"},
		{"no debug dmvpn condition", off(debug.Change{Family: debug.DMVPN}), "All DMVPN conditions have been removed\n"},
		{"undebug all", debug.Change{Off: true, All: true}, "All possible debugging has been turned off\n"},
		{"no debug all", debug.Change{Off: true, All: true}, "All possible debugging has been turned off\n"},
	} {
		d := debugged
		var out bytes.Buffer
		s := Session{Daemon: &daemon{}, Debugger: d, Out: &out}
		if err := s.Run(c.line); err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if !reflect.DeepEqual(d.last, c.want) {
			t.Errorf("%s: %+v, want %+v", c.line, d.last, c.want)
		}
		if !strings.Contains(out.String(), c.out) {
			t.Errorf("%s: %q, want %q", c.line, out.String(), c.out)
		}
	}
}

// debugged is what the lines of TestDebugCommands build up one after the other.
var debugged = &debugDaemon{}

func TestDebugRefused(t *testing.T) {
	for line, want := range map[string]string{
		"debug all": "", "debug dmvpn": "", "debug dmvpn error": "", "debug dmvpn condition": "", "debug nhrp condition peer 192.0.2.1": "",
		"debug dmvpn condition interface Tunnel77": "Tunnel77", "debug nhrp condition vrf green": "green", "undebug nhrp condition vrf blue": "not set",
	} {
		s := Session{Daemon: &daemon{}, Debugger: &debugDaemon{}, Out: &bytes.Buffer{}}
		if err := s.Run(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	s := Session{Daemon: &daemon{}, Out: &bytes.Buffer{}}
	for _, line := range []string{"debug nhrp", "show debugging"} {
		if err := s.Run(line); err == nil {
			t.Errorf("%s: no debugger, and no error", line)
		}
	}
}

func TestShowDebugging(t *testing.T) {
	d := &debugDaemon{set: debug.Set{Flags: []debug.Flag{"nhrp packet"}, NHRP: debug.Conditions{List: []debug.Condition{{VRF: "blue"}}}}}
	run := func(line string, asJSON bool) string {
		var out bytes.Buffer
		s := Session{Daemon: &daemon{}, Debugger: d, Out: &out, JSON: asJSON}
		if err := s.Run(line); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, line := range []string{"show debugging", "show debug", "sh deb"} {
		if got, want := run(line, false), "NHRP:\n  NHRP activity debugging is on\n\nNHRP condition 1: vrf blue\n"; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got, want := run("show debug condition", false), "NHRP condition 1: vrf blue\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var s debug.State
	if err := json.Unmarshal([]byte(run("show debugging", true)), &s); err != nil || !reflect.DeepEqual(s, debug.State{Set: d.set, Told: 7}) {
		t.Errorf("%+v, %v", s, err)
	}
}
