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

// recovered runs Recover as the next writer does, and fails if a block is named twice or lies outside; it returns how many bytes were lost.
func recovered(t interface{ Fatalf(string, ...any) }, tab *Tables) int {
	lost, err := tab.a.Recover(tab.Check, tab.Recover)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if n := tab.countNodes(); n != tab.nodes {
		t.Fatalf("%d nodes, counted %d", n, tab.nodes)
	}
	tab.Commit()
	tab.Commit()
	return lost
}

// TestRecoverWhole: tables that nobody left in the middle of a change stay as they are, and all of their memory is found.
func TestRecoverWhole(t *testing.T) {
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
		tab.Commit()
		tab.Commit()
		used := tab.a.Used()
		if lost := recovered(rt, tab); lost != 0 || tab.a.Used() != used || tab.Routes() != len(m) {
			rt.Fatalf("%d bytes lost, %d used, were %d; %d routes, want %d", lost, tab.a.Used(), used, tab.Routes(), len(m))
		}
		if got := tab.routesOf(rt); !maps.EqualFunc(got, m, slices.Equal) {
			rt.Fatalf("%v, want %v", got, m)
		}
		for k := range m { // and its counts are right, so nothing is left of it in the end
			tab.Delete(k.vrf, k.addr, k.plen)
		}
		tab.Commit()
		tab.Commit()
		for vrf, r := range tab.vrfs {
			if r != 0 {
				for _, e := range tab.rootOf(r).fringe {
					if e != 0 {
						rt.Fatalf("VRF %d is not empty", vrf)
					}
				}
			}
		}
	})
}

// halfway is a table in the middle of a change, and how the rest of it looks.
type halfway struct {
	name  string
	leave func(t *testing.T, tab *Tables)
	want  func(t *testing.T, tab *Tables)
}

func leads(dst uint32, to ...uint32) func(*testing.T, *Tables) {
	return func(t *testing.T, tab *Tables) {
		t.Helper()
		if got := tab.pathsOf(tab.Lookup(0, dst)); !slices.Equal(got, to) {
			t.Errorf("%08x leads to %v, want %v", dst, got, to)
		}
	}
}

