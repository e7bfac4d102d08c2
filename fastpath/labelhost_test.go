package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

const (
	inRed, inBlue = 7200, 7201
	tunRed        = fib.TunnelID(20)
	tunBlue       = fib.TunnelID(21)
)

// outerVRFs are two tunnels with the same source and key, whose packets come in red and in blue, and go on to the same LAN in clear.
func outerVRFs(_ *Config, b *fib.Batch) {
	b.Ports[0].MPLS, b.Tunnels[0].MPLS = true, true
	for i, v := range []fib.VRF{red, blue} {
		t := b.Tunnels[0]
		t.ID, t.OuterVRF, t.Local, t.Network, t.Group, t.MPLS = tunRed+fib.TunnelID(i), v, addr(subIP), 0, 0, false
		t.Protected, t.Protection = false, 0
		b.Tunnels = append(b.Tunnels, t)
		b.Routes = append(b.Routes, inVRF1(v, "192.168.11.2/32", fib.Receive))
		b.Labels = append(b.Labels, fib.Label{In: inRed + uint32(i), Action: fib.LabelLookup, VRF: v})
	}
}

func greTo(dst [4]byte, payload []byte, opts ...ipOpt) []byte {
	b := make([]byte, 8, 8+len(payload))
	packet.PutGRE(b, packet.TypeIPv4, tunnelKey, true)
	return ipv4(spoke1NBMA, dst, append(b, payload...), append([]ipOpt{proto(packet.ProtoGRE)}, opts...)...)
}

// TestTunnelByLabel: GRE for a tunnel source of a VRF that came by a label of it, by a port and out of a tunnel, with overlapping sources; by the other label it is
// the other tunnel's.
func TestTunnelByLabel(t *testing.T) {
	for _, in := range []func([]byte, ...packet.LSE) []byte{labelled, fromTunnel} {
		r := newRig(t, outerVRFs)
		inside := ipv4(behind1, hostIP, pattern(9))
		for i, label := range []uint32{inRed, inBlue} {
			r.fromWAN(in(greTo(subIP, inside), lab(label, 0, 44)))
			if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(9), ttl(63))); !bytes.Equal(got, want) {
				t.Errorf("sent\n%x, want\n%x", got, want)
			}
			r.lan.take()
			n := r.e.Counters().Tunnels
			if n[tunRed+fib.TunnelID(i)].Rx.Packets != 1 || n[tunBlue-fib.TunnelID(i)].Rx.Packets != uint64(i) {
				t.Errorf("label %d: tunnels %+v", label, n)
			}
		}
		// Inside that one, there is no third.
		r.fromWAN(in(greTo(subIP, greTo(hubNBMA, inside)), lab(inRed, 0, 44)))
		if r.count(GRENested) != 1 {
			t.Errorf("three tunnels: %v", r.nonZero())
		}
		if n := r.e.LabelCount(inRed); n.Packets != 2 || r.e.LabelCount(inBlue) != (Count{1, uint64(4 + len(greTo(subIP, inside)))}) {
			t.Errorf("counted %+v and %+v", n, r.e.LabelCount(inBlue))
		}
	}
}

