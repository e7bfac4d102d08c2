package table

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"nave/fastpath/fib"
)

// TestLongest: the prefix that Lookup finds is the one whose ways it leads to, whatever lies over and under it.
func TestLongest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tab := testTables(t, 4<<20)
		m := model{}
		for range rapid.IntRange(0, 30).Draw(rt, "routes") {
			k := drawKey(rt)
			paths := rapid.SliceOfN(rapid.Uint32Range(16, 40), 1, 4).Draw(rt, "paths")
			if err := tab.Insert(k.vrf, k.addr, k.plen, paths); err != nil {
				rt.Fatal(err)
			}
			m[k] = paths
		}
		for range 20 {
			k := drawKey(rt)
			dst := k.addr | rapid.Uint32().Draw(rt, "host")&^mask(k.plen)
			plen, ok := tab.Longest(k.vrf, dst)
			want := m.lookup(k.vrf, dst)
			if ok != (want != nil) {
				rt.Fatalf("found %v, want %v", ok, want)
			}
			if !ok {
				continue
			}
			if got := m[modelKey{k.vrf, dst & mask(plen), plen}]; !slices.Equal(got, want) || !slices.Equal(tab.Members(tab.Lookup(k.vrf, dst)), want) {
				rt.Fatalf("a prefix of %d bits leads to %v, want %v", plen, got, want)
			}
		}
		if _, ok := tab.Longest(99, 1); ok {
			rt.Fatal("a VRF that is none")
		}
	})
}

// TestInboundSA: the latest one of a peer and protection, ESP before AH.
func TestInboundSA(t *testing.T) {
	tab := testTables(t, 8<<20)
	local, peer, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	install := func(id fib.SAID, f func(*fib.SA)) {
		t.Helper()
		s := fib.SA{ID: id, Inbound: true, SPI: uint32(id) + 1000, Local: local, Remote: peer, Protection: 5, Cipher: fib.CipherNull, Auth: fib.AuthHMACSHA1, AuthKey: make(fib.Key, 20)}
		f(&s)
		if _, err := tab.SetSA(&s, SAShape{ICV: 12, Align: 4}); err != nil {
			t.Fatal(err)
		}
	}
	find := func(remote netip.Addr) uint32 {
		w := uint32(0)
		if remote.IsValid() {
			w = addrWord(remote)
		}
		if s := tab.InboundSA(0, addrWord(local), w, 5); s != nil {
			return s.ID
		}
		return 0
	}
	if find(peer) != 0 {
		t.Error("found one where there is none")
	}
	install(9, func(s *fib.SA) { s.AH, s.Cipher = true, 0 })
	if find(peer) != 9 {
		t.Error("AH alone is not found")
	}
	install(8, func(*fib.SA) {})
	install(7, func(*fib.SA) {})
	install(10, func(s *fib.SA) { s.AH = true })
	install(6, func(s *fib.SA) { s.Protection = 6 })
	install(5, func(s *fib.SA) { s.Inbound = false })
	install(4, func(s *fib.SA) { s.OuterVRF = 1 })
	install(3, func(s *fib.SA) { s.Local = other })
	install(2, func(s *fib.SA) { s.Remote = other })
	if got := find(peer); got != 7 {
		t.Errorf("found %d, want the latest ESP, 7", got)
	}
	if got := find(other); got != 2 {
		t.Errorf("of the other peer %d, want 2", got)
	}
	if got := find(netip.Addr{}); got != 2 {
		t.Errorf("of any peer %d, want the latest, 2", got)
	}
}
