package path

import (
	"fmt"

	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/perf/report"
)

// mix is the sizes of a row's packets.
type mix struct {
	size  report.Size
	class []int   // the sizes, bytes of the inner packet
	cycle []uint8 // indices of class, repeated for ever
	mean  float64
}

// imixSizes is 7:4:1; the longest is as long as a tunnel takes, which has the larger sizes of the Internet cut or never sent.
var imixSizes = mix{size: report.IMIX, class: []int{40, 576, tunnelMTU}, cycle: []uint8{0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 0, 1}}

func newMix(size report.Size) (*mix, error) {
	m := imixSizes
	if size != report.IMIX {
		if size < packet.IPv4Len+udpLen || size > tunnelMTU {
			return nil, fmt.Errorf("size %d: want %d (headers alone) to %d bytes (what a tunnel takes), or imix", size, packet.IPv4Len+udpLen, tunnelMTU)
		}
		m = mix{size: size, class: []int{int(size)}, cycle: []uint8{0}}
	}
	total := 0
	for _, c := range m.cycle {
		total += m.class[c]
	}
	m.mean = float64(total) / float64(len(m.cycle))
	return &m, nil
}

// front is how many bytes of headers stand before the inner packet where it is fed in: at the far side, if there is one.
func (s *scene) front() int {
	switch {
	case s.work.in == tunnel:
		return packet.EthernetLen + packet.IPv4Len + greLen
	case s.work.in == labelled:
		return packet.EthernetLen + packet.LabelLen
	case s.own != nil:
		return sealedTop + greLen
	}
	return packet.EthernetLen
}

// feedSize is how long a frame is that is fed in.
func (s *scene) feedSize(size int) int {
	if s.own != nil {
		return sealedSize(size)
	}
	return s.front() + size
}

// feedFrame is a whole frame as it is fed in.
func (s *scene) feedFrame(flow, size int) []byte {
	ip := inner(flow, size, innerTTL)
	switch {
	case s.work.in == tunnel:
		return ethernet(wanMAC, nextMAC, packet.TypeIPv4, gre(s.inPeer(flow), hub, ip))
	case s.work.in == labelled:
		return ethernet(own(s.work.from), neighbour(s.work.from), packet.TypeMPLS, under(inLabel(flow), ip))
	case s.own != nil:
		return sealedFrame(s.inPeer(flow), inSPI(flow), ip)
	}
	return ethernet(lanMAC, hostMAC, packet.TypeIPv4, ip)
}

// setMix makes packets of those sizes from now on.
func (s *scene) setMix(m *mix) {
	s.mix = m
	s.head = s.front() + packet.IPv4Len + udpLen
	s.heads = make([]byte, 0, len(m.class)*s.n*s.head)
	for _, size := range m.class {
		for flow := range s.n {
			s.heads = append(s.heads, s.feedFrame(flow, size)[:s.head]...)
		}
	}
}

// paint writes a payload into all frames. It is for the check: otherwise headers alone are written again, since what is
// left of the packet before is as good a payload as any.
func (s *scene) paint(b *box, fs []port.Frame) {
	longest := 0
	for _, size := range s.mix.class {
		longest = max(longest, size)
	}
	frame := s.feedFrame(0, longest)
	for _, f := range fs {
		f.Start, f.Len = port.Headroom, uint16(len(frame))
		copy(b.w.Pool().Bytes(f), frame)
	}
}

// write makes the next packets of the order ready in the frames of a box, from their headers on.
func (s *scene) write(b *box, fs []port.Frame) {
	pool := b.w.Pool()
	for k := range fs {
		flow, class := int(s.order[s.at%s.n]), int(s.mix.cycle[s.at%len(s.mix.cycle)])
		s.at++
		size := s.mix.class[class]
		fs[k].Start, fs[k].Len = port.Headroom, uint16(s.feedSize(size))
		from := (class*s.n + flow) * s.head
		frame := pool.Bytes(fs[k])
		copy(frame, s.heads[from:from+s.head])
		if s.own != nil {
			s.own.seal(frame, flow, size)
		}
	}
}

// ready makes all slots ready for the gateway to take, burst by burst.
func (s *scene) ready(step int64) error {
	if s.far == nil {
		if s.checking {
			s.paint(s.gw, s.slots)
		}
		s.write(s.gw, s.slots)
		return nil
	}
	s.fill = 0
	for s.fill < len(s.slots) {
		n := min(s.burst, len(s.slots)-s.fill)
		if s.checking {
			s.paint(s.far, s.farSlots)
		}
		s.write(s.far, s.farSlots[:n])
		if _, err := s.far.forward(s.far.lan, s.farSlots[:n], step); err != nil {
			return fmt.Errorf("the far side does not seal: %w", err)
		}
	}
	return nil
}

// arrive takes what the far side sends as what comes in at the gateway.
func (s *scene) arrive(fs []port.Frame) {
	for _, f := range fs {
		slot := &s.slots[s.fill]
		slot.Start, slot.Len = port.Headroom, f.Len
		copy(s.gw.w.Pool().Bytes(*slot), s.far.w.Pool().Bytes(f))
		s.fill++
	}
}

// pass has the gateway forward all slots once, and calls each with the ticks of every burst.
func (s *scene) pass(step int64, each func(ticks uint64)) error {
	if err := s.ready(step); err != nil {
		return err
	}
	for i := 0; i < len(s.slots); i += s.burst {
		ticks, err := s.gw.forward(s.from, s.slots[i:min(i+s.burst, len(s.slots))], step)
		if err != nil {
			return err
		}
		each(ticks)
	}
	return nil
}
