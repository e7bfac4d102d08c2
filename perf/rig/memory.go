package rig

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/sink"
)

// Memory is a worker between two cables inside this process: no root, no namespaces, and no measure of anything but the search itself.
const Memory = "mem"

// frames of each of its three pools; cables are as long as a NIC's rings.
const (
	memFrames = 8192
	memCable  = 2048
)

// upMemory builds the lab in memory: IPv4 forwarding.
func upMemory(ctx context.Context, m *mix.Mix) (l *Lab, err error) {
	pools := make([]*port.Pool, 3)
	for i := range pools {
		pools[i] = port.NewPool(make([]byte, memFrames*2048), 2048)
	}
	in, err := mem.New(pools[0], pools[1], mem.Config{Frames: memCable})
	if err != nil {
		return nil, err
	}
	out, err := mem.New(pools[1], pools[2], mem.Config{Frames: memCable})
	if err != nil {
		return nil, err
	}
	e, err := fastpath.New(fastpath.Config{Private: true})
	if err != nil {
		return nil, err
	}
	l = &Lab{}
	l.down = append(l.down, e.Close)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Down())
			l = nil
		}
	}()
	w, err := e.NewWorker(pools[1])
	if err != nil {
		return l, err
	}
	if err := errors.Join(w.Attach(1, in.End(1)), w.Attach(2, out.End(0))); err != nil {
		return l, err
	}
	var b fib.Batch
	for id := range 2 {
		b.Ports = append(b.Ports, fib.Port{ID: fib.PortID(id + 1), MAC: [6]byte{2, 0, 0, 0, 1, byte(id)}, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(id + 1)}), MTU: 1500})
	}
	entries(&b, "ipv4")
	refused, err := e.Apply(&b)
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("rig: refused: %v", refused)
	}
	if err != nil {
		return l, err
	}
	train, err := m.Train(mix.Link{Src: [6]byte{2, 0, 0, 0, 0, 9}, Dst: b.Ports[0].MAC})
	if err != nil {
		return l, err
	}
	if l.Sender, err = gen.NewPort(in.End(0), pools[0], train, nil); err != nil {
		return l, err
	}
	l.Receiver = sink.NewPort(out.End(1), pools[2], nil)
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- w.Run(run, fastpath.RunConfig{Adaptive: true}) }()
	l.down = append(l.down, func() error { stop(); return <-done })
	return l, l.prime(ctx)
}
