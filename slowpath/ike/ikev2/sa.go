package ikev2

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
	"nave/slowpath/trace"
)

// state is where an IKE SA stands.
//
//	initiator: Init ──answer──► Auth ──answer──► Up ──close──► Closing ──answer──► Gone
//	responder: (request) ─────► Auth ─request──► Up
type state uint8

const (
	stateInit state = iota
	stateAuth
	stateUp
	stateClosing // we have told the peer
	stateGone
)

// sa is an IKE SA. Only setState changes its state.
type sa struct {
	e          *Engine
	id         ike.SAID
	spiI, spiR ikemsg.SPI
	initiator  bool // we sent the first message
	path       ike.Path
	state      state
	begun      time.Time // with the first message of an SA that was not made by a rekey
	created    time.Time

	profile    *ike.V2Profile
	protection uint32        // what an initiator starts for
	within     time.Duration // so soon an initiator's first message is to be answered; 0: as usual
	self, peer ike.Identity
	auth       [2]ike.AuthMethod // ours, the peer's

	choice    ikeChoice
	keys      suite.V2Keys
	sealOut   suite.Sealer
	sealIn    suite.Sealer
	handshake *handshake // what only the first exchanges need

	nat         ike.NAT
	natt        bool // both sides do NAT traversal
	frag        bool // both sides do RFC 7383
	peerHashes  []suite.Hash
	digital     bool              // both sides do RFC 7427
	reassembly  [2]reassembly     // of a request, of an answer
	firstPiece  [sha256.Size]byte // hash of the first fragment of the request that is being gathered
	lastSent    time.Time
	lastHeard   time.Time
	rekeyAt     time.Time
	expires     time.Time
	deleteAfter time.Time // a rekeyed or half-open SA goes then at the latest
	askAt       time.Time // when a peer is asked for a sign of life whether there was one or not
	provenAt    time.Time // when our IKE_AUTH was first sent
	claimed     bool      // with INITIAL_CONTACT in it
	other       *sa       // that the other side started at the same moment: see twin
	twinSince   time.Time // when it came up beside another one with the peer
	pruneAt     time.Time // when to look whether two SAs with the peer are one too many

	nextSend   uint32
	nextRecv   uint32
	pending    *request
	queue      []task
	answered   answer
	children   map[ike.ChildID]*child
	rekeyed    *sa // took our place
	rival      *sa // the peer's attempt to take our place, while we make ours
	rivalMin   []byte
	rekeying   bool
	rekeyNonce []byte // the responder's, of the exchange that made the SA
	closeWhy   ike.Why
	fresh      bool              // the peer starts afresh: what it left goes once the answer is out
	toActivate *child            // once the answer is out
	endAfter   ike.Why           // the SA ends once the answer is out
	follow     *follow           // a rekey of the SA that waits for additional key exchanges
	wants      map[want]struct{} // who waits for children of it
	timer      timer
	touched    bool
}

// request is a request of ours that waits for its answer. There is one at a time.
type request struct {
	task     task
	exchange uint8
	id       uint32
	packets  [][]byte
	tries    int
	due      time.Time
	why      ike.Why // what an unauthenticated answer said
	code     uint16
}

// answer is the last answer that we gave, for the same request once more (RFC 7296 section 2.1).
type answer struct {
	id      uint32
	request [sha256.Size]byte
	packets [][]byte
	valid   bool
	resent  time.Time
}

// newSA makes an SA and gives it an SPI.
func (e *Engine) newSA(path ike.Path, initiator bool) *sa {
	s := &sa{
		e: e, id: e.env.NextSA(), initiator: initiator, path: path, begun: e.now, created: e.now, lastHeard: e.now,
		children: make(map[ike.ChildID]*child),
	}
	own := e.freeSPI()
	if initiator {
		s.spiI = own
	} else {
		s.spiR, s.state = own, stateAuth
		s.deleteAfter = e.now.Add(halfOpenLife)
	}
	e.add(s)
	return s
}

func (e *Engine) freeSPI() (spi ikemsg.SPI) {
	for {
		e.env.Random(spi[:])
		if _, used := e.sas[spi]; !used && spi != (ikemsg.SPI{}) {
			return spi
		}
	}
}

// own is the SPI that we gave the SA.
func (s *sa) own() ikemsg.SPI {
	if s.initiator {
		return s.spiI
	}
	return s.spiR
}

