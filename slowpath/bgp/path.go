package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// vpnKey names a VPN prefix.
type vpnKey struct {
	RD     RD
	Prefix netip.Prefix
}

// path is a route as GoBGP has it, read.
type path struct {
	prefix      netip.Prefix
	rd          RD
	nextHop     netip.Addr
	labels      []uint32
	targets     []RouteTarget // all extended communities
	communities []uint32
	asPath      []uint32
	origin      Origin
	med         uint32
	localPref   uint32
	routerID    netip.Addr // of who said so, or ORIGINATOR_ID
	clusters    int
	neighbour   netip.Addr // the zero Addr: our own
	external    bool
	vrf         string // of our own: the VRF that it is of
}

func (p *path) key() vpnKey { return vpnKey{p.rd, p.prefix} }

// own tells routes that this router originates.
func (p *path) own() bool { return !p.neighbour.IsValid() }

// readNLRI takes a prefix apart; false for families that are not ours.
func readNLRI(n bgp.NLRI) (rd RD, prefix netip.Prefix, labels []uint32, ok bool) {
	switch n := n.(type) {
	case *bgp.IPAddrPrefix:
		return 0, n.Prefix, nil, true
	case *bgp.LabeledVPNIPAddrPrefix:
		b, err := n.RD.Serialize()
		if err != nil || len(b) != 8 {
			return 0, netip.Prefix{}, nil, false
		}
		return RD(binary.BigEndian.Uint64(b)), n.Prefix, n.Labels.Labels, true
	}
	return 0, netip.Prefix{}, nil, false
}

// readPath reads what an instance's GoBGP reports. The caller holds the speaker's lock.
func (in *instance) readPath(g *apiutil.Path) (*path, bool) {
	p := &path{localPref: defaultLocalPref, routerID: g.PeerID}
	var ok bool
	if p.rd, p.prefix, p.labels, ok = readNLRI(g.Nlri); !ok {
		return nil, false
	}
	if g.PeerAddress.IsValid() {
		if l := in.byName[g.PeerAddress]; l != nil {
			p.neighbour, p.external = l.addr, l.config().external
		} else {
			p.neighbour = g.PeerAddress
		}
	}
	for _, a := range g.Attrs {
		switch a := a.(type) {
		case *bgp.PathAttributeNextHop:
			p.nextHop = a.Value
		case *bgp.PathAttributeMpReachNLRI:
			p.nextHop = a.Nexthop.Unmap()
		case *bgp.PathAttributeAsPath:
			for _, seg := range a.Value {
				p.asPath = append(p.asPath, seg.GetAS()...)
			}
		case *bgp.PathAttributeOrigin:
			p.origin = Origin(a.Value)
		case *bgp.PathAttributeMultiExitDisc:
			p.med = a.Value
		case *bgp.PathAttributeLocalPref:
			p.localPref = a.Value
		case *bgp.PathAttributeCommunities:
			p.communities = a.Value
		case *bgp.PathAttributeOriginatorId:
			p.routerID = a.Value
		case *bgp.PathAttributeClusterList:
			p.clusters = len(a.Value)
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range a.Value {
				if b, err := c.Serialize(); err == nil && len(b) == 8 {
					p.targets = append(p.targets, RouteTarget(binary.BigEndian.Uint64(b)))
				}
			}
		}
	}
	in.share(p)
	return p, true
}

// share has a path use the slices of the one read before it where they are equal: mostly they are, and there can be many.
func (in *instance) share(p *path) {
	if q := in.last; q != nil {
		if slices.Equal(p.targets, q.targets) {
			p.targets = q.targets
		}
		if slices.Equal(p.asPath, q.asPath) {
			p.asPath = q.asPath
		}
		if slices.Equal(p.communities, q.communities) {
			p.communities = q.communities
		}
	}
	in.last = p
}

// routeTargets are the targets among extended communities.
func routeTargets(ts []RouteTarget) []RouteTarget {
	return slices.DeleteFunc(slices.Clone(ts), func(t RouteTarget) bool { return !t.isTarget() })
}

