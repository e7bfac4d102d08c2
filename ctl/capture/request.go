// Package capture is a capture of packets as an operator asks for it and gets it: the request and its filter in words, the packets as values, the file in pcapng. Where the
// packets come from is package fastpath's business, and by what names interfaces are known is told by who runs the capture.
//
//	request.go   what is asked for, in words and as a value, with its bounds
//	filter.go    the filter language, compiled to the tests that workers make
//	packet.go    a copy as a value: what its headers say
//	file.go      copies as a pcapng file
//	session.go   a capture from its first copy to its last: bounds, counts, names
package capture

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"nave/fastpath"
)

// What of an interface a capture is of.
const (
	Both  = "both"  // what comes in and what goes out
	In    = "in"    // what comes in: on a port as it was received, of a tunnel as it came out of it
	Out   = "out"   // what goes out: on a port as it is sent, of a tunnel before it goes in
	Drops = "drops" // what is dropped
	Punts = "punts" // what the control plane gets
	All   = "all"   // everything of these
)

// Any is the name for all interfaces.
const Any = "any"

// Bounds of a capture, and what holds where nothing is said.
const (
	MaxCount     = 10_000_000
	MaxDuration  = 24 * time.Hour
	MaxBytes     = 4 << 30
	MaxSnaplen   = 1 << 16
	MinSnaplen   = 14
	DefaultCount = 10_000
	DefaultTime  = time.Minute
	DefaultBytes = 100 << 20
)

// Request is a capture that is asked for. Its JSON is what the API takes.
type Request struct {
	Interface string        `json:"interface"`          // or Any
	What      string        `json:"what,omitempty"`     // Both where it is empty
	Reason    string        `json:"reason,omitempty"`   // of drops and punts, by its short name; empty: all
	Filter    string        `json:"filter,omitempty"`   // in the language of filter.go; empty: all packets
	Count     int           `json:"count,omitempty"`    // packets
	Duration  time.Duration `json:"duration,omitempty"` // nanoseconds
	Bytes     int64         `json:"bytes,omitempty"`    // of packets, as far as they are copied
	Snaplen   int           `json:"snaplen,omitempty"`  // bytes of each packet that are copied; 0: all
	// File asks for the packets as a file in pcapng; otherwise they come as values.
	File bool `json:"file,omitempty"`
}

var points = map[string]fastpath.CapturePoint{
	In:    fastpath.CaptureRx | fastpath.CaptureTunnelIn,
	Out:   fastpath.CaptureTx | fastpath.CaptureTunnelOut,
	Both:  fastpath.CaptureRx | fastpath.CaptureTunnelIn | fastpath.CaptureTx | fastpath.CaptureTunnelOut,
	Drops: fastpath.CaptureDrop,
	Punts: fastpath.CapturePunt,
	All:   fastpath.CaptureRx | fastpath.CaptureTunnelIn | fastpath.CaptureTx | fastpath.CaptureTunnelOut | fastpath.CaptureDrop | fastpath.CapturePunt,
}

// Complete fills in what was not said, and says what is wrong with the rest.
func (r *Request) Complete() error {
	if r.What == "" {
		r.What = Both
	}
	if r.Count == 0 {
		r.Count = DefaultCount
	}
	if r.Duration == 0 {
		r.Duration = DefaultTime
	}
	if r.Bytes == 0 {
		r.Bytes = DefaultBytes
	}
	switch {
	case r.Interface == "":
		return errors.New("capture: which interface? `any` is all of them")
	case points[r.What] == 0:
		return fmt.Errorf("capture: %q is not in, out, both, drops, punts or all", r.What)
	case r.Count < 0 || r.Count > MaxCount:
		return fmt.Errorf("capture: count %d: want 1 to %d packets", r.Count, MaxCount)
	case r.Duration < 0 || r.Duration > MaxDuration:
		return fmt.Errorf("capture: duration %v: want up to %v", r.Duration, MaxDuration)
	case r.Bytes < 0 || r.Bytes > MaxBytes:
		return fmt.Errorf("capture: %d bytes: want up to %d", r.Bytes, int64(MaxBytes))
	case r.Snaplen != 0 && (r.Snaplen < MinSnaplen || r.Snaplen > MaxSnaplen):
		return fmt.Errorf("capture: snaplen %d: want %d to %d bytes, or 0 for whole packets", r.Snaplen, MinSnaplen, MaxSnaplen)
	}
	if r.Reason != "" {
		reason, ok := ReasonNamed(r.Reason)
		if !ok {
			return fmt.Errorf("capture: no packet is dropped or punted for %q; `show fastpath` lists the reasons", r.Reason)
		}
		if points[r.What]&(fastpath.CaptureDrop|fastpath.CapturePunt) == 0 || reason.Class() == fastpath.ClassCopy {
			return fmt.Errorf("capture: a reason (%s) goes with drops or punts", r.Reason)
		}
	}
	_, err := Compile(r.Filter)
	return err
}

// Worker is what workers are asked for, but for the interface and the time. r is complete.
func (r *Request) Worker() (fastpath.CaptureRequest, error) {
	steps, err := Compile(r.Filter)
	if err != nil {
		return fastpath.CaptureRequest{}, err
	}
	reason, _ := ReasonNamed(r.Reason)
	return fastpath.CaptureRequest{Points: points[r.What], Reason: reason, Filter: steps, Snaplen: r.Snaplen, Most: uint64(r.Count)}, nil
}

// ReasonNamed finds a reason by its short name.
func ReasonNamed(name string) (fastpath.Reason, bool) {
	for i := 1; i < fastpath.NumReasons; i++ {
		if r := fastpath.Reason(i); r.String() == name {
			return r, true
		}
	}
	return fastpath.Unknown, false
}

// String is the command that asks for it.
func (r *Request) String() string {
	words := []string{"capture interface", r.Interface}
	if r.What != "" {
		words = append(words, r.What)
	}
	if r.Reason != "" {
		words = append(words, r.Reason)
	}
	if r.Count != 0 {
		words = append(words, "count", strconv.Itoa(r.Count))
	}
	if r.Duration != 0 {
		words = append(words, "duration", strconv.Itoa(int(r.Duration/time.Second)))
	}
	if r.Snaplen != 0 {
		words = append(words, "snaplen", strconv.Itoa(r.Snaplen))
	}
	if r.Filter != "" {
		words = append(words, r.Filter)
	}
	return strings.Join(words, " ")
}

// Summary is what came of a capture.
type Summary struct {
	Packets int           `json:"packets"` // copied
	Bytes   int64         `json:"bytes"`   // of them, as far as they were copied
	Lost    uint64        `json:"lost"`    // copies that found no room; the packets themselves went on
	Took    time.Duration `json:"took"`    // nanoseconds
	Why     string        `json:"why"`     // it ended: count, duration, bytes, or stopped
}

// Event is a part of what comes of a request: one field is set. Begin is the request as it is carried out, File a piece of the file.
type Event struct {
	Begin   *Request `json:"begin,omitempty"`
	Packets []Packet `json:"packets,omitempty"`
	File    []byte   `json:"file,omitempty"`
	Done    *Summary `json:"done,omitempty"`
	Error   string   `json:"error,omitempty"`
}
