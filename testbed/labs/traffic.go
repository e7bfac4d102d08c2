package labs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// Load says what Traffic is.
type Load struct {
	From string     // the node that sends
	To   string     // the node where arrivals are counted; "": nowhere
	Addr netip.Addr // where packets go
	Rate int        // packets a second
	TTL  int        // 0: the system's
}

// Traffic is UDP to an address at a steady rate, in several flows, so that several workers have some of it.
type Traffic struct {
	stop    chan struct{}
	ended   sync.Once
	running sync.WaitGroup
	sink    *net.UDPConn
	flows   []*net.UDPConn
	to      netip.AddrPort
	rate    int
	sent    atomic.Uint64
	got     atomic.Uint64
}

const (
	trafficPort  = 7600
	trafficFlows = 8
	trafficTick  = 2 * time.Millisecond
	trafficSize  = 64      // bytes of UDP's payload
	sinkBuffer   = 4 << 20 // bytes: what comes while the test is not scheduled
)

// StartTraffic begins to send, until Close. What a moment without CPU leaves unsent is sent afterwards, but not more than a tenth of a second's.
func StartTraffic(l *topo.Lab, o Load) (*Traffic, error) {
	t := &Traffic{stop: make(chan struct{}), to: netip.AddrPortFrom(o.Addr, trafficPort), rate: o.Rate}
	if err := errors.Join(t.openSink(l, o), t.openFlows(l, o)); err != nil {
		t.shut()
		return nil, fmt.Errorf("labs: traffic from %s to %s: %w", o.From, o.Addr, err)
	}
	t.running.Go(t.send)
	if t.sink != nil {
		t.running.Go(t.receive)
	}
	return t, nil
}

func (t *Traffic) openSink(l *topo.Lab, o Load) error {
	if o.To == "" {
		return nil
	}
	return l.NS(o.To).Do(func() (err error) {
		if t.sink, err = net.ListenUDP("udp4", &net.UDPAddr{Port: trafficPort}); err == nil {
			err = roomy(t.sink)
		}
		return err
	})
}

func (t *Traffic) openFlows(l *topo.Lab, o Load) error {
	return l.NS(o.From).Do(func() error {
		for range trafficFlows {
			c, err := net.ListenUDP("udp4", nil) // not connected: ICMP errors are not its own
			if err != nil {
				return err
			}
			t.flows = append(t.flows, c)
			if o.TTL == 0 {
				continue
			}
			if err := setOption(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, o.TTL) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// roomy gives a socket that counts what arrives the room for what comes while nobody reads it.
func roomy(c *net.UDPConn) error {
	return setOption(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, sinkBuffer) })
}

// setOption sets an option of a socket.
func setOption(c *net.UDPConn, set func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (t *Traffic) send() {
	tick := time.NewTicker(trafficTick)
	defer tick.Stop()
	b := make([]byte, trafficSize)
	last, due := time.Now(), 0.0
	for n := uint64(0); ; {
		select {
		case <-t.stop:
			return
		case now := <-tick.C:
			due = min(due+now.Sub(last).Seconds()*float64(t.rate), float64(t.rate)/10)
			last = now
		}
		for ; due >= 1; due-- {
			binary.BigEndian.PutUint64(b, n)
			if _, err := t.flows[n%trafficFlows].WriteToUDPAddrPort(b, t.to); err == nil {
				t.sent.Add(1)
			}
			n++
		}
	}
}

func (t *Traffic) receive() {
	b := make([]byte, 2048)
	for {
		if _, _, err := t.sink.ReadFromUDPAddrPort(b); err != nil {
			return // closed
		}
		t.got.Add(1)
	}
}

// Steady looks at traffic for a while, and tells how many packets a second are sent, and how many arrive; with arrived, how many that says. A look during which the
// senders did not keep their rate, within a fifteenth, measures the machine and not what is looked at: then it looks again, ten times at most.
func Steady(d time.Duration, arrived func() uint64, flows ...*Traffic) (sent, came float64, err error) {
	if arrived == nil {
		arrived = func() (n uint64) {
			for _, t := range flows {
				n += t.got.Load()
			}
			return n
		}
	}
	counts := func() (sent, rate uint64) {
		for _, t := range flows {
			sent, rate = sent+t.sent.Load(), rate+uint64(t.rate)
		}
		return sent, rate
	}
	for range 10 {
		a, began := arrived(), time.Now()
		s, rate := counts()
		time.Sleep(d)
		now, _ := counts()
		n := arrived()
		took := time.Since(began).Seconds()
		sent, came = float64(now-s)/took, float64(n-a)/took
		if off := sent/float64(rate) - 1; off > -1.0/15 && off < 1.0/15 {
			return sent, came, nil
		}
	}
	return sent, came, fmt.Errorf("labs: the machine is too busy for %.0f packets a second to be sent evenly", sent)
}

// Close ends it, once or again.
func (t *Traffic) Close() {
	t.ended.Do(func() { close(t.stop) })
	t.shut()
	t.running.Wait()
}

func (t *Traffic) shut() {
	if t.sink != nil {
		_ = t.sink.Close()
	}
	for _, c := range t.flows {
		_ = c.Close()
	}
}
