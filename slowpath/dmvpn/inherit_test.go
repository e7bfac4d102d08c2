package dmvpn

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// inherit makes another machine of what the rig's has in the fast path, with the adjacencies that it uses.
func (r *rig) inherit() *rig {
	r.t.Helper()
	next := &rig{t: r.t, m: New(2), now: r.now, sas: r.sas, secured: make(map[want]Way), up: r.up, next: r.next}
	clear(next.up)
	in := Inherited{Sending: make(map[fib.SAID]fib.SAID)}
	for _, id := range slices.Sorted(maps.Keys(r.sas)) {
		sa := r.sas[id]
		sa.KeyLen, sa.CipherKey, sa.AuthKey = uint8(len(sa.CipherKey)), nil, nil
		in.SAs = append(in.SAs, sa)
		next.sas[id] = sa
	}
	for _, w := range r.secured {
		if w.SA != 0 {
			in.Sending[w.SA] = w.AH
		} else {
			in.Sending[w.AH] = w.AH
		}
	}
	next.m.Inherit(in)
	return next
}

func lasting(d time.Duration) func(*ike.Child) {
	return func(c *ike.Child) { c.Lifetime = d }
}

// A session goes on by what it had, IKE is asked for another child, and the old one goes a while after that is there.
func TestInherit(t *testing.T) {
	old := newRig(t)
	old.event(Wanted{"Tunnel0", at(peerA)})
	old.connect(peerA, lasting(time.Hour))
	old.connect(peerB, lasting(time.Hour))
	way := old.secured[want{"Tunnel0", at(peerA)}]
	r := old.inherit()
	r.configure(two())
	if got := r.secured[want{"Tunnel1", at(peerA)}]; got != way {
		t.Fatalf("sealed by %+v, and was by %+v", got, way)
	}
	if r.logged(LogTakenOver) != 2 || !r.m.Outlives(0, ip(peerA)) || r.m.Outlives(0, ip("198.51.100.9")) || r.m.Outlives(1, ip(peerA)) {
		t.Error("whose associations have outlived the process is not known")
	}
	r.event(Wanted{"Tunnel0", at(peerA)})
	if !r.isUp("Tunnel0", peerA) || len(r.take()) != 0 {
		t.Fatal("the session is not up at once, or all ask IKE at once")
	}
	r.wait(2 * time.Second)
	if asked := r.take(); len(asked) != 1 || asked[0].(ike.Initiate).Remote.Addr() != ip(peerA) {
		t.Fatalf("IKE is asked for %+v; peer B is not wanted", asked)
	}
	r.connect(peerA, lasting(time.Hour))
	if got := r.secured[want{"Tunnel0", at(peerA)}]; got.SA == way.SA || !r.isUp("Tunnel0", peerA) || r.logged(LogSessionDown) != 0 {
		t.Fatalf("after the new child sealed by %+v", got)
	}
	if _, ok := r.sas[way.SA]; !ok {
		t.Error("the old association is gone at once: what the peer has on its way is lost")
	}
	r.wait(inheritedGrace)
	if _, ok := r.sas[way.SA]; ok || r.m.Outlives(0, ip(peerA)) {
		t.Error("the old association is still there")
	}
	r.wait(time.Hour)
	if r.m.Outlives(0, ip(peerB)) || len(r.sas) != 2 {
		t.Errorf("the lifetime of what nobody wanted is over: %v", r.sas)
	}
}

// Old associations end with their lifetime, be there another or not; without a known one after an hour.
func TestInheritedLifetime(t *testing.T) {
	for _, c := range []struct{ life, want time.Duration }{{20 * time.Minute, 20 * time.Minute}, {0, inheritedLife}} {
		old := newRig(t)
		old.event(Wanted{"Tunnel0", at(peerA)})
		old.connect(peerA, lasting(c.life))
		r := old.inherit()
		r.configure(two())
		r.event(Wanted{"Tunnel0", at(peerA)})
		for range 20 { // heard again and again, but IKE is refused
			r.wait(c.want/20 - time.Second)
			for id := range r.sas {
				r.event(Heard{id}, Used{id})
			}
			r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 500), Why: ike.WhyAuthentication}})
		}
		if !r.isUp("Tunnel0", peerA) {
			t.Fatalf("lifetime %v: down before its end", c.life)
		}
		r.wait(21 * time.Second)
		if r.isUp("Tunnel0", peerA) || len(r.sas) != 0 || r.state(peerA) == Up {
			t.Errorf("lifetime %v: still up after it", c.life)
		}
		r.take()
		r.wait(2 * time.Minute)
		if !r.asked(peerA) {
			t.Error("the peer is wanted, and IKE is not asked any more")
		}
	}
}

