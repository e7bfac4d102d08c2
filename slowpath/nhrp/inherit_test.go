package nhrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

func inherited(prefix, hop, nbma string, registered bool) Inherited {
	return Inherited{Iface: "Tunnel0", Prefix: pfx(prefix), NextHop: ip(hop), NBMA: peerAt(nbma), Registered: registered}
}

// A client that is known from before is served as one that has registered: bound, replicated to, resolved for; it registers in its own time, and
// is an ordinary one then. One that does not goes after a holding time.
func TestInheritedClient(t *testing.T) {
	b := solo(t, hubConfig(func(i *Interface) { i.MulticastDynamic, i.HoldTime = true, 600*time.Second }), nil)
	b.event(inherited("10.0.0.11/32", "10.0.0.11", "192.0.2.11", true))
	b.event(inherited("10.0.0.12/32", "10.0.0.12", "192.0.2.12", true))
	b.wantAt("10.0.0.11/32", "192.0.2.11")
	e, _ := b.entry("10.0.0.11/32")
	if e.Flags&FlagInherited == 0 || e.Expires.Sub(b.net.now) != 600*time.Second {
		t.Errorf("entry %+v", e)
	}
	s := b.m.Status(b.net.now).Interfaces[0]
	if len(s.Multicast) != 2 || !s.Peers[0].Inherited {
		t.Errorf("multicast to %v, peers %+v", s.Multicast, s.Peers)
	}
	passed := b.give("192.0.2.12", resolution("10.0.0.12", "192.0.2.12", "10.0.0.11"))
	if len(passed) != 1 || passed[0].Type != nhrpmsg.ResolutionRequest {
		t.Errorf("a request for a client leads to %+v", passed)
	}
	if c := code(t, b.give("192.0.2.77", registration("10.0.0.11", "192.0.2.77"))); c != nhrpmsg.Success {
		t.Errorf("the client has moved meanwhile, and gets code %v", c)
	}
	e, _ = b.entry("10.0.0.11/32")
	if e.Flags&FlagInherited != 0 || e.Flags&FlagUnique == 0 || e.NBMA != ip("192.0.2.77") {
		t.Errorf("after its registration: %+v", e)
	}
	b.net.run(601 * time.Second)
	if _, ok := b.entry("10.0.0.12/32"); ok {
		t.Error("a client that never came is still there")
	}
}

// What is left of a client's holding time is left of it after a restart, too, however often that happens, and its address is its own till then.
func TestInheritedExpiry(t *testing.T) {
	bound := Bind{}
	client := func(change func(*Inherited)) *box {
		b := solo(t, hubConfig(func(i *Interface) { i.HoldTime = 600 * time.Second }), nil)
		ev := inherited("10.0.0.11/32", "10.0.0.11", "192.0.2.11", true)
		ev.Expires, ev.Unique = b.net.now.Add(100*time.Second), true
		change(&ev)
		b.event(ev)
		bound = b.binds[key{"Tunnel0", pfx("10.0.0.11/32")}]
		return b
	}
	b := client(func(*Inherited) {})
	at := b.net.now.Add(100 * time.Second)
	if e, ok := b.entry("10.0.0.11/32"); !ok || !e.Expires.Equal(at) || e.Flags&FlagUnique == 0 || !bound.Expires.Equal(at) || !bound.Unique {
		t.Errorf("entry %+v, bound %+v", e, bound)
	}
	if c := code(t, b.give("192.0.2.77", registration("10.0.0.11", "192.0.2.77"))); c != nhrpmsg.AlreadyRegistered {
		t.Errorf("another peer takes its address: code %v", c)
	}
	b.net.run(101 * time.Second)
	if _, ok := b.entry("10.0.0.11/32"); ok {
		t.Error("it is still there when its time is over")
	}
	if c := code(t, b.give("192.0.2.77", registration("10.0.0.11", "192.0.2.77"))); c != nhrpmsg.Success {
		t.Errorf("after its time its address is not free: code %v", c)
	}
	b = client(func(*Inherited) {})
	if c := code(t, b.give("192.0.2.11", registration("10.0.0.11", "192.0.2.11"))); c != nhrpmsg.Success {
		t.Errorf("it does not get its own address: code %v", c)
	}
	if now := b.binds[key{"Tunnel0", pfx("10.0.0.11/32")}]; !now.Expires.After(bound.Expires) {
		t.Errorf("it has registered again, and its binding expires at %v, did at %v", now.Expires, bound.Expires)
	}
	// Whoever has proved who it is, over a protected tunnel, may be the client, at a new address.
	b = client(func(*Inherited) {})
	m := registration("10.0.0.11", "192.0.2.77")
	raw, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := code(t, b.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.77"), Identity: "spoke", Payload: raw})); c != nhrpmsg.Success {
		t.Errorf("a peer with an identity is refused: code %v", c)
	}
	// Not any more once it is known who has the session.
	b = newNet(t).add("hub", hubConfig(protected), nil)
	ev := Inherited{Iface: "Tunnel0", Prefix: pfx("10.0.0.11/32"), NextHop: ip("10.0.0.11"), NBMA: peerAt("192.0.2.11"), Registered: true, Expires: b.net.now.Add(time.Hour), Unique: true}
	b.event(ev)
	b.event(PeerState{Iface: "Tunnel0", NBMA: ev.NBMA, Up: true})
	b.event(PeerState{Iface: "Tunnel0", NBMA: ev.NBMA, Up: true, Identity: "victim"})
	b.event(PeerState{Iface: "Tunnel0", NBMA: peerAt("192.0.2.77"), Up: true, Identity: "rival"})
	if c := code(t, b.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.77"), Identity: "rival", Payload: raw})); c != nhrpmsg.AlreadyRegistered {
		t.Errorf("somebody else gets the address of a client whose session is renewed: code %v", c)
	}
	if c := code(t, b.giveEvent(Received{Iface: "Tunnel0", From: peerAt("192.0.2.77"), Identity: "victim", Payload: raw})); c != nhrpmsg.Success {
		t.Errorf("it does not get its address itself: code %v", c)
	}
	b = client(func(ev *Inherited) { ev.Unique = false })
	if c := code(t, b.give("192.0.2.77", registration("10.0.0.11", "192.0.2.77"))); c != nhrpmsg.Success {
		t.Errorf("one that had allowed it: code %v", c)
	}
	b = client(func(ev *Inherited) { ev.Expires = ev.Expires.Add(-100 * time.Second) })
	if e, _ := b.entry("10.0.0.11/32"); !e.Expires.Equal(b.net.now.Add(inheritedGrace)) || e.Flags&FlagUnique != 0 {
		t.Errorf("one whose time was over when nobody could renew it: %+v", e)
	}
	b.net.run(inheritedGrace + time.Second)
	if _, ok := b.entry("10.0.0.11/32"); ok {
		t.Error("it does not end")
	}
	if e, _ := client(func(ev *Inherited) { ev.Expires = ev.Expires.Add(1e6 * time.Second) }).entry("10.0.0.11/32"); e.Expires.Sub(e.Created) > MaxHoldTime {
		t.Errorf("a clock that was set back: %+v", e)
	}
	b = client(func(ev *Inherited) { ev.Registered = false })
	if e, _ := b.entry("10.0.0.11/32"); !e.Expires.Equal(b.net.now.Add(100*time.Second)) || e.Flags&FlagUnique != 0 {
		t.Errorf("a direct path: %+v", e)
	}
}

