package cli

import (
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// hardwareCommands show the hardware that is emulated.
var hardwareCommands = []*grammar.Command{
	{Syntax: "show platform hardware capacity [{cpu|crypto|forwarding|netflow|rate-limit|vlan}]", Help: "how much of the emulated hardware is used, and how fast", Data: run(showCapacity)},
	{Syntax: "show platform hardware profile", Help: "which hardware is emulated", Data: hardware(show.HardwareProfile, show.HardwareProfileJSON)},
	{Syntax: "show platform software-switched", Help: "what the emulated route processor forwards, and why", Data: hardware(show.SoftwareSwitched, show.SoftwareSwitchedJSON)},
	{Syntax: "show mls cef summary", Help: "entries of the emulated table", Data: hardware(show.MLSCEFSummary, show.MLSCEFSummaryJSON)},
	{Syntax: "show mls cef exception status", Help: "whether an entry has found no room in the emulated table", Data: hardware(show.MLSCEFException, show.MLSCEFExceptionJSON)},
	{Syntax: "show mls cef maximum-routes", Help: "how the emulated table is split", Data: hardware(show.MLSCEFMaximumRoutes, show.MLSCEFMaximumRoutesJSON)},
	{Syntax: "show mls rate-limit", Help: "rate limiters of the emulated hardware", Data: hardware(show.MLSRateLimit, show.MLSRateLimitJSON)},
	{Syntax: "show mls rate-limit usage", Help: "registers of the rate limiters", Data: hardware(show.MLSRateLimitUsage, show.MLSRateLimitJSON)},
	{Syntax: "show mls netflow table-contention summary", Help: "how full the emulated table of flows is", Data: hardware(show.MLSNetFlow, show.MLSNetFlowJSON)},
}

// hardware makes a command of a show function that takes no selection, and of its JSON form.
func hardware(text func(*show.Status) string, json func(*show.Status) ([]byte, error)) run {
	return func(s *Session, _ *grammar.Match) error {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		return s.print(output{func() string { return text(st) }, func() ([]byte, error) { return json(st) }})
	}
}

func showCapacity(s *Session, m *grammar.Match) error {
	only := show.Section(m.OneOf("cpu", "crypto", "forwarding", "netflow", "rate-limit", "vlan"))
	return hardware(
		func(st *show.Status) string { return show.HardwareCapacity(st, only) }, func(st *show.Status) ([]byte, error) { return show.HardwareCapacityJSON(st, only) },
	)(s, m)
}
