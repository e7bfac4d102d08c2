package gateway

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	tree, diags := config.Parse("test.cfg", []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return tree
}

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// two is a box with two ports that are up.
func two() Facts {
	return Facts{
		Links: map[string]Link{
			"Ethernet0": {MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500, Up: true},
			"Ethernet1": {MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 9000, Up: true},
		},
		Leases: map[string]Lease{},
	}
}

func find(c slowpath.Config, name string) *slowpath.Interface {
	for k := range c.Interfaces {
		if c.Interfaces[k].Name == name {
			return &c.Interfaces[k]
		}
	}
	return nil
}

const wan = "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"

func TestTunnelMTU(t *testing.T) {
	for _, c := range []struct {
		name, tunnel string
		link         int
		want         uint16
	}{
		{"default", "", 1500, 1476},
		{"with a key", " tunnel key 5\n", 1500, 1472},
		{"key 0 is a key", " tunnel key 0\n", 1500, 1472},
		{"configured", " ip mtu 1400\n tunnel key 5\n", 1500, 1400},
		{"jumbo link", " tunnel key 5\n", 9000, 8972},
		{"tiny link", " tunnel key 5\n", 90, 68},
	} {
		facts := two()
		facts.Links["Ethernet0"] = Link{MTU: c.link, Up: true}
		out, _ := translate(parse(t, wan+"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n"+c.tunnel), facts, newNumbers())
		if got := find(out, "Tunnel0").MTU; got != c.want {
			t.Errorf("%s: MTU %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTunnelSourceAndState(t *testing.T) {
	const loop = "interface Loopback0\n ip address 192.0.2.99 255.255.255.255\n"
	for _, c := range []struct {
		name, text string
		facts      func(*Facts)
		local      string // empty: unknown
		up         bool
	}{
		{"by interface", wan + "interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n", nil, "192.0.2.1", true},
		{"by address", wan + "interface Tunnel0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint\n", nil, "192.0.2.1", true},
		{"by secondary address", wan + " ip address 192.0.3.1 255.255.255.0 secondary\ninterface Tunnel0\n tunnel source 192.0.3.1\n tunnel mode gre multipoint\n", nil, "192.0.3.1", true},
		{"by loopback", wan + loop + "interface Tunnel0\n tunnel source Loopback0\n tunnel mode gre multipoint\n", nil, "192.0.2.99", true},
		{"by the loopback's address", wan + loop + "interface Tunnel0\n tunnel source 192.0.2.99\n tunnel mode gre multipoint\n", nil, "192.0.2.99", true},
		{"loopback shut down", wan + loop + " shutdown\ninterface Tunnel0\n tunnel source Loopback0\n tunnel mode gre multipoint\n", nil, "192.0.2.99", false},
		{"an address that is nobody's", wan + "interface Tunnel0\n tunnel source 192.0.2.77\n tunnel mode gre multipoint\n", nil, "", false},
		{"an interface that is not there", wan + "interface Tunnel0\n tunnel source Ethernet7\n tunnel mode gre multipoint\n", nil, "", false},
		{"a tunnel", wan + "interface Tunnel1\n ip address 10.9.0.1 255.255.255.0\n tunnel source Ethernet0\n tunnel mode gre multipoint\ninterface Tunnel0\n tunnel source Tunnel1\n tunnel mode gre multipoint\n", nil, "", false},
		{"no source", wan + "interface Tunnel0\n tunnel mode gre multipoint\n", nil, "", false},
		{"link down", wan + "interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n",
			func(f *Facts) { f.Links["Ethernet0"] = Link{MTU: 1500} }, "192.0.2.1", false},
		{"port shut down", wan + " shutdown\ninterface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n", nil, "192.0.2.1", false},
		{"tunnel shut down", wan + "interface Tunnel0\n shutdown\n tunnel source Ethernet0\n tunnel mode gre multipoint\n", nil, "192.0.2.1", false},
		{"DHCP, no lease", "interface Ethernet0\n ip address dhcp\ninterface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n", nil, "", false},
		{"DHCP, lease", "interface Ethernet0\n ip address dhcp\ninterface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n",
			func(f *Facts) { f.Leases["Ethernet0"] = Lease{Address: pfx("198.51.100.7/24")} }, "198.51.100.7", true},
		{"point to point without destination", wan + "interface Tunnel0\n tunnel source Ethernet0\n", nil, "192.0.2.1", false},
		{"point to point", wan + "interface Tunnel0\n tunnel source Ethernet0\n tunnel destination 192.0.2.2\n", nil, "192.0.2.1", true},
	} {
		facts := two()
		if c.facts != nil {
			c.facts(&facts)
		}
		out, _ := translate(parse(t, c.text), facts, newNumbers())
		i := find(out, "Tunnel0")
		local := ""
		if i.Tunnel.Local.IsValid() {
			local = i.Tunnel.Local.String()
		}
		if local != c.local || i.Up != c.up {
			t.Errorf("%s: source %q, up %v; want %q, %v", c.name, local, i.Up, c.local, c.up)
		}
	}
}

func TestTunnelFields(t *testing.T) {
	out, problems := translate(parse(t, wan+`ip host far 192.0.2.2
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip tcp adjust-mss 1360
 ip nhrp network-id 4
 ip nhrp redirect
 no ip unreachables
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 4294967295
 tunnel tos 184
 tunnel ttl 64
 tunnel path-mtu-discovery
interface Tunnel1
 ip address 10.1.0.1 255.255.255.252
 tunnel source Ethernet0
 tunnel destination far
interface Tunnel2
 ip address 10.2.0.1 255.255.255.252
 tunnel source Ethernet0
 tunnel destination nobody
`), two(), newNumbers())
	i := find(out, "Tunnel0")
	want := rib.Tunnel{
		ID: 1, Local: addr("192.0.2.1"), Key: 1<<32 - 1, HasKey: true, TOS: 184, TTL: 64, PathMTU: true, Network: 4, Redirect: true,
	}
	if *i.Tunnel != want || i.MSS != 1360 || !i.NoUnreachables {
		t.Errorf("Tunnel0: %+v (%+v), want %+v", i, *i.Tunnel, want)
	}
	if got := find(out, "Tunnel1").Tunnel; got.Remote != addr("192.0.2.2") || got.HasKey || got.TTL != 255 {
		t.Errorf("Tunnel1: %+v", got)
	}
	if got := find(out, "Tunnel2"); got.Up || got.Tunnel.Remote.IsValid() {
		t.Errorf("a tunnel to an unknown name: %+v", got)
	}
	if len(problems) != 2 || problems[1].What != "interface Tunnel2" || !strings.Contains(problems[1].Why, "ip host nobody") ||
		problems[0].What != "interface Tunnel0" || !strings.Contains(problems[0].Why, "tunnel tos") {
		t.Errorf("problems: %v", problems)
	}
}

func TestAddresses(t *testing.T) {
	const text = `interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
 ip address 192.0.3.1 255.255.255.0 secondary
 ip address 192.0.4.1 255.255.255.128 secondary
interface Ethernet1
 ip address dhcp
interface Loopback0
 ip address 10.9.9.9 255.255.255.255
interface Tunnel0
 ip unnumbered Loopback0
 tunnel source Ethernet0
 tunnel mode gre multipoint
interface Tunnel1
 ip unnumbered Ethernet1
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 1
interface Tunnel2
 ip unnumbered Tunnel0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 2
`
	leased := two()
	leased.Leases["Ethernet1"] = Lease{Address: pfx("198.51.100.7/24"), Gateway: addr("198.51.100.254")}
	for _, c := range []struct {
		facts Facts
		iface string
		want  []netip.Prefix
	}{
		{two(), "Ethernet0", []netip.Prefix{pfx("192.0.2.1/24"), pfx("192.0.3.1/24"), pfx("192.0.4.1/25")}},
		{two(), "Ethernet1", nil},
		{leased, "Ethernet1", []netip.Prefix{pfx("198.51.100.7/24")}},
		{two(), "Tunnel0", []netip.Prefix{pfx("10.9.9.9/32")}},
		{two(), "Tunnel1", nil},
		{leased, "Tunnel1", []netip.Prefix{pfx("198.51.100.7/32")}},
		{two(), "Tunnel2", nil}, // borrowed from a borrower
	} {
		out, _ := translate(parse(t, text), c.facts, newNumbers())
		if got := find(out, c.iface).Addrs; !slices.Equal(got, c.want) {
			t.Errorf("%s with leases %v: %v, want %v", c.iface, c.facts.Leases, got, c.want)
		}
	}
}

func TestPorts(t *testing.T) {
	out, problems := translate(parse(t, wan+` ip mtu 1300
 ip tcp adjust-mss 1200
interface Ethernet1
 shutdown
interface Ethernet2
 ip address 10.2.0.1 255.255.255.0
`), two(), newNumbers())
	if i := find(out, "Ethernet0"); !i.Up || i.MTU != 1300 || i.MSS != 1200 || i.Port != 1 || i.MAC != two().Links["Ethernet0"].MAC || i.Tunnel != nil {
		t.Errorf("Ethernet0: %+v", i)
	}
	if i := find(out, "Ethernet1"); i.Up || i.MTU != 9000 || i.Port != 2 {
		t.Errorf("Ethernet1: %+v", i)
	}
	if find(out, "Ethernet2") != nil || len(problems) != 1 || !strings.Contains(problems[0].Why, "--port Ethernet2=") {
		t.Errorf("a port that was not given: %v", problems)
	}
}

// What is read and not carried out stays down, and is said.
func TestNotCarriedOut(t *testing.T) {
	const trunk = wan + "interface Ethernet0.10\n encapsulation dot1Q 10\n"
	for _, c := range []struct{ name, text, iface, why string }{
		{"an undefined VRF", wan + " ip vrf forwarding RED\n", "Ethernet0", "VRF RED of `ip vrf forwarding` is not defined"},
		{"an undefined VRF of a loopback", "interface Loopback0\n ip vrf forwarding RED\n ip address 10.0.0.1 255.255.255.255\n", "Loopback0", "not defined"},
		{"an undefined tunnel vrf", wan + "interface Tunnel0\n tunnel source Ethernet0\n tunnel vrf RED\n", "Tunnel0", "VRF RED of `tunnel vrf` is not defined"},
		{"a subinterface without VLAN", wan + "interface Ethernet0.10\n ip address 10.0.0.1 255.255.255.0\n", "Ethernet0.10", "has no VLAN"},
		{"the native VLAN", wan + "interface Ethernet0.10\n encapsulation dot1Q 10 native\n", "Ethernet0.10", "native VLAN"},
		{"a VLAN twice", trunk + "interface Ethernet0.11\n encapsulation dot1Q 10\n", "Ethernet0.11", "Ethernet0.10 has VLAN 10 already"},
		{"a subinterface of a port that was not given", "interface Ethernet7.10\n encapsulation dot1Q 10\n", "Ethernet7.10", "--port Ethernet7="},
	} {
		out, problems := translate(parse(t, c.text), two(), newNumbers())
		if find(out, c.iface) != nil {
			t.Errorf("%s: the interface is brought up", c.name)
		}
		if !slices.ContainsFunc(problems, func(p show.Problem) bool { return p.What == "interface "+c.iface && strings.Contains(p.Why, c.why) }) {
			t.Errorf("%s: problems %v", c.name, problems)
		}
	}
	out, problems := translate(parse(t, "crypto ipsec transform-set T esp-aes esp-sha-hmac\ncrypto ipsec profile P\n set transform-set T\n"+
		wan+"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile P\n"), two(), newNumbers())
	if i := find(out, "Tunnel0"); !i.Tunnel.Protected || !out.NHRP.Interfaces[0].Protected {
		t.Errorf("a protected tunnel is not marked so: %+v", i.Tunnel)
	}
	if len(problems) != 0 || len(out.IKE.Protections) != 1 {
		t.Errorf("protection: problems %v, %v", problems, out.IKE.Protections)
	}
	const gre = "interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n"
	for _, option := range []string{" tunnel checksum\n", " tunnel sequence-datagrams\n", " tunnel path-mtu-discovery age-timer 20\n", " tunnel path-mtu-discovery min-mtu 500\n"} {
		if out, problems := translate(parse(t, wan+gre+option), two(), newNumbers()); len(problems) != 1 || !find(out, "Tunnel0").Up {
			t.Errorf("%q: problems %v", option, problems)
		}
	}
}

func TestStatics(t *testing.T) {
	leased := two()
	leased.Leases["Ethernet1"] = Lease{Address: pfx("198.51.100.7/24"), Gateway: addr("198.51.100.254")}
	any4 := pfx("0.0.0.0/0")
	dhcp := rib.StaticRoute{Prefix: any4, Source: rib.DHCP, Hops: []rib.NextHop{{Iface: "Ethernet1", Addr: addr("198.51.100.254")}}}
	for _, c := range []struct {
		name, text string
		facts      Facts
		want       []rib.StaticRoute
	}{
		{"next hop", "ip route 10.0.0.0 255.0.0.0 192.0.2.2\n", two(),
			[]rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: []rib.NextHop{{Addr: addr("192.0.2.2")}}}}},
		{"interface", "ip route 10.0.0.0 255.0.0.0 Ethernet0\n", two(),
			[]rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: []rib.NextHop{{Iface: "Ethernet0"}}}}},
		{"both", "ip route 10.0.0.0 255.0.0.0 Ethernet0 192.0.2.2\n", two(),
			[]rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: []rib.NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.2")}}}}},
		{"Null0", "ip route 10.0.0.0 255.0.0.0 Null0\n", two(), []rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Source: rib.Static}}},
		{"distance and tag", "ip route 10.0.0.0 255.0.0.0 192.0.2.2 200 tag 7\n", two(),
			[]rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Distance: 200, Tag: 7, Source: rib.Static, Hops: []rib.NextHop{{Addr: addr("192.0.2.2")}}}}},
		{"dhcp without a lease", "ip route 10.0.0.0 255.0.0.0 dhcp\n", two(), nil},
		{"dhcp with a lease", "ip route 10.0.0.0 255.0.0.0 dhcp\n", leased,
			[]rib.StaticRoute{{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: dhcp.Hops}, dhcp}},
		{"lease alone", "", leased, []rib.StaticRoute{dhcp}},
	} {
		out, problems := translate(parse(t, wan+"interface Ethernet1\n ip address dhcp\n"+c.text), c.facts, newNumbers())
		if got := out.Statics[fib.Global]; !reflect.DeepEqual(got, c.want) || len(problems) != 0 {
			t.Errorf("%s: %+v, want %+v; problems %v", c.name, got, c.want, problems)
		}
	}
	// A lease of an interface that has a fixed address by now is of no use.
	out, _ := translate(parse(t, wan+"interface Ethernet1\n ip address 10.1.0.1 255.255.255.0\n"), leased, newNumbers())
	if got := out.Statics[fib.Global]; got != nil {
		t.Errorf("a left-over lease gives routes: %v", got)
	}
}

