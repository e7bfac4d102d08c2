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

// UDP is a socket on all addresses of the namespace that knows which of them a datagram came to, and sends from the one that it is told.
type UDP struct {
	conn *net.UDPConn
	port uint16
}

// ErrPortTaken is in the error of OpenUDP where another process has the port.
var ErrPortTaken = errors.New("another process has it")

// OpenUDP opens a port. It is never shared: two daemons that speak IKE on one box would each lose half of the messages.
func (h *Host) OpenUDP(port uint16) (*UDP, error) {
	var failed error
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		err := raw.Control(func(fd uintptr) {
			failed = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 0),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
				// Certificates make messages that are longer than a link's MTU: they are cut, so DF stays clear.
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT))
		})
		return errors.Join(err, failed)
	}}
	var p net.PacketConn
	err := h.Within(func() (err error) {
		p, err = c.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", port))
		return err
	})
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("host: UDP port %d: %w: `ss -ulnp 'sport = :%d'` says which; stop it if it is another IKE daemon (strongSwan, libreswan, racoon), and reload: no tunnel with protection comes up until then",
			port, ErrPortTaken, port)
	case err != nil:
		return nil, fmt.Errorf("host: UDP port %d: %w", port, err)
	}
	conn := p.(*net.UDPConn)
	_ = conn.SetReadBuffer(1 << 20) // as much as the system permits: a hub's peers may all come at once
	return &UDP{conn: conn, port: port}, nil
}

// Datagram is what came by a UDP socket.
type Datagram struct {
	Local, Remote netip.AddrPort
	Link          int // index of the netdev that it came in by
	Payload       []byte
}

// Read waits for a datagram; its Payload is a part of buf. It fails once the socket is closed.
func (u *UDP) Read(buf []byte) (Datagram, error) {
	oob := make([]byte, 64)
	for {
		n, oobn, flags, from, err := u.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return Datagram{}, err
			}
			continue // of an earlier datagram that was sent
		}
		local, link, ok := destination(oob[:oobn])
		if !ok || flags&unix.MSG_TRUNC != 0 {
			continue
		}
		return Datagram{
			Local: netip.AddrPortFrom(local, u.port), Remote: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), Link: link, Payload: buf[:n],
		}, nil
	}
}

// destination reads IP_PKTINFO.
func destination(oob []byte) (local netip.Addr, link int, ok bool) {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return local, 0, false
		}
		if h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo {
			// struct in_pktinfo: index of the netdev, local address, destination of the header.
			index := int(data[0]) | int(data[1])<<8 | int(data[2])<<16 | int(data[3])<<24
			return netip.AddrFrom4([4]byte(data[8:12])), index, true
		}
		oob = rest
	}
	return local, 0, false
}

// Write sends a datagram from an address of ours.
func (u *UDP) Write(payload []byte, local netip.Addr, remote netip.AddrPort) error {
	if !local.Is4() || !remote.Addr().Is4() {
		return fmt.Errorf("host: UDP from %s to %s: not IPv4", local, remote)
	}
	oob := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.As4()})
	if _, _, err := u.conn.WriteMsgUDPAddrPort(payload, oob, remote); err != nil {
		return fmt.Errorf("host: UDP from %s:%d to %s: %w", local, u.port, remote, err)
	}
	return nil
}

// Close ends Read.
func (u *UDP) Close() error { return u.conn.Close() }
