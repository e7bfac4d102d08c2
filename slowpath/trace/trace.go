// Package trace says what of the protocols' work somebody wants to see, and of whom: values that a Router is told and
// its protocols ask. Nothing is formatted here or below: a protocol reports a value, and only while a bit of Topics says
// that somebody takes it. Off, all of it costs one test of that bit at each place.
package trace

import "net/netip"

// Topics are kinds of things that happen. Each is a bit.
type Topics uint32

// The topics. Of each protocol, Error is what goes wrong, Detail what is decided and how states change.
const (
	NHRPError     Topics = 1 << iota // packets that are not taken, refusals, requests that fail
	NHRPDetail                       // requests begun and answered, servers, sessions of peers
	NHRPPacket                       // packets received and sent
	NHRPExtension                    // their extensions
	NHRPCache                        // entries added, changed and removed
	NHRPRate                         // packets that a rate limit has held back

	IKEv1Error
	IKEv1Detail
	IKEv1Packet
	IKEv2Error
	IKEv2Detail
	IKEv2Packet
	IPsecError  // children that are not to be had
	IPsecDetail // children made, used, renewed and ended

	TunnelError  // protection that is refused or fails
	TunnelDetail // what protects which peer of a tunnel
	SocketError  // crypto sockets that find no room or do not open
	SocketDetail // crypto sockets opened and closed, connections begun and ended

	EIGRPHello  // hellos and acknowledgements of EIGRP, received and sent
	EIGRPPacket // its other packets
)

// Groups of topics.
const (
	NHRP   = NHRPError | NHRPDetail | NHRPPacket | NHRPExtension | NHRPCache | NHRPRate
	IKEv1  = IKEv1Error | IKEv1Detail | IKEv1Packet
	IKEv2  = IKEv2Error | IKEv2Detail | IKEv2Packet
	IPsec  = IPsecError | IPsecDetail
	Tunnel = TunnelError | TunnelDetail
	Socket = SocketError | SocketDetail
	EIGRP  = EIGRPHello | EIGRPPacket
	All    = NHRP | IKEv1 | IKEv2 | IPsec | Tunnel | Socket | EIGRP
)

// Condition selects by whom something is about. The field that is set counts; the zero Condition selects nothing.
type Condition struct {
	NBMA   netip.Prefix // the peer's address on the transport network, or behind NAT
	Tunnel netip.Prefix // its address in the tunnel
	Iface  string       // the tunnel interface
	VRF    string       // of the tunnel interface, or of the tunnel's ends
}

// Rule has what belongs to Topics told, if one of Conditions fits, or if there is none.
type Rule struct {
	Topics     Topics
	Conditions []Condition
	// Unmatched has it told, too, where nothing is known of it that the conditions could be compared with: a message of a peer that nobody knows yet.
	Unmatched bool
}

// IKE is the topics of a version of IKE.
func IKE(version int) (errors, detail, packet Topics) {
	if version == 1 {
		return IKEv1Error, IKEv1Detail, IKEv1Packet
	}
	return IKEv2Error, IKEv2Detail, IKEv2Packet
}
