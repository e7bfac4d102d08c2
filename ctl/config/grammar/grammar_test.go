package grammar

import (
	"slices"
	"strings"
	"testing"
)

func set(syntaxes ...string) *Set {
	var commands []*Command
	for _, s := range syntaxes {
		commands = append(commands, &Command{Syntax: s, Help: "does " + s})
	}
	return New(commands, map[string]string{"ip": "internet", "tunnel": "tunnels", "<bytes>": "length"})
}

var table = set(
	"ip mtu ~ <bytes:68-1500>",
	"ip nhrp map <protocol:ip> [<mask:mask>] <nbma:ip>",
	"ip nhrp map multicast dynamic",
	"ip nhrp holdtime ~ <seconds:1-65535>",
	"ip nhrp authentication ~ <string:secret>",
	"ip address <address:ip> <mask:mask> [secondary]",
	"tunnel source ~ {<address:ip>|<interface:interface>}",
	"tunnel mode gre {ip|multipoint}",
	"tunnel mode ipsec",
	"description ~ <text:line>",
	"key-string ~ [{0|7}] <key:line>",
	"match address <acl>...",
	"match address prefix-list <list>...",
	"nhs <nhs:ip> ~ [{priority <priority:0-255>|cluster <cluster:0-10>}...]",
	"shutdown",
	"neighbor {<neighbor:ip>|<group:name>} remote-as <as:asn>",
	"rd <rd:rd>",
	"prefix <prefix:prefix>",
	"network <address:ip> [<wildcard:wildcard>]",
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		line, canonical string
		no, abbreviated bool
	}{
		{line: "ip mtu 1400", canonical: "ip mtu 1400"},
		{line: "  ip\tmtu   1400  ", canonical: "ip mtu 1400"},
		{line: "IP MTU 1400", canonical: "ip mtu 1400"},
		{line: "ip mt 01400", canonical: "ip mtu 1400", abbreviated: true},
		{line: "ip mtu 1400 ! as ever", canonical: "ip mtu 1400"},
		{line: "ip mtu 1400!as ever", canonical: "ip mtu 1400"},
		{line: "shutdown!", canonical: "shutdown"},
		{line: "ip mtu", no: true, canonical: "ip mtu"},
		{line: "ip mtu 1400", no: true, canonical: "ip mtu 1400"},
		{line: "ip nhrp map 10.0.0.1 192.0.2.1", canonical: "ip nhrp map 10.0.0.1 192.0.2.1"},
		{line: "ip nhrp map 10.0.0.0 255.255.255.0 192.0.2.1", canonical: "ip nhrp map 10.0.0.0 255.255.255.0 192.0.2.1"},
		{line: "ip nhrp map m d", canonical: "ip nhrp map multicast dynamic", abbreviated: true},
		{line: "ip nhrp au BLUE!KEY", canonical: "ip nhrp authentication BLUE!KEY", abbreviated: true},
		{line: "ip nhrp authentication !KEY", canonical: "ip nhrp authentication !KEY"},
		{line: "ip ad 10.0.0.1 255.255.255.0 sec", canonical: "ip address 10.0.0.1 255.255.255.0 secondary", abbreviated: true},
		{line: "tunnel source 10.0.0.1", canonical: "tunnel source 10.0.0.1"},
		{line: "tunnel source e0/0", canonical: "tunnel source Ethernet0/0"},
		{line: "tunnel source loopback 3", canonical: "tunnel source Loopback3"},
		{line: "tunnel mode i", canonical: "tunnel mode ipsec", abbreviated: true},
		{line: "tu m g m", canonical: "tunnel mode gre multipoint", abbreviated: true},
		{line: "description a  b ! c ", canonical: "description a  b ! c"},
		{line: "key-string 7 abc", canonical: "key-string 7 abc"},
		{line: "key-string 7", canonical: "key-string 7"},
		{line: "key-string my key", canonical: "key-string my key"},
		{line: "match address p", canonical: "match address p"},
		{line: "match address a prefix-list", canonical: "match address a prefix-list"},
		{line: "match address prefix-list x y", canonical: "match address prefix-list x y"},
		{line: "nhs 10.0.0.1 cluster 2 priority 7", canonical: "nhs 10.0.0.1 cluster 2 priority 7"},
		{line: "nhs 10.0.0.1", no: true, canonical: "nhs 10.0.0.1"},
		{line: "neighbor 10.0.0.1 remote-as 1.1", canonical: "neighbor 10.0.0.1 remote-as 65537"},
		{line: "neighbor spokes remote-as 65000", canonical: "neighbor spokes remote-as 65000"},
		{line: "rd 10.0.0.1:5", canonical: "rd 10.0.0.1:5"},
		{line: "rd 1.0:5", canonical: "rd 65536:5"},
		{line: "prefix 10.0.0.0/8", canonical: "prefix 10.0.0.0/8"},
		{line: "network 10.0.0.0 0.0.3.255", canonical: "network 10.0.0.0 0.0.3.255"},
	} {
		m, err := table.Match(tc.line, tc.no)
		if err != nil {
			t.Errorf("%q: %v", tc.line, err)
			continue
		}
		if m.Canonical != tc.canonical || m.Exact == tc.abbreviated {
			t.Errorf("%q: %q, exact %v; want %q", tc.line, m.Canonical, m.Exact, tc.canonical)
		}
	}
}

