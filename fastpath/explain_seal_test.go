package fastpath

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestExplainSealed: with every transform, what is explained is what then leaves; no sequence number is used by it, and what was opened is let in.
func TestExplainSealed(t *testing.T) {
	for i, s := range suites() {
		for _, variant := range []int{i % 4, (i + 1) % 4} {
			s.tunnel, s.encap, s.window = variant&1 != 0, variant&2 != 0, 64
			if s.encap && s.ah != 0 {
				continue
			}
			p := newPair(t, s)
			size := 60 + rand.IntN(1300)
			ip := probe(behind1, hostIP, size, df)
			x := p.spoke.explain(Question{Packet: ip, From: Origin{Port: lan}})
			p.spoke.agrees(&Question{Packet: ip, From: Origin{Port: lan}}, &x)
			w := x.Ways[0]
			if x.Fate != Forwarded || len(w.Frames) != 1 || len(w.Seals) != 1+btoi(s.ah != 0 && !s.ahOnly) || !w.Seals[0].Installed || w.Seals[0].SPI != w.Seals[len(w.Seals)-1].SPI {
				t.Fatalf("%s: %+v", s.name, x)
			}
			f := w.Frames[0]
			if f.SPI != spiToHub || f.Src != addr(spoke1NBMA) || f.Dst != addr(hubNBMA) || s.encap && f.DstPort != natPort {
				t.Errorf("%s: frame %+v", s.name, f)
			}
			// What AES-GCM-128 adds is known to the byte: SPI and number, IV, padding to 4, two bytes of trailer, ICV.
			if s.name == "aes-gcm-128" && variant == 0 {
				if want := 20 + 8 + 8 + (size+8+2+3)&^3 + 16; f.Length != want {
					t.Errorf("%d bytes leave, want %d", f.Length, want)
				}
			}
			frames := toHub(p.spoke.wan.take())
			from := Origin{Tunnel: tunnelID, Peer: addr(spoke1NBMA)}
			y := p.hub.explain(Question{Packet: ip, From: from})
			if y.Fate != Forwarded || y.From.SA == 0 || y.Ways[0].Adj != adjHost {
				t.Fatalf("%s: the hub: %+v", s.name, y)
			}
			if out := p.deliver(frames...); len(out) != 1 || len(out[0])-packet.EthernetLen != y.Ways[0].Frames[0].Length {
				t.Errorf("%s: the hub has sent %d: %v", s.name, len(out), p.hub.nonZero())
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestExplainUnsealed: what a protected tunnel does not send or take.
func TestExplainUnsealed(t *testing.T) {
	out := Question{Packet: probe(hostIP, behind1, 100), From: Origin{Port: lan}}
	in := Question{Packet: probe(behind1, hostIP, 100), From: Origin{Tunnel: tunnelID, Peer: addr(spoke1NBMA)}}
	for name, c := range map[string]struct {
		change func(*Config, *fib.Batch)
		q      Question
		want   Reason
	}{
		"no association out": {func(_ *Config, b *fib.Batch) { b.SAs, b.Adjacencies[1].SA = nil, 0 }, out, NoSA},
		"it is gone":         {func(_ *Config, b *fib.Batch) { b.SAs = b.SAs[1:] }, out, NoSA},
		"to another spoke":   {nil, Question{Packet: probe(hostIP, behind2, 100), From: Origin{Port: lan}}, NoSA},
		"no association in":  {func(_ *Config, b *fib.Batch) { b.SAs = b.SAs[:1] }, in, ClearOnProtected},
		"of another spoke":   {nil, Question{Packet: in.Packet, From: Origin{Tunnel: tunnelID, Peer: addr(spoke2NBMA)}}, ClearOnProtected},
		"another protection": {func(_ *Config, b *fib.Batch) { b.SAs[1].Protection++ }, in, ClearOnProtected},
		"used up":            {func(_ *Config, b *fib.Batch) { b.SAs[0].HardBytes = 1; b.SAs[0].SoftBytes = 1 }, out, SAExpired},
	} {
		changes := []func(*Config, *fib.Batch){gcm128.hub}
		if c.change != nil {
			changes = append(changes, c.change)
		}
		r := newRig(t, changes...)
		if c.want == SAExpired {
			r.fromLAN(toLAN(out.Packet))
			r.now += 1e9
		}
		x := r.explain(c.q)
		if x.Fate != Dropped || x.Reason != c.want {
			t.Errorf("%s: %d, %s; want %s", name, x.Fate, x.Reason, c.want)
		}
		if len(x.Ways) == 1 && x.Ways[0].Reason != c.want || c.q.From.Tunnel == 0 && len(x.Ways) != 1 {
			t.Errorf("%s: ways %+v", name, x.Ways)
		}
	}
}

// TestExplainSomebody: where it is not said which peer a packet is from, it is let in as anybody's.
func TestExplainSomebody(t *testing.T) {
	r := newRig(t, gcm128.hub)
	x := r.explain(Question{Packet: probe(behind1, hostIP, 100), From: Origin{Tunnel: tunnelID}})
	if x.Fate != Forwarded || x.From.SA != saIn || x.From.Peer.IsValid() {
		t.Errorf("%+v", x)
	}
}

// TestExplainPriced: what hardware that is emulated takes, and what it has too little of.
func TestExplainPriced(t *testing.T) {
	none := fib.Meter{Rate: 1, Burst: 0}
	toSpoke := Question{Packet: probe(ip4("10.0.0.8"), behind1, 100), From: Origin{Port: lan}}
	hairpin := Question{Packet: probe(behind1, behind2, 100), From: Origin{Tunnel: tunnelID, Peer: addr(spoke1NBMA)}}
	long := Question{Packet: probe(ip4("10.0.0.8"), behind1, tunnelMTU+1), From: Origin{Port: lan}}
	for name, c := range map[string]struct {
		tariff tariff
		q      Question
		want   Reason
		budget fib.Budget
	}{
		"engine":    {tariff{room: 1000, adj: fib.Price{Cost: 16}, meters: fib.Meters{fib.Engine: none}}, toSpoke, EngineOver, fib.Engine},
		"crypto":    {tariff{room: 1000, tunnel: fib.Price{Crypto: true}, meters: fib.Meters{fib.Crypto: none}}, hairpin, CryptoOver, fib.Crypto},
		"CEF":       {tariff{room: 1000, tunnel: fib.Price{Way: fib.ByCEF}, meters: fib.Meters{fib.CEF: none}}, hairpin, CEFOver, fib.CEF},
		"process":   {tariff{room: 1000, adj: fib.Price{Fragment: fib.ByProcess}, meters: fib.Meters{fib.Process: none}}, long, ProcessOver, fib.Process},
		"MTU":       {tariff{room: 1000, adj: fib.Price{Fragment: fib.ByProcess}, meters: fib.Meters{fib.LimitMTU: none}}, long, MTUOver, fib.LimitMTU},
		"exception": {tariff{room: 0, meters: fib.Meters{fib.Exception: none}}, toSpoke, ExceptionOver, fib.Exception},
		"enough":    {tariff{room: 1000, adj: fib.Price{Cost: 24}, meters: fib.Meters{fib.Engine: {Rate: 1000, Burst: 1000}}}, toSpoke, Unknown, fib.Engine},
		"a punt":    {tariff{room: 1000, meters: fib.Meters{fib.LimitTTL: none}}, Question{Packet: probe(hostIP, behind1, 100, ttl(1)), From: Origin{Port: lan}}, TTLExpired, fib.LimitTTL},
	} {
		r := newRig(t)
		r.price(&c.tariff)
		x := r.explain(c.q)
		k := slices.IndexFunc(x.Spent, func(u BudgetUse) bool { return u.Budget == c.budget })
		if x.Reason != c.want || k < 0 {
			t.Fatalf("%s: %d %s, budgets %+v", name, x.Fate, x.Reason, x.Spent)
		}
		u := x.Spent[k]
		if u.Refused != (c.want != Unknown) || c.want == Unknown && (u.Units != 24 || u.Level != 1000-24 || u.Rate != 1000) {
			t.Errorf("%s: %+v", name, u)
		}
		if x.Lost != (name == "a punt") {
			t.Errorf("%s: lost %v", name, x.Lost)
		}
		if name == "exception" && !x.Looks[0].Software {
			t.Errorf("%s: looks %+v", name, x.Looks)
		}
		r.agrees(&c.q, &x)
	}
}

// TestExplainProcesses: the engine that writes the tables explains, though its workers are other processes and keep the ciphers' keys.
func TestExplainProcesses(t *testing.T) {
	for _, s := range []suite{gcm128, {name: "cbc", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20}, {name: "3des", cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20}} {
		writer := newWriter(t, 2, s)
		r := joinAs(t, writer, 1)
		q := Question{Packet: probe(hostIP, behind1, 500), From: Origin{Port: lan}}
		used := writer.arena.Used()
		before := bytes.Clone(writer.arena.Bytes(0, used))
		x, err := writer.Explain(1, q)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, writer.arena.Bytes(0, used)) {
			t.Error("an explanation has changed the arena")
		}
		r.lan.in = append(r.lan.in, toLAN(q.Packet))
		r.settle()
		if x.Fate != Forwarded || len(r.wan.out) != 1 || x.Ways[0].Frames[0].Length != len(r.wan.out[0])-packet.EthernetLen {
			t.Errorf("%s: explained %+v, sent %d", s.name, x, len(r.wan.out))
		}
		for i := range writer.transforms {
			if writer.transforms[i].Load() != nil {
				t.Errorf("%s: the writer has kept a key", s.name)
			}
		}
	}
}

// TestExplainWhileForwarding: workers poll and tables change meanwhile, and each explanation is of a state that there was.
func TestExplainWhileForwarding(t *testing.T) {
	for _, heap := range []bool{true, false} {
		r := newRig(t, gcm128.hub, func(c *Config, _ *fib.Batch) { c.heap, c.Private, c.FlowCache = heap, heap, 100 })
		frame := toLAN(probe(hostIP, behind1, 200))
		stop := make(chan struct{})
		var busy sync.WaitGroup
		busy.Go(func() {
			for n := int64(2); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				for range 8 {
					r.lan.in = append(r.lan.in, frame)
				}
				r.w.Poll(n)
				r.wan.out = r.wan.out[:0]
			}
		})
		busy.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				to := []fib.AdjID{adjSpoke1, fib.Null}[k%2]
				if _, err := r.e.Apply(&fib.Batch{Routes: []fib.Route{route("10.1.0.0/24", to)}}); err != nil {
					t.Error(err)
					return
				}
				_ = r.e.Inject(Inject{Kind: InjectRoute, Packet: probe(hubTunnel, behind1, 60)}) // the ring may be full
			}
		})
		seen := map[Fate]int{}
		for late, n := time.Now().Add(30*time.Second), 0; n < 300 || len(seen) < 2; n++ {
			if time.Now().After(late) {
				t.Fatalf("of %d explanations the fates are %v", n, seen)
			}
			x, err := r.e.Explain(1, Question{Packet: probe(hostIP, behind1, 200), From: Origin{Port: lan}})
			if err != nil {
				t.Fatal(err)
			}
			ok := x.Fate == Forwarded && len(x.Ways) == 1 && x.Ways[0].Adj == adjSpoke1 && len(x.Ways[0].Frames) == 1 || x.Fate == Dropped && x.Reason == NullRoute
			if !ok {
				t.Fatalf("%+v", x)
			}
			seen[x.Fate]++
		}
		close(stop)
		busy.Wait()
		for r.poll() > 0 {
		}
	}
}

