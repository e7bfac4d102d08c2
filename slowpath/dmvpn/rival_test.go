package dmvpn

import (
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

// Two peers of these tests: what each has behind NAT, and where it is seen.
const (
	rivalInside = "10.0.0.2"
	natA, natB  = "198.51.100.1", "203.0.113.5"
)

func rivalAt(outside string) nbma.Address { return nbma.Behind(ip(outside), ip(rivalInside)) }

// seen is a child of a peer behind NAT, of an IKE SA of its own.
func seen(p uint16, sa ike.SAID, id string) func(*ike.Child) {
	return func(c *ike.Child) {
		c.Encap, c.SA, c.Claimed, c.Peer = true, sa, ip(rivalInside), ike.Identity{Kind: ike.IDFQDN, Value: id}
		c.Path.Local = netip.AddrPortFrom(c.Path.Local.Addr(), portNATT)
		c.Path.Remote = netip.AddrPortFrom(c.Path.Remote.Addr(), p)
	}
}

// inbound is the inbound association of a child.
func (r *rig) inbound(id ike.ChildID) fib.SAID {
	for said, c := range r.m.bySA {
		if c.id == id && r.sas[said].Inbound {
			return said
		}
	}
	r.t.Fatalf("child %d has no inbound association", id)
	return 0
}

// sendsTo is the port that packets to a name go to.
func (r *rig) sendsTo(at nbma.Address) uint16 { return r.secured[want{"Tunnel0", at}].RemotePort }

func (r *rig) dropped(id ike.ChildID) (yes bool) {
	for _, e := range r.take() {
		yes = yes || e == ike.Event(ike.Drop{Child: id})
	}
	return yes
}

// Who has proved to be somebody else gets nothing of a session by calling itself as its peer does, from the same public address: it is not let in while the peer lives.
func TestRivalIsNotLetIn(t *testing.T) {
	r := newRig(t)
	victim := r.connect(natA, seen(1024, 1, "victim"))
	r.event(Wanted{"Tunnel0", rivalAt(natA)})
	for range 10 {
		r.wait(50 * time.Second)
		r.event(Heard{r.inbound(victim)})
		rival := r.connect(natA, seen(7777, 2, "rival"))
		if !r.dropped(rival) || r.m.children[rival] != nil {
			t.Fatal("the rival is let in")
		}
		if p := r.sendsTo(rivalAt(natA)); p != 1024 {
			t.Fatalf("packets to the victim go to port %d", p)
		}
	}
	if r.logged(LogTwin) != 10 || r.logged(LogSessionDown) != 0 {
		t.Errorf("%+v", r.logs)
	}
	l := r.logs[len(r.logs)-1]
	if l.Kind != LogTwin || l.Peer != port(natA, 7777) || l.Was != port(natA, 1024) || l.Inside != ip(rivalInside) || l.Identity.Value != "rival" {
		t.Errorf("%+v", l)
	}
	if len(r.sas) != 2 {
		t.Errorf("%d associations", len(r.sas))
	}
}

// A peer that has not been heard of for a minute has left its place to whoever comes. NHRP hears that the session ended, and whose it is now.
func TestRivalAfterSilence(t *testing.T) {
	r := newRig(t)
	old := r.connect(natA, seen(1024, 1, "old"))
	w := want{"Tunnel0", rivalAt(natA)}
	r.event(Wanted{w.iface, w.at}, Heard{r.inbound(old)})
	if r.up[w] != (nhrp.PeerState{Iface: w.iface, NBMA: w.at, Up: true, Identity: "old"}) {
		t.Errorf("%+v", r.up[w])
	}
	r.wait(2 * time.Minute)
	c := r.child(natA, seen(7777, 2, "new"))
	r.event(FromIKE{ike.Install{Child: c}})
	if r.up[w].Up || !r.dropped(old) {
		t.Errorf("the old session has not ended: %+v", r.up[w])
	}
	r.event(FromIKE{ike.Activate{Child: c.ID}})
	if r.up[w] != (nhrp.PeerState{Iface: w.iface, NBMA: w.at, Up: true, Identity: "new"}) || r.sendsTo(w.at) != 7777 {
		t.Errorf("%+v, sent to port %d", r.up[w], r.sendsTo(w.at))
	}
	if r.logged(LogReplaced) != 1 || r.logged(LogTwin) != 0 {
		t.Errorf("%+v", r.logs)
	}
	for _, l := range r.logs {
		if l.Kind == LogReplaced && (l.Was != port(natA, 1024) || l.Peer != port(natA, 7777)) {
			t.Errorf("%+v", l)
		}
	}
}

// The same peer begins anew from another port: it is let in at once.
func TestRestartIsNoRival(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", rivalAt(natA)})
	old := r.connect(natA, seen(1024, 1, "peer"))
	r.event(Heard{r.inbound(old)})
	r.wait(time.Second)
	r.connect(natA, seen(1025, 2, "peer"))
	if r.sendsTo(rivalAt(natA)) != 1025 || r.logged(LogTwin) != 0 || r.logged(LogSessionDown) != 0 {
		t.Errorf("sent to port %d, %+v", r.sendsTo(rivalAt(natA)), r.logs)
	}
	r.wait(5 * time.Second)
	r.event(Heard{r.inbound(old)}) // a late packet
	if r.logged(LogTwin) != 0 {
		t.Error("a late packet makes a twin")
	}
}

// Two peers with the same identity and address behind the same NAT box can't be told from one that has begun anew: the newer one has the session. That both live is logged, now and then.
func TestTwins(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", rivalAt(natA)})
	one := r.connect(natA, seen(1024, 1, "10.0.0.2"))
	r.wait(time.Second)
	two := r.connect(natA, seen(1025, 2, "10.0.0.2"))
	for range 60 {
		r.wait(time.Minute)
		r.event(Heard{r.inbound(one)}, Heard{r.inbound(two)})
	}
	if n := r.logged(LogTwin); n < 2 || n > 7 {
		t.Errorf("logged %d times in an hour", n)
	}
	if r.sendsTo(rivalAt(natA)) != 1025 || r.logged(LogSessionDown) != 0 || r.logged(LogSessionUp) != 1 {
		t.Errorf("they fight: %+v", r.logs)
	}
}

// A peer that moves, or pretends to, to where another one is that calls itself the same does not get that one's name: not NHRP's word, nor its packets.
func TestMovedToAnother(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", rivalAt(natA)})
	victim := r.connect(natA, seen(1024, 1, "victim"))
	mover := r.connect(natB, seen(4500, 2, "mover"))
	r.event(Heard{r.inbound(victim)})
	r.event(FromIKE{ike.Rehomed{Child: mover, Path: ike.Path{Local: port("192.0.2.1", portNATT), Remote: port(natA, 7777)}}})
	if got, ok := r.m.PeerBy(r.inbound(mover), "Tunnel0"); !ok || got != rivalAt(natB) {
		t.Errorf("NHRP takes the mover for %v", got)
	}
	if got, ok := r.m.PeerBy(r.inbound(victim), "Tunnel0"); !ok || got != rivalAt(natA) {
		t.Errorf("NHRP takes the victim for %v", got)
	}
	more := r.connect(natA, seen(7777, 2, "mover")) // one more child of the same IKE SA
	if c := r.m.children[more]; c != nil && c.session == r.m.children[victim].session || r.sendsTo(rivalAt(natA)) != 1024 {
		t.Errorf("the mover has the victim's session: sent to port %d", r.sendsTo(rivalAt(natA)))
	}
	if len(r.moved) != 0 {
		t.Errorf("%+v", r.moved)
	}
}

// Somebody behind the public address of a hub that is away does not become the hub by calling.
func TestRivalOfAnAbsentServer(t *testing.T) {
	r := newRig(t)
	hub := want{"Tunnel0", nbma.Of(ip(natA))}
	r.event(Wanted{hub.iface, hub.at})
	id := r.connect(natA, func(c *ike.Child) { c.Initiator, c.Peer = true, ike.Identity{Kind: ike.IDFQDN, Value: "hub"} })
	r.wait(time.Minute)
	r.remove(id, ike.WhyDeadPeer)
	r.connect(natA, seen(7777, 2, "rival"))
	if r.up[hub].Up || r.secured[hub] != (Way{}) {
		t.Errorf("the rival is the hub: %+v, sent by %+v", r.up[hub], r.secured[hub])
	}
	r.connect(natA, func(c *ike.Child) {
		seen(4500, 3, "hub")(c) // behind static NAT
		c.Claimed = ip("10.0.0.3")
	})
	if !r.up[hub].Up || r.sendsTo(hub.at) != 4500 {
		t.Errorf("the hub is not back: %+v", r.up[hub])
	}
}

// Who the peer of a session is that goes on from the process before is known once it is renewed, and NHRP hears it.
func TestInheritedIdentity(t *testing.T) {
	r := newRig(t)
	w := want{"Tunnel0", rivalAt(natA)}
	r.connect(natA, seen(1024, 1, "victim"))
	r.event(Wanted{w.iface, w.at})
	r = r.inherit()
	r.configure(two())
	r.event(Wanted{w.iface, w.at})
	if r.up[w] != (nhrp.PeerState{Iface: w.iface, NBMA: w.at, Up: true}) {
		t.Fatalf("%+v", r.up[w])
	}
	r.connect(natA, seen(1024, 1, "victim"))
	if r.up[w].Identity != "victim" || r.logged(LogSessionDown) != 0 {
		t.Errorf("%+v", r.up[w])
	}
}

// A path is not opened to a peer that there is a session with, by a name that NHRP did not know when it began.
func TestOpenToSomebodyThere(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", nbma.Of(ip(natA))})
	r.connect(natA, seen(4500, 1, "peer"))
	r.take()
	r.event(Open{Iface: "Tunnel0", NBMA: rivalAt(natA), Endpoint: port(natA, 4500), Calls: true}, Wanted{"Tunnel0", rivalAt(natA)})
	r.wait(time.Second)
	if got := r.take(); len(got) != 0 || len(r.m.Status(r.now).Sessions) != 1 {
		t.Errorf("IKE is told %+v, sessions %+v", got, r.m.Status(r.now).Sessions)
	}
}
