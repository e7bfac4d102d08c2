package baseline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"nave/perf/report"
)

// Collect makes a measurement of the text that Go benchmarks print, of one package or several, by CPU. Benchmarks that ran several times (-count) become the median of their
// runs with its spread. Lines that are no results are passed over, but for one that says that a test failed.
func Collect(in io.Reader, cpu string) (*File, error) {
	runs := map[string][]float64{}
	var order []Entry
	pkg := ""
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.ToValidUTF8(lines.Text(), "?") // names that JSON could not tell apart are one
		if rest, ok := strings.CutPrefix(line, "pkg: "); ok {
			pkg = rest
		}
		if strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "--- FAIL") || strings.HasPrefix(line, "panic:") {
			return nil, fmt.Errorf("a benchmark failed: %s", line)
		}
		for _, e := range result(pkg, line) {
			if runs[e.key()] == nil {
				order = append(order, e)
			}
			runs[e.key()] = append(runs[e.key()], e.Value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	f := &File{CPU: cpu}
	for _, e := range order {
		e.Value, e.Spread = report.MedianSpread(runs[e.key()])
		if e.Value == 0 {
			e.Spread = 0
		}
		f.Entries = append(f.Entries, e)
	}
	if len(f.Entries) == 0 {
		return nil, errors.New("there are no results of benchmarks in it")
	}
	return f, f.check()
}

// passedOver are units that say nothing beside others: bytes go with allocations, and how full bursts were is not what a benchmark is for.
var passedOver = []string{"B/op", "packets/poll"}

// result is the numbers of a line like "BenchmarkX/case-2  100  12.5 ns/op  3 allocs/op".
func result(pkg, line string) (list []Entry) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return nil
	}
	if _, err := strconv.ParseUint(fields[1], 10, 64); err != nil {
		return nil
	}
	name := strings.TrimSuffix(strings.TrimPrefix(fields[0], "Benchmark"), "-"+strconv.Itoa(runtime.GOMAXPROCS(0)))
	if pkg != "" {
		name = pkg + "." + name
	}
	for i := 2; i < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil
		}
		if !slices.Contains(passedOver, fields[i+1]) {
			list = append(list, Entry{Name: name, Unit: fields[i+1], Value: v})
		}
	}
	return list
}
