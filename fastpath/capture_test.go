package fastpath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

const captureAll = CaptureRx | CaptureTx | CaptureTunnelIn | CaptureTunnelOut | CaptureDrop | CapturePunt

// tapAll begins a capture, of everything at all points unless changed. It ends with the test.
func (r *rig) tapAll(change ...func(*CaptureRequest)) *Capture {
	r.t.Helper()
	q := CaptureRequest{Points: captureAll, Until: 1 << 62}
	for _, f := range change {
		f(&q)
	}
	c, err := r.e.Capture(q)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// copies is what a capture has.
func copies(c *Capture) (list []Captured) {
	c.Drain(func(p *Captured) bool {
		q := *p
		q.Data = bytes.Clone(p.Data)
		list = append(list, q)
		return true
	})
	return list
}

func at(list []Captured, point CapturePoint) (out []Captured) {
	for _, c := range list {
		if c.Point == point {
			out = append(out, c)
		}
	}
	return out
}

// TestCapturePoints: a packet on its way through two sides of a tunnel is copied at each point as it is there.
func TestCapturePoints(t *testing.T) {
	for _, s := range []suite{gcm128, {name: "aes-cbc", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20}, {name: "3des", cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20, ah: fib.AuthHMACSHA1, ahKey: 20}} {
		t.Run(s.name, func(t *testing.T) {
			p := newPair(t, s)
			inner := ipv4(behind1, hostIP, pattern(100))
			in := p.sealed(inner)
			arrives := bytes.Clone(in[0])
			c := p.hub.tapAll()
			p.hub.now = 77
			out := p.deliver(in...)
			list := copies(c)
			if len(list) != 3 {
				t.Fatalf("%d copies: %+v", len(list), list)
			}
			left := inner
			left[8]-- // TTL
			packet.IPv4(left).SetSum()
			rx, open, tx := list[0], list[1], list[2]
			if rx.Point != CaptureRx || rx.Port != wan || rx.Proto != 0 || rx.Time != 77 || !bytes.Equal(rx.Data, arrives) || rx.Len != len(arrives) {
				t.Errorf("received: %+v", rx)
			}
			if open.Point != CaptureTunnelIn || open.Tunnel != tunnelID || open.Proto != packet.TypeIPv4 || open.Peer != addr(spoke1NBMA) || open.Data[8] != 63 || !bytes.Equal(open.Data[20:], inner[20:]) {
				t.Errorf("out of the tunnel: %+v", open)
			}
			if tx.Point != CaptureTx || tx.Port != lan || !bytes.Equal(tx.Data, out[0]) {
				t.Errorf("sent: %+v, want %x", tx, out[0])
			}

			p.hub.lan.in = append(p.hub.lan.in, toLAN(ipv4(hostIP, behind1, pattern(60))))
			p.hub.settle()
			sealed := p.hub.wan.take()
			list = copies(c)
			if len(list) != 3 || list[1].Point != CaptureTunnelOut || list[1].Tunnel != tunnelID || list[1].Peer != addr(spoke1NBMA) || !bytes.Equal(list[1].Data[20:], pattern(60)) {
				t.Fatalf("into the tunnel: %+v", list)
			}
			if list[2].Point != CaptureTx || list[2].Port != wan || !bytes.Equal(list[2].Data, sealed[0]) {
				t.Errorf("sealed: %x, want %x", list[2].Data, sealed[0])
			}
			if n := c.Lost(); n != 0 {
				t.Errorf("%d copies lost", n)
			}
		})
	}
}

// TestCaptureLabels: labels that will be pushed are in front of what goes into a tunnel, and what comes out of one has its labels.
func TestCaptureLabels(t *testing.T) {
	r := labelRig(t)
	c := r.tapAll(func(q *CaptureRequest) { q.Points = CaptureTunnelIn | CaptureTunnelOut })
	r.fromLAN(toLAN(ipv4(hostIP, toLabel(5), pattern(40))))
	r.fromWAN(fromTunnel(ipv4(vpnSource, inVPNHost, pattern(40)), lab(inTunnel2, 3, 9), lab(7, 0, 9)), toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40))))
	list := copies(c)
	if len(list) != 4 {
		t.Fatalf("%d copies: %+v", len(list), list)
	}
	stack := func(b []byte) (labels []uint32) {
		for at := 0; ; at += packet.LabelLen {
			e := packet.GetLSE(b[at:])
			if labels = append(labels, e.Label()); e.Bottom() {
				return labels
			}
		}
	}
	out := r.wan.take()
	for i, want := range [][]uint32{{100, 200, 300}, {inTunnel2, 7}, {100, 200, 7}} {
		k := list[i]
		if k.Proto != packet.TypeMPLS || len(stack(k.Data)) != len(want) {
			t.Fatalf("copy %d: %+v", i, k)
		}
		for j, l := range stack(k.Data) {
			if l != want[j] {
				t.Errorf("copy %d: labels %v, want %v", i, stack(k.Data), want)
			}
		}
	}
	_, b := r.ungreMPLS(out[0])
	if !bytes.Equal(b, list[0].Data) {
		t.Errorf("copied %x\nsent %x", list[0].Data, b)
	}
	if list[3].Proto != packet.TypeNHRP || !bytes.Equal(list[3].Data, pattern(40)) {
		t.Errorf("NHRP: %+v", list[3])
	}
}

