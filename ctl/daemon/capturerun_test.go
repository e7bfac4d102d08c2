package daemon

import (
	"context"
	"testing"
	"time"

	"nave/ctl/capture"
	"nave/fastpath"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// mill is a fast path that drops a packet or several whenever it is asked for the time.
type mill struct {
	t       *testing.T
	e       *fastpath.Engine
	w       *fastpath.Worker
	each    int
	ends    int64
	dropped int // before ends
}

func newMill(t *testing.T) *mill {
	t.Helper()
	e, err := fastpath.New(fastpath.Config{Private: true, ArenaBytes: 16 << 20, MaxRoutes: 1024, MaxAdjacencies: 256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	w, err := e.NewWorker(port.NewPool(make([]byte, 64*2048), 2048))
	if err != nil {
		t.Fatal(err)
	}
	return &mill{t: t, e: e, w: w, ends: 1 << 62}
}

func (m *mill) Ticks() int64 {
	now := m.e.Now()
	ip := make([]byte, packet.IPv4Len+20)
	h := packet.Header{TTL: 9, Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{10, 0, 0, 2}}
	h.Put(ip, 20)
	for range m.each {
		if err := m.e.Inject(fastpath.Inject{Kind: fastpath.InjectRoute, Packet: ip}); err != nil {
			m.t.Error(err)
		}
		m.w.Poll(now)
		if now < m.ends {
			m.dropped++
		}
	}
	return now
}

func (m *mill) CaptureNames() (capture.Names, bool) { return capture.Names{}, true }

// TestCaptureAll: a capture ends with all that was copied until then, also more than a piece: when its time is over, and when its client wants no more.
func TestCaptureAll(t *testing.T) {
	for name, c := range map[string]struct {
		duration     time.Duration
		before, each int
		stopped      bool
		why          string
	}{
		"time":    {time.Second, 7, 7, false, capture.WhyDuration},
		"stopped": {time.Hour, 5000, 0, true, capture.WhyStopped},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMill(t)
			q := capture.Request{Interface: capture.Any, What: capture.Drops, Duration: c.duration, Count: capture.MaxCount}
			if err := q.Complete(); err != nil {
				t.Fatal(err)
			}
			r, err := q.Worker()
			if err != nil {
				t.Fatal(err)
			}
			run := &captureRun{gw: m, ends: m.Ticks() + int64(c.duration)}
			r.Until = run.ends
			if run.c, err = m.e.Capture(r); err != nil {
				t.Fatal(err)
			}
			defer run.c.Close()
			m.ends, run.s = run.ends, capture.NewSession(q, capture.Names{}, time.Now(), "")
			m.each = c.before
			m.Ticks()
			m.each = c.each
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.stopped {
				stop()
			}
			var sum *capture.Summary
			got := 0
			if err := run.collect(ctx, func(e capture.Event) error {
				got += len(e.Packets)
				sum = e.Done
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if sum == nil || sum.Why != c.why || m.dropped == 0 || got != sum.Packets || got+int(sum.Lost) != m.dropped {
				t.Errorf("%d packets came of %d: %+v", got, m.dropped, sum)
			}
		})
	}
}
