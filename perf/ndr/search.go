// Package ndr finds the highest rate at which a device loses nothing (the no-drop rate, which RFC 2544 section 26.1 calls throughput), or no more
// than a part of the packets (a partial-drop rate).
//
// The search is a function of what its trials say. Two methods: bisection as RFC 2544 has it, where one trial decides about a rate; and binary search with
// loss verification, after ETSI GS NFV-TST 009 section 12.3: a trial that lost a little is repeated, as on a machine that does other things, too, what was lost
// may have had nothing to do with the rate.
package ndr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nave/perf/hist"
)

// Outcome is what one trial found. Rates are packets a second.
type Outcome struct {
	Asked     float64       `json:"asked_pps"`
	Offered   float64       `json:"offered_pps"` // what the generator kept
	Sent      uint64        `json:"sent"`
	Received  uint64        `json:"received"`
	Took      time.Duration `json:"took_ns"`
	Reordered uint64        `json:"reordered"`
	Twice     uint64        `json:"duplicates"`
	Latency   hist.Summary  `json:"latency"`
}

// Loss is the part of the packets that did not arrive.
func (o *Outcome) Loss() float64 {
	if o.Received >= o.Sent {
		return 0
	}
	return float64(o.Sent-o.Received) / float64(o.Sent)
}

// Forwarded is the rate that arrived.
func (o *Outcome) Forwarded() float64 {
	if o.Took <= 0 {
		return 0
	}
	return float64(o.Received) / o.Took.Seconds()
}

// Trial offers a rate to the device for the time of one trial.
type Trial func(ctx context.Context, pps float64) (Outcome, error)

// Method is how a rate is judged.
type Method string

// The methods.
const (
	Bisect Method = "rfc2544" // by one trial
	Verify Method = "tst009"  // by several, where packets were lost and not many
)

// Options say what to look for. What is zero takes the default.
type Options struct {
	Min, Max float64 // packets a second; Min 0 searches down to 0
	// Resolution ends the search when what is left to search is that part of the rate; default 0.01.
	Resolution float64
	// Loss is the part of the packets that may get lost: 0 for the no-drop rate.
	Loss   float64
	Method Method // default Verify
	// Repeats is how often Verify tries again (default 2), and Transient up to which loss it does: more than that is no accident (default 0.05).
	Repeats   int
	Transient float64
	// Passed, if not nil, is a trial that is known to have passed: the search looks for more.
	Passed *Outcome
	// Progress, if not nil, hears of each trial and whether it passed.
	Progress func(o Outcome, passed bool)
}

// Bound is what a rate that was found is limited by.
type Bound string

// Bounds.
const (
	Device    Bound = "device"    // at a rate a little higher the device loses more
	Generator Bound = "generator" // the generator can't send faster
	Top       Bound = "max"       // Max passed
	Bottom    Bound = "min"       // not even the lowest rate passed: the rate is 0
)

// Result is a rate, and how it was found.
type Result struct {
	Loss   float64   `json:"loss_allowed"`
	Rate   float64   `json:"pps"` // that was offered and passed
	Bound  Bound     `json:"bound"`
	Best   Outcome   `json:"trial"`  // the one at that rate
	Trials []Outcome `json:"trials"` // all of them, in order
}

// keeps is which part of a rate a generator must send for it to have been offered; and maxTrials ends a search that does not converge.
const (
	keeps     = 0.98
	maxTrials = 200
)

