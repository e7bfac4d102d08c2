package ldp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
)

// peer is a router that says what a test wants, with a session to one that is real.
type peer struct {
	box   *box
	id    ID
	conn  Conn
	next  uint32
	heard []string
}

// stranger is a router with an operational session of such a peer, 10.9.9.200 at 10.0.0.200 on Tunnel0, which opened it.
func stranger(t *testing.T) (*simnet, *box, *peer) {
	n := newNet(t)
	b := n.add("b", "10.9.9.2", [3]string{"Tunnel0", "core", "10.0.0.2"})
	b.start()
	p := meetPeer(t, b, "10.9.9.200", "10.0.0.200", 1)
	p.establish(t)
	return n, b, p
}

// meetPeer lets a router hear a peer, once and for long, and accept its connection.
func meetPeer(t *testing.T, b *box, router, addr string, number Conn) *peer {
	t.Helper()
	p := &peer{box: b, id: ID{LSR: ip(router)}, conn: Inbound | number}
	cfg := b.cfg
	cfg.HelloHold = ldpmsg.HoldForever * time.Second
	b.configure(cfg)
	b.handle(HelloReceived{"Tunnel0", ip(addr), p.pdu(&ldpmsg.Hello{HoldTime: ldpmsg.HoldForever, Transport: p.id.LSR})})
	p.accept()
	return p
}

func (p *peer) accept() {
	b := p.box
	// A pipe that ends with the peer, which reads at once.
	b.pipes[p.conn] = &pipe{box: b, conn: p.conn, other: &pipe{box: &box{name: "peer", net: b.net, dead: false}, closed: true}}
	old := b.net.wire
	b.net.wire = func(from, to *box, raw ldpmsg.Raw) {
		if to == b.pipes[p.conn].other.box {
			p.hear(raw)
		}
		if old != nil {
			old(from, to, raw)
		}
	}
	b.handle(Accepted{p.conn, netip.AddrPortFrom(b.cfg.RouterID, 646), netip.AddrPortFrom(p.id.LSR, 12345), false})
}

// hear writes down what the router says, but for KeepAlives and what every session begins with.
func (p *peer) hear(raw ldpmsg.Raw) {
	m, err := ldpmsg.Parse(raw)
	text := raw.Type.String()
	switch m := m.(type) {
	case *ldpmsg.Notification:
		text += " " + m.Code.String()
		if m.Fatal != m.Code.Fatal() && m.Code.Fatal() {
			text += " without E"
		}
	case *ldpmsg.Label:
		if m.FEC.Wildcard {
			text += " *"
		}
		for _, f := range m.FEC.Prefixes {
			text += " " + f.String()
		}
		if m.Labelled && m.Kind != ldpmsg.TypeMapping {
			text += fmt.Sprint(" ", m.Label)
		}
		if m.Requested {
			text += fmt.Sprint(" for ", m.Request)
		}
	case *ldpmsg.KeepAlive:
		return
	}
	if err != nil {
		text = err.Error()
	}
	p.heard = append(p.heard, text)
}

// expect looks at what was heard since the last time.
func (p *peer) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(p.heard, want) {
		t.Errorf("heard %q, not %q", p.heard, want)
	}
	p.heard = nil
}

func (p *peer) pdu(ms ...ldpmsg.Message) []byte {
	var b []byte
	for _, m := range ms {
		p.next++
		b, _ = ldpmsg.Append(b, p.next, m)
	}
	return ldpmsg.Pack(nil, p.id, ownMaxPDU, b)
}

func (p *peer) say(ms ...ldpmsg.Message) []Effect { return p.write(p.pdu(ms...)) }

func (p *peer) write(b []byte) []Effect { return p.box.handle(Data{p.conn, b}) }

func (p *peer) initialization() *ldpmsg.Initialization {
	return &ldpmsg.Initialization{Version: 1, KeepAlive: 0xffff, Receiver: ID{LSR: p.box.cfg.RouterID}}
}

func (p *peer) establish(t *testing.T) {
	t.Helper()
	p.say(p.initialization())
	p.say(&ldpmsg.KeepAlive{})
	if p.box.state(p.id.LSR.String()) != StateOperational {
		t.Fatalf("no session: %v", p.box.logs)
	}
	p.heard = nil
}
