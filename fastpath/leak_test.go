package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Adjacencies that look up again.
const (
	adjToRed, adjToBlue, adjToGlobal = fib.AdjID(70), fib.AdjID(71), fib.AdjID(72)
	inLeak, inLeakSwap               = 7100, 7101
)

// leakRig has routes that lead from the global table to red, from there to blue, and from blue back.
func leakRig(t testing.TB, change ...func(*Config, *fib.Batch)) *rig {
	return labelRig(t, append([]func(*Config, *fib.Batch){withSubs, func(_ *Config, b *fib.Batch) {
		for id, vrf := range map[fib.AdjID]fib.VRF{adjToRed: red, adjToBlue: blue, adjToGlobal: fib.Global} {
			b.Adjacencies = append(b.Adjacencies, fib.Adjacency{ID: id, Kind: fib.AdjLookup, VRF: vrf})
		}
		b.Routes = append(b.Routes,
			route("192.168.11.0/24", adjToRed), route("10.20.0.0/16", adjToBlue), route("10.30.0.0/16", adjToRed), route("10.31.0.0/16", adjToRed), route("10.32.0.0/16", adjToRed),
			route("10.33.0.0/16", adjToRed, adjToBlue),
			inVRF1(red, "10.30.0.0/16", adjToBlue), inVRF1(blue, "10.30.0.0/16", adjBlue),
			inVRF1(red, "10.31.0.0/16", adjToBlue), inVRF1(blue, "10.31.0.0/16", adjToRed),
			inVRF1(red, "10.33.0.0/16", adjRed), inVRF1(blue, "10.33.0.0/16", adjBlue), inVRF1(blue, "10.0.0.1/32", adjToGlobal),
		)
		b.Labels = append(b.Labels, fib.Label{In: inLeak, Action: fib.LabelForward, Paths: []fib.AdjID{adjToBlue}}, fib.Label{In: inLeakSwap, Action: fib.LabelSwap, Paths: []fib.AdjID{adjToBlue}})
	}}, change...)...)
}