// TestCaptureEnds: what is dropped or punted is copied with its reason, where it came in, as it was then.
func TestCaptureEnds(t *testing.T) {
	nowhere := ipv4(behind1, ip4("10.66.1.1"), pattern(20))
	for name, c := range map[string]struct {
		frame  []byte
		point  CapturePoint
		reason Reason
		port   fib.PortID
		tunnel fib.TunnelID
		proto  uint16
		data   []byte
	}{
		"short":           {[]byte{1, 2, 3}, CaptureDrop, EthernetShort, wan, 0, 0, []byte{1, 2, 3}},
		"not ours":        {ethernet(hostMAC, gwMAC, nowhere), CaptureDrop, EthernetOther, wan, 0, 0, ethernet(hostMAC, gwMAC, nowhere)},
		"bad header":      {toWAN([]byte{0x45, 0, 0}), CaptureDrop, IPShort, wan, 0, 0, toWAN([]byte{0x45, 0, 0})},
		"null":            {toWAN(nowhere), CaptureDrop, NullRoute, wan, 0, 0, toWAN(nowhere)},
		"in a tunnel":     {fromSpoke1(nowhere), CaptureDrop, NullRoute, 0, tunnelID, packet.TypeIPv4, nowhere},
		"broken inside":   {fromSpoke1(nowhere[:7]), CaptureDrop, IPShort, 0, tunnelID, packet.TypeIPv4, nowhere[:7]},
		"odd in GRE":      {toWAN(grePacket(spoke1NBMA, 0x86dd, nowhere)), CaptureDrop, GREProtocol, 0, tunnelID, 0x86dd, nowhere},
		"label":           {labelled(nowhere, lab(999, 0, 9)), CaptureDrop, MPLSUnknown, wan, 0, 0, labelled(nowhere, lab(999, 0, 9))},
		"label in tunnel": {fromTunnel(nowhere, lab(999, 0, 9)), CaptureDrop, MPLSUnknown, 0, tunnelID, packet.TypeMPLS, under(nowhere, lab(999, 0, 9))},
		"NHRP":            {toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40))), CapturePunt, NHRP, 0, tunnelID, packet.TypeNHRP, pattern(40)},
		"TTL":             {fromSpoke1(ipv4(behind1, hostIP, pattern(700), ttl(1))), CapturePunt, TTLExpired, 0, tunnelID, packet.TypeIPv4, ipv4(behind1, hostIP, pattern(700), ttl(1))},
		"local":           {toWAN(ipv4(behind1, hubNBMA, pattern(9))), CapturePunt, Local, wan, 0, 0, toWAN(ipv4(behind1, hubNBMA, pattern(9)))},
	} {
		t.Run(name, func(t *testing.T) {
			r := labelRig(t)
			r.fromWAN(fromSpoke1(ipv4(behind1, hostIP, pattern(100))), labelled(nowhere, lab(inVRF, 0, 9))) // that packets of no capture leave something
			k := r.tapAll(func(q *CaptureRequest) { q.Points = CaptureDrop | CapturePunt })
			r.fromWAN(c.frame)
			list := copies(k)
			if len(list) != 1 {
				t.Fatalf("%d copies: %+v; reasons %v", len(list), list, r.nonZero())
			}
			g := list[0]
			if g.Point != c.point || g.Reason != c.reason || g.Tunnel != c.tunnel || c.port != 0 && g.Port != c.port || g.Proto != c.proto || g.Len != len(c.data) {
				t.Errorf("%+v, want %s of port %d, tunnel %d, protocol %#x", g, c.reason, c.port, c.tunnel, c.proto)
			}
			if !bytes.Equal(g.Data, c.data) {
				t.Errorf("copied %x\n  want %x", g.Data, c.data)
			}
		})
	}
}

