package slowpath

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/rib"
)

// glean punts a packet from a host to another on Ethernet1 whose MAC address is not known.
func (r *rig) glean(dst string, ttl uint8) []byte {
	b := udp("192.0.2.77", dst, ttl, 4)
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: wanPort, Adj: r.engine.to(dst).ID, NextHop: ip(dst), Packet: b})
	return b
}

func TestHeldUntilTheNeighbourAnswers(t *testing.T) {
	r := newRig(t, nil)
	b := r.glean("10.1.0.7", 9)
	if len(r.host.resolved) != 1 || r.host.resolved[0] != (nextHop{"Ethernet1", ip("10.1.0.7")}) {
		t.Fatalf("asked for %v", r.host.resolved)
	}
	if in := r.engine.take(); len(in) != 0 {
		t.Fatalf("sent before its time: %+v", in)
	}
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.7"), [6]byte{2, 7}, true)
	in := r.engine.take()
	if len(in) != 1 || in[0].Kind != fastpath.InjectRoute || packet.IPv4(in[0].Packet).TTL() != 8 || !bytes.Equal(in[0].Packet[12:], b[12:]) {
		t.Fatalf("released %+v", in)
	}
	if a := r.engine.to("10.1.0.7"); a.Kind != fib.AdjLink {
		t.Errorf("released before the fast path knew: %+v", a)
	}
	// A packet that was on its way up meanwhile goes at once.
	r.glean("10.1.0.7", 9)
	if in := r.engine.take(); len(in) != 1 {
		t.Errorf("known by now: %+v", in)
	}
	if s := r.Status().Packets; s.Held != 2 || s.HeldLost != 0 {
		t.Errorf("stats: %+v", s)
	}
}

// The latest packet for a next hop is kept. Packets of the box itself keep their TTL.
func TestHeldLatest(t *testing.T) {
	r := newRig(t, nil)
	r.glean("10.1.0.7", 9)
	own := udp("10.1.0.1", "10.1.0.7", 64, 50)
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Adj: r.engine.to("10.1.0.7").ID, NextHop: ip("10.1.0.7"), Packet: own})
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.7"), [6]byte{2, 7}, true)
	if in := r.engine.take(); len(in) != 1 || !bytes.Equal(in[0].Packet, own) {
		t.Errorf("released %+v", in)
	}
	if s := r.Status().Packets; s.Held != 2 || s.HeldLost != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestHeldExpires(t *testing.T) {
	r := newRig(t, nil)
	r.glean("10.1.0.7", 9)
	own := udp("10.1.0.1", "10.1.0.8", 64, 50)
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Adj: r.engine.to("10.1.0.8").ID, NextHop: ip("10.1.0.8"), Packet: own})
	r.wait(holdTimeout - time.Millisecond)
	if in := r.engine.take(); len(in) != 0 {
		t.Fatalf("given up too early: %+v", in)
	}
	if d := r.Deadline(); d.After(start.Add(holdTimeout)) {
		t.Errorf("deadline %v", d.Sub(start))
	}
	r.wait(time.Millisecond)
	icmpOf(t, r.engine.take(), 3, 1, "192.0.2.1", "192.0.2.77") // and none about our own
	if s := r.Status().Packets; s.HeldLost != 2 {
		t.Errorf("stats: %+v", s)
	}
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.7"), [6]byte{2, 7}, true)
	if in := r.engine.take(); len(in) != 0 {
		t.Errorf("sent after all: %+v", in)
	}
}

