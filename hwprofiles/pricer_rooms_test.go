package hwprofiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/fastpath/fib"
)

// way is a route of the number n that leads somewhere, or to this box.
func way(n int, paths ...fib.AdjID) fib.Route {
	return fib.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32), Paths: paths}
}

func (p *Pricer) route(n int, was fib.Place) fib.Place { r := way(n, 16); return p.Route(&r, was) }

func (p *Pricer) receive(n int, was fib.Place) fib.Place {
	r := way(n, fib.Receive)
	return p.Route(&r, was)
}

func (p *Pricer) label(in int, action fib.LabelAction, was fib.Place) (fib.Place, fib.Price) {
	return p.Label(&fib.Label{In: uint32(in), Action: action}, was)
}

// small is a TCAM of a few entries for IPv4 and labels.
func small(t *testing.T, entries int, o Options) *Pricer {
	t.Helper()
	return NewPricer(box(t, map[string]any{"fib.units72": 1024, "fib.split.ip_mpls": entries, "fib.split.ipv6_mcast": 256, "fib.width.ipv6": 2, "fib.width.mcast": 2,
		"fib.split.mpls": 16, "mpls.aggregate_labels": 2}), o)
}

func TestRoomIsShared(t *testing.T) {
	p := small(t, 4, Options{})
	for n := range 3 {
		if got := p.route(n, fib.PlaceNone); got != fib.PlaceHardware {
			t.Errorf("route %d: %v", n, got)
		}
	}
	if u := p.Usage(); u.IPv4.Threshold || u.IPv4.Exception {
		t.Errorf("3 of 4: %+v", u)
	}
	if got, _ := p.label(16, fib.LabelSwap, fib.PlaceNone); got != fib.PlaceHardware {
		t.Errorf("label: %v", got)
	}
	if u := p.Usage(); !u.IPv4.Threshold || !u.MPLS.Threshold || u.IPv4.Exception || u.MPLS.Exception {
		t.Errorf("4 of 4: %+v", u)
	}
	if a, b := p.route(4, fib.PlaceNone), p.route(4, fib.PlaceSoftware); a != fib.PlaceSoftware || b != fib.PlaceSoftware {
		t.Errorf("a route beyond: %v, asked again %v", a, b)
	}
	if u := p.Usage(); !u.IPv4.Exception || u.MPLS.Exception {
		t.Errorf("%+v", u)
	}
	got, _ := p.label(17, fib.LabelSwap, fib.PlaceNone)
	u := p.Usage()
	if got != fib.PlaceSoftware || !u.MPLS.Exception || u.IPv4.Hardware != 3 || u.IPv4.Software != 1 || u.MPLS.Hardware != 1 || u.MPLS.Software != 1 {
		t.Errorf("a label beyond: %v, %+v", got, u)
	}
	if u.Units != (Level{4, 1024}) || len(u.Rooms) != 2 || u.Rooms[0].Level != (Level{4, 4}) || !slices.Equal(u.Rooms[0].Kinds, []string{"ip", "mpls"}) || u.Rooms[0].Configured ||
		u.Rooms[1].Level != (Level{0, 256}) || u.Rooms[1].Width != 2 {
		t.Errorf("%+v", u)
	}
}

// What became free is for those that come later. Who is in software stays there, and the states stick.
func TestRoomFreed(t *testing.T) {
	p := small(t, 1, Options{})
	p.route(1, fib.PlaceNone)
	p.route(2, fib.PlaceNone)
	p.RouteGone(fib.RouteKey{}, fib.PlaceHardware)
	if a, b := p.route(2, fib.PlaceSoftware), p.route(3, fib.PlaceNone); a != fib.PlaceSoftware || b != fib.PlaceHardware {
		t.Errorf("the one in software %v, the one that came later %v", a, b)
	}
	p.RouteGone(fib.RouteKey{}, fib.PlaceHardware)
	p.RouteGone(fib.RouteKey{}, fib.PlaceSoftware)
	p.RouteGone(fib.RouteKey{}, fib.PlaceNone)
	if u := p.Usage(); u.IPv4 != (Routes{Threshold: true, Exception: true}) || u.Units.Used != 0 || u.Rooms[0].Used != 0 {
		t.Errorf("%+v", u)
	}
	if got := p.route(4, fib.PlaceNone); got != fib.PlaceHardware {
		t.Errorf("%v", got)
	}
}

func TestThreshold(t *testing.T) {
	p := small(t, 100, Options{})
	for n := range 94 {
		p.route(n, fib.PlaceNone)
	}
	if p.Usage().IPv4.Threshold {
		t.Error("94 of 100 are below it")
	}
	p.route(94, fib.PlaceNone)
	if u := p.Usage(); !u.IPv4.Threshold || u.MPLS.Threshold {
		t.Errorf("95 of 100, and no label: %+v", u)
	}
	p.label(16, fib.LabelForward, fib.PlaceNone)
	p.LabelGone(16, fib.LabelForward, fib.PlaceHardware)
	if u := p.Usage(); !u.MPLS.Threshold || u.MPLS.Hardware != 0 {
		t.Errorf("%+v", u)
	}
}

