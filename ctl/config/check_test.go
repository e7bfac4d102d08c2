package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkCase is a router, or several, and the findings that matter: "FILE:LINE severity code". Several files are
// separated by a line of dashes.
type checkCase struct {
	name string
	text string
	want []string
}

const (
	ports = "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"
	// inside is a port in a VRF.
	inside = "ip vrf v\ninterface Ethernet0\n ip vrf forwarding v\n ip address 192.0.2.1 255.255.255.0\n"
	// protect is what a protected tunnel needs, without a finding.
	protect = "crypto isakmp policy 1\n encryption aes\n authentication pre-share\n group 14\ncrypto isakmp key k address 192.0.2.0 255.255.255.0\n" +
		"crypto ipsec transform-set t esp-gcm\n mode transport\ncrypto ipsec profile p\n set transform-set t\n"
	tail = " ip mtu 1400\n ip nhrp network-id 1\n ip nhrp holdtime 400\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile p\n"
	// v2 is an IKEv2 profile without a finding.
	v2 = "crypto ikev2 keyring k\n peer a\n  address 192.0.2.0 255.255.255.0\n  pre-shared-key x\ncrypto ikev2 profile f\n match identity remote any\n authentication local pre-share\n authentication remote pre-share\n keyring local k\n"
	// tunnel is a multipoint tunnel without a finding; more lines may follow.
	tunnel = "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n" + tail
	second = "interface Tunnel1\n ip address 10.0.1.1 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 2\n ip nhrp holdtime 400\n tunnel mode gre multipoint\n"
)

// keyed follows hubText and spokeText.
const keyed = "key chain k\n key 1\n  key-string secret\ninterface Tunnel3\n ip authentication mode eigrp 40 md5\n ip authentication key-chain eigrp 40 k\n"

