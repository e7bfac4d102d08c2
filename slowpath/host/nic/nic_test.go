package nic

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
)

func TestDescribe(t *testing.T) {
	c := newCard()
	s := Describe(c.netdev())
	if s.Driver.Name != "fake" || s.Driver.Bus != "0000:01:00.0" {
		t.Errorf("driver %+v", s.Driver)
	}
	if s.Channels != (Channels{Combined: 4, MaxCombined: 64}) || s.Rings != (Rings{512, 1024, 4096, 4096}) {
		t.Errorf("channels %+v, rings %+v", s.Channels, s.Rings)
	}
	if s.Fields["udp"] != "addresses" || s.BySPI || c.sets != 0 {
		t.Errorf("fields %v; %d commands changed anything", s.Fields, c.sets)
	}
}

// TestSpread: an able card gets an even table and the finest hash that it takes; a second run finds all as it should be; what was changed is given back.
func TestSpread(t *testing.T) {
	c := newCard()
	var before Before
	s := Spread(c.netdev(), 3, &before)
	if !s.Spreads() || s.RSS.What != "128 entries over 3 queues" || !s.BySPI {
		t.Errorf("state %+v", s)
	}
	for i, q := range c.table {
		if q != uint32(i%3) {
			t.Fatalf("entry %d leads to queue %d", i, q)
		}
	}
	if want := map[string]string{"ipv4": "addresses", "tcp": "addresses and ports", "udp": "addresses and ports", "esp": "addresses and SPI"}; !same(s.Fields, want) {
		t.Errorf("fields %v", s.Fields)
	}
	if c.sets != 4 { // the table, TCP, UDP, ESP
		t.Errorf("%d commands changed anything", c.sets)
	}
	again := before
	Spread(c.netdev(), 3, &again)
	if c.sets != 4 {
		t.Error("what was right was written again")
	}
	must(t, Restore(c.netdev(), before))
	if c.table[1] != 0 || c.fields[10] != 0x30 || c.fields[2] != 0x30 {
		t.Errorf("not restored: table %v, fields %v", c.table[:4], c.fields)
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
		change func(c *card)
		check  func(s *State) bool
	}{
		"no RSS":         {func(c *card) { c.table = nil }, func(s *State) bool { return !s.Spreads() && strings.Contains(s.RSS.Why, "the driver has none") }},
		"table is fixed": {func(c *card) { c.refuse = 0x39 }, func(s *State) bool { return !s.Spreads() && strings.Contains(s.RSS.Why, "input/output error") }},
		"no ESP": {func(c *card) { delete(c.fields, 10) }, func(s *State) bool {
			return s.Spreads() && !s.BySPI && strings.Contains(s.Fields["esp"], "the driver has none")
		}},
		"no SPI": {func(c *card) { c.allow[10] = []uint64{0x30} }, func(s *State) bool { return s.Spreads() && !s.BySPI && s.Fields["esp"] == "addresses" }},
		"nothing hashed": {func(c *card) { c.fields[16], c.allow[16] = 0, nil }, func(s *State) bool {
			return strings.Contains(s.Fields["ipv4"], "nothing: all on one queue")
		}},
		"other fields": {func(c *card) { c.fields[2], c.allow[2] = 0x10, nil }, func(s *State) bool { return s.Fields["udp"] == "fields 0x10" }},
	} {
		k := newCard()
		c.change(k)
		if s := Spread(k.netdev(), 2, new(Before)); !c.check(s) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	k := newCard()
	if s := Spread(k.netdev(), 1, new(Before)); s.Spreads() || k.sets != 0 {
		t.Errorf("one queue: %+v, %d commands changed anything", s, k.sets)
	}
}

func esp(spi uint32, queue int) Rule {
	return Rule{Destination: netip.MustParseAddr("192.0.2.1"), SPI: spi, Queue: queue}
}

func gre(src string, queue int) Rule {
	return Rule{Source: netip.MustParseAddr(src), Destination: netip.MustParseAddr("192.0.2.1"), Queue: queue}
}

func TestSteer(t *testing.T) {
	for _, picks := range []bool{false, true} {
		c := newCard()
		c.picks = picks
		c.rules[7] = make([]byte, 168) // somebody else's
		var before Before
		s, err := Steer(c.netdev(), &before)
		must(t, err)
		if !c.ntuple || !before.NTuple {
			t.Error("filters were not switched on")
		}
		must(t, s.Add(esp(0xabcd0001, 1)))
		must(t, s.Add(gre("192.0.2.11", 2)))
		must(t, s.Add(gre("192.0.2.11", 2))) // as it is
		if s.Rules() != 2 || len(c.rules) != 3 {
			t.Fatalf("%d rules, the card has %d", s.Rules(), len(c.rules))
		}
		flow, _, dst, spi, queue, _ := c.rule(s.at[esp(0xabcd0001, 0)])
		if flow != 10 || dst != netip.MustParseAddr("192.0.2.1") || spi != 0xabcd0001 || queue != 1 {
			t.Errorf("ESP's rule: flow %d, to %v, SPI %#x, queue %d", flow, dst, spi, queue)
		}
		flow, src, dst, _, queue, proto := c.rule(s.at[gre("192.0.2.11", 0)])
		if flow != 13 || src != netip.MustParseAddr("192.0.2.11") || dst != netip.MustParseAddr("192.0.2.1") || proto != 47 || queue != 2 {
			t.Errorf("GRE's rule: flow %d, from %v to %v, protocol %d, queue %d", flow, src, dst, proto, queue)
		}
		must(t, s.Add(esp(0xabcd0001, 3))) // to another queue
		if _, _, _, _, queue, _ := c.rule(s.at[esp(0xabcd0001, 0)]); queue != 3 || len(c.rules) != 3 {
			t.Errorf("moved to queue %d; %d rules", queue, len(c.rules))
		}
		s.Remove(esp(0xabcd0001, 0))
		s.Remove(esp(0xabcd0001, 0))
		if s.Rules() != 1 || len(c.rules) != 2 || len(before.Rules) != 1 {
			t.Errorf("after a removal: %d rules, the card has %d, remembered %v", s.Rules(), len(c.rules), before.Rules)
		}
		must(t, Restore(c.netdev(), before))
		if len(c.rules) != 1 || c.rules[7] == nil || c.ntuple {
			t.Errorf("not restored: %d rules, filters on: %v", len(c.rules), c.ntuple)
		}
	}
}

// TestSteerFull: what does not fit is counted, and what goes makes room.
func TestSteerFull(t *testing.T) {
	for _, picks := range []bool{false, true} {
		c := newCard()
		c.picks = picks
		s, err := Steer(c.netdev(), new(Before))
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
	c := newCard()
	c.ntuple = true
	var before Before
	s, err := Steer(c.netdev(), &before)
	must(t, err)
	must(t, s.Add(esp(1, 1)))
	must(t, s.Add(esp(2, 1)))
	c.rules[before.Rules[1]] = make([]byte, 168) // replaced by somebody
	if _, err = Steer(c.netdev(), &before); err != nil {
		t.Fatal(err)
	}
	if len(c.rules) != 1 || len(before.Rules) != 0 || before.NTuple {
		t.Errorf("%d rules are left, remembered %+v", len(c.rules), before)
	}
}

func TestSteerRefused(t *testing.T) {
	for name, change := range map[string]func(c *card){
		"no filters":         func(c *card) { c.room = 0 },
		"no size":            func(c *card) { c.room = 0; c.refuse = 0x30; c.rules[1] = nil },
		"can't switch":       func(c *card) { c.refuse = 0x26 },
		"can't list":         func(c *card) { c.rules[1] = make([]byte, 168); c.refuse = 0x30 },
		"can't ask of flags": func(c *card) { c.refuse = 0x25 },
	} {
		c := newCard()
		change(c)
		if _, err := Steer(c.netdev(), new(Before)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := newCard()
	c.fixed = true // no switch, and filters all the same
	s, err := Steer(c.netdev(), new(Before))
	must(t, err)
	for _, r := range []Rule{{}, {SPI: 1}, {Destination: netip.MustParseAddr("::1"), SPI: 1}, {Destination: netip.MustParseAddr("192.0.2.1")}, esp(1, -1)} {
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
		d, err := Open("eth0")
		if err != nil {
			return err
		}
		defer d.Close()
		var before Before
		s := Spread(d, 4, &before)
		if s.Driver.Name != "veth" || s.Channels.RX != 4 || s.Channels.TX != 4 {
			t.Errorf("driver %+v, channels %+v", s.Driver, s.Channels)
		}
		if !s.Spreads() && s.RSS.Why == "" {
			t.Error("no table, and no reason")
		}
		if _, err := Steer(d, &before); err == nil || !IsUnsupported(err) {
			t.Errorf("filter rules on veth: %v", err)
		}
		must(t, Restore(d, before))
		link, err := Open("nothere")
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
		zc, err := ZeroCopy(i.Index)
		if zc {
			t.Error("a veth claims zero-copy")
		}
		if err != nil {
			t.Log(err)
		}
		if _, err := ZeroCopy(4711); err == nil {
			t.Error("an interface that is not there has features")
		}
		return nil
	}))
}

func TestOpenNames(t *testing.T) {
	for _, name := range []string{"", "a-name-of-16-byte"} {
		if _, err := Open(name); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

// FuzzAnswers: whatever a driver answers, there is no crash and no endless memory.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255}, uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, answer []byte, start uint8) {
		at := int(start)
		d := &Netdev{name: "x", fd: -1, call: func(b []byte) error {
			if len(answer) > 0 && answer[at%len(answer)] == 0xee {
				return unix.EINVAL
			}
			for i := 4; i < len(b); i++ {
				if len(answer) > 0 {
					b[i] = answer[(at+i)%len(answer)]
				}
			}
			at += 7
			return nil
		}}
		var before Before
		Spread(d, 4, &before)
		if s, err := Steer(d, &before); err == nil {
			_ = s.Add(esp(1, 1))
			s.Remove(esp(1, 1))
		}
		_ = Restore(d, before)
		features(answer)
		spec := make([]byte, 168)
		copy(spec, answer)
		if r, ok := decode(spec); ok {
			out := make([]byte, 168)
			if err := r.encode(out); err != nil {
				t.Errorf("rule %v can't be written: %v", r, err)
			}
		}
	})
}
