package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NaveRoute is a row of naved's `show ip route --json`.
type NaveRoute struct {
	Prefix   string
	Source   string
	Distance int
	NextHops []NaveHop `json:"next_hops"`
}

// NaveHop is a next hop of a route of naved's.
type NaveHop struct {
	Address   netip.Addr
	Interface string
	Labels    []uint32
}

// VRFRoute finds the route that BGP has brought to a VRF of a router, with one next hop; nil if there is none.
func (s *Scenario) VRFRoute(router, vrf, prefix string) (*NaveRoute, error) {
	r, err := s.Route(router, vrf, prefix)
	if r != nil && (r.Source != "bgp" || len(r.NextHops) != 1) {
		r = nil
	}
	return r, err
}

// routed waits until a VRF of a router has a prefix by a next hop with one label, and returns that.
func (s *Scenario) routed(t *testing.T, router, vrf, prefix, hop string) (label uint32) {
	t.Helper()
	Soon(t, func() error {
		r, err := s.VRFRoute(router, vrf, prefix)
		if err != nil {
			return err
		}
		if r == nil || r.NextHops[0].Address.String() != hop || len(r.NextHops[0].Labels) != 1 {
			return fmt.Errorf("%s has not got %s in %s by %s with a label, but %+v", router, prefix, vrf, hop, r)
		}
		label = r.NextHops[0].Labels[0]
		return nil
	})
	return label
}

// unrouted waits until a VRF of a router has nothing of BGP's for a prefix.
func (s *Scenario) unrouted(t *testing.T, router, vrf, prefix string) {
	t.Helper()
	Soon(t, func() error {
		r, err := s.VRFRoute(router, vrf, prefix)
		if err == nil && r != nil {
			err = fmt.Errorf("%s still has %+v in %s", router, *r, vrf)
		}
		return err
	})
}

// NaveBinding is a row of naved's `show mpls ldp bindings --json`.
type NaveBinding struct {
	Prefix string
	Local  uint32
	Remote []struct {
		Peer  string
		Label uint32
		InUse bool `json:"in_use"`
	}
}

// implicitNull is the label that says that none is wanted (RFC 3032 section 2.1).
const implicitNull = 3

// LDPBinding finds the label that a router has from a peer for a prefix, and its own; ok is false without one from the peer.
func (s *Scenario) LDPBinding(router, peer, prefix string) (local, remote uint32, inUse, ok bool, err error) {
	var all []NaveBinding
	err = s.show(router, "mpls ldp bindings", &all)
	for _, b := range all {
		for _, r := range b.Remote {
			if b.Prefix == prefix && r.Peer == peer+":0" {
				return b.Local, r.Label, r.InUse, true, err
			}
		}
	}
	return 0, 0, false, false, err
}

// swapped finds what a router swaps a label for, and where to.
func (s *Scenario) swapped(router string, label uint32) (out []uint32, hop string, err error) {
	var all []struct {
		Label uint32
		Paths []struct {
			Address netip.Addr
			Labels  []uint32
		}
	}
	if err := s.show(router, "mpls forwarding-table", &all); err != nil {
		return nil, "", err
	}
	for _, l := range all {
		if l.Label == label && len(l.Paths) == 1 {
			return l.Paths[0].Labels, l.Paths[0].Address.String(), nil
		}
	}
	return nil, "", fmt.Errorf("%s has no label %d with one path", router, label)
}

// swaps waits until a router swaps a label for others on the way to a next hop; it pops it where there are none.
func (s *Scenario) swaps(t *testing.T, router string, label uint32, hop string, want ...uint32) {
	t.Helper()
	Soon(t, func() error {
		out, to, err := s.swapped(router, label)
		if err == nil && (to != hop || !slices.Equal(out, want)) {
			err = fmt.Errorf("%s swaps label %d for %v to %s and not for %v to %s", router, label, out, to, want, hop)
		}
		return err
	})
}

// md5Failures is how many segments with another password the kernel has refused in nodes.
func (s *Scenario) md5Failures(t *testing.T, nodes ...string) (total int) {
	t.Helper()
	for _, n := range nodes {
		out, err := s.Run(n, "nstat", "-asz", "TcpExtTCPMD5Failure")
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(out)
		k, err := strconv.Atoi(words[len(words)-2])
		if err != nil {
			t.Fatalf("%s: nstat: %q", n, out)
		}
		total += k
	}
	return total
}

// stands waits until f is true.
func stands(t *testing.T, what string, f func() (bool, error)) {
	t.Helper()
	Soon(t, func() error {
		ok, err := f()
		if err == nil && !ok {
			err = fmt.Errorf("not yet: %s", what)
		}
		return err
	})
}

// given are labels that a router has told FRR, and what each stands for.
type given map[uint32]string

// note adds a label. One that stands for something else fails the test.
func (g given) note(t *testing.T, label uint32, what string) {
	t.Helper()
	if old, ok := g[label]; ok && old != what {
		t.Errorf("label %d was given for %s, and now for %s", label, old, what)
	}
	g[label] = what
}

// back tells whether FRR has another session with a peer than the one that was the n-th.
func (f *HostFRR) back(peer string, n int) func() (bool, error) {
	return func() (bool, error) {
		now, err := f.Sessions(peer)
		if err != nil || now == n {
			return false, err
		}
		return f.Established(peer)
	}
}

// restart kills a router's naved and starts another one a second later, when its peers have noticed. Meanwhile, and until again says that its peer has it back, holds is
// asked over and over whether what it told its peer is still there.
func (s *Scenario) restart(t *testing.T, router string, holds func() error, again func() (bool, error)) {
	t.Helper()
	if err := s.StopRouter(router, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for time.Since(killed) < time.Second {
		if err := holds(); err != nil {
			t.Fatalf("%v after naved of %s was killed: %v", time.Since(killed), router, err)
		}
	}
	if err := s.StartRouter(router); err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	go func() { ready <- s.WaitReady(router, patience) }()
	still := func() {
		t.Helper()
		if err := holds(); err != nil {
			t.Fatalf("%v after naved of %s was killed: %v", time.Since(killed), router, err)
		}
	}
	for waiting := true; waiting; { // its sessions may be back before it says that it is ready
		select {
		case err := <-ready:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		default:
			still()
		}
	}
	Soon(t, func() error {
		still()
		ok, err := again()
		if err == nil && !ok {
			err = fmt.Errorf("naved of %s was killed %v ago, and its session has not come back", router, time.Since(killed))
		}
		return err
	})
	t.Logf("back %v after the kill", time.Since(killed).Round(100*time.Millisecond))
}
