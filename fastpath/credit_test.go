package fastpath

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// offer sends n frames in a burst by port every step nanoseconds, for so many steps, and returns how many packets were forwarded.
func (r *rig) offer(p *wire, frame []byte, n, steps int, step int64) (forwarded int) {
	r.t.Helper()
	before := r.e.Counters().Workers[0].Forwarded
	for range steps {
		r.now += step
		for range n {
			p.in = append(p.in, append([]byte(nil), frame...))
		}
		r.poll()
		r.wan.out, r.lan.out, r.punts = nil, nil, nil
	}
	return int(r.e.Counters().Workers[0].Forwarded - before)
}

// about checks that got is within one in a hundred, and 2, of want.
func about(t *testing.T, what string, got, want int) {
	t.Helper()
	if d := got - want; d*d > max(4, want*want/10000) {
		t.Errorf("%s: %d, want about %d", what, got, want)
	}
}

// A budget lets through its rate over time, and its burst at once, whatever the step of the clock is.
func TestBudgetRate(t *testing.T) {
	frame := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(100)))
	for _, c := range []struct {
		rate, burst uint64
		n, steps    int
		step        int64
		want        int
	}{
		{10_000, 100, 40, 1000, 1_000_000, 10_000},        // 40 000 offered in a second
		{10_000, 100, 5, 1000, 1_000_000, 5_000},          // 5000 offered: all of them
		{500_000, 1000, 10, 20_000, 10_000, 100_000},      // a million a second offered, in a fifth of one
		{10, 1, 1, 3000, 1_000_000, 30},                   // much less than one a step
		{3, 1, 1, 2_000_000 / 100, 1_000_000, 60},         // that does not divide a second
		{1_000_000_000, 1000, 10, 1000, 1_000_000, 10000}, // far more than there is
	} {
		r := newRig(t)
		r.price(&tariff{room: 1000, adj: fib.Price{Way: fib.ByCEF}, meters: fib.Meters{fib.CEF: {Rate: c.rate, Burst: c.burst}}})
		r.offer(r.lan, frame, 100, int(c.burst)/100+1, 1) // what lies there
		got := r.offer(r.lan, frame, c.n, c.steps, c.step)
		about(t, fmt.Sprintf("rate %d, burst %d", c.rate, c.burst), got, c.want)
		s := r.e.Counters()
		if dropped := s.Reasons[CEFOver]; s.Spent[fib.CEF] != s.Workers[0].Forwarded || s.Workers[0].Packets != s.Workers[0].Forwarded+dropped {
			t.Errorf("%d packets, %d forwarded, %d spent, %d dropped", s.Workers[0].Packets, s.Workers[0].Forwarded, s.Spent[fib.CEF], dropped)
		}
	}
}

// After a long time without packets there is one burst, no more.
func TestBudgetBurst(t *testing.T) {
	r := newRig(t)
	frame := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(100)))
	r.price(&tariff{room: 1000, adj: fib.Price{Way: fib.ByProcess}, meters: fib.Meters{fib.Process: {Rate: 1000, Burst: 75}}})
	for _, wait := range []int64{1, 3_600_000_000_000, 75_000_000, 10_000_000} {
		want := int(min(75, wait/1_000_000))
		if wait == 1 {
			want = 75
		}
		if got := r.offer(r.lan, frame, 200, 1, wait); got < want || got > want+1 {
			t.Errorf("after %d ns: %d packets at once, want %d", wait, got, want)
		}
	}
	if got := r.count(ProcessOver); got != 4*200-75-75-75-10 {
		t.Errorf("%d dropped", got)
	}
}