// TestLeak: a packet is looked up again where its route says, once, and its TTL counted once; with flows remembered and without.
func TestLeak(t *testing.T) {
	out := func(vlan uint16, dst [4]byte, n uint8) []byte {
		return tagFrame(ethernet(hostMAC, lanMAC, ipv4(behind1, dst, pattern(20), ttl(n))), vlan)
	}
	for _, flows := range []int{0, 1000} {
		for _, c := range []struct {
			name  string
			dst   [4]byte
			ttl   uint8
			stack []packet.LSE
			want  []byte
			none  Reason
		}{
			{"once", ip4("10.20.0.1"), 9, nil, out(20, ip4("10.20.0.1"), 8), 0},
			{"twice", ip4("10.30.0.1"), 9, nil, nil, LeakLoop},
			{"for ever", ip4("10.31.0.1"), 9, nil, nil, LeakLoop},
			{"nothing there", ip4("10.32.0.1"), 9, nil, nil, Unroutable},
			{"TTL", ip4("10.20.0.1"), 1, nil, nil, TTLExpired},
			{"an address there", subIP, 1, nil, nil, Local},
			{"a label that forwards", ip4("10.20.0.1"), 9, []packet.LSE{lab(inLeak, 0, 7)}, out(20, ip4("10.20.0.1"), 6), 0},
			{"a label that swaps", ip4("10.20.0.1"), 9, []packet.LSE{lab(inLeakSwap, 0, 7)}, out(20, ip4("10.20.0.1"), 6), 0},
			{"a label that swaps, to an address there", subIP, 9, []packet.LSE{lab(inLeakSwap, 0, 7)}, nil, Local},
			{"a label that swaps, to the TTL's end", subIP, 9, []packet.LSE{lab(inLeakSwap, 0, 1)}, nil, TTLExpired},
			{"a label that forwards, another one under it", subIP, 9, []packet.LSE{lab(inLeak, 0, 7), lab(55, 0, 7)}, nil, MPLSPayload},
			{"a label that swaps, another one under it", subIP, 9, []packet.LSE{lab(inLeakSwap, 0, 7), lab(55, 0, 7)}, nil, AdjacencyDrops},
			{"a label to a martian", ip4("127.0.0.1"), 9, []packet.LSE{lab(inLeakSwap, 0, 7)}, nil, MartianDestination},
		} {
			r := leakRig(t, func(cfg *Config, _ *fib.Batch) { cfg.FlowCache = flows })
			ip := ipv4(behind1, c.dst, pattern(20), ttl(c.ttl))
			in := toWAN(ip)
			if c.stack != nil {
				in = labelled(ip, c.stack...)
			}
			r.fromWAN(in)
			r.now++
			r.fromWAN(in)
			if c.want == nil {
				r.punts = r.punts[:min(1, len(r.punts))]
				if n := r.count(c.none); c.none == Unroutable && n != 1 || c.none != Unroutable && n != 2 {
					t.Errorf("%s: %v", c.name, r.nonZero())
				}
			} else if got := r.lan.take(); len(got) != 2 || !bytes.Equal(got[0], c.want) || !bytes.Equal(got[1], c.want) {
				t.Errorf("%s: sent %x, want\n%x; %v", c.name, got, c.want, r.nonZero())
			}
			if c.none == Local || c.none == Unroutable {
				vrf := fib.VRF(red)
				if c.stack != nil {
					vrf = blue
				}
				if u := r.onePunt(c.none); u.VRF != vrf || !u.Leaked || u.From != fib.Global || u.Port != wan || u.Tunnel != 0 || len(u.Stack) != 4*len(c.stack) {
					t.Errorf("%s: punt %+v", c.name, u)
				}
			}
			if flows > 0 && c.want != nil && c.stack == nil {
				n := 0
				r.e.Flows(func(f *Flow) bool {
					n++
					if f.Packets != 2 || f.VRF != blue || f.OutPort != subBlue || f.InPort != wan {
						t.Errorf("%s: flow %+v", c.name, f)
					}
					return true
				})
				if n != 1 {
					t.Errorf("%s: %d flows", c.name, n)
				}
			}
		}
	}
}

