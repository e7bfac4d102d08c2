package gateway

import (
	"strings"
	"testing"

	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/rib"
)

const filters = `access-list 5 permit 10.1.0.0 0.0.255.255
access-list 6 permit 10.0.1.0 0.255.0.255
access-list 7 permit 192.0.2.9
access-list 100 permit ip 10.0.0.0 0.255.255.255 255.255.255.0 0.0.0.255
access-list 101 permit ip host 10.2.0.0 host 255.255.0.0
access-list 102 deny ip 10.3.0.0 0.0.255.255 any
access-list 102 permit ip any any
ip prefix-list P seq 5 deny 10.1.0.0/16
ip prefix-list P seq 10 permit 10.0.0.0/8 ge 16 le 24
`

// Access lists are about routes as in IOS: a standard one about the address, an extended one about address and mask.
func TestAccessListsOfRoutes(t *testing.T) {
	tr := &translation{tree: parse(t, filters)}
	for _, c := range []struct {
		acl, prefix string
		want        bool
	}{
		{"5", "10.1.0.0/16", true}, {"5", "10.1.2.0/24", true}, {"5", "10.0.0.0/8", false}, {"5", "10.1.0.0/12", false}, {"5", "10.2.0.0/16", false},
		{"6", "10.0.1.0/24", true}, {"6", "10.7.1.0/24", true}, {"6", "10.7.2.0/24", false},
		{"100", "10.1.2.0/24", true}, {"100", "10.1.2.128/25", true}, {"100", "10.1.0.0/16", false}, {"100", "10.0.0.1/32", true}, {"100", "11.0.0.0/24", false},
		{"101", "10.2.0.0/16", true}, {"101", "10.2.0.0/17", false}, {"101", "0.0.0.0/0", false},
		{"102", "10.3.1.0/24", false}, {"102", "0.0.0.0/0", true}, {"102", "10.4.0.0/16", true},
		{"99", "10.0.0.0/8", true}, // not defined
	} {
		if got := tr.aclTest(c.acl)(pfx(c.prefix)); got != c.want {
			t.Errorf("access-list %s: %s: %v", c.acl, c.prefix, got)
		}
	}
}

