package hwprofiles

import (
	"math"

	"nave/fastpath/fib"
)

// How much lies in front of a budget. Hardware takes packets as they come; workers look once in a while, and find then what came meanwhile. So that what hardware
// would take at its rate is not lost to that, no queue is shorter than what comes in the time between two looks.
const (
	ports = 10e-3 // seconds that buffers of ports, and of modules, are taken for where nothing is known of them
	looks = 4e-3  // seconds that a worker may not look for, twice what it mostly is
)

// meter fills up at so many units a second. The queue is in units: 0 for one that nothing is known of. No packet costs more than least.
func meter(rate, queue, least float64) fib.Meter {
	if rate <= 0 {
		return fib.Meter{}
	}
	if queue == 0 {
		queue = rate * ports
	}
	return fib.Meter{Rate: uint64(max(1, math.Round(rate))), Burst: uint64(math.Ceil(max(queue, rate*looks, least)))}
}

// known is the number, or 0.
func known(n Number) float64 {
	if !n.Known {
		return 0
	}
	return n.Value
}

// largestPacket is how many bytes the crypto module gets at a time, at most.
const largestPacket = 1<<16 - 1

// meters are the budgets of a profile, and of the rate limiters that are configured.
func meters(p *Profile, limits map[fib.Budget]fib.Meter) fib.Meters {
	rp := &p.RouteProcessor
	m := fib.Meters{
		fib.Engine:    meter(known(p.Forwarding.Bus)*1e6*fib.PassCost, 0, fib.MaxCost),
		fib.CEF:       meter(known(rp.CEF)*1e3, known(rp.CEFQueue), 1),
		fib.Process:   meter(known(rp.Process)*1e3, known(rp.ProcessQueue), 1),
		fib.Exception: meter(known(p.FIB.Exception), 0, 1),
	}
	if !p.Crypto.Hardware.No() {
		m[fib.Crypto] = meter(known(p.Crypto.Rate)*1e9/8, 0, largestPacket)
	}
	for b, l := range limits {
		if b >= fib.LimitReceive && b < fib.NumBudgets {
			m[b] = meter(float64(l.Rate), float64(l.Burst), 1)
		}
	}
	return m
}
