package config

import (
	"errors"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	const base = `hostname r
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip mtu 1400
 ip nhrp authentication topkey
 tunnel source Ethernet0
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
ip route 10.1.0.0 255.255.0.0 10.0.0.2
router bgp 1
 neighbor g peer-group
 neighbor 10.0.0.2 remote-as 2
`
	edit := func(old, with string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("%q", old)
		}
		return strings.Replace(base, old, with, 1)
	}
	for _, tc := range []struct {
		name, ours, theirs, want string // want "": a conflict
	}{
		{"nothing", base, base, base},
		{"ours alone", edit("mtu 1400", "mtu 1350"), base, edit("mtu 1400", "mtu 1350")},
		{"theirs alone", base, edit("mtu 1400", "mtu 1350"), edit("mtu 1400", "mtu 1350")},
		{"the same", edit("mtu 1400", "mtu 1350"), edit("mtu 1400", "mtu 1350"), edit("mtu 1400", "mtu 1350")},
		{"two places", edit("mtu 1400", "mtu 1350"), edit("hostname r", "hostname s"), "hostname s\n" + strings.TrimPrefix(edit("mtu 1400", "mtu 1350"), "hostname r\n")},
		{"one command twice", edit("mtu 1400", "mtu 1350"), edit("mtu 1400", "mtu 1300"), ""},
		{"one new command twice", edit(" ip mtu 1400\n", " ip mtu 1400\n bandwidth 10\n"), edit(" ip mtu 1400\n", " ip mtu 1400\n bandwidth 20\n"), ""},
		{"two commands of a mode", edit(" ip mtu 1400\n", " ip mtu 1400\n bandwidth 10\n"), edit(" ip mtu 1400\n", " ip mtu 1300\n"), edit(" ip mtu 1400\n", " ip mtu 1300\n bandwidth 10\n")},
		{"ours removes what theirs changes", edit("router bgp 1\n neighbor g peer-group\n neighbor 10.0.0.2 remote-as 2\n", ""), edit("remote-as 2\n", "remote-as 2\n neighbor 10.0.0.3 remote-as 3\n"), ""},
		{"theirs removes what ours changes", edit("remote-as 2\n", "remote-as 2\n neighbor 10.0.0.3 remote-as 3\n"), edit("router bgp 1\n neighbor g peer-group\n neighbor 10.0.0.2 remote-as 2\n", ""), ""},
		{"both remove", edit("ip route 10.1.0.0 255.255.0.0 10.0.0.2\n", ""), edit("ip route 10.1.0.0 255.255.0.0 10.0.0.2\n", ""), edit("ip route 10.1.0.0 255.255.0.0 10.0.0.2\n", "")},
		{"both add routes", edit("router bgp", "ip route 10.2.0.0 255.255.0.0 10.0.0.3\nrouter bgp"), edit("router bgp", "ip route 10.3.0.0 255.255.0.0 10.0.0.4\nrouter bgp"),
			edit("router bgp", "ip route 10.2.0.0 255.255.0.0 10.0.0.3\nip route 10.3.0.0 255.255.0.0 10.0.0.4\nrouter bgp")},
		{"a key and a new tunnel", edit("topkey", "newkey"), base + "interface Tunnel1\n tunnel source Ethernet0\n", edit("topkey", "newkey") + "interface Tunnel1\n tunnel source Ethernet0\n"},
		{"two keys", edit("topkey", "newkey"), edit("topkey", "keykey"), ""},
		{"members of a new group", edit(" neighbor g peer-group\n", " neighbor g peer-group\n neighbor h peer-group\n neighbor 10.0.0.9 peer-group h\n"), edit("remote-as 2\n", "remote-as 2\n neighbor 10.0.0.3 remote-as 3\n"),
			edit(" neighbor g peer-group\n", " neighbor g peer-group\n neighbor h peer-group\n neighbor 10.0.0.9 peer-group h\n") + " neighbor 10.0.0.3 remote-as 3\n"},
	} {
		b, ours, theirs := mustParse(t, base), mustParse(t, tc.ours), mustParse(t, tc.theirs)
		got, err := Merge(b, ours, theirs)
		if tc.want == "" {
			if !errors.Is(err, ErrConflict) || strings.Contains(err.Error(), "key") && !strings.Contains(err.Error(), masked) {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err != nil || !got.Equal(mustParse(t, tc.want)) {
			t.Errorf("%s: %v", tc.name, err)
			if err == nil {
				t.Error(DiffText(mustParse(t, tc.want), got))
			}
		}
		if !b.Equal(mustParse(t, base)) || !ours.Equal(mustParse(t, tc.ours)) || !theirs.Equal(mustParse(t, tc.theirs)) {
			t.Errorf("%s: merging has changed what was merged", tc.name)
		}
	}
}

func TestHold(t *testing.T) {
	const two = `interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Tunnel1
 tunnel source Ethernet0
 tunnel mode gre multipoint
`
	parse := func(more string) *Config { return mustParse(t, two+more) }
	held := func(c *Config) string {
		out := ""
		for _, i := range c.tunnels() {
			if i.Held != "" {
				out += i.Name + " "
			}
		}
		return strings.TrimSpace(out)
	}
	was := parse("")
	if names := was.Hold(nil); len(names) != 0 {
		t.Errorf("held: %v", names)
	}
	// A lower number that comes later waits; one that was there goes on.
	half := parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n")
	half.Hold(was)
	if held(half) != "Tunnel0" || !strings.Contains(string(half.Interface("Tunnel0").Held), "without a key") {
		t.Errorf("held: %q", held(half))
	}
	still := parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n ip mtu 1300\n")
	if still.Hold(half); held(still) != "Tunnel0" {
		t.Errorf("held: %q", held(still))
	}
	whole := parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 5\n")
	if whole.Hold(half); held(whole) != "" {
		t.Errorf("held: %q", held(whole))
	}
	// Of two that are new the first goes.
	both := parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n")
	if both.Hold(nil); held(both) != "Tunnel1" {
		t.Errorf("held: %q", held(both))
	}
	// The one that is changed to be like the other waits.
	clash := parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n")
	clash.Interface("Tunnel1").Tunnel.Key, clash.Interface("Tunnel1").Tunnel.HasKey = 5, true
	clash.Interface("Tunnel0").Tunnel.Key, clash.Interface("Tunnel0").Tunnel.HasKey = 5, true
	before := whole.Clone()
	before.Interface("Tunnel1").Tunnel.Key, before.Interface("Tunnel1").Tunnel.HasKey = 9, true
	if clash.Hold(before); held(clash) != "Tunnel1" {
		t.Errorf("held: %q", held(clash))
	}
	if c := half.Clone(); !c.Equal(half) || held(c) != "Tunnel0" {
		t.Error("a copy is not the same")
	}
	half.Interface("Tunnel0").Held = ""
	if !half.Equal(parse("interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n")) {
		t.Error("equality minds what is held")
	}
}
