package show

import (
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// The JSON forms of commands about emulated hardware have the same names whether there is some or not: without it, profile is null and there is nothing of anything.

// profileName is the name of what is emulated, or null.
func (s *Status) profileName() any {
	if s.Hardware == nil || s.Hardware.Profile == nil {
		return nil
	}
	return s.Hardware.Profile.Name
}

// HardwareProfileJSON is `show platform hardware profile`.
func HardwareProfileJSON(s *Status) ([]byte, error) {
	h := s.emulated()
	p := h.Profile
	return encode("platform hardware profile", object{
		"profile": s.profileName(), "platform": p.Platform, "supervisor": p.Supervisor, "module": p.Module, "values": len(p.Values), "assumed": assumed(p), "files": files(p), "since": orNull(h.Since),
	})
}

// HardwareCapacityJSON is `show platform hardware capacity`: all sections, or one.
func HardwareCapacityJSON(s *Status, only Section) ([]byte, error) {
	h, out := s.emulated(), object{"profile": s.profileName()}
	for _, x := range sections {
		if only == "" || x.name == only {
			out[jsonName(x.name)] = x.json(s, h)
		}
	}
	return encode("platform hardware capacity", out)
}

// jsonName is a section as a name of JSON.
func jsonName(s Section) string {
	if s == SectionRateLimit {
		return "rate_limit"
	}
	return string(s)
}

// loadJSON is what a budget carries; rate null: it has no end.
func loadJSON(s *Status, h *Hardware, b fib.Budget) object {
	l := h.Loads[b]
	var rate any
	if r := h.Meters[b].Rate; r > 0 {
		rate = units(b, r)
	}
	return object{
		"unit": budgets[b].unit, "per_second": units(b, l.PerSecond), "peak_per_second": units(b, l.Peak), "peak_time": orNull(l.PeakTime), "rate_per_second": rate,
		"burst": units(b, h.Meters[b].Burst), "total": units(b, s.Fastpath.Spent[b]), "dropped": s.dropped(b),
	}
}

// levelJSON is how much of something is used; size null: it has no end.
func levelJSON(l hwprofiles.Level) object { return object{"used": l.Used, "size": sizeOrNull(l.Size)} }

func sizeOrNull(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func cpuJSON(s *Status, h *Hardware) any {
	all, interrupts := busy(h)
	return object{
		"utilization_percent": all, "interrupt_percent": interrupts, "cef": loadJSON(s, h, fib.CEF), "process": loadJSON(s, h, fib.Process), "exception": loadJSON(s, h, fib.Exception),
	}
}

func vlanJSON(_ *Status, h *Hardware) any { return object{"tunnels": levelJSON(h.Usage.TunnelVLANs)} }

func forwardingJSON(s *Status, h *Hardware) any {
	u := &h.Usage
	return object{
		"units72": levelJSON(u.Units), "rooms": roomsJSON(u), "ipv4": u.IPv4, "mpls": u.MPLS, "adjacencies": levelJSON(u.Adjacencies), "aggregate_labels": levelJSON(u.AggregateLabels),
		"engine": loadJSON(s, h, fib.Engine),
	}
}

func roomsJSON(u *hwprofiles.Usage) []object {
	out := objects(len(u.Rooms))
	for _, r := range u.Rooms {
		out = append(out, object{"kinds": words(r.Kinds), "width": r.Width, "configured": r.Configured, "used": r.Used, "size": r.Size})
	}
	return out
}

func netflowJSON(s *Status, h *Hardware) any {
	held, failed, entries := flowTable(s, h)
	return object{"on": s.Fastpath.Flows.Capacity > 0, "flows": held, "made_room": failed, "size": sizeOrNull(entries), "effective": sizeOrNull(h.Profile.NetFlow.Effective.Int())}
}

func limitersUsedJSON(_ *Status, h *Hardware) any {
	r := &h.Profile.RateLimiters
	return object{
		"layer3": levelJSON(hwprofiles.Level{Used: registers(h, false), Size: r.L3.Int()}), "layer2": levelJSON(hwprofiles.Level{Used: registers(h, true), Size: r.L2.Int()}),
	}
}

func cryptoModuleJSON(s *Status, h *Hardware) any {
	return object{"module": h.Profile.Module, "tunnels": levelJSON(h.Usage.CryptoTunnels), "refused": h.Usage.CryptoRefused, "throughput": loadJSON(s, h, fib.Crypto)}
}

// MLSCEFSummaryJSON is `show mls cef summary`.
func MLSCEFSummaryJSON(s *Status) ([]byte, error) {
	u := &s.emulated().Usage
	return encode("mls cef summary", object{
		"profile": s.profileName(), "total": u.IPv4.Hardware + u.MPLS.Hardware, "ipv4": u.IPv4.Hardware, "mpls": u.MPLS.Hardware,
		"software": object{"ipv4": u.IPv4.Software, "mpls": u.MPLS.Software},
	})
}

// MLSCEFExceptionJSON is `show mls cef exception status`.
func MLSCEFExceptionJSON(s *Status) ([]byte, error) {
	u := &s.emulated().Usage
	state := func(r hwprofiles.Routes) object { return object{"exception": r.Exception, "threshold": r.Threshold} }
	return encode("mls cef exception status", object{"profile": s.profileName(), "ipv4": state(u.IPv4), "ipv6": state(hwprofiles.Routes{}), "mpls": state(u.MPLS)})
}

// MLSCEFMaximumRoutesJSON is `show mls cef maximum-routes`.
func MLSCEFMaximumRoutesJSON(s *Status) ([]byte, error) {
	return encode("mls cef maximum-routes", object{"profile": s.profileName(), "rooms": roomsJSON(&s.emulated().Usage)})
}

// MLSRateLimitJSON is `show mls rate-limit`, with usage too: only what is configured, in the order of the configuration.
func MLSRateLimitJSON(s *Status) ([]byte, error) {
	h := s.emulated()
	list := objects(len(h.Limited))
	for _, l := range h.Limited {
		row := object{
			"limiter": l.Case, "type": limiterName(l.Case), "packets_per_second": l.Rate, "burst": l.Burst, "layer": map[bool]int{true: 2, false: 3}[l.Layer2], "register": l.Register, "shares": l.Place,
			"limits": nil,
		}
		if l.works() {
			row["limits"] = loadJSON(s, h, l.Budget)
		}
		list = append(list, row)
	}
	return encode("mls rate-limit", object{"profile": s.profileName(), "limiters": list, "registers": limitersUsedJSON(s, h)})
}

// MLSNetFlowJSON is `show mls netflow table-contention summary`.
func MLSNetFlowJSON(s *Status) ([]byte, error) {
	return encode("mls netflow table-contention", object{"profile": s.profileName(), "netflow": netflowJSON(s, s.emulated())})
}

// SoftwareSwitchedJSON is `show platform software-switched`.
func SoftwareSwitchedJSON(s *Status) ([]byte, error) {
	h := s.emulated()
	p, u := h.Profile, &h.Usage
	tunnels := objects(len(h.Switched))
	for _, t := range h.Switched {
		k := fib.CEF
		if t.Way == fib.ByProcess {
			k = fib.Process
		}
		tunnels = append(tunnels, object{
			"interface": t.Interface, "packets": map[bool]string{true: "labelled", false: "all"}[t.Labelled], "by": budgets[k].name, "key": t.Key, "value": p.Text(t.Key),
		})
	}
	restricted := objects(len(h.Restricted))
	for _, r := range h.Restricted {
		restricted = append(restricted, object{"interface": r.Interface, "command": r.Command, "effect": effect(r), "key": r.Key, "value": p.Text(r.Key)})
	}
	return encode("platform software-switched", object{
		"profile": s.profileName(), "cef": loadJSON(s, h, fib.CEF), "process": loadJSON(s, h, fib.Process), "exception": loadJSON(s, h, fib.Exception), "tunnels": tunnels,
		"routes": u.IPv4.Software, "labels": u.MPLS.Software, "adjacencies": u.AdjacenciesOver, "restricted": restricted, "multicast_dropped": s.Fastpath.Reasons[fastpath.EncryptedMulticast], "associations_refused": u.CryptoRefused,
	})
}
