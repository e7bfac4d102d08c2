package eigrpmsg

import (
	"encoding/binary"
	"net/netip"
)

// Metric is the vector of a route, in the units of the form that it is written in.
type Metric struct {
	// Delay, classic: tens of microseconds times 256, of 32 bits. Wide: picoseconds, of 48 bits. All bits set: unreachable.
	Delay uint64
	// Bandwidth, classic: 10^7 divided by kbit/s, times 256, of 32 bits. Wide: kbit/s, of 48 bits.
	Bandwidth   uint64
	MTU         uint32 // bytes, of 24 bits
	Hops        uint8
	Reliability uint8 // 255 is best
	Load        uint8 // 255 is full
	Tag         uint8 // of the classic form: an internal tag
	Flags       uint16
}

// Flags of a Metric.
const (
	SourceWithdraw   uint16 = 1
	CandidateDefault uint16 = 2
	Active           uint16 = 4
	Replicated       uint16 = 8
)

// Delays that mean unreachable.
const (
	ClassicInfinity uint64 = 1<<32 - 1
	WideInfinity    uint64 = 1<<48 - 1
)

// External says where a route came into EIGRP.
type External struct {
	Router   netip.Addr // who brought it in
	AS       uint32     // of the protocol that it is from
	Tag      uint32
	Metric   uint32
	Reserved uint16
	Protocol Protocol
	Flags    uint8
}

// Protocol says which protocol an external route is from (RFC 7868 section 6.6.3).
type Protocol uint8

// The protocols.
const (
	FromIGRP      Protocol = 1
	FromEIGRP     Protocol = 2
	FromStatic    Protocol = 3
	FromRIP       Protocol = 4
	FromHello     Protocol = 5
	FromOSPF      Protocol = 6
	FromISIS      Protocol = 7
	FromEGP       Protocol = 8
	FromBGP       Protocol = 9
	FromIDRP      Protocol = 10
	FromConnected Protocol = 11
)

// Route is a route TLV: one metric, and the prefixes that have it.
type Route struct {
	Wide     bool
	NextHop  netip.Addr // the zero Addr, or 0.0.0.0: the sender
	Metric   Metric
	External *External
	Prefixes []netip.Prefix

	// Of the wide form.
	Topology   uint16
	Router     netip.Addr // router ID of who advertises
	Priority   uint8
	Attributes []byte // extended ones, as they came; an even number of bytes
}

const (
	afiIPv4        = 1
	classicLen     = 20 // next hop and metric
	wideLen        = 32 // topology, family, router, metric
	externalLen    = 20
	maxAttributes  = 255 * 2
	classicMetrics = 16
)

// Reachable says whether the metric is one of a destination that can be reached.
func (r *Route) Reachable() bool {
	if r.Wide {
		return r.Metric.Delay < WideInfinity
	}
	return r.Metric.Delay < ClassicInfinity
}

// Len is the length of the TLV in bytes.
func (r *Route) Len() int {
	n := 4 + classicLen
	if r.Wide {
		n = 4 + wideLen + len(r.Attributes) + 4
	}
	if r.External != nil {
		n += externalLen
	}
	for _, p := range r.Prefixes {
		n += 1 + prefixBytes(p.Bits())
	}
	return n
}

// prefixBytes is how many bytes of an address are written. The default route has one, too (RFC 7868 section 6.8.5).
func prefixBytes(bits int) int { return max((bits+7)/8, 1) }

func (p *Packet) takeRoutes(typ uint16, v []byte) error {
	r := Route{Wide: typ>>8 == typeWideInternal>>8}
	external := typ&0xff == typeExternal&0xff
	var ok bool
	if r.Wide {
		if len(v) >= 4 && binary.BigEndian.Uint16(v[2:]) != afiIPv4 {
			p.Extra = append(p.Extra, TLV{typ, append([]byte(nil), v...)})
			return nil
		}
		v, ok = r.takeWide(v, external)
	} else {
		v, ok = r.takeClassic(v, external)
	}
	if !ok {
		return ErrTLV
	}
	for len(v) > 0 {
		bits := int(v[0])
		n := prefixBytes(bits)
		if bits == 0 && len(v) == 1 {
			n = 0 // some leave the byte out
		}
		if bits > 32 || len(v) < 1+n {
			return ErrTLV
		}
		var a [4]byte
		copy(a[:], v[1:1+n])
		prefix := netip.PrefixFrom(netip.AddrFrom4(a), bits)
		if prefix != prefix.Masked() {
			return ErrTLV
		}
		r.Prefixes = append(r.Prefixes, prefix)
		v = v[1+n:]
	}
	if len(r.Prefixes) == 0 {
		return ErrTLV
	}
	p.Routes = append(p.Routes, r)
	return nil
}

