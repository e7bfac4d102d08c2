package show

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"nave/ctl/capture"
)

// CaptureBegin says what a capture begins with. file is where the packets go; empty: to the terminal.
func CaptureBegin(r *capture.Request, file string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Capturing on %s (%s", r.Interface, r.What)
	if r.Reason != "" {
		fmt.Fprintf(&b, ", %s", r.Reason)
	}
	b.WriteByte(')')
	if file != "" {
		fmt.Fprintf(&b, " into %s", file)
	}
	fmt.Fprintf(&b, ", at most %d packets, %v, %s. ^C ends it.\n", r.Count, r.Duration, byteCount(r.Bytes))
	return b.String()
}

// byteCount is a number of bytes in the largest unit that it is a whole number of.
func byteCount(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// CaptureEnd says what came of a capture.
func CaptureEnd(s *capture.Summary) string {
	why := map[string]string{
		capture.WhyCount: "as many as wanted", capture.WhyDuration: "the time is over", capture.WhyBytes: "as many bytes as wanted", capture.WhyStopped: "stopped",
	}[s.Why]
	text := fmt.Sprintf("%d packets captured in %v, %d bytes (%s)\n", s.Packets, s.Took.Round(time.Millisecond), s.Bytes, why)
	if s.Lost > 0 {
		text += fmt.Sprintf("%d copies were lost, as they came faster than they could be taken; the packets themselves were not. A filter or a snaplen helps.\n", s.Lost)
	}
	return text
}

// CaptureJSON is a captured packet, or the summary in the end, as a line of JSON.
func CaptureJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return append(b, '\n'), nil
}

// CapturedPacket is a line about a captured packet.
func CapturedPacket(p *capture.Packet) string {
	way := "in"
	switch {
	case p.Point == capture.Dropped:
		way = "drop"
	case p.Point == capture.Punted:
		way = "punt"
	case p.Out:
		way = "out"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %-4s ", p.Time.Format("15:04:05.000000"), p.Interface, way)
	if p.VLAN != 0 {
		fmt.Fprintf(&b, "vlan %d ", p.VLAN)
	}
	for _, l := range p.Labels {
		fmt.Fprintf(&b, "label %d ", l)
	}
	b.WriteString(capturedHeaders(p))
	fmt.Fprintf(&b, ", %d bytes", p.Length)
	for _, c := range p.Comments() {
		b.WriteString(", " + c)
	}
	b.WriteByte('\n')
	return b.String()
}

var etherTypes = map[uint16]string{0x0806: "ARP", 0x86dd: "IPv6", 0x2001: "NHRP", 0x8847: "MPLS", 0x0800: "IPv4, broken", 0x88cc: "LLDP"}

// capturedHeaders is what the headers of a packet say.
func capturedHeaders(p *capture.Packet) string {
	if !p.Src.IsValid() {
		if name, ok := etherTypes[p.Type]; ok {
			return name
		}
		if p.Type == 0 {
			return "no header"
		}
		return fmt.Sprintf("type 0x%04x", p.Type)
	}
	src, dst := p.Src.String(), p.Dst.String()
	if p.SrcPort|p.DstPort != 0 {
		src, dst = fmt.Sprintf("%s:%d", src, p.SrcPort), fmt.Sprintf("%s:%d", dst, p.DstPort)
	}
	text := fmt.Sprintf("%s > %s %s", src, dst, strings.ToLower(protocolName(p.Protocol)))
	switch {
	case p.ICMP != nil:
		text += " " + icmpName(*p.ICMP)
	case p.SPI != 0:
		text += fmt.Sprintf(" spi 0x%08x seq %d", p.SPI, p.Sequence)
	}
	if p.Offset != 0 || p.More {
		text += fmt.Sprintf(" fragment at %d", p.Offset)
		if p.More {
			text += "+"
		}
	}
	return text
}

func icmpName(i capture.ICMP) string {
	switch {
	case i == capture.ICMP{Type: 0}:
		return "echo reply"
	case i == capture.ICMP{Type: 8}:
		return "echo request"
	case i == capture.ICMP{Type: 3, Code: 4}:
		return "fragmentation needed"
	case i.Type == 3:
		return fmt.Sprintf("unreachable (code %d)", i.Code)
	case i == capture.ICMP{Type: 11}:
		return "time exceeded"
	case i.Type == 5:
		return "redirect"
	}
	return fmt.Sprintf("type %d code %d", i.Type, i.Code)
}