func TestMismatch(t *testing.T) {
	for _, tc := range []struct {
		line   string
		no     bool
		kind   ErrorKind
		column int
		text   string
	}{
		{line: "ip mtu 67", kind: BadValue, column: 8, text: `"67" is not a number from 68 to 1500`},
		{line: "ip mtu 1501", kind: BadValue, column: 8, text: "1500"},
		{line: "ip mtu abc", kind: BadValue, column: 8},
		{line: "ip mtu 99999999999999999999999", kind: BadValue, column: 8},
		{line: "ip mtu", kind: Incomplete, column: 7},
		{line: "ip mtu ! 1400", kind: Incomplete, column: 14},
		{line: "ip n", kind: Incomplete, column: 5},
		{line: "ip nhrp map", no: true, kind: Incomplete, column: 12},
		{line: "tunnel mode", kind: Incomplete, column: 12},
		{line: "ipp mtu 1400", kind: Unknown, column: 1, text: `unknown word "ipp"`},
		{line: "ip mtoo 1400", kind: Unknown, column: 4},
		{line: "ip mtu 1400 1500", kind: TrailingText, column: 13, text: "unexpected"},
		{line: "shutdown now", kind: TrailingText, column: 10},
		{line: "tunnel source e0/0/0/0", kind: BadValue, column: 15},
		{line: "tunnel source 10.0.0.256", kind: BadValue, column: 15},
		{line: "ip address 10.0.0.1 255.0.255.0", kind: BadValue, column: 21},
		{line: "neighbor 10.0.0.300 remote-as 1", kind: BadValue, column: 10},
		{line: "neighbor x remote-as 0", kind: BadValue, column: 22},
		{line: "neighbor x remote-as 4294967296", kind: BadValue, column: 22},
		{line: "rd 70000:70000", kind: BadValue, column: 4},
		{line: "nhs 10.0.0.1 priority 1 priority 2", kind: Unknown, column: 25},
		{line: "ip mtu 14\x0000", kind: NotText, column: 10},
		{line: "description \xff", kind: NotText, column: 13},
		{line: strings.Repeat("x", MaxLine+1), kind: NotText, column: MaxLine + 1},
		{line: "key", kind: Incomplete, column: 4},
		{line: "", kind: Incomplete, column: 1},
	} {
		m, err := table.Match(tc.line, tc.no)
		if err == nil {
			t.Errorf("%q: understood as %q", tc.line, m.Canonical)
			continue
		}
		if err.Kind != tc.kind || err.Column != tc.column || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%q: kind %d column %d %q; want kind %d column %d", tc.line, err.Kind, err.Column, err.Error(), tc.kind, tc.column)
		}
	}
}

