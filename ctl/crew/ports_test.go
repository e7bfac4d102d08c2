package crew

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/fastpath/port/afxdp"
	"nave/testbed/netns"
)

const (
	bossEnv = "NAVE_TEST_BOSS"
	ringEnv = "NAVE_TEST_RING" // entries of each ring; 1024 where it is not set
	// spaceEnv is the namespace that the second port is in; "": that of the boss
	spaceEnv = "NAVE_TEST_SPACE"
)

// Two ports, each with a queue for either of two workers: packets that come in by one leave by the other.
const (
	inPort, outPort = fib.PortID(1), fib.PortID(2)
	inDev, outDev   = "in0", "out0"
	queues          = 2
)

var (
	inMAC, outMAC   = [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	feedMAC, endMAC = [6]byte{2, 0, 0, 0, 0, 3}, [6]byte{2, 0, 0, 0, 0, 4}
)

// TestPorts: real queues in a namespace. A worker that dies costs the other one no packet; a naved that dies costs none at all.
func TestPorts(t *testing.T) {
	if dir := os.Getenv(bossEnv); dir != "" {
		boss(dir)
		return
	}
	ns, far := netns.New(t, "crew"), netns.New(t, "far")
	for _, v := range []struct {
		dev, peer     string
		mac, peerAddr [6]byte
	}{{inDev, "feed", inMAC, feedMAC}, {outDev, "end", outMAC, endMAC}} {
		words := fmt.Sprintf("ip link add %s address %s numtxqueues 2 numrxqueues 2 type veth peer name %s address %s numtxqueues 2 numrxqueues 2 netns %s",
			v.dev, net.HardwareAddr(v.mac[:]), v.peer, net.HardwareAddr(v.peerAddr[:]), far.Name)
		if out, err := ns.Run(strings.Fields(words)...); err != nil {
			t.Fatal(err, out)
		}
		for n, dev := range map[*netns.NS]string{ns: v.dev, far: v.peer} {
			if out, err := n.Run("ip", "link", "set", dev, "up"); err != nil {
				t.Fatal(err, out)
			}
		}
	}
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := bpf.RemovePins(dir); err != nil {
			t.Error(err)
		}
	})
	b := startBoss(t, ns, dir)
	t.Cleanup(func() { _ = b.cmd.Process.Kill() }) // the latest
	tr := startTraffic(t, far)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *netns.NS, string, *bossProcess, *traffic) *bossProcess
	}{{"worker", killWorker}, {"naved", killBoss}, {"sockets", otherSockets}, {"detach", detachPort}, {"netdev", netdevGone}, {"space", movePort}} {
		if !t.Run(step.name, func(t *testing.T) { b = step.run(t, ns, dir, b, tr) }) {
			break
		}
	}
	tr.stop()
	b.do(t, "stop")
	if err := b.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func killWorker(t *testing.T, _ *netns.NS, _ string, b *bossProcess, tr *traffic) *bossProcess {
	tr.loss(t) // from here on
	for range 3 {
		was := b.pids(t)
		if err := unix.Kill(was[0], unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		eventually(t, "worker 0 is back", func() bool { now := b.pids(t); return now[0] != 0 && now[0] != was[0] })
		back := time.Since(at)
		eventually(t, "it forwards", func() bool { return tr.flows(0) })
		t.Logf("back after %v", back)
		if now := b.pids(t); back > time.Second || now[1] != was[1] {
			t.Errorf("after %v the workers are %v, were %v", back, now, was)
		}
	}
	lost := tr.loss(t)
	if lost[1] != 0 {
		t.Errorf("worker 1 lost %d packets when worker 0 died", lost[1])
	}
	if lost[0] == 0 || lost[0] > 3*rate {
		t.Errorf("worker 0 lost %d packets in three deaths: want some, of a second each at most", lost[0])
	}
	t.Logf("lost %d packets, %v apart, in three deaths", lost[0], time.Second/rate)
	return b
}

func killBoss(t *testing.T, ns *netns.NS, dir string, b *bossProcess, tr *traffic) *bossProcess {
	was := b.pids(t)
	tr.loss(t)
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Wait() // killed
	time.Sleep(300 * time.Millisecond)
	b = startBoss(t, ns, dir)
	time.Sleep(300 * time.Millisecond)
	if lost := tr.loss(t); lost != [queues]int{} {
		t.Errorf("%v packets were lost", lost)
	}
	if now := b.pids(t); fmt.Sprint(now) != fmt.Sprint(was) || b.do(t, "took over") != "true" {
		t.Errorf("workers %v, were %v", now, was)
	}
	return b
}

// otherSockets: a naved that wants the sockets otherwise takes the workers over as they are, and replaces them afterwards.
func otherSockets(t *testing.T, ns *netns.NS, dir string, b *bossProcess, tr *traffic) *bossProcess {
	was := b.pids(t)
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Wait() // killed
	t.Setenv(ringEnv, "512")
	tr.loss(t)
	b = startBoss(t, ns, dir)
	time.Sleep(100 * time.Millisecond)
	if lost, now := tr.loss(t), b.pids(t); lost != [queues]int{} || fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("workers %v, were %v, and lost %v packets when they were taken over", now, was, lost)
	}
	if rings := b.do(t, "rings"); rings != "[1024 1024 1024 1024]" {
		t.Errorf("rings of %s entries before", rings)
	}
	b.do(t, "renew")
	eventually(t, "they forward", func() bool { return tr.flows(0) && tr.flows(1) })
	if rings, now := b.do(t, "rings"), b.pids(t); rings != "[512 512 512 512]" || now[0] == was[0] || now[1] == was[1] {
		t.Errorf("workers %v, were %v, with rings of %s entries", now, was, rings)
	}
	return b
}

