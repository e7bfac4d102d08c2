package interop

import (
	"regexp"

	"nave/testbed/topo"
)

// A scenario in which nodes have addresses of 10.99.0.0/24 has a NAT box: 192.0.2.50 outside, 10.99.0.1 inside. One node behind it has that address for itself:
// every protocol and port is translated, both ways. Several share it: each has its ports, and reaches others before they reach it. What else the box may do, tests
// tell its nftables.
const (
	natOutside = "192.0.2.50"
	natInside  = "10.99.0.12" // of a node that is alone
	natNode    = "nat"
)

var natAddress = regexp.MustCompile(`(?m)(^ ip address |^NBMA=)10\.99\.0\.`)

func behindNAT(text string) bool { return natAddress.MatchString(text) }

// segment says where a node with this configuration or these settings has its cable: a node and its bridge.
func segment(text string) (node, bridge string) {
	if behindNAT(text) {
		return natNode, "inside"
	}
	return "internet", "wan"
}

// addNAT adds the box, with so many nodes behind it.
func addNAT(top *topo.Topology, behind int) {
	rules := []string{
		"nft add rule ip nat out oifname eth0 ip saddr " + natInside + " snat to " + natOutside,
		"nft add rule ip nat in iifname eth0 dnat to " + natInside,
	}
	if behind > 1 {
		rules = []string{
			"nft add rule ip nat out oifname eth0 ip saddr 10.99.0.0/24 snat to " + natOutside,
			// An ICMP error would tell who is outside more than most boxes do, and what is let in would keep a port from those behind.
			"nft add chain ip nat self { type filter hook input priority 0 ; }", "nft add rule ip nat self iifname eth0 meta l4proto { udp, esp } drop",
		}
	}
	top.Nodes[0].Setup = append(top.Nodes[0].Setup, "ip link set nat master wan")
	top.Nodes = append(top.Nodes, topo.Node{Name: natNode, Kind: topo.Core, Gateway: "192.0.2.254", Setup: append([]string{
		"ip link add inside type bridge mcast_snooping 0 stp_state 0", "ip addr add 10.99.0.1/24 dev inside", "ip link set inside up",
		"nft add table ip nat",
		"nft add chain ip nat out { type nat hook postrouting priority 100 ; }",
		"nft add chain ip nat in { type nat hook prerouting priority -100 ; }",
	}, rules...)})
	top.Links = append(top.Links, topo.Link{A: topo.Port{Node: "internet", Dev: "nat"}, B: topo.Port{Node: natNode, Dev: "eth0", Addrs: []string{natOutside + "/24"}}})
}
