package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath/host/nic"
)

// Port is a netdev as a port.
type Port struct {
	Name   string
	Netdev string
	ID     fib.PortID
	MAC    [6]byte
	MTU    int
	Up     bool
	Native bool // the driver runs the XDP program
	Queues []Queue
	Relays []Relay
	// NIC is what the card has and how it spreads packets; nil where it was not asked.
	NIC *nic.State
	// HandsOver: what comes in is handed over to the worker that its flow belongs to. WhyHandOver says why, or why not.
	HandsOver   bool
	WhyHandOver string
}

// Queue is one queue of a port.
type Queue struct {
	Queue    int
	Worker   int
	ZeroCopy bool
	CopyWhy  string // why there is no zero-copy
	BusyPoll int    // microseconds; 0: off
	BusyWhy  string // why it is off, where it was asked for
	Ring     int    // entries of each ring of the socket
	Stats    afxdp.Stats
}

// Relay is a worker without a queue of a port, and the one that it sends by.
type Relay struct {
	Worker int
	Via    int
}

// Memory is where the packets of a worker lie.
type Memory struct {
	Worker int
	Huge   bool
	Why    string // why not in huge pages
	Pages  int    // huge pages that it takes, or would
}

// Ports is `show ports`: how packets come to the workers, port by port.
func Ports(s *Status, name string) string {
	var b strings.Builder
	for k := range s.Ports {
		if p := &s.Ports[k]; name == "" || p.Name == name {
			s.onePort(&b, p)
		}
	}
	if name == "" {
		memory(&b, s.Memory)
	}
	return b.String()
}

func (s *Status) onePort(b *strings.Builder, p *Port) {
	state := "down"
	if p.Up {
		state = "up"
	}
	fmt.Fprintf(b, "%s is %s, netdev %s, address is %s, MTU %d bytes\n", p.Name, state, p.Netdev, mac(p.MAC), p.MTU)
	xdp := "generic: the driver has no XDP of its own"
	if p.Native {
		xdp = "native"
	}
	fmt.Fprintf(b, "  XDP %s; %s\n", xdp, p.mode())
	if p.NIC != nil {
		card(b, p.NIC)
	}
	hand := "off"
	if p.HandsOver {
		hand = "on"
	}
	if p.WhyHandOver != "" {
		hand += ": " + p.WhyHandOver
	}
	fmt.Fprintf(b, "  Hand-over between workers %s\n", hand)
	if p.HandsOver && len(s.Shares) > 0 {
		fmt.Fprintf(b, "    Shares of the workers: %s\n", shares(s.Shares))
	}
	n := s.Fastpath.Ports[p.ID]
	fmt.Fprintf(b, "  %d packets input, %d packets output\n", n.Rx.Packets, n.Tx.Packets)
	fmt.Fprintf(b, "  %5s  %6s  %-9s  %-9s  %5s %12s %12s %12s %12s %12s %10s\n", "Queue", "Worker", "Mode", "Busy poll", "Ring",
		"Wakeups", "Send errors", "Dropped", "Ring full", "Fill empty", "Invalid")
	for _, q := range p.Queues {
		mode, busy := "copy", "off"
		if q.ZeroCopy {
			mode = "zero copy"
		}
		if q.BusyPoll > 0 {
			busy = fmt.Sprintf("%d us", q.BusyPoll)
		}
		fmt.Fprintf(b, "  %5d  %6d  %-9s  %-9s  %5d %12d %12d %12d %12d %12d %10d\n", q.Queue, q.Worker, mode, busy, q.Ring,
			q.Stats.Wakeups, q.Stats.SendErrors, q.Stats.Dropped, q.Stats.RingFull, q.Stats.FillEmpty, q.Stats.Invalid)
	}
	for _, r := range p.Relays {
		fmt.Fprintf(b, "  Worker %d has no queue and sends through worker %d\n", r.Worker, r.Via)
	}
}

// shares is how much of the flows each worker has, in hundredths.
func shares(buckets []int) string {
	sum := 0
	for _, n := range buckets {
		sum += n
	}
	var parts []string
	for _, n := range buckets {
		parts = append(parts, fmt.Sprintf("%.0f%%", 100*ratio(uint64(n), uint64(sum))))
	}
	return strings.Join(parts, " ")
}

// mode says how the sockets work, and why not better.
func (p *Port) mode() string {
	zero, why, busy := len(p.Queues) > 0, "", ""
	for _, q := range p.Queues {
		zero = zero && q.ZeroCopy
		why, busy = cmp.Or(why, q.CopyWhy), cmp.Or(busy, q.BusyWhy)
	}
	text := "AF_XDP zero copy"
	if !zero {
		text = "AF_XDP copy"
		if why != "" {
			text += ", no zero copy: " + why
		}
	}
	if busy != "" {
		text += "; no busy polling: " + busy
	}
	return text
}

