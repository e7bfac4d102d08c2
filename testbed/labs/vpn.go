package labs

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"nave/testbed/topo"
)

// Hosts of a VPN answer at the address 7 of their site, as those of the other VPN do, and at one that only they have.
const (
	redOnly  = 101
	blueOnly = 102
)

// segment makes a node a switch between the routers on it.
func segment(addrs ...string) topo.Node {
	n := topo.Node{Name: "internet", Kind: topo.Core, Setup: []string{"ip link add wan type bridge", "ip link set wan up"}}
	for _, a := range addrs {
		n.Setup = append(n.Setup, "ip addr add "+a+" dev wan")
	}
	return n
}

// onSegment puts a router on the switch.
func onSegment(t *topo.Topology, router, iface string) {
	t.Links = append(t.Links, topo.Link{A: topo.Port{Node: router, Dev: "eth0", Iface: iface}, B: topo.Port{Node: "internet", Dev: router}})
	t.Nodes[0].Setup = append(t.Nodes[0].Setup, "ip link set "+router+" master wan")
}

// site puts a host behind a router. Its device there is dev, and only is the last byte of the address that no other host of the site has.
func site(t *topo.Topology, host, router, dev, iface, subnet, gateway string, only int) {
	t.Nodes = append(t.Nodes, topo.Node{Name: host, Kind: topo.Host, Gateway: gateway})
	t.Links = append(t.Links, topo.Link{
		A: topo.Port{Node: router, Dev: dev, Iface: iface},
		B: topo.Port{Node: host, Dev: "eth0", Addrs: []string{subnet + ".7/24", fmt.Sprintf("%s.%d/24", subnet, only)}},
	})
}

// vpnCloud is a hub and two spokes, each with a site of red and one of blue.
func vpnCloud(name string) topo.Topology {
	t := topo.Topology{Name: name, Nodes: []topo.Node{segment("172.0.0.254/24")}}
	for n, r := range []string{"hub", "spoke2", "spoke3"} {
		t.Nodes = append(t.Nodes, topo.Node{Name: r, Kind: topo.Router, Config: config(name, r)})
		onSegment(&t, r, "Ethernet0/0")
		subnet := fmt.Sprintf("192.168.%d", 10+n)
		site(&t, fmt.Sprintf("red%d", n+1), r, "eth1", "Ethernet1/0", subnet, subnet+".2", redOnly)
		site(&t, fmt.Sprintf("blue%d", n+1), r, "eth2", "Ethernet2/0", subnet, subnet+".2", blueOnly)
	}
	return t
}

// matrix is the checks that hosts of a VPN reach one another between all sites, and nobody of the other VPN.
func matrix(sites ...int) (out []Check) {
	var never [][2]string
	for _, from := range sites {
		for _, to := range sites {
			if from == to {
				continue
			}
			subnet := fmt.Sprintf("192.168.%d", 9+to)
			red, blue := fmt.Sprintf("red%d", from), fmt.Sprintf("blue%d", from)
			out = append(out, Ping(red, subnet+".7", ""), Ping(red, fmt.Sprint(subnet, ".", redOnly), ""), Ping(blue, subnet+".7", ""), Ping(blue, fmt.Sprint(subnet, ".", blueOnly), ""))
			never = append(never, [2]string{red, fmt.Sprint(subnet, ".", blueOnly)}, [2]string{blue, fmt.Sprint(subnet, ".", redOnly)})
		}
	}
	return append(out, Apart(never...))
}

// bgp2547 is the guide's 2547oDMVPN by BGP alone.
func bgp2547() Lab {
	return Lab{
		Name: "2547-bgp", Summary: "VPNs red and blue over one cloud: the hub reflects their routes and swaps their labels",
		Topology: vpnCloud("2547-bgp"),
		Checks:   append([]Check{Registered("hub", "10.0.0.11", "10.0.0.12"), Established("hub", "10.0.0.11", "10.0.0.12")}, matrix(1, 2, 3)...),
		Tables: []Table{
			{"hub", "show ip bgp vpnv4 all"}, {"hub", "show mpls forwarding-table"}, {"spoke2", "show ip route vrf red"}, {"spoke2", "show ip cef vrf red 192.168.12.7"},
		},
		Try: []string{"hub: nave show ip vrf", "spoke2: nave show ip bgp vpnv4 vrf blue", "spoke2: nave show mpls forwarding-table"},
	}
}