// Each way through the box takes what its entries cost, once for the route processor.
func TestWhatPacketsPay(t *testing.T) {
	host := ip4("10.0.0.8")
	pass := fib.Price{Cost: fib.PassCost}
	toSpoke, fromSpoke := toLAN(ipv4(host, behind1, pattern(100))), fromSpoke1(ipv4(behind1, ip4("10.0.0.9"), pattern(100)))
	hairpin := fromSpoke1(ipv4(behind1, behind2, pattern(100)))
	control := func(dst [4]byte) []byte { return toLAN(ipv4(host, dst, pattern(100), tos(0xc0))) }
	for name, c := range map[string]struct {
		tariff tariff
		frame  []byte
		spent  fib.Meters // Rate: what is spent
	}{
		"one pass":               {tariff{adj: pass}, toSpoke, fib.Meters{fib.Engine: {Rate: 16}}},
		"out of a tunnel":        {tariff{adj: pass, tunnel: pass}, fromSpoke, fib.Meters{fib.Engine: {Rate: 32}}},
		"hairpin":                {tariff{adj: fib.Price{Cost: 24}, tunnel: pass}, hairpin, fib.Meters{fib.Engine: {Rate: 40}}},
		"software once":          {tariff{adj: fib.Price{Way: fib.ByCEF}, tunnel: fib.Price{Way: fib.ByCEF}}, hairpin, fib.Meters{fib.CEF: {Rate: 1}}},
		"the slower way as well": {tariff{adj: fib.Price{Way: fib.ByProcess}, tunnel: fib.Price{Way: fib.ByCEF}}, hairpin, fib.Meters{fib.CEF: {Rate: 1}, fib.Process: {Rate: 1}}},
		"not the faster":         {tariff{adj: fib.Price{Way: fib.ByCEF}, tunnel: fib.Price{Way: fib.ByProcess}}, hairpin, fib.Meters{fib.Process: {Rate: 1}}},
		"bytes":                  {tariff{adj: fib.Price{Crypto: true}, tunnel: fib.Price{Crypto: true}}, hairpin, fib.Meters{fib.Crypto: {Rate: 2 * 120}}},
		"protocols":              {tariff{adj: fib.Price{Cost: 16, Way: fib.ByCEF}}, control(behind1), fib.Meters{fib.Engine: {Rate: 16}, fib.CEF: {Rate: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.tariff.room = 1000
			r.price(&c.tariff)
			out, in := r.wan, r.lan
			if c.frame[0] == wanMAC[0] && [6]byte(c.frame) == wanMAC {
				in = r.wan
			}
			if name == "out of a tunnel" {
				out = r.lan
			}
			in.in = append(in.in, c.frame)
			r.poll()
			r.oneOut(out)
			for b, n := range r.e.Counters().Spent {
				if n != c.spent[b].Rate {
					t.Errorf("budget %d: %d spent, want %d", b, n, c.spent[b].Rate)
				}
			}
		})
	}
}

// Each budget that runs out drops under its own reason, and nothing leaves.
func TestBudgetsRunOut(t *testing.T) {
	none := fib.Meter{Rate: 1, Burst: 0}
	toSpoke := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(100)))
	hairpin := fromSpoke1(ipv4(behind1, behind2, pattern(100)))
	long := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(tunnelMTU)))
	for reason, c := range map[Reason]struct {
		tariff tariff
		frame  []byte
	}{
		EngineOver:    {tariff{room: 1000, adj: fib.Price{Cost: 16}, meters: fib.Meters{fib.Engine: none}}, toSpoke},
		CryptoOver:    {tariff{room: 1000, tunnel: fib.Price{Crypto: true}, meters: fib.Meters{fib.Crypto: none}}, hairpin},
		CEFOver:       {tariff{room: 1000, tunnel: fib.Price{Way: fib.ByCEF}, meters: fib.Meters{fib.CEF: none}}, hairpin},
		ProcessOver:   {tariff{room: 1000, adj: fib.Price{Fragment: fib.ByProcess}, meters: fib.Meters{fib.Process: none}}, long},
		MTUOver:       {tariff{room: 1000, adj: fib.Price{Fragment: fib.ByProcess}, meters: fib.Meters{fib.LimitMTU: none}}, long},
		ExceptionOver: {tariff{room: 0, meters: fib.Meters{fib.Exception: none}}, toSpoke},
	} {
		t.Run(reason.String(), func(t *testing.T) {
			r := newRig(t)
			r.price(&c.tariff)
			if [6]byte(c.frame) == wanMAC {
				r.fromWAN(c.frame)
			} else {
				r.fromLAN(c.frame)
			}
			r.only(reason, 1)
			if len(r.wan.out)+len(r.lan.out) != 0 {
				t.Errorf("%d frames left", len(r.wan.out)+len(r.lan.out))
			}
			r.price(nil) // and without a pricer it goes on
			if [6]byte(c.frame) == wanMAC {
				r.fromWAN(append([]byte(nil), c.frame...))
			} else {
				r.fromLAN(append([]byte(nil), c.frame...))
			}
			if len(r.wan.out) == 0 {
				t.Errorf("nothing left without a pricer: %v", r.nonZero())
			}
		})
	}
}

