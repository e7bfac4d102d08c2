package fastpath

import (
	"reflect"
	"testing"

	"nave/fastpath/fib"
)

// TestExplainCaptured: while packets are captured, one that is explained is not among them, and is explained as ever.
func TestExplainCaptured(t *testing.T) {
	for name, private := range map[string]bool{"memfd": false, "private": true} {
		r := newRig(t, gcm128.hub, func(c *Config, _ *fib.Batch) { c.Private = private })
		questions := []Question{
			{Packet: probe(hostIP, behind1, 200), From: Origin{Port: lan}}, {Packet: probe(hubTunnel, behind1, 200), From: Origin{Own: true}},
			{Packet: probe(behind1, hostIP, 200), From: Origin{Tunnel: tunnelID, Peer: addr(spoke1NBMA)}}, {Packet: probe(hostIP, ip4("10.66.1.1"), 200), From: Origin{Port: lan}},
		}
		var before []Explanation
		for _, q := range questions {
			before = append(before, r.explain(q))
		}
		c := r.tapAll()
		r.poll()
		for i, q := range questions {
			if x := r.explain(q); !reflect.DeepEqual(x, before[i]) {
				t.Errorf("%s: question %d: %+v, before %+v", name, i, x, before[i])
			}
		}
		r.poll()
		if list, lost := copies(c), c.Lost(); len(list) != 0 || lost != 0 {
			t.Errorf("%s: captured %+v, lost %d", name, list, lost)
		}
		r.fromLAN(toLAN(probe(hostIP, behind1, 200)))
		if list := copies(c); len(list) == 0 {
			t.Errorf("%s: nothing is captured at all", name)
		}
	}
}
