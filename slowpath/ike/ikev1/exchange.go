package ikev1

import (
	"crypto/sha256"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// task is what an exchange is for. Its methods run in the step that is under way.
type task interface {
	// process takes a message in that belongs to the exchange. One that it has no use for changes nothing, and is a fault. What is right is
	// accepted (exchange.accept) before it is answered.
	process(x *exchange, m *message) *fault
	// timeout says that the peer did not answer, however often it was asked.
	timeout(x *exchange)
	// abort says that the SA ends under it.
	abort(x *exchange, why ike.Why)
}

// exchange is one exchange of an SA: phase 1, whose message id is 0, or one of phase 2.
type exchange struct {
	e        *Engine
	sa       *sa
	id       uint32
	kind     uint8
	iv       []byte // of the next message, whoever sends it
	task     task   // nil: it is over, and only answers what is repeated
	sent     []byte // the last message of ours
	got      [][sha256.Size]byte
	tries    int
	resentAt time.Time
	timer    timer
}

// message is a message that is being taken in.
type message struct {
	head      ikemsg.Header
	path      ike.Path
	raw       []byte
	digest    [sha256.Size]byte
	payloads  []ikemsg.Payload
	plain     []byte // what payloads are made of, without padding
	encrypted bool
	next      []byte // the IV that it leaves behind
}

// payload is the body of the only payload of a type.
func (m *message) payload(typ uint8) ([]byte, *fault) {
	var body []byte
	n := 0
	for _, p := range m.payloads {
		if p.Type == typ {
			body = p.Body
			n++
		}
	}
	if n != 1 {
		return nil, malformed("%d payloads of type %d where there should be one", n, typ)
	}
	return body, nil
}

// all are the bodies of the payloads of a type.
func (m *message) all(typ uint8) [][]byte {
	var list [][]byte
	for _, p := range m.payloads {
		if p.Type == typ {
			list = append(list, p.Body)
		}
	}
	return list
}

// hashed takes the hash of a message of phase 2 off: it is the first payload, and covers the rest.
func (m *message) hashed() (hash, rest []byte, f *fault) {
	if !m.encrypted || len(m.payloads) == 0 || m.payloads[0].Type != ikev1msg.PayloadHash {
		return nil, nil, malformed("no hash at the beginning of a message of exchange %d", m.head.Exchange)
	}
	hash = m.payloads[0].Body
	return hash, m.plain[ikemsg.Generic+len(hash):], nil
}

// accept notes that a message is right: the IV chain goes on from it, and it is known when it is repeated.
func (x *exchange) accept(m *message) {
	x.got = append(x.got, m.digest)
	if m.encrypted {
		x.iv = m.next
	}
	x.e.timers.stop(&x.timer)
	x.tries = 0
}

// repeated tells whether a message was taken in before; the last one is answered again with the same bytes, but not too often.
func (x *exchange) repeated(m *message) bool {
	k := slices.Index(x.got, m.digest)
	if k < 0 {
		return false
	}
	if k == len(x.got)-1 && len(x.sent) > 0 && x.e.now.Sub(x.resentAt) >= resendEvery {
		x.resend(m.path)
	}
	return true
}

func (x *exchange) header() ikemsg.Header {
	return ikemsg.Header{Initiator: x.sa.ci, Responder: x.sa.cr, Version: ikemsg.Version1, Exchange: x.kind, MessageID: x.id}
}

// send sends payloads, in clear.
func (x *exchange) send(list []ikemsg.Payload) {
	x.e.note(list)
	x.put(assemble(x.header(), list))
}

// sendSealed sends payloads, encrypted.
func (x *exchange) sendSealed(list []ikemsg.Payload) {
	x.e.note(list)
	h := x.header()
	h.NextPayload = list[0].Type
	plain := ikev1msg.AppendChain(nil, list)
	var b []byte
	b, x.iv = x.sa.keys.seal(h, x.iv, plain)
	clear(plain)
	x.put(b)
}

// sendHashed sends payloads of phase 2, encrypted, with the hash that covers the message id, nonce and payloads in front.
func (x *exchange) sendHashed(nonce []byte, list []ikemsg.Payload) {
	hash := x.sa.keys.hash2(x.id, nonce, ikev1msg.AppendChain(nil, list))
	x.sendSealed(slices.Insert(list, 0, ikemsg.Payload{Type: ikev1msg.PayloadHash, Body: hash}))
}

func (x *exchange) put(b []byte) {
	x.sent, x.resentAt = b, x.e.now
	x.e.transmit(x.sa.path, b)
}

func (x *exchange) resend(path ike.Path) {
	x.resentAt = x.e.now
	x.e.stats.Resent++
	x.e.transmit(path, x.sent)
}

// openEvery is how often a first message is sent whose way NAT boxes are just opening: the other side's first packet may come later than ours.
const openEvery = 100 * time.Millisecond

// expect waits for an answer to what was sent, and asks again.
func (x *exchange) expect() {
	if s := x.sa; s.within > 0 && s.cr == (ikemsg.SPI{}) {
		last := s.created.Add(s.within)
		x.e.after(&x.timer, min(openEvery, last.Sub(x.e.now)), func() {
			if !x.e.now.Before(last) {
				x.task.timeout(x)
				return
			}
			x.resend(s.path)
			x.expect()
		})
		return
	}
	wait := retries[x.tries]
	x.e.after(&x.timer, x.e.less(wait+wait/20, 10), func() {
		if x.tries++; x.tries >= len(retries) {
			x.task.timeout(x)
			return
		}
		x.resend(x.sa.path)
		x.expect()
	})
}

// await waits for the peer without asking again: it repeats what it wants answered.
func (x *exchange) await(d time.Duration) {
	x.e.after(&x.timer, d, func() { x.task.timeout(x) })
}

// finish ends an exchange of phase 2. It is remembered a while: the peer may not have heard our last message.
func (x *exchange) finish() {
	x.task = nil
	x.e.after(&x.timer, remember, x.forget)
}

// forget drops an exchange of phase 2 at once.
func (x *exchange) forget() {
	x.e.timers.stop(&x.timer)
	x.task = nil
	delete(x.sa.exchanges, x.id)
}

// begin starts an exchange of phase 2 of ours.
func (s *sa) begin(kind uint8, t task) *exchange {
	for {
		var b [4]byte
		s.e.env.Random(b[:])
		if id := nonZero(b); !s.used(id) && s.exchanges[id] == nil {
			return s.open(kind, id, t)
		}
	}
}

// open starts an exchange of phase 2 under a message id.
func (s *sa) open(kind uint8, id uint32, t task) *exchange {
	x := &exchange{e: s.e, sa: s, id: id, kind: kind, task: t, iv: s.keys.exchangeIV(s.keys.iv, id)}
	s.exchanges[id] = x
	return x
}

// usedMost is how many message ids an SA may use. All are remembered, as a message that is heard twice might have an effect twice; then
// another SA takes its place.
const usedMost = 16384

// used tells whether a message id was used on the SA.
func (s *sa) used(id uint32) bool {
	_, used := s.ids[id]
	return used
}

// use notes that a message id is used.
func (s *sa) use(id uint32) {
	s.ids[id] = struct{}{}
	if len(s.ids) == usedMost && s.state == established && !s.retired {
		s.e.after(&s.life, 0, s.aged)
	}
}
