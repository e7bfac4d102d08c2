package iketest

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
)

// WrongKey has B go by another pre-shared key than A: whoever asks is told, B logs why, and after the given time nothing stays.
func WrongKey[E ike.Engine](t *testing.T, v *Version[E], within time.Duration) {
	w := Join(t, v, 5, func(_, b *ike.Config) {
		k := &b.Keyrings[0].Keys[0]
		k.Local, k.Remote = ike.Secret("other"), ike.Secret("other")
	})
	w.A.Initiate()
	w.Run(within)
	if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyAuthentication || !w.B.Logged(ike.LogFailed, ike.WhyAuthentication) {
		t.Errorf("failed %+v; b logs %+v", w.A.Failed, w.B.Logs)
	}
	w.wantNothing("a wrong key")
	w.wantCounted()
}

// DeleteAndDPD has B take down all that there is, which A follows at once; and later stand still, which A notices, for it asks.
func DeleteAndDPD[E ike.Engine](t *testing.T, v *Version[E]) {
	w := Join(t, v, 6, func(a, _ *ike.Config) { v.Keepalive(a, ike.Keepalive{Interval: 10 * time.Second}) })
	w.A.Initiate()
	w.Run(time.Second)
	w.B.Event(ike.Clear{})
	w.Run(time.Second)
	w.wantNothing("a delete")
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	w.Run(5 * time.Minute)
	w.WantUp()
	w.B.Stopped = true
	w.Run(2 * time.Minute)
	if len(w.A.Children) != 0 || !w.A.Logged(ike.LogSADown, ike.WhyDeadPeer) {
		t.Errorf("a dead peer is not noticed: %+v", w.A.Logs)
	}
}

// InitialContact has A start afresh: B forgets the SAs of before, and no others.
func InitialContact[E ike.Engine](t *testing.T, v *Version[E]) {
	w := Join(t, v, 800, nil)
	w.A.Initiate()
	w.Run(time.Second)
	old := w.B.Active
	w.A.Restart(801)
	w.Run(time.Second)
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	if w.B.Removed[old] != ike.WhyInitialContact || w.B.SAs() != 1 {
		t.Errorf("removed %v, %d SAs", w.B.Removed, w.B.SAs())
	}
}

// NAT has A behind it, on a box that starts over: B follows. It returns the wire as it is then.
func NAT[E ike.Engine](t *testing.T, v *Version[E]) *Wire[E] {
	w := Join(t, v, 700, nil)
	w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	cb := w.B.Children[w.B.Active]
	if !cb.Encap || cb.Path.Remote != netip.MustParseAddrPort("198.51.100.7:14500") || cb.Claimed != w.A.Addr {
		t.Errorf("b's child %+v claimed %v", cb.Path, cb.Claimed)
	}
	if ca := w.A.Children[w.A.Active]; !ca.Encap || ca.Path.Local.Port() != 4500 {
		t.Errorf("a's child %+v", ca.Path)
	}
	w.Run(70 * time.Second)
	if w.A.Keepalives != 3 || w.B.Keepalives != 0 {
		t.Errorf("%d keepalives of the side behind NAT, %d of the other", w.A.Keepalives, w.B.Keepalives)
	}
	// The NAT box starts over: a packet that the fast path vouches for comes from another port.
	w.NAT = netip.MustParseAddrPort("198.51.100.7:20000")
	w.B.Event(ike.Moved{Child: w.B.Active, Remote: netip.MustParseAddrPort("198.51.100.7:24500")})
	w.A.Rekey()
	w.Run(time.Second)
	w.WantUp()
	if got := w.B.Children[w.B.Active].Path.Remote.Port(); got != 24500 {
		t.Errorf("b sends to port %d", got)
	}
	return w
}

// Release takes down what leads to the peer, a negotiation under way too. After it they come up again; a change of something else leaves all as it is; and the
// end of the protection ends the SA, on both sides.
func Release[E ike.Engine](t *testing.T, v *Version[E]) {
	w := Join(t, v, 1400, nil)
	w.B.Stopped = true
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Release()
	if w.A.SAs() != 0 || w.A.Env.Admission.InNegotiation != 0 {
		t.Error("the negotiation goes on")
	}
	w.B.Stopped = false
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Release()
	w.Run(time.Second)
	w.wantNothing("a release")

	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	active := w.A.Active
	w.A.Config.NATKeepalive = time.Minute
	w.A.Configure()
	if w.A.Active != active {
		t.Error("an unrelated change took the child away")
	}
	w.A.Config.Protections = nil
	w.A.Configure()
	w.Run(time.Second)
	w.wantNothing("the end of the protection")
}
