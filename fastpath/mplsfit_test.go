package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// stackOf is the entries of a stack in the order of the packet, as a punt has them.
func stackOf(stack ...packet.LSE) []byte { return under(nil, stack...) }

// TestLabelTTL: a TTL that runs out in a label, or under it, is punted with the stack and the IPv4 packet as they came.
func TestLabelTTL(t *testing.T) {
	ip := ipv4(vpnSource, inVPNHost, pattern(700))
	dead := ipv4(vpnSource, inVPNHost, pattern(700), ttl(1))
	for _, c := range []struct {
		name  string
		ip    []byte
		vrf   fib.VRF
		stack []packet.LSE
	}{
		{"swap", ip, 0, []packet.LSE{lab(inLink1, 5, 1)}},
		{"swap, 0", ip, 0, []packet.LSE{lab(inLink1, 5, 0)}},
		{"swap, more under it", ip, 0, []packet.LSE{lab(inLink2, 5, 1), lab(8, 0, 9), lab(9, 7, 99)}},
		{"penultimate", ip, 0, []packet.LSE{lab(inLink0, 5, 1)}},
		{"penultimate, pipe", ip, 0, []packet.LSE{lab(inPipeLink0, 5, 1)}},
		{"to the VRF", ip, vpn, []packet.LSE{lab(inVRF, 5, 1)}},
		{"to the VRF, pipe", dead, vpn, []packet.LSE{lab(inPipeVRF, 5, 44)}},
		{"forward", ip, 0, []packet.LSE{lab(inForward, 5, 1)}},
		{"under a label of this box", ip, 0, []packet.LSE{lab(inSelf, 5, 1), lab(inLink1, 5, 77)}},
		{"less under a label of this box", ip, 0, []packet.LSE{lab(inSelf, 5, 9), lab(inLink1, 5, 1)}},
	} {
		for _, frame := range [][]byte{labelled(c.ip, c.stack...), fromTunnel(c.ip, c.stack...)} {
			r := labelRig(t)
			r.fromWAN(frame)
			u := r.onePunt(TTLExpired)
			want := append(packet.IPv4(nil), c.ip...)
			if u.VRF == vpn && c.stack[0].Label() != inPipeVRF {
				want.SetTTL(c.stack[0].TTL()) // uniform: the packet's is the label's by then
			}
			if !bytes.Equal(u.Stack, stackOf(c.stack...)) || u.VRF != c.vrf || u.Port != wan || u.Len != len(c.ip) || u.Switched == (c.vrf == vpn) {
				t.Errorf("%s: punt %+v", c.name, u)
			}
			if c.name != "forward" && !bytes.Equal(u.Packet, want[:quoteLen]) {
				t.Errorf("%s: punt of\n%x, want\n%x", c.name, u.Packet, want[:quoteLen])
			}
		}
	}
	r := labelRig(t)
	r.fromWAN(labelled(ipv4(vpnSource, ip4("172.30.0.1"), nil), lab(inVRF, 0, 9)))
	if u := r.onePunt(Unroutable); !bytes.Equal(u.Stack, stackOf(lab(inVRF, 0, 9))) || u.VRF != vpn || u.Switched {
		t.Errorf("punt %+v", u)
	}
}

// TestRouterAlert: the whole stack and what is under it, IPv4 or not, go up.
func TestRouterAlert(t *testing.T) {
	for _, payload := range [][]byte{ipv4(vpnSource, inVPNHost, pattern(900)), pattern(5), {}} {
		r := labelRig(t)
		stack := []packet.LSE{lab(inSelf, 0, 9), lab(fib.RouterAlert, 0, 1), lab(inLink1, 3, 7)}
		r.fromWAN(labelled(payload, stack...))
		if u := r.onePunt(MPLSAlert); !bytes.Equal(u.Stack, stackOf(stack...)) || !bytes.Equal(u.Packet, payload) {
			t.Errorf("punt %+v", u)
		}
	}
}

