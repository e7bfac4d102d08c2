package dmvpn

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// A thousand peers behind one address come, fall silent all at once, as when their NAT box restarts, and come again from other ports: each has its session, under the name that it had, and
// nothing is left of the ports that they had.
func TestThousandBehindOneAddress(t *testing.T) {
	const peers = 1000
	r := newRig(t)
	event := func(e Event) { r.m.Handle(r.now, e) } // the rig's checks look at everything each time
	inside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	come := func(i, life int) ike.ChildID {
		id := ike.SAID(1 + i + life*peers)
		at := port(natA, uint16(1024+i+life*peers))
		event(FromIKE{ike.Log{Kind: ike.LogSAUp, SA: id, Path: ike.Path{Local: port("192.0.2.1", portNATT), Remote: at}}})
		c := r.child(natA, seen(at.Port(), id, ""))
		c.Claimed, c.Peer = inside(i), ike.Identity{Kind: ike.IDIPv4, Value: inside(i).String()}
		event(FromIKE{ike.Install{Child: c}})
		event(FromIKE{ike.Activate{Child: c.ID}})
		return c.ID
	}
	begun := time.Now()
	first := make([]ike.ChildID, peers)
	for i := range peers {
		first[i] = come(i, 0)
		event(Wanted{"Tunnel0", nbma.Behind(ip(natA), inside(i))})
	}
	r.now = r.now.Add(time.Minute)
	for i, id := range first {
		event(FromIKE{ike.Remove{Child: id, Why: ike.WhyDeadPeer}})
		event(FromIKE{ike.Log{Kind: ike.LogSADown, SA: ike.SAID(1 + i), Path: ike.Path{Local: port("192.0.2.1", portNATT), Remote: port(natA, uint16(1024+i))}}})
	}
	r.take()
	for range 600 {
		r.now = r.now.Add(time.Second)
		for _, e := range r.m.Handle(r.now, Tick{}) {
			if to, ok := e.(ToIKE); ok {
				r.toIKE = append(r.toIKE, to.Event)
			}
		}
	}
	calls := 0
	for _, e := range r.take() {
		if _, ok := e.(ike.Initiate); ok {
			calls++
		}
	}
	for i := range peers {
		come(i, 1)
	}
	if took := time.Since(begun); took > 30*time.Second { // a third of a second on a quiet machine
		t.Errorf("it took %v", took)
	}
	if calls > 6*peers {
		t.Errorf("%d calls in ten minutes", calls)
	}
	names := make(map[netip.Addr]bool)
	for _, s := range r.m.Status(r.now).Sessions {
		if names[s.Inside] = true; s.State != Up || len(s.Children) != 1 || s.Peer != ip(natA) {
			t.Fatalf("%+v", s)
		}
	}
	if len(names) != peers || len(r.m.places) != 1 || len(r.m.ikeSAs.at) != peers {
		t.Errorf("%d names, %d places, %d IKE SAs", len(names), len(r.m.places), len(r.m.ikeSAs.at))
	}
}
