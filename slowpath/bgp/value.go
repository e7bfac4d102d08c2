package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nave/slowpath/bgp/bgpmsg"
)

// Family is an address family that a session carries.
type Family uint8

// Families.
const (
	IPv4Unicast Family = iota + 1
	VPNv4
	VPNv6
)

func (f Family) String() string {
	switch f {
	case IPv4Unicast:
		return "IPv4 Unicast"
	case VPNv4:
		return "VPNv4 Unicast"
	case VPNv6:
		return "VPNv6 Unicast"
	}
	return fmt.Sprintf("Family(%d)", uint8(f))
}

// wire is the family as messages have it.
func (f Family) wire() bgpmsg.Family {
	switch f {
	case VPNv4:
		return bgpmsg.VPNv4
	case VPNv6:
		return bgpmsg.VPNv6
	}
	return bgpmsg.IPv4
}

var families = []Family{IPv4Unicast, VPNv4, VPNv6}

// RD is a route distinguisher (RFC 4364 section 4.2), its eight bytes as on the wire.
type RD uint64

// ParseRD reads "65000:1", "4200000000:1" or "192.0.2.1:1".
func ParseRD(s string) (RD, error) {
	v, err := parseAdmin(s, [3]uint64{0, 1, 2})
	if err != nil {
		return 0, fmt.Errorf("bgp: route distinguisher %q: %w", s, err)
	}
	return RD(v), nil
}

func (d RD) String() string { return adminString(uint64(d)>>48, uint64(d)) }

// RouteTarget is a route target: an extended community (RFC 4360 section 4), its eight bytes as on the wire.
type RouteTarget uint64

// ParseRouteTarget reads "65000:1", "4200000000:1" or "192.0.2.1:1".
func ParseRouteTarget(s string) (RouteTarget, error) {
	v, err := parseAdmin(s, [3]uint64{0x0002, 0x0102, 0x0202})
	if err != nil {
		return 0, fmt.Errorf("bgp: route target %q: %w", s, err)
	}
	return RouteTarget(v), nil
}

func (t RouteTarget) String() string { return adminString(uint64(t)>>56, uint64(t)) }

// isTarget tells route targets from other extended communities.
func (t RouteTarget) isTarget() bool { return uint64(t)>>56 <= 2 && uint64(t)>>48&0xff == 2 }

// eigrpCommunity is the type of the extended communities that carry what EIGRP knows of a route.
const eigrpCommunity = 0x88

// eigrpCommunities are those among extended communities.
func eigrpCommunities(all []RouteTarget) (out []uint64) {
	for _, c := range all {
		if uint64(c)>>56 == eigrpCommunity {
			out = append(out, uint64(c))
		}
	}
	return out
}

// parseAdmin reads administrator and number; types are those of a two-byte AS, an address, a four-byte AS.
func parseAdmin(s string, types [3]uint64) (uint64, error) {
	admin, number, ok := strings.Cut(s, ":")
	if !ok {
		return 0, fmt.Errorf("want AS:number or address:number")
	}
	if addr, err := netip.ParseAddr(admin); err == nil && addr.Is4() {
		n, err := strconv.ParseUint(number, 10, 16)
		b := addr.As4()
		return types[1]<<48 | uint64(binary.BigEndian.Uint32(b[:]))<<16 | n, err
	}
	as, err := strconv.ParseUint(admin, 10, 32)
	if err != nil {
		return 0, err
	}
	if as > 0xffff {
		n, err := strconv.ParseUint(number, 10, 16)
		return types[2]<<48 | as<<16 | n, err
	}
	n, err := strconv.ParseUint(number, 10, 32)
	return types[0]<<48 | as<<32 | n, err
}

func adminString(typ, v uint64) string {
	switch typ {
	case 0:
		return fmt.Sprintf("%d:%d", uint16(v>>32), uint32(v))
	case 1:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(v>>16))
		return fmt.Sprintf("%s:%d", netip.AddrFrom4(b), uint16(v))
	case 2:
		return fmt.Sprintf("%d:%d", uint32(v>>16), uint16(v))
	}
	return fmt.Sprintf("%#x", v)
}

