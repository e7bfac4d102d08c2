package config

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keysText has every kind of key.
const keysText = `hostname keys
enable secret 0 7up
username ann password 0 annspw
snmp-server community publicpw RO
snmp-server host 10.0.0.9 version 2c trappw
crypto keyring ring
 pre-shared-key address 10.9.0.0 255.255.0.0 key ringpw
crypto isakmp key isapw address 10.8.0.0 255.255.0.0
crypto isakmp key hostpw hostname far.example
crypto ikev2 keyring two
 peer one
  address 10.7.0.1
  pre-shared-key local ownpw
  pre-shared-key remote farpw
 peer other
  address 10.7.0.2
  pre-shared-key bothpw
key chain K
 key 1
  key-string chain pw
 key 2
  key-string 0 7 pw
interface Tunnel0
 ip nhrp authentication nhrppw
 tunnel source Ethernet0
interface Ethernet0
 ip address 10.0.0.1 255.255.255.0
router eigrp X
 address-family ipv4 unicast autonomous-system 1
  af-interface Tunnel0
   authentication mode hmac-sha-256 eigrppw
router bgp 1
 neighbor 10.0.0.2 remote-as 2
 neighbor 10.0.0.2 password bgppw
 address-family ipv4 vrf red
  neighbor 10.0.1.2 remote-as 3
  neighbor 10.0.1.2 password vrfpw
mpls ldp neighbor 10.0.0.3 password ldppw
line vty 0 4
 password 0 vtypw
`

// ofAll runs f with each configuration of the tests and of the labs.
func ofAll(t *testing.T, f func(t *testing.T, c *Config)) {
	t.Helper()
	texts := map[string]string{"hub": hubText, "spoke": spokeText, "keys": keysText}
	files, err := filepath.Glob(filepath.Join("..", "..", "testbed", "labs", "configs", "*", "*.cfg"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d configurations of labs, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("@")) { // templates have places to fill
			texts[file] = string(b)
		}
	}
	for name, text := range texts {
		c, diags := Parse(name, []byte(text))
		if diags.HasErrors() {
			t.Fatalf("%s: %v", name, diags.Err())
		}
		t.Run(filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name), func(t *testing.T) { f(t, c) })
	}
}

func TestOutline(t *testing.T) {
	ofAll(t, func(t *testing.T, c *Config) {
		parts := c.Outline()
		again, diags := Parse("outline", []byte(Text(parts, false)))
		if diags.HasErrors() || !again.Equal(c) {
			t.Errorf("the outline does not parse back: %v\n%s", diags.Err(), DiffText(c, again))
		}
		if d := DiffText(c, c.Clone()); d != "" {
			t.Errorf("a configuration differs from itself:\n%s", d)
		}
		printed := fmt.Sprintf("%v %+v %#v %s", parts, parts, parts, Text(parts, true))
		for _, key := range []string{"annspw", "publicpw", "trappw", "ringpw", "isapw", "hostpw", "ownpw", "farpw", "bothpw", "chain pw", "7 pw", "7up", "nhrppw", "eigrppw", "bgppw", "vrfpw", "ldppw", "vtypw"} {
			if strings.Contains(printed, key) || strings.Contains(c.Masked(), key) {
				t.Errorf("%s is shown", key)
			}
		}
	})
}

// What is shown, pasted back, changes nothing: keys that are masked stay as they are.
func TestMaskedPaste(t *testing.T) {
	ofAll(t, func(t *testing.T, c *Config) {
		again, diags := c.Apply("paste", []byte(c.Masked()))
		if diags.HasErrors() || !again.Equal(c) {
			t.Errorf("%v\n%s", diags.Err(), DiffText(c, again))
		}
	})
}

