package bgp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/testbed/netns"
	"nave/testbed/ports"
)

// Two VRFs are two network namespaces, with the same addresses in both: the PE at 10.9.0.1, a CE at 10.9.0.2.
func TestVRFNamespaces(t *testing.T) {
	t.Parallel()
	spaces := map[string]*netns.NS{"red": netns.New(t, "red"), "blue": netns.New(t, "blue")}
	for _, ns := range spaces {
		for n := 1; n <= 2; n++ {
			if _, err := ns.Run("ip", "addr", "add", fmt.Sprintf("10.9.0.%d/24", n), "dev", "lo"); err != nil {
				t.Fatal(err)
			}
		}
	}
	within := func(vrf string, f func() error) error { return spaces[vrf].Do(f) }
	port := ports.TCP(t)
	addr := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, n}) }
	neighbour := func(me, n byte, as uint32) []Neighbour {
		return []Neighbour{{Address: addr(n), RemoteAS: as, UpdateSource: addr(me), Password: "vrf", ConnectRetry: time.Second, Families: []Activation{{Family: IPv4Unicast, SendCommunity: true}}}}
	}
	pe := newBox(t, 1)
	pe.s.env.Within = within
	c := pe.vpn(port)
	c.VRFs = twoVRFs()
	for i := range c.VRFs {
		c.VRFs[i].Neighbours = neighbour(1, 2, 65001+uint32(i))
		c.VRFs[i].Listen = []netip.Addr{addr(1)}
	}
	pe.configure(c)
	for i, name := range []string{"red", "blue"} {
		ce := newBox(t, 2+i)
		ce.s.env.Within = within
		cc := ce.base(port, 65001+uint32(i))
		cc.VRFs = []VRF{{Name: name, RD: mustRD("9:9"), Neighbours: neighbour(2, 1, 65000), Listen: []netip.Addr{addr(2)}}}
		ce.configure(cc)
		ce.announce(Local{VRF: name, Prefix: pfx("172.16.0.0/16"), Label: 20, Metric: uint32(i + 1)})
	}
	check := func() {
		t.Helper()
		for i, name := range []string{"red", "blue"} {
			wait(t, name, has(pe, name, "172.16.0.0/16"))
			r, _ := pe.route(name, "172.16.0.0/16")
			if r.NextHop != addr(2) || r.Metric != uint32(i+1) || len(r.ASPath) != 1 || r.ASPath[0] != 65001+uint32(i) || r.Neighbour != addr(2) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	check()
	all := c.VRFs
	c.VRFs = all[:1]
	pe.configure(c)
	wait(t, "blue to go", func() bool { return !has(pe, "blue", "172.16.0.0/16")() })
	if st, err := pe.s.Status(); err != nil || len(st.Neighbours) != 1 || st.Neighbours[0].VRF != "red" || st.Neighbours[0].State != Established {
		t.Errorf("status %+v, %v", st, err)
	}
	ps, err := pe.s.Paths("", VPNv4)
	if err != nil || len(ps) != 1 || ps[0].VRF != "red" {
		t.Errorf("paths %+v, %v", ps, err)
	}
	c.VRFs = all
	pe.configure(c)
	check()
}
