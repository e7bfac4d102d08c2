package table

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

func a4(s string) netip.Addr { return netip.MustParseAddr(s) }

func testAdj(id fib.AdjID, tunnel fib.TunnelID, ttl byte) *fib.Adjacency {
	outer := make([]byte, packet.EthernetLen+packet.IPv4Len)
	h := packet.Header{TTL: ttl, Proto: packet.ProtoGRE, Src: [4]byte{192, 0, 2, 1}, Dst: [4]byte{192, 0, 2, ttl}}
	packet.PutEthernet(outer, [6]byte{ttl}, [6]byte{ttl}, packet.TypeIPv4)
	h.Put(outer[packet.EthernetLen:], 0)
	return &fib.Adjacency{
		ID: id, Kind: fib.AdjTunnel, Port: 1, Tunnel: tunnel, Inner: []byte{0x20, 0, 8, 0, 0, 0, 0, ttl}, Outer: outer,
		MTU: 1400, LinkMTU: 1500, CopyDF: true, NextHop: a4("10.255.0.2"),
	}
}

func setTunnel(tab *Tables, f *fib.Tunnel) error {
	return tab.SetTunnels([]fib.Tunnel{*f}, nil)[0]
}

func TestAdj(t *testing.T) {
	tab := testTables(t, 1<<20)
	f := testAdj(17, 0, 99)
	if err := tab.SetAdj(f); err != nil {
		t.Fatal(err)
	}
	a := tab.Adj(17)
	if a.Limit != 1400 || a.Overhead() != 28 || a.OuterDst() != 0xc0000263 || a.NextHop != 0x0aff0002 || a.Flags != AdjCopyDF {
		t.Errorf("record %+v, overhead %d, outer destination %x", a, a.Overhead(), a.OuterDst())
	}
	if !slices.Equal(a.Inner[24:], f.Inner) || !slices.Equal(a.Outer[OuterRoom-34:OuterRoom-20], f.Outer[:14]) {
		t.Errorf("headers %x %x", a.Inner, a.Outer)
	}
	for _, c := range []struct {
		mtu, link uint16
		want      uint16
	}{{1400, 1500, 1400}, {1476, 1500, 1472}, {1500, 1500, 1472}, {1500, 0, 1500}, {68, 68, 40}} {
		g := *f
		g.MTU, g.LinkMTU = c.mtu, c.link
		if err := tab.SetAdj(&g); err != nil {
			t.Fatal(err)
		}
		if got := tab.Adj(17).Limit; got != c.want {
			t.Errorf("MTU %d on a link of %d: limit %d, want %d", c.mtu, c.link, got, c.want)
		}
	}
	g := *f
	g.ID = 64
	if err := tab.SetAdj(&g); !errors.Is(err, ErrFull) {
		t.Errorf("an adjacency beyond the table: %v", err)
	}
	tab.DelAdj(17)
	tab.DelAdj(17)
	if tab.Adj(17) != nil || tab.Adj(1<<31) != nil {
		t.Error("an adjacency that is not there is found")
	}
}

