package bgp

import (
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/ports"
)

func TestUnicast(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	a.announce(Local{Prefix: pfx("10.1.0.0/16"), Metric: 7, Communities: []uint32{65000<<16 | 5}})
	a.configure(a.base(port, 65000, b))
	b.configure(b.base(port, 65000, a))
	established(t, a, b)
	wait(t, "route", func() bool { _, ok := b.route("", "10.1.0.0/16"); return ok })
	r, _ := b.route("", "10.1.0.0/16")
	if r.NextHop != a.addr || r.Distance != 200 || r.Metric != 7 || r.External || r.Neighbour != a.addr || len(r.Communities) != 1 || len(r.Labels) != 0 {
		t.Errorf("route %+v", r)
	}
	a.announce(Local{Prefix: pfx("10.2.0.0/16"), Origin: OriginIncomplete})
	wait(t, "second route", func() bool { _, ok := b.route("", "10.2.0.0/16"); return ok })
	if err := a.s.Retract(Key{"", pfx("10.1.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "withdrawal", func() bool { _, ok := b.route("", "10.1.0.0/16"); return !ok })
}

func TestExternal(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b, c := newBox(t, 1), newBox(t, 2), newBox(t, 3)
	a.announce(Local{Prefix: pfx("10.1.0.0/16")})
	ca := a.base(port, 65001)
	ca.Neighbours = append(ca.Neighbours, a.to(b, 65002, IPv4Unicast))
	cb := b.base(port, 65002, c)
	cb.Neighbours = append(cb.Neighbours, b.to(a, 65001, IPv4Unicast))
	cb.Neighbours[0].Families[0].NextHopSelf = true
	a.configure(ca)
	b.configure(cb)
	c.configure(c.base(port, 65002, b))
	established(t, a, b, c)
	wait(t, "routes", func() bool {
		_, ok1 := b.route("", "10.1.0.0/16")
		_, ok2 := c.route("", "10.1.0.0/16")
		return ok1 && ok2
	})
	if r, _ := b.route("", "10.1.0.0/16"); r.Distance != 20 || !r.External || r.NextHop != a.addr || len(r.ASPath) != 1 || r.ASPath[0] != 65001 {
		t.Errorf("external %+v", r)
	}
	if r, _ := c.route("", "10.1.0.0/16"); r.Distance != 200 || r.NextHop != b.addr || r.LocalPref != 100 {
		t.Errorf("next-hop-self %+v", r)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	need.That(t, canSign(), "a kernel with TCP MD5 signatures")
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	ca, cb := a.base(port, 65000, b), b.base(port, 65000, a)
	ca.Neighbours[0].Password, cb.Neighbours[0].Password = "right", "wrong"
	a.configure(ca)
	b.configure(cb)
	never(t, "a session with different passwords", 3*time.Second, func() bool { return a.state(b.addr) == Established })
	cb.Neighbours = append([]Neighbour(nil), cb.Neighbours...)
	cb.Neighbours[0].Password = "right"
	b.configure(cb)
	established(t, a, b)
	cb.Neighbours = append([]Neighbour(nil), cb.Neighbours...)
	cb.Neighbours[0].Password = ""
	b.configure(cb)
	wait(t, "the session to end", func() bool { return a.state(b.addr) != Established })
	never(t, "a session without password", 3*time.Second, func() bool { return a.state(b.addr) == Established })
}

func TestUnrelatedChangesKeepSessions(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b, c := newBox(t, 1), newBox(t, 2), newBox(t, 3)
	ca := a.base(port, 65000, b)
	a.configure(ca)
	b.configure(b.base(port, 65000, a))
	c.configure(c.base(port, 65000, a))
	established(t, a, b)
	ca.Neighbours = []Neighbour{a.to(b, 65000, IPv4Unicast), a.to(c, 65000, IPv4Unicast)}
	ca.Neighbours[0].Description = "the other"
	ca.Neighbours[0].Hold = 30 * time.Second
	ca.Neighbours[0].Families[0].MaxPrefixes = 1000
	ca.Neighbours[0].Families[0].SendCommunity = false
	ca.VRFs = []VRF{{Name: "red", RD: mustRD("1:1")}}
	ca.RouteMaps = map[string]RouteMap{"unused": {{}}}
	a.configure(ca)
	established(t, a, c)
	a.configure(a.base(port, 65000, b)) // and c goes
	wait(t, "c to be removed", func() bool { return a.state(c.addr) == 0 && c.state(a.addr) != Established })
	if up, down := a.ups(b.addr); up != 1 || down != 0 {
		t.Errorf("the session with b came up %d times and went down %d times", up, down)
	}
	if up, down := b.ups(a.addr); up != 1 || down != 0 {
		t.Errorf("b saw the session come up %d times and go down %d times", up, down)
	}
}

func TestShutdownAndClear(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	a.announce(Local{Prefix: pfx("10.1.0.0/16")})
	ca := a.base(port, 65000, b)
	a.configure(ca)
	b.configure(b.base(port, 65000, a))
	established(t, a, b)
	wait(t, "route", func() bool { _, ok := b.route("", "10.1.0.0/16"); return ok })
	if err := a.s.Clear(Clear{Neighbour: b.addr}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the session to end", func() bool { _, down := a.ups(b.addr); return down == 1 })
	established(t, a, b)
	ca.Neighbours = []Neighbour{a.to(b, 65000, IPv4Unicast)}
	ca.Neighbours[0].Shutdown = true
	a.configure(ca)
	wait(t, "shutdown", func() bool { return b.state(a.addr) != Established && a.state(b.addr) == Idle })
	wait(t, "the route to go", func() bool { _, ok := b.route("", "10.1.0.0/16"); return !ok })
	never(t, "a session while shut down", 3*time.Second, func() bool { return b.state(a.addr) == Established })
	ca.Neighbours[0].Shutdown = false
	a.configure(ca)
	established(t, a, b)
	wait(t, "the route again", func() bool { _, ok := b.route("", "10.1.0.0/16"); return ok })
}
