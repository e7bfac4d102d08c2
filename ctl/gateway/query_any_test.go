package gateway

import (
	"encoding/json"
	"net/netip"
	"testing"

	"nave/ctl/show"
)

// Whoever may look may ask for anything: no question ends the control plane, and each answer can be sent.
func TestAnyQuery(t *testing.T) {
	c, _ := newCore(t, eigrpBox)
	hello(t, c, "Ethernet0", "192.0.2.9", 0, 7)
	var dests []netip.Prefix
	for _, text := range []string{"0.0.0.0/0", "192.0.2.77/32", "192.0.2.77/24", "255.255.255.255/32", "::/0", "::1/128", "::ffff:192.0.2.1/128", "::ffff:192.0.2.1/120", "fe80::1/10", "224.0.0.10/4"} {
		dests = append(dests, netip.MustParsePrefix(text))
	}
	dests = append(dests, netip.Prefix{}, netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 40), netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), -1))
	tables := []show.Table{show.TableRoutes, show.TableCEF, show.TableLabels, show.TableLDP, show.TableBindings, show.TableBGP, show.TableNeighbours, show.TablePaths, show.TableEIGRP, show.TableTopology, show.TableARP, ""}
	asked, answered := 0, 0
	for _, table := range tables {
		for _, vrf := range []string{"", "red", "green", show.AllVRFs, show.GlobalVRF, "\x00\xff"} {
			for _, dest := range dests {
				for _, exact := range []bool{false, true} {
					asked++
					a, err := c.Query(start, show.Query{Table: table, VRF: vrf, Dest: dest, Exact: exact, AS: 40 * uint16(asked%2), Neighbour: dest.Addr()})
					if err != nil {
						continue
					}
					answered++
					if _, err := json.Marshal(a); err != nil {
						t.Errorf("%s %q %v %v: %v", table, vrf, dest, exact, err)
					}
				}
			}
		}
	}
	if answered < asked/10 {
		t.Errorf("%d answers to %d questions", answered, asked)
	}
}
