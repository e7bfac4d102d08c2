package labs

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"nave/testbed/topo"
)

// floodPort is where floods go.
const floodPort = 7007

// flood is packets between all hosts of each VPN all the time, which carry the VPN's name. Whoever sees one of another VPN has seen a leak: each host's wire is
// looked at, not only what its stack takes.
type flood struct {
	stop    chan struct{}
	running sync.WaitGroup
	handles []*pcapgo.EthernetHandle
	flows   []*flow

	mu    sync.Mutex
	leaks []string
	seen  map[string]uint64 // packets of its own VPN on a host's wire
}

// flow is packets from one host to another.
type flow struct {
	from, to string
	color    string
	dst      netip.AddrPort
	sent     atomic.Uint64
	got      atomic.Uint64
	conn     net.Conn
}

// floodHost is a host that takes part: its name begins with the color of its VPN.
type floodHost struct{ name, color, addr string }

// startFlood begins to send, 5 ms apart a flow. Hosts of one color flood each other.
func startFlood(t *testing.T, l *topo.Lab, hosts []floodHost) *flood {
	t.Helper()
	f := &flood{stop: make(chan struct{}), seen: make(map[string]uint64)}
	t.Cleanup(f.close)
	sinks := make(map[string]*net.UDPConn)
	for _, h := range hosts {
		must(t, l.NS(h.name).Do(func() error {
			c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: floodPort})
			if err != nil {
				return err
			}
			sinks[h.name] = c
			if err := roomy(c); err != nil {
				return err
			}
			e, err := pcapgo.NewEthernetHandle("eth0")
			if err == nil {
				f.handles = append(f.handles, e)
				f.running.Go(func() { f.watch(e, h) })
			}
			return err
		}))
	}
	for _, a := range hosts {
		for _, b := range hosts {
			if a.color != b.color || a.name == b.name {
				continue
			}
			k := &flow{from: a.name, to: b.name, color: a.color, dst: netip.AddrPortFrom(netip.MustParseAddr(b.addr), floodPort)}
			must(t, l.NS(a.name).Do(func() (err error) { k.conn, err = net.Dial("udp4", k.dst.String()); return err }))
			f.flows = append(f.flows, k)
		}
	}
	for _, k := range f.flows {
		f.running.Go(func() { f.send(k) })
	}
	for name, c := range sinks {
		f.running.Go(func() { f.sink(name, c) })
		f.running.Go(func() { <-f.stop; c.Close() })
	}
	return f
}

// send floods one flow. The packet: the color, a space, the sender's and the receiver's name, a space after each, a number.
func (f *flood) send(k *flow) {
	defer k.conn.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	head := fmt.Sprintf("nave-flood %s %s %s ", k.color, k.from, k.to)
	for n := uint64(1); ; n++ {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		if _, err := k.conn.Write(binary.BigEndian.AppendUint64([]byte(head), n)); err == nil { // an ICMP error of an earlier one is no packet of this
			k.sent.Add(1)
		}
	}
}

// sink counts what a host's stack takes.
func (f *flood) sink(host string, c *net.UDPConn) {
	buf := make([]byte, 2048)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		words := strings.SplitN(string(buf[:n]), " ", 5)
		if len(words) < 5 {
			continue
		}
		for _, k := range f.flows {
			if k.from == words[2] && k.to == host && words[3] == host {
				k.got.Add(1)
			}
		}
	}
}

// watch looks at all that comes to a host's wire.
func (f *flood) watch(e *pcapgo.EthernetHandle, h floodHost) {
	for {
		b, _, err := e.ReadPacketData()
		if err != nil {
			return // closed
		}
		_, after, ok := strings.Cut(string(b), "nave-flood ")
		if !ok {
			continue
		}
		words := strings.SplitN(after, " ", 4)
		f.mu.Lock()
		if words[0] == h.color {
			f.seen[h.name]++
		} else {
			f.leaks = append(f.leaks, fmt.Sprintf("%s, at %s: a packet of %s, from %s to %s", h.name, time.Now().Format(time.StampMilli), words[0], words[1], words[2]))
		}
		f.mu.Unlock()
	}
}

// close ends the flood.
func (f *flood) close() {
	select {
	case <-f.stop:
		return
	default:
	}
	close(f.stop)
	for _, h := range f.handles {
		h.Close()
	}
	f.running.Wait()
}

// flowing waits until packets of every flow arrive that are sent from now on.
func (f *flood) flowing(t *testing.T, limit time.Duration, what string) {
	t.Helper()
	start := time.Now()
	before := make([]uint64, len(f.flows))
	for i, k := range f.flows {
		before[i] = k.got.Load()
	}
	must(t, topo.Eventually(limit, func() error {
		var stuck []string
		for i, k := range f.flows {
			if k.got.Load() < before[i]+20 {
				stuck = append(stuck, k.from+">"+k.to)
			}
		}
		if len(stuck) > 0 {
			return fmt.Errorf("%s: %v after %v nothing arrives of %v", what, limit, time.Since(start).Round(time.Second), stuck)
		}
		return nil
	}))
	t.Logf("%s: all flows run after %v", what, time.Since(start).Round(10*time.Millisecond))
}

// mark is what has been sent and has arrived of each flow.
func (f *flood) mark() (m [][2]uint64) {
	for _, k := range f.flows {
		got := k.got.Load() // first, so that what is under way counts as lost
		m = append(m, [2]uint64{k.sent.Load(), got})
	}
	return m
}

// losses is how many packets each flow has lost since a mark, those counted that are under way.
func (f *flood) losses(since [][2]uint64) (out []int) {
	for i, now := range f.mark() {
		out = append(out, int(now[0]-since[i][0])-int(now[1]-since[i][1]))
	}
	return out
}

// lost is the most that any flow has lost since a mark, as far as it is more than few. What is lost stays missing, and what is on its way does not: so it looks for a while.
func (f *flood) lost(since [][2]uint64, few int) (most int, which string) {
	_ = topo.Eventually(5*time.Second, func() error {
		most, which = 0, ""
		for i, n := range f.losses(since) {
			if n > most {
				most, which = n, f.flows[i].from+">"+f.flows[i].to
			}
		}
		if most > few {
			return fmt.Errorf("%d are missing of %s", most, which)
		}
		return nil
	})
	return most, which
}

// tight checks that nothing of a VPN has been seen in another.
func (f *flood) tight(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.leaks) > 0 {
		t.Fatalf("%d leaks; the first:\n%s", len(f.leaks), strings.Join(f.leaks[:min(5, len(f.leaks))], "\n"))
	}
}

// tell logs what went through.
func (f *flood) tell(t *testing.T) {
	var sent, got uint64
	for _, k := range f.flows {
		sent += k.sent.Load()
		got += k.got.Load()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t.Logf("%d packets sent in %d flows, %d arrived, %d seen on the wires of hosts, %d in another VPN than their own", sent, len(f.flows), got, total(f.seen), len(f.leaks))
}

func total(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// cloudHosts are the hosts of both VPNs at some sites of vpnCloud.
func cloudHosts(sites ...int) (out []floodHost) {
	for _, n := range sites {
		for _, c := range []string{"red", "blue"} {
			out = append(out, floodHost{fmt.Sprint(c, n), c, fmt.Sprintf("192.168.%d.7", 9+n)})
		}
	}
	slices.SortFunc(out, func(a, b floodHost) int { return strings.Compare(a.name, b.name) })
	return out
}
