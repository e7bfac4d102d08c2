package ndr

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// device is one in a model: what it forwards of an offered rate.
type device struct {
	cap     float64 // packets a second it can do
	noise   float64 // part of all trials in which a few packets are lost for no reason
	base    float64 // part of the packets that is always lost
	sender  float64 // what the generator can do; 0: anything
	rnd     *rand.Rand
	elapsed time.Duration
}

func (d *device) trial(_ context.Context, pps float64) (Outcome, error) {
	const length = 2 * time.Second
	d.elapsed += length
	if d.sender > 0 {
		pps = min(pps, d.sender)
	}
	sent := pps * length.Seconds()
	got := min(sent, d.cap*length.Seconds()) * (1 - d.base)
	if d.noise > 0 && d.rnd.Float64() < d.noise {
		got -= min(got, 10)
	}
	return Outcome{Offered: pps, Sent: uint64(sent), Received: uint64(math.Round(got)), Took: length}, nil
}

func TestSharpCliff(t *testing.T) {
	for _, m := range []Method{Bisect, Verify} {
		for _, c := range []float64{1234, 50e3, 1.47e6, 9.9e6} {
			for _, res := range []float64{0.05, 0.01, 0.001} {
				d := &device{cap: c}
				r, err := Search(t.Context(), Options{Max: 10e6, Resolution: res, Method: m}, d.trial)
				if err != nil {
					t.Fatal(err)
				}
				if r.Rate > c+1 || r.Rate < c*(1-2*res)-2 || r.Bound != Device {
					t.Errorf("%s: a device that can do %v: %v (%s), resolution %v", m, c, r.Rate, r.Bound, res)
				}
				if most := 40; len(r.Trials) > most {
					t.Errorf("%s: %d trials", m, len(r.Trials))
				}
				if r.Best.Loss() != 0 || r.Best.Offered != r.Rate {
					t.Errorf("the best trial is %+v", r.Best)
				}
			}
		}
	}
}

// A partial-drop rate is higher by what may be lost: a device at its limit loses 1 - cap/rate.
func TestPartialDrop(t *testing.T) {
	d := &device{cap: 1e6}
	r, err := Search(t.Context(), Options{Max: 10e6, Resolution: 0.001, Loss: 0.2}, d.trial)
	if err != nil || math.Abs(r.Rate-1.25e6) > 4e3 {
		t.Errorf("%v, %v, want 1.25e6", r.Rate, err)
	}
}

// Where a tenth of all trials lose a few packets for nothing, verification still finds the limit; one trial a rate does not.
func TestNoise(t *testing.T) {
	var bisect, verify float64
	const runs = 40
	for seed := range uint64(runs) {
		for m, sum := range map[Method]*float64{Bisect: &bisect, Verify: &verify} {
			d := &device{cap: 1e6, noise: 0.1, rnd: rand.New(rand.NewPCG(seed, 9))}
			r, err := Search(t.Context(), Options{Max: 4e6, Method: m, Repeats: 4}, d.trial)
			if err != nil {
				t.Fatal(err)
			}
			if r.Rate > 1e6+1 {
				t.Fatalf("%s found %v, more than the device can do", m, r.Rate)
			}
			*sum += math.Abs(1e6-r.Rate) / 1e6 / runs
		}
	}
	if verify > 0.02 || bisect < 2*verify {
		t.Errorf("mean error %.3f with verification, %.3f without", verify, bisect)
	}
}

// A loss that is no accident is not tried again.
func TestNoRepeatOfHeavyLoss(t *testing.T) {
	d := &device{cap: 1e6, base: 0.3}
	r, err := Search(t.Context(), Options{Max: 2e6, Min: 1000}, d.trial)
	if err != nil || r.Rate != 0 || r.Bound != Bottom {
		t.Errorf("%+v, %v", r, err)
	}
	seen := map[float64]int{}
	for _, o := range r.Trials {
		if seen[o.Asked]++; seen[o.Asked] > 1 {
			t.Errorf("%v was tried %d times", o.Asked, seen[o.Asked])
		}
	}
	if len(r.Trials) > 25 {
		t.Errorf("%d trials of a device that always loses", len(r.Trials))
	}
}

