package slowpath

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/nhrp"
)

// keptEngine is a fast path that outlives a Router, and notes which routes are taken away or lead elsewhere.
type keptEngine struct {
	*fastpath.Engine
	touched []netip.Prefix
}

func (e *keptEngine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	for _, k := range b.DelRoutes {
		e.touched = append(e.touched, k.Prefix)
	}
	for _, r := range b.Routes {
		e.touched = append(e.touched, r.Prefix)
	}
	return e.Engine.Apply(b)
}

// hasRoute tells whether a prefix is in the fast path, by an adjacency of a tunnel.
func (e *keptEngine) hasRoute(p netip.Prefix) bool {
	b := e.Inherited()
	for _, r := range b.Routes {
		if r.Prefix == p {
			return slices.ContainsFunc(b.Adjacencies, func(a fib.Adjacency) bool { return a.ID == r.Paths[0] && a.Kind == fib.AdjTunnel })
		}
	}
	return false
}

// withMappings has a spoke of dmvpnNet know the others.
func (b *eigrpBox) withMappings(local string) {
	b.config.NHRP = nhrp.Config{Interfaces: []nhrp.Interface{{
		Name: "Tunnel0", ID: tunnelID, Address: b.link("Tunnel0").Addrs[0], NBMA: ip(local), NetworkID: 1, HoldTime: 300 * time.Second, MTU: 1400,
		Maps: []nhrp.Map{{Protocol: pfx("10.0.0.1/32"), NBMA: ip("192.0.2.1")}, {Protocol: pfx("10.0.0.3/32"), NBMA: ip("192.0.2.3")}},
	}}}
}

func (b *eigrpBox) meet() {
	for k := byte(1); k <= 3; k++ {
		b.At(b.net.now).Neighbour("Ethernet0", netip.AddrFrom4([4]byte{192, 0, 2, k}), [6]byte{2, 0, 0, 0, 7, k}, true)
	}
}

// A control plane that begins anew on a fast path that has EIGRP's routes leaves them alone while neighbors are found, and goes on with them; they are gone in the end where
// nobody says them again.
func TestEIGRPTakeover(t *testing.T) {
	for _, c := range []struct {
		name string
		lost bool // the hub is not heard of any more
	}{{"the hub is there", false}, {"the hub is lost", true}} {
		t.Run(c.name, func(t *testing.T) {
			n, tunnel, _, spokes := dmvpnNet(t)
			s := spokes[0]
			f, err := fastpath.New(smallEngine)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			e := &keptEngine{Engine: f}
			learned := []netip.Prefix{pfx("10.1.0.0/24"), pfx("10.3.0.0/24")}
			begin := func() {
				s.withMappings("192.0.2.2")
				s.configure()
				s.meet()
			}
			s.start(e)
			begin()
			n.run(20 * time.Second)
			s.want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.1", "10.3.0.0/24": "eigrp/100 90 Tunnel0 10.0.0.3"})
			for _, p := range learned {
				if !e.hasRoute(p) {
					t.Fatalf("%s is not in the fast path: %+v", p, e.Inherited())
				}
			}
			tunnel.cut[s] = c.lost
			e.touched = nil
			s.start(e)
			s.At(n.now).Inherit(e.Inherited())
			begin()
			for range 20 {
				n.run(5 * time.Second)
				for _, p := range learned {
					if !e.hasRoute(p) {
						t.Fatalf("%s is gone", p)
					}
					if slices.Contains(e.touched, p) {
						t.Fatalf("%s was installed again, or taken away", p)
					}
				}
			}
			n.run(3 * time.Minute)
			for _, p := range learned {
				if e.hasRoute(p) == c.lost {
					t.Errorf("%s in the end: %v", p, e.hasRoute(p))
				}
			}
		})
	}
}
