package dmvpn

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// Rekeys without end: there is an association to send by at all times, and never more than two children.
func TestRekeys(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	old := r.connect(peerA)
	seen := make(map[fib.SAID]int)
	for range 500 {
		c := r.child(peerA, func(c *ike.Child) { c.Replaces = old })
		r.event(FromIKE{ike.Install{Child: c}})
		if way := r.secured[want{"Tunnel0", at(peerA)}]; r.sas[way.SA].SPI != 0x2000+uint32(old) {
			t.Fatalf("sent by %+v before the new one is active", r.sas[way.SA])
		}
		r.event(FromIKE{ike.Activate{Child: c.ID}})
		if way := r.secured[want{"Tunnel0", at(peerA)}]; r.sas[way.SA].SPI != c.ESP.OutSPI {
			t.Fatalf("sent by %+v", r.sas[way.SA])
		}
		r.wait(30 * time.Second)
		r.remove(old, ike.WhyReplaced)
		r.wait(30 * time.Second)
		if len(r.sas) != 2 || !r.isUp("Tunnel0", peerA) {
			t.Fatalf("%d associations", len(r.sas))
		}
		for id := range r.sas {
			seen[id]++
		}
		old = c.ID
	}
	if len(seen) > 16 {
		t.Errorf("%d numbers were used for 4 associations", len(seen))
	}
	if r.logged(LogSessionUp) != 1 || r.logged(LogSessionDown) != 0 {
		t.Error("a rekey is told as an end")
	}
}

// When the active child goes and another is there, the session stays up by it.
func TestFallBack(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	first := r.connect(peerA)
	second := r.connect(peerA)
	r.remove(second, ike.WhyPeerDeleted)
	if way := r.secured[want{"Tunnel0", at(peerA)}]; r.sas[way.SA].SPI != 0x2000+uint32(first) || !r.isUp("Tunnel0", peerA) {
		t.Errorf("sent by %+v", r.sas[way.SA])
	}
	third := r.child(peerA)
	r.event(FromIKE{ike.Install{Child: third}})
	r.remove(first, ike.WhyPeerDeleted)
	if way := r.secured[want{"Tunnel1", at(peerA)}]; r.sas[way.SA].SPI != third.ESP.OutSPI {
		t.Errorf("sent by %+v", r.sas[way.SA])
	}
}

// Both sides make a child at once, and IKE changes its mind about which stays: whichever came first, there is one to send by, and it is the one that IKE says.
func TestTwoAtOnce(t *testing.T) {
	for _, theirsFirst := range []bool{true, false} {
		for _, theirsStays := range []bool{true, false} {
			r := newRig(t)
			r.event(Wanted{"Tunnel0", at(peerA)})
			ours := r.child(peerA, func(c *ike.Child) { c.Initiator, c.SA = true, 1 })
			theirs := r.child(peerA, func(c *ike.Child) { c.SA = 2 })
			first, second := &ours, &theirs
			if theirsFirst {
				first, second = second, first
			}
			second.Replaces = first.ID // as a responder takes it that has one already
			stays, goes := &ours, &theirs
			if theirsStays {
				stays, goes = goes, stays
			}
			sends := func(by *ike.Child, when string) {
				t.Helper()
				if way := r.secured[want{"Tunnel0", at(peerA)}]; r.sas[way.SA].SPI != by.ESP.OutSPI || !r.isUp("Tunnel0", peerA) {
					t.Errorf("theirs first %v, stays %v, %s: sent by %+v, want %08x", theirsFirst, theirsStays, when, r.sas[way.SA], by.ESP.OutSPI)
				}
			}
			r.event(FromIKE{ike.Install{Child: *first}}, FromIKE{ike.Install{Child: *second}})
			r.event(FromIKE{ike.Activate{Child: first.ID}})
			sends(first, "one is up")
			r.event(FromIKE{ike.Activate{Child: second.ID}})
			sends(second, "both are up")
			r.event(FromIKE{ike.Activate{Child: stays.ID}})
			sends(stays, "IKE has chosen")
			r.wait(5 * time.Second)
			r.event(FromIKE{ike.Activate{Child: goes.ID}}) // the peer was heard by the other
			sends(goes, "IKE follows the peer")
			r.event(FromIKE{ike.Activate{Child: stays.ID}}) // the peer is about to take that away
			r.remove(goes.ID, ike.WhyPeerDeleted)
			sends(stays, "the peer has taken that away")
			third := r.connect(peerA)
			r.remove(third, ike.WhyPeerDeleted)
			sends(stays, "a third one came and went")
			r.wait(time.Minute)
			if r.logged(LogSessionUp) != 1 || r.logged(LogSessionDown) != 0 || len(r.sas) != 2 {
				t.Errorf("theirs first %v, stays %v: %d associations, %d ups, %d downs", theirsFirst, theirsStays, len(r.sas), r.logged(LogSessionUp), r.logged(LogSessionDown))
			}
		}
	}
}

