package show

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// entryOf is the answer with what the topology tables have of one prefix.
func entryOf(a *Answer, p string) *Answer {
	b := *a
	b.EIGRP = nil
	for _, x := range a.EIGRP {
		x.Topology = slices.DeleteFunc(slices.Clone(x.Topology), func(t eigrp.TopologyStatus) bool { return t.Prefix.String() != p })
		b.EIGRP = append(b.EIGRP, x)
	}
	return &b
}

// topologyEntries are topology entries of every kind, one after the other.
func topologyEntries(s *Status, a *Answer) string {
	var b strings.Builder
	for i := range a.EIGRP {
		for _, t := range a.EIGRP[i].Topology {
			one := *a
			one.EIGRP = a.EIGRP[i : i+1 : i+1]
			b.WriteString(EIGRPEntry(s, Query{Dest: t.Prefix, Exact: true}, entryOf(&one, t.Prefix.String())) + "\n")
		}
	}
	b.WriteString(EIGRPEntry(s, Query{Dest: pfx("1.1.1.1/32")}, entryOf(a, "1.1.1.1/32")))
	b.WriteString(EIGRPEntry(s, Query{Dest: pfx("1.1.1.0/24"), Exact: true}, entryOf(a, "1.1.1.0/24")))
	return b.String()
}

// routeEntries are entries of the routing table, with what EIGRP adds to its own.
func routeEntries(s *Status, a *Answer) string {
	var b strings.Builder
	for _, r := range a.Routes {
		one := &Answer{Routes: []rib.Route{r}, EIGRP: entryOf(a, r.Prefix.String()).EIGRP}
		b.WriteString(RouteEntry(s, Query{}, one) + "\n")
	}
	return b.String()
}

// eigrpTexts is every show function of EIGRP, and of what was added to others for it.
func eigrpTexts(s *Status, a *Answer) map[string]string {
	global, red := *a, *a
	if len(a.EIGRP) > 0 {
		global.EIGRP, red.EIGRP = a.EIGRP[:1], a.EIGRP[1:]
	}
	return map[string]string{
		"eigrp_neighbors": EIGRPNeighbors(s, a, "", false), "eigrp_neighbors_detail": EIGRPNeighbors(s, a, "", true), "eigrp_interfaces": EIGRPInterfaces(s, a, "", false),
		"eigrp_interfaces_detail": EIGRPInterfaces(s, a, "", true), "eigrp_traffic": EIGRPTraffic(s, a), "eigrp_accounting": EIGRPAccounting(s, a), "eigrp_topology": EIGRPTopology(s, a, ""),
		"eigrp_topology_all": EIGRPTopology(s, a, LinksAll), "eigrp_topology_active": EIGRPTopology(s, a, LinksActive), "eigrp_topology_zero": EIGRPTopology(s, a, LinksZero),
		"eigrp_topology_pending": EIGRPTopology(s, a, LinksPending), "eigrp_topology_summary": EIGRPTopology(s, a, LinksSummary), "eigrp_topology_entries": topologyEntries(s, a), "eigrp_protocols": EIGRPProtocols(s, a),
		"ip_protocols": IPProtocols(s, Query{}, &global), "ip_protocols_vrf": IPProtocols(s, Query{VRF: "red"}, &red), "key_chain": KeyChains(s, ""),
		"eigrp_ip_route": Routes(s, "", a.Routes), "eigrp_ip_route_eigrp": RoutesOf(s, "", a.Routes, RouteSelect{Of: "eigrp"}), "eigrp_ip_route_kernel": RoutesOf(s, "red", a.Routes, RouteSelect{Of: "kernel"}),
		"eigrp_ip_route_summary": RouteSummary(s, "", a.Routes), "eigrp_ip_route_entries": routeEntries(s, a),
	}
}

func TestEIGRPGolden(t *testing.T) {
	for name, text := range eigrpTexts(eigrpSample(), eigrpAnswer()) {
		golden(t, name, text)
	}
	for name, text := range eigrpTexts(&Status{Time: now}, &Answer{}) {
		golden(t, "empty_"+name, text)
	}
}

