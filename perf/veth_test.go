package perf

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"nave/bpf"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port/afxdp"
	"nave/testbed/netns"
)

// bench is a worker between two cables: a generator of live XDP frames on one, a counting XDP program at the end of the
// other. Generator and receiving side share a core, the worker has the other.
type bench struct {
	b       *testing.B
	dut     *netns.NS
	gen     *netns.NS
	sink    *netns.NS
	macs    [2]net.HardwareAddr // of the device under test
	index   [2]int
	genIf   int
	counter *ebpf.Map
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func newBench(b *testing.B) *bench {
	b.Helper()
	x := &bench{b: b, dut: netns.New(b, "dut"), gen: netns.New(b, "gen"), sink: netns.New(b, "sink")}
	check(b, netns.Veth(netns.End{NS: x.dut, Name: "eth0"}, netns.End{NS: x.gen, Name: "gen"}, 1500))
	check(b, netns.Veth(netns.End{NS: x.dut, Name: "eth1"}, netns.End{NS: x.sink, Name: "sink"}, 1500))
	for k, name := range []string{"eth0", "eth1"} {
		check(b, x.dut.Do(func() error {
			i, err := net.InterfaceByName(name)
			if err == nil {
				x.macs[k], x.index[k] = i.HardwareAddr, i.Index
			}
			return err
		}))
	}
	check(b, x.gen.Do(func() error {
		i, err := net.InterfaceByName("gen")
		if err == nil {
			x.genIf = i.Index
		}
		return err
	}))
	x.attachSink()
	return x
}

// attachSink counts and drops what arrives at the far end.
func (x *bench) attachSink() {
	var err error
	x.counter, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	check(x.b, err)
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, x.counter.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("drop"),
		asm.Return(),
	}})
	check(x.b, err)
	var l link.Link
	check(x.b, x.sink.Do(func() error {
		i, err := net.InterfaceByName("sink")
		if err != nil {
			return err
		}
		l, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: i.Index, Flags: link.XDPDriverMode})
		return err
	}))
	x.b.Cleanup(func() { l.Close(); prog.Close(); x.counter.Close() })
}

func (x *bench) received() uint64 {
	var per []uint64
	check(x.b, x.counter.Lookup(uint32(0), &per))
	var n uint64
	for _, v := range per {
		n += v
	}
	return n
}

