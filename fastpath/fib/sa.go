package fib

import (
	"fmt"
	"net/netip"
)

// Cipher is how ESP hides a payload. The zero value is none: NULL encryption (RFC 2410).
type Cipher uint8

// Ciphers, and how long Key is, in bytes: the salt or nonce of KEYMAT stands at its end.
const (
	CipherNull             Cipher = iota
	CipherDES                     // CBC, RFC 2405: 8
	Cipher3DES                    // CBC, RFC 2451: 24
	CipherAESCBC                  // RFC 3602: 16, 24, 32
	CipherAESCTR                  // RFC 3686: 16, 24, 32 and 4 of nonce
	CipherAESGCM                  // RFC 4106: 16, 24, 32 and 4 of salt; ICV of 8, 12 or 16
	CipherAESGMAC                 // RFC 4543: authenticates, encrypts nothing; keys as GCM
	CipherChaCha20Poly1305        // RFC 7634: 32 and 4 of salt
)

// Auth is how ESP or AH shows that nobody changed a packet. The zero value is none (a combined cipher, or nothing at all).
type Auth uint8

// Integrity algorithms, with the lengths of key and ICV in bytes.
const (
	AuthNone          Auth = iota
	AuthHMACMD5            // RFC 2403: 16, 12
	AuthHMACSHA1           // RFC 2404: 20, 12
	AuthHMACSHA256         // RFC 4868: 32, 16
	AuthHMACSHA384         // RFC 4868: 48, 24
	AuthHMACSHA512         // RFC 4868: 64, 32
	AuthHMACSHA256x96      // 32, 12: what came before RFC 4868
)

// Key is key material, which formats as stars.
type Key []byte

// String hides the key.
func (k Key) String() string {
	if len(k) == 0 {
		return ""
	}
	return "***"
}

// Format hides the key from every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText hides the key from encoders.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// SA is one direction of a security association. Applied again under its ID it may have other Remote, RemotePort, Protection, Expires and limits, and keeps
// its sequence number, replay window and counts; everything else is fixed, and a batch that changes it is malformed: no key is ever installed
// twice, so no sequence number is used twice with it. Without either key it is the one that is installed, whose keys stay. An ID that was taken away may be given to
// another SA.
type SA struct {
	ID       SAID
	Inbound  bool
	AH       bool // RFC 4302; otherwise ESP, RFC 4303
	SPI      uint32
	OuterVRF VRF
	Local    netip.Addr // outer address of ours
	Remote   netip.Addr // outer address of the peer
	// Encap is ESP in UDP (RFC 3948). Its peer may move: a packet from another address or port that passes authentication and
	// replay and is the newest is taken, and punted with reason SAMoved.
	Encap                 bool
	LocalPort, RemotePort uint16
	// TunnelMode puts an IPv4 header between ESP and GRE; both lead between Local and Remote. Otherwise transport mode.
	TunnelMode bool

	Cipher    Cipher
	CipherKey Key
	KeyLen    uint8 // bytes of CipherKey, where that is left out: in what an engine says is installed. Nothing to whom it is applied
	Auth      Auth
	AuthKey   Key
	ICV       uint8 // bytes, of a combined cipher: 8, 12 or 16; 0: the algorithm's own

	ESN    bool   // 64-bit sequence numbers (RFC 4303 section 2.2.1)
	Window uint16 // anti-replay window of an inbound SA, packets: 64 to 1024 in steps of 64; 0: no replay check, as always without integrity
	// Protection is what an inbound SA's packets are let into.
	Protection ProtectionID
	// Under is the inbound AH association that a packet must have come out of before: AH over ESP. 0: none.
	Under SAID
	// Over is of an inbound AH association: what comes out of it must be ESP (AH over ESP, RFC 4301 section 5.2).
	Over bool
	// SoftBytes punts SASoft once, HardBytes ends the SA: its packets are dropped. 0: no limit.
	// An outbound SA also punts SASoft when nine tenths of its sequence numbers are used.
	SoftBytes, HardBytes uint64
	// Expires is when its lifetime ends, Unix seconds, for who finds it installed and does not know where it came from. The engine does nothing about it
	// but in a worker that is told to (Worker.EndExpired). 0: not known.
	Expires int64
	// Inside is the address that the peer has behind NAT, for the same: it tells peers apart that have one Remote. The engine keeps it and does nothing about it.
	Inside netip.Addr
}