func (r *Route) takeExternal(v []byte) []byte {
	be := binary.BigEndian
	r.External = &External{
		Router: netip.AddrFrom4([4]byte(v)), AS: be.Uint32(v[4:]), Tag: be.Uint32(v[8:]), Metric: be.Uint32(v[12:]),
		Reserved: be.Uint16(v[16:]), Protocol: Protocol(v[18]), Flags: v[19],
	}
	return v[externalLen:]
}

func (r *Route) takeClassic(v []byte, external bool) ([]byte, bool) {
	be := binary.BigEndian
	if len(v) < classicLen || external && len(v) < classicLen+externalLen {
		return nil, false
	}
	r.NextHop = netip.AddrFrom4([4]byte(v))
	if v = v[4:]; external {
		v = r.takeExternal(v)
	}
	r.Metric = Metric{
		Delay: uint64(be.Uint32(v)), Bandwidth: uint64(be.Uint32(v[4:])), MTU: be.Uint32(v[8:]) >> 8, Hops: v[11],
		Reliability: v[12], Load: v[13], Tag: v[14], Flags: uint16(v[15]),
	}
	return v[classicMetrics:], true
}

func (r *Route) takeWide(v []byte, external bool) ([]byte, bool) {
	be := binary.BigEndian
	if len(v) < wideLen {
		return nil, false
	}
	r.Topology, r.Router = be.Uint16(v), netip.AddrFrom4([4]byte(v[4:]))
	attributes := int(v[8]) * 2
	r.Priority = v[9]
	r.Metric = Metric{
		Reliability: v[10], Load: v[11], MTU: be.Uint32(v[12:]) >> 8, Hops: v[15],
		Delay: uint48(v[16:]), Bandwidth: uint48(v[22:]), Flags: be.Uint16(v[30:]),
	}
	v = v[wideLen:]
	if len(v) < attributes {
		return nil, false
	}
	if attributes > 0 {
		r.Attributes = append([]byte(nil), v[:attributes]...)
	}
	if v = v[attributes:]; external {
		if len(v) < externalLen {
			return nil, false
		}
		v = r.takeExternal(v)
	}
	if len(v) < 4 {
		return nil, false
	}
	r.NextHop = netip.AddrFrom4([4]byte(v))
	return v[4:], true
}

// Append writes the TLV.
func (r *Route) Append(b []byte) []byte {
	be, typ := binary.BigEndian, uint16(typeInternal)
	if r.Wide {
		typ = typeWideInternal
	}
	if r.External != nil {
		typ++
	}
	b = be.AppendUint16(b, typ)
	b = be.AppendUint16(b, uint16(r.Len()))
	m := &r.Metric
	if r.Wide {
		b = be.AppendUint16(b, r.Topology)
		b = be.AppendUint16(b, afiIPv4)
		b = appendAddr(b, r.Router)
		b = append(b, byte(len(r.Attributes)/2), r.Priority, m.Reliability, m.Load)
		b = be.AppendUint32(b, m.MTU<<8|uint32(m.Hops))
		b = append48(append48(b, m.Delay), m.Bandwidth)
		b = be.AppendUint16(append(b, 0, 0), m.Flags)
		b = append(b, r.Attributes...)
		b = r.appendExternal(b)
		b = appendAddr(b, r.NextHop)
	} else {
		b = appendAddr(b, r.NextHop)
		b = r.appendExternal(b)
		b = be.AppendUint32(b, uint32(m.Delay))
		b = be.AppendUint32(b, uint32(m.Bandwidth))
		b = be.AppendUint32(b, m.MTU<<8|uint32(m.Hops))
		b = append(b, m.Reliability, m.Load, m.Tag, byte(m.Flags))
	}
	for _, p := range r.Prefixes {
		a := p.Addr().As4()
		b = append(append(b, byte(p.Bits())), a[:prefixBytes(p.Bits())]...)
	}
	return b
}

func (r *Route) appendExternal(b []byte) []byte {
	x := r.External
	if x == nil {
		return b
	}
	b = appendAddr(b, x.Router)
	b = binary.BigEndian.AppendUint32(b, x.AS)
	b = binary.BigEndian.AppendUint32(b, x.Tag)
	b = binary.BigEndian.AppendUint32(b, x.Metric)
	b = binary.BigEndian.AppendUint16(b, x.Reserved)
	return append(b, byte(x.Protocol), x.Flags)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.Is4() {
		return append(b, 0, 0, 0, 0)
	}
	a4 := a.As4()
	return append(b, a4[:]...)
}

func uint48(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

func append48(b []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, uint16(v>>32)), uint32(v))
}
