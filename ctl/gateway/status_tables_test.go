package gateway

import (
	"net/netip"
	"strings"
	"testing"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

func mustRD(t *testing.T, s string) bgp.RD {
	t.Helper()
	rd, err := bgp.ParseRD(s)
	if err != nil {
		t.Fatal(err)
	}
	return rd
}

// Of the paths of all VRFs those are a VRF's that have its route distinguisher or one of its import targets; one for each prefix is its best.
func TestPathsInVRF(t *testing.T) {
	red, far, other := mustRD(t, "1:1"), mustRD(t, "9:9"), mustRD(t, "2:2")
	let, no := bgp.RouteTarget(0x0002_0001_0000_0001), bgp.RouteTarget(0x0002_0002_0000_0002)
	path := func(rd bgp.RD, p string, own bool, target bgp.RouteTarget) bgp.PathStatus {
		return bgp.PathStatus{RD: rd, Prefix: netip.MustParsePrefix(p), Own: own, Best: true, Extended: []bgp.RouteTarget{target}}
	}
	st := &bgp.Status{VRFs: []bgp.VRFStatus{{Name: "red", RD: red, Import: []bgp.RouteTarget{let}}}}
	all := []bgp.PathStatus{
		path(red, "10.1.0.0/16", true, let), path(far, "10.1.0.0/16", false, let), path(red, "10.2.0.0/16", false, let), path(far, "10.2.0.0/16", false, let),
		path(other, "10.1.0.0/16", false, no), path(other, "10.3.0.0/16", false, no), path(far, "10.4.0.0/16", false, let),
	}
	got, err := inVRF(st, all, "red", map[netip.Prefix]bgp.RD{netip.MustParsePrefix("10.1.0.0/16"): far, netip.MustParsePrefix("10.2.0.0/16"): far, netip.MustParsePrefix("10.4.0.0/16"): far})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, p := range got {
		best := ""
		if p.Best {
			best = " best"
		}
		text = append(text, p.RD.String()+" "+p.Prefix.String()+best)
	}
	if want := "1:1 10.1.0.0/16 best, 9:9 10.1.0.0/16, 1:1 10.2.0.0/16, 9:9 10.2.0.0/16 best, 9:9 10.4.0.0/16 best"; strings.Join(text, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(text, ", "), want)
	}
	if _, err := inVRF(st, nil, "blue", nil); err == nil || !strings.Contains(err.Error(), "VRF blue has no part in BGP") {
		t.Errorf("a VRF that BGP does not know: %v", err)
	}
}

// Queries of a Core: routes by VRF, by host and by prefix; labels; what can't be answered says why.
func TestCoreQueries(t *testing.T) {
	c, _ := newCore(t, `ip vrf red
 rd 1:1
 route-target both 1:1
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip vrf forwarding red
 ip address 192.168.11.1 255.255.255.0
ip route vrf red 10.0.0.0 255.0.0.0 192.168.11.9
ip route vrf red 10.1.0.0 255.255.0.0 10.9.9.9
`)
	ask := func(q show.Query) show.Answer {
		t.Helper()
		a, err := c.Query(start, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		return a
	}
	prefixes := func(rs []rib.Route) (out []string) {
		for _, r := range rs {
			out = append(out, r.Prefix.String())
		}
		return out
	}
	dest := netip.MustParsePrefix
	for _, x := range []struct {
		q    show.Query
		want string
	}{
		{show.Query{}, "192.0.2.0/24 192.0.2.1/32"},
		{show.Query{VRF: "red"}, "10.0.0.0/8 10.1.0.0/16 192.168.11.0/24 192.168.11.1/32"},
		{show.Query{VRF: "red", Dest: dest("10.1.2.3/32")}, "10.1.0.0/16"},
		{show.Query{VRF: "red", Dest: dest("10.2.0.0/16"), Exact: true}, ""},
		{show.Query{VRF: "red", Dest: dest("10.0.0.0/8"), Exact: true}, "10.0.0.0/8"},
		{show.Query{Dest: dest("10.1.2.3/32")}, ""},
	} {
		x.q.Table = show.TableRoutes
		if got := strings.Join(prefixes(ask(x.q).Routes), " "); got != x.want {
			t.Errorf("%+v: %s, want %s", x.q, got, x.want)
		}
	}
	cef := ask(show.Query{Table: show.TableCEF, VRF: "red", Dest: dest("10.1.2.3/32")}).CEF
	if cef == nil || cef.Prefix != dest("10.1.0.0/16") || len(cef.Paths) != 1 || cef.Paths[0].NextHop != netip.MustParseAddr("10.9.9.9") || cef.Paths[0].Through != dest("10.0.0.0/8") {
		t.Errorf("cef: %+v", cef)
	}
	if cef := ask(show.Query{Table: show.TableCEF, VRF: "red", Dest: dest("10.0.0.0/8"), Exact: true}).CEF; cef == nil || cef.Dependencies != 1 {
		t.Errorf("what depends on a route: %+v", cef)
	}
	if cef := ask(show.Query{Table: show.TableCEF, VRF: "red", Dest: dest("192.168.11.1/32")}).CEF; cef == nil || len(cef.Paths) != 1 || cef.Paths[0].Adjacency != fib.Receive {
		t.Errorf("our own address: %+v", cef)
	}
	if cef := ask(show.Query{Table: show.TableCEF, Dest: dest("10.1.2.3/32")}).CEF; cef != nil {
		t.Errorf("no route: %+v", cef)
	}
	for want, q := range map[string]show.Query{
		"No VRF named green; there is red": {Table: show.TableRoutes, VRF: "green"}, "LDP is not running": {Table: show.TableLDP}, `no table "x"`: {Table: "x"},
	} {
		if _, err := c.Query(start, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	if err := c.ClearLDP(start, netip.Addr{}); err != show.ErrNoLDP {
		t.Errorf("clearing LDP that does not run: %v", err)
	}
	s := c.Status(start)
	if len(s.VRFs) != 1 || s.VRFs[0].Name != "red" || s.VRFs[0].ID == 0 || s.VRFs[0].RD != "1:1" || strings.Join(s.VRFs[0].Import, " ") != "1:1" || s.VRFs[0].Prefixes < 4 {
		t.Errorf("VRFs: %+v", s.VRFs)
	}
}