func TestHeldIsBounded(t *testing.T) {
	r := newRig(t, nil)
	adj := r.engine.to("10.1.0.7").ID
	for k := range 1500 {
		r.now = r.now.Add(time.Millisecond) // the police lets 2000 a second pass
		dst := netip.AddrFrom4([4]byte{10, 1, byte(k >> 8), byte(k)})
		r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: wanPort, Adj: adj, NextHop: dst, Packet: udp("192.0.2.77", dst.String(), 9, 4)})
	}
	if n := len(r.held.byHop); n != maxHeld {
		t.Errorf("%d packets wait, at most %d should", n, maxHeld)
	}
	// What was cut on its way up, and what has no TTL left, can't be sent.
	r2 := newRig(t, nil)
	b := udp("192.0.2.77", "10.1.0.7", 9, 4)
	r2.punt(fastpath.Punt{Reason: fastpath.Glean, Port: wanPort, Adj: r2.engine.to("10.1.0.7").ID, NextHop: ip("10.1.0.7"), Packet: b, Len: len(b) + 1})
	r2.glean("10.1.0.9", 1)
	for _, a := range []string{"10.1.0.7", "10.1.0.9"} {
		r2.At(r2.now).Neighbour("Ethernet1", ip(a), [6]byte{2, 7}, true)
	}
	if in := r2.engine.take(); len(in) != 0 {
		t.Errorf("sent: %+v", in)
	}
}

// The first packet to a peer of the tunnel goes through the NHS at once, and the peer is asked for.
func TestFirstPacketTakesTheHub(t *testing.T) {
	r := newRig(t, nil)
	b := udp("10.1.0.7", "10.2.0.7", 9, 100)
	adj := r.engine.to("10.2.0.7")
	r.punt(fastpath.Punt{Reason: fastpath.Glean, Port: lanPort, Adj: adj.ID, NextHop: adj.NextHop, Packet: b})
	in := r.engine.take()
	if m := r.nhrpSent(in); len(m) != 1 || m[0].Type != nhrpmsg.ResolutionRequest {
		t.Fatalf("sent: %+v", in)
	}
	if len(in) != 2 || packet.IPv4(in[1].Packet).TTL() != 8 {
		t.Fatalf("the packet waits: %+v", in)
	}
	if a := r.engine.to("10.2.0.7"); a.Kind != fib.AdjTunnel || !a.Resolve || !bytes.HasSuffix(a.Outer, []byte{192, 0, 2, 9}) {
		t.Errorf("meanwhile: %+v", a)
	}
}

// Packets of a tunnel that becomes protected don't wait on in clear.
func TestProtectionForgetsWhatWaits(t *testing.T) {
	r := newRig(t, nil)
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.9"), [6]byte{}, false)
	gre := nhrpPacket(r.config.Interfaces[2].Tunnel, ip("192.0.2.9"), 1, []byte("registration"))
	other := udp("192.0.2.1", "192.0.2.8", 64, 4)
	for dst, b := range map[string][]byte{"192.0.2.9": gre, "192.0.2.8": other} {
		r.punt(fastpath.Punt{Reason: fastpath.Glean, Adj: r.engine.to(dst).ID, NextHop: ip(dst), Packet: b})
	}
	r.engine.take()
	tunnel := *r.config.Interfaces[2].Tunnel
	tunnel.Protected = true
	r.config.Interfaces[2].Tunnel = &tunnel
	if err := r.At(r.now).Configure(r.config); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"192.0.2.9", "192.0.2.8"} {
		r.At(r.now).Neighbour("Ethernet0", ip(a), [6]byte{2, 9}, true)
	}
	if in := r.engine.take(); len(in) != 1 || !bytes.Equal(in[0].Packet, other) {
		t.Errorf("sent: %+v", in)
	}
}

