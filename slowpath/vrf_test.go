package slowpath

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// vpn is the rig with its hosts in VRF 2, and labels on the tunnel.
func vpn(c *Config) {
	c.VRFs = []VRF{{ID: 2, Name: "RED"}}
	c.Interfaces[1].VRF = 2
	c.Interfaces[2].MPLS = true
	c.Statics[2] = []rib.StaticRoute{{Prefix: pfx("10.7.0.0/16"), Hops: []rib.NextHop{{Addr: ip("10.1.0.9")}}}}
}

var stackOfOne = []byte{0, 0x06, 0x41, 9} // label 100, at the bottom

// What is for an address of ours goes to the host stack of the VRF that it was routed in: by the tunnel that it came out of if that is in it, and by none where a label
// led it there.
func TestLocalOfVRF(t *testing.T) {
	b := udp("10.9.0.7", "10.1.0.1", 9, 3)
	for _, c := range []struct {
		name string
		vrf  fib.VRF // of Tunnel0
		punt fastpath.Punt
		want delivery
	}{
		{"by a tunnel of the VRF", 2, fastpath.Punt{Tunnel: tunnelID, VRF: 2}, delivery{tunnel: "Tunnel0", vrf: 2}},
		{"by a label out of a tunnel of the VRF", 2, fastpath.Punt{Tunnel: tunnelID, VRF: 2, Stack: stackOfOne}, delivery{vrf: 2}},
		{"by a label out of another tunnel", 0, fastpath.Punt{Tunnel: tunnelID, VRF: 2, Stack: stackOfOne}, delivery{vrf: 2}},
		{"by a route that leaks", 0, fastpath.Punt{Tunnel: tunnelID, VRF: 2}, delivery{vrf: 2}},
		{"by a label from a port", 0, fastpath.Punt{Port: wanPort, Stack: stackOfOne}, delivery{}},
		{"out of a tunnel of a VRF, routed elsewhere", 2, fastpath.Punt{Port: wanPort, Tunnel: tunnelID}, delivery{vrf: 99}},
	} {
		r := newRig(t, func(c2 *Config) { vpn(c2); c2.Interfaces[2].VRF = c.vrf })
		c.punt.Reason, c.punt.Packet = fastpath.Local, b
		c.want.packet = b
		r.punt(c.punt)
		if c.want.vrf == 99 {
			if len(r.host.delivered) != 0 || r.Status().Packets.NotLocal != 1 {
				t.Errorf("%s: delivered %+v", c.name, r.host.delivered)
			}
			continue
		}
		if got := r.host.delivered; len(got) != 1 || got[0].vrf != c.want.vrf || got[0].tunnel != c.want.tunnel || !bytes.Equal(got[0].packet, b) {
			t.Errorf("%s: delivered %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Frames of a subinterface for the host go to its twin, whole or not at all.
func TestHostFrames(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Interfaces = append(c.Interfaces, Interface{Interface: rib.Interface{Name: "Ethernet0.10", Up: true, Port: 9, Parent: wanPort, VLAN: 10, MTU: 1500}})
	})
	frame := bytes.Repeat([]byte{0xaa}, 60)
	r.punt(fastpath.Punt{Reason: fastpath.Host, Port: 9, Packet: frame})
	r.punt(fastpath.Punt{Reason: fastpath.Host, Port: 9, Packet: frame, Len: 90})
	r.punt(fastpath.Punt{Reason: fastpath.Host, Port: 77, Packet: frame})
	r.punt(fastpath.Punt{Reason: fastpath.Host, Port: 9, VRF: 3, Packet: frame}) // in which the subinterface was when it came
	if got := r.host.frames; len(got) != 1 || got[0].tunnel != "Ethernet0.10" || !bytes.Equal(got[0].packet, frame) {
		t.Errorf("frames: %+v", got)
	}
	if s := r.Status().Packets; s.Delivered != 1 || s.NotLocal != 3 {
		t.Errorf("stats: %+v", s)
	}
}

// Fragments that a label led into a VRF are put together there, apart from those of the same numbers elsewhere, and go on there; what the host is to put together, it gets.
func TestFragmentsUnderLabels(t *testing.T) {
	r := newRig(t, vpn)
	piece := func(proto uint8, offset uint16, flags uint16) []byte {
		h := packet.Header{TTL: 60, Proto: proto, ID: 77, Src: ip("203.0.113.5").As4(), Dst: ip("10.1.0.1").As4(), Flags: offset/8 | flags}
		b := make([]byte, packet.IPv4Len+64)
		h.Put(b, 64)
		return b
	}
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, VRF: 2, Stack: stackOfOne, Packet: piece(protoGRE, 0, packet.FlagMF)})
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, Packet: piece(protoGRE, 64, 0)})
	if in := r.engine.take(); len(in) != 0 {
		t.Fatalf("pieces of two VRFs make a packet: %+v", in)
	}
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, VRF: 2, Stack: stackOfOne, Packet: piece(protoGRE, 64, 0)})
	if in := r.engine.take(); len(in) != 1 || in[0].Kind != fastpath.InjectInput || in[0].Port != 0 || in[0].VRF != 2 || len(in[0].Packet) != packet.IPv4Len+128 {
		t.Errorf("injected %+v", in)
	}
	b := piece(protoUDP, 0, packet.FlagMF)
	r.punt(fastpath.Punt{Reason: fastpath.Fragment, Port: wanPort, VRF: 2, Stack: stackOfOne, Packet: b})
	if got := r.host.delivered; len(got) != 1 || got[0].vrf != 2 || got[0].tunnel != "" || !bytes.Equal(got[0].packet, b) {
		t.Errorf("delivered %+v", got)
	}
}