// TestCaptureLostWays: frames that a port does not take are no frames that were sent; punts that do not get through, copies and injected packets that are lost are drops, too.
func TestCaptureLostWays(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fib.Batch) { c.PuntSlots = 2 })
	c := r.tapAll()
	r.lan.limit = 2
	frames := [][]byte{}
	for range 5 {
		frames = append(frames, fromSpoke1(ipv4(behind1, hostIP, pattern(40))))
	}
	r.fromWAN(frames...)
	list := copies(c)
	full := at(list, CaptureDrop)
	if len(at(list, CaptureTx)) != 2 || len(full) != 3 || full[0].Reason != TxFull || full[0].Port != lan || full[0].Proto != 0 {
		t.Errorf("sent %d, lost %+v", len(at(list, CaptureTx)), full)
	}
	r.lan.limit = 0

	nhrp := toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40)))
	r.fromWAN(nhrp, nhrp, nhrp, nhrp)
	list = copies(c)
	lost := at(list, CaptureDrop)
	if len(at(list, CapturePunt)) != 2 || len(lost) != 2 || !lost[0].Lost || lost[0].Reason != NHRP || lost[0].Proto != packet.TypeNHRP {
		t.Errorf("punts: %+v", list)
	}

	r.inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, ip4("10.66.1.1"), pattern(20))})
	r.inject(Inject{Kind: InjectFrame, Port: 7, Packet: toLAN(ipv4(hubLAN, hostIP, nil))})
	r.poll()
	list = copies(c)
	if len(list) != 2 || list[0].Reason != NullRoute || list[0].Port != 0 || list[0].Proto != packet.TypeIPv4 || list[1].Reason != PortDown || list[1].Proto != ethernetIn {
		t.Errorf("injected: %+v", list)
	}
}

