package fastpath

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

const processEnv = "NAVE_TEST_PROCESS"

// child starts this test once more as a process with descriptors from 3 on. It has said one byte when child returns, and is killed at the end of the test at the latest.
func child(t *testing.T, arg string, fds ...int) (cmd *exec.Cmd, out *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), processEnv+"="+arg)
	cmd.Stderr = os.Stderr
	for _, fd := range fds {
		f := os.NewFile(uintptr(dup(t, fd)), "shared")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out = bufio.NewReaderSize(pipe, 1<<20)
	if _, err := out.ReadByte(); err != nil {
		t.Fatal("the process ended:", err)
	}
	return cmd, out
}

// kill ends a child as nothing else does, and waits for it.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal("it had ended before: ", err)
	}
	_ = cmd.Wait() // killed
}

// ready says the byte.
func ready() { _, _ = os.Stdout.Write([]byte{1}) }

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestWriterKilled: whoever writes the tables is killed at any moment, again and again. The next one finds them whole, with nothing lost of the memory.
func TestWriterKilled(t *testing.T) {
	if os.Getenv(processEnv) != "" {
		writeForever()
		return
	}
	first, err := New(sharedConfig(1))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.NewRemote(4096); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*fib.Batch{{Routes: []fib.Route{route("10.0.0.0/8", fib.Null)}}, {DelRoutes: []fib.RouteKey{{Prefix: route("10.0.0.0/8").Prefix}}}} {
		if _, err := first.Apply(b); err != nil { // the first node of a table stays
			t.Fatal(err)
		}
	}
	empty := first.arena.Used()
	rnd := rand.New(rand.NewPCG(7, 7))
	for round := range 16 {
		cmd, _ := child(t, fmt.Sprint(round), first.ArenaFD())
		time.Sleep(time.Duration(rnd.IntN(40_000)) * time.Microsecond)
		kill(t, cmd)
		e, err := Adopt(dup(t, first.ArenaFD()), sharedConfig(1))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		b := e.Inherited()
		whole(t, e, &b)
		e.arena.Reclaim()
		if lost, err := e.arena.Recover(e.tables.Check, e.tables.Recover); err != nil || lost != 0 {
			t.Errorf("round %d: %d bytes are nobody's, %v", round, lost, err)
		}
		if round%2 == 1 {
			if refused, err := e.Apply(removal(&b)); err != nil || len(refused) > 0 {
				t.Fatal(refused, err)
			}
			if n := e.arena.Used(); n != empty {
				t.Errorf("round %d: %d bytes are used by empty tables, %d were at first", round, n, empty)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// whole checks that lookups agree with what is installed.
func whole(t *testing.T, e *Engine, b *fib.Batch) {
	t.Helper()
	if len(b.Routes) == 0 && len(b.SAs) == 0 {
		t.Error("the process had written nothing")
	}
	if n := e.Counters().Routes; n != len(b.Routes) {
		t.Errorf("%d routes are counted, and there are %d", n, len(b.Routes))
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		dst := 10<<24 | rnd.Uint32N(1<<24)
		a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, dst)))
		var best *fib.Route
		for i := range b.Routes {
			r := &b.Routes[i]
			if r.Prefix.Contains(a) && (best == nil || r.Prefix.Bits() > best.Prefix.Bits()) {
				best = r
			}
		}
		hop := e.tables.Lookup(0, dst)
		if (hop == 0) != (best == nil) {
			t.Fatalf("%s: hop %d, route %v", a, hop, best)
		}
		if best != nil && !slices.Contains(best.Paths, fib.AdjID(e.tables.Path(hop, 0))) {
			t.Fatalf("%s leads to %d, and its route is %v", a, e.tables.Path(hop, 0), best)
		}
	}
	for i := range b.SAs {
		f := &b.SAs[i]
		if !f.Inbound {
			continue
		}
		if s := e.tables.FindSA(0, binary.BigEndian.Uint32(f.Local.AsSlice()), f.SPI, 0); s == nil || s.ID != uint32(f.ID) {
			t.Errorf("association %d is not found by its SPI", f.ID)
		}
	}
	for i := range b.Tunnels {
		f := &b.Tunnels[i]
		if n := e.tables.FindTunnel(0, binary.BigEndian.Uint32(f.Local.AsSlice()), binary.BigEndian.Uint32(f.Remote.AsSlice()), f.Key, true); n == nil || n.ID != uint16(f.ID) {
			t.Errorf("tunnel %d is not found by its packets", f.ID)
		}
	}
}

// removal takes everything away.
func removal(b *fib.Batch) *fib.Batch {
	d := &fib.Batch{}
	for _, f := range b.Routes {
		d.DelRoutes = append(d.DelRoutes, fib.RouteKey{VRF: f.VRF, Prefix: f.Prefix})
	}
	for _, f := range b.Labels {
		d.DelLabels = append(d.DelLabels, f.In)
	}
	for _, f := range b.Groups {
		d.DelGroups = append(d.DelGroups, f.ID)
	}
	for _, f := range b.Adjacencies {
		d.DelAdjacencies = append(d.DelAdjacencies, f.ID)
	}
	for _, f := range b.Tunnels {
		d.DelTunnels = append(d.DelTunnels, f.ID)
	}
	for _, f := range b.Ports {
		d.DelPorts = append(d.DelPorts, f.ID)
	}
	for _, f := range b.SAs {
		d.DelSAs = append(d.DelSAs, f.ID)
	}
	return d
}

// writeForever takes the arena on descriptor 3 over and changes everything in it all the time.
func writeForever() {
	e, err := Adopt(3, sharedConfig(1))
	if err != nil {
		fatal(err)
	}
	var round uint64
	if _, err := fmt.Sscan(os.Getenv(processEnv), &round); err != nil {
		fatal(err)
	}
	rnd := rand.New(rand.NewPCG(round, 3))
	for i := 0; ; i++ {
		if _, err := e.Apply(randomBatch(rnd, round<<32|uint64(i))); err != nil {
			fatal(err)
		}
		if i == 20 {
			ready()
		}
	}
}

// randomBatch changes a little of everything. serial is of no other batch.
func randomBatch(rnd *rand.Rand, serial uint64) *fib.Batch {
	b := &fib.Batch{}
	link := func(id int) fib.Adjacency { return linkAdj(fib.AdjID(id), lan, lanMAC, [6]byte{byte(rnd.Uint32())}) }
	ids := rnd.Perm(32)
	for _, k := range ids[:4] {
		b.Adjacencies = append(b.Adjacencies, link(16+k))
	}
	b.Ports = append(b.Ports, fib.Port{ID: lan, MAC: lanMAC, MTU: uint16(1400 + rnd.IntN(100))})
	for range 4 {
		plen := []int{8, 12, 16, 20, 24, 28, 32}[rnd.IntN(7)]
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rnd.IntN(2)), byte(rnd.IntN(3)), byte(rnd.IntN(256))}), plen).Masked()
		if rnd.IntN(2) == 0 {
			b.DelRoutes = append(b.DelRoutes, fib.RouteKey{Prefix: p})
			continue
		}
		b.Routes = []fib.Route{{Prefix: p, Paths: []fib.AdjID{b.Adjacencies[0].ID, b.Adjacencies[1].ID, b.Adjacencies[2].ID}[:1+rnd.IntN(3)]}}
	}
	in := uint32(16 + rnd.IntN(600))
	if rnd.IntN(2) == 0 {
		b.DelLabels = append(b.DelLabels, in)
	} else {
		b.Labels = append(b.Labels, fib.Label{In: in, Action: fib.LabelSwap, Paths: []fib.AdjID{b.Adjacencies[0].ID, b.Adjacencies[1].ID}[:1+rnd.IntN(2)]})
	}
	b.Groups = append(b.Groups, fib.Group{ID: fib.GroupID(1 + rnd.IntN(4)), Members: []fib.AdjID{b.Adjacencies[3].ID, b.Adjacencies[2].ID}[:rnd.IntN(3)]})
	// Tunnels that exchange their far ends.
	one, two := fib.TunnelID(1+rnd.IntN(4)), fib.TunnelID(5+rnd.IntN(4))
	for k, id := range []fib.TunnelID{one, two} {
		remote := netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + (uint64(k)+serial)%2 + 2*uint64(one) + 20*uint64(two))})
		b.Tunnels = append(b.Tunnels, fib.Tunnel{ID: id, Local: addr(hubNBMA), Remote: remote, Key: 7, HasKey: true, MTU: uint16(1300 + rnd.IntN(100))})
	}
	id := fib.SAID(1 + rnd.IntN(20))
	if rnd.IntN(3) == 0 {
		b.DelSAs = append(b.DelSAs, id)
		return b
	}
	b.DelSAs = append(b.DelSAs, 1+id%20) // and that is not the one that comes
	b.SAs = append(b.SAs, numberedSA(id))
	return b
}

