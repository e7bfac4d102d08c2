package rib

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
)

const red, blue fib.VRF = 1, 2

var (
	core = Interface{Name: "Ethernet2", Addrs: []netip.Prefix{pfx("172.16.0.1/24")}, Up: true, Port: 3, MAC: [6]byte{2, 0, 0, 0, 0, 3}, MTU: 1500, MPLS: true}
	ce   = Interface{Name: "Ethernet3", VRF: red, Addrs: []netip.Prefix{pfx("192.168.1.1/24")}, Up: true, Port: 4, MAC: [6]byte{2, 0, 0, 0, 0, 4}, MTU: 1500}
	vpn  = Interface{Name: "Tunnel1", VRF: blue, Addrs: []netip.Prefix{pfx("10.254.0.1/24")}, Up: true, MTU: 1400,
		Tunnel: &Tunnel{ID: 2, OuterVRF: red, Local: addr("192.168.1.1"), TTL: 255, Network: 2}}
)

func mpls(i Interface) Interface {
	i.MPLS = true
	return i
}

// newVPN is a RIB with an MPLS core, a tunnel that takes labels, a VRF, and a tunnel whose outside is in that.
func newVPN(t testing.TB) (*RIB, *fakeFIB) {
	f := newFakeFIB(t)
	r := New(f.apply, wanted{})
	for _, i := range []Interface{wan, lan, mpls(tun), core, ce, vpn} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("1.1.1.1/32"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}},
	})
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.Neighbour("Ethernet2", addr("172.16.0.2"), gatewayMAC, true)
	return r, f
}

func push(t testing.TB, values ...uint32) Labels {
	t.Helper()
	l, ok := LabelsOf(values...)
	if !ok {
		t.Fatalf("labels %v", values)
	}
	return l
}

// by is a VPN route's next hop in the global table.
func by(t testing.TB, a string, values ...uint32) Learned {
	return Learned{Source: BGP, Hops: []NextHop{{Addr: addr(a), Labels: push(t, values...), Elsewhere: true}}}
}

// paths are the adjacencies of a route of a VRF; none where there is no route.
func (f *fakeFIB) paths(vrf fib.VRF, p string) (out []fib.Adjacency) {
	for _, id := range f.routes[fib.RouteKey{VRF: vrf, Prefix: pfx(p)}] {
		if a, ok := f.adj[id]; ok {
			out = append(out, a)
		} else {
			out = append(out, fib.Adjacency{ID: id})
		}
	}
	return out
}

func (f *fakeFIB) one(vrf fib.VRF, p string) fib.Adjacency {
	f.t.Helper()
	a := f.paths(vrf, p)
	if len(a) != 1 {
		f.t.Fatalf("route %d %s: %+v", vrf, p, a)
	}
	return a[0]
}

func TestStackOfLDPAndVPN(t *testing.T) {
	r, f := newVPN(t)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Fatalf("without a label switched path: %+v", got)
	}
	if _, ok := r.Lookup(red, addr("10.60.0.1")); ok {
		t.Error("Lookup sees a route that leads nowhere")
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.3"), 99) // not the next hop
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Fatalf("by somebody else's label: %+v", got)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	flush(t, r)
	a := f.one(red, "10.60.0.0/24")
	if a.Kind != fib.AdjLink || a.Port != 3 || !slices.Equal(a.Labels, []uint32{17, 18}) || a.Pipe || a.MTU != 1500 {
		t.Fatalf("adjacency %+v", a)
	}
	if got, _ := r.Lookup(red, addr("10.60.0.1")); len(got.Hops) != 1 || !slices.Equal(got.Hops[0].Labels.Values(), []uint32{17, 18}) || got.Via[0].Addr != addr("1.1.1.1") {
		t.Errorf("Lookup: %+v", got)
	}
	// The global route has the label too; with implicit null neither pushes it.
	if g := f.one(0, "1.1.1.1/32"); !slices.Equal(g.Labels, []uint32{17}) {
		t.Errorf("global: %+v", g)
	}
	entries := f.entries
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 27)
	flush(t, r)
	if now := f.one(red, "10.60.0.0/24"); !slices.Equal(now.Labels, []uint32{27, 18}) || now.ID != a.ID || f.entries != entries+2 {
		t.Errorf("another label: %+v, by %d entries", now, f.entries-entries)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), fib.ImplicitNull)
	flush(t, r)
	if now := f.one(red, "10.60.0.0/24"); !slices.Equal(now.Labels, []uint32{18}) {
		t.Errorf("implicit null: %+v", now)
	}
	if g := f.one(0, "1.1.1.1/32"); len(g.Labels) != 0 || g.Kind != fib.AdjLink {
		t.Errorf("global, implicit null: %+v", g)
	}
	r.SetPipe(true)
	flush(t, r)
	if now := f.one(red, "10.60.0.0/24"); !now.Pipe || !f.labels[fib.ExplicitNull].Pipe {
		t.Errorf("pipe: %+v, explicit null %+v", now, f.labels)
	}
	off := core
	off.MPLS = false
	r.SetInterface(off)
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil || f.ports[3].MPLS {
		t.Errorf("without mpls ip: %+v", got)
	}
	r.SetInterface(core)
	flush(t, r)
	f.one(red, "10.60.0.0/24")
	r.UnbindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"))
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Errorf("without the binding: %+v", got)
	}
}