// TestCaptureSelects: by interface, VLAN, reason, snap length, number and filter.
func TestCaptureSelects(t *testing.T) {
	r := leakRig(t, func(_ *Config, b *fib.Batch) { b.Ports[1].Addr = addr(hubLAN) })
	sub := fib.PortID(0)
	for f := range r.e.tables.PortEntries() {
		if f.Parent == lan && f.VLAN == 10 {
			sub = f.ID
		}
	}
	if sub == 0 {
		t.Fatal("the rig has no subinterface with VLAN 10")
	}
	traffic := func() {
		r.fromWAN(fromSpoke1(ipv4(behind1, hostIP, pattern(40))), toWAN(ipv4(behind1, ip4("10.66.1.1"), pattern(700))))
		r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(40))), tagFrame(toLAN(ipv4(subHost, ip4("10.20.0.1"), pattern(40))), 10), tagFrame(toLAN([]byte{0x45}), 10), tagFrame(toLAN([]byte{0x45}), 77))
	}
	for name, c := range map[string]struct {
		ask  func(*CaptureRequest)
		want map[CapturePoint]int
		len  int
	}{
		"port":         {func(q *CaptureRequest) { q.Port = wan }, map[CapturePoint]int{CaptureRx: 2, CaptureTx: 1, CaptureDrop: 1}, 0},
		"parent":       {func(q *CaptureRequest) { q.Port, q.Points = lan, CaptureRx|CaptureDrop }, map[CapturePoint]int{CaptureRx: 4, CaptureDrop: 1}, 0},
		"subinterface": {func(q *CaptureRequest) { q.Port, q.Sub, q.VLAN, q.Points = lan, sub, 10, CaptureRx|CaptureDrop }, map[CapturePoint]int{CaptureRx: 2, CaptureDrop: 1}, 0},
		"tunnel":       {func(q *CaptureRequest) { q.Tunnel = tunnelID }, map[CapturePoint]int{CaptureTunnelIn: 1, CaptureTunnelOut: 1}, 0},
		"reason":       {func(q *CaptureRequest) { q.Points, q.Reason = CaptureDrop, NullRoute }, map[CapturePoint]int{CaptureDrop: 1}, 0},
		"snap":         {func(q *CaptureRequest) { q.Points, q.Reason, q.Snaplen = CaptureDrop, NullRoute, 50 }, map[CapturePoint]int{CaptureDrop: 1}, 50},
		"most":         {func(q *CaptureRequest) { q.Points, q.Most = CaptureRx, 3 }, map[CapturePoint]int{CaptureRx: 3}, 0},
		"over":         {func(q *CaptureRequest) { q.Until = 1 }, nil, 0},
		"filter": {func(q *CaptureRequest) {
			q.Filter = []CaptureStep{{Field: CaptureDst, Value: binary.BigEndian.Uint32(behind1[:]), Mask: 0xffffffff, Yes: CaptureAccept, No: CaptureReject}}
		}, map[CapturePoint]int{CaptureRx: 1, CaptureTunnelOut: 1}, 0},
	} {
		k := r.tapAll(c.ask)
		traffic()
		list := copies(k)
		n := 0
		for p, want := range c.want {
			if got := len(at(list, p)); got != want {
				t.Errorf("%s: %d copies at point %d, want %d", name, got, p, want)
			}
			n += want
		}
		if len(list) != n {
			t.Errorf("%s: %d copies, want %d: %+v", name, len(list), n, list)
		}
		if c.len > 0 && (len(list) != 1 || len(list[0].Data) != c.len || list[0].Len != packet.EthernetLen+20+700) {
			t.Errorf("%s: %+v", name, list)
		}
		k.Close()
		traffic()
		if list := copies(k); list != nil {
			t.Errorf("%s: copies after the end", name)
		}
	}
}

