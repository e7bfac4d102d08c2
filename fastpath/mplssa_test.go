package fastpath

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// The pair has labels in its protected tunnel: the spoke pushes for the hub, and the hub sends some of that back.
const (
	spokePush = fib.AdjID(40) // at the spoke, pushes hubIn
	hubBack   = fib.AdjID(41) // at the hub, pushes spokeIn
	hubIn     = 5000
	hubLocal  = 5001
	spokeIn   = 6000
)

func labelPair(t testing.TB, s suite) *pair {
	return newPair(t, s, func(_ *Config, b *fib.Batch) {
		b.Tunnels[0].MPLS = true
		push := b.Adjacencies[1]
		push.ID = spokePush
		if b.Ports[0].Addr == addr(spoke1NBMA) {
			push.Labels = []uint32{hubIn}
			b.Labels = append(b.Labels, fib.Label{In: spokeIn, Action: fib.LabelForward, Paths: []fib.AdjID{adjHost}})
			b.Routes = append(b.Routes, route("10.80.0.0/16", spokePush))
		} else {
			push.ID, push.Labels = hubBack, []uint32{spokeIn}
			b.Labels = append(b.Labels, fib.Label{In: hubIn, Action: fib.LabelSwap, Paths: []fib.AdjID{hubBack}},
				fib.Label{In: hubLocal, Action: fib.LabelLookup})
		}
		b.Adjacencies = append(b.Adjacencies, push)
	})
}

// TestLabelSealed: a label is pushed, sealed, opened, swapped, sealed, opened and taken off, with every transform.
func TestLabelSealed(t *testing.T) {
	dst := ip4("10.80.0.1")
	for _, s := range suites() {
		s.window = 64
		p := labelPair(t, s)
		var packets [][]byte
		for i := range 40 { // more than a vector
			packets = append(packets, ipv4(hostIP, dst, pattern(17*i), tos(0xa0)))
		}
		there := p.sealed(packets...)
		for _, f := range there {
			p.hub.wan.in = append(p.hub.wan.in, append([]byte(nil), f...))
		}
		p.hub.settle()
		back := toHub(p.hub.wan.take())
		if len(there) != 40 || len(back) != 40 {
			t.Fatalf("%s: %d there, %d back; hub %v", s.name, len(there), len(back), p.hub.nonZero())
		}
		p.spoke.wan.in = back
		p.spoke.settle()
		out := p.spoke.lan.take()
		if len(out) != 40 {
			t.Fatalf("%s: %d arrive; spoke %v", s.name, len(out), p.spoke.nonZero())
		}
		for i, f := range out {
			if want := ethernet(hostMAC, lanMAC, ipv4(hostIP, dst, pattern(17*i), tos(0xa0), ttl(61))); !bytes.Equal(f, want) {
				t.Fatalf("%s: packet %d is\n%x, want\n%x", s.name, i, f, want)
			}
		}
		if n := p.hub.e.Counters().Workers[0].Labelled; n != 40 {
			t.Errorf("%s: %d labelled packets", s.name, n)
		}
	}
}

// TestLabelClear: labels in clear do not come into a protected tunnel.
func TestLabelClear(t *testing.T) {
	p := labelPair(t, gcm128)
	p.hub.fromWAN(fromTunnel(ipv4(behind1, hostIP, nil), lab(hubIn, 0, 9)))
	p.hub.only(ClearOnProtected, 1)
}

// TestLabelsInLane: a packet that waits for a slow cipher leaves only with the labels that it was to leave with.
func TestLabelsInLane(t *testing.T) {
	s := suite{name: "3des", cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20}
	for _, labels := range [][]uint32{nil, {hubIn + 1}, {hubIn, hubIn}, {hubIn}} {
		p := labelPair(t, s)
		r := p.spoke
		q := r.w.byID[lan]
		r.lan.in = append(r.lan.in, toLAN(ipv4(hostIP, ip4("10.80.0.1"), pattern(100))))
		r.w.mu.Lock()
		r.w.reader.Enter()
		r.w.receive(q) // without the lane's turn
		r.w.reader.Exit()
		r.w.mu.Unlock()
		if r.w.lane.n != 1 {
			t.Fatalf("%d packets wait", r.w.lane.n)
		}
		var push fib.Adjacency
		for _, a := range r.e.Inherited().Adjacencies {
			if a.ID == spokePush {
				push = a
			}
		}
		push.Labels = labels
		r.apply(&fib.Batch{Adjacencies: []fib.Adjacency{push}})
		r.w.c.words[cntPackets]++ // what polling would have counted
		r.settle()
		same := len(labels) == 1 && labels[0] == hubIn
		if sent := len(r.wan.take()) == 1; sent != same || r.count(NoSA) != 1 && !same {
			t.Errorf("labels became %v: sent %v, %v", labels, sent, r.nonZero())
		}
	}
}

