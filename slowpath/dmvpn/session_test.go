package dmvpn

import (
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

const peerA, peerB = "198.51.100.1", "203.0.113.1"

// A wanted peer is asked for; with the child all tunnels of the protection are secured, and those that want the peer are told.
func TestSessionComesUp(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	if !r.asked(peerA) || r.state(peerA) != Negotiating || r.logged(LogSocketOpen) != 1 {
		t.Fatalf("wanted: state %v, logs %v", r.state(peerA), r.logs)
	}
	r.event(Wanted{"Tunnel1", at(peerA)})
	if r.asked(peerA) {
		t.Error("asked twice")
	}
	c := r.child(peerA)
	r.event(FromIKE{ike.Install{Child: c}})
	if len(r.sas) != 2 || len(r.secured) != 0 || r.isUp("Tunnel0", peerA) {
		t.Errorf("installed: %d associations, %d secured", len(r.sas), len(r.secured))
	}
	r.event(FromIKE{ike.Activate{Child: c.ID}})
	if len(r.secured) != 2 || !r.isUp("Tunnel0", peerA) || !r.isUp("Tunnel1", peerA) || r.state(peerA) != Up || r.logged(LogSessionUp) != 1 {
		t.Errorf("activated: secured %v, NHRP %v, state %v", r.secured, r.up, r.state(peerA))
	}
	r.event(Released{"Tunnel0", at(peerA)})
	r.wait(10 * time.Minute)
	if r.state(peerA) != Up {
		t.Error("one tunnel let go, and the other's session is down")
	}
	r.event(Released{"Tunnel1", at(peerA)})
	r.wait(releaseAfter / 2)
	if r.state(peerA) != Up {
		t.Error("taken down at once")
	}
	r.take()
	r.wait(releaseAfter)
	if len(r.sas)+len(r.secured) != 0 || len(r.m.Status(r.now).Sessions) != 0 || r.logged(LogSocketClosed) != 1 {
		t.Errorf("released: %v, %v", r.sas, r.secured)
	}
	if ev := r.take(); len(ev) != 1 || ev[0] != (ike.Release{Protection: 7, Remote: port(peerA, 0)}) {
		t.Errorf("IKE was told %v", ev)
	}
	if !r.m.Deadline().IsZero() {
		t.Error("something is due still")
	}
}

// Wanted again before it was taken down: nothing happens to it.
func TestReleasedAndWantedAgain(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	r.connect(peerA)
	r.event(Released{"Tunnel0", at(peerA)}, Wanted{"Tunnel0", at(peerA)})
	r.take()
	r.wait(time.Hour)
	if r.state(peerA) != Up || len(r.take()) != 0 {
		t.Error("the session did not stay")
	}
}

// A failure is followed by other tries, later and later; one that is not wanted any more by none.
func TestRetries(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	var waits []time.Duration
	for range 8 {
		if !r.asked(peerA) {
			t.Fatal("not asked")
		}
		r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 500), Why: ike.WhyTimeout}})
		began := r.now
		for r.now.Sub(began) < 2*retryMax && len(r.toIKE) == 0 {
			r.wait(100 * time.Millisecond)
		}
		waits = append(waits, r.now.Sub(began))
	}
	for i, w := range waits {
		longest := min(retryMax, retryFirst<<min(i, 6)) + 100*time.Millisecond
		if w > longest || w < longest*7/10 {
			t.Errorf("try %d came after %v; want up to %v", i+2, w, longest)
		}
	}
	if s := r.m.Status(r.now).Sessions[0]; s.LastWhy != ike.WhyTimeout || s.Tries != 9 {
		t.Errorf("status %+v", s)
	}
	r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 500), Why: ike.WhyTimeout}}, Released{"Tunnel0", at(peerA)})
	r.take()
	r.wait(time.Hour)
	if len(r.toIKE) != 0 || len(r.m.sessions) != 0 {
		t.Errorf("a peer that nobody wants: %v", r.toIKE)
	}
}

// NHRP that wants a peer again and again that just failed does not make IKE try faster.
func TestWantingDoesNotHurry(t *testing.T) {
	r := newRig(t)
	asked := 0
	for range 600 {
		r.event(Wanted{"Tunnel0", at(peerA)})
		if r.asked(peerA) {
			asked++
			r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 500), Why: ike.WhyTimeout}})
		}
		r.wait(time.Second)
		r.event(Released{"Tunnel0", at(peerA)})
	}
	if asked < 5 || asked > 200 {
		t.Errorf("asked %d times in ten minutes", asked)
	}
}

