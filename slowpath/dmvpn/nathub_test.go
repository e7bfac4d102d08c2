package dmvpn

import (
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// hubsNowhere is two, on hardware that can be no hub behind NAT, nor a spoke of one: of servers, or a hub where there are none.
func hubsNowhere(servers ...string) Config {
	c := two()
	p := &c.Protections[0]
	p.NoHubBehindNAT, p.Hub = true, len(servers) == 0
	for _, s := range servers {
		p.Servers = append(p.Servers, ip(s))
	}
	return c
}

// natted says which side of a child is behind NAT.
func natted(self, peer bool) func(*ike.Child) {
	return func(c *ike.Child) {
		behindNAT(4500)(c)
		c.NAT = ike.NAT{Self: self, Peer: peer}
	}
}

// only is the one session that there is.
func (r *rig) only() SessionStatus {
	r.t.Helper()
	list := r.m.Status(r.now).Sessions
	if len(list) != 1 {
		r.t.Fatalf("%d sessions: %+v", len(list), list)
	}
	return list[0]
}

// Which side may be behind NAT depends on who is whose hub.
func TestNATHubRoles(t *testing.T) {
	const elsewhere = "198.51.100.77"
	for name, c := range map[string]struct {
		config     Config
		self, peer bool
		refused    bool
	}{
		"hub behind NAT":                        {hubsNowhere(), true, false, true},
		"hub and spoke behind NAT":              {hubsNowhere(), true, true, true},
		"spoke of a hub behind NAT":             {hubsNowhere(), false, true, false},
		"no NAT":                                {hubsNowhere(), false, false, false},
		"hub of a spoke behind NAT":             {hubsNowhere(peerA), false, true, true},
		"both behind NAT, seen by the spoke":    {hubsNowhere(peerA), true, true, true},
		"spoke behind NAT":                      {hubsNowhere(peerA), true, false, false},
		"spokes, both behind NAT":               {hubsNowhere(elsewhere), true, true, false},
		"hub behind NAT, on hardware that can":  {two(), true, false, false},
		"all behind NAT, on hardware that can":  {two(), true, true, false},
		"hub of several, one of them behind it": {hubsNowhere(elsewhere, peerA), false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.configure(c.config)
			id := r.connect(peerA, natted(c.self, c.peer))
			s := r.only()
			if c.refused != (s.State != Up) || c.refused != s.Barred || c.refused != (len(r.sas) == 0) || c.refused != (r.logged(LogNATHub) == 1) {
				t.Errorf("%+v, %d associations, logged %+v", s, len(r.sas), r.logs)
			}
			if dropped := slices.Contains(r.take(), ike.Event(ike.Drop{Child: id})); dropped != c.refused {
				t.Errorf("dropped: %v", dropped)
			}
			if c.refused && (s.LastWhy != ike.WhyNATHub || s.BarredSelf != c.config.Protections[0].Hub || s.Identity.Kind == ike.IDNone) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A point-to-point tunnel that is no DMVPN's has neither hubs nor servers.
func TestNATHubOfOtherTunnels(t *testing.T) {
	r := newRig(t)
	c := two()
	c.Protections[1].NoHubBehindNAT = true
	r.configure(c)
	r.connect("203.0.113.9", func(k *ike.Child) { k.Protection = 8 }, natted(true, true))
	if s := r.only(); s.State != Up || s.Barred {
		t.Errorf("%+v", s)
	}
}

// What is wanted and refused is tried again more and more slowly, with one line in the log, and at once when the hardware is another.
func TestNATHubBacksOff(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere(peerA))
	w := Wanted{"Tunnel0", at(peerA)}
	r.event(w)
	tries := 0
	for end := r.now.Add(10 * time.Minute); r.now.Before(end); r.wait(time.Second) {
		for r.asked(peerA) {
			tries++
			r.connect(peerA, natted(false, true), func(k *ike.Child) { k.Initiator = true })
		}
		if r.isUp("Tunnel0", peerA) || len(r.sas) > 0 {
			t.Fatalf("up at %v", r.now.Sub(start))
		}
	}
	if s := r.only(); tries < 8 || tries > 20 || s.NextTry.IsZero() || s.Tries != tries {
		t.Errorf("asked %d times in ten minutes; %+v", tries, s)
	}
	if n := r.logged(LogNATHub); n != 1 {
		t.Errorf("%d lines in ten minutes", n)
	}
	// NHRP gives it up for a while: that does not make it begin anew.
	r.event(Released(w))
	r.wait(graceTime)
	if len(r.m.sessions) != 0 || len(r.m.lately) != 1 {
		t.Errorf("%+v, %+v", r.m.Status(r.now).Sessions, r.m.lately)
	}
	r.event(w)
	r.wait(time.Second)
	if r.asked(peerA) || !r.only().Barred {
		t.Errorf("forgotten: %+v", r.only())
	}
	r.configure(hubsNowhere(peerA))
	if r.asked(peerA) {
		t.Error("asked again for nothing new")
	}
	r.configure(two())
	r.wait(0)
	if !r.asked(peerA) {
		t.Fatalf("not asked at once when it may be: %+v", r.only())
	}
	r.connect(peerA, natted(false, true), func(k *ike.Child) { k.Initiator = true })
	if !r.isUp("Tunnel0", peerA) || r.only().Barred {
		t.Errorf("%+v", r.only())
	}
	// And the other way round: what is up is taken down, and told anew.
	r.take()
	r.configure(hubsNowhere(peerA))
	if r.isUp("Tunnel0", peerA) || len(r.sas)+len(r.secured) != 0 || r.logged(LogNATHub) != 2 || r.only().LastWhy != ike.WhyNATHub {
		t.Errorf("%+v, %+v", r.only(), r.logs)
	}
	released := slices.ContainsFunc(r.take(), func(e ike.Event) bool { v, ok := e.(ike.Release); return ok && v.Remote.Addr() == ip(peerA) })
	if !released {
		t.Error("IKE keeps it")
	}
}

// A hub is called by many peers: the log has one line, and each that calls says for a while why it is not let in.
func TestNATHubIsCalled(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere())
	peers := []string{peerA, peerB, "198.51.100.2"}
	for range 5 {
		for _, p := range peers {
			r.connect(p, natted(true, false))
		}
		r.wait(time.Minute)
	}
	if st := r.m.Status(r.now); len(st.Sessions) != len(peers) || st.SAs != 0 || r.logged(LogNATHub) != 1 {
		t.Errorf("%+v, %+v", st.Sessions, r.logs)
	}
	for _, l := range r.logs {
		if l.Kind == LogNATHub && (!l.Self || l.Peer.Addr() != ip(peerA)) {
			t.Errorf("%+v", l)
		}
	}
	if slices.ContainsFunc(r.take(), func(e ike.Event) bool { _, ok := e.(ike.Initiate); return ok }) {
		t.Error("peers that nobody wants are called")
	}
	r.wait(3 * time.Minute)
	if len(r.m.sessions)+len(r.m.timers) != 0 {
		t.Errorf("left over: %+v", r.m.Status(r.now).Sessions)
	}
	r.connect(peerA, natted(true, false))
	r.wait(10 * time.Minute)
	r.connect(peerA, natted(true, false))
	if n := r.logged(LogNATHub); n != 2 {
		t.Errorf("%d lines in a quarter of an hour", n)
	}
}

// One of several hubs is behind NAT: nobody else is disturbed.
func TestNATHubDisturbsNobody(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere(peerA, peerB))
	for _, p := range []string{peerA, peerB, "198.51.100.2"} {
		r.event(Wanted{"Tunnel0", at(p)})
	}
	good := r.connect(peerB, natted(true, false))
	r.connect("198.51.100.2", natted(true, true))
	way := r.secured[want{"Tunnel0", at(peerB)}]
	r.connect(peerA, natted(false, true))
	if r.isUp("Tunnel0", peerA) || !r.isUp("Tunnel0", peerB) || !r.isUp("Tunnel0", "198.51.100.2") || r.secured[want{"Tunnel0", at(peerB)}] != way || r.m.children[good] == nil {
		t.Errorf("%+v", r.m.Status(r.now).Sessions)
	}
}

// A box gets between while a session is up: with the next rekey the session ends, old children and all.
func TestNATHubAtRekey(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere(peerA))
	r.event(Wanted{"Tunnel0", at(peerA)})
	first := r.connect(peerA)
	r.wait(time.Minute)
	r.connect(peerA, natted(false, true), func(k *ike.Child) { k.Replaces = first })
	if s := r.only(); s.State == Up || !s.Barred || len(r.sas) != 0 || r.logged(LogSessionDown) != 1 {
		t.Errorf("%+v, %+v", s, r.logs)
	}
}

