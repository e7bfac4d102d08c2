package show

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"nave/slowpath/bgp"
)

func must(t *testing.T) func(b []byte, err error) []byte {
	t.Helper()
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// tablesJSON is every JSON form, by the command.
func tablesJSON(t *testing.T, s *Status, a *Answer) map[string][]byte {
	ok, vpn := must(t), Query{Family: bgp.VPNv4}
	return map[string][]byte{
		"ip vrf": ok(VRFsJSON(s, "")), "ip route": ok(RoutesJSON(s, a.Routes)), "ip cef": ok(CEFJSON(s, a)), "mpls interfaces": ok(MPLSInterfacesJSON(s, "")),
		"mpls forwarding-table": ok(ForwardingJSON(s, a, LabelSelect{})), "mpls ldp bindings": ok(BindingsJSON(a, netip.Prefix{}, false)), "mpls ldp neighbor": ok(NeighborsJSON(s, a, netip.Addr{}, "")),
		"mpls ldp discovery": ok(DiscoveryJSON(a)), "mpls ldp parameters": ok(ParametersJSON(s)), "ip bgp": ok(PathsJSON(s, vpn, a)), "ip bgp summary": ok(SummaryJSON(vpn, a)),
		"ip bgp neighbors": ok(BGPNeighborsJSON(vpn, a)),
	}
}

// The names are what programs go by: docs/show.md lists them, and they stay.
func TestTablesJSONGolden(t *testing.T) {
	for what, b := range tablesJSON(t, vpnSample(), vpnAnswer()) {
		golden(t, "json_"+strings.NewReplacer(" ", "_", "-", "_").Replace(what), string(b))
	}
}

// No list is null where there is nothing, so that programs need not tell the two apart.
func TestTablesJSONEmpty(t *testing.T) {
	a := &Answer{LDP: vpnAnswer().LDP, BGP: &bgp.Status{}}
	a.LDP.Neighbors, a.LDP.Discovery, a.LDP.Bindings = nil, nil, nil
	for what, b := range tablesJSON(t, &Status{Time: now}, a) {
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if what != "ip cef" && strings.Contains(strings.ReplaceAll(string(b), `"cluster_id": null`, ""), ": null") || v == nil != (what == "ip cef") {
			t.Errorf("%s has nulls:\n%s", what, b)
		}
	}
}

func TestTablesJSONHasTheFacts(t *testing.T) {
	s, a := vpnSample(), vpnAnswer()
	all := tablesJSON(t, s, a)
	vrfs := decoded[[]object](t, "ip vrf", all["ip vrf"])
	if len(vrfs) != 3 || vrfs[1]["rd"] != "65000:1" || vrfs[1]["label_mode"] != "per-vrf" || len(vrfs[1]["interfaces"].([]any)) != 3 || len(vrfs[1]["import"].([]any)) != 4 {
		t.Errorf("ip vrf: %v", vrfs)
	}
	labels := decoded[[]object](t, "mpls forwarding-table", all["mpls forwarding-table"])
	if len(labels) != len(a.Labels) || labels[4]["action"] != "lookup" || labels[4]["vrf"] != "red" || labels[2]["action"] != "forward" || labels[7]["rd"] != "65000:1" || labels[1]["bytes"] != 8400.0 {
		t.Errorf("mpls forwarding-table: %v", labels)
	}
	paths := decoded[object](t, "ip bgp", all["ip bgp"])["paths"].([]any)
	lost := paths[len(paths)-1].(object)
	if len(paths) != len(a.Paths) || lost["unusable"] == "" || lost["our_label"] != 524301.0 || paths[1].(object)["vrf"] != "red" || paths[1].(object)["unusable"] != "" {
		t.Errorf("ip bgp: %v", paths)
	}
	list := decoded[[]object](t, "ip bgp neighbors", all["ip bgp neighbors"])
	k := slices.IndexFunc(list, func(n object) bool { return n["address"] == "10.255.0.1" })
	if len(list) != len(a.Neighbours) || list[k]["tcp"].(object)["retransmitted_segments"] != 3.0 || list[k]["state"] != "Established" || list[k]["md5"] != true {
		t.Errorf("ip bgp neighbors: %v", list)
	}
	cef := decoded[object](t, "ip cef", all["ip cef"])
	if way := cef["paths"].([]any)[0].(object); way["through"] != "10.255.0.12/32" || way["packets"] != 12.0 || len(way["labels"].([]any)) != 2 {
		t.Errorf("ip cef: %v", cef)
	}
}

// documented tells whether every name stands in the documentation.
func documented(t *testing.T, what string, v any) {
	t.Helper()
	b, err := os.ReadFile("../../docs/show.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case object:
			for name, e := range v {
				if !strings.Contains(string(b), "`"+name+"`") {
					t.Errorf("%s: docs/show.md does not have `%s`", what, name)
				}
				if name != "hellos_not_taken" { // by reason
					walk(e)
				}
			}
		}
	}
	walk(v)
}

func TestTablesJSONIsDocumented(t *testing.T) {
	for what, b := range tablesJSON(t, vpnSample(), vpnAnswer()) {
		documented(t, what, decoded[any](t, what, b))
	}
}
