package labs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nave/testbed/topo"
)

// Site is a router of a cloud with NAT: the hub, number 0, or a spoke. Behind each is a host, 10.NUMBER.0.7.
type Site struct {
	Number int
	WAN    netip.Addr // of its Ethernet0
	Box    string     // behind which it is; "": none
	Lines  string     // of its tunnel, each with a space before it and a newline after
}

// Cloud is a cloud with NAT boxes, by value: what is behind what, and how it is protected.
type Cloud struct {
	Name    string
	Summary string
	Version int // of IKE
	Sites   []Site
	Boxes   []Box
	Spare   map[string][]netip.Addr // outside addresses that a box gets later
}

// Router is the name of a site's router.
func (s *Site) Router() string {
	if s.Number == 0 {
		return "hub"
	}
	return fmt.Sprint("spoke", s.Number)
}

// Host is the name of the host behind a site's router.
func (s *Site) Host() string { return fmt.Sprint("host", s.Number) }

// Addr is the host's address.
func (s *Site) Addr() netip.Addr { return netip.AddrFrom4([4]byte{10, byte(s.Number), 0, 7}) }

// Tunnel is the router's address in the tunnel.
func (s *Site) Tunnel() netip.Addr {
	if s.Number == 0 {
		return netip.AddrFrom4([4]byte{10, 255, 0, 1})
	}
	return netip.AddrFrom4([4]byte{10, 255, 0, byte(10 + s.Number)})
}

// Site finds a site by number.
func (c *Cloud) Site(n int) *Site {
	k := slices.IndexFunc(c.Sites, func(s Site) bool { return s.Number == n })
	return &c.Sites[k]
}

// Box finds a NAT box by name.
func (c *Cloud) Box(name string) *Box {
	k := slices.IndexFunc(c.Boxes, func(b Box) bool { return b.Name == name })
	return &c.Boxes[k]
}

// Public is the address that a site has on the internet, its own or its box's.
func (c *Cloud) Public(n int) netip.Addr {
	s := c.Site(n)
	if s.Box == "" {
		return s.WAN
	}
	return c.mapping(s).Outside
}

