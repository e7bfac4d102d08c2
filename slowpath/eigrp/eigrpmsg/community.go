package eigrpmsg

import (
	"encoding/binary"
	"net/netip"
)

// Community is what the extended communities of a BGP route say of the EIGRP route that it was made of (RFC 7868: EXTCOMM_EIGRP to EXTCOMM_VRR). A router at the
// other end of a VPN makes an EIGRP route of it again that is as if there had been no BGP between.
type Community struct {
	AS       uint16 // of the process that had the route
	Internal bool   // it was no external route
	Tag      uint32
	Metric   Metric     // classic; its Tag and Flags are not carried
	Router   netip.Addr // who brought the route into EIGRP; the zero Addr: not known
	External External   // of one that is not Internal. The Tag is not in here, and of the AS 16 bits are carried
}

// CommunityType is the type of these extended communities, the first of their eight bytes.
const CommunityType = 0x88

// The subtypes.
const (
	communityFlags    = 0 // flags, tag
	communityDelay    = 1 // AS, delay
	communityBand     = 2 // reliability, hops, bandwidth
	communityMTU      = 3 // reserved, load, MTU
	communityRemote   = 4 // AS of the external protocol, router
	communityProtocol = 5 // external protocol, its metric
	communityRouter   = 6 // reserved, router
)

const (
	communityInternal = 0x8000 // the flag
	communityReserved = 0xff   // what IOS has in the reserved byte
	maxClassicMTU     = 1<<24 - 1
)

// Append adds the communities, each as the number that its eight bytes make.
func (c *Community) Append(to []uint64) []uint64 {
	add := func(subtype uint64, high uint16, low uint32) {
		to = append(to, CommunityType<<56|subtype<<48|uint64(high)<<32|uint64(low))
	}
	flags := uint16(0)
	if c.Internal {
		flags = communityInternal
	}
	m := &c.Metric
	add(communityFlags, flags, c.Tag)
	add(communityDelay, c.AS, uint32(min(m.Delay, ClassicInfinity)))
	add(communityBand, uint16(m.Reliability)<<8|uint16(m.Hops), uint32(min(m.Bandwidth, ClassicInfinity)))
	add(communityMTU, communityReserved<<8|uint16(m.Load), m.MTU)
	if !c.Internal {
		x := &c.External
		add(communityRemote, uint16(x.AS), number(x.Router))
		add(communityProtocol, uint16(x.Protocol), x.Metric)
	}
	if c.Router.Is4() {
		add(communityRouter, 0, number(c.Router))
	}
	return to
}

// ReadCommunities looks for the communities of EIGRP among others. It takes them only if the metric is whole and one of a destination that can be reached, and an
// external route says where it came from.
func ReadCommunities(cs []uint64) (c Community, ok bool) {
	const need, needExternal = 1<<communityFlags | 1<<communityDelay | 1<<communityBand | 1<<communityMTU, 1<<communityRemote | 1<<communityProtocol
	seen := 0
	for _, v := range cs {
		if v>>56 != CommunityType {
			continue
		}
		subtype, high, low := v>>48&0xff, uint16(v>>32), uint32(v)
		if subtype > communityRouter || seen&(1<<subtype) != 0 {
			continue // of what comes twice the first counts
		}
		seen |= 1 << subtype
		switch subtype {
		case communityFlags:
			c.Internal, c.Tag = high&communityInternal != 0, low
		case communityDelay:
			c.AS, c.Metric.Delay = high, uint64(low)
		case communityBand:
			c.Metric.Reliability, c.Metric.Hops, c.Metric.Bandwidth = uint8(high>>8), uint8(high), uint64(low)
		case communityMTU:
			c.Metric.Load, c.Metric.MTU = uint8(high), min(low, maxClassicMTU)
		case communityRemote:
			c.External.AS, c.External.Router = uint32(high), address(low)
		case communityProtocol:
			c.External.Protocol, c.External.Metric = Protocol(high), low
		case communityRouter:
			c.Router = address(low)
		}
	}
	if c.Internal {
		c.External = External{}
	} else if seen&needExternal != needExternal {
		return Community{}, false
	}
	if seen&need != need || c.Metric.Delay >= ClassicInfinity {
		return Community{}, false
	}
	return c, true
}

func number(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}
