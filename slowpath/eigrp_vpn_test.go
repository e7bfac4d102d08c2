package slowpath

import (
	"fmt"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// vpnSites is two provider edges with a customer's router each, in VRF red; what one edge announces, the test takes to the other.
type vpnSites struct {
	*eigrpNet
	ce, pe [2]*eigrpBox
}

func newVPNSites(t *testing.T, as [2]uint16) *vpnSites {
	s := &vpnSites{eigrpNet: newEIGRPNet(t)}
	for k := range 2 {
		wire := &segment{}
		n := string(rune('1' + k))
		pe, ce := s.box("pe"+n), s.box("ce"+n)
		s.pe[k], s.ce[k] = pe, ce
		pe.config.VRFs = []VRF{{ID: red, Name: "red"}}
		pe.config.MPLS = MPLS{First: 100, Last: 219}
		core := pe.ethernet("Ethernet0", 0, "192.0.2."+n+"/24", nil)
		core.MPLS = true
		pe.ethernet("Ethernet1", red, "10.0."+n+".1/24", wire)
		e := pe.process(red, as[k], "Ethernet1")
		e.Redistribute = []EIGRPSource{{Source: rib.BGP, Set: someMetric}}
		pe.config.BGP = BGP{On: true, Redistribute: []Redistribute{{VRF: red, Source: rib.EIGRP, Process: uint32(as[k])}}}
		ce.ethernet("Ethernet0", 0, "10.0."+n+".2/24", wire)
		ce.ethernet("Ethernet1", 0, "10."+n+".0.1/24", nil)
		ce.process(0, as[k], "Ethernet0", "Ethernet1")
		ce.config.Statics[0] = []rib.StaticRoute{{Prefix: pfx("10.6" + n + ".0.0/16"), Tag: 9}}
		ce.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Static}}
	}
	s.configure()
	s.run(10 * time.Second)
	return s
}

// carry takes what edge from announces for a prefix to the other one, as a BGP session with a label would; changed may change it.
func (s *vpnSites) carry(from int, prefix string, changed func(*bgp.Route)) {
	s.t.Helper()
	l, ok := s.pe[from].said[bgp.Key{VRF: "red", Prefix: pfx(prefix)}]
	e := bgp.Route{Key: bgp.Key{VRF: "red", Prefix: pfx(prefix)}, Withdrawn: !ok}
	if ok {
		e.NextHop, e.Labels, e.RD, e.Distance, e.Metric, e.Extended = s.pe[from].config.Interfaces[0].Addrs[0].Addr(), []uint32{l.Label}, 1, 200, l.Metric, l.Extended
	}
	if changed != nil {
		changed(&e)
	}
	s.pe[1-from].At(s.now).BGP(bgp.Effects{Routes: []bgp.Route{e}})
	s.run(time.Second)
}

// A customer's routes are at its other site what they were: internal ones internal, with the metric that they had at the edge, external ones as whoever redistributed them
// says. BGP's own routes of the VRF have the metric of the configuration.
func TestEIGRPOverVPN(t *testing.T) {
	s := newVPNSites(t, [2]uint16{100, 100})
	at := find(s.pe[0].Routes(red), "10.1.0.0/24").Metric
	l := s.pe[0].said[bgp.Key{VRF: "red", Prefix: pfx("10.1.0.0/24")}]
	if at != 256*(1000+200) || l.Metric != at || len(l.Extended) == 0 || l.Label == 0 {
		t.Fatalf("metric %d; announced: %+v", at, l)
	}
	for _, p := range []string{"10.1.0.0/24", "10.61.0.0/16", "10.0.1.0/24"} {
		s.carry(0, p, nil)
	}
	by := " Ethernet0 10.0.2.1"
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90" + by, "10.61.0.0/16": "eigrp/100 170" + by, "10.0.1.0/24": "eigrp/100 90" + by})
	if r := find(s.ce[1].Routes(0), "10.1.0.0/24"); r.Metric != at+256*100 {
		t.Errorf("at the other site: %+v, at the edge %d", r, at)
	}
	if r := find(s.ce[1].Routes(0), "10.61.0.0/16"); r.Tag != 9 || external(s.ce[1], "10.61.0.0/16") != "static 0 0" {
		t.Errorf("%+v, %s", r, external(s.ce[1], "10.61.0.0/16"))
	}
	if l, ok := s.pe[1].said[bgp.Key{VRF: "red", Prefix: pfx("10.1.0.0/24")}]; ok {
		t.Errorf("it goes back to BGP: %+v", l)
	}
	// The metric changes, and communities alone do.
	s.ce[0].link("Ethernet1").Delay = 300
	s.ce[0].configure()
	s.run(time.Second)
	s.carry(0, "10.1.0.0/24", nil)
	if r := find(s.ce[1].Routes(0), "10.1.0.0/24"); r.Metric != at+256*300 {
		t.Errorf("%+v, at the edge %d", r, at)
	}
	s.carry(0, "10.1.0.0/24", func(e *bgp.Route) { e.Extended = nil })
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 170" + by})
	if x := external(s.ce[1], "10.1.0.0/24"); x != fmt.Sprintf("bgp 0 %d", at+256*200) {
		t.Error(x)
	}
	s.carry(0, "10.1.0.0/24", nil)
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90" + by})
	// A neighbour of eBGP in the VRF itself makes no internal route.
	s.carry(0, "10.1.0.0/24", func(e *bgp.Route) { e.External, e.RD, e.Labels, e.NextHop = true, 0, nil, ip("10.0.2.9") })
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 170" + by})
	s.carry(0, "10.1.0.0/24", nil)
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90" + by})
	// A route that can't be used brings nothing.
	s.carry(0, "10.1.0.0/24", func(e *bgp.Route) { e.Labels = nil })
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "none"})
	s.carry(0, "10.1.0.0/24", nil)
	s.ce[0].link("Ethernet1").Up = false
	s.ce[0].configure()
	s.run(time.Second)
	s.carry(0, "10.1.0.0/24", nil)
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "none", "10.61.0.0/16": "eigrp/100 170" + by})
	if len(s.pe[1].eigrp.vpn) != 2 {
		t.Errorf("communities: %v", s.pe[1].eigrp.vpn)
	}
	s.pe[1].config.VRFs, s.pe[1].config.EIGRP = nil, nil
	s.pe[1].config.Interfaces = s.pe[1].config.Interfaces[:1]
	s.pe[1].configure()
	if len(s.pe[1].eigrp.vpn)+len(s.pe[1].eigrp.stale) != 0 {
		t.Errorf("communities of a VRF that is no more: %v", s.pe[1].eigrp.vpn)
	}
}

