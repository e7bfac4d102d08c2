package bgpmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Path attributes (RFC 4271 section 5, RFC 4760, RFC 1997, RFC 4360, RFC 8092).
const (
	attrNextHop          = 3
	attrCommunities      = 8
	attrMPReach          = 14
	attrMPUnreach        = 15
	attrExtCommunities   = 16
	attrExtCommunitiesV6 = 25
	attrLargeCommunities = 32
)

// Family is an address family with its subsequent family (RFC 4760).
type Family struct {
	AFI  uint16
	SAFI uint8
}

// Families that routes are rewritten in.
var (
	IPv4  = Family{1, 1}
	VPNv4 = Family{1, 128}
	VPNv6 = Family{2, 128}
)

// Key names a VPN prefix.
type Key struct {
	RD     uint64 // as on the wire
	Prefix netip.Prefix
}

// Labels knows the labels that this router has given to VPN prefixes that it learned.
type Labels interface {
	// Label is the label of ours for a prefix; ok is false when there is none to be had, and the prefix is not to be advertised.
	Label(k Key) (label uint32, ok bool)
}

// Hop says what becomes of a next hop.
type Hop struct {
	Address netip.Addr // the zero Addr: stays as it is
	// Swap: whoever uses the route sends its packets to us from now on, so they have to carry a label of ours.
	Swap bool
}

// FamilyRules is what is done to routes of one family.
type FamilyRules struct {
	// Default is for the next hops that Rules.Hops does not name.
	Default Hop
	// Own, if it has an address, is for OwnHop, before Rules.Hops: routes of this router's own.
	Own    Hop
	OwnHop netip.Addr
	// Communities, Extended: whether communities of the kind are sent. Large communities go with the ordinary ones.
	Communities, Extended bool
}

// Rules are what is done to UPDATEs for one neighbour. They are a value and never written to once in use.
type Rules struct {
	// Hops are next hops that stand for something: that of a route of this router's own, for example.
	Hops map[netip.Addr]Hop
	// Families has the rules of each family; a family without is passed on as it is.
	Families map[Family]FamilyRules
	Labels   Labels
}

// Rewrite appends to dst what is sent instead of the message msg, which is whole and of any type: the same, another UPDATE, or two,
// the second of which takes back what can't be advertised. dst is not written to when there is an error.
func (r *Rules) Rewrite(dst, msg []byte) ([]byte, error) {
	if n, err := Length(msg); err != nil {
		return dst, err
	} else if n != len(msg) {
		return dst, fmt.Errorf("%w: length %d in %d bytes", ErrMalformed, n, len(msg))
	}
	if Type(msg) != Update {
		return append(dst, msg...), nil
	}
	u, err := split(msg[HeaderLen:])
	if err != nil {
		return dst, err
	}
	w := writer{rules: r, family: u.family, rule: r.Families[u.family]}
	if _, known := r.Families[u.family]; !known || u.attrs == nil {
		return append(dst, msg...), nil
	}
	before := len(dst)
	out, err := w.update(dst, u)
	if err != nil {
		return dst[:before], err
	}
	return out, nil
}

// parts are an UPDATE's three fields (RFC 4271 section 4.3), and the family that it advertises routes of.
type parts struct {
	withdrawn, attrs, nlri []byte
	family                 Family
}

func split(body []byte) (parts, error) {
	var u parts
	var err error
	if u.withdrawn, body, err = counted(body); err != nil {
		return u, err
	}
	if u.attrs, u.nlri, err = counted(body); err != nil {
		return u, err
	}
	u.family = IPv4
	for rest := u.attrs; len(rest) > 0; {
		var a attribute
		if a, rest, err = next(rest); err != nil {
			return u, err
		}
		if a.typ == attrMPReach {
			if len(a.value) < 5 {
				return u, fmt.Errorf("%w: MP_REACH_NLRI of %d bytes", ErrMalformed, len(a.value))
			}
			u.family = Family{binary.BigEndian.Uint16(a.value), a.value[2]}
		}
	}
	return u, nil
}

// counted takes a field with its length in two bytes off b.
func counted(b []byte) (field, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, fmt.Errorf("%w: UPDATE ends in a length", ErrMalformed)
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, fmt.Errorf("%w: UPDATE with a field of %d bytes, %d are left", ErrMalformed, n, len(b)-2)
	}
	return b[2 : 2+n], b[2+n:], nil
}

type attribute struct {
	flags, typ uint8
	value      []byte
	raw        []byte // with its header
}

const extendedLength = 0x10 // flag (RFC 4271 section 4.3)