const (
	halfOpenLife = 30 * time.Second // of an SA that a peer started and does not go on with
	closeLife    = 10 * time.Second // to wait for the answer to a delete
)

// setState is the only door to another state.
func (s *sa) setState(to state) {
	from := s.state
	if s.e.env.Tracing&trace.IKEv2Detail != 0 && from != to {
		s.e.tell(s, ike.Trace{Kind: ike.TraceState, Topic: trace.IKEv2Detail, Path: s.path, Was: from.String(), State: to.String()})
	}
	s.state = to
	s.e.touch(s)
	negotiating := func(x state) bool { return x == stateInit || x == stateAuth }
	switch {
	case negotiating(from) && to == stateUp:
		s.e.env.Admission.Established()
	case to == stateGone && from != stateGone:
		s.e.env.Admission.Ended(negotiating(from))
	}
}

// up is the end of the first exchanges.
func (s *sa) up() {
	s.setState(stateUp)
	s.deleteAfter = time.Time{}
	s.e.forgetHalf(s)
	s.handshake.clear()
	s.handshake = nil
	s.startLife()
	if s.initiator {
		s.e.stats.Initiated++
	} else {
		s.e.stats.Responded++
	}
	s.log(ike.Log{Kind: ike.LogSAUp})
	s.meet()
}

// startLife sets the times of rekeying and of the end. Whoever started it rekeys a little earlier than the other would.
func (s *sa) startLife() {
	life := s.profile.Lifetime
	if life == 0 {
		life = ike.DefaultSALifetime
	}
	s.created, s.expires = s.e.now, s.e.now.Add(life)
	s.rekeyAt = s.e.now.Add(s.e.soft(life, s.initiator))
}

// soft is when something of this lifetime is to be rekeyed: after 80 to 90 per cent of it, 5 later where the other side is to be first.
func (e *Engine) soft(life time.Duration, first bool) time.Duration {
	share := 0.80 + 0.10*e.env.Jitter.Float64()
	if !first {
		share = min(share+0.08, 0.97)
	}
	return time.Duration(float64(life) * share)
}

func (s *sa) log(l ike.Log) {
	l.Version, l.Path, l.SA, l.Peer = 2, s.path, s.id, s.peer
	if l.Protection == 0 {
		l.Protection = s.protection
	}
	s.e.emit(l)
}

// list is the children by number.
func (s *sa) list() []*child {
	list := make([]*child, 0, len(s.children))
	for _, c := range s.children {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *child) int { return int(a.ID) - int(b.ID) })
	return list
}

// failed ends an SA that did not come up, and tells who waits for it.
func (s *sa) failed(why ike.Why, code uint16, text string) {
	s.e.stats.Failed++
	s.e.stats.FailedBy[why]++
	s.log(ike.Log{Kind: ike.LogFailed, Why: why, Code: code, Text: text})
	s.end(why)
}

// close tells the peer that the SA ends, then ends it. Children go at once.
func (s *sa) close(why ike.Why) {
	switch s.state {
	case stateUp:
	case stateInit, stateAuth:
		s.end(why)
		return
	default:
		return
	}
	s.closeWhy = why
	for _, c := range s.list() {
		c.remove(why)
	}
	s.unwant(why)
	s.queue = nil
	s.setState(stateClosing)
	s.deleteAfter = s.e.now.Add(closeLife)
	s.enqueue(&closeTask{})
}

// end forgets the SA and what hangs on it, without a word to the peer.
func (s *sa) end(why ike.Why) {
	if s.state == stateGone {
		return
	}
	was := s.state
	for _, c := range s.list() {
		c.remove(why)
	}
	s.setState(stateGone)
	s.part()
	if s.closeWhy != ike.WhyNone {
		why = s.closeWhy
	}
	if was == stateUp || was == stateClosing {
		s.log(ike.Log{Kind: ike.LogSADown, Why: why})
	}
	s.unwant(why)
	s.e.forget(s)
	s.e.forgetHalf(s)
	s.keys.Clear()
	s.handshake.clear()
	if s.pending != nil {
		if a, ok := s.pending.task.(abandoner); ok {
			a.abandon(s)
		}
	}
	if s.follow != nil {
		s.follow.clear()
	}
	s.handshake, s.pending, s.queue, s.answered, s.follow = nil, nil, nil, answer{}, nil
	s.reassembly = [2]reassembly{}
}

