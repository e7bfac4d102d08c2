package stall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

const (
	burst     = 32
	frameSize = packet.EthernetLen + packet.IPv4Len + 44
	chunkSize = 2048
	// settle is how many polls come before those that count: the first ones fault pages in.
	settle = 100
)

// probe is a port that has a burst of the same packets for every poll and takes it back when it is sent, and that notes when it is looked at.
type probe struct {
	gaps   gaps
	pool   *port.Pool
	frames []port.Frame
	head   [packet.EthernetLen + packet.IPv4Len]byte
	polls  uint64
	sent   uint64
}

// Recv implements port.Port.
func (p *probe) Recv(fs []port.Frame) int {
	if p.polls++; p.polls > settle {
		p.gaps.poll()
	}
	n := copy(fs, p.frames)
	for _, f := range fs[:n] {
		copy(p.pool.Bytes(f), p.head[:])
	}
	return n
}

// Send implements port.Port.
func (p *probe) Send(fs []port.Frame) int {
	p.sent += uint64(len(fs))
	return len(fs)
}

// Flush implements port.Port.
func (p *probe) Flush() {}

// FD implements port.Port.
func (p *probe) FD() int { return -1 }

// Close implements port.Port.
func (p *probe) Close() error { return nil }

// poll has a worker poll and forward until ctx ends.
func poll(ctx context.Context) (g *gaps, err error) {
	e, err := fastpath.New(fastpath.Config{ArenaBytes: 16 << 20, MaxRoutes: 1024, MaxAdjacencies: 64, MaxSAs: 64})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	p := &probe{pool: port.NewPool(make([]byte, 4*burst*chunkSize), chunkSize)}
	w, err := e.NewWorker(p.pool)
	if err != nil {
		return nil, err
	}
	if err := p.set(e, w); err != nil {
		return nil, err
	}
	if err := w.Run(ctx, fastpath.RunConfig{}); err != nil {
		return nil, err
	}
	if w.Detach(1); p.polls <= settle+1 || p.sent != p.polls*burst {
		return nil, fmt.Errorf("%d polls with %d packets each, and %d were forwarded", p.polls, burst, p.sent)
	}
	return &p.gaps, nil
}

// set gives the engine a route back to where packets come from.
func (p *probe) set(e *fastpath.Engine, w *fastpath.Worker) error {
	here, there := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	packet.PutEthernet(p.head[:], here, there, packet.TypeIPv4)
	h := packet.Header{TTL: 64, Proto: packet.ProtoUDP, Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{10, 0, 0, 2}}
	h.Put(p.head[packet.EthernetLen:], frameSize-packet.EthernetLen-packet.IPv4Len)
	for range burst {
		c, ok := p.pool.Get()
		if !ok {
			return errors.New("no frames")
		}
		p.frames = append(p.frames, port.Frame{Chunk: c, Start: port.Headroom, Len: frameSize})
	}
	outer := make([]byte, packet.EthernetLen)
	packet.PutEthernet(outer, there, here, packet.TypeIPv4)
	refused, err := e.Apply(&fib.Batch{
		Ports:       []fib.Port{{ID: 1, MAC: here, Addr: netip.MustParseAddr("192.0.2.1"), MTU: 1500}},
		Adjacencies: []fib.Adjacency{{ID: fib.FirstAdj, Kind: fib.AdjLink, Port: 1, Outer: outer, MTU: 1500}},
		Routes:      []fib.Route{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Paths: []fib.AdjID{fib.FirstAdj}}},
	})
	if err == nil && len(refused) > 0 {
		err = refused[0].Err
	}
	if err != nil {
		return err
	}
	return w.Attach(1, p)
}