func next(b []byte) (attribute, []byte, error) {
	if len(b) < 3 {
		return attribute{}, nil, fmt.Errorf("%w: path attribute of %d bytes", ErrMalformed, len(b))
	}
	head, n := 3, int(b[2])
	if b[0]&extendedLength != 0 {
		if len(b) < 4 {
			return attribute{}, nil, fmt.Errorf("%w: path attribute of %d bytes", ErrMalformed, len(b))
		}
		head, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	}
	if len(b) < head+n {
		return attribute{}, nil, fmt.Errorf("%w: path attribute %d of %d bytes, %d are left", ErrMalformed, b[1], n, len(b)-head)
	}
	return attribute{b[0], b[1], b[head : head+n], b[:head+n]}, b[head+n:], nil
}

// writer makes one UPDATE of another.
type writer struct {
	rules   *Rules
	family  Family
	rule    FamilyRules
	refused []byte // NLRI without a label to be had, as they are withdrawn
	value   []byte // of MP_REACH_NLRI
}

func (w *writer) update(dst []byte, u parts) ([]byte, error) {
	at := len(dst)
	dst = start(dst, Update)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(u.withdrawn)))
	dst = append(dst, u.withdrawn...)
	length := len(dst)
	dst = append(dst, 0, 0)
	var err error
	reached := w.family == IPv4 && len(u.nlri) > 0
	for rest := u.attrs; len(rest) > 0; {
		var a attribute
		if a, rest, err = next(rest); err != nil {
			return dst, err
		}
		switch a.typ {
		case attrNextHop:
			dst, err = w.nextHop(dst, a)
		case attrMPReach:
			before := len(dst)
			dst, err = w.mpReach(dst, a)
			reached = reached || len(dst) > before
		case attrCommunities, attrLargeCommunities:
			if w.rule.Communities {
				dst = append(dst, a.raw...)
			}
		case attrExtCommunities, attrExtCommunitiesV6:
			if w.rule.Extended {
				dst = append(dst, a.raw...)
			}
		default:
			if a.typ == attrMPUnreach {
				reached = true
			}
			dst = append(dst, a.raw...)
		}
		if err != nil {
			return dst, err
		}
	}
	if !reached && len(u.withdrawn) == 0 && len(u.attrs) > 0 { // nothing is left to say
		return w.withdraw(dst[:at])
	}
	binary.BigEndian.PutUint16(dst[length:], uint16(len(dst)-length-2))
	dst = append(dst, u.nlri...)
	if err := end(dst, at); err != nil {
		return dst, err
	}
	return w.withdraw(dst)
}

// hop is what becomes of a next hop.
func (w *writer) hop(a netip.Addr) Hop {
	a = a.Unmap()
	if a == w.rule.OwnHop && w.rule.Own.Address.IsValid() {
		return w.rule.Own
	}
	if h, ok := w.rules.Hops[a]; ok {
		return h
	}
	return w.rule.Default
}

func (w *writer) nextHop(dst []byte, a attribute) ([]byte, error) {
	addr, ok := netip.AddrFromSlice(a.value)
	if !ok || !addr.Is4() {
		return dst, fmt.Errorf("%w: NEXT_HOP of %d bytes", ErrMalformed, len(a.value))
	}
	if h := w.hop(addr); h.Address.Is4() {
		return append(append(dst, a.raw[:len(a.raw)-4]...), h.Address.AsSlice()...), nil
	}
	return append(dst, a.raw...), nil
}

// mpReach appends MP_REACH_NLRI (RFC 4760 section 3) with its next hop and labels changed; nothing at all when no NLRI is left.
func (w *writer) mpReach(dst []byte, a attribute) ([]byte, error) {
	v := a.value
	n := int(v[3])
	if len(v) < 4+n+1 {
		return dst, fmt.Errorf("%w: MP_REACH_NLRI with a next hop of %d bytes in %d", ErrMalformed, n, len(v))
	}
	hop, nlri := v[4:4+n], v[5+n:]
	vpn := w.family.SAFI == 128
	skip := 0
	if vpn {
		skip = 8 // the route distinguisher, which is zero
	}
	if n < skip {
		return dst, fmt.Errorf("%w: VPN next hop of %d bytes", ErrMalformed, n)
	}
	addr, ok := netip.AddrFromSlice(hop[skip:min(n, skip+16)])
	if !ok {
		return dst, fmt.Errorf("%w: next hop of %d bytes", ErrMalformed, n)
	}
	to := w.hop(addr)
	value := append(w.value[:0], v[0], v[1], v[2])
	if to.Address.IsValid() {
		value = appendHop(value, to.Address, skip, w.family.AFI)
	} else {
		value = append(append(value, v[3]), hop...)
	}
	value = append(value, v[4+n])
	before := len(value)
	if to.Swap && vpn {
		var err error
		if value, err = w.relabel(value, nlri); err != nil {
			return dst, err
		}
	} else {
		value = append(value, nlri...)
	}
	w.value = value
	if len(value) == before && len(nlri) > 0 {
		return dst, nil
	}
	// The header keeps its form where that will do, so that a full message stays within its limit.
	if a.flags&extendedLength != 0 || len(value) > 255 {
		dst = binary.BigEndian.AppendUint16(append(dst, a.flags|extendedLength, a.typ), uint16(len(value)))
	} else {
		dst = append(dst, a.flags, a.typ, uint8(len(value)))
	}
	return append(dst, value...), nil
}

