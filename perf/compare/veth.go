package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"nave/perf/gen"
	"nave/perf/rig"
	"nave/testbed/netns"
)

// device forwards on the bench: started, stopped, and with a CPU time between.
type device struct {
	name  string
	work  string // what it does to packets, as nave calls it
	start func(ctx context.Context, b *rig.Bench) (running, error)
	gro   bool // the link that it receives by has no XDP program: without GRO live frames would be lost there
}

type running interface {
	cpu() (time.Duration, error)
	stop() error
}

// worker is nave's, in a process of its own.
type worker struct{ p *process }

func (w worker) cpu() (time.Duration, error) { return cpuTime(w.p.cmd.Process.Pid) }
func (w worker) stop() error                 { return w.p.stop() }

// nave is a device that does a work, polling strictly or adaptively.
func (m *machine) nave(work, poll string) device {
	return device{name: "nave " + work, work: work, start: func(ctx context.Context, b *rig.Bench) (running, error) {
		p, err := start(b.DUT, strconv.Itoa(m.dutCPU), m.self, "worker", "--in", b.In, "--out", b.Out, "--work", work, "--poll", poll)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(ctx, "ready", 0, 10*time.Second); err != nil {
			return nil, errors.Join(err, p.stop())
		}
		return worker{p}, nil
	}}
}

