// Package labs holds labs to play with and to test with: topologies, the configurations of their routers, and what must
// hold once they are up.
package labs

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"nave/testbed/topo"
)

// patience is how long what must hold may take to on a machine that is busy with other things. Nobody waits for it where all is well.
const patience = 90 * time.Second

//go:embed configs
var configs embed.FS

// Lab is a topology and what must hold in it.
type Lab struct {
	Name     string
	Summary  string
	Topology topo.Topology
	Checks   []Check
	Tables   []Table  // what to print once it is up
	Try      []string // what else to look at
	// Measure tells by numbers what the lab is about, a line each; nil for most.
	Measure func(*topo.Lab, io.Writer) error
}

// Check is something that must hold.
type Check struct {
	What string
	Run  func(*topo.Lab) error
}

// Table is a show command on a router.
type Table struct {
	Router  string
	Command string
}

// All lists the labs.
func All() []Lab {
	return []Lab{
		protected(), hubSpoke(), guide(), phase3(), phase2(), dualHub(), dualCloud(), dhcp(), vrfAware(), vrfTunnel(), trunk(), bgp2547(), enterprise2547(), hardware(),
		natLab(NATCloud()), natLab(NATHubCloud()),
	}
}

// Find finds a lab by name.
func Find(name string) (Lab, error) {
	all := All()
	if k := slices.IndexFunc(all, func(l Lab) bool { return l.Name == name }); k >= 0 {
		return all[k], nil
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
	}
	return Lab{}, fmt.Errorf("there is no lab %q; there are: %s", name, strings.Join(names, ", "))
}

// config reads the configuration of a router of a lab.
func config(lab, router string) string {
	text, err := configs.ReadFile("configs/" + lab + "/" + router + ".cfg")
	if err != nil {
		panic(err) // a file that the build has left out
	}
	return string(text)
}

// star is hubs and two spokes around an internet, with a host behind each spoke.
func star(name string, hubs ...string) topo.Topology {
	t := topo.Topology{Name: name, Nodes: []topo.Node{{Name: "internet", Kind: topo.Core}}}
	wan := func(router, core string, addrs ...string) {
		t.Nodes = append(t.Nodes, topo.Node{Name: router, Kind: topo.Router, Config: config(name, router)})
		t.Links = append(t.Links, topo.Link{
			A: topo.Port{Node: router, Dev: "eth0", Iface: "Ethernet0"},
			B: topo.Port{Node: "internet", Dev: core, Addrs: addrs},
		})
	}
	for _, h := range hubs {
		wan(h, h)
	}
	if len(hubs) == 1 {
		t.Links[0].B.Addrs = []string{"192.0.2.254/24"}
	} else { // several hubs share a segment
		t.Nodes[0].Setup = append(t.Nodes[0].Setup, "ip link add hubs type bridge", "ip addr add 192.0.2.254/24 dev hubs", "ip link set hubs up")
		for _, h := range hubs {
			t.Nodes[0].Setup = append(t.Nodes[0].Setup, "ip link set "+h+" master hubs")
		}
	}
	wan("spoke1", "spoke1", "198.51.100.254/24")
	wan("spoke2", "spoke2", "203.0.113.254/24")
	for n := 1; n <= 2; n++ {
		host, spoke := fmt.Sprintf("host%d", n), fmt.Sprintf("spoke%d", n)
		t.Nodes = append(t.Nodes, topo.Node{Name: host, Kind: topo.Host, Gateway: fmt.Sprintf("10.%d.0.1", n)})
		t.Links = append(t.Links, topo.Link{
			A: topo.Port{Node: spoke, Dev: "eth1", Iface: "Ethernet1"},
			B: topo.Port{Node: host, Dev: "eth0", Addrs: []string{fmt.Sprintf("10.%d.0.7/24", n)}},
		})
	}
	return t
}

func phase3() Lab {
	return Lab{
		Name: "phase3", Summary: "a hub and two spokes; the hub redirects, the spokes take shortcuts",
		Topology: star("phase3", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"),
			Ping("spoke1", "10.255.0.1", ""), Ping("spoke1", "10.2.0.1", "10.1.0.1"),
		},
		Tables: dmvpnTables("hub", "spoke1", "spoke2"),
		Try:    []string{"spoke1: nave show ip route", "hub: nave show ip nhrp traffic", "spoke1: nave show fastpath"},
	}
}

func protected() Lab {
	return Lab{
		Name: "protected", Summary: "phase3 under IKEv2 and ESP with AES-GCM: what crosses the internet is sealed",
		Topology: star("protected", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"),
			Ping("spoke1", "10.255.0.1", ""), Ping("spoke1", "10.2.0.1", "10.1.0.1"),
		},
		Tables: append(dmvpnTables("hub", "spoke1", "spoke2"), Table{"spoke1", "show crypto session detail"}, Table{"spoke1", "show crypto ikev2 sa"}),
		Try:    []string{"spoke1: nave show crypto ipsec sa", "spoke1: nave clear crypto session", "hub: nave show dmvpn detail"},
	}
}

