package labs

import (
	"fmt"
	"slices"
	"strings"

	"nave/testbed/topo"
)

// hubSpoke is the guide's hub and spokes as they stand there: EIGRP over the tunnel, and the spokes' addresses from DHCP.
func hubSpoke() Lab {
	t := topo.Topology{Name: "hub-spoke", Nodes: []topo.Node{segment("172.17.0.254/24")}}
	for n, r := range []string{"hub", "spoke1", "spoke2"} {
		t.Nodes = append(t.Nodes, topo.Node{Name: r, Kind: topo.Router, Config: config(t.Name, r)})
		onSegment(&t, r, "Ethernet0")
		subnet := fmt.Sprintf("192.168.%d", n)
		t.Nodes = append(t.Nodes, topo.Node{Name: fmt.Sprintf("host%d", n), Kind: topo.Host, Gateway: subnet + ".1"})
		t.Links = append(t.Links, topo.Link{
			A: topo.Port{Node: r, Dev: "eth1", Iface: "Ethernet1"},
			B: topo.Port{Node: fmt.Sprintf("host%d", n), Dev: "eth0", Addrs: []string{subnet + ".7/24"}},
		})
	}
	t.Nodes[0].Setup = append(t.Nodes[0].Setup, segmentDHCP)
	return Lab{
		Name: "hub-spoke", Summary: "the hub and spokes of the guide, command by command: EIGRP over the tunnel, DES, addresses from DHCP",
		Topology: t,
		Checks: []Check{
			Registered("hub", "10.0.0.2", "10.0.0.3"),
			EIGRPNeighbors("hub", "10.0.0.2", "10.0.0.3"), EIGRPNeighbors("spoke1", "10.0.0.1"), EIGRPNeighbors("spoke2", "10.0.0.1"),
			// The far spoke is the next hop: what goes there takes a tunnel of its own.
			Routed("spoke1", "", "D 192.168.2.0/24 [90/*] via 10.0.0.3", "D 192.168.0.0/24 [90/*] via 10.0.0.1", "C 192.168.1.0/24 is directly connected, Ethernet1"),
			Routed("spoke2", "", "D 192.168.1.0/24 [90/*] via 10.0.0.2", "D 192.168.0.0/24 [90/*] via 10.0.0.1"),
			Routed("hub", "", "D 192.168.1.0/24 [90/*] via 10.0.0.2", "D 192.168.2.0/24 [90/*] via 10.0.0.3"),
			NoStatics("hub", "spoke1", "spoke2"),
			Ping("host1", "192.168.0.7", ""), Ping("host0", "192.168.2.7", ""), Ping("host1", "192.168.2.7", ""),
			Direct("host1", "192.168.2.7"), Direct("host2", "192.168.1.7"),
		},
		Tables: []Table{
			{"hub", "show ip eigrp neighbors"}, {"hub", "show ip eigrp topology"}, {"hub", "show ip route"},
			{"spoke1", "show ip eigrp neighbors"}, {"spoke1", "show ip eigrp topology"}, {"spoke1", "show ip route"}, {"spoke1", "show dmvpn"},
		},
		Try: []string{"hub: nave show ip eigrp interfaces", "hub: nave show ip eigrp traffic", "spoke1: nave show crypto session", "spoke1: ip route"},
	}
}

// segmentDHCP gives the routers on the segment addresses, and no default route.
const segmentDHCP = "dnsmasq --conf-file=/dev/null --port=0 --interface=wan --bind-interfaces --dhcp-authoritative --no-ping --user=root --pid-file= " +
	"--dhcp-leasefile=/dev/null --dhcp-range=172.17.0.50,172.17.0.60,255.255.255.0,5m --dhcp-option=3"

