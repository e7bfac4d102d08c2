package gateway

import (
	"reflect"
	"testing"

	"nave/slowpath/bgp"
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
