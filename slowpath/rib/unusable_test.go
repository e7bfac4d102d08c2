package rib

import (
	"testing"

	"nave/fastpath/fib"
)

// By distance 255 no packet goes, whoever says so, and what had another distance before goes.
func TestUnusableDistance(t *testing.T) {
	r, f, _ := newTest(t)
	p := pfx("10.9.0.0/16")
	k := fib.RouteKey{Prefix: p}
	hops := []NextHop{{Addr: addr("192.0.2.10")}}
	for _, set := range []func(distance int){
		func(distance int) { r.SetStatics(0, []StaticRoute{{Prefix: p, Hops: hops, Distance: distance}}) },
		func(distance int) { r.SetRoute(0, p, Learned{Source: BGP, Hops: hops, Distance: distance}) },
		func(distance int) { r.SetRoute(0, p, Learned{Source: Kernel, Discard: true, Distance: distance}) },
	} {
		for _, distance := range []int{254, 255, 20, 255} {
			set(distance)
			flush(t, r)
			if _, got := f.routes[k]; got != (distance < 255) {
				t.Errorf("distance %d: a route: %v", distance, got)
			}
		}
	}
}
