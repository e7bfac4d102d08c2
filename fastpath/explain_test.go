package fastpath

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/packet"
)

// explain asks about a packet, and checks that nothing has changed by that, in the arena or elsewhere.
func (r *rig) explain(q Question) Explanation {
	r.t.Helper()
	before, free := r.memory(), r.w.pool.Free()
	count := r.e.Counters()
	x, err := r.e.Explain(r.now, q)
	if err != nil {
		r.t.Fatalf("explain: %v", err)
	}
	if after := r.memory(); !bytes.Equal(before, after) {
		at := 0
		for before[at] == after[at] {
			at++
		}
		r.t.Fatalf("an explanation has changed the arena at byte %d", at)
	}
	if !reflect.DeepEqual(count, r.e.Counters()) || r.w.pool.Free() != free {
		r.t.Fatal("an explanation has changed counters or frames")
	}
	return x
}

// memory is a copy of all that is in the arena.
func (r *rig) memory() []byte {
	return bytes.Clone(r.e.arena.Bytes(arena.Ref(0), r.e.arena.Used()))
}

// probe is a packet to ask about.
func probe(src, dst [4]byte, size int, opts ...ipOpt) []byte {
	return ipv4(src, dst, pattern(size-packet.IPv4Len), opts...)
}

// TestExplain: each kind of outcome, with the entries that were used.
func TestExplain(t *testing.T) {
	lanIn, tunnelIn := Origin{Port: lan}, Origin{Tunnel: tunnelID, Peer: addr(spoke1NBMA)}
	far := ip4("198.51.100.7")
	for _, c := range []struct {
		name   string
		rig    func(testing.TB) *rig
		from   Origin
		ip     []byte
		labels []uint32
		fate   Fate
		reason Reason
		adj    fib.AdjID // of the only way; 0: none
		prefix string    // of the last look; "": none
		frames int
		check  func(t *testing.T, x *Explanation)
	}{
		{name: "no route", from: lanIn, ip: probe(hostIP, far, 100), fate: Punted, reason: Unroutable},
		{name: "no route, ours", from: Origin{Own: true}, ip: probe(hubLAN, far, 100), reason: NoRoute},
		{name: "to ourselves", from: Origin{Own: true}, ip: probe(hubLAN, hubTunnel, 100), reason: InjectToSelf, prefix: "10.255.0.1/32"},
		{name: "null", from: lanIn, ip: probe(hostIP, ip4("10.66.1.1"), 100), reason: NullRoute, prefix: "10.66.0.0/16"},
		{name: "glean", from: tunnelIn, ip: probe(behind1, ip4("10.0.0.77"), 100), fate: Punted, reason: Glean, adj: adjGlean, prefix: "10.0.0.0/24"},
		{name: "TTL", from: lanIn, ip: probe(hostIP, behind1, 100, ttl(1)), fate: Punted, reason: TTLExpired, adj: adjSpoke1, prefix: "10.1.0.0/24"},
		{name: "too big", from: lanIn, ip: probe(hostIP, behind1, 1450, df), fate: Punted, reason: FragNeeded, adj: adjSpoke1, prefix: "10.1.0.0/24", check: func(t *testing.T, x *Explanation) {
			if x.MTU != tunnelMTU {
				t.Errorf("MTU %d", x.MTU)
			}
		}},
		{name: "cut", from: lanIn, ip: probe(hostIP, behind1, 1450), fate: Forwarded, adj: adjSpoke1, prefix: "10.1.0.0/24", frames: 2, check: func(t *testing.T, x *Explanation) {
			if !x.Cut || x.Ways[0].Frames[0].Length != 1396+28 || x.Ways[0].Frames[1].Length != 20+54+28 {
				t.Errorf("%+v", x.Ways[0].Frames)
			}
		}},
		{name: "by GRE", from: lanIn, ip: probe(hostIP, behind1, 100, tos(0xb8)), fate: Forwarded, adj: adjSpoke1, prefix: "10.1.0.0/24", frames: 1, check: func(t *testing.T, x *Explanation) {
			w := x.Ways[0]
			want := Frame{Port: wan, SrcMAC: wanMAC, DstMAC: gwMAC, Length: 128, Src: addr(hubNBMA), Dst: addr(spoke1NBMA), Proto: packet.ProtoGRE, TTL: 255, TOS: 0xb8}
			if !reflect.DeepEqual(w.Frames[0], want) || w.Inner != 8 || w.Outer != 20 || !w.HasKey || w.Key != tunnelKey || w.Peer != addr(spoke1NBMA) || w.Tunnel != tunnelID || !w.Left {
				t.Errorf("way %+v", w)
			}
		}},
		{name: "from spoke to spoke", from: tunnelIn, ip: probe(behind1, behind2, 100), fate: Forwarded, adj: adjSpoke2, prefix: "10.2.0.0/24", frames: 1, check: func(t *testing.T, x *Explanation) {
			if !slices.Equal(x.Told, []Reason{Redirect}) {
				t.Errorf("told %v", x.Told)
			}
		}},
		{name: "back where it came from", from: tunnelIn, ip: probe(behind2, behind1, 100), fate: Forwarded, adj: adjSpoke1, prefix: "10.1.0.0/24", frames: 1, check: func(t *testing.T, x *Explanation) {
			if len(x.Told) != 0 {
				t.Errorf("told %v", x.Told)
			}
		}},
		{name: "to the host", from: tunnelIn, ip: probe(behind1, hostIP, 100), fate: Forwarded, adj: adjHost, prefix: "10.0.0.9/32", frames: 1, check: func(t *testing.T, x *Explanation) {
			if f := x.Ways[0].Frames[0]; f.DstMAC != hostMAC || f.TTL != 63 || f.Length != 100 {
				t.Errorf("%+v", f)
			}
		}},
		{name: "for us", from: tunnelIn, ip: probe(behind1, hubTunnel, 100), fate: Punted, reason: Local, prefix: "10.255.0.1/32"},
		{name: "multicast", from: tunnelIn, ip: probe(behind1, mcast, 100), fate: Forwarded, check: func(t *testing.T, x *Explanation) {
			if x.Members != 2 || len(x.Ways) != 2 || x.Ways[0].Left || !x.Ways[1].Left || x.Ways[0].Reason != Unknown || x.Group != group {
				t.Errorf("%+v", x)
			}
		}},
		{name: "multicast from a port", from: lanIn, ip: probe(hostIP, mcast, 100), reason: MulticastFromPort},
		{name: "our multicast", from: Origin{Own: true, Tunnel: tunnelID}, ip: probe(hubTunnel, mcast, 100), fate: Forwarded, check: func(t *testing.T, x *Explanation) {
			if len(x.Ways) != 2 || !x.Ways[0].Left || !x.Ways[1].Left {
				t.Errorf("%+v", x.Ways)
			}
		}},
		{name: "a martian", from: lanIn, ip: probe(ip4("127.0.0.1"), behind1, 100), reason: MartianSource},
		{name: "IP is off", rig: subsRig, from: lanIn, ip: probe(hostIP, behind1, 100), reason: IPOff, prefix: "10.1.0.0/24"},
		{name: "by a subinterface", rig: subsRig, from: Origin{Port: subRed}, ip: probe(subHost, ip4("10.20.0.1"), 100), fate: Forwarded, adj: adjRed, prefix: "10.20.0.0/16", frames: 1, check: func(t *testing.T, x *Explanation) {
			if x.From.VRF != red || x.Looks[0].VRF != red || x.Ways[0].Frames[0].VLAN != 10 {
				t.Errorf("%+v", x)
			}
		}},
		{name: "to a subinterface's address", rig: subsRig, from: Origin{Port: subRed}, ip: probe(subHost, subIP, 100), fate: Punted, reason: Host, prefix: "192.168.11.2/32"},
		{name: "a leak", rig: leaksRig, from: Origin{Port: wan}, ip: probe(behind1, ip4("10.20.0.1"), 100), fate: Forwarded, adj: adjBlue, prefix: "10.20.0.0/16", frames: 1, check: func(t *testing.T, x *Explanation) {
			if len(x.Looks) != 2 || x.Looks[0].VRF != fib.Global || x.Looks[0].Chosen != adjToBlue || x.Looks[1].VRF != blue {
				t.Errorf("looks %+v", x.Looks)
			}
		}},
		{name: "a leak that leads on", rig: leaksRig, from: Origin{Port: wan}, ip: probe(behind1, ip4("10.30.0.1"), 100), reason: LeakLoop, adj: adjToBlue, prefix: "10.30.0.0/16"},
		{name: "push", rig: labelsRig, from: lanIn, ip: probe(hostIP, ip4("10.50.1.9"), 100), fate: Forwarded, adj: adjLink2, prefix: "10.50.1.0/24", frames: 1},
		{name: "push three", rig: labelsRig, from: lanIn, ip: probe(hostIP, toLabel(4), 100), fate: Forwarded, prefix: "10.50.4.0/24", adj: adjTunnel2, frames: 1, check: func(t *testing.T, x *Explanation) {
			if !slices.Equal(x.Ways[0].Labels, []uint32{100, 200}) || x.Ways[0].Inner != 16 {
				t.Errorf("%+v", x.Ways[0])
			}
		}},
		{name: "swap", rig: labelsRig, from: Origin{Port: wan}, ip: probe(vpnSource, inVPNHost, 100), labels: []uint32{inTunnel2}, fate: Forwarded, adj: adjTunnel2, frames: 1, check: func(t *testing.T, x *Explanation) {
			if len(x.Labels) != 1 || x.Labels[0].Action != fib.LabelSwap || !slices.Equal(x.Labels[0].Paths, []fib.AdjID{adjTunnel2}) {
				t.Errorf("%+v", x.Labels)
			}
		}},
		{name: "aggregate", rig: labelsRig, from: tunnelIn, ip: probe(vpnSource, inVPNHost, 100), labels: []uint32{inSelf, inVRF}, fate: Forwarded, adj: adjHost, prefix: "172.16.0.0/16", frames: 1, check: func(t *testing.T, x *Explanation) {
			if len(x.Labels) != 2 || x.Labels[1].VRF != vpn || x.Looks[0].VRF != vpn {
				t.Errorf("%+v", x)
			}
		}},
		{name: "pop", rig: labelsRig, from: Origin{Port: wan}, ip: probe(vpnSource, inVPNHost, 100), labels: []uint32{inForward}, fate: Forwarded, adj: adjHost, frames: 1},
		{name: "an unknown label", rig: labelsRig, from: Origin{Port: wan}, ip: probe(vpnSource, inVPNHost, 100), labels: []uint32{99999}, reason: MPLSUnknown},
		{name: "labels are off", from: lanIn, ip: probe(vpnSource, inVPNHost, 100), labels: []uint32{inForward}, reason: MPLSOff},
		{name: "outer labels", rig: fuzzedRig, from: Origin{Port: wan}, ip: probe(behind1, ip4("10.44.0.1"), 100), fate: Forwarded, adj: adjOutside, prefix: "10.44.0.0/16", frames: 1, check: func(t *testing.T, x *Explanation) {
			if w := x.Ways[0]; !slices.Equal(w.Outside, []uint32{100, 200, 300}) || !slices.Equal(w.Frames[0].Labels, []uint32{100, 200, 300}) || w.Frames[0].VLAN != 30 {
				t.Errorf("%+v", w)
			}
		}},
		{name: "too much for a frame is asked of the caller", from: lanIn, ip: probe(hostIP, behind1, 1400), fate: Forwarded, adj: adjSpoke1, prefix: "10.1.0.0/24", frames: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := c.rig
			if build == nil {
				build = plainRig
			}
			r := build(t)
			x := r.explain(Question{Packet: c.ip, Labels: c.labels, From: c.from})
			if x.Fate != c.fate || x.Reason != c.reason {
				t.Fatalf("fate %d, %s; want %d, %s", x.Fate, x.Reason, c.fate, c.reason)
			}
			got := ""
			if n := len(x.Looks); n > 0 && x.Looks[n-1].Found {
				got = x.Looks[n-1].Prefix.String()
			}
			if got != c.prefix {
				t.Errorf("looked up %q, want %q", got, c.prefix)
			}
			if c.adj != 0 && (len(x.Ways) != 1 || x.Ways[0].Adj != c.adj || len(x.Ways[0].Frames) != c.frames) || c.adj == 0 && x.Members == 0 && len(x.Ways) != 0 {
				t.Errorf("ways %+v, want adjacency %d with %d frames", x.Ways, c.adj, c.frames)
			}
			if c.check != nil {
				c.check(t, &x)
			}
		})
	}
}

