package path

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"nave/hwprofiles"
	"nave/perf/report"
)

// hwFlags is the command line of `naveperf hardware`.
type hwFlags struct {
	HardwareOptions
	cpu  int
	json bool
}

func parseHardware(args []string, errs io.Writer) (*hwFlags, error) {
	f := new(hwFlags)
	fs := flag.NewFlagSet("naveperf hardware", flag.ContinueOnError)
	fs.SetOutput(errs)
	var profiles, dir, feature, size string
	fs.StringVar(&profiles, "profile", strings.Join(defaultProfiles, ","), "hardware profiles, or all")
	fs.StringVar(&dir, "profile-dir", "", "directory with profiles of one's own")
	fs.StringVar(&feature, "feature", "", "features, separated by commas: "+featureNames()+" (default all)")
	fs.StringVar(&size, "size", "", "sizes of the inner packets in bytes (default 64, and 1400 where bytes count)")
	fs.IntVar(&f.Runs, "runs", 5, "runs of a feature without a profile, whose median counts")
	fs.DurationVar(&f.Time, "time", 5*time.Millisecond, "length of such a run")
	fs.IntVar(&f.cpu, "cpu", -1, "CPU to stay on (default: where the scheduler puts it)")
	fs.BoolVar(&f.json, "json", false, "print JSON instead of the table")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if f.Sizes, err = parseSizes(size); err != nil {
		return nil, err
	}
	f.Features = words(feature)
	names := append(words(profiles), fs.Args()...) // `--profile a b`
	if f.Profiles, err = loadProfiles(dir, names); err != nil {
		return nil, err
	}
	return f, f.check()
}

// loadProfiles finds the profiles of names.
func loadProfiles(dir string, names []string) (list []*hwprofiles.Profile, err error) {
	set, err := hwprofiles.Load(dir)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, "all") {
		return set.Profiles(), nil
	}
	for _, n := range names {
		p, err := set.Profile(n)
		if err != nil {
			return nil, fmt.Errorf("--profile: %w", err)
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("--profile: name one at least, such as %s, or all", defaultProfiles[0])
	}
	return list, nil
}

func (o *HardwareOptions) check() error {
	switch {
	case o.Runs < 1 || o.Runs > 1000:
		return fmt.Errorf("--runs %d: want 1 to 1000", o.Runs)
	case o.Time <= 0 || o.Time > time.Minute:
		return fmt.Errorf("--time %s: want more than nothing, and no more than a minute", o.Time)
	}
	for _, name := range o.Features {
		if !slices.ContainsFunc(features, func(f feature) bool { return f.name == name }) {
			return fmt.Errorf("--feature %q: there are %s", name, featureNames())
		}
	}
	for _, size := range o.Sizes {
		if size == report.IMIX {
			return fmt.Errorf("--size imix: profiles are measured with packets of one size")
		}
		if _, err := newMix(size); err != nil {
			return fmt.Errorf("--size: %w", err)
		}
	}
	return nil
}

// HardwareCommand is `naveperf hardware`.
func HardwareCommand(ctx context.Context, args []string, out, errs io.Writer) error {
	f, err := parseHardware(args, errs)
	if err != nil {
		return err
	}
	if f.cpu >= 0 {
		undo, err := pin(f.cpu)
		if err != nil {
			return err
		}
		defer undo()
	}
	lines := out
	if f.json {
		lines = errs
	}
	r := NewHardwareReport()
	if err := r.head(lines); err != nil {
		return err
	}
	err = MeasureHardware(ctx, f.HardwareOptions, r.TSCHz, func(rows []HardwareRow) error {
		r.Rows = append(r.Rows, rows...)
		_, err := io.WriteString(lines, hardwareLines(rows))
		return err
	})
	if err != nil || !f.json {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// head writes what stands above the lines.
func (r *HardwareReport) head(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s, time stamp counter %.3f GHz; Mpps of inner packets. Without: one worker here, no profile. By profile: in the hardware's own time\n%-14s %4s %9s %9s  %-20s %s\n",
		r.CPU, r.TSCHz/1e9, "feature", "size", "without", "profile", "ends by", "profiles")
	return err
}

// hardwareLines is the rows of a feature and size as text: those that come to the same are one line.
func hardwareLines(rows []HardwareRow) string {
	var list []*HardwareRow
	profiles := map[*HardwareRow][]string{}
	for i := range rows {
		r := &rows[i]
		k := slices.IndexFunc(list, r.same)
		if k < 0 {
			k = len(list)
			list = append(list, r)
		}
		profiles[list[k]] = append(profiles[list[k]], r.Profile)
	}
	var b strings.Builder
	for _, r := range list {
		none := "-"
		if r.NoneMpps > 0 {
			none = mpps(r.NoneMpps)
		}
		names := strings.Join(profiles[r], " ")
		if len(list) == 1 && len(rows) > 1 {
			names = "all"
		}
		rate, by := r.result()
		fmt.Fprintf(&b, "%-14s %4s %9s %9s  %-20s %s\n", r.Feature, r.Size, none, rate, by, names)
	}
	return b.String()
}

// same tells whether another profile comes to the same, but for what one measurement differs from the next.
func (r *HardwareRow) same(o *HardwareRow) bool {
	return r.Limit == o.Limit && r.Refused == o.Refused && r.Unlimited == o.Unlimited && math.Abs(r.Mpps-o.Mpps) <= 0.01*max(r.Mpps, o.Mpps)
}

// result is a profile's rate, and what packets beyond it end by.
func (r *HardwareRow) result() (rate, by string) {
	switch {
	case r.Refused != "":
		return "-", r.Refused
	case r.Unlimited:
		return "no limit", "nave itself"
	case r.slower():
		return mpps(r.Mpps), "nave itself"
	}
	return mpps(r.Mpps), r.Limit
}

// mpps shows three digits of a rate, or tens of packets a second.
func mpps(n float64) string {
	switch {
	case n == 0:
		return "0"
	case n >= 10:
		return fmt.Sprintf("%.1f", n)
	case n >= 1:
		return fmt.Sprintf("%.2f", n)
	case n >= 0.1:
		return fmt.Sprintf("%.3f", n)
	}
	return fmt.Sprintf("%.5f", n)
}
