package gateway

import (
	"nave/ctl/config"
	"nave/ctl/hardware"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// limitBudgets are the rate limiters whose packets nave has, too.
var limitBudgets = map[string]fib.Budget{
	"all ttl-failure": fib.LimitTTL, "all mtu-failure": fib.LimitMTU, "unicast cef receive": fib.LimitReceive, "unicast cef glean": fib.LimitGlean,
	"unicast ip icmp unreachable no-route": fib.LimitNoRoute,
}

// optionsOf is what a configuration tells its hardware, and the rate limiters of it as they are shown. Without hardware it tells nobody anything.
func optionsOf(tree *config.Config, p *hwprofiles.Profile) (o hwprofiles.Options, limited []show.Limiter) {
	if p == nil {
		return o, nil
	}
	o.Routes = hardware.Split(tree, p)
	for _, l := range hardware.Limiters(tree, p) {
		s := show.Limiter{Case: l.Case, Rate: l.Rate, Burst: l.Burst, Place: l.Place, Layer2: l.Layer2, Register: !l.Over}
		s.Budget, s.Known = limitBudgets[l.Case]
		limited = append(limited, s)
		if s.Known && s.Register && l.Rate > 0 {
			if o.Limits == nil {
				o.Limits = make(map[fib.Budget]fib.Meter)
			}
			o.Limits[s.Budget] = fib.Meter{Rate: uint64(l.Rate), Burst: uint64(max(1, l.Burst))}
		}
	}
	return o, limited
}
