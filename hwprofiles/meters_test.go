package hwprofiles

import (
	"testing"

	"nave/fastpath/fib"
)

func TestMeters(t *testing.T) {
	m := ofName(t, "sup720-3bxl-7600-spa").Meters()
	want := fib.Meters{
		fib.Engine:    {Rate: 480e6, Burst: 4.8e6},
		fib.Crypto:    {Rate: 312.5e6, Burst: 3.125e6},
		fib.CEF:       {Rate: 500e3, Burst: 2000},
		fib.Process:   {Rate: 15e3, Burst: 75},
		fib.Exception: {Rate: 10e3, Burst: 100},
	}
	if m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	if m := ofName(t, "sup720-3bxl").Meters(); m[fib.Crypto] != (fib.Meter{}) {
		t.Errorf("without a module: %+v", m)
	}
	if m := NewPricer(box(t, nil), Options{}).Meters(); m != (fib.Meters{}) {
		t.Errorf("of nothing known, there is no end: %+v", m)
	}
}

// Limiters are what is configured; a burst that hardware would take packet by packet is wide enough for who looks once in a while.
func TestLimiters(t *testing.T) {
	p := NewPricer(box(t, nil), Options{Limits: map[fib.Budget]fib.Meter{
		fib.LimitMTU: {Rate: 10000, Burst: 10}, fib.LimitTTL: {Rate: 100, Burst: 10}, fib.LimitReceive: {Rate: 10, Burst: 0}, fib.Engine: {Rate: 1, Burst: 1}, 200: {Rate: 1}}})
	want := fib.Meters{fib.LimitMTU: {Rate: 10000, Burst: 40}, fib.LimitTTL: {Rate: 100, Burst: 10}, fib.LimitReceive: {Rate: 10, Burst: 1}}
	if m := p.Meters(); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	p.SetLimits(map[fib.Budget]fib.Meter{fib.LimitTTL: {Rate: 50, Burst: 5}})
	if m := p.Meters(); m != (fib.Meters{fib.LimitTTL: {Rate: 50, Burst: 5}}) {
		t.Errorf("with other limits: %+v", m)
	}
}

// A small box passes its dearest packet.
func TestSmallMeters(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"hw.bus_mpps": 0.001, "crypto.gbps": 0.001, "rp.sw_cef_kpps": 0.001, "rp.process_kpps": 1, "rp.process_queue": 1, "fib.exception_pps": 1}), Options{})
	want := fib.Meters{fib.Engine: {Rate: 16000, Burst: fib.MaxCost}, fib.Crypto: {Rate: 125000, Burst: 65535}, fib.CEF: {Rate: 1, Burst: 1}, fib.Process: {Rate: 1000, Burst: 4},
		fib.Exception: {Rate: 1, Burst: 1}}
	if m := p.Meters(); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
}
