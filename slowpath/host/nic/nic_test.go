package nic_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/slowpath/host/nic"
	"nave/slowpath/host/nic/nictest"
	"nave/testbed/netns"
)

func TestDescribe(t *testing.T) {
	c := nictest.New()
	s := nic.Describe(c.Netdev())
	if s.Driver.Name != "fake" || s.Driver.Bus != "0000:01:00.0" {
		t.Errorf("driver %+v", s.Driver)
	}
	if s.Channels != (nic.Channels{Combined: 4, MaxCombined: 64}) || s.Rings != (nic.Rings{512, 1024, 4096, 4096}) {
		t.Errorf("channels %+v, rings %+v", s.Channels, s.Rings)
	}
	if s.Fields["udp"] != "addresses" || s.BySPI || c.Sets != 0 {
		t.Errorf("fields %v; %d commands changed anything", s.Fields, c.Sets)
	}
}

// TestSpread: an able card gets an even table and the finest hash that it takes; a second run finds all as it should be; what was changed is given back.
func TestSpread(t *testing.T) {
	c := nictest.New()
	var before nic.Before
	s := nic.Spread(c.Netdev(), 3, &before)
	if !s.Spreads() || s.RSS.What != "128 entries over 3 queues" || !s.BySPI {
		t.Errorf("state %+v", s)
	}
	for i, q := range c.Table {
		if q != uint32(i%3) {
			t.Fatalf("entry %d leads to queue %d", i, q)
		}
	}
	if want := map[string]string{"ipv4": "addresses", "tcp": "addresses and ports", "udp": "addresses and ports", "esp": "addresses and SPI"}; !same(s.Fields, want) {
		t.Errorf("fields %v", s.Fields)
	}
	if c.Sets != 4 { // the table, TCP, UDP, ESP
		t.Errorf("%d commands changed anything", c.Sets)
	}
	again := before
	nic.Spread(c.Netdev(), 3, &again)
	if c.Sets != 4 {
		t.Error("what was right was written again")
	}
	must(t, nic.Restore(c.Netdev(), before))
	if c.Table[1] != 0 || c.Fields[10] != 0x30 || c.Fields[2] != 0x30 {
		t.Errorf("not restored: table %v, fields %v", c.Table[:4], c.Fields)
	}
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestSpreadRefused: a driver that has little is taken as it is, and says why.
func TestSpreadRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *nictest.Card)
		check  func(s *nic.State) bool
	}{
		"no RSS":         {func(c *nictest.Card) { c.Table = nil }, func(s *nic.State) bool { return !s.Spreads() && strings.Contains(s.RSS.Why, "the driver has none") }},
		"table is fixed": {func(c *nictest.Card) { c.Refuse = 0x39 }, func(s *nic.State) bool { return !s.Spreads() && strings.Contains(s.RSS.Why, "input/output error") }},
		"no ESP": {func(c *nictest.Card) { delete(c.Fields, 10) }, func(s *nic.State) bool {
			return s.Spreads() && !s.BySPI && strings.Contains(s.Fields["esp"], "the driver has none")
		}},
		"no SPI": {func(c *nictest.Card) { c.Allow[10] = []uint64{0x30} }, func(s *nic.State) bool { return s.Spreads() && !s.BySPI && s.Fields["esp"] == "addresses" }},
		"nothing hashed": {func(c *nictest.Card) { c.Fields[16], c.Allow[16] = 0, nil }, func(s *nic.State) bool {
			return strings.Contains(s.Fields["ipv4"], "nothing: all on one queue")
		}},
		"other fields": {func(c *nictest.Card) { c.Fields[2], c.Allow[2] = 0x10, nil }, func(s *nic.State) bool { return s.Fields["udp"] == "fields 0x10" }},
	} {
		k := nictest.New()
		c.change(k)
		if s := nic.Spread(k.Netdev(), 2, new(nic.Before)); !c.check(s) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	k := nictest.New()
	if s := nic.Spread(k.Netdev(), 1, new(nic.Before)); s.Spreads() || k.Sets != 0 {
		t.Errorf("one queue: %+v, %d commands changed anything", s, k.Sets)
	}
}