func TestAmbiguous(t *testing.T) {
	s := set("show ip route", "show ip rip", "show isakmp", "shutdown")
	for line, want := range map[string][]string{"sh": {"show", "shutdown"}, "show i": {"ip", "isakmp"}, "show ip r": {"rip", "route"}} {
		_, err := s.Match(line, false)
		if err == nil || err.Kind != Ambiguous || !slices.Equal(err.Keywords, want) {
			t.Errorf("%q: %+v; want %v", line, err, want)
		}
	}
	if m, err := s.Match("sho is", false); err != nil || m.Canonical != "show isakmp" {
		t.Errorf("%v %v", m, err)
	}
}

func TestArguments(t *testing.T) {
	m, err := table.Match("nhs 10.0.0.1 priority 7 cluster 2", false)
	if err != nil {
		t.Fatal(err)
	}
	if m.IP("nhs").String() != "10.0.0.1" || m.Uint("priority") != 7 || m.Uint("cluster") != 2 || m.Given("x") || m.Text("x") != "" {
		t.Errorf("%+v", m)
	}
	if !m.Has("priority") || m.Has("shutdown") || m.OneOf("cluster", "priority") != "priority" || m.OneOf("none") != "" {
		t.Error("keywords")
	}
	if got := m.Keywords(); !slices.Equal(got, []string{"nhs", "priority", "cluster"}) {
		t.Error(got)
	}
	m, _ = table.Match("match address a b c", false)
	if got := m.All("acl"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct {
		line string
		no   bool
		want string
		end  bool
	}{
		{line: "", want: "description ip key-string match neighbor network nhs prefix rd shutdown tunnel"},
		{line: "n", want: "neighbor network nhs"},
		{line: "ip ", want: "address mtu nhrp"},
		{line: "ip mtu ", want: "<68-1500>"},
		{line: "ip mtu 14", want: "<68-1500>"},
		{line: "ip mtu x", want: ""},
		{line: "ip mtu ", no: true, want: "<68-1500>", end: true},
		{line: "ip mtu 1400 ", want: "", end: true},
		{line: "tunnel source ", want: "A.B.C.D INTERFACE"},
		{line: "tu mo g ", want: "ip multipoint"},
		{line: "ip nhrp map ", want: "A.B.C.D multicast"},
		{line: "ip address 10.0.0.1 255.0.0.0 ", want: "secondary", end: true},
		{line: "description hello ", want: "", end: true},
		{line: "match address ", want: "WORD prefix-list"},
		{line: "network 10.0.0.0 ", want: "A.B.C.D", end: true},
	} {
		list, end, err := table.Complete(tc.line, tc.no)
		if err != nil {
			t.Errorf("%q: %v", tc.line, err)
			continue
		}
		var got []string
		for _, c := range list {
			got = append(got, c.Text)
		}
		if strings.Join(got, " ") != tc.want || end != tc.end {
			t.Errorf("%q: %v, end %v; want %s, %v", tc.line, got, end, tc.want, tc.end)
		}
	}
	if _, _, err := table.Complete("bogus ", false); err == nil {
		t.Error("an unknown word was completed")
	}
	list, _, _ := table.Complete("ip m", false)
	if len(list) != 1 || list[0].Help != "does ip mtu ~ <bytes:68-1500>" {
		t.Errorf("%+v", list)
	}
	if list, _, _ = table.Complete("i", false); list[0].Help != "internet" {
		t.Errorf("%+v", list)
	}
	if list, _, _ = table.Complete("ip mtu ", false); list[0].Help != "length" || !list[0].Argument {
		t.Errorf("%+v", list)
	}
}

func TestInterfaceName(t *testing.T) {
	for word, want := range map[string]string{
		"Tunnel0": "Tunnel0", "tu0": "Tunnel0", "TUNNEL2147483647": "Tunnel2147483647", "tunnel2147483648": "",
		"e0/0": "Ethernet0/0", "Ethernet0": "Ethernet0", "eth1/2/3": "Ethernet1/2/3", "e1/2/3/4": "", "e0/256": "",
		"gi0/1.10": "GigabitEthernet0/1.10", "gi0/1.0": "", "gi0/1.4294967295": "GigabitEthernet0/1.4294967295", "gi0/1.4294967296": "",
		"lo0": "Loopback0", "l0": "Loopback0", "lo0.1": "", "lo0/1": "", "null0": "Null0", "null1": "", "f0/1": "", "fa0/1": "FastEthernet0/1",
		"fo1/0": "FortyGigabitEthernet1/0", "te1/1": "TenGigabitEthernet1/1", "t0": "", "": "", "0": "", "eth": "", "e0/": "", "e/0": "",
		"e00/01": "Ethernet0/1", "xe0": "", "e0 0": "",
	} {
		got, ok := InterfaceName(word)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v; want %q", word, got, ok, want)
		}
	}
}

