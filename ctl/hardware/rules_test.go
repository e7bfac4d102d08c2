package hardware

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nave/ctl/config"
	"nave/hwprofiles"
)

const (
	// head is lines 1 to 9.
	head = "crypto ipsec transform-set t esp-3des esp-sha-hmac\n mode transport\ncrypto ipsec profile p\n set transform-set t\n" +
		"interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\ninterface Loopback0\n ip address 192.0.2.129 255.255.255.255\n!\n"
	// hub is lines 10 to 17: a hub that the profile with a module has nothing to say of but NAT and multicast.
	hub = "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip mtu 1400\n ip nhrp map multicast dynamic\n ip nhrp network-id 1\n" +
		" tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile p\n"
	// second is lines 18 to 22.
	second = "interface Tunnel1\n ip address 10.0.1.1 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 2\n tunnel mode gre multipoint\n"
	// spoke is a router that has the hub above for its server; lines 1 to 15.
	spoke = "hostname far\ncrypto ipsec transform-set t esp-3des esp-sha-hmac\n mode transport\ncrypto ipsec profile p\n set transform-set t\n" +
		"interface Ethernet0\n ip address 198.51.100.7 255.255.255.0\ninterface Tunnel0\n ip address 10.0.0.2 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 1\n" +
		" ip nhrp nhs 10.0.0.1 nbma 192.0.2.1\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile p\n"
	plain = "sup720-3bxl-spa"
)

// ruleCase is a router, or several separated by dashes, and what rules say of it: "FILE:LINE severity effect" of one rule.
type ruleCase struct {
	rule    string
	profile string // empty: each router says itself
	text    string
	want    []string
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i/200+1, i%200+1)
	}
	return b.String()
}