func detachPort(t *testing.T, _ *netns.NS, _ string, b *bossProcess, tr *traffic) *bossProcess {
	if out := b.do(t, "detach"); out != "<nil>" {
		t.Fatal(out)
	}
	time.Sleep(50 * time.Millisecond)
	tr.loss(t)
	time.Sleep(100 * time.Millisecond)
	if tr.flows(0) || tr.flows(1) {
		t.Error("packets come in by a port that was taken away")
	}
	if out := b.do(t, "attach"); out != "<nil>" {
		t.Fatal(out)
	}
	eventually(t, "both queues are there again", func() bool { return tr.flows(0) && tr.flows(1) })
	tr.loss(t)
	time.Sleep(200 * time.Millisecond)
	if lost := tr.loss(t); lost != [queues]int{} {
		t.Errorf("%v packets were lost afterwards", lost)
	}
	return b
}

// netdevGone: a worker that is started again while the netdev of a port is gone has its other ports, and that one when it is back as it was.
func netdevGone(t *testing.T, ns *netns.NS, _ string, b *bossProcess, tr *traffic) *bossProcess {
	was := b.pids(t)
	if out, err := ns.Run("ip", "link", "set", outDev, "down"); err != nil {
		t.Fatal(err, out)
	}
	// A queue that another program has can't be opened, either, and can be had back: so it is taken here while the worker is away.
	if out := b.do(t, "steal"); out != "<nil>" {
		t.Fatal(out)
	}
	eventually(t, "worker 0 is back", func() bool { now := b.pids(t); return now[0] != 0 && now[0] != was[0] })
	eventually(t, "worker 0 has port 2 alone, while the queue of port 1 is another's", func() bool { return b.do(t, "ports") == "[2]" })
	if out := b.do(t, "give back"); out != "<nil>" {
		t.Fatal(out)
	}
	if out, err := ns.Run("ip", "link", "set", outDev, "up"); err != nil {
		t.Fatal(err, out)
	}
	eventually(t, "it has both", func() bool { p := b.do(t, "ports"); return p == "[1 2]" || p == "[2 1]" })
	eventually(t, "it forwards", func() bool { return tr.flows(0) && tr.flows(1) })
	return b
}

