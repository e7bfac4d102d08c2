package ldp

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

func rawTLV(typ uint16, v ...byte) []byte {
	return append([]byte{byte(typ >> 8), byte(typ), byte(len(v) >> 8), byte(len(v))}, v...)
}

// rawPDU is a PDU with one message of any TLVs.
func rawPDU(id ID, typ uint16, tlvs ...[]byte) []byte {
	body := bytes.Join(tlvs, nil)
	n := len(body) + 4
	return ldpmsg.Pack(nil, id, ownMaxPDU, append([]byte{byte(typ >> 8), byte(typ), byte(n >> 8), byte(n), 0, 0, 0, 42}, body...))
}

var (
	fecTLV   = rawTLV(0x0100, 2, 0, 1, 24, 172, 16, 5)
	labelTLV = rawTLV(0x0200, 0, 0, 0, 99)
)

// TestMalformed says what is wrong to one of two peers: its session ends with the right Notification, or goes on, and the other peer's is untouched.
func TestMalformed(t *testing.T) {
	id := ID{LSR: ip("10.9.9.200")}
	good := rawPDU(id, 0x0400, fecTLV, labelTLV)
	edit := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for _, c := range []struct {
		what string
		b    []byte
		code Code
	}{
		{"version", edit(0, 0, 2), ldpmsg.BadVersion},
		{"PDU too short", edit(2, 0, 13), ldpmsg.BadPDULength},
		{"PDU too long", edit(2, 0x10, 1), ldpmsg.BadPDULength},
		{"other identifier", edit(4, 1), ldpmsg.BadIdentifier},
		{"other label space", edit(8, 1), ldpmsg.BadIdentifier},
		{"message past its PDU", edit(12, 1), ldpmsg.BadMessageLength},
		{"message shorter than its ID", edit(12, 0, 3), ldpmsg.BadMessageLength},
		{"bytes after the message", append(edit(2, 0, byte(len(good))), 0, 0, 0, 0), ldpmsg.BadPDULength},
		{"unknown message", rawPDU(id, 0x0777), ldpmsg.UnknownMessage},
		{"unknown message to ignore", rawPDU(id, 0x8777, []byte{1, 2, 3}), ldpmsg.Success},
		{"unknown TLV", rawPDU(id, 0x0400, fecTLV, labelTLV, rawTLV(0x0777, 1)), ldpmsg.UnknownTLV},
		{"unknown TLV to ignore", rawPDU(id, 0x0400, fecTLV, labelTLV, rawTLV(0x8777, 1), rawTLV(0xc777, 1)), ldpmsg.Success},
		{"TLV past its message", rawPDU(id, 0x0400, fecTLV, []byte{2, 0, 0, 5, 0, 0, 0, 1}), ldpmsg.BadTLVLength},
		{"label too short", rawPDU(id, 0x0400, fecTLV, rawTLV(0x0200, 1, 1)), ldpmsg.BadTLVLength},
		{"reserved label", rawPDU(id, 0x0400, fecTLV, rawTLV(0x0200, 0, 0, 0, 1)), ldpmsg.MalformedTLV},
		{"last reserved label", rawPDU(id, 0x0400, fecTLV, rawTLV(0x0200, 0, 0, 0, 15)), ldpmsg.MalformedTLV},
		{"explicit null", rawPDU(id, 0x0400, fecTLV, rawTLV(0x0200, 0, 0, 0, 0)), ldpmsg.Success},
		{"label of 21 bits", rawPDU(id, 0x0400, fecTLV, rawTLV(0x0200, 0, 16, 0, 0)), ldpmsg.MalformedTLV},
		{"prefix of 33 bits", rawPDU(id, 0x0400, rawTLV(0x0100, 2, 0, 1, 33, 1, 1, 1, 1, 1), labelTLV), ldpmsg.MalformedTLV},
		{"unknown FEC", rawPDU(id, 0x0400, rawTLV(0x0100, 128, 0), labelTLV), ldpmsg.UnknownFEC},
		{"prefix of IPv6", rawPDU(id, 0x0400, rawTLV(0x0100, 2, 0, 2, 8, 0x20), labelTLV), ldpmsg.UnsupportedFamily},
		{"addresses of IPv6", rawPDU(id, 0x0300, rawTLV(0x0101, append([]byte{0, 2}, make([]byte, 16)...)...)), ldpmsg.UnsupportedFamily},
		{"addresses of family 99", rawPDU(id, 0x0300, rawTLV(0x0101, 0, 99, 1)), ldpmsg.UnsupportedFamily},
		{"no label", rawPDU(id, 0x0400, fecTLV), ldpmsg.MissingParameters},
		{"no FEC", rawPDU(id, 0x0402), ldpmsg.MissingParameters},
		{"no addresses", rawPDU(id, 0x0301), ldpmsg.MissingParameters},
		{"Notification without a status", rawPDU(id, 0x0001), ldpmsg.Success},
		{"Notification with an unknown TLV", rawPDU(id, 0x0001, rawTLV(0x0777)), ldpmsg.Success},
		{"Notification to know", rawPDU(id, 0x0001, rawTLV(0x0300, 0, 0, 0, 0x0D, 0, 0, 0, 0, 0, 0)), ldpmsg.Success},
		{"Notification with a short status", rawPDU(id, 0x0001, rawTLV(0x0300, 0, 0, 0, 1)), ldpmsg.BadTLVLength},
		{"Initialization in a session", rawPDU(id, 0x0200, rawTLV(0x0500, 0, 1, 0, 180, 0, 0, 0, 0, 10, 9, 9, 2, 0, 0)), ldpmsg.Shutdown},
		{"Hello in a session", rawPDU(id, 0x0100, rawTLV(0x0400, 0, 15, 0, 0)), ldpmsg.Shutdown},
	} {
		t.Run(c.what, func(t *testing.T) { malformed(t, c.b, c.code) })
	}
}