// TestCaptureBounds: one at a time; what finds the ring full is counted and forwarded all the same; a capture that nobody renews ends, and the next one sees nothing of it.
func TestCaptureBounds(t *testing.T) {
	r := newRig(t)
	c := r.tapAll(func(q *CaptureRequest) { q.Points, q.Until = CaptureRx, 100 })
	if _, err := r.e.Capture(CaptureRequest{Points: captureAll}); !errors.Is(err, ErrCapturing) {
		t.Errorf("a second capture: %v", err)
	}
	for _, bad := range []CaptureRequest{{}, {Points: CaptureRx, Snaplen: -1}, {Points: CaptureRx, Filter: make([]CaptureStep, MaxCaptureSteps+1)}, {Points: CaptureRx, Filter: []CaptureStep{{Field: 1}}}, {Points: CaptureRx, Filter: []CaptureStep{{Field: 99, Yes: CaptureAccept, No: CaptureReject}}}} {
		if _, err := r.e.Capture(bad); err == nil || errors.Is(err, ErrCapturing) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	frame := fromSpoke1(ipv4(behind1, hostIP, pattern(1300)))
	sent := 0
	for range 40 {
		for range 64 {
			r.wan.in = append(r.wan.in, frame)
		}
		sent += 64
		r.poll()
		r.lan.take()
	}
	lost := c.Lost()
	n := len(copies(c))
	if lost == 0 || n+int(lost) != sent || r.e.Counters().Workers[0].Forwarded != uint64(sent) {
		t.Errorf("%d packets, %d copied, %d lost; forwarded %d", sent, n, lost, r.e.Counters().Workers[0].Forwarded)
	}
	r.fromWAN(frame)
	if n = len(copies(c)); n != 1 {
		t.Errorf("%d copies after the ring was emptied", n)
	}
	r.now = 100
	r.fromWAN(frame)
	if n = len(copies(c)); n != 0 || r.w.tapped {
		t.Errorf("%d copies after the time", n)
	}
	c.Renew(200)
	r.fromWAN(frame)
	if n = len(copies(c)); n != 1 {
		t.Errorf("%d copies after it was renewed", n)
	}
	r.fromWAN(frame)
	c.Close()
	c.Close()
	c.Renew(1 << 60)
	c = r.tapAll(func(q *CaptureRequest) { q.Points, q.Until = CaptureTx, 1000 })
	if n = len(copies(c)); n != 0 || c.Lost() != 0 {
		t.Errorf("%d copies of the capture before, %d lost", n, c.Lost())
	}
	// A writer that dies in the middle of a request has left an odd generation.
	r.e.capture[capGeneration]++
	r.fromWAN(frame)
	if n = len(copies(c)); n != 0 || r.w.tapped {
		t.Errorf("%d copies by half a request", n)
	}
}

// TestCaptureLostAreNone: what finds the ring full does not count as one of the copies that are wanted.
func TestCaptureLostAreNone(t *testing.T) {
	r := newRig(t)
	const most = 2500 // more than the ring has room for
	c := r.tapAll(func(q *CaptureRequest) { q.Points, q.Most = CaptureRx, most })
	frame := fromSpoke1(ipv4(behind1, hostIP, pattern(1300)))
	burst := func(n int) {
		for range n {
			for range 64 {
				r.wan.in = append(r.wan.in, frame)
			}
			r.poll()
			r.lan.take()
		}
	}
	burst(2 * most / 64)
	n := len(copies(c))
	if n >= most || c.Lost() == 0 {
		t.Fatalf("%d copies had room, %d had not", n, c.Lost())
	}
	burst(most / 64)
	if n += len(copies(c)); n != most {
		t.Errorf("%d copies, want %d", n, most)
	}
}

// TestCaptureClosed: a capture outlives its engine by nothing, and workers of other processes are told.
func TestCaptureClosed(t *testing.T) {
	writer := newWriter(t, 1, gcm128)
	p := &pair{t, joinAs(t, writer, 0), newRig(t, gcm128.spoke)}
	c, err := writer.Capture(CaptureRequest{Points: captureAll, Until: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if !p.hub.w.tapped {
		t.Fatal("nothing is captured")
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if list := copies(c); list != nil || c.Lost() != 0 {
		t.Errorf("%d copies of an engine that is closed", len(list))
	}
	c.Renew(1 << 61)
	c.Close()
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if p.hub.w.tapped {
		t.Error("the worker captures on")
	}
}

// TestCaptureFragments: what is cut before it goes into a tunnel is copied piece by piece, each in the tunnel's VRF.
func TestCaptureFragments(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].MTU, b.Adjacencies[1].VRF = 500, 3 })
	c := r.tapAll(func(q *CaptureRequest) { q.Points = CaptureTunnelOut })
	r.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(1200))))
	list := copies(c)
	if len(list) != 3 {
		t.Fatalf("%d copies: %+v", len(list), list)
	}
	for i, k := range list {
		if f := packet.IPv4(k.Data).FlagsOffset(); k.VRF != 3 || k.Tunnel != tunnelID || (f&packet.FlagMF != 0) != (i < 2) {
			t.Errorf("piece %d: %+v", i, k)
		}
	}
}

