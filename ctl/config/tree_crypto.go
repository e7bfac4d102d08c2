package config

import (
	"net/netip"
	"time"
)

// ISAKMP is IKEv1.
type ISAKMP struct {
	Policies           []*ISAKMPPolicy // by priority
	Keys               []ISAKMPKey     // `crypto isakmp key`: the default keyring
	Keyrings           []*Keyring
	Profiles           []*ISAKMPProfile
	Identity           string // "address" (default), "hostname" or "dn"
	Keepalive          Keepalive
	NATKeepalive       time.Duration // `crypto isakmp nat keepalive`; 0: default, 20 s
	NoAggressive       bool          // `crypto isakmp aggressive-mode disable`
	InvalidSPIRecovery bool
	Disabled           bool // `no crypto isakmp enable`
}

// ISAKMPPolicy is one IKEv1 proposal. Zero fields take IOS's defaults, see Effective.
type ISAKMPPolicy struct {
	Priority       int    // 1 (first) to 10000
	Encryption     string // "des", "3des", "aes"
	KeyBits        int    // of aes: 128, 192, 256
	Hash           string // "sha", "md5", "sha256", "sha384", "sha512"
	Authentication string // "pre-share", "rsa-sig"
	Group          int    // Diffie-Hellman group
	Lifetime       time.Duration
	Pos            Pos
	Lines          Lines
}

// Effective returns the policy with the defaults filled in: DES, SHA-1, RSA signatures, group 1, 86400 s.
func (p ISAKMPPolicy) Effective() ISAKMPPolicy {
	p.Encryption = or(p.Encryption, "des")
	if p.Encryption == "aes" {
		p.KeyBits = or(p.KeyBits, 128)
	}
	p.Hash = or(p.Hash, "sha")
	p.Authentication = or(p.Authentication, "rsa-sig")
	p.Group = or(p.Group, 1)
	p.Lifetime = or(p.Lifetime, 86400*time.Second)
	return p
}

// ISAKMPKey is a pre-shared key for an address range or a host name.
type ISAKMPKey struct {
	Key      Secret
	Prefix   netip.Prefix // 0.0.0.0/0: the wildcard key
	Hostname string       // where the key is for a host name
	NoXAuth  bool
	Pos      Pos
}

// Wildcard tells whether the key is good for every address.
func (k *ISAKMPKey) Wildcard() bool {
	return k.Hostname == "" && k.Prefix.IsValid() && k.Prefix.Bits() == 0
}

// Keyring is `crypto keyring NAME [vrf NAME]`.
type Keyring struct {
	Name           string
	VRF            string
	Description    string
	LocalAddr      netip.Addr // `local-address`
	LocalInterface string
	Keys           []ISAKMPKey
	Pos            Pos
	Lines          Lines
}

// Identity is how a peer or we are called in IKE.
type Identity struct {
	Kind   string       // "address", "fqdn", "email", "dn", "key-id", "any", "group"
	Prefix netip.Prefix // of "address"; a /32 for our own, zero: the address of the tunnel source
	Value  string       // of the others; "domain NAME" matches are Kind "fqdn-domain"
	VRF    string       // `match identity address A M VRF`
}

// ISAKMPProfile is `crypto isakmp profile NAME`.
type ISAKMPProfile struct {
	Name           string
	Description    string
	VRF            string
	Keyrings       []string
	SelfIdentity   Identity
	Match          []Identity
	Keepalive      Keepalive
	Trustpoint     string
	Aggressive     bool // `initiate mode aggressive`
	LocalAddr      netip.Addr
	LocalInterface string
	Pos            Pos
	Lines          Lines
}

// Keepalive is dead peer detection (RFC 3706).
type Keepalive struct {
	Interval time.Duration // 0: off
	Retry    time.Duration // 0: default, 2 s
	Periodic bool          // send even when there is traffic
	OnDemand bool          // written explicitly (the default)
}

// IPsec is the phase 2 configuration.
type IPsec struct {
	TransformSets []*TransformSet
	Profiles      []*IPsecProfile
	Identities    []*CryptoIdentity
	Lifetime      Lifetime // `crypto ipsec security-association lifetime`
	ReplayWindow  int      // packets; 0: default, 64
	ReplayOff     bool
	IdleTime      time.Duration
	DFBit         string // "clear", "set", "copy"; empty: default, copy
	Fragmentation string // "before-encryption", "after-encryption"; empty: default, before
	NoNATT        bool   // `no crypto ipsec nat-transparency udp-encapsulation`
}

// Lifetime limits an SA. Zero fields: the next outer default, in the end 3600 s and 4608000 kilobytes.
type Lifetime struct {
	Duration  time.Duration
	Kilobytes int
	// Unlimited is `kilobytes disable`: volume does not end the SA.
	Unlimited bool
}

// TransformSet is `crypto ipsec transform-set NAME TRANSFORM...`.
type TransformSet struct {
	Name    string
	AH      string // "ah-md5-hmac", ...; empty: none
	Cipher  string // "esp-des", "esp-aes", "esp-gcm", ...; empty: none
	KeyBits int    // of aes, gcm, gmac, ctr: 128, 192, 256; 0: default, 128
	ICV     int    // of gcm: 8, 12, 16 bytes; 0: default, 16
	Auth    string // "esp-md5-hmac", ...; empty: none
	Mode    string // "transport", "tunnel"; empty: default, tunnel
	Require bool   // `mode transport require`
	ESN     bool   // `esn`: 64-bit sequence numbers
	Pos     Pos
	Lines   Lines
}

