package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, diags := Parse("test", []byte(text))
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTree reads the hub and looks at the tree itself.
func TestTree(t *testing.T) {
	c := mustParse(t, hubText)
	i := c.Interface("Tunnel3")
	want := Tunnel{SourceInterface: "Ethernet1/0", Mode: GREMultipoint, ModeSet: true, Key: 303, HasKey: true, Protection: Protection{Profile: "wheel"}}
	if i.Tunnel != want {
		t.Errorf("tunnel %+v", i.Tunnel)
	}
	n := NHRP{NetworkID: 303, Authentication: "W!eel", HoldTime: 400 * time.Second, MulticastDynamic: true}
	if !reflect.DeepEqual(i.NHRP, n) {
		t.Errorf("NHRP %+v", i.NHRP)
	}
	if i.Address != netip.MustParsePrefix("172.30.3.1/24") || i.IPMTU != 1400 || i.AdjustMSS != 1360 || i.Bandwidth != 5000 || i.Delay != 800 || i.Description != "network of the wheel" {
		t.Errorf("%+v", i)
	}
	if e := i.EIGRP; len(e) != 1 || e[0].AS != 40 || e[0].SplitHorizon != Off || e[0].NextHopSelf != Off {
		t.Errorf("EIGRP %+v", e)
	}
	if e := c.Interface("Ethernet1/1"); len(e.Secondary) != 1 || e.Secondary[0] != netip.MustParsePrefix("172.31.2.1/24") {
		t.Errorf("%+v", e)
	}
	p := c.ISAKMP.Policies[0].Effective()
	if p.Encryption != "aes" || p.KeyBits != 256 || p.Hash != "sha256" || p.Group != 14 || p.Lifetime != 86400*time.Second {
		t.Errorf("%+v", p)
	}
	if k := c.ISAKMP.Keys[0]; k.Key.Reveal() != "Wheel&Spoke" || k.Prefix != netip.MustParsePrefix("198.51.100.0/24") {
		t.Errorf("%+v", k)
	}
	if s := c.IPsec.TransformSets[0]; s.Cipher != "esp-gcm" || s.KeyBits != 256 || s.Mode != "transport" || !s.Authenticated() {
		t.Errorf("%+v", s)
	}
	if f := c.EIGRP[0].Families[0]; f.AS != 40 || len(f.Networks) != 2 || f.Networks[1].Prefix != netip.MustParsePrefix("172.31.0.0/16") || f.AutoSummary != Off {
		t.Errorf("%+v", f)
	}
	if r := c.StaticRoutes[0]; r.Prefix.Bits() != 0 || r.NextHop.String() != "198.51.100.254" || r.Name != "uplink" {
		t.Errorf("%+v", r)
	}
	if pos := i.Lines["tunnel key"]; pos.Line != 30 || pos.Column != 2 {
		t.Errorf("place of `tunnel key`: %+v", pos)
	}
	if s := mustParse(t, spokeText).Interface("Ethernet1/0"); !s.DHCP || s.DHCPHost != "nice" {
		t.Errorf("%+v", s)
	}
}

// TestDefaults asserts what holds where nothing is configured.
func TestDefaults(t *testing.T) {
	var n NHRP
	if n.Enabled() || n.Hold() != 7200*time.Second || n.Registration() != 2400*time.Second || n.RedirectInterval() != 8*time.Second {
		t.Error("NHRP")
	}
	if packets, every := n.SendLimit(); packets != 100 || every != 10*time.Second {
		t.Error(packets, every)
	}
	n.HoldTime = 300 * time.Second
	if n.Registration() != 100*time.Second {
		t.Error(n.Registration())
	}
	p := ISAKMPPolicy{Authentication: "pre-share"}.Effective()
	if p.Encryption != "des" || p.Hash != "sha" || p.Group != 1 || p.Authentication != "pre-share" || p.Lifetime != 86400*time.Second {
		t.Errorf("%+v", p)
	}
	var tu Tunnel
	if tu.TTLOrDefault() != 255 || tu.Mode != GREPointToPoint || tu.HasSource() || tu.HasDestination() {
		t.Error("tunnel")
	}
	if Unset.Or(true) != true || Off.Or(true) || !On.Or(false) {
		t.Error("toggle")
	}
}

