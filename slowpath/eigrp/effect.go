package eigrp

import "net/netip"

// Group is where Hellos and what is for all neighbors of an interface go.
var Group = netip.AddrFrom4([4]byte{224, 0, 0, 10})

// Effect is something to be done for the machine, in the order given. The types of this file are all there are.
type Effect interface{ effect() }

// Send is a packet to send by an interface, to Group or to a neighbor. The receiver of the effect owns Payload.
type Send struct {
	Iface    string
	From, To netip.Addr
	Payload  []byte
}

// Kind says what a Route is.
type Kind uint8

// The kinds.
const (
	Internal Kind = iota
	External
	Discard // of a summary: no hops, packets are dropped
)

var kindNames = [...]string{"internal", "external", "summary"}

// String names the kind.
func (k Kind) String() string { return name(kindNames[:], int(k)) }

// Route is what the RIB is to have for Prefix, in place of what it had of EIGRP.
type Route struct {
	Prefix   netip.Prefix
	Kind     Kind
	Distance uint8
	Metric   uint32 // composite; of wide metrics, divided by 128
	Tag      uint32
	Hops     []Hop
}

// Hop is a path of a Route.
type Hop struct {
	Iface  string
	Addr   netip.Addr
	Metric uint32
	Share  int // of the traffic, 1 to 128, in proportion to the others'
}

// RouteGone takes a Route back.
type RouteGone struct{ Prefix netip.Prefix }

// LogKind says what a Log is about; the text is made elsewhere.
type LogKind uint8

// The kinds, with the fields that each fills.
const (
	LogNeighborUp       LogKind = iota // Iface, Neighbor
	LogNeighborDown                    // Iface, Neighbor, Reason
	LogStuckInActive                   // Iface, Neighbor, Prefix
	LogKMismatch                       // Iface, Neighbor
	LogNotOnSubnet                     // Iface, Neighbor
	LogAuthFailure                     // Iface, Neighbor
	LogMalformed                       // Iface, Neighbor
	LogTooManyNeighbors                // Iface, Neighbor
	LogTooManyPaths                    // Iface, Neighbor, Prefix
	LogNoKey                           // Iface: authentication without a key to send with
	LogDuplicateRouter                 // Iface, Neighbor, Prefix: an external route with our router ID
	LogNeighborResync                  // Iface, Neighbor: it restarts, and goes on forwarding; its routes stay until it has told them again
)

var logKindNames = [...]string{
	"neighbor-up", "neighbor-down", "stuck-in-active", "k-mismatch", "not-on-subnet", "auth-failure", "malformed", "too-many-neighbors",
	"too-many-paths", "no-key", "duplicate-router-id", "neighbor-resync",
}

// String names the kind.
func (k LogKind) String() string { return name(logKindNames[:], int(k)) }

// Reason says why a neighbor went down.
type Reason uint8

// The reasons.
const (
	HoldExpired Reason = iota
	RetryLimit
	PeerRestarted
	Goodbye        // the peer's
	PeerTerminated // the peer ended us
	InterfaceDown
	Cleared
	StuckInActive
	KMismatch
	QueueOverflow
	AuthChanged
	ShutDown
	MadePassive
	Reconfigured // what neighbors depend on is another: AS, router ID, constants, metrics, being a stub, who is a neighbor, or whether EIGRP is on the interface
)

var reasonNames = [...]string{
	"hold-time-expired", "retry-limit-exceeded", "peer-restarted", "goodbye", "peer-termination", "interface-down", "cleared", "stuck-in-active",
	"k-value-mismatch", "queue-overflow", "authentication-changed", "shutdown", "made-passive",
	"reconfigured",
}

// String names the reason.
func (r Reason) String() string { return name(reasonNames[:], int(r)) }

// Log is something an operator may want to know. It never holds a secret.
type Log struct {
	Kind     LogKind
	Iface    string
	Neighbor netip.Addr
	Prefix   netip.Prefix
	Reason   Reason
}

// About names what the log is about, for whoever limits how often it is written.
func (l Log) About() string { return "eigrp " + l.Kind.String() }

func (Send) effect()      {}
func (Route) effect()     {}
func (RouteGone) effect() {}
func (Log) effect()       {}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
