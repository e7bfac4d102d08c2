// Package nic programs how a network card spreads packets over its queues, and says what the card and its driver have: channels, rings,
// the indirection table and hash fields of RSS, and filter rules (n-tuple). It speaks ethtool's ioctl (linux/ethtool.h) and the kernel's netdev family.
//
// Drivers take very different parts of this. What one refuses is no failure: it is kept as the reason, for the operator to see, and packets
// are spread by what there is.
package nic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Netdev is a netdev's ethtool interface.
type Netdev struct {
	name string
	fd   int
	// call hands a command, which begins with its number, to the driver, and takes the answer in place.
	call func(b []byte) error
}

// Open takes hold of a netdev of the caller's network namespace. It is not looked for before it is asked something.
func Open(name string) (*Netdev, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("nic: netdev name %q: want 1 to %d bytes", name, unix.IFNAMSIZ-1)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("nic: %s: socket: %w", name, err)
	}
	d := &Netdev{name: name, fd: fd}
	d.call = d.ioctl
	return d, nil
}

// New is a netdev whose driver is call, which takes a command (struct ethtool_cmd and the like) and writes its answer over it: for tests.
func New(name string, call func(command []byte) error) *Netdev {
	return &Netdev{name: name, fd: -1, call: call}
}

// Close lets go of the netdev. What was programmed stays.
func (d *Netdev) Close() error {
	if d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return err
}

// ifreq is struct ifreq with a pointer in its union.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

func (d *Netdev) ioctl(b []byte) error {
	r := ifreq{data: unsafe.Pointer(&b[0])}
	copy(r.name[:unix.IFNAMSIZ-1], d.name)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r))); e != 0 {
		return e
	}
	return nil
}

// Commands (linux/ethtool.h). Those of x/sys are missing here and there.
const (
	getDriver      = 0x03
	getRings       = 0x10
	getFlags       = 0x25
	setFlags       = 0x26
	getFields      = 0x29
	setFields      = 0x2a
	countRules     = 0x2e
	getRule        = 0x2f
	getRules       = 0x30
	deleteRule     = 0x31
	insertRule     = 0x32
	getIndirection = 0x38
	setIndirection = 0x39
	getChannels    = 0x3c
)

var ne = binary.NativeEndian

// command is a buffer of n bytes with its number in front.
func command(number uint32, n int) []byte {
	b := make([]byte, n)
	ne.PutUint32(b, number)
	return b
}

