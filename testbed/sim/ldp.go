package sim

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
	"nave/slowpath/ldp"
)

const (
	protoTCP = 6
	portLDP  = 646
)

var (
	allRouters    = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	allRoutersMAC = [6]byte{1, 0, 0x5e, 0, 0, 2}
)

// LDP implements slowpath.Linux.
func (l *linux) LDP(e ldp.Effect) {
	t := l.tcp
	switch e := e.(type) {
	case ldp.Hello:
		s := l.space("")
		s.stack.id++
		b := IP(e.From, allRouters, protoUDP, 1, false, s.stack.id, UDP(portLDP, portLDP, e.Payload))
		l.toGroup(e.Iface, allRouters, allRoutersMAC, b)
	case ldp.Listen:
		t.listening[e.Local] = e.On
	case ldp.Key:
		t.keys[[2]netip.Addr{e.Local, e.Peer}] = slices.Clone(e.Key)
	case ldp.Connect:
		t.port++
		c := t.add(e.Conn, ends{netip.AddrPortFrom(e.Local, t.port), e.Remote}, slices.Clone(e.Key))
		c.pump()
	case ldp.Send:
		if c := t.byName[e.Conn]; c != nil {
			c.unsent = append(c.unsent, e.Bytes...)
			c.pump()
		}
	case ldp.Close:
		if c := t.byName[e.Conn]; c != nil {
			c.closing = true
			if c.open {
				c.pump()
			} else {
				c.end()
			}
		}
	}
}

// toGroup sends a packet to a group of the link from an interface: by a tunnel's twin to the fast path, by a port on the wire.
func (l *linux) toGroup(iface string, group netip.Addr, mac [6]byte, b []byte) {
	switch p, vlan := l.r.place(iface); {
	case p == nil:
		l.out(iface, group, b)
	case vlan == 0:
		l.r.net.transmit(l.r.pool, p.end, Frame(mac, p.mac, b))
	default:
		if i, ok := l.r.iface(iface); ok {
			l.inject(fastpath.Inject{Kind: fastpath.InjectFrame, VRF: i.VRF, Port: i.Port, Packet: Frame(mac, p.mac, b)})
		}
	}
}

// hello takes a datagram to all routers; it returns false for what is none.
func (s *space) hello(via string, ip packet.IPv4) bool {
	u := ip.Payload()
	if s.vrf != "" || addr4(ip.Dst()) != allRouters || len(u) < packet.UDPLen || binary.BigEndian.Uint16(u[2:]) != portLDP {
		return false
	}
	s.l.tell(ldp.HelloReceived{Iface: via, From: addr4(ip.Src()), Payload: u[packet.UDPLen:]})
	return true
}

// tell gives the control plane an event of LDP, once it is not in the middle of something.
func (l *linux) tell(e ldp.Event) {
	life := l.r.life
	l.r.net.After(0, func() {
		if l.r.running && !l.r.orphan && l.r.life == life {
			l.r.core.Router().At(l.r.net.Now()).LDP(e)
			l.r.step(timer)
		}
	})
}

// tcp is as much of TCP as LDP needs on a path that loses packets: a window that is sent again from its start, ends that close, signatures.
type tcp struct {
	l         *linux
	listening map[netip.Addr]bool
	keys      map[[2]netip.Addr][]byte
	byName    map[ldp.Conn]*conn
	byEnds    map[ends]*conn
	port      uint16
	accepted  ldp.Conn
}

type ends struct{ local, remote netip.AddrPort }

// conn is one end of a connection. The bytes of unsent begin at sequence number una; the SYN is number 0, the first byte 1, and the FIN comes after the last.
type conn struct {
	t             *tcp
	name          ldp.Conn
	ends          ends
	key           []byte
	inbound       bool
	open          bool // its SYN is acknowledged
	closing, gone bool
	unsent        []byte
	una, next     uint32 // acknowledged, and sent, up to here
	got           uint32 // of the other end, up to here
	fin           uint32 // number of the FIN, once it was sent
	timer         int
	tries         int
}

// Of sending.
const (
	mss       = 1000 // bytes
	window    = 16   // segments
	resend    = 400 * time.Millisecond
	mostTries = 20
	flagFIN   = 1
	flagSYN   = 2
	flagRST   = 4
	flagACK   = 16
	tcpLen    = 20
	signed    = 20 // bytes of a signature, padded
)

func newTCP(l *linux) *tcp {
	return &tcp{
		l: l, listening: make(map[netip.Addr]bool), keys: make(map[[2]netip.Addr][]byte), byName: make(map[ldp.Conn]*conn), byEnds: make(map[ends]*conn),
		port: 11000 + uint16(l.r.life)<<8,
	}
}

// lives tells whether the daemon whose connections these are runs.
func (t *tcp) lives() bool { return t.l == t.l.r.linux && t.l.r.running && !t.l.r.orphan }

func (t *tcp) add(name ldp.Conn, e ends, key []byte) *conn {
	c := &conn{t: t, name: name, ends: e, key: key}
	t.byName[name], t.byEnds[e] = c, c
	return c
}

