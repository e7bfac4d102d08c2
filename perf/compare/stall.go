package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"nave/perf/stall"
)

// stallSlack is how much longer than that of an equal loop without a runtime a worker process's worst stall may be, nanoseconds.
const stallSlack = 100e3

// runStall runs `naveperf stall`.
func runStall(ctx context.Context, m *machine, r *Result, say func(string)) error {
	p, err := start(nil, "", m.self, "stall", "--json", "--cpu", fmt.Sprint(m.dutCPU), "--rounds", fmt.Sprint(m.runs), "--for", m.time.String())
	if err != nil {
		return err
	}
	text, err := p.wait(ctx)
	if err != nil {
		return err
	}
	if k := strings.Index(text, "{"); k > 0 { // progress goes before
		text = text[k:]
	}
	rep := new(stall.Report)
	if err := json.Unmarshal([]byte(text), rep); err != nil {
		return fmt.Errorf("compare: naveperf stall's report: %w:\n%s", err, tail(text))
	}
	for i := range rep.Rows {
		w := &rep.Rows[i]
		say(fmt.Sprintf("  %-22s %.1f µs p99.9, %.1f p99.99, %.1f in the worst of a round, %.1f at most", w.Kind, w.P999/1e3, w.P9999/1e3, w.Worst/1e3, w.Max/1e3))
	}
	r.Stall = rep
	return nil
}

// stallVerdicts compares the worst of a round: a hypervisor that takes the CPU once in the whole run counts into one round only.
func (r *Result) stallVerdicts() []Verdict {
	if r.Stall == nil {
		return nil
	}
	worst := make(map[string]float64)
	for _, w := range r.Stall.Rows {
		worst[w.Kind] = w.Worst
	}
	if worst["process"] == 0 || worst["loop"] == 0 {
		return nil
	}
	return []Verdict{Verdict{
		Goal: "worst stall of a worker process", Unit: "ns", Nave: worst["process"], Other: worst["loop"] + stallSlack, Peer: "a bare loop, + 100 µs", Limit: 1,
	}.judge()}
}
