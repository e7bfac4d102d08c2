package show

import (
	"fmt"
	"slices"
	"strings"

	"nave/fastpath/fib"
)

// MLSCEFSummary is `show mls cef summary`: entries of the forwarding engine's table.
func MLSCEFSummary(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		u := &h.Usage
		row := func(label string, n int) { fmt.Fprintf(b, "%-34s%d\n", label, n) }
		row("Total routes:", u.IPv4.Hardware+u.MPLS.Hardware)
		row("    IPv4 unicast routes:", u.IPv4.Hardware)
		row("    IPv4 Multicast routes:", 0)
		row("    MPLS routes:", u.MPLS.Hardware)
		row("    IPv6 unicast routes:", 0)
		row("    IPv6 multicast routes:", 0)
		row("    EoM routes:", 0)
	})
}

// MLSCEFException is `show mls cef exception status`: whether an entry has found no room since the profile was loaded.
func MLSCEFException(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		for _, x := range []struct {
			protocol string
			state    bool
		}{{"IPv4", h.Usage.IPv4.Exception}, {"IPv6", false}, {"MPLS", h.Usage.MPLS.Exception}} {
			fmt.Fprintf(b, "Current %s FIB exception state = %s\n", x.protocol, strings.ToUpper(fmt.Sprint(x.state)))
		}
	})
}

// kindNames are what `show mls cef maximum-routes` calls what the configuration has as ip, mpls, ipv6 and ip-multicast.
var kindNames = map[string]string{"ip": "IPv4", "mpls": "MPLS", "ipv6": "IPv6", "ip-multicast": "IP Multicast"}

// MLSCEFMaximumRoutes is `show mls cef maximum-routes`: how the forwarding engine's table is split.
func MLSCEFMaximumRoutes(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		b.WriteString("FIB TCAM maximum routes :\n=======================\nCurrent :-\n-------\n")
		for _, r := range h.Usage.Rooms {
			var names []string
			for _, k := range r.Kinds {
				if n, ok := kindNames[k]; ok {
					k = n
				}
				names = append(names, k)
			}
			by := " (default)"
			if r.Configured {
				by = ""
			}
			fmt.Fprintf(b, " %-19s - %s%s\n", strings.Join(names, " + "), thousands(r.Size), by)
		}
	})
}

// thousands is a number of entries in units of 1024, where it is a whole number of those.
func thousands(n int) string {
	if n%1024 == 0 {
		return fmt.Sprintf("%dk", n/1024)
	}
	return fmt.Sprint(n)
}

// limiterTypes are the rate limiters as `show mls rate-limit` calls and orders them, by their words in the configuration.
var limiterTypes = []struct{ name, words string }{
	{"MCAST NON RPF", "multicast ipv4 non-rpf"}, {"MCAST DFLT ADJ", "multicast ipv4 fib-miss"}, {"MCAST DIRECT CON", "multicast ipv4 connected"},
	{"ACL BRIDGED IN", "unicast acl input"}, {"ACL BRIDGED OUT", "unicast acl output"}, {"IP FEATURES", "unicast ip features"}, {"ACL VACL LOG", "unicast acl vacl-log"},
	{"CEF RECEIVE", "unicast cef receive"}, {"CEF GLEAN", "unicast cef glean"}, {"MCAST PARTIAL SC", "multicast ipv4 partial"}, {"IP RPF FAILURE", "unicast ip rpf-failure"},
	{"TTL FAILURE", "all ttl-failure"}, {"ICMP UNREAC. NO-ROUTE", "unicast ip icmp unreachable no-route"}, {"ICMP UNREAC. ACL-DROP", "unicast ip icmp unreachable acl-drop"},
	{"ICMP REDIRECT", "unicast ip icmp redirect"}, {"MTU FAILURE", "all mtu-failure"}, {"MCAST IP OPTION", "multicast ipv4 ip-options"}, {"UCAST IP OPTION", "unicast ip options"},
	{"LAYER_2 PDU", "layer2 pdu"}, {"LAYER_2 PT", "layer2 l2pt"}, {"LAYER_2 PORTSEC", "layer2 port-security"}, {"IP ERRORS", "unicast ip errors"}, {"MCAST IGMP", "multicast ipv4 igmp"},
}

// limiterName is what `show mls rate-limit` calls a rate limiter.
func limiterName(words string) string {
	for _, t := range limiterTypes {
		if t.words == words {
			return t.name
		}
	}
	return strings.ToUpper(words)
}

// groups numbers the registers that several rate limiters share, by what has them.
func groups(h *Hardware) map[string]int {
	seen, out := map[string]int{}, map[string]int{}
	for _, l := range h.Limited {
		if !l.Register || l.Place == "" {
			continue
		}
		if seen[l.Place]++; seen[l.Place] == 2 {
			out[l.Place] = len(out)
		}
	}
	return out
}

