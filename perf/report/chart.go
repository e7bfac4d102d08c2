package report

import (
	"fmt"
	"math"
	"slices"
)

// chart is one plot of ticks a packet, laid out in the units of its drawing: the template only writes it down.
type chart struct {
	Title, Sub    string
	Width, Height float64
	Left, Right   float64 // edges of the plot
	Bottom        float64
	Grid          []gridLine
	Bars          []bar
	Groups        []label
	Legend        []legend
	Across        bool // bars lie, their groups one below the other
}

type gridLine struct {
	At    float64
	Label string
}

// bar is one row. X and Y are its upper left corner.
type bar struct {
	X, Y, W, H float64
	Series     int
	Tip        string
	Value      string
	ValueX     float64
	ValueY     float64
	Low, High  float64 // the ends of its whisker, which is as long as the spread
	Mid        float64 // where the whisker stands
	Reference  float64 // where the reference's line is
	Referenced bool
}

type label struct {
	X, Y float64
	Text string
}

type legend struct {
	X      float64
	Series int
	Text   string
}

const (
	maxSeries   = 6  // colours that the page has
	manyCiphers = 3  // beyond that many transforms a work's bars lie, one group a transform
	barGap      = 4  // between groups, in parts of a bar: 1/4 of this
	plotTop     = 58 // below title and legend
)

// charts is the plots of a report: one a work and transform, by size and tunnels; one for all transforms of a work where there are many.
func (r *Report) charts(reference map[string]float64) (list []chart) {
	type key struct{ work, transform string }
	ciphers := map[string][]string{}
	var order []key
	rows := map[key][]Row{}
	for _, row := range r.Rows {
		k := key{row.Work, row.Transform}
		if _, known := rows[k]; !known {
			order = append(order, k)
			ciphers[row.Work] = append(ciphers[row.Work], row.Transform)
		}
		rows[k] = append(rows[k], row)
	}
	drawn := map[string]bool{}
	for _, k := range order {
		if len(ciphers[k.work]) <= manyCiphers {
			list = append(list, upright(k.work, k.transform, rows[k], reference))
			continue
		}
		if drawn[k.work] {
			continue
		}
		drawn[k.work] = true
		var all []Row
		for _, c := range ciphers[k.work] {
			all = append(all, rows[key{k.work, c}]...)
		}
		list = append(list, lying(k.work, all, reference))
	}
	return list
}

// scale is the end of an axis that holds most, and the distance of its lines.
func scale(most float64) (end, step float64) {
	if !(most > 0) || math.IsInf(most, 0) {
		return 1, 1
	}
	step = math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{0.1, 0.2, 0.25, 0.5, 1} {
		if most/(step*part) <= 6 {
			step *= part
			break
		}
	}
	return step * math.Ceil(most/step), step
}

// top is the largest number that a chart of rows shows.
func top(rows []Row, reference map[string]float64) (most float64) {
	for i := range rows {
		most = max(most, rows[i].TicksPerPacket*(1+rows[i].Spread/2), reference[rows[i].Key()])
	}
	return most
}

// tip is what a bar says of itself.
func tip(row *Row, reference map[string]float64) string {
	text := fmt.Sprintf("%s: %.1f ticks, %.1f ns, %.2f Mpps, %.2f Gbit/s, spread %.1f %%", row.Key(), row.TicksPerPacket, row.NsPerPacket, row.Mpps, row.Gbps, 100*row.Spread)
	if ref := reference[row.Key()]; ref > 0 {
		text += fmt.Sprintf("; reference %.1f ticks: %.2f times that", ref, row.TicksPerPacket/ref)
	}
	return text
}

