package stall

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"nave/perf/tsc"
)

var kinds = []string{string(thread), string(process), string(loop)}

func parse(args []string, errs io.Writer) (o Options, asJSON bool, err error) {
	fs := flag.NewFlagSet("naveperf stall", flag.ContinueOnError)
	fs.SetOutput(errs)
	list := fs.String("kind", strings.Join(kinds, ","), "kinds of loop, separated by commas")
	fs.DurationVar(&o.For, "for", 2*time.Second, "length of a round of each kind")
	fs.IntVar(&o.Rounds, "rounds", 5, "rounds")
	fs.IntVar(&o.CPU, "cpu", -1, "CPU of the loop (default: the last that this process may use)")
	rate := fs.Float64("rate", 1, "what the busy process allocates, 10⁹ bytes a second; 0 for none")
	fs.BoolVar(&o.Share, "share", false, "let the busy process run on the loop's CPU, too")
	fs.IntVar(&o.Nice, "nice", 0, "niceness of the loop's process, -20 to 19: on a machine that has other things to do, -20 as root")
	fs.BoolVar(&asJSON, "json", false, "print JSON instead of the table")
	if err = fs.Parse(args); err != nil {
		return o, asJSON, err
	}
	o.Rate = *rate * 1e9
	for k := range strings.SplitSeq(*list, ",") {
		if !slices.Contains(kinds, k) || slices.Contains(o.Kinds, k) {
			return o, asJSON, fmt.Errorf("--kind %q: want some of %s, each once", *list, strings.Join(kinds, ","))
		}
		o.Kinds = append(o.Kinds, k)
	}
	set, err := allowed()
	if err != nil {
		return o, asJSON, err
	}
	for cpu := 0; o.CPU < 0 && cpu < len(set)*64; cpu++ {
		if set.IsSet(cpu) && set.Count() == 1 {
			o.CPU = cpu
		}
		if set.IsSet(cpu) {
			set.Clear(cpu)
		}
	}
	return o, asJSON, o.check(fs.Args())
}

func (o *Options) check(rest []string) error {
	set, err := allowed()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%q: there are flags only", rest[0])
	case o.For < 10*time.Millisecond || o.For > time.Hour:
		return fmt.Errorf("--for %s: want 10ms to 1h", o.For)
	case o.Rounds < 1 || o.Rounds > 10000:
		return fmt.Errorf("--rounds %d: want 1 to 10000", o.Rounds)
	case !(o.Rate >= 0 && o.Rate <= 1e12):
		return fmt.Errorf("--rate %g: want 0 to 1000", o.Rate/1e9)
	case o.Nice < -20 || o.Nice > 19:
		return fmt.Errorf("--nice %d: want -20 to 19", o.Nice)
	case !set.IsSet(o.CPU):
		return fmt.Errorf("--cpu %d: this process may not use it, or there is none of that number", o.CPU)
	}
	return nil
}

// Command is `naveperf stall`.
func Command(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) == 2 && args[0] == childFlag {
		return child(ctx, args[1], out)
	}
	o, asJSON, err := parse(args, errs)
	if err != nil {
		return err
	}
	r, err := Measure(ctx, o, tsc.CPU(), func(what string) { fmt.Fprintln(errs, what) })
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", " ")
		return e.Encode(r)
	}
	return r.text(out)
}

// text writes the table, and what the kinds have beyond the loop without a runtime.
func (r *Report) text(out io.Writer) error {
	where := "the busy process on the other CPUs"
	if r.Shared {
		where = "the busy process on every CPU"
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s, %d CPUs, %d rounds of %g s, niceness %d, %s; gaps between polls in µs\n", r.CPU, r.CPUs, r.Rounds, r.For, r.Nice, where)
	fmt.Fprintf(b, "kind          polls      p50      p99    p99.9   p99.99  worst of a round      max  over %d µs a second  waited  GB/s allocated\n", LongGap.Microseconds())
	var floor *Row
	for i := range r.Rows {
		w := &r.Rows[i]
		if w.Kind == string(loop) {
			floor = w
		}
		fmt.Fprintf(b, "%-8s %10d %8.2f %8.2f %8.2f %8.2f %17.1f %8.1f %21.1f %6.1f%% %15.2f\n",
			w.Kind, w.Polls, w.P50/1e3, w.P99/1e3, w.P999/1e3, w.P9999/1e3, w.Worst/1e3, w.Max/1e3, w.Long, 100*w.Waited, w.Rate/1e9)
	}
	for i := range r.Rows {
		if w := &r.Rows[i]; floor != nil && w != floor {
			fmt.Fprintf(b, "%s beyond the loop: %+.1f µs in the worst of a round, %+.1f µs at most\n", w.Kind, (w.Worst-floor.Worst)/1e3, (w.Max-floor.Max)/1e3)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
