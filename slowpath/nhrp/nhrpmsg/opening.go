package nhrpmsg

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Opening is what two spokes behind NAT need to open a path through both boxes at once. It is carried in a vendor private extension (RFC 2332 section 5.3.5)
// that is not compulsory, so that others ignore it and pass it on:
//
//	vendor id    24 bits, locally administered, so that it is nobody's
//	magic        32 bits
//	kind          8 bits
//	address, port of OpeningEndpoint: 4 or 16 bytes, then 2
//
// A client says in its registration that it can (OpeningOffer), and a server that can, too, answers OpeningAccepted where another would send the offer back as it is.
// To a resolution request that it passes on from one such client to another, and to the reply, it adds where it sees the sender (OpeningEndpoint).
type Opening struct {
	Kind     OpeningKind
	Endpoint netip.AddrPort // of OpeningEndpoint: valid, and its port is not zero
}

// OpeningKind is what an Opening says.
type OpeningKind uint8

// The kinds.
const (
	OpeningOffer    OpeningKind = 1
	OpeningAccepted OpeningKind = 2
	OpeningEndpoint OpeningKind = 3
)

const (
	openingVendor = 0x026e61
	openingMagic  = 0x6e617665
	openingLen    = 8 // bytes before the endpoint
)

// Extension is o as an extension.
func (o Opening) Extension() Extension {
	v := []byte{openingVendor >> 16, openingVendor >> 8 & 0xff, openingVendor & 0xff}
	v = binary.BigEndian.AppendUint32(v, openingMagic)
	v = append(v, byte(o.Kind))
	if o.Kind == OpeningEndpoint {
		v = append(v, o.Endpoint.Addr().AsSlice()...)
		v = binary.BigEndian.AppendUint16(v, o.Endpoint.Port())
	}
	return Extension{Type: ExtVendor, Value: v}
}

// Opening finds the first one among the extensions. ok is false without one that can be read.
func (m *Message) Opening() (o Opening, ok bool) {
	k := slices.IndexFunc(m.Exts, isOpening)
	if k < 0 {
		return o, false
	}
	v := m.Exts[k].Value
	o.Kind, v = OpeningKind(v[openingLen-1]), v[openingLen:]
	switch o.Kind {
	case OpeningOffer, OpeningAccepted:
		return o, len(v) == 0
	case OpeningEndpoint:
		if len(v) != 6 && len(v) != 18 {
			return Opening{}, false
		}
		a, _ := netip.AddrFromSlice(v[:len(v)-2])
		o.Endpoint = netip.AddrPortFrom(a, binary.BigEndian.Uint16(v[len(v)-2:]))
		return o, o.Endpoint.Port() != 0
	}
	return Opening{}, false
}

// SetOpening makes o the only one among the extensions; nil takes away what there is. The array that m had is not written to. A message without extensions gets none.
func (m *Message) SetOpening(o *Opening) {
	exts := slices.DeleteFunc(slices.Clone(m.Exts), func(e Extension) bool { return isOpening(e) })
	if o != nil && len(exts) > 0 {
		at := len(exts)
		if exts[at-1].Type == ExtEnd {
			at--
		}
		exts = slices.Insert(exts, at, o.Extension())
	}
	m.Exts = exts
}

// isOpening tells our extension from those of others: by vendor id and magic, whatever follows.
func isOpening(e Extension) bool {
	if e.Type != ExtVendor || len(e.Value) < openingLen {
		return false
	}
	vendor, data, _ := e.Vendor()
	return vendor == openingVendor && binary.BigEndian.Uint32(data) == openingMagic
}
