package nhrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Config is all that the machine is told. It is a value: the machine keeps copies and never writes to it.
type Config struct {
	Interfaces []Interface
	// MaxEntries bounds the cache of all interfaces together: dynamic entries and, counted apart, what was answered
	// and is remembered for purging. What does not fit is refused with code 5. Zero means DefaultMaxEntries.
	MaxEntries int
}

// Interface is a tunnel interface with `ip nhrp` commands. NHRP runs on it while NetworkID is not zero and Address
// is valid; it sends while NBMA is known too.
type Interface struct {
	Name        string       // "Tunnel0"
	ID          uint16       // the fast path's number; only copied to Status
	VRF         string       // `ip vrf forwarding`; interfaces of one VRF and one NetworkID are one NHRP network
	Address     netip.Prefix // tunnel address with its mask
	Secondary   []netip.Prefix
	NBMA        netip.Addr // tunnel source; the zero Addr while unknown (DHCP pending)
	Destination netip.Addr // `tunnel destination` of point-to-point GRE; the zero Addr for multipoint
	Protected   bool       // `tunnel protection`: peers are ready only when PeerState says so

	NetworkID      uint32 // `ip nhrp network-id`; 0: NHRP is off
	Authentication Secret // `ip nhrp authentication`; at most 8 bytes for other makers' sake
	HoldTime       time.Duration
	// RegistrationTimeout is the time between registrations; zero means a third of HoldTime.
	RegistrationTimeout time.Duration
	NoUnique            bool  // `ip nhrp registration no-unique`
	Maps                []Map // `ip nhrp map`
	MulticastStatic     []netip.Addr
	MulticastDynamic    bool // `ip nhrp map multicast dynamic`: whoever registers gets multicast
	NHS                 []NHS
	Clusters            []Cluster
	Fallback            time.Duration // `ip nhrp nhs fallback`: how long a better NHS must answer before it is preferred again
	ServerOnly          bool          // `ip nhrp server-only`: never asks for resolution
	AnswerFromCache     bool          // answer for registered clients instead of passing the request on to them
	Redirect            bool          // `ip nhrp redirect`
	RedirectTimeout     time.Duration // between two indications for one pair of addresses; zero means DefaultRedirect
	Shortcut            bool          // `ip nhrp shortcut`
	SimultaneousOpen    bool          // `ip nhrp nat simultaneous-open`; without Protected it is of no effect
	MaxSend             MaxSend
	MTU                 uint16 // advertised in client information entries, bytes; advisory
	// IdleTimeout takes down spoke-to-spoke entries that carried no traffic for so long; zero leaves them to the holding time.
	IdleTimeout time.Duration
}

// onTunnel tells whether an address belongs to the tunnel's subnets, so that whoever registers it takes nothing from
// others. A tunnel whose own address has no subnet takes all.
func (i *Interface) onTunnel(a netip.Addr) bool {
	if i.Address.IsSingleIP() || i.Address.Contains(a) {
		return true
	}
	return slices.ContainsFunc(i.Secondary, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Map is a static mapping: Protocol is reached at NBMA.
type Map struct {
	Protocol netip.Prefix // a host prefix for an address
	NBMA     netip.Addr
}

// NHS is a next hop server to register with.
type NHS struct {
	Protocol  netip.Addr // tunnel address; the zero Addr means `dynamic`: learned from the first reply
	NBMA      netip.Addr // the zero Addr means: as Maps (or Destination) says
	Multicast bool       // `nhs ... nbma ... multicast`
	Priority  uint8      // 0 is best
	Cluster   uint8
}

// Cluster limits how many NHS of a cluster are used at a time; an unlisted cluster uses all of its NHS.
type Cluster struct {
	ID             uint8
	MaxConnections uint8 // 0: all
}

// MaxSend is `ip nhrp max-send`: at most so many packets in an interval, replies included.
// The zero value means DefaultMaxSend.
type MaxSend struct {
	Packets  int
	Interval time.Duration
}

// Secret is a string that formats as stars, so that it does not reach a log by accident.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText hides the secret from JSON and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Defaults of IOS, where it has them.
const (
	DefaultHoldTime   = 7200 * time.Second
	MaxHoldTime       = 65535 * time.Second // the field on the wire has 16 bits
	DefaultRedirect   = 8 * time.Second
	DefaultMaxEntries = 65536
)

// DefaultMaxSend is the IOS default: 100 packets in 10 seconds.
var DefaultMaxSend = MaxSend{Packets: 100, Interval: 10 * time.Second}

// Route is what the routing table says about a destination.
type Route struct {
	Iface   string       // interface it leaves by; "" if none does (a null route)
	NextHop netip.Addr   // the zero Addr where the destination is on the link
	Prefix  netip.Prefix // of the route that was found
	Local   bool         // the destination is an address of this box
}

// Routes is what NHRP asks of the routing table. Lookup finds dst in the VRF that the interface belongs to and leaves
// out routes that come from NHRP itself (the effects Bind): their parents count. ok is false without a route.
type Routes interface {
	Lookup(iface string, dst netip.Addr) (r Route, ok bool)
}