// Combined tells whether the cipher authenticates too (AEAD).
func (t *TransformSet) Combined() bool {
	switch t.Cipher {
	case "esp-gcm", "esp-gmac", "esp-chacha20-poly1305":
		return true
	}
	return false
}

// Authenticated tells whether packets of the set are protected against change.
func (t *TransformSet) Authenticated() bool { return t.AH != "" || t.Auth != "" || t.Combined() }

// IPsecProfile is `crypto ipsec profile NAME`.
type IPsecProfile struct {
	Name          string
	Description   string
	TransformSets []string
	PFS           int // Diffie-Hellman group; 0: none. Bare `set pfs` is group 1
	Lifetime      Lifetime
	IdentitySet   bool   // `set identity [NAME]`
	Identity      string // a CryptoIdentity; empty for the bare form
	ISAKMPProfile string
	IKEv2Profile  string
	IdleTime      time.Duration // `set security-association idle-time`; 0: the global one
	ReplayWindow  int           // 0: the global one
	ReplayOff     bool
	ResponderOnly bool
	Pos           Pos
	Lines         Lines
}

// CryptoIdentity is `crypto identity NAME`: peers that may use a profile.
type CryptoIdentity struct {
	Name  string
	DN    []string
	FQDN  []string
	Pos   Pos
	Lines Lines
}

// IKEv2 is `crypto ikev2 ...`.
type IKEv2 struct {
	Proposals     []*IKEv2Proposal
	Policies      []*IKEv2Policy
	Keyrings      []*IKEv2Keyring
	Profiles      []*IKEv2Profile
	DPD           Keepalive
	Cookies       int  // `crypto ikev2 cookie-challenge N`: half-open SAs; 0: default
	Fragmentation bool // RFC 7383
	FragmentMTU   int  // bytes; 0: default
	NATKeepalive  time.Duration
	MaxSA         int // `crypto ikev2 limit max-sa`; 0: no limit
	MaxHalfOpen   int // `crypto ikev2 limit max-in-negotiation-sa`; 0: no limit
}

// IKEv2Proposal is `crypto ikev2 proposal NAME`.
type IKEv2Proposal struct {
	Name       string
	Encryption []string // "aes-gcm-256", "aes-cbc-128", "3des", "chacha20-poly1305", ...
	Integrity  []string // "sha1", "sha256", ...
	PRF        []string // empty: as Integrity
	Groups     []int
	// Additional lists the additional key exchanges of RFC 9370, by round (1 to 7): "mlkem768" or "none".
	// nave's own.
	Additional map[int][]string
	Pos        Pos
	Lines      Lines
}

// IKEv2Policy is `crypto ikev2 policy NAME`.
type IKEv2Policy struct {
	Name       string
	Proposals  []string
	MatchVRF   string // "any" or a name; empty: the global table
	MatchLocal []netip.Addr
	Pos        Pos
	Lines      Lines
}

// IKEv2Keyring is `crypto ikev2 keyring NAME`.
type IKEv2Keyring struct {
	Name  string
	Peers []*IKEv2Peer
	Pos   Pos
	Lines Lines
}

// IKEv2Peer is `peer NAME` in a keyring.
type IKEv2Peer struct {
	Name        string
	Description string
	Prefix      netip.Prefix // `address A [MASK]`
	Hostname    string
	Identity    Identity
	Local       Secret // `pre-shared-key [local] KEY`
	Remote      Secret // `pre-shared-key [remote] KEY`
	Pos         Pos
	Lines       Lines
}

// IKEv2Profile is `crypto ikev2 profile NAME`.
type IKEv2Profile struct {
	Name          string
	Description   string
	MatchRemote   []Identity
	MatchVRF      string // `match fvrf`; "any"
	MatchLocal    []netip.Addr
	MatchLocalIf  string
	IdentityLocal Identity
	AuthLocal     string   // "pre-share", "rsa-sig", "ecdsa-sig"
	AuthRemote    []string // any of these
	Keyring       string
	Trustpoints   []IKEv2Trustpoint
	Lifetime      time.Duration // 0: default, 86400 s
	DPD           Keepalive
	IVRF          string
	Pos           Pos
	Lines         Lines
}

// IKEv2Trustpoint is `pki trustpoint NAME [sign|verify]`.
type IKEv2Trustpoint struct {
	Name string
	Use  string // "sign", "verify"; empty: both
}

// PKI holds the trustpoints.
type PKI struct {
	Trustpoints []*Trustpoint
}

// Trustpoint is `crypto pki trustpoint NAME`. The files are PEM; naming them is nave's own.
type Trustpoint struct {
	Name            string
	CAFile          string   // `ca-file PATH`
	CertificateFile string   // `certificate-file PATH`
	KeyFile         string   // `key-file PATH`
	CRLFile         string   // `crl-file PATH`
	Revocation      []string // "crl", "none"; empty: default, crl where a CRL file is named
	SubjectName     string
	KeyPair         string   // `rsakeypair`, no effect
	Ignored         []string // enrollment and the like
	Pos             Pos
	Lines           Lines
}
