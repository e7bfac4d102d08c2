package rib

import (
	"fmt"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
)

type noNeighbours struct{}

func (noNeighbours) Want(string, netip.Addr)   {}
func (noNeighbours) Unwant(string, netip.Addr) {}

// Static routes are those of the table's that Routes says are static, whatever else is there: one that another beats, or that leads nowhere, is none.
func TestStaticRoutes(t *testing.T) {
	p := netip.MustParsePrefix
	a := netip.MustParseAddr
	r := New(func(*fib.Batch) ([]fib.Refusal, error) { return nil, nil }, noNeighbours{})
	r.SetInterface(Interface{Name: "Ethernet0", VRF: 3, Addrs: []netip.Prefix{p("192.0.2.1/24")}, Up: true, Port: 1, MTU: 1500})
	hop := []NextHop{{Addr: a("192.0.2.9")}}
	r.SetStatics(3, []StaticRoute{
		{Prefix: p("10.2.0.0/16"), Hops: hop, Source: Static}, {Prefix: p("10.1.0.0/16"), Hops: hop, Source: Static}, {Prefix: p("10.1.0.0/16"), Hops: []NextHop{{Iface: "Ethernet0"}}, Source: Static, Distance: 9},
		{Prefix: p("0.0.0.0/0"), Hops: hop, Source: DHCP}, {Prefix: p("10.3.0.0/16"), Hops: []NextHop{{Iface: "Ethernet7"}}, Source: Static}, {Prefix: p("10.4.0.0/16"), Hops: hop, Source: Static, Distance: 250},
		{Prefix: p("10.5.0.0/16"), Source: Static},
	})
	r.SetRoute(3, p("10.4.0.0/16"), Learned{Source: BGP, Distance: 200, Hops: hop})
	r.SetRoute(3, p("10.6.0.0/16"), Learned{Source: BGP, Distance: 200, Hops: hop})
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.StaticRoutes(3) {
		got = append(got, fmt.Sprint(s.Prefix, " ", s.Source, " ", len(s.Hops)))
	}
	if want := "[0.0.0.0/0 dhcp 1 10.1.0.0/16 static 1 10.2.0.0/16 static 1 10.5.0.0/16 static 0]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := r.StaticRoutes(4); got != nil {
		t.Errorf("of another VRF: %v", got)
	}
}