// The spoke of a hub may be the hub of others, which shows when they register.
func TestNATHubOfClients(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere(peerA))
	w := want{"Tunnel0", nbma.Of(ip(peerB))}
	r.connect(peerB, natted(true, false))
	r.event(Wanted{w.iface, w.at})
	r.connect(peerA, natted(true, false))
	if !r.up[w].Up {
		t.Fatalf("%+v", r.m.Status(r.now).Sessions)
	}
	r.event(Client{"Tunnel0", ip(peerB)}, Client{"Tunnel7", ip(peerA)})
	if r.up[w].Up || r.state(peerA) != Up {
		t.Errorf("%+v", r.m.Status(r.now).Sessions)
	}
	r.connect(peerB, natted(true, false))
	if r.up[w].Up || r.state(peerB) == Up {
		t.Errorf("it is let in again: %+v", r.m.Status(r.now).Sessions)
	}
}

// What is inherited does not tell of NAT; the child that takes its place does.
func TestNATHubAfterTakeover(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	r.connect(peerA, natted(false, true))
	r = r.inherit()
	r.configure(hubsNowhere(peerA))
	r.event(Wanted{"Tunnel0", at(peerA)})
	if !r.isUp("Tunnel0", peerA) {
		t.Fatalf("%+v", r.m.Status(r.now).Sessions)
	}
	r.next = 100
	r.connect(peerA, natted(false, true), func(k *ike.Child) { k.Initiator = true })
	if r.isUp("Tunnel0", peerA) || len(r.sas)+len(r.secured) != 0 {
		t.Errorf("%+v", r.m.Status(r.now).Sessions)
	}
}

// Who has proved to be somebody else does not end the session of a hub by coming from its address through NAT.
func TestNATHubAndRival(t *testing.T) {
	r := newRig(t)
	r.configure(hubsNowhere(peerA))
	r.event(Wanted{"Tunnel0", at(peerA)})
	r.connect(peerA)
	r.connect(peerA, natted(false, true), func(k *ike.Child) { k.Peer.Value, k.SA = "rival", 9 })
	if !r.isUp("Tunnel0", peerA) || r.logged(LogNATHub) != 0 {
		t.Errorf("%+v", r.only())
	}
}
