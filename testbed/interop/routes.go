package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/testbed/netns"
)

// Route is what a router's `show ip route` has for a prefix, in a VRF or where that is "" in the global table; nil if it has nothing.
func (s *Scenario) Route(router, vrf, prefix string) (*NaveRoute, error) {
	command := "ip route"
	if vrf != "" {
		command += " vrf " + vrf
	}
	var all []NaveRoute
	if err := s.show(router, command, &all); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Prefix == prefix {
			return &all[i], nil
		}
	}
	return nil, nil
}

// is tells whether a route is from a source, by a distance and a next hop, of which "" means any.
func (r *NaveRoute) is(source string, distance int, hop string) bool {
	return r != nil && r.Source == source && r.Distance == distance && len(r.NextHops) == 1 && (hop == "" || r.NextHops[0].Address.String() == hop)
}

// has waits until a router has a prefix from a source, by a next hop, "" for any.
func (s *Scenario) has(t *testing.T, router, vrf, prefix, source string, distance int, hop string) *NaveRoute {
	t.Helper()
	var r *NaveRoute
	Soon(t, func() (err error) {
		if r, err = s.Route(router, vrf, prefix); err == nil && !r.is(source, distance, hop) {
			err = fmt.Errorf("%s has not got %s of %s with distance %d by %q, but %+v", router, prefix, source, distance, hop, r)
		}
		return err
	})
	return r
}

// lacks waits until a router has nothing for a prefix.
func (s *Scenario) lacks(t *testing.T, router, vrf, prefix string) {
	t.Helper()
	Soon(t, func() error {
		r, err := s.Route(router, vrf, prefix)
		if err == nil && r != nil {
			err = fmt.Errorf("%s still has %+v", router, *r)
		}
		return err
	})
}

// LinuxRoute is a route of the kernel.
type LinuxRoute struct {
	Dst, Gateway, Dev string
	Protocol          string // its number
	Metric            int
}

// The numbers that daemons put their routes into the kernel with.
const (
	byOSPF  = "188"
	byEIGRP = "192"
	byNave  = "206"
)

// linuxRoutes are the routes of a namespace's main table.
func linuxRoutes(ns *netns.NS) (all []LinuxRoute, err error) {
	out, err := ns.Run("ip", "-N", "-4", "-j", "route", "show")
	if err != nil || out == "" {
		return nil, err
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("routes of %s: %w: %s", ns.Name, err, out)
	}
	return all, nil
}

// inKernel waits until a namespace's kernel has a route of a protocol, by a gateway ("" for any).
func inKernel(t *testing.T, ns *netns.NS, prefix, protocol, gateway string) {
	t.Helper()
	prefix = strings.TrimSuffix(prefix, "/32")
	Soon(t, func() error {
		all, err := linuxRoutes(ns)
		if err == nil && !slices.ContainsFunc(all, func(r LinuxRoute) bool {
			return r.Dst == prefix && r.Protocol == protocol && (gateway == "" || r.Gateway == gateway)
		}) {
			err = fmt.Errorf("the kernel of %s has no route of protocol %s to %s by %q: %+v", ns.Name, protocol, prefix, gateway, all)
		}
		return err
	})
}

// notInKernel waits until a namespace's kernel has no route to a prefix.
func notInKernel(t *testing.T, ns *netns.NS, prefix string) {
	t.Helper()
	Soon(t, func() error {
		all, err := linuxRoutes(ns)
		if k := slices.IndexFunc(all, func(r LinuxRoute) bool { return r.Dst == prefix }); err == nil && k >= 0 {
			err = fmt.Errorf("the kernel of %s still has %+v", ns.Name, all[k])
		}
		return err
	})
}

// says waits until commands of a daemon print all of these.
func (f *HostFRR) says(t *testing.T, daemon, command string, want ...string) {
	t.Helper()
	Soon(t, func() error {
		out, err := f.VTY(daemon, command)
		for _, w := range want {
			if err == nil && !strings.Contains(out, w) {
				err = fmt.Errorf("%s of %s: %s has no %q:\n%s", daemon, f.Node, command, w, out)
			}
		}
		return err
	})
}

// linuxForwards fails the test if the kernel of a node forwards packets: nave is to.
func (s *Scenario) linuxForwards(t *testing.T, nodes ...string) {
	t.Helper()
	for _, n := range nodes {
		if out, err := s.Run(n, "cat", "/proc/sys/net/ipv4/ip_forward"); err != nil || out != "0" {
			t.Errorf("the kernel of %s forwards: %q, %v", n, out, err)
		}
	}
}

// crossed is how many packets nave has sent by a router's interface.
func (s *Scenario) crossed(t *testing.T, router, iface string) uint64 {
	t.Helper()
	var all []struct {
		Name    string
		Traffic struct {
			Tx struct{ Packets uint64 }
		}
	}
	if err := s.show(router, "interfaces", &all); err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Name == iface {
			return i.Traffic.Tx.Packets
		}
	}
	t.Fatalf("%s has no %s", router, iface)
	return 0
}

// rise checks that packets cross an interface of a router's while f runs.
func (s *Scenario) rise(t *testing.T, router, iface string, least uint64, f func()) {
	t.Helper()
	before := s.crossed(t, router, iface)
	f()
	Soon(t, func() error { // whatever the workers have counted
		if n := s.crossed(t, router, iface) - before; n < least {
			return fmt.Errorf("nave has sent %d packets by %s of %s and not %d", n, iface, router, least)
		}
		return nil
	})
}

// addAddress gives a node another network, on its loopback.
func (s *Scenario) addAddress(t *testing.T, node, prefix string) {
	t.Helper()
	if _, err := s.Run(node, "ip", "addr", "add", netip.MustParsePrefix(prefix).String(), "dev", "lo"); err != nil {
		t.Fatal(err)
	}
}
