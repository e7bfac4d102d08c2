package nhrp

import (
	"net/netip"
	"time"

	"nave/slowpath/nbma"
)

// Effect is something to be done for the machine, in the order given. The types of this file are all there are.
type Effect interface{ effect() }

// Send sends an NHRP packet through the tunnel to an NBMA address: GRE protocol 0x2001, outer TOS 0xC0, TTL 255.
// The receiver of the effect owns Payload.
type Send struct {
	Iface   string
	To      nbma.Address
	Payload []byte
}

// BindKind says where a binding comes from.
type BindKind uint8

// The kinds.
const (
	BindStatic   BindKind = iota // `ip nhrp map`
	BindNHS                      // a next hop server without a map
	BindDynamic                  // a peer's tunnel address, registered or resolved
	BindVia                      // a next hop that is being resolved: through the NHS meanwhile
	BindShortcut                 // a network behind a peer: the route `H`
)

var bindKindNames = [...]string{"static", "nhs", "dynamic", "via-nhs", "shortcut"}

// String names the kind.
func (k BindKind) String() string { return name(bindKindNames[:], int(k)) }

// Bind makes a protocol prefix reachable at an NBMA address. Iface and Prefix are its key: another Bind with the same
// key replaces it. It is given only while the peer's session is ready, and again when the expiry moves.
// BindShortcut is a route: Prefix by NextHop, where a Bind of NextHop/32 with the same NBMA stands beside it.
// The others bind a next hop: Prefix is NextHop/32 (a static map may be wider).
type Bind struct {
	Iface   string
	Prefix  netip.Prefix
	NBMA    nbma.Address // where GRE packets go
	Claimed netip.Addr   // what the peer believes its NBMA address to be; differs from NBMA behind NAT
	NextHop netip.Addr   // the peer's tunnel address
	Kind    BindKind
	// Via is set while traffic goes through an NHS: keep telling the machine (Unresolved) that a direct path is wanted.
	Via bool
	// Expires is when it ends unless it is learned again, of a peer's address that is learned: the zero Time for others. Unique says that nobody else may have it until then.
	Expires time.Time
	Unique  bool
}

// Unbind takes a binding away.
type Unbind struct {
	Iface  string
	Prefix netip.Prefix
}

// Multicast adds an NBMA address to the interface's replication list, or takes it from it.
type Multicast struct {
	Iface string
	NBMA  nbma.Address
	Add   bool
}

// PeerWanted asks for a session with a peer of a protected interface. Answer with PeerState, now or later, and again
// whenever the session's state changes. It is given once per peer, until PeerReleased.
type PeerWanted struct {
	Iface string
	NBMA  nbma.Address
}

// PeerReleased says that nothing uses the peer any more: the session can go.
type PeerReleased struct {
	Iface string
	NBMA  nbma.Address
}

// NHSChanged says that a next hop server answers, or that it does not any more.
type NHSChanged struct {
	Iface    string
	Protocol netip.Addr
	NBMA     netip.Addr
	Up       bool
}

// LogKind says what a Log is about; the text is made elsewhere.
type LogKind uint8

// The kinds, with the fields that each fills beside Iface.
const (
	LogNHSUp              LogKind = iota // Protocol, NBMA of the NHS
	LogNHSDown                           // Protocol, NBMA of the NHS
	LogClientRegistered                  // Protocol, NBMA of the client
	LogPeerUp                            // Protocol, NBMA: a cache entry came up
	LogPeerDown                          // Protocol, NBMA: a cache entry went down
	LogRegistrationFailed                // Protocol, NBMA of the NHS; Code of the refusal, 0: no answer
	LogQuota                             // Count packets in Interval exceeded
	LogUniqueRefused                     // Protocol; NBMA asked, Other registered before
	LogAuthMismatch                      // NBMA, Protocol of the sender
	LogLoop                              // Protocol of the requester, Other: destination
	LogResolutionFailed                  // Protocol asked for; Code, 0: no answer
	LogErrorReceived                     // Protocol, NBMA of the reporter; Code
	LogCacheFull                         // Protocol, NBMA refused; Count entries
	LogNoMapping                         // Protocol of an NHS without an NBMA address
)

var logKindNames = [...]string{
	"nhs-up", "nhs-down", "client-registered", "peer-up", "peer-down", "registration-failed", "quota",
	"unique-refused", "auth-mismatch", "loop", "resolution-failed", "error-received", "cache-full", "no-mapping",
}

// String names the kind.
func (k LogKind) String() string { return name(logKindNames[:], int(k)) }

// Log is something an operator may want to know. It never holds a secret.
type Log struct {
	Kind     LogKind
	Iface    string
	Protocol netip.Addr
	NBMA     netip.Addr
	Other    netip.Addr
	Code     uint16 // NHRP error or client information entry code
	Count    int
	Interval time.Duration
}

// About names what the log is about, for whoever limits how often it is written.
func (l Log) About() string { return "nhrp " + l.Kind.String() }

func (Send) effect()         {}
func (Bind) effect()         {}
func (Unbind) effect()       {}
func (Multicast) effect()    {}
func (PeerWanted) effect()   {}
func (PeerReleased) effect() {}
func (NHSChanged) effect()   {}
func (Log) effect()          {}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
