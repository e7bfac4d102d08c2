package ikev2msg

import "errors"

// ErrSyntax means that a payload's fields contradict each other or the RFC: INVALID_SYNTAX.
var ErrSyntax = errors.New("payload makes no sense")

// Exchange types (RFC 7296 section 3.1, RFC 9242, RFC 9370).
const (
	ExchangeInit          = 34
	ExchangeAuth          = 35
	ExchangeCreateChild   = 36
	ExchangeInformational = 37
	ExchangeIntermediate  = 43
	ExchangeFollowupKE    = 44
)

// Flags of the header.
const (
	FlagInitiator = 0x08 // the sender is the original initiator of the SA
	FlagVersion   = 0x10 // the sender could speak a higher version
	FlagResponse  = 0x20
)

// Payload types.
const (
	PayloadSA        = 33
	PayloadKE        = 34
	PayloadIDi       = 35
	PayloadIDr       = 36
	PayloadCert      = 37
	PayloadCertReq   = 38
	PayloadAuth      = 39
	PayloadNonce     = 40
	PayloadNotify    = 41
	PayloadDelete    = 42
	PayloadVendor    = 43
	PayloadTSi       = 44
	PayloadTSr       = 45
	PayloadEncrypted = 46
	PayloadConfig    = 47
	PayloadEAP       = 48
	PayloadFragment  = 53
)

// known tells which payloads a receiver understands: others with the critical bit end the exchange.
func known(t uint8) bool { return t >= PayloadSA && t <= PayloadEAP || t == PayloadFragment }

// Protocols of proposals, notifications and deletes.
const (
	ProtoNone = 0
	ProtoIKE  = 1
	ProtoAH   = 2
	ProtoESP  = 3
)

// Transform types (RFC 7296 section 3.3.2); 6 to 12 are the additional key exchanges of RFC 9370.
const (
	TransformEncr = 1
	TransformPRF  = 2
	TransformInt  = 3
	TransformKE   = 4
	TransformESN  = 5
	TransformADD1 = 6
	TransformADD7 = 12
)

// Encryption algorithms.
const (
	EncrDES       = 2
	Encr3DES      = 3
	EncrNull      = 11
	EncrAESCBC    = 12
	EncrAESCTR    = 13
	EncrAESGCM8   = 18
	EncrAESGCM12  = 19
	EncrAESGCM16  = 20
	EncrAESGMAC   = 21
	EncrChaCha20  = 28
	AttrKeyLength = 14 // the one transform attribute, in bits
)

// Pseudo-random functions.
const (
	PRFMD5    = 1
	PRFSHA1   = 2
	PRFSHA256 = 5
	PRFSHA384 = 6
	PRFSHA512 = 7
)

// Integrity algorithms.
const (
	IntNone      = 0
	IntMD5x96    = 1
	IntSHA1x96   = 2
	IntSHA256    = 12
	IntSHA384    = 13
	IntSHA512    = 14
	ESNNone      = 0
	ESNExtended  = 1
	KENone       = 0
	KEMLKEM768   = 36
	KEMLKEM1024  = 37
	SPILenIKE    = 8
	SPILenChild  = 4
	MaxNonce     = 256
	MinNonce     = 16
	maxProposals = 32
)

// Kinds of identity.
const (
	IDIPv4  = 1
	IDFQDN  = 2
	IDEmail = 3
	IDIPv6  = 5
	IDDN    = 9
	IDKey   = 11
)

// Certificate encodings.
const (
	CertX509 = 4
	CertCRL  = 7
	CertHash = 12 // hash and URL: refused
)

// Authentication methods.
const (
	AuthRSA       = 1
	AuthPSK       = 2
	AuthECDSA256  = 9
	AuthECDSA384  = 10
	AuthECDSA521  = 11
	AuthSignature = 14 // RFC 7427
)

// Notifications: errors below 16384, status from there on.
const (
	UnsupportedCriticalPayload = 1
	InvalidIKESPI              = 4
	InvalidMajorVersion        = 5
	InvalidSyntax              = 7
	InvalidMessageID           = 9
	InvalidSPI                 = 11
	NoProposalChosen           = 14
	InvalidKEPayload           = 17
	AuthenticationFailed       = 24
	SinglePairRequired         = 34
	NoAdditionalSAs            = 35
	InternalAddressFailure     = 36
	FailedCPRequired           = 37
	TSUnacceptable             = 38
	InvalidSelectors           = 39
	UnacceptableAddresses      = 40
	UnexpectedNATDetected      = 41
	TemporaryFailure           = 43
	ChildSANotFound            = 44
	StateNotFound              = 47

	InitialContact            = 16384
	SetWindowSize             = 16385
	AdditionalTSPossible      = 16386
	IPCompSupported           = 16387
	NATDetectionSource        = 16388
	NATDetectionDestination   = 16389
	Cookie                    = 16390
	UseTransportMode          = 16391
	HTTPCertLookupSupported   = 16392
	RekeySA                   = 16393
	ESPTFCPaddingNotSupported = 16394
	MOBIKESupported           = 16396
	AdditionalIP4Address      = 16397
	NoAdditionalAddresses     = 16399
	UpdateSAAddresses         = 16400
	Cookie2                   = 16401
	NoNATsAllowed             = 16402
	ChildlessSupported        = 16418
	FragmentationSupported    = 16430
	SignatureHashAlgorithms   = 16431
	IntermediateSupported     = 16438
	AdditionalKeyExchange     = 16441
)

// IsError tells whether a notification is an error.
func IsError(notify uint16) bool { return notify < 16384 }

// Hash algorithms of RFC 7427.
const (
	HashSHA1     = 1
	HashSHA256   = 2
	HashSHA384   = 3
	HashSHA512   = 4
	HashIdentity = 5
)