// IKE that forgets an answer is asked again.
func TestNoAnswer(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	r.take()
	r.wait(answerWithin + time.Second)
	if !r.asked(peerA) {
		t.Error("not asked again")
	}
}

// A child that the peer takes away before it is used is as good as none: IKE is asked again as after any failure, and not only once an answer is overdue.
func TestTakenAwayUnused(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	if !r.asked(peerA) {
		t.Fatal("not asked")
	}
	c := r.child(peerA)
	r.event(FromIKE{ike.Install{Child: c}})
	if r.state(peerA) == Up {
		t.Fatal("up by a child that is not used")
	}
	r.remove(c.ID, ike.WhyPeerDeleted)
	if r.asked(peerA) {
		t.Error("asked again at once")
	}
	r.wait(retryFirst)
	if !r.asked(peerA) {
		t.Errorf("not asked again within %v", retryFirst)
	}
}

// A peer that comes by itself has a session, which stays while NHRP may want it, and as long as the peer uses it.
func TestPassive(t *testing.T) {
	r := newRig(t)
	id := r.connect(peerA)
	if len(r.secured) != 2 || r.state(peerA) != Up || !r.m.Status(r.now).Sessions[0].Passive {
		t.Fatalf("secured %v", r.secured)
	}
	if r.asked(peerA) {
		t.Error("IKE is asked for what it gave")
	}
	r.wait(graceTime - time.Second)
	r.event(Wanted{"Tunnel1", at(peerA)})
	if !r.isUp("Tunnel1", peerA) {
		t.Error("NHRP is not told that the session is there")
	}
	r.wait(time.Hour)
	if r.state(peerA) != Up {
		t.Error("a wanted session went")
	}
	r.event(Released{"Tunnel1", at(peerA)})
	in := r.in(id)
	for range 20 {
		r.event(Heard{in})
		r.wait(10 * time.Second)
	}
	if r.state(peerA) != Up {
		t.Error("a session that the peer uses went")
	}
	r.wait(quietAfter + time.Second)
	if len(r.m.sessions) != 0 {
		t.Error("a session that nobody uses stays")
	}
	r.connect(peerB)
	r.wait(graceTime + time.Second)
	if len(r.m.sessions) != 0 || len(r.sas) != 0 {
		t.Error("a peer that says nothing stays")
	}
}

// in is the inbound association of a child.
func (r *rig) in(id ike.ChildID) fib.SAID {
	for _, sa := range r.m.children[id].sas {
		if sa.Inbound {
			return sa.ID
		}
	}
	return 0
}

// When the last child goes, NHRP is told and the peer is asked for again, not at once in a circle.
func TestDownAndAgain(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	id := r.connect(peerA)
	r.wait(time.Minute)
	r.take()
	r.remove(id, ike.WhyDeadPeer)
	if r.isUp("Tunnel0", peerA) || len(r.secured) != 0 || len(r.sas) != 0 || r.logged(LogSessionDown) != 1 {
		t.Fatalf("still there: %v %v", r.secured, r.sas)
	}
	if r.asked(peerA) {
		t.Error("asked before NHRP could say whether it still wants the peer")
	}
	r.wait(time.Second)
	if !r.asked(peerA) {
		t.Error("not asked again")
	}
	asked := 0
	for range 600 { // a peer that takes every child down at once
		r.remove(r.connect(peerA), ike.WhyPeerDeleted)
		r.wait(time.Second)
		if r.asked(peerA) {
			asked++
		}
	}
	if asked > 150 {
		t.Errorf("asked %d times in ten minutes", asked)
	}
}

// IKE is done and IPsec is not: show dmvpn tells them apart.
func TestStages(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	path := ike.Path{Local: port("192.0.2.1", 500), Remote: port(peerA, 500)}
	r.event(FromIKE{ike.Log{Kind: ike.LogSAUp, SA: 5, Path: path}})
	if s := r.up[want{"Tunnel0", at(peerA)}]; r.state(peerA) != Securing || !s.IPsec || s.Up {
		t.Errorf("state %v, NHRP %+v", r.state(peerA), s)
	}
	r.event(FromIKE{ike.Log{Kind: ike.LogSADown, SA: 4, Path: path}})
	if r.state(peerA) != Securing {
		t.Error("an older IKE SA's end counts")
	}
	r.event(FromIKE{ike.Log{Kind: ike.LogSADown, SA: 5, Path: path}})
	if r.state(peerA) != Negotiating || r.up[want{"Tunnel0", at(peerA)}] != (nhrp.PeerState{Iface: "Tunnel0", NBMA: at(peerA)}) {
		t.Errorf("state %v", r.state(peerA))
	}
}

