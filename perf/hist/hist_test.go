package hist

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Every value falls into the bucket whose bounds hold it, and buckets are narrow.
func TestIndex(t *testing.T) {
	for _, v := range []int64{0, 1, 31, 32, 33, 63, 64, 65, 1000, 1 << 20, 1<<20 + 1, 1<<40 - 1} {
		i := Index(v)
		if low(i) > v || (i+1 < Buckets && low(i+1) <= v) {
			t.Errorf("%d is in bucket %d, which goes from %d to %d", v, i, low(i), low(i+1))
		}
	}
	for i := 1; i < Buckets; i++ {
		if low(i) <= low(i-1) {
			t.Fatalf("bucket %d starts at %d, the one before at %d", i, low(i), low(i-1))
		}
		if w := low(i) - low(i-1); float64(w) > math.Max(1, float64(low(i-1))/sub) {
			t.Fatalf("bucket %d is %d wide", i-1, w)
		}
	}
	if Index(-5) != 0 || Index(math.MaxInt64) != Buckets-1 {
		t.Error("values out of range do not go to the ends")
	}
}

func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h, a, b Hist
	var all []int64
	for i := range 20000 {
		v := int64(math.Exp(r.Float64()*14)) + 5
		all = append(all, v)
		h.Add(v)
		if i%2 == 0 {
			a.Add(v)
		} else {
			b.Add(v)
		}
	}
	slices.Sort(all)
	a.Merge(&b)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := float64(all[max(0, int(math.Ceil(q*float64(len(all))))-1)])
		if got := float64(h.Quantile(q)); math.Abs(got-want) > want/25+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
		if h.Quantile(q) != a.Quantile(q) {
			t.Errorf("quantile %v of two halves is %v, of the whole %v", q, a.Quantile(q), h.Quantile(q))
		}
	}
	s := h.Summary()
	if s.Min != all[0] || s.Max != all[len(all)-1] || s.Count != uint64(len(all)) || a.Summary().Mean != s.Mean && math.Abs(a.Summary().Mean-s.Mean) > 1 {
		t.Errorf("summary %+v", s)
	}
}

func TestEmpty(t *testing.T) {
	var h Hist
	if h.Quantile(0.5) != 0 || h.Summary() != (Summary{}) {
		t.Error("an empty histogram says something")
	}
	h.AddBuckets(make([]uint64, Buckets), 7, 9)
	if h.Count() != 0 || h.Summary().Max != 0 {
		t.Error("no values changed it")
	}
	counts := make([]uint64, Buckets+5)
	counts[Index(100)], counts[Index(5000)] = 1, 2
	h.AddBuckets(counts, 100, 5001)
	if h.Count() != 3 || h.Quantile(0.1) > 102 || h.Quantile(1) < 4900*time.Nanosecond || h.Summary().Max != 5001 {
		t.Errorf("%+v", h.Summary())
	}
}
