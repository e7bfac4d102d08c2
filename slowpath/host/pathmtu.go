package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// TooBig is an ICMP "fragmentation needed" (RFC 1191) about a packet of a tunnel of ours.
type TooBig struct {
	Local, Remote netip.Addr // of the quoted packet
	Protocol      uint8      // 47, 50, 51, or 17 for ESP in UDP
	MTU           uint16     // of the next hop; 0 from routers older than RFC 1191
	Quoted        []byte     // what followed the quoted IP header: the GRE or ESP header's start
}

// WatchPathMTU reads ICMP errors, which the kernel gets and nave needs, until ctx ends.
func (h *Host) WatchPathMTU(ctx context.Context, f func(TooBig)) error {
	var c net.PacketConn
	err := h.Within(func() (err error) { c, err = net.ListenPacket("ip4:icmp", "0.0.0.0"); return err })
	if err != nil {
		return fmt.Errorf("host: listen for ICMP: %w", err)
	}
	context.AfterFunc(ctx, func() { c.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return // closed
			}
			if t, ok := parseTooBig(buf[:n]); ok {
				f(t)
			}
		}
	}()
	return nil
}

// parseTooBig reads an ICMP message from its type on.
func parseTooBig(b []byte) (TooBig, bool) {
	const icmpHeader, unreachable, fragmentationNeeded = 8, 3, 4
	if len(b) < icmpHeader+20 || b[0] != unreachable || b[1] != fragmentationNeeded {
		return TooBig{}, false
	}
	ip := b[icmpHeader:]
	length := int(ip[0]&0x0f) * 4
	if ip[0]>>4 != 4 || length < 20 || len(ip) < length+8 {
		return TooBig{}, false
	}
	switch ip[9] {
	case 47, 50, 51, 17:
	default:
		return TooBig{}, false
	}
	return TooBig{
		Local: netip.AddrFrom4([4]byte(ip[12:16])), Remote: netip.AddrFrom4([4]byte(ip[16:20])), Protocol: ip[9],
		MTU: binary.BigEndian.Uint16(b[6:]), Quoted: append([]byte(nil), ip[length:]...),
	}, true
}
