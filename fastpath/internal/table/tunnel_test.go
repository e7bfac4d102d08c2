package table

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
)

// keyed is a multipoint tunnel, told apart from others by its key.
func keyed(id fib.TunnelID, key uint32) fib.Tunnel {
	return fib.Tunnel{ID: id, Local: a4("192.0.2.1"), Key: key, HasKey: true, MTU: 1400}
}

// TestTunnelsTogether: what tunnels of one batch take from each other, and from those that go, is free; and one that is refused
// keeps what it has.
func TestTunnelsTogether(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []fib.Tunnel
		gone []fib.TunnelID
		want [5]fib.TunnelID // by key
		by   map[int]uint16  // refusals: place in set, and who has it
	}{
		{"replace", []fib.Tunnel{keyed(9, 1)}, []fib.TunnelID{1}, [5]fib.TunnelID{1: 9, 2: 2, 3: 3}, nil},
		{"exchange", []fib.Tunnel{keyed(1, 2), keyed(2, 1)}, nil, [5]fib.TunnelID{1: 2, 2: 1, 3: 3}, nil},
		{"turn round", []fib.Tunnel{keyed(1, 2), keyed(2, 3), keyed(3, 1)}, nil, [5]fib.TunnelID{1: 3, 2: 1, 3: 2}, nil},
		{"move up", []fib.Tunnel{keyed(1, 2), keyed(2, 3), keyed(3, 4)}, nil, [5]fib.TunnelID{2: 1, 3: 2, 4: 3}, nil},
		{"taken", []fib.Tunnel{keyed(1, 3)}, nil, [5]fib.TunnelID{1: 1, 2: 2, 3: 3}, map[int]uint16{0: 3}},
		{"twice in the batch", []fib.Tunnel{keyed(8, 4), keyed(9, 4)}, nil, [5]fib.TunnelID{1: 1, 2: 2, 3: 3, 4: 8}, map[int]uint16{1: 8}},
		{"one refused is in the way of another", []fib.Tunnel{keyed(1, 2), keyed(2, 3)}, nil, [5]fib.TunnelID{1: 1, 2: 2, 3: 3}, map[int]uint16{0: 2, 1: 3}},
		{"set and gone", []fib.Tunnel{keyed(1, 4)}, []fib.TunnelID{1}, [5]fib.TunnelID{2: 2, 3: 3}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := testTables(t, 1<<20)
			for i, err := range tab.SetTunnels([]fib.Tunnel{keyed(1, 1), keyed(2, 2), keyed(3, 3)}, nil) {
				if err != nil {
					t.Fatal(i, err)
				}
			}
			for i, err := range tab.SetTunnels(c.set, c.gone) {
				var e *ErrTaken
				if by, refused := c.by[i]; refused != (err != nil) || refused && (!errors.As(err, &e) || e.By != by) {
					t.Errorf("tunnel %d: %v", c.set[i].ID, err)
				}
			}
			for _, id := range c.gone {
				tab.DelTunnel(uint32(id))
			}
			tab.Commit()
			var got [5]fib.TunnelID
			for k := range got {
				if n := tab.FindTunnel(0, 0xc0000201, 0xc0000209, uint32(k), true); n != nil {
					got[k] = fib.TunnelID(n.ID)
				}
			}
			if got != c.want {
				t.Errorf("tunnels by key %v, want %v", got, c.want)
			}
			for id := uint32(1); id < 10; id++ {
				tab.DelTunnel(id)
			}
			for i, b := range tab.buckets {
				if b != 0 {
					t.Errorf("bucket %d still leads somewhere", i)
				}
			}
		})
	}
}

// TestTunnelFull: a tunnel that there is no room for is refused, and those that are there stay.
func TestTunnelFull(t *testing.T) {
	tab := testTables(t, 1<<20)
	list := []fib.Tunnel{keyed(1, 1), keyed(2, 2)}
	tab.SetTunnels(list, nil)
	for {
		if _, err := tab.a.Alloc(tunnelSize); err != nil {
			break
		}
	}
	list[0].Key, list[1].Key = 2, 1
	for i, err := range tab.SetTunnels(list, nil) {
		if !errors.Is(err, ErrFull) {
			t.Errorf("tunnel %d: %v", i+1, err)
		}
	}
	for k := range uint32(2) {
		if n := tab.FindTunnel(0, 0xc0000201, 0xc0000209, k+1, true); n == nil || n.ID != uint16(k+1) {
			t.Errorf("key %d: %+v", k+1, n)
		}
	}
}

// TestExchangeUnderReaders: packets find the one tunnel or the other at any time, and with a multipoint tunnel behind never that.
func TestExchangeUnderReaders(t *testing.T) {
	tab := testTables(t, 1<<20)
	p2p := func(id fib.TunnelID, remote string) fib.Tunnel {
		f := keyed(id, 7)
		f.Remote = a4(remote)
		return f
	}
	tab.SetTunnels([]fib.Tunnel{keyed(3, 7), p2p(1, "192.0.2.9"), p2p(2, "192.0.2.10")}, nil)
	r, err := tab.a.Reader(0)
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for !stop.Load() {
			r.Enter()
			for _, remote := range []uint32{0xc0000209, 0xc000020a} {
				if n := tab.FindTunnel(0, 0xc0000201, remote, 7, true); n == nil || n.ID == 3 {
					t.Errorf("from %x: %+v", remote, n)
					stop.Store(true)
				}
			}
			r.Exit()
		}
	}()
	for range 2000 {
		for _, list := range [][]fib.Tunnel{{p2p(1, "192.0.2.10"), p2p(2, "192.0.2.9")}, {p2p(1, "192.0.2.9"), p2p(2, "192.0.2.10")}} {
			for i, err := range tab.SetTunnels(list, nil) {
				if err != nil {
					t.Error(i, err)
				}
			}
			tab.Commit()
		}
	}
	stop.Store(true)
	wg.Wait()
}