// kinds is the different values of a column, in the order that they come in.
func kinds[T comparable](rows []Row, of func(*Row) T) (list []T) {
	for i := range rows {
		if v := of(&rows[i]); !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func sizeText(s Size) string {
	if s == IMIX {
		return "IMIX"
	}
	return s.String() + " B"
}

// upright is bars by size, one for each number of tunnels.
func upright(work, transform string, rows []Row, reference map[string]float64) chart {
	c := chart{Title: work, Sub: transform, Width: 480, Height: 300, Left: 52, Right: 470, Bottom: 270}
	sizes := kinds(rows, func(r *Row) Size { return r.Size })
	tunnels := kinds(rows, func(r *Row) int { return r.Tunnels })
	end, step := scale(top(rows, reference))
	y := func(v float64) float64 { return c.Bottom - min(max(v/end, 0), 1)*(c.Bottom-plotTop) }
	for v := 0.0; v <= end+step/2; v += step {
		c.Grid = append(c.Grid, gridLine{y(v), fmt.Sprint(math.Round(v*100) / 100)})
	}
	group := (c.Right - c.Left) / float64(len(sizes))
	width := min(group/(float64(len(tunnels))+1), 44)
	for i, size := range sizes {
		middle := c.Left + group*(float64(i)+0.5)
		c.Groups = append(c.Groups, label{middle, c.Bottom + 18, sizeText(size)})
		var of []Row
		for _, row := range rows {
			if row.Size == size {
				of = append(of, row)
			}
		}
		x := middle - width*float64(len(of))/2
		for j := range of {
			row := &of[j]
			v := row.TicksPerPacket
			b := bar{X: x + 1, Y: y(v), W: width - 2, H: c.Bottom - y(v), Series: slices.Index(tunnels, row.Tunnels) % maxSeries, Tip: tip(row, reference)}
			b.Value, b.ValueX, b.ValueY = fmt.Sprintf("%.0f", v), x+width/2, y(v*(1+row.Spread/2))-4
			b.Mid, b.Low, b.High = x+width/2, y(v*(1-row.Spread/2)), y(v*(1+row.Spread/2))
			b.at(reference[row.Key()], y)
			c.Bars = append(c.Bars, b)
			x += width
		}
	}
	for i, n := range tunnels {
		text := fmt.Sprintf("%d tunnels", n)
		if n == 1 {
			text = "1 tunnel"
		}
		c.Legend = append(c.Legend, legend{c.Left + float64(i)*110, i % maxSeries, text})
	}
	return c
}

// lying is bars by transform, one for each size, of the smallest number of tunnels.
func lying(work string, rows []Row, reference map[string]float64) chart {
	tunnels := slices.Min(kinds(rows, func(r *Row) int { return r.Tunnels }))
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Tunnels != tunnels })
	sizes := kinds(rows, func(r *Row) Size { return r.Size })
	names := kinds(rows, func(r *Row) string { return r.Transform })
	const thick = 13.0
	group := thick*float64(len(sizes)) + barGap*2
	c := chart{Title: work, Sub: "by transform, logarithmic", Across: true, Width: 980, Left: 170, Right: 930}
	c.Bottom = plotTop + group*float64(len(names))
	c.Height = c.Bottom + 30
	x := c.logarithmic(rows, reference)
	for i, name := range names {
		y := plotTop + group*float64(i) + barGap
		c.Groups = append(c.Groups, label{c.Left - 8, y + (group-2*barGap)/2 + 4, name})
		for j := range rows {
			row := &rows[j]
			if row.Transform != name {
				continue
			}
			v := row.TicksPerPacket
			b := bar{X: c.Left, Y: y + 0.5, W: x(v) - c.Left, H: thick - 1, Series: slices.Index(sizes, row.Size) % maxSeries, Tip: tip(row, reference)}
			b.Value, b.ValueX, b.ValueY = fmt.Sprintf("%.0f", v), x(v*(1+row.Spread/2))+4, y+thick-3
			b.Mid, b.Low, b.High = y+thick/2, x(v*(1-row.Spread/2)), x(v*(1+row.Spread/2))
			b.at(reference[row.Key()], x)
			c.Bars = append(c.Bars, b)
			y += thick
		}
	}
	for i, size := range sizes {
		c.Legend = append(c.Legend, legend{c.Left + float64(i)*90, i % maxSeries, sizeText(size)})
	}
	return c
}

// logarithmic lays the axis of a chart whose bars lie: transforms differ by hundreds of times. It starts at the power of ten below the shortest bar, or
// at a tenth of it, so that every bar can be seen.
func (c *chart) logarithmic(rows []Row, reference map[string]float64) (place func(float64) float64) {
	least := math.Inf(1)
	for i := range rows {
		least = min(least, rows[i].TicksPerPacket)
	}
	from := math.Floor(math.Log10(least / 2))
	to := math.Log10(top(rows, reference) * 1.05)
	place = func(v float64) float64 {
		return c.Left + min(max((math.Log10(max(v, 1e-9))-from)/(to-from), 0), 1)*(c.Right-c.Left)
	}
	for decade := from; decade <= to; decade++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, decade); math.Log10(v) <= to {
				c.Grid = append(c.Grid, gridLine{place(v), fmt.Sprint(v)})
			}
		}
	}
	return place
}

// at draws the reference's line, if there is one.
func (b *bar) at(reference float64, place func(float64) float64) {
	if reference > 0 {
		b.Reference, b.Referenced = place(reference), true
	}
}
