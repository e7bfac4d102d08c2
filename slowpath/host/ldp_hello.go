package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// PortLDP is LDP's port, of UDP and TCP (RFC 5036 section 3.10).
const PortLDP = 646

// allRouters is the group that Hellos go to.
var allRouters = netip.AddrFrom4([4]byte{224, 0, 0, 2})

// Hellos is the socket of LDP's discovery: datagrams to all routers on a link.
type Hellos struct {
	conn  *net.UDPConn
	group membership
}

// OpenHellos opens UDP port 646. It is never shared: another LDP daemon on the box would answer the same peers.
func (h *Host) OpenHellos() (*Hellos, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0),
				forGroup(fd, 1))
		})
	}}
	var p net.PacketConn
	err := h.Within(func() (err error) {
		p, err = c.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", PortLDP))
		return err
	})
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("host: UDP port %d: %w: `ss -ulnp 'sport = :%d'` says which; stop it if it is another LDP daemon (FRR's ldpd), and reload: LDP hears no neighbors until then", PortLDP, ErrPortTaken, PortLDP)
	case err != nil:
		return nil, fmt.Errorf("host: UDP port %d: %w", PortLDP, err)
	}
	s := &Hellos{conn: p.(*net.UDPConn), group: membership{group: allRouters}}
	_ = s.conn.SetReadBuffer(1 << 20) // as much as the system permits: a hub's peers may all come at once
	if s.group.raw, err = s.conn.SyscallConn(); err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("host: UDP port %d: %w", PortLDP, err)
	}
	return s, nil
}

// Join makes these netdevs, by index, the ones whose Hellos are heard.
func (s *Hellos) Join(links []int) error { return s.group.join(links) }

// Send sends a Hello by a netdev, from an address of ours.
func (s *Hellos) Send(link int, from netip.Addr, payload []byte) error {
	if !from.Is4() {
		return fmt.Errorf("host: Hello from %s: not IPv4", from)
	}
	oob := unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(link), Spec_dst: from.As4()})
	if _, _, err := s.conn.WriteMsgUDPAddrPort(payload, oob, netip.AddrPortFrom(allRouters, PortLDP)); err != nil {
		return fmt.Errorf("host: Hello from %s by netdev %d: %w", from, link, err)
	}
	return nil
}

// Read waits for a datagram to all routers; its Payload is a part of buf. It fails once the socket is closed.
func (s *Hellos) Read(buf []byte) (Datagram, error) {
	u := UDP{conn: s.conn, port: PortLDP}
	for {
		d, err := u.Read(buf)
		if err != nil || d.Local.Addr() == allRouters {
			return d, err
		}
	}
}

// Close ends Read.
func (s *Hellos) Close() error { return s.conn.Close() }

// control does something to a socket.
func control(raw syscall.RawConn, f func(fd int) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// signWith makes the kernel sign what goes to an address, and take only what that signed, with key (TCP MD5, RFC 2385). An empty key takes the key away.
func signWith(fd int, peer netip.Addr, key []byte) error {
	t := unix.TCPMD5Sig{Addr: unix.SockaddrStorage{Family: unix.AF_INET}}
	defer clear(t.Key[:])
	if len(key) > len(t.Key) {
		return fmt.Errorf("the password for %s has %d characters: TCP MD5 takes %d", peer, len(key), len(t.Key))
	}
	t.Keylen = uint16(copy(t.Key[:], key))
	a := peer.As4()
	// struct sockaddr_in: the address comes after the port.
	copy(t.Addr.Data[binary.Size(uint16(0)):], a[:])
	err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &t)
	switch {
	case len(key) == 0 && errors.Is(err, unix.ENOENT):
		return nil // there was none
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("password for %s: the kernel has no room for more keys on a socket: raise the sysctl net.core.optmem_max", peer)
	case err != nil:
		return fmt.Errorf("password for %s: TCP MD5: %w", peer, err)
	}
	return nil
}