func (o *Options) defaults() error {
	if o.Resolution == 0 {
		o.Resolution = 0.01
	}
	if o.Method == "" {
		o.Method = Verify
	}
	if o.Repeats == 0 {
		o.Repeats = 2
	}
	if o.Transient == 0 {
		o.Transient = 0.05
	}
	switch {
	case !(o.Max > 0) || o.Min < 0 || o.Min >= o.Max:
		return fmt.Errorf("ndr: search from %g to %g packets a second: want the lower one first, and not below 0", o.Min, o.Max)
	case !(o.Resolution >= 0.0001 && o.Resolution < 1):
		return fmt.Errorf("ndr: resolution %g: want a part, 0.0001 to 1", o.Resolution)
	case !(o.Loss >= 0 && o.Loss < 1):
		return fmt.Errorf("ndr: allowed loss %g: want a part, 0 to 1", o.Loss)
	case o.Method != Bisect && o.Method != Verify:
		return fmt.Errorf("ndr: method %q: there are %s and %s", o.Method, Bisect, Verify)
	case o.Repeats < 0 || o.Repeats > 20:
		return fmt.Errorf("ndr: %d repeats: want 0 to 20", o.Repeats)
	}
	return nil
}

// search is one on its way.
type search struct {
	o     Options
	trial Trial
	res   Result
}

// Search looks for the highest rate that loses no more than o.Loss.
func Search(ctx context.Context, o Options, trial Trial) (Result, error) {
	if err := o.defaults(); err != nil {
		return Result{}, err
	}
	s := &search{o: o, trial: trial, res: Result{Loss: o.Loss}}
	if p := o.Passed; p != nil {
		s.res.Rate, s.res.Best = p.Offered, *p
	}
	err := s.run(ctx)
	return s.res, err
}

func (s *search) run(ctx context.Context) error {
	lo, hi := max(s.o.Min, s.res.Rate), s.o.Max
	at := hi // the fastest first, as RFC 2544 has it
	for {
		out, passed, err := s.judge(ctx, at, lo)
		if err != nil {
			return err
		}
		kept := out.Offered >= keeps*at
		switch {
		case passed:
			if at >= s.o.Max && kept {
				s.res.Bound = Top
				return nil
			}
			if !kept && s.res.Rate <= lo*(1+s.o.Resolution) {
				s.res.Bound = Generator
				return nil
			}
			lo = max(lo, s.res.Rate)
			if !kept { // whatever was asked for, this is what the device has seen
				hi = min(hi, at)
			}
		default:
			hi = min(hi, at, max(out.Offered, lo))
		}
		if hi-lo <= s.o.Resolution*hi || hi <= s.floor() {
			break
		}
		at = (lo + hi) / 2
		if len(s.res.Trials) >= maxTrials {
			return fmt.Errorf("ndr: no end after %d trials: between %.0f and %.0f packets a second; what the device does changes from trial to trial", maxTrials, lo, hi)
		}
	}
	s.res.Bound = Device
	switch {
	case s.res.Rate == 0:
		s.res.Bound = Bottom
	case s.res.Best.Offered < keeps*s.res.Best.Asked:
		s.res.Bound = Generator
	}
	return nil
}

// floor is the rate below which there is nothing to be found.
func (s *search) floor() float64 { return max(s.o.Min, s.o.Max*1e-6) }

// judge decides about a rate, by one trial or more; one of lo has passed. A trial whose generator was held up and which says nothing new for
// that is tried again, too.
func (s *search) judge(ctx context.Context, pps, lo float64) (Outcome, bool, error) {
	for n := 0; ; n++ {
		out, err := s.trial(ctx, pps)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return out, false, fmt.Errorf("ndr: trial at %.0f packets a second: %w", pps, err)
		}
		out.Asked = pps
		if out.Sent == 0 {
			return out, false, errors.New("ndr: the generator has sent nothing")
		}
		passed := out.Loss() <= s.o.Loss
		s.res.Trials = append(s.res.Trials, out)
		if s.o.Progress != nil {
			s.o.Progress(out, passed)
		}
		again := out.Offered < keeps*pps && (passed || out.Offered <= lo) && pps < s.o.Max
		if !passed && s.o.Method == Verify && out.Loss() <= s.o.Loss+s.o.Transient {
			again = true
		}
		if passed && out.Offered > s.res.Rate {
			s.res.Rate, s.res.Best = out.Offered, out
		}
		if !again || n >= s.o.Repeats {
			return out, passed, nil
		}
	}
}
