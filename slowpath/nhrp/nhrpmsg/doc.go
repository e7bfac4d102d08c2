// Package nhrpmsg is the codec of NHRP packets (RFC 2332 section 5) with Cisco's additions: the Traffic Indication,
// the NAT address extension and the plain-text form of the authentication extension.
//
// A Message is a value. Parse never panics, never reads past the length that the packet states, and keeps the order of
// extensions and the ones it does not know, so that Append gives back the same bytes. Slices in a parsed Message point
// into the packet. What IP over IP does not use (E.164 numbers, subaddresses, SNAP protocol types) is refused.
//
// The package imports nothing of nave's.
package nhrpmsg
