package nic

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Rule leads packets to a queue: ESP to an address by its SPI, or GRE between two addresses.
type Rule struct {
	Source      netip.Addr // of GRE; not valid in rules for ESP, whose sender may move
	Destination netip.Addr
	SPI         uint32 // of ESP; 0 is a rule for GRE
	Queue       int
}

// match is the rule without the queue.
func (r Rule) match() Rule {
	r.Queue = 0
	return r
}

func (r Rule) String() string {
	if r.SPI != 0 {
		return fmt.Sprintf("ESP to %s, SPI 0x%08x, to queue %d", r.Destination, r.SPI, r.Queue)
	}
	return fmt.Sprintf("GRE from %s to %s, to queue %d", r.Source, r.Destination, r.Queue)
}

// Places in struct ethtool_rx_flow_spec.
const (
	specHeader   = 4 // what is matched; then the mask, in the same form
	specMask     = 4 + 52 + 20
	specCookie   = 152
	specLocation = 160

	// In ESP's specification: addresses, SPI. In that of any IPv4: addresses, four bytes behind the header, TOS, version, protocol.
	atSource, atDestination, atSPI = 0, 4, 8
	atVersion, atProtocol          = 13, 14

	nfcIPv4  = 1 // ETH_RX_NFC_IP4
	protoGRE = 47

	locationAny     = 0xffffffff
	specialLocation = 0x80000000 // the driver picks the place of a rule
)

// encode writes the rule into a specification.
func (r Rule) encode(spec []byte) error {
	if !r.Destination.Is4() || r.SPI == 0 && !r.Source.Is4() || r.Queue < 0 {
		return fmt.Errorf("rule %v: want IPv4 addresses and a queue: %w", r, unix.EINVAL)
	}
	h, m := spec[specHeader:], spec[specMask:]
	dst := r.Destination.As4()
	copy(h[atDestination:], dst[:])
	binary.BigEndian.PutUint32(m[atDestination:], 0xffffffff)
	if r.SPI != 0 {
		ne.PutUint32(spec, uint32(FlowESP))
		binary.BigEndian.PutUint32(h[atSPI:], r.SPI)
		binary.BigEndian.PutUint32(m[atSPI:], 0xffffffff)
	} else {
		ne.PutUint32(spec, flowUser)
		src := r.Source.As4()
		copy(h[atSource:], src[:])
		binary.BigEndian.PutUint32(m[atSource:], 0xffffffff)
		h[atVersion], h[atProtocol], m[atProtocol] = nfcIPv4, protoGRE, 0xff
	}
	ne.PutUint64(spec[specCookie:], uint64(r.Queue))
	return nil
}

// decode reads a rule that encode could have written; false for any other.
func decode(spec []byte) (Rule, bool) {
	h, m := spec[specHeader:], spec[specMask:]
	cookie := ne.Uint64(spec[specCookie:])
	if cookie > 1<<16 || binary.BigEndian.Uint32(m[atDestination:]) != 0xffffffff {
		return Rule{}, false
	}
	r := Rule{Destination: netip.AddrFrom4([4]byte(h[atDestination : atDestination+4])), Queue: int(cookie)}
	switch ne.Uint32(spec) {
	case uint32(FlowESP):
		r.SPI = binary.BigEndian.Uint32(h[atSPI:])
		return r, r.SPI != 0 && binary.BigEndian.Uint32(m[atSPI:]) == 0xffffffff && binary.BigEndian.Uint32(m[atSource:]) == 0
	case flowUser:
		r.Source = netip.AddrFrom4([4]byte(h[atSource : atSource+4]))
		return r, h[atProtocol] == protoGRE && m[atProtocol] == 0xff && binary.BigEndian.Uint32(m[atSource:]) == 0xffffffff
	}
	return Rule{}, false
}

// RuleTable is what a card's table of rules has room for.
type RuleTable struct {
	Used int
	Size int // 0 where the driver does not say
	// Picks: the driver picks the places of rules; otherwise the one who inserts does.
	Picks bool
}

// RuleTable asks for the table's size.
func (d *Netdev) RuleTable() (RuleTable, error) {
	b := command(countRules, nfcSize)
	if err := d.ask("filter rules", b); err != nil {
		return RuleTable{}, err
	}
	data := ne.Uint64(b[nfcData:])
	return RuleTable{Used: int(ne.Uint32(b[nfcCount:])), Size: int(data &^ specialLocation), Picks: data&specialLocation != 0}, nil
}

// maxRules bounds what a driver may say that it holds.
const maxRules = 1 << 17

// Locations lists the places that are taken, sorted.
func (d *Netdev) Locations() ([]uint32, error) {
	t, err := d.RuleTable()
	if err != nil || t.Used == 0 {
		return nil, err
	}
	if t.Used > maxRules {
		return nil, fmt.Errorf("filter rules: the driver says that it has %d", t.Used)
	}
	b := command(getRules, nfcSize+4*t.Used)
	ne.PutUint32(b[nfcCount:], uint32(t.Used))
	if err := d.ask("filter rules", b); err != nil {
		return nil, err
	}
	locs := make([]uint32, min(t.Used, int(ne.Uint32(b[nfcCount:]))))
	for i := range locs {
		locs[i] = ne.Uint32(b[nfcLocs+4*i:])
	}
	slices.Sort(locs)
	return locs, nil
}

// Rule reads the rule at a place; ok is false where it is not of the kinds that Rule has.
func (d *Netdev) Rule(location uint32) (r Rule, ok bool, err error) {
	b := command(getRule, nfcSize)
	ne.PutUint32(b[nfcSpec+specLocation:], location)
	if err := d.ask(fmt.Sprintf("filter rule %d", location), b); err != nil {
		return Rule{}, false, err
	}
	r, ok = decode(b[nfcSpec:])
	return r, ok, nil
}

// insert puts a rule at a place, or where the driver likes, and returns where.
func (d *Netdev) insert(r Rule, location uint32) (uint32, error) {
	b := command(insertRule, nfcSize)
	if err := r.encode(b[nfcSpec:]); err != nil {
		return 0, err
	}
	ne.PutUint32(b[nfcSpec+specLocation:], location)
	if err := d.ask(r.String(), b); err != nil {
		return 0, err
	}
	return ne.Uint32(b[nfcSpec+specLocation:]), nil
}

// remove takes the rule at a place away.
func (d *Netdev) remove(location uint32) error {
	b := command(deleteRule, nfcSize)
	ne.PutUint32(b[nfcSpec+specLocation:], location)
	return d.ask(fmt.Sprintf("remove filter rule %d", location), b)
}