// A site with another AS has external routes, with the configured metric.
func TestEIGRPOverVPNOtherAS(t *testing.T) {
	s := newVPNSites(t, [2]uint16{100, 200})
	s.carry(0, "10.1.0.0/24", nil)
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/200 170 Ethernet0 10.0.2.1"})
	s.pe[1].config.EIGRP[0].Redistribute[0].Set = EIGRPAttributes{}
	s.pe[1].configure()
	s.run(time.Second)
	s.ce[1].want(0, map[string]string{"10.1.0.0/24": "none"})
}

// Where a customer has two edges, and a link of its own between its sites that is better than BGP's metric says of the VPN, that link is gone by, whoever heard what first;
// when it fails, the VPN is, and the other way about.
func TestEIGRPSiteWithTwoEdges(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := newVPNSites(t, [2]uint16{100, 100})
		back := &segment{}
		for k, ce := range s.ce {
			i := ce.ethernet("Ethernet2", 0, []string{"10.99.0.1/24", "10.99.0.2/24"}[k], back)
			i.Delay = 10
			ce.config.EIGRP[0].Run.Interfaces = append(ce.config.EIGRP[0].Run.Interfaces, eigrp.Interface{Name: "Ethernet2"})
		}
		join := func() {
			s.ce[0].configure()
			s.ce[1].configure()
			s.run(10 * time.Second)
		}
		if early {
			join()
		}
		s.carry(0, "10.1.0.0/24", nil)
		if !early {
			s.pe[1].want(red, map[string]string{"10.1.0.0/24": "bgp 200 Ethernet0 192.0.2.1"})
			join()
		}
		s.pe[1].want(red, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet1 10.0.2.2"})
		s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet2 10.99.0.1"})
		if _, ok := s.pe[1].said[bgp.Key{VRF: "red", Prefix: pfx("10.1.0.0/24")}]; !ok {
			t.Errorf("early %v: the other edge does not announce the route", early)
		}
		for range 2 { // the link between the sites
			s.ce[1].link("Ethernet2").Up = false
			join()
			s.pe[1].want(red, map[string]string{"10.1.0.0/24": "bgp 200 Ethernet0 192.0.2.1"})
			s.ce[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.2.1"})
			s.ce[1].link("Ethernet2").Up = true
			join()
			s.pe[1].want(red, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet1 10.0.2.2"})
		}
		s.ce[0].link("Ethernet0").Up = false // the site's own edge; the other one tells of the site by now
		join()
		s.carry(0, "10.1.0.0/24", nil)
		s.carry(1, "10.1.0.0/24", nil)
		s.pe[0].want(red, map[string]string{"10.1.0.0/24": "bgp 200 Ethernet0 192.0.2.2"})
		s.pe[1].want(red, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet1 10.0.2.2"})
	}
}

// An edge whose control plane begins anew has its customer keep what BGP had told, until BGP has told it again or has nothing more to tell.
func TestEIGRPWaitsForBGP(t *testing.T) {
	for _, again := range []bool{true, false} {
		s := newVPNSites(t, [2]uint16{100, 100})
		s.carry(0, "10.1.0.0/24", nil)
		pe, ce := s.pe[1], s.ce[1]
		has := map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.2.1"}
		ce.want(0, has)
		since := find(ce.Routes(0), "10.1.0.0/24").Since
		ce.logs = nil
		pe.start(newVPNEngine())
		pe.At(s.now).Inherit(fib.Batch{})
		pe.configure()
		s.run(30 * time.Second)
		ce.want(0, has)
		if again {
			s.carry(0, "10.1.0.0/24", nil)
		}
		s.run(20 * time.Second)
		ce.want(0, has)
		pe.At(s.now).BGP(bgp.Effects{Settled: true})
		s.run(20 * time.Second)
		if !again {
			has = map[string]string{"10.1.0.0/24": "none"}
		}
		ce.want(0, has)
		if r := find(ce.Routes(0), "10.1.0.0/24"); again && r.Since != since {
			t.Error("the route was gone meanwhile")
		}
		if l := ce.logs; len(l) != 1 || l[0].Kind != eigrp.LogNeighborResync {
			t.Errorf("at the customer: %+v", l)
		}
		ce.want(0, map[string]string{"10.0.2.0/24": "connected 0 Ethernet0"})
		pe.want(red, map[string]string{"10.2.0.0/24": "eigrp/100 90 Ethernet1 10.0.2.2"})
	}
}
