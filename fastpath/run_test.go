package fastpath

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
)

// patience is how long a test waits for what a worker that runs by itself does; of sleepsLong, what is waited for so long was not woken.
const patience = 30 * time.Second

// sleepsLong is a worker that does nothing in time unless it is woken.
var sleepsLong = RunConfig{Adaptive: true, longest: time.Hour}

// live is a rig whose worker runs by itself, with cables to the outside.
type live struct {
	*rig
	far    map[fib.PortID]*mem.End
	pool   *port.Pool // of the far ends
	cancel func()
	ended  chan error
}

func newLive(t *testing.T, cfg RunConfig, pollable bool) *live {
	t.Helper()
	l := &live{rig: newRig(t), far: map[fib.PortID]*mem.End{}, pool: port.NewPool(make([]byte, 256*2048), 2048), ended: make(chan error, 1)}
	l.w.Detach(wan)
	l.w.Detach(lan)
	l.plug(wan, pollable)
	l.plug(lan, pollable)
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() { l.ended <- l.w.Run(ctx, cfg) }()
	t.Cleanup(l.stop)
	return l
}

func (l *live) plug(id fib.PortID, pollable bool) {
	l.t.Helper()
	c, err := mem.New(l.w.pool, l.pool, mem.Config{Poll: pollable})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		l.stop() // a port is closed once no worker has it
		_, _ = c.End(0).Close(), c.End(1).Close()
	})
	if err := l.w.Attach(id, c.End(0)); err != nil {
		l.t.Fatal(err)
	}
	l.far[id] = c.End(1)
}

func (l *live) stop() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.cancel = nil
	select {
	case err := <-l.ended:
		if err != nil {
			l.t.Error(err)
		}
	case <-time.After(patience):
		l.t.Fatal("Run does not end")
	}
}

// exchange sends a frame into one port and waits for what comes out of another.
func (l *live) exchange(in fib.PortID, frame []byte, out fib.PortID) []byte {
	l.t.Helper()
	c, ok := l.pool.Get()
	if !ok {
		l.t.Fatal("no frame")
	}
	f := port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(frame))}
	copy(l.pool.Bytes(f), frame)
	if l.far[in].Send([]port.Frame{f}) != 1 {
		l.t.Fatal("the cable took nothing")
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		var fs [1]port.Frame
		if l.far[out].Recv(fs[:]) == 1 {
			b := bytes.Clone(l.pool.Bytes(fs[0]))
			l.pool.Put(fs[0].Chunk)
			return b
		}
	}
	l.t.Fatalf("nothing came out; %v", l.nonZero())
	return nil
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name     string
		cfg      RunConfig
		pollable bool
	}{
		{"strict", RunConfig{}, false},
		{"adaptive", RunConfig{Adaptive: true}, true},
		{"adaptive, ports without a descriptor", RunConfig{Adaptive: true}, false},
		{"pinned", RunConfig{Adaptive: true, Pin: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLive(t, c.cfg, c.pollable)
			for i := range 30 {
				if i%10 == 9 {
					time.Sleep(3 * time.Millisecond) // asleep, if it sleeps
				}
				got := l.exchange(wan, toWAN(ipv4(behind1, hostIP, pattern(i))), lan)
				if want := ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(i), ttl(63))); !bytes.Equal(got, want) {
					t.Fatalf("packet %d: %x, want %x", i, got, want)
				}
			}
			l.stop()
		})
	}
}

// TestIdle: a worker with nothing to do looks about once a sleep, and does not spin in between.
func TestIdle(t *testing.T) {
	for _, pollable := range []bool{true, false} {
		l := newLive(t, RunConfig{Adaptive: true}, pollable)
		l.exchange(wan, toWAN(ipv4(behind1, hostIP, nil)), lan)
		l.idles(2500)
		l.stop()
	}
}

// idles waits until the worker polls no more often in a second than it may. It goes by the time that passes and not by that of one sleep, and waits: a busy machine may hold up either side.
func (l *live) idles(often int) {
	l.t.Helper()
	polls := func() uint64 { return l.e.Counters().Workers[0].Polls }
	for late := time.Now().Add(patience); ; {
		before, at := polls(), time.Now()
		time.Sleep(100 * time.Millisecond)
		n, took := polls()-before, time.Since(at)
		if float64(n) <= float64(often)*took.Seconds() {
			return
		}
		if time.Now().After(late) {
			l.t.Fatalf("%d polls in %v with nothing to do", n, took)
		}
	}
}

// busyLink is a port with a descriptor that never becomes readable, on a link that takes a frame only at the thirtieth
// Flush that comes half a millisecond after the one before: not while the worker still spins.
type busyLink struct {
	wire
	fd    int
	waits int // flushes until it is sent; 0 is nothing pending
	last  time.Time
	sent  chan struct{}
}

func (p *busyLink) FD() int       { return p.fd }
func (p *busyLink) Pending() bool { return p.waits > 0 }
func (p *busyLink) Send(fs []port.Frame) int {
	p.waits, p.last = 30, time.Now()
	return p.wire.Send(fs)
}
func (p *busyLink) Flush() {
	now := time.Now()
	if p.waits > 0 && now.Sub(p.last) > shortSleep/2 {
		if p.waits--; p.waits == 0 {
			p.sent <- struct{}{}
		}
	}
	p.last = now
}

