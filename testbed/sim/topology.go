package sim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/testbed/topo"
)

// FromTopology makes a network of what is otherwise built of namespaces. Of a core's setup it understands bridges, with an
// address or without, and the default route; DHCP is for the test to play (Router.SetLease).
func FromTopology(t testing.TB, seed uint64, top topo.Topology, cfg LinkConfig) *Net {
	t.Helper()
	if err := top.Check(); err != nil {
		t.Fatal(err)
	}
	n := New(t, seed)
	masters := make(map[string]string) // "node dev" to segment
	for _, d := range top.Nodes {
		switch d.Kind {
		case topo.Router:
			n.AddRouter(d.Name, d.Config)
		case topo.Host:
			n.AddHost(d.Name, d.Gateway)
		case topo.Core:
			c := n.AddInternet(d.Name)
			bridges := make(map[string]bool)
			for _, cmd := range d.Setup {
				w := strings.Fields(cmd)
				switch {
				case len(w) == 6 && w[2] == "add" && w[5] == "bridge":
					bridges[w[3]] = true
				case len(w) == 6 && w[1] == "addr" && w[4] == "dev":
					delete(bridges, w[5])
				}
			}
			for _, name := range slices.Sorted(maps.Keys(bridges)) {
				c.Segment(name, "")
			}
			for _, cmd := range d.Setup {
				w := strings.Fields(cmd)
				switch {
				case len(w) == 6 && w[1] == "addr" && w[4] == "dev":
					c.Segment(w[5], w[3])
				case len(w) == 6 && w[1] == "route" && w[3] == "default":
					c.gateway = n.addr(w[5])
				case len(w) == 6 && w[1] == "link" && w[4] == "master":
					masters[d.Name+" "+w[3]] = w[5]
				}
			}
		}
	}
	end := func(p topo.Port) string {
		switch {
		case p.Iface != "":
			return p.Node + ":" + p.Iface
		case len(p.Addrs) > 0:
			return p.Node + ":" + p.Addrs[0]
		}
		return p.Node + ":" + masters[p.Node+" "+p.Dev]
	}
	for _, l := range top.Links {
		c := cfg
		if l.MTU != 0 {
			c.MTU = l.MTU
		}
		n.Connect(end(l.A), end(l.B), c)
		for _, p := range []topo.Port{l.A, l.B} {
			if host, ok := n.elements[p.Node].(*Node); ok && len(p.Addrs) > 1 {
				for _, a := range p.Addrs[1:] {
					addr, _, _ := strings.Cut(a, "/")
					host.Alias(addr)
				}
			}
		}
	}
	return n
}

// Link is the cable of a node's port: of a router by its interface, of others by any.
func (n *Net) Link(node, iface string) *Link {
	n.t.Helper()
	for _, l := range n.links {
		for _, e := range l.ends {
			if e.el.called() != node {
				continue
			}
			if r, ok := e.el.(*Router); !ok || r.ports[e.port].name == iface {
				return l
			}
		}
	}
	n.t.Fatalf("sim: %s has no link %s", node, iface)
	return nil
}

// Spoke is one spoke of a Star.
type Spoke struct {
	Name         string
	Tunnel, LAN  netip.Addr // LAN is on a loopback, in a /24 of its own
	NBMA         netip.Addr
	InternetSide netip.Addr
}

// StarOf says where spoke i, from 1, of a Star stands.
func StarOf(i int) Spoke {
	wan := uint32(100<<24|64<<16) + uint32(i)*4
	return Spoke{
		Name: fmt.Sprintf("spoke%d", i), Tunnel: addr4(10<<24 | 255<<16 | uint32(i)<<1 | 1), LAN: addr4(10<<24 | uint32(i)<<8 | 1),
		NBMA: addr4(wan + 1), InternetSide: addr4(wan + 2),
	}
}

// Star makes a hub, any number of spokes up to 30 000, and an internet between. Spoke i has a network of its own on a
// loopback; the hub redirects and spokes take shortcuts. tunnel is added to every tunnel interface.
func Star(t testing.TB, seed uint64, spokes int, tunnel string) *Net {
	t.Helper()
	var routes strings.Builder
	for i := 1; i <= spokes; i++ {
		s := StarOf(i)
		fmt.Fprintf(&routes, "ip route %s 255.255.255.0 %s\n", netip.PrefixFrom(s.LAN, 24).Masked().Addr(), s.Tunnel)
	}
	return starOf(t, seed, spokes, starParts{
		hubTunnel: " ip nhrp redirect\n" + tunnel, hub: routes.String(),
		spokeTunnel: " ip nhrp shortcut\n" + tunnel, spoke: func(Spoke) string { return "ip route 10.0.0.0 255.0.0.0 10.255.0.1\n" },
	})
}

// EIGRPStar is a Star without a route that is configured but that to the internet: EIGRP tells the hub of the spokes' networks, and each spoke of all others', with the spoke that
// has it as the next hop. spoke is added to the process of every spoke.
func EIGRPStar(t testing.TB, seed uint64, spokes int, spoke string) *Net {
	t.Helper()
	const fast = " bandwidth 1000000\n"
	return starOf(t, seed, spokes, starParts{
		hubTunnel: fast + " no ip split-horizon eigrp 1\n no ip next-hop-self eigrp 1\n", hub: "router eigrp 1\n network 10.255.0.0 0.0.255.255\n no auto-summary\n",
		spokeTunnel: fast, spoke: func(s Spoke) string {
			return fmt.Sprintf("router eigrp 1\n network 10.255.0.0 0.0.255.255\n network %s 0.0.0.0\n no auto-summary\n", s.LAN) + spoke
		},
	})
}

// starParts are what stars differ in: what is added to tunnels, and to the ends of configurations.
type starParts struct {
	hubTunnel, hub, spokeTunnel string
	spoke                       func(Spoke) string
}

func starOf(t testing.TB, seed uint64, spokes int, parts starParts) *Net {
	t.Helper()
	n := New(t, seed)
	n.AddInternet("internet")
	const head = `hostname %s
interface Tunnel0
 ip address %s 255.255.0.0
 ip mtu 1400
 ip nhrp network-id 9
 ip nhrp holdtime 300
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 9
`
	n.AddRouter("hub", fmt.Sprintf(head, "hub", "10.255.0.1")+" ip nhrp map multicast dynamic\n ip nhrp max-send 10000 every 10\n"+parts.hubTunnel+
		"interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\nip route 0.0.0.0 0.0.0.0 192.0.2.254\n"+parts.hub)
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", LinkConfig{Frames: 4096})
	for i := 1; i <= spokes; i++ {
		s := StarOf(i)
		n.AddRouter(s.Name, fmt.Sprintf(head, s.Name, s.Tunnel)+
			" ip nhrp map 10.255.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 10.255.0.1\n"+parts.spokeTunnel+
			fmt.Sprintf("interface Ethernet0\n ip address %s 255.255.255.252\n", s.NBMA)+
			fmt.Sprintf("interface Loopback0\n ip address %s 255.255.255.0\n", s.LAN)+
			fmt.Sprintf("ip route 0.0.0.0 0.0.0.0 %s\n", s.InternetSide)+parts.spoke(s))
		n.Connect(s.Name+":Ethernet0", fmt.Sprintf("internet:%s/30", s.InternetSide), LinkConfig{Frames: 64})
	}
	return n
}
