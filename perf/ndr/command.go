package ndr

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nave/perf/ends"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/rig"
	"nave/perf/sink"
)

// job is what the command was asked for.
type job struct {
	lab, tx, rx, mixName, mac, gateway, bin string
	driver                                  string
	cpu                                     int
	losses                                  []float64
	max, min                                gen.Rate
	o                                       Options
	duration, settle                        time.Duration
	asJSON                                  bool
}

// report is what the command prints.
type report struct {
	Where    string        `json:"where"`
	Mix      string        `json:"mix"`
	Driver   string        `json:"driver"`
	Method   Method        `json:"method"`
	Duration time.Duration `json:"trial_ns"`
	Results  []Result      `json:"results"`
}

// Command is `naveperf ndr`.
func Command(ctx context.Context, args []string, out, errs io.Writer) error {
	j, err := parse(args, errs)
	if err != nil {
		return err
	}
	m, sender, receiver, end, err := j.open(ctx, errs)
	if err != nil {
		return err
	}
	r, err := j.search(ctx, m, sender, receiver, errs)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	if j.asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(out, m)
}

func parse(args []string, errs io.Writer) (*job, error) {
	j := &job{}
	f := flag.NewFlagSet("ndr", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&j.lab, "lab", "", "make a lab with a naved in the middle, and measure that: "+places())
	f.StringVar(&j.tx, "tx", "", "`interface` to send by, instead of a lab")
	f.StringVar(&j.rx, "rx", "", "`interface` to receive by, instead of a lab")
	f.StringVar(&j.mac, "mac", "", "Ethernet `address` of the device under test, with --tx")
	f.StringVar(&j.gateway, "gateway", "", "IPv4 `address` of the device on the link --tx, instead of --mac")
	f.StringVar(&j.driver, "driver", string(ends.XDP), "how packets get to the links and off: xdp, afxdp, asavie, packet")
	f.StringVar(&j.mixName, "mix", "", "what to send: a built-in `mix` or a file; default is the lab's, or imix")
	f.IntVar(&j.cpu, "cpu", -1, "`CPU` for the generator")
	f.StringVar(&j.bin, "bin", "", "`folder` of naved and nave; default is this program's own")
	losses := f.String("loss", "0", "loss that is allowed, as a `part`: 0 for the no-drop rate; several with commas between them")
	method := f.String("method", string(Verify), "how a rate is judged: rfc2544 (one trial) or tst009 (small losses are tried again)")
	f.IntVar(&j.o.Repeats, "repeats", 2, "`times` that tst009 tries again")
	f.Float64Var(&j.o.Resolution, "resolution", 0.02, "end when what is left to search is this `part` of the rate")
	f.DurationVar(&j.duration, "trial", 2*time.Second, "length of a trial; RFC 2544 wants 60s of a final one")
	f.DurationVar(&j.settle, "settle", 200*time.Millisecond, "`time` for the last packets of a trial; RFC 2544 wants 2s")
	most := f.String("max", "", "highest `rate` to try; default 10Gbit/s, or what the link --tx has")
	least := f.String("min", "", "lowest `rate` to try")
	f.BoolVar(&j.asJSON, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	j.o.Method = Method(*method)
	var err error
	for _, w := range strings.Split(*losses, ",") {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil || !(v >= 0 && v < 1) {
			return nil, fmt.Errorf("--loss %s: want parts of 1 like 0 or 0.005", *losses)
		}
		j.losses = append(j.losses, v)
	}
	if *most == "" {
		*most = j.line()
	}
	if j.max, err = gen.ParseRate(*most); err != nil || *most == "max" {
		return nil, fmt.Errorf("--max %s: want a rate like 1.5Mpps or 10Gbit/s", *most)
	}
	if *least != "" {
		if j.min, err = gen.ParseRate(*least); err != nil || *least == "max" {
			return nil, fmt.Errorf("--min %s: want a rate like 1.5Mpps or 10Gbit/s", *least)
		}
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q: everything is a flag; --help tells them", f.Arg(0))
	case (j.lab == "") == (j.tx == "" && j.rx == ""):
		return nil, fmt.Errorf("say --lab NAME (%s), or --tx INTERFACE --rx INTERFACE", places())
	case j.lab == "" && (j.tx == "" || j.rx == ""):
		return nil, errors.New("say both --tx and --rx")
	case j.duration < 10*time.Millisecond || j.settle < 0:
		return nil, fmt.Errorf("--trial %v --settle %v: want a trial of 10ms at least", j.duration, j.settle)
	}
	return j, nil
}

func places() string {
	var names []string
	for _, p := range rig.Places() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// line is the rate of the link to send by.
func (j *job) line() string {
	if text, err := os.ReadFile(filepath.Join("/sys/class/net", filepath.Base(j.tx), "speed")); err == nil && j.tx != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n > 0 {
			return fmt.Sprintf("%dMbit/s", n)
		}
	}
	return "10Gbit/s"
}

// open makes the lab, or opens the interfaces.
func (j *job) open(ctx context.Context, errs io.Writer) (m *mix.Mix, s gen.Sender, r sink.Receiver, end func() error, err error) {
	place := rig.Place{Mix: "imix"}
	if j.lab != "" {
		if place, err = rig.FindPlace(j.lab); err != nil {
			return nil, nil, nil, nil, err
		}
	}
	if j.mixName == "" {
		j.mixName = place.Mix
	}
	if m, err = mix.Load(j.mixName); err != nil {
		return nil, nil, nil, nil, err
	}
	d := ends.Driver(j.driver)
	if j.lab != "" {
		if j.bin == "" {
			self, err := os.Executable()
			if err != nil {
				return nil, nil, nil, nil, fmt.Errorf("find naved (say --bin FOLDER): %w", err)
			}
			j.bin = filepath.Dir(self)
		}
		if _, err := os.Stat(filepath.Join(j.bin, "naved")); err != nil && j.lab != rig.Memory {
			return nil, nil, nil, nil, fmt.Errorf("no naved in %s: `make build` puts one into bin/; or say --bin FOLDER", j.bin)
		}
		l, err := place.Up(ctx, m, rig.Options{Bin: j.bin, Log: errs, Senders: d, Sinks: d, CPU: j.cpu})
		if err != nil {
			return nil, nil, nil, nil, err
		}
		return m, l.Sender, l.Receiver, l.Down, nil
	}
	tx := ends.Config{Driver: d, Iface: j.tx, CPU: j.cpu}
	dst, err := ends.Destination(&tx, j.mac, j.gateway)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if r, err = ends.Receiver(ends.Config{Driver: d, Iface: j.rx, Stamps: true}); err != nil {
		return nil, nil, nil, nil, err
	}
	if s, err = ends.Sender(tx, m, dst); err != nil {
		return nil, nil, nil, nil, errors.Join(err, r.Close())
	}
	return m, s, r, func() error { return errors.Join(s.Close(), r.Close()) }, nil
}

// search looks for a rate for each loss that is allowed, the smallest first: where it ended the next one begins.
func (j *job) search(ctx context.Context, m *mix.Mix, s gen.Sender, r sink.Receiver, errs io.Writer) (*report, error) {
	where := "lab " + j.lab
	if j.lab == "" {
		where = j.tx + " to " + j.rx
	}
	rep := &report{Where: where, Mix: m.Name, Driver: j.driver, Method: j.o.Method, Duration: j.duration}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(run) }()
	train, err := m.Train(mix.Link{})
	if err != nil {
		stop()
		return nil, errors.Join(err, <-done)
	}
	trial := func(ctx context.Context, pps float64) (Outcome, error) { return j.trial(ctx, s, r, pps) }
	for _, loss := range slices.Sorted(slices.Values(j.losses)) {
		o := j.o
		o.Loss, o.Max, o.Min = loss, j.max.Packets(train), j.min.Packets(train)
		if n := len(rep.Results); n > 0 {
			if last := &rep.Results[n-1]; last.Rate > 0 && last.Rate < o.Max {
				o.Passed = &last.Best
			}
		}
		o.Progress = func(out Outcome, passed bool) {
			verdict := "too much"
			if passed {
				verdict = "passed"
			}
			fmt.Fprintf(errs, "%9.4f Mpps offered of %9.4f: %d of %d lost (%.4f %%), %s\n", out.Offered/1e6, out.Asked/1e6, out.Sent-min(out.Sent, out.Received), out.Sent, 100*out.Loss(), verdict)
		}
		var res Result
		if res, err = Search(ctx, o, trial); err != nil {
			break
		}
		rep.Results = append(rep.Results, res)
	}
	stop()
	return rep, errors.Join(err, <-done)
}