// TestForms gives the same configuration in different handwriting.
func TestForms(t *testing.T) {
	want := mustParse(t, "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip mtu 1400\n tunnel source Ethernet0/0\n tunnel mode gre multipoint\ninterface Ethernet0/0\n no ip redirects\n")
	for name, text := range map[string]string{
		"abbreviated":      "int tu0\nip addr 10.0.0.1 255.255.255.0\nip mtu 1400\ntun so e0/0\ntun mo gre mul\nint e0/0\nno ip redir\n",
		"indented":         "\tinterface tunnel 0\n\t\tip address 10.0.0.1 255.255.255.0\n\t\tip mtu 1400\n\t\ttunnel source eth 0/0\n tunnel mode gre multipoint\n     interface Ethernet 0/0\nno ip redirects",
		"carriage returns": "interface Tunnel0\r\n ip address 10.0.0.1 255.255.255.0\r\n ip mtu 1400\r\n tunnel source Ethernet0/0\r\n tunnel mode gre multipoint\r\nexit\r\ninterface Ethernet0/0\r\n no ip redirects\r\nend\r\n",
		"comments":         "! a\n!\ninterface Tunnel0 ! b\n ip address 10.0.0.1 255.255.255.0!c\n! d\n   ! e\n ip mtu 1400 !\n tunnel source Ethernet0/0!\n!f\n tunnel mode gre multipoint! g\ninterface Ethernet0/0\n no ip redirects!!\n",
		"changed mind":     "interface Tunnel0\n ip mtu 1300\n ip mtu 1400\n shutdown\n no shutdown\n tunnel key 5\n default tunnel key\n ip address 10.0.0.9 255.255.255.0\n ip address 10.0.0.1 255.255.255.0\n tunnel source Ethernet0/0\n tunnel mode gre multipoint\n ip nhrp map multicast dynamic\n no ip nhrp map multicast dynamic\ninterface Ethernet0/0\n no ip redirects\ninterface Loopback9\nno interface Loopback9\n",
		"out of order":     "interface Ethernet0/0\n no ip redirects\ninterface Tunnel0\n tunnel mode gre multipoint\n tunnel source Ethernet0/0\ninterface Tunnel0\n ip mtu 1400\n ip address 10.0.0.1 255.255.255.0\n",
		"byte order mark":  "\ufeffinterface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip mtu 1400\n tunnel source Ethernet0/0\n tunnel mode gre multipoint\ninterface Ethernet0/0\n no ip redirects\n",
	} {
		if got := mustParse(t, text); !got.Equal(want) {
			t.Errorf("%s:\n%s", name, got.Running())
		}
	}
}

// TestErrors asserts code, place and remedy of lines that are not understood.
func TestErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"hostnme x", "test:1:1: error: unknown command \"hostnme\" (did you mean `hostname`?)"},
		{"interface Tunnel0\n ip nhrp holdtme 300", "test:2:10: error: unknown command \"ip nhrp holdtme\" (did you mean `ip nhrp holdtime`?)"},
		{"interface Tunnel0\n tunel key 1", "test:2:2: error: unknown command \"tunel\" (did you mean `tunnel`?)"},
		{"interface Tunnel0\n ip mtu 40", "test:2:9: error: in \"ip mtu\": \"40\" is not a number from 68 to 9216"},
		{"interface Tunnel0\n ip mtu", "test:2:8: error: incomplete command \"ip mtu\" (add a number from 68 to 9216)"},
		{"interface Tunnel0\n ip t", "test:2:6: error: incomplete command \"ip tcp\" (add adjust-mss)"},
		{"interface Tunnel0\n ip r", "test:2:5: error: \"r\" is ambiguous: redirects, route-cache (write more of the word)"},
		{"interface Serial0", "test:1:11: error: in \"interface\": \"Serial0\" is not an interface"},
		{"no", "test:1:3: error: incomplete command (say what is to be undone)"},
		{"ip route 10.0.0.1 255.255.255.0 Null0", "test:1:1: error: 10.0.0.1 is not a network of mask 255.255.255.0 (did you mean 10.0.0.0?)"},
		{"interface Ethernet0\n ip address 10.0.0.0 255.255.255.0", "test:2:2: error: 10.0.0.0 with mask 255.255.255.0 is not the address of a host (give the interface a host's address)"},
		{"interface Ethernet0\n ip address 10.0.0.255 255.255.255.0", "test:2:2: error: 10.0.0.255 with mask 255.255.255.0 is not the address of a host (give the interface a host's address)"},
		{"interface Ethernet0\n tunnel key 1", "test:2:2: error: `tunnel` commands belong on a tunnel interface, not on Ethernet0 (move the line under `interface Tunnel0`)"},
		{"\nbanner motd #\nhello", "test:3:1: error: the banner has no end (close it with its first character)"},
		{"hostname a\x01b", "test:1:11: error: control character in the line"},
		{"crypto isakmp key S3cret adress 10.0.0.1", "test:1:26: error: unknown command \"crypto isakmp key ****** adress\" (did you mean `crypto isakmp key ****** address`?)"},
		{"crypto isakmp key S3cret", "test:1:25: error: incomplete command \"crypto isakmp key ******\" (add address or hostname)"},
		{"interface Tunnel0\n ip nhrp authentication S3 cret", "test:2:28: error: in \"ip nhrp authentication ******\": unexpected \"******\" after a complete command"},
		{"fastpath cpu 3-1", "test:1:1: error: \"3-1\" is no list of CPUs (write numbers and ranges: 1,3-5)"},
		{"fastpath cpu 0-64", "test:1:1: error: 65 CPUs, and each is to have a worker (name 64 at most)"},
		{"fastpath ring 100", "test:1:1: error: 100 is not a power of two (take 2048 or 4096)"},
		{"ip prefix-list p permit 10.0.0.0/24 ge 20", "test:1:1: error: the lengths of 10.0.0.0/24 do not fit each other (prefix length < ge <= le)"},
		{"ip vrf a\nvrf definition a", "test:2:1: error: VRF a is already defined in the other form (use `ip vrf` or `vrf definition` for one VRF, not both)"},
		{"router bgp 1\nrouter bgp 2", "test:2:1: error: BGP already runs in another AS (there is one BGP process; remove it first with `no router bgp`)"},
		{"crypto ipsec transform-set a esp-des esp-aes", "test:1:1: error: one transform set can't have both esp-des and esp-aes (keep one of them)"},
		{"crypto ipsec transform-set a esp-gcm esp-sha-hmac", "test:1:1: error: esp-gcm authenticates by itself (leave esp-sha-hmac out)"},
		{"ip access-list extended a\n permit tcp any eq 70000 any", "test:2:2: error: \"70000\" is no port (write a number from 0 to 65535 or a name such as isakmp)"},
	} {
		_, diags := Parse("test", []byte(tc.text))
		remove((*[]Diagnostic)(&diags), func(d Diagnostic) bool { return d.Severity == Info })
		if len(diags) != 1 || diags[0].String() != tc.want {
			t.Errorf("%q:\n%v\nwant\n%s", tc.text, diags, tc.want)
		}
	}
}

