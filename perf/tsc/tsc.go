// Package tsc reads the CPU's time stamp counter and finds its rate: the clock that everything in memory is measured by. One tick is the same
// time at every frequency of the core, so ticks a packet of two machines compare only by their rates.
package tsc

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Hz calibrates the counter against the monotonic clock, in several steps that take span together, and returns ticks a second: the median of the
// steps, of which one that was interrupted between its two readings is far off.
func Hz(span time.Duration) float64 {
	const steps = 9
	rates := make([]float64, 0, steps)
	for range steps {
		t0, c0 := bracket()
		time.Sleep(span / steps)
		t1, c1 := bracket()
		rates = append(rates, float64(c1-c0)/t1.Sub(t0).Seconds())
	}
	slices.Sort(rates)
	return rates[steps/2]
}

// bracket reads both clocks at one moment: the closest of a few tries.
func bracket() (at time.Time, ticks uint64) {
	closest := ^uint64(0)
	for range 5 {
		before := Ticks()
		t := time.Now()
		after := Ticks()
		if after-before < closest {
			closest, at, ticks = after-before, t, before+(after-before)/2
		}
	}
	return at, ticks
}

// CPU is the name of this machine's CPU, as the kernel tells it.
func CPU() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	return cpuName(string(text))
}

// cpuName finds the name in the text of /proc/cpuinfo. A hypervisor may hide what stands behind the maker's name, so family and model go with it.
func cpuName(text string) string {
	field := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || field[name] != "" {
			continue
		}
		field[name] = strings.TrimSpace(value)
	}
	name := field["model name"]
	if name == "" {
		return runtime.GOARCH
	}
	if field["cpu family"] != "" && field["model"] != "" {
		name += fmt.Sprintf(" (family %s, model %s)", field["cpu family"], field["model"])
	}
	return name
}