// enterprise2547 is the guide's 2547oDMVPN for branches.
func enterprise2547() Lab {
	return Lab{
		Name: "2547-enterprise", Summary: "VPNs red and blue from loopback to loopback: packets carry the label of the loopback and that of the VPN",
		Topology: vpnCloud("2547-enterprise"),
		Checks: append([]Check{
			Registered("hub", "10.0.0.11", "10.0.0.12"), Established("hub", "10.9.9.11", "10.9.9.12"),
			Routed("spoke2", "", "D 10.9.9.1/32 [90/*] via 10.0.0.1", "D 10.9.9.12/32 [90/*] via 10.0.0.1"), NoStatics("hub", "spoke2", "spoke3"),
			Routed("spoke2", "red", "B 192.168.12.0/24 [200/0] via 10.9.9.12", "C 192.168.11.0/24 is directly connected, Ethernet1/0"),
			Routed("spoke2", "blue", "B 192.168.12.0/24 [200/0] via 10.9.9.12", "C 192.168.11.0/24 is directly connected, Ethernet2/0"),
		}, matrix(1, 2, 3)...),
		Tables: []Table{
			{"hub", "show ip eigrp neighbors"}, {"spoke2", "show ip route"}, {"spoke2", "show ip route vrf red"}, {"spoke2", "show ip route vrf blue"}, {"hub", "show mpls ldp neighbor"}, {"hub", "show mpls forwarding-table"}, {"spoke2", "show mpls ldp bindings"}, {"spoke2", "show ip cef vrf red 192.168.12.7"},
		},
		Try: []string{"hub: nave show ip bgp vpnv4 all", "spoke2: nave show ip route vrf red"},
	}
}

// vrfAware is the guide's VRF-aware DMVPN.
func vrfAware() Lab {
	t := topo.Topology{Name: "vrf-aware", Nodes: []topo.Node{
		{Name: "internet", Kind: topo.Core},
		{Name: "hub", Kind: topo.Router, Config: config("vrf-aware", "hub")},
		{Name: "blue", Kind: topo.Router, Config: config("vrf-aware", "blue")},
		{Name: "red", Kind: topo.Router, Config: config("vrf-aware", "red")},
	}}
	for k, color := range []string{"blue", "red"} { // the two clouds have an internet each
		sw := "wan-" + color
		t.Nodes[0].Setup = append(t.Nodes[0].Setup, "ip link add "+sw+" type bridge", "ip link set "+sw+" up",
			"ip link set hub-"+color+" master "+sw, "ip link set "+color+" master "+sw)
		t.Links = append(t.Links,
			topo.Link{A: topo.Port{Node: "hub", Dev: fmt.Sprint("eth", k), Iface: fmt.Sprint("Ethernet", k)}, B: topo.Port{Node: "internet", Dev: "hub-" + color}},
			topo.Link{A: topo.Port{Node: color, Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: "internet", Dev: color}})
		only := []int{blueOnly, redOnly}[k]
		site(&t, color+"1", "hub", fmt.Sprint("eth", 2+k), fmt.Sprint("Ethernet", 2+k), "10.9.0", "10.9.0.1", only)
		site(&t, color+"2", color, "eth1", "Ethernet1", "192.168.1", "192.168.1.1", only)
	}
	checks := []Check{
		Routed("hub", "BLUE", "D 192.168.1.0/24 [90/*] via 10.0.0.2"), Routed("hub", "RED", "D 192.168.1.0/24 [90/*] via 10.0.0.2"),
		Routed("blue", "", "D 10.9.0.0/24 [90/*] via 10.0.0.1"), Routed("red", "", "D 10.9.0.0/24 [90/*] via 10.0.0.1"), NoStatics("hub", "blue", "red"),
	}
	var never [][2]string
	for k, color := range []string{"blue", "red"} {
		mine, other := []int{blueOnly, redOnly}[k], []int{redOnly, blueOnly}[k]
		for _, way := range [][2]string{{color + "1", "192.168.1"}, {color + "2", "10.9.0"}} {
			checks = append(checks, Ping(way[0], way[1]+".7", ""), Ping(way[0], fmt.Sprint(way[1], ".", mine), ""))
			never = append(never, [2]string{way[0], fmt.Sprint(way[1], ".", other)})
		}
	}
	checks = append(checks, Apart(never...))
	return Lab{
		Name: "vrf-aware", Summary: "two clouds, BLUE and RED, on one hub, with the same addresses in both",
		Topology: t, Checks: checks,
		Tables: []Table{{"hub", "show ip vrf"}, {"hub", "show dmvpn"}, {"hub", "show ip route vrf BLUE"}, {"hub", "show ip route vrf RED"}},
		Try:    []string{"hub: nave show ip nhrp", "hub: nave show crypto session", "hub: ip netns list"},
	}
}

