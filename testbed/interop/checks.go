package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/testbed/topo"
)

// patience is how long a node may take for what it should do at once: guests and naved share a slow machine with other tests.
const patience = 3 * time.Minute

// Entry is a row of naved's `show ip nhrp --json`.
type Entry struct {
	Prefix  netip.Prefix `json:"prefix"`
	NextHop netip.Addr   `json:"next_hop"`
	Type    string       `json:"type"`
	Flags   []string     `json:"flags"`
	NBMA    netip.Addr   `json:"nbma"`
	Created time.Time    `json:"created"`
	Expires *time.Time   `json:"expires"`
}

// Has tells whether an entry has all of these flags.
func (e *Entry) Has(flags ...string) bool {
	return !slices.ContainsFunc(flags, func(f string) bool { return !slices.Contains(e.Flags, f) })
}

// show runs a show command on a router and reads its JSON into v.
func (s *Scenario) show(router, command string, v any) error {
	out, err := s.Nave(router, append(strings.Fields("show "+command), "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		return fmt.Errorf("%s on %s: %w: %s", command, router, err, out)
	}
	return nil
}

// Entry finds what a router has for exactly this prefix; nil if it has nothing.
func (s *Scenario) Entry(router, prefix string) (*Entry, error) {
	var all []Entry
	if err := s.show(router, "ip nhrp", &all); err != nil {
		return nil, err
	}
	want := netip.MustParsePrefix(prefix)
	for i := range all {
		if all[i].Prefix == want {
			return &all[i], nil
		}
	}
	return nil, nil
}

// Learned waits until a router has a prefix at an NBMA address, with these flags, and returns its entry.
func (s *Scenario) Learned(t *testing.T, router, prefix, nbma string, flags ...string) *Entry {
	t.Helper()
	var e *Entry
	Soon(t, func() (err error) {
		if e, err = s.Entry(router, prefix); err != nil {
			return err
		}
		if e == nil || e.NBMA != netip.MustParseAddr(nbma) || !e.Has(flags...) {
			return fmt.Errorf("%s has not got %s at %s with %v, but %+v", router, prefix, nbma, flags, e)
		}
		return nil
	})
	return e
}

// Gone waits until a router has nothing for a prefix.
func (s *Scenario) Gone(t *testing.T, router, prefix string) {
	t.Helper()
	Soon(t, func() error {
		e, err := s.Entry(router, prefix)
		if err == nil && e != nil {
			err = fmt.Errorf("%s still has %+v", router, *e)
		}
		return err
	})
}

// GoneFrom waits until a router has a prefix at an NBMA address no more. It may have it at another.
func (s *Scenario) GoneFrom(t *testing.T, router, prefix, nbma string) {
	t.Helper()
	Soon(t, func() error {
		e, err := s.Entry(router, prefix)
		if err == nil && e != nil && e.NBMA == netip.MustParseAddr(nbma) {
			err = fmt.Errorf("%s still has %+v", router, *e)
		}
		return err
	})
}

// Unknown checks that a router has nothing for a prefix now.
func (s *Scenario) Unknown(t *testing.T, router, prefix string) {
	t.Helper()
	if e, err := s.Entry(router, prefix); err != nil || e != nil {
		t.Errorf("%s should have nothing for %s: %+v, %v", router, prefix, e, err)
	}
}

// DMVPNPeer is a row of naved's `show dmvpn --json`.
type DMVPNPeer struct {
	NBMA       netip.Addr `json:"nbma"`
	Tunnel     netip.Addr `json:"tunnel_address"`
	State      string     `json:"state"`
	Attributes string     `json:"attributes"`
}

// Peer finds the row of an NBMA address in a router's `show dmvpn`; nil if there is none.
func (s *Scenario) Peer(router, nbma string) (*DMVPNPeer, error) {
	var all map[string]struct{ Peers []DMVPNPeer }
	if err := s.show(router, "dmvpn", &all); err != nil {
		return nil, err
	}
	for _, i := range all {
		for k := range i.Peers {
			if i.Peers[k].NBMA == netip.MustParseAddr(nbma) {
				return &i.Peers[k], nil
			}
		}
	}
	return nil, nil
}

// Up waits until `show dmvpn` of a router has a peer as up.
func (s *Scenario) Up(t *testing.T, router, nbma, tunnel, attributes string) {
	t.Helper()
	want := DMVPNPeer{netip.MustParseAddr(nbma), netip.MustParseAddr(tunnel), "UP", attributes}
	Soon(t, func() error {
		p, err := s.Peer(router, nbma)
		if err == nil && (p == nil || *p != want) {
			err = fmt.Errorf("show dmvpn of %s has %+v and not %+v", router, p, want)
		}
		return err
	})
}

// Counts are naved's counters of packets by type, as `show ip nhrp traffic` has them for Tunnel0.
type Counts struct {
	Sent, Received map[string]uint64
}

// Traffic reads the counters of a router.
func (s *Scenario) Traffic(t *testing.T, router string) Counts {
	t.Helper()
	var all map[string]Counts
	if err := s.show(router, "ip nhrp traffic", &all); err != nil {
		t.Fatal(err)
	}
	return all["Tunnel0"]
}

// FRRHas waits until what a command of FRR's prints has a row with all of these words.
func FRRHas(t *testing.T, g *Guest, command string, words ...string) {
	t.Helper()
	Soon(t, func() error {
		row, out, err := frrRow(g, command, words)
		if err == nil && row == "" {
			err = fmt.Errorf("%s of %s has no row with %v:\n%s", command, g.Name, words, out)
		}
		return err
	})
}

// FRRLacks checks that what a command of FRR's prints has no row with all of these words now.
func FRRLacks(t *testing.T, g *Guest, command string, words ...string) {
	t.Helper()
	if row, _, err := frrRow(g, command, words); err != nil || row != "" {
		t.Errorf("%s of %s has a row with %v: %s (%v)", command, g.Name, words, row, err)
	}
}

func frrRow(g *Guest, command string, words []string) (row, all string, err error) {
	all, err = g.VTY(command)
	for line := range strings.Lines(all) {
		have := strings.Fields(strings.ReplaceAll(line, ",", " "))
		if !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(have, w) }) {
			return line, all, err
		}
	}
	return "", all, err
}

