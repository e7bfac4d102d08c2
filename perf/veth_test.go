package perf

import (
	"context"
	"fmt"
	"testing"
	"time"

	"nave/fastpath"
	"nave/perf/gen"
	"nave/perf/rig"
	"nave/testbed/need"
)

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkVeth forwards over two veths, as fast as can be: IPv4, into a tunnel, out of one, and into a sealed one.
func BenchmarkVeth(b *testing.B) {
	need.Root(b)
	for _, size := range []int{64, 512, 1400} {
		for _, work := range rig.Works() {
			b.Run(fmt.Sprintf("%s/%d", work, size), func(b *testing.B) { veth(b, work, size) })
		}
	}
}

func veth(b *testing.B, work string, size int) {
	x, err := rig.NewBench(false)
	check(b, err)
	defer func() { check(b, x.Close()) }()
	var w *rig.Worker
	check(b, x.DUT.Do(func() (err error) { w, err = rig.NewWorker(x.In, x.Out, work); return err }))
	s, err := x.Sender(rig.WorkMix(work, size), -1)
	check(b, err)
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 2)
	go func() { ended <- w.Run(ctx, false) }()
	go func() { _, err := s.Send(ctx, gen.Load{NoStamps: true}); ended <- err }()
	defer func() {
		stop()
		for range cap(ended) {
			check(b, <-ended)
		}
		check(b, s.Close())
		check(b, w.Close())
	}()
	check(b, x.WaitFor(1000, 5*time.Second)) // and the caches are warm
	const step = 50000
	before, start := w.Count(), time.Now()
	first, err := x.Sink.Packets()
	check(b, err)
	for b.Loop() {
		check(b, x.WaitFor(step, 30*time.Second))
	}
	took := time.Since(start)
	last, err := x.Sink.Packets()
	check(b, err)
	report(b, float64(last-first)/took.Seconds(), before, w.Count())
}

// report prints the rate, and the worker's own numbers.
func report(b *testing.B, pps float64, before, after fastpath.WorkerCount) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(pps/1e6, "Mpps")
	packets := float64(after.Packets - before.Packets)
	busy := after.Polls - before.Polls - (after.EmptyPolls - before.EmptyPolls)
	b.ReportMetric(packets/float64(busy), "packets/poll")
	b.ReportMetric(float64(after.Ticks-before.Ticks)/packets, "own-ticks/packet")
	b.ReportMetric(float64(after.LinkTicks-before.LinkTicks)/packets, "link-ticks/packet")
}