func TestCompareInterfaces(t *testing.T) {
	want := []string{"Loopback0", "Loopback10", "Tunnel2", "Tunnel10", "Ethernet0", "Ethernet0.5", "Ethernet0/0", "Ethernet0/0.2", "Ethernet0/0.10", "Ethernet0/1", "Ethernet1/0", "GigabitEthernet0/0"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareInterfaces)
	for i := range want {
		for j := range want {
			c := CompareInterfaces(want[i], want[j])
			if i == j && c != 0 || c != 0 && c > 0 != (CompareInterfaces(want[j], want[i]) < 0) {
				t.Errorf("%s and %s: %d", want[i], want[j], c)
			}
		}
	}
	if got[0] != "Loopback0" || got[2] != "Tunnel2" || got[len(got)-1] != "GigabitEthernet0/0" {
		t.Error(got)
	}
}

func TestMaskBits(t *testing.T) {
	for text, want := range map[string]int{"0.0.0.0": 0, "128.0.0.0": 1, "255.255.255.252": 30, "255.255.255.255": 32, "255.0.255.0": -1, "0.0.0.255": -1, "1": -1, "::": -1} {
		got, ok := MaskBits(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"holdtime", "network-id", "authentication", "map", "nhs", "redirect", "registration", "shortcut"}
	for word, want := range map[string]string{"holdtme": "holdtime", "hodltime": "holdtime", "netwrok-id": "network-id", "auth": "authentication", "redirects": "redirect", "zzz": "", "short": "shortcut"} {
		if got := strings.Join(Nearest(word, words, 1), ""); got != want {
			t.Errorf("%s: %q; want %q", word, got, want)
		}
	}
}

func TestMalformedSyntaxPanics(t *testing.T) {
	for _, s := range []string{"a [b", "a {b|c", "a <b", "a <b:nonsense>", "a <b:9-1>", "a <>", "a ] b", "a [b ~ c]"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was accepted", s)
				}
			}()
			set(s)
		}()
	}
}

// TestTruncated reads every beginning of some lines: none may panic, and whatever is understood prints canonically.
func TestTruncated(t *testing.T) {
	for _, line := range []string{"ip nhrp map 10.0.0.0 255.255.255.0 192.0.2.1", "tunnel source GigabitEthernet 0/1.20", "neighbor 10.0.0.1 remote-as 65000", "nhs 10.0.0.1 priority 1 cluster 2"} {
		for i := range len(line) + 1 {
			checkLine(t, line[:i])
		}
	}
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	for _, no := range []bool{false, true} {
		m, err := table.Match(line, no)
		if err != nil {
			if err.Error() == "" || err.Column < 1 {
				t.Fatalf("%q: %+v", line, err)
			}
			continue
		}
		again, err := table.Match(m.Canonical, no)
		if err != nil || again.Canonical != m.Canonical {
			t.Fatalf("%q: canonical %q is not: %v", line, m.Canonical, err)
		}
	}
	if list, _, err := table.Complete(line, false); err == nil {
		for _, c := range list {
			if c.Text == "" {
				t.Fatalf("%q: empty completion", line)
			}
		}
	}
}

// FuzzMatch reads any line: no panic, and the canonical form of what matches is its own.
func FuzzMatch(f *testing.F) {
	for _, c := range table.Commands {
		f.Add(c.Syntax)
	}
	f.Add("ip nhrp authentication BLUE!KEY")
	f.Add("tunnel source e 0/0 ! x")
	f.Add("key-string 7!x y")
	f.Fuzz(func(t *testing.T, line string) { checkLine(t, line) })
}
