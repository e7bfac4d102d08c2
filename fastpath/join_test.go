package fastpath

import (
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// dup is another descriptor of the same thing, as a process gets it.
func dup(t testing.TB, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sharedConfig is the rig's, in memory that processes share.
func sharedConfig(workers int) Config {
	return Config{
		ArenaBytes: 16 << 20, MaxAdjacencies: 1024, MaxTunnels: 64, MaxRoutes: 4096, PuntSlots: 64, InjectSlots: 64, SlotSize: 4096, Flows: 256,
		Workers: workers, Processes: true,
	}
}

// newWriter is an engine for workers of other processes, with the rig's entries.
func newWriter(t testing.TB, workers int, s suite) *Engine {
	t.Helper()
	e, err := New(sharedConfig(workers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for range workers {
		if _, err := e.NewRemote(4096); err != nil {
			t.Fatal(err)
		}
	}
	b := rigBatch()
	s.hub(nil, b)
	if refused, err := e.Apply(b); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	return e
}

// joinAs maps the writer's arena a second time and is worker i.
func joinAs(t testing.TB, writer *Engine, i int) *rig {
	t.Helper()
	e, err := Join(dup(t, writer.ArenaFD()))
	if err != nil {
		t.Fatal(err)
	}
	wakes := make([]int, writer.Workers())
	punts := -1
	for k := range wakes {
		wake, up, err := writer.Worker(k).WakeFDs()
		if err != nil {
			t.Fatal(err)
		}
		wakes[k] = dup(t, wake)
		if k == i {
			punts = dup(t, up)
		}
	}
	pool := port.NewPool(make([]byte, 256*4096), 4096)
	w, err := e.JoinWorker(i, pool, wakes, punts)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, e: e, w: w, wan: &wire{pool: pool}, lan: &wire{pool: pool}, frames: pool.Free(), now: 1}
	for id, p := range map[fib.PortID]*wire{wan: r.wan, lan: r.lan} {
		if err := w.Attach(id, p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestJoin: a worker of another mapping forwards by what the writer installs, with every kind of transform, and the four verbs reach it.
func TestJoin(t *testing.T) {
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			writer := newWriter(t, 2, s)
			p := &pair{t, joinAs(t, writer, 1), newRig(t, s.spoke)}
			inner := ipv4(behind1, hostIP, pattern(300))
			if got := p.one(p.deliver(p.sealed(inner)...)); len(got) != 14+len(inner) {
				t.Errorf("%d bytes came out", len(got))
			}
			p.hub.lan.in = append(p.hub.lan.in, toLAN(ipv4(hostIP, behind1, pattern(300))))
			p.hub.settle()
			p.spoke.wan.in = append(p.spoke.wan.in, toHub(p.hub.wan.take())...)
			p.spoke.settle()
			p.one(p.spoke.lan.take())
			c := writer.Counters()
			if len(c.Workers) != 2 || c.Workers[1].Forwarded != 2 || c.Workers[0].Forwarded != 0 || c.Ports[lan].Tx.Packets != 1 {
				t.Errorf("the writer counts %+v", c.Workers)
			}
			// What is taken away is cleared, and another key under the number is another key.
			ids := []fib.SAID{saOut, saIn, ahOut, ahIn}
			if refused, err := writer.Apply(&fib.Batch{DelSAs: ids}); err != nil || len(refused) > 0 {
				t.Fatal(refused, err)
			}
			if out := p.deliver(p.sealed(inner)...); len(out) != 0 {
				t.Error("an association that is gone opens a packet")
			}
			for range 2 {
				p.hub.w.sweepTransforms()
			}
			for _, id := range ids {
				if p.hub.e.transforms[id].Load() != nil {
					t.Errorf("association %d has left its keys", id)
				}
			}
			if len(p.hub.e.late.made) != 0 {
				t.Errorf("%d numbers are still looked at", len(p.hub.e.late.made))
			}
		})
	}
}

// TestJoinVerbs: Inject, Drain and the wake-ups work across the processes.
func TestJoinVerbs(t *testing.T) {
	writer := newWriter(t, 1, gcm128)
	r := joinAs(t, writer, 0)
	wake, _, err := writer.Worker(0).WakeFDs()
	if err != nil {
		t.Fatal(err)
	}
	readable := func(fd int) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	if !r.w.down.Arm() {
		t.Fatal("something waits in the ring")
	}
	if err := writer.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, hostIP, pattern(40))}); err != nil {
		t.Fatal(err)
	}
	if !readable(wake) {
		t.Error("a worker that sleeps is not woken for what is injected")
	}
	r.settle()
	if n := len(r.lan.take()); n != 1 {
		t.Errorf("%d packets left", n)
	}
	if !writer.ArmPunt(0) {
		t.Fatal("punts wait")
	}
	fd, err := writer.PuntFD(0)
	if err != nil {
		t.Fatal(err)
	}
	r.fromLAN(toLAN(ipv4(hostIP, ip4("10.0.0.77"), pattern(40)))) // nobody knows where that is
	if !readable(fd) {
		t.Error("the writer is not woken for a punt")
	}
	var got []Reason
	writer.Drain(0, func(p *Punt) { got = append(got, p.Reason) })
	if len(got) != 1 || got[0] != Glean {
		t.Errorf("punts %v", got)
	}
	if _, err := r.e.Apply(&fib.Batch{}); err == nil {
		t.Error("a joined engine applies")
	}
	h := writer.Worker(0)
	if h.Poll(1) != 0 || h.Attach(wan, r.wan) == nil || h.Detach(wan) != nil {
		t.Error("a handle polls, or has ports")
	}
	if writer.Starts(0) != 1 || writer.Polls(0) == 0 {
		t.Errorf("%d starts, %d polls", writer.Starts(0), writer.Polls(0))
	}
}

