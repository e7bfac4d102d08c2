package fastpath

import (
	"math/bits"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// Words of a worker's own counters.
const (
	cntPolls = iota
	cntEmpty
	cntPackets // received and injected
	cntInjected
	cntForwarded
	cntLabelled
	cntTicks
	cntLinkTicks
	cntHanded // given to other workers
	cntTaken  // taken over from them
	cntHistogram
	cntReasons = cntHistogram + HistogramBuckets
	cntLost    = cntReasons + NumReasons
	cntSpent   = cntLost + NumReasons
	cntWords   = cntSpent + fib.NumBudgets
)

// HistogramBuckets is how many buckets the histogram of packets a poll has: 0, 1, 2 to 3, 4 to 7, up to 256 and more.
const HistogramBuckets = 10

// counters is a worker's numbers in the arena. The worker alone writes them, with plain stores of whole words, which a reader
// sees whole: an atomic add would cost more than the lookup it counts. Readers load them atomically.
type counters struct {
	words   []uint64
	ports   []uint64 // of each port: received packets, bytes, sent packets, bytes
	tunnels []uint64 // the same of each tunnel
	adjs    []uint64 // of each adjacency: packets, bytes
}

// Places of the words of a port or tunnel.
const (
	rxPackets = iota
	rxBytes
	txPackets
	txBytes
	linkWords
)

// counterWords says where the block of a worker names its counters, and how many words they are.
func counterWords(cfg *Config) []struct{ at, n int } {
	return []struct{ at, n int }{
		{wkrWords, cntWords}, {wkrPorts, linkWords * cfg.MaxPorts}, {wkrTunnels, linkWords * cfg.MaxTunnels}, {wkrAdjs, 2 * cfg.MaxAdjacencies},
	}
}

// openCounters finds the counters of the worker whose words in the engine block are b.
func openCounters(a *arena.Arena, cfg *Config, b []uint64) (c counters) {
	for i, d := range counterWords(cfg) {
		*[]*[]uint64{&c.words, &c.ports, &c.tunnels, &c.adjs}[i] = a.U64(arena.Ref(b[d.at]), d.n)
	}
	return c
}

// polled counts a poll that handled n packets and late ones that had waited: own ticks of ours, and link ticks in which the links sent them.
func (c *counters) polled(n, late int, own, link uint64) {
	c.words[cntPolls]++
	c.words[cntHistogram+min(bits.Len(uint(n)), HistogramBuckets-1)]++
	if n+late == 0 {
		c.words[cntEmpty]++
		return
	}
	c.words[cntPackets] += uint64(n)
	c.words[cntTicks] += own
	c.words[cntLinkTicks] += link
}

// Count is packets and their bytes.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

func (c *Count) add(words []uint64) {
	c.Packets += atomic.LoadUint64(&words[0])
	c.Bytes += atomic.LoadUint64(&words[1])
}

func (c *Count) sub(o Count) {
	c.Packets -= o.Packets
	c.Bytes -= o.Bytes
}

// LinkCount is what a port or a tunnel received and sent. A port counts whole frames, a tunnel the packets inside.
type LinkCount struct {
	Rx Count `json:"rx"`
	Tx Count `json:"tx"`
}

func (c *LinkCount) add(words []uint64) {
	c.Rx.add(words[rxPackets:])
	c.Tx.add(words[txPackets:])
}

// WorkerCount is the numbers of one worker.
type WorkerCount struct {
	Polls      uint64 `json:"polls"`
	EmptyPolls uint64 `json:"empty_polls"`
	Packets    uint64 `json:"packets"`     // taken from ports and from the inject ring
	Injected   uint64 `json:"injected"`    // those from the inject ring
	TakenOver  uint64 `json:"taken_over"`  // those that other workers received and handed over
	HandedOver uint64 `json:"handed_over"` // received, and handed over to another worker, which counts them again
	Forwarded  uint64 `json:"forwarded"`   // sent on, as a whole, in fragments or in copies
	Labelled   uint64 `json:"labelled"`    // packets that were sent their way by what their MPLS label says, without a look at routes
	Ticks      uint64 `json:"ticks"`       // of the CPU's time stamp counter, in polls that were not empty, without LinkTicks
	LinkTicks  uint64 `json:"link_ticks"`  // of those polls, in which links sent what was queued: on veth all of the kernel's way to the other end
	// Histogram counts polls by packets: 0, 1, 2 to 3, 4 to 7, and so on, the last 256 and more.
	Histogram [HistogramBuckets]uint64 `json:"histogram"`
	Reasons   [NumReasons]uint64       `json:"-"` // packets by reason
	Spent     [fib.NumBudgets]uint64   `json:"-"` // units of each budget
	Lost      [NumReasons]uint64       `json:"-"` // punts beyond their rate, that the slow path was too slow for, or that fit no slot, by reason
}

// Snapshot is the engine's numbers at one time. Each number is right; they are not all of the same instant.
type Snapshot struct {
	Workers     []WorkerCount
	Reasons     [NumReasons]uint64     // packets by reason, of all workers
	Lost        [NumReasons]uint64     // punts that found no room, by reason, of all workers
	Spent       [fib.NumBudgets]uint64 // units of each budget, of all workers
	Ports       map[fib.PortID]LinkCount
	Tunnels     map[fib.TunnelID]LinkCount
	Adjacencies map[fib.AdjID]Count // of those that are installed, since they were
	SAs         map[fib.SAID]SACount
	Routes      int
	Generation  uint64
	Flows       FlowCount // of all workers
	ArenaUsed   int       // bytes
	ArenaSize   int       // bytes
	Room        Room
}

// Room is how many entries the tables have room for.
type Room struct{ Routes, Adjacencies, SAs int }

// Counters reads all numbers. Ports, tunnels and adjacencies are those installed.
func (e *Engine) Counters() Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Snapshot{
		Ports: map[fib.PortID]LinkCount{}, Tunnels: map[fib.TunnelID]LinkCount{}, Adjacencies: map[fib.AdjID]Count{},
		SAs: map[fib.SAID]SACount{},
	}
	if e.closed {
		return s
	}
	s.Routes, s.Generation = e.tables.Routes(), e.tables.Generation()
	s.ArenaUsed, s.ArenaSize = e.arena.Used(), e.arena.Size()
	s.Room = Room{Routes: e.cfg.MaxRoutes, Adjacencies: e.cfg.MaxAdjacencies - int(fib.FirstAdj), SAs: e.cfg.MaxSAs - 1}
	for _, w := range e.workers {
		wc := w.c.read()
		s.Workers = append(s.Workers, wc)
		if w.flowTable != nil {
			s.Flows.add(w.flowTable.Stats())
		}
		for r := range wc.Reasons {
			s.Reasons[r] += wc.Reasons[r]
			s.Lost[r] += wc.Lost[r]
		}
		for b := range wc.Spent {
			s.Spent[b] += wc.Spent[b]
		}
	}
	for id := 1; id < e.cfg.MaxPorts; id++ {
		if e.tables.Port(uint32(id)) != nil {
			s.Ports[fib.PortID(id)] = e.sumPort(fib.PortID(id))
		}
	}
	for id := 1; id < e.cfg.MaxTunnels; id++ {
		if e.tables.Tunnel(uint32(id)) != nil {
			s.Tunnels[fib.TunnelID(id)] = e.tunnelCount(fib.TunnelID(id))
		}
	}
	for id := int(fib.FirstAdj); id < e.cfg.MaxAdjacencies; id++ {
		if e.tables.Adj(uint32(id)) != nil {
			s.Adjacencies[fib.AdjID(id)] = e.adjCount(fib.AdjID(id))
		}
	}
	for id := 1; id < e.cfg.MaxSAs; id++ {
		if a := e.tables.SA(uint32(id)); a != nil {
			s.SAs[fib.SAID(id)] = countSA(a)
		}
	}
	return s
}

