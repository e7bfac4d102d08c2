package bgp

import (
	"testing"
	"time"
)

// twin is a box at another's address: the router, restarted.
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
	port := testPort(t)
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
