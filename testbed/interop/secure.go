package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// IP protocols that protected tunnels are made of.
const (
	protoUDP = 17
	protoGRE = 47
	protoESP = 50
	protoAH  = 51
)

// Outer is an IPv4 packet that crossed the Ethernet, from outside.
type Outer struct {
	At       time.Time
	From, To netip.Addr
	Proto    uint8
	// Of UDP, in the first fragment.
	SrcPort, DstPort uint16
	SPI              uint32 // of ESP, AH, and ESP in UDP
	Payload          []byte // what follows the IP header
}

// IKE tells whether it is an IKE message: on port 500, or on 4500 behind four zero bytes (RFC 3948 2.2).
func (p *Outer) IKE() bool {
	return p.Proto == protoUDP && (p.SrcPort == 500 || p.DstPort == 500 || p.natt() && len(p.Payload) > 12 && p.SPI == 0)
}

// ESP tells whether it is ESP, in UDP or not.
func (p *Outer) ESP() bool {
	return p.Proto == protoESP || p.natt() && len(p.Payload) > 12 && p.SPI != 0
}

func (p *Outer) natt() bool { return p.Proto == protoUDP && (p.SrcPort == 4500 || p.DstPort == 4500) }

// Outers are the IPv4 packets between two addresses, in either direction, since a moment.
func (w *Wire) Outers(since time.Time, a, b string) (out []Outer) {
	one, other := netip.MustParseAddr(a), netip.MustParseAddr(b)
	for _, f := range w.snapshot() {
		p, ok := outer(f.data)
		if !ok || f.info.Timestamp.Before(since) || !(p.From == one && p.To == other || p.From == other && p.To == one) {
			continue
		}
		p.At = f.info.Timestamp
		out = append(out, p)
	}
	return out
}

// outer reads the IPv4 and UDP headers of a frame.
func outer(b []byte) (p Outer, ok bool) {
	if len(b) < 14+20 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return p, false
	}
	b = b[14:]
	hl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if hl < 20 || total > len(b) || total < hl {
		return p, false
	}
	p = Outer{From: netip.AddrFrom4([4]byte(b[12:16])), To: netip.AddrFrom4([4]byte(b[16:20])), Proto: b[9], Payload: b[hl:total]}
	if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		return p, true // a later fragment
	}
	at := map[uint8]int{protoESP: 0, protoAH: 4}
	if p.Proto == protoUDP && len(p.Payload) >= 8 {
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(p.Payload), binary.BigEndian.Uint16(p.Payload[2:])
		at[protoUDP] = 8
	}
	if k, has := at[p.Proto]; has && len(p.Payload) >= k+4 {
		p.SPI = binary.BigEndian.Uint32(p.Payload[k:])
	}
	return p, true
}

// Sealed checks what crossed between two nodes since a moment: ESP (or AH) in both directions, and no GRE in clear.
func (w *Wire) Sealed(since time.Time, a, b string, proto uint8) error {
	from := make(map[string]int)
	for _, p := range w.Outers(since, a, b) {
		switch {
		case p.Proto == protoGRE:
			return fmt.Errorf("GRE in clear from %s to %s: %x", p.From, p.To, p.Payload)
		case proto == protoAH && p.Proto == protoAH, proto == protoESP && p.ESP():
			from[p.From.String()]++
		case !p.IKE() && !p.natt() && p.Proto != 1:
			return fmt.Errorf("a packet of protocol %d from %s to %s: %x", p.Proto, p.From, p.To, p.Payload)
		}
	}
	if from[a] == 0 || from[b] == 0 {
		return fmt.Errorf("of protocol %d %d packets came from %s and %d from %s", proto, from[a], a, from[b], b)
	}
	return nil
}

// InClear lists the GRE packets in clear, and packets with an inner address (10.0.0.0/8 but for that behind NAT) outside, since a moment.
// ARP and the like do not count.
func (w *Wire) InClear(since time.Time) (out []string) {
	all, behind := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.99.0.0/24")
	inner := func(a netip.Addr) bool { return all.Contains(a) && !behind.Contains(a) }
	for _, f := range w.snapshot() {
		p, ok := outer(f.data)
		if ok && !f.info.Timestamp.Before(since) && (p.Proto == protoGRE || inner(p.From) || inner(p.To)) {
			out = append(out, fmt.Sprintf("%s %s > %s protocol %d: %x", f.info.Timestamp.Format(time.StampMilli), p.From, p.To, p.Proto, p.Payload))
		}
	}
	return out
}

// Notifies lists the notifications in clear of IKE messages between two nodes since a moment, by tshark's decoding: numbers.
func (w *Wire) Notifies(a, b string) ([]string, error) {
	rows, _, err := w.Tshark(fmt.Sprintf("isakmp && ip.addr == %s && ip.addr == %s", a, b), "isakmp.notify.msgtype")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		if r = strings.TrimSpace(r); r != "" {
			out = append(out, r)
		}
	}
	return out, nil
}