// appendHop appends the next hop with its length in front. An IPv4 next hop of IPv6 prefixes is written as RFC 4659 section 3.2.1.2 says.
func appendHop(dst []byte, a netip.Addr, zeros int, afi uint16) []byte {
	b := a.AsSlice()
	if afi == VPNv6.AFI {
		b16 := a.As16()
		b = b16[:]
	}
	dst = append(dst, uint8(zeros+len(b)))
	return append(append(dst, make([]byte, zeros)...), b...)
}

// relabel appends labelled VPN prefixes (RFC 8277 section 2) with a label of ours each.
func (w *writer) relabel(dst, nlri []byte) ([]byte, error) {
	for len(nlri) > 0 {
		p, rest, err := vpnPrefix(w.family, nlri)
		if err != nil {
			return dst, err
		}
		nlri = rest
		label, ok := uint32(0), false
		if w.rules.Labels != nil {
			label, ok = w.rules.Labels.Label(p.key)
		}
		bits := uint8(24 + p.bits)
		if !ok {
			w.refused = append(append(w.refused, bits, 0x80, 0, 0), p.tail...)
			continue
		}
		dst = append(dst, bits, byte(label>>12), byte(label>>4), byte(label<<4)|1)
		dst = append(dst, p.tail...)
	}
	return dst, nil
}

// labelled is a VPN prefix as it is on the wire, without its labels.
type labelled struct {
	key  Key
	bits int    // of route distinguisher and prefix
	tail []byte // route distinguisher and prefix
}

func vpnPrefix(f Family, b []byte) (labelled, []byte, error) {
	bits := int(b[0])
	n := 1 + (bits+7)/8
	if len(b) < n {
		return labelled{}, nil, fmt.Errorf("%w: NLRI of %d bits in %d bytes", ErrMalformed, bits, len(b)-1)
	}
	body, rest := b[1:n], b[n:]
	for stack := true; stack; bits -= 24 {
		if len(body) < 3 || bits < 24 {
			return labelled{}, nil, fmt.Errorf("%w: NLRI ends in its labels", ErrMalformed)
		}
		stack, body = body[2]&1 == 0 && !(body[0] == 0x80 && body[1] == 0), body[3:]
	}
	size := 4
	if f.AFI == VPNv6.AFI {
		size = 16
	}
	if bits < 64 || bits-64 > size*8 {
		return labelled{}, nil, fmt.Errorf("%w: VPN prefix of %d bits", ErrMalformed, bits-64)
	}
	var addr [16]byte
	copy(addr[:], body[8:])
	ip, _ := netip.AddrFromSlice(addr[:size])
	return labelled{Key{binary.BigEndian.Uint64(body), netip.PrefixFrom(ip, bits-64).Masked()}, bits, body}, rest, nil
}

// withdraw appends an UPDATE that takes back what was refused, if anything was: the neighbour may have it from before.
func (w *writer) withdraw(dst []byte) ([]byte, error) {
	if len(w.refused) == 0 {
		return dst, nil
	}
	at := len(dst)
	dst = start(dst, Update)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+3+len(w.refused)))
	dst = append(dst, 0x80|extendedLength, attrMPUnreach)
	dst = binary.BigEndian.AppendUint16(dst, uint16(3+len(w.refused)))
	dst = append(binary.BigEndian.AppendUint16(dst, w.family.AFI), w.family.SAFI)
	dst = append(dst, w.refused...)
	return dst, end(dst, at)
}

// HopOf is what becomes of a next hop of a family.
func (r *Rules) HopOf(f Family, hop netip.Addr) Hop {
	w := writer{rules: r, family: f, rule: r.Families[f]}
	return w.hop(hop)
}