// numberedSA is always the same under a number, so that it can be applied again.
func numberedSA(id fib.SAID) fib.SA {
	inbound := id%2 == 0
	f := fib.SA{
		ID: id, Inbound: inbound, SPI: 0x1000 + uint32(id), Local: addr(hubNBMA), Remote: addr(spoke1NBMA),
		Cipher: fib.CipherAESGCM, CipherKey: testKey(20, uint32(id)),
	}
	if inbound {
		f.Window = 64 * uint16(1+id%8)
	}
	return f
}

// TestWorkerKilled: one of two workers, a process, is killed under traffic, again and again, while associations come and go. The other one loses nothing, the next process
// forwards at once, and no sequence number is used twice.
func TestWorkerKilled(t *testing.T) {
	if os.Getenv(processEnv) != "" {
		forwardForever()
		return
	}
	writer := newWriter(t, 2, gcm128)
	other := joinAs(t, writer, 1)
	var stop atomic.Bool
	var wg sync.WaitGroup
	seen := make(map[nonce]int)
	var mu sync.Mutex
	note := func(by int, n nonce) {
		mu.Lock()
		defer mu.Unlock()
		if who, twice := seen[n]; twice {
			t.Errorf("SPI %#x: number %d twice, by process %d and %d", n.spi, n.seq, who, by)
		}
		seen[n] = by
	}
	sent, left := 0, 0
	var enough atomic.Bool // that the other worker has forwarded
	wg.Go(func() {
		frame := toLAN(ipv4(hostIP, behind1, pattern(40)))
		for now := int64(1); !stop.Load(); now += 1000 {
			for range 4 {
				other.lan.in = append(other.lan.in, frame)
			}
			sent += 4
			other.w.Poll(now)
			for _, f := range other.wan.take() {
				left++
				note(-1, nonceOf(f))
			}
			enough.Store(left >= 1000)
			if left%64 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	wake0, punts0, err := writer.Worker(0).WakeFDs()
	if err != nil {
		t.Fatal(err)
	}
	wake1, _, err := writer.Worker(1).WakeFDs()
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	serial := uint32(0) // no key is installed twice
	for round := range 8 {
		cmd, out := child(t, "worker", writer.ArenaFD(), punts0, wake0, wake1)
		got, forwards := make(chan int, 1), make(chan struct{})
		go func() {
			n := 0
			for b := [12]byte{}; ; n++ {
				if _, err := io.ReadFull(out, b[:]); err != nil {
					break
				}
				if n == 0 {
					close(forwards)
				}
				note(round, nonce{binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint64(b[4:])})
			}
			got <- n
		}()
		for range 3 {
			time.Sleep(time.Duration(2+rnd.IntN(8)) * time.Millisecond)
			serial++
			rekey(t, writer, serial)
		}
		select {
		case <-forwards:
		case <-time.After(patience):
			t.Errorf("round %d: the process forwards nothing", round)
		}
		kill(t, cmd)
		writer.WorkerDied(0)
		<-got
		serial++
		rekey(t, writer, serial)
		if n := writer.arena.Reclaim(); n > 64 {
			t.Errorf("round %d: %d blocks wait", round, n)
		}
	}
	for late := time.Now().Add(patience); !enough.Load() && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	c := writer.Counters().Workers[1]
	if lost := uint64(sent-left) - c.Reasons[NoSA]; lost != 0 || c.Forwarded != uint64(left) || left < 1000 {
		t.Errorf("of %d packets to the other worker %d left, and %d had no association at the moment", sent, left, c.Reasons[NoSA])
	}
	if writer.Starts(0) != 8 {
		t.Errorf("%d starts", writer.Starts(0))
	}
}

type nonce struct {
	spi uint32
	seq uint64
}

func nonceOf(f []byte) nonce {
	b := f[packet.EthernetLen+packet.IPv4Len:]
	return nonce{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[8:])}
}

// rekey replaces the associations by others, with other keys, under the same numbers.
func rekey(t *testing.T, e *Engine, serial uint32) {
	t.Helper()
	list := gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke+serial*8, spiToHub+serial*8)
	for i := range list {
		list[i].CipherKey = testKey(20, list[i].SPI)
	}
	for _, b := range []*fib.Batch{{DelSAs: []fib.SAID{saOut, saIn}}, {SAs: list}} {
		if refused, err := e.Apply(b); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
	}
}

// feed is a port that always has packets, and notes what leaves.
type feed struct {
	pool  *port.Pool
	frame []byte
	out   *bufio.Writer
}

func (p *feed) Recv(fs []port.Frame) int {
	n := 0
	for ; n < 8 && p.frame != nil; n++ {
		c, ok := p.pool.Get()
		if !ok {
			break
		}
		fs[n] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(p.frame))}
		copy(p.pool.Bytes(fs[n]), p.frame)
	}
	return n
}

