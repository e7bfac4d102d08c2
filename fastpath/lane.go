package fastpath

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/port"
)

// Packets of slow ciphers (DES, 3DES: tens of microseconds each) would take the time of everybody else's. So they wait in a lane of their own, which gets what time
// is left at the end of a poll: while the worker is busy, a share of it; otherwise as much as delays the next packet by no more than laneQuantum.
// Time is counted in what packets cost by estimate, not by a clock, so a simulator gets the same.
const (
	laneSlots    = 256
	lanePoolPart = 4       // no more of the pool's frames wait than one in so many
	laneQuantum  = 100_000 // nanoseconds of work a poll, for a worker that is not busy
	laneShare    = 4       // the lane gets one part in so many of a busy worker's time
	packetCost   = 300     // nanoseconds, of a packet that is not slow
)

// lane is the packets that wait, oldest first. One that waits is nobody's but the lane's: its frame comes back by Worker.finish.
type lane struct {
	ring   [laneSlots]waiting
	room   int // how many may wait
	head   int
	n      int
	parked int   // in this poll
	credit int64 // nanoseconds of work
	turn   bool  // a packet of the lane is at work: it does not wait again
}

// waiting is a packet between two polls: nothing of the tables, which may change.
type waiting struct {
	p     pkt // but for its tunnel
	off   int // of ESP in p.ip, if it came in
	n     int // bytes to send, if it leaves
	id    uint32
	to    uint32 // what adjacency id was when it was chosen: its outer destination, its tunnel and that one's VRF, and its labels
	by    uint16
	vrf   uint16
	push  [fib.MaxLabels]uint32
	in    bool
	encap bool
	tos   uint8
	df    bool
}

func (l *lane) init(frames int) { l.room = min(laneSlots, max(1, frames/lanePoolPart)) }

// pay counts work done.
func (l *lane) pay(cost int64) { l.credit -= cost }

// next is a free place, nil when there is none.
func (l *lane) next() *waiting {
	if l.n >= l.room {
		return nil
	}
	e := &l.ring[(l.head+l.n)%laneSlots]
	l.n++
	l.parked++
	return e
}

// parkOpen lets a packet that came in wait to be opened.
func (l *lane) parkOpen(p *pkt, off int, encap bool) verdict {
	e := l.next()
	if e == nil {
		return p.drop(SlowLaneFull)
	}
	*e = waiting{p: *p, off: off, encap: encap, in: true}
	return waits
}

// parkSeal lets a packet wait to be sealed: what has been decided about it, but for the adjacency's record.
func (l *lane) parkSeal(p *pkt, a *table.Adj, id uint32, n int, tos uint8, df bool) verdict {
	e := l.next()
	if e == nil {
		return p.drop(SlowLaneFull)
	}
	*e = waiting{p: *p, id: id, to: a.OuterDst(), by: a.Tunnel, vrf: a.VRF, push: a.Pushes(), n: n, tos: tos, df: df}
	e.p.tunnel = nil
	return waits
}

// drainLane gives the lane its turn, after a poll that handled n packets, and returns how many of the lane it handled.
func (w *Worker) drainLane(n int) int {
	l := &w.lane
	fast := n - l.parked
	l.parked = 0
	if l.n == 0 {
		l.credit = min(l.credit, 0)
		return 0
	}
	if 2*fast >= w.burst {
		l.credit = min(l.credit+int64(fast)*packetCost/(laneShare-1), laneQuantum)
	} else {
		l.credit = laneQuantum
	}
	done := 0
	l.turn = true
	for l.n > 0 && l.credit > 0 && done < w.burst {
		e := &l.ring[l.head]
		l.head = (l.head + 1) % laneSlots
		l.n--
		done++
		w.resume(e)
	}
	l.turn = false
	return done
}

// resume goes on with a packet that waited, and ends its way.
func (w *Worker) resume(e *waiting) {
	p := &w.pkt
	*p = e.p
	p.chunk, p.hintFor, p.flow, p.together = w.pool.Chunk(p.frame), 0, 0, false
	if w.flows != nil {
		w.flows.generation = w.t.RouteGeneration()
	}
	var v verdict
	if e.in {
		v = w.espOpen(p, e.off, e.encap)
	} else if a := w.t.Adj(e.id); a == nil {
		v = p.drop(NoAdjacency)
	} else if a.SA|a.AH == 0 || a.Tunnel != e.by || a.VRF != e.vrf || a.OuterDst() != e.to || a.Pushes() != e.push {
		v = p.drop(NoSA) // the number leads elsewhere by now, or in clear: nothing that was to be sealed goes there
	} else {
		v = w.encapsulate(p, a, e.id, e.n, e.tos, e.df)
	}
	if !p.part {
		w.finish(p, v)
		if w.tapped {
			w.tapHeld(p)
		}
		return
	}
	// A fragment or a copy: the packet it is of was counted when it was parked.
	if v == drop {
		w.c.words[cntReasons+int(CopyLost)]++
		if w.tapped {
			w.tapEnd(CaptureDrop, p, CopyLost, p.reason, false)
		}
	}
	w.releaseUnless(v, p.frame)
}

// releaseUnless gives a frame back that is still the worker's after verdict v.
func (w *Worker) releaseUnless(v verdict, f port.Frame) {
	if v < sent {
		w.release(f)
	}
}
