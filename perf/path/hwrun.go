package path

import (
	"errors"
	"fmt"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port"
	"nave/perf/report"
	"nave/perf/tsc"
)

// stand is a gateway set up for one feature, and who sends to it: as many packets as anybody wants, at any rate, in a time that is not the machine's.
type stand struct {
	f    *feature
	gw   *box
	own  *sealer
	from *link
	size int
	tmpl []byte
	head int // bytes of it that are written anew for each packet

	time    float64 // of the next poll, nanoseconds
	next    [standBurst]port.Frame
	offered uint64 // packets, so far
}

const standBurst = 256

// newStand sets up a gateway with so many routes and labels beside what the feature needs.
func newStand(f *feature, size, routes, labels int) (*stand, error) {
	s := &stand{f: f, size: size, tmpl: f.frame(size, labels), head: max(f.front(), packetHead)}
	var err error
	tr := findTransform(defaultCipher)
	if f.in == sealed {
		if s.own, err = newSealer(tr, 1); err != nil {
			return nil, err
		}
	}
	s.head = min(s.head, len(s.tmpl))
	cfg := fastpath.Config{
		ArenaBytes: 64<<20 + routes*128 + labels*64, MaxAdjacencies: 64, MaxRoutes: routes + 64, MaxSAs: 8, MaxVRFs: 4, MaxPorts: 8, MaxTunnels: 8, MaxGroups: 4, MaxLabels: labels + 64,
	}
	// One frame is cut into two, or copied once.
	if s.gw, err = newBoxOf(cfg, 2*standBurst, f.entries(tr, size, routes, labels)); err != nil {
		return nil, err
	}
	s.gw.wan.back, s.gw.lan.back = s.gw.w.Pool(), s.gw.w.Pool()
	s.from = s.gw.link(f.from)
	return s, nil
}

// packetHead is what of a frame forwarding may change, at least.
const packetHead = 128

// front is how much of a frame stands before the inner packet's own header ends.
func (f *feature) front() int {
	if f.in == sealed {
		return sealedTop + f.greHeader() + ipUDP
	}
	return 0
}

const ipUDP = 28

func (s *stand) close() error { return s.gw.close() }

// offer has n packets come in at once, and returns the ticks that it took to forward them.
func (s *stand) offer(n int) (ticks uint64, err error) {
	pool := s.gw.w.Pool()
	for i := range n {
		c, ok := pool.Get()
		if !ok {
			return 0, errors.New("the gateway keeps frames: none is left") // it would be a fault of its
		}
		f := port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(s.tmpl))}
		frame := pool.Bytes(f)
		copy(frame, s.tmpl[:s.head])
		if s.own != nil {
			s.own.seal(frame, 0, s.size+s.f.greHeader()-greLen) // the sealer has a key in GRE
		}
		s.next[i] = f
	}
	s.from.next = s.next[:n]
	s.gw.now = int64(s.time)
	begin := tsc.Ticks()
	s.gw.w.Poll(s.gw.now)
	ticks = tsc.Ticks() - begin
	s.gw.drain()
	s.offered += uint64(n)
	return ticks, nil
}

// window is what became of the packets of a while.
type window struct {
	offered, passed uint64
	seconds         float64 // of virtual time
	reasons, lost   [fastpath.NumReasons]uint64
}

// rate is packets a second.
func (w *window) rate() float64 { return float64(w.passed) / w.seconds }

// limit names what most of the packets ended by that did not pass: a reason of the forwarder; empty where all passed.
func (w *window) limit() string {
	most, name := uint64(0), ""
	for r := range fastpath.Reason(fastpath.NumReasons) {
		if n := w.reasons[r]; r.Class() == fastpath.ClassDrop && n > most {
			most, name = n, r.String()
		}
		if n := w.lost[r]; n > most {
			most, name = n, r.String()+", lost"
		}
	}
	return name
}

// run offers n packets at a load of so many a second, a few in each poll.
func (s *stand) run(n int, load float64) (*window, error) {
	burst := few(load)
	before, begin := s.gw.e.Counters(), s.time
	offered := s.offered
	for s.offered-offered < uint64(n) {
		s.time += float64(burst) / load * 1e9
		if _, err := s.offer(burst); err != nil {
			return nil, err
		}
	}
	after := s.gw.e.Counters()
	w := &window{offered: s.offered - offered, passed: s.f.passed(&after) - s.f.passed(&before), seconds: (s.time - begin) / 1e9}
	for r := range w.reasons {
		w.reasons[r], w.lost[r] = after.Reasons[r]-before.Reasons[r], after.Lost[r]-before.Lost[r]
	}
	return w, nil
}