// The engine has no mark for a route that leads to this box or to Null0, so those always find room, also when they were something else before.
func TestRoutesWithoutAdjacency(t *testing.T) {
	p := small(t, 1, Options{})
	p.receive(1, fib.PlaceNone)
	null := way(2, fib.Null)
	if a, b := p.receive(2, fib.PlaceNone), p.Route(&null, fib.PlaceNone); a != fib.PlaceHardware || b != fib.PlaceHardware || p.Usage().IPv4.Exception {
		t.Errorf("%v %v, %+v", a, b, p.Usage().IPv4)
	}
	if got := p.route(3, fib.PlaceNone); got != fib.PlaceSoftware {
		t.Errorf("one that leads on: %v", got)
	}
	if got := p.receive(3, fib.PlaceSoftware); got != fib.PlaceHardware || p.Usage().IPv4.Hardware != 4 || p.Usage().IPv4.Software != 0 {
		t.Errorf("and then does not: %v, %+v", got, p.Usage().IPv4)
	}
	if got := p.route(3, fib.PlaceHardware); got != fib.PlaceHardware || p.Usage().IPv4.Hardware != 4 {
		t.Errorf("and does again: %v, %+v", got, p.Usage().IPv4)
	}
}

// Labels that could not be installed give back what they got, though the engine can't say where that was.
func TestLabelNotInstalled(t *testing.T) {
	p := small(t, 1, Options{})
	p.label(16, fib.LabelLookup, fib.PlaceNone)
	p.LabelGone(16, fib.LabelLookup, fib.PlaceNone)
	p.LabelGone(16, fib.LabelLookup, fib.PlaceNone)
	if u := p.Usage(); u.MPLS.Hardware != 0 || u.Units.Used != 0 || u.AggregateLabels.Used != 0 {
		t.Errorf("%+v", u)
	}
	p.label(17, fib.LabelSwap, fib.PlaceNone)
	p.label(18, fib.LabelSwap, fib.PlaceNone)
	p.LabelGone(18, fib.LabelSwap, fib.PlaceNone)
	if u := p.Usage(); u.MPLS.Hardware != 1 || u.MPLS.Software != 0 {
		t.Errorf("%+v", u)
	}
}

// Without labels in hardware, they take no room, and no exception slows them further.
func TestLabelsWithoutHardware(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"mpls.hw": false, "fib.units72": 1024, "fib.split.ip_mpls": 1, "fib.split.ipv6_mcast": 4}), Options{Routes: map[string]int{"mpls": 4}})
	for in := range 3 {
		if place, price := p.label(16+in, fib.LabelLookup, fib.PlaceNone); place != fib.PlaceHardware || price.Way != fib.ByCEF {
			t.Errorf("%v, %+v", place, price)
		}
	}
	p.label(16, fib.LabelLookup, fib.PlaceHardware)
	if u := p.Usage(); u.MPLS != (Routes{Software: 3}) || u.Units.Used != 0 || !slices.Equal(u.Rooms[0].Kinds, []string{"ip"}) || u.Rooms[0].Configured {
		t.Errorf("%+v", u)
	}
	p.LabelGone(16, fib.LabelLookup, fib.PlaceHardware)
	p.LabelGone(18, fib.LabelLookup, fib.PlaceNone)
	if u := p.Usage(); u.MPLS != (Routes{Software: 1}) {
		t.Errorf("%+v", u)
	}
}

func TestAggregateLabels(t *testing.T) {
	p := small(t, 100, Options{})
	cost := func(in int, action fib.LabelAction, was fib.Place) uint16 {
		_, price := p.label(in, action, was)
		return price.Cost
	}
	for in, want := range []uint16{0, 0, 16, 16} {
		if got := cost(100+in, fib.LabelLookup, fib.PlaceNone); got != want {
			t.Errorf("label %d costs %d, want %d", in, got, want)
		}
	}
	if cost(200, fib.LabelSwap, fib.PlaceNone) != 0 || cost(201, fib.LabelForward, fib.PlaceNone) != 0 || cost(int(fib.ExplicitNull), fib.LabelLookup, fib.PlaceNone) != 0 {
		t.Error("others are looked up in one pass")
	}
	if u := p.Usage(); u.AggregateLabels != (Level{4, 2}) {
		t.Errorf("%+v", u.AggregateLabels)
	}
	p.LabelGone(100, fib.LabelLookup, fib.PlaceHardware)
	if a, b, c := cost(102, fib.LabelLookup, fib.PlaceHardware), cost(104, fib.LabelLookup, fib.PlaceNone), cost(105, fib.LabelLookup, fib.PlaceNone); a != 16 || b != 0 || c != 16 {
		t.Errorf("one that was there %d, one that got what became free %d, the next %d", a, b, c)
	}
	if cost(101, fib.LabelSwap, fib.PlaceHardware) != 0 || cost(106, fib.LabelLookup, fib.PlaceNone) != 0 || p.Usage().AggregateLabels.Used != 5 {
		t.Errorf("one is no aggregate any more: %+v", p.Usage().AggregateLabels)
	}
}

