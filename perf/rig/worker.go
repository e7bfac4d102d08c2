package rig

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port/afxdp"
	"nave/perf/mix"
)

// Works is what a Worker can do with a packet.
func Works() []string { return []string{"ipv4", "gre-encap", "gre-decap", "esp-encap"} }

// Addresses of a worker's world: the mixes' own, and documentation's.
var (
	here    = netip.MustParseAddr("192.0.2.1")
	peer    = netip.MustParseAddr("198.51.100.9")
	behind  = netip.MustParsePrefix("10.2.0.0/16")
	farMAC  = [6]byte{2, 0, 0, 0, 0, 7}
	tunnel0 = fib.Tunnel{ID: 1, Local: here, Key: 100, HasKey: true, Addr: netip.MustParseAddr("10.255.0.1"), MTU: 1476}
)

// WorkMix is packets of so many bytes, as the innermost ones, for a work.
func WorkMix(work string, size int) *mix.Mix {
	m := mix.Fixed(size)
	if work == "gre-decap" {
		m.GRE = &mix.GRE{From: peer, To: here, Key: tunnel0.Key, HasKey: true}
	}
	return m
}

// Worker is an engine with one worker on two interfaces, without a control plane.
type Worker struct {
	engine   *fastpath.Engine
	steering *bpf.Steering
	umem     *afxdp.UMEM
	worker   *fastpath.Worker
	ports    []*afxdp.Port
	attached []*bpf.Attachment
}

// NewWorker makes one that takes packets in by one interface and sends them out by another, both in the caller's network namespace.
func NewWorker(in, out, work string) (w *Worker, err error) {
	if !slices.Contains(Works(), work) {
		return nil, fmt.Errorf("rig: work %q: there are %s", work, strings.Join(Works(), ", "))
	}
	w = &Worker{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
			w = nil
		}
	}()
	if w.engine, err = fastpath.New(fastpath.Config{}); err != nil {
		return w, err
	}
	if w.umem, err = afxdp.NewUMEM(16384, 2048); err != nil {
		return w, err
	}
	if w.worker, err = w.engine.NewWorker(w.umem.Pool()); err != nil {
		return w, err
	}
	if w.steering, err = bpf.New(); err != nil {
		return w, err
	}
	var batch fib.Batch
	for k, name := range []string{in, out} {
		p, err := w.open(uint32(k+1), name)
		if err != nil {
			return w, err
		}
		batch.Ports = append(batch.Ports, p)
	}
	entries(&batch, work)
	refused, err := w.engine.Apply(&batch)
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("rig: refused: %v", refused)
	}
	return w, err
}

// open attaches one interface.
func (w *Worker) open(id uint32, name string) (fib.Port, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return fib.Port{}, fmt.Errorf("rig: interface %q: %w", name, err)
	}
	var p *afxdp.Port
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		// The kernel gives a queue free a little after its last socket is closed: a worker before this one may just have gone.
		if p, err = afxdp.Open(w.umem, afxdp.Config{Ifindex: i.Index}); err == nil {
			break
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return fib.Port{}, err
		}
	}
	w.ports = append(w.ports, p)
	if err := w.worker.Attach(fib.PortID(id), p); err != nil {
		return fib.Port{}, err
	}
	mac := [6]byte(i.HardwareAddr)
	if err := w.steering.SetPort(id, bpf.Port{Base: id * 64, MAC: mac}); err != nil {
		return fib.Port{}, err
	}
	if err := w.steering.SetSocket(id*64, p.FD()); err != nil {
		return fib.Port{}, err
	}
	a, err := w.steering.Attach(id, i.Index, "")
	if err != nil {
		return fib.Port{}, err
	}
	w.attached = append(w.attached, a)
	return fib.Port{ID: fib.PortID(id), Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(id)}), MTU: 1500, MAC: mac}, nil
}

