package stall

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"nave/perf/tsc"
)

// kind is what a process that the program starts as itself does.
type kind string

const (
	thread  kind = "thread"
	process kind = "process"
	loop    kind = "loop"
	busy    kind = "busy"
)

// childFlag precedes a job: not for people.
const childFlag = "--as"

// job is what a process is told, in JSON.
type job struct {
	Kind kind          `json:"kind"`
	For  time.Duration `json:"for"`
	CPU  int           `json:"cpu"`
	Rate float64       `json:"rate"` // bytes a second
}

const (
	// every is how many ticks the loop without a runtime lets pass between two polls: less than a worker's poll takes.
	every = 256
	// calibrate is how long the counter's rate is looked for.
	calibrate = 90 * time.Millisecond
	// workerHeap is what a worker's process may have of garbage before it collects it, in bytes.
	workerHeap = 64 << 20
)

// child does a job and prints its result.
func child(ctx context.Context, text string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("%s %s: %w", childFlag, text, err)
	}
	hz := tsc.Hz(calibrate)
	r, err := j.do(ctx, hz)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func (j *job) do(ctx context.Context, hz float64) (*result, error) {
	ctx, stop := context.WithTimeout(ctx, j.For)
	defer stop()
	begin := time.Now()
	switch j.Kind {
	case busy:
		n := allocate(ctx, j.Rate)
		return &result{Hz: hz, Ran: time.Since(begin).Seconds(), Allocated: n}, nil
	case thread:
		total := make(chan uint64, 1)
		go func() { total <- allocate(ctx, j.Rate) }()
		g, err := poll(ctx)
		stop()
		n := <-total
		if err != nil {
			return nil, err
		}
		r := g.result(time.Since(begin), hz)
		r.Allocated = n
		return r, nil
	case process:
		runtime.GOMAXPROCS(1)
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(workerHeap)
		g, err := poll(ctx)
		if err != nil {
			return nil, err
		}
		return g.result(time.Since(begin), hz), nil
	case loop:
		return j.spin(hz)
	}
	return nil, fmt.Errorf("%s: there is no kind %q", childFlag, j.Kind)
}

// spin runs the loop without a runtime on its CPU, which no other thread of the process is on.
func (j *job) spin(hz float64) (*result, error) {
	runtime.LockOSThread() // for good: the thread ends with the process
	var one unix.CPUSet
	one.Set(j.CPU)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, fmt.Errorf("go to CPU %d: %w", j.CPU, err)
	}
	debug.SetGCPercent(-1)
	g := new(gaps)
	begin := time.Now()
	spin(tsc.Ticks()+uint64(j.For.Seconds()*hz), every, &g.counts, &g.largest)
	return g.result(time.Since(begin), hz), nil
}