func TestEIGRPRedistribution(t *testing.T) {
	out, problems := translateEIGRP(t, filters+`router bgp 65000
router eigrp 2
router eigrp 1
 network 10.0.0.0 0.0.0.255
 default-metric 1000 100 255 1 1400
 redistribute static
 redistribute connected metric 9 8 7 6 5
 redistribute kernel route-map M
 redistribute bgp 65000 route-map M
 redistribute eigrp 2
 distribute-list 5 out connected
 distribute-list 5 out eigrp 2
route-map M deny 5
 match tag 666
route-map M permit 10
 match ip address prefix-list P
 match metric 20 30
 set metric 1 2 3 4 5
 set tag 77
route-map M permit 20
 match interface Ethernet0
 match ip next-hop 7
route-map M permit 30
 match ip address 101 102
 match tag 1 2
`)
	noProblems(t, problems)
	p := out.EIGRP[0]
	given := slowpath.EIGRPAttributes{Bandwidth: 1000, Delay: 100, Reliability: 255, Load: 1, MTU: 1400, HasMetric: true}
	own := slowpath.EIGRPAttributes{Bandwidth: 9, Delay: 8, Reliability: 7, Load: 6, MTU: 5, HasMetric: true}
	by := make(map[rib.Source]slowpath.EIGRPSource)
	for _, s := range p.Redistribute {
		by[s.Source] = s
	}
	if s := by[rib.Static]; s.Set != given || s.Permit != nil {
		t.Errorf("static: %+v", s)
	}
	if s := by[rib.EIGRP]; s.Process != 2 || s.Set.HasMetric || s.Permit == nil {
		t.Errorf("eigrp 2: %+v", s)
	}
	if set, ok := by[rib.Connected].Permit(pfx("10.1.1.0/24"), &rib.Route{}); !ok || set != own {
		t.Errorf("connected: %+v", set)
	}
	if _, ok := by[rib.Connected].Permit(pfx("10.2.1.0/24"), &rib.Route{}); ok {
		t.Error("a connected route passes the distribute-list")
	}
	tagged := slowpath.EIGRPAttributes{Bandwidth: 1, Delay: 2, Reliability: 3, Load: 4, MTU: 5, HasMetric: true, Tag: 77, HasTag: true}
	for _, c := range []struct {
		prefix string
		route  rib.Route
		want   slowpath.EIGRPAttributes
		ok     bool
	}{
		{"10.2.0.0/16", rib.Route{Tag: 666, Metric: 20}, slowpath.EIGRPAttributes{}, false},
		{"10.2.0.0/16", rib.Route{Metric: 20}, tagged, true},
		{"10.2.0.0/16", rib.Route{Metric: 21}, slowpath.EIGRPAttributes{}, false},
		{"10.1.0.0/16", rib.Route{Metric: 20}, slowpath.EIGRPAttributes{}, false},
		{"11.0.0.0/16", rib.Route{Hops: []rib.NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.9")}}}, given, true},
		{"11.0.0.0/16", rib.Route{Hops: []rib.NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.8")}}}, slowpath.EIGRPAttributes{}, false},
		{"11.0.0.0/16", rib.Route{Hops: []rib.NextHop{{Iface: "Ethernet1", Addr: addr("192.0.2.9")}}}, slowpath.EIGRPAttributes{}, false},
		{"11.0.0.0/16", rib.Route{Via: []rib.NextHop{{Addr: addr("192.0.2.9")}}, Hops: []rib.NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.8")}}}, given, true},
		{"11.0.0.0/16", rib.Route{Via: []rib.NextHop{{Addr: addr("192.0.2.8")}}, Hops: []rib.NextHop{{Iface: "Ethernet0", Addr: addr("192.0.2.9")}}}, slowpath.EIGRPAttributes{}, false},
		{"11.0.0.0/16", rib.Route{Tag: 2}, given, true},
		{"10.3.0.0/24", rib.Route{Tag: 2}, slowpath.EIGRPAttributes{}, false},
		{"11.0.0.0/16", rib.Route{Tag: 3}, slowpath.EIGRPAttributes{}, false},
	} {
		for _, source := range []rib.Source{rib.Kernel, rib.BGP} {
			if set, ok := by[source].Permit(pfx(c.prefix), &c.route); ok != c.ok || set != c.want {
				t.Errorf("%s %+v: %+v, %v", c.prefix, c.route, set, ok)
			}
		}
	}
	if _, imports := out.Kernel[fib.Global]; len(out.Kernel) != 1 || !imports {
		t.Errorf("`redistribute kernel` imports: %+v", out.Kernel)
	}
}

func TestEIGRPFilters(t *testing.T) {
	out, problems := translateEIGRP(t, filters+`interface Tunnel0
 ip summary-address eigrp 1 10.0.0.0 255.0.0.0 leak-map LEAK
router eigrp 1
 network 10.0.0.0 0.0.0.255
 network 192.168.0.0
 distribute-list prefix P in
 distribute-list 102 in Tunnel0
 distribute-list route-map OUT out
 eigrp stub connected leak-map LEAK
route-map OUT deny 10
 match interface Tunnel0
 match ip address 5
route-map OUT permit 20
route-map LEAK permit 10
 match ip address 101
 match interface Tunnel0
`)
	noProblems(t, problems)
	run := out.EIGRP[0].Run
	for _, c := range []struct {
		name, iface, prefix string
		got, want           bool
	}{
		{"in by both", "Tunnel0", "10.2.0.0/16", run.In("Tunnel0", pfx("10.2.0.0/16")), true},
		{"in, not by the interface's", "Tunnel0", "10.3.0.0/16", run.In("Tunnel0", pfx("10.3.0.0/16")), false},
		{"in by another interface", "Ethernet1", "10.3.0.0/16", run.In("Ethernet1", pfx("10.3.0.0/16")), true},
		{"in, not by that of all", "Ethernet1", "10.1.0.0/16", run.In("Ethernet1", pfx("10.1.0.0/16")), false},
		{"out", "Tunnel0", "10.1.0.0/16", run.Out("Tunnel0", pfx("10.1.0.0/16")), false},
		{"out by another interface", "Ethernet1", "10.1.0.0/16", run.Out("Ethernet1", pfx("10.1.0.0/16")), true},
		{"out, another route", "Tunnel0", "10.2.0.0/16", run.Out("Tunnel0", pfx("10.2.0.0/16")), true},
		{"stub's leak", "Tunnel0", "10.2.0.0/16", run.Stub.Leak(pfx("10.2.0.0/16"), "Tunnel0"), true},
		{"stub's leak by another", "Ethernet1", "10.2.0.0/16", run.Stub.Leak(pfx("10.2.0.0/16"), "Ethernet1"), false},
		{"summary's leak", "Tunnel0", "10.2.0.0/16", run.Interfaces[0].Summaries[0].Leak(pfx("10.2.0.0/16")), true},
		{"summary's leak of another", "Tunnel0", "10.4.0.0/16", run.Interfaces[0].Summaries[0].Leak(pfx("10.4.0.0/16")), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s %s: %v", c.name, c.iface, c.prefix, c.got)
		}
	}
}

// A clause that says more than can be carried out refuses what its other conditions match; where a condition is what can't be, all.
func TestPolicyClosed(t *testing.T) {
	const head = filters + "router eigrp 1\n network 10.0.0.0\n redistribute static route-map M\n"
	for _, c := range []struct{ clause, cant string }{
		{" set metric 5\n", "set metric VALUE"}, {" set ip next-hop 10.0.0.1\n", "set ip next-hop"}, {" set community 1:2\n", "set community"},
		{" set local-preference 5\n", "set local-preference"}, {" continue 20\n", "continue"}, {" set weight 3\n", "set weight"}, {" set origin igp\n", "set origin"},
		{" set extcommunity rt 1:2\n", "set extcommunity rt"}, {" set as-path prepend 1\n", "set as-path prepend"},
	} {
		out, problems := translateEIGRP(t, head+"route-map M permit 10\n match ip address 101\n"+c.clause+"route-map M permit 20\n")
		permit := only(t, out).Redistribute[0].Permit
		if len(problems) != 1 || problems[0].What != "route-map M permit 10" || !strings.Contains(problems[0].Why, "`"+c.cant+"`") {
			t.Errorf("%s: %+v", c.clause, problems)
		}
		if _, ok := permit(pfx("10.2.0.0/16"), &rib.Route{}); ok {
			t.Errorf("%s: what the clause is about is permitted", c.clause)
		}
		if _, ok := permit(pfx("10.3.0.0/16"), &rib.Route{}); !ok {
			t.Errorf("%s: what the clause is not about is refused", c.clause)
		}
	}
	out, problems := translateEIGRP(t, head+"router bgp 65000\n network 10.2.0.0 mask 255.255.0.0 route-map M\nroute-map M permit 10\n match ip address 101\n match tag 5\nroute-map M permit 20\n")
	if len(problems) != 1 || !strings.Contains(problems[0].Why, "`match tag`") || len(out.BGP.Networks) != 0 {
		t.Errorf("%+v %+v", problems, out.BGP.Networks)
	}
}

// What others put into the kernel's tables is imported where that is said, and where it is redistributed.
func TestKernelImport(t *testing.T) {
	out, problems := translateEIGRP(t, `ip vrf blue
 rd 2:2
ip vrf green
 rd 3:3
ip route import kernel vrf red distance 120
router eigrp 1
 address-family ipv4 vrf red autonomous-system 1
  redistribute kernel
router bgp 1
 address-family ipv4 vrf blue
  redistribute kernel
  redistribute eigrp 9
router eigrp X
 address-family ipv4 vrf blue autonomous-system 9
`)
	noProblems(t, problems)
	n := make(map[string]fib.VRF)
	for _, v := range out.VRFs {
		n[v.Name] = v.ID
	}
	if len(out.Kernel) != 2 || out.Kernel[n["red"]].Distance != 120 || out.Kernel[n["blue"]].Distance != 0 {
		t.Errorf("%+v of %v", out.Kernel, n)
	}
	if r := out.BGP.Redistribute; len(r) != 2 || r[0].Source != rib.EIGRP || r[0].Process != 9 || r[0].VRF != n["blue"] || r[1].Source != rib.Kernel {
		t.Errorf("%+v", r)
	}
	if out, _ := translateEIGRP(t, "router eigrp 1\n network 10.0.0.0\n"); out.Kernel != nil {
		t.Errorf("%+v", out.Kernel)
	}
}