// Routes in software: the packet goes where it would have, as long as the exception's rate lasts; so do those of several paths and of labels.
func TestSoftwareForwards(t *testing.T) {
	r := labelRig(t, func(_ *Config, b *fib.Batch) {
		b.Routes = append(b.Routes, route("10.70.0.0/24", adjHost, adjHost))
	})
	r.price(&tariff{room: 0, meters: fib.Meters{fib.Exception: {Rate: 1000, Burst: 100}, fib.CEF: {Rate: 1_000_000, Burst: 1000}}})
	frames := [][]byte{
		toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(100))), fromSpoke1(ipv4(behind1, ip4("10.70.0.1"), pattern(100))),
		labelled(ipv4(ip4("10.0.0.8"), behind1, pattern(100)), lab(inTunnel1, 0, 64)), labelled(ipv4(behind1, ip4("10.0.0.9"), pattern(100)), lab(inForward, 0, 64)),
		labelled(ipv4(behind1, ip4("10.0.0.9"), pattern(100)), lab(inPaths, 0, 64)),
	}
	for i, f := range frames {
		in, before := r.lan, len(r.wan.out)+len(r.lan.out)
		if [6]byte(f) == wanMAC {
			in = r.wan
		}
		in.in = append(in.in, f)
		r.poll()
		if len(r.wan.out)+len(r.lan.out) != before+1 {
			t.Errorf("frame %d did not leave: %v", i, r.nonZero())
		}
		if s := r.e.Counters().Spent; s[fib.Exception] != uint64(i+1) || s[fib.CEF] != uint64(i+1) {
			t.Errorf("frame %d: %d exceptions, %d by CEF", i, s[fib.Exception], s[fib.CEF])
		}
	}
	got := r.offer(r.lan, frames[0], 10, 1000, 1_000_000)
	about(t, "exceptions in a second", got, 1000+100-len(frames))
}

// Multicast of others goes into no tunnel of which the price says so; the router's own does.
func TestEncryptedMulticast(t *testing.T) {
	r := newRig(t)
	r.price(&tariff{room: 1000, adj: fib.Price{NoMulticast: true}})
	r.fromWAN(fromSpoke1(ipv4(behind1, mcast, pattern(50))))
	if len(r.wan.out) != 0 || r.count(EncryptedMulticast) != 1 || r.count(CopyLost) != 1 {
		t.Errorf("%d copies left: %v", len(r.wan.out), r.nonZero())
	}
	if err := r.e.Inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: ipv4(hubTunnel, ip4("224.0.0.10"), pattern(50), ttl(1))}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	if len(r.wan.out) != 2 {
		t.Errorf("%d copies of our own left: %v", len(r.wan.out), r.nonZero())
	}
}

// What the slow path has to look at costs the route processor, but for what keeps the network together; and a limiter of its reason comes first.
func TestPuntsPay(t *testing.T) {
	ttlOut := toLAN(ipv4(ip4("10.0.0.8"), behind1, pattern(40), ttl(1)))
	udp := func(port byte) []byte {
		b := append([]byte{1, 0, 1, port}, make([]byte, 20)...) // ports 256 and 256+port
		return b
	}
	toHub := func(payload []byte, opts ...ipOpt) []byte { return toWAN(ipv4(spoke1NBMA, hubNBMA, payload, opts...)) }
	for name, c := range map[string]struct {
		frame  []byte
		meters fib.Meters
		want   int // of 50
		lost   Reason
	}{
		"process":         {ttlOut, fib.Meters{fib.Process: {Rate: 1, Burst: 10}}, 10, TTLExpired},
		"limiter":         {ttlOut, fib.Meters{fib.Process: {Rate: 1, Burst: 30}, fib.LimitTTL: {Rate: 1, Burst: 5}}, 5, TTLExpired},
		"another's":       {ttlOut, fib.Meters{fib.LimitMTU: {Rate: 1, Burst: 5}}, 50, TTLExpired},
		"for the host":    {toHub(udp(9), proto(17)), fib.Meters{fib.LimitReceive: {Rate: 1, Burst: 7}}, 7, Local},
		"for a protocol":  {toHub(udp(9), proto(17), tos(0xc0)), fib.Meters{fib.Process: {Rate: 1, Burst: 7}}, 50, Local},
		"all are limited": {toHub(udp(9), proto(17), tos(0xc0)), fib.Meters{fib.LimitReceive: {Rate: 1, Burst: 7}}, 7, Local},
		"fragments":       {toHub(udp(9), proto(17), flags(8)), fib.Meters{fib.Process: {Rate: 1, Burst: 7}}, 7, Fragment},
		"of a protocol":   {toHub(udp(9), proto(17), flags(8), tos(0xc0)), fib.Meters{fib.Process: {Rate: 1, Burst: 7}}, 50, Fragment},
		"IKE":             {toHub(udp(244), proto(17)), fib.Meters{fib.Process: {Rate: 1, Burst: 7}}, 50, Local},
		"NHRP":            {toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(60))), fib.Meters{fib.Process: {Rate: 1, Burst: 7}}, 50, NHRP},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.price(&tariff{room: 1000, meters: c.meters})
			in := r.lan
			if [6]byte(c.frame) == wanMAC {
				in = r.wan
			}
			for range 50 {
				in.in = append(in.in, append([]byte(nil), c.frame...))
			}
			r.poll()
			if len(r.punts) != c.want {
				t.Errorf("%d punts, want %d: %v", len(r.punts), c.want, r.nonZero())
			}
			if got := r.e.Counters().Lost[c.lost]; got != uint64(50-c.want) {
				t.Errorf("%d lost, want %d", got, 50-c.want)
			}
		})
	}
}

