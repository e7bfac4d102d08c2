package fastpath

import (
	"testing"

	"nave/fastpath/fib"
)

// TestTablesHaveRoom: there is room for as many entries as is said, and for none more.
func TestTablesHaveRoom(t *testing.T) {
	r := newRig(t, gcm128.hub)
	room := r.e.Counters().Room
	last := fib.FirstAdj + fib.AdjID(room.Adjacencies) - 1
	sa := gcmSA(fib.SAID(room.SAs))
	for _, c := range []struct {
		name string
		b    fib.Batch
		ok   bool
	}{
		{"the last adjacency", fib.Batch{Adjacencies: []fib.Adjacency{{ID: last, Kind: fib.AdjDrop}}}, true},
		{"an adjacency behind it", fib.Batch{Adjacencies: []fib.Adjacency{{ID: last + 1, Kind: fib.AdjDrop}}}, false},
		{"the last association", fib.Batch{SAs: []fib.SA{sa}}, true},
		{"an association behind it", fib.Batch{SAs: []fib.SA{gcmSA(sa.ID + 1)}}, false},
	} {
		if refused, err := r.e.Apply(&c.b); err != nil || (len(refused) == 0) != c.ok {
			t.Errorf("%s: %v, %v", c.name, refused, err)
		}
	}
	if room.Routes != r.e.cfg.MaxRoutes {
		t.Errorf("%d routes", room.Routes)
	}
}

// gcmSA is an association of the hub's with another number.
func gcmSA(id fib.SAID) fib.SA {
	s := gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)[1]
	s.ID, s.SPI = id, 0x7000+uint32(id)
	return s
}
