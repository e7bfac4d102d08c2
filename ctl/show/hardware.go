package show

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// noHardware is what commands about emulated hardware say where there is none.
const noHardware = "No hardware is emulated: `platform hardware profile NAME` or `naved --profile NAME` chooses a profile, `show hwprofiles` lists them\n"

// emulated is the hardware, or one of which nothing is known.
func (s *Status) emulated() *Hardware {
	if s.Hardware == nil || s.Hardware.Profile == nil {
		return &Hardware{Profile: &hwprofiles.Profile{}}
	}
	return s.Hardware
}

// ofHardware is a text about emulated hardware, or that there is none.
func ofHardware(s *Status, text func(*strings.Builder, *Hardware)) string {
	if s.Hardware == nil || s.Hardware.Profile == nil {
		return noHardware
	}
	var b strings.Builder
	text(&b, s.Hardware)
	return b.String()
}

// budget is what is shown of a fib.Budget.
type budget struct {
	name  string            // for programs
	title string            // of a row
	unit  string            // of rates, for programs
	key   string            // the profile's value that is its rate
	over  []fastpath.Reason // what is dropped for want of it
	lost  []fastpath.Reason // punts that are, among those that the slow path was too slow for
}

var budgets = [fib.NumBudgets]budget{
	fib.Engine:       {name: "engine", title: "Forwarding engine", unit: "passes", key: "hw.bus_mpps", over: []fastpath.Reason{fastpath.EngineOver}},
	fib.Crypto:       {name: "crypto", title: "Crypto module", unit: "bytes", key: "crypto.gbps", over: []fastpath.Reason{fastpath.CryptoOver}},
	fib.CEF:          {name: "cef", title: "CEF", unit: "packets", key: "rp.sw_cef_kpps", over: []fastpath.Reason{fastpath.CEFOver}},
	fib.Process:      {name: "process", title: "process", unit: "packets", key: "rp.process_kpps", over: []fastpath.Reason{fastpath.ProcessOver}, lost: []fastpath.Reason{fastpath.Fragment}},
	fib.Exception:    {name: "exception", title: "table exception", unit: "packets", key: "fib.exception_pps", over: []fastpath.Reason{fastpath.ExceptionOver}},
	fib.LimitReceive: {name: "receive", title: "CEF receive", unit: "packets", lost: []fastpath.Reason{fastpath.Local}},
	fib.LimitGlean:   {name: "glean", title: "CEF glean", unit: "packets", lost: []fastpath.Reason{fastpath.Glean}},
	fib.LimitNoRoute: {name: "no-route", title: "no route", unit: "packets", lost: []fastpath.Reason{fastpath.Unroutable}},
	fib.LimitTTL:     {name: "ttl", title: "TTL failure", unit: "packets", lost: []fastpath.Reason{fastpath.TTLExpired}},
	fib.LimitMTU:     {name: "mtu", title: "MTU failure", unit: "packets", over: []fastpath.Reason{fastpath.MTUOver}, lost: []fastpath.Reason{fastpath.FragNeeded}},
}

// dropped counts the packets that found too little of a budget, and punts that were lost otherwise.
func (s *Status) dropped(b fib.Budget) (n uint64) {
	for _, r := range budgets[b].over {
		n += s.Fastpath.Reasons[r]
	}
	for _, r := range budgets[b].lost {
		n += s.Fastpath.Lost[r]
	}
	return n
}

// units makes units of a budget what people count: whole passes of the forwarding engine.
func units(b fib.Budget, n uint64) uint64 {
	if b == fib.Engine {
		return n / fib.PassCost
	}
	return n
}

// speed is a rate of a budget in words.
func speed(b fib.Budget, n uint64) string {
	if b == fib.Crypto {
		return short(float64(n)*8, "bps")
	}
	return short(float64(units(b, n)), "pps")
}

// limit is the rate at which a budget fills up, in words.
func limit(h *Hardware, b fib.Budget) string {
	if h.Meters[b].Rate == 0 {
		return "no limit"
	}
	return speed(b, h.Meters[b].Rate)
}