func TestGeneration(t *testing.T) {
	tab := testTables(t, 4<<20)
	step := func(want uint64, what string, f func()) {
		t.Helper()
		before := tab.Generation()
		f()
		tab.Commit()
		if got := tab.Generation() - before; got != want {
			t.Errorf("%s: generation moves by %d, want %d", what, got, want)
		}
	}
	set := func() {
		for _, err := range []error{
			tab.SetAdj(testAdj(17, 1, 99)), tab.SetPort(&fib.Port{ID: 1, MTU: 1500}), tab.SetGroup(&fib.Group{ID: 2, Members: []fib.AdjID{17}}),
			setTunnel(tab, &fib.Tunnel{ID: 1, Local: a4("192.0.2.1"), MTU: 1400}),
			tab.Insert(0, 0x0a000000, 8, []uint32{17}), tab.Insert(0, 0x0b000000, 8, []uint32{17, 18}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	step(1, "install", set)
	step(0, "install the same again", set)
	step(1, "remove", func() { tab.DelAdj(17); tab.DelGroup(2); tab.DelTunnel(1); tab.DelPort(1) })
	step(0, "remove what is gone", func() { tab.DelAdj(17); tab.DelGroup(2); tab.DelTunnel(1); tab.DelPort(1) })
}

// TestAdjReaders replaces a record under readers, who must see one or the other, never a mixture.
func TestAdjReaders(t *testing.T) {
	tab := testTables(t, 1<<20)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 2 {
		r, err := tab.a.Reader(i)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				r.Enter()
				if a := tab.Adj(17); a != nil {
					ttl := a.Inner[31]
					if a.Outer[14] != ttl || a.Outer[36] != ttl || byte(a.OuterDst()) != ttl {
						t.Errorf("half a record: %x %x", a.Inner, a.Outer)
						stop.Store(true)
					}
				}
				r.Exit()
			}
		}()
	}
	for i := range 3000 {
		if i%7 == 0 {
			tab.DelAdj(17)
		} else if err := tab.SetAdj(testAdj(17, 0, byte(1+i%200))); err != nil {
			t.Error(err)
			break
		}
		tab.Commit()
	}
	stop.Store(true)
	wg.Wait()
}

func TestTunnels(t *testing.T) {
	tab := testTables(t, 1<<20)
	mgre := fib.Tunnel{ID: 1, Local: a4("192.0.2.1"), MTU: 1400}
	keyed := fib.Tunnel{ID: 2, Local: a4("192.0.2.1"), Key: 5, HasKey: true, MTU: 1400}
	zero := fib.Tunnel{ID: 3, Local: a4("192.0.2.1"), HasKey: true, MTU: 1400}
	p2p := fib.Tunnel{ID: 4, Local: a4("192.0.2.1"), Remote: a4("192.0.2.9"), Key: 5, HasKey: true, MTU: 1400}
	vrf := fib.Tunnel{ID: 5, OuterVRF: 2, Local: a4("192.0.2.1"), Key: 5, HasKey: true, MTU: 1400}
	for _, f := range []fib.Tunnel{mgre, keyed, zero, p2p, vrf} {
		if err := setTunnel(tab, &f); err != nil {
			t.Fatal(err)
		}
	}
	find := func(vrf uint16, local, remote, key uint32, has bool) uint16 {
		if n := tab.FindTunnel(vrf, local, remote, key, has); n != nil {
			return n.ID
		}
		return 0
	}
	const here, peer, other = 0xc0000201, 0xc0000209, 0xc000020a
	check := func(step string, want ...uint16) {
		t.Helper()
		got := []uint16{
			find(0, here, other, 0, false), find(0, here, other, 5, true), find(0, here, other, 0, true), find(0, here, peer, 5, true),
			find(2, here, peer, 5, true), find(0, here, other, 6, true), find(0, other, peer, 0, false), find(1, here, peer, 5, true),
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: tunnels %v, want %v", step, got, want)
		}
	}
	check("all", 1, 2, 3, 4, 5, 0, 0, 0)
	taken := keyed
	taken.ID = 6
	var e *ErrTaken
	if err := setTunnel(tab, &taken); !errors.As(err, &e) || e.By != 2 {
		t.Errorf("a second tunnel for the same packets: %v", err)
	}
	keyed.Key = 6
	if err := setTunnel(tab, &keyed); err != nil {
		t.Fatal(err)
	}
	check("another key", 1, 0, 3, 4, 5, 2, 0, 0)
	keyed.MSS = 1360 // the same place, another record
	if err := setTunnel(tab, &keyed); err != nil {
		t.Fatal(err)
	}
	check("another MSS", 1, 0, 3, 4, 5, 2, 0, 0)
	tab.DelTunnel(4)
	tab.Commit()
	check("without the point-to-point one", 1, 0, 3, 0, 5, 2, 0, 0)
	if tab.root.pointToPoint.Load() != 0 {
		t.Errorf("%d point-to-point tunnels are left", tab.root.pointToPoint.Load())
	}
	for id := uint32(1); id < 8; id++ {
		tab.DelTunnel(id)
	}
	check("none", 0, 0, 0, 0, 0, 0, 0, 0)
}

// TestProtected: adjacencies of a protected tunnel without an SA refuse clear text, in whatever order things are installed.
func TestProtected(t *testing.T) {
	tab := testTables(t, 1<<20)
	tun := fib.Tunnel{ID: 3, Local: a4("192.0.2.1"), MTU: 1400}
	sealed := func(want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := tab.Adj(uint32(17+i)).Flags&AdjMustSeal != 0; got != w {
				t.Errorf("adjacency %d refuses clear text: %v, want %v", 17+i, got, w)
			}
		}
	}
	set := func(protected bool) {
		t.Helper()
		tun.Protected = protected
		if err := setTunnel(tab, &tun); err != nil {
			t.Fatal(err)
		}
	}
	add := func(f *fib.Adjacency) {
		t.Helper()
		if err := tab.SetAdj(f); err != nil {
			t.Fatal(err)
		}
	}
	add(testAdj(17, 3, 1))
	set(true)
	sealed(true)
	add(testAdj(18, 3, 2))
	add(testAdj(19, 2, 3))
	sealed(true, true, false)
	withSA := testAdj(20, 3, 4)
	withSA.SA = 9
	add(withSA)
	sealed(true, true, false, false)
	set(false)
	sealed(false, false, false, false)
	set(true)
	sealed(true, true, false, false)
}