func malformed(t *testing.T, b []byte, code Code) {
	n, box, bad := stranger(t)
	other := meetPeer(t, box, "10.9.9.201", "10.0.0.201", 2)
	other.establish(t)
	box.route(FromIGP, "172.16.0.0/16", "Tunnel0", "10.0.0.201")
	box.route(FromIGP, "172.17.0.0/16", "Tunnel0", "10.0.0.200")
	for i, p := range []*peer{bad, other} {
		p.say(&ldpmsg.Address{Addrs: []netip.Addr{ip([]string{"10.0.0.200", "10.0.0.201"}[i])}},
			&ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: ldpmsg.FEC{Prefixes: []netip.Prefix{pfx("172.16.0.0/16"), pfx("172.17.0.0/16")}}, Label: 50, Labelled: true})
		p.heard = nil
	}
	box.expect(t, "172.16.0.0/16", "Tunnel0", "10.0.0.201", 50)
	box.expect(t, "172.17.0.0/16", "Tunnel0", "10.0.0.200", 50)
	// The fault comes cut up, with something good before it.
	b = append(bad.pdu(&ldpmsg.Label{Kind: ldpmsg.TypeRequest, FEC: fecOf(pfx("172.16.0.0/16"))}), b...)
	for ; len(b) > 0; b = b[min(3, len(b)):] {
		bad.write(b[:min(3, len(b))])
	}
	n.run(time.Second)
	want := []string{fmt.Sprintf("Label Mapping 172.16.0.0/16 for %d", bad.next)}
	if code != ldpmsg.Success {
		want = append(want, "Notification "+code.String())
	}
	bad.expect(t, want...)
	other.expect(t)
	gone := code.Fatal()
	if (box.state("10.9.9.200") != StateOperational) != gone || box.state("10.9.9.201") != StateOperational {
		t.Errorf("%s, %s", box.state("10.9.9.200"), box.state("10.9.9.201"))
	}
	if (box.out("172.17.0.0/16", "Tunnel0", "10.0.0.200") == -1) != gone {
		t.Errorf("binds %v", box.binds)
	}
	box.expect(t, "172.16.0.0/16", "Tunnel0", "10.0.0.201", 50)
	if gone && (!box.pipes[bad.conn].closed || box.logged(LogNeighborDown, code, false) != 1) {
		t.Errorf("not closed, or not logged: %v", box.logs)
	}
}