// generate sends copies of a frame into the device under test until the returned function is called.
func (x *bench) generate(frame []byte) (stop func()) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R1, int32(x.genIf)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
	}})
	check(x.b, err)
	var ended atomic.Bool
	done := make(chan error, 1)
	go func() {
		done <- x.gen.Do(func() error {
			for !ended.Load() {
				const live, burst = 2, 64 // BPF_F_TEST_XDP_LIVE_FRAMES
				if _, err := prog.Run(&ebpf.RunOptions{Data: frame, Repeat: 200000, Flags: live, BatchSize: burst}); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	return func() {
		ended.Store(true)
		check(x.b, <-done)
		prog.Close()
	}
}

// start runs an engine with both ports and these entries.
func (x *bench) start(batch *fib.Batch) *fastpath.Engine {
	b := x.b
	e, err := fastpath.New(fastpath.Config{})
	check(b, err)
	umem, err := afxdp.NewUMEM(16384, 2048)
	check(b, err)
	w, err := e.NewWorker(umem.Pool())
	check(b, err)
	steering, err := bpf.New()
	check(b, err)
	var ports [2]*afxdp.Port
	var attached [2]*bpf.Attachment
	for k := range ports {
		id := uint32(k + 1)
		check(b, x.dut.Do(func() (err error) {
			if ports[k], err = afxdp.Open(umem, afxdp.Config{Ifindex: x.index[k]}); err != nil {
				return err
			}
			p := bpf.Port{Base: id * 64}
			copy(p.MAC[:], x.macs[k])
			if err := steering.SetPort(id, p); err != nil {
				return err
			}
			if err := steering.SetSocket(id*64, ports[k].FD()); err != nil {
				return err
			}
			attached[k], err = steering.Attach(id, x.index[k], "")
			return err
		}))
		check(b, w.Attach(fib.PortID(id), ports[k]))
		port := fib.Port{ID: fib.PortID(id), Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(id)}), MTU: 1500}
		copy(port.MAC[:], x.macs[k])
		batch.Ports = append(batch.Ports, port)
	}
	refused, err := e.Apply(batch)
	check(b, err)
	if len(refused) > 0 {
		b.Fatalf("refused: %v", refused)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(b.Context(), fastpath.RunConfig{}) }()
	b.Cleanup(func() {
		if err := <-ended; err != nil {
			b.Error(err)
		}
		for k := range ports {
			attached[k].Detach()
			w.Detach(fib.PortID(k + 1))
			ports[k].Close()
		}
		steering.Close()
		e.Close()
		umem.Close()
	})
	return e
}

// run measures what arrives at the sink while the generator sends as fast as it can.
func (x *bench) run(e *fastpath.Engine, frame []byte) {
	stop := x.generate(frame)
	defer stop()
	time.Sleep(200 * time.Millisecond) // warm-up
	const step = 50000
	before := e.Counters().Workers[0]
	start, first := time.Now(), x.received()
	if first == 0 {
		x.b.Fatal("nothing arrives at the sink")
	}
	x.b.ResetTimer()
	n := uint64(0)
	for x.b.Loop() {
		for n += step; x.received()-first < n; {
			time.Sleep(100 * time.Microsecond)
		}
	}
	x.b.StopTimer()
	got, took := x.received()-first, time.Since(start)
	after := e.Counters().Workers[0]
	x.b.ReportMetric(0, "ns/op")
	x.b.ReportMetric(float64(got)/took.Seconds()/1e6, "Mpps")
	busy := after.Polls - before.Polls - (after.EmptyPolls - before.EmptyPolls)
	x.b.ReportMetric(float64(after.Packets-before.Packets)/float64(busy), "packets/poll")
	x.b.ReportMetric(float64(after.Ticks-before.Ticks)/float64(after.Packets-before.Packets), "own-ticks/packet")
	x.b.ReportMetric(float64(after.LinkTicks-before.LinkTicks)/float64(after.Packets-before.Packets), "link-ticks/packet")
}

// datagram is UDP in IPv4, n bytes of IP packet.
func datagram(n int, src, dst string) []byte {
	b := make([]byte, n)
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	packet.IPv4(b).SetSum()
	return b
}

func ethernet(dst net.HardwareAddr, ip []byte) []byte {
	return append(append(append([]byte{}, dst...), 2, 0, 0, 0, 0, 9, 8, 0), ip...)
}

// outer is GRE with a key in IPv4 around an IP packet.
func outer(src, dst string, key uint32, inner []byte) []byte {
	b := datagram(28+len(inner), src, dst)
	b[9] = 47
	copy(b[20:], []byte{0x20, 0, 8, 0})
	binary.BigEndian.PutUint32(b[24:], key)
	copy(b[28:], inner)
	packet.IPv4(b[:20]).SetSum()
	return b
}

// BenchmarkVeth forwards over two veths: IPv4, into a tunnel, out of one.
func BenchmarkVeth(b *testing.B) {
	pfx, addr := netip.MustParsePrefix, netip.MustParseAddr
	var zero, far [6]byte
	far = [6]byte{2, 0, 0, 0, 0, 7}
	tunnel := fib.Tunnel{ID: 1, Local: addr("192.0.2.1"), Key: 100, HasKey: true, Addr: addr("10.255.0.1"), MTU: 1476}
	for _, size := range []int{64, 1400} {
		for _, c := range []struct {
			name  string
			frame func(x *bench) []byte
			route fib.Route
			local []fib.Route
			adj   func(x *bench) fib.Adjacency
		}{
			{name: "ipv4", frame: func(x *bench) []byte { return ethernet(x.macs[0], datagram(size, "10.1.0.7", "10.2.0.7")) }},
			{name: "gre-encap", frame: func(x *bench) []byte { return ethernet(x.macs[0], datagram(size, "10.1.0.7", "10.2.0.7")) },
				adj: func(x *bench) fib.Adjacency {
					ip := make([]byte, 20)
					ip[0], ip[8], ip[9] = 0x45, 255, 47
					copy(ip[12:], []byte{192, 0, 2, 2, 198, 51, 100, 1})
					return fib.Adjacency{Kind: fib.AdjTunnel, Tunnel: 1, Inner: []byte{0x20, 0, 8, 0, 0, 0, 0, 100},
						Outer: append(append(append(far[:len(far):len(far)], x.macs[1]...), 8, 0), ip...), MTU: 1476, LinkMTU: 1500}
				}},
			{name: "gre-decap", frame: func(x *bench) []byte {
				return ethernet(x.macs[0], outer("198.51.100.9", "192.0.2.1", 100, datagram(size, "10.1.0.7", "10.2.0.7")))
			}, local: []fib.Route{{Prefix: pfx("192.0.2.1/32"), Paths: []fib.AdjID{fib.Receive}}}},
		} {
			b.Run(c.name+"/"+map[int]string{64: "64", 1400: "1400"}[size], func(b *testing.B) {
				x := newBench(b)
				a := fib.Adjacency{Kind: fib.AdjLink, Outer: append(append(append(far[:len(far):len(far)], x.macs[1]...), 8, 0), zero[:0]...), MTU: 1500, LinkMTU: 1500}
				if c.adj != nil {
					a = c.adj(x)
				}
				a.ID, a.Port = fib.FirstAdj, 2
				e := x.start(&fib.Batch{
					Tunnels: []fib.Tunnel{tunnel}, Adjacencies: []fib.Adjacency{a},
					Routes: append(c.local, fib.Route{Prefix: pfx("10.2.0.0/16"), Paths: []fib.AdjID{fib.FirstAdj}}),
				})
				x.run(e, c.frame(x))
			})
		}
	}
}
