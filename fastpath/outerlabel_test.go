package fastpath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// outside puts a tag (0: none) and labels between the Ethernet header of a tunnel's adjacency and its IPv4 header.
func outside(a *fib.Adjacency, vlan uint16, labels ...uint32) {
	link := slices.Clone(a.Outer[:packet.EthernetLen])
	if len(labels) > 0 {
		binary.BigEndian.PutUint16(link[12:], packet.TypeMPLS)
	}
	if vlan != 0 {
		link = tagFrame(link, vlan)
	}
	var stack []packet.LSE
	for _, l := range labels {
		stack = append(stack, lab(l, 0, 255))
	}
	a.Outer = slices.Concat(link, under(nil, stack...), a.Outer[packet.EthernetLen:])
}

// stripped checks what is outside of a frame, and is the frame without it.
func stripped(t *testing.T, f []byte, vlan uint16, exp uint8, labels ...uint32) []byte {
	t.Helper()
	want := bytes.Clone(f[:12])
	if vlan != 0 {
		want = binary.BigEndian.AppendUint16(append(want, 0x81, 0), vlan)
	}
	typ := uint16(packet.TypeIPv4)
	if len(labels) > 0 {
		typ = packet.TypeMPLS
	}
	want = binary.BigEndian.AppendUint16(want, typ)
	var stack []packet.LSE
	for _, l := range labels {
		stack = append(stack, lab(l, exp, 255))
	}
	want = under2(want, stack)
	if len(f) < len(want) || !bytes.Equal(f[:len(want)], want) {
		t.Fatalf("outside\n%x, want\n%x", f[:min(len(f), len(want))], want)
	}
	return append(append(bytes.Clone(f[:12]), 8, 0), f[len(want):]...)
}

func under2(b []byte, stack []packet.LSE) []byte {
	if len(stack) == 0 {
		return b
	}
	return append(b, under(nil, stack...)...)
}

// outsides are what can stand before the outer IPv4 header.
var outsides = []struct {
	vlan   uint16
	labels []uint32
}{{0, []uint32{100}}, {0, []uint32{100, 200}}, {0, []uint32{100, 200, 300}}, {30, nil}, {30, []uint32{0}}, {30, []uint32{100, 200, 300}}}

// withOutside gives the pair's adjacencies something outside, and the tunnel's packets labels inside, too.
func withOutside(vlan uint16, labels ...uint32) func(*Config, *fib.Batch) {
	return func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].MPLS, b.Ports[0].MPLS = true, true
		b.Ports = append(b.Ports, fib.Port{ID: subWAN, MAC: wanMAC, MTU: linkMTU, Parent: wan, VLAN: 30})
		a := &b.Adjacencies[1]
		outside(a, vlan, labels...)
		a.MTU = 1300
		if vlan != 0 {
			a.Port = subWAN
		}
		push := *a
		push.ID, push.Labels = spokePush, []uint32{hubIn, hubLocal, hubLocal}
		b.Adjacencies = append(b.Adjacencies, push)
		b.Routes = append(b.Routes, route("10.80.0.0/16", spokePush), route("10.80.0.0/24", adjHost))
		b.Labels = append(b.Labels, fib.Label{In: hubIn, Action: fib.LabelLookup}, fib.Label{In: hubLocal, Action: fib.LabelLookup})
	}
}

// TestOuterLabels: with every transform, and in clear, what is outside stands there with the precedence, once a fragment, and the rest is as without.
func TestOuterLabels(t *testing.T) {
	clear := suite{name: "clear"}
	for i, s := range append(suites(), clear) {
		for k, o := range outsides {
			if i%4 != 0 && s.name != clear.name && k%2 == 0 {
				continue // the longest and the most usual will do
			}
			t.Run(fmt.Sprintf("%s/%d/%v", s.name, o.vlan, o.labels), func(t *testing.T) { outerLabels(t, s, o.vlan, o.labels) })
		}
	}
}

