package ikev2

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 7296 section 2.23 says SHA-1; nothing is protected by it
	"fmt"
	"net/netip"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// natHash is what a side believes an address to be, hidden from nobody but careless boxes on the way (RFC 7296 section 2.23).
func natHash(spiI, spiR ikemsg.SPI, a netip.AddrPort) []byte {
	h := sha1.New()
	h.Write(spiI[:])
	h.Write(spiR[:])
	h.Write(a.Addr().AsSlice())
	h.Write([]byte{byte(a.Port() >> 8), byte(a.Port())})
	return h.Sum(nil)
}

// translated tells whether NAT stands between us and the peer.
func (s *sa) translated() bool { return s.nat.Self || s.nat.Peer }

// natPayloads tell the peer where we are and where we believe it to be.
func natPayloads(spiI, spiR ikemsg.SPI, path ike.Path) []ikev2msg.Out {
	return []ikev2msg.Out{
		notify(ikev2msg.NATDetectionSource, natHash(spiI, spiR, path.Local)),
		notify(ikev2msg.NATDetectionDestination, natHash(spiI, spiR, path.Remote)),
	}
}

// natSeen reads the peer's. offered false: it does no NAT traversal.
func natSeen(spiI, spiR ikemsg.SPI, path ike.Path, list []ikemsg.Payload) (n ike.NAT, offered bool) {
	notifies, err := ikev2msg.Notifies(list)
	if err != nil {
		return n, false
	}
	var source, destination, sourceFits, destinationFits bool
	for _, x := range notifies {
		switch x.Type {
		case ikev2msg.NATDetectionSource:
			source = true
			sourceFits = sourceFits || bytes.Equal(x.Data, natHash(spiI, spiR, path.Remote))
		case ikev2msg.NATDetectionDestination:
			destination = true
			destinationFits = destinationFits || bytes.Equal(x.Data, natHash(spiI, spiR, path.Local))
		}
	}
	if !source || !destination {
		return n, false
	}
	return ike.NAT{Self: !destinationFits, Peer: !sourceFits}, true
}

// unheard adds to a text what an operator can look for where a negotiation of which the first exchange went well has no second: behind NAT that one is on port 4500.
func (s *sa) unheard(why ike.Why, text string) string {
	if why != ike.WhyTimeout || s.state != stateAuth || !s.translated() {
		return text
	}
	if text != "" {
		text += ", "
	}
	return text + "from UDP port 500 to 4500: does anything on the way drop port 4500?"
}

// strange says what is wrong with selectors that are not GRE between the two outer addresses. Of single addresses that are others, there is NAT that nobody looked for.
func (s *sa) strange(list []ikemsg.Payload) string {
	offeredI, offeredR := selectorsOf(list)
	for _, side := range []struct {
		text    string
		offered []ikev2msg.Selector
		want    netip.Addr
	}{{"the peer calls itself %s and comes from %s", offeredI, s.path.Remote.Addr()}, {"the peer calls this router %s, and it is %s", offeredR, s.path.Local.Addr()}} {
		for _, x := range side.offered {
			if !s.natt && x.Start == x.End && x.Start != side.want && x.Covers(x.Start, protoGRE) {
				return fmt.Sprintf(side.text+": there is NAT on the way, and one end does no NAT traversal (crypto ipsec nat-transparency udp-encapsulation)", x.Start, side.want)
			}
		}
	}
	return "the selectors are not GRE between the two outer addresses"
}
