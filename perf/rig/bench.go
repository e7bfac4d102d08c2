package rig

import (
	"errors"
	"fmt"
	"os"
	"time"

	"nave/perf/ends"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/xdp"
	"nave/testbed/netns"
)

// Bench is two cables with room for a device under test between them: In and Out are the device's interfaces, in its namespace. At the far end of
// one is a generator of live XDP frames, at the other an XDP program that counts. Generator and what the kernel does to receive its packets share
// a core; the device has the other.
type Bench struct {
	DUT     *netns.NS
	In, Out string
	MAC     [2][6]byte // of In and Out
	Sink    *xdp.Sink
	gen     *netns.NS
	sink    *netns.NS
}

// NewBench lays the cables. With stamps the sink reads each packet's, for latency; without, it counts, which costs less.
func NewBench(stamps bool) (b *Bench, err error) {
	b = &Bench{In: "in0", Out: "out0"}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
			b = nil
		}
	}()
	if err := Sweep(); err != nil {
		return b, err
	}
	for name, ns := range map[string]**netns.NS{"dut": &b.DUT, "gen": &b.gen, "sink": &b.sink} {
		if *ns, err = netns.Add(fmt.Sprintf("nb%d-%s", os.Getpid(), name)); err != nil {
			return b, err
		}
	}
	if err := netns.Veth(netns.End{NS: b.DUT, Name: b.In}, netns.End{NS: b.gen, Name: "eth0"}, 1500); err != nil {
		return b, err
	}
	if err := netns.Veth(netns.End{NS: b.DUT, Name: b.Out}, netns.End{NS: b.sink, Name: "eth0"}, 1500); err != nil {
		return b, err
	}
	for k, name := range []string{b.In, b.Out} {
		c := ends.Config{Iface: name, Enter: b.DUT.Do}
		if _, b.MAC[k], err = c.Netdev(); err != nil {
			return b, err
		}
	}
	far := ends.Config{Iface: "eth0", Enter: b.sink.Do}
	index, _, err := far.Netdev()
	if err != nil {
		return b, err
	}
	return b, b.sink.Do(func() (err error) {
		b.Sink, err = xdp.NewSink(index, stamps)
		return err
	})
}

// Sender makes a generator of a mix towards the device, on a CPU; -1 for any.
func (b *Bench) Sender(m *mix.Mix, cpu int) (gen.Sender, error) {
	return ends.Sender(ends.Config{Driver: ends.XDP, Iface: "eth0", CPU: cpu, Enter: b.gen.Do}, m, b.MAC[0])
}

// ErrNothing means that a device lets nothing through: now and then a veth whose XDP program or offloads have just changed stays deaf, and another pair does not.
var ErrNothing = errors.New("no packet came through")

// WaitFor waits until n packets arrived at the sink beyond what had when it was called, while somebody sends.
func (b *Bench) WaitFor(n uint64, limit time.Duration) error {
	first, err := b.Sink.Packets()
	if err != nil {
		return err
	}
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		now, err := b.Sink.Packets()
		if err != nil {
			return err
		}
		if now-first >= n {
			return nil
		}
		if time.Now().After(end) {
			if now == first {
				return fmt.Errorf("rig: %w within %v", ErrNothing, limit)
			}
			return fmt.Errorf("rig: %d of %d packets came through within %v", now-first, n, limit)
		}
	}
}

// Close takes the cables and namespaces away.
func (b *Bench) Close() error {
	var err error
	if b.Sink != nil {
		err = b.Sink.Close()
	}
	for _, ns := range []*netns.NS{b.DUT, b.gen, b.sink} {
		if ns != nil {
			err = errors.Join(err, ns.Delete())
		}
	}
	return err
}
