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

// Probe is numbered UDP packets from a host to another at a steady rate: of each it is known whether it arrived, and by how many routers it came.
type Probe struct {
	From, To string
	began    time.Time
	stop     chan struct{}
	ended    sync.Once
	running  sync.WaitGroup
	out, in  *net.UDPConn
	every    time.Duration

	mu   sync.Mutex
	sent []time.Time // by number
	hops []uint8     // by number: 0 has not arrived
}

// probeTTL is what packets of probes start with.
const probeTTL = 64

var probePort atomic.Uint32 // of the next probe, above probeFirst: hosts have several at a time

const (
	probeFirst = 20000
	probeLast  = 29999
)

// StartProbe begins to send, a packet each interval, until Close.
func StartProbe(l *topo.Lab, from, to string, addr netip.Addr, every time.Duration) (*Probe, error) {
	p := &Probe{From: from, To: to, began: time.Now(), stop: make(chan struct{}), every: every}
	port := probeFirst + int(probePort.Add(1)%(probeLast-probeFirst+1))
	err := l.NS(to).Do(func() (err error) {
		if p.in, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}); err != nil {
			return err
		}
		return errors.Join(
			roomy(p.in),
			setOption(p.in, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1) }))
	})
	if err == nil {
		err = l.NS(from).Do(func() (err error) {
			if p.out, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(port)))); err != nil {
				return err
			}
			return setOption(p.out, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, probeTTL) })
		})
	}
	if err != nil {
		p.shut()
		return nil, fmt.Errorf("labs: probe from %s to %s: %w", from, to, err)
	}
	p.running.Go(p.send)
	p.running.Go(p.receive)
	return p, nil
}

func (p *Probe) send() {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	b := make([]byte, 64)
	for n := 0; ; n++ {
		binary.BigEndian.PutUint64(b, uint64(n))
		p.mu.Lock()
		p.sent, p.hops = append(p.sent, time.Now()), append(p.hops, 0)
		p.mu.Unlock()
		for range 2 { // an ICMP error of an earlier packet is told once, and keeps this one
			if _, err := p.out.Write(b); err == nil {
				break
			}
		}
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
	}
}

func (p *Probe) receive() {
	b, oob := make([]byte, 2048), make([]byte, 128)
	for {
		n, k, _, _, err := p.in.ReadMsgUDPAddrPort(b, oob)
		if err != nil {
			return // closed
		}
		if n < 8 {
			continue
		}
		number, ttl := binary.BigEndian.Uint64(b), ttlOf(oob[:k])
		p.mu.Lock()
		if number < uint64(len(p.hops)) && ttl > 0 && ttl <= probeTTL {
			p.hops[number] = probeTTL - ttl
		}
		p.mu.Unlock()
	}
}

// ttlOf is the TTL in a packet's control messages; 0: none.
func ttlOf(oob []byte) uint8 {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range list {
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TTL && len(m.Data) >= 4 {
			return uint8(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// Close ends it, once or again.
func (p *Probe) Close() {
	p.ended.Do(func() { close(p.stop) })
	p.shut()
	p.running.Wait()
}

func (p *Probe) shut() {
	for _, c := range []*net.UDPConn{p.out, p.in} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// Passage is what became of a probe's packets of some time.
type Passage struct {
	Sent, Lost int
	Direct     int           // came by two routers
	First      time.Duration // from the probe's beginning until the first of Direct was sent after which none came otherwise; 0: there is none
	// Outage is from when the first of Lost was sent until the last.
	Outage time.Duration
	// FirstLost and LastLost are when they were sent.
	FirstLost, LastLost time.Time
}

// directHops is how many routers there are between hosts of two sites that have a path of their own; the hub is one more.
const directHops = 2

// Between tells of the packets sent from one time to another. What is on its way counts as lost: leave it the time to arrive.
func (p *Probe) Between(from, to time.Time) (r Passage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, at := range p.sent {
		if at.Before(from) || at.After(to) {
			continue
		}
		r.Sent++
		switch p.hops[n] {
		case 0:
			if r.Lost++; r.Lost == 1 {
				r.FirstLost = at
			}
			r.LastLost = at
		case directHops:
			if r.Direct++; r.First == 0 {
				r.First = max(at.Sub(p.began), 1)
			}
		default:
			r.First = 0
		}
	}
	r.Outage = r.LastLost.Sub(r.FirstLost)
	return r
}

// Way is how packets of the moment before the latest come: WayDirect, WayHub, or WayNone where some were lost or they come now by this, now by that.
func (p *Probe) Way() Way {
	now := time.Now().Add(-probeArrives)
	r := p.Between(now.Add(-probeLooks), now)
	switch {
	case r.Sent == 0 || r.Lost > 0:
		return WayNone
	case r.Direct == r.Sent:
		return WayDirect
	case r.Direct == 0:
		return WayHub
	}
	return WayNone
}

// overtaken waits until a packet has arrived that was sent well after a moment. Those of before that have not come by then won't, unless the way was changed meanwhile: they are
// given the time that takes. Where nothing arrives at all, it waits in vain for a while.
func (p *Probe) overtaken(at time.Time) {
	for end := at.Add(wayWithin); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if w := p.Between(at.Add(probeArrives), time.Now()); w.Sent > w.Lost {
			return
		}
	}
}

const (
	probeArrives = 250 * time.Millisecond // within which a packet arrives, on a machine that is busy
	probeLooks   = 500 * time.Millisecond // how long packets have to come by one way to be said to
)

// Way is how packets come from site to site.
type Way string

// The ways.
const (
	WayNone   Way = "none"
	WayDirect Way = "direct"
	WayHub    Way = "by the hub"
)