func (e *Engine) forgetHalf(s *sa) {
	if !s.initiator {
		k := halfKey{s.spiI, s.halfRemote()}
		if e.half[k] == s {
			delete(e.half, k)
		}
	}
}

func (s *sa) halfRemote() netip.AddrPort {
	if s.handshake != nil {
		return s.handshake.first
	}
	return s.path.Remote
}

// leaveIfEmpty closes an SA that has no child any more.
func (s *sa) leaveIfEmpty(why ike.Why) {
	if s.state != stateUp || len(s.children) > 0 || s.rekeyed != nil {
		return
	}
	if len(s.wants) == 0 {
		s.close(why)
	}
}

// deadline is when tick is wanted.
func (s *sa) deadline() (d time.Time) {
	if s.pending != nil {
		d = s.pending.due
	}
	d = earlier(d, s.deleteAfter)
	if s.state != stateUp || s.rekeyed != nil {
		return d
	}
	d = earlier(earlier(d, s.rekeyAt), s.expires)
	if s.nat.Self {
		d = earlier(d, s.lastSent.Add(s.keepaliveEvery()))
	}
	d = earlier(d, s.pruneAt)
	if k := s.dpd(); k.Interval > 0 && s.pending == nil {
		d = earlier(d, s.questionAt(k))
	}
	return d
}

func (s *sa) keepaliveEvery() time.Duration {
	if s.e.cfg.NATKeepalive > 0 {
		return s.e.cfg.NATKeepalive
	}
	return ike.DefaultNATKeepalive
}

// questionAt is when the peer is asked for a sign of life.
func (s *sa) questionAt(k ike.Keepalive) time.Time {
	if !k.Periodic {
		return s.lastHeard.Add(k.Interval)
	}
	if s.askAt.IsZero() {
		return s.created.Add(k.Interval)
	}
	return s.askAt
}

func (s *sa) dpd() ike.Keepalive {
	if s.profile != nil && s.profile.DPD.Interval > 0 {
		return s.profile.DPD
	}
	return s.e.cfg.V2.DPD
}

// tick does what is due.
func (s *sa) tick() {
	now := s.e.now
	if s.state != stateGone && due(s.deleteAfter, now) {
		switch {
		case s.state == stateAuth:
			s.failed(ike.WhyTimeout, 0, s.unheard(ike.WhyTimeout, "the peer did not go on"))
		case s.rekeyed != nil:
			s.end(ike.WhyReplaced)
		default:
			s.end(s.closeWhy)
		}
		return
	}
	if s.pending != nil && due(s.pending.due, now) {
		s.resend()
	}
	if s.state != stateUp || s.rekeyed != nil {
		return
	}
	if due(s.expires, now) {
		s.close(ike.WhyExpired)
		return
	}
	if due(s.rekeyAt, now) {
		s.rekeyAt = now.Add(retryRekey)
		s.rekey()
	}
	if s.nat.Self && due(s.lastSent.Add(s.keepaliveEvery()), now) {
		s.lastSent = now
		s.e.emit(ike.NATKeepalive{Path: s.path})
	}
	if due(s.pruneAt, now) {
		s.pruneAt = time.Time{}
		if s.prune(); s.state != stateUp {
			return
		}
	}
	if k := s.dpd(); k.Interval > 0 && s.pending == nil && due(s.questionAt(k), now) {
		s.askAt = now.Add(k.Interval)
		s.enqueue(&dpdTask{})
	}
}

// retryRekey is how long to wait after a rekey that came to nothing.
const retryRekey = 30 * time.Second

// move has the peer reached elsewhere from now on.
func (s *sa) move(to ike.Path) {
	if s.path == to {
		return
	}
	s.e.place(s, to)
	for _, c := range s.list() {
		if c.Encap && c.Path.Remote != to.Remote {
			c.Path = to
			s.e.emit(ike.Rehomed{Child: c.ID, Path: to})
		}
	}
}

// header starts a message of the SA.
func (s *sa) header(exchange uint8, id uint32, response bool) ikemsg.Header {
	h := ikemsg.Header{Initiator: s.spiI, Responder: s.spiR, Exchange: exchange, MessageID: id}
	if s.initiator {
		h.Flags |= ikev2msg.FlagInitiator
	}
	if response {
		h.Flags |= ikev2msg.FlagResponse
	}
	return h
}