// What scripts look for, by the shapes of IOS.
func TestEIGRPParses(t *testing.T) {
	all := eigrpTexts(eigrpSample(), eigrpAnswer())
	for _, c := range []struct {
		of    string
		line  string
		count int
	}{
		{"eigrp_neighbors", `^EIGRP-IPv4( VR\((\w+)\) Address-Family)? Neighbors for AS\((\d+)\)( VRF\((\S+)\))?$`, 2},
		{"eigrp_neighbors", `^(\d+) +(\S+) +([A-Za-z]+\s*[\d/]+) +(\d+) +(\S+) +(\d+) +(\d+) +(\d+) +(\d+)$`, 3},
		{"eigrp_neighbors", `^H\s+Address\s+Interface\s+Hold\s+Uptime\s+SRTT\s+RTO\s+Q\s+Seq$`, 1},
		{"eigrp_neighbors_detail", `^Version\s*(\d+)\.(\d+)/(\d+)\.(\d+), +Retrans\s*:\s*(\d+), +Retries\s*:\s*(\d+), +Prefixes\s*:\s*(\d+)$`, 3},
		{"eigrp_neighbors_detail", `^Topology-ids\s+from\s+peer\s+-\s+(\d+)$`, 3},
		{"eigrp_neighbors_detail", `^Stub Peer Advertising \(((CONNECTED|STATIC|SUMMARY|REDISTRIBUTED) )+\) Routes$`, 1},
		{"eigrp_neighbors_detail", `^Suppressing queries$`, 2},
		{"eigrp_interfaces", `^(\S+\d) +(\d+) +(\d+)/(\d+) +(\d+)/(\d+) +(\d+) +(\d+)/(\d+) +(\d+) +(\d+)$`, 4},
		{"eigrp_interfaces_detail", `^Hello-interval +is\s+([\d.]+), +Hold-time +is\s(\d+)$`, 4},
		{"eigrp_interfaces_detail", `^Split-horizon is (enabled|disabled)$`, 4},
		{"eigrp_interfaces_detail", `^Hello's +sent/expedited:\s+(\d+)/(\d+)$`, 4},
		{"eigrp_interfaces_detail", `^Un/reliable +mcasts:\s+(\d+)/(\d+)\s+Un/reliable +ucasts: (\d+)/(\d+)$`, 4},
		{"eigrp_interfaces_detail", `^Authentication mode is (md5|HMAC-SHA-256|not set)(,  key-chain is (not set|"(\S+)"))?$`, 4},
		{"eigrp_traffic", `^(Hellos|Updates|Queries|Replies|Acks|SIA-Queries|SIA-Replies) sent/received: (\d+)/(\d+)$`, 14},
		{"eigrp_topology", `^EIGRP-IPv4\s*(VR\((\w+)\))?\s*Topology\s*Table\s*for\s*AS\((\d+)\)/ID\((\S+)\)$`, 2},
		{"eigrp_topology", `^Topology\((\w+)\)\s+TID\((\d+)\)\s+VRF\((\S+)\)$`, 1},
		{"eigrp_topology", `^([PAUQRrs])\s+(\d+\.\d+\.\d+\.\d+)/(\d+),\s+(\d+)\s+successors,\s+FD\s+is\s+(\d+|Inaccessible|Infinity)(, tag is (\d+))?(, [UQ])?$`, 11},
		{"eigrp_topology", `^via\s+(\d+\.\d+\.\d+\.\d+) \((\d+)/(\d+)\), (\S+)$`, 4},
		{"eigrp_topology", `^via (Connected, \S+|R\S+ \(\d+/0\)|Summary \(\d+/0\), Null0|VPNv4 Sourced \(\d+/0\))$`, 6},
		{"eigrp_topology_all", `^via\s+(\d+\.\d+\.\d+\.\d+) \((\d+|Infinity)/(\d+|Infinity)\)(, r)?, (\S+)$`, 7},
		{"eigrp_topology_active", `^(\d+) replies, active (\S+), query-origin: (Local|Successor|Multiple) [oO]rigins?$`, 1},
		{"eigrp_topology_entries", `^State is (Passive|Active), Query origin flag is (\d+), (\d+) Successor\(s\), FD is (\d+|Infinity)(, RIB is (\d+))?$`, 11},
		{"eigrp_topology_entries", `^Composite metric is \((\d+|Infinity)/(\d+|Infinity)\), route is (Internal|External)( \(VPNv4 Sourced\))?$`, 13},
		{"eigrp_topology_entries", `^Minimum bandwidth is (\d+) Kbit$`, 13},
		{"eigrp_topology_entries", `^Total delay is (\d+ (micro|pico)seconds|Infinity)$`, 13},
		{"eigrp_topology_entries", `^External protocol is (.+), external metric is (\d+)$`, 4},
		{"eigrp_topology_entries", `^Administrator tag is (\d+) \(0x([0-9A-F]{8})\)$`, 4},
		{"eigrp_ip_route", `^D(\*| )?(EX)? +(\d\S+) \[(\d+)/(\d+)\] via (\S+), (\S+), (\S+)$`, 4},
		{"eigrp_ip_route", `^D\*?(EX)? +(\S+) is a summary, (\S+), Null0$`, 1},
		{"eigrp_ip_route", `^K +(\S+) (\[(\d+)/(\d+)\] via (\S+), (\S+), (\S+)|is directly connected, Null0)$`, 2},
		{"eigrp_ip_route_entries", `^Known +via +"eigrp (\d+)", +distance +(\d+), +metric +(\d+)(, +type +(\w+))?(, candidate default path)?$`, 5},
		{"eigrp_ip_route_entries", `^Redistributing via (\w+ \d+)(, \w+ \d+)*$`, 7},
		{"eigrp_ip_route_entries", `^Last +update +from +(\S+) +on +(\S+), +(\S+) +ago$`, 4},
		{"eigrp_ip_route_entries", `^\*? ?(\d\S+), +from +(\S+), +(\S+) +ago, +via +(\S+)$`, 3},
		{"eigrp_ip_route_entries", `^Route +metric +is +(\d+), +traffic +share +count +is +(\d+)$`, 10},
		{"eigrp_ip_route_entries", `^Total delay is (\d+) microseconds, minimum bandwidth is (\d+) Kbit$`, 3},
		{"eigrp_ip_route_summary", `^(connected|static|kernel|bgp \d+|eigrp \d+|internal|Total) +(\d+)( +(\d+))?$`, 8},
		{"ip_protocols", `^Routing Protocol is "(eigrp 1|bgp 65000)"$`, 2},
		{"ip_protocols", `^(Outgoing|Incoming) update filter list for all interfaces is (\S.*)$`, 4},
		{"ip_protocols", `^Metric weight K1=(\d+), K2=(\d+), K3=(\d+), K4=(\d+), K5=(\d+)$`, 1},
		{"ip_protocols", `^(\d+\.\d+\.\d+\.\d+) +(\d+) +(\S+)$`, 3},
		{"ip_protocols", `^Distance: (internal \d+ external \d+|external \d+ internal \d+ local \d+)$`, 3},
		{"key_chain", `^Key-chain\s+([\w-]+):$`, 2},
		{"key_chain", `^key\s+(\d+)\s+--\s+text\s+"(\S+)"$`, 3},
		{"key_chain", `^(accept|send)\s+lifetime\s+\(([\w:\s+-]+)\)\s+-\s+\(([\w:\s+-]+)\)(\s+\[([\w\s-]+)\])?$`, 6},
	} {
		re, n := regexp.MustCompile(c.line), 0
		for _, l := range lines(all[c.of]) {
			if re.MatchString(strings.TrimSpace(l)) {
				n++
			}
		}
		if n != c.count {
			t.Errorf("%s: %d lines like %s, want %d:\n%s", c.of, n, c.line, c.count, all[c.of])
		}
	}
}

