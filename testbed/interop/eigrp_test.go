package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/slowpath/eigrp/eigrpmsg"
)

const (
	eigrpHub    = "10.255.0.1"
	eigrpFRR1   = "10.255.0.11"
	eigrpFRR2   = "10.255.0.12"
	eigrpSpoke3 = "10.255.0.13"
)

// FRR and nave spokes that speak EIGRP with a nave hub; see scenarios/eigrp-spokes.
func TestEIGRPSpokes(t *testing.T) {
	t.Parallel()
	s := Start(t, "eigrp-spokes")
	s.addAddress(t, "spoke3-host", "10.33.0.1/24")
	s.addAddress(t, "spoke3-host2", "172.16.34.1/24")
	lan := s.listenOn(t, "spoke3-host")
	red := s.listenOn(t, "spoke3-host2")
	s.startEIGRP(t, "frr1", "10.1.0.0/24", eigrpFRR1, eigrpSpoke3)
	s.startEIGRP(t, "frr2", "10.2.0.0/24", eigrpFRR2, eigrpFRR1, eigrpSpoke3)
	lanFRR, redFRR := s.StartFRR(t, "spoke3-host"), s.StartFRR(t, "spoke3-host2")
	for _, step := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"neighbors", func(t *testing.T) { eigrpNeighbors(t, s, lanFRR, redFRR) }},
		{"routes", func(t *testing.T) { eigrpRoutes(t, s) }},
		{"next hop", func(t *testing.T) { eigrpNextHop(t, s) }},
		{"goodbye", func(t *testing.T) { eigrpGoodbye(t, s) }},
		{"killed", func(t *testing.T) { eigrpKilled(t, s) }},
		{"hub killed", func(t *testing.T) { eigrpHubKilled(t, s) }},
		{"MD5", func(t *testing.T) { eigrpMD5(t, s) }},
		{"named mode", func(t *testing.T) { eigrpNamed(t, s) }},
		{"tshark", func(t *testing.T) {
			seen := s.Wire.eigrpWellFormed(t, eigrpHub, eigrpSpoke3)
			for _, kind := range []string{"hello", "ack", "update classic", "update wide", "query classic unreachable", "reply classic", "stub", "auth type 2", "auth type 3"} {
				if seen[kind] == 0 {
					t.Errorf("nave has sent no %s", kind)
				}
			}
			lan.eigrpWellFormed(t, "10.3.0.1")
			red.eigrpWellFormed(t, "172.16.3.2")
		}},
	} {
		t.Run(step.name, step.f)
	}
}

// listenOn records what a host of a LAN sends and hears.
func (s *Scenario) listenOn(t *testing.T, host string) *Wire {
	t.Helper()
	return Listen(t, s.NS(host), "eth0")
}

// eigrpNeighbors: everybody hears whom it should, each in its table.
func eigrpNeighbors(t *testing.T, s *Scenario, lan, red *HostFRR) {
	s.adjacent(t, "hub", "", eigrpFRR1, eigrpFRR2, eigrpSpoke3)
	s.adjacent(t, "spoke3", "", eigrpHub, "10.3.0.7")
	s.adjacent(t, "spoke3", "red", "172.16.3.7")
	s.guestSays(t, "frr1", "show ip eigrp neighbors", eigrpHub+" ")
	s.guestSays(t, "frr2", "show ip eigrp neighbors", eigrpHub+" ")
	lan.says(t, "eigrpd", "show ip eigrp neighbors", "10.3.0.1 ")
	red.says(t, "eigrpd", "show ip eigrp neighbors", "172.16.3.2 ")
}