// Direct paths are believed for ten minutes, networks behind a peer only where shortcuts are; what is configured stands.
func TestInheritedPaths(t *testing.T) {
	spoke := Config{Interfaces: []Interface{tunnel(11)}}
	i := &spoke.Interfaces[0]
	i.HoldTime = 2 * time.Hour
	i.Maps, i.NHS, i.Shortcut = []Map{{pfx("10.0.0.1/32"), ip("192.0.2.1")}}, []NHS{{Protocol: ip("10.0.0.1")}}, true
	b := solo(t, spoke, map[string]Route{"10.2.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.1"), Prefix: pfx("10.0.0.0/8")}})
	b.event(inherited("10.0.0.1/32", "10.0.0.1", "192.0.2.99", false))
	b.event(inherited("10.0.0.12/32", "10.0.0.12", "192.0.2.12", false))
	b.event(inherited("10.2.0.0/24", "10.0.0.12", "192.0.2.12", false))
	b.event(inherited("10.3.0.0/24", "10.0.0.13", "192.0.2.13", false)) // whose next hop is not known
	b.event(inherited("10.0.0.0/7", "10.0.0.12", "192.0.2.12", false))  // wider than the route to there
	b.wantAt("10.0.0.1/32", "192.0.2.1")
	b.wantAt("10.0.0.12/32", "192.0.2.12")
	b.wantAt("10.2.0.0/24", "192.0.2.12")
	for _, p := range []string{"10.0.0.12/32", "10.2.0.0/24"} {
		if e, _ := b.entry(p); e.Flags&FlagInherited == 0 || e.Expires.Sub(b.net.now) != inheritedDirect {
			t.Errorf("%s: %+v", p, e)
		}
	}
	if n := len(b.m.Status(b.net.now).Entries); n != 3 {
		t.Errorf("%d entries", n)
	}
	b.net.run(9 * time.Minute)
	b.wantAt("10.2.0.0/24", "192.0.2.12")
	b.net.run(2 * time.Minute)
	if _, ok := b.entry("10.2.0.0/24"); ok {
		t.Error("nobody has answered, and the path is still there")
	}
}

// What makes no sense is not believed.
func TestInheritedNonsense(t *testing.T) {
	b := solo(t, hubConfig(nil...), nil)
	for _, ev := range []Inherited{
		inherited("10.0.0.1/32", "10.0.0.1", "192.0.2.50", true),   // ourselves
		inherited("10.0.0.11/32", "10.0.0.11", "192.0.2.1", true),  // at our own address
		inherited("10.77.0.1/32", "10.77.0.1", "192.0.2.50", true), // outside of the tunnel
		inherited("10.2.0.0/24", "10.0.0.12", "192.0.2.50", false), // no shortcuts here
		inherited("10.0.0.11/32", "10.0.0.11", "224.0.0.9", true),  // nobody's
		{Iface: "Tunnel9", Prefix: pfx("10.0.0.11/32"), NextHop: ip("10.0.0.11"), NBMA: peerAt("192.0.2.50")},
		{Iface: "Tunnel0"},
		{Iface: "Tunnel0", Prefix: netip.PrefixFrom(ip("10.0.0.11"), 24), NextHop: ip("10.0.0.11"), NBMA: peerAt("192.0.2.50")},
	} {
		b.event(ev)
	}
	if s := b.m.Status(b.net.now); len(s.Entries) != 0 {
		t.Errorf("entries %+v", s.Entries)
	}
	for p, want := range map[string]string{"10.2.0.0/24": "10.2.0.128", "10.0.0.0/8": "10.128.0.0", "10.2.0.4/30": "10.2.0.6", "10.2.0.4/31": "10.2.0.4", "10.2.0.4/32": "10.2.0.4", "0.0.0.0/0": "128.0.0.0"} {
		if got := middle(pfx(p)); got != ip(want) {
			t.Errorf("the middle of %s is %v, want %s", p, got, want)
		}
	}
}