// TestKeepTags: tags stay in the frames while they are needed, and afterwards it is as it was.
func TestKeepTags(t *testing.T) {
	c := nictest.New()
	c.RXVLAN, c.NTuple = true, true
	var before nic.Before
	must(t, nic.KeepTags(c.Netdev(), &before))
	must(t, nic.KeepTags(c.Netdev(), &before))
	if c.RXVLAN || !c.NTuple || !before.Tags || c.Sets != 1 {
		t.Errorf("switched: %+v, %+v", c, before)
	}
	must(t, nic.ReturnTags(c.Netdev(), &before))
	if !c.RXVLAN || !c.NTuple || before.Tags {
		t.Errorf("switched back: %+v, %+v", c, before)
	}
	must(t, nic.KeepTags(c.Netdev(), &before))
	must(t, nic.Restore(c.Netdev(), before))
	if !c.RXVLAN {
		t.Error("not restored")
	}
	c, before = nictest.New(), nic.Before{}
	if err := nic.KeepTags(c.Netdev(), &before); err != nil || before.Tags || c.Sets != 0 {
		t.Errorf("a card that takes none off: %v, %+v", err, before)
	}
	c = nictest.New()
	c.RXVLAN, c.Fixed, before = true, true, nic.Before{}
	if err := nic.KeepTags(c.Netdev(), &before); err == nil || before.Tags {
		t.Errorf("a driver that refuses: %v, %+v", err, before)
	}
}

func esp(spi uint32, queue int) nic.Rule {
	return nic.Rule{Destination: netip.MustParseAddr("192.0.2.1"), SPI: spi, Queue: queue}
}

func gre(src string, queue int) nic.Rule {
	return nic.Rule{Source: netip.MustParseAddr(src), Destination: netip.MustParseAddr("192.0.2.1"), Queue: queue}
}

func TestSteer(t *testing.T) {
	for _, picks := range []bool{false, true} {
		c := nictest.New()
		c.Picks = picks
		c.Rules[7] = make([]byte, 168) // somebody else's
		var before nic.Before
		s, err := nic.Steer(c.Netdev(), &before)
		must(t, err)
		if !c.NTuple || !before.NTuple {
			t.Error("filters were not switched on")
		}
		must(t, s.Add(esp(0xabcd0001, 1)))
		must(t, s.Add(gre("192.0.2.11", 2)))
		must(t, s.Add(gre("192.0.2.11", 2))) // as it is
		if s.Rules() != 2 || len(c.Rules) != 3 {
			t.Fatalf("%d rules, the card has %d", s.Rules(), len(c.Rules))
		}
		flow, _, dst, spi, queue, _ := c.Rule(place(c, 10))
		if flow != 10 || dst != netip.MustParseAddr("192.0.2.1") || spi != 0xabcd0001 || queue != 1 {
			t.Errorf("ESP's rule: flow %d, to %v, SPI %#x, queue %d", flow, dst, spi, queue)
		}
		flow, src, dst, _, queue, proto := c.Rule(place(c, 13))
		if flow != 13 || src != netip.MustParseAddr("192.0.2.11") || dst != netip.MustParseAddr("192.0.2.1") || proto != 47 || queue != 2 {
			t.Errorf("GRE's rule: flow %d, from %v to %v, protocol %d, queue %d", flow, src, dst, proto, queue)
		}
		must(t, s.Add(esp(0xabcd0001, 3))) // to another queue
		if _, _, _, _, queue, _ := c.Rule(place(c, 10)); queue != 3 || len(c.Rules) != 3 {
			t.Errorf("moved to queue %d; %d rules", queue, len(c.Rules))
		}
		s.Remove(esp(0xabcd0001, 0))
		s.Remove(esp(0xabcd0001, 0))
		if s.Rules() != 1 || len(c.Rules) != 2 || len(before.Rules) != 1 {
			t.Errorf("after a removal: %d rules, the card has %d, remembered %v", s.Rules(), len(c.Rules), before.Rules)
		}
		must(t, nic.Restore(c.Netdev(), before))
		if len(c.Rules) != 1 || c.Rules[7] == nil || c.NTuple {
			t.Errorf("not restored: %d rules, filters on: %v", len(c.Rules), c.NTuple)
		}
	}
}

// TestSteerFull: what does not fit is counted, and what goes makes room.
func TestSteerFull(t *testing.T) {
	for _, picks := range []bool{false, true} {
		c := nictest.New()
		c.Picks = picks
		s, err := nic.Steer(c.Netdev(), new(nic.Before))
		must(t, err)
		for i := range 12 {
			err := s.Add(esp(uint32(i+1), i%4))
			if (err != nil) != (i >= 8) {
				t.Errorf("rule %d: %v", i, err)
			}
		}
		if s.Rules() != 8 || s.Refused != 4 || s.Last == nil {
			t.Errorf("%d rules, %d refused: %v", s.Rules(), s.Refused, s.Last)
		}
		s.Remove(esp(3, 0))
		must(t, s.Add(esp(100, 1)))
	}
}