// entries are the tables for a work: what goes to 10.2.0.0/16 leaves by the second port.
func entries(b *fib.Batch, work string) {
	eth := slices.Concat(farMAC[:], b.Ports[1].MAC[:], []byte{packet.TypeIPv4 >> 8, packet.TypeIPv4 & 0xff})
	a := fib.Adjacency{ID: fib.FirstAdj, Port: 2, Kind: fib.AdjLink, Outer: eth, MTU: 1500, LinkMTU: 1500}
	if work == "gre-encap" || work == "esp-encap" {
		h := packet.Header{TTL: 255, Proto: packet.ProtoGRE, Src: here.As4(), Dst: peer.As4()}
		ip := make([]byte, packet.IPv4Len)
		h.Put(ip, 0)
		clear(ip[2:4])   // length and checksum
		clear(ip[10:12]) // are the worker's
		a.Kind, a.Tunnel, a.MTU = fib.AdjTunnel, tunnel0.ID, tunnel0.MTU
		a.Inner, a.Outer = []byte{0x20, 0, 8, 0, 0, 0, 0, byte(tunnel0.Key)}, append(eth, ip...)
	}
	t := tunnel0
	if work == "esp-encap" {
		key := make(fib.Key, 20)
		for i := range key {
			key[i] = byte(i)
		}
		b.SAs = []fib.SA{{ID: 1, SPI: 0x1000, Local: here, Remote: peer, Cipher: fib.CipherAESGCM, CipherKey: key, Protection: 1}}
		a.SA, a.MTU = 1, 1400
		t.Protected, t.Protection = true, 1
	}
	b.Tunnels, b.Adjacencies = []fib.Tunnel{t}, []fib.Adjacency{a}
	b.Routes = []fib.Route{
		{Prefix: behind, Paths: []fib.AdjID{fib.FirstAdj}},
		{Prefix: netip.PrefixFrom(here, 32), Paths: []fib.AdjID{fib.Receive}},
	}
}

// Run forwards until the context ends.
func (w *Worker) Run(ctx context.Context, adaptive bool) error {
	return w.worker.Run(ctx, fastpath.RunConfig{Adaptive: adaptive})
}

// Count is the worker's numbers.
func (w *Worker) Count() fastpath.WorkerCount { return w.engine.Counters().Workers[0] }

// Close gives the interfaces back. Nobody runs it any more.
func (w *Worker) Close() error {
	var err error
	for _, a := range w.attached {
		err = errors.Join(err, a.Detach())
	}
	for k, p := range w.ports {
		w.worker.Detach(fib.PortID(k + 1))
		err = errors.Join(err, p.Close())
	}
	if w.steering != nil {
		err = errors.Join(err, w.steering.Close())
	}
	if w.engine != nil {
		err = errors.Join(err, w.engine.Close())
	}
	if w.umem != nil {
		err = errors.Join(err, w.umem.Close())
	}
	return err
}

// Command is `naveperf worker`: a worker in a process of its own, as a gateway has it, until its standard input ends. What runs it can so never leave it
// behind.
func Command(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	f.SetOutput(errs)
	in := f.String("in", "", "`interface` that packets come by")
	to := f.String("out", "", "`interface` that they leave by")
	work := f.String("work", "ipv4", "what becomes of them: "+strings.Join(Works(), ", "))
	poll := f.String("poll", "strict", "strict spins, adaptive sleeps when there is nothing to do")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case *in == "" || *to == "" || f.NArg() > 0:
		return errors.New("say --in INTERFACE --out INTERFACE, and flags only")
	case *poll != "strict" && *poll != "adaptive":
		return fmt.Errorf("--poll %s: strict or adaptive", *poll)
	}
	runtime.GOMAXPROCS(1)
	w, err := NewWorker(*in, *to, *work)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Fprintln(out, "ready")
	err = w.Run(ctx, *poll == "adaptive")
	count := w.Count()
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(count)
}
