package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// eigrpd is what a guest's shell needs to start FRR's eigrpd and so on.
const eigrpd = ". /run/peer/eigrp.sh\n"

// Neighbor is a row of naved's `show ip eigrp neighbors --json`.
type Neighbor struct {
	Address   netip.Addr
	Interface string
	Up        bool
}

// EIGRPNeighbors are the addresses of a router's neighbours that routes go to and fro with, in a VRF or the global table.
func (s *Scenario) EIGRPNeighbors(router, vrf string) (up []string, err error) {
	var all []struct {
		VRF       string
		Neighbors []Neighbor
	}
	command := "ip eigrp neighbors"
	if vrf != "" {
		command = "ip eigrp vrf " + vrf + " neighbors"
	}
	if err := s.show(router, command, &all); err != nil {
		return nil, err
	}
	for _, p := range all {
		for _, n := range p.Neighbors {
			if n.Up {
				up = append(up, n.Address.String())
			}
		}
	}
	return up, nil
}

// adjacent waits until a router has exactly these neighbours. Guests whose eigrpd has ended by a fault of its own meanwhile get another one.
func (s *Scenario) adjacent(t *testing.T, router, vrf string, want ...string) {
	t.Helper()
	looked := time.Now()
	Soon(t, func() error {
		have, err := s.EIGRPNeighbors(router, vrf)
		slices.Sort(have)
		slices.Sort(want)
		if err == nil && !slices.Equal(have, want) {
			err = fmt.Errorf("%s has the neighbours %v and not %v", router, have, want)
		}
		if err != nil && time.Since(looked) > time.Second {
			s.revive(t)
			looked = time.Now()
		}
		return err
	})
}

// revive starts the eigrpd of guests again where it has ended by a fault of its own.
func (s *Scenario) revive(t *testing.T) {
	t.Helper()
	for _, g := range s.Guests {
		out, err := g.Run(eigrpd + "eigrp_revive")
		if err != nil {
			t.Fatal(err)
		}
		if out != "" {
			t.Logf("%s has got another eigrpd: %s", g.Name, strings.TrimSpace(out))
		}
	}
}

// startAfresh ends the eigrpd of guests that are no neighbours of the hub, and starts it again: with a neighbour that comes back before it was given up, 8.4 makes no adjacency,
// now and then.
func (s *Scenario) startAfresh(t *testing.T, have []string) {
	t.Helper()
	for guest, address := range map[string]string{"frr1": eigrpFRR1, "frr2": eigrpFRR2} {
		if slices.Contains(have, address) {
			continue
		}
		t.Logf("%s has made no adjacency with the hub, and starts afresh", guest)
		if out, err := s.Guests[guest].Run(eigrpd + "eigrp_kill; eigrp_start"); err != nil {
			t.Fatal(out, err)
		}
	}
}

// startEIGRP starts a guest's eigrpd and waits until the hub has it as neighbour beside others, and its site.
func (s *Scenario) startEIGRP(t *testing.T, guest, site, address string, others ...string) {
	t.Helper()
	if out, err := s.Guests[guest].Run(eigrpd + "eigrp_start"); err != nil || out != "" {
		t.Fatal(out, err)
	}
	s.adjacent(t, "hub", "", append([]string{address}, others...)...)
	s.has(t, "hub", "", site, "eigrp", 90, address)
}
