package rib

import (
	"slices"
	"testing"

	"nave/fastpath/fib"
)

const shared fib.VRF = 3

// newShared is two VRFs that have a default route out of a third one, which has routes back into both: they reach what is there, and not each other.
func newShared(t *testing.T) (*RIB, *fakeFIB) {
	r, f := newVPN(t)
	up := Interface{Name: "Ethernet4", VRF: shared, Addrs: ce.Addrs, Up: true, Port: 6, MAC: [6]byte{2, 0, 0, 0, 0, 6}, MTU: 1500}
	b := Interface{Name: "Ethernet5", VRF: blue, Addrs: ce.Addrs, Up: true, Port: 7, MAC: [6]byte{2, 0, 0, 0, 0, 7}, MTU: 1500}
	r.SetInterface(up)
	r.SetInterface(b)
	for _, name := range []string{ce.Name, up.Name, b.Name} {
		r.Neighbour(name, addr("192.168.1.9"), gatewayMAC, true)
	}
	r.SetStatics(shared, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.168.1.9")}}}})
	r.SetStatics(red, []StaticRoute{{Prefix: pfx("10.1.0.0/16"), Hops: []NextHop{{Addr: addr("192.168.1.9")}}}})
	r.SetStatics(blue, []StaticRoute{{Prefix: pfx("10.2.0.0/16"), Hops: []NextHop{{Addr: addr("192.168.1.9")}}}})
	leak := func(to fib.VRF, p string, from fib.VRF) {
		r.SetRoute(to, pfx(p), Learned{Source: BGP, Hops: []NextHop{{Elsewhere: true, Table: from}}})
	}
	leak(red, "0.0.0.0/0", shared)
	leak(blue, "0.0.0.0/0", shared)
	leak(shared, "10.1.0.0/16", red)
	leak(shared, "10.2.0.0/16", blue)
	flush(t, r)
	return r, f
}

// A default route that leaks from a table opens neither that table's other routes nor those that leak into it from others.
func TestLeakIsOfOnePrefix(t *testing.T) {
	r, f := newShared(t)
	for _, c := range []struct {
		vrf fib.VRF
		p   string
		out fib.PortID
	}{{red, "0.0.0.0/0", 6}, {blue, "0.0.0.0/0", 6}, {shared, "0.0.0.0/0", 6}, {shared, "10.1.0.0/16", 4}, {shared, "10.2.0.0/16", 7}} {
		if a := f.one(c.vrf, c.p); a.Kind != fib.AdjLink || a.Port != c.out {
			t.Errorf("VRF %d, %s: %+v", c.vrf, c.p, a)
		}
	}
	for _, a := range f.adj {
		if a.Kind == fib.AdjLookup {
			t.Errorf("looked up again: %+v", a)
		}
	}
	// What leaks does not leak on: of the third table's own there is none left.
	r.SetStatics(shared, nil)
	r.SetRoute(red, pfx("10.2.0.0/16"), Learned{Source: BGP, Hops: []NextHop{{Elsewhere: true, Table: shared}}})
	flush(t, r)
	for _, p := range []string{"0.0.0.0/0", "10.2.0.0/16"} {
		if got := f.paths(red, p); got != nil {
			t.Errorf("red has %s: %+v", p, got)
		}
	}
}

// What leaks follows what it leaks from: next hops that come and go, another route of the prefix, one that becomes attached, and the table's end.
func TestLeakFollows(t *testing.T) {
	r, f := newShared(t)
	r.SetStatics(shared, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("10.77.0.1")}}}, {Prefix: pfx("10.77.0.0/16"), Hops: []NextHop{{Addr: addr("192.168.1.9")}}},
	})
	flush(t, r)
	if a := f.one(red, "0.0.0.0/0"); a.Port != 6 {
		t.Errorf("by a next hop that is looked up: %+v", a)
	}
	r.SetStatics(shared, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("10.77.0.1")}}}})
	flush(t, r)
	if got := f.paths(red, "0.0.0.0/0"); got != nil {
		t.Errorf("the next hop is gone: %+v", got)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(shared, pfx("0.0.0.0/0"), by(t, "1.1.1.1", 18))
	flush(t, r)
	if a := f.one(red, "0.0.0.0/0"); !slices.Equal(a.Labels, []uint32{17, 18}) {
		t.Errorf("by another router: %+v", a)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 27)
	flush(t, r)
	if a := f.one(red, "0.0.0.0/0"); !slices.Equal(a.Labels, []uint32{27, 18}) {
		t.Errorf("another label: %+v", a)
	}
	r.UnbindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"))
	flush(t, r)
	if got := f.paths(red, "0.0.0.0/0"); got != nil {
		t.Errorf("the label switched path is gone: %+v", got)
	}
	r.SetStatics(shared, []StaticRoute{{Prefix: pfx("0.0.0.0/0")}})
	flush(t, r)
	if got := f.paths(red, "0.0.0.0/0"); got != nil {
		t.Errorf("Null0 there: %+v", got)
	}
	r.SetStatics(shared, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Iface: "Ethernet4"}}}})
	flush(t, r)
	if a := f.one(red, "0.0.0.0/0"); a.Kind != fib.AdjLookup || a.VRF != shared {
		t.Errorf("to whoever is on a link: %+v", a)
	}
	r.RemoveVRF(shared)
	flush(t, r)
	if got := f.paths(red, "0.0.0.0/0"); got != nil || len(r.leakers) != 0 {
		t.Errorf("the table is gone: %+v, %v", got, r.leakers)
	}
}