// TestCaptureUnknownPort: what a port receives that is attached and not configured is shown as it came.
func TestCaptureUnknownPort(t *testing.T) {
	r := newRig(t)
	c := r.tapAll(func(q *CaptureRequest) { q.Points = CaptureDrop })
	r.fromWAN(toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(40)))) // leaves something behind
	r.apply(&fib.Batch{DelPorts: []fib.PortID{wan}})
	frame := fromSpoke1(ipv4(behind1, hostIP, pattern(40)))
	r.fromWAN(frame)
	list := copies(c)
	if len(list) != 1 || list[0].Reason != PortUnknown || list[0].Proto != 0 || !bytes.Equal(list[0].Data, frame) {
		t.Errorf("%+v", list)
	}
}

// TestCaptureWorkers: with two workers a packet that is handed over is copied once on each port, and the copies come in the order of time.
func TestCaptureWorkers(t *testing.T) {
	c := newCrew(t, 2)
	if err := c.e.HandOver(wan, 0); err != nil {
		t.Fatal(err)
	}
	k := c.tapAll()
	sent := 0
	for round := range 20 {
		c.now += 10
		for i := range 8 {
			c.wan[0].in = append(c.wan[0].in, fromSpoke1(ipv4([4]byte{10, 1, 0, byte(round*8 + i)}, hostIP, pattern(40))))
			sent++
		}
		c.turn()
	}
	list := copies(k)
	if rx, tx, in := len(at(list, CaptureRx)), len(at(list, CaptureTx)), len(at(list, CaptureTunnelIn)); rx != sent || in != sent || tx != sent {
		t.Errorf("%d received, %d out of the tunnel, %d sent: want %d", rx, in, tx, sent)
	}
	by := map[int]int{}
	for i, p := range list {
		by[p.Worker]++
		if i > 0 && p.Time < list[i-1].Time {
			t.Fatal("copies are out of order")
		}
	}
	if by[0] == 0 || by[1] == 0 {
		t.Errorf("copies by worker: %v", by)
	}
}

// TestCaptureTooLong: a frame of another worker that is longer than this one's are is a drop with a copy, too.
func TestCaptureTooLong(t *testing.T) {
	c := newCrew(t, 2, func(c *Config, _ *fib.Batch) { c.SlotSize = 4096 })
	if err := c.e.HandOver(wan, 0); err != nil {
		t.Fatal(err)
	}
	c.turn()
	k := c.tapAll()
	frame := pattern(3000)
	if !c.w[0].hand.put(1, handInput, wan, frame) {
		t.Fatal("no room in the ring")
	}
	c.w[0].publish()
	c.turn()
	if list := copies(k); len(list) != 1 || list[0].Point != CaptureDrop || list[0].Reason != NoFrame || list[0].Port != wan || list[0].Worker != 1 || !bytes.Equal(list[0].Data, frame) {
		t.Errorf("%+v", list)
	}
}

