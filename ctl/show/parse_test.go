package show

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// What scripts of many years look for, by the columns of IOS 12.4 and 12.2SR.
var (
	dmvpnHead = regexp.MustCompile(`^(\S+), Type:\s?(\S+), NBMA Peers:\s?(\d+),\s*$`)
	dmvpnRow  = regexp.MustCompile(`^\s+(\d+)\s+(\d+\.\d+\.\d+\.\d+|UNKNOWN)\s+(\d+\.\d+\.\d+\.\d+)\s+(IKE|IPSEC|NHRP|UP)\s+(never|\d+:\d\d:\d\d|\d+[dwy]\d+[hdw])\s+([SDINLX]+)\s*$`)
	nhrpHead  = regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+/\d+) via (\d+\.\d+\.\d+\.\d+), (\S+) created (\S+), (?:expire (\S+)|never expire)\s*$`)
	nhrpType  = regexp.MustCompile(`^\s+Type: (static|dynamic|incomplete|negative), Flags:(.*)$`)
	nhrpNBMA  = regexp.MustCompile(`^\s+NBMA address: (\d+\.\d+\.\d+\.\d+)\s*$`)
	traffic   = regexp.MustCompile(`^(\S+): Max-send limit:(\d+)Pkts/(\d+)Sec, Usage:(\d+)%$`)
	counters  = regexp.MustCompile(`(\d+) (Resolution Request|Resolution Reply|Registration Request|Registration Reply|Purge Request|Purge Reply|Error Indication|Traffic Indication)`)
	route     = regexp.MustCompile(`^([A-Z][A-Z0-9]?\*?)\s+(\d+\.\d+\.\d+\.\d+/\d+) (?:\[(\d+)/(\d+)\] via (\d+\.\d+\.\d+\.\d+)(?:, .*)?|is directly connected, (\S+))$`)
)

func lines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

func TestDMVPNParses(t *testing.T) {
	s := sample()
	got := make(map[string][][]string)
	iface := ""
	for _, l := range lines(DMVPN(s, Select{})) {
		if m := dmvpnHead.FindStringSubmatch(l); m != nil {
			iface = m[1]
			got[iface] = nil
			if n, _ := strconv.Atoi(m[3]); n != len(peersOf(s, iface)) {
				t.Errorf("%s: %s peers", iface, m[3])
			}
		} else if m := dmvpnRow.FindStringSubmatch(l); m != nil {
			got[iface] = append(got[iface], m[1:])
			if at := strings.Index(l, m[2]) + len(m[2]); at != 22 {
				t.Errorf("the NBMA address ends at column %d of %q", at, l)
			}
			if at := strings.Index(l, " "+m[3]+" ") + 1 + len(m[3]); at != 38 {
				t.Errorf("the tunnel address ends at column %d of %q", at, l)
			}
		} else if iface != "" && l != "" && !strings.HasPrefix(l, " # Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb") && !strings.HasPrefix(l, " -----") {
			t.Errorf("no script reads %q", l)
		}
	}
	for _, i := range s.Router.NHRP.Interfaces {
		for k, p := range i.Peers {
			want := []string{strconv.Itoa(p.Entries), address(p.NBMA), p.Tunnel.String(), p.Stage.String(), since(now, p.Since), attributes(p)}
			if fmt.Sprint(got[i.Name][k]) != fmt.Sprint(want) {
				t.Errorf("%s row %d: %v, want %v", i.Name, k, got[i.Name][k], want)
			}
		}
	}
}

func peersOf(s *Status, iface string) []nhrp.PeerStatus {
	for _, i := range s.Router.NHRP.Interfaces {
		if i.Name == iface {
			return i.Peers
		}
	}
	return nil
}

func TestNHRPParses(t *testing.T) {
	s := sample()
	var heads, types, nbmas []string
	for _, l := range lines(NHRP(s, Select{})) {
		switch {
		case nhrpHead.MatchString(l):
			heads = append(heads, nhrpHead.FindStringSubmatch(l)[1])
		case nhrpType.MatchString(l):
			types = append(types, nhrpType.FindStringSubmatch(l)[1])
		case nhrpNBMA.MatchString(l):
			nbmas = append(nbmas, nhrpNBMA.FindStringSubmatch(l)[1])
		case strings.HasPrefix(l, "    (no-socket)"), strings.HasPrefix(l, "    (Claimed NBMA address: "), strings.HasPrefix(l, "    Requester: "):
		default:
			t.Errorf("no script reads %q", l)
		}
	}
	n := 0
	for k, e := range s.Router.NHRP.Entries {
		if heads[k] != e.Prefix.String() || types[k] != e.Type.String() {
			t.Errorf("entry %d: %s %s, want %v %v", k, heads[k], types[k], e.Prefix, e.Type)
		}
		if e.NBMA.IsValid() {
			if nbmas[n] != e.NBMA.String() {
				t.Errorf("entry %d: NBMA %s, want %v", k, nbmas[n], e.NBMA)
			}
			n++
		}
	}
}

func TestTrafficParses(t *testing.T) {
	ls := lines(NHRPTraffic(sample(), Select{Iface: "Tunnel0"}))
	if m := traffic.FindStringSubmatch(ls[0]); m == nil || m[1] != "Tunnel0" || m[2] != "100" || m[3] != "10" || m[4] != "3" {
		t.Errorf("head: %q", ls[0])
	}
	if ls[1] != "   Sent: Total 82" || ls[5] != "   Rcvd: Total 77" {
		t.Errorf("totals: %q, %q", ls[1], ls[5])
	}
	for from, want := range map[int][]string{2: {"18", "10", "42", "0", "3", "6", "1", "2"}, 6: {"11", "15", "0", "36", "7", "2", "0", "5"}} {
		var got []string
		for _, m := range counters.FindAllStringSubmatch(strings.Join(ls[from:from+3], "\n"), -1) {
			got = append(got, m[1])
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("counters: %v, want %v", got, want)
		}
	}
}

func TestRoutesParse(t *testing.T) {
	var got []string
	for _, l := range lines(Routes(sample(), "", routes()))[10:] {
		if m := route.FindStringSubmatch(l); m != nil {
			got = append(got, m[1]+" "+m[2])
		} else if !regexp.MustCompile(`^ +\[\d+/\d+\] via \S+, \S+$`).MatchString(l) { // another way of equal cost
			t.Errorf("no script reads %q", l)
		}
	}
	want := "[S* 0.0.0.0/0 C 10.0.0.0/24 S 10.8.0.0/16 H 10.9.0.0/24 S 10.10.0.0/16 S 10.11.0.0/16 C 192.0.2.0/24]"
	if fmt.Sprint(got) != want {
		t.Errorf("routes: %v, want %v", got, want)
	}
}

// asJSON is the JSON form of a command, as a program reads it.
func asJSON[T any](t *testing.T, s *Status, what string) (v T) {
	t.Helper()
	b, err := JSON(s, what, Select{})
	if err != nil {
		t.Fatal(err)
	}
	return decoded[T](t, what, b)
}

func decoded[T any](t *testing.T, what string, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("show %s --json: %v\n%s", what, err, b)
	}
	return v
}

func TestJSONHasTheFacts(t *testing.T) {
	s := sample()
	peers := asJSON[map[string]struct {
		Type  string
		Peers []struct {
			Entries           int
			NBMA              netip.Addr
			TunnelAddress     netip.Addr `json:"tunnel_address"`
			State, Attributes string
			Since             *time.Time
		}
	}](t, s, "dmvpn")
	for _, i := range s.Router.NHRP.Interfaces {
		if len(peers[i.Name].Peers) != len(i.Peers) || (peers[i.Name].Type == "spoke") != i.Spoke {
			t.Fatalf("dmvpn: %s: %+v", i.Name, peers[i.Name])
		}
		for k, p := range i.Peers {
			g := peers[i.Name].Peers[k]
			if g.Entries != p.Entries || g.NBMA != p.NBMA || g.TunnelAddress != p.Tunnel || g.State != p.Stage.String() || g.Attributes != attributes(p) ||
				(g.Since == nil) != p.Since.IsZero() || g.Since != nil && !g.Since.Equal(p.Since) {
				t.Errorf("dmvpn: %+v, want %+v", g, p)
			}
		}
	}
	cache := asJSON[[]object](t, s, "ip nhrp")
	for k, e := range s.Router.NHRP.Entries {
		g := cache[k]
		if g["prefix"] != e.Prefix.String() || g["type"] != e.Type.String() || g["interface"] != e.Iface || (g["expires"] == nil) != e.Expires.IsZero() || len(g["requesters"].([]any)) != len(e.Holders) {
			t.Errorf("ip nhrp: %v, want %+v", g, e)
		}
	}
	servers := asJSON[map[string][]object](t, s, "ip nhrp nhs")["Tunnel0"]
	if len(servers) != 3 || servers[0]["state"] != "R" || servers[1]["state"] != "E" || servers[2]["state"] != "W" || servers[0]["requests_sent"] != 12.0 || servers[1]["since"] != nil {
		t.Errorf("ip nhrp nhs: %v", servers)
	}
	tr := asJSON[map[string]object](t, s, "ip nhrp traffic")["Tunnel0"]
	if tr["usage_percent"] != 3.0 || tr["sent"].(object)["Registration Request"] != 42.0 || tr["dropped"].(object)["authentication"] != 4.0 {
		t.Errorf("ip nhrp traffic: %v", tr)
	}
}

func TestJSONOfTheRest(t *testing.T) {
	s := sample()
	ifs := asJSON[[]object](t, s, "interfaces")
	if len(ifs) != len(s.Router.Interfaces) || ifs[4]["tunnel"].(object)["key"] != 700.0 || ifs[5]["tunnel"].(object)["destination"] != "198.51.100.1" || ifs[0]["mac"] != "0200.abcd.0001" {
		t.Errorf("interfaces: %v", ifs)
	}
	b, err := RoutesJSON(s, routes())
	if err != nil {
		t.Fatal(err)
	}
	rs := decoded[[]object](t, "ip route", b)
	if len(rs) != len(routes()) || rs[4]["source"] != rib.Shortcut.String() || len(rs[3]["next_hops"].([]any)) != 2 {
		t.Errorf("ip route: %v", rs)
	}
	fp := asJSON[object](t, s, "fastpath")
	if fp["reasons"].(object)["no-route"] != 42.0 || fp["punts_lost"].(object)["glean"] != 6.0 || fp["punts_policed"].(object)["ttl-expired"] != 11.0 ||
		fp["steering"].(object)["no_socket"] != 4.0 || fp["ports"].([]any)[0].(object)["queues"].([]any)[0].(object)["kernel_drops"] != 5.0 {
		t.Errorf("fastpath: %v", fp)
	}
	if v := asJSON[object](t, s, "version"); v["hostname"] != "branch7" || v["version"] != s.Version || v["uptime_seconds"] != float64((8*24+3)*3600+61) {
		t.Errorf("version: %v", v)
	}
	if v := asJSON[[]object](t, s, "processes"); len(v) != 3 || v[0]["pid"] != 4711.0 || v[0]["started_by"] != "daemon before" || v[1]["restarts"] != 3.0 {
		t.Errorf("processes: %v", v)
	}
	if v := asJSON[object](t, s, "running-config"); v["configuration"] != s.Running {
		t.Errorf("running-config: %v", v)
	}
	if _, err := JSON(s, "hosts", Select{}); err == nil {
		t.Error("show clock has a JSON form")
	}
	for _, what := range []string{"dmvpn", "ip nhrp", "ip nhrp traffic", "ip nhrp nhs", "interfaces", "fastpath", "ports", "processes", "version", "running-config"} {
		asJSON[any](t, &Status{Time: now}, what)
	}
}