func TestNHRPFields(t *testing.T) {
	out, problems := translate(parse(t, `ip host hub2 192.0.2.3
`+wan+`interface Tunnel0
 ip address 10.0.0.11 255.255.255.0
 ip mtu 1400
 ip nhrp authentication secret
 ip nhrp map 10.0.0.1 192.0.2.2
 ip nhrp map 10.8.0.0 255.255.0.0 192.0.2.8
 ip nhrp map multicast 192.0.2.2
 ip nhrp map multicast dynamic
 ip nhrp network-id 77
 ip nhrp holdtime 600
 ip nhrp registration timeout 60
 ip nhrp registration no-unique
 ip nhrp nhs 10.0.0.1 priority 10 cluster 3
 ip nhrp nhs 10.0.0.2 nbma hub2 multicast
 ip nhrp nhs dynamic nbma 192.0.2.4
 ip nhrp nhs cluster 3 max-connections 1
 ip nhrp nhs fallback 45
 ip nhrp server-only
 ip nhrp redirect timeout 20
 ip nhrp shortcut
 ip nhrp max-send 300 every 30
 ip nhrp max-entries 500
 ip nhrp idle-timeout 120
 tunnel source Ethernet0
 tunnel mode gre multipoint
`), two(), newNumbers())
	want := nhrp.Interface{
		Name: "Tunnel0", ID: 1, Address: pfx("10.0.0.11/24"), NBMA: addr("192.0.2.1"), NetworkID: 77, Authentication: "secret",
		HoldTime: 600 * time.Second, RegistrationTimeout: 60 * time.Second, NoUnique: true,
		Maps:            []nhrp.Map{{Protocol: pfx("10.0.0.1/32"), NBMA: addr("192.0.2.2")}, {Protocol: pfx("10.8.0.0/16"), NBMA: addr("192.0.2.8")}},
		MulticastStatic: []netip.Addr{addr("192.0.2.2")}, MulticastDynamic: true,
		NHS: []nhrp.NHS{
			{Protocol: addr("10.0.0.1"), Priority: 10, Cluster: 3}, {Protocol: addr("10.0.0.2"), NBMA: addr("192.0.2.3"), Multicast: true}, {NBMA: addr("192.0.2.4")},
		},
		Clusters: []nhrp.Cluster{{ID: 3, MaxConnections: 1}}, Fallback: 45 * time.Second, ServerOnly: true, Redirect: true,
		RedirectTimeout: 20 * time.Second, Shortcut: true, MaxSend: nhrp.MaxSend{Packets: 300, Interval: 30 * time.Second}, MTU: 1400,
		IdleTimeout: 120 * time.Second,
	}
	if got := out.NHRP.Interfaces[0]; !reflect.DeepEqual(got, want) || out.NHRP.MaxEntries != 500 || len(problems) != 0 {
		t.Errorf("NHRP:\n%+v, want\n%+v\nentries %d, problems %v", got, want, out.NHRP.MaxEntries, problems)
	}
	if err := out.NHRP.Check(); err != nil {
		t.Error(err)
	}
}