// Ping sends one ping from an address of a node, which is a guest or one of the lab.
func (s *Scenario) Ping(node, from, to string) error {
	return s.ping(node, from, to, 2)
}

// Answered checks that one ping, which nothing may keep from its way now, is answered, if late.
func (s *Scenario) Answered(node, from, to string) error {
	return s.ping(node, from, to, 30)
}

func (s *Scenario) ping(node, from, to string, seconds int) error {
	words := []string{"ping", "-n", "-c", "1", "-W", strconv.Itoa(seconds), "-I", from, to}
	var err error
	if g := s.Guests[node]; g != nil {
		_, err = g.Run(strings.Join(words, " "))
	} else {
		_, err = s.Run(node, words...)
	}
	return err
}

// Reaches waits until a ping is answered.
func (s *Scenario) Reaches(t *testing.T, node, from, to string) {
	t.Helper()
	Soon(t, func() error { return s.Ping(node, from, to) })
}

// Site is an end of data traffic: a node, its address, and where packets to it come out of a tunnel.
type Site struct{ Node, Addr, NBMA string }

func (s Site) nbma() netip.Addr { return netip.MustParseAddr(s.NBMA) }

// Direct waits until pings between two sites take the direct path both ways, and the hub no packet of them.
func (s *Scenario) Direct(t *testing.T, a, b Site) {
	t.Helper()
	Soon(t, func() error {
		start := time.Now()
		for range 3 {
			if err := s.Ping(a.Node, a.Addr, b.Addr); err != nil {
				return err
			}
		}
		return errors.Join(s.only(start, a, b), s.only(start, b, a))
	})
}

// only checks that data from a site to another crossed the Ethernet since start, once a packet, from the one's NBMA
// address to the other's.
func (s *Scenario) only(start time.Time, from, to Site) error {
	all := s.Wire.Packets(Since(start), Data(from.Addr, to.Addr))
	direct := s.Wire.Packets(Since(start), Data(from.Addr, to.Addr), Between(from.NBMA, to.NBMA))
	if len(direct) < 3 || len(direct) != len(all) {
		return fmt.Errorf("%d of %d packets from %s to %s went directly", len(direct), len(all), from.Addr, to.Addr)
	}
	return nil
}

// Soon fails the test if f does not return nil within patience.
func Soon(t *testing.T, f func() error) {
	t.Helper()
	if err := topo.Eventually(patience, f); err != nil {
		t.Fatal(err)
	}
}

// Logs waits until a router has logged some texts.
func (s *Scenario) Logs(t *testing.T, router string, want ...string) {
	t.Helper()
	Soon(t, func() error {
		text, _, err := s.LogSince(router, 0)
		for _, w := range want {
			if err == nil && !strings.Contains(text, w) {
				err = fmt.Errorf("the log of %s has no %q:\n%s", router, w, text)
			}
		}
		return err
	})
}

// again starts a router's naved, and waits until it answers.
func (s *Scenario) again(t *testing.T, router string) {
	t.Helper()
	if err := s.Begin(router); err != nil {
		t.Fatal(err)
	}
}

// Unanswered waits until a ping finds no answer: for a way that a change takes away, in its own time.
func (s *Scenario) Unanswered(t *testing.T, node, from, to string) {
	t.Helper()
	Soon(t, func() error {
		if s.Ping(node, from, to) == nil {
			return fmt.Errorf("%s still reaches %s", node, to)
		}
		return nil
	})
}

// wellFormed checks that every NHRP packet of the scenario is in order for our own parser and for tshark.
func (s *Scenario) wellFormed(t *testing.T) {
	t.Helper()
	// tshark finds NHRP inside ICMP errors (unreachable), too: from a guest that is still without its tunnel.
	rows, seen, err := s.Wire.Tshark("nhrp and not icmp.type == 3", "frame.number", "nhrp.hdr.op.type", "_ws.malformed", "_ws.expert.message")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range seen {
		if p.Err != nil {
			t.Errorf("%s > %s: %v: %x", p.From, p.To, p.Err, p.Payload)
		}
	}
	if len(rows) != len(seen) || len(rows) == 0 {
		t.Errorf("tshark sees %d NHRP packets, nave's parser %d", len(rows), len(seen))
	}
	for _, r := range rows {
		if f := strings.Split(r, "\t"); len(f) != 4 || f[2] != "" || f[3] != "" {
			t.Errorf("tshark complains: frame, type, malformed, message: %q", r)
		}
	}
}