func TestPathMTU(t *testing.T) {
	gre := []byte{0x20, 0, 8, 0, 0, 0, key >> 8, key & 255}
	const header = 28 // IPv4, GRE, key
	for _, c := range []struct {
		name          string
		discovery     bool
		local, remote string
		mtu           uint16
		quoted        []byte
		want          uint16
	}{
		{"believed", true, "192.0.2.1", "192.0.2.9", 1300, gre, 1300 - header},
		{"the least", true, "192.0.2.1", "192.0.2.9", minPathMTU, gre, minPathMTU - header},
		{"more than the tunnel's MTU", true, "192.0.2.1", "192.0.2.9", 1499, gre, 1400},
		{"too little", true, "192.0.2.1", "192.0.2.9", minPathMTU - 1, gre, 1400},
		{"no MTU", true, "192.0.2.1", "192.0.2.9", 0, gre, 1400},
		{"discovery is off", false, "192.0.2.1", "192.0.2.9", 1300, gre, 1400},
		{"another source", true, "192.0.2.2", "192.0.2.9", 1300, gre, 1400},
		{"another peer", true, "192.0.2.1", "192.0.2.10", 1300, gre, 1400},
		{"another key", true, "192.0.2.1", "192.0.2.9", 1300, []byte{0x20, 0, 8, 0, 0, 0, 0, 1}, 1400},
		{"no key", true, "192.0.2.1", "192.0.2.9", 1300, []byte{0, 0, 8, 0, 0, 0, key >> 8, key & 255}, 1400},
		{"truncated", true, "192.0.2.1", "192.0.2.9", 1300, gre[:7], 1400},
		{"nothing quoted", true, "192.0.2.1", "192.0.2.9", 1300, nil, 1400},
	} {
		r := newRig(t, func(cfg *Config) { cfg.Interfaces[2].Tunnel.PathMTU = c.discovery })
		r.At(r.now).TooBig(fib.Global, TooBig{Local: ip(c.local), Remote: ip(c.remote), Protocol: protoGRE, MTU: c.mtu, Quoted: c.quoted})
		if got := r.engine.to("10.0.0.1").MTU; got != c.want {
			t.Errorf("%s: MTU %d, want %d", c.name, got, c.want)
		}
		if len(r.pathMTU) != 0 && c.want == 1400 && c.mtu != 1499 {
			t.Errorf("%s: remembered %v", c.name, r.pathMTU)
		}
	}
}

func TestPathMTUAges(t *testing.T) {
	r := newRig(t, func(cfg *Config) { cfg.Interfaces[2].Tunnel.PathMTU = true })
	gre := []byte{0x20, 0, 8, 0, 0, 0, key >> 8, key & 255}
	tooBig := func(mtu uint16) {
		r.At(r.now).TooBig(fib.Global, TooBig{ip("192.0.2.1"), ip("192.0.2.9"), protoGRE, mtu, gre})
	}
	tooBig(1000)
	tooBig(1300) // only age makes it larger
	if got := r.engine.to("10.0.0.1").MTU; got != 972 {
		t.Errorf("MTU %d, want 972", got)
	}
	for range 6 {
		r.wait(90 * time.Second)
	}
	tooBig(1000) // heard of again
	r.wait(2 * time.Minute)
	if got := r.engine.to("10.0.0.1").MTU; got != 972 {
		t.Errorf("after 11 minutes, and heard of again: MTU %d, want 972", got)
	}
	for range 60 {
		r.wait(10 * time.Second)
	}
	if got := r.engine.to("10.0.0.1").MTU; got != 1400 {
		t.Errorf("after its age: MTU %d, want 1400", got)
	}
}

// Ageing needs no NHRP timer: a box without NHRP has a deadline too.
func TestDeadlineWithoutNHRP(t *testing.T) {
	r := NewSeeded(newEngine(), &host{}, 1)
	c := baseConfig()
	c.NHRP = nhrp.Config{}
	if err := r.At(start).Configure(c); err != nil {
		t.Fatal(err)
	}
	if d := r.Deadline(); d.IsZero() || d.Sub(start) > sweepEvery {
		t.Errorf("deadline %v", d)
	}
}

// Traffic to a peer keeps its entry: NHRP is told of what left by its adjacencies.
func TestSweepTellsWhoIsUsed(t *testing.T) {
	r := newRig(t, nil)
	used := func() bool {
		for _, e := range r.Status().NHRP.Entries {
			if e.Prefix == pfx("10.0.0.1/32") {
				return e.Flags&nhrp.FlagUsed != 0
			}
		}
		t.Fatal("no entry of the NHS")
		return false
	}
	r.wait(sweepEvery)
	r.wait(sweepEvery)
	if used() {
		t.Error("used without traffic")
	}
	for _, u := range r.Adjacencies() {
		r.engine.counts[u.Adjacency] = 5
	}
	r.wait(sweepEvery)
	if !used() {
		t.Error("traffic was not noticed")
	}
	r.wait(sweepEvery)
	r.wait(2 * time.Minute)
	if used() {
		t.Error("used for ever")
	}
}

