package ends

import (
	"errors"
	"fmt"

	"github.com/asavie/xdp"

	"nave/fastpath/port"
	navexdp "nave/perf/xdp"
)

// stranger is a port on somebody else's AF_XDP binding, with a memory of its own: packets are copied between that and the pool.
type stranger struct {
	s      *xdp.Socket
	pool   *port.Pool
	failed error
}

func openAsavie(index, queue int, rx bool) (end, error) {
	s, err := xdp.NewSocket(index, queue, &xdp.SocketOptions{
		NumFrames: 4096, FrameSize: frameSize, FillRingNumDescs: 2048, CompletionRingNumDescs: 2048, RxRingNumDescs: 2048, TxRingNumDescs: 2048,
	})
	if err != nil {
		return end{}, fmt.Errorf("ends: asavie/xdp on interface %d queue %d: %w", index, queue, err)
	}
	pool := newPool()
	e := end{port: &stranger{s: s, pool: pool}, pool: pool, close: func() error { return nil }}
	if !rx {
		return e, nil
	}
	s.Fill(s.GetDescs(s.NumFreeFillSlots()))
	steer, err := navexdp.NewRedirect(index)
	if err == nil {
		e.close = steer.Close
		err = steer.SetSocket(queue, s.FD())
	}
	if err != nil {
		return end{}, errors.Join(err, e.close(), e.port.Close())
	}
	return e, nil
}

// Recv implements port.Port.
func (r *stranger) Recv(fs []port.Frame) int {
	n, _, err := r.s.Poll(0)
	if err != nil || n == 0 {
		return 0
	}
	k := 0
	for _, d := range r.s.Receive(min(n, len(fs))) {
		if chunk, ok := r.pool.Get(); ok {
			f := port.Frame{Chunk: chunk, Start: port.Headroom, Len: uint16(r.pool.ChunkSize() - port.Headroom)}
			f.Len = uint16(copy(r.pool.Bytes(f), r.s.GetFrame(d)))
			fs[k] = f
			k++
		}
	}
	r.s.Fill(r.s.GetDescs(r.s.NumFreeFillSlots()))
	return k
}

// Send implements port.Port. The library panics where the kernel refuses a wake-up, of a link that is down for one; Close tells it then.
func (r *stranger) Send(fs []port.Frame) (n int) {
	defer func() {
		if p := recover(); p != nil && r.failed == nil {
			r.failed = fmt.Errorf("ends: asavie/xdp gave up: %v", p)
		}
	}()
	if r.failed != nil {
		return 0
	}
	if done := r.s.NumCompleted(); done > 0 {
		r.s.Complete(done)
	}
	descs := r.s.GetDescs(min(len(fs), r.s.NumFreeTxSlots()))
	for k := range descs {
		descs[k].Len = uint32(copy(r.s.GetFrame(descs[k])[:frameSize], r.pool.Bytes(fs[k])))
		r.pool.Put(fs[k].Chunk)
	}
	n = len(descs)
	r.s.Transmit(descs)
	for range n / 32 { // the kernel sends 32 frames a wake-up
		r.s.Transmit(nil)
	}
	return n
}

// Flush implements port.Port.
func (r *stranger) Flush() {}

// FD implements port.Port.
func (r *stranger) FD() int { return r.s.FD() }

// Close implements port.Port.
func (r *stranger) Close() error { return errors.Join(r.failed, r.s.Close()) }
