package path

import (
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port"
	"nave/fastpath/port/afxdp"
	"nave/perf/tsc"
)

// Numbers of what every box has.
const (
	wan, lan   = fib.PortID(1), fib.PortID(2)
	tunnelID   = fib.TunnelID(1)
	protection = fib.ProtectionID(1)
)

const chunkSize = 2048

// box is an engine with one worker and two links, made of what a gateway is made of: tables in shared memory, frames in a UMEM.
type box struct {
	e    *fastpath.Engine
	w    *fastpath.Worker
	umem *afxdp.UMEM
	wan  *link
	lan  *link
	now  int64 // nanoseconds
}

// spare is frames beyond those that are in use: for what a worker takes itself.
const spare = 512

// newBox makes a box with room for n of everything that a peer has, and memory for so many frames.
func newBox(n, frames int, batch *fib.Batch) (*box, error) {
	return newBoxOf(fastpath.Config{
		ArenaBytes: 64<<20 + n*16<<10, MaxAdjacencies: n + 64, MaxRoutes: 4*n + 1024, MaxSAs: 2*n + 64, MaxVRFs: 4, MaxPorts: 8, MaxTunnels: 8,
	}, frames, batch)
}

// newBoxOf makes a box whose tables have those sizes.
func newBoxOf(cfg fastpath.Config, frames int, batch *fib.Batch) (*box, error) {
	e, err := fastpath.New(cfg)
	if err != nil {
		return nil, err
	}
	b := &box{e: e, wan: new(link), lan: new(link), now: 1}
	if b.umem, err = afxdp.NewUMEM(frames+spare, chunkSize); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err = b.start(batch); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *box) start(batch *fib.Batch) (err error) {
	if b.w, err = b.e.NewWorker(b.umem.Pool()); err != nil {
		return err
	}
	if err = errors.Join(b.w.Attach(wan, b.wan), b.w.Attach(lan, b.lan)); err != nil {
		return err
	}
	refused, err := b.e.Apply(batch)
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("%d entries are refused, first %s: %w", len(refused), refused[0].What, refused[0].Err)
	}
	return err
}

func (b *box) close() error {
	return errors.Join(b.e.Close(), b.umem.Close())
}

// ports is the two ports of a box whose WAN has an address and link addresses of its own.
func ports(mac [6]byte, wanAddr addr) []fib.Port {
	return []fib.Port{
		{ID: wan, MAC: mac, Addr: wanAddr.ip(), MTU: linkMTU, MPLS: true},
		{ID: lan, MAC: lanMAC, Addr: gateway.ip(), MTU: linkMTU, MPLS: true},
	}
}

func (b *box) link(id fib.PortID) *link {
	if id == wan {
		return b.wan
	}
	return b.lan
}

// frames takes n frames out of the pool for good.
func (b *box) frames(n int) ([]port.Frame, error) {
	fs := make([]port.Frame, n)
	for i := range fs {
		c, ok := b.w.Pool().Get()
		if !ok {
			return nil, fmt.Errorf("%d frames are wanted, %d are there", n, i)
		}
		fs[i] = port.Frame{Chunk: c, Start: port.Headroom}
	}
	return fs, nil
}

// forward has the worker forward a burst that comes in by a link, and returns the ticks that it took: of one poll, or of several where packets wait for a slow
// cipher. All of the burst must leave.
func (b *box) forward(in *link, burst []port.Frame, step int64) (ticks uint64, err error) {
	in.next = burst
	want := b.wan.sent + b.lan.sent + len(burst)
	for {
		b.now += step
		begin := tsc.Ticks()
		n := b.w.Poll(b.now)
		ticks += tsc.Ticks() - begin
		if got := b.wan.sent + b.lan.sent; got == want {
			return ticks, nil
		} else if n == 0 || got > want {
			return ticks, fmt.Errorf("%d of a burst of %d packets left: %s", len(burst)-want+got, len(burst), b.reasons())
		}
	}
}

// reasons is what packets were not forwarded for.
func (b *box) reasons() string {
	text := ""
	for i, n := range b.e.Counters().Reasons {
		if n > 0 {
			text += fmt.Sprintf(" %s %d", fastpath.Reason(i), n)
		}
	}
	if text == "" {
		return "no reason is counted"
	}
	return "counted since the start:" + text
}

// drain takes what the worker tells the slow path, and returns how much that was.
func (b *box) drain() (n int) {
	b.e.Drain(0, func(*fastpath.Punt) { n++ })
	return n
}

// host is a route to one address.
func host(a addr) netip.Prefix { return netip.PrefixFrom(a.ip(), 32) }

// net24 is the /24 that an address is in.
func net24(a addr) netip.Prefix { return netip.PrefixFrom((a &^ 255).ip(), 24) }
