package fastpath

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// What packets cost on hardware that is emulated is paid from budgets, which all workers share: a few words each in the arena, where time fills them up and packets
// take from them. A packet that finds too little is dropped, as by the queue in front of what the budget stands for. Where nothing is emulated, no entry has a price, and
// nobody comes here.

// Words of what the workers share: whether there are budgets at all, and then each of them.
const (
	creditOn = iota
	creditHeader
)

// Words of a budget.
const (
	creditRate  = iota // units a second; 0: no end
	creditBurst        // units
	creditLevel        // units that lie there; less than none for a moment, and while what is urgent has taken more
	creditLast         // until when they were filled up, nanoseconds of Poll
	creditPad          // to a line of memory: workers write to them at the same time
	creditWords = creditPad + 4
)

const creditSize = creditHeader + creditWords*fib.NumBudgets

func budgetWords(credit []uint64, b fib.Budget) []uint64 {
	return credit[creditHeader+int(b)*creditWords:][:creditWords]
}

// newCredit lays the budgets out in an empty arena.
func (e *Engine) newCredit() (arena.Ref, error) {
	return e.arena.AllocKept(8 * creditSize)
}

func (e *Engine) openCredit(r arena.Ref) { e.credit = e.arena.U64(r, creditSize) }

// maxRefill is the longest time that a budget is filled up for at once: none takes longer to be full.
const maxRefill = int64(1e9)

// refill fills the budgets up to the time of the poll.
func (w *Worker) refill() {
	w.metered = atomic.LoadUint64(&w.credit[creditOn]) != 0
	if !w.metered {
		return
	}
	for b := range fib.Budget(fib.NumBudgets) {
		refill(budgetWords(w.credit, b), w.now)
	}
}

// refill fills a budget up. A worker that finds that another one has done so meanwhile leaves it at that.
func refill(m []uint64, now int64) {
	rate, burst := atomic.LoadUint64(&m[creditRate]), int64(atomic.LoadUint64(&m[creditBurst]))
	last := int64(atomic.LoadUint64(&m[creditLast]))
	if rate == 0 || now <= last {
		return
	}
	add, until := burst, now
	if now-last < maxRefill {
		hi, lo := bits.Mul64(uint64(now-last), rate)
		n, _ := bits.Div64(hi, lo, 1e9) // hi is below 1e9 as the time is below a second
		if n == 0 {
			return // not even one unit yet: the time still counts
		}
		add = int64(min(n, uint64(burst)))
		hi, lo = bits.Mul64(n, 1e9)
		took, _ := bits.Div64(hi, lo, rate) // what is left of the time stays for the next
		until = last + int64(took)
	}
	if !atomic.CompareAndSwapUint64(&m[creditLast], uint64(last), uint64(until)) {
		return
	}
	for {
		level := atomic.LoadUint64(&m[creditLevel])
		full := min(int64(level)+add, burst)
		if atomic.CompareAndSwapUint64(&m[creditLevel], level, uint64(full)) {
			return
		}
	}
}

// take takes n units of a budget; false when it has not as many.
func (w *Worker) take(b fib.Budget, n int64) bool {
	m := budgetWords(w.credit, b)
	if atomic.LoadUint64(&m[creditRate]) != 0 && int64(atomic.AddUint64(&m[creditLevel], uint64(-n))) < 0 {
		atomic.AddUint64(&m[creditLevel], uint64(n))
		return false
	}
	w.c.words[cntSpent+int(b)] += uint64(n)
	return true
}

// queue takes a packet's place in front of the route processor; false when there is none. For what is urgent there is as much room again, which nothing else gets: it passes
// whatever else waits there, but no faster than the route processor is.
func (w *Worker) queue(b fib.Budget, urgent bool) bool {
	m := budgetWords(w.credit, b)
	floor := int64(0)
	if urgent {
		floor = -int64(atomic.LoadUint64(&m[creditBurst]))
	}
	if atomic.LoadUint64(&m[creditRate]) != 0 && int64(atomic.AddUint64(&m[creditLevel], ^uint64(0))) < floor {
		atomic.AddUint64(&m[creditLevel], 1)
		return false
	}
	w.c.words[cntSpent+int(b)]++
	return true
}

// precedence is the TOS from which on a packet is a protocol's (RFC 791: internetwork control), and urgent.
const precedence = 6 << 5

