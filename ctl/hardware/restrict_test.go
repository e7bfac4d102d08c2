package hardware

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nave/ctl/config"
	"nave/hwprofiles"
)

const everything = "mls cef maximum-routes ip 900\nmls cef maximum-routes ipv6 900\nip vrf out\ninterface Loopback0\n ip address 192.0.2.3 255.255.255.255\n" +
	"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n ip nhrp redirect\n ip nhrp shortcut\n ip tcp adjust-mss 1360\n" +
	" tunnel source Loopback0\n tunnel mode gre multipoint\n tunnel path-mtu-discovery\n" +
	"interface Tunnel1\n ip address 10.0.1.1 255.255.255.0\n ip nhrp network-id 2\n tunnel source Loopback0\n tunnel mode gre multipoint\n tunnel vrf out\n" +
	"interface Tunnel2\n ip address 10.0.2.1 255.255.255.0\n ip tcp adjust-mss 1360\n tunnel source Loopback0\n tunnel destination 192.0.2.9\n tunnel vrf out\n tunnel path-mtu-discovery\n"

func profile(t testing.TB, name string) *hwprofiles.Profile {
	t.Helper()
	p, err := profiles(t).Profile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRestrict(t *testing.T) {
	for _, tc := range []struct {
		profile string
		found   []string
		down    []string
	}{
		{"sup720-3bxl", []string{" mls cef maximum-routes refused fib.units72", "Tunnel0 ip nhrp shortcut refused phase3", "Tunnel0 ip nhrp redirect refused phase3",
			"Tunnel0 ip tcp adjust-mss no effect mgre.adjust_mss", "Tunnel0 tunnel path-mtu-discovery no effect mgre.path_mtu_discovery",
			"Tunnel1 tunnel vrf refused mgre.tunnel_vrf"}, []string{"Tunnel1"}},
		{"sup2", []string{"Tunnel0 tunnel mode gre multipoint refused dmvpn.supported", "Tunnel1 tunnel mode gre multipoint refused dmvpn.supported"}, []string{"Tunnel0", "Tunnel1"}},
	} {
		tree, before := parse(everything)[0], parse(everything)[0]
		p := profile(t, tc.profile)
		less, list := Restrict(tree, p)
		var found, down []string
		for _, r := range list {
			effect := map[bool]string{true: refused, false: noEffect}[r.Refused]
			found = append(found, fmt.Sprintf("%s %s %s %s", r.Interface, r.Command, effect, r.Key))
			if r.Down != "" {
				down = append(down, r.Interface)
			}
			if p.Text(r.Key) == "" && r.Key != "" {
				t.Errorf("%s: the profile says nothing of %s", tc.profile, r.Key)
			}
		}
		if !slices.Equal(found, tc.found) || !slices.Equal(down, tc.down) {
			t.Errorf("%s: %q, down %q", tc.profile, found, down)
		}
		if !reflect.DeepEqual(tree, before) {
			t.Errorf("%s: the configuration was changed", tc.profile)
		}
		for n, i := range less.Interfaces {
			if want := slices.Contains(tc.down, i.Name); i.Shutdown != want {
				t.Errorf("%s: %s is shut down: %v", tc.profile, i.Name, i.Shutdown)
			}
			if (i.Name == "Loopback0" || i.Name == "Tunnel2") && i != tree.Interfaces[n] {
				t.Errorf("%s: %s, of which nothing is restricted, was copied", tc.profile, i.Name)
			}
		}
		// What is left, the check finds nothing against.
		for _, d := range Findings(p, less) {
			if slices.Contains([]string{"hw-phase3", "hw-adjust-mss", "hw-path-mtu"}, d.Code) {
				t.Errorf("%s: still there: %s", tc.profile, d)
			}
		}
	}
	tree := parse(everything)[0]
	if same, list := Restrict(tree, nil); same != tree || list != nil || Findings(nil, tree) != nil {
		t.Error("without a profile something is restricted")
	}
}

// A transform set that the crypto module can't do is not offered, and a tunnel that has no other stays down; so does one without an internal VLAN.
func TestRestrictCiphers(t *testing.T) {
	const text = "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n mode transport\ncrypto ipsec transform-set DES3 esp-3des esp-sha-hmac\n mode transport\n" +
		"crypto ipsec profile BOTH\n set transform-set AES DES3\ncrypto ipsec profile NEW\n set transform-set AES\n" +
		"interface Loopback0\n ip address 192.0.2.3 255.255.255.255\n" +
		"interface Tunnel0\n tunnel source Loopback0\n tunnel destination 192.0.2.8\n tunnel protection ipsec profile BOTH\n" +
		"interface Tunnel1\n tunnel source Loopback0\n tunnel destination 192.0.2.9\n tunnel protection ipsec profile NEW\n" +
		"interface Tunnel2\n tunnel source Loopback0\n tunnel destination 192.0.2.10\n"
	few := *profile(t, "sup720-3b")
	few.GRE.VLANs.Value = 2
	for name, tc := range map[string]struct {
		profile *hwprofiles.Profile
		found   []string
		sets    []string // of BOTH
		down    []string
	}{
		"SPA":       {profile(t, "sup720-3b-spa"), nil, []string{"AES", "DES3"}, nil},
		"no module": {profile(t, "sup720-3b"), nil, []string{"AES", "DES3"}, nil},
		"VPNSM": {profile(t, "sup720-3b-vpnsm"), []string{" crypto ipsec transform-set AES crypto.ciphers", "Tunnel1 crypto ipsec transform-set AES crypto.ciphers"}, []string{"DES3"},
			[]string{"Tunnel1"}},
		"VLANs": {&few, []string{"Tunnel2 interface Tunnel2 gre.vlans"}, []string{"AES", "DES3"}, []string{"Tunnel2"}},
	} {
		tree, before := parse(text)[0], parse(text)[0]
		less, list := Restrict(tree, tc.profile)
		var found, down []string
		for _, r := range list {
			found = append(found, fmt.Sprintf("%s %s %s", r.Interface, r.Command, r.Key))
			if !r.Refused || r.Interface != "" && r.Down == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		for _, i := range less.Interfaces {
			if i.Shutdown {
				down = append(down, i.Name)
			}
		}
		if !slices.Equal(found, tc.found) || !slices.Equal(down, tc.down) || !slices.Equal(less.IPsecProfile("BOTH").TransformSets, tc.sets) {
			t.Errorf("%s: %q, down %q, sets %q", name, found, down, less.IPsecProfile("BOTH").TransformSets)
		}
		if !reflect.DeepEqual(tree, before) {
			t.Errorf("%s: the configuration was changed", name)
		}
	}
}

// What Findings says of one router is what Check says.
func TestFindings(t *testing.T) {
	set := profiles(t)
	for _, tc := range ruleCases {
		if tc.profile == "" || strings.Contains(tc.text, "---") || len(tc.text) > 4000 {
			continue
		}
		files := parse(tc.text)
		want, _, err := Check(set, tc.profile, files)
		if err != nil {
			t.Fatal(err)
		}
		if got := Findings(profile(t, tc.profile), files[0]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, not %v", tc.rule, got, want)
		}
	}
}

func TestLimiters(t *testing.T) {
	var text strings.Builder
	for _, l := range []string{"unicast ip icmp unreachable no-route 100 20", "unicast ip icmp unreachable acl-drop 500", "all ttl-failure 99999999999999999999 5", "layer2 pdu 300 10",
		"unicast cef receive 10000", "unicast cef glean 100", "unicast ip options 50 5", "multicast ipv4 connected 7 1", "all mtu-failure 10000 10", "unicast ip rpf-failure 9",
		"unicast ip features 11 1", "unicast acl input 12 1", "unicast vacl-log 13 1"} {
		text.WriteString("mls rate-limit " + l + "\n")
	}
	var got []string
	for _, l := range Limiters(parse(text.String())[0], profile(t, "sup720-3b")) {
		layer := map[bool]string{true: "L2", false: "L3"}[l.Layer2]
		over := map[bool]string{true: " over", false: ""}[l.Over]
		got = append(got, fmt.Sprintf("%s %d/%d %s-%d%s", l.Case, l.Rate, l.Burst, layer, l.Nth, over))
	}
	want := []string{"unicast ip icmp unreachable no-route 100/20 L3-1", "unicast ip icmp unreachable acl-drop 500/10 L3-1", "all ttl-failure 0/5 L3-2", "layer2 pdu 300/10 L2-1",
		"unicast cef receive 10000/10 L3-3", "unicast cef glean 100/10 L3-4", "unicast ip options 50/5 L3-5", "multicast ipv4 connected 7/1 L3-6", "all mtu-failure 10000/10 L3-7",
		"unicast ip rpf-failure 9/10 L3-1", "unicast ip features 11/1 L3-8", "unicast acl input 12/1 L3-9 over", "unicast vacl-log 13/1 L3-10 over"}
	slices.Sort(got) // the order of the lines is the tree's
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSplit(t *testing.T) {
	p := profile(t, "sup720-3bxl")
	for text, want := range map[string]map[string]int{
		"": nil, "mls cef maximum-routes ip 200\n": {"ip": 200 << 10}, "mls cef maximum-routes ip 500\nmls cef maximum-routes ipv6 100\n": {"ip": 500 << 10, "ipv6": 100 << 10},
		"mls cef maximum-routes ip 900\nmls cef maximum-routes ipv6 900\n": nil,
	} {
		if got := Split(parse(text)[0], p); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Advice that suits any router, and not this hardware.
func TestAmend(t *testing.T) {
	const set = "crypto isakmp policy 1\n encryption aes\n authentication pre-share\n group 14\ncrypto isakmp key k address 192.0.2.0 255.255.255.0\n" +
		"crypto ipsec transform-set t CIPHER\n mode transport\ncrypto ipsec profile p\n set transform-set t\n"
	const port = "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"
	const tunnel = "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n ip nhrp holdtime 400\n tunnel source Ethernet0\n tunnel mode gre multipoint\n"
	const second = "interface Tunnel1\n ip address 10.0.1.1 255.255.255.0\n ip nhrp network-id 2\n tunnel source Ethernet0\n tunnel mode gre multipoint\n"
	with := func(cipher, text string) string { return strings.Replace(set, "CIPHER", cipher, 1) + port + text }
	sealed := tunnel + " tunnel protection ipsec profile p\n"
	const hub = "sup720-3bxl-7600"
	for _, tc := range []struct{ what, profile, text, code, action string }{
		{"no ip mtu", hub, with("esp-aes esp-sha-hmac", sealed), "ip-mtu-missing", ""},
		{"no ip mtu, without a profile", "", with("esp-aes esp-sha-hmac", sealed), "ip-mtu-missing", "add `ip mtu 1400` and `ip tcp adjust-mss 1360`"},
		{"adjust-mss", hub, port + tunnel + " ip mtu 1400\n ip tcp adjust-mss 1400\n", "adjust-mss", ""},
		{"one source", hub, port + tunnel + second, "mgre-no-key", "give each another `tunnel source`"},
		{"one source and key", hub, port + tunnel + " tunnel key 7\n" + second + " tunnel key 7\n", "tunnel-duplicate", "give one of them another `tunnel source`"},
		{"DES on VPNSM", "sup720-3b-vpnsm", with("esp-des esp-sha-hmac", sealed), "weak-cipher", "use esp-3des, the strongest that the crypto module has, on all routers"},
		{"3DES on VPNSM", "sup720-3b-vpnsm", with("esp-3des esp-sha-hmac", sealed), "weak-cipher", ""},
		{"3DES on the SPA", "sup720-3b-spa", with("esp-3des esp-sha-hmac", sealed), "weak-cipher", "use esp-aes, on all routers"},
		{"3DES without a module", hub, with("esp-3des esp-sha-hmac", sealed), "weak-cipher", "use esp-aes or esp-gcm, on all routers"},
		{"no authentication", "sup720-3b-spa", with("esp-aes", sealed), "esp-no-auth", "add esp-sha256-hmac, on all routers"},
		{"not about hardware", hub, port + tunnel, "tunnel-clear", "add `tunnel protection ipsec profile NAME`"},
	} {
		c, diags := config.Parse("r1", []byte(tc.text))
		diags = append(diags, config.Check(c)...)
		var p *hwprofiles.Profile
		if tc.profile != "" {
			p = profile(t, tc.profile)
		}
		count := func(ds config.Diagnostics) (n int, action string) {
			for _, d := range ds {
				if d.Code == tc.code {
					n, action = n+1, d.Action
				}
			}
			return n, action
		}
		if n, _ := count(diags); n == 0 {
			t.Errorf("%s: there is no %s to amend: %v", tc.what, tc.code, diags)
		}
		n, action := count(Amend(p, c, diags))
		if tc.action == "" && n != 0 || tc.action != "" && action != tc.action {
			t.Errorf("%s: %d times %q, want %q", tc.what, n, action, tc.action)
		}
	}
}
