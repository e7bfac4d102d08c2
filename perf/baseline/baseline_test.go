package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func file(entries ...Entry) *File { return &File{CPU: "x", Entries: entries} }

// TestCompare: what is further apart than both spreads, and than the floor, moved; to which side is good depends on the unit.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		unit                   string
		old, oldSpread         float64
		now, nowSpread         float64
		want                   Verdict
		leastNoise, mostNoise  float64
		leastRatio, mostRatios float64
	}{
		{"ticks/packet", 100, 0, 104, 0, Same, 0.05, 0.05, 1.04, 1.04},
		{"ticks/packet", 100, 0, 106, 0, Worse, 0.05, 0.05, 1.06, 1.06},
		{"ticks/packet", 100, 0, 94, 0, Better, 0.05, 0.05, 0.94, 0.94},
		{"ticks/packet", 100, 0.03, 105, 0.03, Same, 0.06, 0.06, 1.05, 1.05},
		{"ticks/packet", 100, 0.03, 107, 0.03, Worse, 0.06, 0.06, 1.07, 1.07},
		{"Mpps", 1, 0, 0.9, 0, Worse, 0.05, 0.05, 0.9, 0.9},
		{"Mpps", 1, 0, 1.1, 0, Better, 0.05, 0.05, 1.1, 1.1},
		{"registrations/s", 1, 0, 1.1, 0, Better, 0.05, 0.05, 1.1, 1.1},
		{"allocs/packet", 0, 0, 0, 0, Same, 0, 1, 1, 1},
		{"allocs/packet", 0, 0, 1e-5, 0, Same, 0, 1, 1, 1},
		{"allocs/packet", 0, 0, 1, 0, Worse, 0, 0, math.Inf(1), math.Inf(1)},
		{"allocs/packet", 1, 0, 0, 0, Better, 0.05, 0.05, 0, 0},
	} {
		list := Compare(file(Entry{"a", c.unit, c.old, c.oldSpread}), file(Entry{"a", c.unit, c.now, c.nowSpread}))
		if len(list) != 1 {
			t.Fatalf("%+v", list)
		}
		got := list[0]
		if got.Verdict != c.want || got.Noise < c.leastNoise-1e-9 || got.Noise > c.mostNoise+1e-9 || got.Ratio < c.leastRatio-1e-9 || got.Ratio > c.mostRatios+1e-9 {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestGoneAndNew(t *testing.T) {
	list := Compare(file(Entry{"a", "ns", 1, 0}, Entry{"b", "ns", 2, 0}), file(Entry{"b", "ns", 2, 0}, Entry{"b", "allocs", 1, 0}))
	want := []Verdict{Gone, Same, Added}
	for i, c := range list {
		if c.Verdict != want[i] {
			t.Errorf("%+v, want %s", c, want[i])
		}
	}
	if len(list) != 3 {
		t.Errorf("%+v", list)
	}
}

const pathText = `{"cpu":"x","tsc_hz":2e9,"rows":[{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":60,"spread":0.01},{"work":"esp-encap","transform":"aes-128-gcm","size":"imix","tunnels":10,"ticks_per_packet":300}]}`

func TestReadPath(t *testing.T) {
	f, err := Read(strings.NewReader(pathText))
	if err != nil || f.CPU != "x" || len(f.Entries) != 4 || f.Entries[0] != (Entry{"ipv4/64/1", "ticks/packet", 60, 0.01}) || f.Entries[2].Name != "esp-encap/aes-128-gcm/imix/10" {
		t.Errorf("%+v, %v", f, err)
	}
	cold, err := Read(strings.NewReader(strings.Replace(pathText, `"tsc_hz"`, `"cold":true,"tsc_hz"`, 1)))
	if err != nil || cold.Entries[0].Name != "ipv4/64/1/cold" {
		t.Errorf("%+v, %v: cold packets are another thing", cold, err)
	}
}

func TestReadStall(t *testing.T) {
	f, err := Read(strings.NewReader(`{"cpu":"x","rows":[{"kind":"process","p999_ns":100,"worst_of_round_ns":2000}]}`))
	if err != nil || len(f.Entries) != 2 || f.Entries[1] != (Entry{"stall/process/worst", "ns", 2000, stallSpread}) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestReadRefuses(t *testing.T) {
	var own bytes.Buffer
	if err := file(Entry{"a", "ns", 1, 0}).JSON(&own); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(&own); err != nil || len(f.Entries) != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, bad := range []string{
		"", "{", "[]", "{}", `{"rows":[]}`, `{"tsc_hz":1,"rows":[]}`, `{"entries":[{"name":"","unit":"ns","value":1}]}`, `{"entries":[{"name":"a","unit":"","value":1}]}`,
		`{"entries":[{"name":"a","unit":"ns","value":-1}]}`, `{"entries":[{"name":"a","unit":"ns","value":1,"spread":-1}]}`,
		`{"entries":[{"name":"a","unit":"ns","value":1},{"name":"a","unit":"ns","value":1}]}`,
	} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

const benchText = `goos: linux
pkg: nave/slowpath/nhrp
cpu: AMD
BenchmarkRegister/one-%[1]d         	     100	     10.0 ns/op	   0 B/op	 2 allocs/op
BenchmarkRegister/one-%[1]d         	     100	     30.0 ns/op	   0 B/op	 2 allocs/op
BenchmarkRegister/one-%[1]d         	     100	     12.0 ns/op	   0 B/op	 2 allocs/op
some text of a test
PASS
pkg: nave/perf
BenchmarkRegister/one-%[1]d   50   1e3 ns/op   0.5 Mpps
ok  	nave/perf	1.2s
`

func TestCollect(t *testing.T) {
	f, err := Collect(strings.NewReader(fmt.Sprintf(benchText, runtime.GOMAXPROCS(0))), "cpu")
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"nave/slowpath/nhrp.Register/one", "ns/op", 12, 10.0 / 12}, {"nave/slowpath/nhrp.Register/one", "allocs/op", 2, 0},
		{"nave/perf.Register/one", "ns/op", 1000, 0}, {"nave/perf.Register/one", "Mpps", 0.5, 0},
	}
	if f.CPU != "cpu" || len(f.Entries) != len(want) {
		t.Fatalf("%+v", f)
	}
	for i, e := range f.Entries {
		if e.Name != want[i].Name || e.Unit != want[i].Unit || e.Value != want[i].Value || math.Abs(e.Spread-want[i].Spread) > 1e-9 {
			t.Errorf("%+v, want %+v", e, want[i])
		}
	}
	for _, bad := range []string{"", "PASS\n", "BenchmarkX-2 100\n", "BenchmarkX-2 many 1 ns/op\n", "BenchmarkX 1 x ns/op\n", "BenchmarkX 1 1 ns/op\n--- FAIL: BenchmarkY\n", "BenchmarkX 1 1 ns/op\nFAIL\n", "panic: x\n"} {
		if f, err := Collect(strings.NewReader(bad), "x"); err == nil {
			t.Errorf("%q: %+v", bad, f)
		}
	}
	var out bytes.Buffer
	if err := collect(nil, strings.NewReader("BenchmarkX 1 1 ns/op\n"), &out, &out); err != nil || !strings.Contains(out.String(), `"ns/op"`) {
		t.Errorf("%s, %v", out.String(), err)
	}
	if err := collect([]string{"file"}, strings.NewReader(""), &out, &out); err == nil {
		t.Error("a file is no standard input")
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDiff: what moved is told, and is an error only for who asks.
func TestDiff(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	write(t, before, "path.json", pathText)
	write(t, before, "gone.json", pathText)
	write(t, after, "path.json", strings.Replace(strings.Replace(pathText, `"ticks_per_packet":60`, `"ticks_per_packet":80`, 1), `"cpu":"x"`, `"cpu":"y"`, 1))
	write(t, after, "added.json", pathText)
	var out, errs bytes.Buffer
	if err := DiffCommand(t.Context(), []string{before, after}, &out, &errs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"path: 1 worse, 0 better, 3 the same", "ipv4/64/1", "1.333 times", `on another CPU: "x" before, "y" now`, "gone: it was not measured again", "added: there is nothing to compare"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "esp-encap") {
		t.Errorf("what did not move is shown:\n%s", out.String())
	}
	if err := DiffCommand(t.Context(), []string{"--fail", before, after}, &out, &errs); !errors.Is(err, errMoved) {
		t.Errorf("%v", err)
	}
	out.Reset()
	one := filepath.Join(before, "path.json")
	if err := DiffCommand(t.Context(), []string{"--fail", "--all", one, one}, &out, &errs); err != nil || !strings.Contains(out.String(), "esp-encap") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestBadArguments(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "good.json", pathText), write(t, dir, "bad.json", "{")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "0 arguments"}, {[]string{good}, "1 arguments"}, {[]string{good, bad}, "bad.json"}, {[]string{good, filepath.Join(dir, "none")}, "none"},
		{[]string{dir, good}, "bad.json"}, {[]string{"--frob", good, good}, "not defined"},
	} {
		var out bytes.Buffer
		if err := DiffCommand(t.Context(), c.args, &out, &out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(pathText))
	f.Add([]byte(`{"entries":[{"name":"a","unit":"ns","value":1}]}`))
	f.Add([]byte(`{"cpu":"x","rows":[{"kind":"process","p999_ns":100}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range Compare(m, m) {
			if c.Verdict != Same {
				t.Errorf("against itself: %+v", c)
			}
		}
	})
}

func FuzzCollect(f *testing.F) {
	f.Add(fmt.Sprintf(benchText, 2))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Collect(strings.NewReader(text), "x")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := m.JSON(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&out); err != nil {
			t.Errorf("%v in %s", err, out.String())
		}
	})
}
