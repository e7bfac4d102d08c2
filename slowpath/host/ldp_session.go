package host

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Streams is LDP's connections: TCP port 646. Its methods do not block. What comes of them goes to a StreamHandler.
type Streams struct {
	host    *Host
	handler StreamHandler
	port    uint16

	mu      sync.Mutex
	doors   map[netip.Addr]*door
	keys    map[keyFor][]byte // what listeners have to have
	streams map[uint64]*stream
	last    uint64 // name of a connection that was accepted
	closed  bool
	running sync.WaitGroup
}

// StreamHandler hears of connections. Each connection has a goroutine that calls it, in order; a call may block, and holds up its connection alone.
type StreamHandler interface {
	// Connected says that a Connect succeeded.
	Connected(conn uint64, local, remote netip.AddrPort, signed bool)
	// Accepted tells of a connection that was made to a Listen address. Names of connections from outside have the top bit set.
	Accepted(conn uint64, local, remote netip.AddrPort, signed bool)
	// Data is what came. The callee keeps no part of it.
	Data(conn uint64, b []byte)
	// Closed says that a connection ended, or that Connect failed. It is the last of the connection.
	Closed(conn uint64)
}

// Inbound is set in the names of connections that came from outside.
const Inbound uint64 = 1 << 63

// Bounds of connections.
const (
	maxStreams  = 1 << 14
	maxUnsent   = 16 << 20        // bytes that wait for a peer that does not read; more end the connection
	sendWait    = 5 * time.Second // for what was sent before Close
	lingerFor   = time.Second     // for the peer's end after ours
	readAtATime = 1 << 16
	backlog     = 512
)

type keyFor struct{ local, peer netip.Addr }

// door is a listening socket.
type door struct {
	local netip.Addr
	file  *os.File
	raw   syscall.RawConn
}

// OpenStreams makes Streams without connections. port is LDP's, but for tests.
func (h *Host) OpenStreams(port uint16, handler StreamHandler) *Streams {
	return &Streams{
		host: h, handler: handler, port: port,
		doors: make(map[netip.Addr]*door), keys: make(map[keyFor][]byte), streams: make(map[uint64]*stream),
	}
}

// tcp makes a socket in the namespace. It is TCP itself, which has signatures, and not MPTCP.
func (s *Streams) tcp() (fd int, err error) {
	err = s.host.Within(func() error {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
			return os.NewSyscallError("socket", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, precedence); err != nil {
		unix.Close(fd)
		return 0, os.NewSyscallError("type of service", err)
	}
	return fd, nil
}

// Listen accepts connections to an address, which need not be the box's yet, or stops that. Connections that stand are not touched.
func (s *Streams) Listen(local netip.Addr, on bool) error {
	if !on {
		return s.shut(local)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doors[local]
	switch {
	case d != nil || s.closed:
		return nil
	case !local.Is4():
		return fmt.Errorf("host: LDP: listen on %s: not IPv4", local)
	}
	fd, err := s.tcp()
	if err != nil {
		return fmt.Errorf("host: LDP: listen on %s: %w", local, err)
	}
	if err := s.bind(fd, local); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("host: LDP: TCP port %d of %s: %w: `ss -tlnp 'sport = :%d'` says which; stop it if it is another LDP daemon (FRR's ldpd)", s.port, local, ErrPortTaken, s.port)
		}
		return fmt.Errorf("host: LDP: listen on %s: %w", local, err)
	}
	d = &door{local: local, file: os.NewFile(uintptr(fd), "LDP listener")}
	if d.raw, err = d.file.SyscallConn(); err != nil {
		d.file.Close()
		return fmt.Errorf("host: LDP: listen on %s: %w", local, err)
	}
	s.doors[local] = d
	s.running.Go(func() { s.accept(d) })
	return nil
}

// shut stops listening on an address. A file waits in Close for whoever accepts by it, and they for the lock: so it is closed without that.
func (s *Streams) shut(local netip.Addr) error {
	s.mu.Lock()
	d := s.doors[local]
	delete(s.doors, local)
	s.mu.Unlock()
	if d == nil {
		return nil
	}
	return d.file.Close()
}

// bind makes a socket a listener, with the keys that it has to have from the first connection on.
func (s *Streams) bind(fd int, local netip.Addr) error {
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(s.port), Addr: local.As4()}); err != nil {
		return err
	}
	for k, key := range s.keys {
		if k.local == local {
			if err := signWith(fd, k.peer, key); err != nil {
				return err
			}
		}
	}
	return unix.Listen(fd, backlog)
}

