package ldp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// TestSharedKey has two label spaces of one router: the key of its address stays as long as one of them is known.
func TestSharedKey(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.cfg.Passwords = []Password{{ip("10.9.9.200"), Secret("word")}}
	b.start()
	pair := [2]netip.Addr{ip("10.9.9.2"), ip("10.9.9.200")}
	hello := func(space, hold uint16) {
		p := &peer{box: b, id: ID{LSR: pair[1], Space: space}}
		b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), p.pdu(&ldpmsg.Hello{HoldTime: hold, Transport: pair[1]})})
	}
	hello(0, 15)
	if string(b.keys[pair]) != "word" {
		t.Fatal("no key")
	}
	hello(1, 5)
	n.run(10 * time.Second)
	if len(b.m.Neighbors()) != 1 || string(b.keys[pair]) != "word" {
		t.Fatal("the key went with one of two")
	}
	n.run(10 * time.Second)
	if len(b.m.Neighbors()) != 0 || b.keys[pair] != nil {
		t.Fatal("the key is still there")
	}
	if !b.m.neighborsForgotten() {
		t.Error("something of them is left")
	}
}

// neighborsForgotten tells whether nothing refers to a neighbor that went.
func (m *Machine) neighborsForgotten() bool {
	return len(m.neighbors)+len(m.order)+len(m.sessions)+len(m.owners)+m.learned == 0
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Log{Kind: LogNoLabels}.About(): "ldp no-labels", LogKind(99).String(): "unknown", StateOpenRec.String(): "openrec",
		DropFull.String(): "full", State(77).String(): "unknown",
	} {
		if got != want {
			t.Errorf("%q is not %q", got, want)
		}
	}
	m := New()
	if _, on := m.ID(); on {
		t.Error("on without a configuration")
	}
	m.Configure(epoch, Config{RouterID: ip("10.9.9.1")})
	if id, on := m.ID(); !on || id.String() != "10.9.9.1:0" {
		t.Error(id)
	}
	m.Configure(epoch, Config{RouterID: ip("224.0.0.1")}) // nobody's address: as if there were none
	if _, on := m.ID(); on {
		t.Error("on with an address of a group")
	}
}

// TestUnsigned has connections that are not signed as they have to be: because the key came too late, or cannot be had, or should not be there.
func TestUnsigned(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.cfg.Passwords = []Password{{ip("10.9.9.200"), Secret("word")}, {ip("10.9.9.1"), Secret("word")}}
	b.start()
	// Accepted before its neighbor was known, so without the key.
	p := &peer{box: b, id: ID{LSR: ip("10.9.9.200")}, conn: Inbound | 1}
	p.accept()
	p.say(p.initialization())
	hello := p.pdu(&ldpmsg.Hello{HoldTime: 15, Transport: p.id.LSR})
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.200"), hello})
	if !b.pipes[p.conn].closed || len(p.heard) != 0 || b.logged(LogUnsigned, 0, false) != 1 {
		t.Fatalf("heard %q; %v", p.heard, b.logs)
	}
	b.handle(Accepted{Inbound | 2, netip.MustParseAddrPort("10.9.9.2:646"), netip.MustParseAddrPort("10.9.9.200:1"), true})
	p.conn = Inbound | 2
	p.say(p.initialization())
	p.say(&ldpmsg.KeepAlive{})
	if b.state("10.9.9.200") != StateOperational {
		t.Fatal("a signed one was refused")
	}
	// Ours, without a key that was asked for: as if there had been no connection.
	q := &peer{box: b, id: ID{LSR: ip("10.9.9.1")}}
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.1"), q.pdu(&ldpmsg.Hello{HoldTime: 15, Transport: q.id.LSR})})
	conn := b.m.nextConn
	got := b.handle(Connected{conn, netip.MustParseAddrPort("10.9.9.2:1"), netip.MustParseAddrPort("10.9.9.1:646"), false})
	if len(got) != 2 || got[1] != (Close{conn}) || b.state("10.9.9.1") != StateNone {
		t.Fatalf("%+v", got)
	}
	n.run(6 * time.Second)
	if len(b.connects) != 2 {
		t.Errorf("%d attempts", len(b.connects))
	}
	// Signed, though there is no password for it.
	r := &peer{box: b, id: ID{LSR: ip("10.9.9.201")}, conn: Inbound | 3}
	b.handle(HelloReceived{"Tunnel0", ip("10.0.0.201"), r.pdu(&ldpmsg.Hello{HoldTime: 15, Transport: r.id.LSR})})
	b.handle(Accepted{r.conn, netip.MustParseAddrPort("10.9.9.2:646"), netip.MustParseAddrPort("10.9.9.201:1"), true})
	r.say(r.initialization())
	if b.m.sessions[r.conn] != nil || b.logged(LogUnsigned, 0, false) != 3 {
		t.Errorf("%v", b.logs)
	}
}