// The split of the TCAM: the profile's, and what `mls cef maximum-routes` makes of it.
func TestSplit(t *testing.T) {
	s := load(t, "")
	const k = 1024
	for _, c := range []struct {
		profile string
		routes  map[string]int
		want    string
	}{
		{"sup720-3bxl", nil, "ip+mpls 524288x1, ipv6+ip-multicast 262144x2"},
		{"sup720-3a", nil, "ip 196608x1, ipv6+ip-multicast 32768x2"},
		{"sup720-3bxl", map[string]int{"ip": 900 * k}, "ip 921600x1*, mpls 16384x1, ipv6+ip-multicast 55296x2"},
		{"sup720-3bxl", map[string]int{"ip": 1000 * k, "mpls": 10 * k}, "ip 1024000x1*, mpls 10240x1*, ipv6+ip-multicast 7168x2"},
		{"sup720-3bxl", map[string]int{"ip": 1020 * k}, "ip 1044480x1*, mpls 4096x1, ipv6+ip-multicast 0x2"},
		{"sup720-3bxl", map[string]int{"mpls": 100 * k}, "ip 421888x1, mpls 102400x1*, ipv6+ip-multicast 262144x2"},
		{"sup720-3bxl", map[string]int{"ipv6": 300 * k}, "ip+mpls 434176x1, ipv6 307200x2*, ip-multicast 0x2"},
		{"sup720-3bxl", map[string]int{"ip": 500 * k, "ipv6": 10 * k, "ip-multicast": 20 * k}, "ip 512000x1*, mpls 16384x1, ipv6 10240x2*, ip-multicast 20480x2*"},
		{"sup720-3bxl", map[string]int{"ip": 1020 * k, "ipv6": 10 * k}, "ip+mpls 524288x1, ipv6+ip-multicast 262144x2"}, // refused, as it is too large
		{"sup720-3a", map[string]int{"ip": 200 * k, "mpls": 300 * k}, "ip 204800x1*, ipv6+ip-multicast 28672x2"},
		{"", map[string]int{"ip": 5}, "ip 5x1*, mpls no end, ipv6+ip-multicast no end"},
		{"", nil, "ip+mpls no end, ipv6+ip-multicast no end"},
	} {
		p := box(t, nil)
		if c.profile != "" {
			p = profile(t, s, c.profile)
		}
		split := newSplit(p, c.routes)
		var got []string
		units := 0
		for _, r := range split.rooms() {
			text := strings.Join(r.kinds, "+") + " no end"
			if r.known {
				text = fmt.Sprintf("%s %dx%d", strings.Join(r.kinds, "+"), r.size, r.width)
				units += r.size * r.width
			}
			if r.configured {
				text += "*"
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != c.want || p.FIB.Units.Over(units) {
			t.Errorf("%s, %v: %s, want %s", c.profile, c.routes, strings.Join(got, ", "), c.want)
		}
	}
}

// Labels have a room of their own once IPv4 has.
func TestConfiguredRooms(t *testing.T) {
	p := small(t, 100, Options{Routes: map[string]int{"ip": 2}})
	for n := range 3 {
		p.route(n, fib.PlaceNone)
	}
	for n := range 17 {
		p.label(16+n, fib.LabelSwap, fib.PlaceNone)
	}
	u := p.Usage()
	if u.IPv4 != (Routes{Hardware: 2, Software: 1, Threshold: true, Exception: true}) || u.MPLS != (Routes{Hardware: 16, Software: 1, Threshold: true, Exception: true}) ||
		!u.Rooms[0].Configured || u.Rooms[1].Configured || u.Rooms[1].Level != (Level{16, 16}) || u.Units.Used != 18 {
		t.Errorf("%+v", u)
	}
}

// Entries of different widths share a room by its units.
func TestWidths(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"fib.units72": 1024, "fib.split.ip_mpls": 2, "fib.width.mpls": 2}), Options{})
	a, _ := p.label(16, fib.LabelSwap, fib.PlaceNone)
	b, c, d := p.route(1, fib.PlaceNone), p.route(2, fib.PlaceNone), p.route(3, fib.PlaceNone)
	if u := p.Usage(); a != fib.PlaceHardware || b != fib.PlaceHardware || c != fib.PlaceHardware || d != fib.PlaceSoftware || u.Units.Used != 4 || u.Rooms[0].Width != 2 {
		t.Errorf("%v %v %v %v, %+v", a, b, c, d, u)
	}
}

// A million routes leave nothing behind in a Pricer but numbers.
func TestRoutesCostNoMemory(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	r := way(1, 16)
	if n := testing.AllocsPerRun(1000, func() { p.Route(&r, fib.PlaceNone); p.RouteGone(fib.RouteKey{}, fib.PlaceHardware) }); n != 0 {
		t.Errorf("%v allocations a route", n)
	}
}

func BenchmarkRoute(b *testing.B) {
	s, err := Load("")
	if err != nil {
		b.Fatal(err)
	}
	profile, err := s.Profile("sup720-3bxl")
	if err != nil {
		b.Fatal(err)
	}
	p, r := NewPricer(profile, Options{}), way(1, 16)
	for b.Loop() {
		p.Route(&r, fib.PlaceNone)
	}
}
