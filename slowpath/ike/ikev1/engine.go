package ikev1

import (
	"net/netip"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/trace"
)

// Fixed times and bounds of the protocol's running.
const (
	halfOpen      = 60 * time.Second // how long a peer may take for phase 1
	halfOpenBusy  = 12 * time.Second // the same, of peers that only sent a first message, when there are many
	remember      = 75 * time.Second // a finished exchange is, to answer what the peer repeats
	resendEvery   = 500 * time.Millisecond
	grace         = 30 * time.Second  // an SA that was replaced still takes packets
	graceMost     = 120 * time.Second // and goes then, if nothing was heard of its end
	perPeer       = 64                // SAs in negotiation with one address
	fragmentsMost = 64
	messageMost   = 65535
	quickPerSA    = 32              // quick modes that a peer may have open on one SA
	port          = 500             // UDP (RFC 2408 section 2.5.1)
	natPort       = 4500            // UDP (RFC 3947 section 4)
	noticeEvery   = 2 * time.Second // between notifications that nobody authenticated, to one address
	noticeBurst   = 50              // such notifications at once, to everybody
	logEvery      = 100 * time.Millisecond
	logBurst      = 50
)

// retries are the waits for an answer before a message is sent again; with the last one over the peer is given up.
var retries = [...]time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 12 * time.Second, 16 * time.Second, 18 * time.Second}

// cookies name an SA (RFC 2408 section 2.5.3).
type cookies struct{ i, r ikemsg.SPI }

// firstKey is how a peer's first message is known again.
type firstKey struct {
	from   netip.AddrPort
	vrf    uint16
	cookie ikemsg.SPI
}

// Engine is IKEv1 of one box. It belongs to one goroutine.
type Engine struct {
	env        *ike.Env
	cfg        *ike.Config
	sas        map[ike.SAID]*sa
	byCookies  map[cookies]*sa
	ours       map[ikemsg.SPI]*sa // by the initiator cookies that we made up
	firsts     map[firstKey]*sa   // by the first messages of peers
	peers      map[peerKey]*peer
	children   map[ike.ChildID]*child
	timers     timers
	stats      ike.Stats
	recoveries bucket // limits how many SAs are made with peers that only sent by one that is not ours
	notices    bucket // limits what is sent to whom nobody knows
	logs       bucket
	now        time.Time // of the step that is under way
	out        []ike.Effect
	sending    []ike.TracePayload // of the message that is about to be sent, while that is told
}

// New makes an engine without configuration.
func New(env *ike.Env) *Engine {
	return &Engine{
		env: env, cfg: &ike.Config{},
		sas: make(map[ike.SAID]*sa), byCookies: make(map[cookies]*sa), ours: make(map[ikemsg.SPI]*sa), firsts: make(map[firstKey]*sa),
		peers: make(map[peerKey]*peer), children: make(map[ike.ChildID]*child),
		notices: bucket{every: 50 * time.Millisecond, burst: noticeBurst}, recoveries: bucket{every: 20 * time.Millisecond, burst: noticeBurst}, logs: bucket{every: logEvery, burst: logBurst},
	}
}

func (e *Engine) begin(now time.Time) { e.now, e.out = now, nil }

func (e *Engine) end() []ike.Effect {
	out := e.out
	e.out = nil
	return out
}

func (e *Engine) emit(f ike.Effect) { e.out = append(e.out, f) }

// Handle takes an event in and returns what to do, in order.
func (e *Engine) Handle(now time.Time, ev ike.Event) []ike.Effect {
	e.begin(now)
	switch ev := ev.(type) {
	case ike.Received:
		e.receive(ev)
	case ike.Initiate:
		e.initiate(ev)
	case ike.Release:
		e.release(ev)
	case ike.Drop:
		if c := e.children[ev.Child]; c != nil {
			e.letGo(c, ike.WhyReleased)
		}
	case ike.Volume:
		e.volume(ev)
	case ike.Heard:
		if c := e.children[ev.Child]; c != nil {
			e.heard(c)
		}
	case ike.Moved:
		e.moved(ev)
	case ike.UnknownSPI:
		e.unknownSPI(ev)
	case ike.Clear:
		e.clear(ev)
	case ike.Load:
		e.env.Admission.LoadNow = ev.Percent
	case ike.Tick:
		e.tick()
	}
	return e.end()
}

// tick does what is due; each timer once at most, so that no step goes on for ever.
func (e *Engine) tick() {
	for n := len(e.timers); n > 0; n-- {
		t := e.timers.due(e.now)
		if t == nil {
			return
		}
		wake := t.wake
		t.wake = nil
		wake()
	}
}

// Deadline is when Tick is wanted; the zero Time: not at all.
func (e *Engine) Deadline() time.Time {
	if len(e.timers) == 0 {
		return time.Time{}
	}
	return e.timers[0].at
}

func (e *Engine) after(t *timer, d time.Duration, wake func()) { e.timers.set(t, e.now.Add(d), wake) }

// less is d less up to a part of it by chance: 1/part.
func (e *Engine) less(d time.Duration, part int64) time.Duration {
	if d <= 0 {
		return 0
	}
	return d - time.Duration(e.env.Jitter.Int64N(int64(d)/part+1))
}

// transmit puts a message onto the wire; b stays the caller's.
func (e *Engine) transmit(path ike.Path, b []byte) {
	e.stats.Sent++
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceSent(path, b)
	}
	e.emit(ike.Send{Path: path, Packet: append([]byte(nil), b...)})
}

// bucket lets burst things happen at once, and one more in each time of every.
type bucket struct {
	every time.Duration
	burst int
	debt  time.Time // when it is full again
}

func (b *bucket) take(now time.Time) bool {
	if b.debt.Before(now) {
		b.debt = now
	}
	if b.debt.Sub(now) > b.every*time.Duration(b.burst-1) {
		return false
	}
	b.debt = b.debt.Add(b.every)
	return true
}