// Each transform becomes the fast path's associations of it, with keys of their own that end with it.
func TestAssociations(t *testing.T) {
	for _, c := range []struct {
		t      ike.Transform
		cipher fib.Cipher
		auth   fib.Auth
	}{
		{ike.Transform{Cipher: suite.CipherNull, Auth: suite.HashMD5}, fib.CipherNull, fib.AuthHMACMD5},
		{ike.Transform{Cipher: suite.CipherDES, Auth: suite.HashMD5, Tunnel: true}, fib.CipherDES, fib.AuthHMACMD5},
		{ike.Transform{Cipher: suite.CipherDES}, fib.CipherDES, fib.AuthNone},
		{ike.Transform{Cipher: suite.Cipher3DES, Auth: suite.HashSHA1}, fib.Cipher3DES, fib.AuthHMACSHA1},
		{ike.Transform{Cipher: suite.CipherAESCBC, Auth: suite.HashSHA256, ESN: true}, fib.CipherAESCBC, fib.AuthHMACSHA256},
		{ike.Transform{Cipher: suite.CipherAESCTR, Auth: suite.HashSHA384}, fib.CipherAESCTR, fib.AuthHMACSHA384},
		{ike.Transform{Cipher: suite.CipherAESGCM, ICV: 12}, fib.CipherAESGCM, fib.AuthNone},
		{ike.Transform{Cipher: suite.CipherAESGMAC, ICV: 16}, fib.CipherAESGMAC, fib.AuthNone},
		{ike.Transform{Cipher: suite.CipherChaCha20Poly1305, ICV: 16}, fib.CipherChaCha20Poly1305, fib.AuthNone},
	} {
		r := newRig(t)
		k := r.child(peerA, func(k *ike.Child) { k.Transform, k.Window, k.SoftBytes, k.HardBytes = c.t, 100, 1000, 1010 })
		r.event(FromIKE{ike.Install{Child: k}}, FromIKE{ike.Activate{Child: k.ID}})
		name := fmt.Sprint(c.t)
		if len(r.sas) != 2 {
			t.Fatalf("%s: %d associations", name, len(r.sas))
		}
		for _, sa := range r.sas {
			keys, spi, window := k.ESP.Out, k.ESP.OutSPI, uint16(0)
			if sa.Inbound {
				keys, spi, window = k.ESP.In, k.ESP.InSPI, 128
			}
			if sa.Cipher != c.cipher || sa.Auth != c.auth || int(sa.ICV) != c.t.ICV || sa.ESN != c.t.ESN || sa.TunnelMode != c.t.Tunnel || sa.AH ||
				sa.SPI != spi || sa.Window != window || sa.Protection != 7 || sa.Local != ip("192.0.2.1") || sa.Remote != ip(peerA) || sa.Encap ||
				!bytes.Equal(sa.CipherKey, keys.Cipher) || !bytes.Equal(sa.AuthKey, keys.Auth) {
				t.Errorf("%s: %+v", name, sa)
			}
			if sa.SoftBytes < 900 || sa.SoftBytes > 1000 || sa.HardBytes != 1010 {
				t.Errorf("%s: limits %d and %d", name, sa.SoftBytes, sa.HardBytes)
			}
		}
		own := r.m.children[k.ID].sas[0].CipherKey
		k.Clear()
		if len(own) > 0 && bytes.Equal(own, make([]byte, len(own))) {
			t.Errorf("%s: the keys are those of IKE", name)
		}
		r.remove(k.ID, ike.WhyExpired)
		if !bytes.Equal(own, make([]byte, len(own))) {
			t.Errorf("%s: the keys outlive the child", name)
		}
	}
	r := newRig(t)
	r.event(FromIKE{ike.Install{Child: r.child(peerA, func(k *ike.Child) { k.Transform.Cipher = 77 })}})
	if ev := r.take(); len(ev) != 1 || len(r.sas) != 0 {
		t.Errorf("an unknown cipher: %v", ev)
	}
}