// A label that must not be pushed is none: it would make the whole batch malformed.
func TestReservedLabels(t *testing.T) {
	for _, v := range []uint32{1, 2, 3, 4, 15, fib.LastLabel + 1, 1 << 31} {
		if l, ok := LabelsOf(v); ok {
			t.Errorf("label %d is taken: %v", v, l)
		}
		if v == fib.ImplicitNull {
			continue
		}
		r, f := newVPN(t)
		r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
		r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
		r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), v)
		r.SetLabel(v, LabelUse{Lookup: true, VRF: red})
		flush(t, r)
		if got := f.paths(red, "10.60.0.0/24"); got != nil || len(f.labels) != 0 {
			t.Errorf("bound to %d: %+v", v, got)
		}
	}
	if _, ok := LabelsOf(16, 17, 18, 19); ok {
		t.Error("four labels are taken")
	}
	r, f := newVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18, 19, 20))
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Errorf("a stack of four: %+v", got)
	}
}

// What has a label goes to the spoke that the label is of, or nowhere: a server that passes traffic on would take it for a label of its own.
func TestLabelledNeverByTheServer(t *testing.T) {
	r, f := newVPN(t)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.1/32"), NBMA: peerAt(addr("198.51.100.1")), NextHop: addr("10.255.0.1")})
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "10.255.0.3", 18))
	r.SetStatics(red, []StaticRoute{})
	flush(t, r)
	a := f.one(red, "10.60.0.0/24")
	if a.Kind != fib.AdjGlean || a.NextHop != addr("10.255.0.3") || a.Tunnel != 1 || !slices.Equal(a.Labels, []uint32{18}) || r.Ready(a.ID) {
		t.Fatalf("unresolved: %+v", a)
	}
	for _, b := range []Binding{
		{Prefix: pfx("10.255.0.3/32"), NextHop: addr("10.255.0.3"), Via: true},
		{Prefix: pfx("10.255.0.0/24"), NextHop: addr("10.255.0.1")},
		{Prefix: pfx("10.255.0.3/32"), NextHop: addr("10.255.0.1")},
	} {
		b.Iface, b.NBMA = "Tunnel0", peerAt(addr("198.51.100.1"))
		r.Bind(b)
		flush(t, r)
		if a := f.one(red, "10.60.0.0/24"); a.Kind != fib.AdjGlean {
			t.Errorf("by %+v: %+v", b, a)
		}
		r.Unbind("Tunnel0", b.Prefix)
	}
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("198.51.100.3")), NextHop: addr("10.255.0.3")})
	flush(t, r)
	a = f.one(red, "10.60.0.0/24")
	if a.Kind != fib.AdjTunnel || a.OuterTo() != addr("198.51.100.3") || !slices.Equal(a.Labels, []uint32{18}) || !r.Ready(a.ID) {
		t.Errorf("resolved: %+v", a)
	}
	if l, ok := r.HopLabels(a.ID); !ok || l != push(t, 18) {
		t.Errorf("labels of the adjacency: %v", l)
	}
	plain := tun // the tunnel takes no labels any more
	r.SetInterface(plain)
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Errorf("without mpls ip: %+v", got)
	}
}

