package show

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Scripts read these commands by patterns like those below; what a pattern of theirs finds has to be there, and be what it is.
var (
	tcam72    = regexp.MustCompile(`72 bits \(IPv4, MPLS, EoM\) (.+) (\d+?) (.+)`)
	tcam144   = regexp.MustCompile(`144 bits \(IP mcast, IPv6\) (.+) (\d+?) (.+)`)
	tcamRow   = regexp.MustCompile(`(?m)^ +(72|144) bits \(([^)]+)\) +(\d+) +(\d+) +(\d+)%$`)
	protocol  = regexp.MustCompile(`(?m)^ {34}(IPv4|MPLS|EoM|IPv6|IPv4 mcast|IPv6 mcast) +(\d+) +(\d+)%$`)
	engine    = regexp.MustCompile(`(?m)^ +Module +pps +peak-pps +peak-time\n +(\d+) +(\d+) +(\d+) +(\d\d:\d\d:\d\d UTC \w{3} \w{3} \d+ \d{4})$`)
	usage     = regexp.MustCompile(`(?m)^ +(\S.*) usage: +Total +Used +%Used\n +(\d+) +(\d+) +(\d+)%$`)
	limiter   = regexp.MustCompile(`^ *(\S.*?) {3}(On|Off) +(\d+|-) +(\d+|-) +(Not sharing|Group:\d+ S|-)$`)
	cefRow    = regexp.MustCompile(`(?m)^ *((?:Total|IPv4 unicast|IPv4 Multicast|MPLS|IPv6 unicast|IPv6 multicast|EoM) routes): +(\d+)$`)
	exception = regexp.MustCompile(`(?m)^ *Current (IPv4|IPv6|MPLS) FIB exception state = (TRUE|FALSE)$`)
	maximum   = regexp.MustCompile(`(?m)^ +(\S.*?) +- (\d+k)( \(default\))?$`)
	contended = regexp.MustCompile(`(?m)^TCAM Utilization +: +(\d+)%$`)
)

func found(re *regexp.Regexp, text string) (out []string) {
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.Join(m[1:], "|"))
	}
	return out
}

func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestCapacityParses(t *testing.T) {
	text := HardwareCapacity(hardwareSample(t), SectionForwarding)
	if m := tcam72.FindStringSubmatch(text); m == nil || m[2] != "786444" || strings.TrimSpace(m[3]) != "97%" {
		t.Errorf("72 bits: %q", m)
	}
	if m := tcam144.FindStringSubmatch(text); m == nil || m[2] != "0" || strings.TrimSpace(m[3]) != "0%" {
		t.Errorf("144 bits: %q", m)
	}
	wants(t, "table", found(tcamRow, text), "72|IPv4, MPLS, EoM|802816|786444|97", "144|IP mcast, IPv6|122880|0|0")
	wants(t, "protocols", found(protocol, text), "IPv4|786432|97", "MPLS|12|1", "EoM|0|0", "IPv6|0|0", "IPv4 mcast|0|0", "IPv6 mcast|0|0")
	wants(t, "engine", found(engine, text), "1|12345678|29999990|09:00:00 UTC Sun Mar 1 2026")
	wants(t, "usage", found(usage, text), "VPN CAM|512|514|100", "Adjacency|1048576|1200|1")
}

func TestRateLimitersParse(t *testing.T) {
	on, rows := []string{}, 0
	for _, l := range lines(MLSRateLimit(hardwareSample(t))) {
		m := limiter.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		if rows++; m[2] == "On" {
			on = append(on, strings.Join(m[1:], "|"))
		} else if m[3]+m[4]+m[5] != "---" {
			t.Errorf("off, and %q", l)
		}
	}
	wants(t, "rate limiters", on, "TTL FAILURE|On|10|1|Not sharing", "ICMP UNREAC. NO-ROUTE|On|100|10|Group:0 S", "LAYER_2 PDU|On|500|20|Not sharing", "IP ERRORS|On|100|10|Group:0 S",
		"MULTICAST IPV6 ROUTE-CNTL|On|99|9|Not sharing")
	if rows != len(limiterTypes)+1 {
		t.Errorf("%d rows, want %d", rows, len(limiterTypes)+1)
	}
}

func TestMLSParses(t *testing.T) {
	s := hardwareSample(t)
	wants(t, "summary", found(cefRow, MLSCEFSummary(s)),
		"Total routes|786444", "IPv4 unicast routes|786432", "IPv4 Multicast routes|0", "MPLS routes|12", "IPv6 unicast routes|0", "IPv6 multicast routes|0", "EoM routes|0")
	wants(t, "exception", found(exception, MLSCEFException(s)), "IPv4|TRUE", "IPv6|FALSE", "MPLS|FALSE")
	wants(t, "maximum", found(maximum, MLSCEFMaximumRoutes(s)), "IPv4|768k|", "MPLS|16k| (default)", "IPv6 + IP Multicast|120k| (default)")
	wants(t, "flows", found(contended, MLSNetFlow(s)), "87")
}