// AH over ESP is two associations a direction: what comes out of AH goes into ESP.
func TestBundle(t *testing.T) {
	r := newRig(t)
	r.connect(peerA, func(k *ike.Child) {
		k.Transform.AH, k.Transform.Tunnel = suite.HashSHA1, true
		k.AH = ike.Pair{InSPI: 0x3001, OutSPI: 0x4001, In: ike.Keys{Auth: bytes.Repeat([]byte{5}, 20)}, Out: ike.Keys{Auth: bytes.Repeat([]byte{6}, 20)}}
	})
	way := r.secured[want{"Tunnel0", at(peerA)}]
	if len(r.sas) != 4 || r.sas[way.AH].SPI != 0x4001 || r.sas[way.SA].SPI != 0x2001 || !r.sas[way.AH].AH {
		t.Fatalf("sent by %+v of %+v", way, r.sas)
	}
	for _, sa := range r.sas {
		switch {
		case sa.Inbound && !sa.AH && (sa.Under == 0 || r.sas[sa.Under].SPI != 0x3001):
			t.Errorf("ESP comes out of %d", sa.Under)
		case (!sa.Inbound || sa.AH) && sa.Under != 0:
			t.Errorf("%+v has something under it", sa)
		case sa.TunnelMode == sa.AH:
			t.Errorf("tunnel mode of %+v", sa)
		}
	}
	s := r.m.Status(r.now).Sessions[0].Children[0]
	if s.AHIn == 0 || s.AHOut == 0 || s.ESPIn == 0 || s.ESPOut == 0 || s.InSPI != 0x1001 {
		t.Errorf("status %+v", s)
	}
	r.connect(peerB, func(k *ike.Child) {
		k.Transform = ike.Transform{AH: suite.HashMD5, Tunnel: true}
		k.ESP, k.AH = ike.Pair{}, ike.Pair{InSPI: 0x3002, OutSPI: 0x4002}
	})
	if way := r.secured[want{"Tunnel0", at(peerB)}]; way.SA != 0 || r.sas[way.AH].SPI != 0x4002 || !r.sas[way.AH].TunnelMode {
		t.Errorf("AH alone: %+v", way)
	}
}

func behindNAT(p uint16) func(*ike.Child) {
	return func(k *ike.Child) {
		k.Encap, k.Path.Local = true, port("192.0.2.1", 4500)
		k.Path.Remote = port(k.Path.Remote.Addr().String(), p)
	}
}