// A peer that answers nothing and sends nothing is dead; one that sends is not.
func TestInheritedDeadPeer(t *testing.T) {
	for _, heard := range []bool{false, true} {
		old := newRig(t)
		old.event(Wanted{"Tunnel0", at(peerA)})
		old.connect(peerA, lasting(time.Hour))
		r := old.inherit()
		r.configure(two())
		r.event(Wanted{"Tunnel0", at(peerA)})
		r.wait(90 * time.Second)
		if heard {
			for id, sa := range r.sas {
				if sa.Inbound {
					r.event(Heard{id})
				}
			}
			if n := len(r.take()); n != 1 {
				t.Errorf("IKE is told %d times", n)
			}
		}
		r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(peerA, 500), Why: ike.WhyTimeout}})
		if r.isUp("Tunnel0", peerA) != heard || (len(r.sas) != 0) != heard {
			t.Errorf("heard %v: up %v, associations %v", heard, r.isUp("Tunnel0", peerA), r.sas)
		}
	}
}

// What no protection is for any more is given up, and its numbers are free after a while.
func TestDisinherit(t *testing.T) {
	old := newRig(t)
	old.connect(peerA)
	old.connect("203.0.113.9", func(c *ike.Child) { c.Protection, c.Path.Local = 8, port("192.0.2.9", 500) })
	r := old.inherit()
	r.m.Configure(r.now, Config{}) // nothing is known yet
	if len(r.sas) != 4 {
		t.Fatal("something was given up too early")
	}
	c := two()
	c.Protections = c.Protections[:1]
	r.do2(r.m.Configure(r.now, c))
	r.do2(r.m.Disinherit(r.now))
	if len(r.sas) != 2 || len(r.m.bySA) != 2 {
		t.Errorf("associations %v", r.sas)
	}
	for _, sa := range r.sas {
		if sa.Protection != 7 {
			t.Errorf("association %+v", sa)
		}
	}
	used := r.m.ids.take(r.now.Add(time.Minute))
	if _, taken := r.sas[used]; taken {
		t.Errorf("number %d is given twice", used)
	}
}

// do2 is do where not all that is installed is known.
func (r *rig) do2(effects []Effect) {
	for _, e := range effects {
		if e, ok := e.(RemoveSA); ok {
			delete(r.sas, e.SA)
		}
	}
}

// All that a child may consist of is found again: AH alone, AH over ESP, tunnel mode, UDP; and what it adds to a packet.
func TestInheritedTransforms(t *testing.T) {
	for _, tr := range []ike.Transform{
		{Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1},
		{Cipher: suite.CipherNull, Auth: suite.HashSHA512, Tunnel: true},
		{AH: suite.HashSHA256},
		{AH: suite.HashMD5, Tunnel: true},
		{AH: suite.HashSHA1, Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA384},
		{AH: suite.HashSHA1, Cipher: suite.Cipher3DES, Auth: suite.HashMD5, Tunnel: true},
		{Cipher: suite.CipherAESGCM, ICV: 8},
		{Cipher: suite.CipherAESGMAC, ICV: 16},
		{Cipher: suite.CipherChaCha20Poly1305},
		{Cipher: suite.CipherAESCTR, Auth: suite.HashSHA256},
		{Cipher: suite.CipherDES, Auth: suite.HashMD5, ESN: true},
	} {
		for _, nat := range []bool{false, true} {
			if nat && tr.AH != suite.HashNone {
				continue
			}
			old := newRig(t)
			for range 3 { // two that wait for their end, and the one in use
				old.connect(peerA, func(c *ike.Child) {
					c.Transform, c.AH, c.Lifetime = tr, c.ESP, time.Hour
					c.AH.InSPI, c.AH.OutSPI = c.AH.InSPI+0x10000, c.AH.OutSPI+0x10000
					if nat {
						behindNAT(20000)(c)
					}
				})
			}
			way := old.secured[want{"Tunnel0", at(peerA)}]
			r := old.inherit()
			r.configure(two())
			if got := r.secured[want{"Tunnel0", at(peerA)}]; got != way {
				t.Errorf("%+v, NAT %v: sealed by\n%+v and was by\n%+v", tr, nat, got, way)
			}
			s := r.m.Status(r.now).Sessions[0]
			if len(s.Children) != 3 || !s.Inherited {
				t.Errorf("%+v: %d children", tr, len(s.Children))
			}
			for _, c := range s.Children {
				if c.Was == nil || c.Was.Transform.Cipher != tr.Cipher && (tr.Cipher != suite.CipherNone) || c.Was.Transform.AH != tr.AH {
					t.Errorf("%+v: said to be %+v", tr, c.Was)
				}
			}
			r.wait(2 * time.Hour)
			if len(r.sas) != 0 || len(r.secured) != 0 {
				t.Errorf("%+v: left over %v", tr, r.sas)
			}
		}
	}
}

