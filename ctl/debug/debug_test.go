package debug

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/trace"
)

func apply(t *testing.T, s Set, changes ...Change) Set {
	t.Helper()
	for _, c := range changes {
		var err error
		if s, err = s.Apply(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	}
	return s
}

// A level has what the one before it has, and more where the facility has more; all of them together are everything.
func TestLevels(t *testing.T) {
	var all trace.Topics
	for _, f := range Facilities {
		var before trace.Topics
		for i, l := range Levels {
			rules := apply(t, Set{}, Change{Flags: []Flag{DMVPNFlag(l, f)}}).Rules()
			if len(rules) != 1 {
				t.Fatalf("%s %s: %+v", l, f, rules)
			}
			is := rules[0].Topics
			if is&before != before || i < 2 && is == before {
				t.Errorf("%s %s: %b after %b", l, f, is, before)
			}
			before = is
			all |= is
		}
	}
	if all != trace.All&^trace.EIGRP {
		t.Errorf("all levels are %b, of %b", all, trace.All)
	}
	if hasPacket := byLevel["nhrp"][1]; hasPacket&(trace.NHRPPacket|trace.NHRPExtension) != 0 {
		t.Error("packets below the level of packets")
	}
}

func TestFlags(t *testing.T) {
	for _, f := range Flags() {
		s := apply(t, Set{}, Change{Flags: []Flag{f}})
		rules := s.Rules()
		if len(s.Flags) != 1 || len(rules) != 1 || rules[0].Topics == 0 || rules[0].Topics&^trace.All != 0 {
			t.Errorf("%s: %+v, %+v", f, s, rules)
		}
		if again := apply(t, s, Change{Flags: []Flag{f}}); !reflect.DeepEqual(again, s) {
			t.Errorf("%s twice: %+v", f, again)
		}
		if off := apply(t, s, Change{Off: true, Flags: []Flag{f}}); len(off.Flags) != 0 || len(off.Rules()) != 0 {
			t.Errorf("%s off: %+v", f, off)
		}
		if len(s.Flags) != 1 {
			t.Errorf("%s: what was changed was written to", f)
		}
	}
	if slices.Contains(Flags(), "nhrp condition") {
		t.Error("a condition is no flag")
	}
}

// The conditions of a family are for its own flags, and crypto goes by those of dmvpn.
func TestRules(t *testing.T) {
	nbma, tunnel := netip.MustParsePrefix("192.0.2.77/24"), netip.MustParsePrefix("10.0.0.1/32")
	s := apply(t, Set{},
		Change{Flags: []Flag{"nhrp packet", "crypto isakmp"}}, Change{Family: NHRP, Condition: &Condition{NBMA: nbma}}, Change{Family: DMVPN, Condition: &Condition{Tunnel: tunnel}},
		Change{Family: DMVPN, Condition: &Condition{Iface: "Tunnel0"}}, Change{Family: DMVPN, Unmatched: true})
	want := []trace.Rule{
		{Topics: trace.NHRPPacket, Conditions: []trace.Condition{{NBMA: nbma.Masked()}}},
		{Topics: trace.IKEv1, Conditions: []trace.Condition{{Tunnel: tunnel}, {Iface: "Tunnel0"}}, Unmatched: true},
	}
	if got := s.Rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	s = apply(t, s, Change{Off: true, Family: DMVPN, Condition: &Condition{Iface: "Tunnel0"}}, Change{Off: true, Family: DMVPN, Unmatched: true}, Change{Off: true, All: true})
	if len(s.Rules()) != 0 || len(s.DMVPN.List) != 1 || s.DMVPN.Unmatched || len(s.NHRP.List) != 1 {
		t.Errorf("%+v", s)
	}
	if s = apply(t, s, Change{Off: true, Family: NHRP}, Change{Off: true, Family: DMVPN}); s.NHRP.Any() || s.DMVPN.Any() {
		t.Errorf("%+v", s)
	}
}

func TestRefused(t *testing.T) {
	one := Condition{VRF: "blue"}
	many := Set{}
	for i := range MostConditions {
		many = apply(t, many, Change{Family: NHRP, Condition: &Condition{NBMA: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32)}})
	}
	for _, c := range []struct {
		s    Set
		c    Change
		want string
	}{
		{Set{}, Change{Flags: []Flag{"nhrp", "bgp"}}, `"bgp"`}, {Set{}, Change{Off: true, Flags: []Flag{"x"}}, `"x"`}, {Set{}, Change{All: true}, "only be turned off"},
		{Set{}, Change{Family: "crypto", Condition: &one}, "no conditions"}, {Set{}, Change{Family: NHRP}, "no condition is said"},
		{Set{}, Change{Family: NHRP, Condition: &Condition{}}, "0 parts"}, {Set{}, Change{Family: NHRP, Condition: &Condition{VRF: "a", Iface: "Tunnel0"}}, "2 parts"},
		{Set{}, Change{Off: true, Family: NHRP, Condition: &one}, "not set"}, {many, Change{Family: NHRP, Condition: &one}, "64 conditions"},
	} {
		got, err := c.s.Apply(c.c)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.c, err, c.want)
		}
		if !reflect.DeepEqual(got, c.s) {
			t.Errorf("%+v: what is on was changed all the same", c.c)
		}
	}
}

func TestConditionString(t *testing.T) {
	for want, c := range map[string]Condition{
		"peer nbma 192.0.2.1":                {NBMA: netip.MustParsePrefix("192.0.2.1/32")},
		"peer tunnel 10.0.0.0 255.255.254.0": {Tunnel: netip.MustParsePrefix("10.0.0.0/23")},
		"peer nbma 0.0.0.0 0.0.0.0":          {NBMA: netip.MustParsePrefix("0.0.0.0/0")},
		"peer tunnel fd00::/64":              {Tunnel: netip.MustParsePrefix("fd00::/64")},
		"interface Tunnel0":                  {Iface: "Tunnel0"},
		"vrf blue":                           {VRF: "blue"},
	} {
		if c.String() != want {
			t.Errorf("%q, want %q", c, want)
		}
	}
}

func TestPace(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var p Pace
	lines := 0
	for p.Take(now, 10) {
		lines += 10
	}
	if lines != LinesBurst {
		t.Errorf("%d lines at once, want %d", lines, LinesBurst)
	}
	for range 1000 { // ten seconds of a flood
		now = now.Add(10 * time.Millisecond)
		for p.Take(now, 5) {
			lines += 5
		}
	}
	if want := LinesBurst + 10*LinesASecond; lines < want-10 || lines > want {
		t.Errorf("%d lines in ten seconds, want %d", lines, want)
	}
	now = now.Add(time.Hour)
	if !p.Take(now, 3*LinesBurst) {
		t.Error("what is longer than the burst is never written")
	}
	if p.Take(now.Add(-time.Hour), 1) || p.Room(now.Add(-time.Hour)) {
		t.Error("a clock that goes back gives room")
	}
}

func TestSetAsJSON(t *testing.T) {
	s := State{Set: apply(t, Set{}, Change{Flags: []Flag{"nhrp", "tunnel protection"}}, Change{Family: NHRP, Condition: &Condition{NBMA: netip.MustParsePrefix("192.0.2.0/24")}}), Told: 3, LeftOut: 4}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"flags":["nhrp","tunnel protection"],"nhrp_conditions":{"list":[{"nbma":"192.0.2.0/24"}]},"told":3,"left_out":4}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%+v, %v", back, err)
	}
}