// `set security-association idle-time`.
func TestIdle(t *testing.T) {
	r := newRig(t)
	c := two()
	c.Protections[0].IdleTime = time.Minute
	r.configure(c)
	id := r.connect(peerA)
	r.event(Wanted{"Tunnel0", at(peerA)})
	for range 10 {
		r.wait(50 * time.Second)
		r.event(Used{r.m.children[id].sas[1].ID})
	}
	if r.state(peerA) != Up {
		t.Fatal("a session in use went")
	}
	r.take()
	r.wait(61 * time.Second)
	if r.isUp("Tunnel0", peerA) || len(r.sas) != 0 {
		t.Error("an idle session stays")
	}
	if ev := r.take(); len(ev) == 0 || ev[0] != (ike.Release{Protection: 7, Remote: port(peerA, 0)}) {
		t.Errorf("IKE was told %v", ev)
	}
}

func TestReset(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)}, Wanted{"Tunnel0", at(peerB)})
	r.connect(peerA)
	r.connect(peerB)
	r.take()
	r.event(Reset{NBMA: ip(peerA)})
	if r.isUp("Tunnel0", peerA) || !r.isUp("Tunnel0", peerB) || len(r.sas) != 2 {
		t.Errorf("NHRP %v, %d associations", r.up, len(r.sas))
	}
	r.wait(time.Second)
	if !r.asked(peerA) {
		t.Error("what was cleared does not begin again")
	}
	r.event(Reset{Iface: "Tunnel9"})
	if !r.isUp("Tunnel0", peerB) {
		t.Error("another tunnel's sessions are cleared")
	}
	r.event(Released{"Tunnel0", at(peerB)}, Reset{})
	if len(r.m.sessions) != 1 {
		t.Error("an unwanted session stays")
	}
}

// What a configuration says of other things leaves sessions alone; what it takes away goes.
func TestConfigure(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)}, Wanted{"Tunnel1", at(peerB)})
	r.connect(peerA)
	r.connect(peerB)
	r.take()
	r.configure(two())
	if len(r.sas) != 4 || len(r.take()) != 0 {
		t.Fatal("the same configuration does something")
	}
	c := two()
	c.Protections[0].Ifaces = []string{"Tunnel0", "Tunnel2"}
	r.configure(c)
	for w := range r.secured {
		if w.iface == "Tunnel1" {
			t.Errorf("a tunnel without protection is sent by: %v", w)
		}
	}
	if len(r.secured) != 4 {
		t.Errorf("secured %v", r.secured)
	}
	r.wait(releaseAfter + time.Second)
	if r.state(peerB) != Closed || r.state(peerA) != Up {
		t.Errorf("states %v %v", r.state(peerA), r.state(peerB))
	}
	r.configure(two()) // NHRP of Tunnel1 has wanted the peer all the time
	if !r.asked(peerB) {
		t.Error("a peer that is wanted is not asked for")
	}
	c = two()
	c.Protections[0].Local = ip("192.0.2.2")
	r.configure(c)
	if len(r.sas)+len(r.secured) != 0 || r.isUp("Tunnel0", peerA) {
		t.Error("associations of another address stay")
	}
	r.configure(Config{})
	if len(r.m.sessions) != 0 || !r.m.Deadline().IsZero() {
		t.Error("sessions without a protection")
	}
	r.event(Wanted{"Tunnel0", at("192.0.2.77")}, Released{"Tunnel0", at("192.0.2.77")})
	if len(r.m.sessions) != 0 {
		t.Error("a session without a protection")
	}
}

// A point-to-point tunnel without NHRP wants its peer always.
func TestAlways(t *testing.T) {
	r := newRig(t)
	c := two()
	c.Protections[1].Always = []Always{{"Tunnel9", ip("203.0.113.9")}}
	r.configure(c)
	if !r.asked("203.0.113.9") {
		t.Fatal("not asked for")
	}
	r.configure(c)
	if len(r.take()) != 0 {
		t.Error("asked for again")
	}
	r.configure(two())
	r.wait(time.Minute)
	if len(r.m.sessions) != 0 {
		t.Error("it is wanted still")
	}
}

