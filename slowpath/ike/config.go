package ike

import (
	"fmt"
	"net/netip"
	"time"

	"nave/slowpath/ike/suite"
)

// AnyVRF matches every VRF.
const AnyVRF = 0xffff

// Config is all that IKE is told. It is a value: engines keep copies and never write to it.
type Config struct {
	Protections []Protection
	Keyrings    []Keyring // of both versions; the one without a name is that of `crypto isakmp key`
	V1          V1
	V2          V2
	Trustpoints []Trustpoint

	NoNATT       bool          // `no crypto ipsec nat-transparency udp-encapsulation`: NAT traversal is not offered
	NATKeepalive time.Duration // between keepalives of a side behind NAT; 0: DefaultNATKeepalive
	// InvalidSPIRecovery tells a peer, through its IKE SA, of ESP with an SPI that is not ours.
	InvalidSPIRecovery bool
	Admission          Limits
	Hostname           string // for identities of kind hostname
}

// Limits is `crypto call admission limit ike sa|in-negotiation-sa N` and `call admission limit PERCENT`, and what the hardware sets.
type Limits struct {
	SAs           int // IKE SAs in all; 0: no limit
	InNegotiation int // of those, not established; 0: DefaultInNegotiation
	Load          int // per cent of system load above which nobody new is let in; 0: no limit
	// SetUp is how many IKE SAs may begin in a second; 0: no limit.
	SetUp float64
}

// Defaults of IOS, or sensible where it has none.
const (
	DefaultNATKeepalive  = 20 * time.Second
	DefaultInNegotiation = 1000
	DefaultSALifetime    = 86400 * time.Second
	DefaultChildLifetime = 3600 * time.Second
	DefaultKilobytes     = 4608000
)

// Protection is `tunnel protection ipsec profile NAME` of a tunnel, or of all tunnels of one source that share it.
type Protection struct {
	ID      uint32 // the number by which the fast path knows it
	Profile string // the IPsec profile
	VRF     uint16 // of the outer packets (`tunnel vrf`)
	Local   netip.Addr
	Remote  netip.Addr // `tunnel destination`: the only peer; the zero Addr: any
	// Version is the IKE version that nave starts with: 2 where there is an IKEv2 profile, else 1.
	Version       int
	ISAKMPProfile string // "": by Match, or none
	IKEv2Profile  string
	Transforms    []Transform   // in order of preference
	PFS           suite.Group   // GroupNone: none
	Lifetime      time.Duration // of a child; 0: DefaultChildLifetime
	Kilobytes     uint64        // of a child, in each direction; 0: no limit
	Window        uint16        // anti-replay, packets; 0: off
	ResponderOnly bool          // never starts
	// Peers restricts who may use it (`set identity`); empty: anybody who authenticates.
	Peers []Match
}

// Transform is a transform set, and what became of it in a negotiation.
type Transform struct {
	AH      suite.Hash   // HashNone: no AH
	Cipher  suite.Cipher // CipherNone: no ESP
	KeyBits int          // of AES: 128, 192, 256
	ICV     int          // of AES-GCM: 8, 12, 16 bytes
	Auth    suite.Hash   // of ESP; HashNone with a combined cipher, or (loudly warned of) with none
	Tunnel  bool         // tunnel mode
	Require bool         // `mode transport require`: nothing else is taken
	ESN     bool         // 64-bit sequence numbers (IKEv2 only)
}

// Keyring is pre-shared keys, for peers by address or identity.
type Keyring struct {
	Name      string
	VRF       uint16     // whose peers (`crypto keyring NAME vrf NAME`); AnyVRF of IKEv2 keyrings
	LocalAddr netip.Addr // only for this address of ours; the zero Addr: any
	Keys      []KeyEntry
}

// KeyEntry is the key of a peer. Of the fields that say whose it is, one is set.
type KeyEntry struct {
	Name     string       // `peer NAME`, for show
	Prefix   netip.Prefix // by address: the longest match wins, 0.0.0.0/0 is the wildcard
	Hostname string       // by an identity of kind FQDN (or what `ip host` says of it: see Prefix)
	Identity *Match       // by identity (IKEv2)
	Local    Secret       // what we prove who we are with
	Remote   Secret       // what the peer does; the same as Local where only one is configured
}

// IDKind is a kind of identity.
type IDKind uint8

