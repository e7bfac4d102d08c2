// Package baseline compares measurements with earlier ones of the same kind of machine, and tells what moved from what is noise.
//
// A measurement is a file of JSON: a report of naveperf path or stall as it is, or what Collect makes of the text of Go benchmarks. Each becomes entries with a name, a value and
// its spread. Two values differ if they are further apart than both spreads together, and than a floor below which nobody should believe a difference.
package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nave/perf/report"
	"nave/perf/stall"
)

// Entry is one number of a measurement.
type Entry struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Spread float64 `json:"spread"` // between the quartiles of several runs, as a share of Value
}

// more tells whether more of the unit is better: rates are, and times and counts are not.
func (e *Entry) more() bool {
	return e.Unit == "Mpps" || strings.HasSuffix(e.Unit, "/s") || strings.HasSuffix(e.Unit, "/sec") || strings.HasSuffix(e.Unit, "/CPU-s")
}

// File is a measurement.
type File struct {
	CPU     string  `json:"cpu"`
	Entries []Entry `json:"entries"`
}

// JSON writes the file.
func (f *File) JSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(f)
}

// stallSpread is how much the tail of a distribution differs from one time to the next, on a machine that is shared.
const stallSpread = 0.5

// Read reads a measurement of any of the kinds.
func Read(in io.Reader) (*File, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	var shape struct {
		Entries []Entry           `json:"entries"`
		Rows    []json.RawMessage `json:"rows"`
		TSCHz   float64           `json:"tsc_hz"`
	}
	if err := json.Unmarshal(text, &shape); err != nil {
		return nil, fmt.Errorf("this is no measurement: %w", err)
	}
	f := new(File)
	switch {
	case len(shape.Entries) > 0:
		err = json.Unmarshal(text, f)
	case shape.TSCHz > 0:
		err = f.path(text)
	case len(shape.Rows) > 0:
		err = f.stall(text)
	default:
		err = errors.New("this is no measurement: it has neither entries nor rows")
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// path takes a report of naveperf path.
func (f *File) path(text []byte) error {
	r, err := report.Read(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	f.CPU = r.CPU
	for i := range r.Rows {
		name := r.Rows[i].Key()
		if r.Cold {
			name += "/cold"
		}
		f.Entries = append(f.Entries, Entry{name, "ticks/packet", r.Rows[i].TicksPerPacket, r.Rows[i].Spread},
			Entry{name, "allocs/packet", r.Rows[i].AllocsPerPacket, 0})
	}
	return nil
}

// stall takes a report of naveperf stall.
func (f *File) stall(text []byte) error {
	var r stall.Report
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	f.CPU = r.CPU
	for _, row := range r.Rows {
		f.Entries = append(f.Entries, Entry{"stall/" + row.Kind + "/p99.9", "ns", row.P999, stallSpread}, Entry{"stall/" + row.Kind + "/worst", "ns", row.Worst, stallSpread})
	}
	return nil
}

func (f *File) check() error {
	seen := map[string]bool{}
	for _, e := range f.Entries {
		key := e.key()
		switch {
		case e.Name == "" || e.Unit == "":
			return fmt.Errorf("entry %q: name and unit are wanted", key)
		case seen[key]:
			return fmt.Errorf("entry %q is there twice", key)
		case !(e.Value >= 0) || math.IsInf(e.Value, 0) || !(e.Spread >= 0) || math.IsInf(e.Spread, 0):
			return fmt.Errorf("entry %q: value %g, spread %g", key, e.Value, e.Spread)
		}
		seen[key] = true
	}
	return nil
}

func (e *Entry) key() string { return e.Name + " " + e.Unit }

// Change is what became of one entry.
type Change struct {
	Name, Unit string
	Old, New   float64
	Ratio      float64 // New to Old
	Noise      float64 // what the ratio may be away from 1 without anything having changed
	Verdict    Verdict
}

// Verdict says what a change is.
type Verdict string

// Verdicts.
const (
	Same   Verdict = "same"
	Better Verdict = "better"
	Worse  Verdict = "worse"
	Gone   Verdict = "gone"
	Added  Verdict = "new"
)

// floor is a difference, as a share, that a change of nothing but the layout of the program, or another hour on a shared machine, can make.
const floor = 0.05

// tiny is a count that stands for none: what the runtime allocates by itself during a million packets.
const tiny = 1e-3

// Compare says what became of each entry: those of the old measurement in its order, then what is new.
func Compare(before, after *File) (list []Change) {
	now := map[string]*Entry{}
	for i := range after.Entries {
		now[after.Entries[i].key()] = &after.Entries[i]
	}
	known := map[string]bool{}
	for i := range before.Entries {
		was := &before.Entries[i]
		known[was.key()] = true
		is := now[was.key()]
		if is == nil {
			list = append(list, Change{Name: was.Name, Unit: was.Unit, Old: was.Value, Verdict: Gone})
			continue
		}
		list = append(list, compare(was, is))
	}
	for i := range after.Entries {
		if e := &after.Entries[i]; !known[e.key()] {
			list = append(list, Change{Name: e.Name, Unit: e.Unit, New: e.Value, Verdict: Added})
		}
	}
	return list
}

func compare(was, is *Entry) Change {
	c := Change{Name: was.Name, Unit: was.Unit, Old: was.Value, New: is.Value, Noise: max(floor, was.Spread+is.Spread), Verdict: Same, Ratio: 1}
	switch {
	case was.Value < tiny && is.Value < tiny:
		return c
	case was.Value < tiny:
		c.Ratio, c.Noise = math.Inf(1), 0
	default:
		c.Ratio = is.Value / was.Value
	}
	if math.Abs(c.Ratio-1) <= c.Noise {
		return c
	}
	c.Verdict = Worse
	if (c.Ratio > 1) == is.more() {
		c.Verdict = Better
	}
	return c
}

// Load reads a file, or all files of a directory whose names end in .json, by their names without that.
func Load(name string) (map[string]*File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	files := []string{name}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(name, "*.json")); err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: no measurements (*.json) are in it: %w", name, fs.ErrNotExist)
		}
	}
	slices.Sort(files)
	set := map[string]*File{}
	for _, path := range files {
		in, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		f, err := Read(in)
		in.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		key := ""
		if info.IsDir() {
			key = strings.TrimSuffix(filepath.Base(path), ".json")
		}
		set[key] = f
	}
	return set, nil
}
