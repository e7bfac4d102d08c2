package eigrp

import (
	"net/netip"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Communities are the extended communities that a BGP route is to have that is made of what this process has for a prefix: by them a process of the same AS
// at another site has the route as if it had come by EIGRP. False: the process cannot reach the prefix.
func (m *Machine) Communities(prefix netip.Prefix) ([]uint64, bool) {
	e := m.entries[prefix]
	if e == nil {
		return nil, false
	}
	a := m.current(e)
	if m.infinite(&a.vec) {
		return nil, false
	}
	c := eigrpmsg.Community{AS: m.cfg.AS, Internal: !a.external, Metric: m.outward(a.vec, false)}
	if a.external {
		c.Tag, c.External, c.Router = a.ext.Tag, a.ext, a.ext.Router
	} else if a.kind != fromNeighbor {
		c.Router = m.cfg.RouterID
	}
	return c.Append(nil), true
}

// FromCommunities is the route to redistribute into the process of an AS for a BGP route with these extended communities, as the process at the other site
// had it: an internal route stays one. False: they are not of a route of that AS.
func FromCommunities(prefix netip.Prefix, as uint16, communities []uint64) (ExternalRoute, bool) {
	c, ok := eigrpmsg.ReadCommunities(communities)
	if !ok || c.AS != as {
		return ExternalRoute{}, false
	}
	x := &c.External
	return ExternalRoute{
		Prefix: prefix, Internal: c.Internal, Vector: c.Metric, HasVector: true, Router: x.Router,
		Protocol: x.Protocol, AS: x.AS, Metric: x.Metric, Tag: c.Tag,
	}, true
}
