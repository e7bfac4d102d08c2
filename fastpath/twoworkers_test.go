package fastpath

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/port"
)

// stretch is a while in which a worker worked without its thread being switched out.
type stretch struct {
	begin, end uint64 // ticks
	packets    int
}

// switches is how often the calling thread has been switched out.
func switches() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return u.Nvcsw + u.Nivcsw
}

// BenchmarkTwoWorkers is what a second worker brings on links in memory: ESP from 64 spokes, half of it for the hub's LAN and half back to other spokes. With
// hand-over all arrives at the first worker, and it owns as much as lets both be equally busy; with queues each has a queue of its own, as from a NIC that
// spreads. The links copy each packet in. Only whiles count in which no thread concerned was switched out, so a machine of two CPUs that has other work to do will do, too.
func BenchmarkTwoWorkers(b *testing.B) {
	for _, size := range []int{64, 512, 1400} {
		fl := newFleet(b, 64, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			one := together(b, fl, 1, 0)
			queues := together(b, fl, 2, 0)
			b.ReportMetric(one, "one-ticks")
			b.ReportMetric(queues, "queues-ticks")
			b.ReportMetric(one/queues, "queues-gain")
			hand := 0.0
			for own := 84; own < Buckets/2; own += 12 {
				if t := together(b, fl, 2, own); hand == 0 || t < hand {
					hand = t
				}
			}
			b.ReportMetric(hand, "hand-over-ticks")
			b.ReportMetric(one/hand, "hand-over-gain")
		})
	}
}

// together is the ticks a packet of one or two workers that run at the same time: with own, all arrives at the first, who owns so many buckets.
func together(b *testing.B, fl *fleet, workers, own int) float64 {
	for range 10 {
		if t := tryTogether(b, fl, workers, own); t > 0 {
			return t
		}
	}
	b.Fatal("the workers were hardly ever running both: the machine is too busy")
	return 0
}

// tryTogether is together once; 0 where too little can be told.
func tryTogether(b *testing.B, fl *fleet, workers, own int) float64 {
	if runtime.NumCPU() < workers {
		b.Fatalf("needs %d CPUs", workers)
	}
	c := newCrew(b, workers, func(_ *Config, batch *fib.Batch) { *batch = *fl.batch })
	var sources []*source
	for k, w := range c.w {
		w.Detach(wan)
		w.Detach(lan)
		s := &source{pool: w.pool, frames: fl.frames}
		if workers > 1 && own == 0 { // an association comes on one queue
			s.frames = nil
			for i, f := range fl.frames {
				if i/2%workers == k {
					s.frames = append(s.frames, f)
				}
			}
		}
		for id, p := range map[fib.PortID]port.Port{wan: s, lan: &source{pool: w.pool}} {
			if err := w.Attach(id, p); err != nil {
				b.Fatal(err)
			}
		}
		sources = append(sources, s)
	}
	if own > 0 {
		c.fromOneQueue()
		if err := c.e.Share([]int{own, Buckets - own}); err != nil {
			b.Fatal(err)
		}
		c.turn()
		// A sender that is told to wait, so that nothing is lost: what is measured is what can be done.
		r := c.w[1].incoming(0)
		sources[0].room = func() bool { return r.Len() < c.e.cfg.handSlots()-maxBurst }
	}
	var stop atomic.Bool
	found := make([]chan []stretch, workers)
	for k, w := range c.w {
		found[k] = make(chan []stretch, 1)
		fed := k == 0 || own == 0
		go func() { found[k] <- stretches(w, sources[k], fed, &stop) }()
	}
	first := <-found[0]
	stop.Store(true)
	times := []float64{quartile(first, nil)}
	for k := 1; k < workers; k++ {
		other := <-found[k]
		times[0] = quartile(first, other)
		if own == 0 {
			times = append(times, quartile(other, first))
		}
	}
	c.turn()
	rate := 0.0
	for _, t := range times {
		if t == 0 {
			return 0
		}
		rate += 1 / t
	}
	return 1 / rate
}

// stretches runs a worker, on a thread of its own, for 3000 stretches; one that is not fed packets until it is told to stop.
func stretches(w *Worker, s *source, fed bool, stop *atomic.Bool) (out []stretch) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const packets, whiles = 512, 3000
	for n := 0; (n < whiles || !fed) && !stop.Load(); n++ {
		was, begin := switches(), ticks()
		if fed {
			s.left.Store(packets)
			for s.left.Load() > 0 && !stop.Load() {
				w.Poll(1)
			}
		} else {
			for range 16 {
				w.Poll(1)
			}
		}
		if end := ticks(); switches() == was {
			out = append(out, stretch{begin, end, packets})
		}
	}
	s.left.Store(0)
	return out
}

// quartile is the ticks a packet of the stretches through all of which the other worker ran, too: the first quartile, for a hypervisor takes CPUs
// away without a word. 0: there are too few.
func quartile(own, other []stretch) float64 {
	var times []float64
	at := 0
	for _, s := range own {
		for at < len(other) && other[at].end < s.begin {
			at++
		}
		if other != nil && !covered(s, other[at:]) {
			continue
		}
		times = append(times, float64(s.end-s.begin)/float64(s.packets))
	}
	if len(times) < 20 {
		return 0
	}
	slices.Sort(times)
	return times[len(times)/4]
}

// covered tells whether the other worker's stretches follow on each other from the begin of s to its end, but for what it takes to write one down.
func covered(s stretch, other []stretch) bool {
	const between = 20000 // ticks
	reach := s.begin
	for _, o := range other {
		if o.begin > reach+between {
			return false
		}
		if reach = o.end; reach >= s.end {
			return true
		}
	}
	return false
}
