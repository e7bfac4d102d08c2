package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestPush: labels on IPv4 packets, with and without options: EXP of the precedence, TTL counted down once and copied, or 255.
func TestPush(t *testing.T) {
	for i, want := range [][]packet.LSE{
		{lab(100, 5, 63)}, {lab(100, 5, 63), lab(200, 5, 63)}, {lab(100, 5, 63), lab(200, 5, 63), lab(300, 5, 63)},
		{lab(100, 5, 63)}, {lab(100, 5, 63), lab(200, 5, 63)}, {lab(100, 5, 63), lab(200, 5, 63), lab(300, 5, 63)},
		{lab(100, 5, 255), lab(200, 5, 255)},
	} {
		for _, size := range []int{0, 40, 1000} {
			r := labelRig(t)
			out := ipv4(hostIP, toLabel(i), pattern(size), tos(0xb9), ttl(63))
			r.fromLAN(toLAN(ipv4(hostIP, toLabel(i), pattern(size), tos(0xb9))))
			if i < 3 || i == 6 {
				if got, w := r.oneOut(r.lan), toHost(out, want...); !bytes.Equal(got, w) {
					t.Errorf("%d labels: sent\n%x, want\n%x", len(want), got, w)
				}
				continue
			}
			outer, got := r.ungreMPLS(r.oneOut(r.wan))
			if w := under(out, want...); !bytes.Equal(got, w) {
				t.Errorf("%d labels in GRE: sent\n%x, want\n%x", len(want), got, w)
			}
			if outer.TOS() != 0xb8 { // no ECN
				t.Errorf("outer TOS %02x", outer.TOS())
			}
			if n := r.e.Counters().Tunnels[tunnelID].Tx; n != (Count{1, uint64(len(out))}) {
				t.Errorf("tunnel sent %+v", n)
			}
		}
	}
}

// TestPushOptions: the header under the labels may have options.
func TestPushOptions(t *testing.T) {
	r := labelRig(t)
	ip := ipWithOptions(t, hostIP, toLabel(1), 148, 4, 0, 0)
	r.fromLAN(toLAN(ip))
	want := append(packet.IPv4(nil), ip...)
	want.DecTTL()
	if got, w := r.oneOut(r.lan), toHost(want, lab(100, 0, 63), lab(200, 0, 63)); !bytes.Equal(got, w) {
		t.Errorf("sent\n%x, want\n%x", got, w)
	}
}

func ipWithOptions(t *testing.T, src, dst [4]byte, options ...byte) packet.IPv4 {
	t.Helper()
	b := ipv4(src, dst, append(append([]byte{}, options...), pattern(40)...))
	b[0] = 0x45 + byte(len(options)/4)
	ip := packet.IPv4(b)
	ip.SetSum()
	if _, fault := packet.ParseIPv4(b); fault != packet.OK {
		t.Fatalf("fault %d", fault)
	}
	return ip
}

// mplsCase is a labelled packet and what becomes of it.
type mplsCase struct {
	name  string
	in    []byte // the payload
	stack []packet.LSE
	// What leaves: towards the host, or with tunnel set to spoke 2. An empty stack is an IPv4 packet.
	tunnel bool
	out    []byte
	want   []packet.LSE
}