// Tally is what all workers have spent of budgets, and packets by reason: what Counters says of them, without a look at each entry.
type Tally struct {
	Spent   [fib.NumBudgets]uint64 // units
	Reasons [NumReasons]uint64
}

// Tally reads it.
func (e *Engine) Tally() (t Tally) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return t
	}
	for _, w := range e.workers {
		for b := range t.Spent {
			t.Spent[b] += atomic.LoadUint64(&w.c.words[cntSpent+b])
		}
		for r := range t.Reasons {
			t.Reasons[r] += atomic.LoadUint64(&w.c.words[cntReasons+r])
		}
	}
	return t
}

// AdjacencyCount is what has left by adjacency id since it was installed: cheap, for finding idle ones.
func (e *Engine) AdjacencyCount(id fib.AdjID) Count {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || int64(id) >= int64(e.cfg.MaxAdjacencies) || e.tables.Adj(uint32(id)) == nil {
		return Count{}
	}
	return e.adjCount(id)
}

// LabelCount is what has come with label in since it was installed, the labels counted that were on top of another one or under one of this box; zero without it.
func (e *Engine) LabelCount(in uint32) Count {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return Count{}
	}
	return Count(e.tables.LabelCount(in))
}

func (c *counters) read() (n WorkerCount) {
	load := func(i int) uint64 { return atomic.LoadUint64(&c.words[i]) }
	n.Polls, n.EmptyPolls, n.Packets = load(cntPolls), load(cntEmpty), load(cntPackets)
	n.TakenOver, n.HandedOver = load(cntTaken), load(cntHanded)
	n.Injected, n.Forwarded, n.Ticks, n.LinkTicks = load(cntInjected), load(cntForwarded), load(cntTicks), load(cntLinkTicks)
	n.Labelled = load(cntLabelled)
	for i := range n.Histogram {
		n.Histogram[i] = load(cntHistogram + i)
	}
	for i := range n.Spent {
		n.Spent[i] = load(cntSpent + i)
	}
	for i := range n.Reasons {
		n.Reasons[i], n.Lost[i] = load(cntReasons+i), load(cntLost+i)
	}
	return n
}

