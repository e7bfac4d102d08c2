package nhrp

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

func inherited(prefix, hop, nbma string, registered bool) Inherited {
	return Inherited{Iface: "Tunnel0", Prefix: pfx(prefix), NextHop: ip(hop), NBMA: ip(nbma), Registered: registered}
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
		{Iface: "Tunnel9", Prefix: pfx("10.0.0.11/32"), NextHop: ip("10.0.0.11"), NBMA: ip("192.0.2.50")},
		{Iface: "Tunnel0"},
		{Iface: "Tunnel0", Prefix: netip.PrefixFrom(ip("10.0.0.11"), 24), NextHop: ip("10.0.0.11"), NBMA: ip("192.0.2.50")},
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
