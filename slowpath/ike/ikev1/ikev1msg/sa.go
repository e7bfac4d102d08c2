package ikev1msg

import (
	"encoding/binary"
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// SA is a security association payload with what is inside (RFC 2408 section 3.4 to 3.6).
type SA struct {
	DOI       uint32
	Situation uint32
	Proposals []Proposal
}

// Proposal offers one protocol. Proposals of the same number stand for all of them together (AH and ESP).
type Proposal struct {
	Number     uint8
	Protocol   uint8
	SPI        []byte
	Transforms []Transform
}

// Transform is one way to do it.
type Transform struct {
	Number, ID uint8
	Attrs      []Attr
}

// maxTransforms bounds the work that one message can make.
const maxTransforms = 512

// ParseSA reads the body of an SA payload.
func ParseSA(b []byte) (SA, error) {
	if len(b) < 8 {
		return SA{}, fmt.Errorf("ikev1msg: SA of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	s := SA{DOI: binary.BigEndian.Uint32(b), Situation: binary.BigEndian.Uint32(b[4:])}
	b = b[8:]
	total := 0
	for more := true; more; {
		var body []byte
		var err error
		if body, b, more, err = substructure(b, PayloadProposal); err != nil {
			return SA{}, fmt.Errorf("ikev1msg: proposal %d: %w", len(s.Proposals)+1, err)
		}
		p, err := parseProposal(body)
		if err != nil {
			return SA{}, err
		}
		if total += len(p.Transforms); total > maxTransforms {
			return SA{}, fmt.Errorf("ikev1msg: more than %d transforms", maxTransforms)
		}
		s.Proposals = append(s.Proposals, p)
	}
	if len(b) > 0 {
		return SA{}, fmt.Errorf("ikev1msg: %d bytes behind the last proposal", len(b))
	}
	return s, nil
}

// substructure takes one proposal or transform off b. more tells whether another one follows.
func substructure(b []byte, typ uint8) (body, rest []byte, more bool, err error) {
	if len(b) < ikemsg.Generic {
		return nil, nil, false, ikemsg.ErrShort
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < ikemsg.Generic || n > len(b) {
		return nil, nil, false, fmt.Errorf("%d bytes where %d are left: %w", n, len(b), ikemsg.ErrShort)
	}
	switch b[0] {
	case 0:
	case typ:
		more = true
	default:
		return nil, nil, false, fmt.Errorf("followed by a payload of type %d", b[0])
	}
	return b[ikemsg.Generic:n], b[n:], more, nil
}

func parseProposal(b []byte) (Proposal, error) {
	if len(b) < 4 {
		return Proposal{}, fmt.Errorf("ikev1msg: proposal of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	p := Proposal{Number: b[0], Protocol: b[1]}
	size, count := int(b[2]), int(b[3])
	b = b[4:]
	if size > len(b) {
		return Proposal{}, fmt.Errorf("ikev1msg: SPI of %d bytes where %d are left: %w", size, len(b), ikemsg.ErrShort)
	}
	p.SPI, b = b[:size:size], b[size:]
	for more := count > 0; more; {
		var body []byte
		var err error
		if body, b, more, err = substructure(b, PayloadTransform); err != nil {
			return Proposal{}, fmt.Errorf("ikev1msg: transform %d: %w", len(p.Transforms)+1, err)
		}
		if len(body) < 4 {
			return Proposal{}, fmt.Errorf("ikev1msg: transform %d of %d bytes: %w", len(p.Transforms)+1, len(body), ikemsg.ErrShort)
		}
		t := Transform{Number: body[0], ID: body[1]}
		if t.Attrs, err = parseAttrs(body[4:]); err != nil {
			return Proposal{}, err
		}
		p.Transforms = append(p.Transforms, t)
	}
	if len(p.Transforms) != count {
		return Proposal{}, fmt.Errorf("ikev1msg: proposal %d says %d transforms and has %d", p.Number, count, len(p.Transforms))
	}
	if len(b) > 0 {
		return Proposal{}, fmt.Errorf("ikev1msg: %d bytes behind the last transform", len(b))
	}
	return p, nil
}

// Append writes the body of the payload behind b.
func (s *SA) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, s.DOI)
	b = binary.BigEndian.AppendUint32(b, s.Situation)
	for i, p := range s.Proposals {
		next := uint8(PayloadProposal)
		if i == len(s.Proposals)-1 {
			next = 0
		}
		at := len(b)
		b = append(b, next, 0, 0, 0, p.Number, p.Protocol, uint8(len(p.SPI)), uint8(len(p.Transforms)))
		b = append(b, p.SPI...)
		for j, t := range p.Transforms {
			next := uint8(PayloadTransform)
			if j == len(p.Transforms)-1 {
				next = 0
			}
			from := len(b)
			b = append(b, next, 0, 0, 0, t.Number, t.ID, 0, 0)
			b = appendAttrs(b, t.Attrs)
			binary.BigEndian.PutUint16(b[from+2:], uint16(len(b)-from))
		}
		binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
	}
	return b
}
