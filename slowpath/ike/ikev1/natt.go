package ikev1

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// natMethod is the document by which NAT is traversed: they differ in numbers only.
type natMethod uint8

const (
	natNone  natMethod = iota
	natDraft           // draft-ietf-ipsec-nat-t-ike-02 and -03
	natRFC             // RFC 3947
)

// Vendor ids that are understood. Most are the MD5 of a text.
var (
	vendorRFC3947  = []byte{0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f}
	vendorDraft03  = []byte{0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56}
	vendorDraft02n = []byte{0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f}
	vendorDraft02  = []byte{0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48}
	vendorDPD      = []byte{0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00}
	vendorFragment = []byte{0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3}
)

// fragmentCapable follows the vendor id of fragmentation: in all exchanges.
var fragmentCapable = []byte{0x80, 0, 0, 0}

// vendors are the vendor ids that we send.
func (e *Engine) vendors() []ikemsg.Payload {
	var list []ikemsg.Payload
	add := func(body []byte) {
		list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadVendorID, Body: body})
	}
	if !e.cfg.NoNATT {
		for _, v := range [][]byte{vendorRFC3947, vendorDraft03, vendorDraft02n, vendorDraft02} {
			add(v)
		}
	}
	add(vendorDPD)
	add(slices.Concat(vendorFragment, fragmentCapable))
	return list
}

// learnVendors notes what a peer can do.
func (s *sa) learnVendors(m *message) {
	for _, v := range m.all(ikev1msg.PayloadVendorID) {
		switch {
		case bytes.Equal(v, vendorDPD):
			s.peerDPD = true
		case bytes.HasPrefix(v, vendorFragment):
			s.peerFragments = true
		case s.e.cfg.NoNATT:
		case bytes.Equal(v, vendorRFC3947):
			s.natMethod = natRFC
		case bytes.Equal(v, vendorDraft03), bytes.Equal(v, vendorDraft02n), bytes.Equal(v, vendorDraft02):
			s.natMethod = max(s.natMethod, natDraft)
		}
	}
}

func (n natMethod) detection() uint8 {
	if n == natDraft {
		return ikev1msg.PayloadNATDDraft
	}
	return ikev1msg.PayloadNATD
}

func (n natMethod) original() uint8 {
	if n == natDraft {
		return ikev1msg.PayloadNATOADraft
	}
	return ikev1msg.PayloadNATOA
}

// natHash is the hash of an address in a detection payload (RFC 3947 section 3.2).
func (s *sa) natHash(a netip.AddrPort) []byte {
	ip := a.Addr().As4()
	h := s.policy.Hash.New()
	h.Write(s.ci[:])
	h.Write(s.cr[:])
	h.Write(ip[:])
	h.Write(binary.BigEndian.AppendUint16(nil, a.Port()))
	return h.Sum(nil)
}

// detections are the payloads that show NAT to the peer: where it is, then where we are.
func (s *sa) detections() []ikemsg.Payload {
	if s.natMethod == natNone {
		return nil
	}
	typ := s.natMethod.detection()
	return []ikemsg.Payload{{Type: typ, Body: s.natHash(s.path.Remote)}, {Type: typ, Body: s.natHash(s.path.Local)}}
}

// detect learns of the peer's detection payloads who is behind NAT. A peer that sends none has given the matter up.
func (s *sa) detect(m *message) {
	if s.natMethod == natNone {
		return
	}
	list := m.all(s.natMethod.detection())
	if len(list) < 2 {
		s.natMethod = natNone
		return
	}
	self, other := s.natHash(m.path.Local), s.natHash(m.path.Remote)
	s.nat.Self = !bytes.Equal(list[0], self)
	s.nat.Peer = !slices.ContainsFunc(list[1:], func(b []byte) bool { return bytes.Equal(b, other) })
}

// natted tells whether anybody is behind NAT, so that ESP goes in UDP.
func (s *sa) natted() bool { return s.nat.Self || s.nat.Peer }

// float moves an SA that we started to port 4500 if there is NAT (RFC 3947 section 4).
func (s *sa) float() {
	if !s.natted() || s.path.Local.Port() == natPort {
		return
	}
	s.path.Local = netip.AddrPortFrom(s.path.Local.Addr(), natPort)
	if s.path.Remote.Port() == port {
		s.path.Remote = netip.AddrPortFrom(s.path.Remote.Addr(), natPort)
	}
}

// keepNAT sends keepalives while we are behind NAT and the SA lives (RFC 3948 section 2.3).
func (s *sa) keepNAT() {
	if !s.nat.Self || s.path.Local.Port() != natPort {
		return
	}
	s.e.after(&s.keepalive, s.e.natInterval(), func() {
		s.e.emit(ike.NATKeepalive{Path: s.path})
		s.keepNAT()
	})
}

// keepNAT does the same of a child that has no SA any more.
func (c *child) keepNAT() {
	if !c.behindNAT || !c.Encap || c.sa != nil {
		return
	}
	c.e.after(&c.keepalive, c.e.natInterval(), func() {
		if c.sa == nil {
			c.e.emit(ike.NATKeepalive{Path: c.Path})
			c.keepNAT()
		}
	})
}

func (e *Engine) natInterval() time.Duration {
	if e.cfg.NATKeepalive > 0 {
		return e.cfg.NATKeepalive
	}
	return ike.DefaultNATKeepalive
}