// TestModesEnd asserts that a mode ends where a line fits only one further out.
func TestModesEnd(t *testing.T) {
	c := mustParse(t, `key chain a
key 1
key-string one
key 2
key-string two
key chain b
key 1
router bgp 7
neighbor 10.0.0.1 remote-as 7
address-family ipv4 vrf r
neighbor 10.9.0.1 remote-as 8
exit-address-family
address-family vpnv4
neighbor 10.0.0.1 activate
bgp router-id 1.1.1.1
neighbor 10.0.0.2 remote-as 7
interface Tunnel0
mpls ip
ip vrf r
ip route 10.0.0.0 255.0.0.0 Null0
line vty 0 4
login
exit
hostname last
`)
	if len(c.KeyChains) != 2 || len(c.KeyChains[0].Keys) != 2 || c.KeyChains[0].Keys[1].String != "two" || len(c.KeyChains[1].Keys) != 1 {
		t.Errorf("key chains:\n%s", c.Running())
	}
	if b := c.BGP; len(b.Neighbors) != 2 || b.RouterID.String() != "1.1.1.1" || len(b.Family("ipv4", "r").Neighbors) != 1 {
		t.Errorf("BGP:\n%s", c.Running())
	}
	if !c.Interface("Tunnel0").MPLS.IP || c.VRF("r") == nil || len(c.StaticRoutes) != 1 || c.Hostname != "last" {
		t.Errorf("%s", c.Running())
	}
}

// TestOnceEach asserts that a command without effect is told once, and kept.
func TestOnceEach(t *testing.T) {
	c, diags := Parse("test", []byte("ip cef\ninterface Ethernet0\n no ip proxy-arp\ninterface Ethernet1\n no ip proxy-arp\nip cef\nline con 0\n login\nline vty 0 4\n login\nno ip cef\n"))
	var got []string
	for _, d := range diags {
		got = append(got, fmt.Sprintf("%d:%s:%s", d.Line, d.Severity, d.Code))
	}
	if want := "1:info:no-effect 3:info:no-effect 7:info:no-effect 8:info:no-effect 9:info:no-effect"; strings.Join(got, " ") != want {
		t.Errorf("%s", strings.Join(got, " "))
	}
	if !strings.Contains(c.Running(), "\nno ip cef\n") || strings.Contains(c.Running(), "\nip cef\n") || !strings.Contains(c.Running(), "interface Ethernet1\n no ip proxy-arp\n") {
		t.Error(c.Running())
	}
}

