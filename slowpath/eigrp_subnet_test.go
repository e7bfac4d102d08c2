package slowpath

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// A subnet that `network` does not cover is a connected one like others, though EIGRP runs on its interface: it is redistributed where connected ones are, and none of EIGRP's to BGP.
func TestEIGRPSubnetNotCovered(t *testing.T) {
	n, a, b := pair(t)
	i := a.link("Ethernet0")
	i.Addrs = append(i.Addrs, pfx("10.9.0.1/24"))
	a.config.EIGRP[0].Run.Interfaces[0].NoSplitHorizon = true // the subnets of an interface are told by it
	a.config.EIGRP[0].Run.Interfaces[0].Subnets = []netip.Prefix{pfx("10.0.0.0/24")}
	a.config.BGP = BGP{On: true, Redistribute: []Redistribute{{Source: rib.EIGRP, Process: 100}}}
	n.configure()
	n.run(10 * time.Second)
	b.want(0, map[string]string{"10.9.0.0/24": "none"})
	if _, ok := a.said[bgp.Key{Prefix: pfx("10.9.0.0/24")}]; ok || len(a.said) != 1 {
		t.Errorf("BGP is told %+v", a.said)
	}
	a.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Connected}}
	a.configure()
	n.run(time.Second)
	b.want(0, map[string]string{"10.9.0.0/24": "eigrp/100 170 Ethernet0 10.0.0.1", "10.0.0.0/24": "connected 0 Ethernet0"})
	if s := a.EIGRPStatus(false)[0].Sources; s[0].Routes != 1 {
		t.Errorf("redistributed: %+v", s)
	}
	a.config.EIGRP[0].Run.Interfaces[0].Subnets = nil // `network` covers both now
	a.configure()
	n.run(time.Second)
	b.want(0, map[string]string{"10.9.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1"})
	if s := a.EIGRPStatus(false)[0].Sources; s[0].Routes != 0 || len(a.said) != 2 {
		t.Errorf("redistributed: %+v; BGP is told %+v", s, a.said)
	}
}