func TestSubinterface(t *testing.T) {
	r, f := newVPN(t)
	sub := Interface{Name: "Ethernet1.10", VRF: red, Addrs: []netip.Prefix{pfx("10.1.0.1/24")}, Up: true, Port: 9, Parent: 2, VLAN: 10, MAC: lan.MAC, MTU: 1500}
	r.SetInterface(sub)
	r.Neighbour("Ethernet1.10", addr("10.1.0.7"), gatewayMAC, true)
	flush(t, r)
	a := f.one(red, "10.1.0.7/32")
	want := slices.Concat(gatewayMAC[:], lan.MAC[:], []byte{0x81, 0, 0, 10, 8, 0})
	if a.Kind != fib.AdjLink || a.Port != 9 || !bytes.Equal(a.Outer, want) {
		t.Errorf("adjacency %+v", a)
	}
	if p := f.ports[9]; p.Parent != 2 || p.VLAN != 10 || p.VRF != red {
		t.Errorf("port %+v", p)
	}
	sub.VLAN = 11
	r.SetInterface(sub)
	flush(t, r)
	if a := f.one(red, "10.1.0.7/32"); a.Outer[15] != 11 {
		t.Errorf("another VLAN: % x", a.Outer)
	}
}

// The way to a tunnel's peer can lead through a VPN: the outer packets are labelled then.
func TestUnderlayWithLabels(t *testing.T) {
	r, f := newVPN(t)
	r.Bind(Binding{Iface: "Tunnel1", Prefix: pfx("10.254.0.2/32"), NBMA: peerAt(addr("203.0.113.2")), NextHop: addr("10.254.0.2")})
	r.SetRoute(red, pfx("203.0.113.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); a.Kind != fib.AdjDrop {
		t.Fatalf("without a way: %+v", a)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	flush(t, r)
	a := f.one(blue, "10.254.0.2/32")
	if a.Kind != fib.AdjTunnel || a.Port != 3 || len(a.Labels) != 0 || len(a.Outer) != 14+8+20 {
		t.Fatalf("adjacency %+v", a)
	}
	if typ, top, bottom := binary.BigEndian.Uint16(a.Outer[12:]), binary.BigEndian.Uint32(a.Outer[14:]), binary.BigEndian.Uint32(a.Outer[18:]); typ != 0x8847 ||
		top != 17<<12|255 || bottom != 18<<12|1<<8|255 || a.Outer[22] != 0x45 || !bytes.Equal(a.Outer[38:], []byte{203, 0, 113, 2}) {
		t.Errorf("outer % x", a.Outer)
	}
	if name, gw, ok := r.Underlay(red, addr("203.0.113.2")); !ok || name != "Ethernet2" || gw != addr("172.16.0.2") {
		t.Errorf("Underlay: %s %v %v", name, gw, ok)
	}
	before := a.ID
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 27)
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); binary.BigEndian.Uint32(a.Outer[14:]) != 27<<12|255 || a.ID != before {
		t.Errorf("another label: % x", a.Outer)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), fib.ImplicitNull)
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); len(a.Outer) != 14+4+20 || binary.BigEndian.Uint32(a.Outer[14:]) != 18<<12|1<<8|255 {
		t.Errorf("implicit null: % x", a.Outer)
	}
	r.UnbindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"))
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); a.Kind != fib.AdjDrop {
		t.Errorf("the label switched path is gone: %+v", a)
	}
	// A route that leaks into the outer VRF serves too, as it leads there: not what is more specific in the other table.
	r.SetRoute(red, pfx("0.0.0.0/0"), Learned{Source: BGP, Hops: []NextHop{{Elsewhere: true, Table: fib.Global}}})
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); a.Kind != fib.AdjTunnel || a.Port != 1 {
		t.Errorf("by a leak: %+v", a)
	}
	longer := StaticRoute{Prefix: pfx("203.0.113.0/24"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}}
	r.SetStatics(0, []StaticRoute{longer, {Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); a.Kind != fib.AdjTunnel || a.Port != 1 {
		t.Errorf("by what does not leak: %+v", a)
	}
	r.SetStatics(0, []StaticRoute{longer, {Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("172.16.0.2")}}}})
	flush(t, r)
	if a := f.one(blue, "10.254.0.2/32"); a.Kind != fib.AdjTunnel || a.Port != 3 {
		t.Errorf("by a leak that leads elsewhere now: %+v", a)
	}
}

