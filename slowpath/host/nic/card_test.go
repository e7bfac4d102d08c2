package nic

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// card is a driver that speaks ethtool's structures, written from linux/ethtool.h and not from this package's constants.
type card struct {
	table  []uint32          // nil: no RSS
	fields map[uint32]uint64 // flows that it hashes in ways of their own
	allow  map[uint32][]uint64
	rules  map[uint32][]byte // specifications by place
	room   int               // places for rules; 0: none
	picks  bool
	picked int // places given so far
	ntuple bool
	fixed  bool   // n-tuple can't be switched
	refuse uint32 // a command that fails
	sets   int    // commands that changed anything
}

func newCard() *card {
	return &card{
		table:  make([]uint32, 128),
		fields: map[uint32]uint64{1: 0x30, 2: 0x30, 10: 0x30, 16: 0x30},
		allow:  map[uint32][]uint64{1: {0x30, 0xf0}, 2: {0x30, 0xf0}, 10: {0x30, 0xf0}, 16: {0x30}},
		rules:  map[uint32][]byte{}, room: 8,
	}
}

func (c *card) netdev() *Netdev { return &Netdev{name: "card0", fd: -1, call: c.call} }

func (c *card) call(b []byte) error {
	e := binary.LittleEndian
	cmd := e.Uint32(b)
	if cmd == c.refuse {
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

func (c *card) flags(b []byte, set bool) error {
	e := binary.LittleEndian
	if set {
		if c.fixed {
			return unix.EOPNOTSUPP
		}
		c.sets++
		c.ntuple = e.Uint32(b[4:])&(1<<27) != 0
		return nil
	}
	flags := uint32(1<<15 | 1<<14) // LRO and others are not ours
	if c.ntuple {
		flags |= 1 << 27
	}
	e.PutUint32(b[4:], flags)
	return nil
}

func (c *card) indirection(b []byte, set bool) error {
	e := binary.LittleEndian
	n := int(e.Uint32(b[4:]))
	switch {
	case c.table == nil:
		return unix.EOPNOTSUPP
	case set && n == 0:
		c.sets++
		clear(c.table)
	case set:
		if n != len(c.table) {
			return unix.EINVAL
		}
		c.sets++
		for i := range c.table {
			c.table[i] = e.Uint32(b[8+4*i:])
		}
	default:
		e.PutUint32(b[4:], uint32(len(c.table)))
		for i := 0; i < n; i++ {
			e.PutUint32(b[8+4*i:], c.table[i])
		}
	}
	return nil
}

func (c *card) hash(b []byte, set bool) error {
	e := binary.LittleEndian
	flow := e.Uint32(b[4:])
	now, ok := c.fields[flow]
	if !ok {
		return unix.EOPNOTSUPP
	}
	if !set {
		e.PutUint64(b[8:], now)
		return nil
	}
	for _, v := range c.allow[flow] {
		if v == e.Uint64(b[8:]) {
			c.sets++
			c.fields[flow] = v
			return nil
		}
	}
	return unix.EINVAL
}

func (c *card) filter(b []byte, cmd uint32) error {
	e := binary.LittleEndian
	if c.room == 0 {
		return unix.EOPNOTSUPP
	}
	loc := e.Uint32(b[16+160:])
	switch cmd {
	case 0x2e: // ETHTOOL_GRXCLSRLCNT
		e.PutUint32(b[184:], uint32(len(c.rules)))
		e.PutUint64(b[8:], uint64(c.room))
		if c.picks {
			e.PutUint64(b[8:], 1<<31)
		}
	case 0x2f: // ETHTOOL_GRXCLSRULE
		spec, ok := c.rules[loc]
		if !ok {
			return unix.ENOENT
		}
		copy(b[16:], spec)
	case 0x30: // ETHTOOL_GRXCLSRLALL
		i := 0
		for l := range c.rules {
			e.PutUint32(b[188+4*i:], l)
			i++
		}
		e.PutUint32(b[184:], uint32(i))
	case 0x31: // ETHTOOL_SRXCLSRLDEL
		if _, ok := c.rules[loc]; !ok {
			return unix.ENOENT
		}
		delete(c.rules, loc)
	case 0x32: // ETHTOOL_SRXCLSRLINS
		if !c.ntuple && !c.fixed {
			return unix.EINVAL
		}
		if c.picks && loc == 0xffffffff {
			c.picked++
			loc = uint32(1000 + c.picked)
			e.PutUint32(b[16+160:], loc)
		} else if loc >= uint32(c.room) {
			return unix.EINVAL
		}
		if len(c.rules) >= c.room {
			return unix.ENOSPC
		}
		c.rules[loc] = append([]byte(nil), b[16:16+168]...)
	}
	return nil
}

// rule reads a specification as linux/ethtool.h lays it out.
func (c *card) rule(loc uint32) (flow uint32, src, dst netip.Addr, spi, queue uint32, proto byte) {
	s := c.rules[loc]
	e := binary.LittleEndian
	return e.Uint32(s), netip.AddrFrom4([4]byte(s[4:8])), netip.AddrFrom4([4]byte(s[8:12])), binary.BigEndian.Uint32(s[12:16]), e.Uint32(s[152:156]), s[4+14]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
