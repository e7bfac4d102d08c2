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