// pump sends what may be sent now, and again when nobody acknowledges it.
func (c *conn) pump() {
	if c.gone {
		return
	}
	if !c.open {
		c.next = 1
		c.send(0, flagSYN|c.ack(), nil)
	} else {
		last := c.una + uint32(min(len(c.unsent), window*mss))
		for c.next < last {
			from := int(c.next - c.una)
			data := c.unsent[from:min(from+mss, len(c.unsent), int(last-c.una))]
			c.send(c.next, flagACK, data)
			c.next += uint32(len(data))
		}
		if c.closing && int(c.next-c.una) == len(c.unsent) {
			c.send(c.next, flagFIN|flagACK, nil)
			c.fin = c.next
			c.next++
		}
	}
	if c.next == c.una {
		return
	}
	c.timer++
	n := c.timer
	c.t.l.r.net.After(resend, func() {
		switch {
		case c.gone || c.timer != n || !c.t.lives():
		case c.tries >= mostTries:
			c.end()
		default:
			c.tries++
			c.next = c.una
			c.pump()
		}
	})
}

func (c *conn) ack() uint8 {
	if c.inbound {
		return flagACK
	}
	return 0
}

// end forgets the connection, and tells the control plane.
func (c *conn) end() {
	if c.gone {
		return
	}
	c.gone = true
	delete(c.t.byName, c.name)
	delete(c.t.byEnds, c.ends)
	c.t.l.tell(ldp.Closed{Conn: c.name})
}

func (c *conn) send(seq uint32, flags uint8, data []byte) {
	c.t.transmit(c.ends, seq, c.got, flags, c.key, data)
}

func (t *tcp) transmit(e ends, seq, ack uint32, flags uint8, key, data []byte) {
	h := make([]byte, tcpLen, tcpLen+signed+len(data))
	binary.BigEndian.PutUint16(h, e.local.Port())
	binary.BigEndian.PutUint16(h[2:], e.remote.Port())
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], ack)
	h[12], h[13] = tcpLen/4<<4, flags
	if len(key) > 0 {
		h[12] = (tcpLen + signed) / 4 << 4
		h = append(append(h, 1, 1, 19, 18), signature(key, h, data)...)
	}
	s := t.l.space("")
	s.stack.id++
	s.send(IP(e.local.Addr(), e.remote.Addr(), protoTCP, defaultTTL, false, s.stack.id, append(h, data...)))
}

// signature stands for that of RFC 2385.
func signature(key, header, data []byte) []byte {
	m := hmac.New(md5.New, key)
	m.Write(header[:tcpLen])
	m.Write(data)
	return m.Sum(nil)
}

// receive takes a segment.
func (t *tcp) receive(ip packet.IPv4) {
	b := ip.Payload()
	if len(b) < tcpLen || len(b) < int(b[12]>>4)*4 {
		return
	}
	if !t.lives() { // the kernel knows none of its connections any more
		clear(t.byEnds)
		clear(t.byName)
		clear(t.listening)
	}
	e := ends{
		netip.AddrPortFrom(addr4(ip.Dst()), binary.BigEndian.Uint16(b[2:])), netip.AddrPortFrom(addr4(ip.Src()), binary.BigEndian.Uint16(b)),
	}
	data := b[int(b[12]>>4)*4:]
	flags, c := b[13], t.byEnds[e]
	key := t.keys[[2]netip.Addr{e.local.Addr(), e.remote.Addr()}]
	if c != nil {
		key = c.key
	}
	var sign []byte
	if len(b)-len(data) == tcpLen+signed {
		sign = b[tcpLen+4 : tcpLen+signed]
	}
	switch {
	case len(key) == 0 && sign != nil, len(key) > 0 && !bytes.Equal(sign, signature(key, b, data)):
		return // the kernel drops it
	case flags&flagRST != 0:
		if c != nil {
			c.end()
		}
	case c == nil && flags&flagSYN != 0 && t.listening[e.local.Addr()] && e.local.Port() == portLDP:
		t.accepted++
		c = t.add(t.accepted|ldp.Inbound, e, key)
		c.inbound, c.got = true, 1
		c.pump()
	case c == nil:
		t.transmit(e, binary.BigEndian.Uint32(b[8:]), 0, flagRST, key, nil)
	default:
		c.receive(binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), flags, data)
	}
}

// receive takes a segment of the connection.
func (c *conn) receive(seq, ack uint32, flags uint8, data []byte) {
	if flags&flagACK != 0 && ack > c.una {
		if done := ack - c.una; c.open {
			c.unsent = c.unsent[min(int(done), len(c.unsent)):]
		} else {
			c.opened()
		}
		c.una, c.next, c.tries = ack, max(c.next, ack), 0
		c.timer++
		if c.fin != 0 && ack > c.fin {
			c.end()
			return
		}
		defer c.pump()
	}
	if flags&flagSYN != 0 {
		c.got = max(c.got, 1)
		c.send(c.next, flagACK, nil)
		return
	}
	if len(data) == 0 && flags&flagFIN == 0 {
		return
	}
	if seq == c.got {
		c.got += uint32(len(data))
		if len(data) > 0 && !c.closing {
			c.t.l.tell(ldp.Data{Conn: c.name, Bytes: slices.Clone(data)})
		}
		if flags&flagFIN != 0 {
			c.got++
			defer c.end()
		}
	}
	c.send(c.next, flagACK, nil)
}

// opened says that the connection is there.
func (c *conn) opened() {
	c.open = true
	key := len(c.key) > 0
	if c.inbound {
		c.t.l.tell(ldp.Accepted{Conn: c.name, Local: c.ends.local, Remote: c.ends.remote, Signed: key})
	} else {
		c.t.l.tell(ldp.Connected{Conn: c.name, Local: c.ends.local, Remote: c.ends.remote, Signed: key})
	}
}
