package metrics

import (
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// budgets are the names of what packets are paid from.
var budgets = [fib.NumBudgets]string{
	fib.Engine: "engine", fib.Crypto: "crypto", fib.CEF: "cef", fib.Process: "process", fib.Exception: "exception",
	fib.LimitReceive: "limit-receive", fib.LimitGlean: "limit-glean", fib.LimitNoRoute: "limit-no-route", fib.LimitTTL: "limit-ttl", fib.LimitMTU: "limit-mtu",
}

var hardwareFamilies = []*family{
	gauge("nave_hardware_info", "1, with the hardware profile that is emulated.", words("profile"), func(s *sample, put put) {
		if s.Hardware != nil {
			put(1, s.Hardware.Profile.Name)
		}
	}),
	counter("nave_hardware_spent_total", "Units spent of a budget of the emulated hardware: packets, for `crypto` bytes, for `engine` sixteenths of a pass.", words("budget"), func(s *sample, put put) {
		for b, name := range budgets {
			put(float64(s.Fastpath.Spent[b]), name)
		}
	}),
	gauge("nave_hardware_budget", "Units a second that the budget has.", words("budget"), func(s *sample, put put) {
		if s.Hardware == nil {
			return
		}
		for b, name := range budgets {
			if m := s.Hardware.Meters[b]; m.Rate != 0 {
				put(float64(m.Rate), name)
			}
		}
	}),
	gauge("nave_hardware_table_entries", "Entries of the emulated hardware's tables.", words("table"), func(s *sample, put put) {
		levels(s, func(table string, l hwprofiles.Level) { put(float64(l.Used), table) })
	}),
	gauge("nave_hardware_table_limit", "How many entries the emulated table has room for.", words("table"), func(s *sample, put put) {
		levels(s, func(table string, l hwprofiles.Level) {
			if l.Size != 0 {
				put(float64(l.Size), table)
			}
		})
	}),
	gauge("nave_hardware_exception", "1 if an entry found no room in the emulated table once: that table stays in exception.", words("table"), func(s *sample, put put) {
		if s.Hardware != nil {
			put(one(s.Hardware.Usage.IPv4.Exception), "ipv4")
			put(one(s.Hardware.Usage.MPLS.Exception), "mpls")
		}
	}),
}

func levels(s *sample, f func(table string, l hwprofiles.Level)) {
	if s.Hardware == nil {
		return
	}
	u := &s.Hardware.Usage
	for _, r := range u.Rooms {
		f("fib-"+strings.Join(slices.Sorted(slices.Values(r.Kinds)), "+"), r.Level)
	}
	f("adjacencies", u.Adjacencies)
	f("tunnel-vlans", u.TunnelVLANs)
	f("aggregate-labels", u.AggregateLabels)
	f("crypto-tunnels", u.CryptoTunnels)
}
