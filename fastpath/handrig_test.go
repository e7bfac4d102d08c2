package fastpath

import (
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/port"
)

// crew is the rig with more workers, each with wires of its own to the ports, unless a test takes them away.
type crew struct {
	*rig
	w     []*Worker
	wan   []*wire
	lan   []*wire
	free  []int
	punts int
}

func newCrew(t testing.TB, workers int, change ...func(*Config, *fib.Batch)) *crew {
	t.Helper()
	change = append([]func(*Config, *fib.Batch){func(c *Config, _ *fib.Batch) {
		c.Workers, c.ArenaBytes, c.SlotSize = workers, 64<<20, 2048
	}}, change...)
	r := newRig(t, change...)
	c := &crew{rig: r, w: []*Worker{r.w}, wan: []*wire{r.wan}, lan: []*wire{r.lan}, free: []int{r.frames}}
	for range workers - 1 {
		pool := port.NewPool(make([]byte, 1024*2048), 2048)
		w, err := r.e.NewWorker(pool)
		if err != nil {
			t.Fatal(err)
		}
		a, b := &wire{pool: pool}, &wire{pool: pool}
		if err := w.Attach(wan, a); err != nil {
			t.Fatal(err)
		}
		if err := w.Attach(lan, b); err != nil {
			t.Fatal(err)
		}
		c.w, c.wan, c.lan, c.free = append(c.w, w), append(c.wan, a), append(c.lan, b), append(c.free, pool.Free())
	}
	t.Cleanup(c.accounted)
	return c
}

// accounted checks that every frame is back in its pool, and that every packet of each worker is accounted for.
func (c *crew) accounted() {
	c.t.Helper()
	for k, n := range c.e.Counters().Workers {
		if free := c.w[k].pool.Free(); free != c.free[k] {
			c.t.Errorf("worker %d: %d frames in the pool, want %d", k, free, c.free[k])
		}
		ended := n.Forwarded + n.HandedOver
		for i := range n.Reasons {
			if cl := Reason(i).Class(); cl == ClassDrop || cl == ClassPunt {
				ended += n.Reasons[i]
			}
		}
		if ended != n.Packets {
			c.t.Errorf("worker %d: %d packets came in, %d are accounted for; reasons %v", k, n.Packets, ended, c.nonZero())
		}
	}
}

// turn polls every worker until none has anything to do.
func (c *crew) turn() {
	for again := true; again; {
		again = false
		for k, w := range c.w {
			again = w.Poll(c.now) > 0 || again
			c.e.Drain(k, func(*Punt) { c.punts++ })
		}
	}
}

// fromOneQueue spreads what arrives at worker 0's WAN.
func (c *crew) fromOneQueue() {
	c.t.Helper()
	if err := c.e.HandOver(wan, 0); err != nil {
		c.t.Fatal(err)
	}
}