var checkCases = []checkCase{
	{name: "nothing to say", text: protect + ports + tunnel},
	{name: "no journal", text: protect + ports + tunnel + "no logging console\n", want: []string{"r1:20 info logging-console"}},
	{name: "messages from a port", text: protect + ports + tunnel + "logging host 192.0.2.7\nlogging source-interface Ethernet0\n"},
	{name: "messages from nowhere", text: protect + ports + tunnel + "logging source-interface Loopback7\n", want: []string{"r1:20 error undefined"}},
	{name: "messages from a VRF", text: inside + "logging source-interface Ethernet0\n", want: []string{"r1:5 warning logging-source"}},
	{name: "messages from no address", text: "interface Loopback1\nlogging source-interface Loopback1\n", want: []string{"r1:2 warning logging-source"}},
	{name: "hub and spoke", text: hubText + "---\n" + spokeText},

	{name: "a hash that is none", text: "enable secret 9 wheel\n", want: []string{"r1:1 warning enable-secret"}},
	{name: "a hash of another type", text: "enable secret 8 $9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6\n", want: []string{"r1:1 warning enable-secret"}},

	{name: "no tunnel source", text: "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel destination 192.0.2.9\n", want: []string{"r1:1 error tunnel-no-source"}},
	{name: "source undefined", text: "interface Tunnel0\n tunnel destination 192.0.2.9\n tunnel source Ethernet7\n", want: []string{"r1:3 error undefined"}},
	{name: "source without address", text: "interface Ethernet0\ninterface Tunnel0\n tunnel destination 192.0.2.9\n tunnel source Ethernet0\n", want: []string{"r1:4 error tunnel-source-address"}},
	{name: "source by DHCP", text: protect + "interface Ethernet0\n ip address dhcp\n" + tunnel},
	{name: "source address of nobody", text: ports + "interface Tunnel0\n tunnel destination 192.0.2.9\n tunnel source 192.0.2.8\n", want: []string{"r1:5 error tunnel-source-address"}},
	{name: "source is itself", text: "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel source Tunnel0\n tunnel destination 10.0.0.2\n", want: []string{"r1:3 error tunnel-source-loop"}},
	{name: "source in another VRF", text: protect + "ip vrf v\n" + ports + tunnel + " tunnel vrf v\n", want: []string{"r1:21 error tunnel-vrf"}},
	{name: "source shut down", text: protect + ports + " shutdown\n" + tunnel, want: []string{"r1:18 warning tunnel-source-down"}},
	{name: "destination with multipoint", text: protect + ports + tunnel + " tunnel destination 192.0.2.9\n", want: []string{"r1:20 error mgre-destination"}},
	{name: "no destination", text: ports + "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel source Ethernet0\n", want: []string{"r1:3 error tunnel-no-destination"}},
	{name: "no address on the tunnel", text: ports + "interface Tunnel0\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n", want: []string{"r1:3 warning tunnel-no-address"}},
	{name: "paths opened", text: protect + ports + tunnel + " ip nhrp nat simultaneous-open\n"},
	{name: "paths opened in clear", text: ports + second + " tunnel source Ethernet0\n ip nhrp nat simultaneous-open\n",
		want: []string{"r1:3 warning tunnel-clear", "r1:10 warning nhrp-simultaneous-open"}},
	{name: "paths opened without UDP", text: "no crypto ipsec nat-transparency udp-encapsulation\n" + protect + ports + tunnel + " ip nhrp nat simultaneous-open\n",
		want: []string{"r1:21 warning nhrp-simultaneous-open"}},
	{name: "paths opened to one peer", text: protect + ports + strings.Replace(tunnel, "mode gre multipoint\n", "destination 192.0.2.9\n", 1) + " ip nhrp nat simultaneous-open\n",
		want: []string{"r1:20 warning nhrp-simultaneous-open"}},
	{name: "tunnel in clear", text: ports + second + " tunnel source Ethernet0\n", want: []string{"r1:3 warning tunnel-clear"}},
	{name: "two multipoint tunnels without key on one source", text: ports + second + " tunnel source Ethernet0\ninterface Tunnel2\n ip address 10.0.2.1 255.255.255.0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint\n", want: []string{"r1:12 error mgre-no-key"}},
	{name: "same source and key", text: ports + second + " tunnel source Ethernet0\n tunnel key 5\ninterface Tunnel2\n ip address 10.0.2.1 255.255.255.0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 5\n", want: []string{"r1:15 error tunnel-duplicate"}},
	{name: "different keys", text: protect + ports + strings.Replace(tunnel, "profile p\n", "profile p shared\n", 1) + " tunnel key 1\n" + second + " tunnel source Ethernet0\n tunnel key 2\n tunnel protection ipsec profile p shared\n"},
	{name: "source not shared", text: protect + ports + tunnel + " tunnel key 1\n" + second + " tunnel source Ethernet0\n tunnel key 2\n tunnel protection ipsec profile p\n", want: []string{"r1:29 error protection-shared"}},
	{name: "one of two protected", text: protect + ports + tunnel + " tunnel key 1\n" + second + " tunnel source Ethernet0\n tunnel key 2\n", want: []string{"r1:27 error protection-shared"}},
	{name: "different profiles on one source", text: protect + "crypto ipsec profile q\n set transform-set t\n" + ports + tunnel + " tunnel key 1\n" + second + " tunnel source Ethernet0\n tunnel key 2\n tunnel protection ipsec profile q shared\n", want: []string{"r1:31 error protection-shared"}},

	{name: "no ip mtu", text: protect + ports + strings.Replace(tunnel, " ip mtu 1400\n", "", 1), want: []string{"r1:18 warning ip-mtu-missing"}},
	{name: "ip mtu does not fit", text: protect + ports + strings.Replace(tunnel, "1400", "1450", 1), want: []string{"r1:14 warning mtu-too-large"}},
	{name: "ip mtu above the port's", text: protect + ports + strings.Replace(tunnel, "1400", "1600", 1), want: []string{"r1:14 error mtu-too-large"}},
	{name: "ip mtu fits a jumbo port", text: protect + ports + " mtu 9000\n" + strings.Replace(tunnel, "1400", "8900", 1)},
	{name: "adjust-mss above ip mtu", text: protect + ports + tunnel + " ip tcp adjust-mss 1380\n", want: []string{"r1:20 warning adjust-mss"}},
	{name: "keepalive", text: protect + ports + tunnel + " keepalive 10 3\n", want: []string{"r1:20 error keepalive-tunnel"}},
	{name: "keepalive to one peer", text: ports + "interface Tunnel3\n keepalive 10 3\n ip address 10.3.0.1 255.255.255.252\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n", want: []string{"r1:4 warning keepalive-tunnel"}},
	{name: "keepalive off", text: protect + ports + tunnel + " keepalive 10 3\n keepalive 0\n"},
	{name: "no keepalive", text: protect + ports + tunnel + " no keepalive\n"},
	{name: "refused", text: ports + " ip nat outside\n service-policy output x\nip nat inside source list a interface Ethernet0 overload\npolicy-map x\n class y\n  bandwidth 5\ncrypto map m 10 ipsec-isakmp\n set peer 192.0.2.9\n match address 101\nhostname x\n",
		want: []string{"r1:3 error refused", "r1:4 error refused", "r1:5 error refused", "r1:6 error refused", "r1:9 error refused"}},

	{name: "authentication too long", text: protect + ports + tunnel + " ip nhrp authentication ninechars\n", want: []string{"r1:20 error nhrp-auth-length"}},
	{name: "authentication of eight", text: protect + ports + tunnel + " ip nhrp authentication eight!ch\n"},
	{name: "NHRP without network-id", text: protect + ports + strings.Replace(tunnel, " ip nhrp network-id 1\n", "", 1), want: []string{"r1:12 error nhrp-no-network-id"}},
	{name: "multipoint without NHRP", text: protect + ports + "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip mtu 1400\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile p\n", want: []string{"r1:12 warning nhrp-no-network-id"}},
	{name: "default hold time", text: protect + ports + strings.Replace(tunnel, " ip nhrp holdtime 400\n", "", 1), want: []string{"r1:15 info holdtime"}},
	{name: "short hold time", text: protect + ports + strings.Replace(tunnel, "holdtime 400", "holdtime 299", 1), want: []string{"r1:16 warning holdtime"}},
	{name: "long hold time", text: protect + ports + strings.Replace(tunnel, "holdtime 400", "holdtime 601", 1), want: []string{"r1:16 warning holdtime"}},
	{name: "registration slower than hold time", text: protect + ports + tunnel + " ip nhrp registration timeout 401\n", want: []string{"r1:20 error registration-timeout"}},
	{name: "NHS without map", text: protect + ports + tunnel + " ip nhrp nhs 10.0.0.9\n", want: []string{"r1:20 error nhs-no-map"}},
	{name: "NHS with nbma", text: protect + ports + tunnel + " ip nhrp nhs 10.0.0.9 nbma 192.0.2.9 multicast\n"},
	{name: "NHS is itself", text: protect + ports + tunnel + " ip nhrp nhs 10.0.0.1 nbma 192.0.2.9\n", want: []string{"r1:20 error nhs-self"}},
	{name: "NHS in another subnet", text: protect + ports + tunnel + " ip nhrp map 10.7.0.9 192.0.2.9\n ip nhrp nhs 10.7.0.9\n", want: []string{"r1:21 warning nhs-subnet"}},
	{name: "NHRP on a port", text: ports + " ip nhrp network-id 5\n", want: []string{"r1:1 error not-tunnel"}},
	{name: "network-id and authentication of two VRFs", text: protect + "ip vrf v\n" + ports + "interface Ethernet1\n ip address 198.51.100.1 255.255.255.0\n" + tunnel + " ip nhrp authentication a\n" +
		"interface Tunnel1\n ip vrf forwarding v\n ip address 10.0.0.1 255.255.255.0\n" + strings.Replace(tail, "Ethernet0", "Ethernet1", 1) + " ip nhrp authentication a\n",
		want: []string{"r1:28 error network-id-vrf", "r1:33 warning nhrp-auth-vrf"}},

	{name: "names undefined", text: protect + ports + " ip vrf forwarding nov\n ip address 192.0.2.1 255.255.255.0\nip route vrf nov 10.9.0.0 255.255.0.0 Null0\nip route 10.8.0.0 255.255.0.0 Ethernet9\n" +
		"crypto ipsec profile q\n set transform-set nots\n set isakmp-profile noip\n set ikev2-profile noi2\n set identity noid\ncrypto isakmp profile i\n keyring nokr\n ca trust-point notp\n match identity address 0.0.0.0\n" +
		"router bgp 1\n bgp router-id 1.1.1.1\n neighbor 10.0.0.9 remote-as 1\n neighbor 10.0.0.9 update-source Loopback7\n neighbor 10.0.0.9 route-map norm out\n neighbor 10.0.0.9 prefix-list nopl in\n neighbor 10.0.0.9 distribute-list noacl in\n neighbor 10.0.0.8 activate\n" +
		"route-map r permit 10\n match ip address noacl\n match ip address prefix-list nopl\n match ip next-hop noacl\n match interface Loopback8\nip vrf v\n export map norm\n",
		want: []string{"r1:12 error undefined", "r1:14 error undefined", "r1:15 error undefined", "r1:17 error undefined", "r1:18 error undefined", "r1:19 error undefined", "r1:20 error undefined",
			"r1:22 error undefined", "r1:23 error undefined", "r1:27 error undefined", "r1:29 error undefined", "r1:32 error undefined", "r1:34 error undefined", "r1:35 error undefined", "r1:36 error undefined", "r1:37 error undefined", "r1:39 error undefined"}},
	{name: "profile undefined", text: ports + strings.Replace(tunnel, "profile p", "profile q ikev2-profile z", 1), want: []string{"r1:10 error undefined"}},
	{name: "duplicate address", text: ports + "interface Loopback0\n ip address 192.0.2.1 255.255.255.255\n", want: []string{"r1:2 error address-duplicate"}},
	{name: "one subnet twice", text: ports + "interface Ethernet1\n ip address 192.0.2.2 255.255.255.0\n", want: []string{"r1:4 error address-overlap"}},
	{name: "subnets overlap", text: ports + "interface Ethernet1\n ip address 192.0.2.130 255.255.255.128\n", want: []string{"r1:4 warning address-overlap"}},
	{name: "tunnel vrf with a keyring", text: protect + inside + tunnel + " tunnel vrf v\ncrypto keyring k vrf v\n pre-shared-key address 192.0.2.0 255.255.255.0 key x\n"},
	{name: "tunnel vrf without a key", text: protect + inside + tunnel + " tunnel vrf v\n", want: []string{"r1:21 error vrf-no-key"}},
	{name: "profiles of other VRFs", text: protect + v2 + inside + "ip vrf w\ncrypto isakmp profile q\n match identity address 192.0.2.0 255.255.255.0 w\ncrypto ipsec profile p\n set isakmp-profile q\n" + tunnel +
		" tunnel vrf v\ncrypto keyring kv vrf v\n pre-shared-key address 192.0.2.0 255.255.255.0 key x\n" + strings.Replace(second, "multipoint\n", "multipoint\n tunnel source Ethernet1\n tunnel vrf v\n tunnel protection ipsec profile r\n", 1) +
		"crypto ipsec profile r\n set transform-set t\n set ikev2-profile f\ninterface Ethernet1\n ip vrf forwarding v\n ip address 198.51.100.1 255.255.255.0\n",
		want: []string{"r1:35 error profile-vrf", "r1:47 error profile-vrf"}},
	{name: "VLANs", text: "interface Ethernet0.1\n encapsulation dot1Q 10\ninterface Ethernet0.2\n encapsulation dot1Q 10\ninterface Ethernet0.3\n encapsulation dot1Q 10 native\ninterface Ethernet1.1\n encapsulation dot1Q 10\ninterface Ethernet1.2\n",
		want: []string{"r1:4 error vlan-duplicate", "r1:6 warning vlan-native", "r1:9 error no-vlan"}},
	{name: "labels and VRFs", text: "ip vrf v\n route-target both 1:1\ninterface Loopback0\n ip vrf forwarding v\n ip address 10.0.0.1 255.255.255.255\n mpls ip\nmpls ldp router-id Loopback0\nmpls ldp neighbor vrf v 10.0.0.9 password x\n",
		want: []string{"r1:2 warning vrf-no-rd", "r1:6 warning mpls-vrf", "r1:7 error ldp-vrf", "r1:8 warning ldp-vrf"}},
	{name: "routes that would leak", text: inside + "interface Ethernet1\n ip unnumbered Ethernet0\nip route vrf v 10.1.0.0 255.255.0.0 192.0.2.9 global\nip route vrf v 10.2.0.0 255.255.0.0 Ethernet1\nip route 10.3.0.0 255.255.0.0 Ethernet0 192.0.2.9\nip route vrf v 10.4.0.0 255.255.0.0 Ethernet0 192.0.2.9\n",
		want: []string{"r1:6 error unnumbered-vrf", "r1:7 error route-leak", "r1:8 error route-leak", "r1:9 error route-leak"}},
	{name: "VRFs of IKE undefined", text: "crypto keyring k vrf a\ncrypto isakmp profile q\n match identity address 0.0.0.0 0.0.0.0 b\ninterface Ethernet0\n ip vrf forwarding c\nip vrf w\ncrypto keyring l vrf w\n local-address Ethernet0\n",
		want: []string{"r1:1 error undefined", "r1:3 error undefined", "r1:5 error undefined", "r1:8 error keyring-vrf"}},
	{name: "same address in two VRFs", text: "ip vrf v\n" + ports + "interface Ethernet1\n ip vrf forwarding v\n ip address 192.0.2.1 255.255.255.0\n"},
	{name: "subinterface without VLAN", text: "interface Ethernet0.5\n ip address 192.0.2.1 255.255.255.0\n", want: []string{"r1:1 error no-vlan"}},
	{name: "next hop unreachable", text: ports + "ip route 10.0.0.0 255.0.0.0 203.0.113.1\n", want: []string{"r1:3 warning next-hop-unreachable"}},
	{name: "next hop by another route", text: ports + "ip route 10.0.0.0 255.0.0.0 203.0.113.1\nip route 203.0.113.0 255.255.255.0 192.0.2.9\n"},

	{name: "IKE without policy", text: strings.SplitAfterN(protect, "group 14\n", 2)[1] + ports + tunnel, want: []string{"r1:0 error isakmp-no-policy"}},
	{name: "no key", text: strings.Replace(protect, "crypto isakmp key k address 192.0.2.0 255.255.255.0\n", "", 1) + ports + tunnel, want: []string{"r1:1 error no-key"}},
	{name: "no certificate", text: strings.Replace(protect, " authentication pre-share\n", "", 1) + ports + tunnel, want: []string{"r1:1 error no-certificate"}},
	{name: "wildcard key", text: strings.Replace(protect, "address 192.0.2.0 255.255.255.0", "address 0.0.0.0", 1) + ports + tunnel, want: []string{"r1:5 warning wildcard-key"}},
	{name: "keys for single peers", text: strings.Replace(protect, "address 192.0.2.0 255.255.255.0", "address 192.0.2.9", 1) + ports + tunnel + " ip nhrp nhs 10.0.0.9 nbma 192.0.2.9\n", want: []string{"r1:5 warning peer-key"}},
	{name: "keys for single peers at the hub", text: strings.Replace(protect, "address 192.0.2.0 255.255.255.0", "address 192.0.2.9", 1) + ports + tunnel},
	{name: "no authentication", text: strings.Replace(protect, "esp-gcm", "esp-aes", 1) + ports + tunnel, want: []string{"r1:6 warning esp-no-auth"}},
	{name: "weak algorithms", text: "crypto isakmp policy 1\n hash md5\n authentication pre-share\ncrypto ipsec transform-set t esp-3des esp-md5-hmac\ncrypto ipsec profile p\n set transform-set t\n set pfs\ncrypto ipsec transform-set n esp-null esp-sha-hmac\n",
		want: []string{"r1:1 warning weak-cipher", "r1:1 warning weak-group", "r1:2 warning weak-hash", "r1:4 warning weak-cipher", "r1:4 warning weak-hash", "r1:7 warning weak-group", "r1:8 warning weak-cipher"}},
	{name: "tunnel mode", text: strings.Replace(protect, "mode transport", "mode tunnel", 1) + ports + tunnel, want: []string{"r1:7 warning ipsec-tunnel-mode"}},
	{name: "profile without transform set", text: "crypto ipsec profile p\n", want: []string{"r1:1 error profile-empty"}},
	{name: "ISAKMP profile without match", text: "crypto isakmp profile p\n", want: []string{"r1:1 error profile-no-match"}},
	{name: "trustpoint incomplete", text: "crypto pki trustpoint t\n certificate-file x.pem\n", want: []string{"r1:1 error trustpoint-incomplete"}},
	{name: "IKEv2", text: "crypto ikev2 proposal a\n encryption aes-gcm-256\n prf sha256\n group 19\ncrypto ikev2 proposal b\n encryption aes-cbc-128\n group 14\ncrypto ikev2 proposal c\n encryption aes-gcm-128 3des\n integrity sha1\n group 2\n" +
		"crypto ikev2 policy p\n proposal a\n proposal nope\ncrypto ikev2 keyring k\n peer all\n  address 0.0.0.0\n  pre-shared-key x\ncrypto ikev2 profile f\n keyring local nok\n authentication local pre-share\ncrypto ikev2 profile g\n match identity remote any\n authentication local rsa-sig\n authentication remote rsa-sig\n",
		want: []string{"r1:5 error proposal-incomplete", "r1:8 error proposal-mixed", "r1:9 warning weak-cipher", "r1:11 warning weak-group", "r1:14 error undefined", "r1:17 warning wildcard-key", "r1:19 error profile-incomplete", "r1:20 error undefined", "r1:22 error profile-incomplete"}},
	{name: "IKEv1 switched off", text: protect + "no crypto isakmp enable\n" + ports + tunnel, want: []string{"r1:0 error isakmp-disabled"}},
	{name: "IKEv1 algorithms", text: strings.Replace(protect, "esp-gcm\n", "esp-chacha20-poly1305\n esn\n", 1) + ports + tunnel, want: []string{"r1:6 error ikev1-cipher", "r1:7 warning ikev1-esn"}},
	{name: "AH and ESP with IKEv2", text: v2 + "crypto ipsec transform-set t ah-sha256-hmac esp-aes 256\n mode transport\ncrypto ipsec profile p\n set transform-set t\n set ikev2-profile f\n" + ports + tunnel, want: []string{"r1:10 error ikev2-bundle"}},
	{name: "AH and ESP with IKEv1", text: strings.Replace(protect, "esp-gcm", "ah-sha256-hmac esp-aes", 1) + ports + tunnel},
	{name: "CTR without authentication", text: "crypto ipsec transform-set t esp-ctr\n", want: []string{"r1:1 error esp-ctr-no-auth"}},
	{name: "two IKE profiles", text: v2 + "crypto isakmp profile i\n match identity address 0.0.0.0\ncrypto ipsec transform-set t esp-gcm\ncrypto ipsec profile p\n set transform-set t\n set isakmp-profile i\n set ikev2-profile f\n set security-association replay disable\n",
		want: []string{"r1:15 warning two-ike-profiles", "r1:17 warning replay-off"}},
	{name: "shared, but not the IKE profile", text: v2 + protect + ports + strings.Replace(tunnel, "profile p\n", "profile p shared\n", 1) + " tunnel key 1\n" + second + " tunnel source Ethernet0\n tunnel key 2\n tunnel protection ipsec profile p shared ikev2-profile f\n", want: []string{"r1:38 error protection-shared"}},
	{name: "aggressive mode", text: "crypto isakmp policy 1\n encryption aes\n authentication pre-share\n group 14\ncrypto isakmp policy 2\n encryption aes\n group 19\ncrypto isakmp aggressive-mode disable\ncrypto isakmp profile a\n match identity address 0.0.0.0\n initiate mode aggressive\n",
		want: []string{"r1:11 warning aggressive-disabled", "r1:11 warning aggressive-psk", "r1:11 warning aggressive-rsa", "r1:11 warning aggressive-group"}},
	{name: "one of two policies without its key or certificate", text: strings.Replace(protect, "crypto isakmp key", "crypto isakmp policy 2\n encryption aes\n group 14\ncrypto isakmp key", 1) + ports + tunnel, want: []string{"r1:5 warning no-certificate"}},
	{name: "no certificate of ours", text: "crypto pki trustpoint t\n ca-file c.pem\n" + strings.Replace(protect, " authentication pre-share\n", " authentication rsa-sig\n", 1) + "crypto isakmp profile i\n match identity address 0.0.0.0\n ca trust-point t\n" + ports + tunnel,
		want: []string{"r1:5 error no-certificate", "r1:14 error no-certificate"}},
	{name: "certificates and no key", text: "crypto pki trustpoint t\n ca-file c.pem\n certificate-file c.pem\n key-file k.pem\n" + strings.Replace(protect, "crypto isakmp key k address 192.0.2.0 255.255.255.0\n", "crypto isakmp policy 2\n encryption aes\n group 14\n", 1) + ports + tunnel,
		want: []string{"r1:7 warning no-key"}},
	{name: "a name of a certificate without certificates", text: "crypto isakmp identity dn\ncrypto isakmp policy 1\n encryption aes\n authentication pre-share\n group 14\n", want: []string{"r1:1 warning identity-dn"}},
	{name: "keys of host names", text: "ip host a.example 192.0.2.9\ncrypto isakmp key k hostname a.example\ncrypto isakmp key k hostname b.example\n", want: []string{"r1:3 warning hostname-key"}},
	{name: "a spoke that never begins", text: strings.Replace(protect, " set transform-set t\n", " set transform-set t\n responder-only\n", 1) + ports + tunnel + " ip nhrp nhs 10.0.0.9 nbma 192.0.2.9\n", want: []string{"r1:20 warning responder-only"}},
	{name: "a hub that never begins", text: strings.Replace(protect, " set transform-set t\n", " set transform-set t\n responder-only\n", 1) + ports + tunnel},
	{name: "IKEv2 keys of nobody", text: "crypto ikev2 keyring k\n peer a\n  address 192.0.2.9\n peer b\n  pre-shared-key x\n", want: []string{"r1:2 error peer-no-key", "r1:4 error peer-nobody"}},
	{name: "IKEv2 without a certificate of ours", text: "crypto pki trustpoint t\n ca-file c.pem\ncrypto pki trustpoint u\n ca-file c.pem\n certificate-file c.pem\n key-file k.pem\ncrypto ikev2 profile f\n match identity remote any\n authentication local ecdsa-sig\n authentication remote rsa-sig\n pki trustpoint t\n pki trustpoint u verify\n" +
		"crypto ikev2 profile g\n match identity remote any\n authentication local rsa-sig\n authentication remote rsa-sig\n pki trustpoint u sign\n pki trustpoint t verify\n", want: []string{"r1:9 error no-certificate"}},
	{name: "IKEv2 with MD5", text: "crypto ikev2 proposal a\n encryption aes-cbc-256\n integrity md5\n group 19\n", want: []string{"r1:3 warning weak-hash"}},
	{name: "refused of IKE", text: "crypto isakmp policy 1\n authentication rsa-encr\n authentication ecdsa-sig\ncrypto isakmp peer address 192.0.2.9\n set aggressive-mode password x\ncrypto ikev2 http-url cert\nno crypto ikev2 http-url cert\ncrypto key generate rsa modulus 2048\ncrypto map m 10 ipsec-manual\n set session-key inbound esp 256 cipher ab\nno crypto isakmp default policy\ncrypto ipsec transform-set t esp-aes comp-lzs\ncrypto isakmp client configuration group g\n key x\n",
		want: []string{"r1:2 error refused", "r1:3 error refused", "r1:4 error refused", "r1:6 error refused", "r1:8 error refused", "r1:9 error refused", "r1:12 error refused", "r1:13 error refused"}},
	{name: "key encrypted elsewhere", text: "crypto isakmp key 6 abc address 10.0.0.1\nkey chain k\n key 1\n  key-string 7 0822\n", want: []string{"r1:1 error encrypted-key", "r1:4 error encrypted-key"}},

	{name: "EIGRP over a slow tunnel", text: protect + ports + tunnel + " ip nhrp map multicast dynamic\n no ip split-horizon eigrp 1\nrouter eigrp 1\n network 10.0.0.0 0.0.0.255\n", want: []string{"r1:12 warning eigrp-bandwidth"}},
	{name: "EIGRP hub with split horizon", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\nrouter eigrp 1\n network 10.0.0.0 0.0.0.255\n", want: []string{"r1:21 warning eigrp-split-horizon"}},
	{name: "EIGRP without multicast", text: protect + ports + tunnel + " bandwidth 1000\n no ip split-horizon eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n", want: []string{"r1:15 warning nhrp-no-multicast"}},
	{name: "EIGRP passive on the tunnel", text: protect + ports + tunnel + "router eigrp 1\n network 10.0.0.0\n passive-interface Tunnel0\n"},
	{name: "EIGRP in a VRF", text: protect + "ip vrf v\n" + ports + "interface Tunnel0\n ip vrf forwarding v\n ip address 10.0.0.1 255.255.255.0\n bandwidth 1000\n ip nhrp map multicast dynamic\n no ip split-horizon eigrp 2\n" + tail + "router eigrp 2\n address-family ipv4 vrf v\n  network 10.0.0.0\n",
		want: []string{"r1:26 error eigrp-no-as", "r1:26 info eigrp-vrf"}},
	{name: "EIGRP twice", text: ports + "router eigrp 1\n network 192.0.2.0\nrouter eigrp X\n address-family ipv4 autonomous-system 1\n  network 192.0.2.0\n", want: []string{"r1:3 error eigrp-twice"}},
	{name: "EIGRP of nobody on an interface", text: ports + " ip hello-interval eigrp 2 7\n ip hold-time eigrp 1 99\nrouter eigrp X\n address-family ipv4 autonomous-system 1\n  network 192.0.2.0\n",
		want: []string{"r1:3 warning eigrp-interface", "r1:4 warning eigrp-interface"}},
	{name: "EIGRP's networks", text: ports + "router eigrp 1\n network 192.0.2.0 0.0.0.255\n network 192.0.3.0 0.0.0.255\n network 10.0.0.0\n", want: []string{"r1:5 warning eigrp-network", "r1:6 warning eigrp-network"}},
	{name: "EIGRP with DHCP", text: "interface Ethernet0\n ip address dhcp\nrouter eigrp 1\n network 192.0.3.0 0.0.0.255\n"},
	{name: "EIGRP's timers", text: ports + " ip hello-interval eigrp 1 20\nrouter eigrp 1\n network 192.0.2.0\n", want: []string{"r1:3 warning eigrp-timers"}},
	{name: "EIGRP's timers in named mode", text: ports + "router eigrp X\n address-family ipv4 autonomous-system 1\n  network 192.0.2.0\n  af-interface default\n   hello-interval 20\n", want: []string{"r1:7 warning eigrp-timers"}},
	{name: "EIGRP's authentication", text: ports + " ip authentication mode eigrp 1 md5\n ip authentication key-chain eigrp 2 k\nrouter eigrp 1\n network 192.0.2.0\nrouter eigrp 2\n network 192.0.2.0\nkey chain k\n key 1\n  key-string x\n",
		want: []string{"r1:3 warning eigrp-auth", "r1:4 warning eigrp-auth"}},
	{name: "EIGRP's keys", text: "key chain none\n key 1\nkey chain old\n key 1\n  key-string x\n  send-lifetime 00:00:00 Jan 1 2026 00:00:00 Feb 1 2026\n key 2\n  key-string y\n  send-lifetime 00:00:00 Jan 1 2026 duration 60\n" +
		"key chain good\n key 1\n  key-string x\n  send-lifetime 00:00:00 Jan 1 2026 duration 60\n key 2\n  key-string y\n  send-lifetime 00:00:00 Jan 1 2031 infinite\n",
		want: []string{"r1:1 warning key-chain-empty", "r1:3 warning key-chain-expired"}},
	{name: "EIGRP's key chain", text: "key chain k\n key 1\n  key-string x\n  send-lifetime 00:00:00 Feb 30 2026 infinite\n  accept-lifetime 25:00:00 Feb 3 2026 infinite\n", want: []string{"r1:4 error bad-value", "r1:5 error bad-value"}},
	{name: "EIGRP summarises", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n no ip split-horizon eigrp 1\n no ip next-hop-self eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n auto-summary\n", want: []string{"r1:26 warning eigrp-auto-summary"}},
	{name: "EIGRP hub of phase 1", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n no ip split-horizon eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n", want: []string{"r1:12 info eigrp-next-hop"}},
	{name: "EIGRP hub of phase 2", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n no ip split-horizon eigrp 1\n no ip next-hop-self eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n"},
	{name: "EIGRP hub of phase 3", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n ip nhrp redirect\n ip summary-address eigrp 1 10.0.0.0 255.0.0.0\nrouter eigrp 1\n network 10.0.0.0\n"},
	{name: "EIGRP hub of phase 3 with next hops", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n ip nhrp redirect\n no ip split-horizon eigrp 1\n no ip next-hop-self eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n",
		want: []string{"r1:24 info eigrp-next-hop"}},
	{name: "EIGRP's summary hides spokes", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n ip summary-address eigrp 1 10.0.0.0 255.0.0.0\n no ip next-hop-self eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n",
		want: []string{"r1:23 warning eigrp-summary"}},
	{name: "EIGRP hub is a stub", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\n no ip split-horizon eigrp 1\nrouter eigrp 1\n network 10.0.0.0\n eigrp stub connected leak-map m\n",
		want: []string{"r1:25 warning eigrp-stub-hub", "r1:25 error undefined"}},
	{name: "EIGRP hub in named mode", text: protect + ports + tunnel + " bandwidth 1000\n ip nhrp map multicast dynamic\nrouter eigrp X\n address-family ipv4 autonomous-system 1\n  network 10.0.0.0\n  af-interface default\n   no split-horizon\n   no next-hop-self\n  af-interface Tunnel0\n   split-horizon\n",
		want: []string{"r1:21 warning eigrp-split-horizon"}},
	{name: "EIGRP's neighbors", text: ports + "router eigrp 1\n network 192.0.2.0\n neighbor 192.0.2.9 Ethernet0\n neighbor 198.51.100.9 Ethernet0\n neighbor 192.0.2.7 Ethernet7\n passive-interface Ethernet8\n redistribute eigrp 1\n",
		want: []string{"r1:6 warning eigrp-neighbor", "r1:7 error undefined", "r1:8 warning eigrp-passive", "r1:9 warning redistribute-none"}},
	{name: "redistribution of nothing", text: ports + "router eigrp 1\n network 192.0.2.0\n redistribute ospf 1\n redistribute rip\n redistribute bgp 7\n redistribute eigrp 3\n redistribute kernel\nrouter bgp 1\n redistribute eigrp 2\n redistribute eigrp 1\n",
		want: []string{"r1:5 warning redistribute-none", "r1:6 warning redistribute-none", "r1:7 warning redistribute-none", "r1:8 warning redistribute-none", "r1:9 warning eigrp-no-metric", "r1:11 warning redistribute-none"}},
	{name: "EIGRP's filters", text: ports + "access-list 101 permit ip any any\nip prefix-list p permit 0.0.0.0/0\nrouter eigrp 1\n network 192.0.2.0\n distribute-list prefix p in\n distribute-list 101 out\n distribute-list prefix q in Ethernet0\n distribute-list route-map m out static\n distribute-list 7 out Ethernet7\n",
		want: []string{"r1:8 info distribute-extended", "r1:9 error undefined", "r1:10 error undefined", "r1:11 error undefined"}},
	{name: "redistribution of iBGP", text: ports + "router bgp 1\n neighbor g peer-group\n neighbor g remote-as 1\n neighbor 192.0.2.9 peer-group g\nrouter eigrp 1\n network 192.0.2.0\n redistribute bgp 1 metric 1 1 1 1 1\n", want: []string{"r1:9 warning redistribute-none"}},
	{name: "redistribution of iBGP that is wanted", text: ports + "router bgp 1\n bgp redistribute-internal\n neighbor 192.0.2.9 remote-as 1\nrouter eigrp 1\n network 192.0.2.0\n redistribute bgp 1 metric 1 1 1 1 1\n"},
	{name: "redistribution of eBGP", text: ports + "router bgp 1\n neighbor 192.0.2.9 remote-as 1\n neighbor 192.0.2.8 remote-as 2\nrouter eigrp 1\n network 192.0.2.0\n redistribute bgp 1 metric 1 1 1 1 1\n"},
	{name: "VPNv4 without MPLS", text: "router bgp 1\n neighbor 10.0.0.9 remote-as 1\n address-family vpnv4\n  neighbor 10.0.0.9 activate\n", want: []string{"r1:1 warning vpnv4-no-mpls"}},
	{name: "MPLS turned off", text: "no mpls ip\n" + ports + " mpls ip\n", want: []string{"r1:4 error mpls-off"}},
	{name: "route distinguishers", text: "ip vrf a\n rd 1:1\nip vrf b\n rd 1:1\nip vrf c\nrouter bgp 1\n address-family ipv4 vrf c\n  redistribute connected\n", want: []string{"r1:4 error rd-duplicate", "r1:5 error vrf-no-rd"}},
	{name: "neighbors", text: ports + "router bgp 1\n neighbor 192.0.2.1 remote-as 1\n neighbor g peer-group\n neighbor 192.0.2.9 peer-group g\n neighbor 192.0.2.8 description x\n", want: []string{"r1:4 error neighbor-self", "r1:6 error neighbor-no-as", "r1:7 error neighbor-undefined"}},
	{name: "conflicts on reading", text: "interface Ethernet0\n ip address 10.0.0.1 255.255.255.0 secondary\n ip address 10.0.0.1 255.255.255.0\n ip address 10.0.0.1 255.255.255.0 secondary\n tunnel key 5\n encapsulation dot1Q 5\n ip vrf forwarding v\nip vrf v\nvrf definition v\nrouter bgp 1\nrouter bgp 2\ncrypto keyring k\ncrypto keyring k vrf v\ncrypto ipsec transform-set t esp-des esp-aes\nip access-list standard s\nip access-list extended s\n",
		want: []string{"r1:2 error no-primary", "r1:4 error address-duplicate", "r1:5 error not-tunnel", "r1:6 error not-subinterface", "r1:7 warning address-removed", "r1:9 error vrf-form", "r1:11 error bgp-as", "r1:13 error keyring-vrf", "r1:14 error transform", "r1:16 error acl-kind"}},
	{name: "no effect", text: "ip cef\n", want: []string{"r1:1 info no-effect"}},

	{name: "key on one router only", text: hubText + "---\n" + strings.Replace(spokeText, " tunnel key 303\n", "", 1), want: []string{"r2:13 error key-mismatch"}},
	{name: "different key", text: hubText + "---\n" + strings.Replace(spokeText, "tunnel key 303", "tunnel key 304", 1), want: []string{"r2:27 error key-mismatch"}},
	{name: "different authentication", text: hubText + "---\n" + strings.Replace(spokeText, "W!eel", "Wheel", 1), want: []string{"r2:18 error nhrp-auth-mismatch"}},
	{name: "different network-id", text: hubText + "---\n" + strings.Replace(spokeText, "network-id 303", "network-id 7", 1), want: []string{"r2:22 info network-id-mismatch"}},
	{name: "different MTU", text: hubText + "---\n" + strings.Replace(spokeText, "mtu 1400", "mtu 1390", 1), want: []string{"r2:16 warning mtu-mismatch"}},
	{name: "addresses of the hub swapped", text: strings.NewReplacer("172.30.255.1 255.255.255.255", "172.30.3.1 255.255.255.255", "172.30.3.1 255.255.255.0", "172.30.255.1 255.255.255.0").Replace(hubText) + "---\n" + spokeText,
		want: []string{"r2:15 error subnet-mismatch", "r2:21 error nhs-address"}},
	{name: "only one protected", text: hubText + "---\n" + strings.Replace(spokeText, " tunnel protection ipsec profile wheel\n", "", 1), want: []string{"r2:13 error protection-mismatch"}},
	{name: "different algorithms", text: hubText + "---\n" + strings.NewReplacer("esp-gcm 256", "esp-gcm 128", "group 14", "group 15", "set pfs group14", "set pfs group19").Replace(spokeText),
		want: []string{"r2:2 error ike-mismatch", "r2:11 error transform-mismatch", "r2:12 warning pfs-mismatch"}},
	{name: "different pre-shared key", text: hubText + "---\n" + strings.NewReplacer("Wheel&Spoke", "other", "ip address dhcp hostname nice", "ip address 198.51.100.7 255.255.255.0").Replace(spokeText), want: []string{"r2:7 error psk-mismatch"}},
	{name: "no pre-shared key for the spoke", text: hubText + "---\n" + strings.NewReplacer("ip address dhcp hostname nice", "ip address 203.0.113.7 255.255.255.0").Replace(spokeText), want: []string{"r2:2 error key-missing"}},
	{name: "IKEv2 here, IKEv1 there", text: hubText + "---\n" + strings.Replace(spokeText, " set pfs group14\n", " set pfs group14\n set ikev2-profile v2\ncrypto ikev2 keyring k\ncrypto ikev2 profile v2\n match identity remote any\n authentication local pre-share\n authentication remote pre-share\n keyring local k\n", 1), want: []string{"r2:35 error ike-mismatch"}},
	{name: "EIGRP authenticated on both", text: hubText + keyed + "---\n" + spokeText + keyed},
	{name: "EIGRP on the hub only", text: hubText + "---\n" + strings.Replace(spokeText, "router eigrp 40\n network 172.30.3.0 0.0.0.255\n", "router eigrp 40\n", 1), want: []string{"r2:13 warning eigrp-peer"}},
	{name: "EIGRP on the spoke only", text: strings.Replace(hubText, " network 172.30.3.0 0.0.0.255\n", "", 1) + "---\n" + spokeText, want: []string{"r2:33 warning eigrp-peer"}},
	{name: "EIGRP with different AS numbers", text: hubText + "---\n" + strings.Replace(spokeText, "eigrp 40", "eigrp 41", 1), want: []string{"r2:33 error eigrp-mismatch"}},
	{name: "EIGRP with different constants", text: hubText + "---\n" + spokeText + " metric weights 0 1 1 1 0 0\n", want: []string{"r2:36 error eigrp-mismatch"}},
	{name: "EIGRP authenticated on one", text: hubText + keyed + "---\n" + spokeText, want: []string{"r2:13 error eigrp-mismatch"}},
	{name: "EIGRP with different keys", text: hubText + keyed + "---\n" + spokeText + strings.Replace(keyed, "key 1\n", "key 2\n", 1), want: []string{"r2:13 error eigrp-mismatch"}},
	{name: "two spokes with one address", text: hubText + "---\n" + spokeText + "---\n" + strings.Replace(spokeText, "hostname nice", "hostname metz", 1), want: []string{"r3:15 error address-duplicate"}},
}

func runCheck(text string) Diagnostics {
	var all Diagnostics
	var trees []*Config
	for i, part := range strings.Split(text, "---\n") {
		c, diags := Parse(fmt.Sprintf("r%d", i+1), []byte(part))
		all = append(all, diags...)
		trees = append(trees, c)
	}
	all = append(all, CheckAt(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), trees...)...)
	all.Sort()
	return all
}

// TestCheck asserts the findings of each case, and compares their text with the golden file.
func TestCheck(t *testing.T) {
	var out strings.Builder
	for _, tc := range checkCases {
		diags := runCheck(tc.text)
		fmt.Fprintf(&out, "# %s\n", tc.name)
		var got []string
		for _, d := range diags {
			got = append(got, fmt.Sprintf("%s:%d %s %s", d.File, d.Line, d.Severity, d.Code))
			fmt.Fprintf(&out, "%s [%s]\n", d, d.Code)
		}
		out.WriteByte('\n')
		for _, w := range tc.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: no %s in\n%v", tc.name, w, diags)
			}
		}
		if len(tc.want) == 0 && len(got) > 0 {
			t.Errorf("%s: findings\n%v", tc.name, diags)
		}
	}
	golden(t, "check.golden", out.String())
}

// TestEveryCodeIsTested reads the package's source for the codes of findings and asserts that a case shows each.
func TestEveryCodeIsTested(t *testing.T) {
	shown := map[string]bool{CodeUnknown: true, CodeAmbiguous: true, CodeIncomplete: true, CodeBadValue: true, CodeNotText: true}
	for _, tc := range checkCases {
		for _, d := range runCheck(tc.text) {
			shown[d.Code] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?:Error|Warning|Info|, s), "([a-z0-9-]+)",`)
	codes := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllSubmatch(text, -1) {
			codes[string(m[1])] = true
		}
	}
	for c := range codes {
		if !shown[c] {
			t.Errorf("no case shows %s", c)
		}
	}
	if len(codes) < 60 {
		t.Errorf("only %d codes found in the source", len(codes))
	}
}