// TestPuntLongest: a labelled packet that fits a slot but for its stack is lost and counted, not cut.
func TestPuntLongest(t *testing.T) {
	r := labelRig(t, func(c *Config, _ *fib.Batch) { c.SlotSize = 1024 })
	for n, stack := range [][]packet.LSE{{lab(fib.RouterAlert, 0, 1)}, {lab(fib.RouterAlert, 0, 1), lab(77, 0, 1)}} {
		r.fromWAN(labelled(pattern(1024-puntHeader-4), stack...))
		if len(r.punts) != 1 || r.e.Counters().Lost[MPLSAlert] != uint64(n) {
			t.Errorf("%d labels: %d punts, %v", n+1, len(r.punts), r.nonZero())
		}
	}
}

// TestLabelFits: limits count labels, of packets with labels and without.
func TestLabelFits(t *testing.T) {
	for _, c := range []struct {
		name  string
		stack []packet.LSE // none: IPv4 from the LAN, to the i-th labelled adjacency
		i     int
		most  int // the longest IPv4 packet that leaves whole
	}{
		{"push 1", nil, 0, 1496}, {"push 2", nil, 1, 1492}, {"push 3", nil, 2, 1488},
		{"push 1, GRE", nil, 3, 1396}, {"push 3, GRE", nil, 5, 1388},
		{"swap", []packet.LSE{lab(inLink1, 0, 9)}, 0, 1496},
		{"swap for two", []packet.LSE{lab(inLink2, 0, 9)}, 0, 1492},
		{"swap for two, two more", []packet.LSE{lab(inLink2, 0, 9), lab(7, 0, 9), lab(8, 0, 9)}, 0, 1484},
		{"penultimate", []packet.LSE{lab(inLink0, 0, 9)}, 0, 1500},
		{"penultimate, one more", []packet.LSE{lab(inLink0, 0, 9), lab(7, 0, 99)}, 0, 1496},
		{"into the tunnel", []packet.LSE{lab(inTunnel2, 0, 9), lab(7, 0, 9)}, 0, 1388},
	} {
		send := func(size int, opts ...ipOpt) *rig {
			r := labelRig(t)
			if c.stack == nil {
				r.fromLAN(toLAN(ipv4(hostIP, toLabel(c.i), pattern(size-packet.IPv4Len), opts...)))
			} else {
				r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, pattern(size-packet.IPv4Len), opts...), c.stack...))
			}
			return r
		}
		r := send(c.most, df)
		if len(r.lan.out)+len(r.wan.out) != 1 {
			t.Errorf("%s: %d bytes: %v", c.name, c.most, r.nonZero())
		}
		r = send(c.most+1, df)
		u := r.onePunt(FragNeeded)
		if int(u.MTU) != c.most || u.Len != c.most+1 || len(u.Packet) != quoteLen {
			t.Errorf("%s: punt %+v", c.name, u)
		}
		if !bytes.Equal(u.Stack, stackOf(c.stack...)) || u.Switched != (len(c.stack) > 0) {
			t.Errorf("%s: stack %x", c.name, u.Stack)
		}
		r = send(c.most + 1)
		stack := r.checkPieces(c.name, pattern(c.most+1-packet.IPv4Len), c.most)
		if c.name == "penultimate, one more" && !bytes.Equal(stack, stackOf(lab(7, 0, 8))) {
			t.Errorf("%s: fragments under %x", c.name, stack)
		}
	}
}

// checkPieces checks the fragments that left, and is the stack of all of them.
func (r *rig) checkPieces(name string, body []byte, most int) (stack []byte) {
	r.t.Helper()
	var frags [][]byte
	for _, f := range append(r.lan.out, r.wan.out...) {
		b := f[packet.EthernetLen:]
		typ := packet.Ethernet(f).Type()
		if typ == packet.TypeIPv4 && b[9] == packet.ProtoGRE {
			_, b = r.ungreMPLS(f)
			typ = packet.TypeMPLS
		}
		n := 0
		if typ == packet.TypeMPLS {
			var fault packet.Fault
			if n, fault = packet.StackLen(b, 8); fault != packet.OK {
				r.t.Fatalf("%s: no stack in %x", name, f)
			}
		}
		if frags != nil && !bytes.Equal(stack, b[:n]) {
			r.t.Errorf("%s: stacks %x and %x", name, stack, b[:n])
		}
		stack = b[:n]
		frags = append(frags, b[n:])
	}
	if len(frags) != 2 || !bytes.Equal(r.assemble(frags, most), body) {
		r.t.Errorf("%s: %d fragments, %v", name, len(frags), r.nonZero())
	}
	return stack
}

