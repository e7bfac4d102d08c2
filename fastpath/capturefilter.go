package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"

	"nave/fastpath/packet"
)

// A filter runs in the worker, before a packet is copied: what nobody asked for takes no room in the ring, so that a capture of one host on a busy port loses nothing. It is a few
// tests, each of which leads on to a later one or to an end, so it always ends.

// MaxCaptureSteps is how many tests a filter may have.
const MaxCaptureSteps = 32

// Where a step may lead besides to a later step.
const (
	CaptureAccept = 255
	CaptureReject = 254
)

// CaptureField is what a step tests: of the IPv4 header that comes first, behind Ethernet, tags and labels. What is inside of it (GRE, ESP) is not looked at. A test of a field that the
// packet has not got fails.
type CaptureField uint8

// Fields.
const (
	CaptureIsIPv4  CaptureField = iota + 1 // that there is one
	CaptureSrc                             // Mask, Value: source & Mask == Value
	CaptureDst                             // the same of the destination
	CaptureProto                           // Value
	CaptureSrcPort                         // of TCP and UDP: from Value to Mask
	CaptureDstPort                         // the same
)

// CaptureStep is a test of a filter, and the steps that it leads to.
type CaptureStep struct {
	Field       CaptureField
	Value, Mask uint32
	Yes, No     uint8 // a later step by its number, from 0; CaptureAccept or CaptureReject
}

func (s CaptureStep) words() (a, b uint64) {
	return uint64(s.Field) | uint64(s.Yes)<<8 | uint64(s.No)<<16, uint64(s.Value) | uint64(s.Mask)<<32
}

func captureStep(a, b uint64) CaptureStep {
	return CaptureStep{Field: CaptureField(a), Yes: uint8(a >> 8), No: uint8(a >> 16), Value: uint32(b), Mask: uint32(b >> 32)}
}

func checkCaptureSteps(steps []CaptureStep) error {
	if len(steps) > MaxCaptureSteps {
		return fmt.Errorf("a filter of %d tests: at most %d", len(steps), MaxCaptureSteps)
	}
	for i, s := range steps {
		for _, to := range []uint8{s.Yes, s.No} {
			if to < CaptureReject && (int(to) <= i || int(to) >= len(steps)) {
				return fmt.Errorf("test %d of a filter leads to %d", i, to)
			}
		}
		if s.Field < CaptureIsIPv4 || s.Field > CaptureDstPort {
			return errors.New("a filter tests a field that does not exist")
		}
	}
	return nil
}

// captureView is what filters look at.
type captureView struct {
	ip, ports    bool
	proto        uint8
	src, dst     uint32
	sport, dport uint32
	vlan         uint16
}

// frame looks at an Ethernet frame.
func (v *captureView) frame(b []byte) {
	*v = captureView{}
	if len(b) < packet.EthernetLen {
		return
	}
	proto, b := binary.BigEndian.Uint16(b[packet.EthernetLen-2:]), b[packet.EthernetLen:]
	for tags := 0; proto == packet.TypeVLAN && len(b) >= packet.VLANLen && tags < 2; tags++ {
		if tags == 0 {
			v.vlan = binary.BigEndian.Uint16(b) & packet.VLANID
		}
		proto, b = binary.BigEndian.Uint16(b[2:]), b[packet.VLANLen:]
	}
	v.payload(proto, b)
}

// payload looks at what is of an Ethernet type, or of a GRE protocol.
func (v *captureView) payload(proto uint16, b []byte) {
	if proto == packet.TypeMPLS {
		n, fault := packet.StackLen(b, maxStack)
		if fault != packet.OK {
			return
		}
		proto, b = packet.TypeIPv4, b[n:]
	}
	if proto != packet.TypeIPv4 || len(b) < packet.IPv4Len || b[0]>>4 != 4 {
		return
	}
	ip := packet.IPv4(b)
	v.ip, v.proto, v.src, v.dst = true, ip.Proto(), ip.Src(), ip.Dst()
	hl := int(b[0]&15) * 4
	if (v.proto == packet.ProtoTCP || v.proto == packet.ProtoUDP) && ip.FlagsOffset()&packet.OffsetMask == 0 && hl >= packet.IPv4Len && len(b) >= hl+4 {
		v.ports = true
		v.sport, v.dport = uint32(binary.BigEndian.Uint16(b[hl:])), uint32(binary.BigEndian.Uint16(b[hl+2:]))
	}
}

// test answers a step.
func (v *captureView) test(s *CaptureStep) bool {
	switch s.Field {
	case CaptureIsIPv4:
		return v.ip
	case CaptureSrc:
		return v.ip && v.src&s.Mask == s.Value
	case CaptureDst:
		return v.ip && v.dst&s.Mask == s.Value
	case CaptureProto:
		return v.ip && uint32(v.proto) == s.Value
	case CaptureSrcPort:
		return v.ports && v.sport >= s.Value && v.sport <= s.Mask
	case CaptureDstPort:
		return v.ports && v.dport >= s.Value && v.dport <= s.Mask
	}
	return false
}

// match runs a filter.
func (v *captureView) match(steps []CaptureStep) bool {
	if len(steps) == 0 {
		return true
	}
	for i := 0; i < len(steps); {
		to := steps[i].No
		if v.test(&steps[i]) {
			to = steps[i].Yes
		}
		if int(to) <= i {
			return false // of a request that no writer has made
		}
		if to >= CaptureReject {
			return to == CaptureAccept
		}
		i = int(to)
	}
	return false
}

// MatchCapture tells whether a filter takes a packet: an Ethernet frame where proto is 0, or what is of a GRE protocol.
func MatchCapture(steps []CaptureStep, proto uint16, b []byte) bool {
	var v captureView
	if proto == 0 {
		v.frame(b)
	} else {
		v.payload(proto, b)
	}
	return checkCaptureSteps(steps) == nil && v.match(steps)
}