// TestHostByLabel: what is for us and no tunnel's goes up whole, with its VRF and stack, and of no tunnel.
func TestHostByLabel(t *testing.T) {
	natt := append([]byte{0x11, 0x94, 0x11, 0x94, 0, 14, 0, 0}, 0, 0, 0, 0, 1, 2)
	for _, in := range []func([]byte, ...packet.LSE) []byte{labelled, fromTunnel} {
		for _, c := range []struct {
			name string
			ip   []byte
			want Reason
		}{
			{"ICMP", ipv4(behind1, subIP, pattern(1000), proto(packet.ProtoICMP), ttl(1)), Local},
			{"UDP", ipv4(behind1, subIP, pattern(9)), Local},
			{"IKE behind a NAT", ipv4(behind1, subIP, natt), Local},
			{"fragment", ipv4(behind1, subIP, pattern(64), flags(packet.FlagMF)), Fragment},
			{"no tunnel's GRE", greTo(subIP, nil, func(h *packet.Header) { h.Dst = ip4("192.168.11.3") }), Unroutable},
			{"unknown SPI", ipv4(behind1, subIP, pattern(64), proto(packet.ProtoESP)), SAUnknownSPI},
		} {
			r := newRig(t, outerVRFs)
			r.fromWAN(in(c.ip, lab(inSelf2, 0, 255), lab(inBlue, 0, 255)))
			r.apply(&fib.Batch{Labels: []fib.Label{{In: inSelf2, Action: fib.LabelLookup}}})
			stack := []packet.LSE{lab(inSelf2, 0, 255), lab(inBlue, 0, 255)}
			r.fromWAN(in(c.ip, stack...))
			if n := r.count(c.want); n != 1 {
				t.Errorf("%s: %v", c.name, r.nonZero())
			}
			if c.want == SAUnknownSPI {
				if u := r.onePunt(SAUnknown); u.VRF != blue || u.Tunnel != 0 {
					t.Errorf("%s: punt %+v", c.name, u)
				}
				continue
			}
			u := r.onePunt(c.want)
			if u.VRF != blue || u.Port != wan || !bytes.Equal(u.Stack, stackOf(stack...)) || u.Len != len(c.ip) || u.Switched {
				t.Errorf("%s: punt %+v", c.name, u)
			}
			if c.want != Unroutable && (u.Tunnel != 0 || u.OuterSrc.IsValid() || !bytes.Equal(u.Packet, c.ip)) {
				t.Errorf("%s: punt %+v", c.name, u)
			}
		}
	}
	// Under explicit null a packet out of a tunnel is that tunnel's.
	r := newRig(t, outerVRFs)
	r.fromWAN(fromTunnel(ipv4(behind1, hubTunnel, pattern(9)), lab(0, 0, 9)))
	if u := r.onePunt(Local); u.Tunnel != tunnelID || u.OuterSrc != addr(spoke1NBMA) || len(u.Stack) != 0 {
		t.Errorf("explicit null: punt %+v", u)
	}
}

const inSelf2 = 7202

// TestSealedByLabel: ESP and AH of a VRF that came by its label, and by another VRF's, which has no such association; in a sealed tunnel, too.
func TestSealedByLabel(t *testing.T) {
	for _, s := range suites() {
		s.window = 64
		p := newPair(t, s, func(_ *Config, b *fib.Batch) {
			b.Ports[0].MPLS = true
			if b.Ports[0].Addr != addr(hubNBMA) {
				return
			}
			b.Tunnels[0].OuterVRF = red
			for i := range b.SAs {
				b.SAs[i].OuterVRF = red
			}
			blueTun := b.Tunnels[0]
			blueTun.ID, blueTun.OuterVRF = tunBlue, blue
			b.Tunnels = append(b.Tunnels, blueTun)
			for i, v := range []fib.VRF{red, blue} {
				b.Routes = append(b.Routes, inVRF1(v, "192.0.2.1/32", fib.Receive))
				b.Labels = append(b.Labels, fib.Label{In: inRed + uint32(i), Action: fib.LabelLookup, VRF: v})
			}
		})
		var packets [][]byte
		for i := range 70 {
			packets = append(packets, ipv4(behind1, hostIP, pattern(i)))
		}
		byLabel := func(label uint32, frames [][]byte) (out [][]byte) {
			for _, f := range frames {
				out = append(out, labelled(f[packet.EthernetLen:], lab(label, 0, 9)))
			}
			return out
		}
		there := p.sealed(packets...)
		if out := p.deliver(byLabel(inBlue, there)...); len(out) != 0 || p.hub.count(SAUnknownSPI) != 70 {
			t.Errorf("%s: by the label of another VRF %d arrive; %v", s.name, len(out), p.hub.nonZero())
		}
		if out := p.deliver(there...); len(out) != 0 || p.hub.count(SAUnknownSPI) != 140 && p.hub.count(SAUnknownSPI) < 70 {
			t.Errorf("%s: without a label %d arrive; %v", s.name, len(out), p.hub.nonZero())
		}
		out := p.deliver(byLabel(inRed, there)...)
		if len(out) != 70 {
			t.Fatalf("%s: by its label %d arrive; %v", s.name, len(out), p.hub.nonZero())
		}
		for i, f := range out {
			if want := ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(i), ttl(62))); !bytes.Equal(f, want) {
				t.Fatalf("%s: packet %d is\n%x, want\n%x", s.name, i, f, want)
			}
		}
	}
}

