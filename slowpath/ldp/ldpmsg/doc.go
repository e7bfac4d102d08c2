// Package ldpmsg is the codec of the label distribution protocol (RFC 5036 section 3), for prefixes of IPv4 and IPv6, generic labels and the
// fault tolerance session parameters of RFC 3478.
//
// A stream of TCP, or a datagram of a Hello, holds PDUs; a PDU holds messages; a message holds TLVs:
//
//	Frame      how long the PDU at the start of a stream is
//	ParsePDU   its LDP identifier and what is in it
//	Next       the message at the start of that, not looked into
//	Parse      the message as a value
//
// so that a fault takes no more with it than section 3.5.1 says: an Error knows the status code to answer with, whether it
// ends the session, and the message it is about. Nothing here panics or reads past a stated length. TLVs that a message has no
// use for are kept in order (Extra), so that Append gives back what Parse read, if the TLVs that are known came first.
//
// The package imports nothing of nave's.
package ldpmsg