// dualCloud has two hubs with a tunnel network each, and spokes that are in both. The hubs share the servers' network.
func dualCloud() Lab {
	t := topo.Topology{Name: "dual-cloud", Nodes: []topo.Node{
		segment("192.0.2.254/24"),
		{Name: "servers", Kind: topo.Core, Setup: []string{
			"ip link add lan type bridge", "ip link set lan up", "ip link set hub1 master lan", "ip link set hub2 master lan",
			"ip addr add 10.9.0.7/24 dev lan", "ip route add default via 10.9.0.1",
		}},
	}}
	for n, r := range []string{"hub1", "hub2", "spoke1", "spoke2"} {
		t.Nodes = append(t.Nodes, topo.Node{Name: r, Kind: topo.Router, Config: config(t.Name, r)})
		onSegment(&t, r, "Ethernet0")
		behind := topo.Port{Node: "servers", Dev: r}
		if n >= 2 {
			subnet := fmt.Sprintf("10.%d.0", n-1)
			behind = topo.Port{Node: fmt.Sprintf("host%d", n-1), Dev: "eth0", Addrs: []string{subnet + ".7/24"}}
			t.Nodes = append(t.Nodes, topo.Node{Name: behind.Node, Kind: topo.Host, Gateway: subnet + ".1"})
		}
		t.Links = append(t.Links, topo.Link{A: topo.Port{Node: r, Dev: "eth1", Iface: "Ethernet1"}, B: behind})
	}
	return Lab{
		Name: "dual-cloud", Summary: "two hubs with a cloud each, and EIGRP: traffic to what is behind both takes both, and the one that is left",
		Topology: t,
		Checks: []Check{
			Registered("hub1", "10.255.1.11", "10.255.1.12"), Registered("hub2", "10.255.2.11", "10.255.2.12"),
			EIGRPNeighbors("spoke1", "10.255.1.1", "10.255.2.1"), EIGRPNeighbors("hub1", "10.255.1.11", "10.255.1.12", "10.9.0.2"),
			Routed("spoke1", "", "D 10.9.0.0/24 [90/*] via 10.255.1.1", "D 10.9.0.0/24 [90/*] via 10.255.2.1",
				"D 10.2.0.0/24 [90/*] via 10.255.1.12", "D 10.2.0.0/24 [90/*] via 10.255.2.12"),
			Ping("host1", "10.9.0.7", ""), Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"),
		},
		Tables: []Table{{"spoke1", "show ip eigrp neighbors"}, {"spoke1", "show ip eigrp topology"}, {"spoke1", "show ip route"}, {"spoke1", "show ip cef 10.9.0.7"}},
		Try:    []string{"hub2: end its naved, and see the spokes go on"},
	}
}

// EIGRPNeighbors checks that a router has neighbors in the global table.
func EIGRPNeighbors(router string, neighbors ...string) Check {
	return Check{
		What: fmt.Sprintf("%s speaks EIGRP with %s", router, strings.Join(neighbors, " and ")),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				out, err := l.Nave(router, "show", "ip", "eigrp", "neighbors")
				if err != nil {
					return err
				}
				words := strings.Fields(out)
				for _, n := range neighbors {
					if !slices.Contains(words, n) {
						return fmt.Errorf("%s has no neighbor %s:\n%s", router, n, out)
					}
				}
				return nil
			})
		},
	}
}

// Routed checks that lines of `show ip route`, of a VRF or with "" of the global table, begin so; a star stands for any digits.
func Routed(router, vrf string, lines ...string) Check {
	return Check{
		What: fmt.Sprintf("%s has the routes: %s", router, strings.Join(lines, "; ")),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				out, err := Routes(l, router, vrf)
				if err != nil {
					return err
				}
				for _, want := range lines {
					if !HasRoute(out, want) {
						return fmt.Errorf("%s has no route %q:\n%s", router, want, out)
					}
				}
				return nil
			})
		},
	}
}

// Routes is `show ip route` of a router, of a VRF or with "" of the global table.
func Routes(l *topo.Lab, router, vrf string) (string, error) {
	words := []string{"show", "ip", "route"}
	if vrf != "" {
		words = append(words, "vrf", vrf)
	}
	return l.Nave(router, words...)
}

// HasRoute tells whether a line of `show ip route` begins so; a star stands for any digits, and spaces are as wide as they like. Of a route of several ways each way is a line like
// the first.
func HasRoute(text, want string) bool {
	head, tail, star := strings.Cut(want, "*")
	var route string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, "[") {
			line = route + line
		} else if k := strings.IndexByte(line, '['); k > 0 {
			route = line[:k]
		}
		rest, ok := strings.CutPrefix(line, head)
		if star {
			rest = strings.TrimLeft(rest, "0123456789")
		}
		if ok && (!star || strings.HasPrefix(rest, tail)) && ends(strings.TrimPrefix(rest, tail)) {
			return true
		}
	}
	return false
}

// ends tells whether what follows is not the rest of a number or name that is not meant.
func ends(rest string) bool { return rest == "" || rest[0] == ',' || rest[0] == ' ' }

// NoStatics checks that routers have no static route, configured or running.
func NoStatics(routers ...string) Check {
	return Check{
		What: fmt.Sprintf("no static route on %s", strings.Join(routers, ", ")),
		Run: func(l *topo.Lab) error {
			for _, r := range routers {
				if n, _ := l.Topology.Node(r); strings.Contains(n.Config, "\nip route ") {
					return fmt.Errorf("the configuration of %s has a static route", r)
				}
				out, err := Routes(l, r, "")
				if err != nil {
					return err
				}
				for line := range strings.SplitSeq(out, "\n") {
					if strings.HasPrefix(line, "S ") || strings.HasPrefix(line, "S*") {
						return fmt.Errorf("%s has the route %q", r, line)
					}
				}
			}
			return nil
		},
	}
}