func (p *feed) Send(fs []port.Frame) int {
	for _, f := range fs {
		n := nonceOf(p.pool.Bytes(f))
		b := binary.LittleEndian.AppendUint32(nil, n.spi)
		if _, err := p.out.Write(binary.LittleEndian.AppendUint64(b, n.seq)); err != nil {
			os.Exit(1)
		}
		p.pool.Put(f.Chunk)
	}
	if p.out.Flush() != nil {
		os.Exit(1)
	}
	return len(fs)
}

func (p *feed) Flush()       {}
func (p *feed) FD() int      { return -1 }
func (p *feed) Close() error { return nil }

// forwardForever is worker 0 of the arena on descriptor 3.
func forwardForever() {
	e, err := Join(3)
	if err != nil {
		fatal(err)
	}
	pool := port.NewPool(make([]byte, 256*4096), 4096)
	w, err := e.JoinWorker(0, pool, []int{5, 6}, 4)
	if err != nil {
		fatal(err)
	}
	out := bufio.NewWriter(os.Stdout)
	in := &feed{pool: pool, frame: toLAN(ipv4(hostIP, behind1, pattern(40))), out: out}
	if err := w.Attach(lan, in); err != nil {
		fatal(err)
	}
	if err := w.Attach(wan, &feed{pool: pool, out: out}); err != nil {
		fatal(err)
	}
	ready()
	for unix.Getppid() != 1 {
		w.Poll(e.Now())
		w.sweepTransforms()
	}
}