// MLSRateLimit is `show mls rate-limit`: the rate limiters, and below that what those of them do that nave has packets for.
func MLSRateLimit(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		b.WriteString(" Sharing Codes: S - static, D - dynamic\n Codes dynamic sharing: H - owner (head) of the group, g - guest of the group\n\n")
		row := func(cells ...any) { fmt.Fprintf(b, "%22s   %-10s   %9s   %5s  %s\n", cells...) }
		row("Rate Limiter Type", "Status", "Packets/s", "Burst", "Sharing")
		row("---------------------", "----------", "---------", "-----", "-------")
		shared := groups(h)
		limiter := func(name string, l *Limiter) {
			if l == nil || !l.Register {
				row(name, "Off", "-", "-", "-")
				return
			}
			with := "Not sharing"
			if g, ok := shared[l.Place]; ok {
				with = fmt.Sprintf("Group:%d S", g)
			} else if l.Place == "" {
				with = "Shared D" // with one that the router chooses
			}
			row(name, "On", fmt.Sprint(l.Rate), fmt.Sprint(l.Burst), with)
		}
		for _, t := range limiterTypes {
			limiter(t.name, h.limiter(t.words))
		}
		for i := range h.Limited {
			l := &h.Limited[i]
			if !slices.ContainsFunc(limiterTypes, func(t struct{ name, words string }) bool { return t.words == l.Case }) {
				limiter(limiterName(l.Case), l)
			}
		}
		limitedPackets(b, s, h)
	})
}

// works tells whether there are packets that a rate limiter limits, and by which budget.
func (l *Limiter) works() bool { return l.Register && l.Known && l.Budget < fib.NumBudgets }

// limiter finds a rate limiter by its words; nil: it is not configured. Of several lines with the same words the last is what holds.
func (h *Hardware) limiter(words string) (found *Limiter) {
	for i := range h.Limited {
		if h.Limited[i].Case == words {
			found = &h.Limited[i]
		}
	}
	return found
}

func limitedPackets(b *strings.Builder, s *Status, h *Hardware) {
	var work []fib.Budget
	var without, idle []string
	for _, l := range h.Limited {
		switch {
		case !l.Register:
			without = append(without, "`"+l.Case+"`")
		case !l.works():
			idle = append(idle, "`"+l.Case+"`")
		case !slices.Contains(work, l.Budget):
			work = append(work, l.Budget)
		}
	}
	if len(work) > 0 {
		b.WriteString("\n")
		loadTable(b, s, h, "Packets limited", work...)
	}
	if len(without) > 0 {
		fmt.Fprintf(b, "\nNo register is left, so refused: %s\n", strings.Join(without, ", "))
	}
	if len(idle) > 0 {
		fmt.Fprintf(b, "\nWithout such packets here: %s\n", strings.Join(idle, ", "))
	}
}

// MLSRateLimitUsage is `show mls rate-limit usage`: the registers, and which rate limiters have them.
func MLSRateLimitUsage(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		fmt.Fprintf(b, "%49s   %9s   %5s\n%49s   %9s   %5s\n", "Rate Limiter Type    ", "Packets/s", "Burst", "---------------------", "---------", "-----")
		first := 0
		for _, layer2 := range []bool{false, true} {
			title, most := "Layer3", h.Profile.RateLimiters.L3.Int()
			if layer2 {
				title, most = "Layer2", h.Profile.RateLimiters.L2.Int()
			}
			fmt.Fprintf(b, " %s Rate Limiters:\n", title)
			var places []string
			for _, l := range h.Limited {
				if l.Register && l.Place != "" && l.Layer2 == layer2 && !slices.Contains(places, l.Place) {
					places = append(places, l.Place)
				}
			}
			for n := range max(most, len(places)) {
				if n >= len(places) {
					fmt.Fprintf(b, "%18s%2d: %-24s   %9s   %5s\n", "RL#", first+n, "Free", "-", "-")
					continue
				}
				fmt.Fprintf(b, "%18s%2d: Used\n", "RL#", first+n)
				for _, l := range h.Limited {
					if l.Register && l.Place == places[n] && l.Layer2 == layer2 {
						fmt.Fprintf(b, "%49s   %9d   %5d\n", limiterName(l.Case), l.Rate, l.Burst)
					}
				}
			}
			first += most
		}
	})
}

// MLSNetFlow is `show mls netflow table-contention summary`: how full the table of flows is.
func MLSNetFlow(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		held, failed, entries := flowTable(s, h)
		fmt.Fprintf(b, "Earl in Module %s\nSummary of Netflow CAM Utilization (as a percentage)\n====================================================\n", module)
		fmt.Fprintf(b, "%-45s:%5s\n", "TCAM Utilization", percent(held, entries))
		fmt.Fprintf(b, "Flows: %d held, %d made room for others, %s entries of which %s can be used\n", held, failed, size(entries), size(h.Profile.NetFlow.Effective.Int()))
		if s.Fastpath.Flows.Capacity == 0 {
			b.WriteString("No flows are remembered; `fastpath flows NUMBER` and a restart turn that on\n")
		}
	})
}
