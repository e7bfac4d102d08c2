package fastpath

import (
	"sync"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
)

// TestCaptureConcurrent: captures begin, are read, renewed and end while a worker forwards. Under the race detector it says whether they share anything but the ring.
func TestCaptureConcurrent(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fib.Batch) { c.heap = true })
	r.w.Detach(wan)
	r.w.Detach(lan)
	in := &echo{r: r, frame: fromSpoke1(ipv4(behind1, hostIP, pattern(40)))}
	for id, p := range map[fib.PortID]*echo{wan: in, lan: {r: r}} {
		if err := r.w.Attach(id, p); err != nil {
			t.Fatal(err)
		}
	}
	var over atomic.Bool
	var polls sync.WaitGroup
	polls.Go(func() {
		for now := int64(1); !over.Load(); now++ {
			r.w.Poll(now)
		}
	})
	for round := range 30 {
		q := CaptureRequest{Points: captureAll, Until: 1 << 60, Most: uint64(round % 3 * 100)}
		if round%2 == 0 {
			q.Filter = []CaptureStep{{Field: CaptureProto, Value: 17, Yes: CaptureAccept, No: CaptureReject}}
		}
		c, err := r.e.Capture(q)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 50; { // the worker goes on until it has copied as many
			n += c.Drain(func(p *Captured) bool {
				if p.Len != len(p.Data) || p.Point&q.Points == 0 {
					t.Errorf("%+v", p)
				}
				return true
			})
			c.Renew(1 << 60)
			_ = c.Lost()
		}
		c.Close()
	}
	over.Store(true)
	polls.Wait()
	in.frame = nil
}

// TestCaptureAdopted: what a writer asked for that has died is over when the next one has adopted the tables, which may ask itself.
func TestCaptureAdopted(t *testing.T) {
	first := newWriter(t, 1, gcm128)
	p := &pair{t, joinAs(t, first, 0), newRig(t, gcm128.spoke)}
	if _, err := first.Capture(CaptureRequest{Points: CaptureTunnelIn, Until: 1 << 60}); err != nil {
		t.Fatal(err)
	}
	next, err := Adopt(dup(t, first.ArenaFD()), sharedConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if p.hub.w.tapped || p.hub.w.tap.asked {
		t.Error("the worker captures for a writer that is dead")
	}
	c, err := next.Capture(CaptureRequest{Points: CaptureTunnelIn, Until: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(300)))...)
	if list := copies(c); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}