// goNLRI is a prefix as GoBGP has it.
func goNLRI(rd RD, prefix netip.Prefix, label uint32) (bgp.Family, bgp.NLRI, error) {
	if rd == 0 {
		n, err := bgp.NewIPAddrPrefix(prefix)
		return bgp.RF_IPv4_UC, n, err
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(rd))
	f := bgp.RF_IPv4_VPN
	if !prefix.Addr().Is4() {
		f = bgp.RF_IPv6_VPN
	}
	n, err := bgp.NewLabeledVPNIPAddrPrefix(prefix, *bgp.NewMPLSLabelStack(label), bgp.GetRouteDistinguisher(b[:]))
	return f, n, err
}

// goPath is a route for GoBGP to originate.
func goPath(p *path) (*apiutil.Path, error) {
	label := uint32(0)
	if len(p.labels) > 0 {
		label = p.labels[0]
	}
	f, nlri, err := goNLRI(p.rd, p.prefix, label)
	if err != nil {
		return nil, fmt.Errorf("bgp: %s: %w", p.prefix, err)
	}
	hop := p.nextHop
	if !p.prefix.Addr().Is4() && hop.Is4() {
		hop = netip.AddrFrom16(hop.As16())
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(uint8(p.origin))}
	if f == bgp.RF_IPv4_UC {
		nh, err := bgp.NewPathAttributeNextHop(hop)
		if err != nil {
			return nil, fmt.Errorf("bgp: %s: %w", p.prefix, err)
		}
		attrs = append(attrs, nh)
	} else {
		mp, err := bgp.NewPathAttributeMpReachNLRI(f, []bgp.PathNLRI{{NLRI: nlri}}, hop)
		if err != nil {
			return nil, fmt.Errorf("bgp: %s: %w", p.prefix, err)
		}
		attrs = append(attrs, mp)
	}
	var segs []bgp.AsPathParamInterface
	for as := p.asPath; len(as) > 0; { // a segment has up to 255
		n := min(len(as), 255)
		segs = append(segs, bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, as[:n]))
		as = as[n:]
	}
	attrs = append(attrs, bgp.NewPathAttributeAsPath(segs), bgp.NewPathAttributeMultiExitDisc(p.med))
	if p.localPref != 0 && p.localPref != defaultLocalPref {
		attrs = append(attrs, bgp.NewPathAttributeLocalPref(p.localPref))
	}
	if len(p.communities) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeCommunities(p.communities))
	}
	if len(p.targets) > 0 {
		var cs []bgp.ExtendedCommunityInterface
		for _, t := range p.targets {
			var b [8]byte
			binary.BigEndian.PutUint64(b[:], uint64(t))
			c, err := bgp.ParseExtended(b[:])
			if err != nil {
				return nil, fmt.Errorf("bgp: %s: extended community %s: %w", p.prefix, t, err)
			}
			cs = append(cs, c)
		}
		attrs = append(attrs, bgp.NewPathAttributeExtendedCommunities(cs))
	}
	return &apiutil.Path{Family: f, Nlri: nlri, Attrs: attrs}, nil
}

// better compares two paths to one prefix from different route distinguishers, as RFC 4271 section 9.1.2.2 and RFC 4456 section 9 do.
func better(a, b *path) bool {
	switch {
	case a.localPref != b.localPref:
		return a.localPref > b.localPref
	case a.own() != b.own():
		return a.own()
	case len(a.asPath) != len(b.asPath):
		return len(a.asPath) < len(b.asPath)
	case a.origin != b.origin:
		return a.origin < b.origin
	case a.med != b.med && sameAS(a.asPath, b.asPath):
		return a.med < b.med
	case a.external != b.external:
		return a.external
	case a.routerID != b.routerID:
		return a.routerID.Less(b.routerID)
	case a.clusters != b.clusters:
		return a.clusters < b.clusters
	case a.neighbour != b.neighbour:
		return a.neighbour.Less(b.neighbour)
	}
	return a.rd < b.rd
}

// sameAS tells whether two paths came in by the same neighbouring AS: only then do their MEDs compare.
func sameAS(a, b []uint32) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return a[0] == b[0]
}

// String is for messages.
func (k vpnKey) String() string {
	if k.RD == 0 {
		return k.Prefix.String()
	}
	return strings.Join([]string{k.RD.String(), k.Prefix.String()}, ":")
}
