// Package gen sends packets of a mix at a rate: a Sender is any driver that can, Port the one for every port.Port.
package gen

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"nave/perf/mix"
)

// Load is what to send, besides the packets themselves. It ends with Count, Duration or the context, whichever comes first.
type Load struct {
	Rate     Rate
	Count    uint64        // packets; 0: no limit
	Duration time.Duration // 0: no limit
	NoStamps bool          // leave the packets without stamps
}

// Sent is what a run has sent.
type Sent struct {
	Packets uint64        `json:"packets"`
	Bytes   uint64        `json:"bytes"` // of Ethernet frames without their checksums
	First   uint64        `json:"first"` // sequence number of the first packet
	Took    time.Duration `json:"took_ns"`
}

// PPS is the rate that was kept, packets a second.
func (s Sent) PPS() float64 {
	if s.Took <= 0 {
		return 0
	}
	return float64(s.Packets) / s.Took.Seconds()
}

// Sender sends the packets of one train. Send blocks until the load has ended; a context that ends is no error. One Send at a time.
type Sender interface {
	Send(ctx context.Context, l Load) (Sent, error)
	Close() error
}

// Rate is packets a second, or bits a second on the wire. The zero value is as fast as the driver can.
type Rate struct {
	PPS  float64
	Bits float64
}

// onWire is what a frame takes on the wire beyond its bytes without checksum: that, preamble and gap.
const onWire = 24

// Packets is the rate in packets a second, for frames of a train; 0 for as fast as can be.
func (r Rate) Packets(t *mix.Train) float64 {
	if r.Bits == 0 {
		return r.PPS
	}
	return r.Bits / 8 / (float64(t.Bytes)/float64(len(t.Slots)) + onWire)
}

// String is the rate as ParseRate reads it.
func (r Rate) String() string {
	switch {
	case r.Bits > 0:
		return scaled(r.Bits) + "bit/s"
	case r.PPS > 0:
		return scaled(r.PPS) + "pps"
	}
	return "max"
}

func scaled(v float64) string {
	for _, s := range []struct {
		unit string
		by   float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if v >= s.by {
			return strconv.FormatFloat(v/s.by, 'g', 5, 64) + s.unit
		}
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

// ParseRate reads "max", "1.5Mpps", "200kpps", "64pps" or "10Gbit/s".
func ParseRate(text string) (Rate, error) {
	if text == "max" {
		return Rate{}, nil
	}
	var r Rate
	dst, num := &r.PPS, ""
	switch {
	case strings.HasSuffix(text, "pps"):
		num = strings.TrimSuffix(text, "pps")
	case strings.HasSuffix(text, "bit/s"):
		dst, num = &r.Bits, strings.TrimSuffix(text, "bit/s")
	default:
		return r, fmt.Errorf("rate %q: want max, 1.5Mpps or 10Gbit/s", text)
	}
	by := 1.0
	for unit, v := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutSuffix(num, unit); ok {
			num, by = rest, v
			break
		}
	}
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !(v*by >= 0.01) || v*by > 1e13 {
		return r, fmt.Errorf("rate %q: want max, 1.5Mpps or 10Gbit/s", text)
	}
	*dst = v * by
	return r, nil
}

// FirstSeq is a sequence number that is higher than those of earlier runs on this machine, so that a receiver which goes on takes none of the new
// packets for old ones.
func FirstSeq() uint64 { return uint64(mix.Now()) / 64 & (1<<47 - 1) }

// Slack is how far pacing may fall behind before what it missed is given up: else a generator that was held up would send a burst that nobody asked for.
const Slack = 200 * time.Microsecond