func mplsCases() []mplsCase {
	ip := func(opts ...ipOpt) []byte { return ipv4(vpnSource, inVPNHost, pattern(50), opts...) }
	junk := pattern(33) // no IPv4: nobody looks
	s := func(e ...packet.LSE) []packet.LSE { return e }
	return []mplsCase{
		{"swap", ip(), s(lab(inLink1, 5, 9)), false, ip(), s(lab(100, 5, 8))},
		{"swap for two", ip(), s(lab(inLink2, 5, 9)), false, ip(), s(lab(100, 5, 8), lab(200, 5, 8))},
		{"swap for three", ip(), s(lab(inLink3, 7, 255)), false, ip(), s(lab(100, 7, 254), lab(200, 7, 254), lab(300, 7, 254))},
		{"swap for two, pipe", ip(), s(lab(inPipe, 5, 9)), false, ip(), s(lab(100, 5, 255), lab(200, 5, 8))},
		{"swap, more under it", ip(), s(lab(inLink1, 1, 2), lab(77, 6, 1)), false, ip(), s(lab(100, 1, 1), lab(77, 6, 1))},
		{"swap for two, more under it", ip(), s(lab(inLink2, 1, 2), lab(77, 6, 1), lab(3, 0, 0)), false, ip(), s(lab(100, 1, 1), lab(200, 1, 1), lab(77, 6, 1), lab(3, 0, 0))},
		{"swap of anything", junk, s(lab(inLink1, 5, 9)), false, junk, s(lab(100, 5, 8))},
		{"swap of nothing", nil, s(lab(inLink1, 5, 9)), false, nil, s(lab(100, 5, 8))},
		{"swap into the tunnel", ip(), s(lab(inTunnel1, 5, 9)), true, ip(), s(lab(100, 5, 8))},
		{"swap for two into the tunnel", junk, s(lab(inTunnel2, 5, 9), lab(77, 6, 1)), true, junk, s(lab(100, 5, 8), lab(200, 5, 8), lab(77, 6, 1))},

		{"penultimate, more under it", junk, s(lab(inLink0, 5, 9), lab(77, 6, 255)), false, junk, s(lab(77, 6, 8))},
		{"penultimate, less TTL under it", junk, s(lab(inLink0, 5, 9), lab(77, 6, 3)), false, junk, s(lab(77, 6, 3))},
		{"penultimate, pipe", junk, s(lab(inPipeLink0, 5, 9), lab(77, 6, 255)), false, junk, s(lab(77, 6, 255))},
		{"penultimate, EXP goes on", junk, s(lab(inExpLink0, 5, 9), lab(77, 2, 255)), false, junk, s(lab(77, 5, 8))},
		{"penultimate into the tunnel", junk, s(lab(inTunnel0, 5, 9), lab(77, 6, 255)), true, junk, s(lab(77, 6, 8))},
		{"penultimate, IPv4", ip(tos(0x21)), s(lab(inLink0, 5, 9)), false, ip(tos(0x21), ttl(8)), nil},
		{"penultimate, IPv4 of less TTL", ip(ttl(1)), s(lab(inLink0, 5, 9)), false, ip(ttl(1)), nil},
		{"penultimate, IPv4, pipe", ip(ttl(77)), s(lab(inPipeLink0, 5, 9)), false, ip(ttl(77)), nil},
		{"penultimate, IPv4, EXP goes on", ip(tos(0x39)), s(lab(inExpLink0, 5, 9)), false, ip(tos(0xb9), ttl(8)), nil},
		{"penultimate into the tunnel, IPv4", ip(), s(lab(inTunnel0, 5, 9)), true, ip(ttl(8)), nil},

		{"to the VRF", ip(tos(0x21)), s(lab(inVRF, 5, 9)), false, ip(tos(0x21), ttl(8)), nil},
		{"to the VRF, less TTL", ip(ttl(5)), s(lab(inVRF, 5, 9)), false, ip(ttl(4)), nil},
		{"to the VRF, pipe", ip(ttl(77)), s(lab(inPipeVRF, 5, 1)), false, ip(ttl(76)), nil},
		{"to the VRF, EXP goes on", ip(tos(0x39)), s(lab(inUniformTOS, 0, 9)), false, ip(tos(0x19), ttl(8)), nil},
		{"under a label of this box, to the VRF", ip(), s(lab(inSelf, 5, 20), lab(inVRF, 1, 99)), false, ip(ttl(19)), nil},
		{"under labels of this box, swap", ip(), s(lab(inSelf, 5, 20), lab(inSelf, 4, 18), lab(inLink1, 1, 99)), false, ip(), s(lab(100, 1, 17))},
		{"to the VRF, and with a label out of it", ipv4(vpnSource, inVPNTunnel, pattern(50)), s(lab(inVRF, 5, 9)), true, ipv4(vpnSource, inVPNTunnel, pattern(50), ttl(8)), s(lab(100, 0, 8))},
		{"explicit null", ipv4(behind1, hostIP, pattern(50)), s(lab(0, 5, 9)), false, ipv4(behind1, hostIP, pattern(50), ttl(8)), nil},
		{"explicit null with a label under it", ip(), s(lab(0, 5, 9), lab(inVRF, 5, 255)), false, ip(ttl(8)), nil},
		{"explicit null under a label", ipv4(behind1, hostIP, pattern(50)), s(lab(inSelf, 5, 9), lab(0, 5, 255)), false, ipv4(behind1, hostIP, pattern(50), ttl(8)), nil},

		{"forward", ip(), s(lab(inForward, 5, 9)), false, ip(ttl(8)), nil},
		{"forward, pipe", ip(ttl(77)), s(lab(inPipeForward, 5, 9)), false, ip(ttl(76)), nil},
	}
}

