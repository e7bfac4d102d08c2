package path

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nave/perf/report"
)

// flags is the command line.
type flags struct {
	Options
	cpu       int
	json      bool
	html      string
	reference string
	profile   string
}

func parse(args []string, errs io.Writer) (*flags, error) {
	f := new(flags)
	fs := flag.NewFlagSet("naveperf path", flag.ContinueOnError)
	fs.SetOutput(errs)
	var size, tunnels, transform, works, prices string
	fs.StringVar(&works, "work", "", "works to measure, separated by commas: "+strings.Join(workNames(), ", ")+" (default all)")
	fs.StringVar(&size, "size", "", "sizes of the inner packets in bytes, or imix (default 64,512,1400,imix)")
	fs.StringVar(&tunnels, "tunnels", "", "numbers of peers (default 1, and 1000 and 10000 for some rows)")
	fs.StringVar(&transform, "transform", "", "ESP transforms, or all (default "+defaultCipher+")")
	fs.StringVar(&prices, "prices", "", "what entries cost, as on emulated hardware: "+strings.Join(priceNames, ", ")+" (default none)")
	fs.IntVar(&f.Runs, "runs", 15, "runs of a row, whose median counts")
	fs.IntVar(&f.Passes, "passes", 3, "passes over all rows, which share the runs: rows are printed in the last one")
	fs.DurationVar(&f.Time, "time", 15*time.Millisecond, "length of a run")
	fs.IntVar(&f.Burst, "burst", 256, "packets a burst")
	fs.BoolVar(&f.Cold, "cold", false, "packets that are not in the caches near the core")
	fs.IntVar(&f.cpu, "cpu", -1, "CPU to stay on (default: where the scheduler puts it)")
	fs.BoolVar(&f.json, "json", false, "print JSON instead of the table")
	fs.StringVar(&f.html, "html", "", "write a page with plots to this file")
	fs.StringVar(&f.reference, "reference", "", "a report in JSON whose numbers the page shows beside, as lines")
	fs.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile to this file: what the compiler optimizes by (make pgo), and go tool pprof reads")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q: there are flags only", fs.Arg(0))
	}
	var err error
	if f.Sizes, err = parseSizes(size); err != nil {
		return nil, err
	}
	if f.Tunnels, err = parseTunnels(tunnels); err != nil {
		return nil, err
	}
	f.Works, f.Transforms, f.Prices = words(works), parseTransforms(transform), words(prices)
	if f.reference != "" && f.html == "" {
		return nil, fmt.Errorf("--reference is for the page: say --html FILE, too")
	}
	return f, f.check()
}

// Command is `naveperf path`.
func Command(ctx context.Context, args []string, out, errs io.Writer) error {
	f, err := parse(args, errs)
	if err != nil {
		return err
	}
	var reference *report.Report
	if f.reference != "" {
		if reference, err = readReport(f.reference); err != nil {
			return err
		}
	}
	if f.cpu >= 0 {
		undo, err := pin(f.cpu)
		if err != nil {
			return err
		}
		defer undo()
	}
	lines := out // what tells of rows as they are done
	if f.json {
		lines = errs
	}
	r := NewReport(f.Cold)
	if err := r.Head(lines); err != nil {
		return err
	}
	stop, err := profile(f.profile)
	if err != nil {
		return err
	}
	err = Measure(ctx, f.Options, r.TSCHz, func(row report.Row) error {
		r.Rows = append(r.Rows, row)
		return row.Line(lines)
	})
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	if f.json {
		if err := r.JSON(out); err != nil {
			return err
		}
	}
	if f.html == "" {
		return nil
	}
	page, err := os.Create(f.html)
	if err != nil {
		return err
	}
	if err := r.HTML(page, reference); err != nil {
		page.Close()
		return fmt.Errorf("%s: %w", f.html, err)
	}
	return page.Close()
}

// profile starts to profile into a file, unless its name is empty, and gives what ends it.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

func readReport(name string) (*report.Report, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := report.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// pin ties the calling goroutine to its thread, and the thread to one CPU. The function that it returns undoes both.
func pin(cpu int) (undo func(), err error) {
	runtime.LockOSThread()
	var old, one unix.CPUSet
	if err = unix.SchedGetaffinity(0, &old); err == nil {
		one.Set(cpu)
		err = unix.SchedSetaffinity(0, &one)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("--cpu %d: %w (is there such a CPU, and may this process use it?)", cpu, err)
	}
	return func() {
		// A thread that keeps the mask stays locked, and so ends with its goroutine instead of running others on that CPU.
		if unix.SchedSetaffinity(0, &old) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}