// A peer behind NAT that moves is followed; NHRP goes on naming it by the address that it knows.
func TestMoves(t *testing.T) {
	r := newRig(t)
	r.event(Wanted{"Tunnel0", at(peerA)})
	id := r.connect(peerA, behindNAT(4500))
	if w := r.secured[want{"Tunnel0", at(peerA)}]; !w.Encap || w.RemotePort != 4500 || w.LocalPort != 4500 {
		t.Fatalf("%+v", w)
	}
	in := r.in(id)
	r.take()
	r.event(Moved{in, port(peerA, 4500)})
	if len(r.take()) != 0 {
		t.Error("a peer that stays has moved")
	}
	r.event(Moved{in, port(peerA, 1024)})
	if ev := r.take(); len(ev) != 1 || ev[0] != (ike.Moved{Child: id, Remote: port(peerA, 1024)}) {
		t.Fatalf("IKE was told %v", ev)
	}
	rehome := func(to string, p uint16) {
		r.event(FromIKE{ike.Rehomed{Child: id, Path: ike.Path{Local: port("192.0.2.1", 4500), Remote: port(to, p)}}})
	}
	rehome(peerA, 1024)
	if w := r.secured[want{"Tunnel0", at(peerA)}]; w.RemotePort != 1024 || r.sas[in].RemotePort != 1024 {
		t.Errorf("%+v, %+v", w, r.sas[in])
	}
	rehome(peerB, 2048)
	for _, name := range []string{peerA, peerB} {
		if w := r.secured[want{"Tunnel0", at(name)}]; w.RemotePort != 2048 || w.To != ip(peerB) {
			t.Errorf("%s is reached by %+v", name, w)
		}
	}
	if r.logged(LogMoved) != 2 || !r.isUp("Tunnel0", peerA) {
		t.Errorf("logs %v", r.logs)
	}
	r.event(Wanted{"Tunnel0", at(peerB)}) // it has registered from there
	if !r.isUp("Tunnel0", peerB) || r.asked(peerB) {
		t.Error("its new address is another session")
	}
	r.event(Released{"Tunnel0", at(peerA)})
	if _, ok := r.secured[want{"Tunnel0", at(peerA)}]; ok || len(r.m.sessions) != 1 {
		t.Error("the old address is kept")
	}
	if ifaces, names, ok := r.m.PeerOf(Quoted{Local: port("192.0.2.1", 4500), Remote: port(peerB, 2048)}); !ok || len(ifaces) != 2 || len(names) != 1 {
		t.Errorf("a quoted packet is of %v %v %v", ifaces, names, ok)
	}
	r.remove(id, ike.WhyDeadPeer)
	r.wait(time.Hour)
	r.event(Released{"Tunnel0", at(peerB)})
	r.wait(time.Hour)
	if len(r.m.sessions)+len(r.sas)+len(r.secured) != 0 {
		t.Errorf("left over: %v %v", r.sas, r.secured)
	}
}

func TestQuoted(t *testing.T) {
	r := newRig(t)
	r.connect(peerA)
	local, remote := port("192.0.2.1", 0), port(peerA, 0)
	for _, c := range []struct {
		q  Quoted
		ok bool
	}{
		{Quoted{Local: local, Remote: remote, SPI: 0x2001}, true},
		{Quoted{Local: local, Remote: remote, SPI: 0x1001}, false}, // an inbound one
		{Quoted{Local: local, Remote: remote}, false},
		{Quoted{Local: local, Remote: port(peerB, 0), SPI: 0x2001}, false},
		{Quoted{Local: port("192.0.2.9", 0), Remote: remote, SPI: 0x2001}, false},
		{Quoted{VRF: 1, Local: local, Remote: remote, SPI: 0x2001}, false},
	} {
		if _, _, ok := r.m.PeerOf(c.q); ok != c.ok {
			t.Errorf("%+v: %v", c.q, ok)
		}
	}
}

// The fast path has no room: the child is given up, once.
func TestRefused(t *testing.T) {
	r := newRig(t)
	id := r.connect(peerA)
	r.take()
	for _, sa := range r.m.children[id].sas {
		r.event(Refused{sa.ID})
	}
	if ev := r.take(); len(ev) != 1 || ev[0] != (ike.Drop{Child: id}) || r.logged(LogNoRoom) != 1 {
		t.Errorf("IKE was told %v", ev)
	}
}