func TestLeak(t *testing.T) {
	r, f := newVPN(t)
	from := Learned{Source: BGP, Distance: 20, Metric: 5, Hops: []NextHop{{Elsewhere: true, Table: red}}}
	r.SetRoute(blue, pfx("192.168.1.0/24"), from)
	r.SetRoute(blue, pfx("192.168.2.0/24"), from)
	r.SetRoute(red, pfx("192.168.9.0/24"), from) // from itself: a circle
	second := ce
	second.Addrs = append(slices.Clone(ce.Addrs), pfx("192.168.2.1/24"))
	flush(t, r)
	if got := f.paths(blue, "192.168.2.0/24"); got != nil {
		t.Errorf("what the other table does not have: %+v", got)
	}
	r.SetInterface(second)
	flush(t, r)
	a, b := f.one(blue, "192.168.1.0/24"), f.one(blue, "192.168.2.0/24")
	if a.Kind != fib.AdjLookup || a.VRF != red || a.ID != b.ID {
		t.Errorf("adjacencies %+v %+v", a, b)
	}
	if got := f.paths(red, "192.168.9.0/24"); got != nil {
		t.Errorf("a circle: %+v", got)
	}
	got, ok := r.Lookup(blue, addr("192.168.1.9"))
	if !ok || got.Distance != 20 || got.Metric != 5 || got.Hops[0] != (NextHop{Elsewhere: true, Table: red}) {
		t.Errorf("Lookup: %+v", got)
	}
	r.RemoveVRF(fib.Global) // which stays
	r.BindLabel(netip.Prefix{}, "Ethernet2", addr("172.16.0.2"), 17)
	flush(t, r)
	f.one(0, "1.1.1.1/32")
	r.RemoveVRF(red)
	flush(t, r)
	if f.paths(blue, "192.168.1.0/24") != nil {
		t.Error("a route leaks from a VRF that is gone")
	}
}

// The interface of a route is one of its VRF.
func TestInterfaceOfAnotherVRF(t *testing.T) {
	r, f := newVPN(t)
	r.SetStatics(blue, []StaticRoute{{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Iface: "Ethernet3", Addr: addr("192.168.1.9")}}}})
	r.Neighbour("Ethernet3", addr("192.168.1.9"), gatewayMAC, true)
	flush(t, r)
	if got := f.paths(blue, "10.9.0.0/16"); got != nil {
		t.Fatalf("red's link is used by blue: %+v", got)
	}
	f.one(red, "192.168.1.9/32")
	moved := ce
	moved.VRF = blue
	r.SetInterface(moved)
	flush(t, r)
	if a := f.one(blue, "10.9.0.0/16"); a.VRF != blue || a.Kind != fib.AdjLink {
		t.Errorf("after the move: %+v", a)
	}
	for k := range f.routes {
		if k.VRF == red {
			t.Errorf("red still has %v", k.Prefix)
		}
	}
	f.one(blue, "192.168.1.9/32")
}

func TestLabelUses(t *testing.T) {
	r, f := newVPN(t)
	r.SetLabel(100, LabelUse{Lookup: true, VRF: red})
	r.SetLabel(101, LabelUse{Forward: true, VRF: red, Prefix: pfx("10.9.0.0/16")})
	r.SetLabel(102, LabelUse{Forward: true, VRF: red, Prefix: pfx("192.168.1.0/24")})
	r.SetLabel(103, LabelUse{Swap: true, Prefix: pfx("1.1.1.1/32")})
	r.SetLabel(104, LabelUse{Swap: true, Hop: NextHop{Addr: addr("10.255.0.3"), Labels: push(t, 18)}})
	r.SetLabel(105, LabelUse{Swap: true, Hop: NextHop{Addr: addr("10.255.0.3")}}) // to nothing: whose packet would that be?
	r.SetLabel(106, LabelUse{Swap: true, Prefix: pfx("10.1.0.0/24")})             // connected
	flush(t, r)
	if l := f.labels[100]; l.Action != fib.LabelLookup || l.VRF != red || !l.CopyEXP || l.Pipe {
		t.Errorf("of a VRF: %+v", l)
	}
	if l := f.labels[102]; l.Action != fib.LabelLookup || l.VRF != red {
		t.Errorf("of a connected prefix: %+v", l)
	}
	if l := f.labels[103]; l.Action != fib.LabelForward || f.adj[l.Paths[0]].Port != 3 || !r.LabelTable()[3].Leaves {
		t.Errorf("of a prefix whose next hop takes no labels: %+v", l)
	}
	for _, in := range []uint32{101, 105, 106} {
		if l, ok := f.labels[in]; ok {
			t.Errorf("label %d leads nowhere: %+v", in, l)
		}
	}
	if a := f.adj[f.labels[104].Paths[0]]; a.Kind != fib.AdjGlean || !slices.Equal(a.Labels, []uint32{18}) {
		t.Errorf("swap to a spoke that is not resolved: %+v", a)
	}
	r.SetStatics(red, []StaticRoute{{Prefix: pfx("10.9.0.0/16"), Hops: []NextHop{{Addr: addr("192.168.1.9")}}}})
	r.Neighbour("Ethernet3", addr("192.168.1.9"), gatewayMAC, true)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetPipe(true)
	flush(t, r)
	if l := f.labels[101]; l.Action != fib.LabelForward || f.adj[l.Paths[0]].Port != 4 || !l.Pipe || l.CopyEXP {
		t.Errorf("of a prefix: %+v", l)
	}
	if l := f.labels[103]; l.Action != fib.LabelSwap || !slices.Equal(f.adj[l.Paths[0]].Labels, []uint32{17}) {
		t.Errorf("swap: %+v", l)
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), fib.ImplicitNull)
	flush(t, r)
	if a := f.adj[f.labels[103].Paths[0]]; a.Kind != fib.AdjLink || len(a.Labels) != 0 {
		t.Errorf("penultimate hop: %+v", a)
	}
	table := r.LabelTable()
	if len(table) != 7 || table[0].In != 100 || len(table[3].Paths) != 1 || table[3].Paths[0].Iface != "Ethernet2" || len(table[3].Paths[0].Out) != 0 || !slices.Equal(table[4].Paths[0].Out, []uint32{18}) {
		t.Errorf("table %+v", table)
	}
	r.UnbindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"))
	r.SetStatics(red, nil)
	r.DelLabel(100)
	r.DelLabel(104)
	flush(t, r)
	if l := f.labels[103]; l.Action != fib.LabelForward {
		t.Errorf("after its next hop took its label back: %+v", l)
	}
	for _, in := range []uint32{100, 101, 104} {
		if l, ok := f.labels[in]; ok {
			t.Errorf("label %d is left: %+v", in, l)
		}
	}
	r.RemoveVRF(red)
	flush(t, r)
	if _, ok := f.labels[102]; ok {
		t.Error("a label leads into a VRF that is gone")
	}
}