func TestNoLoss(t *testing.T) {
	d := &device{cap: math.Inf(1)}
	r, err := Search(t.Context(), Options{Max: 3e6}, d.trial)
	if err != nil || r.Rate != 3e6 || r.Bound != Top || len(r.Trials) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A generator that can't keep up bounds the result, and the result says so.
func TestSlowGenerator(t *testing.T) {
	d := &device{cap: 5e6, sender: 2e6}
	r, err := Search(t.Context(), Options{Max: 10e6}, d.trial)
	if err != nil || r.Rate != 2e6 || r.Bound != Generator || len(r.Trials) > 20 {
		t.Errorf("rate %v, bound %s after %d trials, %v", r.Rate, r.Bound, len(r.Trials), err)
	}
	d = &device{cap: 1e6, sender: 2e6}
	r, err = Search(t.Context(), Options{Max: 10e6}, d.trial)
	if err != nil || r.Rate > 1e6 || r.Rate < 0.97e6 || r.Bound != Device {
		t.Errorf("rate %v, bound %s, %v", r.Rate, r.Bound, err)
	}
}

// A generator that is held up now and then, and has the trial again for it, does not end the search early.
func TestGeneratorHeldUp(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := &device{cap: 1e6}
		r, err := Search(t.Context(), Options{Max: 4e6, Repeats: 5}, func(ctx context.Context, pps float64) (Outcome, error) {
			if rnd.Float64() < 0.3 {
				pps *= 0.2
			}
			return d.trial(ctx, pps)
		})
		if err != nil || r.Rate > 1e6+1 || r.Rate < 0.9e6 {
			t.Errorf("seed %d: %v (%s) after %d trials, %v", seed, r.Rate, r.Bound, len(r.Trials), err)
		}
	}
}

// A search that begins where another one ended finds no less.
func TestPassed(t *testing.T) {
	known := Outcome{Asked: 9e5, Offered: 9e5, Sent: 100, Received: 100}
	for limit, want := range map[float64]float64{1e6: 0.97e6, 1e5: 9e5} {
		d := &device{cap: limit}
		r, err := Search(t.Context(), Options{Max: 4e6, Passed: &known}, d.trial)
		if err != nil || r.Rate < want || r.Rate > max(limit, 9e5)+1 {
			t.Errorf("a device that can do %v: %v (%s), %v", limit, r.Rate, r.Bound, err)
		}
	}
}

func TestOptions(t *testing.T) {
	d := &device{cap: 1e6}
	for want, o := range map[string]Options{
		"the lower one first": {Max: 5, Min: 5}, "from 0 to 0": {}, "resolution 2": {Max: 1, Resolution: 2}, "loss 1": {Max: 1, Loss: 1},
		`method "guess"`: {Max: 1, Method: "guess"}, "21 repeats": {Max: 1, Repeats: 21}, "NaN": {Max: math.NaN()},
	} {
		if _, err := Search(t.Context(), o, d.trial); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestTrialFails(t *testing.T) {
	bad := errors.New("no link")
	if _, err := Search(t.Context(), Options{Max: 1e6}, func(context.Context, float64) (Outcome, error) { return Outcome{}, bad }); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
	if _, err := Search(t.Context(), Options{Max: 1e6}, func(context.Context, float64) (Outcome, error) { return Outcome{}, nil }); err == nil {
		t.Error("a trial that sent nothing decided something")
	}
	ctx, stop := context.WithCancel(t.Context())
	d := &device{cap: 1e6}
	n := 0
	r, err := Search(ctx, Options{Max: 1e7, Progress: func(Outcome, bool) {
		if n++; n == 3 {
			stop()
		}
	}}, d.trial)
	if !errors.Is(err, context.Canceled) || len(r.Trials) != 3 {
		t.Errorf("after the end %d trials, %v", len(r.Trials), err)
	}
}