// Once it may start, it does.
func TestResponderOnlyNoMore(t *testing.T) {
	r := newRig(t)
	c := two()
	c.Protections[0].ResponderOnly = true
	r.configure(c)
	r.event(Wanted{"Tunnel0", at(peerA)})
	if r.asked(peerA) {
		t.Error("a responder asked")
	}
	c.Protections[0].ResponderOnly = false
	r.configure(c)
	r.wait(time.Second)
	if !r.asked(peerA) {
		t.Error("it does not ask, though it may now")
	}
}

func TestResponderOnly(t *testing.T) {
	r := newRig(t)
	c := two()
	c.Protections[0].ResponderOnly = true
	r.configure(c)
	r.event(Wanted{"Tunnel0", at(peerA)})
	r.wait(time.Hour)
	if len(r.take()) != 0 {
		t.Error("a responder asks")
	}
	r.connect(peerA)
	if !r.isUp("Tunnel0", peerA) {
		t.Error("not up")
	}
}

// A peer with the same name from another address takes the place of its own old session, of nobody else's.
func TestReplaced(t *testing.T) {
	named := func(kind ike.IDKind, value string) func(*ike.Child) {
		return func(c *ike.Child) { c.Peer = ike.Identity{Kind: kind, Value: value} }
	}
	for _, c := range []struct {
		name     string
		old, new func(*ike.Child)
		replaced bool
	}{
		{"same name", named(ike.IDFQDN, "a"), named(ike.IDFQDN, "a"), true},
		{"same subject", named(ike.IDDN, "a"), named(ike.IDDN, "a"), true},
		{"another", named(ike.IDFQDN, "a"), named(ike.IDFQDN, "b"), false},
		{"another kind", named(ike.IDEmail, "a"), named(ike.IDFQDN, "a"), false},
		{"the same private address", named(ike.IDIPv4, "10.0.0.1"), named(ike.IDIPv4, "10.0.0.1"), false},
		{"nobody", named(ike.IDNone, ""), named(ike.IDNone, ""), false},
	} {
		r := newRig(t)
		r.event(Wanted{"Tunnel0", at(peerA)})
		old := r.connect(peerA, c.old)
		r.wait(time.Minute)
		r.take()
		r.connect(peerB, c.new)
		if up := r.isUp("Tunnel0", peerA); up == c.replaced {
			t.Errorf("%s: the old session is up: %v", c.name, up)
		}
		dropped := false
		for _, e := range r.take() {
			dropped = dropped || e == ike.Event(ike.Drop{Child: old})
		}
		if dropped != c.replaced || r.state(peerB) != Up {
			t.Errorf("%s: IKE was told to drop the old child: %v", c.name, dropped)
		}
	}
	r := newRig(t)
	first := r.connect(peerA)
	r.connect(peerA)
	if len(r.sas) != 4 || r.m.children[first] == nil {
		t.Error("a second child of the same address replaces the session")
	}
}

// What has no place is ignored.
func TestStrangers(t *testing.T) {
	r := newRig(t)
	r.event(
		FromIKE{ike.Activate{Child: 99}}, FromIKE{ike.Remove{Child: 99}}, FromIKE{ike.Rehomed{Child: 99}},
		FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 1)}}, FromIKE{ike.Failed{}}, Heard{99}, Used{99}, SoftLimit{SA: 99}, Moved{SA: 99},
		Refused{99}, Released{"Tunnel0", nbma.Address{}}, Reset{}, Tick{}, FromIKE{ike.Log{Kind: ike.LogSADown}},
	)
	if len(r.take()) != 0 || len(r.m.sessions) != 0 {
		t.Error("something came of it")
	}
	r.event(FromIKE{ike.Install{Child: r.child(peerA, func(c *ike.Child) { c.Protection = 5 })}})
	if ev := r.take(); len(ev) != 1 || ev[0] != (ike.Drop{Child: 1}) || len(r.sas) != 0 {
		t.Errorf("a child of no protection: %v", ev)
	}
	if r.m.IdentityOf(99) != "" {
		t.Error("an identity of nobody")
	}
}