// TestLabels: each action, in both models, by a link and out of a tunnel.
func TestLabels(t *testing.T) {
	for _, c := range mplsCases() {
		for _, byTunnel := range []bool{false, true} {
			r := labelRig(t)
			frame := labelled(c.in, c.stack...)
			if byTunnel {
				frame = fromTunnel(c.in, c.stack...)
			}
			r.fromWAN(frame)
			r.checkLabelled(c, byTunnel)
			if n := r.e.Counters().Workers[0]; n.Forwarded != 1 {
				t.Errorf("%s: %+v", c.name, r.nonZero())
			}
			if len(r.punts) != 0 {
				t.Errorf("%s: punts %+v", c.name, r.punts)
			}
		}
	}
}

func (r *rig) checkLabelled(c mplsCase, byTunnel bool) {
	r.t.Helper()
	if !c.tunnel {
		want := ethernet(hostMAC, lanMAC, c.out)
		if len(c.want) > 0 {
			want = toHost(c.out, c.want...)
		}
		if got := r.oneOut(r.lan); !bytes.Equal(got, want) {
			r.t.Errorf("%s (by tunnel %v): sent\n%x, want\n%x", c.name, byTunnel, got, want)
		}
		return
	}
	outer, g, inner := r.ungre(r.oneOut(r.wan))
	want, typ := c.out, uint16(packet.TypeIPv4)
	if len(c.want) > 0 {
		want, typ = under(c.out, c.want...), packet.TypeMPLS
	}
	if !bytes.Equal(inner, want) || g.Proto != typ {
		r.t.Errorf("%s (by tunnel %v): sent %#04x\n%x, want %#04x\n%x", c.name, byTunnel, g.Proto, inner, typ, want)
	}
	if len(c.want) > 0 && outer.TOS() != c.want[0].EXP()<<5 {
		r.t.Errorf("%s: outer TOS %02x", c.name, outer.TOS())
	}
}

// TestLabelDrops: what labelled packets are refused for.
func TestLabelDrops(t *testing.T) {
	ip := ipv4(vpnSource, inVPNHost, pattern(50))
	deep := make([]packet.LSE, maxStack+1)
	for i := range deep {
		deep[i] = lab(inSelf, 0, 200)
	}
	broken := append([]byte(nil), ip...)
	broken[10] ^= 1
	multi := ipv4(vpnSource, mcast, nil)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"unknown", labelled(ip, lab(999, 0, 9)), MPLSUnknown},
		{"the last label", labelled(ip, lab(fib.LastLabel, 0, 9)), MPLSUnknown},
		{"unknown under a label of this box", labelled(ip, lab(inSelf, 0, 9), lab(999, 0, 9)), MPLSUnknown},
		{"IPv6 explicit null", labelled(ip, lab(2, 0, 9)), MPLSReserved},
		{"implicit null", labelled(ip, lab(3, 0, 9)), MPLSReserved},
		{"15", labelled(ip, lab(15, 0, 9)), MPLSReserved},
		{"too deep", labelled(ip, deep...), MPLSDepth},
		{"no IPv4, VRF", labelled([]byte{0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, lab(inVRF, 0, 9)), MPLSPayload},
		{"no IPv4, penultimate", labelled(bytes.Repeat([]byte{0x60}, 40), lab(inLink0, 0, 9)), MPLSPayload},
		{"broken IPv4", labelled(broken, lab(inVRF, 0, 9)), IPChecksum},
		{"short IPv4", labelled(ip[:19], lab(inVRF, 0, 9)), IPShort},
		{"forward, more under it", labelled(ipv4(vpnSource, inVPNHost, nil), lab(inForward, 5, 9), lab(77, 6, 255)), MPLSPayload},
		{"martian", labelled(ipv4(ip4("127.0.0.1"), inVPNHost, nil), lab(inForward, 0, 9)), MartianSource},
		{"martian by lookup", labelled(ipv4(ip4("127.0.0.1"), inVPNHost, nil), lab(inVRF, 0, 9)), MartianSource},
		{"to nobody", labelled(ipv4(vpnSource, ip4("0.0.0.1"), nil), lab(inForward, 0, 9)), MartianDestination},
		{"multicast by lookup", labelled(multi, lab(inVRF, 0, 9)), MulticastFromPort},
		{"multicast by lookup, out of a tunnel", fromTunnel(multi, lab(inVRF, 0, 9)), MulticastFromPort},
		{"link-local multicast out of a tunnel", fromTunnel(ipv4(vpnSource, ip4("224.0.0.5"), nil), lab(inVRF, 0, 9)), MulticastFromPort},
		{"another station", mplsFrame(hostMAC, gwMAC, under(ip, lab(inVRF, 0, 9))), EthernetOther},
		{"broadcast", mplsFrame([6]byte{255, 255, 255, 255, 255, 255}, gwMAC, under(ip, lab(inVRF, 0, 9))), EthernetGroup},
		{"GRE in a label in GRE", fromTunnel(ipv4(vpnSource, inVPNSelf, gre(packet.TypeIPv4, ip), proto(packet.ProtoGRE)), lab(inVRF, 0, 9)), GRENoTunnel},
		{"congestion outside", toWAN(grePacket(spoke1NBMA, packet.TypeMPLS, under(ip, lab(inLink1, 0, 9)), tos(3))), ECN},
		{"TTL of nothing that answers", labelled(pattern(50), lab(inLink1, 0, 1)), MPLSTTL},
		{"TTL of a stack without end", labelled(nil, append(deep, lab(inLink1, 0, 1))...)[:14+4*maxStack], MPLSShort},
	} {
		r := labelRig(t)
		r.fromWAN(c.frame)
		if r.only(c.want, 1); t.Failed() {
			t.Fatalf("%s: %v, want %s", c.name, r.nonZero(), c.want)
		}
	}
}

