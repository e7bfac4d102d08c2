package config

import (
	"strings"
	"testing"
)

const hardwareText = "mls rate-limit unicast ip icmp unreachable no-route 100 10\nmls mpls tunnel-recursive\nmls cef maximum-routes mpls 32\n" +
	"crypto engine mode vrf\nredundancy\n mode sso\n linecard-group 1 feature-card\n  class load-sharing\n  subslot 4/0\n  subslot 4/1\n" +
	"interface Ethernet0\n crypto engine slot 4/0 outside\n service-policy output x\n"

// Commands for hardware are understood, say that they have no effect without a profile, and are kept with their places.
func TestHardwareCommands(t *testing.T) {
	c, diags := Parse("r", []byte(hardwareText))
	got := map[int]string{}
	for _, d := range diags {
		got[d.Line] = d.Severity.String() + " " + d.Code
	}
	for line, want := range map[int]string{1: "info no-profile", 2: "info no-profile", 3: "info no-profile", 4: "info no-profile",
		5: "info no-effect", 6: "info no-effect", 7: "info no-profile", 12: "info no-profile", 13: "error refused"} {
		if got[line] != want {
			t.Errorf("line %d: %q, want %q", line, got[line], want)
		}
	}
	for _, a := range []struct {
		in, words string
		line      int
	}{{"", "mls rate-limit", 1}, {"", "crypto engine mode", 4}, {"redundancy", "linecard-group 1", 7}, {"interface Ethernet0", "crypto engine slot", 12}, {"interface Ethernet0", "service-policy", 13}} {
		if l := c.AsidesOf(a.in, a.words); len(l) != 1 || l[0].Pos.Line != a.line {
			t.Errorf("%s in %q: %v", a.words, a.in, l)
		}
	}
	if l := c.AsidesOf("", "mls rate"); len(l) != 0 {
		t.Errorf("half a word is none: %v", l)
	}
	text := strings.Join(strings.Split(hardwareText, "\n")[:12], "\n")
	c, _ = Parse("r", []byte(text))
	again, diags := Parse("printed", []byte(c.Running()))
	if diags.HasErrors() || !again.Equal(c) || len(again.Asides) != len(c.Asides) {
		t.Errorf("does not parse back: %v\n%s", diags.Err(), c.Running())
	}
	undone, _ := c.Apply("f", []byte("no mls rate-limit unicast ip icmp unreachable no-route 100 10\n"))
	if len(undone.AsidesOf("", "mls rate-limit")) != 0 || len(c.AsidesOf("", "mls rate-limit")) != 1 {
		t.Error("`no` does not undo the command, or undoes it in the old tree")
	}
}

// Free text of commands that no check looks at is not kept: there may be a password in it.
func TestAsidesKeepNoSecrets(t *testing.T) {
	c, _ := Parse("r", []byte("snmp-server community hush\nusername a password hush\ntacacs-server key hush\ncrypto isakmp xauth timeout 5\n"))
	for _, a := range c.Asides {
		if strings.Contains(a.Text, "hush") {
			t.Errorf("%q is kept", a.Text)
		}
	}
}

// A hub is found by the address that its spoke sends to, or by its tunnel address where somebody translates between them.
func TestLinks(t *testing.T) {
	parse := func(text string) *Config {
		c, _ := Parse("r", []byte(text))
		return c
	}
	hub, spoke := parse(hubText), parse(spokeText)
	l := Links([]*Config{hub, spoke})
	if len(l) != 1 || l[0].Hub != hub || l[0].Spoke != spoke || l[0].Translated {
		t.Fatalf("%+v", l)
	}
	moved := parse(strings.ReplaceAll(spokeText, l[0].NBMA.String(), "203.0.113.77"))
	l = Links([]*Config{hub, moved})
	if len(l) != 1 || l[0].Hub != hub || !l[0].Translated {
		t.Fatalf("behind translation: %+v", l)
	}
	if l = Links([]*Config{spoke}); len(l) != 0 {
		t.Errorf("a spoke alone: %+v", l)
	}
}