// vrfTunnel has the internet in one VRF and the hosts in another.
func vrfTunnel() Lab {
	t := topo.Topology{Name: "vrf-tunnel", Nodes: []topo.Node{segment("192.0.2.254/24")}}
	for n, r := range []string{"hub", "spoke1", "spoke2"} {
		t.Nodes = append(t.Nodes, topo.Node{Name: r, Kind: topo.Router, Config: config("vrf-tunnel", r)})
		onSegment(&t, r, "Ethernet0")
		subnet := fmt.Sprintf("10.%d.0", n)
		site(&t, fmt.Sprintf("host%d", n), r, "eth1", "Ethernet1", subnet, subnet+".1", redOnly)
	}
	return Lab{
		Name: "vrf-tunnel", Summary: "the internet in one VRF, the hosts in another, tunnels between the two",
		Topology: t,
		Checks: []Check{
			Ping("host1", "10.0.0.7", ""), Ping("host0", "10.2.0.7", ""), Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"),
			Unreachable("host1", "192.0.2.254"), Unreachable("internet", "10.1.0.7"),
		},
		Tables: []Table{{"hub", "show dmvpn"}, {"hub", "show ip vrf"}, {"spoke1", "show ip route vrf CUST"}, {"spoke1", "show ip route vrf NET"}},
		Try:    []string{"spoke1: nave show crypto session"},
	}
}

// trunk has two routers with subinterfaces on one cable.
func trunk() Lab {
	t := topo.Topology{Name: "trunk", Links: []topo.Link{{
		A: topo.Port{Node: "west", Dev: "eth0", Iface: "Ethernet0/0"}, B: topo.Port{Node: "east", Dev: "eth0", Iface: "Ethernet0/0"},
	}}}
	for n, r := range []string{"west", "east"} {
		t.Nodes = append(t.Nodes, topo.Node{Name: r, Kind: topo.Router, Config: config("trunk", r)})
		subnet := fmt.Sprintf("192.168.%d", n+1)
		site(&t, fmt.Sprintf("red%d", n+1), r, "eth1", "Ethernet1/0", subnet, subnet+".1", redOnly)
		site(&t, fmt.Sprintf("blue%d", n+1), r, "eth2", "Ethernet2/0", subnet, subnet+".1", blueOnly)
	}
	return Lab{
		Name: "trunk", Summary: "two routers on a trunk, a subinterface for each VRF, the same addresses in both",
		Topology: t,
		Checks: []Check{
			Ping("red1", "192.168.2.7", ""), Ping("red1", "192.168.2.101", ""), Ping("blue2", "192.168.1.7", ""), Ping("blue2", "192.168.1.102", ""),
			Apart([2]string{"red1", "192.168.2.102"}, [2]string{"blue2", "192.168.1.101"}),
			Ping("red1", "10.0.0.2", ""), Ping("blue1", "10.0.0.2", ""),
		},
		Tables: []Table{{"west", "show ip vrf"}, {"west", "show ip route vrf red"}, {"west", "show interfaces"}},
	}
}

// Established checks that BGP sessions with neighbours stand.
func Established(router string, neighbours ...string) Check {
	return Check{
		What: fmt.Sprintf("%s speaks BGP with %s", router, strings.Join(neighbours, " and ")),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				out, err := l.Nave(router, "show", "ip", "bgp", "vpnv4", "all", "summary")
				if err != nil {
					return err
				}
				for _, n := range neighbours {
					if !up(out, n) {
						return fmt.Errorf("%s has no session with %s:\n%s", router, n, out)
					}
				}
				return nil
			})
		},
	}
}

// up tells whether the line of a neighbour in a summary of BGP ends in a number of prefixes and not in a state.
func up(summary, neighbour string) bool {
	for _, line := range strings.Split(summary, "\n") {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == neighbour {
			return strings.Trim(f[len(f)-1], "0123456789") == ""
		}
	}
	return false
}

// Unreachable checks that a node gets no answer from an address.
func Unreachable(node, to string) Check {
	return Check{
		What: fmt.Sprintf("%s does not reach %s", node, to),
		Run: func(l *topo.Lab) error {
			return unreachable(l, node, to)
		},
	}
}

func unreachable(l *topo.Lab, node, to string) error {
	if out, err := l.Run(node, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", to); err == nil {
		return fmt.Errorf("%s answers %s: %s", to, node, out)
	}
	return nil
}

// Apart is Unreachable of many ways at once, each from a node to an address.
func Apart(ways ...[2]string) Check {
	return Check{
		What: fmt.Sprintf("none of %d ways from one VPN into another leads there", len(ways)),
		Run: func(l *topo.Lab) error {
			failed := make([]error, len(ways))
			var pings sync.WaitGroup
			for k, w := range ways {
				pings.Go(func() { failed[k] = unreachable(l, w[0], w[1]) })
			}
			pings.Wait()
			return errors.Join(failed...)
		},
	}
}
