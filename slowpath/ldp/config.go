package ldp

import (
	"fmt"
	"net/netip"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// ID is an LDP identifier.
type ID = ldpmsg.ID

// Code is a status code of a Notification.
type Code = ldpmsg.Status

// Labels with a meaning of their own, as Bind may have them.
const (
	ExplicitNull uint32 = 0 // push it
	ImplicitNull uint32 = 3 // push nothing: penultimate hop popping
)

// Defaults: IOS's, where it has them.
const (
	DefaultHelloInterval = 5 * time.Second
	DefaultHelloHold     = 15 * time.Second
	DefaultSessionHold   = 180 * time.Second
	DefaultBackoffFirst  = 15 * time.Second
	DefaultBackoffMax    = 120 * time.Second
	DefaultLabelGrace    = 300 * time.Second // a minute more than SessionHold if that is longer
	DefaultMaxBindings   = 1 << 18
	DefaultMaxNeighbors  = 1 << 13
	DefaultFirstLabel    = 16
)

// Config is what LDP of a routing table runs by. Zero values mean the defaults.
type Config struct {
	// RouterID is `mpls ldp router-id`, or what is chosen in its place; it is the transport address, too. The zero Addr turns LDP off.
	RouterID   netip.Addr
	Interfaces []Interface // those with `mpls ip`

	HelloInterval time.Duration // `mpls ldp discovery hello interval`; never more than a third of the hold time
	HelloHold     time.Duration // `mpls ldp discovery hello holdtime`, 1 to 65534 s; 65535 s: for ever
	SessionHold   time.Duration // `mpls ldp holdtime`, 1 to 65535 s
	BackoffFirst  time.Duration // `mpls ldp backoff`: after a session was refused, doubled each time
	BackoffMax    time.Duration

	Passwords []Password

	// GracefulRestart is `mpls ldp graceful-restart` (RFC 3478).
	GracefulRestart bool

	// DefaultRoute gives 0.0.0.0/0 a label, too (`mpls ip default-route`).
	DefaultRoute bool

	// FirstLabel to LastLabel are this machine's alone, 16 to 2^20-1. What was given before a change of the range stays as long as it is used.
	FirstLabel, LastLabel uint32
	LabelGrace            time.Duration // a label that was freed rests so long; by default longer than SessionHold

	MaxBindings  int // learned from peers, all together; more are released at once
	MaxNeighbors int // Hellos of more are ignored
}

// Interface is one with `mpls ip`. Its state and addresses come as InterfaceState.
type Interface struct {
	Name string
	// Transport is `mpls ldp discovery transport-address` of it, of IPv4; the zero Addr means the router ID.
	Transport netip.Addr
}

// Password is `mpls ldp neighbor A.B.C.D password`.
type Password struct {
	Neighbor netip.Addr // its router ID
	Key      Secret
}

// Secret is the key of TCP MD5 (RFC 2385). It prints as nothing that helps. Its memory is the configuration's, which clears it when nothing uses it any more; the
// machine and its effects only refer to it.
type Secret []byte

// String says whether there is a key.
func (s Secret) String() string {
	if len(s) == 0 {
		return "none"
	}
	return "(secret)"
}

// Format keeps the key out of all verbs.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText keeps the key out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// orDefault is a value, or d in place of zero.
func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

func (c Config) withDefaults() Config {
	c.HelloHold = min(max(orDefault(c.HelloHold, DefaultHelloHold), time.Second), ldpmsg.HoldForever*time.Second)
	c.HelloInterval = max(orDefault(c.HelloInterval, DefaultHelloInterval), 100*time.Millisecond)
	c.SessionHold = min(max(orDefault(c.SessionHold, DefaultSessionHold), time.Second), 0xffff*time.Second)
	c.BackoffFirst = max(orDefault(c.BackoffFirst, DefaultBackoffFirst), time.Second)
	c.BackoffMax = max(orDefault(c.BackoffMax, DefaultBackoffMax), c.BackoffFirst)
	c.FirstLabel = max(orDefault(c.FirstLabel, DefaultFirstLabel), DefaultFirstLabel)
	c.LastLabel = min(orDefault(c.LastLabel, ldpmsg.MaxLabel), ldpmsg.MaxLabel)
	c.LabelGrace = orDefault(c.LabelGrace, max(DefaultLabelGrace, c.SessionHold+time.Minute))
	c.MaxBindings = orDefault(c.MaxBindings, DefaultMaxBindings)
	c.MaxNeighbors = orDefault(c.MaxNeighbors, DefaultMaxNeighbors)
	return c
}

// key is the password of a neighbor, nil if it has none.
func (c *Config) key(router netip.Addr) Secret {
	for _, p := range c.Passwords {
		if p.Neighbor == router {
			return p.Key
		}
	}
	return nil
}
