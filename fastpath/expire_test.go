package fastpath

import (
	"testing"
	"time"

	"nave/fastpath/fib"
)

// TestEndExpired: an association whose lifetime is over seals and opens nothing any more once a worker was told so, of whatever transform; others are left alone. Limits that
// are given anew bring it back.
func TestEndExpired(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			writer := newWriter(t, 2, s)
			p := &pair{t, joinAs(t, writer, 1), newRig(t, s.spoke)}
			list := s.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)
			until := func(at int64) {
				for i := range list {
					list[i].Expires = at
				}
				if refused, err := writer.Apply(&fib.Batch{SAs: list}); err != nil || len(refused) > 0 {
					t.Fatal(refused, err)
				}
			}
			inner, back := ipv4(behind1, hostIP, pattern(300)), toLAN(ipv4(hostIP, behind1, pattern(300)))
			passes := func() (in, out bool) {
				in = len(p.deliver(p.sealed(inner)...)) == 1
				p.hub.lan.in = append(p.hub.lan.in, back)
				p.hub.settle()
				return in, len(p.hub.wan.take()) == 1
			}
			for _, at := range []int64{0, now.Unix(), now.Unix() + 1} {
				until(at)
				if _, n := p.hub.w.EndExpired(now, 0, 1<<20); n != 0 {
					t.Errorf("%d associations until %d have ended at %d", n, at, now.Unix())
				}
			}
			if in, out := passes(); !in || !out {
				t.Fatalf("nothing passes: %v, %v", in, out)
			}
			until(now.Unix() - 1)
			all, steps := 0, 0
			for next := fib.SAID(0); ; steps++ {
				var n int
				if next, n = p.hub.w.EndExpired(now, next, 100); next == 0 {
					all += n
					break
				}
				all += n
			}
			if all != len(list) || steps != p.hub.e.cfg.MaxSAs/100 {
				t.Errorf("%d associations have ended in %d steps, want %d", all, steps, len(list))
			}
			before := p.hub.count(SAExpired)
			if in, out := passes(); in || out || p.hub.count(SAExpired) != before+2 {
				t.Errorf("after its lifetime: in %v, out %v, %d dropped", in, out, p.hub.count(SAExpired)-before)
			}
			if _, n := p.hub.w.EndExpired(now, 0, 1<<20); n != 0 {
				t.Errorf("%d associations have ended twice", n)
			}
			left := writer.Inherited().SAs
			for i := range left {
				if left[i].HardBytes != 1 {
					t.Errorf("who takes over finds a limit of %d bytes", left[i].HardBytes)
				}
			}
			if refused, err := writer.Apply(&fib.Batch{SAs: left}); err != nil || len(refused) > 0 {
				t.Fatal(refused, err)
			}
			if in, out := passes(); in || out {
				t.Error("what is found and applied again as it is goes on")
			}
			until(now.Unix() + 100)
			if in, out := passes(); !in || !out {
				t.Errorf("with its limits again: in %v, out %v", in, out)
			}
		})
	}
}

// TestEndExpiredBeside: a worker looks while the writer takes associations away and makes others of the same numbers.
func TestEndExpiredBeside(t *testing.T) {
	s := suites()[0]
	writer := newWriter(t, 1, s)
	r := joinAs(t, writer, 0)
	list := s.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)
	ids := make([]fib.SAID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				r.w.EndExpired(time.Unix(1, 0), 0, 1<<20)
			}
		}
	}()
	for range 500 {
		if _, err := writer.Apply(&fib.Batch{DelSAs: ids}); err != nil {
			t.Fatal(err)
		}
		if refused, err := writer.Apply(&fib.Batch{SAs: list}); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
	}
	close(stop)
	<-done
	for _, f := range writer.Inherited().SAs {
		if f.HardBytes != 0 {
			t.Errorf("association %d has ended, whose lifetime is not known", f.ID)
		}
	}
}
