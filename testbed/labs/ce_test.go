package labs

import (
	"fmt"
	"strings"
	"testing"

	"nave/testbed/topo"
)

// peConfig is a router with customers in VRFs red and blue, which speak BGP to it from the same addresses, and a VRF that red shares with others: routes leak between the two
// by route targets.
const peConfig = `hostname pe
ip vrf red
 rd 1:1
 route-target both 1:1
 route-target import 3:3
ip vrf blue
 rd 2:2
 route-target both 2:2
ip vrf shared
 rd 3:3
 route-target export 3:3
 route-target import 1:1
interface Loopback0
 ip address 10.9.9.1 255.255.255.255
interface Ethernet0
 ip vrf forwarding red
 ip address 10.5.0.1 255.255.255.0
interface Ethernet1
 ip vrf forwarding blue
 ip address 10.5.0.1 255.255.255.0
interface Ethernet2
 ip vrf forwarding red
 ip address 10.7.0.1 255.255.255.0
interface Ethernet3
 ip vrf forwarding blue
 ip address 10.7.0.1 255.255.255.0
interface Ethernet4
 ip vrf forwarding shared
 ip address 10.8.0.1 255.255.255.0
router bgp 65000
 address-family ipv4 vrf red
  neighbor 10.5.0.2 remote-as 65001
  neighbor 10.5.0.2 password 0 only4red
  redistribute connected
 address-family ipv4 vrf blue
  neighbor 10.5.0.2 remote-as 65002
  redistribute connected
 address-family ipv4 vrf shared
  redistribute connected
`

const ceConfig = `hostname ce
interface Loopback0
 ip address 10.9.9.2 255.255.255.255
interface Ethernet0
 ip address 10.5.0.2 255.255.255.0
interface Ethernet1
 ip address 10.6.0.1 255.255.255.0
router bgp AS
 neighbor 10.5.0.1 remote-as 65000
 PASSWORD
 redistribute connected
`

// Neighbours inside VRFs: their routes are in their VRF and in those that import them, and in no other.
func TestBGPInsideVRFs(t *testing.T) {
	t.Parallel()
	ce := func(as, password string) string {
		return strings.NewReplacer("AS\n", as+"\n", "PASSWORD", password).Replace(ceConfig)
	}
	top := topo.Topology{Name: "ce", Nodes: []topo.Node{
		{Name: "pe", Kind: topo.Router, Config: peConfig},
		{Name: "cered", Kind: topo.Router, Config: ce("65001", "neighbor 10.5.0.1 password 0 only4red")},
		{Name: "ceblue", Kind: topo.Router, Config: ce("65002", "no auto-summary")},
	}}
	for k, color := range []string{"red", "blue"} {
		only := []int{redOnly, blueOnly}[k]
		pe, near := []string{"0", "1"}[k], []string{"2", "3"}[k]
		top.Links = append(top.Links, topo.Link{A: topo.Port{Node: "pe", Dev: "eth" + pe, Iface: "Ethernet" + pe}, B: topo.Port{Node: "ce" + color, Dev: "eth0", Iface: "Ethernet0"}})
		site(&top, color+"1", "pe", "eth"+near, "Ethernet"+near, "10.7.0", "10.7.0.1", only)
		site(&top, color+"2", "ce"+color, "eth1", "Ethernet1", "10.6.0", "10.6.0.1", only)
	}
	site(&top, "shared1", "pe", "eth4", "Ethernet4", "10.8.0", "10.8.0.1", redOnly)
	l := topo.ForTest(t, top)
	check(t, l, peered("cered"), peered("ceblue"),
		Ping("red1", "10.6.0.7", ""), Ping("red1", "10.6.0.101", ""), Unreachable("red1", "10.6.0.102"), Ping("red2", "10.7.0.101", ""),
		Ping("blue1", "10.6.0.7", ""), Ping("blue1", "10.6.0.102", ""), Unreachable("blue1", "10.6.0.101"), Ping("blue2", "10.7.0.102", ""),
		Ping("red1", "10.8.0.7", ""), Ping("red2", "10.8.0.7", ""), Ping("shared1", "10.6.0.101", ""), Unreachable("blue1", "10.8.0.7"), Unreachable("blue2", "10.8.0.7"),
		Unreachable("shared1", "10.6.0.102"))
	lines(t, l, "pe", strings.Fields("show ip bgp vpnv4 vrf red"), []string{"10.6.0.0/24", "65001 ?"})
	// without the password there is no session, and the others' go on
	reload(t, l, "pe", strings.Replace(peConfig, "only4red", "another1", 1))
	reload(t, l, "cered", ce("65001", "no auto-summary"))
	check(t, l, cut("red1", "10.6.0.7"), cut("shared1", "10.6.0.101"), Ping("blue1", "10.6.0.102", ""), Ping("red1", "10.8.0.7", ""))
	reload(t, l, "cered", ce("65001", "neighbor 10.5.0.1 password 0 another1"))
	check(t, l, peered("cered"), Ping("red1", "10.6.0.101", ""), Ping("shared1", "10.6.0.101", ""), Unreachable("blue1", "10.6.0.101"))
	// a neighbour inside a VRF goes, with the session and the server for the VRF, and comes back
	reload(t, l, "pe", strings.Replace(peConfig, "  neighbor 10.5.0.2 remote-as 65002\n", "", 1))
	check(t, l, cut("blue1", "10.6.0.7"), Ping("blue1", "10.7.0.1", ""))
	reload(t, l, "pe", peConfig)
	check(t, l, peered("ceblue"), Ping("blue1", "10.6.0.102", ""))
}

// peered checks that a customer's router has a session with the provider's.
func peered(router string) Check {
	return Check{
		What: router + " speaks BGP with 10.5.0.1",
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				out, err := l.Nave(router, "show", "ip", "bgp", "summary")
				if err == nil && !up(out, "10.5.0.1") {
					err = fmt.Errorf("%s has no session:\n%s", router, out)
				}
				return err
			})
		},
	}
}