// adjacencyTo is the adjacency of a next hop.
func (r *rig) adjacencyTo(addr netip.Addr) fib.AdjID {
	r.t.Helper()
	for id, a := range r.engine.adjacencies {
		if a.NextHop == addr {
			return id
		}
	}
	r.t.Fatalf("no adjacency to %s: %+v", addr, r.engine.adjacencies)
	return 0
}

// A packet that waits for a next hop goes on as it was to: by the routes of its VRF, or, where a label led it to the next hop, by just that adjacency.
func TestHeldPacketsStayInTheirVRF(t *testing.T) {
	b := udp("10.9.0.7", "10.7.0.1", 9, 3)
	for _, c := range []struct {
		name string
		punt fastpath.Punt
		kind fastpath.InjectKind
	}{
		{"routed in the VRF", fastpath.Punt{Port: lanPort, VRF: 2}, fastpath.InjectRoute},
		{"by a label", fastpath.Punt{Port: wanPort, Tunnel: tunnelID}, fastpath.InjectAdjacent},
		{"switched", fastpath.Punt{Port: wanPort, VRF: 2, Switched: true}, fastpath.InjectAdjacent},
	} {
		r := newRig(t, vpn)
		adj := r.adjacencyTo(ip("10.1.0.9"))
		c.punt.Reason, c.punt.Adj, c.punt.NextHop, c.punt.Packet = fastpath.Glean, adj, ip("10.1.0.9"), slices.Clone(b)
		r.punt(c.punt)
		if in := r.engine.take(); len(in) != 0 {
			t.Fatalf("%s: injected %+v", c.name, in)
		}
		r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.9"), [6]byte{2, 1, 1, 1, 1, 9}, true)
		in := r.engine.take()
		if len(in) != 1 || in[0].Kind != c.kind || packet.IPv4(in[0].Packet).TTL() != 8 || in[0].Kind == fastpath.InjectAdjacent && in[0].Adj != adj ||
			in[0].Kind == fastpath.InjectRoute && in[0].VRF != 2 {
			t.Errorf("%s: injected %+v", c.name, in)
		}
	}
}

// A packet that a label led into a VRF waits for a host of a subnet there: it goes by the host's own route.
func TestHeldUnderALabelForAHost(t *testing.T) {
	r := newRig(t, vpn)
	var subnet fib.AdjID
	for id, a := range r.engine.adjacencies {
		if a.Kind == fib.AdjGlean && a.Port == lanPort && !a.NextHop.IsValid() {
			subnet = id
		}
	}
	r.punt(fastpath.Punt{
		Reason: fastpath.Glean, Port: wanPort, Tunnel: tunnelID, VRF: 2, Adj: subnet, Packet: udp("10.9.0.7", "10.1.0.77", 9, 3), Stack: stackOfOne,
	})
	r.engine.take()
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.77"), [6]byte{2, 1, 1, 1, 1, 7}, true)
	if in := r.engine.take(); subnet == 0 || len(in) != 1 || in[0].Kind != fastpath.InjectRoute || in[0].VRF != 2 || packet.IPv4(in[0].Packet).TTL() != 8 {
		t.Errorf("adjacency %d, injected %+v", subnet, in)
	}
}