func TestNHRPDefaults(t *testing.T) {
	const text = "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n tunnel source Ethernet0\n tunnel mode gre multipoint\n"
	out, _ := translate(parse(t, wan+text), two(), newNumbers())
	n := out.NHRP.Interfaces[0]
	if n.HoldTime != 7200*time.Second || n.RegistrationTimeout != 0 || n.RedirectTimeout != 8*time.Second || n.MaxSend != (nhrp.MaxSend{Packets: 100, Interval: 10 * time.Second}) ||
		n.IdleTimeout != 0 || out.NHRP.MaxEntries != 0 {
		t.Errorf("defaults: %+v", n)
	}
	// A tunnel that is down has no NBMA address, and keeps its NHRP.
	facts := two()
	facts.Links["Ethernet0"] = Link{MTU: 1500}
	out, _ = translate(parse(t, wan+text), facts, newNumbers())
	if len(out.NHRP.Interfaces) != 1 || out.NHRP.Interfaces[0].NBMA.IsValid() {
		t.Errorf("a tunnel without a link: %+v", out.NHRP.Interfaces)
	}
	// The least of several limits counts.
	out, _ = translate(parse(t, wan+strings.Replace(text, " ip nhrp", " ip nhrp max-entries 900\n ip nhrp", 1)+
		strings.NewReplacer("Tunnel0", "Tunnel1", "10.0.0.1", "10.1.0.1", " ip nhrp", " ip nhrp max-entries 400\n tunnel key 2\n ip nhrp").Replace(text)), two(), newNumbers())
	if out.NHRP.MaxEntries != 400 {
		t.Errorf("max-entries 900 and 400: %d", out.NHRP.MaxEntries)
	}
	for name, text := range map[string]string{
		"no network-id": strings.Replace(text, " ip nhrp network-id 1\n", "", 1),
		"no address":    strings.Replace(text, " ip address 10.0.0.1 255.255.255.0\n", "", 1),
	} {
		if out, _ := translate(parse(t, wan+text), two(), newNumbers()); len(out.NHRP.Interfaces) != 0 {
			t.Errorf("%s: NHRP runs: %+v", name, out.NHRP.Interfaces)
		}
	}
}
