package ldp

import "net/netip"

// Effect is something to be done for the machine, in the order given. The types of this file are all there are.
type Effect interface{ effect() }

// Hello sends a datagram from UDP port 646 and the address From to 224.0.0.2 port 646 by an interface, TTL 1, TOS 0xC0. The receiver of the effect owns Payload.
type Hello struct {
	Iface   string
	From    netip.Addr // the interface's primary address
	Payload []byte
}

// Listen accepts connections to TCP port 646 of an address (Accepted), or stops that. Connections that stand are not touched.
type Listen struct {
	Local netip.Addr
	On    bool
}

// Key is what a connection that Peer makes to Local has to be signed with (TCP MD5); nil means unsigned. It comes before the peer can know that it may connect.
type Key struct {
	Local, Peer netip.Addr
	Key         Secret
}

// Connect makes a connection to Remote from the address Local, signed if there is a key, TOS 0xC0. Answer with Connected or Closed. What is to outlive the step of a
// key is to be copied.
type Connect struct {
	Conn   Conn
	Local  netip.Addr
	Remote netip.AddrPort
	Key    Secret
}

// Send writes to a connection. The receiver of the effect owns Bytes.
type Send struct {
	Conn  Conn
	Bytes []byte
}

// Close ends a connection, or an attempt to make one, after what was sent is delivered.
type Close struct{ Conn Conn }

// LocalLabel says that packets with the label In, from anywhere, take Prefix's route. Prefix is its key; it stands until LocalLabelGone.
type LocalLabel struct {
	Prefix netip.Prefix
	In     uint32 // never implicit null
}

// LocalLabelGone takes a LocalLabel back.
type LocalLabelGone struct {
	Prefix netip.Prefix
	In     uint32
}

// Bind says that a path of Prefix's route wants packets with the label Out, or without one if that is ImplicitNull. Prefix and NextHop are its key: another
// Bind with the same key replaces it.
type Bind struct {
	Prefix  netip.Prefix
	NextHop NextHop
	Out     uint32
}

// Unbind takes a Bind back: the path has no label for the prefix.
type Unbind struct {
	Prefix  netip.Prefix
	NextHop NextHop
}

// LogKind says what a Log is about; the text is made elsewhere.
type LogKind uint8

// The kinds, with the fields that each fills.
const (
	LogNeighborUp       LogKind = iota // Neighbor
	LogNeighborDown                    // Neighbor; Code, and Received if it is the peer's; Code Success: the connection ended
	LogSessionRefused                  // Neighbor; Code, Received as above: no session came about
	LogNotification                    // Neighbor; Code: received, the session goes on
	LogMalformed                       // Neighbor; Code that was answered, the session goes on
	LogDuplicateID                     // Iface, Address: a router has our LDP identifier
	LogTransportChanged                // Neighbor, Iface, Address: another transport address than on the other links
	LogTooManyNeighbors                // Neighbor, Iface, Address, Count
	LogTooManyBindings                 // Neighbor, Count
	LogUnsigned                        // Neighbor, Address: a connection without the signature that its password calls for, or with one that nothing calls for
	LogNoLabels                        // Prefix, Count labels in the range
)

var logKindNames = [...]string{
	"neighbor-up", "neighbor-down", "session-refused", "notification", "malformed", "duplicate-id", "transport-changed",
	"too-many-neighbors", "too-many-bindings", "unsigned", "no-labels",
}

// String names the kind.
func (k LogKind) String() string { return name(logKindNames[:], int(k)) }

// Log is something an operator may want to know. It never holds a secret.
type Log struct {
	Kind     LogKind
	Neighbor ID
	Iface    string
	Address  netip.Addr
	Prefix   netip.Prefix
	Code     Code
	Received bool
	Count    int
}

// About names what the log is about, for whoever limits how often it is written.
func (l Log) About() string { return "ldp " + l.Kind.String() }

func (Hello) effect()          {}
func (Listen) effect()         {}
func (Key) effect()            {}
func (Connect) effect()        {}
func (Send) effect()           {}
func (Close) effect()          {}
func (LocalLabel) effect()     {}
func (LocalLabelGone) effect() {}
func (Bind) effect()           {}
func (Unbind) effect()         {}
func (Log) effect()            {}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
