package ldp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// script turns bytes into events, few addresses among them so that they meet.
type script struct {
	b      []byte
	conns  []Conn // that the machine or the script opened
	ids    map[Conn]ID
	next   Conn
	opened Conn // the last one that the machine opened
}

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

func (s *script) bytes() []byte {
	n := min(int(s.byte()), len(s.b))
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *script) addr() netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 9, s.byte() & 7}) }

// other is one of four routers that sessions are likely with.
func (s *script) other() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 9, 9, [...]byte{1, 5, 6, 7}[s.byte()%4]})
}

func (s *script) id() ID { return ID{LSR: s.addr()} }
func (s *script) label() uint32 {
	switch c := uint32(s.byte()); {
	case c < 8: // most of them reserved
		return c
	case c < 64:
		return ImplicitNull
	default:
		return 16 + c%8
	}
}

func (s *script) iface() string { return [...]string{"Tunnel0", "Tunnel1", "Ethernet0/0"}[s.byte()%3] }
func (s *script) prefix() netip.Prefix {
	c := s.byte()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, c & 7, 0}), []int{24, 24, 22, 0}[c>>6]).Masked()
}

func (s *script) conn() Conn {
	if len(s.conns) == 0 {
		return Conn(s.byte())
	}
	return s.conns[max(0, len(s.conns)-1-int(s.byte())%4)]
}

func (s *script) fec() ldpmsg.FEC {
	if s.byte()%8 == 0 {
		return ldpmsg.FEC{Wildcard: true}
	}
	return ldpmsg.FEC{Prefixes: []netip.Prefix{s.prefix(), s.prefix()}}
}

func (s *script) message() ldpmsg.Message {
	kinds := [...]ldpmsg.Type{ldpmsg.TypeMapping, ldpmsg.TypeRequest, ldpmsg.TypeWithdraw, ldpmsg.TypeRelease, ldpmsg.TypeAbort}
	switch s.byte() % 64 {
	case 0:
		return &ldpmsg.Hello{HoldTime: uint16(s.byte()), Transport: s.addr(), Sequence: uint32(s.byte()), Sequenced: s.byte()&1 != 0}
	case 1:
		return &ldpmsg.Initialization{Version: 1, KeepAlive: uint16(s.byte()), MaxPDU: uint16(s.byte()) * 16, Receiver: ID{LSR: ip("10.9.9.4")}}
	case 2, 3:
		return &ldpmsg.KeepAlive{}
	case 4, 6, 7, 8, 9, 10, 11, 12:
		return &ldpmsg.Address{Withdraw: s.byte()%4 == 0, Addrs: []netip.Addr{s.addr(), s.addr()}}
	case 5:
		return &ldpmsg.Notification{Code: Code(s.byte() % 30), Fatal: s.byte()%4 == 0}
	}
	return &ldpmsg.Label{Kind: kinds[max(0, int(s.byte()%10)-5)], FEC: s.fec(), Label: s.label(), Labelled: s.byte()%4 != 0, Requested: s.byte()%2 == 0, Request: 5}
}

func (s *script) pdu(from ID) []byte {
	var b []byte
	for range 1 + s.byte()%3 {
		b, _ = ldpmsg.Append(b, 7, s.message())
	}
	return ldpmsg.Pack(nil, from, ownMaxPDU, b)
}

func (s *script) route() Route {
	r := Route{Prefix: s.prefix(), Source: [...]Source{FromIGP, FromConnected, FromStatic, FromIGP, FromIGP, FromBGP}[s.byte()%6]}
	for range s.byte() % 3 {
		r.NextHops = append(r.NextHops, NextHop{[...]string{"Tunnel0", "Tunnel1"}[s.byte()%2], s.other()})
	}
	return r
}

// established are the bytes that bring a session up from where the machine is.
func (s *script) established() []Event {
	id := ID{LSR: s.other()}
	hello, _ := ldpmsg.Append(nil, 1, &ldpmsg.Hello{HoldTime: 60, Transport: id.LSR})
	open := &ldpmsg.Initialization{Version: 1, KeepAlive: 30, Receiver: ID{LSR: ip("10.9.9.4")}}
	if b := s.byte(); b&1 != 0 {
		open.FT = &ldpmsg.FTSession{Flags: uint16(b >> 1 & 1), Reconnect: time.Duration(b>>2&3) * time.Minute, Recovery: time.Duration(b>>4&3) * time.Minute}
	}
	init, _ := ldpmsg.Append(nil, 2, open)
	init, _ = ldpmsg.Append(init, 3, &ldpmsg.KeepAlive{})
	addr, _ := ldpmsg.Append(nil, 4, &ldpmsg.Address{Addrs: []netip.Addr{id.LSR}})
	s.next++
	conn := s.next | Inbound
	evs := []Event{HelloReceived{[...]string{"Tunnel0", "Tunnel1"}[s.byte()%2], id.LSR, ldpmsg.Pack(nil, id, ownMaxPDU, hello)}}
	if id.LSR.Compare(ip("10.9.9.4")) > 0 {
		evs = append(evs, Accepted{conn, netip.MustParseAddrPort("10.9.9.4:646"), netip.AddrPortFrom(id.LSR, 1234), false})
	} else if s.opened != 0 {
		conn = s.opened
		evs = append(evs, Connected{conn, netip.MustParseAddrPort("10.9.9.4:1234"), netip.AddrPortFrom(id.LSR, 646), false})
	}
	s.conns = append(s.conns, conn)
	s.ids[conn] = id
	return append(evs, Data{conn, ldpmsg.Pack(nil, id, ownMaxPDU, init)}, Data{conn, ldpmsg.Pack(nil, id, ownMaxPDU, addr)})
}