// TestInjectLabelled: what its label says is done with an injected packet; and what has labels of its own takes no protocol but IPv4.
func TestInjectLabelled(t *testing.T) {
	r := labelRig(t)
	ip := ipv4(hubLAN, inVPNHost, pattern(50))
	inject := func(in Inject) {
		t.Helper()
		if err := r.e.Inject(in); err != nil {
			t.Fatal(err)
		}
		r.poll()
	}
	inject(Inject{Kind: InjectLabelled, Packet: under(ip, lab(inLink2, 6, 255), lab(7, 0, 3))})
	if got, want := r.oneOut(r.lan), toHost(ip, lab(100, 6, 254), lab(200, 6, 254), lab(7, 0, 3)); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	r.lan.take()
	inject(Inject{Kind: InjectLabelled, Packet: under(ip, lab(inVRF, 6, 255))})
	if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ip); !bytes.Equal(got, want) { // its own TTL stays
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	r.lan.take()
	inject(Inject{Kind: InjectAdjacent, Adj: adjLink1, Packet: ip})
	if got, want := r.oneOut(r.lan), toHost(ip, lab(100, 0, 64)); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	r.lan.take()
	r.apply(&fib.Batch{Groups: []fib.Group{{ID: group, Members: []fib.AdjID{adjTunnel1, adjSpoke1}}}})
	inject(Inject{Kind: InjectAdjacent, Adj: adjTunnel1, Proto: packet.TypeNHRP, Packet: pattern(20)})
	if r.count(InjectBad) != 1 {
		t.Errorf("%v", r.nonZero())
	}
	inject(Inject{Kind: InjectGroup, Group: group, Proto: packet.TypeNHRP, Packet: pattern(20)})
	if _, g, inner := r.ungre(r.oneOut(r.wan)); g.Proto != packet.TypeNHRP || !bytes.Equal(inner, pattern(20)) {
		t.Errorf("sent %+v %x", g, inner)
	}
	r.wan.take()
	inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke1, Proto: packet.TypeMPLS, Packet: under(ip, lab(8, 1, 2))})
	if _, b := r.ungreMPLS(r.oneOut(r.wan)); !bytes.Equal(b, under(ip, lab(8, 1, 2))) {
		t.Errorf("sent %x", b)
	}
	for _, b := range [][]byte{{}, {1, 2, 3}} {
		inject(Inject{Kind: InjectLabelled, Packet: b})
	}
	if r.count(MPLSShort) != 2 {
		t.Errorf("%v", r.nonZero())
	}
}

// TestLabelPaths: the flows of a label take all its paths, and each flow one.
func TestLabelPaths(t *testing.T) {
	r := labelRig(t)
	send := func(i int, payload []byte, stack ...packet.LSE) bool {
		r.lan.take()
		r.wan.take()
		r.fromWAN(labelled(payload, stack...))
		if len(r.lan.out)+len(r.wan.out) != 1 {
			t.Fatalf("flow %d: %v", i, r.nonZero())
		}
		return len(r.lan.out) == 1
	}
	for name, build := range map[string]func(i int) bool{
		"addresses": func(i int) bool {
			return send(i, ipv4([4]byte{172, 20, 1, byte(i)}, inVPNHost, pattern(20)), lab(inPaths, 0, 9))
		},
		"labels": func(i int) bool { return send(i, pattern(20), lab(inPaths, 0, 9), lab(uint32(1000+i), 0, 9)) },
	} {
		byLAN := 0
		for i := range 200 {
			one := build(i)
			if again := build(i); again != one {
				t.Fatalf("%s: flow %d takes both paths", name, i)
			}
			if one {
				byLAN++
			}
		}
		if byLAN < 60 || byLAN > 140 {
			t.Errorf("%s: %d of 200 flows by the first path", name, byLAN)
		}
	}
}