// short is a number with at least three digits that count, and a prefix to its unit: 500 kpps, 2.5 Gbps.
func short(n float64, unit string) string {
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T"} {
		if n < 1000 {
			break
		}
		n, prefix = n/1000, p
	}
	digits := 0
	switch {
	case prefix == "":
	case n < 10:
		digits = 2
	case n < 100:
		digits = 1
	}
	text := strconv.FormatFloat(n, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + prefix + unit
}

// percent is how much is used, as IOS rounds it: what is not nothing is 1 % at least. Of what has no end it is a dash.
func percent[T int | uint64](used, size T) string {
	switch {
	case size <= 0:
		return "-"
	case used > 0:
		return fmt.Sprintf("%d%%", max(1, int(float64(used)/float64(size)*100)))
	}
	return "0%"
}

// size is how much there is, a dash where that is not known.
func size(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// clock is a time as IOS prints it: 02:02:17 UTC Thu Apr 21 2005; never for the zero time.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05 MST Mon Jan 2 2006")
}

// follows is the value of the profile that something follows from: "gre.key_in_hw is no".
func follows(p *hwprofiles.Profile, key string) string {
	text := p.Text(key)
	switch {
	case key == "":
		return ""
	case text == "":
		return key
	}
	return key + " is " + text
}

// causeOf is why the route processor forwards a tunnel's packets: "it has a tunnel key (gre.key_in_hw is no)".
func causeOf(p *hwprofiles.Profile, key string) string {
	text := softwareCauses[key]
	if text == "" {
		return follows(p, key)
	}
	return text + " (" + follows(p, key) + ")"
}

// wayName is who forwards, as IOS calls it.
func wayName(w fib.Way) string {
	switch w {
	case fib.ByCEF:
		return "CEF"
	case fib.ByProcess:
		return "process"
	}
	return "hardware"
}

// loadTable shows budgets with what they carry. Rates are of the last seconds.
func loadTable(b *strings.Builder, s *Status, h *Hardware, heading string, list ...fib.Budget) {
	indent := heading[:len(heading)-len(strings.TrimLeft(heading, " "))] + "  "
	rows := [][]string{{heading, "Now", "Peak", "At most", "%Used", "Dropped", "Peak time"}}
	for _, k := range list {
		l := h.Loads[k]
		rows = append(rows, []string{
			indent + budgets[k].title, speed(k, l.PerSecond), speed(k, l.Peak), limit(h, k), percent(l.PerSecond, h.Meters[k].Rate), fmt.Sprint(s.dropped(k)), clock(l.PeakTime),
		})
	}
	b.WriteString(columns(rows))
}

// HardwareProfile is `show platform hardware profile`: which hardware is emulated, and since when.
func HardwareProfile(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		p := h.Profile
		fmt.Fprintf(b, "Hardware profile %s\n  Platform:      %s\n  Supervisor:    %s\n  Crypto module: %s\n", p.Name, p.Platform, p.Supervisor, moduleName(p))
		fmt.Fprintf(b, "  Loaded:        %s ago%s\n", elapsed(s.Time.Sub(h.Since)), fromFiles(files(p)))
		fmt.Fprintf(b, "  %d values, %d of them assumed; `show hwprofiles %s` lists them\n", len(p.Values), assumed(p), p.Name)
	})
}

// files are those that a profile's values come from.
func files(p *hwprofiles.Profile) []string {
	out := []string{}
	for _, v := range p.Values {
		if !slices.Contains(out, v.File) {
			out = append(out, v.File)
		}
	}
	slices.Sort(out)
	return out
}

// fromFiles names where something is from, if that is known.
func fromFiles(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ", from " + strings.Join(list, ", ")
}