// The penultimate hop on a tunnel: what is under the label may be labelled, and is not for a server either.
func TestPoppedLabelNeverByTheServer(t *testing.T) {
	r, f := newVPN(t)
	r.SetStatics(0, []StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}},
		{Prefix: pfx("3.3.3.3/32"), Hops: []NextHop{{Addr: addr("10.255.0.3")}}},
	})
	r.SetLabel(103, LabelUse{Swap: true, Prefix: pfx("3.3.3.3/32")})
	r.BindLabel(pfx("3.3.3.3/32"), "Tunnel0", addr("10.255.0.3"), fib.ImplicitNull)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr("198.51.100.1")), NextHop: addr("10.255.0.3"), Via: true})
	flush(t, r)
	if a := f.one(0, "3.3.3.3/32"); a.Kind != fib.AdjTunnel || !a.Resolve {
		t.Errorf("IPv4 may take the server: %+v", a)
	}
	if a := f.adj[f.labels[103].Paths[0]]; a.Kind != fib.AdjGlean {
		t.Errorf("the label's packets: %+v", a)
	}
}

// When the fast path refuses what takes the place of a route or label, the old one must not go on: its adjacency's number will be another's.
func TestRefusedLeavesNothingOld(t *testing.T) {
	r, f := newVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	r.SetLabel(104, LabelUse{Swap: true, Hop: NextHop{Addr: addr("1.1.1.1"), Labels: push(t, 18)}})
	flush(t, r)
	f.one(red, "10.60.0.0/24")
	full := errors.New("full")
	f.refuse = func(b *fib.Batch) (out []fib.Refusal) {
		for _, a := range b.Adjacencies {
			out = append(out, fib.Refusal{What: "adjacency", Err: full, Adj: a.ID})
		}
		for _, e := range b.Routes {
			out = append(out, fib.Refusal{What: "route", Err: full, Route: fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}})
		}
		for _, l := range b.Labels {
			out = append(out, fib.Refusal{What: "label", Err: full, Label: l.In})
		}
		// What was there stays, and may name what the batch removes: that is for the follow-up.
		for _, id := range b.DelAdjacencies {
			for k, p := range f.routes {
				if slices.Contains(p, id) {
					defer func() { f.routes[k] = []fib.AdjID{fib.Null} }()
				}
			}
			for in, l := range f.labels {
				if slices.Contains(l.Paths, id) {
					f.labels[in] = fib.Label{In: in, Action: fib.LabelLookup}
				}
			}
		}
		b.Adjacencies, b.Routes, b.Labels = nil, nil, nil
		return out
	}
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 28))
	r.SetLabel(104, LabelUse{Swap: true, Hop: NextHop{Addr: addr("1.1.1.1"), Labels: push(t, 28)}})
	flush(t, r)
	if got := f.paths(red, "10.60.0.0/24"); got != nil {
		t.Errorf("the old route stands: %+v", got)
	}
	if l, ok := f.labels[104]; ok {
		t.Errorf("the old label stands: %+v", l)
	}
	f.refuse = nil
	for range 3 {
		r.SetRoute(red, pfx("10.61.0.0/24"), Learned{Source: BGP, Hops: []NextHop{{Addr: addr("192.168.1.9")}}})
		flush(t, r)
		r.DelRoute(red, pfx("10.61.0.0/24"), BGP, 0)
		flush(t, r)
	}
	if a := f.one(red, "10.60.0.0/24"); !slices.Equal(a.Labels, []uint32{17, 28}) || len(f.labels) != 1 || len(r.Refused()) != 0 {
		t.Errorf("when there was room: %+v, labels %v, refused %v", a, f.labels, r.Refused())
	}
}