func (d *Netdev) ask(what string, b []byte) error {
	err := d.call(b)
	if err == nil {
		return nil
	}
	if IsUnsupported(err) {
		return fmt.Errorf("%s: the driver has none (%w)", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// IsUnsupported tells whether an error means that the driver does not have what it was asked, rather than that it went wrong.
func IsUnsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.Errno(524))
}

// Driver is who drives a netdev.
type Driver struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`
	Firmware string `json:"firmware,omitempty"`
	Bus      string `json:"bus,omitempty"`
}

// Driver asks who drives the netdev.
func (d *Netdev) Driver() (Driver, error) {
	b := command(getDriver, 196)
	if err := d.ask("driver", b); err != nil {
		return Driver{}, err
	}
	text := func(at int) string {
		s, _, _ := bytes.Cut(b[at:at+32], []byte{0})
		return string(s)
	}
	return Driver{text(4), text(36), text(68), text(100)}, nil
}

// Channels is how many queues there are, and can be. Combined ones receive and send.
type Channels struct {
	RX          int `json:"rx"`
	TX          int `json:"tx"`
	Combined    int `json:"combined"`
	MaxRX       int `json:"max_rx"`
	MaxTX       int `json:"max_tx"`
	MaxCombined int `json:"max_combined"`
}

// Channels asks for the numbers of queues.
func (d *Netdev) Channels() (Channels, error) {
	b := command(getChannels, 9*4)
	if err := d.ask("channels", b); err != nil {
		return Channels{}, err
	}
	at := func(k int) int { return int(ne.Uint32(b[4*k:])) }
	return Channels{MaxRX: at(1), MaxTX: at(2), MaxCombined: at(4), RX: at(5), TX: at(6), Combined: at(8)}, nil
}

// Rings is how many descriptors the card's own rings have, and can have.
type Rings struct {
	RX    int `json:"rx"`
	TX    int `json:"tx"`
	MaxRX int `json:"max_rx"`
	MaxTX int `json:"max_tx"`
}

// Rings asks for the sizes of the card's rings.
func (d *Netdev) Rings() (Rings, error) {
	b := command(getRings, 9*4)
	if err := d.ask("rings", b); err != nil {
		return Rings{}, err
	}
	at := func(k int) int { return int(ne.Uint32(b[4*k:])) }
	return Rings{MaxRX: at(1), MaxTX: at(4), RX: at(5), TX: at(8)}, nil
}

// maxIndirection bounds what a driver may say that its table has.
const maxIndirection = 1 << 16

// Indirection reads RSS's table: the queue of each hash value.
func (d *Netdev) Indirection() ([]uint32, error) {
	b := command(getIndirection, 8)
	if err := d.ask("indirection table", b); err != nil {
		return nil, err
	}
	n := int(ne.Uint32(b[4:]))
	if n == 0 || n > maxIndirection {
		return nil, fmt.Errorf("indirection table of %d entries: %w", n, unix.EOPNOTSUPP)
	}
	b = command(getIndirection, 8+4*n)
	ne.PutUint32(b[4:], uint32(n))
	if err := d.ask("indirection table", b); err != nil {
		return nil, err
	}
	table := make([]uint32, n)
	for i := range table {
		table[i] = ne.Uint32(b[8+4*i:])
	}
	return table, nil
}

// SetIndirection writes RSS's table, of the length that it has. An empty one is the driver's default.
func (d *Netdev) SetIndirection(table []uint32) error {
	b := command(setIndirection, 8+4*len(table))
	ne.PutUint32(b[4:], uint32(len(table)))
	for i, q := range table {
		ne.PutUint32(b[8+4*i:], q)
	}
	return d.ask("write the indirection table", b)
}

// Flow is a kind of packets that RSS hashes in a way of its own.
type Flow uint32

// Flows.
const (
	FlowTCP  Flow = 0x01
	FlowUDP  Flow = 0x02
	FlowESP  Flow = 0x0a
	FlowIPv4 Flow = 0x10
	flowUser      = 0x0d // rules only: any IPv4
)

// String is the flow's name.
func (f Flow) String() string {
	switch f {
	case FlowTCP:
		return "tcp"
	case FlowUDP:
		return "udp"
	case FlowESP:
		return "esp"
	case FlowIPv4:
		return "ipv4"
	}
	return fmt.Sprintf("flow %#x", uint32(f))
}

// Fields is what a flow is hashed by: bits.
type Fields uint64

// Fields. The first and last two bytes behind the IP header are the ports, and in ESP the SPI.
const (
	FieldSource      Fields = 1 << 4
	FieldDestination Fields = 1 << 5
	FieldL4First     Fields = 1 << 6
	FieldL4Second    Fields = 1 << 7

	Addresses = FieldSource | FieldDestination
	Whole     = Addresses | FieldL4First | FieldL4Second
)

// The size of struct ethtool_rxnfc, and where its parts are.
const (
	nfcSize  = 192
	nfcFlow  = 4
	nfcData  = 8
	nfcSpec  = 16
	nfcCount = 184
	nfcLocs  = 188
)

// Fields asks what a flow is hashed by.
func (d *Netdev) Fields(f Flow) (Fields, error) {
	b := command(getFields, nfcSize)
	ne.PutUint32(b[nfcFlow:], uint32(f))
	if err := d.ask(fmt.Sprintf("hash fields of %s", f), b); err != nil {
		return 0, err
	}
	return Fields(ne.Uint64(b[nfcData:])), nil
}

// SetFields says what a flow is to be hashed by.
func (d *Netdev) SetFields(f Flow, fields Fields) error {
	b := command(setFields, nfcSize)
	ne.PutUint32(b[nfcFlow:], uint32(f))
	ne.PutUint64(b[nfcData:], uint64(fields))
	return d.ask(fmt.Sprintf("write the hash fields of %s", f), b)
}