// How a rate is found.
const (
	flood    = 1e9     // packets a second that no budget has
	patience = 1 << 22 // packets of a flood; when all of them pass, nothing stops them
	look     = 1 << 12 // packets that are looked at in the search
	enough   = 64      // of them that pass
	steps    = 4       // how the load goes down from one look to the next
	trickle  = 10      // packets a second; when none of these passes, none does
	excess   = 1.5     // how many times the rate is offered when it is measured
	most     = 0.8     // share that passes then, unless the load was too low
	measured = 1 << 15 // packets that are offered then
	halvings = 9       // of what lies between that rate and that load
	lossless = 0.999   // share that passes at a rate without loss: what a few packets differ by at the edges of a look
)

// few is how many packets come at once: what comes in a microsecond, and no more than the shortest queue holds where they come slowly.
func few(load float64) int { return min(max(4, int(load/1e6)), 64) }

// outcome is what came of a search.
type outcome struct {
	pps      float64 // the highest rate without loss
	overload float64 // what passes of half as much again: less, where packets are dropped halfway
	limit    string  // what the others end by
	free     bool    // nothing ends them
}

// rate finds how many packets a second pass in the long run. What lies in budgets is used up before anything is counted.
func (s *stand) rate() (o outcome, err error) {
	if o.free, err = s.empty(); err != nil || o.free {
		return o, err
	}
	var w *window
	for load := float64(flood); ; load /= steps {
		if w, err = s.run(look, load); err != nil {
			return o, err
		}
		if w.passed >= enough {
			break
		}
		if load < trickle {
			o.limit = w.limit()
			return o, nil
		}
	}
	load := excess * w.rate()
	for n := look; ; load = excess * w.rate() {
		if w, err = s.loaded(n, load, load); err != nil {
			return o, err
		}
		if float64(w.passed) > most*float64(w.offered) && load < flood {
			continue // it was too low a guess
		}
		if n == measured {
			break
		}
		n = measured
	}
	o.overload, o.limit = w.rate(), w.limit()
	o.pps, err = s.search(o.overload, load)
	return o, err
}

// search finds the highest rate without loss between one that passes and a load that does not.
func (s *stand) search(rate, high float64) (float64, error) {
	over, low := high, rate
	for range halvings {
		load := (low + high) / 2
		w, err := s.loaded(2*look, load, over)
		if err != nil {
			return 0, err
		}
		if float64(w.passed) >= lossless*float64(w.offered) {
			low, rate = load, w.rate()
		} else {
			high = load
		}
	}
	return rate, nil
}

// loaded offers n packets at a load after a while of one that leaves nothing in the budgets.
func (s *stand) loaded(n int, load, over float64) (*window, error) {
	if _, err := s.run(look, over); err != nil {
		return nil, err
	}
	return s.run(n, load)
}

// empty offers so much that nothing is left in the budgets. free: there are none that packets come to the end of.
func (s *stand) empty() (free bool, err error) {
	for offered, full := 0, true; ; offered += look {
		w, err := s.run(look, flood)
		switch {
		case err != nil:
			return false, err
		case !full:
			return false, nil // the second one since something was lost: there is no budget that the others spared
		case offered >= patience:
			return true, nil
		}
		full = w.passed > look*9/10
	}
}

// speed is how fast this machine is, without a profile: ticks a packet, the median of runs. Packets come one poll's worth after the other, so nothing waits.
func (s *stand) speed(runs int, limit uint64) (ticks float64, err error) {
	const step = 1e9 // all that is told at a limited rate is told
	bursts := make([]float64, 0, 1<<14)
	list := make([]float64, 0, runs)
	for i := range runs + 1 {
		bursts = bursts[:0]
		before := s.gw.e.Counters()
		offered := s.offered
		for sum := uint64(0); sum < limit; {
			s.time += step
			t, err := s.offer(standBurst)
			if err != nil {
				return 0, err
			}
			sum += t
			bursts = append(bursts, float64(t))
		}
		after := s.gw.e.Counters()
		if got, want := s.f.passed(&after)-s.f.passed(&before), s.offered-offered; got != want && !s.f.expired {
			return 0, fmt.Errorf("%d of %d packets passed: %s", got, want, s.gw.reasons())
		}
		if mean, _ := meanWithout(bursts); i > 0 { // the first one is to warm up
			list = append(list, mean/standBurst)
		}
	}
	ticks, _ = report.MedianSpread(list)
	return ticks, nil
}

// price has a profile's prices hold from now on; nil: none.
func (s *stand) price(p fib.Pricer) error { return s.gw.e.SetPricer(p) }
