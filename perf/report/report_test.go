package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sample is a report of a few rows.
func sample() *Report {
	r := &Report{CPU: "A CPU <of & kind>", TSCHz: 2.3e9}
	for i, k := range []struct {
		work, transform string
		size            Size
		tunnels         int
	}{
		{"ipv4", "", 64, 1}, {"ipv4", "", IMIX, 1}, {"esp-encap", "aes-128-gcm", 64, 1}, {"esp-encap", "aes-128-gcm", 64, 1000}, {"esp-encap", "aes-128-gcm", 1400, 1},
	} {
		row := Row{Work: k.work, Transform: k.transform, Size: k.size, Tunnels: k.tunnels, TicksPerPacket: 60 + 90*float64(i), Spread: 0.02, Burst: 256, P999BurstTicks: 17000}
		row.Fill(r.TSCHz, 64)
		r.Rows = append(r.Rows, row)
	}
	return r
}

// TestJSON: the names that others read the report by.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := sample().JSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		CPU   *string          `json:"cpu"`
		TSCHz *float64         `json:"tsc_hz"`
		Rows  []map[string]any `json:"rows"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.CPU == nil || got.TSCHz == nil || len(got.Rows) != 5 {
		t.Fatalf("%s", out.Bytes())
	}
	for _, name := range []string{"work", "transform", "size", "tunnels", "ticks_per_packet", "ns_per_packet", "mpps", "gbps", "allocs_per_packet", "spread"} {
		for i, row := range got.Rows {
			if _, ok := row[name]; !ok {
				t.Errorf("row %d has no %s", i, name)
			}
		}
	}
	if got.Rows[0]["size"] != 64.0 || got.Rows[1]["size"] != "imix" || got.Rows[0]["transform"] != "" {
		t.Errorf("%v", got.Rows[:2])
	}
	back, err := Read(&out)
	if err != nil || !reflect.DeepEqual(back, sample()) {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

func TestReadRefuses(t *testing.T) {
	const row = `{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":60}`
	if _, err := Read(strings.NewReader(`{"tsc_hz":1e9,"rows":[` + row + `]}`)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "{", "[]", `{"rows":[]}`, `{"tsc_hz":1e9,"rows":[]}`, `{"tsc_hz":-1,"rows":[` + row + `]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"","size":64,"tunnels":1,"ticks_per_packet":60}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":64,"tunnels":0,"ticks_per_packet":60}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":0}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":5e-324}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":1e300}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":64,"tunnels":1,"ticks_per_packet":1,"spread":-1}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":-4,"tunnels":1,"ticks_per_packet":60}]}`,
		`{"tsc_hz":1e9,"rows":[{"work":"ipv4","size":"big","tunnels":1,"ticks_per_packet":60}]}`,
	} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestFill(t *testing.T) {
	r := Row{TicksPerPacket: 230}
	r.Fill(2.3e9, 1000)
	if r.NsPerPacket != 100 || math.Abs(r.Mpps-10) > 1e-9 || math.Abs(r.Gbps-80) > 1e-9 {
		t.Errorf("%+v", r)
	}
}

func TestStats(t *testing.T) {
	sorted := []float64{1, 2, 3, 4, 5}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.625: 3.5, 1: 5} {
		if got := Quantile(sorted, q); got != want {
			t.Errorf("quantile %g: %g, want %g", q, got, want)
		}
	}
	if !math.IsNaN(Quantile(nil, 0.5)) {
		t.Error("a quantile of nothing")
	}
	runs := []float64{104, 100, 96, 5000, 98}
	median, spread := MedianSpread(runs)
	if median != 100 || math.Abs(spread-0.06) > 1e-9 {
		t.Errorf("median %g, spread %g", median, spread)
	}
	if runs[0] != 104 {
		t.Error("the runs were put in another order")
	}
	if m, s := MedianSpread([]float64{7}); m != 7 || s != 0 {
		t.Errorf("of one run: %g, %g", m, s)
	}
}