// TestSealedInSealed: a sealed tunnel whose source is in a VRF that another sealed tunnel leads to: opened twice, in vectors.
func TestSealedInSealed(t *testing.T) {
	for _, s := range suites() {
		s.window = 64
		carrier := newPair(t, s, func(_ *Config, b *fib.Batch) {
			b.Tunnels[0].MPLS = true
			if b.Ports[0].Addr == addr(hubNBMA) {
				t := b.Tunnels[0]
				t.ID, t.OuterVRF, t.Protected, t.Protection = tunRed, red, false, 0
				b.Tunnels = append(b.Tunnels, t)
				b.Routes = append(b.Routes, inVRF1(red, "192.0.2.1/32", fib.Receive))
				b.Labels = append(b.Labels, fib.Label{In: inRed, Action: fib.LabelLookup, VRF: red})
				for _, f := range gcm128.associations(hubNBMA, spoke1NBMA, 0x7001, 0x7002) {
					f.ID, f.OuterVRF, f.Protection = f.ID+100, red, protection+1
					b.SAs = append(b.SAs, f)
				}
				b.Tunnels[len(b.Tunnels)-1].Protected, b.Tunnels[len(b.Tunnels)-1].Protection = true, protection+1
				return
			}
			push := b.Adjacencies[1]
			push.ID, push.Labels = spokePush, []uint32{inRed}
			b.Adjacencies = append(b.Adjacencies, push)
			b.Routes = append(b.Routes, route("192.0.2.1/32", spokePush))
		})
		inner := newPair(t, suite{cipher: fib.CipherAESGCM, key: 20, window: 64}, func(_ *Config, b *fib.Batch) {
			for i := range b.SAs {
				if !b.SAs[i].Inbound && b.Ports[0].Addr == addr(spoke1NBMA) {
					b.SAs[i].SPI, b.SAs[i].CipherKey = 0x7002, testKey(20, 0x7002)
				}
			}
		})
		var packets [][]byte
		for i := range 100 {
			packets = append(packets, ipv4(behind1, hostIP, pattern(i)))
		}
		var twice [][]byte
		for _, f := range inner.sealed(packets...) {
			twice = append(twice, f[packet.EthernetLen:])
		}
		out := carrier.deliver(carrier.sealed(twice...)...)
		if len(out) != 100 {
			t.Fatalf("%s: %d arrive; hub %v, spoke %v", s.name, len(out), carrier.hub.nonZero(), carrier.spoke.nonZero())
		}
		seen := map[int]bool{}
		for _, f := range out {
			seen[len(f)] = true
		}
		if len(seen) != 100 {
			t.Errorf("%s: %d different packets", s.name, len(seen))
		}
	}
}