// TestPending: frames that a busy link has not taken are pushed on every millisecond, though nothing becomes readable.
func TestPending(t *testing.T) {
	l := newLive(t, sleepsLong, true)
	l.w.Detach(lan)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	p := &busyLink{wire: wire{pool: l.w.pool}, fd: fd, sent: make(chan struct{}, 8)}
	t.Cleanup(func() {
		l.stop()
		_ = unix.Close(fd)
	})
	if err := l.w.Attach(lan, p); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Millisecond) // asleep
	if err := l.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, hostIP, nil)}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.sent:
	case <-time.After(patience):
		t.Fatal("the link was not flushed")
	}
	l.idles(200) // with nothing pending
}

// TestInjectWakes: an injected packet, and a port that comes, wake a sleeping worker at once.
func TestInjectWakes(t *testing.T) {
	l := newLive(t, sleepsLong, true)
	for i := range uint64(5) {
		time.Sleep(3 * time.Millisecond)
		if err := l.e.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubTunnel, hostIP, nil)}); err != nil {
			t.Fatal(err)
		}
		for late := time.Now().Add(patience); l.e.Counters().Ports[lan].Tx.Packets <= i; time.Sleep(20 * time.Microsecond) {
			if time.Now().After(late) {
				t.Fatalf("the worker was not woken for injected packet %d", i)
			}
		}
	}
	time.Sleep(3 * time.Millisecond)
	l.w.Detach(lan)
	l.plug(lan, true)
	l.exchange(wan, toWAN(ipv4(behind1, hostIP, nil)), lan)
}

// TestSleeperHoldsUpNothing: what is removed while a worker sleeps, or is never polled again, is reclaimed.
func TestSleeperHoldsUpNothing(t *testing.T) {
	l := newLive(t, sleepsLong, true)
	l.exchange(wan, toWAN(ipv4(behind1, hostIP, nil)), lan)
	time.Sleep(5 * time.Millisecond)
	used := l.e.Counters().ArenaUsed
	for late := time.Now().Add(patience); ; { // it may be held up before it sleeps
		for i := range 200 {
			a := tunnelAdj(100, spoke1NBMA)
			a.MTU = uint16(1000 + i)
			l.apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}})
		}
		n := l.e.Counters().ArenaUsed
		if n <= used+4096 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%d bytes wait for a worker that sleeps", n-used)
		}
	}
}

// TestAttachDetach: ports come and go under a running worker; a detached port is not touched any more.
func TestAttachDetach(t *testing.T) {
	l := newLive(t, RunConfig{}, false)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for range 200 {
			p := l.w.Detach(lan)
			if p == nil {
				t.Error("the port was not there")
				return
			}
			if err := l.w.Attach(lan, p); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 200 {
		l.pool.Free()
		l.far[wan].Stats()
		time.Sleep(10 * time.Microsecond)
	}
	wg.Wait()
	l.exchange(wan, toWAN(ipv4(behind1, hostIP, nil)), lan)
	if err := l.w.Attach(lan, l.far[lan]); err == nil {
		t.Error("a port attached twice")
	}
	for _, id := range []fib.PortID{0, 256} {
		if err := l.w.Attach(id, l.far[lan]); err == nil || l.w.Detach(id) != nil {
			t.Errorf("port %d", id)
		}
	}
}

func TestBadCPU(t *testing.T) {
	r := newRig(t)
	if err := r.w.Run(context.Background(), RunConfig{Pin: true, CPU: 9999}); err == nil {
		t.Error("CPU 9999: no error")
	}
}

// TestClose: Run and Punts end when the engine is closed, and everything else becomes an error.
func TestClose(t *testing.T) {
	e, err := New(Config{ArenaBytes: 16 << 20, MaxAdjacencies: 64, PuntSlots: 16, InjectSlots: 16})
	if err != nil {
		t.Fatal(err)
	}
	w, err := e.NewWorker(port.NewPool(make([]byte, 16*2048), 2048))
	if err != nil {
		t.Fatal(err)
	}
	ran, punted := make(chan error), make(chan error)
	go func() { ran <- w.Run(context.Background(), RunConfig{Adaptive: true}) }()
	go func() { punted <- e.Punts(context.Background(), 0, func(*Punt) {}) }()
	time.Sleep(5 * time.Millisecond)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Error("Run:", err)
	}
	if err := <-punted; err == nil {
		t.Error("Punts of a closed engine: no error")
	}
	if _, err := e.Apply(&fib.Batch{}); err == nil {
		t.Error("apply to a closed engine")
	}
	if err := e.Inject(Inject{Kind: InjectRoute}); err == nil {
		t.Error("inject into a closed engine")
	}
	if err := w.Attach(1, &wire{}); err == nil {
		t.Error("attach to a closed engine")
	}
	if n := w.Poll(0); n != 0 || e.Drain(0, nil) != 0 || e.ArmPunt(0) || len(e.Counters().Workers) != 0 || e.AdjacencyCount(17) != (Count{}) {
		t.Error("a closed engine does something")
	}
	if err := e.Close(); err != nil {
		t.Error("closing again:", err)
	}
}
