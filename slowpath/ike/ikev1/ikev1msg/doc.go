// Package ikev1msg reads and writes the payloads of IKEv1 (RFC 2407, 2408, 2409).
//
// The header and the chain of payloads are ikemsg's. What is parsed refers to the bytes that it was parsed from; what is written is
// written byte by byte as it was parsed, but for reserved bytes, which are zero.
package ikev1msg

// Exchange types (RFC 2408 section 3.1, RFC 2409 section A, draft-ietf-ipsec-isakmp-mode-cfg).
const (
	MainMode       = 2
	AggressiveMode = 4
	Informational  = 5
	Transaction    = 6
	QuickMode      = 32
)

// Flags of the header.
const (
	FlagEncrypted = 1
	FlagCommit    = 2
	FlagAuthOnly  = 4
)

// Payload types. Those of the drafts of NAT traversal are beside those of RFC 3947.
const (
	PayloadSA          = 1
	PayloadProposal    = 2
	PayloadTransform   = 3
	PayloadKE          = 4
	PayloadID          = 5
	PayloadCert        = 6
	PayloadCertRequest = 7
	PayloadHash        = 8
	PayloadSignature   = 9
	PayloadNonce       = 10
	PayloadNotify      = 11
	PayloadDelete      = 12
	PayloadVendorID    = 13
	PayloadConfig      = 14
	PayloadNATD        = 20
	PayloadNATOA       = 21
	PayloadNATDDraft   = 130
	PayloadNATOADraft  = 131
	PayloadFragment    = 132
)

// DOIIPsec is the domain of interpretation (RFC 2407), SituationIdentity the only situation in use.
const (
	DOIIPsec          = 1
	SituationIdentity = 1
)

// Protocols (RFC 2407 section 4.4.1).
const (
	ProtoISAKMP = 1
	ProtoAH     = 2
	ProtoESP    = 3
)

// TransformKeyIKE is the only transform of phase 1.
const TransformKeyIKE = 1

// Attributes of phase 1 (RFC 2409 appendix A).
const (
	AttrCipher       = 1
	AttrHash         = 2
	AttrAuth         = 3
	AttrGroup        = 4
	AttrLifeType     = 11
	AttrLifeDuration = 12
	AttrKeyLength    = 14
)

// Attributes of phase 2 (RFC 2407 section 4.5).
const (
	Attr2LifeType     = 1
	Attr2LifeDuration = 2
	Attr2Group        = 3
	Attr2Encap        = 4
	Attr2Auth         = 5
	Attr2KeyLength    = 6
)

// Kinds of lifetime, in both phases.
const (
	LifeSeconds   = 1
	LifeKilobytes = 2
)

// Identity types (RFC 2407 section 4.6.2.1).
const (
	IDIPv4       = 1
	IDFQDN       = 2
	IDUserFQDN   = 3
	IDIPv4Subnet = 4
	IDDN         = 9
	IDKeyID      = 11
)

// CertX509Signature is how an X.509 certificate is sent (RFC 2408 section 3.9).
const CertX509Signature = 4

// Notify types (RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706).
const (
	NotifyInvalidCookie        = 4
	NotifyInvalidSPI           = 11
	NotifyNoProposalChosen     = 14
	NotifyPayloadMalformed     = 16
	NotifyInvalidKey           = 17
	NotifyInvalidID            = 18
	NotifyInvalidCert          = 20
	NotifyInvalidHash          = 23
	NotifyAuthenticationFailed = 24
	NotifyInvalidSignature     = 25
	NotifyUnsupportedExchange  = 29
	NotifyResponderLifetime    = 24576
	NotifyReplayStatus         = 24577
	NotifyInitialContact       = 24578
	NotifyRUThere              = 36136
	NotifyRUThereAck           = 36137
	notifyFirstStatus          = 16384
)

// IsError tells whether a notify type is an error; otherwise it is a status (RFC 2408 section 3.14.1).
func IsError(notify uint16) bool { return notify < notifyFirstStatus }
