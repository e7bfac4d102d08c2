// Package ends opens the ends of a wire, by the name of a driver: something that sends, something that receives. It also has the commands
// `naveperf gen` and `naveperf sink`.
package ends

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"nave/fastpath/port"
	"nave/fastpath/port/afxdp"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/sink"
	"nave/perf/xdp"
)

// Driver is how packets get to a link and off it.
type Driver string

// The drivers.
const (
	XDP    Driver = "xdp"    // in the kernel: live frames, and a program that counts
	AFXDP  Driver = "afxdp"  // nave's own AF_XDP binding
	Asavie Driver = "asavie" // github.com/asavie/xdp, somebody else's
	Packet Driver = "packet" // AF_PACKET sockets
)

// Drivers lists them.
func Drivers() []Driver { return []Driver{XDP, AFXDP, Asavie, Packet} }

// names is the drivers for messages.
func names() string {
	var s []string
	for _, d := range Drivers() {
		s = append(s, string(d))
	}
	return strings.Join(s, ", ")
}

// frames of a user-space driver: rings take half of them at most.
const (
	frames    = 8192
	frameSize = 2048
)

// Config says which link, and how.
type Config struct {
	Driver Driver
	Iface  string
	Queue  int // of user-space drivers
	CPU    int // for the generator of driver xdp; -1: any
	Stamps bool
	// Enter calls a function in the link's network namespace; nil for the caller's.
	Enter func(func() error) error
}

func (c *Config) enter(f func() error) error {
	if c.Enter == nil {
		return f()
	}
	return c.Enter(f)
}

// Netdev finds the link: its number and address.
func (c *Config) Netdev() (index int, mac [6]byte, err error) {
	err = c.enter(func() error {
		i, err := net.InterfaceByName(c.Iface)
		if err != nil {
			return fmt.Errorf("ends: interface %q (`ip link` lists them): %w", c.Iface, err)
		}
		index = i.Index
		copy(mac[:], i.HardwareAddr)
		return nil
	})
	return index, mac, err
}

// Sender opens the link to send a mix to the Ethernet address dst.
func Sender(c Config, m *mix.Mix, dst [6]byte) (gen.Sender, error) {
	index, mac, err := c.Netdev()
	if err != nil {
		return nil, err
	}
	train, err := m.Train(mix.Link{Src: mac, Dst: dst})
	if err != nil {
		return nil, err
	}
	if c.Driver == XDP {
		return xdp.NewGen(index, train, xdp.Options{CPU: c.CPU, Enter: c.Enter})
	}
	e, err := c.open(index, false)
	if err != nil {
		return nil, err
	}
	s, err := gen.NewPort(e.port, e.pool, train, e.close)
	if err != nil {
		return nil, errors.Join(err, e.port.Close(), e.close())
	}
	return s, nil
}

// Receiver opens the link to count what arrives.
func Receiver(c Config) (r sink.Receiver, err error) {
	index, _, err := c.Netdev()
	if err != nil {
		return nil, err
	}
	if c.Driver == XDP {
		err = c.enter(func() (err error) { r, err = xdp.NewSink(index, c.Stamps); return err })
		return r, err
	}
	e, err := c.open(index, true)
	if err != nil {
		return nil, err
	}
	return sink.NewPort(e.port, e.pool, e.close), nil
}

// end is a port that is open, and what else to close.
type end struct {
	port  port.Port
	pool  *port.Pool
	close func() error
}

// open makes a port of a user-space driver. rx: packets are wanted, and steered to it.
func (c *Config) open(index int, rx bool) (e end, err error) {
	err = c.enter(func() error {
		switch c.Driver {
		case AFXDP:
			e, err = openAFXDP(index, c.Queue, rx)
		case Asavie:
			e, err = openAsavie(index, c.Queue, rx)
		case Packet:
			e, err = openPacket(index, rx)
		default:
			return fmt.Errorf("ends: driver %q: there are %s", c.Driver, names())
		}
		return err
	})
	return e, err
}

func openAFXDP(index, queue int, rx bool) (end, error) {
	umem, err := afxdp.NewUMEM(frames, frameSize)
	if err != nil {
		return end{}, err
	}
	p, err := afxdp.Open(umem, afxdp.Config{Ifindex: index, Queue: queue})
	if err != nil {
		return end{}, errors.Join(err, umem.Close())
	}
	// The memory goes last; a sender closes its port before this is called, and a receiver after.
	e := end{port: memory{p, umem}, pool: umem.Pool(), close: func() error { return nil }}
	if !rx {
		return e, nil
	}
	steer, err := xdp.NewRedirect(index)
	if err == nil {
		e.close = steer.Close
		err = steer.SetSocket(queue, p.FD())
	}
	if err != nil {
		return end{}, errors.Join(err, e.close(), e.port.Close())
	}
	return e, nil
}

// memory is a port that takes its UMEM with it.
type memory struct {
	*afxdp.Port
	umem *afxdp.UMEM
}

func (m memory) Close() error { return errors.Join(m.Port.Close(), m.umem.Close()) }

// newPool is frames for drivers that copy.
func newPool() *port.Pool { return port.NewPool(make([]byte, frames*frameSize), frameSize) }
