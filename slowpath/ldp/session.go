package ldp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/timers"
)

const shutdown = ldpmsg.Shutdown

// State is a session's (RFC 5036 section 2.5.4).
type State uint8

// The states.
const (
	StateNone        State = iota // no session
	StateConnecting               // TCP
	StateInitialized              // passive: the peer's Initialization is waited for
	StateOpenSent                 // active: the same, ours is sent
	StateOpenRec                  // the peer's parameters were taken, its KeepAlive is waited for
	StateOperational
)

var stateNames = [...]string{"nonexistent", "connecting", "initialized", "opensent", "openrec", "operational"}

// String names the state.
func (s State) String() string { return name(stateNames[:], int(s)) }

// session is a connection with its side of the protocol. One that was accepted has no neighbor until its Initialization says whose it is.
type session struct {
	conn          Conn
	nb            *neighbor
	state         State
	closed        bool
	local, remote netip.AddrPort
	since         time.Time // operational

	in     []byte // the part of a PDU that is there
	out    []byte // messages of this step
	maxPDU int

	from    ID                     // who a stranger says it is
	waiting *ldpmsg.Initialization // of a stranger whose Hello did not come yet
	unknown bool                   // accepted from an address that is no neighbor's
	signed  bool

	wait               timers.Timer // until the session stands
	hold, alive        timers.Timer // when it does
	keepAlive          time.Duration
	lastSent, lastRecv time.Time
	sent, received     uint64 // messages
	ft                 *ldpmsg.FTSession
	told               map[netip.Prefix]*told
	starved            bool // the peer asked for a label when there was none
}

func (m *Machine) newSession(conn Conn, nb *neighbor, state State, wait time.Duration) *session {
	s := &session{conn: conn, nb: nb, state: state, maxPDU: ownMaxPDU, told: map[netip.Prefix]*told{}}
	s.wait.Fire = func() { m.overdue(s) }
	s.hold.Fire = func() { m.checkHold(s) }
	s.alive.Fire = func() { m.checkAlive(s) }
	m.sessions[conn] = s
	m.timers.Set(&s.wait, m.now.Add(wait))
	return s
}

// connect opens the session with a neighbor, if that is ours to do and it is time.
func (m *Machine) connect(nb *neighbor) {
	if !nb.active || nb.session != nil || nb.wait.On() {
		return
	}
	m.nextConn++
	nb.session = m.newSession(m.nextConn, nb, StateConnecting, connectWait)
	m.emit(Connect{Conn: m.nextConn, Local: nb.local, Remote: netip.AddrPortFrom(nb.transport, ldpmsg.Port), Key: nb.key})
}

func (m *Machine) connected(ev Connected) {
	s := m.sessions[ev.Conn]
	if s == nil || s.state != StateConnecting {
		return
	}
	s.local, s.remote, s.signed = ev.Local, ev.Remote, ev.Signed
	if m.unsigned(s, s.nb) {
		return
	}
	s.state = StateOpenSent
	m.timers.Set(&s.wait, m.now.Add(initWait))
	m.sendInitialization(s)
}

// unsigned ends a connection that is not signed as its neighbor has to sign; who it is from is not known.
func (m *Machine) unsigned(s *session, nb *neighbor) bool {
	if s.signed == (len(nb.key) > 0) {
		return false
	}
	m.emit(Log{Kind: LogUnsigned, Neighbor: nb.id, Address: s.remote.Addr()})
	m.finish(s, ended{close: true})
	return true
}

func (m *Machine) sendInitialization(s *session) {
	m.send(s, &ldpmsg.Initialization{KeepAlive: uint16(m.cfg.SessionHold / time.Second), MaxPDU: ownMaxPDU, Receiver: s.nb.id, FT: m.restartParameters(s.nb)})
}