// How long a key was is known without it.
func TestInheritedKeyLength(t *testing.T) {
	for _, c := range []struct {
		cipher fib.Cipher
		bytes  uint8
		bits   int
	}{
		{fib.CipherAESCBC, 16, 128}, {fib.CipherAESCBC, 32, 256}, {fib.CipherAESGCM, 20, 128}, {fib.CipherAESGCM, 36, 256}, {fib.CipherAESCTR, 28, 192},
		{fib.CipherAESGMAC, 36, 256}, {fib.CipherAESGCM, 0, 0}, {fib.Cipher3DES, 24, 0}, {fib.CipherChaCha20Poly1305, 36, 0}, {fib.CipherNull, 0, 0},
	} {
		if tr := transformOf([]fib.SA{{Cipher: c.cipher, KeyLen: c.bytes}}); tr.KeyBits != c.bits {
			t.Errorf("cipher %v with %d bytes: %d bits, want %d", c.cipher, c.bytes, tr.KeyBits, c.bits)
		}
	}
}

// A peer behind NAT moves: the old session follows, and IKE is told where to go. Limits have it renewed, and ended.
func TestInheritedMovesAndLimits(t *testing.T) {
	old := newRig(t)
	old.event(Wanted{"Tunnel0", at(peerA)})
	old.connect(peerA, behindNAT(20000), lasting(time.Hour))
	r := old.inherit()
	r.configure(two())
	r.event(Wanted{"Tunnel0", at(peerA)})
	var in, out fib.SAID
	for id, sa := range r.sas {
		if sa.Inbound {
			in = id
		} else {
			out = id
		}
	}
	r.event(Moved{in, port(peerA, 20077)}, Moved{in, port(peerA, 0)})
	if w := r.secured[want{"Tunnel0", at(peerA)}]; w.RemotePort != 20077 || r.sas[out].RemotePort != 20077 || r.logged(LogMoved) != 1 {
		t.Errorf("sealed by %+v, association %+v", w, r.sas[out])
	}
	r.event(SoftLimit{SA: out})
	if asked := r.take(); len(asked) != 1 || asked[0] != (ike.Initiate{Protection: 7, Remote: port(peerA, 20077)}) {
		t.Errorf("at the soft limit IKE is told %+v", asked)
	}
	r.event(SoftLimit{SA: out, Hard: true})
	if len(r.sas) != 0 || r.isUp("Tunnel0", peerA) {
		t.Error("after the hard limit the association is still there")
	}
	for _, e := range r.take() {
		if _, volume := e.(ike.Volume); volume {
			t.Error("IKE is told of a child that it does not have")
		}
	}
}

// A thousand sessions are renewed in a few seconds, and never many at once.
func TestInheritedSpread(t *testing.T) {
	const peers = 1000
	old := newRig(t)
	addr := func(k int) string { return fmt.Sprintf("100.64.%d.%d", k/250, k%250+1) }
	for k := range peers {
		old.connect(addr(k))
	}
	r := old.inherit()
	r.configure(two())
	for k := range peers {
		r.event(Wanted{"Tunnel0", at(addr(k))})
	}
	most, all := 0, 0
	for range 60 {
		r.wait(100 * time.Millisecond)
		n := len(r.take())
		most, all = max(most, n), all+n
	}
	if all != peers || most > peers/15 {
		t.Errorf("%d asked in all, %d within a tenth of a second", all, most)
	}
}

// An operator clears: inherited associations go, too, and sessions that are wanted begin again.
func TestInheritedCleared(t *testing.T) {
	old := newRig(t)
	old.event(Wanted{"Tunnel0", at(peerA)})
	old.connect(peerA)
	old.connect(peerB)
	r := old.inherit()
	r.configure(two())
	r.event(Wanted{"Tunnel0", at(peerA)}, EndInherited{Remote: ip(peerA)})
	if r.isUp("Tunnel0", peerA) || len(r.sas) != 2 {
		t.Errorf("associations %v", r.sas)
	}
	r.wait(2 * time.Second)
	if !r.asked(peerA) {
		t.Error("IKE is not asked")
	}
	r.event(EndInherited{})
	if len(r.sas) != 0 {
		t.Errorf("associations %v", r.sas)
	}
}
