package path

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"nave/perf/report"
	"nave/perf/tsc"
)

// Options is what to measure. Every combination of the lists that makes sense is a row.
type Options struct {
	Works      []string
	Sizes      []report.Size
	Tunnels    []int
	Transforms []string
	Prices     []string // none, zero, paid; empty is none

	Runs   int           // of each row, in all passes together
	Passes int           // over all rows: what the machine does for a second or two then meets a part of a row's runs
	Time   time.Duration // of each run, in the gateway
	Burst  int           // packets, 1 to 256; those of slow ciphers come in smaller ones
	Cold   bool          // walk over many frames, so that each packet comes from memory that the caches near the core have lost
}

const (
	// slowBurst is so small that all of it finds room in the lane of slow ciphers.
	slowBurst = 64
	// coldFrames is 64 MiB of frames. What of them 1400 bytes touch is more than any level of most caches holds; short packets come from the last level, as
	// from a NIC that writes into it.
	coldFrames = 32768
	// warmStep is the time between polls, in nanoseconds: about what a burst takes.
	warmStep = 20_000
	// warmUp is how long a row runs before it is measured.
	warmUp = 20 * time.Millisecond
	// aside is how many times the median of its run a burst takes that is no measurement of the path.
	aside = 2
)

// group is rows that share a scene.
type group struct {
	work   *work
	tr     *transform
	n      int
	prices string
	sizes  []report.Size
	rows   []tally // one a size
}

// tally is what the runs of a row were.
type tally struct {
	runs            []float64 // ticks a packet
	bursts          []float64 // ticks, all of them
	kept            int       // of the bursts
	allocs, packets uint64
}

// Measure measures all rows and calls each with every one as it is done.
func Measure(ctx context.Context, o Options, hz float64, each func(report.Row) error) error {
	groups, err := o.groups()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	passes := min(o.Passes, o.Runs)
	for pass := range passes {
		for i := range groups {
			g := &groups[i]
			if err := g.measure(ctx, &o, o.Runs*(pass+1)/passes-o.Runs*pass/passes, hz); err != nil {
				return err
			}
			runtime.GC()
			if pass < passes-1 {
				continue
			}
			for k := range g.sizes {
				row, err := g.row(k, &o, hz)
				if err == nil {
					err = each(row)
				}
				if err != nil {
					return err
				}
			}
			g.rows = nil
		}
	}
	return nil
}

// burst is how many packets a burst has.
func (g *group) burst(o *Options) int {
	if g.work.sealed() && g.tr.slow {
		return min(o.Burst, slowBurst)
	}
	return o.Burst
}

// row is the row of size k, out of all its runs.
func (g *group) row(k int, o *Options, hz float64) (report.Row, error) {
	row := report.Row{Work: g.name(), Tunnels: g.n, Size: g.sizes[k], Burst: g.burst(o)}
	if g.work.sealed() {
		row.Transform = g.tr.name
	}
	m, err := newMix(row.Size)
	if err != nil {
		return row, err
	}
	t := &g.rows[k]
	row.TicksPerPacket, row.Spread = report.MedianSpread(t.runs)
	slices.Sort(t.bursts)
	row.P999BurstTicks = report.Quantile(t.bursts, 0.999)
	row.SetAside = float64(len(t.bursts)-t.kept) / float64(len(t.bursts))
	row.AllocsPerPacket = float64(t.allocs) / float64(t.packets)
	row.Fill(hz, m.mean)
	return row, nil
}

// measure sets up the scene and has so many runs of each size.
func (g *group) measure(ctx context.Context, o *Options, runs int, hz float64) (err error) {
	burst := g.burst(o)
	frames := max(burst, slowBurst) / burst * burst // a pass is long enough to be one
	if o.Cold {
		frames = coldFrames / burst * burst
	}
	s, err := newScene(g.work, g.tr, g.n, burst, frames)
	if err != nil {
		return fmt.Errorf("set up %s with %d tunnels: %w", g.work.name, g.n, err)
	}
	defer func() {
		if e := s.close(); err == nil {
			err = e
		}
	}()
	if p := pricer(g.prices); p != nil {
		if err := s.gw.e.SetPricer(p); err != nil {
			return err
		}
	}
	if g.rows == nil {
		g.rows = make([]tally, len(g.sizes))
	}
	for k, size := range g.sizes {
		if err := s.measure(ctx, o, size, runs, hz, &g.rows[k]); err != nil {
			return fmt.Errorf("%s, %s bytes, %d tunnels: %w", g.name(), size, g.n, err)
		}
	}
	return nil
}

// measure checks that the packets of a size come out right, warms up, and has so many runs.
func (s *scene) measure(ctx context.Context, o *Options, size report.Size, runs int, hz float64, t *tally) error {
	m, err := newMix(size)
	if err != nil {
		return err
	}
	s.setMix(m)
	if err := s.check(); err != nil {
		return err
	}
	if err := s.warm(min(warmUp, o.Time), hz); err != nil {
		return err
	}
	limit := uint64(o.Time.Seconds() * hz)
	run := make([]float64, 0, 1<<16)
	for range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		run = run[:0]
		before := mallocs()
		if err := s.run(limit, &run); err != nil {
			return err
		}
		t.allocs += mallocs() - before
		t.packets += uint64(len(run) * s.burst)
		mean, n := meanWithout(run)
		t.kept += n
		t.runs = append(t.runs, mean/float64(s.burst))
		t.bursts = append(t.bursts, run...)
	}
	return nil
}

// warm forwards until every flow has been there twice, the slow path has been told what there is to tell, and some time has passed.
func (s *scene) warm(long time.Duration, hz float64) error {
	ticks, limit := uint64(0), uint64(long.Seconds()*hz)
	for begin, quiet := s.at, s.at; ticks < limit || s.at < begin+2*s.n || s.at < quiet+s.n; {
		if err := s.pass(checkStep, func(t uint64) { ticks += t }); err != nil {
			return err
		}
		if s.gw.drain() > 0 {
			quiet = s.at
		}
		if s.far != nil {
			s.far.drain()
		}
	}
	return nil
}

// run forwards until the gateway has worked for limit ticks, and appends the ticks of each burst. It allocates nothing unless there are more bursts than anyone expects.
func (s *scene) run(limit uint64, bursts *[]float64) error {
	sum := uint64(0)
	for sum < limit {
		err := s.pass(warmStep, func(t uint64) {
			*bursts = append(*bursts, float64(t))
			sum += t
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// meanWithout is the mean of the bursts but for those that are far beyond the median, and how many those left are.
func meanWithout(bursts []float64) (mean float64, n int) {
	limit := aside * report.Quantile(slices.Sorted(slices.Values(bursts)), 0.5)
	sum := 0.0
	for _, b := range bursts {
		if b <= limit {
			sum += b
			n++
		}
	}
	return sum / float64(n), n
}

// mallocs is how many objects this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// hzSpan is how long the counter is calibrated before a measurement.
const hzSpan = 200 * time.Millisecond

// NewReport is a report without rows, of this machine.
func NewReport(cold bool) *report.Report {
	return &report.Report{CPU: tsc.CPU(), TSCHz: tsc.Hz(hzSpan), Cold: cold, Rows: []report.Row{}}
}
