package xdp

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"nave/perf/hist"
	"nave/perf/sink"
)

// Sink counts in an XDP program on a link, and lets nothing through to the kernel but what is neither IPv4 nor labelled.
type Sink struct {
	objs wireObjects
	link link.Link
	base sink.Report // what Reset takes off
	hist []uint64
	seen wireSeen
}

// NewSink puts the program on a netdev of the caller's network namespace, in the driver where that can and otherwise in the kernel. With stamps it
// reads each packet's, which costs the CPU that receives some 100 ns a packet; without it only counts.
func NewSink(ifindex int, stamps bool) (*Sink, error) {
	spec, err := loadWire()
	if err != nil {
		return nil, fmt.Errorf("xdp: read the programs: %w", err)
	}
	if !stamps {
		if err := spec.Variables["read_stamps"].Set(uint32(0)); err != nil {
			return nil, fmt.Errorf("xdp: %w", err)
		}
	}
	s := &Sink{hist: make([]uint64, hist.Buckets)}
	if err := spec.LoadAndAssign(&s.objs, nil); err != nil {
		return nil, fmt.Errorf("xdp: load the programs (root?): %w", err)
	}
	if s.link, err = attach(s.objs.NaveSink, ifindex); err != nil {
		return nil, errors.Join(err, s.objs.Close())
	}
	return s, nil
}

// attach puts a program on a netdev, natively if that can be.
func attach(p *ebpf.Program, ifindex int) (link.Link, error) {
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifindex, Flags: link.XDPDriverMode})
	if err == nil {
		return l, nil
	}
	l, generic := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifindex, Flags: link.XDPGenericMode})
	if generic != nil {
		return nil, fmt.Errorf("xdp: attach to interface %d (is another XDP program there? `ip link` shows it): native: %w; generic: %w", ifindex, err, generic)
	}
	return l, nil
}

// Run implements sink.Receiver: the kernel counts by itself.
func (s *Sink) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Packets is how many packets have come since the sink was made. It is cheap.
func (s *Sink) Packets() (uint64, error) {
	t, err := s.totals()
	return t.Packets, err
}

func (s *Sink) totals() (sum wireTotals, err error) {
	var per []wireTotals
	if err := s.objs.Totals.Lookup(uint32(0), &per); err != nil {
		return sum, fmt.Errorf("xdp: read the count: %w", err)
	}
	for _, t := range per {
		if t.Timed > 0 && (sum.Timed == 0 || t.Smallest < sum.Smallest) {
			sum.Smallest = t.Smallest
		}
		sum.Largest = max(sum.Largest, t.Largest)
		sum.Packets += t.Packets
		sum.Bytes += t.Bytes
		sum.Stamped += t.Stamped
		sum.Late += t.Late
		sum.Twice += t.Twice
		sum.Timed += t.Timed
		sum.Other += t.Other
	}
	return sum, nil
}

// Report implements sink.Receiver.
func (s *Sink) Report() (sink.Report, error) {
	t, err := s.totals()
	if err != nil {
		return sink.Report{}, err
	}
	var o wireSeen
	if err := s.objs.Order.Lookup(uint32(0), &o); err != nil {
		return sink.Report{}, fmt.Errorf("xdp: read the sequence numbers: %w", err)
	}
	r := sink.Report{
		Packets: t.Packets - s.base.Packets, Bytes: t.Bytes - s.base.Bytes, Stamped: t.Stamped - s.base.Stamped,
		Reordered: t.Late - s.base.Reordered, Duplicates: t.Twice - s.base.Duplicates, Other: t.Other - s.base.Other,
	}
	r.Lost = sink.Missing(o.First, o.Next, r.Stamped-r.Duplicates)
	now, err := s.delays()
	if err != nil {
		return r, err
	}
	for i := range now {
		now[i] -= s.hist[i]
	}
	r.Delays = &hist.Hist{}
	r.Delays.AddBuckets(now, int64(t.Smallest), int64(t.Largest))
	r.Latency = r.Delays.Summary()
	return r, nil
}

// delays reads the histogram, summed over the CPUs.
func (s *Sink) delays() ([]uint64, error) {
	sum := make([]uint64, hist.Buckets)
	var key uint32
	var per []uint64
	it := s.objs.Delays.Iterate()
	for it.Next(&key, &per) {
		for _, n := range per {
			sum[key] += n
		}
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("xdp: read the delays: %w", err)
	}
	return sum, nil
}

// Reset implements sink.Receiver. The smallest and largest delay start anew, too; packets that arrive meanwhile may be missed by one of the numbers.
func (s *Sink) Reset() error {
	t, err := s.totals()
	if err != nil {
		return err
	}
	if s.hist, err = s.delays(); err != nil {
		return err
	}
	s.base = sink.Report{Packets: t.Packets, Bytes: t.Bytes, Stamped: t.Stamped, Reordered: t.Late, Duplicates: t.Twice, Other: t.Other}
	var per []wireTotals
	if err := s.objs.Totals.Lookup(uint32(0), &per); err != nil {
		return fmt.Errorf("xdp: read the count: %w", err)
	}
	for i := range per {
		per[i].Timed, per[i].Smallest, per[i].Largest = 0, 0, 0
	}
	if err := s.objs.Totals.Put(uint32(0), per); err != nil {
		return fmt.Errorf("xdp: reset the count: %w", err)
	}
	var o wireSeen
	if err := s.objs.Order.Lookup(uint32(0), &o); err != nil {
		return fmt.Errorf("xdp: read the sequence numbers: %w", err)
	}
	o.First = 0
	if err := s.objs.Order.Put(uint32(0), &o); err != nil {
		return fmt.Errorf("xdp: reset the sequence numbers: %w", err)
	}
	return nil
}

// Close takes the program off the link.
func (s *Sink) Close() error { return errors.Join(s.link.Close(), s.objs.Close()) }

// Redirect hands what arrives on a link to AF_XDP sockets, one a queue, and to the kernel what is neither IPv4 nor labelled.
type Redirect struct {
	objs wireObjects
	link link.Link
}

// NewRedirect puts the program on a netdev of the caller's network namespace.
func NewRedirect(ifindex int) (*Redirect, error) {
	spec, err := loadWire()
	if err != nil {
		return nil, fmt.Errorf("xdp: read the programs: %w", err)
	}
	r := &Redirect{}
	if err := spec.LoadAndAssign(&r.objs, nil); err != nil {
		return nil, fmt.Errorf("xdp: load the programs (root?): %w", err)
	}
	if r.link, err = attach(r.objs.NaveXsk, ifindex); err != nil {
		return nil, errors.Join(err, r.objs.Close())
	}
	return r, nil
}

// SetSocket gives what arrives on a queue to the socket fd.
func (r *Redirect) SetSocket(queue, fd int) error {
	if err := r.objs.Xsks.Put(uint32(queue), uint32(fd)); err != nil {
		return fmt.Errorf("xdp: socket for queue %d: %w", queue, err)
	}
	return nil
}

// Close takes the program off the link.
func (r *Redirect) Close() error { return errors.Join(r.link.Close(), r.objs.Close()) }