func TestNHRPLost(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"protected":      func(r *rig) { r.config.Interfaces[2].Tunnel.Protected = true },
		"down":           func(r *rig) { r.config.Interfaces[2].Up = false },
		"no address":     func(r *rig) { r.config.Interfaces[2].Tunnel.Local = netip.Addr{} },
		"full ring":      func(r *rig) { r.engine.full = true },
		"no such tunnel": func(r *rig) { r.config.Interfaces = r.config.Interfaces[:2]; r.config.NHRP = nhrp.Config{} },
	} {
		r := newRig(t, nil)
		change(r)
		if err := r.At(r.now).Configure(r.config); err != nil {
			t.Fatal(err)
		}
		r.engine.take()
		before := r.Status().Packets
		_ = r.step(func() { r.sendNHRP(nhrp.Send{Iface: "Tunnel0", To: peerAt(ip("192.0.2.9")), Payload: []byte{1}}) })
		if after := r.Status().Packets; after.NHRPLost != before.NHRPLost+1 || after.NHRPSent != before.NHRPSent || len(r.engine.take()) != 0 {
			t.Errorf("%s: %+v, then %+v", name, before, after)
		}
	}
	r := newRig(t, nil)
	r.sendNHRP(nhrp.Send{Iface: "Tunnel0", Payload: []byte{1}})
	if s := r.Status().Packets; s.NHRPLost == 0 || s.InjectFailed != 0 {
		t.Errorf("to nobody: %+v", s)
	}
}

// What the fast path refuses to take as a whole is shown.
func TestStepFailed(t *testing.T) {
	r := NewSeeded(brokenEngine{newEngine()}, &host{}, 1)
	if err := r.At(start).Configure(baseConfig()); err == nil {
		t.Fatal("a batch that failed is no error")
	}
	if s := r.Status(); s.Error == "" {
		t.Error("status shows no error")
	}
}

type brokenEngine struct{ *engine }

func (brokenEngine) Apply(*fib.Batch) ([]fib.Refusal, error) { return nil, errBroken }

func TestConfigureRemoves(t *testing.T) {
	r := newRig(t, nil)
	c := r.config
	c.Interfaces, c.NHRP = c.Interfaces[:2], nhrp.Config{}
	c.Statics = nil
	if err := r.At(r.now).Configure(c); err != nil {
		t.Fatal(err)
	}
	if len(r.engine.tunnels) != 0 || len(r.Status().NHRP.Entries) != 0 || len(r.Adjacencies()) != 0 {
		t.Errorf("left: %v, %v, %v", r.engine.tunnels, r.Status().NHRP.Entries, r.Adjacencies())
	}
	for p := range r.engine.routes {
		if p == pfx("0.0.0.0/0") || pfx("10.0.0.0/24").Overlaps(p) || p == pfx("10.2.0.0/24") {
			t.Errorf("the route %v is left", p)
		}
	}
	n := r.engine.applies
	if err := r.At(r.now).Configure(c); err != nil || r.engine.applies != n {
		t.Errorf("the same again: %v, %d batches", err, r.engine.applies-n)
	}
}

// Linux gets the routes when they change, and not otherwise.
func TestRoutesGoToLinux(t *testing.T) {
	r := newRig(t, nil)
	has := func(p string) bool {
		for _, x := range r.host.routes {
			if x.Prefix == pfx(p) && x.Source == rib.Static {
				return true
			}
		}
		return false
	}
	if !has("0.0.0.0/0") || !has("10.2.0.0/24") {
		t.Errorf("routes: %+v", r.host.routes)
	}
	told := r.host.told
	r.At(r.now).Neighbour("Ethernet1", ip("10.1.0.7"), [6]byte{2, 7}, true)
	if r.host.told != told {
		t.Errorf("a neighbour is no route: %+v", r.host.routes)
	}
	r.config.Statics[fib.Global] = r.config.Statics[fib.Global][:1]
	if err := r.At(r.now).Configure(r.config); err != nil || has("10.2.0.0/24") || !has("0.0.0.0/0") {
		t.Errorf("after a change: %v, %+v", err, r.host.routes)
	}
}
