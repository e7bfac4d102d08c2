package show

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nave/ctl/probe"
)

// pingLine is how many marks IOS puts on a line.
const pingLine = 70

// Probing is the text of a ping or traceroute, bit by bit as answers come.
type Probing struct {
	r              probe.Request
	answers        []probe.Answer
	sent, received int
	min, max, sum  time.Duration
	ttl            int // the hop whose line stands open
	from           netip.Addr
}

// keptAnswers bounds what is kept for JSON: a ping of days would fill the memory otherwise.
const keptAnswers = 10000

// Begin is the head, for a request as the box carries it out.
func (p *Probing) Begin(r probe.Request) string {
	*p = Probing{r: r}
	var b strings.Builder
	b.WriteString("Type escape sequence to abort.\n")
	if r.Trace {
		fmt.Fprintf(&b, "Tracing the route to %v\n", r.Target)
		if r.VRF != "" {
			fmt.Fprintf(&b, "VRF info: (vrf in name/id, vrf out name/id) %s\n", r.VRF)
		}
		b.WriteByte('\n')
		return b.String()
	}
	fmt.Fprintf(&b, "Sending %d, %d-byte ICMP Echos to %v, timeout is %d seconds:\n", r.Repeat, r.Size, r.Target, int(r.Timeout/time.Second))
	if r.Source.IsValid() {
		fmt.Fprintf(&b, "Packet sent with a source address of %v\n", r.Source)
	}
	if r.DF {
		b.WriteString("Packet sent with the DF bit set\n")
	}
	return b.String()
}

// pingMarks are what IOS writes for each answer to a ping.
var pingMarks = map[probe.Kind]string{
	probe.Reply: "!", probe.Timeout: ".", probe.Unsent: ".", probe.Unreachable: "U", probe.TooBig: "M", probe.Quench: "Q", probe.Exceeded: "&", probe.Other: "?",
}

// Answer is what an answer adds.
func (p *Probing) Answer(a probe.Answer) string {
	if len(p.answers) < keptAnswers {
		p.answers = append(p.answers, a)
	}
	p.sent++
	if a.Kind == probe.Reply {
		p.received++
		if p.received == 1 || a.RTT < p.min {
			p.min = a.RTT
		}
		p.max = max(p.max, a.RTT)
		p.sum += a.RTT
	}
	if p.r.Trace {
		return p.hop(a)
	}
	mark := pingMarks[a.Kind]
	if p.sent%pingLine == 0 {
		mark += "\n"
	}
	return mark
}

// hop is a probe of a trace: a line a hop, and one more whenever somebody else answers.
func (p *Probing) hop(a probe.Answer) string {
	var b strings.Builder
	if a.TTL != p.ttl {
		if p.ttl != 0 || len(p.answers) > 1 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%3d ", a.TTL)
		p.ttl, p.from = a.TTL, netip.Addr{}
	}
	if !a.From.IsValid() {
		b.WriteString(" *")
		if a.Why != "" && a.Seq == 1 {
			fmt.Fprintf(&b, " (%s)", a.Why)
		}
		return b.String()
	}
	if a.From != p.from {
		switch {
		case p.from.IsValid():
			b.WriteString("\n    ")
		case a.Seq > 1: // behind what was not answered
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%v%s", a.From, labelsOf(a.Labels))
		p.from = a.From
	}
	if mark := traceMark(a); mark != "" {
		b.WriteString(" " + mark)
	} else {
		fmt.Fprintf(&b, " %d msec", milliseconds(a.RTT))
	}
	return b.String()
}

// traceMark is what IOS writes instead of a time where a hop does not pass a packet on.
func traceMark(a probe.Answer) string {
	switch a.Kind {
	case probe.TooBig:
		return "!M"
	case probe.Quench:
		return "!Q"
	case probe.Other:
		return "?"
	case probe.Unreachable:
	default:
		return ""
	}
	switch a.Code {
	case 0, 5, 6, 11:
		return "!N"
	case 2:
		return "!P"
	case 3:
		return "!U"
	case 9, 10, 13:
		return "!A"
	}
	return "!H"
}

// labelsOf are the labels that a packet had, as RFC 4950 has them told.
func labelsOf(list []probe.Label) string {
	if len(list) == 0 {
		return ""
	}
	var values []string
	for _, l := range list {
		values = append(values, fmt.Sprint(l.Value))
	}
	word := "Label"
	if len(list) > 1 {
		word = "Labels"
	}
	return fmt.Sprintf(" [MPLS: %s %s Exp %d]", word, strings.Join(values, "/"), list[0].Exp)
}

// milliseconds rounds up, as a time of 0 ms would be none.
func milliseconds(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond/2)/time.Millisecond))
}

// End is the foot.
func (p *Probing) End() string {
	if p.r.Trace {
		if p.sent == 0 {
			return ""
		}
		return "\n"
	}
	out := ""
	if p.sent%pingLine != 0 {
		out = "\n"
	}
	percent := 0
	if p.sent > 0 {
		percent = 100 * p.received / p.sent
	}
	out += fmt.Sprintf("Success rate is %d percent (%d/%d)", percent, p.received, p.sent)
	if p.received > 0 {
		out += fmt.Sprintf(", round-trip min/avg/max = %d/%d/%d ms", milliseconds(p.min), milliseconds(p.sum/time.Duration(p.received)), milliseconds(p.max))
	}
	return out + "\n"
}

// Received is how many answers the target has given.
func (p *Probing) Received() int { return p.received }

// jsonProbe is one packet of a ping or traceroute.
type jsonProbe struct {
	Seq    int        `json:"seq"`
	Hop    int        `json:"hop,omitempty"`
	Result string     `json:"result"`
	Code   *int       `json:"code,omitempty"`
	From   netip.Addr `json:"from,omitzero"`
	RTT    float64    `json:"rtt_ms,omitempty"`
	MTU    int        `json:"mtu,omitempty"`
	Labels []uint32   `json:"labels,omitempty"`
	Why    string     `json:"why,omitempty"`
}

// JSON is the whole as values: docs/operations.md has the names.
func (p *Probing) JSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	v := struct {
		Target   netip.Addr  `json:"target"`
		VRF      string      `json:"vrf,omitempty"`
		Source   netip.Addr  `json:"source,omitzero"`
		Size     int         `json:"size,omitempty"`
		Sent     int         `json:"sent"`
		Received int         `json:"received"`
		Min      float64     `json:"min_ms,omitempty"`
		Avg      float64     `json:"avg_ms,omitempty"`
		Max      float64     `json:"max_ms,omitempty"`
		Probes   []jsonProbe `json:"probes"`
	}{Target: p.r.Target, VRF: p.r.VRF, Source: p.r.Source, Sent: p.sent, Received: p.received, Probes: []jsonProbe{}}
	if !p.r.Trace {
		v.Size = p.r.Size
		if p.received > 0 {
			v.Min, v.Avg, v.Max = ms(p.min), ms(p.sum/time.Duration(p.received)), ms(p.max)
		}
	}
	for _, a := range p.answers {
		j := jsonProbe{Seq: a.Seq, Hop: a.TTL, Result: string(a.Kind), From: a.From, RTT: ms(a.RTT), MTU: a.MTU, Why: a.Why}
		if a.Kind == probe.Unreachable {
			j.Code = &a.Code
		}
		for _, l := range a.Labels {
			j.Labels = append(j.Labels, l.Value)
		}
		v.Probes = append(v.Probes, j)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