// TestWayBack: where packets to an address leave.
func TestWayBack(t *testing.T) {
	r := leakRig(t)
	for src, want := range map[[4]byte]Back{
		behind1:              {Origin: Origin{Port: wan, Tunnel: tunnelID, Peer: addr(spoke1NBMA)}, Found: true, Leads: true},
		hostIP:               {Origin: Origin{Port: lan}, Found: true, Leads: true},
		ip4("10.0.0.77"):     {Origin: Origin{Port: lan}, Found: true, Leads: true},
		hubTunnel:            {Origin: Origin{Own: true}, Found: true, Leads: true},
		ip4("10.66.0.1"):     {Found: true},
		ip4("198.51.100.77"): {},
		ip4("10.20.0.1"):     {Origin: Origin{VRF: blue, Port: subBlue}, Found: true, Leads: true},
		ip4("10.50.1.1"):     {Origin: Origin{Port: lan}, Found: true, Leads: true, Labelled: true},
		ip4("10.30.0.1"):     {Origin: Origin{VRF: blue}, Found: true},
	} {
		got := r.e.WayBack(fib.Global, addr(src))
		got.Prefix = want.Prefix
		if got != want {
			t.Errorf("%v: %+v, want %+v", src, got, want)
		}
	}
}

// TestProbe: what is made to ask about is what it says, of every protocol, and no smaller than it can be.
func TestProbe(t *testing.T) {
	for proto := range 256 {
		for _, size := range []int{0, 20, 27, 28, 43, 44, 100, 1500, 65535, 65536} {
			p := Probe{Src: addr(hostIP), Dst: addr(behind1), Proto: uint8(proto), SrcPort: 1000, DstPort: 2000, Size: size, TTL: 7, TOS: 3, DF: true}
			b, err := p.Packet()
			if fits := size >= MinProbe(uint8(proto)) && size < 1<<16; fits != (err == nil) {
				t.Fatalf("protocol %d, %d bytes: %v", proto, size, err)
			}
			if err != nil {
				continue
			}
			ip, fault := packet.ParseIPv4(b)
			if fault != packet.OK || len(ip) != size || ip.TTL() != 7 || ip.TOS() != 3 || !ip.DF() || ip.Proto() != uint8(proto) {
				t.Fatalf("protocol %d: fault %d, %x", proto, fault, b[:20])
			}
			pseudo := packet.PseudoSum(hostIP, behind1, uint8(proto), size-20)
			if ports := ip.Ports(); proto == packet.ProtoTCP || proto == packet.ProtoUDP {
				if ports != 1000<<16|2000 || packet.Fold(packet.Sum(ip.Payload(), pseudo)) != 0xffff {
					t.Errorf("protocol %d: ports %x or checksum", proto, ports)
				}
			}
			if proto == packet.ProtoTCP {
				tcp, fault := packet.ParseTCP(ip.Payload())
				if mss, ok := tcp.MSS(); fault != packet.OK || !tcp.Syn() || !ok || mss != 1460 {
					t.Errorf("MSS %d", mss)
				}
			}
			if proto == packet.ProtoICMP && packet.Checksum(ip.Payload()) != 0 {
				t.Error("ICMP checksum")
			}
		}
	}
	if _, err := (&Probe{Size: 100}).Packet(); err == nil {
		t.Error("a packet without addresses")
	}
}

// TestExplainManyPieces: a packet that is cut into very many pieces, each of which is cut again, finds as many frames as it needs.
func TestExplainManyPieces(t *testing.T) {
	small := func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU, b.Adjacencies[1].LinkMTU = minMTU, minMTU }
	for name, protect := range map[string]func(*Config, *fib.Batch){
		"in clear": func(*Config, *fib.Batch) {}, "GCM": gcm128.hub, "3DES": (&suite{cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20, tunnel: true}).hub,
	} {
		for _, size := range []int{100, 1000, 1500} {
			r := newRig(t, protect, small)
			q := Question{Packet: probe(hostIP, behind1, size), From: Origin{Port: lan}}
			x := r.explain(q)
			if x.Fate != Forwarded || !x.Cut || len(x.Ways[0].Frames) < size/48 {
				t.Errorf("%s, %d bytes: %d %s, %d frames", name, size, x.Fate, x.Reason, len(x.Ways[0].Frames))
			}
			r.agrees(&q, &x)
		}
	}
}