// TestRecoverHalfway: every order of stores that a writer may die in between is made good.
func TestRecoverHalfway(t *testing.T) {
	insert := func(t *testing.T, tab *Tables, addr uint32, plen int, to ...uint32) {
		t.Helper()
		if err := tab.Insert(0, addr, plen, to); err != nil {
			t.Fatal(err)
		}
	}
	nodeOf := func(tab *Tables, addr uint32, level int) node {
		p := tab.walk(0, addr, level)
		return tab.nodeAt(level, p.ref[level])
	}
	sa := func(t *testing.T, tab *Tables, id fib.SAID, spi uint32) uint32 {
		t.Helper()
		f := fib.SA{ID: id, Inbound: true, SPI: spi, Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.2"), CipherKey: make(fib.Key, 20)}
		if _, err := tab.SetSA(&f, SAShape{Align: 4, Slots: 2}); err != nil {
			t.Fatal(err)
		}
		return tab.sas[id]
	}
	tunnel := func(t *testing.T, tab *Tables, id fib.TunnelID, key uint32) uint32 {
		t.Helper()
		f := fib.Tunnel{ID: id, Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.9"), Key: key, HasKey: true, MTU: 1400}
		if err := tab.SetTunnels([]fib.Tunnel{f}, nil)[0]; err != nil {
			t.Fatal(err)
		}
		return tab.tunnels[id]
	}
	local := uint32(0xc0000201)
	for _, c := range []halfway{
		{"a route is noted and not spread", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000000, 8, 17)
			n := nodeOf(tab, 0x0a000000, 0)
			n.heap[1<<12|0x0a0] = 18 | 13<<lenShift // 10.0.0.0/12
		}, leads(0x0a010203, 18)},
		{"a route is spread halfway", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000000, 8, 17)
			n := nodeOf(tab, 0x0a000000, 0)
			n.heap[1<<12|0x0a0] = 18 | 13<<lenShift
			n.fringe[0x0a00] = 18 | 13<<lenShift
		}, leads(0x0a0f0203, 18)},
		{"a route is taken away and still spread", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000000, 8, 17)
			insert(t, tab, 0x0a000000, 12, 18)
			nodeOf(tab, 0x0a000000, 0).heap[1<<12|0x0a0] = 0
		}, leads(0x0a010203, 17)},
		{"a node's count is too high, and its routes go", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000000, 8, 17)
			insert(t, tab, 0x0a000100, 24, 18)
			nodeOf(tab, 0x0a000100, 1).heap[0]++
		}, func(t *testing.T, tab *Tables) {
			tab.Delete(0, 0x0a000100, 24)
			if p := tab.walk(0, 0x0a000100, 1); p.n != 1 {
				t.Error("an empty node is left")
			}
			leads(0x0a000101, 17)(t, tab)
		}},
		{"a node's count is too low, and one of its routes goes", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000100, 24, 17)
			insert(t, tab, 0x0a000200, 24, 18)
			nodeOf(tab, 0x0a000100, 1).heap[0]--
		}, func(t *testing.T, tab *Tables) {
			tab.Delete(0, 0x0a000200, 24)
			leads(0x0a000101, 17)(t, tab)
		}},
		{"an empty node is still linked", func(t *testing.T, tab *Tables) {
			insert(t, tab, 0x0a000101, 32, 17)
			n := nodeOf(tab, 0x0a000101, 2)
			n.remove(1, 8)
		}, func(t *testing.T, tab *Tables) {
			if p := tab.walk(0, 0x0a000101, 2); p.n != 1 {
				t.Errorf("%d nodes lead to nothing", p.n)
			}
		}},
		{"an association is in its chain and not in the directory", func(t *testing.T, tab *Tables) {
			sa(t, tab, 1, 0x100)
			sa(t, tab, 2, 0x200)
			tab.sas[1] = 0
		}, func(t *testing.T, tab *Tables) {
			if tab.FindSA(0, local, 0x100, 0) != nil || tab.FindSA(0, local, 0x200, 0) == nil || tab.root.installedSAs.Load() != 1 {
				t.Error("the wrong one is found")
			}
		}},
		{"an association is in the directory and not in its chain", func(t *testing.T, tab *Tables) {
			sa(t, tab, 1, 0x100)
			for b := range tab.spis {
				tab.spis[b] = 0
			}
		}, func(t *testing.T, tab *Tables) {
			if tab.FindSA(0, local, 0x100, 0) == nil {
				t.Error("it is not found")
			}
			tab.DelSA(1)
		}},
		{"a tunnel's new record is in the chain, and the directory has the old one", func(t *testing.T, tab *Tables) {
			old := tunnel(t, tab, 1, 5)
			was := *(*Tunnel)(tab.at(old))
			r, err := tab.alloc(tunnelSize)
			if err != nil {
				t.Fatal(err)
			}
			fresh := (*Tunnel)(tab.a.Ptr(r))
			*fresh = was
			fresh.MTU = 1300
			b := &tab.buckets[hash(0, was.Local, was.Remote, was.Key)&uint32(len(tab.buckets)-1)]
			fresh.next, *b = *b, uint32(r)
			tab.root.pointToPoint.Add(1)
		}, func(t *testing.T, tab *Tables) {
			if n := tab.FindTunnel(0, local, 0xc0000209, 5, true); n == nil || n.MTU != 1400 || n.next != 0 || tab.root.pointToPoint.Load() != 1 {
				t.Errorf("found %+v, %d with a remote end", n, tab.root.pointToPoint.Load())
			}
		}},
		{"a tunnel is in the directory and not in its chain", func(t *testing.T, tab *Tables) {
			tunnel(t, tab, 1, 5)
			for b := range tab.buckets {
				tab.buckets[b] = 0
			}
			tab.root.pointToPoint.Store(0)
		}, func(t *testing.T, tab *Tables) {
			if tab.FindTunnel(0, local, 0xc0000209, 5, true) == nil {
				t.Error("it is not found")
			}
			tab.DelTunnel(1)
		}},
		{"a subinterface that its map has and the directory lacks, and one that moved", func(t *testing.T, tab *Tables) {
			for id, vlan := range map[fib.PortID]uint16{2: 10, 3: 20} {
				if err := tab.SetPort(&fib.Port{ID: id, MTU: 1500, Parent: 1, VLAN: vlan}); err != nil {
					t.Fatal(err)
				}
			}
			m := (*vlanMap)(tab.at(tab.vlans[1]))
			m[30], m[20] = 2, 3
			tab.Port(3).VLAN = 40
			m[40] = 3
			if err := tab.SetPort(&fib.Port{ID: 4, MTU: 1500, Parent: 5, VLAN: 10}); err != nil {
				t.Fatal(err)
			}
			tab.ports[4] = 0
		}, func(t *testing.T, tab *Tables) {
			m := (*vlanMap)(tab.at(tab.vlans[1]))
			if m[10] != 2 || m[20] != 0 || m[30] != 0 || m[40] != 3 || tab.vlans[5] != 0 || tab.Subinterface(1, 40) == nil || tab.Subinterface(1, 20) != nil {
				t.Errorf("VLANs 10, 20, 30, 40 are %d, %d, %d, %d", m[10], m[20], m[30], m[40])
			}
		}},
		{"a label's chunk is empty, and the count is off", func(t *testing.T, tab *Tables) {
			for _, in := range []uint32{16, 300} {
				if err := tab.SetLabel(&fib.Label{In: in, Action: fib.LabelSwap, Paths: []fib.AdjID{17, 18}}); err != nil {
					t.Fatal(err)
				}
			}
			(*labelChunk)(tab.at(tab.labels[0]))[16] = 0
		}, func(t *testing.T, tab *Tables) {
			if tab.labels[0] != 0 || tab.Labels() != 1 || tab.Label(300) == 0 {
				t.Errorf("chunk %d, %d labels", tab.labels[0], tab.Labels())
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := testTables(t, 16<<20)
			c.leave(t, tab)
			tab.Commit()
			recovered(t, tab)
			c.want(t, tab)
			tab.Commit()
			tab.Commit()
			if lost := recovered(t, tab); lost != 0 {
				t.Errorf("%d bytes are nobody's afterwards", lost)
			}
		})
	}
}