// trial offers a rate once.
func (j *job) trial(ctx context.Context, s gen.Sender, r sink.Receiver, pps float64) (Outcome, error) {
	if err := r.Reset(); err != nil {
		return Outcome{}, err
	}
	sent, err := s.Send(ctx, gen.Load{Rate: gen.Rate{PPS: pps}, Duration: j.duration})
	if err != nil {
		return Outcome{}, err
	}
	select {
	case <-ctx.Done():
	case <-time.After(j.settle):
	}
	got, err := r.Report()
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{
		Asked: pps, Offered: sent.PPS(), Sent: sent.Packets, Received: got.Packets, Took: sent.Took,
		Reordered: got.Reordered, Twice: got.Duplicates, Latency: got.Latency,
	}
	if got.Stamped > 0 { // others may send on the link, too
		out.Received = got.Stamped - got.Duplicates
	}
	return out, nil
}

// print is the report for people.
func (r *report) print(out io.Writer, m *mix.Mix) error {
	fmt.Fprintf(out, "%s, mix %s, driver %s, %s with trials of %v\n", r.Where, r.Mix, r.Driver, r.Method, r.Duration)
	for _, x := range r.Results {
		name := "no-drop rate"
		if x.Loss > 0 {
			name = fmt.Sprintf("partial-drop rate (%g %%)", 100*x.Loss)
		}
		b := &x.Best
		_, err := fmt.Fprintf(out, "%-26s %.4f Mpps, %.3f Gbit/s of packets (bound: %s, %d trials); latency %.1f µs median, %.1f p99, %.1f most; %d reordered, %d twice\n",
			name, x.Rate/1e6, x.Rate*m.Mean()*8/1e9, x.Bound, len(x.Trials), float64(b.Latency.P50)/1e3, float64(b.Latency.P99)/1e3, float64(b.Latency.Max)/1e3, b.Reordered, b.Twice)
		if err != nil {
			return err
		}
	}
	return nil
}