// TestLabelsOff: without `mpls ip` nothing labelled comes in, by neither.
func TestLabelsOff(t *testing.T) {
	for _, frame := range [][]byte{labelled(nil, lab(inLink1, 0, 9)), fromTunnel(nil, lab(inLink1, 0, 9))} {
		r := labelRig(t, func(_ *Config, b *fib.Batch) { b.Ports[0].MPLS, b.Tunnels[0].MPLS = false, false })
		r.fromWAN(frame)
		r.only(MPLSOff, 1)
		on := rigBatch()
		on.Ports[0].MPLS, on.Tunnels[0].MPLS = true, true
		r.apply(&fib.Batch{Ports: on.Ports, Tunnels: on.Tunnels})
		r.fromWAN(frame)
		r.oneOut(r.lan)
	}
}

// TestLabelTruncated: a labelled packet cut anywhere is dropped or forwarded with what there is, and counted once.
func TestLabelTruncated(t *testing.T) {
	r := labelRig(t)
	for _, label := range []uint32{inLink0, inLink1, inTunnel2, inVRF, inSelf, inForward, 0, 1, 2, 999} {
		for _, second := range []uint32{inVRF, inLink0, 55} {
			whole := labelled(ipv4(vpnSource, inVPNHost, pattern(8)), lab(label, 1, 9), lab(second, 1, 9))
			for n := range len(whole) + 1 {
				r.now += 1e9
				r.fromWAN(whole[:n])
			}
			whole = under(ipv4(vpnSource, inVPNHost, pattern(8)), lab(label, 1, 1), lab(second, 1, 1))
			for n := range len(whole) + 1 {
				r.now += 1e9
				r.fromWAN(toWAN(grePacket(spoke1NBMA, packet.TypeMPLS, whole[:n])))
			}
		}
	}
	r.conserved()
}

// TestExplicitNull: its models can be changed, and its VRF is that of the interface.
func TestExplicitNull(t *testing.T) {
	r := labelRig(t, func(_ *Config, b *fib.Batch) {
		b.Ports[0].VRF = vpn
		b.Labels = append(b.Labels, fib.Label{In: fib.ExplicitNull, Action: fib.LabelLookup, Pipe: true, CopyEXP: true})
	})
	r.fromWAN(labelled(ipv4(vpnSource, inVPNHost, nil, ttl(77)), lab(0, 3, 9)))
	if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ipv4(vpnSource, inVPNHost, nil, ttl(76), tos(0x60))); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
}

// TestLabelLocal: a packet for this box under a label is punted with its VRF.
func TestLabelLocal(t *testing.T) {
	r := labelRig(t)
	ip := ipv4(vpnSource, inVPNSelf, pattern(9))
	r.fromWAN(labelled(ip, lab(inVRF, 0, 1)))
	u := r.onePunt(Local)
	if want := packet.IPv4(append([]byte(nil), ip...)); u.VRF != vpn || u.Port != wan || !bytes.Equal(u.Stack, stackOf(lab(inVRF, 0, 1))) || u.Len != len(want) {
		t.Errorf("punt %+v", u)
	}
	// GRE under a label that came by a port ends here as any other would.
	r = labelRig(t)
	r.fromWAN(labelled(grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, pattern(9))), lab(0, 0, 44)))
	if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(9), ttl(63))); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
}