// What this box sends costs nothing.
func TestOwnPacketsPayNothing(t *testing.T) {
	r := newRig(t)
	none := fib.Meter{Rate: 1}
	r.price(&tariff{room: 0, adj: fib.Price{Cost: 16, Way: fib.ByProcess, Crypto: true}, meters: fib.Meters{fib.Engine: none, fib.Crypto: none, fib.Process: none, fib.Exception: none}})
	if err := r.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, behind1, pattern(100))}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	r.oneOut(r.wan)
	if s := r.e.Counters().Spent; s != ([fib.NumBudgets]uint64{}) {
		t.Errorf("spent %v", s)
	}
}

// Packets of protocols pass the route processor while others fill its queue, and are held to its rate all the same.
func TestUrgentPackets(t *testing.T) {
	host := ip4("10.0.0.8")
	other, urgent := toLAN(ipv4(host, behind1, pattern(100))), toLAN(ipv4(host, behind1, pattern(100), tos(0xc0)))
	for way, b := range map[fib.Way]fib.Budget{fib.ByCEF: fib.CEF, fib.ByProcess: fib.Process} {
		var meters fib.Meters
		meters[b] = fib.Meter{Rate: 1000, Burst: 20}
		r := newRig(t)
		r.price(&tariff{room: 1000, adj: fib.Price{Way: way}, meters: meters})
		if got := r.offer(r.lan, other, 50, 1, 1); got != 20 {
			t.Fatalf("budget %d: %d of others passed, want 20", b, got)
		}
		if got := r.offer(r.lan, urgent, 5, 1, 1); got != 5 {
			t.Errorf("budget %d: %d of 5 urgent packets passed a queue that is full", b, got)
		}
		if got := r.offer(r.lan, other, 50, 1, 5_000_000); got > 1 {
			t.Errorf("budget %d: %d of others passed, though urgent ones had taken what there was", b, got)
		}
		if got := r.offer(r.lan, urgent, 200, 50, 1_000_000); got > 20+50+1 || got < 50 {
			t.Errorf("budget %d: %d urgent packets passed in 50 ms at 1000 a second", b, got)
		}
	}
}

// Workers that fill and spend one budget at the same time let through no more than its rate and burst, and no less than what others took in between.
func TestBudgetShared(t *testing.T) {
	e, err := New(Config{ArenaBytes: 16 << 20, Workers: 4, MaxAdjacencies: 1024, MaxTunnels: 64, MaxRoutes: 4096, PuntSlots: 64, InjectSlots: 64, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const rate, burst = 1_000_000, 500
	if err := e.SetPricer(&tariff{room: 10, meters: fib.Meters{fib.CEF: {Rate: rate, Burst: burst}}}); err != nil {
		t.Fatal(err)
	}
	m := budgetWords(e.credit, fib.CEF)
	var clock atomic.Int64
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				now := clock.Add(250)
				if now > 50_000_000 {
					return
				}
				refill(m, now)
				for range 3 {
					if int64(atomic.AddUint64(&m[creditLevel], ^uint64(0))) < 0 {
						atomic.AddUint64(&m[creditLevel], 1)
						continue
					}
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := taken.Load(); got > 50_000+burst+4 || got < 45_000 {
		t.Errorf("%d units in 50 ms at %d a second", got, rate)
	}
}