// TestLeakOthers: of a tunnel, of paths, injected, by a subinterface to an address elsewhere; and no redirect for what changed its VRF.
func TestLeakOthers(t *testing.T) {
	r := leakRig(t)
	r.fromWAN(fromSpoke1(ipv4(behind1, ip4("10.20.0.1"), nil)))
	if got := r.oneOut(r.lan); !bytes.Equal(got, tagFrame(ethernet(hostMAC, lanMAC, ipv4(behind1, ip4("10.20.0.1"), nil, ttl(63))), 20)) {
		t.Errorf("sent %x", got)
	}
	r.lan.take()
	seen := map[byte]int{}
	for i := range 64 {
		r.fromWAN(toWAN(ipv4(behind1, [4]byte{10, 33, 0, byte(i)}, nil)))
	}
	for _, f := range r.lan.take() {
		seen[f[15]]++
	}
	if seen[10] < 10 || seen[20] < 10 || seen[10]+seen[20] != 64 {
		t.Errorf("paths %v", seen)
	}
	for _, c := range []struct {
		dst  [4]byte
		want []byte
	}{
		{ip4("10.20.0.1"), tagFrame(ethernet(hostMAC, lanMAC, ipv4(hubLAN, ip4("10.20.0.1"), nil, ttl(1))), 20)},
		{subIP, nil},
	} {
		if err := r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, c.dst, nil, ttl(1))}); err != nil {
			t.Fatal(err)
		}
		r.poll()
		if got := r.lan.take(); c.want != nil && (len(got) != 1 || !bytes.Equal(got[0], c.want)) {
			t.Errorf("injected: sent %x, want\n%x", got, c.want)
		}
	}
	if u := r.onePunt(Local); u.VRF != red || u.Port != 0 {
		t.Errorf("injected to another VRF's address: punt %+v", u)
	}
	r.punts = nil
	r.fromLAN(tagFrame(toLAN(ipv4(subHost, hubLAN, nil)), 20))
	if u := r.onePunt(Local); u.VRF != fib.Global || u.Port != subBlue || !bytes.Equal(u.Packet, ipv4(subHost, hubLAN, nil)) {
		t.Errorf("from blue to an address of the global table: punt %+v", u)
	}
	// The slow path is told where the source is.
	for _, c := range []struct {
		in         []byte
		from, last fib.VRF
	}{
		{toWAN(ipv4(behind1, ip4("10.20.0.1"), nil, ttl(1))), fib.Global, blue},
		{tagFrame(toLAN(ipv4(subHost, ip4("10.30.0.1"), nil, ttl(1))), 10), red, blue},
		{labelled(ipv4(subHost, ip4("10.30.0.1"), nil, ttl(9)), lab(7000, 0, 1)), red, blue},
	} {
		r.punts = nil
		r.fromAny(c.in)
		if u := r.onePunt(TTLExpired); !u.Leaked || u.From != c.from || u.VRF != c.last || u.Switched {
			t.Errorf("%x: punt %+v", c.in, u)
		}
	}
	r.punts = nil
	r.fromLAN(tagFrame(toLAN(ipv4(subHost, subHost, nil, ttl(1))), 10))
	if u := r.onePunt(TTLExpired); u.Leaked || u.From != 0 || u.VRF != red {
		t.Errorf("what stays in its VRF: punt %+v", u)
	}
	// The tunnel's network leads back into itself by another VRF: forwarded, and nobody is redirected.
	r = leakRig(t, func(_ *Config, b *fib.Batch) {
		b.Routes = append(b.Routes, route("10.40.0.0/16", adjToBlue), inVRF1(blue, "10.40.0.0/16", adjSpoke2))
	})
	r.fromWAN(fromSpoke1(ipv4(behind1, ip4("10.40.0.1"), nil)))
	r.oneOut(r.wan)
	if r.count(Redirect) != 0 {
		t.Error("a redirect")
	}
}

// fromAny has a frame arrive at the port that it is addressed to.
func (r *rig) fromAny(f []byte) {
	if bytes.Equal(f[:6], lanMAC[:]) {
		r.fromLAN(f)
	} else {
		r.fromWAN(f)
	}
}

// TestLeakCheck: an adjacency that looks up again has nothing else.
func TestLeakCheck(t *testing.T) {
	r := leakRig(t)
	link := linkAdj(80, lan, lanMAC, hostMAC)
	for _, a := range []fib.Adjacency{
		{ID: 80, Kind: fib.AdjLookup, VRF: 300}, {ID: 80, Kind: fib.AdjLookup, Port: lan}, {ID: 80, Kind: fib.AdjLookup, Tunnel: tunnelID}, {ID: 80, Kind: fib.AdjLookup, Outer: link.Outer},
		{ID: 80, Kind: fib.AdjLookup, Labels: []uint32{100}}, {ID: 80, Kind: fib.AdjLookup, SA: 1}, {ID: 80, Kind: fib.AdjLookup + 1},
		{ID: 80, Kind: fib.AdjGlean, Outer: make([]byte, 50)}, {ID: 80, Kind: fib.AdjGlean, Inner: make([]byte, 30), Labels: []uint32{100}},
	} {
		if _, err := r.e.Apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
	inherited(t, r)
}

// inherited checks that what is installed comes out as values, and that applying those again changes nothing.
func inherited(t *testing.T, r *rig) {
	t.Helper()
	b, gen := r.e.Inherited(), r.e.Generation()
	r.apply(&b)
	if r.e.Generation() != gen {
		t.Error("applying what is installed changed something")
	}
}