// eigrpRoutes: every site is known to every other, at nave and at FRR, and reaches it.
func eigrpRoutes(t *testing.T, s *Scenario) {
	s.has(t, "hub", "", "10.1.0.0/24", "eigrp", 90, eigrpFRR1)
	s.has(t, "hub", "", "10.2.0.0/24", "eigrp", 90, eigrpFRR2)
	s.has(t, "hub", "", "10.3.0.0/24", "eigrp", 90, eigrpSpoke3)
	s.has(t, "hub", "", "10.33.0.0/24", "eigrp", 90, eigrpSpoke3)
	s.has(t, "spoke3", "", "10.0.0.0/24", "eigrp", 90, eigrpHub)
	s.has(t, "spoke3", "", "10.33.0.0/24", "eigrp", 90, "10.3.0.7")
	for guest, sites := range map[string][]string{"frr1": {"10.0.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.33.0.0/24"}, "frr2": {"10.0.0.0/24", "10.1.0.0/24", "10.3.0.0/24", "10.33.0.0/24"}} {
		for _, p := range sites {
			s.guestSays(t, guest, "show ip route eigrp", p)
			s.guestSays(t, guest, "show ip eigrp topology", "P  "+p)
		}
	}
	for _, p := range []string{"10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24", "10.255.0.0/24"} {
		inKernel(t, s.NS("spoke3-host"), p, byEIGRP, "10.3.0.1")
	}
	s.has(t, "spoke3", "red", "172.16.34.0/24", "eigrp", 90, "172.16.3.7")
	inKernel(t, s.NS("spoke3-host2"), "172.16.33.0/24", byEIGRP, "172.16.3.2")
	for _, p := range []string{"172.16.34.0/24", "172.16.33.0/24"} {
		s.lacks(t, "hub", "", p)
		s.lacks(t, "spoke3", "", p)
	}
	s.lacks(t, "spoke3", "red", "10.0.0.0/24")
	s.Reaches(t, "frr1", "10.1.0.1", "10.2.0.1")
	s.Reaches(t, "frr1", "10.1.0.1", "10.33.0.1")
	s.Reaches(t, "hub-host", "10.0.0.7", "10.33.0.1")
	s.Reaches(t, "hub-host", "10.0.0.7", "10.2.0.1")
	s.Reaches(t, "spoke3-host", "10.33.0.1", "10.2.0.1")
	s.Reaches(t, "spoke3-host2", "172.16.34.1", "172.16.33.1")
}

// hopsSent are the next hops that the hub has named for a prefix since a moment, 0.0.0.0 being itself.
func (s *Scenario) hopsSent(since time.Time, prefix string) (hops []string) {
	for _, p := range s.Wire.EIGRP(since) {
		if p.Err != nil || p.Packet.Opcode != eigrpmsg.Update || p.From.String() != eigrpHub {
			continue
		}
		for i := range p.Packet.Routes {
			r := &p.Packet.Routes[i]
			if !r.Reachable() || !slices.Contains(r.Prefixes, netip.MustParsePrefix(prefix)) {
				continue
			}
			hop := "0.0.0.0"
			if r.NextHop.IsValid() {
				hop = r.NextHop.String()
			}
			if !slices.Contains(hops, hop) {
				hops = append(hops, hop)
			}
		}
	}
	return hops
}

// names waits until the wire has what the hub has named as next hop of a prefix since a moment: this one and no other.
func (s *Scenario) names(t *testing.T, since time.Time, prefix, hop string) {
	t.Helper()
	Soon(t, func() error {
		if hops := s.hopsSent(since, prefix); !slices.Equal(hops, []string{hop}) {
			return fmt.Errorf("the hub has named %v as next hop of %s, and not %s", hops, prefix, hop)
		}
		return nil
	})
}

// edit gives a router its configuration with some lines others; the scenario's keeps what it was.
func (s *Scenario) edit(t *testing.T, router string, oldNew ...string) {
	t.Helper()
	n, _ := s.Topology.Node(router)
	text := n.Config
	for k := 0; k < len(oldNew); k += 2 {
		if !strings.Contains(text, oldNew[k]) {
			t.Fatalf("the configuration of %s has no %q", router, oldNew[k])
		}
		text = strings.Replace(text, oldNew[k], oldNew[k+1], 1)
	}
	if err := s.Configure(router, text); err != nil {
		t.Fatal(err)
	}
}

