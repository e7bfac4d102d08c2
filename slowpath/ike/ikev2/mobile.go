package ikev2

import (
	"encoding/binary"
	"net/netip"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// relocated follows a peer to the addresses that its request came by (RFC 4555 section 3.5). Children in UDP follow; the others are bound to the old
// addresses: they end, and whoever needs them makes them anew.
func (s *sa) relocated(path ike.Path, list []ikemsg.Payload) []ikev2msg.Out {
	if n, ok := has(list, ikev2msg.NoNATsAllowed); ok && !untranslated(n.Data, path) {
		return []ikev2msg.Out{notify(ikev2msg.UnexpectedNATDetected, nil)}
	}
	if path.VRF != s.path.VRF || path.Local.Addr() != s.path.Local.Addr() {
		return []ikev2msg.Out{notify(ikev2msg.UnacceptableAddresses, nil)} // another address of ours is another tunnel source
	}
	if n, offered := natSeen(s.spiI, s.spiR, path, list); offered && s.natt {
		s.nat = n
	}
	elsewhere := path.Remote.Addr() != s.path.Remote.Addr()
	s.move(path)
	for _, c := range s.list() {
		if elsewhere && !c.Encap {
			s.dropChild(c, ike.WhyReplaced)
		}
	}
	if !s.natt {
		return nil
	}
	return natPayloads(s.spiI, s.spiR, path)
}

// untranslated tells whether a request came by the addresses that it was sent by: what NO_NATS_ALLOWED is for (RFC 4555 section 4.2.6).
func untranslated(data []byte, path ike.Path) bool {
	want := append(path.Remote.Addr().AsSlice(), path.Local.Addr().AsSlice()...)
	want = binary.BigEndian.AppendUint16(want, path.Remote.Port())
	want = binary.BigEndian.AppendUint16(want, path.Local.Port())
	return string(data) == string(want)
}

// float goes on from and to port 4500 (RFC 7296 section 2.23).
func (s *sa) float() {
	s.path.Local = netip.AddrPortFrom(s.path.Local.Addr(), portNATT)
	if s.path.Remote.Port() == portIKE {
		s.path.Remote = netip.AddrPortFrom(s.path.Remote.Addr(), portNATT)
	}
}