// natLab is a cloud as a lab.
func natLab(c Cloud) Lab {
	l := Lab{Name: c.Name, Summary: c.Summary, Topology: c.Topology(), Tables: dmvpnTables("hub", "spoke1", "spoke2")}
	var spokes []string
	for k := range c.Sites {
		if s := &c.Sites[k]; s.Number != 0 {
			spokes = append(spokes, s.Tunnel().String())
		}
	}
	l.Checks = []Check{Registered("hub", spokes...), Ping("host1", "10.0.0.7", ""), Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7")}
	l.Try = []string{"hub: nave show dmvpn detail", "spoke2: nave show crypto session", "any NAT box: nft list ruleset"}
	return l
}

// OutsideAddrs are all addresses that NAT boxes have outside, or get later.
func (c *Cloud) OutsideAddrs() (out []netip.Addr) {
	for k := range c.Boxes {
		out = append(append(out, c.Boxes[k].Outside()...), c.Spare[c.Boxes[k].Name]...)
	}
	return out
}

// Picture is the cloud in words: a line a router.
func (c *Cloud) Picture() string {
	var b strings.Builder
	for k := range c.Sites {
		s := &c.Sites[k]
		fmt.Fprintf(&b, "  %-7s %-15s", s.Router(), s.WAN)
		if s.Box != "" {
			m := c.mapping(s)
			fmt.Fprintf(&b, "behind %s, %s: %s", s.Box, m.Outside, m.How)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Seen is where packets of a site come from on port 4500, as `show dmvpn` has it, as far as that is known: the port where its box has a fixed one.
func (c *Cloud) Seen(n int) string {
	if s := c.Site(n); s.Box != "" {
		if m := c.mapping(s); m.How == PortMapped {
			return netip.AddrPortFrom(m.Outside, m.Port+1).String()
		}
	}
	return c.Public(n).String()
}

// mapping is that of a site behind a box.
func (c *Cloud) mapping(s *Site) *Mapping {
	b := c.Box(s.Box)
	return &b.Mappings[slices.IndexFunc(b.Mappings, func(m Mapping) bool { return m.Inside == s.WAN })]
}

// Topology is the cloud as a network: everything meets on one Ethernet, the bridge wan of the node internet.
func (c *Cloud) Topology() topo.Topology {
	t := topo.Topology{Name: c.Name, Nodes: []topo.Node{{Name: "internet", Kind: topo.Core, Setup: []string{
		"ip link add wan type bridge mcast_snooping 0 stp_state 0", "ip addr add 198.51.100.254/24 dev wan", "ip link set wan up",
	}}}}
	for k := range c.Boxes {
		c.Boxes[k].add(&t, c.Spare[c.Boxes[k].Name]...)
	}
	for k := range c.Sites {
		c.addSite(&t, &c.Sites[k])
	}
	return t
}

func (c *Cloud) addSite(t *topo.Topology, s *Site) {
	router, where, bridge := s.Router(), "internet", "wan"
	if s.Box != "" {
		where, bridge = s.Box, "inside"
	}
	t.Nodes = append(t.Nodes, topo.Node{Name: router, Kind: topo.Router, Config: c.Config(s.Number)},
		topo.Node{Name: s.Host(), Kind: topo.Host, Gateway: fmt.Sprintf("10.%d.0.1", s.Number)})
	t.Links = append(t.Links,
		topo.Link{A: topo.Port{Node: router, Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: where, Dev: router}},
		topo.Link{A: topo.Port{Node: router, Dev: "eth1", Iface: "Ethernet1"}, B: topo.Port{Node: s.Host(), Dev: "eth0", Addrs: []string{s.Addr().String() + "/24"}}})
	for k := range t.Nodes {
		if t.Nodes[k].Name == where {
			t.Nodes[k].Setup = append(t.Nodes[k].Setup, "ip link set "+router+" master "+bridge)
		}
	}
}

// Config is the configuration of a site's router.
func (c *Cloud) Config(n int) string {
	s, gateway := c.Site(n), "198.51.100.254"
	if s.Box != "" {
		gateway = c.Box(s.Box).Inside.Addr().String()
	}
	var routes strings.Builder
	for k := range c.Sites {
		if far := &c.Sites[k]; far.Number != 0 {
			fmt.Fprintf(&routes, "ip route 10.%d.0.0 255.255.255.0 %s\n", far.Number, far.Tunnel())
		}
	}
	kind := "spoke"
	if n == 0 {
		kind = "hub"
	}
	return strings.NewReplacer(
		"@CRYPTO@", config("nat", fmt.Sprint("ikev", c.Version)), "@N@", fmt.Sprint(n), "@WAN@", s.WAN.String(), "@GATEWAY@", gateway, "@TUNNEL@", s.Lines,
		"@ROUTES@", routes.String(),
	).Replace(config("nat", kind))
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// NATCloud is a hub on the internet, and spokes behind NAT boxes of each kind.
//
//	spoke 1          on the internet
//	spoke 2          behind one: static 1:1
//	spokes 3 and 4   behind two: an outside address each, 3 static, 4 dynamic; the box hairpins
//	spoke 5          behind three: PAT that has one port for all destinations
//	spokes 6 and 7   behind four: PAT; 6 has the same private address as 5
func NATCloud() Cloud {
	return Cloud{
		Name: "nat", Summary: "spokes behind NAT of every kind, around a hub on the internet", Version: 2,
		Sites: []Site{
			{Number: 0, WAN: addr("198.51.100.1")}, {Number: 1, WAN: addr("198.51.100.11")}, {Number: 2, WAN: addr("192.168.2.10"), Box: "one"},
			{Number: 3, WAN: addr("192.168.3.10"), Box: "two"}, {Number: 4, WAN: addr("192.168.3.20"), Box: "two"},
			{Number: 5, WAN: addr("192.168.1.10"), Box: "three"}, {Number: 6, WAN: addr("192.168.1.10"), Box: "four"}, {Number: 7, WAN: addr("192.168.1.20"), Box: "four"},
		},
		Boxes: []Box{
			{Name: "one", Inside: netip.MustParsePrefix("192.168.2.1/24"), Mappings: []Mapping{
				{Inside: addr("192.168.2.10"), Outside: addr("198.51.100.22"), How: OneToOne},
			}},
			{Name: "two", Inside: netip.MustParsePrefix("192.168.3.1/24"), Hairpin: true, Mappings: []Mapping{
				{Inside: addr("192.168.3.10"), Outside: addr("198.51.100.33"), How: OneToOne},
				{Inside: addr("192.168.3.20"), Outside: addr("198.51.100.34"), How: OnDemand},
			}},
			{Name: "three", Inside: netip.MustParsePrefix("192.168.1.1/24"), Mappings: []Mapping{
				{Inside: addr("192.168.1.10"), Outside: addr("198.51.100.55"), How: PortMapped, Port: 20000},
			}},
			{Name: "four", Inside: netip.MustParsePrefix("192.168.1.1/24"), Mappings: []Mapping{
				{Inside: addr("192.168.1.10"), Outside: addr("198.51.100.66"), How: PortKept},
				{Inside: addr("192.168.1.20"), Outside: addr("198.51.100.66"), How: PortKept},
			}},
		},
		Spare: map[string][]netip.Addr{"three": {addr("198.51.100.56")}},
	}
}

// NATHubCloud is a hub behind static NAT, which its spokes know by its public address, and IKEv1.
//
//	spoke 1   on the internet
//	spoke 2   behind PAT
func NATHubCloud() Cloud {
	return Cloud{
		Name: "nat-hub", Summary: "a hub behind static NAT, a spoke behind PAT; IKEv1", Version: 1,
		Sites: []Site{
			{Number: 0, WAN: addr("192.168.0.10"), Box: "front"}, {Number: 1, WAN: addr("198.51.100.11")}, {Number: 2, WAN: addr("192.168.9.10"), Box: "back"},
		},
		Boxes: []Box{
			{Name: "front", Inside: netip.MustParsePrefix("192.168.0.1/24"), Mappings: []Mapping{
				{Inside: addr("192.168.0.10"), Outside: addr("198.51.100.1"), How: OneToOne},
			}},
			{Name: "back", Inside: netip.MustParsePrefix("192.168.9.1/24"), Mappings: []Mapping{
				{Inside: addr("192.168.9.10"), Outside: addr("198.51.100.22"), How: PortKept},
			}},
		},
	}
}
