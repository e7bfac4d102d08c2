package eigrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

// Defaults: IOS's, where it has them.
const (
	DefaultHello        = 5 * time.Second
	DefaultHold         = 15 * time.Second
	DefaultActiveTime   = 180 * time.Second
	DefaultMaximumPaths = 4
	DefaultMaximumHops  = 100
	DefaultInternal     = 90
	DefaultExternal     = 170
	DefaultSummary      = 5
	DefaultPercent      = 50
	DefaultMaxNeighbors = 1 << 13
	DefaultMaxPaths     = 1 << 20
)

// Config is what EIGRP of one routing table and AS runs by. Zero values mean the defaults. Functions are called within a step, and have to be quick.
type Config struct {
	AS       uint16     // 0 turns EIGRP off
	RouterID netip.Addr // of IPv4, not the zero Addr; goes into the external routes of ours
	Wide     bool       // named mode: wide metrics inside, and with neighbors that read them

	Interfaces []Interface // those that `network` covers

	K                  [6]uint8 // K1 to K6 of `metric weights`; all zero: 1, 0, 1, 0, 0, 0
	Variance           int      // 1 to 128
	MaximumPaths       int      // 1 to 32
	MaximumHops        int      // `metric maximum-hops`
	Internal, External uint8    // `distance eigrp`
	ActiveTime         time.Duration
	ActiveDisabled     bool // never stuck in active

	Stub        Stub
	AutoSummary bool

	// In and Out are `distribute-list`: false keeps a route from being learned, or told, by an interface. nil: all pass. Whoever gives the machine new functions, or
	// functions that say something else, gives them by Configure.
	In, Out func(iface string, prefix netip.Prefix) bool

	// Restarting, at the first Configure of a machine: packets still go by the routes of a process that has ended. Neighbors are asked to keep theirs
	// (graceful restart), and there is no Route effect until they have told all again; Machine.Restarting says how long.
	Restarting bool
	// Inherited, with Restarting: the addresses that packets to a prefix go to by those routes; none: there is no such route. By it the choice among what
	// neighbors tell is as loop-free as any. nil: not known; then it is the shortest one, as of a router that begins anew.
	Inherited func(prefix netip.Prefix) []netip.Addr
	// Awaiting, with Restarting: routes of other protocols come that are not known yet. Neighbors would let them go if they were not told again: all goes on
	// as it was until the event Complete, or the end of what a restart may take.
	Awaiting bool

	MaxNeighbors int // Hellos of more are ignored
	MaxPaths     int // of all neighbors and prefixes; what is more is not learned
}

// Stub is `eigrp stub`.
type Stub struct {
	Enabled                                                bool
	Connected, Static, Summary, Redistributed, ReceiveOnly bool
	Leak                                                   func(prefix netip.Prefix, iface string) bool // learned routes that are told nevertheless; nil: none
}

func (s Stub) flags() (f eigrpmsg.Stub) {
	for _, x := range []struct {
		on   bool
		flag eigrpmsg.Stub
	}{
		{s.Connected, eigrpmsg.StubConnected}, {s.Static, eigrpmsg.StubStatic}, {s.Summary, eigrpmsg.StubSummary},
		{s.Redistributed, eigrpmsg.StubRedistributed}, {s.ReceiveOnly, eigrpmsg.StubReceiveOnly}, {s.Leak != nil, eigrpmsg.StubLeakMap},
	} {
		if x.on {
			f |= x.flag
		}
	}
	return f
}

// Interface is one that EIGRP runs on. Its state, addresses and metric come as InterfaceState.
type Interface struct {
	Name             string
	Subnets          []netip.Prefix // those of its subnets that are told of; nil: all. `network` may cover some of its addresses only
	Passive          bool           // its subnet is told, and it has no neighbors
	NoSplitHorizon   bool
	NoNextHopSelf    bool
	Hello, Hold      time.Duration
	BandwidthPercent int          // what EIGRP may take of the bandwidth
	Neighbors        []netip.Addr // `neighbor`: if there are any, only these, and all by unicast
	Auth             Auth
	Summaries        []Summary
}

// Summary is `ip summary-address eigrp`.
type Summary struct {
	Prefix   netip.Prefix
	Distance uint8                          // 255: no discard route
	Leak     func(prefix netip.Prefix) bool // components that are told as well; nil: none
}