// TestText: columns stand under their names.
func TestText(t *testing.T) {
	var out strings.Builder
	if err := sample().Text(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 7 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for _, line := range lines[2:] {
		if len(line) != len(lines[1]) || len(strings.Fields(line)) != 11 {
			t.Errorf("%q does not stand under\n%q", line, lines[1])
		}
	}
	if !strings.Contains(lines[5], "1000") || !strings.Contains(lines[3], "imix") {
		t.Error(out.String())
	}
}

// TestWriteErrors: what can not be written is an error.
func TestWriteErrors(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"text": sample().Text, "json": sample().JSON, "html": func(w io.Writer) error { return sample().HTML(w, nil) },
	} {
		if err := write(full{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

// elements counts the elements of a page, which must be well-formed, and what attributes it has that could fetch something.
func elements(t *testing.T, html string) map[string]int {
	t.Helper()
	n := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(html))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			n[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
				if slices.Contains([]string{"src", "href", "action"}, a.Name.Local) {
					t.Errorf("the page fetches %s", a.Value)
				}
				n[a.Name.Local+"="+a.Value]++
			}
		}
	}
}

func TestHTML(t *testing.T) {
	r := sample()
	var out strings.Builder
	if err := r.HTML(&out, nil); err != nil {
		t.Fatal(err)
	}
	n := elements(t, out.String())
	if n["figure"] != 2 || n["g"] != len(r.Rows) || n["tr"] != len(r.Rows)+1 || n["class=ref"] != 0 {
		t.Errorf("%v", n)
	}
	if strings.Contains(out.String(), "url(") || strings.Contains(out.String(), "@import") || !strings.Contains(out.String(), "A CPU &lt;of &amp; kind&gt;") {
		t.Error("it fetches something, or the CPU's name is not escaped")
	}
}

func TestHTMLReference(t *testing.T) {
	r, ref := sample(), sample()
	ref.CPU, ref.Rows = "another", ref.Rows[1:3]
	var out strings.Builder
	if err := r.HTML(&out, ref); err != nil {
		t.Fatal(err)
	}
	n := elements(t, out.String())
	if n["class=ref"] != 3 { // two rows, and the legend
		t.Errorf("%v", n)
	}
	if !strings.Contains(out.String(), "reference: another") || !strings.Contains(out.String(), "1.00 times that") {
		t.Error(out.String())
	}
}

// TestManyTransforms: they lie in one chart a work.
func TestManyTransforms(t *testing.T) {
	r := &Report{CPU: "x", TSCHz: 1e9}
	for i := range 12 {
		for _, size := range []Size{64, 1400} {
			r.Rows = append(r.Rows, Row{Work: "esp-encap", Transform: string(rune('a' + i)), Size: size, Tunnels: 1, TicksPerPacket: math.Pow(3, float64(i)), Spread: 0.9})
		}
	}
	charts := r.charts(nil)
	if len(charts) != 1 || !charts[0].Across || len(charts[0].Bars) != 24 || len(charts[0].Groups) != 12 {
		t.Fatalf("%d charts: %+v", len(charts), charts)
	}
	for _, b := range charts[0].Bars {
		if !(b.W > 0) || b.X+b.W > charts[0].Right || b.Y+b.H > charts[0].Bottom || b.Low < charts[0].Left || b.High > charts[0].Right {
			t.Errorf("%+v is outside", b)
		}
	}
	var out strings.Builder
	if err := r.HTML(&out, nil); err != nil {
		t.Fatal(err)
	}
	elements(t, out.String())
}

// TestBarsInside: whatever the numbers, bars stay in their plot.
func TestBarsInside(t *testing.T) {
	for _, v := range []float64{0.1, 1, 61.5, 99.9, 1e9} {
		r := &Report{CPU: "x", TSCHz: 1e9, Rows: []Row{
			{Work: "ipv4", Size: 64, Tunnels: 1, TicksPerPacket: v, Spread: 2.5}, {Work: "ipv4", Size: IMIX, Tunnels: 10, TicksPerPacket: v / 3},
		}}
		for _, c := range r.charts(map[string]float64{r.Rows[0].Key(): v * 4}) {
			for _, b := range c.Bars {
				if b.X < c.Left || b.X+b.W > c.Right || b.Y < plotTop-1e-6 || math.Abs(b.Y+b.H-c.Bottom) > 1e-6 || b.High < plotTop-1e-6 || b.Low > c.Bottom+1e-6 {
					t.Errorf("%g: %+v is outside", v, b)
				}
			}
			if len(c.Grid) < 3 || len(c.Grid) > 9 {
				t.Errorf("%g: %d lines", v, len(c.Grid))
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	var good bytes.Buffer
	if err := sample().JSON(&good); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add([]byte(`{"tsc_hz":1,"rows":[{"work":"a","size":"imix","tunnels":1,"ticks_per_packet":1e12,"spread":1e6}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		if err := r.HTML(io.Discard, r); err != nil {
			t.Error(err)
		}
		if err := r.Text(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