// TestInitialization goes through what can go wrong before a session stands.
func TestInitialization(t *testing.T) {
	id := ID{LSR: ip("10.9.9.200")}
	init := func(edit func(*ldpmsg.Initialization)) func(*peer) []byte {
		return func(p *peer) []byte {
			m := p.initialization()
			edit(m)
			return p.pdu(m)
		}
	}
	raw := func(b []byte) func(*peer) []byte { return func(*peer) []byte { return b } }
	for _, c := range []struct {
		what string
		b    func(*peer) []byte
		want string
	}{
		{"version", init(func(m *ldpmsg.Initialization) { m.Version = 2 }), "Bad Protocol Version"},
		{"receiver", init(func(m *ldpmsg.Initialization) { m.Receiver.LSR = ip("10.9.9.3") }), "Session Rejected / No Hello"},
		{"label space", init(func(m *ldpmsg.Initialization) { m.Receiver.Space = 3 }), "Session Rejected / No Hello"},
		{"keepalive time", init(func(m *ldpmsg.Initialization) { m.KeepAlive = 0 }), "Session Rejected / Bad KeepAlive Time"},
		{"ATM", init(func(m *ldpmsg.Initialization) {
			m.Extra = []ldpmsg.TLV{{Type: ldpmsg.TLVATMSession, Value: make([]byte, 12)}}
		}), "Session Rejected / Parameters Label Range"},
		{"unknown TLV", init(func(m *ldpmsg.Initialization) { m.Extra = []ldpmsg.TLV{{Type: 0x777}} }), "Unknown TLV"},
		{"mapping first", raw(rawPDU(id, 0x0400, fecTLV, labelTLV)), "Shutdown"},
		{"keepalive first", raw(rawPDU(id, 0x0201)), "Shutdown"},
		{"unknown message first", raw(rawPDU(id, 0x0777)), "Unknown Message Type"},
		{"no parameters", raw(rawPDU(id, 0x0200)), "Missing Message Parameters"},
		{"version of the PDU", raw([]byte{0, 9}), "Bad Protocol Version"},
		{"unknown sender", raw(rawPDU(ID{LSR: ip("10.9.9.222")}, 0x0201)), "Shutdown"},
	} {
		n := newNet(t)
		b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
		b.start()
		p := meetPeer(t, b, "10.9.9.200", "10.0.0.200", 1)
		p.write(c.b(p))
		want := "Notification " + c.want
		if code := p.heard; len(code) != 1 || code[0] != want || !b.pipes[p.conn].closed || len(b.m.sessions)+len(b.m.strangers) != 0 {
			t.Errorf("%s: heard %q", c.what, p.heard)
		}
		if b.m.Deadline().After(n.now.Add(6 * time.Second)) {
			t.Errorf("%s: deadline %s", c.what, b.m.Deadline())
		}
	}
}