func TestMaskedKeyRefused(t *testing.T) {
	c := mustParse(t, keysText)
	keys := strings.Count(c.Masked(), masked)
	_, diags := Parse("file", []byte(c.Masked()))
	refused := 0
	for _, d := range diags {
		if d.Severity == Error {
			if d.Code != CodeMaskedKey || strings.Contains(d.String(), "pw") || d.Action == "" {
				t.Errorf("%v", d)
			}
			refused++
		}
	}
	if refused != keys-4 { // of a user, a community, a host and a line they are kept as text
		t.Errorf("%d of %d keys refused", refused, keys)
	}
	for _, tc := range []struct {
		path []string
		line string
		key  string // that comes of it; "": refused
	}{
		{[]string{"interface Tunnel0"}, "ip nhrp authentication ******", "nhrppw"},
		{[]string{"interface Tunnel9"}, "ip nhrp authentication ******", ""},
		{nil, "crypto isakmp key ****** address 10.8.0.0 255.255.0.0", "isapw"},
		{nil, "crypto isakmp key ****** address 10.8.1.0 255.255.255.0", ""},
		{nil, "enable secret ******", "7up"},
		{nil, "enable secret 5 ******", ""}, // there is none that is hashed
		{[]string{"key chain K", "key 2"}, "key-string 0 ******", "7 pw"},
		{[]string{"key chain K", "key 3"}, "key-string ******", ""},
		{[]string{"router bgp 1", "address-family ipv4 vrf red"}, "neighbor 10.0.1.2 password ******", "vrfpw"},
		{[]string{"router bgp 1"}, "neighbor 10.0.1.2 password ******", ""},
	} {
		s, err := SessionAt(c, "", tc.path)
		if err != nil {
			t.Errorf("%v: %v", tc.path, err)
			continue
		}
		shown, diags := s.Read(tc.line)
		if !strings.Contains(shown, masked) {
			t.Errorf("%q is shown as %q", tc.line, shown)
		}
		if diags.HasErrors() != (tc.key == "") || tc.key != "" && !s.Config().Equal(c) {
			t.Errorf("%v %q: %v\n%s", tc.path, tc.line, diags.Err(), DiffText(c, s.Config()))
		}
	}
}