func TestGroupsAndPorts(t *testing.T) {
	tab := testTables(t, 1<<20)
	if tab.HasGroup(3) || tab.Group(3) != nil {
		t.Error("a group before it is installed")
	}
	for _, members := range [][]fib.AdjID{{17}, {17, 18, 19}, {}, make([]fib.AdjID, 1000)} {
		if err := tab.SetGroup(&fib.Group{ID: 3, Members: members}); err != nil {
			t.Fatal(err)
		}
		tab.Commit()
		if got := tab.Group(3); len(got) != len(members) || !sameMembers(got, members) || !tab.HasGroup(3) {
			t.Errorf("members %v, want %v", got, members)
		}
	}
	if err := tab.SetGroup(&fib.Group{ID: 8}); !errors.Is(err, ErrFull) {
		t.Errorf("a group beyond the table: %v", err)
	}
	if err := tab.SetPort(&fib.Port{ID: 2, MAC: [6]byte{2, 0, 0, 0, 0, 7}, VRF: 3, MTU: 1500, Addr: a4("10.0.0.1")}); err != nil {
		t.Fatal(err)
	}
	if p := tab.Port(2); p == nil || p.MAC != 0x020000000007 || p.VRF != 3 || p.Addr != 0x0a000001 {
		t.Errorf("port %+v", p)
	}
	if tab.Port(0) != nil || tab.Port(100) != nil {
		t.Error("ports that do not exist")
	}
}

func TestLimiter(t *testing.T) {
	l := NewLimiter(64, 42)
	for _, c := range []struct {
		a, b uint64
		now  int64
		want bool
	}{
		{1, 1, 0, true}, {1, 1, 0, false}, {1, 2, 0, true}, {2, 1, 1, true}, {1, 1, 9, false}, {1, 1, 10, true}, {1, 1, 19, false}, {1, 1, 20, true},
	} {
		if got := l.Allow(c.a, c.b, c.now, 10); got != c.want {
			t.Errorf("flow %d,%d at %d: %v, want %v", c.a, c.b, c.now, got, c.want)
		}
	}
	// More flows than there is room for: no more memory, and a flow that stays in its set is still held back.
	n := 0
	for i := range 10000 {
		if l.Allow(uint64(i), 7, 100, 10) {
			n++
		}
	}
	if n < 9990 {
		t.Errorf("%d of 10000 new flows pass", n)
	}
	if got := testing.AllocsPerRun(100, func() { l.Allow(3, 3, 1, 1) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestAdjExpires: a mapping that is learned again moves its expiry in the record that is there, and nothing else.
func TestAdjExpires(t *testing.T) {
	tab := testTables(t, 16<<20)
	f := *testAdj(17, 1, 9)
	f.Expires, f.Unique = 1_800_000_000, true
	if err := tab.SetAdj(&f); err != nil {
		t.Fatal(err)
	}
	tab.Commit()
	at, generation, used := tab.Adj(17), tab.Generation(), tab.a.Used()
	for _, c := range []struct{ set, want int64 }{{1_800_000_600, 1_800_000_600}, {-5, 0}, {1 << 40, 1<<32 - 1}, {0, 0}} {
		f.Expires = c.set
		if err := tab.SetAdj(&f); err != nil {
			t.Fatal(err)
		}
		tab.Commit()
		if got := adjEntry(17, tab.Adj(17)); got.Expires != c.want || !got.Unique {
			t.Errorf("%d: %+v", c.set, got)
		}
	}
	if tab.Adj(17) != at || tab.Generation() != generation || tab.a.Used() != used {
		t.Error("the record was made anew")
	}
	f.Unique = false
	if err := tab.SetAdj(&f); err != nil || adjEntry(17, tab.Adj(17)).Unique || tab.Adj(17) == at {
		t.Errorf("no longer unique: %+v, %v", tab.Adj(17), err)
	}
}
