package fastpath

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// The steps of sealing between which a process can die.
const (
	crashBefore = iota // the number is not taken
	crashTaken
	crashSealed // in memory alone
	crashSent
	crashSteps
)

const crashEnv = "NAVE_TEST_CRASH"

// TestCrash: processes seal by one arena after the other and at once, and die between any two steps. Whoever opens the arena next goes on with
// its keys, and no sequence number, and so no nonce, is ever used twice.
func TestCrash(t *testing.T) {
	if os.Getenv(crashEnv) != "" {
		crashChild()
		return
	}
	cfg := Config{ArenaBytes: 4 << 20, MaxAdjacencies: 64, MaxTunnels: 8, MaxRoutes: 64, MaxPorts: 8, MaxSAs: 16, Flows: 64}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	f := gcm128.associations(spoke1NBMA, hubNBMA, spiToHub, spiToSpoke)[0]
	if refused, err := e.Apply(&fib.Batch{SAs: []fib.SA{f}}); err != nil || len(refused) != 0 {
		t.Fatal(refused, err)
	}
	opener, err := sa.New(&f)
	if err != nil {
		t.Fatal(err)
	}
	x := sa.NewScratch(4096, e.ivs)
	seen := map[uint64]bool{}
	collect := func(out []byte) {
		for ; len(out) >= crashRecord; out = out[crashRecord:] {
			p := append(make([]byte, 8), out[:crashRecord]...)
			seq := binary.BigEndian.Uint64(p[16:]) // the IV
			if seen[seq] {
				t.Fatalf("sequence number %d twice", seq)
			}
			seen[seq] = true
			if _, ok := opener.Open(x, p, 8, crashRecord, seq); !ok || uint32(seq) != binary.BigEndian.Uint32(p[12:]) {
				t.Fatalf("packet %d does not open with the arena's key", seq)
			}
		}
		if len(out) != 0 {
			t.Fatalf("%d bytes of a packet", len(out))
		}
	}
	for round := range 3 * crashSteps {
		var wg sync.WaitGroup
		outs := make([][]byte, 2) // two at once
		for i := range outs {
			wg.Add(1)
			go func() {
				defer wg.Done()
				outs[i] = runCrash(t, e.arena.Fd(), round%crashSteps, 20+round+7*i)
			}()
		}
		wg.Wait()
		for _, out := range outs {
			collect(out)
		}
	}
	// A kill from outside, at no step in particular.
	for range 4 {
		collect(runCrash(t, e.arena.Fd(), -1, 1<<30))
	}
	n, _ := e.SACount(saOut)
	if len(seen) < 500 || n.LastSeq < uint64(len(seen)) || n.LastSeq > uint64(len(seen))+3*crashSteps*2+4 {
		t.Errorf("%d packets, and the arena stands at %d", len(seen), n.LastSeq)
	}
}

// crashRecord is how long a packet of the child is: header, IV, 32 bytes, ICV.
const crashRecord = 8 + 8 + 32 + 16

// runCrash starts a process that dies at a step of its n-th packet, or with step -1 when it is killed, and returns what it sent.
func runCrash(t *testing.T, fd, step, n int) []byte {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d,%d", crashEnv, step, n))
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return nil
	}
	mem := os.NewFile(uintptr(dup), "arena")
	defer mem.Close()
	cmd.ExtraFiles = []*os.File{mem}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	var b []byte
	if step < 0 {
		b = make([]byte, 200*crashRecord)
		if _, err := io.ReadFull(out, b); err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process came to its end")
	}
	b = append(b, rest...)
	return b[:len(b)/crashRecord*crashRecord] // a write that was cut short
}

