package grammar

import "testing"

func TestExample(t *testing.T) {
	for syntax, want := range map[string]string{
		"hostname ~ <name>":                                   "hostname NAME",
		"a [b] {c d|e} <n:5-9>":                               "a e 5",
		"clear x {*|<neighbor:ip>|<as:asn>} [soft]":           "clear x *",
		"ip route <prefix:ip> <mask:mask> {<hop:ip>|dhcp}":    "ip route 192.0.2.1 255.255.255.0 192.0.2.1",
		"interface <interface:interface>":                     "interface Tunnel0",
		"set transform-set ~ <name>...":                       "set transform-set NAME",
		"description <text:line>":                             "description some text",
		"show vrf <vrf> <a:wildcard> <b:prefix> <c:rd> {d|e}": "show vrf blue 0.0.0.255 192.0.2.0/24 65000:1 d",
	} {
		c := &Command{Syntax: syntax}
		s := New([]*Command{c}, nil)
		got := c.Example(func(name, _ string) string { return map[string]string{"vrf": "blue"}[name] })
		if got != want {
			t.Errorf("%s: %q, want %q", syntax, got, want)
		}
		if m, err := s.Match(got, false); err != nil || m.Command != c {
			t.Errorf("%s: %q is not understood: %v", syntax, got, err)
		}
	}
}
