package labs

import (
	"fmt"
	"testing"
	"time"

	"nave/testbed/sim"
)

// The labs with VRFs and static routes as they are delivered, in the simulator: without root, in a moment. Hosts of both VPNs have the address 7 of their site, and each one that only they have.
func TestLabsWithVRFsSimulated(t *testing.T) {
	const blueOnly, redOnly = 102, 101
	t.Run("vrf-aware", func(t *testing.T) {
		n := simulated(t, vrfAware())
		n.Until(time.Minute, "blue and red are registered", func() bool { return n.Ping("blue2", "10.9.0.7").OK && n.Ping("red2", "10.9.0.7").OK })
		for color, only := range map[string]int{"blue": blueOnly, "red": redOnly} {
			other := blueOnly + redOnly - only
			for from, subnet := range map[string]string{color + "1": "192.168.1", color + "2": "10.9.0"} {
				reaches(t, n, from, subnet, only, other)
			}
		}
	})
	t.Run("vrf-tunnel", func(t *testing.T) {
		n := simulated(t, vrfTunnel())
		n.Until(time.Minute, "the spokes are registered", func() bool { return n.Ping("host1", "10.0.0.7").OK && n.Ping("host2", "10.0.0.7").OK })
		for _, p := range [][2]string{{"host0", "10.2.0.7"}, {"host1", "10.2.0.7"}, {"host2", "10.1.0.7"}} {
			if r := n.Ping(p[0], p[1]); !r.OK {
				t.Errorf("%s to %s: %v", p[0], p[1], r)
			}
		}
		n.Run(2 * time.Second)
		if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 62 { // two hops: the hub is none of them
			t.Errorf("no direct path: %v", r)
		}
		for _, p := range [][2]string{{"host1", "192.0.2.254"}, {"host1", "192.0.2.12"}, {"internet", "10.1.0.7"}} {
			if r := n.Ping(p[0], p[1]); r.OK {
				t.Errorf("%s reaches %s", p[0], p[1])
			}
		}
	})
	t.Run("trunk", func(t *testing.T) {
		n := simulated(t, trunk())
		n.Run(time.Second)
		reaches(t, n, "red1", "192.168.2", redOnly, blueOnly)
		reaches(t, n, "red2", "192.168.1", redOnly, blueOnly)
		reaches(t, n, "blue1", "192.168.2", blueOnly, redOnly)
		reaches(t, n, "blue2", "192.168.1", blueOnly, redOnly)
		for _, h := range []string{"red1", "blue1"} {
			if r := n.Ping(h, "10.0.0.2"); !r.OK {
				t.Errorf("%s to the far router: %v", h, r)
			}
		}
	})
}

func simulated(t *testing.T, l Lab) *sim.Net {
	t.Helper()
	return sim.FromTopology(t, 31, l.Topology, sim.LinkConfig{Delay: 10 * time.Millisecond})
}

// reaches checks that a host reaches those of its VPN at a site, and none of the other.
func reaches(t *testing.T, n *sim.Net, from, subnet string, only, other int) {
	t.Helper()
	for last, want := range map[int]bool{7: true, only: true, other: false} {
		to := fmt.Sprint(subnet, ".", last)
		if r := n.Ping(from, to); r.OK != want {
			t.Errorf("%s to %s: %v", from, to, r)
		}
	}
}