func (s *script) events() []Event {
	switch s.byte() % 24 {
	case 0:
		return []Event{HelloReceived{s.iface(), s.addr(), s.bytes()}}
	case 1:
		return []Event{HelloReceived{s.iface(), s.addr(), s.pdu(s.id())}}
	case 2:
		return []Event{Connected{s.conn(), netip.AddrPortFrom(s.addr(), 1), netip.AddrPortFrom(s.addr(), 646), false}}
	case 3:
		s.next++
		c := s.next | Inbound
		s.conns = append(s.conns, c)
		return []Event{Accepted{c, netip.AddrPortFrom(s.addr(), 646), netip.AddrPortFrom(s.addr(), 1), false}}
	case 4:
		return []Event{Data{s.conn(), s.bytes()}}
	case 5:
		return []Event{Closed{s.conn()}}
	case 6:
		return []Event{InterfaceState{s.iface(), s.byte()%16 != 0, []netip.Addr{netip.AddrFrom4([4]byte{10, 0, s.byte() & 1, 4}), s.addr()}}}
	case 7, 8, 16, 17:
		return []Event{Routes{Changed: []Route{s.route(), s.route()}, Gone: []netip.Prefix{s.prefix()}}}
	case 9:
		return []Event{Inherited{[]LocalLabel{{s.prefix(), s.label()}}}}
	case 10:
		return []Event{Clear{s.addr()}}
	case 11:
		if s.byte()%32 == 0 {
			return []Event{Shutdown{}}
		}
		return []Event{Tick{}}
	case 12, 13:
		return s.established()
	}
	conn := s.conn()
	from, ok := s.ids[conn]
	if !ok || s.byte()%64 == 0 {
		from = s.id()
	}
	return []Event{Data{conn, s.pdu(from)}}
}

// checkMachine are the invariants of a machine, whatever happened to it.
func checkMachine(t *testing.T, b *box) {
	t.Helper()
	m := b.m
	learned := 0
	for id, nb := range m.neighbors {
		learned += len(nb.bindings)
		if len(nb.adjs) == 0 || nb.id != id || !slices.Contains(m.order, nb) {
			t.Fatalf("neighbor %s without an adjacency", id)
		}
		for p, l := range nb.bindings {
			if f := m.fecs[p]; f == nil || f.remote[nb] != l {
				t.Fatalf("binding of %s that its prefix does not have", id)
			}
		}
		if s := nb.session; s != nil && (s.closed || m.sessions[s.conn] != s || s.nb != nb) {
			t.Fatalf("session of %s", id)
		}
		if nb.session == nil && len(nb.bindings)+len(nb.addrs) > 0 {
			t.Fatalf("bindings of %s without a session", id)
		}
		if nb.active && nb.session == nil && !nb.wait.On() {
			t.Fatalf("nobody tries to reach %s", id)
		}
	}
	if learned != m.learned || len(m.order) != len(m.neighbors) {
		t.Fatalf("%d learned, %d counted", learned, m.learned)
	}
	holders := map[uint32]int{}
	for _, s := range m.sessions {
		if s.closed || s.nb == nil && !slices.Contains(m.strangers, s) || len(s.in) > 2*ownMaxPDU || len(s.out) != 0 {
			t.Fatalf("session %x", s.conn)
		}
		if s.state != StateOperational && !s.wait.On() || s.state == StateOperational && (!s.hold.On() || !s.alive.On()) {
			t.Fatalf("session %x without a timer", s.conn)
		}
		for _, told := range s.told {
			if told.standing {
				holders[told.label]++
			}
			for l, k := range told.withdrawn {
				holders[l] += k
			}
		}
	}
	binds, labels := 0, 0
	for p, f := range m.fecs {
		if f.route == nil && len(f.remote) == 0 {
			t.Fatalf("%s is kept for nothing", p)
		}
		if f.local != noLabel && f.local != ImplicitNull {
			labels++
			if b.labels[p] != f.local || m.pool.labels[f.local] == nil || !m.pool.labels[f.local].owned {
				t.Fatalf("label %d of %s", f.local, p)
			}
		}
		before := f.bound
		m.bind(f)
		if !slices.Equal(before, f.bound) {
			t.Fatalf("%s is bound to %v, and should be to %v", p, before, f.bound)
		}
		for _, x := range f.bound {
			binds++
			if b.binds[bindKey{p, x.hop}] != x.out {
				t.Fatalf("bind of %s", p)
			}
		}
		for s := range m.operationalSessions {
			if told := s.told[p]; told != nil && told.standing && told.label != f.local {
				t.Fatalf("%s was told %d for %s, which has %d", s.nb.id, told.label, p, f.local)
			}
		}
	}
	if binds != len(b.binds) || labels != len(b.labels) {
		t.Fatalf("%d binds of %d, %d labels of %d", binds, len(b.binds), labels, len(b.labels))
	}
	for l, slot := range m.pool.labels {
		if slot.holders != holders[l] {
			t.Fatalf("label %d is held %d times, and counted %d", l, holders[l], slot.holders)
		}
	}
}

