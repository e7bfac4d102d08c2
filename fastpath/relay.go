package fastpath

import (
	"fmt"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/port"
)

// Relay lets worker w send by port id, of which it has no queue, through worker via, which has one.
func (e *Engine) Relay(w *Worker, id fib.PortID, via int) error {
	if via == w.index {
		return fmt.Errorf("fastpath: worker %d can't send by port %d through itself", via, id)
	}
	e.mu.Lock()
	err := e.needRing(w.index, via)
	atomic.AddUint32(&e.hand[handGeneration], 1)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	return w.Attach(id, &relay{w: w, id: id, via: via})
}

// relay is a port of a worker that has no queue of it: what is sent goes to the worker that has one. It implements port.Port.
type relay struct {
	w   *Worker
	id  fib.PortID
	via int
}

// Recv implements port.Port: there is no queue.
func (p *relay) Recv([]port.Frame) int { return 0 }

// Send implements port.Port. The frames are copied, and back in the pool when it returns.
func (p *relay) Send(fs []port.Frame) int {
	h := &p.w.hand
	if h.out[p.via] == nil {
		return 0
	}
	for i, f := range fs {
		b := p.w.pool.Bytes(f)
		if len(b) > h.out[p.via].SlotSize()-handHeader {
			p.w.c.words[cntReasons+int(RelayLost)]++ // it never fits, and those behind it do
			if p.w.tapped {
				p.w.tapLink(RelayLost, p.id, b)
			}
		} else if !h.put(p.via, handOutput, p.id, b) {
			return i
		}
		p.w.release(f)
	}
	return len(fs)
}

// Flush implements port.Port.
func (p *relay) Flush() { p.w.publish() }

// FD implements port.Port: nothing is received here.
func (p *relay) FD() int { return -1 }

// Close implements port.Port.
func (p *relay) Close() error { return nil }
