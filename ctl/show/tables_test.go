package show

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

func cefOf(p string, local uint32, deps int, paths ...CEFPath) *Answer {
	return &Answer{CEF: &CEF{Prefix: pfx(p), Local: local, HasLocal: local != 0, Dependencies: deps, Paths: paths}}
}

// tables is every show function of VRFs, labels and BGP.
func tables(s *Status, a *Answer) map[string]string {
	vpn, global := Query{Family: bgp.VPNv4}, Query{Family: bgp.IPv4Unicast}
	red := Query{VRF: "red", Family: bgp.VPNv4}
	v4 := *a
	if len(a.Paths) > 0 {
		v4.Paths = globalPaths()
	}
	one := func(p string, of []bgp.PathStatus) *Answer {
		b := *a
		b.Paths = nil
		for _, x := range of {
			if x.Prefix.String() == p {
				b.Paths = append(b.Paths, x)
			}
		}
		return &b
	}
	return map[string]string{
		"vrf_ip_vrf": IPVRF(s, ""), "vrf_ip_vrf_detail": IPVRFDetail(s, ""), "vrf_ip_vrf_interfaces": IPVRFInterfaces(s, ""), "vrf_show_vrf": ShowVRF(s, ""),
		"vrf_fastpath": Fastpath(s), "vrf_ip_route": Routes(s, "red", a.Routes), "vrf_ip_cef": CEFTable(s, "red", a.Routes), "vrf_ip_cef_prefix": CEFEntry(s, red, a),
		"mpls_interfaces": MPLSInterfaces(s, "", false), "mpls_interfaces_detail": MPLSInterfaces(s, "", true),
		"mpls_forwarding_table": ForwardingTable(s, a, LabelSelect{}), "mpls_forwarding_table_detail": ForwardingTable(s, a, LabelSelect{Detail: true}),
		"mpls_ldp_bindings": LDPBindings(a, netip.Prefix{}, false), "mpls_ldp_bindings_local": LDPBindings(a, netip.Prefix{}, true),
		"mpls_ldp_neighbor": LDPNeighbors(s, a, netip.Addr{}, "", false), "mpls_ldp_neighbor_detail": LDPNeighbors(s, a, netip.Addr{}, "", true),
		"mpls_ldp_discovery": LDPDiscovery(s, a, false), "mpls_ldp_discovery_detail": LDPDiscovery(s, a, true), "mpls_ldp_parameters": LDPParameters(s),
		"bgp_table": BGPTable(s, global, &v4), "bgp_entry": BGPEntry(s, global, one("10.2.0.0/16", v4.Paths)), "bgp_summary": BGPSummary(s, global, a), "bgp_neighbors": BGPNeighbors(s, global, a),
		"bgp_vpnv4_all": BGPTable(s, vpn, a), "bgp_vpnv4_vrf": BGPTable(s, red, a), "bgp_vpnv4_labels": BGPLabels(s, vpn, a), "bgp_vpnv4_summary": BGPSummary(s, vpn, a),
		"bgp_vpnv4_entry": BGPEntry(s, vpn, one("192.168.12.0/24", a.Paths)), "bgp_vpnv4_entry_lost": BGPEntry(s, vpn, one("10.104.192.208/29", a.Paths)),
	}
}

func TestTablesGolden(t *testing.T) {
	for name, text := range tables(vpnSample(), vpnAnswer()) {
		golden(t, name, text)
	}
	empty := &Answer{LDP: vpnAnswer().LDP, BGP: &bgp.Status{AS: 1, RouterID: addr("10.255.0.11")}}
	empty.LDP.Neighbors, empty.LDP.Discovery, empty.LDP.Bindings = nil, nil, nil
	for name, text := range tables(&Status{Time: now}, empty) {
		golden(t, "empty_"+name, text)
	}
}

func TestCEFEntries(t *testing.T) {
	s := vpnSample()
	tunnel := rib.Path{LabelPath: labelPath("Tunnel1", "10.0.0.1"), Adjacency: 21}
	var b strings.Builder
	for _, a := range []*Answer{
		{}, cefOf("10.0.0.0/24", fib.ImplicitNull, 2, CEFPath{Path: rib.Path{LabelPath: labelPath("Tunnel1", ""), Adjacency: 22}}),
		cefOf("10.0.0.11/32", 0, 0, CEFPath{Path: rib.Path{Adjacency: fib.Receive}}), cefOf("10.66.0.0/16", 0, 0, CEFPath{Path: rib.Path{Adjacency: fib.Null}}),
		cefOf("10.67.0.0/16", 0, 0), cefOf("10.68.0.0/16", 0, 1, CEFPath{Path: rib.Path{Adjacency: 30}, Leak: "blue"}),
		cefOf("10.255.0.1/32", 16, 1, CEFPath{Path: tunnel}),
		cefOf("10.69.0.0/16", 0, 0, CEFPath{Path: rib.Path{LabelPath: labelPath("Tunnel1", "10.0.0.1"), Adjacency: 20, Slots: 9}}, CEFPath{Path: rib.Path{LabelPath: labelPath("Tunnel1", "10.0.0.2"), Adjacency: 21, NextHop: addr("10.255.0.9"), Slots: 7}, Through: pfx("10.255.0.0/24")}),
		cefOf("10.255.0.12/32", 17, 0, CEFPath{Path: rib.Path{LabelPath: labelPath("Tunnel1", "10.0.0.1", 17), Adjacency: 20}}, CEFPath{Path: rib.Path{LabelPath: labelPath("Ethernet0/0", "192.0.2.9", 33), Adjacency: 21}}),
	} {
		b.WriteString(CEFEntry(s, Query{}, a) + "\n")
	}
	golden(t, "cef_entries", b.String())
}

