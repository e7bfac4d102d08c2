package config

import (
	"cmp"
	"strings"
)

// Settings are what holds for an interface in a family: of classic configuration what the interface says of the AS, of named mode its `af-interface` over `af-interface default`,
// setting by setting. Passive is set for both. What is not configured stays zero.
func (e *EIGRP) Settings(f *EIGRPFamily, i *Interface) EIGRPInterface {
	if e.Name == "" {
		s := EIGRPInterface{}
		for _, own := range i.EIGRP {
			if own.AS == f.AS {
				s = own.EIGRPInterface
			}
		}
		s.Passive = Off
		if f.passive(i.Name) {
			s.Passive = On
		}
		return s
	}
	var own, all EIGRPInterface
	for _, n := range f.Interfaces {
		switch n.Name {
		case i.Name:
			own = n.EIGRPInterface
		case "default":
			all = n.EIGRPInterface
		}
	}
	if own.AuthMode == "" {
		own.AuthMode, own.AuthPassword = all.AuthMode, all.AuthPassword
	}
	return EIGRPInterface{
		SplitHorizon: cmp.Or(own.SplitHorizon, all.SplitHorizon), NextHopSelf: cmp.Or(own.NextHopSelf, all.NextHopSelf),
		Hello: cmp.Or(own.Hello, all.Hello), Hold: cmp.Or(own.Hold, all.Hold), BandwidthPercent: cmp.Or(own.BandwidthPercent, all.BandwidthPercent),
		AuthMode: own.AuthMode, AuthPassword: own.AuthPassword, KeyChain: cmp.Or(own.KeyChain, all.KeyChain),
		Summaries: append(append([]EIGRPSummary(nil), all.Summaries...), own.Summaries...),
		Passive:   cmp.Or(own.Passive, all.Passive), Shutdown: cmp.Or(own.Shutdown, all.Shutdown),
	}
}

// FilterText is all access lists, prefix lists and route maps as text: two configurations with the same text filter alike.
func (c *Config) FilterText() string {
	p := &printer{w: new(strings.Builder)}
	c.printFilters(p)
	return p.w.String()
}
