package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// protocolEIGRP is EIGRP's number in the IPv4 header (RFC 7868 section 6.1).
const protocolEIGRP = 88

// eigrpTTL is of all that EIGRP sends, as IOS has it: no packet of its goes further than a link.
const eigrpTTL = 2

// allEIGRP is the group that EIGRP speaks to (RFC 7868 section 6.1).
var allEIGRP = netip.AddrFrom4([4]byte{224, 0, 0, 10})

// EIGRP is the socket of EIGRP in a namespace. Others may have one as well: each gets all packets.
type EIGRP struct {
	conn  *net.IPConn
	group membership
}

// OpenEIGRP opens the socket. Of multicast it hears what Join says, of unicast what comes to addresses of the namespace.
func (h *Host) OpenEIGRP() (*EIGRP, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, eigrpTTL),
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT),
				forGroup(fd, eigrpTTL))
		})
	}}
	var p net.PacketConn
	err := h.Within(func() (err error) {
		p, err = c.ListenPacket(context.Background(), fmt.Sprintf("ip4:%d", protocolEIGRP), "0.0.0.0")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("host: EIGRP (IP protocol %d): %w", protocolEIGRP, err)
	}
	s := &EIGRP{conn: p.(*net.IPConn), group: membership{group: allEIGRP}}
	if s.group.raw, err = s.conn.SyscallConn(); err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("host: EIGRP (IP protocol %d): %w", protocolEIGRP, err)
	}
	// A hub's neighbors may all speak at once: more than the system permits to others, if it lets us.
	const room = 8 << 20
	if err := control(s.group.raw, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) }); err != nil {
		_ = s.conn.SetReadBuffer(room)
	}
	return s, nil
}

// Join makes these netdevs, by index, the ones whose multicast is heard.
func (s *EIGRP) Join(links []int) error { return s.group.join(links) }

// Send sends a packet, without its IP header, by a netdev from an address of ours: to the group, or to a neighbor on the link.
func (s *EIGRP) Send(link int, from, to netip.Addr, payload []byte) error {
	if !from.Is4() || !to.Is4() {
		return fmt.Errorf("host: EIGRP from %s to %s: not IPv4", from, to)
	}
	oob := unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(link), Spec_dst: from.As4()})
	if _, _, err := s.conn.WriteMsgIP(payload, oob, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return fmt.Errorf("host: EIGRP from %s to %s by netdev %d: %w", from, to, link, err)
	}
	return nil
}

// Packet is what came by the socket of EIGRP.
type Packet struct {
	From      netip.Addr
	Link      int  // index of the netdev that it came in by
	Multicast bool // it came to the group
	Payload   []byte
}

// Read waits for a packet; its Payload is a part of buf. It fails once the socket is closed.
func (s *EIGRP) Read(buf []byte) (Packet, error) {
	oob := make([]byte, 64)
	for {
		n, oobn, flags, _, err := s.conn.ReadMsgIP(buf, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return Packet{}, err
			}
			continue // of an earlier packet that was sent
		}
		_, link, ok := destination(oob[:oobn])
		header, whole := headerOf(buf[:n])
		if !ok || !whole || flags&unix.MSG_TRUNC != 0 {
			continue
		}
		return Packet{
			From: netip.AddrFrom4([4]byte(header[12:16])), Link: link, Multicast: netip.AddrFrom4([4]byte(header[16:20])) == allEIGRP, Payload: buf[len(header):n],
		}, nil
	}
}

// headerOf is the IPv4 header, which a raw socket gives with the packet. The kernel has checked it.
func headerOf(b []byte) (header []byte, ok bool) {
	const least = 20
	if len(b) < least {
		return nil, false
	}
	n := int(b[0]&0xf) * 4
	if n < least || n > len(b) {
		return nil, false
	}
	return b[:n], true
}

// Close ends Read.
func (s *EIGRP) Close() error { return s.conn.Close() }