// An interface narrows down neighbors and interfaces, and a protocol the routes.
func TestEIGRPSelections(t *testing.T) {
	s, a := eigrpSample(), eigrpAnswer()
	if text := EIGRPNeighbors(s, a, "Ethernet0/1", false); !strings.Contains(text, "192.168.2.9") || strings.Contains(text, "10.0.0.2") {
		t.Errorf("neighbors of one interface:\n%s", text)
	}
	if text := EIGRPInterfaces(s, a, "Tunnel0", false); !strings.Contains(text, "Tu0 ") || strings.Contains(text, "Et0/1") {
		t.Errorf("one interface:\n%s", text)
	}
	for want, sel := range map[string]RouteSelect{
		"10.0.0.0/24": {Of: "connected"}, "172.18.1.0/24": {Of: "static"}, "10.8.0.0/16 10.66.0.0/16": {Of: "kernel"}, "172.17.0.0/16": {Of: "bgp", AS: 65000}, "": {Of: "bgp", AS: 1}, "192.168.7.0/24": {Of: "eigrp", AS: 7},
		"0.0.0.0/0 172.16.0.0/16 192.168.0.0/16 192.168.2.0/24 192.168.7.0/24": {Of: "eigrp"},
	} {
		var got []string
		for _, r := range Selected(s, a.Routes, sel) {
			got = append(got, r.Prefix.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: %v, want %s", sel, got, want)
		}
	}
	if a := eigrpAnswer(); eigrpOf(a, slowpath.EIGRPKey{VRF: 2, AS: 40}) != &a.EIGRP[1] || eigrpOf(a, slowpath.EIGRPKey{AS: 40}) != nil {
		t.Error("processes are found by VRF and AS")
	}
}

// A key string is nowhere to be seen, and a key that does not count is not valid now.
func TestKeyLifetimes(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		l    Lifetime
		want string
	}{
		{Lifetime{}, "(always valid) - (always valid) [valid now]"}, {Lifetime{From: now.Add(day)}, "(infinite)"}, {Lifetime{From: now.Add(-day)}, "(infinite) [valid now]"},
		{Lifetime{From: now.Add(-day), Until: now}, ")"}, {Lifetime{From: now.Add(-day), Until: now.Add(1)}, " [valid now]"},
	} {
		if got := c.l.text(now); !strings.HasSuffix(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.l, got, c.want)
		}
	}
}