// card says what the network card has.
func card(b *strings.Builder, n *nic.State) {
	fmt.Fprintf(b, "  Driver %s", cmp.Or(n.Driver.Name, "unknown"))
	for _, d := range []struct{ what, is string }{{"version", n.Driver.Version}, {"firmware", n.Driver.Firmware}, {"at", n.Driver.Bus}} {
		if d.is != "" {
			fmt.Fprintf(b, ", %s %s", d.what, d.is)
		}
	}
	fmt.Fprintf(b, "; zero copy %s\n", n.ZeroCopy)
	c, r := n.Channels, n.Rings
	fmt.Fprintf(b, "  Channels: %s; descriptors: RX %s, TX %s\n", channels(c), of(r.RX, r.MaxRX), of(r.TX, r.MaxTX))
	fmt.Fprintf(b, "  RSS %s\n", outcome(n.RSS))
	for _, f := range sortedKeys(n.Fields) {
		fmt.Fprintf(b, "    Hash of %-4s %s\n", f, n.Fields[f])
	}
	fmt.Fprintf(b, "  Filter rules %s", outcome(n.NTuple))
	if n.NTuple.Done {
		fmt.Fprintf(b, ", %d in the card, %d refused", n.Rules, n.Refused)
	}
	b.WriteString("\n")
}

func channels(c nic.Channels) string {
	var parts []string
	for _, k := range []struct {
		name   string
		n, max int
	}{{"combined", c.Combined, c.MaxCombined}, {"RX", c.RX, c.MaxRX}, {"TX", c.TX, c.MaxTX}} {
		if k.max > 0 {
			parts = append(parts, k.name+" "+of(k.n, k.max))
		}
	}
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}

// of is a number and the most that it can be; both are 0 where nobody knows.
func of(n, most int) string {
	if most == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d of %d", n, most)
}

func outcome(o nic.Outcome) string {
	switch {
	case o.Done && o.What != "":
		return "programmed: " + o.What
	case o.Done:
		return "programmed"
	}
	return "not programmed: " + o.Why
}

// memory says where packets lie, and what to set for huge pages.
func memory(b *strings.Builder, list []Memory) {
	lacking := 0
	for _, m := range list {
		if m.Huge {
			fmt.Fprintf(b, "Packets of worker %d lie in %d huge pages of 2 MiB\n", m.Worker, m.Pages)
			continue
		}
		lacking += m.Pages
		fmt.Fprintf(b, "Packets of worker %d lie in ordinary pages: %s\n", m.Worker, m.Why)
	}
	if lacking > 0 {
		fmt.Fprintf(b, "For huge pages set vm.nr_hugepages to %d more, and restart naved\n", lacking)
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Status) portsJSON(name string) any {
	ports := make([]map[string]any, 0, len(s.Ports))
	for _, p := range s.Ports {
		if name != "" && p.Name != name {
			continue
		}
		queues := make([]map[string]any, 0, len(p.Queues))
		for _, q := range p.Queues {
			row := map[string]any{
				"queue": q.Queue, "worker": q.Worker, "zero_copy": q.ZeroCopy, "busy_poll_us": q.BusyPoll, "ring": q.Ring, "wakeups": q.Stats.Wakeups,
				"send_errors": q.Stats.SendErrors, "kernel_drops": q.Stats.Dropped, "ring_full": q.Stats.RingFull,
				"fill_empty": q.Stats.FillEmpty, "tx_empty": q.Stats.TxEmpty, "invalid": q.Stats.Invalid,
			}
			for k, why := range map[string]string{"copy_why": q.CopyWhy, "busy_poll_why_not": q.BusyWhy} {
				if why != "" {
					row[k] = why
				}
			}
			queues = append(queues, row)
		}
		relays := make([]map[string]any, 0)
		for _, r := range p.Relays {
			relays = append(relays, map[string]any{"worker": r.Worker, "via": r.Via})
		}
		ports = append(ports, map[string]any{
			"name": p.Name, "netdev": p.Netdev, "mac": mac(p.MAC), "mtu": p.MTU, "up": p.Up, "native": p.Native, "queues": queues, "relays": relays,
			"card": p.NIC, "hand_over": p.HandsOver, "hand_over_why": p.WhyHandOver, "traffic": s.Fastpath.Ports[p.ID],
		})
	}
	memory := make([]map[string]any, 0)
	for _, m := range s.Memory {
		memory = append(memory, map[string]any{"worker": m.Worker, "huge": m.Huge, "why_not": m.Why, "huge_pages": m.Pages})
	}
	return map[string]any{"ports": ports, "memory": memory, "shares": append([]int{}, s.Shares...)}
}
