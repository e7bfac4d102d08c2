package stall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nave/perf/hist"
	"nave/perf/report"
)

// Options is how to measure.
type Options struct {
	Kinds  []string
	For    time.Duration // of each round of each kind
	Rounds int
	CPU    int     // of the loop
	Rate   float64 // bytes a second that the busy process allocates
	Share  bool    // the busy process runs on any CPU, the loop's too
	Nice   int     // of the loop's process: what else the machine runs is not what is measured
}

// Row is what a kind of loop bore, in nanoseconds.
type Row struct {
	Kind  string  `json:"kind"`
	Polls uint64  `json:"polls"`
	P50   float64 `json:"p50_ns"`
	P99   float64 `json:"p99_ns"`
	P999  float64 `json:"p999_ns"`
	P9999 float64 `json:"p9999_ns"`
	Max   float64 `json:"max_ns"`
	// Worst is the median of the rounds' longest gaps: unlike Max, one rare moment of the machine does not decide it.
	Worst float64 `json:"worst_of_round_ns"`
	// Waited is the share of the time that threads of the loop's process were ready and something else had the CPU. What it bears then is the machine's, not its own.
	Waited float64 `json:"waited"`
	// Long is how many gaps a second were longer than LongGap.
	Long float64 `json:"long_a_second"`
	Rate float64 `json:"allocated_a_second"` // bytes, by the busy process
}

// LongGap is a gap that a packet notices.
const LongGap = 100 * time.Microsecond

// Report is all kinds on one machine.
type Report struct {
	CPU    string  `json:"cpu"`
	CPUs   int     `json:"cpus"`
	Rounds int     `json:"rounds"`
	For    float64 `json:"seconds_a_round"`
	Shared bool    `json:"busy_on_every_cpu"`
	Nice   int     `json:"nice"`
	Rows   []Row   `json:"rows"`
}

// tally is what the rounds of a kind add up to.
type tally struct {
	h         hist.Hist
	hz        float64
	largest   []float64 // of each round, ns
	allocated float64
	ran       float64
	waited    float64
	long      uint64
}

func (t *tally) add(r *result, allocated uint64) {
	counts := make([]uint64, hist.Buckets)
	limit := hist.Index(int64(LongGap.Seconds() * r.Hz))
	smallest := int64(-1)
	for i := range counts {
		if counts[i] = r.Counts[i]; counts[i] > 0 && smallest < 0 {
			smallest = 0
		}
		if i > limit {
			t.long += counts[i]
		}
	}
	t.h.AddBuckets(counts, max(smallest, 0), int64(r.Largest))
	t.hz = r.Hz
	t.largest = append(t.largest, float64(r.Largest)/r.Hz*1e9)
	t.allocated += float64(allocated)
	t.ran += r.Ran
	t.waited += r.Waited
}

func (t *tally) row(k kind) Row {
	slices.Sort(t.largest)
	most := t.largest[len(t.largest)-1]
	// Each round found the counter's rate anew, so a bucket's edge may come out a little beyond the longest gap.
	ns := func(q float64) float64 { return min(float64(t.h.Quantile(q))/t.hz*1e9, most) }
	return Row{
		Kind: string(k), Polls: t.h.Count(), P50: ns(0.5), P99: ns(0.99), P999: ns(0.999), P9999: ns(0.9999),
		Max: most, Worst: report.Quantile(t.largest, 0.5), Waited: t.waited / t.ran, Long: float64(t.long) / t.ran, Rate: t.allocated / t.ran,
	}
}

// Measure runs all rounds, one kind after the other in each.
func Measure(ctx context.Context, o Options, cpu string, progress func(string)) (*Report, error) {
	sums := map[kind]*tally{}
	for round := range o.Rounds {
		for _, name := range o.Kinds {
			k := kind(name)
			progress(fmt.Sprintf("round %d of %d: %s", round+1, o.Rounds, k))
			r, allocated, err := o.round(ctx, k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			if sums[k] == nil {
				sums[k] = new(tally)
			}
			sums[k].add(r, allocated)
		}
	}
	rep := &Report{CPU: cpu, CPUs: runtime.NumCPU(), Rounds: o.Rounds, For: o.For.Seconds(), Shared: o.Share, Nice: o.Nice}
	for _, name := range o.Kinds {
		rep.Rows = append(rep.Rows, sums[kind(name)].row(kind(name)))
	}
	return rep, nil
}

// round runs a loop and what it is disturbed by, in processes of their own.
func (o *Options) round(ctx context.Context, k kind) (*result, uint64, error) {
	all, err := allowed()
	if err != nil {
		return nil, 0, err
	}
	var one unix.CPUSet
	one.Set(o.CPU)
	others := all
	if others.Clear(o.CPU); others.Count() == 0 {
		others = all
	}
	j := job{Kind: k, For: o.For, CPU: o.CPU, Rate: o.Rate}
	if k == thread {
		r, err := start(ctx, j, &all, o.Nice).wait()
		if err != nil {
			return nil, 0, err
		}
		return r, r.Allocated, nil
	}
	where := &others
	if o.Share {
		where = &all
	}
	mate := start(ctx, job{Kind: busy, For: o.For, Rate: o.Rate}, where, 0)
	home := &one
	if k == loop {
		home = &others // all of its process but the loop, which goes to its CPU by itself
	}
	r, err := start(ctx, j, home, o.Nice).wait()
	b, busyErr := mate.wait()
	if err = errors.Join(err, busyErr); err != nil {
		return nil, 0, err
	}
	return r, b.Allocated, nil
}

// allowed is the CPUs that this process may use.
func allowed() (set unix.CPUSet, err error) {
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return set, fmt.Errorf("read which CPUs this process may use: %w", err)
	}
	return set, nil
}

// running is a process that was started.
type running struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	errors strings.Builder
	err    error // why it was not
}

// start starts this program once more, for a job, on those CPUs and as nice as that.
func start(ctx context.Context, j job, on *unix.CPUSet, nice int) *running {
	r := new(running)
	self, err := os.Executable()
	if err != nil {
		r.err = err
		return r
	}
	text, err := json.Marshal(j)
	if err != nil {
		r.err = err
		return r
	}
	r.cmd = exec.CommandContext(ctx, self, "stall", childFlag, string(text))
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errors
	r.cmd.Env = append(os.Environ(), "GOMAXPROCS=")
	if j.Kind == loop {
		r.cmd.Env = append(r.cmd.Env, "GODEBUG=asyncpreemptoff=1") // no signals either
	}
	r.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: nice != 0}
	if r.err = as(on, nice, r.cmd.Start); r.err == nil && nice != 0 {
		// Where the kernel shares the CPU by sessions first, niceness counts inside a session alone: so the process has one of its own, and it is that nice, too.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", r.cmd.Process.Pid), []byte(strconv.Itoa(nice)), 0)
	}
	return r
}

// as calls f, which starts a process, by a thread of those CPUs and that niceness: the process has both from it. The thread ends with it, since it may not
// be able to go back.
func as(on *unix.CPUSet, nice int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := unix.SchedSetaffinity(0, on); err != nil {
			done <- fmt.Errorf("go to the CPUs: %w", err)
			return
		}
		if nice != 0 {
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
				done <- fmt.Errorf("--nice %d: %w (root may)", nice, err)
				return
			}
		}
		done <- f()
	}()
	return <-done
}

func (r *running) wait() (*result, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := r.cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(r.errors.String()))
	}
	return readResult(&r.out)
}