// TestBanner asserts that a banner's text is no configuration.
func TestBanner(t *testing.T) {
	for _, b := range []string{"banner motd #\nhostname wrong\n#\n", "banner login ^C\n hostname wrong ^C\n", "banner exec #hostname wrong#\n", "banner motd é\nhostname wrong\né\n"} {
		c := mustParse(t, b+"hostname right\n")
		if c.Hostname != "right" || len(c.Ignored) != 0 {
			t.Errorf("%q: %s", b, c.Running())
		}
	}
}

// TestAddressRemoved asserts that changing the VRF takes the addresses away and says so.
func TestAddressRemoved(t *testing.T) {
	c, diags := Parse("test", []byte("ip vrf red\ninterface Ethernet0\n ip address 10.0.0.1 255.255.255.0\n ip vrf forwarding red\n"))
	if c.Interface("Ethernet0").Address.IsValid() || len(diags) != 1 || diags[0].Code != "address-removed" || diags[0].Severity != Warning || diags[0].Line != 4 {
		t.Errorf("%v\n%s", diags, c.Running())
	}
	c, diags = c.Apply("more", []byte("interface Ethernet0\n ip address 10.0.0.1 255.255.255.0\nno ip vrf red\n"))
	if c.Interface("Ethernet0").VRF != "" || c.Interface("Ethernet0").Address.IsValid() || len(diags) != 1 {
		t.Errorf("%v\n%s", diags, c.Running())
	}
	// The newer form, in a session; static routes go with their VRF, and a file that has the VRF before the address has both.
	s := NewSession(mustParse(t, "vrf definition red\n rd 1:1\n address-family ipv4\n  route-target both 1:1\nip vrf blue\ninterface Ethernet0\n vrf forwarding red\n ip address 10.0.0.1 255.255.255.0\n"+
		"interface Ethernet1\n ip vrf forwarding blue\n ip address dhcp\nip route vrf red 10.9.0.0 255.255.0.0 10.0.0.9\nip route vrf blue 10.9.0.0 255.255.0.0 dhcp\n"), "tty")
	if i := s.Config().Interface("Ethernet0"); i.VRF != "red" || !i.Address.IsValid() || len(s.Config().VRF("red").Import) != 1 {
		t.Errorf("%s", s.Config().Running())
	}
	for line, want := range map[string]string{"no vrf definition red": "Ethernet0", "no ip vrf blue": "Ethernet1"} {
		diags := s.Line(line)
		if i := s.Config().Interface(want); len(diags) != 1 || diags[0].Code != "address-removed" || !strings.Contains(diags[0].Message, want) || i.VRF != "" || i.hasAddress() {
			t.Errorf("%s: %v\n%s", line, diags, s.Config().Running())
		}
	}
	if got := s.Config().StaticRoutes; len(got) != 0 {
		t.Errorf("routes of VRFs that are gone: %v", got)
	}
}

// TestSecretsAreMasked greps everything that formats the tree for its keys.
func TestSecretsAreMasked(t *testing.T) {
	c := mustParse(t, `enable secret Xsecret1
username bob password Xsecret2
crypto isakmp key Xsecret3 address 192.0.2.1
crypto ikev2 keyring k
 peer p
  pre-shared-key local Xsecret4
  pre-shared-key remote Xsecret5
key chain c
 key 1
  key-string Xsecret6
interface Tunnel0
 ip nhrp authentication Xsecret7
router bgp 1
 neighbor 10.0.0.1 remote-as 1
 neighbor 10.0.0.1 password Xsecret8
snmp-server community Xsecret9 ro
line vty 0 4
 password 7 Xsecret10
`)
	var b strings.Builder
	if err := c.Write(&b, true); err != nil {
		t.Fatal(err)
	}
	all := b.String() + fmt.Sprintf("%v %+v %#v %s", c.ISAKMP.Keys, c.IKEv2.Keyrings[0].Peers[0], c.KeyChains[0].Keys[0], c.Interface("Tunnel0").NHRP.Authentication)
	if i := strings.Index(all, "Xsecret"); i >= 0 {
		t.Errorf("%s", all[max(0, i-60):i+20])
	}
	if n := strings.Count(c.Running(), "Xsecret"); n != 10 {
		t.Errorf("%d of 10 keys in the running configuration", n)
	}
	if v, _ := c.Enable.MarshalText(); string(v) != masked || c.Enable.LogValue().String() != masked {
		t.Error("MarshalText, LogValue")
	}
}