// accepted takes a connection; from an address of nobody that is known only as many as do no harm.
func (m *Machine) accepted(ev Accepted) {
	peer := ev.Remote.Addr().Unmap()
	known := slices.ContainsFunc(m.order, func(nb *neighbor) bool { return !nb.active && nb.transport == peer })
	same, unknown := []*session(nil), 0
	for _, s := range m.strangers {
		if s.unknown {
			unknown++
		}
		if s.remote.Addr() == peer {
			same = append(same, s)
		}
	}
	if !m.on || m.sessions[ev.Conn] != nil || ev.Conn&Inbound == 0 || !known && unknown >= maxStrangers {
		if m.sessions[ev.Conn] == nil {
			m.emit(Close{ev.Conn})
		}
		return
	}
	if len(same) > 1 {
		m.fail(same[0], shutdown)
	}
	s := m.newSession(ev.Conn, nil, StateInitialized, initWait)
	s.local, s.remote, s.unknown, s.signed = ev.Local, netip.AddrPortFrom(peer, ev.Remote.Port()), !known, ev.Signed
	m.strangers = append(m.strangers, s)
}

// introduce takes the Initialization of a connection that was accepted. Its sender must have been heard: if it was not, its Hello is waited for a little.
func (m *Machine) introduce(s *session, init *ldpmsg.Initialization) {
	nb := m.neighbors[s.from]
	if nb == nil {
		s.waiting = init
		m.timers.Set(&s.wait, m.now.Add(helloWait))
		return
	}
	if nb.active || nb.transport != s.remote.Addr() {
		m.fail(s, ldpmsg.RejectedNoHello)
		return
	}
	if m.unsigned(s, nb) {
		return
	}
	if nb.session != nil {
		m.finish(nb.session, ended{code: shutdown, notify: true, close: true, lost: true}) // a peer that opens another one has lost the one before
	}
	s.waiting = nil
	m.strangers = slices.DeleteFunc(m.strangers, func(o *session) bool { return o == s })
	s.nb, nb.session = nb, s
	if !m.negotiate(s, init) {
		return
	}
	m.sendInitialization(s)
	m.send(s, &ldpmsg.KeepAlive{})
}

// admit looks for connections that waited for a neighbor's Hello.
func (m *Machine) admit(nb *neighbor) {
	for _, s := range slices.Clone(m.strangers) {
		if s.waiting != nil && s.from == nb.id {
			if m.introduce(s, s.waiting); !s.closed {
				m.data(s, nil)
			}
		}
	}
}

// negotiate takes the peer's parameters (section 3.5.3), or ends the session.
func (m *Machine) negotiate(s *session, init *ldpmsg.Initialization) bool {
	why := ldpmsg.Success
	switch {
	case init.Version != 1:
		why = ldpmsg.BadVersion
	case init.Receiver != m.id:
		why = ldpmsg.RejectedNoHello
	case init.KeepAlive == 0:
		why = ldpmsg.RejectedKeepAlive
	case init.LabelRange:
		why = ldpmsg.RejectedLabelRange
	}
	if why != ldpmsg.Success {
		m.fail(s, why)
		return false
	}
	// Whatever mode of advertisement the peer proposes, on links such as ours it is downstream unsolicited.
	s.keepAlive = min(m.cfg.SessionHold, time.Duration(init.KeepAlive)*time.Second)
	if n := int(init.MaxPDU); n >= leastPeerPDU {
		s.maxPDU = min(s.maxPDU, n)
	}
	s.ft = init.FT
	s.state = StateOpenRec
	m.timers.Set(&s.wait, m.now.Add(initWait))
	return true
}

// operational is where a session has been brought to.
func (m *Machine) operational(s *session) {
	s.state, s.since = StateOperational, m.now
	s.nb.refused = 0
	m.timers.Stop(&s.wait)
	m.timers.Set(&s.hold, m.now.Add(s.keepAlive))
	m.timers.Set(&s.alive, m.now.Add(s.keepAlive/3))
	m.emit(Log{Kind: LogNeighborUp, Neighbor: s.nb.id})
	m.resume(s)
	s.nb.wasUp = true
	m.sendAddresses(s, false, m.ownAddrs())
	m.tellAll(s)
}