// SetKey says what connections that peer makes to local have to be signed with; nil: unsigned. Where it fails, connections of the peer are told to be unsigned.
func (s *Streams) SetKey(local, peer netip.Addr, key []byte) error {
	if !local.Is4() || !peer.Is4() {
		return fmt.Errorf("host: LDP: password from %s to %s: not IPv4", peer, local)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := keyFor{local, peer}
	d := s.doors[local]
	var err error
	if d != nil {
		if err = control(d.raw, func(fd int) error { return signWith(fd, peer, key) }); err != nil {
			err = fmt.Errorf("host: LDP: %w", err)
		}
	}
	clear(s.keys[k])
	delete(s.keys, k)
	if err == nil && len(key) > 0 {
		s.keys[k] = slices.Clone(key)
	}
	if d != nil {
		// Whether connections of the peer that wait are signed with this key or by the rule before, nobody can tell: the peer makes another.
		_ = control(d.raw, func(fd int) error { s.take(d, fd, peer); return nil })
	}
	return err
}

// accept takes connections until the listener is closed.
func (s *Streams) accept(d *door) {
	for {
		more := false
		err := d.raw.Read(func(fd uintptr) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			more = s.take(d, int(fd), netip.Addr{})
			return more
		})
		if err != nil {
			return
		}
	}
}

// take accepts what waits, so that no connection is older than what is known of keys. Those from doubtful are closed. It returns false when nothing waited. The caller
// holds the lock.
func (s *Streams) take(d *door, fd int, doubtful netip.Addr) (took bool) {
	for {
		c, from, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
			continue
		case err == unix.EAGAIN:
			return took
		case err != nil: // out of descriptors, for example: what waits is taken with the next one
			return took
		}
		took = true
		peer, ok := from.(*unix.SockaddrInet4)
		if !ok || s.doors[d.local] != d || len(s.streams) >= maxStreams || netip.AddrFrom4(peer.Addr) == doubtful {
			unix.Close(c)
			continue
		}
		s.last++
		st := s.newStream(s.last|Inbound, c)
		st.local, st.remote = netip.AddrPortFrom(d.local, s.port), netip.AddrPortFrom(netip.AddrFrom4(peer.Addr), uint16(peer.Port))
		st.signed = len(s.keys[keyFor{d.local, st.remote.Addr()}]) > 0
		s.running.Go(func() {
			s.handler.Accepted(st.name, st.local, st.remote, st.signed)
			st.serve()
		})
	}
}

// Connect makes a connection from an address of ours, signed if there is a key. What fails at once is told to the handler as well.
func (s *Streams) Connect(name uint64, local netip.Addr, remote netip.AddrPort, key []byte) error {
	fd, err := s.dial(local, remote, key)
	if err != nil {
		s.running.Go(func() { s.handler.Closed(name) })
		return fmt.Errorf("host: LDP: connect from %s to %s: %w", local, remote, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		unix.Close(fd)
		return nil
	}
	st := s.newStream(name, fd)
	st.remote, st.signed, st.dialling = remote, len(key) > 0, true
	s.running.Go(func() {
		if st.connected() {
			s.handler.Connected(name, st.local, remote, st.signed)
			st.serve()
		} else {
			st.end()
		}
	})
	return nil
}

func (s *Streams) dial(local netip.Addr, remote netip.AddrPort, key []byte) (int, error) {
	if !local.Is4() || !remote.Addr().Is4() {
		return 0, errors.New("not IPv4")
	}
	fd, err := s.tcp()
	if err != nil {
		return 0, err
	}
	if len(key) > 0 {
		err = signWith(fd, remote.Addr(), key)
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: local.As4()}))
	}
	if err == nil {
		if err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(remote.Port()), Addr: remote.Addr().As4()}); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// Send writes to a connection; the callee owns b.
func (s *Streams) Send(name uint64, b []byte) {
	if st := s.find(name); st != nil {
		st.send(b)
	}
}

// End ends a connection, or an attempt to make one, after what was sent is delivered.
func (s *Streams) End(name uint64) {
	if st := s.find(name); st != nil {
		st.finish()
	}
}

func (s *Streams) find(name uint64) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[name]
}

// Close ends everything. Connections that End was said of have a second to deliver what was sent.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	doors := slices.Collect(maps.Values(s.doors))
	clear(s.doors)
	for _, k := range s.keys {
		clear(k)
	}
	clear(s.keys)
	all := slices.Collect(maps.Values(s.streams))
	s.mu.Unlock()
	for _, d := range doors {
		d.file.Close()
	}
	for _, st := range all {
		st.lastWill(time.Second)
	}
	s.running.Wait()
}
