package gateway

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

const bgpBase = `ip vrf red
 rd 1:1
 route-target both 1:1
 route-target import 2:2
ip vrf blue
 rd 192.0.2.1:2
 route-target export 2:2
ip vrf bare
interface Loopback0
 ip address 10.9.9.1 255.255.255.255
interface Loopback1
 ip vrf forwarding red
 ip address 203.0.113.9 255.255.255.255
` + wan + `interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 mpls ip
`

func translateBGP(t *testing.T, text string) (slowpath.BGP, []show.Problem) {
	t.Helper()
	out, problems := translate(parse(t, bgpBase+text), two(), newNumbers())
	return out.BGP, slices.DeleteFunc(problems, func(p show.Problem) bool { return strings.HasPrefix(p.What, "interface") })
}

func noProblems(t *testing.T, problems []show.Problem) {
	t.Helper()
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// A hub as the guide has it, with a peer group and a password.
func TestBGPHub(t *testing.T) {
	out, problems := translateBGP(t, `router bgp 1
 bgp graceful-restart
 bgp graceful-restart restart-time 60
 timers bgp 10 30
 no auto-summary
 no synchronization
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 1
 neighbor SPOKES update-source Tunnel0
 neighbor SPOKES password 0 s3cret
 neighbor 10.0.0.11 peer-group SPOKES
 neighbor 10.0.0.11 description spoke
 neighbor 10.0.0.12 peer-group SPOKES
 neighbor 10.0.0.12 timers 20 60
 address-family vpnv4
  neighbor SPOKES send-community extended
  neighbor SPOKES route-reflector-client
  neighbor SPOKES route-map NEXTHOP out
  neighbor 10.0.0.11 activate
  neighbor 10.0.0.12 activate
 address-family ipv4 vrf red
  redistribute connected
  redistribute static metric 7
  network 10.7.0.0 mask 255.255.0.0
 address-family ipv4 vrf blue
  neighbor 10.8.0.2 remote-as 65001
  neighbor 10.8.0.2 maximum-prefix 100
  distance bgp 30 210 210
route-map NEXTHOP permit 10
 set ip next-hop 10.0.0.1
`)
	noProblems(t, problems)
	hop := bgp.RouteMap{{NextHop: addr("10.0.0.1")}}
	vpn := bgp.Activation{Family: bgp.VPNv4, SendExtended: true, Out: "NEXTHOP"}
	spoke := bgp.Neighbour{
		Address: addr("10.0.0.11"), RemoteAS: 1, Description: "spoke", UpdateSource: addr("10.0.0.1"), Password: "s3cret", Hold: 30 * time.Second,
		Keepalive: 10 * time.Second, Client: true, Families: []bgp.Activation{{Family: bgp.IPv4Unicast}, vpn},
	}
	other := spoke
	other.Address, other.Description, other.Hold, other.Keepalive = addr("10.0.0.12"), "", time.Minute, 20*time.Second
	want := bgp.Config{
		AS: 1, RouterID: addr("10.9.9.1"), Neighbours: []bgp.Neighbour{spoke, other}, RouteMaps: map[string]bgp.RouteMap{"NEXTHOP": hop},
		PrefixLists: map[string]bgp.PrefixList{}, GracefulRestart: bgp.GracefulRestart{Enabled: true, RestartTime: time.Minute}, Distance: bgp.Distance{External: 30, Internal: 210, Local: 210},
		VRFs: []bgp.VRF{
			{Name: "blue", RD: rd(t, "192.0.2.1:2"), Export: rts(t, "2:2"), Neighbours: []bgp.Neighbour{{
				Address: addr("10.8.0.2"), RemoteAS: 65001, Hold: 30 * time.Second, Keepalive: 10 * time.Second, Families: []bgp.Activation{{Family: bgp.IPv4Unicast, MaxPrefixes: 100}},
			}}},
			{Name: "red", RD: rd(t, "1:1"), Import: rts(t, "1:1", "2:2"), Export: rts(t, "1:1")},
		},
	}
	if !reflect.DeepEqual(out.Speaker, want) {
		t.Errorf("got  %+v\nwant %+v", out.Speaker, want)
	}
	if !out.On || out.Quiet || len(out.Networks) != 1 || out.Networks[0].Prefix != pfx("10.7.0.0/16") || out.Networks[0].VRF == fib.Global {
		t.Errorf("%+v", out)
	}
	if len(out.Redistribute) != 2 || out.Redistribute[0].Source != rib.Connected || out.Redistribute[1].Source != rib.Static || out.Redistribute[1].VRF != out.Networks[0].VRF {
		t.Fatalf("%+v", out.Redistribute)
	}
	static := out.Redistribute[1].Permit
	if set, ok := static(pfx("10.0.0.0/8"), &rib.Route{}); !ok || set.Metric != 7 || !set.HasMetric {
		t.Errorf("static: %+v", set)
	}
	if _, ok := static(pfx("0.0.0.0/0"), &rib.Route{}); ok {
		t.Error("the default route is announced without `default-information originate`")
	}
	s := bgp.New(bgp.Env{Deliver: func(bgp.Effects) {}, Within: func(_ string, f func() error) error { return f() }})
	defer s.Close()
	out.Speaker.Port, out.Speaker.Listen = 17991, []netip.Addr{addr("127.0.77.1")}
	for i := range out.Speaker.Neighbours {
		out.Speaker.Neighbours[i].Shutdown = true
	}
	out.Speaker.VRFs[0].Listen = out.Speaker.Listen
	out.Speaker.VRFs[0].Neighbours = nil
	if err := s.Configure(out.Speaker); err != nil {
		t.Errorf("the speaker refuses it: %v", err)
	}
}

func rd(t *testing.T, s string) bgp.RD {
	t.Helper()
	v, err := bgp.ParseRD(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rts(t *testing.T, list ...string) (out []bgp.RouteTarget) {
	t.Helper()
	for _, s := range list {
		v, err := bgp.ParseRouteTarget(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestBGPRouterID(t *testing.T) {
	const one = "router bgp 1\n"
	out, problems := translateBGP(t, one)
	if noProblems(t, problems); out.Speaker.RouterID != addr("10.9.9.1") {
		t.Errorf("the loopback's address: %s", out.Speaker.RouterID)
	}
	n := newNumbers()
	text := strings.Replace(bgpBase, "10.9.9.1", "10.9.9.7", 1) + one
	translate(parse(t, bgpBase+one), two(), n)
	if out, _ := translate(parse(t, bgpBase+"interface Loopback9\n ip address 10.9.9.9 255.255.255.255\n"+one), two(), n); out.BGP.Speaker.RouterID != addr("10.9.9.1") {
		t.Errorf("another loopback moved it to %s", out.BGP.Speaker.RouterID)
	}
	if out, _ := translate(parse(t, text), two(), n); out.BGP.Speaker.RouterID != addr("10.9.9.7") {
		t.Errorf("its address is gone, and it is %s", out.BGP.Speaker.RouterID)
	}
	if out, _ := translate(parse(t, wan+one), two(), newNumbers()); out.BGP.Speaker.RouterID != addr("192.0.2.1") {
		t.Errorf("without a loopback: %s", out.BGP.Speaker.RouterID)
	}
	none, problems := translate(parse(t, "router bgp 1\n neighbor 10.0.0.1 remote-as 1\n"), two(), newNumbers())
	if none.BGP.On || len(problems) != 1 || !strings.Contains(problems[0].Why, "bgp router-id") {
		t.Errorf("no address at all: %+v, %v", none.BGP, problems)
	}
}

// What can't be carried out is named, and closes rather than opens.
func TestBGPProblems(t *testing.T) {
	type check func(c bgp.Config) bool
	first := func(c bgp.Config) bgp.Neighbour {
		if len(c.Neighbours) == 0 {
			return bgp.Neighbour{}
		}
		return c.Neighbours[0]
	}
	down := func(c bgp.Config) bool { return first(c).Shutdown }
	runs := func(c bgp.Config) bool { return first(c).Address.IsValid() && !first(c).Shutdown }
	refuses := func(c bgp.Config) bool {
		a := first(c).Families[0]
		m := c.RouteMaps[a.In+a.Out]
		return len(m) == 0 || m[0].Deny && !m[0].Match
	}
	const n = "router bgp 1\n neighbor 10.0.0.11 remote-as 1\n"
	for _, c := range []struct {
		text, what string
		is         check
	}{
		{n + " neighbor 10.0.0.11 update-source Loopback1\n", "update-source Loopback1", down},
		{n + " neighbor 10.0.0.11 local-as 9\n", "local-as", down},
		{n + " neighbor 10.0.0.11 password 0 " + strings.Repeat("x", 81) + "\n", "password", down},
		{n + " neighbor 10.0.0.11 fall-over bfd\n", "fall-over bfd", runs},
		{n + " neighbor 10.0.0.11 weight 5\n", "weight", runs},
		{n + " neighbor 10.0.0.11 soo 1:1\n", "soo", runs},
		{n + " neighbor 10.0.0.11 as-override\n", "as-override", runs},
		{n + " neighbor 10.0.0.11 default-originate\n", "default-originate", runs},
		{n + " neighbor 10.0.0.11 next-hop-unchanged\n", "next-hop-unchanged", runs},
		{n + " neighbor 10.0.0.11 remove-private-as\n", "remove-private-as", runs},
		{n + " neighbor 10.0.0.11 maximum-prefix 9 warning-only\n", "warning-only", runs},
		{n + " timers bgp 0 0\n", "timers", runs},
		{n + " maximum-paths 4\n", "maximum-paths", runs},
		{n + " aggregate-address 10.0.0.0 255.0.0.0\n", "aggregate-address", runs},
		{n + " bgp always-compare-med\n", "always-compare-med", runs},
		{n + " redistribute eigrp 1\n", "redistribute eigrp 1", runs},
		{n + " neighbor 10.0.0.11 route-map M in\nroute-map M permit 10\n set weight 5\n", "route-map M permit 10", refuses},
		{n + " neighbor 10.0.0.11 route-map M in\nroute-map M permit 10\n match ip address 100\naccess-list 100 permit ip any any\n", "route-map M permit 10", refuses},
		{n + " neighbor 10.0.0.11 route-map M in\nroute-map M deny 10\n match tag 5\nroute-map M permit 20\n", "route-map M deny 10", refuses},
		{n + " neighbor 10.0.0.11 distribute-list 1 in\naccess-list 1 permit 10.0.0.0 0.0.255.0\n", "distribute-list 1", refuses},
		{"router bgp 1\n neighbor 10.0.0.11 remote-as 2\n neighbor 10.0.0.11 route-reflector-client\n", "route-reflector-client", func(c bgp.Config) bool { return !first(c).Client }},
		{"router bgp 1\n address-family vpnv4\n  redistribute connected\n", "address-family vpnv4", func(bgp.Config) bool { return true }},
		{"router bgp 1\nip vrf red\n import map M\nroute-map M permit 10\n", "ip vrf red", func(c bgp.Config) bool { return c.VRFs[1].Import == nil && c.VRFs[1].Export != nil }},
		{"router bgp 1\nip vrf red\n export map M\nroute-map M permit 10\n", "ip vrf red", func(c bgp.Config) bool { return c.VRFs[1].Export == nil }},
	} {
		out, problems := translateBGP(t, c.text)
		if len(problems) != 1 || !strings.Contains(problems[0].What, c.what) {
			t.Errorf("%s\nproblems: %+v", c.text, problems)
		}
		if !c.is(out.Speaker) {
			t.Errorf("%s\nmakes %+v", c.text, out.Speaker)
		}
	}
}

func TestBGPPolicies(t *testing.T) {
	out, problems := translateBGP(t, `router bgp 1
 neighbor 10.0.0.11 remote-as 1
 neighbor 10.0.0.11 prefix-list LAN in
 neighbor 10.0.0.11 route-map IN in
 neighbor 10.0.0.11 route-map SELF out
 neighbor 10.0.0.11 distribute-list 5 out
ip prefix-list LAN seq 5 deny 10.1.0.0/16 le 32
ip prefix-list LAN seq 10 permit 10.0.0.0/8 ge 16 le 24
access-list 5 permit 10.0.0.0 0.255.255.255
route-map IN permit 10
 match ip address prefix-list LAN
 set local-preference 200
 set community 1:2 no-export additive
 set extcommunity rt 1:3 additive
 set as-path prepend 1 1 1
 set origin igp
route-map IN deny 20
route-map SELF permit 10
 set ip next-hop peer-address
`)
	noProblems(t, problems)
	c := out.Speaker
	a := c.Neighbours[0].Families[0]
	pref := uint32(200)
	in := bgp.RouteMap{{Deny: true, PrefixLists: []string{"not LAN"}, Match: true}, {
		PrefixLists: []string{"LAN"}, Match: true, LocalPref: &pref, Communities: []uint32{1<<16 | 2, 0xffffff01}, Additive: true, Targets: rts(t, "1:3"), TargetsAdded: true,
		Prepend: bgp.Prepend{AS: 1, Times: 3}, Origin: bgp.OriginIGP, SetOrigin: true,
	}, {Deny: true}}
	if !reflect.DeepEqual(c.RouteMaps[a.In], in) {
		t.Errorf("in: %+v", c.RouteMaps[a.In])
	}
	if m := c.RouteMaps[a.Out]; !a.NextHopSelf || len(m) != 2 || !m[0].Deny || m[1].Deny || m[1].NextHop.IsValid() {
		t.Errorf("out: %+v: %+v", a, m)
	}
	for p, want := range map[string]bool{"10.1.0.0/16": false, "10.2.0.0/16": true, "10.0.0.0/8": false, "11.0.0.0/16": false, "0.0.0.0/0": false, "10.2.3.4/32": false} {
		if c.PrefixLists["LAN"].Permits(pfx(p)) != want || c.PrefixLists["not LAN"].Permits(pfx(p)) == want {
			t.Errorf("prefix-list: %s", p)
		}
	}
	for p, want := range map[string]bool{"10.0.0.0/8": true, "10.0.0.0/7": true, "10.200.0.0/16": true, "8.0.0.0/5": false, "11.0.0.0/8": false, "0.0.0.0/0": false} {
		if c.PrefixLists["access-list 5"].Permits(pfx(p)) != want {
			t.Errorf("access-list: %s", p)
		}
	}
}

func TestBGPAnnouncedByMap(t *testing.T) {
	out, problems := translateBGP(t, `router bgp 1
 bgp default local-preference 80
 no bgp default ipv4-unicast
 no bgp log-neighbor-changes
 neighbor 10.0.0.11 remote-as 1
 default-information originate
 network 10.5.0.0 mask 255.255.0.0 route-map M
 network 10.6.0.0 mask 255.255.0.0 route-map M
 redistribute connected route-map M
 redistribute static
 redistribute kernel route-map TAGS
route-map TAGS permit 10
 match tag 5
 match interface Ethernet0
 set metric 7
ip prefix-list P permit 10.5.0.0/16 le 24
route-map M permit 10
 match ip address prefix-list P
 set metric 9
 set community 1:2
`)
	noProblems(t, problems)
	if !out.Quiet || len(out.Speaker.Neighbours[0].Families) != 0 {
		t.Errorf("%+v", out.Speaker.Neighbours)
	}
	want := slowpath.Attributes{Metric: 9, HasMetric: true, LocalPref: 80, Communities: []uint32{1<<16 | 2}}
	if len(out.Networks) != 1 || !reflect.DeepEqual(out.Networks[0].Set, want) || out.Networks[0].VRF != fib.Global {
		t.Errorf("networks: %+v", out.Networks)
	}
	if set, ok := out.Redistribute[0].Permit(pfx("10.5.1.0/24"), &rib.Route{}); !ok || !reflect.DeepEqual(set, want) {
		t.Errorf("permitted: %+v", set)
	}
	if _, ok := out.Redistribute[0].Permit(pfx("10.6.1.0/24"), &rib.Route{}); ok {
		t.Error("what no clause is about is announced")
	}
	tagged := rib.Route{Tag: 5, Hops: []rib.NextHop{{Iface: "Ethernet0"}}}
	if set, ok := out.Redistribute[1].Permit(pfx("11.0.0.0/8"), &tagged); out.Redistribute[1].Source != rib.Kernel || !ok || set.Metric != 7 {
		t.Errorf("by tag and interface: %+v", set)
	}
	tagged.Tag = 6
	if _, ok := out.Redistribute[1].Permit(pfx("11.0.0.0/8"), &tagged); ok {
		t.Error("another tag is announced")
	}
	if set, ok := out.Redistribute[2].Permit(pfx("0.0.0.0/0"), &rib.Route{}); !ok || set.LocalPref != 80 {
		t.Errorf("the default route: %+v", set)
	}
}