func plainRig(t testing.TB) *rig  { return newRig(t) }
func subsRig(t testing.TB) *rig   { return subRig(t) }
func leaksRig(t testing.TB) *rig  { return leakRig(t) }
func labelsRig(t testing.TB) *rig { return labelRig(t) }
func fuzzedRig(t testing.TB) *rig { return fuzzRig(t) }

// TestExplainErrors: what comes from nowhere, or is no packet.
func TestExplainErrors(t *testing.T) {
	r := newRig(t)
	good := probe(hostIP, behind1, 100)
	for name, c := range map[string]struct {
		q    Question
		want error
		text string
	}{
		"no port":     {Question{Packet: good, From: Origin{Port: 9}}, ErrNoPort, ""},
		"no tunnel":   {Question{Packet: good, From: Origin{Tunnel: 9}}, ErrNoTunnel, ""},
		"nothing":     {Question{From: Origin{Port: lan}}, nil, "shorter"},
		"a tail":      {Question{Packet: append(slices.Clone(good), 0), From: Origin{Port: lan}}, nil, "IPv4"},
		"too long":    {Question{Packet: probe(hostIP, behind1, 9000), From: Origin{Port: lan}}, ErrTooLong, "9014"},
		"ours, long":  {Question{Packet: probe(hostIP, behind1, 9000), From: Origin{Own: true}}, ErrTooLong, "9000"},
		"tunnel long": {Question{Packet: probe(hostIP, behind1, 4000), From: Origin{Tunnel: tunnelID}}, ErrTooLong, "4008"},
	} {
		_, err := r.e.Explain(1, c.q)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.fromLAN(toLAN(good))
	if len(r.wan.out) != 1 {
		t.Error("the worker forwards no more")
	}
	empty, err := New(Config{ArenaBytes: 8 << 20, MaxRoutes: 16, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if _, err := empty.Explain(1, Question{Packet: good, From: Origin{Own: true}}); err == nil {
		t.Error("an engine without workers explains")
	}
}

// randomQuestion is a packet to somewhere in fuzzRig, from somewhere.
func randomQuestion(rnd *rand.Rand) Question {
	to := [][4]byte{
		hostIP, behind1, behind2, hubLAN, hubTunnel, hubNBMA, mcast, ip4("224.0.0.5"), ip4("255.255.255.255"), ip4("127.0.0.1"), ip4("240.1.1.1"), ip4("0.1.2.3"), ip4("10.0.0.77"), ip4("10.66.0.1"), ip4("8.8.8.8"), ip4("10.3.0.1"), ip4("10.4.0.1"),
		ip4("10.5.0.1"), ip4("10.44.0.1"), ip4("10.20.0.1"), ip4("10.21.0.1"), ip4("10.22.0.1"), ip4("10.30.0.1"), ip4("10.31.0.1"), ip4("10.32.0.1"), ip4("10.33.0.1"), ip4("10.9.0.1"), subIP, subHost,
		toLabel(0), toLabel(1), toLabel(2), toLabel(3), toLabel(4), toLabel(5), toLabel(6), inVPNHost, inVPNTunnel, inVPNSelf, inVPNSpoke,
	}
	labels := []uint32{0, 1, 3, 7, inVRF, inSelf, inForward, inPaths, inLink0, inLink1, inLink3, inTunnel0, inTunnel2, inPipe, inPipeVRF, inPipeForward, inExpLink0, inUniformTOS, inLeak, inLeakSwap, inSealed, 7000, 7001, 7002, 99999}
	pick := func(list []int) int { return list[rnd.IntN(len(list))] }
	size := pick([]int{28, 60, 100, 300, 480, 520, 690, 900, 1390, 1401, 1480, 1500})
	opts := []ipOpt{ttl(uint8(pick([]int{1, 2, 64}))), tos(uint8(pick([]int{0, 0xb8, 0xc0}))), proto(uint8(pick([]int{1, 6, 17, 89})))}
	if rnd.IntN(3) == 0 {
		opts = append(opts, df)
	}
	src := to[rnd.IntN(len(to))]
	q := Question{Packet: probe(src, to[rnd.IntN(len(to))], size, opts...)}
	switch rnd.IntN(8) {
	case 0:
		q.From = Origin{Own: true, VRF: []fib.VRF{0, red, blue, vpn}[rnd.IntN(4)]}
	case 1:
		q.From = Origin{Own: true, Tunnel: tunnelID}
	case 2, 3:
		q.From = Origin{Tunnel: tunnelID, Peer: addr([][4]byte{spoke1NBMA, spoke2NBMA, ip4("192.0.2.99")}[rnd.IntN(3)])}
	default:
		q.From = Origin{Port: []fib.PortID{wan, lan, subRed, subBlue, subWAN}[rnd.IntN(5)]}
	}
	for !q.From.Own && rnd.IntN(2) == 0 && len(q.Labels) < 2 {
		q.Labels = append(q.Labels, labels[rnd.IntN(len(labels))])
	}
	return q
}

// send gives the worker what a Question asks about, built otherwise.
func (r *rig) send(q *Question) {
	r.t.Helper()
	ip := q.Packet
	var stack []packet.LSE
	for _, l := range q.Labels {
		stack = append(stack, lab(l, packet.IPv4(ip).TOS()>>5, packet.IPv4(ip).TTL()))
	}
	frame := func(dst [6]byte) []byte {
		if len(stack) > 0 {
			return mplsFrame(dst, hostMAC, under(ip, stack...))
		}
		if d := packet.IPv4(ip).Dst(); d>>28 == 14 {
			dst = [6]byte{1, 0, 0x5e, byte(d>>16) & 0x7f, byte(d >> 8), byte(d)}
		}
		return ethernet(dst, hostMAC, ip)
	}
	switch {
	case q.From.Own:
		if err := r.e.Inject(Inject{Kind: InjectRoute, VRF: q.From.VRF, Tunnel: q.From.Tunnel, Packet: ip}); err != nil {
			r.t.Fatal(err)
		}
	case q.From.Tunnel != 0 && len(stack) > 0:
		r.wan.in = append(r.wan.in, toWAN(grePacket(q.From.Peer.As4(), packet.TypeMPLS, under(ip, stack...))))
	case q.From.Tunnel != 0:
		r.wan.in = append(r.wan.in, toWAN(grePacket(q.From.Peer.As4(), packet.TypeIPv4, ip)))
	case q.From.Port == wan:
		r.wan.in = append(r.wan.in, frame(wanMAC))
	case q.From.Port == lan:
		r.lan.in = append(r.lan.in, frame(lanMAC))
	case q.From.Port == subWAN:
		r.wan.in = append(r.wan.in, tagFrame(frame(wanMAC), 30))
	default:
		r.lan.in = append(r.lan.in, tagFrame(frame(lanMAC), map[fib.PortID]uint16{subRed: 10, subBlue: 20}[q.From.Port]))
	}
	r.settle()
}

// agrees sends the packet that x explains, and compares.
func (r *rig) agrees(q *Question, x *Explanation) {
	r.t.Helper()
	before := r.e.Counters()
	r.punts, r.wan.out, r.lan.out = nil, nil, nil
	r.send(q)
	after := r.e.Counters()
	fate, reason := Dropped, Unknown
	if after.Workers[0].Forwarded > before.Workers[0].Forwarded {
		fate = Forwarded
	}
	var told []Reason
	for i := range after.Reasons {
		n := after.Reasons[i] - before.Reasons[i] + after.Lost[i] - before.Lost[i]
		switch c := Reason(i).Class(); {
		case n == 0 || c == ClassLink:
		case c == ClassCopy:
			told = append(told, Reason(i))
		case c == ClassPunt:
			fate, reason = Punted, Reason(i)
		default:
			reason = Reason(i)
		}
	}
	if fate != x.Fate || reason != x.Reason || !slices.Equal(told, x.Told) {
		r.t.Fatalf("explained as %d %s, told %v; became %d %s, told %v", x.Fate, x.Reason, x.Told, fate, reason, told)
	}
	want := map[fib.PortID][]Frame{}
	for id, p := range map[fib.PortID]*wire{wan: r.wan, lan: r.lan} {
		for _, b := range p.out {
			want[id] = append(want[id], readFrame(id, b))
		}
	}
	if x.Members > 0 {
		r.copiesAgree(x, &before, &after)
		return
	}
	got := map[fib.PortID][]Frame{}
	for _, w := range x.Ways {
		for _, f := range w.Frames {
			got[f.Port] = append(got[f.Port], f)
		}
		if left := after.Adjacencies[w.Adj] != before.Adjacencies[w.Adj]; left != w.Left {
			r.t.Fatalf("adjacency %d: left %v, explained as %v", w.Adj, left, w.Left)
		}
	}
	if !reflect.DeepEqual(got, want) {
		r.t.Fatalf("frames explained\n%+v\nthat left\n%+v", got, want)
	}
	if fate == Forwarded && (len(x.Ways) != 1 || !x.Ways[0].Left) {
		r.t.Fatalf("forwarded, by %+v", x.Ways)
	}
}

func (r *rig) copiesAgree(x *Explanation, before, after *Snapshot) {
	r.t.Helper()
	for _, w := range x.Ways {
		if left := after.Adjacencies[w.Adj] != before.Adjacencies[w.Adj]; left != w.Left {
			r.t.Fatalf("a copy by adjacency %d: %v, explained as %v", w.Adj, left, w.Left)
		}
	}
}

// TestExplainAgrees: what is explained of any packet is what the worker then does with it.
func TestExplainAgrees(t *testing.T) {
	for name, change := range map[string]func(*Config, *fib.Batch){
		"as ever":    func(*Config, *fib.Batch) {},
		"with flows": func(c *Config, _ *fib.Batch) { c.FlowCache = 1000 },
		"shared":     func(c *Config, _ *fib.Batch) { c.Private = false },
		"library":    func(c *Config, _ *fib.Batch) { c.library = true },
	} {
		t.Run(name, func(t *testing.T) {
			r, rnd := fuzzRig(t, change), rand.New(rand.NewPCG(7, 9))
			fates := map[Fate]int{}
			for i := range 300 {
				r.now += 10e9
				q := randomQuestion(rnd)
				var x Explanation
				if i%20 == 0 {
					x = r.explain(q) // and nothing has changed
				} else {
					var err error
					if x, err = r.e.Explain(r.now, q); err != nil {
						t.Fatal(err)
					}
				}
				fates[x.Fate]++
				r.agrees(&q, &x)
				if t.Failed() {
					t.Fatalf("%+v\n%+v", q, x)
				}
			}
			if fates[Dropped] < 50 || fates[Punted] < 50 || fates[Forwarded] < 50 {
				t.Errorf("fates %v: too few of one", fates)
			}
		})
	}
}
