package fastpath

import (
	"fmt"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// TestNoAllocations: no packet's way allocates, whatever becomes of it.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    fib.PortID
		frame []byte
	}{
		{"forward", wan, toWAN(ipv4(behind1, hostIP, pattern(40)))},
		{"encapsulate", lan, toLAN(ipv4(hostIP, behind1, pattern(40)))},
		{"decapsulate", wan, fromSpoke1(ipv4(behind1, hostIP, pattern(40)))},
		{"hairpin", wan, fromSpoke1(ipv4(behind1, behind2, pattern(40)))},
		{"fragments", lan, toLAN(ipv4(hostIP, behind1, pattern(1470)))},
		{"multicast", wan, fromSpoke1(ipv4(behind1, mcast, pattern(40)))},
		{"SYN", lan, toLAN(syn(hostIP, behind1, 1460))},
		{"punt", wan, toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40)))},
		{"TTL", wan, toWAN(ipv4(behind1, hostIP, nil, ttl(1)))},
		{"fragmentation needed", lan, toLAN(ipv4(hostIP, behind1, pattern(1470), df))},
		{"glean", wan, toWAN(ipv4(behind1, ip4("10.0.0.50"), nil))},
		{"drop", wan, toWAN(nil)},
		{"label push", lan, toLAN(ipv4(hostIP, toLabel(5), pattern(40)))},
		{"label swap", wan, labelled(pattern(40), lab(inLink2, 0, 9))},
		{"label pop", wan, fromTunnel(ipv4(vpnSource, inVPNHost, pattern(40)), lab(inSelf, 0, 9), lab(inVRF, 0, 9))},
		{"label paths", wan, labelled(ipv4(vpnSource, inVPNHost, pattern(40)), lab(inPaths, 0, 9))},
		{"label fragments", wan, labelled(ipv4(vpnSource, inVPNHost, pattern(1500)), lab(inTunnel2, 0, 9), lab(7, 0, 9))},
		{"label TTL", wan, labelled(ipv4(vpnSource, inVPNHost, pattern(1500)), lab(inTunnel2, 0, 1), lab(7, 0, 9))},
		{"label drop", wan, labelled(nil, lab(999, 0, 9))},
		{"tagged", lan, tagFrame(toLAN(ipv4(subHost, ip4("10.20.0.1"), pattern(40))), 10)},
		{"tagged, for the host", lan, tagFrame(toLAN(ipv4(subHost, subIP, pattern(40))), 10)},
		{"tagged, labels out", lan, tagFrame(toLAN(ipv4(subHost, ip4("10.21.0.1"), pattern(40))), 10)},
		{"tagged tunnel, cut", lan, tagFrame(toLAN(ipv4(subHost, ip4("10.22.0.1"), pattern(1380))), 10)},
		{"leak", wan, toWAN(ipv4(behind1, ip4("10.30.0.1"), pattern(40)))},
		{"leak for ever", wan, toWAN(ipv4(behind1, ip4("10.31.0.1"), pattern(40)))},
		{"leak by a label", wan, labelled(ipv4(behind1, ip4("10.20.0.1"), pattern(40)), lab(inLeakSwap, 0, 9))},
		{"label to an address here", wan, labelled(ipv4(vpnSource, inVPNSelf, pattern(40)), lab(inVRF, 0, 9))},
		{"label to a tunnel, in a tunnel", wan, fromTunnel(grePacket(spoke2NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, pattern(40))), lab(inSelf, 0, 9))},
		{"labels outside", lan, toLAN(ipv4(hostIP, ip4("10.44.0.1"), pattern(40)))},
		{"labels outside, cut", lan, toLAN(ipv4(hostIP, ip4("10.44.0.1"), pattern(1350)))},
	} {
		for _, flows := range []int{0, 1000} {
			t.Run(fmt.Sprintf("%s/%d", c.name, flows), func(t *testing.T) { noAllocations(t, c.in, c.frame, flows, nil, 0) })
		}
		t.Run(c.name+"/priced", func(t *testing.T) { noAllocations(t, c.in, c.frame, 0, dear(), 0) })
		t.Run(c.name+"/captured", func(t *testing.T) { noAllocations(t, c.in, c.frame, 0, nil, captureAll) })
	}
}

