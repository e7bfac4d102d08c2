package show

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

var allSections = []Section{SectionCPU, SectionVLAN, SectionForwarding, SectionNetFlow, SectionRateLimit, SectionCrypto}

func hardwareTexts(s *Status) map[string]string {
	return map[string]string{
		"hardware_profile": HardwareProfile(s), "hardware_capacity": HardwareCapacity(s, ""), "hardware_software_switched": SoftwareSwitched(s), "hardware_mls_cef_summary": MLSCEFSummary(s),
		"hardware_mls_cef_exception": MLSCEFException(s), "hardware_mls_cef_maximum_routes": MLSCEFMaximumRoutes(s), "hardware_mls_rate_limit": MLSRateLimit(s),
		"hardware_mls_rate_limit_usage": MLSRateLimitUsage(s), "hardware_mls_netflow": MLSNetFlow(s),
	}
}

func hardwareJSON(t *testing.T, s *Status) map[string][]byte {
	ok := must(t)
	out := map[string][]byte{
		"platform_hardware_profile": ok(HardwareProfileJSON(s)), "platform_hardware_capacity": ok(HardwareCapacityJSON(s, "")), "platform_software_switched": ok(SoftwareSwitchedJSON(s)),
		"mls_cef_summary": ok(MLSCEFSummaryJSON(s)), "mls_cef_exception_status": ok(MLSCEFExceptionJSON(s)), "mls_cef_maximum_routes": ok(MLSCEFMaximumRoutesJSON(s)),
		"mls_rate_limit": ok(MLSRateLimitJSON(s)), "mls_netflow_table_contention": ok(MLSNetFlowJSON(s)),
	}
	for _, x := range allSections {
		out["platform_hardware_capacity "+string(x)] = ok(HardwareCapacityJSON(s, x))
	}
	return out
}

func TestHardwareGolden(t *testing.T) {
	for name, text := range hardwareTexts(hardwareSample(t)) {
		golden(t, name, text)
	}
	for name, text := range hardwareTexts(bareHardware(t)) {
		golden(t, "empty_"+name, text)
	}
	for name, b := range hardwareJSON(t, hardwareSample(t)) {
		if !strings.Contains(name, " ") {
			golden(t, "json_"+name, string(b))
		}
	}
}

// Without a profile each command says so in one line, and its JSON has the same names with nothing in them.
func TestNoHardware(t *testing.T) {
	for name, text := range hardwareTexts(sample()) {
		if text != noHardware || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %q", name, text)
		}
	}
	full, none := hardwareJSON(t, hardwareSample(t)), hardwareJSON(t, sample())
	for name := range full {
		a, b := decoded[object](t, name, full[name]), decoded[object](t, name, none[name])
		if b["profile"] != nil || a["profile"] != "sup720-3bxl-7600-spa" {
			t.Errorf("%s: profile %v and %v", name, a["profile"], b["profile"])
		}
		sameNames(t, name, a, b)
	}
}

// sameNames compares the names of objects in each other; a list is one in both.
func sameNames(t *testing.T, where string, a, b any) {
	t.Helper()
	switch a := a.(type) {
	case object:
		b, ok := b.(object)
		if !ok {
			t.Errorf("%s: %T and %T", where, a, b)
			return
		}
		for _, k := range slices.Sorted(func(yield func(string) bool) {
			for k := range a {
				if !yield(k) {
					return
				}
			}
		}) {
			if _, ok := b[k]; !ok {
				t.Errorf("%s: no %s without hardware", where, k)
				continue
			}
			sameNames(t, where+"."+k, a[k], b[k])
		}
	case []any:
		if list, ok := b.([]any); !ok || len(list) != 0 {
			t.Errorf("%s: a list, and without hardware %v", where, b)
		}
	}
}

// A section alone is what it is among the others.
func TestHardwareSections(t *testing.T) {
	s := hardwareSample(t)
	var parts []string
	whole := decoded[object](t, "all", must(t)(HardwareCapacityJSON(s, "")))
	for _, x := range allSections {
		parts = append(parts, HardwareCapacity(s, x))
		one := decoded[object](t, string(x), must(t)(HardwareCapacityJSON(s, x)))
		if name := jsonName(x); len(one) != 2 || !reflect.DeepEqual(one[name], whole[name]) || whole[name] == nil {
			t.Errorf("%s: %v", x, one)
		}
	}
	if got := HardwareCapacity(s, ""); got != strings.Join(parts, "\n") {
		t.Errorf("all:\n%s\nand one by one:\n%s", got, strings.Join(parts, "\n"))
	}
	if len(whole) != len(sections)+1 {
		t.Errorf("%d sections in JSON", len(whole))
	}
}

