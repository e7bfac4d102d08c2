package bgp

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"nave/testbed/golden"
)

// TestCapturedSessions reads every VPN route that FRR's routers told each other, as tshark reads them: one after the other, and what each is left with.
func TestCapturedSessions(t *testing.T) {
	const file = "frr8.4-vpnv4-mgre.pcap"
	want := golden.VPNRoutes(t, file)
	left := map[netip.Addr]map[string]uint32{} // labels by receiver and prefix
	for _, raw := range golden.BGPMessages(t, file) {
		m, err := gobgp.ParseBGPMessage(raw.Bytes)
		if err != nil {
			t.Fatalf("frame %d: %v", raw.Frame, err)
		}
		u, ok := m.Body.(*gobgp.BGPUpdate)
		if !ok {
			continue
		}
		k := slices.IndexFunc(u.PathAttributes, func(a gobgp.PathAttributeInterface) bool { return a.GetType() == gobgp.BGP_ATTR_TYPE_MP_REACH_NLRI })
		if k < 0 {
			continue
		}
		for _, nlri := range u.PathAttributes[k].(*gobgp.PathAttributeMpReachNLRI).Value {
			p, ok := new(instance).readPath(&apiutil.Path{Nlri: nlri.NLRI, Attrs: u.PathAttributes, PeerAddress: raw.From})
			if !ok || len(want) == 0 {
				t.Fatalf("frame %d: %v: %+v; tshark has %d more", raw.Frame, ok, p, len(want))
			}
			w := want[0]
			want = want[1:]
			if raw.Frame != w.Frame || raw.To != w.To || p.rd.String() != w.RD || p.prefix != w.Prefix || p.nextHop != w.NextHop || !slices.Equal(p.labels, []uint32{w.Label}) ||
				len(p.targets) != 1 || p.targets[0].String() != w.Target || p.routerID != w.Originator {
				t.Errorf("frame %d to %s: %s %s by %s, labels %v, targets %v, originator %s; tshark has %+v",
					raw.Frame, raw.To, p.rd, p.prefix, p.nextHop, p.labels, p.targets, p.routerID, w)
			}
			if left[raw.To] == nil {
				left[raw.To] = map[string]uint32{}
			}
			left[raw.To][p.rd.String()+" "+p.prefix.String()] = p.labels[0]
		}
	}
	if len(want) > 0 {
		t.Errorf("not read: %+v", want)
	}
	// The hub has those of the spokes, the spokes those of all.
	for to, n := range map[string]int{"10.255.0.1": 4, "10.255.0.11": 6, "10.255.0.12": 6} {
		if got := left[netip.MustParseAddr(to)]; len(got) != n {
			t.Errorf("%s is told of %v", to, got)
		}
	}
}
