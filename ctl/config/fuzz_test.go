package config

import (
	"strings"
	"testing"
)

// FuzzParse reads any bytes: no panic, positions inside the text, and what is read without an error prints and parses
// back to the same tree.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkText(t, text) })
}

var seeds = []string{
	hubText, spokeText,
	"interface tu0\r\n\tip address 10.0.0.1 255.255.255.0 ! comment\r\n!x\r\n no ip mtu\r\nexit\r\nend\r\n",
	"ip access-list extended x\n permit tcp any eq 80 host 10.0.0.1 range 1 5 established\n no 10\nroute-map a\n match ip address x p\n",
	"banner motd ^C\nhello\n^C\nline vty 0 4\n login\n password 7 0822\n",
	"router eigrp X\n address-family ipv4 autonomous-system 1\n  af-interface default\n   passive-interface\n  topology base\n   variance 2\nkey chain a\n key 1\n  key-string 7!x\n key 2\n",
	"router bgp 1\n neighbor g peer-group\n neighbor 10.0.0.1 peer-group g\n address-family ipv4 vrf r\n  neighbor 10.0.0.1 remote-as 1\n default neighbor 10.0.0.1 activate\n",
	"crypto map x 10 ipsec-isakmp\n set peer 10.0.0.1\nhostname a\nno\ndefault\n\x00\n\xff\n",
}

// parsePlaces parses and asserts that each finding has a place inside the text.
func parsePlaces(t *testing.T, text []byte) (*Config, Diagnostics) {
	t.Helper()
	c, diags := Parse("fuzz", text)
	lines := strings.Count(string(text), "\n") + 1
	for _, d := range diags {
		if d.Line < 1 || d.Line > lines || d.Column < 1 || d.Code == "" || d.Message == "" {
			t.Fatalf("finding out of place: %+v", d)
		}
	}
	return c, diags
}

func checkText(t *testing.T, text []byte) {
	t.Helper()
	c, diags := parsePlaces(t, text)
	Check(c)
	Check(c, c.Clone())
	if diags.HasErrors() {
		return
	}
	printed := c.Running()
	again, diags := Parse("printed", []byte(printed))
	if diags.HasErrors() || !again.Equal(c) {
		t.Fatalf("does not parse back: %v\n%q\n%s\nagain:\n%s", diags.Err(), text, printed, again.Running())
	}
	if !Diff(c, again).Empty() {
		t.Fatalf("equal trees differ: %+v", Diff(c, again))
	}
	checkShown(t, c)
}

// checkShown asserts that the outline of a tree is the tree, and that what is shown of it says the same when it is pasted back.
func checkShown(t *testing.T, c *Config) {
	t.Helper()
	outlined, diags := Parse("outline", []byte(Text(c.Outline(), false)))
	if diags.HasErrors() || !outlined.Equal(c) || DiffText(c, outlined) != "" {
		t.Fatalf("the outline does not parse back: %v\n%s\n%s", diags.Err(), c.Running(), DiffText(c, outlined))
	}
	pasted, diags := c.Apply("pasted", []byte(c.Masked()))
	if !diags.HasErrors() && !pasted.Equal(c) {
		t.Fatalf("what is shown is pasted back and changes:\n%s", DiffText(c, pasted))
	}
}

// TestTruncated reads every beginning of the texts; those that end with a line are printed and read again.
func TestTruncated(t *testing.T) {
	for _, s := range seeds {
		for i := range len(s) + 1 {
			if i > 0 && s[i-1] == '\n' {
				checkText(t, []byte(s[:i]))
				continue
			}
			parsePlaces(t, []byte(s[:i]))
		}
	}
}

// hubText and spokeText are a hub and a spoke of a protected network.
const hubText = `hostname lyon
crypto isakmp policy 5
 encryption aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key Wheel&Spoke address 198.51.100.0 255.255.255.0
crypto ipsec transform-set gcm esp-gcm 256
 mode transport
crypto ipsec profile wheel
 set transform-set gcm
 set pfs group14
interface Loopback0
 ip address 172.30.255.1 255.255.255.255
interface Tunnel3
 description network of the wheel
 bandwidth 5000
 ip address 172.30.3.1 255.255.255.0
 ip mtu 1400
 ip tcp adjust-mss 1360
 ip nhrp authentication W!eel
 ip nhrp map multicast dynamic
 ip nhrp network-id 303
 ip nhrp holdtime 400
 no ip split-horizon eigrp 40
 no ip next-hop-self eigrp 40
 delay 800
 tunnel source Ethernet1/0
 tunnel mode gre multipoint
 tunnel key 303
 tunnel protection ipsec profile wheel
interface Ethernet1/0
 ip address 198.51.100.1 255.255.255.0
interface Ethernet1/1
 ip address 172.31.1.1 255.255.255.0
 ip address 172.31.2.1 255.255.255.0 secondary
router eigrp 40
 network 172.30.3.0 0.0.0.255
 network 172.31.0.0 0.0.255.255
 no auto-summary
ip route 0.0.0.0 0.0.0.0 198.51.100.254 name uplink
`

const spokeText = `hostname nice
crypto isakmp policy 5
 encryption aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key Wheel&Spoke address 198.51.100.0 255.255.255.0
crypto ipsec transform-set gcm esp-gcm 256
 mode transport
crypto ipsec profile wheel
 set transform-set gcm
 set pfs group14
interface Tunnel3
 bandwidth 5000
 ip address 172.30.3.7 255.255.255.0
 ip mtu 1400
 ip tcp adjust-mss 1360
 ip nhrp authentication W!eel
 ip nhrp map 172.30.3.1 198.51.100.1
 ip nhrp map multicast 198.51.100.1
 ip nhrp nhs 172.30.3.1
 ip nhrp network-id 303
 ip nhrp holdtime 400
 delay 800
 tunnel source Ethernet1/0
 tunnel mode gre multipoint
 tunnel key 303
 tunnel protection ipsec profile wheel
interface Ethernet1/0
 ip address dhcp hostname nice
interface Ethernet1/1
 ip address 172.31.7.1 255.255.255.0
router eigrp 40
 network 172.30.3.0 0.0.0.255
 network 172.31.7.0 0.0.0.255
`