func TestResolved(t *testing.T) {
	r, f := newVPN(t)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	r.SetRoute(red, pfx("10.60.0.0/24"), by(t, "1.1.1.1", 18))
	flush(t, r)
	p, ways, ok := r.Resolved(red, addr("10.60.0.9"))
	if !ok || p != pfx("10.60.0.0/24") || len(ways) != 1 || !slices.Equal(ways[0].Out, []uint32{17, 18}) || ways[0].NextHop != addr("1.1.1.1") ||
		ways[0].Addr != addr("172.16.0.2") || ways[0].Adjacency != f.one(red, "10.60.0.0/24").ID {
		t.Errorf("%v %+v %v", p, ways, ok)
	}
	if p, ways, ok := r.Resolved(red, addr("192.168.1.1")); !ok || p != pfx("192.168.1.1/32") || ways[0].Adjacency != fib.Receive {
		t.Errorf("our own: %v %+v %v", p, ways, ok)
	}
	if _, _, ok := r.Resolved(red, addr("10.61.0.9")); ok {
		t.Error("found where there is nothing")
	}
}

// Where the table has no room for old and new at once, all of the new are there in the end: in the place of the old.
func TestMoveInFullTable(t *testing.T) {
	const limit, routes = 4000, 3000
	r, f := newVPN(t)
	f.refuse = func(b *fib.Batch) (out []fib.Refusal) {
		full := errors.New("full")
		no := map[fib.AdjID]bool{}
		b.Adjacencies = slices.DeleteFunc(b.Adjacencies, func(a fib.Adjacency) bool {
			if a.ID >= limit {
				no[a.ID] = true
				out = append(out, fib.Refusal{What: "adjacency", Err: full, Adj: a.ID})
			}
			return a.ID >= limit
		})
		b.Routes = slices.DeleteFunc(b.Routes, func(e fib.Route) bool {
			refused := slices.ContainsFunc(e.Paths, func(id fib.AdjID) bool { return no[id] || id >= limit })
			if refused {
				k := fib.RouteKey{VRF: e.VRF, Prefix: e.Prefix}
				delete(f.routes, k) // check would find it: the batch takes what it names away, and the next batch the route itself
				out = append(out, fib.Refusal{What: "route", Err: full, Route: k})
			}
			return refused
		})
		return out
	}
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.2"), 17)
	for n := range routes {
		r.SetRoute(red, bigPrefix(n), by(t, "1.1.1.1", perPrefix(n)))
	}
	flush(t, r)
	r.Neighbour("Ethernet2", addr("172.16.0.3"), gatewayMAC, true)
	r.BindLabel(pfx("1.1.1.1/32"), "Ethernet2", addr("172.16.0.3"), 18)
	for round, gateway := range []string{"172.16.0.3", "172.16.0.2", "172.16.0.3"} {
		r.SetStatics(0, []StaticRoute{{Prefix: pfx("1.1.1.1/32"), Hops: []NextHop{{Addr: addr(gateway)}}}})
		flush(t, r)
		for n := range routes {
			if a := f.one(red, bigPrefix(n).String()); a.NextHop != addr(gateway) || a.Labels[1] != perPrefix(n) {
				t.Fatalf("round %d: route %d goes by %+v; %d refused", round, n, a, len(r.Refused()))
			}
		}
		if n := len(r.Refused()); n != 0 {
			t.Fatalf("round %d: %d refused", round, n)
		}
	}
}
