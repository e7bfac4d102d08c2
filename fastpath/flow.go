package fastpath

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/flow"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// MaxFlowCache is the most flows that a worker can remember.
const MaxFlowCache = flow.Max

// FlowInactive is how long a flow without packets is remembered.
const FlowInactive = flow.Inactive * time.Millisecond

// flowFar is how many flows make it worth while to look ahead: their lines are more than the caches close by hold.
const flowFar = 4096

// flowCache is a worker's memory of where the packets of a flow go. It saves the look at the routes, and counts.
type flowCache struct {
	t *flow.Table
	// generation is that of the routes, as of the start of a vector: what is looked up after it was read is right for it.
	generation uint64
	batch      flow.Batch // what lookAhead and lookInside look for
}

// A vector is one batch.
const _ = uint(flow.BatchSize - vector)

// openFlows finds the flow table of a worker in the arena, nil when it has none.
func (e *Engine) openFlows(i int) (*flow.Table, error) {
	ref := arena.Ref(e.ofWorker(i)[wkrFlows])
	if e.cfg.FlowCache == 0 || ref == 0 {
		return nil, nil
	}
	t, err := flow.Open(e.arena.U64(ref, flow.Words(e.cfg.FlowCache)))
	if err != nil {
		return nil, fmt.Errorf("fastpath: flows of worker %d: %w: %w", i, ErrLayout, err)
	}
	return t, nil
}

// layFlows makes the flow table of a worker in the arena, whose words in the engine block are b.
func (e *Engine) layFlows(i int, b []uint64) error {
	if e.cfg.FlowCache == 0 {
		return nil
	}
	n := flow.Words(e.cfg.FlowCache)
	ref, err := e.arena.AllocKept(8 * n)
	if err != nil {
		return fmt.Errorf("fastpath: %d flows of worker %d: %w", e.cfg.FlowCache, i, err)
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails
	flow.Format(e.arena.U64(ref, n), e.cfg.FlowCache, binary.LittleEndian.Uint64(seed[:]))
	b[wkrFlows] = uint64(ref)
	return nil
}

// flowBytes is what the arena needs for flow tables: blocks of it come in sizes of two and three times a power of two.
func (c *Config) flowBytes() int {
	if c.FlowCache <= 0 || c.FlowCache > MaxFlowCache || c.Workers <= 0 || c.Workers > arena.MaxReaders {
		return 0
	}
	return c.Workers * (8*flow.Words(c.FlowCache)*3/2 + 4096)
}

// lookFlows starts a poll: the time moves, and idle flows go. It tells whether there are more flows than the caches close by hold.
func (w *Worker) lookFlows() bool {
	w.flows.t.Tick(w.now, !w.busy)
	w.flows.generation = w.t.RouteGeneration()
	return w.flows.t.Live() > flowFar
}

// flowKey is the flow that a packet belongs to. It is at least as fine as flowHash: the packets of a flow go by one path.
func flowKey(vrf uint16, ip packet.IPv4) flow.Key {
	return flow.MakeKey(vrf, ip.Src(), ip.Dst(), ip.Proto(), ip.Ports())
}

// flowPath is path for a worker that remembers flows. Only what is forwarded is remembered: what is for this box has a shorter way, what a host of ours
// sends is no flow of others, and for what has nowhere to go it is not worth it.
func (w *Worker) flowPath(p *pkt, dst uint32) uint32 {
	fc := w.flows
	t := fc.t
	k := flowKey(p.vrf, p.ip)
	at, hash := p.flow, uint64(0)
	if at == 0 || !t.Is(at, k) {
		hash = t.Hash(k)
		at = t.Find(k, hash)
	}
	if at != 0 {
		if id, ok := t.Adj(at, fc.generation); ok {
			t.Count(at, len(p.ip))
			return id
		}
	}
	id := w.routePath(p, dst)
	if !w.remembered(id) {
		return id
	}
	if at == 0 {
		at = t.Add(k, hash, fc.generation, id, flowOrigin(p))
	} else {
		t.Renew(at, fc.generation, id)
	}
	t.Count(at, len(p.ip))
	return id
}

// remembered tells whether flows that go by an adjacency are worth to be remembered: it is no special one, and packets leave by it.
func (w *Worker) remembered(id uint32) bool {
	if id < uint32(fib.FirstAdj) {
		return false
	}
	a := w.t.Adj(id)
	return a != nil && (a.Kind == fib.AdjTunnel || a.Kind == fib.AdjLink)
}

// flowOrigin is what a flow table keeps of a flow's first packet: port, tunnel, TOS.
func flowOrigin(p *pkt) uint64 {
	o := uint64(p.port) | uint64(p.ip.TOS())<<32
	if p.tunnel != nil {
		o |= uint64(p.tunnel.ID) << 16
	}
	return o
}

// meetFlows finds the flows of the packets that are expected. Those whose flow says where it goes have their hint then, and are not expected any more. What it
// returns is only to be kept.
func (w *Worker) meetFlows() uint64 {
	fc, a := w.flows, &w.ahead
	for i := range a.pkts[:a.n] {
		fc.batch.Add(flowKey(a.looks[i].VRF, a.pkts[i].ip))
	}
	x := fc.batch.Find(fc.t)
	fc.batch.Clear()
	left := 0
	for i := range a.pkts[:a.n] {
		p := a.pkts[i].p
		if p.flow = fc.batch.At(i); p.flow != 0 {
			if id, ok := fc.t.Adj(p.flow, fc.generation); ok {
				p.hint = table.Hop(id)
				x ^= w.t.FetchAdj(&w.ahead.fetch, p.hint)
				continue
			}
		}
		a.pkts[left], a.looks[left] = a.pkts[i], a.looks[i]
		left++
	}
	a.n = left
	return x
}

// Flow is a flow that a worker remembers, and what it has forwarded of it.
type Flow struct {
	Worker           int
	VRF              fib.VRF
	Src, Dst         netip.Addr
	Proto            uint8
	SrcPort, DstPort uint16       // 0 of what is neither TCP nor UDP, and of fragments
	TOS              uint8        // of its first packet
	InPort           fib.PortID   // where its first packet came in
	InTunnel         fib.TunnelID // and the tunnel that it came out of; 0: none
	Adj              fib.AdjID    // where it goes
	OutPort          fib.PortID   // of the adjacency; 0 if it is not there any more
	OutTunnel        fib.TunnelID // 0: none
	Packets, Bytes   uint64       // of IPv4, as they came
	Age, Idle        time.Duration
}

// FlowCount reads the numbers of all workers' flow tables.
func (e *Engine) FlowCount() (n FlowCount) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		for _, w := range e.workers {
			if w.flowTable != nil {
				n.add(w.flowTable.Stats())
			}
		}
	}
	return n
}

