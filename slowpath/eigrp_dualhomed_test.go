package slowpath

import (
	"testing"
	"time"

	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// A site with two edges of its own hears of another site by both. Whichever of them hears it first, the other does not take it for the site's own: when the origin is gone,
// so is the route everywhere.
func TestEIGRPSiteWithTwoEdgesHearsItself(t *testing.T) {
	s := newVPNSites(t, [2]uint16{100, 100})
	wire := &segment{}
	third := s.box("pe3")
	third.config.VRFs = []VRF{{ID: red, Name: "red"}}
	third.config.MPLS = MPLS{First: 100, Last: 219}
	core := third.ethernet("Ethernet0", 0, "192.0.2.3/24", nil)
	core.MPLS = true
	third.ethernet("Ethernet1", red, "10.0.3.1/24", wire)
	third.process(red, 100, "Ethernet1").Redistribute = []EIGRPSource{{Source: rib.BGP, Set: someMetric}}
	third.config.BGP = BGP{On: true, Redistribute: []Redistribute{{VRF: red, Source: rib.EIGRP, Process: 100}}}
	s.ce[1].ethernet("Ethernet3", 0, "10.0.3.2/24", wire)
	s.ce[1].config.EIGRP[0].Run.Interfaces = append(s.ce[1].config.EIGRP[0].Run.Interfaces, eigrp.Interface{Name: "Ethernet3"})
	s.configure()
	s.run(10 * time.Second)
	const prefix, own = "10.1.0.0/24", "10.2.0.0/24"
	edges := []*eigrpBox{s.pe[0], s.pe[1], third}
	// tell takes the best of what the other edges announce to some: the one with the least metric.
	tell := func(prefix string, to ...int) {
		routes := make([]bgp.Route, len(edges))
		for k := range edges {
			e := &routes[k]
			e.Key, e.Withdrawn = bgp.Key{VRF: "red", Prefix: pfx(prefix)}, true
			for from, b := range edges {
				l, ok := b.said[e.Key]
				if from == k || !ok || !e.Withdrawn && l.Metric >= e.Metric {
					continue
				}
				e.Withdrawn = false
				e.NextHop, e.Labels, e.RD, e.Distance, e.Metric, e.Extended = b.config.Interfaces[0].Addrs[0].Addr(), []uint32{l.Label}, 1, 200, l.Metric, l.Extended
			}
		}
		for _, k := range to {
			edges[k].At(s.now).BGP(bgp.Effects{Routes: routes[k : k+1]})
		}
		s.run(time.Second)
	}
	tell(prefix, 1) // the second edge, and by the customer's router the third: BGP is later
	third.want(red, map[string]string{prefix: "eigrp/100 90 Ethernet1 10.0.3.2"})
	for range 3 {
		tell(prefix, 0, 1, 2)
	}
	third.want(red, map[string]string{prefix: "bgp 200 Ethernet0 192.0.2.1"})
	if l, ok := third.said[bgp.Key{VRF: "red", Prefix: pfx(prefix)}]; ok {
		t.Errorf("the third edge announces what it has of the second one: %+v", l)
	}
	s.ce[0].link("Ethernet1").Up = false
	s.ce[0].configure()
	s.run(time.Second)
	for range 3 {
		tell(prefix, 0, 1, 2)
	}
	for _, b := range edges {
		b.want(red, map[string]string{prefix: "none"})
	}
	s.ce[1].want(0, map[string]string{prefix: "none"})
	// The site's own is nearer by the site for both of its edges, and goes when it is gone.
	for range 3 {
		tell(own, 0, 1, 2)
	}
	s.pe[0].want(red, map[string]string{own: "bgp 200 Ethernet0 192.0.2.2"})
	s.pe[1].want(red, map[string]string{own: "eigrp/100 90 Ethernet1 10.0.2.2"})
	third.want(red, map[string]string{own: "eigrp/100 90 Ethernet1 10.0.3.2"})
	s.ce[1].link("Ethernet1").Up = false
	s.ce[1].configure()
	s.run(time.Second)
	for range 5 {
		tell(own, 0, 1, 2)
	}
	for _, b := range edges {
		b.want(red, map[string]string{own: "none"})
	}
	s.ce[1].want(0, map[string]string{own: "none"})
}