// TestLabelTooBig: what cannot be cut is dropped, what a link padded is cut off, and what fits the MTU but not the link has its outer packet cut.
func TestLabelTooBig(t *testing.T) {
	r := labelRig(t)
	r.fromWAN(labelled(pattern(1497), lab(inLink1, 0, 9)))
	r.only(MPLSTooBig, 1)
	r.fromWAN(labelled(nil, append(make([]packet.LSE, 400), lab(inLink1, 0, 9))...))
	r = labelRig(t)
	long := under(nil, lab(inLink1, 0, 9))
	long[2] &^= 1 // and nothing after it ends the stack
	r.fromWAN(mplsFrame(wanMAC, gwMAC, append(long, make([]byte, 1600)...)))
	r.only(MPLSTooBig, 1)

	r = labelRig(t)
	ip := ipv4(vpnSource, inVPNHost, pattern(1400), df)
	r.fromWAN(labelled(append(ip, make([]byte, 200)...), lab(inLink1, 0, 9)))
	if got, want := r.oneOut(r.lan), toHost(ip, lab(100, 0, 8)); !bytes.Equal(got, want) {
		t.Errorf("with padding: sent %d bytes, want %d", len(got), len(want))
	}

	r = labelRig(t, func(_ *Config, b *fib.Batch) {
		for i := range b.Adjacencies {
			b.Adjacencies[i].CopyDF = true
		}
	})
	ip = ipv4(vpnSource, inVPNHost, pattern(1396-packet.IPv4Len), df)
	r.fromWAN(labelled(append(ip, 0), lab(inTunnel1, 0, 9)))
	if _, got := r.ungreMPLS(r.oneOut(r.wan)); !bytes.Equal(got, under(ip, lab(100, 0, 8))) {
		t.Errorf("with a byte of padding: sent %d bytes", len(got))
	}

	r = labelRig(t, func(_ *Config, b *fib.Batch) {
		for i := range b.Adjacencies {
			b.Adjacencies[i].LinkMTU = min(b.Adjacencies[i].LinkMTU, 1000)
		}
	})
	r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, pattern(1200)), lab(inTunnel1, 0, 9)))
	var frags [][]byte
	for _, f := range r.wan.out {
		frags = append(frags, f[packet.EthernetLen:])
	}
	whole := r.assemble(frags, 1000)
	if g, fault := packet.ParseGRE(whole); fault != packet.OK || !bytes.Equal(whole[g.Len:], under(ipv4(vpnSource, inVPNHost, pattern(1200)), lab(100, 0, 8))) {
		t.Errorf("outer fragments are %x", whole)
	}
}

// TestLabelDF: with path MTU discovery the outer DF is that of the IPv4 packet under the labels, and what does not fit the link is answered.
func TestLabelDF(t *testing.T) {
	pmtud := func(_ *Config, b *fib.Batch) {
		for i := range b.Adjacencies {
			b.Adjacencies[i].CopyDF = b.Adjacencies[i].Kind == fib.AdjTunnel
			b.Adjacencies[i].LinkMTU = min(b.Adjacencies[i].LinkMTU, 1000)
		}
	}
	for _, c := range []struct {
		payload []byte
		want    bool
	}{{ipv4(vpnSource, inVPNHost, pattern(50), df), true}, {ipv4(vpnSource, inVPNHost, pattern(50)), false}, {bytes.Repeat([]byte{0x4f}, 19), false}, {bytes.Repeat([]byte{0x6f}, 40), false}} {
		for _, stack := range [][]packet.LSE{{lab(inTunnel1, 0, 9)}, {lab(inTunnel1, 0, 9), lab(77, 0, 9)}, {lab(inTunnel0, 0, 9), lab(77, 0, 9)}} {
			r := labelRig(t, pmtud)
			r.fromWAN(labelled(c.payload, stack...))
			if outer, _ := r.ungreMPLS(r.oneOut(r.wan)); outer.DF() != c.want {
				t.Errorf("outer DF %v, want %v", outer.DF(), c.want)
			}
		}
	}
	r := labelRig(t, pmtud)
	r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, pattern(1100), df), lab(inTunnel1, 0, 9), lab(77, 0, 9)))
	if u := r.onePunt(FragNeeded); u.MTU != 1000-28-8 {
		t.Errorf("MTU %d", u.MTU)
	}
}

