package hardware

import (
	"slices"
	"strconv"
	"strings"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// Limiter is one `mls rate-limit` of a configuration.
type Limiter struct {
	Text   string // the line
	Case   string // as in the configuration, without the numbers: "all ttl-failure"
	Rate   int    // packets a second; 0: none is given
	Burst  int    // packets
	Place  string // what has its register: the case, or what it shares one with; "" has none of its own
	Layer2 bool   // it is a register of layer 2
	Nth    int    // which register of its layer it takes, from 1; 0 without one of its own
	First  bool   // it is the first of those that share the register
	Over   bool   // the hardware has fewer registers
	Pos    config.Pos
}

// defaultBurst is how many packets pass at once where a rate limiter does not say (Cisco OL-11615-01, page 72).
const defaultBurst = 10

// Limiters lists the rate limiters of a configuration, in their order: registers are given first come first served.
func Limiters(c *config.Config, p *hwprofiles.Profile) []Limiter {
	var out []Limiter
	nth := [2]map[string]int{{}, {}} // by layer: 3 and 2
	for _, a := range c.AsidesOf("", "mls rate-limit") {
		l := Limiter{Text: a.Text, Pos: a.Pos}
		words := strings.Fields(strings.TrimPrefix(a.Text, "mls rate-limit"))
		var numbers []int
		for len(words) > 0 && strings.Trim(words[len(words)-1], "0123456789") == "" {
			n, err := strconv.Atoi(words[len(words)-1])
			if err != nil { // more digits than a number has
				n = 0
			}
			numbers = append([]int{n}, numbers...)
			words = words[:len(words)-1]
		}
		if len(numbers) > 0 {
			l.Rate, l.Burst = numbers[0], defaultBurst
		}
		if len(numbers) > 1 {
			l.Burst = numbers[1]
		}
		l.Case = strings.Join(words, " ")
		l.Place, l.Layer2 = register(l.Case)
		used, most := nth[0], p.RateLimiters.L3
		if l.Layer2 {
			used, most = nth[1], p.RateLimiters.L2
		}
		if l.Place != "" {
			if used[l.Place] == 0 {
				used[l.Place], l.First = len(used)+1, true
			}
			l.Nth = used[l.Place]
			l.Over = most.Over(l.Nth)
		}
		out = append(out, l)
	}
	return out
}

// register names the register that a rate limiter takes, and says whether it is one of layer 2; "" is none of its own. Some share one
// (Cisco OL-11615-01, pages 72 to 81).
func register(limiter string) (name string, layer2 bool) {
	switch limiter {
	case "unicast acl input", "unicast acl output":
		return "unicast acl", false
	case "unicast ip icmp unreachable no-route", "unicast ip icmp unreachable acl-drop", "unicast ip errors", "unicast ip rpf-failure":
		return "unicast ip errors", false
	case "multicast ipv4 igmp":
		return limiter, true
	}
	if slices.Contains(strings.Fields(limiter), "share") { // with one that is named, or that the router chooses
		return "", false
	}
	return limiter, strings.HasPrefix(limiter, "layer2")
}