// TestLabelCount: counts begin with a label, go on while it stands, survive what becomes of it, and begin anew with the next one of its number.
func TestLabelCount(t *testing.T) {
	r := labelRig(t)
	ip := ipv4(vpnSource, inVPNHost, pattern(20))
	want := uint64(0)
	for range 3 {
		r.fromWAN(labelled(ip, lab(inSelf, 0, 9), lab(inVRF, 0, 9)))
		want++
	}
	check := func(label uint32, packets, bytes uint64) {
		t.Helper()
		if n := r.e.LabelCount(label); n != (Count{packets, packets * bytes}) {
			t.Errorf("label %d counts %+v, want %d of %d bytes", label, n, packets, bytes)
		}
	}
	check(inSelf, 3, 48)
	check(inVRF, 3, 44)
	r.apply(&fib.Batch{Labels: []fib.Label{{In: inVRF, Action: fib.LabelLookup, VRF: vpn, Pipe: true}}})
	r.fromWAN(labelled(ip, lab(inVRF, 0, 9)))
	check(inVRF, 4, 44)
	r.apply(&fib.Batch{DelLabels: []uint32{inVRF}})
	check(inVRF, 0, 44)
	r.fromWAN(labelled(ip, lab(inVRF, 0, 9)))
	r.apply(&fib.Batch{Labels: []fib.Label{{In: inVRF, Action: fib.LabelLookup, VRF: vpn}, {In: 300000, Action: fib.LabelLookup, VRF: vpn}}})
	check(inVRF, 0, 44)
	r.fromWAN(labelled(ip, lab(inVRF, 0, 9)), labelled(ip, lab(300000, 0, 9)), labelled(ip, lab(300001, 0, 9)))
	check(inVRF, 1, 44)
	check(300000, 1, 44)
	check(300001, 0, 44)
	check(fib.LastLabel+1, 0, 44)
	// Its chunk goes with the last label of it, and comes back empty.
	r.apply(&fib.Batch{DelLabels: []uint32{300000}})
	r.apply(&fib.Batch{Labels: []fib.Label{{In: 300000, Action: fib.LabelLookup, VRF: vpn}}})
	check(300000, 0, 44)
}

// TestHeldLabels: a packet that waited for the next hop of an adjacency with labels leaves with them, by InjectAdjacent: EXP of its precedence, its TTL as it is.
func TestHeldLabels(t *testing.T) {
	r := labelRig(t)
	was := fib.Adjacency{}
	for _, a := range r.e.Inherited().Adjacencies {
		if a.ID == adjLink2 {
			was = a
		}
	}
	waiting := fib.Adjacency{ID: adjLink2, Kind: fib.AdjGlean, Port: lan, VRF: 0, Labels: was.Labels, NextHop: addr(hostIP)}
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{waiting}})
	ip := ipv4(behind1, toLabel(1), pattern(20), tos(0xa0), ttl(9))
	r.fromWAN(toWAN(ip))
	u := r.onePunt(Glean)
	if u.Adj != adjLink2 || u.NextHop != addr(hostIP) || !bytes.Equal(u.Packet, ip) || len(u.Stack) != 0 {
		t.Errorf("punt %+v", u)
	}
	// What a label led there comes with it: its source is in the label's VRF, whatever VRF it came in by.
	r.apply(&fib.Batch{Labels: []fib.Label{{In: 7200, Action: fib.LabelForward, Paths: []fib.AdjID{adjLink2}}}})
	r.punts, r.now = nil, r.now+1e12
	r.fromWAN(labelled(ip, lab(7200, 2, 30)))
	if g := r.onePunt(Glean); g.Adj != adjLink2 || !bytes.Equal(g.Packet, ip) || !bytes.Equal(g.Stack, stackOf(lab(7200, 2, 30))) || !g.Switched {
		t.Errorf("of a label: punt %+v", g)
	}
	inject := func(by fib.AdjID, p []byte) {
		if err := r.e.Inject(Inject{Kind: InjectAdjacent, Adj: by, Packet: p}); err != nil {
			t.Fatal(err)
		}
		r.poll()
	}
	inject(adjLink2, u.Packet)
	if len(r.lan.out) != 0 || r.count(InjectBad) != 1 {
		t.Errorf("sent before the next hop is known: %v", r.nonZero())
	}
	r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{was}})
	held := packet.IPv4(bytes.Clone(u.Packet))
	held.DecTTL()
	inject(u.Adj, held)
	if got, want := r.oneOut(r.lan), toHost(held, lab(100, 5, 8), lab(200, 5, 8)); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	r.lan.take()
	inject(adjPipe, held)
	if got, want := r.oneOut(r.lan), toHost(held, lab(100, 5, 255), lab(200, 5, 255)); !bytes.Equal(got, want) {
		t.Errorf("pipe: sent\n%x, want\n%x", got, want)
	}
	inject(adjTunnel2, held)
	if _, got := r.ungreMPLS(r.oneOut(r.wan)); !bytes.Equal(got, under(held, lab(100, 5, 8), lab(200, 5, 8))) {
		t.Errorf("tunnel: sent %x", got)
	}
}
