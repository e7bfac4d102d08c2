package ikev2msg

import (
	"encoding/binary"
	"fmt"

	"nave/slowpath/ike/ikemsg"
)

// Proposal is one proposal of an SA payload (RFC 7296 section 3.3.1).
type Proposal struct {
	Number     uint8
	Protocol   uint8
	SPI        []byte
	Transforms []Transform
}

// Transform is one algorithm of a proposal.
type Transform struct {
	Type uint8
	ID   uint16
	Bits uint16 // key length attribute; 0: none
	// Odd is set where there are attributes that nave does not know: such a transform is not to be chosen (section 3.3.6).
	Odd bool
}

// AppendSA writes the body of an SA payload.
func AppendSA(b []byte, list []Proposal) []byte {
	for i := range list {
		p := &list[i]
		start := len(b)
		more := byte(2)
		if i == len(list)-1 {
			more = 0
		}
		b = append(b, more, 0, 0, 0, p.Number, p.Protocol, byte(len(p.SPI)), byte(len(p.Transforms)))
		b = append(b, p.SPI...)
		for j, t := range p.Transforms {
			b = t.append(b, j == len(p.Transforms)-1)
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	}
	return b
}

func (t Transform) append(b []byte, last bool) []byte {
	more, n := byte(3), byte(8)
	if last {
		more = 0
	}
	if t.Bits != 0 {
		n += 4
	}
	b = append(b, more, 0, 0, n, t.Type, 0, byte(t.ID>>8), byte(t.ID))
	if t.Bits != 0 {
		b = append(b, 0x80, AttrKeyLength, byte(t.Bits>>8), byte(t.Bits))
	}
	return b
}

// ParseSA reads the body of an SA payload.
func ParseSA(b []byte) ([]Proposal, error) {
	var list []Proposal
	for more := byte(2); more != 0; {
		if len(list) == maxProposals {
			return nil, fmt.Errorf("ikev2msg: more than %d proposals: %w", maxProposals, ErrSyntax)
		}
		if len(b) < 8 {
			return nil, fmt.Errorf("ikev2msg: proposal %d: %w", len(list)+1, ikemsg.ErrShort)
		}
		n := int(be16(b[2:]))
		more = b[0]
		if more != 0 && more != 2 {
			return nil, fmt.Errorf("ikev2msg: proposal %d is followed by %d: %w", len(list)+1, more, ErrSyntax)
		}
		p := Proposal{Number: b[4], Protocol: b[5]}
		spi, count := int(b[6]), int(b[7])
		if n < 8+spi || n > len(b) {
			return nil, fmt.Errorf("ikev2msg: proposal %d of %d bytes where %d are left: %w", len(list)+1, n, len(b), ikemsg.ErrShort)
		}
		p.SPI = b[8 : 8+spi : 8+spi]
		var err error
		if p.Transforms, err = parseTransforms(b[8+spi:n], count); err != nil {
			return nil, fmt.Errorf("ikev2msg: proposal %d: %w", p.Number, err)
		}
		list = append(list, p)
		b = b[n:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("ikev2msg: %d bytes behind the last proposal: %w", len(b), ErrSyntax)
	}
	return list, nil
}

func parseTransforms(b []byte, count int) ([]Transform, error) {
	list := make([]Transform, 0, count)
	for i := range count {
		if len(b) < 8 {
			return nil, fmt.Errorf("transform %d: %w", i+1, ikemsg.ErrShort)
		}
		n := int(be16(b[2:]))
		if n < 8 || n > len(b) {
			return nil, fmt.Errorf("transform %d of %d bytes where %d are left: %w", i+1, n, len(b), ikemsg.ErrShort)
		}
		if last := i == count-1; b[0] != 0 && b[0] != 3 || last != (b[0] == 0) {
			return nil, fmt.Errorf("transform %d of %d is followed by %d: %w", i+1, count, b[0], ErrSyntax)
		}
		t := Transform{Type: b[4], ID: be16(b[6:])}
		if err := t.attributes(b[8:n]); err != nil {
			return nil, fmt.Errorf("transform %d: %w", i+1, err)
		}
		list = append(list, t)
		b = b[n:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%d bytes behind the last transform: %w", len(b), ErrSyntax)
	}
	return list, nil
}

func (t *Transform) attributes(b []byte) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return fmt.Errorf("attribute: %w", ikemsg.ErrShort)
		}
		kind, value := be16(b), be16(b[2:])
		if kind&0x8000 == 0 { // of variable length: none is defined
			if int(value) > len(b)-4 {
				return fmt.Errorf("attribute %d of %d bytes where %d are left: %w", kind, value, len(b)-4, ikemsg.ErrShort)
			}
			t.Odd = true
			b = b[4+int(value):]
			continue
		}
		if kind&0x7fff == AttrKeyLength && t.Bits == 0 && value != 0 {
			t.Bits = value
		} else {
			t.Odd = true
		}
		b = b[4:]
	}
	return nil
}
