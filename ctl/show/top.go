package show

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

// TopSection is a part of `nave top`.
type TopSection int

// The sections. TopAll is the beginning of each.
const (
	TopAll TopSection = iota
	TopPorts
	TopTunnels
	TopPeers
	TopDrops
	NumTopSections = iota
)

// TopOptions say what of Rates is wanted.
type TopOptions struct {
	Section TopSection
	ByName  bool // in place of the busiest first
	Width   int  // columns; 0: as many as it takes
	Height  int  // lines; 0: as many as it takes
}

// TopJSON is Rates as JSON.
func TopJSON(r *Rates) ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// Top is one picture of `nave top`: lines without control characters, none longer than Width and no more than Height.
func Top(r *Rates, o TopOptions) []string {
	head := []string{topTitle(r)}
	head = append(head, topWorkers(r)...)
	sections := [][]string{topLinks("Port", r.Ports, o.ByName), topLinks("Tunnel", r.Tunnels, o.ByName), append([]string{topSessions(r)}, topPeers(r, o.ByName)...), topDrops(r, o.ByName)}
	var body []string
	if o.Section == TopAll {
		room := 0
		if o.Height > 0 {
			room = max(2, (o.Height-len(head)-len(sections))/len(sections))
		}
		spare := 0 // what a short section leaves to those after it
		for _, s := range sections {
			if room > 0 && len(s) > room+spare {
				spare, s = 0, append(slices.Clone(s[:room+spare-1]), fmt.Sprintf("  ... %d more", len(s)-(room+spare-1)))
			} else if room > 0 {
				spare += room - len(s)
			}
			body = append(append(body, ""), s...)
		}
	} else {
		body = append(body, "")
		body = append(body, sections[o.Section-1]...)
	}
	out := append(head, body...)
	if o.Height > 0 && len(out) > o.Height {
		out = out[:o.Height]
	}
	for k := range out {
		out[k] = plain(out[k])
		if runes := []rune(out[k]); o.Width > 0 && len(runes) > o.Width {
			out[k] = string(runes[:o.Width])
		}
	}
	return out
}

// plain is a line without control characters, which a terminal would follow.
func plain(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
}

func topTitle(r *Rates) string {
	name := r.Hostname
	if name == "" {
		name = "router"
	}
	profile := ""
	if r.Profile != "" {
		profile = ", as " + r.Profile
	}
	return fmt.Sprintf("%s  %s%s  up %s  %s, over %.1f s", name, r.Version, profile, elapsed(r.Uptime), r.Time.UTC().Format("15:04:05"), r.Interval.Seconds())
}

func topWorkers(r *Rates) []string {
	out := []string{"", "Worker   Load  Packets/s  Forwarded/s  Packets/poll  Cycles/packet  In links  Cycles/s  Restarts"}
	for _, w := range r.Workers {
		out = append(out, fmt.Sprintf("%6d %5.1f%% %10s %12s %13.1f %14.0f %9.0f %9s %9d", w.Worker, 100*w.Busy, scaled(w.Packets), scaled(w.Forwarded), w.PacketsAPoll, w.Cycles, w.LinkCycles, scaled(w.CyclesASecond), w.Restarts))
	}
	return out
}

func topLinks(what string, list []LinkRate, byName bool) []string {
	list = slices.Clone(list)
	if !byName {
		slices.SortStableFunc(list, func(a, b LinkRate) int { return byRate(a.Rx+a.Tx, b.Rx+b.Tx) })
	}
	last := "Lost/s"
	if what == "Tunnel" {
		last = "Peers up"
	}
	out := []string{fmt.Sprintf("%-18s Link   In pps  In bit/s  Out pps Out bit/s %9s", what, last)}
	for _, l := range list {
		state, end := "down", scaled(l.Lost)
		if l.Up {
			state = "up"
		}
		if what == "Tunnel" {
			end = fmt.Sprintf("%d/%d", l.PeersUp, l.Peers)
		}
		out = append(out, fmt.Sprintf("%-18s %-4s %8s %9s %8s %9s %9s", l.Name, state, scaled(l.Rx), scaled(l.RxBits), scaled(l.Tx), scaled(l.TxBits), end))
	}
	return out
}

func topSessions(r *Rates) string {
	var parts []string
	for _, s := range upStates {
		if n := r.Sessions[s.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	return fmt.Sprintf("Protected sessions: %s; %d IKE SAs, %d IPsec associations", strings.Join(parts, ", "), r.IKESAs, r.SAs)
}

func topPeers(r *Rates, byName bool) []string {
	list := slices.Clone(r.Peers)
	if byName {
		slices.SortStableFunc(list, func(a, b PeerRate) int { return strings.Compare(a.Tunnel+a.Address, b.Tunnel+b.Address) })
	}
	out := []string{"Peer             Tunnel      NBMA address                      State   Out pps Out bit/s"}
	for _, p := range list {
		out = append(out, fmt.Sprintf("%-16s %-11s %-33s %-6s %8s %9s", p.Address, p.Tunnel, p.NBMA, p.State, scaled(p.Tx), scaled(p.TxBits)))
	}
	return out
}

func topDrops(r *Rates, byName bool) []string {
	list := slices.Clone(r.Drops)
	if byName {
		slices.SortStableFunc(list, func(a, b DropRate) int { return strings.Compare(a.Reason, b.Reason) })
	}
	out := []string{"Dropped/s        Total  Reason                Why"}
	for _, d := range list {
		out = append(out, fmt.Sprintf("%9s %12d  %-21s %s", scaled(d.Rate), d.Total, d.Reason, d.Text))
	}
	if len(list) == 0 {
		out = append(out, "        0            0  none")
	}
	return out
}

func byRate(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

// scaled is a number of at most five characters: 0, 12, 1.2k, 340M.
func scaled(v float64) string {
	units := []string{"", "k", "M", "G", "T"}
	k := 0
	for v >= 999.5 && k < len(units)-1 {
		v /= 1000
		k++
	}
	switch {
	case v == 0:
		return "0"
	case v < 9.95 && (k > 0 || v < 1):
		return fmt.Sprintf("%.1f%s", v, units[k])
	}
	return fmt.Sprintf("%.0f%s", v, units[k])
}

// nbmaOf is where a peer is, as its adjacencies name it.
func nbmaOf(p *nhrp.PeerStatus) string { return nbma.Behind(p.NBMA, p.Inside).String() }

// TopKeys is the line below `nave top`: what the keys do, and what is wrong at the moment.
func TopKeys(o TopOptions, paused bool, err error) string {
	if err != nil {
		return " " + plain(err.Error()) + " "
	}
	sections := []string{"1 all", "2 ports", "3 tunnels", "4 peers", "5 drops"}
	sections[o.Section] = "[" + sections[o.Section] + "]"
	order := "s by name"
	if o.ByName {
		order = "s by rate"
	}
	pause := "p pause"
	if paused {
		pause = "p go on (paused)"
	}
	return " " + strings.Join(append(sections, order, pause, "q quit"), "  ") + " "
}
