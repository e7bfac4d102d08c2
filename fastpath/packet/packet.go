// Package packet gives typed views of header bytes: Ethernet, IPv4, GRE, TCP, UDP and ICMP, and their checksums.
//
// A header is its bytes: a view is a slice with accessors, made by a Parse function that has checked every length
// the accessors rely on. Parse functions return a Fault instead of an error, because they run once a packet.
// Package packet imports nothing of nave's, allocates nothing and keeps nothing.
package packet

// Fault says what is wrong with a header. The zero value means that nothing is.
type Fault uint8

// Faults of headers.
const (
	OK           Fault = iota
	Short              // fewer bytes than the header needs
	BadVersion         // not IPv4, or a GRE version other than 0
	BadHeader          // a header length that cannot be, or flags that nobody may send
	BadLength          // the total length says less than the header, or more than there is
	BadChecksum        // the checksum does not fit the bytes
	BadOptions         // an option runs out of its header
	SourceRouted       // loose or strict source route, which nave never follows
	NotSupported       // legal once, and not done any more (GRE source routing, RFC 1701)
)

// IP protocol numbers (IANA).
const (
	ProtoICMP = 1
	ProtoIPIP = 4 // IPv4 in IPv4
	ProtoTCP  = 6
	ProtoUDP  = 17
	ProtoGRE  = 47
	ProtoESP  = 50
	ProtoAH   = 51
	ProtoNone = 59 // no next header
)

// EtherTypes and GRE protocol types.
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeVLAN = 0x8100
	TypeMPLS = 0x8847 // RFC 5332, RFC 4023: unicast in Ethernet, and in GRE
	TypeNHRP = 0x2001 // RFC 2332 section 5.1, as a GRE protocol type
)