var ruleCases = []ruleCase{
	{"hw-supervisor", "sup2", head + hub, []string{"r1:10 error refused"}},
	{"hw-supervisor", "sup2-7600-vpnsm", head + hub + second, []string{"r1:10 error refused", "r1:18 error refused"}},
	{"hw-supervisor", "sup2", head, nil},
	{"hw-supervisor", plain, head + hub, nil},

	{"hw-tunnel-key", plain, head + hub + " tunnel key 5\n", []string{"r1:18 warning software-switched"}},
	{"hw-tunnel-key", plain, head + "interface Tunnel1\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n tunnel key 5\n", []string{"r1:13 warning software-switched"}},
	{"hw-tunnel-key", plain, head + hub, nil},

	{"hw-unique-source", plain, head + hub + " tunnel key 1\n" + second + " tunnel source 192.0.2.1\n tunnel key 2\n", []string{"r1:24 warning software-switched"}},
	{"hw-unique-source", "sup720-3b", head + hub + "interface Tunnel1\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n", []string{"r1:19 warning software-switched"}},
	{"hw-unique-source", plain, head + hub + second + " tunnel source Loopback0\n", nil},
	{"hw-unique-source", plain, "crypto engine gre vpnblade\n" + head + hub + second + " tunnel source Ethernet0\n", nil},
	{"hw-unique-source", "sup720-3b-vpnsm", "crypto engine gre vpnblade\n" + head + hub + second + " tunnel source Ethernet0\n", []string{"r1:24 warning software-switched"}},

	{"hw-unique-source", plain, head + hub + " crypto engine gre vpnblade\n" + second + " crypto engine gre vpnblade\n tunnel source Ethernet0\n", nil},
	{"hw-unique-source", plain, head + hub + " crypto engine gre vpnblade\n" + second + " tunnel source Ethernet0\n", []string{"r1:24 warning software-switched"}},

	{"hw-gre-options", plain, head + hub + " tunnel checksum\n tunnel sequence-datagrams\n", []string{"r1:18 warning software-switched", "r1:19 warning software-switched"}},
	{"hw-gre-options", plain, head + hub, nil},

	{"hw-multicast", plain, head + hub, []string{"r1:13 info no effect"}},
	{"hw-multicast", plain, "ip multicast-routing\n" + head + hub + " ip pim sparse-mode\n", []string{"r1:1 warning no effect", "r1:14 info no effect", "r1:19 warning no effect"}},
	{"hw-multicast", plain, spoke, nil},
	{"hw-multicast", plain, strings.Replace(spoke, "nbma 192.0.2.1", "nbma 192.0.2.1 multicast", 1), []string{"r1:12 info no effect"}},
	{"hw-multicast", plain, head + strings.Replace(hub, " tunnel protection ipsec profile p\n", "", 1), nil},

	{"hw-qos", plain, head + hub + " service-policy output x\n ip nhrp group g\n ip nhrp map group g service-policy output x\ninterface Ethernet0\n service-policy output y\nmls qos\n",
		[]string{"r1:18 warning no effect", "r1:19 warning no effect", "r1:20 warning no effect", "r1:22 warning no effect", "r1:23 info no effect"}},
	{"hw-qos", plain, head + "interface Ethernet0.7\n encapsulation dot1Q 7\n ip address 203.0.113.1 255.255.255.0\ninterface Ethernet0\n service-policy output y\n" +
		strings.Replace(hub, "source Ethernet0", "source Ethernet0.7", 1), []string{"r1:14 warning no effect"}},
	{"hw-qos", plain, head + hub + "interface Ethernet1\n service-policy output y\ncontrol-plane\n service-policy input z\n", nil},
	{"hw-qos", plain, head + "mls qos\n", nil},

	{"hw-adjust-mss", plain, head + hub + " ip tcp adjust-mss 1360\n", []string{"r1:18 warning no effect"}},
	{"hw-adjust-mss", plain, head + "interface Tunnel1\n ip tcp adjust-mss 1360\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\ninterface Ethernet1\n ip tcp adjust-mss 1360\n", nil},
	{"hw-pre-classify", plain, head + hub + " qos pre-classify\n", []string{"r1:18 warning no effect"}},
	{"hw-pre-classify", plain, head + "interface Tunnel1\n qos pre-classify\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n", nil},
	{"hw-tunnel-vrf", plain, head + hub + " tunnel vrf v\n", []string{"r1:18 error refused"}},
	{"hw-tunnel-vrf", plain, head + "interface Tunnel1\n tunnel vrf v\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n", nil},
	{"hw-path-mtu", plain, head + hub + " tunnel path-mtu-discovery\n", []string{"r1:18 warning no effect"}},
	{"hw-path-mtu", plain, head + hub, nil},

	{"hw-mtu", plain, head + hub + " no ip mtu\n", []string{"r1:18 warning software-switched"}},
	{"hw-mtu", plain, head + hub + " ip mtu 1480\n", []string{"r1:18 warning software-switched"}},
	{"hw-mtu", plain, head + hub + " ip mtu 1300\n", []string{"r1:18 info software-switched"}},
	{"hw-mtu", plain, head + hub + " ip mtu 1436\n tunnel protection ipsec profile elsewhere\n", []string{"r1:18 info software-switched"}},
	{"hw-mtu", plain, head + hub + " ip mtu 1436\n", nil},                                                                              // it fits
	{"hw-mtu", plain, "crypto engine gre vpnblade\n" + head + hub + " ip mtu 1300\n tunnel protection ipsec profile elsewhere\n", nil}, // the module cuts
	{"hw-mtu", "sup720-3b-vpnsm", "crypto engine gre vpnblade\n" + head + hub + " ip mtu 1300\n", []string{"r1:19 info software-switched"}},
	{"hw-mtu", plain, head + hub + " ip mtu 4000\ninterface Ethernet0\n mtu 9000\n", nil},

	{"hw-blade-switchover", plain, head + hub + "redundancy\n linecard-group 1 feature-card\n  subslot 4/0\n", []string{"r1:19 warning no effect"}},
	{"hw-blade-switchover", plain, head + hub + "redundancy\n mode sso\n", nil},
	{"hw-blade-switchover", plain, head + "redundancy\n linecard-group 1 feature-card\n", nil},

	{"hw-tunnel-recursive", plain, head + hub + " ip vrf forwarding v\n ip address 10.0.0.1 255.255.255.0\ninterface Ethernet1\n mpls ip\n", []string{"r1:18 warning refused"}},
	{"hw-tunnel-recursive", plain, head + hub + " ip vrf forwarding v\n ip address 10.0.0.1 255.255.255.0\n", []string{"r1:18 info refused"}},
	{"hw-tunnel-recursive", plain, "mls mpls tunnel-recursive\n" + head + hub + " ip vrf forwarding v\ninterface Ethernet1\n mpls ip\n", nil},
	{"hw-tunnel-recursive", plain, "mls mpls tunnel-recir\n" + head + hub + " ip vrf forwarding v\ninterface Ethernet1\n mpls ip\n", nil},
	{"hw-tunnel-recursive", plain, head + hub + "interface Ethernet1\n mpls ip\n", nil}, // its spokes are no CEs
	{"hw-tunnel-recursive", plain, head + hub + " ip vrf forwarding v\n ip nhrp nhs 10.0.0.9\ninterface Ethernet1\n mpls ip\n", nil},

	{"hw-eigrp-vrf", plain, head + hub + " ip vrf forwarding v\nrouter eigrp 1\n address-family ipv4 vrf v\n  network 10.0.0.0\n", []string{"r1:20 warning advised against"}},
	{"hw-eigrp-vrf", plain, head + hub + "router eigrp 1\n network 10.0.0.0\n address-family ipv4 vrf w\n  network 10.0.0.0\n", nil},

	{"hw-phase3", plain, head + hub + " ip nhrp redirect\n ip nhrp shortcut\n", []string{"r1:18 error refused", "r1:19 error refused"}},
	{"hw-phase3", plain, head + hub, nil},
	{"hw-ipv6", plain, head + hub + " ipv6 address 2001:db8::1/64\n", []string{"r1:18 error refused"}},
	{"hw-ipv6", plain, head + hub + "interface Ethernet1\n ipv6 enable\n", nil},

	{"hw-mpls", "sup720-3a", head + hub + " mpls ip\ninterface Ethernet1\n mpls bgp forwarding\n", []string{"r1:18 warning software-switched", "r1:20 warning software-switched"}},
	{"hw-mpls", "sup720-3b", head + hub + " mpls ip\n", nil},
	{"hw-mpls-gre", "sup720-3b", head + hub + " mpls ip\ninterface Ethernet1\n mpls ip\n", []string{"r1:18 warning software-switched"}},
	{"hw-mpls-gre", "sup720-3a", head + hub + " mpls ip\n", nil}, // said by hw-mpls

	{"hw-crypto-module", "sup720-3bxl-7600", head + hub, []string{"r1:17 warning software-switched"}},
	{"hw-crypto-module", plain, head + hub, nil},
	{"hw-crypto-cipher", plain, "crypto ipsec transform-set g esp-gcm\ncrypto ipsec profile q\n set transform-set t g\n" + head + hub + " tunnel protection ipsec profile q\n", []string{"r1:1 error refused"}},
	{"hw-crypto-cipher", "sup720-3b-vpnsm", strings.Replace(head, "3des", "aes 256", 1) + hub, []string{"r1:1 error refused"}},
	{"hw-crypto-cipher", "sup720-3b-spa", strings.Replace(head, "3des", "aes 256", 1) + hub, nil},
	{"hw-crypto-cipher", "sup720-3b-vpnsm", strings.Replace(head, "esp-3des", "esp-null", 1) + hub, nil},
	{"hw-crypto-cipher", plain, "crypto ipsec transform-set unused esp-gcm\n" + head + hub, nil},
	{"hw-crypto-tunnels", "sup720-3b-vpnsm", head + hub + lines(8001, " ip nhrp map 10.8.%d.%d 203.0.113.1\n"), []string{"r1:10 warning scale"}},
	{"hw-crypto-tunnels", "sup720-3b-vpnsm", head + hub + lines(8000, " ip nhrp map 10.8.%d.%d 203.0.113.1\n"), nil},

	{"hw-vrfs", plain, lines(512, "ip vrf v%d-%d\n"), []string{"r1:512 warning scale"}},
	{"hw-vrfs", plain, lines(511, "ip vrf v%d-%d\n"), nil},
	{"hw-aggregate-labels", plain, lines(513, "ip vrf v%[1]d-%[2]d\n rd %[1]d:%[2]d\n"), []string{"r1:1025 warning scale"}},
	{"hw-aggregate-labels", plain, lines(513, "ip vrf v%d-%d\n"), nil}, // without labels
	{"hw-maximum-routes", "sup720-3b", "mls cef maximum-routes ip 200\nmls cef maximum-routes ipv6 29\n", []string{"r1:2 error refused"}},
	{"hw-maximum-routes", "sup720-3b", "mls cef maximum-routes ip 200\nmls cef maximum-routes ipv6 28\n", nil},
	{"hw-maximum-routes", "sup720-3bxl", "mls cef maximum-routes ip 200\nmls cef maximum-routes ipv6 29\n", nil},
	{"hw-maximum-routes", "sup720-3a", "mls cef maximum-routes mpls 16\n", []string{"r1:1 warning no effect"}},
	{"hw-fib", plain, "mls cef maximum-routes ip 1\nmls cef maximum-routes mpls 1\n" + lines(2049, "ip route 10.%d.%d.0 255.255.255.0 Null0\n"), []string{"r1:2051 warning scale"}},
	{"hw-fib", plain, "mls cef maximum-routes ip 1\nmls cef maximum-routes mpls 1\n" + lines(2048, "ip route 10.%d.%d.0 255.255.255.0 Null0\n"), nil},
	{"hw-fib", plain, "mls cef maximum-routes ip 1\n" + lines(2049, "ip route 10.%d.%d.0 255.255.255.0 Null0\n"), nil}, // 16k for labels
	{"hw-fib", plain, "mls cef maximum-routes ip 1\nmls cef maximum-routes mpls 1\nip vrf v\n rd 1:1\nrouter bgp 1\n" + lines(1025, "ip route vrf v 10.%d.%d.0 255.255.255.0 Null0\n"), []string{"r1:1030 warning scale"}},
	{"hw-fib", plain, "mls cef maximum-routes ip 1\nmls cef maximum-routes mpls 1\nmpls label mode vrf v protocol all-afs per-vrf\nip vrf v\n rd 1:1\nrouter bgp 1\n" + lines(1025, "ip route vrf v 10.%d.%d.0 255.255.255.0 Null0\n"), nil},
	{"hw-rate-limiters", plain, lines(8, "mls rate-limit unicast ip kind%d%d 100 10\n") + "mls rate-limit unicast acl input 5 5\nmls rate-limit layer2 pdu 5\n", []string{"r1:9 warning refused"}},
	{"hw-rate-limiters", plain, lines(7, "mls rate-limit unicast ip kind%d%dx 100 10\n") + "mls rate-limit unicast acl input 5 5\nmls rate-limit unicast acl output 5 5\nmls rate-limit layer2 pdu 5\n", nil},
	{"hw-rate-limiters", plain, lines(7, "mls rate-limit unicast ip kind%d%dx 100 10\n") + "mls rate-limit unicast ip icmp unreachable no-route 5 5\nmls rate-limit unicast ip icmp unreachable acl-drop 5 5\nmls rate-limit unicast ip errors 5 5\nmls rate-limit unicast ip rpf-failure 5 5\nmls rate-limit multicast ipv6 sg share auto\n", nil},
	{"hw-rate-limiters", plain, "mls rate-limit layer2 pdu 5\nmls rate-limit layer2 l2pt 5\nmls rate-limit multicast ipv4 igmp 5\n", []string{"r1:3 warning refused"}},
	{"hw-rate-limiters", plain, "mls rate-limit layer2 pdu 5\nmls rate-limit layer2 l2pt 5\nmls rate-limit layer2 x 5\n", []string{"r1:3 warning refused"}},

	{"hw-nat-hub", plain, head + hub + "---\n" + strings.Replace(spoke, "nbma 192.0.2.1", "nbma 203.0.113.5", 1), []string{"r1:15 error refused"}},
	{"hw-nat-hub", plain, head + hub + "---\n" + spoke, nil},
	{"hw-nat-hub", "", head + hub + "---\nplatform hardware profile sup720-3b\n" + strings.Replace(spoke, "nbma 192.0.2.1", "nbma 203.0.113.5", 1), nil},
	{"hw-nat-spoke", "", head + hub + "---\nplatform hardware profile sup720-3b\n" + strings.Replace(spoke, "nbma 192.0.2.1", "nbma 203.0.113.5", 1), []string{"r2:13 error refused"}},
	{"hw-nat-spoke", plain, head + hub + "---\n" + spoke, nil},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\n" + behind, []string{"r2:13 info refused"}},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nversion 12.2\n" + behind, []string{"r2:14 error refused"}},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nversion 12.3\n" + behind, []string{"r2:14 info refused"}},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nversion 12.4\n" + behind, nil},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nversion 15.1\n" + behind, nil},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nplatform hardware profile sup720-3bxl-spa\n" + behind, nil},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nplatform hardware profile sup720-3b-7600\n" + behind, []string{"r2:14 error refused"}},
	{"hw-nat-peer", "", "version 12.2\n" + head + hub + "---\nplatform hardware profile sup720-3b-7600\n" + behind, []string{"r1:16 error refused"}},
	{"hw-nat-peer", "", "platform hardware profile sup720-3b\n" + head + hub + "---\nversion 12.2\n" + spoke, nil}, // not behind NAT
	{"hw-nat-unknown", plain, head + hub + "---\n" + spoke, []string{"r1:15 info refused"}},
	{"hw-nat-unknown", plain, head + hub + "---\n" + strings.Replace(spoke, "nbma 192.0.2.1", "nbma 203.0.113.5", 1), nil}, // it is known
	{"hw-nat-unknown", "sup2", head + hub, nil},

	{"hw-mixed-keys", plain, head + hub + " tunnel key 7\n---\n" + spoke, []string{"r1:18 error refused"}},
	{"hw-mixed-keys", "", head + hub + "---\nplatform hardware profile sup720-3b\n" + spoke + " tunnel key 7\n", []string{"r2:17 error refused"}},
	{"hw-mixed-keys", plain, head + hub + " tunnel key 7\n---\n" + spoke + " tunnel key 7\n", nil},
	{"hw-mixed-keys", plain, spoke + "---\n" + spoke + " tunnel key 7\n", []string{"r2:16 error refused"}}, // without the hub's file
	{"hw-mixed-keys", plain, spoke + "---\n" + strings.Replace(spoke, "network-id 1", "network-id 2", 1) + " tunnel key 7\n", nil},
	{"hw-mixed-keys", "", head + hub + " tunnel key 7\n---\n" + spoke, nil}, // no such platform in it
}

