package rib

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/slowpath/nbma"
)

const spoke = "198.51.100.1"

// newProtected is a RIB whose tunnel is protected, with a peer bound and the way to it known.
func newProtected(t testing.TB) (*RIB, *fakeFIB, *sealedFIB) {
	t.Helper()
	f := &sealedFIB{fakeFIB: newFakeFIB(t), sas: make(map[fib.SAID]fib.SA)}
	r := New(f.apply, wanted{})
	sealed := tun
	with := *tun.Tunnel
	with.Protected, with.Protection, with.PathMTU = true, 7, true
	sealed.Tunnel = &with
	for _, i := range []Interface{wan, lan, sealed} {
		r.SetInterface(i)
	}
	r.SetStatics(0, []StaticRoute{{Prefix: pfx("0.0.0.0/0"), Hops: []NextHop{{Addr: addr("192.0.2.254")}}}})
	r.Neighbour("Ethernet0", addr("192.0.2.254"), gatewayMAC, true)
	r.Bind(Binding{Iface: "Tunnel0", Prefix: pfx("10.255.0.3/32"), NBMA: peerAt(addr(spoke)), NextHop: addr("10.255.0.3")})
	flush(t, r)
	return r, f.fakeFIB, f
}

// sealedFIB looks at associations too: an adjacency of a protected tunnel that sends must name one that is there, after each batch and within it.
type sealedFIB struct {
	*fakeFIB
	sas  map[fib.SAID]fib.SA
	full bool
}

func (f *sealedFIB) apply(b *fib.Batch) (refused []fib.Refusal, err error) {
	for _, sa := range b.SAs {
		if len(sa.CipherKey) > 0 && bytes.Equal(sa.CipherKey, make([]byte, len(sa.CipherKey))) {
			f.t.Errorf("association %d has a key of zeros", sa.ID)
		}
		if f.full {
			refused = append(refused, fib.Refusal{What: "association", Err: errors.New("full"), SA: sa.ID})
			continue
		}
		sa.CipherKey = bytes.Clone(sa.CipherKey)
		f.sas[sa.ID] = sa
	}
	f.checkSealed()
	more, err := f.fakeFIB.apply(b)
	f.checkSealed()
	for _, id := range b.DelSAs {
		delete(f.sas, id)
	}
	f.checkSealed()
	return append(refused, more...), err
}

func (f *sealedFIB) checkSealed() {
	f.t.Helper()
	for id, a := range f.adj {
		if a.Kind != fib.AdjTunnel || !f.tunnels[a.Tunnel].Protected {
			continue
		}
		for _, sa := range []fib.SAID{a.SA, a.AH} {
			if _, ok := f.sas[sa]; sa != 0 && !ok && !f.full {
				f.t.Errorf("adjacency %d seals by association %d, which is not there", id, sa)
			}
		}
		if a.SA == 0 && a.AH == 0 {
			f.t.Errorf("adjacency %d sends in clear", id)
		}
	}
}

func sa(id fib.SAID) fib.SA {
	return fib.SA{ID: id, SPI: 0x100 + uint32(id), CipherKey: fib.Key{1, 2, 3}}
}

func esp(id fib.SAID) Seal { return Seal{SA: id, To: addr(spoke), Fixed: 36, Trailer: 2, Block: 16} }

