package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets are the Wire of Linux.
type Sockets struct {
	icmp *net.IPConn
	udp  *net.UDPConn // of a trace
	raw  syscall.RawConn
	id   uint16
	buf  []byte
}

// Open opens what a Request needs, in the network namespace of the calling thread. It needs CAP_NET_RAW. Packets leave from source, if there is one.
func Open(r *Request, source netip.Addr) (*Sockets, error) {
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
	}
	s := &Sockets{id: uint16(rand.Uint32()), buf: make([]byte, 1<<16)}
	// Without DF the kernel cuts what is larger than a link takes. With it, nothing is cut, whatever was learned of the path: whoever pings with DF looks for its MTU.
	discover := unix.IP_PMTUDISC_DONT
	if r.DF {
		discover = unix.IP_PMTUDISC_PROBE
	}
	list := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var inner error
		err := raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover) })
		return errors.Join(err, inner)
	}}
	listen := func(network, address string) (net.PacketConn, error) {
		p, err := list.ListenPacket(context.Background(), network, address)
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return nil, fmt.Errorf("%w: %v is no address of this table", ErrRequest, source)
		}
		return p, err
	}
	// The socket that receives is on all addresses: an error may come to another one than packets leave from.
	at := source
	if r.Trace {
		at = netip.IPv4Unspecified()
	}
	p, err := listen("ip4:icmp", at.String())
	if err != nil {
		return nil, fmt.Errorf("probe: socket for ICMP: %w", err)
	}
	s.icmp = p.(*net.IPConn)
	if !r.Trace {
		return s, nil
	}
	if p, err = listen("udp4", netip.AddrPortFrom(source, 0).String()); err != nil {
		s.Close()
		return nil, fmt.Errorf("probe: socket for UDP: %w", err)
	}
	s.udp = p.(*net.UDPConn)
	if s.raw, err = s.udp.SyscallConn(); err != nil {
		s.Close()
		return nil, fmt.Errorf("probe: socket for UDP: %w", err)
	}
	return s, nil
}

// Close ends the sockets.
func (s *Sockets) Close() {
	if s.icmp != nil {
		s.icmp.Close()
	}
	if s.udp != nil {
		s.udp.Close()
	}
}

// Interrupt ends what waits, now and later on. Any goroutine may call it.
func (s *Sockets) Interrupt() { s.Close() }

// ID implements Wire.
func (s *Sockets) ID() uint16 { return s.id }

// LocalPort implements Wire.
func (s *Sockets) LocalPort() uint16 {
	if s.udp == nil {
		return 0
	}
	return s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// Echo implements Wire.
func (s *Sockets) Echo(to netip.Addr, b []byte) error {
	_, err := s.icmp.WriteToIP(b, &net.IPAddr{IP: to.AsSlice()})
	return unsent(err)
}

// Datagram implements Wire.
func (s *Sockets) Datagram(to netip.AddrPort, ttl int) error {
	var inner error
	err := s.raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, ttl) })
	if err := errors.Join(err, inner); err != nil {
		return fmt.Errorf("probe: TTL: %w", err)
	}
	_, err = s.udp.WriteToUDPAddrPort(make([]byte, traceBytes), to)
	return unsent(err)
}

// traceBytes is the payload of a trace's datagram: none of it is looked at.
const traceBytes = 12

// unsent says in plain words why Linux did not send a packet.
func unsent(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EMSGSIZE):
		return ErrTooBig
	case errors.Is(err, unix.ENETUNREACH):
		return errors.New("there is no route to it")
	case errors.Is(err, unix.EHOSTUNREACH):
		return errors.New("nobody answers for the next hop")
	}
	return fmt.Errorf("probe: send: %w", err)
}

// Receive implements Wire.
func (s *Sockets) Receive(until time.Time) (netip.Addr, []byte, error) {
	if err := s.icmp.SetReadDeadline(until); err != nil {
		return netip.Addr{}, nil, fmt.Errorf("probe: %w", err)
	}
	n, from, err := s.icmp.ReadFromIP(s.buf)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return netip.Addr{}, nil, ErrLate
	case err != nil:
		return netip.Addr{}, nil, fmt.Errorf("probe: receive: %w", err)
	}
	a, _ := netip.AddrFromSlice(from.IP)
	return a.Unmap(), s.buf[:n], nil
}
