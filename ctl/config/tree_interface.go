package config

import (
	"net/netip"
	"time"
)

// Held says why a tunnel is kept down. Equality of trees ignores it.
type Held string

// Interface is a port, a subinterface, a loopback or a tunnel.
type Interface struct {
	Name        string // canonical
	Description string

	VRF        string         // `ip vrf forwarding`; empty: the global table
	Address    netip.Prefix   // primary; zero while there is none
	Secondary  []netip.Prefix // `ip address ... secondary`
	DHCP       bool           // `ip address dhcp`
	DHCPHost   string         // `ip address dhcp hostname NAME`
	Unnumbered string         // `ip unnumbered INTERFACE`

	MTU            int // `mtu`: largest IP packet of the link, bytes; 0: the link's own
	IPMTU          int // `ip mtu`, bytes; 0: default
	AdjustMSS      int // `ip tcp adjust-mss`, bytes; 0: SYNs are left alone
	Bandwidth      int // `bandwidth`, kbit/s; 0: default
	Delay          int // `delay`, tens of microseconds; 0: default
	Shutdown       bool
	VLAN           int // `encapsulation dot1Q`; 0: none
	VLANNative     bool
	NoRedirects    bool // `no ip redirects`
	NoUnreachables bool // `no ip unreachables`

	MPLS  InterfaceMPLS
	EIGRP []*InterfaceEIGRP // by AS

	Tunnel Tunnel // only for tunnels
	NHRP   NHRP

	Ignored []string // commands without effect, canonical
	Pos     Pos
	Lines   Lines
	// Held says why a tunnel is kept down though nothing in the text says so (Config.Hold). It does not print.
	Held Held
}

// InterfaceMPLS is what `mpls ...` says on an interface.
type InterfaceMPLS struct {
	IP            bool   // `mpls ip`
	MTU           int    // `mpls mtu`, bytes; 0: default
	LabelProtocol string // `mpls label protocol ldp`; empty: the global one
	BGPForwarding bool   // `mpls bgp forwarding`
}

// InterfaceEIGRP is what an interface says about one EIGRP process (`ip hello-interval eigrp AS ...`).
type InterfaceEIGRP struct {
	AS uint16
	EIGRPInterface
}

// EIGRPInterface holds the settings that classic configuration puts on the interface and named mode under
// `af-interface`.
type EIGRPInterface struct {
	SplitHorizon     Toggle        // default on
	NextHopSelf      Toggle        // default on
	Hello            time.Duration // 0: default, 5 s
	Hold             time.Duration // 0: default, 15 s, whatever Hello is
	BandwidthPercent int           // 0: default, 50
	AuthMode         string        // "md5" or "hmac-sha-256"; empty: none
	AuthPassword     Secret        // of hmac-sha-256
	KeyChain         string
	Summaries        []EIGRPSummary
	Passive          Toggle // named mode only
	Shutdown         Toggle // named mode only
}

// EIGRPSummary is `ip summary-address eigrp AS PREFIX MASK [DISTANCE]`.
type EIGRPSummary struct {
	Prefix   netip.Prefix
	Distance uint8  // 0: default, 5
	LeakMap  string // `leak-map`
}

// TunnelMode is how a tunnel encapsulates.
type TunnelMode uint8

// The tunnel modes. The zero value is the default of a tunnel interface.
const (
	GREPointToPoint TunnelMode = iota // `tunnel mode gre ip`
	GREMultipoint                     // `tunnel mode gre multipoint`
)

// Tunnel is the `tunnel ...` part of a tunnel interface.
type Tunnel struct {
	// Source is either an address or an interface's canonical name.
	SourceAddr      netip.Addr
	SourceInterface string
	Destination     netip.Addr // zero: none
	DestinationHost string     // `tunnel destination NAME`
	Mode            TunnelMode
	ModeSet         bool // `tunnel mode` was written, be it the default
	Key             uint32
	HasKey          bool
	VRF             string // `tunnel vrf`: where the encapsulated packets are routed
	Protection      Protection
	PathMTU         bool          // `tunnel path-mtu-discovery`
	PathMTUAge      time.Duration // `age-timer`; 0: default, 10 min. PathMTUInfinite: never
	PathMTUInfinite bool
	PathMTUMin      int // `min-mtu`, bytes
	TOS             int // `tunnel tos`; -1 is never stored: HasTOS says whether it was written
	HasTOS          bool
	TTL             int // `tunnel ttl`; 0: default, 255
	Checksum        bool
	Sequence        bool // `tunnel sequence-datagrams`
	BandwidthTx     int  // `tunnel bandwidth transmit`, kbit/s
	BandwidthRx     int  // `tunnel bandwidth receive`, kbit/s
}