// Each budget has a name, and every reason that hardware drops by is counted somewhere.
func TestBudgets(t *testing.T) {
	seen := map[string]bool{}
	var reasons []fastpath.Reason
	for i, b := range budgets {
		if b.name == "" || b.title == "" || b.unit == "" || seen[b.name] {
			t.Errorf("budget %d: %+v", i, b)
		}
		seen[b.name] = true
		reasons = append(reasons, b.over...)
	}
	for r := fastpath.EngineOver; r <= fastpath.EncryptedMulticast; r++ {
		if r != fastpath.EncryptedMulticast && !slices.Contains(reasons, r) {
			t.Errorf("%s is in no budget", r)
		}
	}
	s := hardwareSample(t)
	for b, want := range map[fib.Budget]uint64{fib.Engine: 11, fib.Crypto: 22, fib.CEF: 33, fib.Process: 44 + 5, fib.Exception: 55, fib.LimitTTL: 88, fib.LimitMTU: 66 + 4, fib.LimitNoRoute: 9} {
		if got := s.dropped(b); got != want {
			t.Errorf("%s: %d dropped, want %d", budgets[b].name, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0 pps", 7: "7 pps", 999: "999 pps", 1000: "1 kpps", 1234: "1.23 kpps", 12_340: "12.3 kpps",
		500_000: "500 kpps", 15e6: "15 Mpps", 2.5e9: "2.5 Gpps", 123_400: "123 kpps", 4e15: "4000 Tpps",
	} {
		if got := short(n, "pps"); got != want {
			t.Errorf("%v: %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		used, size int
		want       string
	}{{0, 0, "-"}, {5, 0, "-"}, {0, 7, "0%"}, {1, 1 << 20, "1%"}, {843_727, 1 << 20, "80%"}, {8000, 8000, "100%"}, {514, 512, "100%"}} {
		if got := percent(c.used, c.size); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.used, c.size, got, c.want)
		}
	}
}

// An engine that switches no labels has no want of room for them.
func TestLabelsInSoftware(t *testing.T) {
	s := hardwareSample(t)
	s.Hardware.Usage.MPLS.Hardware, s.Hardware.Usage.MPLS.Software = 0, 12
	if text := SoftwareSwitched(s); !strings.Contains(text, "\nLabels without room there: 12\n") {
		t.Errorf("labels without room:\n%s", text)
	}
	s.Hardware.Profile.MPLS.Hardware = hwprofiles.Flag{Fact: hwprofiles.Fact{Known: true}}
	if text := SoftwareSwitched(s); !strings.Contains(text, "\nLabels that the forwarding engine does not switch: 12 (mpls.hw)\n") {
		t.Errorf("labels in software:\n%s", text)
	}
}

// The table of flows holds no more than the hardware's, however many are remembered.
func TestFlowTable(t *testing.T) {
	s := hardwareSample(t)
	for live, want := range map[uint64]int{0: 0, 229_000: 229_000, 230_000: 230_000, 240_000: 230_000, 1 << 20: 230_000} {
		s.Fastpath.Flows.Live = live
		if held, failed, entries := flowTable(s, s.Hardware); held != want || failed != 10_000 || entries != 262_144 {
			t.Errorf("%d flows: %d held, %d failed, %d entries", live, held, failed, entries)
		}
	}
}

// The route processor's utilization never passes 100 %, and the part of interrupts is never more than the whole.
func TestBusy(t *testing.T) {
	for _, c := range []struct{ cef, process, all, interrupts int }{{0, 0, 0, 0}, {50, 0, 50, 50}, {50, 25, 75, 50}, {100, 100, 100, 100}, {130, 0, 100, 100}} {
		h := &Hardware{}
		h.Meters[fib.CEF].Rate, h.Meters[fib.Process].Rate = 1000, 100
		h.Loads[fib.CEF].PerSecond, h.Loads[fib.Process].PerSecond = uint64(10*c.cef), uint64(c.process)
		if all, interrupts := busy(h); all != c.all || interrupts != c.interrupts {
			t.Errorf("%+v: %d / %d", c, all, interrupts)
		}
	}
}

// What has no key stands without a reason, and what the profile says nothing of by its key alone.
func TestFollows(t *testing.T) {
	p := hardwareSample(t).Hardware.Profile
	for key, want := range map[string]string{"": "", "gre.key_in_hw": "gre.key_in_hw is no", "crypto.tunnels": "crypto.tunnels is 8000 tunnels", "no.such": "no.such"} {
		if got := follows(p, key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

// Limiters that share a register take one, those without a register none; the last line of a case holds.
func TestRegisters(t *testing.T) {
	s := hardwareSample(t)
	if three, two := registers(s.Hardware, false), registers(s.Hardware, true); three != 3 || two != 1 {
		t.Errorf("%d registers of layer 3, %d of layer 2", three, two)
	}
	s.Hardware.Limited = append(s.Hardware.Limited, Limiter{Case: "all ttl-failure", Rate: 77, Burst: 3, Place: "all ttl-failure", Register: true, Budget: fib.LimitTTL, Known: true})
	text := MLSRateLimit(s)
	if !strings.Contains(text, fmt.Sprintf("%22s   %-10s   %9d   %5d", "TTL FAILURE", "On", 77, 3)) || registers(s.Hardware, false) != 3 {
		t.Errorf("two lines of one case:\n%s", text)
	}
	s.Hardware.Limited = []Limiter{{Case: "multicast ipv6 sg share auto", Rate: 5, Burst: 1, Register: true, Known: true, Budget: fib.NumBudgets}}
	if text := MLSRateLimit(s); !strings.Contains(text, "Shared D\n") || registers(s.Hardware, false) != 0 || !strings.Contains(text, "Without such packets here: `multicast ipv6 sg share auto`") {
		t.Errorf("one that shares a register:\n%s", text)
	}
	if b := must(t)(MLSRateLimitJSON(s)); !strings.Contains(string(b), `"limits": null`) {
		t.Errorf("a budget that is none: %s", b)
	}
}