// TestSteerLeftOvers: rules of an earlier run go, if they are still nave's.
func TestSteerLeftOvers(t *testing.T) {
	c := nictest.New()
	c.NTuple = true
	var before nic.Before
	s, err := nic.Steer(c.Netdev(), &before)
	must(t, err)
	must(t, s.Add(esp(1, 1)))
	must(t, s.Add(esp(2, 1)))
	c.Rules[before.Rules[1]] = make([]byte, 168) // replaced by somebody
	if _, err = nic.Steer(c.Netdev(), &before); err != nil {
		t.Fatal(err)
	}
	if len(c.Rules) != 1 || len(before.Rules) != 0 || before.NTuple {
		t.Errorf("%d rules are left, remembered %+v", len(c.Rules), before)
	}
}

func TestSteerRefused(t *testing.T) {
	for name, change := range map[string]func(c *nictest.Card){
		"no filters":         func(c *nictest.Card) { c.Room = 0 },
		"no size":            func(c *nictest.Card) { c.Room = 0; c.Refuse = 0x30; c.Rules[1] = nil },
		"can't switch":       func(c *nictest.Card) { c.Refuse = 0x26 },
		"can't list":         func(c *nictest.Card) { c.Rules[1] = make([]byte, 168); c.Refuse = 0x30 },
		"can't ask of flags": func(c *nictest.Card) { c.Refuse = 0x25 },
	} {
		c := nictest.New()
		change(c)
		if _, err := nic.Steer(c.Netdev(), new(nic.Before)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := nictest.New()
	c.Fixed = true // no switch, and filters all the same
	s, err := nic.Steer(c.Netdev(), new(nic.Before))
	must(t, err)
	for _, r := range []nic.Rule{{}, {SPI: 1}, {Destination: netip.MustParseAddr("::1"), SPI: 1}, {Destination: netip.MustParseAddr("192.0.2.1")}, esp(1, -1)} {
		if err := s.Add(r); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%v: %v", r, err)
		}
	}
	must(t, s.Add(esp(1, 0)))
}

// TestRealNetdev: against the kernel's own drivers, veth and loopback, as far as they go.
func TestRealNetdev(t *testing.T) {
	a, b := netns.New(t, "a"), netns.New(t, "b")
	must(t, netns.Veth(netns.End{NS: a, Name: "eth0", Queues: 4}, netns.End{NS: b, Name: "eth0", Queues: 4}, 1500))
	must(t, a.Do(func() error {
		d, err := nic.Open("eth0")
		if err != nil {
			return err
		}
		defer d.Close()
		var before nic.Before
		s := nic.Spread(d, 4, &before)
		if s.Driver.Name != "veth" || s.Channels.RX != 4 || s.Channels.TX != 4 {
			t.Errorf("driver %+v, channels %+v", s.Driver, s.Channels)
		}
		if !s.Spreads() && s.RSS.Why == "" {
			t.Error("no table, and no reason")
		}
		if _, err := nic.Steer(d, &before); err == nil || !nic.IsUnsupported(err) {
			t.Errorf("filter rules on veth: %v", err)
		}
		must(t, nic.Restore(d, before))
		link, err := nic.Open("nothere")
		if err != nil {
			return err
		}
		defer link.Close()
		if _, err := link.Channels(); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a netdev that is not there: %v", err)
		}
		return nil
	}))
	must(t, a.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		zc, err := nic.ZeroCopy(i.Index)
		if zc {
			t.Error("a veth claims zero-copy")
		}
		if err != nil {
			t.Log(err)
		}
		if _, err := nic.ZeroCopy(4711); err == nil {
			t.Error("an interface that is not there has features")
		}
		return nil
	}))
}

func TestOpenNames(t *testing.T) {
	for _, name := range []string{"", "a-name-of-16-byte"} {
		if _, err := nic.Open(name); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is where the card has the rule of a kind of flow.
func place(c *nictest.Card, flow uint32) uint32 {
	for l := range c.Rules {
		if f, _, _, _, _, _ := c.Rule(l); f == flow {
			return l
		}
	}
	return 1 << 31
}
