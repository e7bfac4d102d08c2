package eigrp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// script turns bytes into events, few addresses among them so that they meet.
type script struct {
	b    []byte
	k    [6]uint8
	next uint32                // sequence number
	seen map[netip.Addr]uint32 // the sequence number of what was sent last to each
}

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

// sequence is mostly the next number, so that much of what is said is taken.
func (s *script) sequence() uint32 {
	if c := s.byte(); c < 32 {
		return uint32(c)
	}
	s.next++
	return 32 + s.next
}

func (s *script) iface() string { return [...]string{"Tunnel0", "lan"}[s.byte()&1] }

func (s *script) from(iface string) netip.Addr {
	if iface == "lan" {
		return netip.AddrFrom4([4]byte{10, 1, 0, s.byte() & 3})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, s.byte() & 3})
}

func (s *script) prefix() netip.Prefix {
	c := s.byte()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, c & 3, 0}), []int{24, 24, 22, 0}[c>>6]).Masked()
}

func (s *script) route() eigrpmsg.Route {
	c := s.byte()
	r := eigrpmsg.Route{Wide: c&1 != 0, Prefixes: []netip.Prefix{s.prefix()}, NextHop: netip.AddrFrom4([4]byte{10, 0, 0, c >> 1 & 3})}
	r.Metric = eigrpmsg.Metric{Delay: uint64(s.byte()) << (c & 31), Bandwidth: uint64(s.byte()), MTU: 1500, Hops: s.byte() & 127, Reliability: s.byte(), Load: s.byte()}
	if c&8 != 0 {
		r.Metric.Delay = eigrpmsg.WideInfinity
		if !r.Wide {
			r.Metric.Delay = eigrpmsg.ClassicInfinity
		}
	}
	if c&16 != 0 {
		r.External = &eigrpmsg.External{Router: netip.AddrFrom4([4]byte{1, 1, 1, c >> 5}), Tag: uint32(c)}
	}
	if c&32 != 0 {
		r.Metric.Flags = eigrpmsg.Active
	}
	return r
}

var fuzzOps = [...]eigrpmsg.Opcode{eigrpmsg.Update, eigrpmsg.Query, eigrpmsg.Reply, eigrpmsg.SIAQuery, eigrpmsg.SIAReply, eigrpmsg.Update, eigrpmsg.Hello, eigrpmsg.Request}

func (s *script) packet() Event {
	iface := s.iface()
	ev := PacketReceived{Iface: iface, From: s.from(iface)}
	c := s.byte()
	p := &eigrpmsg.Packet{Opcode: fuzzOps[c&7], AS: 100, Sequence: s.sequence(), Ack: s.seen[ev.From]}
	ev.Multicast = c&8 != 0
	switch c >> 4 {
	case 0, 1, 2:
		p.Opcode, p.Sequence, p.Ack = eigrpmsg.Hello, 0, 0
		p.Parameters = &eigrpmsg.Parameters{K: s.k, Hold: uint16(s.byte())}
		if c>>4 == 1 {
			st := eigrpmsg.Stub(s.byte())
			p.Stub, p.Software = &st, &eigrpmsg.Software{TLVMajor: s.byte() & 3}
			p.Flags = uint32(s.byte()) & eigrpmsg.FlagRestart
			p.Sequenced, p.NextMulticast, p.HasNext = []netip.Addr{s.from(iface)}, uint32(s.byte()), s.byte()&1 != 0
		}
		if c>>4 == 2 {
			p.Parameters.K[1] = s.byte() & 1
			p.Termination = []netip.Addr{s.from(iface)}
		}
	case 3:
		p.Opcode, p.Flags = eigrpmsg.Update, eigrpmsg.FlagInit|uint32(s.byte())&(eigrpmsg.FlagRestart|eigrpmsg.FlagEOT)
	case 4:
		p.Flags = uint32(s.byte() & 15)
	case 5:
		n := min(int(s.byte()), len(s.b))
		ev.Payload = s.b[:n]
		s.b = s.b[n:]
		return ev
	default:
		p.Flags = uint32(s.byte()) & 15 &^ eigrpmsg.FlagCR
		for range 1 + c>>6 {
			p.Routes = append(p.Routes, s.route())
		}
	}
	ev.Payload, _ = p.Append(nil)
	return ev
}

