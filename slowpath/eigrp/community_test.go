package eigrp

import (
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Two sites of an AS with BGP between their nearest routers: what is internal at one is so at the other, with the metric that it had; what is external keeps where it is from.
func TestCommunitiesBetweenSites(t *testing.T) {
	for _, wide := range []bool{false, true} {
		w := chain(t, 4)
		w.links[1].cut = true // between r1 and r2, which speak BGP
		for _, n := range w.nodes {
			n.cfg.Wide = wide
		}
		x := ExternalRoute{
			Prefix: pfx("192.168.7.0/24"), Bandwidth: 1000, Delay: 20, Reliability: 255, Load: 1, MTU: 1500, Protocol: eigrpmsg.FromStatic, AS: 7, Metric: 9, Tag: 99,
		}
		w.nodes[0].handle(Redistributed{Changed: []ExternalRoute{x}})
		w.start()
		w.run(4 * time.Second)
		pe, far := w.nodes[1], w.nodes[2]
		for _, p := range []string{"10.0.0.0/24", "10.1.0.0/24", "192.168.7.0/24"} {
			cs, ok := pe.m.Communities(pfx(p))
			if !ok {
				t.Fatalf("no communities of %s", p)
			}
			if _, ok := FromCommunities(pfx(p), 101, cs); ok {
				t.Error("another AS takes it")
			}
			r, ok := FromCommunities(pfx(p), 100, cs)
			if !ok || r.Internal != (p != "192.168.7.0/24") {
				t.Fatalf("%s: %+v", p, r)
			}
			far.handle(Redistributed{Changed: []ExternalRoute{r}})
		}
		if _, ok := pe.m.Communities(pfx("10.9.0.0/24")); ok {
			t.Error("communities of a route that there is not")
		}
		w.run(2 * time.Second)
		at := w.nodes[3]
		metric := func(bw, delay uint32) uint32 {
			if wide {
				return (65536*(10_000_000/bw) + 655360*delay) / 128
			}
			return 256 * (10_000_000/bw + delay)
		}
		if r := at.routes[pfx("10.0.0.0/24")]; r.Kind != Internal || r.Distance != 90 || r.Metric != metric(10000, 210) { // both sites' links, and none between
			t.Errorf("wide %v: internal %+v", wide, r)
		}
		if r := at.routes[pfx("10.1.0.0/24")]; r.Kind != Internal || r.Metric != metric(10000, 110) {
			t.Errorf("wide %v: connected %+v", wide, r)
		}
		if r := at.routes[x.Prefix]; r.Kind != External || r.Tag != 99 || r.Metric != metric(1000, 220) {
			t.Errorf("wide %v: external %+v", wide, r)
		}
		for _, s := range at.m.Topology() {
			if s.Prefix == x.Prefix && *s.Paths[0].External != (eigrpmsg.External{Router: w.nodes[0].cfg.RouterID, AS: 7, Tag: 99, Metric: 9, Protocol: eigrpmsg.FromStatic}) {
				t.Errorf("%+v", s.Paths[0].External)
			}
			if s.Prefix == pfx("10.0.0.0/24") && s.Paths[0].Metric.Hops != 2 {
				t.Errorf("%d hops", s.Paths[0].Metric.Hops)
			}
		}
		// The route changes its kind, and goes.
		r := ExternalRoute{Prefix: pfx("10.0.0.0/24"), Bandwidth: 1000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500, Protocol: eigrpmsg.FromBGP}
		far.handle(Redistributed{Changed: []ExternalRoute{r}})
		w.run(time.Second)
		if got := at.routes[r.Prefix]; got.Kind != External {
			t.Errorf("still internal: %+v", got)
		}
		cs, _ := pe.m.Communities(pfx("10.0.0.0/24"))
		back, _ := FromCommunities(r.Prefix, 100, cs)
		far.handle(Redistributed{Changed: []ExternalRoute{back}})
		w.run(time.Second)
		if got := at.routes[r.Prefix]; got.Kind != Internal || got.Metric != metric(10000, 210) {
			t.Errorf("not internal again: %+v", got)
		}
	}
}