// TestNegotiation takes the lesser of both sides' proposals.
func TestNegotiation(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.cfg.SessionHold = 60 * time.Second
	b.start()
	for i := range 100 {
		b.route(FromIGP, fmt.Sprintf("172.16.%d.0/24", i), "Ethernet0/0", "172.16.0.9")
	}
	p := meetPeer(t, b, "10.9.9.200", "10.0.0.200", 1)
	init := p.initialization()
	init.KeepAlive, init.MaxPDU, init.OnDemand, init.LoopDetection = 30, 300, true, true
	init.FT = &ldpmsg.FTSession{Flags: 1, Reconnect: time.Minute}
	init.Extra = []ldpmsg.TLV{{Type: 0x506, U: true, Value: []byte{0x80}}}
	p.say(init)
	p.expect(t, "Initialization")
	longest := 0
	for _, e := range p.say(&ldpmsg.KeepAlive{}) {
		if s, ok := e.(Send); ok {
			for d := s.Bytes; len(d) > 0; {
				k, err := ldpmsg.Frame(d, 300)
				if err != nil {
					t.Fatal(err)
				}
				longest, d = max(longest, k), d[k:]
			}
		}
	}
	if longest > 300 || longest < 270 {
		t.Errorf("PDUs of up to %d bytes", longest)
	}
	st := b.m.Neighbors()[0]
	if st.State != StateOperational || st.KeepAlive != 30*time.Second || st.MaxPDU != 300 || st.FT == nil || st.FT.Reconnect != time.Minute || st.Active {
		t.Errorf("%+v", st)
	}
	n.run(29 * time.Second)
	if b.state("10.9.9.200") != StateOperational {
		t.Fatal("ended too early")
	}
	p.say(&ldpmsg.KeepAlive{})
	n.run(29 * time.Second)
	if b.state("10.9.9.200") != StateOperational || st.Sent+4 > b.m.Neighbors()[0].Sent {
		t.Fatal("a KeepAlive did not keep it, or none were sent")
	}
	p.heard = nil
	n.run(2 * time.Second)
	p.expect(t, "Notification KeepAlive Timer Expired")
	// A PDU longer than agreed is one too long.
	p2 := meetPeer(t, b, "10.9.9.201", "10.0.0.201", 2)
	init = p2.initialization()
	init.MaxPDU = 300
	p2.say(init, &ldpmsg.KeepAlive{Extra: []ldpmsg.TLV{{Type: 0x3f00, U: true, Value: make([]byte, 400)}}})
	if b.state("10.9.9.201") != StateOperational { // both in one PDU, before the agreement
		t.Error("not operational")
	}
	p2.heard = nil
	p2.say(&ldpmsg.KeepAlive{Extra: []ldpmsg.TLV{{Type: 0x3f00, U: true, Value: make([]byte, 400)}}})
	p2.expect(t, "Notification Bad PDU Length")
	// The hold time of Hellos: an adjacency lives as long as the lesser proposal says; 0 is the default.
	cfg := b.cfg
	cfg.HelloHold = 0
	b.configure(cfg)
	for proposed, want := range map[uint16]time.Duration{0: 15 * time.Second, 6: 6 * time.Second, ldpmsg.HoldForever: 15 * time.Second, 40: 15 * time.Second} {
		b.handle(HelloReceived{"Tunnel0", ip("10.0.0.201"), p2.pdu(&ldpmsg.Hello{HoldTime: proposed, Transport: p2.id.LSR})})
		if st := b.m.Discovery()[0].Adjacencies[1]; st.Hold != want || !st.Expires.Equal(n.now.Add(want)) {
			t.Errorf("proposed %d: %+v", proposed, st)
		}
	}
}

// TestNoHello has connections of nobody: they wait a little for the Hello, and no longer, and are not many.
func TestNoHello(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.start()
	p := &peer{box: b, id: ID{LSR: ip("10.9.9.200")}, conn: Inbound | 1}
	p.accept()
	p.say(p.initialization())
	n.run(4 * time.Second)
	p.expect(t)
	n.run(2 * time.Second)
	p.expect(t, "Notification Session Rejected / No Hello")
	// In time.
	p.conn++
	p.accept()
	p.say(p.initialization())
	n.run(2 * time.Second)
	hello := p.pdu(&ldpmsg.Hello{HoldTime: 15, Transport: p.id.LSR})
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), hello})
	p.say(&ldpmsg.KeepAlive{})
	if b.state("10.9.9.200") != StateOperational {
		t.Fatalf("%v", b.logs)
	}
	p.heard = nil
	// From another address than the Hello said.
	q := &peer{box: b, id: p.id, conn: Inbound | 77}
	b.pipes[q.conn] = &pipe{box: b, conn: q.conn, other: &pipe{box: &box{name: "q", net: n}, closed: true}}
	b.handle(Accepted{q.conn, netip.MustParseAddrPort("10.9.9.2:646"), netip.MustParseAddrPort("10.9.9.7:1234"), false})
	q.say(q.initialization())
	if !b.pipes[q.conn].closed || b.state("10.9.9.200") != StateOperational || b.logged(LogSessionRefused, ldpmsg.RejectedNoHello, false) != 2 {
		t.Errorf("%v", b.logs)
	}
	// Nothing said at all.
	b.handle(Accepted{Inbound | 78, netip.MustParseAddrPort("10.9.9.2:646"), netip.MustParseAddrPort("10.9.9.7:1234"), false})
	for range 16 {
		n.run(time.Second)
		b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), hello})
	}
	if len(b.m.strangers) != 0 || b.state("10.9.9.200") != StateOperational {
		t.Errorf("%d strangers", len(b.m.strangers))
	}
	for i := range 500 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 8, 0, byte(i)}), 1234)
		b.handle(Accepted{Inbound | Conn(1000+i), netip.MustParseAddrPort("10.9.9.2:646"), addr, false})
	}
	if len(b.m.strangers) > maxStrangers {
		t.Errorf("%d strangers", len(b.m.strangers))
	}
	// A neighbor gets in nevertheless, but not often.
	for i := range 5 {
		b.handle(Accepted{Inbound | Conn(2000+i), netip.MustParseAddrPort("10.9.9.2:646"), netip.MustParseAddrPort("10.9.9.200:1234"), false})
	}
	if b.m.sessions[Inbound|2004] == nil || len(b.m.strangers) != maxStrangers+2 {
		t.Errorf("%d strangers", len(b.m.strangers))
	}
}