// pay pays what a packet of n bytes costs by an entry. Unknown: it is paid.
func (w *Worker) pay(p *pkt, price table.Price, n int, tos uint8, labelled bool) Reason {
	if p.own {
		return Unknown
	}
	if cost := price.Cost(); cost != 0 && !w.take(fib.Engine, cost) {
		return EngineOver
	}
	if r := w.payWay(p, price.Way(labelled), tos); r != Unknown {
		return r
	}
	if price.Crypto() && !w.take(fib.Crypto, int64(n)) {
		return CryptoOver
	}
	return Unknown
}

// payWay pays the route processor, if it is the one that forwards, and was not paid yet.
func (w *Worker) payWay(p *pkt, way fib.Way, tos uint8) Reason {
	if way <= p.by || p.own {
		return Unknown
	}
	p.by = way
	switch {
	case way == fib.ByProcess && !w.queue(fib.Process, tos >= precedence):
		return ProcessOver
	case way == fib.ByCEF && !w.queue(fib.CEF, tos >= precedence):
		return CEFOver
	}
	return Unknown
}

// payAdj pays what leaving by an adjacency costs.
//
//go:noinline
func (w *Worker) payAdj(p *pkt, a *table.Adj) Reason {
	return w.pay(p, a.Price, len(p.ip), p.ip.TOS(), a.Labels != 0)
}

// payTunnel pays what it costs that a packet of n bytes came out of a tunnel. tos is its own, or what its label says.
//
//go:noinline
func (w *Worker) payTunnel(p *pkt, t *table.Tunnel, n int, tos uint8, labelled bool) Reason {
	return w.pay(p, t.Price, n, tos, labelled)
}

// payFragment pays who cuts a packet.
//
//go:noinline
func (w *Worker) payFragment(p *pkt, a *table.Adj, tos uint8) Reason {
	way := a.Price.Fragment()
	if p.own || way == fib.ByHardware {
		return Unknown
	}
	if !w.take(fib.LimitMTU, 1) {
		return MTUOver
	}
	return w.payWay(p, way, tos)
}

// software sends a packet on whose route or label has no room in the hardware's table: the route processor forwards it, if such packets do not come too fast.
//
//go:noinline
func (w *Worker) software(p *pkt, id uint32) verdict {
	if r := w.paySoftware(p, id, p.ip.TOS()); r != Unknown {
		return p.drop(r)
	}
	return w.forward(p, id&^table.Software)
}

// paySoftware pays for that.
func (w *Worker) paySoftware(p *pkt, id uint32, tos uint8) Reason {
	switch {
	case id&table.Software == 0:
		return NoAdjacency
	case p.own:
		return Unknown
	case !w.take(fib.Exception, 1):
		return ExceptionOver
	}
	return w.payWay(p, fib.ByCEF, tos)
}

// payLabel pays what it costs to take label e of entry l off.
//
//go:noinline
func (w *Worker) payLabel(p *pkt, l table.Label, e packet.LSE) Reason {
	tos := e.EXP() << 5
	if l.Place() == fib.PlaceSoftware && l.Action() == fib.LabelLookup { // the others' adjacency has the mark
		if r := w.paySoftware(p, table.Software, tos); r != Unknown {
			return r
		}
	}
	return w.pay(p, l.Price(), 0, tos, false)
}

// puntBudgets are the limiters of punts that the route processor has to look at, packet by packet. What the network itself needs (NHRP, associations, the frames of
// subinterfaces) is not limited by hardware.
var puntBudgets = [NumReasons]fib.Budget{
	Local: fib.LimitReceive, Fragment: fib.Process, TTLExpired: fib.LimitTTL, FragNeeded: fib.LimitMTU, Unroutable: fib.LimitNoRoute, Glean: fib.LimitGlean,
}

// payPunt pays what a punt costs the route processor; false when it is lost.
//
//go:noinline
func (w *Worker) payPunt(p *pkt, r Reason) bool {
	b := puntBudgets[r]
	if b == fib.Engine || p.own {
		return true
	}
	if b != fib.Process && !w.take(b, 1) { // a rate limiter does not tell good from bad
		return false
	}
	if r == Local && forProtocols(p.ip) || r == Fragment && p.ip.TOS() >= precedence {
		return true
	}
	return w.take(fib.Process, 1)
}

// ikePort is UDP's for IKE (RFC 7296 section 2.23); behind NAT it is natPort.
const ikePort = 500

// forProtocols tells whether a packet for this box is of a protocol that keeps the network together.
func forProtocols(ip packet.IPv4) bool {
	if ip.TOS() >= precedence {
		return true
	}
	udp := ip.Payload()
	if ip.Proto() != packet.ProtoUDP || len(udp) < packet.UDPLen {
		return false
	}
	to := binary.BigEndian.Uint16(udp[2:])
	return to == ikePort || to == natPort
}
