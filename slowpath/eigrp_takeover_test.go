package slowpath

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
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

// withMappings has a router of dmvpnNet know the others.
func (b *eigrpBox) withMappings() {
	own, maps := b.link("Tunnel0").Tunnel.Local, []nhrp.Map(nil)
	for k := byte(1); k <= 3; k++ {
		if a := netip.AddrFrom4([4]byte{192, 0, 2, k}); a != own {
			maps = append(maps, nhrp.Map{Protocol: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, k}), 32), NBMA: a})
		}
	}
	b.config.NHRP = nhrp.Config{Interfaces: []nhrp.Interface{{
		Name: "Tunnel0", ID: tunnelID, Address: b.link("Tunnel0").Addrs[0], NBMA: own, NetworkID: 1, HoldTime: 300 * time.Second, MTU: 1400,
		Maps: maps,
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
		of   int  // which router begins anew
		lost bool // the others are not heard of any more
	}{{"spoke, the hub is there", 1, false}, {"spoke, the hub is lost", 1, true}, {"hub, the spokes are there", 0, false}, {"hub, the spokes are lost", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			n, tunnel, _, _ := dmvpnNet(t)
			s, others := n.boxes[c.of], slices.Delete(slices.Clone(n.boxes), c.of, c.of+1)
			f, err := fastpath.New(smallEngine)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			e := &keptEngine{Engine: f}
			var learned []netip.Prefix
			for _, o := range others {
				learned = append(learned, o.link("Ethernet1").Addrs[0].Masked())
			}
			begin := func() {
				s.withMappings()
				s.configure()
				s.meet()
			}
			s.start(e)
			begin()
			n.run(20 * time.Second)
			for _, p := range learned {
				if !e.hasRoute(p) {
					t.Fatalf("%s is not in the fast path: %+v", p, e.Inherited())
				}
			}
			tunnel.cut[s] = c.lost
			e.touched = nil
			for _, o := range n.boxes {
				o.logs = nil
			}
			own := s.link("Ethernet1").Addrs[0].Masked()
			s.start(e)
			s.At(n.now).Inherit(e.Inherited())
			begin()
			for range 100 {
				n.run(time.Second)
				for _, o := range others { // they were asked to keep what they have
					if r, ok := o.Route(0, own, true); !c.lost && (!ok || r.Source != rib.EIGRP) {
						t.Fatalf("%s lost its route: %+v", o.name, r)
					}
				}
				for _, p := range learned {
					if !e.hasRoute(p) {
						t.Fatalf("%s is gone", p)
					}
					if slices.Contains(e.touched, p) {
						t.Fatalf("%s was installed again, or taken away", p)
					}
				}
			}
			for _, o := range others {
				for _, l := range o.logs {
					if !c.lost && l.Kind != eigrp.LogNeighborResync {
						t.Errorf("at %s: %+v", o.name, l)
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