// dear is a pricer by which everything costs something of everything.
func dear() *tariff {
	p := &tariff{adj: fib.Price{Cost: 20, Way: fib.ByCEF, Labelled: fib.ByProcess, Fragment: fib.ByProcess, Crypto: true}, label: fib.Price{Cost: 5, Way: fib.ByCEF}}
	p.tunnel = p.adj
	for b := range p.meters {
		p.meters[b] = fib.Meter{Rate: 1_000_000, Burst: 10_000}
	}
	return p
}

func noAllocations(t *testing.T, in fib.PortID, frame []byte, flows int, pricer fib.Pricer, points CapturePoint) {
	r := leakRig(t, withOuterLabels, func(c *Config, b *fib.Batch) { b.Ports[1].MSS, c.FlowCache = 1300, flows })
	r.t = t
	if pricer != nil {
		r.price(pricer)
	}
	r.w.Detach(wan)
	r.w.Detach(lan)
	ports := map[fib.PortID]*echo{wan: {r: r}, lan: {r: r}}
	for id, p := range ports {
		if err := r.w.Attach(id, p); err != nil {
			t.Fatal(err)
		}
	}
	ports[in].frame = frame
	if points != 0 {
		k := r.tapAll(func(q *CaptureRequest) { q.Points = points })
		r.w.Poll(r.now) // meets the request
		defer func() {
			if len(copies(k)) == 0 {
				t.Error("nothing was captured")
			}
		}()
	}
	handled := 0
	n := testing.AllocsPerRun(200, func() {
		r.now += 1e9
		handled += r.w.Poll(r.now)
		r.e.Drain(0, func(*Punt) {})
	})
	if n != 0 || handled != 201*8 {
		t.Errorf("%v allocations a poll, %d packets", n, handled)
	}
	ports[in].frame = nil
}

// echo receives one frame again and again, and forgets what is sent.
type echo struct {
	wire
	r     *rig
	frame []byte
}

func (p *echo) Recv(fs []port.Frame) int {
	if p.frame == nil {
		return 0
	}
	for i := range 8 {
		c, _ := p.r.w.pool.Get()
		fs[i] = port.Frame{Chunk: c, Start: 256, Len: uint16(len(p.frame))}
		copy(p.r.w.pool.Bytes(fs[i]), p.frame)
	}
	return 8
}

func (p *echo) Send(fs []port.Frame) int {
	for _, f := range fs {
		p.r.w.pool.Put(f.Chunk)
	}
	return len(fs)
}

// TestNoAllocationsSleep: nor does going to sleep.
func TestNoAllocationsSleep(t *testing.T) {
	r := newRig(t)
	if _, err := r.w.wake.open(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		r.w.wake.kick()
		if err := r.w.sleep(maxSleep); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a sleep", n)
	}
}

// TestNoAllocationsSealed: nor does a packet of any transform, either way.
func TestNoAllocationsSealed(t *testing.T) {
	for _, s := range suites() {
		for _, in := range []fib.PortID{wan, lan} {
			p := newPair(t, s) // without a window, so that one packet can come again and again
			frame := toLAN(ipv4(hostIP, behind1, pattern(200)))
			if in == wan {
				frame = p.one(p.sealed(ipv4(behind1, hostIP, pattern(200))))
			}
			r := p.hub
			r.w.Detach(wan)
			r.w.Detach(lan)
			ports := map[fib.PortID]*echo{wan: {r: r}, lan: {r: r}}
			for id, e := range ports {
				if err := r.w.Attach(id, e); err != nil {
					t.Fatal(err)
				}
			}
			ports[in].frame = frame
			before := r.e.Counters().Workers[0].Forwarded
			n := testing.AllocsPerRun(20, func() {
				r.now += 1e9
				r.w.Poll(r.now)
				r.e.Drain(0, func(*Punt) {})
			})
			ports[in].frame = nil
			r.settle()
			if sent := r.e.Counters().Workers[0].Forwarded - before; n != 0 || sent != 21*8 {
				t.Errorf("%s by port %d: %v allocations a poll, %d packets", s.name, in, n, sent)
			}
		}
	}
}
