package mem

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"

	"nave/fastpath/port"
)

var _ port.Port = (*End)(nil)

// bench is a cable between two pools.
type bench struct {
	t     *testing.T
	c     *Cable
	pools [2]*port.Pool
	now   int64
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t}
	for i := range b.pools {
		b.pools[i] = port.NewPool(make([]byte, 16*2048), 2048)
	}
	cfg.Now = func() int64 { return b.now }
	c, err := New(b.pools[0], b.pools[1], cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.c = c
	t.Cleanup(func() {
		for i := range 2 {
			if err := c.End(i).Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

// frame is a frame of an end's pool.
func (b *bench) frame(end int, data string) port.Frame {
	b.t.Helper()
	c, ok := b.pools[end].Get()
	if !ok {
		b.t.Fatal("no frame")
	}
	f := port.Frame{Chunk: c, Start: 100, Len: uint16(len(data))}
	copy(b.pools[end].Bytes(f), data)
	return f
}

func (b *bench) send(end int, data ...string) int {
	b.t.Helper()
	var fs []port.Frame
	for _, d := range data {
		fs = append(fs, b.frame(end, d))
	}
	n := b.c.End(end).Send(fs)
	for _, f := range fs[n:] {
		b.pools[end].Put(f.Chunk)
	}
	return n
}

func (b *bench) recv(end int, want ...string) {
	b.t.Helper()
	var fs [8]port.Frame
	n := b.c.End(end).Recv(fs[:])
	var got []string
	for _, f := range fs[:n] {
		if f.Start < port.Headroom {
			b.t.Errorf("a frame with headroom %d", f.Start)
		}
		got = append(got, string(b.pools[end].Bytes(f)))
		b.pools[end].Put(f.Chunk)
	}
	if len(got) != len(want) {
		b.t.Fatalf("received %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			b.t.Errorf("frame %d is %q, want %q", i, got[i], want[i])
		}
	}
	for i, p := range b.pools {
		if p.Free() != 16 {
			b.t.Errorf("pool %d has %d free frames", i, p.Free())
		}
	}
}

func TestBothWays(t *testing.T) {
	b := newBench(t, Config{})
	b.send(0, "one", "two")
	b.send(1, "three")
	b.recv(1, "one", "two")
	b.recv(0, "three")
	b.recv(0)
	if s := b.c.End(0).Stats(); s != (Stats{Sent: 2}) {
		t.Errorf("stats %+v", s)
	}
}

func TestBounded(t *testing.T) {
	b := newBench(t, Config{Frames: 3})
	for range 5 { // around the circle
		if n := b.send(0, "a", "b", "c", "d"); n != 3 {
			t.Fatalf("took %d of 4", n)
		}
		b.recv(1, "a", "b", "c")
	}
}

func TestTooLong(t *testing.T) {
	b := newBench(t, Config{MTU: 5})
	if n := b.send(0, "12345", "123456", "1"); n != 3 {
		t.Fatalf("took %d", n)
	}
	b.recv(1, "12345", "1")
	if s := b.c.End(0).Stats(); s.TooLong != 1 || s.Sent != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestLossAndDelay(t *testing.T) {
	b := newBench(t, Config{Hook: func(end int, frame []byte) (int64, bool) {
		switch string(frame) {
		case "lost":
			return 0, true
		case "slow":
			return 100, false
		}
		return int64(end), false
	}})
	b.send(0, "lost", "first", "slow", "behind")
	if due, ok := b.c.NextDue(); !ok || due != 0 {
		t.Errorf("next at %d, %v", due, ok)
	}
	b.recv(1, "first")
	b.now = 99
	b.recv(1)
	if due, ok := b.c.NextDue(); !ok || due != 100 {
		t.Errorf("next at %d, %v", due, ok)
	}
	b.now = 100
	b.recv(1, "slow", "behind") // order is kept
	b.send(1, "back")
	b.recv(0)
	b.now = 101
	b.recv(0, "back")
	if s := b.c.End(0).Stats(); s.Lost != 1 {
		t.Errorf("stats %+v", s)
	}
	if _, ok := b.c.NextDue(); ok {
		t.Error("something is on its way in an empty cable")
	}
}

func TestNoFrame(t *testing.T) {
	b := newBench(t, Config{})
	var held []uint32
	for b.pools[1].Free() > 1 {
		c, _ := b.pools[1].Get()
		held = append(held, c)
	}
	b.send(0, "a", "b")
	var fs [8]port.Frame
	if n := b.c.End(1).Recv(fs[:]); n != 1 {
		t.Fatalf("received %d", n)
	}
	for _, c := range append(held, fs[0].Chunk) {
		b.pools[1].Put(c)
	}
	if s := b.c.End(0).Stats(); s.NoFrame != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestClosedEnd(t *testing.T) {
	b := newBench(t, Config{})
	b.send(0, "on its way")
	if err := b.c.End(1).Close(); err != nil {
		t.Fatal(err)
	}
	if n := b.send(0, "too late"); n != 1 {
		t.Errorf("took %d", n)
	}
	b.recv(1)
	b.send(1, "still sends")
	b.recv(0, "still sends")
	if s := b.c.End(0).Stats(); s.Lost != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestPollFD(t *testing.T) {
	b := newBench(t, Config{Poll: true})
	readable := func() bool {
		p := []unix.PollFd{{Fd: int32(b.c.End(1).FD()), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	for range 2 {
		if readable() {
			t.Error("an empty cable is readable")
		}
		b.send(0, "a", "b")
		if !readable() {
			t.Error("a frame waits and nobody knows")
		}
		b.recv(1, "a", "b")
	}
	if fd := newBench(t, Config{}).c.End(0).FD(); fd != -1 {
		t.Errorf("descriptor %d without asking for one", fd)
	}
}

func TestSharedPool(t *testing.T) {
	pool := port.NewPool(make([]byte, 4*2048), 2048)
	c, err := New(pool, pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ch, _ := pool.Get()
	f := port.Frame{Chunk: ch, Start: port.Headroom, Len: 3}
	copy(pool.Bytes(f), "abc")
	c.End(0).Send([]port.Frame{f})
	c.End(0).Flush()
	var fs [2]port.Frame
	if n := c.End(1).Recv(fs[:]); n != 1 || !bytes.Equal(pool.Bytes(fs[0]), []byte("abc")) || pool.Free() != 3 {
		t.Errorf("received %d, %d free", n, pool.Free())
	}
	if _, err := New(pool, pool, Config{Frames: -1}); err == nil {
		t.Error("a cable of -1 frames")
	}
}