// TestJoinSkips: what a process had in hand when it died is not given to the next, which it might kill, too; and its place among the readers is given back.
func TestJoinSkips(t *testing.T) {
	writer := newWriter(t, 1, gcm128)
	first := joinAs(t, writer, 0)
	first.w.reader.Enter() // and dies
	for range 2 {
		if err := writer.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, hostIP, pattern(40))}); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() int {
		t.Helper()
		if _, err := writer.Apply(&fib.Batch{Routes: []fib.Route{route("10.9.0.0/24", adjSpoke1, adjSpoke2)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: route("10.9.0.0/24").Prefix}}}); err != nil {
			t.Fatal(err)
		}
		return writer.arena.Reclaim()
	}
	if gone() == 0 {
		t.Error("what a reader may hold is not kept")
	}
	writer.WorkerDied(0)
	if n := gone(); n != 0 {
		t.Errorf("%d blocks wait for a dead reader", n)
	}
	second := joinAs(t, writer, 0)
	second.settle()
	if n := len(second.lan.take()); n != 1 {
		t.Errorf("%d of the packets left, want the one behind the one that was in hand", n)
	}
	if writer.Starts(0) != 2 {
		t.Errorf("%d starts", writer.Starts(0))
	}
}

// TestJoinRefuses: what does not fit together is said, and harms nothing.
func TestJoinRefuses(t *testing.T) {
	writer := newWriter(t, 2, gcm128)
	if _, err := Join(-1); err == nil {
		t.Error("joined without memory")
	}
	empty, err := unix.MemfdCreate("empty", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(empty, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := Join(empty); !errors.Is(err, ErrLayout) {
		t.Errorf("joined an empty region: %v", err)
	}
	e, err := Join(dup(t, writer.ArenaFD()))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pool := port.NewPool(make([]byte, 8*2048), 2048)
	for i, want := range map[int]string{0: "chunks", 2: "workers", -1: "workers"} {
		if _, err := e.JoinWorker(i, pool, make([]int, 2), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("worker %d: %v", i, err)
		}
	}
	if _, err := writer.JoinWorker(0, pool, make([]int, 2), 0); err == nil {
		t.Error("the writer joined itself")
	}
	if _, err := writer.NewWorker(pool); err == nil {
		t.Error("an engine for processes made a worker of its own")
	}
	if _, err := writer.NewRemote(4096); err == nil {
		t.Error("a third of two workers")
	}
	if e.ChunkSize(0) != 4096 || e.ChunkSize(2) != 0 || e.Starts(5) != 0 || e.Polls(5) != 0 {
		t.Error("what there is not has numbers")
	}
	// The meaning of the words has changed.
	for at, name := range map[int]string{blkKind: "kind", blkCounters: "counters", blkShape: "shape", blkWorkers: "workers", blkSlotSize: "slot size"} {
		was := writer.block[at]
		writer.block[at] = 1 << 40
		if _, err := Join(dup(t, writer.ArenaFD())); !errors.Is(err, ErrLayout) {
			t.Errorf("joined an arena of another %s: %v", name, err)
		}
		writer.block[at] = was
	}
}

// TestAdopt: the process after the writer has what was installed, and the worker does not notice.
func TestAdopt(t *testing.T) {
	cbc := suite{name: "cbc", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA256, authKey: 32, window: 64}
	writer := newWriter(t, 1, cbc)
	p := &pair{t, joinAs(t, writer, 0), newRig(t, cbc.spoke)}
	inner := ipv4(behind1, hostIP, pattern(100))
	replayed := p.sealed(inner)
	p.one(p.deliver(replayed...))
	for range 2 { // an adjacency's number counts from its last installation on
		p.hub.lan.in = append(p.hub.lan.in, toLAN(ipv4(hostIP, behind2, pattern(64))))
		p.hub.settle()
		if _, err := writer.Apply(&fib.Batch{DelAdjacencies: []fib.AdjID{adjSpoke2}, DelRoutes: []fib.RouteKey{{Prefix: route("10.2.0.0/24").Prefix}}, Groups: []fib.Group{{ID: group, Members: []fib.AdjID{adjSpoke1}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Apply(&fib.Batch{Adjacencies: []fib.Adjacency{tunnelAdj(adjSpoke2, spoke2NBMA)}, Routes: []fib.Route{route("10.2.0.0/24", adjSpoke2)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, diff := range []func(*Config){
		func(c *Config) { c.Workers = 2 }, func(c *Config) { c.SlotSize = 2048 }, func(c *Config) { c.ArenaBytes *= 2 }, func(c *Config) { c.ResolveInterval = 5 },
	} {
		c := sharedConfig(1)
		diff(&c)
		if _, err := Adopt(dup(t, writer.ArenaFD()), c); !errors.Is(err, ErrLayout) {
			t.Errorf("adopted with other sizes: %v", err)
		}
	}
	want, before := writer.Inherited(), writer.Counters()
	next, err := Adopt(dup(t, writer.ArenaFD()), sharedConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got := next.Inherited(); !reflect.DeepEqual(got, want) {
		t.Errorf("inherited %+v\nwant %+v", got, want)
	}
	after := next.Counters()
	after.Generation, before.Generation = 0, 0
	after.ArenaUsed, before.ArenaUsed = 0, 0
	if !reflect.DeepEqual(after, before) {
		t.Errorf("the numbers are %+v\nwere %+v", after, before)
	}
	if n := before.Adjacencies[adjSpoke2]; n.Packets != 0 {
		t.Errorf("%d packets left by an adjacency that was just installed", n.Packets)
	}
	wake, up, err := writer.Worker(0).WakeFDs()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Worker(0).UseWakeFDs(dup(t, wake), dup(t, up)); err != nil {
		t.Fatal(err)
	}
	p.one(p.deliver(p.sealed(inner)...))
	if out := p.deliver(replayed...); len(out) != 0 {
		t.Error("a replayed packet came in after the change of writers")
	}
	// It writes.
	if refused, err := next.Apply(&fib.Batch{Routes: []fib.Route{route("10.77.0.0/16", adjSpoke1)}}); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	p.hub.lan.in = append(p.hub.lan.in, toLAN(ipv4(hostIP, ip4("10.77.1.1"), pattern(64))))
	p.hub.settle()
	if n := len(p.hub.wan.take()); n != 1 {
		t.Errorf("%d packets by a route of the new writer", n)
	}
	if err := next.Inject(Inject{Kind: InjectRoute, Packet: ipv4(hubLAN, hostIP, pattern(40))}); err != nil {
		t.Fatal(err)
	}
	p.hub.settle()
	if n := len(p.hub.lan.take()); n != 1 {
		t.Errorf("%d injected packets left", n)
	}
}

// hooked calls hook before it gives its first frames.
type hooked struct {
	wire
	hook func()
}

func (p *hooked) Recv(fs []port.Frame) int {
	if p.hook != nil && len(p.in) > 0 {
		p.hook()
		p.hook = nil
	}
	return p.wire.Recv(fs)
}

// TestKeyReplacedInPoll: an association goes and another gets its number while a packet waits to be sealed by it, together with others. Both leave sealed, each by
// the key that was there when its turn came.
func TestKeyReplacedInPoll(t *testing.T) {
	s := suite{name: "aes-cbc-128-sha1", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20}
	writer := newWriter(t, 1, s)
	r := joinAs(t, writer, 0)
	r.w.Detach(wan)
	r.w.Detach(lan)
	first, second := &hooked{wire: wire{pool: r.w.pool}}, &hooked{wire: wire{pool: r.w.pool}}
	for i, id := range []fib.PortID{lan, wan} { // polled in this order
		if err := r.w.Attach(id, []*hooked{first, second}[i]); err != nil {
			t.Fatal(err)
		}
	}
	old := s.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)[0]
	next := old
	next.SPI, next.CipherKey = old.SPI+9, testKey(16, 77)
	second.hook = func() {
		for _, b := range []*fib.Batch{{DelSAs: []fib.SAID{saOut}}, {SAs: []fib.SA{next}}} {
			if refused, err := writer.Apply(b); err != nil || len(refused) > 0 {
				t.Fatal(refused, err)
			}
		}
	}
	first.in = [][]byte{toLAN(ipv4(hostIP, behind1, pattern(300)))}
	second.in = [][]byte{toWAN(ipv4(hostIP, behind1, pattern(300)))}
	r.w.Poll(1)
	if len(second.out) != 2 {
		t.Fatalf("%d packets left: %v", len(second.out), r.nonZero())
	}
	x := sa.NewScratch(4096, r.e.ivs)
	for i, f := range []fib.SA{old, next} {
		tr, err := sa.NewLibrary(&f)
		if err != nil {
			t.Fatal(err)
		}
		esp := packet.IPv4(second.out[i][packet.EthernetLen:]).Payload()
		chunk := append(make([]byte, 8), esp...)
		if _, ok := tr.Open(x, chunk, 8, len(esp), 1); !ok || binary.BigEndian.Uint32(esp) != f.SPI {
			t.Errorf("packet %d with SPI %#x does not open by its key", i, binary.BigEndian.Uint32(esp))
		}
	}
}
