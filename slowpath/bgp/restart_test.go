package bgp

import (
	"fmt"
	"testing"
	"time"

	"nave/testbed/ports"
)

// reborn is a box at the same address: the router, restarted.
func (b *box) reborn(t *testing.T) *box {
	n := newBox(t, int(b.n))
	n.labels.next += 500
	return n
}

// breakOff ends all connections of a box as when its process is killed.
func (b *box) breakOff() {
	b.s.mu.Lock()
	for _, d := range b.s.doors {
		d.l.Close()
	}
	var links []*link
	for _, in := range b.s.instances {
		for _, l := range in.links {
			links = append(links, l)
		}
	}
	b.s.closed = true // who still calls is told nothing
	b.s.mu.Unlock()
	for _, l := range links {
		l.quiet.Store(true)
		l.stop()
	}
}

// A router that restarts without having forwarded on says so, and its routes go at once; then they come back, long before GoBGP would have listened.
func TestColdRestart(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	gr := GracefulRestart{Enabled: true, RestartTime: 60 * time.Second}
	ca, cb := a.base(port, 65000, b), b.base(port, 65000, a)
	ca.GracefulRestart, cb.GracefulRestart = gr, gr
	a.announce(Local{Prefix: pfx("10.1.0.0/16")}, Local{Prefix: pfx("10.2.0.0/16")})
	a.configure(ca)
	b.configure(cb)
	established(t, a, b)
	wait(t, "routes", func() bool { return has(b, "", "10.1.0.0/16")() && has(b, "", "10.2.0.0/16")() })
	time.Sleep(200 * time.Millisecond)
	a.breakOff()
	wait(t, "the session to end", func() bool { _, down := b.ups(a.addr); return down == 1 })
	a2 := a.reborn(t)
	a2.announce(Local{Prefix: pfx("10.1.0.0/16")})
	began := time.Now()
	a2.configure(ca)
	established(t, a2, b)
	wait(t, "what is no more to go", func() bool { return !has(b, "", "10.2.0.0/16")() && has(b, "", "10.1.0.0/16")() })
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A hub that swaps labels is restarted and forwards on: its clients keep every route, and take the new labels in the place of the old ones.
func TestWarmRestart(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	h, a, b := newBox(t, 1), newBox(t, 2), newBox(t, 3)
	gr := GracefulRestart{Enabled: true, RestartTime: 60 * time.Second}
	ch := h.vpn(port, a, b)
	ch.VRFs, ch.GracefulRestart = twoVRFs(), gr
	for i := range ch.Neighbours {
		ch.Neighbours[i].Client, ch.Neighbours[i].Families[0].NextHopSelf = true, true
	}
	locals := func(x *box, n byte) {
		for i, vrf := range []string{"red", "blue"} {
			x.announce(Local{VRF: vrf, Prefix: pfx(fmt.Sprintf("192.168.%d.0/24", n)), Label: uint32(n)*10 + uint32(i)})
		}
	}
	locals(h, 10)
	h.configure(ch)
	for n, x := range []*box{a, b} {
		c := x.vpn(port, h)
		c.VRFs, c.GracefulRestart = twoVRFs(), gr
		locals(x, byte(11+n))
		x.configure(c)
	}
	established(t, h, a, b)
	for _, vrf := range []string{"red", "blue"} {
		wait(t, "routes", func() bool {
			return has(a, vrf, "192.168.10.0/24")() && has(a, vrf, "192.168.12.0/24")() && has(b, vrf, "192.168.10.0/24")() && has(b, vrf, "192.168.11.0/24")()
		})
	}
	time.Sleep(1500 * time.Millisecond)
	old := make(map[string]uint32)
	for _, x := range []*box{a, b} {
		x.mu.Lock()
		for k, r := range x.routes {
			old[fmt.Sprint(x.n, k)] = r.Labels[0]
		}
		x.lowest = len(x.routes)
		x.mu.Unlock()
	}
	h.breakOff()
	for _, x := range []*box{a, b} {
		wait(t, "the session to end", func() bool { _, down := x.ups(h.addr); return down == 1 })
	}
	h2 := h.reborn(t)
	locals(h2, 10)
	ch.GracefulRestart.Restarting = true
	began := time.Now()
	h2.configure(ch)
	established(t, h2, a, b)
	for _, x := range []*box{a, b} {
		wait(t, "the new labels", func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			for k, r := range x.routes {
				if k.Prefix != pfx("192.168.10.0/24") && r.Labels[0] == old[fmt.Sprint(x.n, k)] {
					return false
				}
			}
			return true
		})
	}
	if d := time.Since(began); d > 9*time.Second {
		t.Errorf("it took %v", d)
	}
	settled := func() int {
		h2.mu.Lock()
		defer h2.mu.Unlock()
		return h2.settled
	}
	if settled() != 0 {
		t.Error("settled while labels of before were in use")
	}
	time.Sleep(3 * time.Second)
	wait(t, "the hub to have settled", func() bool { return settled() == 1 })
	for _, x := range []*box{a, b} {
		x.mu.Lock()
		if x.lowest != 4 || len(x.routes) != 4 {
			t.Errorf("%s had %d routes at a time, and has %d", x.addr, x.lowest, len(x.routes))
		}
		for k, r := range x.routes {
			if w, ok := h2.swapOf(r.Labels[0]); k.Prefix != pfx("192.168.10.0/24") && (!ok || w.Prefix != k.Prefix) {
				t.Errorf("%s has label %d for %v, which the hub swaps for %+v", x.addr, r.Labels[0], k, w)
			}
		}
		x.mu.Unlock()
	}
}