func (s *script) event(w *fuzzed) Event {
	switch c := s.byte(); c & 15 {
	case 0:
		iface := s.iface()
		net := map[string]string{"lan": "10.1.0.1/24", "Tunnel0": "10.0.0.1/24"}[iface]
		return InterfaceState{Name: iface, Up: c&16 != 0, Addrs: []netip.Prefix{pfx(net)}, Bandwidth: uint64(s.byte()), Delay: uint64(s.byte())}
	case 1:
		return Redistributed{Changed: []ExternalRoute{{Prefix: s.prefix(), Bandwidth: uint64(s.byte()), Delay: uint64(s.byte()), Protocol: eigrpmsg.FromBGP}}, Gone: []netip.Prefix{s.prefix()}}
	case 2:
		return Clear{Neighbor: s.from("lan")}
	case 3, 4:
		w.now = w.now.Add(time.Duration(s.byte()) * time.Duration(s.byte()) * time.Millisecond)
		return Tick{}
	case 5:
		if c&0x70 == 0 {
			return Shutdown{}
		}
		return nil
	default:
		return s.packet()
	}
}

// fuzzed is a machine whose effects are watched.
type fuzzed struct {
	t      testing.TB
	m      *Machine
	now    time.Time
	routes map[netip.Prefix]bool
	s      *script
}

func (w *fuzzed) take(out []Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case Send:
			p, err := eigrpmsg.Parse(e.Payload)
			if err != nil || !e.From.IsValid() || !e.To.IsValid() {
				w.t.Fatalf("%+v: %v", e, err)
			}
			if p.Sequence != 0 {
				w.s.seen[e.To] = p.Sequence
				if e.To == Group {
					for i := range byte(4) {
						w.s.seen[netip.AddrFrom4([4]byte{10, 0, 0, i})], w.s.seen[netip.AddrFrom4([4]byte{10, 1, 0, i})] = p.Sequence, p.Sequence
					}
				}
			}
		case Route:
			if e.Kind != Discard && len(e.Hops) == 0 {
				w.t.Fatalf("%+v", e)
			}
			for _, h := range e.Hops {
				if h.Share < 1 || h.Share > maxShare || !h.Addr.IsValid() {
					w.t.Fatalf("%+v", e)
				}
			}
			w.routes[e.Prefix] = true
		case RouteGone:
			if !w.routes[e.Prefix] {
				w.t.Fatalf("%s is taken back twice", e.Prefix)
			}
			delete(w.routes, e.Prefix)
		}
	}
	w.check()
}

// check looks for what must always be so.
func (w *fuzzed) check() {
	m := w.m
	active, paths, nbrs := 0, 0, 0
	for p, e := range m.entries {
		if e.prefix != p || len(e.paths) == 0 && !e.active && !m.restarting {
			w.t.Fatalf("%s is kept for nothing", p)
		}
		if e.active {
			active++
			if len(e.replies) == 0 {
				w.t.Fatalf("%s is active and waits for nobody", p)
			}
			for n := range e.replies {
				if n.gone || !n.owes[e] || n.stub {
					w.t.Fatalf("%s waits for somebody who will not reply", p)
				}
			}
		}
		for _, x := range e.paths {
			if x.nbr == nil {
				continue
			}
			if paths++; x.nbr.gone || x.nbr.routes[e] != x {
				w.t.Fatalf("%s has a path of nobody", p)
			}
		}
		if (e.installed != nil) != w.routes[p] {
			w.t.Fatalf("%s: installed %v, the RIB has it %v", p, e.installed != nil, w.routes[p])
		}
	}
	for p := range w.routes {
		if m.entries[p] == nil {
			w.t.Fatalf("the RIB has %s for ever", p)
		}
	}
	for _, ifc := range m.order {
		nbrs += len(ifc.nbrs)
		for _, n := range ifc.nbrs {
			if n.resyncing != n.staleTimer.On() {
				w.t.Fatalf("%s restarts for ever", n.addr)
			}
			for e, p := range n.routes {
				if p.stale && !n.resyncing {
					w.t.Fatalf("%s of %s is kept for ever", e.prefix, n.addr)
				}
			}
		}
		if len(ifc.nbrs) != len(ifc.byAddr) || len(ifc.changes) != len(ifc.pending) {
			w.t.Fatalf("%s is out of order", ifc.name)
		}
	}
	if active != m.active || paths != m.paths || nbrs != m.nbrs {
		w.t.Fatalf("counts: active %d %d, paths %d %d, neighbors %d %d", active, m.active, paths, m.paths, nbrs, m.nbrs)
	}
}