// AuthMode says how packets are authenticated.
type AuthMode uint8

// The modes.
const (
	AuthNone AuthMode = iota
	AuthMD5
	AuthSHA256
)

// Auth is `ip authentication mode` and its keys. A mode without a key that is valid sends nothing, and takes nothing.
type Auth struct {
	Mode AuthMode
	Keys []Key
}

// Key is one key of a chain; the password of `authentication mode hmac-sha-256` is key 0. The zero Time means no limit.
type Key struct {
	ID                      uint32
	Secret                  Secret
	SendFrom, SendUntil     time.Time
	AcceptFrom, AcceptUntil time.Time
}

// Secret is a key's string. It prints as nothing that helps. Its memory is the configuration's; the machine only refers to it.
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

// sending is the key to sign with: the valid one with the lowest number.
func (a *Auth) sending(now time.Time) *Key {
	var best *Key
	for i := range a.Keys {
		if k := &a.Keys[i]; within(now, k.SendFrom, k.SendUntil) && (best == nil || k.ID < best.ID) {
			best = k
		}
	}
	return best
}

func within(now, from, until time.Time) bool {
	return (from.IsZero() || !now.Before(from)) && (until.IsZero() || now.Before(until))
}

// genuine says whether a packet may be looked at. Where nothing is authenticated, one that is signed may not, as in IOS: its sender would take none of ours.
func (a *Auth) genuine(now time.Time, payload []byte, from netip.Addr) bool {
	t, id, ok := eigrpmsg.KeyOf(payload)
	if a.Mode == AuthNone {
		return !ok
	}
	if !ok || t != a.Mode.wire() {
		return false
	}
	for i := range a.Keys {
		if k := &a.Keys[i]; k.ID == id && within(now, k.AcceptFrom, k.AcceptUntil) && eigrpmsg.Verify(payload, k.Secret, from) {
			return true
		}
	}
	return false
}

func (m AuthMode) wire() eigrpmsg.AuthType {
	if m == AuthMD5 {
		return eigrpmsg.AuthMD5
	}
	return eigrpmsg.AuthSHA256
}

// sameTelling says whether neighbors are told the same by both. Functions may say something else each time.
func sameTelling(a, b *Config) bool {
	if a.Out != nil || b.Out != nil || a.Stub.Leak != nil || b.Stub.Leak != nil {
		return false
	}
	return slices.EqualFunc(a.Interfaces, b.Interfaces, func(x, y Interface) bool {
		leaks := func(s Summary) bool { return s.Leak != nil }
		return x.Name == y.Name && x.NoSplitHorizon == y.NoSplitHorizon && x.NoNextHopSelf == y.NoNextHopSelf &&
			!slices.ContainsFunc(x.Summaries, leaks) && !slices.ContainsFunc(y.Summaries, leaks)
	})
}

// orDefault is a value, or d in place of zero.
func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

func (c Config) withDefaults() Config {
	c.K = orDefault(c.K, [6]uint8{1, 0, 1})
	c.Variance = min(max(c.Variance, 1), 128)
	c.MaximumPaths = min(max(orDefault(c.MaximumPaths, DefaultMaximumPaths), 1), 32)
	c.MaximumHops = min(max(orDefault(c.MaximumHops, DefaultMaximumHops), 1), 255)
	c.Internal = orDefault(c.Internal, DefaultInternal)
	c.External = orDefault(c.External, DefaultExternal)
	c.ActiveTime = max(orDefault(c.ActiveTime, DefaultActiveTime), time.Second)
	c.MaxNeighbors = orDefault(c.MaxNeighbors, DefaultMaxNeighbors)
	c.MaxPaths = orDefault(c.MaxPaths, DefaultMaxPaths)
	c.Interfaces = append([]Interface(nil), c.Interfaces...)
	for i := range c.Interfaces {
		f := &c.Interfaces[i]
		f.Hello = min(max(orDefault(f.Hello, DefaultHello), 100*time.Millisecond), 0xffff*time.Second)
		f.Hold = min(max(orDefault(f.Hold, DefaultHold), time.Second), 0xffff*time.Second)
		f.BandwidthPercent = orDefault(f.BandwidthPercent, DefaultPercent)
	}
	return c
}
