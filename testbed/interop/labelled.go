package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

const (
	etherIPv4 = 0x0800
	etherVLAN = 0x8100
	etherMPLS = 0x8847
	greMPLS   = 0x8847
)

// Labelled is a packet under labels (RFC 3032) that crossed the Ethernet, in GRE or straight on it.
type Labelled struct {
	At       time.Time
	From, To netip.Addr // of GRE; the zero Addr on the Ethernet itself
	Source   [6]byte    // MAC
	Labels   []uint32   // outermost first
	TTL      uint8      // of the outermost
	Src, Dst netip.Addr // of the IPv4 packet under them
	InnerTTL uint8
	Proto    uint8
}

func (p *Labelled) String() string {
	return fmt.Sprintf("%v>%v %v %v>%v protocol %d", p.From, p.To, p.Labels, p.Src, p.Dst, p.Proto)
}

// Labelled are the labelled packets since a moment.
func (w *Wire) Labelled(since time.Time) (out []Labelled) {
	for _, f := range w.snapshot() {
		if f.info.Timestamp.Before(since) || len(f.data) < 14 {
			continue
		}
		p := Labelled{At: f.info.Timestamp, Source: [6]byte(f.data[6:12])}
		b, typ := f.data[14:], binary.BigEndian.Uint16(f.data[12:])
		if typ == etherVLAN && len(b) >= 4 {
			b, typ = b[4:], binary.BigEndian.Uint16(b[2:])
		}
		if typ == etherIPv4 {
			var ok bool
			if b, ok = p.underGRE(b); !ok {
				continue
			}
		} else if typ != etherMPLS {
			continue
		}
		if p.stack(b) {
			out = append(out, p)
		}
	}
	return out
}

// underGRE finds what is under IPv4 and GRE, if it is labelled.
func (p *Labelled) underGRE(b []byte) ([]byte, bool) {
	if len(b) < 24 || b[9] != protoGRE || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		return nil, false
	}
	p.From, p.To = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	b = b[int(b[0]&15)*4:]
	if len(b) < 8 || binary.BigEndian.Uint16(b[2:]) != greMPLS {
		return nil, false
	}
	n := 4
	for _, bit := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence number
		if b[0]&bit != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return nil, false
	}
	return b[n:], true
}

// stack reads labels and the IPv4 header under them.
func (p *Labelled) stack(b []byte) bool {
	for bottom := false; !bottom; b = b[4:] {
		if len(b) < 4 {
			return false
		}
		e := binary.BigEndian.Uint32(b)
		if len(p.Labels) == 0 {
			p.TTL = uint8(e)
		}
		p.Labels = append(p.Labels, e>>12)
		bottom = e>>8&1 == 1
	}
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	p.Src, p.Dst, p.InnerTTL, p.Proto = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[8], b[9]
	return true
}

// bare are the packets without labels since a moment that have both addresses in a network: in GRE, or straight on the Ethernet.
func (w *Wire) bare(since time.Time, network netip.Prefix) (out []string) {
	for _, f := range w.snapshot() {
		if f.info.Timestamp.Before(since) {
			continue
		}
		if p, ok := takeApart(f.data); ok {
			if p.Protocol == greIPv4 && network.Contains(p.Src) && network.Contains(p.Dst) {
				out = append(out, fmt.Sprintf("in GRE from %v to %v: %v>%v", p.From, p.To, p.Src, p.Dst))
			}
		} else if p, ok := outer(f.data); ok && network.Contains(p.From) && network.Contains(p.To) {
			out = append(out, fmt.Sprintf("%v>%v", p.From, p.To))
		}
	}
	return out
}
