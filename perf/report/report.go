// Package report is what a measurement of the path says: rows of numbers, as a text table, JSON, or a page with plots.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Size is the length of the inner IPv4 packets of a row in bytes, or IMIX.
type Size int

// IMIX is the mix of sizes of the Internet: 7 packets of 40 bytes to 4 of 576 and 1 of 1500, or of as much as the path takes.
const IMIX Size = 0

// String is the number, or imix.
func (s Size) String() string {
	if s == IMIX {
		return "imix"
	}
	return strconv.Itoa(int(s))
}

// MarshalJSON writes a number of bytes as a number and IMIX as a string.
func (s Size) MarshalJSON() ([]byte, error) {
	if s == IMIX {
		return []byte(`"imix"`), nil
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Size) UnmarshalJSON(b []byte) error {
	if string(b) == `"imix"` {
		*s = IMIX
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n <= 0 {
		return fmt.Errorf("size %s: want a number of bytes, or \"imix\"", b)
	}
	*s = Size(n)
	return nil
}

// Row is one measurement. Numbers are medians of several short runs.
type Row struct {
	Work      string `json:"work"`      // ipv4, gre-encap, gre-decap, esp-encap, esp-decap, hairpin, mpls-push, mpls-swap, mpls-pop; with prices like ipv4+zero
	Transform string `json:"transform"` // like aes-128-gcm; empty where nothing is sealed
	Size      Size   `json:"size"`      // of the inner packets
	Tunnels   int    `json:"tunnels"`   // peers, each with its own route, adjacency and associations

	TicksPerPacket  float64 `json:"ticks_per_packet"` // of the time stamp counter
	NsPerPacket     float64 `json:"ns_per_packet"`
	Mpps            float64 `json:"mpps"` // millions of packets a second, of one worker
	Gbps            float64 `json:"gbps"` // of inner packets, 10⁹ bits a second
	AllocsPerPacket float64 `json:"allocs_per_packet"`
	// Spread is between the quartiles of the runs, as a share of their median: what another measurement may differ by without anything having changed.
	Spread float64 `json:"spread"`

	Burst          int     `json:"burst"`            // packets a burst
	P999BurstTicks float64 `json:"p999_burst_ticks"` // that 99.9 % of all bursts stayed under
	SetAside       float64 `json:"set_aside"`        // share of the bursts that took more than twice the median, as when the machine did something else meanwhile: not in the rest, but in P999BurstTicks
}

// Key names what was measured: two rows of the same key compare.
func (r *Row) Key() string {
	name := r.Work
	if r.Transform != "" {
		name += "/" + r.Transform
	}
	return name + "/" + r.Size.String() + "/" + strconv.Itoa(r.Tunnels)
}

// Fill works out what follows from TicksPerPacket: time, rate, and bits by the mean length of the packets in bytes.
func (r *Row) Fill(hz, meanBytes float64) {
	r.NsPerPacket = r.TicksPerPacket / hz * 1e9
	r.Mpps = hz / r.TicksPerPacket / 1e6
	r.Gbps = r.Mpps * meanBytes * 8 / 1e3
}

// Report is the rows of one run of the program on one machine.
type Report struct {
	CPU   string  `json:"cpu"`
	TSCHz float64 `json:"tsc_hz"` // ticks a second
	Cold  bool    `json:"cold"`   // packets came from memory that the caches did not hold
	Rows  []Row   `json:"rows"`
}

// What numbers of a report can be: nothing forwards a packet in less than a tick, or takes minutes.
const (
	leastTicks = 0.1
	mostTicks  = 1e12
	mostSpread = 1e6
)

// Read reads a report in JSON, and refuses one whose numbers can not be: rows that name nothing, and what no measurement comes to.
func Read(in io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if !(r.TSCHz > 0) || len(r.Rows) == 0 {
		return nil, fmt.Errorf("report: tsc_hz %g and %d rows: this is no report of naveperf path --json", r.TSCHz, len(r.Rows))
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		switch {
		case row.Work == "" || row.Tunnels < 1:
			return nil, fmt.Errorf("report: row %d (%s): work and tunnels are wanted", i, row.Key())
		case !(row.TicksPerPacket >= leastTicks && row.TicksPerPacket <= mostTicks):
			return nil, fmt.Errorf("report: row %d (%s): ticks_per_packet %g: want %g to %g", i, row.Key(), row.TicksPerPacket, leastTicks, mostTicks)
		case !(row.Spread >= 0 && row.Spread <= mostSpread):
			return nil, fmt.Errorf("report: row %d (%s): spread %g: want 0 to %g", i, row.Key(), row.Spread, mostSpread)
		}
	}
	return r, nil
}

// JSON writes the report.
func (r *Report) JSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// head is the heading of the text table, above columns of Line.
const head = "work           transform            size tunnels   ticks       ns    Mpps   Gbit/s  allocs  p99.9 burst  spread\n"

// Head writes what stands above the lines: the machine, and the names of the columns.
func (r *Report) Head(out io.Writer) error {
	warm := "packets warm in the caches"
	if r.Cold {
		warm = "packets cold"
	}
	_, err := fmt.Fprintf(out, "%s, time stamp counter %.3f GHz, one worker, %s; ticks and ns a packet\n%s", r.CPU, r.TSCHz/1e9, warm, head)
	return err
}

// Line writes one row of the table.
func (r *Row) Line(out io.Writer) error {
	transform := r.Transform
	if transform == "" {
		transform = "-"
	}
	_, err := fmt.Fprintf(out, "%-14s %-20s %4s %7d %7.1f %8.1f %7.3f %8.2f %7s %12.0f %6.1f%%\n",
		r.Work, transform, r.Size, r.Tunnels, r.TicksPerPacket, r.NsPerPacket, r.Mpps, r.Gbps, allocs(r.AllocsPerPacket), r.P999BurstTicks, 100*r.Spread)
	return err
}

// allocs shows none as 0, and a few as what they are.
func allocs(n float64) string {
	if n == 0 {
		return "0"
	}
	return strings.TrimPrefix(strconv.FormatFloat(n, 'g', 2, 64), "+")
}

// Text writes the whole table.
func (r *Report) Text(out io.Writer) error {
	if err := r.Head(out); err != nil {
		return err
	}
	for i := range r.Rows {
		if err := r.Rows[i].Line(out); err != nil {
			return err
		}
	}
	return nil
}