// crashChild seals by the arena on descriptor 3, as a worker does.
func crashChild() {
	die := func() { _ = unix.Kill(os.Getpid(), unix.SIGKILL); select {} }
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		die()
	}
	var step, n int
	if _, err := fmt.Sscanf(os.Getenv(crashEnv), "%d,%d", &step, &n); err != nil {
		fail(err)
	}
	a, err := arena.Open(3)
	if err != nil {
		fail(err)
	}
	tab, err := table.Open(a)
	if err != nil {
		fail(err)
	}
	s := tab.SA(uint32(saOut))
	f := tab.SAEntry(s)
	tr, err := sa.New(&f)
	if err != nil {
		fail(err)
	}
	ivs, err := sa.NewIVs()
	if err != nil {
		fail(err)
	}
	x := sa.NewScratch(4096, ivs)
	w := &Worker{t: tab}
	for i := 0; ; i++ {
		at := func(here int) {
			if i == n && step == here {
				die()
			}
		}
		at(crashBefore)
		seq, r := w.takeNumber(&pkt{}, s, 30)
		if r != Unknown {
			fail(fmt.Errorf("no number: %s", r))
		}
		at(crashTaken)
		chunk := make([]byte, 8+crashRecord)
		sa.Trailer(chunk[8+tr.Front():8+tr.Front()+32], 30, 47)
		size := tr.Seal(x, chunk, 8, 32, seq)
		at(crashSealed)
		if _, err := os.Stdout.Write(chunk[8 : 8+size]); err != nil {
			die()
		}
		at(crashSent)
	}
}

// TestSealWhileRekeying: two workers seal with one association while the slow path changes, replaces and removes it: every packet has a number and key of its own
// (run with -race).
func TestSealWhileRekeying(t *testing.T) {
	r := newRig(t, gcm128.hub, func(c *Config, _ *fib.Batch) { c.Workers, c.heap = 2, true })
	r.w.Detach(wan)
	r.w.Detach(lan)
	var stop atomic.Bool
	var total atomic.Int64
	var wg sync.WaitGroup
	type nonce struct {
		spi uint32
		seq uint64
	}
	sent := make([][]nonce, 2)
	for i := range 2 {
		w := r.w
		if i == 1 {
			var err error
			if w, err = r.e.NewWorker(port.NewPool(make([]byte, 64*4096), 4096)); err != nil {
				t.Fatal(err)
			}
		}
		out, in := &wire{pool: w.pool}, &wire{pool: w.pool}
		for id, p := range map[fib.PortID]*wire{wan: out, lan: in} {
			if err := w.Attach(id, p); err != nil {
				t.Fatal(err)
			}
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			frame := toLAN(ipv4(hostIP, behind1, pattern(40)))
			for now := int64(1); !stop.Load(); now += 1000 {
				for range 8 {
					in.in = append(in.in, frame)
				}
				w.Poll(now)
				frames := out.take()
				total.Add(int64(len(frames)))
				for _, f := range frames {
					b := f[packet.EthernetLen+packet.IPv4Len:]
					sent[i] = append(sent[i], nonce{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[8:])})
				}
			}
		}()
	}
	for i := 0; i < 300 || total.Load() < 4000; i++ {
		list := gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke+uint32(i/3+1)*8, spiToHub+uint32(i/3+1)*8) // never the same key twice
		if i%3 == 2 {
			r.apply(&fib.Batch{DelSAs: []fib.SAID{saOut, saIn}})
			continue
		}
		for j := range list {
			list[j].CipherKey = testKey(20, list[j].SPI)
			list[j].HardBytes = uint64(1 << (30 + i%3))
		}
		if i%3 == 0 {
			r.apply(&fib.Batch{DelSAs: []fib.SAID{saOut, saIn}})
		}
		r.apply(&fib.Batch{SAs: list})
	}
	stop.Store(true)
	wg.Wait()
	seen := map[nonce]bool{}
	for _, list := range sent {
		for _, n := range list {
			if seen[n] {
				t.Fatalf("SPI %#x: number %d twice", n.spi, n.seq)
			}
			seen[n] = true
		}
	}
	r.frames = r.w.pool.Free()
}
