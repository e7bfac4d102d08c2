package rig

import (
	"context"
	"strings"
	"testing"
	"time"

	"nave/perf/gen"
	"nave/testbed/need"
)

// A worker on the bench does each of its works: all packets come through, as long as they should be, and the worker says so.
func TestWorks(t *testing.T) {
	need.Root(t)
	need.Command(t, "ethtool", "nsenter")
	b, err := NewBench(true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	added := map[string]int{"ipv4": 0, "gre-encap": 28, "gre-decap": -28, "esp-encap": 20 + 8 + 8 + 8 + 2 + 2 + 16}
	for k, work := range Works() {
		var w *Worker
		if err := b.DUT.Do(func() (err error) { w, err = NewWorker(b.In, b.Out, work); return err }); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx, k%2 == 0) }()
		s, err := b.Sender(WorkMix(work, 200), -1)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Sink.Reset(); err != nil {
			t.Fatal(err)
		}
		const n = 300
		sent, err := s.Send(t.Context(), gen.Load{Count: n, Rate: gen.Rate{PPS: 5000}})
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if c, err := b.Sink.Packets(); err == nil && c >= uint64(n*(k+1)) {
				break
			}
		}
		r, err := b.Sink.Report()
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		stamped := uint64(n)
		if work == "esp-encap" {
			stamped = 0 // nobody sees into it
		}
		if r.Packets != n || int(r.Bytes)-int(sent.Bytes) != n*added[work] || r.Stamped != stamped || w.Count().Forwarded != n {
			t.Errorf("%s: sent %+v, got %+v, forwarded %d", work, sent, r, w.Count().Forwarded)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownWork(t *testing.T) {
	if _, err := NewWorker("lo", "lo", "magic"); err == nil || !strings.Contains(err.Error(), "gre-decap") {
		t.Errorf("%v", err)
	}
}