// TestHellosRefused are Hellos that make no neighbor.
func TestHellosRefused(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"}, [3]string{"Tunnel1", "other", "10.1.0.2"})
	b.cfg.MaxNeighbors = 1
	b.start()
	b.handle(InterfaceState{Name: "Tunnel1", Addrs: []netip.Addr{ip("10.1.0.2")}})
	b.handle(InterfaceState{Name: "Tunnel7", Up: true, Addrs: []netip.Addr{ip("10.7.0.2")}})
	p := &peer{box: b, id: ID{LSR: ip("10.9.9.200")}}
	hello := p.pdu(&ldpmsg.Hello{HoldTime: 15, Transport: p.id.LSR})
	own := &peer{box: b, id: ID{LSR: ip("10.9.9.2")}}
	zero := &peer{box: b, id: ID{LSR: ip("0.0.0.0")}}
	at := func(iface, from string, payload []byte, want DropReason) {
		t.Helper()
		before := b.m.Drops()
		b.handle(HelloReceived{iface, ip(from), payload})
		if after := b.m.Drops(); after[want] != before[want]+1 {
			t.Errorf("not dropped as %s: %v", want, after)
		}
	}
	at("Tunnel1", "10.0.0.200", hello, DropOff)
	at("Tunnel7", "10.0.0.200", hello, DropOff)
	at("Tunnel9", "10.0.0.200", hello, DropOff)
	at("Tunnel0", "224.0.0.2", hello, DropSource)
	at("Tunnel0", "::1", hello, DropSource)
	at("Tunnel0", "10.0.0.2", hello, DropOwn)
	for k := range hello {
		at("Tunnel0", "10.0.0.200", hello[:k], DropMalformed)
	}
	at("Tunnel0", "10.0.0.200", p.pdu(&ldpmsg.KeepAlive{}), DropMalformed)
	at("Tunnel0", "10.0.0.200", p.pdu(&ldpmsg.Hello{Targeted: true}), DropTargeted)
	at("Tunnel0", "10.0.0.200", own.pdu(&ldpmsg.Hello{}), DropDuplicate)
	at("Tunnel0", "10.0.0.200", zero.pdu(&ldpmsg.Hello{}), DropSource)
	at("Tunnel0", "10.0.0.200", p.pdu(&ldpmsg.Hello{Transport: ip("10.9.9.2")}), DropSource)
	at("Tunnel0", "10.0.0.200", p.pdu(&ldpmsg.Hello{Transport: ip("224.0.0.1")}), DropSource)
	if len(b.m.neighbors) != 0 || len(b.connects) != 0 {
		t.Fatal("a neighbor came of it")
	}
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), hello})
	at("Tunnel0", "10.0.0.201", hello, DropSource) // another router with its identifier
	full := &peer{box: b, id: ID{LSR: ip("10.9.9.201")}}
	at("Tunnel0", "10.0.0.201", full.pdu(&ldpmsg.Hello{}), DropFull)
	b.handle(InterfaceState{Name: "Tunnel1", Up: true, Addrs: []netip.Addr{ip("10.1.0.2")}})
	at("Tunnel1", "10.1.0.200", p.pdu(&ldpmsg.Hello{}), DropTransport)
	b.handle(HelloReceived{"Tunnel1", ip("10.1.0.200"), hello})
	at("Tunnel1", "10.1.0.200", p.pdu(&ldpmsg.Hello{}), DropTransport)
	if st := b.m.Neighbors(); len(st) != 1 || len(st[0].Sources) != 2 || st[0].PeerAddr.Addr() != p.id.LSR {
		t.Fatalf("%+v", st)
	}
	// Alone on a link, it may move: the session is another one.
	b.handle(InterfaceState{Name: "Tunnel1"})
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), p.pdu(&ldpmsg.Hello{HoldTime: 15})})
	if st := b.m.Neighbors(); len(st) != 1 || len(st[0].Sources) != 1 || st[0].PeerAddr.Addr() != ip("10.0.0.200") {
		t.Fatalf("%+v", st)
	}
}