// SoftwareSwitched is `show platform software-switched`: what the route processor has to forward, why, and how it bears that; and what of the configuration this hardware
// does not carry out.
func SoftwareSwitched(s *Status) string {
	return ofHardware(s, func(b *strings.Builder, h *Hardware) {
		p := h.Profile
		fmt.Fprintf(b, "Hardware profile %s\n\n", p.Name)
		loadTable(b, s, h, "Route processor", fib.CEF, fib.Process, fib.Exception)
		b.WriteString("\nTunnels whose packets it forwards:\n")
		rows := [][]string{{"  Interface", "Packets", "By", "Because"}}
		for _, t := range h.Switched {
			rows = append(rows, []string{"  " + t.Interface, switchedPackets(t), wayName(t.Way), causeOf(p, t.Key)})
		}
		b.WriteString(rowsOrNone(rows))
		entriesInSoftware(b, h)
		b.WriteString("Packets that have to be cut: by process")
		if p.Crypto.Prefragmented.IsYes() && !p.Crypto.Hardware.No() {
			fmt.Fprintf(b, ", but for those into protected tunnels of which the module does GRE (%s)", follows(p, "crypto.prefragment"))
		}
		b.WriteString("\n")
		b.WriteString("\nConfigured, and other than without this hardware:\n")
		rows = [][]string{{"  Interface", "Command", "Effect", "Because"}}
		for _, r := range h.Restricted {
			rows = append(rows, []string{"  " + cmp.Or(r.Interface, "-"), r.Command, effect(r), follows(p, r.Key)})
		}
		b.WriteString(rowsOrNone(rows))
		if n := s.Fastpath.Reasons[fastpath.EncryptedMulticast]; n > 0 {
			fmt.Fprintf(b, "Multicast of others for protected tunnels: %d packets dropped (%s)\n", n, follows(p, "mcast.encrypted_gre"))
		}
		if n := h.Usage.CryptoRefused; n > 0 {
			fmt.Fprintf(b, "Security associations with peers that are too many: %d refused (%s)\n", n, follows(p, "crypto.tunnels"))
		}
	})
}

// entriesInSoftware says which routes and labels the forwarding engine's table does not have.
func entriesInSoftware(b *strings.Builder, h *Hardware) {
	u, p := &h.Usage, h.Profile
	fmt.Fprintf(b, "\nRoutes without room in the forwarding engine's table: %s\n", inSoftware(u.IPv4))
	if p.MPLS.Hardware.No() {
		fmt.Fprintf(b, "Labels that the forwarding engine does not switch: %d (%s)\n", u.MPLS.Software, follows(p, "mpls.hw"))
	} else {
		fmt.Fprintf(b, "Labels without room there: %s\n", inSoftware(u.MPLS))
	}
	if h.Meters[fib.Exception].Rate > 0 {
		fmt.Fprintf(b, "  Packets of what has no room go by CEF, at most %s in all\n", limit(h, fib.Exception))
	}
	if n := u.AdjacenciesOver; n > 0 {
		fmt.Fprintf(b, "Adjacencies without room, of which the packets go by CEF: %d (%s)\n", n, follows(p, "adj.entries"))
	}
	if over := u.AggregateLabels.Used - u.AggregateLabels.Size; over > 0 && u.AggregateLabels.Size > 0 {
		fmt.Fprintf(b, "Labels of whole VRFs that pass the forwarding engine once more: %d (%s)\n", over, follows(p, "mpls.aggregate_labels"))
	}
}

func inSoftware(r hwprofiles.Routes) string {
	if r.Exception {
		return fmt.Sprintf("%d (exception state)", r.Software)
	}
	return fmt.Sprint(r.Software)
}

// rowsOrNone makes a table, or says that it is empty.
func rowsOrNone(rows [][]string) string {
	if len(rows) == 1 {
		return "  none\n"
	}
	return columns(rows)
}

func switchedPackets(t SwitchedTunnel) string {
	if t.Labelled {
		return "with labels"
	}
	return "all"
}

func effect(r Restricted) string {
	if r.Refused {
		return "refused"
	}
	return "no effect"
}
