package labs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// stream is pings from host 1 to host 2 all the time, 5 ms apart. Which of them are answered is known exactly: when it ends, those that are on their way are
// waited for.
type stream struct {
	fd      int
	id      uint16
	to      netip.Addr
	quit    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	sent     []time.Time // by number
	answered []bool
	failed   error
}

const (
	between  = 5 * time.Millisecond
	lateness = 2 * time.Second // an answer may take so long on a machine that is busy
)

func startStream(t *testing.T, l *topo.Lab) *stream {
	t.Helper()
	s := &stream{id: 0x4e61, to: netip.MustParseAddr("10.2.0.7"), quit: make(chan struct{})}
	must(t, l.NS("host1").Do(func() (err error) {
		s.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		return err
	}))
	must(t, unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, sinkBuffer))
	must(t, unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}))
	s.running.Go(s.send)
	s.running.Go(s.receive)
	t.Cleanup(s.end)
	time.Sleep(500 * time.Millisecond)
	return s
}

func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

// send sends echo requests until the stream is stopped.
func (s *stream) send() {
	tick := time.NewTicker(between)
	defer tick.Stop()
	for n := 0; ; n++ {
		b := make([]byte, 64)
		b[0] = 8 // echo request
		binary.BigEndian.PutUint16(b[4:], s.id)
		binary.BigEndian.PutUint16(b[6:], uint16(n))
		binary.BigEndian.PutUint16(b[2:], ^sumOf(b))
		s.mu.Lock()
		s.sent, s.answered = append(s.sent, time.Now()), append(s.answered, false)
		s.mu.Unlock()
		if err := unix.Sendto(s.fd, b, 0, &unix.SockaddrInet4{Addr: s.to.As4()}); err != nil {
			s.fail(fmt.Errorf("packet %d: %w", n, err))
		}
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
	}
}

// sumOf is the ones' complement sum of 16-bit words.
func sumOf(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum&0xffff)
}

// receive notes what is answered, until the stream is stopped and nothing is missing, or what is missing is lost.
func (s *stream) receive() {
	b := make([]byte, 2048)
	var stopped time.Time
	for {
		n, _, err := unix.Recvfrom(s.fd, b, 0)
		s.mu.Lock()
		if err == nil && n >= 20+8 && b[20] == 0 && binary.BigEndian.Uint16(b[24:]) == s.id {
			if k := int(binary.BigEndian.Uint16(b[26:])); k < len(s.answered) {
				s.answered[k] = true
			}
		}
		missing := len(s.lostNow())
		s.mu.Unlock()
		select {
		case <-s.quit:
			if stopped.IsZero() {
				stopped = time.Now()
			}
			if missing == 0 || time.Since(stopped) > lateness {
				return
			}
		default:
		}
	}
}

// lostNow are the numbers of packets without an answer. s.mu is held.
func (s *stream) lostNow() (list []int) {
	for k, ok := range s.answered {
		if !ok {
			list = append(list, k)
		}
	}
	return list
}

func (s *stream) end() {
	select {
	case <-s.quit:
		return
	default:
	}
	close(s.quit)
	s.running.Wait()
	_ = unix.Close(s.fd)
}

// sends waits until so many packets have been sent: on a machine that is busy they are further apart.
func (s *stream) sends(t *testing.T, least int) {
	t.Helper()
	comes(t, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.sent); n < least {
			return fmt.Errorf("only %d packets were sent", n)
		}
		return nil
	})
}

// lost ends the stream and tells how many of its packets found no answer, and which.
func (s *stream) lost(t *testing.T) (lost, sent int, which string) {
	t.Helper()
	s.end()
	must(t, s.failed)
	if len(s.sent) > 1<<16 {
		t.Fatalf("%d packets cannot be told apart", len(s.sent))
	}
	var text []string
	list := s.lostNow()
	for k, n := range list {
		if k == 0 || list[k-1] != n-1 || k == len(list)-1 { // ends of runs
			text = append(text, fmt.Sprintf("%d at %s", n, s.sent[n].UTC().Format(clock)))
		}
	}
	return len(list), len(s.sent), strings.Join(text, ", ")
}

// clock is how times are written beside those of logs.
const clock = "15:04:05.000000"
