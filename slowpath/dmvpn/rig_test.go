package dmvpn

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func at(s string) nbma.Address { return nbma.Of(ip(s)) }

func port(s string, p uint16) netip.AddrPort { return netip.AddrPortFrom(ip(s), p) }

// rig is a machine, and what it has said in effect.
type rig struct {
	t       testing.TB
	m       *Machine
	now     time.Time
	sas     map[fib.SAID]fib.SA
	secured map[want]Way
	up      map[want]nhrp.PeerState
	toIKE   []ike.Event
	logs    []Log
	next    ike.ChildID
	moved   []nhrp.PeerMoved
}

// two is a protection with two tunnels, and one with a tunnel to a single peer without NHRP.
func two() Config {
	return Config{Protections: []Protection{
		{ID: 7, Profile: "vpn", Shared: true, Ifaces: []string{"Tunnel1", "Tunnel0"}, Local: ip("192.0.2.1")},
		{ID: 8, Profile: "p2p", Ifaces: []string{"Tunnel9"}, Local: ip("192.0.2.9"), Remote: ip("203.0.113.9")},
	}}
}

func newRig(t testing.TB) *rig {
	r := &rig{
		t: t, m: New(1), now: start, sas: make(map[fib.SAID]fib.SA), secured: make(map[want]Way), up: make(map[want]nhrp.PeerState),
	}
	r.configure(two())
	return r
}

func (r *rig) configure(c Config) { r.do(r.m.Configure(r.now, c)) }

func (r *rig) event(evs ...Event) {
	r.t.Helper()
	for _, ev := range evs {
		r.do(r.m.Handle(r.now, ev))
	}
}

// do carries effects out, and checks what must hold in every step.
func (r *rig) do(effects []Effect) {
	r.t.Helper()
	for _, e := range effects {
		switch e := e.(type) {
		case InstallSA:
			if old, ok := r.sas[e.SA.ID]; ok && (old.SPI != e.SA.SPI || !bytes.Equal(old.CipherKey, e.SA.CipherKey)) {
				r.t.Errorf("association %d is installed over another", e.SA.ID)
			}
			r.sas[e.SA.ID] = e.SA
		case RemoveSA:
			if _, ok := r.sas[e.SA]; !ok {
				r.t.Errorf("association %d is removed and was not there", e.SA)
			}
			delete(r.sas, e.SA)
		case Secure:
			r.secured[want{e.Iface, e.NBMA}] = e.Way
		case Unsecure:
			delete(r.secured, want{e.Iface, e.NBMA})
		case ToIKE:
			r.toIKE = append(r.toIKE, e.Event)
		case ToNHRP:
			if moved, ok := e.Event.(nhrp.PeerMoved); ok {
				r.moved = append(r.moved, moved)
				continue
			}
			state := e.Event.(nhrp.PeerState)
			w := want{state.Iface, state.NBMA}
			if _, ok := r.secured[w]; state.Up && !ok {
				r.t.Errorf("NHRP is told that %v is up, and it is not secured", w)
			}
			r.up[w] = state
		case Log:
			r.logs = append(r.logs, e)
		}
	}
	for w, way := range r.secured {
		for _, id := range []fib.SAID{way.SA, way.AH} {
			if sa, ok := r.sas[id]; id != 0 && (!ok || sa.Inbound) {
				r.t.Errorf("%v is sent by association %d, which is not there", w, id)
			}
		}
		if way.SA == 0 && way.AH == 0 {
			r.t.Errorf("%v is sent in clear", w)
		}
	}
	if len(r.sas) != len(r.m.bySA)+len(r.m.inherited.SAs) {
		r.t.Errorf("%d associations are installed, and %d known", len(r.sas), len(r.m.bySA))
	}
}

// wait lets time pass, with the ticks that are due.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	for end := r.now.Add(d); ; {
		at := r.m.Deadline()
		if at.IsZero() || at.After(end) {
			r.now = end
			return
		}
		if at.After(r.now) {
			r.now = at
		}
		r.event(Tick{})
	}
}

// take returns what IKE was told since the last call.
func (r *rig) take() []ike.Event {
	out := r.toIKE
	r.toIKE = nil
	return out
}

func (r *rig) asked(addr string) bool {
	return slices.ContainsFunc(r.take(), func(e ike.Event) bool {
		i, ok := e.(ike.Initiate)
		return ok && i.Remote.Addr() == ip(addr)
	})
}

func (r *rig) logged(k LogKind) (n int) {
	for _, l := range r.logs {
		if l.Kind == k {
			n++
		}
	}
	return n
}

// child is a child as IKE makes it.
func (r *rig) child(remote string, change ...func(*ike.Child)) ike.Child {
	r.next++
	key := func(b byte, n int) ike.Secret { return bytes.Repeat([]byte{b}, n) }
	c := ike.Child{
		ID: r.next, SA: 1, Protection: 7, Path: ike.Path{Local: port("192.0.2.1", 500), Remote: port(remote, 500)}, Window: 64,
		Transform: ike.Transform{Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1},
		ESP: ike.Pair{
			InSPI: 0x1000 + uint32(r.next), OutSPI: 0x2000 + uint32(r.next),
			In: ike.Keys{Cipher: key(1, 16), Auth: key(2, 20)}, Out: ike.Keys{Cipher: key(3, 16), Auth: key(4, 20)},
		},
		Peer: ike.Identity{Kind: ike.IDFQDN, Value: "spoke-" + remote}, Created: r.now,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

// connect installs and activates a child.
func (r *rig) connect(remote string, change ...func(*ike.Child)) ike.ChildID {
	r.t.Helper()
	c := r.child(remote, change...)
	r.event(FromIKE{ike.Install{Child: c}}, FromIKE{ike.Activate{Child: c.ID}})
	return c.ID
}

func (r *rig) remove(id ike.ChildID, why ike.Why) {
	r.t.Helper()
	r.event(FromIKE{ike.Remove{Child: id, Why: why}})
}

func (r *rig) isUp(iface, addr string) bool { return r.up[want{iface, at(addr)}].Up }

func (r *rig) state(nbma string) State {
	for _, s := range r.m.Status(r.now).Sessions {
		if s.Peer == ip(nbma) {
			return s.State
		}
	}
	return Closed
}
