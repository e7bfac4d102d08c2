package xdp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"nave/perf/gen"
	"nave/perf/mix"
)

// shift is the fraction of a nanosecond that pacing counts in (SHIFT in wire.c).
const shift = 8

// Gen sends by live frames of BPF_PROG_TEST_RUN. It needs root, Linux 5.18, and a link whose far end runs XDP in its driver, as veth does and
// every NIC that XDP can redirect to.
type Gen struct {
	objs    wireObjects
	train   *mix.Train
	ifindex int
	cpu     int
	enter   func(func() error) error
	run     wireRun
	data    []byte
}

// Options of a generator.
type Options struct {
	// CPU that the generator's thread is tied to, from 0; -1 leaves it where the kernel likes.
	CPU int
	// Enter calls a function in the link's network namespace, on a thread of its own; nil for the caller's.
	Enter func(func() error) error
}

// NewGen makes a generator on a link.
func NewGen(ifindex int, t *mix.Train, o Options) (*Gen, error) {
	if t.Sealed() {
		return nil, fmt.Errorf("xdp: mix %s seals each packet, which the kernel can't: use the driver afxdp or packet, or two gateways back to back", t.Mix.Name)
	}
	spec, err := loadWire()
	if err != nil {
		return nil, fmt.Errorf("xdp: read the programs: %w", err)
	}
	spec.Maps["slots"].MaxEntries = uint32(len(t.Slots))
	g := &Gen{train: t, ifindex: ifindex, cpu: o.CPU, enter: o.Enter}
	if g.enter == nil {
		g.enter = onThread
	}
	if err := spec.LoadAndAssign(&g.objs, nil); err != nil {
		return nil, fmt.Errorf("xdp: load the programs (root? Linux 5.18?): %w", err)
	}
	for i := range t.Slots {
		s := &t.Slots[i]
		if err := g.objs.Slots.Put(uint32(i), &wireSlot{Header: s.Header, Len: s.Len, Stamp: s.Stamp}); err != nil {
			return nil, errors.Join(fmt.Errorf("xdp: packet %d of the mix: %w", i, err), g.objs.Close())
		}
	}
	g.data = make([]byte, max(t.MaxLen, mix.HeaderLen))
	g.run = wireRun{Seq: gen.FirstSeq(), Slots: uint32(len(t.Slots)), Burst: uint32(t.Mix.Burst), Ifindex: uint32(ifindex)}
	return g, nil
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Send implements gen.Sender. Packets count as sent when they are handed to the link; one that finds the far end's ring full is lost.
func (g *Gen) Send(ctx context.Context, l gen.Load) (gen.Sent, error) {
	now := uint64(mix.Now())
	r := &g.run
	r.Begin, r.End, r.Limit = now, math.MaxUint64, math.MaxUint64
	if l.Duration > 0 {
		r.End = now + uint64(l.Duration)
	}
	if l.Count > 0 {
		r.Limit = l.Count
	}
	r.Step, r.Next, r.Left, r.Slack = 0, 0, 0, uint64(gen.Slack)<<shift
	if pps := l.Rate.Packets(g.train); pps > 0 {
		r.Step = uint64(1e9 * (1 << shift) / pps)
	}
	r.Sent, r.Bytes, r.Last, r.Stamps = 0, 0, 0, 1
	if l.NoStamps {
		r.Stamps = 0
	}
	first := r.Seq
	if err := g.objs.Runs.Put(uint32(0), r); err != nil {
		return gen.Sent{}, fmt.Errorf("xdp: start the generator: %w", err)
	}
	err := g.enter(func() error { return g.turn(ctx) })
	if err != nil {
		return gen.Sent{}, err
	}
	took := min(uint64(mix.Now()), r.End) - r.Begin
	if r.Sent >= r.Limit && r.Last > r.Begin {
		took = r.Last - r.Begin
	}
	return gen.Sent{Packets: r.Sent, Bytes: r.Bytes, First: first, Took: time.Duration(took)}, nil
}

// turn lets the kernel bring frames round until the run has ended.
func (g *Gen) turn(ctx context.Context) error {
	if g.cpu >= 0 {
		var one unix.CPUSet
		one.Set(g.cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("xdp: tie the generator to CPU %d (is there one?): %w", g.cpu, err)
		}
	}
	// Some tens of milliseconds a call: rare enough for the call's own cost, often enough to be stopped.
	const live, batch, rounds = 2, 64, 1 << 19
	for ctx.Err() == nil {
		_, err := g.objs.NaveGen.Run(&ebpf.RunOptions{Data: g.data, Repeat: rounds, Flags: live, BatchSize: batch})
		if err != nil {
			return fmt.Errorf("xdp: live frames on interface %d (Linux 5.18?): %w", g.ifindex, err)
		}
		if err := g.objs.Runs.Lookup(uint32(0), &g.run); err != nil {
			return fmt.Errorf("xdp: read the generator's count: %w", err)
		}
		if g.run.Sent >= g.run.Limit || uint64(mix.Now()) >= g.run.End {
			break
		}
	}
	return nil
}

// Close lets go of the programs.
func (g *Gen) Close() error { return g.objs.Close() }
