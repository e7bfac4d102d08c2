// Package nictest imitates a network card's driver, for tests: it speaks ethtool's structures, written from linux/ethtool.h and not from package nic's constants.
package nictest

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"nave/slowpath/host/nic"
)

// Card is a driver, as it is now and as far as it goes. A test may change it.
type Card struct {
	Table  []uint32          // nil: no RSS
	Fields map[uint32]uint64 // flows that it hashes in ways of their own
	Allow  map[uint32][]uint64
	Rules  map[uint32][]byte // specifications by place
	Room   int               // places for rules; 0: none
	Picks  bool
	picked int // places given so far
	NTuple bool
	RXVLAN bool   // takes VLAN tags off
	Fixed  bool   // n-tuple can't be switched
	Refuse uint32 // a command that fails
	Sets   int    // commands that changed anything
}

// New is an able card: RSS that can hash by ports and SPI, and filter rules.
func New() *Card {
	return &Card{
		Table:  make([]uint32, 128),
		Fields: map[uint32]uint64{1: 0x30, 2: 0x30, 10: 0x30, 16: 0x30},
		Allow:  map[uint32][]uint64{1: {0x30, 0xf0}, 2: {0x30, 0xf0}, 10: {0x30, 0xf0}, 16: {0x30}},
		Rules:  map[uint32][]byte{}, Room: 8,
	}
}

// Netdev is the card's ethtool interface.
func (c *Card) Netdev() *nic.Netdev { return nic.New("card0", c.call) }

func (c *Card) call(b []byte) error {
	e := binary.LittleEndian
	cmd := e.Uint32(b)
	if cmd == c.Refuse {
		return unix.EIO
	}
	switch cmd {
	case 0x3: // ETHTOOL_GDRVINFO
		copy(b[4:], "fake\x00")
		copy(b[100:], "0000:01:00.0\x00")
	case 0x10: // ETHTOOL_GRINGPARAM
		e.PutUint32(b[4:], 4096)
		e.PutUint32(b[16:], 4096)
		e.PutUint32(b[20:], 512)
		e.PutUint32(b[32:], 1024)
	case 0x3c: // ETHTOOL_GCHANNELS
		e.PutUint32(b[16:], 64)
		e.PutUint32(b[32:], 4)
	case 0x25, 0x26: // ETHTOOL_GFLAGS, ETHTOOL_SFLAGS
		return c.flags(b, cmd == 0x26)
	case 0x38, 0x39: // ETHTOOL_GRXFHINDIR, ETHTOOL_SRXFHINDIR
		return c.indirection(b, cmd == 0x39)
	case 0x29, 0x2a: // ETHTOOL_GRXFH, ETHTOOL_SRXFH
		return c.hash(b, cmd == 0x2a)
	case 0x2e, 0x2f, 0x30, 0x31, 0x32:
		return c.filter(b, cmd)
	default:
		return unix.EOPNOTSUPP
	}
	return nil
}

func (c *Card) flags(b []byte, set bool) error {
	e := binary.LittleEndian
	if set {
		if c.Fixed {
			return unix.EOPNOTSUPP
		}
		c.Sets++
		c.NTuple, c.RXVLAN = e.Uint32(b[4:])&(1<<27) != 0, e.Uint32(b[4:])&(1<<8) != 0
		return nil
	}
	flags := uint32(1<<15 | 1<<14) // LRO and others are not ours
	if c.NTuple {
		flags |= 1 << 27
	}
	if c.RXVLAN {
		flags |= 1 << 8
	}
	e.PutUint32(b[4:], flags)
	return nil
}

func (c *Card) indirection(b []byte, set bool) error {
	e := binary.LittleEndian
	n := int(e.Uint32(b[4:]))
	switch {
	case c.Table == nil:
		return unix.EOPNOTSUPP
	case set && n == 0:
		c.Sets++
		clear(c.Table)
	case set:
		if n != len(c.Table) {
			return unix.EINVAL
		}
		c.Sets++
		for i := range c.Table {
			c.Table[i] = e.Uint32(b[8+4*i:])
		}
	default:
		e.PutUint32(b[4:], uint32(len(c.Table)))
		for i := 0; i < n; i++ {
			e.PutUint32(b[8+4*i:], c.Table[i])
		}
	}
	return nil
}

func (c *Card) hash(b []byte, set bool) error {
	e := binary.LittleEndian
	flow := e.Uint32(b[4:])
	now, ok := c.Fields[flow]
	if !ok {
		return unix.EOPNOTSUPP
	}
	if !set {
		e.PutUint64(b[8:], now)
		return nil
	}
	for _, v := range c.Allow[flow] {
		if v == e.Uint64(b[8:]) {
			c.Sets++
			c.Fields[flow] = v
			return nil
		}
	}
	return unix.EINVAL
}

func (c *Card) filter(b []byte, cmd uint32) error {
	e := binary.LittleEndian
	if c.Room == 0 {
		return unix.EOPNOTSUPP
	}
	loc := e.Uint32(b[16+160:])
	switch cmd {
	case 0x2e: // ETHTOOL_GRXCLSRLCNT
		e.PutUint32(b[184:], uint32(len(c.Rules)))
		e.PutUint64(b[8:], uint64(c.Room))
		if c.Picks {
			e.PutUint64(b[8:], 1<<31)
		}
	case 0x2f: // ETHTOOL_GRXCLSRULE
		spec, ok := c.Rules[loc]
		if !ok {
			return unix.ENOENT
		}
		copy(b[16:], spec)
	case 0x30: // ETHTOOL_GRXCLSRLALL
		i := 0
		for l := range c.Rules {
			e.PutUint32(b[188+4*i:], l)
			i++
		}
		e.PutUint32(b[184:], uint32(i))
	case 0x31: // ETHTOOL_SRXCLSRLDEL
		if _, ok := c.Rules[loc]; !ok {
			return unix.ENOENT
		}
		delete(c.Rules, loc)
	case 0x32: // ETHTOOL_SRXCLSRLINS
		if !c.NTuple && !c.Fixed {
			return unix.EINVAL
		}
		if c.Picks && loc == 0xffffffff {
			c.picked++
			loc = uint32(1000 + c.picked)
			e.PutUint32(b[16+160:], loc)
		} else if loc >= uint32(c.Room) {
			return unix.EINVAL
		}
		if len(c.Rules) >= c.Room {
			return unix.ENOSPC
		}
		c.Rules[loc] = append([]byte(nil), b[16:16+168]...)
	}
	return nil
}

// Rule reads the rule at a place as linux/ethtool.h lays it out.
func (c *Card) Rule(loc uint32) (flow uint32, src, dst netip.Addr, spi, queue uint32, proto byte) {
	s := c.Rules[loc]
	if s == nil {
		return 0, netip.Addr{}, netip.Addr{}, 0, 0, 0
	}
	e := binary.LittleEndian
	return e.Uint32(s), netip.AddrFrom4([4]byte(s[4:8])), netip.AddrFrom4([4]byte(s[8:12])), binary.BigEndian.Uint32(s[12:16]), e.Uint32(s[152:156]), s[4+14]
}