// testpmdOn is testpmd with a driver of DPDK's on both links.
func (m *machine) testpmdOn(driver string) device {
	d := device{name: "testpmd " + driver, work: "ipv4", gro: driver == "net_af_packet"}
	d.start = func(ctx context.Context, b *rig.Bench) (running, error) {
		t, err := m.startTestpmd(ctx, b.DUT, "mac", driver+"0,iface="+b.In, driver+"1,iface="+b.Out)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
	return d
}

// Rate is what a device did over veth.
type Rate struct {
	Device     string  `json:"device"`
	Size       int     `json:"size"`
	Mpps       float64 `json:"mpps"`         // median
	MppsCPU    float64 `json:"mpps_per_cpu"` // a second of CPU time of the device and the kernel's helper on its core
	MppsSpread float64 `json:"spread"`       // (highest - lowest) / median, of Mpps
}

// sample is one measurement of a running device.
type sample struct{ mpps, mppsCPU float64 }

// rates measures devices in turn, several times each, so that what changes meanwhile meets all of them.
func (m *machine) rates(ctx context.Context, devices []device, sizes []int, progress func(string)) ([]Rate, error) {
	all := make(map[string]map[int][]sample)
	for range m.runs {
		for _, d := range devices {
			if err := onBench(false, func(b *rig.Bench) error { return m.turn(ctx, b, d, sizes, all) }); err != nil {
				return nil, err
			}
		}
	}
	var out []Rate
	for _, d := range devices {
		for _, size := range sizes {
			var wall, cpu []float64
			for _, s := range all[d.name][size] {
				wall, cpu = append(wall, s.mpps), append(cpu, s.mppsCPU)
			}
			r := Rate{Device: d.name, Size: size, Mpps: median(wall), MppsCPU: median(cpu)}
			if r.Mpps > 0 {
				r.MppsSpread = (maxOf(wall) - minOf(wall)) / r.Mpps
			}
			progress(fmt.Sprintf("  %-22s %5d bytes  %.3f Mpps, %.3f a CPU-second, spread %.0f %%", r.Device, r.Size, r.Mpps, r.MppsCPU, 100*r.MppsSpread))
			out = append(out, r)
		}
	}
	return out, nil
}

// onBench gives f cables of its own, and others where nothing comes through.
func onBench(stamps bool, f func(*rig.Bench) error) error {
	for try := 1; ; try++ {
		b, err := rig.NewBench(stamps)
		if err != nil {
			return err
		}
		if err = errors.Join(f(b), b.Close()); try == 3 || !errors.Is(err, rig.ErrNothing) {
			return err
		}
	}
}

// turn starts a device and measures it at every size.
func (m *machine) turn(ctx context.Context, b *rig.Bench, d device, sizes []int, all map[string]map[int][]sample) (err error) {
	if err := netns.Offloads(b.DUT, b.In, d.gro); err != nil {
		return err
	}
	r, err := d.start(ctx, b)
	if err != nil {
		return fmt.Errorf("compare: %s: %w", d.name, err)
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if all[d.name] == nil {
		all[d.name] = make(map[int][]sample)
	}
	for _, size := range sizes {
		s, err := m.rate(ctx, b, d, r, size)
		if err != nil {
			return fmt.Errorf("compare: %s, %d bytes: %w", d.name, size, err)
		}
		all[d.name][size] = append(all[d.name][size], s)
	}
	return nil
}

// rate sends as fast as can be and counts what comes through.
func (m *machine) rate(ctx context.Context, b *rig.Bench, d device, r running, size int) (s sample, err error) {
	g, err := b.Sender(rig.WorkMix(d.work, size), m.genCPU)
	if err != nil {
		return s, err
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { _, err := g.Send(run, gen.Load{NoStamps: true}); done <- err }()
	defer func() {
		stop()
		err = errors.Join(err, <-done, g.Close())
	}()
	if err := b.WaitFor(5000, 5*time.Second); err != nil {
		return s, err
	}
	type reading struct {
		at  time.Time
		n   uint64
		cpu time.Duration
	}
	read := func() (x reading, err error) {
		if x.cpu, err = r.cpu(); err != nil {
			return x, err
		}
		x.cpu += softirqd(m.dutCPU)
		x.at = time.Now()
		x.n, err = b.Sink.Packets()
		return x, err
	}
	before, err := read()
	if err != nil {
		return s, err
	}
	if err := sleep(ctx, m.time); err != nil {
		return s, err
	}
	after, err := read()
	if err != nil {
		return s, err
	}
	n := float64(after.n-before.n) / 1e6
	s.mpps = n / after.at.Sub(before.at).Seconds()
	if c := (after.cpu - before.cpu).Seconds(); c > 0 {
		s.mppsCPU = n / c
	}
	return s, nil
}

// Latency is how long a lone packet takes through a device that has nothing else to do, nanoseconds.
type Latency struct {
	Device string `json:"device"`
	P50    int64  `json:"p50_ns"`
	P99    int64  `json:"p99_ns"`
	Max    int64  `json:"max_ns"`
}

// latencies sends a packet now and then through each device.
func (m *machine) latencies(ctx context.Context, devices []device, progress func(string)) (out []Latency, err error) {
	for _, d := range devices {
		var l Latency
		err := onBench(true, func(b *rig.Bench) (err error) { l, err = m.latency(ctx, b, d); return err })
		if err != nil {
			return out, fmt.Errorf("compare: latency of %s: %w", d.name, err)
		}
		progress(fmt.Sprintf("  %-22s %.1f µs median, %.1f p99, %.1f most", l.Device, float64(l.P50)/1e3, float64(l.P99)/1e3, float64(l.Max)/1e3))
		out = append(out, l)
	}
	return out, nil
}

func (m *machine) latency(ctx context.Context, b *rig.Bench, d device) (l Latency, err error) {
	if err := netns.Offloads(b.DUT, b.In, d.gro); err != nil {
		return l, err
	}
	r, err := d.start(ctx, b)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	g, err := b.Sender(rig.WorkMix(d.work, 64), m.genCPU)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	const pps = 997 // no divisor of anything that runs by a clock
	for _, length := range []time.Duration{300 * time.Millisecond, 2 * m.time} {
		if err := b.Sink.Reset(); err != nil {
			return l, err
		}
		if _, err := g.Send(ctx, gen.Load{Rate: gen.Rate{PPS: pps}, Duration: length}); err != nil {
			return l, err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return l, err
		}
	}
	rep, err := b.Sink.Report()
	if err != nil {
		return l, err
	}
	if rep.Latency.Count == 0 {
		return l, rig.ErrNothing
	}
	return Latency{Device: d.name, P50: rep.Latency.P50, P99: rep.Latency.P99, Max: rep.Latency.Max}, nil
}

func maxOf(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func minOf(v []float64) float64 {
	m := v[0]
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

// executable is this program's file.
func executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("compare: find this program: %w", err)
	}
	return self, nil
}