// A packet that waits for a host of a VRF does not go to who is there when the interface has moved to another.
func TestHeldPacketsOfAnInterfaceThatMoves(t *testing.T) {
	r := newRig(t, vpn)
	r.punt(fastpath.Punt{
		Reason: fastpath.Glean, Port: wanPort, Tunnel: tunnelID, Adj: r.adjacencyTo(ip("10.1.0.9")), NextHop: ip("10.1.0.9"), Packet: udp("10.9.0.7", "10.7.0.1", 9, 3),
	})
	c := r.config
	c.VRFs = []VRF{{ID: 3, Name: "GREEN"}}
	c.Interfaces = slices.Clone(c.Interfaces)
	c.Interfaces[1].VRF = 3
	c.Statics = map[fib.VRF][]rib.StaticRoute{fib.Global: c.Statics[fib.Global], 3: c.Statics[2]}
	if err := r.At(r.now).Configure(c); err != nil {
		t.Fatal(err)
	}
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.9"), [6]byte{2, 1, 1, 1, 1, 9}, true)
	for _, in := range r.engine.take() {
		if in.Kind == fastpath.InjectAdjacent || packet.IPv4(in.Packet).Proto() == protoUDP {
			t.Errorf("injected %+v", in)
		}
	}
}

// What waits for a labelled adjacency waits for the next hop itself: a server that would pass packets on can't make anything of the labels.
func TestHeldLabelled(t *testing.T) {
	r := newRig(t, vpn)
	labels, _ := rib.LabelsOf(100)
	_ = r.step(func() {
		r.rib.SetRoute(2, pfx("10.8.0.0/16"), rib.Learned{Source: rib.BGP, Distance: 200, Hops: []rib.NextHop{{Addr: ip("10.0.0.12"), Labels: labels, Elsewhere: true}}})
	})
	adj := r.engine.routes[pfx("10.8.0.0/16")][0]
	b := udp("10.1.0.7", "10.8.0.1", 9, 3)
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: lanPort, VRF: 2, Adj: adj, NextHop: ip("10.0.0.12"), Packet: slices.Clone(b)})
	sent := r.nhrpSent(r.engine.injected)
	if len(r.engine.take()) != 1 || len(sent) != 1 || sent[0].DstProto != ip("10.0.0.12") {
		t.Fatalf("NHRP is asked %+v", sent)
	}
	_ = r.step(func() {
		r.carryOut([]nhrp.Effect{nhrp.Bind{Iface: "Tunnel0", Prefix: pfx("10.0.0.12/32"), NBMA: peerAt(ip("192.0.2.9")), Via: true}})
	})
	if in := r.engine.take(); len(in) != 0 {
		t.Fatalf("sent by way of the server: %+v", in)
	}
	_ = r.step(func() {
		r.carryOut([]nhrp.Effect{nhrp.Bind{Iface: "Tunnel0", Prefix: pfx("10.0.0.12/32"), NBMA: peerAt(ip("192.0.2.9"))}})
	})
	if in := r.engine.take(); len(in) != 1 || in[0].Kind != fastpath.InjectAdjacent || in[0].Adj != adj || packet.IPv4(in[0].Packet).TTL() != 8 {
		t.Errorf("injected %+v", in)
	}
	// A labelled packet stays where it was: only what it waits for is asked for, and it is not held.
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: wanPort, Adj: adj, NextHop: ip("10.0.0.13")})
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: wanPort, Adj: adj})
	if m := r.nhrpSent(r.engine.take()); len(m) != 1 || m[0].DstProto != ip("10.0.0.13") || r.Status().Packets.Held != 1 {
		t.Errorf("sent %+v; %+v", m, r.Status().Packets)
	}
}

// An error about a packet of a VRF is from an address of the VRF, and goes there.
func TestErrorsOfVRF(t *testing.T) {
	r := newRig(t, vpn)
	data := udp("10.9.0.7", "10.7.0.1", 1, 100)
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: wanPort, Tunnel: tunnelID, VRF: 2, Packet: data, Stack: stackOfOne})
	in := r.engine.take()
	icmpOf(t, in, 11, 0, "10.1.0.1", "10.9.0.7")
	if in[0].VRF != 2 {
		t.Errorf("in VRF %d", in[0].VRF)
	}
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: wanPort, Tunnel: tunnelID, VRF: 3, Packet: data, Stack: stackOfOne})
	icmpOf(t, r.engine.take(), 11, 0, "10.0.0.11", "10.9.0.7") // the VRF has no address
	adj := r.adjacencyTo(ip("10.1.0.9"))
	r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, MTU: 1400, VRF: 2, Adj: adj, Packet: data})
	if got := r.host.delivered; len(got) != 1 || got[0].vrf != 2 || got[0].tunnel != "" {
		t.Fatalf("delivered %+v", got)
	}
	icmpIn(t, r.host.delivered[0].packet, 3, 4, "10.7.0.1", "10.9.0.7")
}

