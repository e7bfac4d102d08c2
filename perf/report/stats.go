package report

import (
	"math"
	"slices"
)

// Quantile is what a share q (0 to 1) of sorted does not exceed, between two values in proportion; NaN of none.
func Quantile(sorted []float64, q float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	at := q * float64(n-1)
	i := min(int(at), n-1)
	if i == n-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// MedianSpread is the median of runs and what lies between their quartiles, as a share of it; NaN of none.
func MedianSpread(runs []float64) (median, spread float64) {
	s := slices.Sorted(slices.Values(runs))
	median = Quantile(s, 0.5)
	return median, (Quantile(s, 0.75) - Quantile(s, 0.25)) / median
}
