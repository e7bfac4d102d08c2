package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/gateway"
	"nave/ctl/show"
)

// What the commands show of EIGRP is what there is: a phase 2 star, where a spoke hears of another by the hub and the other one is the next hop.
func TestEIGRPShown(t *testing.T) {
	n := EIGRPStar(t, 71, 2, "")
	a, b := StarOf(1), StarOf(2)
	n.Until(5*time.Minute, "routes", func() bool { return eigrpRoutes(n, a.Name) == 1 && eigrpRoutes(n, b.Name) == 1 })
	n.Run(10 * time.Second)
	c := n.Router(a.Name).Core()
	ask := func(q show.Query) *show.Answer {
		t.Helper()
		x, err := c.Query(n.Now(), q)
		if err != nil {
			t.Fatal(err)
		}
		return &x
	}
	s := c.Status(n.Now())
	host := netip.PrefixFrom(b.LAN, 32)
	topology, routes, route := ask(show.Query{Table: show.TableTopology}), ask(show.Query{Table: show.TableRoutes}), ask(show.Query{Table: show.TableRoutes, Dest: host})
	entry := show.Query{Table: show.TableTopology, Dest: host}
	for _, x := range []struct{ text, want string }{
		{show.EIGRPNeighbors(&s, topology, "", true), "0   10.255.0.1              Tu0 "},
		{show.EIGRPInterfaces(&s, topology, "", true), "Tu0                        1 "},
		{show.EIGRPTopology(&s, topology, ""), "        via 10.255.0.5 (25730560/12930560), Tunnel0\n"},
		{show.EIGRPTopology(&s, topology, show.LinksAll), "        via Connected, Tunnel0\n        via 10.255.0.1 (25602560/12802560), Tunnel0\n"},
		{show.Routes(&s, "", routes.Routes), "D    10.0.2.0/24 [90/25730560] via 10.255.0.5, "},
		{show.RouteEntry(&s, show.Query{}, route), "  * 10.255.0.5, from 10.255.0.1, "},
		{show.RouteEntry(&s, show.Query{}, route), "      Total delay is 1005000 microseconds, minimum bandwidth is 1000000 Kbit\n"},
		{show.EIGRPEntry(&s, entry, ask(entry)), " for 10.0.2.0/24\n  State is Passive, Query origin flag is 1, 1 Successor(s), FD is 25730560\n"},
	} {
		if !strings.Contains(x.text, x.want) {
			t.Errorf("%q is missing:\n%s", x.want, x.text)
		}
	}
	if err := c.ClearEIGRP(n.Now(), gateway.ClearEIGRP{AS: 1, Neighbor: netip.MustParseAddr("10.255.0.1")}); err != nil {
		t.Fatal(err)
	}
	gone := func() bool { return eigrpRoutes(n, a.Name) == 0 }
	if !gone() {
		t.Error("the routes of a neighbor that was cleared are still there")
	}
	n.Until(time.Minute, "the neighbor is back", func() bool { return !gone() })
}