// An error about a packet that a route led into another VRF goes to where its source is: in the other VRF, somebody else may have the address.
func TestErrorsOfLeaks(t *testing.T) {
	r := newRig(t, vpn)
	data := udp("192.0.2.77", "10.7.0.1", 1, 100)
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: wanPort, VRF: 2, Leaked: true, Packet: data})
	in := r.engine.take()
	icmpOf(t, in, 11, 0, "192.0.2.1", "192.0.2.77")
	if in[0].VRF != fib.Global {
		t.Errorf("from the global table: in VRF %d", in[0].VRF)
	}
	r.punt(fastpath.Punt{Reason: fastpath.TTLExpired, Port: lanPort, Leaked: true, From: 2, Packet: data})
	in = r.engine.take()
	icmpOf(t, in, 11, 0, "10.1.0.1", "192.0.2.77")
	if in[0].VRF != 2 {
		t.Errorf("from VRF 2: in VRF %d", in[0].VRF)
	}
	r.punt(fastpath.Punt{Reason: fastpath.FragNeeded, MTU: 1400, Leaked: true, From: 2, Packet: data})
	if got := r.host.delivered; len(got) != 1 || got[0].vrf != 2 || got[0].tunnel != "" {
		t.Errorf("of this box: delivered %+v", got)
	}
}

// The source of a packet that a label led to a next hop which does not answer is in the label's VRF, and the error goes there: not where the packet came in, where
// somebody else may have its address. Of a label that nobody knows, nobody is told.
func TestUnreachableUnderLabel(t *testing.T) {
	for _, use := range []*rib.LabelUse{{Forward: true, VRF: 2, Prefix: pfx("10.7.0.0/16")}, nil} {
		r := newRig(t, vpn)
		if use != nil {
			_ = r.step(func() { r.rib.SetLabel(100, *use) })
		}
		r.punt(fastpath.Punt{
			Reason: fastpath.Glean, Port: wanPort, Tunnel: tunnelID, Adj: r.adjacencyTo(ip("10.1.0.9")), NextHop: ip("10.1.0.9"),
			Packet: udp("10.9.0.7", "10.7.0.1", 9, 100), Stack: stackOfOne, Switched: true,
		})
		r.engine.take()
		r.wait(holdTimeout)
		r.At(r.now).Tick(r.now)
		var errors []fastpath.Inject
		for _, in := range r.engine.take() {
			if packet.IPv4(in.Packet).Proto() == 1 {
				errors = append(errors, in)
			}
		}
		if use == nil {
			if len(errors) != 0 {
				t.Errorf("an unknown label: %+v", errors)
			}
			continue
		}
		icmpOf(t, errors, 3, 1, "10.1.0.1", "10.9.0.7")
		if errors[0].VRF != 2 {
			t.Errorf("in VRF %d", errors[0].VRF)
		}
	}
}

// A word about a packet that did not fit counts for the tunnels of the VRF that it came in, and no others.
func TestPathMTUOfVRF(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.VRFs = []VRF{{ID: 2, Name: "RED"}}
		c.Interfaces[0].VRF = 2
		c.Statics[2] = c.Statics[fib.Global][:1]
		c.Interfaces[2].Tunnel.OuterVRF, c.Interfaces[2].Tunnel.PathMTU = 2, true
	})
	word := TooBig{Local: ip("192.0.2.1"), Remote: ip("192.0.2.9"), Protocol: protoGRE, MTU: 1000, Quoted: []byte{0x20, 0, 8, 0, 0, 0, 2, 0xbc}}
	r.At(r.now).TooBig(fib.Global, word)
	if len(r.pathMTU) != 0 {
		t.Fatalf("learned of another VRF: %v", r.pathMTU)
	}
	r.wait(tooBigEvery)
	r.At(r.now).TooBig(2, word)
	if got := r.pathMTU[tunnelPeer{"Tunnel0", peerAt(ip("192.0.2.9"))}].mtu; got != 1000 {
		t.Errorf("learned %v", r.pathMTU)
	}
	for _, in := range r.engine.take() {
		if in.Kind == fastpath.InjectRoute && in.VRF != 2 {
			t.Errorf("sent in VRF %d", in.VRF)
		}
	}
}