// overdue is the end of waiting for something of the beginning.
func (m *Machine) overdue(s *session) {
	switch {
	case s.state == StateConnecting:
		m.finish(s, ended{close: true})
	case s.waiting != nil:
		m.fail(s, ldpmsg.RejectedNoHello)
	default:
		m.fail(s, ldpmsg.KeepAliveExpired)
	}
}

// checkHold ends a session that nothing came by for the agreed time.
func (m *Machine) checkHold(s *session) {
	if at := s.lastRecv.Add(s.keepAlive); at.After(m.now) {
		m.timers.Set(&s.hold, at)
		return
	}
	m.finish(s, ended{code: ldpmsg.KeepAliveExpired, notify: true, close: true, lost: true})
}

// checkAlive sends something if nothing was sent for a third of the time.
func (m *Machine) checkAlive(s *session) {
	at := s.lastSent.Add(s.keepAlive / 3)
	if !at.After(m.now) {
		m.send(s, &ldpmsg.KeepAlive{})
		at = m.now.Add(s.keepAlive / 3)
	}
	m.timers.Set(&s.alive, at)
}

// send writes a message; it leaves at the end of the step.
func (m *Machine) send(s *session, msg ldpmsg.Message) {
	if s.closed || s.state < StateInitialized {
		return
	}
	b, err := ldpmsg.Append(s.out, m.newID(), msg)
	if err != nil {
		return // of too long a message or a wrong family: none of ours is
	}
	if len(s.out) == 0 {
		m.dirty = append(m.dirty, s)
	}
	s.out = b
	s.sent++
}

func (m *Machine) flush(s *session) {
	if s.closed || len(s.out) == 0 {
		return
	}
	m.emit(Send{Conn: s.conn, Bytes: ldpmsg.Pack(nil, m.id, s.maxPDU, s.out)})
	s.out = s.out[:0]
	if cap(s.out) > 1<<16 {
		s.out = nil
	}
	s.lastSent = m.now
}

// ended says how a session came to its end.
type ended struct {
	code     Code
	received bool // the code is the peer's
	notify   bool // tell the peer the code
	close    bool // the connection is there to be closed
	lost     bool // neither side wanted it
	msgID    uint32
	about    ldpmsg.Type
}

// fail ends a session and tells the peer why.
func (m *Machine) fail(s *session, code Code) {
	m.finish(s, ended{code: code, notify: true, close: true})
}

// finish ends a session and all that it had brought.
func (m *Machine) finish(s *session, e ended) {
	if s.closed {
		return
	}
	if e.notify {
		m.send(s, &ldpmsg.Notification{Code: e.code, Fatal: true, MsgID: e.msgID, About: e.about})
		m.flush(s)
	}
	s.closed = true
	if e.close {
		m.emit(Close{s.conn})
	}
	for _, t := range []*timers.Timer{&s.wait, &s.hold, &s.alive} {
		m.timers.Stop(t)
	}
	delete(m.sessions, s.conn)
	m.strangers = slices.DeleteFunc(m.strangers, func(o *session) bool { return o == s })
	s.in, s.out = nil, nil
	id := s.from
	nb := s.nb
	if nb != nil {
		id = nb.id
	}
	switch {
	case s.state == StateOperational:
		m.emit(Log{Kind: LogNeighborDown, Neighbor: id, Code: e.code, Received: e.received})
	case s.state > StateConnecting && id.LSR.IsValid():
		m.emit(Log{Kind: LogSessionRefused, Neighbor: id, Code: e.code, Received: e.received})
	}
	if nb == nil || nb.session != s {
		return
	}
	nb.session = nil
	if e.lost && m.restarts(s) {
		m.retain(nb, s)
	} else {
		m.forget(nb)
	}
	m.forgetTold(s)
	if len(nb.adjs) > 0 {
		m.retry(nb, m.pause(nb, s))
	}
}