// FlowCount is the numbers of flow tables.
type FlowCount struct {
	Live     uint64 `json:"live"`     // flows, those included that have been idle for too long and were not taken out yet
	Capacity uint64 `json:"capacity"` // flows that there is room for; 0: flows are not remembered
	Added    uint64 `json:"added"`
	Evicted  uint64 `json:"evicted"` // flows in use that had to make room
	Moved    uint64 `json:"moved"`   // looked up again, since routes had changed
}

func (n *FlowCount) add(s flow.Stats) {
	n.Live += s.Live
	n.Capacity += s.Capacity
	n.Added += s.Added
	n.Evicted += s.Evicted
	n.Moved += s.Moved
}

// flowBatch is how many sets are read at once: for so long nobody else writes the tables.
const flowBatch = 512

// Flows calls f with the flows of all workers, those that have been idle left out, until it returns false. The Flow is f's for the call. The workers
// go on meanwhile: a flow that comes or goes may be seen or not, and what is seen of one is of that flow.
func (e *Engine) Flows(f func(*Flow) bool) {
	batch := make([]Flow, 0, flowBatch*flow.Ways)
	for i := range e.cfg.Workers {
		for at, more := 0, true; more; at += flowBatch {
			batch, more = e.readFlows(i, at, batch[:0])
			for k := range batch {
				if !f(&batch[k]) {
					return
				}
			}
		}
	}
}

// readFlows copies the flows of the sets of a worker from number at on; more tells whether there are others behind them.
func (e *Engine) readFlows(worker, at int, batch []Flow) (_ []Flow, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || worker >= len(e.workers) {
		return batch, false
	}
	w := e.workers[worker]
	if w.flowTable == nil {
		return batch, false
	}
	var set [flow.Ways]flow.Record
	end := min(at+flowBatch, w.flowTable.Sets())
	for i := at; i < end; i++ {
		for k := range w.flowTable.Read(i, &set) {
			batch = append(batch, e.describeFlow(w.index, &set[k]))
		}
	}
	return batch, end < w.flowTable.Sets()
}

// describeFlow is a flow as others see it.
func (e *Engine) describeFlow(worker int, r *flow.Record) Flow {
	addr := func(a uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
	}
	k := r.Key
	f := Flow{
		Worker: worker, VRF: fib.VRF(k.VRF()), Src: addr(k.Src()), Dst: addr(k.Dst()), Proto: k.Proto(),
		SrcPort: uint16(k.Ports() >> 16), DstPort: uint16(k.Ports()), TOS: uint8(r.Origin >> 32), InPort: fib.PortID(r.Origin), InTunnel: fib.TunnelID(r.Origin >> 16),
		Adj: fib.AdjID(r.Adj), Packets: r.Packets, Bytes: r.Bytes,
		Age: time.Duration(r.Age) * time.Millisecond, Idle: time.Duration(r.Idle) * time.Millisecond,
	}
	if a := e.tables.Adj(r.Adj); a != nil {
		f.OutPort, f.OutTunnel = fib.PortID(a.Out()), fib.TunnelID(a.Tunnel)
	}
	return f
}