// TestCaptureJoined: the worker of another mapping copies what the writer asks for, also one that joined later, and ends by itself.
func TestCaptureJoined(t *testing.T) {
	writer := newWriter(t, 2, gcm128)
	hub := joinAs(t, writer, 1)
	c, err := writer.Capture(CaptureRequest{Points: CaptureTunnelIn, Until: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &pair{t, hub, newRig(t, gcm128.spoke)}
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if list := copies(c); len(list) != 1 || list[0].Worker != 1 || list[0].Peer != netip.AddrFrom4(spoke1NBMA) {
		t.Fatalf("%+v", list)
	}
	p.hub = joinAs(t, writer, 0)
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if list := copies(c); len(list) != 1 || list[0].Worker != 0 {
		t.Fatalf("%+v", list)
	}
	if _, err := p.hub.e.Capture(CaptureRequest{Points: CaptureRx, Until: 1000}); err == nil {
		t.Error("a worker's process may ask for a capture")
	}
	p.hub.now = 1000 // the writer has died
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if list := copies(c); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// FuzzCaptured sends any frame through a worker that captures: each number that counts it has a copy, and nothing that happens to it is changed by that.
func FuzzCaptured(f *testing.F) {
	seeds(f)
	r, plain := fuzzRig(f), fuzzRig(f)
	k := r.tapAll()
	f.Fuzz(func(t *testing.T, frame []byte, mend bool) {
		if len(frame) > 3000 {
			return
		}
		r.t, plain.t = t, t
		before := r.e.Counters()
		frame = bytes.Clone(frame)
		into := r.wan
		if mend {
			into = mendFrame(frame, r)
		}
		r.now += 1e10
		into.in = append(into.in, bytes.Clone(frame))
		r.settle()
		same := plain.wan
		if into == r.lan {
			same = plain.lan
		}
		plain.now = r.now
		same.in = append(same.in, frame)
		plain.settle()
		for _, w := range [][2]*wire{{r.wan, plain.wan}, {r.lan, plain.lan}} {
			a, b := w[0].take(), w[1].take()
			if len(a) != len(b) {
				t.Fatalf("%d frames left with a capture, %d without", len(a), len(b))
			}
			for i := range a {
				if len(a[i]) != len(b[i]) || !bytes.Equal(a[i][:packet.EthernetLen], b[i][:packet.EthernetLen]) { // ciphers begin with something random
					t.Fatalf("sent %x with a capture, %x without", a[i], b[i])
				}
			}
		}
		if !reflect.DeepEqual(r.punts, plain.punts) {
			t.Fatalf("punted with a capture %+v\nwithout %+v", r.punts, plain.punts)
		}
		r.punts, plain.punts = nil, nil
		list := copies(k)
		after, others := r.e.Counters(), plain.e.Counters()
		checkCaptured(t, list, before, after)
		if after.Reasons != others.Reasons || after.Lost != others.Lost || !reflect.DeepEqual(after.Ports, others.Ports) || !reflect.DeepEqual(after.Tunnels, others.Tunnels) {
			t.Fatalf("counted with a capture %+v\nwithout %+v", after, others)
		}
		if a, b := r.w.pool.Free(), plain.w.pool.Free(); a != b {
			t.Fatalf("%d frames are free with a capture, %d without", a, b)
		}
		if rx := at(list, CaptureRx); len(rx) != 1 || !bytes.Equal(rx[0].Data, frame) {
			t.Fatalf("received %+v", rx)
		}
	})
}

// checkCaptured compares copies with what the counters count meanwhile.
func checkCaptured(t *testing.T, list []Captured, before, after Snapshot) {
	t.Helper()
	var want, got [2][NumReasons]uint64 // dropped, punted
	for i := range NumReasons {
		n, lost := after.Reasons[i]-before.Reasons[i], after.Lost[i]-before.Lost[i]
		switch Reason(i).Class() {
		case ClassDrop, ClassLink:
			want[0][i] = n
		case ClassPunt:
			want[0][i], want[1][i] = lost, n
		}
	}
	points := map[CapturePoint]uint64{}
	for _, c := range list {
		points[c.Point]++
		if c.Len != len(c.Data) || c.Point == CaptureTunnelOut && c.Tunnel == 0 {
			t.Errorf("copy %+v", c)
		}
		switch c.Point {
		case CaptureDrop:
			got[0][c.Reason]++
		case CapturePunt:
			got[1][c.Reason]++
		}
	}
	if got != want {
		t.Fatalf("copies by reason %v\nwant %v", got, want)
	}
	var in, out uint64
	for id, n := range after.Tunnels {
		in, out = in+n.Rx.Packets-before.Tunnels[id].Rx.Packets, out+n.Tx.Packets-before.Tunnels[id].Tx.Packets
	}
	if points[CaptureTunnelIn] != in || points[CaptureTunnelOut] != out {
		t.Fatalf("%d copies out of tunnels, %d into them: want %d, %d", points[CaptureTunnelIn], points[CaptureTunnelOut], in, out)
	}
}