// eigrpNextHop: without next-hop-self spoke3 has frr1 as next hop of frr1's site, with it the hub. (frr1's nhrpd, without its zebra, answers no request for its address: packets
// take the hub either way.)
func eigrpNextHop(t *testing.T, s *Scenario) {
	s.has(t, "spoke3", "", "10.1.0.0/24", "eigrp", 90, eigrpFRR1)
	s.names(t, time.Time{}, "10.1.0.0/24", eigrpFRR1)
	s.Reaches(t, "spoke3-host", "10.3.0.7", "10.1.0.1")
	start := time.Now()
	s.edit(t, "hub", " no ip next-hop-self eigrp 1\n", "")
	s.has(t, "spoke3", "", "10.1.0.0/24", "eigrp", 90, eigrpHub)
	s.names(t, start, "10.1.0.0/24", "0.0.0.0")
	s.adjacent(t, "hub", "", eigrpFRR1, eigrpFRR2, eigrpSpoke3)
	s.Reaches(t, "spoke3-host", "10.3.0.7", "10.1.0.1")
}

// notBy waits until a router has a prefix not by this next hop any more. The other FRR spoke may offer it still: 8.4 never gives a route up, and answers queries by what it
// has from the hub itself.
func (s *Scenario) notBy(t *testing.T, router, prefix, hop string) {
	t.Helper()
	Soon(t, func() error {
		r, err := s.Route(router, "", prefix)
		if err == nil && r != nil && slices.ContainsFunc(r.NextHops, func(h NaveHop) bool { return h.Address.String() == hop }) {
			err = fmt.Errorf("%s still has %+v", router, *r)
		}
		return err
	})
}

// eigrpGoodbye: frr2's eigrpd leaves the tunnel, and says so.
func eigrpGoodbye(t *testing.T, s *Scenario) {
	_, logged, err := s.LogSince("hub", 0)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Guests["frr2"].Run(`vtysh -d eigrpd -c "configure terminal" -c "router eigrp 1" -c "no network 10.255.0.12/24"`); err != nil || strings.Contains(out, "%") {
		t.Fatal(out, err)
	}
	left := time.Now()
	s.adjacent(t, "hub", "", eigrpFRR1, eigrpSpoke3)
	s.notBy(t, "hub", "10.2.0.0/24", eigrpFRR2)
	Soon(t, func() error {
		text, _, err := s.LogSince("hub", logged)
		if err == nil && (!strings.Contains(text, "10.255.0.12") || !strings.Contains(strings.ToLower(text), "goodbye")) {
			err = fmt.Errorf("the hub's log says nothing of a goodbye:\n%s", text)
		}
		return err
	})
	if out, err := s.Guests["frr2"].Run(eigrpd + "eigrp_kill"); err != nil { // told of the network again, 8.4 makes no adjacency
		t.Fatal(out, err)
	}
	s.startEIGRP(t, "frr2", "10.2.0.0/24", eigrpFRR2, eigrpFRR1, eigrpSpoke3)
	t.Logf("given up and back %v after the goodbye", time.Since(left).Round(100*time.Millisecond))
}

// eigrpKilled: frr1's eigrpd says nothing any more. It is held for 8 seconds.
func eigrpKilled(t *testing.T, s *Scenario) {
	_, logged, err := s.LogSince("hub", 0)
	if err != nil {
		t.Fatal(err)
	}
	kills := time.Now()
	if out, err := s.Guests["frr1"].Run(eigrpd + "eigrp_kill"); err != nil {
		t.Fatal(out, err)
	}
	killed := time.Now()
	s.adjacent(t, "hub", "", eigrpFRR2, eigrpSpoke3)
	gone := s.givenUp(t, "hub", logged, eigrpFRR1)
	if gone.Sub(kills) < 5500*time.Millisecond || gone.Sub(killed) > 12*time.Second {
		t.Errorf("a neighbour with a hold time of 8 s is given up %v after it was killed", gone.Sub(kills))
	}
	s.notBy(t, "hub", "10.1.0.0/24", eigrpFRR1)
	s.startEIGRP(t, "frr1", "10.1.0.0/24", eigrpFRR1, eigrpFRR2, eigrpSpoke3)
	s.guestSays(t, "frr1", "show ip route eigrp", "10.33.0.0/24")
	s.Reaches(t, "hub-host", "10.0.0.7", "10.1.0.1")
}