// HasSource tells whether `tunnel source` was configured.
func (t *Tunnel) HasSource() bool { return t.SourceAddr.IsValid() || t.SourceInterface != "" }

// HasDestination tells whether `tunnel destination` was configured.
func (t *Tunnel) HasDestination() bool { return t.Destination.IsValid() || t.DestinationHost != "" }

// Protection is `tunnel protection ipsec profile NAME [shared] [ikev2-profile NAME] [isakmp-profile NAME]`.
type Protection struct {
	Profile       string // empty: packets leave in clear
	Shared        bool
	IKEv2Profile  string // overrides the IPsec profile's
	ISAKMPProfile string
}

// NHRP is the `ip nhrp ...` part of an interface.
type NHRP struct {
	NetworkID            uint32 // 0: NHRP is off
	Authentication       Secret // at most 8 characters
	HoldTime             time.Duration
	RegistrationTimeout  time.Duration // 0: a third of the hold time
	NoUnique             bool          // `ip nhrp registration no-unique`
	Maps                 []NHRPMap
	MulticastDynamic     bool         // `ip nhrp map multicast dynamic`
	Multicast            []netip.Addr // `ip nhrp map multicast NBMA`
	NHS                  []NHS
	ServerOnly           bool
	ServerOnlyNonCaching bool
	Shortcut             bool
	SimultaneousOpen     bool // `ip nhrp nat simultaneous-open`
	Redirect             bool
	RedirectTimeout      time.Duration // 0: default, 8 s
	MaxSend              int           // packets; 0: default, 100
	MaxSendInterval      time.Duration // 0: default, 10 s
	NHSFallback          time.Duration // `ip nhrp nhs fallback`; 0: none
	NHSClusters          []NHSCluster
	Group                string // `ip nhrp group`: told to the hub, no effect here

	// nave's own limits.
	MaxEntries  int           // `ip nhrp max-entries N`; 0: default
	IdleTimeout time.Duration // `ip nhrp idle-timeout SECONDS`: a dynamic entry without traffic goes; 0: never
}

// NHRPMap is `ip nhrp map PROTOCOL [MASK] NBMA`.
type NHRPMap struct {
	Protocol netip.Prefix // a /32 where no mask was given
	NBMA     netip.Addr
}

// NHS is `ip nhrp nhs ADDRESS [nbma NBMA [multicast]] [priority P] [cluster C]`.
type NHS struct {
	Addr      netip.Addr
	Dynamic   bool       // `ip nhrp nhs dynamic nbma ...`: the address is learned
	NBMA      netip.Addr // zero: found by `ip nhrp map`
	NBMAHost  string     // `nbma NAME`
	Multicast bool
	Priority  uint8 // 0 is the highest and the default
	Cluster   uint8
	// Net is the older form `ip nhrp nhs ADDRESS NET MASK`: the server is asked about that network only.
	Net netip.Prefix
}

// NHSCluster is `ip nhrp nhs cluster N max-connections M`.
type NHSCluster struct {
	Cluster        uint8
	MaxConnections uint8
}

// Defaults of NHRP.
const (
	DefaultHoldTime        = 7200 * time.Second
	DefaultMaxSend         = 100
	DefaultMaxSendInterval = 10 * time.Second
	DefaultRedirectTimeout = 8 * time.Second
	// MaxAuthentication is the longest authentication string, in bytes.
	MaxAuthentication = 8
)

// Enabled tells whether NHRP runs on the interface.
func (n *NHRP) Enabled() bool { return n.NetworkID != 0 }

// Hold returns the hold time, 7200 s unless configured.
func (n *NHRP) Hold() time.Duration { return or(n.HoldTime, DefaultHoldTime) }

// Registration returns the time between registrations: a third of the hold time unless configured.
func (n *NHRP) Registration() time.Duration { return or(n.RegistrationTimeout, n.Hold()/3) }

// SendLimit returns how many NHRP packets may leave the interface in which time, 100 in 10 s unless configured.
func (n *NHRP) SendLimit() (packets int, every time.Duration) {
	return or(n.MaxSend, DefaultMaxSend), or(n.MaxSendInterval, DefaultMaxSendInterval)
}

// RedirectInterval returns the least time between two indications about one pair of addresses.
func (n *NHRP) RedirectInterval() time.Duration { return or(n.RedirectTimeout, DefaultRedirectTimeout) }

// TTLOrDefault returns the outer TTL, 255 unless configured.
func (t *Tunnel) TTLOrDefault() int { return or(t.TTL, 255) }

// or returns v unless it is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
