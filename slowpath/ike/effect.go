package ike

import "net/netip"

// Effect is something to be done for IKE, in the order given. The types of this file are all there are.
type Effect interface{ effect() }

// Send sends an IKE message. From and to port 4500 (Path.Local's) four zero bytes go in front (RFC 3948 section 2.2). The receiver of the effect owns Packet.
type Send struct {
	Path   Path
	Packet []byte
}

// NATKeepalive sends the one byte 0xFF (RFC 3948 section 2.3).
type NATKeepalive struct{ Path Path }

// Install puts a child's inbound SAs in place. Whoever carries it out keeps copies of the keys where they are used, and no others.
type Install struct{ Child Child }

// Activate has a child's outbound SAs used from now on, in the place of any other child of its Protection and peer.
type Activate struct{ Child ChildID }

// Remove takes a child away, both directions.
type Remove struct {
	Child ChildID
	Why   Why
}

// Rehomed says that a child's peer is reached elsewhere from now on.
type Rehomed struct {
	Child ChildID
	Path  Path
}

// Failed says that what Initiate asked for is not to be had now.
type Failed struct {
	Protection uint32
	Remote     netip.AddrPort
	Why        Why
}

// Why is a reason, of a failure or of an end.
type Why uint8

// Reasons.
const (
	WhyNone           Why = iota
	WhyTimeout            // the peer did not answer
	WhyNoProposal         // the peer takes none of our proposals, or we none of its
	WhyAuthentication     // the key, signature or certificate is wrong
	WhyNoKey              // no key or certificate for this peer
	WhyCertificate        // the peer's certificate is not good: Log.Text says why
	WhyIdentity           // the peer is not who may use this
	WhySelectors          // the addresses or protocols asked for are not those of a tunnel
	WhyPolicy             // no policy, profile or protection fits
	WhyLimit              // call admission
	WhyDeadPeer           // dead peer detection
	WhyPeerDeleted        // the peer said so
	WhyCleared            // an operator, or the configuration
	WhyReleased           // nothing wants it any more
	WhyReplaced           // a newer one took its place
	WhyExpired            // its lifetime is over
	WhyInitialContact     // the peer started afresh
	WhyMalformed          // a message that cannot be understood
	WhyRefused            // the peer refused with another notification: Log.Code
	WhyBehindNAT          // nobody can call the peer: others are behind the same address
	WhyNATHub             // a hub is behind NAT, and the hardware can be no such hub, nor a spoke of one
)

var whyNames = [...]string{
	"none", "timeout", "no-proposal-chosen", "authentication-failed", "no-key", "certificate", "identity", "selectors", "no-policy",
	"limit", "dead-peer", "deleted-by-peer", "cleared", "released", "replaced", "expired", "initial-contact", "malformed", "refused", "behind-nat", "nat-hub",
}

// String is the reason's short name.
func (w Why) String() string {
	if int(w) < len(whyNames) {
		return whyNames[w]
	}
	return "unknown"
}

// LogKind says what a Log is about; the operator's text is made elsewhere.
type LogKind uint8

// The kinds.
const (
	LogSAUp        LogKind = iota // an IKE SA is established
	LogSADown                     // an IKE SA ended: Why
	LogFailed                     // a negotiation failed: Why, and Text where there is more to say ("certificate expired 2020-01-01")
	LogChildUp                    // a child is in use
	LogChildDown                  // a child ended: Why
	LogRekeyed                    // an IKE SA took another's place
	LogRejected                   // a message was thrown away: Why, Text; rate-limited by whoever makes it
	LogLimit                      // call admission refused somebody
	LogUnprotected                // a child authenticates nothing (esp-des alone)
	LogWarning                    // something odd that does not end anything: Text
)

var logKindNames = [...]string{
	"sa-up", "sa-down", "failed", "child-up", "child-down", "rekeyed", "rejected", "limit", "unprotected", "warning",
}

// String names the kind.
func (k LogKind) String() string {
	if int(k) < len(logKindNames) {
		return logKindNames[k]
	}
	return "unknown"
}

// Log is something an operator may want to know. It never holds a secret.
type Log struct {
	Kind       LogKind
	Version    int
	Path       Path
	SA         SAID
	Child      ChildID
	Protection uint32
	Peer       Identity
	InSPI      uint32
	OutSPI     uint32
	Why        Why
	Code       uint16 // notify type, where a message carried one
	Text       string
}

// About names what the log is about, for whoever limits how often it is written.
func (l Log) About() string { return "ike " + l.Kind.String() + " " + l.Why.String() }

func (Send) effect()         {}
func (NATKeepalive) effect() {}
func (Install) effect()      {}
func (Activate) effect()     {}
func (Remove) effect()       {}
func (Rehomed) effect()      {}
func (Failed) effect()       {}
func (Log) effect()          {}
