package table

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"nave/fastpath/fib"
)

// routesOf is what RouteEntries lists, as a model.
func (t *Tables) routesOf(tb interface{ Fatalf(string, ...any) }) model {
	m := model{}
	for f := range t.RouteEntries() {
		k := modelKey{uint16(f.VRF), addrWord(f.Prefix.Addr()), f.Prefix.Bits()}
		if m[k] != nil || f.Prefix != f.Prefix.Masked() {
			tb.Fatalf("route %d %s twice, or with bits beyond its mask", f.VRF, f.Prefix)
		}
		for _, id := range f.Paths {
			m[k] = append(m[k], uint32(id))
		}
	}
	return m
}

// TestRouteEntries: every route comes out once, as it went in.
func TestRouteEntries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tab := testTables(t, 16<<20)
		m := model{}
		for range rapid.IntRange(0, 40).Draw(rt, "routes") {
			k := drawKey(rt)
			if rapid.IntRange(0, 3).Draw(rt, "op") == 0 {
				tab.Delete(k.vrf, k.addr, k.plen)
				delete(m, k)
				continue
			}
			m[k] = rapid.SliceOfN(rapid.Uint32Range(0, 60), 1, MaxPaths).Draw(rt, "paths")
			if err := tab.Insert(k.vrf, k.addr, k.plen, m[k]); err != nil {
				rt.Fatal(err)
			}
		}
		if got := tab.routesOf(rt); !maps.EqualFunc(got, m, slices.Equal) {
			rt.Fatalf("%v, want %v", got, m)
		}
	})
}

// TestEntriesStop: whoever has seen enough of a list stops it.
func TestEntriesStop(t *testing.T) {
	tab := testTables(t, 16<<20)
	for i := range 3 {
		if err := tab.Insert(0, uint32(i)<<24|0x0a000000, 24, []uint32{17}); err != nil {
			t.Fatal(err)
		}
		if err := tab.SetPort(&fib.Port{ID: fib.PortID(i + 1), MTU: 1500, Addr: netip.MustParseAddr("192.0.2.1")}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for range tab.RouteEntries() {
		n++
		break
	}
	for range tab.PortEntries() {
		n++
		break
	}
	if n != 2 {
		t.Errorf("%d entries", n)
	}
}
