package slowpath

import (
	"testing"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
)

// When all neighbours have said all after a restart, labels of BGP that were swapped before it go: those of LDP and of VRFs of ours stay for now.
func TestSettledDropsOldSwaps(t *testing.T) {
	old := fib.Batch{
		Adjacencies: []fib.Adjacency{{ID: 20, Kind: fib.AdjLink, Port: 1, Outer: make([]byte, 14), MTU: 1500, LinkMTU: 1500}},
		Labels: []fib.Label{
			{In: 110, Action: fib.LabelSwap, Paths: []fib.AdjID{20}}, {In: 180, Action: fib.LabelSwap, Paths: []fib.AdjID{20}}, {In: 181, Action: fib.LabelLookup, VRF: blue},
		},
	}
	fresh := newBGPRig(t, nil)
	r := &bgpRig{t: t, engine: newVPNEngine(), now: start, config: fresh.config, said: make(map[bgp.Key]bgp.Local)}
	for _, l := range old.Labels {
		r.engine.labels[l.In] = l
	}
	r.Router = NewSeeded(r.engine, &borderHost{bgpRig: r}, 1)
	r.At(r.now).Inherit(old)
	r.configure()
	there := func(what string, want ...uint32) {
		t.Helper()
		n := 0
		for _, in := range []uint32{110, 180, 181} {
			if r.engine.labels[in].In != 0 {
				n++
			}
		}
		for _, in := range want {
			if r.engine.labels[in].In == 0 {
				t.Errorf("%s: label %d is gone", what, in)
			}
		}
		if n != len(want) {
			t.Errorf("%s: %d of the old labels are there, want %v", what, n, want)
		}
	}
	r.hear(bgp.Effects{Sessions: []bgp.Session{{Neighbour: ip("10.0.0.1"), Up: true}}})
	there("a session is up", 110, 180, 181)
	r.hear(bgp.Effects{Settled: true})
	there("all is said", 110, 181)
	r.wait(inheritFor)
	there("in the end")
}
