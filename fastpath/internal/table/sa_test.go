package table

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

func testSA(id fib.SAID, spi uint32) *fib.SA {
	return &fib.SA{
		ID: id, Inbound: true, SPI: spi, Local: a4("192.0.2.1"), Remote: a4("192.0.2.9"), Cipher: fib.CipherAESGCM,
		CipherKey: bytes.Repeat([]byte{byte(id)}, 20), Window: 64, Protection: 3, SoftBytes: 100,
	}
}

var gcmShape = SAShape{IV: 8, ICV: 16, Align: 4, Slots: 4}

func TestSA(t *testing.T) {
	tab := testTables(t, 1<<20)
	f := testSA(5, 0x1234)
	s, err := tab.SetSA(f, gcmShape)
	if err != nil {
		t.Fatal(err)
	}
	if tab.SA(5) != s || tab.FindSA(0, 0xc0000201, 0x1234, 0) != s || len(s.Slots()) != 4 || s.Extra() != 32 || !tab.SameSA(s, f) {
		t.Errorf("record %+v", s)
	}
	for name, miss := range map[string]*SA{
		"VRF": tab.FindSA(1, 0xc0000201, 0x1234, 0), "address": tab.FindSA(0, 0xc0000202, 0x1234, 0), "SPI": tab.FindSA(0, 0xc0000201, 0x1235, 0),
		"protocol": tab.FindSA(0, 0xc0000201, 0x1234, SAAH), "number": tab.SA(6),
	} {
		if miss != nil {
			t.Errorf("another %s finds %+v", name, miss)
		}
	}
	entry := tab.SAEntry(s)
	if entry.SPI != f.SPI || entry.Remote != f.Remote || !bytes.Equal(entry.CipherKey, f.CipherKey) || !entry.Inbound || entry.Window != 64 || entry.Protection != 3 {
		t.Errorf("entry %+v", entry)
	}
	// What changes in use stays when it is applied again, and what may be changed changes.
	s.Seq.Store(77)
	s.Move(0x01020304, 5)
	s.Mark(MarkSoft)
	if again, err := tab.SetSA(f, SAShape{}); again != s || err != nil || s.Seq.Load() != 77 || s.Mark(MarkSoft) {
		t.Errorf("applied again: %+v, %v", again, err)
	}
	if addr, port := s.Remote(); addr != 0x01020304 || port != 5 {
		t.Errorf("the peer went back to %x:%d", addr, port)
	}
	f.SoftBytes, f.HardBytes, f.Protection = 0, 9, 4
	if _, err := tab.SetSA(f, SAShape{}); err != nil || s.Soft.Load() != noLimit || s.Hard.Load() != 9 || s.Protection.Load() != 4 || !s.Mark(MarkSoft) {
		t.Errorf("changed: %+v, %v", s, err)
	}
	var taken *ErrSPITaken
	if _, err := tab.SetSA(testSA(6, 0x1234), gcmShape); !errors.As(err, &taken) || taken.By != 5 || taken.Error() == "" {
		t.Errorf("the same SPI again: %v", err)
	}
	if _, err := tab.SetSA(testSA(64, 0x9999), gcmShape); !errors.Is(err, ErrFull) {
		t.Errorf("number 64 of 64: %v", err)
	}
	generation := s.Generation
	tab.DelSA(5)
	tab.DelSA(5)
	tab.Commit()
	if tab.SA(5) != nil || tab.FindSA(0, 0xc0000201, 0x1234, 0) != nil {
		t.Error("still there")
	}
	if s, err = tab.SetSA(f, gcmShape); err != nil || s.Generation == generation || s.Seq.Load() != 0 {
		t.Errorf("given away again: %+v, %v", s, err)
	}
}

// TestSAFull: an arena without room refuses an association and loses nothing by it.
func TestSAFull(t *testing.T) {
	tab := testTables(t, 1<<20, func(s *Sizes) { s.SAs = 8192 })
	n := 0
	var err error
	for ; n < 8000; n++ {
		if _, err = tab.SetSA(testSA(fib.SAID(n+1), uint32(n+1000)), gcmShape); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || n < 100 {
		t.Fatalf("%d fit: %v", n, err)
	}
	for id := range n {
		tab.DelSA(uint32(id + 1))
	}
	tab.Commit()
	for i := range n {
		if _, err := tab.SetSA(testSA(fib.SAID(i+1), uint32(i+5000)), gcmShape); err != nil {
			t.Fatalf("%d of %d fit after all were removed: %v", i, n, err)
		}
	}
}

// TestSAReaders: a reader finds an association that stays, whatever comes and goes in its chain.
func TestSAReaders(t *testing.T) {
	tab := testTables(t, 1<<22, func(s *Sizes) { s.SAs = 16 }) // 16 chains
	if _, err := tab.SetSA(testSA(1, 0x1000), gcmShape); err != nil {
		t.Fatal(err)
	}
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
				if s := tab.FindSA(0, 0xc0000201, 0x1000, 0); s == nil || s.ID != 1 {
					t.Errorf("found %+v", s)
					stop.Store(true)
				}
				if s := tab.FindSA(0, 0xc0000201, 0x2003, 0); s != nil && s.SPI != 0x2003 {
					t.Errorf("found %+v", s)
					stop.Store(true)
				}
				r.Exit()
			}
		}()
	}
	for i := range 20000 {
		id := 2 + i%13
		if tab.SA(uint32(id)) != nil {
			tab.DelSA(uint32(id))
		} else if _, err := tab.SetSA(testSA(fib.SAID(id), uint32(0x2000+id)), gcmShape); err != nil {
			t.Fatal(err)
		}
		tab.Commit()
	}
	stop.Store(true)
	wg.Wait()
}

// TestOpen: who opens the arena finds the associations with their keys and numbers.
func TestOpen(t *testing.T) {
	a, err := arena.NewHeap(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a); err == nil {
		t.Error("tables in an empty arena")
	}
	tab, err := New(a, Sizes{VRFs: 2, Ports: 4, Tunnels: 4, Adjacencies: 64, Groups: 4, Routes: 100, SAs: 64, Labels: 10})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tab.SetSA(testSA(9, 0x4321), gcmShape)
	if err != nil {
		t.Fatal(err)
	}
	s.Seq.Store(1000)
	other, err := Open(a)
	if err != nil {
		t.Fatal(err)
	}
	if got := other.FindSA(0, 0xc0000201, 0x4321, 0); got == nil || got.Seq.Load() != 1000 || !other.SameSA(got, testSA(9, 0x4321)) || other.Size().SAs != 64 {
		t.Errorf("opened: %+v", got)
	}
}
