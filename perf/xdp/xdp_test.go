package xdp

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"nave/perf/gen"
	"nave/perf/hist"
	"nave/perf/mix"
	"nave/perf/sink"
	"nave/testbed/need"
	"nave/testbed/netns"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair is a cable with a sink at its far end.
func pair(t *testing.T, m *mix.Mix, stamps bool) (*Gen, *Sink) {
	t.Helper()
	a, b := netns.New(t, "gen"), netns.New(t, "sink")
	must(t, netns.Veth(netns.End{NS: a, Name: "eth0"}, netns.End{NS: b, Name: "eth0"}, 1500))
	var l mix.Link
	var s *Sink
	must(t, b.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err == nil {
			copy(l.Dst[:], i.HardwareAddr)
			s, err = NewSink(i.Index, stamps)
		}
		return err
	}))
	t.Cleanup(func() { must(t, s.Close()) })
	var index int
	must(t, a.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err == nil {
			copy(l.Src[:], i.HardwareAddr)
			index = i.Index
		}
		return err
	}))
	train, err := m.Train(l)
	must(t, err)
	g, err := NewGen(index, train, Options{CPU: -1, Enter: a.Do})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	return g, s
}

func load(t *testing.T, name string) *mix.Mix {
	t.Helper()
	m, err := mix.Load(name)
	must(t, err)
	return m
}

const patience = 30 * time.Second

// arrived waits until so many packets have come to the sink in all, which the kernel may take up later than they are sent, and returns how many came.
func arrived(t *testing.T, s *Sink, least uint64) uint64 {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		n, err := s.Packets()
		must(t, err)
		if n >= least || time.Now().After(late) {
			return n
		}
	}
}

// Every packet of each mix arrives once, in order, with as many bytes as were sent, at the rate that was asked for.
func TestGenToSink(t *testing.T) {
	need.Root(t)
	for _, name := range []string{"imix", "gre", "mpls", "esp-raw", "bursty"} {
		t.Run(name, func(t *testing.T) {
			g, s := pair(t, load(t, name), true)
			const n = 3000
			for run := range uint64(2) { // the second run goes on where the first one stopped
				must(t, s.Reset())
				begin := time.Now()
				sent, err := g.Send(t.Context(), gen.Load{Rate: gen.Rate{PPS: 50000}, Count: n})
				must(t, err)
				arrived(t, s, n*(run+1))
				took := time.Since(begin)
				r, err := s.Report()
				must(t, err)
				if sent.Packets != n || r.Packets != sent.Packets || r.Bytes != sent.Bytes || r.Stamped != r.Packets {
					t.Fatalf("sent %+v, got %+v", sent, r)
				}
				if r.Lost+r.Reordered+r.Duplicates > 0 {
					t.Errorf("got %+v", r)
				}
				if r.Latency.Count != n || r.Latency.Min < 50 || r.Latency.P50 > int64(min(took, 50*time.Millisecond)) {
					t.Errorf("latency %+v", r.Latency)
				}
				if pps := sent.PPS(); pps > 52500 { // less, where others have the CPU for a while: what is missed is given up
					t.Errorf("%.0f packets a second, want 50000", pps)
				}
			}
		})
	}
}

