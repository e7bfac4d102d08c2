package gateway

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// box stands in for the fast path and for Linux, and counts.
type box struct {
	batches []fib.Batch
	logs    []Event
}

func (b *box) Apply(batch *fib.Batch) ([]fib.Refusal, error) {
	b.batches = append(b.batches, *batch)
	return nil, nil
}
func (b *box) Inject(fastpath.Inject) error                { return nil }
func (b *box) AdjacencyCount(fib.AdjID) (c fastpath.Count) { return c }
func (b *box) SACount(fib.SAID) (c fastpath.SACount, ok bool) {
	return c, false
}
func (b *box) Want(string, netip.Addr)          {}
func (b *box) Unwant(string, netip.Addr)        {}
func (b *box) Resolve(string, netip.Addr)       {}
func (b *box) Deliver(fib.VRF, string, []byte)  {}
func (b *box) DeliverFrame(string, []byte)      {}
func (b *box) LDP(ldp.Effect)                   {}
func (b *box) Originate([]bgp.Local, []bgp.Key) {}
func (b *box) EIGRP(fib.VRF, eigrp.Send)        {}
func (b *box) Routes([]rib.Change)              {}
func (b *box) Log(e Event)                      { b.logs = append(b.logs, e) }
func (b *box) SendIKE(ike.Path, []byte)         {}
func (b *box) SendNATKeepalive(ike.Path)        {}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const hub = wan + `interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source Ethernet0
 tunnel mode gre multipoint
interface Tunnel1
 ip address 10.1.0.1 255.255.255.0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 1
interface Ethernet1
 ip address dhcp
`

func newCore(t *testing.T, text string) (*Core, *box) {
	t.Helper()
	b := &box{}
	c := NewSeededCore(b, b, 1)
	for name, l := range two().Links {
		if err := c.SetLink(start, name, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Configure(start, parse(t, text)); err != nil {
		t.Fatal(err)
	}
	return c, b
}

// Interfaces keep their numbers, whatever comes and goes around them: counters and sockets hang on them.
func TestNumbersStay(t *testing.T) {
	c, _ := newCore(t, hub)
	numbers := func() map[string]uint16 {
		out := make(map[string]uint16)
		for _, i := range c.Current().Interfaces {
			if i.Tunnel != nil {
				out[i.Name] = uint16(i.Tunnel.ID)
			} else {
				out[i.Name] = uint16(i.Port)
			}
		}
		return out
	}
	before := numbers()
	if before["Tunnel0"] == before["Tunnel1"] || before["Ethernet0"] == before["Ethernet1"] {
		t.Fatalf("numbers given twice: %v", before)
	}
	for _, text := range []string{
		"interface Tunnel9\n ip address 10.9.0.1 255.255.255.0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 9\n" + hub,
		strings.Replace(hub, "interface Tunnel0", "interface Tunnel7", 1),
		hub,
	} {
		if err := c.Configure(start, parse(t, text)); err != nil {
			t.Fatal(err)
		}
		for name, id := range numbers() {
			if was, ok := before[name]; ok && was != id {
				t.Errorf("%s was %d and is %d", name, was, id)
			}
		}
	}
}

func TestSameAgainAppliesNothing(t *testing.T) {
	c, b := newCore(t, hub)
	n := len(b.batches)
	if err := c.Configure(start, parse(t, hub)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLink(start, "Ethernet0", two().Links["Ethernet0"]); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLease(start, "Ethernet1", Lease{}); err != nil {
		t.Fatal(err)
	}
	if len(b.batches) != n {
		t.Errorf("%d batches for nothing: %+v", len(b.batches)-n, b.batches[n:])
	}
}

func TestLeaseComesAndGoes(t *testing.T) {
	c, _ := newCore(t, hub)
	l := Lease{Address: pfx("198.51.100.7/24"), Gateway: addr("198.51.100.254")}
	has := func() (addressed, routed bool) {
		for _, r := range c.Router().Routes(fib.Global) {
			addressed = addressed || r.Prefix == pfx("198.51.100.7/32")
			routed = routed || r.Prefix == pfx("0.0.0.0/0") && r.Source == rib.DHCP
		}
		return addressed, routed
	}
	for k := range 2 {
		if err := c.SetLease(start, "Ethernet1", l); err != nil {
			t.Fatal(err)
		}
		if a, r := has(); !a || !r {
			t.Errorf("round %d: with a lease: address %v, route %v", k, a, r)
		}
		if got := c.Facts().Leases["Ethernet1"]; got != l {
			t.Errorf("round %d: facts say %v", k, got)
		}
		if err := c.SetLease(start, "Ethernet1", Lease{}); err != nil {
			t.Fatal(err)
		}
		if a, r := has(); a || r {
			t.Errorf("round %d: without a lease: address %v, route %v", k, a, r)
		}
	}
}

// What Facts returns is a copy.
func TestFactsAreACopy(t *testing.T) {
	c, _ := newCore(t, hub)
	c.Facts().Links["Ethernet0"] = Link{}
	if !c.Facts().Links["Ethernet0"].Up {
		t.Error("a change of a copy of the facts reached the core")
	}
}

func TestCoreStatus(t *testing.T) {
	c, _ := newCore(t, "hostname box\n"+hub+"interface Tunnel2\n description far\n bandwidth 1000\n delay 500\n shutdown\n tunnel source 192.0.2.1\n tunnel destination 192.0.2.9\n")
	s := c.Status(start)
	if s.Hostname != "box" || s.Time != start || len(s.Router.Interfaces) != 5 {
		t.Errorf("status: %+v", s)
	}
	if i := s.Interfaces["Tunnel0"]; i.Source != "Ethernet0" || !i.Multipoint || i.Shutdown {
		t.Errorf("Tunnel0: %+v", i)
	}
	if i := s.Interfaces["Tunnel2"]; i.Source != "192.0.2.1" || i.Multipoint || !i.Shutdown || i.Description != "far" || i.Bandwidth != 1000 || i.Delay != 500 {
		t.Errorf("Tunnel2: %+v", i)
	}
	if again := parse(t, s.Running); again.Hostname != "box" {
		t.Errorf("the running configuration does not parse back:\n%s", s.Running)
	}
}

// A second naved on the same netdev is told so; with the first one gone, it gets it.
func TestLock(t *testing.T) {
	dev := "t" + strconv.Itoa(os.Getpid())
	unlock, _, err := lock([]string{dev + "a", dev + "b"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := lock([]string{dev + "c", dev + "b"}); err == nil || !strings.Contains(err.Error(), "another naved has the port "+dev+"b") {
		t.Errorf("a second lock: %v", err)
	}
	// What the failed one had taken is free again.
	free, _, err := lock([]string{dev + "c"})
	if err != nil {
		t.Fatal(err)
	}
	free()
	unlock()
	again, _, err := lock([]string{dev + "a", dev + "b"})
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestVersion(t *testing.T) {
	if !strings.HasPrefix(Version, "nave "+release) {
		t.Errorf("version %q", Version)
	}
}