// bossProcess is a process that does with a Crew what naved does.
type bossProcess struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func startBoss(t *testing.T, ns *netns.NS, dir string) *bossProcess {
	t.Helper()
	cmd := ns.Command(os.Args[0], "-test.run=^TestPorts$")
	cmd.Env = append(os.Environ(), bossEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &bossProcess{cmd, in, bufio.NewScanner(out)}
	if b.do(t, "") != "ready" {
		t.Fatal("it does not come up")
	}
	return b
}

// do sends a line and returns the answer.
func (b *bossProcess) do(t *testing.T, line string) string {
	t.Helper()
	if _, err := fmt.Fprintln(b.in, line); err != nil {
		t.Fatal(err)
	}
	if !b.out.Scan() {
		t.Fatal("no answer to ", line)
	}
	return b.out.Text()
}

func (b *bossProcess) pids(t *testing.T) (list []int) {
	t.Helper()
	for _, w := range strings.Fields(b.do(t, "pids")) {
		n, _ := strconv.Atoi(w)
		list = append(list, n)
	}
	return list
}

// boss is that process.
func boss(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "boss:", err)
			os.Exit(1)
		}
	}
	steering, err := bpf.New()
	fail(err)
	sockets := Sockets{Ring: 1024}
	if n, err := strconv.Atoi(os.Getenv(ringEnv)); err == nil {
		sockets.Ring = n
	}
	home, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	fail(err)
	out := outside{home: home, name: os.Getenv(spaceEnv)}
	c, err := Open(context.Background(), Config{
		Open: func(Attach) (fd int, err error) {
			err = out.do(func() (err error) { fd, err = afxdp.NewSocket(); return err })
			return fd, err
		},
		Sockets: sockets, RunDir: dir, Chunk: 2048, Frames: 8192, Adaptive: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Engine: fastpath.Config{Workers: queues, ArenaBytes: 32 << 20, MaxAdjacencies: 256, MaxTunnels: 16, MaxRoutes: 256, MaxSAs: 16, SlotSize: 2048},
		Socket: func(_ int, a Attach, fd int) error { return steering.SetSocket(uint32(a.Port)*64+uint32(a.Queue), fd) },
	})
	fail(err)
	attach := func() error {
		for id, dev := range map[fib.PortID]string{inPort: inDev, outPort: outDev} {
			index, space, err := out.find(id, dev)
			if err != nil {
				return err
			}
			for q := range queues {
				if err := c.Attach(q, Attach{Port: id, Ifindex: index, Space: space, Queue: q, Sockets: sockets}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	fail(attach())
	outer := make([]byte, packet.EthernetLen)
	packet.PutEthernet(outer, endMAC, outMAC, packet.TypeIPv4)
	refused, err := c.Engine().Apply(&fib.Batch{
		Ports:       []fib.Port{{ID: inPort, MAC: inMAC, Addr: netip.MustParseAddr("10.1.0.1"), MTU: 1500}, {ID: outPort, MAC: outMAC, MTU: 1500}},
		Adjacencies: []fib.Adjacency{{ID: 16, Kind: fib.AdjLink, Port: outPort, Outer: outer, MTU: 1500}},
		Routes:      []fib.Route{{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Paths: []fib.AdjID{16}}},
	})
	fail(err)
	if len(refused) > 0 {
		fail(refused[0].Err)
	}
	pins, _, err := bpf.PinDir(dir)
	fail(err)
	for id, p := range map[fib.PortID]struct {
		dev string
		mac [6]byte
	}{inPort: {inDev, inMAC}, outPort: {outDev, outMAC}} {
		fail(steering.SetPort(uint32(id), bpf.Port{MAC: p.mac, Base: uint32(id) * 64}))
		index, space, err := out.find(id, p.dev)
		fail(err)
		attach := func() error {
			_, err := steering.Attach(uint32(id), index, filepath.Join(pins, bpf.PinName(p.dev)))
			return err
		}
		if space != 0 {
			fail(out.do(attach))
		} else {
			fail(attach())
		}
	}
	var thief *afxdp.Port
	answer := func(line string) string {
		if name, ok := strings.CutPrefix(line, "move "); ok {
			return fmt.Sprint(errors.Join(c.Detach(0, outPort), c.Detach(1, outPort), out.move(name), attach()))
		}
		switch line {
		case "steal":
			thief, err = steal(c)
			return fmt.Sprint(err)
		case "give back":
			return fmt.Sprint(thief.Close())
		case "ports":
			h, err := c.Host(0)
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(h.All)
		case "rings":
			var rings []int
			for w := range queues {
				h, err := c.Host(w)
				if err != nil {
					return err.Error()
				}
				for _, p := range h.Ports {
					rings = append(rings, p.Ring)
				}
			}
			return fmt.Sprint(rings)
		case "renew":
			c.Renew(context.Background())
		case "pids":
			return strings.Trim(fmt.Sprint(pids(c)), "[]")
		case "took over":
			return fmt.Sprint(c.TookOver())
		case "detach":
			return fmt.Sprint(c.Detach(0, inPort), c.Detach(1, inPort))[:5]
		case "attach":
			return fmt.Sprint(attach())
		case "stop":
			return fmt.Sprint(c.Stop())
		}
		return "ready"
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(answer(in.Text()))
		if in.Text() == "stop" {
			return
		}
	}
}

// steal kills worker 0 and takes its queue of the first port before the next process can. If that was faster, the one after it gets more time.
func steal(c *Crew) (*afxdp.Port, error) {
	umem, err := afxdp.NewUMEM(1024, 2048)
	if err != nil {
		return nil, err
	}
	l, err := net.InterfaceByName(inDev)
	if err != nil {
		return nil, err
	}
	for try := range 2000 {
		if pid := pids(c)[0]; try%200 == 0 && pid != 0 {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				return nil, err
			}
		}
		p, err := afxdp.Open(umem, afxdp.Config{Ifindex: l.Index, Ring: 64})
		if err == nil {
			return p, nil
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil, fmt.Errorf("queue 0 of %s is never free", inDev)
}

// rate is packets a second and queue.
const rate = 1000

// traffic sends packets into each queue, and counts those that come out, until it is stopped.
type traffic struct {
	sent, got [queues]atomic.Int64
	was       [queues]int64 // of got, for flows
	base      [queues]int64 // of sent less got, for loss
	paused    [queues]atomic.Bool
	done      atomic.Bool
	wg        sync.WaitGroup
}

func startTraffic(t *testing.T, far *netns.NS) *traffic {
	t.Helper()
	tr := &traffic{}
	var ports [queues]*afxdp.Port
	var pools [queues]*port.Pool
	fd := -1
	if err := far.Do(func() error {
		feed, err := net.InterfaceByName("feed")
		if err != nil {
			return err
		}
		end, err := net.InterfaceByName("end")
		if err != nil {
			return err
		}
		for q := range queues {
			umem, err := afxdp.NewUMEM(1024, 2048)
			if err != nil {
				return err
			}
			pools[q] = umem.Pool()
			if ports[q], err = afxdp.Open(umem, afxdp.Config{Ifindex: feed.Index, Queue: q, Ring: 256}); err != nil {
				return err
			}
		}
		const all = packet.TypeIPv4>>8 | packet.TypeIPv4&0xff<<8 // in network byte order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: end.Index})
	}); err != nil {
		t.Fatal(err)
	}
	for q := range queues {
		tr.wg.Go(func() { tr.feed(q, ports[q], pools[q]) })
	}
	tr.wg.Go(func() { tr.count(fd) })
	t.Cleanup(tr.stop)
	eventually(t, "packets come through", func() bool { return tr.flows(0) && tr.flows(1) })
	return tr
}

// feed sends packets into queue q.
func (tr *traffic) feed(q int, p *afxdp.Port, pool *port.Pool) {
	defer p.Close()
	frame := make([]byte, 64)
	packet.PutEthernet(frame, inMAC, feedMAC, packet.TypeIPv4)
	h := packet.Header{TTL: 64, Proto: packet.ProtoUDP, Src: [4]byte{10, 8, 0, 1}, Dst: [4]byte{10, 9, 0, byte(q)}}
	h.Put(frame[packet.EthernetLen:], len(frame)-packet.EthernetLen-packet.IPv4Len)
	tick := time.NewTicker(5 * time.Second / rate)
	defer tick.Stop()
	for !tr.done.Load() {
		<-tick.C
		if tr.paused[q].Load() {
			continue
		}
		for range 5 {
			c, ok := pool.Get()
			if !ok {
				break
			}
			f := port.Frame{Chunk: c, Start: 256, Len: uint16(len(frame))}
			copy(pool.Bytes(f), frame)
			if p.Send([]port.Frame{f}) == 1 {
				tr.sent[q].Add(1)
			} else {
				pool.Put(c)
			}
		}
		p.Flush()
	}
}

// count counts what comes out.
func (tr *traffic) count(fd int) {
	defer unix.Close(fd)
	b := make([]byte, 2048)
	for !tr.done.Load() {
		n, err := unix.Read(fd, b)
		if err != nil || n < packet.EthernetLen+packet.IPv4Len {
			continue
		}
		if dst := binary.BigEndian.Uint32(b[packet.EthernetLen+16:]); dst>>8 == 10<<16|9<<8 && int(dst&0xff) < queues {
			tr.got[dst&0xff].Add(1)
		}
	}
}

// flows tells whether packets of queue q have come out since the last question, in 20 ms.
func (tr *traffic) flows(q int) bool {
	tr.was[q] = tr.got[q].Load()
	time.Sleep(20 * time.Millisecond)
	return tr.got[q].Load() > tr.was[q]
}

// loss pauses until nothing is under way, and tells how many packets were lost since the last time. What is missing is waited for, as long as anything comes and a while longer: it may be
// late on a machine that is busy.
func (tr *traffic) loss(t *testing.T) (lost [queues]int) {
	t.Helper()
	for q := range queues {
		tr.paused[q].Store(true)
	}
	whole := func() bool {
		for q := range queues {
			if tr.sent[q].Load()-tr.got[q].Load() > tr.base[q] {
				return false
			}
		}
		return true
	}
	all := func() (n int64) {
		for q := range queues {
			n += tr.got[q].Load()
		}
		return n
	}
	time.Sleep(150 * time.Millisecond)
	came, quiet := all(), time.Now()
	for !whole() && time.Since(quiet) < 3*time.Second {
		time.Sleep(10 * time.Millisecond)
		if n := all(); n != came {
			came, quiet = n, time.Now()
		}
	}
	for q := range queues {
		missing := tr.sent[q].Load() - tr.got[q].Load()
		lost[q] = int(missing - tr.base[q])
		tr.base[q] = missing
		tr.paused[q].Store(false)
	}
	return lost
}

func (tr *traffic) stop() {
	tr.done.Store(true)
	tr.wg.Wait()
}
