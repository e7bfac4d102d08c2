package ikev1msg

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"nave/slowpath/ike/ikemsg"
)

// ID is an identification payload (RFC 2407 section 4.6.2).
type ID struct {
	Type     uint8
	Protocol uint8
	Port     uint16
	Data     []byte
}

// ParseID reads the body of an identification payload.
func ParseID(b []byte) (ID, error) {
	if len(b) < 4 {
		return ID{}, fmt.Errorf("ikev1msg: identity of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	return ID{Type: b[0], Protocol: b[1], Port: binary.BigEndian.Uint16(b[2:]), Data: b[4:]}, nil
}

// Append writes the body behind b.
func (d *ID) Append(b []byte) []byte {
	b = append(b, d.Type, d.Protocol)
	b = binary.BigEndian.AppendUint16(b, d.Port)
	return append(b, d.Data...)
}

// Host is the one IPv4 address that the identity names: an address, or a subnet of 32 bits.
func (d *ID) Host() (netip.Addr, bool) {
	switch {
	case d.Type == IDIPv4 && len(d.Data) == 4:
		return netip.AddrFrom4([4]byte(d.Data)), true
	case d.Type == IDIPv4Subnet && len(d.Data) == 8 && binary.BigEndian.Uint32(d.Data[4:]) == 0xffffffff:
		return netip.AddrFrom4([4]byte(d.Data[:4])), true
	}
	return netip.Addr{}, false
}

// HostID is the identity of one address, for a protocol and port of it (0: all).
func HostID(a netip.Addr, protocol uint8, port uint16) ID {
	b := a.As4()
	return ID{Type: IDIPv4, Protocol: protocol, Port: port, Data: b[:]}
}

// Cert is a certificate or, of a certificate request payload, the authority that is trusted (RFC 2408 section 3.9, 3.10).
type Cert struct {
	Encoding uint8
	Data     []byte
}

// ParseCert reads the body of a certificate or certificate request payload.
func ParseCert(b []byte) (Cert, error) {
	if len(b) < 1 {
		return Cert{}, fmt.Errorf("ikev1msg: certificate of no bytes: %w", ikemsg.ErrShort)
	}
	return Cert{Encoding: b[0], Data: b[1:]}, nil
}

// Append writes the body behind b.
func (c *Cert) Append(b []byte) []byte { return append(append(b, c.Encoding), c.Data...) }

// Notify is a notification (RFC 2408 section 3.14).
type Notify struct {
	DOI      uint32
	Protocol uint8
	SPI      []byte
	Type     uint16
	Data     []byte
}

// ParseNotify reads the body of a notification payload.
func ParseNotify(b []byte) (Notify, error) {
	if len(b) < 8 {
		return Notify{}, fmt.Errorf("ikev1msg: notification of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	n := Notify{DOI: binary.BigEndian.Uint32(b), Protocol: b[4], Type: binary.BigEndian.Uint16(b[6:])}
	size := int(b[5])
	if size > len(b)-8 {
		return Notify{}, fmt.Errorf("ikev1msg: notification with an SPI of %d bytes where %d are left: %w", size, len(b)-8, ikemsg.ErrShort)
	}
	n.SPI, n.Data = b[8:8+size:8+size], b[8+size:]
	return n, nil
}

// Append writes the body behind b.
func (n *Notify) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, n.DOI)
	b = append(b, n.Protocol, uint8(len(n.SPI)))
	b = binary.BigEndian.AppendUint16(b, n.Type)
	b = append(b, n.SPI...)
	return append(b, n.Data...)
}

// Delete names SAs of the sender that are gone (RFC 2408 section 3.15).
type Delete struct {
	DOI      uint32
	Protocol uint8
	Size     uint8 // of an SPI
	SPIs     []byte
}

// ParseDelete reads the body of a delete payload.
func ParseDelete(b []byte) (Delete, error) {
	if len(b) < 8 {
		return Delete{}, fmt.Errorf("ikev1msg: delete of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	d := Delete{DOI: binary.BigEndian.Uint32(b), Protocol: b[4], Size: b[5], SPIs: b[8:]}
	if n := int(binary.BigEndian.Uint16(b[6:])); n*int(d.Size) != len(d.SPIs) {
		return Delete{}, fmt.Errorf("ikev1msg: delete of %d SPIs of %d bytes in %d bytes: %w", n, d.Size, len(d.SPIs), ikemsg.ErrShort)
	} else if d.Size == 0 && n > 0 {
		return Delete{}, fmt.Errorf("ikev1msg: delete of %d SPIs without any", n)
	}
	return d, nil
}

// Append writes the body behind b.
func (d *Delete) Append(b []byte) []byte {
	count := 0
	if d.Size > 0 {
		count = len(d.SPIs) / int(d.Size)
	}
	b = binary.BigEndian.AppendUint32(b, d.DOI)
	b = append(b, d.Protocol, d.Size)
	b = binary.BigEndian.AppendUint16(b, uint16(count))
	return append(b, d.SPIs...)
}

// Kinds of Config.
const (
	ConfigRequest = 1
	ConfigReply   = 2
	ConfigSet     = 3
	ConfigAck     = 4
)

// Config is an attributes payload of a transaction exchange (draft-ietf-ipsec-isakmp-mode-cfg section 3.2).
type Config struct {
	Kind       uint8
	Identifier uint16
	Attrs      []Attr
}

// ParseConfig reads the body of an attributes payload.
func ParseConfig(b []byte) (Config, error) {
	if len(b) < 4 {
		return Config{}, fmt.Errorf("ikev1msg: attributes payload of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	c := Config{Kind: b[0], Identifier: binary.BigEndian.Uint16(b[2:])}
	var err error
	c.Attrs, err = parseAttrs(b[4:])
	return c, err
}

// Append writes the body behind b.
func (c *Config) Append(b []byte) []byte {
	b = append(b, c.Kind, 0)
	b = binary.BigEndian.AppendUint16(b, c.Identifier)
	return appendAttrs(b, c.Attrs)
}

// Fragment is a part of a message that was too long for a packet, as peers send it that have found FRAGMENTATION among the
// vendor ids. It is the only payload of a message; the parts put together are a message with its header.
type Fragment struct {
	ID     uint16
	Number uint8 // from 1
	Last   bool
	Data   []byte
}

// ParseFragment reads the body of a fragment payload.
func ParseFragment(b []byte) (Fragment, error) {
	if len(b) < 5 {
		return Fragment{}, fmt.Errorf("ikev1msg: fragment of %d bytes: %w", len(b), ikemsg.ErrShort)
	}
	return Fragment{ID: binary.BigEndian.Uint16(b), Number: b[2], Last: b[3]&1 != 0, Data: b[4:]}, nil
}

// Append writes the body behind b.
func (f *Fragment) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, f.ID)
	last := uint8(0)
	if f.Last {
		last = 1
	}
	return append(append(b, f.Number, last), f.Data...)
}

// AppendChain writes payloads one behind the other; the first one's type belongs into the header.
func AppendChain(b []byte, list []ikemsg.Payload) []byte {
	for i, p := range list {
		next := uint8(0)
		if i+1 < len(list) {
			next = list[i+1].Type
		}
		b = ikemsg.AppendPayload(b, next, false, p.Body)
	}
	return b
}
