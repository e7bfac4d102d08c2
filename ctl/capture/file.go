package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/fastpath"
)

// A file has an interface block for each interface that packets were copied of. Of ports these are Ethernet frames. Of tunnels each packet has the header of Linux' cooked captures in front
// (LINKTYPE_LINUX_SLL) with the hardware type of GRE tunnels, so that its protocol field is GRE's: IPv4, labels, NHRP; its address is the peer's outer one.

// sllLen is the length of a cooked header; arphrdGRE the hardware type that goes with a tunnel (linux/if_arp.h).
const (
	sllLen    = 16
	arphrdGRE = 778
)

// track is an interface of a file.
type track struct {
	name   string
	cooked bool
}

// file writes copies in pcapng into memory, from where they are taken bit by bit.
type file struct {
	version string
	filter  string
	snaplen int
	began   time.Time
	out     bytes.Buffer
	w       *pcapgo.NgWriter
	tracks  map[track]int
	packets []uint64 // of each
	scratch []byte
}

// track is the number of an interface, whose block is written when it is met first.
func (f *file) track(t track) (int, error) {
	if n, ok := f.tracks[t]; ok {
		return n, nil
	}
	i := pcapgo.NgInterface{Name: t.name, Description: "nave, Ethernet frames", OS: "nave " + f.version, Filter: f.filter, LinkType: layers.LinkTypeEthernet, SnapLength: uint32(f.snaplen)}
	if t.cooked {
		i.Description, i.LinkType = "nave, packets without GRE and IPsec", layers.LinkTypeLinuxSLL
		if f.snaplen != 0 {
			i.SnapLength += sllLen
		}
	}
	n := len(f.tracks)
	var err error
	if f.w == nil {
		o := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "nave " + f.version, OS: "Linux"}}
		f.w, err = pcapgo.NewNgWriterInterface(&f.out, i, o)
	} else {
		n, err = f.w.AddInterface(i)
	}
	if err != nil {
		return 0, fmt.Errorf("capture: %w", err)
	}
	f.tracks[t] = n
	f.packets = append(f.packets, 0)
	return n, nil
}

// add writes a copy that p describes.
func (f *file) add(c *fastpath.Captured, p *Packet) error {
	t := track{p.Interface, c.Proto != 0}
	n, err := f.track(t)
	if err != nil {
		return err
	}
	data, length := c.Data, c.Len
	if t.cooked {
		f.scratch = append(cooked(f.scratch[:0], c, p.Out), c.Data...)
		data, length = f.scratch, c.Len+sllLen
	}
	direction := pcapgo.NgEpbFlagDirectionInbound
	if p.Out {
		direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	worker := uint32(c.Worker)
	info := gopacket.CaptureInfo{Timestamp: p.Time, CaptureLength: len(data), Length: length, InterfaceIndex: n}
	options := pcapgo.NgPacketOptions{Comments: p.Comments(), Flags: &pcapgo.NgEpbFlags{Direction: direction}, Queue: &worker}
	if err := f.w.WritePacketWithOptions(info, data, options); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	f.packets[n]++
	return nil
}

// cooked appends the header of a cooked packet.
func cooked(b []byte, c *fastpath.Captured, out bool) []byte {
	var h [sllLen]byte
	be := binary.BigEndian
	if out {
		be.PutUint16(h[:], 4) // sent by us
	}
	be.PutUint16(h[2:], arphrdGRE)
	if c.Peer.Is4() && !out { // it is the sender's
		a := c.Peer.As4()
		be.PutUint16(h[4:], 4)
		copy(h[6:], a[:])
	}
	be.PutUint16(h[14:], c.Proto)
	return append(b, h[:]...)
}

// end writes how many packets there were of each interface, and with the first of them how many copies were lost.
func (f *file) end(now time.Time, name string, lost uint64) error {
	if f.w == nil { // nothing was copied: an empty capture is one, too
		if _, err := f.track(track{name: name}); err != nil {
			return err
		}
	}
	for n, count := range f.packets {
		s := pcapgo.NgInterfaceStatistics{LastUpdate: now, StartTime: f.began, EndTime: now, PacketsReceived: count, PacketsDropped: pcapgo.NgNoValue64}
		if n == 0 {
			s.PacketsDropped = lost
		}
		if err := f.w.WriteInterfaceStats(n, s); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
	}
	return nil
}

// take is what was written since the last time.
func (f *file) take() ([]byte, error) {
	if f.w != nil {
		if err := f.w.Flush(); err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
	}
	b := bytes.Clone(f.out.Bytes())
	f.out.Reset()
	return b, nil
}

// Comments is what a file says of a packet beside its bytes: why it was dropped, who is at the other end of the tunnel.
func (p *Packet) Comments() (list []string) {
	switch {
	case p.Point == Dropped && p.Lost:
		list = append(list, fmt.Sprintf("drop: %s: %s; lost on its way to the control plane", p.Reason, p.Text))
	case p.Point == Dropped && p.Cause != "":
		list = append(list, fmt.Sprintf("drop: %s: %s (%s)", p.Reason, p.Text, p.Cause))
	case p.Point == Dropped:
		list = append(list, fmt.Sprintf("drop: %s: %s", p.Reason, p.Text))
	case p.Point == Punted:
		list = append(list, fmt.Sprintf("punt: %s: %s", p.Reason, p.Text))
	}
	if p.Peer.IsValid() {
		way := "from"
		if p.Out {
			way = "to"
		}
		list = append(list, fmt.Sprintf("%s %s", way, p.Peer))
	}
	if p.VRF != "" {
		list = append(list, "vrf "+p.VRF)
	}
	if p.Opened {
		list = append(list, "what follows its ESP header is decrypted")
	}
	return list
}