// What a session says of a line may be logged: it never has a key, whatever the line is.
func TestShownLines(t *testing.T) {
	for line, want := range map[string]string{
		"cry isa key S3cret addr 10.0.0.1":                            "crypto isakmp key ****** address 10.0.0.1",
		"no crypto isakmp key S3cret address 10.0.0.1":                "no crypto isakmp key ****** address 10.0.0.1",
		"crypto isakmp key S3cret adress 10.0.0.1":                    "crypto isakmp key ****** ...",
		"crypto isakmp key S3c ret address 10.0.0.1":                  "crypto isakmp key ****** ...",
		"crypto isamkp key S3cret address 10.0.0.1":                   "crypto ...",
		"enable secret S3cret":                                        "enable secret ******",
		"enable secret 5 S3cret":                                      "enable secret 5 ******",
		"username ann privilege 15 password 7 S3cret":                 "username ann privilege 15 password 7 ******",
		"snmp-server community S3cret RO":                             "snmp-server community ****** RO",
		"snmp-server host 10.0.0.9 traps S3cret":                      "snmp-server host 10.0.0.9 traps ******",
		"snmp-server user u g v3 auth md5 S3cret priv aes 128 S3cret": "snmp-server user u g v3 auth md5 ****** priv aes 128 ******",
		"default hostname":                                            "default hostname", "host r": "hostname r", "exit": "exit", "end": "end", "interface tu0": "interface Tunnel0", "": "",
		"mpls ldp neighbor 10.0.0.3 password S3cret": "mpls ldp neighbor 10.0.0.3 password ******",
	} {
		got, _ := NewSession(&Config{}, "").Read(line)
		if got != want || strings.Contains(got, "S3c") {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestSessionAt(t *testing.T) {
	c := mustParse(t, hubText)
	s, err := SessionAt(c, "", []string{"router bgp 1", "address-family ipv4 vrf v"})
	if err != nil || s.Mode() != "config-router-af" || strings.Join(s.Path(), "|") != "router bgp 1|address-family ipv4 vrf v" {
		t.Fatalf("%v %v", s, err)
	}
	if s.Config().BGP != nil {
		t.Error("being in a mode has changed the tree")
	}
	if diags := s.Line("exit"); diags.HasErrors() || s.Mode() != "config-router" {
		t.Errorf("%v, %s", diags, s.Mode())
	}
	for _, path := range [][]string{{"hostname x"}, {"interface Tunnel0", "hostname x"}, {"nonsense"}, {"interface Tunnel0", "interface Tunnel1"}, {""}, {"ip nat inside"}, {"crypto isakmp key x address 10.0.0.1"}} {
		if _, err := SessionAt(c, "", path); err == nil {
			t.Errorf("%q is a mode", path)
		}
	}
}

func TestDiffText(t *testing.T) {
	base := "interface Tunnel0\n ip mtu 1400\n ip nhrp authentication old\n tunnel source Ethernet0\nip route 10.0.0.0 255.0.0.0 192.0.2.1\nip route 11.0.0.0 255.0.0.0 192.0.2.1\nrouter bgp 1\n neighbor 10.0.0.2 remote-as 2\n address-family ipv4 vrf red\n  neighbor 10.0.1.2 remote-as 3\n"
	for _, tc := range []struct{ old, with, want string }{
		{"mtu 1400", "mtu 1350", " interface Tunnel0\n- ip mtu 1400\n+ ip mtu 1350\n"},
		{"authentication old", "authentication new", " interface Tunnel0\n- ip nhrp authentication ******\n+ ip nhrp authentication ****** ! another key\n"},
		{"ip route 11.0.0.0 255.0.0.0 192.0.2.1\n", "", "-ip route 11.0.0.0 255.0.0.0 192.0.2.1\n"},
		{"interface Tunnel0\n", "hostname x\ninterface Tunnel0\n", "+hostname x\n"},
		{"  neighbor 10.0.1.2 remote-as 3\n", "  neighbor 10.0.1.2 remote-as 3\n  neighbor 10.0.1.2 activate\n", " router bgp 1\n  address-family ipv4 vrf red\n+  neighbor 10.0.1.2 activate\n"},
		{"interface Tunnel0\n", "interface Loopback0\n ip address 10.0.0.1 255.255.255.255\ninterface Tunnel0\n", "+interface Loopback0\n+ ip address 10.0.0.1 255.255.255.255\n"},
	} {
		a, b := mustParse(t, base), mustParse(t, strings.Replace(base, tc.old, tc.with, 1))
		if got := DiffText(a, b); got != tc.want {
			t.Errorf("%q to %q:\n%s\nwant\n%s", tc.old, tc.with, got, tc.want)
		}
		back := DiffText(b, a)
		if n := strings.Count(back, "\n"); n != strings.Count(tc.want, "\n") {
			t.Errorf("the way back has %d lines:\n%s", n, back)
		}
	}
}

// Many lines are aligned in another way, which finds the same.
func TestAlignMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	list := func() (out []*Part) {
		seen := map[int]bool{}
		for range 60 {
			if n := rng.IntN(90); !seen[n] {
				seen[n] = true
				line := fmt.Sprintf("line %02d", n)
				out = append(out, &Part{Line: line, Shown: line})
			}
		}
		return out
	}
	for range 50 {
		a, b := list(), list()
		for _, s := range append(alignOrdered(a, b), alignUnordered(a, b)...) {
			if s.from != nil && s.to != nil && s.from.Line != s.to.Line {
				t.Fatalf("%v beside %v", s.from, s.to)
			}
		}
		count := func(steps []step) (from, to int) {
			for _, s := range steps {
				if s.from != nil {
					from++
				}
				if s.to != nil {
					to++
				}
			}
			return from, to
		}
		for _, steps := range [][]step{alignOrdered(a, b), alignUnordered(a, b), align(a, b)} {
			if x, y := count(steps); x != len(a) || y != len(b) {
				t.Fatalf("%d of %d and %d of %d lines", x, len(a), y, len(b))
			}
		}
	}
}

func TestSection(t *testing.T) {
	c := mustParse(t, "interface Tunnel1\n ip mtu 1400\ninterface Tunnel10\n ip mtu 1300\nhostname x\n")
	for words, want := range map[string]string{
		"interface Tunnel1": "interface Tunnel1\n ip mtu 1400\n!\n", "INTERFACE": "interface Tunnel1\n ip mtu 1400\n!\ninterface Tunnel10\n ip mtu 1300\n!\n", "hostname": "hostname x\n", "host": "", "router": "",
	} {
		if got := Text(Section(c.Outline(), words), true); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}