// A run ends with its time, and with its context.
func TestGenEnds(t *testing.T) {
	need.Root(t)
	g, s := pair(t, load(t, "ip-64"), false)
	begin := time.Now()
	sent, err := g.Send(t.Context(), gen.Load{Duration: 50 * time.Millisecond})
	must(t, err)
	took := time.Since(begin)
	n := arrived(t, s, 1)
	if sent.Packets < 1000 || n == 0 || n > sent.Packets || sent.Took != 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("sent %+v, %d arrived, in %v", sent, n, took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := g.Send(ctx, gen.Load{Rate: gen.Rate{PPS: 1000}}); err != nil {
		t.Error(err)
	}
	sent, err = g.Send(t.Context(), gen.Load{Count: 100, NoStamps: true})
	must(t, err)
	if r, err := s.Report(); err != nil || sent.Packets != 100 || r.Stamped != 0 {
		t.Errorf("sent %+v, got %+v, %v", sent, r, err)
	}
}

func TestGenRefusesSealed(t *testing.T) {
	train, err := load(t, "esp").Train(mix.Link{})
	must(t, err)
	if _, err := NewGen(1, train, Options{CPU: -1}); err == nil {
		t.Error("a mix that seals was taken")
	}
}

// The program reads frames as Tally does: the same numbers, and each delay in the same bucket.
func TestSinkAgreesWithTally(t *testing.T) {
	need.Root(t)
	ns := netns.New(t, "sink")
	var s *Sink
	must(t, ns.Do(func() (err error) { s, err = NewSink(1, true); return err })) // on lo, which brings nothing
	defer s.Close()
	train, err := load(t, "imix").Train(mix.Link{})
	must(t, err)
	labelled, err := load(t, "mpls").Train(mix.Link{})
	must(t, err)
	// The program reads its clock between two readings of ours, however far apart they come.
	var tally, later sink.Tally
	count := func(b []byte) {
		tally.Frame(b, mix.Now())
		if len(b) >= 14 {
			_, _, err := s.objs.NaveSink.Test(b)
			must(t, err)
		}
		later.Frame(b, mix.Now())
	}
	delay := func(v uint64) int64 { return mix.Now() - int64(v) }
	for k, seq := range []uint64{10, 11, 13, 12, 13, 11, 20, 19, 70000, 5} {
		tr := train
		if k%3 == 2 {
			tr = labelled
		}
		b := make([]byte, tr.Slots[0].Len)
		tr.Write(b, 0, mix.Stamp{Seq: seq, Time: delay(uint64(1) << (15 + 2*k))}) // coarse, as both clocks run on
		count(b)
		for _, n := range []int{14, 17, 33, 34, 49, len(b) - 1} {
			count(b[:min(n, len(b))])
		}
	}
	arp := make([]byte, 60)
	arp[12], arp[13] = 8, 6
	count(arp)
	got, err := s.Report()
	must(t, err)
	want, most := tally.Report(), later.Report()
	if got.Stamped != want.Stamped || got.Reordered != want.Reordered || got.Duplicates != want.Duplicates || got.Lost != want.Lost || want.Stamped == 0 {
		t.Errorf("the program says %+v, the tally %+v", got, want)
	}
	if got.Latency.Count != want.Latency.Count {
		t.Errorf("%d delays, want %d", got.Latency.Count, want.Latency.Count)
	}
	for q := 0.05; q < 1; q += 0.1 {
		v, least, most := float64(got.Delays.Quantile(q)), float64(want.Delays.Quantile(q)), float64(most.Delays.Quantile(q))
		if v < least/2 || v > 2*most { // buckets are checked by TestBuckets
			t.Errorf("quantile %.2f: %v, want %v to %v", q, v, least, most)
		}
	}
}

// A stamp of time 0 makes the delay the clock itself: the program must sort it where hist.Index does, give or take the time between.
func TestBuckets(t *testing.T) {
	need.Root(t)
	ns := netns.New(t, "sink")
	var s *Sink
	must(t, ns.Do(func() (err error) { s, err = NewSink(1, true); return err }))
	defer s.Close()
	train, err := load(t, "ip-64").Train(mix.Link{})
	must(t, err)
	for e := 11; e < 38; e++ {
		b := make([]byte, train.Slots[0].Len)
		before, err := s.delays()
		must(t, err)
		t0 := mix.Now()
		train.Write(b, 0, mix.Stamp{Seq: uint64(e), Time: t0 - 5<<(e-2)})
		_, err = s.objs.NaveSink.Run(&ebpf.RunOptions{Data: b})
		must(t, err)
		t1 := mix.Now()
		after, err := s.delays()
		must(t, err)
		lowest, highest := hist.Index(5<<(e-2)-1000), hist.Index(5<<(e-2)+t1-t0)
		n := 0
		for i := range after {
			if after[i] != before[i] {
				n++
				if i < lowest || i > highest {
					t.Errorf("a delay of %d to %d ns went to bucket %d, not %d to %d", 5<<(e-2), 5<<(e-2)+t1-t0, i, lowest, highest)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d buckets changed", n)
		}
	}
}
