package host

import (
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stream is a connection.
type stream struct {
	of            *Streams
	name          uint64
	file          *os.File
	raw           syscall.RawConn
	local, remote netip.AddrPort
	signed        bool

	mu       sync.Mutex
	dialling bool
	unsent   [][]byte
	size     int
	ending   bool // nothing is to be sent after this
	dead     bool
	more     chan struct{} // something to send, or an end
}

// newStream makes a connection of a socket. The caller holds the lock of s.
func (s *Streams) newStream(name uint64, fd int) *stream {
	st := &stream{of: s, name: name, file: os.NewFile(uintptr(fd), "LDP connection"), more: make(chan struct{}, 1)}
	st.raw, _ = st.file.SyscallConn() // it fails for no file that is open
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	s.streams[name] = st
	return st
}

// connected waits for an attempt to come to its end, and tells whether it succeeded.
func (st *stream) connected() bool {
	var failed error
	err := st.raw.Write(func(fd uintptr) bool {
		if code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			failed = unix.ECONNREFUSED
			return true
		}
		_, err := unix.Getpeername(int(fd))
		return err == nil
	})
	if err != nil || failed != nil {
		return false
	}
	_ = control(st.raw, func(fd int) error {
		own, err := unix.Getsockname(fd)
		if a, ok := own.(*unix.SockaddrInet4); ok {
			st.local = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
		}
		return err
	})
	st.mu.Lock()
	defer st.mu.Unlock()
	st.dialling = false
	return !st.ending
}

// serve reads until the connection ends, and has another goroutine write.
func (st *stream) serve() {
	var writer sync.WaitGroup
	writer.Go(st.write)
	buf := make([]byte, readAtATime)
	for {
		n, err := st.file.Read(buf)
		if err != nil {
			break
		}
		st.mu.Lock()
		ending := st.ending
		st.mu.Unlock()
		if !ending {
			st.of.handler.Data(st.name, buf[:n])
		}
	}
	st.kill()
	writer.Wait()
	st.end()
}

// end forgets the connection, and says so.
func (st *stream) end() {
	st.file.Close()
	st.of.mu.Lock()
	delete(st.of.streams, st.name)
	st.of.mu.Unlock()
	st.of.handler.Closed(st.name)
}

// send queues bytes. A peer that reads so slowly that very many wait is given up.
func (st *stream) send(b []byte) {
	st.mu.Lock()
	if st.ending || st.dead {
		st.mu.Unlock()
		return
	}
	st.unsent = append(st.unsent, b)
	st.size += len(b)
	full := st.size > maxUnsent
	st.mu.Unlock()
	if full {
		st.kill()
		return
	}
	st.wake()
}

// finish ends the connection once what waits is sent.
func (st *stream) finish() {
	st.mu.Lock()
	st.ending = true
	dialling := st.dialling
	st.mu.Unlock()
	if dialling {
		st.file.Close()
		return
	}
	_ = st.file.SetWriteDeadline(time.Now().Add(sendWait))
	st.wake()
}

// lastWill ends the connection, if it has not ended by itself a while from now.
func (st *stream) lastWill(wait time.Duration) {
	st.mu.Lock()
	ending := st.ending && !st.dialling
	st.mu.Unlock()
	if !ending {
		st.kill()
		return
	}
	_ = st.file.SetDeadline(time.Now().Add(wait))
}

// kill ends the connection at once.
func (st *stream) kill() {
	st.mu.Lock()
	st.dead = true
	st.mu.Unlock()
	st.file.Close()
	st.wake()
}

func (st *stream) wake() {
	select {
	case st.more <- struct{}{}:
	default: // it has been told
	}
}

// write sends what is queued until the connection is dead, or is to end and all is sent.
func (st *stream) write() {
	for range st.more {
		for {
			st.mu.Lock()
			todo, ending, dead := st.unsent, st.ending, st.dead
			st.unsent = nil
			st.mu.Unlock()
			if dead {
				return
			}
			if len(todo) == 0 && ending {
				// The reader ends when the peer has closed, too, or does not within the time.
				_ = control(st.raw, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
				_ = st.file.SetReadDeadline(time.Now().Add(lingerFor))
				return
			}
			if len(todo) == 0 {
				break
			}
			for _, b := range todo {
				if _, err := st.file.Write(b); err != nil {
					st.kill()
					return
				}
				st.mu.Lock()
				st.size -= len(b)
				st.mu.Unlock()
			}
		}
	}
}
