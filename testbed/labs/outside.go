package labs

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/testbed/topo"
)

// Outside is what crosses the bridge wan of a lab's internet: what NAT boxes have made of packets, each seen once.
type Outside struct {
	handle  *pcapgo.EthernetHandle
	reader  sync.WaitGroup
	mu      sync.Mutex
	packets []Crossing
	frames  []heldFrame // the beginning of each, for Write
}

type heldFrame struct {
	info gopacket.CaptureInfo
	data []byte
}

// frameHeld is how much of a frame is kept: all headers of an IKE or ESP packet.
const frameHeld = 96

// Sort is what a packet is.
type Sort uint8

// The sorts.
const (
	SortOther     Sort = iota
	SortESP            // IP protocol 50
	SortUDPESP         // ESP in UDP (RFC 3948 2.1)
	SortIKE            // on port 500, or behind four zero bytes on 4500 (RFC 3948 2.2)
	SortKeepalive      // one byte on 4500 (RFC 3948 2.3)
	SortClear          // GRE, or an address of inside a tunnel
)

// Crossing is an IPv4 packet that crossed.
type Crossing struct {
	At       time.Time
	From, To netip.AddrPort // ports of UDP, else 0
	Sort     Sort
	Sum      uint16 // the checksum of UDP
	// First is the initiator's SPI of an IKE message that has none of the responder's: whoever sends it begins an SA. Others: 0.
	First uint64
}

// WatchOutside begins to look, until Close.
func WatchOutside(l *topo.Lab) (*Outside, error) {
	o := &Outside{}
	err := l.NS("internet").Do(func() (err error) {
		if o.handle, err = pcapgo.NewEthernetHandle("wan"); err == nil {
			err = o.handle.SetPromiscuous(true)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("labs: watch the internet: %w", err)
	}
	o.reader.Go(func() {
		for {
			data, info, err := o.handle.ReadPacketData()
			if err != nil {
				return // closed
			}
			c, ok := crossing(data)
			if !ok {
				continue
			}
			c.At = info.Timestamp
			data = data[:min(len(data), frameHeld)]
			info.CaptureLength = len(data)
			o.mu.Lock()
			o.packets, o.frames = append(o.packets, c), append(o.frames, heldFrame{info, data})
			o.mu.Unlock()
		}
	})
	return o, nil
}

// Close ends it.
func (o *Outside) Close() {
	o.handle.Close()
	o.reader.Wait()
}

// crossing takes an Ethernet frame's headers apart.
func crossing(b []byte) (c Crossing, ok bool) {
	if len(b) < 14+20 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return c, false
	}
	b = b[14:]
	hl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if hl < 20 || total > len(b) || total < hl {
		return c, false
	}
	from, to, proto := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
	first, b := binary.BigEndian.Uint16(b[6:])&0x1fff == 0, b[hl:total]
	const udp, gre, esp = 17, 47, 50
	c.From, c.To = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
	switch {
	case proto == gre || inside.Contains(from) || inside.Contains(to):
		c.Sort = SortClear
	case proto == esp:
		c.Sort = SortESP
	case proto == udp && first && len(b) >= 8:
		c.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
		c.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
		c.Sum = binary.BigEndian.Uint16(b[6:])
		c.udp(b[8:])
	}
	return c, true
}

// udp tells what is in UDP. Where two NAT boxes have chosen both ports, it is what IKE has on 4500: nothing else crosses, and on 500 no peer answers that has moved.
func (c *Crossing) udp(b []byte) {
	switch on500 := c.From.Port() == 500 || c.To.Port() == 500; {
	case on500 && len(b) >= 28:
	case on500 || len(b) == 0:
		return
	case len(b) == 1 && b[0] == 0xff:
		c.Sort = SortKeepalive
		return
	case len(b) >= 8 && binary.BigEndian.Uint32(b) != 0:
		c.Sort = SortUDPESP
		return
	case len(b) >= 4+28:
		b = b[4:]
	default:
		return
	}
	c.Sort = SortIKE
	if binary.BigEndian.Uint64(b[8:]) == 0 {
		c.First = binary.BigEndian.Uint64(b)
	}
}

// Since are the packets from a moment on, between two addresses in either direction; without addresses, all.
func (o *Outside) Since(at time.Time, between ...netip.Addr) (out []Crossing) {
	o.mu.Lock()
	all := o.packets[:len(o.packets):len(o.packets)]
	o.mu.Unlock()
	for _, c := range all {
		from, to := c.From.Addr(), c.To.Addr()
		if !c.At.Before(at) && (len(between) < 2 || from == between[0] && to == between[1] || from == between[1] && to == between[0]) {
			out = append(out, c)
		}
	}
	return out
}

// Attempts is how many IKE SAs two addresses began with each other since a moment, whichever began them. Messages that are sent again do not count, whenever they were sent first.
func (o *Outside) Attempts(at time.Time, a, b netip.Addr) int {
	return attempts(o.Since(time.Time{}), at, a, b)
}

func attempts(all []Crossing, at time.Time, a, b netip.Addr) (n int) {
	begun := make(map[uint64]bool)
	for _, c := range all {
		if c.First == 0 || begun[c.First] {
			continue
		}
		begun[c.First] = true
		if from, to := c.From.Addr(), c.To.Addr(); !c.At.Before(at) && (from == a && to == b || from == b && to == a) {
			n++
		}
	}
	return n
}

// Write writes what was seen as a capture file.
func (o *Outside) Write(w io.Writer) error {
	o.mu.Lock()
	frames := o.frames[:len(o.frames):len(o.frames)]
	o.mu.Unlock()
	f := pcapgo.NewWriter(w)
	if err := f.WriteFileHeader(frameHeld, layers.LinkTypeEthernet); err != nil {
		return fmt.Errorf("labs: %w", err)
	}
	for _, h := range frames {
		if err := f.WritePacket(h.info, h.data); err != nil {
			return fmt.Errorf("labs: %w", err)
		}
	}
	return nil
}