// FuzzHandle does anything to a machine, in any order.
func FuzzHandle(f *testing.F) {
	f.Add([]byte{12, 6, 0, 7, 1, 2, 1, 0, 6, 7, 3, 2, 1, 1, 6, 14, 0, 6, 1, 11, 0, 1, 2, 3, 4, 5})
	f.Add([]byte{12, 5, 0, 12, 6, 0, 12, 7, 0, 8, 1, 2, 1, 0, 6, 15, 1, 5, 2, 8, 0, 3, 4, 20, 1, 1, 10, 6, 11, 200})
	f.Add([]byte("the quick brown fox jumps over the lazy dog and comes back again for all of the letters that it forgot"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 4096 {
			play(t, b, nil)
		}
	})
}

// TestAnything plays scripts of chance, and makes sure that they get somewhere.
func TestAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	up, bound, held, starved := 0, 0, 0, 0
	for range 400 {
		b := make([]byte, 1500)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		play(t, b, func(x *box) {
			for range x.m.operationalSessions {
				up++
			}
			for _, slot := range x.m.pool.labels {
				held += slot.holders
			}
			bound += len(x.binds)
			starved += len(x.m.starved)
		})
	}
	t.Logf("%d sessions, %d binds, %d labels held, %d prefixes without, summed over the steps", up, bound, held, starved)
	if up < 1000 || bound < 1000 || held < 1000 || starved < 1000 {
		t.Errorf("%d sessions, %d binds, %d labels held, %d prefixes without: too little happens", up, bound, held, starved)
	}
}

// play does to a machine what a script says.
func play(t *testing.T, b []byte, look func(*box)) {
	t.Helper()
	n := newNet(t)
	x := n.add("x", "10.9.9.4", [3]string{"Tunnel0", "a", "10.0.0.4"}, [3]string{"Tunnel1", "b", "10.1.0.4"})
	x.cfg.FirstLabel, x.cfg.LastLabel, x.cfg.LabelGrace = 16, 20, 20*time.Second
	x.cfg.MaxBindings, x.cfg.MaxNeighbors = 12, 4
	x.start()
	s := &script{b: b, ids: map[Conn]ID{}}
	for len(s.b) > 0 {
		for _, ev := range s.events() {
			x.do(x.m.Handle(n.now, ev))
			n.queue = nil
			s.note(x.effects)
			checkMachine(t, x)
			if look != nil {
				look(x)
			}
		}
		if c := s.byte(); c%8 == 0 {
			x.configure(x.cfg)
		} else if c&1 != 0 {
			n.now = n.now.Add(time.Duration(s.byte()) * 5 * time.Millisecond)
		}
		s.tick(t, x)
	}
	// Left alone, everything ends: nothing is kept for ever.
	for range 200 {
		n.now = n.now.Add(5 * time.Second)
		s.tick(t, x)
	}
	for _, nb := range x.m.order {
		for _, adj := range nb.adjs {
			if adj.hold != 0 {
				t.Fatalf("%s is still a neighbor", nb.id)
			}
		}
	}
}

// note remembers connections that the machine opens.
func (s *script) note(effects []Effect) {
	for _, e := range effects {
		if c, ok := e.(Connect); ok {
			s.conns, s.opened = append(s.conns, c.Conn), c.Conn
		}
	}
}

// tick does all that is due; this has to come to an end.
func (s *script) tick(t *testing.T, x *box) {
	for k := 0; ; k++ {
		d := x.m.Deadline()
		if d.IsZero() || d.After(x.net.now) {
			return
		}
		if k > 50 {
			t.Fatalf("always something due: %s, now %s", d, x.net.now)
		}
		x.handle(Tick{})
		x.net.queue = nil
		s.note(x.effects)
		checkMachine(t, x)
	}
}
