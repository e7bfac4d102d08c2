package crew

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
)

// maxMessage is the longest message, in bytes.
const maxMessage = 1 << 16

// maxQueues is how many queues of one netdev a worker takes at most.
const maxQueues = 64

// maxFDs is how many descriptors a message carries at most: those of the tables, of the punts, and one to wake each worker.
const maxFDs = 2 + 64

// Operations.
const (
	opHello  = "hello"  // who are you; the answer brings the descriptors of the tables, of the punts, and of each worker's wake-up
	opAttach = "attach" // open a queue, or say that it is open; the answer brings its socket, and nothing else
	opTake   = "take"   // the same with sockets that naved has made in the port's network namespace, one a queue
	opRelay  = "relay"  // send by a port through another worker
	opDetach = "detach" // close a queue, or end a relay
	opPorts  = "ports"  // what the ports are like: a page of their queues
	opStop   = "stop"   // end
)

type portID = fib.PortID

// request is what naved asks.
type request struct {
	ID     uint64  `json:"id"`
	Op     string  `json:"op"`
	Attach *Attach `json:"attach,omitempty"`
	Port   portID  `json:"port,omitempty"`
	Via    int     `json:"via,omitempty"`
	From   int     `json:"from,omitempty"` // the first queue of the page
}

// reply is the answer to the request of the same ID. The first words on a connection that is refused are a reply of ID 0.
type reply struct {
	ID    uint64 `json:"id"`
	Error string `json:"error,omitempty"`
	Busy  bool   `json:"busy,omitempty"` // the error is that a queue has a socket, which may be one that is about to go
	Boot  *Boot  `json:"boot,omitempty"`
	Host  *Host  `json:"host,omitempty"`
}

// Boot is what a worker is started with, and tells who asks.
type Boot struct {
	Worker   int       `json:"worker"` // from 0
	Chunk    int       `json:"chunk"`  // bytes of a frame's chunk
	Frames   int       `json:"frames"` // chunks of packet memory
	CPU      int       `json:"cpu"`    // that the process is tied to; -1: none
	Adaptive bool      `json:"adaptive"`
	NetAdmin bool      `json:"net_admin,omitempty"` // keeps CAP_NET_ADMIN, which busy polling needs
	Build    string    `json:"build"`               // of the program
	Socket   string    `json:"socket"`              // where it answers
	Inode    uint64    `json:"inode"`               // of that
	Started  time.Time `json:"started"`
	Sockets  Sockets   `json:"sockets"` // as all of its ports are to be
}

// Sockets is how the sockets of a worker are to be. They share its memory and so the first one's ways: none changes while the process lives.
type Sockets struct {
	Ring int  `json:"ring,omitempty"` // entries of each ring; 0: the default
	Copy bool `json:"copy,omitempty"` // no zero-copy
	// BusyPoll and Budget are those of afxdp.Config.
	BusyPoll int `json:"busy_poll,omitempty"`
	Budget   int `json:"budget,omitempty"`
}

// Attach is a queue to open as a port, or several.
type Attach struct {
	Port    portID `json:"port"`
	Ifindex int    `json:"ifindex"`
	Queue   int    `json:"queue"`
	// Space is the number of the network namespace that Ifindex belongs to; 0: the worker's own. In others it can make no sockets: naved does (Config.Open).
	Space uint64 `json:"space,omitempty"`
	// More is how many further queues the worker takes, each Step after the one before: where a netdev has more than there are workers.
	More int `json:"more,omitempty"`
	Step int `json:"step,omitempty"`
	Sockets
}

// Host is what a worker's ports are like.
type Host struct {
	Huge      bool        `json:"huge"` // the packet memory lies in huge pages
	HugeWhy   string      `json:"huge_why,omitempty"`
	HugePages int         `json:"huge_pages,omitempty"`
	Ports     []PortState `json:"ports"`          // by port and queue; none in a hello
	Next      int         `json:"next,omitempty"` // where the next page begins; 0: this is the last
	All       []portID    `json:"all"`            // numbers of ports and relays
}

// pageQueues is how many queues an answer describes, with some hundred bytes each.
const pageQueues = 32

// PortState is a port of a worker.
type PortState struct {
	Attach
	ZeroCopy bool        `json:"zero_copy"`
	CopyWhy  string      `json:"copy_why,omitempty"`
	BusyWhy  string      `json:"busy_why,omitempty"` // why there is no busy polling, where it was asked for
	Stats    afxdp.Stats `json:"stats"`
}

var errMessage = errors.New("malformed message")

// parseRequest reads a request. Whoever can send one is root, but what cannot be meant is refused all the same.
func parseRequest(b []byte) (r request, err error) {
	if err := decode(b, &r); err != nil {
		return request{}, err
	}
	switch r.Op {
	case opHello, opStop:
	case opPorts:
		if r.From < 0 {
			return request{}, fmt.Errorf("%w: ports from %d on", errMessage, r.From)
		}
	case opDetach, opRelay:
		if r.Port == 0 || r.Via < 0 {
			return request{}, fmt.Errorf("%w: %s of port %d through %d", errMessage, r.Op, r.Port, r.Via)
		}
	case opAttach, opTake:
		a := r.Attach
		if a == nil || a.Port == 0 || a.Ifindex <= 0 || a.Queue < 0 || a.Ring < 0 || a.BusyPoll < 0 || a.Budget < 0 ||
			a.More < 0 || a.More >= maxQueues || a.More > 0 && a.Step < 1 || (r.Op == opTake) != (a.Space != 0) {
			return request{}, fmt.Errorf("%w: attach of nothing that could be a port", errMessage)
		}
	default:
		return request{}, fmt.Errorf("%w: nothing is called %.20q", errMessage, r.Op)
	}
	return r, nil
}

// parseReply reads an answer.
func parseReply(b []byte) (r reply, err error) {
	if err := decode(b, &r); err != nil {
		return reply{}, err
	}
	return r, nil
}

// parseBoot reads what a worker is started with.
func parseBoot(b []byte) (boot Boot, err error) {
	if err := decode(b, &boot); err != nil {
		return Boot{}, err
	}
	if boot.Worker < 0 || boot.Worker >= 64 || boot.Frames < 1 || boot.Frames > 1<<24 || boot.CPU < -1 {
		return Boot{}, fmt.Errorf("%w: worker %d with %d frames on CPU %d", errMessage, boot.Worker, boot.Frames, boot.CPU)
	}
	return boot, nil
}

// decode reads one JSON value and nothing after it. Fields that it does not know are a newer build's, and passed over.
func decode(b []byte, v any) error {
	if len(b) > maxMessage {
		return fmt.Errorf("%w: %d bytes", errMessage, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows it", errMessage)
	}
	return nil
}