func TestRouteEntries(t *testing.T) {
	s := vpnSample()
	var b strings.Builder
	for _, r := range append(vpnRoutes(), rib.Route{Prefix: pfx("10.66.0.0/16"), Source: rib.Static, Distance: 1}) {
		b.WriteString(RouteEntry(s, Query{VRF: "red"}, &Answer{Routes: []rib.Route{r}}) + "\n")
	}
	b.WriteString(RouteEntry(s, Query{}, &Answer{}) + RouteEntry(s, Query{Exact: true}, &Answer{}))
	golden(t, "route_entries", b.String())
}

func TestUnknownVRF(t *testing.T) {
	for want, s := range map[string]*Status{
		"% No VRF named green; none is configured (`ip vrf NAME`)": {}, "% No VRF named green; there is red": {VRFs: []VRF{{Name: "red"}}},
		"% No VRF named green; there are blue, red and spare": vpnSample(),
	} {
		if got := UnknownVRF(s, "green").Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A VRF's commands say nothing of another's, though both have the same prefixes.
func TestOneVRF(t *testing.T) {
	s, a := vpnSample(), vpnAnswer()
	for name, text := range map[string]string{
		"ip vrf": IPVRF(s, "red"), "detail": IPVRFDetail(s, "red"), "interfaces": IPVRFInterfaces(s, "red"), "show vrf": ShowVRF(s, "red"),
		"forwarding": ForwardingTable(s, a, LabelSelect{VRF: "red", Detail: true}), "summary": BGPSummary(s, Query{VRF: "red", Family: bgp.VPNv4}, a),
		"neighbors": BGPNeighbors(s, Query{VRF: "red"}, a),
	} {
		if strings.Contains(text, "blue") || strings.Contains(text, "Ethernet2/0") || strings.Contains(text, "Et2/0") || strings.Contains(text, "524297") || strings.Contains(text, "10.255.0.1 ") || text == "" {
			t.Errorf("%s of red:\n%s", name, text)
		}
	}
}

func TestForwardingSelections(t *testing.T) {
	s, a := vpnSample(), vpnAnswer()
	for want, sel := range map[string]LabelSelect{
		"16 17 18 19 524296 524297 524300 524301": {}, "17 18 19": {Labels: true, First: 17, Last: 100}, "524296 524300": {VRF: "red"}, "17": {Iface: "Ethernet0/0"},
		"524296": {Prefix: pfx("192.168.11.0/24")}, "524300": {Prefix: pfx("192.168.13.7/32"), Host: true}, "": {Prefix: pfx("10.9.0.0/16")},
	} {
		var got []string
		for i := range a.Labels {
			if sel.takes(s, &a.Labels[i]) {
				got = append(got, strconv.Itoa(int(a.Labels[i].In)))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v takes %v, want %s", sel, got, want)
		}
		b, err := ForwardingJSON(s, a, sel)
		if err != nil || len(decoded[[]object](t, "mpls forwarding-table", b)) != len(got) {
			t.Errorf("%+v as JSON: %v\n%s", sel, err, b)
		}
	}
}

// What scripts look for, by the columns of IOS.
func TestTablesParse(t *testing.T) {
	s, a := vpnSample(), vpnAnswer()
	all := tables(s, a)
	const path = `.{15}\s.{10}\s.{6}\s.{6}\s*(.*?)\s*([ie?])$`
	for _, c := range []struct {
		of    string
		line  *regexp.Regexp
		count int
	}{
		{"bgp_table", regexp.MustCompile(`^[*rS][> ][i ]\S[^ ]{0,15} *.{0,16}` + path), 2},
		{"bgp_table", regexp.MustCompile(`^[*rS][> ][i ] {16} ` + path), 1},
		{"bgp_vpnv4_all", regexp.MustCompile(`^[*rS][> ][i ]\S{17,18}$`), 1},
		{"bgp_vpnv4_all", regexp.MustCompile(`^ {20}` + path), 1},
		{"bgp_vpnv4_all", regexp.MustCompile(`^Route Distinguisher: (\S+)( \(default for vrf (\S+)\))?$`), 3},
		{"bgp_summary", regexp.MustCompile(`^\*?(\d+\.\d+\.\d+\.\d+)\s+4\s+(\d+)(\s+\d+){5}\s+(\S+)\s+(\S+( \(\S+\))?)\s*$`), 2},
		{"bgp_vpnv4_summary", regexp.MustCompile(`^\*?(\d+\.\d+\.\d+\.\d+)\s+4\s+(\d+)(\s+\d+){5}\s+(\S+)\s+(\S+( \(\S+\))?)\s*$`), 4},
		{"bgp_summary", regexp.MustCompile(`^BGP\s+router\s+identifier\s+(\S+),\s+local\s+AS\s+number\s+(\d+)\s*$`), 1},
		{"bgp_neighbors", regexp.MustCompile(`^BGP\s+neighbor\s+is\s+\*?(\S+),(\s+vrf\s+(\S+),)?\s+remote\s+AS\s+(\d+), (internal|external) link`), 5},
		{"bgp_neighbors", regexp.MustCompile(`^\s+BGP\s+state\s+=\s+(\w+)`), 5},
		{"bgp_neighbors", regexp.MustCompile(`^.+remote\s+router\s+ID\s+(\d+\.\d+\.\d+\.\d+)$`), 5},
		{"bgp_neighbors", regexp.MustCompile(`^\s+Route\s+map\s+for\s+(incoming|outgoing)\s+advertisements\s+is\s+(\S+)$`), 2},
		{"bgp_neighbors", regexp.MustCompile(`^(Local|Foreign)\s+host:\s+(\S+),\s+(Local|Foreign)\s+port:\s+(\d+)$`), 2},
		{"mpls_interfaces", regexp.MustCompile(`^(\S+)\s+(\w+)\s+\((\w+)\)\s+(\w+)\s+(\w+)\s+(\w+)\s+(\w+)\s*$`), 2},
		{"mpls_forwarding_table", regexp.MustCompile(`^(\d+) +(Untagged|Pop tag|\d+) +(\S+) +(\d+) +(\S+)( +(\d\S+))?$`), 4},
		{"mpls_forwarding_table", regexp.MustCompile(`^(\d+) +(Aggregate|\d+) +(\S+|IPv4 VRF\[V\]) +\\$`), 3},
		{"mpls_ldp_neighbor", regexp.MustCompile(`^Peer +LDP +Ident: +([\d.]+):(\d+); +Local +LDP +Ident +(\S+)$`), 3},
		{"mpls_ldp_neighbor", regexp.MustCompile(`^State: +(\w+); +Msgs +sent/rcvd: +(\d+)/(\d+); +(\w+)$`), 3},
		{"mpls_ldp_neighbor", regexp.MustCompile(`^Up +time: +([\w:]+)$`), 2},
		{"mpls_ldp_neighbor", regexp.MustCompile(`^(\S+), +Src +IP +addr: +([\d.]+)$`), 3},
		{"mpls_ldp_neighbor_detail", regexp.MustCompile(`^holdtime: +(\d+) +ms, +hello +interval: +(\d+) +ms$`), 2},
		{"mpls_ldp_discovery_detail", regexp.MustCompile(`^Hold time: (\d+) sec; Proposed local/peer: (\d+)/(\d+) sec$`), 2},
		{"mpls_ldp_parameters", regexp.MustCompile(`^(Session hold time: \d+ sec; keep alive interval: \d+ sec|Discovery hello: holdtime: \d+ sec; interval: \d+ sec|LDP initial/maximum backoff: \w+/\w+ sec)$`), 3},
		{"mpls_ldp_bindings", regexp.MustCompile(`^tib entry: (\S+), rev (\d+)$`), 4},
		{"mpls_ldp_bindings", regexp.MustCompile(`^local binding:  tag: (\S+)$`), 3},
		{"mpls_ldp_bindings", regexp.MustCompile(`^remote binding: tsr: (\S+:\d+), tag: (\S+)$`), 5},
		{"vrf_ip_vrf_interfaces", regexp.MustCompile(`^(\S+)\s+(\S+)\s+(blue|red)\s+(up|down)$`), 4},
		{"vrf_show_vrf", regexp.MustCompile(`^  (\S+) +(\S+:\d+|<not set>) +ipv4( +(\S+))?$`), 3},
		{"vrf_show_vrf", regexp.MustCompile(`^\s{60}\s+(\S+)$`), 2},
		{"vrf_ip_vrf_detail", regexp.MustCompile(`^VRF +(\S+)( +\(VRF +Id += +(\d+)\))?; +default +RD +(\S+|<not set>); +default +VPNID +<not set>$`), 3},
		{"vrf_ip_route", regexp.MustCompile(`^B\*?\s+(\S+)/(\d+)\s\[(\d+)/(\d+)\]\svia\s(\S+),\s(\d[\w:]+)$`), 2},
		{"vrf_ip_cef", regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+)/(\d+)\s+(\S+)\s+([A-Za-z][\w./-]+)$`), 5},
		{"vrf_ip_cef_prefix", regexp.MustCompile(`^\s+next\s+hop\s+(\S+),\s+(\S+) via (\S+)$`), 1},
	} {
		n := 0
		for _, l := range lines(all[c.of]) {
			if strings.HasPrefix(c.of, "mpls_ldp") {
				l = strings.TrimSpace(l)
			}
			if c.line.MatchString(l) {
				n++
			}
		}
		if n != c.count {
			t.Errorf("%s: %d lines like %s, want %d:\n%s", c.of, n, c.line, c.count, all[c.of])
		}
	}
}