// bases is what the counters of an adjacency or tunnel stood at when it was installed: its number may have been another's before. It lies in the
// arena, as the counters do; only the writer looks.
type bases struct {
	adjs    []uint64 // packets, bytes of each
	tunnels []uint64 // as counters.tunnels
}

func (b *bases) newAdj(e *Engine, id fib.AdjID) {
	if int64(id) >= int64(e.cfg.MaxAdjacencies) {
		return
	}
	base := b.adjs[2*int(id):][:2]
	if base[0] != 0 {
		clear(base)
	}
	if n := e.adjCount(id); n != (Count{}) {
		base[0], base[1] = n.Packets, n.Bytes
	}
}

func (b *bases) newTunnel(e *Engine, id fib.TunnelID) {
	base := b.tunnels[linkWords*int(id):][:linkWords]
	if base[rxPackets]|base[txPackets] != 0 {
		clear(base)
	}
	if n := e.tunnelCount(id); n != (LinkCount{}) {
		base[rxPackets], base[rxBytes], base[txPackets], base[txBytes] = n.Rx.Packets, n.Rx.Bytes, n.Tx.Packets, n.Tx.Bytes
	}
}

func (e *Engine) sumPort(id fib.PortID) (n LinkCount) {
	for _, w := range e.workers {
		n.add(w.c.ports[linkWords*int(id):])
	}
	return n
}

func (e *Engine) tunnelCount(id fib.TunnelID) (n LinkCount) {
	for _, w := range e.workers {
		n.add(w.c.tunnels[linkWords*int(id):])
	}
	var old LinkCount
	old.add(e.base.tunnels[linkWords*int(id):])
	n.Rx.sub(old.Rx)
	n.Tx.sub(old.Tx)
	return n
}

func (e *Engine) adjCount(id fib.AdjID) (n Count) {
	for _, w := range e.workers {
		n.add(w.c.adjs[2*int(id):])
	}
	var old Count
	old.add(e.base.adjs[2*int(id):])
	n.sub(old)
	return n
}