// Kinds, with what Value is of each.
const (
	IDNone  IDKind = iota
	IDIPv4         // dotted address
	IDFQDN         // name
	IDEmail        // name@domain (ID_USER_FQDN, ID_RFC822_ADDR)
	IDDN           // DER of the name
	IDKey          // any bytes
	IDOther        // a kind that nave does not know; Value is type byte and data
)

// Identity is who a side says that it is. It is comparable.
type Identity struct {
	Kind  IDKind
	Value string
}

// Match says which identities are meant.
type Match struct {
	Kind   IDKind       // IDNone: every identity
	Prefix netip.Prefix // of IDIPv4
	Value  string       // of the others: equal, without regard to case of FQDN and email; of IDDN see DN
	Domain bool         // IDFQDN or IDEmail: Value is the domain that it ends in
	DN     []string     // of IDDN: parts such as "OU=spokes" that all have to be there
	VRF    uint16       // of IDIPv4 in IKEv1 (`match identity address A M VRF`); AnyVRF: all
}

// Keepalive is dead peer detection.
type Keepalive struct {
	Interval time.Duration // without a sign of life before the peer is asked; 0: off
	Retry    time.Duration // between questions; 0: 2 s
	Periodic bool          // ask even when there is traffic
}

// V1 is what only IKEv1 has.
type V1 struct {
	Disabled     bool
	Policies     []V1Policy // by priority
	Profiles     []V1Profile
	Keepalive    Keepalive
	NoAggressive bool   // aggressive mode is refused
	Identity     IDKind // `crypto isakmp identity`: IDIPv4, IDFQDN or IDDN
	Trustpoint   string // of RSA signatures without a profile that names one; "": the first that has a certificate
}

// V1Policy is a proposal for phase 1.
type V1Policy struct {
	Priority int
	Cipher   suite.Cipher
	KeyBits  int
	Hash     suite.Hash
	RSA      bool // signatures; otherwise pre-shared keys
	Group    suite.Group
	Lifetime time.Duration
}

// V1Profile is `crypto isakmp profile NAME`.
type V1Profile struct {
	Name       string
	Keyrings   []string
	Match      []Match
	Self       Identity // IDNone: as V1.Identity says
	Keepalive  Keepalive
	Trustpoint string
	Aggressive bool // starts in aggressive mode
	LocalAddr  netip.Addr
}

// V2 is what only IKEv2 has.
type V2 struct {
	Proposals     []V2Proposal
	Policies      []V2Policy
	Profiles      []V2Profile
	DPD           Keepalive
	Cookies       int  // half-open SAs from which on cookies are asked for; 0: DefaultCookies
	Fragmentation bool // RFC 7383
	FragmentMTU   int  // bytes of an IP packet; 0: 576
}

// DefaultCookies is from how many half-open SAs on an initiator has to show that it is where it says.
const DefaultCookies = 100

// V2Proposal is `crypto ikev2 proposal NAME`; every combination of its parts is offered.
type V2Proposal struct {
	Name       string
	Ciphers    []V2Cipher
	Integrity  []suite.Hash // with ciphers that are not combined
	PRFs       []suite.Hash // empty: as Integrity, or SHA-256 without any
	Groups     []suite.Group
	Additional map[int][]suite.Group // RFC 9370, by round 1 to 7; GroupNone in a round makes it optional
}

// V2Cipher is a cipher with its key length.
type V2Cipher struct {
	Cipher  suite.Cipher
	KeyBits int
	ICV     int
}

// V2Policy says which proposals count for an address of ours.
type V2Policy struct {
	Name      string
	Proposals []string
	VRF       uint16 // AnyVRF: all
	Local     []netip.Addr
}

// V2Profile is `crypto ikev2 profile NAME`.
type V2Profile struct {
	Name       string
	Match      []Match
	VRF        uint16 // of the peer's packets; AnyVRF: all
	Local      []netip.Addr
	Self       Identity // IDNone: the address we are reached at
	AuthLocal  AuthMethod
	AuthRemote []AuthMethod
	Keyring    string
	Sign       []string // trustpoints that we may sign by
	Verify     []string // trustpoints that peers may be signed by
	Lifetime   time.Duration
	DPD        Keepalive
}

// AuthMethod is how a side proves who it is.
type AuthMethod uint8

// Methods.
const (
	AuthPSK AuthMethod = iota + 1
	AuthRSA
	AuthECDSA
)

// Secret is key material, which formats as stars.
type Secret []byte

// Clear overwrites the secret.
func (s Secret) Clear() { clear(s) }

// String hides the secret.
func (s Secret) String() string {
	if len(s) == 0 {
		return ""
	}
	return "***"
}

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
