// Package sink counts what arrives: packets, those that are missing, late or doubled, and how long they took.
package sink

import (
	"fmt"
	"strings"
	"time"

	"nave/perf/hist"
	"nave/perf/mix"
)

// Report is what arrived since the last reset.
type Report struct {
	Packets uint64 `json:"packets"` // IPv4, labelled or not
	Bytes   uint64 `json:"bytes"`   // of their Ethernet frames, without checksums
	Stamped uint64 `json:"stamped"` // those with a stamp, which the rest is about
	// Lost are sequence numbers between the first and the last that arrived which never did; how many are missing before and after only the sender knows.
	Lost uint64 `json:"lost"`
	// Reordered came after a packet that was sent later (RFC 4737 section 3.3). Packets that a device spreads over several queues may.
	Reordered  uint64       `json:"reordered"`
	Duplicates uint64       `json:"duplicates"`
	Other      uint64       `json:"other"`   // frames that were neither IPv4 nor labelled: the kernel's own
	Latency    hist.Summary `json:"latency"` // from the stamp to the receiver, of packets sent by this machine
	// Delays is all of Latency.
	Delays *hist.Hist `json:"-"`
}

// Text is a report in a few lines, of packets received in d.
func (r *Report) Text(d time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "received   %d packets, %d bytes", r.Packets, r.Bytes)
	if d > 0 {
		fmt.Fprintf(&b, ": %.4f Mpps, %.3f Gbit/s", float64(r.Packets)/d.Seconds()/1e6, float64(r.Bytes)*8/d.Seconds()/1e9)
	}
	fmt.Fprintf(&b, "\nstamped    %d: %d lost, %d reordered, %d twice\n", r.Stamped, r.Lost, r.Reordered, r.Duplicates)
	if l := r.Latency; l.Count > 0 {
		us := func(v int64) string { return fmt.Sprintf("%.1f", float64(v)/1e3) }
		fmt.Fprintf(&b, "latency    %s µs least, %s median, %s p99, %s p99.9, %s most\n", us(l.Min), us(l.P50), us(l.P99), us(l.P999), us(l.Max))
	}
	return b.String()
}

// window is how far back a second copy of a packet is found, packets.
const window = 1 << 16

// tooLong is the first delay that can only come from another machine's clock, nanoseconds; as in the XDP program.
const tooLong = 1 << 38

// Tally keeps count of frames. It is no goroutine's to share.
type Tally struct {
	r           Report
	delays      hist.Hist
	first, next uint64 // sequence numbers: of the first packet, plus one, and behind the last
	seen        [window]uint64
}

// Reset forgets everything but the order of sequence numbers: what was sent before comes late.
func (t *Tally) Reset() {
	t.r, t.delays, t.first = Report{}, hist.Hist{}, 0
}

// Frame counts one frame that arrived at time now of mix.Now.
func (t *Tally) Frame(b []byte, now int64) {
	if mix.Strip(b) == nil {
		t.r.Other++
		return
	}
	t.r.Packets++
	t.r.Bytes += uint64(len(b))
	s, ok := mix.ReadStamp(b)
	if !ok {
		return
	}
	t.r.Stamped++
	if d := now - s.Time; d >= 0 && d < tooLong {
		t.delays.Add(d)
	}
	switch w := &t.seen[s.Seq%window]; {
	case *w == s.Seq+1:
		t.r.Duplicates++
		return
	default:
		*w = s.Seq + 1
	}
	if t.first == 0 {
		t.first = s.Seq + 1
	}
	if s.Seq < t.next {
		t.r.Reordered++
	} else {
		t.next = s.Seq + 1
	}
}

// Report is the count so far.
func (t *Tally) Report() Report {
	r := t.r
	h := t.delays
	r.Delays = &h
	r.Latency = h.Summary()
	r.Lost = Missing(t.first, t.next, r.Stamped-r.Duplicates)
	return r
}

// Missing is how many of the sequence numbers from first-1 up to next did not come, where unique ones did. A packet older than the first one
// makes it one too few.
func Missing(first, next, unique uint64) uint64 {
	if first == 0 || next+1 < first {
		return 0
	}
	if all := next + 1 - first; all > unique {
		return all - unique
	}
	return 0
}