// TestRequests are what a peer may ask for.
func TestRequests(t *testing.T) {
	_, b, p := stranger(t)
	b.route(FromIGP, "172.16.0.0/16", "Ethernet0/0", "172.31.0.9")
	b.route(FromConnected, "172.17.0.0/16")
	b.route(FromIGP, "172.18.0.0/16", "Tunnel0", "10.0.0.200")
	b.route(FromIGP, "172.19.0.0/16", "Tunnel0", "10.0.0.200", "Ethernet0/0", "172.31.0.9")
	p.say(&ldpmsg.Address{Addrs: []netip.Addr{ip("10.0.0.200")}})
	p.heard = nil
	ask := func(prefix, want string) {
		t.Helper()
		p.say(&ldpmsg.Label{Kind: ldpmsg.TypeRequest, FEC: fecOf(pfx(prefix))})
		if want[0] == 'L' {
			want += fmt.Sprintf(" %s for %d", prefix, p.next)
		}
		p.expect(t, want)
	}
	ask("172.16.0.0/16", "Label Mapping")
	ask("172.16.0.0/17", "Notification No Route")
	ask("172.17.0.0/16", "Label Mapping")
	ask("172.18.0.0/16", "Notification Loop Detected")
	ask("172.19.0.0/16", "Label Mapping")
	p.say(&ldpmsg.Label{Kind: ldpmsg.TypeAbort, FEC: fecOf(pfx("172.19.0.0/16")), Request: p.next, Requested: true})
	p.expect(t)
	// A label that the peer gave back is told again when it asks, and is held once.
	l := b.labels[pfx("172.16.0.0/16")]
	p.say(&ldpmsg.Label{Kind: ldpmsg.TypeRelease, FEC: fecOf(pfx("172.16.0.0/16"))})
	if b.m.pool.labels[l].holders != 0 {
		t.Error("held after its release")
	}
	ask("172.16.0.0/16", "Label Mapping")
	ask("172.16.0.0/16", "Label Mapping")
	if b.m.pool.labels[l].holders != 1 {
		t.Errorf("held %d times", b.m.pool.labels[l].holders)
	}
	// A mapping that changes gives the old label back; a withdrawal of a label of before does not take the new one.
	mapping := func(label uint32) *ldpmsg.Label {
		return &ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: fecOf(pfx("172.18.0.0/16")), Label: label, Labelled: true}
	}
	p.say(mapping(50))
	p.say(mapping(50))
	p.expect(t)
	p.say(mapping(51))
	p.expect(t, "Label Release 172.18.0.0/16 50")
	b.expect(t, "172.18.0.0/16", "Tunnel0", "10.0.0.200", 51)
	p.say(&ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: fecOf(pfx("172.18.0.0/16")), Label: 50, Labelled: true})
	p.expect(t, "Label Release 172.18.0.0/16 50")
	b.expect(t, "172.18.0.0/16", "Tunnel0", "10.0.0.200", 51)
	p.say(&ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: fecOf(pfx("172.18.0.0/16"))})
	p.expect(t, "Label Release 172.18.0.0/16")
	b.expect(t, "172.18.0.0/16", "Tunnel0", "10.0.0.200", -1)
	// The peer ends the session.
	p.say(&ldpmsg.Notification{Code: ldpmsg.Shutdown, Fatal: true})
	if b.state("10.9.9.200") == StateOperational || b.logged(LogNeighborDown, ldpmsg.Shutdown, true) != 1 || b.m.pool.labels[l].holders != 0 {
		t.Error(b.logs)
	}
}

// TestReopened takes another connection of a peer as the sign that it has lost the first.
func TestReopened(t *testing.T) {
	_, b, p := stranger(t)
	p.say(&ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: fecOf(pfx("172.18.0.0/16")), Label: 50, Labelled: true})
	first := p.conn
	p.conn++
	p.accept()
	if b.state("10.9.9.200") != StateOperational || b.m.learned != 1 {
		t.Fatal("a connection alone ended the session")
	}
	p.establish(t)
	if !b.pipes[first].closed || b.m.learned != 0 || len(b.m.sessions) != 1 {
		t.Errorf("%d learned, %d sessions", b.m.learned, len(b.m.sessions))
	}
}