// Secret is a password. It never prints itself.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "*"
}

// GoString keeps %#v from printing it.
func (s Secret) GoString() string { return s.String() }

// Origin is where a route came from in the beginning (RFC 4271 section 5.1.1).
type Origin uint8

// Origins.
const (
	OriginIGP        Origin = iota // `network`
	OriginEGP                      // of a protocol that is no more
	OriginIncomplete               // redistributed
)

// Local is a route that this router originates: of `network` and `redistribute`, in the global table or a VRF.
type Local struct {
	VRF    string // "": the global table
	Prefix netip.Prefix
	// Label is what this router wants on packets for the route, in a VRF: of the prefix or of the whole VRF.
	Label       uint32
	Origin      Origin
	Metric      uint32 // MED
	LocalPref   uint32 // 0: 100
	Communities []uint32
	ASPath      []uint32 // of what is redistributed from elsewhere; mostly none
	// NextHop is advertised instead of this router's own address, in the global table only; the zero Addr: ourselves.
	NextHop netip.Addr
	// Extended are extended communities beside the route targets of the VRF: those of EIGRP (type 0x88), by which the far end makes an EIGRP route of it again.
	Extended []uint64
}

// Key names a route of a table.
type Key struct {
	VRF    string
	Prefix netip.Prefix
}

// Route is the best that BGP knows for a prefix of a table: one route a Key.
type Route struct {
	Key
	Withdrawn bool // there is none any more, or this router's own is better; nothing but Key is set
	NextHop   netip.Addr
	// Labels are pushed on packets for the route, outermost first, under what leads to NextHop. None: plain IP.
	Labels []uint32
	// From is the local VRF that the route leaks from: there is no NextHop, its packets are looked up there.
	From        string
	Distance    uint8 // administrative distance
	Metric      uint32
	LocalPref   uint32
	ASPath      []uint32
	Origin      Origin
	RD          RD
	Targets     []RouteTarget
	Neighbour   netip.Addr // who said so
	External    bool       // eBGP
	Communities []uint32
	Extended    []uint64 // extended communities of EIGRP (type 0x88)
}

// Swap is a label of ours for a prefix learned from others: packets that carry Label get Labels instead and go to NextHop.
type Swap struct {
	Label   uint32
	RD      RD
	Prefix  netip.Prefix
	Removed bool // the label leads nowhere any more, and is released later
	NextHop netip.Addr
	Labels  []uint32
	// VRF is the local VRF that the route is of: the label is taken off and the packet forwarded by the route there. Labels are empty.
	VRF string

	of   string // LabelFor.VRF
	said uint64 // see swap
}

// Effects are what a speaker wants done, in the order of the fields: labels before the routes that others are told.
type Effects struct {
	Swaps    []Swap
	Routes   []Route
	Sessions []Session
	// Settled comes once after a start: neighbours have told all and have been told all, so that none of them uses a label any more that a process before this one gave.
	Settled bool
}

// Session is a change of a neighbour's state, for the log and for whoever waits.
type Session struct {
	VRF       string
	Neighbour netip.Addr
	Up        bool
	Reason    string // of going down
}

// About names the kind of event.
func (s Session) About() string {
	if s.Up {
		return "neighbour up"
	}
	return "neighbour down"
}

// LabelFor is what a label is asked for.
type LabelFor struct {
	VRF    string // learned from a neighbour inside the VRF; "": a VPN prefix of others, to be swapped
	RD     RD
	Prefix netip.Prefix
}

// Labels allocates labels. It is called from the speaker's goroutines, one call at a time, and must not call the speaker.
type Labels interface {
	// Allocate gives a label for a prefix.
	Allocate(f LabelFor) (uint32, error)
	// Release takes it back, Config.KeepLabel after the last route with it was withdrawn.
	Release(f LabelFor, label uint32)
}