// What the fast path counts reaches IKE.
func TestLimitsAndLife(t *testing.T) {
	r := newRig(t)
	id := r.connect(peerA)
	in, out := r.m.children[id].sas[0].ID, r.m.children[id].sas[1].ID
	r.take()
	r.event(Heard{in}, SoftLimit{SA: out}, SoftLimit{SA: in, Hard: true}, Used{out})
	ev := r.take()
	if len(ev) != 3 || ev[0] != (ike.Heard{Child: id}) || ev[1] != (ike.Volume{Child: id}) || ev[2] != (ike.Volume{Child: id, Hard: true}) {
		t.Errorf("IKE was told %v", ev)
	}
	if got := r.m.IdentityOf(in); got != "spoke-"+peerA {
		t.Errorf("identity %q", got)
	}
	if use := r.m.SAs(); len(use) != 2 || !use[0].Inbound || use[1].Inbound {
		t.Errorf("%v", use)
	}
}

// No status, log or effect that is printed shows a key.
func TestSecretsStayHidden(t *testing.T) {
	r := newRig(t)
	c := r.child(peerA, func(k *ike.Child) {
		k.ESP.Out.Cipher = ike.Secret("SECRETSECRETSECR")
		k.ESP.In.Auth = ike.Secret("SECRETSECRETSECRETSE")
	})
	text := fmt.Sprintf("%+v %#v %v", c, c, r.m.Handle(r.now, FromIKE{ike.Install{Child: c}}))
	text += fmt.Sprintf("%+v", r.m.Status(r.now))
	if strings.Contains(text, "SECRET") || strings.Contains(text, "83, 69, 67") {
		t.Error("a key is printed")
	}
}

// SealOf is what the fast path adds, to the byte, of the transforms that people use.
func TestSeal(t *testing.T) {
	for _, c := range []struct {
		t     ike.Transform
		encap bool
		mtu   int
		fit   int // GRE and all
	}{
		// 20 IP, 8 ESP, 16 IV, 12 ICV: 1444 of 1500 left, 1440 in blocks of 16, 2 of them the trailer.
		{ike.Transform{Cipher: suite.CipherAESCBC, Auth: suite.HashSHA1}, false, 1500, 1438},
		{ike.Transform{Cipher: suite.CipherAESCBC, Auth: suite.HashSHA1}, true, 1500, 1422},
		{ike.Transform{Cipher: suite.CipherAESCBC, Auth: suite.HashSHA1, Tunnel: true}, false, 1500, 1422},
		{ike.Transform{Cipher: suite.CipherDES, Auth: suite.HashMD5}, false, 1500, 1446},
		{ike.Transform{Cipher: suite.CipherAESGCM, ICV: 16}, false, 1500, 1446},
		{ike.Transform{Cipher: suite.CipherAESGCM, ICV: 8}, false, 1500, 1454},
		{ike.Transform{Cipher: suite.CipherNull, Auth: suite.HashSHA256}, false, 1500, 1454},
		{ike.Transform{Cipher: suite.CipherChaCha20Poly1305}, false, 1500, 1446},
		{ike.Transform{AH: suite.HashSHA1}, false, 1500, 1456},
		{ike.Transform{AH: suite.HashSHA1, Cipher: suite.CipherNull}, false, 1500, 1446},
		{ike.Transform{Cipher: suite.CipherAESCBC, Auth: suite.HashSHA512}, false, 60, 0},
	} {
		if got := SealOf(&c.t, c.encap).Fit(c.mtu); got != c.fit {
			t.Errorf("%+v in UDP %v: %d bytes fit into %d, want %d", c.t, c.encap, got, c.mtu, c.fit)
		}
	}
}