// behind is the spoke with a private address.
var behind = strings.Replace(spoke, "198.51.100.7", "192.168.4.7", 1)

func profiles(t testing.TB) *hwprofiles.Set {
	t.Helper()
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func parse(text string) []*config.Config {
	var out []*config.Config
	for n, part := range strings.Split(text, "---\n") {
		c, _ := config.Parse(fmt.Sprintf("r%d", n+1), []byte(part))
		out = append(out, c)
	}
	return out
}

// TestRules asserts for each rule what it finds, and that it finds nothing where there is nothing.
func TestRules(t *testing.T) {
	set := profiles(t)
	hit, clean := map[string]bool{}, map[string]bool{}
	for n, tc := range ruleCases {
		t.Run(fmt.Sprintf("%s/%d", tc.rule, n), func(t *testing.T) {
			diags, _, err := Check(set, tc.profile, parse(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range diags {
				if d.Code == tc.rule {
					got = append(got, fmt.Sprintf("%s:%d %s %s", d.File, d.Line, d.Severity, d.Hardware.Effect))
				}
				if d.Hardware == nil || d.Hardware.Source == "" || d.Hardware.Profile == "" || d.Action == "" || d.Line == 0 || d.Column == 0 {
					t.Errorf("%+v", d)
				}
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v\n%v", got, tc.want, diags)
			}
		})
		hit[tc.rule] = hit[tc.rule] || len(tc.want) > 0
		clean[tc.rule] = clean[tc.rule] || len(tc.want) == 0
	}
	for _, r := range Rules() {
		if r.Code == "hw-tunnel-vlans" {
			continue // TestTunnelVLANs: no configuration that can be read has so many tunnels
		}
		if !hit[r.Code] || !clean[r.Code] {
			t.Errorf("no case shows %s, or none shows that it is silent", r.Code)
		}
	}
}

// Hardware that restricts nothing gives no finding, whatever is configured.
func TestUnknownRestrictsNothing(t *testing.T) {
	dir := t.TempDir()
	text := "name: iron\nplatform: A box\nsupervisor: its engine\nvalues:\n  dmvpn.supported: {value: yes, basis: found, source: its manual}\n"
	if err := os.WriteFile(filepath.Join(dir, "iron.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := hwprofiles.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range ruleCases {
		for _, name := range []string{"iron", hwprofiles.None} {
			if len(tc.text) > 60000 || name == hwprofiles.None && len(tc.text) > 4000 {
				continue // thousands of lines are read for nothing
			}
			if diags, _, err := Check(set, name, parse(tc.text)); err != nil || len(diags) > 0 {
				t.Errorf("%s of %s: %v %v", name, tc.rule, err, diags)
			}
		}
	}
}

// A profile with fewer internal VLANs than there are tunnels.
func TestTunnelVLANs(t *testing.T) {
	dir := t.TempDir()
	text := "name: few\nextends: sup720-3b\nvalues:\n  gre.vlans: {value: 2, unit: VLANs, basis: found, source: its manual}\n"
	if err := os.WriteFile(filepath.Join(dir, "few.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := hwprofiles.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{2: 0, 3: 1} {
		diags, _, err := Check(set, "few", parse(lines(n, "interface Tunnel%d%d\n")))
		got := 0
		for _, d := range diags {
			if d.Code == "hw-tunnel-vlans" && d.Line == 3 && d.Hardware.Source == "its manual" {
				got++
			}
		}
		if err != nil || got != want {
			t.Errorf("%d tunnels: %v %v", n, err, diags)
		}
	}
}

// What to write about a tunnel with a key that shares its source names all who share it.
func TestTunnelKeyNamesAllOfASource(t *testing.T) {
	file := write(t, t.TempDir(), "r.cfg", head+hub+"interface Tunnel1\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n"+
		"interface Tunnel2\n tunnel source 192.0.2.1\n tunnel destination 192.0.2.10\n tunnel key 7\n")
	var out bytes.Buffer
	if _, err := CheckFiles(&out, false, Options{Profile: plain}, file); err != nil || !strings.Contains(out.String(), "(give Tunnel2, Tunnel0 and Tunnel1 sources of their own, and remove `tunnel key` here") {
		t.Errorf("%v\n%s", err, &out)
	}
}
