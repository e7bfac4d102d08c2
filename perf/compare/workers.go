package compare

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// twoLimit is how many times the rate of one worker two must have, on queues of their own.
const twoLimit = 1.7

// runWorkers runs the benchmark of two workers on links in memory.
func runWorkers(ctx context.Context, m *machine, r *Result, say func(string)) error {
	text, err := m.benchmark(ctx, "^BenchmarkTwoWorkers$", "1x", "./fastpath")
	if err != nil {
		return err
	}
	if r.Workers, err = parseWorkers(text); err != nil {
		return err
	}
	for _, g := range r.Workers {
		say(fmt.Sprintf("  %d bytes: two workers do %.2f times what one does on two queues, %.2f times where all comes on one", g.Size, g.Queues, g.HandOver))
	}
	return nil
}

// Gain is how many times the rate of one worker two have, half of the packets going from one peer's association to another's.
type Gain struct {
	Size     int     `json:"size"`
	Queues   float64 `json:"queues"`    // a queue each
	HandOver float64 `json:"hand_over"` // all arrives at one, which hands over
}

var workersLine = regexp.MustCompile(`(?m)^BenchmarkTwoWorkers/(\d+)\S*\s.*$`)

// parseWorkers finds the medians of each size in what the benchmark prints.
func parseWorkers(text string) (out []Gain, err error) {
	queues, hand := make(map[int][]float64), make(map[int][]float64)
	for _, l := range workersLine.FindAllStringSubmatch(text, -1) {
		size, err := strconv.Atoi(l[1])
		if err != nil {
			return nil, fmt.Errorf("compare: the benchmark of two workers: size %q", l[1])
		}
		fields := strings.Fields(l[0])
		for i, unit := range fields[1:] {
			dst := map[string]map[int][]float64{"queues-gain": queues, "hand-over-gain": hand}[unit]
			if dst == nil {
				continue
			}
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil || !(v > 0) {
				return nil, fmt.Errorf("compare: the benchmark of two workers: %s %q", unit, fields[i])
			}
			dst[size] = append(dst[size], v)
		}
	}
	for _, size := range slices.Sorted(maps.Keys(queues)) {
		out = append(out, Gain{Size: size, Queues: median(queues[size]), HandOver: median(hand[size])})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("compare: the benchmark of two workers printed no gain:\n%s", tail(text))
	}
	return out, nil
}