// TestLabelCheck: batches that contradict themselves.
func TestLabelCheck(t *testing.T) {
	r := labelRig(t)
	label := func(f func(*fib.Label)) *fib.Batch {
		l := fib.Label{In: 3000, Action: fib.LabelSwap, Paths: []fib.AdjID{adjHost}}
		f(&l)
		return &fib.Batch{Labels: []fib.Label{l}}
	}
	adj := func(f func(*fib.Adjacency)) *fib.Batch {
		a := tunnelAdj(70, spoke1NBMA)
		a.Labels = []uint32{16}
		f(&a)
		return &fib.Batch{Adjacencies: []fib.Adjacency{a}}
	}
	for want, b := range map[string]*fib.Batch{
		"label 1: labels go":                 label(func(l *fib.Label) { l.In = 1 }),
		"label 15: labels go":                label(func(l *fib.Label) { l.In = 15 }),
		"label 1048576: labels go":           label(func(l *fib.Label) { l.In = 1 << 20 }),
		"label 0: explicit null":             label(func(l *fib.Label) { l.In = 0 }),
		"label 3000: action 0":               label(func(l *fib.Label) { l.Action = 0 }),
		"label 3000: action 4":               label(func(l *fib.Label) { l.Action = 4 }),
		"label 3000: VRF 300":                label(func(l *fib.Label) { l.VRF = 300 }),
		"label 3000: VRF 3":                  label(func(l *fib.Label) { l.VRF = 3 }),
		"label 3000: 0 paths":                label(func(l *fib.Label) { l.Paths = nil }),
		"label 3000: 17 paths":               label(func(l *fib.Label) { l.Paths = make([]fib.AdjID, fib.MaxPaths+1) }),
		"label 3000: 1 paths":                label(func(l *fib.Label) { l.Action = fib.LabelLookup }),
		"label 3000: path to adjacency 1":    label(func(l *fib.Label) { l.Paths = []fib.AdjID{fib.Receive} }),
		"label 3000: twice":                  {Labels: append(label(func(*fib.Label) {}).Labels, label(func(*fib.Label) {}).Labels...)},
		"label 3000: path to adjacency 16, ": {Labels: label(func(*fib.Label) {}).Labels, DelAdjacencies: []fib.AdjID{adjHost}},
		"remove label 1048576":               {DelLabels: []uint32{1 << 20}},
		"adjacency 70: 4 labels":             adj(func(a *fib.Adjacency) { a.Labels = []uint32{16, 17, 18, 19} }),
		"adjacency 70: label 3":              adj(func(a *fib.Adjacency) { a.Labels = []uint32{3} }),
		"adjacency 70: label 1":              adj(func(a *fib.Adjacency) { a.Labels = []uint32{16, 1} }),
		"adjacency 70: label 1048576":        adj(func(a *fib.Adjacency) { a.Labels = []uint32{1 << 20} }),
		"adjacency 70: MTU of 71":            adj(func(a *fib.Adjacency) { a.MTU = 71 }),
		"adjacency 70: inner header of 24":   adj(func(a *fib.Adjacency) { a.Inner, a.Labels = append(a.Inner, make([]byte, 16)...), []uint32{16, 17, 18} }),
	} {
		before := r.e.Generation()
		if _, err := r.e.Apply(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if r.e.Generation() != before {
			t.Errorf("%q: something changed", want)
		}
	}
}

// TestLabelApply: labels come after adjacencies and go before them, are refused one by one, and come out of the tables as they went in.
func TestLabelApply(t *testing.T) {
	r := labelRig(t, func(c *Config, b *fib.Batch) {
		b.Labels = append(b.Labels, fib.Label{In: 0, Action: fib.LabelLookup, Pipe: true}, fib.Label{In: fib.LastLabel, Action: fib.LabelSwap, Paths: []fib.AdjID{adjHost}})
		c.MaxLabels = len(b.Labels)
	})
	b := r.e.Inherited()
	gen := r.e.Generation()
	r.apply(&b)
	if r.e.Generation() != gen {
		t.Error("applying what is installed changed something")
	}
	fresh, err := New(Config{ArenaBytes: 16 << 20, Private: true, MaxAdjacencies: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if refused, err := fresh.Apply(&b); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	if got := fresh.Inherited(); !reflect.DeepEqual(got, b) {
		t.Errorf("%+v\nwant %+v", got, b)
	}
	more := &fib.Batch{Labels: []fib.Label{
		{In: 4000, Action: fib.LabelLookup}, {In: 4001, Action: fib.LabelSwap, Paths: []fib.AdjID{adjHost, 999}},
		{In: inLink0, Action: fib.LabelSwap, Paths: []fib.AdjID{999}},
	}}
	refused, err := r.e.Apply(more)
	if err != nil || len(refused) != 3 || !errors.Is(refused[0].Err, ErrFull) || refused[0].Label != 4000 || !errors.Is(refused[1].Err, ErrNoAdjacency) || refused[2].Label != inLink0 {
		t.Fatalf("refused %v, %v", refused, err)
	}
	r.fromWAN(labelled(pattern(20), lab(inLink0, 0, 9), lab(77, 0, 99))) // is what it was
	r.oneOut(r.lan)
	r.lan.take()
	r.apply(&fib.Batch{DelLabels: []uint32{inLink0, inLink1, 12345}, DelAdjacencies: []fib.AdjID{adjLink1, adjPipe}})
	r.apply(&fib.Batch{Labels: more.Labels[:1]}) // now there is room
	r.fromWAN(labelled(pattern(20), lab(inLink1, 0, 9)), labelled(pattern(20), lab(inPipe, 0, 9)))
	if r.count(MPLSUnknown) != 1 || r.count(NoAdjacency) != 1 || len(r.lan.out) != 0 {
		t.Errorf("%v", r.nonZero())
	}
}
