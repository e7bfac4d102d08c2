package host

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// routeKey is an IPv4 prefix in eight bytes: tables of a hundred thousand have it as a key.
type routeKey uint64

func keyOf(p netip.Prefix) routeKey {
	a := p.Addr().As4()
	return routeKey(a[0])<<32 | routeKey(a[1])<<24 | routeKey(a[2])<<16 | routeKey(a[3])<<8 | routeKey(p.Bits())
}

func (k routeKey) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(k >> 32), byte(k >> 24), byte(k >> 16), byte(k >> 8)}), int(k&0xff))
}

// routeMessage is what the kernel says of a route (rtnetlink(7)).
type routeMessage struct {
	key      routeKey
	table    uint32
	protocol uint8
	kind     uint8 // RTN_*
	scope    uint8
	tos      uint8
	cached   bool
	metric   uint32
	source   netip.Addr
	hops     []routeHop // of the last message, too: the room is used again
}

// routeHop is a next hop by the index of its netdev.
type routeHop struct {
	link    int
	gateway netip.Addr
	weight  int // 1 to 256
	onLink  bool
	dead    bool // its netdev is down
	strange bool // by an IPv6 address, or with an encapsulation: nave can't go this way
}

// parse takes the body of an RTM_NEWROUTE or RTM_DELROUTE apart. It returns false for what is no IPv4 route.
func (m *routeMessage) parse(b []byte) bool {
	*m = routeMessage{hops: m.hops[:0]}
	if len(b) < unix.SizeofRtMsg || b[0] != unix.AF_INET || b[1] > 32 {
		return false
	}
	bits, flags := b[1], native.Uint32(b[8:])
	m.tos, m.table, m.protocol, m.scope, m.kind, m.cached = b[3], uint32(b[4]), b[5], b[6], b[7], flags&unix.RTM_F_CLONED != 0
	single := routeHop{weight: 1, onLink: flags&unix.RTNH_F_ONLINK != 0, dead: flags&unix.RTNH_F_DEAD != 0}
	var dst [4]byte
	ok := true
	eachAttribute(b[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		if kind == unix.RTA_MULTIPATH {
			ok = m.several(value) && ok
			return
		}
		if single.attribute(kind, value) {
			return
		}
		if len(value) < 4 {
			return
		}
		switch kind {
		case unix.RTA_DST:
			dst = [4]byte(value)
		case unix.RTA_TABLE:
			m.table = native.Uint32(value)
		case unix.RTA_PRIORITY:
			m.metric = native.Uint32(value)
		case unix.RTA_PREFSRC:
			m.source = netip.AddrFrom4([4]byte(value))
		case unix.RTA_OIF:
			single.link = int(native.Uint32(value))
		}
	})
	if len(m.hops) == 0 && single.link != 0 {
		m.hops = append(m.hops, single)
	}
	m.key = keyOf(netip.PrefixFrom(netip.AddrFrom4(dst), int(bits)).Masked())
	return ok
}

// attribute takes an attribute of a next hop, of the route itself or of one of several.
func (h *routeHop) attribute(kind uint16, value []byte) bool {
	switch kind {
	case unix.RTA_GATEWAY:
		if len(value) == 4 {
			h.gateway = netip.AddrFrom4([4]byte(value))
		}
	case unix.RTA_VIA, unix.RTA_ENCAP:
		h.strange = true
	default:
		return false
	}
	return true
}

// several takes the next hops of RTA_MULTIPATH: struct rtnexthop, and attributes, each.
func (m *routeMessage) several(b []byte) bool {
	for len(b) >= unix.SizeofRtNexthop {
		n := int(native.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return false
		}
		h := routeHop{link: int(native.Uint32(b[4:])), weight: int(b[3]) + 1, onLink: b[2]&unix.RTNH_F_ONLINK != 0, dead: b[2]&unix.RTNH_F_DEAD != 0}
		eachAttribute(b[unix.SizeofRtNexthop:n], func(kind uint16, value []byte) { h.attribute(kind, value) })
		m.hops = append(m.hops, h)
		b = b[min(align4(n), len(b)):]
	}
	return len(b) == 0
}

// ours tells whether the route is one that nave put there for what it knows; the way of last resort is not.
func (m *routeMessage) ours() bool {
	return m.table == unix.RT_TABLE_MAIN && m.protocol == protocol && m.metric == metric && !m.cached
}