func outerLabels(t *testing.T, s suite, vlan uint16, labels []uint32) {
	s.window = 64
	change := withOutside(vlan, labels...)
	var p *pair
	if s.name == "clear" {
		bare := func(_ *Config, b *fib.Batch) {
			b.SAs, b.Tunnels[0].Protected, b.Tunnels[0].Protection = nil, false, 0
			for i := range b.Adjacencies {
				b.Adjacencies[i].SA, b.Adjacencies[i].AH = 0, 0
			}
		}
		p = newPair(t, suite{ahOnly: true, ah: fib.AuthHMACSHA1, ahKey: 20}, change, bare)
	} else {
		p = newPair(t, s, change)
	}
	var packets [][]byte
	for i := range 70 { // more than a vector
		packets = append(packets, ipv4(behind1, hostIP, pattern(11*i), tos(0xa0)))
	}
	packets = append(packets, ipv4(behind1, hostIP, pattern(1380), tos(0xa0))) // is cut in the tunnel's MTU
	for _, ip := range packets {
		p.spoke.lan.in = append(p.spoke.lan.in, toLAN(ip))
	}
	p.spoke.settle()
	var there [][]byte
	for _, f := range p.spoke.wan.take() {
		there = append(there, stripped(t, f, vlan, 5, labels...))
	}
	out := p.deliver(toHub(there)...)
	if len(out) != len(packets)+1 {
		t.Fatalf("%d packets arrive, want %d; hub %v, spoke %v", len(out), len(packets)+1, p.hub.nonZero(), p.spoke.nonZero())
	}
	for i, f := range out[:70] {
		if want := ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(11*i), tos(0xa0), ttl(62))); !bytes.Equal(f, want) {
			t.Fatalf("packet %d is\n%x, want\n%x", i, f, want)
		}
	}
	// Labels inside and outside.
	p.spoke.fromLAN(toLAN(ipv4(behind1, ip4("10.80.0.5"), pattern(3))))
	if p.spoke.lan.take() == nil {
		t.Fatalf("no route on the spoke: %v", p.spoke.nonZero())
	}
	p.spoke.fromLAN(toLAN(ipv4(behind1, ip4("10.80.1.5"), pattern(3), tos(0xe0))))
	p.spoke.settle()
	f := p.one(p.spoke.wan.take())
	p.hub.apply(&fib.Batch{Routes: []fib.Route{route("10.80.1.0/24", adjHost)}})
	out = p.deliver(toHub([][]byte{stripped(t, f, vlan, 7, labels...)})...)
	if want := ethernet(hostMAC, lanMAC, ipv4(behind1, ip4("10.80.1.5"), pattern(3), tos(0xe0), ttl(62))); !bytes.Equal(p.one(out), want) {
		t.Errorf("labels inside: arrives\n%x, want\n%x", out[0], want)
	}
	inherited(t, p.spoke)
}

// TestOuterLabelMTU: labels outside count in the link's MTU, a tag does not; what is larger is cut, and each fragment has the labels.
func TestOuterLabelMTU(t *testing.T) {
	for _, o := range outsides {
		const linkMTU = 700
		r := newRig(t, func(_ *Config, b *fib.Batch) {
			b.Ports = append(b.Ports, fib.Port{ID: subWAN, MAC: wanMAC, MTU: linkMTU, Parent: wan, VLAN: 30})
			outside(&b.Adjacencies[1], o.vlan, o.labels...)
			b.Adjacencies[1].LinkMTU = linkMTU
			if o.vlan != 0 {
				b.Adjacencies[1].Port = subWAN
			}
		})
		room := linkMTU - 4*len(o.labels)
		front := packet.EthernetLen + 4*len(o.labels)
		if o.vlan != 0 {
			front += packet.VLANLen
		}
		for _, c := range []struct{ n, frames int }{{room - 28, 1}, {room - 27, 2}, {tunnelMTU, 3}} {
			r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(c.n-20), tos(0x60))))
			out := r.wan.take()
			if len(out) != c.frames {
				t.Fatalf("%v: %d bytes in %d frames, want %d; %v", o, c.n, len(out), c.frames, r.nonZero())
			}
			var whole []byte
			for _, f := range out {
				if len(f) > front+room {
					t.Errorf("%v: a frame of %d bytes: at most %d", o, len(f), front+room)
				}
				whole = append(whole, r.mustIP(stripped(t, f, o.vlan, 3, o.labels...)[packet.EthernetLen:]).Payload()...)
			}
			if want := ipv4(hostIP, behind1, pattern(c.n-20), tos(0x60), ttl(63)); !bytes.Equal(whole[8:], want) {
				t.Errorf("%v: inside\n%x, want\n%x", o, whole[8:], want)
			}
		}
		a := r.e.tables.Adj(uint32(adjSpoke1))
		if a.Overhead() != 28 || a.OuterDst() != 0xc000020b || int(a.Limit) != room-28 {
			t.Errorf("%v: overhead %d, to %08x, limit %d", o, a.Overhead(), a.OuterDst(), a.Limit)
		}
		inherited(t, r)
		for _, f := range r.e.Inherited().Adjacencies {
			if f.ID == adjSpoke1 && (f.LinkMTU != linkMTU || f.OuterTo() != addr(spoke1NBMA) || f.OuterFrom() != addr(hubNBMA) || len(f.OuterStack()) != 4*len(o.labels)) {
				t.Errorf("%v: %+v", o, f)
			}
		}
	}
}