// TestLabelGlean: a next hop that is not known is asked for, without the packet; a protected tunnel without an association sends nothing.
func TestLabelGlean(t *testing.T) {
	r := labelRig(t, func(_ *Config, b *fib.Batch) {
		b.Adjacencies[3].NextHop = addr(hostIP)
		b.Adjacencies[2].Resolve, b.Adjacencies[2].NextHop = true, addr(behind2)
		b.Adjacencies = append(b.Adjacencies, fib.Adjacency{ID: 60, Kind: fib.AdjGlean, Port: lan}, fib.Adjacency{ID: 61})
		for in, id := range map[uint32]fib.AdjID{2000: adjGlean, 2001: 60, 2002: 61} {
			b.Labels = append(b.Labels, fib.Label{In: in, Action: fib.LabelSwap, Paths: []fib.AdjID{id}})
		}
	})
	r.fromWAN(labelled(pattern(40), lab(2000, 0, 9)), labelled(pattern(40), lab(2000, 0, 9)))
	if u := r.onePunt(Glean); len(u.Packet)+len(u.Stack) != 0 || u.NextHop != addr(hostIP) || u.Adj != adjGlean || r.count(GleanWaits) != 1 {
		t.Errorf("punt %+v, %v", u, r.nonZero())
	}
	r.punts = nil
	r.fromWAN(labelled(pattern(40), lab(2001, 0, 9)), labelled(pattern(40), lab(2002, 0, 9)))
	if r.count(AdjacencyDrops) != 2 || len(r.punts) != 0 {
		t.Errorf("%v", r.nonZero())
	}
	r.fromWAN(labelled(pattern(40), lab(inTunnel0, 0, 9), lab(77, 0, 9)))
	if u := r.onePunt(Resolve); len(u.Packet)+len(u.Stack) != 0 || u.NextHop != addr(behind2) || len(r.wan.out) != 1 {
		t.Errorf("punt %+v, %v", u, r.nonZero())
	}
	tun := rigBatch().Tunnels
	tun[0].Protected, tun[0].Protection = true, protection
	r.apply(&fib.Batch{Tunnels: tun})
	r.fromWAN(labelled(pattern(40), lab(inTunnel1, 0, 9)))
	if r.count(NoSA) != 1 || len(r.wan.out) != 1 {
		t.Errorf("%v", r.nonZero())
	}
	r.apply(&fib.Batch{DelAdjacencies: []fib.AdjID{adjLink1}, DelRoutes: []fib.RouteKey{{Prefix: r.e.Inherited().Routes[0].Prefix}}})
	r.fromWAN(labelled(pattern(40), lab(inLink1, 0, 9)))
	if r.count(NoAdjacency) != 1 {
		t.Errorf("%v", r.nonZero())
	}
}

// TestLabelForgotten: what was known about a labelled packet is not known about the next one in its place, nor about what comes out of a tunnel in it.
func TestLabelForgotten(t *testing.T) {
	r := labelRig(t)
	plain := toWAN(ipv4(behind1, hostIP, pattern(9)))
	r.fromWAN(labelled(pattern(30), lab(inLink0, 0, 9), lab(77, 0, 9)))
	r.lan.take()
	r.fromWAN(plain)
	if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(9), ttl(63))); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, nil), lab(inLink1, 0, 1)))
	r.fromWAN(toWAN(ipv4(behind1, hostIP, nil, ttl(1))))
	r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, nil), lab(inVRF, 0, 1)))
	r.fromWAN(labelled(grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, nil, ttl(1))), lab(0, 0, 99)))
	want := []struct {
		labels   int
		switched bool
	}{{1, true}, {0, false}, {1, false}, {0, false}}
	if len(r.punts) != len(want) {
		t.Fatalf("punts %+v", r.punts)
	}
	for i, u := range r.punts {
		if u.Reason != TTLExpired || len(u.Stack) != 4*want[i].labels || u.Switched != want[i].switched {
			t.Errorf("punt %d: %+v, want %+v", i, u, want[i])
		}
	}
}