func guide() Lab {
	l := Lab{
		Name: "guide", Summary: "the protected cloud of the guide, command by command: IKE and ESP with DES, a key for everybody",
		Topology: star("guide", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"),
		},
		Tables: append(dmvpnTables("hub", "spoke1", "spoke2"), Table{"hub", "show crypto isakmp sa"}, Table{"hub", "show crypto ipsec sa"}, Table{"hub", "show crypto session"}),
		Try:    []string{"hub: nave show crypto isakmp policy", "hub: nave show crypto map"},
	}
	l.Topology.Nodes[0].Setup = []string{dhcpServer}
	return l
}

func phase2() Lab {
	return Lab{
		Name: "phase2", Summary: "a hub and two spokes; routes name the far spoke, and its address is resolved",
		Topology: star("phase2", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"),
		},
		Tables: dmvpnTables("hub", "spoke1", "spoke2"),
	}
}

func dualHub() Lab {
	return Lab{
		Name: "dual-hub", Summary: "two hubs on one tunnel; a spoke that loses one goes on with the other",
		Topology: star("dual-hub", "hub1", "hub2"),
		Checks: []Check{
			Registered("hub1", "10.255.0.11", "10.255.0.12"), Registered("hub2", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"),
		},
		Tables: dmvpnTables("hub1", "hub2", "spoke1"),
		Try:    []string{"spoke1: nave show ip nhrp nhs", "hub1: end its naved, and see the spokes go on"},
	}
}

func dhcp() Lab {
	l := Lab{
		Name: "dhcp", Summary: "a spoke whose address comes from DHCP",
		Topology: star("dhcp", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"),
		},
		Tables: dmvpnTables("hub", "spoke1"),
	}
	l.Topology.Nodes[0].Setup = []string{dhcpServer}
	return l
}

// dhcpServer gives spoke 1 an address.
const dhcpServer = "dnsmasq --conf-file=/dev/null --port=0 --interface=spoke1 --bind-interfaces --dhcp-authoritative --no-ping --user=root --pid-file= " +
	"--dhcp-leasefile=/dev/null --dhcp-range=198.51.100.50,198.51.100.60,255.255.255.0,5m --dhcp-option=3,198.51.100.254"

func dmvpnTables(routers ...string) (out []Table) {
	for _, r := range routers {
		out = append(out, Table{r, "show dmvpn"}, Table{r, "show ip nhrp"})
	}
	return out
}

// Registered checks that clients have registered with a hub.
func Registered(hub string, clients ...string) Check {
	return Check{
		What: fmt.Sprintf("%s has the registrations of %s", hub, strings.Join(clients, " and ")),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				out, err := l.Nave(hub, "show", "ip", "nhrp")
				if err != nil {
					return err
				}
				for _, c := range clients {
					if !strings.Contains(out, c+"/32") {
						return fmt.Errorf("%s does not know %s:\n%s", hub, c, out)
					}
				}
				return nil
			})
		},
	}
}

// Ping checks that a node reaches an address, from a source address if that is not empty.
func Ping(node, to, from string) Check {
	return Check{
		What: fmt.Sprintf("%s reaches %s", node, to),
		Run: func(l *topo.Lab) error {
			args := []string{"ping", "-n", "-c", "1", "-W", "1", to}
			if from != "" {
				args = append(args, "-I", from)
			}
			return topo.Eventually(patience, func() error { _, err := l.Run(node, args...); return err })
		},
	}
}

// Direct checks that packets between hosts behind two spokes come to take two routers and not three.
func Direct(host, to string) Check {
	return Check{
		What: fmt.Sprintf("%s reaches %s without the hub", host, to),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(patience, func() error {
				ttl, err := ReplyTTL(l, host, to)
				if err == nil && ttl != 62 {
					err = fmt.Errorf("answers come with TTL %d, so by %d routers", ttl, 64-ttl)
				}
				return err
			})
		},
	}
}

// ReplyTTL pings once and returns the TTL of the answer.
func ReplyTTL(l *topo.Lab, node, to string) (int, error) {
	out, err := l.Run(node, "ping", "-n", "-c", "1", "-W", "1", to)
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(out, "ttl=")
	var ttl int
	if _, err := fmt.Sscanf(after, "%d", &ttl); !ok || err != nil {
		return 0, fmt.Errorf("ping printed no TTL: %s", out)
	}
	return ttl, nil
}
