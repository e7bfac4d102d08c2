package stall

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/perf/hist"
	"nave/perf/tsc"
)

// TestMain is the program that a measurement starts as itself, when it is started so.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "stall" {
		if err := Command(context.Background(), os.Args[2:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestSpin: polls are counted in buckets that are not below the time between them, and the longest gap is the last bucket that has any.
func TestSpin(t *testing.T) {
	g := new(gaps)
	const apart = 1000
	begin := tsc.Ticks()
	until := begin + 50_000_000
	spin(until, apart, &g.counts, &g.largest)
	took := tsc.Ticks() - begin
	if took < 50_000_000 {
		t.Errorf("it ended after %d ticks", took)
	}
	total, last, sum := uint64(0), 0, 0.0
	for i, n := range g.counts {
		if n > 0 && i < hist.Index(apart) {
			t.Errorf("%d gaps in bucket %d, which is below %d ticks", n, i, apart)
		}
		if total += n; n > 0 {
			last = i
			sum += float64(n)
		}
	}
	if total == 0 || float64(total)*apart > float64(took) {
		t.Errorf("%d gaps of %d ticks at least in %d", total, apart, took)
	}
	if hist.Index(int64(g.largest)) != last {
		t.Errorf("the longest gap is %d ticks, the last bucket %d", g.largest, last)
	}
}

func TestGaps(t *testing.T) {
	g := new(gaps)
	before := tsc.Ticks()
	g.poll()
	if g.largest != 0 {
		t.Error("the first poll has no gap")
	}
	after := tsc.Ticks()
	time.Sleep(3 * time.Millisecond)
	least := tsc.Ticks() - after
	g.poll()
	if ticks := tsc.Ticks() - before; g.largest < least || g.largest > ticks || g.counts[hist.Index(int64(g.largest))] != 1 {
		t.Errorf("a gap of %d ticks in %d", g.largest, ticks)
	}
}

func TestTally(t *testing.T) {
	sum := new(tally)
	short, long := hist.Index(1000), hist.Index(5_000_000)
	sum.add(&result{Hz: 1e9, Ran: 1, Counts: map[int]uint64{short: 9998, long: 2}, Largest: 5_000_000}, 100)
	sum.add(&result{Hz: 1e9, Ran: 1, Counts: map[int]uint64{short: 10000}, Largest: 1000}, 300)
	r := sum.row(process)
	near := func(got, want float64) bool { return got > want*0.96 && got < want*1.04 }
	if r.Kind != "process" || r.Polls != 20000 || !near(r.P50, 1000) || !near(r.P999, 1000) || !near(r.P9999, 5e6) && !near(r.P9999, 1000) || r.Max != 5e6 || r.Worst != 2500500 || r.Long != 1 || r.Rate != 200 {
		t.Errorf("%+v", r)
	}
}

func TestReadResult(t *testing.T) {
	g := new(gaps)
	g.counts[7], g.largest = 3, 9
	text, err := json.Marshal(g.result(time.Second, 2e9))
	if err != nil {
		t.Fatal(err)
	}
	r, err := readResult(bytes.NewReader(text))
	if err != nil || r.Counts[7] != 3 || r.Largest != 9 || r.Ran != 1 || r.Hz != 2e9 {
		t.Errorf("%+v, %v", r, err)
	}
	for i := range text {
		if _, err := readResult(bytes.NewReader(text[:i])); err == nil {
			t.Errorf("%s: no error", text[:i])
		}
	}
	for _, bad := range []string{"", "{}", `{"hz":1,"ran":1,"counts":{"-1":1}}`, `{"hz":1,"ran":1,"counts":{"1152":1}}`, `{"hz":1,"ran":0}`} {
		if _, err := readResult(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestAllocate(t *testing.T) {
	begin := time.Now()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	n := allocate(ctx, 50e6)
	if took := time.Since(begin); n == 0 || float64(n) > 50e6*took.Seconds()+20e3 { // and an object more
		t.Errorf("%d bytes in %v at 50 MB/s", n, took)
	}
	if n := allocate(ctx, 50e6); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
}

// TestMeasure: every kind runs in its processes, and comes back with as many gaps as it polled.
func TestMeasure(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"--for", "400ms", "--rounds", "2", "--rate", "0.02", "--json"}
	if err := Command(t.Context(), args, &out, &errs); err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 3 || r.Rounds != 2 || r.CPU == "" || strings.Count(errs.String(), "\n") != 6 {
		t.Fatalf("%+v\n%s", r, errs.String())
	}
	for i, w := range r.Rows {
		if w.Kind != kinds[i] || w.Polls < 20 || !(w.P50 > 0) || w.P50 > w.P99 || w.P99 > w.P999 || w.P999 > w.P9999 || w.P9999 > w.Max || w.Worst > w.Max || w.Rate < 1e6 || w.Rate > 1e8 {
			t.Errorf("%+v", w)
		}
	}
	out.Reset()
	if err := r.text(&out); err != nil || strings.Count(out.String(), "\n") != 7 || !strings.Contains(out.String(), "process beyond the loop") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestAffinity: a process starts on the CPUs it is meant for, and this one stays where it is.
func TestAffinity(t *testing.T) {
	before, err := allowed()
	if err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !before.IsSet(cpu) {
		cpu++
	}
	var one, got unix.CPUSet
	one.Set(cpu)
	if err := as(&one, 1, func() error { return unix.SchedGetaffinity(0, &got) }); err != nil || got != one {
		t.Errorf("%v, %v", got, err)
	}
	if after, err := allowed(); err != nil || after != before {
		t.Errorf("%v, %v", after, err)
	}
	one.Zero()
	if err := as(&one, 0, func() error { return nil }); err == nil {
		t.Error("on no CPU at all")
	}
}

func TestChildErrors(t *testing.T) {
	for _, bad := range []string{"", "{", `{"kind":"frob","for":1}`, `{"kind":"loop","for":1,"cpu":1000000}`} {
		var out bytes.Buffer
		if err := Command(t.Context(), []string{childFlag, bad}, &out, &out); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, %s", bad, err, out.String())
		}
	}
	all, err := allowed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start(t.Context(), job{Kind: "frob"}, &all, 0).wait(); err == nil || !strings.Contains(err.Error(), `there is no kind "frob"`) {
		t.Errorf("%v", err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--kind frob", "--kind"}, {"--kind loop,loop", "--kind"}, {"--for 1ms", "--for 1ms"}, {"--rounds 0", "--rounds 0"}, {"--cpu 4000", "--cpu 4000"},
		{"--rate -1", "--rate -1"}, {"--rate NaN", "--rate NaN"}, {"--nice 20", "--nice 20"}, {"--what", "not defined"}, {"now", `"now"`},
	} {
		var out, errs bytes.Buffer
		if err := Command(t.Context(), strings.Fields(c.args), &out, &errs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}
