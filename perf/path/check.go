package path

import (
	"bytes"
	"errors"
	"fmt"

	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// check has one pass forwarded and looks at all that leaves: each packet must be the one that was fed in, with the hops taken off its TTL and the headers that the work gives
// it. Of sealed packets, the first and the last are opened.
func (s *scene) check() error {
	var out [][]byte
	s.checking = true
	s.to.take = func(fs []port.Frame) {
		for _, f := range fs {
			out = append(out, append([]byte(nil), s.gw.w.Pool().Bytes(f)...))
		}
	}
	defer func() { s.to.take, s.checking = nil, false }()
	if err := s.pass(checkStep, func(uint64) {}); err != nil {
		return err
	}
	if len(out) != len(s.slots) {
		return fmt.Errorf("%d packets went in by one port and %d left by the other", len(s.slots), len(out))
	}
	var errs []error
	for i, frame := range out {
		look := i == 0 || i == len(out)-1
		if err := s.checkFrame(frame, look); err != nil {
			errs = append(errs, fmt.Errorf("packet %d of %d that left is wrong: %w", i, len(out), err))
			break
		}
	}
	return errors.Join(errs...)
}

// checkStep is how much later it is with each poll before the measurement, in nanoseconds: so that all that is told once, or at a limited rate, is told.
const checkStep = 1e9

// hops is how many routers the packet has passed when the gateway has sent it.
func (s *scene) hops() uint8 {
	if s.far != nil {
		return 2
	}
	return 1
}

// checkFrame looks at a frame that left. A sealed one is opened if open says so, and otherwise only its outer header is looked at.
func (s *scene) checkFrame(frame []byte, open bool) error {
	eth, fault := packet.ParseEthernet(frame)
	if fault != packet.OK {
		return fmt.Errorf("a frame of %d bytes", len(frame))
	}
	typ := uint16(packet.TypeIPv4)
	if s.work.out == labelled {
		typ = packet.TypeMPLS
	}
	if eth.Dst() != neighbour(s.work.to) || eth.Src() != own(s.work.to) || eth.Type() != typ {
		return fmt.Errorf("Ethernet header %x", frame[:packet.EthernetLen])
	}
	body := frame[packet.EthernetLen:]
	switch s.work.out {
	case plain:
		return s.checkInner(body, s.hops())
	case labelled:
		return s.checkLabel(body)
	}
	ip, fault := packet.ParseIPv4(body)
	if fault != packet.OK || len(ip) != len(body) || ip.TTL() != 255 || ip.Src() != uint32(hub) {
		return fmt.Errorf("outer header %x, %d bytes", body[:min(len(body), packet.IPv4Len)], len(body))
	}
	flow := int(addr(ip.Dst()) - s.outPeer(0))
	if flow < 0 || flow >= s.n {
		return fmt.Errorf("it went to %s, who is no peer", addr(ip.Dst()).ip())
	}
	if s.work.out == tunnel {
		header := make([]byte, greLen)
		packet.PutGRE(header, packet.TypeIPv4, tunnelKey, true)
		if ip.Proto() != packet.ProtoGRE || !bytes.HasPrefix(ip.Payload(), header) {
			return fmt.Errorf("protocol %d, GRE header %x", ip.Proto(), ip.Payload()[:min(len(ip.Payload()), greLen)])
		}
		return s.checkFlow(flow, ip.Payload()[greLen:], s.hops())
	}
	if ip.Proto() != packet.ProtoESP {
		return fmt.Errorf("sealed packet has protocol %d", ip.Proto())
	}
	if !open {
		return nil
	}
	return s.checkSealed(flow, frame)
}

// checkLabel looks at a labelled packet. Where it came in labelled, too, what is under the label is as it was.
func (s *scene) checkLabel(b []byte) error {
	if len(b) < packet.LabelLen+packet.IPv4Len {
		return fmt.Errorf("%d bytes are too few for a label and a packet", len(b))
	}
	ip := b[packet.LabelLen:]
	flow := targetFlow(packet.IPv4(ip).Dst())
	if got, want := packet.GetLSE(b), packet.MakeLSE(outLabel(flow), 0, true, innerTTL-1); got != want {
		return fmt.Errorf("label stack entry %08x, want %08x", uint32(got), uint32(want))
	}
	hops := uint8(0)
	if s.work.in != labelled {
		hops = s.hops()
	}
	return s.checkInner(ip, hops)
}

func (s *scene) checkInner(b []byte, hops uint8) error {
	ip, fault := packet.ParseIPv4(b)
	if fault != packet.OK {
		return fmt.Errorf("inner header %x", b[:min(len(b), packet.IPv4Len)])
	}
	return s.checkFlow(targetFlow(ip.Dst()), b, hops)
}

// checkFlow compares an inner packet with what was fed in for its flow.
func (s *scene) checkFlow(flow int, got []byte, hops uint8) error {
	if flow < 0 || flow >= s.n {
		return fmt.Errorf("an inner packet of flow %d of %d", flow, s.n)
	}
	want := inner(flow, len(got), innerTTL-hops)
	if !bytes.Equal(got, want) {
		return fmt.Errorf("inner packet of flow %d is\n%x, want\n%x", flow, got, want)
	}
	for _, size := range s.mix.class {
		if len(got) == size {
			return nil
		}
	}
	return fmt.Errorf("inner packet of flow %d is %d bytes long, which none was", flow, len(got))
}

// checkSealed opens a sealed frame as the peer that it went to, and looks at what was inside.
func (s *scene) checkSealed(flow int, frame []byte) (err error) {
	if s.tr.hides() && bytes.Contains(frame, inner(flow, s.mix.class[0], innerTTL)[packet.IPv4Len:]) {
		return errors.New("the payload stands in it in clear")
	}
	b, err := newBox(1, 1, s.openerEntries(flow))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	fs, err := b.frames(1)
	if err != nil {
		return err
	}
	fs[0].Len = uint16(len(frame))
	copy(b.w.Pool().Bytes(fs[0]), frame)
	var opened []byte
	b.lan.take = func(out []port.Frame) { opened = append([]byte(nil), b.w.Pool().Bytes(out[0])...) }
	if _, err := b.forward(b.wan, fs, checkStep); err != nil {
		return fmt.Errorf("the peer can not open it: %w", err)
	}
	return s.checkFlow(flow, opened[packet.EthernetLen:], s.hops()+1)
}
