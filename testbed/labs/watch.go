package labs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"nave/testbed/topo"
)

// Watch looks at what crosses the internet of a lab.
type Watch struct {
	mu      sync.Mutex
	seen    Seen
	handles []*pcapgo.EthernetHandle
	readers sync.WaitGroup
}

// Seen is how many packets of each kind crossed. A packet that crosses the internet counts where it comes in and where it leaves.
type Seen struct {
	ESP int // in UDP or not
	IKE int
	// Clear is what should be in the tunnel: GRE, and packets with an inner address. First is the first of them.
	Clear int
	First string
	Inner int // of Clear, those with an inner address outside
	Other int
}

// inside are the addresses behind tunnels and of tunnels, in all labs.
var inside = netip.MustParsePrefix("10.0.0.0/8")

// StartWatch watches all ports of the node internet, until Close.
func StartWatch(l *topo.Lab) (*Watch, error) {
	w := &Watch{}
	for _, k := range l.Topology.Links {
		for _, p := range []topo.Port{k.A, k.B} {
			if p.Node != "internet" {
				continue
			}
			err := l.NS(p.Node).Do(func() error {
				h, err := pcapgo.NewEthernetHandle(p.Dev)
				if err == nil {
					w.handles = append(w.handles, h)
				}
				return err
			})
			if err != nil {
				w.Close()
				return nil, fmt.Errorf("labs: watch %s: %w", p.Dev, err)
			}
		}
	}
	if len(w.handles) == 0 {
		return nil, errors.New("labs: the lab has no internet to watch")
	}
	for _, h := range w.handles {
		w.readers.Go(func() {
			for {
				data, info, err := h.ReadPacketData()
				if err != nil {
					return // closed
				}
				w.count(data, info.Timestamp)
			}
		})
	}
	return w, nil
}

// Close ends the watch.
func (w *Watch) Close() {
	for _, h := range w.handles {
		h.Close()
	}
	w.readers.Wait()
}

// Seen is what crossed so far. What crossed a moment ago may be missing.
func (w *Watch) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// count tells an Ethernet frame's kind.
func (w *Watch) count(b []byte, at time.Time) {
	if len(b) < 14+20 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return
	}
	b = b[14:]
	from, to, proto := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
	w.mu.Lock()
	defer w.mu.Unlock()
	const udp, gre, esp = 17, 47, 50
	hl := int(b[0]&15) * 4
	inner := inside.Contains(from) || inside.Contains(to)
	switch {
	case proto == gre || inner:
		if inner {
			w.seen.Inner++
		}
		if w.seen.Clear++; w.seen.Clear == 1 {
			w.seen.First = fmt.Sprintf("%s %s > %s protocol %d: %x", at.Format(time.StampMilli), from, to, proto, b[:min(len(b), 80)])
		}
	case proto == esp:
		w.seen.ESP++
	case proto == udp && len(b) >= hl+12 && binary.BigEndian.Uint16(b[hl+2:]) == 4500 && binary.BigEndian.Uint32(b[hl+8:]) != 0:
		w.seen.ESP++
	case proto == udp && len(b) >= hl+8 && (binary.BigEndian.Uint16(b[hl+2:]) == 500 || binary.BigEndian.Uint16(b[hl+2:]) == 4500):
		w.seen.IKE++
	default:
		w.seen.Other++
	}
}