// withOuterLabels has a route by a tunnel with a tag and labels outside, and a small link.
func withOuterLabels(_ *Config, b *fib.Batch) {
	a := tunnelAdj(adjOutside, spoke2NBMA)
	outside(&a, 30, 100, 200, 300)
	a.Port, a.LinkMTU = subWAN, 900
	b.Adjacencies = append(b.Adjacencies, a)
	b.Routes = append(b.Routes, route("10.44.0.0/16", adjOutside))
}

const adjOutside = fib.AdjID(90)

// TestOuterLabelCheck: headers that are no header are refused.
func TestOuterLabelCheck(t *testing.T) {
	r := newRig(t)
	good := func(labels ...uint32) fib.Adjacency {
		a := tunnelAdj(99, spoke1NBMA)
		outside(&a, 0, labels...)
		return a
	}
	change := func(a fib.Adjacency, f func(*fib.Adjacency)) fib.Adjacency {
		f(&a)
		return a
	}
	long := tunnelAdj(99, spoke1NBMA)
	outside(&long, 30, 100, 200, 300)
	long.Outer = append(long.Outer, 0x11, 0x94, 0x11, 0x94, 0, 0, 0, 0)
	for name, a := range map[string]fib.Adjacency{
		"implicit null":   good(3),
		"reserved":        good(100, 7),
		"four labels":     good(100, 200, 300, 400),
		"no bottom":       change(good(100), func(a *fib.Adjacency) { a.Outer[16] &^= 1 }),
		"bottom in front": change(good(100, 200), func(a *fib.Adjacency) { a.Outer[16] |= 1 }),
		"no TTL":          change(good(100), func(a *fib.Adjacency) { a.Outer[17] = 0 }),
		"EXP":             change(good(100), func(a *fib.Adjacency) { a.Outer[16] |= 2 }),
		"no IPv4":         change(good(100), func(a *fib.Adjacency) { a.Outer[18] = 0x60 }),
		"cut":             change(good(100), func(a *fib.Adjacency) { a.Outer = a.Outer[:37] }),
		"cut in a label":  change(good(100), func(a *fib.Adjacency) { a.Outer = a.Outer[:17] }),
		"cut in the tag":  change(long, func(a *fib.Adjacency) { a.Outer = a.Outer[:15] }),
		"VLAN 0":          change(long, func(a *fib.Adjacency) { a.Outer = slices.Clone(a.Outer); a.Outer[15] = 0 }),
		"UDP without ESP": long,
		"link MTU":        change(good(100, 200, 300), func(a *fib.Adjacency) { a.LinkMTU = minMTU + 11 }),
		"GRE of 21 bytes": change(good(100, 200, 300), func(a *fib.Adjacency) {
			a.Outer = append(a.Outer[:14:14], a.Outer[14:]...)
			a.Inner = append(a.Inner, make([]byte, 25)...)
		}),
	} {
		if _, err := r.e.Apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for n := range len(long.Outer) {
		a := long
		a.Outer = a.Outer[:n]
		_, _ = r.e.Apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}}) // no panic
		a.OuterFrom()
		a.OuterStack()
	}
	ok := good(100)
	ok.LinkMTU = minMTU + 4
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{ok}})
	ok.Kind, ok.ID = fib.AdjGlean, 98
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{ok}})
	inherited(t, r)
}
