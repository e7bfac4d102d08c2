package bgp

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"nave/slowpath/bgp/bgpmsg"
	"nave/testbed/golden"
)

// captured reads the route of the capture, or of what was made of it.
func captured(t *testing.T, msg []byte) (*path, []gobgp.PathAttributeInterface) {
	t.Helper()
	m, err := gobgp.ParseBGPMessage(msg)
	if err != nil {
		t.Fatal(err)
	}
	u := m.Body.(*gobgp.BGPUpdate)
	k := slices.IndexFunc(u.PathAttributes, func(a gobgp.PathAttributeInterface) bool { return a.GetType() == gobgp.BGP_ATTR_TYPE_MP_REACH_NLRI })
	if k < 0 {
		t.Fatal("there is no route in it")
	}
	nlri := u.PathAttributes[k].(*gobgp.PathAttributeMpReachNLRI).Value[0].NLRI
	p, ok := new(instance).readPath(&apiutil.Path{Nlri: nlri, Attrs: u.PathAttributes, PeerAddress: netip.MustParseAddr("12.1.1.1")})
	if !ok {
		t.Fatal("the route can't be read")
	}
	return p, u.PathAttributes
}

type oneLabel uint32

func (l oneLabel) Label(bgpmsg.Key) (uint32, bool) { return uint32(l), true }

// TestCapturedUpdate: a PE's UPDATE is read as it was meant, goes through unchanged where nothing is to be changed, and with next hop and label of ours where
// the router swaps. What nave does not know (ATTR_SET) goes along.
func TestCapturedUpdate(t *testing.T) {
	msgs := golden.BGP(t, "bgp_vpn_attrset.pcap")
	if len(msgs) != 1 {
		t.Fatalf("%d messages", len(msgs))
	}
	p, attrs := captured(t, msgs[0])
	if p.rd.String() != "500:500" || p.prefix != netip.MustParsePrefix("133.0.0.0/8") || !slices.Equal(p.labels, []uint32{100208}) || p.nextHop != netip.MustParseAddr("12.4.4.4") {
		t.Errorf("route %s %s labels %v next hop %s", p.rd, p.prefix, p.labels, p.nextHop)
	}
	if len(p.targets) != 1 || p.targets[0].String() != "300:300" || p.localPref != 100 || p.origin != OriginIGP || len(p.asPath) != 0 ||
		p.routerID.IsValid() || p.clusters != 0 { // ORIGINATOR_ID and CLUSTER_LIST of the customer's stand in the ATTR_SET, and are not the route's
		t.Errorf("attributes %+v", p)
	}
	rules := func(h bgpmsg.Hop) *bgpmsg.Rules {
		return &bgpmsg.Rules{Families: map[bgpmsg.Family]bgpmsg.FamilyRules{bgpmsg.VPNv4: {Default: h, Extended: true}}, Labels: oneLabel(16001)}
	}
	same, err := rules(bgpmsg.Hop{}).Rewrite(nil, msgs[0])
	if err != nil || !bytes.Equal(same, msgs[0]) {
		t.Errorf("a plain reflector sends\n%x, %v, and got\n%x", same, err, msgs[0])
	}
	hub := netip.MustParseAddr("10.0.0.1")
	swapped, err := rules(bgpmsg.Hop{Address: hub, Swap: true}).Rewrite(nil, msgs[0])
	if err != nil {
		t.Fatal(err)
	}
	q, after := captured(t, swapped)
	if q.nextHop != hub || !slices.Equal(q.labels, []uint32{16001}) {
		t.Errorf("swapped: next hop %s, labels %v", q.nextHop, q.labels)
	}
	if q.key() != p.key() || !slices.Equal(q.targets, p.targets) || q.routerID != p.routerID || q.clusters != p.clusters || len(after) != len(attrs) {
		t.Errorf("swapped: %+v, %d attributes of %d", q, len(after), len(attrs))
	}
}
