package fastpath

import (
	"testing"

	"nave/fastpath/fib"
)

// laneRig is a hub whose spoke 1 has 3DES and whose spoke 2 has AES-GCM.
func laneRig(t *testing.T) *pair {
	t.Helper()
	s := suite{cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20, window: 1024}
	return newPair(t, s, func(_ *Config, b *fib.Batch) {
		if len(b.Adjacencies) < 3 {
			return
		}
		b.SAs = append(b.SAs, fib.SA{ID: 8, SPI: 0x8888, Local: addr(hubNBMA), Remote: addr(spoke2NBMA), Cipher: fib.CipherAESGCM, CipherKey: testKey(20, 8)})
		b.Adjacencies[2].SA = 8
	})
}

// TestSlowLane: with a flood of 3DES both ways, the worker gives it one part in laneShare of its time, by what packets cost, and the others pass without loss. When they
// stop, all of its time.
func TestSlowLane(t *testing.T) {
	p := laneRig(t)
	hub := p.hub
	body := pattern(1300)
	var in [][]byte
	for range 400 {
		in = append(in, p.sealed(ipv4(behind1, hostIP, body))...)
	}
	hub.w.burst = 64
	slow, polls := 0, 400
	for i := range polls {
		for range 64 {
			hub.lan.in = append(hub.lan.in, toLAN(ipv4(hostIP, behind2, body)))
		}
		hub.lan.in = append(hub.lan.in, toLAN(ipv4(hostIP, behind1, body)))
		hub.wan.in = append(hub.wan.in, in[i%len(in)])
		before := hub.e.AdjacencyCount(adjSpoke2).Packets
		hub.poll()
		if n := hub.e.AdjacencyCount(adjSpoke2).Packets - before; n < 60 && i > 2 {
			t.Fatalf("poll %d: %d packets of the fast spoke left", i, n)
		}
		slow += len(hub.lan.take())
		hub.wan.take()
	}
	fast := int(hub.e.AdjacencyCount(adjSpoke2).Packets)
	slow += int(hub.e.AdjacencyCount(adjSpoke1).Packets)
	share := float64(slow) * 1350 * cost3DESPerByte / (float64(fast)*packetCost + float64(slow)*1350*cost3DESPerByte)
	if share < 0.8/laneShare || share > 1.2/laneShare {
		t.Errorf("%d slow packets and %d fast ones: the slow ones had %.2f of the time", slow, fast, share)
	}
	full := hub.count(SlowLaneFull)
	if full == 0 || int(full)+slow+hub.w.lane.n < 2*polls-10 {
		t.Errorf("%d dropped, %d handled and %d wait of %d", full, slow, hub.w.lane.n, 2*polls)
	}
	// The fast ones stop: every poll now does what laneQuantum allows, until nothing waits.
	waiting := hub.w.lane.n
	hub.lan.in = nil
	turns := 0
	for hub.w.lane.n > 0 {
		if hub.poll() == 0 {
			t.Fatal("a poll with packets waiting does nothing")
		}
		turns++
	}
	if least := waiting * 1350 * cost3DESPerByte / (2 * laneQuantum); turns < least || turns > 4*least+4 {
		t.Errorf("%d packets in %d polls", waiting, turns)
	}
	hub.settle()
}

// cost3DESPerByte is what the transform says, in nanoseconds.
const cost3DESPerByte = 22

// TestLaneOrder: packets of one slow association leave in the order they came, and their numbers are in that order.
func TestLaneOrder(t *testing.T) {
	p := laneRig(t)
	var plain [][]byte
	for i := range 50 {
		plain = append(plain, ipv4(behind1, hostIP, []byte{byte(i)}))
	}
	frames := p.sealed(plain...)
	out := p.deliver(frames...)
	if len(frames) != 50 || len(out) != 50 {
		t.Fatalf("%d sealed, %d opened: %v", len(frames), len(out), p.hub.nonZero())
	}
	for i, f := range out {
		if f[len(f)-1] != byte(i) {
			t.Fatalf("packet %d came as %d", f[len(f)-1], i)
		}
	}
}

// TestLaneChanges: what waits finds the tables as they are when its turn comes: an adjacency or association that went meanwhile sends nothing, and
// pieces and copies that are lost so are counted as that.
func TestLaneChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		del    fib.Batch
		reason Reason
	}{
		{"adjacency", fib.Batch{DelAdjacencies: []fib.AdjID{adjSpoke1}}, NoAdjacency},
		{"association", fib.Batch{DelSAs: []fib.SAID{saOut}}, NoSA},
		// The number leads to a link by now: what was to be sealed must not leave there in clear.
		{"another adjacency of the number", fib.Batch{Adjacencies: []fib.Adjacency{linkAdj(adjSpoke1, lan, lanMAC, hostMAC)}}, NoSA},
	} {
		p := laneRig(t)
		w := p.hub.w
		w.lane.turn = false
		// Packets are parked by hand, so that the batch comes before their turn.
		f, ok := w.newFrame(100)
		if !ok {
			t.Fatal("no frame")
		}
		q := &pkt{frame: f, chunk: w.pool.Chunk(f), start: int(f.Start)}
		copy(q.chunk[q.start:], ipv4(hostIP, behind1, pattern(80)))
		part, _ := w.newFrame(100)
		if w.lane.parkSeal(q, w.t.Adj(uint32(adjSpoke1)), uint32(adjSpoke1), 100, 0, false) != waits {
			t.Fatal("no room in the lane")
		}
		q = &pkt{frame: part, chunk: w.pool.Chunk(part), start: int(part.Start), part: true}
		if w.lane.parkSeal(q, w.t.Adj(uint32(adjSpoke1)), uint32(adjSpoke1), 100, 0, false) != waits {
			t.Fatal("no room in the lane")
		}
		w.c.words[cntPackets]++ // as though it had been received
		p.hub.apply(&c.del)
		p.hub.settle()
		if out := p.hub.wan.take(); len(out) != 0 || p.hub.count(c.reason) != 1 || p.hub.count(CopyLost) != 1 {
			t.Errorf("%s: %d left: %v", c.name, len(out), p.hub.nonZero())
		}
	}
}

// TestLaneBounded: no more frames wait than a part of the pool.
func TestLaneBounded(t *testing.T) {
	p := laneRig(t)
	hub := p.hub
	if room := hub.w.lane.room; room != 512/lanePoolPart {
		t.Fatalf("room for %d of 512 frames", room)
	}
	for range 200 {
		hub.lan.in = append(hub.lan.in, toLAN(ipv4(hostIP, behind1, pattern(1000))))
	}
	hub.poll()
	if full, n := hub.count(SlowLaneFull), hub.w.lane.n; full != 200-128 || n > 128 {
		t.Errorf("%d dropped, %d wait", full, n)
	}
	hub.settle()
}
