package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"add":   func(a, b float64) float64 { return a + b },
	"sub":   func(a, b float64) float64 { return a - b },
	"n":     func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) },
	"pct":   func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
	"ghz":   func(hz float64) string { return fmt.Sprintf("%.3f GHz", hz/1e9) },
	"size":  sizeText,
	"count": allocs,
}).Parse(pageText))

// tableRow is a row with what the reference has for it.
type tableRow struct {
	Row
	Reference, Ratio float64
}

// HTML writes a page that needs nothing else: plots by work, size and tunnels, and a table. reference, which may be nil, is shown beside as
// lines, for the rows that it has.
func (r *Report) HTML(out io.Writer, reference *Report) error {
	ticks := map[string]float64{}
	view := struct {
		*Report
		Charts       []chart
		Table        []tableRow
		ReferenceCPU string
		Referenced   bool
	}{Report: r}
	if reference != nil {
		view.ReferenceCPU = reference.CPU
		for i := range reference.Rows {
			ticks[reference.Rows[i].Key()] = reference.Rows[i].TicksPerPacket
		}
	}
	for _, row := range r.Rows {
		t := tableRow{Row: row, Reference: ticks[row.Key()]}
		if t.Reference > 0 {
			t.Ratio, view.Referenced = row.TicksPerPacket/t.Reference, true
		}
		view.Table = append(view.Table, t)
	}
	view.Charts = r.charts(ticks)
	return page.Execute(out, view)
}