var logTime = regexp.MustCompile(`^time=(\S+) `)

// givenUp is when a router says in its log, behind a position, that it has given a neighbour up.
func (s *Scenario) givenUp(t *testing.T, router string, from int, neighbor string) (at time.Time) {
	t.Helper()
	Soon(t, func() error {
		text, _, err := s.LogSince(router, from)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			if m := logTime.FindStringSubmatch(line); m != nil && strings.Contains(line, "Neighbor "+neighbor+" ") && strings.Contains(line, " is down: ") {
				at, err = time.Parse(time.RFC3339, m[1])
				return err
			}
		}
		return fmt.Errorf("the log of %s does not say that %s is given up:\n%s", router, neighbor, text)
	})
	return at
}

// eigrpHubKilled: the hub's naved is killed and another one started. It measures how long routes are away.
func eigrpHubKilled(t *testing.T, s *Scenario) {
	if err := s.StopRouter("hub", unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	// While there is no naved its workers forward, and the spokes hold what they have.
	for time.Since(killed) < time.Second {
		if err := s.Answered("frr1", "10.1.0.1", "10.0.0.7"); err != nil {
			t.Errorf("%v after the kill: %v", time.Since(killed), err)
		}
	}
	s.again(t, "hub")
	var gone, back time.Duration
	afresh := false
	Soon(t, func() error {
		r, err := s.Route("spoke3", "", "10.0.0.0/24")
		if err != nil {
			return err
		}
		if r == nil && gone == 0 {
			gone = time.Since(killed)
		}
		if r != nil && gone > 0 && back == 0 {
			back = time.Since(killed)
		}
		have, err := s.EIGRPNeighbors("hub", "")
		if err != nil || len(have) == 3 {
			return err
		}
		if s.revive(t); slices.Contains(have, eigrpSpoke3) && !afresh && time.Since(killed) > time.Minute {
			afresh = true
			s.startAfresh(t, have)
		}
		return fmt.Errorf("the hub has the neighbours %v", have)
	})
	all := time.Since(killed)
	for _, p := range []string{"10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.33.0.0/24"} {
		s.has(t, "hub", "", p, "eigrp", 90, "")
	}
	s.has(t, "spoke3", "", "10.0.0.0/24", "eigrp", 90, eigrpHub)
	s.Reaches(t, "hub-host", "10.0.0.7", "10.33.0.1")
	s.Reaches(t, "hub-host", "10.0.0.7", "10.1.0.1")
	t.Logf("the hub has all neighbours %v after the kill; spoke3 saw its route go after %v and come back after %v (0: not seen)",
		all.Round(100*time.Millisecond), gone.Round(10*time.Millisecond), back.Round(10*time.Millisecond))
}

// keyed are lines for a router whose tunnel has MD5 with a key.
func keyed(key string) []string {
	return []string{
		"interface Tunnel0\n", "key chain LAB\n key 1\n  key-string " + key + "\n!\ninterface Tunnel0\n ip authentication mode eigrp 1 md5\n ip authentication key-chain eigrp 1 LAB\n",
	}
}

// AuthFailures is how many packets a router has refused as not genuine.
func (s *Scenario) AuthFailures(t *testing.T, router string) uint64 {
	t.Helper()
	var all []struct {
		Failures uint64 `json:"authentication_failures"`
	}
	if err := s.show(router, "ip eigrp traffic", &all); err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	return all[0].Failures
}

// eigrpMD5: a key on the hub only, then the same on spoke3, another one, and the same again. FRR's spokes are out of it: 8.4 finds no digest right, and falls over packets that
// have one where it has no key.
func eigrpMD5(t *testing.T, s *Scenario) {
	for _, g := range s.Guests {
		if out, err := g.Run(eigrpd + "eigrp_kill"); err != nil {
			t.Fatal(out, err)
		}
	}
	s.edit(t, "hub", keyed("sesame")...)
	s.adjacent(t, "hub", "")
	s.edit(t, "spoke3", keyed("sesame")...)
	s.adjacent(t, "hub", "", eigrpSpoke3)
	s.has(t, "hub", "", "10.33.0.0/24", "eigrp", 90, eigrpSpoke3)
	before := s.AuthFailures(t, "hub")
	s.edit(t, "spoke3", keyed("sesamo")...)
	s.adjacent(t, "hub", "")
	stands(t, "the hub counts packets that are not genuine", func() (bool, error) { return s.AuthFailures(t, "hub") > before, nil })
	s.lacks(t, "hub", "", "10.33.0.0/24")
	s.edit(t, "spoke3", keyed("sesame")...)
	s.adjacent(t, "hub", "", eigrpSpoke3)
	s.has(t, "hub", "", "10.33.0.0/24", "eigrp", 90, eigrpSpoke3)
}

// namedMode is the hub's or spoke3's process as one of named mode, with a password.
func namedMode(lan, more string) string {
	return "router eigrp LAB\n address-family ipv4 unicast autonomous-system 1\n  network 10.255.0.0 0.0.0.255\n  network " + lan + " 0.0.0.255\n" + more +
		"  af-interface Tunnel0\n   hello-interval 2\n   hold-time 8\n   no split-horizon\n   authentication mode hmac-sha-256 sesame\n  exit-af-interface\n exit-address-family\n!\n"
}

// block is the part of a router's configuration that begins with a line, up to the next "!" at the start of a line.
func (s *Scenario) block(t *testing.T, router, line string) string {
	t.Helper()
	n, _ := s.Topology.Node(router)
	_, text, ok := strings.Cut(n.Config, line+"\n")
	if !ok {
		t.Fatalf("%s has no %q", router, line)
	}
	text, _, _ = strings.Cut(text, "\n!\n")
	return line + "\n" + text + "\n!\n"
}

// eigrpNamed: both are of named mode.
func eigrpNamed(t *testing.T, s *Scenario) {
	start := time.Now()
	s.edit(t, "hub", s.block(t, "hub", "router eigrp 1"), namedMode("10.0.0.0", ""))
	s.edit(t, "spoke3", s.block(t, "spoke3", "router eigrp 1"), namedMode("10.3.0.0", ""))
	s.adjacent(t, "hub", "", eigrpSpoke3)
	s.has(t, "hub", "", "10.3.0.0/24", "eigrp", 90, eigrpSpoke3)
	s.has(t, "hub", "", "10.33.0.0/24", "eigrp", 90, eigrpSpoke3)
	s.has(t, "spoke3", "", "10.0.0.0/24", "eigrp", 90, eigrpHub)
	stands(t, "wide metrics both ways", func() (bool, error) {
		from := make(map[netip.Addr]bool)
		for _, p := range s.Wire.EIGRP(start) {
			from[p.From] = from[p.From] || p.Err == nil && len(p.Packet.Routes) > 0 && p.Packet.Routes[0].Wide
		}
		return from[netip.MustParseAddr(eigrpHub)] && from[netip.MustParseAddr(eigrpSpoke3)], nil
	})
	s.Reaches(t, "hub-host", "10.0.0.7", "10.3.0.7")
	// As a stub it tells no more of what it has from others.
	s.edit(t, "spoke3", s.block(t, "spoke3", "router eigrp 1"), namedMode("10.3.0.0", "  eigrp stub connected summary\n"))
	s.lacks(t, "hub", "", "10.33.0.0/24")
	s.adjacent(t, "hub", "", eigrpSpoke3)
	s.has(t, "hub", "", "10.3.0.0/24", "eigrp", 90, eigrpSpoke3)
	s.has(t, "spoke3", "", "10.0.0.0/24", "eigrp", 90, eigrpHub)
}
