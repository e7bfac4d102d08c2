package labs

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nave/testbed/topo"
)

// Traffic is UDP from one host to another at a steady rate, in several flows, so that several workers have some of it.
type Traffic struct {
	stop    chan struct{}
	running sync.WaitGroup
	sink    *net.UDPConn
	flows   []net.Conn
	rate    int
	size    int
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

// StartTraffic begins to send rate packets a second from a host to an address of another, until Close. What a moment without CPU leaves unsent is sent
// afterwards, but not more than a tenth of a second's.
func StartTraffic(l *topo.Lab, from, to string, addr netip.Addr, rate int) (*Traffic, error) {
	t := &Traffic{stop: make(chan struct{}), rate: rate, size: trafficSize}
	err := l.NS(to).Do(func() (err error) {
		t.sink, err = net.ListenUDP("udp4", &net.UDPAddr{Port: trafficPort})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("labs: traffic to %s: %w", to, err)
	}
	_ = t.sink.SetReadBuffer(sinkBuffer) // a smaller one loses packets only where this process stands still
	err = l.NS(from).Do(func() error {
		for range trafficFlows {
			c, err := net.Dial("udp4", netip.AddrPortFrom(addr, trafficPort).String())
			if err != nil {
				return err
			}
			t.flows = append(t.flows, c)
		}
		return nil
	})
	if err != nil {
		t.shut()
		return nil, fmt.Errorf("labs: traffic from %s: %w", from, err)
	}
	t.running.Go(t.send)
	t.running.Go(t.receive)
	return t, nil
}

func (t *Traffic) send() {
	tick := time.NewTicker(trafficTick)
	defer tick.Stop()
	b := make([]byte, t.size)
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
			if _, err := t.flows[n%trafficFlows].Write(b); err == nil { // an ICMP error of an earlier one is no packet of this
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

// Rates looks for a while, and tells how many packets a second are sent and how many arrive.
func (t *Traffic) Rates(d time.Duration) (sent, arrived float64) {
	began, s, a := time.Now(), t.sent.Load(), t.got.Load()
	time.Sleep(d)
	took := time.Since(began).Seconds()
	return float64(t.sent.Load()-s) / took, float64(t.got.Load()-a) / took
}

// Close ends it.
func (t *Traffic) Close() {
	close(t.stop)
	t.shut()
	t.running.Wait()
}

func (t *Traffic) shut() {
	_ = t.sink.Close()
	for _, c := range t.flows {
		_ = c.Close()
	}
}