func runScript(t testing.TB, b []byte) {
	s := &script{b: b, seen: map[netip.Addr]uint32{}}
	w := &fuzzed{t: t, m: NewSeeded(1), now: epoch, routes: map[netip.Prefix]bool{}, s: s}
	c := s.byte()
	k := [6]uint8{1, 0, 1}
	if c&8 != 0 {
		k[4] = 1
	}
	s.k = k
	cfg := Config{
		AS: 100, K: k, RouterID: adr("1.1.1.1"), Wide: c&1 != 0, Variance: int(c >> 4), AutoSummary: c&2 != 0, Stub: Stub{Enabled: c&4 != 0, Connected: true}, MaxPaths: 12, Restarting: c&0x80 != 0, MaxNeighbors: 5,
		Interfaces: []Interface{{Name: "Tunnel0", NoSplitHorizon: true, Summaries: []Summary{{Prefix: pfx("172.16.0.0/22")}}}, {Name: "lan"}},
	}
	if c&0x40 != 0 {
		cfg.Inherited = func(p netip.Prefix) []netip.Addr { return []netip.Addr{adr("10.0.0.2"), adr("10.1.0.3")} }
	}
	w.take(w.m.Configure(w.now, cfg))
	for _, a := range []string{"Tunnel0", "lan"} {
		net := map[string]string{"lan": "10.1.0.1/24", "Tunnel0": "10.0.0.1/24"}[a]
		w.take(w.m.Handle(w.now, InterfaceState{Name: a, Up: true, Addrs: []netip.Prefix{pfx(net)}, Bandwidth: 1000, Delay: 10}))
	}
	for n := 0; len(s.b) > 0 && n < 500; n++ {
		if ev := s.event(w); ev != nil {
			w.take(w.m.Handle(w.now, ev))
		} else {
			cfg.Interfaces[0].NoSplitHorizon = !cfg.Interfaces[0].NoSplitHorizon
			cfg.Variance = int(s.byte())
			w.take(w.m.Configure(w.now, cfg))
		}
		w.now = w.now.Add(time.Millisecond)
	}
	// Left alone, all ends: neighbors by their hold times, computations with them.
	for n := 0; n < 20000 && w.m.nbrs > 0; n++ {
		at := w.m.Deadline()
		if at.IsZero() || at.Sub(w.now) > 24*time.Hour {
			t.Fatal("there are neighbors, and nothing is due")
		}
		if at.After(w.now) {
			w.now = at
		}
		w.take(w.m.Handle(w.now, Tick{}))
	}
	if w.m.nbrs > 0 || w.m.active > 0 {
		t.Fatalf("%d neighbors and %d computations never end", w.m.nbrs, w.m.active)
	}
	w.take(w.m.Handle(w.now, Shutdown{}))
	if len(w.routes) != 0 {
		t.Fatalf("%v is left", w.routes)
	}
	w.m.Topology()
	w.m.Neighbors()
	w.m.Interfaces()
}

func FuzzMachine(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { runScript(t, b) })
}

// TestScripts runs the same from random bytes.
func TestScripts(t *testing.T) {
	n := uint64(3000)
	if testing.Short() {
		n = 200
	}
	for seed := range n {
		rng := rand.New(rand.NewPCG(seed, 3))
		b := make([]byte, 1500)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		runScript(t, b)
	}
}