func TestSecure(t *testing.T) {
	r, f, s := newProtected(t)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjDrop {
		t.Fatalf("without association: %+v", a)
	}
	if tn := f.tunnels[1]; !tn.Protected || tn.Protection != 7 {
		t.Errorf("tunnel %+v", tn)
	}
	if _, ok := r.PeerAdjacency("Tunnel0", peerAt(addr(spoke))); ok {
		t.Error("there is a way to send to a peer without a session")
	}
	key := fib.Key{1, 2, 3}
	in := sa(12)
	in.CipherKey = key
	r.InstallSA(in)
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(12))
	before := s.batches
	flush(t, r)
	if s.batches != before+1 {
		t.Errorf("%d batches for a session", s.batches-before)
	}
	if !bytes.Equal(key, make([]byte, 3)) {
		t.Error("the RIB keeps a key")
	}
	a := f.path(t, "10.255.0.3/32")
	if a.Kind != fib.AdjTunnel || a.SA != 12 || a.AH != 0 || a.Outer[14+9] != 50 || len(a.Outer) != 34 || netip.AddrFrom4([4]byte(a.Outer[30:34])) != addr(spoke) || a.Inner[0] != 0x20 {
		t.Errorf("adjacency %+v", a)
	}
	id, ok := r.PeerAdjacency("Tunnel0", peerAt(addr(spoke)))
	if !ok || f.adj[id].SA != 12 {
		t.Errorf("the peer's own adjacency: %d %v", id, ok)
	}
	// A rekey swaps both in one batch; nothing else is said.
	before, entries := s.batches, s.entries
	r.InstallSA(sa(14))
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(14))
	r.RemoveSA(12)
	flush(t, r)
	if s.batches != before+1 || s.entries != entries+2 || f.path(t, "10.255.0.3/32").SA != 14 || len(s.sas) != 1 {
		t.Errorf("a rekey took %d batches and %d entries; associations %v", s.batches-before, s.entries-entries, s.sas)
	}
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(14))
	if before = s.batches; r.Flush() != nil || s.batches != before {
		t.Error("the same again does something")
	}
	r.Unsecure("Tunnel0", peerAt(addr(spoke)))
	r.RemoveSA(14)
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjDrop || len(s.sas) != 0 {
		t.Errorf("after the session: %+v", a)
	}
	if _, ok := r.PeerAdjacency("Tunnel0", peerAt(addr(spoke))); ok || len(r.byPeer) != 1 {
		t.Errorf("the peer's own adjacency stays: %v", r.byPeer)
	}
	r.Unsecure("Tunnel0", peerAt(addr(spoke)))
	r.Unsecure("Tunnel7", peerAt(addr(spoke)))
	r.Secure("Ethernet0", peerAt(addr(spoke)), esp(9))
	if before = s.batches; r.Flush() != nil || s.batches != before {
		t.Error("what is not there is secured or unsecured")
	}
}

