// Package probe is ping and traceroute as a router has them: packets are sent one after the other, the next when the one before was answered or given up.
//
//	probe.go    what is asked for and what comes of it, as values
//	message.go  ICMP messages: echo requests made, answers understood (RFC 792, 4884, 4950)
//	run.go      Ping and Trace, over a Wire
//	socket.go   the Wire of Linux: sockets of the network namespace that they are opened in
//
// Who calls Open decides by its network namespace which table the packets are routed by.
package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Request is what to send. Zero values are replaced by those of IOS (see Complete).
type Request struct {
	Trace  bool       `json:"trace,omitempty"` // datagrams with a rising TTL, not echo requests
	VRF    string     `json:"vrf,omitempty"`
	Target netip.Addr `json:"target"`
	// Source is the address that packets come from: one of the box, or the interface that has it. Neither: as the route says.
	Source    netip.Addr    `json:"source,omitzero"`
	Interface string        `json:"interface,omitempty"`
	Timeout   time.Duration `json:"timeout"`             // for each packet
	Repeat    int           `json:"repeat,omitempty"`    // packets of a ping; of a trace, for each hop
	Size      int           `json:"size,omitempty"`      // of the IP packets of a ping, in bytes
	DF        bool          `json:"df,omitempty"`        // of a ping: packets are not to be cut
	FirstTTL  int           `json:"first_ttl,omitempty"` // of a trace
	LastTTL   int           `json:"last_ttl,omitempty"`
	Port      int           `json:"port,omitempty"` // of a trace: the first datagram's destination port; the next has the next
}

// What may be asked for.
const (
	MinSize, MaxSize = 36, 18024 // as in IOS
	MaxTimeout       = time.Hour
	MaxPingRepeat    = 1<<31 - 1
	MaxTraceRepeat   = 16
)

// ErrRequest is in the error of a Request that can't be carried out.
var ErrRequest = errors.New("can't be sent")

// Complete fills in what was left out, and says what can't be.
func (r *Request) Complete() error {
	set := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	set(&r.Size, 100)
	if r.Trace {
		set(&r.Repeat, 3)
		set(&r.FirstTTL, 1)
		set(&r.LastTTL, 30)
		set(&r.Port, 33434)
	} else {
		set(&r.Repeat, 5)
	}
	if r.Timeout == 0 {
		r.Timeout = 2 * time.Second
		if r.Trace {
			r.Timeout = 3 * time.Second
		}
	}
	for _, c := range []struct {
		what       string
		v, min, to int
	}{
		{"size", r.Size, MinSize, MaxSize}, {"repeat", r.Repeat, 1, r.mostRepeat()}, {"first TTL", r.FirstTTL, 0, 255},
		{"last TTL", r.LastTTL, r.FirstTTL, 255}, {"port", r.Port, 0, 65535},
	} {
		if c.v < c.min || c.v > c.to {
			return fmt.Errorf("%w: %s %d is not from %d to %d", ErrRequest, c.what, c.v, c.min, c.to)
		}
	}
	switch {
	case !r.Target.Is4() || r.Target.IsUnspecified() || r.Target.IsMulticast() || r.Target == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%w: %v is no address of one host", ErrRequest, r.Target)
	case r.Source.IsValid() && !r.Source.Is4():
		return fmt.Errorf("%w: the source %v is no IPv4 address", ErrRequest, r.Source)
	case r.Timeout < 0 || r.Timeout > MaxTimeout:
		return fmt.Errorf("%w: a timeout of %v is not from 0 to %v", ErrRequest, r.Timeout, MaxTimeout)
	}
	return nil
}

func (r *Request) mostRepeat() int {
	if r.Trace {
		return MaxTraceRepeat
	}
	return MaxPingRepeat
}

// Kind says what became of a packet.
type Kind string

// Kinds.
const (
	Reply       Kind = "reply"       // the target answered (of a trace: that nothing listens on the port)
	Timeout     Kind = "timeout"     // nothing came in time
	Unreachable Kind = "unreachable" // somebody on the way, or the target, does not take it: Code says why (RFC 792, type 3)
	TooBig      Kind = "too-big"     // it is not to be cut and does not fit; MTU is what would, where it is known
	Exceeded    Kind = "exceeded"    // somebody on the way saw the TTL run out
	Quench      Kind = "quench"      // RFC 792, type 4
	Other       Kind = "other"       // another ICMP error
	Unsent      Kind = "unsent"      // this box sent nothing: Why says why
)

// Answer is what became of one packet.
type Answer struct {
	Seq    int           `json:"seq"`           // of a ping, or of the hop of a trace; from 1
	TTL    int           `json:"ttl,omitempty"` // of a trace: the hop
	Kind   Kind          `json:"kind"`
	Code   int           `json:"code,omitempty"`
	From   netip.Addr    `json:"from,omitzero"` // who answered
	RTT    time.Duration `json:"rtt,omitempty"`
	MTU    int           `json:"mtu,omitempty"`
	Labels []Label       `json:"labels,omitempty"` // that the packet had where its TTL ran out, outermost first (RFC 4950)
	Why    string        `json:"why,omitempty"`
}

// Label is an entry of a stack of MPLS labels.
type Label struct {
	Value uint32 `json:"value"`
	Exp   uint8  `json:"exp"`
	TTL   uint8  `json:"ttl"`
}

// Event is one part of what comes of a Request: first Begin, then an Answer each, and Error if it ended early.
type Event struct {
	Begin  *Request `json:"begin,omitempty"` // with all that was left out
	Answer *Answer  `json:"answer,omitempty"`
	Error  string   `json:"error,omitempty"`
}

// Port unreachable, of RFC 792: how the target of a trace answers.
const codePort = 3

// final tells whether a trace has come to its end by an answer: the target has it, or nobody can bring it there.
func (a *Answer) final() bool { return a.Kind == Reply || a.Kind == Unreachable }
