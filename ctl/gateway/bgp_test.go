package gateway

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"nave/slowpath/bgp"
	"nave/slowpath/loop"
)

// What the speaker says is cut into portions, and nothing is lost or overtaken.
func TestPortions(t *testing.T) {
	var e, got bgp.Effects
	for i := range 25 {
		e.Swaps = append(e.Swaps, bgp.Swap{Label: uint32(100 + i)})
	}
	for i := range 31 {
		e.Routes = append(e.Routes, bgp.Route{Metric: uint32(i)})
	}
	e.Sessions, e.Settled = []bgp.Session{{Up: true}, {}}, true
	n := 0
	for p := range portions(e, 10) {
		n++
		if len(p.Swaps)+len(p.Routes) > 10 {
			t.Errorf("a portion of %d labels and %d routes", len(p.Swaps), len(p.Routes))
		}
		if len(p.Swaps) > 0 && len(got.Routes) > 0 || len(p.Routes) > 0 && len(got.Sessions) > 0 {
			t.Error("out of order")
		}
		if got.Settled {
			t.Error("something comes after the word that all is said")
		}
		got.Settled = p.Settled
		got.Swaps, got.Routes, got.Sessions = append(got.Swaps, p.Swaps...), append(got.Routes, p.Routes...), append(got.Sessions, p.Sessions...)
	}
	if n != 3+4+1+1 || !reflect.DeepEqual(got, e) {
		t.Errorf("%d portions: %+v", n, got)
	}
	for range portions(e, 10) {
		n++
		break
	}
	if n != 10 {
		t.Error("it goes on after the end")
	}
	for p := range portions(bgp.Effects{}, 10) {
		t.Errorf("a portion of nothing: %+v", p)
	}
}

// idle is a machine with nothing to do.
type idle struct{}

func (idle) Tick(time.Time)      {}
func (idle) Deadline() time.Time { return time.Time{} }

// TestRefusedIsTriedAgain: what the speaker could not do of a configuration it is told again, until it can or is told another one.
func TestRefusedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{loop: loop.New(4), core: &Core{}, opt: Options{Log: slog.New(slog.DiscardHandler)}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go g.loop.Run(ctx, idle{})
		b := newBorder(g)
		first, second := new(bgp.Config), new(bgp.Config)
		taken := errors.New("port 179: another program has it")
		said := func(of *bgp.Config, err error) (problems int) {
			g.loop.Call(func(time.Time) {
				b.configured(*of, of, err)
				problems = len(g.core.Problems())
			})
			return problems
		}
		asked := func() int {
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.queue)
		}
		b.last = first
		if n := said(first, taken); n != 1 {
			t.Errorf("%d problems", n)
		}
		time.Sleep(listenAgain - time.Second)
		if n := asked(); n != 0 {
			t.Errorf("asked %d times at once", n)
		}
		time.Sleep(2 * time.Second)
		if n := asked(); n != 1 {
			t.Errorf("asked %d times after a while", n)
		}
		said(first, taken)
		g.loop.Call(func(time.Time) { b.last = second })
		time.Sleep(2 * listenAgain)
		if n := asked(); n != 1 {
			t.Error("asked for what another configuration has followed")
		}
		said(second, taken)
		if n := said(second, nil); n != 0 {
			t.Errorf("%d problems that are none any more", n)
		}
		time.Sleep(2 * listenAgain)
		if n := asked(); n != 1 {
			t.Error("asked though all is done")
		}
	})
}