// The outer header is that of the seal.
func TestSealedHeaders(t *testing.T) {
	for _, c := range []struct {
		name  string
		seal  Seal
		proto byte
		ports []byte
	}{
		{"ESP", esp(5), 50, nil},
		{"AH", Seal{AH: 5, To: addr(spoke)}, 51, nil},
		{"AH over ESP", Seal{SA: 5, AH: 5, To: addr(spoke)}, 51, nil},
		{"ESP in UDP", Seal{SA: 5, To: addr(spoke), Encap: true, LocalPort: 4500, RemotePort: 1029}, 17, []byte{0x11, 0x94, 4, 5, 0, 0, 0, 0}},
	} {
		r, f, _ := newProtected(t)
		r.InstallSA(sa(5))
		r.Secure("Tunnel0", peerAt(addr(spoke)), c.seal)
		flush(t, r)
		a := f.path(t, "10.255.0.3/32")
		if a.SA != c.seal.SA || a.AH != c.seal.AH || a.Outer[23] != c.proto || !bytes.Equal(a.Outer[34:], c.ports) || len(a.Outer) > fib.MaxOuter {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

// A peer behind NAT that moved is sent to where it is, while NHRP and the learned MTU go by the address that it is known by.
func TestSealedElsewhere(t *testing.T) {
	r, f, _ := newProtected(t)
	r.InstallSA(sa(5))
	s := esp(5)
	s.To = addr("203.0.113.77")
	r.Secure("Tunnel0", peerAt(addr(spoke)), s)
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); netip.AddrFrom4([4]byte(a.Outer[30:34])) != s.To {
		t.Errorf("%+v", a)
	}
	if !r.PathMTU("Tunnel0", peerAt(addr(spoke)), 1000) {
		t.Fatal("no path MTU of a peer")
	}
	flush(t, r)
	// 1000 less 20 and 36 is 944, a multiple of 16; less 2 of the trailer and 8 of GRE.
	if a := f.path(t, "10.255.0.3/32"); a.MTU != 934 {
		t.Errorf("MTU %d", a.MTU)
	}
	if r.PathMTU("Tunnel0", peerAt(addr("203.0.113.78")), 900) {
		t.Error("a path MTU of a stranger")
	}
}

// What finds no room is told once, and tried by nobody but who has the keys.
func TestRefusedAssociation(t *testing.T) {
	r, f, s := newProtected(t)
	s.full = true
	r.InstallSA(sa(5))
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(5))
	flush(t, r)
	if got := r.RefusedSAs(); !slices.Equal(got, []fib.SAID{5}) || len(r.RefusedSAs()) != 0 || len(r.Refused()) != 1 {
		t.Errorf("refused %v, shown %v", got, r.Refused())
	}
	r.Unsecure("Tunnel0", peerAt(addr(spoke)))
	r.RemoveSA(5)
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjDrop || len(r.Refused()) != 0 {
		t.Errorf("%+v, shown %v", a, r.Refused())
	}
}

// An association that comes and goes within a step is never installed, least of all without its key.
func TestAssociationComesAndGoes(t *testing.T) {
	r, _, s := newProtected(t)
	r.InstallSA(sa(5))
	r.InstallSA(sa(5))
	r.RemoveSA(5)
	flush(t, r)
	if len(s.sas) != 0 {
		t.Errorf("%v", s.sas)
	}
}

// An interface that goes takes its secured peers along; one that is not protected any more sends in clear again.
func TestSecuredInterfaceGoes(t *testing.T) {
	r, f, _ := newProtected(t)
	r.InstallSA(sa(5))
	r.Secure("Tunnel0", peerAt(addr(spoke)), esp(5))
	flush(t, r)
	r.SetInterface(tun)
	flush(t, r)
	if a := f.path(t, "10.255.0.3/32"); a.Kind != fib.AdjTunnel || a.SA != 0 || a.Outer[23] != 47 {
		t.Errorf("without protection: %+v", a)
	}
	r.RemoveInterface("Tunnel0")
	r.RemoveSA(5)
	flush(t, r)
	for id, a := range f.adj {
		if a.Tunnel != 0 {
			t.Errorf("adjacency %d of a tunnel that is gone: %+v", id, a)
		}
	}
	if len(r.byPeer) != 0 {
		t.Errorf("peers of a tunnel that is gone: %v", r.byPeer)
	}
}

// The fewest bytes that a session's change touches, however many peers there are.
func TestSecureTouchesOnlyItsPeer(t *testing.T) {
	r, _, s := newProtected(t)
	for i := range 500 {
		nbma := netip.AddrFrom4([4]byte{100, 64, byte(i >> 8), byte(i)})
		to := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, byte(1 + i>>8), byte(i)}), 32)
		r.Bind(Binding{Iface: "Tunnel0", Prefix: to, NBMA: peerAt(nbma), NextHop: to.Addr()})
		seal := esp(fib.SAID(100 + i))
		seal.To = nbma
		r.InstallSA(sa(fib.SAID(100 + i)))
		r.Secure("Tunnel0", peerAt(nbma), seal)
	}
	flush(t, r)
	entries := s.entries
	seal := esp(5)
	r.InstallSA(sa(5))
	r.Secure("Tunnel0", peerAt(addr(spoke)), seal)
	flush(t, r)
	if n := s.entries - entries; n > 3 {
		t.Errorf("%d entries for a session", n)
	}
}

// peerAt is a peer that is not behind NAT.
func peerAt(a netip.Addr) nbma.Address { return nbma.Of(a) }