func TestEIGRPErrors(t *testing.T) {
	for want, err := range map[string]error{
		"No EIGRP process in the global table; `show": ErrNoEIGRP("", 0), "No EIGRP process 5 in VRF red; `show ip eigrp vrf '*' ": ErrNoEIGRP("red", 5), "No EIGRP process in any table; `router eigrp": ErrNoEIGRP(AllVRFs, 0),
		"No EIGRP neighbor 10.0.0.9; `show ip eigrp vrf red neighbors`": ErrNoEIGRPNeighbor("red", "10.0.0.9"), "No EIGRP neighbor on Tunnel0; `show ip eigrp neighbors`": ErrNoEIGRPNeighbor("", "on Tunnel0"),
		"none is configured (`key chain": UnknownKeyChain(&Status{}, "K"), "No key chain named K; `show key chain`": UnknownKeyChain(eigrpSample(), "K"),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// Every kind, and every reason, has a text with a severity that fits.
func TestLogEIGRP(t *testing.T) {
	l := slowpath.EIGRPLog{AS: 1, Log: eigrp.Log{Iface: "Tunnel0", Neighbor: addr("10.0.0.2"), Prefix: pfx("10.1.1.0/24")}}
	var b strings.Builder
	say := func(what string) {
		text, severity := Log(l)
		if text == "" || !strings.HasPrefix(text, "%") || text[strings.IndexByte(text, '-')+1] != byte('0'+severity) || strings.Contains(text, "%!") {
			t.Errorf("%s: %q, severity %d", what, text, severity)
		}
		b.WriteString(what + ": " + text + "\n")
	}
	for l.Kind = 0; l.Kind.String() != "unknown"; l.Kind++ {
		say(l.Kind.String())
	}
	l.Kind = eigrp.LogNeighborDown
	for l.Reason = 0; l.Reason.String() != "unknown"; l.Reason++ {
		if _, ok := eigrpEnds[l.Reason]; !ok {
			t.Errorf("%s has no words", l.Reason)
		}
		say(l.Reason.String())
	}
	l.VRF, l.Kind = "red", eigrp.LogNeighborUp
	say("in a VRF")
	golden(t, "logs_eigrp", b.String())
	if text, _ := Log(slowpath.EIGRPLog{Log: eigrp.Log{Kind: 200}}); text != "" {
		t.Errorf("an unknown kind: %q", text)
	}
}

// eigrpJSON is every JSON form, by the command.
func eigrpJSON(t *testing.T, s *Status, a *Answer) map[string][]byte {
	ok := must(t)
	return map[string][]byte{
		"ip eigrp neighbors": ok(EIGRPNeighborsJSON(s, a, "")), "ip eigrp interfaces": ok(EIGRPInterfacesJSON(s, a, "")), "ip eigrp topology": ok(EIGRPTopologyJSON(s, a, "")), "ip eigrp traffic": ok(EIGRPTrafficJSON(s, a)),
		"ip eigrp accounting": ok(EIGRPAccountingJSON(s, a)), "eigrp protocols": ok(EIGRPProtocolsJSON(s, a)), "ip protocols": ok(IPProtocolsJSON(s, Query{}, a)), "key chain": ok(KeyChainsJSON(s, "")),
		"ip route summary": ok(RouteSummaryJSON(s, a.Routes)), "eigrp ip route": ok(RoutesJSON(s, a.Routes)),
	}
}

func TestEIGRPJSONGolden(t *testing.T) {
	all := eigrpJSON(t, eigrpSample(), eigrpAnswer())
	for what, b := range all {
		golden(t, "json_"+strings.ReplaceAll(what, " ", "_"), string(b))
		documented(t, what, decoded[any](t, what, b))
	}
	list := decoded[[]object](t, "topology", all["ip eigrp topology"])
	topology := list[0]["topology"].([]any)
	if last := topology[len(topology)-1].(object); last["active"] != true || last["feasible_distance"] != nil || len(last["waiting_for"].([]any)) != 2 || len(topology) != 10 || list[1]["vrf"] != "red" {
		t.Errorf("%v", list)
	}
}

func TestEIGRPJSONEmpty(t *testing.T) {
	for what, b := range eigrpJSON(t, &Status{Time: now}, &Answer{EIGRP: []slowpath.EIGRPStatus{{RouterID: netip.IPv4Unspecified()}}}) {
		var v any
		if err := json.Unmarshal(b, &v); err != nil || v == nil || strings.Contains(strings.ReplaceAll(string(b), `"bgp": null`, ""), ": null") {
			t.Errorf("%s has nulls: %v\n%s", what, err, b)
		}
	}
}

// BGP that redistributes EIGRP takes the connected routes that EIGRP covers, and those alone.
func TestRedistributingCovered(t *testing.T) {
	s := eigrpSample()
	s.Protocols.BGP[0].Redistribute = []string{"eigrp 1"}
	for _, i := range s.Router.Interfaces {
		if i.VRF != 0 || len(i.Addrs) == 0 {
			continue
		}
		r := rib.Route{Prefix: i.Addrs[0].Masked(), Source: rib.Connected, Hops: []rib.NextHop{{Iface: i.Name}}}
		if got := strings.Join(s.redistributing("", &r), ", "); got != "eigrp 1, bgp 65000" {
			t.Errorf("%s of %s: %q", r.Prefix, i.Name, got)
		}
		s.Protocols.EIGRP[0].Networks = nil
		if got := s.redistributing("", &r); len(got) != 0 {
			t.Errorf("%s of %s, which no network covers: %q", r.Prefix, i.Name, got)
		}
		return
	}
	t.Fatal("no interface")
}
