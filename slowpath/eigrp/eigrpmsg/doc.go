// Package eigrpmsg is the codec of EIGRP (RFC 7868 section 6), for IPv4: the header and its checksum, the general TLVs, and routes with classic
// and with wide metrics.
//
//	Parse          a packet, without its IP header, as a value
//	Packet.Append  the value as a packet, with its checksum
//	Sign, Verify   the authentication TLV, which is the first one of a packet that has it
//
// Verify looks at no more than the header and that TLV before it knows that the packet is genuine. Nothing here panics or reads past a stated length.
// TLVs that are not known are kept, so that Append gives back what Parse read, if the general TLVs come first and in the order of Packet's fields.
//
// The package imports nothing of nave's.
package eigrpmsg
